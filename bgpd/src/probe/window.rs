//! The last 100 probes of one target. No clock: time is an argument.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use bgp_core::api::ProbeStatus;

#[derive(Debug, Default)]
pub(super) struct Window {
    /// Microseconds, or lost; the newest last.
    outcomes: VecDeque<Option<u64>>,
    /// Not answered yet, the oldest first.
    pending: VecDeque<Pending>,
    last: Option<u64>,
}

/// What an answer says beside its round trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The target answers again, after a silence that was no accident.
    AfterSilence,
    Ordinary,
}

#[derive(Debug)]
struct Pending {
    sequence: u16,
    /// By the clock of the kernel's timestamps.
    sent: Duration,
    /// At that time or a little before, by a clock that nobody sets.
    begun: Instant,
    /// Lost if not answered by then.
    due: Instant,
}

impl Window {
    pub(super) fn sent(&mut self, sequence: u16, at: Duration, begun: Instant) {
        self.pending.push_back(Pending {
            sequence,
            sent: at,
            begun,
            due: begun + PATIENCE,
        });
    }

    /// A probe that could not even be sent.
    pub(super) fn failed(&mut self) {
        self.decide(None);
    }

    pub(super) fn answered(&mut self, sequence: u16, at: Duration, now: Instant) -> Answer {
        let Some(index) = self
            .pending
            .iter()
            .position(|probe| probe.sequence == sequence)
        else {
            return Answer::Ordinary;
        };
        let probe = self.pending.remove(index).expect("invariant: just found");
        // The kernel's timestamps leave our own delays out, but are by the wall
        // clock: where that was set meanwhile, the delays count too.
        let elapsed = now.saturating_duration_since(probe.begun);
        let by_kernel = at.checked_sub(probe.sent).filter(|rtt| *rtt <= elapsed);
        let rtt = by_kernel.unwrap_or(elapsed).as_micros() as u64;
        self.last = Some(rtt);
        let mut newest = self.outcomes.iter().rev().take(SILENCE);
        let was_silent = newest.len() == SILENCE && newest.all(Option::is_none);
        self.decide(Some(rtt));
        if was_silent {
            Answer::AfterSilence
        } else {
            Answer::Ordinary
        }
    }

    /// When the next probe is to be given up.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.pending.front().map(|probe| probe.due)
    }

    pub(super) fn give_up(&mut self, now: Instant) {
        while self.pending.front().is_some_and(|probe| probe.due <= now) {
            self.pending.pop_front();
            self.decide(None);
        }
    }

    /// Counts only probes that are decided: answered or lost.
    pub(super) fn status(&self, target: IpAddr) -> ProbeStatus {
        let answers = || self.outcomes.iter().filter_map(|outcome| *outcome);
        let answered = answers().count() as u64;
        ProbeStatus {
            target,
            sent: self.outcomes.len() as u64,
            lost: self.outcomes.len() as u64 - answered,
            rtt_last: self.last,
            rtt_min: answers().min(),
            rtt_avg: answers().sum::<u64>().checked_div(answered),
            rtt_max: answers().max(),
            ..ProbeStatus::new(target, "icmp")
        }
    }

    fn decide(&mut self, outcome: Option<u64>) {
        if self.outcomes.len() == LENGTH {
            self.outcomes.pop_front();
        }
        self.outcomes.push_back(outcome);
    }
}

const LENGTH: usize = 100;
/// So many lost in a row are no accident.
const SILENCE: usize = 3;
/// An answer later than this is as good as none.
const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn answers_out_of_order_are_matched_and_silence_is_loss_after_a_second() {
        let (mut window, start) = (Window::default(), Instant::now());
        for sequence in 1..=3 {
            window.sent(sequence, Duration::from_micros(100), start);
        }
        let soon = start + Duration::from_millis(1);
        window.answered(3, Duration::from_micros(400), soon);
        window.answered(1, Duration::from_micros(300), soon);
        window.answered(9, Duration::from_micros(300), soon);
        assert_eq!((window.status(HERE).sent, window.status(HERE).lost), (2, 0));
        window.give_up(start + PATIENCE);
        let expected = ProbeStatus {
            target: HERE,
            sent: 3,
            lost: 1,
            rtt_last: Some(200),
            rtt_min: Some(200),
            rtt_avg: Some(250),
            rtt_max: Some(300),
            ..ProbeStatus::new(HERE, "icmp")
        };
        assert_eq!(window.status(HERE), expected);
        window.answered(2, Duration::from_micros(900), start + PATIENCE);
        assert_eq!(window.status(HERE), expected, "too late is lost");
    }

    #[test]
    fn the_first_answer_after_three_losses_ends_a_silence() {
        let (mut window, now) = (Window::default(), Instant::now());
        let answered = |window: &mut Window, sequence| {
            window.sent(sequence, Duration::ZERO, now);
            window.answered(sequence, Duration::ZERO, now)
        };
        assert_eq!(answered(&mut window, 1), Answer::Ordinary);
        (0..2).for_each(|_| window.failed());
        assert_eq!(answered(&mut window, 2), Answer::Ordinary);
        (0..3).for_each(|_| window.failed());
        assert_eq!(answered(&mut window, 3), Answer::AfterSilence);
        assert_eq!(answered(&mut window, 4), Answer::Ordinary);
    }

    #[test]
    fn a_wall_clock_that_is_set_meanwhile_makes_no_round_trip_longer_or_shorter() {
        let (mut window, start) = (Window::default(), Instant::now());
        let noon = Duration::from_secs(1_000_000);
        let answered = start + Duration::from_millis(3);
        for (sequence, at) in [
            (1, noon + Duration::from_secs(3600)),
            (2, noon - Duration::from_secs(86_400)),
        ] {
            window.sent(sequence, noon, start);
            window.answered(sequence, at, answered);
            assert_eq!(window.status(HERE).rtt_last, Some(3000));
        }
    }

    #[test]
    fn only_the_last_hundred_count() {
        let mut window = Window::default();
        (0..50).for_each(|_| window.failed());
        assert_eq!(
            (window.status(HERE).sent, window.status(HERE).lost),
            (50, 50)
        );
        for sequence in 0..80 {
            window.sent(sequence, Duration::ZERO, Instant::now());
            window.answered(sequence, Duration::from_micros(7), Instant::now());
        }
        assert_eq!(
            (window.status(HERE).sent, window.status(HERE).lost),
            (100, 20)
        );
    }
}
