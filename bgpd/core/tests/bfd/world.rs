//! Two speakers and the wire between them, in memory.

use std::time::{Duration, Instant};

use bgp_core::bfd::{Change, Discarded, Encoded, Header, Session, Settings, State, decode};

/// What the wire does with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Deliver,
    Lose,
}

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) ends: [Session; 2],
    /// From the first to the second, and back.
    pub(crate) wire: [Fate; 2],
    /// Every packet that was sent: when, by whom.
    pub(crate) sent: Vec<(Instant, usize, Header)>,
    pub(crate) changes: Vec<(Instant, usize, Change)>,
    pub(crate) discarded: Vec<Discarded>,
}

pub(crate) fn settings(interval: u64, multiplier: u8) -> Settings {
    Settings {
        transmit_interval: Duration::from_millis(interval),
        receive_interval: Duration::from_millis(interval),
        multiplier,
        authentication: None,
    }
}

impl World {
    pub(crate) fn new(first: Settings, second: Settings) -> Self {
        let now = Instant::now();
        Self {
            now,
            ends: [
                Session::new(first, 0x1111_1111, 1, now),
                Session::new(second, 0x2222_2222, 2, now),
            ],
            wire: [Fate::Deliver; 2],
            sent: Vec::new(),
            changes: Vec::new(),
            discarded: Vec::new(),
        }
    }

    /// Both Up.
    pub(crate) fn up(first: Settings, second: Settings) -> Self {
        let mut world = Self::new(first, second);
        world.run(Duration::from_secs(10));
        assert_eq!(world.states(), [State::Up, State::Up]);
        world.changes.clear();
        world.sent.clear();
        world
    }

    pub(crate) fn states(&self) -> [State; 2] {
        [self.ends[0].state(), self.ends[1].state()]
    }

    /// Lets time pass, from timer to timer.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.flush();
            let next = self.ends.iter().filter_map(Session::next_timeout).min();
            match next.filter(|next| *next <= end) {
                Some(next) => {
                    self.now = self.now.max(next);
                    for end in &mut self.ends {
                        end.handle_timeout(self.now);
                    }
                }
                None => break,
            }
        }
        self.now = end;
    }

    /// Sends and delivers until nobody has anything to say.
    pub(crate) fn flush(&mut self) {
        loop {
            self.note_changes();
            let mut quiet = true;
            for from in 0..2 {
                while let Some(packet) = self.ends[from].poll_transmit(self.now) {
                    quiet = false;
                    self.carry(from, &packet);
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn carry(&mut self, from: usize, packet: &Encoded) {
        let packet = decode(packet.octets()).unwrap();
        self.sent.push((self.now, from, packet.header));
        if self.wire[from] == Fate::Deliver {
            let outcome = self.ends[1 - from].receive(&packet, self.now);
            self.discarded.extend(outcome.err());
        }
    }

    fn note_changes(&mut self) {
        for (who, end) in self.ends.iter_mut().enumerate() {
            if let Some(change) = end.poll_change() {
                self.changes.push((self.now, who, change));
            }
        }
    }

    /// The time between packets of one end, in milliseconds.
    pub(crate) fn gaps(&self, who: usize) -> Vec<f64> {
        let of = |(at, from, header): &(Instant, usize, Header)| {
            (*from == who && !header.r#final).then_some(*at)
        };
        let times: Vec<Instant> = self.sent.iter().filter_map(of).collect();
        times
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).as_secs_f64() * 1000.0)
            .collect()
    }
}
