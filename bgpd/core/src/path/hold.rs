//! How long a path that has failed is not trusted: longer with each failure, up
//! to a limit; failures are forgotten one by one while the path is well.

use std::time::{Duration, Instant};

use super::Settings;

#[derive(Debug, Default)]
pub(super) struct Hold {
    failures: u32,
    /// Since when none was counted nor forgotten.
    since: Option<Instant>,
}

impl Hold {
    pub(super) fn failed(&mut self, settings: &Settings, now: Instant) {
        // More than the limit takes are not worth remembering.
        if self.failures == 0 || self.time(settings) < settings.hold_max {
            self.failures += 1;
        }
        self.since = Some(now);
    }

    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn time(&self, settings: &Settings) -> Duration {
        let Some(doublings) = self.failures.checked_sub(1) else {
            return Duration::ZERO;
        };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        settings.hold.saturating_mul(factor).min(settings.hold_max)
    }

    /// When the next failure is forgotten, if the path stays well.
    pub(super) fn forgets_at(&self, settings: &Settings) -> Option<Instant> {
        let since = self.since.filter(|_| self.failures > 0)?;
        Some(since + settings.hold_max.max(SHORTEST_MEMORY))
    }

    pub(super) fn forget(&mut self, settings: &Settings, now: Instant) {
        while let Some(at) = self.forgets_at(settings).filter(|at| *at <= now) {
            self.failures -= 1;
            self.since = Some(at);
        }
    }

    /// The path has only now become well: what it was before doesn't count.
    pub(super) fn well_since(&mut self, now: Instant) {
        self.since = Some(now);
    }
}

/// With a very short `hold_max` there is nothing to remember for long.
const SHORTEST_MEMORY: Duration = Duration::from_secs(1);
