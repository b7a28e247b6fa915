//! What a reflector's answers say of each direction.
//!
//! A reflector that keeps state counts the packets that it reflects (RFC 8762
//! §4.3): between two answers, what its count lacks was lost on the way there, and
//! what it counted without our hearing of it on the way back. One without state
//! repeats our numbers. To tell them apart, number 0 is never sent: to a reflector
//! it is one more lost packet, and afterwards its count differs from ours.

use std::collections::VecDeque;
use std::time::Duration;

use bgp_core::path::{Direction, OneWay};

use super::Reply;
use super::packet::Timestamp;
use crate::probe::window::Window;

#[derive(Debug, Default)]
pub(crate) struct Reflections {
    newest: Option<Newest>,
    /// Nanoseconds each way of the last answers, each by two clocks that need not
    /// agree.
    out: VecDeque<i64>,
    back: VecDeque<i64>,
    /// The last answer's.
    delay: Option<OneWay>,
    lost_out: u64,
    lost_back: u64,
    counts: bool,
}

#[derive(Clone, Copy, Debug)]
struct Newest {
    ours: u32,
    theirs: u32,
}

impl Reflections {
    /// Names the direction in which probes were lost between the newest answer so
    /// far and this one.
    pub(crate) fn attribute(&mut self, reply: &Reply, window: &mut Window) {
        let (ours, theirs) = (reply.sender_sequence, reply.sequence);
        self.counts |= ours != theirs;
        let Some(newest) = self.newest else {
            self.newest = Some(Newest { ours, theirs });
            return;
        };
        if ours <= newest.ours {
            // It was overtaken.
            return;
        }
        self.newest = Some(Newest { ours, theirs });
        let (sent, reflected) = (ours - newest.ours, theirs.wrapping_sub(newest.theirs));
        // A reflector that has started anew, or none that counts.
        if !self.counts || reflected == 0 || reflected > sent {
            return;
        }
        let lost_out = (sent - reflected) as usize;
        for (index, probe) in window.between(newest.ours, ours).enumerate() {
            probe.direction = match index < lost_out {
                true => Direction::Out,
                false => Direction::Back,
            };
        }
    }

    pub(crate) fn lost(&mut self, direction: Direction) {
        match direction {
            Direction::Out => self.lost_out += 1,
            Direction::Back => self.lost_back += 1,
            Direction::Unknown => {}
        }
    }

    /// The one-way delays' change against their least of late. `left` and `arrived`
    /// are by our wall clock.
    pub(crate) fn delay(
        &mut self,
        reply: &Reply,
        left: Duration,
        arrived: Duration,
        rtt: Duration,
    ) -> OneWay {
        let out = reply.received.since(Timestamp::at(left));
        let back = Timestamp::at(arrived).since(reply.sent);
        let mut delay = OneWay {
            out: remember(&mut self.out, out),
            back: remember(&mut self.back, back),
        };
        // More than both ways together: one of the clocks was set.
        if delay.out > rtt || delay.back > rtt {
            self.out = VecDeque::from([out]);
            self.back = VecDeque::from([back]);
            delay = OneWay::default();
        }
        self.delay = Some(delay);
        delay
    }

    /// Lost out and back; `None` while the reflector is not known to count.
    pub(crate) fn losses(&self) -> Option<(u64, u64)> {
        self.counts.then_some((self.lost_out, self.lost_back))
    }

    pub(crate) fn last_delay(&self) -> Option<OneWay> {
        self.delay
    }
}

/// How much more it is than the least of late.
fn remember(delays: &mut VecDeque<i64>, delay: i64) -> Duration {
    if delays.len() == LENGTH {
        delays.pop_front();
    }
    delays.push_back(delay);
    let least = delays.iter().min().copied().unwrap_or(delay);
    Duration::from_nanos(delay.saturating_sub(least).try_into().unwrap_or(0))
}

/// Answers for which two clocks run alike well enough.
const LENGTH: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::clock::Now;

    const DAY: Duration = Duration::from_secs(86_400);

    fn reply(ours: u32, theirs: u32) -> Reply {
        Reply {
            sequence: theirs,
            sent: Timestamp::at(DAY),
            received: Timestamp::at(DAY),
            session: 1,
            sender_sequence: ours,
        }
    }

    /// Sends 1 to 9, of which these are answered with the reflector's number.
    fn directions(answers: &[(u32, u32)]) -> Vec<(u32, Direction)> {
        let (mut window, mut reflections) = (Window::default(), Reflections::default());
        let start = Now::read();
        (1..10).for_each(|sequence| window.sent(sequence, start));
        for (ours, theirs) in answers {
            reflections.attribute(&reply(*ours, *theirs), &mut window);
            window.answered(*ours, None, Duration::ZERO, start);
        }
        let last = answers.last().map_or(0, |(ours, _)| *ours);
        let pending = (1..last).filter_map(|sequence| window.pending(sequence));
        pending.map(|one| (one.sequence, one.direction)).collect()
    }

    #[test]
    fn a_reflectors_count_tells_where_a_packet_was_lost() {
        use Direction::{Back, Out, Unknown};
        for (what, answers, expected) in [
            ("none", &[(1, 0), (2, 1), (3, 2)][..], vec![]),
            ("out", &[(1, 0), (4, 1)], vec![(2, Out), (3, Out)]),
            ("back", &[(1, 0), (4, 3)], vec![(2, Back), (3, Back)]),
            ("both", &[(1, 0), (4, 2)], vec![(2, Out), (3, Back)]),
            ("no state", &[(1, 1), (3, 3)], vec![(2, Unknown)]),
            ("started anew", &[(1, 50), (3, 0)], vec![(2, Unknown)]),
            (
                "reordered",
                &[(1, 0), (3, 2), (2, 1), (5, 3)],
                vec![(4, Out)],
            ),
        ] {
            assert_eq!(directions(answers), expected, "{what}");
        }
    }

    #[test]
    fn delays_are_told_by_their_change_whatever_the_clocks_difference() {
        let ms = Duration::from_millis;
        // Timestamps have 2⁻³² s.
        let rounded = |delay: Duration| (delay.as_secs_f64() * 1e3).round() as u32;
        for offset in [Duration::ZERO, DAY] {
            let mut reflections = Reflections::default();
            let mut delay = |out, back| {
                let reply = Reply {
                    received: Timestamp::at(DAY + offset + out),
                    sent: Timestamp::at(DAY + offset + out),
                    ..reply(1, 0)
                };
                let delay = reflections.delay(&reply, DAY, DAY + out + back, out + back);
                (rounded(delay.out), rounded(delay.back))
            };
            assert_eq!(delay(ms(5), ms(5)), (0, 0));
            assert_eq!(delay(ms(35), ms(5)), (30, 0));
            assert_eq!(delay(ms(5), ms(25)), (0, 20));
        }
    }

    #[test]
    fn a_clock_that_is_set_is_no_delay() {
        let mut reflections = Reflections::default();
        let rtt = Duration::from_millis(10);
        for offset in [0, 3600, 0] {
            let theirs = Timestamp::at(DAY + Duration::from_secs(offset) + rtt / 2);
            let reply = Reply {
                received: theirs,
                sent: theirs,
                ..reply(1, 0)
            };
            let delay = reflections.delay(&reply, DAY, DAY + rtt, rtt);
            assert_eq!(delay, OneWay::default());
        }
    }
}
