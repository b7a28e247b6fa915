//! The state machine itself. A [`Peer`] holds what outlives a connection (is it
//! started, when to dial again) and up to two [`Connection`]s, each with its own
//! state and timers. What a message does is in [`super::messages`].

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::backoff::Backoff;
use super::connection::{Connection, Direction, Phase};
use super::open::OwnRestart;
use super::words::{self, Aftermath};
use super::{Action, ConnectionId, DownReason, Event, PeerSettings, State, StopReason};
use crate::config::BgpWaits;
use crate::wire::iana::{cease, error};
use crate::wire::{Message, Notification};

/// One peer's session.
#[derive(Debug)]
pub struct Peer {
    pub(super) settings: PeerSettings,
    mode: Mode,
    /// What BFD has last said.
    bfd_is_up: bool,
    pub(super) connections: SmallVec<[Connection; 2]>,
    /// RFC 4271's ConnectRetryTimer: dial (again) at this time.
    pub(super) retry_at: Option<Instant>,
    backoff: Backoff,
    next_id: u32,
    /// There was a session in this run.
    pub(super) was_established: bool,
    pub(super) actions: VecDeque<Action>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Idle: refuses connections until `Start`, or until this time (RFC 4271's
    /// IdleHoldTimer).
    Stopped {
        restart_at: Option<Instant>,
    },
    /// Idle: started, but BFD is not up, and the session waits for it.
    Held,
    Started,
}

/// Whether the peer is to be told why its connection ends.
pub(super) enum Farewell {
    Notification(Notification),
    Silent,
}

impl Peer {
    /// `seed` decides the jitter of all timers.
    pub fn new(settings: PeerSettings, seed: u64) -> Self {
        Self {
            backoff: Backoff::new(settings.connect_retry, seed),
            settings,
            mode: Mode::Stopped { restart_at: None },
            bfd_is_up: false,
            connections: SmallVec::new(),
            retry_at: None,
            next_id: 0,
            was_established: false,
            actions: VecDeque::new(),
        }
    }

    /// An id for a connection that the peer has made, to go with
    /// [`Event::Accepted`].
    pub fn new_connection(&mut self) -> ConnectionId {
        let id = ConnectionId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        id
    }

    /// Where the session is: its most advanced connection's state.
    pub fn state(&self) -> State {
        let furthest = self
            .connections
            .iter()
            .map(|connection| connection.phase.state())
            .max();
        match (self.mode, furthest) {
            (_, Some(state)) => state,
            (Mode::Started, None) => State::Active,
            (Mode::Stopped { .. } | Mode::Held, None) => State::Idle,
        }
    }

    /// When to call [`Peer::handle_timeout`] next.
    pub fn next_timeout(&self) -> Option<Instant> {
        let restart_at = match self.mode {
            Mode::Stopped { restart_at } => restart_at,
            Mode::Held | Mode::Started => None,
        };
        let timers = self
            .connections
            .iter()
            .flat_map(|connection| [connection.hold_at, connection.keepalive_at]);
        timers.chain([restart_at, self.retry_at]).flatten().min()
    }

    /// The next thing to do, in order.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    pub fn handle(&mut self, event: Event, now: Instant) {
        match event {
            Event::Start => self.start(now),
            Event::Stop(reason) => self.stop(reason, now),
            Event::LinkDown(words) => self.link_down(words, now),
            Event::LinkUp => self.link_up(now),
            Event::BfdUp => self.bfd_up(now),
            Event::BfdDown(words) => self.bfd_down(&words, now),
            Event::Connected(id) => self.connected(id, now),
            Event::Accepted(id) => self.accepted(id, now),
            Event::ConnectFailed(id, words) => {
                self.end(id, Farewell::Silent, DownReason::ConnectFailed(words), now)
            }
            Event::ConnectionClosed(id, words) => self.end(
                id,
                Farewell::Silent,
                DownReason::ConnectionClosed(words),
                now,
            ),
            Event::Received(id, message) => self.received(id, message, now),
            Event::Alive(id) => self.restart_hold(id, now),
            Event::Malformed(id, notification) => self.fail(id, notification, now),
            Event::SendHoldExpired(id) => self.fail(
                id,
                Notification::new(words::SEND_HOLD_TIMER_EXPIRED, 0),
                now,
            ),
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if matches!(self.mode, Mode::Stopped { restart_at } if due(restart_at)) {
            self.start(now);
        }
        let ids: SmallVec<[ConnectionId; 2]> = self
            .connections
            .iter()
            .map(|connection| connection.id)
            .collect();
        for id in ids {
            let Some(connection) = self.connection(id) else {
                continue;
            };
            let (hold, keepalive) = (due(connection.hold_at), due(connection.keepalive_at));
            if hold {
                self.fail(id, Notification::new(error::HOLD_TIMER_EXPIRED, 0), now);
            } else if keepalive {
                self.actions.push_back(Action::Send(id, Message::Keepalive));
                self.restart_keepalive(id, now);
            }
        }
        if due(self.retry_at) {
            self.retry(now);
        }
    }

