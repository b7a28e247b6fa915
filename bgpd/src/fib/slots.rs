//! Slots: routes that share a (best, backup) pair share one, and with it a
//! nexthop group. Routes of an earlier run, which nobody has announced again
//! so far, have slots of their own, one for each old group.

use std::io;

use bgp_core::rib::FibRoute;
use hashbrown::HashMap;

use super::picture::{MAX_SLOTS, SlotId};
use crate::fastpath::GroupId;

#[derive(Default)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    free: Vec<SlotId>,
    by_route: HashMap<FibRoute, SlotId>,
    by_leftover: HashMap<GroupId, SlotId>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// `None`: left by an earlier run.
    pub(super) route: Option<FibRoute>,
    /// `None`: no group could be made so far.
    pub(super) group: Option<GroupId>,
    /// The group exists, and so its routes can.
    pub(super) installed: bool,
    /// Prefixes in this slot.
    pub(super) routes: u64,
}

impl Slot {
    /// The group that the slot's routes point at in the kernel now.
    pub(super) const fn in_kernel(&self) -> Option<GroupId> {
        if self.installed { self.group } else { None }
    }
}

impl Slots {
    pub(super) fn get(&self, id: SlotId) -> Slot {
        self.slots[id.0 as usize]
    }

    pub(super) fn get_mut(&mut self, id: SlotId) -> &mut Slot {
        &mut self.slots[id.0 as usize]
    }

    /// The slot for a route; `make` obtains a group when there is no slot yet.
    /// Where that fails the slot waits, and the error is handed back too.
    pub(super) fn for_route(
        &mut self,
        route: &FibRoute,
        make: impl FnOnce() -> io::Result<GroupId>,
    ) -> (Option<SlotId>, io::Result<()>) {
        if let Some(id) = self.by_route.get(route) {
            return (Some(*id), Ok(()));
        }
        if self.slots.len() >= MAX_SLOTS && self.free.is_empty() {
            return (
                None,
                Err(io::Error::other(
                    "more pairs of next hops than the FIB has room for",
                )),
            );
        }
        let (group, result) = match make() {
            Ok(group) => (Some(group), Ok(())),
            Err(error) => (None, Err(error)),
        };
        let id = self.add(Slot {
            route: Some(*route),
            group,
            installed: group.is_some(),
            routes: 0,
        });
        self.by_route.insert(*route, id);
        (Some(id), result)
    }

    pub(super) fn for_leftover(&mut self, group: GroupId) -> SlotId {
        if let Some(id) = self.by_leftover.get(&group) {
            return *id;
        }
        let id = self.add(Slot {
            route: None,
            group: Some(group),
            installed: true,
            routes: 0,
        });
        self.by_leftover.insert(group, id);
        id
    }

    fn add(&mut self, slot: Slot) -> SlotId {
        if let Some(id) = self.free.pop() {
            self.slots[id.0 as usize] = slot;
            return id;
        }
        self.slots.push(slot);
        SlotId(self.slots.len() as u32 - 1)
    }

    /// Frees the slots without routes; the groups that they used, once each.
    pub(super) fn collect(&mut self) -> Vec<GroupId> {
        let mut groups = Vec::new();
        let (slots, free) = (&mut self.slots, &mut self.free);
        let mut unused = |id: &SlotId| {
            let slot = &mut slots[id.0 as usize];
            let unused = slot.routes == 0;
            if unused {
                free.push(*id);
                groups.extend(slot.group.take().filter(|_| slot.route.is_some()));
                slot.installed = false;
            }
            unused
        };
        self.by_route.retain(|_, id| !unused(id));
        self.by_leftover.retain(|_, id| !unused(id));
        groups
    }

    /// Slots in use whose routes the kernel does not hold.
    pub(super) fn waiting(&self) -> Vec<(SlotId, Slot)> {
        let slots = self.by_route.values().map(|id| (*id, self.get(*id)));
        slots.filter(|(_, slot)| !slot.installed).collect()
    }

    pub(super) fn has_leftovers(&self) -> bool {
        !self.by_leftover.is_empty()
    }

    /// Whether routes of an earlier run point at the group.
    pub(super) fn is_leftover(&self, group: GroupId) -> bool {
        self.by_leftover.contains_key(&group)
    }

    /// The slots of this run's groups, an earlier run's routes among them.
    pub(super) fn of_groups(&self, groups: &[GroupId]) -> Vec<SlotId> {
        let of = |id: &&SlotId| {
            self.get(**id)
                .group
                .is_some_and(|group| groups.contains(&group))
        };
        let slots = self.by_route.values().chain(self.by_leftover.values());
        slots.filter(of).copied().collect()
    }

    pub(super) fn routes_by_group(&self) -> Vec<(GroupId, u64)> {
        let slots = self
            .by_route
            .values()
            .chain(self.by_leftover.values())
            .map(|id| self.get(*id));
        slots
            .filter_map(|slot| Some((slot.in_kernel()?, slot.routes)))
            .collect()
    }

    pub(super) fn installed_routes(&self) -> u64 {
        self.routes_by_group()
            .iter()
            .map(|(_, routes)| routes)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bgp_core::PathId;
    use bgp_core::rib::Hop;

    fn route(path: u32) -> FibRoute {
        FibRoute {
            best: Hop {
                path: PathId(path),
                gateway: [192, 0, 2, 1].into(),
            },
            backup: None,
        }
    }

    #[test]
    fn routes_of_one_pair_share_a_slot_and_an_unused_slot_gives_its_group_back() {
        let mut slots = Slots::default();
        let (first, _) = slots.for_route(&route(1), || Ok(GroupId(7)));
        let first = first.expect("a slot");
        slots.get_mut(first).routes = 2;
        assert_eq!(
            slots.for_route(&route(1), || panic!("there is one")).0,
            Some(first)
        );
        let (second, _) = slots.for_route(&route(2), || Ok(GroupId(8)));
        assert_eq!(
            slots
                .routes_by_group()
                .iter()
                .map(|(_, routes)| routes)
                .sum::<u64>(),
            2
        );
        assert_eq!(slots.collect(), [GroupId(8)]);
        assert_eq!(
            slots.for_route(&route(3), || Ok(GroupId(9))).0,
            second,
            "a free slot is used again"
        );
    }

    #[test]
    fn a_slot_without_a_group_waits() {
        let mut slots = Slots::default();
        let (id, result) = slots.for_route(&route(1), || Err(io::Error::other("no link")));
        let id = id.expect("a slot");
        slots.get_mut(id).routes = 1;
        assert!(result.is_err() && slots.installed_routes() == 0);
        assert_eq!(
            slots
                .waiting()
                .iter()
                .map(|(id, _)| *id)
                .collect::<Vec<_>>(),
            [id]
        );
    }
}
