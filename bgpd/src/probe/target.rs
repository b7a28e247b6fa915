//! One target that is probed: where it is, when it is due, what is known of it.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bgp_core::Family;
use bgp_core::api::ProbeStatus;
use bgp_core::path::{Kind, Outcome, RoundTrip, Sample};

use super::Target;
use super::channel::{Probe, Purpose};
use super::clock::Now;
use super::interface::{self, Interface};
use super::mark::Token;
use super::stamp::{Reflections, Reply};
use super::window::{Answered, Lost, Window};

pub(super) struct Probed {
    pub(super) target: Target,
    slot: u16,
    /// `None`: it is named, but not there.
    pub(super) interface: Option<Interface>,
    source: Option<IpAddr>,
    /// What it is probed at now.
    interval: Duration,
    /// When the next probe is due.
    pub(super) due: Instant,
    sequence: u32,
    pub(super) window: Window,
    reflections: Reflections,
}

impl Probed {
    /// The first probes of many targets are spread over their intervals, and so are
    /// all that follow.
    pub(super) fn new(target: Target, slot: u16, now: Instant) -> Self {
        let within = target.interval.min(Duration::from_secs(1));
        let part = (f64::from(slot) * GOLDEN).fract();
        let mut probed = Self {
            interval: target.interval,
            due: now + within.mul_f64(part),
            target,
            slot,
            interface: None,
            source: None,
            sequence: 0,
            window: Window::default(),
            reflections: Reflections::default(),
        };
        probed.look();
        probed
    }

    pub(super) fn hasten(&mut self, interval: Option<Duration>, now: Instant) {
        let configured = self.target.interval;
        self.interval = interval.map_or(configured, |interval| interval.min(configured));
        self.due = self.due.min(now + self.interval);
    }

    /// Where it is now: interfaces come and go.
    pub(super) fn look(&mut self) {
        self.interface = match &self.target.interface {
            Some(name) => Interface::named(name, self.interface.take()),
            None => Some(Interface::any()),
        };
        let needs_source = self.target.at.kind == Kind::Tcp && self.target.at.address.is_ipv4();
        if needs_source {
            let name = self.target.interface.as_deref();
            self.source = interface::source(name, self.target.at.address).ok();
        }
    }

    /// `None`: there is nowhere to send from.
    pub(super) fn purpose(&self) -> Option<Purpose> {
        Some(Purpose {
            kind: self.target.at.kind,
            family: Family::of(self.target.at.address),
            vrf: self.interface.as_ref()?.vrf.clone(),
        })
    }

    /// The next probe, with its number.
    pub(super) fn begin(&mut self, now: Now) -> Token {
        self.sequence = (self.sequence + 1) % PROOF;
        self.due += self.interval;
        if self.due <= now.instant {
            self.due = now.instant + self.interval;
        }
        self.window.sent(self.sequence, now);
        self.token(self.sequence)
    }

    /// An echo that counts for nothing but the question whether somebody is there.
    pub(super) fn proof(&self, number: u32) -> Token {
        self.token(PROOF | number)
    }

    fn token(&self, sequence: u32) -> Token {
        Token {
            slot: self.slot,
            sequence,
        }
    }

    pub(super) fn probe(&self, token: Token) -> Probe {
        Probe {
            token,
            to: SocketAddr::new(self.target.at.address, self.target.at.port),
            ifindex: self.interface.as_ref().map_or(0, |there| there.ifindex),
            from: self.source,
        }
    }

    /// An answer that came by this interface is of this path.
    pub(super) fn is_reached_by(&self, ifindex: Option<u32>) -> bool {
        let Some(ifindex) = ifindex else { return true };
        self.target.interface.is_none()
            || self.interface.as_ref().is_some_and(|own| own.is(ifindex))
    }

    pub(super) fn answered(
        &mut self,
        sequence: u32,
        at: Option<Duration>,
        reply: Option<&Reply>,
        now: Now,
    ) -> Option<(Sample, Answered)> {
        let probe = self.window.pending(sequence)?;
        let left = probe.left.unwrap_or(probe.begun.wall);
        let was_set = now.was_set_since(&probe.begun);
        if let Some(reply) = reply {
            self.reflections.attribute(reply, &mut self.window);
        }
        let held = reply.map_or(Duration::ZERO, Reply::held);
        let answered = self.window.answered(sequence, at, held, now)?;
        let delay = reply.filter(|_| !was_set).map(|reply| {
            self.reflections
                .delay(reply, left, at.unwrap_or(now.wall), answered.rtt)
        });
        let round_trip = RoundTrip {
            time: answered.rtt,
            delay,
        };
        let sample = self.sample(answered.sent_at, Outcome::Answered(round_trip));
        Some((sample, answered))
    }

    /// What the loss says; `None`: nothing, for it has never answered.
    pub(super) fn lost(&mut self, lost: Lost) -> Option<Sample> {
        self.reflections.lost(lost.direction);
        let sample = self.sample(lost.sent_at, Outcome::Lost(lost.direction));
        self.window.has_answered().then_some(sample)
    }

    fn sample(&self, sent_at: Instant, outcome: Outcome) -> Sample {
        Sample {
            path: self.target.path,
            target: self.target.at,
            sent_at,
            interval: self.interval,
            outcome,
        }
    }

    pub(super) fn status(&self) -> ProbeStatus {
        let at = self.target.at;
        let kind = match at.kind {
            Kind::Icmp => "icmp",
            Kind::Udp => "udp",
            Kind::Tcp => "tcp",
            Kind::Stamp => "stamp",
        };
        let losses = self.reflections.losses();
        let delay = self.reflections.last_delay();
        let micros = |delay: Duration| delay.as_micros() as u64;
        self.window.status(ProbeStatus {
            port: (at.port != 0).then_some(at.port),
            lost_out: losses.map(|(out, _)| out),
            lost_back: losses.map(|(_, back)| back),
            delay_out: delay.map(|delay| micros(delay.out)),
            delay_back: delay.map(|delay| micros(delay.back)),
            ..ProbeStatus::new(at.address, kind)
        })
    }
}

/// Numbers from here on are of echoes that ask for proof.
pub(super) const PROOF: u32 = 1 << 31;
/// Its multiples are spread evenly, however many there are.
const GOLDEN: f64 = 0.618_033_988_749_895;
