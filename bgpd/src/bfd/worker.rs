//! The thread's loop: packets first, then timers.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use bgp_core::PathId;
use bgp_core::bfd::{Diagnostic, Verdict, decode};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use smallvec::SmallVec;
use tokio::sync::{mpsc, watch};

use super::socket::{Arrival, Now, Place, Receiver, Sender};
use super::watched::{Listeners, Reason, Watched};
use super::{Command, Event, Peer};
use crate::fastpath::{self, Voice};
use crate::netlink::{Mailbox, Taken};
use crate::realtime;

pub(super) struct Worker {
    inbox: Mailbox<Command>,
    listeners: Listeners,
    watched: Vec<Watched>,
    receivers: Vec<Receiver>,
    /// When the sockets were last found empty.
    emptied: Instant,
}

impl Worker {
    pub(super) fn new(
        inbox: Mailbox<Command>,
        fastpath: Option<fastpath::Handle>,
        events: mpsc::UnboundedSender<Event>,
    ) -> Self {
        Self {
            inbox,
            listeners: Listeners { fastpath, events },
            watched: Vec::new(),
            receivers: Vec::new(),
            emptied: Instant::now(),
        }
    }

    pub(super) fn run(mut self) {
        realtime::enter("bfd");
        loop {
            let readable = self.wait();
            self.hear(&readable);
            self.inbox.acknowledge();
            loop {
                match self.inbox.take() {
                    Taken::Item(command) => self.obey(command),
                    Taken::Empty => break,
                    Taken::Closed => return,
                }
            }
            self.judge();
        }
    }

