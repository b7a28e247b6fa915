//! Other programs delete and change routes and nexthops by the thousand, and the
//! kernel tells of more than can be heard: soon it holds what it should again.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bgpd::fib::Differences;
use bgpd::netlink::{Notifications, nexthop};
use nix::sys::socket::{setsockopt, sockopt};

use crate::support::*;

#[test]
fn routes_that_another_program_flushes_are_back_within_seconds() {
    in_namespace(|| {
        two_links();
        let (daemon, full) = loaded();
        // It goes round until nothing is left, which the FIB never allows for long.
        let flush = ["1", "ip", "route", "flush", "proto", "bgp"];
        Command::new("timeout").args(flush).status().unwrap();
        within_seconds("all routes are back", || prefixes() == full);
        assert_eq!(count_routes(), ROUTES);
        assert_eq!(daemon.fib.audit(), Differences::default());
        assert!(daemon.fib.differences() > 0);
    });
}

#[test]
fn routes_that_another_program_points_elsewhere_are_put_right_within_seconds() {
    in_namespace(|| {
        two_links();
        let (daemon, _) = loaded();
        daemon.apply(vec![change("30.0.0.0/24", route(hop(RIGHT), None))]);
        let right = routes("-4").pop().unwrap().1;
        let changed = many(ROUTES as u32, None).into_iter().step_by(2);
        ip_batch(changed.map(|change| {
            let prefix = change.prefix;
            format!("route replace {prefix} nhid {right} metric 20 proto bgp")
        }));
        let elsewhere = format!("nhid {right} ");
        within_seconds("all routes point where they should", || {
            ip("route show proto bgp").matches(&elsewhere).count() == 1
        });
        assert_eq!(daemon.fib.audit(), Differences::default());
        assert!(daemon.fib.differences() >= ROUTES as u64 / 2);
    });
}

#[test]
fn an_overrun_is_noticed_and_the_kernel_is_as_it_should_be_within_seconds() {
    in_namespace(|| {
        two_links();
        let (daemon, full) = loaded();
        let mut rounds = 0..20;
        while daemon.fib.overruns() == 0 {
            assert!(rounds.next().is_some(), "no overrun in 20 rounds");
            // While the FIB has this to do it doesn't listen.
            let away = many(60_000, route(hop(RIGHT), None));
            let busy = away.into_iter().chain(many(60_000, both())).collect();
            daemon.fib.apply(busy, Instant::now()).expect("room");
            let deleted = many(ROUTES as u32, None).into_iter().skip(60_000);
            ip_batch(deleted.map(|change| format!("route del {} metric 20", change.prefix)));
            daemon.fib.carried();
        }
        within_seconds("all routes are back", || prefixes() == full);
        assert_eq!(count_routes(), ROUTES);
        assert_eq!(daemon.fib.audit(), Differences::default());
    });
}

#[test]
fn nexthops_that_another_program_flushes_are_back_with_all_routes_within_seconds() {
    in_namespace(|| {
        two_links();
        let (daemon, full) = loaded();
        ip("nexthop flush proto 186");
        within_seconds("all routes are back", || prefixes() == full);
        assert_eq!(count_routes(), ROUTES);
        assert_eq!(daemon.fib.audit(), Differences::default());
        assert_eq!(leaves_by("20.0.0.1"), "left");
    });
}

#[test]
fn both_links_flap_and_all_routes_are_back_within_seconds() {
    in_namespace(|| {
        two_links();
        let (daemon, full) = loaded();
        for _ in 0..3 {
            ip("link set left down");
            ip("link set right down");
            ip("link set left up");
            ip("link set right up");
        }
        within_seconds("all routes are back", || prefixes() == full);
        assert_eq!(count_routes(), ROUTES);
        assert_eq!(daemon.fib.audit(), Differences::default());
    });
}

/// The kernel drops everything from the first loss until the socket was read
/// empty: who looks at all routes before that misses something.
#[test]
fn after_an_overrun_the_very_next_notification_is_heard() {
    in_namespace(|| {
        let mut notifications = Notifications::subscribe(&[libc::RTNLGRP_NEXTHOP]).unwrap();
        setsockopt(&notifications, sockopt::RcvBuf, &1).unwrap();
        ip_batch((1..100).map(|id| format!("nexthop add id {id} blackhole")));
        let lost = notifications.receive(|_| {}).unwrap_err();
        assert_eq!(lost.raw_os_error(), Some(libc::ENOBUFS));
        ip("nexthop add id 1000 blackhole");
        let mut heard = None;
        let received = notifications.receive(|message| heard = nexthop::Seen::read(&message));
        assert!(received.unwrap());
        assert_eq!(heard.map(|seen| seen.id), Some(1000));
    });
}

/// A daemon with all routes, and what [`prefixes`] says then.
fn loaded() -> (Daemon, u32) {
    let daemon = Daemon::start_with_paths_up();
    let changes = many(ROUTES as u32, both());
    for part in changes.chunks(50_000) {
        daemon.apply(part.to_vec());
    }
    assert_eq!(count_routes(), ROUTES);
    (daemon, prefixes())
}

/// Prefixes in the kernel's table: quick to find out.
fn prefixes() -> u32 {
    let statistics = std::fs::read_to_string("/proc/thread-self/net/fib_triestat").unwrap();
    let mut lines = statistics.lines().map(str::trim);
    let prefixes = lines.find_map(|line| line.strip_prefix("Prefixes:"));
    prefixes.unwrap().trim().parse().unwrap()
}

fn both() -> Option<bgp_core::rib::FibRoute> {
    route(hop(LEFT), Some(hop(RIGHT)))
}

fn ip_batch(lines: impl Iterator<Item = String>) {
    let mut child = Command::new("ip")
        .args(["-force", "-batch", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let text: String = lines.flat_map(|line| [line, "\n".into()]).collect();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    // What the FIB does at the same time may make some of them fail.
    child.wait().unwrap();
}

/// 5 s are promised; a busy machine may take some more.
fn within_seconds(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(10), "not yet: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
    eprintln!("{what} after {:?}", start.elapsed());
}

const ROUTES: usize = 100_000;
