//! Swaps: traffic leaves by the way that is up, whoever notices first.

use std::time::{Duration, Instant};

use bgp_core::PathId;
use bgp_core::rib::Hop;
use bgpd::fastpath::{Event, PathLink, Voice};

use crate::support::*;

#[test]
fn carrier_loss_moves_all_routes_to_the_backup_and_carrier_moves_them_back() {
    in_namespace(|| {
        two_links();
        let mut daemon = Daemon::start_with_paths_up();
        daemon.apply(many(2000, route(hop(LEFT), Some(hop(RIGHT)))));
        daemon.apply(vec![change(
            "2001:db8::/32",
            route(hop6(LEFT), Some(hop6(RIGHT))),
        )]);
        daemon.swapped(RIGHT, true);

        ip("link set left-far down");
        let swap = daemon.swapped(LEFT, false);
        assert_eq!(
            (swap.groups, swap.stranded, swap.reason.as_str()),
            (2, 0, "no carrier on left")
        );
        assert!(matches!(
            daemon.events.blocking_recv(),
            Some(Event::Carrier { up: false, .. })
        ));
        assert_eq!(
            (leaves_by("20.0.0.1"), leaves_by("2001:db8::1")),
            ("right".into(), "right".into())
        );
        assert_eq!(daemon.fib.carried()[&RIGHT], 2001);

        ip("link set left-far up");
        assert_eq!(daemon.swapped(LEFT, true).groups, 2);
        assert_eq!(
            (leaves_by("20.0.0.1"), leaves_by("2001:db8::1")),
            ("left".into(), "left".into())
        );
        assert_eq!(count_routes(), 2000);
        let state = &daemon.fastpath.paths()[0];
        assert_eq!(
            (state.up, state.reason.clone(), state.carries.len()),
            (true, None, 2)
        );
        assert_eq!(state.last_swap.as_ref().map(|swap| swap.groups), Some(2));
    });
}

#[test]
fn a_second_carrier_loss_within_a_second_is_seen_before_the_kernel_reports_it() {
    in_namespace(|| {
        two_links();
        let mut daemon = Daemon::start_with_paths_up();
        daemon.apply(many(10, route(hop(LEFT), Some(hop(RIGHT)))));
        let mut quickest = Duration::MAX;
        for round in 0..5 {
            let cut = Instant::now();
            ip("link set left-far down");
            daemon.swapped(LEFT, false);
            // The first one is reported at once anyway.
            if round > 0 {
                quickest = quickest.min(cut.elapsed());
            }
            assert_eq!(leaves_by("20.0.0.1"), "right");
            ip("link set left-far up");
            daemon.swapped(LEFT, true);
            assert_eq!(leaves_by("20.0.0.1"), "left");
        }
        // The kernel alone needs 400 ms at least; the rest is `ip` on a busy machine.
        assert!(quickest < Duration::from_millis(300), "{quickest:?}");
        assert_eq!((count_routes(), daemon.fib.status().errors), (10, 0));
    });
}

#[test]
fn a_session_that_ends_moves_its_groups_and_one_that_is_up_again_moves_them_back() {
    in_namespace(|| {
        two_links();
        let mut daemon = Daemon::start_with_paths_up();
        daemon.apply(many(10, route(hop(LEFT), Some(hop(RIGHT)))));
        daemon
            .fastpath
            .path_down(LEFT, Voice::Session, "hold timer expired".into());
        let swap = daemon.swapped(LEFT, false);
        assert_eq!(
            (swap.groups, swap.reason.as_str()),
            (1, "hold timer expired")
        );
        assert!(swap.took < Duration::from_millis(50), "{swap:?}");
        assert_eq!(leaves_by("20.0.0.1"), "right");
        daemon.fastpath.path_up(LEFT, Voice::Session);
        daemon.swapped(LEFT, true);
        assert_eq!(leaves_by("20.0.0.1"), "left");
    });
}

