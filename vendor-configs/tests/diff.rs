//! A configuration that exists against the one that is wanted: what matters is
//! told from what doesn't, and no key is shown.

#![allow(clippy::unwrap_used)]

mod cases;

use vendor_configs::{
    Difference, DifferenceKind, KeyText, Part, Platform, Router, Templates, Wanted, Weight, diff,
    render,
};

fn text(router: &Router, platform: Platform, form: Option<&str>, keys: KeyText) -> Option<String> {
    let wanted = Wanted {
        part: Part::Whole,
        form,
        keys,
    };
    render(router, platform, &Templates::built_in(), wanted).ok()
}

fn differences(platform: Platform, wanted: &str, existing: &str) -> Vec<Difference> {
    diff(platform, wanted, existing).unwrap()
}

fn said(found: &[Difference]) -> String {
    let lines: Vec<String> = found.iter().map(Difference::to_string).collect();
    lines.join("\n")
}

#[test]
fn a_text_does_not_differ_from_itself_whatever_stands_around_it() {
    for platform in Platform::all() {
        let forms = std::iter::once(None).chain(platform.forms().map(Some));
        for form in forms {
            for (case, router) in cases::all() {
                let Some(wanted) = text(&router, platform, form, KeyText::Reveal) else {
                    continue;
                };
                let found = differences(platform, &wanted, &wanted);
                assert!(found.is_empty(), "{platform}, {case}: {}", said(&found));
                let redacted = text(&router, platform, form, KeyText::Redact).unwrap();
                let found = differences(platform, &redacted, &wanted);
                assert!(
                    found.is_empty(),
                    "{platform}, {case}, redacted: {}",
                    said(&found)
                );
            }
        }
    }
}

#[test]
fn both_forms_of_junos_are_the_same_configuration() {
    let platform: Platform = "juniper_junos".parse().unwrap();
    let router = cases::router(vec![cases::dual_stack()]);
    let curly = text(&router, platform, None, KeyText::Reveal).unwrap();
    let set = text(&router, platform, Some("set"), KeyText::Reveal).unwrap();
    assert_eq!(differences(platform, &curly, &set), []);
}

#[test]
fn every_platform_sees_another_address_and_key_and_a_filter_that_is_gone() {
    for platform in Platform::all() {
        let router = cases::router(vec![cases::private()]);
        let Some(wanted) = text(&router, platform, None, KeyText::Reveal) else {
            continue;
        };
        let matters = |existing: &str, what: &str| {
            let found = differences(platform, &wanted, existing);
            let words = said(&found);
            assert!(
                found.iter().any(|one| one.weight == Weight::Matters),
                "{platform}: {what}: {words}"
            );
            assert!(
                !words.contains("example-key") && !words.contains("another-one"),
                "{platform}: {words}"
            );
        };
        matters(
            &wanted.replace("169.254.10.2", "169.254.10.3"),
            "another address",
        );
        if wanted.contains("example-key") {
            matters(&wanted.replace("example-key", "another-one"), "another key");
        }
        if wanted.contains("172.16.0.0") {
            matters(&wanted.replace("172.16.0.0", "172.32.0.0"), "another range");
        }
        if wanted.contains("AWS Direct Connect prod") && !wanted.contains("descr \"prod\"") {
            let existing = wanted.replace("AWS Direct Connect prod", "to Amazon");
            let found = differences(platform, &wanted, &existing);
            assert!(
                !found.is_empty() && found.iter().all(|one| one.weight == Weight::Cosmetic),
                "{platform}: {}",
                said(&found)
            );
        }
    }
}

/// A change to our own text, and the difference that it makes.
fn one(platform: &str, from: &str, to: &str) -> Difference {
    let platform: Platform = platform.parse().unwrap();
    let router = cases::router(vec![cases::private()]);
    let wanted = text(&router, platform, None, KeyText::Reveal).unwrap();
    assert!(wanted.contains(from), "{platform}: no `{from}`");
    let existing = wanted.replacen(from, to, 1);
    let found = differences(platform, &wanted, &existing);
    assert_eq!(
        found.len(),
        1,
        "{platform}, `{from}` → `{to}`: {}",
        said(&found)
    );
    let found = found.into_iter().next().unwrap();
    if let Some(line) = found.line {
        let there = existing.lines().nth(line - 1).unwrap();
        let word = found
            .existing
            .as_deref()
            .unwrap()
            .split(' ')
            .next_back()
            .unwrap();
        assert!(
            there.contains(word) || word == KeyText::REDACTED,
            "{platform}: line {line} is `{there}`"
        );
    }
    found
}

