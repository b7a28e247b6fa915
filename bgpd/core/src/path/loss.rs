//! Whether too many of one target's probes are lost.
//!
//! A CUSUM for Bernoulli trials (E. S. Page, "Continuous inspection schemes",
//! 1954): each probe adds the logarithm of how much likelier its outcome is with
//! the loss of a brown-out than with the usual one, and the sum never falls below
//! nothing. Losses in a row, or in one burst, are one accident: they count as two,
//! and losses in a row as all the link there is once they last longer than a burst.

use std::time::{Duration, Instant};

use super::{Direction, Outcome, Sample, Settings};

#[derive(Clone, Debug)]
pub(super) struct Loss {
    sum: f64,
    /// The sum has reached the limit and not fallen far enough since.
    is_high: bool,
    run: Run,
    burst: Burst,
    /// The last probes, the newest in the lowest bit: which were lost, and which
    /// of those on a way that is known.
    lost: u128,
    lost_out: u128,
    lost_back: u128,
    seen: u32,
}

/// Losses one after the other.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    length: u32,
    since: Option<Instant>,
    lasted: Duration,
}

/// Losses soon after one another, whatever was answered between.
#[derive(Clone, Copy, Debug, Default)]
struct Burst {
    began: Option<Instant>,
    losses: u32,
}

/// Of the last probes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Share {
    pub(super) lost: f64,
    pub(super) out: f64,
    pub(super) back: f64,
    pub(super) of: u32,
}

impl Loss {
    pub(super) const fn new() -> Self {
        Self {
            sum: 0.0,
            is_high: false,
            run: Run {
                length: 0,
                since: None,
                lasted: Duration::ZERO,
            },
            burst: Burst {
                began: None,
                losses: 0,
            },
            lost: 0,
            lost_out: 0,
            lost_back: 0,
            seen: 0,
        }
    }

    pub(super) fn note(&mut self, sample: &Sample, settings: &Settings) {
        let lost = match sample.outcome {
            Outcome::Answered(_) => None,
            Outcome::Lost(direction) => Some(direction),
        };
        self.lost = self.lost << 1 | u128::from(lost.is_some());
        self.lost_out = self.lost_out << 1 | u128::from(lost == Some(Direction::Out));
        self.lost_back = self.lost_back << 1 | u128::from(lost == Some(Direction::Back));
        self.seen = (self.seen + 1).min(WINDOW);
        self.run.note(lost.is_some(), sample);
        if lost.is_some() {
            self.burst.note(sample.sent_at);
        }
        let (usual, bad) = (settings.loss / 10.0, settings.loss);
        let weight = match lost {
            None => ((1.0 - bad) / (1.0 - usual)).ln(),
            Some(_) if self.counts() => (bad / usual).ln(),
            Some(_) => 0.0,
        };
        self.sum = (self.sum + weight).clamp(0.0, LIMIT);
        self.is_high = self.sum >= LIMIT || self.is_high && self.sum > LOW;
    }

    /// Whether a loss is more than another one of the same accident.
    fn counts(&self) -> bool {
        let is_first = self.run.length <= COUNTED && self.burst.losses <= COUNTED;
        is_first || self.run.is_long()
    }

    /// More is lost than may be.
    pub(super) const fn is_high(&self) -> bool {
        self.is_high
    }

    /// Half the way there.
    pub(super) fn is_suspect(&self) -> bool {
        self.sum >= LIMIT / 2.0
    }

    /// The next probes decide: they should come soon.
    pub(super) fn is_open(&self) -> bool {
        self.sum > 0.0 && (!self.is_high || self.run.length == 0)
    }

    /// Nothing at all is answered, for longer than a burst lasts.
    pub(super) fn is_total(&self) -> bool {
        self.run.is_long()
    }

    /// How many were lost one after the other up to now.
    pub(super) const fn run_length(&self) -> u32 {
        self.run.length
    }

    pub(super) fn share(&self) -> Share {
        let mask = 1_u128
            .checked_shl(self.seen)
            .map_or(u128::MAX, |bit| bit - 1);
        let share =
            |bits: u128| f64::from((bits & mask).count_ones()) / f64::from(self.seen.max(1));
        Share {
            lost: share(self.lost),
            out: share(self.lost_out),
            back: share(self.lost_back),
            of: self.seen,
        }
    }
}

impl Run {
    fn note(&mut self, is_lost: bool, sample: &Sample) {
        if !is_lost {
            *self = Self::default();
            return;
        }
        let since = *self.since.get_or_insert(sample.sent_at);
        self.length = self.length.saturating_add(1);
        self.lasted = sample.sent_at.saturating_duration_since(since) + sample.interval;
    }

    fn is_long(&self) -> bool {
        self.length >= LONG_RUN && self.lasted >= OUTAGE
    }
}

impl Burst {
    fn note(&mut self, sent_at: Instant) {
        let goes_on = self
            .began
            .is_some_and(|began| sent_at.saturating_duration_since(began) < BURST);
        if !goes_on {
            *self = Self {
                began: Some(sent_at),
                losses: 0,
            };
        }
        self.losses += 1;
    }
}

/// With a loss of 1 % for usual and 10 % for bad: at 20 % reached after 37
/// probes on average, by chance at 1 % never in millions.
const LIMIT: f64 = 14.0;
const LOW: f64 = LIMIT / 4.0;
/// Of the losses of one accident.
const COUNTED: u32 = 2;
/// A queue that overflows drops what comes within its time, here and there.
const BURST: Duration = Duration::from_millis(100);
/// Losses in a row that are no burst any more, if they last long enough.
const LONG_RUN: u32 = 5;
/// Routers converge, queues overflow: what takes longer is an outage.
const OUTAGE: Duration = Duration::from_millis(400);
const WINDOW: u32 = 100;
