//! What the control socket says and answers: HTTP and JSON over a Unix socket.
//!
//! Read-only: `GET /v1/status`, `GET /v1/routes` (query: [`RoutesQuery`]),
//! `GET /v1/routes/{prefix}` (an address asks for its longest match; a prefix's
//! slash may be written `%2F`) and `GET /v1/events` (query: [`EventsQuery`]).
//! Mutating: `POST /v1/reload`, and with a body of [`Drain`] `POST /v1/drain`, of
//! [`Drill`] `POST /v1/drill`, of [`Named`] `POST /v1/undrain` and `POST /v1/drill/stop`.
//! Errors are [`ApiError`] with a 4xx or 5xx status.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{Asn, Family, RouterId, VlanId};

/// `GET /v1/status`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub version: String,
    pub router_id: RouterId,
    pub asn: Asn,
    /// Seconds since the daemon started.
    pub uptime: f64,
    /// The configuration's file.
    #[serde(default)]
    pub config: String,
    pub vifs: Vec<VifStatus>,
    /// Every session: the VIFs' and the other peers'.
    pub peers: Vec<PeerStatus>,
    /// Every way out that can carry traffic: sessions' links and static paths.
    pub paths: Vec<PathStatus>,
    pub kernel: KernelStatus,
    /// Things that are wrong and what to do, most severe first.
    pub problems: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VifStatus {
    pub name: String,
    pub interface: String,
    pub parent: String,
    pub vlan: VlanId,
    pub mtu: u32,
    pub addresses: Vec<IpNet>,
    /// The parent has carrier.
    pub carrier: bool,
    /// Names in [`Status::peers`].
    pub sessions: Vec<String>,
    /// Set when the interface could not be made as configured.
    pub error: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerStatus {
    pub name: String,
    pub vif: Option<String>,
    pub local: Option<IpAddr>,
    pub remote: IpAddr,
    pub local_asn: Asn,
    pub remote_asn: Asn,
    /// Out of this interface only.
    #[serde(default)]
    pub interface: Option<String>,
    /// The path that takes over while the session is down.
    #[serde(default)]
    pub backup: Option<String>,
    /// `Idle`, `Connect`, `Active`, `OpenSent`, `OpenConfirm`, `Established`.
    pub state: String,
    /// Seconds in this state.
    pub since: f64,
    /// TCP-MD5 is configured.
    pub md5: bool,
    /// Seconds, once negotiated.
    pub hold_time: Option<u64>,
    pub families: Vec<Family>,
    /// Why the last session ended or the last attempt failed, with what to do.
    pub last_error: Option<String>,
    /// Times that the session has gone down since start.
    pub flaps: u64,
    /// Times that the session's task has failed (our bug) since start.
    #[serde(default)]
    pub panics: u64,
    pub prefixes: PrefixCounts,
    pub messages: MessageCounts,
    /// Where BFD is configured.
    #[serde(default)]
    pub bfd: Option<BfdStatus>,
}

/// A BFD session (RFC 5880). Times are microseconds but where said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BfdStatus {
    /// `AdminDown`, `Down`, `Init`, `Up`.
    pub state: String,
    /// Seconds in this state.
    pub since: f64,
    pub remote_state: String,
    /// Why our end last went down, in RFC 5880's words.
    pub diagnostic: Option<String>,
    /// Why the far end last went down, as it says.
    pub remote_diagnostic: Option<String>,
    /// What we send at, as negotiated.
    pub transmit_interval: u64,
    /// What the far end sends at, as negotiated.
    pub receive_interval: u64,
    /// Silence after which the session is down.
    pub detection_time: u64,
    pub multiplier: u8,
    /// `none`, `simple password`, `keyed SHA1`, …
    pub authentication: String,
    pub packets_sent: u64,
    pub packets_received: u64,
    /// Packets thrown away: wrong TTL, authentication, length, discriminator.
    pub packets_discarded: u64,
    /// The same, by `ttl`, `malformed`, `authentication`, `discriminator`.
    #[serde(default)]
    pub discarded_by_reason: std::collections::BTreeMap<String, u64>,
    /// Times that a timer was looked at so late that silence got a second chance.
    #[serde(default)]
    pub late_loops: u64,
    pub flaps: u64,
    /// Seconds for which a session that flaps is still not believed.
    pub damped_for: Option<f64>,
    /// Why there are no packets at all, with what to do.
    #[serde(default)]
    pub problem: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixCounts {
    /// From the peer, before policy.
    pub received: u64,
    /// Passed the import policy.
    pub accepted: u64,
    /// Best of all.
    pub best: u64,
    /// Announced to the peer.
    pub advertised: u64,
    /// Kept from the peer by `advertise_limit`.
    #[serde(default)]
    pub held_back: u64,
    /// Kept while the session is down.
    pub stale: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageCounts {
    pub updates_received: u64,
    pub updates_sent: u64,
    /// UPDATEs treated as withdrawals or relieved of an attribute (RFC 7606).
    pub updates_malformed: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathStatus {
    /// A peer's or a static path's name.
    pub name: String,
    pub interface: Option<String>,
    pub gateway: Option<IpAddr>,
    pub up: bool,
    /// Why it is not up.
    pub reason: Option<String>,
    #[serde(default)]
    pub health: HealthStatus,
    /// Set by `POST /v1/drain` (or a drill): who or what asked for it.
    #[serde(default)]
    pub drained: Option<String>,
    /// While it is being drained: seconds until our traffic leaves it.
    #[serde(default)]
    pub leaves_in: Option<f64>,
    /// Prefixes whose traffic this path carries now.
    pub carries: u64,
    #[serde(default)]
    pub probes: Vec<ProbeStatus>,
    #[serde(default)]
    pub silences: Silences,
    /// The last time traffic was moved off this path or back, by one swap.
    pub last_swap: Option<Swap>,
}

impl PathStatus {
    /// The target that answers best: one that is dead says nothing about the path.
    pub fn best_probe(&self) -> Option<&ProbeStatus> {
        self.probes
            .iter()
            .min_by_key(|probe| (probe.rtt_last.is_none(), probe.lost))
    }
}

/// Times since start that the path's interface received nothing though it used to
/// and we were sending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silences {
    pub suspected: u64,
    /// No echo was answered either.
    pub confirmed: u64,
}

/// What is made of all evidence about a path.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HealthStatus {
    pub state: Health,
    /// Seconds in this state.
    pub since: f64,
    /// What led to it.
    pub reason: Option<String>,
    /// Failures that the hold time still remembers.
    pub failures: u32,
    /// `Recovering` and `Held`: seconds until it may carry traffic again, if all
    /// stays well.
    pub returns_in: Option<f64>,
}

#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    Up,
    /// Something is amiss, and is being looked at more closely.
    Suspect,
    /// Works, but badly: used only if nothing better is there.
    Degraded,
    #[default]
    Down,
    /// Works again; not long enough to be trusted.
    Recovering,
    /// Works, and waits for its hold time to end.
    Held,
}

