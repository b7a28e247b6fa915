//! One session's machine (RFC 5880 §6.8). Variables are called as there.
//!
//! A change of timers is negotiated by a Poll Sequence: until the far end's Final
//! what matters to its detection, or to ours, stays as it was (§6.8.3).

use std::time::{Duration, Instant};

use super::authentication::{Content, Sequences};
use super::packet::{Encoded, Header, Packet};
use super::{AuthenticationError, Diagnostic, Settings, State};
use crate::random::Random;

/// One session. The caller has found it by the packet's Your Discriminator, or
/// by its sender.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    local_discr: u32,
    state: State,
    local_diag: Diagnostic,
    remote: Remote,
    timers: Timers,
    poll: Poll,
    sequences: Sequences,
    random: Random,
    /// When the next periodic packet is due; `None`: none is to be sent.
    transmit_at: Option<Instant>,
    transmitted_at: Option<Instant>,
    /// What the last packet said, but for Poll and Final.
    last_said: Option<Header>,
    /// A packet to send now, whatever the timer says.
    urgent: Option<Urgent>,
    /// When the far end has been silent for the Detection Time.
    detect_at: Option<Instant>,
    /// The timer was looked at late, and silence is given a second chance.
    extended: bool,
    /// When bfd.AuthSeqKnown becomes 0.
    forget_sequence_at: Option<Instant>,
    change: Option<Change>,
    late: u64,
}

/// What the far end has last said.
#[derive(Clone, Copy, Debug)]
struct Remote {
    discr: u32,
    state: State,
    diag: Diagnostic,
    demand: bool,
    detect_mult: u8,
    /// Microseconds.
    desired_min_tx: u32,
    min_rx: u32,
}

/// Ours. What is said changes at once, what is done may have to wait for a Final.
#[derive(Clone, Copy, Debug)]
struct Timers {
    /// bfd.DesiredMinTxInterval, and what is used for it.
    desired_min_tx: Duration,
    transmit: Duration,
    /// bfd.RequiredMinRxInterval, and what our detection reckons with.
    required_min_rx: Duration,
    receive: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Poll {
    None,
    InProgress,
    /// The timers have changed again meanwhile. One Poll after the other, or a
    /// Final could be the earlier one's (§6.8.3).
    AnotherNeeded,
    /// The next begins once a packet without Final has come (§6.8.3, option 3).
    AnotherSoon,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Urgent {
    /// The content has changed, or the interval has shrunk.
    Regular,
    /// The answer to a Poll; the regular one may be due as well.
    Final { regular: bool },
}

/// The session has changed its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    pub from: State,
    pub to: State,
    /// Ours, for the change.
    pub diagnostic: Diagnostic,
    pub remote_state: State,
    pub remote_diagnostic: Diagnostic,
}

/// Why a packet was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Discarded {
    #[error("authentication: {0}")]
    Authentication(AuthenticationError),
}

/// What an operator wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub state: State,
    pub diagnostic: Diagnostic,
    pub remote_state: State,
    pub remote_diagnostic: Diagnostic,
    pub local_discriminator: u32,
    pub remote_discriminator: u32,
    /// As negotiated.
    pub transmit_interval: Duration,
    pub receive_interval: Duration,
    pub detection_time: Duration,
    /// Times that a timer was looked at so late that silence got a second chance.
    pub late: u64,
}

impl Session {
    /// `local_discr`: unique here, and not 0. `seed` decides jitter and the first
    /// sequence number. The Active role (§6.1): it sends at once.
    pub fn new(settings: Settings, local_discr: u32, seed: u64, now: Instant) -> Self {
        let mut random = Random::new(seed);
        let sequence = random.next() as u32;
        let desired_min_tx = settings.transmit_interval.max(SLOW);
        let mut session = Self {
            timers: Timers {
                desired_min_tx,
                transmit: desired_min_tx,
                required_min_rx: settings.receive_interval,
                receive: settings.receive_interval,
            },
            settings,
            local_discr,
            state: State::Down,
            local_diag: Diagnostic::NONE,
            remote: Remote::UNKNOWN,
            poll: Poll::None,
            sequences: Sequences::new(sequence),
            random,
            transmit_at: None,
            transmitted_at: None,
            last_said: None,
            urgent: None,
            detect_at: None,
            extended: false,
            forget_sequence_at: None,
            change: None,
            late: 0,
        };
        let first = session.jitter(SLOW);
        session.transmit_at = now.checked_add(first);
        session
    }