    fn start(&mut self, now: Instant) {
        match self.mode {
            // RFC 4271 §8.2.2: Start is ignored in every state but Idle.
            Mode::Held | Mode::Started => {}
            Mode::Stopped { .. } if self.waits_for_bfd() => self.mode = Mode::Held,
            Mode::Stopped { .. } => {
                self.mode = Mode::Started;
                self.backoff.reset();
                self.dial(now);
            }
        }
    }

    fn stop(&mut self, reason: StopReason, now: Instant) {
        let restart_at = match &reason {
            // What the operator has stopped stays stopped.
            StopReason::MaximumPrefixes { .. }
                if self.mode == (Mode::Stopped { restart_at: None }) =>
            {
                None
            }
            StopReason::MaximumPrefixes { retry_after, .. } => now.checked_add(*retry_after),
            StopReason::AdministrativeShutdown(_)
            | StopReason::AdministrativeReset(_)
            | StopReason::Restart(_)
            | StopReason::PeerDeconfigured
            | StopReason::ConfigurationChange
            | StopReason::InternalError(_) => None,
        };
        self.mode = Mode::Stopped { restart_at };
        self.retry_at = None;
        while let Some(connection) = self.connections.first() {
            let (id, farewell) = (connection.id, farewell(connection, &reason));
            self.end(id, farewell, DownReason::Stopped(reason.clone()), now);
        }
    }

    fn link_down(&mut self, words: &'static str, now: Instant) {
        while let Some(id) = self.connections.first().map(|connection| connection.id) {
            self.end(id, Farewell::Silent, DownReason::LinkDown(words), now);
        }
    }

    fn link_up(&mut self, now: Instant) {
        match self.state() {
            // A dial under way may be waiting for TCP's own back-off.
            State::Connect | State::Active => {
                self.backoff.hurry();
                self.dial(now);
            }
            State::Idle | State::OpenSent | State::OpenConfirm | State::Established => {}
        }
    }

    fn bfd_up(&mut self, now: Instant) {
        self.bfd_is_up = true;
        match self.mode {
            Mode::Held => {
                self.mode = Mode::Started;
                self.backoff.reset();
                self.dial(now);
            }
            Mode::Stopped { .. } => {}
            Mode::Started => self.link_up(now),
        }
    }

    fn bfd_down(&mut self, words: &str, now: Instant) {
        self.bfd_is_up = false;
        if self.mode == Mode::Started && self.waits_for_bfd() {
            self.mode = Mode::Held;
            self.retry_at = None;
        }
        while let Some(connection) = self.connections.first() {
            let (id, farewell) = (connection.id, bfd_farewell(connection));
            self.end(id, farewell, DownReason::BfdDown(words.to_owned()), now);
        }
    }

    fn waits_for_bfd(&self) -> bool {
        match self.settings.bgp_waits {
            BgpWaits::ForBfd => !self.bfd_is_up,
            BgpWaits::No => false,
        }
    }

    fn connected(&mut self, id: ConnectionId, now: Instant) {
        match self.connection(id) {
            Some(connection) if matches!(connection.phase, Phase::Connecting) => {
                self.retry_at = None;
                self.send_open(id, now);
            }
            Some(_) => {}
            // Stopped, or settled otherwise, while the dial was under way.
            None => self.actions.push_back(Action::Close(id)),
        }
    }

