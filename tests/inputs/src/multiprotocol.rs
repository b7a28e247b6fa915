//! MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760, RFC 7606 §5.1, §5.3, §7.11).

use crate::bytes::{
    CARRIED, MP_REACH, MP_UNREACH, NEXT_HOP, NEXT_HOP_V6, OPTIONAL, Parts, WELL_KNOWN, attribute,
    long_attribute, nlri, reach, reach_v6, reach_value, unreach,
};
use crate::framing::LOST_PREFIXES;
use crate::row::Outcome::{Alive, Announced, Notification, Withdrawn};
use crate::row::{Outcome, Session, Stage};
use crate::rows::Rows;
use Session::{External, ExternalIpv4};

pub(crate) fn add(rows: &mut Rows) {
    places(rows);
    next_hop_lengths(rows);
    next_hops(rows);
    prefixes(rows);
    short(rows);
    other_families(rows);
    flags(rows);
    twice(rows);
}

/// RFC 7606 §5.1: it stands first, but may be anywhere.
fn places(rows: &mut Rows) {
    for place in 0..5 {
        let change = |parts: Parts, prefix| {
            parts
                .without(MP_REACH)
                .with(attribute(OPTIONAL, 4, &[0, 0, 0, 1]))
                .with(attribute(CARRIED, 8, &[0, 1, 0, 2]))
                .insert(place, reach_v6(&nlri(prefix)))
        };
        rows.update_v6(
            format!("MP_REACH_NLRI at {place}"),
            "RFC 7606 §5.1",
            External,
            change,
            &[Announced],
        );
    }
    let change = |parts: Parts, prefix| {
        let value = reach_value(2, 1, &NEXT_HOP_V6, &nlri(prefix));
        parts.replace(MP_REACH, long_attribute(OPTIONAL, MP_REACH, &value))
    };
    rows.update_v6(
        "MP_REACH_NLRI with a length of two octets",
        "RFC 4271 §4.3",
        External,
        change,
        &[Announced],
    );
    for reserved in [1, 255] {
        let change = |parts: Parts, prefix| {
            let mut value = reach_value(2, 1, &NEXT_HOP_V6, &nlri(prefix));
            value[4 + 16] = reserved;
            parts.replace(MP_REACH, attribute(OPTIONAL, MP_REACH, &value))
        };
        rows.update_v6(
            format!("MP_REACH_NLRI with {reserved} in its reserved octet"),
            "RFC 4760 §3",
            External,
            change,
            &[Announced],
        );
    }
    let prefix = rows.next_v4();
    let parts = Parts::good(prefix, External).with(reach_v6(&[32, 0x20, 1, 0xd, 0xb8]));
    rows.raw_update(
        "IPv4 in the body and IPv6 in MP_REACH_NLRI",
        "RFC 4760 §3",
        External,
        prefix,
        parts.message(),
        &[Announced],
    );
    let prefix = rows.next_v4();
    let parts = Parts {
        nlri: vec![],
        ..Parts::good(prefix, External)
    };
    let parts = parts.with(reach(1, 1, &NEXT_HOP, &nlri(prefix)));
    rows.raw_update(
        "IPv4 in MP_REACH_NLRI",
        "RFC 4760 §3",
        External,
        prefix,
        parts.message(),
        &[Announced],
    );
    let at = (External, Stage::Established);
    let none = Parts {
        nlri: vec![],
        ..Parts::good(crate::bytes::ANY, External)
    }
    .with(reach_v6(&[]));
    rows.bytes(
        "MP_REACH_NLRI without prefixes",
        "RFC 7606 §5.2",
        at,
        none.message(),
        &[Alive],
    );
}

