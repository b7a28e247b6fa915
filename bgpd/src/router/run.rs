//! The loop: take what commands there are, then a bounded piece of every other
//! work, then again; sleep only when there is nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bgp_core::api::{Routes, RoutesQuery};
use bgp_core::peer::{DownReason, Negotiated, RemoteRestart};
use bgp_core::rib::{FibChange, FibRoute, FibUse, Hop, OnDown, Rib, Scan, Session};
use bgp_core::wire::Update;
use bgp_core::{Family, PathId, config, rib};
use tokio::sync::mpsc::error::{TryRecvError, TrySendError};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info, warn};

use super::schedule::{Fate, Progress, Refresh};
use super::{Command, Event, Kernel, Outbound, Settings};
use crate::panics;

/// Prefixes that one peer is told of before it is another's turn.
const OUTBOUND: usize = 4096;
/// Changes in one batch for the FIB.
const FIB: usize = 4096;
/// Prefixes that a question looks at before it is something else's turn.
const SCAN: usize = 16_384;
/// Time for commands before it is something else's turn.
const COMMANDS: Duration = Duration::from_millis(5);
/// Somebody who is slow is tried again after this long, asked or not.
const BLOCKED: Duration = Duration::from_millis(50);

pub(super) struct Router<K> {
    rib: Rib,
    kernel: K,
    events: mpsc::UnboundedSender<Event>,
    peers: BTreeMap<PathId, Peer>,
    fib: FibQueue,
    scans: VecDeque<(Scan, oneshot::Sender<Routes>)>,
    /// Until then nobody is told of a route, but when the peers have sent all
    /// of theirs earlier.
    selects_by: Option<Instant>,
    /// Until when peers are waited for before an earlier run's routes go.
    converges_by: Option<Instant>,
    /// Which of them stay beyond that, until their peers have spoken.
    kept: Vec<FibRoute>,
}

struct Peer {
    config: Arc<config::Peer>,
    outbox: Option<Outbox>,
    progress: Progress,
    /// What the session, or the last one, says of restarts.
    restart: Option<RemoteRestart>,
    refreshes: [Refresh; 2],
    held_back: [usize; 2],
}

/// The way to a session, with what its channel had no room for.
struct Outbox {
    channel: mpsc::Sender<Outbound>,
    queue: VecDeque<Outbound>,
    is_full: bool,
}

