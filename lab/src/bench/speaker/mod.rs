//! The BGP speakers that are measured: each is every neighbor's external peer,
//! takes what it is told, and waits to be dialled.

mod bgpd;
mod bird;
mod frr;
mod openbgpd;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use bgp_core::Family;

use super::lane::{Lane, Neighbor};
use super::usage::{self, Usage};
use crate::wait;
use crate::world::Process;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Speaker {
    Bgpd,
    Bird,
    Frr,
    Openbgpd,
}

/// Where the programs are that may be anywhere.
#[derive(Clone)]
pub struct Programs {
    pub bgpd: PathBuf,
    pub bird: PathBuf,
}

/// What a speaker is to be.
pub struct Setup<'a> {
    pub family: Family,
    pub neighbors: &'a [Neighbor],
    /// Seconds.
    pub hold_time: u16,
    pub kernel: Kernel,
    /// For its files.
    pub directory: &'a Path,
    /// What its configuration has beside, in its own words.
    pub more: &'a str,
}

/// Whether best routes go into the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    Untouched,
    Filled,
}

/// A speaker that listens. Dropping it ends it.
pub struct Running {
    processes: Vec<Process>,
}

impl Speaker {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bgpd => "bgpd",
            Self::Bird => "BIRD",
            Self::Frr => "FRR",
            Self::Openbgpd => "OpenBGPD",
        }
    }

    /// Starts it in its namespace, and waits until it listens.
    pub fn start(
        self,
        programs: &Programs,
        lane: &Lane,
        setup: &Setup<'_>,
    ) -> anyhow::Result<Running> {
        let processes = match self {
            Self::Bgpd => bgpd::start(&programs.bgpd, &lane.speaker, setup)?,
            Self::Bird => bird::start(&programs.bird, &lane.speaker, setup)?,
            Self::Frr => frr::start(&lane.speaker, setup)?,
            Self::Openbgpd => openbgpd::start(&lane.speaker, setup)?,
        };
        let mut running = Running { processes };
        let started = wait::until(
            &format!("{} listens", self.name()),
            Duration::from_secs(30),
            || match running.ended() {
                Some(how) => Err(how),
                None => listens(lane),
            },
        );
        started.with_context(|| running.last_words())?;
        Ok(running)
    }
}

impl Running {
    /// Of all its processes.
    pub fn usage(&self) -> anyhow::Result<Usage> {
        let all = self.processes.iter().map(|process| usage::of(process.id()));
        all.sum()
    }

    pub fn last_words(&self) -> String {
        let all = self.processes.iter().map(|process| {
            let output = process.output();
            let lines: Vec<_> = output.lines().collect();
            lines[lines.len().saturating_sub(5)..].join("\n")
        });
        format!("it printed last: {}", all.collect::<Vec<_>>().join("\n"))
    }

    fn ended(&mut self) -> Option<String> {
        let mut ended = self.processes.iter_mut().filter_map(Process::ended);
        ended.next().map(|status| format!("it ended: {status}"))
    }
}

/// Looks for a listening socket on BGP's port.
fn listens(lane: &Lane) -> Result<(), String> {
    let text = lane.speaker.enter(|| {
        let read = |file| std::fs::read_to_string(file).unwrap_or_default();
        read("/proc/thread-self/net/tcp") + &read("/proc/thread-self/net/tcp6")
    });
    let text = text.map_err(|error| error.to_string())?;
    // Columns: number, local address:port in hex, remote, state (0A: LISTEN).
    let listening = text.lines().any(|line| {
        let mut words = line.split_whitespace().skip(1);
        words.next().is_some_and(|local| local.ends_with(":00B3")) && words.nth(1) == Some("0A")
    });
    wait::ensure(listening, "a listening socket", "none on port 179").map_err(|unmet| unmet.seen)
}

/// The speaker's AS: private, and of four octets, which no recorded path has.
const ASN: u32 = 4_200_065_000;
