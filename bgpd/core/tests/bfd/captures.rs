//! Packets as BIRD 2.0.12 and FRR 8.4.4 sent them to each other.

use bgp_core::bfd::{Authentication, Diagnostic, Key, Malformed, Method, Session, State, decode};

use super::world::settings;

const BIRD_UP: &str = "20c003186b4f86bae1b904c6000493e0000493e000000000";
const BIRD_POLLS: &str = "20e003186b4f86bae1b904c6000493e0000493e000000000";
const BIRD_FINAL: &str = "20d003186b4f86bae1b904c6000493e0000493e000000000";
const FRR_INIT: &str = "20800318e1b904c66b4f86ba000f4240000f42400000c350";
const FRR_UP: &str = "20c00318e1b904c66b4f86ba000493e0000493e00000c350";
const FRR_LOST_US: &str = "21400318e1b904c600000000000f4240000f42400000c350";
const BIRD_PASSWORD: &str =
    "2044052585dc3ef500000000000f4240000493e000000000010d077333637265742d6b6579";
/// Two in a row, for each method.
const BIRD_DIGESTS: [(Method, [&str; 2]); 4] = [
    (
        Method::KeyedMd5,
        [
            "20440530a26910d500000000000f4240000493e0000000000218070096ee89e57144556d891019b021f1061eca33e5f4",
            "20440530a26910d500000000000f4240000493e0000000000218070096ee89e6f300f56fa83d1ff01164689afde683bb",
        ],
    ),
    (
        Method::MeticulousKeyedMd5,
        [
            "20440530b45331e200000000000f4240000493e00000000003180700dd4a41aa1f543b7123c43b15b8af3a0a382ca945",
            "20440530b45331e200000000000f4240000493e00000000003180700dd4a41abad66567bec72fd2a00cd05b7f49d7bc6",
        ],
    ),
    (
        Method::KeyedSha1,
        [
            "20440534abde82fb00000000000f4240000493e000000000041c0700960b79c923a2c787d390776334c3ffe4c8993c861a86d75d",
            "20440534abde82fb00000000000f4240000493e000000000041c0700960b79ca9da4f630dc4f478afeef3c74a11f3ac1b88fbae4",
        ],
    ),
    (
        Method::MeticulousKeyedSha1,
        [
            "204405348755373c00000000000f4240000493e000000000051c07009c09146a7afaacd7b1f9a86d39f2ae1ed48f64c50bd13f15",
            "204405348755373c00000000000f4240000493e000000000051c07009c09146b1df1e36da0160ad1cb8b8bf6e2382b244d237b11",
        ],
    ),
];
const SECRET: &[u8] = b"s3cret-key";

fn octets(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn authentication(method: Method, key_id: u8, key: &[u8]) -> Authentication {
    Authentication {
        method,
        key_id,
        key: Key::from_file_content(key, method).unwrap(),
    }
}

/// Whether a session with this authentication believes these packets, in turn.
fn believes<'h>(
    authentication: Option<Authentication>,
    packets: impl IntoIterator<Item = &'h str>,
) -> Vec<Result<(), String>> {
    let now = std::time::Instant::now();
    let mut ours = settings(300, 3);
    ours.authentication = authentication;
    let mut session = Session::new(ours, 1, 1, now);
    let mut receive = |hex| {
        let octets = octets(hex);
        let packet = decode(&octets).unwrap();
        session
            .receive(&packet, now)
            .map_err(|error| error.to_string())
    };
    packets.into_iter().map(&mut receive).collect()
}

#[test]
fn what_bird_and_frr_send_is_read_and_written_back_the_same() {
    for hex in [
        BIRD_UP,
        BIRD_POLLS,
        BIRD_FINAL,
        FRR_INIT,
        FRR_UP,
        FRR_LOST_US,
    ] {
        let octets = octets(hex);
        let header = decode(&octets).unwrap().header;
        assert_eq!(header.encode().octets(), octets, "{header:?}");
    }
}

