//! Every platform × case against the text beside its template.
//! `UPDATE_GOLDEN=1 cargo test -p vendor-configs` writes them anew; read the
//! difference before committing it.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use bgp_core::config::{AuthKey, VifKind};
use bgp_core::{Asn, VlanId};
use vendor_configs::{KeyText, Platform, Preference, RouterLink, Session, render};

fn key(text: &str) -> Option<AuthKey> {
    Some(AuthKey::from_file_content(text.to_owned().into()).unwrap())
}

fn session(local: &str, peer: &str, peer_asn: u32) -> Session {
    Session {
        local: local.parse().unwrap(),
        peer: peer.parse().unwrap(),
        peer_asn: Asn(peer_asn),
        auth_key: key("example-key"),
    }
}

fn private() -> RouterLink {
    RouterLink {
        name: "prod".into(),
        vif_id: Some("dxvif-fgexample".into()),
        kind: VifKind::Private,
        parent: None,
        vlan: VlanId::new(101).unwrap(),
        mtu: 9001,
        local_asn: Asn(65010),
        sessions: vec![session("169.254.10.2/30", "169.254.10.1", 64512)],
        advertise: vec!["10.20.0.0/16".parse().unwrap()],
        preference: Some(Preference::High),
    }
}

fn transit_both_families() -> RouterLink {
    RouterLink {
        name: "hub".into(),
        kind: VifKind::Transit,
        vlan: VlanId::new(4094).unwrap(),
        mtu: 8500,
        local_asn: Asn(4_200_000_123),
        sessions: vec![
            session("169.254.20.0/31", "169.254.20.1", 4_200_000_001),
            session("2001:db8:0:1::6/125", "2001:db8:0:1::5", 4_200_000_001),
        ],
        advertise: vec![
            "10.20.0.0/16".parse().unwrap(),
            "fd00:20::/48".parse().unwrap(),
        ],
        ..private()
    }
}

fn own_port(platform: Platform) -> RouterLink {
    let parent = match platform {
        Platform::CiscoIosXe => "Port-channel1",
        Platform::JuniperJunos => "ae0",
    };
    RouterLink {
        parent: Some(parent.into()),
        preference: None,
        advertise: Vec::new(),
        ..private()
    }
}

fn public() -> RouterLink {
    RouterLink {
        name: "edge".into(),
        kind: VifKind::Public,
        mtu: 1500,
        preference: None,
        advertise: vec!["198.51.100.0/24".parse().unwrap()],
        sessions: vec![session("198.51.100.2/30", "198.51.100.1", 7224)],
        ..private()
    }
}

#[test]
fn every_platform_writes_every_case_as_reviewed() {
    let mut differ = Vec::new();
    for platform in Platform::ALL {
        let cases = [
            ("private", private()),
            ("transit-both-families", transit_both_families()),
            ("public", public()),
            ("own-port-nothing-advertised", own_port(platform)),
        ];
        for (case, link) in cases {
            let text = render(&link, platform, KeyText::Reveal).unwrap();
            let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
                .join(format!("src/{platform}/{case}.txt"));
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                std::fs::write(&golden, &text).unwrap();
            } else if std::fs::read_to_string(&golden).unwrap_or_default() != text {
                differ.push(format!("{platform}/{case}.txt:\n{text}"));
            }
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[test]
fn a_redacted_text_holds_no_key() {
    for platform in Platform::ALL {
        let text = render(&transit_both_families(), platform, KeyText::Redact).unwrap();
        assert!(
            text.contains("<auth-key>") && !text.contains("example-key"),
            "{text}"
        );
    }
}

#[test]
fn a_key_that_the_platform_cannot_write_is_refused_without_showing_it() {
    for (platform, text) in [
        (Platform::CiscoIosXe, "what?is-this"),
        (Platform::JuniperJunos, "quo\"ted-key"),
    ] {
        let mut link = private();
        link.sessions[0].auth_key = key(text);
        let error = render(&link, platform, KeyText::Reveal)
            .unwrap_err()
            .to_string();
        assert!(
            !error.contains(text) && error.contains("169.254.10.1"),
            "{error}"
        );
    }
}

#[test]
fn no_text_field_can_break_out_of_its_place() {
    for hostile in [
        "a\nb", "a\"b", "a!b", "a#b", "a;b", "a{b", "a}b", "a?b", "a$b", "a`b", "a b", "ä", "",
    ] {
        for change in [
            |link: &mut RouterLink, text: &str| link.name = text.into(),
            |link: &mut RouterLink, text: &str| link.vif_id = Some(text.into()),
            |link: &mut RouterLink, text: &str| link.parent = Some(text.into()),
        ] {
            let mut link = private();
            change(&mut link, hostile);
            for platform in Platform::ALL {
                assert!(
                    render(&link, platform, KeyText::Redact).is_err(),
                    "{hostile:?} passed on {platform}"
                );
            }
        }
    }
}

#[test]
fn mistakes_name_the_place_and_the_way_out() {
    let says = |change: fn(&mut RouterLink), words: &str| {
        let mut link = private();
        change(&mut link);
        let error = render(&link, Platform::CiscoIosXe, KeyText::Redact)
            .unwrap_err()
            .to_string();
        assert!(error.contains(words), "{error}");
    };
    says(|link| link.mtu = 1400, "MTU 1400");
    says(
        |link| link.advertise = vec!["10.20.1.0/16".parse().unwrap()],
        "did you mean 10.20.0.0/16",
    );
    says(
        |link| link.advertise = vec!["fd00::/48".parse().unwrap()],
        "no BGP peer of its family",
    );
    says(
        |link| link.sessions[0].peer = "169.254.10.5".parse().unwrap(),
        "not the other end",
    );
    says(
        |link| link.sessions[0].peer_asn = Asn(65010),
        "both ends have ASN",
    );
    says(|link| link.sessions.clear(), "no BGP peer");
}
