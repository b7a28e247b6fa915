//! What a router's plan may say, and what its text may look like.

#![allow(clippy::unwrap_used)]

mod cases;

use std::collections::BTreeSet;

use bgp_core::Asn;
use bgp_core::config::{AuthKey, Preference};
use vendor_configs::{
    Backup, Bfd, Description, KeyText, Name, Part, Platform, RenderError, Router, RouterLink,
    RouterPlan, SessionKey, TemplateError, Templates, Timers, VrfName, Wanted, check_pair, render,
};

fn written(router: &Router, platform: Platform, part: Part, keys: KeyText) -> String {
    let wanted = Wanted {
        part,
        form: None,
        keys,
    };
    render(router, platform, &Templates::built_in(), wanted).unwrap()
}

fn platform(name: &str) -> Platform {
    name.parse().unwrap()
}

#[test]
fn mistakes_name_the_place_and_the_way_out() {
    type Change = fn(&mut RouterPlan);
    let mistakes: &[(&str, Change)] = &[
        ("no virtual interface", |plan| plan.links.clear()),
        ("MTU 1400", |plan| plan.links[0].mtu = 1400),
        ("did you mean 10.20.0.0/16", |plan| {
            plan.links[0].advertise = vec!["10.20.1.0/16".parse().unwrap()];
        }),
        ("no BGP peer of its family", |plan| {
            plan.links[0].advertise = vec!["fd00::/48".parse().unwrap()];
        }),
        ("announced twice", |plan| {
            let net = plan.links[0].advertise[0];
            plan.links[0].advertise.push(net);
        }),
        ("101 ipv4 prefixes to announce", |plan| {
            plan.links[0].advertise = (0..101)
                .map(|n| format!("10.30.{n}.0/24").parse().unwrap())
                .collect();
        }),
        ("not the other end", |plan| {
            plan.links[0].sessions[0].peer = "169.254.10.5".parse().unwrap();
        }),
        ("no address that an end", |plan| {
            plan.links[0].sessions[0].local = "169.254.10.0/30".parse().unwrap();
        }),
        ("no address that an end", |plan| {
            plan.links[0].sessions[0].local = "169.254.169.253/30".parse().unwrap();
            plan.links[0].sessions[0].peer = "169.254.169.254".parse().unwrap();
        }),
        ("both ends have AS", |plan| {
            plan.links[0].sessions[0].peer_asn = Asn(65010);
        }),
        ("AS 0 is reserved", |plan| plan.links[0].local_asn = Asn(0)),
        ("AS 23456 is reserved", |plan| {
            plan.links[0].sessions[0].peer_asn = Asn(23456);
        }),
        ("has no BGP peer", |plan| plan.links[0].sessions.clear()),
        ("no IPv4 session to take a router identifier", |plan| {
            *plan = cases::ipv6_only().plan().clone();
            plan.router_id = None;
        }),
        ("more than one ipv4", |plan| {
            let again = plan.links[0].sessions[0].clone();
            plan.links[0].sessions.push(again);
        }),
        ("is not known, and AWS requires one", |plan| {
            plan.links[0].sessions[0].key = SessionKey::Unknown;
        }),
        ("hold time", |plan| {
            plan.links[0].timers = Timers {
                keepalive: 30,
                hold: 2,
            };
        }),
        ("BFD 50 ms", |plan| {
            plan.links[0].bfd = Some(Bfd {
                interval: 50,
                multiplier: 3,
            });
        }),
        ("AWS's limit is", |plan| {
            plan.links[0].limits.advertise = 5000;
        }),
        ("one router has one AS", |plan| {
            plan.links[1].local_asn = Asn(65011);
        }),
        ("both have VLAN 101", |plan| {
            plan.links[1].vlan = plan.links[0].vlan;
        }),
        ("two VIFs are named", |plan| {
            plan.links[1].name = "PROD".parse().unwrap();
        }),
        ("addresses in one network", |plan| {
            plan.links[1].sessions[0].local = "169.254.10.6/29".parse().unwrap();
            plan.links[1].sessions[0].peer = "169.254.10.5".parse().unwrap();
        }),
        ("neither a gateway nor an interface", |plan| {
            plan.backup = Some(backup());
        }),
        ("in a VRF that no virtual interface", |plan| {
            plan.backup = Some(Backup {
                vrf: Some("NONE".parse().unwrap()),
                gateways: vec!["203.0.113.1".parse().unwrap()],
                ..backup()
            });
        }),
        ("announced to AWS as ours and reached", |plan| {
            plan.backup = Some(Backup {
                gateways: vec!["203.0.113.1".parse().unwrap()],
                to: plan.links[0].advertise.clone(),
                ..backup()
            });
        }),
    ];
    for (words, change) in mistakes {
        let mut plan = cases::plan(cases::two(None));
        change(&mut plan);
        let error = Router::new(plan).unwrap_err().to_string();
        assert!(error.contains(words), "{words:?} is not in: {error}");
    }
}

