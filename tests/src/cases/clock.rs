//! The wall clock is set, an hour on and then a day back: nothing notices.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use bgp_core::Family;
use lab::wait;
use lab::world;

use super::Case;
use super::sessions::{KEY, neighbor, our_networks, our_peer, their_networks, they_have, we_have};
use crate::Bench;
use crate::foreign::{Bird, Connect, Neighbor};
use crate::ours::{Ours, PATIENCE, key_file};
use crate::pair::{Pair, WIRE, their_address};

pub(super) fn all() -> Vec<Case> {
    vec![Case::with_own_clock(
        "a wall clock that is set costs no session, no route and no probe",
        set_clock,
    )]
}

const FAMILY: Family = Family::Ipv4;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// Longer than the hold time.
const A_WHILE: Duration = Duration::from_secs(5);

fn set_clock(bench: &Bench) -> anyhow::Result<()> {
    let own = fs::read_to_string("/proc/cpuinfo").context("/proc/cpuinfo")?;
    anyhow::ensure!(
        own.contains("User Mode Linux"),
        "this is not user-mode-linux: the machine's own clock stays as it is"
    );
    let pair = Pair::create(bench)?;
    let key = key_file(bench, "key", KEY)?;
    let peer = our_peer(FAMILY, Connect::We, Some(&key), &our_networks(FAMILY))
        .replace("\"9s\"", "\"3s\"");
    let probed = their_address(FAMILY);
    let path = format!(
        "[[path]]\nname = \"probed\"\ninterface = \"{WIRE}\"\ngateway = \"{probed}\"\n\
         probe = {{ icmp = [\"{probed}\"], interval = \"20ms\" }}\n"
    );
    let ours = Ours::start(bench, &pair.ours, &format!("{peer}{path}"))?;
    let neighbor = Neighbor {
        hold_time: 3,
        ..neighbor(FAMILY, Connect::We)
    };
    let bird = Bird::start(&pair.theirs, &bench.directory, neighbor)?;
    let healthy = || {
        they_have(&bird, FAMILY, &our_networks(FAMILY))?;
        we_have(&ours, &pair.ours, FAMILY, &their_networks(FAMILY))?;
        sane(&ours)
    };
    wait::until("the session is up, with its routes", PATIENCE, &healthy)?;
    for change in [HOUR, -DAY] {
        let begun = ours.status()?.uptime;
        set(change)?;
        wait::while_holding("nothing changes", A_WHILE, &healthy)?;
        let lasted = ours.status()?.uptime - begun;
        wait::ensure(
            lasted >= A_WHILE.as_secs_f64() && lasted < 60.0,
            "the uptime has grown by the time that has passed",
            format!("{lasted} s"),
        )?;
    }
    Ok(())
}

/// No session lost, no age and no round trip beyond what this case can take.
fn sane(ours: &Ours) -> Result<(), String> {
    let peer = ours.established("them")?;
    let status = ours.status().map_err(|error| format!("{error:#}"))?;
    let path = status.paths.iter().find(|path| path.name == "probed");
    let probe = path.and_then(|path| path.best_probe()).ok_or("no probe")?;
    let round_trip = probe.rtt_max.unwrap_or(u64::MAX);
    let few_minutes = 0.0..300.0;
    let is_sane = peer.flaps == 0
        && few_minutes.contains(&peer.since)
        && few_minutes.contains(&status.uptime)
        && probe.lost == 0
        && (1..1_000_000).contains(&round_trip)
        && probe.rtt_min.is_some_and(|shortest| shortest > 0);
    if is_sane {
        Ok(())
    } else {
        Err(format!("{peer:?}, uptime {} s, {probe:?}", status.uptime))
    }
}

fn set(change: i64) -> anyhow::Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let then = now
        .checked_add_signed(change)
        .context("a time after 1970")?;
    let mut date = std::process::Command::new("date");
    date.arg("--set").arg(format!("@{then}"));
    world::run(&mut date, None)?;
    Ok(())
}
