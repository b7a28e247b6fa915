//! What a template sees: the router as the platform writes it. User's text is
//! quoted already and stands in a template as it is.

mod writer;

use serde::Serialize;

pub(crate) use writer::view;

/// The root.
#[derive(Serialize)]
pub(crate) struct RouterView {
    platform: &'static str,
    title: &'static str,
    hostname: Option<String>,
    asn: u32,
    /// What was given, or our first IPv4 address.
    router_id: String,
    /// Where the platform finds one by itself, a change would reset its sessions.
    router_id_given: bool,
    /// 65535:0 (RFC 8326).
    graceful_shutdown: String,
    /// Any link has it.
    bfd: bool,
    ipv4: bool,
    ipv6: bool,
    /// Somewhere two paths are equal.
    multipath: bool,
    /// Somewhere paths of different ASNs are equal.
    multipath_relax: bool,
    /// Every VIF.
    links: Vec<LinkView>,
    /// The same sessions by routing instance and family: the default instance
    /// (`vrf` none) first.
    instances: Vec<InstanceView>,
}

#[derive(Serialize)]
struct LinkView {
    #[serde(flatten)]
    facts: LinkFacts,
    sessions: Vec<SessionView>,
}

/// What a session needs of its link too.
#[derive(Clone, Serialize)]
struct LinkFacts {
    name: String,
    vif_id: Option<String>,
    /// private, transit or public.
    kind: &'static str,
    parent: String,
    parent_assumed: bool,
    /// The VLAN's interface as the platform names it.
    interface: String,
    vlan: u16,
    mtu: u32,
    vrf: Option<String>,
    /// Quoted for the platform.
    description: String,
    /// Stem of the names of policies: `DX-PROD`, cut to what the platform takes.
    policy: String,
    preference: Option<&'static str>,
    local_preference: Option<u32>,
    /// region, continent or global; none but on a public VIF.
    scope: Option<&'static str>,
    /// A route needs all of one of these sets; none: any passes. `no-export`
    /// stands for 65535:65281.
    accept_any: Vec<Vec<String>>,
    /// The same of routes that AWS is about to withdraw (RFC 8326).
    drained_any: Vec<Vec<String>>,
    /// Put on all that is announced, instead of what was there.
    communities: Vec<String>,
    /// The same to drain the link: the lowest preference, and GRACEFUL_SHUTDOWN.
    drain_communities: Vec<String>,
    /// What is put before the path, besides our AS as always.
    prepend: Vec<u32>,
    bfd: Option<BfdView>,
    /// Seconds.
    keepalive: u16,
    /// Seconds.
    hold_time: u16,
    receive_limit: u32,
    advertise_limit: u32,
}

#[derive(Clone, Copy, Serialize)]
struct BfdView {
    /// Milliseconds.
    interval: u16,
    multiplier: u8,
}

#[derive(Clone, Serialize)]
struct SessionView {
    link: LinkFacts,
    /// ipv4 or ipv6.
    family: &'static str,
    ipv6: bool,
    /// Empty, or `-V6`: after `link.policy ~ "-IN"`.
    suffix: &'static str,
    /// Without its mask.
    local: String,
    mask: String,
    prefix_len: u8,
    /// The link's network, with its length.
    network: String,
    peer: String,
    peer_asn: u32,
    /// Quoted for the platform.
    key: Option<String>,
    /// In order: what no line permits is refused.
    inbound: Vec<FilterView>,
    outbound: Vec<NetView>,
}

#[derive(Clone, Serialize)]
struct FilterView {
    permit: bool,
    #[serde(flatten)]
    net: NetView,
    min_len: u8,
    max_len: u8,
    /// Absent where it would say nothing.
    ge: Option<u8>,
    le: Option<u8>,
}

#[derive(Clone, Serialize)]
struct NetView {
    /// 10.0.0.0/8
    net: String,
    address: String,
    mask: String,
    /// 0.255.255.255
    wildcard: String,
    len: u8,
}

#[derive(Serialize)]
struct InstanceView {
    vrf: Option<String>,
    /// Differs between instances, for a route distinguisher: its first VIF's VLAN.
    number: u16,
    /// Of the VIFs in it.
    interfaces: Vec<String>,
    families: Vec<FamilyView>,
    /// Static routes of the backup.
    backups: Vec<BackupView>,
    /// It has static routes: a network's own, or the backup's.
    routed: bool,
}

#[derive(Serialize)]
struct FamilyView {
    family: &'static str,
    ipv6: bool,
    suffix: &'static str,
    sessions: Vec<SessionView>,
    /// What any of the sessions announces, once.
    networks: Vec<NetView>,
    /// Sessions of the highest preference; 1: no multipath.
    multipath: usize,
    /// These have different ASNs.
    multipath_relax: bool,
}

#[derive(Serialize)]
struct BackupView {
    family: &'static str,
    ipv6: bool,
    #[serde(flatten)]
    net: NetView,
    /// One of the two, or both.
    gateway: Option<String>,
    interface: Option<String>,
    /// Loses to eBGP everywhere, and beats an aggregate's 254.
    distance: u8,
}
