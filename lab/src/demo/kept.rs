//! A world that stays up: `lab enter CMD…` runs commands on its edge router,
//! also where the world is inside user-mode-linux. Both sides share a directory
//! and nothing else, so requests and answers are files in it:
//!
//! - `requests/N.request`: the command, as JSON; written aside and renamed;
//! - `requests/N.out`, `N.err`: what it prints, written through as it comes;
//! - `requests/N.interrupt`: made to pass on a Ctrl-C;
//! - `requests/N.status`: the exit status, once it has ended;
//! - `ready`, made when the world is up; `end`, made to end it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitCode, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::Stage;
use super::flight::Flight;
use crate::interrupt;

/// Run a command on the edge router of a world that `lab/demo --keep` left up.
#[derive(clap::Args)]
pub struct EnterArgs {
    /// The world's directory, where there is more than one.
    #[arg(long, value_name = "DIR")]
    world: Option<PathBuf>,
    /// End the world.
    #[arg(long, conflicts_with = "command")]
    end: bool,
    /// The command and its arguments.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required_unless_present = "end"
    )]
    command: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Request {
    words: Vec<String>,
    /// Width of the asker's terminal, for tables.
    columns: Option<String>,
}

/// Holds the world up until somebody ends it, and runs what is asked for.
pub(super) fn hold(flight: &Flight, stage: &Stage) -> anyhow::Result<()> {
    let requests = requests(&stage.directory);
    fs::create_dir_all(&requests).context("making the requests' directory")?;
    explain(flight, stage);
    fs::write(stage.directory.join(READY), "").context("saying that the world is up")?;
    let mut running: Vec<Running> = vec![];
    while !stage.directory.join(END).exists() && !interrupt::pending() {
        for number in asked(&requests) {
            match Running::start(flight, stage, &requests, &number) {
                Ok(started) => running.push(started),
                Err(error) => answer(&requests, &number, &format!("lab: {error:#}\n"), 127),
            }
        }
        running.retain_mut(|command| !command.has_ended(&requests));
        thread::sleep(Duration::from_millis(30));
    }
    interrupt::take();
    running
        .into_iter()
        .for_each(|mut command| command.end(&requests));
    Ok(())
}

fn explain(flight: &Flight, stage: &Stage) {
    println!("\n── The world stays up {}", "─".repeat(56));
    println!("   On the edge router:");
    for line in [
        "lab/enter dxctl status",
        "lab/enter dxctl monitor            (Ctrl-C ends it)",
        "lab/enter dxctl routes",
        "lab/enter ip route show proto bgp",
    ] {
        println!("     {line}");
    }
    println!("   Elsewhere:");
    for (place, what) in flight.world.places() {
        println!(
            "     lab/enter ip netns exec {:<18} CMD   # {what}",
            place.name()
        );
    }
    let fibre = flight.world.fibre.name();
    println!("   Cut the fibre (up mends it):");
    println!("     lab/enter ip -n {fibre} link set dev a down");
    println!("     lab/enter ip -n {fibre} link set dev b down");
    println!(
        "   Logs, configuration, keys: {}",
        stage.directory.display()
    );
    println!("   End it:\n     lab/demo --end");
}

/// Requests that nobody has taken yet, oldest first.
fn asked(requests: &Path) -> Vec<String> {
    let entries = fs::read_dir(requests).into_iter().flatten().flatten();
    let mut numbers: Vec<String> = entries
        .filter_map(|entry| {
            entry
                .file_name()
                .to_str()?
                .strip_suffix(".request")
                .map(str::to_owned)
        })
        .collect();
    numbers.sort();
    numbers
}

fn answer(requests: &Path, number: &str, complaint: &str, status: i32) {
    // The asker waits for the status alone; without it, it gives up by itself.
    let _ = fs::write(requests.join(format!("{number}.err")), complaint);
    let _ = write_aside(
        &requests.join(format!("{number}.status")),
        &status.to_string(),
    );
}

struct Running {
    number: String,
    child: Child,
    copying: Vec<JoinHandle<()>>,
}

