//! The RIB equals a naive model that keeps everything in plain maps and computes
//! every answer anew, whatever happens in whatever order.

#![allow(clippy::unwrap_used)]

mod rib_world;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use bgp_core::api::PrefixCounts;
use bgp_core::config::{Peer, Ttl};
use bgp_core::policy::{Changes, Policy, PrefixMatch, Rule, Verdict};
use bgp_core::rib::{FibRoute, GroupId, Hop, OnDown, Rib};
use bgp_core::wire::{AsPathSegment, Community, NextHop, Origin, PathAttributes};
use bgp_core::{Asn, Family, PathId, RouterId};
use ipnet::IpNet;
use proptest::collection::vec;
use proptest::prelude::*;
use rib_world::{
    Kernel, OUR_ASN, Receiver, announcing, attributes, ending, local, net, peer, rib, session,
    walk, withdrawing,
};

/// What happens.
#[derive(Clone, Debug)]
enum Step {
    Up {
        peer: usize,
        router_id: u32,
    },
    Down {
        peer: usize,
        keep: bool,
    },
    Announce {
        peer: usize,
        attributes: Drawn,
        nets: Vec<usize>,
    },
    Withdraw {
        peer: usize,
        nets: Vec<usize>,
    },
    EndOfRib {
        peer: usize,
    },
    Configure {
        peer: usize,
        import: usize,
        export: usize,
        advertise: Vec<usize>,
    },
    Remove {
        peer: usize,
    },
    Refresh {
        peer: usize,
    },
    Drain {
        peer: usize,
        budget: usize,
    },
    DrainFib {
        budget: usize,
    },
    /// Some members don't keep up.
    FallOut {
        peer: usize,
        others: Vec<usize>,
    },
    Walk {
        budget: u32,
    },
    Reap {
        budget: usize,
    },
    Check,
}

/// Attributes, before it is known whose.
#[derive(Clone, Debug)]
struct Drawn {
    path: Vec<u32>,
    next_hop: u8,
    med: Option<u32>,
    local_pref: Option<u32>,
    origin: bool,
    communities: Vec<u32>,
    originator: Option<u32>,
    clusters: usize,
}

const PEERS: usize = 8;

fn configs() -> [Peer; PEERS] {
    let internal = |name, remote| Peer {
        ttl: Ttl::Multihop(64),
        ..peer(name, remote, OUR_ASN.0)
    };
    [
        peer("a", "198.51.100.1", 64512),
        peer("b", "198.51.100.2", 64512),
        peer("c", "198.51.100.3", 64513),
        internal("d", "10.0.0.1"),
        internal("e", "10.0.0.2"),
        peer("f", "2001:db8:1::1", 64512),
        peer("g", "2001:db8:1::2", 64513),
        Peer {
            advertise_limit: Some(2),
            ..peer("h", "198.51.100.4", 64513)
        },
    ]
}

fn nets(family: Family) -> Vec<IpNet> {
    match family {
        Family::Ipv4 => [
            "10.1.0.0/16",
            "10.1.2.0/24",
            "10.2.0.0/16",
            "172.16.0.0/12",
            "0.0.0.0/0",
            "192.0.2.0/24",
        ]
        .map(net)
        .to_vec(),
        Family::Ipv6 => ["2001:db8:a::/48", "2001:db8:b::/48", "::/0"]
            .map(net)
            .to_vec(),
    }
}

fn chosen(family: Family, picks: &[usize]) -> Vec<IpNet> {
    let nets = nets(family);
    picks.iter().map(|pick| nets[pick % nets.len()]).collect()
}

