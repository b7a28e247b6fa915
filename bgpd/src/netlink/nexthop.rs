//! Nexthop objects and groups of them (`struct nhmsg`, NHA_*).
//!
//! A group of ours is a *resilient* one with a single bucket: the kernel gives
//! the bucket to the member with the greatest weight, so that all traffic
//! leaves by one way; when the kernel removes that member by itself (its
//! device has lost carrier), the bucket falls to the other member at once.
//! A plain group would spread the traffic over both.

use std::net::IpAddr;

use libc::{NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE};

use super::message::{Attributes, Batch, Message, address, family, octets, u16_at, u32_at};

/// One way out, as the kernel knows it: where to and through which interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gateway {
    pub ifindex: u32,
    pub address: IpAddr,
}

/// A group's members: all traffic leaves by `active`; the kernel moves it to
/// `standby` when it has to remove `active`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Members {
    pub active: u32,
    pub standby: Option<u32>,
}

/// What may be there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// Nothing: the kernel refuses otherwise (EEXIST).
    New,
    /// The object: the kernel refuses otherwise (ENOENT).
    Replace,
    Either,
}

/// A nexthop or group as the kernel tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub id: u32,
    pub protocol: u8,
    pub what: Object,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    Gateway(Gateway),
    Group(Members),
    /// Blackholes, devices without a gateway, plain groups, encapsulations.
    Other,
}

pub fn put_gateway(batch: &mut Batch, id: u32, protocol: u8, gateway: &Gateway, how: Put) {
    let mut header = [0; NHMSG];
    header[0] = family(&gateway.address);
    header[2] = protocol;
    let mut request = batch.begin(RTM_NEWNEXTHOP, how.flags(), &header);
    let (octets, length) = octets(&gateway.address);
    request.u32(NHA_ID, id);
    request.u32(NHA_OIF, gateway.ifindex);
    request.attribute(NHA_GATEWAY, &octets[..length]);
}

pub fn put_group(batch: &mut Batch, id: u32, protocol: u8, members: Members, how: Put) {
    let mut header = [0; NHMSG];
    header[2] = protocol;
    let mut request = batch.begin(RTM_NEWNEXTHOP, how.flags(), &header);
    request.u32(NHA_ID, id);
    // struct nexthop_grp { u32 id; u8 weight, less one; u8 and u16 reserved }
    let mut group = [0; 2 * MEMBER];
    group[..4].copy_from_slice(&members.active.to_ne_bytes());
    group[4] = ACTIVE_WEIGHT - 1;
    if let Some(standby) = members.standby {
        group[MEMBER..MEMBER + 4].copy_from_slice(&standby.to_ne_bytes());
    }
    let length = if members.standby.is_some() {
        2 * MEMBER
    } else {
        MEMBER
    };
    request.attribute(NHA_GROUP, &group[..length]);
    request.attribute(NHA_GROUP_TYPE, &NEXTHOP_GRP_TYPE_RES.to_ne_bytes());
    // One bucket, which changes hands at once (no idle timer).
    let mut resilient = [0; 16];
    resilient[..2].copy_from_slice(&6u16.to_ne_bytes());
    resilient[2..4].copy_from_slice(&NHA_RES_GROUP_BUCKETS.to_ne_bytes());
    resilient[4..6].copy_from_slice(&1u16.to_ne_bytes());
    resilient[8..10].copy_from_slice(&8u16.to_ne_bytes());
    resilient[10..12].copy_from_slice(&NHA_RES_GROUP_IDLE_TIMER.to_ne_bytes());
    request.attribute(NHA_RES_GROUP | NLA_F_NESTED, &resilient);
}

pub fn delete(batch: &mut Batch, id: u32) {
    batch.begin(RTM_DELNEXTHOP, 0, &[0; NHMSG]).u32(NHA_ID, id);
}

/// Asks for one nexthop or group.
pub fn ask(batch: &mut Batch, id: u32) {
    batch.begin(RTM_GETNEXTHOP, 0, &[0; NHMSG]).u32(NHA_ID, id);
}

/// Asks for all nexthops and groups.
pub fn dump(batch: &mut Batch) {
    batch.begin(RTM_GETNEXTHOP, NLM_F_DUMP, &[0; NHMSG]);
}

impl Put {
    const fn flags(self) -> i32 {
        match self {
            Self::New => NLM_F_CREATE | NLM_F_EXCL,
            Self::Replace => NLM_F_REPLACE,
            Self::Either => NLM_F_CREATE | NLM_F_REPLACE,
        }
    }
}

