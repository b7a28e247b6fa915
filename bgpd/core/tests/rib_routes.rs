//! Sequences that an operator would recognize, told to the RIB.

#![allow(clippy::unwrap_used)]

mod rib_world;

use std::sync::Arc;

use bgp_core::api::{RoutePath, Routes, RoutesQuery};
use bgp_core::config::Peer;
use bgp_core::policy::{Changes, Policy, PrefixMatch, Rule, Verdict};
use bgp_core::rib::{FibRoute, Hop, OnDown, PrefixLimitExceeded, Rib, Scan};
use bgp_core::wire::{Community, ExtendedCommunity, PathAttributes};
use bgp_core::{Asn, Family, PathId};
use ipnet::IpNet;
use rib_world::{
    Kernel, Receiver, announcing, attributes, codec, drain, ending, net, peer, prefixes, rib,
    session, walk, withdrawing,
};

const A: PathId = PathId(1);
const B: PathId = PathId(2);
const C: PathId = PathId(3);

fn bring_up(rib: &mut Rib, path: PathId, config: &Peer) {
    rib.configure(path, Arc::new(config.clone()));
    rib.established(path, session(config, path.0));
}

/// Two peers of one AS, and one that listens.
fn three() -> (Rib, [Peer; 3]) {
    let peers = [
        peer("a", "198.51.100.1", 64512),
        peer("b", "203.0.113.1", 64512),
        peer("c", "192.0.2.9", 64513),
    ];
    let mut rib = rib();
    for (path, peer) in [A, B, C].into_iter().zip(&peers) {
        bring_up(&mut rib, path, peer);
    }
    (rib, peers)
}

fn announce(rib: &mut Rib, path: PathId, from: &Peer, as_path: &[u32], nets: &[IpNet]) {
    rib.update(path, &announcing(attributes(from.remote, as_path), nets))
        .unwrap();
}

fn paths(rib: &Rib, prefix: &str) -> Vec<RoutePath> {
    rib.lookup(net(prefix))
        .map(|route| route.paths)
        .unwrap_or_default()
}

fn answer(rib: &Rib, query: RoutesQuery) -> Routes {
    let mut scan = Scan::new(query);
    while !rib.scan(&mut scan, 2) {}
    scan.into_routes()
}

#[test]
fn a_route_goes_from_one_peer_to_the_kernel_and_to_the_other_peers() {
    let (mut rib, peers) = three();
    announce(&mut rib, A, &peers[0], &[64512, 7], &[net("10.1.0.0/16")]);
    let (mut kernel, mut to_a, mut to_c) =
        (Kernel::default(), Receiver::default(), Receiver::default());
    kernel.drain(&mut rib);
    to_a.drain(&mut rib, A);
    to_c.drain(&mut rib, C);
    let best = Hop {
        path: A,
        gateway: peers[0].remote,
    };
    assert_eq!(
        kernel.routes[&net("10.1.0.0/16")],
        FibRoute { best, backup: None }
    );
    assert!(to_a.routes.is_empty(), "it came from there");
    let heard = &to_c.routes[&net("10.1.0.0/16")];
    assert_eq!(heard.as_path.to_string(), "65010 64512 7");
    assert_eq!(heard.next_hop.address.to_string(), "192.0.2.254");
    rib.update(A, &withdrawing(&[net("10.1.0.0/16")])).unwrap();
    kernel.drain(&mut rib);
    to_c.drain(&mut rib, C);
    assert!(kernel.routes.is_empty() && to_c.routes.is_empty());
}

#[test]
fn extended_communities_that_are_not_transitive_stay_within_the_as() {
    let (mut rib, peers) = three();
    let inside = Peer {
        remote_asn: rib_world::OUR_ASN,
        ..peer("inside", "192.0.3.9", 0)
    };
    bring_up(&mut rib, PathId(4), &inside);
    let route_target = ExtendedCommunity([0x00, 0x02, 0xfc, 0, 0, 0, 0, 1]);
    let link_bandwidth = ExtendedCommunity([0x40, 0x04, 0xfc, 0, 0, 0, 0, 1]);
    let sent = PathAttributes {
        extended_communities: vec![route_target, link_bandwidth],
        ..attributes(peers[0].remote, &[64512])
    };
    rib.update(A, &announcing(sent, &[net("10.1.0.0/16")]))
        .unwrap();
    let (mut to_c, mut to_inside) = (Receiver::default(), Receiver::default());
    to_c.drain(&mut rib, C);
    to_inside.drain(&mut rib, PathId(4));
    let heard = |receiver: &Receiver| {
        receiver.routes[&net("10.1.0.0/16")]
            .extended_communities
            .clone()
    };
    assert_eq!(heard(&to_c), [route_target]);
    assert_eq!(heard(&to_inside), [route_target, link_bandwidth]);
}

