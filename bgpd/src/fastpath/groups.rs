//! Groups: one per (best, backup) pair. What each should hold follows from the
//! paths that are up; what it holds is remembered; the difference is one
//! message a group, all in one send.
//!
//! Encoding a message takes some 50 ns, the kernel's part 20 µs, so messages
//! are written when they are needed, into a buffer that is there already.

use std::collections::HashMap;
use std::io;

use bgp_core::PathId;
use bgp_core::rib::{FibRoute, Hop};

use smallvec::SmallVec;

use super::carrier::Links;
use super::ids::Chosen;
use super::objects::Objects;
use super::paths::Paths;
use super::{GroupId, Notice, Standing};
use crate::netlink::Refusal;
use crate::netlink::nexthop::{self, Gateway, Members, Object, Put};

#[derive(Default)]
pub(super) struct Groups {
    by_id: HashMap<u32, Group>,
    by_route: HashMap<FibRoute, u32>,
    pub(super) errors: u64,
}

struct Group {
    route: FibRoute,
    uses: u64,
    /// What the kernel holds; `None`: it has deleted the group.
    holds: Option<Holds>,
    /// An earlier run's, untouched so far.
    inherited: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Holds {
    active: Way,
    standby: Option<Way>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Way {
    path: PathId,
    gateway: Gateway,
}

/// What a change has moved.
#[derive(Default)]
pub(super) struct Moved {
    /// The path that a group has left and the one that it has gone to.
    pub(super) moves: Vec<(PathId, PathId)>,
    pub(super) notices: Vec<Notice>,
    /// The kernel had other objects than was thought: reconcile again.
    pub(super) again: bool,
    /// Standbys are wanted, which has time.
    pub(super) put_off: bool,
}

/// Whether what has time is done too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Haste {
    /// Traffic waits: IPv6 standbys don't, whose making walks all of a group's routes.
    Swap,
    Leisure,
}

/// All that decides what a group should hold.
pub(super) struct World<'a> {
    pub(super) paths: &'a Paths,
    pub(super) links: &'a Links,
    pub(super) objects: &'a mut Objects,
}

impl World<'_> {
    fn way(&self, hop: &Hop) -> Option<Way> {
        let gateway = self.objects.gateway(hop, self.paths.ifindex(hop))?;
        self.objects.present(&gateway).map(|_| Way {
            path: hop.path,
            gateway,
        })
    }

    /// The best way, and the next best for when the kernel has to act by itself:
    /// by standing, then by preference. Nothing is moved for no gain: of ways
    /// that are equally bad the one that is used stays.
    fn wanted(&self, group: &Group) -> Option<Holds> {
        let used = group.holds.map(|holds| holds.active);
        let mut ways: SmallVec<[(Standing, Way); 3]> = self
            .paths
            .candidates(&group.route)
            .filter_map(|hop| self.way(&hop))
            .map(|way| (self.standing(group, &way), way))
            .filter(|(standing, _)| *standing > Standing::Down)
            .collect();
        ways.sort_by_key(|(standing, way)| {
            let stays = *standing < Standing::Good && used == Some(*way);
            (std::cmp::Reverse(*standing), !stays)
        });
        let (_, active) = *ways.first()?;
        let mut others = ways.iter().map(|(_, way)| *way);
        Some(Holds {
            active,
            standby: others.find(|way| way.gateway != active.gateway),
        })
    }

    fn standing(&self, group: &Group, way: &Way) -> Standing {
        // Right after a restart no session has said a word yet; traffic goes on
        // as the last run left it.
        let untouched = group.inherited && group.holds.is_some_and(|holds| holds.active == *way);
        let path = self.paths.0.get(&way.path);
        if untouched && path.is_some_and(|path| path.is_unheard() && path.has_carrier(self.links)) {
            return Standing::Good;
        }
        self.paths.standing(way.path)
    }

    /// Nothing is up: the best way is as good as any.
    fn last_resort(&self, group: &Group) -> Option<Holds> {
        self.way(&group.route.best).map(|active| Holds {
            active,
            standby: None,
        })
    }

    fn members(&self, holds: &Holds) -> Option<Members> {
        let active = self.objects.present(&holds.active.gateway)?;
        Some(Members {
            active,
            standby: holds
                .standby
                .and_then(|way| self.objects.present(&way.gateway)),
        })
    }
}

impl Groups {
    /// Those that exist in the kernel.
    pub(super) fn count(&self) -> usize {
        self.by_id
            .values()
            .filter(|group| group.holds.is_some())
            .count()
    }

