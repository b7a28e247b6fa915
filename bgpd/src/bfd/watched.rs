//! One watched peer: its machine, its sender, its counts.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use bgp_core::Family;
use bgp_core::api::BfdStatus;
use bgp_core::bfd::{Diagnostic, Discarded, Header, Judge, Packet, Session, State, Verdict};
use bgp_core::config::BgpWaits;
use tokio::sync::{mpsc, watch};

use super::socket::{Place, Sender, unspecified};
use super::{Bgp, Event, Hops, Peer};
use crate::fastpath::{self, Voice};

pub(super) struct Watched {
    pub(super) peer: Peer,
    pub(super) session: Session,
    judge: Judge,
    pub(super) sender: Option<Sender>,
    /// When to try again to open the sockets.
    pub(super) open_at: Option<Instant>,
    pub(super) problem: Option<String>,
    listener: watch::Sender<Verdict>,
    since: Instant,
    bgp: Bgp,
    /// When to look whether the far end still speaks BFD, though it is Down.
    look_at: Option<Instant>,
    hearing: Hearing,
    sent: u64,
    received: u64,
    discarded: [u64; Reason::ALL.len()],
}

/// What the far end says that it hears of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hearing {
    /// Something, or it says nothing of it.
    Something,
    /// Nothing, since then: as every end does that has not heard yet that we are back.
    NothingSince(Instant),
    /// Nothing for so long that what we send must be lost, which was told.
    Nothing,
}

/// Whom to tell.
pub(super) struct Listeners {
    pub(super) fastpath: Option<fastpath::Handle>,
    pub(super) events: mpsc::UnboundedSender<Event>,
}

/// Why a packet was thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Ttl,
    Malformed,
    Authentication,
    Discriminator,
}

impl Reason {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Ttl, "ttl"),
        (Self::Malformed, "malformed"),
        (Self::Authentication, "authentication"),
        (Self::Discriminator, "discriminator"),
    ];
}

impl Watched {
    pub(super) fn new(
        peer: Peer,
        discriminator: u32,
        listener: watch::Sender<Verdict>,
        now: Instant,
    ) -> Self {
        let seed = RandomState::new().hash_one(&peer.name);
        Self {
            session: Session::new(peer.settings.clone(), discriminator, seed, now),
            judge: Judge::new(peer.damping),
            peer,
            sender: None,
            open_at: Some(now),
            problem: None,
            listener,
            since: now,
            bgp: Bgp::Down,
            look_at: None,
            hearing: Hearing::Something,
            sent: 0,
            received: 0,
            discarded: [0; 4],
        }
    }

    /// Whether the session of `peer` can go on as this one.
    pub(super) fn is_same_session(&self, peer: &Peer) -> bool {
        let ends = |peer: &Peer| (peer.remote, peer.local, peer.interface.clone(), peer.hops);
        ends(&self.peer) == ends(peer)
    }

    pub(super) fn change(&mut self, peer: Peer, listener: watch::Sender<Verdict>, now: Instant) {
        listener.send_replace(self.judge.verdict().clone());
        self.listener = listener;
        if peer.settings != self.peer.settings {
            self.session.reconfigure(peer.settings.clone(), now);
        }
        self.judge.set_damping(peer.damping);
        self.peer = peer;
    }

    pub(super) fn place(&self) -> Place {
        let any = unspecified(Family::of(self.peer.remote));
        Place {
            hops: self.peer.hops,
            local: self.peer.local.unwrap_or(any),
            interface: self.peer.interface.clone(),
        }
    }

    pub(super) fn is_at(&self, place: &Place) -> bool {
        self.peer.hops == place.hops
            && self.peer.interface == place.interface
            && self.peer.local.is_none_or(|local| local == place.local)
            && Family::of(self.peer.remote) == Family::of(place.local)
    }

    /// Whether packets that came to the place may be for it: the kernel gives them to
    /// the socket of whoever is more particular.
    pub(super) fn takes_at(&self, place: &Place) -> bool {
        let Place {
            hops,
            local,
            interface,
        } = place;
        self.peer.hops == *hops
            && (self.peer.interface.is_none() || self.peer.interface == *interface)
            && self.peer.local.is_none_or(|own| own == *local)
            && Family::of(self.peer.remote) == Family::of(*local)
    }

    pub(super) fn is_from(&self, remote: IpAddr) -> bool {
        self.peer.remote == remote
    }

    /// RFC 5881 §5; over several hops the TTL says nothing.
    pub(super) fn takes_ttl(&self, ttl: Option<u8>) -> bool {
        match self.peer.hops {
            Hops::Single => ttl == Some(bgp_core::bfd::TTL),
            Hops::Multi => true,
        }
    }

    pub(super) fn discard(&mut self, reason: Reason) {
        self.discarded[reason as usize] += 1;
    }

