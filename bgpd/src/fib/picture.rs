//! What we have asked the kernel to hold: each prefix with its slot, in 8
//! octets (IPv4) or 20 (IPv6) beside the table's own overhead.

use std::net::IpAddr;

use hashbrown::DefaultHashBuilder;
use hashbrown::hash_table::{Entry as Place, HashTable};
use ipnet::IpNet;
use std::hash::BuildHasher;

/// Names a [`super::slots::Slot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SlotId(pub(super) u32);

#[derive(Default)]
pub(super) struct Picture {
    v4: Table<[u8; 4]>,
    v6: Table<[u8; 16]>,
}

struct Table<A> {
    entries: HashTable<Entry<A>>,
    hasher: DefaultHashBuilder,
}

#[derive(Clone, Copy)]
struct Entry<A> {
    address: A,
    /// Slot (23 bits), the audit's mark (1 bit), prefix length (8 bits).
    packed: u32,
}

impl Picture {
    /// Puts a prefix into a slot; the slot that it was in.
    pub(super) fn insert(&mut self, prefix: &IpNet, slot: SlotId) -> Option<SlotId> {
        match prefix.network() {
            IpAddr::V4(address) => self.v4.insert(address.octets(), prefix.prefix_len(), slot),
            IpAddr::V6(address) => self.v6.insert(address.octets(), prefix.prefix_len(), slot),
        }
    }

    pub(super) fn remove(&mut self, prefix: &IpNet) -> Option<SlotId> {
        match prefix.network() {
            IpAddr::V4(address) => self.v4.remove(address.octets(), prefix.prefix_len()),
            IpAddr::V6(address) => self.v6.remove(address.octets(), prefix.prefix_len()),
        }
    }

