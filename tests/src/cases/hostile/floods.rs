//! Peers that say more than anybody can hear.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use bgp_core::Family;
use bgp_core::wire::iana::{cease, route_refresh};
use bgp_core::wire::{Message, Notification, RouteRefresh, encode_end_of_rib};
use bytes::BytesMut;
use lab::wait;
use lab::world::Namespace;

use super::neighbourhood::{Neighbourhood, Setup, hostile};
use crate::Bench;
use crate::cases::Case;
use crate::rogue::{Rogue, Wish, encoded, networks, withdrawing};

pub(super) fn all() -> Vec<Case> {
    let floods: [(&str, Octets, u32); 4] = [
        ("UPDATEs that flap", flapping, 0),
        ("KEEPALIVEs", keepalives, 0),
        ("ROUTE-REFRESHes of 100,000 routes", refreshes, 100_000),
        ("End-of-RIBs", ends_of_rib, 10_000),
    ];
    let mut cases: Vec<Case> = floods
        .into_iter()
        .map(|(what, octets, table)| {
            Case::new(
                format!("a flood of {what} costs the others nothing"),
                move |bench| flood(bench, octets, table),
            )
        })
        .collect();
    cases.push(Case::new(
        "eight peers that flood at once cost the others nothing",
        all_at_once,
    ));
    cases.push(Case::new(
        "a peer that connects, leaves and connects again costs the others nothing",
        revolving_door,
    ));
    cases
}

/// What one speaker pours, again and again.
type Octets = fn(&Rogue) -> anyhow::Result<BytesMut>;

fn flapping(rogue: &Rogue) -> anyhow::Result<BytesMut> {
    let networks = networks(200_000, 1000);
    let mut octets = BytesMut::new();
    for group in networks.chunks(10) {
        octets.extend_from_slice(&rogue.announcing(group)?);
        octets.extend_from_slice(&withdrawing(group));
    }
    Ok(octets)
}

fn keepalives(_: &Rogue) -> anyhow::Result<BytesMut> {
    repeated(&encoded(&Message::Keepalive)?)
}

fn refreshes(_: &Rogue) -> anyhow::Result<BytesMut> {
    let refresh = Message::RouteRefresh(RouteRefresh {
        family: Some(Family::Ipv4),
        subtype: route_refresh::REQUEST,
    });
    repeated(&encoded(&refresh)?)
}

fn ends_of_rib(_: &Rogue) -> anyhow::Result<BytesMut> {
    let mut end = BytesMut::new();
    encode_end_of_rib(Family::Ipv4, &mut end);
    repeated(&end)
}

fn repeated(message: &[u8]) -> anyhow::Result<BytesMut> {
    Ok(message.repeat(4096).as_slice().into())
}

const FLOOD: Duration = Duration::from_secs(5);

fn flood(bench: &Bench, octets: Octets, table: u32) -> anyhow::Result<()> {
    let setup = Setup {
        hostile_peers: 1,
        ..Setup::default()
    };
    let mut neighbourhood = Neighbourhood::start(bench, setup)?;
    let feeder = neighbourhood.feed(&networks(0, table))?;
    let rogue = neighbourhood.session(hostile(0))?;
    pour(&mut neighbourhood, &[feeder], &[(rogue, octets)])
}

/// Floods while the neighbors are watched; `readers` only read what they are told.
fn pour(
    neighbourhood: &mut Neighbourhood,
    readers: &[Rogue],
    rogues: &[(Rogue, Octets)],
) -> anyhow::Result<()> {
    let before = neighbourhood.usage()?;
    let goes_on = AtomicBool::new(true);
    let observed = thread::scope(|scope| {
        for reader in readers {
            scope.spawn(|| reader.discard(&goes_on));
        }
        let floods: Vec<_> = rogues
            .iter()
            .map(|(rogue, octets)| {
                let goes_on = &goes_on;
                scope.spawn(move || Ok(rogue.flood(&octets(rogue)?, goes_on)?))
            })
            .collect();
        let observed = neighbourhood.observe(FLOOD);
        goes_on.store(false, Ordering::Relaxed);
        for flood in floods {
            let poured: anyhow::Result<u64> = flood
                .join()
                .unwrap_or_else(|_| Err(anyhow::anyhow!("the flood panicked")));
            let poured = poured.context("the flood ended")?;
            wait::ensure(
                poured > 100_000,
                "it was a flood",
                format!("{poured} octets"),
            )?;
        }
        observed
    })?;
    observed.ensure_calm()?;
    wait::ensure(
        observed.memory < before.memory + MEMORY,
        format!("memory stays below {} MB + {MEMORY} MB", before.memory),
        format!("{} MB", observed.memory),
    )?;
    Ok(())
}

/// MB that eight sessions' queues and the router's may hold at the very most.
const MEMORY: u64 = 100;

fn all_at_once(bench: &Bench) -> anyhow::Result<()> {
    let setup = Setup {
        hostile_peers: 8,
        ..Setup::default()
    };
    let mut neighbourhood = Neighbourhood::start(bench, setup)?;
    let feeder = neighbourhood.feed(&networks(0, 10_000))?;
    let kinds: [Octets; 4] = [flapping, keepalives, refreshes, ends_of_rib];
    let rogues: Vec<_> = (0..8)
        .zip(kinds.into_iter().cycle())
        .map(|(number, octets)| Ok((neighbourhood.session(hostile(number))?, octets)))
        .collect::<anyhow::Result<_>>()?;
    pour(&mut neighbourhood, &[feeder], &rogues)
}

fn revolving_door(bench: &Bench) -> anyhow::Result<()> {
    let setup = Setup {
        hostile_peers: 1,
        ..Setup::default()
    };
    let mut neighbourhood = Neighbourhood::start(bench, setup)?;
    let feeder = neighbourhood.feed(&networks(0, 10_000))?;
    let (before, lines) = (neighbourhood.usage()?, neighbourhood.log_lines());
    let goes_on = AtomicBool::new(true);
    let observed = thread::scope(|scope| {
        scope.spawn(|| feeder.discard(&goes_on));
        let pair = neighbourhood.pair.clone();
        let (pair, goes_on) = (pair, &goes_on);
        let door = scope.spawn(move || {
            let mut comings = 0;
            while goes_on.load(Ordering::Relaxed) {
                comings += u32::from(come_and_go(&pair.theirs).is_ok());
                thread::sleep(Duration::from_millis(2));
            }
            comings
        });
        let observed = neighbourhood.observe(FLOOD);
        goes_on.store(false, Ordering::Relaxed);
        let comings = door.join().unwrap_or(0);
        wait::ensure(comings > 5, "it comes and goes", format!("{comings} times"))?;
        observed
    })?;
    observed.ensure_calm()?;
    let (after, more) = (neighbourhood.usage()?, neighbourhood.log_lines() - lines);
    wait::ensure(
        after.memory < before.memory + MEMORY && after.files < before.files + 20 && more < 200,
        "neither memory nor files nor the log grow",
        format!("{before:?}, then {after:?}, {more} lines"),
    )?;
    // It is a peer all the same.
    neighbourhood.session(hostile(0)).map(drop)
}

/// As far as it is let.
fn come_and_go(theirs: &Namespace) -> anyhow::Result<()> {
    let mut rogue = Rogue::connect(theirs, hostile(0), Wish::default())?;
    rogue
        .stream
        .set_read_timeout(Some(Duration::from_millis(500)))?;
    rogue.open()?;
    let goodbye = Notification::cease(cease::ADMINISTRATIVE_RESET);
    rogue.say(&Message::Notification(goodbye))?;
    rogue.stream.flush()?;
    Ok(())
}