    pub(super) fn receive(&mut self, packet: &Packet<'_>, at: Instant, to: &Listeners) {
        match self.session.receive(packet, at) {
            Ok(()) => self.received += 1,
            Err(Discarded::Authentication(_)) => return self.discard(Reason::Authentication),
        }
        self.note_hearing(&packet.header, at, to);
        let is_down = matches!(self.judge.verdict(), Verdict::Down(_));
        // RFC 5882 §3.2: it has been switched off since.
        if packet.header.state == State::AdminDown && is_down && self.judge.nobody_asks() {
            self.tell(to);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let timers = [
            self.session.next_timeout(),
            self.judge.next_timeout(),
            self.open_at,
            self.look_at,
        ];
        timers.into_iter().flatten().min()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, to: &Listeners) {
        self.session.handle_timeout(now);
        if self.judge.handle_timeout(now) {
            self.tell(to);
        }
        if self.look_at.take_if(|at| *at <= now).is_some() {
            self.look_for_bfd(now, to);
        }
        if !self.session.hears_remote() {
            self.heard_again(to);
        }
    }

    /// Loss in one direction, which neither end's silence shows.
    fn note_hearing(&mut self, header: &Header, at: Instant, to: &Listeners) {
        let nothing =
            header.state == State::Down && header.diagnostic == Diagnostic::DETECTION_TIME_EXPIRED;
        match self.hearing {
            _ if !nothing => self.heard_again(to),
            Hearing::Something => self.hearing = Hearing::NothingSince(at),
            Hearing::NothingSince(since) if at.saturating_duration_since(since) >= UNHEARD => {
                self.hearing = Hearing::Nothing;
                let path = self.peer.path;
                let _ = to.events.send(Event::OneWay {
                    path,
                    at: Instant::now(),
                });
            }
            Hearing::NothingSince(_) | Hearing::Nothing => {}
        }
    }

    fn heard_again(&mut self, to: &Listeners) {
        let before = std::mem::replace(&mut self.hearing, Hearing::Something);
        if before == Hearing::Nothing {
            let (path, verdict) = (self.peer.path, self.judge.verdict().clone());
            let at = Instant::now();
            let _ = to.events.send(Event::OneWayOver { path, verdict, at });
        }
    }

    /// Tells what has changed, and sends what is to be sent; in this order.
    pub(super) fn settle(&mut self, now: Instant, to: &Listeners) {
        if let Some(change) = self.session.poll_change() {
            self.since = now;
            if self.judge.hear(&change, now) {
                self.tell(to);
            } else if let Some(wait) = self.judge.damped_for(now) {
                let path = self.peer.path;
                let _ = to.events.send(Event::Damped { path, wait });
            }
        }
        while let Some(packet) = self.session.poll_transmit(now) {
            self.send(packet.octets(), now);
        }
    }

    pub(super) fn bgp_is(&mut self, bgp: Bgp, now: Instant) {
        self.bgp = bgp;
        self.look_at = match (bgp, self.peer.wait) {
            (Bgp::Established, BgpWaits::No) => now.checked_add(STILL_SPEAKS),
            (Bgp::Established | Bgp::Down, _) => None,
        };
    }

    pub(super) fn status(&self, now: Instant) -> BfdStatus {
        let seen = self.session.snapshot();
        let authentication = &self.peer.settings.authentication;
        let by_reason: BTreeMap<String, u64> = Reason::ALL
            .into_iter()
            .map(|(reason, name)| (name.to_owned(), self.discarded[reason as usize]))
            .collect();
        BfdStatus {
            state: seen.state.to_string(),
            since: now.saturating_duration_since(self.since).as_secs_f64(),
            remote_state: seen.remote_state.to_string(),
            diagnostic: spoken(seen.diagnostic),
            remote_diagnostic: spoken(seen.remote_diagnostic),
            transmit_interval: micros(seen.transmit_interval),
            receive_interval: micros(seen.receive_interval),
            detection_time: micros(seen.detection_time),
            multiplier: self.peer.settings.multiplier,
            authentication: authentication
                .as_ref()
                .map_or_else(|| "none".to_owned(), |used| used.method.to_string()),
            packets_sent: self.sent,
            packets_received: self.received,
            packets_discarded: self.discarded.iter().sum(),
            discarded_by_reason: by_reason,
            late_loops: seen.late,
            flaps: self.judge.flaps(),
            damped_for: self.judge.damped_for(now).map(|wait| wait.as_secs_f64()),
            problem: self.problem.clone(),
        }
    }

    /// The fast path first.
    fn tell(&mut self, to: &Listeners) {
        let (path, verdict) = (self.peer.path, self.judge.verdict().clone());
        if let Some(fastpath) = &to.fastpath {
            match &verdict {
                Verdict::Down(reason) => {
                    fastpath.path_down(path, Voice::Bfd, reason.clone());
                }
                Verdict::Up | Verdict::AdminDown | Verdict::Unknown => {
                    fastpath.path_up(path, Voice::Bfd);
                }
            }
        }
        self.listener.send_replace(verdict.clone());
        // Later than what the fast path was told just now, and says more.
        let at = Instant::now();
        let _ = to.events.send(Event::Said { path, verdict, at });
    }

    /// BFD is Down and says nothing, and BGP has come up since: packets get through,
    /// and the far end has stopped speaking BFD.
    fn look_for_bfd(&mut self, now: Instant, to: &Listeners) {
        if self.bgp != Bgp::Established || !matches!(self.judge.verdict(), Verdict::Down(_)) {
            return;
        }
        if self.session.hears_remote() {
            self.look_at = now.checked_add(STILL_SPEAKS);
        } else if self.judge.nobody_asks() {
            self.tell(to);
            let path = self.peer.path;
            let _ = to.events.send(Event::Unheard { path });
        }
    }

    fn send(&mut self, packet: &[u8], now: Instant) {
        let Some(sender) = &self.sender else { return };
        match sender.send(packet) {
            Ok(()) => self.sent += 1,
            Err(error) if sender.is_gone(&error) => {
                self.sender = None;
                self.open_at = Some(now);
            }
            // The next packet comes soon; if none gets through, the far end says so.
            Err(_) => {}
        }
    }
}

fn spoken(diagnostic: Diagnostic) -> Option<String> {
    (diagnostic != Diagnostic::NONE).then(|| diagnostic.to_string())
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A far end that speaks BFD is heard within this, however slowly it begins.
const STILL_SPEAKS: Duration = Duration::from_secs(10);
/// Two of the packets of an end that is not Up, and some more.
const UNHEARD: Duration = Duration::from_millis(2500);
