//! What is to be done to every path of a peer, a slice of the table at a time: a
//! million routes would keep the RIB from all else for long.
//!
//! Walks over the paths of one peer are done in the order in which they were
//! asked for. Meanwhile its UPDATEs may come only if they and the walk may be
//! taken in either order: so it is for a new policy and for stale paths, but what
//! a session's end is to do is done before its next session begins.

use hashbrown::HashMap;

use super::attributes::AttributesId;
use super::family::FamilyRib;
use super::import::Judgement;
use super::peers::Context;
use super::table::{Net, Path, PeerIndex};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Apply import policy again, and the decision to what comes of it.
    Reevaluate,
    /// The session is down: every path is stale from now on.
    MarkStale,
    WithdrawStale,
    Withdraw,
}

#[derive(Debug)]
pub(super) struct Walk {
    pub(super) peer: PeerIndex,
    task: Task,
    /// The first entry that is not done.
    at: u32,
}

impl<N: Net> FamilyRib<N> {
    pub(super) fn begin_walk(&mut self, context: &Context, peer: PeerIndex, task: Task) {
        let counts = context.peers.get(peer).counts[N::FAMILY as usize];
        let walks = &mut self.walks;
        if task == Task::Withdraw {
            // Nothing that was still to be done matters any more.
            walks.retain(|walk| walk.peer != peer);
        }
        let is_needless = match task {
            Task::WithdrawStale => counts.stale == 0 && !walks.iter().any(|walk| walk.peer == peer),
            Task::Reevaluate | Task::MarkStale | Task::Withdraw => counts.received == 0,
        };
        if is_needless {
            return;
        }
        let last = walks.iter_mut().rfind(|walk| walk.peer == peer);
        match last.filter(|walk| walk.task == task) {
            Some(walk) if task == Task::Reevaluate => walk.at = 0,
            // Behind it there is nothing new to be found.
            Some(_) => (),
            None => walks.push_back(Walk { peer, task, at: 0 }),
        }
    }

    pub(super) fn has_walk(&self, peer: PeerIndex) -> bool {
        self.walks.iter().any(|walk| walk.peer == peer)
    }

    /// Goes on with the first walk over `budget` entries.
    pub(super) fn walk(&mut self, context: &mut Context, budget: u32) {
        if let Some(mut walk) = self.walks.pop_front()
            && !self.walk_on(context, &mut walk, budget)
        {
            self.walks.push_front(walk);
        }
    }

    /// Does now what the end of the peer's last session has left to do.
    pub(super) fn finish_walks(&mut self, context: &mut Context, peer: PeerIndex) {
        let ends = |walk: &Walk| {
            walk.peer == peer && matches!(walk.task, Task::MarkStale | Task::Withdraw)
        };
        while self.walks.iter().any(ends) {
            let first = self.walks.iter().position(|walk| walk.peer == peer);
            if let Some(mut walk) = first.and_then(|first| self.walks.remove(first)) {
                self.walk_on(context, &mut walk, u32::MAX);
            }
        }
    }

    /// Whether the walk is at its end.
    fn walk_on(&mut self, context: &mut Context, walk: &mut Walk, budget: u32) -> bool {
        let peer = walk.peer;
        let end = self.table.end().min(walk.at.saturating_add(budget));
        let mut judgements = HashMap::new();
        for at in walk.at..end {
            if context.peers.get(peer).counts[N::FAMILY as usize].received == 0 {
                walk.at = u32::MAX;
                break;
            }
            let mut paths = self.table.paths(at).iter().copied();
            let Some(path) = paths.find(|path| path.peer == peer) else {
                continue;
            };
            match walk.task {
                Task::Reevaluate => self.reevaluate(context, at, path, &mut judgements),
                Task::MarkStale => {
                    context.attributes.retain(path.attributes);
                    self.set_path_at(context, at, path.stale());
                }
                Task::WithdrawStale if !path.is_stale() => (),
                Task::WithdrawStale | Task::Withdraw => self.withdraw_at(context, at, peer),
            }
        }
        for judgement in judgements.into_values() {
            judgement.release(context);
        }
        walk.at = walk.at.max(end);
        walk.at >= self.table.end()
    }

    fn reevaluate(
        &mut self,
        context: &mut Context,
        at: u32,
        old: Path,
        judgements: &mut HashMap<AttributesId, Judgement>,
    ) {
        let received = context.attributes.received(old.attributes);
        let judgement = judgements.entry(received).or_insert_with(|| {
            context.attributes.retain(received);
            Judgement::new(context, old.peer, received)
        });
        let net = self.table.entry(at).net;
        let mut path = judgement.path(context, &net.into());
        if old.is_stale() {
            path = path.stale();
        }
        if path == old {
            context.release(path.attributes);
            self.decide_again(context, at);
        } else {
            self.set_path_at(context, at, path);
        }
    }
}
