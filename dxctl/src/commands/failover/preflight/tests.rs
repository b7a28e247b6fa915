//! A VIF `prod` with a backup that is fit, and what may be wrong with it.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;

fn status(backup: Option<&str>, edit: impl Fn(&mut Value)) -> Status {
    let session = |name: &str, vif: Option<&str>, backup: Option<&str>| {
        json!({
            "name": name, "vif": vif, "local": null, "remote": "169.254.10.1", "backup": backup,
            "local_asn": 65010, "remote_asn": 64512, "state": "Established", "since": 1.0,
            "md5": true, "families": ["ipv4"], "flaps": 0,
            "prefixes": { "received": 2, "accepted": 2, "best": 2, "advertised": 1, "stale": 0 },
            "messages": { "updates_received": 2, "updates_sent": 1, "updates_malformed": 0 },
        })
    };
    let path = |name: &str, interface: &str, carries: u64| {
        json!({ "name": name, "interface": interface, "up": true, "carries": carries,
                "health": { "state": "up", "since": 1.0, "failures": 0 } })
    };
    let mut value = json!({
        "version": "0.1.0", "router_id": "10.0.0.1", "asn": 65010, "uptime": 1.0,
        "vifs": [], "problems": [],
        "peers": [session("prod", Some("prod"), backup), session("spare", None, None)],
        "paths": [path("prod", "eth1.101", 2), path("spare", "eth2.102", 0),
                  path("internet", "eth0", 0)],
        "kernel": { "routes": 2, "nexthops": 2, "groups": 1, "adopted": 0, "errors": 0,
                    "fast_swap": true },
    });
    edit(&mut value);
    serde_json::from_value(value).unwrap()
}

fn prefixes(list: &[&str]) -> Prefixes {
    Prefixes {
        list: list.iter().map(|net| net.parse().unwrap()).collect(),
        truncated: false,
    }
}

fn look(status: &Status, spare: &[&str], links: &[(&str, Option<u64>, f64)]) -> Vec<Finding> {
    let subject = Subject::of(status, "prod", vec!["prod".to_owned()]);
    let facts = Facts {
        status,
        prefixes: BTreeMap::from([
            ("prod".to_owned(), prefixes(&["10.0.0.0/16", "10.1.0.0/16"])),
            ("spare".to_owned(), prefixes(spare)),
        ]),
        links: links
            .iter()
            .map(|(name, speed, load)| {
                let link = Link {
                    speed: *speed,
                    load: *load,
                };
                ((*name).to_owned(), link)
            })
            .collect(),
    };
    findings(&subject, &facts)
}

fn of<'a>(findings: &'a [Finding], what: &str) -> &'a Finding {
    findings.iter().find(|one| one.what == what).unwrap()
}

const GIGABIT: Option<u64> = Some(1_000_000_000);

#[test]
fn a_backup_that_has_everything_is_fit() {
    let all = look(
        &status(None, |_| ()),
        &["10.0.0.0/8"],
        &[("eth1.101", GIGABIT, 1e8), ("eth2.102", GIGABIT, 1e8)],
    );
    assert!(all.iter().all(|one| one.verdict == Fitness::Fit), "{all:?}");
}

#[test]
fn a_prefix_without_another_path_is_named() {
    let all = look(&status(None, |_| ()), &["10.0.0.0/16"], &[]);
    let finding = of(&all, "prefixes");
    assert_eq!(finding.verdict, Fitness::Unfit);
    assert_eq!(finding.text, "1 of 2 have no other path: 10.1.0.0/16");
}

#[test]
fn a_more_specific_prefix_elsewhere_is_no_other_path() {
    let all = look(&status(None, |_| ()), &["10.0.0.0/16", "10.1.0.0/17"], &[]);
    assert_eq!(of(&all, "prefixes").verdict, Fitness::Unfit);
}

#[test]
fn a_static_backup_takes_every_prefix_but_only_where_it_is_named() {
    let named = look(&status(Some("internet"), |_| ()), &[], &[]);
    assert_eq!(of(&named, "prefixes").verdict, Fitness::Fit);
    let unnamed = status(None, |_| ());
    let subject = Subject::of(&unnamed, "prod", vec!["prod".to_owned()]);
    let paths: Vec<_> = subject
        .backups
        .iter()
        .map(|one| one.path.as_str())
        .collect();
    assert_eq!(paths, ["spare"]);
}

#[test]
fn a_backup_that_is_down_drained_or_degraded_is_not_fit() {
    let spoil: [fn(&mut Value); 3] = [
        |status| status["paths"][1]["up"] = json!(false),
        |status| status["paths"][1]["drained"] = json!("dxctl drain"),
        |status| status["paths"][1]["health"]["state"] = json!("degraded"),
    ];
    for edit in spoil {
        let all = look(&status(None, edit), &["10.0.0.0/8"], &[]);
        let finding = of(&all, "backup's health");
        assert_eq!(finding.verdict, Fitness::Unfit, "{}", finding.text);
    }
}

#[test]
fn no_other_path_at_all_is_unfit_and_says_what_to_do() {
    let alone = status(None, |status| {
        status["paths"].as_array_mut().unwrap().truncate(1);
    });
    let all = look(&alone, &[], &[]);
    let finding = of(&all, "backup's health");
    assert!(finding.verdict == Fitness::Unfit && finding.text.contains("`backup`"));
}

#[test]
fn a_link_that_would_overflow_is_unfit_and_one_of_unknown_speed_doubtful() {
    let judged = |speed, ours, theirs| {
        let links = [("eth1.101", GIGABIT, ours), ("eth2.102", speed, theirs)];
        let all = look(&status(None, |_| ()), &["10.0.0.0/8"], &links);
        of(&all, "capacity").clone()
    };
    assert_eq!(judged(GIGABIT, 7e8, 4e8).verdict, Fitness::Unfit);
    assert_eq!(judged(GIGABIT, 5e8, 4e8).verdict, Fitness::Doubtful);
    assert_eq!(judged(None, 5e8, 4e8).verdict, Fitness::Doubtful);
    let full = judged(Some(100_000_000), 3e8, 0.0);
    assert!(
        full.text.contains("of 100.0 Mbit/s, then 300 % full"),
        "{}",
        full.text
    );
}

#[test]
fn sessions_that_are_down_leave_nothing_to_test() {
    let down = status(None, |status| status["peers"][0]["state"] = json!("Active"));
    let all = look(&down, &["10.0.0.0/8"], &[]);
    let finding = of(&all, "sessions");
    assert_eq!(finding.verdict, Fitness::Unfit);
    assert!(finding.text.contains("prod is Active"));
}
