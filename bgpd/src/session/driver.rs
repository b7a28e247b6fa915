//! The task's loop: waits for whatever comes first, tells the state machine, and
//! carries out what it says. What an operator has to know is in [`Status`], whose
//! readers log it; what is logged here is detail.

mod input;

use std::future::{Future, poll_fn};
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use bgp_core::bfd::Verdict;
use bgp_core::peer::{
    Action, ConnectionId, DownReason, Event, Negotiated, Peer, PeerSettings, State, StopReason,
};
use bgp_core::wire::{Message, Update};
use bytes::Buf;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Sleep;

use super::admission::Admission;
use super::link::Link;
use super::report::Report;
use super::to_router::{RouterGone, ToRouter};
use super::{Bfd, Command, Settings, Status};
use crate::bfd::Bgp;
use crate::fastpath::Voice;
use crate::log_limit::LogLimit;
use crate::router::Outbound;
use crate::transport::{self, ConnectError, ConnectOptions, Connection, MismatchKind, Watch};
use crate::{fastpath, router};
use input::Batch;

pub(super) struct Driver {
    settings: Settings,
    peer: Peer,
    links: Vec<Link>,
    dial: Option<Dial>,
    to_router: ToRouter,
    /// UPDATEs of the batch that is being read.
    batch: Vec<Update>,
    established: Option<Running>,
    /// Connections that only have their last bytes to send.
    farewells: JoinSet<()>,
    /// While no session is up: what the kernel may be dropping, and when to look.
    watch: Option<(Watch, Instant)>,
    /// What the last look has found.
    mismatch: Option<MismatchKind>,
    report: Report,
    malformed_log: LogLimit,
    admission: Admission,
    refused_log: LogLimit,
    sleep: Pin<Box<Sleep>>,
    commands: mpsc::Receiver<Command>,
    fastpath: Option<fastpath::Handle>,
    bfd: Option<Bfd>,
    /// What BFD has said last.
    verdict: Verdict,
}

/// What there is only in Established.
struct Running {
    id: ConnectionId,
    negotiated: Negotiated,
    outbound: mpsc::Receiver<Outbound>,
    /// The router may have found `outbound` full and waits for a word.
    was_full: bool,
}

struct Dial {
    id: ConnectionId,
    outcome: Pin<Box<dyn Future<Output = Result<Connection, ConnectError>> + Send>>,
}

/// What ended the wait.
enum Wake {
    Command(Option<Command>),
    Dialed(ConnectionId, Result<Connection, ConnectError>),
    Readable(ConnectionId),
    /// Bytes can be written, or the router has taken a command: the loop's own
    /// steps do the rest.
    Progress,
    RouterGone,
    Outbound(Outbound),
    Bfd(Verdict),
    Timer,
}

impl Driver {
    pub(super) fn new(
        mut settings: Settings,
        commands: mpsc::Receiver<Command>,
        router: mpsc::Sender<router::Command>,
        fastpath: Option<fastpath::Handle>,
        status: watch::Sender<Status>,
    ) -> Self {
        let seed = RandomState::new().hash_one(&settings.peer.name);
        let machine = PeerSettings::new(
            &settings.peer,
            settings.router_id,
            settings.restarting_until,
        );
        Self {
            peer: Peer::new(machine, seed),
            bfd: settings.bfd.take(),
            verdict: Verdict::Unknown,
            settings,
            links: Vec::new(),
            dial: None,
            to_router: ToRouter::new(router),
            batch: Vec::new(),
            established: None,
            farewells: JoinSet::new(),
            watch: None,
            mismatch: None,
            report: Report::new(status),
            malformed_log: LogLimit::default(),
            admission: Admission::new(Instant::now()),
            refused_log: LogLimit::default(),
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            commands,
            fastpath,
        }
    }

