//! Telling the kernel's side (FIB, fast path) what has changed: routes in batches,
//! paths once their routes are in, and at once when none of them is left.

use std::time::Instant;

use bgp_core::PathId;
use bgp_core::rib::{FibChange, FibRoute, Hop};
use tracing::info;

use super::Kernel;
use super::outbox::Outbox;
use super::run::{BLOCKED, Peer, Router};

/// Changes in one batch for the FIB.
const FIB: usize = 4096;

#[derive(Default)]
pub(super) struct FibQueue {
    /// Handed back by the FIB.
    batch: Vec<FibChange>,
    pub(super) is_full: bool,
    /// When it was found full.
    asked_at: Option<Instant>,
    /// When the oldest UPDATE came whose changes the FIB does not all have.
    pub(super) since: Option<Instant>,
}

impl FibQueue {
    pub(super) fn has_batch(&self) -> bool {
        !self.batch.is_empty()
    }
}

/// Whether a session's peer has routes that we accept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Announces {
    #[default]
    NothingYet,
    Routes,
    NothingMore,
}

impl<K: Kernel> Router<K> {
    /// A peer that has taken back all that it announced leaves nothing for traffic to
    /// follow: the fast path moves that at once, and the routes are replaced one by
    /// one afterwards.
    pub(super) fn note_whether_any_is_left(&mut self, path: PathId) {
        let is_heard = self.rib.counts(path).accepted > 0;
        let Some(peer) = self.peers.get_mut(&path) else {
            return;
        };
        match (peer.announces, is_heard) {
            (Announces::NothingYet, false)
            | (Announces::Routes, true)
            | (Announces::NothingMore, false) => {}
            (Announces::NothingYet, true) => peer.announces = Announces::Routes,
            (Announces::Routes, false) => {
                peer.announces = Announces::NothingMore;
                self.kernel.routes_gone(path);
            }
            (Announces::NothingMore, true) => {
                peer.announces = Announces::Routes;
                self.refilled.push(path);
            }
        }
    }

    /// Hands the FIB a part of what has changed; once it has all, the paths
    /// that waited for that are up.
    pub(super) fn feed_fib(&mut self) {
        if self.fib.batch.is_empty() {
            self.fib.batch = self.rib.drain_fib(FIB);
        }
        // Its word that there is room may find no place among many commands.
        if self.fib.is_full && self.fib.asked_at.is_none_or(|at| at.elapsed() >= BLOCKED) {
            self.fib.is_full = false;
        }
        if !self.fib.batch.is_empty() && !self.fib.is_full {
            let batch = std::mem::take(&mut self.fib.batch);
            let since = self.fib.since.unwrap_or_else(Instant::now);
            if let Err(batch) = self.kernel.apply(batch, since) {
                self.fib.batch = batch;
                self.fib.is_full = true;
                self.fib.asked_at = Some(Instant::now());
            }
        }
        if !self.fib.batch.is_empty() || self.rib.has_fib_changes() || self.rib.has_walks() {
            return;
        }
        self.fib.since = None;
        for path in std::mem::take(&mut self.refilled) {
            let announces = self.peers.get(&path).map(|peer| peer.announces);
            if announces == Some(Announces::Routes) {
                self.kernel.routes_back(path);
            }
        }
        for path in std::mem::take(&mut self.loaded) {
            let Some(peer) = self.peers.get_mut(&path) else {
                continue;
            };
            // A session that has ended meanwhile has already told the fast path
            // so; its `Down` is under way, and moving traffic back would lose it.
            let has_ended = peer.outbox.as_ref().is_none_or(Outbox::is_closed);
            if std::mem::take(&mut peer.progress.is_loaded) && !has_ended {
                self.kernel.path_up(path);
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
}
