//! The benchmark: how long a BGP speaker takes to carry a table from its feeders
//! to a receiver, and what it uses for that, beside another speaker in the same
//! run.
//!
//! A round (`round`): two namespaces; the speaker in one, in the other F feeders
//! and one sink (`session`, `sink`) that all dial it. Each feeder sends the same
//! synthetic table (`table`) with attributes of its own. The speakers take turns,
//! so that whatever else the machine does hits all alike (`report`).

pub mod report;
pub mod round;
pub mod session;
pub mod sink;
pub mod speaker;
pub mod table;
pub mod usage;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};

use report::{Report, Rounds, Size};
use round::Course;
use speaker::{Programs, Speaker};
use table::Table;

use crate::{interrupt, world};

/// Measure bgpd and BIRD side by side: convergence, withdrawal, CPU, memory.
#[derive(clap::Args)]
pub struct Args {
    /// Sizes of the table.
    #[arg(long, value_delimiter = ',', default_values_t = [100_000, 1_000_000])]
    prefixes: Vec<usize>,
    /// Rounds with each size and speaker; medians of them are shown.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Speakers that each send the whole table.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    feeders: u32,
    #[arg(long, value_enum, value_delimiter = ',', default_value = "bgpd,bird")]
    speakers: Vec<Speaker>,
    /// The same number, the same table.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Seconds until a round is given up.
    #[arg(long, default_value_t = 300)]
    patience: u64,
    /// [default: beside this program]
    #[arg(long, value_name = "FILE")]
    bgpd: Option<PathBuf>,
    #[arg(long, value_name = "FILE", default_value = "bird")]
    bird: PathBuf,
    /// Print every round as JSON instead of the table.
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> anyhow::Result<()> {
    if cfg!(debug_assertions) {
        tracing::warn!("this is a debug build: its figures mean nothing; use lab/bench");
    }
    if args.rounds == 0 || args.prefixes.contains(&0) {
        bail!("at least one round and one prefix are needed");
    }
    interrupt::watch()?;
    world::sweep()?;
    let bgpd = match args.bgpd.clone() {
        Some(path) => path,
        None => std::env::current_exe()?.with_file_name("bgpd"),
    };
    let programs = Programs {
        bgpd,
        bird: args.bird.clone(),
    };
    let mut report = Report {
        feeders: args.feeders,
        ..Report::default()
    };
    for &prefixes in &args.prefixes {
        report.sizes.push(measure(&args, &programs, prefixes)?);
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report.table());
    }
    Ok(())
}

fn measure(args: &Args, programs: &Programs, prefixes: usize) -> anyhow::Result<Size> {
    let table = Table::new(prefixes, args.seed)?;
    let mut rounds: BTreeMap<Speaker, Vec<_>> = BTreeMap::new();
    for number in 1..=args.rounds {
        for &speaker in &args.speakers {
            let directory = tempfile::tempdir()?;
            let course = Course {
                programs,
                table: &table,
                feeders: args.feeders,
                seed: args.seed,
                patience: Duration::from_secs(args.patience),
                directory: directory.path(),
            };
            let figures = course
                .run(speaker)
                .with_context(|| format!("{prefixes} prefixes, round {number}"))?;
            tracing::info!(
                speaker = speaker.name(),
                prefixes,
                round = number,
                convergence = figures.convergence,
                withdrawal = figures.withdrawal,
                "measured"
            );
            rounds.entry(speaker).or_default().push(figures);
        }
    }
    let speakers = rounds
        .into_iter()
        .filter_map(|(speaker, rounds)| Some((speaker, Rounds::new(rounds)?)));
    Ok(Size {
        prefixes,
        speakers: speakers.collect(),
    })
}
