//! What the operator has on the edge router: `dxctl`, and `bgpd` once started.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use bgp_core::api::{PathStatus, PeerStatus, Status};

use super::cloud::{CREDENTIALS, Cloud};
use super::{PATIENCE, Stage};
use crate::control::Control;
use crate::wait;
use crate::world::{Process, World};

pub(super) struct Edge {
    dxctl: PathBuf,
    bgpd: PathBuf,
    log: PathBuf,
    /// `bgpd.toml`, `keys/` and the control socket.
    pub(super) directory: PathBuf,
    pub(super) control: Control,
    daemon: Option<Process>,
}

/// What a command printed and how it ended.
pub(super) struct Said {
    pub(super) out: String,
    pub(super) err: String,
    pub(super) success: bool,
}

impl Edge {
    pub(super) fn new(stage: &Stage) -> anyhow::Result<Self> {
        let directory = stage.directory.join("edge");
        Ok(Self {
            dxctl: stage.program("dxctl")?,
            bgpd: stage.program("bgpd")?,
            log: stage.log("edge-bgpd"),
            control: Control::at(directory.join("bgpd.sock")),
            directory,
            daemon: None,
        })
    }

    /// What tells `dxctl` where everything is.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        let pairs = CREDENTIALS.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut environment = pairs.to_vec();
        environment.push(("AWS_ENDPOINT_URL_DIRECT_CONNECT".into(), Cloud::url()));
        environment.push(("AWS_EC2_METADATA_DISABLED".into(), "true".into()));
        environment.push((
            "BGPD_SOCKET".into(),
            self.control.socket().display().to_string(),
        ));
        environment
    }

    /// Runs `dxctl` on the edge router.
    pub(super) fn dxctl(&self, world: &World, words: &[&str]) -> anyhow::Result<Said> {
        let mut command: Command = world.edge.command(&self.dxctl);
        let output = command
            .args(words)
            .envs(self.environment())
            .output()
            .context("running dxctl")?;
        Ok(Said {
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            success: output.status.success(),
        })
    }

    /// The daemon's program.
    pub(super) fn bgpd(&self) -> &Path {
        &self.bgpd
    }

    pub(super) fn config(&self) -> PathBuf {
        self.directory.join("bgpd.toml")
    }

    pub(super) fn key_file(&self) -> PathBuf {
        self.directory.join("keys").join(super::flight::VIF)
    }

    pub(super) fn start_bgpd(&mut self, world: &World) -> anyhow::Result<()> {
        let mut command = world.edge.command(&self.bgpd);
        command.arg("run").arg(self.config());
        self.daemon = Some(world.edge.spawn("bgpd", &mut command, &self.log)?);
        wait::until(
            "bgpd answers on its control socket",
            PATIENCE,
            || match self.daemon.as_mut().and_then(Process::ended) {
                Some(status) => Err(format!("it has ended: {status}")),
                None => self
                    .control
                    .status()
                    .map(drop)
                    .map_err(|error| error.to_string()),
            },
        )
    }

    pub(super) fn stop_bgpd(&mut self) -> anyhow::Result<()> {
        let Some(mut daemon) = self.daemon.take() else {
            return Ok(());
        };
        let status = daemon.stop(Duration::from_secs(10));
        let seen = status.map_or("it can't be waited for".into(), |status| status.to_string());
        wait::ensure(
            status.is_some_and(|status| status.success()),
            "bgpd ends with status 0 on SIGTERM",
            seen,
        )?;
        Ok(())
    }

    pub(super) fn status(&self) -> Result<Status, String> {
        self.control.status().map_err(|error| error.to_string())
    }

    pub(super) fn peer(&self, name: &str) -> Result<PeerStatus, String> {
        self.control.peer(name)
    }

    pub(super) fn path(&self, name: &str) -> Result<PathStatus, String> {
        let status = self.status()?;
        status
            .paths
            .into_iter()
            .find(|path| path.name == name)
            .ok_or(format!("bgpd has no path {name}"))
    }

    pub(super) fn established(&self, name: &str) -> Result<PeerStatus, String> {
        self.control.established(name)
    }
}

/// A path as a user would write it.
pub(super) fn shown(path: &Path) -> String {
    path.display().to_string()
}
