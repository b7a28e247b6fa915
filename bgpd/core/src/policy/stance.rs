//! How a session's routes are told while its path is one to avoid, so that the far
//! end's traffic goes another way, as ours does.

use super::Changes;
use crate::Asn;
use crate::wire::{Community, PathAttributes};

/// What is asked for one session; of several demands the greatest holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stance {
    #[default]
    Normal,
    /// The path is bad: routes are told as the peer's `on_degraded` has it.
    Adverse,
    /// The operator wants the path empty (RFC 8326): the peer is told so, and its
    /// own routes lose to any other.
    Drained,
    /// As `Drained`, and nothing is announced.
    Withdrawn,
}

impl Stance {
    /// RFC 8326 §4.1: whether routes from the peer have the lowest LOCAL_PREF.
    pub const fn is_last_resort(self) -> bool {
        matches!(self, Self::Drained | Self::Withdrawn)
    }
}

/// How routes are told of a path that is one to avoid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Adverse {
    /// As ever.
    #[default]
    Nothing,
    Change(Discouraged),
    Withdraw,
}

/// What is said of routes on top of the export policy, so that the far end prefers
/// others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discouraged {
    /// Communities that would say the opposite, and are left out.
    pub instead_of: Vec<Community>,
    pub changes: Changes,
}

impl Discouraged {
    /// Changes `attributes`; `asn` is ours toward the peer.
    pub fn apply(&self, attributes: &mut PathAttributes, asn: Asn) {
        attributes
            .communities
            .retain(|community| !self.instead_of.contains(community));
        self.changes.apply(attributes, asn);
    }
}
