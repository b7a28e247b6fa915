//! The faults: how each is called, what is wanted of it, and what it needs.

use std::time::Duration;

use clap::ValueEnum;

use super::stage::FarEnd;
use super::{Bfd, Hold, Needs};
use crate::bench::speaker::Speaker;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// Both ends of the link lose their carrier
    Carrier,
    /// The same, a fifth of a second after another link came up
    Again,
    /// Nothing passes, while 2,000 packets a second were coming back
    Silent,
    /// Nothing passes on a link where nothing came back, BFD 300 ms × 3
    Idle,
    /// The same, BFD 50 ms × 3
    IdleFast,
    /// A fifth of all packets is lost
    Loss,
    /// Everything takes 30 ms longer, for good
    Latency,
    /// One burst takes 200 ms longer
    Spike,
    /// A fifth of the packets to the far end is lost, none of those back
    OneWay,
    /// The far end ends the session with a NOTIFICATION
    Notification,
    /// The session's TCP connection is reset
    Reset,
    /// The far end withdraws all its routes
    Withdrawn,
    /// The path is drained and undrained
    Drain,
    /// Drained, 30 ms late, lossy: how soon BIRD at the far end moves its traffic
    Direction,
    /// Down for 2 s and up for 3 s, twenty times
    Flaps,
    /// A fifth of all packets is lost while the other link loses a third
    Worse,
    /// Half a percent of loss, bursts of loss, return traffic that stops
    Quiet,
    /// bgpd is dead when the carrier is lost
    Dead,
    /// Nothing happens: what watching costs
    Overhead,
}

impl Fault {
    pub const ALL: [Self; 19] = [
        Self::Carrier,
        Self::Again,
        Self::Notification,
        Self::Reset,
        Self::Withdrawn,
        Self::Idle,
        Self::Dead,
        Self::IdleFast,
        Self::Silent,
        Self::Drain,
        Self::Loss,
        Self::OneWay,
        Self::Latency,
        Self::Spike,
        Self::Worse,
        Self::Direction,
        Self::Flaps,
        Self::Quiet,
        Self::Overhead,
    ];

    pub fn title(self) -> String {
        let value = self.to_possible_value();
        let help = value.as_ref().and_then(|value| value.get_help());
        help.map(ToString::to_string).unwrap_or_default()
    }

    pub const fn goal(self) -> &'static str {
        match self {
            Self::Carrier | Self::Again => "outage ≤ 5 ms p99 at every size, return loses 0",
            Self::Silent => "outage ≤ 40 ms p99, return loses 0",
            Self::Idle => "outage ≤ 950 ms at every size",
            Self::IdleFast => "outage ≤ 170 ms at every size",
            Self::Loss => "moved after ≤ 1 s mean, ≤ 2 s p99, exactly 1 move",
            Self::Latency => "moved after ≤ 1 s, 1 move",
            Self::Spike | Self::Quiet => "0 moves",
            Self::OneWay => "named with its direction (named = 1)",
            Self::Notification | Self::Reset | Self::Withdrawn => "moved after ≤ 10 ms, 0 lost",
            Self::Drain => "0 lost, either way",
            Self::Direction => "≤ 20 ms after ours",
            Self::Flaps => "≤ 3 moves",
            Self::Worse => "0 moves, and says so (named = 1)",
            Self::Dead => "outage ≤ 5 ms: the kernel's standby",
            Self::Overhead => "≤ 3 % of a core, ≤ 30 MB without tables",
        }
    }

    pub const fn bfd(self) -> Bfd {
        match self {
            Self::IdleFast => Bfd {
                interval: Duration::from_millis(50),
                multiplier: 3,
            },
            // AWS's.
            _ => Bfd {
                interval: Duration::from_millis(300),
                multiplier: 3,
            },
        }
    }

    pub const fn needs(self) -> Needs {
        let (bfd, probes) = match self {
            Self::Carrier
            | Self::Again
            | Self::Notification
            | Self::Reset
            | Self::Withdrawn
            | Self::Dead => (false, false),
            Self::Idle | Self::IdleFast | Self::Drain => (true, false),
            _ => (true, true),
        };
        let hold = match self {
            Self::Flaps | Self::Quiet | Self::Overhead => Hold::Default,
            _ => Hold::Short,
        };
        Needs { bfd, probes, hold }
    }

    pub const fn far(self) -> FarEnd {
        match self {
            Self::Direction => FarEnd::Bird,
            _ => FarEnd::Driven,
        }
    }

    /// Why a speaker other than ours can't show it.
    pub const fn lacks(self, speaker: Speaker) -> Option<&'static str> {
        match (self, speaker) {
            (_, Speaker::Openbgpd) => Some("it has no BFD"),
            (Self::Worse | Self::Dead | Self::Direction, _) => Some("it has nothing for this"),
            _ => None,
        }
    }

    pub const fn sizes(self) -> &'static [usize] {
        match self {
            Self::Carrier | Self::Idle => &[1, 10_000, 1_000_000],
            Self::Drain => &[10_000, 1_000_000],
            Self::Overhead => &[1],
            _ => &[10_000],
        }
    }

    /// So long that one round of the others has to do.
    pub const fn is_long(self) -> bool {
        matches!(
            self,
            Self::Flaps | Self::Quiet | Self::Loss | Self::Latency | Self::OneWay
        )
    }
}
