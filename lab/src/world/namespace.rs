//! One network namespace: made, entered, and gone when dropped.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{io, process, thread};

use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Error, Process, Result};

/// A named network namespace of this run: `lab<pid>-<role>`.
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes it, with loopback up and addresses usable at once.
    pub fn create(role: &str) -> Result<Self> {
        let namespace = Self {
            name: format!("{PREFIX}{}-{role}", process::id()),
        };
        run(
            Command::new("ip").args(["netns", "add", &namespace.name]),
            None,
        )?;
        namespace.ip("link set dev lo up")?;
        namespace.sysctl(&[
            // A host may not answer for an address before it knows that it is the
            // only one with it, which takes seconds; here there is no other.
            ("ipv6/conf/all/accept_dad", "0"),
            ("ipv6/conf/default/accept_dad", "0"),
            ("ipv4/conf/all/rp_filter", "0"),
            ("ipv4/conf/default/rp_filter", "0"),
        ])?;
        Ok(namespace)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes a router of it. Traffic may come in on another interface than it
    /// would leave by, and swaps of nexthops take the same time at every size.
    pub fn forward(&self) -> Result<()> {
        self.sysctl(&[
            ("ipv4/ip_forward", "1"),
            ("ipv6/conf/all/forwarding", "1"),
            ("ipv4/conf/all/send_redirects", "0"),
            ("ipv4/conf/default/send_redirects", "0"),
            ("ipv4/nexthop_compat_mode", "0"),
        ])
    }

    /// Sets `/proc/sys/net/<key>` for each pair.
    pub fn sysctl(&self, settings: &[(&str, &str)]) -> Result<()> {
        self.enter(|| {
            settings.iter().try_for_each(|(key, value)| {
                let path = format!("/proc/sys/net/{key}");
                fs::write(&path, value).map_err(|source| Error::Io {
                    what: format!("can't write {value} to {path}"),
                    source,
                })
            })
        })?
    }

    /// Runs lines of `ip -batch` inside.
    pub fn ip(&self, lines: &str) -> Result<()> {
        let mut command = Command::new("ip");
        command.args(["-n", &self.name, "-batch", "-"]);
        run(&mut command, Some(lines)).map(drop)
    }

    /// Runs one `ip` command inside and returns what it prints.
    pub fn show(&self, words: &str) -> Result<String> {
        let mut command = Command::new("ip");
        command
            .args(["-n", &self.name])
            .args(words.split_whitespace());
        run(&mut command, None)
    }

    /// A command that will run inside, with `/sys` of this namespace.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.name])
            .arg(program.as_ref());
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command inside to its end and returns what it prints; a status
    /// other than 0 is an error.
    pub fn exec(&self, program: impl AsRef<Path>, arguments: &[&str]) -> Result<String> {
        run(self.command(program).args(arguments), None)
    }

    /// Starts a command inside; what it prints goes to the end of `log`.
    pub fn spawn(&self, name: &str, command: &mut Command, log: &Path) -> Result<Process> {
        Process::spawn(name, command, log)
    }

    /// Calls `inside` on a thread of its own that is in this namespace: sockets
    /// that it opens stay there.
    pub fn enter<T: Send>(&self, inside: impl FnOnce() -> T + Send) -> Result<T> {
        let path = self.path();
        let file = File::open(&path).map_err(|source| Error::Io {
            what: format!("can't open {}", path.display()),
            source,
        })?;
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(&file, CloneFlags::CLONE_NEWNET).map_err(|errno| Error::Io {
                    what: format!("can't enter {}", self.name),
                    source: errno.into(),
                })?;
                Ok(inside())
            });
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// A packet counter of one interface: `rx_packets`, `tx_packets`, ….
    pub fn counter(&self, interface: &str, counter: &str) -> Result<u64> {
        let text = self.exec(
            "cat",
            &[&format!("/sys/class/net/{interface}/statistics/{counter}")],
        )?;
        text.trim().parse().map_err(|_| Error::Io {
            what: format!(
                "{counter} of {interface} in {} is `{}`",
                self.name,
                text.trim()
            ),
            source: io::ErrorKind::InvalidData.into(),
        })
    }

    /// The processes inside, other than this one.
    pub fn pids(&self) -> Vec<Pid> {
        pids(&self.name)
    }

    fn path(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// Removes what runs left behind that were killed: namespaces whose maker is no
/// more, and the processes in them.
pub fn sweep() -> Result<()> {
    let Ok(entries) = fs::read_dir("/run/netns") else {
        return Ok(());
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some((maker, _)) = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('-'))
        else {
            continue;
        };
        let ours = maker.parse::<u32>().is_ok();
        if ours && !Path::new("/proc").join(maker).exists() {
            remove(&name);
        }
    }
    Ok(())
}

/// Ends every process inside, then the namespace itself.
fn remove(name: &str) {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let pids = pids(name);
        if pids.is_empty() {
            break;
        }
        for pid in pids {
            let _gone_already = kill(pid, signal);
        }
        thread::sleep(Duration::from_millis(300));
    }
    let removed = run(Command::new("ip").args(["netns", "delete", name]), None);
    if let Err(error) = removed {
        tracing::warn!("namespace {name} is left behind: {error}");
    }
}

/// Other processes whose network namespace this is.
fn pids(name: &str) -> Vec<Pid> {
    let listed = run(Command::new("ip").args(["netns", "pids", name]), None).unwrap_or_default();
    let own = process::id().cast_signed();
    listed
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .filter(|pid| *pid != own)
        .map(Pid::from_raw)
        .collect()
}

/// Runs to the end; what it printed, or an error that shows it.
pub fn run(command: &mut Command, input: Option<&str>) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let spawn_error = |source| Error::Spawn {
        program: program.clone(),
        source,
    };
    let stdin = if input.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    };
    let mut child = command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(spawn_error)?;
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        // A program that ends before it has read everything says why itself.
        let _closed = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(spawn_error)?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(printed);
    }
    let mut words: Vec<_> = vec![program];
    words.extend(
        command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned()),
    );
    if let Some(input) = input {
        words.push(format!("<<< {}", input.replace('\n', "; ")));
    }
    let said = format!("{printed}{}", String::from_utf8_lossy(&output.stderr));
    Err(Error::Command {
        command: words.join(" "),
        output: format!("{}: {}", output.status, said.trim()),
    })
}

const PREFIX: &str = "lab";
