//! The prefixes of one family, each with its paths: entries in a slab, found
//! through a hash table of their indices. An entry's index stays the same for as
//! long as anybody may hold it.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use hashbrown::{HashTable, hash_table};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::attributes::AttributesId;
use super::import::Refusal;
use crate::Family;
use crate::wire::Prefixes;

/// A prefix of one family.
pub(super) trait Net: Copy + Eq + Hash + Into<IpNet> {
    const FAMILY: Family;
    const ZERO: Self;

    fn prefixes(nets: Vec<Self>) -> Prefixes;

    /// The address without its host bits, as a number, and the length.
    fn number(self) -> (u128, u8);
}

impl Net for Ipv4Net {
    const FAMILY: Family = Family::Ipv4;
    const ZERO: Self = Self::new_assert(std::net::Ipv4Addr::UNSPECIFIED, 0);

    fn prefixes(nets: Vec<Self>) -> Prefixes {
        Prefixes::V4(nets)
    }

    fn number(self) -> (u128, u8) {
        let (bits, len) = (self.addr().to_bits(), self.prefix_len());
        (u128::from(u64::from(bits) >> (32 - len)), len)
    }
}

impl Net for Ipv6Net {
    const FAMILY: Family = Family::Ipv6;
    const ZERO: Self = Self::new_assert(std::net::Ipv6Addr::UNSPECIFIED, 0);

    fn prefixes(nets: Vec<Self>) -> Prefixes {
        Prefixes::V6(nets)
    }

    fn number(self) -> (u128, u8) {
        let (bits, len) = (self.addr().to_bits(), self.prefix_len());
        (bits.checked_shr(u32::from(128 - len)).unwrap_or(0), len)
    }
}

/// Names a peer inside the RIB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PeerIndex(pub(super) u16);

impl PeerIndex {
    /// This router itself: the networks it originates.
    pub(super) const LOCAL: Self = Self(u16::MAX);
    /// Nobody.
    pub(super) const NONE: Self = Self(u16::MAX - 1);
}

/// One peer's route for a prefix: 8 octets, for there are many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) peer: PeerIndex,
    state: u16,
    /// As the import policy made them, or as received where it refused.
    pub(super) attributes: AttributesId,
}

impl Path {
    const NONE: Self = Self {
        peer: PeerIndex::LOCAL,
        state: 0,
        attributes: AttributesId(0),
    };
    const STALE: u16 = 1 << 15;

    pub(super) fn new(peer: PeerIndex, attributes: AttributesId, refusal: Option<Refusal>) -> Self {
        Self {
            peer,
            state: refusal.map_or(0, Refusal::code),
            attributes,
        }
    }

    pub(super) fn refusal(self) -> Option<Refusal> {
        Refusal::from_code(self.state & !Self::STALE)
    }

    /// Takes part in the decision.
    pub(super) const fn is_accepted(self) -> bool {
        self.state & !Self::STALE == 0
    }

    pub(super) const fn is_stale(self) -> bool {
        self.state & Self::STALE != 0
    }

    pub(super) const fn stale(self) -> Self {
        Self {
            state: self.state | Self::STALE,
            ..self
        }
    }
}

/// A prefix with its paths. In front those that the import policy accepted: the
/// best, then the second best, then the others in any order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<N> {
    pub(super) net: N,
    /// In the list of entries that have lost their last path.
    pub(super) dying: bool,
    count: u16,
    /// With more than [`INLINE`] paths, the first one's attributes are the
    /// index of the spilled list.
    inline: [Path; INLINE],
}

/// Most prefixes of an edge router have a path or two.
const INLINE: usize = 2;

/// Entries are allocated by chunks, so that growing never copies a table.
const CHUNK: usize = 4096;

#[derive(Debug)]
pub(super) struct Table<N> {
    index: HashTable<u32>,
    hasher: RandomState,
    chunks: Vec<Vec<Entry<N>>>,
    len: u32,
    free: Vec<u32>,
    spilled: Vec<Vec<Path>>,
    spilled_free: Vec<u32>,
}

