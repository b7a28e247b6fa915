//! What a swap costs at 1, 10,000, 100,000 and 1,000,000 routes, also while more
//! routes are on their way into the kernel, and what putting routes into the
//! kernel costs beside the kernel's own limit.
//!
//! `cargo run --release -p bgpd --example swapbench [ipv6] [ROUTES…]`, as root. Works in
//! a network namespace of its own. Times are the fast path's: from the command
//! (or the carrier event) to the kernel's answer.

use std::net::IpAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bgp_core::config::{Kernel, OnShutdown};
use bgp_core::rib::{FibChange, FibRoute, Hop};
use bgp_core::{Family, PathId};
use bgpd::fastpath::{self, Event, PathLink, Voice};
use bgpd::netlink::nexthop::{self, Gateway, Members};
use bgpd::netlink::{Batch, Socket, route};
use bgpd::{fib, router};
use ipnet::IpNet;
use nix::sched::{CloneFlags, unshare};
use tokio::sync::mpsc;

fn main() -> anyhow::Result<()> {
    let (families, sizes): (Vec<String>, Vec<String>) = std::env::args()
        .skip(1)
        .partition(|argument| argument == "ipv6");
    let family = if families.is_empty() {
        Family::Ipv4
    } else {
        Family::Ipv6
    };
    let sizes: Vec<u32> = sizes
        .iter()
        .map(|size| size.parse())
        .collect::<Result<_, _>>()?;
    let sizes = if sizes.is_empty() {
        vec![1, 10_000, 100_000, 1_000_000]
    } else {
        sizes
    };
    println!(
        "routes     raw µs  fib µs  restart µs  session lost, back ms (medians)  carrier lost, back ms (medians)  under load ms (median, worst)  audit ms  MB"
    );
    for size in sizes {
        // Each size in a fresh namespace, which goes with its thread.
        std::thread::spawn(move || measure(family, size))
            .join()
            .map_err(|_| anyhow::anyhow!("it panicked"))??;
    }
    Ok(())
}

fn measure(family: Family, size: u32) -> anyhow::Result<()> {
    unshare(CloneFlags::CLONE_NEWNET).context("a network namespace (root is needed)")?;
    std::fs::write("/proc/sys/net/ipv4/nexthop_compat_mode", "0")?;
    for (index, name) in [(1, "left"), (2, "right")] {
        ip(&format!("link add {name} type veth peer name {name}-far"))?;
        ip(&format!("addr add 10.0.{index}.1/24 dev {name}"))?;
        ip(&format!("addr add fd00:{index}::1/64 dev {name} nodad"))?;
        ip(&format!("link set {name} up"))?;
        ip(&format!("link set {name}-far up"))?;
    }
    std::thread::sleep(Duration::from_millis(1500));

    let raw = raw_limit(family, size)?;
    let before = resident();
    let (mut daemon, fib) = Daemon::load(family, size)?;
    let memory = resident().saturating_sub(before) >> 10;
    let session = daemon.swaps(Swap::Session)?;
    let carrier = daemon.swaps(Swap::Carrier)?;
    let start = Instant::now();
    let differences = daemon.fib.audit().total();
    let audit = start.elapsed();
    ensure!(
        differences == 0,
        "the kernel differs in {differences} routes"
    );
    daemon.fib.shutdown(OnShutdown::Keep);
    drop(daemon);

    let (mut daemon, restart) = Daemon::load(family, size)?;
    ensure!(
        daemon.fib.status().adopted == u64::from(size),
        "not all routes were adopted"
    );
    let loading = median_and_worst(daemon.swaps_under_load(family, size)?);
    let per_route = |took: Duration| took.as_secs_f64() * 1e6 / f64::from(size);
    println!(
        "{size:<9} {:>7.2} {:>7.2} {:>11.2}  {:>16.3} {:>9.3}  {:>16.3} {:>9.3}  {:>19.3} {:>9.3}  {:>8.0}  {memory:>3}",
        per_route(raw),
        per_route(fib),
        per_route(restart),
        session.0.as_secs_f64() * 1e3,
        session.1.as_secs_f64() * 1e3,
        carrier.0.as_secs_f64() * 1e3,
        carrier.1.as_secs_f64() * 1e3,
        loading.0.as_secs_f64() * 1e3,
        loading.1.as_secs_f64() * 1e3,
        audit.as_secs_f64() * 1e3,
    );
    Ok(())
}

