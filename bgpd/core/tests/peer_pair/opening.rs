//! From the first dial to a session: what OPENs agree on, and which of two
//! connections stays.

use std::net::Ipv4Addr;
use std::time::Duration;

use bgp_core::peer::{Action, ConnectionId, DownReason, Event, PeerSettings, State};
use bgp_core::wire::{Capabilities, Message, Open};
use bgp_core::{Asn, Family, RouterId};

use crate::world::{World, aws, drain, edge, established, open, open_sent, settings};

#[test]
fn two_speakers_agree_on_the_smaller_hold_time_and_a_third_for_keepalives() {
    let world = established();
    for who in 0..2 {
        assert_eq!(world.negotiated(who).hold_time, Duration::from_secs(30));
        assert_eq!(world.negotiated(who).keepalive, Duration::from_secs(10));
    }
}

#[test]
fn crossing_dials_leave_one_connection_the_higher_identifiers() {
    for (first, second) in [(0, 1), (1, 0)] {
        let mut world = World::new([edge(), aws()]);
        world.handle(first, Event::Start);
        world.handle(second, Event::Start);
        assert_eq!(world.dials.len(), 2);
        assert!(world.carry_dial() && world.carry_dial());
        world.settle();
        assert_eq!(world.states(), [State::Established; 2]);
        assert_eq!(world.open_wires(), 1);
        let survivor = world.wires.iter().find(|wire| wire.open).unwrap();
        // 192.0.2.2 is speaker 1, whose own first connection has id 0.
        assert_eq!(survivor.ids[1], ConnectionId(0));
        assert!(world.sent(0, 6, 7) || world.sent(1, 6, 7));
        assert!(
            world
                .down_reasons(0)
                .iter()
                .all(|r| !matches!(r, DownReason::NotificationSent(_)))
        );
    }
}

#[test]
fn crossing_dials_settle_in_every_order_of_arrival() {
    // Messages of one connection stay in order; connections overtake each other.
    for mut order in 0..4096_u32 {
        let mut world = World::new([edge(), aws()]);
        world.start_both();
        assert!(world.carry_dial() && world.carry_dial());
        while !world.flights.is_empty() {
            let (who, id, _) = world.flights[0];
            let other = world
                .flights
                .iter()
                .position(|(w, i, _)| (*w, *i) != (who, id));
            if let Some(position) = other.filter(|_| order & 1 == 1) {
                let flight = world.flights.remove(position).unwrap();
                world.flights.push_front(flight);
            }
            order >>= 1;
            world.deliver();
        }
        // A race that ends both connections is mended by the retry timers.
        world.pass(Duration::from_secs(120));
        assert_eq!(world.states(), [State::Established; 2]);
        assert_eq!(world.open_wires(), 1);
    }
}

#[test]
fn equal_identifiers_are_told_apart_by_as_number() {
    let id = [192, 0, 2, 9];
    let mut world = World::new([settings(65010, 64512, id), settings(64512, 65010, id)]);
    world.start_both();
    assert!(world.carry_dial() && world.carry_dial());
    world.settle();
    assert_eq!(world.states(), [State::Established; 2]);
    let survivor = world.wires.iter().find(|wire| wire.open).unwrap();
    assert_eq!(survivor.ids[0], ConnectionId(0), "AS 65010 is the higher");
}

#[test]
fn equal_identifiers_within_one_as_are_refused() {
    let id = [192, 0, 2, 9];
    let mut world = World::new([settings(65010, 65010, id), settings(65010, 65010, id)]);
    world.start_both();
    world.settle();
    assert!(world.sent(0, 2, 3) || world.sent(1, 2, 3));
    assert!(!world.states().contains(&State::Established));
}

#[test]
fn a_wrong_as_number_is_refused_and_tried_again_later() {
    let mut world = World::new([edge(), settings(64513, 65010, [192, 0, 2, 2])]);
    world.start_both();
    world.settle();
    assert!(world.sent(0, 2, 2));
    assert!(!world.states().contains(&State::Established));
    let words = world.down_reasons(0)[0].to_string();
    assert!(words.contains("compare `asn` (of a [[peer]])"), "{words}");
    assert!(world.speakers[0].peer.next_timeout().is_some());
}

#[test]
fn hold_time_zero_is_refused_where_settings_say_so() {
    let zero = PeerSettings {
        hold_time: Duration::ZERO,
        refuse_zero_hold_time: false,
        ..aws()
    };
    let mut world = World::new([edge(), zero.clone()]);
    world.start_both();
    world.settle();
    assert!(world.sent(0, 2, 6));

    let lenient = PeerSettings {
        refuse_zero_hold_time: false,
        ..edge()
    };
    let mut world = World::new([lenient, zero]);
    world.start_both();
    world.settle();
    assert_eq!(world.states(), [State::Established; 2]);
    world.pass(Duration::from_secs(86_400));
    assert_eq!(world.states(), [State::Established; 2]);
    assert_eq!(world.speakers[0].peer.next_timeout(), None);
}

#[test]
fn no_common_family_is_refused_with_the_capability_that_is_missed() {
    let v6 = PeerSettings {
        families: vec![Family::Ipv6],
        ..edge()
    };
    let mut world = World::new([v6, aws()]);
    world.start_both();
    world.settle();
    let data = world.speakers[0]
        .log
        .iter()
        .find_map(|action| match action {
            Action::Send(_, Message::Notification(n)) if (n.code, n.subcode) == (2, 7) => {
                Some(n.data.clone())
            }
            _ => None,
        });
    assert_eq!(data, Some(vec![1, 4, 0, 2, 0, 1]));
}

#[test]
fn a_peer_without_capabilities_carries_ipv4_in_small_messages() {
    let (mut peer, id, now) = open_sent(edge());
    let bare = Open {
        asn: Asn(64512),
        hold_time: 180,
        router_id: RouterId(Ipv4Addr::new(10, 0, 0, 1)),
        capabilities: Capabilities::default(),
    };
    peer.handle(Event::Received(id, Message::Open(bare)), now);
    let codec = drain(&mut peer)
        .into_iter()
        .find_map(|action| match action {
            Action::UseCodec(_, codec) => Some(codec),
            _ => None,
        });
    let codec = codec.unwrap();
    assert_eq!(codec.families.as_slice(), [Family::Ipv4]);
    assert!(!codec.four_octet_as && !codec.extended_messages && !codec.internal);
}

#[test]
fn a_second_connection_cannot_unseat_an_established_session() {
    let mut world = established();
    let intruder = world.speakers[0].peer.new_connection();
    world.handle(0, Event::Accepted(intruder));
    world.handle(0, Event::Received(intruder, Message::Open(open())));
    assert!(world.sent(0, 6, 7));
    assert_eq!(world.states(), [State::Established; 2]);
    assert!(world.down_reasons(0).is_empty());
}
