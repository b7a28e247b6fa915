//! Which paths are good enough to carry traffic: drives [`bgp_core::path`] with
//! what the fast path (carrier, BFD, sessions), the prober and the router have to
//! say, and tells the fast path and the daemon what it concludes.
//!
//! One thread of its own (real-time priority where permitted), which waits on its
//! mailbox and its timers and never for anyone else. [`Handle`] is the way in.

use std::collections::HashMap;
use std::io;
use std::sync::mpsc as std_mpsc;
use std::time::{Duration, Instant};

use bgp_core::PathId;
use bgp_core::api::HealthStatus;
use bgp_core::path::{Evidence, Sample, Settings, Target, Transition};
use bgp_core::policy::Stance;
use tokio::sync::mpsc;

use crate::netlink::{Postbox, mailbox};
use crate::{fastpath, router};

mod worker;

use worker::Worker;

/// One path to look after.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    pub path: PathId,
    pub settings: Settings,
    /// Whom it is probed by: what was measured of others is forgotten.
    pub targets: Vec<Target>,
    /// Where the far end is told of trouble by silence (`on_degraded = "withdraw"`):
    /// the paths its traffic may come by instead. It is not told while none of them
    /// is better.
    pub silent: Option<Vec<PathId>>,
}

/// What was concluded of a path.
#[derive(Clone, Debug)]
pub struct Concluded {
    pub path: PathId,
    pub transition: Transition,
    /// How the far end is told of the path's routes from now on.
    pub stance: Stance,
}

/// The way into health's thread, which ends with [`Handle::end`]: the fast path has a
/// way to it as well as it to the fast path.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: Postbox<Command>,
}

enum Command {
    Watch(Vec<Watched>),
    Hear(PathId, Evidence, Instant),
    Samples(Vec<Sample>),
    Prober(Prober),
    Statuses(std_mpsc::SyncSender<HashMap<PathId, HealthStatus>>),
    End,
}

/// Sets what a path is probed at; `None`: as configured.
type Prober = Box<dyn Fn(PathId, Option<Duration>) + Send>;

/// Starts the thread. `concluded` is told of every transition, after the fast
/// path.
pub fn spawn(
    fastpath: Option<fastpath::Handle>,
    steering: router::Steering,
    concluded: mpsc::UnboundedSender<Concluded>,
) -> io::Result<Handle> {
    let (commands, inbox) = mailbox()?;
    let handle = Handle { commands };
    if let Some(fastpath) = &fastpath {
        let witness = handle.clone();
        fastpath.witness(move |path, evidence, at| witness.tell_at(path, evidence, at));
    }
    let worker = Worker::new(inbox, fastpath, steering, concluded);
    std::thread::Builder::new()
        .name("health".into())
        .spawn(move || worker.run())?;
    Ok(handle)
}

impl Handle {
    /// Looks after these paths from now on, and forgets all others.
    pub fn watch(&self, paths: Vec<Watched>) {
        self.commands.send(Command::Watch(paths));
    }

    /// Something is known about a path, from now. Never waits.
    pub fn tell(&self, path: PathId, evidence: Evidence) {
        self.tell_at(path, evidence, Instant::now());
    }

    pub fn tell_at(&self, path: PathId, evidence: Evidence, at: Instant) {
        self.commands.send(Command::Hear(path, evidence, at));
    }

    /// What probes have measured. Never waits.
    pub fn tell_samples(&self, samples: &[Sample]) {
        if !samples.is_empty() {
            self.commands.send(Command::Samples(samples.to_vec()));
        }
    }

    /// Who probes a path in doubt faster than it is configured: called on
    /// health's thread, so it must not wait.
    pub fn set_prober(&self, prober: impl Fn(PathId, Option<Duration>) + Send + 'static) {
        self.commands.send(Command::Prober(Box::new(prober)));
    }

    /// Nothing is concluded from here on.
    pub fn end(&self) {
        self.commands.send(Command::End);
    }

    /// Every path's state. Waits for the thread.
    pub fn statuses(&self) -> HashMap<PathId, HealthStatus> {
        let (sender, receiver) = std_mpsc::sync_channel(1);
        self.commands.send(Command::Statuses(sender));
        receiver.recv().unwrap_or_default()
    }
}
