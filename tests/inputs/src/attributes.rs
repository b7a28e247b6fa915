//! Each attribute's own rule (RFC 7606 §7 and the RFCs after it): flags,
//! lengths, values; sent twice; missing; several errors at once.

use crate::bytes::{
    AS_PATH, CARRIED, LOCAL_PREF, MED, NEXT_HOP_ATTRIBUTE, OPTIONAL, ORIGIN, PEER_AS, Parts,
    SPEAKER_AS, WELL_KNOWN, attribute, long_attribute, segment, sequence,
};
use crate::row::Outcome::{Announced, AnnouncedWithout, Notification, Untouched, Withdrawn};
use crate::row::{Outcome, Session};
use crate::rows::Rows;
use Session::{External, Internal, TwoOctet};

/// What the RFCs say of one attribute in one kind of session.
struct Rule {
    code: u8,
    name: &'static str,
    clause: &'static str,
    session: Session,
    flags: u8,
    /// A value without fault.
    good: Vec<u8>,
    /// What of the good value may come.
    on_good: Vec<Outcome>,
    is_length: fn(usize) -> bool,
    on_length: Vec<Outcome>,
    on_flags: Vec<Outcome>,
}

pub(crate) fn add(rows: &mut Rows) {
    for rule in rules() {
        flags(rows, &rule);
        lengths(rows, &rule);
        twice(rows, &rule);
    }
    origins(rows);
    next_hops(rows);
    as_paths(rows);
    as4_paths(rows);
    aggregators(rows);
    unknown(rows);
    missing(rows);
    several(rows);
}

