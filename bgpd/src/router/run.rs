//! The loop: take what commands there are, then a bounded piece of every other
//! work, then again; sleep only when there is nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bgp_core::api::{Routes, RoutesQuery};
use bgp_core::peer::{DownReason, Negotiated, RemoteRestart};
use bgp_core::policy::Stance;
use bgp_core::rib::{FibRoute, FibUse, OnDown, Rib, Scan, Session};
use bgp_core::wire::Update;
use bgp_core::{Family, PathId, config, rib};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info, warn};

use super::install::{Announces, FibQueue};
use super::outbox::{Outbound, Outbox};
use super::schedule::{Fate, Progress, Refresh};
use super::{Command, Event, Inputs, Kernel, Settings, Steer};
use crate::log_limit::LogLimit;
use crate::panics;

/// Prefixes that a question looks at before it is something else's turn.
const SCAN: usize = 16_384;
/// Prefixes of a walk over a whole table before it is something else's turn.
const WALK: u32 = 8192;
/// Withdrawn prefixes that are forgotten at a time.
const REAP: usize = 16_384;
/// Time for commands before it is something else's turn.
const COMMANDS: Duration = Duration::from_millis(5);
/// Somebody who is slow is tried again after this long, asked or not.
pub(super) const BLOCKED: Duration = Duration::from_millis(50);

pub(super) struct Router<K> {
    pub(super) rib: Rib,
    pub(super) kernel: K,
    events: mpsc::UnboundedSender<Event>,
    pub(super) peers: BTreeMap<PathId, Peer>,
    /// What each pilot has last said of a path.
    stances: BTreeMap<PathId, [Stance; 2]>,
    /// No peer waits for anything earlier.
    expires_at: Option<Instant>,
    /// Peers whose initial routes are in, but not yet with the FIB.
    pub(super) loaded: Vec<PathId>,
    /// Peers that announce something again, of which the FIB has not all yet.
    pub(super) refilled: Vec<PathId>,
    pub(super) fib: FibQueue,
    scans: VecDeque<(Scan, oneshot::Sender<Routes>)>,
    pub(super) unannounced_log: LogLimit,
    /// Until then nobody is told of a route, but when the peers have sent all
    /// of theirs earlier.
    selects_by: Option<Instant>,
    /// Until when peers are waited for before an earlier run's routes go.
    pub(super) converges_by: Option<Instant>,
    /// Which of them stay beyond that, until their peers have spoken.
    pub(super) kept: Vec<FibRoute>,
}

pub(super) struct Peer {
    pub(super) config: Arc<config::Peer>,
    pub(super) outbox: Option<Outbox>,
    pub(super) progress: Progress,
    pub(super) announces: Announces,
    /// What the session, or the last one, says of restarts.
    restart: Option<RemoteRestart>,
    refreshes: [Refresh; 2],
    held_back: [usize; 2],
}

impl<K: Kernel> Router<K> {
    pub(super) fn new(
        settings: Settings,
        start: Duration,
        kernel: K,
        events: mpsc::UnboundedSender<Event>,
    ) -> Self {
        let fib = if kernel.takes_routes() {
            FibUse::Kernel
        } else {
            FibUse::None
        };
        let Settings {
            asn,
            router_id,
            selects_by,
        } = settings;
        Self {
            rib: Rib::new(rib::Settings {
                asn,
                router_id,
                fib,
            }),
            kernel,
            events,
            peers: BTreeMap::new(),
            stances: BTreeMap::new(),
            expires_at: None,
            loaded: Vec::new(),
            refilled: Vec::new(),
            fib: FibQueue::default(),
            scans: VecDeque::new(),
            unannounced_log: LogLimit::default(),
            selects_by,
            converges_by: Some(Instant::now() + start),
            kept: Vec::new(),
        }
    }

    pub(super) async fn run(mut self, mut inputs: Inputs) {
        loop {
            if !self.has_work() {
                let Some(command) = self.wait(&mut inputs).await else {
                    return;
                };
                self.handle(command);
            }
            if !self.take_commands(&mut inputs) {
                return;
            }
            self.expire(Instant::now());
            if self.rib.has_walks() {
                self.rib.walk(WALK);
            }
            if self.selects() {
                self.feed_peers();
                self.feed_fib();
            }
            self.answer_scans();
        }
    }

