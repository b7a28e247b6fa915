//! Inputs that once broke other speakers.

use bgp_core::wire::{Codec, Decoded, Message};

use crate::support;

#[test]
fn no_session_panics_on_other_fuzzers_seeds() {
    let seeds = String::from_utf8(support::gunzip("fuzz-corpi/messages.txt.gz")).unwrap();
    let mut messages = 0;
    for line in seeds.lines() {
        let (hex, _name) = line.split_once("  ").unwrap();
        messages += 1;
        try_every_way(&support::hex(hex));
    }
    assert_eq!(messages, 2734);
}

#[test]
fn lying_lengths_are_never_taken_at_their_word() {
    let mut files = support::files("gobgp-bad-len");
    files.retain(|(name, _)| name != "LICENSE");
    assert_eq!(files.len(), 11);
    for (name, bytes) in files {
        try_every_way(&bytes);
        let decoded = support::decode_all(&with_header(&bytes, bytes.len()), &support::external());
        // Prefixes must never come of them.
        let faultless = decoded.iter().flatten().any(|decoded| match decoded {
            Decoded {
                message: Message::Update(update),
                ..
            } => !update.announced.is_empty(),
            _ => true,
        });
        assert!(!faultless, "{name} decodes to {decoded:?}");
    }
}

/// As it is, with a header that fits, and as the body of each type.
fn try_every_way(bytes: &[u8]) {
    let internal = Codec {
        extended_messages: true,
        ..support::internal()
    };
    for codec in [
        Codec::initial(),
        support::external(),
        support::two_octet(),
        internal,
    ] {
        let _ = support::decode_all(bytes, &codec);
        let _ = support::decode_all(&with_header(bytes, bytes.len()), &codec);
        for message_type in 0..=6 {
            let body = bytes.get(19..).unwrap_or_default();
            let body = &body[..body.len().min(4000)];
            let _ = support::decode_all(&support::message(message_type, body), &codec);
        }
    }
}

/// With a right marker and length: what these inputs are wrong in lies deeper.
fn with_header(bytes: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some(header) = bytes.get_mut(..18) {
        header[..16].fill(0xff);
        header[16..].copy_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    }
    bytes
}
