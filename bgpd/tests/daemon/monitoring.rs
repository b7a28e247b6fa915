//! The alert rules and the dashboard name only what a running bgpd exports, with
//! every feature that has metrics switched on.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::Value;

use super::world::wait;
use super::{EDGE, Three};

const ALERTS: &str = include_str!("../../monitoring/alerts.yml");
const DASHBOARD: &str = include_str!("../../monitoring/dashboard.json");

/// What is exported: by name, the label names and the values of each.
type Exported = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

#[test]
fn alerts_and_dashboard_name_only_what_is_exported() {
    let exported = scraped();
    let mut strange = Vec::new();
    let (alerts, panels) = (alert_expressions(), dashboard_expressions());
    assert!(
        alerts.len() > 15 && panels.len() > 30,
        "{alerts:?} {panels:?}"
    );
    for expression in alerts.iter().chain(&panels) {
        strange.extend(unknown(expression, &exported));
    }
    assert!(strange.is_empty(), "{strange:#?}\nexported: {exported:#?}");
}

#[test]
fn what_does_not_exist_is_found() {
    let labels = BTreeMap::from([("state".to_owned(), BTreeSet::from(["up".to_owned()]))]);
    let exported = Exported::from([("bgpd_path_health".to_owned(), labels)]);
    let unknown = |expression: &str| unknown(expression, &exported).len();
    assert_eq!(
        unknown(r#"sum by (state) (bgpd_path_health{state="up"}) == 1"#),
        0
    );
    assert_eq!(unknown("bgpd_path_helth == 1"), 1);
    assert_eq!(unknown(r#"bgpd_path_health{stat="up"}"#), 1);
    assert_eq!(unknown(r#"bgpd_path_health{state=~"up|sick"}"#), 1);
    assert_eq!(unknown("sum by (instance, peer) (bgpd_path_health)"), 1);
}

#[test]
fn every_alert_says_how_bad_it_is_and_what_to_do() {
    let alerts: Vec<&str> = ALERTS.split("- alert: ").skip(1).collect();
    assert_eq!(alerts.len(), alert_expressions().len());
    for alert in alerts {
        for wanted in ["severity: ", "summary: ", "description: ", "runbook: "] {
            assert!(alert.contains(wanted), "no {wanted} in {alert}");
        }
    }
}

/// The edge with BFD, probes and a drained path, both of whose sessions are up.
fn scraped() -> Exported {
    let config = EDGE
        .replacen(
            "asn = 65010",
            "asn = 65010\nmetrics = \"127.0.0.1:9179\"",
            1,
        )
        .replace(
            "accept = [\"any\"]",
            "accept = [\"any\"]\nbfd = true\nPROBE",
        )
        .replacen("PROBE", &probe("10.9.1.2"), 1)
        .replacen("PROBE", &probe("10.9.2.2"), 1);
    let three = Three::started(&(config + VIF));
    let reflector = [env!("CARGO_BIN_EXE_bgpd"), "stamp-reflector"];
    let _reflector = three.world.background("east", &reflector);
    three.edge.wait_until_up("east");
    three.edge.wait_until_up("west");
    // What it waits for after a failure is told while it waits.
    three.world.ip("edge", "link set west down");
    three
        .edge
        .wait_for_peer("west", |peer| peer.state != "Established");
    three.world.ip("edge", "link set west up");
    let scrape = || {
        let text = three
            .world
            .exec("edge", "curl -s -m 5 http://127.0.0.1:9179/metrics");
        parsed(&text)
    };
    // These come with the first BFD session, answer and failure.
    let late = [
        "bgpd_bfd_up",
        "bgpd_probe_rtt_seconds_bucket",
        "bgpd_probe_lost_in_direction_total",
        "bgpd_path_returns_in_seconds",
        "bgpd_path_health_transitions_total",
    ];
    wait(
        || Some(scrape()).filter(|exported| late.iter().all(|name| exported.contains_key(*name))),
        || format!("{:#?}\n{}", scrape(), three.edge.log()),
    )
}

/// Whether it comes up depends on this kernel; it is there in any case.
const VIF: &str = r#"
[[vif]]
name = "prod"
kind = "private"
parent = "east"
vlan = 7
mtu = 1500
local = "169.254.10.2/30"
peer = "169.254.10.1"
peer_asn = 64512
auth_key_file = "EAST"
"#;

fn probe(target: &str) -> String {
    format!("probe = {{ icmp = [\"{target}\"], stamp = [\"{target}\"], interval = \"100ms\" }}")
}

/// Prometheus' text format, as far as bgpd writes it.
fn parsed(text: &str) -> Exported {
    let label = Regex::new(r#"([a-z_]+)="((?:[^"\\]|\\.)*)""#).unwrap();
    let mut exported = Exported::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let end = line.find(['{', ' ']).unwrap();
        let labels = exported.entry(line[..end].to_owned()).or_default();
        for found in label.captures_iter(line) {
            let values = labels.entry(found[1].to_owned()).or_default();
            values.insert(found[2].to_owned());
        }
    }
    exported
}

fn alert_expressions() -> Vec<String> {
    let mut all = Vec::new();
    let mut folded: Option<String> = None;
    for line in ALERTS.lines() {
        let text = line.trim_start();
        if let Some(expression) = &mut folded {
            if line.starts_with("          ") {
                expression.push_str(text);
                expression.push(' ');
                continue;
            }
            all.extend(folded.take());
        }
        match text.strip_prefix("expr: ") {
            Some(">-") => folded = Some(String::new()),
            Some(expression) => all.push(expression.to_owned()),
            None => {}
        }
    }
    all
}

fn dashboard_expressions() -> Vec<String> {
    fn collect(value: &Value, all: &mut Vec<String>) {
        match value {
            Value::Array(list) => list.iter().for_each(|value| collect(value, all)),
            Value::Object(map) => {
                for (name, value) in map {
                    match (name.as_str(), value.as_str()) {
                        ("expr" | "query", Some(text)) => all.push(text.to_owned()),
                        _ => collect(value, all),
                    }
                }
            }
            _ => {}
        }
    }
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut all = Vec::new();
    collect(&dashboard, &mut all);
    all.retain(|text| text != "prometheus");
    all
}

/// Labels that Prometheus adds, and that of a histogram's buckets.
const ADDED: [&str; 3] = ["instance", "job", "le"];

/// Metrics, labels and values of an expression that don't exist.
fn unknown(expression: &str, exported: &Exported) -> Vec<String> {
    let metric = Regex::new(r"\b((?:bgpd|process)_[a-z_]+)(\{[^}]*\})?").unwrap();
    let matcher = Regex::new(r#"([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)""#).unwrap();
    let grouping = Regex::new(r"\b(?:by|on|without|ignoring) \(([^)]*)\)").unwrap();
    let mut strange = Vec::new();
    let mut labels: BTreeSet<&str> = BTreeSet::from(ADDED);
    for found in metric.captures_iter(expression) {
        let name = &found[1];
        let Some(known) = exported.get(name) else {
            strange.push(format!("no metric {name}: {expression}"));
            continue;
        };
        labels.extend(known.keys().map(String::as_str));
        let Some(matchers) = found.get(2) else {
            continue;
        };
        for found in matcher.captures_iter(matchers.as_str()) {
            let (label, operator, value) = (&found[1], &found[2], &found[3]);
            if ADDED.contains(&label) {
                continue;
            }
            let Some(values) = known.get(label) else {
                strange.push(format!("{name} has no label {label}: {expression}"));
                continue;
            };
            let wanted: Vec<&str> = match operator {
                "=~" | "!~" => value.split('|').collect(),
                _ => vec![value],
            };
            // How a path's health moves is not told beforehand.
            let is_fixed = !name.ends_with("_transitions_total");
            if is_fixed && !wanted.iter().all(|value| values.contains(*value)) {
                strange.push(format!("{name} has no {label} {value}: {expression}"));
            }
        }
    }
    for found in grouping.captures_iter(expression) {
        for label in found[1].split(',').map(str::trim) {
            if !labels.contains(label) {
                strange.push(format!("no label {label}: {expression}"));
            }
        }
    }
    strange
}
