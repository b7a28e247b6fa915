//! Graceful restart (RFC 4724) with 10,000 routes: bgpd is killed, then its
//! neighbor is, while packets flow through both, in both directions by routes
//! that the two have from each other.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bgp_core::Family;
use ipnet::{IpNet, Ipv4Net};
use lab::wait;
use lab::world::{self, Flow, Namespace, Outcome};

use super::Case;
use super::sessions::{kernel_routes, neighbor, networks, our_peer, they_have};
use crate::Bench;
use crate::foreign::{Connect, Daemon, Neighbor, RestartFlags, Restarting, start_restarting};
use crate::ours::{Ours, PATIENCE};
use crate::pair::Pair;

pub(super) fn all() -> Vec<Case> {
    let mut cases = vec![];
    for daemon in [Daemon::Bird, Daemon::Frr] {
        let name = daemon.name();
        cases.push(Case::new(
            format!("kill -9 of bgpd with 10000 routes loses no packet to or from {name}'s side"),
            move |bench| we_restart(bench, daemon),
        ));
        cases.push(Case::new(
            format!("kill -9 of {name} with 10000 routes loses no packet through bgpd"),
            move |bench| they_restart(bench, daemon),
        ));
    }
    cases.push(Case::new(
        "SIGTERM that keeps routes lets a neighbor with graceful restart keep ours",
        we_leave,
    ));
    cases.push(Case::new(
        "whoever does not come back within the restart time loses its routes at the other end",
        nobody_returns,
    ));
    cases
}

const FAMILY: Family = Family::Ipv4;
/// Where the far host is, in their announcement, and the near one, in ours.
const FAR: Ipv4Addr = Ipv4Addr::new(172, 20, 0, 2);
const NEAR: Ipv4Addr = Ipv4Addr::new(10, 65, 0, 2);
/// Seconds: long enough for a restart on a busy machine.
const RESTART_TIME: u16 = 60;
const PINGS: u64 = 3000;
const AT_FIRST: RestartFlags = RestartFlags {
    restarted: false,
    forwarding_kept: false,
};
const AFTER_RESTART: RestartFlags = RestartFlags {
    restarted: true,
    forwarding_kept: true,
};

fn we_restart(bench: &Bench, daemon: Daemon) -> anyhow::Result<()> {
    let mut routers = Routers::start(bench, daemon, RESTART_TIME)?;
    let flags = routers.theirs.flags()?;
    wait::ensure(
        flags == AT_FIRST,
        "our first OPEN says that nothing was kept",
        format!("{flags:?}"),
    )?;
    let flow = routers.flow()?;
    wait::pause(Duration::from_millis(500))?;
    routers.ours.kill();
    // Meanwhile each side loses a network.
    let given_up = routers.announced.remove(0);
    routers.configure()?;
    let withdrawn = routers.received.remove(1);
    routers.theirs.announce(&routers.received)?;
    wait::pause(Duration::from_millis(500))?;
    let theirs = &routers.pair.theirs;
    let kept = theirs.show(&format!("route show {given_up}"))?;
    wait::ensure(
        !kept.is_empty(),
        "they keep our routes while we are away",
        theirs.show("route show")?,
    )?;
    routers.ours.restart(bench, &routers.pair.ours)?;
    routers.agree()?;
    let flags = routers.theirs.flags()?;
    wait::ensure(
        flags == AFTER_RESTART,
        "our OPEN says that we have restarted, and kept forwarding",
        format!("{flags:?}"),
    )?;
    let adopted = routers.ours.status()?.kernel.adopted;
    wait::ensure(
        adopted == routers.received.len() as u64,
        format!("all routes but {withdrawn} were adopted and kept"),
        format!("{adopted}"),
    )?;
    nothing_lost(routers.finish(flow)?)
}

