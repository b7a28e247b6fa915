//! Out to the peers: which update groups have something to hear, and what.

use std::sync::Arc;

use super::Rib;
use super::group::{GroupIndex, Membership, UpdateGroup};
use crate::wire::{Codec, PathAttributes, Prefixes};
use crate::{Family, PathId};

/// Names an update group: established peers that are told the same, in the same
/// octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId {
    family: Family,
    index: GroupIndex,
}

/// Which of a group's members are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    All,
    AllBut(PathId),
    Only(PathId),
}

impl Audience {
    pub fn includes(self, path: PathId) -> bool {
        match self {
            Self::All => true,
            Self::AllBut(other) => path != other,
            Self::Only(only) => path == only,
        }
    }
}

/// What a session has to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outbound {
    Announce(Arc<PathAttributes>, Prefixes),
    Withdraw(Prefixes),
    EndOfRib(Family),
}

impl Rib {
    /// The peer wants to hear everything again (RFC 2918).
    pub fn refresh(&mut self, path: PathId, family: Family) {
        let Some(index) = self.context.peers.index(path) else {
            return;
        };
        match family {
            Family::Ipv4 => self.ipv4.tell_again(&mut self.context, index),
            Family::Ipv6 => self.ipv6.tell_again(&mut self.context, index),
        }
    }

    /// Marks what has changed for every group, so that [`Rib::groups_to_tell`]
    /// knows.
    pub fn mark_changed(&mut self) {
        self.ipv4.mark_changed();
        self.ipv6.mark_changed();
    }

    /// Whether some group has to hear something, as of the last
    /// [`Rib::mark_changed`].
    pub fn has_outbound(&self) -> bool {
        self.groups_to_tell().next().is_some()
    }

    /// The groups for which [`Rib::drain_group`] may have something, as of the
    /// last [`Rib::mark_changed`].
    pub fn groups_to_tell(&self) -> impl Iterator<Item = GroupId> {
        let id = |family| move |index| GroupId { family, index };
        let ipv4 = self.ipv4.groups.to_tell().map(id(Family::Ipv4));
        ipv4.chain(self.ipv6.groups.to_tell().map(id(Family::Ipv6)))
    }

    /// Whether the peer has something to hear, as [`Rib::groups_to_tell`].
    pub fn is_to_tell(&self, path: PathId, family: Family) -> bool {
        self.group_of(path, family)
            .is_some_and(|group| self.group(group).has_work())
    }

    /// Prefixes that `advertise_limit` keeps from the peer.
    pub fn held_back(&self, path: PathId, family: Family) -> usize {
        self.group_of(path, family)
            .map_or(0, |group| self.group(group).held_back.len())
    }

    /// The update group that a peer is in by now; `None`: it has no session of
    /// this family.
    pub fn group_of(&self, path: PathId, family: Family) -> Option<GroupId> {
        let index = self.context.peers.index(path)?;
        let membership = self.context.peers.get(index).membership(family)?;
        let index = membership.group;
        Some(GroupId { family, index })
    }

    pub fn members(&self, group: GroupId) -> impl Iterator<Item = PathId> {
        let members = self.group(group).members.iter();
        members.map(|member| self.context.peers.get(*member).id)
    }

    /// How messages to a group's members are written.
    pub fn codec(&self, group: GroupId) -> &Codec {
        &self.group(group).terms.codec
    }

    /// What the group has to hear of the next `budget` prefixes, packed by
    /// attributes. Once it has heard everything it may be one with another group,
    /// and its name another's.
    pub fn drain_group(&mut self, group: GroupId, budget: usize) -> Vec<(Audience, Outbound)> {
        let context = &mut self.context;
        match group.family {
            Family::Ipv4 => self.ipv4.drain(context, group.index, budget),
            Family::Ipv6 => self.ipv6.drain(context, group.index, budget),
        }
    }

    /// These members do not keep up with the others: what is still to be told they
    /// hear in a group of their own, until they have heard all of it.
    pub fn fall_out(&mut self, group: GroupId, members: &[PathId]) {
        let peers = &self.context.peers;
        let members: Vec<_> = members
            .iter()
            .filter_map(|path| peers.index(*path))
            .collect();
        match group.family {
            Family::Ipv4 => self.ipv4.fall_out(&mut self.context, group.index, &members),
            Family::Ipv6 => self.ipv6.fall_out(&mut self.context, group.index, &members),
        };
    }

    fn group(&self, group: GroupId) -> &UpdateGroup {
        match group.family {
            Family::Ipv4 => self.ipv4.groups.get(group.index),
            Family::Ipv6 => self.ipv6.groups.get(group.index),
        }
    }

    pub(super) fn memberships(
        &self,
        path: PathId,
    ) -> impl Iterator<Item = (&UpdateGroup, Membership)> {
        let index = self.context.peers.index(path);
        Family::ALL.into_iter().filter_map(move |family| {
            let membership = self.context.peers.get(index?).membership(family)?;
            let index = membership.group;
            Some((self.group(GroupId { family, index }), membership))
        })
    }
}
