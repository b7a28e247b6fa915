//! Any events at any times on any connections, right and stale ones: the state
//! machine doesn't panic, acts only on connections that are there, has one session
//! at most, and asks to be called again only later.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use arbitrary::{Result, Unstructured};
use bgp_core::config;
use bgp_core::peer::{
    Action, ConnectionId, DownReason, Event, Peer, PeerSettings, State, StopReason,
};
use bgp_core::wire::{
    Capabilities, GracefulRestart, Message, Notification, Open, RouteRefresh, Update,
};
use bgp_core::{Asn, Family, RouterId};

pub fn check(data: &[u8]) {
    // The octets' end is the run's.
    let _ = run(&mut Unstructured::new(data));
}

fn run(input: &mut Unstructured<'_>) -> Result<()> {
    let mut shell = Shell::new(settings(input)?, input.arbitrary()?);
    while !input.is_empty() {
        shell.step(input)?;
    }
    Ok(())
}

fn settings(input: &mut Unstructured<'_>) -> Result<PeerSettings> {
    let asn = *input.choose(&[64512, 65010])?;
    let hold_time = *input.choose(&["3s", "9s", "90s", "65535s"])?;
    let passive: bool = input.arbitrary()?;
    let families = *input.choose(&["\"ipv4\"", "\"ipv6\"", "\"ipv4\", \"ipv6\""])?;
    let text = format!(
        "[bgpd]\nrouter_id = \"192.0.2.1\"\nasn = 65010\n[[peer]]\nname = \"peer\"\naddress = \"192.0.2.2\"\n\
         local = \"192.0.2.1/24\"\nasn = {asn}\npassive = {passive}\nhold_time = \"{hold_time}\"\nfamilies = [{families}]\n"
    );
    let config = config::parse(&text).expect("the configuration above is right");
    let mut settings = PeerSettings::new(&config.peers[0], config.daemon.router_id, None);
    settings.refuse_zero_hold_time = input.arbitrary()?;
    let restart: u16 = input.arbitrary()?;
    settings.graceful_restart = (restart > 0).then(|| Duration::from_secs(restart.into()));
    Ok(settings)
}

/// What a shell knows of its machine.
struct Shell {
    peer: Peer,
    now: Instant,
    /// Dialed, and no answer yet.
    dialing: BTreeSet<u32>,
    open: BTreeSet<u32>,
    established: Option<u32>,
    /// The last ones closed: events for them may still be on their way.
    stale: Vec<u32>,
}

impl Shell {
    fn new(settings: PeerSettings, seed: u64) -> Self {
        Self {
            peer: Peer::new(settings, seed),
            now: Instant::now(),
            dialing: BTreeSet::new(),
            open: BTreeSet::new(),
            established: None,
            stale: vec![],
        }
    }

    fn step(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let milliseconds =
            *input.choose(&[0, 0, 0, 1, 100, 1000, 4000, 31_000, 300_000, 10_000_000])?;
        self.now += Duration::from_millis(milliseconds);
        if input.ratio(1, 3)? {
            self.time_passes();
        }
        let id = self.some_connection(input)?;
        let event = match input.int_in_range(0..=16)? {
            0 => Event::Start,
            1 => Event::Stop(stop_reason(input)?),
            2 => Event::LinkDown("the interface has lost its carrier"),
            3 => Event::LinkUp,
            4 | 5 => match self.dialing.pop_first() {
                Some(dialed) => {
                    self.open.insert(dialed);
                    Event::Connected(ConnectionId(dialed))
                }
                None => Event::Connected(id),
            },
            6 | 7 => {
                let accepted = self.peer.new_connection();
                self.open.insert(accepted.0);
                Event::Accepted(accepted)
            }
            8 => {
                self.gone(id.0);
                Event::ConnectFailed(id, "refused".to_owned())
            }
            9 => {
                self.gone(id.0);
                Event::ConnectionClosed(id, "reset".to_owned())
            }
            10 => Event::Alive(id),
            11 => Event::Malformed(
                id,
                Notification::new(input.arbitrary()?, input.arbitrary()?),
            ),
            12 => Event::SendHoldExpired(id),
            13 => Event::BfdUp,
            14 => Event::BfdDown("nothing heard".to_owned()),
            _ => Event::Received(id, message(input)?),
        };
        self.peer.handle(event, self.now);
        self.carry_out();
        Ok(())
    }

    fn time_passes(&mut self) {
        self.peer.handle_timeout(self.now);
        self.carry_out();
        let next = self.peer.next_timeout();
        assert!(
            next.is_none_or(|next| next > self.now),
            "it would be called again at once"
        );
    }

