//! Whatever comes from the wire.

use std::time::{Duration, Instant};

use bgp_core::bfd::{Authentication, Diagnostic, Header, Key, Method, Session, State, decode};
use proptest::prelude::*;

use super::world::{Fate, World, settings};

fn header() -> impl Strategy<Value = Header> {
    let states = prop_oneof![
        Just(State::AdminDown),
        Just(State::Down),
        Just(State::Init),
        Just(State::Up)
    ];
    let flags = any::<[bool; 4]>();
    let numbers = any::<[u32; 3]>();
    (
        states,
        0..32_u8,
        flags,
        1..=255_u8,
        1..=u32::MAX,
        any::<u32>(),
        numbers,
    )
        .prop_map(
            |(state, diagnostic, [poll, fin, c, demand], mult, my, your, [tx, rx, echo])| {
                let may_be_new = matches!(state, State::Down | State::AdminDown);
                Header {
                    diagnostic: Diagnostic::from_bits(diagnostic),
                    state,
                    poll,
                    r#final: fin,
                    control_plane_independent: c,
                    demand,
                    detect_mult: mult,
                    my_discriminator: my,
                    your_discriminator: if may_be_new { your } else { your.max(1) },
                    desired_min_tx_interval: tx,
                    required_min_rx_interval: rx,
                    required_min_echo_rx_interval: echo,
                }
            },
        )
}

fn method() -> impl Strategy<Value = Method> {
    (0..Method::ALL.len()).prop_map(|index| Method::ALL[index].1)
}

proptest! {
    #[test]
    fn what_is_written_is_read_the_same(header in header()) {
        let encoded = header.encode();
        prop_assert_eq!(decode(encoded.octets()).unwrap().header, header);
    }

    #[test]
    fn no_octets_make_the_decoder_or_a_session_panic(
        octets in proptest::collection::vec(any::<u8>(), 0..80),
        with_head in any::<bool>(),
        method in proptest::option::of(method()),
    ) {
        let mut octets = octets;
        if with_head && octets.len() >= 4 {
            octets[0] = 0x20 | octets[0] & 0x1f;
            octets[3] = octets.len() as u8;
        }
        let now = Instant::now();
        let mut ours = settings(10, 3);
        ours.authentication = method.map(|method| Authentication {
            method,
            key_id: 1,
            key: Key::from_file_content(b"k", method).unwrap(),
        });
        let mut session = Session::new(ours, 7, 7, now);
        if let Ok(packet) = decode(&octets) {
            let _ = session.receive(&packet, now);
        }
        for step in 0..20 {
            let now = now + Duration::from_millis(step * 100);
            session.handle_timeout(now);
            while session.poll_transmit(now).is_some() {}
        }
    }

    /// Any headers, any times: the machine neither panics nor floods, and always
    /// knows when to come back.
    #[test]
    fn a_session_survives_every_peer(packets in proptest::collection::vec((header(), 0..2_000_u64), 0..60)) {
        let mut now = Instant::now();
        let mut session = Session::new(settings(10, 3), 7, 7, now);
        for (header, wait) in packets {
            now += Duration::from_millis(wait);
            session.handle_timeout(now);
            let encoded = header.encode();
            session.receive(&decode(encoded.octets()).unwrap(), now).unwrap();
            let mut sent = 0;
            while session.poll_transmit(now).is_some() {
                sent += 1;
            }
            prop_assert!(sent <= 3, "{} packets at once", sent);
            prop_assert!(session.next_timeout().is_some());
        }
    }

    /// Whatever is lost for a while, two speakers find each other again.
    #[test]
    fn two_speakers_recover_from_any_loss(
        losses in proptest::collection::vec((any::<[bool; 2]>(), 1..3_000_u64), 0..12),
        intervals in [10..1_000_u64, 10..1_000],
        method in proptest::option::of(method()),
    ) {
        let both = |interval| {
            let mut settings = settings(interval, 3);
            settings.authentication = method.map(|method| Authentication {
                method,
                key_id: 1,
                key: Key::from_file_content(b"secret", method).unwrap(),
            });
            settings
        };
        let mut world = World::new(both(intervals[0]), both(intervals[1]));
        for (lost, time) in losses {
            world.wire = lost.map(|lost| if lost { Fate::Lose } else { Fate::Deliver });
            world.run(Duration::from_millis(time));
        }
        world.wire = [Fate::Deliver; 2];
        world.run(Duration::from_secs(12));
        prop_assert_eq!(world.states(), [State::Up, State::Up]);
    }
}
