//! Watches the interfaces of all paths for silence ([`super::silence`]), and has a
//! suspicion proved: five echoes, 1 ms apart, to far ends that used to answer. What
//! is heard in the meantime, an answer or any other packet, refutes it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bgp_core::PathId;
use bgp_core::api::Silences;
use bgp_core::path;

use super::interface::Counters;
use super::silence::{Call, FASTEST, Silence};

#[derive(Default)]
pub(super) struct Watch {
    /// By index.
    links: BTreeMap<u32, Link>,
    /// The earliest look at one that is urgent, and at one that isn't.
    next: Option<Instant>,
    next_idle: Option<Instant>,
}

struct Link {
    paths: Vec<PathId>,
    counters: Counters,
    silence: Silence,
    state: State,
    /// When to look again.
    next: Instant,
    silences: Silences,
}

enum State {
    Watching,
    Proving(Proof),
    /// Silent, and nobody answered.
    Dead {
        received: u64,
    },
}

struct Proof {
    witnesses: Vec<u16>,
    /// What the receive counter said.
    received: u64,
    echoes: u32,
    next_echo: Instant,
    failures: u32,
    heard: bool,
    /// How long answers may take after the last echo.
    window: Duration,
    /// When nothing is to be expected any more.
    deadline: Instant,
    extended: bool,
}

/// An interface that paths leave by.
pub(super) struct Watched {
    pub(super) name: String,
    pub(super) ifindex: u32,
    pub(super) paths: Vec<PathId>,
}

/// What a look at the links calls for.
#[derive(Debug, PartialEq)]
pub(super) enum Order {
    /// An echo to this target.
    Echo(u16),
    Tell(PathId, path::Silence, Seen),
}

/// What silence was concluded from.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Seen {
    /// How long nothing has been received.
    pub pause: Duration,
    /// Packets a second received before.
    pub rate: f64,
    /// Echoes that nobody has answered.
    pub echoes: u32,
}

/// A target that used to answer, and within how long.
pub(super) type Witness = (u16, Duration);

impl Watch {
    /// Those that stay keep what is known of them. Answers with the paths whose
    /// silence nobody watches any more, so that nobody would tell its end.
    pub(super) fn set(&mut self, watched: Vec<Watched>, now: Instant) -> Vec<PathId> {
        let mut silent = self.silent();
        let mut before = std::mem::take(&mut self.links);
        for link in watched {
            let known = before.remove(&link.ifindex);
            let opened = known.map(Ok).unwrap_or_else(|| Link::open(&link, now));
            match opened {
                Ok(opened) => {
                    let paths = link.paths;
                    self.links.insert(link.ifindex, Link { paths, ..opened });
                }
                Err(error) => tracing::debug!("counters of {}: {error}", link.name),
            }
        }
        self.plan();
        let still = self.silent();
        silent.retain(|path| !still.contains(path));
        silent
    }

    /// The paths whose silence, or the suspicion of it, is told and not over.
    fn silent(&self) -> Vec<PathId> {
        let links = self.links.values();
        let silent = links.filter(|link| !matches!(link.state, State::Watching));
        silent.flat_map(|link| link.paths.iter().copied()).collect()
    }

    /// When to look next, at the links whose silence would be noticed.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// When to look next at the others, or a little later.
    pub(super) fn next_idle(&self) -> Option<Instant> {
        self.next_idle
    }

    fn plan(&mut self) {
        (self.next, self.next_idle) = (None, None);
        for link in self.links.values() {
            let earliest = match link.is_urgent() {
                true => &mut self.next,
                false => &mut self.next_idle,
            };
            *earliest = Some(earliest.map_or(link.next, |next| next.min(link.next)));
        }
    }

    pub(super) fn is_proving(&self) -> bool {
        let mut links = self.links.values();
        links.any(|link| matches!(link.state, State::Proving(_)))
    }