    /// Mostly one that is there.
    fn some_connection(&self, input: &mut Unstructured<'_>) -> Result<ConnectionId> {
        let open: Vec<u32> = self.open.iter().chain(&self.dialing).copied().collect();
        if !open.is_empty() && input.ratio(7, 8)? {
            return Ok(ConnectionId(*input.choose(&open)?));
        }
        match self.stale.last() {
            Some(stale) => Ok(ConnectionId(*stale)),
            None => Ok(ConnectionId(u32::MAX)),
        }
    }

    /// The shell's own news that a connection is no more.
    fn gone(&mut self, id: u32) {
        if self.open.remove(&id) || self.dialing.remove(&id) {
            self.stale.push(id);
        }
    }

    fn carry_out(&mut self) {
        let mut actions = 0;
        while let Some(action) = self.peer.poll_action() {
            actions += 1;
            assert!(actions < 64, "it never comes to an end");
            self.act(action);
        }
        let state = self.peer.state();
        assert_eq!(
            self.established.is_some(),
            state == State::Established,
            "{state:?}"
        );
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Connect(id) => {
                assert!(self.dialing.is_empty(), "a second dial");
                self.dialing.insert(id.0);
            }
            Action::Send(id, _) => assert!(self.open.contains(&id.0), "{id:?} is not open"),
            Action::UseCodec(id, codec) => {
                assert!(self.open.contains(&id.0), "{id:?} is not open");
                assert!(!codec.families.is_empty(), "a session of no family");
            }
            // A dial is called off; a connection that came too late is closed.
            Action::Close(id) => {
                self.gone(id.0);
            }
            Action::Established(id, negotiated) => {
                assert!(self.open.contains(&id.0), "{id:?} is not open");
                assert_eq!(self.established, None, "a second session");
                assert!(!matches!(negotiated.hold_time.as_secs(), 1 | 2));
                self.established = Some(id.0);
            }
            Action::Deliver(_) | Action::Refresh(_) => {
                assert!(self.established.is_some(), "routes without a session");
            }
            Action::Down(reason) => {
                assert!(self.established.is_some(), "down without a session");
                self.established = None;
                said(&reason);
            }
            Action::AttemptFailed(reason) => said(&reason),
        }
    }
}

fn said(reason: &DownReason) {
    assert!(!reason.to_string().is_empty());
}

fn stop_reason(input: &mut Unstructured<'_>) -> Result<StopReason> {
    Ok(match input.int_in_range(0..=4)? {
        0 => StopReason::AdministrativeShutdown(input.arbitrary()?),
        1 => StopReason::AdministrativeReset(String::new()),
        2 => StopReason::PeerDeconfigured,
        3 => StopReason::MaximumPrefixes {
            family: Family::Ipv4,
            limit: input.arbitrary()?,
            retry_after: Duration::from_secs(input.arbitrary::<u16>()?.into()),
        },
        _ => StopReason::InternalError("a bug".to_owned()),
    })
}

fn message(input: &mut Unstructured<'_>) -> Result<Message> {
    Ok(match input.int_in_range(0..=9)? {
        0..=3 => Message::Open(open(input)?),
        4..=6 => Message::Keepalive,
        7 => Message::Update(Update::default()),
        8 => Message::Notification(Notification::new(input.arbitrary()?, input.arbitrary()?)),
        _ => Message::RouteRefresh(RouteRefresh {
            family: *input.choose(&[None, Some(Family::Ipv4), Some(Family::Ipv6)])?,
            subtype: input.arbitrary()?,
        }),
    })
}

/// Mostly one that is accepted.
fn open(input: &mut Unstructured<'_>) -> Result<Open> {
    let restart: u16 = input.arbitrary()?;
    Ok(Open {
        asn: Asn(*input.choose(&[64512, 64512, 65010, 65010, 0, 23456])?),
        hold_time: *input.choose(&[90, 90, 3, 0, 1, 65_535])?,
        router_id: RouterId(
            (*input.choose(&[[192, 0, 2, 2], [192, 0, 2, 0], [192, 0, 2, 1], [0; 4]])?).into(),
        ),
        capabilities: Capabilities {
            families: match input.int_in_range(0..=5)? {
                0 => vec![],
                1 => vec![Family::Ipv6],
                2 => vec![Family::Ipv4],
                _ => Family::ALL.to_vec(),
            },
            four_octet_as: input.arbitrary()?,
            graceful_restart: (restart & 1 == 1).then(|| GracefulRestart {
                restarting: restart & 2 == 2,
                restart_time: restart >> 4,
                families: vec![(Family::Ipv4, restart & 4 == 4)],
                ..GracefulRestart::default()
            }),
            ..Capabilities::default()
        },
    })
}
