//! The configuration, valid by construction: [`parse`] finds every mistake at
//! once, each with line and column, and yields a [`Config`] only when there is
//! none.

mod adverse;
mod auth_key;
mod backup;
mod bfd;
mod daemon;
mod health;
mod masquerade;
pub mod mistake;
mod path;
mod peer;
mod policies;
mod probe;
pub mod table;
pub mod value;
mod vif;
mod whole;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::path::{self as path_health, Target};
use crate::policy::{Adverse, Discouraged, Policy, Stance};
use crate::wire::Community;
use crate::{Asn, Family, RouterId, VlanId, aws};

pub use auth_key::{AuthKey, AuthKeyError};
pub use bfd::{Authentication as BfdAuthentication, Bfd, BgpWaits};
pub use mistake::Mistake;

/// Reads a configuration.
///
/// # Errors
/// Every mistake in it at once, in the text's order. Where the text is no TOML,
/// only that is told: what it means is then a guess.
pub fn parse(text: &str) -> Result<Config, Vec<Mistake>> {
    table::parse(text, |root, mistakes| {
        let whole = whole::Whole::read(root, mistakes);
        whole.check();
        whole.finish()
    })
}

/// Everything the operator asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub daemon: Daemon,
    pub vifs: Vec<Vif>,
    pub peers: Vec<Peer>,
    pub paths: Vec<StaticPath>,
}

/// `[bgpd]`
#[derive(Clone, Debug, PartialEq)]
pub struct Daemon {
    pub router_id: RouterId,
    pub asn: Asn,
    /// Where to accept connections; default `0.0.0.0:179` and `[::]:179`.
    pub listen: Vec<SocketAddr>,
    /// The control socket; default `/run/bgpd/bgpd.sock`.
    pub control: PathBuf,
    /// Prometheus over HTTP; default none.
    pub metrics: Option<SocketAddr>,
    /// Tells peers why (RFC 9003) when the daemon stops; at most 255 octets.
    pub shutdown_message: String,
    /// How long far ends have to send by another way before our traffic leaves a
    /// path that is drained.
    pub drain_delay: Duration,
    pub kernel: Kernel,
}

/// `[bgpd.kernel]`: how routes reach the kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel {
    /// `false`: routes stay in the daemon (a route server, a benchmark).
    pub install: bool,
    /// Routing table, default 254 (`main`).
    pub table: u32,
    /// Route priority (metric), default 20; lower wins.
    pub metric: u32,
    /// rtm_protocol that marks our routes and nexthops, default 186 (`bgp`
    /// in `/etc/iproute2/rt_protos`).
    pub protocol: u8,
    pub on_shutdown: OnShutdown,
}

/// What SIGTERM does with routes (and nexthops) in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnShutdown {
    /// Forwarding goes on; the next start adopts them. The default.
    Keep,
    Remove,
}

/// `[[vif]]`: one virtual interface, from VLAN to policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Vif {
    pub name: Arc<str>,
    pub kind: VifKind,
    /// The physical interface (or bond) that carries the VLAN.
    pub parent: String,
    pub vlan: VlanId,
    /// The VLAN interface's name; default `<parent>.<vlan>`.
    pub interface: String,
    /// Octets: 1500, 8500 or 9001.
    pub mtu: u32,
    /// One session per family: the IPv4 one is named like the VIF, the IPv6
    /// one has `-v6` appended. Their `local` addresses go on the interface.
    pub sessions: Vec<Peer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VifKind {
    Private,
    Transit,
    Public,
}

/// Which of several VIFs carries traffic: toward us by a community that AWS
/// looks at before AS_PATH, from us by LOCAL_PREF (100 where nothing is said).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preference {
    /// 7224:7100, LOCAL_PREF 50.
    Low,
    /// 7224:7200, LOCAL_PREF 200.
    Medium,
    /// 7224:7300, LOCAL_PREF 300.
    High,
}

impl Preference {
    pub const fn community(self) -> Community {
        match self {
            Self::Low => aws::PREFERENCE_LOW,
            Self::Medium => aws::PREFERENCE_MEDIUM,
            Self::High => aws::PREFERENCE_HIGH,
        }
    }

    pub const fn local_pref(self) -> u32 {
        match self {
            Self::Low => 50,
            Self::Medium => 200,
            Self::High => 300,
        }
    }
}

