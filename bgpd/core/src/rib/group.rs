//! Update groups: peers that are told the same are told it once.
//!
//! A group of one family has the prefixes to look at again and, for each prefix
//! that was announced, the peer it had come from: that one alone was not told
//! (split horizon). So the members' Adj-RIBs-Out differ by no more than their own
//! routes, and one pass over what has changed serves all of them.
//!
//! A peer begins in a group of its own, and so does one that falls behind or asks
//! for everything again; groups of equal terms become one when both have told all
//! there is to tell.

use std::net::IpAddr;
use std::sync::Arc;

use super::bitmap::Bitmap;
use super::family::FamilyRib;
use super::peers::{Context, Peer};
use super::table::{Net, PeerIndex};
use crate::policy::{Adverse, Compiled};
use crate::wire::Codec;
use crate::{Asn, Family};

/// Names an update group within its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct GroupIndex(u32);

/// What decides on what a peer hears, and in which octets.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) export: Compiled,
    pub(super) adverse: Adverse,
    pub(super) local_asn: Asn,
    pub(super) is_internal: bool,
    /// Our address on the session, if it can be a next hop of the family.
    pub(super) next_hop: Option<IpAddr>,
    pub(super) codec: Codec,
    /// It counts what one peer has heard, so such peers share nothing.
    pub(super) limit: Option<u32>,
}

impl Terms {
    fn of(peer: &Peer, family: Family) -> Self {
        let session = peer.session.as_ref();
        Self {
            export: Compiled::new(&peer.config.export),
            adverse: peer.adverse(),
            local_asn: peer.config.local_asn,
            is_internal: peer.is_internal(),
            next_hop: session
                .map(|session| session.local)
                .filter(|local| Family::of(*local) == family),
            codec: session.map_or_else(Codec::initial, |session| session.codec.clone()),
            limit: peer.config.advertise_limit,
        }
    }

    fn hold_for(&self, peer: &Peer, family: Family) -> bool {
        let next_hop = peer
            .session
            .as_ref()
            .map(|session| session.local)
            .filter(|local| Family::of(*local) == family);
        self.limit.is_none()
            && peer.config.advertise_limit.is_none()
            && self.local_asn == peer.config.local_asn
            && self.is_internal == peer.is_internal()
            && self.next_hop == next_hop
            && peer
                .session
                .as_ref()
                .is_some_and(|session| session.codec == self.codec)
            && self.adverse == peer.adverse()
            && *self.export.policy() == peer.config.export
    }
}

/// One peer's place, and how many prefixes its group has announced to the others
/// only, for they are its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Membership {
    pub(super) group: GroupIndex,
    pub(super) own: u32,
}

#[derive(Debug)]
pub(super) struct UpdateGroup {
    pub(super) terms: Arc<Terms>,
    /// At least one.
    pub(super) members: Vec<PeerIndex>,
    /// What to look at again.
    pub(super) dirty: Bitmap,
    pub(super) cursor: u32,
    pub(super) announced: Sources,
    /// Would be announced but for the limit.
    pub(super) held_back: Bitmap,
    /// End-of-RIB follows what is there at the session's start.
    pub(super) owes_end_of_rib: bool,
}

impl UpdateGroup {
    pub(super) const fn has_work(&self) -> bool {
        !self.dirty.is_empty() || self.owes_end_of_rib
    }

    /// How many prefixes a member has heard of.
    pub(super) fn heard(&self, membership: Membership) -> usize {
        self.announced.count() - membership.own as usize
    }

    /// The prefix is gone; who has not heard of it has nothing to hear.
    pub(super) fn forget_unheard(&mut self, at: u32) {
        if self.announced.source(at).is_none() {
            self.dirty.remove(at);
            self.held_back.remove(at);
        }
    }

    /// A group for some of the members, which have heard the same so far.
    fn split(&mut self, members: Vec<PeerIndex>) -> Self {
        self.members.retain(|member| !members.contains(member));
        Self {
            terms: self.terms.clone(),
            members,
            dirty: self.dirty.clone(),
            cursor: self.cursor,
            announced: self.announced.clone(),
            held_back: self.held_back.clone(),
            owes_end_of_rib: self.owes_end_of_rib,
        }
    }
}

