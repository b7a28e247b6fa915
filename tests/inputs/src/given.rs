//! The recorded rows and messages of `tests/data`.

use std::fs;
use std::io::{self, Read};

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::row::{Outcome, Row, Session, Stage};

/// Every row of the two corpora with an expected outcome.
pub fn recorded() -> io::Result<Vec<Row>> {
    let mut rows = vec![];
    for file in ["bad-inputs.jsonl", "frr-rfc7606-cases.jsonl"] {
        for line in fs::read_to_string(crate::data(file))?.lines() {
            let value: Value = serde_json::from_str(line)?;
            rows.push(row(&value).ok_or_else(|| malformed(file, line))?);
        }
    }
    Ok(rows)
}

/// Other fuzzers' seeds: whole messages more or less.
pub fn seeds() -> io::Result<Vec<Vec<u8>>> {
    let lines = hex_lines("fuzz-corpi/messages.txt.gz")?;
    Ok(lines.into_iter().map(|(_, octets)| octets).collect())
}

/// What went over TCP in captures that once broke a decoder: one direction of
/// one connection each, with its file's name.
pub fn captured() -> io::Result<Vec<(String, Vec<u8>)>> {
    hex_lines("tcpdump-pcaps/streams.txt.gz")
}

/// The UPDATEs of a real table as one peer sent it: 577,706 prefixes.
pub fn table() -> io::Result<Vec<Vec<u8>>> {
    let mut records = vec![];
    let file = fs::File::open(crate::data("updates.et-header.2015.gz"))?;
    GzDecoder::new(file).read_to_end(&mut records)?;
    let (mut updates, mut left) = (vec![], records.as_slice());
    // RFC 6396 §2: a time, a type, a subtype, the length of what follows.
    while let Some((&[.., s0, s1, l0, l1, l2, l3], rest)) = left.split_first_chunk::<12>() {
        let length = usize::try_from(u32::from_be_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
        let Some((record, rest)) = rest.split_at_checked(length) else {
            break;
        };
        // BGP4MP_MESSAGE_AS4: microseconds and the peer's header before the message,
        // whose type is after its marker and length.
        if let ([0, 4], Some(message)) = ([s0, s1], record.get(24..))
            && message.get(18) == Some(&crate::bytes::UPDATE)
        {
            updates.push(message.to_vec());
        }
        left = rest;
    }
    Ok(updates)
}

/// Hex, two spaces, a name.
fn hex_lines(file: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut text = String::new();
    GzDecoder::new(fs::File::open(crate::data(file))?).read_to_string(&mut text)?;
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            line.split_once("  ")
                .and_then(|(octets, name)| Some((name.to_owned(), hex(octets)?)))
                .ok_or_else(|| malformed(file, line))
        })
        .collect()
}

fn malformed(file: &str, line: &str) -> io::Error {
    io::Error::other(format!("{file}: {}", line.get(..100).unwrap_or(line)))
}

fn row(value: &Value) -> Option<Row> {
    let name = value["name"].as_str()?;
    let mut permitted = vec![];
    match OTHERWISE.iter().find(|(row, ..)| *row == name) {
        Some((_, outcome, _)) => permitted.push(*outcome),
        None => {
            let also = value["also_ok"].as_array().into_iter().flatten();
            for outcome in std::iter::once(&value["expected"]).chain(also) {
                permitted.extend(outcomes(outcome.as_str()?)?);
            }
        }
    }
    let needs = value["needs"].as_array().into_iter().flatten();
    let ipv6 = needs.into_iter().any(|need| need == "ipv6-unicast");
    Some(Row {
        name: name.to_owned(),
        rule: value["spec"].as_str().unwrap_or("its source").to_owned(),
        session: if ipv6 {
            Session::External
        } else {
            Session::ExternalIpv4
        },
        stage: match value["phase"].as_str()? {
            "open" => Stage::OpenExpected,
            "established" => Stage::Established,
            _ => return None,
        },
        bytes: hex(value["hex"].as_str()?)?,
        permitted,
        prefix: match value["prefix"].as_str() {
            Some(prefix) => Some(prefix.parse().ok()?),
            None => None,
        },
    })
}

fn outcomes(text: &str) -> Option<Vec<Outcome>> {
    Some(match text {
        "accept" | "attribute-discard" => vec![Outcome::Announced],
        "treat-as-withdraw" => vec![Outcome::Withdrawn],
        // An attribute, a prefix, or all of it.
        "ignore" => vec![Outcome::Announced, Outcome::Untouched],
        "session-close" => vec![Outcome::Closed],
        // Nothing here disables one family alone.
        "afi-safi-disable" => vec![],
        _ => {
            let (code, subcode) = text.strip_prefix("session-reset ")?.split_once('/')?;
            vec![Outcome::Notification(
                code.parse().ok()?,
                subcode.parse().ok()?,
            )]
        }
    })
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let octet = |place| u8::from_str_radix(text.get(place..place + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(octet).collect()
}

/// Rows whose expectation is their maker's choice: what an RFC asks for instead.
const OTHERWISE: &[(&str, Outcome, &str)] = &[
    (
        "frr-origin-flag-partial",
        Outcome::Announced,
        "RFC 7606 §3 (c) names Optional and Transitive only",
    ),
    (
        "frr-aspath-flag-partial",
        Outcome::Announced,
        "RFC 7606 §3 (c) names Optional and Transitive only",
    ),
    (
        "frr-as4path-flag-nontrans",
        Outcome::AnnouncedWithout(17),
        "RFC 6793 §4.1: discarded, whatever it is",
    ),
    (
        "frr-as4path-seg-type-0",
        Outcome::AnnouncedWithout(17),
        "RFC 6793 §4.1: discarded, whatever it is",
    ),
    (
        "frr-pmsi-flag-nontrans",
        Outcome::AnnouncedWithout(22),
        "RFC 4271 §9: unknown here, not transitive",
    ),
    (
        "frr-pmsi-len-4",
        Outcome::Announced,
        "RFC 4271 §5: unknown here",
    ),
    (
        "frr-pmsi-type-8",
        Outcome::Announced,
        "RFC 4271 §5: unknown here",
    ),
    (
        "frr-pmsi-type-255",
        Outcome::Announced,
        "RFC 4271 §5: unknown here",
    ),
    (
        "frr-pmsi-ingress-repl-len-10",
        Outcome::Announced,
        "RFC 4271 §5: unknown here",
    ),
    (
        "frr-encap-flag-nontrans",
        Outcome::AnnouncedWithout(23),
        "RFC 4271 §9: unknown here, not transitive",
    ),
    (
        "frr-encap-len-3",
        Outcome::Announced,
        "RFC 4271 §5: unknown here",
    ),
    (
        "frr-encap-outer-len-mismatch",
        Outcome::Announced,
        "RFC 4271 §5: unknown here",
    ),
    (
        "frr-encap-subtlv-overrun",
        Outcome::Announced,
        "RFC 4271 §5: unknown here",
    ),
    (
        "frr-nhc-bad-afi-safi",
        Outcome::Announced,
        "RFC 4271 §5: unknown here",
    ),
    (
        "frr-nhc-tlv-overrun",
        Outcome::Announced,
        "RFC 4271 §5: unknown here",
    ),
    (
        "frr-unknown-fe-transitive",
        Outcome::Announced,
        "RFC 4271 §5",
    ),
];
