//! Telling peers what has changed: a batch for each update group at a time, while
//! its members have room for it. Whoever has none while others wait for more falls
//! out of the group, and goes on at its own pace.

use std::time::Instant;

use bgp_core::PathId;
use bgp_core::rib::GroupId;

use super::Kernel;
use super::outbox::{Batch, Outbox};
use super::run::Router;

/// Prefixes in a batch: then it is another group's turn.
const OUTBOUND: usize = 4096;

impl<K: Kernel> Router<K> {
    /// Tells every group whose members have room a part of what it has to hear.
    pub(super) fn feed_peers(&mut self) {
        self.rib.mark_changed();
        let groups: Vec<GroupId> = self.rib.groups_to_tell().collect();
        for group in groups {
            let full = self.full_members(group);
            if !full.is_empty() {
                if self.waits_for(group, full.len()) {
                    continue;
                }
                self.rib.fall_out(group, &full);
            }
            self.feed_group(group);
        }
    }

    fn feed_group(&mut self, group: GroupId) {
        let members: Vec<PathId> = self.rib.members(group).collect();
        let codec = self.rib.codec(group).clone();
        let told = self.rib.drain_group(group, OUTBOUND);
        if !told.is_empty() {
            let batch = Batch::encode(&told, &codec);
            self.warn_of_unannounced(&batch);
            for path in &members {
                if let Some(outbox) = self.outbox(*path)
                    && let Some(outbound) = batch.part_of(*path)
                {
                    outbox.send(outbound);
                }
            }
        }
        // Only who is alone can have a limit.
        if let [sole] = members[..] {
            self.tell_held_back(sole);
        }
    }

    /// A peer's UPDATEs may be what does not fit, as many as it sends.
    fn warn_of_unannounced(&mut self, batch: &Batch) {
        if let Some((prefixes, error)) = &batch.unannounced
            && let Some(suppressed) = self.unannounced_log.pass(Instant::now())
        {
            tracing::warn!(
                prefixes,
                suppressed,
                "cannot announce, so withdrawing: {error}"
            );
        }
    }

    /// Whether some group has something to hear and its members have room.
    pub(super) fn can_feed_peers(&self) -> bool {
        self.rib.groups_to_tell().any(|group| {
            let full = self.full_members(group).len();
            full == 0 || !self.waits_for(group, full)
        })
    }

    fn full_members(&self, group: GroupId) -> Vec<PathId> {
        let has_room = |path: &PathId| self.outbox(*path).is_none_or(Outbox::has_room);
        let members = self.rib.members(group);
        members.filter(|path| !has_room(path)).collect()
    }

    /// Whether those without room are waited for: nobody else has sent all it had.
    fn waits_for(&self, group: GroupId, full: usize) -> bool {
        let is_idle = |path| self.outbox(path).is_none_or(Outbox::is_idle);
        full == self.rib.members(group).count() || !self.rib.members(group).any(is_idle)
    }

    fn outbox(&self, path: PathId) -> Option<&Outbox> {
        self.peers.get(&path)?.outbox.as_ref()
    }
}
