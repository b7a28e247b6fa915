//! Keeps what a peer can cause at will from filling the log.

use std::time::{Duration, Instant};

/// Lets one line through per interval, and counts the rest.
#[derive(Debug)]
pub(crate) struct LogLimit {
    interval: Duration,
    last: Option<Instant>,
    suppressed: u64,
}

impl Default for LogLimit {
    fn default() -> Self {
        Self::once_in(INTERVAL)
    }
}

impl LogLimit {
    pub(crate) const fn once_in(interval: Duration) -> Self {
        Self {
            interval,
            last: None,
            suppressed: 0,
        }
    }

    /// How many lines were held back since the last one, if one may go now.
    pub(crate) fn pass(&mut self, now: Instant) -> Option<u64> {
        let due = self
            .last
            .is_none_or(|last| now.saturating_duration_since(last) >= self.interval);
        if due {
            self.last = Some(now);
            Some(std::mem::take(&mut self.suppressed))
        } else {
            self.suppressed += 1;
            None
        }
    }
}

const INTERVAL: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_passes_per_interval_and_tells_how_many_did_not() {
        let mut limit = LogLimit::default();
        let now = Instant::now();
        assert_eq!(limit.pass(now), Some(0));
        assert_eq!(limit.pass(now + Duration::from_secs(1)), None);
        assert_eq!(limit.pass(now + Duration::from_secs(4)), None);
        assert_eq!(limit.pass(now + Duration::from_secs(5)), Some(2));
    }
}
