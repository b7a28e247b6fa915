//! What is known, which is best, and who has still to be told.
//!
//! [`Rib`] holds, for each family, every peer's routes as received (Adj-RIB-In)
//! and the best of them first (Loc-RIB), inline in one entry a prefix. In:
//! sessions that come and go ([`Rib::established`], [`Rib::down`]), their
//! UPDATEs ([`Rib::update`]) and the configuration ([`Rib::configure`]). Out, at
//! the caller's pace and a bounded amount a call: what each update group has to
//! hear ([`Rib::drain_group`]) and what the kernel should hold
//! ([`Rib::drain_fib`]). Neither is a queue of events: a prefix that changes
//! five times before it is drained goes out once, as it is then. What concerns
//! all of a peer's routes is done by slices ([`Rib::walk`]).
//!
//! RFC 4271 §9 (decision and dissemination), 1997 (communities), 4456 §9
//! (tie-breaking), 4724 §4.2 (stale routes), 8212 (no policy, no routes).

mod attributes;
mod bitmap;
mod decision;
mod export;
mod family;
mod group;
mod import;
mod outbound;
mod packed;
mod peers;
mod query;
mod table;
mod walk;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use hashbrown::HashMap;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use self::attributes::{AttributeTable, AttributesId};
use self::family::FamilyRib;
use self::import::Judgement;
use self::peers::{Context, Peer, Peers};
use self::table::{Net, Path, PeerIndex};
use self::walk::Task;
use crate::api::PrefixCounts;
use crate::policy::{Adverse, Stance};
use crate::wire::{AsPath, Codec, Origin, PathAttributes, Prefixes, Update};
use crate::{Asn, Family, PathId, RouterId, config};

pub use decision::Step;
pub use import::Refusal;
pub use outbound::{Audience, GroupId, Outbound};
pub use query::Scan;

/// A way out for one prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hop {
    pub path: PathId,
    /// The gateway's address, on the path's link.
    pub gateway: IpAddr,
}

/// What the kernel should hold for one prefix: the best hop, and the one to
/// swap to when the best one's path dies. `None`: no route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FibChange {
    pub prefix: IpNet,
    pub route: Option<FibRoute>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FibRoute {
    pub best: Hop,
    pub backup: Option<Hop>,
}

/// What does not change while the daemon runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub asn: Asn,
    pub router_id: RouterId,
    pub fib: FibUse,
}

/// Whether [`Rib::drain_fib`] is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FibUse {
    Kernel,
    /// Routes stay in the daemon: nothing is kept for a kernel.
    None,
}

/// An established session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Our address: the next hop that the peer is told.
    pub local: IpAddr,
    /// The peer's.
    pub router_id: RouterId,
    /// How messages to it are written, and of which families.
    pub codec: Codec,
}

/// What becomes of a peer's routes when its session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDown {
    Withdraw,
    /// They stay, marked stale, and lose to any fresh route.
    KeepStale,
}

/// The peer has more prefixes than it may; what it sent beyond the limit is not
/// taken, nor is anything else until its next session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {limit} {family} prefixes")]
pub struct PrefixLimitExceeded {
    pub family: Family,
    pub limit: u32,
}

/// Withdrawn prefixes that are forgotten at a time while there is other work.
const REAP_SLICE: usize = 16_384;

/// The routing information bases.
#[derive(Debug)]
pub struct Rib {
    context: Context,
    ipv4: FamilyRib<Ipv4Net>,
    ipv6: FamilyRib<Ipv6Net>,
    /// Networks that this router originates, with the number of peers that ask
    /// for each.
    originated: HashMap<IpNet, u32>,
    /// Peers that are no more, but for their routes.
    leaving: Vec<PeerIndex>,
}

impl Rib {
    pub fn new(settings: Settings) -> Self {
        let with_fib = settings.fib == FibUse::Kernel;
        Self {
            context: Context {
                own_asns: vec![settings.asn],
                settings,
                peers: Peers::default(),
                attributes: AttributeTable::default(),
            },
            ipv4: FamilyRib::new(with_fib),
            ipv6: FamilyRib::new(with_fib),
            originated: HashMap::new(),
            leaving: Vec::new(),
        }
    }

