//! Lengths within an UPDATE that lie (RFC 4271 §6.3, RFC 7606 §3 (a), §4, §5.2).

use crate::bytes::{
    CARRIED, EXTENDED_LENGTH, MED, OPTIONAL, Parts, UPDATE, WELL_KNOWN, attribute, length_of,
    long_attribute, message,
};
use crate::row::Outcome::{Alive, Announced, Notification, Withdrawn};
use crate::row::{Outcome, Session, Stage};
use crate::rows::Rows;

const MALFORMED_LIST: Outcome = Notification(3, 1);
/// What RFC 7606 §3 (j) leaves open for prefixes that can't be found.
pub(crate) const LOST_PREFIXES: [Outcome; 5] = [
    Notification(3, 1),
    Notification(3, 5),
    Notification(3, 8),
    Notification(3, 9),
    Notification(3, 10),
];

pub(crate) fn add(rows: &mut Rows) {
    outer_lengths(rows);
    leftovers(rows);
    overruns(rows);
    shifts(rows);
    extended_lengths(rows);
    without_prefixes(rows);
}

/// RFC 7606 §3 (a).
fn outer_lengths(rows: &mut Rows) {
    let at = (Session::External, Stage::Established);
    let good = Parts::good(rows.next_v4(), Session::External);
    let attributes = good.attributes.concat();
    let right = attributes.len();
    for excess in [1, 2, 3, 100, 4000, 65_535 - right - good.nlri.len()] {
        let body = [
            &[0, 0][..],
            &length_of(right + good.nlri.len() + excess),
            &attributes,
            &good.nlri,
        ]
        .concat();
        rows.bytes(
            format!("attributes' length {excess} beyond the message"),
            "RFC 7606 §3 (a)",
            at,
            message(UPDATE, &body),
            &[MALFORMED_LIST],
        );
    }
    for beyond in [1, 2, 3, 5, 65_000] {
        let rest = right + 2 + good.nlri.len();
        let body = [
            &length_of(rest - 2 + beyond)[..],
            &length_of(right),
            &attributes,
            &good.nlri,
        ]
        .concat();
        rows.bytes(
            format!(
                "withdrawn length leaves {} octets less than the attributes' length needs",
                beyond
            ),
            "RFC 7606 §3 (a)",
            at,
            message(UPDATE, &body),
            &[MALFORMED_LIST, Notification(3, 10)],
        );
    }
    for length in [1, 2, 4, 255, 65_535] {
        let body = [&length_of(length)[..], &[0, 0]].concat();
        rows.bytes(
            format!("withdrawn length {length} in an UPDATE of 23 octets"),
            "RFC 7606 §3 (a)",
            at,
            message(UPDATE, &body),
            &[MALFORMED_LIST],
        );
        let body = [&[0, 0][..], &length_of(length)].concat();
        rows.bytes(
            format!("attributes' length {length} in an UPDATE of 23 octets"),
            "RFC 7606 §3 (a)",
            at,
            message(UPDATE, &body),
            &[MALFORMED_LIST],
        );
    }
}

/// RFC 7606 §4, second case: fewer octets than an attribute has at least.
fn leftovers(rows: &mut Rows) {
    for code in [0, 1, 2, 3, 4, 8, 14, 15, 16, 32, 99, 255] {
        for flags in [
            0x00,
            WELL_KNOWN,
            OPTIONAL,
            CARRIED,
            0xe0,
            CARRIED | EXTENDED_LENGTH,
            0xff,
        ] {
            let mut kinds = vec![vec![flags], vec![flags, code]];
            if flags & EXTENDED_LENGTH != 0 {
                kinds.push(vec![flags, code, 0]);
                kinds.push(vec![flags, code, 255]);
            }
            for left in kinds {
                let name = format!("{left:02x?} left after the attributes");
                rows.update(
                    name,
                    "RFC 7606 §4",
                    Session::External,
                    |parts| parts.with(left),
                    &[Withdrawn],
                );
            }
        }
    }
    for left in [vec![0x40], vec![0x40, 1], vec![0x50, 1, 0]] {
        let name = format!("{left:02x?} left after the attributes, IPv6");
        rows.update_v6(
            name,
            "RFC 7606 §4",
            Session::External,
            |parts, _| parts.with(left),
            &[Withdrawn],
        );
    }
}

