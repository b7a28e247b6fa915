//! Routes that point at a nexthop group (`struct rtmsg`, RTA_*).

use std::net::IpAddr;

use bgp_core::Family;
use ipnet::IpNet;
use libc::{
    NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, RT_SCOPE_NOWHERE, RT_SCOPE_UNIVERSE,
    RTA_DST, RTA_GATEWAY, RTA_OIF, RTA_PRIORITY, RTA_TABLE, RTM_DELROUTE, RTM_GETROUTE,
    RTM_NEWROUTE, RTN_UNICAST,
};

use super::message::{Attributes, Batch, Message, address, family, octets, u32_at};

/// What all our routes have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub table: u32,
    pub protocol: u8,
    pub priority: u32,
}

/// Whether a route of the same prefix and priority may be there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// No: it would be someone else's, and the kernel refuses (EEXIST).
    New,
    /// Ours is, and is replaced without a gap.
    Replace,
}

/// A route as the kernel tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub prefix: IpNet,
    pub place: Place,
    /// The nexthop object, if it points at one.
    pub nexthop: Option<u32>,
}

/// Where the kernel would send a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WayOut {
    pub ifindex: u32,
    /// `None`: the destination is on the link.
    pub gateway: Option<IpAddr>,
}

/// Adds or replaces a route.
pub fn put(batch: &mut Batch, place: &Place, prefix: &IpNet, group: u32, how: Put) {
    let flags = NLM_F_CREATE
        | if how == Put::New {
            NLM_F_EXCL
        } else {
            NLM_F_REPLACE
        };
    let header = header(prefix, place, RT_SCOPE_UNIVERSE, RTN_UNICAST);
    let mut request = batch.begin(RTM_NEWROUTE, flags, &header);
    let (octets, length) = octets(&prefix.network());
    request.attribute(RTA_DST, &octets[..length]);
    request.u32(RTA_TABLE, place.table);
    request.u32(RTA_PRIORITY, place.priority);
    request.u32(RTA_NH_ID, group);
}

/// Deletes a route of ours, if it points at this group; one of another protocol,
/// or that points elsewhere, stays.
pub fn delete(batch: &mut Batch, place: &Place, prefix: &IpNet, group: u32) {
    let mut request = batch.begin(RTM_DELROUTE, 0, &header(prefix, place, RT_SCOPE_NOWHERE, 0));
    let (octets, length) = octets(&prefix.network());
    request.attribute(RTA_DST, &octets[..length]);
    request.u32(RTA_TABLE, place.table);
    request.u32(RTA_PRIORITY, place.priority);
    request.u32(RTA_NH_ID, group);
}

/// Asks for all routes of a family with this table and protocol.
pub fn dump(batch: &mut Batch, place: &Place, of: Family) {
    let mut header = [0; RTMSG];
    header[0] = match of {
        Family::Ipv4 => libc::AF_INET as u8,
        Family::Ipv6 => libc::AF_INET6 as u8,
    };
    header[5] = place.protocol;
    batch
        .begin(RTM_GETROUTE, NLM_F_DUMP, &header)
        .u32(RTA_TABLE, place.table);
}

/// Asks where the kernel would send to.
pub fn look_up(batch: &mut Batch, destination: IpAddr) {
    let (octets, length) = octets(&destination);
    let mut header = [0; RTMSG];
    header[0] = family(&destination);
    header[1] = (length * 8) as u8;
    batch
        .begin(RTM_GETROUTE, 0, &header)
        .attribute(RTA_DST, &octets[..length]);
}

/// Asks for the route that the kernel would send by, as it stands in the table.
pub fn matching(batch: &mut Batch, destination: IpAddr) {
    let (octets, length) = octets(&destination);
    let mut header = [0; RTMSG];
    header[0] = family(&destination);
    header[1] = (length * 8) as u8;
    header[8..].copy_from_slice(&RTM_F_FIB_MATCH.to_ne_bytes());
    batch
        .begin(RTM_GETROUTE, 0, &header)
        .attribute(RTA_DST, &octets[..length]);
}