    /// A peer exists, or has other settings than before: policy is applied
    /// again to what it sent and was sent. More peers than a 16-bit index can
    /// name are ignored.
    pub fn configure(&mut self, path: PathId, config: Arc<config::Peer>) {
        for net in &config.advertise {
            self.originate(*net);
        }
        let Some(index) = self.context.peers.index(path) else {
            self.context.peers.insert(Peer::new(path, config));
            self.gather_own_asns();
            return;
        };
        let peer = self.context.peers.get_mut(index);
        let was_internal = peer.is_internal();
        let old = std::mem::replace(&mut peer.config, config.clone());
        peer.import = crate::policy::Compiled::new(&config.import);
        let is_other_kind = peer.is_internal() != was_internal;
        for net in &old.advertise {
            self.stop_originating(*net);
        }
        if receives_differently(&old, &config) {
            self.begin_walk(index, Task::Reevaluate);
        }
        self.gather_own_asns();
        if is_other_kind {
            // Who may hear of its routes is another question then.
            self.ipv4.mark_all();
            self.ipv6.mark_all();
        }
        if sends_differently(&old, &config) {
            self.ipv4.tell_again(&mut self.context, index);
            self.ipv6.tell_again(&mut self.context, index);
        }
    }

    /// What is to be made of the peer's path from now on. Peers that are told as
    /// before have nothing to hear.
    pub fn set_stance(&mut self, path: PathId, stance: Stance) {
        let Some(index) = self.context.peers.index(path) else {
            return;
        };
        let peer = self.context.peers.get_mut(index);
        let before = (peer.adverse(), peer.stance.is_last_resort());
        peer.stance = stance;
        let after = (peer.adverse(), stance.is_last_resort());
        if before.0 == Adverse::Withdraw && after.0 != Adverse::Withdraw {
            self.ipv4.tell_again(&mut self.context, index);
            self.ipv6.tell_again(&mut self.context, index);
        } else if before.0 != after.0 {
            self.ipv4.tell_otherwise(&mut self.context, index);
            self.ipv6.tell_otherwise(&mut self.context, index);
        }
        if before.1 != after.1 {
            self.begin_walk(index, Task::Reevaluate);
        }
    }

    /// The peer is gone from the configuration, with all it sent.
    pub fn remove(&mut self, path: PathId) {
        let Some(index) = self.context.peers.index(path) else {
            return;
        };
        self.down(path, OnDown::Withdraw);
        for net in &self.context.peers.get(index).config.clone().advertise {
            self.stop_originating(*net);
        }
        self.context.peers.forget_name(index);
        self.leaving.push(index);
        self.gather_own_asns();
        self.forget_peers();
    }

    /// Where they are not what they were, other routes than before are loops.
    fn gather_own_asns(&mut self) {
        let peers = &self.context.peers;
        let local_asn = |index| peers.get(index).config.local_asn;
        let mut own: Vec<Asn> = peers.indices().map(local_asn).collect();
        own.push(self.context.settings.asn);
        own.sort_unstable();
        own.dedup();
        if own != self.context.own_asns {
            let peers: Vec<PeerIndex> = peers.indices().collect();
            self.context.own_asns = own;
            for index in peers {
                self.begin_walk(index, Task::Reevaluate);
            }
        }
    }

    /// Routes may flow to and from the peer. What it sent in an earlier session
    /// and is still here is stale until sent again or swept.
    pub fn established(&mut self, path: PathId, session: Session) {
        let Some(index) = self.context.peers.index(path) else {
            return;
        };
        self.ipv4.finish_walks(&mut self.context, index);
        self.ipv6.finish_walks(&mut self.context, index);
        let peer = self.context.peers.get_mut(index);
        let last = peer.session.replace(session.clone());
        (peer.is_up, peer.is_over_limit) = (true, false);
        let ends = |session: &Session| (session.local, session.router_id);
        if last.is_some_and(|last| ends(&last) != ends(&session)) {
            self.begin_walk(index, Task::Reevaluate);
        }
        for family in session.codec.families {
            match family {
                Family::Ipv4 => self.ipv4.join(&mut self.context, index),
                Family::Ipv6 => self.ipv6.join(&mut self.context, index),
            }
        }
    }

    /// The session has ended.
    pub fn down(&mut self, path: PathId, routes: OnDown) {
        let Some(index) = self.context.peers.index(path) else {
            return;
        };
        self.context.peers.get_mut(index).is_up = false;
        self.ipv4.leave(&mut self.context, index);
        self.ipv6.leave(&mut self.context, index);
        let task = match routes {
            OnDown::Withdraw => Task::Withdraw,
            OnDown::KeepStale => Task::MarkStale,
        };
        self.begin_walk(index, task);
    }