fn rules() -> Vec<Rule> {
    let rule =
        |code, name, clause, session, flags, good: &[u8], is_length, on_length: Outcome| Rule {
            code,
            name,
            clause,
            session,
            flags,
            good: good.to_vec(),
            on_good: vec![Announced],
            is_length,
            on_length: vec![on_length],
            // RFC 7606 §3 (c).
            on_flags: vec![Withdrawn],
        };
    // RFC 7606 §7: discarded from an external peer, whatever it is. §3 (c) comes
    // first where its flags are wrong too.
    let foreign = |code, name, clause, flags, good: &[u8]| Rule {
        on_good: vec![AnnouncedWithout(code)],
        on_flags: vec![Withdrawn, AnnouncedWithout(code)],
        ..rule(
            code,
            name,
            clause,
            External,
            flags,
            good,
            |_| false,
            AnnouncedWithout(code),
        )
    };
    // Optional to implement: carried unread, or judged by its own RFC.
    let may_be_unknown = |code, name, clause, flags, good: &[u8], is_length, on_length| Rule {
        on_length: vec![Announced, on_length],
        on_flags: vec![Withdrawn, Announced, AnnouncedWithout(code)],
        ..rule(
            code, name, clause, External, flags, good, is_length, on_length,
        )
    };
    let path = segment(External, 2, &[PEER_AS]);
    let mut rules = vec![
        rule(
            ORIGIN,
            "ORIGIN",
            "RFC 7606 §7.1",
            External,
            WELL_KNOWN,
            &[0],
            |length| length == 1,
            Withdrawn,
        ),
        rule(
            NEXT_HOP_ATTRIBUTE,
            "NEXT_HOP",
            "RFC 7606 §7.3",
            External,
            WELL_KNOWN,
            &crate::bytes::NEXT_HOP,
            |length| length == 4,
            Withdrawn,
        ),
        rule(
            MED,
            "MULTI_EXIT_DISC",
            "RFC 7606 §7.4",
            External,
            OPTIONAL,
            &[0, 0, 0, 9],
            |length| length == 4,
            Withdrawn,
        ),
        rule(
            LOCAL_PREF,
            "LOCAL_PREF",
            "RFC 7606 §7.5",
            Internal,
            WELL_KNOWN,
            &[0, 0, 0, 9],
            |length| length == 4,
            Withdrawn,
        ),
        rule(
            6,
            "ATOMIC_AGGREGATE",
            "RFC 7606 §7.6",
            External,
            WELL_KNOWN,
            &[],
            |length| length == 0,
            AnnouncedWithout(6),
        ),
        rule(
            7,
            "AGGREGATOR",
            "RFC 7606 §7.7",
            External,
            CARRIED,
            &[0, 0, 0x1c, 0x38, 10, 0, 0, 1],
            |length| length == 8,
            AnnouncedWithout(7),
        ),
        rule(
            7,
            "AGGREGATOR",
            "RFC 7606 §7.7",
            TwoOctet,
            CARRIED,
            &[0x1c, 0x38, 10, 0, 0, 1],
            |length| length == 6,
            AnnouncedWithout(7),
        ),
        rule(
            8,
            "COMMUNITIES",
            "RFC 7606 §7.8",
            External,
            CARRIED,
            &[0, 1, 0, 2],
            |length| length > 0 && length % 4 == 0,
            Withdrawn,
        ),
        rule(
            9,
            "ORIGINATOR_ID",
            "RFC 7606 §7.9",
            Internal,
            OPTIONAL,
            &[10, 0, 0, 9],
            |length| length == 4,
            Withdrawn,
        ),
        rule(
            10,
            "CLUSTER_LIST",
            "RFC 7606 §7.10",
            Internal,
            OPTIONAL,
            &[10, 0, 0, 9],
            |length| length > 0 && length % 4 == 0,
            Withdrawn,
        ),
        rule(
            16,
            "EXTENDED COMMUNITIES",
            "RFC 7606 §7.14",
            External,
            CARRIED,
            &[0, 2, 0, 1, 0, 0, 0, 2],
            |length| length > 0 && length % 8 == 0,
            Withdrawn,
        ),
        rule(
            32,
            "LARGE COMMUNITIES",
            "RFC 8092 §6",
            External,
            CARRIED,
            &[0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3],
            |length| length > 0 && length % 12 == 0,
            Withdrawn,
        ),
        foreign(
            LOCAL_PREF,
            "LOCAL_PREF",
            "RFC 7606 §7.5",
            WELL_KNOWN,
            &[0, 0, 0, 9],
        ),
        foreign(
            9,
            "ORIGINATOR_ID",
            "RFC 7606 §7.9",
            OPTIONAL,
            &[10, 0, 0, 9],
        ),
        foreign(
            10,
            "CLUSTER_LIST",
            "RFC 7606 §7.10",
            OPTIONAL,
            &[10, 0, 0, 9],
        ),
        may_be_unknown(
            25,
            "IPv6 EXTENDED COMMUNITIES",
            "RFC 7606 §7.15",
            CARRIED,
            &[0; 20],
            |length| length > 0 && length % 20 == 0,
            Withdrawn,
        ),
        may_be_unknown(
            35,
            "ONLY TO CUSTOMER",
            "RFC 9234 §5",
            CARRIED,
            &[0, 0, 0x1c, 0x38],
            |length| length == 4,
            Withdrawn,
        ),
        may_be_unknown(
            26,
            "AIGP",
            "RFC 7311 §3",
            OPTIONAL,
            &[1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 1],
            |_| false,
            AnnouncedWithout(26),
        ),
        may_be_unknown(
            29,
            "BGP-LS",
            "RFC 9552 §8.2.2",
            OPTIONAL,
            &[4, 0, 0, 1, 0],
            |_| false,
            AnnouncedWithout(29),
        ),
        may_be_unknown(
            40,
            "PREFIX-SID",
            "RFC 8669 §6",
            CARRIED,
            &[1, 0, 7, 0, 0, 0, 0, 0, 0, 1],
            |_| false,
            AnnouncedWithout(40),
        ),
    ];
    for code in [
        22, 23, 27, 30, 33, 34, 36, 37, 39, 41, 99, 128, 129, 254, 255,
    ] {
        rules.push(may_be_unknown(
            code,
            "unknown",
            "RFC 4271 §5",
            CARRIED,
            &[1, 2, 3, 4],
            |_| false,
            Announced,
        ));
    }
    for code in [17, 18] {
        // RFC 6793 §4.1, §6: discarded, whatever is wrong with it.
        let good: &[u8] = if code == 17 {
            &path
        } else {
            &[0, 0, 0x1c, 0x38, 10, 0, 0, 1]
        };
        rules.push(Rule {
            on_flags: vec![AnnouncedWithout(code)],
            ..foreign(
                code,
                "AS4_PATH or AS4_AGGREGATOR",
                "RFC 6793 §4.1",
                CARRIED,
                good,
            )
        });
    }
    rules
}

