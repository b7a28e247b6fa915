//! The only owner of nexthops and groups in the kernel. When a path dies, every
//! group that uses it is replaced once, whatever the number of routes.
//!
//! One thread of its own (real-time priority where permitted), which waits on
//! its own netlink socket and on its mailbox. [`Handle`] is the way in;
//! [`Event`]s and [`Notice`]s are the ways out.
//!
//! Routes that share a (best, backup) pair share a group. A group holds the way
//! that carries the traffic and, where a second one is up, a standby
//! ([`crate::netlink::nexthop`] says how): on carrier loss the kernel removes a
//! link's nexthops by itself, and then the standby takes over without us, even
//! if this process is dead. Without a standby the kernel deletes the group and
//! all its routes; they come back with the link ([`Notice`]). A way that is down
//! is never moved to. Ids are in ranges of our own and follow from the pair, so
//! that a restart finds its groups again ([`is_ours`]).

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc as std_mpsc;
use std::time::{Duration, Instant};

use bgp_core::path::Evidence;
use bgp_core::rib::FibRoute;
use bgp_core::{PathId, config};
use tokio::sync::mpsc;

use crate::netlink::{Postbox, mailbox};

mod carrier;
mod groups;
mod ids;
mod objects;
mod paths;
mod worker;

pub use ids::{is_group, is_ours};
use worker::Worker;

/// How a path reaches its link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathLink {
    /// The interface that packets leave by (the VLAN's, for a VIF).
    pub ifindex: u32,
    /// The interface whose carrier counts (the VLAN's parent, for a VIF).
    pub carrier_ifindex: u32,
    /// Used when the path dies and the route has no second best of its own.
    pub backup: Option<(PathId, IpAddr)>,
}

/// What the fast path has seen or done.
#[derive(Clone, Debug)]
pub enum Event {
    Carrier {
        ifindex: u32,
        up: bool,
        at: Instant,
    },
    /// A path has another standing than before. `groups` of them were moved by
    /// one send; `stranded` ones stay on a path that got worse, because nothing
    /// else is better.
    Swapped {
        path: PathId,
        /// [`Standing::is_up`].
        up: bool,
        standing: Standing,
        reason: String,
        groups: usize,
        stranded: usize,
        took: Duration,
    },
}

/// What the FIB has to act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The kernel has deleted these groups, and with them every route that used
    /// them: a link's nexthops go with its carrier.
    GroupsLost(Vec<GroupId>),
    /// Lost groups are back; their routes are not.
    GroupsRestored(Vec<GroupId>),
    /// A link or a gateway is back: a group that could not be made may be now.
    TryAgain,
}

/// A nexthop group's id in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

/// Who may say that a path must not carry traffic. Each is heard by itself; a
/// path is up while it has carrier, [`Voice::Session`] has said that it is, and
/// no other voice says that it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Voice {
    /// The BGP session: Established, and its initial routes are in. For a static
    /// path the daemon, while its interface is there.
    Session,
    Bfd,
    /// The RIB: whether the peer, whose session is up, announces anything still.
    Routes,
    /// Probes, silence, and the hold time after a failure.
    Health,
    /// Drain and drill.
    Operator,
}

/// How fit a path is to carry traffic, the least first. A group goes to the best
/// of its ways by this, then by preference; of ways that are equally bad it stays
/// with the one that it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Never moved to.
    #[default]
    Down,
    /// Works, but the operator wants it empty.
    Drained,
    /// Works again after a failure, and is not trusted yet.
    Held,
    /// Works, but badly.
    Degraded,
    Good,
}

impl Standing {
    /// Not only for want of anything better.
    pub const fn is_up(self) -> bool {
        matches!(self, Self::Degraded | Self::Good)
    }
}

/// Whether a failure of the path holds it until [`Voice::Health`] lifts that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Watched {
    ByHealth,
    #[default]
    ByNobody,
}

/// One path as the fast path sees it.
#[derive(Clone, Debug)]
pub struct PathState {
    pub path: PathId,
    pub link: Option<PathLink>,
    /// [`Standing::is_up`].
    pub up: bool,
    pub standing: Standing,
    /// Why it is not up.
    pub reason: Option<String>,
    /// The groups whose traffic leaves by this path now.
    pub carries: Vec<GroupId>,
    pub last_swap: Option<Swap>,
}

/// The last time that groups were moved off a path or back.
#[derive(Clone, Debug)]
pub struct Swap {
    pub at: Instant,
    pub reason: String,
    pub groups: usize,
    pub took: Duration,
}

/// The way into the fast path's thread. The thread ends when the last clone is
/// gone; it leaves the kernel's objects alone.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: Postbox<Command>,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) nexthops: AtomicU64,
    pub(crate) groups: AtomicU64,
    pub(crate) errors: AtomicU64,
}

pub(crate) enum Command {
    SetLink(PathId, Option<PathLink>),
    SetBackup(PathId, Option<(PathId, IpAddr)>),
    Watch(PathId, Watched),
    Speak(PathId, Said, Instant),
    Group(FibRoute, std_mpsc::SyncSender<io::Result<GroupId>>),
    Release(GroupId),
    Paths(std_mpsc::SyncSender<Vec<PathState>>),
    Listen(Box<dyn Fn(Notice) + Send>),
    Witness(Witness),
    Sweep(std_mpsc::SyncSender<io::Result<usize>>),
    RemoveAll(std_mpsc::SyncSender<io::Result<usize>>),
}

/// What a voice says of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Up(Voice),
    Down(Voice, String),
    /// [`Voice::Health`] only.
    Degraded(String),
    /// [`Voice::Health`] only.
    Held(String),
}

