//! UPDATEs by hand: what each part means, and what its faults cost, where the
//! corpora leave something open.

use std::net::IpAddr;

use bgp_core::wire::{
    AsPath, AsPathSegment, Community, Decoded, ExtendedCommunity, LargeCommunity,
};
use bgp_core::wire::{
    Codec, Malformed, Message, Notification, Origin, Prefixes, Treatment, Update,
};
use bgp_core::{Asn, Family};

use crate::support;

/// ORIGIN IGP, AS_PATH 7224, NEXT_HOP 169.254.255.1.
const BASIC: &str = "40010100 400206020100001c38 400304a9feff01";
const MP_BASIC: &str = "40010100 400206020100001c38";
const NLRI: &str = "18c61305";

fn decode(
    attributes: &str,
    nlri: &str,
    codec: &Codec,
) -> Result<(Update, Vec<Malformed>), Notification> {
    let bytes = support::update(&[], &support::hex(attributes), &support::hex(nlri));
    match support::decode(&bytes, codec)? {
        Decoded {
            message: Message::Update(update),
            malformed,
        } => Ok((update, malformed)),
        other => panic!("{other:?}"),
    }
}

fn v4(prefixes: &[&str]) -> Prefixes {
    Prefixes::V4(
        prefixes
            .iter()
            .map(|prefix| prefix.parse().unwrap())
            .collect(),
    )
}

fn v6(prefixes: &[&str]) -> Prefixes {
    Prefixes::V6(
        prefixes
            .iter()
            .map(|prefix| prefix.parse().unwrap())
            .collect(),
    )
}

fn treatments(malformed: &[Malformed]) -> Vec<(Treatment, Option<u8>)> {
    malformed
        .iter()
        .map(|it| (it.treatment, it.attribute))
        .collect()
}

#[test]
fn host_bits_on_the_wire_are_masked() {
    let (update, _) = decode(
        BASIC,
        "14c61305 00 17cb0073 20c6120501",
        &support::external(),
    )
    .unwrap();
    let masked = v4(&[
        "198.19.0.0/20",
        "0.0.0.0/0",
        "203.0.114.0/23",
        "198.18.5.1/32",
    ]);
    assert_eq!(update.announced[0].prefixes, masked);
}

#[test]
fn both_families_may_share_one_update() {
    let reach = "800e1a 0002 01 10 20010db8000000000000000000000001 00 20 20010db8";
    let attributes = format!("{reach} {BASIC}");
    let (update, malformed) = decode(&attributes, NLRI, &support::external()).unwrap();
    assert_eq!(malformed, []);
    let [first, second] = &update.announced[..] else {
        panic!("{update:?}")
    };
    assert_eq!(
        (&first.prefixes, &second.prefixes),
        (&v4(&["198.19.5.0/24"]), &v6(&["2001:db8::/32"]))
    );
    assert_eq!(
        first.attributes.next_hop.address,
        "169.254.255.1".parse::<IpAddr>().unwrap()
    );
    assert_eq!(
        second.attributes.next_hop.address,
        "2001:db8::1".parse::<IpAddr>().unwrap()
    );
    assert_eq!(first.attributes.as_path, second.attributes.as_path);
}

#[test]
fn an_ipv6_next_hop_may_bring_its_link_local_address() {
    let global = "20010db8000000000000000000000001";
    let link_local = "fe800000000000000000000000000001";
    let other = "20010db8000000000000000000000002";
    let zero = "00000000000000000000000000000000";
    let cases = [
        (format!("10 {global}"), "2001:db8::1", None),
        (format!("10 {link_local}"), "fe80::1", None),
        (
            format!("20 {global} {link_local}"),
            "2001:db8::1",
            Some("fe80::1"),
        ),
        (format!("20 {link_local} {link_local}"), "fe80::1", None),
        (format!("20 {zero} {link_local}"), "fe80::1", None),
        (format!("20 {global} {other}"), "2001:db8::1", None),
    ];
    for (next_hop, address, second) in cases {
        let value = support::hex(&format!("0002 01 {next_hop} 00 20 20010db8"));
        let reach = format!("800e{:02x} {}", value.len(), hex_of(&value));
        let (update, malformed) =
            decode(&format!("{reach} {MP_BASIC}"), "", &support::external()).unwrap();
        assert_eq!(malformed, [], "{next_hop}");
        let decoded = update.announced[0].attributes.next_hop;
        assert_eq!(
            decoded.address,
            address.parse::<IpAddr>().unwrap(),
            "{next_hop}"
        );
        assert_eq!(
            decoded.link_local,
            second.map(|it| it.parse().unwrap()),
            "{next_hop}"
        );
    }
}

