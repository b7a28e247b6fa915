//! bgpd goes and comes back: packets keep flowing, routes are adopted, what was
//! withdrawn meanwhile goes, and nothing of the earlier run is left over.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use bgp_core::Family;
use ipnet::IpNet;
use lab::wait;
use lab::world::{self, Flow, Namespace};
use serde_json::Value;

use super::Case;
use super::healthy::config_file;
use super::sessions::{
    KEY, kernel_routes, neighbor, networks, our_networks, our_peer, their_networks, we_have,
};
use crate::Bench;
use crate::foreign::{Bird, Connect, Speaker};
use crate::ours::{Ours, PATIENCE, key_file};
use crate::pair::{Pair, our_address};

pub(super) fn all() -> Vec<Case> {
    let mut cases = vec![];
    for family in Family::ALL {
        for (end, how) in [
            (End::Killed, "kill -9"),
            (End::Kept, "SIGTERM that keeps routes"),
        ] {
            let name = format!(
                "{how} and a restart lose no packet and leave no stale route over {family}"
            );
            cases.push(Case::new(name, move |bench| restarted(bench, family, end)));
        }
    }
    cases.push(Case::new(
        "routes that a new configuration refuses are gone after a restart",
        refused_since,
    ));
    cases.push(Case::new(
        "routes of a peer that doesn't come back are gone a minute after a restart",
        never_back,
    ));
    cases.push(Case::new(
        "SIGTERM that removes routes leaves nothing in the kernel",
        removed,
    ));
    cases
}

/// How bgpd goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Killed,
    Kept,
}

fn restarted(bench: &Bench, family: Family, end: End) -> anyhow::Result<()> {
    let mut edge = Edge::start(bench, family, "keep")?;
    let mut received = their_networks(family);
    wait::until("we have their routes", PATIENCE, || edge.has(&received))?;
    edge.nothing_left_over()?;
    let flow = Flow::start(
        &edge.host,
        (&edge.pair.theirs, SocketAddr::new(destination(family), 7)),
        Duration::from_millis(1),
    )?;
    wait::pause(Duration::from_millis(500))?;
    match end {
        End::Killed => edge.ours.kill(),
        End::Kept => edge.stop()?,
    }
    let kept = kernel_routes(&edge.pair.ours, family).map_err(anyhow::Error::msg)?;
    let before: BTreeSet<IpNet> = received.iter().copied().collect();
    wait::ensure(
        kept == before,
        "the kernel keeps the routes",
        format!("{kept:?}"),
    )?;

    received.remove(0);
    received.extend(networks(&[match family {
        Family::Ipv4 => "203.0.113.0/24",
        Family::Ipv6 => "2001:db8:3::/48",
    }]));
    edge.bird.announce(&received)?;
    wait::pause(Duration::from_secs(1))?;
    edge.ours.restart(bench, &edge.pair.ours)?;
    wait::until(
        "the routes are theirs again: without the stale one, with the new one",
        PATIENCE,
        || edge.has(&received),
    )?;
    wait::until("only this run's objects are left", PATIENCE, || {
        edge.nothing_left_over().map_err(|error| error.to_string())
    })?;
    wait::pause(Duration::from_millis(500))?;
    let outcome = flow.stop();
    wait::ensure(
        outcome.forth.lost == 0 && outcome.back.lost == 0 && outcome.back.received > 1000,
        "no packet is lost",
        format!("{outcome:?}"),
    )?;
    let kernel = edge.ours.status()?.kernel;
    wait::ensure(
        kernel.adopted == 2 && kernel.errors == 0,
        "the two routes that are still theirs were adopted, without an error",
        format!("{kernel:?}"),
    )?;
    Ok(())
}

fn removed(bench: &Bench) -> anyhow::Result<()> {
    let family = Family::Ipv4;
    let mut edge = Edge::start(bench, family, "remove")?;
    let received = their_networks(family);
    wait::until("we have their routes", PATIENCE, || edge.has(&received))?;
    edge.stop()?;
    let routes = kernel_routes(&edge.pair.ours, family).map_err(anyhow::Error::msg)?;
    wait::ensure(routes.is_empty(), "no route is left", format!("{routes:?}"))?;
    let left = nexthops(&edge.pair.ours)?;
    wait::ensure(left.is_empty(), "no nexthop is left", format!("{left:?}"))?;
    edge.ours.restart(bench, &edge.pair.ours)?;
    wait::until("the routes are there again", PATIENCE, || {
        edge.has(&received)
    })?;
    edge.nothing_left_over()
}