#[test]
fn fields_are_where_bird_and_frr_put_them() {
    let octets_of = octets(BIRD_POLLS);
    let bird = decode(&octets_of).unwrap().header;
    assert_eq!(
        (bird.state, bird.poll, bird.r#final),
        (State::Up, true, false)
    );
    assert_eq!(
        (bird.my_discriminator, bird.your_discriminator),
        (0x6b4f_86ba, 0xe1b9_04c6)
    );
    assert_eq!(
        (bird.desired_min_tx_interval, bird.required_min_rx_interval),
        (300_000, 300_000)
    );
    let octets_of = octets(FRR_LOST_US);
    let frr = decode(&octets_of).unwrap().header;
    assert_eq!(
        (frr.state, frr.diagnostic, frr.detect_mult),
        (State::Down, Diagnostic::DETECTION_TIME_EXPIRED, 3)
    );
    assert_eq!(frr.required_min_echo_rx_interval, 50_000);
}

#[test]
fn birds_digests_and_password_are_right_by_our_reckoning() {
    let password = authentication(Method::SimplePassword, 7, SECRET);
    assert_eq!(believes(Some(password), [BIRD_PASSWORD]), [Ok(())]);
    for (method, packets) in BIRD_DIGESTS {
        let theirs = authentication(method, 7, SECRET);
        assert_eq!(
            believes(Some(theirs), packets),
            [Ok(()), Ok(())],
            "{method}"
        );
    }
}

#[test]
fn a_wrong_key_or_key_id_or_method_or_none_is_not_believed() {
    for (method, [packet, _]) in BIRD_DIGESTS {
        for (ours, words) in [
            (
                Some(authentication(method, 7, b"s3cret-kez")),
                "another key ",
            ),
            (Some(authentication(method, 8, SECRET)), "another key id"),
            (
                Some(authentication(Method::SimplePassword, 7, SECRET)),
                "another authentication type",
            ),
            (None, "it is authenticated"),
        ] {
            let outcome = believes(ours, [packet]).remove(0).unwrap_err();
            assert!(outcome.contains(words), "{method}: {outcome}");
        }
        let bare = believes(Some(authentication(method, 7, SECRET)), [BIRD_UP]);
        assert!(bare[0].as_ref().unwrap_err().contains("not authenticated"));
    }
}

#[test]
fn a_replay_is_refused_by_the_meticulous_methods_and_an_old_packet_by_all() {
    for (method, [first, second]) in BIRD_DIGESTS {
        let theirs = authentication(method, 7, SECRET);
        let outcomes = believes(Some(theirs), [first, second, second, first]);
        let meticulous = matches!(
            method,
            Method::MeticulousKeyedMd5 | Method::MeticulousKeyedSha1
        );
        let accepted: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
        assert_eq!(accepted, [true, true, !meticulous, false], "{method}");
    }
}

#[test]
fn a_forged_digest_does_not_move_the_window_of_sequence_numbers() {
    let (method, [first, second]) = BIRD_DIGESTS[3];
    let forged = second.replace("9c09146b", "9c091470");
    let theirs = authentication(method, 7, SECRET);
    let outcomes = believes(Some(theirs), [first, forged.as_str(), second]);
    assert!(outcomes[0].is_ok() && outcomes[1].is_err() && outcomes[2].is_ok());
}

#[test]
fn what_rfc_5880_discards_is_discarded_for_its_reason() {
    let good = octets(FRR_INIT);
    let with = |offset: usize, value: u8| {
        let mut octets = good.clone();
        octets[offset] = value;
        octets
    };
    let cases = [
        (good[..23].to_vec(), Malformed::Short),
        (with(0, 0x00), Malformed::Version),
        (with(0, 0x40), Malformed::Version),
        (with(3, 23), Malformed::Length),
        (with(3, 25), Malformed::Length),
        // The A bit, without room for a section.
        (with(1, 0x84), Malformed::Length),
        (with(2, 0), Malformed::DetectMult),
        (with(1, 0x81), Malformed::Multipoint),
        (
            [&good[..4], &[0; 4], &good[8..]].concat(),
            Malformed::MyDiscriminator,
        ),
        (
            [&good[..8], &[0; 4], &good[12..]].concat(),
            Malformed::YourDiscriminator,
        ),
    ];
    for (octets, why) in cases {
        assert_eq!(decode(&octets), Err(why), "{octets:02x?}");
    }
    let longer = [good.as_slice(), &[0xff; 9]].concat();
    assert!(decode(&longer).is_ok(), "what follows Length is not ours");
}

#[test]
fn a_key_is_shown_by_nothing() {
    let shown = format!("{:?}", authentication(Method::KeyedSha1, 1, SECRET));
    assert!(
        !shown.contains("s3cret") && !shown.contains("115"),
        "{shown}"
    );
    let long = Key::from_file_content(&[b'x'; 17], Method::KeyedMd5).unwrap_err();
    assert!(long.to_string().contains("at most 16"));
    assert!(Key::from_file_content(&[b'x'; 20], Method::KeyedSha1).is_ok());
    assert!(Key::from_file_content(b"\n", Method::KeyedSha1).is_err());
}