/// One target of a path. `sent`, `lost` and the round trips are over the last 100
/// probes; times in microseconds, `None` before the first answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeStatus {
    pub target: IpAddr,
    /// `icmp`, `udp`, `tcp`, `stamp`.
    #[serde(default)]
    pub kind: String,
    #[serde(default)]
    pub port: Option<u16>,
    pub sent: u64,
    pub lost: u64,
    pub rtt_last: Option<u64>,
    pub rtt_min: Option<u64>,
    pub rtt_avg: Option<u64>,
    pub rtt_max: Option<u64>,
    #[serde(default)]
    pub rtt_p50: Option<u64>,
    #[serde(default)]
    pub rtt_p90: Option<u64>,
    #[serde(default)]
    pub rtt_p99: Option<u64>,
    /// Mean difference of successive round trips.
    #[serde(default)]
    pub jitter: Option<u64>,
    /// Since start.
    #[serde(default)]
    pub total_sent: u64,
    #[serde(default)]
    pub total_lost: u64,
    /// Since start: round trips up to each of [`RTT_BOUNDS`] but above the one
    /// before, then those above all.
    #[serde(default)]
    pub rtt_counts: Vec<u64>,
    /// Since start: all round trips together.
    #[serde(default)]
    pub rtt_sum: u64,
    /// STAMP (RFC 8762) only: probes lost on the way out.
    #[serde(default)]
    pub lost_out: Option<u64>,
    /// STAMP only: answers lost on the way back.
    #[serde(default)]
    pub lost_back: Option<u64>,
    /// STAMP only, change of the one-way delay against its minimum: no clock but
    /// each end's own is needed.
    #[serde(default)]
    pub delay_out: Option<u64>,
    #[serde(default)]
    pub delay_back: Option<u64>,
}