    fn accepted(&mut self, id: ConnectionId, now: Instant) {
        match self.mode {
            // RFC 4486 §4: a connection that is not wanted is told so.
            Mode::Stopped { .. } | Mode::Held => {
                self.actions.push_back(Action::Send(
                    id,
                    Message::Notification(Notification::cease(cease::CONNECTION_REJECTED)),
                ));
                self.actions.push_back(Action::Close(id));
            }
            Mode::Started => {
                // A peer that dials again has given its first attempt up.
                if let Some(earlier) =
                    self.find(|other| other.direction == Direction::Incoming && other.is_opening())
                {
                    self.drop_for_collision(earlier);
                    // The earlier one may have been what dialing waited for.
                    if self.retry_at.is_none() {
                        self.dial_later(now);
                    }
                }
                self.connections
                    .push(Connection::new(id, Direction::Incoming));
                self.send_open(id, now);
            }
        }
    }

    /// Ends a connection with a NOTIFICATION that is also the reason.
    pub(super) fn fail(&mut self, id: ConnectionId, notification: Notification, now: Instant) {
        let reason = DownReason::NotificationSent(notification.clone());
        self.end(id, Farewell::Notification(notification), reason, now);
    }

    /// Ends a connection, and waits to dial.
    pub(super) fn end(
        &mut self,
        id: ConnectionId,
        farewell: Farewell,
        reason: DownReason,
        now: Instant,
    ) {
        let Some(connection) = self.remove(id) else {
            return;
        };
        match (farewell, &connection.phase) {
            (
                Farewell::Notification(notification),
                Phase::OpenSent | Phase::OpenConfirm(_) | Phase::Established { .. },
            ) => {
                self.actions
                    .push_back(Action::Send(id, Message::Notification(notification)));
            }
            (Farewell::Notification(_), Phase::Connecting) | (Farewell::Silent, _) => {}
        }
        self.actions.push_back(Action::Close(id));
        self.actions.push_back(match connection.phase {
            Phase::Established { since, .. } => {
                if now.saturating_duration_since(since) >= self.backoff.longest() {
                    self.backoff.reset();
                }
                Action::Down(reason)
            }
            Phase::Connecting | Phase::OpenSent | Phase::OpenConfirm(_) => {
                Action::AttemptFailed(reason)
            }
        });
        self.dial_later(now);
    }

    /// Waits to dial, unless stopped or another connection promises enough.
    fn dial_later(&mut self, now: Instant) {
        if self.mode == Mode::Started && !self.connections.iter().any(Connection::is_promising) {
            // RFC 4271 §8.2.2 goes to Idle and starts again by itself; here that
            // start is always the passive one (event 5): Active, so that the
            // peer may come first.
            let wait = self.backoff.next();
            self.retry_at = if self.settings.passive {
                None
            } else {
                now.checked_add(wait)
            };
        }
    }

    /// Ends a connection because another one stays: no failure.
    pub(super) fn drop_for_collision(&mut self, id: ConnectionId) {
        let Some(connection) = self.remove(id) else {
            return;
        };
        match connection.phase {
            Phase::Connecting => {}
            Phase::OpenSent | Phase::OpenConfirm(_) | Phase::Established { .. } => {
                let notification = Notification::cease(cease::CONNECTION_COLLISION);
                self.actions
                    .push_back(Action::Send(id, Message::Notification(notification)));
            }
        }
        self.actions.push_back(Action::Close(id));
    }

    /// ConnectRetryTimer has expired.
    fn retry(&mut self, now: Instant) {
        self.retry_at = None;
        match self.state() {
            State::Connect => {
                let dialed =
                    |connection: &Connection| matches!(connection.phase, Phase::Connecting);
                if let Some(id) = self.find(dialed).filter(|_| !self.backoff.is_hurrying()) {
                    self.end(id, Farewell::Silent, DownReason::ConnectTimedOut, now);
                }
                self.dial(now);
            }
            // A connection of the peer's that says nothing does not keep us from trying.
            State::Active | State::OpenSent => self.dial(now),
            State::Idle | State::OpenConfirm | State::Established => {}
        }
    }

    fn dial(&mut self, now: Instant) {
        if let Some(earlier) = self.find(|connection| matches!(connection.phase, Phase::Connecting))
        {
            self.drop_for_collision(earlier);
        }
        if self.settings.passive
            || self
                .find(|connection| connection.direction == Direction::Outgoing)
                .is_some()
        {
            return;
        }
        let id = self.new_connection();
        self.connections
            .push(Connection::new(id, Direction::Outgoing));
        // A SYN that is lost is sent again after a second at the earliest: where
        // the way has just come back, a new dial is faster.
        let patience = self.backoff.take_hurry().unwrap_or(CONNECT_TIME);
        self.retry_at = now.checked_add(patience);
        self.actions.push_back(Action::Connect(id));
    }

