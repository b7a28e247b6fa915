//! A synthetic full table: prefixes as long as the Internet's, in groups that
//! share attributes as real UPDATEs do. The same seed, the same bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::bail;
use bgp_core::wire::{
    AsPath, Community, Origin, PathAttributes, Prefixes, encode_announcement, encode_withdrawal,
};
use bgp_core::{Asn, Family};
use bytes::{Bytes, BytesMut};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::lane::Neighbor;
use super::session;

/// Disjoint prefixes of one family, ascending.
pub struct Table {
    pub family: Family,
    pub prefixes: Vec<IpNet>,
}

/// Above so many the address space has room for /22 and longer only.
const ROOMY: usize = 600_000;

impl Table {
    pub fn new(family: Family, count: usize, seed: u64) -> anyhow::Result<Self> {
        let mut random = Random::new(seed);
        let prefixes = match family {
            Family::Ipv4 => ipv4(count, &mut random)?,
            Family::Ipv6 => ipv6(count, &mut random),
        };
        Ok(Self { family, prefixes })
    }

    /// The whole table as a feeder announces it: the same prefixes from each,
    /// each with attributes of its own.
    pub fn announcements(&self, neighbor: &Neighbor, seed: u64) -> anyhow::Result<Bytes> {
        announcements(&self.prefixes, neighbor, seed)
    }

    pub fn withdrawals(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.prefixes.len() * 4);
        let prefixes = of_family(self.family, &self.prefixes);
        encode_withdrawal(&prefixes, &session::codec(self.family), &mut out);
        out.freeze()
    }
}

/// These prefixes, all of the neighbor's family, as it announces them.
pub fn announcements(prefixes: &[IpNet], neighbor: &Neighbor, seed: u64) -> anyhow::Result<Bytes> {
    let family = Family::of(neighbor.address);
    let codec = session::codec(family);
    let mut random = Random::new(seed);
    let mut out = BytesMut::with_capacity(prefixes.len() * 24);
    let mut rest = prefixes;
    while !rest.is_empty() {
        let (group, others) = rest.split_at(group_size(&mut random).min(rest.len()));
        let attributes = attributes(&mut random, neighbor.asn, neighbor.address);
        encode_announcement(&attributes, &of_family(family, group), &codec, &mut out)?;
        rest = others;
    }
    Ok(out.freeze())
}

/// Those of one family.
pub fn of_family(family: Family, prefixes: &[IpNet]) -> Prefixes {
    let v4 = |prefix: &IpNet| match prefix {
        IpNet::V4(prefix) => Some(*prefix),
        IpNet::V6(_) => None,
    };
    let v6 = |prefix: &IpNet| match prefix {
        IpNet::V4(_) => None,
        IpNet::V6(prefix) => Some(*prefix),
    };
    match family {
        Family::Ipv4 => Prefixes::V4(prefixes.iter().filter_map(v4).collect()),
        Family::Ipv6 => Prefixes::V6(prefixes.iter().filter_map(v6).collect()),
    }
}

fn ipv4(count: usize, random: &mut Random) -> anyhow::Result<Vec<IpNet>> {
    let mut prefixes = Vec::with_capacity(count);
    let mut next: u64 = 1 << 24;
    while prefixes.len() < count {
        let drawn = prefix_length(random.below(100));
        let length = if count > ROOMY { drawn.max(22) } else { drawn };
        let size = 1_u64 << (32 - length);
        let start = next.next_multiple_of(size);
        // Loopback, and where the speaker and its neighbors are.
        if let taken @ (10 | 127) = start >> 24 {
            next = (taken + 1) << 24;
            continue;
        }
        // Class D and above is no unicast.
        let Some(address) = u32::try_from(start)
            .ok()
            .filter(|start| *start < 0xdf00_0000)
        else {
            bail!("{count} prefixes do not fit into IPv4's unicast addresses: ask for fewer");
        };
        prefixes.push(Ipv4Net::new_assert(Ipv4Addr::from(address), length).into());
        next = start + size;
    }
    Ok(prefixes)
}