/// RFC 7606 §7.11: a next hop of a length that is none loses the prefixes.
fn next_hop_lengths(rows: &mut Rows) {
    for length in 0..=255_usize {
        for place in [0, usize::MAX] {
            if !matches!(length, 16 | 32) {
                let change = |parts: Parts, prefix| {
                    let next_hop: Vec<u8> =
                        NEXT_HOP_V6.iter().copied().cycle().take(length).collect();
                    parts
                        .without(MP_REACH)
                        .insert(place, reach(2, 1, &next_hop, &nlri(prefix)))
                };
                let mut permitted = LOST_PREFIXES.to_vec();
                if length == 0 || length == 4 {
                    permitted.push(Withdrawn);
                }
                // RFC 2545 §3 leaves 24 and 48 to VPNs.
                rows.update_v6(
                    format!("IPv6 next hop of {length} octets at {place}"),
                    "RFC 7606 §7.11, §3 (j)",
                    External,
                    change,
                    &permitted,
                );
                // The same length with fewer octets than that.
                let change = |parts: Parts, prefix| {
                    let mut value = reach_value(2, 1, &NEXT_HOP_V6, &nlri(prefix));
                    value[3] = u8::try_from(length).unwrap_or(255);
                    parts
                        .without(MP_REACH)
                        .insert(place, attribute(OPTIONAL, MP_REACH, &value))
                };
                rows.update_v6(
                    format!("IPv6 next hop that says {length} octets and has 16, at {place}"),
                    "RFC 7606 §7.11, §3 (j)",
                    External,
                    change,
                    &permitted,
                );
            }
        }
        // RFC 8950 was not offered.
        if !matches!(length, 4) {
            let prefix = rows.next_v4();
            let next_hop: Vec<u8> = NEXT_HOP.iter().copied().cycle().take(length).collect();
            let parts = Parts {
                nlri: vec![],
                ..Parts::good(prefix, External)
            }
            .with(reach(1, 1, &next_hop, &nlri(prefix)));
            rows.raw_update(
                format!("IPv4 next hop of {length} octets in MP_REACH_NLRI"),
                "RFC 7606 §7.11, RFC 8950 §4",
                External,
                prefix,
                parts.message(),
                &LOST_PREFIXES,
            );
        }
    }
}

fn next_hops(rows: &mut Rows) {
    let loopback = {
        let mut address = [0; 16];
        address[15] = 1;
        address
    };
    let mut mapped = [0; 16];
    mapped[10..].copy_from_slice(&[0xff, 0xff, 1, 2, 3, 4]);
    let mut multicast = [0; 16];
    multicast[0] = 0xff;
    let mut link_local = [0; 16];
    link_local[..2].copy_from_slice(&[0xfe, 0x80]);
    link_local[15] = 9;
    for (name, address, permitted) in [
        ("::", [0; 16], vec![Withdrawn]),
        ("::1", loopback, vec![Withdrawn]),
        ("ff00::", multicast, vec![Withdrawn]),
        // Of no use, or of none here: it is not for the session to end.
        ("mapped IPv4", mapped, vec![Withdrawn, Announced]),
        ("link-local", link_local, vec![Withdrawn, Announced]),
    ] {
        let change =
            |parts: Parts, prefix| parts.replace(MP_REACH, reach(2, 1, &address, &nlri(prefix)));
        rows.update_v6(
            format!("IPv6 next hop {name}"),
            "RFC 4271 §6.3, RFC 7606 §7.11",
            External,
            change,
            &permitted,
        );
        for (second_name, second) in [
            ("link-local", link_local),
            ("global", NEXT_HOP_V6),
            ("multicast", multicast),
            ("zero", [0; 16]),
        ] {
            let both = [address, second].concat();
            let change =
                |parts: Parts, prefix| parts.replace(MP_REACH, reach(2, 1, &both, &nlri(prefix)));
            rows.update_v6(
                format!("IPv6 next hops {name} and {second_name}"),
                "RFC 2545 §3",
                External,
                change,
                &[Withdrawn, Announced],
            );
        }
    }
    for (name, second) in [
        ("link-local", link_local),
        ("global", NEXT_HOP_V6),
        ("multicast", multicast),
        ("zero", [0; 16]),
    ] {
        let both = [NEXT_HOP_V6, second].concat();
        let change =
            |parts: Parts, prefix| parts.replace(MP_REACH, reach(2, 1, &both, &nlri(prefix)));
        rows.update_v6(
            format!("IPv6 next hops global and {name}"),
            "RFC 2545 §3",
            External,
            change,
            &[Announced, Withdrawn],
        );
    }
    for address in [
        [0, 0, 0, 0],
        [127, 0, 0, 1],
        [224, 0, 0, 1],
        [255, 255, 255, 255],
    ] {
        let prefix = rows.next_v4();
        let parts = Parts {
            nlri: vec![],
            ..Parts::good(prefix, External)
        }
        .without(3)
        .with(reach(1, 1, &address, &nlri(prefix)));
        rows.raw_update(
            format!("IPv4 next hop {address:?} in MP_REACH_NLRI"),
            "RFC 4271 §6.3",
            External,
            prefix,
            parts.message(),
            &[Withdrawn],
        );
    }
}

