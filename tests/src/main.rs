//! The whole system against foreign software, case by case: real daemons in
//! network namespaces of their own. `tests/run` does the set-up and runs it.
//!
//! A case is a function in `cases`; `pair` is the two routers that most of them
//! need, `cloud` is the small world with AWS in it, `ours` runs bgpd, `foreign` the
//! others.

mod cases;
mod cloud;
mod foreign;
mod ours;
mod pair;
mod rogue;
mod stand;
mod talker;

use std::collections::VecDeque;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::Context;
use clap::Parser;
use lab::interrupt;

use cases::{Case, Kernel};

/// Run the system's tests; each ends with a line, `ok NAME` or `FAILED NAME: why`.
/// What fails is tried once more, alone.
#[derive(Parser)]
struct Cli {
    /// Only cases whose name contains one of these.
    names: Vec<String>,
    /// List the cases and stop.
    #[arg(long)]
    list: bool,
    /// Run the cases that need 802.1Q, instead of those that don't.
    #[arg(long)]
    vlan: bool,
    /// Run the cases that set the clock, instead: under user-mode-linux.
    #[arg(long, conflicts_with = "vlan")]
    clock: bool,
    /// All that a case samples, in minutes instead of seconds.
    #[arg(long)]
    thorough: bool,
    /// How many at once.
    #[arg(long, default_value = "1")]
    jobs: usize,
    /// Where bgpd, dxctl and lab are; by default beside this program.
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
}

/// What a case gets.
pub(crate) struct Bench {
    pub(crate) programs: PathBuf,
    /// Nothing is left to a sample.
    pub(crate) thorough: bool,
    /// The case's own: logs, keys, configurations.
    pub(crate) directory: PathBuf,
    /// Unique among the cases of this run.
    pub(crate) number: usize,
}

impl Bench {
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let kernel = match (cli.vlan, cli.clock) {
        (true, _) => Kernel::Vlan,
        (false, true) => Kernel::OwnClock,
        (false, false) => Kernel::Any,
    };
    let wanted = |case: &Case| {
        case.kernel == kernel
            && (cli.names.is_empty() || cli.names.iter().any(|name| case.name.contains(name)))
    };
    let cases: VecDeque<_> = cases::all()
        .into_iter()
        .filter(wanted)
        .enumerate()
        .collect();
    if cli.list {
        cases.iter().for_each(|(_, case)| println!("{}", case.name));
        return Ok(ExitCode::SUCCESS);
    }
    interrupt::watch().context("can't listen for signals")?;
    lab::world::sweep()?;
    let own = std::env::current_exe().context("where is this program?")?;
    let beside = own
        .parent()
        .map(Path::to_owned)
        .context("where is this program?")?;
    let programs = std::path::absolute(cli.programs.clone().unwrap_or(beside))?;
    let waiting = Mutex::new(cases);
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..cli.jobs.max(1) {
            scope.spawn(|| {
                while let Some((number, case)) = next(&waiting) {
                    if !run(&case, number, &cli, &programs, Attempt::First) {
                        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                        failed.push((number, case));
                    }
                }
            });
        }
    });
    // Most share the machine with others while they run: what fails is tried once
    // more, alone.
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut all_passed = true;
    for (number, case) in failed {
        all_passed &= !interrupt::pending() && run(&case, number, &cli, &programs, Attempt::Second);
    }
    Ok(ExitCode::from(u8::from(!all_passed)))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Attempt {
    First,
    Second,
}

fn next(waiting: &Mutex<VecDeque<(usize, Case)>>) -> Option<(usize, Case)> {
    if interrupt::pending() {
        return None;
    }
    waiting
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .pop_front()
}

/// Runs one case and says how it ended; whether it passed.
fn run(case: &Case, number: usize, cli: &Cli, programs: &Path, which: Attempt) -> bool {
    let started = Instant::now();
    let outcome = attempt(case, number, cli, programs);
    let seconds = started.elapsed().as_secs_f32();
    match (&outcome, which) {
        (Ok(()), Attempt::First) => println!("ok {} ({seconds:.1} s)", case.name),
        (Ok(()), Attempt::Second) => {
            println!("ok {} ({seconds:.1} s, at the second attempt)", case.name);
        }
        (Err(error), which) => {
            let text = format!("{error:#}").replace('\n', "\n    ");
            match which {
                Attempt::First => {
                    println!("  once more, alone, at the end: {}: {text}", case.name)
                }
                Attempt::Second => println!("FAILED {}: {text}", case.name),
            }
        }
    }
    outcome.is_ok()
}

/// What a failed case wrote is kept for its reader.
fn attempt(case: &Case, number: usize, cli: &Cli, programs: &Path) -> anyhow::Result<()> {
    let directory = tempfile::Builder::new()
        .prefix("bgpd-test-")
        .tempdir()
        .context("making a directory")?;
    // Some daemons give up root and still have to reach their files.
    fs::set_permissions(directory.path(), Permissions::from_mode(0o711))
        .context("opening the directory")?;
    let bench = Bench {
        programs: programs.to_owned(),
        thorough: cli.thorough,
        directory: directory.path().to_owned(),
        number,
    };
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| (case.run)(&bench)))
        .unwrap_or_else(|_| Err(anyhow::anyhow!("the case panicked")));
    outcome.map_err(|error| {
        let kept = directory.keep();
        anyhow::anyhow!("{error:#}\n(what it wrote: {})", kept.display())
    })
}
