//! Routes: installed, replaced, adopted, audited, removed.

use std::time::{Duration, Instant};

use bgp_core::config::{Kernel, OnShutdown};
use bgp_core::rib::FibRoute;
use bgpd::fastpath::{PathLink, Voice};
use bgpd::fib::{self, Differences};
use bgpd::router;

use crate::support::*;

#[test]
fn routes_of_both_families_point_at_one_group_for_each_pair() {
    in_namespace(|| {
        two_links();
        let daemon = Daemon::start_with_paths_up();
        let (v4, v6) = (
            route(hop(LEFT), Some(hop(RIGHT))),
            route(hop6(LEFT), Some(hop6(RIGHT))),
        );
        daemon.apply(vec![
            change("20.0.0.0/8", v4),
            change("20.1.0.0/16", v4),
            change("2001:db8::/32", v6),
            change("::/0", v6),
        ]);

        let (v4, v6) = (routes("-4"), routes("-6"));
        assert_eq!(
            v4.iter()
                .map(|(prefix, _)| prefix.as_str())
                .collect::<Vec<_>>(),
            ["20.0.0.0/8", "20.1.0.0/16"]
        );
        assert_eq!(v4[0].1, v4[1].1);
        assert_eq!(v6.len(), 2);
        assert_eq!(v6[0].1, v6[1].1);
        assert_eq!(groups().len(), 2);
        assert_eq!(
            (leaves_by("20.0.0.1"), leaves_by("2001:db8::1")),
            ("left".into(), "left".into())
        );
        let status = daemon.fib.status();
        assert_eq!(
            (status.routes, status.nexthops, status.groups, status.errors),
            (4, 4, 2, 0)
        );
        assert!(status.fast_swap);
    });
}

#[test]
fn a_changed_route_is_replaced_and_a_withdrawn_one_is_gone() {
    in_namespace(|| {
        two_links();
        let daemon = Daemon::start_with_paths_up();
        daemon.apply(many(3000, route(hop(LEFT), None)));
        assert_eq!(count_routes(), 3000);
        daemon.apply(many(1500, route(hop(RIGHT), None)));
        assert_eq!(
            (leaves_by("20.0.0.1"), leaves_by("20.8.0.1")),
            ("right".into(), "left".into())
        );
        assert_eq!(daemon.fib.carried(), [(LEFT, 1500), (RIGHT, 1500)].into());
        daemon.apply(many(3000, None));
        assert_eq!(count_routes(), 0);
        eventually("unused groups and nexthops are deleted", || {
            ip("nexthop").is_empty()
        });
        assert_eq!(daemon.fib.status().errors, 0);
    });
}

#[test]
fn the_time_of_each_batch_until_the_kernel_has_it_is_counted() {
    in_namespace(|| {
        two_links();
        let daemon = Daemon::start_with_paths_up();
        daemon.apply(many(1000, route(hop(LEFT), None)));
        let earlier = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        daemon.fib.apply(many(1000, None), earlier).unwrap();
        daemon.fib.carried();
        let latency = daemon.fib.latency();
        assert_eq!(latency.get_sample_count(), 2);
        let seconds = latency.get_sample_sum();
        assert!((1.0..10.0).contains(&seconds), "{seconds}");
    });
}

#[test]
fn of_several_changes_that_wait_only_the_last_of_each_prefix_counts() {
    in_namespace(|| {
        two_links();
        let daemon = Daemon::start_with_paths_up();
        for round in 0..20 {
            let path = if round % 2 == 0 { LEFT } else { RIGHT };
            daemon
                .fib
                .apply(many(500, route(hop(path), None)), Instant::now())
                .unwrap();
        }
        daemon.apply(vec![change("20.0.0.0/24", None)]);
        assert_eq!(count_routes(), 499);
        assert_eq!(leaves_by("20.0.1.1"), "right");
    });
}