    /// Boxed: a future has room for each place that it was moved to.
    pub(super) async fn run(mut self: Box<Self>) {
        self.start();
        loop {
            self.settle();
            match self.wait().await {
                Wake::Command(Some(command)) => self.command(command),
                Wake::Command(None) => break,
                Wake::Dialed(id, outcome) => self.dialed(id, outcome),
                Wake::Readable(id) => {
                    if self.read(id) == Batch::Full {
                        // A peer that always has more to say is not the only one.
                        tokio::task::yield_now().await;
                    }
                }
                Wake::Progress => {}
                Wake::RouterGone => {
                    let reason = StopReason::InternalError("the router has ended".to_owned());
                    self.peer.handle(Event::Stop(reason), Instant::now());
                    break;
                }
                Wake::Outbound(outbound) => self.announce(outbound),
                Wake::Bfd(verdict) => self.hear_bfd(verdict),
                Wake::Timer => self.timeout(),
            }
        }
        self.finish().await;
    }

    async fn wait(&mut self) -> Wake {
        let deadline = self.deadline();
        let may_read = self.to_router.has_room();
        if self.sleep.deadline() != deadline {
            self.sleep.as_mut().reset(deadline);
        }
        let outbound = self.established.as_mut().filter(|running| {
            let link = self.links.iter().find(|link| link.id == running.id);
            link.is_some_and(|link| link.outbound.remaining() < OUTBOUND_OCTETS)
        });
        let (links, to_router) = (&self.links, &mut self.to_router);
        tokio::select! {
            command = self.commands.recv() => Wake::Command(command),
            handed_over = to_router.hand_over() => match handed_over {
                Ok(()) => Wake::Progress,
                Err(RouterGone) => Wake::RouterGone,
            },
            (id, outcome) = dialing(&mut self.dial) => Wake::Dialed(id, outcome),
            wake = ready(links, may_read) => wake,
            outbound = next_outbound(outbound) => Wake::Outbound(outbound),
            verdict = next_verdict(&mut self.bfd) => Wake::Bfd(verdict),
            () = self.sleep.as_mut() => Wake::Timer,
        }
    }

    fn deadline(&self) -> tokio::time::Instant {
        let look_at = self.watch.as_ref().map(|(_, look_at)| *look_at);
        let send_hold_time = self.send_hold_time();
        let send_hold = self
            .links
            .iter()
            .filter_map(|link| link.send_hold_at(send_hold_time));
        let next = send_hold
            .chain(look_at)
            .chain(self.peer.next_timeout())
            .min();
        next.unwrap_or_else(|| Instant::now() + FAR).into()
    }

    /// RFC 9687 §4.
    fn send_hold_time(&self) -> Duration {
        let peer = &self.settings.peer;
        let hold_time = self
            .established
            .as_ref()
            .map_or(peer.hold_time, |running| running.negotiated.hold_time);
        peer.send_hold_time
            .unwrap_or_else(|| SEND_HOLD_TIME_LEAST.max(hold_time.saturating_mul(2)))
    }

    fn start(&mut self) {
        if self.settings.peer.auth_key_file.is_some() && self.settings.key.is_none() {
            self.report.last_error = Some(
                "auth_key_file is set but its key could not be read: the session stays down rather than run without MD5".to_owned(),
            );
            return;
        }
        self.peer.handle(Event::Start, Instant::now());
        if self.peer.state() == State::Idle {
            self.report.last_error = Some(HELD.to_owned());
        }
    }

    fn hear_bfd(&mut self, verdict: Verdict) {
        // After a reload it begins with what is known: a session that has come up
        // since BFD was Down would be closed by that.
        if verdict == self.verdict {
            return;
        }
        self.verdict.clone_from(&verdict);
        let event = match verdict {
            // RFC 5882 §3.2: that one end has switched it off is no failure.
            Verdict::Up | Verdict::AdminDown => Event::BfdUp,
            Verdict::Down(words) => Event::BfdDown(words),
            Verdict::Unknown => return,
        };
        self.peer.handle(event, Instant::now());
    }

