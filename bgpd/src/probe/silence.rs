//! Silence on a busy link: when the receive counter of an interface that is being
//! sent on stands still for longer than traffic ever paused. A suspicion only: quick
//! echoes confirm it or not ([`super::watch`]). No clock: time is an argument.

use std::time::{Duration, Instant};

/// One interface's receive counter, as read so far.
#[derive(Debug)]
pub(super) struct Silence {
    last: Option<Reading>,
    /// Packets a second received of late, while anything was.
    rate: f64,
    /// The longest pause of late after which the link was heard again.
    usual_pause: Duration,
    /// Suspicions of late that proved false; they fade.
    false_alarms: f64,
    /// The transmit counter when the pause began to be noticed.
    sent_before: Option<u64>,
}

/// When the counter last moved.
#[derive(Clone, Copy, Debug)]
struct Reading {
    received: u64,
    at: Instant,
}

/// What a reading calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Nothing.
    None,
    /// Read the transmit counter, and tell it with the next reading.
    Transmitted,
    /// Find out whether anybody is there.
    Suspicion,
}

impl Silence {
    pub(super) fn new() -> Self {
        Self {
            last: None,
            rate: 0.0,
            usual_pause: Duration::ZERO,
            false_alarms: 0.0,
            sent_before: None,
        }
    }

    /// Takes in the receive counter. `sent`: the transmit counter, if it was asked
    /// for.
    pub(super) fn read(&mut self, received: u64, sent: Option<u64>, now: Instant) -> Call {
        let Some(last) = self.last else {
            self.last = Some(Reading { received, at: now });
            return Call::None;
        };
        if received != last.received {
            self.heard(received.saturating_sub(last.received), last.at, now);
            self.last = Some(Reading { received, at: now });
            return Call::None;
        }
        let pause = now.saturating_duration_since(last.at);
        let Some(threshold) = self.threshold() else {
            return Call::None;
        };
        if pause < threshold / 2 {
            return Call::None;
        }
        match (self.sent_before, sent) {
            (None, None) => Call::Transmitted,
            (None, Some(sent)) => {
                self.sent_before = Some(sent);
                Call::None
            }
            (Some(_), None) if pause >= threshold => Call::Transmitted,
            // Nothing was sent that could have been answered.
            (Some(before), Some(sent)) if sent.wrapping_sub(before) < TRANSMITTED => Call::None,
            (Some(_), Some(_)) if pause >= threshold => Call::Suspicion,
            (Some(_), _) => Call::None,
        }
    }

    /// A suspicion was false. That costs a few echoes, so some are allowed; beyond
    /// those the next one needs a longer pause than is usual.
    pub(super) fn was_false(&mut self, now: Instant) {
        self.false_alarms += 1.0;
        if let Some(last) = self.last {
            let pause = now.saturating_duration_since(last.at);
            self.remember_pause(pause);
        }
        self.sent_before = None;
    }

    /// The link was dead, and is alive again: that pause was no usual one. What came
    /// before need not come again at once, so the rate is learned anew: its absence
    /// would be taken for usual pauses.
    pub(super) fn revived(&mut self, received: u64, now: Instant) {
        self.last = Some(Reading { received, at: now });
        self.rate = 0.0;
        self.sent_before = None;
    }

    /// Whether so much is received that silence would be noticed.
    pub(super) fn is_busy(&self) -> bool {
        self.threshold().is_some()
    }

    /// How soon the counter is worth another look.
    pub(super) fn patience(&self) -> Duration {
        match self.threshold() {
            Some(threshold) => (threshold / READINGS).max(FASTEST),
            None => IDLE,
        }
    }

    /// How long it has been silent.
    pub(super) fn pause(&self, now: Instant) -> Duration {
        self.last.map_or(Duration::ZERO, |last| {
            now.saturating_duration_since(last.at)
        })
    }

    /// Packets a second.
    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    /// A pause so long is suspicious; `None`: too little traffic to tell.
    fn threshold(&self) -> Option<Duration> {
        let is_busy = self.rate >= LEAST_RATE;
        let by_rate = is_busy.then(|| Duration::from_secs_f64(PACKETS / self.rate))?;
        let by_pause = match self.false_alarms >= ALLOWED {
            true => self.usual_pause.saturating_mul(2),
            false => Duration::ZERO,
        };
        Some(by_rate.max(by_pause).max(SHORTEST)).filter(|threshold| *threshold <= LONGEST)
    }

    fn heard(&mut self, packets: u64, before: Instant, now: Instant) {
        let pause = now.saturating_duration_since(before);
        let seconds = pause.as_secs_f64().max(1e-6);
        let was_busy = self.rate >= LEAST_RATE;
        let weight = seconds / (RATE_OVER.as_secs_f64() + seconds);
        self.rate += (packets as f64 / seconds - self.rate) * weight;
        // What traffic does by itself fades from memory.
        let fade = (-seconds / FADING.as_secs_f64()).exp();
        self.usual_pause = self.usual_pause.mul_f64(fade);
        self.false_alarms *= fade;
        if was_busy && pause >= SHORTEST / 2 && pause < LONGEST {
            self.remember_pause(pause);
        }
        self.sent_before = None;
    }

    fn remember_pause(&mut self, pause: Duration) {
        self.usual_pause = self.usual_pause.max(pause).min(LONGEST);
    }
}