/// Microseconds.
pub const RTT_BOUNDS: [u64; 14] = [
    50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000,
    1_000_000,
];

impl ProbeStatus {
    /// Nothing was sent yet.
    pub fn new(target: IpAddr, kind: &str) -> Self {
        Self {
            target,
            kind: kind.to_owned(),
            port: None,
            sent: 0,
            lost: 0,
            rtt_last: None,
            rtt_min: None,
            rtt_avg: None,
            rtt_max: None,
            rtt_p50: None,
            rtt_p90: None,
            rtt_p99: None,
            jitter: None,
            total_sent: 0,
            total_lost: 0,
            rtt_counts: Vec::new(),
            rtt_sum: 0,
            lost_out: None,
            lost_back: None,
            delay_out: None,
            delay_back: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Swap {
    /// Seconds since: a wall clock that is set changes nothing.
    pub age: f64,
    pub reason: String,
    pub groups: u64,
    /// Microseconds from the event's arrival to the kernel's answer.
    pub took: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelStatus {
    /// Routes of ours that the kernel holds.
    pub routes: u64,
    pub nexthops: u64,
    pub groups: u64,
    /// Routes found in the kernel at start and kept.
    pub adopted: u64,
    /// Netlink requests that the kernel refused.
    pub errors: u64,
    /// `net.ipv4.nexthop_compat_mode` is 0: swaps take the same time at every size.
    pub fast_swap: bool,
}

/// Query of `GET /v1/routes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutesQuery {
    /// Only routes from this peer.
    pub peer: Option<String>,
    /// What was announced to this peer.
    pub advertised: Option<String>,
    pub family: Option<Family>,
    /// This prefix and everything inside it.
    pub within: Option<IpNet>,
    /// At most this many prefixes; default 1000.
    pub limit: Option<usize>,
}

/// `GET /v1/routes`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Routes {
    pub routes: Vec<Route>,
    /// More matched than `limit`.
    pub truncated: bool,
}

/// One prefix with all its paths, best first. `GET /v1/routes/{prefix}` answers
/// one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Route {
    pub prefix: IpNet,
    pub paths: Vec<RoutePath>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoutePath {
    /// The peer's name, or `local`.
    pub peer: String,
    pub best: bool,
    /// Kept from before the session went down.
    pub stale: bool,
    /// Which step of the decision this path lost at; `None` on the best.
    pub why_not_best: Option<String>,
    pub next_hop: Option<IpAddr>,
    /// As `64512 65010 {1,2}`.
    pub as_path: String,
    pub origin: String,
    pub med: Option<u32>,
    pub local_pref: Option<u32>,
    pub communities: Vec<String>,
    pub large_communities: Vec<String>,
    pub extended_communities: Vec<String>,
}

/// Query of `GET /v1/events`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsQuery {
    /// Only those after this [`LoggedEvent::sequence`].
    pub after: Option<u64>,
}

/// `GET /v1/events`: the newest last; the daemon keeps the last 1000.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Events {
    pub events: Vec<LoggedEvent>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoggedEvent {
    /// Counts from 1 since the daemon started.
    #[serde(default)]
    pub sequence: u64,
    /// Seconds since the Unix epoch.
    pub at: f64,
    /// A peer's, path's or VIF's name.
    pub subject: String,
    #[serde(default)]
    pub kind: EventKind,
    pub text: String,
    /// What it was concluded from.
    #[serde(default)]
    pub evidence: Vec<EvidenceItem>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    #[default]
    Other,
    Carrier,
    Session,
    Bfd,
    Health,
    Swap,
    Drain,
    Configuration,
}

/// As `loss` = `18 %`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceItem {
    pub what: String,
    pub value: String,
}

/// A VIF (all its sessions), a session or a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    pub name: String,
}

/// `POST /v1/drain`: the far end is told to send by another way, then our traffic
/// leaves the path; its session stays up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drain {
    pub name: String,
    /// Even where the traffic has nowhere to go.
    #[serde(default)]
    pub force: bool,
}

/// `POST /v1/drill`: the sessions of `name` are administratively down for at most
/// that long, whatever becomes of the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drill {
    pub name: String,
    /// At most 3600.
    pub seconds: u64,
}

/// Answer to drain, undrain and drill: the sessions and paths concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concerned {
    pub names: Vec<String>,
}

/// `POST /v1/reload`: what changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reloaded {
    pub changes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApiError {
    pub error: String,
}