#[test]
fn changes_are_handed_back_when_too_many_wait_and_the_router_is_told_when_there_is_room() {
    in_namespace(|| {
        two_links();
        let mut daemon = Daemon::start_with_paths_up();
        let mut refused = None;
        for round in 0..100 {
            let path = if round % 2 == 0 { LEFT } else { RIGHT };
            if let Err(changes) = daemon
                .fib
                .apply(many(20_000, route(hop(path), None)), Instant::now())
            {
                refused = Some(changes);
                break;
            }
        }
        let refused = refused.expect("a bounded queue");
        assert_eq!(refused.len(), 20_000);
        assert!(matches!(
            daemon.router.blocking_recv(),
            Some(router::Command::FibReady)
        ));
        daemon.apply(refused);
        assert_eq!(count_routes(), 20_000);
    });
}

#[test]
fn a_restart_adopts_routes_without_a_message_and_sweeps_what_is_stale() {
    in_namespace(|| {
        two_links();
        let (kept, moved) = (route(hop(LEFT), Some(hop(RIGHT))), route(hop(RIGHT), None));
        let first = Daemon::start_with_paths_up();
        first.apply(vec![
            change("20.0.0.0/24", kept),
            change("20.0.1.0/24", kept),
            change("20.0.2.0/24", kept),
            change("2001:db8:1::/48", route(hop6(LEFT), None)),
            change("2001:db8:2::/48", route(hop6(RIGHT), None)),
        ]);
        let before = routes("-4");
        first.end();

        let monitor = Monitor::start();
        let second = Daemon::start();
        // As the router does: routes first, then the path is up.
        second.apply(vec![
            change("20.0.0.0/24", kept),
            change("20.0.1.0/24", moved),
            change("2001:db8:1::/48", route(hop6(LEFT), None)),
        ]);
        assert_eq!(second.fib.status().adopted, 5);
        assert_eq!(
            routes("-4").len(),
            3,
            "nothing is swept before all peers have spoken"
        );
        assert_eq!(routes("-4")[0], before[0], "the same group has the same id");
        second.fastpath.path_up(LEFT, Voice::Session);
        second.fastpath.path_up(RIGHT, Voice::Session);
        second.fib.converged(Vec::new());
        second.fib.carried();

        assert_eq!(
            routes("-4")
                .iter()
                .map(|(prefix, _)| prefix.as_str())
                .collect::<Vec<_>>(),
            ["20.0.0.0/24", "20.0.1.0/24"]
        );
        assert_eq!(routes("-6").len(), 1);
        assert_eq!(
            (leaves_by("20.0.0.1"), leaves_by("20.0.1.1")),
            ("left".into(), "right".into())
        );
        assert_eq!(groups().len(), 3);
        let seen = monitor.end();
        assert!(
            !seen
                .iter()
                .any(|line| line.contains("20.0.0.0/24") || line.contains("2001:db8:1::")),
            "{seen:#?}"
        );
        assert!(
            !seen.iter().any(|line| line.contains("Deleted 20.0.1.0/24")),
            "replaced without a gap: {seen:#?}"
        );
    });
}