#[test]
fn a_changed_value_is_one_difference_with_both_values() {
    for (platform, from, to, wanted, existing) in [
        (
            "cisco_ios_xe",
            "dot1Q 101",
            "dot1Q 110",
            "encapsulation dot1Q 101",
            "encapsulation dot1Q 110",
        ),
        (
            "cisco_ios_xe",
            "remote-as 64512",
            "remote-as 64513",
            "neighbor 169.254.10.1 remote-as 64512",
            "neighbor 169.254.10.1 remote-as 64513",
        ),
        (
            "cisco_ios_xe",
            "ip address 169.254.10.2 255.255.255.252",
            "ip address 169.254.10.6 255.255.255.252",
            "ip address 169.254.10.2 255.255.255.252",
            "ip address 169.254.10.6 255.255.255.252",
        ),
        (
            "juniper_junos",
            "vlan-id 101",
            "vlan-id 110",
            "interfaces xe-0/0/0 unit 101 vlan-id 101",
            "interfaces xe-0/0/0 unit 101 vlan-id 110",
        ),
        (
            "juniper_junos",
            "\"example-key\"",
            "\"another\"",
            "protocols bgp group DX-PROD neighbor 169.254.10.1 authentication-key <auth-key>",
            "protocols bgp group DX-PROD neighbor 169.254.10.1 authentication-key <auth-key>",
        ),
        (
            "frr",
            "timers 30 90",
            "timers 10 30",
            "neighbor 169.254.10.1 timers 30 90",
            "neighbor 169.254.10.1 timers 10 30",
        ),
    ] {
        let found = one(platform, from, to);
        assert_eq!(found.kind, DifferenceKind::Changed, "{found}");
        assert_eq!(found.weight, Weight::Matters, "{found}");
        assert_eq!(
            (found.wanted.as_deref(), found.existing.as_deref()),
            (Some(wanted), Some(existing))
        );
    }
}

#[test]
fn a_missing_filter_matters_and_a_missing_block_is_said_once() {
    let found = one(
        "cisco_ios_xe",
        "  neighbor 169.254.10.1 route-map DX-PROD-IN in\n",
        "",
    );
    assert_eq!(
        (found.kind, found.weight),
        (DifferenceKind::Missing, Weight::Matters)
    );
    assert!(found.why.contains("filter"), "{found}");
    assert!(found.place.contains("router bgp 65010"), "{found}");
    let found = one(
        "cisco_ios_xe",
        "route-map DX-PROD-OUT permit 10\n match ip address prefix-list DX-PROD-OUT\n set community 7224:7300\n",
        "",
    );
    assert_eq!(
        found.wanted.as_deref(),
        Some("route-map DX-PROD-OUT permit 10")
    );
}

#[test]
fn what_is_not_about_the_link_is_left_alone() {
    let platform: Platform = "cisco_ios_xe".parse().unwrap();
    let router = cases::router(vec![cases::private()]);
    let wanted = text(&router, platform, None, KeyText::Reveal).unwrap();
    let more = wanted.replace(
        "router bgp 65010\n",
        "hostname edge\nsnmp-server community public\nrouter bgp 65010\n neighbor 192.0.2.9 remote-as 65010\n",
    );
    assert_eq!(differences(platform, &wanted, &more), []);
    let worse = wanted.replace(
        "  neighbor 169.254.10.1 activate\n",
        "  neighbor 169.254.10.1 activate\n  neighbor 169.254.10.1 default-originate\n",
    );
    let found = differences(platform, &wanted, &worse);
    assert_eq!(found.len(), 1, "{}", said(&found));
    assert_eq!(
        (found[0].kind, found[0].weight),
        (DifferenceKind::Extra, Weight::Matters)
    );
}

#[test]
fn the_order_of_a_filter_counts_and_its_numbers_do_not() {
    let platform: Platform = "cisco_ios_xe".parse().unwrap();
    let router = cases::router(vec![cases::private()]);
    let wanted = text(&router, platform, None, KeyText::Reveal).unwrap();
    let renumbered = wanted.replace("DX-PROD-IN seq 25 ", "DX-PROD-IN seq 250 ");
    assert_ne!(renumbered, wanted);
    assert_eq!(differences(platform, &wanted, &renumbered), []);
    let swapped = wanted
        .replace("seq 5 deny 10.20.0.0/16 le 32", "seq 5 X")
        .replace(
            "seq 10 permit 10.0.0.0/8 le 32",
            "seq 10 deny 10.20.0.0/16 le 32",
        )
        .replace("seq 5 X", "seq 5 permit 10.0.0.0/8 le 32");
    let found = differences(platform, &wanted, &swapped);
    assert_eq!(found.len(), 1, "{}", said(&found));
    assert!(found[0].why.contains("order"), "{}", found[0]);
}
