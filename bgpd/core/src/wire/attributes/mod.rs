//! Path attributes (RFC 4271 §5): what a route carries.

mod decode;
mod encode;
mod known;

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use super::{AsPath, Community, ExtendedCommunity, LargeCommunity};
use crate::{Asn, RouterId};

pub(super) use decode::{Reach, Received, Unreach};
pub(super) use encode::{put_attributes, put_reach, put_unreach, reach_len, unreach_len};

/// What a route carries (RFC 4271 §5), its next hop included. Equal attributes
/// compare and hash equal, so that they can be interned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathAttributes {
    pub origin: Origin,
    pub as_path: AsPath,
    pub next_hop: NextHop,
    pub med: Option<u32>,
    pub local_pref: Option<u32>,
    pub atomic_aggregate: bool,
    pub aggregator: Option<Aggregator>,
    pub communities: Vec<Community>,
    pub extended_communities: Vec<ExtendedCommunity>,
    pub large_communities: Vec<LargeCommunity>,
    /// RFC 4456.
    pub originator_id: Option<RouterId>,
    /// RFC 4456.
    pub cluster_list: Vec<RouterId>,
    /// Optional transitive attributes that this speaker doesn't know, carried
    /// through with the Partial bit set, ascending by type code.
    pub unknown: Vec<UnknownAttribute>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    Igp,
    Egp,
    Incomplete,
}

/// Where to send packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NextHop {
    pub address: IpAddr,
    /// The second address of an IPv6 next hop (RFC 2545 §3).
    pub link_local: Option<Ipv6Addr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Aggregator {
    pub asn: Asn,
    pub router_id: RouterId,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnknownAttribute {
    pub type_code: u8,
    /// As received; Optional and Transitive are always set, Partial when sent.
    pub flags: u8,
    pub value: Vec<u8>,
}

impl PathAttributes {
    /// A route with no more than what every route has.
    pub fn new(origin: Origin, as_path: AsPath, next_hop: impl Into<NextHop>) -> Self {
        Self {
            origin,
            as_path,
            next_hop: next_hop.into(),
            med: None,
            local_pref: None,
            atomic_aggregate: false,
            aggregator: None,
            communities: Vec::new(),
            extended_communities: Vec::new(),
            large_communities: Vec::new(),
            originator_id: None,
            cluster_list: Vec::new(),
            unknown: Vec::new(),
        }
    }
}

impl From<IpAddr> for NextHop {
    fn from(address: IpAddr) -> Self {
        Self {
            address,
            link_local: None,
        }
    }
}

/// `IGP`, `EGP`, `incomplete`
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Igp => "IGP",
            Self::Egp => "EGP",
            Self::Incomplete => "incomplete",
        })
    }
}

impl Origin {
    const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Igp),
            1 => Some(Self::Egp),
            2 => Some(Self::Incomplete),
            _ => None,
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Igp => 0,
            Self::Egp => 1,
            Self::Incomplete => 2,
        }
    }
}
