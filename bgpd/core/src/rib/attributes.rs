//! Every set of attributes once, with the number of its users.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use smallvec::SmallVec;
use std::hash::BuildHasher;

use super::packed::{Packed, pack};
use crate::wire::{Community, NextHop, Origin, PathAttributes};
use crate::{Asn, RouterId};

/// Names one interned set of attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct AttributesId(pub(super) u32);

/// What the decision process looks at, without unpacking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Preference {
    pub(super) local_pref: u32,
    pub(super) med: u32,
    /// The first AS of AS_PATH; 0 where it is empty: our own.
    pub(super) neighbor_asn: u32,
    pub(super) as_path_len: u16,
    pub(super) cluster_list_len: u16,
    pub(super) origin: Origin,
    pub(super) has_originator_id: bool,
}

#[derive(Debug, Default)]
pub(super) struct AttributeTable {
    slots: Vec<Slot>,
    free: Vec<u32>,
    index: HashTable<u32>,
    hasher: RandomState,
    words: Vec<u32>,
}

/// An unused slot has no words.
#[derive(Debug)]
struct Slot {
    words: Box<[u32]>,
    users: u32,
    /// What these were made from by an import policy: the attributes as
    /// received. A user of these is one user of those. [`NONE`]: received so.
    base: u32,
    preference: Preference,
}

const NONE: u32 = u32::MAX;

/// LOCAL_PREF of a route that has none (RFC 4271 leaves it open; 100 is custom).
pub(super) const DEFAULT_LOCAL_PREF: u32 = 100;

impl AttributeTable {
    /// The id of attributes as received, with one user more.
    pub(super) fn intern(&mut self, attributes: &PathAttributes) -> AttributesId {
        self.intern_with_base(attributes, NONE)
    }

    /// The id of attributes that an import policy made from `base`, with one
    /// user more. If nothing was changed, it is `base`.
    pub(super) fn intern_changed(
        &mut self,
        attributes: &PathAttributes,
        base: AttributesId,
    ) -> AttributesId {
        debug_assert_eq!(self.slot(base).base, NONE);
        self.intern_with_base(attributes, base.0)
    }

    fn intern_with_base(&mut self, attributes: &PathAttributes, base: u32) -> AttributesId {
        pack(attributes, &mut self.words);
        if base != NONE && *self.slot(AttributesId(base)).words == *self.words {
            self.retain(AttributesId(base));
            return AttributesId(base);
        }
        let hash = self.hasher.hash_one((base, self.words.as_slice()));
        let slots = &self.slots;
        let same = |at: &u32| {
            let slot = &slots[*at as usize];
            slot.base == base && *slot.words == *self.words
        };
        if let Some(at) = self.index.find(hash, same) {
            let id = AttributesId(*at);
            self.retain(id);
            return id;
        }
        let id = self.insert(Slot {
            words: self.words.as_slice().into(),
            users: 1,
            base,
            preference: Preference::of(attributes),
        });
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.index.insert_unique(hash, id.0, |at| {
            let slot = &slots[*at as usize];
            hasher.hash_one((slot.base, &*slot.words))
        });
        if base != NONE {
            self.retain(AttributesId(base));
        }
        id
    }

    fn insert(&mut self, slot: Slot) -> AttributesId {
        if let Some(at) = self.free.pop() {
            self.slots[at as usize] = slot;
            return AttributesId(at);
        }
        let at =
            u32::try_from(self.slots.len()).expect("invariant: memory ends before 2^32 attributes");
        self.slots.push(slot);
        AttributesId(at)
    }

    pub(super) fn retain(&mut self, id: AttributesId) {
        self.slots[id.0 as usize].users += 1;
    }

    pub(super) fn release(&mut self, id: AttributesId) {
        let slot = &mut self.slots[id.0 as usize];
        slot.users -= 1;
        if slot.users > 0 {
            return;
        }
        let (base, hash) = (slot.base, self.hasher.hash_one((slot.base, &*slot.words)));
        slot.words = Box::default();
        if let Ok(entry) = self.index.find_entry(hash, |at| *at == id.0) {
            entry.remove();
        }
        self.free.push(id.0);
        if base != NONE {
            self.release(AttributesId(base));
        }
    }

    /// As the peer sent them, whatever the import policy has made of them.
    pub(super) fn received(&self, id: AttributesId) -> AttributesId {
        match self.slot(id).base {
            NONE => id,
            base => AttributesId(base),
        }
    }

    pub(super) fn preference(&self, id: AttributesId) -> &Preference {
        &self.slot(id).preference
    }

    pub(super) fn next_hop(&self, id: AttributesId) -> NextHop {
        self.packed(id).next_hop()
    }

    pub(super) fn originator_id(&self, id: AttributesId) -> Option<RouterId> {
        self.packed(id).originator_id()
    }

    pub(super) fn as_path_has(&self, id: AttributesId, asns: &[Asn]) -> bool {
        self.packed(id).as_path_has(asns)
    }

    pub(super) fn communities(&self, id: AttributesId) -> SmallVec<[Community; 8]> {
        self.packed(id).communities()
    }

    pub(super) fn unpack(&self, id: AttributesId) -> PathAttributes {
        self.packed(id).unpack()
    }

    /// How many sets there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    fn packed(&self, id: AttributesId) -> Packed<'_> {
        Packed(&self.slot(id).words)
    }

    fn slot(&self, id: AttributesId) -> &Slot {
        &self.slots[id.0 as usize]
    }
}

impl Preference {
    fn of(attributes: &PathAttributes) -> Self {
        Self {
            local_pref: attributes.local_pref.unwrap_or(DEFAULT_LOCAL_PREF),
            // RFC 4271 §9.1.2.2 (c): a missing MED is the lowest possible.
            med: attributes.med.unwrap_or(0),
            neighbor_asn: attributes.as_path.first().map_or(0, |asn| asn.0),
            as_path_len: u16::try_from(attributes.as_path.len_for_decision()).unwrap_or(u16::MAX),
            cluster_list_len: u16::try_from(attributes.cluster_list.len()).unwrap_or(u16::MAX),
            origin: attributes.origin,
            has_originator_id: attributes.originator_id.is_some(),
        }
    }
}
