//! OPENs (RFC 4271 §6.2, 5492, 6286, 6793, 7607, 9072).

use crate::bytes::{
    OpenParts, PEER_AS, SPEAKER_AS, capability, four_octet_as, message, multiprotocol, parameters,
    usual,
};
use crate::row::Outcome::{Alive, Notification};
use crate::row::{Outcome, Session, Stage};
use crate::rows::Rows;

const UNSPECIFIC: Outcome = Notification(2, 0);
const BAD_PEER_AS: Outcome = Notification(2, 2);
const BAD_IDENTIFIER: Outcome = Notification(2, 3);
const UNSUPPORTED_PARAMETER: Outcome = Notification(2, 4);
const BAD_HOLD_TIME: Outcome = Notification(2, 6);
const UNSUPPORTED_CAPABILITY: Outcome = Notification(2, 7);
const BAD_LENGTH: Outcome = Notification(1, 2);

pub(crate) fn add(rows: &mut Rows) {
    fixed_fields(rows);
    as_numbers(rows);
    lengths_of_parameters(rows);
    kinds_of_parameters(rows);
    extended_parameters(rows);
    lengths_of_capabilities(rows);
    known_capabilities(rows);
    odd_families(rows);
    many(rows);
}

fn row(rows: &mut Rows, name: String, rule: &str, bytes: Vec<u8>, permitted: &[Outcome]) {
    let at = (Session::External, Stage::OpenExpected);
    rows.bytes(name, rule, at, bytes, permitted);
}

fn fixed_fields(rows: &mut Rows) {
    let good = OpenParts::of(&usual());
    for version in (0..=255).filter(|version| *version != 4) {
        let open = OpenParts {
            version,
            ..good.clone()
        };
        let name = format!("OPEN, version {version}");
        row(
            rows,
            name,
            "RFC 4271 §6.2",
            open.message(),
            &[Notification(2, 1)],
        );
    }
    for hold_time in [1, 2] {
        let open = OpenParts {
            hold_time,
            ..good.clone()
        };
        let name = format!("OPEN, hold time {hold_time}");
        row(
            rows,
            name,
            "RFC 4271 §6.2",
            open.message(),
            &[BAD_HOLD_TIME],
        );
    }
    for hold_time in [0, 3, 4, 65_535] {
        let open = OpenParts {
            hold_time,
            ..good.clone()
        };
        let name = format!("OPEN, hold time {hold_time}");
        // Any may be refused.
        row(
            rows,
            name,
            "RFC 4271 §6.2",
            open.message(),
            &[Alive, BAD_HOLD_TIME],
        );
    }
    let zero = OpenParts {
        router_id: [0; 4],
        ..good.clone()
    };
    row(
        rows,
        "OPEN, identifier 0".into(),
        "RFC 6286 §2.2",
        zero.message(),
        &[BAD_IDENTIFIER],
    );
    for router_id in [
        [0, 0, 0, 1],
        [127, 0, 0, 1],
        [224, 0, 0, 1],
        [255; 4],
        [169, 254, 255, 2],
    ] {
        let open = OpenParts {
            router_id,
            ..good.clone()
        };
        // RFC 6286 §2.1: any number but 0; RFC 4271 §6.2 wanted a host's address.
        let name = format!("OPEN, identifier {router_id:?}");
        row(
            rows,
            name,
            "RFC 6286 §2.1",
            open.message(),
            &[Alive, BAD_IDENTIFIER],
        );
    }
}