impl Running {
    fn start(
        flight: &Flight,
        stage: &Stage,
        requests: &Path,
        number: &str,
    ) -> anyhow::Result<Self> {
        let file = requests.join(format!("{number}.request"));
        let text = fs::read_to_string(&file).context("reading the request")?;
        fs::remove_file(&file).context("taking the request")?;
        let request: Request = serde_json::from_str(&text).context("in the request")?;
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = flight.world.edge.command("env");
        command
            .arg(format!("PATH={}:{path}", stage.programs.display()))
            .args(request.columns.map(|columns| format!("COLUMNS={columns}")))
            .args(&request.words)
            .envs(flight.edge.environment())
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().context("starting it")?;
        let mut copying = vec![];
        if let Some(out) = child.stdout.take() {
            copying.push(copy(out, requests.join(format!("{number}.out"))));
        }
        if let Some(err) = child.stderr.take() {
            copying.push(copy(err, requests.join(format!("{number}.err"))));
        }
        Ok(Self {
            number: number.to_owned(),
            child,
            copying,
        })
    }

    /// Passes on a Ctrl-C; answers with the status once there is one.
    fn has_ended(&mut self, requests: &Path) -> bool {
        let interrupt = requests.join(format!("{}.interrupt", self.number));
        if fs::remove_file(interrupt).is_ok() {
            self.signal(Signal::SIGINT);
        }
        let Ok(Some(status)) = self.child.try_wait() else {
            return false;
        };
        for copying in self.copying.drain(..) {
            // A background process of its may hold the pipe open for ever.
            if copying.is_finished() || finishes(&copying) {
                let _panicked = copying.join();
            }
        }
        let code = status
            .code()
            .or(status.signal().map(|signal| 128 + signal))
            .unwrap_or(1);
        let file = requests.join(format!("{}.status", self.number));
        if let Err(error) = write_aside(&file, &code.to_string()) {
            tracing::warn!("can't write {}: {error}", file.display());
        }
        true
    }

    fn end(&mut self, requests: &Path) {
        self.signal(Signal::SIGTERM);
        let deadline = Instant::now() + Duration::from_secs(2);
        while Instant::now() < deadline {
            if self.has_ended(requests) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        self.signal(Signal::SIGKILL);
    }

    fn signal(&self, signal: Signal) {
        let _gone_already = killpg(Pid::from_raw(self.child.id().cast_signed()), signal);
    }
}

fn finishes(copying: &JoinHandle<()>) -> bool {
    let deadline = Instant::now() + Duration::from_millis(300);
    while Instant::now() < deadline && !copying.is_finished() {
        thread::sleep(Duration::from_millis(10));
    }
    copying.is_finished()
}

/// Copies as it comes, each piece written through: the reader may be on the
/// other side of user-mode-linux's file system.
fn copy(mut from: impl Read + Send + 'static, to: PathBuf) -> JoinHandle<()> {
    thread::spawn(move || {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .custom_flags(libc::O_SYNC)
            .open(&to);
        let Ok(mut file) = file else { return };
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if file.write_all(&buffer[..length]).is_err() {
                return;
            }
        }
    })
}

