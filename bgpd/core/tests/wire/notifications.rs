//! NOTIFICATION and ROUTE-REFRESH.

use bgp_core::Family;
use bgp_core::wire::iana::cease;
use bgp_core::wire::{Codec, EncodeError, Message, Notification, RouteRefresh};
use bytes::BytesMut;

use crate::support;

fn round_trip(message: &Message, codec: &Codec) -> Message {
    support::decode(&support::encode(message, codec), codec)
        .unwrap()
        .message
}

#[test]
fn a_shutdown_text_reaches_the_other_side() {
    let sent = Notification::shutdown(cease::ADMINISTRATIVE_SHUTDOWN, "back at noon – α");
    let received = Message::Notification(sent.clone());
    assert_eq!(round_trip(&received, &Codec::initial()), received);
    assert_eq!(sent.shutdown_text().as_deref(), Some("back at noon – α"));
    assert_eq!(
        sent.to_string(),
        "Cease/Administrative Shutdown (6/2): \"back at noon – α\""
    );
}

#[test]
fn a_long_shutdown_text_is_cut_between_letters() {
    let sent = Notification::shutdown(cease::ADMINISTRATIVE_RESET, &"é".repeat(200));
    assert_eq!(sent.data.len(), 255);
    assert_eq!(sent.shutdown_text().unwrap(), "é".repeat(127));
}

#[test]
fn a_shutdown_text_cannot_steer_a_terminal() {
    let text = b"\x1b[2Jgone\nfake \xe2\x80\xae line";
    let data = [&[u8::try_from(text.len()).unwrap()][..], text].concat();
    let received = Notification {
        data,
        ..Notification::cease(cease::ADMINISTRATIVE_SHUTDOWN)
    };
    assert_eq!(
        received.shutdown_text().unwrap(),
        "\u{fffd}[2Jgone\u{fffd}fake \u{fffd} line"
    );
}

#[test]
fn no_text_or_one_that_lies_about_its_length_is_none() {
    for data in [vec![], vec![0], vec![5, b'a']] {
        let received = Notification {
            data,
            ..Notification::cease(cease::ADMINISTRATIVE_SHUTDOWN)
        };
        assert_eq!(received.shutdown_text(), None);
        assert_eq!(received.to_string(), "Cease/Administrative Shutdown (6/2)");
    }
    assert_eq!(
        Notification {
            data: vec![1, b'a'],
            ..Notification::cease(3)
        }
        .shutdown_text(),
        None
    );
}

#[test]
fn codes_are_named() {
    let named = [
        (
            Notification::new(1, 2),
            "Message Header Error/Bad Message Length (1/2)",
        ),
        (
            Notification::new(2, 6),
            "OPEN Message Error/Unacceptable Hold Time (2/6)",
        ),
        (Notification::new(4, 0), "Hold Timer Expired (4/0)"),
        (
            Notification::cease(7),
            "Cease/Connection Collision Resolution (6/7)",
        ),
        (Notification::cease(200), "Cease (6/200)"),
        (Notification::new(99, 1), "Unknown Error (99/1)"),
        (
            Notification::maximum_prefixes(Family::Ipv4, 100),
            "Cease/Maximum Number of Prefixes Reached (6/1): 100 ipv4 prefixes",
        ),
        (
            Notification::cease(cease::ADMINISTRATIVE_RESET).into_hard_reset(),
            "Cease/Hard Reset (6/9): Cease/Administrative Reset (6/4)",
        ),
        (
            Notification {
                data: vec![6, 9, 6, 9],
                ..Notification::cease(cease::HARD_RESET)
            },
            "Cease/Hard Reset (6/9)",
        ),
    ];
    for (notification, text) in named {
        assert_eq!(notification.to_string(), text);
    }
}

#[test]
fn data_that_fits_no_message_loses_its_end() {
    let long = Message::Notification(Notification {
        data: vec![1; 5000],
        ..Notification::new(3, 1)
    });
    assert_eq!(support::encode(&long, &Codec::initial()).len(), 4096);
}

#[test]
fn route_refresh_names_a_family() {
    for (family, bytes) in [(Family::Ipv4, "0001 00 01"), (Family::Ipv6, "0002 00 01")] {
        let refresh = RouteRefresh {
            family: Some(family),
            subtype: 0,
        };
        let message = Message::RouteRefresh(refresh);
        let encoded = support::encode(&message, &Codec::initial());
        assert_eq!(encoded, support::message(5, &support::hex(bytes)));
        assert_eq!(round_trip(&message, &Codec::initial()), message);
    }
    let other = support::decode(
        &support::message(5, &support::hex("0019 01 46")),
        &Codec::initial(),
    );
    let unknown = RouteRefresh {
        family: None,
        subtype: 1,
    };
    assert_eq!(other.unwrap().message, Message::RouteRefresh(unknown));
    let refused = bgp_core::wire::encode(
        &Message::RouteRefresh(unknown),
        &Codec::initial(),
        &mut BytesMut::new(),
    );
    assert_eq!(refused, Err(EncodeError::UnknownFamily));
}

#[test]
fn a_long_beginning_of_refresh_is_answered_with_itself() {
    let bytes = support::message(5, &[0, 1, 1, 1, 0]);
    let answer = support::decode(&bytes, &support::external()).unwrap_err();
    assert_eq!((answer.code, answer.subcode, answer.data), (7, 1, bytes));
}
