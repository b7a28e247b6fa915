//! How often a peer may connect. Each connection costs an OPEN and a farewell, and
//! each session that comes up costs the whole table: a peer that connects in a loop
//! gets no more of that than one that is merely unlucky.

use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Admission {
    /// Connections that may come at once.
    left: u32,
    since: Instant,
}

impl Admission {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            left: AT_ONCE,
            since: now,
        }
    }

    /// Whether one more connection is taken.
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.since).as_millis() / EVERY.as_millis();
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        if passed > 0 {
            self.left = self.left.saturating_add(passed).min(AT_ONCE);
            self.since = self
                .since
                .checked_add(EVERY.saturating_mul(passed))
                .unwrap_or(now);
        }
        let admits = self.left > 0;
        self.left = self.left.saturating_sub(1);
        admits
    }
}

/// More than any collision, restart or test of a peer needs.
const AT_ONCE: u32 = 100;
/// Ten a second: what an OPEN and a farewell cost then is not felt.
const EVERY: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_connections_may_come_at_once_and_then_ten_a_second() {
        let begin = Instant::now();
        let mut admission = Admission::new(begin);
        let at = |millis| begin + Duration::from_millis(millis);
        let admitted = (0..200).filter(|_| admission.admits(at(50))).count();
        assert_eq!(admitted, 100);
        let admitted = (50..10_050)
            .step_by(10)
            .filter(|millis| admission.admits(at(*millis)))
            .count();
        assert_eq!(admitted, 100);
        // A quiet hour saves nothing up beyond that.
        let admitted = (0..200).filter(|_| admission.admits(at(3_600_000))).count();
        assert_eq!(admitted, 100);
    }
}