/// All update groups of one family.
#[derive(Debug, Default)]
pub(super) struct UpdateGroups(Vec<Option<UpdateGroup>>);

impl UpdateGroups {
    pub(super) fn get(&self, index: GroupIndex) -> &UpdateGroup {
        self.0[index.0 as usize]
            .as_ref()
            .expect("invariant: an index names a group")
    }

    pub(super) fn get_mut(&mut self, index: GroupIndex) -> &mut UpdateGroup {
        self.0[index.0 as usize]
            .as_mut()
            .expect("invariant: an index names a group")
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (GroupIndex, &UpdateGroup)> {
        (0..)
            .map(GroupIndex)
            .zip(&self.0)
            .filter_map(|(index, group)| Some((index, group.as_ref()?)))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut UpdateGroup> {
        self.0.iter_mut().flatten()
    }

    pub(super) fn to_tell(&self) -> impl Iterator<Item = GroupIndex> {
        self.iter()
            .filter(|(_, group)| group.has_work())
            .map(|(index, _)| index)
    }

    fn insert(&mut self, group: UpdateGroup) -> GroupIndex {
        let at = match self.0.iter().position(Option::is_none) {
            Some(at) => at,
            None => {
                self.0.push(None);
                self.0.len() - 1
            }
        };
        self.0[at] = Some(group);
        GroupIndex(u32::try_from(at).expect("invariant: no more groups than peers"))
    }

    fn remove(&mut self, index: GroupIndex) -> UpdateGroup {
        self.0[index.0 as usize]
            .take()
            .expect("invariant: an index names a group")
    }
}

impl<N: Net> FamilyRib<N> {
    /// The peer's session has begun: it has heard nothing.
    pub(super) fn join(&mut self, context: &mut Context, index: PeerIndex) {
        self.leave(context, index);
        let mut group = UpdateGroup {
            terms: self.terms(context, index),
            members: vec![index],
            dirty: Bitmap::default(),
            cursor: 0,
            announced: Sources::default(),
            held_back: Bitmap::default(),
            owes_end_of_rib: true,
        };
        group.dirty.insert_below(self.table.end());
        let group = self.groups.insert(group);
        let membership = Membership { group, own: 0 };
        *context.peers.get_mut(index).membership_mut(N::FAMILY) = Some(membership);
    }

    /// The peer's session has ended.
    pub(super) fn leave(&mut self, context: &mut Context, index: PeerIndex) {
        let membership = context.peers.get_mut(index).membership_mut(N::FAMILY);
        let Some(Membership { group, .. }) = membership.take() else {
            return;
        };
        let members = &mut self.groups.get_mut(group).members;
        members.retain(|member| *member != index);
        if members.is_empty() {
            self.groups.remove(group);
        }
    }

    /// The peer has to hear everything again, on the terms that hold by now.
    pub(super) fn tell_again(&mut self, context: &mut Context, index: PeerIndex) {
        if let Some(group) = self.on_new_terms(context, index) {
            let end = self.table.end();
            self.groups.get_mut(group).dirty.insert_below(end);
        }
    }

    /// The peer has to hear otherwise of the routes that it knows: a few in a large
    /// table don't wait until all of it has been looked at.
    pub(super) fn tell_otherwise(&mut self, context: &mut Context, index: PeerIndex) {
        let Some(group) = self.on_new_terms(context, index) else {
            return;
        };
        let UpdateGroup {
            dirty,
            announced,
            cursor,
            ..
        } = self.groups.get_mut(group);
        announced.each(|at| {
            dirty.insert(at);
        });
        *cursor = 0;
    }

    /// The peer's group, its own alone, with the terms that hold by now.
    fn on_new_terms(&mut self, context: &mut Context, index: PeerIndex) -> Option<GroupIndex> {
        let membership = context.peers.get(index).membership(N::FAMILY)?;
        let terms = self.terms(context, index);
        let group = self.fall_out(context, membership.group, &[index]);
        self.groups.get_mut(group).terms = terms;
        Some(group)
    }

    /// These members hear what is still to be told at a pace of their own. They
    /// are the group that is named.
    pub(super) fn fall_out(
        &mut self,
        context: &mut Context,
        index: GroupIndex,
        members: &[PeerIndex],
    ) -> GroupIndex {
        let group = self.groups.get_mut(index);
        let (out, left): (Vec<PeerIndex>, Vec<PeerIndex>) = group
            .members
            .iter()
            .partition(|member| members.contains(member));
        if out.is_empty() || left.is_empty() {
            return index;
        }
        let behind = group.split(out);
        let behind = self.groups.insert(behind);
        for member in &self.groups.get(behind).members {
            context.peers.get_mut(*member).move_to(N::FAMILY, behind);
        }
        behind
    }

    /// A group that has told everything is the same as another one of equal terms
    /// that has, too.
    pub(super) fn merge(&mut self, context: &mut Context, index: GroupIndex) {
        let group = self.groups.get(index);
        if group.has_work() || group.terms.limit.is_some() {
            return;
        }
        let is_same = |(other, of): &(GroupIndex, &UpdateGroup)| {
            *other != index && !of.has_work() && Arc::ptr_eq(&of.terms, &group.terms)
        };
        let Some((other, of)) = self.groups.iter().find(is_same) else {
            return;
        };
        let (stays, goes) = if of.members.len() < group.members.len() {
            (index, other)
        } else {
            (other, index)
        };
        let members = self.groups.remove(goes).members;
        for member in &members {
            context.peers.get_mut(*member).move_to(N::FAMILY, stays);
        }
        self.groups.get_mut(stays).members.extend(members);
    }

    /// The peer is no more, and its index will name another.
    pub(super) fn forget_source(&mut self, index: PeerIndex) {
        for group in self.groups.iter_mut() {
            group.announced.replace(index, PeerIndex::LOCAL);
        }
    }

    /// Terms that a group has already are the same thing, not only equal.
    fn terms(&self, context: &Context, index: PeerIndex) -> Arc<Terms> {
        let peer = context.peers.get(index);
        let same = self
            .groups
            .iter()
            .find(|(_, group)| group.terms.hold_for(peer, N::FAMILY));
        match same {
            Some((_, group)) => group.terms.clone(),
            None => Arc::new(Terms::of(peer, N::FAMILY)),
        }
    }
}

/// The prefixes that a group has announced, and where each was from. Copies share
/// what they have in common: a group that stands still keeps little of its own.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    chunks: Vec<Option<Arc<[PeerIndex; CHUNK]>>>,
    count: usize,
}

const CHUNK: usize = 1024;

impl Sources {
    pub(super) fn source(&self, at: u32) -> Option<PeerIndex> {
        let (chunk, place) = position(at);
        let chunk = self.chunks.get(chunk)?.as_ref()?;
        Some(chunk[place]).filter(|source| *source != PeerIndex::NONE)
    }

