//! The thread: sends what is due, hears what comes, gives up what doesn't. It wakes
//! at absolute times, at most once in 10 ms unless a suspicion is to be proved: the
//! kernel's timestamps don't mind when they are read.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use bgp_core::PathId;
use bgp_core::path::{self, Kind, Sample};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use smallvec::SmallVec;

use super::channel::{Channel, Heard, Of, Purpose};
use super::clock::Now;
use super::mark::{Mark, Token};
use super::slots::Slots;
use super::stamp::Reply;
use super::target::{PROOF, Probed};
use super::watch::{Order, Seen, Watch, Watched, Witness};
use super::{Command, Listener, Measured, Target};
use crate::netlink::{Mailbox, Taken};
use crate::realtime;

pub(super) struct Worker {
    mark: Mark,
    targets: BTreeMap<u16, Probed>,
    /// The order in which they were given.
    order: Vec<u16>,
    slots: Slots,
    /// Which target is due next; one that has gone, or was due before, is passed over.
    due: BinaryHeap<Reverse<(Instant, u16)>>,
    channels: BTreeMap<Purpose, Channel>,
    watch: Watch,
    proofs: u32,
    inbox: Mailbox<Command>,
    listener: Box<dyn Listener>,
    samples: Vec<Sample>,
    /// No probe is lost before.
    give_up_at: Option<Instant>,
    /// When to look for interfaces again.
    look_at: Instant,
    /// Since when something may be there to hear: the first that was sent after the
    /// last look, or that look itself where it found something.
    unheard_since: Option<Instant>,
}

impl Worker {
    pub(super) fn new(inbox: Mailbox<Command>, listener: Box<dyn Listener>) -> Self {
        let now = Instant::now();
        Self {
            mark: Mark::new(),
            targets: BTreeMap::new(),
            order: Vec::new(),
            slots: Slots::default(),
            due: BinaryHeap::new(),
            channels: BTreeMap::new(),
            watch: Watch::default(),
            proofs: 0,
            inbox,
            listener,
            samples: Vec::new(),
            give_up_at: None,
            look_at: now + LOOK,
            unheard_since: None,
        }
    }

    pub(super) fn run(mut self) {
        realtime::enter("probe");
        loop {
            // What is there is heard before anything is concluded from the time.
            if self.wait() == Ready::Sockets {
                self.receive();
            }
            if self.obey() == End::Come {
                return;
            }
            let now = Now::read();
            self.look_for_interfaces(now.instant);
            self.give_up(now.instant);
            self.send_due(now);
            self.watch(now.instant);
            self.flush();
            self.tell();
        }
    }

