//! How long to wait before the next attempt, and the jitter of every timer.

use std::time::Duration;

use crate::random::Random;

/// Waits double with each failure in a row, up to [`LONGEST`] times the first.
/// Where the way has just come back they begin short, for it may take a moment
/// to carry the first packet.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    first: Duration,
    failures: u32,
    /// The next wait of those that begin short.
    hurry: Option<Duration>,
    random: Random,
}

impl Backoff {
    pub(super) fn new(first: Duration, seed: u64) -> Self {
        Self {
            first,
            failures: 0,
            hurry: None,
            random: Random::new(seed),
        }
    }

    /// The wait after one more failure.
    pub(super) fn next(&mut self) -> Duration {
        if let Some(wait) = self.take_hurry() {
            return wait;
        }
        let factor = 1_u32
            .checked_shl(self.failures)
            .unwrap_or(LONGEST)
            .min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.jitter(self.first.saturating_mul(factor))
    }

    pub(super) fn reset(&mut self) {
        self.failures = 0;
        self.hurry = None;
    }

    /// The way is back.
    pub(super) fn hurry(&mut self) {
        self.failures = 0;
        self.hurry = Some(SHORTEST);
    }

    pub(super) fn is_hurrying(&self) -> bool {
        self.hurry.is_some()
    }

    /// How long to wait for what may have been sent too early; `None`: it was not.
    pub(super) fn take_hurry(&mut self) -> Option<Duration> {
        let wait = self.hurry?;
        let longer = wait.saturating_mul(2);
        self.hurry = (longer < self.first).then_some(longer);
        Some(self.jitter(wait))
    }

    /// A session that lasted this long was no mere flap.
    pub(super) fn longest(&self) -> Duration {
        self.first.saturating_mul(LONGEST)
    }

    /// RFC 4271 §10: a random factor from 0.75 to 1.0.
    pub(super) fn jitter(&mut self, time: Duration) -> Duration {
        let thousandths = 750 + (self.random.next() % 251) as u32;
        time.checked_mul(thousandths)
            .map_or(time, |scaled| scaled / 1000)
    }
}

const LONGEST: u32 = 8;
/// More than a round trip to a neighbor takes.
const SHORTEST: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_eight_times_the_first_with_jitter() {
        let mut backoff = Backoff::new(Duration::from_secs(10), 7);
        for base in [10, 20, 40, 80, 80, 80] {
            let wait = backoff.next();
            let base = Duration::from_secs(base);
            assert!(
                wait >= base.mul_f64(0.75) && wait <= base,
                "{wait:?} for {base:?}"
            );
        }
    }

    #[test]
    fn where_the_way_is_back_waits_begin_short_and_end_as_ever() {
        let mut backoff = Backoff::new(Duration::from_secs(1), 7);
        backoff.next();
        backoff.hurry();
        for base in [100, 200, 400, 800, 1000, 2000, 4000, 8000, 8000] {
            let wait = backoff.next();
            let base = Duration::from_millis(base);
            assert!(
                wait >= base.mul_f64(0.75) && wait <= base,
                "{wait:?} for {base:?}"
            );
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_waits() {
        let waits = |seed| {
            let mut backoff = Backoff::new(Duration::from_secs(5), seed);
            (0..20).map(|_| backoff.next()).collect::<Vec<_>>()
        };
        assert_eq!(waits(1), waits(1));
        assert_ne!(waits(1), waits(2));
    }

    #[test]
    fn a_thousand_failures_do_not_overflow() {
        let mut backoff = Backoff::new(Duration::from_secs(u64::MAX / 2), 0);
        for _ in 0..1000 {
            backoff.next();
        }
    }
}
