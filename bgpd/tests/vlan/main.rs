//! VLAN interfaces and VRFs on a kernel that has both. Left out of a plain
//! `cargo test`, since such a kernel may have to be brought along:
//! `lab/with-vlan cargo test -p bgpd --test vlan`. Needs root.

#![allow(clippy::unwrap_used)]

#[path = "../probe/far_end.rs"]
mod far_end;
#[path = "../fib/support.rs"]
mod support;
mod vif;
mod vrf;

use bgp_core::rib::Hop;
use bgpd::fastpath::{PathLink, Voice};
use bgpd::interface::{self, Made};
use serde_json::Value;
use support::*;
use vif::{block_on, configured, vif};

#[test]
fn a_vif_gets_its_vlan_mtu_addresses_and_mark_and_is_up() {
    in_namespace(|| {
        two_links();
        ip("link set left mtu 9100");
        let made = block_on(interface::ensure_vif(&vif("left", 101, 9001))).unwrap();
        let expected = Made {
            ifindex: ifindex("left.101"),
            parent_ifindex: ifindex("left"),
            created: true,
        };
        assert_eq!(made, expected);
        let link = shown("left.101");
        let data = &link["linkinfo"]["info_data"];
        assert_eq!(
            (&data["id"], &data["protocol"]),
            (&101.into(), &"802.1Q".into())
        );
        assert!(
            data["flags"].to_string().contains("LOOSE_BINDING"),
            "{data}"
        );
        assert_eq!(
            (&link["mtu"], &link["ifalias"]),
            (&9001.into(), &"bgpd vif prod".into())
        );
        assert!(link["flags"].to_string().contains("\"UP\""), "{link}");
        assert_eq!(
            addresses("left.101"),
            ["169.254.10.2/30", "2001:db8::2/125"]
        );
        let tentative = ip("-6 addr show dev left.101 to 2001:db8::/32");
        assert!(
            !tentative.contains("tentative"),
            "usable at once: {tentative}"
        );

        let again = block_on(interface::ensure_vif(&vif("left", 101, 9001))).unwrap();
        assert_eq!(
            again,
            Made {
                created: false,
                ..expected
            }
        );
        assert_eq!(block_on(interface::made()).unwrap(), ["left.101"]);
        assert!(block_on(interface::remove_vif("left.101")).unwrap());
        assert!(!block_on(interface::remove_vif("left.101")).unwrap());
        assert!(!ip("link").contains("left.101"));
    });
}

#[test]
fn an_interface_of_ours_is_brought_to_what_the_configuration_says_now() {
    in_namespace(|| {
        two_links();
        let first = block_on(interface::ensure_vif(&vif("left", 101, 1500))).unwrap();
        ip("link set left.101 mtu 1400 down");
        ip("addr del 169.254.10.2/30 dev left.101");
        ip("addr add 169.254.10.6/30 dev left.101");
        let second = block_on(interface::ensure_vif(&vif("left", 101, 1500))).unwrap();
        assert_eq!(
            second,
            Made {
                created: false,
                ..first
            }
        );
        assert_eq!(
            addresses("left.101"),
            ["169.254.10.2/30", "2001:db8::2/125"]
        );
        assert_eq!(shown("left.101")["mtu"], 1500);

        // Another VLAN under the same name, then another name for the VLAN.
        let renumbered =
            configured("parent = \"left\"\nvlan = 102\nmtu = 1500\ninterface = \"left.101\"");
        assert!(
            block_on(interface::ensure_vif(&renumbered))
                .unwrap()
                .created
        );
        assert_eq!(shown("left.101")["linkinfo"]["info_data"]["id"], 102);
        let renamed = configured("parent = \"left\"\nvlan = 102\nmtu = 1500\ninterface = \"prod\"");
        assert!(block_on(interface::ensure_vif(&renamed)).unwrap().created);
        assert_eq!(block_on(interface::made()).unwrap(), ["prod"]);
    });
}

#[test]
fn an_interface_that_someone_else_made_serves_if_it_is_right_and_is_refused_unchanged_otherwise() {
    in_namespace(|| {
        two_links();
        ip("link add link left name left.101 mtu 1400 type vlan id 101");
        let ensure = || {
            block_on(interface::ensure_vif(&vif("left", 101, 1500)))
                .map_err(|error| error.to_string())
        };
        let refused = |difference: &str, command: &str| {
            let before = ip("addr show dev left.101");
            let error = ensure().unwrap_err();
            assert!(
                error.contains("bgpd did not make it")
                    && error.contains(difference)
                    && error.contains(command),
                "{error}"
            );
            assert_eq!(
                ip("addr show dev left.101"),
                before,
                "nothing is half-applied"
            );
        };
        refused(
            "has MTU 1400, not 1500",
            "`ip link set dev left.101 mtu 1500`",
        );
        ip("link set dev left.101 mtu 1500");
        refused(
            "lacks the address 169.254.10.2/30",
            "`ip addr add 169.254.10.2/30 dev left.101`",
        );
        ip("addr add 169.254.10.2/30 dev left.101");
        ip("addr add 2001:db8::2/125 dev left.101 nodad");
        refused("is set down", "`ip link set dev left.101 up`");
        ip("link set left.101 up");
        assert!(!ensure().unwrap().created);
        assert!(block_on(interface::made()).unwrap().is_empty());
        assert!(block_on(interface::remove_vif("left.101")).is_err());
    });
}

