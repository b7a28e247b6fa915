//! From Loc-RIB to an update group: which best routes its members may hear of, and
//! with what attributes. What is sent is made when it is sent.

use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::attributes::{AttributesId, DEFAULT_LOCAL_PREF};
use super::family::FamilyRib;
use super::group::{GroupIndex, Terms, UpdateGroup};
use super::peers::Context;
use super::table::{Net, Path, PeerIndex};
use super::{Audience, Outbound};
use crate::Family;
use crate::policy::{Adverse, Candidates, Changes, RuleIndex, Verdict};
use crate::wire::{Community, NextHop, PathAttributes};

/// A best route on a group's terms.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Exported {
    source: PeerIndex,
    attributes: AttributesId,
    rule: RuleIndex,
}

/// What one call of [`FamilyRib::drain`] collects. Prefixes are together that
/// share attributes and come from one peer, which is not told.
struct Batch<N> {
    withdrawn: Runs<PeerIndex, N>,
    /// From the peer whose own route is the best by now.
    withdrawn_from: Runs<PeerIndex, N>,
    announced: Runs<Exported, N>,
    judged: Judged,
}

type Judged = HashMap<(PeerIndex, AttributesId), Option<Candidates>, RandomState>;

/// Lists by key, in the order in which the keys came.
struct Runs<K, N> {
    runs: Vec<(K, Vec<N>)>,
    by_key: HashMap<K, usize, RandomState>,
}

impl<K: Copy + Eq + std::hash::Hash, N> Runs<K, N> {
    fn new() -> Self {
        Self {
            runs: Vec::new(),
            by_key: HashMap::default(),
        }
    }

    fn push(&mut self, key: K, net: N) {
        let runs = &mut self.runs;
        let at = *self.by_key.entry(key).or_insert_with(|| {
            runs.push((key, Vec::new()));
            runs.len() - 1
        });
        self.runs[at].1.push(net);
    }
}

impl<N: Net> Batch<N> {
    fn new() -> Self {
        Self {
            withdrawn: Runs::new(),
            withdrawn_from: Runs::new(),
            announced: Runs::new(),
            judged: HashMap::default(),
        }
    }
}

impl<N: Net> FamilyRib<N> {
    /// Looks at no more than `budget` prefixes, and tells a group what has changed
    /// about them: withdrawals first, so that a limit at the other end is never
    /// passed on the way.
    pub(super) fn drain(
        &mut self,
        context: &mut Context,
        index: GroupIndex,
        budget: usize,
    ) -> Vec<(Audience, Outbound)> {
        self.mark_changed();
        let mut batch = Batch::new();
        let (mut seen, mut is_complete) = (0, false);
        let group = self.groups.get_mut(index);
        while seen < budget {
            let Some(at) = group.dirty.next_from(group.cursor) else {
                is_complete = true;
                group.cursor = 0;
                if group.dirty.is_empty() {
                    break;
                }
                continue;
            };
            seen += 1;
            group.cursor = at + 1;
            group.dirty.remove(at);
            group.held_back.remove(at);
            let entry = self.table.entry(at);
            let best = self.table.best(at);
            let exported = best.and_then(|best| {
                exported(context, &group.terms, &mut batch.judged, best, entry.net)
            });
            group.tell(context, at, entry.net, exported, &mut batch);
        }
        if group.dirty.is_empty() {
            group.look_at_held_back(context, N::FAMILY);
        }
        let ends = is_complete && std::mem::take(&mut group.owes_end_of_rib);
        let mut told = batch.into_told(context, group);
        if ends {
            told.push((Audience::All, Outbound::EndOfRib(N::FAMILY)));
        }
        self.merge(context, index);
        told
    }

    /// What a peer was told of an entry, if its route is still the same.
    pub(super) fn announced(
        &self,
        context: &Context,
        receiver: PeerIndex,
        at: u32,
    ) -> Option<PathAttributes> {
        let membership = context.peers.get(receiver).membership(N::FAMILY)?;
        let terms = &self.groups.get(membership.group).terms;
        let best = self.table.best(at).filter(|best| best.peer != receiver)?;
        let net = self.table.entry(at).net;
        let exported = exported(context, terms, &mut Judged::default(), best, net)?;
        Some(announced_attributes(context, terms, exported))
    }

