//! Every event in every state (RFC 4271 §8.2.2), as one table.

#![allow(clippy::unwrap_used)]

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use bgp_core::config::BgpWaits;
use bgp_core::peer::{Action, ConnectionId, Event, Peer, PeerSettings, State, StopReason};
use bgp_core::wire::{Capabilities, Message, Notification, Open, RouteRefresh, Update};
use bgp_core::{Asn, Family, RouterId};

/// A row per state and event: what is done, and the state after it.
const TABLE: &str = include_str!("peer_table.txt");

const STATES: [State; 6] = [
    State::Idle,
    State::Connect,
    State::Active,
    State::OpenSent,
    State::OpenConfirm,
    State::Established,
];

const EVENTS: [&str; 21] = [
    "start",
    "stop",
    "prefix-limit",
    "link-down",
    "link-up",
    "bfd-up",
    "bfd-down",
    "connected",
    "accepted",
    "connect-failed",
    "closed",
    "open",
    "bad-open",
    "keepalive",
    "update",
    "refresh",
    "notification",
    "alive",
    "malformed",
    "send-hold",
    "timers",
];

#[test]
fn every_event_in_every_state_does_what_the_table_says() {
    let mut actual = String::new();
    for state in STATES {
        for event in EVENTS {
            actual.push_str(&row(state, event));
            actual.push('\n');
        }
    }
    // To refresh after a change: BLESS=1 cargo test -p bgp-core --test peer_table
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peer_table.txt"),
            &actual,
        )
        .unwrap();
        return;
    }
    for (actual, expected) in actual.lines().zip(TABLE.lines()) {
        assert_eq!(actual, expected);
    }
    assert_eq!(actual.lines().count(), TABLE.lines().count());
}

fn row(state: State, event: &str) -> String {
    let now = origin();
    let (mut peer, id) = peer_in(state, now);
    match event {
        "start" => peer.handle(Event::Start, now),
        "stop" => peer.handle(
            Event::Stop(StopReason::AdministrativeShutdown(String::new())),
            now,
        ),
        "prefix-limit" => peer.handle(
            Event::Stop(StopReason::MaximumPrefixes {
                family: Family::Ipv4,
                limit: 100,
                retry_after: Duration::from_secs(60),
            }),
            now,
        ),
        "link-down" => peer.handle(Event::LinkDown("no carrier"), now),
        "link-up" => peer.handle(Event::LinkUp, now),
        "bfd-up" => peer.handle(Event::BfdUp, now),
        "bfd-down" => peer.handle(Event::BfdDown("silence".to_owned()), now),
        "connected" => peer.handle(Event::Connected(id), now),
        "accepted" => {
            let accepted = peer.new_connection();
            peer.handle(Event::Accepted(accepted), now);
        }
        "connect-failed" => peer.handle(Event::ConnectFailed(id, "refused".to_owned()), now),
        "closed" => peer.handle(Event::ConnectionClosed(id, "reset".to_owned()), now),
        "open" => peer.handle(Event::Received(id, Message::Open(open())), now),
        "bad-open" => {
            let open = Open {
                asn: Asn(1),
                ..open()
            };
            peer.handle(Event::Received(id, Message::Open(open)), now);
        }
        "keepalive" => peer.handle(Event::Received(id, Message::Keepalive), now),
        "update" => peer.handle(Event::Received(id, Message::Update(Update::default())), now),
        "refresh" => {
            let refresh = RouteRefresh {
                family: Some(Family::Ipv4),
                subtype: 0,
            };
            peer.handle(Event::Received(id, Message::RouteRefresh(refresh)), now);
        }
        "notification" => peer.handle(
            Event::Received(id, Message::Notification(notification(6, 2))),
            now,
        ),
        "alive" => peer.handle(Event::Alive(id), now),
        "malformed" => peer.handle(Event::Malformed(id, notification(1, 2)), now),
        "send-hold" => peer.handle(Event::SendHoldExpired(id), now),
        "timers" => {
            // All that can expire, at once: past the large hold time.
            peer.handle_timeout(now + Duration::from_secs(300));
        }
        other => panic!("no event {other}"),
    }
    let mut actions = Vec::new();
    while let Some(action) = peer.poll_action() {
        actions.push(words(&action));
    }
    format!(
        "{state} + {event}: {} -> {}",
        actions.join(", "),
        peer.state()
    )
    .replace(":  ->", ": nothing ->")
}

/// A peer brought to a state, and the connection that it is about.
fn peer_in(state: State, now: Instant) -> (Peer, ConnectionId) {
    let mut peer = Peer::new(settings(), 1);
    let mut id = ConnectionId(u32::MAX);
    if state >= State::Connect {
        peer.handle(Event::Start, now);
        id = dialed(&mut peer);
    }
    if state == State::Active {
        peer.handle(Event::ConnectFailed(id, String::new()), now);
    }
    if state >= State::OpenSent {
        peer.handle(Event::Connected(id), now);
    }
    if state >= State::OpenConfirm {
        peer.handle(Event::Received(id, Message::Open(open())), now);
    }
    if state >= State::Established {
        peer.handle(Event::Received(id, Message::Keepalive), now);
    }
    while peer.poll_action().is_some() {}
    assert_eq!(peer.state(), state);
    (peer, id)
}

fn dialed(peer: &mut Peer) -> ConnectionId {
    match peer.poll_action() {
        Some(Action::Connect(id)) => id,
        other => panic!("expected a dial, got {other:?}"),
    }
}

fn words(action: &Action) -> String {
    match action {
        Action::Connect(_) => "dial".to_owned(),
        Action::Send(_, Message::Open(_)) => "send OPEN".to_owned(),
        Action::Send(_, Message::Keepalive) => "send KEEPALIVE".to_owned(),
        Action::Send(_, Message::Notification(n)) => format!("send {}/{}", n.code, n.subcode),
        Action::Send(_, Message::Update(_) | Message::RouteRefresh(_)) => unreachable!(),
        Action::Close(_) => "close".to_owned(),
        Action::UseCodec(..) => "use codec".to_owned(),
        Action::Established(..) => "established".to_owned(),
        Action::Deliver(_) => "deliver".to_owned(),
        Action::Refresh(family) => format!("refresh {family}"),
        Action::Down(reason) => format!("down ({reason})"),
        Action::AttemptFailed(reason) => format!("attempt failed ({reason})"),
    }
}

fn settings() -> PeerSettings {
    PeerSettings {
        local_asn: Asn(65010),
        remote_asn: Asn(64512),
        router_id: RouterId(Ipv4Addr::new(192, 0, 2, 1)),
        hold_time: Duration::from_secs(90),
        connect_retry: Duration::from_secs(10),
        families: vec![Family::Ipv4],
        passive: false,
        refuse_zero_hold_time: true,
        graceful_restart: None,
        restarting_until: None,
        bgp_waits: BgpWaits::No,
    }
}

fn open() -> Open {
    Open {
        asn: Asn(64512),
        hold_time: 30,
        router_id: RouterId(Ipv4Addr::new(192, 0, 2, 2)),
        capabilities: Capabilities {
            families: vec![Family::Ipv4],
            four_octet_as: true,
            ..Capabilities::default()
        },
    }
}

fn notification(code: u8, subcode: u8) -> Notification {
    Notification {
        code,
        subcode,
        data: Vec::new(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test's time has to begin somewhere"
)]
fn origin() -> Instant {
    Instant::now()
}
