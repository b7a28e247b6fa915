//! What is asked for: one router's share of Direct Connect.

use std::net::IpAddr;

use bgp_core::config::{AuthKey, Preference, VifKind};
use bgp_core::wire::Community;
use bgp_core::{Asn, RouterId, VlanId, aws};
use ipnet::IpNet;

use crate::words::{Description, HostName, InterfaceName, Name, VifId, VrfName};

/// One router with its virtual interfaces. Nothing is checked across fields
/// before [`crate::Router::new`].
#[derive(Clone, Debug)]
pub struct RouterPlan {
    pub hostname: Option<HostName>,
    /// `None`: our first IPv4 address where the platform has to be told; required
    /// where there is none.
    pub router_id: Option<RouterId>,
    pub links: Vec<RouterLink>,
    pub backup: Option<Backup>,
}

/// One virtual interface as the customer's router sees it.
#[derive(Clone, Debug)]
pub struct RouterLink {
    pub name: Name,
    pub vif_id: Option<VifId>,
    pub kind: VifKind,
    /// The physical interface; `None`: the platform's usual first one, and the
    /// text says that it has to be filled in.
    pub parent: Option<InterfaceName>,
    pub vlan: VlanId,
    /// Octets of IP packet: 1500, 8500 or 9001.
    pub mtu: u32,
    pub vrf: Option<VrfName>,
    /// `None`: "AWS Direct Connect NAME".
    pub description: Option<Description>,
    pub local_asn: Asn,
    /// At most one a family.
    pub sessions: Vec<Session>,
    /// Exactly what is announced to AWS.
    pub advertise: Vec<IpNet>,
    /// Which of several links is preferred, in both directions: by community
    /// (private, transit) or prepending (public) to AWS, by local preference
    /// from it.
    pub preference: Option<Preference>,
    /// Public only: how far AWS's prefixes may be from the link, and ours be carried.
    pub scope: Scope,
    pub bfd: Option<Bfd>,
    pub timers: Timers,
    pub limits: Limits,
}

/// One BGP peer of the VIF.
#[derive(Clone, Debug)]
pub struct Session {
    /// Our address with the link's mask.
    pub local: IpNet,
    pub peer: IpAddr,
    pub peer_asn: Asn,
    pub key: SessionKey,
}

/// The session's MD5 key. AWS always has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionKey {
    Md5(AuthKey),
    /// Not known here: refused.
    Unknown,
    /// Left out by choice: the text says loudly that the session won't come up.
    LeftOut,
}

/// Which of AWS's prefixes a public VIF takes, and how far AWS carries ours:
/// both directions move together, or firewalls drop the asymmetric half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    Region,
    #[default]
    Continent,
    Global,
}

/// Asynchronous, single hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bfd {
    /// Milliseconds, both ways.
    pub interval: u16,
    pub multiplier: u8,
}

/// Seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    pub keepalive: u16,
    pub hold: u16,
}

/// Prefixes per session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From AWS: more and the session is torn down.
    pub receive: u32,
    /// To AWS: what it accepts before it tears the session down.
    pub advertise: u32,
}

/// The way that takes over while every link is down: static routes that lose to
/// BGP's. Toward the internet, or a tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    pub vrf: Option<VrfName>,
    /// At most one a family.
    pub gateways: Vec<IpAddr>,
    /// Out of this interface (a tunnel); alone, or with the gateway.
    pub interface: Option<InterfaceName>,
    /// Empty: the default route.
    pub to: Vec<IpNet>,
}

impl RouterLink {
    /// A link with AWS's usual values: MTU 1500, BFD, 30 and 90 s, the limits of
    /// its kind, nothing announced.
    pub fn new(
        name: Name,
        kind: VifKind,
        vlan: VlanId,
        local_asn: Asn,
        sessions: Vec<Session>,
    ) -> Self {
        Self {
            name,
            vif_id: None,
            kind,
            parent: None,
            vlan,
            mtu: 1500,
            vrf: None,
            description: None,
            local_asn,
            sessions,
            advertise: Vec::new(),
            preference: None,
            scope: Scope::default(),
            bfd: Some(Bfd::default()),
            timers: Timers::default(),
            limits: Limits::usual(kind),
        }
    }
}

impl Scope {
    /// What AWS tags prefixes with that are inside; none: all are.
    pub const fn received(self) -> &'static [Community] {
        const TAGS: [Community; 2] = [aws::FROM_REGION, aws::FROM_CONTINENT];
        match self {
            Self::Region => TAGS.split_at(1).0,
            Self::Continent => &TAGS,
            Self::Global => &[],
        }
    }

    pub const fn announced(self) -> Community {
        match self {
            Self::Region => aws::SCOPE_REGION,
            Self::Continent => aws::SCOPE_CONTINENT,
            Self::Global => aws::SCOPE_GLOBAL,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Region => "region",
            Self::Continent => "continent",
            Self::Global => "global",
        }
    }
}

impl Default for Bfd {
    /// What AWS does on its side.
    fn default() -> Self {
        Self {
            interval: 300,
            multiplier: 3,
        }
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            keepalive: 30,
            hold: 90,
        }
    }
}

impl Limits {
    /// `receive` is more than AWS sends today and less than what would hurt: a
    /// VPC's CIDRs, 200 prefixes for each of six transit gateways, or all of
    /// AWS's public prefixes, several thousand.
    pub const fn usual(kind: VifKind) -> Self {
        Self {
            receive: match kind {
                VifKind::Private => 1000,
                VifKind::Transit => 1200,
                VifKind::Public => 20_000,
            },
            advertise: aws::default_advertise_limit(kind),
        }
    }
}

pub(crate) const fn kind_word(kind: VifKind) -> &'static str {
    match kind {
        VifKind::Private => "private",
        VifKind::Transit => "transit",
        VifKind::Public => "public",
    }
}
