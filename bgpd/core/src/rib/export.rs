//! From Loc-RIB to a peer: which best routes it may hear of, and with what
//! attributes. An Adj-RIB-Out is the set of prefixes that were announced, and
//! the set of those to look at again; what is sent is made when it is sent.

use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::Outbound;
use super::attributes::{AttributesId, DEFAULT_LOCAL_PREF};
use super::bitmap::Bitmap;
use super::family::FamilyRib;
use super::peers::{Context, Peer};
use super::table::{Net, Path, PeerIndex};
use crate::Family;
use crate::policy::{Candidates, Changes, RuleIndex, Verdict};
use crate::wire::{Community, NextHop, PathAttributes};

/// One peer and one family.
#[derive(Debug, Default)]
pub(super) struct AdjRibOut {
    dirty: Bitmap,
    announced: Bitmap,
    /// Would be announced but for the limit.
    held_back: Bitmap,
    cursor: u32,
    /// End-of-RIB follows what is there at the session's start.
    owes_end_of_rib: bool,
}

impl AdjRibOut {
    /// A new session, which has heard nothing.
    pub(super) fn begin(&mut self) {
        *self = Self {
            owes_end_of_rib: true,
            ..Self::default()
        };
    }

    pub(super) fn mark(&mut self, at: u32) {
        self.dirty.insert(at);
    }

    /// The prefix is gone; who has not heard of it has nothing to hear.
    pub(super) fn forget_unheard(&mut self, at: u32) {
        if !self.announced.contains(at) {
            self.dirty.remove(at);
            self.held_back.remove(at);
        }
    }

    pub(super) const fn dirty(&self) -> &Bitmap {
        &self.dirty
    }

    pub(super) fn has_announced(&self, at: u32) -> bool {
        self.announced.contains(at)
    }

    pub(super) fn next_announced(&self, from: u32) -> Option<u32> {
        self.announced.next_from(from)
    }

    pub(super) const fn announced(&self) -> usize {
        self.announced.len()
    }

    pub(super) const fn held_back(&self) -> usize {
        self.held_back.len()
    }

    pub(super) const fn has_work(&self) -> bool {
        !self.dirty.is_empty() || self.owes_end_of_rib
    }

    /// There is room below the limit again: look at what was held back.
    fn mark_held_back(&mut self, limit: usize) {
        let mut from = 0;
        for _ in self.announced.len()..limit {
            let Some(at) = self.held_back.next_from(from) else {
                break;
            };
            self.held_back.remove(at);
            self.dirty.insert(at);
            from = at + 1;
        }
    }
}

/// Prefixes that will share one set of attributes.
struct Group<N> {
    attributes: AttributesId,
    rule: RuleIndex,
    nets: Vec<N>,
}

/// What one call of [`FamilyRib::drain`] collects.
struct Batch<N> {
    withdrawn: Vec<N>,
    groups: Vec<Group<N>>,
    by_key: HashMap<(AttributesId, RuleIndex), usize, RandomState>,
    judged: HashMap<(PeerIndex, AttributesId), Option<Candidates>, RandomState>,
}

impl<N: Net> Batch<N> {
    fn new() -> Self {
        Self {
            withdrawn: Vec::new(),
            groups: Vec::new(),
            by_key: HashMap::default(),
            judged: HashMap::default(),
        }
    }

    fn announce(&mut self, net: N, attributes: AttributesId, rule: RuleIndex) {
        let groups = &mut self.groups;
        let at = *self.by_key.entry((attributes, rule)).or_insert_with(|| {
            groups.push(Group {
                attributes,
                rule,
                nets: Vec::new(),
            });
            groups.len() - 1
        });
        self.groups[at].nets.push(net);
    }
}

impl<N: Net> FamilyRib<N> {
    /// Looks at no more than `budget` prefixes, and tells the peer what has
    /// changed about them: withdrawals first, so that a limit at the other end
    /// is never passed on the way.
    pub(super) fn drain(
        &mut self,
        context: &mut Context,
        index: PeerIndex,
        budget: usize,
        outbound: &mut Vec<Outbound>,
    ) {
        self.mark_changed(context);
        let mut out = std::mem::take(context.peers.get_mut(index).out_mut(N::FAMILY));
        let peer = context.peers.get(index);
        let limit = peer
            .config
            .advertise_limit
            .map_or(usize::MAX, |limit| limit as usize);
        let mut batch = Batch::new();
        let (mut seen, mut is_complete) = (0, false);
        while seen < budget {
            let Some(at) = out.dirty.next_from(out.cursor) else {
                is_complete = true;
                out.cursor = 0;
                if out.dirty.is_empty() {
                    out.mark_held_back(limit);
                }
                if out.dirty.is_empty() {
                    break;
                }
                continue;
            };
            seen += 1;
            out.cursor = at + 1;
            out.dirty.remove(at);
            out.held_back.remove(at);
            let net = self.table.entry(at).net;
            match self.exported(context, index, at, &mut batch) {
                Some((attributes, rule))
                    if out.announced.contains(at) || out.announced.len() < limit =>
                {
                    out.announced.insert(at);
                    batch.announce(net, attributes, rule);
                }
                Some(_) => {
                    out.held_back.insert(at);
                }
                None if out.announced.remove(at) => batch.withdrawn.push(net),
                None => (),
            }
        }
        let ends = is_complete && std::mem::take(&mut out.owes_end_of_rib);
        if !batch.withdrawn.is_empty() {
            outbound.push(Outbound::Withdraw(N::prefixes(batch.withdrawn)));
        }
        for group in batch.groups {
            let attributes =
                announced_attributes(context, peer, N::FAMILY, group.attributes, group.rule);
            outbound.push(Outbound::Announce(
                Arc::new(attributes),
                N::prefixes(group.nets),
            ));
        }
        if ends {
            outbound.push(Outbound::EndOfRib(N::FAMILY));
        }
        *context.peers.get_mut(index).out_mut(N::FAMILY) = out;
    }

