//! Threads that make the load and the faults: they may not wait for the CPU
//! behind what is measured, nor behind the hogs.

use std::process::Command;

use nix::unistd::gettid;

use crate::world;

/// Gives the calling thread a real-time priority, below those of the measured
/// programs; without it figures are noisier.
pub fn run_ahead_of_others() {
    ahead_of_others(gettid().as_raw().cast_unsigned());
}

/// The same for a process of one thread, or a thread.
pub fn ahead_of_others(id: u32) {
    let mut command = Command::new("chrt");
    command.args(["--fifo", "--pid", PRIORITY, &id.to_string()]);
    if let Err(error) = world::run(&mut command, None) {
        tracing::warn!("no real-time priority: {error}");
    }
}

const PRIORITY: &str = "5";
