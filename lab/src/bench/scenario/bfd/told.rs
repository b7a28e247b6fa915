//! What the far ends' logs tell of sessions that went Down, and who said so first.

use std::fmt;
use std::net::Ipv4Addr;

use super::ends::{Far, Link, Timer};

/// One session that went Down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Down {
    between: Link,
    timer: Timer,
    declared: Declared,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Declared {
    /// The one whose log it is: it heard nothing for the Detection Time.
    Here,
    There,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Downs(Vec<Down>);

impl Downs {
    /// Of both logs; what the far ends say of each other is read once, in BIRD's.
    pub(super) fn read(bird: &str, frr: &str) -> Self {
        let mut downs = in_bird(bird);
        let by_frr = in_frr(frr).into_iter();
        downs.extend(by_frr.filter(|down| down.between != Link::Far));
        Self(downs)
    }

    /// Without those of an earlier look at the same logs.
    pub(super) fn since(mut self, earlier: &Self) -> Self {
        for down in &earlier.0 {
            if let Some(known) = self.0.iter().position(|one| one == down) {
                self.0.remove(known);
            }
        }
        self
    }

    pub(super) fn of_edge(&self, timer: Timer) -> usize {
        self.count(|down| down.between != Link::Far && down.timer == timer)
    }

    pub(super) fn by_edge(&self) -> usize {
        self.count(|down| down.between != Link::Far && down.declared == Declared::There)
    }

    pub(super) fn control(&self) -> usize {
        self.count(|down| down.between == Link::Far)
    }

    fn count(&self, which: impl Fn(&Down) -> bool) -> usize {
        self.0.iter().filter(|down| which(down)).count()
    }
}

/// `10 ms x 3: 0, 50 ms x 3: 0, …`
impl fmt::Display for Downs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for timer in Timer::ALL {
            write!(f, "{}: {}, ", timer.quantity().name, self.of_edge(timer))?;
        }
        let (by_edge, control) = (self.by_edge(), self.control());
        write!(f, "{by_edge} declared by the edge; control: {control}")
    }
}

/// `Session to 10.97.1.1 expired`, where it is BIRD that hears nothing; then, or
/// alone, `Session to 10.97.1.1 changed state from Up to Down`.
fn in_bird(log: &str) -> Vec<Down> {
    let mut downs = vec![];
    let mut expired = None;
    for line in log.lines() {
        let Some((_, said)) = line.split_once("Session to ") else {
            continue;
        };
        let Some((peer, said)) = said.split_once(' ') else {
            continue;
        };
        match said {
            "expired" => expired = Some(peer),
            "changed state from Up to Down" => {
                let declared = match expired.take() {
                    Some(silent) if silent == peer => Declared::Here,
                    _ => Declared::There,
                };
                downs.extend(down(peer, Far::Bird, declared));
            }
            _ => {}
        }
    }
    downs
}

/// `state-change: [… peer:10.97.4.1 local:…] up -> down reason:control-expired`
fn in_frr(log: &str) -> Vec<Down> {
    let lines = log.lines().filter_map(|line| {
        let (_, reason) = line.split_once("] up -> down reason:")?;
        let (_, peer) = line.split_once("peer:")?;
        let peer = peer.split_whitespace().next()?;
        let declared = match reason.trim() {
            "control-expired" => Declared::Here,
            _ => Declared::There,
        };
        down(peer, Far::Frr, declared)
    });
    lines.collect()
}

fn down(peer: &str, at: Far, declared: Declared) -> Option<Down> {
    let peer: Ipv4Addr = peer.parse().ok()?;
    let (between, timer) = Link::of_peer(peer, at)?;
    Some(Down {
        between,
        timer,
        declared,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BIRD: &str = "\
2026-11-23 23:46:15.900 <TRACE> bfd1: Session to 10.97.1.1 changed state from Init to Up
2026-11-23 23:46:16.013 <TRACE> bfd1: Session to 10.97.0.1 expired
2026-11-23 23:46:16.013 <TRACE> bfd1: Session to 10.97.0.1 changed state from Up to Down
2026-11-23 23:46:16.078 <TRACE> bfd1: Session to 10.97.0.1 changed state from Down to Init
2026-11-23 23:46:17.215 <TRACE> bfd1: Session to 10.97.1.1 changed state from Up to Down
2026-11-23 23:46:17.215 <TRACE> bfd1: Session to 10.97.8.2 changed state from Up to Down
";
    const FRR: &str = "\
2026/11/23 23:32:09 BFD: [SEY1D-NT8EQ] state-change: [mhop:no peer:10.97.4.1 local:10.97.4.2 vrf:default ifname:f0] up -> down reason:control-expired
2026/11/23 23:32:09 BFD: [J1C6V-VMRW5] state-change: [mhop:no peer:10.97.4.1 local:10.97.4.2 vrf:default ifname:f0] init -> up
2026/11/23 23:32:10 BFD: [SEY1D-NT8EQ] state-change: [mhop:no peer:10.97.7.1 local:10.97.7.2 vrf:default ifname:f3] up -> down reason:path-down
2026/11/23 23:32:11 BFD: [SEY1D-NT8EQ] state-change: [mhop:no peer:10.97.8.1 local:10.97.8.2 vrf:default ifname:c0] up -> down reason:control-expired
";

    #[test]
    fn each_down_is_counted_once_with_who_declared_it() {
        let downs = Downs::read(BIRD, FRR);
        let by_timer = Timer::ALL.map(|timer| downs.of_edge(timer));
        assert_eq!(by_timer, [2, 1, 0, 1], "{downs:?}");
        assert_eq!(downs.by_edge(), 2, "{downs:?}");
        assert_eq!(downs.control(), 1, "{downs:?}");
    }

    #[test]
    fn what_was_down_before_is_not_counted_again() {
        let before = Downs::read(BIRD, "");
        let after = Downs::read(BIRD, FRR).since(&before);
        assert_eq!(after.of_edge(Timer::ALL[0]), 1, "{after:?}");
        assert_eq!(after.control(), 0, "{after:?}");
    }
}
