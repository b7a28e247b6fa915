//! The thread: waits for links and commands, links first, and acts.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use bgp_core::path::{Bfd, Carrier, Evidence, Session};
use bgp_core::{PathId, config};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use std::sync::atomic::Ordering::Relaxed;
use tokio::sync::mpsc;

use super::carrier::{self, Links};
use super::groups::{Groups, Haste, Moved, World};
use super::ids::is_ours;
use super::objects::Objects;
use super::paths::Paths;
use super::{
    Command, Counters, Event, GroupId, Notice, PathState, Said, Standing, Swap, Voice, Witness,
};
use crate::netlink::link::{self, Link};
use crate::netlink::nexthop::{self, RTM_DELNEXTHOP};
use crate::netlink::{Mailbox, Notifications, Taken};
use crate::realtime;

pub(super) struct Worker {
    inbox: Mailbox<Command>,
    notifications: Notifications,
    links: Links,
    paths: Paths,
    groups: Groups,
    objects: Objects,
    events: mpsc::UnboundedSender<Event>,
    listener: Option<Box<dyn Fn(Notice) + Send>>,
    witness: Option<Witness>,
    counters: std::sync::Arc<Counters>,
    /// When to delete what is unused, and to try again what failed.
    chores_at: Option<Instant>,
}

/// What has become of a path's standing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Better,
    Worse,
}

/// What the notification socket has said.
enum News {
    Link(Link),
    /// Someone else deleted a nexthop or group with an id of ours.
    Deleted(u32),
}

impl Worker {
    pub(super) fn open(
        kernel: &config::Kernel,
        inbox: Mailbox<Command>,
        events: mpsc::UnboundedSender<Event>,
        counters: std::sync::Arc<Counters>,
    ) -> io::Result<Self> {
        // Subscribed before the dump: what changes in between is told twice.
        let notifications = Notifications::subscribe(&[libc::RTNLGRP_LINK, libc::RTNLGRP_NEXTHOP])?;
        let mut worker = Self {
            inbox,
            notifications,
            links: Links::new()?,
            paths: Paths::default(),
            groups: Groups::default(),
            objects: Objects::open(kernel.protocol)?,
            events,
            listener: None,
            witness: None,
            counters,
            chores_at: None,
        };
        for link in worker.dump_links()? {
            worker.links.note(&link, Instant::now());
        }
        Ok(worker)
    }

    pub(super) fn run(mut self) {
        realtime::enter("fastpath");
        loop {
            self.wait();
            self.hear();
            self.inbox.acknowledge();
            loop {
                match self.inbox.take() {
                    Taken::Item(command) => self.obey(command),
                    Taken::Empty => break,
                    Taken::Closed => return,
                }
                // A swap doesn't wait behind a queue of requests.
                self.hear();
            }
            self.ask_drivers();
            self.do_chores();
            self.count();
        }
    }

    fn wait(&mut self) {
        let now = Instant::now();
        let chores = self.chores_at.map(|at| at.saturating_duration_since(now));
        let doubt = self.links.in_doubt(now).then_some(carrier::ASK_EVERY);
        let timeout = chores.into_iter().chain(doubt).min().map(TimeSpec::from);
        let mut waiting = [
            PollFd::new(self.notifications.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.inbox.as_fd(), PollFlags::POLLIN),
        ];
        // Interrupted or not: what is there is looked at.
        let _ = ppoll(&mut waiting, timeout, None);
    }

    /// Takes in what the kernel has said.
    fn hear(&mut self) {
        let own = self.objects.socket.port();
        loop {
            let mut news = Vec::new();
            let received = self.notifications.receive(|message| {
                if let Some(link) = Link::read(&message) {
                    news.push(News::Link(link));
                } else if message.kind == RTM_DELNEXTHOP && message.port != own {
                    let seen = nexthop::Seen::read(&message).filter(|seen| is_ours(seen.id));
                    news.extend(seen.map(|seen| News::Deleted(seen.id)));
                }
            });
            match received {
                Ok(false) => return,
                Ok(true) => {}
                Err(error) => {
                    tracing::warn!(
                        "notifications of links were lost ({error}): looking at all of them again"
                    );
                    self.look_again();
                }
            }
            for item in news {
                match item {
                    News::Link(link) => self.note_link(&link, Instant::now()),
                    News::Deleted(id) => self.note_deleted(id, Instant::now()),
                }
            }
        }
    }