/// RFC 7606 §5.3.
fn prefixes(rows: &mut Rows) {
    let good = [48, 0x20, 1, 0xd, 0xb8, 0, 1];
    let mut wrong: Vec<(String, Vec<u8>, bool)> = (129..=255_u8)
        .map(|length| {
            (
                format!("length {length}"),
                [vec![length], vec![1; usize::from(length).div_ceil(8)]].concat(),
                true,
            )
        })
        .collect();
    for length in [1, 8, 9, 32, 33, 48, 64, 65, 127, 128_u8] {
        let needed = usize::from(length).div_ceil(8);
        for there in [0, needed / 2, needed - 1] {
            wrong.push((
                format!("length {length} with {there} octets"),
                [vec![length], vec![0x20; there]].concat(),
                false,
            ));
        }
    }
    let mut unreach_too = LOST_PREFIXES.to_vec();
    unreach_too.push(Notification(3, 4));
    for (what, octets, anywhere) in wrong {
        let places: &[usize] = if anywhere { &[0, 1, 2] } else { &[2] };
        for place in places {
            let mut list = vec![good.to_vec(), good.to_vec()];
            list.insert(*place, octets.clone());
            let list = list.concat();
            let at = (External, Stage::Established);
            // First, in the middle, and last among the attributes.
            for among in [0, 1, usize::MAX] {
                let reached = Parts {
                    nlri: vec![],
                    ..Parts::good(crate::bytes::ANY, External)
                }
                .insert(among, reach_v6(&list));
                rows.bytes(
                    format!("IPv6 NLRI, {what}, at {place}, attribute at {among}"),
                    "RFC 7606 §3 (j), §5.3",
                    at,
                    reached.message(),
                    &LOST_PREFIXES,
                );
            }
            let alone = Parts {
                attributes: vec![unreach(2, 1, &list)],
                ..Parts::default()
            };
            rows.bytes(
                format!("IPv6 withdrawn, {what}, at {place}"),
                "RFC 7606 §3 (i), §5.3",
                at,
                alone.message(),
                &unreach_too,
            );
            let beside = Parts::good(crate::bytes::ANY, External).insert(1, unreach(2, 1, &list));
            rows.bytes(
                format!("IPv6 withdrawn, {what}, at {place}, beside IPv4"),
                "RFC 7606 §3 (i), §5.3",
                at,
                beside.message(),
                &unreach_too,
            );
            // Nobody reads what was not negotiated.
            let prefix = rows.next_v4();
            let ignored = Parts::good(prefix, ExternalIpv4).with(unreach(2, 1, &list));
            let permitted = [&[Announced], unreach_too.as_slice()].concat();
            rows.raw_update(
                format!("IPv6 withdrawn, not negotiated, {what}, at {place}"),
                "RFC 4760 §7",
                ExternalIpv4,
                prefix,
                ignored.message(),
                &permitted,
            );
        }
    }
    for length in 33..=255_u8 {
        let octets = [vec![length], vec![1; usize::from(length).div_ceil(8)]].concat();
        let at = (External, Stage::Established);
        let reached = Parts {
            nlri: vec![],
            ..Parts::good(crate::bytes::ANY, External)
        }
        .with(reach(1, 1, &NEXT_HOP, &octets));
        rows.bytes(
            format!("IPv4 NLRI of length {length} in MP_REACH_NLRI"),
            "RFC 7606 §5.3",
            at,
            reached.message(),
            &LOST_PREFIXES,
        );
        let unreached = Parts {
            attributes: vec![unreach(1, 1, &octets)],
            ..Parts::default()
        };
        rows.bytes(
            format!("IPv4 of length {length} in MP_UNREACH_NLRI"),
            "RFC 7606 §5.3",
            at,
            unreached.message(),
            &unreach_too,
        );
    }
}

