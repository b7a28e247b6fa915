//! As many messages as it takes, and none longer than the session allows.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp_core::wire::{self, AsPath, Codec, EncodeError, Message, NextHop, Origin, PathAttributes};
use bgp_core::wire::{Prefixes, Update};
use bgp_core::{Asn, Family};
use bytes::BytesMut;
use ipnet::{Ipv4Net, Ipv6Net};

use crate::support;

fn attributes(next_hop: &str) -> PathAttributes {
    let address: IpAddr = next_hop.parse().unwrap();
    PathAttributes::new(
        Origin::Igp,
        AsPath::sequence([Asn(7224), Asn(64512)]),
        address,
    )
}

fn v4(count: u32) -> Prefixes {
    let prefix = |number: u32| Ipv4Net::new(Ipv4Addr::from(0x0a00_0000 | number << 8), 24).unwrap();
    Prefixes::V4((0..count).map(prefix).collect())
}

fn v6(count: u32) -> Prefixes {
    let prefix = |number: u32| {
        Ipv6Net::new(
            Ipv6Addr::from(0x2001_0db8 << 96 | u128::from(number) << 80),
            48,
        )
        .unwrap()
    };
    Prefixes::V6((0..count).map(prefix).collect())
}

/// Message lengths, and all they say put together.
fn unpack(bytes: &[u8], codec: &Codec) -> (Vec<usize>, Vec<Update>) {
    let mut buffer = BytesMut::from(bytes);
    let (mut lengths, mut updates) = (vec![], vec![]);
    while let Some(frame) = wire::frame(&mut buffer, codec).unwrap() {
        lengths.push(frame.body.len() + 19);
        match wire::decode(&frame, codec).unwrap() {
            wire::Decoded {
                message: Message::Update(update),
                malformed,
            } if malformed.is_empty() => {
                updates.push(update);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(buffer.is_empty());
    (lengths, updates)
}

fn check_announcement(
    attributes: &PathAttributes,
    prefixes: &Prefixes,
    codec: &Codec,
    least: usize,
) {
    let mut out = BytesMut::new();
    let messages = wire::encode_announcement(attributes, prefixes, codec, &mut out).unwrap();
    let (lengths, updates) = unpack(&out, codec);
    assert_eq!((lengths.len(), messages), (least, least));
    // Full but for less than one prefix, save the last.
    let full = codec.max_message() - 17..=codec.max_message();
    assert!(
        lengths[..lengths.len() - 1]
            .iter()
            .all(|length| full.contains(length)),
        "{lengths:?}"
    );
    let announced = updates.iter().flat_map(|update| &update.announced);
    assert!(announced.clone().all(|it| *it.attributes == *attributes));
    assert!(
        announced
            .flat_map(|it| it.prefixes.iter())
            .eq(prefixes.iter())
    );
}

#[test]
fn announcements_fill_their_messages() {
    let extended = Codec {
        extended_messages: true,
        ..support::external()
    };
    // 4,096 less header, lengths and 24 octets of attributes, by 4 a prefix: 1,012.
    check_announcement(&attributes("192.0.2.1"), &v4(1012), &support::external(), 1);
    check_announcement(&attributes("192.0.2.1"), &v4(1013), &support::external(), 2);
    check_announcement(
        &attributes("192.0.2.1"),
        &v4(50_000),
        &support::external(),
        50,
    );
    check_announcement(&attributes("192.0.2.1"), &v4(50_000), &extended, 4);
    check_announcement(
        &attributes("2001:db8::1"),
        &v6(10_000),
        &support::external(),
        18,
    );
    check_announcement(&attributes("2001:db8::1"), &v6(10_000), &extended, 2);
    let both = NextHop {
        link_local: Some("fe80::1".parse().unwrap()),
        ..attributes("2001:db8::1").next_hop
    };
    check_announcement(
        &PathAttributes {
            next_hop: both,
            ..attributes("2001:db8::1")
        },
        &v6(9),
        &extended,
        1,
    );
}

#[test]
fn withdrawals_fill_their_messages() {
    let codec = support::external();
    for (prefixes, least) in [(v4(1018), 1), (v4(1019), 2), (v6(5000), 9)] {
        let mut out = BytesMut::new();
        assert_eq!(wire::encode_withdrawal(&prefixes, &codec, &mut out), least);
        let (lengths, updates) = unpack(&out, &codec);
        assert_eq!(lengths.len(), least);
        assert!(
            updates
                .iter()
                .flat_map(|it| &it.withdrawn)
                .flat_map(Prefixes::iter)
                .eq(prefixes.iter())
        );
    }
}

#[test]
fn no_prefixes_make_no_message() {
    let mut out = BytesMut::new();
    let codec = support::external();
    assert_eq!(
        wire::encode_announcement(&attributes("192.0.2.1"), &v4(0), &codec, &mut out),
        Ok(0)
    );
    assert_eq!(wire::encode_withdrawal(&v6(0), &codec, &mut out), 0);
    assert!(out.is_empty());
}

#[test]
fn end_of_rib_is_what_rfc_4724_says() {
    let mut out = BytesMut::new();
    wire::encode_end_of_rib(Family::Ipv4, &mut out);
    wire::encode_end_of_rib(Family::Ipv6, &mut out);
    let wanted = [
        support::update(&[], &[], &[]),
        support::update(&[], &support::hex("800f03000201"), &[]),
    ];
    assert_eq!(out[..], wanted.concat()[..]);
}

#[test]
fn attributes_too_large_for_a_message_are_refused_and_leave_nothing_behind() {
    let codec = support::external();
    let mut large = attributes("192.0.2.1");
    large.communities = vec![wire::Community::new(7224, 1); 1011];
    let mut out = BytesMut::from(&b"before"[..]);
    let refused = wire::encode_announcement(&large, &v4(1), &codec, &mut out);
    assert_eq!(
        refused,
        Err(EncodeError::TooLong {
            length: 4096 + 3,
            limit: 4096
        })
    );
    let extended = Codec {
        extended_messages: true,
        ..codec.clone()
    };
    assert_eq!(
        wire::encode_announcement(&large, &v4(1), &extended, &mut BytesMut::new()),
        Ok(1)
    );

    let value = vec![0; 70_000];
    large.unknown = vec![wire::UnknownAttribute {
        type_code: 99,
        flags: 0xc0,
        value,
    }];
    let update = Update {
        withdrawn: [v4(3)].into_iter().collect(),
        announced: [wire::Announcement {
            attributes: large.into(),
            prefixes: v4(1),
        }]
        .into_iter()
        .collect(),
        end_of_rib: None,
    };
    let refused = wire::encode(&Message::Update(update), &extended, &mut out);
    assert!(
        matches!(refused, Err(EncodeError::TooLong { limit: 65_535, .. })),
        "{refused:?}"
    );
    assert_eq!(out[..], b"before"[..]);
}

#[test]
fn a_next_hop_of_the_other_family_is_refused() {
    let codec = support::external();
    for (next_hop, prefixes) in [("2001:db8::1", v4(1)), ("192.0.2.1", v6(1))] {
        let refused = wire::encode_announcement(
            &attributes(next_hop),
            &prefixes,
            &codec,
            &mut BytesMut::new(),
        );
        let family = prefixes.family();
        assert_eq!(
            refused,
            Err(EncodeError::NextHop {
                next_hop: next_hop.parse().unwrap(),
                family
            })
        );
    }
}

#[test]
fn external_peers_never_see_internal_attributes() {
    let mut internal = attributes("192.0.2.1");
    internal.local_pref = Some(200);
    internal.originator_id = Some(bgp_core::RouterId(Ipv4Addr::LOCALHOST));
    internal.cluster_list = vec![bgp_core::RouterId(Ipv4Addr::LOCALHOST)];
    internal
        .as_path
        .segments
        .insert(0, wire::AsPathSegment::ConfedSequence(vec![Asn(65001)]));
    let sent = |codec: &Codec| {
        let mut out = BytesMut::new();
        wire::encode_announcement(&internal, &v4(1), codec, &mut out).unwrap();
        support::clean_update(&out, codec).announced[0]
            .attributes
            .clone()
    };
    assert_eq!(*sent(&support::external()), attributes("192.0.2.1"));
    assert_eq!(*sent(&support::internal()), internal);
}
