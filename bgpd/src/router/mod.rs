//! The only owner of the RIB: one thread, no locks. Sessions hand it batches of
//! UPDATEs; it hands routes to the FIB and packed announcements to sessions.
//!
//! Everything is bounded and nobody waits for anybody: a peer whose channel is
//! full, or a FIB that is busy, is told later, and then of what is true by
//! then.

mod install;
mod outbox;
mod run;
mod schedule;
mod tell;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{io, thread};

use bgp_core::api::{self, RoutesQuery};
use bgp_core::peer::{DownReason, Negotiated};
use bgp_core::policy::Stance;
use bgp_core::rib::{FibChange, FibRoute};
use bgp_core::wire::Update;
use bgp_core::{Asn, Family, PathId, RouterId, config};
use ipnet::IpNet;
use tokio::sync::{mpsc, oneshot};

use crate::fastpath::Voice;
use crate::{fastpath, fib};

pub use outbox::Outbound;

/// What the router is told. The channel is bounded: a session that sends
/// faster than the RIB takes waits, and its peer with it (TCP).
pub enum Command {
    /// A peer exists from now on, or its settings have changed (policy is
    /// applied again to what it sent and was sent).
    Configure {
        path: PathId,
        peer: Arc<config::Peer>,
    },
    /// The peer is gone from the configuration.
    Remove {
        path: PathId,
    },
    /// Routes may flow to and from the peer. `outbound` is bounded; the session
    /// sends `Writable` after it has taken from a full one. Whether it was full
    /// shows afterwards: what is left and what was taken reach its capacity.
    Established {
        path: PathId,
        negotiated: Negotiated,
        local: std::net::IpAddr,
        outbound: mpsc::Sender<Outbound>,
    },
    /// The session has ended. Its routes stay, marked stale, while a backup is
    /// configured (or graceful restart runs); else they go.
    Down {
        path: PathId,
        reason: DownReason,
    },
    /// In order, from the peer.
    Updates {
        path: PathId,
        updates: Vec<Update>,
    },
    /// The peer asks for our routes again.
    Refresh {
        path: PathId,
        family: Family,
    },
    Writable {
        path: PathId,
    },
    /// The FIB has taken a batch and can take another.
    FibReady,
    Routes {
        query: RoutesQuery,
        answer: oneshot::Sender<api::Routes>,
    },
    /// The longest match for an address, or exactly a prefix.
    Route {
        prefix: IpNet,
        answer: oneshot::Sender<Option<api::Route>>,
    },
    Counts {
        answer: oneshot::Sender<Vec<(PathId, api::PrefixCounts)>>,
    },
}

/// Says what is to be made of peers' paths, past all commands that wait: the far
/// end's traffic moves when ours does.
#[derive(Clone, Debug)]
pub struct Steering(mpsc::UnboundedSender<Steer>);

/// Who says so. Of what both say the greater holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pilot {
    Health,
    Operator,
}

#[derive(Clone, Copy, Debug)]
struct Steer {
    path: PathId,
    pilot: Pilot,
    stance: Stance,
}

impl Steering {
    /// Holds until the same pilot says otherwise, whatever becomes of the session,
    /// and for a peer that is not configured yet too. Never waits.
    pub fn set(&self, path: PathId, pilot: Pilot, stance: Stance) {
        // The daemon is going down when nobody listens.
        let _ = self.0.send(Steer {
            path,
            pilot,
            stance,
        });
    }
}

/// What the daemon has to hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The peer has sent more prefixes than it may: stop its session
    /// (Cease/1).
    PrefixLimit {
        path: PathId,
        family: Family,
        limit: u32,
    },
    /// The peer's routes are in: its End-of-RIB has come, or has been waited
    /// for long enough.
    InitialRoutes { path: PathId },
    /// `advertise_limit` keeps this many prefixes from the peer by now; 0: no
    /// longer.
    HeldBack {
        path: PathId,
        family: Family,
        prefixes: usize,
    },
}

/// What does not change while the daemon runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub asn: Asn,
    pub router_id: RouterId,
    /// After a restart over which the kernel has forwarded: until when routes
    /// are neither selected nor announced, but for peers that have sent all of
    /// theirs earlier (RFC 4724 §4.1, Selection_Deferral_Timer).
    pub selects_by: Option<Instant>,
}