#[test]
fn initial_routes_end_with_end_of_rib_even_when_there_are_none() {
    let (mut rib, _) = three();
    let mut to_a = Receiver::default();
    to_a.drain(&mut rib, A);
    to_a.drain(&mut rib, A);
    assert_eq!((to_a.routes.len(), to_a.ends_of_rib), (0, 1));
}

#[test]
fn every_path_says_why_it_is_not_best() {
    let (mut rib, peers) = three();
    let prefix = [net("10.1.0.0/16")];
    announce(&mut rib, A, &peers[0], &[64512, 7], &prefix);
    announce(&mut rib, B, &peers[1], &[64512], &prefix);
    announce(&mut rib, C, &peers[2], &[64513, 65010], &prefix);
    let shown: Vec<(String, bool, Option<String>)> = paths(&rib, "10.1.0.0/16")
        .into_iter()
        .map(|path| (path.peer, path.best, path.why_not_best))
        .collect();
    assert_eq!(
        shown,
        [
            ("b".to_owned(), true, None),
            (
                "a".to_owned(),
                false,
                Some("another path has a shorter AS_PATH".to_owned())
            ),
            (
                "c".to_owned(),
                false,
                Some("refused: our own AS is in its AS_PATH".to_owned())
            ),
        ]
    );
}

#[test]
fn a_path_through_any_of_our_as_numbers_is_a_loop() {
    let (mut rib, mut peers) = three();
    let prefix = [net("10.1.0.0/16")];
    announce(&mut rib, A, &peers[0], &[64512, 65099], &prefix);
    let refused = |rib: &mut Rib| {
        while rib.has_walks() {
            rib.walk(1000);
        }
        !paths(rib, "10.1.0.0/16")[0].best
    };
    assert!(!refused(&mut rib));
    // C's session is by another AS number of ours, from now on and no longer.
    for (local_asn, is_loop) in [(65099, true), (65010, false)] {
        peers[2].local_asn = Asn(local_asn);
        rib.configure(C, Arc::new(peers[2].clone()));
        assert_eq!(refused(&mut rib), is_loop);
    }
    peers[2].local_asn = Asn(65099);
    rib.configure(C, Arc::new(peers[2].clone()));
    assert!(refused(&mut rib));
    rib.remove(C);
    assert!(!refused(&mut rib));
}

#[test]
fn a_policy_gives_its_own_words_for_a_refusal() {
    let (mut rib, mut peers) = three();
    announce(&mut rib, A, &peers[0], &[64512], &[net("0.0.0.0/0")]);
    peers[0].import = Policy {
        rules: vec![Rule::refuse(Vec::new(), "the default route is not taken")],
    };
    rib.configure(A, Arc::new(peers[0].clone()));
    walk(&mut rib);
    let reason = paths(&rib, "0.0.0.0/0")[0].why_not_best.clone();
    assert_eq!(
        reason.as_deref(),
        Some("refused: the default route is not taken")
    );
}

#[test]
fn a_next_hop_off_the_link_is_refused_with_its_reason() {
    let (mut rib, peers) = three();
    for (next_hop, reason) in [
        ("198.51.100.77", None),
        (
            "8.8.8.8",
            Some(
                "refused: its next hop is neither the peer's address nor in the subnet of `local`",
            ),
        ),
        (
            "198.51.100.254",
            Some("refused: its next hop is this router's own address"),
        ),
        (
            "224.0.0.1",
            Some("refused: its next hop is not a unicast address"),
        ),
    ] {
        let attributes = attributes(next_hop.parse().unwrap(), &[peers[0].remote_asn.0]);
        rib.update(A, &announcing(attributes, &[net("10.1.0.0/16")]))
            .unwrap();
        assert_eq!(
            paths(&rib, "10.1.0.0/16")[0].why_not_best.as_deref(),
            reason
        );
    }
}