/// RFC 7606 §5.3: less than its fixed fields.
fn short(rows: &mut Rows) {
    let at = (External, Stage::Established);
    for family in [[0, 1, 1], [0, 2, 1]] {
        let whole = [&family[..], &[16], &NEXT_HOP_V6, &[0]].concat();
        for length in 0..whole.len() {
            for place in [0, 1, usize::MAX] {
                let cut = attribute(OPTIONAL, MP_REACH, &whole[..length]);
                let parts = Parts::good(crate::bytes::ANY, External).insert(place, cut);
                rows.bytes(
                    format!("MP_REACH_NLRI {family:?} of {length} octets at {place}"),
                    "RFC 7606 §5.3",
                    at,
                    parts.message(),
                    &LOST_PREFIXES,
                );
            }
        }
        for length in 0..3 {
            for place in [0, 1, usize::MAX] {
                let mut permitted = LOST_PREFIXES.to_vec();
                permitted.push(Notification(3, 4));
                let cut = attribute(OPTIONAL, MP_UNREACH, &family[..length]);
                let parts = Parts::good(crate::bytes::ANY, External).insert(place, cut.clone());
                rows.bytes(
                    format!("MP_UNREACH_NLRI of {length} octets at {place}, {family:?}"),
                    "RFC 7606 §5.3",
                    at,
                    parts.message(),
                    &permitted,
                );
                let alone = Parts {
                    attributes: vec![cut],
                    ..Parts::default()
                };
                rows.bytes(
                    format!("MP_UNREACH_NLRI of {length} octets alone, {family:?}"),
                    "RFC 7606 §5.3",
                    at,
                    alone.message(),
                    &permitted,
                );
            }
        }
    }
}

/// RFC 4760 §7: ignored, or the session ends with 3/9; prefixes in the body count.
fn other_families(rows: &mut Rows) {
    let may_end = Notification(3, 9);
    for (afi, safi) in [
        (0_u16, 0_u8),
        (0, 1),
        (1, 0),
        (1, 2),
        (1, 4),
        (1, 66),
        (1, 128),
        (1, 133),
        (2, 2),
        (2, 4),
        (2, 128),
        (3, 1),
        (16_388, 71),
        (25, 65),
        (25, 70),
        (65_535, 255),
    ] {
        for (what, value) in [
            (
                "right",
                reach_value(afi, safi, &NEXT_HOP_V6, &[32, 1, 2, 3, 4]),
            ),
            (
                "short labels",
                reach_value(afi, safi, &NEXT_HOP, &[16, 0, 0, 1]),
            ),
            (
                "garbage",
                [&afi.to_be_bytes()[..], &[safi, 255, 1, 2, 3]].concat(),
            ),
            ("a next hop of 0 octets", reach_value(afi, safi, &[], &[])),
        ] {
            for session in [External, ExternalIpv4] {
                let prefix = rows.next_v4();
                let parts =
                    Parts::good(prefix, session).with(attribute(OPTIONAL, MP_REACH, &value));
                rows.raw_update(
                    format!(
                        "MP_REACH_NLRI of AFI {afi} SAFI {safi}, {what}, beside IPv4, {session:?}"
                    ),
                    "RFC 4760 §7",
                    session,
                    prefix,
                    parts.message(),
                    &[Announced, may_end],
                );
                let alone = Parts {
                    nlri: vec![],
                    ..Parts::good(prefix, session)
                }
                .with(attribute(OPTIONAL, MP_REACH, &value));
                rows.bytes(
                    format!("MP_REACH_NLRI of AFI {afi} SAFI {safi}, {what}, {session:?}"),
                    "RFC 4760 §7",
                    (session, Stage::Established),
                    alone.message(),
                    &[Alive, may_end],
                );
            }
        }
        for octets in [vec![], vec![255], vec![32, 1], vec![0; 100]] {
            let alone = Parts {
                attributes: vec![unreach(afi, safi, &octets)],
                ..Parts::default()
            };
            rows.bytes(
                format!(
                    "MP_UNREACH_NLRI of AFI {afi} SAFI {safi}, {} octets",
                    octets.len()
                ),
                "RFC 4760 §7",
                (External, Stage::Established),
                alone.message(),
                &[Alive, may_end],
            );
        }
    }
    for length in [0, 1, 5, 16, 17, 32, 255] {
        let prefix = rows.next_v4();
        let value = reach_value(2, 1, &vec![0x20; length], &[32, 0x20, 1, 0xd, 0xb8]);
        let parts = Parts::good(prefix, ExternalIpv4).with(attribute(OPTIONAL, MP_REACH, &value));
        let permitted = [&[Announced], LOST_PREFIXES.as_slice()].concat();
        rows.raw_update(
            format!("IPv6, not negotiated, a next hop of {length} octets"),
            "RFC 4760 §7",
            ExternalIpv4,
            prefix,
            parts.message(),
            &permitted,
        );
    }
}