/// Commands that wait before a sender does: enough that the router always has one.
/// Senders stand in line for a place, each once, so who has little to say waits for
/// these and for one command of each who is before him; in a longer queue he would
/// wait for all that a flood had put there.
const COMMANDS: usize = 2;

/// The way to the router, made before it: the FIB needs it too.
pub fn channel() -> (mpsc::Sender<Command>, mpsc::Receiver<Command>) {
    mpsc::channel(COMMANDS)
}

/// Starts the thread. It ends when every sender of commands is gone.
pub fn spawn(
    settings: Settings,
    fib: Option<fib::Handle>,
    fastpath: Option<fastpath::Handle>,
    events: mpsc::UnboundedSender<Event>,
    commands: mpsc::Receiver<Command>,
) -> io::Result<Steering> {
    let kernel = Threads { fib, fastpath };
    let (steering, steers) = mpsc::unbounded_channel();
    let inputs = Inputs { commands, steers };
    spawn_with(settings, schedule::START, kernel, events, inputs)?;
    Ok(Steering(steering))
}

/// What the thread listens to.
struct Inputs {
    commands: mpsc::Receiver<Command>,
    steers: mpsc::UnboundedReceiver<Steer>,
}

fn spawn_with(
    settings: Settings,
    start: Duration,
    kernel: impl Kernel,
    events: mpsc::UnboundedSender<Event>,
    inputs: Inputs,
) -> io::Result<JoinHandle<()>> {
    // Only for a receive that can end early: nothing else runs here.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    thread::Builder::new()
        .name("router".to_owned())
        .spawn(move || {
            runtime.block_on(run::Router::new(settings, start, kernel, events).run(inputs))
        })
}

/// Whom the router tells of routes and paths.
trait Kernel: Send + 'static {
    /// Whether routes go anywhere.
    fn takes_routes(&self) -> bool;
    /// Takes a batch, or hands it back until [`Command::FibReady`].
    /// `since`: when the oldest UPDATE that has led to them came.
    fn apply(&self, changes: Vec<FibChange>, since: Instant) -> Result<(), Vec<FibChange>>;
    /// Whoever was waited for has spoken: what is left from before the start is
    /// stale, but for routes that `keep` names.
    fn converged(&self, keep: Vec<FibRoute>);
    /// The path's routes are in; traffic may follow them.
    fn path_up(&self, path: PathId);
    /// The session has ended: after the session itself has said so, in case
    /// the two crossed.
    fn path_down(&self, path: PathId, reason: &DownReason);
    /// The peer has taken back all its routes; its session stays.
    fn routes_gone(&self, path: PathId);
    /// It has routes again, which are with the FIB, or its session has ended.
    fn routes_back(&self, path: PathId);
}

struct Threads {
    fib: Option<fib::Handle>,
    fastpath: Option<fastpath::Handle>,
}

impl Kernel for Threads {
    fn takes_routes(&self) -> bool {
        self.fib.is_some()
    }

    fn apply(&self, changes: Vec<FibChange>, since: Instant) -> Result<(), Vec<FibChange>> {
        let fib = self.fib.as_ref();
        fib.map_or(Ok(()), |fib| fib.apply(changes, since))
    }

    fn converged(&self, keep: Vec<FibRoute>) {
        if let Some(fib) = &self.fib {
            fib.converged(keep);
        }
    }

    fn path_up(&self, path: PathId) {
        if let Some(fastpath) = &self.fastpath {
            fastpath.path_up(path, Voice::Session);
        }
    }

    fn path_down(&self, path: PathId, reason: &DownReason) {
        if let Some(fastpath) = &self.fastpath {
            fastpath.path_down(path, Voice::Session, reason.to_string());
        }
    }

    fn routes_gone(&self, path: PathId) {
        if let Some(fastpath) = &self.fastpath {
            let reason = "the peer has withdrawn all its routes".to_owned();
            fastpath.path_down(path, Voice::Routes, reason);
        }
    }

    fn routes_back(&self, path: PathId) {
        if let Some(fastpath) = &self.fastpath {
            fastpath.path_up(path, Voice::Routes);
        }
    }
}