    /// `None`: there will be no command any more. A timeout is a `FibReady`
    /// that isn't: it makes the loop go round.
    async fn wait(&mut self, inputs: &mut Inputs) -> Option<Command> {
        // While somebody has still to be told, little of it could go.
        if self.rib.has_garbage() && !self.is_blocked() && !self.rib.reap(REAP) {
            return Some(Command::FibReady);
        }
        let next_timeout = self.next_timeout();
        let Inputs { commands, steers } = inputs;
        let heard = async {
            tokio::select! {
                biased;
                Some(steer) = steers.recv() => {
                    self.steer(steer);
                    Some(Command::FibReady)
                }
                command = commands.recv() => command,
            }
        };
        match next_timeout {
            None => heard.await,
            Some(at) => tokio::time::timeout_at(at.into(), heard)
                .await
                .unwrap_or(Some(Command::FibReady)),
        }
    }

    fn steer(&mut self, steer: Steer) {
        let stances = self.stances.entry(steer.path).or_default();
        stances[steer.pilot as usize] = steer.stance;
        self.take_stance(steer.path);
    }

    fn take_stance(&mut self, path: PathId) {
        let stances = self.stances.get(&path).copied().unwrap_or_default();
        let greatest = stances.into_iter().max().unwrap_or_default();
        self.rib.set_stance(path, greatest);
    }