    /// Sets where a prefix is from, `None` if it is not announced any more.
    pub(super) fn set(&mut self, at: u32, source: Option<PeerIndex>) {
        let (chunk, place) = position(at);
        if chunk >= self.chunks.len() {
            if source.is_none() {
                return;
            }
            self.chunks.resize(chunk + 1, None);
        }
        let chunk = self.chunks[chunk].get_or_insert_with(|| Arc::new([PeerIndex::NONE; CHUNK]));
        let new = source.unwrap_or(PeerIndex::NONE);
        let old = std::mem::replace(&mut Arc::make_mut(chunk)[place], new);
        self.count += usize::from(new != PeerIndex::NONE);
        self.count -= usize::from(old != PeerIndex::NONE);
    }

    pub(super) const fn count(&self) -> usize {
        self.count
    }

    fn each(&self, mut visit: impl FnMut(u32)) {
        for (number, chunk) in (0..).zip(&self.chunks) {
            let sources = chunk.iter().flat_map(|chunk| chunk.iter());
            for (place, _) in (0..)
                .zip(sources)
                .filter(|(_, source)| **source != PeerIndex::NONE)
            {
                visit(number * CHUNK as u32 + place);
            }
        }
    }

    fn replace(&mut self, old: PeerIndex, new: PeerIndex) {
        for chunk in self.chunks.iter_mut().flatten() {
            if chunk.contains(&old) {
                for source in Arc::make_mut(chunk)
                    .iter_mut()
                    .filter(|source| **source == old)
                {
                    *source = new;
                }
            }
        }
    }
}

const fn position(at: u32) -> (usize, usize) {
    (at as usize / CHUNK, at as usize % CHUNK)
}