    fn begin_walk(&mut self, peer: PeerIndex, task: Task) {
        self.ipv4.begin_walk(&self.context, peer, task);
        self.ipv6.begin_walk(&self.context, peer, task);
    }

    /// Whether [`Rib::walk`] has something to do.
    pub fn has_walks(&self) -> bool {
        !(self.ipv4.walks.is_empty() && self.ipv6.walks.is_empty())
    }

    /// Goes on with what is to be done to all routes of a peer, over `budget`
    /// prefixes a family.
    pub fn walk(&mut self, budget: u32) {
        self.ipv4.walk(&mut self.context, budget);
        self.ipv6.walk(&mut self.context, budget);
        self.reap_if_many();
        self.forget_peers();
    }

    /// A peer that is no more goes when nothing names it: its index will name
    /// another.
    fn forget_peers(&mut self) {
        let is_busy = |index: &PeerIndex| self.ipv4.has_walk(*index) || self.ipv6.has_walk(*index);
        let (busy, done): (Vec<_>, Vec<_>) = std::mem::take(&mut self.leaving)
            .into_iter()
            .partition(is_busy);
        self.leaving = busy;
        for index in done {
            self.ipv4.forget_source(index);
            self.ipv6.forget_source(index);
            self.context.peers.remove(index);
        }
    }

    fn reap_if_many(&mut self) {
        if self.ipv4.should_reap() {
            self.ipv4.reap(REAP_SLICE);
        }
        if self.ipv6.should_reap() {
            self.ipv6.reap(REAP_SLICE);
        }
    }

    /// Takes one UPDATE from the peer. Its End-of-RIB ends what is stale.
    pub fn update(&mut self, path: PathId, update: &Update) -> Result<(), PrefixLimitExceeded> {
        let Some(index) = self.context.peers.index(path) else {
            return Ok(());
        };
        let peer = self.context.peers.get(index);
        if !peer.is_up || peer.is_over_limit {
            return Ok(());
        }
        for withdrawn in &update.withdrawn {
            match withdrawn {
                Prefixes::V4(nets) => withdraw(&mut self.ipv4, &mut self.context, index, nets),
                Prefixes::V6(nets) => withdraw(&mut self.ipv6, &mut self.context, index, nets),
            }
        }
        for announced in &update.announced {
            let attributes = &announced.attributes;
            match &announced.prefixes {
                Prefixes::V4(nets) => {
                    announce(&mut self.ipv4, &mut self.context, index, attributes, nets)
                }
                Prefixes::V6(nets) => {
                    announce(&mut self.ipv6, &mut self.context, index, attributes, nets)
                }
            }?;
        }
        if let Some(family) = update.end_of_rib {
            self.sweep_stale(path, family);
        }
        self.reap_if_many();
        Ok(())
    }

    /// Withdraws the peer's routes that are still stale.
    pub fn sweep_stale(&mut self, path: PathId, family: Family) {
        let Some(index) = self.context.peers.index(path) else {
            return;
        };
        match family {
            Family::Ipv4 => self
                .ipv4
                .begin_walk(&self.context, index, Task::WithdrawStale),
            Family::Ipv6 => self
                .ipv6
                .begin_walk(&self.context, index, Task::WithdrawStale),
        }
    }

    pub fn has_fib_changes(&self) -> bool {
        self.ipv4.has_fib_changes() || self.ipv6.has_fib_changes()
    }

    /// At most `budget` changes for the kernel.
    pub fn drain_fib(&mut self, budget: usize) -> Vec<FibChange> {
        let mut changes = Vec::new();
        self.ipv4.drain_fib(&self.context, budget, &mut changes);
        self.ipv6.drain_fib(&self.context, budget, &mut changes);
        changes
    }

    /// Whether [`Rib::reap`] could free something.
    pub fn has_garbage(&self) -> bool {
        self.ipv4.has_dying() || self.ipv6.has_dying()
    }

    /// Forgets withdrawn prefixes that nobody has still to be told of, among the
    /// next `budget` a family: for when there is nothing else to do. Whether all
    /// have been looked at.
    pub fn reap(&mut self, budget: usize) -> bool {
        let ipv4 = self.ipv4.reap(budget);
        self.ipv6.reap(budget) && ipv4
    }

