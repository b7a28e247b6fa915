//! Drives one peer: the core's state machine, its connections and timers, on a
//! task of its own.

use bgp_core::api::MessageCounts;
use bgp_core::peer::{DownReason, Negotiated, State, StopReason};

use crate::transport::Connection;

/// What the daemon tells a session.
pub enum Command {
    /// The listener has a connection from this peer's address.
    Accepted(Connection),
    /// Carrier (or the interface) is gone, or back.
    LinkDown(&'static str),
    LinkUp,
    /// Stop for good, or until `Start`.
    Stop(StopReason),
    Start,
}

/// What the daemon can see of a session, through a `tokio::sync::watch`.
#[derive(Clone, Debug)]
pub struct Status {
    pub state: State,
    /// When this state began.
    pub since: std::time::Instant,
    pub negotiated: Option<Negotiated>,
    pub local: Option<std::net::IpAddr>,
    pub last_down: Option<DownReason>,
    /// `last_down`, or the cause of an attempt's failure (an MD5 mismatch, a
    /// refused connection), in words, with what to do.
    pub last_error: Option<String>,
    pub flaps: u64,
    pub messages: MessageCounts,
}
