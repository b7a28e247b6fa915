//! What is known of one target: the probes under way, the last 100 outcomes, and
//! counts since start. No clock: time is an argument.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bgp_core::api::{ProbeStatus, RTT_BOUNDS};
use bgp_core::path::Direction;

use super::clock::Now;

#[derive(Debug, Default)]
pub(super) struct Window {
    /// The newest last; `None`: lost.
    outcomes: VecDeque<Option<Duration>>,
    /// Not answered yet, the oldest first.
    pending: VecDeque<Pending>,
    last: Option<Duration>,
    /// 99 of the last 100 round trips were no longer.
    p99: Option<Duration>,
    lost_in_a_row: u32,
    total_sent: u64,
    total_lost: u64,
    /// By [`RTT_BOUNDS`], and one more for what is longer than all.
    counts: [u64; RTT_BOUNDS.len() + 1],
    sum: Duration,
}

/// A probe under way.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) sequence: u32,
    /// A little before it was sent.
    pub(super) begun: Now,
    /// When the kernel sent it.
    pub(super) left: Option<Duration>,
    /// Lost if not answered by then.
    due: Instant,
    /// Later probes that were answered.
    overtaken: u8,
    /// Where it went, should it be lost.
    pub(super) direction: Direction,
}

/// An answer's meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) rtt: Duration,
    pub(super) sent_at: Instant,
    /// The target had been silent, and not by accident.
    pub(super) after_silence: bool,
    /// An earlier probe is lost by that.
    pub(super) overtakes: bool,
}

/// A probe that nobody has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) sent_at: Instant,
    pub(super) direction: Direction,
}

impl Window {
    pub(super) fn sent(&mut self, sequence: u32, begun: Now) {
        self.total_sent += 1;
        self.pending.push_back(Pending {
            sequence,
            begun,
            left: None,
            due: begun.instant + self.patience(),
            overtaken: 0,
            direction: Direction::Unknown,
        });
    }

    /// The kernel has sent it.
    pub(super) fn left(&mut self, sequence: u32, at: Duration) {
        if let Some(probe) = self.pending_mut(sequence)
            && at >= probe.begun.wall
        {
            probe.left = Some(at);
        }
    }

    pub(super) fn pending(&self, sequence: u32) -> Option<&Pending> {
        self.pending.iter().find(|one| one.sequence == sequence)
    }

    /// Probes under way between these two, the oldest first.
    pub(super) fn between(
        &mut self,
        after: u32,
        before: u32,
    ) -> impl Iterator<Item = &mut Pending> {
        let mut all = self.pending.iter_mut();
        std::iter::from_fn(move || all.find(|one| one.sequence > after && one.sequence < before))
    }

    pub(super) fn pending_mut(&mut self, sequence: u32) -> Option<&mut Pending> {
        self.pending.iter_mut().find(|one| one.sequence == sequence)
    }

    /// The newest probe under way, which an answer without a number is taken for.
    pub(super) fn newest(&self) -> Option<u32> {
        self.pending.back().map(|probe| probe.sequence)
    }

    /// The probe under way whose number ends like this.
    pub(super) fn ending_in(&self, low: u16) -> Option<u32> {
        let mut all = self.pending.iter().map(|probe| probe.sequence);
        all.find(|sequence| *sequence as u16 == low)
    }

    /// A probe that could not even be sent.
    pub(super) fn failed(&mut self, sequence: u32) -> Option<Lost> {
        let index = self.index(sequence)?;
        let probe = self.pending.remove(index)?;
        Some(self.lose(&probe))
    }

    /// A probe that came to nothing, which says nothing about the path.
    pub(super) fn withdraw(&mut self, sequence: u32) {
        self.pending.retain(|probe| probe.sequence != sequence);
    }

