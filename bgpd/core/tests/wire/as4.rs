//! Four-octet AS numbers across speakers of two (RFC 6793).

use bgp_core::Asn;
use bgp_core::wire::{AsPath, AsPathSegment, Decoded, Message, Treatment};

use crate::support;

fn path_of(attributes: &str, codec: &bgp_core::wire::Codec) -> (String, Option<u32>, Vec<u8>) {
    let attributes = support::hex(&format!("40010100 {attributes} 400304a9feff01"));
    let bytes = support::update(&[], &attributes, &support::hex("18c61305"));
    let Decoded {
        message: Message::Update(update),
        malformed,
    } = support::decode(&bytes, codec).unwrap()
    else {
        panic!("not an UPDATE")
    };
    assert!(
        malformed
            .iter()
            .all(|it| it.treatment == Treatment::AttributeDiscard),
        "{malformed:?}"
    );
    let attributes = &update.announced[0].attributes;
    let aggregator = attributes.aggregator.map(|aggregator| aggregator.asn.0);
    let discarded = malformed.iter().filter_map(|it| it.attribute).collect();
    (attributes.as_path.to_string(), aggregator, discarded)
}

fn two_octet_path(attributes: &str) -> (String, Option<u32>, Vec<u8>) {
    path_of(attributes, &support::two_octet())
}

fn merges_to(attributes: &str, path: &str) {
    assert_eq!(two_octet_path(attributes).0, path, "{attributes}");
}

#[test]
fn the_two_paths_merge() {
    // 7224 23456 23456, of which AS4_PATH knows the last two.
    let as_path = "400208 0203 1c38 5ba0 5ba0";
    merges_to(
        &format!("{as_path} c0110a 0202 fa56ea01 fa56ea02"),
        "7224 4200000001 4200000002",
    );
    merges_to(
        &format!("{as_path} c0110e 0203 00001c38 fa56ea01 fa56ea02"),
        "7224 4200000001 4200000002",
    );
    merges_to(
        &format!("{as_path} c01106 0201 fa56ea02"),
        "7224 23456 4200000002",
    );
    merges_to(as_path, "7224 23456 23456");
    // A set counts as one.
    merges_to(
        "400208 0201 1c38 0101 5ba0 c01106 0101 fa56ea01",
        "7224 {4200000001}",
    );
    merges_to(
        "40020e 0202 1c38 0005 0103 5ba0 0007 0008 c0110e 0103 fa56ea01 00000007 00000008",
        "7224 5 {4200000001,7,8}",
    );
}

#[test]
fn a_longer_as4_path_is_ignored() {
    merges_to("400204 0201 1c38 c0110a 0202 fa56ea01 fa56ea02", "7224");
}

#[test]
fn a_malformed_as4_path_is_discarded() {
    for as4_path in [
        "c01105 0201fa56ea",
        "c01106 0901fa56ea01",
        "c01102 0200",
        "c01106 0202fa56ea01",
        "c01106 020100000000",
        "801106 0201fa56ea01",
    ] {
        let (path, _, discarded) = two_octet_path(&format!("400204 0201 1c38 {as4_path}"));
        assert_eq!(
            (path.as_str(), &discarded[..]),
            ("7224", &[17][..]),
            "{as4_path}"
        );
    }
}

#[test]
fn confederation_segments_in_an_as4_path_are_dropped() {
    merges_to(
        "400206 0202 1c38 5ba0 c0110c 0301 0000fe00 0201 fa56ea01",
        "7224 4200000001",
    );
}

#[test]
fn from_a_four_octet_speaker_the_as4_attributes_are_discarded() {
    let attributes = "400206 0201 00001c38 c01106 0201 fa56ea01 c01208 fa56ea01 0a000001";
    let (path, aggregator, discarded) = path_of(attributes, &support::external());
    assert_eq!(
        (path.as_str(), aggregator, &discarded[..]),
        ("7224", None, &[17, 18][..])
    );
}

#[test]
fn an_aggregator_that_is_not_as_trans_makes_the_as4_attributes_stale() {
    let as4 = "c01106 0201 fa56ea01 c01208 fa56ea02 0a000001";
    let fresh = two_octet_path(&format!("400206 0202 1c38 5ba0 c00706 5ba0 0a000001 {as4}"));
    assert_eq!(
        (fresh.0.as_str(), fresh.1),
        ("7224 4200000001", Some(4_200_000_002))
    );
    let stale = two_octet_path(&format!("400206 0202 1c38 5ba0 c00706 0005 0a000001 {as4}"));
    assert_eq!((stale.0.as_str(), stale.1), ("7224 23456", Some(5)));
}

#[test]
fn four_octet_paths_survive_a_two_octet_speaker() {
    let bytes = support::update(
        &[],
        &support::hex(
            "40010100 40020e 0203 00001c38 fa56ea01 0000fc00 400304a9feff01 c00708 fa56ea01 0a000001",
        ),
        &support::hex("18c61305"),
    );
    let update = support::clean_update(&bytes, &support::external());
    let two = support::encode(&Message::Update(update.clone()), &support::two_octet());
    assert_eq!(support::clean_update(&two, &support::two_octet()), update);
    // AS_PATH 7224 23456 64512, then AS4_PATH and AS4_AGGREGATOR.
    let holds = |part: &str| {
        let part = support::hex(part);
        two.windows(part.len()).any(|window| window == part)
    };
    assert!(holds("400208 0203 1c38 5ba0 fc00"));
    assert!(holds("c0110e 0203 00001c38 fa56ea01 0000fc00"));
    assert!(holds("c00706 5ba0 0a000001") && holds("c01208 fa56ea01 0a000001"));
}

#[test]
fn segments_longer_than_an_octet_counts_are_split() {
    let update = {
        let bytes = support::update(
            &[],
            &support::hex("40010100 400206 0201 00001c38 400304a9feff01"),
            &support::hex("18c61305"),
        );
        let mut update = support::clean_update(&bytes, &support::external());
        let mut attributes = (*update.announced[0].attributes).clone();
        attributes.as_path = AsPath::sequence((1..=600).map(Asn));
        update.announced[0].attributes = attributes.into();
        update
    };
    let again = support::encode(&Message::Update(update.clone()), &support::external());
    let again = support::clean_update(&again, &support::external());
    let path = &again.announced[0].attributes.as_path;
    assert_eq!(path.segments.len(), 3);
    assert!(
        path.asns()
            .eq(update.announced[0].attributes.as_path.asns())
    );
    assert!(matches!(&path.segments[2], AsPathSegment::Sequence(asns) if asns.len() == 90));
}
