//! What the tests share: hex, sessions, recorded data.

use std::io::Read;
use std::path::PathBuf;

use bgp_core::Family;
use bgp_core::wire::{self, Codec, Decoded, Message, Notification, Update};
use bytes::BytesMut;

/// A session with an external four-octet speaker that carries both families.
pub(crate) fn external() -> Codec {
    Codec {
        four_octet_as: true,
        extended_messages: false,
        families: Family::ALL.into_iter().collect(),
        internal: false,
    }
}

pub(crate) fn internal() -> Codec {
    Codec {
        internal: true,
        ..external()
    }
}

pub(crate) fn ipv4_only() -> Codec {
    Codec {
        families: [Family::Ipv4].into_iter().collect(),
        ..external()
    }
}

pub(crate) fn two_octet() -> Codec {
    Codec {
        four_octet_as: false,
        ..external()
    }
}

/// Spaces and colons may part the digits.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    assert_eq!(digits.len() % 2, 0, "an odd number of digits in {text}");
    let octet = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(octet).collect()
}

/// A whole message around `body`.
pub(crate) fn message(message_type: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 19).unwrap();
    [
        &[0xff; 16][..],
        &length.to_be_bytes(),
        &[message_type],
        body,
    ]
    .concat()
}

/// An UPDATE from its three parts.
pub(crate) fn update(withdrawn: &[u8], attributes: &[u8], nlri: &[u8]) -> Vec<u8> {
    let length = |part: &[u8]| u16::try_from(part.len()).unwrap().to_be_bytes();
    let (before, between) = (length(withdrawn), length(attributes));
    message(
        2,
        &[&before[..], withdrawn, &between, attributes, nlri].concat(),
    )
}

/// Every message in `bytes`, up to the first that is fatal; a rest that is not
/// a whole message is left out.
pub(crate) fn decode_all(bytes: &[u8], codec: &Codec) -> Result<Vec<Decoded>, Notification> {
    let mut buffer = BytesMut::from(bytes);
    let mut messages = Vec::new();
    while let Some(frame) = wire::frame(&mut buffer, codec)? {
        messages.push(wire::decode(&frame, codec)?);
    }
    Ok(messages)
}

/// Exactly one message.
pub(crate) fn decode(bytes: &[u8], codec: &Codec) -> Result<Decoded, Notification> {
    let mut messages = decode_all(bytes, codec)?;
    assert_eq!(messages.len(), 1, "not exactly one message");
    Ok(messages.remove(0))
}

/// Exactly one UPDATE, without fault.
pub(crate) fn clean_update(bytes: &[u8], codec: &Codec) -> Update {
    match decode(bytes, codec).unwrap() {
        Decoded {
            message: Message::Update(update),
            malformed,
        } if malformed.is_empty() => update,
        other => panic!("not a faultless UPDATE: {other:?}"),
    }
}

pub(crate) fn encode(message: &Message, codec: &Codec) -> Vec<u8> {
    let mut out = BytesMut::new();
    wire::encode(message, codec, &mut out).unwrap();
    out.to_vec()
}

pub(crate) fn path(name: &str) -> PathBuf {
    [
        env!("CARGO_MANIFEST_DIR"),
        "..",
        "..",
        "tests",
        "data",
        name,
    ]
    .iter()
    .collect()
}

pub(crate) fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap()
}

pub(crate) fn gunzip(name: &str) -> Vec<u8> {
    let mut data = Vec::new();
    let file = std::fs::File::open(path(name)).unwrap();
    flate2::read::GzDecoder::new(file)
        .read_to_end(&mut data)
        .unwrap();
    data
}

/// The files of a folder, by name.
pub(crate) fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(path(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    let mut files: Vec<_> = entries
        .map(|path| (name(&path), std::fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}
