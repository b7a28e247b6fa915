//! Message headers (RFC 4271 §6.1): marker, length, type, in every stage.

use crate::bytes::{
    KEEPALIVE, NOTIFICATION, OPEN, Parts, ROUTE_REFRESH, UPDATE, attribute, header, message, usual,
};
use crate::bytes::{OpenParts, nlri};
use crate::row::Outcome::{Alive, Announced, Closed, Notification};
use crate::row::{Outcome, Session, Stage};
use crate::rows::Rows;

const STAGES: [Stage; 3] = [
    Stage::OpenExpected,
    Stage::KeepaliveExpected,
    Stage::Established,
];
const NOT_SYNCHRONIZED: Outcome = Notification(1, 1);
const BAD_LENGTH: Outcome = Notification(1, 2);
const BAD_TYPE: Outcome = Notification(1, 3);

pub(crate) fn add(rows: &mut Rows) {
    markers(rows);
    lengths(rows);
    types(rows);
    extended(rows);
}

/// A message that is right in this stage.
fn right(stage: Stage) -> Vec<u8> {
    match stage {
        Stage::OpenExpected => OpenParts::of(&usual()).message(),
        Stage::KeepaliveExpected | Stage::Established => message(KEEPALIVE, &[]),
    }
}

fn markers(rows: &mut Rows) {
    for stage in STAGES {
        for octet in 0..16 {
            for value in [0x00, 0x7f, 0xfe] {
                let mut bytes = right(stage);
                if let Some(marker) = bytes.get_mut(octet) {
                    *marker = value;
                }
                rows.bytes(
                    format!("marker, octet {octet} is {value:#04x}"),
                    "RFC 4271 §6.1",
                    (Session::External, stage),
                    bytes,
                    &[NOT_SYNCHRONIZED],
                );
            }
        }
        for (length, message_type) in [(0, KEEPALIVE), (18, 0), (65_535, 255)] {
            let mut bytes = header(length, message_type, &[]);
            bytes[..16].fill(0);
            rows.bytes(
                format!("marker of zeros, length {length}, type {message_type}"),
                "RFC 4271 §6.1",
                (Session::External, stage),
                bytes,
                &[NOT_SYNCHRONIZED, BAD_LENGTH, BAD_TYPE],
            );
        }
    }
}

fn lengths(rows: &mut Rows) {
    for stage in STAGES {
        let at = (Session::External, stage);
        for length in 0..19 {
            for message_type in 1..=5 {
                rows.bytes(
                    format!("length {length} of type {message_type}"),
                    "RFC 4271 §6.1",
                    at,
                    header(length, message_type, &[0; 40]),
                    &[BAD_LENGTH],
                );
            }
        }
        for length in [4097, 4098, 5000, 16_384, 32_768, 65_534, 65_535] {
            for message_type in 1..=5 {
                rows.bytes(
                    format!("length {length} of type {message_type}"),
                    "RFC 4271 §6.1, RFC 8654 §5",
                    at,
                    header(length, message_type, &vec![0; length - 19]),
                    &[BAD_LENGTH],
                );
            }
        }
        for (message_type, minimum) in [(OPEN, 29), (UPDATE, 23)] {
            for length in 19..minimum {
                rows.bytes(
                    format!("length {length} of type {message_type}, less than its minimum"),
                    "RFC 4271 §6.1",
                    at,
                    header(length, message_type, &vec![0; length - 19]),
                    &[BAD_LENGTH],
                );
            }
        }
        for length in 19..21 {
            rows.bytes(
                format!("NOTIFICATION of {length} octets"),
                "RFC 4271 §6.1, §6.4",
                at,
                header(length, NOTIFICATION, &vec![6; length - 19]),
                &[BAD_LENGTH, Closed],
            );
        }
        for length in [20, 21, 23, 100, 4096] {
            rows.bytes(
                format!("KEEPALIVE of {length} octets"),
                "RFC 4271 §6.1",
                at,
                header(length, KEEPALIVE, &vec![0; length - 19]),
                &[BAD_LENGTH],
            );
        }
    }
    refreshes(rows);
}

/// RFC 2918 §3 has one length; RFC 7313 §5 has an error of its own for it.
fn refreshes(rows: &mut Rows) {
    for length in (19..40).filter(|length| *length != 23) {
        for subtype in [0, 1, 2, 3, 255] {
            let mut body = vec![0, 1, subtype, 1];
            body.resize(length - 19, 0);
            rows.bytes(
                format!("ROUTE-REFRESH of {length} octets, subtype {subtype}"),
                "RFC 7313 §5, RFC 4271 §6.1",
                (Session::External, Stage::Established),
                message(ROUTE_REFRESH, &body),
                &[BAD_LENGTH, Notification(7, 1), Alive],
            );
        }
    }
}

fn types(rows: &mut Rows) {
    for stage in STAGES {
        for message_type in (0..=255_u8).filter(|kind| !(1..=5).contains(kind)) {
            let body = vec![0; usize::from(message_type % 7)];
            rows.bytes(
                format!("type {message_type} with a body of {}", body.len()),
                "RFC 4271 §6.1",
                (Session::External, stage),
                message(message_type, &body),
                &[BAD_TYPE],
            );
        }
    }
}

/// RFC 8654: longer messages where both ends have said so, but for OPEN and
/// KEEPALIVE.
fn extended(rows: &mut Rows) {
    for (message_type, length) in [(OPEN, 4097), (OPEN, 65_535), (KEEPALIVE, 4097)] {
        rows.bytes(
            format!("length {length} of type {message_type}, extended"),
            "RFC 8654 §4",
            (Session::Extended, Stage::Established),
            header(length, message_type, &vec![0; length - 19]),
            &[BAD_LENGTH, Notification(5, 3)],
        );
    }
    for data in [4075, 4076, 4077, 60_000, 65_514] {
        rows.bytes(
            format!("NOTIFICATION with {data} octets of data, extended"),
            "RFC 8654 §4",
            (Session::Extended, Stage::Established),
            message(NOTIFICATION, &[&[6, 2][..], &vec![0x41; data]].concat()),
            &[Closed],
        );
    }
    for (session, longest) in [(Session::External, 4096), (Session::Extended, 65_535)] {
        for length in [longest, longest - 1, longest - 2] {
            let prefix = rows.next_v4();
            // An attribute that nobody knows fills it up.
            let good = Parts::good(prefix, session);
            let fill = length - good.message().len() - 4;
            let parts = good.with(attribute(0xc0, 200, &vec![7; fill]));
            rows.raw_update(
                format!("UPDATE of {length} octets"),
                "RFC 4271 §4.1, RFC 8654 §4",
                session,
                prefix,
                parts.message(),
                &[Announced],
            );
        }
        let prefix = rows.next_v4();
        let mut parts = Parts::good(prefix, session);
        parts.nlri = nlri(prefix).repeat((longest - parts.message().len()) / 4);
        rows.raw_update(
            format!("one prefix as often as {longest} octets hold it"),
            "RFC 4271 §4.3",
            session,
            prefix,
            parts.message(),
            &[Announced],
        );
    }
}
