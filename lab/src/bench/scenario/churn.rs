//! Steady churn: so many UPDATEs a second, each of which changes the next hop
//! of one prefix of a table that is in the kernel.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bgp_core::wire::{AsPath, Origin, PathAttributes, encode_announcement};
use bgp_core::{Asn, Family};
use bytes::BytesMut;
use ipnet::IpNet;

use super::{Case, Options, Rounds};
use crate::bench::driver::Driver;
use crate::bench::figures::{Figures, Quantity};
use crate::bench::kernel_table::{KernelTable, Wanted};
use crate::bench::lane::{Neighbor, Takes};
use crate::bench::monitor::Monitor;
use crate::bench::speaker::{Kernel, Programs, Speaker};
use crate::bench::stage::{LONG_HOLD_TIME, SETUP, Stage};
use crate::bench::table::{Table, of_family};
use crate::bench::{session, usage::Usage};

/// From the sending of an UPDATE to the kernel's word that the route changed.
const MEDIAN: Quantity = Quantity::milliseconds("median");
const MOST: Quantity = Quantity::milliseconds("99th percentile");
const WORST: Quantity = Quantity::milliseconds("worst");
/// Changes of which the kernel's word was lost because there were too many.
const UNSEEN: Quantity = Quantity {
    name: "unseen",
    unit: "changes",
    digits: 0,
};
/// Resident, as a median of its samples.
const MEMORY_FIRST: Quantity = Quantity::megabytes("memory, first minute");
const MEMORY_LAST: Quantity = Quantity::megabytes("memory, last minute");
/// The longest pause between two looks of the driver: of the worst latencies so
/// much may be its own.
const PAUSE: Quantity = Quantity::milliseconds("driver's pause");
/// Seconds of CPU time in a second.
const LOAD: Quantity = Quantity::seconds("CPU a second");

pub(super) fn cases(options: &Options) -> anyhow::Result<Vec<Case>> {
    let sizes = options.prefixes(&[100_000]).into_iter();
    let case = |size| {
        let churn = Churn {
            table: Table::new(Family::Ipv4, size, options.seed)?,
            seed: options.seed,
            rate: options.rate,
            duration: options.duration,
            patience: options.patience,
        };
        let title = format!(
            "{} changes a second of {size} prefixes in the kernel for {} s",
            churn.rate,
            churn.duration.as_secs()
        );
        let round = move |speaker, programs: &Programs| churn.run(speaker, programs);
        let mut entrants = options.entrants(&[Speaker::Bgpd], Rounds::One, round);
        for entrant in &mut entrants {
            entrant.rounds = Rounds::One;
        }
        Ok(Case::new(title, entrants))
    };
    sizes.map(case).collect()
}

struct Churn {
    table: Table,
    seed: u64,
    /// Changes a second.
    rate: u32,
    duration: Duration,
    patience: Duration,
}

impl Churn {
    fn run(&self, speaker: Speaker, programs: &Programs) -> anyhow::Result<Figures> {
        // The second one is there to be the other next hop.
        let ends = [1, 2].map(|number| Neighbor::new(Family::Ipv4, number, Takes::Nothing));
        let neighbors = ends.to_vec();
        let stage = Stage::set(speaker, programs, neighbors, Kernel::Filled, LONG_HOLD_TIME)?;
        stage.drive(|driver| {
            driver.establish(ends.len(), SETUP)?;
            let mut table = KernelTable::watch(&stage.lane.speaker, &self.table.prefixes)?;
            driver.feed(0, self.table.announcements(&ends[0], self.seed)?)?;
            driver.until("kernel routes", self.patience, |_| table.is(Wanted::All))?;
            let monitor = Monitor::start(&stage.lane.speaker, &self.table.prefixes)?;
            let changes = Changes::new(&self.table.prefixes, ends);
            self.measure(driver, &stage, monitor, changes)
        })
    }

