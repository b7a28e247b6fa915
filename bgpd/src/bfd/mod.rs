//! BFD against the real world (RFC 5881, RFC 5883): one thread of its own, at
//! real-time priority where permitted, which waits on its sockets and its mailbox.
//!
//! When a session goes down it tells the fast path first, directly, then the
//! peer's BGP session (through a `tokio::sync::watch`, which never waits), then the
//! daemon, which writes it down. [`Handle`] is the way in.
//!
//! Nothing is allocated while nothing changes, and a loop that is late never makes
//! a false Down: before silence is judged the sockets are emptied, packets count
//! from when the kernel received them, and a timer that is looked at late is
//! extended once.

mod socket;
mod watched;
mod worker;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::time::{Duration, Instant};

use bgp_core::PathId;
use bgp_core::api::BfdStatus;
use bgp_core::bfd::{Damping, Settings, Verdict};
use bgp_core::config::BgpWaits;
use tokio::sync::{mpsc, watch};

use crate::fastpath;
use crate::netlink::{Postbox, mailbox};
use worker::Worker;

/// Whom to watch, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub path: PathId,
    pub name: Arc<str>,
    pub remote: IpAddr,
    /// The address that the far end knows us by.
    pub local: Option<IpAddr>,
    pub interface: Option<String>,
    pub hops: Hops,
    pub settings: Settings,
    pub damping: Damping,
    pub wait: BgpWaits,
}

/// RFC 5881, or RFC 5883.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hops {
    Single,
    Multi,
}

/// What the daemon writes down.
#[derive(Clone, Debug)]
pub enum Event {
    /// What BFD says of the path has changed.
    Said {
        path: PathId,
        verdict: Verdict,
        at: Instant,
    },
    /// The session is up again, but has flapped and is not believed for a while.
    Damped { path: PathId, wait: Duration },
    /// The far end has stopped speaking BFD while BGP gets through.
    Unheard { path: PathId },
    /// The far end goes on saying that it hears nothing of us, and we hear it.
    OneWay { path: PathId, at: Instant },
    /// It says so no more; what is known of the path instead.
    OneWayOver {
        path: PathId,
        verdict: Verdict,
        at: Instant,
    },
    /// No session can be had, and why; tried again.
    Failed { path: PathId, reason: String },
}

/// Where the peer's BGP session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bgp {
    Established,
    Down,
}

/// The way into the thread, which ends when the last clone is gone.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: Postbox<Command>,
}

pub(crate) enum Command {
    Watch(Box<Peer>, watch::Sender<Verdict>),
    Forget(PathId),
    Bgp(PathId, Bgp),
    Disable(std_mpsc::SyncSender<()>),
    States(std_mpsc::SyncSender<Vec<(PathId, BfdStatus)>>),
}

/// Starts the thread.
pub fn spawn(
    fastpath: Option<fastpath::Handle>,
    events: mpsc::UnboundedSender<Event>,
) -> io::Result<Handle> {
    let (commands, inbox) = mailbox()?;
    let worker = Worker::new(inbox, fastpath, events);
    std::thread::Builder::new()
        .name("bfd".into())
        .spawn(move || worker.run())?;
    Ok(Handle { commands })
}

impl Handle {
    /// Watches a peer from now on; one that is watched already goes on without a
    /// flap, with what is new. The receiver has what is known of it.
    pub fn watch(&self, peer: Peer) -> watch::Receiver<Verdict> {
        let (sender, receiver) = watch::channel(Verdict::Unknown);
        self.commands.send(Command::Watch(Box::new(peer), sender));
        receiver
    }

    pub fn forget(&self, path: PathId) {
        self.commands.send(Command::Forget(path));
    }

    /// BGP's Established says that packets get through, whatever has become of the
    /// far end's BFD.
    pub fn bgp_is(&self, path: PathId, bgp: Bgp) {
        self.commands.send(Command::Bgp(path, bgp));
    }

    /// All sessions become AdminDown, so that nobody takes our end for a failure.
    /// Waits until the thread has said so.
    pub fn disable(&self) {
        let (sender, receiver) = std_mpsc::sync_channel(1);
        self.commands.send(Command::Disable(sender));
        // A thread that has ended has nothing to say.
        let _ = receiver.recv();
    }

    /// Waits for the thread.
    pub fn states(&self) -> Vec<(PathId, BfdStatus)> {
        let (sender, receiver) = std_mpsc::sync_channel(1);
        self.commands.send(Command::States(sender));
        receiver.recv().unwrap_or_default()
    }
}