/// In front of all others, among them, at the end.
const PLACES: [usize; 3] = [0, 2, usize::MAX];

fn flags(rows: &mut Rows, rule: &Rule) {
    let Rule {
        code,
        name,
        clause,
        session,
        flags,
        good,
        ..
    } = rule;
    // Optional and Transitive, each way, with and without the others.
    for kind in [0x00, WELL_KNOWN, OPTIONAL, CARRIED] {
        for rest in [0x00, 0x20, 0x0f, 0x2f, 0x01, 0x08] {
            for place in PLACES {
                let sent = attribute(kind | rest, *code, good);
                let permitted = if kind == *flags {
                    &rule.on_good
                } else {
                    &rule.on_flags
                };
                let permitted = well_known_and_unknown(*code, kind, permitted);
                let title = format!("{name} ({code}) with flags {:#04x} at {place}", kind | rest);
                let change = |parts: Parts| parts.without(*code).insert(place, sent);
                rows.update(title, clause, *session, change, &permitted);
            }
        }
    }
    let long = long_attribute(*flags, *code, good);
    let title = format!("{name} ({code}) with a length of two octets");
    rows.update(
        title,
        clause,
        *session,
        |parts| parts.without(*code).with(long),
        &rule.on_good,
    );
}

/// RFC 4271 §6.3: an attribute that says it is well-known but isn't.
fn well_known_and_unknown(code: u8, flags: u8, permitted: &[Outcome]) -> Vec<Outcome> {
    let unknown = !matches!(code, 1..=10 | 14..=18 | 32);
    if unknown && flags & OPTIONAL == 0 {
        [permitted, &[Notification(3, 2)]].concat()
    } else {
        permitted.to_vec()
    }
}

fn lengths(rows: &mut Rows, rule: &Rule) {
    let Rule {
        code,
        name,
        clause,
        session,
        flags,
        good,
        ..
    } = rule;
    for length in (0..=26).chain([
        31, 32, 40, 63, 64, 127, 128, 253, 254, 255, 256, 257, 512, 1021,
    ]) {
        // A good value, again and again, or cut.
        let value: Vec<u8> = match good.as_slice() {
            [] => vec![0; length],
            good => good.iter().copied().cycle().take(length).collect(),
        };
        let right = (rule.is_length)(length);
        let permitted = if right {
            &rule.on_good
        } else {
            &rule.on_length
        };
        for place in PLACES {
            let title = format!("{name} ({code}) of {length} octets at {place}, {session:?}");
            let sent = attribute(*flags, *code, &value);
            let change = |parts: Parts| parts.without(*code).insert(place, sent);
            rows.update(title, clause, *session, change, permitted);
        }
        // The same without prefixes in the body.
        if *code != NEXT_HOP_ATTRIBUTE {
            let title = format!("{name} ({code}) of {length} octets, IPv6, {session:?}");
            let sent = attribute(*flags, *code, &value);
            let change = |parts: Parts, _| parts.without(*code).with(sent);
            rows.update_v6(title, clause, *session, change, permitted);
        }
    }
}