#[test]
fn an_ipv6_next_hop_that_no_packet_reaches_withdraws() {
    for next_hop in [
        "00".repeat(16),
        format!("{}01", "00".repeat(15)),
        format!("ff02{}", "00".repeat(14)),
        format!("{}ffff0a000001", "00".repeat(10)),
    ] {
        let reach = format!("800e1a 0002 01 10 {next_hop} 00 20 20010db8");
        let (update, malformed) =
            decode(&format!("{reach} {MP_BASIC}"), "", &support::external()).unwrap();
        assert_eq!(
            treatments(&malformed),
            [(Treatment::TreatAsWithdraw, Some(14))]
        );
        assert_eq!(update.withdrawn[..], [v6(&["2001:db8::/32"])]);
        assert!(update.announced.is_empty());
    }
}

#[test]
fn treating_as_withdrawal_joins_what_was_withdrawn_anyway() {
    let attributes =
        support::hex("400101ff 400206020100001c38 400304a9feff01 800f07 0001 01 18cb0071");
    let bytes = support::update(&support::hex("18c61304"), &attributes, &support::hex(NLRI));
    let Message::Update(update) = support::decode(&bytes, &support::external())
        .unwrap()
        .message
    else {
        panic!("not an UPDATE")
    };
    assert_eq!(
        update.withdrawn[..],
        [v4(&["198.19.4.0/24", "203.0.113.0/24", "198.19.5.0/24"])]
    );
}

#[test]
fn a_fault_without_any_prefix_costs_the_session() {
    // RFC 7606 §5.2: but not where discarding is enough.
    let fault = decode("400101ff 400206020100001c38", "", &support::external()).unwrap_err();
    assert_eq!((fault.code, fault.subcode), (3, 1));
    let fault = decode(&format!("{BASIC} 800400"), "", &support::external()).unwrap_err();
    assert_eq!((fault.code, fault.subcode), (3, 1));
    let (update, _) = decode(&format!("{BASIC} 40060100"), "", &support::external()).unwrap();
    assert_eq!(update, Update::default());
}

#[test]
fn a_repeated_attribute_counts_once_but_a_repeated_mp_reach_never() {
    let (update, malformed) =
        decode(&format!("{BASIC} 40010102"), NLRI, &support::external()).unwrap();
    assert_eq!(update.announced[0].attributes.origin, Origin::Igp);
    assert_eq!(
        treatments(&malformed),
        [(Treatment::AttributeDiscard, Some(1))]
    );
    let unreach = "800f03 0001 01";
    for repeated in [
        format!("{unreach} {unreach}"),
        format!("{BASIC} {unreach} {unreach}"),
    ] {
        let fault = decode(&repeated, "", &support::external()).unwrap_err();
        assert_eq!((fault.code, fault.subcode), (3, 1));
    }
}

#[test]
fn a_family_that_was_not_negotiated_is_ignored() {
    let reach = "800e1a 0002 01 10 20010db8000000000000000000000001 00 20 20010db8";
    let (update, malformed) =
        decode(&format!("{reach} {MP_BASIC}"), "", &support::ipv4_only()).unwrap();
    assert_eq!(update, Update::default());
    assert_eq!(treatments(&malformed), [(Treatment::Ignore, Some(14))]);

    let only_ipv6 = Codec {
        families: [Family::Ipv6].into_iter().collect(),
        ..support::external()
    };
    let (update, malformed) = decode(BASIC, NLRI, &only_ipv6).unwrap();
    assert_eq!(update, Update::default());
    assert_eq!(treatments(&malformed), [(Treatment::Ignore, None)]);
}