    /// A probe of one of the link's paths was answered.
    pub(super) fn heard(&mut self, ifindex: u32, now: Instant) {
        let Some(link) = self.links.get_mut(&ifindex) else {
            return;
        };
        match &mut link.state {
            State::Watching => return,
            State::Proving(proof) => {
                proof.heard = true;
                link.next = now;
            }
            // Tells it at the next look.
            State::Dead { received } => {
                *received = u64::MAX;
                link.next = now;
            }
        }
        self.plan();
    }

    /// An echo could not be sent.
    pub(super) fn failed(&mut self, ifindex: u32) {
        if let Some(link) = self.links.get_mut(&ifindex)
            && let State::Proving(proof) = &mut link.state
        {
            proof.failures += 1;
        }
    }

    /// Looks at the links whose time has come. `witnesses`: a path's.
    pub(super) fn look(
        &mut self,
        now: Instant,
        witnesses: impl Fn(&[PathId]) -> Vec<Witness>,
        mut order: impl FnMut(Order),
    ) {
        let busy = self.links.values().filter(|link| link.silence.is_busy());
        let fair = SHARE * busy.count() as u32;
        for link in self.links.values_mut() {
            if link.next > now {
                continue;
            }
            link.look(now, fair, &witnesses, &mut order);
        }
        self.plan();
    }

    pub(super) fn silences(&self, path: PathId) -> Option<Silences> {
        let link = self
            .links
            .values()
            .find(|link| link.paths.contains(&path))?;
        Some(link.silences)
    }
}

impl Link {
    fn open(watched: &Watched, now: Instant) -> std::io::Result<Self> {
        Ok(Self {
            paths: Vec::new(),
            counters: Counters::open(&watched.name, watched.ifindex)?,
            silence: Silence::new(),
            state: State::Watching,
            next: now,
            silences: Silences::default(),
        })
    }

    fn is_urgent(&self) -> bool {
        match self.state {
            State::Watching => self.silence.is_busy(),
            State::Proving(_) => true,
            State::Dead { .. } => false,
        }
    }

    fn look(
        &mut self,
        now: Instant,
        fair: Duration,
        witnesses: &impl Fn(&[PathId]) -> Vec<Witness>,
        order: &mut impl FnMut(Order),
    ) {
        // The interface is gone, which is for others to notice.
        let Ok(received) = self.counters.received() else {
            self.next = now + DEAD;
            if !matches!(self.state, State::Watching) {
                self.state = State::Watching;
                self.tell(path::Silence::Heard, Seen::default(), order);
            }
            return;
        };
        match &mut self.state {
            State::Watching => {
                self.next = now + self.silence.patience().max(fair);
                self.watch(received, now, witnesses, order);
            }
            State::Proving(proof) => {
                let refuted = proof.heard || received != proof.received;
                if refuted || proof.is_over(now) {
                    let confirmed = !refuted && proof.is_conclusive();
                    self.conclude(confirmed, received, now, order);
                } else {
                    proof.go_on(now, order);
                    self.next = proof.next(now);
                }
            }
            State::Dead { received: before } => {
                self.next = now + DEAD;
                if *before != received {
                    self.state = State::Watching;
                    self.silence.revived(received, now);
                    self.tell(path::Silence::Heard, Seen::default(), order);
                }
            }
        }
    }

    fn watch(
        &mut self,
        received: u64,
        now: Instant,
        witnesses: &impl Fn(&[PathId]) -> Vec<Witness>,
        order: &mut impl FnMut(Order),
    ) {
        let mut call = self.silence.read(received, None, now);
        if call == Call::Transmitted {
            let sent = self.counters.sent().ok();
            call = self.silence.read(received, sent, now);
        }
        if call != Call::Suspicion {
            return;
        }
        let mut witnesses = witnesses(&self.paths);
        witnesses.truncate(MOST_WITNESSES);
        let Some(soonest) = witnesses.iter().map(|(_, p99)| *p99).min() else {
            // Nobody who could prove it.
            self.silence.was_false(now);
            return;
        };
        self.silences.suspected += 1;
        self.tell(path::Silence::Suspected, self.seen(now, 0), order);
        // One that always answered proves it; the others can only refute it.
        let window = (soonest * 4).clamp(SHORTEST_WINDOW, LONGEST_WINDOW);
        let mut proof = Proof {
            witnesses: witnesses.into_iter().map(|(slot, _)| slot).collect(),
            received,
            echoes: 0,
            next_echo: now,
            failures: 0,
            heard: false,
            window,
            deadline: now + APART * (ECHOES - 1) + window,
            extended: false,
        };
        proof.go_on(now, order);
        self.next = proof.next(now);
        self.state = State::Proving(proof);
    }