/// RFC 7606 §3 (g): the first one counts, whatever the others are.
fn twice(rows: &mut Rows, rule: &Rule) {
    let Rule {
        code,
        name,
        session,
        flags,
        good,
        on_good,
        ..
    } = rule;
    let other: Vec<u8> = good.iter().map(|octet| octet ^ 1).collect();
    let wrong = [good.as_slice(), &[0]].concat();
    for (what, again) in [
        ("the same", good.clone()),
        ("another", other),
        ("a malformed one", wrong),
        ("an empty one", vec![]),
    ] {
        for place in [1, usize::MAX] {
            let title = format!("{name} ({code}), and {what} once more at {place}");
            let sent = attribute(*flags, *code, good);
            let again = attribute(*flags, *code, &again);
            let change = |parts: Parts| parts.without(*code).insert(0, sent).insert(place, again);
            rows.update(title, "RFC 7606 §3 (g)", *session, change, on_good);
        }
    }
    let title = format!("{name} ({code}), a second time with other flags");
    let sent = attribute(*flags, *code, good);
    let again = attribute(*flags ^ 0x80, *code, good);
    let change = |parts: Parts| parts.without(*code).insert(0, sent).with(again);
    rows.update(title, "RFC 7606 §3 (g)", *session, change, on_good);
    if !(rule.is_length)(good.len() + 1) {
        let title = format!("{name} ({code}), a malformed one first");
        let wrong = attribute(*flags, *code, &[good.as_slice(), &[0]].concat());
        let again = attribute(*flags, *code, good);
        let change = |parts: Parts| parts.without(*code).insert(0, wrong).with(again);
        rows.update(
            title,
            "RFC 7606 §3 (g), (h)",
            *session,
            change,
            &rule.on_length,
        );
    }
}

fn origins(rows: &mut Rows) {
    for value in 0..=255 {
        let permitted: &[Outcome] = if value < 3 {
            &[Announced]
        } else {
            &[Withdrawn]
        };
        let sent = attribute(WELL_KNOWN, ORIGIN, &[value]);
        rows.update(
            format!("ORIGIN {value}"),
            "RFC 7606 §7.1",
            External,
            |parts| parts.replace(ORIGIN, sent),
            permitted,
        );
    }
}

fn next_hops(rows: &mut Rows) {
    for address in [
        [0, 0, 0, 0],
        [0, 0, 0, 1],
        [0, 255, 255, 255],
        [127, 0, 0, 1],
        [127, 255, 0, 0],
        [224, 0, 0, 1],
        [239, 255, 255, 255],
        [255, 255, 255, 255],
    ] {
        let sent = attribute(WELL_KNOWN, NEXT_HOP_ATTRIBUTE, &address);
        rows.update(
            format!("NEXT_HOP {address:?}"),
            "RFC 4271 §6.3, RFC 7606 §7.3",
            External,
            |parts| parts.replace(NEXT_HOP_ATTRIBUTE, sent),
            &[Withdrawn, Untouched],
        );
    }
    // Ours, not on the link, the network's and broadcast addresses, reserved ones.
    for address in [
        [169, 254, 255, 2],
        [8, 8, 8, 8],
        [169, 254, 255, 0],
        [169, 254, 255, 255],
        [240, 0, 0, 1],
        [10, 0, 0, 1],
    ] {
        let sent = attribute(WELL_KNOWN, NEXT_HOP_ATTRIBUTE, &address);
        // Kept but not used, or left out: the session stays either way.
        rows.update(
            format!("NEXT_HOP {address:?}"),
            "RFC 4271 §6.3 (a), (b)",
            External,
            |parts| parts.replace(NEXT_HOP_ATTRIBUTE, sent),
            &[Announced, Withdrawn, Untouched],
        );
    }
    // RFC 4760 §3: with IPv6 alone it means nothing.
    for value in [&[][..], &[1], &[0; 4], &[127, 0, 0, 1], &[0; 16]] {
        let sent = attribute(WELL_KNOWN, NEXT_HOP_ATTRIBUTE, value);
        rows.update_v6(
            format!("NEXT_HOP {value:?} beside IPv6 alone"),
            "RFC 4760 §3, RFC 7606 §7.3",
            External,
            |parts, _| parts.with(sent),
            &[Announced, Withdrawn],
        );
    }
}