fn policies() -> Vec<Policy> {
    let some: Vec<PrefixMatch> = ["10.0.0.0/8 le 24", "::/0 ge 48"]
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
    let changes = Changes {
        local_pref: Some(150),
        med: Some(7),
        add_communities: vec![Community(1)],
        prepend: 2,
    };
    let changing = Rule {
        verdict: Verdict::Accept(changes),
        ..Rule::accept(some.clone())
    };
    let tagged = Rule {
        communities: vec![Community(2)],
        ..Rule::refuse(Vec::new(), "tagged")
    };
    vec![
        Policy::accept_all(),
        Policy::default(),
        Policy {
            rules: vec![Rule::accept(some)],
        },
        Policy {
            rules: vec![tagged, changing, Rule::accept(Vec::new())],
        },
    ]
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let path = vec(prop_oneof![9 => 1u32..5, 1 => Just(OUR_ASN.0)], 0..3);
    let communities = vec(
        prop_oneof![3 => 1u32..4, 1 => 0xffff_ff01u32..=0xffff_ff03],
        0..2,
    );
    (
        path,
        0u8..12,
        proptest::option::of(0u32..3),
        proptest::option::of(99u32..102),
        any::<bool>(),
        communities,
        proptest::option::weighted(0.2, prop_oneof![Just(0xc000_0201u32), 1u32..5]),
        0usize..3,
    )
        .prop_map(
            |(path, next_hop, med, local_pref, origin, communities, originator, clusters)| Drawn {
                path,
                next_hop,
                med,
                local_pref,
                origin,
                communities,
                originator,
                clusters,
            },
        )
}

