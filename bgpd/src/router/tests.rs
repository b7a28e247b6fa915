//! The thread, with sessions and a kernel that are channels.

#![allow(clippy::unwrap_used)]

use std::net::IpAddr;
use std::sync::mpsc as std_mpsc;
use std::time::{Duration, Instant};

use bgp_core::config::{Peer, Ttl};
use bgp_core::peer::{RemoteRestart, StopReason};
use bgp_core::policy::Policy;
use bgp_core::rib::Hop;
use bgp_core::wire::{
    self, Announcement, AsPath, Codec, Message, Origin, PathAttributes, Prefixes,
};
use bytes::BytesMut;
use ipnet::Ipv4Net;

use super::schedule::{Fate, INITIAL_ROUTES, Progress, REFRESH, Refresh, STALE, START};
use super::*;

mod restart;
mod steering;

const A: PathId = PathId(1);
const B: PathId = PathId(2);
/// Longer than any answer takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the kernel's side was told.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Routes(usize),
    PathUp(PathId),
    PathDown(PathId),
    RoutesGone(PathId),
    RoutesBack(PathId),
    Converged(Vec<FibRoute>),
}

/// A kernel that takes only so many batches.
struct Recorder {
    told: std_mpsc::Sender<Told>,
    room: std_mpsc::Receiver<()>,
}

impl Kernel for Recorder {
    fn takes_routes(&self) -> bool {
        true
    }

    fn apply(&self, changes: Vec<FibChange>, _: Instant) -> Result<(), Vec<FibChange>> {
        if self.room.try_recv().is_err() {
            return Err(changes);
        }
        let _ = self.told.send(Told::Routes(changes.len()));
        Ok(())
    }

    fn converged(&self, keep: Vec<FibRoute>) {
        let _ = self.told.send(Told::Converged(keep));
    }

    fn path_up(&self, path: PathId) {
        let _ = self.told.send(Told::PathUp(path));
    }

    fn path_down(&self, path: PathId, _: &DownReason) {
        let _ = self.told.send(Told::PathDown(path));
    }

    fn routes_gone(&self, path: PathId) {
        let _ = self.told.send(Told::RoutesGone(path));
    }

    fn routes_back(&self, path: PathId) {
        let _ = self.told.send(Told::RoutesBack(path));
    }
}