type Witness = Box<dyn Fn(PathId, Evidence, Instant) + Send>;

/// Starts the thread. Nexthops that carry our protocol's mark from an earlier
/// run are kept until [`Handle::sweep`].
pub fn spawn(kernel: &config::Kernel, events: mpsc::UnboundedSender<Event>) -> io::Result<Handle> {
    let (commands, inbox) = mailbox()?;
    let counters = Arc::new(Counters::default());
    let worker = Worker::open(kernel, inbox, events, counters.clone())?;
    let handle = Handle { commands, counters };
    if !handle.fast_swap() {
        tracing::warn!(
            "net.ipv4.nexthop_compat_mode is not 0: moving traffic takes up to a second for a million routes; \
             run `sysctl -w net.ipv4.nexthop_compat_mode=0`, and put it in /etc/sysctl.d"
        );
    }
    std::thread::Builder::new()
        .name("fastpath".into())
        .spawn(move || worker.run())?;
    Ok(handle)
}

impl Handle {
    /// Where a path's packets leave, and whose carrier counts. `None`: not
    /// known (the kernel's own route to the gateway decides), or the path is
    /// gone; its backup stays what it was.
    pub fn set_link(&self, path: PathId, link: Option<PathLink>) {
        self.commands.send(Command::SetLink(path, link));
    }

    /// The backup of a path whose link is not known.
    pub fn set_backup(&self, path: PathId, backup: Option<(PathId, IpAddr)>) {
        self.commands.send(Command::SetBackup(path, backup));
    }

    /// The voice has nothing against the path (any more).
    pub fn path_up(&self, path: PathId, voice: Voice) {
        self.speak(path, Said::Up(voice));
    }

    /// The voice says that the path must not carry traffic. What counts is when
    /// this is called: no other thread is waited for.
    pub fn path_down(&self, path: PathId, voice: Voice, reason: String) {
        self.speak(path, Said::Down(voice, reason));
    }

    /// [`Voice::Health`] says that the path works badly, until it says otherwise.
    pub fn degraded(&self, path: PathId, reason: String) {
        self.speak(path, Said::Degraded(reason));
    }

    /// [`Voice::Health`] says that the path works, and is not trusted yet.
    pub fn held(&self, path: PathId, reason: String) {
        self.speak(path, Said::Held(reason));
    }

    /// From now on a path that was up and loses its carrier, its session or BFD
    /// is held by that, at once, until `path_up(path, Voice::Health)`.
    pub fn watch(&self, path: PathId, watched: Watched) {
        self.commands.send(Command::Watch(path, watched));
    }

    /// Who is told what the paths' carriers and voices say, but for health's own:
    /// called on the fast path's thread after it has acted, so it must not wait.
    pub fn witness(&self, witness: impl Fn(PathId, Evidence, Instant) + Send + 'static) {
        self.commands.send(Command::Witness(Box::new(witness)));
    }

    fn speak(&self, path: PathId, said: Said) {
        self.commands
            .send(Command::Speak(path, said, Instant::now()));
    }

    /// The group for a route, made if there is none. Each call counts as one
    /// use; [`Handle::release`] gives it back. Waits for the kernel.
    pub fn group(&self, route: FibRoute) -> io::Result<GroupId> {
        self.ask(|answer| Command::Group(route, answer))?
    }

    /// One use less; with the last one the group is deleted. No route may
    /// point at it any more: the kernel would delete that too.
    pub fn release(&self, group: GroupId) {
        self.commands.send(Command::Release(group));
    }

    /// Every path that was named so far. Waits for the thread.
    pub fn paths(&self) -> Vec<PathState> {
        self.ask(Command::Paths).unwrap_or_default()
    }

    /// Who is told of [`Notice`]s: called on the fast path's thread, so it must
    /// not wait.
    pub fn listen(&self, listener: impl Fn(Notice) + Send + 'static) {
        self.commands.send(Command::Listen(Box::new(listener)));
    }

    /// Deletes the groups and nexthops of an earlier run that this one has not
    /// taken over; routes that still point at them go too.
    pub fn sweep(&self) -> io::Result<usize> {
        self.ask(Command::Sweep)?
    }

    /// Deletes all groups and nexthops of ours.
    pub fn remove_all(&self) -> io::Result<usize> {
        self.ask(Command::RemoveAll)?
    }

    /// Nexthop objects of ours in the kernel, without the groups.
    pub fn nexthops(&self) -> u64 {
        self.counters.nexthops.load(Ordering::Relaxed)
    }

    /// Nexthop groups of ours in the kernel.
    pub fn groups(&self) -> u64 {
        self.counters.groups.load(Ordering::Relaxed)
    }

    /// Requests that the kernel refused.
    pub fn errors(&self) -> u64 {
        self.counters.errors.load(Ordering::Relaxed)
    }

    /// `net.ipv4.nexthop_compat_mode` is 0: a swap takes the same time whatever
    /// the number of routes.
    pub fn fast_swap(&self) -> bool {
        std::fs::read_to_string(COMPAT_MODE).is_ok_and(|value| value.trim() == "0")
    }

    fn ask<T>(&self, command: impl FnOnce(std_mpsc::SyncSender<T>) -> Command) -> io::Result<T> {
        let (sender, receiver) = std_mpsc::sync_channel(1);
        self.commands.send(command(sender));
        receiver.recv().map_err(|_| {
            io::Error::new(
                io::ErrorKind::BrokenPipe,
                "the fast path's thread has ended",
            )
        })
    }
}

/// 1 (the kernel's default): each replaced nexthop is announced for each route.
const COMPAT_MODE: &str = "/proc/sys/net/ipv4/nexthop_compat_mode";
