//! The thread: takes changes in batches, turns them into requests, and keeps
//! the picture of what the kernel holds.

use std::collections::HashSet;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::time::{Duration, Instant};

use bgp_core::config::OnShutdown;
use bgp_core::rib::{FibChange, FibRoute};
use bgp_core::{Family, config};
use ipnet::IpNet;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use tokio::sync::mpsc;

use super::interference::Interference;
use super::kernel::{Kernel, What};
use super::picture::{Picture, SlotId};
use super::slots::Slots;
use super::{Command, Shared};
use crate::fastpath::{self, GroupId, Notice};
use crate::netlink::route::{Place, Put, Seen};
use crate::netlink::{Mailbox, Taken};
use crate::{realtime, router};

pub(super) struct Worker {
    pub(super) kernel: Kernel,
    pub(super) picture: Picture,
    pub(super) slots: Slots,
    pub(super) shared: Arc<Shared>,
    inbox: Mailbox<Command>,
    interference: Interference,
    fastpath: fastpath::Handle,
    router: mpsc::Sender<router::Command>,
    /// Routes of an earlier run with another priority.
    strays: Vec<(IpNet, Place, GroupId)>,
    /// Prefixes whose place in the kernel another program's route takes.
    pub(super) blocked: HashSet<IpNet>,
    /// The router waits for [`router::Command::FibReady`].
    ready_owed: bool,
    /// The groups of routes of an earlier run that outlive the sweep.
    kept: Vec<GroupId>,
    audit_at: Instant,
    /// Grows while audits that were called for early don't help.
    pub(super) audit_soon: Duration,
    retry_at: Option<Instant>,
}

impl Worker {
    pub(super) fn open(
        kernel: &config::Kernel,
        fastpath: fastpath::Handle,
        router: mpsc::Sender<router::Command>,
        inbox: Mailbox<Command>,
        shared: Arc<Shared>,
    ) -> io::Result<Self> {
        let kernel = Kernel::open(kernel)?;
        let protocol = kernel.place(Family::Ipv4).protocol;
        let interference = Interference::listen(kernel.socket.port(), protocol)?;
        Ok(Self {
            kernel,
            picture: Picture::default(),
            slots: Slots::default(),
            shared,
            inbox,
            interference,
            fastpath,
            router,
            strays: Vec::new(),
            blocked: HashSet::new(),
            ready_owed: false,
            kept: Vec::new(),
            audit_at: Instant::now() + AUDIT_EVERY,
            audit_soon: AUDIT_SOON,
            retry_at: None,
        })
    }

    pub(super) fn run(mut self) {
        realtime::stand_aside("fib");
        if let Err(error) = self.adopt() {
            tracing::error!(
                "the kernel's routes can't be read, so none of an earlier run are kept in order: {error}"
            );
            self.shared.errors.fetch_add(1, Relaxed);
        }
        loop {
            match self.inbox.take() {
                Taken::Item(command) => {
                    if self.obey(command).is_break() {
                        return;
                    }
                }
                Taken::Empty => self.wait(),
                Taken::Closed => return,
            }
            self.settle();
            // Between any two batches: a long load must not make these wait.
            self.answer_interference();
            let now = Instant::now();
            if self.retry_at.take_if(|at| *at <= now).is_some() {
                self.try_waiting();
            }
            if self.audit_at <= now {
                self.audit_at = now + AUDIT_EVERY;
                self.audit();
            }
        }
    }

    fn wait(&mut self) {
        let now = Instant::now();
        let mut until = self
            .retry_at
            .map_or(self.audit_at, |at| at.min(self.audit_at));
        if self.ready_owed {
            until = until.min(now + FULL_CHANNEL_WAIT);
        }
        let timeout = TimeSpec::from(until.saturating_duration_since(now));
        let mut waiting = [
            PollFd::new(self.inbox.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.interference.as_fd(), PollFlags::POLLIN),
        ];
        // Interrupted or not: what is there is looked at.
        let _ = ppoll(&mut waiting, Some(timeout), None);
        self.inbox.acknowledge();
    }