struct World {
    commands: mpsc::Sender<Command>,
    steering: Steering,
    events: mpsc::UnboundedReceiver<Event>,
    told: std_mpsc::Receiver<Told>,
    room: std_mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl World {
    /// A and B are configured.
    fn new() -> Self {
        let world = Self::waiting(START);
        world.configure(A, peer("a", "198.51.100.1", 64512));
        world.configure(B, peer("b", "203.0.113.1", 64513));
        world
    }

    /// Nobody is configured, nor waited for much longer than `start`.
    fn waiting(start: Duration) -> Self {
        Self::selecting_by(None, start)
    }

    fn selecting_by(selects_by: Option<Instant>, start: Duration) -> Self {
        let (commands, inbox) = channel();
        let (events_in, events) = mpsc::unbounded_channel();
        let (told_in, told) = std_mpsc::channel();
        let (room, room_out) = std_mpsc::channel();
        let settings = Settings {
            asn: Asn(65010),
            router_id: RouterId("192.0.2.1".parse().unwrap()),
            selects_by,
        };
        let kernel = Recorder {
            told: told_in,
            room: room_out,
        };
        let (steering, steers) = mpsc::unbounded_channel();
        let inputs = Inputs {
            commands: inbox,
            steers,
        };
        let thread = spawn_with(settings, start, kernel, events_in, inputs).unwrap();
        Self {
            commands,
            steering: Steering(steering),
            events,
            told,
            room,
            thread,
        }
    }

    fn send(&self, command: Command) {
        assert!(self.commands.blocking_send(command).is_ok());
    }

    fn configure(&self, path: PathId, peer: Peer) {
        self.send(Command::Configure {
            path,
            peer: Arc::new(peer),
        });
    }

    /// Prefixes that the peer is not told of for its limit's sake.
    fn held_back(&self, path: PathId) -> u64 {
        let (answer, counts) = oneshot::channel();
        self.send(Command::Counts { answer });
        let counts = counts.blocking_recv().unwrap();
        counts
            .iter()
            .find(|(of, _)| *of == path)
            .map_or(0, |(_, counts)| counts.held_back)
    }

    /// Brings a session up whose channel holds `capacity` messages.
    fn establish(&self, path: PathId, capacity: usize) -> mpsc::Receiver<Outbound> {
        self.establish_with(path, None, capacity)
    }

    fn establish_with(
        &self,
        path: PathId,
        restart: Option<RemoteRestart>,
        capacity: usize,
    ) -> mpsc::Receiver<Outbound> {
        let (outbound, inbox) = mpsc::channel(capacity);
        let negotiated = Negotiated {
            remote_asn: Asn(64511 + path.0),
            remote_router_id: RouterId(path.0.into()),
            hold_time: Duration::from_secs(90),
            keepalive: Duration::from_secs(30),
            codec: codec(),
            route_refresh: true,
            restart,
        };
        let local = "192.0.2.1".parse().unwrap();
        self.send(Command::Established {
            path,
            negotiated,
            local,
            outbound,
        });
        inbox
    }

    fn update(&self, path: PathId, update: Update) {
        self.send(Command::Updates {
            path,
            updates: vec![update],
        });
    }

    fn told(&self) -> Told {
        self.told.recv_timeout(PATIENCE).unwrap()
    }

    fn grow(&self, batches: usize) {
        for _ in 0..batches {
            self.room.send(()).unwrap();
        }
        self.send(Command::FibReady);
    }

    fn end(self) {
        drop(self.commands);
        self.thread.join().unwrap();
    }
}

/// What a session has to send, as its peer will read it.
fn updates(outbound: &Outbound) -> Vec<Update> {
    let mut octets = BytesMut::from(outbound.octets.concat().as_slice());
    let mut updates = Vec::new();
    while let Some(frame) = wire::frame(&mut octets, &codec()).unwrap() {
        match wire::decode(&frame, &codec()).unwrap().message {
            Message::Update(update) => updates.push(update),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(updates.len() as u64, outbound.updates);
    updates
}

/// How many an UPDATE announces.
fn prefixes(update: &Update) -> usize {
    let announced = update.announced.iter();
    announced
        .map(|announcement| announcement.prefixes.len())
        .sum()
}

fn codec() -> Codec {
    Codec {
        four_octet_as: true,
        extended_messages: false,
        families: [Family::Ipv4].into_iter().collect(),
        internal: false,
    }
}

/// A peer that keeps what it forwards for a minute.
fn restart(kept: &[Family]) -> RemoteRestart {
    RemoteRestart {
        restarting: false,
        time: Duration::from_secs(60),
        families: Family::ALL.into_iter().collect(),
        kept: kept.iter().copied().collect(),
        notification: false,
    }
}

fn peer(name: &str, remote: &str, remote_asn: u32) -> Peer {
    let remote: IpAddr = remote.parse().unwrap();
    Peer {
        name: name.into(),
        vif: None,
        local: None,
        interface: None,
        remote,
        port: 179,
        remote_asn: Asn(remote_asn),
        local_asn: Asn(65010),
        auth_key_file: None,
        passive: false,
        hold_time: Duration::from_secs(90),
        send_hold_time: None,
        connect_retry: Duration::from_secs(5),
        ttl: Ttl::Direct,
        families: vec![Family::Ipv4],
        import: Policy::accept_all(),
        export: Policy::accept_all(),
        advertise: Vec::new(),
        prefix_limit: None,
        advertise_limit: None,
        backup: None,
        refuse_zero_hold_time: false,
        graceful_restart: None,
        bfd: None,
        on_degraded: Default::default(),
        on_drain: Default::default(),
        probe: None,
        health: Default::default(),
    }
}

fn nets(count: u32) -> Vec<Ipv4Net> {
    (0..count)
        .map(|at| Ipv4Net::new((0x0a00_0000 + (at << 8)).into(), 24).unwrap())
        .collect()
}

/// From A, with attributes of their own for every prefix.
fn announcing(nets: &[Ipv4Net]) -> Update {
    let mut update = Update::default();
    for (net, asn) in nets.iter().zip(1..) {
        let attributes = Arc::new(PathAttributes::new(
            Origin::Igp,
            AsPath::sequence([Asn(64512), Asn(asn)]),
            "198.51.100.1".parse::<IpAddr>().unwrap(),
        ));
        update.announced.push(Announcement {
            attributes,
            prefixes: Prefixes::V4(vec![*net]),
        });
    }
    update
}

fn withdrawing(nets: &[Ipv4Net]) -> Update {
    Update {
        withdrawn: vec![Prefixes::V4(nets.to_vec())].into(),
        ..Update::default()
    }
}

fn end_of_rib() -> Update {
    Update {
        end_of_rib: Some(Family::Ipv4),
        ..Update::default()
    }
}

fn ended() -> DownReason {
    DownReason::ConnectionClosed("reset".to_owned())
}

#[test]
fn a_path_is_up_when_its_initial_routes_are_with_the_kernel() {
    let mut world = World::new();
    let _a = world.establish(A, 10);
    world.update(A, announcing(&nets(3)));
    world.update(A, end_of_rib());
    assert_eq!(
        world.events.blocking_recv(),
        Some(Event::InitialRoutes { path: A })
    );
    assert!(
        world.told.recv_timeout(Duration::from_millis(100)).is_err(),
        "the kernel has no room"
    );
    world.grow(10);
    assert_eq!(world.told(), Told::Routes(3));
    assert_eq!(world.told(), Told::PathUp(A));
    world.send(Command::Down {
        path: A,
        reason: ended(),
    });
    assert_eq!(world.told(), Told::PathDown(A));
    assert_eq!(world.told(), Told::Routes(3), "withdrawn");
    world.end();
}

#[test]
fn what_an_earlier_run_left_goes_when_every_peer_has_spoken() {
    let world = World::new();
    world.grow(10);
    let (_a, _b) = (world.establish(A, 10), world.establish(B, 10));
    world.update(A, end_of_rib());
    assert_eq!(world.told(), Told::PathUp(A));
    world.update(B, end_of_rib());
    assert_eq!(
        (world.told(), world.told()),
        (Told::PathUp(B), Told::Converged(Vec::new()))
    );
    world.end();
}

#[test]
fn what_an_earlier_run_left_on_a_backup_stays_until_its_peer_has_spoken() {
    let world = World::waiting(Duration::from_secs(1));
    let backed = |name, remote| Peer {
        backup: Some("spare".into()),
        ..peer(name, remote, 64512)
    };
    world.configure(A, backed("a", "198.51.100.1"));
    world.configure(B, backed("b", "203.0.113.1"));
    world.configure(PathId(3), peer("c", "192.0.2.9", 64514));
    world.grow(10);
    let route = |path, gateway: &str| FibRoute {
        best: Hop {
            path,
            gateway: gateway.parse().unwrap(),
        },
        backup: None,
    };
    let (a, b) = (route(A, "198.51.100.1"), route(B, "203.0.113.1"));
    let converged = |world: &World| loop {
        match world.told() {
            Told::Converged(keep) => return keep,
            _ => continue,
        }
    };
    assert_eq!(converged(&world), [a, b]);
    let _a = world.establish(A, 10);
    world.update(A, end_of_rib());
    assert_eq!(converged(&world), [b]);
    world.send(Command::Remove { path: B });
    assert_eq!(converged(&world), []);
    world.end();
}

#[test]
fn a_slow_session_hears_everything_and_nobody_waits_for_it() {
    let world = World::new();
    world.grow(1000);
    let (_a, mut slow) = (world.establish(A, 10), world.establish(B, 2));
    world.update(A, announcing(&nets(500)));
    let (answer, counts) = oneshot::channel();
    world.send(Command::Counts { answer });
    let counts = counts.blocking_recv().unwrap();
    assert_eq!((counts[0].0, counts[0].1.received), (A, 500));
    let (mut heard, mut ended) = (0, 0);
    while heard < 500 || ended < 1 {
        let taken = slow.blocking_recv().unwrap();
        // Asked afterwards: it may have become full since.
        let was_full = slow.len() + 1 >= slow.max_capacity();
        for update in updates(&taken) {
            assert!(update.withdrawn.is_empty(), "{update:?}");
            heard += prefixes(&update);
            ended += usize::from(update.end_of_rib.is_some());
        }
        if was_full {
            world.send(Command::Writable { path: B });
        }
    }
    world.end();
}

#[test]
fn a_session_that_takes_nothing_falls_out_of_its_group_and_hears_everything_later() {
    let world = World::new();
    world.grow(1000);
    let c = PathId(3);
    world.configure(c, peer("c", "192.0.2.9", 64514));
    let _a = world.establish(A, 10);
    let (mut reader, mut stalled) = (world.establish(B, 2), world.establish(c, 2));
    // Once both have heard that there is nothing, they are one group.
    for inbox in [&mut reader, &mut stalled] {
        let first = updates(&inbox.blocking_recv().unwrap());
        assert!(first[0].end_of_rib.is_some());
    }
    const NETS: usize = 50;
    let (mut shared, mut heard) = (None, 0);
    for net in nets(NETS as u32) {
        world.update(A, announcing(&[net]));
        // The other's channel is full from the third on.
        while heard < usize::from(net.addr().octets()[2]) + 1 {
            let taken = reader.blocking_recv().unwrap();
            heard += updates(&taken).iter().map(prefixes).sum::<usize>();
            if heard == 1 {
                shared = taken.octets.first().cloned();
            }
            world.send(Command::Writable { path: B });
        }
    }
    assert_eq!(stalled.len(), stalled.max_capacity());
    let mut late = 0;
    while late < NETS {
        let taken = stalled.blocking_recv().unwrap();
        let announced = updates(&taken).iter().map(prefixes).sum::<usize>();
        if late == 0 && announced == 1 {
            let first = taken.octets.first().map(|octets| octets.as_ptr());
            assert_eq!(
                first,
                shared.as_ref().map(|octets| octets.as_ptr()),
                "not copied"
            );
        }
        late += announced;
        world.send(Command::Writable { path: c });
    }
    assert_eq!(late, NETS, "nothing is told twice");
    world.end();
}

#[test]
fn questions_are_answered_beside_the_work() {
    let world = World::new();
    let _a = world.establish(A, 10);
    world.update(A, announcing(&nets(50)));
    let (answer, routes) = oneshot::channel();
    let query = RoutesQuery {
        limit: Some(20),
        ..RoutesQuery::default()
    };
    world.send(Command::Routes { query, answer });
    let routes = routes.blocking_recv().unwrap();
    assert_eq!((routes.routes.len(), routes.truncated), (20, true));
    let (answer, route) = oneshot::channel();
    world.send(Command::Route {
        prefix: "10.0.7.9/32".parse().unwrap(),
        answer,
    });
    let route = route.blocking_recv().unwrap().unwrap();
    assert_eq!(
        (
            route.prefix.to_string().as_str(),
            route.paths[0].peer.as_str()
        ),
        ("10.0.7.0/24", "a")
    );
    world.end();
}

#[test]
fn limits_are_told_to_the_daemon() {
    let mut world = World::new();
    world.configure(
        A,
        Peer {
            prefix_limit: Some(4),
            ..peer("a", "198.51.100.1", 64512)
        },
    );
    world.configure(
        B,
        Peer {
            advertise_limit: Some(1),
            ..peer("b", "203.0.113.1", 64513)
        },
    );
    let (_a, _b) = (world.establish(A, 10), world.establish(B, 10));
    world.update(A, announcing(&nets(5)));
    let limit = Event::PrefixLimit {
        path: A,
        family: Family::Ipv4,
        limit: 4,
    };
    let held_back = Event::HeldBack {
        path: B,
        family: Family::Ipv4,
        prefixes: 3,
    };
    assert_eq!(world.events.blocking_recv(), Some(limit));
    assert_eq!(world.events.blocking_recv(), Some(held_back));
    world.end();
}

#[test]
fn prefixes_that_are_held_back_are_told_of_once_and_when_there_are_none_any_more() {
    let mut world = World::new();
    let limited = Peer {
        advertise_limit: Some(1),
        ..peer("b", "203.0.113.1", 64513)
    };
    world.configure(B, limited.clone());
    let (_a, _b) = (world.establish(A, 10), world.establish(B, 100));
    for count in 1..20 {
        world.update(A, announcing(&nets(count)));
    }
    // The router decides about all of them before the limit goes.
    while world.held_back(B) != 18 {
        thread::yield_now();
    }
    world.configure(
        B,
        Peer {
            advertise_limit: None,
            ..limited
        },
    );
    let mut told = Vec::new();
    while told.last() != Some(&0) {
        if let Some(Event::HeldBack { prefixes, .. }) = world.events.blocking_recv() {
            told.push(prefixes);
        }
    }
    assert_eq!(told.len(), 2, "{told:?}");
    world.end();
}

#[test]
fn a_peer_that_withdraws_everything_is_left_at_once_and_followed_again_with_its_routes() {
    let world = World::new();
    let _a = world.establish(A, 10);
    world.update(A, announcing(&nets(3)));
    world.update(A, withdrawing(&nets(2)));
    world.update(A, withdrawing(&nets(3)));
    // The FIB has no room, and is not waited for.
    assert_eq!(world.told(), Told::RoutesGone(A));
    world.update(A, withdrawing(&nets(3)));
    world.update(A, announcing(&nets(1)));
    let before_the_fib_has_them = world.told.recv_timeout(Duration::from_millis(100));
    assert!(before_the_fib_has_them.is_err());
    world.grow(10);
    while world.told() != Told::RoutesBack(A) {}
    world.update(A, withdrawing(&nets(1)));
    while world.told() != Told::RoutesGone(A) {}
    world.send(Command::Down {
        path: A,
        reason: ended(),
    });
    while world.told() != Told::PathDown(A) {}
    assert_eq!(world.told(), Told::RoutesBack(A));
    world.end();
}

#[test]
fn routes_of_a_session_with_a_backup_outlive_it() {
    let world = World::new();
    world.grow(100);
    world.configure(
        A,
        Peer {
            backup: Some("internet".into()),
            ..peer("a", "198.51.100.1", 64512)
        },
    );
    let _a = world.establish(A, 10);
    world.update(A, announcing(&nets(3)));
    assert_eq!(world.told(), Told::Routes(3));
    world.send(Command::Down {
        path: A,
        reason: ended(),
    });
    assert_eq!(world.told(), Told::PathDown(A));
    let _again = world.establish(A, 10);
    world.update(A, announcing(&nets(2)));
    world.update(A, end_of_rib());
    assert_eq!(
        (world.told(), world.told()),
        (Told::Routes(1), Told::PathUp(A)),
        "the third is gone"
    );
    world.end();
}

#[test]
fn routes_kept_for_a_backup_go_with_it() {
    let world = World::new();
    world.grow(100);
    let plain = peer("a", "198.51.100.1", 64512);
    world.configure(
        A,
        Peer {
            backup: Some("internet".into()),
            ..plain.clone()
        },
    );
    let _a = world.establish(A, 10);
    world.update(A, announcing(&nets(3)));
    assert_eq!(world.told(), Told::Routes(3));
    world.send(Command::Down {
        path: A,
        reason: ended(),
    });
    assert_eq!(world.told(), Told::PathDown(A));
    world.configure(A, plain);
    assert_eq!(world.told(), Told::Routes(3), "withdrawn");
    world.end();
}

#[test]
fn a_path_is_not_up_for_a_session_that_has_ended_meanwhile() {
    let mut world = World::new();
    let a = world.establish(A, 10);
    world.update(A, announcing(&nets(3)));
    world.update(A, end_of_rib());
    assert_eq!(
        world.events.blocking_recv(),
        Some(Event::InitialRoutes { path: A })
    );
    drop(a);
    world.grow(10);
    assert_eq!(world.told(), Told::Routes(3));
    world.send(Command::Down {
        path: A,
        reason: ended(),
    });
    assert_eq!(world.told(), Told::PathDown(A));
    world.end();
}

#[test]
fn a_peer_without_end_of_rib_is_waited_for() {
    let start = Instant::now();
    let mut progress = Progress::default();
    assert_eq!(progress.next_timeout(), None);
    progress.established(&[Family::Ipv4], None, start);
    assert!(!progress.take_initial_routes(start));
    assert_eq!(progress.next_timeout(), Some(start + INITIAL_ROUTES));
    assert!(progress.take_initial_routes(start + INITIAL_ROUTES));
    assert!(
        !progress.take_initial_routes(start + INITIAL_ROUTES),
        "once"
    );
    assert_eq!(progress.next_timeout(), Some(start + STALE));
    assert!(!progress.take_sweep(start));
    assert!(progress.take_sweep(start + STALE));
    assert_eq!(progress.next_timeout(), None);
}

#[test]
fn initial_routes_end_with_every_familys_end_of_rib() {
    let start = Instant::now();
    let mut progress = Progress::default();
    progress.established(&Family::ALL, None, start);
    progress.end_of_rib(Family::Ipv6, start);
    assert!(!progress.take_initial_routes(start));
    progress.end_of_rib(Family::Ipv4, start);
    assert!(progress.take_initial_routes(start));
    progress.end_of_rib(Family::Ipv4, start);
    assert!(
        !progress.take_initial_routes(start),
        "a later one changes nothing"
    );
}

#[test]
fn the_fate_of_routes_follows_the_reason_of_the_end() {
    let minute = Duration::from_secs(60);
    let plain = peer("a", "198.51.100.1", 64512);
    let backed = Peer {
        backup: Some("b".into()),
        ..plain.clone()
    };
    let limit = StopReason::MaximumPrefixes {
        family: Family::Ipv4,
        limit: 1,
        retry_after: minute,
    };
    let hold_timer = DownReason::NotificationSent(wire::Notification {
        code: 4,
        subcode: 0,
        data: Vec::new(),
    });
    let old = restart(&[Family::Ipv4]);
    let new = RemoteRestart {
        notification: true,
        ..old.clone()
    };
    let never = RemoteRestart {
        time: Duration::ZERO,
        ..new.clone()
    };
    let hard = wire::Notification::new(6, 2).into_hard_reset();
    let hard = DownReason::NotificationReceived(hard);
    let reset = DownReason::Stopped(StopReason::ConfigurationChange);
    for (peer, restart, reason, fate) in [
        (&plain, None, ended(), Fate::Withdraw),
        (&backed, None, ended(), Fate::Keep),
        (&backed, None, hold_timer.clone(), Fate::Keep),
        (
            &backed,
            None,
            DownReason::LinkDown("no carrier"),
            Fate::Keep,
        ),
        (&backed, None, DownReason::Stopped(limit), Fate::Withdraw),
        (
            &backed,
            None,
            DownReason::Stopped(StopReason::PeerDeconfigured),
            Fate::Withdraw,
        ),
        (&plain, Some(&old), ended(), Fate::KeepFor(minute)),
        (&plain, Some(&never), ended(), Fate::Withdraw),
        (&plain, Some(&old), hold_timer.clone(), Fate::Withdraw),
        (&plain, Some(&new), hold_timer, Fate::KeepFor(minute)),
        (&plain, Some(&new), hard, Fate::Withdraw),
        (&plain, Some(&old), reset.clone(), Fate::Withdraw),
        (&plain, Some(&new), reset, Fate::KeepFor(minute)),
        (
            &plain,
            Some(&new),
            DownReason::LinkDown("no carrier"),
            Fate::Withdraw,
        ),
    ] {
        assert_eq!(Fate::of(peer, restart, &reason), fate, "{reason:?}");
    }
}

#[test]
fn any_number_of_refreshes_within_a_second_costs_one_walk() {
    let start = Instant::now();
    let mut refresh = Refresh::default();
    assert!(!refresh.take(start));
    let mut walks = 0;
    for millis in 0..1000 {
        refresh.ask();
        walks += usize::from(refresh.take(start + Duration::from_millis(millis)));
    }
    assert_eq!(walks, 1);
    // The last one is answered all the same.
    assert_eq!(refresh.next_timeout(), Some(start + REFRESH));
    assert!(refresh.take(start + REFRESH));
    assert_eq!(refresh.next_timeout(), None);
}
