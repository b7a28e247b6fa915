//! A whole IPv4 table as one peer sent it in 2015: 577,706 prefixes, some of
//! them more than once.

use std::collections::BTreeMap;

use bgp_core::wire::{self, Announcement, Codec, Decoded, Message, Prefixes, Update};
use bytes::BytesMut;

use crate::support;

const TABLE: &str = "updates.et-header.2015.gz";

#[test]
fn a_real_table_decodes_but_for_what_is_wrong_in_it() {
    let (mut updates, mut announced, mut faults) = (0, 0, BTreeMap::new());
    for Decoded { message, malformed } in messages() {
        let Message::Update(update) = message else {
            continue;
        };
        updates += 1;
        announced += prefixes(&update).map(Prefixes::len).sum::<usize>();
        for fault in malformed {
            *faults.entry(fault.to_string()).or_insert(0) += 1;
        }
    }
    let wrong = [
        ("AGGREGATOR: AS 0 (attribute discarded)".to_owned(), 3),
        (
            "AS_PATH: AS 0 in the path (treated as withdrawal)".to_owned(),
            1,
        ),
        ("prefixes that no host can be in (ignored)".to_owned(), 1),
    ];
    // `bgpdump` counts 577,737 announcements: four go with AS 0 (RFC 7607), one is
    // 0.0.0.0/32.
    assert_eq!(
        (updates, announced, faults),
        (89_679, 577_732, BTreeMap::from(wrong))
    );
}

#[test]
fn a_real_table_is_the_same_after_encoding_and_decoding() {
    let two_octet = Codec {
        internal: true,
        ..support::two_octet()
    };
    for codec in [support::internal(), two_octet] {
        for update in updates() {
            let bytes = support::encode(&Message::Update(update.clone()), &codec);
            assert_eq!(merged(&bytes, &codec), update);
        }
    }
}

#[test]
fn a_real_table_fits_its_messages_again_when_packed_by_attributes() {
    let mut out = BytesMut::new();
    let codec = support::internal();
    for Announcement {
        attributes,
        prefixes,
    } in updates().flat_map(|update| update.announced)
    {
        out.clear();
        let messages = wire::encode_announcement(&attributes, &prefixes, &codec, &mut out).unwrap();
        assert_eq!(messages, 1);
    }
}

fn messages() -> impl Iterator<Item = Decoded> {
    let codec = support::internal();
    let messages = mrt_messages(&support::gunzip(TABLE)).into_iter();
    messages.map(move |bytes| support::decode(&bytes, &codec).unwrap())
}

fn updates() -> impl Iterator<Item = Update> {
    messages().filter_map(|decoded| match decoded.message {
        Message::Update(update) => Some(update),
        _ => None,
    })
}

fn prefixes(update: &Update) -> impl Iterator<Item = &Prefixes> {
    update
        .announced
        .iter()
        .map(|announcement| &announcement.prefixes)
}

fn merged(bytes: &[u8], codec: &Codec) -> Update {
    let mut whole = Update::default();
    for decoded in support::decode_all(bytes, codec).unwrap() {
        let Message::Update(update) = decoded.message else {
            panic!("not an UPDATE")
        };
        whole.withdrawn.extend(update.withdrawn);
        whole.announced.extend(update.announced);
        whole.end_of_rib = whole.end_of_rib.or(update.end_of_rib);
    }
    whole
}

/// The BGP messages of an MRT file (RFC 6396 §2, §3, §4.4): records of type
/// BGP4MP_ET, from four-octet peers over IPv4.
fn mrt_messages(mut file: &[u8]) -> Vec<Vec<u8>> {
    const BGP4MP_ET: u16 = 17;
    const MESSAGE_AS4: u16 = 4;
    // After the common header: microseconds, two ASNs, interface, family, two
    // addresses.
    const BEFORE_MESSAGE: usize = 4 + 8 + 2 + 2 + 8;
    let mut messages = Vec::new();
    while let Some((header, rest)) = file.split_first_chunk::<12>() {
        let [_, _, _, _, t0, t1, s0, s1, length @ ..] = *header;
        let (record, rest) = rest.split_at(u32::from_be_bytes(length).try_into().unwrap());
        if (u16::from_be_bytes([t0, t1]), u16::from_be_bytes([s0, s1])) == (BGP4MP_ET, MESSAGE_AS4)
        {
            messages.push(record[BEFORE_MESSAGE..].to_vec());
        }
        file = rest;
    }
    messages
}
