//! Connections without end, from peers' addresses and from strangers'; and too few
//! file descriptors for them.

use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lab::wait;
use lab::world::{Namespace, run};

use super::neighbourhood::{Neighbourhood, STRANGER, Setup, hostile};
use crate::Bench;
use crate::cases::Case;
use crate::rogue::{Rogue, Wish};

pub(super) fn all() -> Vec<Case> {
    vec![
        Case::new(
            "a hundred connections a second leave no trace",
            a_hundred_a_second,
        ),
        Case::new(
            "without a file descriptor left bgpd waits, and goes on",
            no_files,
        ),
    ]
}

/// What becomes of a connection that is made.
#[derive(Clone, Copy)]
enum Manner {
    Silent,
    Garbage,
    Gone,
    Reset,
}

const MANNERS: [Manner; 4] = [Manner::Silent, Manner::Garbage, Manner::Gone, Manner::Reset];

fn a_hundred_a_second(bench: &Bench) -> anyhow::Result<()> {
    let setup = Setup {
        hostile_peers: 2,
        ..Setup::default()
    };
    let mut neighbourhood = Neighbourhood::start(bench, setup)?;
    // One of the two has a session, which its own connections don't end.
    let _session = neighbourhood.session(hostile(1))?;
    let (before, lines) = (neighbourhood.usage()?, neighbourhood.log_lines());
    let goes_on = AtomicBool::new(true);
    let pair = neighbourhood.pair.clone();
    let (observed, made) = thread::scope(|scope| {
        let callers: Vec<_> = [STRANGER, hostile(0), hostile(1)]
            .into_iter()
            .map(|address| {
                let (theirs, goes_on) = (&pair.theirs, &goes_on);
                scope.spawn(move || call(theirs, address, goes_on))
            })
            .collect();
        let observed = neighbourhood.observe(Duration::from_secs(10));
        goes_on.store(false, Ordering::Relaxed);
        let made: usize = callers
            .into_iter()
            .map(|caller| caller.join().unwrap_or(0))
            .sum();
        (observed, made)
    });
    let observed = observed?;
    wait::ensure(
        made >= 1000,
        "a hundred connections a second, for 10 s",
        format!("{made}"),
    )?;
    observed.ensure_calm()?;
    wait::until(
        "neither files nor memory nor the log have grown",
        Duration::from_secs(10),
        || {
            let (after, more) = (
                neighbourhood.usage().map_err(|error| error.to_string())?,
                neighbourhood.log_lines() - lines,
            );
            let same =
                after.files <= before.files + 2 && after.memory <= before.memory + 10 && more < 100;
            if same {
                Ok(())
            } else {
                Err(format!("{before:?}, then {after:?}, {more} lines"))
            }
        },
    )?;
    let peer = neighbourhood
        .ours
        .established(&hostile(1).to_string())
        .map_err(anyhow::Error::msg)?;
    wait::ensure(
        peer.flaps == 0,
        "the hostile peer's own session stays",
        format!("{peer:?}"),
    )?;
    // Nobody is locked out for good.
    neighbourhood.session(hostile(0)).map(drop)
}

/// 50 a second, in every manner; how many were made.
fn call(theirs: &Namespace, address: Ipv4Addr, goes_on: &AtomicBool) -> usize {
    let (mut made, mut silent, begin) = (0, Vec::new(), Instant::now());
    for (number, manner) in (0_u32..).zip(MANNERS.into_iter().cycle()) {
        if !goes_on.load(Ordering::Relaxed) {
            break;
        }
        if let Ok(rogue) = Rogue::connect(theirs, address, Wish::default()) {
            made += 1;
            match manner {
                Manner::Silent => silent.push(rogue.stream),
                Manner::Garbage => {
                    let _closed = (&rogue.stream).write_all(&[0x5a; 300]);
                }
                Manner::Gone => {}
                Manner::Reset => {
                    let _gone = rogue.reset();
                }
            }
        }
        let next = begin + EVERY * number;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    made
}

const EVERY: Duration = Duration::from_millis(20);

/// bgpd may open no more files than it has: connections wait for their turn.
fn no_files(bench: &Bench) -> anyhow::Result<()> {
    let setup = Setup {
        hostile_peers: 2,
        ..Setup::default()
    };
    let neighbourhood = Neighbourhood::start(bench, setup)?;
    let before = neighbourhood.usage()?;
    limit_files(&neighbourhood, before.files)?;
    let lines = neighbourhood.log_lines();
    let calls: Vec<TcpStream> = (0..50)
        .filter_map(|_| Some(neighbourhood.connect(STRANGER).ok()?.stream))
        .collect();
    wait::ensure(calls.len() > 20, "they call", format!("{}", calls.len()))?;
    wait::pause(Duration::from_secs(3))?;
    let starved = neighbourhood.usage()?;
    let (cpu, more) = (starved.cpu - before.cpu, neighbourhood.log_lines() - lines);
    wait::ensure(
        starved.files <= before.files
            && cpu < Duration::from_millis(1500)
            && (1..30).contains(&more),
        "no file is left, bgpd says so without spinning or filling the log",
        format!("{before:?}, then {starved:?}, {more} lines"),
    )?;
    limit_files(&neighbourhood, 1024)?;
    drop(calls);
    // The listener is still there, and so is everybody who behaves.
    let _session = neighbourhood.session(hostile(0))?;
    neighbourhood.healthy()
}

fn limit_files(neighbourhood: &Neighbourhood, files: usize) -> anyhow::Result<()> {
    let pid = neighbourhood.ours.process.id().to_string();
    let limit = format!("--nofile={files}:1024");
    run(Command::new("prlimit").args(["--pid", &pid, &limit]), None)?;
    Ok(())
}