    /// The best path's attributes and the rule that lets the peer hear of it.
    fn exported(
        &self,
        context: &Context,
        receiver: PeerIndex,
        at: u32,
        batch: &mut Batch<N>,
    ) -> Option<(AttributesId, RuleIndex)> {
        let best = self.best(at)?;
        let peer = context.peers.get(receiver);
        let candidates = batch
            .judged
            .entry((best.peer, best.attributes))
            .or_insert_with(|| candidates(context, receiver, N::FAMILY, best))
            .as_ref()?;
        let rule = peer
            .export
            .first_match(candidates, &self.table.entry(at).net.into())?;
        match peer.export.verdict(rule) {
            Verdict::Accept(_) => Some((best.attributes, rule)),
            Verdict::Refuse(_) => None,
        }
    }

    /// What was announced for an entry, if its route is still the same.
    pub(super) fn announced(
        &self,
        context: &Context,
        receiver: PeerIndex,
        at: u32,
    ) -> Option<PathAttributes> {
        let (attributes, rule) = self.exported(context, receiver, at, &mut Batch::new())?;
        Some(announced_attributes(
            context,
            context.peers.get(receiver),
            N::FAMILY,
            attributes,
            rule,
        ))
    }
}

/// The export rules that such a path can match; `None`: not for this peer,
/// whatever the prefix.
fn candidates(
    context: &Context,
    receiver: PeerIndex,
    family: Family,
    path: Path,
) -> Option<Candidates> {
    if path.peer == receiver {
        return None;
    }
    let peer = context.peers.get(receiver);
    let is_from_inside =
        path.peer != PeerIndex::LOCAL && context.peers.get(path.peer).is_internal();
    // RFC 4271 §9.2: routes from an internal peer don't go to internal peers.
    if is_from_inside && peer.is_internal() {
        return None;
    }
    own_address(peer, family)?;
    let communities = context.attributes.communities(path.attributes);
    if communities
        .iter()
        .any(|community| forbids(*community, peer))
    {
        return None;
    }
    Some(peer.export.candidates(&communities))
}

/// RFC 1997's well-known communities.
fn forbids(community: Community, peer: &Peer) -> bool {
    const NO_EXPORT: Community = Community(0xffff_ff01);
    const NO_ADVERTISE: Community = Community(0xffff_ff02);
    const NO_EXPORT_SUBCONFED: Community = Community(0xffff_ff03);
    match community {
        NO_ADVERTISE => true,
        NO_EXPORT | NO_EXPORT_SUBCONFED => !peer.is_internal(),
        _ => false,
    }
}

/// Our address on the session, if it can be a next hop of this family.
fn own_address(peer: &Peer, family: Family) -> Option<IpAddr> {
    peer.session
        .as_ref()
        .map(|session| session.local)
        .filter(|local| Family::of(*local) == family)
}

fn announced_attributes(
    context: &Context,
    peer: &Peer,
    family: Family,
    attributes: AttributesId,
    rule: RuleIndex,
) -> PathAttributes {
    const NO_CHANGES: &Changes = &Changes {
        local_pref: None,
        med: None,
        add_communities: Vec::new(),
        prepend: 0,
    };
    let mut attributes = context.attributes.unpack(attributes);
    // To internal peers too: an edge router's links are in no IGP that could
    // resolve a next hop on the far side of them.
    if let Some(address) = own_address(peer, family) {
        attributes.next_hop = NextHop {
            address,
            link_local: None,
        };
    }
    if peer.is_internal() {
        attributes.local_pref.get_or_insert(DEFAULT_LOCAL_PREF);
    } else {
        // RFC 4271 §5.1.4: a MED isn't passed on to another neighbor AS.
        attributes.med = None;
        attributes.originator_id = None;
        attributes.cluster_list.clear();
        // RFC 4360 §6.
        attributes
            .extended_communities
            .retain(|community| community.is_transitive());
        attributes.as_path.prepend(peer.config.local_asn, 1);
    }
    let changes = match peer.export.verdict(rule) {
        Verdict::Accept(changes) => changes,
        Verdict::Refuse(_) => NO_CHANGES,
    };
    changes.apply(&mut attributes, peer.config.local_asn);
    if !peer.is_internal() {
        // RFC 4271 §5.1.5: never to an external peer.
        attributes.local_pref = None;
    }
    attributes
}
