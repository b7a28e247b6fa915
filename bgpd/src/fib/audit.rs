//! The audit: compares what the kernel holds with the picture, and repairs.

use std::collections::HashSet;
use std::sync::atomic::Ordering::Relaxed;

use bgp_core::Family;
use ipnet::IpNet;

use super::worker::{AUDIT_SOON, Worker};
use crate::fastpath::GroupId;
use crate::netlink::route::Put;

/// What the kernel holds otherwise than it should.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// In the kernel and not wanted.
    pub foreign: u64,
    /// Pointing at another group.
    pub wrong: u64,
    /// Wanted and not in the kernel.
    pub missing: u64,
}

impl Differences {
    pub const fn total(&self) -> u64 {
        self.foreign + self.wrong + self.missing
    }
}

impl Worker {
    /// Dumps, compares, repairs. Takes half a second for a million routes.
    pub(super) fn audit(&mut self) -> Differences {
        let places = Family::ALL.map(|family| self.kernel.place(family));
        let mut foreign: Vec<(IpNet, GroupId)> = Vec::new();
        let mut wrong: Vec<(IpNet, GroupId)> = Vec::new();
        let (picture, slots) = (&mut self.picture, &self.slots);
        picture.unsee();
        let dumped = self.kernel.dump(|seen, group| {
            if !places.contains(&seen.place) {
                return;
            }
            match picture
                .see(&seen.prefix)
                .and_then(|slot| slots.get(slot).in_kernel())
            {
                None => foreign.push((seen.prefix, group)),
                Some(wanted) if wanted != group => wrong.push((seen.prefix, wanted)),
                Some(_) => {}
            }
        });
        let (mut missing, mut blocked) = (Vec::new(), HashSet::new());
        match dumped {
            Ok(true) => {
                let unseen = self.picture.unseen();
                let wanted =
                    unseen.filter_map(|(net, slot)| Some((net, self.slots.get(slot).in_kernel()?)));
                missing.extend(wanted);
                // They are tried again each time, and blocked again if refused.
                blocked = std::mem::take(&mut self.blocked);
            }
            // What a torn dump doesn't show may be there all the same.
            Ok(false) => self.audit_by_and_by(),
            Err(error) => {
                self.audit_by_and_by();
                tracing::warn!("the kernel's routes can't be read to compare them: {error}");
                return Differences::default();
            }
        }
        foreign
            .iter()
            .for_each(|(prefix, group)| self.kernel.delete(prefix, *group));
        wrong
            .iter()
            .for_each(|(prefix, group)| self.kernel.put(prefix, *group, Put::Replace));
        missing
            .iter()
            .for_each(|(prefix, group)| self.kernel.put(prefix, *group, Put::New));
        self.kernel.flush();
        if self.kernel.is_obeyed() {
            self.audit_soon = AUDIT_SOON;
        }
        self.judge_refusals();

        let missing = missing
            .iter()
            .filter(|(prefix, _)| !blocked.contains(prefix));
        let count = |found: usize| found as u64;
        let found = Differences {
            foreign: count(foreign.len()),
            wrong: count(wrong.len()),
            missing: count(missing.count()),
        };
        if found.total() > 0 {
            tracing::warn!(
                "the kernel's routes differed: {} too many, {} wrong, {} missing; repaired",
                found.foreign,
                found.wrong,
                found.missing
            );
            self.shared.differences.fetch_add(found.total(), Relaxed);
        }
        found
    }
}
