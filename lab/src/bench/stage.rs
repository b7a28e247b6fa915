//! What every round begins with: a lane, a speaker that listens, and a driver.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use bgp_core::Family;

use super::driver::Driver;
use super::lane::{self, Lane, Neighbor};
use super::speaker::{Kernel, Programs, Running, Setup, Speaker};

pub struct Stage {
    pub lane: Lane,
    pub running: Running,
    speaker: Speaker,
    family: Family,
    neighbors: Vec<Neighbor>,
    hold_time: u16,
    directory: tempfile::TempDir,
}

impl Stage {
    pub fn set(
        speaker: Speaker,
        programs: &Programs,
        neighbors: Vec<Neighbor>,
        kernel: Kernel,
        hold_time: u16,
    ) -> anyhow::Result<Self> {
        Self::set_with(speaker, programs, neighbors, kernel, hold_time, |_| {
            Ok(String::new())
        })
    }

    /// `furnish` puts more into the lane, before the speaker is started, and says
    /// what more the speaker's configuration is to have.
    pub fn set_with(
        speaker: Speaker,
        programs: &Programs,
        neighbors: Vec<Neighbor>,
        kernel: Kernel,
        hold_time: u16,
        furnish: impl FnOnce(&Lane) -> anyhow::Result<String>,
    ) -> anyhow::Result<Self> {
        let first = neighbors.first().context("no neighbors")?;
        let family = Family::of(first.address);
        let directory = tempfile::tempdir()?;
        // FRR reads it as another user.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(directory.path(), open)?;
        let lane = Lane::create(family, &neighbors)?;
        let more = furnish(&lane)?;
        let setup = Setup {
            family,
            neighbors: &neighbors,
            hold_time,
            kernel,
            directory: directory.path(),
            more: &more,
        };
        Ok(Self {
            running: speaker.start(programs, &lane, &setup)?,
            lane,
            speaker,
            family,
            neighbors,
            hold_time,
            directory,
        })
    }

    /// Of the speaker's files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Calls `play` where the neighbors are.
    pub fn drive<T: Send>(
        &self,
        play: impl FnOnce(&mut Driver) -> anyhow::Result<T> + Send,
    ) -> anyhow::Result<T> {
        let socket = SocketAddr::from((lane::local(self.family), 179));
        let hold_time = Duration::from_secs(self.hold_time.into());
        let played = self.lane.driver.enter(|| {
            let mut driver = Driver::new(socket, &self.neighbors, hold_time)?;
            play(&mut driver)
        })?;
        played.with_context(|| {
            let name = self.speaker.name();
            format!("measuring {name}; {}", self.running.last_words())
        })
    }
}

/// Longer than any round, where nothing is to be seen of KEEPALIVEs.
pub const LONG_HOLD_TIME: u16 = 3600;
/// How long a speaker may take until it has all its sessions.
pub const SETUP: Duration = Duration::from_secs(60);
