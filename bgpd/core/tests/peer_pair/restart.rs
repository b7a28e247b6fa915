//! Graceful restart (RFC 4724, RFC 8538).

use std::time::Duration;

use bgp_core::Family;
use bgp_core::peer::{Action, DownReason, Event, PeerSettings, State, StopReason};
use bgp_core::wire::iana::{cease, error};
use bgp_core::wire::{GracefulRestart, Message, Notification, Open};

use crate::world::{World, aws, drain, edge, established_with, open, open_sent, origin};

/// A speaker that offers graceful restart.
fn graceful(settings: PeerSettings) -> PeerSettings {
    PeerSettings {
        graceful_restart: Some(Duration::from_secs(120)),
        ..settings
    }
}

/// The capability in a speaker's last OPEN.
fn offered(world: &World, who: usize) -> GracefulRestart {
    let found = world.speakers[who]
        .log
        .iter()
        .rev()
        .find_map(|action| match action {
            Action::Send(_, Message::Open(open)) => open.capabilities.graceful_restart.clone(),
            _ => None,
        });
    found.expect("no OPEN with the capability")
}

/// Both ends lose TCP, and find each other again.
fn lose_and_return(world: &mut World) {
    world.speakers[0].log.clear();
    let wire = world.wires.iter_mut().find(|wire| wire.open).unwrap();
    wire.open = false;
    for (who, id) in wire.ids.into_iter().enumerate() {
        world.handle(who, Event::ConnectionClosed(id, "reset".to_owned()));
    }
    world.pass(Duration::from_secs(30));
    assert_eq!(world.states(), [State::Established; 2]);
}

#[test]
fn a_first_start_says_that_nothing_was_kept_and_a_later_session_that_all_was() {
    let mut world = World::new([graceful(edge()), graceful(aws())]);
    world.start_both();
    world.settle();
    world.pass(Duration::from_secs(30));
    let first = offered(&world, 0);
    assert_eq!(
        (first.restarting, first.notification, first.families),
        (false, true, vec![(Family::Ipv4, false)])
    );
    lose_and_return(&mut world);
    let later = offered(&world, 0);
    assert_eq!(
        (later.restarting, later.families),
        (false, vec![(Family::Ipv4, true)])
    );
    let seen = world.negotiated(1).restart.unwrap();
    assert_eq!(seen.kept.as_slice(), [Family::Ipv4]);
    assert!(!seen.restarting && seen.notification);
}

#[test]
fn a_restart_is_told_until_routes_are_selected_at_the_latest() {
    let restarted = PeerSettings {
        restarting_until: origin().checked_add(Duration::from_secs(60)),
        ..graceful(edge())
    };
    let mut world = World::new([restarted, graceful(aws())]);
    world.start_both();
    world.settle();
    world.pass(Duration::from_secs(20));
    let first = offered(&world, 0);
    assert_eq!(
        (first.restarting, first.families),
        (true, vec![(Family::Ipv4, true)])
    );
    let seen = world.negotiated(1).restart.unwrap();
    assert!(seen.restarting && seen.kept.as_slice() == [Family::Ipv4]);
    world.pass(Duration::from_secs(60));
    lose_and_return(&mut world);
    assert!(!offered(&world, 0).restarting);
}

#[test]
fn graceful_restart_takes_both_ends() {
    let world = established_with([graceful(edge()), aws()]);
    assert_eq!(world.negotiated(0).restart, None);
    assert_eq!(world.negotiated(1).restart, None);
}

#[test]
fn only_families_of_the_session_and_of_the_capability_may_stay() {
    let (mut peer, id, now) = open_sent(graceful(edge()));
    let capability = GracefulRestart {
        restarting: false,
        notification: true,
        restart_time: 90,
        families: vec![(Family::Ipv6, true), (Family::Ipv4, false)],
    };
    let mut open = open();
    open.capabilities.graceful_restart = Some(capability);
    peer.handle(Event::Received(id, Message::Open(open)), now);
    peer.handle(Event::Received(id, Message::Keepalive), now);
    let negotiated = drain(&mut peer)
        .into_iter()
        .find_map(|action| match action {
            Action::Established(_, negotiated) => Some(negotiated),
            _ => None,
        });
    let restart = negotiated.unwrap().restart.unwrap();
    assert_eq!(restart.time, Duration::from_secs(90));
    assert_eq!(restart.families.as_slice(), [Family::Ipv4]);
    assert!(restart.kept.is_empty());
}

/// How a session with such a peer is ended.
fn told(capability: Option<GracefulRestart>, reason: StopReason) -> Vec<Notification> {
    let (mut peer, id, now) = open_sent(graceful(edge()));
    let mut open: Open = open();
    open.capabilities.graceful_restart = capability;
    peer.handle(Event::Received(id, Message::Open(open)), now);
    peer.handle(Event::Received(id, Message::Keepalive), now);
    drain(&mut peer);
    peer.handle(Event::Stop(reason.clone()), now);
    let actions = drain(&mut peer);
    assert_eq!(
        actions.last(),
        Some(&Action::Down(DownReason::Stopped(reason)))
    );
    let notifications = actions.into_iter().filter_map(|action| match action {
        Action::Send(_, Message::Notification(notification)) => Some(notification),
        _ => None,
    });
    notifications.collect()
}

#[test]
fn how_we_leave_says_whether_our_routes_stay() {
    let with = |notification| {
        Some(GracefulRestart {
            restarting: false,
            notification,
            restart_time: 120,
            families: vec![],
        })
    };
    let text = || "an upgrade".to_owned();
    let shutdown = || Notification::shutdown(cease::ADMINISTRATIVE_SHUTDOWN, "an upgrade");
    let hard = shutdown().into_hard_reset();
    assert_eq!((hard.code, hard.subcode), (error::CEASE, cease::HARD_RESET));
    let change = Notification::cease(cease::OTHER_CONFIGURATION_CHANGE);
    let restart = || StopReason::Restart(text());
    assert_eq!(told(None, restart()), [shutdown()]);
    assert_eq!(told(with(false), restart()), []);
    assert_eq!(told(with(true), restart()), [shutdown()]);
    let stop = || StopReason::AdministrativeShutdown(text());
    assert_eq!(told(None, stop()), [shutdown()]);
    assert_eq!(told(with(false), stop()), [shutdown()]);
    assert_eq!(told(with(true), stop()), [hard]);
    let changed = told(with(true), StopReason::ConfigurationChange);
    assert_eq!(changed, [change]);
}

#[test]
fn a_peer_that_restarted_gracefully_replaces_its_old_connection_silently() {
    let mut world = established_with([graceful(edge()), graceful(aws())]);
    assert_eq!(
        world.negotiated(0).restart.map(|restart| restart.time),
        Some(Duration::from_secs(120))
    );
    let again = world.speakers[0].peer.new_connection();
    world.handle(0, Event::Accepted(again));
    let mut open = open();
    open.capabilities.graceful_restart = Some(GracefulRestart {
        restarting: true,
        notification: false,
        restart_time: 120,
        families: vec![(Family::Ipv4, true)],
    });
    world.handle(0, Event::Received(again, Message::Open(open)));
    assert!(!world.sent(0, 6, 7));
    assert!(matches!(
        &world.down_reasons(0)[..],
        [DownReason::ConnectionClosed(_)]
    ));
    world.handle(0, Event::Received(again, Message::Keepalive));
    assert_eq!(world.states()[0], State::Established);
}