    fn command(&mut self, command: Command) {
        let now = Instant::now();
        match command {
            Command::Accepted(connection) => self.accepted(connection, now),
            Command::LinkDown(words) => self.peer.handle(Event::LinkDown(words), now),
            Command::LinkUp => self.peer.handle(Event::LinkUp, now),
            Command::Bfd(bfd) => {
                self.bfd = bfd;
                self.tell_bfd();
            }
            Command::Stop(reason) => {
                self.report.last_error = Some(reason.to_string());
                self.peer.handle(Event::Stop(reason), now);
            }
            Command::Start => self.start(),
        }
    }

    fn dial(&mut self, id: ConnectionId) {
        let peer = &self.settings.peer;
        let options = ConnectOptions {
            remote: SocketAddr::new(peer.remote, peer.port),
            local: peer.local.map(|local| local.addr()),
            interface: peer.interface.clone(),
            key: self.settings.key.clone(),
            ttl: peer.ttl,
            timeout: CONNECT_TIMEOUT,
        };
        let outcome = Box::pin(async move { transport::connect(&options).await });
        self.dial = Some(Dial { id, outcome });
    }

    fn dialed(&mut self, id: ConnectionId, outcome: Result<Connection, ConnectError>) {
        self.dial = None;
        let now = Instant::now();
        match outcome {
            Ok(connection) => {
                self.links.push(Link::new(id, connection));
                self.peer.handle(Event::Connected(id), now);
            }
            Err(error) => {
                let words = self.explain(&error);
                self.peer.handle(Event::ConnectFailed(id, words), now);
            }
        }
    }

    /// A failed dial, with what the peer's own segments say about it.
    fn explain(&mut self, error: &ConnectError) -> String {
        let key = self.settings.key.as_ref();
        let mismatch = self.watch.as_mut().and_then(|(watch, _)| watch.look(key));
        match (mismatch, error) {
            (Some(mismatch), _) => format!("{error}, and {mismatch}"),
            (None, ConnectError::NoAnswer { .. }) => {
                format!(
                    "{error}: the peer cannot be reached, {}",
                    match key {
                        Some(_) =>
                            "or it has no MD5 key for us or another one than auth_key_file (it would drop what we send without a word)",
                        None => "or it expects an MD5 signature and auth_key_file is not set",
                    }
                )
            }
            (None, _) => error.to_string(),
        }
    }

    fn timeout(&mut self) {
        let now = Instant::now();
        self.look_for_life(now);
        let send_hold_time = self.send_hold_time();
        for link in &self.links {
            if link
                .send_hold_at(send_hold_time)
                .is_some_and(|at| at <= now)
            {
                self.peer.handle(Event::SendHoldExpired(link.id), now);
            }
        }
        self.peer.handle_timeout(now);
        let Some((watch, look_at)) = &mut self.watch else {
            return;
        };
        if *look_at <= now {
            *look_at = now + LOOK_INTERVAL;
            match watch.look(self.settings.key.as_ref()) {
                // Told once; the next failed dial brings the numbers up to date.
                Some(mismatch) if self.mismatch != Some(mismatch.kind) => {
                    tracing::debug!(peer = %self.settings.peer.name, "{mismatch}");
                    self.mismatch = Some(mismatch.kind);
                    self.report.last_error = Some(mismatch.to_string());
                }
                Some(_) | None => {}
            }
        }
    }

    /// Takes what the router says, as much as the queue holds at a time.
    fn announce(&mut self, first: Outbound) {
        let Some(running) = &mut self.established else {
            return;
        };
        let Some(link) = self.links.iter_mut().find(|link| link.id == running.id) else {
            return;
        };
        let mut next = Some(first);
        while let Some(outbound) = next.take() {
            // Only this end takes: if it was full before, at most one is missing now.
            running.was_full |= running.outbound.len() + 1 >= running.outbound.max_capacity();
            self.report.counts.updates_sent += outbound.updates;
            outbound
                .octets
                .into_iter()
                .for_each(|octets| link.outbound.push(octets));
            if link.outbound.remaining() < OUTBOUND_OCTETS {
                next = running.outbound.try_recv().ok();
            }
        }
        if running.was_full && running.outbound.len() <= running.outbound.max_capacity() / 2 {
            running.was_full = false;
            let path = self.settings.path;
            self.to_router.push(router::Command::Writable { path });
        }
    }

