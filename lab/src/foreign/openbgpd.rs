//! OpenBGPD: one parent and two children.

use std::fs;
use std::path::{Path, PathBuf};

use super::{failed, write_private};
use crate::world::{Namespace, Process, Result};

/// Where `bgpctl -s` finds it, if `text` says `socket "<this>"`.
pub fn socket(directory: &Path) -> PathBuf {
    directory.join("bgpd.sock")
}

/// Where it keeps its configuration, for `bgpctl reload`.
pub fn config(directory: &Path) -> PathBuf {
    directory.join("bgpd.conf")
}

pub fn start(namespace: &Namespace, directory: &Path, text: &str) -> Result<Process> {
    // Where it locks itself in: made by systemd where that runs.
    let jail = Path::new("/run/openbgpd");
    fs::create_dir_all(jail).map_err(|source| failed(jail, source))?;
    let config = write_private(config(directory), text)?;
    let mut command = namespace.command("/usr/sbin/bgpd");
    command.arg("-d").arg("-f").arg(config);
    namespace.spawn("openbgpd", &mut command, &directory.join("bgpd.log"))
}
