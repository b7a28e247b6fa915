//! Prefixes, right and wrong, at each place where they stand (RFC 4271 §6.3,
//! RFC 7606 §3 (i), (j), §5.3).

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::bytes::{Parts, nlri, reach_v6, unreach};
use crate::row::Outcome::{Alive, Announced, Notification};
use crate::row::{Outcome, Session, Stage};
use crate::rows::Rows;

const BAD_NETWORK: [Outcome; 2] = [Notification(3, 10), Notification(3, 1)];

pub(crate) fn add(rows: &mut Rows) {
    wrong_in_body(rows);
    good_lengths(rows);
    martians(rows);
}

/// Each wrong one among good ones, at each place.
fn wrong_in_body(rows: &mut Rows) {
    let at = (Session::External, Stage::Established);
    let other = [24, 43, 1, 2];
    let mut wrong: Vec<(String, Vec<u8>, bool)> = (33..=255_u8)
        .map(|length| {
            let octets = vec![1; usize::from(length).div_ceil(8)];
            (
                format!("length {length}"),
                [vec![length], octets].concat(),
                true,
            )
        })
        .collect();
    for length in 1..=32_u8 {
        for there in 0..usize::from(length).div_ceil(8) {
            let octets = [vec![length], vec![10; there]].concat();
            // Only at the end is it known to be short.
            wrong.push((
                format!("length {length} with {there} octets"),
                octets,
                false,
            ));
        }
    }
    for (what, octets, anywhere) in wrong {
        let places: &[usize] = if anywhere { &[0, 1, 2] } else { &[2] };
        for place in places {
            let mut list = vec![other.to_vec(), other.to_vec()];
            list.insert(*place, octets.clone());
            let announced = Parts {
                nlri: list.concat(),
                ..Parts::good(crate::bytes::ANY, Session::External)
            };
            rows.bytes(
                format!("NLRI, {what}, at {place}"),
                "RFC 7606 §3 (j), §5.3",
                at,
                announced.message(),
                &BAD_NETWORK,
            );
            let withdrawn = Parts {
                withdrawn: list.concat(),
                ..Parts::default()
            };
            rows.bytes(
                format!("withdrawn, {what}, at {place}"),
                "RFC 7606 §3 (i), §5.3",
                at,
                withdrawn.message(),
                &BAD_NETWORK,
            );
        }
        let both = Parts {
            withdrawn: octets.clone(),
            ..Parts::good(crate::bytes::ANY, Session::External)
        };
        rows.bytes(
            format!("withdrawn, {what}, before good NLRI"),
            "RFC 7606 §3 (i)",
            at,
            both.message(),
            &BAD_NETWORK,
        );
    }
}

fn good_lengths(rows: &mut Rows) {
    for length in 0..=32_u8 {
        // Bits after the prefix mean nothing.
        let octets = [vec![length], vec![0x2d; usize::from(length).div_ceil(8)]].concat();
        let prefix = Ipv4Net::new_assert([0x2d; 4].into(), length).trunc();
        let parts = Parts {
            nlri: octets,
            ..Parts::good(crate::bytes::ANY, Session::External)
        };
        rows.raw_update(
            format!("NLRI of /{length} with bits after it"),
            "RFC 4271 §4.3",
            Session::External,
            IpNet::V4(prefix),
            parts.message(),
            &[Announced],
        );
    }
    for length in 0..=128_u8 {
        let octets = [vec![length], vec![0x2d; usize::from(length).div_ceil(8)]].concat();
        let prefix = IpNet::V6(Ipv6Net::new_assert([0x2d; 16].into(), length).trunc());
        let parts = Parts::good(prefix, Session::External).replace(14, reach_v6(&octets));
        rows.raw_update(
            format!("IPv6 NLRI of /{length} with bits after it"),
            "RFC 4760 §5",
            Session::External,
            prefix,
            parts.message(),
            &[Announced],
        );
    }
}

/// RFC 4271 §6.3: logged and ignored; the session and the others stay.
fn martians(rows: &mut Rows) {
    let v4 = [
        "0.0.0.0/8",
        "0.1.0.0/16",
        "127.0.0.0/8",
        "127.0.0.1/32",
        "224.0.0.0/4",
        "224.0.0.5/32",
        "239.1.0.0/16",
        "240.0.0.0/4",
        "255.255.255.255/32",
        "169.254.0.0/16",
    ];
    for text in v4 {
        let Ok(martian) = text.parse() else { continue };
        let prefix = rows.next_v4();
        for first in [true, false] {
            let mut parts = Parts::good(prefix, Session::External);
            let more = nlri(martian);
            parts.nlri = if first {
                [more, parts.nlri].concat()
            } else {
                [parts.nlri, more].concat()
            };
            rows.raw_update(
                format!("{text} beside a good prefix"),
                "RFC 4271 §6.3",
                Session::External,
                prefix,
                parts.message(),
                &[Announced],
            );
        }
        let alone = Parts {
            nlri: nlri(martian),
            ..Parts::good(prefix, Session::External)
        };
        rows.bytes(
            format!("{text} alone"),
            "RFC 4271 §6.3",
            (Session::External, Stage::Established),
            alone.message(),
            &[Alive],
        );
        let withdrawn = Parts {
            withdrawn: nlri(martian),
            ..Parts::default()
        };
        rows.bytes(
            format!("{text} withdrawn"),
            "RFC 4271 §6.3",
            (Session::External, Stage::Established),
            withdrawn.message(),
            &[Alive],
        );
    }
    for text in [
        "::1/128",
        "fe80::/10",
        "fe80::1/128",
        "ff00::/8",
        "ff02::1/128",
        "::/128",
        "::ffff:1.2.3.4/128",
    ] {
        let Ok(martian) = text.parse() else { continue };
        let prefix = rows.next_v6();
        let parts = Parts::good(prefix, Session::External)
            .replace(14, reach_v6(&[nlri(martian), nlri(prefix)].concat()));
        rows.raw_update(
            format!("{text} beside a good prefix"),
            "RFC 4271 §6.3",
            Session::External,
            prefix,
            parts.message(),
            &[Announced],
        );
        let withdrawn = Parts {
            attributes: vec![unreach(2, 1, &nlri(martian))],
            ..Parts::default()
        };
        rows.bytes(
            format!("{text} withdrawn"),
            "RFC 4271 §6.3",
            (Session::External, Stage::Established),
            withdrawn.message(),
            &[Alive],
        );
    }
}