    /// Brings everything to where it only remains to wait.
    fn settle(&mut self) {
        self.carry_out();
        self.hand_batch();
        let now = Instant::now();
        for link in &mut self.links {
            link.write(now);
        }
        while self.farewells.try_join_next().is_some() {}
        self.keep_watch(now);
        self.report.publish(
            &self.peer,
            self.established.as_ref().map(|running| {
                let local = self
                    .links
                    .iter()
                    .find(|link| link.id == running.id)
                    .map(|link| link.local);
                (&running.negotiated, local)
            }),
            now,
        );
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.peer.poll_action() {
            match action {
                Action::Deliver(update) => {
                    self.report.counts.updates_received += 1;
                    self.batch.push(update);
                }
                Action::Connect(id) => self.dial(id),
                Action::Send(id, message) => self.send(id, &message),
                Action::Close(id) => self.close(id),
                Action::UseCodec(id, codec) => {
                    if let Some(link) = self.links.iter_mut().find(|link| link.id == id) {
                        link.codec = codec;
                    }
                }
                Action::Established(id, negotiated) => self.up(id, negotiated),
                Action::Refresh(family) => {
                    let path = self.settings.path;
                    if !self.to_router.has_refresh(family) {
                        self.tell_router(router::Command::Refresh { path, family });
                    }
                }
                Action::Down(reason) => self.down(reason),
                Action::AttemptFailed(reason) => {
                    tracing::debug!(peer = %self.settings.peer.name, "no session: {reason}");
                    let named = (reason == DownReason::ConnectTimedOut)
                        .then(|| self.named_mismatch())
                        .flatten();
                    self.report.last_error = Some(named.unwrap_or_else(|| reason.to_string()));
                }
            }
        }
    }

    /// Why TCP is silent, where the peer's segments tell.
    fn named_mismatch(&mut self) -> Option<String> {
        let (watch, _) = self.watch.as_mut()?;
        let mismatch = watch.look(self.settings.key.as_ref())?;
        self.mismatch = Some(mismatch.kind);
        Some(mismatch.to_string())
    }

    fn send(&mut self, id: ConnectionId, message: &Message) {
        if let Some(link) = self.links.iter_mut().find(|link| link.id == id) {
            link.send(message);
        }
    }

    fn close(&mut self, id: ConnectionId) {
        if self.dial.as_ref().is_some_and(|dial| dial.id == id) {
            self.dial = None;
        }
        if let Some(position) = self.links.iter().position(|link| link.id == id) {
            let link = self.links.swap_remove(position);
            self.farewells.spawn(link.finish());
        }
    }

    fn up(&mut self, id: ConnectionId, negotiated: Negotiated) {
        let Some(link) = self.links.iter().find(|link| link.id == id) else {
            return;
        };
        tracing::debug!(
            peer = %self.settings.peer.name,
            hold_time = negotiated.hold_time.as_secs(),
            "session established"
        );
        let local = link.local;
        let (sender, outbound) = mpsc::channel(OUTBOUND);
        self.report.last_error = self.report.last_down.as_ref().map(ToString::to_string);
        self.established = Some(Running {
            id,
            negotiated: negotiated.clone(),
            outbound,
            was_full: false,
        });
        let path = self.settings.path;
        self.tell_router(router::Command::Established {
            path,
            negotiated,
            local,
            outbound: sender,
        });
        self.tell_bfd();
    }