    /// Whether a peer was told of an entry.
    pub(super) fn has_announced(&self, context: &Context, receiver: PeerIndex, at: u32) -> bool {
        let membership = context.peers.get(receiver).membership(N::FAMILY);
        let source = membership
            .and_then(|membership| self.groups.get(membership.group).announced.source(at));
        source.is_some_and(|source| source != receiver)
    }
}

impl UpdateGroup {
    /// Notes what there is to say of one prefix.
    fn tell<N: Net>(
        &mut self,
        context: &mut Context,
        at: u32,
        net: N,
        exported: Option<Exported>,
        batch: &mut Batch<N>,
    ) {
        let old = self.announced.source(at);
        let new = exported.map(|exported| exported.source);
        if let Some(exported) = exported {
            if !self.has_room(context, N::FAMILY, old, exported.source) {
                self.held_back.insert(at);
                return self.set_source(context, N::FAMILY, at, old, None);
            }
            batch.announced.push(exported, net);
            if old.is_some() && old != new && self.has_member(context, N::FAMILY, exported.source) {
                batch.withdrawn_from.push(exported.source, net);
            }
        } else if let Some(old) = old {
            batch.withdrawn.push(old, net);
        }
        self.set_source(context, N::FAMILY, at, old, new);
    }

    fn set_source(
        &mut self,
        context: &mut Context,
        family: Family,
        at: u32,
        old: Option<PeerIndex>,
        new: Option<PeerIndex>,
    ) {
        if old == new {
            return;
        }
        self.announced.set(at, new);
        if let Some(own) = self.own(context, family, old) {
            *own -= 1;
        }
        if let Some(own) = self.own(context, family, new) {
            *own += 1;
        }
    }

    /// How many announced prefixes are a member's own.
    fn own<'a>(
        &self,
        context: &'a mut Context,
        family: Family,
        source: Option<PeerIndex>,
    ) -> Option<&'a mut u32> {
        let source = source?;
        self.has_member(context, family, source).then_some(())?;
        let membership = context.peers.get_mut(source).membership_mut(family);
        membership.as_mut().map(|membership| &mut membership.own)
    }

    fn has_member(&self, context: &Context, family: Family, peer: PeerIndex) -> bool {
        self.members.first() == Some(&peer) || {
            // Any member's group is this one.
            let group = |peer: PeerIndex| {
                let membership = context.peers.get(peer).membership(family);
                membership.map(|membership| membership.group)
            };
            peer != PeerIndex::LOCAL
                && self
                    .members
                    .first()
                    .is_some_and(|first| group(*first) == group(peer))
        }
    }

    /// Whether the limit lets the only member hear of one more.
    fn has_room(
        &self,
        context: &Context,
        family: Family,
        old: Option<PeerIndex>,
        new: PeerIndex,
    ) -> bool {
        let (Some(limit), [sole]) = (self.terms.limit, &self.members[..]) else {
            return true;
        };
        let was_heard = old.is_some_and(|old| old != *sole);
        let membership = context.peers.get(*sole).membership(family);
        let heard = membership.map_or(0, |membership| self.heard(membership));
        was_heard || new == *sole || heard < limit as usize
    }

    /// There is room below the limit again: look at what was held back.
    fn look_at_held_back(&mut self, context: &Context, family: Family) {
        let (Some(limit), [sole]) = (self.terms.limit, &self.members[..]) else {
            return;
        };
        let membership = context.peers.get(*sole).membership(family);
        let heard = membership.map_or(0, |membership| self.heard(membership));
        let mut from = 0;
        for _ in heard..limit as usize {
            let Some(at) = self.held_back.next_from(from) else {
                break;
            };
            self.held_back.remove(at);
            self.dirty.insert(at);
            from = at + 1;
        }
    }
}

