//! Two speakers in memory, with time that the test turns forward.

#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use bgp_core::peer::{
    Action, ConnectionId, DownReason, Event, Negotiated, Peer, PeerSettings, State, StopReason,
};
use bgp_core::wire::{Capabilities, GracefulRestart, Message, Notification, Open, RouteRefresh};
use bgp_core::{Asn, Family, RouterId};

/// One end: the state machine and what it has done.
struct Speaker {
    peer: Peer,
    log: Vec<Action>,
}

/// A TCP connection: its name at each end, and who made it.
struct Wire {
    ids: [ConnectionId; 2],
    open: bool,
}

struct World {
    now: Instant,
    speakers: [Speaker; 2],
    wires: Vec<Wire>,
    /// Dials that TCP has not carried yet: (speaker, its id).
    dials: VecDeque<(usize, ConnectionId)>,
    /// Messages and closings under way: (receiver, its id, what).
    flights: VecDeque<(usize, ConnectionId, Flight)>,
    /// Whether the speaker's host answers SYNs.
    reachable: [bool; 2],
}

enum Flight {
    Message(Message),
    Closed,
}

impl World {
    fn new(settings: [PeerSettings; 2]) -> Self {
        let mut seed = 0;
        let speakers = settings.map(|settings| {
            seed += 1;
            Speaker {
                peer: Peer::new(settings, seed),
                log: Vec::new(),
            }
        });
        Self {
            now: origin(),
            speakers,
            wires: Vec::new(),
            dials: VecDeque::new(),
            flights: VecDeque::new(),
            reachable: [true, true],
        }
    }

    fn handle(&mut self, who: usize, event: Event) {
        self.speakers[who].peer.handle(event, self.now);
        self.collect(who);
    }

    fn collect(&mut self, who: usize) {
        while let Some(action) = self.speakers[who].peer.poll_action() {
            match &action {
                Action::Connect(id) => self.dials.push_back((who, *id)),
                Action::Send(id, message) => {
                    if let Some((other, id)) = self.far_end(who, *id) {
                        let flight = Flight::Message(message.clone());
                        self.flights.push_back((other, id, flight));
                    }
                }
                Action::Close(id) => {
                    self.dials.retain(|dial| *dial != (who, *id));
                    if let Some((other, far)) = self.far_end(who, *id) {
                        self.flights.push_back((other, far, Flight::Closed));
                        let wire = self.wires.iter_mut().find(|wire| wire.ids[who] == *id);
                        wire.unwrap().open = false;
                    }
                }
                Action::UseCodec(..)
                | Action::Established(..)
                | Action::Deliver(_)
                | Action::Refresh(_)
                | Action::Down(_)
                | Action::AttemptFailed(_) => {}
            }
            self.speakers[who].log.push(action);
        }
    }

    fn far_end(&self, who: usize, id: ConnectionId) -> Option<(usize, ConnectionId)> {
        let wire = self
            .wires
            .iter()
            .find(|wire| wire.open && wire.ids[who] == id)?;
        Some((1 - who, wire.ids[1 - who]))
    }

    /// TCP carries the oldest dial to the other end, or not.
    fn carry_dial(&mut self) -> bool {
        let Some((who, id)) = self.dials.pop_front() else {
            return false;
        };
        let other = 1 - who;
        if !self.reachable[other] {
            self.handle(who, Event::ConnectFailed(id, "no answer".to_owned()));
            return true;
        }
        let accepted = self.speakers[other].peer.new_connection();
        let mut ids = [id; 2];
        ids[other] = accepted;
        self.wires.push(Wire { ids, open: true });
        self.handle(other, Event::Accepted(accepted));
        self.handle(who, Event::Connected(id));
        true
    }

    /// The oldest message arrives.
    fn deliver(&mut self) -> bool {
        let Some((who, id, flight)) = self.flights.pop_front() else {
            return false;
        };
        self.handle(
            who,
            match flight {
                Flight::Message(message) => Event::Received(id, message),
                Flight::Closed => Event::ConnectionClosed(id, "closed".to_owned()),
            },
        );
        true
    }

    /// Until nothing more happens by itself.
    fn settle(&mut self) {
        while self.carry_dial() || self.deliver() {}
    }

