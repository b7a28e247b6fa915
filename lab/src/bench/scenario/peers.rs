//! A thousand sessions at once, each with a few prefixes; nobody but one
//! receiver is told of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use bgp_core::Family;
use bytes::Bytes;

use super::{Case, Options, QUICK_SPEAKERS, Rounds};
use crate::bench::count::Present;
use crate::bench::course::{CPU, PEAK_MEMORY};
use crate::bench::driver::{Driver, reached};
use crate::bench::figures::{Figures, Quantity};
use crate::bench::lane::{Neighbor, Takes};
use crate::bench::speaker::{Kernel, Programs, Speaker};
use crate::bench::stage::{LONG_HOLD_TIME, SETUP, Stage};
use crate::bench::table::{Table, announcements};
use crate::bench::usage::Usage;

/// From the first SYN to the last session Established.
const ESTABLISHED: Quantity = Quantity::seconds("established");
/// From the first UPDATE to the receiver's last prefix.
const CONVERGENCE: Quantity = Quantity::seconds("convergence");

pub(super) fn cases(options: &Options) -> anyhow::Result<Vec<Case>> {
    let peers = Arc::new(Peers::new(options)?);
    // BIRD listens with a backlog of 8, and what is beyond waits for TCP's
    // timers, most of a minute in all.
    let case = |how: &str, at_once: usize, speakers: &[Speaker]| {
        let peers = Arc::clone(&peers);
        let sessions = peers.feeds.len();
        let round = move |speaker, programs: &Programs| peers.run(speaker, programs, at_once);
        let title = format!("{sessions} sessions with {EACH} prefixes each, dialled {how}");
        Case::new(title, options.entrants(speakers, Rounds::One, round))
    };
    Ok(vec![
        case("all at once", usize::MAX, &[Speaker::Bgpd]),
        case("8 at a time", 8, &QUICK_SPEAKERS),
    ])
}

struct Peers {
    neighbors: Vec<Neighbor>,
    /// Of the neighbors, in their order; the receiver has none.
    feeds: Vec<Bytes>,
    prefixes: usize,
    patience: Duration,
}

impl Peers {
    fn new(options: &Options) -> anyhow::Result<Self> {
        let sessions = options.sessions.unwrap_or(1000);
        let table = Table::new(Family::Ipv4, usize::from(sessions) * EACH, options.seed)?;
        let feeders: Vec<_> = (1..=sessions)
            .map(|number| Neighbor::new(Family::Ipv4, number, Takes::Nothing))
            .collect();
        let parts = feeders.iter().zip(table.prefixes.chunks(EACH)).zip(0..);
        let feeds = parts
            .map(|((feeder, prefixes), number)| {
                announcements(prefixes, feeder, options.seed + number)
            })
            .collect::<anyhow::Result<_>>()?;
        let receiver = Neighbor::new(Family::Ipv4, sessions + 1, Takes::Everything);
        Ok(Self {
            neighbors: feeders.into_iter().chain([receiver]).collect(),
            feeds,
            prefixes: table.prefixes.len(),
            patience: options.patience,
        })
    }

    fn run(
        &self,
        speaker: Speaker,
        programs: &Programs,
        at_once: usize,
    ) -> anyhow::Result<Figures> {
        let stage = Stage::set(
            speaker,
            programs,
            self.neighbors.clone(),
            Kernel::Untouched,
            LONG_HOLD_TIME,
        )?;
        stage.drive(|driver| {
            let before = stage.running.usage()?;
            let established = driver.establish(at_once, SETUP)?;
            self.measure(driver, &stage, before, established)
        })
    }

    fn measure(
        &self,
        driver: &mut Driver,
        stage: &Stage,
        before: Usage,
        established: Duration,
    ) -> anyhow::Result<Figures> {
        let receiver = self.feeds.len();
        driver.sessions[receiver].present = Some(Present::default());
        let started = Instant::now();
        for (number, feed) in self.feeds.iter().enumerate() {
            driver.feed(number, feed.clone())?;
        }
        driver.until("prefixes", self.patience, |driver| {
            reached(driver.sessions[receiver].count(), self.prefixes, "prefixes")
        })?;
        let last = driver.sessions.last().context("no receiver")?.last_change;
        let after = stage.running.usage()?;
        let convergence = last.saturating_duration_since(started);
        Ok(Figures(vec![
            (ESTABLISHED, established.as_secs_f64()),
            (CONVERGENCE, convergence.as_secs_f64()),
            (CPU, after.cpu.saturating_sub(before.cpu).as_secs_f64()),
            (PEAK_MEMORY, after.peak_memory as f64 / 1e6),
        ]))
    }
}

const EACH: usize = 100;
