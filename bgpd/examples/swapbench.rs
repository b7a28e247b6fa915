//! What a swap costs at 1, 10,000, 100,000 and 1,000,000 routes, and what
//! putting routes into the kernel costs beside the kernel's own limit.
//!
//! `cargo run --release -p bgpd --example swapbench [ROUTES…]`, as root. Works in
//! a network namespace of its own. Times are the fast path's: from the command
//! (or the carrier event) to the kernel's answer.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bgp_core::PathId;
use bgp_core::config::{Kernel, OnShutdown};
use bgp_core::rib::{FibChange, FibRoute, Hop};
use bgpd::fastpath::{self, Event, PathLink};
use bgpd::netlink::nexthop::{self, Gateway, Members};
use bgpd::netlink::{Batch, Socket, route};
use bgpd::{fib, router};
use ipnet::IpNet;
use nix::sched::{CloneFlags, unshare};
use tokio::sync::mpsc;

fn main() -> anyhow::Result<()> {
    let sizes: Vec<u32> = std::env::args()
        .skip(1)
        .map(|size| size.parse())
        .collect::<Result<_, _>>()?;
    let sizes = if sizes.is_empty() {
        vec![1, 10_000, 100_000, 1_000_000]
    } else {
        sizes
    };
    println!(
        "routes     raw µs  fib µs  restart µs  session ms (median, worst)  carrier ms (median, worst)  audit ms  MB"
    );
    for size in sizes {
        // Each size in a fresh namespace, which goes with its thread.
        std::thread::spawn(move || measure(size))
            .join()
            .map_err(|_| anyhow::anyhow!("it panicked"))??;
    }
    Ok(())
}

fn measure(size: u32) -> anyhow::Result<()> {
    unshare(CloneFlags::CLONE_NEWNET).context("a network namespace (root is needed)")?;
    std::fs::write("/proc/sys/net/ipv4/nexthop_compat_mode", "0")?;
    for (index, name) in [(1, "left"), (2, "right")] {
        ip(&format!("link add {name} type veth peer name {name}-far"))?;
        ip(&format!("addr add 10.0.{index}.1/24 dev {name}"))?;
        ip(&format!("link set {name} up"))?;
        ip(&format!("link set {name}-far up"))?;
    }
    std::thread::sleep(Duration::from_millis(1500));

    let raw = raw_limit(size)?;
    let before = resident();
    let (mut daemon, fib) = Daemon::load(size)?;
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

    let (daemon, restart) = Daemon::load(size)?;
    ensure!(
        daemon.fib.status().adopted == u64::from(size),
        "not all routes were adopted"
    );
    let per_route = |took: Duration| took.as_secs_f64() * 1e6 / f64::from(size);
    println!(
        "{size:<9} {:>7.2} {:>7.2} {:>11.2}  {:>16.3} {:>9.3}  {:>16.3} {:>9.3}  {:>8.0}  {memory:>3}",
        per_route(raw),
        per_route(fib),
        per_route(restart),
        session.0.as_secs_f64() * 1e3,
        session.1.as_secs_f64() * 1e3,
        carrier.0.as_secs_f64() * 1e3,
        carrier.1.as_secs_f64() * 1e3,
        audit.as_secs_f64() * 1e3,
    );
    Ok(())
}

/// The same messages in the same batches, with nothing behind them.
fn raw_limit(size: u32) -> anyhow::Result<Duration> {
    let (mut socket, mut batch) = (Socket::new()?, Batch::new());
    let gateway = Gateway {
        ifindex: nix::net::if_::if_nametoindex("left")?,
        address: [10, 0, 1, 2].into(),
    };
    nexthop::put_gateway(&mut batch, 1, 186, &gateway, nexthop::Put::New);
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
        route::put(&mut batch, &place, &prefix(index), 2, route::Put::New);
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
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Swap {
    Session,
    Carrier,
}

impl Daemon {
    /// With all routes in the kernel, and how long that took.
    fn load(size: u32) -> anyhow::Result<(Self, Duration)> {
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
            fastpath.path_up(path);
        }
        let fib = fib::spawn(kernel, fastpath.clone(), router)?;
        // Without this the adoption of an earlier run's routes would count.
        fib.carried();
        let hop = |path: u8| Hop {
            path: PathId(path.into()),
            gateway: [10, 0, path, 2].into(),
        };
        let route = Some(FibRoute {
            best: hop(1),
            backup: Some(hop(2)),
        });
        let changes: Vec<FibChange> = (0..size)
            .map(|index| FibChange {
                prefix: prefix(index),
                route,
            })
            .collect();
        let start = Instant::now();
        for part in changes.chunks(4096) {
            let mut part = part.to_vec();
            while let Err(refused) = fib.apply(part, Instant::now()) {
                part = refused;
                ready.blocking_recv().context("the FIB has ended")?;
            }
        }
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
            },
            took,
        ))
    }

    /// Median and worst of a dozen swaps away and back.
    fn swaps(&mut self, by: Swap) -> anyhow::Result<(Duration, Duration)> {
        let mut times = Vec::new();
        for _ in 0..12 {
            for up in [false, true] {
                match by {
                    Swap::Session if up => self.fastpath.path_up(PathId(1)),
                    Swap::Session => self.fastpath.path_down(PathId(1), "measured".into()),
                    Swap::Carrier => ip(&format!(
                        "link set left-far {}",
                        if up { "up" } else { "down" }
                    ))?,
                }
                times.push(self.swapped(up)?);
            }
        }
        times.sort_unstable();
        let worst = times.last().copied().unwrap_or_default();
        Ok((
            times.get(times.len() / 2).copied().unwrap_or_default(),
            worst,
        ))
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

fn prefix(index: u32) -> IpNet {
    IpNet::new_assert(
        std::net::Ipv4Addr::from((20 << 24) + (index << 8)).into(),
        24,
    )
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
