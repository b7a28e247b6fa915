//! Bytes to messages and back. Nobody else knows an offset.
//!
//! In: [`frame`] cuts one message off a buffer, [`decode`] makes it a
//! [`Message`]. Out: [`encode`], and for routes [`encode_announcement`] and
//! [`encode_withdrawal`], which fill as many UPDATEs as it takes.
//!
//! RFC 4271 (BGP-4), 4760 (multiprotocol), 5492 and 9072 (capabilities), 6793
//! (four-octet AS), 7606 (what a malformed UPDATE costs), 8654 (extended
//! messages), 9003 (shutdown text), 2918 and 7313 (route refresh), 1997, 4360
//! and 8092 (communities), 4456 (route reflection's attributes).

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use smallvec::SmallVec;

use crate::{Asn, Family, RouterId};

/// One BGP message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Open(Open),
    Update(Update),
    Notification(Notification),
    Keepalive,
    RouteRefresh(RouteRefresh),
}

/// OPEN (RFC 4271 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The sender's AS: from the four-octet capability where sent, else `My
    /// Autonomous System`.
    pub asn: Asn,
    /// Seconds: 0, or at least 3.
    pub hold_time: u16,
    pub router_id: RouterId,
    pub capabilities: Capabilities,
}

/// What an OPEN offers (RFC 5492).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// RFC 4760. Families other than IPv4 and IPv6 unicast are in `unknown`.
    pub families: Vec<Family>,
    /// RFC 6793: the number itself is [`Open::asn`].
    pub four_octet_as: bool,
    /// RFC 2918.
    pub route_refresh: bool,
    /// RFC 7313.
    pub enhanced_route_refresh: bool,
    /// RFC 8654.
    pub extended_messages: bool,
    /// RFC 4724.
    pub graceful_restart: Option<GracefulRestart>,
    /// Every other capability as (code, value), in the order received.
    pub unknown: Vec<(u8, Vec<u8>)>,
}

/// The graceful restart capability (RFC 4724 §3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GracefulRestart {
    /// The sender has restarted and waits for End-of-RIB.
    pub restarting: bool,
    /// Seconds, 12 bits.
    pub restart_time: u16,
    /// Families, with whether forwarding state was kept.
    pub families: Vec<(Family, bool)>,
}

/// UPDATE (RFC 4271 §4.3), both families in one shape. At most one
/// [`Announcement`] and one withdrawn set a family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    pub withdrawn: SmallVec<[Prefixes; 1]>,
    pub announced: SmallVec<[Announcement; 1]>,
    /// RFC 4724 §2: the initial routes of this family are complete.
    pub end_of_rib: Option<Family>,
}

/// Prefixes that share one set of attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    pub attributes: Arc<PathAttributes>,
    pub prefixes: Prefixes,
}

/// Prefixes of one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prefixes {
    V4(Vec<Ipv4Net>),
    V6(Vec<Ipv6Net>),
}

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

/// AS_PATH, with AS4_PATH already merged in (RFC 6793 §4.2.3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AsPath {
    pub segments: SmallVec<[AsPathSegment; 1]>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AsPathSegment {
    Sequence(Vec<Asn>),
    Set(Vec<Asn>),
    /// RFC 5065; never sent or accepted outside a confederation.
    ConfedSequence(Vec<Asn>),
    ConfedSet(Vec<Asn>),
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

/// RFC 1997, written `high:low`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Community(pub u32);

/// RFC 4360, as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtendedCommunity(pub [u8; 8]);

/// RFC 8092, written `global:local1:local2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LargeCommunity {
    pub global: u32,
    pub local1: u32,
    pub local2: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnknownAttribute {
    pub type_code: u8,
    /// As received; Optional and Transitive are always set, Partial when sent.
    pub flags: u8,
    pub value: Vec<u8>,
}

/// NOTIFICATION (RFC 4271 §4.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    pub code: u8,
    pub subcode: u8,
    pub data: Vec<u8>,
}

/// ROUTE-REFRESH (RFC 2918), with RFC 7313's subtypes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteRefresh {
    /// `None`: a family that this speaker doesn't carry.
    pub family: Option<Family>,
    pub subtype: u8,
}

/// How both ends of one session write their messages, as negotiated by their
/// OPENs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codec {
    /// Four-octet AS numbers in AS_PATH and AGGREGATOR (RFC 6793).
    pub four_octet_as: bool,
    /// Messages of up to 65,535 octets (RFC 8654), else 4,096.
    pub extended_messages: bool,
    /// The families both ends offered.
    pub families: SmallVec<[Family; 2]>,
    /// Whether the peer is in our own AS: LOCAL_PREF and route reflection's
    /// attributes mean something only then.
    pub internal: bool,
}

impl Prefixes {
    pub fn len(&self) -> usize {
        match self {
            Self::V4(prefixes) => prefixes.len(),
            Self::V6(prefixes) => prefixes.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub const fn family(&self) -> Family {
        match self {
            Self::V4(_) => Family::Ipv4,
            Self::V6(_) => Family::Ipv6,
        }
    }

    pub fn iter(&self) -> Box<dyn Iterator<Item = IpNet> + '_> {
        match self {
            Self::V4(prefixes) => Box::new(prefixes.iter().copied().map(IpNet::V4)),
            Self::V6(prefixes) => Box::new(prefixes.iter().copied().map(IpNet::V6)),
        }
    }
}
