//! Attributes at rest: the words of one set in one allocation, a quarter of what
//! [`PathAttributes`] takes. Only [`pack`] and [`Packed`] know the layout.
//!
//! A header of flags, then in order what the flags announce: next hop (1 or 4
//! words), link-local next hop (4), MED, LOCAL_PREF, AGGREGATOR (2),
//! ORIGINATOR_ID; the AS_PATH's segments (kind and length in a word, then the
//! ASNs); then the lists, each with its length in front.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smallvec::SmallVec;

use crate::wire::{
    Aggregator, AsPath, AsPathSegment, Community, ExtendedCommunity, LargeCommunity, NextHop,
    Origin, PathAttributes, UnknownAttribute,
};
use crate::{Asn, RouterId};

/// Writes `attributes` to `words`, which are emptied first.
pub(super) fn pack(attributes: &PathAttributes, words: &mut Vec<u32>) {
    words.clear();
    words.push(header(attributes));
    match attributes.next_hop.address {
        IpAddr::V4(address) => words.push(address.to_bits()),
        IpAddr::V6(address) => push_ipv6(words, address),
    }
    if let Some(address) = attributes.next_hop.link_local {
        push_ipv6(words, address);
    }
    words.extend(attributes.med);
    words.extend(attributes.local_pref);
    if let Some(aggregator) = attributes.aggregator {
        words.extend([aggregator.asn.0, aggregator.router_id.0.to_bits()]);
    }
    words.extend(attributes.originator_id.map(|id| id.0.to_bits()));
    for segment in &attributes.as_path.segments {
        let (kind, asns) = match segment {
            AsPathSegment::Sequence(asns) => (SEQUENCE, asns),
            AsPathSegment::Set(asns) => (SET, asns),
            AsPathSegment::ConfedSequence(asns) => (CONFED_SEQUENCE, asns),
            AsPathSegment::ConfedSet(asns) => (CONFED_SET, asns),
        };
        words.push(kind << KIND_SHIFT | length(asns.len()));
        words.extend(asns.iter().map(|asn| asn.0));
    }
    push_list(words, &attributes.communities, |community| [community.0]);
    push_list(
        words,
        &attributes.extended_communities,
        |ExtendedCommunity([a, b, c, d, e, f, g, h])| {
            [
                u32::from_be_bytes([*a, *b, *c, *d]),
                u32::from_be_bytes([*e, *f, *g, *h]),
            ]
        },
    );
    push_list(words, &attributes.large_communities, |large| {
        [large.global, large.local1, large.local2]
    });
    push_list(words, &attributes.cluster_list, |id| [id.0.to_bits()]);
    if !attributes.unknown.is_empty() {
        words.push(length(attributes.unknown.len()));
    }
    for unknown in &attributes.unknown {
        words.push(u32::from(unknown.type_code) | u32::from(unknown.flags) << 8);
        words.push(length(unknown.value.len()));
        words.extend(unknown.value.chunks(4).map(|bytes| {
            bytes
                .iter()
                .zip([24, 16, 8, 0])
                .fold(0, |word, (byte, shift)| word | u32::from(*byte) << shift)
        }));
    }
}

fn header(attributes: &PathAttributes) -> u32 {
    let flag = |set: bool, flag: u32| if set { flag } else { 0 };
    let origin = match attributes.origin {
        Origin::Igp => 0,
        Origin::Egp => 1,
        Origin::Incomplete => 2,
    };
    origin
        | flag(attributes.next_hop.address.is_ipv6(), NEXT_HOP_IPV6)
        | flag(attributes.next_hop.link_local.is_some(), LINK_LOCAL)
        | flag(attributes.med.is_some(), MED)
        | flag(attributes.local_pref.is_some(), LOCAL_PREF)
        | flag(attributes.aggregator.is_some(), AGGREGATOR)
        | flag(attributes.originator_id.is_some(), ORIGINATOR_ID)
        | flag(attributes.atomic_aggregate, ATOMIC_AGGREGATE)
        | flag(!attributes.communities.is_empty(), COMMUNITIES)
        | flag(
            !attributes.extended_communities.is_empty(),
            EXTENDED_COMMUNITIES,
        )
        | flag(!attributes.large_communities.is_empty(), LARGE_COMMUNITIES)
        | flag(!attributes.cluster_list.is_empty(), CLUSTER_LIST)
        | flag(!attributes.unknown.is_empty(), UNKNOWN)
        | length(attributes.as_path.segments.len()) << SEGMENTS_SHIFT
}

