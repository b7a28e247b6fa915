//! Graceful restart (RFC 4724): ours, and a peer's.

use super::*;

/// Longer than the test takes.
const HOUR: Duration = Duration::from_secs(3600);
const KEPT: &[Family] = &[Family::Ipv4];

/// A and B, with graceful restart, after a restart of ours.
fn restarted(selects_within: Duration) -> World {
    let world = World::selecting_by(Some(Instant::now() + selects_within), START);
    for (path, name, remote) in [(A, "a", "198.51.100.1"), (B, "b", "203.0.113.1")] {
        let peer = Peer {
            graceful_restart: Some(Duration::from_secs(60)),
            ..peer(name, remote, 64511 + path.0)
        };
        world.configure(path, peer);
    }
    world.grow(100);
    world
}

/// What kinds of messages came, up to End-of-RIB.
fn heard(inbox: &mut mpsc::Receiver<Outbound>) -> Vec<&'static str> {
    let words = |update: &Update| match (update.end_of_rib, &update.withdrawn[..]) {
        (Some(_), _) => "end",
        (None, []) => "announce",
        (None, _) => "withdraw",
    };
    let mut all = Vec::new();
    while all.last() != Some(&"end") {
        all.extend(updates(&inbox.blocking_recv().unwrap()).iter().map(words));
    }
    all.dedup();
    all
}

/// Whether the router has been through its loop since, and what it has told.
fn told_after_a_turn(world: &World) -> Vec<Told> {
    // Each answer comes from a turn of its own.
    for _ in 0..2 {
        world.held_back(A);
    }
    world.told.try_iter().collect()
}

#[test]
fn after_a_restart_nobody_is_told_before_every_peer_has_sent_its_routes() {
    let world = restarted(HOUR);
    let (mut a, mut b) = (
        world.establish_with(A, Some(restart(KEPT)), 10),
        world.establish_with(B, Some(restart(KEPT)), 10),
    );
    world.update(A, announcing(&nets(3)));
    world.update(A, end_of_rib());
    assert_eq!(told_after_a_turn(&world), []);
    assert!(a.try_recv().is_err() && b.try_recv().is_err());
    world.update(B, end_of_rib());
    assert_eq!(world.told(), Told::Routes(3));
    assert_eq!(heard(&mut b), ["announce", "end"]);
    assert_eq!(heard(&mut a), ["end"]);
    world.end();
}

#[test]
fn a_peer_that_has_restarted_itself_is_not_waited_for() {
    let world = restarted(HOUR);
    let peers_own = RemoteRestart {
        restarting: true,
        ..restart(KEPT)
    };
    let _a = world.establish_with(A, Some(restart(KEPT)), 10);
    world.update(A, announcing(&nets(3)));
    world.update(A, end_of_rib());
    assert_eq!(told_after_a_turn(&world), []);
    let mut b = world.establish_with(B, Some(peers_own), 10);
    assert_eq!(heard(&mut b), ["announce", "end"]);
    world.end();
}

#[test]
fn a_peer_that_never_comes_is_not_waited_for_beyond_the_selection_deferral_time() {
    let world = restarted(Duration::from_millis(300));
    let mut a = world.establish_with(A, Some(restart(KEPT)), 10);
    world.update(A, announcing(&nets(3)));
    world.update(A, end_of_rib());
    assert_eq!(world.told(), Told::Routes(3));
    assert_eq!(heard(&mut a), ["end"]);
    world.end();
}

/// Waits until the RIB holds so many routes of A, and so many of them stale.
fn holds(world: &World, received: u64, stale: u64) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (answer, counts) = oneshot::channel();
        world.send(Command::Counts { answer });
        let counts = &counts.blocking_recv().unwrap()[0].1;
        let held = (counts.received, counts.stale);
        if held == (received, stale) {
            return;
        }
        assert!(Instant::now() < deadline, "{held:?}");
    }
}

#[test]
fn a_restarting_peers_routes_stay_until_its_end_of_rib() {
    let world = World::new();
    world.grow(100);
    let _first = world.establish_with(A, Some(restart(KEPT)), 10);
    world.update(A, announcing(&nets(3)));
    world.send(Command::Down {
        path: A,
        reason: ended(),
    });
    holds(&world, 3, 3);
    let _again = world.establish_with(A, Some(restart(KEPT)), 10);
    holds(&world, 3, 3);
    world.update(A, announcing(&nets(2)));
    holds(&world, 3, 1);
    world.update(A, end_of_rib());
    holds(&world, 2, 0);
    world.end();
}

#[test]
fn what_a_restarted_peer_has_not_kept_forwarding_goes_at_once() {
    for again in [Some(restart(&[])), None] {
        let world = World::new();
        let _first = world.establish_with(A, Some(restart(KEPT)), 10);
        world.update(A, announcing(&nets(3)));
        world.send(Command::Down {
            path: A,
            reason: ended(),
        });
        holds(&world, 3, 3);
        let _again = world.establish_with(A, again, 10);
        holds(&world, 0, 0);
        world.end();
    }
}

#[test]
fn families_that_are_not_in_a_peers_capability_do_not_outlive_its_session() {
    let world = World::new();
    let only_ipv6 = RemoteRestart {
        families: [Family::Ipv6].into_iter().collect(),
        ..restart(KEPT)
    };
    let _a = world.establish_with(A, Some(only_ipv6), 10);
    world.update(A, announcing(&nets(3)));
    world.send(Command::Down {
        path: A,
        reason: ended(),
    });
    holds(&world, 0, 0);
    world.end();
}

#[test]
fn routes_that_are_stale_already_do_not_survive_a_second_restart() {
    let world = World::new();
    for sent in [3, 1] {
        let _a = world.establish_with(A, Some(restart(KEPT)), 10);
        world.update(A, announcing(&nets(sent)));
        world.send(Command::Down {
            path: A,
            reason: ended(),
        });
    }
    holds(&world, 1, 1);
    world.end();
}

#[test]
fn an_end_that_is_told_twice_is_one_restart() {
    let world = World::new();
    let _a = world.establish_with(A, Some(restart(KEPT)), 10);
    world.update(A, announcing(&nets(3)));
    for _ in 0..2 {
        world.send(Command::Down {
            path: A,
            reason: ended(),
        });
    }
    let _again = world.establish_with(A, Some(restart(KEPT)), 10);
    holds(&world, 3, 3);
    world.end();
}

#[test]
fn a_peer_that_stays_away_for_its_restart_time_loses_its_routes() {
    let world = World::new();
    let short = RemoteRestart {
        time: Duration::from_millis(500),
        ..restart(KEPT)
    };
    let _a = world.establish_with(A, Some(short), 10);
    world.update(A, announcing(&nets(3)));
    let begin = Instant::now();
    world.send(Command::Down {
        path: A,
        reason: ended(),
    });
    holds(&world, 3, 3);
    holds(&world, 0, 0);
    assert!(begin.elapsed() >= Duration::from_millis(500));
    world.end();
}
