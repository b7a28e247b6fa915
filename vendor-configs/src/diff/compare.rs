//! Entries of two texts against each other.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::flat::Entry;
use super::{Difference, DifferenceKind, Weight};
use crate::KeyText;

pub(super) fn compare(wanted: &[Entry], existing: &[Entry]) -> Vec<Difference> {
    let subjects = subjects(wanted);
    let mut missing: Vec<&Entry> = only_in(wanted, existing);
    let mut extra: Vec<&Entry> = only_in(existing, wanted);
    let mut found = Vec::new();
    missing.retain(|want| {
        let partner = extra.iter().position(|have| {
            same_setting(want, have) && is_single(want, wanted) && is_single(have, existing)
        });
        partner.is_none_or(|at| {
            let have = extra.remove(at);
            found.push(told(DifferenceKind::Changed, Some(want), Some(have)));
            false
        })
    });
    extra.retain(|entry| is_about(entry, &subjects));
    // A block that is missing as a whole is said once.
    for entry in &missing {
        let above = |other: &&Entry| {
            other.words.join(" ") == *entry.place.last().map_or("", |last| last)
                && other.place == entry.place[..entry.place.len().saturating_sub(1)]
        };
        if !entry.place.is_empty() && missing.iter().any(above) {
            continue;
        }
        found.push(told(DifferenceKind::Missing, Some(entry), None));
    }
    for entry in &extra {
        let above = |other: &&Entry| {
            !entry.place.is_empty() && other.words.join(" ") == entry.place[entry.place.len() - 1]
        };
        if !extra.iter().any(above) {
            found.push(told(DifferenceKind::Extra, None, Some(entry)));
        }
    }
    found.extend(disordered(wanted, existing));
    found
}

fn only_in<'a>(these: &'a [Entry], those: &[Entry]) -> Vec<&'a Entry> {
    these
        .iter()
        .filter(|one| !those.iter().any(|other| same(one, other)))
        .collect()
}

/// A key that is left out of a text, or disguised there, is like any.
fn same(one: &Entry, other: &Entry) -> bool {
    if one.place != other.place || one.words.first() != other.words.first() {
        return false;
    }
    let (own, key) = canonical(&one.words);
    let (known, known_key) = canonical(&other.words);
    let keys = key.zip(known_key).is_none_or(|(key, known)| key == known);
    let both_or_none = is_keyed(one) == is_keyed(other);
    own == known && keys && both_or_none
}

fn is_keyed(entry: &Entry) -> bool {
    key_at(&entry.words).is_some()
}

/// The words without what only says how a key is written, and the key, if it can
/// be compared.
fn canonical(words: &[String]) -> (Vec<&str>, Option<String>) {
    let Some(at) = key_at(words) else {
        return (words.iter().map(String::as_str).collect(), None);
    };
    let key = words[at..].join(" ");
    let comparable = key != KeyText::REDACTED && !is_disguised(words, at);
    let known = words[..at].iter().map(String::as_str);
    let known = known.filter(|word| !MARKS[..9].contains(word)).collect();
    (known, comparable.then_some(key))
}

/// Where the key begins, if the entry has one.
fn key_at(words: &[String]) -> Option<usize> {
    let at = words
        .iter()
        .position(|word| KEY_WORDS.contains(&word.trim_end_matches('=')))?
        + 1;
    let marks = words[at..]
        .iter()
        .take_while(|word| MARKS.contains(&word.as_str()));
    let at = at + marks.count();
    (at < words.len()).then_some(at)
}

const KEY_WORDS: [&str; 8] = [
    "password",
    "authentication-key",
    "tcp-md5-key",
    "auth-password",
    "secret",
    "md5-key",
    "key-string",
    "md5sig",
];
/// What stands between such a word and the key.
const MARKS: [&str; 12] = [
    "0",
    "7",
    "3",
    "5",
    "6",
    "8a",
    "clear",
    "encrypted",
    "ENC",
    "password",
    "key",
    "=",
];