    pub(super) fn slot(&self, prefix: &IpNet) -> Option<SlotId> {
        match prefix.network() {
            IpAddr::V4(address) => self.v4.find(address.octets(), prefix.prefix_len()),
            IpAddr::V6(address) => self.v6.find(address.octets(), prefix.prefix_len()),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (IpNet, SlotId)> {
        let v4 = self
            .v4
            .entries
            .iter()
            .map(|entry| (entry.prefix(), entry.slot()));
        v4.chain(
            self.v6
                .entries
                .iter()
                .map(|entry| (entry.prefix(), entry.slot())),
        )
    }

    /// Begins an audit: nothing is seen yet.
    pub(super) fn unsee(&mut self) {
        self.v4.unsee();
        self.v6.unsee();
    }

    /// The prefix's slot, which is marked as seen.
    pub(super) fn see(&mut self, prefix: &IpNet) -> Option<SlotId> {
        match prefix.network() {
            IpAddr::V4(address) => self.v4.see(address.octets(), prefix.prefix_len()),
            IpAddr::V6(address) => self.v6.see(address.octets(), prefix.prefix_len()),
        }
    }

    /// What was not seen since [`Picture::unsee`].
    pub(super) fn unseen(&self) -> impl Iterator<Item = (IpNet, SlotId)> {
        let v4 = self.v4.unseen().map(|entry| (entry.prefix(), entry.slot()));
        v4.chain(self.v6.unseen().map(|entry| (entry.prefix(), entry.slot())))
    }
}

impl<A> Default for Table<A> {
    fn default() -> Self {
        Self {
            entries: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }
}

impl<A: Copy + Eq + std::hash::Hash> Table<A> {
    fn insert(&mut self, address: A, length: u8, slot: SlotId) -> Option<SlotId> {
        let hash = self.hasher.hash_one((address, length));
        let rehash = |entry: &Entry<A>| self.hasher.hash_one((entry.address, entry.length()));
        match self
            .entries
            .entry(hash, |entry| entry.is(address, length), rehash)
        {
            Place::Occupied(mut place) => {
                let before = place.get().slot();
                *place.get_mut() = Entry::new(address, length, slot);
                Some(before)
            }
            Place::Vacant(place) => {
                place.insert(Entry::new(address, length, slot));
                None
            }
        }
    }

    fn remove(&mut self, address: A, length: u8) -> Option<SlotId> {
        let hash = self.hasher.hash_one((address, length));
        let found = self
            .entries
            .find_entry(hash, |entry| entry.is(address, length))
            .ok()?;
        Some(found.remove().0.slot())
    }

    fn find(&self, address: A, length: u8) -> Option<SlotId> {
        let hash = self.hasher.hash_one((address, length));
        self.entries
            .find(hash, |entry| entry.is(address, length))
            .map(Entry::slot)
    }

    fn unsee(&mut self) {
        self.entries
            .iter_mut()
            .for_each(|entry| entry.packed &= !Entry::<A>::SEEN);
    }

    fn see(&mut self, address: A, length: u8) -> Option<SlotId> {
        let hash = self.hasher.hash_one((address, length));
        let entry = self
            .entries
            .find_mut(hash, |entry| entry.is(address, length))?;
        entry.packed |= Entry::<A>::SEEN;
        Some(entry.slot())
    }

    fn unseen(&self) -> impl Iterator<Item = &Entry<A>> {
        self.entries
            .iter()
            .filter(|entry| entry.packed & Entry::<A>::SEEN == 0)
    }
}

impl<A: Copy + Eq> Entry<A> {
    const SEEN: u32 = 1 << 8;

    const fn new(address: A, length: u8, slot: SlotId) -> Self {
        Self {
            address,
            packed: slot.0 << 9 | Self::SEEN | length as u32,
        }
    }

    const fn length(&self) -> u8 {
        self.packed as u8
    }

    const fn slot(&self) -> SlotId {
        SlotId(self.packed >> 9)
    }

    fn is(&self, address: A, length: u8) -> bool {
        self.address == address && self.length() == length
    }
}

impl<A: Copy + Eq + Into<IpAddr>> Entry<A> {
    fn prefix(&self) -> IpNet {
        IpNet::new_assert(self.address.into(), self.length())
    }
}

/// Slots beyond this number do not fit an entry.
pub(super) const MAX_SLOTS: usize = 1 << 23;

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().expect("a prefix")
    }

    #[test]
    fn entries_are_as_small_as_promised() {
        assert_eq!(
            (size_of::<Entry<[u8; 4]>>(), size_of::<Entry<[u8; 16]>>()),
            (8, 20)
        );
    }

    #[test]
    fn prefixes_that_differ_only_in_length_or_family_are_apart() {
        let mut picture = Picture::default();
        for (index, text) in ["10.0.0.0/8", "10.0.0.0/16", "0.0.0.0/0", "::/0", "::/128"]
            .iter()
            .enumerate()
        {
            assert_eq!(picture.insert(&net(text), SlotId(index as u32)), None);
        }
        let highest = SlotId(MAX_SLOTS as u32 - 1);
        assert_eq!(
            picture.insert(&net("10.0.0.0/16"), highest),
            Some(SlotId(1))
        );
        assert_eq!(picture.slot(&net("10.0.0.0/16")), Some(highest));
        assert_eq!(picture.remove(&net("::/0")), Some(SlotId(3)));
        assert_eq!(picture.slot(&net("::/0")), None);
        assert_eq!(picture.iter().count(), 4);
    }

    #[test]
    fn an_audit_finds_what_was_not_seen_and_new_entries_count_as_seen() {
        let mut picture = Picture::default();
        for _ in 0..3 {
            picture.insert(&net("10.0.0.0/8"), SlotId(1));
            picture.insert(&net("2001:db8::/32"), SlotId(2));
            picture.unsee();
            assert_eq!(picture.see(&net("10.0.0.0/8")), Some(SlotId(1)));
            assert_eq!(picture.see(&net("11.0.0.0/8")), None);
            picture.insert(&net("12.0.0.0/8"), SlotId(3));
            assert_eq!(
                picture.unseen().collect::<Vec<_>>(),
                [(net("2001:db8::/32"), SlotId(2))]
            );
            picture.remove(&net("12.0.0.0/8"));
        }
    }
}
