//! Whatever the bytes, no panic; whatever the message, the same again.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use bgp_core::wire::{self, Aggregator, Announcement, AsPath, AsPathSegment, Capabilities, Codec};
use bgp_core::wire::{
    Community, ExtendedCommunity, GracefulRestart, LargeCommunity, Message, NextHop,
};
use bgp_core::wire::{
    Notification, Open, Origin, PathAttributes, Prefixes, UnknownAttribute, Update,
};
use bgp_core::{Asn, Family, RouterId};
use ipnet::{Ipv4Net, Ipv6Net};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::support;

proptest! {
    #[test]
    fn decoding_arbitrary_bytes_never_panics(bytes in vec(any::<u8>(), 0..300), codec in codecs()) {
        let _ = support::decode_all(&bytes, &codec);
    }

    #[test]
    fn decoding_arbitrary_bodies_never_panics(
        message_type in 0..=6_u8, body in vec(any::<u8>(), 0..300), codec in codecs(),
    ) {
        let _ = support::decode_all(&support::message(message_type, &body), &codec);
    }

    #[test]
    fn decoding_arbitrary_attributes_never_panics(
        attributes in vec((any::<u8>(), 0..45_u8, vec(any::<u8>(), 0..40)), 0..12),
        nlri in vec(any::<u8>(), 0..20),
        codec in codecs(),
    ) {
        let attribute = |(flags, code, value): (u8, u8, Vec<u8>)| {
            let length = u8::try_from(value.len()).unwrap();
            [&[flags & !0x10, code, length][..], &value].concat()
        };
        let attributes: Vec<u8> = attributes.into_iter().flat_map(attribute).collect();
        let _ = support::decode_all(&support::update(&[], &attributes, &nlri), &codec);
    }

    #[test]
    fn decoding_mutated_messages_never_panics(
        update in updates(), codec in codecs(),
        mutations in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = support::encode(&Message::Update(update), &codec);
        for (place, octet) in mutations {
            if bytes.len() > 19 {
                let place = 19 + place.index(bytes.len() - 19);
                bytes[place] = octet;
            }
        }
        if let Some(cut) = cut.filter(|_| bytes.len() > 23) {
            bytes.truncate(23 + cut.index(bytes.len() - 23));
            let length = u16::try_from(bytes.len()).unwrap();
            bytes[16..18].copy_from_slice(&length.to_be_bytes());
        }
        let _ = support::decode_all(&bytes, &codec);
    }

    #[test]
    fn an_update_is_the_same_after_encoding_and_decoding(update in updates(), codec in codecs()) {
        let codec = Codec { families: Family::ALL.into_iter().collect(), internal: true, ..codec };
        let bytes = support::encode(&Message::Update(update.clone()), &codec);
        let mut again = Update::default();
        for decoded in support::decode_all(&bytes, &codec).unwrap() {
            prop_assert_eq!(&decoded.malformed, &vec![]);
            let Message::Update(part) = decoded.message else { panic!("not an UPDATE") };
            again.withdrawn.extend(part.withdrawn);
            again.announced.extend(part.announced);
            again.end_of_rib = again.end_of_rib.or(part.end_of_rib);
        }
        prop_assert_eq!(again, update);
    }

    #[test]
    fn an_open_is_the_same_after_encoding_and_decoding(open in opens()) {
        let bytes = support::encode(&Message::Open(open.clone()), &Codec::initial());
        let again = support::decode(&bytes, &Codec::initial()).unwrap();
        prop_assert_eq!(again.message, Message::Open(open));
    }

    #[test]
    fn a_notification_is_the_same_and_can_be_shown(
        code in any::<u8>(), subcode in any::<u8>(), data in vec(any::<u8>(), 0..300),
    ) {
        let notification = Notification { code, subcode, data };
        let bytes = support::encode(&Message::Notification(notification.clone()), &Codec::initial());
        let again = support::decode(&bytes, &Codec::initial()).unwrap();
        let shown = notification.to_string();
        prop_assert!(!shown.chars().any(char::is_control));
        prop_assert_eq!(again.message, Message::Notification(notification));
    }

    #[test]
    fn no_message_is_longer_than_the_session_allows(
        attributes in attributes(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
        prefixes in vec(v4(), 0..3000),
        codec in codecs(),
    ) {
        let mut out = bytes::BytesMut::new();
        let prefixes = Prefixes::V4(prefixes);
        if let Ok(count) = wire::encode_announcement(&attributes, &prefixes, &codec, &mut out) {
            let mut frames = 0;
            while let Some(frame) = wire::frame(&mut out, &codec).unwrap() {
                prop_assert!(frame.body.len() + 19 <= codec.max_message());
                frames += 1;
            }
            prop_assert!(out.is_empty());
            prop_assert_eq!(frames, count);
        }
    }
}

fn codecs() -> impl Strategy<Value = Codec> {
    let families = prop::sample::subsequence(Family::ALL.to_vec(), 0..=2);
    (any::<bool>(), any::<bool>(), any::<bool>(), families).prop_map(
        |(four_octet_as, extended_messages, internal, families)| Codec {
            four_octet_as,
            extended_messages,
            families: families.into_iter().collect(),
            internal,
        },
    )
}

fn updates() -> impl Strategy<Value = Update> {
    let next_hop = NextHop {
        address: IpAddr::V6("2001:db8::1".parse().unwrap()),
        link_local: Some("fe80::1".parse().unwrap()),
    };
    let v4_routes = (
        attributes(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
        vec(v4(), 1..20),
    )
        .prop_map(|(attributes, prefixes)| (attributes, Prefixes::V4(prefixes)));
    let v6_routes = (attributes(next_hop), vec(v6(), 1..20))
        .prop_map(|(attributes, prefixes)| (attributes, Prefixes::V6(prefixes)));
    let announced = (option::of(v4_routes), option::of(v6_routes));
    let withdrawn = (option::of(vec(v4(), 1..20)), option::of(vec(v6(), 1..20)));
    let end_of_rib = option::of(prop::sample::select(&Family::ALL[..]));
    (withdrawn, announced, end_of_rib).prop_map(|(withdrawn, announced, end_of_rib)| Update {
        withdrawn: withdrawn
            .0
            .map(Prefixes::V4)
            .into_iter()
            .chain(withdrawn.1.map(Prefixes::V6))
            .collect(),
        announced: announced
            .0
            .into_iter()
            .chain(announced.1)
            .map(|(attributes, prefixes)| Announcement {
                attributes: Arc::new(attributes),
                prefixes,
            })
            .collect(),
        end_of_rib,
    })
}

/// What an internal peer may send, ready to be the same again: unknown ones
/// already marked partial and in order.
fn attributes(next_hop: impl Into<NextHop>) -> impl Strategy<Value = PathAttributes> {
    let next_hop = next_hop.into();
    let origin = prop::sample::select(&[Origin::Igp, Origin::Egp, Origin::Incomplete][..]);
    let numbers = (
        option::of(any::<u32>()),
        option::of(any::<u32>()),
        any::<bool>(),
    );
    let aggregator = option::of(
        (asns(), router_ids()).prop_map(|(asn, router_id)| Aggregator { asn, router_id }),
    );
    let large = any::<[u32; 3]>().prop_map(|[global, local1, local2]| LargeCommunity {
        global,
        local1,
        local2,
    });
    let communities = (
        vec(any::<u32>().prop_map(Community), 0..100),
        vec(any::<[u8; 8]>().prop_map(ExtendedCommunity), 0..8),
        vec(large, 0..8),
    );
    let reflection = (option::of(router_ids()), vec(router_ids(), 0..4));
    let unknown = prop::collection::btree_map(100..=255_u8, vec(any::<u8>(), 0..300), 0..3);
    (
        origin,
        paths(),
        numbers,
        aggregator,
        communities,
        reflection,
        unknown,
    )
        .prop_map(
            move |(origin, as_path, numbers, aggregator, communities, reflection, unknown)| {
                PathAttributes {
                    origin,
                    as_path,
                    next_hop,
                    med: numbers.0,
                    local_pref: numbers.1,
                    atomic_aggregate: numbers.2,
                    aggregator,
                    communities: communities.0,
                    extended_communities: communities.1,
                    large_communities: communities.2,
                    originator_id: reflection.0,
                    cluster_list: reflection.1,
                    unknown: unknown
                        .into_iter()
                        .map(|(type_code, value)| UnknownAttribute {
                            type_code,
                            flags: 0xe0,
                            value,
                        })
                        .collect(),
                }
            },
        )
}

/// A sequence, then a set or not: what AS4_PATH can be merged into again
/// exactly.
fn paths() -> impl Strategy<Value = AsPath> {
    let sequence = vec(asns(), 0..300);
    let set = option::of(vec(asns(), 1..20));
    (sequence, set).prop_map(|(sequence, set)| {
        let mut path = AsPath::default();
        path.segments.extend(
            sequence
                .chunks(255)
                .map(|asns| AsPathSegment::Sequence(asns.to_vec())),
        );
        path.segments.extend(set.map(AsPathSegment::Set));
        path
    })
}

/// No AS 0, and no AS_TRANS, which a two-octet session can't tell from others.
fn asns() -> impl Strategy<Value = Asn> {
    prop_oneof![1..23456_u32, 23457..=u32::MAX].prop_map(Asn)
}

fn router_ids() -> impl Strategy<Value = RouterId> {
    (1..=u32::MAX).prop_map(|id| RouterId(Ipv4Addr::from(id)))
}

/// None that is ignored as martian.
fn v4() -> impl Strategy<Value = Ipv4Net> {
    (0x0100_0000..0x7f00_0000_u32, 8..=32_u8)
        .prop_map(|(address, length)| Ipv4Net::new(address.into(), length).unwrap().trunc())
}

fn v6() -> impl Strategy<Value = Ipv6Net> {
    (any::<u128>(), 4..=128_u8).prop_map(|(address, length)| {
        // Within 2000::/3.
        let address = Ipv6Addr::from(address >> 3 | 1 << 125);
        Ipv6Net::new(address, length).unwrap().trunc()
    })
}

fn opens() -> impl Strategy<Value = Open> {
    let families = || prop::sample::subsequence(Family::ALL.to_vec(), 0..=2);
    let restart = (any::<[bool; 3]>(), 0..4096_u16, families()).prop_map(
        |([restarting, notification, kept], restart_time, families)| GracefulRestart {
            restarting,
            notification,
            restart_time,
            families: families.into_iter().map(|family| (family, kept)).collect(),
        },
    );
    let unknown = vec((100..=255_u8, vec(any::<u8>(), 0..200)), 0..4);
    let flags = any::<[bool; 4]>();
    let hold_times = prop_oneof![Just(0), 3..=u16::MAX];
    (
        asns(),
        hold_times,
        router_ids(),
        families(),
        option::of(restart),
        unknown,
        flags,
    )
        .prop_map(
            |(asn, hold_time, router_id, families, graceful_restart, unknown, flags)| Open {
                // Without the capability only two octets reach the other side.
                asn: if flags[0] {
                    asn
                } else {
                    Asn(u32::from(asn.two_octets()))
                },
                hold_time,
                router_id,
                capabilities: Capabilities {
                    families,
                    four_octet_as: flags[0],
                    route_refresh: flags[1],
                    enhanced_route_refresh: flags[2],
                    extended_messages: flags[3],
                    graceful_restart,
                    unknown,
                },
            },
        )
}
