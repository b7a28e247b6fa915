//! What a VIF's interface can be refused for, on any kernel. What needs 802.1Q
//! is in `vlan.rs`. Needs root.

#![allow(clippy::unwrap_used)]

#[path = "fib/support.rs"]
mod support;
#[path = "vlan/vif.rs"]
mod vif;

use bgpd::interface;
use support::{in_namespace, ip, two_links};
use vif::{block_on, vif};

#[test]
fn a_parent_that_does_not_exist_is_named_beside_those_that_do() {
    in_namespace(|| {
        two_links();
        let error = block_on(interface::ensure_vif(&vif("eth9", 101, 1500)))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("no interface is named \"eth9\"; there are: lo, "),
            "{error}"
        );
        assert!(
            error.contains("left") && error.contains("right-far"),
            "{error}"
        );
        assert!(block_on(interface::lookup("eth9")).is_err());
        assert_eq!(
            block_on(interface::lookup("left")).unwrap(),
            support::ifindex("left")
        );
    });
}

#[test]
fn a_parent_with_too_small_an_mtu_is_left_alone_and_the_command_is_told() {
    in_namespace(|| {
        two_links();
        let error = block_on(interface::ensure_vif(&vif("left", 101, 9001)))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("\"left\" has MTU 1500")
                && error.contains("`ip link set dev left mtu 9001`"),
            "{error}"
        );
        assert!(ip("link show dev left").contains("mtu 1500"));
    });
}

#[test]
fn a_name_that_something_else_has_is_refused() {
    in_namespace(|| {
        two_links();
        ip("link set right-far name left.101");
        let error = block_on(interface::ensure_vif(&vif("left", 101, 1500)))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("\"left.101\" is not ours: it is an interface of kind veth"),
            "{error}"
        );
        let error = block_on(interface::remove_vif("left.101"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("not made by bgpd and stays"), "{error}");
        ip("link show dev left.101");
    });
}

#[test]
fn an_address_that_another_interface_has_is_refused() {
    in_namespace(|| {
        two_links();
        ip("addr add 169.254.10.2/30 dev right");
        let error = block_on(interface::ensure_vif(&vif("left", 101, 1500)))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("169.254.10.2/30") && error.contains("on interface \"right\" already"),
            "{error}"
        );
    });
}

#[test]
fn a_kernel_without_vlans_says_so_and_nothing_is_left() {
    in_namespace(|| {
        two_links();
        match block_on(interface::ensure_vif(&vif("left", 101, 1500))) {
            Ok(made) => assert!(made.created),
            Err(error) => {
                assert!(error.to_string().contains("modprobe 8021q"), "{error}");
                assert!(!ip("link").contains("left.101"));
            }
        }
    });
}

#[test]
fn an_address_is_on_a_link_or_it_is_not() {
    in_namespace(|| {
        two_links();
        ip("route add 192.0.2.0/24 via 10.0.2.2");
        let toward = |address: &str| block_on(interface::toward(address.parse().unwrap())).unwrap();
        assert_eq!(toward("10.0.1.9"), Some(support::ifindex("left")));
        assert_eq!(toward("fd00:2::9"), Some(support::ifindex("right")));
        assert_eq!(toward("192.0.2.1"), None, "behind a gateway");
        assert_eq!(toward("198.51.100.1"), None, "no route");
    });
}
