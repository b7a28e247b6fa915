//! BFD while a large table comes and goes: how many sessions go Down though nothing
//! is wrong, at four timers, with BIRD and with FRR as the far end.
//!
//! `ends` makes the links and configures both ends of them, `told` reads the far
//! ends' logs, `pauses` watches what the machine itself withholds. The two far ends
//! have sessions with each other as well: what goes Down there is not the edge's
//! fault, but that of the one machine that all of them are on.

mod ends;
mod pauses;
mod told;

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Context;
use bgp_core::Family;

use super::{Case, Options, Rounds};
use crate::bench::course::Feeder;
use crate::bench::driver::Driver;
use crate::bench::figures::{Figures, Quantity};
use crate::bench::kernel_table::{KernelTable, Wanted};
use crate::bench::lane::{Neighbor, Takes};
use crate::bench::speaker::{Kernel, Programs, Speaker};
use crate::bench::stage::{LONG_HOLD_TIME, SETUP, Stage};
use crate::bench::table::Table;
use ends::{Ends, Timer};
use pauses::Pauses;
use told::Downs;

/// How often the table came, and mostly went again.
const TABLES: Quantity = Quantity::count("tables");
/// Of the edge's: those that it declared itself.
const BY_EDGE: Quantity = Quantity::count("by the edge");
/// Of the far ends with each other, at all timers.
const CONTROL: Quantity = Quantity::count("control");
/// The longest that a real-time thread waited for the CPU that the far ends are on.
const PAUSE: Quantity = Quantity::milliseconds("far ends' pause");
/// Likewise on any other CPU.
const OTHER_PAUSE: Quantity = Quantity::milliseconds("other pause");

pub(super) fn cases(options: &Options) -> anyhow::Result<Vec<Case>> {
    let sizes = options.prefixes(&[1_000_000]).into_iter();
    sizes.map(|size| case(options, size)).collect()
}

fn case(options: &Options, size: usize) -> anyhow::Result<Case> {
    let table = Table::new(Family::Ipv4, size, options.seed)?;
    let neighbor = Neighbor::new(table.family, 1, Takes::Nothing);
    let load = Load {
        feeder: Feeder {
            announcements: table.announcements(&neighbor, options.seed)?,
            withdrawals: table.withdrawals(),
            neighbor,
        },
        table,
        duration: options.faults.quiet,
        patience: options.patience,
    };
    let title = format!(
        "sessions that go Down while {size} prefixes come and go for {} s",
        load.duration.as_secs()
    );
    let round = move |speaker, programs: &Programs| load.run(speaker, programs);
    let mut entrants = options.entrants(&SPEAKERS, Rounds::One, round);
    for entrant in &mut entrants {
        entrant.rounds = Rounds::One;
    }
    let mut case = Case::new(title, entrants);
    case.goal = Some("none");
    Ok(case)
}

struct Load {
    feeder: Feeder,
    table: Table,
    duration: Duration,
    patience: Duration,
}

impl Load {
    fn run(&self, speaker: Speaker, programs: &Programs) -> anyhow::Result<Figures> {
        let directory = tempfile::tempdir()?;
        // FRR reads it as another user.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(directory.path(), open)?;
        let mut ends = None;
        let neighbors = vec![self.feeder.neighbor];
        let filled = Kernel::Filled;
        let stage = Stage::set_with(
            speaker,
            programs,
            neighbors,
            filled,
            LONG_HOLD_TIME,
            |lane| {
                let made = ends.insert(Ends::start(&lane.speaker, programs, directory.path())?);
                made.edge(speaker)
            },
        )?;
        let ends = ends.context("invariant: the stage has made them")?;
        let _bfdd = ends::start_at_edge(speaker, &stage)?;
        stage.drive(|driver| self.measure(driver, &stage, &ends))
    }

    fn measure(&self, driver: &mut Driver, stage: &Stage, ends: &Ends) -> anyhow::Result<Figures> {
        driver.establish(1, SETUP)?;
        driver.until("BFD sessions", SETUP, |_| ends.are_up())?;
        ends.hurry()?;
        let mut table = KernelTable::watch(&stage.lane.speaker, &self.table.prefixes)?;
        // What went Down on the way up is another matter.
        let before = ends.downs();
        let pauses = Pauses::watch(ends.cpu)?;
        let started = Instant::now();
        let mut tables = 0.0;
        while started.elapsed() < self.duration {
            driver.feed(0, self.feeder.announcements.clone())?;
            driver.until("kernel routes", self.patience, |_| table.is(Wanted::All))?;
            tables += 1.0;
            if started.elapsed() < self.duration {
                driver.feed(0, self.feeder.withdrawals.clone())?;
                driver.until("withdrawals", self.patience, |_| table.is(Wanted::None))?;
            }
            let so_far = ends.downs().since(&before);
            tracing::info!("{} s: {so_far}", started.elapsed().as_secs());
        }
        let (pause, other) = pauses.end();
        Ok(figures(&ends.downs().since(&before), tables, pause, other))
    }
}

fn figures(downs: &Downs, tables: f64, pause: Duration, other: Duration) -> Figures {
    let mut figures: Vec<_> = Timer::ALL
        .into_iter()
        .map(|timer| (timer.quantity(), downs.of_edge(timer) as f64))
        .collect();
    figures.extend([
        (BY_EDGE, downs.by_edge() as f64),
        (CONTROL, downs.control() as f64),
        (TABLES, tables),
        (PAUSE, pause.as_secs_f64() * 1e3),
        (OTHER_PAUSE, other.as_secs_f64() * 1e3),
    ]);
    Figures(figures)
}

/// Those that have BFD.
const SPEAKERS: [Speaker; 3] = [Speaker::Bgpd, Speaker::Bird, Speaker::Frr];
