//! What a text configures, in words that platforms share.

use std::net::IpAddr;

use bgp_core::wire::Community;
use ipnet::IpNet;

use super::policy::Policy;

#[derive(Default)]
pub(super) struct Seen {
    pub(super) interfaces: Vec<Interface>,
    pub(super) neighbors: Vec<Neighbor>,
}

/// A value and the line that gives it.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<T> {
    pub(super) line: usize,
    pub(super) value: T,
}

/// A logical interface.
#[derive(Default)]
pub(super) struct Interface {
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) vlan: Option<At<u32>>,
    pub(super) addresses: Vec<At<IpNet>>,
    /// Of IPv4 and IPv6 packets.
    pub(super) mtu: [Option<At<u32>>; 2],
    pub(super) shutdown: Option<usize>,
    /// Where BFD has to be switched on at the interface too.
    pub(super) bfd: Option<usize>,
    /// The port does not take tags: the line of it.
    pub(super) untagged: bool,
}

pub(super) struct Neighbor {
    pub(super) line: usize,
    pub(super) peer: IpAddr,
    pub(super) local_asn: Option<At<u32>>,
    pub(super) peer_asn: Option<At<u32>>,
    pub(super) key: Key,
    pub(super) bfd: Option<usize>,
    pub(super) hold_time: Option<At<u32>>,
    pub(super) shutdown: Option<usize>,
    pub(super) ttl_security: Option<usize>,
    /// Whether routes of its family are exchanged at all.
    pub(super) activated: bool,
    pub(super) inbound: Filter,
    pub(super) outbound: Filter,
    pub(super) limit: Limit,
    /// The default route goes out whatever the filters say.
    pub(super) default_originate: Option<usize>,
    /// Communities that the outbound filter sets.
    pub(super) communities: Vec<Community>,
    /// Whether communities are sent.
    pub(super) send_community: bool,
    /// What is put into BGP, where the platform asks for that.
    pub(super) originated: Option<Vec<IpNet>>,
}

/// Not `Debug`: the text may be the key itself.
pub(super) enum Key {
    Missing,
    Clear(At<String>),
    /// In the platform's own disguise.
    Disguised(usize),
}

pub(super) enum Filter {
    Missing,
    /// A name that the text does not define.
    Undefined(At<String>),
    Policy(At<Policy>),
}

pub(super) enum Limit {
    Missing,
    /// Only a message when it is passed.
    OnlyWarns(usize),
    Acts(At<u32>),
}

/// How a platform says what the findings ask for.
pub(super) struct Words {
    pub(super) vlan: fn(u16) -> String,
    pub(super) address: fn(IpNet) -> String,
    pub(super) mtu: fn(u32, bool) -> String,
    pub(super) neighbor: fn(IpAddr, u32) -> String,
    pub(super) key: fn(IpAddr) -> String,
    pub(super) bfd: fn(IpAddr) -> String,
    pub(super) inbound: fn(IpAddr) -> String,
    pub(super) outbound: fn(IpAddr) -> String,
    pub(super) limit: fn(IpAddr, u32) -> String,
    pub(super) originate: fn(IpNet) -> String,
    pub(super) timers: fn(IpAddr, u16, u16) -> String,
    pub(super) untagged: &'static str,
    /// Whether BFD has to be on at the interface too.
    pub(super) interface_bfd: Option<&'static str>,
    /// What the MTU is where none is given.
    pub(super) usual_mtu: Option<u32>,
}
