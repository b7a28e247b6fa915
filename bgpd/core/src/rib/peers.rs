//! What the RIB knows of its peers, and of the paths that come from them.

use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::HashMap;
use ipnet::IpNet;

use super::attributes::{AttributeTable, AttributesId};
use super::decision::Candidate;
use super::group::{GroupIndex, Membership};
use super::table::{Path, PeerIndex};
use super::{Hop, Session, Settings};
use crate::config::{self, Ttl};
use crate::policy::{Adverse, Compiled, Stance};
use crate::wire::NextHop;
use crate::{Asn, Family, PathId};

/// A configured neighbor.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) id: PathId,
    pub(super) config: Arc<config::Peer>,
    pub(super) import: Compiled,
    /// The running session, or the last one: its paths may still be here.
    pub(super) session: Option<Session>,
    pub(super) is_up: bool,
    /// Has sent more than its prefix limit; nothing more is taken from it.
    pub(super) is_over_limit: bool,
    /// What is to be made of its path, by both ends.
    pub(super) stance: Stance,
    pub(super) counts: [Counts; 2],
    /// In an update group of each family that its session carries.
    memberships: [Option<Membership>; 2],
}

/// Of one family, with stale paths among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) received: u32,
    pub(super) accepted: u32,
    pub(super) best: u32,
    pub(super) stale: u32,
}

impl Peer {
    pub(super) fn new(id: PathId, config: Arc<config::Peer>) -> Self {
        Self {
            id,
            import: Compiled::new(&config.import),
            config,
            session: None,
            is_up: false,
            is_over_limit: false,
            stance: Stance::Normal,
            counts: Default::default(),
            memberships: Default::default(),
        }
    }

    /// How it is told of routes, on top of its export policy.
    pub(super) fn adverse(&self) -> Adverse {
        self.config.told(self.stance)
    }

    pub(super) fn is_internal(&self) -> bool {
        self.config.remote_asn == self.config.local_asn
    }

    /// Directly connected: packets and next hops stay on one link.
    pub(super) fn is_single_hop(&self) -> bool {
        match self.config.ttl {
            Ttl::Direct | Ttl::Security => !self.is_internal(),
            Ttl::Multihop(_) => false,
        }
    }

    /// Whether `address` is ours on this session.
    pub(super) fn is_own(&self, address: IpAddr) -> bool {
        self.session
            .as_ref()
            .is_some_and(|session| session.local == address)
            || self
                .config
                .local
                .is_some_and(|local| local.addr() == address)
    }

    /// Whether packets for `next_hop` can go straight out of the session's link.
    pub(super) fn reaches(&self, next_hop: NextHop) -> bool {
        self.is_on_link(next_hop.address)
            || is_link_local(next_hop.address)
            || (next_hop.link_local.is_some() && self.config.remote.is_ipv6())
    }

    /// Where packets for `next_hop` go.
    pub(super) fn gateway(&self, next_hop: NextHop) -> IpAddr {
        match next_hop.link_local {
            Some(address) if !self.is_on_link(next_hop.address) => IpAddr::V6(address),
            _ => next_hop.address,
        }
    }

    fn is_on_link(&self, address: IpAddr) -> bool {
        address == self.config.remote
            || self
                .config
                .local
                .is_some_and(|link: IpNet| link.contains(&address))
    }

    pub(super) const fn membership(&self, family: Family) -> Option<Membership> {
        self.memberships[family as usize]
    }

    pub(super) const fn membership_mut(&mut self, family: Family) -> &mut Option<Membership> {
        &mut self.memberships[family as usize]
    }

    /// To a group that has told the same.
    pub(super) fn move_to(&mut self, family: Family, group: GroupIndex) {
        if let Some(membership) = self.membership_mut(family) {
            membership.group = group;
        }
    }
}

const fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// Peers by index and by name.
#[derive(Debug, Default)]
pub(super) struct Peers {
    slots: Vec<Option<Box<Peer>>>,
    by_id: HashMap<PathId, PeerIndex>,
}

impl Peers {
    pub(super) fn index(&self, id: PathId) -> Option<PeerIndex> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn named(&self, name: &str) -> Option<PeerIndex> {
        let mut all = self.by_id.values().copied();
        all.find(|index| *self.get(*index).config.name == *name)
    }

    /// All that are in the configuration, in any order.
    pub(super) fn indices(&self) -> impl Iterator<Item = PeerIndex> {
        self.by_id.values().copied()
    }

    pub(super) fn get(&self, index: PeerIndex) -> &Peer {
        self.slots[usize::from(index.0)]
            .as_ref()
            .expect("invariant: an index names a peer")
    }

    pub(super) fn get_mut(&mut self, index: PeerIndex) -> &mut Peer {
        self.slots[usize::from(index.0)]
            .as_mut()
            .expect("invariant: an index names a peer")
    }

