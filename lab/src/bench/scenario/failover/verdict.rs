//! What a flow showed of one fault.

use std::time::Duration;

use super::arena::Link;
use super::traffic::Outcome;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    pub lost: u64,
    /// Lost packets as time: how long nothing at all would have passed.
    pub outage: Duration,
    /// From the first lost packet to the last.
    pub span: Duration,
    /// From the fault to the sending of the first packet that went the new way
    /// for good.
    pub moved_after: Option<Duration>,
    /// How often the traffic changed its link.
    pub moves: usize,
    /// The link of the last packets.
    pub ends_on: Option<Link>,
}

impl Verdict {
    /// `since`: when the fault was made, by the clock that stamps packets.
    pub fn of(outcome: &Outcome, since: u64) -> Self {
        let links = by_number(outcome);
        let lost_at: Vec<u64> = links
            .iter()
            .zip(&outcome.sent)
            .filter(|(link, _)| link.is_none())
            .map(|(_, sent)| *sent)
            .collect();
        let stretches = stretches(&links);
        let last_move = stretches.len().checked_sub(1).filter(|last| *last > 0);
        let moved_at = last_move.map(|last| outcome.sent[stretches[last].0]);
        let lost = lost_at.len() as u64;
        let span = lost_at.last().zip(lost_at.first());
        Self {
            lost,
            outage: outcome.interval * u32::try_from(lost).unwrap_or(u32::MAX),
            span: Duration::from_nanos(span.map_or(0, |(last, first)| last - first)),
            moved_after: moved_at.map(|at| Duration::from_nanos(at.saturating_sub(since))),
            moves: stretches.len().saturating_sub(1),
            ends_on: stretches.last().map(|(_, link)| *link),
        }
    }
}

/// The link that each packet came by first; `None`: lost.
fn by_number(outcome: &Outcome) -> Vec<Option<Link>> {
    let mut links = vec![None; outcome.sent.len()];
    for (link, arrivals) in Link::BOTH.into_iter().zip(&outcome.arrivals) {
        for arrival in arrivals {
            let number = usize::try_from(arrival.number).unwrap_or(usize::MAX);
            // A packet of an earlier flow may have been on its way for long.
            if let Some(slot @ None) = links.get_mut(number) {
                *slot = Some(link);
            }
        }
    }
    links
}

/// Where the traffic took to a link and stayed: the number of the first packet,
/// and the link. While prefixes are moved one by one it is on neither.
fn stretches(links: &[Option<Link>]) -> Vec<(usize, Link)> {
    let mut stretches: Vec<(usize, Link)> = vec![];
    let mut run: Option<(usize, Link, usize)> = None;
    for (number, link) in links.iter().enumerate() {
        let Some(link) = *link else { continue };
        let (first, length) = match run {
            Some((first, of, length)) if of == link => (first, length + 1),
            _ => (number, 1),
        };
        run = Some((first, link, length));
        let stays = stretches.last().is_some_and(|(_, last)| *last == link);
        if length == STEADY && !stays {
            stretches.push((first, link));
        }
    }
    stretches
}

/// So many packets in a row by one link.
const STEADY: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::scenario::failover::traffic::Arrival;

    /// One packet a millisecond; each letter is 100 of them.
    fn outcome(pattern: &str) -> Outcome {
        let mut outcome = Outcome {
            interval: Duration::from_millis(1),
            sent: vec![],
            arrivals: [vec![], vec![]],
        };
        for letter in pattern.chars() {
            for _ in 0..100 {
                let number = outcome.sent.len() as u64;
                let at = number * 1_000_000;
                outcome.sent.push(at);
                let by = match letter {
                    'a' => 0,
                    'b' => 1,
                    _ => continue,
                };
                outcome.arrivals[by].push(Arrival { number, at });
            }
        }
        outcome
    }

    #[test]
    fn lost_packets_are_an_outage_and_a_change_of_links_is_a_move() {
        let verdict = Verdict::of(&outcome("aa--bb"), 200_000_000);
        assert_eq!((verdict.lost, verdict.moves), (200, 1));
        assert_eq!(verdict.outage, Duration::from_millis(200));
        assert_eq!(verdict.span, Duration::from_millis(199));
        assert_eq!(verdict.moved_after, Some(Duration::from_millis(200)));
        assert_eq!(verdict.ends_on, Some(Link::B));
    }

    #[test]
    fn traffic_that_stays_where_it_was_has_not_moved() {
        let verdict = Verdict::of(&outcome("aa-aa"), 0);
        assert_eq!((verdict.moves, verdict.moved_after), (0, None));
        assert_eq!(Verdict::of(&outcome("aabbaabb"), 0).moves, 3);
    }

    #[test]
    fn prefixes_that_move_one_by_one_are_one_move() {
        let mut mixed = outcome("aabb");
        // Every tenth of the middle ones comes by the other link.
        for number in (100..300).step_by(10) {
            let [a, b] = &mut mixed.arrivals;
            let (from, to) = if number < 200 { (a, b) } else { (b, a) };
            let place = from.iter().position(|arrival| arrival.number == number);
            let arrival = from.remove(place.expect("it came"));
            to.push(arrival);
        }
        assert_eq!(Verdict::of(&mixed, 0).moves, 1);
    }
}
