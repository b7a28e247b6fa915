//! Two speakers and what is between them; what TCP and the clock do is said by the test.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use bgp_core::config::BgpWaits;
use bgp_core::peer::{
    Action, ConnectionId, DownReason, Event, Negotiated, Peer, PeerSettings, State,
};
use bgp_core::wire::{Capabilities, Message, Open};
use bgp_core::{Asn, Family, RouterId};

/// One end: the state machine and what it has done.
pub(crate) struct Speaker {
    pub(crate) peer: Peer,
    pub(crate) log: Vec<Action>,
}

/// A TCP connection: its name at each end, and who made it.
pub(crate) struct Wire {
    pub(crate) ids: [ConnectionId; 2],
    pub(crate) open: bool,
}

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) speakers: [Speaker; 2],
    pub(crate) wires: Vec<Wire>,
    /// Dials that TCP has not carried yet: (speaker, its id).
    pub(crate) dials: VecDeque<(usize, ConnectionId)>,
    /// Messages and closings under way: (receiver, its id, what).
    pub(crate) flights: VecDeque<(usize, ConnectionId, Flight)>,
    /// Whether the speaker's host answers SYNs.
    pub(crate) reachable: [bool; 2],
}

pub(crate) enum Flight {
    Message(Message),
    Closed,
}

impl World {
    pub(crate) fn new(settings: [PeerSettings; 2]) -> Self {
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

    pub(crate) fn handle(&mut self, who: usize, event: Event) {
        self.speakers[who].peer.handle(event, self.now);
        self.collect(who);
    }

    pub(crate) fn collect(&mut self, who: usize) {
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

    pub(crate) fn far_end(&self, who: usize, id: ConnectionId) -> Option<(usize, ConnectionId)> {
        let wire = self
            .wires
            .iter()
            .find(|wire| wire.open && wire.ids[who] == id)?;
        Some((1 - who, wire.ids[1 - who]))
    }

    /// TCP carries the oldest dial to the other end, or not.
    pub(crate) fn carry_dial(&mut self) -> bool {
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
    pub(crate) fn deliver(&mut self) -> bool {
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
    pub(crate) fn settle(&mut self) {
        while self.carry_dial() || self.deliver() {}
    }

    /// Turns the clock, firing every timer at its time.
    pub(crate) fn pass(&mut self, time: Duration) {
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

    pub(crate) fn states(&self) -> [State; 2] {
        [0, 1].map(|who| self.speakers[who].peer.state())
    }

    pub(crate) fn start_both(&mut self) {
        self.handle(0, Event::Start);
        self.handle(1, Event::Start);
    }

    pub(crate) fn open_wires(&self) -> usize {
        self.wires.iter().filter(|wire| wire.open).count()
    }

    pub(crate) fn down_reasons(&self, who: usize) -> Vec<DownReason> {
        let reasons = self.speakers[who]
            .log
            .iter()
            .filter_map(|action| match action {
                Action::Down(reason) | Action::AttemptFailed(reason) => Some(reason.clone()),
                _ => None,
            });
        reasons.collect()
    }

    pub(crate) fn negotiated(&self, who: usize) -> Negotiated {
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

    pub(crate) fn sent(&self, who: usize, code: u8, subcode: u8) -> bool {
        self.speakers[who].log.iter().any(|action| {
            matches!(action, Action::Send(_, Message::Notification(n)) if (n.code, n.subcode) == (code, subcode))
        })
    }
}

pub(crate) fn settings(asn: u32, remote: u32, id: [u8; 4]) -> PeerSettings {
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
        bgp_waits: BgpWaits::No,
    }
}

pub(crate) fn edge() -> PeerSettings {
    settings(65010, 64512, [192, 0, 2, 1])
}

pub(crate) fn aws() -> PeerSettings {
    PeerSettings {
        hold_time: Duration::from_secs(30),
        ..settings(64512, 65010, [192, 0, 2, 2])
    }
}

pub(crate) fn established() -> World {
    established_with([edge(), aws()])
}

pub(crate) fn established_with(settings: [PeerSettings; 2]) -> World {
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

pub(crate) fn open_sent(settings: PeerSettings) -> (Peer, ConnectionId, Instant) {
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

pub(crate) fn open() -> Open {
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

pub(crate) fn drain(peer: &mut Peer) -> Vec<Action> {
    std::iter::from_fn(|| peer.poll_action()).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test's time has to begin somewhere"
)]
pub(crate) fn origin() -> Instant {
    Instant::now()
}

/// Both ends see a reset; says how long the first end waits then.
pub(crate) fn lose_connection(world: &mut World) -> Duration {
    let wire = world.wires.iter_mut().find(|wire| wire.open).unwrap();
    wire.open = false;
    for (who, id) in wire.ids.into_iter().enumerate() {
        world.handle(who, Event::ConnectionClosed(id, "reset".to_owned()));
    }
    world.speakers[0].peer.next_timeout().unwrap() - world.now
}