    pub(super) fn carried_by(&self, path: PathId) -> Vec<GroupId> {
        let carried = |group: &Group| group.holds.is_some_and(|holds| holds.active.path == path);
        self.by_id
            .iter()
            .filter(|(_, group)| carried(group))
            .map(|(id, _)| GroupId(*id))
            .collect()
    }

    pub(super) fn contains(&self, id: u32) -> bool {
        self.by_id.contains_key(&id)
    }

    /// The group for a route, made if there is none, with one use more.
    pub(super) fn obtain(&mut self, route: FibRoute, world: &mut World<'_>) -> io::Result<GroupId> {
        if let Some(id) = self.by_route.get(&route) {
            let group = self
                .by_id
                .get_mut(id)
                .expect("invariant: both maps name the same groups");
            group.uses += 1;
            return Ok(GroupId(*id));
        }
        let candidates: Vec<Hop> = world.paths.candidates(&route).collect();
        let mut gateways = Vec::new();
        let mut first_error = None;
        for hop in &candidates {
            match world.objects.ensure(hop, world.paths.ifindex(hop)) {
                Ok(gateway) => gateways.push(gateway),
                Err(error) => drop(first_error.get_or_insert(no_nexthop(hop, &error, world))),
            }
        }
        let mut group = Group {
            route,
            uses: 1,
            holds: None,
            inherited: false,
        };
        let id = self
            .make(&mut group, &gateways, world)
            .map_err(|error| first_error.unwrap_or(error))?;
        self.by_route.insert(route, id);
        self.by_id.insert(id, group);
        Ok(GroupId(id))
    }

    fn make(
        &mut self,
        group: &mut Group,
        gateways: &[Gateway],
        world: &mut World<'_>,
    ) -> io::Result<u32> {
        // The id follows from the pair as configured, not from what is up.
        let pair: Vec<Gateway> = world
            .paths
            .candidates(&group.route)
            .filter_map(|hop| world.objects.gateway(&hop, world.paths.ifindex(&hop)))
            .collect();
        for _ in 0..ID_ATTEMPTS {
            let leftovers: HashMap<u32, Gateway> = gateways
                .iter()
                .filter_map(|gateway| Some((world.objects.present(gateway)?, *gateway)))
                .collect();
            let fits = |object: &Object| match object {
                Object::Group(members) => leftovers.contains_key(&members.active),
                _ => false,
            };
            let (id, how) = match world.objects.ids.for_group(&pair, fits) {
                Chosen::TakenOver(id, Object::Group(members)) => {
                    group.inherited = true;
                    group.holds = inherited(&members, group, world);
                    (id, Put::Replace)
                }
                Chosen::New(id) | Chosen::TakenOver(id, _) => (id, Put::New),
            };
            let Some(wanted) = world
                .wanted(group)
                .or(group.holds)
                .or_else(|| world.last_resort(group))
            else {
                world.objects.ids.free(id);
                return Err(io::Error::new(
                    io::ErrorKind::NetworkUnreachable,
                    "no way out is usable",
                ));
            };
            if group.holds == Some(wanted) {
                return Ok(id);
            }
            let members = world
                .members(&wanted)
                .expect("invariant: ways are made of nexthops that are there");
            nexthop::put_group(
                &mut world.objects.batch,
                id,
                world.objects.protocol,
                members,
                how,
            );
            match world.objects.socket.execute_one(&mut world.objects.batch) {
                Ok(()) => {
                    group.holds = Some(wanted);
                    return Ok(id);
                }
                Err(refusal) if refusal.errno == libc::EEXIST => world.objects.ids.is_foreign(id),
                Err(refusal) => {
                    world.objects.ids.free(id);
                    self.errors += 1;
                    let text = format!("nexthop group {id}: {refusal}");
                    return Err(io::Error::new(io::Error::from(refusal).kind(), text));
                }
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "no free nexthop id was found",
        ))
    }

    /// One use less. `true`: it was the last.
    pub(super) fn release(&mut self, id: GroupId) -> bool {
        let Some(group) = self.by_id.get_mut(&id.0) else {
            return false;
        };
        group.uses = group.uses.saturating_sub(1);
        group.uses == 0
    }

