//! Makes the kernel's routes agree with the RIB: the only owner of routes in
//! the kernel. A thread of its own, with an encoder for batches of netlink
//! messages. Routes point at nexthop groups, which [`crate::fastpath`] owns.
//!
//! The kernel is never asked what it holds, but for three times: at the start,
//! to adopt the routes of an earlier run; in the audit, every few minutes and
//! after a refusal; and when another program deletes or replaces routes of ours.
//!
//! Ours are the routes of our table and protocol that point at a group in our
//! range of ids; a route of someone else is never replaced nor deleted.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc as std_mpsc;
use std::time::Instant;

use bgp_core::api::KernelStatus;
use bgp_core::config::OnShutdown;
use bgp_core::rib::{FibChange, FibRoute};
use bgp_core::{PathId, config};
use prometheus::{Histogram, HistogramOpts};
use tokio::sync::mpsc;

use crate::fastpath::{self, GroupId};
use crate::netlink::{Postbox, mailbox};
use crate::router;

mod audit;
mod clean;
mod interference;
mod kernel;
mod picture;
mod slots;
mod worker;

pub use audit::Differences;
pub use clean::{LeftBehind, clean, left_behind};
use worker::Worker;

/// The way into the FIB's thread, which ends with [`Handle::shutdown`].
#[derive(Clone, Debug)]
pub struct Handle {
    commands: Postbox<Command>,
    shared: Arc<Shared>,
    fastpath: fastpath::Handle,
}

#[derive(Debug)]
struct Shared {
    /// Changes handed over and not yet taken.
    queued: AtomicUsize,
    routes: AtomicU64,
    adopted: AtomicU64,
    errors: AtomicU64,
    differences: AtomicU64,
    overruns: AtomicU64,
    latency: Histogram,
}

enum Command {
    Apply(Vec<FibChange>, Instant),
    /// What was handed back can be handed over again.
    Ready,
    Audit(std_mpsc::SyncSender<Differences>),
    Converged(Vec<FibRoute>),
    Carried(std_mpsc::SyncSender<Vec<(GroupId, u64)>>),
    Notice(fastpath::Notice),
    Shutdown(OnShutdown, std_mpsc::SyncSender<()>),
}

/// Starts the thread: it first finds the routes of an earlier run and keeps
/// them until the RIB has spoken ([`Handle::converged`]).
pub fn spawn(
    kernel: config::Kernel,
    fastpath: fastpath::Handle,
    router: mpsc::Sender<router::Command>,
) -> io::Result<Handle> {
    let (commands, inbox) = mailbox()?;
    let shared = Arc::new(Shared::new());
    let worker = Worker::open(&kernel, fastpath.clone(), router, inbox, shared.clone())?;
    let notices = commands.clone();
    fastpath.listen(move |notice| {
        notices.send(Command::Notice(notice));
    });
    std::thread::Builder::new()
        .name("fib".into())
        .spawn(move || worker.run())?;
    Ok(Handle {
        commands,
        shared,
        fastpath,
    })
}

impl Shared {
    fn new() -> Self {
        let options = HistogramOpts::new(
            "bgpd_fib_latency_seconds",
            "Time from an UPDATE's arrival at the router until the kernel has what follows from it, \
             for the oldest UPDATE of each batch",
        )
        .buckets(LATENCIES.to_vec());
        Self {
            queued: AtomicUsize::default(),
            routes: AtomicU64::default(),
            adopted: AtomicU64::default(),
            errors: AtomicU64::default(),
            differences: AtomicU64::default(),
            overruns: AtomicU64::default(),
            latency: Histogram::with_opts(options).expect("invariant: name and buckets are valid"),
        }
    }
}

impl Handle {
    /// Hands over changes, in order. When too many wait already they are handed
    /// back, and [`router::Command::FibReady`] follows once there is room. The
    /// oldest UPDATE that has led to them came at `since`.
    pub fn apply(&self, changes: Vec<FibChange>, since: Instant) -> Result<(), Vec<FibChange>> {
        if self.shared.queued.load(Ordering::Acquire) >= QUEUE {
            self.commands.send(Command::Ready);
            return Err(changes);
        }
        self.shared
            .queued
            .fetch_add(changes.len(), Ordering::AcqRel);
        self.commands.send(Command::Apply(changes, since));
        Ok(())
    }

    /// Every peer has sent its initial routes (or was given up): routes of an
    /// earlier run that nobody announced again go, then their groups. Those
    /// that were as `keep` says stay, until this is called again.
    pub fn converged(&self, keep: Vec<FibRoute>) {
        self.commands.send(Command::Converged(keep));
    }

    /// Counters, without waiting.
    pub fn status(&self) -> KernelStatus {
        KernelStatus {
            routes: self.shared.routes.load(Ordering::Relaxed),
            nexthops: self.fastpath.nexthops(),
            groups: self.fastpath.groups(),
            adopted: self.shared.adopted.load(Ordering::Relaxed),
            errors: self.shared.errors.load(Ordering::Relaxed) + self.fastpath.errors(),
            fast_swap: self.fastpath.fast_swap(),
        }
    }

    /// Routes that the audit found missing, foreign or wrong since start.
    pub fn differences(&self) -> u64 {
        self.shared.differences.load(Ordering::Relaxed)
    }

    /// Times that the kernel told of more changes than could be heard (ENOBUFS)
    /// since start. An audit follows each.
    pub fn overruns(&self) -> u64 {
        self.shared.overruns.load(Ordering::Relaxed)
    }

    /// How long changes have taken to reach the kernel.
    pub fn latency(&self) -> Histogram {
        self.shared.latency.clone()
    }

    /// Prefixes whose traffic each path carries now. Waits for both threads.
    pub fn carried(&self) -> HashMap<PathId, u64> {
        let mut routes: HashMap<GroupId, u64> = HashMap::new();
        // Twice for a group that routes of an earlier run point at too.
        for (group, count) in self.routes_by_group() {
            *routes.entry(group).or_default() += count;
        }
        let sum = |groups: &[GroupId]| groups.iter().filter_map(|group| routes.get(group)).sum();
        self.fastpath
            .paths()
            .into_iter()
            .map(|path| (path.path, sum(&path.carries)))
            .collect()
    }

    /// Whether routes of an earlier run were found. Waits until they have been
    /// looked for.
    pub fn has_adopted(&self) -> bool {
        self.routes_by_group();
        self.shared.adopted.load(Ordering::Relaxed) > 0
    }

    fn routes_by_group(&self) -> Vec<(GroupId, u64)> {
        let (sender, receiver) = std_mpsc::sync_channel(1);
        self.commands.send(Command::Carried(sender));
        receiver.recv().unwrap_or_default()
    }

    /// Compares the kernel's routes with what they should be, now instead of
    /// within minutes, and repairs them. Waits for it.
    pub fn audit(&self) -> Differences {
        let (sender, receiver) = std_mpsc::sync_channel(1);
        self.commands.send(Command::Audit(sender));
        receiver.recv().unwrap_or_default()
    }

    /// Ends the thread, with what was handed over done. Returns when it has.
    pub fn shutdown(&self, routes: OnShutdown) {
        let (sender, receiver) = std_mpsc::sync_channel(1);
        self.commands.send(Command::Shutdown(routes, sender));
        let _ = receiver.recv();
    }
}

/// Changes that may wait before [`Handle::apply`] hands them back.
const QUEUE: usize = 65_536;
/// Seconds.
const LATENCIES: [f64; 14] = [
    0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0,
];
