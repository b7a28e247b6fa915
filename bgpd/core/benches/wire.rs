//! How long a whole recorded table takes to decode and to encode again.
//!
//! `cargo bench -p bgp-core --bench wire`

#![allow(clippy::unwrap_used)]
#![allow(
    clippy::disallowed_methods,
    reason = "a benchmark reads a file and a clock"
)]

use std::io::Read;
use std::time::{Duration, Instant};

use bgp_core::Family;
use bgp_core::wire::{self, Codec, Message, Prefixes};
use bytes::BytesMut;

const TABLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/data/updates.et-header.2015.gz"
);
const ROUNDS: usize = 10;

fn main() {
    let codec = Codec {
        four_octet_as: true,
        extended_messages: false,
        families: Family::ALL.into_iter().collect(),
        internal: true,
    };
    let stream = bgp_stream();
    let (mut decoding, mut encoding) = (Duration::MAX, Duration::MAX);
    let messages: Vec<Message> = decode(&stream, &codec).collect();
    let mut prefixes = 0;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        prefixes = decode(&stream, &codec)
            .map(|message| announced(&message))
            .sum();
        decoding = decoding.min(start.elapsed());

        let mut out = BytesMut::with_capacity(stream.len() * 2);
        let start = Instant::now();
        for message in &messages {
            wire::encode(message, &codec, &mut out).unwrap();
        }
        encoding = encoding.min(start.elapsed());
    }
    let a_million = |time: Duration| time.as_secs_f64() * 1e9 / prefixes as f64;
    println!("{prefixes} prefixes, best of {ROUNDS} rounds");
    println!(
        "decode {decoding:?}, {:.0} ms a million prefixes",
        a_million(decoding)
    );
    println!(
        "encode {encoding:?}, {:.0} ms a million prefixes",
        a_million(encoding)
    );
}

/// As a session does: kilobytes at a time from the socket, then what is whole.
fn decode(stream: &[u8], codec: &Codec) -> impl Iterator<Item = Message> {
    let mut buffer = BytesMut::new();
    let mut reads = stream.chunks(65_536);
    std::iter::from_fn(move || {
        loop {
            if let Some(frame) = wire::frame(&mut buffer, codec).unwrap() {
                return Some(wire::decode(&frame, codec).unwrap().message);
            }
            buffer.extend_from_slice(reads.next()?);
        }
    })
}

fn announced(message: &Message) -> usize {
    match message {
        Message::Update(update) => update
            .announced
            .iter()
            .map(|it| Prefixes::len(&it.prefixes))
            .sum(),
        _ => 0,
    }
}

/// The table's messages one after the other, out of their MRT records (RFC 6396).
fn bgp_stream() -> Vec<u8> {
    let mut file = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(TABLE).unwrap())
        .read_to_end(&mut file)
        .unwrap();
    let (mut stream, mut left) = (Vec::new(), &file[..]);
    while let Some((header, rest)) = left.split_first_chunk::<12>() {
        let [.., s0, s1, l0, l1, l2, l3] = *header;
        let (record, rest) =
            rest.split_at(u32::from_be_bytes([l0, l1, l2, l3]).try_into().unwrap());
        // BGP4MP_MESSAGE_AS4, its message after microseconds and the peer's header.
        if [s0, s1] == [0, 4] {
            stream.extend_from_slice(&record[24..]);
        }
        left = rest;
    }
    stream
}