/// RFC 7606 §4, first case: the last attribute is longer than all of them.
fn overruns(rows: &mut Rows) {
    for code in [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14, 15, 16, 17, 18, 23, 25, 26, 29, 32, 33, 35, 40, 99,
        128, 254, 255,
    ] {
        for there in [0_usize, 1, 4, 30] {
            for beyond in [1, 2, 4, 100, 200] {
                let length = there + beyond;
                let short = [
                    vec![CARRIED, code, u8::try_from(length).unwrap_or(255)],
                    vec![1; there],
                ]
                .concat();
                let [high, low] = length_of(length);
                let long = [
                    vec![CARRIED | EXTENDED_LENGTH, code, high, low],
                    vec![1; there],
                ]
                .concat();
                // A multiprotocol attribute's prefixes are lost.
                let permitted: Vec<Outcome> = match code {
                    14 | 15 => [&[Withdrawn], LOST_PREFIXES.as_slice()].concat(),
                    _ => vec![Withdrawn],
                };
                for (kind, overrun) in [("", short), (", extended", long)] {
                    // One that is there already is sent twice besides.
                    let name =
                        format!("attribute {code} of {length} octets, {there} of them there{kind}");
                    rows.update(
                        name,
                        "RFC 7606 §4",
                        Session::External,
                        |parts| parts.without(code).with(overrun),
                        &permitted,
                    );
                }
            }
        }
        let name = format!("attribute {code} of 65535 octets");
        let permitted: Vec<Outcome> = match code {
            14 | 15 => [&[Withdrawn], LOST_PREFIXES.as_slice()].concat(),
            _ => vec![Withdrawn],
        };
        rows.update(
            name,
            "RFC 7606 §4",
            Session::External,
            |parts| parts.with(vec![CARRIED | EXTENDED_LENGTH, code, 255, 255]),
            &permitted,
        );
    }
}

/// An attribute that says it is longer or shorter than it is: everything after
/// it is read at the wrong place.
fn shifts(rows: &mut Rows) {
    let optional = || {
        vec![
            attribute(OPTIONAL, MED, &7_u32.to_be_bytes()),
            attribute(CARRIED, 8, &[0, 1, 0, 2, 0, 3, 0, 4]),
            attribute(CARRIED, 32, &[0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]),
            attribute(CARRIED, 16, &[0, 2, 0, 1, 0, 0, 0, 2]),
        ]
    };
    for which in 0..7 {
        for shift in (-13..=40).filter(|shift| *shift != 0) {
            let prefix = rows.next_v4();
            let mut parts = Parts::good(prefix, Session::External);
            parts.attributes.extend(optional());
            let Some(octet) = parts
                .attributes
                .get_mut(which)
                .and_then(|attribute| attribute.get_mut(2))
            else {
                continue;
            };
            let Ok(length) = u8::try_from(i16::from(*octet) + shift) else {
                continue;
            };
            *octet = length;
            let permitted = after_shift(&parts.attributes.concat());
            let name = format!("the length of attribute number {which} is {shift:+}");
            rows.raw_update(
                name,
                "RFC 7606 §4",
                Session::External,
                prefix,
                parts.message(),
                &permitted,
            );
        }
    }
}

/// Reads the attributes as RFC 4271 §4.3 has them, to see what they became.
fn after_shift(mut octets: &[u8]) -> Vec<Outcome> {
    let mut permitted = vec![Withdrawn];
    while let [flags, code, rest @ ..] = octets {
        let (length, rest) = match rest {
            [high, low, rest @ ..] if flags & EXTENDED_LENGTH != 0 => {
                (usize::from(*high) << 8 | usize::from(*low), rest)
            }
            [length, rest @ ..] if flags & EXTENDED_LENGTH == 0 => (usize::from(*length), rest),
            _ => break,
        };
        match code {
            14 | 15 => permitted.extend(LOST_PREFIXES),
            // Well-known and unknown ends the session (RFC 4271 §6.3).
            0 | 11.. if flags & OPTIONAL == 0 => permitted.push(Notification(3, 2)),
            _ => {}
        }
        match rest.get(length..) {
            Some(rest) => octets = rest,
            None => break,
        }
    }
    // What is left out by chance may not have been needed.
    permitted.push(Announced);
    permitted
}