    /// Traffic first: the fast path moves it before anybody computes a route.
    fn down(&mut self, reason: DownReason) {
        let path = self.settings.path;
        if let Some(fastpath) = &self.fastpath {
            fastpath.path_down(path, Voice::Session, reason.to_string());
        }
        tracing::debug!(peer = %self.settings.peer.name, "session down: {reason}");
        self.established = None;
        self.tell_bfd();
        self.report.flaps += 1;
        self.report.last_error = Some(reason.to_string());
        self.report.last_down = Some(reason.clone());
        self.tell_router(router::Command::Down { path, reason });
    }

    fn tell_bfd(&self) {
        let Some(bfd) = &self.bfd else { return };
        let now = match self.established {
            Some(_) => Bgp::Established,
            None => Bgp::Down,
        };
        bfd.handle.bgp_is(bfd.path, now);
    }

    fn tell_router(&mut self, command: router::Command) {
        self.hand_batch();
        self.to_router.push(command);
    }

    fn hand_batch(&mut self) {
        if !self.batch.is_empty() {
            let path = self.settings.path;
            let updates = std::mem::take(&mut self.batch);
            self.to_router
                .push(router::Command::Updates { path, updates });
        }
    }

    /// A watch while the session is wanted and not there.
    fn keep_watch(&mut self, now: Instant) {
        match self.peer.state() {
            State::Idle | State::Established => {
                self.watch = None;
                self.mismatch = None;
            }
            State::Connect | State::Active | State::OpenSent | State::OpenConfirm => {
                self.watch.get_or_insert_with(|| {
                    let peer = &self.settings.peer;
                    let remote = SocketAddr::new(peer.remote, peer.port);
                    let local = peer.local.map(|local| local.addr());
                    (Watch::open(remote, local), now + LOOK_INTERVAL)
                });
            }
        }
    }

    /// Says goodbye to the peer and hands the router what it has not taken yet.
    async fn finish(mut self: Box<Self>) {
        let goodbye = StopReason::AdministrativeShutdown(String::new());
        self.peer.handle(Event::Stop(goodbye), Instant::now());
        self.settle();
        self.to_router.finish().await;
        while self.farewells.join_next().await.is_some() {}
    }
}

/// Pending without BFD, and once it watches for somebody else.
async fn next_verdict(bfd: &mut Option<Bfd>) -> Verdict {
    match bfd {
        Some(bfd) => match bfd.verdict.changed().await {
            Ok(()) => bfd.verdict.borrow_and_update().clone(),
            Err(_) => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

async fn dialing(dial: &mut Option<Dial>) -> (ConnectionId, Result<Connection, ConnectError>) {
    match dial {
        Some(dial) => (dial.id, dial.outcome.as_mut().await),
        None => std::future::pending().await,
    }
}

async fn ready(links: &[Link], may_read: bool) -> Wake {
    poll_fn(|context| {
        for link in links {
            if may_read && link.poll_readable(context) {
                return Poll::Ready(Wake::Readable(link.id));
            }
            if link.poll_writable(context) {
                return Poll::Ready(Wake::Progress);
            }
        }
        Poll::Pending
    })
    .await
}

/// The router keeps the sender for as long as the session is up.
async fn next_outbound(running: Option<&mut Running>) -> Outbound {
    match running {
        Some(running) => match running.outbound.recv().await {
            Some(outbound) => outbound,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

const HELD: &str = "BFD is not Up yet, and BGP waits for it (`strict`); see that the far end speaks BFD with the same authentication";
/// RFC 9687 §4: the default's lower bound.
const SEND_HOLD_TIME_LEAST: Duration = Duration::from_secs(480);
/// Enough for 4 SYNs that double their wait, or 7 that begin with a second each.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// No timer runs.
const FAR: Duration = Duration::from_secs(3600);
/// Take nothing more from the router while this much waits to be sent.
const OUTBOUND_OCTETS: usize = 256 * 1024;
/// Batches of the router's that wait for that; the peer's group shares them.
const OUTBOUND: usize = 64;
