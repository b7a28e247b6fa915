//! Measures paths: each target of each path by ICMP, UDP, TCP or STAMP, out of the
//! path's own interface, with the kernel's timestamps both ways; and watches the
//! interfaces for silence.
//!
//! One thread of its own. In: [`Handle`]. Out: a [`Listener`], told on that thread.
//!
//! - `worker`: the thread; `target` and `window`: one target; `clock`
//! - `channel`: the probes of one kind, from a token (`mark`) to a packet (`icmp`,
//!   `tcp`, [`stamp`]) and back through a `socket`
//! - `watch` and `silence`: receive counters (`interface`) that stand still, which
//!   quick echoes confirm or refute
//!
//! A path's interface goes with each packet, so that the routes of that interface
//! count and no other's; a target that is not on its subnet needs a route out of it,
//! if with a metric that no traffic chooses. A path whose interface is in a VRF, or is
//! one, uses that VRF's routes. An answer counts if it comes by the same interface.
//! A target that has never answered is no evidence, whatever it does.

mod channel;
mod checksum;
mod clock;
mod filter;
mod icmp;
mod interface;
mod mark;
mod silence;
mod slots;
mod socket;
pub mod stamp;
mod target;
mod tcp;
mod watch;
mod window;
mod worker;

use std::io;
use std::sync::mpsc;
use std::time::Duration;

use bgp_core::PathId;
use bgp_core::api::{ProbeStatus, Silences};
use bgp_core::path::{self, Sample};

use crate::netlink::{Postbox, mailbox};
use worker::Worker;

pub use watch::Seen;

/// One target to probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub path: PathId,
    /// Out of this interface; `None`: as the routes say.
    pub interface: Option<String>,
    pub at: path::Target,
    pub interval: Duration,
}

/// What is known of one target.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    pub path: PathId,
    pub status: ProbeStatus,
    /// Of its path's interface.
    pub silences: Silences,
}

/// Who is told what the thread finds out, on that thread: must not wait.
pub trait Listener: Send {
    /// Outcomes of probes, in the order in which they became known.
    fn samples(&mut self, samples: &[Sample]);

    /// What is received on the path's interface, or not.
    fn silence(&mut self, path: PathId, silence: path::Silence, seen: Seen);

    /// A target of the path answers again after a silence.
    fn back(&mut self, path: PathId);
}

/// The way to the thread, which ends with the last clone.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: Postbox<Command>,
}

enum Command {
    SetTargets(Vec<Target>),
    Hasten(PathId, Option<Duration>),
    Measured(mpsc::SyncSender<Vec<Measured>>),
}

/// Starts the thread, with nothing to probe yet.
pub fn spawn(listener: Box<dyn Listener>) -> io::Result<Handle> {
    let (commands, inbox) = mailbox()?;
    std::thread::Builder::new()
        .name("probe".into())
        .spawn(move || Worker::new(inbox, listener).run())?;
    Ok(Handle { commands })
}

impl Handle {
    /// Replaces all targets; those that stay keep their history.
    pub fn set_targets(&self, targets: Vec<Target>) {
        self.commands.send(Command::SetTargets(targets));
    }

    /// Probes a path's targets at this interval for now, where that is shorter than
    /// the configured one; `None`: as configured.
    pub fn hasten(&self, path: PathId, interval: Option<Duration>) {
        self.commands.send(Command::Hasten(path, interval));
    }

    /// Every target, in the order in which they were set. Waits for the thread.
    pub fn measured(&self) -> Vec<Measured> {
        let (answer, measured) = mpsc::sync_channel(1);
        self.commands.send(Command::Measured(answer));
        measured.recv().unwrap_or_default()
    }
}
