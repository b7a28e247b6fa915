//! Headers (RFC 4271 §6.1, RFC 8654).

use bgp_core::wire::{self, Codec, Message, Notification};
use bytes::BytesMut;

use crate::support;

const KEEPALIVE: &str = "ffffffffffffffffffffffffffffffff 0013 04";

fn fails_with(bytes: &[u8], codec: &Codec) -> (u8, u8, Vec<u8>) {
    let Notification {
        code,
        subcode,
        data,
    } = wire::frame(&mut BytesMut::from(bytes), codec).unwrap_err();
    (code, subcode, data)
}

fn header(length: u16, message_type: u8) -> Vec<u8> {
    [&[0xff; 16][..], &length.to_be_bytes(), &[message_type]].concat()
}

fn extended() -> Codec {
    Codec {
        extended_messages: true,
        ..support::external()
    }
}

#[test]
fn a_message_is_cut_only_when_all_of_it_is_there() {
    let whole = support::hex("ffffffffffffffffffffffffffffffff 0017 02 00000000");
    for length in 0..whole.len() {
        let mut buffer = BytesMut::from(&whole[..length]);
        assert_eq!(wire::frame(&mut buffer, &support::external()), Ok(None));
        assert_eq!(buffer.len(), length);
    }
    let mut buffer = BytesMut::from(&[&whole[..], &support::hex(KEEPALIVE)].concat()[..]);
    let first = wire::frame(&mut buffer, &support::external())
        .unwrap()
        .unwrap();
    assert_eq!((first.message_type, &first.body[..]), (2, &[0; 4][..]));
    assert_eq!(buffer[..], support::hex(KEEPALIVE)[..]);
}

#[test]
fn a_wrong_marker_is_reported_before_the_body_arrives() {
    let mut bytes = header(100, 2);
    bytes[15] = 0xfe;
    assert_eq!(fails_with(&bytes, &support::external()), (1, 1, vec![]));
}

#[test]
fn a_wrong_length_is_reported_with_the_length() {
    let wrong: [(u16, u8); 10] = [
        (18, 4),
        (20, 4),
        (28, 1),
        (22, 2),
        (20, 3),
        (22, 5),
        (4097, 2),
        (0, 2),
        (65535, 2),
        (4097, 1),
    ];
    for (length, message_type) in wrong {
        let data = length.to_be_bytes().to_vec();
        let fault = fails_with(&header(length, message_type), &support::external());
        assert_eq!(fault, (1, 2, data), "length {length}, type {message_type}");
    }
}

#[test]
fn an_unknown_type_is_reported_with_the_type() {
    for message_type in [0, 6, 255] {
        let fault = fails_with(&header(19, message_type), &support::external());
        assert_eq!(fault, (1, 3, vec![message_type]));
    }
}

#[test]
fn extended_messages_are_taken_only_where_negotiated_and_never_as_open_or_keepalive() {
    let body = [&[0, 0, 0xff, 0xe8][..], &[0; 65_512]].concat();
    let longest = support::message(2, &body);
    assert_eq!(longest.len(), 65_535);
    assert!(
        wire::frame(&mut BytesMut::from(&longest[..]), &extended())
            .unwrap()
            .is_some()
    );
    assert_eq!(fails_with(&longest, &support::external()).1, 2);
    assert_eq!(
        fails_with(&header(4097, 1), &extended()),
        (1, 2, vec![0x10, 0x01])
    );
    assert_eq!(
        fails_with(&header(4097, 4), &extended()),
        (1, 2, vec![0x10, 0x01])
    );
}

#[test]
fn a_keepalive_is_a_header() {
    let codec = Codec::initial();
    assert_eq!(
        support::encode(&Message::Keepalive, &codec),
        support::hex(KEEPALIVE)
    );
    assert_eq!(
        support::decode(&support::hex(KEEPALIVE), &codec)
            .unwrap()
            .message,
        Message::Keepalive
    );
}
