//! The cases that every platform is written for.

#![allow(clippy::unwrap_used, dead_code)]

use bgp_core::config::{AuthKey, Preference, VifKind};
use bgp_core::{Asn, VlanId};
use vendor_configs::{
    Backup, Router, RouterLink, RouterPlan, Scope, Session, SessionKey, check_pair,
};

/// Name, and what to write.
pub(crate) fn all() -> Vec<(&'static str, Router)> {
    let (primary, backup) = pair();
    vec![
        ("private", router(vec![private()])),
        ("dual-stack", router(vec![dual_stack()])),
        ("ipv6-only", ipv6_only()),
        ("transit", router(vec![transit()])),
        ("public", router(vec![public()])),
        ("public-dual-stack", router(vec![public_dual_stack()])),
        ("slash-31", router(vec![slash_31()])),
        ("two-equal", router(two(None))),
        ("two-preferred", router(two(Some(Preference::Low)))),
        ("pair-primary", primary),
        ("pair-backup", backup),
        ("vrf", router(vec![in_vrf()])),
        ("two-vrfs", two_vrfs()),
        ("internet-backup", with_backup()),
        ("no-bfd", router(vec![no_bfd()])),
        ("no-key", router(vec![no_key()])),
        ("nothing-announced", router(vec![nothing_announced()])),
    ]
}

pub(crate) fn router(links: Vec<RouterLink>) -> Router {
    Router::new(plan(links)).unwrap()
}

pub(crate) fn plan(links: Vec<RouterLink>) -> RouterPlan {
    RouterPlan {
        hostname: None,
        router_id: None,
        links,
        backup: None,
    }
}

pub(crate) fn key(text: &str) -> SessionKey {
    SessionKey::Md5(AuthKey::from_file_content(text.to_owned().into()).unwrap())
}

pub(crate) fn session(local: &str, peer: &str, peer_asn: u32) -> Session {
    Session {
        local: local.parse().unwrap(),
        peer: peer.parse().unwrap(),
        peer_asn: Asn(peer_asn),
        key: key("example-key"),
    }
}

fn nets<T: std::str::FromStr<Err: std::fmt::Debug>>(texts: &[&str]) -> Vec<T> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn link(
    name: &str,
    kind: VifKind,
    vlan: u16,
    local_asn: u32,
    sessions: Vec<Session>,
) -> RouterLink {
    RouterLink {
        vif_id: Some("dxvif-fgexample".parse().unwrap()),
        ..RouterLink::new(
            name.parse().unwrap(),
            kind,
            VlanId::new(vlan).unwrap(),
            Asn(local_asn),
            sessions,
        )
    }
}

/// IPv4, /30, 2-byte ASNs.
pub(crate) fn private() -> RouterLink {
    let sessions = vec![session("169.254.10.2/30", "169.254.10.1", 64512)];
    RouterLink {
        advertise: nets(&["10.20.0.0/16"]),
        preference: Some(Preference::High),
        ..link("prod", VifKind::Private, 101, 65010, sessions)
    }
}

pub(crate) fn dual_stack() -> RouterLink {
    let sessions = vec![
        session("169.254.10.2/30", "169.254.10.1", 64512),
        session("2001:db8:0:1::6/125", "2001:db8:0:1::5", 64512),
    ];
    RouterLink {
        advertise: nets(&["10.20.0.0/16", "10.21.0.0/16", "fd00:20::/48"]),
        mtu: 9001,
        ..link("prod", VifKind::Private, 101, 65010, sessions)
    }
}

/// There is no IPv4 address to take a router identifier from.
pub(crate) fn ipv6_only() -> Router {
    let mut link = dual_stack();
    link.sessions.remove(0);
    link.advertise.retain(|net| net.addr().is_ipv6());
    let mut plan = plan(vec![link]);
    plan.router_id = Some(bgp_core::RouterId([192, 0, 2, 1].into()));
    Router::new(plan).unwrap()
}