    /// `at`: when the kernel received the answer; `held`: how much of the round trip
    /// the far end says it took itself. `None`: it was given up, or never sent.
    pub(super) fn answered(
        &mut self,
        sequence: u32,
        at: Option<Duration>,
        held: Duration,
        now: Now,
    ) -> Option<Answered> {
        let index = self.index(sequence)?;
        let probe = self.pending.remove(index)?;
        let elapsed = now.instant.saturating_duration_since(probe.begun.instant);
        // The kernel's timestamps leave our own delays out, but are by the wall
        // clock: where that was set meanwhile, the delays count too.
        let by_kernel = at
            .zip(probe.left.or(Some(probe.begun.wall)))
            .filter(|_| !now.was_set_since(&probe.begun))
            .and_then(|(at, left)| at.checked_sub(left))
            .filter(|rtt| *rtt <= elapsed);
        let rtt = by_kernel.unwrap_or(elapsed);
        let rtt = rtt.checked_sub(held).unwrap_or(rtt);
        let after_silence = self.lost_in_a_row >= SILENCE;
        self.last = Some(rtt);
        self.lost_in_a_row = 0;
        self.sum += rtt;
        self.counts[bucket(rtt)] += 1;
        self.decide(Some(rtt));
        for earlier in self.pending.iter_mut().take(index) {
            earlier.overtaken = earlier.overtaken.saturating_add(1);
        }
        let mut pending = self.pending.iter();
        Some(Answered {
            overtakes: pending.any(|earlier| earlier.overtaken >= OVERTAKEN),
            rtt,
            sent_at: probe.begun.instant,
            after_silence,
        })
    }

    /// When the next probe is to be given up.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.pending.front().map(|probe| probe.due)
    }

    /// The next probe that is lost: its time is up, or later ones were answered.
    pub(super) fn give_up(&mut self, now: Instant) -> Option<Lost> {
        let is_lost = |probe: &Pending| probe.due <= now || probe.overtaken >= OVERTAKEN;
        let index = self.pending.iter().position(is_lost)?;
        let probe = self.pending.remove(index)?;
        Some(self.lose(&probe))
    }

    /// Whether it has ever answered: one that hasn't is no evidence of anything.
    pub(super) fn has_answered(&self) -> bool {
        self.last.is_some()
    }

    /// It answers, so that its silence would mean something: the longest round trip
    /// to be expected then.
    pub(super) fn reliable(&self) -> Option<Duration> {
        let newest = self.outcomes.iter().rev().take(WITNESS);
        let answered = newest.filter(|outcome| outcome.is_some()).count();
        self.p99.filter(|_| answered + 1 >= WITNESS)
    }

    /// Counts only probes that are decided: answered or lost.
    pub(super) fn status(&self, status: ProbeStatus) -> ProbeStatus {
        let mut sorted: Vec<Duration> = self.outcomes.iter().filter_map(|one| *one).collect();
        let jitter = jitter(sorted.iter());
        sorted.sort_unstable();
        let sum: Duration = sorted.iter().sum();
        let answered = sorted.len();
        let micros = |rtt: Duration| rtt.as_micros() as u64;
        let percentile = |percent| percentile(&sorted, percent).map(micros);
        ProbeStatus {
            sent: self.outcomes.len() as u64,
            lost: (self.outcomes.len() - answered) as u64,
            rtt_last: self.last.map(micros),
            rtt_min: sorted.first().copied().map(micros),
            rtt_avg: micros(sum).checked_div(answered as u64),
            rtt_max: sorted.last().copied().map(micros),
            rtt_p50: percentile(50),
            rtt_p90: percentile(90),
            rtt_p99: percentile(99),
            jitter: jitter.map(micros),
            total_sent: self.total_sent,
            total_lost: self.total_lost,
            rtt_counts: self.counts.to_vec(),
            rtt_sum: micros(self.sum),
            ..status
        }
    }

    /// How long an answer may take: a late one is as good as none.
    fn patience(&self) -> Duration {
        let enough = self.outcomes.len() >= WITNESS;
        let usual = self.p99.filter(|_| enough);
        usual.map_or(LONGEST_PATIENCE, |p99| {
            (p99 * 4).clamp(SHORTEST_PATIENCE, LONGEST_PATIENCE)
        })
    }

    fn index(&self, sequence: u32) -> Option<usize> {
        let mut all = self.pending.iter();
        all.position(|probe| probe.sequence == sequence)
    }

    fn lose(&mut self, probe: &Pending) -> Lost {
        self.total_lost += 1;
        self.lost_in_a_row = self.lost_in_a_row.saturating_add(1);
        self.decide(None);
        Lost {
            sent_at: probe.begun.instant,
            direction: probe.direction,
        }
    }

    fn decide(&mut self, outcome: Option<Duration>) {
        if self.outcomes.len() == LENGTH {
            self.outcomes.pop_front();
        }
        self.outcomes.push_back(outcome);
        if outcome > self.p99 || self.total_sent.is_multiple_of(REFRESH) {
            let mut sorted: Vec<Duration> = self.outcomes.iter().filter_map(|one| *one).collect();
            sorted.sort_unstable();
            self.p99 = percentile(&sorted, 99);
        }
    }
}