/// No shorter pause is suspicious …
const SHORTEST: Duration = Duration::from_millis(10);
/// … nor one in which fewer packets than this would have come: of traffic at random
/// one pause in 20,000 is so long.
const PACKETS: f64 = 10.0;
/// Beyond this, BFD is as fast.
const LONGEST: Duration = Duration::from_millis(300);
/// Packets a second below which pauses mean nothing: probes alone are no traffic.
const LEAST_RATE: f64 = 70.0;
const RATE_OVER: Duration = Duration::from_millis(100);
const FADING: Duration = Duration::from_secs(3);
/// False alarms, of which less is left after a second.
const ALLOWED: f64 = 2.5;
/// Packets sent in the second half of the pause that say that we do send.
const TRANSMITTED: u64 = 2;
/// Readings within the shortest suspicious pause.
const READINGS: u32 = 10;
pub(super) const FASTEST: Duration = Duration::from_millis(1);
/// A link without traffic is looked at only to see whether it has some again.
const IDLE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    /// A link read at 1 kHz by one that sends a packet a millisecond.
    struct Link {
        silence: Silence,
        now: Instant,
        received: u64,
        sent: u64,
        sends: bool,
        suspicions: u32,
    }

    impl Link {
        fn new() -> Self {
            Self {
                silence: Silence::new(),
                now: Instant::now(),
                received: 0,
                sent: 0,
                sends: true,
                suspicions: 0,
            }
        }

        /// A millisecond in which this many packets come.
        fn step(&mut self, packets: u64) -> Call {
            self.now += FASTEST;
            self.received += packets;
            self.sent += u64::from(self.sends);
            let mut call = self.silence.read(self.received, None, self.now);
            if call == Call::Transmitted {
                call = self.silence.read(self.received, Some(self.sent), self.now);
            }
            if call == Call::Suspicion {
                self.suspicions += 1;
            }
            call
        }

        fn run(&mut self, milliseconds: u32, packets: u64) {
            for _ in 0..milliseconds {
                self.step(packets);
            }
        }

        /// Milliseconds of silence until a suspicion.
        fn silent(&mut self, most: u32) -> Option<u32> {
            (1..=most).find(|_| self.step(0) == Call::Suspicion)
        }
    }

    #[test]
    fn silence_is_suspicious_after_ten_packets_time_or_ten_milliseconds() {
        for (each, packets, expected) in [(2, 1, 18..=23), (1, 1, 10..=12), (1, 100, 10..=12)] {
            let mut link = Link::new();
            for _ in 0..2000 / each {
                link.run(1, packets);
                link.run(each - 1, 0);
            }
            let after = link.silent(100).expect("a suspicion");
            assert!(expected.contains(&after), "{packets}: {after} ms");
            assert_eq!(link.suspicions, 1, "{packets}");
        }
    }

    #[test]
    fn an_idle_link_is_never_suspected_and_seldom_looked_at() {
        let mut link = Link::new();
        for _ in 0..50 {
            link.run(100, 0);
            link.step(2);
        }
        assert_eq!((link.suspicions, link.silence.is_busy()), (0, false));
        assert_eq!(link.silence.patience(), IDLE);
        link.run(2000, 1);
        assert_eq!(link.silence.patience(), FASTEST);
    }

    #[test]
    fn when_we_stop_sending_silence_means_nothing() {
        let mut link = Link::new();
        link.run(2000, 10);
        link.sends = false;
        assert_eq!(link.silent(2000), None);
        link.sends = true;
        assert!(link.silent(100).is_some());
    }

    #[test]
    fn a_suspicion_that_proves_false_makes_the_next_one_later() {
        let mut link = Link::new();
        link.run(2000, 10);
        let mut waits = Vec::new();
        while let Some(wait) = link.silent(1000) {
            waits.push(wait);
            link.silence.was_false(link.now);
            // The echo's answer.
            link.step(1);
            assert!(waits.len() < 20, "{waits:?}");
        }
        assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]), "{waits:?}");
    }

    #[test]
    fn an_outage_is_not_taken_for_a_habit() {
        let mut link = Link::new();
        for _ in 0..5 {
            link.run(1000, 10);
            let after = link.silent(100).expect("a suspicion");
            assert!(after <= 12, "{after} ms");
            link.run(150, 0);
            link.now += FASTEST;
            link.silence.revived(link.received, link.now);
        }
    }

    #[test]
    fn what_comes_back_later_than_its_link_leaves_no_habit() {
        let mut link = Link::new();
        link.run(2000, 10);
        assert!(link.silent(100).is_some());
        link.now += FASTEST;
        link.silence.revived(link.received, link.now);
        // Probes alone, whose answers refute each suspicion.
        for _ in 0..20 {
            link.step(1);
            for _ in 0..24 {
                if link.step(0) == Call::Suspicion {
                    link.silence.was_false(link.now);
                }
            }
        }
        assert_eq!(link.suspicions, 1, "the one that was right");
        link.run(2000, 10);
        let after = link.silent(100).expect("a suspicion");
        assert!(after <= 12, "{after} ms");
    }

    #[test]
    fn bursts_with_pauses_between_are_soon_known() {
        let mut link = Link::new();
        for _ in 0..200 {
            link.run(10, 20);
            for _ in 0..50 {
                if link.step(0) == Call::Suspicion {
                    link.silence.was_false(link.now);
                }
            }
        }
        assert!(link.suspicions <= 20, "{} in 12 s", link.suspicions);
        link.run(30_000, 10);
        let after = link.silent(100).expect("a suspicion");
        assert!(after <= 12, "pauses fade from memory: {after} ms");
    }

    #[test]
    fn a_pause_now_and_then_makes_no_later_one_longer() {
        let mut link = Link::new();
        for _ in 0..10 {
            link.run(1500, 10);
            let after = link.silent(100).expect("a suspicion");
            assert!(after <= 12, "{after} ms");
            link.run(15, 0);
            link.silence.was_false(link.now);
        }
    }
}