impl Seen {
    /// Reads RTM_NEWNEXTHOP and RTM_DELNEXTHOP.
    pub fn read(message: &Message<'_>) -> Option<Self> {
        if !matches!(message.kind, RTM_NEWNEXTHOP | RTM_DELNEXTHOP) {
            return None;
        }
        let header = message.payload.get(..NHMSG)?;
        let (mut id, mut ifindex, mut gateway, mut members, mut plain) =
            (None, None, None, None, false);
        for (kind, value) in Attributes(message.payload.get(NHMSG..)?) {
            match kind {
                NHA_ID => id = u32_at(value, 0),
                NHA_OIF => ifindex = u32_at(value, 0),
                NHA_GATEWAY => gateway = address(value),
                NHA_GROUP => members = read_members(value),
                NHA_GROUP_TYPE => plain = u16_at(value, 0) != Some(NEXTHOP_GRP_TYPE_RES),
                NHA_ENCAP_TYPE => plain = true,
                _ => {}
            }
        }
        let what = match (members, ifindex, gateway) {
            _ if plain => Object::Other,
            (Some(members), _, _) => Object::Group(members),
            (None, Some(ifindex), Some(address)) => Object::Gateway(Gateway { ifindex, address }),
            _ => Object::Other,
        };
        Some(Self {
            id: id?,
            protocol: header[2],
            what,
        })
    }
}

/// At most two members: ours have no more.
fn read_members(value: &[u8]) -> Option<Members> {
    let id = |at: usize| u32_at(value, at * MEMBER);
    let weight = |at: usize| value.get(at * MEMBER + 4).copied();
    match (id(0), id(1), value.len()) {
        (Some(active), None, _) => Some(Members {
            active,
            standby: None,
        }),
        (Some(first), Some(second), 16) if weight(0) >= weight(1) => Some(Members {
            active: first,
            standby: Some(second),
        }),
        (Some(first), Some(second), 16) => Some(Members {
            active: second,
            standby: Some(first),
        }),
        _ => None,
    }
}

pub const RTM_NEWNEXTHOP: u16 = 104;
pub const RTM_DELNEXTHOP: u16 = 105;
pub const RTM_GETNEXTHOP: u16 = 106;

/// The size of `struct nhmsg`.
const NHMSG: usize = 8;
/// The size of `struct nexthop_grp`.
const MEMBER: usize = 8;
/// With one bucket: round(1 × 255 / 256) is 1 for the active member, and 0 is
/// left for the standby with weight 1.
const ACTIVE_WEIGHT: u8 = 255;
const NHA_ID: u16 = 1;
const NHA_GROUP: u16 = 2;
const NHA_GROUP_TYPE: u16 = 3;
const NHA_OIF: u16 = 5;
const NHA_GATEWAY: u16 = 6;
const NHA_ENCAP_TYPE: u16 = 7;
const NHA_RES_GROUP: u16 = 12;
const NHA_RES_GROUP_BUCKETS: u16 = 1;
const NHA_RES_GROUP_IDLE_TIMER: u16 = 2;
const NEXTHOP_GRP_TYPE_RES: u16 = 1;
const NLA_F_NESTED: u16 = 1 << 15;

#[cfg(test)]
mod tests {
    use super::super::message::Messages;
    use super::*;

    #[test]
    fn a_group_has_the_bytes_that_the_kernel_expects() {
        let mut batch = Batch::new();
        put_group(
            &mut batch,
            7,
            186,
            Members {
                active: 2,
                standby: Some(3),
            },
            Put::Replace,
        );
        let mut expected = vec![0, 0, 186, 0, 0, 0, 0, 0];
        let mut attribute = |length: u16, kind: u16, value: &[u8]| {
            expected.extend_from_slice(&length.to_ne_bytes());
            expected.extend_from_slice(&kind.to_ne_bytes());
            expected.extend_from_slice(value);
        };
        attribute(8, 1, &7u32.to_ne_bytes());
        attribute(
            20,
            2,
            &[
                &2u32.to_ne_bytes()[..],
                &[254, 0, 0, 0],
                &3u32.to_ne_bytes(),
                &[0; 4],
            ]
            .concat(),
        );
        attribute(6, 3, &[&1u16.to_ne_bytes()[..], &[0; 2]].concat());
        attribute(20, 12 | 0x8000, &[]);
        attribute(6, 1, &[&1u16.to_ne_bytes()[..], &[0; 2]].concat());
        attribute(8, 2, &[0; 4]);
        let message = Messages(batch.bytes()).next().expect("a message");
        assert_eq!((message.kind, message.flags), (104, 0x101));
        assert_eq!(message.payload, expected);
    }

    #[test]
    fn what_is_written_reads_back() {
        let v4 = Gateway {
            ifindex: 4,
            address: [192, 0, 2, 1].into(),
        };
        let v6 = Gateway {
            ifindex: 5,
            address: "fe80::1".parse().expect("an address"),
        };
        let both = Members {
            active: 9,
            standby: Some(1),
        };
        let one = Members {
            active: 9,
            standby: None,
        };
        let mut batch = Batch::new();
        put_gateway(&mut batch, 1, 186, &v4, Put::New);
        put_gateway(&mut batch, 2, 186, &v6, Put::Either);
        put_group(&mut batch, 3, 186, both, Put::New);
        put_group(&mut batch, 4, 186, one, Put::New);
        delete(&mut batch, 5);
        let seen: Vec<_> = Messages(batch.bytes())
            .filter_map(|message| Seen::read(&message))
            .map(|seen| seen.what)
            .collect();
        assert_eq!(
            seen,
            [
                Object::Gateway(v4),
                Object::Gateway(v6),
                Object::Group(both),
                Object::Group(one),
                Object::Other
            ]
        );
    }
}
