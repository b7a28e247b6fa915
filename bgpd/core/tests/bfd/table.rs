//! The machine, each state with each event (RFC 5880 §6.2, §6.8.6).

use std::time::{Duration, Instant};

use bgp_core::bfd::{Diagnostic, Header, Session, State, decode};

use super::world::settings;

const OURS: u32 = 0x0a;

fn packet(state: State) -> Header {
    Header {
        diagnostic: Diagnostic::NONE,
        state,
        poll: false,
        r#final: false,
        control_plane_independent: false,
        demand: false,
        detect_mult: 3,
        my_discriminator: 0x0b,
        your_discriminator: OURS,
        desired_min_tx_interval: 300_000,
        required_min_rx_interval: 300_000,
        required_min_echo_rx_interval: 0,
    }
}

fn receive(session: &mut Session, header: Header, now: Instant) {
    let encoded = header.encode();
    let packet = decode(encoded.octets()).unwrap();
    session.receive(&packet, now).unwrap();
}

fn session_in(state: State, now: Instant) -> Session {
    let mut session = Session::new(settings(300, 3), OURS, 1, now);
    match state {
        State::AdminDown => session.disable(Diagnostic::ADMINISTRATIVELY_DOWN, now),
        State::Down => {}
        State::Init => receive(&mut session, packet(State::Down), now),
        State::Up => receive(&mut session, packet(State::Init), now),
    }
    while session.poll_transmit(now).is_some() {}
    session.poll_change();
    assert_eq!(session.state(), state);
    session
}

#[test]
fn every_state_does_what_rfc_5880_says_with_every_packet() {
    use State::{AdminDown, Down, Init, Up};
    let rows = [
        // Ours, and what becomes of it by AdminDown, Down, Init, Up of the far end.
        (AdminDown, [AdminDown; 4]),
        (Down, [Down, Init, Up, Down]),
        (Init, [Down, Init, Up, Up]),
        (Up, [Down, Down, Up, Up]),
    ];
    let now = Instant::now();
    for (state, expected) in rows {
        for (remote, expected) in [AdminDown, Down, Init, Up].into_iter().zip(expected) {
            let mut session = session_in(state, now);
            receive(&mut session, packet(remote), now);
            assert_eq!(session.state(), expected, "{state} hears {remote}");
            let change = session.poll_change();
            assert_eq!(change.is_some(), state != expected);
            if state == Up && expected == Down {
                let diagnostic = change.unwrap().diagnostic;
                assert_eq!(diagnostic, Diagnostic::NEIGHBOR_SIGNALED_DOWN);
            }
            // A change is told at once.
            assert_eq!(session.poll_transmit(now).is_some(), state != expected);
        }
    }
}

#[test]
fn silence_ends_init_and_up_and_nothing_else() {
    let begin = Instant::now();
    for (state, expected) in [
        (State::AdminDown, State::AdminDown),
        (State::Down, State::Down),
        (State::Init, State::Down),
        (State::Up, State::Down),
    ] {
        let mut session = session_in(state, begin);
        let mut now = begin;
        while now < begin + Duration::from_secs(4) {
            session.handle_timeout(now);
            while session.poll_transmit(now).is_some() {}
            now = session.next_timeout().unwrap();
        }
        assert_eq!(session.state(), expected, "{state}");
        if state != expected {
            let seen = session.snapshot();
            assert_eq!(seen.diagnostic, Diagnostic::DETECTION_TIME_EXPIRED);
            assert_eq!(seen.remote_discriminator, 0);
        }
    }
}

#[test]
fn enabling_begins_at_down_and_disabling_ends_every_state() {
    let now = Instant::now();
    for state in [State::AdminDown, State::Down, State::Init, State::Up] {
        let mut session = session_in(state, now);
        session.disable(Diagnostic::ADMINISTRATIVELY_DOWN, now);
        assert_eq!(session.state(), State::AdminDown);
        session.enable(now);
        assert_eq!(session.state(), State::Down);
    }
}

#[test]
fn a_poll_is_answered_with_a_final_in_every_state_and_never_both() {
    let now = Instant::now();
    for state in [State::AdminDown, State::Down, State::Init, State::Up] {
        let mut session = session_in(state, now);
        let poll = Header {
            poll: true,
            ..packet(State::Up)
        };
        receive(&mut session, poll, now);
        let answer = session.poll_transmit(now).unwrap();
        let answer = decode(answer.octets()).unwrap().header;
        assert!(answer.r#final && !answer.poll, "{state}");
    }
}