/// RFC 7606 §7.2, RFC 5065 §5, RFC 7607 §2.
fn as_paths(rows: &mut Rows) {
    let mut path =
        |name: String, clause: &str, session: Session, value: Vec<u8>, permitted: &[Outcome]| {
            let sent = attribute(WELL_KNOWN, AS_PATH, &value);
            rows.update(
                name,
                clause,
                session,
                |parts| parts.replace(AS_PATH, sent),
                permitted,
            );
        };
    for session in [External, TwoOctet] {
        let front = sequence(session, &[PEER_AS, 174]);
        for kind in (0..=255_u8).filter(|kind| !(1..=4).contains(kind)) {
            let value = [front.clone(), segment(session, kind, &[174])].concat();
            path(
                format!("AS_PATH, a segment of type {kind}, {session:?}"),
                "RFC 7606 §7.2",
                session,
                value,
                &[Withdrawn],
            );
            if kind < 12 {
                path(
                    format!("AS_PATH, first a segment of type {kind}, {session:?}"),
                    "RFC 7606 §7.2",
                    session,
                    [segment(session, kind, &[174]), front.clone()].concat(),
                    &[Withdrawn],
                );
            }
        }
        for kind in 1..=4 {
            for place in 0..3 {
                let mut segments = vec![front.clone(), sequence(session, &[1299])];
                segments.insert(place, vec![kind, 0]);
                path(
                    format!("AS_PATH, an empty segment of type {kind} at {place}, {session:?}"),
                    "RFC 7606 §7.2",
                    session,
                    segments.concat(),
                    &[Withdrawn],
                );
            }
            for beyond in [1, 2, 3, 100, 253] {
                let mut last = segment(session, kind, &[174, 1299]);
                last[1] += beyond;
                path(
                    format!(
                        "AS_PATH, a last segment of type {kind} with {beyond} ASNs too few, {session:?}"
                    ),
                    "RFC 7606 §7.2",
                    session,
                    [front.clone(), last].concat(),
                    &[Withdrawn],
                );
            }
            for cut in 1..=4 {
                let mut last = segment(session, kind, &[174, 1299]);
                last.truncate(last.len() - cut);
                path(
                    format!(
                        "AS_PATH, {cut} octets short, last segment of type {kind}, {session:?}"
                    ),
                    "RFC 7606 §7.2",
                    session,
                    [front.clone(), last].concat(),
                    &[Withdrawn],
                );
            }
            path(
                format!("AS_PATH, a lone {kind} at the end, {session:?}"),
                "RFC 7606 §7.2",
                session,
                [front.clone(), vec![kind]].concat(),
                &[Withdrawn],
            );
            let zero = [front.clone(), segment(session, kind, &[174, 0])].concat();
            path(
                format!("AS_PATH, AS 0 in a segment of type {kind}, {session:?}"),
                "RFC 7607 §2",
                session,
                zero,
                &[Withdrawn],
            );
        }
        for kind in [3, 4] {
            for value in [
                segment(session, kind, &[65_001]),
                [segment(session, kind, &[65_001]), front.clone()].concat(),
                [front.clone(), segment(session, kind, &[65_001])].concat(),
            ] {
                path(
                    format!(
                        "AS_PATH with a confederation's segment of type {kind}, {} octets, {session:?}",
                        value.len()
                    ),
                    "RFC 5065 §5, RFC 7606 §7.2",
                    session,
                    value,
                    &[Withdrawn],
                );
            }
        }
        let set = [front.clone(), segment(session, 1, &[64_512, 64_513])].concat();
        path(
            format!("AS_PATH with a set, {session:?}"),
            "RFC 9774 §3",
            session,
            set,
            &[Withdrawn, Announced],
        );
        path(
            format!("AS_PATH that begins with a set, {session:?}"),
            "RFC 9774 §3, RFC 4271 §6.3",
            session,
            segment(session, 1, &[PEER_AS]),
            &[Withdrawn, Announced],
        );
        path(
            format!("AS_PATH, empty from an external peer, {session:?}"),
            "RFC 4271 §5.1.2, §6.3",
            session,
            vec![],
            &[Withdrawn, Announced],
        );
        path(
            format!("AS_PATH that begins with another AS, {session:?}"),
            "RFC 4271 §6.3",
            session,
            sequence(session, &[174, PEER_AS]),
            &[Withdrawn, Announced],
        );
        path(
            format!("AS_PATH with the speaker's own AS, {session:?}"),
            "RFC 4271 §9.1.2",
            session,
            sequence(session, &[PEER_AS, SPEAKER_AS]),
            &[Announced, Withdrawn, Untouched],
        );
        path(
            format!("AS_PATH with AS_TRANS, {session:?}"),
            "RFC 6793 §4.2.3",
            session,
            sequence(session, &[PEER_AS, 23_456, 23_456]),
            &[Announced],
        );
        for count in [255, 2, 1] {
            path(
                format!("AS_PATH with a sequence of {count}, {session:?}"),
                "RFC 4271 §4.3",
                session,
                sequence(session, &vec![PEER_AS; count]),
                &[Announced],
            );
        }
        path(
            format!("AS_PATH with 200 segments, {session:?}"),
            "RFC 4271 §4.3",
            session,
            sequence(session, &[PEER_AS]).repeat(200),
            &[Announced],
        );
        path(
            format!("AS_PATH with 900 ASNs in segments of 225, {session:?}"),
            "RFC 4271 §4.3",
            session,
            sequence(session, &[PEER_AS; 225]).repeat(4),
            &[Announced, Withdrawn],
        );
    }
    // In the other width: octets that are not whole segments.
    path(
        "AS_PATH of two octets in a four-octet session".into(),
        "RFC 7606 §7.2",
        External,
        sequence(TwoOctet, &[PEER_AS, 174, 1299]),
        &[Withdrawn],
    );
    path(
        "AS_PATH of four octets in a two-octet session".into(),
        "RFC 7606 §7.2",
        TwoOctet,
        sequence(External, &[PEER_AS, 174, 1299]),
        &[Withdrawn],
    );
    path(
        "AS_PATH, empty from an internal peer".into(),
        "RFC 4271 §5.1.2",
        Internal,
        vec![],
        &[Announced],
    );
    for kind in [0, 5, 255] {
        path(
            format!("AS_PATH, a segment of type {kind}, internal"),
            "RFC 7606 §7.2",
            Internal,
            segment(Internal, kind, &[174]),
            &[Withdrawn],
        );
    }
    path(
        "AS_PATH of 1 octet, internal".into(),
        "RFC 7606 §7.2",
        Internal,
        vec![2],
        &[Withdrawn],
    );
    path(
        "AS_PATH, an empty segment, internal".into(),
        "RFC 7606 §7.2",
        Internal,
        vec![2, 0],
        &[Withdrawn],
    );
}