    /// `None` when there are more peers than indices.
    pub(super) fn insert(&mut self, peer: Peer) -> Option<PeerIndex> {
        let at = match self.slots.iter().position(Option::is_none) {
            Some(at) => at,
            None => {
                self.slots.push(None);
                self.slots.len() - 1
            }
        };
        let index = u16::try_from(at)
            .ok()
            .map(PeerIndex)
            .filter(|index| *index < PeerIndex::NONE)?;
        self.by_id.insert(peer.id, index);
        self.slots[at] = Some(Box::new(peer));
        Some(index)
    }

    /// Nobody asks for the peer any more; its index goes on naming it.
    pub(super) fn forget_name(&mut self, index: PeerIndex) {
        let id = self.get(index).id;
        self.by_id.remove(&id);
    }

    /// Its paths must be gone.
    pub(super) fn remove(&mut self, index: PeerIndex) {
        self.slots[usize::from(index.0)] = None;
    }
}

/// What both families' tables share.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) settings: Settings,
    /// The daemon's and every peer's `local_asn`, in order: whichever of them is
    /// in an AS_PATH, the route has been here.
    pub(super) own_asns: Vec<Asn>,
    pub(super) peers: Peers,
    pub(super) attributes: AttributeTable,
}

impl Context {
    /// A path as the decision sees it.
    pub(super) fn candidate(&self, path: Path) -> Candidate {
        let preference = self.attributes.preference(path.attributes);
        let mut candidate = Candidate {
            stale: path.is_stale(),
            local: path.peer == PeerIndex::LOCAL,
            internal: false,
            origin: preference.origin,
            local_pref: preference.local_pref,
            as_path_len: preference.as_path_len,
            cluster_list_len: preference.cluster_list_len,
            med: preference.med,
            neighbor_asn: preference.neighbor_asn,
            router_id: self.settings.router_id.0.to_bits(),
            address: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
            path: PathId(u32::MAX),
        };
        if !candidate.local {
            let peer = self.peers.get(path.peer);
            candidate.internal = peer.is_internal();
            candidate.address = peer.config.remote;
            candidate.path = peer.id;
            candidate.router_id = peer
                .session
                .as_ref()
                .map_or(0, |session| session.router_id.0.to_bits());
        }
        if preference.has_originator_id
            && let Some(id) = self.attributes.originator_id(path.attributes)
        {
            candidate.router_id = id.0.to_bits();
        }
        candidate
    }

    /// The decision's steps before MED in one number; the lowest wins.
    pub(super) fn rank(&self, path: Path) -> u64 {
        let preference = self.attributes.preference(path.attributes);
        u64::from(path.peer != PeerIndex::LOCAL) << 51
            | u64::from(path.is_stale()) << 50
            | u64::from(!preference.local_pref) << 18
            | u64::from(preference.as_path_len) << 2
            | preference.origin as u64
    }

    /// Where packets go by this path; `None`: this router originates it.
    pub(super) fn hop(&self, path: Path) -> Option<Hop> {
        if path.peer == PeerIndex::LOCAL {
            return None;
        }
        let peer = self.peers.get(path.peer);
        Some(Hop {
            path: peer.id,
            gateway: peer.gateway(self.attributes.next_hop(path.attributes)),
        })
    }

    /// Accounts for a path of one family that came, went or changed.
    pub(super) fn count(&mut self, family: Family, old: Option<Path>, new: Option<Path>) {
        if let Some(old) = old.filter(|path| path.peer != PeerIndex::LOCAL) {
            let counts = &mut self.peers.get_mut(old.peer).counts[family as usize];
            counts.received -= 1;
            counts.accepted -= u32::from(old.is_accepted());
            counts.stale -= u32::from(old.is_stale());
        }
        if let Some(new) = new.filter(|path| path.peer != PeerIndex::LOCAL) {
            let counts = &mut self.peers.get_mut(new.peer).counts[family as usize];
            counts.received += 1;
            counts.accepted += u32::from(new.is_accepted());
            counts.stale += u32::from(new.is_stale());
        }
    }

    /// Accounts for a prefix whose best path was `old` and is `new`.
    pub(super) fn count_best(&mut self, family: Family, old: Option<Path>, new: Option<Path>) {
        if let Some(old) = old.filter(|path| path.peer != PeerIndex::LOCAL) {
            self.peers.get_mut(old.peer).counts[family as usize].best -= 1;
        }
        if let Some(new) = new.filter(|path| path.peer != PeerIndex::LOCAL) {
            self.peers.get_mut(new.peer).counts[family as usize].best += 1;
        }
    }

    pub(super) fn release(&mut self, attributes: AttributesId) {
        self.attributes.release(attributes);
    }
}