fn is_disguised(words: &[String], at: usize) -> bool {
    let mark = words[at - 1].as_str();
    ["7", "3", "5", "6", "8a", "encrypted", "ENC"].contains(&mark)
        || words[at].starts_with("$9$")
        || words[at] == "ENC"
}

/// For eyes: what may be a key is left out.
fn shown(entry: &Entry) -> String {
    match key_at(&entry.words) {
        Some(at) => format!("{} {}", entry.words[..at].join(" "), KeyText::REDACTED),
        None => entry.words.join(" "),
    }
}

/// Whether the two give one setting different values.
fn same_setting(want: &Entry, have: &Entry) -> bool {
    if want.place != have.place {
        return false;
    }
    let common = want
        .words
        .iter()
        .zip(&have.words)
        .take_while(|(a, b)| a == b)
        .count();
    let shorter = want.words.len().min(have.words.len());
    common >= 1 && common + 3 >= shorter && stem(want) == stem(have)
}

/// A setting's name: its words up to the first that is a value.
fn stem(entry: &Entry) -> &[String] {
    // A line that says its whole path ends with the value.
    if entry.place.is_empty() && entry.words.len() > 3 {
        return &entry.words[..entry.words.len() - 1];
    }
    let values = entry
        .words
        .iter()
        .enumerate()
        .skip(1)
        .find(|(index, word)| {
            let value =
                word.starts_with(|c: char| c.is_ascii_digit()) || word.contains(['.', ':', '/']);
            // The neighbor, list or interface that a line is about is part of its name.
            value && !NAMED.contains(&entry.words[index - 1].as_str())
        });
    let end = values.map_or(entry.words.len().max(2) - 1, |(index, _)| index);
    let free = entry
        .words
        .iter()
        .position(|word| COSMETIC.contains(&word.as_str()));
    &entry.words[..free.map_or(end, |at| (at + 1).min(end.max(at + 1)))]
}

const NAMED: [&str; 6] = ["neighbor", "unit", "vif", "ethernet", "peer", "units"];

/// No other entry of its text has the same name.
fn is_single(entry: &Entry, all: &[Entry]) -> bool {
    let own = all
        .iter()
        .filter(|other| other.place == entry.place && stem(other) == stem(entry));
    own.count() == 1
}

/// The words that say which link a text is about: addresses, names that the
/// wanted text makes, its interface.
fn subjects(wanted: &[Entry]) -> BTreeSet<&str> {
    let words = wanted.iter().flat_map(|entry| {
        let place = entry.place.iter().flat_map(|part| part.split_whitespace());
        entry.words.iter().map(String::as_str).chain(place)
    });
    words.filter(|word| is_subject(word)).collect()
}

fn is_subject(word: &str) -> bool {
    let address = word
        .parse::<IpAddr>()
        .is_ok_and(|ip| !word.starts_with("255.") && !ip.is_unspecified());
    let own = word.len() > 3
        && word
            .get(..3)
            .is_some_and(|start| ["DX-", "DX_", "dx-", "dx_"].contains(&start));
    let interface = word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word
            .rsplit_once('.')
            .is_some_and(|(_, unit)| unit.parse::<u16>().is_ok());
    address
        || own
        || interface
        || word
            .parse::<IpNet>()
            .is_ok_and(|net| net.addr() != net.network())
}

fn is_about(entry: &Entry, subjects: &BTreeSet<&str>) -> bool {
    let place = entry.place.iter().flat_map(|part| part.split_whitespace());
    let mut words = entry.words.iter().map(String::as_str).chain(place);
    words.any(|word| subjects.contains(word))
}