/// RFC 6793 §6: a malformed AS4_PATH is discarded and the UPDATE counts.
fn as4_paths(rows: &mut Rows) {
    let good = segment(External, 2, &[PEER_AS, 196_608]);
    let mut wrong: Vec<(String, Vec<u8>)> = vec![
        ("empty".into(), vec![]),
        ("a lone octet".into(), vec![2]),
        ("an empty segment".into(), vec![2, 0]),
        ("a set that overruns".into(), vec![1, 3, 0, 0, 0, 1]),
        ("AS 0".into(), segment(External, 2, &[0, 1])),
        (
            "longer than AS_PATH".into(),
            segment(External, 2, &[PEER_AS, 1, 2, 3, 4, 5]),
        ),
        (
            "a confederation's segment first".into(),
            [
                segment(External, 3, &[65_024, 65_025]),
                segment(External, 2, &[10]),
            ]
            .concat(),
        ),
        (
            "a confederation's segment alone".into(),
            segment(External, 3, &[65_024]),
        ),
        (
            "two octets wide".into(),
            segment(TwoOctet, 2, &[PEER_AS, 174, 1299]),
        ),
    ];
    wrong.extend((0..=6).chain([128, 255]).map(|kind| {
        (
            format!("a segment of type {kind}"),
            segment(External, kind, &[196_608]),
        )
    }));
    wrong.extend(
        (1..good.len()).map(|kept| (format!("cut after {kept} octets"), good[..kept].to_vec())),
    );
    for (what, value) in wrong {
        let sent = attribute(CARRIED, 17, &value);
        let change = |parts: Parts| {
            parts
                .replace(
                    AS_PATH,
                    attribute(WELL_KNOWN, AS_PATH, &sequence(TwoOctet, &[PEER_AS, 23_456])),
                )
                .with(sent)
        };
        rows.update(
            format!("AS4_PATH, {what}, two-octet"),
            "RFC 6793 §6",
            TwoOctet,
            change,
            &[AnnouncedWithout(17)],
        );
        let sent = attribute(CARRIED, 17, &value);
        rows.update(
            format!("AS4_PATH, {what}, four-octet"),
            "RFC 6793 §4.1",
            External,
            |parts| parts.with(sent),
            &[AnnouncedWithout(17)],
        );
    }
    for length in 0..20 {
        let value = vec![9; length];
        for session in [TwoOctet, External] {
            let sent = attribute(CARRIED, 18, &value);
            rows.update(
                format!("AS4_AGGREGATOR of {length} octets, {session:?}"),
                "RFC 6793 §6",
                session,
                |parts| parts.with(sent),
                &[AnnouncedWithout(18)],
            );
        }
    }
    for flags in [0x00, WELL_KNOWN, OPTIONAL] {
        for code in [17, 18] {
            let sent = attribute(
                flags,
                code,
                if code == 17 {
                    &good
                } else {
                    &[0, 3, 0, 0, 10, 0, 0, 1]
                },
            );
            rows.update(
                format!("attribute {code} with flags {flags:#04x}, two-octet"),
                "RFC 6793 §6, RFC 7606 §3 (c)",
                TwoOctet,
                |parts| parts.with(sent),
                &[AnnouncedWithout(code), Withdrawn],
            );
        }
    }
}