    /// Turns the clock, firing every timer at its time.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let next = self
                .speakers
                .iter()
                .filter_map(|speaker| speaker.peer.next_timeout())
                .min();
            let Some(next) = next.filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            for who in 0..2 {
                self.speakers[who].peer.handle_timeout(self.now);
                self.collect(who);
            }
            self.settle();
        }
        self.now = end;
    }

    fn states(&self) -> [State; 2] {
        [0, 1].map(|who| self.speakers[who].peer.state())
    }

    fn start_both(&mut self) {
        self.handle(0, Event::Start);
        self.handle(1, Event::Start);
    }

    fn open_wires(&self) -> usize {
        self.wires.iter().filter(|wire| wire.open).count()
    }

    fn down_reasons(&self, who: usize) -> Vec<DownReason> {
        let reasons = self.speakers[who]
            .log
            .iter()
            .filter_map(|action| match action {
                Action::Down(reason) | Action::AttemptFailed(reason) => Some(reason.clone()),
                _ => None,
            });
        reasons.collect()
    }

    fn negotiated(&self, who: usize) -> Negotiated {
        let found = self.speakers[who]
            .log
            .iter()
            .rev()
            .find_map(|action| match action {
                Action::Established(_, negotiated) => Some(negotiated.clone()),
                _ => None,
            });
        found.expect("no session")
    }

    fn sent(&self, who: usize, code: u8, subcode: u8) -> bool {
        self.speakers[who].log.iter().any(|action| {
            matches!(action, Action::Send(_, Message::Notification(n)) if (n.code, n.subcode) == (code, subcode))
        })
    }
}

fn settings(asn: u32, remote: u32, id: [u8; 4]) -> PeerSettings {
    PeerSettings {
        local_asn: Asn(asn),
        remote_asn: Asn(remote),
        router_id: RouterId(Ipv4Addr::from(id)),
        hold_time: Duration::from_secs(90),
        connect_retry: Duration::from_secs(10),
        families: vec![Family::Ipv4],
        passive: false,
        refuse_zero_hold_time: true,
        graceful_restart: None,
        restarting_until: None,
    }
}

fn edge() -> PeerSettings {
    settings(65010, 64512, [192, 0, 2, 1])
}

fn aws() -> PeerSettings {
    PeerSettings {
        hold_time: Duration::from_secs(30),
        ..settings(64512, 65010, [192, 0, 2, 2])
    }
}

fn established() -> World {
    established_with([edge(), aws()])
}

fn established_with(settings: [PeerSettings; 2]) -> World {
    let mut world = World::new(settings);
    world.start_both();
    world.settle();
    world.pass(Duration::from_secs(30));
    assert_eq!(world.states(), [State::Established; 2]);
    // How the collision at the start was settled is another test's matter.
    for speaker in &mut world.speakers {
        speaker
            .log
            .retain(|action| matches!(action, Action::Established(..)));
    }
    world
}

#[test]
fn two_speakers_agree_on_the_smaller_hold_time_and_a_third_for_keepalives() {
    let world = established();
    for who in 0..2 {
        assert_eq!(world.negotiated(who).hold_time, Duration::from_secs(30));
        assert_eq!(world.negotiated(who).keepalive, Duration::from_secs(10));
    }
}

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

/// Both ends see a reset; says how long the first end waits then.
fn lose_connection(world: &mut World) -> Duration {
    let wire = world.wires.iter_mut().find(|wire| wire.open).unwrap();
    wire.open = false;
    for (who, id) in wire.ids.into_iter().enumerate() {
        world.handle(who, Event::ConnectionClosed(id, "reset".to_owned()));
    }
    world.speakers[0].peer.next_timeout().unwrap() - world.now
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

#[test]
fn a_peer_that_restarted_gracefully_replaces_its_old_connection_silently() {
    let graceful = |settings| PeerSettings {
        graceful_restart: Some(Duration::from_secs(120)),
        ..settings
    };
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

fn open_sent(settings: PeerSettings) -> (Peer, ConnectionId, Instant) {
    let mut peer = Peer::new(settings, 1);
    let now = origin();
    peer.handle(Event::Start, now);
    let Some(Action::Connect(id)) = peer.poll_action() else {
        panic!("a started peer dials");
    };
    peer.handle(Event::Connected(id), now);
    drain(&mut peer);
    (peer, id, now)
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

fn drain(peer: &mut Peer) -> Vec<Action> {
    std::iter::from_fn(|| peer.poll_action()).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test's time has to begin somewhere"
)]
fn origin() -> Instant {
    Instant::now()
}