#[test]
fn internal_attributes_are_kept_from_internal_peers_only() {
    let attributes = format!("{BASIC} 40050400000064 8009040a000001 800a080a0000010a000002");
    let (update, malformed) = decode(&attributes, NLRI, &support::internal()).unwrap();
    assert_eq!(malformed, []);
    let kept = &update.announced[0].attributes;
    assert_eq!((kept.local_pref, kept.cluster_list.len()), (Some(100), 2));
    assert!(kept.originator_id.is_some());

    let (update, malformed) = decode(&attributes, NLRI, &support::external()).unwrap();
    let discard = Treatment::AttributeDiscard;
    assert_eq!(
        treatments(&malformed),
        [(discard, Some(5)), (discard, Some(9)), (discard, Some(10))]
    );
    let kept = &update.announced[0].attributes;
    assert_eq!(
        (kept.local_pref, kept.originator_id, kept.cluster_list.len()),
        (None, None, 0)
    );
}

#[test]
fn unknown_attributes_are_carried_with_the_partial_bit() {
    let attributes = format!("{BASIC} c0fe02dead 80fd01ff d0630003010203 e0c800");
    let (update, malformed) = decode(&attributes, NLRI, &support::external()).unwrap();
    assert_eq!(malformed, []);
    let carried = |update: &Update| {
        let unknown = &update.announced[0].attributes.unknown;
        unknown
            .iter()
            .map(|it| (it.type_code, it.flags, it.value.clone()))
            .collect::<Vec<_>>()
    };
    let received = [
        (99, 0xc0, vec![1, 2, 3]),
        (200, 0xe0, vec![]),
        (254, 0xc0, vec![0xde, 0xad]),
    ];
    assert_eq!(carried(&update), received);

    let again = support::encode(&Message::Update(update), &support::external());
    let again = support::clean_update(&again, &support::external());
    assert_eq!(
        carried(&again),
        received.map(|(code, _, value)| (code, 0xe0, value))
    );
}

#[test]
fn an_attribute_that_says_it_is_well_known_and_is_not_costs_the_session() {
    let attributes = format!("{BASIC} 40fe02dead");
    let fault = decode(&attributes, NLRI, &support::external()).unwrap_err();
    let data = vec![0x40, 0xfe, 2, 0xde, 0xad];
    assert_eq!((fault.code, fault.subcode, fault.data), (3, 2, data));
}

#[test]
fn an_attribute_that_is_optional_by_its_specification_withdraws_with_other_flags() {
    let pmsi_tunnel = format!("{BASIC} 401602dead");
    let (_, malformed) = decode(&pmsi_tunnel, NLRI, &support::external()).unwrap();
    assert_eq!(
        treatments(&malformed),
        [(Treatment::TreatAsWithdraw, Some(22))]
    );
}

#[test]
fn a_truncated_mp_reach_costs_the_session_even_beside_other_prefixes() {
    let fault = decode(
        &format!("{BASIC} 800e20 0002 01"),
        NLRI,
        &support::external(),
    )
    .unwrap_err();
    assert_eq!((fault.code, fault.subcode), (3, 1));
}

#[test]
fn prefixes_that_no_host_can_be_in_are_ignored() {
    let nlri = "08e0 04e0 087f 20ffffffff 00 0100 1800000b 18c61305";
    let (update, malformed) = decode(BASIC, nlri, &support::external()).unwrap();
    assert_eq!(treatments(&malformed), [(Treatment::Ignore, None)]);
    let kept = v4(&[
        "255.255.255.255/32",
        "0.0.0.0/0",
        "0.0.0.0/1",
        "198.19.5.0/24",
    ]);
    assert_eq!(update.announced[0].prefixes, kept);
}

