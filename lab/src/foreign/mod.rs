//! BGP daemons that others wrote: how each is started in a namespace from the
//! text of its configuration. What they are told and asked is their user's.

pub mod bird;
pub mod frr;
pub mod openbgpd;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::world::{Error, Result};

/// Writes a configuration, which may hold a key, for the owner's eyes.
pub fn write_private(path: PathBuf, text: &str) -> Result<PathBuf> {
    let written = fs::write(&path, text)
        .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o600)));
    written.map_err(|source| failed(&path, source))?;
    Ok(path)
}

fn failed(path: &Path, source: std::io::Error) -> Error {
    Error::Io {
        what: format!("can't write {}", path.display()),
        source,
    }
}