/// RFC 7607 §2, RFC 6793 §4.2.3.
fn aggregators(rows: &mut Rows) {
    let zero = attribute(CARRIED, 7, &[0, 0, 0, 0, 10, 0, 0, 1]);
    rows.update(
        "AGGREGATOR with AS 0",
        "RFC 7607 §2",
        External,
        |parts| parts.with(zero),
        &[AnnouncedWithout(7)],
    );
    let zero = attribute(CARRIED, 7, &[0, 0, 10, 0, 0, 1]);
    rows.update(
        "AGGREGATOR with AS 0, two-octet",
        "RFC 7607 §2",
        TwoOctet,
        |parts| parts.with(zero),
        &[AnnouncedWithout(7)],
    );
    for aggregator in [[0x5b, 0xa0], [0x1c, 0x38]] {
        let [high, low] = aggregator;
        let old = attribute(CARRIED, 7, &[high, low, 10, 0, 0, 1]);
        for new in [vec![0, 3, 0, 0, 10, 0, 0, 1], vec![0; 8], vec![1]] {
            let (old, new) = (old.clone(), attribute(CARRIED, 18, &new));
            rows.update(
                format!("AGGREGATOR {aggregator:02x?} and {new:02x?}"),
                "RFC 6793 §4.2.3",
                TwoOctet,
                |parts| parts.with(old).with(new),
                &[Announced],
            );
        }
    }
    let zero = attribute(CARRIED, 35, &[0; 4]);
    rows.update(
        "ONLY TO CUSTOMER with AS 0",
        "RFC 9234 §5, RFC 7607",
        External,
        |parts| parts.with(zero),
        &[Announced, Withdrawn],
    );
}

/// RFC 4271 §5, §6.3, §9.
fn unknown(rows: &mut Rows) {
    let read = |code: u8| matches!(code, 1..=10 | 14..=18 | 25 | 26 | 29 | 32 | 35 | 40);
    for code in (0..=255_u8).filter(|code| !read(*code)) {
        for (flags, mut permitted) in [
            (CARRIED, vec![Announced]),
            (0xe0, vec![Announced]),
            (OPTIONAL, vec![AnnouncedWithout(code)]),
            (0xa0, vec![AnnouncedWithout(code)]),
            (WELL_KNOWN, vec![Notification(3, 2)]),
            (0x00, vec![Notification(3, 2)]),
        ] {
            if code == 0 {
                // Reserved: left out, or taken as unknown.
                permitted.extend([Announced, Withdrawn]);
            }
            // A speaker that knows one of these may ask for other flags (RFC 7606
            // §3 (c)).
            if matches!(code, 11..=13 | 19..=24 | 27..=41 | 128) {
                permitted.extend([Withdrawn, AnnouncedWithout(code)]);
            }
            let sent = attribute(flags, code, &[1, 2, 3]);
            rows.update(
                format!("unknown attribute {code} with flags {flags:#04x}"),
                "RFC 4271 §5, §6.3",
                External,
                |parts| parts.with(sent),
                &permitted,
            );
        }
    }
    let many: Vec<_> = (42..=127)
        .chain(130..=250)
        .map(|code| attribute(CARRIED, code, &[code]))
        .collect();
    let all = many.concat();
    rows.update(
        "every unknown attribute at once",
        "RFC 4271 §5",
        External,
        |parts| parts.with(all),
        &[Announced],
    );
    let empty = attribute(CARRIED, 99, &[]);
    rows.update(
        "an unknown attribute without value",
        "RFC 4271 §5",
        External,
        |parts| parts.with(empty),
        &[Announced],
    );
}