    fn note_link(&mut self, link: &Link, at: Instant) {
        let changed = self.links.note(link, at);
        if !link.up {
            // By now the kernel has removed the link's nexthops by itself,
            // whatever the driver said before.
            self.objects.lost_link(link.ifindex);
            let moved = self.groups.note_missing(&World {
                paths: &self.paths,
                links: &self.links,
                objects: &mut self.objects,
            });
            self.act(moved, at);
            self.look_at_leftovers();
        } else if changed {
            self.restore(|ifindex| ifindex == link.ifindex);
            self.act(Moved::default(), at);
        }
        if changed {
            self.tell(Event::Carrier {
                ifindex: link.ifindex,
                up: link.up,
                at,
            });
        }
    }

    /// What an earlier run has left is not in the books that were just brought up to
    /// date, and may have gone with the same link.
    fn look_at_leftovers(&mut self) {
        if !self.objects.ids.has_leftovers() {
            return;
        }
        match self.objects.look_at_leftovers() {
            Ok(gone) if gone.is_empty() => {}
            Ok(gone) => {
                let gone = gone.into_iter().map(GroupId).collect();
                self.notice(Notice::GroupsLost(gone));
            }
            Err(error) => tracing::warn!("the kernel's nexthops can't be read: {error}"),
        }
    }

    fn note_deleted(&mut self, id: u32, at: Instant) {
        if self.objects.ids.leftover(id).is_some() {
            return self.look_at_leftovers();
        }
        // Its loss may have shown before, as a refusal, and it is there again.
        if self.objects.exists(id) {
            return;
        }
        let moved = if self.objects.lost(id) {
            self.groups.note_missing(&World {
                paths: &self.paths,
                links: &self.links,
                objects: &mut self.objects,
            })
        } else if self.groups.contains(id) {
            Moved {
                notices: self
                    .groups
                    .note_gone(|gone| gone == id)
                    .into_iter()
                    .collect(),
                ..Moved::default()
            }
        } else {
            return;
        };
        tracing::warn!(
            "nexthop {id} was deleted by another program; it is made again (systemd-networkd does so unless \
             ManageForeignNextHops=no is set in networkd.conf)"
        );
        self.restore(|_| true);
        self.act(moved, at);
    }

    fn ask_drivers(&mut self) {
        let now = Instant::now();
        if !self.links.in_doubt(now) {
            return;
        }
        for ifindex in self.paths.watched() {
            let Some(up) = self.links.ask_driver(ifindex, now) else {
                continue;
            };
            if up {
                self.restore(|restored| restored == ifindex);
            }
            self.act(Moved::default(), now);
            self.tell(Event::Carrier {
                ifindex,
                up,
                at: now,
            });
        }
    }

    /// Notifications were lost: finds out what is so.
    fn look_again(&mut self) {
        let at = Instant::now();
        let Ok(links) = self.dump_links() else { return };
        let gone = self
            .links
            .indexes()
            .into_iter()
            .filter(|ifindex| links.iter().all(|link| link.ifindex != *ifindex));
        let gone = gone.map(|ifindex| Link {
            ifindex,
            name: String::new(),
            up: false,
            deleted: true,
        });
        for link in gone.collect::<Vec<_>>().iter().chain(&links) {
            self.note_link(link, at);
        }
        match self.objects.look_again() {
            Ok(groups) => {
                let notices = self
                    .groups
                    .note_gone(|id| !groups.contains(&id))
                    .into_iter()
                    .collect();
                self.restore(|_| true);
                self.act(
                    Moved {
                        notices,
                        ..Moved::default()
                    },
                    at,
                );
            }
            Err(error) => tracing::warn!("the kernel's nexthops can't be read: {error}"),
        }
        self.look_at_leftovers();
    }

