//! States and output, by what bgpd says.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;

fn status(health: &str, probe: Value, session: &str) -> Status {
    let path = |name: &str, health: Value, probes: Value| {
        json!({ "name": name, "up": health["state"] != "down", "carries": 1, "health": health,
                "probes": probes })
    };
    let sessions = ["prod", "prod-v6"].map(|name| {
        json!({
            "name": name, "vif": "prod", "local": null, "remote": "169.254.10.1",
            "local_asn": 65010, "remote_asn": 64512, "state": session, "since": 1.0, "md5": true,
            "families": ["ipv4"], "flaps": 0, "last_error": "Hold Timer Expired",
            "prefixes": { "received": 2, "accepted": 2, "best": 2, "advertised": 1, "stale": 0 },
            "messages": { "updates_received": 2, "updates_sent": 1, "updates_malformed": 0 },
        })
    });
    let healthy = json!({ "state": "up", "since": 1.0, "failures": 0 });
    let health = json!({ "state": health, "since": 1.0, "reason": "loss 18 %", "failures": 1 });
    serde_json::from_value(json!({
        "version": "0.1.0", "router_id": "10.0.0.1", "asn": 65010, "uptime": 1.0,
        "vifs": [{ "name": "prod", "interface": "eth1.101", "parent": "eth1", "vlan": 101,
                   "mtu": 1500, "addresses": [], "carrier": true, "sessions": ["prod", "prod-v6"] }],
        "peers": sessions,
        "paths": [path("prod", health.clone(), json!([probe])), path("prod-v6", health, json!([])),
                  path("internet", healthy, json!([]))],
        "kernel": { "routes": 2, "nexthops": 2, "groups": 1, "adopted": 0, "errors": 0,
                    "fast_swap": true },
        "problems": [],
    }))
    .unwrap()
}

fn probe() -> Value {
    json!({ "target": "169.254.10.1", "sent": 100, "lost": 3, "rtt_last": 1000, "rtt_min": 900,
            "rtt_avg": 1234, "rtt_max": 2000, "jitter": 50 })
}

fn line(status: &Status, names: &[&str], warning: &[&str], critical: &[&str]) -> (State, String) {
    let thresholds = |all: &[&str]| all.iter().map(|text| text.parse().unwrap()).collect();
    let args = CheckArgs {
        names: names.iter().map(ToString::to_string).collect(),
        warning: thresholds(warning),
        critical: thresholds(critical),
    };
    let answer = judged(status, &args);
    (answer.state, answer.line())
}

#[test]
fn health_decides_the_state() {
    for (health, expected) in [
        ("up", State::Ok),
        ("suspect", State::Warning),
        ("degraded", State::Warning),
        ("recovering", State::Warning),
        ("held", State::Warning),
        ("down", State::Critical),
    ] {
        let (state, line) = line(&status(health, probe(), "Established"), &[], &[], &[]);
        assert_eq!(state, expected, "{line}");
    }
}

#[test]
fn a_session_that_is_not_established_is_critical_and_says_why() {
    let (state, line) = line(&status("up", probe(), "Active"), &["prod"], &[], &[]);
    assert_eq!(state, State::Critical);
    assert!(
        line.contains("session prod is Active (Hold Timer Expired)"),
        "{line}"
    );
}

#[test]
fn all_is_well_in_one_line_with_performance_data() {
    let (_, line) = line(
        &status("up", probe(), "Established"),
        &[],
        &["5"],
        &["loss=20"],
    );
    insta::assert_snapshot!(line, @"DX OK - prod up, rtt 1.00 ms; prod-v6 up; internet up | 'prod prefixes'=2;;;0; 'prod rtt'=1.234ms;5;;0; 'prod jitter'=0.05ms;;;0; 'prod loss'=3%;;20;0;100 'prod-v6 prefixes'=2;;;0;");
}

#[test]
fn a_threshold_alerts_and_is_named() {
    let status = status("up", probe(), "Established");
    let (state, text) = line(&status, &["prod"], &["loss=1"], &["loss=2", "50"]);
    assert_eq!(state, State::Critical);
    assert!(
        text.starts_with("DX CRITICAL - prod: loss 3.000% (threshold 2) |"),
        "{text}"
    );
    let (state, text) = line(&status, &["prod"], &["1"], &["50"]);
    assert_eq!(state, State::Warning, "{text}");
    let (state, text) = line(&status, &["prod"], &[], &["prefixes=3:"]);
    assert_eq!(state, State::Critical, "{text}");
}

#[test]
fn a_vif_is_all_its_sessions_and_an_unknown_name_is_unknown() {
    let status = status("up", probe(), "Established");
    let (_, text) = line(&status, &["prod"], &[], &[]);
    assert!(
        text.contains("prod-v6") && !text.contains("internet"),
        "{text}"
    );
    let (state, text) = line(&status, &["nope"], &[], &[]);
    assert_eq!(state, State::Unknown);
    assert!(text.contains("it has: internet, prod, prod-v6"), "{text}");
}

#[test]
fn a_drained_path_is_a_warning() {
    let mut status = status("up", probe(), "Established");
    status.paths[0].drained = Some("dxctl drain".into());
    let (state, text) = line(&status, &["prod"], &[], &[]);
    assert!(
        state == State::Warning && text.contains("prod drained by dxctl drain"),
        "{text}"
    );
}

#[test]
fn nothing_in_a_name_or_reason_breaks_the_line() {
    let mut status = status("degraded", probe(), "Established");
    status.paths[0].name = "a'b=c".into();
    status.paths[0].health.reason = Some("x | 'y'=1\nz".into());
    let (_, text) = line(&status, &[], &[], &[]);
    assert_eq!(text.matches('|').count(), 1, "{text}");
    assert_eq!(text.matches('\n').count(), 1, "{text}");
    assert!(text.contains("'a''b_c rtt'=1.234ms;;;0;"), "{text}");
}