    fn obey(&mut self, command: Command) -> ControlFlow<()> {
        match command {
            Command::Apply(batch, since) => {
                self.shared.queued.fetch_sub(batch.len(), AcqRel);
                batch.iter().for_each(|change| self.apply(change));
                self.kernel.flush();
                self.shared.latency.observe(since.elapsed().as_secs_f64());
            }
            Command::Ready => self.ready_owed = true,
            Command::Converged(keep) => self.sweep(&keep),
            Command::Carried(answer) => drop(answer.send(self.slots.routes_by_group())),
            Command::Audit(answer) => drop(answer.send(self.audit())),
            Command::Notice(notice) => self.note(&notice),
            Command::Shutdown(routes, done) => {
                self.shut_down(routes);
                let _ = done.send(());
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    fn apply(&mut self, change: &FibChange) {
        let prefix = change.prefix.trunc();
        let slot = change.route.and_then(|route| {
            let (slot, result) = self.slots.for_route(&route, || self.fastpath.group(route));
            if let Err(error) = result {
                tracing::warn!("{prefix} and others wait outside the kernel: {error}");
                self.shared.errors.fetch_add(1, Relaxed);
            }
            slot
        });
        let before = match slot {
            Some(slot) => self.picture.insert(&prefix, slot),
            None => self.picture.remove(&prefix),
        };
        // Whatever is there is not ours.
        let blocked = !self.blocked.is_empty() && self.blocked.remove(&prefix);
        let was = before
            .and_then(|slot| self.slots.get(slot).in_kernel())
            .filter(|_| !blocked);
        let wanted = slot.and_then(|slot| self.slots.get(slot).in_kernel());
        if let Some(before) = before {
            self.slots.get_mut(before).routes -= 1;
        }
        if let Some(slot) = slot {
            self.slots.get_mut(slot).routes += 1;
        }
        match (was, wanted) {
            (was, wanted) if was == wanted => {}
            (Some(_), Some(group)) => self.kernel.put(&prefix, group, Put::Replace),
            (None, Some(group)) => self.kernel.put(&prefix, group, Put::New),
            (Some(group), None) => self.kernel.delete(&prefix, group),
            (None, None) => {}
        }
    }

    /// Ends a round: everything is sent, refusals are looked at, groups that no
    /// route points at any more are given back.
    fn settle(&mut self) {
        self.kernel.flush();
        self.judge_refusals();
        for group in self.slots.collect() {
            self.fastpath.release(group);
        }
        if !self.slots.waiting().is_empty() {
            self.retry_at
                .get_or_insert_with(|| Instant::now() + RETRY_EVERY);
        }
        let routes = self.slots.installed_routes();
        let routes = routes.saturating_sub(self.blocked.len() as u64);
        self.shared.routes.store(routes, Relaxed);
        if self.ready_owed {
            let sent = self.router.try_send(router::Command::FibReady);
            self.ready_owed = matches!(sent, Err(mpsc::error::TrySendError::Full(_)));
        }
    }

    /// A refusal means that the kernel holds something else than the picture
    /// says: the next audit, which is due soon, sets it right.
    pub(super) fn judge_refusals(&mut self) {
        let failures = std::mem::take(&mut self.kernel.failures);
        let refused = std::mem::take(&mut self.kernel.refused);
        let taken = refused.iter().filter(|(request, refusal)| {
            request.what == What::Put && refusal.errno == libc::EEXIST
        });
        self.blocked
            .extend(taken.map(|(request, _)| request.prefix));
        let Some((request, refusal)) = refused.first() else {
            if failures > 0 {
                self.audit_by_and_by();
            }
            return;
        };
        self.shared
            .errors
            .fetch_add(refused.len() as u64 + failures, Relaxed);
        let others = match refused.len() {
            1 => String::new(),
            more => format!(" and {} more", more - 1),
        };
        let Place {
            table, priority, ..
        } = self.kernel.place(Family::of(request.prefix.network()));
        match (request.what, refusal.errno) {
            (What::Put, libc::EEXIST) => tracing::warn!(
                "{}{others}: another program's route with metric {priority} is in table {table} already and stays; \
                 set another metric in [bgpd.kernel], or remove it with `ip route del {} metric {priority} table {table}`",
                request.prefix,
                request.prefix
            ),
            (what, _) => tracing::warn!(
                "{}{others}: the kernel refused to {what}: {refusal}",
                request.prefix
            ),
        }
        self.audit_by_and_by();
    }

    /// After a refusal, or something else that the next audit may not help with.
    pub(super) fn audit_by_and_by(&mut self) {
        if Instant::now() + self.audit_soon < self.audit_at {
            self.audit_within(self.audit_soon);
            self.audit_soon = (self.audit_soon * 2).min(AUDIT_EVERY);
        }
    }

    fn audit_within(&mut self, time: Duration) {
        self.audit_at = self.audit_at.min(Instant::now() + time);
    }

    /// Finds the routes of an earlier run, which stay until the RIB has spoken.
    fn adopt(&mut self) -> io::Result<()> {
        let (picture, slots, strays) = (&mut self.picture, &mut self.slots, &mut self.strays);
        let places = Family::ALL.map(|family| self.kernel.place(family));
        let mut adopted = 0;
        self.kernel.dump(|seen, group| {
            if !places.contains(&seen.place) {
                return strays.push((seen.prefix, seen.place, group));
            }
            let slot = slots.for_leftover(group);
            if picture.insert(&seen.prefix, slot).is_none() {
                slots.get_mut(slot).routes += 1;
                adopted += 1;
            }
        })?;
        if adopted > 0 {
            tracing::info!(
                "{adopted} routes of an earlier run are kept until the peers have announced theirs"
            );
        }
        self.shared.adopted.store(adopted, Relaxed);
        self.shared.routes.store(adopted, Relaxed);
        Ok(())
    }

    /// What nobody has announced again goes, but for what points at the groups
    /// of `keep`; then its groups and nexthops.
    fn sweep(&mut self, keep: &[FibRoute]) {
        let kept = self.take_over(keep);
        let stale = self.picture.iter().filter(|(_, slot)| {
            let slot = self.slots.get(*slot);
            slot.route.is_none() && slot.group.is_none_or(|group| !kept.contains(&group))
        });
        let stale: Vec<(IpNet, SlotId)> = stale.collect();
        for (prefix, slot) in &stale {
            self.picture.remove(prefix);
            let group = self.slots.get(*slot).in_kernel();
            self.slots.get_mut(*slot).routes -= 1;
            if let Some(group) = group {
                self.kernel.delete(prefix, group);
            }
        }
        for (prefix, place, group) in std::mem::take(&mut self.strays) {
            self.kernel.delete_at(&prefix, &place, group);
        }
        self.settle();
        for group in std::mem::replace(&mut self.kept, kept) {
            self.fastpath.release(group);
        }
        self.shared.adopted.fetch_sub(stale.len() as u64, Relaxed);
        match self.fastpath.sweep() {
            Ok(0) if stale.is_empty() => {}
            Ok(nexthops) => {
                tracing::info!(
                    "{} stale routes and {nexthops} nexthops of an earlier run were removed",
                    stale.len()
                );
            }
            Err(error) => tracing::warn!("nexthops of an earlier run were not removed: {error}"),
        }
    }

    /// The groups of these routes that the earlier run has left: by now the fast
    /// path moves them with their paths, and does not sweep them.
    fn take_over(&self, routes: &[FibRoute]) -> Vec<GroupId> {
        let mut groups = Vec::new();
        if !self.slots.has_leftovers() {
            return groups;
        }
        for route in routes {
            // Without a usable way out there is no group, and nothing to keep.
            let Ok(group) = self.fastpath.group(*route) else {
                continue;
            };
            if self.slots.is_leftover(group) {
                groups.push(group);
            } else {
                self.fastpath.release(group);
            }
        }
        groups
    }

    fn note(&mut self, notice: &Notice) {
        match notice {
            Notice::GroupsLost(groups) => {
                for slot in self.slots.of_groups(groups) {
                    self.slots.get_mut(slot).installed = false;
                }
            }
            Notice::GroupsRestored(groups) => {
                let slots = self.slots.of_groups(groups);
                self.reinstall(&slots);
            }
            Notice::TryAgain => self.try_waiting(),
        }
    }

    /// Asks again for groups that could not be made.
    fn try_waiting(&mut self) {
        let mut back = Vec::new();
        for (id, slot) in self.slots.waiting() {
            let (Some(route), None) = (slot.route, slot.group) else {
                continue;
            };
            if let Ok(group) = self.fastpath.group(route) {
                self.slots.get_mut(id).group = Some(group);
                back.push(id);
            }
        }
        self.reinstall(&back);
    }

    /// Puts all routes of slots whose groups exist (again) into the kernel.
    fn reinstall(&mut self, slots: &[SlotId]) {
        let missing: HashSet<SlotId> = slots
            .iter()
            .copied()
            .filter(|slot| !self.slots.get(*slot).installed)
            .collect();
        if missing.is_empty() {
            return;
        }
        for slot in &missing {
            self.slots.get_mut(*slot).installed = true;
        }
        for (prefix, slot) in self
            .picture
            .iter()
            .filter(|(_, slot)| missing.contains(slot))
        {
            if let Some(group) = self.slots.get(slot).group {
                self.kernel.put(&prefix, group, Put::New);
            }
        }
        self.settle();
    }

    /// Puts routes of ours that another program has deleted back. What it has
    /// replaced, and what could not be heard, the audit has to find.
    fn answer_interference(&mut self) {
        let heard = self.interference.take();
        if heard.overrun {
            tracing::warn!(
                "the kernel told of more changes than could be heard: all routes are compared in {} s",
                AUDIT_DIFFERENT.as_secs()
            );
            self.shared.overruns.fetch_add(1, Relaxed);
        }
        if heard.overrun
            || heard
                .replaced
                .iter()
                .any(|seen| self.wanted_at(seen).is_some())
        {
            self.audit_within(AUDIT_DIFFERENT);
        }
        let mut restored = 0;
        for seen in heard.deleted {
            if let Some(group) = self.wanted_at(&seen) {
                self.kernel.put(&seen.prefix, group, Put::New);
                restored += 1;
            }
        }
        self.kernel.flush();
        // Where our own repair has overtaken the notification the route is there
        // already; the audit can tell it from another program's.
        let overtaken = self
            .kernel
            .refused
            .extract_if(.., |(_, refusal)| refusal.errno == libc::EEXIST);
        if overtaken.count() > 0 {
            self.audit_within(AUDIT_DIFFERENT);
        }
        if restored > 0 {
            tracing::warn!("another program deleted {restored} of our routes; they are back");
            self.shared.differences.fetch_add(restored, Relaxed);
        }
    }

    /// The group that the route in this place should point at.
    fn wanted_at(&self, seen: &Seen) -> Option<GroupId> {
        let Place {
            table, priority, ..
        } = self.kernel.place(Family::of(seen.prefix.network()));
        let is_ours = seen.place.table == table && seen.place.priority == priority;
        let slot = self.picture.slot(&seen.prefix).filter(|_| is_ours)?;
        self.slots.get(slot).in_kernel()
    }

    fn shut_down(&mut self, routes: OnShutdown) {
        self.kernel.flush();
        match routes {
            OnShutdown::Keep => {}
            OnShutdown::Remove => {
                for (prefix, slot) in self.picture.iter() {
                    if let Some(group) = self.slots.get(slot).in_kernel() {
                        self.kernel.delete(&prefix, group);
                    }
                }
                for (prefix, place, group) in &self.strays {
                    self.kernel.delete_at(prefix, place, *group);
                }
                self.kernel.flush();
                self.judge_refusals();
                if let Err(error) = self.fastpath.remove_all() {
                    tracing::warn!("nexthops were not removed: {error}");
                }
            }
        }
    }
}

const AUDIT_EVERY: Duration = Duration::from_secs(300);
pub(super) const AUDIT_SOON: Duration = Duration::from_secs(2);
/// What is known to differ waits as long as one who changes much needs.
const AUDIT_DIFFERENT: Duration = Duration::from_secs(1);
/// Nobody tells when a gateway that no route led to becomes reachable.
const RETRY_EVERY: Duration = Duration::from_secs(2);
const FULL_CHANNEL_WAIT: Duration = Duration::from_millis(10);