fn they_restart(bench: &Bench, daemon: Daemon) -> anyhow::Result<()> {
    let mut routers = Routers::start(bench, daemon, RESTART_TIME)?;
    let flow = routers.flow()?;
    wait::pause(Duration::from_millis(500))?;
    routers.theirs.kill();
    wait::until("our session ends", PATIENCE, || {
        match routers.ours.established("them") {
            Ok(_) => Err("it is Established".to_owned()),
            Err(_) => Ok(()),
        }
    })?;
    let kernel = kernel_routes(&routers.pair.ours, FAMILY).map_err(anyhow::Error::msg)?;
    wait::ensure(
        kernel.len() == routers.received.len(),
        "their routes stay while they are away",
        format!("{}", kernel.len()),
    )?;
    // They come back with one less: in RIB and kernel it goes at their End-of-RIB.
    routers.received.remove(1);
    routers
        .theirs
        .restart(&routers.pair.theirs, &routers.received)?;
    routers.agree()?;
    nothing_lost(routers.finish(flow)?)
}

/// An upgrade, say.
fn we_leave(bench: &Bench) -> anyhow::Result<()> {
    let mut routers = Routers::start(bench, Daemon::Bird, RESTART_TIME)?;
    let flow = routers.flow()?;
    wait::pause(Duration::from_millis(200))?;
    let status = routers.ours.process.stop(Duration::from_secs(10));
    wait::ensure(
        status.is_some_and(|status| status.success()),
        "bgpd ends with status 0",
        format!("{status:?}"),
    )?;
    wait::pause(Duration::from_millis(500))?;
    routers.ours.restart(bench, &routers.pair.ours)?;
    routers.agree()?;
    nothing_lost(routers.finish(flow)?)
}

fn nobody_returns(bench: &Bench) -> anyhow::Result<()> {
    for (we_go, what) in [(true, "ours"), (false, "theirs")] {
        let mut routers = Routers::start(bench, Daemon::Bird, 4)?;
        let held = |routers: &Routers| {
            let keeper = if we_go {
                &routers.pair.theirs
            } else {
                &routers.pair.ours
            };
            let kernel = kernel_routes(keeper, FAMILY)?;
            let of_bird = keeper.show("route show proto bird");
            let of_bird = of_bird.map_err(|error| error.to_string())?.lines().count();
            Ok::<_, String>(kernel.len() + of_bird)
        };
        let before = held(&routers).map_err(anyhow::Error::msg)?;
        if we_go {
            routers.ours.kill();
        } else {
            routers.theirs.kill();
        }
        wait::while_holding(
            &format!("{what} stay for now"),
            Duration::from_secs(2),
            || match held(&routers)? {
                all if all == before => Ok(()),
                left => Err(format!("{left} of {before} routes")),
            },
        )?;
        wait::until(
            &format!("{what} are gone after the restart time"),
            PATIENCE,
            || match held(&routers)? {
                0 => Ok(()),
                left => Err(format!("{left} routes")),
            },
        )?;
        if !we_go {
            let left = routers.ours.control.routes("peer=them")?.len();
            wait::ensure(left == 0, "none is left in the RIB", format!("{left}"))?;
        }
    }
    Ok(())
}

fn nothing_lost(outcome: Outcome) -> anyhow::Result<()> {
    wait::ensure(
        outcome.forth.lost == 0 && outcome.back.lost == 0 && outcome.back.received >= PINGS,
        format!("no packet of {PINGS} is lost"),
        format!("{outcome:?}"),
    )?;
    Ok(())
}

/// A host behind each of two routers: ours with bgpd, theirs with another
/// daemon, whose kernel has our routes.
struct Routers {
    ours: Ours,
    theirs: Box<dyn Restarting>,
    near: Namespace,
    far: Namespace,
    pair: Pair,
    restart_time: u16,
    announced: Vec<IpNet>,
    received: Vec<IpNet>,
}

