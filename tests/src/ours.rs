//! bgpd as a case runs it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use bgp_core::api::{PeerStatus, Status};
use lab::control::Control;
use lab::wait;
use lab::world::{Namespace, Process};

use crate::Bench;

pub(crate) struct Ours {
    pub(crate) control: Control,
    pub(crate) process: Process,
    config: PathBuf,
    log: &'static str,
}

impl Ours {
    /// Starts bgpd with what follows `[bgpd]`, and waits until it answers.
    pub(crate) fn start(bench: &Bench, namespace: &Namespace, rest: &str) -> anyhow::Result<Self> {
        Self::start_with(bench, namespace, "", rest)
    }

    /// `daemon`: more lines of `[bgpd]`.
    pub(crate) fn start_with(
        bench: &Bench,
        namespace: &Namespace,
        daemon: &str,
        rest: &str,
    ) -> anyhow::Result<Self> {
        Self::start_logging(bench, namespace, "trace", daemon, rest)
    }

    /// `log`: how much it says.
    pub(crate) fn start_logging(
        bench: &Bench,
        namespace: &Namespace,
        log: &'static str,
        daemon: &str,
        rest: &str,
    ) -> anyhow::Result<Self> {
        let directory = bench.directory.join("ours");
        fs::create_dir_all(&directory).context("our directory")?;
        let config = directory.join("bgpd.toml");
        let control = Control::at(directory.join("bgpd.sock"));
        fs::write(&config, text(&control, daemon, rest)).context("our configuration")?;
        let process = spawn(bench, namespace, log, &config)?;
        let mut ours = Self {
            control,
            process,
            config,
            log,
        };
        ours.wait_until_it_answers()?;
        Ok(ours)
    }

    /// SIGKILL and a fresh start with the same configuration.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    pub(crate) fn restart(&mut self, bench: &Bench, namespace: &Namespace) -> anyhow::Result<()> {
        self.process = spawn(bench, namespace, self.log, &self.config)?;
        self.wait_until_it_answers()
    }

    /// Replaces what follows `[bgpd]` and has it read; what changed.
    pub(crate) fn reload(&self, rest: &str) -> anyhow::Result<Vec<String>> {
        self.write(rest)?;
        Ok(self.control.reload()?.changes)
    }

    /// Replaces what follows `[bgpd]`, for the next start.
    pub(crate) fn write(&self, rest: &str) -> anyhow::Result<()> {
        fs::write(&self.config, text(&self.control, "", rest)).context("our configuration")
    }

    pub(crate) fn status(&self) -> anyhow::Result<Status> {
        Ok(self.control.status()?)
    }

    pub(crate) fn peer(&self, name: &str) -> Result<PeerStatus, String> {
        self.control.peer(name)
    }

    pub(crate) fn established(&self, name: &str) -> Result<PeerStatus, String> {
        self.control.established(name)
    }

    fn wait_until_it_answers(&mut self) -> anyhow::Result<()> {
        wait::until(
            "bgpd answers on its control socket",
            PATIENCE,
            || match self.process.ended() {
                Some(status) => Err(format!(
                    "it has ended: {status}; its log:\n{}",
                    self.process.output()
                )),
                None => self
                    .control
                    .status()
                    .map(drop)
                    .map_err(|error| error.to_string()),
            },
        )
    }
}

fn spawn(
    bench: &Bench,
    namespace: &Namespace,
    log: &str,
    config: &Path,
) -> anyhow::Result<Process> {
    let mut command = namespace.command(bench.program("bgpd"));
    command.args(["run", "--log", log]).arg(config);
    Ok(namespace.spawn("bgpd", &mut command, &bench.directory.join("bgpd.log"))?)
}

fn text(control: &Control, daemon: &str, rest: &str) -> String {
    format!(
        "[bgpd]\nrouter_id = \"10.9.0.1\"\nasn = {}\ncontrol = \"{}\"\n{daemon}\n{rest}",
        crate::pair::OUR_ASN,
        control.socket().display()
    )
}

/// A key file that only its owner can read.
pub(crate) fn key_file(bench: &Bench, name: &str, key: &str) -> anyhow::Result<PathBuf> {
    let path = bench.directory.join(name);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .context("the key file")?;
    writeln!(file, "{key}").context("the key file")?;
    Ok(path)
}

/// How long what is quick when it works may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);
