//! A link comes back, with its carrier or without having lost it: the session
//! does not wait for its retry timer, nor TCP for another SYN's turn.

use std::time::{Duration, Instant};

use bgp_core::Family;
use lab::wait;

use super::Case;
use super::sessions::{neighbor, our_networks, our_peer};
use super::vlan::{self, AWS, OURS};
use crate::Bench;
use crate::foreign::{Bird, Connect, Neighbor};
use crate::ours::{Ours, PATIENCE, key_file};
use crate::pair::{Pair, WIRE};

pub(super) fn all() -> Vec<Case> {
    let mut cases: Vec<_> = Family::ALL
        .into_iter()
        .map(|family| {
            let name = format!("a session over {family} is back at once when its carrier is");
            Case::new(name, move |bench| carrier_flap(bench, family))
        })
        .collect();
    cases.push(Case::with_vlan(
        "a VIF's session is back soon after a cut that took no carrier",
        silent_cut,
    ));
    cases
}

/// Far less than any retry: the configurations here say 30 s.
const SOON: Duration = Duration::from_secs(3);
const RETRY: &str = "connect_retry = \"30s\"";

fn carrier_flap(bench: &Bench, family: Family) -> anyhow::Result<()> {
    let pair = Pair::create(bench)?;
    let peer = our_peer(family, Connect::We, None, &our_networks(family));
    let peer = peer.replace("connect_retry = \"1s\"", RETRY);
    let neighbor = Neighbor {
        key: None,
        ..neighbor(family, Connect::We)
    };
    let _bird = Bird::start(&pair.theirs, &bench.directory, neighbor)?;
    let ours = Ours::start(bench, &pair.ours, &peer)?;
    wait::until("the session is Established", PATIENCE, || {
        ours.established("them")
    })?;
    pair.theirs.ip(&format!("link set dev {WIRE} down"))?;
    is_down(&ours)?;
    // Long enough for the kernel to find that nobody answers.
    wait::pause(Duration::from_secs(3))?;
    pair.theirs.ip(&format!("link set dev {WIRE} up"))?;
    if family == Family::Ipv6 {
        // The kernel takes IPv6 addresses from an interface that is set down.
        let address = crate::pair::their_address(family);
        pair.theirs
            .ip(&format!("address add {address}/64 dev {WIRE} nodad"))?;
    }
    is_back(&ours)
}

fn silent_cut(bench: &Bench) -> anyhow::Result<()> {
    let neighbor = Neighbor {
        connect: Connect::We,
        ..vlan::aws(3)
    };
    let (pair, _bird) = vlan::trunk(bench, 101, neighbor)?;
    let key = key_file(bench, "key", super::sessions::KEY)?;
    let vif = vlan::vif(&key, 101).replace("connect_retry = \"1s\"", RETRY);
    let ours = Ours::start(bench, &pair.ours, &format!("{vif}hold_time = \"3s\"\n"))?;
    wait::until("the session is Established", PATIENCE, || {
        ours.established("them")
    })?;
    // What they send is lost, and the light stays on.
    let cut = format!("{OURS} from {AWS}");
    pair.theirs
        .ip(&format!("rule add to {cut} priority 1 blackhole"))?;
    is_down(&ours)?;
    wait::pause(Duration::from_secs(5))?;
    pair.theirs
        .ip(&format!("rule del to {cut} priority 1 blackhole"))?;
    is_back(&ours)
}

fn is_down(ours: &Ours) -> anyhow::Result<()> {
    wait::until("the session is down", PATIENCE, || {
        match ours.established("them") {
            Ok(_) => Err("it is Established".to_owned()),
            Err(_) => Ok(()),
        }
    })?;
    Ok(())
}

fn is_back(ours: &Ours) -> anyhow::Result<()> {
    let mended = Instant::now();
    wait::until("the session is Established again", PATIENCE, || {
        ours.established("them")
    })?;
    let took = mended.elapsed();
    wait::ensure(took < SOON, "it is back soon", format!("{took:?}"))?;
    Ok(())
}
