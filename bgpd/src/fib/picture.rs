//! What we have asked the kernel to hold: each prefix with its slot, in 8
//! octets (IPv4) or 20 (IPv6). Sorted, in pages: a table comes in stretches of
//! neighbors, and the kernel's own dump in order, so the page that is needed is
//! mostly the one that was touched last.

use std::net::IpAddr;

use ipnet::IpNet;

/// Names a [`super::slots::Slot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SlotId(pub(super) u32);

#[derive(Default)]
pub(super) struct Picture {
    v4: Table<[u8; 4]>,
    v6: Table<[u8; 16]>,
}

/// A page's entries follow all those of the page before.
struct Table<A> {
    pages: Vec<Page<A>>,
    /// The page that was touched last.
    recent: usize,
}

struct Page<A> {
    /// No entry is below this, and none of an earlier page is above or equal.
    from: Key<A>,
    entries: Vec<Entry<A>>,
}

/// Address and length.
type Key<A> = (A, u8);

#[derive(Clone, Copy)]
struct Entry<A> {
    address: A,
    /// Slot (23 bits), the audit's mark (1 bit), prefix length (8 bits).
    packed: u32,
}

impl Picture {
    /// Puts a prefix into a slot; the slot that it was in.
    pub(super) fn insert(&mut self, prefix: &IpNet, slot: SlotId) -> Option<SlotId> {
        let length = prefix.prefix_len();
        match prefix.network() {
            IpAddr::V4(address) => self.v4.insert((address.octets(), length), slot),
            IpAddr::V6(address) => self.v6.insert((address.octets(), length), slot),
        }
    }

    pub(super) fn remove(&mut self, prefix: &IpNet) -> Option<SlotId> {
        let length = prefix.prefix_len();
        match prefix.network() {
            IpAddr::V4(address) => self.v4.remove((address.octets(), length)),
            IpAddr::V6(address) => self.v6.remove((address.octets(), length)),
        }
    }