fn write_aside(path: &Path, text: &str) -> io::Result<()> {
    let aside = path.with_extension("new");
    let mut file = File::create(&aside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(aside, path)
}

/// Asks the kept world to run a command; its output and status become ours.
pub fn enter(args: EnterArgs) -> anyhow::Result<ExitCode> {
    let world = args.world.map_or_else(only_world, Ok)?;
    if args.end {
        return end(&world);
    }
    interrupt::watch().context("can't listen for signals")?;
    let requests = requests(&world);
    let number = format!("{}", std::process::id());
    let columns = std::env::var("COLUMNS").ok();
    let request = serde_json::to_string(&Request {
        words: args.command,
        columns,
    })
    .context("the request")?;
    let name = |kind: &str| requests.join(format!("{number}.{kind}"));
    write_aside(&name("request"), &request)
        .with_context(|| format!("asking the world in {}", world.display()))?;
    let mut out = Tail::of(name("out"));
    let mut err = Tail::of(name("err"));
    let code = loop {
        let status = fs::read_to_string(name("status")).ok();
        out.copy(&mut io::stdout())?;
        err.copy(&mut io::stderr())?;
        if let Some(status) = status {
            break status.trim().parse().unwrap_or(1);
        }
        if interrupt::take() {
            fs::write(name("interrupt"), "").context("passing on the interrupt")?;
        }
        anyhow::ensure!(
            world.join(READY).exists(),
            "the world in {} has ended",
            world.display()
        );
        thread::sleep(Duration::from_millis(30));
    };
    for kind in ["out", "err", "status"] {
        // Not each of them was made.
        let _ = fs::remove_file(name(kind));
    }
    Ok(ExitCode::from(code))
}

fn end(world: &Path) -> anyhow::Result<ExitCode> {
    fs::write(world.join(END), "")
        .with_context(|| format!("ending the world in {}", world.display()))?;
    let deadline = Instant::now() + Duration::from_secs(60);
    let outcome = world.join(OUTCOME);
    while !outcome.exists() {
        anyhow::ensure!(
            Instant::now() < deadline,
            "the world in {} does not end: see its logs there",
            world.display()
        );
        thread::sleep(Duration::from_millis(50));
    }
    let status = fs::read_to_string(&outcome).unwrap_or_default();
    let output = fs::read_to_string(world.join(OUTPUT)).unwrap_or_default();
    if let Some((_, tail)) = output.rsplit_once("End it:") {
        print!(
            "{}",
            tail.split_once('\n')
                .and_then(|(_, tail)| tail.split_once('\n'))
                .map_or("", |(_, tail)| tail)
        );
    }
    if status.trim() == "0" {
        fs::remove_dir_all(world).with_context(|| format!("removing {}", world.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}

/// The one world that is up.
fn only_world() -> anyhow::Result<PathBuf> {
    let entries = fs::read_dir(WORLDS).with_context(|| format!("reading {WORLDS}"))?;
    let own = nix::unistd::getuid().as_raw();
    let mut worlds: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .starts_with(WORLD_PREFIX)
        })
        // Anybody may make a directory there; commands go to our own alone.
        .filter(|entry| entry.metadata().is_ok_and(|metadata| metadata.uid() == own))
        .map(|entry| entry.path())
        .filter(|path| path.join(READY).exists() && !path.join(OUTCOME).exists())
        .collect();
    match (worlds.pop(), worlds.is_empty()) {
        (None, _) => anyhow::bail!("no world is up: lab/demo --keep leaves one"),
        (Some(world), true) => Ok(world),
        (Some(world), false) => {
            worlds.push(world);
            let names: Vec<String> = worlds
                .iter()
                .map(|world| format!("  --world {}", world.display()))
                .collect();
            anyhow::bail!(
                "more than one world is up; choose with\n{}",
                names.join("\n")
            )
        }
    }
}

/// What of a growing file was not shown yet.
struct Tail {
    path: PathBuf,
    shown: u64,
}

impl Tail {
    const fn of(path: PathBuf) -> Self {
        Self { path, shown: 0 }
    }

    fn copy(&mut self, to: &mut impl Write) -> io::Result<()> {
        let Ok(mut file) = File::open(&self.path) else {
            return Ok(());
        };
        file.seek(SeekFrom::Start(self.shown))?;
        let copied = io::copy(&mut file, to)?;
        self.shown += copied;
        if copied > 0 { to.flush() } else { Ok(()) }
    }
}

fn requests(world: &Path) -> PathBuf {
    world.join("requests")
}

const WORLDS: &str = "/tmp";
const WORLD_PREFIX: &str = "lab-world.";
const READY: &str = "ready";
const END: &str = "end";
/// Written by `lab/demo` when a kept world has ended: its exit status.
const OUTCOME: &str = "outcome";
/// Where `lab/demo` puts what a kept world prints.
const OUTPUT: &str = "output";
