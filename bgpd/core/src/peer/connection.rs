//! One of a peer's connections: RFC 4271 §8.2.2's states from Connect on, and
//! the timers that belong to it.

use std::time::Instant;

use super::{ConnectionId, Negotiated, State};

/// One TCP attempt and what was said on it.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) direction: Direction,
    pub(super) phase: Phase,
    pub(super) hold_at: Option<Instant>,
    pub(super) keepalive_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// We dialed.
    Outgoing,
    /// The peer dialed.
    Incoming,
}

#[derive(Debug)]
pub(super) enum Phase {
    /// Dialed; TCP has not answered.
    Connecting,
    OpenSent,
    OpenConfirm(Negotiated),
    Established {
        negotiated: Negotiated,
        since: Instant,
    },
}

impl Connection {
    pub(super) fn new(id: ConnectionId, direction: Direction) -> Self {
        Self {
            id,
            direction,
            phase: Phase::Connecting,
            hold_at: None,
            keepalive_at: None,
        }
    }

    /// Whether dialing can wait for what comes of this connection. One that the
    /// peer made and says nothing on is none.
    pub(super) fn is_promising(&self) -> bool {
        match self.phase {
            Phase::Connecting | Phase::OpenSent => self.direction == Direction::Outgoing,
            Phase::OpenConfirm(_) | Phase::Established { .. } => true,
        }
    }

    pub(super) fn is_opening(&self) -> bool {
        match self.phase {
            Phase::OpenSent | Phase::OpenConfirm(_) => true,
            Phase::Connecting | Phase::Established { .. } => false,
        }
    }
}

impl Phase {
    pub(super) const fn state(&self) -> State {
        match self {
            Self::Connecting => State::Connect,
            Self::OpenSent => State::OpenSent,
            Self::OpenConfirm(_) => State::OpenConfirm,
            Self::Established { .. } => State::Established,
        }
    }
}