impl Seen {
    /// Reads RTM_NEWROUTE and RTM_DELROUTE.
    pub fn read(message: &Message<'_>) -> Option<Self> {
        if !matches!(message.kind, RTM_NEWROUTE | RTM_DELROUTE) {
            return None;
        }
        let header = message.payload.get(..RTMSG)?;
        let mut table = u32::from(header[4]);
        let (mut destination, mut priority, mut nexthop) = (None, 0, None);
        for (kind, value) in Attributes(message.payload.get(RTMSG..)?) {
            match kind {
                RTA_DST => destination = address(value),
                RTA_TABLE => table = u32_at(value, 0)?,
                RTA_PRIORITY => priority = u32_at(value, 0)?,
                RTA_NH_ID => nexthop = u32_at(value, 0),
                _ => {}
            }
        }
        // A default route has no destination.
        let destination = destination.unwrap_or(match i32::from(header[0]) {
            libc::AF_INET => IpAddr::from([0; 4]),
            _ => IpAddr::from([0; 16]),
        });
        let prefix = IpNet::new(destination, header[1]).ok()?;
        Some(Self {
            prefix,
            place: Place {
                table,
                protocol: header[5],
                priority,
            },
            nexthop,
        })
    }
}

impl WayOut {
    pub fn read(message: &Message<'_>) -> Option<Self> {
        let attributes = Attributes(message.payload.get(RTMSG..)?);
        let (mut ifindex, mut gateway) = (None, None);
        for (kind, value) in attributes {
            match kind {
                RTA_OIF => ifindex = u32_at(value, 0),
                RTA_GATEWAY => gateway = address(value),
                _ => {}
            }
        }
        ifindex.map(|ifindex| Self { ifindex, gateway })
    }
}

fn header(prefix: &IpNet, place: &Place, scope: u8, kind: u8) -> [u8; RTMSG] {
    let mut header = [0; RTMSG];
    header[0] = family(&prefix.network());
    header[1] = prefix.prefix_len();
    // Above 255 only RTA_TABLE tells.
    header[4] = u8::try_from(place.table).unwrap_or(libc::RT_TABLE_UNSPEC);
    header[5] = place.protocol;
    header[6] = scope;
    header[7] = kind;
    header
}

/// The size of `struct rtmsg`.
const RTMSG: usize = 12;
const RTA_NH_ID: u16 = 30;
const RTM_F_FIB_MATCH: u32 = 0x2000;

#[cfg(test)]
mod tests {
    use super::super::message::Messages;
    use super::*;

    const PLACE: Place = Place {
        table: 254,
        protocol: 186,
        priority: 20,
    };

    #[test]
    fn a_new_route_has_the_bytes_that_the_kernel_expects() {
        let mut batch = Batch::new();
        put(
            &mut batch,
            &PLACE,
            &"10.1.0.0/16".parse().expect("a prefix"),
            0x6000_0001,
            Put::New,
        );
        let mut expected = Vec::new();
        expected.extend_from_slice(&60u32.to_ne_bytes());
        expected.extend_from_slice(&24u16.to_ne_bytes());
        // NLM_F_REQUEST | NLM_F_ACK | NLM_F_EXCL | NLM_F_CREATE
        expected.extend_from_slice(&0x605u16.to_ne_bytes());
        expected.extend_from_slice(&1u32.to_ne_bytes());
        expected.extend_from_slice(&[0; 4]);
        expected.extend_from_slice(&[2, 16, 0, 0, 254, 186, 0, 1, 0, 0, 0, 0]);
        for (kind, value) in [
            (1u16, [10, 1, 0, 0]),
            (15, 254u32.to_ne_bytes()),
            (6, 20u32.to_ne_bytes()),
            (30, 0x6000_0001u32.to_ne_bytes()),
        ] {
            expected.extend_from_slice(&8u16.to_ne_bytes());
            expected.extend_from_slice(&kind.to_ne_bytes());
            expected.extend_from_slice(&value);
        }
        assert_eq!(batch.seal(), expected);
    }

    #[test]
    fn what_is_written_reads_back() {
        for (prefix, table) in [
            ("10.1.2.0/24", 254),
            ("0.0.0.0/0", 1000),
            ("2001:db8::/32", 254),
            ("::/0", 7),
        ] {
            let prefix: IpNet = prefix.parse().expect("a prefix");
            let place = Place { table, ..PLACE };
            let mut batch = Batch::new();
            put(&mut batch, &place, &prefix, 9, Put::Replace);
            delete(&mut batch, &place, &prefix, 9);
            let seen: Vec<_> = Messages(batch.bytes())
                .filter_map(|message| Seen::read(&message))
                .collect();
            let expected = Seen {
                prefix,
                place,
                nexthop: Some(9),
            };
            assert_eq!(seen, [expected, expected]);
        }
    }
}
