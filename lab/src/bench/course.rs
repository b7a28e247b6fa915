//! Feeders that each send a table, receivers that wait for all of it: how long
//! a speaker takes to carry it across and to take it back, and what it uses.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::count::Present;
use super::driver::{Driver, reached};
use super::figures::{Figures, Quantity};
use super::lane::Neighbor;
use super::speaker::{Kernel, Programs, Speaker};
use super::stage::{LONG_HOLD_TIME, SETUP, Stage};

/// From the feeders' first octet to the last receiver's last prefix.
pub const CONVERGENCE: Quantity = Quantity::seconds("convergence");
/// From the first withdrawal to the last receiver's empty table.
pub const WITHDRAWAL: Quantity = Quantity::seconds("withdrawal");
/// Of the speaker, for the announcements, until quiet.
pub const CPU: Quantity = Quantity::seconds("CPU");
/// Of the speaker, until the withdrawals.
pub const PEAK_MEMORY: Quantity = Quantity::megabytes("peak memory");

pub struct Course {
    pub feeders: Vec<Feeder>,
    pub receivers: Vec<Neighbor>,
    /// How many there are when all is announced.
    pub prefixes: usize,
    pub patience: Duration,
}

pub struct Feeder {
    pub neighbor: Neighbor,
    pub announcements: Bytes,
    pub withdrawals: Bytes,
}

impl Course {
    pub fn run(&self, speaker: Speaker, programs: &Programs) -> anyhow::Result<Figures> {
        let feeders = self.feeders.iter().map(|feeder| feeder.neighbor);
        let neighbors = feeders.chain(self.receivers.iter().copied()).collect();
        let stage = Stage::set(
            speaker,
            programs,
            neighbors,
            Kernel::Untouched,
            LONG_HOLD_TIME,
        )?;
        stage.drive(|driver| self.measure(driver, &stage))
    }

    fn measure(&self, driver: &mut Driver, stage: &Stage) -> anyhow::Result<Figures> {
        for receiver in &mut driver.sessions[self.feeders.len()..] {
            receiver.present = Some(Present::default());
        }
        driver.establish(usize::MAX, SETUP)?;
        let before = stage.running.usage()?;
        let convergence = self.feed(driver, "prefixes", self.prefixes, |f| &f.announcements)?;
        // The second feeder's copies may still change some best paths.
        self.wait_for_quiet(driver)?;
        let after = stage.running.usage()?;
        let withdrawal = self.feed(driver, "withdrawals", 0, |f| &f.withdrawals)?;
        Ok(Figures(vec![
            (CONVERGENCE, convergence.as_secs_f64()),
            (WITHDRAWAL, withdrawal.as_secs_f64()),
            (CPU, after.cpu.saturating_sub(before.cpu).as_secs_f64()),
            (PEAK_MEMORY, after.peak_memory as f64 / 1e6),
        ]))
    }

    /// Until every receiver has so many prefixes; how long that took.
    fn feed(
        &self,
        driver: &mut Driver,
        what: &str,
        wanted: usize,
        messages: impl Fn(&Feeder) -> &Bytes,
    ) -> anyhow::Result<Duration> {
        let started = Instant::now();
        for (number, feeder) in self.feeders.iter().enumerate() {
            driver.feed(number, messages(feeder).clone())?;
        }
        let first = self.feeders.len();
        driver.until(what, self.patience, |driver| {
            let receivers = &driver.sessions[first..];
            let behind = receivers.iter().find(|session| session.count() != wanted);
            behind.map_or(Ok(()), |session| reached(session.count(), wanted, what))
        })?;
        let changes = driver.sessions[first..].iter();
        let last = changes.map(|session| session.last_change).max();
        Ok(last.map_or(Duration::ZERO, |last| {
            last.saturating_duration_since(started)
        }))
    }

    fn wait_for_quiet(&self, driver: &mut Driver) -> anyhow::Result<()> {
        driver.until("quiet", self.patience, |driver| {
            let updates = driver.sessions.iter().map(|session| session.last_update);
            let silence = updates.max().map_or(QUIET, |last| last.elapsed());
            let fed = driver.sessions.iter().all(|session| session.has_sent_all());
            if silence >= QUIET && fed {
                Ok(())
            } else {
                Err(format!("an UPDATE {} ms ago", silence.as_millis()))
            }
        })
    }
}

/// As long without an UPDATE as it takes to believe that none will come.
const QUIET: Duration = Duration::from_secs(2);