fn step() -> impl Strategy<Value = Step> {
    let peer = || 0..PEERS;
    let picks = || vec(0usize..6, 1..4);
    prop_oneof![
        4 => (peer(), 1u32..4).prop_map(|(peer, router_id)| Step::Up { peer, router_id }),
        2 => (peer(), any::<bool>()).prop_map(|(peer, keep)| Step::Down { peer, keep }),
        12 => (peer(), drawn(), picks()).prop_map(|(peer, attributes, nets)| Step::Announce { peer, attributes, nets }),
        4 => (peer(), picks()).prop_map(|(peer, nets)| Step::Withdraw { peer, nets }),
        1 => peer().prop_map(|peer| Step::EndOfRib { peer }),
        2 => (peer(), 0usize..4, 0usize..4, vec(0usize..6, 0..2))
            .prop_map(|(peer, import, export, advertise)| Step::Configure { peer, import, export, advertise }),
        1 => peer().prop_map(|peer| Step::Remove { peer }),
        1 => peer().prop_map(|peer| Step::Refresh { peer }),
        4 => (peer(), 1usize..4).prop_map(|(peer, budget)| Step::Drain { peer, budget }),
        2 => (1usize..4).prop_map(|budget| Step::DrainFib { budget }),
        3 => (peer(), vec(peer(), 0..3)).prop_map(|(peer, others)| Step::FallOut { peer, others }),
        4 => (1u32..6).prop_map(|budget| Step::Walk { budget }),
        1 => (1usize..6).prop_map(|budget| Step::Reap { budget }),
        1 => Just(Step::Check),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn the_rib_equals_a_naive_model(steps in vec(step(), 1..80)) {
        let mut world = World::new();
        for step in steps {
            world.step(&step);
        }
        world.check();
        world.end();
    }
}

/// The RIB, the model, and everybody who listens.
struct World {
    rib: Rib,
    model: Model,
    receivers: Vec<Receiver>,
    kernel: Kernel,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            rib: rib(),
            model: Model::default(),
            receivers: vec![Receiver::default(); PEERS],
            kernel: Kernel::default(),
        };
        for (at, config) in configs().into_iter().enumerate() {
            world.configure(at, config);
            world.up(at, u32::try_from(at).unwrap() % 3 + 1);
        }
        world
    }

    fn configure(&mut self, at: usize, config: Peer) {
        let config = Arc::new(config);
        self.rib.configure(id(at), config.clone());
        self.model.peers.entry(at).or_default().config = Some(config);
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Up { peer, router_id } => self.up(*peer, *router_id),
            Step::Down { peer, keep } => self.down(*peer, *keep),
            Step::Announce {
                peer,
                attributes,
                nets,
            } => self.announce(*peer, attributes, nets),
            Step::Withdraw { peer, nets } => self.withdraw(*peer, nets),
            Step::EndOfRib { peer } => {
                let family = Family::of(configs()[*peer].remote);
                self.rib.update(id(*peer), &ending(family)).unwrap();
                if let Some(model) = self.model.peers.get_mut(peer).filter(|model| model.up) {
                    model.routes.retain(|_, (_, stale)| !*stale);
                }
            }
            Step::Configure {
                peer,
                import,
                export,
                advertise,
            } => {
                let mut config = configs()[*peer].clone();
                config.import = policies()[*import].clone();
                config.export = policies()[*export].clone();
                config.advertise = chosen(Family::of(config.remote), advertise);
                self.configure(*peer, config);
            }
            Step::Remove { peer } => {
                self.rib.remove(id(*peer));
                self.model.peers.remove(peer);
                self.receivers[*peer] = Receiver::default();
            }
            Step::Refresh { peer } => self
                .rib
                .refresh(id(*peer), Family::of(configs()[*peer].remote)),
            Step::Drain { peer, budget } => {
                self.rib.mark_changed();
                let family = Family::of(configs()[*peer].remote);
                if let Some(group) = self.rib.group_of(id(*peer), family) {
                    self.drain(group, *budget);
                }
            }
            Step::FallOut { peer, others } => {
                let family = Family::of(configs()[*peer].remote);
                if let Some(group) = self.rib.group_of(id(*peer), family) {
                    let mut members = vec![id(*peer)];
                    members.extend(others.iter().map(|at| id(*at)));
                    self.rib.fall_out(group, &members);
                }
            }
            Step::Walk { budget } => self.rib.walk(*budget),
            Step::DrainFib { budget } => {
                let changes = self.rib.drain_fib(*budget);
                self.kernel.take(changes);
            }
            Step::Reap { budget } => {
                self.rib.reap(*budget);
            }
            Step::Check => self.check(),
        }
    }

    fn up(&mut self, at: usize, router_id: u32) {
        let Some(model) = self.model.peers.get_mut(&at).filter(|model| !model.up) else {
            return;
        };
        let mut session = session(model.config.as_ref().unwrap(), router_id);
        if router_id == 3 {
            session.local = other_local(session.local);
            session.codec.extended_messages = true;
        }
        (model.up, model.router_id, model.local) = (true, router_id, Some(session.local));
        self.rib.established(id(at), session);
        self.receivers[at] = Receiver::default();
    }

    fn down(&mut self, at: usize, keep: bool) {
        let Some(model) = self.model.peers.get_mut(&at).filter(|model| model.up) else {
            return;
        };
        model.up = false;
        if keep {
            model
                .routes
                .values_mut()
                .for_each(|(_, stale)| *stale = true);
        } else {
            model.routes.clear();
        }
        self.rib.down(
            id(at),
            if keep {
                OnDown::KeepStale
            } else {
                OnDown::Withdraw
            },
        );
        self.receivers[at] = Receiver::default();
    }

    fn announce(&mut self, at: usize, drawn: &Drawn, picks: &[usize]) {
        let config = &configs()[at];
        let attributes = drawn.attributes(config);
        let nets = chosen(Family::of(config.remote), picks);
        self.rib
            .update(id(at), &announcing(attributes.clone(), &nets))
            .unwrap();
        if let Some(model) = self.model.peers.get_mut(&at).filter(|model| model.up) {
            model.routes.extend(
                nets.into_iter()
                    .map(|net| (net, (attributes.clone(), false))),
            );
        }
    }

    fn withdraw(&mut self, at: usize, picks: &[usize]) {
        let nets = chosen(Family::of(configs()[at].remote), picks);
        self.rib.update(id(at), &withdrawing(&nets)).unwrap();
        if let Some(model) = self.model.peers.get_mut(&at).filter(|model| model.up) {
            model.routes.retain(|net, _| !nets.contains(net));
        }
    }

    /// Tells a group a part of what it has to hear.
    fn drain(&mut self, group: GroupId, budget: usize) {
        let members: Vec<PathId> = self.rib.members(group).collect();
        for (audience, outbound) in self.rib.drain_group(group, budget) {
            let heard = members.iter().filter(|path| audience.includes(**path));
            for at in heard.map(|path| (path.0 - 10) as usize) {
                self.receivers[at].take(vec![outbound.clone()]);
            }
        }
    }

    /// Lets everybody hear everything, and compares.
    fn check(&mut self) {
        walk(&mut self.rib);
        self.rib.mark_changed();
        while let Some(group) = { self.rib.groups_to_tell().next() } {
            self.drain(group, 3);
        }
        self.kernel.drain(&mut self.rib);
        assert_eq!(self.kernel.routes, self.model.fib());
        for at in 0..PEERS {
            let receiver = &self.receivers[at];
            let heard: BTreeMap<IpNet, PathAttributes> = receiver
                .routes
                .iter()
                .map(|(net, attributes)| (*net, (**attributes).clone()))
                .collect();
            let held_back = self.check_heard(at, &heard);
            let is_up = self.model.peers.get(&at).is_some_and(|model| model.up);
            assert_eq!(receiver.ends_of_rib, usize::from(is_up));
            let expected = PrefixCounts {
                advertised: heard.len() as u64,
                held_back: held_back as u64,
                ..self.model.counts(at)
            };
            assert_eq!(self.rib.counts(id(at)), expected);
        }
        for net in Family::ALL.into_iter().flat_map(nets) {
            let shown = self
                .rib
                .lookup(net)
                .map(|route| route.paths)
                .unwrap_or_default();
            let best = shown
                .iter()
                .find(|path| path.best)
                .map(|path| path.peer.clone());
            assert_eq!(
                best,
                self.model.best(net).map(|at| self.model.name(at)),
                "{net}"
            );
            let peers: BTreeSet<String> = shown.iter().map(|path| path.peer.clone()).collect();
            assert_eq!(peers, self.model.everybody(net), "{net}");
            assert!(
                shown
                    .iter()
                    .all(|path| path.best == path.why_not_best.is_none()),
                "{shown:?}"
            );
        }
    }

    /// A peer with a limit has heard of as many as that allows; what is left.
    fn check_heard(&self, at: usize, heard: &BTreeMap<IpNet, PathAttributes>) -> usize {
        let mut wanted = self.model.announced(at);
        let all = wanted.len();
        if let Some(limit) = configs()[at].advertise_limit.map(|limit| limit as usize) {
            assert!(self.receivers[at].most <= limit);
            assert_eq!(heard.len(), limit.min(all), "to peer {at}");
            wanted.retain(|net, _| heard.contains_key(net));
        }
        assert_eq!(*heard, wanted, "to peer {at}");
        all - heard.len()
    }

    /// Nothing is left when everybody is gone.
    fn end(mut self) {
        for at in 0..PEERS {
            self.rib.remove(id(at));
        }
        self.kernel.drain(&mut self.rib);
        assert!(self.kernel.routes.is_empty());
        // The first time goes on where an earlier step has stopped.
        for _ in 0..2 {
            self.rib.reap(usize::MAX);
        }
        assert!(!self.rib.has_garbage());
        assert_eq!(self.rib.attribute_sets(), 0);
    }
}