#[test]
fn traffic_never_moves_to_a_backup_that_is_down() {
    in_namespace(|| {
        two_links();
        let mut daemon = Daemon::start_with_paths_up();
        daemon.apply(many(10, route(hop(LEFT), Some(hop(RIGHT)))));
        daemon
            .fastpath
            .path_down(RIGHT, Voice::Session, "probe".into());
        assert_eq!(daemon.swapped(RIGHT, false).groups, 0);
        daemon
            .fastpath
            .path_down(LEFT, Voice::Session, "hold timer expired".into());
        let swap = daemon.swapped(LEFT, false);
        assert_eq!((swap.groups, swap.stranded), (0, 1));
        assert!(
            swap.reason.contains("no other way out is up"),
            "{}",
            swap.reason
        );
        assert_eq!(leaves_by("20.0.0.1"), "left");
        daemon.fastpath.path_up(RIGHT, Voice::Session);
        assert_eq!(daemon.swapped(RIGHT, true).groups, 1);
        assert_eq!(leaves_by("20.0.0.1"), "right");
    });
}

#[test]
fn a_backup_carries_the_traffic_of_a_path_whose_interface_is_gone() {
    in_namespace(|| {
        two_links();
        let mut daemon = Daemon::start_with_paths_up();
        let left = PathLink {
            backup: Some((RIGHT, [10, 0, 2, 2].into())),
            ..link("left")
        };
        daemon.fastpath.set_link(LEFT, Some(left));
        daemon.apply(many(10, route(hop(LEFT), None)));
        assert_eq!(leaves_by("20.0.0.1"), "left");
        ip("link del left");
        daemon.swapped(LEFT, false);
        assert_eq!(leaves_by("20.0.0.1"), "right");
        daemon.fastpath.set_link(LEFT, None);
        // Longer than unused nexthops stay.
        std::thread::sleep(Duration::from_millis(1500));
        assert_eq!(
            (leaves_by("20.0.0.1").as_str(), count_routes()),
            ("right", 10)
        );

        let other = Hop {
            gateway: [10, 0, 1, 3].into(),
            ..hop(LEFT)
        };
        daemon.apply(vec![change("30.0.0.0/24", route(other, None))]);
        assert_eq!(leaves_by("30.0.0.1"), "right");

        daemon.fastpath.set_backup(LEFT, None);
        std::thread::sleep(Duration::from_millis(1500));
        assert_eq!(
            leaves_by("20.0.0.1"),
            "right",
            "the nexthop that carries the traffic is not deleted"
        );
    });
}

#[test]
fn a_route_without_a_second_best_uses_the_backup_that_its_path_is_configured_with() {
    in_namespace(|| {
        two_links();
        let mut daemon = Daemon::start_with_paths_up();
        daemon.fastpath.set_link(
            LEFT,
            Some(PathLink {
                backup: Some((RIGHT, [10, 0, 2, 2].into())),
                ..link("left")
            }),
        );
        daemon.apply(many(10, route(hop(LEFT), None)));
        daemon.apply(vec![change("2001:db8::/32", route(hop6(LEFT), None))]);
        ip("link set left-far down");
        assert_eq!(
            daemon.swapped(LEFT, false).groups,
            1,
            "the IPv6 route can't leave by an IPv4 gateway"
        );
        assert_eq!(leaves_by("20.0.0.1"), "right");
        assert_eq!(
            routes("-6").len(),
            0,
            "the kernel deletes what has no way out"
        );
    });
}

#[test]
fn routes_that_the_kernel_deleted_with_their_only_link_come_back_with_it() {
    in_namespace(|| {
        two_links();
        let mut daemon = Daemon::start_with_paths_up();
        daemon.apply(many(1000, route(hop(LEFT), None)));
        ip("link set left-far down");
        daemon.swapped(LEFT, false);
        eventually("the kernel has deleted the routes", || count_routes() == 0);
        eventually("and we know", || daemon.fib.status().routes == 0);
        daemon.apply(vec![
            change("20.0.0.0/24", None),
            change("21.0.0.0/24", route(hop(LEFT), None)),
        ]);
        assert_eq!(daemon.fib.audit().total(), 0);
        ip("link set left-far up");
        daemon.swapped(LEFT, true);
        eventually("the routes are back", || count_routes() == 1000);
        assert_eq!(daemon.fib.status().errors, 0);
    });
}