fn extended_lengths(rows: &mut Rows) {
    // RFC 4271 §4.3: the flag may be set whatever the length.
    for (code, flags, value) in [
        (1, WELL_KNOWN, vec![0]),
        (3, WELL_KNOWN, crate::bytes::NEXT_HOP.to_vec()),
        (4, OPTIONAL, vec![0, 0, 0, 7]),
        (6, WELL_KNOWN, vec![]),
        (8, CARRIED, vec![0, 1, 0, 2]),
        (16, CARRIED, vec![0, 2, 0, 1, 0, 0, 0, 2]),
        (32, CARRIED, vec![0; 12]),
        (99, CARRIED, vec![]),
        (99, CARRIED, vec![1, 2, 3]),
    ] {
        let name = format!(
            "attribute {code} of {} octets with a length of two octets",
            value.len()
        );
        let long = long_attribute(flags, code, &value);
        rows.update(
            name,
            "RFC 4271 §4.3",
            Session::External,
            |parts| parts.replace(code, long),
            &[Announced],
        );
        // The flag without the second octet: the length is read from the value.
        let length = u8::try_from(value.len()).unwrap_or(255);
        let lying = [&[flags | EXTENDED_LENGTH, code, length], value.as_slice()].concat();
        let name = format!(
            "attribute {code} of {} octets, flagged extended with one octet of length",
            value.len()
        );
        let rest_too_short = length > 0;
        let permitted: &[Outcome] = if rest_too_short {
            &[Withdrawn]
        } else {
            &[Withdrawn, Announced]
        };
        rows.update(
            name,
            "RFC 7606 §4",
            Session::External,
            |parts| parts.without(code).with(lying),
            permitted,
        );
    }
    for octets in [255, 256, 1000, 3000] {
        let large = attribute(CARRIED, 99, &vec![9; octets]);
        rows.update(
            format!("an unknown attribute of {octets} octets"),
            "RFC 4271 §5",
            Session::External,
            |parts| parts.with(large),
            &[Announced],
        );
        let communities = attribute(CARRIED, 8, &vec![9; octets / 4 * 4]);
        rows.update(
            format!("communities of {octets} octets"),
            "RFC 1997",
            Session::External,
            |parts| parts.with(communities),
            &[Announced],
        );
    }
}

/// RFC 7606 §5.2: attributes without prefixes.
fn without_prefixes(rows: &mut Rows) {
    let at = (Session::External, Stage::Established);
    let good = || Parts {
        nlri: vec![],
        ..Parts::good(crate::bytes::ANY, Session::External)
    };
    rows.bytes(
        "attributes without prefixes",
        "RFC 4271 §6.3",
        at,
        good().message(),
        &[Alive],
    );
    for (name, discarded) in [
        ("AGGREGATOR of 5 octets", attribute(CARRIED, 7, &[0; 5])),
        (
            "ATOMIC_AGGREGATE of 1 octet",
            attribute(WELL_KNOWN, 6, &[0]),
        ),
        ("AS4_PATH", attribute(CARRIED, 17, &[1])),
        ("LOCAL_PREF from outside", attribute(WELL_KNOWN, 5, &[0; 4])),
        ("ORIGIN twice", attribute(WELL_KNOWN, 1, &[0])),
    ] {
        let parts = good().with(discarded);
        rows.bytes(
            format!("no prefixes, and {name}"),
            "RFC 7606 §5.2: discarded",
            at,
            parts.message(),
            &[Alive],
        );
    }
    for (name, code, wrong) in [
        ("ORIGIN of 2 octets", 1, attribute(WELL_KNOWN, 1, &[0, 0])),
        ("ORIGIN 3", 1, attribute(WELL_KNOWN, 1, &[3])),
        ("a lone octet in AS_PATH", 2, attribute(WELL_KNOWN, 2, &[2])),
        (
            "NEXT_HOP of 3 octets",
            3,
            attribute(WELL_KNOWN, 3, &[1, 2, 3]),
        ),
        ("MED of 3 octets", 4, attribute(OPTIONAL, 4, &[1, 2, 3])),
        ("communities of 5 octets", 8, attribute(CARRIED, 8, &[0; 5])),
        ("one octet left", 99, vec![0x40]),
    ] {
        let parts = good().replace(code, wrong);
        rows.bytes(
            format!("no prefixes, and {name}"),
            "RFC 7606 §5.2: session reset",
            at,
            parts.message(),
            &[
                MALFORMED_LIST,
                Notification(3, 0),
                Notification(3, 5),
                Notification(3, 6),
                Notification(3, 9),
                Notification(3, 11),
            ],
        );
    }
    // Missing attributes are only missed where there are prefixes.
    for code in [1, 2, 3] {
        rows.bytes(
            format!("no prefixes, and no attribute {code}"),
            "RFC 4271 §6.3",
            at,
            good().without(code).message(),
            &[Alive],
        );
    }
}