    /// Prefixes from and to the peer, both families together.
    pub fn counts(&self, path: PathId) -> PrefixCounts {
        let Some(index) = self.context.peers.index(path) else {
            return PrefixCounts::default();
        };
        let peer = self.context.peers.get(index);
        let sum = |count: fn(&peers::Counts) -> u32| {
            peer.counts.iter().map(|c| u64::from(count(c))).sum()
        };
        PrefixCounts {
            received: sum(|counts| counts.received),
            accepted: sum(|counts| counts.accepted),
            best: sum(|counts| counts.best),
            stale: sum(|counts| counts.stale),
            advertised: self
                .memberships(path)
                .map(|(group, membership)| group.heard(membership) as u64)
                .sum(),
            held_back: self
                .memberships(path)
                .map(|(group, _)| group.held_back.len() as u64)
                .sum(),
        }
    }

    /// Distinct sets of attributes.
    pub fn attribute_sets(&self) -> usize {
        self.context.attributes.len()
    }

    fn originate(&mut self, net: IpNet) {
        let users = self.originated.entry(net).or_default();
        *users += 1;
        if *users > 1 {
            return;
        }
        let attributes = self
            .context
            .attributes
            .intern(&local_attributes(Family::of(net.addr())));
        let path = Path::new(PeerIndex::LOCAL, attributes, None);
        match net {
            IpNet::V4(net) => self.ipv4.set_path(&mut self.context, net, path),
            IpNet::V6(net) => self.ipv6.set_path(&mut self.context, net, path),
        }
    }

    fn stop_originating(&mut self, net: IpNet) {
        let Some(users) = self.originated.get_mut(&net) else {
            return;
        };
        *users -= 1;
        if *users > 0 {
            return;
        }
        self.originated.remove(&net);
        match net {
            IpNet::V4(net) => self.ipv4.withdraw(&mut self.context, net, PeerIndex::LOCAL),
            IpNet::V6(net) => self.ipv6.withdraw(&mut self.context, net, PeerIndex::LOCAL),
        }
    }
}

fn withdraw<N: Net>(rib: &mut FamilyRib<N>, context: &mut Context, peer: PeerIndex, nets: &[N]) {
    for net in nets {
        rib.withdraw(context, *net, peer);
    }
}

fn announce<N: Net>(
    rib: &mut FamilyRib<N>,
    context: &mut Context,
    index: PeerIndex,
    attributes: &PathAttributes,
    nets: &[N],
) -> Result<(), PrefixLimitExceeded> {
    let limit = context
        .peers
        .get(index)
        .config
        .prefix_limit
        .unwrap_or(u32::MAX);
    let received: AttributesId = context.attributes.intern(attributes);
    let mut judgement = Judgement::new(context, index, received);
    let mut outcome = Ok(());
    for net in nets {
        let path = judgement.path(context, &(*net).into());
        rib.set_path(context, *net, path);
        let peer = context.peers.get_mut(index);
        let counts = &peer.counts[N::FAMILY as usize];
        // What is left of the last session doesn't count against this one.
        if counts.received - counts.stale > limit {
            rib.withdraw(context, *net, index);
            context.peers.get_mut(index).is_over_limit = true;
            outcome = Err(PrefixLimitExceeded {
                family: N::FAMILY,
                limit,
            });
            break;
        }
    }
    judgement.release(context);
    outcome
}

/// Whether what the peer has sent could mean something else now.
fn receives_differently(old: &config::Peer, new: &config::Peer) -> bool {
    old.import != new.import
        || (old.local_asn, old.remote_asn) != (new.local_asn, new.remote_asn)
        || (old.local, old.remote, old.ttl) != (new.local, new.remote, new.ttl)
}

/// Whether the peer should hear something else now.
fn sends_differently(old: &config::Peer, new: &config::Peer) -> bool {
    old.export != new.export
        || (&old.on_degraded, &old.on_drain) != (&new.on_degraded, &new.on_drain)
        || old.advertise_limit != new.advertise_limit
        || (old.local_asn, old.remote_asn) != (new.local_asn, new.remote_asn)
}

/// What this router says of its own networks.
fn local_attributes(family: Family) -> PathAttributes {
    let address = match family {
        Family::Ipv4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::Ipv6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    PathAttributes::new(Origin::Igp, AsPath::default(), address)
}
