//! What one peer's session does next (RFC 4271 §8): a state machine that
//! settles its own collisions and knows its timers, but neither sockets nor a
//! clock.
//!
//! The shell feeds it [`Event`]s and the time, asks [`Peer::next_timeout`] when
//! to come back, and carries out what [`Peer::poll_action`] says.

mod backoff;
mod connection;
mod machine;
mod messages;
mod open;
mod words;

use std::time::{Duration, Instant};

use smallvec::SmallVec;

use crate::config::{self, BgpWaits};
use crate::wire::{Codec, Message, Notification, Update};
use crate::{Asn, Family, RouterId};

pub use machine::Peer;

/// What the state machine has to know of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerSettings {
    pub local_asn: Asn,
    pub remote_asn: Asn,
    pub router_id: RouterId,
    /// Proposed; the session's is the smaller of both ends' (RFC 4271 §4.2).
    pub hold_time: Duration,
    /// First wait before connecting again; doubles with each failure, with
    /// jitter, up to 8 times this.
    pub connect_retry: Duration,
    pub families: Vec<Family>,
    /// Wait for the peer to connect; never dial.
    pub passive: bool,
    /// Refuse a peer that proposes hold time 0 (AWS does not keep such
    /// sessions, and a dead one would never be noticed).
    pub refuse_zero_hold_time: bool,
    /// Advertise graceful restart (RFC 4724) with this restart time.
    pub graceful_restart: Option<Duration>,
    /// The daemon has restarted, the kernel has forwarded meanwhile, and routes
    /// are selected by then at the latest (RFC 4724 §4.1).
    pub restarting_until: Option<Instant>,
    /// Whether a session may come up before BFD has.
    pub bgp_waits: BgpWaits,
}

impl PeerSettings {
    /// What a configured peer asks of the state machine.
    pub fn new(
        peer: &config::Peer,
        router_id: RouterId,
        restarting_until: Option<Instant>,
    ) -> Self {
        Self {
            local_asn: peer.local_asn,
            remote_asn: peer.remote_asn,
            router_id,
            hold_time: peer.hold_time,
            connect_retry: peer.connect_retry,
            families: peer.families.clone(),
            passive: peer.passive,
            refuse_zero_hold_time: peer.refuse_zero_hold_time,
            graceful_restart: peer.graceful_restart,
            restarting_until,
            bgp_waits: peer.bfd.as_ref().map_or(BgpWaits::No, |bfd| bfd.wait),
        }
    }

    /// Whether the peer is in our own AS.
    pub fn is_internal(&self) -> bool {
        self.local_asn == self.remote_asn
    }
}

/// One TCP attempt, made or accepted; names it until its `Close` or
/// `ConnectionClosed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId(pub u32);

/// What happens to a session. Carries values, never sockets.
#[derive(Clone, Debug)]
pub enum Event {
    /// Operator or start-up: begin (RFC 4271 §8.1.2, events 1 to 7).
    Start,
    /// Stop, with the NOTIFICATION that says why; stays in Idle.
    Stop(StopReason),
    /// The link under the session is gone: close at once, without a message
    /// that could not be sent, and try again as after a failure.
    LinkDown(&'static str),
    /// The link is back: don't wait for the retry timer.
    LinkUp,
    /// BFD says that the far end is there, or (RFC 5882 §3.2) that nobody asks.
    BfdUp,
    /// BFD says that the way to the far end is gone, and why: close with Cease/10
    /// (RFC 9384), and try again as after a failure.
    BfdDown(String),
    /// The connection that `Action::Connect` asked for is there.
    Connected(ConnectionId),
    /// The peer has connected; the shell has chosen the id (use
    /// [`Peer::new_connection`]).
    Accepted(ConnectionId),
    /// `Action::Connect` failed, with the system's words.
    ConnectFailed(ConnectionId, String),
    /// The other end closed, or the socket failed.
    ConnectionClosed(ConnectionId, String),
    Received(ConnectionId, Message),
    /// Bytes have come that wait to be read: the peer lives, whatever the hold
    /// timer says.
    Alive(ConnectionId),
    /// Bytes that cost the session, with the NOTIFICATION to send.
    Malformed(ConnectionId, Notification),
    /// The peer has read nothing for the send hold time (RFC 9687).
    SendHoldExpired(ConnectionId),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// Cease/2 with RFC 9003 text.
    AdministrativeShutdown(String),
    /// The daemon goes and the kernel forwards on: where graceful restart was
    /// agreed on, the peer keeps our routes; else Cease/2 with the text.
    Restart(String),
    /// Cease/4.
    AdministrativeReset(String),
    /// Cease/3.
    PeerDeconfigured,
    /// Cease/6: configuration changed in a way that needs a new session.
    ConfigurationChange,
    /// Cease/1: more prefixes than allowed; try again after the wait.
    MaximumPrefixes {
        family: Family,
        limit: u32,
        retry_after: Duration,
    },
    /// The peer's task failed: our bug. Cease/8 (out of resources is the nearest).
    InternalError(String),
}

/// What the shell has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Dial; answer with `Connected` or `ConnectFailed`.
    Connect(ConnectionId),
    /// Send, in order.
    Send(ConnectionId, Message),
    /// Close after what was to be sent is sent.
    Close(ConnectionId),
    /// From now on, read and write this connection's messages so.
    UseCodec(ConnectionId, Codec),
    /// Routes may flow.
    Established(ConnectionId, Negotiated),
    /// Routes from the peer, in Established.
    Deliver(Update),
    /// The peer asks for our routes again.
    Refresh(Family),
    /// No session any more (only after `Established`).
    Down(DownReason),
    /// An attempt ended before it was `Established`.
    AttemptFailed(DownReason),
}

/// What both OPENs agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    pub remote_asn: Asn,
    pub remote_router_id: RouterId,
    /// Zero: no keepalives, no hold timer.
    pub hold_time: Duration,
    pub keepalive: Duration,
    pub codec: Codec,
    pub route_refresh: bool,
    /// Where both ends offer graceful restart.
    pub restart: Option<RemoteRestart>,
}

/// The peer's graceful restart capability, where we offer it too (RFC 4724 §3,
/// RFC 8538 §2). Such a peer ends its initial routes with End-of-RIB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteRestart {
    /// It has restarted, and waits for our End-of-RIB: nobody waits for its.
    pub restarting: bool,
    /// Its routes may stay this long while it is away.
    pub time: Duration,
    /// The session's families whose routes may stay.
    pub families: SmallVec<[Family; 2]>,
    /// Those of them that it has gone on forwarding over the last restart.
    pub kept: SmallVec<[Family; 2]>,
    /// They stay after a NOTIFICATION too, but for a hard reset.
    pub notification: bool,
}

/// Why a session ended, or is not up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DownReason {
    NotificationReceived(Notification),
    NotificationSent(Notification),
    ConnectionClosed(String),
    ConnectFailed(String),
    /// No answer at all: the least that can be said of an attempt.
    ConnectTimedOut,
    LinkDown(&'static str),
    BfdDown(String),
    Stopped(StopReason),
}

/// RFC 4271 §8.2.2, in order of progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    Idle,
    Connect,
    Active,
    OpenSent,
    OpenConfirm,
    Established,
}