#[test]
fn a_changed_policy_applies_to_what_was_received_before() {
    let (mut rib, mut peers) = three();
    let prefix = [net("10.1.0.0/16")];
    announce(&mut rib, A, &peers[0], &[64512], &prefix);
    announce(&mut rib, B, &peers[1], &[64512], &prefix);
    let mut to_c = Receiver::default();
    to_c.drain(&mut rib, C);
    let changes = Changes {
        local_pref: Some(200),
        add_communities: vec![Community(5)],
        ..Changes::default()
    };
    peers[1].import = Policy {
        rules: vec![Rule {
            verdict: Verdict::Accept(changes),
            ..Rule::accept(Vec::new())
        }],
    };
    rib.configure(B, Arc::new(peers[1].clone()));
    to_c.drain(&mut rib, C);
    assert_eq!(paths(&rib, "10.1.0.0/16")[0].peer, "b");
    assert_eq!(to_c.routes[&prefix[0]].communities, [Community(5)]);
    peers[1].import = Policy::default();
    rib.configure(B, Arc::new(peers[1].clone()));
    to_c.drain(&mut rib, C);
    assert_eq!(paths(&rib, "10.1.0.0/16")[0].peer, "a");
    assert!(to_c.routes[&prefix[0]].communities.is_empty());
    peers[1].import = Policy::accept_all();
    rib.configure(B, Arc::new(peers[1].clone()));
    assert_eq!(
        paths(&rib, "10.1.0.0/16")[1].local_pref,
        None,
        "as received again"
    );
}

#[test]
fn a_heard_copy_with_a_high_preference_leaves_our_own_announcement_alone() {
    let (mut rib, mut peers) = three();
    let own = net("10.20.0.0/16");
    peers[2].advertise = vec![own];
    let changes = Changes {
        local_pref: Some(300),
        ..Changes::default()
    };
    peers[0].import = Policy {
        rules: vec![Rule {
            verdict: Verdict::Accept(changes),
            ..Rule::accept(Vec::new())
        }],
    };
    rib.configure(C, Arc::new(peers[2].clone()));
    rib.configure(A, Arc::new(peers[0].clone()));
    announce(&mut rib, A, &peers[0], &[64512], &[own]);
    let mut to_c = Receiver::default();
    to_c.drain(&mut rib, C);
    let said: Vec<_> = to_c.routes[&own].as_path.asns().collect();
    assert_eq!(said, [peers[2].local_asn], "as ours, not A's");
    let paths = paths(&rib, "10.20.0.0/16");
    assert_eq!((&*paths[1].peer, paths[1].best), ("a", false));
}

#[test]
fn stale_routes_serve_until_fresh_ones_come_and_are_swept_at_end_of_rib() {
    let (mut rib, peers) = three();
    let (kept, gone) = (net("10.1.0.0/16"), net("10.2.0.0/16"));
    let mut kernel = Kernel::default();
    announce(&mut rib, A, &peers[0], &[64512], &[kept, gone]);
    kernel.drain(&mut rib);
    let before = kernel.routes.clone();

    rib.down(A, OnDown::KeepStale);
    walk(&mut rib);
    assert!(!rib.has_fib_changes(), "forwarding stays as it is");
    assert_eq!((rib.counts(A).stale, rib.counts(A).best), (2, 2));

    announce(&mut rib, B, &peers[1], &[64512, 7, 7, 7], &[kept]);
    kernel.drain(&mut rib);
    let best = Hop {
        path: B,
        gateway: peers[1].remote,
    };
    assert_eq!(
        kernel.routes[&kept],
        FibRoute { best, backup: None },
        "fresh, though longer"
    );
    let reason = paths(&rib, "10.1.0.0/16")[1].why_not_best.clone().unwrap();
    assert!(reason.starts_with("stale"), "{reason}");

    rib.established(A, session(&peers[0], A.0));
    assert_eq!(rib.counts(A).stale, 2, "nothing is lost by coming back");
    announce(&mut rib, A, &peers[0], &[64512], &[kept]);
    rib.update(A, &ending(Family::Ipv4)).unwrap();
    kernel.drain(&mut rib);
    assert_eq!((rib.counts(A).stale, rib.counts(A).received), (0, 1));
    assert_eq!(kernel.routes.keys().collect::<Vec<_>>(), [&kept]);
    assert_eq!(
        kernel.routes[&kept],
        FibRoute {
            backup: Some(best),
            ..before[&kept]
        }
    );
}

