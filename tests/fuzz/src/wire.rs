//! Any octets in any session: decoding doesn't panic, however they arrive; what was
//! understood can be sent, is without fault then, and means the same.

use bgp_core::Family;
use bgp_core::wire::{self, Codec, Decoded, Message, PathAttributes, Prefixes, Update};
use bytes::BytesMut;
use hostile_inputs::{Row, Session};

/// The first octet says which session, the second in what pieces the others come.
pub fn check(data: &[u8]) {
    let [session, pieces, octets @ ..] = data else {
        return;
    };
    let codec = codec(*session);
    let messages = decode(octets, octets.len(), &codec);
    let in_pieces = decode(octets, usize::from(*pieces).max(1), &codec);
    assert_eq!(messages, in_pieces, "pieces of {pieces} octets");
    for decoded in messages {
        again(decoded, &codec);
    }
}

/// An input made of a row that hostile peers send.
pub fn seed(row: &Row) -> Vec<u8> {
    let bits = match row.session {
        Session::External => 0b0_1101,
        Session::ExternalIpv4 => 0b0_0101,
        Session::TwoOctet => 0b0_1100,
        Session::Extended => 0b0_1111,
        Session::Internal => 0b1_1101,
    };
    [&[bits, 255], row.bytes.as_slice()].concat()
}

fn codec(bits: u8) -> Codec {
    let mut codec = Codec {
        four_octet_as: bits & 1 != 0,
        extended_messages: bits & 2 != 0,
        internal: bits & 16 != 0,
        ..Codec::initial()
    };
    for (bit, family) in [(4, Family::Ipv4), (8, Family::Ipv6)] {
        if bits & bit != 0 {
            codec.families.push(family);
        }
    }
    codec
}

/// Every message up to the first that is fatal.
fn decode(octets: &[u8], piece: usize, codec: &Codec) -> Vec<Decoded> {
    let mut buffer = BytesMut::new();
    let mut messages = vec![];
    for piece in octets.chunks(piece.max(1)) {
        buffer.extend_from_slice(piece);
        loop {
            let message = match wire::frame(&mut buffer, codec) {
                Ok(None) => break,
                Ok(Some(frame)) => wire::decode(&frame, codec),
                Err(fault) => Err(fault),
            };
            match message {
                Ok(message) => messages.push(message),
                Err(fault) => {
                    // What is said before the session ends can be written.
                    let _text = fault.to_string();
                    let mut out = BytesMut::new();
                    wire::encode(&Message::Notification(fault), codec, &mut out)
                        .expect("a NOTIFICATION can always be sent");
                    return messages;
                }
            }
        }
    }
    messages
}

fn again(decoded: Decoded, codec: &Codec) {
    for malformed in &decoded.malformed {
        let _text = malformed.to_string();
    }
    let mut out = BytesMut::new();
    if wire::encode(&decoded.message, codec, &mut out).is_err() {
        // Two octets' worth of AS numbers may need more room than they came in.
        return;
    }
    let sent = decode(&out, out.len(), codec);
    let faultless = sent.iter().all(|decoded| decoded.malformed.is_empty());
    assert!(faultless, "{:?} was sent as {sent:?}", decoded.message);
    match decoded.message {
        Message::Update(update) => {
            // RFC 6793's merge of two paths has no inverse.
            if codec.four_octet_as && !codec.families.is_empty() {
                let sent = sent.into_iter().map(|decoded| match decoded.message {
                    Message::Update(update) => update,
                    other => panic!("an UPDATE was sent as {other:?}"),
                });
                assert_eq!(meaning([update]), meaning(sent));
            }
        }
        Message::Open(open) => {
            // Of one family once is written, however often it was named.
            let named = open.capabilities.graceful_restart.as_ref();
            if named.is_none_or(|restart| restart.families.len() <= Family::ALL.len()) {
                assert_eq!(
                    sent.first().map(|it| &it.message),
                    Some(&Message::Open(open))
                );
            }
        }
        Message::Notification(_) | Message::Keepalive | Message::RouteRefresh(_) => {
            assert_eq!(sent.first().map(|it| &it.message), Some(&decoded.message));
        }
    }
}

/// Withdrawn and announced prefixes in order, whatever messages they were in.
#[derive(Debug, Default, PartialEq)]
struct Meaning {
    withdrawn: Vec<Prefixes>,
    announced: Vec<(PathAttributes, Prefixes)>,
    end_of_rib: Vec<Family>,
}

fn meaning(updates: impl IntoIterator<Item = Update>) -> Meaning {
    let mut meaning = Meaning::default();
    for update in updates {
        for prefixes in update.withdrawn {
            match meaning.withdrawn.last_mut() {
                Some(last) if last.family() == prefixes.family() => append(last, prefixes),
                _ => meaning.withdrawn.push(prefixes),
            }
        }
        for announcement in update.announced {
            let mut attributes = (*announcement.attributes).clone();
            for unknown in &mut attributes.unknown {
                // RFC 4271 §9: whoever carries it on sets Partial.
                unknown.flags |= 0x20;
            }
            match meaning.announced.last_mut() {
                Some((last, prefixes))
                    if *last == attributes
                        && prefixes.family() == announcement.prefixes.family() =>
                {
                    append(prefixes, announcement.prefixes);
                }
                _ => meaning.announced.push((attributes, announcement.prefixes)),
            }
        }
        meaning.end_of_rib.extend(update.end_of_rib);
    }
    meaning
}

fn append(to: &mut Prefixes, more: Prefixes) {
    match (to, more) {
        (Prefixes::V4(to), Prefixes::V4(more)) => to.extend(more),
        (Prefixes::V6(to), Prefixes::V6(more)) => to.extend(more),
        _ => {}
    }
}