/// The same entries in another order, where that decides.
fn disordered(wanted: &[Entry], existing: &[Entry]) -> Vec<Difference> {
    let lists: BTreeSet<&String> = wanted
        .iter()
        .filter_map(|entry| entry.list.as_ref())
        .collect();
    let mut found = Vec::new();
    for list in lists {
        let of = |entries: &'_ [Entry]| {
            let own = entries
                .iter()
                .filter(|entry| entry.list.as_ref() == Some(list));
            own.map(|entry| (entry.line, entry.words.clone()))
                .collect::<Vec<_>>()
        };
        let (want, have) = (of(wanted), of(existing));
        let sorted = |list: &[(usize, Vec<String>)]| {
            let mut words: Vec<_> = list.iter().map(|(_, words)| words.clone()).collect();
            words.sort();
            words
        };
        let first = want.iter().zip(&have).find(|((_, a), (_, b))| a != b);
        if let Some(((_, want_first), (line, have_first))) =
            first.filter(|_| sorted(&want) == sorted(&have))
        {
            found.push(Difference {
                line: Some(*line),
                kind: DifferenceKind::Changed,
                weight: Weight::Matters,
                place: list.clone(),
                wanted: Some(want_first.join(" ")),
                existing: Some(have_first.join(" ")),
                why: "the first line that fits decides, and the order is another".to_owned(),
            });
        }
    }
    found
}

fn told(kind: DifferenceKind, want: Option<&Entry>, have: Option<&Entry>) -> Difference {
    let entry = want.or(have).expect("invariant: one side has it");
    let (weight, why) = weigh(kind, entry);
    Difference {
        line: have.map(|have| have.line),
        kind,
        weight,
        place: entry.place.join(" / "),
        wanted: want.map(shown),
        existing: have.map(shown),
        why: why.to_owned(),
    }
}

/// What people alone see.
const COSMETIC: [&str; 12] = [
    "description",
    "descr",
    "comment",
    "alias",
    "remark",
    "log-updown",
    "log-neighbor-changes",
    "load-interval",
    "hostname",
    "host-name",
    "log",
    "Description",
];

fn weigh(kind: DifferenceKind, entry: &Entry) -> (Weight, &'static str) {
    let has = |words: &[&str]| {
        entry
            .words
            .iter()
            .any(|word| words.contains(&word.trim_end_matches('=')))
    };
    if has(&COSMETIC) {
        return (Weight::Cosmetic, "only people read it");
    }
    let about: [(&[&str], &str); 9] = [
        (
            &KEY_WORDS,
            "AWS drops every packet of a session whose key differs",
        ),
        (
            &[
                "route-map",
                "route-policy",
                "import",
                "export",
                "prefix-list",
                "prefix-set",
                "route-filter",
                "policy-statement",
                "filter",
                "input.filter",
                "output.filter-chain",
                "allow",
                "deny",
                "permit",
                "net",
                "rule",
                "ip-prefix",
                "masklength-range",
            ],
            "the filters let other routes pass",
        ),
        (
            &["encapsulation", "vlan-id", "vif", "tag", "Id", "vlanid"],
            "AWS drops frames of other VLANs",
        ),
        (
            &["address", "local-address", "Address"],
            "AWS only speaks to the address that the VIF names",
        ),
        (&["mtu", "MTUBytes"], "packets that are too long vanish"),
        (
            &[
                "bfd",
                "fall-over",
                "bfd-liveness-detection",
                "use-bfd",
                "fast-detect",
            ],
            "without BFD a cut is noticed only after the hold time",
        ),
        (
            &[
                "maximum-prefix",
                "maximum-routes",
                "prefix-limit",
                "max-prefix",
                "max-prefixes",
                "limit",
                "input.limit-process-routes-ipv4",
            ],
            "without the limit a flood of routes fills this router's memory",
        ),
        (
            &[
                "remote-as",
                "peer-as",
                "local-as",
                "remote.as",
                "as",
                "autonomous-system",
            ],
            "the session does not come up with another AS number",
        ),
        (
            &["community", "send-community", "send-community-ebgp"],
            "AWS then chooses among your links by its own rules",
        ),
    ];
    let known = about
        .iter()
        .find(|(words, _)| has(words))
        .map(|(_, why)| *why);
    let usual = match kind {
        DifferenceKind::Missing => "the link lacks it",
        DifferenceKind::Changed => "the link behaves differently",
        DifferenceKind::Extra => "it is about the same link, and the wanted text doesn't have it",
    };
    (Weight::Matters, known.unwrap_or(usual))
}
