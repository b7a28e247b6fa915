//! What pilots say of a path reaches its peer, whatever else is under way.

use bgp_core::policy::{Adverse, Changes, Discouraged, Stance};
use bgp_core::wire::Community;

use super::*;

const BAD: Community = Community::new(65010, 1);
const DRAINED: Community = Community::new(65010, 2);

fn saying(community: Community) -> Discouraged {
    Discouraged {
        instead_of: Vec::new(),
        changes: Changes {
            add_communities: vec![community],
            ..Changes::default()
        },
    }
}

fn avoidable(name: &str) -> Peer {
    Peer {
        advertise: vec!["10.20.0.0/16".parse().unwrap()],
        on_degraded: Adverse::Change(saying(BAD)),
        on_drain: saying(DRAINED),
        ..peer(name, "198.51.100.1", 64512)
    }
}

/// The communities of the next announcement; none: it is a withdrawal.
fn heard(outbound: &mut mpsc::Receiver<Outbound>) -> Option<Vec<Community>> {
    loop {
        let next = outbound.blocking_recv().unwrap();
        for update in updates(&next) {
            if let Some(announced) = update.announced.first() {
                return Some(announced.attributes.communities.clone());
            }
            if !update.withdrawn.is_empty() {
                return None;
            }
        }
    }
}

#[test]
fn the_greater_of_what_two_pilots_say_holds_for_every_session_of_the_peer() {
    let world = World::waiting(START);
    // Said before the peer is known.
    world.steering.set(A, Pilot::Operator, Stance::Drained);
    world.configure(A, avoidable("a"));
    let mut outbound = world.establish(A, 8);
    assert_eq!(heard(&mut outbound), Some(vec![DRAINED]));
    world.steering.set(A, Pilot::Health, Stance::Adverse);
    world.steering.set(A, Pilot::Operator, Stance::Withdrawn);
    assert_eq!(heard(&mut outbound), None);
    world.send(Command::Down {
        path: A,
        reason: ended(),
    });
    world.steering.set(A, Pilot::Operator, Stance::Normal);
    let mut outbound = world.establish(A, 8);
    assert_eq!(heard(&mut outbound), Some(vec![BAD]));
    world.steering.set(A, Pilot::Health, Stance::Normal);
    assert_eq!(heard(&mut outbound), Some(Vec::new()));
    drop(outbound);
    world.end();
}

#[test]
fn a_peer_hears_of_its_bad_path_while_others_send_a_large_table() {
    let world = World::waiting(START);
    world.configure(A, avoidable("a"));
    world.configure(B, peer("b", "203.0.113.1", 64513));
    let mut outbound = world.establish(A, 8);
    assert_eq!(heard(&mut outbound), Some(Vec::new()));
    let flood = {
        let commands = world.commands.clone();
        let table = nets(50_000);
        let _session = world.establish(B, 8);
        thread::spawn(move || {
            for nets in table.chunks(500) {
                let updates = vec![announcing(nets)];
                let _ = commands.blocking_send(Command::Updates { path: B, updates });
            }
        })
    };
    world.steering.set(A, Pilot::Health, Stance::Adverse);
    while heard(&mut outbound) != Some(vec![BAD]) {}
    flood.join().unwrap();
    drop(outbound);
    world.end();
}
