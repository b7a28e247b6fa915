//! One family's table: paths come, change and go, and every prefix whose best
//! path changes with them is marked for the peers and for the FIB.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::bitmap::Bitmap;
use super::decision::{Candidate, decide};
use super::group::UpdateGroups;
use super::peers::Context;
use super::table::{Net, Path, PeerIndex, Table};
use super::walk::Walk;
use super::{FibChange, FibRoute};

/// Loc-RIB and every Adj-RIB-In of one family.
#[derive(Debug)]
pub(super) struct FamilyRib<N> {
    pub(super) table: Table<N>,
    pub(super) groups: UpdateGroups,
    /// Prefixes with another best path than before, not yet marked for the peers.
    changed: Vec<u32>,
    fib: Option<Fib>,
    /// Entries without paths, which somebody may still have to hear of.
    dying: VecDeque<u32>,
    /// How many of them are still to be looked at this time.
    to_reap: usize,
    reap_at: usize,
    pub(super) walks: VecDeque<Walk>,
}

/// What the kernel has to be told, and has been.
#[derive(Debug, Default)]
struct Fib {
    dirty: Bitmap,
    installed: Bitmap,
    cursor: u32,
}

/// The paths that matter to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Selection {
    best: Option<Path>,
    second: Option<Path>,
}

/// Above this many, changes are marked before more are taken.
const CHANGED: usize = 16_384;
/// At least this many dying entries make a look at all of them worth while.
const REAP: usize = 65_536;

impl<N: Net> FamilyRib<N> {
    pub(super) fn new(with_fib: bool) -> Self {
        Self {
            table: Table::new(),
            groups: UpdateGroups::default(),
            changed: Vec::new(),
            fib: with_fib.then(Fib::default),
            dying: VecDeque::new(),
            to_reap: 0,
            reap_at: REAP,
            walks: VecDeque::new(),
        }
    }

    /// Sets the path of `path.peer`; takes over a user of its attributes.
    pub(super) fn set_path(&mut self, context: &mut Context, net: N, path: Path) {
        let at = self.table.find_or_insert(net);
        self.set_path_at(context, at, path);
    }

    pub(super) fn set_path_at(&mut self, context: &mut Context, at: u32, path: Path) {
        let paths = self.table.paths(at);
        let before = Selection::of(paths);
        let position = paths.iter().position(|other| other.peer == path.peer);
        let old = position.map(|position| paths[position]);
        match position {
            Some(position) => self.table.paths_mut(at)[position] = path,
            None => self.table.push_path(at, path),
        }
        if old != Some(path) {
            context.count(N::FAMILY, old, Some(path));
            self.reselect(context, at, before);
        }
        if let Some(old) = old {
            context.release(old.attributes);
        }
    }

    /// Removes the path of `peer`, if there is one.
    pub(super) fn withdraw(&mut self, context: &mut Context, net: N, peer: PeerIndex) {
        if let Some(at) = self.table.find(net) {
            self.withdraw_at(context, at, peer);
        }
    }

    pub(super) fn withdraw_at(&mut self, context: &mut Context, at: u32, peer: PeerIndex) {
        let paths = self.table.paths(at);
        let before = Selection::of(paths);
        let Some(position) = paths.iter().position(|path| path.peer == peer) else {
            return;
        };
        let old = paths[position];
        self.table.remove_path(at, position);
        context.count(N::FAMILY, Some(old), None);
        self.reselect(context, at, before);
        context.release(old.attributes);
        if self.table.paths(at).is_empty() {
            self.mark_dying(at);
        }
    }

    fn mark_dying(&mut self, at: u32) {
        let entry = self.table.entry_mut(at);
        if !entry.dying {
            entry.dying = true;
            self.dying.push_back(at);
        }
    }

    /// What the decision knows of an entry's peers may be another than it was.
    pub(super) fn decide_again(&mut self, context: &mut Context, at: u32) {
        let before = Selection::of(self.table.paths(at));
        self.reselect(context, at, before);
    }

    /// Puts the best path first again, and notes what that means for others.
    fn reselect(&mut self, context: &mut Context, at: u32, before: Selection) {
        let paths = self.table.paths_mut(at);
        sort_by_preference(context, paths);
        let after = Selection::of(paths);
        if before == after {
            return;
        }
        let route = |path: Option<Path>| path.map(|path| (path.peer, path.attributes));
        if route(before.best) != route(after.best) {
            context.count_best(N::FAMILY, before.best, after.best);
            self.changed.push(at);
            if self.changed.len() >= CHANGED {
                self.mark_changed();
            }
        }
        if let Some(fib) = &mut self.fib
            && !before.forwards_like(after, context)
        {
            fib.dirty.insert(at);
        }
    }

    /// Marks what has changed for every group.
    pub(super) fn mark_changed(&mut self) {
        if self.changed.is_empty() {
            return;
        }
        for group in self.groups.iter_mut() {
            for at in &self.changed {
                group.dirty.insert(*at);
            }
        }
        self.changed.clear();
    }

    /// Marks every prefix for every group.
    pub(super) fn mark_all(&mut self) {
        for group in self.groups.iter_mut() {
            group.dirty.insert_below(self.table.end());
        }
    }