fn as_numbers(rows: &mut Rows) {
    for my_as in [0, 1, 23_456, 65_010, 65_535] {
        let open = OpenParts {
            my_as,
            ..OpenParts::of(&[multiprotocol(1, 1), capability(2, &[])])
        };
        let name = format!("OPEN, My AS {my_as} and no four-octet AS");
        row(
            rows,
            name,
            "RFC 4271 §6.2, RFC 7607 §2",
            open.message(),
            &[BAD_PEER_AS],
        );
    }
    for asn in [0, 1, 23_456, SPEAKER_AS, 65_536, 4_200_000_000, u32::MAX] {
        for my_as in [7224, 23_456] {
            let open = OpenParts {
                my_as,
                ..OpenParts::of(&[multiprotocol(1, 1), four_octet_as(asn)])
            };
            let name = format!("OPEN, My AS {my_as}, four-octet AS {asn}");
            row(
                rows,
                name,
                "RFC 6793 §4.1, RFC 7607 §2",
                open.message(),
                &[BAD_PEER_AS],
            );
        }
    }
    let trans = OpenParts {
        my_as: 23_456,
        ..OpenParts::of(&usual())
    };
    row(
        rows,
        "OPEN, My AS is AS_TRANS, the four-octet AS ours".into(),
        "RFC 6793 §4.2.3",
        trans.message(),
        &[Alive],
    );
    for my_as in [0, 1, 65_535] {
        let open = OpenParts {
            my_as,
            ..OpenParts::of(&usual())
        };
        let name = format!("OPEN, My AS {my_as} beside the right four-octet AS");
        row(
            rows,
            name,
            "RFC 6793 §4.1: the capability counts",
            open.message(),
            &[Alive, BAD_PEER_AS],
        );
    }
    for length in (0..12).filter(|length| *length != 4) {
        let value = [0, 0, 0x1c, 0x38, 0, 0, 0x1c, 0x38, 0, 0, 0, 0];
        let capabilities = [multiprotocol(1, 1), capability(65, &value[..length])];
        let name = format!("OPEN, four-octet AS of {length} octets");
        row(
            rows,
            name,
            "RFC 5492 §3, RFC 6793 §3",
            OpenParts::of(&capabilities).message(),
            &[UNSPECIFIC, Alive],
        );
    }
    let twice = [
        multiprotocol(1, 1),
        four_octet_as(PEER_AS),
        four_octet_as(PEER_AS),
    ];
    row(
        rows,
        "OPEN, the four-octet AS twice".into(),
        "RFC 5492 §4",
        OpenParts::of(&twice).message(),
        &[Alive],
    );
    let differing = [
        multiprotocol(1, 1),
        four_octet_as(PEER_AS),
        four_octet_as(PEER_AS + 1),
    ];
    row(
        rows,
        "OPEN, two four-octet AS that differ".into(),
        "RFC 5492 §4",
        OpenParts::of(&differing).message(),
        &[Alive, BAD_PEER_AS, UNSPECIFIC],
    );
}

/// The length of all of them, too large and too small by every number of octets.
fn lengths_of_parameters(rows: &mut Rows) {
    let good = OpenParts::of(&usual());
    let right = good.parameters[0];
    for wrong in (0..=254_u8).filter(|wrong| *wrong != right) {
        let mut open = good.clone();
        open.parameters[0] = wrong;
        let permitted: &[Outcome] = match wrong {
            // What follows the parameters is not said to be anything.
            0 => &[UNSPECIFIC, BAD_LENGTH, Alive],
            _ if wrong < right => &[UNSPECIFIC, UNSUPPORTED_PARAMETER, BAD_LENGTH, Alive],
            _ => &[UNSPECIFIC, BAD_LENGTH],
        };
        let name = format!("OPEN, parameters of {wrong} octets where there are {right}");
        row(rows, name, "RFC 4271 §6.2", open.message(), permitted);
    }
    for kept in 1..good.parameters.len() {
        let mut open = good.clone();
        open.parameters.truncate(kept);
        let name = format!("OPEN, cut after {kept} octets of parameters");
        row(
            rows,
            name,
            "RFC 4271 §6.2",
            open.message(),
            &[UNSPECIFIC, BAD_LENGTH],
        );
    }
    // One parameter's length, with the outer one as it is.
    for wrong in (0..=255_u8).filter(|wrong| *wrong != right - 2) {
        let mut open = good.clone();
        open.parameters[2] = wrong;
        let permitted: &[Outcome] = if wrong > right - 2 {
            &[UNSPECIFIC]
        } else {
            // What is left over is read as another parameter.
            &[UNSPECIFIC, UNSUPPORTED_PARAMETER]
        };
        let name = format!(
            "OPEN, a parameter of {wrong} octets where there are {}",
            right - 2
        );
        row(rows, name, "RFC 4271 §6.2", open.message(), permitted);
    }
    for left in 1..2 {
        let mut open = good.clone();
        open.parameters[0] += left;
        open.parameters.extend(vec![2; usize::from(left)]);
        let name = format!("OPEN, {left} octet left after the last parameter");
        row(rows, name, "RFC 4271 §6.2", open.message(), &[UNSPECIFIC]);
    }
}