/// Mean difference of successive round trips.
fn jitter<'d>(rtts: impl Iterator<Item = &'d Duration> + Clone) -> Option<Duration> {
    let pairs = rtts.clone().zip(rtts.skip(1));
    let (sum, count) = pairs.fold((Duration::ZERO, 0), |(sum, count), (one, next)| {
        (sum + one.abs_diff(*next), count + 1)
    });
    sum.checked_div(count)
}

/// The nearest rank: so many percent are no longer.
fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

fn bucket(rtt: Duration) -> usize {
    let longer = |bound: &u64| rtt > Duration::from_micros(*bound);
    RTT_BOUNDS.partition_point(longer)
}

const LENGTH: usize = 100;
/// So many lost in a row are no accident.
const SILENCE: u32 = 3;
/// An answer later than this is as good as none.
const LONGEST_PATIENCE: Duration = Duration::from_secs(1);
/// A spike of delay is no loss.
const SHORTEST_PATIENCE: Duration = Duration::from_millis(300);
/// Packets of one flow seldom overtake each other, and never so often (as
/// RFC 6675's duplicate acknowledgments).
const OVERTAKEN: u8 = 3;
/// Of so many probes all but one have to be answered by a target that bears witness.
const WITNESS: usize = 10;
/// Probes after which the 99th percentile is computed anew.
const REFRESH: u64 = 25;

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> ProbeStatus {
        ProbeStatus::new(std::net::Ipv4Addr::LOCALHOST.into(), "icmp")
    }

    fn micros(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    /// `by` after `start`, by both clocks.
    fn after(start: Now, by: Duration) -> Now {
        Now {
            instant: start.instant + by,
            wall: start.wall + by,
        }
    }

    /// One that the kernel sends 10 µs later and that is answered after `rtt`.
    fn answered(window: &mut Window, sequence: u32, rtt: Duration) -> Answered {
        let start = Now::read();
        window.sent(sequence, start);
        window.left(sequence, start.wall + micros(10));
        let at = start.wall + micros(10) + rtt;
        let now = after(start, rtt + micros(500));
        let answered = window.answered(sequence, Some(at), Duration::ZERO, now);
        answered.expect("it was sent")
    }

    fn lost(window: &mut Window, sequence: u32) {
        window.sent(sequence, Now::read());
        window.failed(sequence).expect("it was sent");
    }

    #[test]
    fn round_trips_are_between_the_kernels_own_timestamps() {
        let mut window = Window::default();
        for (sequence, rtt) in [(1, 200), (2, 300), (3, 250)] {
            assert_eq!(
                answered(&mut window, sequence, micros(rtt)).rtt,
                micros(rtt)
            );
        }
        let status = window.status(empty());
        assert_eq!((status.rtt_min, status.rtt_max), (Some(200), Some(300)));
        assert_eq!((status.rtt_avg, status.rtt_last), (Some(250), Some(250)));
        assert_eq!((status.rtt_p50, status.rtt_p99), (Some(250), Some(300)));
        assert_eq!(status.jitter, Some(75), "(100 + 50) / 2");
        assert_eq!((status.rtt_counts[2], status.rtt_counts[3]), (1, 2));
        assert_eq!((status.rtt_sum, status.total_sent), (750, 3));
    }

    #[test]
    fn what_the_far_end_took_itself_is_no_part_of_the_round_trip() {
        let (mut window, start) = (Window::default(), Now::read());
        window.sent(1, start);
        let at = Some(start.wall + micros(900));
        let now = after(start, micros(1000));
        let answered = window.answered(1, at, micros(600), now);
        assert_eq!(answered.map(|one| one.rtt), Some(micros(300)));
    }

    #[test]
    fn answers_out_of_order_are_matched_and_silence_is_loss_after_a_second() {
        let (mut window, start) = (Window::default(), Now::read());
        (1..=3).for_each(|sequence| window.sent(sequence, start));
        let soon = after(start, Duration::from_millis(1));
        for sequence in [3, 1, 9] {
            window.answered(sequence, None, Duration::ZERO, soon);
        }
        let status = window.status(empty());
        assert_eq!((status.sent, status.lost), (2, 0));
        assert_eq!(window.give_up(soon.instant), None);
        assert_eq!(window.next_due(), Some(start.instant + LONGEST_PATIENCE));
        let late = after(start, LONGEST_PATIENCE);
        let given_up = window.give_up(late.instant).expect("its time is up");
        assert_eq!(given_up.sent_at, start.instant);
        let too_late = window.answered(2, None, Duration::ZERO, late);
        assert_eq!(too_late, None);
        let status = window.status(empty());
        assert_eq!((status.sent, status.lost, status.total_lost), (3, 1, 1));
    }

    #[test]
    fn a_probe_that_three_later_ones_overtake_is_lost() {
        let mut window = Window::default();
        let start = Now::read();
        window.sent(1, start);
        for sequence in 2..=3 {
            answered(&mut window, sequence, micros(100));
        }
        assert_eq!(window.give_up(start.instant), None);
        answered(&mut window, 4, micros(100));
        assert!(window.give_up(start.instant).is_some());
    }

    #[test]
    fn patience_follows_what_is_usual_within_limits() {
        let mut window = Window::default();
        assert_eq!(window.patience(), LONGEST_PATIENCE);
        for sequence in 0..20 {
            answered(&mut window, sequence, micros(500));
        }
        assert_eq!(window.patience(), SHORTEST_PATIENCE);
        answered(&mut window, 20, Duration::from_millis(150));
        assert_eq!(window.patience(), Duration::from_millis(600));
    }

    #[test]
    fn the_first_answer_after_three_losses_ends_a_silence() {
        let mut window = Window::default();
        let after_silence =
            |window: &mut Window, sequence| answered(window, sequence, micros(100)).after_silence;
        assert!(!after_silence(&mut window, 1));
        (2..4).for_each(|sequence| lost(&mut window, sequence));
        assert!(!after_silence(&mut window, 4));
        (5..8).for_each(|sequence| lost(&mut window, sequence));
        assert!(after_silence(&mut window, 8));
        assert!(!after_silence(&mut window, 9));
    }

    #[test]
    fn only_a_target_that_answers_bears_witness() {
        let mut window = Window::default();
        for sequence in 0..9 {
            answered(&mut window, sequence, micros(100));
        }
        assert!(window.has_answered());
        assert_eq!(window.reliable(), Some(micros(100)));
        lost(&mut window, 9);
        assert_eq!(window.reliable(), Some(micros(100)), "one may be lost");
        lost(&mut window, 10);
        assert_eq!(window.reliable(), None);
        assert_eq!(Window::default().reliable(), None);
    }

    #[test]
    fn a_wall_clock_that_is_set_meanwhile_makes_no_round_trip_longer_or_shorter() {
        let mut window = Window::default();
        let start = Now::read();
        let rtt = Duration::from_millis(3);
        for (sequence, step, forward) in [(1, 3600, true), (2, 86_400, false), (3, 1, false)] {
            window.sent(sequence, start);
            let step = Duration::from_secs(step);
            let wall = if forward {
                start.wall + step
            } else {
                start.wall - step
            };
            let now = Now {
                instant: start.instant + rtt,
                wall: wall + rtt,
            };
            let answered = window.answered(sequence, Some(wall), Duration::ZERO, now);
            assert_eq!(answered.map(|one| one.rtt), Some(rtt));
        }
    }

    #[test]
    fn only_the_last_hundred_count_but_for_the_totals() {
        let mut window = Window::default();
        (0..50).for_each(|sequence| lost(&mut window, sequence));
        let status = window.status(empty());
        assert_eq!((status.sent, status.lost), (50, 50));
        for sequence in 50..130 {
            answered(&mut window, sequence, micros(7));
        }
        let status = window.status(empty());
        assert_eq!((status.sent, status.lost), (100, 20));
        assert_eq!((status.total_sent, status.total_lost), (130, 50));
    }
}