/// RFC 7606 §3 (c).
fn flags(rows: &mut Rows) {
    let lost =
        |first: Outcome| [&[first], LOST_PREFIXES.as_slice(), &[Notification(3, 4)]].concat();
    for flags in [0x00, WELL_KNOWN, CARRIED] {
        for rest in [0x00, 0x20, 0x0f] {
            let change = |parts: Parts, prefix| {
                parts.replace(
                    MP_REACH,
                    attribute(
                        flags | rest,
                        MP_REACH,
                        &reach_value(2, 1, &NEXT_HOP_V6, &nlri(prefix)),
                    ),
                )
            };
            rows.update_v6(
                format!("MP_REACH_NLRI with flags {:#04x}", flags | rest),
                "RFC 7606 §3 (c)",
                External,
                change,
                &lost(Withdrawn),
            );
            let change = |parts: Parts| parts.with(attribute(flags | rest, MP_UNREACH, &[0, 2, 1]));
            rows.update(
                format!("MP_UNREACH_NLRI with flags {:#04x}", flags | rest),
                "RFC 7606 §3 (c)",
                External,
                change,
                &lost(Withdrawn),
            );
        }
    }
    for rest in [0x20, 0x0f, 0x2f] {
        let change = |parts: Parts, prefix| {
            parts.replace(
                MP_REACH,
                attribute(
                    OPTIONAL | rest,
                    MP_REACH,
                    &reach_value(2, 1, &NEXT_HOP_V6, &nlri(prefix)),
                ),
            )
        };
        rows.update_v6(
            format!("MP_REACH_NLRI with flags {:#04x}", OPTIONAL | rest),
            "RFC 4271 §4.3",
            External,
            change,
            &[Announced],
        );
    }
}

/// RFC 7606 §3 (g).
fn twice(rows: &mut Rows) {
    let at = (External, Stage::Established);
    let malformed = [Notification(3, 1)];
    for (name, first, second) in [
        (
            "MP_REACH_NLRI twice",
            reach_v6(&[32, 0x20, 1, 0xd, 0xb8]),
            reach_v6(&[32, 0x20, 1, 0xd, 0xb8]),
        ),
        (
            "MP_REACH_NLRI of both families",
            reach_v6(&[32, 0x20, 1, 0xd, 0xb8]),
            reach(1, 1, &NEXT_HOP, &[8, 43]),
        ),
        (
            "MP_REACH_NLRI, the second of a family that is not negotiated",
            reach_v6(&[32, 0x20, 1, 0xd, 0xb8]),
            reach(1, 128, &NEXT_HOP, &[]),
        ),
        (
            "MP_UNREACH_NLRI twice",
            unreach(2, 1, &[]),
            unreach(2, 1, &[]),
        ),
        (
            "MP_UNREACH_NLRI of both families",
            unreach(2, 1, &[0]),
            unreach(1, 1, &[0]),
        ),
    ] {
        for places in [(0, 1), (0, usize::MAX), (2, usize::MAX)] {
            let parts = Parts::good(crate::bytes::ANY, External)
                .insert(places.0, first.clone())
                .insert(places.1, second.clone());
            rows.bytes(
                format!("{name}, {places:?}"),
                "RFC 7606 §3 (g)",
                at,
                parts.message(),
                &malformed,
            );
        }
        let alone = Parts {
            attributes: vec![first, second],
            ..Parts::default()
        };
        rows.bytes(
            format!("{name}, alone"),
            "RFC 7606 §3 (g)",
            at,
            alone.message(),
            &malformed,
        );
    }
}
