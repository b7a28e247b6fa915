//! The benchmark: what bgpd takes, beside other BGP speakers in the same run.
//!
//! A scenario (`scenario`) has cases, a case has entrants. In every round each of
//! them has one turn, so that whatever else the machine does hits all alike;
//! `report` shows the medians. For a turn a `stage` is set: a `lane` of two
//! namespaces, the `speaker` in one, the `driver` with all its `session`s in the
//! other, on one thread.

pub mod bound;
pub mod count;
pub mod course;
pub mod driver;
pub mod figures;
pub mod kernel_table;
pub mod lane;
pub mod monitor;
pub mod mrt;
pub mod report;
pub mod scenario;
pub mod session;
pub mod speaker;
pub mod stage;
pub mod table;
pub mod usage;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use bound::Bound;
use report::{Measured, Report};
use scenario::failover::{Fault, Faults};
use scenario::{Case, Options, Rounds, Scenario};
use speaker::{Programs, Speaker};

use crate::{interrupt, world};

/// Measure bgpd beside BIRD, FRR and OpenBGPD.
#[derive(clap::Args)]
pub struct Args {
    /// What to measure [default: everything]
    #[arg(value_enum, value_name = "SCENARIO")]
    scenarios: Vec<Scenario>,
    /// Name the scenarios and end.
    #[arg(long)]
    list: bool,
    /// Rounds of each case; medians of them are shown. Speakers that take
    /// long get one.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// [default: those that finish in reasonable time]
    #[arg(long, value_enum, value_delimiter = ',')]
    speakers: Option<Vec<Speaker>>,
    /// Sizes of the table [default: the scenario's]
    #[arg(long, value_delimiter = ',', visible_alias = "sizes")]
    prefixes: Option<Vec<usize>>,
    /// Neighbors that each send the whole table [default: the scenario's]
    #[arg(long)]
    feeders: Option<u16>,
    /// Neighbors that each get the whole table [default: the scenario's]
    #[arg(long)]
    receivers: Option<u16>,
    /// Neighbors in `peers` [default: 1000]
    #[arg(long)]
    sessions: Option<u16>,
    /// Seconds that `churn` lasts.
    #[arg(long, default_value_t = 600)]
    duration: u64,
    /// Changes a second in `churn`.
    #[arg(long, default_value_t = 10_000)]
    rate: u32,
    /// What goes wrong in `failover` [default: everything]
    #[arg(long, value_enum, value_delimiter = ',')]
    faults: Option<Vec<Fault>>,
    /// How many processes beside compute for nothing in `failover`: `0,8` for both.
    #[arg(long, value_delimiter = ',', default_value = "0")]
    hogs: Vec<u8>,
    /// How long `failover` looks for false moves, and `bfd` for false Downs.
    #[arg(long, default_value_t = 1)]
    minutes: u64,
    /// Have tcpdump count beside the receivers of `failover`.
    #[arg(long)]
    capture: bool,
    /// The same number, the same table.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Seconds until a round is given up.
    #[arg(long, default_value_t = 300)]
    patience: u64,
    /// End with status 1 if a figure of bgpd's is more than so many times
    /// another speaker's: `convergence=0.75`
    #[arg(long, value_delimiter = ',', value_name = "FIGURE=RATIO")]
    at_most: Vec<Bound>,
    /// [default: beside this program]
    #[arg(long, value_name = "FILE")]
    bgpd: Option<PathBuf>,
    #[arg(long, value_name = "FILE", default_value = "bird")]
    bird: PathBuf,
    /// Print every round as JSON instead of the tables.
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    if args.list {
        list();
        return Ok(ExitCode::SUCCESS);
    }
    if cfg!(debug_assertions) {
        tracing::warn!("this is a debug build: its figures mean nothing; use lab/bench");
    }
    interrupt::watch()?;
    world::sweep()?;
    raise_open_files()?;
    let options = args.options()?;
    let scenarios = match args.scenarios.as_slice() {
        [] => Scenario::value_variants()
            .iter()
            .copied()
            .filter(|scenario| scenario.is_for_everyone())
            .collect(),
        asked => asked.to_vec(),
    };
    let mut report = Report::default();
    for scenario in scenarios {
        for case in scenario.cases(&options)? {
            let measured = measure(scenario, &case, args.rounds)?;
            if !args.json {
                println!("{}", measured.table());
            }
            report.cases.push(measured);
        }
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    }
    let bounds = args.at_most.iter();
    let broken: Vec<_> = bounds.flat_map(|bound| bound.broken_by(&report)).collect();
    for line in &broken {
        eprintln!("{line}");
    }
    Ok(ExitCode::from(u8::from(!broken.is_empty())))
}

fn list() {
    for scenario in Scenario::value_variants() {
        let value = scenario.to_possible_value();
        let help = value.as_ref().and_then(|value| value.get_help());
        let help = help.map(ToString::to_string).unwrap_or_default();
        println!("{:<10} {help}", scenario.name());
    }
}

impl Args {
    fn options(&self) -> anyhow::Result<Options> {
        let bgpd = match self.bgpd.clone() {
            Some(path) => path,
            None => std::env::current_exe()?.with_file_name("bgpd"),
        };
        Ok(Options {
            programs: Programs {
                bgpd,
                bird: self.bird.clone(),
            },
            speakers: self.speakers.clone(),
            prefixes: self.prefixes.clone(),
            feeders: self.feeders,
            receivers: self.receivers,
            sessions: self.sessions,
            seed: self.seed,
            patience: Duration::from_secs(self.patience),
            duration: Duration::from_secs(self.duration),
            rate: self.rate,
            rounds: self.rounds,
            faults: Faults {
                faults: self.faults.clone(),
                hogs: self.hogs.clone(),
                quiet: Duration::from_secs(self.minutes * 60),
                capture: self.capture,
            },
        })
    }
}

fn measure(scenario: Scenario, case: &Case, rounds: u16) -> anyhow::Result<Measured> {
    let name = scenario.name();
    let mut figures = vec![vec![]; case.entrants.len()];
    for number in 1..=rounds {
        for (entrant, figures) in case.entrants.iter().zip(&mut figures) {
            if entrant.rounds == Rounds::One && number > 1 {
                continue;
            }
            let turn = format!("{name}, {}, round {number}: {}", case.title, entrant.name);
            tracing::info!("{turn} …");
            let round = (entrant.round)().with_context(|| turn.clone())?;
            tracing::info!("{turn}: {round}");
            figures.push(round);
        }
    }
    let entrants = case.entrants.iter().zip(figures);
    Ok(Measured {
        scenario: name,
        title: case.title.clone(),
        goal: case.goal,
        notes: case.notes.clone(),
        entrants: entrants
            .map(|(entrant, rounds)| report::Rounds::new(entrant.name, rounds))
            .collect(),
    })
}

/// For a thousand sessions, here and in the speakers, which inherit it.
fn raise_open_files() -> anyhow::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most.min(65_536), most)
        .context("raising the limit of open files")
}
