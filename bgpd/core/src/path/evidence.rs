//! What is heard about a path, and by whom.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::PathId;

/// One piece of news about a path.
#[derive(Clone, Debug, PartialEq)]
pub enum Evidence {
    /// Its link has carrier.
    Carrier(Carrier),
    Bfd(Bfd),
    Session(Session),
    /// The peer's initial routes are in, and on their way into the kernel.
    EndOfRib,
    /// How many prefixes the peer announces now.
    Prefixes(u64),
    Probe(Sample),
    Silence(Silence),
    /// Asked for by the operator: by whom or what for; `None`: no longer.
    Drained(Option<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    Up,
    Down,
}

/// What BFD says (RFC 5880).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bfd {
    /// Not configured, administratively down at either end, or the far end has
    /// never spoken: no evidence at all.
    Silent,
    Up,
    Down(String),
    /// Not down any more; whether it is up says who speaks it.
    NotDown,
    /// Our packets don't arrive, says the far end: it has gone down with
    /// diagnostic 1, Control Detection Time Expired (RFC 5880 §4.1).
    FarEndHearsNothing,
}

/// The BGP session's state. A static path's is `Established` while its
/// interface is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Session {
    Established,
    Down(String),
}

/// What the receive counter of the path's interface says together with quick
/// echoes (nothing else needs to be known of it here).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Nothing was received for a while, though we send.
    Suspected,
    /// No echo was answered either.
    Confirmed,
    /// Something was received.
    Heard,
}

/// One probe's outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    pub path: PathId,
    pub target: Target,
    pub sent_at: Instant,
    /// What the target is probed at now.
    pub interval: Duration,
    pub outcome: Outcome,
}

/// Whom a probe was sent to, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    pub kind: Kind,
    pub address: IpAddr,
    /// 0 for ICMP.
    pub port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Icmp,
    Udp,
    Tcp,
    Stamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Answered(RoundTrip),
    Lost(Direction),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoundTrip {
    pub time: Duration,
    /// STAMP only (RFC 8762): the change of each one-way delay against the least
    /// seen so far; the two clocks need not agree.
    pub delay: Option<OneWay>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OneWay {
    pub out: Duration,
    pub back: Duration,
}

/// Which way a packet was lost, where that can be known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    #[default]
    Unknown,
    /// What we send.
    Out,
    /// What we should receive.
    Back,
}
