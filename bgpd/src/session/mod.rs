//! Drives one peer: the core's state machine, its connections and timers, on a
//! task of its own.
//!
//! In: bytes become messages, UPDATEs go to the router by the batch; while the
//! router has not taken one, nothing more is read, and TCP slows the peer down.
//! Out: what the router has to say waits in a queue that never holds up reading,
//! timers or keepalives.

mod admission;
mod driver;
mod link;
mod outgoing;
mod report;
mod to_router;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use bgp_core::api::MessageCounts;
use bgp_core::bfd::Verdict;
use bgp_core::config::{self, AuthKey};
use bgp_core::peer::{DownReason, Negotiated, State, StopReason};
use bgp_core::{PathId, RouterId};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::panics::{self, Panic};
use crate::transport::Connection;
use crate::{bfd, fastpath, router};

/// What a session is made from.
pub struct Settings {
    pub path: PathId,
    pub peer: Arc<config::Peer>,
    pub router_id: RouterId,
    /// Read from the peer's `auth_key_file`. A peer that has the file but no key
    /// here stays down.
    pub key: Option<AuthKey>,
    /// After a restart over which the kernel has forwarded: when routes are
    /// selected at the latest.
    pub restarting_until: Option<Instant>,
    pub bfd: Option<Bfd>,
}

/// What watches the way to the peer.
pub struct Bfd {
    pub path: PathId,
    pub handle: bfd::Handle,
    pub verdict: watch::Receiver<Verdict>,
}

/// What the daemon tells a session.
pub enum Command {
    /// The listener has a connection from this peer's address.
    Accepted(Connection),
    /// Carrier (or the interface) is gone, or back.
    LinkDown(&'static str),
    LinkUp,
    /// BFD was switched on or off, or has other settings.
    Bfd(Option<Bfd>),
    /// Stop for good, or until `Start`.
    Stop(StopReason),
    Start,
}

/// What the daemon can see of a session, through a `tokio::sync::watch`. Counts
/// change without waking who waits for a change.
#[derive(Clone, Debug)]
pub struct Status {
    pub state: State,
    /// When this state began.
    pub since: Instant,
    pub negotiated: Option<Negotiated>,
    pub local: Option<IpAddr>,
    pub last_down: Option<DownReason>,
    /// `last_down`, or the cause of an attempt's failure (an MD5 mismatch, a
    /// refused connection), in words, with what to do.
    pub last_error: Option<String>,
    pub flaps: u64,
    pub messages: MessageCounts,
}

/// The way to a running session. When `commands` is dropped, the session says
/// goodbye to its peer and ends.
pub struct Handle {
    pub commands: mpsc::Sender<Command>,
    pub status: watch::Receiver<Status>,
    pub task: JoinHandle<Result<(), Panic>>,
}

/// Starts the session's task, and the session with it.
pub fn spawn(
    settings: Settings,
    router: mpsc::Sender<router::Command>,
    fastpath: Option<fastpath::Handle>,
) -> Handle {
    let (commands, inbox) = mpsc::channel(COMMANDS);
    let (status_sender, status) = watch::channel(Status::new());
    let driver = Box::new(driver::Driver::new(
        settings,
        inbox,
        router,
        fastpath,
        status_sender,
    ));
    let task = tokio::spawn(panics::isolated_task(driver.run()));
    Handle {
        commands,
        status,
        task,
    }
}

impl Status {
    fn new() -> Self {
        Self {
            state: State::Idle,
            since: Instant::now(),
            negotiated: None,
            local: None,
            last_down: None,
            last_error: None,
            flaps: 0,
            messages: MessageCounts::default(),
        }
    }
}

const COMMANDS: usize = 32;
