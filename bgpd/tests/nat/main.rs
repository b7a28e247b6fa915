//! Flows through translated source addresses, moved between two links and back.
//! Needs root, iproute2 and nftables; touches nothing outside its own namespaces.

#![allow(clippy::unwrap_used)]

#[path = "../fib/support.rs"]
mod support;
mod world;

use std::net::IpAddr;

use bgp_core::config::Conntrack;
use bgpd::nat::{self, Plan};
use bgpd::netlink::nftables::Masquerade;
use ipnet::IpNet;

use support::{LEFT, RIGHT, in_namespace};
use world::{Flow, Stand, nft};

#[test]
fn flows_go_on_after_the_swap_and_after_the_return_and_others_are_left_alone() {
    in_namespace(|| {
        let stand = Stand::new("udp");
        stand.masquerade(Conntrack::Flush);
        let moved = Flow::udp(&stand, "10.9.0.2:5001", "198.51.100.7:7");
        let other = Flow::udp(&stand, "10.9.0.2:5002", "203.0.113.7:7");
        assert_eq!(moved.echoed(), "10.9.0.2");
        assert_eq!(other.echoed(), "10.0.2.1", "masqueraded on the right");
        let before = stand.flows("203.0.113.7/32");

        stand.down(LEFT);
        assert_eq!(moved.echoed(), "10.0.2.1");
        stand.up(LEFT);
        assert_eq!(moved.echoed(), "10.9.0.2");

        assert_eq!(other.echoed(), "10.0.2.1");
        assert_eq!(stand.flows("203.0.113.7/32"), before, "it was not moved");
    });
}

#[test]
fn a_firewall_that_flushes_the_ruleset_doesnt_end_the_masquerading() {
    in_namespace(|| {
        let stand = Stand::new("flushed");
        stand.masquerade(Conntrack::Flush);
        nft("flush ruleset");
        stand.restored();
        stand.looked();
        let flow = Flow::udp(&stand, "10.9.0.2:5001", "203.0.113.7:7");
        assert_eq!(flow.echoed(), "10.0.2.1");
    });
}

#[test]
fn what_the_kernel_refuses_is_told_once_and_tried_until_it_takes_it() {
    in_namespace(|| {
        let stand = Stand::new("refused");
        // More than fits into one message to the kernel.
        let from =
            (0..2_000_u32).map(|net| IpNet::from(IpAddr::from((10 << 24 | net).to_be_bytes())));
        let plan = Plan {
            masquerades: vec![Masquerade {
                interface: "right".to_owned(),
                from: from.collect(),
            }],
            ..Plan::default()
        };
        assert_eq!(stand.refusals(plan, 20), 1);
        assert!(!nat::is_there(186).unwrap());
        stand.masquerade(Conntrack::Flush);
        assert!(nat::is_there(186).unwrap());
    });
}

#[test]
fn flows_of_an_operators_own_translation_get_the_new_paths_address() {
    in_namespace(|| {
        let stand = Stand::new("snat");
        nft(
            "table inet operator { chain nat { type nat hook postrouting priority srcnat;
            oifname left ip saddr 10.9.0.2 snat ip to 10.0.1.50;
            oifname right ip saddr 10.9.0.2 snat ip to 10.0.2.50;\n}\n}",
        );
        stand.configure(&[], Conntrack::Flush);
        let flow = Flow::udp(&stand, "10.9.0.2:5001", "198.51.100.7:7");
        assert_eq!(flow.echoed(), "10.0.1.50");
        stand.down(LEFT);
        assert_eq!(flow.echoed(), "10.0.2.50");
        stand.up(LEFT);
        assert_eq!(flow.echoed(), "10.0.1.50");
    });
}

#[test]
fn a_connection_whose_address_both_paths_carry_goes_on() {
    in_namespace(|| {
        let stand = Stand::new("tcp");
        nft(
            "table inet operator { chain nat { type nat hook postrouting priority srcnat;
            oifname { left, right } ip saddr 10.9.0.2 snat ip to 192.0.2.33;\n}\n}",
        );
        stand.configure(&[], Conntrack::Flush);
        let connection = Flow::tcp(&stand, "10.9.0.2:5003", "198.51.100.7:7");
        assert_eq!(connection.echoed(), "192.0.2.33");
        stand.down(LEFT);
        assert_eq!(connection.echoed(), "192.0.2.33");
        stand.up(LEFT);
        assert_eq!(connection.echoed(), "192.0.2.33");
    });
}