#[test]
fn a_session_that_goes_down_twice_keeps_what_is_stale() {
    let (mut rib, peers) = three();
    announce(
        &mut rib,
        A,
        &peers[0],
        &[64512],
        &[net("10.1.0.0/16"), net("10.2.0.0/16")],
    );
    rib.down(A, OnDown::KeepStale);
    walk(&mut rib);
    rib.established(A, session(&peers[0], A.0));
    announce(&mut rib, A, &peers[0], &[64512], &[net("10.1.0.0/16")]);
    rib.down(A, OnDown::KeepStale);
    walk(&mut rib);
    assert_eq!(rib.counts(A).stale, 2);
    rib.down(A, OnDown::Withdraw);
    walk(&mut rib);
    assert_eq!(rib.counts(A).received, 0);
}

#[test]
fn networks_of_our_own_are_announced_and_kept_out_of_the_kernel() {
    let (mut rib, mut peers) = three();
    let ours = net("10.20.0.0/16");
    peers[0].advertise = vec![ours];
    rib.configure(A, Arc::new(peers[0].clone()));
    announce(&mut rib, B, &peers[1], &[64512], &[ours]);
    let (mut to_a, mut kernel) = (Receiver::default(), Kernel::default());
    to_a.drain(&mut rib, A);
    kernel.drain(&mut rib);
    assert_eq!(to_a.routes[&ours].as_path.to_string(), "65010");
    assert!(kernel.routes.is_empty());
    assert_eq!(paths(&rib, "10.20.0.0/16")[0].peer, "local");

    peers[0].advertise.clear();
    rib.configure(A, Arc::new(peers[0].clone()));
    to_a.drain(&mut rib, A);
    kernel.drain(&mut rib);
    assert_eq!(to_a.routes[&ours].as_path.to_string(), "65010 64512");
    assert_eq!(kernel.routes.len(), 1);
}

#[test]
fn the_advertise_limit_is_never_passed_and_what_it_holds_back_follows() {
    let (mut rib, mut peers) = three();
    peers[2].advertise_limit = Some(3);
    rib.configure(C, Arc::new(peers[2].clone()));
    let nets: Vec<IpNet> = (0..6)
        .map(|third| net(&format!("10.0.{third}.0/24")))
        .collect();
    announce(&mut rib, A, &peers[0], &[64512], &nets);
    let mut to_c = Receiver::default();
    to_c.drain(&mut rib, C);
    assert_eq!(
        (
            to_c.routes.len(),
            rib.counts(C).advertised,
            rib.counts(C).held_back
        ),
        (3, 3, 3)
    );

    let announced: Vec<IpNet> = to_c.routes.keys().copied().take(2).collect();
    rib.update(A, &withdrawing(&announced)).unwrap();
    to_c.drain(&mut rib, C);
    assert_eq!((to_c.routes.len(), rib.counts(C).held_back), (3, 1));
    assert_eq!(to_c.most, 3, "not even on the way");

    rib.update(A, &withdrawing(&nets)).unwrap();
    to_c.drain(&mut rib, C);
    assert_eq!((to_c.routes.len(), rib.counts(C).held_back), (0, 0));
}

#[test]
fn one_prefix_too_many_is_reported_once_and_not_taken() {
    let (mut rib, mut peers) = three();
    peers[0].prefix_limit = Some(2);
    rib.configure(A, Arc::new(peers[0].clone()));
    let nets = ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"].map(net);
    let update = announcing(attributes(peers[0].remote, &[64512]), &nets);
    assert_eq!(
        rib.update(A, &update),
        Err(PrefixLimitExceeded {
            family: Family::Ipv4,
            limit: 2
        })
    );
    assert_eq!(
        rib.update(A, &update),
        Ok(()),
        "the session is about to end"
    );
    assert_eq!(rib.counts(A).received, 2);
}

#[test]
fn what_is_stale_does_not_count_against_the_prefix_limit() {
    let (mut rib, mut peers) = three();
    peers[0].prefix_limit = Some(2);
    rib.configure(A, Arc::new(peers[0].clone()));
    announce(
        &mut rib,
        A,
        &peers[0],
        &[64512],
        &[net("10.1.0.0/16"), net("10.2.0.0/16")],
    );
    rib.down(A, OnDown::KeepStale);
    walk(&mut rib);
    rib.established(A, session(&peers[0], A.0));
    announce(
        &mut rib,
        A,
        &peers[0],
        &[64512],
        &[net("10.3.0.0/16"), net("10.4.0.0/16")],
    );
    assert_eq!(rib.counts(A).received, 4);
}