/// Jumbo frames, 4-byte ASNs, an announced aggregate that VPCs are inside of.
pub(crate) fn transit() -> RouterLink {
    let sessions = vec![session("169.254.20.2/29", "169.254.20.1", 4_200_000_001)];
    RouterLink {
        advertise: nets(&["10.0.0.0/8"]),
        mtu: 8500,
        preference: Some(Preference::Medium),
        description: Some(
            "To the hub, circuit #4711 (call +49 69 1234)"
                .parse()
                .unwrap(),
        ),
        ..link("hub", VifKind::Transit, 4094, 4_200_000_123, sessions)
    }
}

pub(crate) fn public() -> RouterLink {
    let sessions = vec![session("198.51.100.2/30", "198.51.100.1", 7224)];
    RouterLink {
        advertise: nets(&["192.0.2.0/24"]),
        ..link("edge", VifKind::Public, 300, 64496, sessions)
    }
}

/// Everywhere, and second to another.
pub(crate) fn public_dual_stack() -> RouterLink {
    let mut link = public();
    link.sessions
        .push(session("2001:db8:0:2::6/125", "2001:db8:0:2::5", 7224));
    RouterLink {
        advertise: nets(&["192.0.2.0/24", "2001:db8:ffff::/48"]),
        scope: Scope::Global,
        preference: Some(Preference::Low),
        ..link
    }
}

pub(crate) fn slash_31() -> RouterLink {
    RouterLink {
        sessions: vec![session("169.254.30.0/31", "169.254.30.1", 64512)],
        ..private()
    }
}

/// Two VIFs of one kind on one router, the second of this preference or equal.
pub(crate) fn two(second: Option<Preference>) -> Vec<RouterLink> {
    let other = RouterLink {
        preference: second.or(private().preference),
        advertise: private().advertise,
        ..link(
            "prod-b",
            VifKind::Private,
            102,
            65010,
            vec![session("169.254.11.2/30", "169.254.11.1", 64512)],
        )
    };
    vec![private(), other]
}

/// The same two, each on its router.
pub(crate) fn pair() -> (Router, Router) {
    let mut links = two(Some(Preference::Low)).into_iter();
    let mut named = |name: &str| {
        let mut plan = plan(vec![links.next().unwrap()]);
        plan.hostname = Some(name.parse().unwrap());
        Router::new(plan).unwrap()
    };
    let (primary, backup) = (named("edge1"), named("edge2"));
    check_pair(&primary, &backup).unwrap();
    (primary, backup)
}

pub(crate) fn in_vrf() -> RouterLink {
    RouterLink {
        vrf: Some("PROD".parse().unwrap()),
        ..dual_stack()
    }
}

/// One VIF in the default instance and one in a VRF with a backup of its own.
pub(crate) fn two_vrfs() -> Router {
    let mut links = two(None);
    links[1].vrf = Some("DEV".parse().unwrap());
    let mut plan = plan(links);
    plan.backup = Some(Backup {
        vrf: Some("DEV".parse().unwrap()),
        gateways: nets(&["10.99.0.1"]),
        interface: None,
        to: nets(&["10.128.0.0/9", "172.31.0.0/16"]),
    });
    Router::new(plan).unwrap()
}

/// Both families, by default routes.
pub(crate) fn with_backup() -> Router {
    let mut plan = plan(vec![dual_stack()]);
    plan.backup = Some(Backup {
        vrf: None,
        gateways: nets(&["203.0.113.1", "2001:db8:f::1"]),
        interface: None,
        to: Vec::new(),
    });
    Router::new(plan).unwrap()
}

pub(crate) fn no_bfd() -> RouterLink {
    RouterLink {
        bfd: None,
        timers: vendor_configs::Timers {
            keepalive: 10,
            hold: 30,
        },
        ..private()
    }
}

pub(crate) fn no_key() -> RouterLink {
    let mut link = private();
    link.sessions[0].key = SessionKey::LeftOut;
    link
}

pub(crate) fn nothing_announced() -> RouterLink {
    RouterLink {
        advertise: Vec::new(),
        ..dual_stack()
    }
}
