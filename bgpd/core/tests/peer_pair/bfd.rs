//! What BFD does to a session (RFC 5882 §4.3, RFC 9384).

use bgp_core::config::BgpWaits;
use bgp_core::peer::{Action, DownReason, Event, PeerSettings, State, StopReason};

use super::world::{World, aws, edge, established, established_with};
use bgp_core::wire::Message;
use bgp_core::wire::iana::cease;

fn down() -> Event {
    Event::BfdDown("BFD: silence".to_owned())
}

fn strict() -> PeerSettings {
    PeerSettings {
        bgp_waits: BgpWaits::ForBfd,
        ..edge()
    }
}

#[test]
fn bfd_down_closes_the_session_with_its_cease_and_tries_again() {
    let mut world = established();
    world.handle(0, down());
    assert!(world.sent(0, 6, cease::BFD_DOWN));
    assert_eq!(
        world.down_reasons(0),
        [DownReason::BfdDown("BFD: silence".to_owned())]
    );
    assert_eq!(world.states()[0], State::Active);
    assert!(world.speakers[0].peer.next_timeout().is_some());
    world.handle(0, Event::BfdUp);
    world.settle();
    assert_eq!(world.states(), [State::Established; 2], "at once");
}

#[test]
fn a_peer_that_would_keep_our_routes_over_a_notification_is_told_not_to() {
    let graceful = |settings| PeerSettings {
        graceful_restart: Some(std::time::Duration::from_secs(120)),
        ..settings
    };
    let mut world = established_with([graceful(edge()), graceful(aws())]);
    world.handle(0, down());
    let sent = world.speakers[0]
        .log
        .iter()
        .rev()
        .find_map(|action| match action {
            Action::Send(_, Message::Notification(sent)) => Some(sent.clone()),
            _ => None,
        });
    let sent = sent.unwrap();
    assert!(sent.is_hard_reset());
    assert_eq!(sent.data, [6, cease::BFD_DOWN]);
}

#[test]
fn without_strict_bgp_comes_up_before_bfd() {
    assert_eq!(established().states(), [State::Established; 2]);
}

#[test]
fn a_strict_session_waits_for_bfd_in_both_directions() {
    let mut world = World::new([strict(), aws()]);
    world.start_both();
    world.settle();
    assert_eq!(world.states()[0], State::Idle);
    assert!(world.sent(0, 6, cease::CONNECTION_REJECTED));
    world.handle(0, Event::LinkUp);
    assert_eq!(world.states()[0], State::Idle);
    world.handle(0, Event::BfdUp);
    world.settle();
    assert_eq!(world.states(), [State::Established; 2]);
    world.handle(0, down());
    assert!(world.sent(0, 6, cease::BFD_DOWN));
    assert_eq!(world.states()[0], State::Idle);
    assert_eq!(world.speakers[0].peer.next_timeout(), None);
    world.handle(0, Event::BfdUp);
    world.settle();
    assert_eq!(world.states()[0], State::Established);
}

#[test]
fn what_the_operator_has_stopped_is_not_started_by_bfd() {
    let mut world = World::new([strict(), aws()]);
    world.start_both();
    world.handle(
        0,
        Event::Stop(StopReason::AdministrativeShutdown(String::new())),
    );
    world.handle(0, Event::BfdUp);
    world.settle();
    assert_eq!(world.states()[0], State::Idle);
    world.handle(0, Event::Start);
    world.settle();
    assert_eq!(world.states(), [State::Established; 2]);
}