#[test]
fn the_kernel_alone_moves_traffic_off_a_link_without_carrier_when_the_daemon_is_dead() {
    in_namespace(|| {
        two_links();
        let daemon = Daemon::start_with_paths_up();
        daemon.apply(many(1000, route(hop(LEFT), Some(hop(RIGHT)))));
        daemon.end();
        ip("link set left-far down");
        eventually("traffic leaves by the backup", || {
            leaves_by("20.0.0.1") == "right"
        });
        assert_eq!(count_routes(), 1000);

        let mut daemon = Daemon::start();
        daemon.apply(many(1000, route(hop(LEFT), Some(hop(RIGHT)))));
        assert_eq!(
            (count_routes(), leaves_by("20.0.0.1").as_str()),
            (1000, "right")
        );
        ip("link set left-far up");
        daemon.fastpath.path_up(RIGHT, Voice::Session);
        daemon.fastpath.path_up(LEFT, Voice::Session);
        daemon.swapped(LEFT, true);
        assert_eq!(
            (count_routes(), leaves_by("20.0.0.1").as_str()),
            (1000, "left")
        );
    });
}

#[test]
fn nexthops_and_groups_that_another_program_deletes_are_made_again_with_their_routes() {
    in_namespace(|| {
        two_links();
        let daemon = Daemon::start_with_paths_up();
        daemon.apply(many(100, route(hop(LEFT), Some(hop(RIGHT)))));
        daemon.apply(vec![change("2001:db8::/32", route(hop6(LEFT), None))]);
        let all_is_well = || {
            count_routes() == 100
                && routes("-6").len() == 1
                && leaves_by("20.0.0.1") == "left"
                && leaves_by("2001:db8::1") == "left"
        };
        assert!(all_is_well());
        for object in ["group", "gateway"] {
            for nexthop in ip_json("nexthop")
                .iter()
                .filter(|nexthop| nexthop.get(object).is_some())
            {
                ip(&format!("nexthop del id {}", nexthop["id"]));
                eventually(
                    &format!("repaired after a deletion of {nexthop}"),
                    all_is_well,
                );
            }
        }
        ip("nexthop flush");
        eventually("repaired after a flush", all_is_well);
    });
}

#[test]
fn a_deleted_interface_takes_its_routes_to_the_backup_and_a_new_one_brings_them_back() {
    in_namespace(|| {
        two_links();
        let mut daemon = Daemon::start_with_paths_up();
        daemon.apply(many(10, route(hop(LEFT), Some(hop(RIGHT)))));
        ip("link del left");
        daemon.swapped(LEFT, false);
        assert_eq!(
            (count_routes(), leaves_by("20.0.0.1").as_str()),
            (10, "right")
        );
        ip("link add left type veth peer name left-far");
        ip("addr add 10.0.1.1/24 dev left");
        ip("link set left-far up");
        ip("link set left up");
        daemon.fastpath.set_link(LEFT, Some(link("left")));
        daemon.swapped(LEFT, true);
        eventually("traffic is back", || leaves_by("20.0.0.1") == "left");
        assert_eq!(count_routes(), 10);
    });
}

#[test]
fn a_link_local_gateway_and_one_behind_a_router_are_reached() {
    in_namespace(|| {
        two_links();
        ip("route add 192.0.2.0/24 via 10.0.2.2");
        let daemon = Daemon::start_with_paths_up();
        let mut local = hop6(LEFT);
        local.gateway = "fe80::2".parse().unwrap();
        // No link was named for this path.
        let mut distant = hop(PathId(9));
        distant.gateway = [192, 0, 2, 9].into();
        daemon.apply(vec![
            change("2001:db8::/32", route(local, None)),
            change("20.0.0.0/24", route(distant, None)),
        ]);
        assert_eq!(
            (leaves_by("2001:db8::1"), leaves_by("20.0.0.1")),
            ("left".into(), "right".into())
        );
    });
}
