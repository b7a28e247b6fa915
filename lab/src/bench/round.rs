//! One measurement of one speaker: start it, feed it, count, withdraw, stop.

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use bgp_core::Asn;
use serde::Serialize;

use super::session::{Neighbor, Session};
use super::sink::Seen;
use super::speaker::{ADDRESS, Programs, Speaker};
use super::table::Table;
use super::usage;
use crate::world::{Namespace, join};

/// What one round showed.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Seconds from the feeders' first octet to the sink's last prefix.
    pub convergence: f64,
    /// Seconds from the first withdrawal to the sink's empty table.
    pub withdrawal: f64,
    /// Seconds of the speaker's CPU time for the announcements, until quiet.
    pub cpu: f64,
    /// Octets that were resident at most, until the withdrawals.
    pub peak_memory: u64,
    /// UPDATEs that the sink got, until the withdrawals.
    pub updates: u64,
}

/// What a round needs.
pub struct Course<'a> {
    pub programs: &'a Programs,
    pub table: &'a Table,
    pub feeders: u32,
    pub seed: u64,
    pub patience: Duration,
    /// For the speaker's files.
    pub directory: &'a Path,
}

/// A driver that is not in the same namespace as the speaker: several speakers
/// refuse next hops that are their own.
pub struct Lane {
    pub driver: Namespace,
    pub speaker: Namespace,
}

impl Lane {
    pub fn create(feeders: u32) -> anyhow::Result<Self> {
        let lane = Self {
            driver: Namespace::create("driver")?,
            speaker: Namespace::create("speaker")?,
        };
        join((&lane.driver, "lane"), (&lane.speaker, "lane"))?;
        lane.speaker
            .ip(&format!("address add {ADDRESS}/24 dev lane"))?;
        for neighbor in neighbors(feeders) {
            lane.driver
                .ip(&format!("address add {}/24 dev lane", neighbor.address))?;
        }
        Ok(lane)
    }
}

/// The sink first, then the feeders.
pub fn neighbors(feeders: u32) -> Vec<Neighbor> {
    let sink = Neighbor {
        address: Ipv4Addr::new(10, 99, 0, 1),
        asn: Asn(65200),
    };
    let feeders = (1..=feeders).map(|number| Neighbor {
        address: Ipv4Addr::from(0x0a63_000a + number),
        asn: Asn(65100 + number),
    });
    std::iter::once(sink).chain(feeders).collect()
}

impl Course<'_> {
    pub fn run(&self, speaker: Speaker) -> anyhow::Result<Figures> {
        let lane = Lane::create(self.feeders)?;
        let neighbors = neighbors(self.feeders);
        let process = speaker
            .start(self.programs, &lane.speaker, &neighbors, self.directory)
            .with_context(|| format!("starting {}", speaker.name()))?;
        let driven = lane
            .driver
            .enter(|| self.drive(speaker, &neighbors, process.id()))?;
        driven.with_context(|| {
            let output = process.output();
            let last: Vec<&str> = output.lines().rev().take(5).collect();
            format!("measuring {}; it printed last: {last:?}", speaker.name())
        })
    }

    fn drive(&self, speaker: Speaker, neighbors: &[Neighbor], pid: u32) -> anyhow::Result<Figures> {
        let (sink, feeders) = neighbors.split_first().context("no neighbors")?;
        let sink = Session::establish(*sink, Speaker::socket(speaker), SETUP)?;
        let seen = Seen::watch(sink, self.table);
        let stage = Arc::new(Barrier::new(feeders.len() + 1));
        let withdrawals = Arc::new(self.table.withdrawals().freeze());
        let mut threads = vec![];
        for (feeder, number) in feeders.iter().zip(1..) {
            let updates = self
                .table
                .announcements(feeder.asn, feeder.address, self.seed + number)?
                .freeze();
            let session = Session::establish(*feeder, Speaker::socket(speaker), SETUP)?;
            let mut stream = session.writer()?;
            thread::spawn(move || session.drain());
            let (stage, withdrawals) = (Arc::clone(&stage), Arc::clone(&withdrawals));
            threads.push(thread::spawn(move || -> std::io::Result<()> {
                stage.wait();
                let announced = stream.write_all(&updates);
                stage.wait();
                announced?;
                stream.write_all(&withdrawals)?;
                stage.wait();
                Ok(())
            }));
        }
        let outcome = self.measure(&seen, &stage, pid);
        if outcome.is_ok() {
            for thread in threads {
                let fed = thread
                    .join()
                    .map_err(|_| anyhow::anyhow!("a feeder panicked"))?;
                fed.context("feeding")?;
            }
        }
        outcome
    }

    fn measure(&self, seen: &Seen, stage: &Barrier, pid: u32) -> anyhow::Result<Figures> {
        let before = usage::of(pid)?;
        stage.wait();
        let started = Instant::now();
        let converged = seen.wait_for(self.table.prefixes.len(), self.patience)?;
        // The second feeder's copies may still change some best paths.
        seen.wait_for_quiet(QUIET)?;
        let after = usage::of(pid)?;
        let updates = seen.updates();
        stage.wait();
        let withdrawing = Instant::now();
        let withdrawn = seen.wait_for(0, self.patience)?;
        stage.wait();
        Ok(Figures {
            convergence: converged.saturating_duration_since(started).as_secs_f64(),
            withdrawal: withdrawn
                .saturating_duration_since(withdrawing)
                .as_secs_f64(),
            cpu: (after.cpu.saturating_sub(before.cpu)).as_secs_f64(),
            peak_memory: after.peak_memory,
            updates,
        })
    }
}

/// How long a speaker may take until it accepts a session.
const SETUP: Duration = Duration::from_secs(30);
/// As long without an UPDATE as it takes to believe that none will come.
const QUIET: Duration = Duration::from_secs(2);
