//! A synthetic full table: prefixes as long as the Internet's, in groups that
//! share attributes as real UPDATEs do. The same seed, the same bytes.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::bail;
use bgp_core::wire::{
    AsPath, Community, NextHop, Origin, PathAttributes, Prefixes, encode_announcement,
    encode_withdrawal,
};
use bgp_core::{Asn, wire};
use bytes::BytesMut;
use ipnet::Ipv4Net;

use super::session;

/// Disjoint prefixes, ascending.
pub struct Table {
    pub prefixes: Vec<Ipv4Net>,
}

/// Above so many the address space has room for /22 and longer only.
const ROOMY: usize = 600_000;

impl Table {
    pub fn new(count: usize, seed: u64) -> anyhow::Result<Self> {
        let mut random = Random::new(seed);
        let mut prefixes = Vec::with_capacity(count);
        let mut next: u64 = 1 << 24;
        while prefixes.len() < count {
            let drawn = prefix_length(random.below(100));
            let length = if count > ROOMY { drawn.max(22) } else { drawn };
            let size = 1_u64 << (32 - length);
            let start = next.next_multiple_of(size);
            if start >> 24 == 127 {
                next = 128 << 24;
                continue;
            }
            // Class D and above is no unicast.
            let Some(address) = u32::try_from(start)
                .ok()
                .filter(|start| *start < 0xdf00_0000)
            else {
                bail!("{count} prefixes do not fit into IPv4's unicast addresses: ask for fewer");
            };
            prefixes.push(Ipv4Net::new_assert(Ipv4Addr::from(address), length));
            next = start + size;
        }
        Ok(Self { prefixes })
    }

    /// The whole table as a feeder announces it: the same prefixes from each,
    /// each with attributes of its own.
    pub fn announcements(
        &self,
        asn: Asn,
        next_hop: Ipv4Addr,
        seed: u64,
    ) -> anyhow::Result<BytesMut> {
        let codec = session::codec();
        let mut random = Random::new(seed);
        let mut out = BytesMut::with_capacity(self.prefixes.len() * 24);
        let mut rest = self.prefixes.as_slice();
        while !rest.is_empty() {
            let (group, others) = rest.split_at(group_size(&mut random).min(rest.len()));
            let attributes = attributes(&mut random, asn, next_hop);
            encode_announcement(&attributes, &Prefixes::V4(group.to_vec()), &codec, &mut out)?;
            rest = others;
        }
        Ok(out)
    }

    pub fn withdrawals(&self) -> BytesMut {
        let mut out = BytesMut::with_capacity(self.prefixes.len() * 4);
        encode_withdrawal(
            &Prefixes::V4(self.prefixes.clone()),
            &session::codec(),
            &mut out,
        );
        out
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

fn attributes(random: &mut Random, asn: Asn, next_hop: Ipv4Addr) -> PathAttributes {
    let origin = if random.below(10) == 0 {
        Origin::Incomplete
    } else {
        Origin::Igp
    };
    let hops = 1 + random.below(6);
    let path: Vec<Asn> = (0..hops)
        .map(|_| Asn(1000 + random.below_u32(60_000)))
        .collect();
    let med = (random.below(4) == 0).then(|| random.below_u32(200));
    let communities = random.below(6);
    let communities = (0..communities).map(|_| Community(random.below_u32(0x8000_0000)));
    PathAttributes {
        origin,
        as_path: AsPath::sequence(std::iter::once(asn).chain(path)),
        next_hop: NextHop {
            address: IpAddr::V4(next_hop),
            link_local: None,
        },
        med,
        local_pref: None,
        atomic_aggregate: false,
        aggregator: None,
        communities: communities.collect(),
        extended_communities: vec![],
        large_communities: Vec::<wire::LargeCommunity>::new(),
        originator_id: None,
        cluster_list: vec![],
        unknown: vec![],
    }
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
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

    #[test]
    fn a_table_has_as_many_disjoint_prefixes_as_asked_for() {
        for count in [1, 1000, 100_000, 1_000_000] {
            let table = Table::new(count, 7).unwrap();
            assert_eq!(table.prefixes.len(), count);
            let disjoint = |pair: &[Ipv4Net]| pair[0].broadcast() < pair[1].network();
            assert!(table.prefixes.windows(2).all(disjoint), "{count}");
        }
        assert!(Table::new(20_000_000, 7).is_err());
    }

    #[test]
    fn what_is_announced_is_the_table() {
        let table = Table::new(2000, 7).unwrap();
        let mut bytes = table
            .announcements(Asn(65101), Ipv4Addr::new(10, 99, 0, 11), 1)
            .unwrap();
        let codec = session::codec();
        let mut seen = vec![];
        while let Some(frame) = wire::frame(&mut bytes, &codec).unwrap() {
            let decoded = wire::decode(&frame, &codec).unwrap();
            assert!(decoded.malformed.is_empty());
            let wire::Message::Update(update) = decoded.message else {
                panic!("no UPDATE")
            };
            for announcement in update.announced {
                let Prefixes::V4(prefixes) = announcement.prefixes else {
                    panic!("not IPv4")
                };
                seen.extend(prefixes);
            }
        }
        assert_eq!(seen, table.prefixes);
    }
}
