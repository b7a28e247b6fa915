//! The first flight: from one API call to packets that outlive a cut fibre.
//!
//! `flight` is the mission, step by step, each of which has to be observed, and
//! `faults` its steps with faults that no carrier tells;
//! `cloud` (the simulated AWS) and `edge` (bgpd and dxctl) are its actors;
//! `kept` holds the world up afterwards if asked to, for `lab enter`.

mod cloud;
mod edge;
mod faults;
mod flight;
mod kept;
mod measured;
mod narrator;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tempfile::TempDir;

use crate::interrupt;
use crate::wait::Interrupted;
use flight::Flight;
use narrator::{Narrator, seconds};

pub use kept::{EnterArgs, enter};

/// Fly the whole mission on one machine, in view.
///
/// Needs a kernel with 802.1Q: `lab/demo` does all set-up and provides one.
#[derive(clap::Args)]
pub struct Args {
    /// Leave the world up afterwards, until `lab/enter --end`.
    #[arg(long)]
    keep: bool,
    /// Where to keep logs, keys and sockets; by default a fresh one.
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Where bgpd, dxctl and lab are; by default beside this program.
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
}

/// What each actor may know.
pub(crate) struct Stage {
    /// Logs, keys, configuration and sockets.
    pub(crate) directory: PathBuf,
    pub(crate) programs: PathBuf,
}

impl Stage {
    fn log(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.log"))
    }

    fn program(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.programs.join(name);
        anyhow::ensure!(
            path.exists(),
            "{} is missing: cargo build --release",
            path.display()
        );
        Ok(path)
    }
}

/// Flies; succeeds only if everything was observed.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    interrupt::watch().context("can't listen for signals")?;
    let own = std::env::current_exe().context("where is this program?")?;
    let programs = args.programs.or_else(|| own.parent().map(Path::to_owned));
    let (directory, temporary) = directory(args.directory)?;
    let stage = Stage {
        directory,
        programs: programs.context("where is this program?")?,
    };
    let mut narrator = Narrator::new();
    match fly(&stage, &mut narrator, args.keep) {
        Ok(()) => {
            println!(
                "\nEverything was observed, in {}.",
                seconds(narrator.elapsed())
            );
            Ok(ExitCode::SUCCESS)
        }
        // A Ctrl-C also reaches the command that a step waits for, which then fails.
        Err(error) if error.is::<Interrupted>() || interrupt::pending() => {
            println!(
                "\nInterrupted in {}; everything is taken down.",
                narrator.current()
            );
            Ok(ExitCode::from(130))
        }
        Err(error) => {
            // The logs are what the reader needs next.
            if let Some(temporary) = temporary {
                let _kept = temporary.keep();
            }
            report(&error, &stage, &narrator);
            Ok(ExitCode::FAILURE)
        }
    }
}

fn fly(stage: &Stage, narrator: &mut Narrator, keep: bool) -> anyhow::Result<()> {
    let mut flight = Flight::prepare(stage, narrator)?;
    flight.fly(narrator)?;
    if keep {
        kept::hold(&flight, stage)?;
    }
    flight.land(narrator)
}

fn directory(chosen: Option<PathBuf>) -> anyhow::Result<(PathBuf, Option<TempDir>)> {
    match chosen {
        Some(path) => {
            fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
            Ok((path, None))
        }
        None => {
            let made = tempfile::Builder::new()
                .prefix("lab-")
                .tempdir()
                .context("making a directory")?;
            Ok((made.path().to_owned(), Some(made)))
        }
    }
}

fn report(error: &anyhow::Error, stage: &Stage, narrator: &Narrator) {
    let mut out = std::io::stdout().lock();
    let text = format!("{error:#}").replace('\n', "\n   ");
    // Nobody is left to tell when standard output is gone.
    let _ = writeln!(out, "\nFAILED in {}:\n   {text}", narrator.current());
    let _ = writeln!(out, "   logs:     {}", stage.directory.display());
    for (name, tail) in log_tails(&stage.directory) {
        let _ = writeln!(out, "   ── the end of {name}\n{tail}");
    }
}

/// The last lines of each log.
fn log_tails(directory: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut tails: Vec<_> = entries
        .filter(|entry| {
            entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "log")
        })
        .filter_map(|entry| {
            let text = fs::read_to_string(entry.path()).ok()?;
            let lines: Vec<&str> = text.lines().collect();
            let last = lines.iter().skip(lines.len().saturating_sub(12));
            let tail: Vec<String> = last.map(|line| format!("      {line}")).collect();
            Some((
                entry.file_name().to_string_lossy().into_owned(),
                tail.join("\n"),
            ))
        })
        .collect();
    tails.sort();
    tails
}

/// How long something may take that is quick when it works.
const PATIENCE: Duration = Duration::from_secs(30);