fn kinds_of_parameters(rows: &mut Rows) {
    let good = usual().concat();
    for kind in (0..255).filter(|kind| *kind != 2) {
        for value in [vec![], vec![0; 3]] {
            for before in [false, true] {
                let mut list = vec![(2, good.clone())];
                list.insert(usize::from(!before), (kind, value.clone()));
                let open = OpenParts {
                    parameters: parameters(&list),
                    ..OpenParts::of(&[])
                };
                let place = if before { "before" } else { "after" };
                let name = format!(
                    "OPEN, a parameter of type {kind} with {} octets {place} the capabilities",
                    value.len()
                );
                row(
                    rows,
                    name,
                    "RFC 4271 §6.2",
                    open.message(),
                    &[UNSUPPORTED_PARAMETER],
                );
            }
        }
    }
    let after = OpenParts {
        parameters: parameters(&[(2, good), (255, vec![])]),
        ..OpenParts::of(&[])
    };
    row(
        rows,
        "OPEN, a parameter of type 255 that is not the first".into(),
        "RFC 9072 §2",
        after.message(),
        &[UNSUPPORTED_PARAMETER, UNSPECIFIC],
    );
    let one_each: Vec<_> = usual()
        .into_iter()
        .map(|capability| (2, capability))
        .collect();
    let open = OpenParts {
        parameters: parameters(&one_each),
        ..OpenParts::of(&[])
    };
    row(
        rows,
        "OPEN, a parameter for each capability".into(),
        "RFC 5492 §4",
        open.message(),
        &[Alive],
    );
    let none = OpenParts {
        parameters: vec![0],
        ..OpenParts::of(&[])
    };
    row(
        rows,
        "OPEN without parameters".into(),
        "RFC 4271 §4.2, RFC 4760 §8",
        none.message(),
        &[Alive],
    );
    let empty = OpenParts {
        parameters: parameters(&[(2, vec![])]),
        ..OpenParts::of(&[])
    };
    row(
        rows,
        "OPEN with a parameter without capabilities".into(),
        "RFC 5492 §4",
        empty.message(),
        &[Alive],
    );
}

