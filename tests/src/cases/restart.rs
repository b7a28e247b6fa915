//! kill -9 and a new start: packets keep flowing, routes are adopted, what was
//! withdrawn meanwhile goes.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bgp_core::Family;
use lab::wait;
use lab::world::{self, Flow, Namespace};

use super::Case;
use super::sessions::{KEY, neighbor, our_networks, our_peer, their_networks, we_have};
use crate::Bench;
use crate::foreign::{self, Connect, Daemon};
use crate::ours::{Ours, PATIENCE, key_file};
use crate::pair::Pair;

pub(super) fn all() -> Vec<Case> {
    vec![Case::new(
        "kill -9 and a restart lose no packet and leave no stale route",
        killed_and_restarted,
    )]
}

/// In the second of their networks, which stays.
const DESTINATION: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 65);

fn killed_and_restarted(bench: &Bench) -> anyhow::Result<()> {
    let family = Family::Ipv4;
    let pair = Pair::create(bench)?;
    let host = host_behind(bench, &pair)?;
    let key = key_file(bench, "key", KEY)?;
    let config = our_peer(family, Connect::We, Some(&key), &our_networks(family));
    let mut ours = Ours::start(bench, &pair.ours, &config)?;
    let mut theirs = foreign::start(
        Daemon::Bird,
        &pair.theirs,
        &bench.directory,
        neighbor(family, Connect::We),
    )?;
    let mut received = their_networks(family);
    wait::until("we have their routes", PATIENCE, || {
        we_have(&ours, &pair.ours, family, &received)
    })?;

    let flow = Flow::start(
        &host,
        (&pair.theirs, SocketAddr::from((DESTINATION, 7))),
        Duration::from_millis(1),
    )?;
    wait::pause(Duration::from_millis(500))?;
    ours.kill();
    received.remove(0);
    theirs.announce(&received)?;
    wait::pause(Duration::from_secs(1))?;
    ours.restart(bench, &pair.ours)?;
    wait::until(
        "the routes are theirs again, without the stale one",
        PATIENCE,
        || we_have(&ours, &pair.ours, family, &received),
    )?;
    wait::pause(Duration::from_millis(500))?;
    let outcome = flow.stop();
    wait::ensure(
        outcome.forth.lost == 0 && outcome.forth.received > 1000,
        "no packet is lost",
        format!(
            "{} of {} lost, outage {:?}",
            outcome.forth.lost, outcome.sent, outcome.forth.outage
        ),
    )?;
    let adopted = ours.status()?.kernel.adopted;
    wait::ensure(
        adopted == 2,
        "the two routes that are still theirs were adopted",
        adopted.to_string(),
    )?;
    Ok(())
}

/// A host behind our router, and what the far side needs to answer it.
fn host_behind(bench: &Bench, pair: &Pair) -> world::Result<Namespace> {
    let host = Namespace::create(&format!("{}-host", bench.number))?;
    world::join((&host, "eth0"), (&pair.ours, "lan"))?;
    pair.ours.ip("address add 10.65.0.1/24 dev lan")?;
    host.ip("address add 10.65.0.2/24 dev eth0\nroute add default via 10.65.0.1")?;
    pair.theirs.ip(&format!(
        "address add {DESTINATION}/32 dev lo\nroute add 10.65.0.0/16 via 10.9.0.1"
    ))?;
    Ok(host)
}