/// One packed set of attributes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packed<'a>(pub(super) &'a [u32]);

impl Packed<'_> {
    pub(super) fn next_hop(self) -> NextHop {
        let mut reader = Reader::new(self.0);
        reader.next_hop()
    }

    pub(super) fn originator_id(self) -> Option<RouterId> {
        let mut reader = Reader::new(self.0);
        reader.next_hop();
        reader.scalars().originator_id
    }

    /// Whether AS_PATH has one of these.
    pub(super) fn as_path_has(self, asns: &[Asn]) -> bool {
        let mut reader = Reader::new(self.0);
        reader.next_hop();
        reader.scalars();
        (0..reader.segments()).any(|_| {
            let (_, sequence) = reader.segment();
            sequence.iter().any(|asn| asns.contains(&Asn(*asn)))
        })
    }

    pub(super) fn communities(self) -> SmallVec<[Community; 8]> {
        let mut reader = Reader::new(self.0);
        if reader.header & COMMUNITIES == 0 {
            return SmallVec::new();
        }
        reader.next_hop();
        reader.scalars();
        for _ in 0..reader.segments() {
            reader.segment();
        }
        let count = reader.word();
        reader.take(count).iter().copied().map(Community).collect()
    }

    pub(super) fn unpack(self) -> PathAttributes {
        let mut reader = Reader::new(self.0);
        let next_hop = reader.next_hop();
        let scalars = reader.scalars();
        let segments = (0..reader.segments())
            .map(|_| {
                let (kind, asns) = reader.segment();
                let asns = asns.iter().copied().map(Asn).collect();
                match kind {
                    SEQUENCE => AsPathSegment::Sequence(asns),
                    SET => AsPathSegment::Set(asns),
                    CONFED_SEQUENCE => AsPathSegment::ConfedSequence(asns),
                    _ => AsPathSegment::ConfedSet(asns),
                }
            })
            .collect();
        PathAttributes {
            origin: match reader.header & ORIGIN {
                0 => Origin::Igp,
                1 => Origin::Egp,
                _ => Origin::Incomplete,
            },
            as_path: AsPath { segments },
            next_hop,
            med: scalars.med,
            local_pref: scalars.local_pref,
            atomic_aggregate: reader.header & ATOMIC_AGGREGATE != 0,
            aggregator: scalars.aggregator,
            communities: reader.list(COMMUNITIES, |[community]| Community(community)),
            extended_communities: reader.list(EXTENDED_COMMUNITIES, |[high, low]| {
                ExtendedCommunity((u64::from(high) << 32 | u64::from(low)).to_be_bytes())
            }),
            large_communities: reader.list(LARGE_COMMUNITIES, |[global, local1, local2]| {
                LargeCommunity {
                    global,
                    local1,
                    local2,
                }
            }),
            originator_id: scalars.originator_id,
            cluster_list: reader.list(CLUSTER_LIST, |[id]| router_id(id)),
            unknown: reader.unknown(),
        }
    }
}

struct Scalars {
    med: Option<u32>,
    local_pref: Option<u32>,
    aggregator: Option<Aggregator>,
    originator_id: Option<RouterId>,
}

struct Reader<'a> {
    header: u32,
    rest: &'a [u32],
}

impl<'a> Reader<'a> {
    fn new(words: &'a [u32]) -> Self {
        let (header, rest) = words
            .split_first()
            .expect("invariant: packed attributes have a header");
        Self {
            header: *header,
            rest,
        }
    }