impl<N: Net> Table<N> {
    pub(super) fn new() -> Self {
        Self {
            index: HashTable::new(),
            hasher: RandomState::default(),
            chunks: Vec::new(),
            len: 0,
            free: Vec::new(),
            spilled: Vec::new(),
            spilled_free: Vec::new(),
        }
    }

    /// Every index is below this.
    pub(super) const fn end(&self) -> u32 {
        self.len
    }

    pub(super) fn find(&self, net: N) -> Option<u32> {
        self.index
            .find(hash(&self.hasher, net), |at| self.entry(*at).net == net)
            .copied()
    }

    pub(super) fn find_or_insert(&mut self, net: N) -> u32 {
        let (chunks, hasher) = (&self.chunks, &self.hasher);
        let net_at = |at: u32| chunks[at as usize / CHUNK][at as usize % CHUNK].net;
        let found = self.index.entry(
            hash(hasher, net),
            |at| net_at(*at) == net,
            |at| hash(hasher, net_at(*at)),
        );
        let at = match found {
            hash_table::Entry::Occupied(found) => return *found.get(),
            hash_table::Entry::Vacant(vacant) => {
                let at = self.free.last().copied().unwrap_or(self.len);
                vacant.insert(at);
                at
            }
        };
        let entry = Entry {
            net,
            dying: false,
            count: 0,
            inline: [Path::NONE; INLINE],
        };
        if self.free.pop().is_some() {
            *self.entry_mut(at) = entry;
        } else {
            self.push(entry);
        }
        at
    }

    fn push(&mut self, entry: Entry<N>) {
        let at = self.len;
        if (at as usize).is_multiple_of(CHUNK) {
            // A small table stays small.
            let room = if at == 0 { 16 } else { CHUNK };
            self.chunks.push(Vec::with_capacity(room));
        }
        let chunk = self
            .chunks
            .last_mut()
            .expect("invariant: a chunk was pushed");
        chunk.push(entry);
        self.len += 1;
    }

    /// Forgets an entry without paths; its index will name another.
    pub(super) fn remove(&mut self, at: u32) {
        debug_assert!(self.paths(at).is_empty());
        let hash = hash(&self.hasher, self.entry(at).net);
        if let Ok(found) = self.index.find_entry(hash, |other| *other == at) {
            found.remove();
        }
        let entry = self.entry_mut(at);
        (entry.net, entry.dying) = (N::ZERO, false);
        self.free.push(at);
    }

    pub(super) fn entry(&self, at: u32) -> &Entry<N> {
        let at = at as usize;
        &self.chunks[at / CHUNK][at % CHUNK]
    }

    pub(super) fn entry_mut(&mut self, at: u32) -> &mut Entry<N> {
        let at = at as usize;
        &mut self.chunks[at / CHUNK][at % CHUNK]
    }

    pub(super) fn paths(&self, at: u32) -> &[Path] {
        let entry = self.entry(at);
        match usize::from(entry.count) {
            count @ 0..=INLINE => &entry.inline[..count],
            _ => &self.spilled[entry.inline[0].attributes.0 as usize],
        }
    }

    /// The path that the decision has put first.
    pub(super) fn best(&self, at: u32) -> Option<Path> {
        let first = self.paths(at).first().copied();
        first.filter(|path| path.is_accepted())
    }

    pub(super) fn paths_mut(&mut self, at: u32) -> &mut [Path] {
        let slot = at as usize;
        let entry = &mut self.chunks[slot / CHUNK][slot % CHUNK];
        match usize::from(entry.count) {
            count @ 0..=INLINE => &mut entry.inline[..count],
            _ => &mut self.spilled[entry.inline[0].attributes.0 as usize],
        }
    }