fn ipv6(count: usize, random: &mut Random) -> Vec<IpNet> {
    let mut prefixes = Vec::with_capacity(count);
    let mut next = Ipv6Addr::new(0x2a00, 0, 0, 0, 0, 0, 0, 0).to_bits();
    while prefixes.len() < count {
        let length = prefix_length6(random.below(100));
        let size = 1_u128 << (128 - length);
        let start = next.next_multiple_of(size);
        prefixes.push(Ipv6Net::new_assert(Ipv6Addr::from_bits(start), length).into());
        next = start + size;
    }
    prefixes
}

/// Roughly the Internet's mix, by percentile.
const fn prefix_length6(percentile: u64) -> u8 {
    match percentile {
        0..=47 => 48,
        48..=51 => 46,
        52..=61 => 44,
        62..=69 => 40,
        70..=74 => 36,
        75..=96 => 32,
        _ => 29,
    }
}

/// Roughly the Internet's mix, by percentile.
const fn prefix_length(percentile: u64) -> u8 {
    match percentile {
        0..=61 => 24,
        62..=71 => 23,
        72..=82 => 22,
        83..=87 => 21,
        88..=92 => 20,
        93..=96 => 19,
        _ => 18,
    }
}

/// How many prefixes share one set of attributes: mostly few, sometimes many.
fn group_size(random: &mut Random) -> usize {
    let size = match random.below(10) {
        0..=3 => 1,
        4..=5 => 2,
        6..=7 => 4 + random.below(4),
        8 => 10 + random.below(20),
        _ => 20 + random.below(60),
    };
    usize::try_from(size).unwrap_or(1)
}

fn attributes(random: &mut Random, asn: Asn, next_hop: IpAddr) -> PathAttributes {
    let origin = if random.below(10) == 0 {
        Origin::Incomplete
    } else {
        Origin::Igp
    };
    let hops = 1 + random.below(6);
    let path: Vec<Asn> = (0..hops)
        .map(|_| Asn(1000 + random.below_u32(60_000)))
        .collect();
    let as_path = AsPath::sequence(std::iter::once(asn).chain(path));
    let med = (random.below(4) == 0).then(|| random.below_u32(200));
    let communities = random.below(6);
    let communities = (0..communities).map(|_| Community(random.below_u32(0x8000_0000)));
    PathAttributes {
        med,
        communities: communities.collect(),
        ..PathAttributes::new(origin, as_path, next_hop)
    }
}

/// xorshift64*.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) % bound
    }

    fn below_u32(&mut self, bound: u32) -> u32 {
        u32::try_from(self.below(u64::from(bound))).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::bench::count::{self, Present};
    use crate::bench::lane::Takes;

    #[test]
    fn a_table_has_as_many_disjoint_prefixes_as_asked_for() {
        let v4 = [1, 1000, 100_000, 1_000_000].map(|count| (Family::Ipv4, count));
        for (family, count) in v4.into_iter().chain([(Family::Ipv6, 200_000)]) {
            let table = Table::new(family, count, 7).unwrap();
            assert_eq!(table.prefixes.len(), count);
            let disjoint = |pair: &[IpNet]| pair[0].broadcast() < pair[1].network();
            assert!(table.prefixes.windows(2).all(disjoint), "{count}");
        }
        assert!(Table::new(Family::Ipv4, 20_000_000, 7).is_err());
    }

    #[test]
    fn what_is_announced_is_the_table_and_what_is_withdrawn_too() {
        for family in Family::ALL {
            let table = Table::new(family, 2000, 7).unwrap();
            let neighbor = Neighbor::new(family, 1, Takes::Everything);
            let mut present = Present::default();
            for (bytes, left) in [
                (table.announcements(&neighbor, 1).unwrap(), 2000),
                (table.withdrawals(), 0),
            ] {
                let mut rest = bytes.as_ref();
                while let Some(message) = count::message(rest).unwrap() {
                    present.update(message.body).unwrap();
                    rest = message.rest;
                }
                assert_eq!(present.count(), left);
            }
        }
    }
}
