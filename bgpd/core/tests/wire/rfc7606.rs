//! Two corpora of hostile inputs, row by row. Peer AS 7224, four-octet AS
//! numbers, IPv4 unicast (and IPv6 where a row needs it).

use std::fmt::Write;

use bgp_core::wire::{Codec, Decoded, Message, Treatment, Update};
use ipnet::IpNet;
use serde_json::Value;

use crate::support;

/// Decided by the session, not by one message: here they only have to decode.
const LEFT_TO_THE_SESSION: &[&str] = &[
    "open-as-unexpected",
    "open-as4-cap-differs",
    "fsm-keepalive-before-open",
    "fsm-notification-before-open",
    "fsm-open-in-established",
    "notif-shutdown-255-octets",
    "notif-hard-reset-truncated",
];

/// Rows of the second corpus whose expectation is its maker's choice: what
/// happens here instead, and why.
const OTHERWISE: &[(&str, &str, &str)] = &[
    (
        "frr-origin-flag-partial",
        "accept",
        "RFC 7606 §3 (c) names Optional and Transitive only",
    ),
    (
        "frr-aspath-flag-partial",
        "accept",
        "RFC 7606 §3 (c) names Optional and Transitive only",
    ),
    (
        "frr-as4path-flag-nontrans",
        "attribute-discard",
        "RFC 6793 §4.1: discarded, whatever it is",
    ),
    (
        "frr-as4path-seg-type-0",
        "attribute-discard",
        "RFC 6793 §4.1: discarded, whatever it is",
    ),
    (
        "frr-pmsi-flag-nontrans",
        "accept",
        "unknown here, not transitive: dropped",
    ),
    ("frr-pmsi-len-4", "accept", "unknown here: carried"),
    ("frr-pmsi-type-8", "accept", "unknown here: carried"),
    ("frr-pmsi-type-255", "accept", "unknown here: carried"),
    (
        "frr-pmsi-ingress-repl-len-10",
        "accept",
        "unknown here: carried",
    ),
    (
        "frr-encap-flag-nontrans",
        "accept",
        "unknown here, not transitive: dropped",
    ),
    ("frr-encap-len-3", "accept", "unknown here: carried"),
    (
        "frr-encap-outer-len-mismatch",
        "accept",
        "unknown here: carried",
    ),
    (
        "frr-encap-subtlv-overrun",
        "accept",
        "unknown here: carried",
    ),
    ("frr-nhc-bad-afi-safi", "accept", "unknown here: carried"),
    ("frr-nhc-tlv-overrun", "accept", "unknown here: carried"),
    (
        "frr-unknown-fe-transitive",
        "accept",
        "RFC 4271 §5: carried",
    ),
];

#[test]
fn hostile_inputs_cost_what_the_rfcs_ask() {
    check_rows("bad-inputs.jsonl", 86);
}

#[test]
fn frr_rfc_7606_cases_cost_what_the_rfcs_ask() {
    check_rows("frr-rfc7606-cases.jsonl", 77);
}

fn check_rows(file: &str, count: usize) {
    let text = support::text(file);
    let rows: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), count, "rows in {file}");
    let mut wrong = String::new();
    for row in &rows {
        let name = row["name"].as_str().unwrap();
        let verdict = check_row(name, row);
        println!("{name}: {verdict:?}");
        if let Err(reason) = verdict {
            writeln!(wrong, "{name}: {reason}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What came of it, or what is wrong with that.
fn check_row(name: &str, row: &Value) -> Result<String, String> {
    let decoded = support::decode(&support::hex(row["hex"].as_str().unwrap()), &session(row));
    if LEFT_TO_THE_SESSION.contains(&name) {
        return match decoded {
            Ok(_) => Ok("left to the session".to_owned()),
            Err(notification) => Err(format!("{notification}, but the session decides this")),
        };
    }
    let prefix = row["prefix"]
        .as_str()
        .map(|prefix| prefix.parse::<IpNet>().unwrap());
    let (outcome, carried) = match &decoded {
        Err(notification) => {
            let outcome = format!(
                "session-reset {}/{}",
                notification.code, notification.subcode
            );
            (outcome, None)
        }
        Ok(Decoded {
            message: Message::Update(update),
            malformed,
        }) => {
            let strongest = malformed
                .iter()
                // A repeated attribute is settled by RFC 7606 §3 (g) itself.
                .filter(|malformed| !malformed.reason.starts_with("sent twice"))
                .map(|malformed| malformed.treatment)
                .max();
            check_prefix(prefix, update, strongest)?;
            (outcome_of(strongest).to_owned(), carried_unknown(update))
        }
        Ok(_) => ("accept".to_owned(), None),
    };
    let wanted = wanted(name, row);
    let satisfied = wanted
        .iter()
        .any(|wanted| satisfies(&outcome, carried, wanted));
    if satisfied {
        Ok(outcome)
    } else {
        Err(format!("{outcome}, wanted {}", wanted.join(" or ")))
    }
}

fn session(row: &Value) -> Codec {
    if row["phase"] == "open" {
        return Codec::initial();
    }
    let needs_ipv6 = row["needs"]
        .as_array()
        .is_some_and(|needs| needs.contains(&"ipv6-unicast".into()));
    if needs_ipv6 {
        support::external()
    } else {
        support::ipv4_only()
    }
}

fn wanted<'a>(name: &str, row: &'a Value) -> Vec<&'a str> {
    if let Some((_, outcome, _)) = OTHERWISE.iter().find(|(row, ..)| *row == name) {
        return vec![*outcome];
    }
    let also = row["also_ok"].as_array().into_iter().flatten();
    std::iter::once(&row["expected"])
        .chain(also)
        .map(|outcome| outcome.as_str().unwrap())
        .collect()
}

/// Attributes that went through unread.
fn carried_unknown(update: &Update) -> Option<usize> {
    update
        .announced
        .first()
        .map(|announcement| announcement.attributes.unknown.len())
}

fn outcome_of(strongest: Option<Treatment>) -> &'static str {
    match strongest {
        None => "accept",
        Some(Treatment::Ignore) => "ignore",
        Some(Treatment::AttributeDiscard) => "attribute-discard",
        Some(Treatment::TreatAsWithdraw) => "treat-as-withdraw",
    }
}

/// To ignore an attribute is to drop it or carry it on unread; one that is not
/// transitive is dropped without a word.
fn satisfies(outcome: &str, carried: Option<usize>, wanted: &str) -> bool {
    match (wanted, outcome) {
        ("ignore", "attribute-discard" | "accept") => true,
        ("attribute-discard", "accept") => carried == Some(0),
        _ => outcome == wanted,
    }
}

/// A prefix is announced unless its UPDATE is treated as a withdrawal.
fn check_prefix(
    prefix: Option<IpNet>,
    update: &Update,
    strongest: Option<Treatment>,
) -> Result<(), String> {
    let Some(prefix) = prefix else { return Ok(()) };
    let withdrawn = update
        .withdrawn
        .iter()
        .any(|prefixes| prefixes.iter().any(|it| it == prefix));
    let announced = update
        .announced
        .iter()
        .any(|routes| routes.prefixes.iter().any(|it| it == prefix));
    let right = match strongest {
        Some(Treatment::TreatAsWithdraw) => withdrawn && !announced,
        _ => announced,
    };
    if right {
        Ok(())
    } else {
        Err(format!("{prefix} is not where it belongs: {update:?}"))
    }
}