    pub(super) fn slot(&self, prefix: &IpNet) -> Option<SlotId> {
        let length = prefix.prefix_len();
        match prefix.network() {
            IpAddr::V4(address) => self.v4.find((address.octets(), length)),
            IpAddr::V6(address) => self.v6.find((address.octets(), length)),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (IpNet, SlotId)> {
        let v4 = self.v4.iter().map(|entry| (entry.prefix(), entry.slot()));
        v4.chain(self.v6.iter().map(|entry| (entry.prefix(), entry.slot())))
    }

    /// Begins an audit: nothing is seen yet.
    pub(super) fn unsee(&mut self) {
        self.v4.unsee();
        self.v6.unsee();
    }

    /// The prefix's slot, which is marked as seen.
    pub(super) fn see(&mut self, prefix: &IpNet) -> Option<SlotId> {
        let length = prefix.prefix_len();
        match prefix.network() {
            IpAddr::V4(address) => self.v4.see((address.octets(), length)),
            IpAddr::V6(address) => self.v6.see((address.octets(), length)),
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
            pages: Vec::new(),
            recent: 0,
        }
    }
}

impl<A: Copy + Ord> Table<A> {
    fn insert(&mut self, key: Key<A>, slot: SlotId) -> Option<SlotId> {
        let entry = Entry::new(key, slot);
        if self.pages.is_empty() {
            self.pages.push(Page {
                from: key,
                entries: Vec::new(),
            });
        }
        let page = self.turn_to(key);
        match self.pages[page].place(key) {
            Ok(at) => {
                let before = std::mem::replace(&mut self.pages[page].entries[at], entry);
                Some(before.slot())
            }
            Err(at) => {
                self.insert_new(page, at, entry);
                None
            }
        }
    }

    fn insert_new(&mut self, page: usize, at: usize, entry: Entry<A>) {
        let entries = &mut self.pages[page].entries;
        if entries.len() < ROOM {
            return entries.insert(at, entry);
        }
        // Split in halves; but behind the last entry nothing moves, so that a
        // table that comes in order fills its pages.
        let end = entries.len();
        let middle = if at == end { end } else { end / 2 };
        let mut upper: Vec<Entry<A>> = entries.drain(middle..).collect();
        if at < middle {
            entries.insert(at, entry);
        } else {
            upper.insert(at - middle, entry);
        }
        let from = upper[0].key();
        self.pages.insert(
            page + 1,
            Page {
                from,
                entries: upper,
            },
        );
    }

    fn remove(&mut self, key: Key<A>) -> Option<SlotId> {
        let page = self.turn_to(key);
        let at = self.pages.get(page)?.place(key).ok()?;
        let entries = &mut self.pages[page].entries;
        let removed = entries.remove(at);
        if entries.len() < ROOM / 4 {
            self.join(page);
        }
        Some(removed.slot())
    }

    /// Joins a page that has become small with a neighbor that is.
    fn join(&mut self, page: usize) {
        for first in [page, page.wrapping_sub(1)] {
            let Some([lower, upper]) = self
                .pages
                .get_mut(first..)
                .and_then(|pages| pages.get_mut(..2))
            else {
                continue;
            };
            if lower.entries.len() + upper.entries.len() <= ROOM / 2 {
                lower.entries.append(&mut upper.entries);
                self.pages.remove(first + 1);
                return;
            }
        }
    }

    fn find(&self, key: Key<A>) -> Option<SlotId> {
        let page = self.pages.get(self.page(key))?;
        Some(page.entries[page.place(key).ok()?].slot())
    }

    fn iter(&self) -> impl Iterator<Item = &Entry<A>> {
        self.pages.iter().flat_map(|page| &page.entries)
    }

    fn unsee(&mut self) {
        let entries = self.pages.iter_mut().flat_map(|page| &mut page.entries);
        entries.for_each(|entry| entry.packed &= !SEEN);
    }

    fn see(&mut self, key: Key<A>) -> Option<SlotId> {
        let page = self.turn_to(key);
        let page = self.pages.get_mut(page)?;
        let at = page.place(key).ok()?;
        page.entries[at].packed |= SEEN;
        Some(page.entries[at].slot())
    }

    fn unseen(&self) -> impl Iterator<Item = &Entry<A>> {
        self.iter().filter(|entry| entry.packed & SEEN == 0)
    }

    /// The page that a key belongs to, which counts as touched.
    fn turn_to(&mut self, key: Key<A>) -> usize {
        let is_recent = |[page, next]: [Option<&Page<A>>; 2]| {
            page.is_some_and(|page| page.from <= key) && next.is_none_or(|next| key < next.from)
        };
        if !is_recent([self.recent, self.recent + 1].map(|page| self.pages.get(page))) {
            self.recent = self.page(key);
        }
        self.recent
    }

    fn page(&self, key: Key<A>) -> usize {
        let behind = self.pages.partition_point(|page| page.from <= key);
        // What is below all goes to the first page.
        behind.saturating_sub(1)
    }
}

impl<A: Copy + Ord> Page<A> {
    /// Where the key is, or would be.
    fn place(&self, key: Key<A>) -> Result<usize, usize> {
        match self.entries.last() {
            Some(last) if last.key() < key => Err(self.entries.len()),
            _ => self.entries.binary_search_by(|entry| entry.key().cmp(&key)),
        }
    }
}

impl<A: Copy> Entry<A> {
    const fn new((address, length): Key<A>, slot: SlotId) -> Self {
        Self {
            address,
            packed: slot.0 << 9 | SEEN | length as u32,
        }
    }

    const fn key(&self) -> Key<A> {
        (self.address, self.packed as u8)
    }

    const fn slot(&self) -> SlotId {
        SlotId(self.packed >> 9)
    }
}

impl<A: Copy + Into<IpAddr>> Entry<A> {
    fn prefix(&self) -> IpNet {
        let (address, length) = self.key();
        IpNet::new_assert(address.into(), length)
    }
}

/// Entries in a page: 4 KiB of IPv4.
const ROOM: usize = 512;
const SEEN: u32 = 1 << 8;
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

    /// Against a model, through splits and joins of pages.
    #[test]
    fn any_order_of_changes_leaves_what_a_map_would() {
        let mut picture = Picture::default();
        let mut model = std::collections::BTreeMap::new();
        let mut random = 1_u32;
        for round in 0..60_000_u32 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = match round / 10_000 {
                0 | 3 => round % 10_000,
                1 | 4 => 9_999 - round % 10_000,
                _ => (random >> 8) % 10_000,
            };
            let prefix = IpNet::new_assert(std::net::Ipv4Addr::from(at << 12).into(), 20);
            let slot = SlotId(round & 7);
            if round / 10_000 >= 3 && random >> 30 != 0 {
                assert_eq!(picture.remove(&prefix), model.remove(&prefix));
            } else {
                assert_eq!(picture.insert(&prefix, slot), model.insert(prefix, slot));
            }
            assert_eq!(picture.slot(&prefix), model.get(&prefix).copied());
            assert!(picture.v4.pages.len() <= 1 + model.len() / (ROOM / 8));
        }
        let model: Vec<_> = model.into_iter().collect();
        assert_eq!(picture.iter().collect::<Vec<_>>(), model);
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