/// Another address of ours on the same link.
fn other_local(local: IpAddr) -> IpAddr {
    match local {
        IpAddr::V4(address) => IpAddr::V4((address.to_bits() - 1).into()),
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() - 1).into()),
    }
}

fn id(at: usize) -> PathId {
    PathId(u32::try_from(at).unwrap() + 10)
}

impl Drawn {
    fn attributes(&self, config: &Peer) -> PathAttributes {
        let is_internal = config.remote_asn == OUR_ASN;
        let next_hop = match self.next_hop {
            0 => local(config.remote),
            1 if config.remote.is_ipv4() => "8.8.8.8".parse().unwrap(),
            2 if config.remote.is_ipv4() => "0.0.0.0".parse().unwrap(),
            3 => other_local(local(config.remote)),
            _ => config.remote,
        };
        let mut path = self.path.clone();
        if !is_internal {
            path.insert(0, config.remote_asn.0);
        }
        let mut attributes = attributes(next_hop, &path);
        attributes.med = self.med;
        attributes.origin = if self.origin {
            Origin::Igp
        } else {
            Origin::Egp
        };
        attributes.communities = self.communities.iter().copied().map(Community).collect();
        if is_internal {
            attributes.local_pref = self.local_pref;
            attributes.originator_id = self.originator.map(|id| RouterId(id.into()));
            attributes.cluster_list = vec![RouterId("9.9.9.9".parse().unwrap()); self.clusters];
        }
        attributes
    }
}