/// The same messages in the same batches, with nothing behind them.
fn raw_limit(family: Family, size: u32) -> anyhow::Result<Duration> {
    let (mut socket, mut batch) = (Socket::new()?, Batch::new());
    let left = Gateway {
        ifindex: nix::net::if_::if_nametoindex("left")?,
        address: gateway(family, 1),
    };
    nexthop::put_gateway(&mut batch, 1, 186, &left, nexthop::Put::New);
    nexthop::put_group(
        &mut batch,
        2,
        186,
        Members {
            active: 1,
            standby: None,
        },
        nexthop::Put::New,
    );
    socket.execute(&mut batch, |refusal| eprintln!("{refusal}"))?;
    let place = route::Place {
        table: 254,
        protocol: 4,
        priority: 20,
    };
    let mut refused = 0;
    let start = Instant::now();
    for index in 0..size {
        route::put(
            &mut batch,
            &place,
            &prefix(family, index),
            2,
            route::Put::New,
        );
        if batch.len() == 512 {
            socket.execute(&mut batch, |_| refused += 1)?;
        }
    }
    socket.execute(&mut batch, |_| refused += 1)?;
    let took = start.elapsed();
    ensure!(refused == 0, "the kernel refused {refused} routes");
    // Takes the routes with it.
    nexthop::delete(&mut batch, 2);
    nexthop::delete(&mut batch, 1);
    socket.execute(&mut batch, |refusal| eprintln!("{refusal}"))?;
    Ok(took)
}

struct Daemon {
    fib: fib::Handle,
    fastpath: fastpath::Handle,
    events: mpsc::UnboundedReceiver<Event>,
    router: mpsc::Receiver<router::Command>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Swap {
    Session,
    Carrier,
}

impl Daemon {
    /// With all routes in the kernel, and how long that took.
    fn load(family: Family, size: u32) -> anyhow::Result<(Self, Duration)> {
        let kernel = Kernel {
            install: true,
            table: 254,
            metric: 20,
            protocol: 186,
            on_shutdown: OnShutdown::Keep,
        };
        let (events_in, events) = mpsc::unbounded_channel();
        let (router, mut ready) = mpsc::channel::<router::Command>(8);
        let fastpath = fastpath::spawn(&kernel, events_in)?;
        for (path, name) in [(PathId(1), "left"), (PathId(2), "right")] {
            let ifindex = nix::net::if_::if_nametoindex(name)?;
            fastpath.set_link(
                path,
                Some(PathLink {
                    ifindex,
                    carrier_ifindex: ifindex,
                    backup: None,
                }),
            );
            fastpath.path_up(path, Voice::Session);
        }
        let fib = fib::spawn(kernel, fastpath.clone(), router)?;
        // Without this the adoption of an earlier run's routes would count.
        fib.carried();
        let start = Instant::now();
        apply(&fib, family, 0..size, || ready.blocking_recv());
        fib.carried();
        let took = start.elapsed();
        let status = fib.status();
        ensure!(
            status.routes == u64::from(size) && status.errors == 0,
            "{status:?}"
        );
        Ok((
            Self {
                fib,
                fastpath,
                events,
                router: ready,
            },
            took,
        ))
    }