#[test]
fn routes_that_an_earlier_run_left_on_a_backup_stay_as_long_as_asked_and_move_with_their_path() {
    in_namespace(|| {
        two_links();
        let left = || PathLink {
            backup: Some((RIGHT, [10, 0, 2, 2].into())),
            ..link("left")
        };
        let (backed, own) = (route(hop(LEFT), None), route(hop(RIGHT), None));
        let mut first = Daemon::start_with_paths_up();
        first.fastpath.set_link(LEFT, Some(left()));
        first.apply(many(10, backed));
        first.apply(vec![change("30.0.0.0/24", own)]);
        ip("link set left-far down");
        first.swapped(LEFT, false);
        first.end();

        let mut second = Daemon::start();
        second.fastpath.set_link(LEFT, Some(left()));
        second.fastpath.path_up(RIGHT, Voice::Session);
        let keep: Vec<FibRoute> = backed.into_iter().collect();
        second.fib.converged(keep.clone());
        second.fib.carried();
        assert_eq!(count_routes(), 10, "what has no backup is swept");
        assert_eq!(leaves_by("20.0.0.1"), "right");
        // Longer than unused groups and nexthops stay.
        std::thread::sleep(Duration::from_millis(1500));
        eventually("the other group goes", || groups().len() == 1);
        assert_eq!(leaves_by("20.0.0.1"), "right");
        assert_eq!(second.fib.audit().total(), 0);

        ip("link set left-far up");
        eventually("the link is back", || {
            ip("link show dev left").contains("LOWER_UP")
        });
        // One of them is announced again, another path's routes are awaited.
        second.apply(vec![change("20.0.0.0/24", backed)]);
        second.fib.converged(keep);
        second.fastpath.path_up(LEFT, Voice::Session);
        second.swapped(LEFT, true);
        assert_eq!(
            (leaves_by("20.0.0.1"), leaves_by("20.0.1.1")),
            ("left".into(), "left".into())
        );
        assert_eq!(second.fib.carried()[&LEFT], 10);
        second.fib.converged(Vec::new());
        second.fib.carried();
        assert_eq!(
            (count_routes(), leaves_by("20.0.0.1").as_str()),
            (1, "left")
        );
        second.apply(vec![change("20.0.0.0/24", None)]);
        eventually("the group is given back each time", || groups().is_empty());
    });
}

#[test]
fn routes_of_an_earlier_run_with_another_metric_are_swept_too() {
    in_namespace(|| {
        two_links();
        let first = Daemon::start_with_paths_up();
        first.apply(vec![
            change("20.0.0.0/24", route(hop(LEFT), None)),
            change("2001:db8::/48", route(hop6(LEFT), None)),
        ]);
        first.end();
        let second = Daemon::start_with(Kernel {
            metric: 0,
            ..kernel()
        });
        second.apply(vec![
            change("20.0.0.0/24", route(hop(LEFT), None)),
            change("2001:db8::/48", route(hop6(LEFT), None)),
        ]);
        assert_eq!(count_routes(), 2);
        second.fib.converged(Vec::new());
        second.fib.carried();
        assert_eq!((routes("-4").len(), routes("-6").len()), (1, 1));
        assert!(!ip("route show proto bgp").contains("metric 20"));
        assert_eq!(second.fib.audit(), Differences::default());
        second.apply(vec![
            change("20.0.0.0/24", None),
            change("2001:db8::/48", None),
        ]);
        assert_eq!((routes("-4").len(), routes("-6").len()), (0, 0));
    });
}

#[test]
fn a_route_of_another_program_is_neither_replaced_nor_deleted_nor_adopted() {
    in_namespace(|| {
        two_links();
        ip("route add 20.0.0.0/24 via 10.0.2.2 metric 20 proto static");
        ip("route add 20.0.1.0/24 via 10.0.2.2 metric 20 proto bgp");
        ip("nexthop add id 77 via 10.0.2.2 dev right proto bgp");
        ip("route add 20.0.2.0/24 nhid 77 metric 20 proto bgp");
        let daemon = Daemon::start_with_paths_up();
        daemon.apply(many(4, route(hop(LEFT), None)));
        daemon.fib.converged(Vec::new());
        daemon.fib.carried();
        assert_eq!(
            ["20.0.0.1", "20.0.1.1", "20.0.2.1", "20.0.3.1"].map(leaves_by),
            ["right", "right", "right", "left"]
        );
        assert_eq!(daemon.fib.status().errors, 3);
        assert_eq!(daemon.fib.status().routes, 1);
        ip("route del 20.0.2.0/24 metric 20");
        daemon.fib.audit();
        assert_eq!(
            leaves_by("20.0.2.1"),
            "left",
            "ours comes when its place is free"
        );
        let pair = route(hop(LEFT), Some(hop(RIGHT)));
        daemon.apply(many(4, pair));
        assert_eq!(
            ["20.0.0.1", "20.0.1.1", "20.0.2.1", "20.0.3.1"].map(leaves_by),
            ["right", "right", "left", "left"]
        );
        daemon.apply(many(4, None));
        assert_eq!(
            ["20.0.0.1", "20.0.1.1", "20.0.2.1", "20.0.3.1"].map(leaves_by),
            ["right", "right", "", ""]
        );
    });
}