fn backup() -> Backup {
    Backup {
        vrf: None,
        gateways: Vec::new(),
        interface: None,
        to: Vec::new(),
    }
}

#[test]
fn every_mistake_is_told_at_once() {
    let mut plan = cases::plan(vec![cases::private()]);
    plan.links[0].mtu = 1;
    plan.links[0].sessions[0].peer_asn = Asn(65010);
    let mistakes = Router::new(plan).unwrap_err();
    assert_eq!(mistakes.0.len(), 2, "{mistakes}");
}

#[test]
fn public_links_have_rules_of_their_own() {
    let refused = |change: fn(&mut RouterLink), words: &str| {
        let mut link = cases::public();
        change(&mut link);
        let error = Router::new(cases::plan(vec![link]))
            .unwrap_err()
            .to_string();
        assert!(error.contains(words), "{error}");
    };
    refused(|link| link.mtu = 9001, "MTU 9001");
    refused(|link| link.sessions[0].peer_asn = Asn(64512), "is AS 7224");
    refused(
        |link| link.advertise = vec!["10.0.0.0/8".parse().unwrap()],
        "announce public prefixes",
    );
    refused(
        |link| {
            link.local_asn = Asn(65010);
            link.preference = Some(Preference::Low);
        },
        "AWS strips prepending",
    );
}

#[test]
fn a_pair_fits_only_if_the_primary_is_preferred_and_both_announce_the_same() {
    let (primary, backup) = cases::pair();
    check_pair(&primary, &backup).unwrap();
    let turned = check_pair(&backup, &primary).unwrap_err().to_string();
    assert!(turned.contains("not preferred"), "{turned}");
    let twice = check_pair(&primary, &primary).unwrap_err().to_string();
    assert!(twice.contains("on both routers"), "{twice}");
    let other = RouterLink {
        preference: None,
        advertise: Vec::new(),
        ..backup.links()[0].clone()
    };
    let lacks = check_pair(&primary, &cases::router(vec![other])).unwrap_err();
    let lacks = lacks.to_string();
    assert!(lacks.contains("both need a preference"), "{lacks}");
    assert!(lacks.contains("announce different networks"), "{lacks}");
}

#[test]
fn words_are_what_every_platform_takes() {
    for hostile in [
        "", "a b", "a\nb", "a\"b", "a!b", "a#b", "a;b", "a{b", "a?b", "a$b", "a`b", "ä", "-a",
    ] {
        assert!(hostile.parse::<Name>().is_err(), "{hostile:?}");
        assert!(hostile.parse::<VrfName>().is_err(), "{hostile:?}");
    }
    for hostile in ["", " a", "a ", "a\nb", "a\rb", "a\tb", "ä", "a\0"] {
        assert!(hostile.parse::<Description>().is_err(), "{hostile:?}");
    }
}

#[test]
fn a_redacted_text_holds_no_key() {
    for platform in Platform::all() {
        let router = cases::router(vec![cases::transit()]);
        let text = written(&router, platform, Part::Whole, KeyText::Redact);
        assert!(!text.contains("example-key"), "{platform}: {text}");
    }
}

#[test]
fn a_key_that_the_platform_cannot_write_is_refused_without_showing_it() {
    for (name, text) in [
        ("cisco_ios_xe", "what?is-this"),
        ("cisco_nxos", "semi;colon"),
        ("juniper_junos", "quo\"ted-key"),
        ("juniper_srx", "$9$no-key-of-junos"),
        ("cisco_ios", "longer-than-25-characters-"),
    ] {
        let mut link = cases::private();
        link.sessions[0].key =
            SessionKey::Md5(AuthKey::from_file_content(text.to_owned().into()).unwrap());
        let wanted = Wanted {
            part: Part::Whole,
            form: None,
            keys: KeyText::Reveal,
        };
        let router = cases::router(vec![link]);
        let error = render(&router, platform(name), &Templates::built_in(), wanted).unwrap_err();
        let error = error.to_string();
        assert!(!error.contains(text), "{error}");
        assert!(error.contains("169.254.10.1"), "{error}");
    }
}

#[test]
fn a_left_out_key_is_told_loudly() {
    for platform in Platform::all() {
        let router = cases::router(vec![cases::no_key()]);
        let text = written(&router, platform, Part::Whole, KeyText::Reveal);
        assert!(
            text.contains("!!! NO MD5 KEY for 169.254.10.1"),
            "{platform}: {text}"
        );
    }
}