/// RFC 9072: lengths of two octets.
fn extended_parameters(rows: &mut Rows) {
    let list = |kind: u8, value: &[u8]| {
        let [high, low] = u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes();
        [&[kind, high, low], value].concat()
    };
    let extended = |length: usize, list: &[u8]| {
        let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        OpenParts {
            parameters: [&[255, 255, high, low], list].concat(),
            ..OpenParts::of(&[])
        }
    };
    let good = list(2, &usual().concat());
    row(
        rows,
        "OPEN, extended parameters".into(),
        "RFC 9072 §2",
        extended(good.len(), &good).message(),
        &[Alive],
    );
    for one_octet in [1, 16, 254] {
        let mut open = extended(good.len(), &good);
        open.parameters[0] = one_octet;
        let name = format!("OPEN, extended parameters, whose short length says {one_octet}");
        row(rows, name, "RFC 9072 §2", open.message(), &[Alive]);
    }
    for wrong in (0..good.len() + 40).filter(|wrong| *wrong != good.len()) {
        let permitted: &[Outcome] = if wrong > good.len() {
            &[UNSPECIFIC, BAD_LENGTH]
        } else {
            &[UNSPECIFIC, UNSUPPORTED_PARAMETER, BAD_LENGTH, Alive]
        };
        let name = format!(
            "OPEN, extended parameters of {wrong} octets where there are {}",
            good.len()
        );
        row(
            rows,
            name,
            "RFC 9072 §2",
            extended(wrong, &good).message(),
            permitted,
        );
    }
    for wrong in [65_535, 32_768, 4096, 256] {
        let name = format!("OPEN, extended parameters of {wrong} octets");
        row(
            rows,
            name,
            "RFC 9072 §2",
            extended(wrong, &good).message(),
            &[UNSPECIFIC, BAD_LENGTH],
        );
    }
    for left in 1..=2 {
        let octets = vec![2; left];
        let name = format!("OPEN, extended parameters of {left} octets: less than a header");
        row(
            rows,
            name,
            "RFC 9072 §2",
            extended(left, &octets).message(),
            &[UNSPECIFIC, BAD_LENGTH],
        );
        let after = [good.clone(), octets].concat();
        let name = format!("OPEN, {left} octets after the last extended parameter");
        row(
            rows,
            name,
            "RFC 9072 §2",
            extended(after.len(), &after).message(),
            &[UNSPECIFIC],
        );
    }
    for inner in [0, 1, good.len() - 2, 255, 256, 65_535] {
        let mut wrong = good.clone();
        let [high, low] = u16::try_from(inner).unwrap_or(u16::MAX).to_be_bytes();
        wrong[1..3].copy_from_slice(&[high, low]);
        let name = format!(
            "OPEN, one extended parameter of {inner} octets where there are {}",
            good.len() - 3
        );
        row(
            rows,
            name,
            "RFC 9072 §2",
            extended(wrong.len(), &wrong).message(),
            &[UNSPECIFIC, UNSUPPORTED_PARAMETER],
        );
    }
    for kind in [0, 1, 3, 254, 255] {
        let with = [good.clone(), list(kind, &[])].concat();
        let name = format!("OPEN, an extended parameter of type {kind}");
        row(
            rows,
            name,
            "RFC 9072 §3, RFC 4271 §6.2",
            extended(with.len(), &with).message(),
            &[UNSUPPORTED_PARAMETER],
        );
    }
    let large = list(
        2,
        &[usual().concat(), capability(200, &[7; 250]).repeat(12)].concat(),
    );
    row(
        rows,
        "OPEN, 3000 octets of extended parameters".into(),
        "RFC 9072 §2",
        extended(large.len(), &large).message(),
        &[Alive],
    );
    for kept in 11..14 {
        let mut bytes = extended(good.len(), &good).message();
        bytes.truncate(19 + kept);
        row(
            rows,
            format!("OPEN, cut after {kept} octets of its body, extended"),
            "RFC 9072 §2",
            message(1, &bytes[19..]),
            &[UNSPECIFIC, BAD_LENGTH],
        );
    }
}

/// A capability's own length, in the middle of a parameter.
fn lengths_of_capabilities(rows: &mut Rows) {
    for wrong in 0..=255_u8 {
        for code in [1_u8, 2, 6, 64, 65, 69, 70, 71, 73, 75, 128, 200] {
            // The last one, and longer than the parameter.
            if wrong == 0 {
                continue;
            }
            if !(wrong < 8 || [63, 127, 254, 255].contains(&wrong)) {
                continue;
            }
            let capabilities = [usual(), vec![vec![code, wrong]]].concat();
            let name = format!("OPEN, capability {code} of {wrong} octets that are not there");
            row(
                rows,
                name,
                "RFC 5492 §3",
                OpenParts::of(&capabilities).message(),
                &[UNSPECIFIC],
            );
        }
    }
    for code in 0..=255 {
        let capabilities = [usual(), vec![vec![code]]].concat();
        let name = format!("OPEN, a lone octet {code} after the capabilities");
        row(
            rows,
            name,
            "RFC 5492 §3",
            OpenParts::of(&capabilities).message(),
            &[UNSPECIFIC],
        );
    }
}

