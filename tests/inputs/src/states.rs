//! Messages that are right but come at the wrong time (RFC 6608), the peer's
//! NOTIFICATIONs, and refreshes of odd things.

use crate::bytes::{
    KEEPALIVE, NOTIFICATION, OpenParts, Parts, ROUTE_REFRESH, UPDATE, message, usual,
};
use crate::row::Outcome::{Alive, Announced, Closed, Notification, Withdrawn};
use crate::row::{Outcome, Session, Stage};
use crate::rows::Rows;

const COLLISION: Outcome = Notification(6, 7);

pub(crate) fn add(rows: &mut Rows) {
    wrong_times(rows);
    notifications(rows);
    refreshes(rows);
    end_of_rib(rows);
}

fn wrong_times(rows: &mut Rows) {
    let open = OpenParts::of(&usual()).message();
    let update = Parts::good(rows.next_v4(), Session::External).message();
    let refresh = message(ROUTE_REFRESH, &[0, 1, 0, 1]);
    let keepalive = message(KEEPALIVE, &[]);
    let empty = message(UPDATE, &[0; 4]);
    for (stage, subcode, wrong) in [
        (
            Stage::OpenExpected,
            1,
            vec![
                ("KEEPALIVE", &keepalive),
                ("UPDATE", &update),
                ("End-of-RIB", &empty),
                ("ROUTE-REFRESH", &refresh),
            ],
        ),
        (
            Stage::KeepaliveExpected,
            2,
            vec![
                ("UPDATE", &update),
                ("End-of-RIB", &empty),
                ("ROUTE-REFRESH", &refresh),
                ("OPEN", &open),
            ],
        ),
        (Stage::Established, 3, vec![("OPEN", &open)]),
    ] {
        for (name, bytes) in wrong {
            let permitted: &[Outcome] = match name {
                // RFC 4271 §8.2.2 has a second OPEN settled as a collision.
                "OPEN" => &[Notification(5, subcode), Notification(5, 0), COLLISION],
                _ => &[Notification(5, subcode), Notification(5, 0)],
            };
            let at = (Session::External, stage);
            rows.bytes(
                format!("{name} in {stage:?}"),
                "RFC 6608 §3",
                at,
                bytes.clone(),
                permitted,
            );
            // More of the same in one segment doesn't make it two errors.
            let again = bytes.repeat(3);
            rows.bytes(
                format!("{name} three times in {stage:?}"),
                "RFC 6608 §3",
                at,
                again,
                permitted,
            );
        }
    }
    let at = (Session::External, Stage::Established);
    rows.bytes(
        "KEEPALIVE 1000 times",
        "RFC 4271 §4.4",
        at,
        keepalive.repeat(1000),
        &[Alive],
    );
}

/// RFC 4271 §6: whatever it says, the session ends and no NOTIFICATION answers.
fn notifications(rows: &mut Rows) {
    let long = vec![0xff; 4096 - 21];
    let shutdown = |length: u8, text: &[u8]| [&[length], text].concat();
    let data: Vec<(String, u8, u8, Vec<u8>)> = (0..=255)
        .map(|code| (format!("code {code}"), code, 0, vec![]))
        .chain((0..=255).map(|subcode| (format!("Cease {subcode}"), 6, subcode, vec![])))
        .chain((1..=7).map(|code| {
            (
                format!("code {code} and all the data that fits"),
                code,
                255,
                long.clone(),
            )
        }))
        .chain([
            ("shutdown with an empty text".into(), 6, 2, shutdown(0, &[])),
            (
                "shutdown whose text overruns".into(),
                6,
                2,
                shutdown(200, b"short"),
            ),
            (
                "shutdown of 255 octets".into(),
                6,
                4,
                shutdown(255, &[b'x'; 255]),
            ),
            (
                "shutdown with octets after its text".into(),
                6,
                2,
                shutdown(1, b"xyz"),
            ),
            (
                "shutdown that is not UTF-8".into(),
                6,
                2,
                shutdown(4, &[0xff, 0xfe, 0xc0, 0x80]),
            ),
            (
                "shutdown with terminal escapes".into(),
                6,
                2,
                shutdown(6, b"\x1b[2J\r\n"),
            ),
            ("hard reset without what it wraps".into(), 6, 9, vec![]),
            ("hard reset, truncated".into(), 6, 9, vec![6]),
            (
                "hard reset of a hard reset".into(),
                6,
                9,
                [6, 9].repeat(500),
            ),
            ("prefix limit, truncated".into(), 6, 1, vec![0, 1]),
            ("bad peer AS with 3 octets".into(), 2, 2, vec![0, 0, 1]),
        ])
        .collect();
    for (name, code, subcode, data) in data {
        for stage in [
            Stage::OpenExpected,
            Stage::KeepaliveExpected,
            Stage::Established,
        ] {
            // All of them once, the odd ones everywhere.
            if data.is_empty() && stage != Stage::Established && code > 8 {
                continue;
            }
            rows.bytes(
                format!("NOTIFICATION, {name}, in {stage:?}"),
                "RFC 4271 §6.4, RFC 9003 §2",
                (Session::External, stage),
                message(NOTIFICATION, &[&[code, subcode], data.as_slice()].concat()),
                &[Closed],
            );
        }
    }
}