impl<N: Net> Batch<N> {
    /// In words for the members. What nobody would hear is left out.
    fn into_told(self, context: &Context, group: &UpdateGroup) -> Vec<(Audience, Outbound)> {
        let mut told = Vec::new();
        let withdraw = |nets| Outbound::Withdraw(N::prefixes(nets));
        let others = |source| match group.has_member(context, N::FAMILY, source) {
            false => Some(Audience::All),
            true if group.members.len() == 1 => None,
            true => Some(Audience::AllBut(context.peers.get(source).id)),
        };
        for (source, nets) in self.withdrawn_from.runs {
            let only = Audience::Only(context.peers.get(source).id);
            told.push((only, withdraw(nets)));
        }
        for (source, nets) in self.withdrawn.runs {
            told.extend(others(source).map(|audience| (audience, withdraw(nets))));
        }
        let mut announced = self.announced.runs;
        // What goes to the same peers is together.
        announced.sort_by_key(|(exported, _)| exported.source);
        for (exported, nets) in announced {
            if let Some(audience) = others(exported.source) {
                let attributes = announced_attributes(context, &group.terms, exported);
                let outbound = Outbound::Announce(Arc::new(attributes), N::prefixes(nets));
                told.push((audience, outbound));
            }
        }
        told
    }
}

/// A best path on these terms; `None`: it is not for such peers.
fn exported<N: Net>(
    context: &Context,
    terms: &Terms,
    judged: &mut Judged,
    best: Path,
    net: N,
) -> Option<Exported> {
    let candidates = judged
        .entry((best.peer, best.attributes))
        .or_insert_with(|| candidates(context, terms, best))
        .as_ref()?;
    let rule = terms.export.first_match(candidates, &net.into())?;
    match terms.export.verdict(rule) {
        Verdict::Accept(_) => Some(Exported {
            source: best.peer,
            attributes: best.attributes,
            rule,
        }),
        Verdict::Refuse(_) => None,
    }
}

/// The export rules that such a path can match; `None`: it is not for such peers,
/// whatever the prefix.
fn candidates(context: &Context, terms: &Terms, path: Path) -> Option<Candidates> {
    let is_from_inside =
        path.peer != PeerIndex::LOCAL && context.peers.get(path.peer).is_internal();
    // RFC 4271 §9.2: routes from an internal peer don't go to internal peers.
    if is_from_inside && terms.is_internal {
        return None;
    }
    terms.next_hop?;
    if terms.adverse == Adverse::Withdraw {
        return None;
    }
    let communities = context.attributes.communities(path.attributes);
    if communities
        .iter()
        .any(|community| forbids(*community, terms))
    {
        return None;
    }
    Some(terms.export.candidates(&communities))
}

/// RFC 1997's well-known communities.
fn forbids(community: Community, terms: &Terms) -> bool {
    const NO_EXPORT: Community = Community(0xffff_ff01);
    const NO_ADVERTISE: Community = Community(0xffff_ff02);
    const NO_EXPORT_SUBCONFED: Community = Community(0xffff_ff03);
    match community {
        NO_ADVERTISE => true,
        NO_EXPORT | NO_EXPORT_SUBCONFED => !terms.is_internal,
        _ => false,
    }
}

fn announced_attributes(context: &Context, terms: &Terms, exported: Exported) -> PathAttributes {
    const NO_CHANGES: &Changes = &Changes {
        local_pref: None,
        med: None,
        add_communities: Vec::new(),
        prepend: 0,
    };
    let mut attributes = context.attributes.unpack(exported.attributes);
    // To internal peers too: an edge router's links are in no IGP that could
    // resolve a next hop on the far side of them.
    if let Some(address) = terms.next_hop {
        attributes.next_hop = NextHop {
            address,
            link_local: None,
        };
    }
    if terms.is_internal {
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
        attributes.as_path.prepend(terms.local_asn, 1);
    }
    let changes = match terms.export.verdict(exported.rule) {
        Verdict::Accept(changes) => changes,
        Verdict::Refuse(_) => NO_CHANGES,
    };
    changes.apply(&mut attributes, terms.local_asn);
    if let Adverse::Change(discouraged) = &terms.adverse {
        discouraged.apply(&mut attributes, terms.local_asn);
    }
    if !terms.is_internal {
        // RFC 4271 §5.1.5: never to an external peer.
        attributes.local_pref = None;
    }
    attributes
}
