//! A network namespace for each test, two links in it that can be cut, and the
//! daemon's two kernel threads. Needs root (or CAP_SYS_ADMIN and CAP_NET_ADMIN)
//! and iproute2; touches nothing outside its namespace.

#![allow(clippy::unwrap_used, dead_code)]

use std::net::IpAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use bgp_core::PathId;
use bgp_core::config::{Kernel, OnShutdown};
use bgp_core::rib::{FibChange, FibRoute, Hop};
use bgpd::fastpath::{self, Event, PathLink, Voice};
use bgpd::{fib, router};
use nix::sched::{CloneFlags, unshare};
use serde_json::Value;
use tokio::sync::mpsc::{self, error::TryRecvError};

/// Runs a test on a thread in a namespace of its own.
pub(crate) fn in_namespace(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace: run as root");
        std::fs::write("/proc/sys/net/ipv4/nexthop_compat_mode", "0").unwrap();
        ip("link set lo up");
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Runs `ip`, which must succeed.
pub(crate) fn ip(arguments: &str) -> String {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .expect("iproute2");
    assert!(
        output.status.success(),
        "ip {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn ip_json(arguments: &str) -> Vec<Value> {
    let text = ip(&format!("-j {arguments}"));
    if text.trim().is_empty() {
        Vec::new()
    } else {
        serde_json::from_str(&text).unwrap()
    }
}

/// Two links, `left` and `right`; `left-far` and `right-far` down cut them.
/// Gateways: 10.0.1.2 and fd00:1::2, 10.0.2.2 and fd00:2::2.
pub(crate) fn two_links() {
    for (index, name) in [(1, "left"), (2, "right")] {
        ip(&format!("link add {name} type veth peer name {name}-far"));
        ip(&format!("addr add 10.0.{index}.1/24 dev {name}"));
        ip(&format!("addr add fd00:{index}::1/64 dev {name} nodad"));
        ip(&format!("link set {name} up"));
        ip(&format!("link set {name}-far up"));
    }
    eventually("both links have carrier", || {
        ["left", "right"]
            .iter()
            .all(|link| ip(&format!("link show dev {link}")).contains("LOWER_UP"))
    });
}

pub(crate) fn ifindex(name: &str) -> u32 {
    nix::net::if_::if_nametoindex(name).unwrap()
}

pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(
            Instant::now() < deadline,
            "never: {what}\n{}{}",
            ip("nexthop"),
            ip("route")
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) const LEFT: PathId = PathId(1);
pub(crate) const RIGHT: PathId = PathId(2);

pub(crate) fn hop(path: PathId) -> Hop {
    Hop {
        path,
        gateway: [10, 0, path.0 as u8, 2].into(),
    }
}

pub(crate) fn hop6(path: PathId) -> Hop {
    let gateway: IpAddr = format!("fd00:{}::2", path.0).parse().unwrap();
    Hop { path, gateway }
}

pub(crate) fn route(best: Hop, backup: Option<Hop>) -> Option<FibRoute> {
    Some(FibRoute { best, backup })
}

pub(crate) fn change(prefix: &str, route: Option<FibRoute>) -> FibChange {
    FibChange {
        prefix: prefix.parse().unwrap(),
        route,
    }
}

/// `count` /24 prefixes from 20.0.0.0 on.
pub(crate) fn many(count: u32, route: Option<FibRoute>) -> Vec<FibChange> {
    let prefix = |index: u32| std::net::Ipv4Addr::from((20 << 24) + (index << 8));
    (0..count)
        .map(|index| FibChange {
            prefix: ipnet::IpNet::new(prefix(index).into(), 24).unwrap(),
            route,
        })
        .collect()
}

pub(crate) fn kernel() -> Kernel {
    Kernel {
        install: true,
        table: 254,
        metric: 20,
        protocol: 186,
        on_shutdown: OnShutdown::Keep,
    }
}

/// Both threads, as the daemon runs them.
pub(crate) struct Daemon {
    pub(crate) fib: fib::Handle,
    pub(crate) fastpath: fastpath::Handle,
    pub(crate) events: mpsc::UnboundedReceiver<Event>,
    pub(crate) router: mpsc::Receiver<router::Command>,
}

impl Daemon {
    /// Knows both links; no path is up yet.
    pub(crate) fn start() -> Self {
        Self::start_with(kernel())
    }

    pub(crate) fn start_with(kernel: Kernel) -> Self {
        let (events_in, events) = mpsc::unbounded_channel();
        let (router_in, router) = mpsc::channel(8);
        let fastpath = fastpath::spawn(&kernel, events_in).unwrap();
        for (path, name) in [(LEFT, "left"), (RIGHT, "right")] {
            fastpath.set_link(path, Some(link(name)));
        }
        let fib = fib::spawn(kernel, fastpath.clone(), router_in).unwrap();
        Self {
            fib,
            fastpath,
            events,
            router,
        }
    }

    pub(crate) fn start_with_paths_up() -> Self {
        let daemon = Self::start();
        daemon.fastpath.path_up(LEFT, Voice::Session);
        daemon.fastpath.path_up(RIGHT, Voice::Session);
        daemon
    }

    /// Leaves everything in the kernel, and waits until both threads are over, as
    /// they are when a process ends: else they would mend what the next run does.
    pub(crate) fn end(self) {
        let Self {
            fib,
            fastpath,
            mut events,
            router,
        } = self;
        fib.shutdown(OnShutdown::Keep);
        drop((fib, fastpath, router));
        let deadline = Instant::now() + Duration::from_secs(10);
        while !matches!(events.try_recv(), Err(TryRecvError::Disconnected)) {
            assert!(Instant::now() < deadline, "the fast path never ends");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Applies, and waits until the kernel has it.
    pub(crate) fn apply(&self, changes: Vec<FibChange>) {
        self.fib.apply(changes, Instant::now()).expect("room");
        self.fib.carried();
    }

    /// Waits for a path to go up or down.
    pub(crate) fn swapped(&mut self, path: PathId, wanted: bool) -> Swapped {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match self.events.try_recv() {
                Ok(Event::Swapped {
                    path: of,
                    up,
                    reason,
                    groups,
                    stranded,
                    took,
                    ..
                }) if of == path && up == wanted => {
                    return Swapped {
                        reason,
                        groups,
                        stranded,
                        took,
                    };
                }
                Ok(_) => {}
                Err(_) => {
                    assert!(Instant::now() < deadline, "no swap of {path:?}");
                    std::thread::sleep(Duration::from_micros(200));
                }
            }
        }
    }
}

#[derive(Debug)]
pub(crate) struct Swapped {
    pub(crate) reason: String,
    pub(crate) groups: usize,
    pub(crate) stranded: usize,
    pub(crate) took: Duration,
}

pub(crate) fn link(name: &str) -> PathLink {
    PathLink {
        ifindex: ifindex(name),
        carrier_ifindex: ifindex(name),
        backup: None,
    }
}

/// Our routes of the main table, as (prefix, group).
pub(crate) fn routes(family: &str) -> Vec<(String, u64)> {
    let routes = ip_json(&format!("{family} route show proto bgp"));
    let routes = routes.iter().map(|route| {
        (
            route["dst"].as_str().unwrap().to_owned(),
            route["nhid"].as_u64().unwrap_or(0),
        )
    });
    routes.collect()
}

pub(crate) fn count_routes() -> usize {
    ip("route show proto bgp").lines().count()
}

/// The interface by which the kernel sends to an address.
pub(crate) fn leaves_by(address: &str) -> String {
    let output = Command::new("ip")
        .args(["-j", "route", "get", address])
        .output()
        .unwrap();
    let Ok(Value::Array(ways)) = serde_json::from_slice(&output.stdout) else {
        return String::new();
    };
    ways.first()
        .and_then(|way| way["dev"].as_str())
        .unwrap_or_default()
        .to_owned()
}

/// The ids of our groups.
pub(crate) fn groups() -> Vec<u64> {
    let nexthops = ip_json("nexthop");
    let groups = nexthops
        .iter()
        .filter(|nexthop| nexthop.get("group").is_some());
    groups
        .map(|nexthop| nexthop["id"].as_u64().unwrap())
        .collect()
}