/// RFC 2918 §4, RFC 7313 §5: what isn't known is ignored.
fn refreshes(rows: &mut Rows) {
    let at = (Session::External, Stage::Established);
    for subtype in 0..=255 {
        let bytes = message(ROUTE_REFRESH, &[0, 1, subtype, 1]);
        rows.bytes(
            format!("ROUTE-REFRESH, subtype {subtype}"),
            "RFC 7313 §5",
            at,
            bytes,
            &[Alive],
        );
    }
    for (afi, safi) in [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 2),
        (1, 128),
        (1, 255),
        (2, 1),
        (2, 2),
        (25, 65),
        (16_388, 71),
        (65_535, 255),
    ] {
        let [high, low] = u16::to_be_bytes(afi);
        let bytes = message(ROUTE_REFRESH, &[high, low, 0, safi]);
        rows.bytes(
            format!("ROUTE-REFRESH, AFI {afi} SAFI {safi}"),
            "RFC 2918 §4",
            at,
            bytes.clone(),
            &[Alive],
        );
        let at = (Session::ExternalIpv4, Stage::Established);
        rows.bytes(
            format!("ROUTE-REFRESH, AFI {afi} SAFI {safi}, IPv4 only"),
            "RFC 2918 §4",
            at,
            bytes,
            &[Alive],
        );
    }
    let flood = message(ROUTE_REFRESH, &[0, 1, 0, 1]).repeat(200);
    rows.bytes(
        "ROUTE-REFRESH 200 times",
        "RFC 2918 §4",
        at,
        flood,
        &[Alive],
    );
    // RFC 5291's outbound filters ride in a ROUTE-REFRESH that wasn't offered.
    for length in 1..20 {
        let bytes = message(
            ROUTE_REFRESH,
            &[&[0, 1, 0, 1][..], &vec![1; length]].concat(),
        );
        let permitted = &[Alive, Notification(1, 2), Notification(7, 1)];
        rows.bytes(
            format!("ROUTE-REFRESH with {length} octets of filters"),
            "RFC 5291 §4",
            at,
            bytes,
            permitted,
        );
    }
}

/// RFC 4724 §2, and what only resembles an End-of-RIB.
fn end_of_rib(rows: &mut Rows) {
    use crate::bytes::{nlri, unreach};
    let at = (Session::External, Stage::Established);
    rows.bytes(
        "End-of-RIB for IPv4, ten times",
        "RFC 4724 §2",
        at,
        message(UPDATE, &[0; 4]).repeat(10),
        &[Alive],
    );
    for (afi, safi) in [(1, 1), (2, 1), (1, 128), (0, 0), (65_535, 255)] {
        let parts = Parts {
            attributes: vec![unreach(afi, safi, &[])],
            ..Parts::default()
        };
        rows.bytes(
            format!("End-of-RIB for AFI {afi} SAFI {safi}"),
            "RFC 4724 §2",
            at,
            parts.message(),
            &[Alive],
        );
        rows.bytes(
            format!("End-of-RIB for AFI {afi} SAFI {safi}, IPv4 only"),
            "RFC 4724 §2",
            (Session::ExternalIpv4, Stage::Established),
            parts.message(),
            &[Alive],
        );
    }
    let prefix = rows.next_v4();
    let withdrawal = Parts {
        withdrawn: nlri(prefix),
        ..Parts::default()
    };
    rows.raw_update(
        "a withdrawal",
        "RFC 4271 §4.3",
        Session::External,
        prefix,
        withdrawal.message(),
        &[Withdrawn],
    );
    let prefix = rows.next_v4();
    let mut both = Parts::good(prefix, Session::External);
    both.withdrawn = nlri(prefix);
    rows.raw_update(
        "withdrawn and announced in one",
        "RFC 4271 §4.3",
        Session::External,
        prefix,
        both.message(),
        &[Announced],
    );
    let prefix = rows.next_v4();
    let withdrawal = Parts {
        attributes: vec![unreach(1, 1, &nlri(prefix))],
        ..Parts::default()
    };
    rows.raw_update(
        "IPv4 withdrawn in MP_UNREACH_NLRI",
        "RFC 4760 §4",
        Session::External,
        prefix,
        withdrawal.message(),
        &[Withdrawn],
    );
    let prefix = rows.next_v6();
    let withdrawal = Parts {
        attributes: vec![unreach(2, 1, &nlri(prefix))],
        ..Parts::default()
    };
    rows.raw_update(
        "IPv6 withdrawn",
        "RFC 4760 §4",
        Session::External,
        prefix,
        withdrawal.message(),
        &[Withdrawn],
    );
    let prefix = rows.next_v6();
    let both = Parts::good(prefix, Session::External).with(unreach(2, 1, &nlri(prefix)));
    // RFC 4760 §3: the same prefix in both is not for a sender to do.
    rows.raw_update(
        "IPv6 withdrawn and announced in one",
        "RFC 4760 §3",
        Session::External,
        prefix,
        both.message(),
        &[Announced, Withdrawn],
    );
}