#[derive(Default)]
struct FibQueue {
    /// Handed back by the FIB.
    batch: Vec<FibChange>,
    is_full: bool,
    /// When the oldest UPDATE came whose changes the FIB does not all have.
    since: Option<Instant>,
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
            fib: FibQueue::default(),
            scans: VecDeque::new(),
            selects_by,
            converges_by: Some(Instant::now() + start),
            kept: Vec::new(),
        }
    }

    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            if !self.has_work() {
                let Some(command) = self.wait(&mut commands).await else {
                    return;
                };
                self.handle(command);
            }
            if !self.take_commands(&mut commands) {
                return;
            }
            self.expire(Instant::now());
            if self.selects() {
                self.feed_peers();
                self.feed_fib();
            }
            self.answer_scans();
        }
    }

    /// `None`: there will be no command any more. A timeout is a `FibReady`
    /// that isn't: it makes the loop go round.
    async fn wait(&mut self, commands: &mut mpsc::Receiver<Command>) -> Option<Command> {
        // While somebody has still to be told, little of it could go.
        if self.rib.has_garbage() && !self.is_blocked() {
            self.rib.reap();
        }
        match self.next_timeout() {
            None => commands.recv().await,
            Some(at) => tokio::time::timeout_at(at.into(), commands.recv())
                .await
                .unwrap_or(Some(Command::FibReady)),
        }
    }

    /// Takes commands while there are any, for a while. Whether there can be
    /// more.
    fn take_commands(&mut self, commands: &mut mpsc::Receiver<Command>) -> bool {
        let began = Instant::now();
        while began.elapsed() < COMMANDS {
            match commands.try_recv() {
                Ok(command) => self.handle(command),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
        self.rib.mark_changed();
        true
    }

    fn handle(&mut self, command: Command) {
        match command {
            Command::Configure { path, peer } => self.configure(path, peer),
            Command::Remove { path } => {
                self.rib.remove(path);
                self.peers.remove(&path);
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
                }
            }
            Command::Writable { path } => {
                if let Some(outbox) = self
                    .peers
                    .get_mut(&path)
                    .and_then(|peer| peer.outbox.as_mut())
                {
                    outbox.is_full = false;
                }
            }
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
        let families = &negotiated.codec.families;
        peer.outbox = Some(Outbox {
            channel: outbound,
            queue: VecDeque::new(),
            is_full: false,
        });
        peer.restart.clone_from(&negotiated.restart);
        let restart = peer.restart.as_ref();
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
                families: families.clone(),
            },
        );
    }

    fn down(&mut self, path: PathId, reason: &DownReason) {
        let Some(peer) = self.peers.get_mut(&path) else {
            return;
        };
        self.kernel.path_down(path, reason);
        peer.outbox = None;
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
            }
        }
    }

    /// Does what the clock asks for.
    fn expire(&mut self, now: Instant) {
        for (path, peer) in &mut self.peers {
            if peer.progress.take_initial_routes(now) {
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
    }

    /// Somebody has no room for what is to be told.
    fn is_blocked(&self) -> bool {
        let mut outboxes = self.peers.values().filter_map(|peer| peer.outbox.as_ref());
        self.fib.is_full || outboxes.any(|outbox| outbox.is_full)
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
        // While the FIB is full nothing comes of that time, even once it has passed.
        let converges_by = self.converges_by.filter(|_| !is_blocked);
        let peers = self
            .peers
            .values()
            .filter_map(|peer| peer.progress.next_timeout());
        let refreshes = self
            .peers
            .values()
            .flat_map(|peer| &peer.refreshes)
            .filter_map(Refresh::next_timeout);
        peers
            .chain(refreshes)
            .chain(retry)
            .chain(converges_by)
            .chain(self.selects_by)
            .min()
    }

    fn has_work(&self) -> bool {
        let peer_has_work = |(path, peer): (&PathId, &Peer)| {
            peer.outbox.as_ref().is_some_and(|outbox| {
                !outbox.is_full && (!outbox.queue.is_empty() || self.rib.has_outbound(*path))
            })
        };
        let fib_has_work =
            !self.fib.is_full && (!self.fib.batch.is_empty() || self.rib.has_fib_changes());
        let selects = self.selects_by.is_none();
        !self.scans.is_empty() || selects && (fib_has_work || self.peers.iter().any(peer_has_work))
    }

    /// Tells every peer with room a part of what it has to hear.
    fn feed_peers(&mut self) {
        for (path, peer) in &mut self.peers {
            let Some(outbox) = &mut peer.outbox else {
                continue;
            };
            outbox.flush();
            if outbox.is_full || !outbox.queue.is_empty() || !self.rib.has_outbound(*path) {
                continue;
            }
            outbox
                .queue
                .extend(self.rib.drain_outbound(*path, OUTBOUND));
            outbox.flush();
            // In the middle of a table the number says nothing yet.
            if !self.rib.has_outbound(*path) {
                peer.tell_held_back(*path, &self.rib, &self.events);
            }
        }
    }

    /// Hands the FIB a part of what has changed; once it has all, the paths
    /// that waited for that are up.
    fn feed_fib(&mut self) {
        if self.fib.batch.is_empty() {
            self.fib.batch = self.rib.drain_fib(FIB);
        }
        if !self.fib.batch.is_empty() && !self.fib.is_full {
            let batch = std::mem::take(&mut self.fib.batch);
            let since = self.fib.since.unwrap_or_else(Instant::now);
            if let Err(batch) = self.kernel.apply(batch, since) {
                self.fib.batch = batch;
                self.fib.is_full = true;
            }
        }
        if !self.fib.batch.is_empty() || self.rib.has_fib_changes() {
            return;
        }
        self.fib.since = None;
        for (path, peer) in &mut self.peers {
            // A session that has ended meanwhile has already told the fast path
            // so; its `Down` is under way, and moving traffic back would lose it.
            let has_ended = peer.outbox.as_ref().is_none_or(Outbox::is_closed);
            if std::mem::take(&mut peer.progress.is_loaded) && !has_ended {
                self.kernel.path_up(*path);
            }
        }
        self.converge();
    }

    /// After the start: what is in the kernel and was not asked for again is
    /// stale. Once, and once more for each peer whose routes wait on its backup.
    fn converge(&mut self) {
        let Some(by) = self.converges_by else {
            return self.converge_late();
        };
        let all =
            !self.peers.is_empty() && self.peers.values().all(|peer| peer.progress.has_loaded);
        if all || by <= Instant::now() {
            info!(all_peers = all, "initial routes are in");
            self.converges_by = None;
            self.kept = self.unheard().collect();
            self.kernel.converged(self.kept.clone());
        }
    }

    fn converge_late(&mut self) {
        if self.kept.is_empty() {
            return;
        }
        let unheard: Vec<FibRoute> = self.unheard().collect();
        let before = self.kept.len();
        self.kept.retain(|route| unheard.contains(route));
        if self.kept.len() < before {
            self.kernel.converged(self.kept.clone());
        }
    }

    /// What routes looked like in an earlier run of peers that have not sent
    /// theirs and have a backup: had this run heard them, it would keep them.
    fn unheard(&self) -> impl Iterator<Item = FibRoute> {
        let unheard = |peer: &&Peer| peer.config.backup.is_some() && !peer.progress.has_loaded;
        let peers = self.peers.iter().filter(move |(_, peer)| unheard(peer));
        peers.map(|(path, peer)| FibRoute {
            best: Hop {
                path: *path,
                gateway: peer.config.remote,
            },
            backup: None,
        })
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

    /// Tells the daemon when `advertise_limit` begins or ends to hold prefixes
    /// back; in between the number changes with every batch of a busy table.
    fn tell_held_back(&mut self, path: PathId, rib: &Rib, events: &mpsc::UnboundedSender<Event>) {
        for (family, told) in Family::ALL.into_iter().zip(&mut self.held_back) {
            let prefixes = rib.held_back(path, family);
            let before = std::mem::replace(told, prefixes);
            if (before == 0) != (prefixes == 0) {
                let _ = events.send(Event::HeldBack {
                    path,
                    family,
                    prefixes,
                });
            }
        }
    }
}

impl Outbox {
    /// The session takes nothing any more.
    fn is_closed(&self) -> bool {
        self.channel.is_closed()
    }

    /// Sends as much as there is room for.
    fn flush(&mut self) {
        while let Some(next) = self.queue.pop_front() {
            match self.channel.try_send(next) {
                Ok(()) => (),
                Err(TrySendError::Full(next)) => {
                    self.queue.push_front(next);
                    self.is_full = true;
                    return;
                }
                // The session is ending; `Down` follows.
                Err(TrySendError::Closed(_)) => self.queue.clear(),
            }
        }
        self.is_full = false;
    }
}