    fn measure(
        &self,
        driver: &mut Driver,
        stage: &Stage,
        monitor: Monitor,
        mut changes: Changes<'_>,
    ) -> anyhow::Result<Figures> {
        let mut samples: Vec<Usage> = vec![stage.running.usage()?];
        let started = Instant::now();
        let (mut last_look, mut pause) = (started, Duration::ZERO);
        driver.until("churn", self.duration + GRACE, |driver| {
            pause = pause.max(last_look.elapsed());
            last_look = Instant::now();
            let elapsed = started.elapsed().min(self.duration);
            let due = (elapsed.as_secs_f64() * f64::from(self.rate)) as usize;
            let sent = changes.send(driver, due, &monitor);
            sent.map_err(|error| format!("{error:#}"))?;
            if elapsed.as_secs() >= samples.len() as u64 {
                samples.extend(stage.running.usage());
            }
            if elapsed == self.duration {
                Ok(())
            } else {
                Err(format!("{} changes", changes.made))
            }
        })?;
        driver.until("the kernel follows", GRACE, |_| {
            match monitor.outstanding() {
                left @ 1.. if !monitor.overrun() => {
                    Err(format!("{left} changes that it has not told of"))
                }
                _ => Ok(()),
            }
        })?;
        let overrun = monitor.overrun();
        let latencies = monitor.end()?;
        let unseen = changes.made.saturating_sub(latencies.len());
        ensure!(unseen == 0 || overrun, "{unseen} changes were not made");
        let mut figures = figures(&latencies, &samples, pause)?;
        figures.0.push((UNSEEN, unseen as f64));
        Ok(figures)
    }
}

fn figures(latencies: &[Duration], samples: &[Usage], pause: Duration) -> anyhow::Result<Figures> {
    let percentile = |percent: usize| {
        let at = (latencies.len() * percent / 100).min(latencies.len().saturating_sub(1));
        latencies.get(at).map(|latency| latency.as_secs_f64() * 1e3)
    };
    let minute = samples.len().div_ceil(2).min(60);
    let memory = |samples: &[Usage]| {
        let mut values: Vec<u64> = samples.iter().map(|usage| usage.memory).collect();
        values.sort_unstable();
        values
            .get(values.len() / 2)
            .map(|octets| *octets as f64 / 1e6)
    };
    let (first, last) = (samples.first(), samples.last());
    let cpu = first.zip(last).map(|(first, last)| {
        let used = last.cpu.saturating_sub(first.cpu).as_secs_f64();
        used / (samples.len().max(2) - 1) as f64
    });
    let values = [
        (MEDIAN, percentile(50)),
        (MOST, percentile(99)),
        (WORST, percentile(100)),
        (PAUSE, Some(pause.as_secs_f64() * 1e3)),
        (MEMORY_FIRST, memory(&samples[..minute])),
        (MEMORY_LAST, memory(&samples[samples.len() - minute..])),
        (LOAD, cpu),
    ];
    let known = values.map(|(quantity, value)| Some((quantity, value?)));
    let known: Option<Vec<_>> = known.into_iter().collect();
    Ok(Figures(known.context("nothing was measured")?))
}

/// Changes of one prefix at a time, all over the table; each moves it to the
/// other of two next hops.
struct Changes<'a> {
    prefixes: &'a [IpNet],
    attributes: [PathAttributes; 2],
    made: usize,
}

impl<'a> Changes<'a> {
    fn new(prefixes: &'a [IpNet], ends: [Neighbor; 2]) -> Self {
        let path: [Asn; 1] = [ends[0].asn];
        let attributes =
            |end: Neighbor| PathAttributes::new(Origin::Igp, AsPath::sequence(path), end.address);
        Self {
            prefixes,
            // The table came with the first one's.
            attributes: [attributes(ends[1]), attributes(ends[0])],
            made: 0,
        }
    }

    /// As many as are due by now.
    fn send(&mut self, driver: &mut Driver, due: usize, monitor: &Monitor) -> anyhow::Result<()> {
        let mut out = BytesMut::new();
        let codec = session::codec(Family::Ipv4);
        while self.made < due {
            let round = self.made / self.prefixes.len();
            let number = self.made % self.prefixes.len() * STRIDE % self.prefixes.len();
            let prefix = of_family(Family::Ipv4, &self.prefixes[number..=number]);
            encode_announcement(&self.attributes[round % 2], &prefix, &codec, &mut out)?;
            monitor.sent(number);
            self.made += 1;
        }
        if out.is_empty() {
            return Ok(());
        }
        driver.feed(0, out.freeze())
    }
}

/// A prime, so that a round comes past every prefix.
const STRIDE: usize = 7919;
/// What may pass behind the last change.
const GRACE: Duration = Duration::from_secs(10);