#[test]
fn end_of_rib_is_told_from_an_update_without_prefixes() {
    let end = |withdrawn: &str, attributes: &str, codec: &Codec| {
        let bytes = support::update(&support::hex(withdrawn), &support::hex(attributes), &[]);
        let Message::Update(update) = support::decode(&bytes, codec).unwrap().message else {
            panic!("not an UPDATE")
        };
        update.end_of_rib
    };
    let both = support::external();
    assert_eq!(end("", "", &both), Some(Family::Ipv4));
    assert_eq!(end("", "800f03 0002 01", &both), Some(Family::Ipv6));
    assert_eq!(end("", "800f03 0001 01", &both), Some(Family::Ipv4));
    assert_eq!(end("18c61304", "800f03 0002 01", &both), None);
    assert_eq!(end("", "800f03 0002 01", &support::ipv4_only()), None);
    assert_eq!(end("", &format!("{BASIC} 800f03 0002 01"), &both), None);
    assert_eq!(end("", BASIC, &both), None);
}

#[test]
fn paths_are_counted_as_the_decision_counts_them() {
    let asns = |numbers: &[u32]| numbers.iter().map(|asn| Asn(*asn)).collect::<Vec<_>>();
    let mut path = AsPath::default();
    path.segments
        .push(AsPathSegment::ConfedSequence(asns(&[65001])));
    path.segments
        .push(AsPathSegment::Sequence(asns(&[64512, 65010])));
    path.segments.push(AsPathSegment::Set(asns(&[1, 2])));
    assert_eq!(path.len_for_decision(), 3);
    assert_eq!(path.to_string(), "(65001) 64512 65010 {1,2}");
    assert_eq!((path.first(), path.origin()), (Some(Asn(64512)), None));
    assert!(path.contains(Asn(2)) && path.contains(Asn(65001)) && !path.contains(Asn(3)));
    assert!(path.has_set() && !AsPath::sequence(asns(&[1])).has_set());
    assert_eq!(
        (
            AsPath::default().first(),
            AsPath::default().len_for_decision()
        ),
        (None, 0)
    );
}

#[test]
fn prepending_starts_a_new_segment_when_one_is_full() {
    let mut path = AsPath::sequence([Asn(2)]);
    path.prepend(Asn(1), 254);
    assert_eq!((path.segments.len(), path.len_for_decision()), (1, 255));
    path.prepend(Asn(1), 300);
    assert_eq!((path.segments.len(), path.len_for_decision()), (3, 555));
    assert!(
        path.segments
            .iter()
            .all(|segment| segment.asns().len() <= 255)
    );
    assert_eq!((path.first(), path.origin()), (Some(Asn(1)), Some(Asn(2))));

    let mut set = AsPath::default();
    set.segments.push(AsPathSegment::Set(vec![Asn(5)]));
    set.prepend(Asn(1), 0);
    assert_eq!(set.to_string(), "{5}");
    set.prepend(Asn(1), 2);
    assert_eq!(set.to_string(), "1 1 {5}");
}

#[test]
fn communities_are_written_as_operators_write_them() {
    assert_eq!("7224:7300".parse(), Ok(Community::new(7224, 7300)));
    assert_eq!(Community::new(7224, 7300).to_string(), "7224:7300");
    assert_eq!(Community::NO_EXPORT.to_string(), "65535:65281");
    for wrong in [
        "", ":", "1", "1:", "65536:0", "1:2:3", "+1:2", " 1:2", "-1:0",
    ] {
        assert!(wrong.parse::<Community>().is_err(), "{wrong}");
    }
    let large = LargeCommunity {
        global: 4_200_000_001,
        local1: 0,
        local2: 7,
    };
    assert_eq!("4200000001:0:7".parse(), Ok(large));
    assert_eq!(large.to_string(), "4200000001:0:7");
    for wrong in ["1:2", "1:2:3:4", "1:2:", "4294967296:0:0"] {
        assert!(wrong.parse::<LargeCommunity>().is_err(), "{wrong}");
    }
    let extended =
        |octets: &str| ExtendedCommunity(support::hex(octets).try_into().unwrap()).to_string();
    assert_eq!(extended("0002fc0000000064"), "rt:64512:100");
    assert_eq!(extended("0103c00002010064"), "ro:192.0.2.1:100");
    assert_eq!(extended("0202fa56ea010007"), "rt:4200000001:7");
    assert_eq!(extended("4004000000000001"), "0x4004000000000001");
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|octet| format!("{octet:02x}")).collect()
}