    pub fn state(&self) -> State {
        self.state
    }

    pub fn local_discriminator(&self) -> u32 {
        self.local_discr
    }

    /// The far end has been heard within its Detection Time.
    pub fn hears_remote(&self) -> bool {
        self.remote.discr != 0
    }

    /// The Detection Time has passed: look for packets once more before
    /// [`Session::handle_timeout`].
    pub fn is_silent(&self, now: Instant) -> bool {
        self.detect_at.is_some_and(|at| at <= now)
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            state: self.state,
            diagnostic: self.local_diag,
            remote_state: self.remote.state,
            remote_diagnostic: self.remote.diag,
            local_discriminator: self.local_discr,
            remote_discriminator: self.remote.discr,
            transmit_interval: self.transmit_interval(),
            receive_interval: self.receive_interval(),
            detection_time: self.detection_time(),
            late: self.late,
        }
    }

    /// When to call [`Session::handle_timeout`] and [`Session::poll_transmit`].
    pub fn next_timeout(&self) -> Option<Instant> {
        let timers = [self.transmit_at, self.detect_at, self.forget_sequence_at];
        timers.into_iter().flatten().min()
    }

    /// The last change of state; asked after each call.
    pub fn poll_change(&mut self) -> Option<Change> {
        self.change.take()
    }

    /// §6.8.6, from "If the A bit is set" on. `at` is when the packet came, which
    /// may be a moment ago.
    pub fn receive(&mut self, packet: &Packet<'_>, at: Instant) -> Result<(), Discarded> {
        self.authenticate(packet)
            .map_err(Discarded::Authentication)?;
        let header = &packet.header;
        self.remote = Remote {
            discr: header.my_discriminator,
            state: header.state,
            diag: header.diagnostic,
            demand: header.demand,
            detect_mult: header.detect_mult,
            desired_min_tx: header.desired_min_tx_interval,
            min_rx: header.required_min_rx_interval,
        };
        self.end_or_begin_poll(header.r#final);
        self.detect_at = at.checked_add(self.detection_time());
        self.extended = false;
        if self.settings.authentication.is_some() {
            self.forget_sequence_at = at.checked_add(self.detection_time().saturating_mul(2));
        }
        self.step(header.state);
        if header.poll {
            self.urgent = Some(Urgent::Final {
                regular: self.urgent.is_some(),
            });
        }
        self.schedule(at);
        Ok(())
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if due(self.forget_sequence_at) {
            self.forget_sequence_at = None;
            self.sequences.forget_received();
        }
        if due(self.detect_at) && !self.is_too_late(now) {
            self.silence();
        }
        if due(self.transmit_at) {
            self.urgent.get_or_insert(Urgent::Regular);
        }
    }

    /// The next packet to send now; asked until there is none.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Encoded> {
        let (poll, r#final) = match self.urgent.take()? {
            Urgent::Regular => (self.is_polling(), false),
            // Never both bits (§6.5).
            Urgent::Final { regular } => {
                self.urgent = regular.then_some(Urgent::Regular);
                (false, true)
            }
        };
        let header = self.header();
        let content = if self.last_said == Some(header) {
            Content::Same
        } else {
            Content::New
        };
        self.last_said = Some(header);
        if !r#final {
            self.transmitted_at = Some(now);
            self.transmit_at = None;
            self.schedule(now);
        }
        let header = Header {
            poll,
            r#final,
            ..header
        };
        let Some(authentication) = &self.settings.authentication else {
            return Some(header.encode());
        };
        let sequence = self.sequences.next(authentication.method, content);
        let mut packet = header.with_section(authentication.length());
        authentication.sign(&mut packet, sequence);
        Some(packet)
    }

    /// Other settings, without a flap: timers by a Poll Sequence, the multiplier
    /// with the next packet (§6.8.10 to §6.8.12). Another key takes effect at once:
    /// the far end has a Detection Time to follow.
    pub fn reconfigure(&mut self, settings: Settings, now: Instant) {
        if settings.authentication != self.settings.authentication {
            self.sequences.forget_received();
        }
        self.settings = settings;
        self.set_timers();
        self.say_if_new();
        self.schedule(now);
    }

    /// §6.8.16.
    pub fn disable(&mut self, diagnostic: Diagnostic, now: Instant) {
        self.enter(State::AdminDown, diagnostic);
        self.schedule(now);
    }

    pub fn enable(&mut self, now: Instant) {
        if self.state == State::AdminDown {
            self.enter(State::Down, Diagnostic::NONE);
            self.schedule(now);
        }
    }

    fn authenticate(&mut self, packet: &Packet<'_>) -> Result<(), AuthenticationError> {
        let Some(authentication) = &self.settings.authentication else {
            return match packet.section {
                Some(_) => Err(AuthenticationError::Unexpected),
                None => Ok(()),
            };
        };
        // §6.7.3: as many as can be lost before the session is, thrice over.
        let lost = packet.header.detect_mult.max(self.settings.multiplier);
        let window = u32::from(lost).saturating_mul(3);
        authentication.verify(packet, &mut self.sequences, window)
    }

    /// The far end's state does this to ours: §6.8.6.
    fn step(&mut self, remote: State) {
        let neighbor_down = Diagnostic::NEIGHBOR_SIGNALED_DOWN;
        match (self.state, remote) {
            (State::AdminDown, _)
            | (State::Down, State::AdminDown | State::Up)
            | (State::Init, State::Down)
            | (State::Up, State::Init | State::Up) => {}
            (State::Init | State::Up, State::AdminDown) | (State::Up, State::Down) => {
                self.enter(State::Down, neighbor_down)
            }
            (State::Down, State::Down) => self.enter(State::Init, self.local_diag),
            (State::Down, State::Init) | (State::Init, State::Init | State::Up) => {
                self.enter(State::Up, Diagnostic::NONE)
            }
        }
    }

    fn enter(&mut self, to: State, diagnostic: Diagnostic) {
        let from = std::mem::replace(&mut self.state, to);
        self.local_diag = diagnostic;
        if from == to {
            return;
        }
        // Two changes between two questions are one to who asks.
        let from = self.change.map_or(from, |change| change.from);
        self.change = Some(Change {
            from,
            to,
            diagnostic,
            remote_state: self.remote.state,
            remote_diagnostic: self.remote.diag,
        });
        self.set_timers();
        self.say_if_new();
    }

    /// §6.8.3.
    fn set_timers(&mut self) {
        let wanted_tx = match self.state {
            State::Up => self.settings.transmit_interval,
            State::AdminDown | State::Down | State::Init => {
                self.settings.transmit_interval.max(SLOW)
            }
        };
        let wanted_rx = self.settings.receive_interval;
        let timers = &mut self.timers;
        let differs = timers.desired_min_tx != wanted_tx || timers.required_min_rx != wanted_rx;
        if self.state != State::Up {
            // Nobody's detection relies on them, and every packet tells them.
            *timers = Timers {
                desired_min_tx: wanted_tx,
                transmit: wanted_tx,
                required_min_rx: wanted_rx,
                receive: wanted_rx,
            };
            self.poll = Poll::None;
            return;
        }
        match self.poll {
            Poll::None if differs => {
                timers.desired_min_tx = wanted_tx;
                timers.required_min_rx = wanted_rx;
                timers.transmit = timers.transmit.min(wanted_tx);
                timers.receive = timers.receive.max(wanted_rx);
                self.poll = Poll::InProgress;
            }
            Poll::InProgress if differs => self.poll = Poll::AnotherNeeded,
            Poll::None | Poll::InProgress | Poll::AnotherNeeded | Poll::AnotherSoon => {}
        }
    }

    /// A packet has come, with Final or without.
    fn end_or_begin_poll(&mut self, is_final: bool) {
        match (self.poll, is_final) {
            (Poll::InProgress | Poll::AnotherNeeded, true) => {
                self.timers.transmit = self.timers.desired_min_tx;
                self.timers.receive = self.timers.required_min_rx;
                self.poll = match self.poll {
                    Poll::AnotherNeeded => Poll::AnotherSoon,
                    Poll::None | Poll::InProgress | Poll::AnotherSoon => Poll::None,
                };
            }
            (Poll::AnotherSoon, false) => {
                self.poll = Poll::None;
                self.set_timers();
                self.say_if_new();
            }
            (Poll::None | Poll::InProgress | Poll::AnotherNeeded, false)
            | (Poll::None | Poll::AnotherSoon, true) => {}
        }
    }

    /// A Detection Time without a packet.
    fn silence(&mut self) {
        self.detect_at = None;
        self.extended = false;
        match self.state {
            State::Init | State::Up => {
                self.remote = self.remote.forgotten();
                self.enter(State::Down, Diagnostic::DETECTION_TIME_EXPIRED);
            }
            State::AdminDown | State::Down => {
                self.remote = self.remote.forgotten();
                self.say_if_new();
            }
        }
    }

    /// Whoever looks at a timer this late may have slept through the packets as
    /// well: one more interval, once.
    fn is_too_late(&mut self, now: Instant) -> bool {
        let Some(at) = self.detect_at else {
            return false;
        };
        let interval = self.receive_interval();
        let late = now.saturating_duration_since(at) > interval / 2;
        if !late || self.extended {
            return false;
        }
        self.extended = true;
        self.late = self.late.saturating_add(1);
        self.detect_at = now.checked_add(interval);
        true
    }

    /// §6.8.7: what would differ from the last packet is told between two of them.
    fn say_if_new(&mut self) {
        if self.last_said != Some(self.header()) && self.urgent.is_none() {
            self.urgent = Some(Urgent::Regular);
        }
    }

    /// Brings the transmission timer in line with what may have changed.
    fn schedule(&mut self, now: Instant) {
        if !self.sends_periodically() {
            self.transmit_at = None;
            return;
        }
        let interval = self.transmit_interval();
        let since = self.transmitted_at.unwrap_or(now);
        match self.transmit_at {
            // The interval may have shrunk, and then holds at once (§6.8.3).
            Some(at) if since.checked_add(interval).is_none_or(|then| at <= then) => {}
            Some(_) | None => {
                let wait = self.jitter(interval);
                self.transmit_at = since.checked_add(wait).map(|at| at.max(now));
            }
        }
    }

    /// §6.8.7.
    fn sends_periodically(&self) -> bool {
        let demanded =
            self.remote.demand && self.state == State::Up && self.remote.state == State::Up;
        self.remote.min_rx != 0 && (!demanded || self.is_polling())
    }

    fn is_polling(&self) -> bool {
        matches!(self.poll, Poll::InProgress | Poll::AnotherNeeded)
    }

    fn transmit_interval(&self) -> Duration {
        self.timers.transmit.max(micros(self.remote.min_rx))
    }

    fn receive_interval(&self) -> Duration {
        self.timers.receive.max(micros(self.remote.desired_min_tx))
    }

    /// §6.8.4: by the far end's multiplier.
    fn detection_time(&self) -> Duration {
        self.receive_interval()
            .saturating_mul(u32::from(self.remote.detect_mult))
    }

    /// §6.8.7: 75 to 100 %; with a multiplier of 1 at most 90 %.
    fn jitter(&mut self, interval: Duration) -> Duration {
        let span = if self.settings.multiplier == 1 {
            150
        } else {
            250
        };
        let thousandths = 750_u32.saturating_add((self.random.next() % (span + 1)) as u32);
        interval
            .checked_mul(thousandths)
            .map_or(interval, |scaled| scaled / 1000)
    }

    fn header(&self) -> Header {
        Header {
            diagnostic: self.local_diag,
            state: self.state,
            poll: false,
            r#final: false,
            // It ends with the process that speaks BGP.
            control_plane_independent: false,
            demand: false,
            detect_mult: self.settings.multiplier,
            my_discriminator: self.local_discr,
            your_discriminator: self.remote.discr,
            desired_min_tx_interval: as_micros(self.timers.desired_min_tx),
            required_min_rx_interval: as_micros(self.timers.required_min_rx),
            required_min_echo_rx_interval: 0,
        }
    }
}

impl Remote {
    const UNKNOWN: Self = Self {
        discr: 0,
        state: State::Down,
        diag: Diagnostic::NONE,
        demand: false,
        detect_mult: 0,
        desired_min_tx: 0,
        min_rx: 1,
    };

    /// §6.8.1 and §6.8.18. What it said of why it failed stays worth showing.
    const fn forgotten(self) -> Self {
        Self {
            diag: self.diag,
            ..Self::UNKNOWN
        }
    }
}

fn micros(interval: u32) -> Duration {
    Duration::from_micros(u64::from(interval))
}

fn as_micros(interval: Duration) -> u32 {
    u32::try_from(interval.as_micros()).unwrap_or(u32::MAX)
}

/// §6.8.3: no faster than this while not Up.
const SLOW: Duration = Duration::from_secs(1);