    /// Medians of a dozen swaps away and back.
    fn swaps(&mut self, by: Swap) -> anyhow::Result<(Duration, Duration)> {
        let mut times = Vec::new();
        for _ in 0..12 {
            self.swap_and_back(by, &mut times)?;
        }
        let median = |skip| {
            let times = times.iter().skip(skip).step_by(2).copied();
            median_and_worst(times.collect()).0
        };
        Ok((median(0), median(1)))
    }

    /// The same while the FIB has as many routes again to put into the kernel.
    fn swaps_under_load(&mut self, family: Family, size: u32) -> anyhow::Result<Vec<Duration>> {
        let fib = self.fib.clone();
        let (_, nobody) = mpsc::channel(1);
        let mut ready = std::mem::replace(&mut self.router, nobody);
        let load = std::thread::spawn(move || {
            apply(&fib, family, size..size * 2, || ready.blocking_recv());
            fib.carried();
        });
        let mut times = Vec::new();
        while !load.is_finished() {
            self.swap_and_back(Swap::Session, &mut times)?;
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(times)
    }

    fn swap_and_back(&mut self, by: Swap, times: &mut Vec<Duration>) -> anyhow::Result<()> {
        for up in [false, true] {
            match by {
                Swap::Session if up => self.fastpath.path_up(PathId(1), Voice::Session),
                Swap::Session => {
                    let why = "measured".to_owned();
                    self.fastpath.path_down(PathId(1), Voice::Session, why)
                }
                Swap::Carrier => ip(&format!(
                    "link set left-far {}",
                    if up { "up" } else { "down" }
                ))?,
            }
            times.push(self.swapped(up)?);
        }
        Ok(())
    }

    fn swapped(&mut self, wanted: bool) -> anyhow::Result<Duration> {
        loop {
            match self
                .events
                .blocking_recv()
                .context("the fast path has ended")?
            {
                Event::Swapped {
                    path: PathId(1),
                    up,
                    groups,
                    took,
                    ..
                } if up == wanted && groups == 1 => return Ok(took),
                _ => {}
            }
        }
    }
}

/// Hands all of these to the FIB, as fast as it takes them.
fn apply(
    fib: &fib::Handle,
    family: Family,
    prefixes: std::ops::Range<u32>,
    mut wait: impl FnMut() -> Option<router::Command>,
) {
    let hop = |path: u8| Hop {
        path: PathId(path.into()),
        gateway: gateway(family, path),
    };
    let route = Some(FibRoute {
        best: hop(1),
        backup: Some(hop(2)),
    });
    let mut rest = prefixes.map(|index| FibChange {
        prefix: prefix(family, index),
        route,
    });
    loop {
        let mut part: Vec<FibChange> = rest.by_ref().take(4096).collect();
        if part.is_empty() {
            return;
        }
        while let Err(refused) = fib.apply(part, Instant::now()) {
            part = refused;
            if wait().is_none() {
                return;
            }
        }
    }
}

fn median_and_worst(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    (median, times.last().copied().unwrap_or_default())
}

fn prefix(family: Family, index: u32) -> IpNet {
    match family {
        Family::Ipv4 => {
            let address = std::net::Ipv4Addr::from((20 << 24) + (index << 8));
            IpNet::new_assert(address.into(), 24)
        }
        Family::Ipv6 => {
            let address = (0x2001_u128 << 112) + (u128::from(index) << 80);
            IpNet::new_assert(std::net::Ipv6Addr::from(address).into(), 48)
        }
    }
}

/// On the link of this number.
fn gateway(family: Family, link: u8) -> IpAddr {
    match family {
        Family::Ipv4 => [10, 0, link, 2].into(),
        Family::Ipv6 => [0xfd00, link.into(), 0, 0, 0, 0, 0, 2].into(),
    }
}

fn ip(arguments: &str) -> anyhow::Result<()> {
    let status = Command::new("ip")
        .args(arguments.split(' '))
        .status()
        .context("iproute2")?;
    ensure!(status.success(), "ip {arguments} failed");
    Ok(())
}

/// KiB of this process.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
