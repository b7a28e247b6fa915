//! Other fuzzers' seeds and captures that once broke a decoder, sent to the running
//! daemon at each stage of a session: it lives, a healthy session keeps its routes
//! and its keepalives throughout, and memory stays bounded.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use hostile_inputs::{Session, Stage};

use super::Case;
use crate::Bench;
use crate::stand::{SPEAKER, Stand};
use crate::talker::Talker;

pub(super) fn all() -> Vec<Case> {
    vec![Case::new(
        "seeds and captures, replayed in three states of a session",
        replay,
    )]
}

const STAGES: [Stage; 3] = [
    Stage::OpenExpected,
    Stage::KeepaliveExpected,
    Stage::Established,
];

/// Octets for a session at this stage.
type Replay = (Session, Stage, Vec<u8>);

fn replay(bench: &Bench) -> anyhow::Result<()> {
    let mut replays = replays()?;
    let count = replays.len();
    anyhow::ensure!(count > 3 * 2700, "only {count} replays");
    let stand = Stand::build(bench, PLAYERS)?;
    let before = stand.memory()?;
    // The largest come last, when all that memory grows by is there.
    replays
        .make_contiguous()
        .sort_by_key(|(.., octets)| octets.len());
    let (replays, over) = (Mutex::new(replays), AtomicBool::new(false));
    let (sent, watched) = stand.pair.theirs.enter(|| {
        thread::scope(|scope| {
            let watch = scope.spawn(|| watch(&stand, &over));
            let workers: Vec<_> = (0..WORKERS)
                .map(|_| scope.spawn(|| work(&stand, &replays)))
                .collect();
            let sent: Vec<anyhow::Result<usize>> = workers
                .into_iter()
                .map(|worker| {
                    worker
                        .join()
                        .unwrap_or_else(|_| Err(anyhow::anyhow!("a worker panicked")))
                })
                .collect();
            over.store(true, Ordering::Relaxed);
            let watched = watch
                .join()
                .unwrap_or_else(|_| Err(anyhow::anyhow!("the watch panicked")));
            (sent, watched)
        })
    })?;
    watched.context("while it was replayed")?;
    let sent: usize = sent.into_iter().sum::<anyhow::Result<usize>>()?;
    anyhow::ensure!(sent == count, "{sent} of {count} were sent");
    stand.healthy()?;
    let after = stand.memory()?;
    anyhow::ensure!(
        after < before + GROWTH,
        "bgpd had {before} MB and has {after} MB"
    );
    stand.nothing_panicked()
}

fn replays() -> anyhow::Result<VecDeque<Replay>> {
    let captured = hostile_inputs::captured()?.into_iter();
    let inputs = captured
        .map(|(_, octets)| octets)
        .chain(hostile_inputs::seeds()?);
    // Four-octet ASNs and both families, the most that can be read.
    Ok(inputs
        .flat_map(|octets| STAGES.map(|stage| (Session::Extended, stage, octets.clone())))
        .collect())
}

/// Sends what is left; how many.
fn work(stand: &Stand, replays: &Mutex<VecDeque<Replay>>) -> anyhow::Result<usize> {
    let mut sent = 0;
    loop {
        let next = replays
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        let Some((session, stage, octets)) = next else {
            return Ok(sent);
        };
        let mut talker = Talker::at(stand.address(session), SPEAKER, session, stage)?;
        // It may be closed while it is being sent.
        let _cut_off = talker.send(&octets);
        // Half a message is waited for: hanging up is the replay's to do.
        talker.listen_until(READING, |_| false)?;
        sent += 1;
    }
}

fn watch(stand: &Stand, over: &AtomicBool) -> anyhow::Result<()> {
    while !over.load(Ordering::Relaxed) {
        stand.healthy()?;
        thread::sleep(Duration::from_millis(300));
    }
    Ok(())
}

const PLAYERS: usize = 300;
const WORKERS: usize = 8;
/// Given to the daemon to read what was sent.
const READING: Duration = Duration::from_millis(10);
/// MB.
const GROWTH: u64 = 60;
