//! Between a restart and the first routes: what happens meanwhile to what an earlier
//! run has left in the kernel.

use bgp_core::rib::FibChange;
use bgpd::fastpath::Voice;
use bgpd::fib::Differences;

use crate::support::*;

#[test]
fn a_link_that_fails_and_returns_before_the_first_routes_takes_none_with_it() {
    in_namespace(|| {
        two_links();
        let daemon = restarted();
        ip("link set left-far down");
        eventually("the kernel has moved the traffic", || {
            leaves_by("20.0.0.1") == "right"
        });
        ip("link set left-far up");
        eventually("the link is back", || {
            ip("link show dev left").contains("LOWER_UP")
        });
        daemon.apply(changes());
        assert_eq!(leaves_by("20.0.0.1"), "right", "no path is up yet");
        is_as_it_should_be(&daemon);
    });
}

#[test]
fn what_another_program_deletes_before_the_first_routes_is_made_again() {
    in_namespace(|| {
        two_links();
        let daemon = restarted();
        ip("nexthop flush proto 186");
        daemon.apply(changes());
        is_as_it_should_be(&daemon);
    });
}

/// One route with a second way out and one without.
fn changes() -> Vec<FibChange> {
    vec![
        change("20.0.0.0/24", route(hop(LEFT), Some(hop(RIGHT)))),
        change("20.0.1.0/24", route(hop(LEFT), None)),
    ]
}

/// An earlier run has left its routes; this one has found them.
fn restarted() -> Daemon {
    let first = Daemon::start_with_paths_up();
    first.apply(changes());
    first.end();
    let second = Daemon::start();
    assert!(second.fib.has_adopted());
    second
}

fn is_as_it_should_be(daemon: &Daemon) {
    daemon.fastpath.path_up(LEFT, Voice::Session);
    daemon.fastpath.path_up(RIGHT, Voice::Session);
    daemon.fib.converged(Vec::new());
    eventually("both routes leave by their best way", || {
        ["20.0.0.1", "20.0.1.1"].map(leaves_by) == ["left", "left"]
    });
    assert_eq!(daemon.fib.audit(), Differences::default());
    ip("link set left-far down");
    eventually("the second way serves", || leaves_by("20.0.0.1") == "right");
}