/// One BGP neighbor: `[[peer]]`, or a session of a `[[vif]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer {
    pub name: Arc<str>,
    /// The VIF it belongs to, if any.
    pub vif: Option<Arc<str>>,
    /// Our address with its mask; for `[[peer]]` optional and without effect on
    /// interfaces: the source address to bind to.
    pub local: Option<IpNet>,
    /// Out of this interface only (required for link-local addresses).
    pub interface: Option<String>,
    pub remote: IpAddr,
    pub port: u16,
    pub remote_asn: Asn,
    /// Ours toward this peer, where it differs from `[bgpd] asn`.
    pub local_asn: Asn,
    /// TCP-MD5 (RFC 2385); read at start and reload.
    pub auth_key_file: Option<PathBuf>,
    pub passive: bool,
    /// Proposed; 0 or at least 3 s.
    pub hold_time: Duration,
    /// How long the peer may take nothing from us (RFC 9687); `None`: 8 minutes or
    /// twice the hold time, whichever is longer.
    pub send_hold_time: Option<Duration>,
    pub connect_retry: Duration,
    pub ttl: Ttl,
    pub families: Vec<Family>,
    /// Routes from the peer.
    pub import: Policy,
    /// Routes to the peer, learned and originated.
    pub export: Policy,
    /// Networks that this router originates because this peer advertises them.
    pub advertise: Vec<IpNet>,
    /// Cease (and wait) when the peer sends more, per family.
    pub prefix_limit: Option<u32>,
    /// Never announce more than this many prefixes, per family.
    pub advertise_limit: Option<u32>,
    /// The `[[path]]` or session that carries this session's routes while it
    /// is down: a way out of the same family, never the session itself.
    pub backup: Option<Arc<str>>,
    pub refuse_zero_hold_time: bool,
    /// Advertise graceful restart with this restart time.
    pub graceful_restart: Option<Duration>,
    /// What watches the way to the peer (RFC 5880).
    pub bfd: Option<Bfd>,
    /// What the peer is told while its path is bad, on top of `export`.
    pub on_degraded: Adverse,
    /// What the peer is told while its path is drained.
    pub on_drain: Discouraged,
    /// Out of the session's link. A VIF's has one by default: its far end.
    pub probe: Option<Probe>,
    /// When its path counts as bad, and how long it is not trusted then.
    pub health: path_health::Settings,
}

/// The TTL (hop limit) of a session's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// A directly connected eBGP peer: TTL 1.
    Direct,
    /// eBGP over at most this many hops; also iBGP (64).
    Multihop(u8),
    /// GTSM (RFC 5082): send 255, drop what arrives below 255.
    Security,
}

/// `[[path]]`: a static way out.
#[derive(Clone, Debug, PartialEq)]
pub struct StaticPath {
    pub name: Arc<str>,
    pub interface: String,
    /// One gateway per family at most.
    pub gateways: Vec<IpAddr>,
    pub probe: Option<Probe>,
    pub health: path_health::Settings,
    /// Sources that get the interface's address when they leave by it.
    pub masquerade: Vec<IpNet>,
    pub conntrack: Conntrack,
}

/// What connection tracking remembers of flows that are moved to a path or from it,
/// and that the other one would not carry with their source address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conntrack {
    #[default]
    Keep,
    /// They begin anew. The default with `masquerade`.
    Flush,
}

/// What measures a path.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    pub targets: Vec<Target>,
    /// Each target is probed once in this time.
    pub interval: Duration,
}

impl Peer {
    /// How the peer is told of routes, on top of `export`.
    pub fn told(&self, stance: Stance) -> Adverse {
        match stance {
            Stance::Normal => Adverse::Nothing,
            Stance::Adverse => self.on_degraded.clone(),
            Stance::Drained => Adverse::Change(self.on_drain.clone()),
            Stance::Withdrawn => Adverse::Withdraw,
        }
    }
}

impl Daemon {
    /// Every address of both families, on BGP's port.
    pub fn default_listen() -> Vec<SocketAddr> {
        vec![
            (Ipv4Addr::UNSPECIFIED, 179).into(),
            (Ipv6Addr::UNSPECIFIED, 179).into(),
        ]
    }
}

impl Config {
    /// Every peer, those of the VIFs first.
    pub fn all_peers(&self) -> impl Iterator<Item = &Peer> {
        self.vifs
            .iter()
            .flat_map(|vif| &vif.sessions)
            .chain(&self.peers)
    }
}