    fn wait(&self) -> Ready {
        let now = Instant::now();
        // What comes is heard in company, but no later for what is sent meanwhile.
        let calm = self.unheard_since.map_or(now, |since| since + GRAIN);
        let hurries = self.watch.is_proving();
        let due = self.due.peek().map(|Reverse((due, _))| *due);
        let idle = self.watch.next_idle();
        let lazy = due.into_iter().chain(self.give_up_at).chain(idle);
        let lazy = lazy.chain([self.look_at]).min();
        let lazy = lazy.map(|at| at.max(calm));
        let wake = lazy.into_iter().chain(self.watch.next()).min();
        let alone = !hurries && now < calm;
        let wake = if alone {
            wake.map(|at| at.min(calm))
        } else {
            wake
        };
        let timeout = wake.map(|at| TimeSpec::from(at.saturating_duration_since(now)));
        let mut waiting: SmallVec<[PollFd<'_>; 8]> = SmallVec::new();
        waiting.push(PollFd::new(self.inbox.as_fd(), PollFlags::POLLIN));
        if !alone {
            let channels = self.channels.values();
            waiting.extend(channels.map(|one| PollFd::new(one.as_fd(), PollFlags::POLLIN)));
        }
        // Interrupted or not: what is there is looked at.
        let _ = ppoll(&mut waiting, timeout, None);
        let may_hear = |one: &PollFd<'_>| one.any().unwrap_or(true);
        let calm_is_over = alone && Instant::now() >= calm;
        match calm_is_over || waiting.iter().skip(1).any(may_hear) {
            true => Ready::Sockets,
            false => Ready::Nothing,
        }
    }

    fn receive(&mut self) {
        let mut heard = Vec::new();
        self.channels.retain(|purpose, channel| {
            let outcome = channel.receive(|one| heard.push((purpose.kind, one)));
            if let Err(error) = &outcome {
                // The next probe opens another one.
                tracing::debug!("probes {purpose:?}: {error}");
            }
            outcome.is_ok()
        });
        let now = Now::read();
        self.unheard_since = (!heard.is_empty()).then_some(now.instant);
        for (kind, one) in heard {
            self.hear(kind, one, now);
        }
    }

    fn hear(&mut self, kind: Kind, heard: Heard, now: Now) {
        match heard {
            Heard::Left { token, at } => {
                if let Some(probed) = self.targets.get_mut(&token.slot) {
                    probed.window.left(token.sequence, at);
                }
            }
            Heard::Refused(token) => {
                if let Some(probed) = self.targets.get_mut(&token.slot) {
                    probed.window.withdraw(token.sequence);
                }
            }
            Heard::Answer {
                of,
                from,
                ifindex,
                at,
            } => {
                let Some(token) = self.match_up(kind, &of, from, ifindex) else {
                    return;
                };
                let reply = match &of {
                    Of::Reflected(reply) => Some(reply),
                    Of::Token(_) | Of::Half { .. } | Of::Newest => None,
                };
                self.answered(token, ifindex, at, reply, now);
            }
        }
    }

    /// The probe that an answer belongs to.
    fn match_up(
        &self,
        kind: Kind,
        of: &Of,
        from: SocketAddr,
        ifindex: Option<u32>,
    ) -> Option<Token> {
        let is_at = |probed: &Probed| {
            let at = probed.target.at;
            at.kind == kind
                && at.address == from.ip()
                && probed.is_reached_by(ifindex)
                && (from.port() == at.port || kind == Kind::Tcp)
        };
        let token = |slot, sequence| Token { slot, sequence };
        match of {
            Of::Token(token) => Some(*token),
            Of::Half { slot, sequence } => {
                let probed = self.targets.get(slot).filter(|one| is_at(one))?;
                Some(token(*slot, probed.window.ending_in(*sequence)?))
            }
            Of::Newest => {
                let mut all = self.targets.iter();
                let (slot, probed) = all.find(|(_, probed)| is_at(probed))?;
                Some(token(*slot, probed.window.newest()?))
            }
            Of::Reflected(reply) => {
                // RFC 8762's reflectors don't return the session's identifier.
                let named = self.targets.get_key_value(&reply.session);
                let named = named.filter(|(_, probed)| is_at(probed));
                let found = || self.targets.iter().find(|(_, probed)| is_at(probed));
                let (slot, _) = named.or_else(found)?;
                Some(token(*slot, reply.sender_sequence))
            }
        }
    }

    fn answered(
        &mut self,
        token: Token,
        ifindex: Option<u32>,
        at: Option<Duration>,
        reply: Option<&Reply>,
        now: Now,
    ) {
        let Some(probed) = self.targets.get_mut(&token.slot) else {
            return;
        };
        if !probed.is_reached_by(ifindex) {
            return;
        }
        if let Some(interface) = &probed.interface {
            self.watch.heard(interface.ifindex, now.instant);
        }
        if token.sequence >= PROOF {
            return;
        }
        let Some((sample, answered)) = probed.answered(token.sequence, at, reply, now) else {
            return;
        };
        self.samples.push(sample);
        if answered.overtakes {
            self.give_up_at = Some(now.instant);
        }
        if answered.after_silence {
            self.listener.back(sample.path);
        }
    }

    fn give_up(&mut self, now: Instant) {
        if self.give_up_at.is_none_or(|at| at > now) {
            return;
        }
        for probed in self.targets.values_mut() {
            while let Some(lost) = probed.window.give_up(now) {
                self.samples.extend(probed.lost(lost));
            }
        }
        let windows = self.targets.values().map(|one| &one.window);
        self.give_up_at = windows.filter_map(|window| window.next_due()).min();
    }

    fn send_due(&mut self, now: Now) {
        while let Some(Reverse((due, slot))) = self.due.peek().copied() {
            if due > now.instant {
                break;
            }
            self.due.pop();
            let Some(probed) = self.targets.get_mut(&slot) else {
                continue;
            };
            if probed.due != due {
                continue;
            }
            let token = probed.begin(now);
            let lost_at = probed.window.next_due();
            self.give_up_at = self.give_up_at.into_iter().chain(lost_at).min();
            self.due.push(Reverse((probed.due, slot)));
            self.queue(token);
        }
    }

    fn queue(&mut self, token: Token) {
        let Some(probed) = self.targets.get(&token.slot) else {
            return;
        };
        let probe = probed.probe(token);
        let Some(purpose) = probed.purpose() else {
            return self.failed(token);
        };
        if !self.channels.contains_key(&purpose) {
            match Channel::open(purpose.clone(), self.mark) {
                Ok(channel) => drop(self.channels.insert(purpose.clone(), channel)),
                Err(error) => {
                    tracing::debug!("probes {purpose:?}: {error}");
                    return self.failed(token);
                }
            }
        }
        if let Some(channel) = self.channels.get_mut(&purpose) {
            channel.queue(probe);
        }
    }

    fn flush(&mut self) {
        let (mut failed, mut sent) = (Vec::new(), false);
        for channel in self.channels.values_mut() {
            sent |= channel.flush(|token, error| {
                tracing::debug!("probe of target {}: {error}", token.slot);
                failed.push(token);
            });
        }
        for token in failed {
            self.failed(token);
        }
        if sent {
            self.unheard_since.get_or_insert_with(Instant::now);
        }
    }

    /// It could not be sent.
    fn failed(&mut self, token: Token) {
        let Some(probed) = self.targets.get_mut(&token.slot) else {
            return;
        };
        if token.sequence >= PROOF {
            if let Some(interface) = &probed.interface {
                self.watch.failed(interface.ifindex);
            }
            return;
        }
        if let Some(lost) = probed.window.failed(token.sequence) {
            self.samples.extend(probed.lost(lost));
        }
        // Its interface may have another index, or be gone.
        probed.look();
    }

    fn watch(&mut self, now: Instant) {
        let next = [self.watch.next(), self.watch.next_idle()];
        if next.into_iter().flatten().all(|next| next > now) {
            return;
        }
        let mut orders = Vec::new();
        let targets = &self.targets;
        let witnesses = |paths: &[PathId]| witnesses(targets, paths);
        self.watch.look(now, witnesses, |order| orders.push(order));
        for order in orders {
            match order {
                Order::Tell(path, silence, seen) => self.listener.silence(path, silence, seen),
                Order::Echo(slot) => {
                    self.proofs = self.proofs.wrapping_add(1) % PROOF;
                    if let Some(probed) = self.targets.get(&slot) {
                        let token = probed.proof(self.proofs);
                        self.queue(token);
                    }
                }
            }
        }
    }

    fn tell(&mut self) {
        if !self.samples.is_empty() {
            self.listener.samples(&self.samples);
            self.samples.clear();
        }
    }

    fn obey(&mut self) -> End {
        self.inbox.acknowledge();
        loop {
            match self.inbox.take() {
                Taken::Item(Command::SetTargets(targets)) => self.set_targets(targets),
                Taken::Item(Command::Hasten(path, interval)) => self.hasten(path, interval),
                Taken::Item(Command::Measured(answer)) => {
                    // Who asked may have given up waiting.
                    let _ = answer.send(self.measured());
                }
                Taken::Empty => return End::NotYet,
                Taken::Closed => return End::Come,
            }
        }
    }

    /// Those that stay keep their history.
    fn set_targets(&mut self, targets: Vec<Target>) {
        let mut before = std::mem::take(&mut self.targets);
        self.order.clear();
        let (now, wanted) = (Instant::now(), targets.len());
        for target in targets {
            let known = before.iter().find(|(_, probed)| probed.target == target);
            let known = known.map(|(slot, _)| *slot);
            let (slot, probed) = match known.and_then(|slot| before.remove_entry(&slot)) {
                Some(known) => known,
                None => {
                    let is_taken = |slot| self.targets.contains_key(&slot);
                    let unused = |slot| is_taken(slot) || before.contains_key(&slot);
                    let free = self.slots.next(unused);
                    let Some(slot) = free.or_else(|| self.slots.next(is_taken)) else {
                        break;
                    };
                    before.remove(&slot);
                    (slot, Probed::new(target, slot, now))
                }
            };
            self.due.push(Reverse((probed.due, slot)));
            self.targets.insert(slot, probed);
            self.order.push(slot);
        }
        let left_out = wanted - self.order.len();
        if left_out > 0 {
            tracing::warn!("{left_out} targets are not probed: there are 65,535 others already");
        }
        self.set_watched(now);
    }

    fn hasten(&mut self, path: PathId, interval: Option<Duration>) {
        let now = Instant::now();
        for (slot, probed) in &mut self.targets {
            if probed.target.path == path {
                probed.hasten(interval, now);
                self.due.push(Reverse((probed.due, *slot)));
            }
        }
    }

    fn look_for_interfaces(&mut self, now: Instant) {
        if now < self.look_at {
            return;
        }
        self.look_at = now + LOOK;
        self.targets.values_mut().for_each(Probed::look);
        self.set_watched(now);
    }

    fn set_watched(&mut self, now: Instant) {
        let mut links: BTreeMap<u32, Watched> = BTreeMap::new();
        for probed in self.targets.values() {
            let (Some(name), Some(interface)) = (&probed.target.interface, &probed.interface)
            else {
                continue;
            };
            let link = links.entry(interface.ifindex).or_insert_with(|| Watched {
                name: name.clone(),
                ifindex: interface.ifindex,
                paths: Vec::new(),
            });
            if !link.paths.contains(&probed.target.path) {
                link.paths.push(probed.target.path);
            }
        }
        let links = links.into_values().collect();
        for path in self.watch.set(links, now) {
            let silence = path::Silence::Heard;
            self.listener.silence(path, silence, Seen::default());
        }
    }

    fn measured(&self) -> Vec<Measured> {
        let all = self.order.iter().filter_map(|slot| self.targets.get(slot));
        all.map(|probed| Measured {
            path: probed.target.path,
            status: probed.status(),
            silences: self.watch.silences(probed.target.path).unwrap_or_default(),
        })
        .collect()
    }
}

/// Who can prove that the link is alive: those first that answer soonest.
fn witnesses(targets: &BTreeMap<u16, Probed>, paths: &[PathId]) -> Vec<Witness> {
    let of_paths = targets.iter().filter(|(_, probed)| {
        // A SYN each 2 ms is impolite.
        paths.contains(&probed.target.path) && probed.target.at.kind != Kind::Tcp
    });
    let mut witnesses: Vec<_> = of_paths
        .filter_map(|(slot, probed)| Some((*slot, probed.window.reliable()?)))
        .collect();
    witnesses.sort_by_key(|(_, p99)| *p99);
    witnesses
}

/// Whether sockets are worth a look.
#[derive(PartialEq, Eq)]
enum Ready {
    Sockets,
    Nothing,
}

/// Whether the last handle is gone.
#[derive(PartialEq, Eq)]
enum End {
    Come,
    NotYet,
}

/// Wakes are no closer together than this, unless something hurries.
const GRAIN: Duration = Duration::from_millis(10);
/// How often interfaces are looked for.
const LOOK: Duration = Duration::from_secs(2);
