//! When a peer is dialed, and dialed again.

use std::time::Duration;

use bgp_core::peer::{Action, DownReason, Event, Peer, PeerSettings, State, StopReason};
use bgp_core::wire::Message;

use crate::world::{World, aws, drain, edge, established, lose_connection, open, origin};

#[test]
fn waits_between_failed_dials_double_up_to_eight_times() {
    let mut world = World::new([edge(), aws()]);
    world.reachable = [false, false];
    world.handle(0, Event::Start);
    let mut waits = Vec::new();
    for _ in 0..7 {
        assert!(world.carry_dial());
        assert_eq!(world.states()[0], State::Active);
        let next = world.speakers[0].peer.next_timeout().unwrap();
        waits.push((next - world.now).as_secs_f64());
        world.now = next;
        world.speakers[0].peer.handle_timeout(next);
        world.collect(0);
        assert_eq!(world.states()[0], State::Connect);
    }
    for (wait, base) in waits.iter().zip([10.0, 20.0, 40.0, 80.0, 80.0, 80.0, 80.0]) {
        assert!((base * 0.75..=base).contains(wait), "{waits:?}");
    }
}

#[test]
fn a_dial_that_never_answers_is_given_up_and_begun_anew() {
    let mut peer = Peer::new(edge(), 1);
    let now = origin();
    peer.handle(Event::Start, now);
    let first = drain(&mut peer);
    let next = peer.next_timeout().unwrap();
    peer.handle_timeout(next);
    let then = drain(&mut peer);
    let Action::Connect(first) = first[0] else {
        panic!()
    };
    assert_eq!(then[0], Action::Close(first));
    assert!(matches!(then.last(), Some(Action::Connect(id)) if *id != first));
    assert_eq!(peer.state(), State::Connect);
}

#[test]
fn a_link_that_returns_is_dialed_at_once() {
    let mut world = established();
    world.handle(0, Event::LinkDown("no carrier"));
    world.handle(1, Event::LinkDown("no carrier"));
    world.flights.clear();
    assert_eq!(world.states(), [State::Active; 2]);
    assert_eq!(world.down_reasons(0), [DownReason::LinkDown("no carrier")]);
    assert!(
        !world.sent(0, 6, 2) && !world.sent(0, 4, 0),
        "nothing can be sent"
    );
    world.handle(0, Event::LinkUp);
    world.settle();
    assert_eq!(world.states(), [State::Established; 2]);
}

#[test]
fn a_passive_peer_never_dials() {
    let passive = PeerSettings {
        passive: true,
        ..edge()
    };
    let mut world = World::new([passive, aws()]);
    world.handle(0, Event::Start);
    assert!(world.dials.is_empty());
    assert_eq!(world.states()[0], State::Active);
    world.handle(0, Event::LinkUp);
    assert!(world.dials.is_empty());
    world.handle(1, Event::Start);
    world.settle();
    assert_eq!(world.states(), [State::Established; 2]);
    world.handle(
        1,
        Event::Stop(StopReason::AdministrativeShutdown("maintenance".to_owned())),
    );
    world.settle();
    assert_eq!(world.speakers[0].peer.next_timeout(), None);
    let words = world.down_reasons(0)[0].to_string();
    assert!(words.contains("\"maintenance\""), "{words}");
}

#[test]
fn a_session_that_flaps_backs_off_and_one_that_lasted_does_not() {
    let mut world = established();
    world.pass(Duration::from_secs(3600));
    let mut waits = Vec::new();
    for _ in 0..3 {
        waits.push(lose_connection(&mut world).as_secs_f64());
        while world.states() != [State::Established; 2] {
            world.pass(Duration::from_secs(1));
        }
    }
    for (wait, base) in waits.iter().zip([10.0, 20.0, 40.0]) {
        assert!((base * 0.75..=base).contains(wait), "{waits:?}");
    }
    world.pass(Duration::from_secs(3600));
    assert!(lose_connection(&mut world) <= Duration::from_secs(10));
}

#[test]
fn a_peer_that_connects_and_says_nothing_does_not_keep_us_from_dialing() {
    let mut peer = Peer::new(edge(), 1);
    let mut now = origin();
    peer.handle(Event::Start, now);
    let Some(Action::Connect(dial)) = peer.poll_action() else {
        panic!()
    };
    peer.handle(Event::ConnectFailed(dial, "refused".to_owned()), now);
    let silent = peer.new_connection();
    peer.handle(Event::Accepted(silent), now);
    drain(&mut peer);
    now = peer.next_timeout().unwrap();
    peer.handle_timeout(now);
    assert!(matches!(drain(&mut peer)[..], [Action::Connect(_)]));
}

#[test]
fn a_peer_that_begins_anew_and_then_says_nothing_does_not_either() {
    let mut peer = Peer::new(edge(), 1);
    let mut now = origin();
    peer.handle(Event::Start, now);
    let Some(Action::Connect(dial)) = peer.poll_action() else {
        panic!()
    };
    peer.handle(Event::ConnectFailed(dial, "refused".to_owned()), now);
    let first = peer.new_connection();
    peer.handle(Event::Accepted(first), now);
    peer.handle(Event::Received(first, Message::Open(open())), now);
    assert_eq!(peer.state(), State::OpenConfirm);
    let silent = peer.new_connection();
    peer.handle(Event::Accepted(silent), now);
    drain(&mut peer);
    now = peer.next_timeout().unwrap();
    peer.handle_timeout(now);
    assert!(matches!(drain(&mut peer)[..], [Action::Connect(_)]));
}

#[test]
fn where_the_link_is_back_dials_that_fail_are_repeated_at_once() {
    let mut world = established();
    for who in 0..2 {
        world.handle(who, Event::LinkDown("no carrier"));
    }
    world.flights.clear();
    world.reachable = [false, false];
    world.handle(0, Event::LinkUp);
    assert!(world.carry_dial());
    // The far end is there a moment later than its light.
    world.reachable = [true, true];
    world.pass(Duration::from_millis(200));
    assert_eq!(world.states(), [State::Established; 2]);
}

#[test]
fn where_the_link_is_back_a_syn_that_is_lost_is_not_waited_for() {
    let mut peer = Peer::new(edge(), 1);
    let mut now = origin();
    peer.handle(Event::Start, now);
    peer.handle(Event::LinkUp, now);
    let mut gaps = Vec::new();
    for _ in 0..8 {
        let actions = drain(&mut peer);
        assert!(matches!(actions.last(), Some(Action::Connect(_))));
        let next = peer.next_timeout().unwrap();
        gaps.push((next - now).as_secs_f64());
        now = next;
        peer.handle_timeout(now);
    }
    for (gap, base) in gaps.iter().zip([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 30.0]) {
        assert!((base * 0.75..=base).contains(gap), "{gaps:?}");
    }
}