    /// Takes commands while there are any, for a while. Whether there can be
    /// more.
    fn take_commands(&mut self, inputs: &mut Inputs) -> bool {
        if let Ok(steer) = inputs.steers.try_recv() {
            self.steer(steer);
            while let Ok(steer) = inputs.steers.try_recv() {
                self.steer(steer);
            }
            // What was said so is told before anything else is taken.
            return true;
        }
        let began = Instant::now();
        while began.elapsed() < COMMANDS {
            match inputs.commands.try_recv() {
                Ok(command) => self.handle(command),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
        true
    }

    fn handle(&mut self, command: Command) {
        match command {
            Command::Configure { path, peer } => self.configure(path, peer),
            Command::Remove { path } => {
                self.rib.remove(path);
                self.peers.remove(&path);
                self.stances.remove(&path);
            }
            Command::Established {
                path,
                negotiated,
                local,
                outbound,
            } => {
                self.established(path, &negotiated, local, outbound);
            }
            Command::Down { path, reason } => self.down(path, &reason),
            Command::Updates { path, updates } => self.update(path, &updates),
            Command::Refresh { path, family } => {
                if let Some(peer) = self.peers.get_mut(&path) {
                    peer.refreshes[family as usize].ask();
                    self.expires_at = Some(Instant::now());
                }
            }
            // That the loop goes round is all it takes.
            Command::Writable { path: _ } => (),
            Command::FibReady => self.fib.is_full = false,
            Command::Routes { query, answer } => self.begin_scan(query, answer),
            Command::Route { prefix, answer } => {
                // Nobody waits for it any more: nothing to do.
                if let Some(route) = self.read(|rib| rib.lookup(prefix)) {
                    let _ = answer.send(route);
                }
            }
            Command::Counts { answer } => {
                let paths = self.peers.keys();
                let counts =
                    self.read(|rib| paths.map(|path| (*path, rib.counts(*path))).collect());
                if let Some(counts) = counts {
                    let _ = answer.send(counts);
                }
            }
        }
    }

    fn configure(&mut self, path: PathId, config: Arc<config::Peer>) {
        self.rib.configure(path, config.clone());
        self.take_stance(path);
        match self.peers.get_mut(&path) {
            Some(peer) => {
                let was_backed = peer.config.backup.is_some();
                let is_stale = peer.outbox.is_none() && peer.progress.sweep_at.is_none();
                peer.config = config;
                // Kept for a backup that is no more: nothing would carry them.
                if was_backed && peer.config.backup.is_none() && is_stale {
                    self.rib.down(path, OnDown::Withdraw);
                }
            }
            None => {
                let peer = Peer {
                    config,
                    outbox: None,
                    progress: Progress::default(),
                    announces: Announces::default(),
                    restart: None,
                    refreshes: Default::default(),
                    held_back: [0; 2],
                };
                self.peers.insert(path, peer);
            }
        }
    }

    fn established(
        &mut self,
        path: PathId,
        negotiated: &Negotiated,
        local: std::net::IpAddr,
        outbound: mpsc::Sender<Outbound>,
    ) {
        let Some(peer) = self.peers.get_mut(&path) else {
            warn!(
                ?path,
                "a session came up that is not configured: its routes are ignored"
            );
            return;
        };
        peer.outbox = Some(Outbox(outbound));
        peer.restart.clone_from(&negotiated.restart);
        let restart = peer.restart.as_ref();
        let families = &negotiated.codec.families;
        peer.progress.established(families, restart, Instant::now());
        if peer.config.backup.is_none() {
            // RFC 4724 §4.2: what the peer has not kept forwarding goes at once.
            let kept = |family| restart.is_some_and(|restart| restart.kept.contains(&family));
            for family in Family::ALL.into_iter().filter(|family| !kept(*family)) {
                self.rib.sweep_stale(path, family);
            }
        }
        let router_id = negotiated.remote_router_id;
        self.rib.established(
            path,
            Session {
                local,
                router_id,
                codec: negotiated.codec.clone(),
            },
        );
        self.schedule(path);
    }

    fn down(&mut self, path: PathId, reason: &DownReason) {
        let Some(peer) = self.peers.get_mut(&path) else {
            return;
        };
        self.kernel.path_down(path, reason);
        // Of an ended session that says all there is to say.
        if std::mem::take(&mut peer.announces) == Announces::NothingMore {
            self.kernel.routes_back(path);
        }
        // Of a session that did not end in time the daemon tells too, and of a task
        // that has failed: what is stale by then is not so for a second time.
        if peer.outbox.take().is_none() {
            return;
        }
        peer.refreshes = Default::default();
        peer.held_back = [0; 2];
        let restart = peer.restart.as_ref();
        let fate = Fate::of(&peer.config, restart, reason);
        let sweep_at = match fate {
            Fate::KeepFor(time) => Some(Instant::now() + time),
            Fate::Withdraw | Fate::Keep => None,
        };
        peer.progress.down(sweep_at);
        match fate {
            Fate::Withdraw => self.rib.down(path, OnDown::Withdraw),
            Fate::Keep => self.rib.down(path, OnDown::KeepStale),
            Fate::KeepFor(_) => {
                // RFC 4724 §4.2: one restart is survived, not two in a row.
                for family in Family::ALL {
                    self.rib.sweep_stale(path, family);
                }
                self.rib.down(path, OnDown::KeepStale);
                let stays =
                    |family| restart.is_some_and(|restart| restart.families.contains(&family));
                for family in Family::ALL.into_iter().filter(|family| !stays(*family)) {
                    self.rib.sweep_stale(path, family);
                }
            }
        }
        self.schedule(path);
    }

    fn update(&mut self, path: PathId, updates: &[Update]) {
        self.fib.since.get_or_insert_with(Instant::now);
        for update in updates {
            if let Err(exceeded) = self.rib.update(path, update) {
                let rib::PrefixLimitExceeded { family, limit } = exceeded;
                self.tell(Event::PrefixLimit {
                    path,
                    family,
                    limit,
                });
            }
            if let Some(family) = update.end_of_rib
                && let Some(peer) = self.peers.get_mut(&path)
            {
                peer.progress.end_of_rib(family, Instant::now());
                self.schedule(path);
            }
        }
        self.note_whether_any_is_left(path);
    }

    /// Looks at the peer's times when the first of them comes.
    fn schedule(&mut self, path: PathId) {
        let next = self.peers.get(&path).and_then(Peer::next_timeout);
        self.expires_at = self.expires_at.into_iter().chain(next).min();
    }

    /// Does what the clock asks for.
    fn expire(&mut self, now: Instant) {
        if self.expires_at.is_none_or(|at| at > now) {
            return;
        }
        for (path, peer) in &mut self.peers {
            if peer.progress.take_initial_routes(now) {
                self.loaded.push(*path);
                // The daemon is going down when nobody listens.
                let _ = self.events.send(Event::InitialRoutes { path: *path });
            }
            if peer.progress.take_sweep(now) {
                for family in Family::ALL {
                    self.rib.sweep_stale(*path, family);
                }
            }
            for (family, refresh) in Family::ALL.into_iter().zip(&mut peer.refreshes) {
                if refresh.take(now) {
                    self.rib.refresh(*path, family);
                }
            }
        }
        self.expires_at = self.peers.values().filter_map(Peer::next_timeout).min();
    }

    /// Somebody has no room for what is to be told, when there is no other work.
    fn is_blocked(&self) -> bool {
        self.fib.is_full || self.selects_by.is_none() && self.rib.has_outbound()
    }

    /// Whether routes may be selected: the peers have sent theirs, or have had
    /// the time for it. RFC 4724 §4.1: not awaited are peers that have restarted
    /// themselves, and those without graceful restart.
    fn selects(&mut self) -> bool {
        let Some(by) = self.selects_by else {
            return true;
        };
        let mut asked = self
            .peers
            .values()
            .filter(|peer| peer.config.graceful_restart.is_some())
            .peekable();
        let all = asked.peek().is_some() && asked.all(|peer| !peer.is_awaited());
        if all || by <= Instant::now() {
            info!(all_peers = all, "routes are selected after the restart");
            self.selects_by = None;
        }
        self.selects_by.is_none()
    }

    fn next_timeout(&self) -> Option<Instant> {
        let is_blocked = self.is_blocked();
        let retry = is_blocked.then(|| Instant::now() + BLOCKED);
        // Until then nothing comes of that time, even once it has passed.
        let can_converge = !is_blocked && self.selects_by.is_none();
        let converges_by = self.converges_by.filter(|_| can_converge);
        let peers = self.expires_at.into_iter();
        peers
            .chain(retry)
            .chain(converges_by)
            .chain(self.selects_by)
            .min()
    }

    fn has_work(&self) -> bool {
        let fib_has_work =
            !self.fib.is_full && (self.fib.has_batch() || self.rib.has_fib_changes());
        let selects = self.selects_by.is_none();
        let is_asked = !self.scans.is_empty() || self.rib.has_walks();
        is_asked || selects && (fib_has_work || self.can_feed_peers())
    }

    fn begin_scan(&mut self, query: RoutesQuery, answer: oneshot::Sender<Routes>) {
        self.scans.retain(|(_, answer)| !answer.is_closed());
        self.scans.push_back((Scan::new(query), answer));
    }

    /// Goes on with the oldest question.
    fn answer_scans(&mut self) {
        let Some((mut scan, answer)) = self.scans.pop_front() else {
            return;
        };
        if answer.is_closed() {
            return;
        }
        match self.read(|rib| rib.scan(&mut scan, SCAN)) {
            Some(true) => {
                let _ = answer.send(scan.into_routes());
            }
            Some(false) => self.scans.push_front((scan, answer)),
            None => (),
        }
    }

    /// What cannot change the RIB cannot leave it half changed: a panic here costs
    /// the answer, and nothing else.
    fn read<T>(&self, question: impl FnOnce(&Rib) -> T) -> Option<T> {
        let answer = panics::isolated(|| question(&self.rib));
        answer
            .map_err(|panic| {
                error!("a question about routes has no answer: {panic}; please report it")
            })
            .ok()
    }

    /// Tells the daemon when `advertise_limit` begins or ends to hold prefixes
    /// back; in between the number changes with every batch of a busy table, and
    /// in the middle of a table it says nothing yet.
    pub(super) fn tell_held_back(&mut self, path: PathId) {
        for family in Family::ALL {
            let Some(peer) = self.peers.get_mut(&path) else {
                continue;
            };
            if self.rib.is_to_tell(path, family) {
                continue;
            }
            let prefixes = self.rib.held_back(path, family);
            let before = std::mem::replace(&mut peer.held_back[family as usize], prefixes);
            if (before == 0) != (prefixes == 0) {
                self.tell(Event::HeldBack {
                    path,
                    family,
                    prefixes,
                });
            }
        }
    }

    fn tell(&self, event: Event) {
        // The daemon is going down when nobody listens.
        let _ = self.events.send(event);
    }
}

impl Peer {
    /// Whether its routes are still to come, before any is selected.
    fn is_awaited(&self) -> bool {
        let is_up = self.outbox.is_some();
        let is_restarting = self
            .restart
            .as_ref()
            .is_some_and(|restart| restart.restarting);
        !(self.progress.has_loaded || is_up && is_restarting)
    }

    fn next_timeout(&self) -> Option<Instant> {
        let refreshes = self.refreshes.iter().filter_map(Refresh::next_timeout);
        self.progress
            .next_timeout()
            .into_iter()
            .chain(refreshes)
            .min()
    }
}
