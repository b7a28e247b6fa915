//! The two clocks: one that nobody sets, and the wall clock of the kernel's
//! timestamps.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// One moment by both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) instant: Instant,
    /// Since the Unix epoch.
    pub(super) wall: Duration,
}

impl Now {
    pub(super) fn read() -> Self {
        let mut now = Self::read_once();
        // Read apart, because this thread had to wait in between, they would look
        // as if the wall clock had been set.
        for _ in 0..3 {
            if now.instant.elapsed() < APART {
                break;
            }
            now = Self::read_once();
        }
        now
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the kernel's timestamps are by this clock; where it was set is noticed"
    )]
    fn read_once() -> Self {
        let instant = Instant::now();
        let wall = clock_gettime(ClockId::CLOCK_REALTIME).map_or(Duration::ZERO, Duration::from);
        Self { instant, wall }
    }

    /// The wall clock was set between `earlier` and now: differences of the
    /// kernel's timestamps mean nothing.
    pub(super) fn was_set_since(&self, earlier: &Self) -> bool {
        let elapsed = self.instant.saturating_duration_since(earlier.instant);
        let by_wall = self.wall.checked_sub(earlier.wall);
        by_wall.is_none_or(|by_wall| by_wall.abs_diff(elapsed) > STEP)
    }
}

/// Two clocks are read well within this.
const APART: Duration = Duration::from_micros(10);
/// Slewing moves both clocks alike; what is left is the reading's own error.
const STEP: Duration = Duration::from_micros(50);
