//! Which of a prefix's paths is best: elimination over the candidates, one step
//! a clause of RFC 4271 §9.1.2.2, because MED has no pairwise order.

use std::fmt;
use std::net::IpAddr;

use smallvec::SmallVec;

use crate::PathId;
use crate::wire::Origin;

/// One clause. Who loses a step is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// RFC 4271 §9.1.2.1 leaves local routes outside. They win whatever a peer's
    /// preference is: no peer takes our own announcement away.
    LocallyOriginated,
    /// Ours, as RFC 4724 §4.2 keeps them: a stale path only serves while there
    /// is no other.
    Stale,
    /// RFC 4271 §9.1.1: degree of preference.
    LocalPref,
    /// §9.1.2.2 (a)
    AsPathLength,
    /// §9.1.2.2 (b)
    Origin,
    /// §9.1.2.2 (c): only among paths of one neighbor AS.
    Med,
    /// §9.1.2.2 (d); (e), the cost to the next hop, needs an IGP.
    External,
    /// §9.1.2.2 (f), with RFC 4456 §9's ORIGINATOR_ID in its place.
    RouterId,
    /// RFC 4456 §9.
    ClusterListLength,
    /// §9.1.2.2 (g); between sessions of one address, the older name.
    PeerAddress,
}

impl Step {
    pub const ORDER: [Self; 10] = [
        Self::LocallyOriginated,
        Self::Stale,
        Self::LocalPref,
        Self::AsPathLength,
        Self::Origin,
        Self::Med,
        Self::External,
        Self::RouterId,
        Self::ClusterListLength,
        Self::PeerAddress,
    ];
}

/// Why a path lost, in words for an operator.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stale => "stale: its session is down, and another path is fresh",
            Self::LocalPref => "another path has a higher LOCAL_PREF",
            Self::LocallyOriginated => "this router originates the prefix",
            Self::AsPathLength => "another path has a shorter AS_PATH",
            Self::Origin => "another path has a lower ORIGIN",
            Self::Med => "another path from the same neighbor AS has a lower MED",
            Self::External => "another path is external (eBGP)",
            Self::RouterId => "another path's router has a lower router id",
            Self::ClusterListLength => "another path has a shorter CLUSTER_LIST",
            Self::PeerAddress => "another path's peer has a lower address",
        })
    }
}

/// What the decision knows of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) stale: bool,
    pub(super) local: bool,
    pub(super) internal: bool,
    pub(super) origin: Origin,
    pub(super) local_pref: u32,
    pub(super) as_path_len: u16,
    pub(super) cluster_list_len: u16,
    pub(super) med: u32,
    pub(super) neighbor_asn: u32,
    /// ORIGINATOR_ID, or else the peer's.
    pub(super) router_id: u32,
    pub(super) address: IpAddr,
    pub(super) path: PathId,
}

/// The best one's position. `lost` is told of every other one that is eliminated.
pub(super) fn decide(candidates: &[Candidate], mut lost: impl FnMut(usize, Step)) -> Option<usize> {
    let mut left: SmallVec<[usize; 8]> = (0..candidates.len()).collect();
    for step in Step::ORDER {
        if left.len() <= 1 {
            break;
        }
        let lost = |at: usize| lost(at, step);
        match step {
            Step::LocallyOriginated => keep_lowest(candidates, &mut left, |path| !path.local, lost),
            Step::Stale => keep_lowest(candidates, &mut left, |path| path.stale, lost),
            Step::LocalPref => keep_lowest(candidates, &mut left, |path| !path.local_pref, lost),
            Step::AsPathLength => keep_lowest(candidates, &mut left, |path| path.as_path_len, lost),
            Step::Origin => keep_lowest(candidates, &mut left, |path| path.origin as u8, lost),
            Step::Med => keep_lowest_med(candidates, &mut left, lost),
            Step::External => keep_lowest(candidates, &mut left, |path| path.internal, lost),
            Step::RouterId => keep_lowest(candidates, &mut left, |path| path.router_id, lost),
            Step::ClusterListLength => {
                keep_lowest(candidates, &mut left, |path| path.cluster_list_len, lost)
            }
            Step::PeerAddress => keep_lowest(
                candidates,
                &mut left,
                |path| (path.address, path.path),
                lost,
            ),
        }
    }
    left.first().copied()
}

fn keep_lowest<K: Ord>(
    candidates: &[Candidate],
    left: &mut SmallVec<[usize; 8]>,
    key: impl Fn(&Candidate) -> K,
    mut lost: impl FnMut(usize),
) {
    let Some(lowest) = left.iter().map(|at| key(&candidates[*at])).min() else {
        return;
    };
    left.retain(|at| {
        let keep = key(&candidates[*at]) == lowest;
        if !keep {
            lost(*at);
        }
        keep
    });
}