    fn conclude(
        &mut self,
        confirmed: bool,
        received: u64,
        now: Instant,
        order: &mut impl FnMut(Order),
    ) {
        if confirmed {
            self.silences.confirmed += 1;
            self.state = State::Dead { received };
            self.next = now + DEAD;
            self.tell(path::Silence::Confirmed, self.seen(now, ECHOES), order);
        } else {
            self.silence.was_false(now);
            self.state = State::Watching;
            self.next = now + FASTEST;
            self.tell(path::Silence::Heard, Seen::default(), order);
        }
    }

    fn seen(&self, now: Instant, echoes: u32) -> Seen {
        Seen {
            pause: self.silence.pause(now),
            rate: self.silence.rate(),
            echoes,
        }
    }

    fn tell(&self, silence: path::Silence, seen: Seen, order: &mut impl FnMut(Order)) {
        for path in &self.paths {
            order(Order::Tell(*path, silence, seen));
        }
    }
}

impl Proof {
    fn go_on(&mut self, now: Instant, order: &mut impl FnMut(Order)) {
        while self.echoes < ECHOES && self.next_echo <= now {
            for witness in &self.witnesses {
                order(Order::Echo(*witness));
            }
            self.echoes += 1;
            self.next_echo = now + APART;
            if self.echoes == ECHOES {
                self.deadline = self.deadline.max(now + self.window);
            }
        }
    }

    /// The sockets were looked at just before. One that comes too late itself waits
    /// once more: the answers may have been held up as it was.
    fn is_over(&mut self, now: Instant) -> bool {
        if self.echoes < ECHOES || now < self.deadline {
            return false;
        }
        let late = now.saturating_duration_since(self.deadline);
        if late > self.window / 2 && !self.extended {
            self.extended = true;
            self.deadline = now + self.window;
            return false;
        }
        true
    }

    /// Most of the echoes did leave.
    fn is_conclusive(&self) -> bool {
        self.failures * 2 < self.echoes * self.witnesses.len() as u32
    }

    fn next(&self, now: Instant) -> Instant {
        let next = match self.echoes < ECHOES {
            true => self.next_echo,
            false => self.deadline,
        };
        // Other traffic refutes it too.
        next.min(now + FASTEST * 2)
    }
}

const ECHOES: u32 = 5;
const APART: Duration = Duration::from_millis(1);
const SHORTEST_WINDOW: Duration = Duration::from_millis(4);
const LONGEST_WINDOW: Duration = Duration::from_millis(500);
const MOST_WITNESSES: usize = 2;
/// How often a dead link is looked at.
const DEAD: Duration = Duration::from_millis(10);
/// Each busy link's share of the time, so that all together take 1 % of a core.
const SHARE: Duration = Duration::from_micros(200);

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: PathId = PathId(1);

    fn watched() -> Vec<Watched> {
        vec![Watched {
            name: "lo".into(),
            ifindex: 1,
            paths: vec![PATH],
        }]
    }

    #[test]
    fn a_dead_link_that_is_not_watched_any_more_is_given_up_aloud() {
        let (mut watch, now) = (Watch::default(), Instant::now());
        assert_eq!(watch.set(watched(), now), []);
        assert_eq!(watch.set(Vec::new(), now), [], "nothing was told");
        watch.set(watched(), now);
        watch.links.get_mut(&1).expect("lo").state = State::Dead { received: 0 };
        assert_eq!(watch.set(watched(), now), [], "it is still watched");
        assert_eq!(watch.set(Vec::new(), now), [PATH]);
    }
}
