//! OPEN and its capabilities (RFC 4271 §4.2 and §6.2, RFC 5492, RFC 9072).

use bgp_core::wire::{
    Capabilities, Codec, EncodeError, GracefulRestart, Message, Notification, Open,
};
use bgp_core::{Asn, Family, RouterId};
use bytes::BytesMut;

use crate::support;

fn open() -> Open {
    Open {
        asn: Asn(4_200_000_001),
        hold_time: 90,
        router_id: RouterId("192.0.2.1".parse().unwrap()),
        capabilities: Capabilities {
            families: Family::ALL.to_vec(),
            four_octet_as: true,
            route_refresh: true,
            enhanced_route_refresh: true,
            extended_messages: true,
            graceful_restart: Some(GracefulRestart {
                restarting: true,
                notification: true,
                restart_time: 120,
                families: vec![(Family::Ipv4, true), (Family::Ipv6, false)],
            }),
            unknown: vec![(73, b"\x03fqd\x00".to_vec()), (1, vec![0, 1, 0, 2])],
        },
    }
}

fn decode(body: &str) -> Result<Open, Notification> {
    match support::decode(&support::message(1, &support::hex(body)), &Codec::initial())?.message {
        Message::Open(open) => Ok(open),
        other => panic!("{other:?}"),
    }
}

fn fault(body: &str) -> (u8, u8, Vec<u8>) {
    let Notification {
        code,
        subcode,
        data,
    } = decode(body).unwrap_err();
    (code, subcode, data)
}

fn round_trip(open: &Open) -> Open {
    let bytes = support::encode(&Message::Open(open.clone()), &Codec::initial());
    match support::decode(&bytes, &Codec::initial()).unwrap().message {
        Message::Open(open) => open,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_capability_survives_the_wire() {
    assert_eq!(round_trip(&open()), open());
}

#[test]
fn a_four_octet_as_hides_behind_as_trans() {
    let bytes = support::encode(&Message::Open(open()), &Codec::initial());
    assert_eq!(bytes[20..22], 23456_u16.to_be_bytes());
}

#[test]
fn an_open_without_capabilities_has_no_parameters() {
    let plain = Open {
        asn: Asn(65010),
        capabilities: Capabilities::default(),
        ..open()
    };
    let bytes = support::encode(&Message::Open(plain.clone()), &Codec::initial());
    assert_eq!(bytes.len(), 29);
    assert_eq!(round_trip(&plain), plain);
}

#[test]
fn many_capabilities_use_extended_parameters() {
    for length in [200, 219, 220, 221, 250] {
        let mut many = open();
        many.capabilities.unknown = vec![(200, vec![7; length])];
        assert_eq!(round_trip(&many), many);
        many.capabilities.unknown = vec![(200, vec![7; length]); 10];
        assert_eq!(round_trip(&many), many);
    }
}

#[test]
fn capabilities_that_fit_no_open_are_refused() {
    let mut many = open();
    many.capabilities.unknown = vec![(200, vec![7; 255]); 16];
    let mut out = BytesMut::new();
    let refused = bgp_core::wire::encode(&Message::Open(many), &Codec::initial(), &mut out);
    assert!(
        matches!(refused, Err(EncodeError::TooLong { limit: 4096, .. })),
        "{refused:?}"
    );
    assert!(out.is_empty());
}

#[test]
fn capabilities_may_come_one_a_parameter_or_all_in_one() {
    let apart =
        decode("04 1c38 005a a9feff01 14 0206 010400010001 0202 0200 0206 410400001c38").unwrap();
    let together = decode("04 1c38 005a a9feff01 10 020e 010400010001 0200 410400001c38").unwrap();
    let extended =
        decode("04 1c38 005a a9feff01 ff ff 0011 02000e 010400010001 0200 410400001c38").unwrap();
    assert_eq!(apart, together);
    assert_eq!(apart, extended);
    // RFC 9072 §2: the one-octet length doesn't count then.
    let short =
        decode("04 1c38 005a a9feff01 01 ff 0011 02000e 010400010001 0200 410400001c38").unwrap();
    assert_eq!(apart, short);
}

#[test]
fn each_error_has_its_subcode() {
    assert_eq!(fault("03 1c38 005a a9feff01 00"), (2, 1, vec![0, 4]));
    assert_eq!(fault("04 0000 005a a9feff01 00"), (2, 2, vec![]));
    assert_eq!(
        fault("04 5ba0 005a a9feff01 08 0206 410400000000"),
        (2, 2, vec![])
    );
    assert_eq!(fault("04 1c38 005a 00000000 00"), (2, 3, vec![]));
    assert_eq!(fault("04 1c38 005a a9feff01 03 010100"), (2, 4, vec![]));
    assert_eq!(fault("04 1c38 0001 a9feff01 00"), (2, 6, vec![]));
    assert_eq!(fault("04 1c38 0002 a9feff01 00"), (2, 6, vec![]));
    // Parameters and capabilities that don't add up.
    for body in [
        "04 1c38 005a a9feff01 04 0206 0104",
        "04 1c38 005a a9feff01 00 00",
        "04 1c38 005a a9feff01 03 020101",
        "04 1c38 005a a9feff01 07 0205 0103000100",
        "04 1c38 005a a9feff01 04 02024100",
    ] {
        assert_eq!(fault(body), (2, 0, vec![]), "{body}");
    }
}

#[test]
fn hold_time_zero_is_for_the_session_to_judge() {
    assert_eq!(decode("04 1c38 0000 a9feff01 00").unwrap().hold_time, 0);
}

#[test]
fn a_capability_with_an_impossible_value_counts_as_unknown() {
    let open = decode("04 1c38 005a a9feff01 0a 0208 020101 0601ff 4600").unwrap();
    assert!(!open.capabilities.route_refresh && !open.capabilities.extended_messages);
    assert!(open.capabilities.enhanced_route_refresh);
    assert_eq!(open.capabilities.unknown, [(2, vec![1]), (6, vec![0xff])]);
}