#[test]
fn a_vlan_that_belongs_to_another_interface_is_refused() {
    in_namespace(|| {
        two_links();
        ip("link add link left name storage type vlan id 101");
        let error = block_on(interface::ensure_vif(&vif("left", 101, 1500)))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("VLAN 101 on \"left\" belongs to interface \"storage\""),
            "{error}"
        );
        ip("link add link left name right.102 type vlan id 103");
        let error = block_on(interface::ensure_vif(&vif("right", 102, 1500)))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("\"right.102\" is not ours: it is VLAN 103"),
            "{error}"
        );
    });
}

#[test]
fn what_was_made_is_undone_when_a_later_step_fails() {
    in_namespace(|| {
        two_links();
        // Without IPv6 on new interfaces the second address is refused.
        std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").unwrap();
        let error = block_on(interface::ensure_vif(&vif("left", 101, 1500)))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("put 2001:db8::2/125 on \"left.101\""),
            "{error}"
        );
        assert!(!ip("link").contains("left.101"));
    });
}

#[test]
fn a_parent_that_is_down_stays_down_and_the_vif_waits_for_it() {
    in_namespace(|| {
        two_links();
        ip("link set left down");
        block_on(interface::ensure_vif(&vif("left", 101, 1500))).unwrap();
        assert!(!shown("left")["flags"].to_string().contains("\"UP\""));
        assert!(shown("left.101")["flags"].to_string().contains("\"UP\""));
    });
}

#[test]
fn a_cut_fibre_moves_a_vifs_routes_and_a_mended_one_brings_all_back() {
    in_namespace(|| {
        two_links();
        let mut daemon = Daemon::start();
        let (aws, made) = vif_path(&daemon);
        daemon.apply(many(1000, route(aws, Some(hop(RIGHT)))));
        daemon.apply(vec![change("21.0.0.0/24", route(aws, None))]);
        assert_eq!(
            (
                leaves_by("20.0.0.1").as_str(),
                leaves_by("21.0.0.1").as_str()
            ),
            ("left.101", "left.101")
        );

        for round in 0..3 {
            ip("link set left-far down");
            let swap = daemon.swapped(LEFT, false);
            assert_eq!(swap.groups, 1, "{swap:?}");
            assert!(swap.reason.starts_with("no carrier on left"), "{swap:?}");
            assert_eq!(leaves_by("20.0.0.1"), "right");
            ip("link set left-far up");
            daemon.swapped(LEFT, true);
            eventually(&format!("all is back in round {round}"), || {
                count_routes() == 1001
                    && leaves_by("20.0.0.1") == "left.101"
                    && leaves_by("21.0.0.1") == "left.101"
            });
        }
        assert_eq!(
            (daemon.fib.audit().total(), daemon.fib.status().errors),
            (0, 0)
        );

        ip("link set left.101 down");
        daemon.swapped(LEFT, false);
        eventually("the kernel has deleted the lone route", || {
            count_routes() == 1000
        });
        ip("link set left.101 up");
        daemon.swapped(LEFT, true);
        eventually("it is back", || {
            count_routes() == 1001 && leaves_by("20.0.0.1") == "left.101"
        });
        assert_eq!(made.parent_ifindex, ifindex("left"));
    });
}

#[test]
fn the_kernel_alone_moves_a_vifs_traffic_when_the_daemon_is_dead() {
    in_namespace(|| {
        two_links();
        let daemon = Daemon::start();
        let (aws, _) = vif_path(&daemon);
        daemon.apply(many(1000, route(aws, Some(hop(RIGHT)))));
        daemon.end();
        ip("link set left-far down");
        eventually("traffic leaves by the backup", || {
            leaves_by("20.0.0.1") == "right"
        });
        assert_eq!(count_routes(), 1000);
    });
}

/// `LEFT` becomes a VIF on the left link; its gateway and its interface.
fn vif_path(daemon: &Daemon) -> (Hop, Made) {
    let made = block_on(interface::ensure_vif(&vif("left", 101, 1500))).unwrap();
    eventually("the VIF has carrier", || {
        ip("link show dev left.101").contains("LOWER_UP")
    });
    let link = PathLink {
        ifindex: made.ifindex,
        carrier_ifindex: made.parent_ifindex,
        backup: None,
    };
    daemon.fastpath.set_link(LEFT, Some(link));
    daemon.fastpath.path_up(LEFT, Voice::Session);
    daemon.fastpath.path_up(RIGHT, Voice::Session);
    (
        Hop {
            path: LEFT,
            gateway: [169, 254, 10, 1].into(),
        },
        made,
    )
}

fn shown(name: &str) -> Value {
    ip_json(&format!("-d link show dev {name}")).remove(0)
}

fn addresses(name: &str) -> Vec<String> {
    let shown = ip_json(&format!("addr show dev {name} scope global")).remove(0);
    let local = ip_json(&format!("addr show dev {name} scope link")).remove(0);
    let all = [shown, local]
        .map(|shown| shown["addr_info"].as_array().unwrap().clone())
        .concat();
    let mut all: Vec<String> = all
        .iter()
        .filter(|address| {
            address["local"]
                .as_str()
                .is_some_and(|address| !address.starts_with("fe80"))
        })
        .map(|address| {
            format!(
                "{}/{}",
                address["local"].as_str().unwrap(),
                address["prefixlen"]
            )
        })
        .collect();
    all.sort();
    all
}