/// The configuration changes while bgpd is away.
fn refused_since(bench: &Bench) -> anyhow::Result<()> {
    let family = Family::Ipv4;
    let mut edge = Edge::start(bench, family, "keep")?;
    wait::until("we have their routes", PATIENCE, || {
        edge.has(&their_networks(family))
    })?;
    edge.ours.kill();
    let file = config_file(bench);
    let text = fs::read_to_string(&file).context("the configuration")?;
    let accepted = networks(&["172.20.0.0/14"]);
    let text = text.replace("accept = [\"any\"]", "accept = [\"172.20.0.0/14\"]");
    fs::write(&file, text).context("the configuration")?;
    edge.ours.restart(bench, &edge.pair.ours)?;
    wait::until("only the accepted route is left", PATIENCE, || {
        let kernel = kernel_routes(&edge.pair.ours, family)?;
        if kernel.iter().eq(&accepted) {
            Ok(())
        } else {
            Err(format!("{kernel:?}"))
        }
    })?;
    edge.nothing_left_over()
}

/// Until it is clear that the peer stays away, its routes may be right.
fn never_back(bench: &Bench) -> anyhow::Result<()> {
    let family = Family::Ipv4;
    let mut edge = Edge::start(bench, family, "keep")?;
    let networks = their_networks(family);
    wait::until("we have their routes", PATIENCE, || edge.has(&networks))?;
    edge.ours.kill();
    edge.bird.ask(&["disable", "them"])?;
    edge.ours.restart(bench, &edge.pair.ours)?;
    wait::while_holding("the routes stay for now", Duration::from_secs(5), || {
        let kernel = kernel_routes(&edge.pair.ours, family)?;
        if kernel.len() == networks.len() {
            Ok(())
        } else {
            Err(format!("{kernel:?}"))
        }
    })?;
    edge.ends_empty(Duration::from_secs(90))
}

/// A host, our router with bgpd, and the far router with BIRD.
struct Edge {
    family: Family,
    ours: Ours,
    bird: Bird,
    host: Namespace,
    pair: Pair,
}

impl Edge {
    fn start(bench: &Bench, family: Family, on_shutdown: &str) -> anyhow::Result<Self> {
        let pair = Pair::create(bench)?;
        let host = host_behind(bench, &pair)?;
        let key = key_file(bench, "key", KEY)?;
        let peer = our_peer(family, Connect::We, Some(&key), &our_networks(family));
        let kernel = format!("[bgpd.kernel]\non_shutdown = \"{on_shutdown}\"");
        let ours = Ours::start_with(bench, &pair.ours, &kernel, &peer)?;
        let directory = bench.directory.join("bird");
        fs::create_dir_all(&directory).context("BIRD's directory")?;
        let bird = Bird::start(&pair.theirs, &directory, neighbor(family, Connect::We))?;
        Ok(Self {
            family,
            ours,
            bird,
            host,
            pair,
        })
    }

    fn has(&self, networks: &[IpNet]) -> Result<(), String> {
        we_have(&self.ours, &self.pair.ours, self.family, networks)
    }

    /// SIGTERM: a Cease that BIRD sees, and status 0.
    fn stop(&mut self) -> anyhow::Result<()> {
        let status = self.ours.process.stop(Duration::from_secs(10));
        wait::ensure(
            status.is_some_and(|status| status.success()),
            "bgpd ends with status 0",
            format!("{status:?}"),
        )?;
        wait::until("BIRD was told why", PATIENCE, || {
            let words = ["show", "protocols", "all", "them"];
            let said = self
                .bird
                .ask(&words)
                .map_err(|error| format!("{error:#}"))?;
            if said.contains("Received: Administrative shutdown") {
                Ok(())
            } else {
                Err(said)
            }
        })
    }