    fn take(&mut self, count: u32) -> &'a [u32] {
        let (taken, rest) = self
            .rest
            .split_at_checked(count as usize)
            .expect("invariant: packed attributes have what their header says");
        self.rest = rest;
        taken
    }

    fn word(&mut self) -> u32 {
        self.take(1)[0]
    }

    fn word_if(&mut self, flag: u32) -> Option<u32> {
        (self.header & flag != 0).then(|| self.word())
    }

    fn ipv6(&mut self) -> Ipv6Addr {
        self.take(4)
            .iter()
            .fold(0u128, |bits, word| bits << 32 | u128::from(*word))
            .into()
    }

    fn next_hop(&mut self) -> NextHop {
        let address = if self.header & NEXT_HOP_IPV6 == 0 {
            IpAddr::V4(Ipv4Addr::from(self.word()))
        } else {
            IpAddr::V6(self.ipv6())
        };
        let link_local = (self.header & LINK_LOCAL != 0).then(|| self.ipv6());
        NextHop {
            address,
            link_local,
        }
    }

    fn scalars(&mut self) -> Scalars {
        Scalars {
            med: self.word_if(MED),
            local_pref: self.word_if(LOCAL_PREF),
            aggregator: self.word_if(AGGREGATOR).map(|asn| Aggregator {
                asn: Asn(asn),
                router_id: router_id(self.word()),
            }),
            originator_id: self.word_if(ORIGINATOR_ID).map(router_id),
        }
    }

    const fn segments(&self) -> u32 {
        self.header >> SEGMENTS_SHIFT
    }

    fn segment(&mut self) -> (u32, &'a [u32]) {
        let head = self.word();
        (head >> KIND_SHIFT, self.take(head & LENGTH))
    }

    fn list<const N: usize, T>(&mut self, flag: u32, item: impl Fn([u32; N]) -> T) -> Vec<T> {
        let count = self.word_if(flag).unwrap_or(0) as usize;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            let (words, rest) = self
                .rest
                .split_first_chunk::<N>()
                .expect("invariant: packed attributes have what their header says");
            self.rest = rest;
            items.push(item(*words));
        }
        items
    }

    fn unknown(&mut self) -> Vec<UnknownAttribute> {
        (0..self.word_if(UNKNOWN).unwrap_or(0))
            .map(|_| {
                let [type_code, flags, ..] = self.word().to_le_bytes();
                let length = self.word();
                let words = self.take(length.div_ceil(4));
                let mut value: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
                value.truncate(length as usize);
                UnknownAttribute {
                    type_code,
                    flags,
                    value,
                }
            })
            .collect()
    }
}

fn router_id(bits: u32) -> RouterId {
    RouterId(Ipv4Addr::from(bits))
}

fn push_ipv6(words: &mut Vec<u32>, address: Ipv6Addr) {
    let bits = address.to_bits();
    words.extend([96, 64, 32, 0].map(|shift| (bits >> shift) as u32));
}

fn push_list<const N: usize, T>(words: &mut Vec<u32>, items: &[T], item: impl Fn(&T) -> [u32; N]) {
    if !items.is_empty() {
        words.push(length(items.len()));
        words.extend(items.iter().flat_map(item));
    }
}

/// No list in a message of at most 65,535 octets is longer, with what a policy
/// may add.
fn length(length: usize) -> u32 {
    u32::try_from(length).expect("invariant: attributes come from a message")
}

const ORIGIN: u32 = 0b11;
const NEXT_HOP_IPV6: u32 = 1 << 2;
const LINK_LOCAL: u32 = 1 << 3;
const MED: u32 = 1 << 4;
const LOCAL_PREF: u32 = 1 << 5;
const AGGREGATOR: u32 = 1 << 6;
const ORIGINATOR_ID: u32 = 1 << 7;
const ATOMIC_AGGREGATE: u32 = 1 << 8;
const COMMUNITIES: u32 = 1 << 9;
const EXTENDED_COMMUNITIES: u32 = 1 << 10;
const LARGE_COMMUNITIES: u32 = 1 << 11;
const CLUSTER_LIST: u32 = 1 << 12;
const UNKNOWN: u32 = 1 << 13;
/// A segment takes at least two octets of a message, so 16 bits hold the count.
const SEGMENTS_SHIFT: u32 = 16;

