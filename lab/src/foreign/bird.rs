//! BIRD 2.

use std::path::{Path, PathBuf};

use super::write_private;
use crate::world::{Namespace, Process, Result};

/// Where it keeps its configuration, for `birdc configure`.
pub fn config(directory: &Path) -> PathBuf {
    directory.join("bird.conf")
}

/// Where `birdc` finds it.
pub fn socket(directory: &Path) -> PathBuf {
    directory.join("bird.ctl")
}

pub fn start(
    program: &Path,
    namespace: &Namespace,
    directory: &Path,
    text: &str,
    options: &[&str],
) -> Result<Process> {
    let config = write_private(config(directory), text)?;
    let mut command = namespace.command(program);
    command
        .arg("-f")
        .arg("-c")
        .arg(config)
        .arg("-s")
        .arg(socket(directory))
        .args(options);
    namespace.spawn("bird", &mut command, &directory.join("bird.log"))
}
