//! Which flows were moved by a swap, and which of them can't go on as they are.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::net::IpAddr;

use bgp_core::PathId;
use bgp_core::config::Conntrack;
use nix::sys::socket::SockaddrStorage;

use super::{Plan, Treatment};
use crate::fastpath::{GroupId, PathState};
use crate::netlink::conntrack::{self, Flow};
use crate::netlink::{Batch, Socket, route};

/// The path that carries each group's traffic, when it was last looked at.
#[derive(Default)]
pub(super) struct Carriers(HashMap<GroupId, PathId>);

impl Carriers {
    /// The groups that another path carries than before, by (from, to).
    pub(super) fn moved(
        &mut self,
        states: &[PathState],
    ) -> BTreeMap<(PathId, PathId), HashSet<u32>> {
        let carried = |state: &PathState| {
            let path = state.path;
            let groups = state.carries.clone();
            groups.into_iter().map(move |group| (group, path))
        };
        let now: HashMap<GroupId, PathId> = states.iter().flat_map(carried).collect();
        let mut moved: BTreeMap<_, HashSet<u32>> = BTreeMap::new();
        for (group, to) in &now {
            if let Some(from) = self.0.get(group).filter(|from| *from != to) {
                moved.entry((*from, *to)).or_default().insert(group.0);
            }
        }
        // What nobody carries at the moment is remembered where it was.
        self.0.retain(|group, _| !now.contains_key(group));
        if self.0.len() > FORGOTTEN {
            self.0.clear();
        }
        self.0.extend(now);
        moved
    }
}

/// One swap, as flows see it.
pub(super) struct Move {
    groups: HashSet<u32>,
    /// Of the path that has them now.
    treatment: Treatment,
    addresses: Vec<IpAddr>,
}

/// Entries looked at, and deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flushed {
    pub seen: usize,
    pub deleted: usize,
}

impl Move {
    /// `None`: neither path asks for a flush.
    pub(super) fn new(
        plan: &Plan,
        (from, to): (PathId, PathId),
        groups: HashSet<u32>,
        states: &[PathState],
    ) -> Option<Self> {
        let treatment = |path| plan.paths.get(&path).cloned().unwrap_or_default();
        let (old, new) = (treatment(from), treatment(to));
        if old.conntrack == Conntrack::Keep && new.conntrack == Conntrack::Keep {
            return None;
        }
        let state = states.iter().find(|state| state.path == to);
        let link = state.and_then(|state| state.link.as_ref());
        Some(Self {
            groups,
            treatment: new,
            addresses: link.map_or_else(Vec::new, |link| addresses(link.ifindex)),
        })
    }

    /// Deletes entries that can't go on, until there are none: the kernel's table
    /// may shift while it is read.
    pub(super) fn flush(&self) -> io::Result<Flushed> {
        let mut all = Flushed::default();
        for _ in 0..PASSES {
            let pass = self.pass()?;
            all.seen = all.seen.max(pass.seen);
            all.deleted += pass.deleted;
            if pass.deleted == 0 {
                break;
            }
        }
        Ok(all)
    }

    fn pass(&self) -> io::Result<Flushed> {
        let mut reader = Socket::netfilter()?;
        let mut ways = Ways::new()?;
        let mut eraser = Eraser::new()?;
        let mut seen = 0;
        let mut dump = Batch::new();
        conntrack::dump(&mut dump);
        reader.dump(&mut dump, |message| {
            let Some(flow) = Flow::read(&message) else {
                return;
            };
            seen += 1;
            // The route is asked for last: it costs the most.
            if self.is_unfit(&flow)
                && ways
                    .group(flow.destination)
                    .is_some_and(|group| self.groups.contains(&group))
            {
                eraser.delete(&flow);
            }
        })?;
        Ok(Flushed {
            seen,
            deleted: eraser.finish()?,
        })
    }

    /// Whether the path that has the flow now would not carry its source address, or
    /// would give it another.
    fn is_unfit(&self, flow: &Flow) -> bool {
        if flow.is_source_translated {
            // As the path that it has left has it, or a rule for that one.
            return !self.addresses.contains(&flow.seen_as);
        }
        let Treatment {
            masquerades,
            conntrack,
        } = &self.treatment;
        match conntrack {
            // Someone else's rules translate there.
            Conntrack::Flush if masquerades.is_empty() => true,
            Conntrack::Flush | Conntrack::Keep => {
                masquerades.iter().any(|net| net.contains(&flow.source))
            }
        }
    }
}

/// Which group the kernel's routes send a destination to.
struct Ways {
    socket: Socket,
    batch: Batch,
    known: HashMap<IpAddr, Option<u32>>,
}

impl Ways {
    fn new() -> io::Result<Self> {
        Ok(Self {
            socket: Socket::new()?,
            batch: Batch::new(),
            known: HashMap::new(),
        })
    }

    fn group(&mut self, destination: IpAddr) -> Option<u32> {
        if let Some(group) = self.known.get(&destination) {
            return *group;
        }
        route::matching(&mut self.batch, destination);
        let route = self
            .socket
            .ask(&mut self.batch, |message| route::Seen::read(&message));
        let group = route.ok().flatten().and_then(|route| route.nexthop);
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known.insert(destination, group);
        group
    }
}

/// Deletes entries by the batch.
struct Eraser {
    socket: Socket,
    batch: Batch,
    deleted: usize,
    failed: Option<io::Error>,
}

impl Eraser {
    fn new() -> io::Result<Self> {
        Ok(Self {
            socket: Socket::netfilter()?,
            batch: Batch::new(),
            deleted: 0,
            failed: None,
        })
    }

    fn delete(&mut self, flow: &Flow) {
        conntrack::delete(&mut self.batch, flow);
        if self.batch.len() == BATCH {
            self.send();
        }
    }

    fn send(&mut self) {
        let asked = self.batch.len();
        let mut gone = 0;
        // ENOENT: it has ended by itself.
        let sent = self.socket.execute(&mut self.batch, |_| gone += 1);
        self.deleted += asked - gone;
        self.failed = sent.err().or(self.failed.take());
    }

    fn finish(mut self) -> io::Result<usize> {
        self.send();
        self.failed.map_or(Ok(self.deleted), Err)
    }
}

/// The addresses of an interface.
fn addresses(ifindex: u32) -> Vec<IpAddr> {
    let Ok(name) = nix::net::if_::if_indextoname(ifindex) else {
        return Vec::new();
    };
    let Ok(all) = nix::ifaddrs::getifaddrs() else {
        return Vec::new();
    };
    all.filter(|entry| *entry.interface_name == *name.to_string_lossy())
        .filter_map(|entry| ip(entry.address.as_ref()?))
        .collect()
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
}

/// Deletions in one send: the kernel does them in less than a millisecond.
const BATCH: usize = 256;
const PASSES: usize = 3;
/// Destinations whose route is remembered within a pass.
const REMEMBERED: usize = 65_536;
/// Groups that nobody carries and that are remembered.
const FORGOTTEN: usize = 65_536;