#[test]
fn a_change_while_nobody_listens_goes_out_once() {
    let (mut rib, peers) = three();
    let prefix = [net("10.1.0.0/16")];
    drain(&mut rib, C, 100);
    for hops in 1..6 {
        announce(&mut rib, A, &peers[0], &vec![64512; hops], &prefix);
    }
    assert_eq!(drain(&mut rib, C, 100).len(), 1);
    rib.update(A, &withdrawing(&prefix)).unwrap();
    announce(&mut rib, A, &peers[0], &[64512], &prefix);
    assert_eq!(drain(&mut rib, C, 100).len(), 1);
}

#[test]
fn prefixes_of_shared_attributes_are_packed_together() {
    let (mut rib, peers) = three();
    let nets: Vec<IpNet> = (0..9)
        .map(|third| net(&format!("10.0.{third}.0/24")))
        .collect();
    for (at, prefix) in nets.iter().enumerate() {
        announce(&mut rib, A, &peers[0], &[64512, [7, 8][at % 2]], &[*prefix]);
    }
    let outbound = drain(&mut rib, C, 100);
    assert_eq!(
        outbound.len(),
        3,
        "two announcements and End-of-RIB: {outbound:?}"
    );
}

#[test]
fn an_address_finds_its_longest_match() {
    let (mut rib, peers) = three();
    announce(
        &mut rib,
        A,
        &peers[0],
        &[64512],
        &["10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0"].map(net),
    );
    let found = |text: &str| rib.lookup(net(text)).map(|route| route.prefix.to_string());
    assert_eq!(found("10.1.2.3/32").as_deref(), Some("10.1.0.0/16"));
    assert_eq!(found("10.2.2.3/32").as_deref(), Some("10.0.0.0/8"));
    assert_eq!(found("8.8.8.8/32").as_deref(), Some("0.0.0.0/0"));
    assert_eq!(found("10.1.0.0/16").as_deref(), Some("10.1.0.0/16"));
    assert_eq!(found("10.1.0.0/17"), None);
    assert_eq!(found("2001:db8::1/128"), None);
}

#[test]
fn routes_are_listed_by_peer_and_network_up_to_a_limit() {
    let (mut rib, peers) = three();
    announce(
        &mut rib,
        A,
        &peers[0],
        &[64512, 7],
        &["10.2.0.0/16", "10.1.0.0/16"].map(net),
    );
    announce(
        &mut rib,
        B,
        &peers[1],
        &[64512],
        &["10.1.0.0/16", "172.16.0.0/12"].map(net),
    );
    Receiver::default().drain(&mut rib, C);
    let list = |query: RoutesQuery| -> Vec<String> {
        let answer = answer(&rib, query);
        let mut lines: Vec<String> = answer
            .routes
            .iter()
            .map(|route| {
                let peers: Vec<&str> = route.paths.iter().map(|path| path.peer.as_str()).collect();
                format!("{} {}", route.prefix, peers.join(","))
            })
            .collect();
        lines.extend(answer.truncated.then(|| "…".to_owned()));
        lines
    };
    let all = RoutesQuery::default();
    assert_eq!(
        list(all.clone()),
        ["10.1.0.0/16 b,a", "10.2.0.0/16 a", "172.16.0.0/12 b"]
    );
    let from_a = RoutesQuery {
        peer: Some("a".to_owned()),
        ..all.clone()
    };
    assert_eq!(list(from_a), ["10.1.0.0/16 a", "10.2.0.0/16 a"]);
    let within = RoutesQuery {
        within: Some(net("172.0.0.0/8")),
        ..all.clone()
    };
    assert_eq!(list(within), ["172.16.0.0/12 b"]);
    assert_eq!(
        list(RoutesQuery {
            family: Some(Family::Ipv6),
            ..all.clone()
        }),
        [""; 0]
    );
    assert_eq!(
        list(RoutesQuery {
            peer: Some("nobody".to_owned()),
            ..all.clone()
        }),
        [""; 0]
    );
    assert_eq!(
        list(RoutesQuery {
            limit: Some(1),
            ..all.clone()
        })
        .last()
        .unwrap(),
        "…"
    );
    assert_eq!(
        list(RoutesQuery {
            limit: Some(3),
            ..all.clone()
        })
        .len(),
        3,
        "no more to come"
    );
    let to_c = RoutesQuery {
        advertised: Some("c".to_owned()),
        ..all
    };
    let sent = answer(&rib, to_c);
    assert_eq!(sent.routes.len(), 3);
    assert_eq!(sent.routes[0].paths[0].as_path, "65010 64512");
    assert_eq!(
        sent.routes[0].paths[0].next_hop,
        Some("192.0.2.254".parse().unwrap())
    );
}

