//! Whether one target's round trips take longer than usual, for good.
//!
//! A CUSUM over time: what a round trip takes beyond the usual counts for as
//! long as until the next one, at most fully; the sum has to reach half a
//! second. What is usual is learned slowly, and slower still from round trips
//! that are not.

use std::time::Duration;

use super::Settings;

#[derive(Clone, Debug, Default)]
pub(super) struct Latency {
    /// Seconds.
    usual: Option<f64>,
    /// Mean deviation from the usual, seconds.
    spread: f64,
    /// Seconds.
    sum: f64,
    is_high: bool,
    /// [`LEARNED`] at most.
    samples: u32,
    last: f64,
}

impl Latency {
    pub(super) fn note(&mut self, time: Duration, interval: Duration, settings: &Settings) {
        let (time, interval) = (time.as_secs_f64(), interval.as_secs_f64().min(MOST_APART));
        self.last = time;
        let Some(usual) = self.usual else {
            self.usual = Some(time);
            return;
        };
        self.samples = (self.samples + 1).min(LEARNED);
        let beyond = time - usual;
        let threshold = self.threshold(settings);
        if self.samples >= LEARNED {
            let excess = (2.0 * beyond / threshold - 1.0).clamp(-1.0, 1.0);
            self.sum = (self.sum + excess * interval).clamp(0.0, LIMIT);
            self.is_high = self.sum >= LIMIT || self.is_high && self.sum > LOW;
        }
        self.learn(beyond, threshold, interval);
    }

    fn learn(&mut self, beyond: f64, threshold: f64, interval: f64) {
        let early = 1.0 / f64::from(self.samples + 1);
        let pace = match self.is_high || beyond > threshold / 2.0 {
            true => interval / FORGIVING,
            false => (interval / LEARNING).max(if self.samples < LEARNED { early } else { 0.0 }),
        };
        let step = beyond.clamp(-threshold, threshold) * pace.min(1.0);
        self.usual = self.usual.map(|usual| usual + step);
        let deviation = beyond.abs().min(threshold);
        self.spread += (deviation - self.spread) * pace.min(1.0);
    }

    /// What is added to the usual for it to count in full. Where round trips
    /// vary by nature more is needed.
    fn threshold(&self, settings: &Settings) -> f64 {
        settings.latency.as_secs_f64().max(4.0 * self.spread)
    }

    pub(super) const fn is_high(&self) -> bool {
        self.is_high
    }

    pub(super) fn is_suspect(&self) -> bool {
        self.sum >= LIMIT / 2.0
    }

    pub(super) fn last(&self) -> Duration {
        Duration::from_secs_f64(self.last)
    }

    pub(super) fn usual(&self) -> Duration {
        Duration::from_secs_f64(self.usual.unwrap_or(0.0))
    }
}

/// Seconds of full excess: longer than any single spike.
const LIMIT: f64 = 0.5;
const LOW: f64 = LIMIT / 4.0;
/// Seconds that one round trip may stand for: with rare probes it takes several.
const MOST_APART: f64 = LIMIT / 3.0;
/// Round trips until the usual is known.
const LEARNED: u32 = 8;
/// Seconds in which the usual follows a change.
const LEARNING: f64 = 60.0;
/// Seconds in which a new way that takes longer becomes the usual.
const FORGIVING: f64 = 1800.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_may_answer_for_years() {
        let mut latency = Latency::default();
        for _ in 0..=LEARNED + 1 {
            latency.note(
                Duration::from_millis(1),
                Duration::from_millis(10),
                &Settings::default(),
            );
        }
        assert_eq!(latency.samples, LEARNED);
    }
}