    pub(super) fn push_path(&mut self, at: u32, path: Path) {
        let count = usize::from(self.entry(at).count);
        if count < INLINE {
            self.entry_mut(at).inline[count] = path;
        } else if count == INLINE {
            let mut paths = self.entry(at).inline.to_vec();
            paths.push(path);
            let spilled = self.spill(paths);
            self.entry_mut(at).inline[0].attributes = AttributesId(spilled);
        } else {
            let spilled = self.entry(at).inline[0].attributes.0;
            self.spilled[spilled as usize].push(path);
        }
        self.entry_mut(at).count += 1;
    }

    pub(super) fn remove_path(&mut self, at: u32, position: usize) {
        let count = usize::from(self.entry(at).count);
        if count <= INLINE {
            self.entry_mut(at)
                .inline
                .copy_within(position + 1..count, position);
        } else {
            let spilled = self.entry(at).inline[0].attributes.0;
            self.spilled[spilled as usize].swap_remove(position);
            if count - 1 == INLINE {
                let paths = std::mem::take(&mut self.spilled[spilled as usize]);
                self.entry_mut(at).inline.copy_from_slice(&paths);
                self.spilled_free.push(spilled);
            }
        }
        self.entry_mut(at).count -= 1;
    }

    fn spill(&mut self, paths: Vec<Path>) -> u32 {
        if let Some(free) = self.spilled_free.pop() {
            self.spilled[free as usize] = paths;
            return free;
        }
        self.spilled.push(paths);
        u32::try_from(self.spilled.len() - 1)
            .expect("invariant: no more spilled lists than entries")
    }
}

/// Places neighboring networks next to each other, because they come that way:
/// [`CLUSTER`] of them share a line of the cache. Where a cluster goes nobody
/// outside can know.
fn hash<N: Net>(hasher: &RandomState, net: N) -> u64 {
    let (number, len) = net.number();
    let cluster = hasher.hash_one((number / CLUSTER, len));
    let member = (number % CLUSTER) as u64;
    // hashbrown takes the place from the lowest bits and a tag from the highest.
    (cluster & !(CLUSTER as u64 - 1) | member) ^ member << 57
}

const CLUSTER: u128 = 16;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn path(peer: u16) -> Path {
        Path::new(PeerIndex(peer), AttributesId(u32::from(peer)), None)
    }

    #[test]
    fn an_entry_is_small() {
        assert_eq!(size_of::<Path>(), 8);
        assert_eq!(size_of::<Entry<Ipv4Net>>(), 24);
        assert_eq!(size_of::<Entry<Ipv6Net>>(), 36);
    }

    #[test]
    fn paths_move_out_of_the_entry_and_back() {
        let mut table = Table::<Ipv4Net>::new();
        let at = table.find_or_insert("10.0.0.0/8".parse().unwrap());
        for peer in 0..5 {
            table.push_path(at, path(peer));
        }
        assert_eq!(table.paths(at).len(), 5);
        let mut left: Vec<u16> = (0..5).collect();
        for peer in [3, 0, 4, 1, 2] {
            let position = table
                .paths(at)
                .iter()
                .position(|path| path.peer.0 == peer)
                .unwrap();
            table.remove_path(at, position);
            left.retain(|other| *other != peer);
            let mut peers: Vec<u16> = table.paths(at).iter().map(|path| path.peer.0).collect();
            peers.sort_unstable();
            assert_eq!(peers, left);
        }
    }

    #[test]
    fn an_index_is_used_again_after_removal() {
        let mut table = Table::<Ipv4Net>::new();
        let nets: Vec<Ipv4Net> = (0..10_000u32)
            .map(|bits| Ipv4Net::new((bits << 8).into(), 24).unwrap())
            .collect();
        let at: Vec<u32> = nets.iter().map(|net| table.find_or_insert(*net)).collect();
        assert!(
            nets.iter()
                .zip(&at)
                .all(|(net, at)| table.find(*net) == Some(*at))
        );
        table.remove(at[5000]);
        assert_eq!(table.find(nets[5000]), None);
        assert_eq!(
            table.find_or_insert("10.0.0.0/8".parse().unwrap()),
            at[5000]
        );
        assert_eq!(table.end(), 10_000);
    }
}