    /// Which receivers have packets.
    fn wait(&self) -> Readable {
        let now = Instant::now();
        let next = self.watched.iter().filter_map(Watched::next_timeout).min();
        let timeout = next.map(|at| TimeSpec::from(at.saturating_duration_since(now)));
        let mut waiting: SmallVec<[PollFd<'_>; FEW]> = self
            .receivers
            .iter()
            .map(|receiver| PollFd::new(receiver.as_fd(), PollFlags::POLLIN))
            .collect();
        waiting.push(PollFd::new(self.inbox.as_fd(), PollFlags::POLLIN));
        // Interrupted or not: what is there is looked at.
        let _ = ppoll(&mut waiting, timeout, None);
        let readable = waiting.iter().map(|fd| fd.any().unwrap_or(true));
        readable.take(self.receivers.len()).collect()
    }

    /// Takes in packets: of each receiver no more than its buffer can have held at
    /// once, so that a flood doesn't keep the timers waiting.
    fn hear(&mut self, readable: &[bool]) {
        let now = Now::read(self.emptied);
        let mut is_empty = true;
        for (receiver, _) in self.receivers.iter_mut().zip(readable).filter(|(_, r)| **r) {
            let Receiver {
                place, incoming, ..
            } = receiver;
            let mut taken = 0;
            while let Some(arrival) = incoming.receive(&now) {
                take_in(&mut self.watched, place, &arrival, &self.listeners);
                taken += 1;
                if taken == MOST_AT_ONCE {
                    is_empty = false;
                    break;
                }
            }
        }
        if is_empty {
            self.emptied = now.instant;
        }
        for watched in &mut self.watched {
            watched.settle(now.instant, &self.listeners);
        }
    }

    /// Lets the timers act. What has come since the last look may contradict them.
    fn judge(&mut self) {
        let mut now = Instant::now();
        if self.watched.iter().any(|one| one.session.is_silent(now)) {
            let all: Readable = self.receivers.iter().map(|_| true).collect();
            self.hear(&all);
            now = Instant::now();
        }
        for watched in &mut self.watched {
            watched.handle_timeout(now, &self.listeners);
            watched.settle(now, &self.listeners);
        }
        for index in 0..self.watched.len() {
            if self.watched[index].open_at.is_some_and(|at| at <= now) {
                self.open(index, now);
            }
        }
    }

    fn obey(&mut self, command: Command) {
        let now = Instant::now();
        match command {
            Command::Watch(peer, listener) => self.watch(*peer, listener, now),
            Command::Forget(path) => {
                if let Some(index) = self.index_of(path) {
                    self.watched.swap_remove(index);
                    self.close_unused();
                    // Nobody watches: nothing is known against the path.
                    if let Some(fastpath) = &self.listeners.fastpath {
                        fastpath.path_up(path, Voice::Bfd);
                    }
                }
            }
            Command::Bgp(path, bgp) => {
                if let Some(index) = self.index_of(path) {
                    self.watched[index].bgp_is(bgp, now);
                }
            }
            Command::Disable(done) => {
                for watched in &mut self.watched {
                    let diagnostic = Diagnostic::ADMINISTRATIVELY_DOWN;
                    watched.session.disable(diagnostic, now);
                    watched.settle(now, &self.listeners);
                }
                let _ = done.send(());
            }
            Command::States(answer) => {
                let states = self.watched.iter();
                let states = states.map(|one| (one.peer.path, one.status(now)));
                let _ = answer.send(states.collect());
            }
        }
    }

    fn watch(&mut self, peer: Peer, listener: watch::Sender<Verdict>, now: Instant) {
        if let Some(index) = self.index_of(peer.path) {
            if self.watched[index].is_same_session(&peer) {
                let watched = &mut self.watched[index];
                watched.change(peer, listener, now);
                return watched.settle(now, &self.listeners);
            }
            self.watched.swap_remove(index);
            self.close_unused();
            if let Some(fastpath) = &self.listeners.fastpath {
                fastpath.path_up(peer.path, Voice::Bfd);
            }
        }
        let discriminator = self.new_discriminator();
        let watched = Watched::new(peer, discriminator, listener, now);
        self.watched.push(watched);
    }

    /// Opens a session's sockets, or says why not and tries again later.
    fn open(&mut self, index: usize, now: Instant) {
        let place = self.watched[index].place();
        self.receivers
            .retain(|receiver| receiver.place != place || !receiver.is_deaf());
        let outcome = self
            .receive_at(&place)
            .and_then(|()| Sender::open(&place, self.watched[index].peer.remote));
        let watched = &mut self.watched[index];
        match outcome {
            Ok(sender) => {
                watched.sender = Some(sender);
                watched.open_at = None;
                watched.problem = None;
            }
            Err(error) => {
                watched.open_at = now.checked_add(OPEN_AGAIN);
                let reason = error.to_string();
                if watched.problem.as_ref() != Some(&reason) {
                    watched.problem = Some(reason.clone());
                    let path = watched.peer.path;
                    let _ = self.listeners.events.send(Event::Failed { path, reason });
                }
            }
        }
    }

    fn receive_at(&mut self, place: &Place) -> std::io::Result<()> {
        if self.receivers.iter().all(|known| known.place != *place) {
            let receiver = Receiver::open(place.clone(), &self.receivers)?;
            self.receivers.push(receiver);
        }
        Ok(())
    }

    fn close_unused(&mut self) {
        let watched = &self.watched;
        self.receivers
            .retain(|receiver| watched.iter().any(|one| one.is_at(&receiver.place)));
    }

    fn index_of(&self, path: PathId) -> Option<usize> {
        self.watched.iter().position(|one| one.peer.path == path)
    }

    /// RFC 5880 §6.8.1: unique, random, not 0.
    fn new_discriminator(&self) -> u32 {
        let random = RandomState::new();
        let taken = |number: &u32| {
            let mut watched = self.watched.iter();
            watched.any(|one| one.session.local_discriminator() == *number)
        };
        let mut numbers = (0_u64..).map(|attempt| random.hash_one(attempt) as u32);
        numbers
            .find(|number| *number != 0 && !taken(number))
            .expect("invariant: fewer sessions than numbers")
    }
}

/// RFC 5880 §6.8.6, to "Your Discriminator". A packet that is for nobody is dropped;
/// one that is from a peer of ours is counted.
fn take_in(watched: &mut [Watched], place: &Place, arrival: &Arrival<'_>, listeners: &Listeners) {
    let here = |one: &Watched| one.is_at(place) && one.is_from(arrival.from);
    let anywhere = |one: &Watched| one.takes_at(place) && one.is_from(arrival.from);
    let found = watched.iter().position(here);
    let Some(index) = found.or_else(|| watched.iter().position(anywhere)) else {
        return;
    };
    let watched = &mut watched[index];
    if !watched.takes_ttl(arrival.ttl) {
        return watched.discard(Reason::Ttl);
    }
    let Ok(packet) = decode(arrival.payload) else {
        return watched.discard(Reason::Malformed);
    };
    let yours = packet.header.your_discriminator;
    // There is one session with a far end at a place, so its address says as much.
    if yours != 0 && yours != watched.session.local_discriminator() {
        return watched.discard(Reason::Discriminator);
    }
    watched.receive(&packet, arrival.at, listeners);
}

type Readable = SmallVec<[bool; FEW]>;

/// Receivers for which waiting takes no allocation.
const FEW: usize = 64;
/// More than a socket's default buffer holds.
const MOST_AT_ONCE: u32 = 512;
const OPEN_AGAIN: Duration = Duration::from_secs(1);