#[test]
fn routes_that_another_program_deletes_or_changes_are_repaired() {
    in_namespace(|| {
        two_links();
        let daemon = Daemon::start_with_paths_up();
        daemon.apply(many(100, route(hop(LEFT), None)));
        daemon.apply(vec![change("20.1.0.0/24", route(hop(RIGHT), None))]);
        ip("route del 20.0.7.0/24");
        eventually("a deleted route is back", || {
            leaves_by("20.0.7.1") == "left"
        });

        let right = routes("-4").last().unwrap().1;
        ip(&format!(
            "route replace 20.0.8.0/24 nhid {right} metric 20 proto bgp"
        ));
        ip(&format!(
            "route add 99.0.0.0/24 nhid {right} metric 20 proto bgp"
        ));
        assert_eq!(
            daemon.fib.audit(),
            Differences {
                foreign: 1,
                wrong: 1,
                missing: 0
            }
        );
        assert_eq!(
            (leaves_by("20.0.8.1"), leaves_by("99.0.0.1")),
            ("left".into(), String::new())
        );
        assert_eq!(daemon.fib.audit(), Differences::default());
        assert_eq!(
            (daemon.fib.differences(), daemon.fib.status().errors),
            (3, 0)
        );
    });
}

#[test]
fn routes_wait_outside_the_kernel_while_no_way_out_exists() {
    in_namespace(|| {
        two_links();
        ip("link set left down");
        let daemon = Daemon::start_with_paths_up();
        daemon.apply(many(1000, route(hop(LEFT), None)));
        assert_eq!((count_routes(), daemon.fib.status().routes), (0, 0));
        daemon.apply(vec![change("20.0.9.0/24", None)]);
        ip("link set left up");
        eventually("the routes come with the link", || count_routes() == 999);
        eventually("they are counted", || daemon.fib.status().routes == 999);
    });
}

#[test]
fn a_gateway_that_is_not_on_its_link_is_an_error_in_words() {
    in_namespace(|| {
        two_links();
        let daemon = Daemon::start_with_paths_up();
        let mut stranger = hop(LEFT);
        stranger.gateway = [192, 0, 2, 1].into();
        let error = daemon
            .fastpath
            .group(route(stranger, None).unwrap())
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("can't send to 192.0.2.1 through left: ")
                && error.contains("invalid gateway"),
            "{error}"
        );
    });
}

#[test]
fn shutdown_removes_everything_when_asked_and_so_does_clean() {
    in_namespace(|| {
        two_links();
        ip("nexthop add id 77 via 10.0.2.2 dev right proto bgp");
        let daemon = Daemon::start_with_paths_up();
        let pair = route(hop(LEFT), Some(hop(RIGHT)));
        daemon.apply(many(2000, pair));
        daemon.fib.shutdown(OnShutdown::Remove);
        assert_eq!(count_routes(), 0);
        assert_eq!(
            ip("nexthop").lines().count(),
            1,
            "only the foreign one is left"
        );

        let daemon = Daemon::start_with_paths_up();
        daemon.apply(many(2000, pair));
        daemon.end();
        let there = fib::left_behind(&kernel()).unwrap();
        assert_eq!((there.routes, there.nexthops), (2000, 3));
        assert_eq!(fib::clean(&kernel()).unwrap(), there);
        assert_eq!((count_routes(), ip("nexthop").lines().count()), (0, 1));
    });
}

/// `ip monitor route`, while it lives.
struct Monitor(std::process::Child);

impl Monitor {
    fn start() -> Self {
        let child = std::process::Command::new("ip")
            .args(["monitor", "route"])
            .stdout(std::process::Stdio::piped())
            .spawn();
        std::thread::sleep(Duration::from_millis(200));
        Self(child.unwrap())
    }

    fn end(mut self) -> Vec<String> {
        std::thread::sleep(Duration::from_millis(200));
        self.0.kill().unwrap();
        let output = self.0.wait_with_output().unwrap();
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }
}