/// Everything that was said, and nothing that follows from it.
#[derive(Default)]
struct Model {
    peers: BTreeMap<usize, ModelPeer>,
}

#[derive(Default)]
struct ModelPeer {
    config: Option<Arc<Peer>>,
    up: bool,
    router_id: u32,
    /// Our address on its session, or its last one.
    local: Option<IpAddr>,
    routes: BTreeMap<IpNet, (PathAttributes, bool)>,
}

/// In place of a peer's number: this router.
const LOCAL: usize = usize::MAX;

struct Accepted {
    peer: usize,
    stale: bool,
    attributes: PathAttributes,
}

impl Model {
    fn config(&self, at: usize) -> &Peer {
        self.peers[&at].config.as_ref().unwrap()
    }

    fn name(&self, at: usize) -> String {
        if at == LOCAL {
            "local".to_owned()
        } else {
            self.config(at).name.to_string()
        }
    }

    fn is_internal(&self, at: usize) -> bool {
        at != LOCAL && self.config(at).remote_asn == OUR_ASN
    }

    fn is_originated(&self, net: IpNet) -> bool {
        self.peers
            .values()
            .any(|peer| peer.config.as_ref().unwrap().advertise.contains(&net))
    }

    fn everybody(&self, net: IpNet) -> BTreeSet<String> {
        let mut names: BTreeSet<String> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.routes.contains_key(&net))
            .map(|(at, _)| self.name(*at))
            .collect();
        if self.is_originated(net) {
            names.insert(self.name(LOCAL));
        }
        names
    }

    /// After import policy.
    fn imported(&self, at: usize, net: IpNet) -> Option<PathAttributes> {
        let config = self.config(at);
        let mut attributes = self.peers[&at].routes.get(&net)?.0.clone();
        let next_hop = attributes.next_hop.address;
        let off_link = config.remote_asn != OUR_ASN && !config.local.unwrap().contains(&next_hop);
        let loops = attributes
            .as_path
            .segments
            .iter()
            .any(|segment| match segment {
                AsPathSegment::Sequence(asns) => asns.contains(&OUR_ASN),
                _ => unreachable!(),
            });
        let ours = attributes.originator_id == Some(RouterId("192.0.2.1".parse().unwrap()));
        if loops
            || ours
            || off_link
            || next_hop.is_unspecified()
            || next_hop == local(config.remote)
            || Some(next_hop) == self.peers[&at].local
        {
            return None;
        }
        match config.import.verdict(&net, &attributes.communities) {
            Verdict::Refuse(_) => None,
            Verdict::Accept(changes) => {
                changes.apply(&mut attributes, OUR_ASN);
                Some(attributes)
            }
        }
    }

    fn accepted(&self, net: IpNet) -> Vec<Accepted> {
        let mut all: Vec<Accepted> = self
            .peers
            .iter()
            .filter_map(|(at, peer)| {
                let stale = peer.routes.get(&net)?.1;
                Some(Accepted {
                    peer: *at,
                    stale,
                    attributes: self.imported(*at, net)?,
                })
            })
            .collect();
        if self.is_originated(net) {
            let nowhere = if net.addr().is_ipv4() {
                "0.0.0.0"
            } else {
                "::"
            };
            let attributes = attributes(nowhere.parse().unwrap(), &[]);
            all.push(Accepted {
                peer: LOCAL,
                stale: false,
                attributes,
            });
        }
        all
    }

    /// RFC 4271 §9.1.2.2, clause by clause.
    fn decide(&self, mut left: Vec<Accepted>) -> Option<Accepted> {
        fn keep<K: Ord>(left: &mut Vec<Accepted>, key: impl Fn(&Accepted) -> K) {
            if let Some(lowest) = left.iter().map(&key).min() {
                left.retain(|path| key(path) == lowest);
            }
        }
        let length = |path: &Accepted| path.attributes.as_path.asns().count();
        let neighbor = |path: &Accepted| path.attributes.as_path.asns().next();
        let med = |path: &Accepted| path.attributes.med.unwrap_or(0);
        keep(&mut left, |path| path.peer != LOCAL);
        keep(&mut left, |path| path.stale);
        keep(&mut left, |path| {
            -i64::from(path.attributes.local_pref.unwrap_or(100))
        });
        keep(&mut left, length);
        keep(&mut left, |path| path.attributes.origin);
        let meds: Vec<(Option<Asn>, u32)> = left
            .iter()
            .map(|path| (neighbor(path), med(path)))
            .collect();
        left.retain(|path| {
            meds.iter()
                .filter(|(asn, _)| *asn == neighbor(path))
                .all(|(_, other)| med(path) <= *other)
        });
        keep(&mut left, |path| self.is_internal(path.peer));
        keep(&mut left, |path| {
            let own = self.peers.get(&path.peer).map_or(0, |peer| peer.router_id);
            path.attributes
                .originator_id
                .map_or(own, |id| id.0.to_bits())
        });
        keep(&mut left, |path| path.attributes.cluster_list.len());
        keep(&mut left, |path| {
            (path.peer != LOCAL).then(|| self.config(path.peer).remote)
        });
        assert!(left.len() <= 1);
        left.pop()
    }

    fn best(&self, net: IpNet) -> Option<usize> {
        self.decide(self.accepted(net)).map(|best| best.peer)
    }

    fn fib(&self) -> BTreeMap<IpNet, FibRoute> {
        let hop = |path: &Accepted| Hop {
            path: id(path.peer),
            gateway: path.attributes.next_hop.address,
        };
        let route = |net: IpNet| {
            let best = self
                .decide(self.accepted(net))
                .filter(|best| best.peer != LOCAL)?;
            let others = self
                .accepted(net)
                .into_iter()
                .filter(|path| path.peer != best.peer)
                .collect();
            let second = self
                .decide(others)
                .filter(|second| second.peer != LOCAL && !second.stale);
            Some((
                net,
                FibRoute {
                    best: hop(&best),
                    backup: second.as_ref().map(hop),
                },
            ))
        };
        Family::ALL
            .into_iter()
            .flat_map(nets)
            .filter_map(route)
            .collect()
    }

    fn announced(&self, to: usize) -> BTreeMap<IpNet, PathAttributes> {
        if !self.peers.get(&to).is_some_and(|peer| peer.up) {
            return BTreeMap::new();
        }
        let nets = nets(Family::of(self.config(to).remote));
        nets.into_iter()
            .filter_map(|net| Some((net, self.exported(to, net)?)))
            .collect()
    }

    fn exported(&self, to: usize, net: IpNet) -> Option<PathAttributes> {
        let Accepted {
            peer: from,
            mut attributes,
            ..
        } = self.decide(self.accepted(net))?;
        let is_internal = self.is_internal(to);
        let says = |community: u32| attributes.communities.contains(&Community(community));
        if from == to
            || (is_internal && self.is_internal(from))
            || says(0xffff_ff02)
            || (!is_internal && (says(0xffff_ff01) || says(0xffff_ff03)))
        {
            return None;
        }
        let Verdict::Accept(changes) = self
            .config(to)
            .export
            .verdict(&net, &attributes.communities)
        else {
            return None;
        };
        attributes.next_hop = NextHop {
            address: self.peers[&to].local.unwrap(),
            link_local: None,
        };
        if is_internal {
            attributes.local_pref = attributes.local_pref.or(Some(100));
        } else {
            attributes.as_path.prepend(OUR_ASN, 1);
            (attributes.med, attributes.originator_id) = (None, None);
            attributes.cluster_list.clear();
        }
        changes.apply(&mut attributes, OUR_ASN);
        if !is_internal {
            attributes.local_pref = None;
        }
        Some(attributes)
    }

    fn counts(&self, at: usize) -> PrefixCounts {
        let Some(peer) = self.peers.get(&at) else {
            return PrefixCounts::default();
        };
        let count = |test: &dyn Fn(IpNet) -> bool| {
            peer.routes.keys().filter(|net| test(**net)).count() as u64
        };
        PrefixCounts {
            received: count(&|_| true),
            accepted: count(&|net| self.imported(at, net).is_some()),
            best: count(&|net| self.best(net) == Some(at)),
            stale: count(&|net| peer.routes[&net].1),
            ..PrefixCounts::default()
        }
    }
}
