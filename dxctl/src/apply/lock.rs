//! Locks against another dxctl. One ends with the process that has it, however that
//! ends.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::Refused;

/// Of the sessions whose keys a bgpd's directory has: held, nobody else changes one.
#[must_use = "it is held until it is dropped"]
pub(crate) struct KeyLock {
    _directory: Flock<File>,
}

impl KeyLock {
    /// Waits at most so long for another.
    pub(crate) fn take(directory: &Path, patience: Duration) -> anyhow::Result<Self> {
        let place = || directory.display().to_string();
        let file = File::open(directory).with_context(place)?;
        match lock(file, patience) {
            Ok(locked) => Ok(Self { _directory: locked }),
            Err((_, Errno::EWOULDBLOCK)) => Err(Refused::new(format!(
                "another dxctl is changing a key of the bgpd in {}; nothing was changed by this one: let the other end, or wait for it with --lock-timeout SECONDS",
                place()
            ))
            .into()),
            Err((_, error)) => Err(error).with_context(|| format!("locking {}", place())),
        }
    }
}

/// `EWOULDBLOCK`: another has it, and had it for so long.
pub(super) fn lock(mut file: File, patience: Duration) -> Result<Flock<File>, (File, Errno)> {
    let until = Instant::now() + patience;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => return Ok(locked),
            Err((back, Errno::EWOULDBLOCK)) if Instant::now() < until => file = back,
            Err(failed) => return Err(failed),
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
