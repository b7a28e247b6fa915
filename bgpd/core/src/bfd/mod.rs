//! Bidirectional Forwarding Detection (RFC 5880) without sockets or a clock:
//! packets, their authentication, one session's machine, and what its users may
//! conclude from it.
//!
//! Asynchronous mode. A far end in Demand mode is obeyed; we never ask for it,
//! and offer no Echo (Required Min Echo RX Interval is 0).
//!
//! The shell finds the session that a packet is for ([`Header::your_discriminator`],
//! else the sender's address), feeds it to [`Session::receive`], comes back at
//! [`Session::next_timeout`], and sends what [`Session::poll_transmit`] yields.

mod authentication;
mod packet;
mod session;
mod verdict;

use std::fmt;
use std::time::Duration;

pub use authentication::{Authentication, AuthenticationError, Key, KeyError, Method};
pub use packet::{Encoded, Header, LONGEST, Malformed, Packet, decode};
pub use session::{Change, Discarded, Session, Snapshot};
pub use verdict::{Damping, Judge, Verdict};

/// UDP port of single-hop sessions (RFC 5881 §4).
pub const PORT: u16 = 3784;
/// UDP port of multihop sessions (RFC 5883 §5).
pub const MULTIHOP_PORT: u16 = 4784;
/// Where control packets come from (RFC 5881 §4).
pub const SOURCE_PORTS: std::ops::RangeInclusive<u16> = 49152..=65535;
/// RFC 5881 §5: single-hop packets are sent and received with no other TTL.
pub const TTL: u8 = 255;

/// How a session is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What we would like to send at (bfd.DesiredMinTxInterval while Up).
    pub transmit_interval: Duration,
    /// The fastest that we take (bfd.RequiredMinRxInterval).
    pub receive_interval: Duration,
    /// After how many of our packets missed the far end is to give up; not 0.
    pub multiplier: u8,
    pub authentication: Option<Authentication>,
}

/// RFC 5880 §6.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    AdminDown,
    Down,
    Init,
    Up,
}

impl State {
    /// The two bits of the State field.
    const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::AdminDown,
            1 => Self::Down,
            2 => Self::Init,
            _ => Self::Up,
        }
    }

    const fn bits(self) -> u8 {
        match self {
            Self::AdminDown => 0,
            Self::Down => 1,
            Self::Init => 2,
            Self::Up => 3,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::AdminDown => "AdminDown",
            Self::Down => "Down",
            Self::Init => "Init",
            Self::Up => "Up",
        })
    }
}

/// Why an end's session last changed its state (RFC 5880 §4.1); 5 bits, of
/// which some values are reserved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Diagnostic(u8);

impl Diagnostic {
    pub const NONE: Self = Self(0);
    pub const DETECTION_TIME_EXPIRED: Self = Self(1);
    pub const ECHO_FAILED: Self = Self(2);
    pub const NEIGHBOR_SIGNALED_DOWN: Self = Self(3);
    pub const FORWARDING_PLANE_RESET: Self = Self(4);
    pub const PATH_DOWN: Self = Self(5);
    pub const CONCATENATED_PATH_DOWN: Self = Self(6);
    pub const ADMINISTRATIVELY_DOWN: Self = Self(7);
    pub const REVERSE_CONCATENATED_PATH_DOWN: Self = Self(8);

    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0x1f)
    }

    pub const fn bits(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::NONE => "No Diagnostic",
            Self::DETECTION_TIME_EXPIRED => "Control Detection Time Expired",
            Self::ECHO_FAILED => "Echo Function Failed",
            Self::NEIGHBOR_SIGNALED_DOWN => "Neighbor Signaled Session Down",
            Self::FORWARDING_PLANE_RESET => "Forwarding Plane Reset",
            Self::PATH_DOWN => "Path Down",
            Self::CONCATENATED_PATH_DOWN => "Concatenated Path Down",
            Self::ADMINISTRATIVELY_DOWN => "Administratively Down",
            Self::REVERSE_CONCATENATED_PATH_DOWN => "Reverse Concatenated Path Down",
            Self(reserved) => return write!(f, "reserved diagnostic {reserved}"),
        })
    }
}