#[test]
fn nothing_is_left_to_fill_in_when_the_input_said_it() {
    let link = RouterLink {
        parent: Some("port1".parse().unwrap()),
        ..cases::private()
    };
    for platform in Platform::all() {
        let router = cases::router(vec![link.clone()]);
        let text = written(&router, platform, Part::Whole, KeyText::Reveal);
        assert!(
            text.contains("Still to fill in: nothing."),
            "{platform}: {text}"
        );
    }
}

#[test]
fn the_parts_alone_are_what_the_whole_ends_with() {
    for platform in Platform::all() {
        let router = cases::router(vec![cases::dual_stack()]);
        let whole = written(&router, platform, Part::Whole, KeyText::Redact);
        for part in [Part::Verify, Part::Drain, Part::Rollback] {
            let alone = written(&router, platform, part, KeyText::Redact);
            for line in alone.lines().filter(|line| !line.trim().is_empty()) {
                assert!(whole.contains(line.trim_end()), "{platform}: {line:?}");
            }
        }
        let rollback = written(&router, platform, Part::Rollback, KeyText::Redact);
        assert!(!rollback.trim().is_empty(), "{platform}");
    }
}

#[test]
fn long_names_make_names_of_policies_that_fit_and_stay_apart() {
    let name = |end: char| -> Name { format!("{}{end}", "x".repeat(99)).parse().unwrap() };
    for platform in Platform::all() {
        let (one, other) = (platform.policy(&name('a')), platform.policy(&name('b')));
        assert_ne!(one, other, "{platform}");
        assert!(one.len() <= 100 && one.starts_with("DX-"), "{one}");
    }
    assert_eq!(platform("cisco_nxos").policy(&name('a')).len(), 48);
}

#[test]
fn an_unknown_field_is_an_error_with_template_line_and_field() {
    let mut templates = Templates::built_in();
    let text = "line one\n{% for link in links %}\n{{ link.vlam }}\n{% endfor %}\n";
    templates
        .replace("cisco_ios_xe/verify.j2", text.to_owned())
        .unwrap();
    let wanted = Wanted {
        part: Part::Verify,
        form: None,
        keys: KeyText::Redact,
    };
    let router = cases::router(vec![cases::private()]);
    // Classic IOS includes IOS-XE's: the template at fault is named.
    for name in ["cisco_ios_xe", "cisco_ios"] {
        let error = render(&router, platform(name), &templates, wanted).unwrap_err();
        assert_eq!(
            error,
            RenderError::Template(TemplateError::Faulty {
                template: "cisco_ios_xe/verify.j2".into(),
                line: 3,
                what: "there is no field `link.vlam`".into(),
            })
        );
    }
    let unknown = templates.replace("cisco_ios_xe/nothing.j2", String::new());
    assert!(matches!(unknown, Err(TemplateError::Unknown(_))));
}

#[test]
fn an_unknown_form_is_refused_and_the_known_ones_named() {
    let wanted = Wanted {
        part: Part::Whole,
        form: Some("json"),
        keys: KeyText::Redact,
    };
    let router = cases::router(vec![cases::private()]);
    let junos = platform("juniper_junos");
    let error = render(&router, junos, &Templates::built_in(), wanted).unwrap_err();
    assert!(error.to_string().contains("it has set"), "{error}");
}

#[test]
fn set_lines_may_be_asked_for_where_there_is_nothing_else() {
    let router = cases::router(vec![cases::private()]);
    for name in ["vyos", "paloalto_panos"] {
        let [usual, asked] = [None, Some("set")].map(|form| {
            let wanted = Wanted {
                part: Part::Whole,
                form,
                keys: KeyText::Redact,
            };
            render(&router, platform(name), &Templates::built_in(), wanted).unwrap()
        });
        assert_eq!(usual, asked, "{name}");
    }
}

#[test]
fn every_golden_belongs_to_a_case() {
    let cases: BTreeSet<&str> = cases::all().into_iter().map(|(case, _)| case).collect();
    for platform in Platform::all() {
        let folder = format!("{}/src/{platform}/golden", env!("CARGO_MANIFEST_DIR"));
        for file in std::fs::read_dir(folder).unwrap() {
            let file = file.unwrap().file_name().into_string().unwrap();
            let case = file.split('.').next().unwrap();
            assert!(cases.contains(case), "{platform}/golden/{file}");
        }
    }
}

#[test]
fn the_readme_has_a_row_for_every_platform_and_its_forms() {
    let readme = include_str!("../README.md");
    for platform in Platform::all() {
        let row = format!("| `{platform}` |");
        let row = readme.lines().find(|line| line.starts_with(&row));
        let row = row.unwrap_or_else(|| panic!("{platform} has no row"));
        for form in platform.forms() {
            assert!(row.contains(&format!("`{form}`")), "{row}");
        }
    }
}