    fn dump_links(&mut self) -> io::Result<Vec<Link>> {
        let mut links = Vec::new();
        link::dump(&mut self.objects.batch);
        self.objects
            .socket
            .dump(&mut self.objects.batch, |message| {
                links.extend(Link::read(&message))
            })?;
        Ok(links)
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::SetLink(path, link) => {
                let entry = self.paths.0.entry(path).or_default();
                if let Some(link) = &link {
                    entry.backup = link.backup;
                }
                entry.link = link;
                self.rearrange();
            }
            Command::SetBackup(path, backup) => {
                self.paths.0.entry(path).or_default().backup = backup;
                self.rearrange();
            }
            Command::Watch(path, watched) => {
                self.paths.0.entry(path).or_default().watched = watched;
            }
            Command::Speak(path, said, at) => self.hear_voice(path, said, at),
            Command::Group(route, answer) => {
                let (groups, mut world) = self.split();
                let group = groups.obtain(route, &mut world);
                match &group {
                    Ok(group) if self.objects.ids.take_lost(group.0) => {
                        self.notice(Notice::GroupsRestored(vec![*group]));
                    }
                    Ok(_) => {}
                    Err(_) => {
                        self.chores_at
                            .get_or_insert_with(|| Instant::now() + CHORES);
                    }
                }
                let _ = answer.send(group);
            }
            Command::Release(group) => {
                if self.groups.release(group) {
                    self.chores_at
                        .get_or_insert_with(|| Instant::now() + CHORES);
                }
            }
            Command::Paths(answer) => drop(answer.send(self.path_states())),
            Command::Listen(listener) => self.listener = Some(listener),
            Command::Witness(witness) => {
                self.witness = Some(witness);
                self.tell_carriers(Instant::now());
            }
            Command::Sweep(answer) => {
                let leftovers = self.objects.ids.take_leftovers();
                let _ = answer.send(self.objects.delete_all(leftovers));
            }
            Command::RemoveAll(answer) => {
                let mut ids = self.groups.take_all();
                ids.extend(self.objects.take_all());
                ids.extend(self.objects.ids.take_leftovers());
                ids.sort_unstable();
                let _ = answer.send(self.objects.delete_all(ids));
            }
        }
    }

    /// Paths lead elsewhere than before.
    fn rearrange(&mut self) {
        let (groups, mut world) = self.split();
        groups.ensure_nexthops(&mut world);
        self.act(Moved::default(), Instant::now());
        self.chores_at
            .get_or_insert_with(|| Instant::now() + CHORES);
    }

    fn hear_voice(&mut self, path: PathId, said: Said, at: Instant) {
        let entry = self.paths.0.entry(path).or_default();
        if !entry.hear(said.clone()) {
            return;
        }
        // The path may be known only now, and its gateway reachable.
        if said == Said::Up(Voice::Session) && entry.link.is_none() {
            self.objects.forget_resolved();
            let (groups, mut world) = self.split();
            groups.ensure_nexthops(&mut world);
        }
        self.act(Moved::default(), at);
        if let (Some(witness), Some(evidence)) = (&self.witness, evidence(said)) {
            witness(path, evidence, at);
        }
    }

    /// Which paths have another carrier than the witness knows of.
    fn tell_carriers(&mut self, at: Instant) {
        let Some(witness) = &self.witness else { return };
        for (id, path) in &mut self.paths.0 {
            let carrier = match path.has_carrier(&self.links) {
                true => Carrier::Up,
                false => Carrier::Down,
            };
            if path.told_carrier.replace(carrier) != Some(carrier) {
                witness(*id, Evidence::Carrier(carrier), at);
            }
        }
    }

    /// Concludes which paths are up, moves the groups accordingly, and tells.
    /// `moved` is what the kernel has done already.
    fn act(&mut self, moved: Moved, at: Instant) {
        self.act_in(Haste::Swap, moved, at);
    }

    fn act_in(&mut self, haste: Haste, mut moved: Moved, at: Instant) {
        let links = &self.links;
        let changed: Vec<(PathId, Standing, Standing)> = self
            .paths
            .0
            .iter_mut()
            .filter_map(|(id, path)| {
                let before = path.standing;
                path.conclude(links).then_some((*id, before, path.standing))
            })
            .collect();
        if changed.iter().any(|(_, before, now)| now > before) {
            // A nexthop may have been dropped while its path was down.
            let (groups, mut world) = self.split();
            groups.ensure_nexthops(&mut world);
        }
        for _ in 0..RECONCILE_ATTEMPTS {
            let (groups, mut world) = self.split();
            let more = groups.reconcile(haste, &mut world);
            moved.moves.extend(more.moves);
            moved.notices.extend(more.notices);
            if more.put_off {
                self.chores_at
                    .get_or_insert_with(|| Instant::now() + CHORES);
            }
            if !more.again {
                break;
            }
            self.look_at_nexthops(&mut moved);
        }
        // A nexthop that was dropped to leave it is a way out all the same.
        if self.objects.is_missing(|ifindex| self.links.is_up(ifindex)) {
            self.chores_at
                .get_or_insert_with(|| Instant::now() + CHORES);
        }
        let took = at.elapsed();
        for notice in moved.notices {
            self.notice(notice);
        }
        for (path, before, standing) in changed {
            let change = match standing > before {
                true => Change::Better,
                false => Change::Worse,
            };
            self.tell_swapped(path, change, &moved.moves, took);
        }
        self.tell_carriers(at);
    }

    /// The kernel has refused: it has other nexthops than was thought.
    fn look_at_nexthops(&mut self, moved: &mut Moved) {
        if self.objects.look_again().is_ok() {
            let missing = self.groups.note_missing(&World {
                paths: &self.paths,
                links: &self.links,
                objects: &mut self.objects,
            });
            moved.moves.extend(missing.moves);
            moved.notices.extend(missing.notices);
            let links = &self.links;
            self.objects.make_missing(|ifindex| links.is_up(ifindex));
        }
    }

    fn tell_swapped(
        &mut self,
        id: PathId,
        change: Change,
        moves: &[(PathId, PathId)],
        took: Duration,
    ) {
        let is_concerned = |(from, to): &&(PathId, PathId)| match change {
            Change::Better => *to == id,
            Change::Worse => *from == id,
        };
        let groups = moves.iter().filter(is_concerned).count();
        let stranded = match change {
            Change::Better => 0,
            Change::Worse => self.groups.stranded_on(id),
        };
        let path = self.paths.0.entry(id).or_default();
        let standing = path.standing;
        let mut reason = path.reason(&self.links).unwrap_or_else(|| "up".into());
        if groups > 0 {
            path.last_swap = Some(Swap {
                at: Instant::now(),
                reason: reason.clone(),
                groups,
                took,
            });
        }
        if stranded > 0 {
            reason.push_str(match standing {
                Standing::Degraded => "; no other way out is better",
                _ => "; no other way out is up",
            });
        }
        self.tell(Event::Swapped {
            path: id,
            up: standing.is_up(),
            standing,
            reason,
            groups,
            stranded,
            took,
        });
        if change == Change::Better {
            self.notice(Notice::TryAgain);
        }
    }

    /// Makes nexthops that the kernel has removed, on links that are up.
    fn restore(&mut self, which: impl Fn(u32) -> bool) {
        let links = &self.links;
        if self
            .objects
            .make_missing(|ifindex| which(ifindex) && links.is_up(ifindex))
        {
            self.notice(Notice::TryAgain);
        }
        if self.objects.is_missing(|ifindex| self.links.is_up(ifindex)) {
            self.chores_at
                .get_or_insert_with(|| Instant::now() + CHORES);
        }
    }

    fn do_chores(&mut self) {
        if self.chores_at.take_if(|at| *at <= Instant::now()).is_none() {
            return;
        }
        let (groups, mut world) = self.split();
        groups.collect(&mut world);
        if self.objects.is_missing(|ifindex| self.links.is_up(ifindex)) {
            self.restore(|_| true);
        }
        self.act_in(Haste::Leisure, Moved::default(), Instant::now());
    }

    fn path_states(&self) -> Vec<PathState> {
        let states = self.paths.0.iter().map(|(id, path)| PathState {
            path: *id,
            link: path.link.clone(),
            up: path.standing.is_up(),
            standing: path.standing,
            reason: path.reason(&self.links),
            carries: self.groups.carried_by(*id),
            last_swap: path.last_swap.clone(),
        });
        states.collect()
    }

    fn count(&self) {
        self.counters
            .nexthops
            .store(self.objects.count() as u64, Relaxed);
        self.counters
            .groups
            .store(self.groups.count() as u64, Relaxed);
        self.counters.errors.store(self.groups.errors, Relaxed);
    }

    /// The daemon may be gone already.
    fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }

    fn notice(&self, notice: Notice) {
        if let Some(listener) = &self.listener {
            listener(notice);
        }
    }

    fn split(&mut self) -> (&mut Groups, World<'_>) {
        (
            &mut self.groups,
            World {
                paths: &self.paths,
                links: &self.links,
                objects: &mut self.objects,
            },
        )
    }
}

/// In health's words; `None`: what it knows by itself.
fn evidence(said: Said) -> Option<Evidence> {
    Some(match said {
        Said::Up(Voice::Session) => Evidence::EndOfRib,
        Said::Down(Voice::Session, why) => Evidence::Session(Session::Down(why)),
        Said::Up(Voice::Bfd) => Evidence::Bfd(Bfd::NotDown),
        Said::Down(Voice::Bfd, why) => Evidence::Bfd(Bfd::Down(why)),
        Said::Up(Voice::Operator) => Evidence::Drained(None),
        Said::Down(Voice::Operator, why) => Evidence::Drained(Some(why)),
        // Health has the count of prefixes.
        Said::Up(Voice::Routes | Voice::Health)
        | Said::Down(Voice::Routes | Voice::Health, _)
        | Said::Degraded(_)
        | Said::Held(_) => return None,
    })
}

/// How long unused objects stay: a route that flaps finds its group again.
const CHORES: Duration = Duration::from_secs(1);
const RECONCILE_ATTEMPTS: usize = 4;