#[test]
fn a_thousand_filters_let_exactly_theirs_pass() {
    let (mut rib, mut peers) = three();
    let nets: Vec<IpNet> = (0..2000u32)
        .map(|at| net(&format!("10.{}.{}.0/24", at >> 8, at & 255)))
        .collect();
    let filters = nets
        .iter()
        .step_by(2)
        .map(|net| PrefixMatch::exact(*net))
        .collect();
    peers[0].import = Policy {
        rules: vec![Rule::accept(filters)],
    };
    rib.configure(A, Arc::new(peers[0].clone()));
    announce(&mut rib, A, &peers[0], &[64512], &nets);
    assert_eq!(
        (rib.counts(A).received, rib.counts(A).accepted),
        (2000, 1000)
    );
    assert_eq!(prefixes(&nets).len(), 2000);
}

#[test]
fn an_ipv6_gateway_is_the_link_local_address_only_where_the_global_one_is_elsewhere() {
    let config = peer("a", "2001:db8:1::1", 64512);
    let mut rib = rib();
    bring_up(&mut rib, A, &config);
    for (next_hop, gateway) in [
        ("2001:db8:1::1", "2001:db8:1::1"),
        ("2001:db8:1::77", "2001:db8:1::77"),
        ("2001:db8:99::1", "fe80::1"),
    ] {
        let mut attributes = attributes(next_hop.parse().unwrap(), &[64512]);
        attributes.next_hop.link_local = Some("fe80::1".parse().unwrap());
        rib.update(A, &announcing(attributes, &[net("2001:db8:a::/48")]))
            .unwrap();
        let changes = rib.drain_fib(10);
        let hop = changes[0].route.unwrap().best;
        assert_eq!(hop.gateway, gateway.parse::<std::net::IpAddr>().unwrap());
    }
}

#[test]
fn routes_of_the_other_family_are_not_announced_without_an_address_for_their_next_hop() {
    let (mut rib, peers) = three();
    let both = bgp_core::rib::Session {
        codec: codec(false, &Family::ALL),
        ..session(&peers[2], C.0)
    };
    rib.established(C, both);
    let v6 = peer("v6", "2001:db8:1::1", 64512);
    bring_up(&mut rib, PathId(9), &v6);
    announce(
        &mut rib,
        PathId(9),
        &v6,
        &[64512],
        &[net("2001:db8:a::/48")],
    );
    announce(&mut rib, A, &peers[0], &[64512], &[net("10.1.0.0/16")]);
    let mut to_c = Receiver::default();
    to_c.drain(&mut rib, C);
    assert_eq!(
        to_c.routes.keys().collect::<Vec<_>>(),
        [&net("10.1.0.0/16")]
    );
    assert_eq!(to_c.ends_of_rib, 2);
}

#[test]
fn prefixes_that_come_and_go_do_not_pile_up_for_a_peer_that_takes_nothing() {
    let (mut rib, [a, ..]) = three();
    let known = net("10.0.0.0/24");
    announce(&mut rib, A, &a, &[64512], &[known]);
    let (mut reader, mut kernel) = (Receiver::default(), Kernel::default());
    reader.drain(&mut rib, C);
    kernel.drain(&mut rib);
    for third in 0..=255 {
        let gone = net(&format!("10.1.{third}.0/24"));
        announce(&mut rib, A, &a, &[64512], &[gone]);
        rib.update(A, &withdrawing(&[gone])).unwrap();
    }
    rib.reap(usize::MAX);
    assert!(!rib.has_garbage(), "nobody has heard of those");

    // What it has heard of it is told about, whenever it reads again.
    rib.update(A, &withdrawing(&[known])).unwrap();
    rib.reap(usize::MAX);
    assert!(rib.has_garbage());
    assert_eq!(reader.routes.len(), 1);
    reader.drain(&mut rib, C);
    kernel.drain(&mut rib);
    assert!(reader.routes.is_empty() && kernel.routes.is_empty());
    // Of A and B, neither has heard of it: it is A's own, and B is of A's AS.
    rib.reap(usize::MAX);
    assert!(!rib.has_garbage());
}