    fn ends_empty(&self, patience: Duration) -> anyhow::Result<()> {
        wait::until(
            "no route and no nexthop of bgpd's is left",
            patience,
            || {
                let routes = kernel_routes(&self.pair.ours, self.family)?;
                let nexthops = nexthops(&self.pair.ours).map_err(|error| error.to_string())?;
                if routes.is_empty() && nexthops.is_empty() {
                    Ok(())
                } else {
                    Err(format!("{routes:?}, {nexthops:?}"))
                }
            },
        )
    }

    /// The kernel's nexthops are as many as the status says, each in use.
    fn nothing_left_over(&self) -> anyhow::Result<()> {
        let all = nexthops(&self.pair.ours)?;
        let (groups, singles): (Vec<_>, Vec<_>) =
            all.iter().partition(|one| one.get("group").is_some());
        let status = self.ours.status()?.kernel;
        wait::ensure(
            (singles.len() as u64, groups.len() as u64) == (status.nexthops, status.groups),
            format!(
                "{} nexthops and {} groups, as the status says",
                status.nexthops, status.groups
            ),
            format!("{all:?}"),
        )?;
        let id = |value: &Value| value.get("id").and_then(Value::as_u64);
        let members: BTreeSet<u64> = groups
            .iter()
            .filter_map(|group| group.get("group")?.as_array())
            .flatten()
            .filter_map(id)
            .collect();
        let routes = routed_by(&self.pair.ours)?;
        let unused = groups
            .iter()
            .filter(|group| id(group).is_none_or(|id| !routes.contains(&id)));
        let alone = singles
            .iter()
            .filter(|single| id(single).is_none_or(|id| !members.contains(&id)));
        let left: Vec<_> = unused.chain(alone).collect();
        wait::ensure(
            left.is_empty(),
            "each group has a route and each nexthop a group",
            format!("{left:?}"),
        )?;
        Ok(())
    }
}

/// bgpd's nexthop objects.
fn nexthops(namespace: &Namespace) -> anyhow::Result<Vec<Value>> {
    // 186 is `bgp`, which this command of `ip` takes as a number only.
    let text = namespace.show("-j nexthop show proto 186")?;
    json(&text).context("ip -j nexthop")
}

/// The ids that bgpd's routes point at.
fn routed_by(namespace: &Namespace) -> anyhow::Result<BTreeSet<u64>> {
    let mut ids = BTreeSet::new();
    for version in ["-4", "-6"] {
        let text = namespace.show(&format!("-j {version} route show proto bgp"))?;
        let routes = json(&text).context("ip -j route")?;
        ids.extend(
            routes
                .iter()
                .filter_map(|route| route.get("nhid")?.as_u64()),
        );
    }
    Ok(ids)
}

/// `ip -j` prints nothing where there is nothing.
fn json(text: &str) -> serde_json::Result<Vec<Value>> {
    if text.trim().is_empty() {
        return Ok(vec![]);
    }
    serde_json::from_str(text)
}

/// In the last of their networks, which stays and which no other covers.
const fn destination(family: Family) -> IpAddr {
    match family {
        Family::Ipv4 => IpAddr::V4(Ipv4Addr::new(172, 20, 0, 1)),
        Family::Ipv6 => IpAddr::V6(Ipv6Addr::new(0xfd00, 0x172, 0, 0, 0, 0, 0, 1)),
    }
}

/// A host behind our router, and what the far side needs to answer it.
fn host_behind(bench: &Bench, pair: &Pair) -> world::Result<Namespace> {
    let host = Namespace::create(&format!("{}-host", bench.number))?;
    world::join((&host, "eth0"), (&pair.ours, "lan"))?;
    pair.ours
        .ip("address add 10.65.0.1/24 dev lan\naddress add fd00:65::1/64 dev lan nodad")?;
    host.ip(
        "address add 10.65.0.2/24 dev eth0\naddress add fd00:65::2/64 dev eth0 nodad\n\
         route add default via 10.65.0.1\nroute add default via fd00:65::1",
    )?;
    for family in Family::ALL {
        let lan = match family {
            Family::Ipv4 => "10.65.0.0/24",
            Family::Ipv6 => "fd00:65::/64",
        };
        pair.theirs.ip(&format!(
            "address add {} dev lo\nroute add {lan} via {}",
            IpNet::from(destination(family)),
            our_address(family)
        ))?;
    }
    Ok(host)
}