    /// What the kernel should hold now for prefixes where that has changed.
    pub(super) fn drain_fib(
        &mut self,
        context: &Context,
        budget: usize,
        changes: &mut Vec<FibChange>,
    ) {
        let Some(fib) = &mut self.fib else {
            return;
        };
        while changes.len() < budget && !fib.dirty.is_empty() {
            let Some(at) = fib.dirty.next_from(fib.cursor) else {
                fib.cursor = 0;
                continue;
            };
            fib.cursor = at + 1;
            fib.dirty.remove(at);
            let route = Selection::of(self.table.paths(at)).fib_route(context);
            let was_installed = match route {
                Some(_) => !fib.installed.insert(at),
                None => fib.installed.remove(at),
            };
            if route.is_some() || was_installed {
                changes.push(FibChange {
                    prefix: self.table.entry(at).net.into(),
                    route,
                });
            }
        }
    }

    pub(super) fn has_fib_changes(&self) -> bool {
        self.fib.as_ref().is_some_and(|fib| !fib.dirty.is_empty())
    }

    /// Forgets prefixes without paths that nobody has still to be told of, among
    /// the next `budget`. Whether all have been looked at.
    pub(super) fn reap(&mut self, budget: usize) -> bool {
        self.mark_changed();
        if self.to_reap == 0 {
            self.to_reap = self.dying.len();
        }
        for _ in 0..budget.min(self.to_reap) {
            let Some(at) = self.dying.pop_front() else {
                break;
            };
            self.to_reap -= 1;
            if !self.table.paths(at).is_empty() {
                self.table.entry_mut(at).dying = false;
            } else if self.is_awaited(at) {
                self.dying.push_back(at);
            } else {
                self.table.remove(at);
            }
        }
        if self.to_reap == 0 {
            self.reap_at = REAP.max(self.dying.len() * 2);
        }
        self.to_reap == 0
    }

    /// Whether somebody has still to be told that a prefix is gone. Who was never
    /// told of it needs not be: groups that keep up see to that themselves; for one
    /// that takes nothing, prefixes that come and go would pile up.
    fn is_awaited(&mut self, at: u32) -> bool {
        let mut is_awaited = false;
        if let Some(fib) = &mut self.fib {
            if !fib.installed.contains(at) {
                fib.dirty.remove(at);
            }
            is_awaited |= fib.dirty.contains(at);
        }
        for group in self.groups.iter_mut() {
            group.forget_unheard(at);
            is_awaited |= group.dirty.contains(at);
        }
        is_awaited
    }

    pub(super) fn should_reap(&self) -> bool {
        self.dying.len() >= self.reap_at
    }

    pub(super) fn has_dying(&self) -> bool {
        !self.dying.is_empty()
    }
}

impl Selection {
    fn of(paths: &[Path]) -> Self {
        let at = |at: usize| paths.get(at).copied().filter(|path| path.is_accepted());
        Self {
            best: at(0),
            second: at(1),
        }
    }

    /// Whether packets go the same ways by both; may say no where they do.
    fn forwards_like(self, other: Self, context: &Context) -> bool {
        let same = |old: Option<Path>, new: Option<Path>| match (old, new) {
            (None, None) => true,
            (Some(old), Some(new)) if old.peer == new.peer => {
                old.attributes == new.attributes || context.hop(old) == context.hop(new)
            }
            _ => false,
        };
        same(self.best, other.best) && same(self.backup(), other.backup())
    }

    /// A stale second best has no session that could carry it: then the path's
    /// configured backup has to serve.
    fn backup(self) -> Option<Path> {
        self.second.filter(|path| !path.is_stale())
    }

    fn fib_route(self, context: &Context) -> Option<FibRoute> {
        let best = context.hop(self.best?)?;
        let backup = self.backup().and_then(|path| context.hop(path));
        Some(FibRoute { best, backup })
    }
}

fn sort_by_preference(context: &Context, paths: &mut [Path]) {
    let mut accepted = 0;
    for at in 0..paths.len() {
        if paths[at].is_accepted() {
            paths.swap(at, accepted);
            accepted += 1;
        }
    }
    for place in 0..accepted.min(3).saturating_sub(1) {
        let best = best_of(context, &paths[place..accepted]);
        paths.swap(place, place + best);
    }
}

/// The best path's position. The steps before MED are one order, and mostly
/// they are enough: only paths that they leave equal are looked at in full.
fn best_of(context: &Context, paths: &[Path]) -> usize {
    let mut lowest = u64::MAX;
    let mut left: SmallVec<[usize; 8]> = SmallVec::new();
    for (at, path) in paths.iter().enumerate() {
        let rank = context.rank(*path);
        if rank < lowest {
            lowest = rank;
            left.clear();
        }
        if rank == lowest {
            left.push(at);
        }
    }
    if let [only] = left[..] {
        return only;
    }
    let candidates: SmallVec<[Candidate; 4]> = left
        .iter()
        .map(|at| context.candidate(paths[*at]))
        .collect();
    decide(&candidates, |_, _| ()).map_or(0, |best| left[best])
}