impl Routers {
    fn start(bench: &Bench, daemon: Daemon, restart_time: u16) -> anyhow::Result<Self> {
        let pair = Pair::create(bench)?;
        let near = host(bench, "near", &pair.ours, NEAR)?;
        let far = host(bench, "far", &pair.theirs, FAR)?;
        let announced = networks(&["192.0.2.0/25", "10.65.0.0/16"]);
        let received = many_networks();
        let ours = Ours::start(bench, &pair.ours, &peer(&announced, restart_time))?;
        let neighbor = Neighbor {
            key: None,
            restart_time: Some(restart_time),
            networks: received.clone(),
            ..neighbor(FAMILY, Connect::We)
        };
        let theirs = start_restarting(daemon, &pair.theirs, &bench.directory, neighbor)?;
        let routers = Self {
            ours,
            theirs,
            near,
            far,
            pair,
            restart_time,
            announced,
            received,
        };
        routers.agree()?;
        Ok(routers)
    }

    /// Writes what bgpd reads when it starts again.
    fn configure(&self) -> anyhow::Result<()> {
        self.ours.write(&peer(&self.announced, self.restart_time))
    }

    /// Each side has exactly what the other announces.
    fn agree(&self) -> anyhow::Result<()> {
        wait::until("they have what we announce", PATIENCE, || {
            they_have(self.theirs.as_ref(), FAMILY, &self.announced)
        })?;
        let received: BTreeSet<IpNet> = self.received.iter().copied().collect();
        wait::until("we have what they announce", PATIENCE, || {
            let kernel = kernel_routes(&self.pair.ours, FAMILY)?;
            let prefixes = self.ours.peer("them")?.prefixes;
            match (kernel == received, prefixes.accepted, prefixes.stale) {
                (true, held, 0) if held == received.len() as u64 => Ok(()),
                _ => Err(format!("{} in the kernel, {prefixes:?}", kernel.len())),
            }
        })?;
        Ok(())
    }

    /// From the near host to the far one and back, once every link on the way
    /// knows its neighbor.
    fn flow(&self) -> anyhow::Result<Flow> {
        let to = (&self.far, SocketAddr::new(IpAddr::V4(FAR), 7));
        wait::until("packets pass", PATIENCE, || {
            let words = |error: world::Error| error.to_string();
            let first = Flow::start(&self.near, to, Duration::from_millis(50)).map_err(words)?;
            wait::pause(Duration::from_millis(120)).map_err(|error| error.to_string())?;
            let outcome = first.stop();
            match outcome.back.received {
                0 => Err(format!("{outcome:?}")),
                _ => Ok(()),
            }
        })?;
        Ok(Flow::start(&self.near, to, Duration::from_millis(1))?)
    }

    /// Lets it go on until all pings have been sent, and a while after.
    fn finish(&self, flow: Flow) -> anyhow::Result<Outcome> {
        wait::pause(Duration::from_millis(PINGS))?;
        Ok(flow.stop())
    }
}

fn peer(announced: &[IpNet], restart_time: u16) -> String {
    let peer = our_peer(FAMILY, Connect::We, None, announced);
    format!("{peer}graceful_restart = \"{restart_time}s\"\n")
}

/// 10,000, the far host's among them.
fn many_networks() -> Vec<IpNet> {
    let first = u32::from(Ipv4Addr::new(100, 64, 0, 0));
    let many = (0..9999).map(|index| Ipv4Net::new_assert(Ipv4Addr::from(first + (index << 8)), 24));
    let mut all = networks(&["172.20.0.0/14"]);
    all.extend(many.map(IpNet::V4));
    all
}

/// A host at `address`, with its router at the subnet's first one.
fn host(
    bench: &Bench,
    role: &str,
    router: &Namespace,
    address: Ipv4Addr,
) -> anyhow::Result<Namespace> {
    let host = Namespace::create(&format!("{}-{role}", bench.number))?;
    world::join((&host, "eth0"), (router, "lan"))?;
    let gateway = Ipv4Addr::from(u32::from(address) - 1);
    router.ip(&format!("address add {gateway}/24 dev lan"))?;
    host.ip(&format!(
        "address add {address}/24 dev eth0\nroute add default via {gateway}"
    ))?;
    Ok(host)
}