fn keep_lowest_med(
    candidates: &[Candidate],
    left: &mut SmallVec<[usize; 8]>,
    mut lost: impl FnMut(usize),
) {
    let others = left.clone();
    left.retain(|at| {
        let path = &candidates[*at];
        let beaten = others
            .iter()
            .map(|other| &candidates[*other])
            .any(|other| other.neighbor_asn == path.neighbor_asn && other.med < path.med);
        if beaten {
            lost(*at);
        }
        !beaten
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::net::Ipv4Addr;

    use super::*;

    fn candidate(id: u32) -> Candidate {
        Candidate {
            stale: false,
            local: false,
            internal: false,
            origin: Origin::Igp,
            local_pref: 100,
            as_path_len: 2,
            cluster_list_len: 0,
            med: 0,
            neighbor_asn: 64512,
            router_id: 10,
            address: Ipv4Addr::from(id).into(),
            path: PathId(id),
        }
    }

    /// Two paths, the second worse by `worse`: it loses at `step` in either order.
    fn check(step: Step, worse: impl Fn(&mut Candidate)) {
        // By every later step the loser is the better one.
        let mut loser = candidate(0);
        worse(&mut loser);
        for (candidates, winner) in [([candidate(1), loser], 0), ([loser, candidate(1)], 1)] {
            let mut losses = Vec::new();
            let best = decide(&candidates, |at, step| losses.push((at, step)));
            assert_eq!((best, losses), (Some(winner), vec![(1 - winner, step)]));
        }
    }

    #[test]
    fn every_step_of_the_decision_has_its_loser() {
        check(Step::Stale, |path| {
            (path.stale, path.local_pref) = (true, 200)
        });
        check(Step::LocalPref, |path| {
            (path.local_pref, path.as_path_len) = (99, 1)
        });
        check(Step::AsPathLength, |path| {
            (path.as_path_len, path.router_id) = (3, 1)
        });
        check(Step::Origin, |path| {
            (path.origin, path.router_id) = (Origin::Egp, 1)
        });
        check(Step::Med, |path| (path.med, path.router_id) = (1, 1));
        check(Step::External, |path| {
            (path.internal, path.router_id) = (true, 1)
        });
        check(Step::RouterId, |path| path.router_id = 11);
        check(Step::ClusterListLength, |path| path.cluster_list_len = 1);
        check(Step::PeerAddress, |path| {
            path.address = Ipv4Addr::from(9).into()
        });
        check(Step::PeerAddress, |path| {
            (path.address, path.path) = (Ipv4Addr::from(1).into(), PathId(2))
        });
    }

    #[test]
    fn a_local_route_wins_over_a_higher_local_pref() {
        let local = Candidate {
            local: true,
            ..candidate(2)
        };
        let heard = Candidate {
            local_pref: 300,
            as_path_len: 1,
            ..candidate(1)
        };
        let mut losses = Vec::new();
        assert_eq!(
            decide(&[heard, local], |at, step| losses.push((at, step))),
            Some(1)
        );
        assert_eq!(losses, [(0, Step::LocallyOriginated)]);
    }

    #[test]
    fn med_counts_only_within_one_neighbor_as() {
        let other = Candidate {
            med: 50,
            neighbor_asn: 64513,
            router_id: 1,
            ..candidate(2)
        };
        assert_eq!(decide(&[candidate(1), other], |_, _| ()), Some(1));
    }

    /// Pairwise, a beats b (MED), b beats c, c beats a (router id): only
    /// elimination has an answer that doesn't depend on the order.
    #[test]
    fn med_that_no_pairwise_order_can_hold_has_one_answer() {
        let a = Candidate {
            med: 1,
            router_id: 30,
            ..candidate(1)
        };
        let b = Candidate {
            med: 2,
            router_id: 10,
            ..candidate(2)
        };
        let c = Candidate {
            neighbor_asn: 64513,
            router_id: 20,
            ..candidate(3)
        };
        for order in [
            [a, b, c],
            [b, c, a],
            [c, a, b],
            [c, b, a],
            [a, c, b],
            [b, a, c],
        ] {
            let best = decide(&order, |_, _| ()).unwrap();
            assert_eq!(order[best].path, PathId(3));
        }
    }

    #[test]
    fn without_candidates_there_is_no_best() {
        assert_eq!(decide(&[], |_, _| ()), None);
    }
}