    /// Makes every group hold what it should, those that carry traffic over
    /// a dead path first.
    pub(super) fn reconcile(&mut self, haste: Haste, world: &mut World<'_>) -> Moved {
        let mut moved = Moved::default();
        self.drop_members(world, &mut moved);
        let mut asked: Vec<(u32, Holds)> = Vec::new();
        let (mut urgent, mut later) = (Vec::new(), Vec::new());
        for (id, group) in &self.by_id {
            let wanted = world.wanted(group).or_else(|| {
                group
                    .holds
                    .is_none()
                    .then(|| world.last_resort(group))
                    .flatten()
            });
            match (wanted, group.holds) {
                (Some(wanted), Some(holds)) if wanted == holds => {}
                (Some(wanted), Some(holds)) if wanted.active == holds.active => {
                    if haste == Haste::Swap && is_walked(&wanted) {
                        moved.put_off = true;
                    } else {
                        later.push((*id, wanted));
                    }
                }
                (Some(wanted), _) => urgent.push((*id, wanted)),
                (None, _) => {}
            }
        }
        for (id, wanted) in urgent.into_iter().chain(later) {
            self.put(id, &wanted, world);
            asked.push((id, wanted));
            if asked.len() == BATCH {
                self.send(&mut asked, world, &mut moved);
            }
        }
        self.send(&mut asked, world, &mut moved);
        moved
    }

    /// Moves IPv6 groups to their standbys by deleting the nexthops that they
    /// leave: the kernel walks all routes of a group that is replaced (90 ms with
    /// 200,000 of them), and none of one that loses a member.
    fn drop_members(&mut self, world: &mut World<'_>, moved: &mut Moved) {
        let mut left: SmallVec<[Gateway; 4]> = SmallVec::new();
        for group in self.by_id.values() {
            let Some(holds) = group.holds.filter(is_walked) else {
                continue;
            };
            let gateway = holds.active.gateway;
            let wanted = world.wanted(group);
            if wanted.is_some_and(|wanted| wanted.active.gateway != gateway)
                && !left.contains(&gateway)
                && self.all_leave(&gateway, world)
            {
                left.push(gateway);
            }
        }
        for gateway in left {
            if world.objects.drop_member(&gateway) {
                let more = self.note_missing(world);
                moved.moves.extend(more.moves);
                moved.notices.extend(more.notices);
            }
        }
    }

    /// Every group that uses the nexthop goes to its standby, or has it for one.
    fn all_leave(&self, gateway: &Gateway, world: &World<'_>) -> bool {
        let mut users = self
            .by_id
            .values()
            .filter_map(|group| Some((group, group.holds?)))
            .filter(|(_, holds)| holds.active.gateway == *gateway);
        users.all(|(group, holds)| {
            let wanted = world.wanted(group).map(|wanted| wanted.active);
            wanted.is_some() && wanted == holds.standby
        })
    }

    fn put(&self, id: u32, wanted: &Holds, world: &mut World<'_>) {
        let members = world
            .members(wanted)
            .expect("invariant: ways are made of nexthops that are there");
        let exists = self
            .by_id
            .get(&id)
            .is_some_and(|group| group.holds.is_some());
        let how = if exists { Put::Replace } else { Put::New };
        nexthop::put_group(
            &mut world.objects.batch,
            id,
            world.objects.protocol,
            members,
            how,
        );
    }

    fn send(&mut self, asked: &mut Vec<(u32, Holds)>, world: &mut World<'_>, moved: &mut Moved) {
        let mut refusals: Vec<Refusal> = Vec::new();
        let sent = world
            .objects
            .socket
            .execute(&mut world.objects.batch, |refusal| refusals.push(refusal));
        if let Err(error) = sent {
            tracing::error!(
                "{} nexthop groups may not have been moved: {error}",
                asked.len()
            );
            self.errors += 1;
        }
        let mut restored = Vec::new();
        let (mut gone, mut broken) = (Vec::new(), false);
        for (index, (id, wanted)) in asked.drain(..).enumerate() {
            let Some(group) = self.by_id.get_mut(&id) else {
                continue;
            };
            match refusals.iter().find(|refusal| refusal.index == index) {
                None => {
                    match group.holds.replace(wanted) {
                        None => restored.push(GroupId(id)),
                        Some(before) if before.active.path != wanted.active.path => {
                            moved.moves.push((before.active.path, wanted.active.path));
                        }
                        Some(_) => {}
                    }
                    group.inherited = false;
                }
                Some(refusal) if refusal.errno == libc::ENOENT => {
                    group.holds = None;
                    gone.push(GroupId(id));
                }
                Some(refusal) => {
                    tracing::warn!("nexthop group {id} was not moved: {refusal}");
                    self.errors += 1;
                    broken = true;
                }
            }
        }
        let lost = !gone.is_empty();
        moved
            .notices
            .extend(lost.then_some(Notice::GroupsLost(gone)));
        moved
            .notices
            .extend((!restored.is_empty()).then_some(Notice::GroupsRestored(restored)));
        moved.again |= lost || broken;
    }