#[test]
fn flows_over_ipv6_are_moved_and_moved_back_too() {
    in_namespace(|| {
        let stand = Stand::new("udp6");
        stand.masquerade(Conntrack::Flush);
        let flow = Flow::udp(&stand, "[fd00:99::2]:5001", "[fd00:198::7]:7");
        assert_eq!(flow.echoed(), "fd00:99::2");
        stand.down(LEFT);
        assert_eq!(flow.echoed(), "fd00:2::1", "masqueraded on the right");
        stand.up(LEFT);
        assert_eq!(flow.echoed(), "fd00:99::2");
    });
}

/// No address of the left path's is the right one's: what can't go on is told at once,
/// and begins anew.
#[test]
fn a_connection_that_is_masqueraded_elsewhere_is_reset_and_a_new_one_works() {
    in_namespace(|| {
        let stand = Stand::new("tcp-flush");
        stand.masquerade(Conntrack::Flush);
        let connect = |port| Flow::tcp(&stand, &format!("10.9.0.2:{port}"), "198.51.100.7:7");
        let first = connect(5003);
        assert_eq!(first.echoed(), "10.9.0.2");
        stand.down(LEFT);
        stand.looked();
        assert!(first.is_reset());
        let second = connect(5004);
        assert_eq!(second.echoed(), "10.0.2.1");
        stand.up(LEFT);
        stand.looked();
        assert!(second.is_reset());
        assert_eq!(connect(5005).echoed(), "10.9.0.2");
    });
}

#[test]
fn a_connection_whose_entry_is_kept_keeps_its_address() {
    in_namespace(|| {
        let stand = Stand::new("tcp-keep");
        stand.masquerade(Conntrack::Keep);
        let connection = Flow::tcp(&stand, "10.9.0.2:5003", "198.51.100.7:7");
        assert_eq!(connection.echoed(), "10.9.0.2");
        stand.down(LEFT);
        stand.looked();
        assert_eq!(connection.echoed(), "10.9.0.2");
        stand.up(LEFT);
        assert_eq!(connection.echoed(), "10.9.0.2");
    });
}

#[test]
fn kept_entries_stay_as_they_are() {
    in_namespace(|| {
        let stand = Stand::new("keep");
        stand.masquerade(Conntrack::Keep);
        let flow = Flow::udp(&stand, "10.9.0.2:5001", "198.51.100.7:7");
        assert_eq!(flow.echoed(), "10.9.0.2");
        let before = stand.flows("198.51.100.0/24");
        stand.down(LEFT);
        stand.looked();
        assert_eq!(stand.flows("198.51.100.0/24"), before);
    });
}

#[test]
fn the_table_is_ours_alone_and_goes_when_nothing_is_asked_for() {
    in_namespace(|| {
        let stand = Stand::new("table");
        nft("table inet operator { chain forward { type filter hook forward priority 0;\n}\n}");
        let theirs = nft("list table inet operator");
        stand.masquerade(Conntrack::Flush);
        stand.looked();
        let ours = nft("list table inet bgpd-186");
        for rule in [
            "oifname \"right\" ip saddr 10.0.0.0/8 masquerade",
            "oifname \"right\" ip6 saddr fc00::/7 masquerade",
            "type nat hook postrouting priority srcnat; policy accept;",
        ] {
            assert!(ours.contains(rule), "{rule} is not in\n{ours}");
        }
        // Another plan replaces it, and none ends it.
        stand.configure(&[], Conntrack::Keep);
        stand.looked();
        assert!(!nat::is_there(186).unwrap());
        stand.masquerade(Conntrack::Flush);
        stand.looked();
        assert!(nat::remove(186).unwrap() && !nat::remove(186).unwrap());
        assert_eq!(nft("list ruleset"), theirs);
    });
}

/// `NAT_FLOWS=100000` measures; few are enough to see that all are found.
#[test]
fn every_flow_that_was_moved_begins_anew() {
    in_namespace(|| {
        let flows = std::env::var("NAT_FLOWS").map_or(2_000, |text| text.parse().unwrap());
        let stand = Stand::new("many");
        stand.masquerade(Conntrack::Flush);
        stand.blast(flows);
        let known = stand.flows("198.51.100.0/24").len();
        assert!(
            known * 10 >= flows * 9,
            "{known} of {flows} flows are known"
        );
        stand.down(LEFT);
        let (flushed, took) = stand.flushed();
        println!(
            "{} of {} entries deleted in {took:?}",
            flushed.deleted, flushed.seen
        );
        assert_eq!(flushed.deleted, known);
        assert!(stand.flows("198.51.100.0/24").is_empty());
        assert!(stand.is_masqueraded_now(RIGHT));
    });
}