/// RFC 7606 §3 (d).
fn missing(rows: &mut Rows) {
    for gone in [
        vec![1],
        vec![2],
        vec![3],
        vec![1, 2],
        vec![1, 3],
        vec![2, 3],
        vec![1, 2, 3],
    ] {
        for companion in [
            None,
            Some(attribute(CARRIED, 99, &[1])),
            Some(attribute(CARRIED, 8, &[0, 1, 0, 2])),
            Some(attribute(OPTIONAL, 15, &[0, 2, 1])),
            Some(attribute(OPTIONAL, MED, &[0, 0, 0, 1])),
        ] {
            let name = format!("attributes {gone:?} missing beside {companion:02x?}");
            let change = |parts: Parts| {
                let parts = gone.iter().fold(parts, |parts, code| parts.without(*code));
                companion.into_iter().fold(parts, Parts::with)
            };
            rows.update(name, "RFC 7606 §3 (d)", External, change, &[Withdrawn]);
        }
    }
    for gone in [vec![1], vec![2], vec![1, 2]] {
        let name = format!("attributes {gone:?} missing, IPv6");
        let change = |parts: Parts, _| gone.iter().fold(parts, |parts, code| parts.without(*code));
        rows.update_v6(name, "RFC 7606 §3 (d)", External, change, &[Withdrawn]);
    }
    rows.update(
        "LOCAL_PREF missing from an internal peer",
        "RFC 7606 §3 (d), RFC 4271 §5.1.5",
        Internal,
        |parts| parts.without(LOCAL_PREF),
        &[Withdrawn, Announced],
    );
}

/// RFC 7606 §3 (h): the strongest counts.
fn several(rows: &mut Rows) {
    let discards = [
        attribute(CARRIED, 7, &[0; 5]),
        attribute(WELL_KNOWN, 6, &[1]),
        attribute(CARRIED, 17, &[2]),
        attribute(WELL_KNOWN, LOCAL_PREF, &[]),
    ];
    let withdraws = [
        (ORIGIN, attribute(WELL_KNOWN, ORIGIN, &[3])),
        (MED, attribute(OPTIONAL, MED, &[1])),
        (8, attribute(CARRIED, 8, &[])),
        (32, attribute(CARRIED, 32, &[0; 13])),
        (AS_PATH, attribute(WELL_KNOWN, AS_PATH, &[9])),
    ];
    for (place, discard) in discards.iter().enumerate() {
        for (code, withdraw) in &withdraws {
            for first in [true, false] {
                let (discard, withdraw) = (discard.clone(), withdraw.clone());
                let change = |parts: Parts| {
                    let parts = parts.without(*code);
                    if first {
                        parts.insert(0, discard).with(withdraw)
                    } else {
                        parts.insert(0, withdraw).with(discard)
                    }
                };
                rows.update(
                    format!(
                        "an error to discard (number {place}) and one of attribute {code}, {first}"
                    ),
                    "RFC 7606 §3 (h)",
                    External,
                    change,
                    &[Withdrawn],
                );
            }
        }
    }
    for discard in discards {
        for (code, withdraw) in &withdraws {
            // And one that costs the session.
            let (discard, withdraw) = (discard.clone(), withdraw.clone());
            let change = |parts: Parts| {
                let mut parts = parts.without(*code).with(discard).with(withdraw);
                parts.nlri = vec![33, 10, 0, 0, 0, 0];
                parts
            };
            rows.update(
                format!("three errors, one of attribute {code}"),
                "RFC 7606 §3 (h), (j)",
                External,
                change,
                &[Notification(3, 10), Notification(3, 1)],
            );
        }
    }
}