    fn send_open(&mut self, id: ConnectionId, now: Instant) {
        let open = self.settings.open(self.own_restart(now));
        if let Some(connection) = self.connection(id) {
            connection.phase = Phase::OpenSent;
            connection.hold_at = now.checked_add(LARGE_HOLD_TIME);
            self.actions
                .push_back(Action::Send(id, Message::Open(open)));
        }
    }

    fn own_restart(&self, now: Instant) -> OwnRestart {
        let until = self.settings.restarting_until;
        OwnRestart {
            restarting: until.is_some_and(|until| now < until),
            forwarding_kept: until.is_some() || self.was_established,
        }
    }

    pub(super) fn restart_hold(&mut self, id: ConnectionId, now: Instant) {
        let Some(connection) = self.connection(id) else {
            return;
        };
        let Phase::Established { negotiated, .. } = &connection.phase else {
            return;
        };
        if !negotiated.hold_time.is_zero() {
            connection.hold_at = now.checked_add(negotiated.hold_time);
        }
    }

    pub(super) fn restart_keepalive(&mut self, id: ConnectionId, now: Instant) {
        let Some(connection) = self
            .connections
            .iter_mut()
            .find(|connection| connection.id == id)
        else {
            return;
        };
        connection.keepalive_at = match &connection.phase {
            Phase::OpenConfirm(negotiated) | Phase::Established { negotiated, .. }
                if !negotiated.keepalive.is_zero() =>
            {
                now.checked_add(self.backoff.jitter(negotiated.keepalive))
            }
            Phase::Connecting
            | Phase::OpenSent
            | Phase::OpenConfirm(_)
            | Phase::Established { .. } => None,
        };
    }

    pub(super) fn connection(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections
            .iter_mut()
            .find(|connection| connection.id == id)
    }

    pub(super) fn find(&self, wanted: impl Fn(&Connection) -> bool) -> Option<ConnectionId> {
        self.connections
            .iter()
            .find(|connection| wanted(connection))
            .map(|connection| connection.id)
    }

    fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let position = self
            .connections
            .iter()
            .position(|connection| connection.id == id)?;
        Some(self.connections.remove(position))
    }
}

/// The way is gone in at least one direction: where a plain NOTIFICATION would have
/// the peer keep our routes (RFC 8538), it is told not to.
fn bfd_farewell(connection: &Connection) -> Farewell {
    let notification = Notification::cease(cease::BFD_DOWN);
    match &connection.phase {
        Phase::Established { negotiated, .. }
            if negotiated
                .restart
                .as_ref()
                .is_some_and(|restart| restart.notification) =>
        {
            Farewell::Notification(notification.into_hard_reset())
        }
        Phase::Connecting | Phase::OpenSent | Phase::OpenConfirm(_) | Phase::Established { .. } => {
            Farewell::Notification(notification)
        }
    }
}

/// Whether the peer is to keep our routes is said by how it is told.
fn farewell(connection: &Connection, reason: &StopReason) -> Farewell {
    let restart = match &connection.phase {
        Phase::Established { negotiated, .. } => negotiated.restart.as_ref(),
        Phase::Connecting | Phase::OpenSent | Phase::OpenConfirm(_) => None,
    };
    let notification = reason.notification();
    match (restart, reason.aftermath()) {
        // RFC 8538 §3: any other NOTIFICATION would let it keep them.
        (Some(restart), Aftermath::Gone) if restart.notification => {
            Farewell::Notification(notification.into_hard_reset())
        }
        // RFC 4724 §4: it keeps them when TCP ends without a NOTIFICATION.
        (Some(restart), Aftermath::Forwarding) if !restart.notification => Farewell::Silent,
        (Some(_) | None, Aftermath::Gone | Aftermath::Forwarding | Aftermath::Open) => {
            Farewell::Notification(notification)
        }
    }
}

/// RFC 4271 §8.2.2: while waiting for an OPEN.
const LARGE_HOLD_TIME: Duration = Duration::from_secs(240);
/// ConnectRetryTimer in Connect. Longer than TCP's own attempt is allowed to
/// take, so that its failure is told in TCP's words.
const CONNECT_TIME: Duration = Duration::from_secs(30);