/// Values that their capabilities can't have, and those that nobody knows.
fn known_capabilities(rows: &mut Rows) {
    for code in (0..=255).filter(|code| ![1, 65].contains(code)) {
        for length in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 30] {
            let capabilities = [usual(), vec![capability(code, &vec![0xa5; length])]].concat();
            // RFC 5492 §3: what is not understood is ignored. A known one of a
            // wrong length may be refused.
            let known = [
                2, 5, 6, 8, 9, 64, 67, 69, 70, 71, 73, 75, 128, 129, 130, 131,
            ]
            .contains(&code);
            let permitted: &[Outcome] = match code {
                9 => &[Alive, UNSPECIFIC, Notification(2, 11)],
                _ if known => &[Alive, UNSPECIFIC],
                _ => &[Alive],
            };
            let name = format!("OPEN, capability {code} with {length} octets");
            row(
                rows,
                name,
                "RFC 5492 §3",
                OpenParts::of(&capabilities).message(),
                permitted,
            );
        }
    }
    for length in 0..9 {
        if length == 4 {
            continue;
        }
        let value = [0, 1, 0, 1, 0, 2, 0, 1, 0];
        let capabilities = [usual(), vec![capability(1, &value[..length])]].concat();
        let name = format!("OPEN, multiprotocol of {length} octets");
        row(
            rows,
            name,
            "RFC 4760 §8, RFC 5492 §3",
            OpenParts::of(&capabilities).message(),
            &[UNSPECIFIC, Alive],
        );
    }
}

/// RFC 4760 §8: what this speaker doesn't carry is passed over.
fn odd_families(rows: &mut Rows) {
    for (afi, safi) in [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 2),
        (1, 4),
        (1, 128),
        (2, 4),
        (3, 1),
        (25, 65),
        (9999, 250),
        (65_535, 255),
    ] {
        let beside = [usual(), vec![multiprotocol(afi, safi)]].concat();
        let name = format!("OPEN, AFI {afi} SAFI {safi} beside IPv4");
        row(
            rows,
            name,
            "RFC 4760 §8",
            OpenParts::of(&beside).message(),
            &[Alive],
        );
        let first = [vec![multiprotocol(afi, safi)], usual()].concat();
        let name = format!("OPEN, AFI {afi} SAFI {safi} before IPv4");
        row(
            rows,
            name,
            "RFC 4760 §8",
            OpenParts::of(&first).message(),
            &[Alive],
        );
        let alone = [multiprotocol(afi, safi), four_octet_as(PEER_AS)];
        let name = format!("OPEN, AFI {afi} SAFI {safi} alone");
        row(
            rows,
            name,
            "RFC 5492 §5",
            OpenParts::of(&alone).message(),
            &[UNSUPPORTED_CAPABILITY, Alive],
        );
    }
    let mut reserved = usual();
    reserved[0] = capability(1, &[0, 1, 0xff, 1]);
    row(
        rows,
        "OPEN, multiprotocol's reserved octet is set".into(),
        "RFC 4760 §8",
        OpenParts::of(&reserved).message(),
        &[Alive],
    );
}

fn many(rows: &mut Rows) {
    for times in [2, 3, 20, 30] {
        let again = [usual(), vec![multiprotocol(1, 1); times]].concat();
        row(
            rows,
            format!("OPEN, IPv4 {times} times more"),
            "RFC 5492 §4",
            OpenParts::of(&again).message(),
            &[Alive],
        );
        let empty = [usual(), vec![capability(70, &[]); times]].concat();
        row(
            rows,
            format!("OPEN, a capability without value {times} times"),
            "RFC 5492 §4",
            OpenParts::of(&empty).message(),
            &[Alive],
        );
        let unknown = [usual(), vec![capability(200, &[1, 2, 3]); times]].concat();
        row(
            rows,
            format!("OPEN, an unknown capability {times} times"),
            "RFC 5492 §4",
            OpenParts::of(&unknown).message(),
            &[Alive],
        );
    }
    // Graceful restart: more families than there are, and a truncated one.
    for families in [0, 1, 5, 40] {
        let value = [&[0x80, 120][..], &[0, 1, 1, 0x80].repeat(families)].concat();
        let with = [usual(), vec![capability(64, &value)]].concat();
        row(
            rows,
            format!("OPEN, graceful restart with {families} families"),
            "RFC 4724 §3",
            OpenParts::of(&with).message(),
            &[Alive],
        );
        for cut in 1..4 {
            let with = [
                usual(),
                vec![capability(64, &value[..value.len().saturating_sub(cut)])],
            ]
            .concat();
            row(
                rows,
                format!("OPEN, graceful restart with {families} families, {cut} octets short"),
                "RFC 4724 §3",
                OpenParts::of(&with).message(),
                &[Alive, UNSPECIFIC],
            );
        }
    }
}
