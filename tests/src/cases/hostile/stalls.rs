//! Readers that stop reading: RFC 9687.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use bgp_core::wire::Message;
use lab::wait;

use super::neighbourhood::{Neighbourhood, Setup, hostile};
use crate::Bench;
use crate::cases::Case;
use crate::rogue::{Rogue, Wish, networks, withdrawing};

pub(super) fn all() -> Vec<Case> {
    vec![
        Case::new(
            "twenty readers that stall are closed at the send hold time",
            |bench| stall(bench, 20, 50_000),
        ),
        Case::new(
            "a reader that stalls before a full table is closed at the send hold time",
            |bench| stall(bench, 1, FULL_TABLE),
        ),
    ]
}

/// What is not optimized takes ten times as long.
const FULL_TABLE: u32 = if cfg!(debug_assertions) {
    200_000
} else {
    1_000_000
};

/// While they stall, ever new prefixes come and go.
fn stall(bench: &Bench, readers: u8, table: u32) -> anyhow::Result<()> {
    let setup = Setup {
        hostile_peers: readers,
        hostile: "hold_time = \"5s\"\nsend_hold_time = \"6s\"\n",
        rest: "[bgpd.kernel]\ninstall = false\n",
        ..Setup::default()
    };
    let mut neighbourhood = Neighbourhood::start(bench, setup)?;
    let feeder = neighbourhood.feed(&networks(0, table))?;
    let before = neighbourhood.usage()?;
    let wish = Wish {
        receive_buffer: Some(4096),
        ..Wish::default()
    };
    let stalled: Vec<Rogue> = (0..readers)
        .map(|number| Rogue::establish(&neighbourhood.pair.theirs, hostile(number), wish))
        .collect::<anyhow::Result<_>>()?;
    let goes_on = AtomicBool::new(true);
    let observed = thread::scope(|scope| {
        scope.spawn(|| feeder.discard(&goes_on));
        let churn = scope.spawn(|| churn(&feeder, table, &goes_on));
        // They still say that they live, so the hold timer is not what ends them.
        scope.spawn(|| keep_alive(&stalled, &goes_on));
        let observed = neighbourhood.observe(Duration::from_secs(4));
        let closed = (0..readers).try_for_each(|number| closed(&neighbourhood, number));
        goes_on.store(false, Ordering::Relaxed);
        let churned = churn
            .join()
            .unwrap_or_else(|_| Err(anyhow::anyhow!("panic")));
        let churned = churned.context("the feeder")?;
        wait::ensure(
            churned > 20_000,
            "prefixes come and go meanwhile",
            format!("{churned}"),
        )?;
        closed.and(observed)
    })?;
    observed.ensure_calm()?;
    let allowed = before.memory + ROUTER + u64::from(readers) * READER;
    wait::ensure(
        observed.memory < allowed,
        format!("memory stays below {allowed} MB"),
        format!("{} MB of {} before", observed.memory, before.memory),
    )?;
    neighbourhood.healthy()
}

/// MB: a batch of UPDATEs in each place of the router's queue, prefixes that are
/// about to be forgotten, and what one reader has not taken.
const ROUTER: u64 = 60;
const READER: u64 = 5;

/// Announces and withdraws prefixes that nobody has seen before; how many.
fn churn(feeder: &Rogue, from: u32, goes_on: &AtomicBool) -> anyhow::Result<u32> {
    let mut churned = 0;
    while goes_on.load(Ordering::Relaxed) {
        let some = networks(from + churned, 1000);
        let mut octets = feeder.announcing(&some)?;
        octets.extend_from_slice(&withdrawing(&some));
        (&feeder.stream).write_all(&octets)?;
        churned += 1000;
        thread::sleep(Duration::from_millis(100));
    }
    Ok(churned)
}

fn keep_alive(stalled: &[Rogue], goes_on: &AtomicBool) {
    let Ok(keepalive) = crate::rogue::encoded(&Message::Keepalive) else {
        return;
    };
    while goes_on.load(Ordering::Relaxed) {
        for rogue in stalled {
            // It fails once bgpd has closed the connection.
            let _closed = (&rogue.stream).write_all(&keepalive);
        }
        thread::sleep(Duration::from_millis(500));
    }
}

fn closed(neighbourhood: &Neighbourhood, number: u8) -> anyhow::Result<()> {
    let name = hostile(number).to_string();
    wait::until(
        &format!("{name} is closed at the send hold time"),
        Duration::from_secs(30),
        || {
            let peer = neighbourhood.ours.peer(&name)?;
            let why = peer.last_error.unwrap_or_default();
            if peer.flaps == 1 && why.contains("send hold time") {
                Ok(())
            } else {
                Err(format!("{} {why}", peer.state))
            }
        },
    )?;
    // The kernel keeps nothing for it either.
    wait::until(
        &format!("no connection with {name} is left"),
        Duration::from_secs(10),
        || {
            let left = neighbourhood.pair.ours.exec("ss", &["-Htan", "dst", &name]);
            match left {
                Ok(left) if left.trim().is_empty() => Ok(()),
                Ok(left) => Err(left),
                Err(error) => Err(error.to_string()),
            }
        },
    )
}