    /// The kernel has removed nexthops: so it has removed them from the groups,
    /// and groups that were left empty, with every route that used them.
    pub(super) fn note_missing(&mut self, world: &World<'_>) -> Moved {
        let mut moved = Moved::default();
        let mut gone = Vec::new();
        for (id, group) in &mut self.by_id {
            let Some(holds) = &mut group.holds else {
                continue;
            };
            let is_there = |way: &Way| world.objects.present(&way.gateway).is_some();
            holds.standby = holds.standby.filter(is_there);
            if is_there(&holds.active) {
                continue;
            }
            match holds.standby.take() {
                Some(standby) => {
                    moved.moves.push((holds.active.path, standby.path));
                    holds.active = standby;
                }
                None => {
                    group.holds = None;
                    gone.push(GroupId(*id));
                }
            }
        }
        moved
            .notices
            .extend((!gone.is_empty()).then_some(Notice::GroupsLost(gone)));
        moved
    }

    /// Someone has deleted these groups, or only `existing` ones were found.
    pub(super) fn note_gone(&mut self, is_gone: impl Fn(u32) -> bool) -> Option<Notice> {
        let gone = self
            .by_id
            .iter_mut()
            .filter(|(id, group)| group.holds.is_some() && is_gone(**id));
        let gone: Vec<GroupId> = gone
            .map(|(id, group)| {
                group.holds = None;
                GroupId(*id)
            })
            .collect();
        (!gone.is_empty()).then_some(Notice::GroupsLost(gone))
    }

    /// How many groups carry traffic over a path although it is down.
    pub(super) fn stranded_on(&self, path: PathId) -> usize {
        self.carried_by(path).len()
    }

    /// Sees that every hop of every group has its nexthop.
    pub(super) fn ensure_nexthops(&self, world: &mut World<'_>) {
        for group in self.by_id.values() {
            for hop in world.paths.candidates(&group.route) {
                if let Err(error) = world.objects.ensure(&hop, world.paths.ifindex(&hop)) {
                    tracing::debug!("{}", no_nexthop(&hop, &error, world));
                }
            }
        }
    }

    /// Deletes groups that nobody uses, then nexthops that no group needs.
    pub(super) fn collect(&mut self, world: &mut World<'_>) {
        for (id, group) in self.by_id.extract_if(|_, group| group.uses == 0) {
            self.by_route.remove(&group.route);
            world.objects.ids.free(id);
            if group.holds.is_some() {
                nexthop::delete(&mut world.objects.batch, id);
            }
        }
        world.objects.delete_batch();
        let hops = self
            .by_id
            .values()
            .flat_map(|group| world.paths.candidates(&group.route));
        // What a group holds counts too, though its paths may lead elsewhere by
        // now: with its last nexthop the kernel deletes a group and its routes.
        let held = self.by_id.values().filter_map(|group| group.holds);
        let held = held.flat_map(|holds| std::iter::once(holds.active).chain(holds.standby));
        let needed: Vec<Gateway> = hops
            .filter_map(|hop| world.objects.gateway(&hop, world.paths.ifindex(&hop)))
            .chain(held.map(|way| way.gateway))
            .collect();
        world.objects.collect(|gateway| needed.contains(gateway));
    }

    /// Takes all groups out of the books, by id.
    pub(super) fn take_all(&mut self) -> Vec<u32> {
        self.by_route.clear();
        self.by_id.drain().map(|(id, _)| id).collect()
    }
}

/// Whether the kernel walks all of the group's routes to replace it.
fn is_walked(holds: &Holds) -> bool {
    holds.active.gateway.address.is_ipv6()
}

/// What a group of an earlier run holds, in this run's words.
fn inherited(members: &Members, group: &Group, world: &World<'_>) -> Option<Holds> {
    let way = |id: u32| {
        let gateway = world.objects.gateway_of(id)?;
        world
            .paths
            .candidates(&group.route)
            .filter_map(|hop| world.way(&hop))
            .find(|way| way.gateway == gateway)
    };
    Some(Holds {
        active: way(members.active)?,
        standby: members.standby.and_then(way),
    })
}

fn no_nexthop(hop: &Hop, error: &io::Error, world: &World<'_>) -> io::Error {
    let through = world
        .paths
        .ifindex(hop)
        .map(|ifindex| format!(" through {}", world.links.name(ifindex)));
    let text = format!(
        "can't send to {}{}: {error}",
        hop.gateway,
        through.unwrap_or_default()
    );
    io::Error::new(error.kind(), text)
}

/// Messages a send.
const BATCH: usize = 512;
const ID_ATTEMPTS: usize = 16;
