//! What keeps a session up, and what ends it.

use std::time::Duration;

use bgp_core::Family;
use bgp_core::peer::{Action, ConnectionId, DownReason, Event, State, StopReason};
use bgp_core::wire::{Message, Notification, RouteRefresh};

use crate::world::{drain, edge, established, open, open_sent};

#[test]
fn a_session_stays_up_for_a_day_on_keepalives_alone() {
    let mut world = established();
    world.pass(Duration::from_secs(86_400));
    assert_eq!(world.states(), [State::Established; 2]);
    assert!(world.down_reasons(0).is_empty());
    let keepalives = world.speakers[0].log.iter();
    let keepalives = keepalives
        .filter(|a| matches!(a, Action::Send(_, Message::Keepalive)))
        .count();
    // Every 7.5 to 10 seconds.
    assert!((8_640..=11_520).contains(&keepalives), "{keepalives}");
}

#[test]
fn hold_timer_expiry_in_open_sent_sends_notification() {
    let (mut peer, _, now) = open_sent(edge());
    peer.handle_timeout(now + Duration::from_secs(239));
    assert!(drain(&mut peer).is_empty());
    peer.handle_timeout(now + Duration::from_secs(240));
    let actions = drain(&mut peer);
    assert!(matches!(&actions[0], Action::Send(_, Message::Notification(n)) if n.code == 4));
    assert!(matches!(&actions[1], Action::Close(_)));
    assert_eq!(peer.state(), State::Active);
}

#[test]
fn a_silent_peer_is_given_up_after_the_hold_time() {
    let mut world = established();
    let begin = world.now;
    // The far end freezes: its timers no longer run, what it gets is lost.
    loop {
        let next = world.speakers[0].peer.next_timeout().unwrap();
        world.speakers[0].peer.handle_timeout(next);
        world.collect(0);
        if world.speakers[0].peer.state() != State::Established {
            assert!(next - begin <= Duration::from_secs(30));
            break;
        }
    }
    assert!(world.sent(0, 4, 0));
    assert!(matches!(&world.down_reasons(0)[..], [DownReason::NotificationSent(n)] if n.code == 4));
}

#[test]
fn keepalives_postpone_the_hold_timer() {
    let (mut peer, id, now) = open_sent(edge());
    peer.handle(Event::Received(id, Message::Open(open())), now);
    peer.handle(Event::Received(id, Message::Keepalive), now);
    for step in 1..100 {
        let now = now + Duration::from_secs(29) * step;
        peer.handle(Event::Received(id, Message::Keepalive), now);
        peer.handle_timeout(now);
        assert_eq!(peer.state(), State::Established);
    }
}

#[test]
fn a_prefix_limit_holds_the_session_idle_and_refuses_the_peer_until_the_wait_is_over() {
    let mut world = established();
    let retry_after = Duration::from_secs(300);
    world.handle(
        0,
        Event::Stop(StopReason::MaximumPrefixes {
            family: Family::Ipv4,
            limit: 100,
            retry_after,
        }),
    );
    world.settle();
    assert!(world.sent(0, 6, 1));
    world.pass(Duration::from_secs(290));
    assert_eq!(world.states()[0], State::Idle);
    assert!(world.sent(0, 6, 5), "the peer has tried meanwhile");
    world.pass(Duration::from_secs(100));
    assert_eq!(world.states(), [State::Established; 2]);
}

#[test]
fn a_prefix_limit_does_not_restart_what_the_operator_has_stopped() {
    let mut world = established();
    world.handle(
        0,
        Event::Stop(StopReason::AdministrativeShutdown(String::new())),
    );
    world.handle(
        0,
        Event::Stop(StopReason::MaximumPrefixes {
            family: Family::Ipv4,
            limit: 100,
            retry_after: Duration::ZERO,
        }),
    );
    world.pass(Duration::from_secs(600));
    assert_eq!(world.states()[0], State::Idle);
}

#[test]
fn refresh_for_a_family_is_passed_on_and_its_markers_are_not() {
    let (mut peer, id, now) = open_sent(edge());
    peer.handle(Event::Received(id, Message::Open(open())), now);
    peer.handle(Event::Received(id, Message::Keepalive), now);
    drain(&mut peer);
    let mut ask = |family, subtype| {
        let refresh = RouteRefresh { family, subtype };
        peer.handle(Event::Received(id, Message::RouteRefresh(refresh)), now);
        drain(&mut peer)
    };
    assert_eq!(ask(Some(Family::Ipv4), 0), [Action::Refresh(Family::Ipv4)]);
    assert_eq!(ask(Some(Family::Ipv6), 0), []);
    assert_eq!(ask(Some(Family::Ipv4), 1), []);
    assert_eq!(ask(Some(Family::Ipv4), 2), []);
    assert_eq!(ask(None, 0), []);
}

#[test]
fn events_of_a_connection_that_is_gone_are_passed_over() {
    let mut world = established();
    let gone = ConnectionId(77);
    world.handle(0, Event::Received(gone, Message::Open(open())));
    world.handle(0, Event::ConnectionClosed(gone, String::new()));
    world.handle(0, Event::ConnectFailed(gone, String::new()));
    let notification = Notification {
        code: 1,
        subcode: 1,
        data: Vec::new(),
    };
    world.handle(0, Event::Malformed(gone, notification));
    assert_eq!(world.states(), [State::Established; 2]);
    // A dial that succeeds after all must not leave its socket behind.
    world.handle(0, Event::Connected(gone));
    assert_eq!(world.speakers[0].log.last(), Some(&Action::Close(gone)));
}