const KIND_SHIFT: u32 = 24;
const LENGTH: u32 = (1 << KIND_SHIFT) - 1;
const SEQUENCE: u32 = 0;
const SET: u32 = 1;
const CONFED_SEQUENCE: u32 = 2;
const CONFED_SET: u32 = 3;

#[cfg(test)]
pub(super) mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    fn segment() -> impl Strategy<Value = AsPathSegment> {
        (0..4, vec(any::<u32>().prop_map(Asn), 0..6)).prop_map(|(kind, asns)| match kind {
            0 => AsPathSegment::Sequence(asns),
            1 => AsPathSegment::Set(asns),
            2 => AsPathSegment::ConfedSequence(asns),
            _ => AsPathSegment::ConfedSet(asns),
        })
    }

    fn unknown() -> impl Strategy<Value = UnknownAttribute> {
        (any::<u8>(), any::<u8>(), vec(any::<u8>(), 0..10)).prop_map(|(type_code, flags, value)| {
            UnknownAttribute {
                type_code,
                flags,
                value,
            }
        })
    }

    fn large() -> impl Strategy<Value = LargeCommunity> {
        any::<[u32; 3]>().prop_map(|[global, local1, local2]| LargeCommunity {
            global,
            local1,
            local2,
        })
    }

    fn aggregator() -> impl Strategy<Value = Aggregator> {
        any::<[u32; 2]>().prop_map(|[asn, id]| Aggregator {
            asn: Asn(asn),
            router_id: router_id(id),
        })
    }

    fn next_hop() -> impl Strategy<Value = NextHop> {
        (any::<IpAddr>(), option::of(any::<Ipv6Addr>())).prop_map(|(address, link_local)| NextHop {
            address,
            link_local,
        })
    }

    fn attributes() -> impl Strategy<Value = PathAttributes> {
        let origin = prop_oneof![
            Just(Origin::Igp),
            Just(Origin::Egp),
            Just(Origin::Incomplete)
        ];
        let scalars = (
            option::of(any::<u32>()),
            option::of(any::<u32>()),
            any::<bool>(),
            option::of(aggregator()),
            option::of(any::<u32>().prop_map(router_id)),
        );
        let lists = (
            vec(any::<u32>().prop_map(Community), 0..4),
            vec(any::<[u8; 8]>().prop_map(ExtendedCommunity), 0..3),
            vec(large(), 0..3),
            vec(any::<u32>().prop_map(router_id), 0..3),
            vec(unknown(), 0..3),
        );
        (origin, vec(segment(), 0..4), next_hop(), scalars, lists).prop_map(
            |(origin, segments, next_hop, scalars, lists)| PathAttributes {
                origin,
                as_path: AsPath {
                    segments: segments.into(),
                },
                next_hop,
                med: scalars.0,
                local_pref: scalars.1,
                atomic_aggregate: scalars.2,
                aggregator: scalars.3,
                communities: lists.0,
                extended_communities: lists.1,
                large_communities: lists.2,
                originator_id: scalars.4,
                cluster_list: lists.3,
                unknown: lists.4,
            },
        )
    }

    proptest! {
        #[test]
        fn packing_and_unpacking_changes_nothing(attributes in attributes()) {
            let mut words = Vec::new();
            pack(&attributes, &mut words);
            let packed = Packed(&words);
            prop_assert_eq!(packed.next_hop(), attributes.next_hop);
            prop_assert_eq!(packed.originator_id(), attributes.originator_id);
            prop_assert_eq!(&packed.communities()[..], &attributes.communities[..]);
            prop_assert_eq!(packed.unpack(), attributes);
        }
    }
}
