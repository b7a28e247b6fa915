//! STAMP against a reflector written here from RFC 8762's figures, which loses
//! packets one way only.

use std::net::UdpSocket;
use std::thread;
use std::time::Duration;

use bgp_core::path::{Direction, Kind, Outcome};

use crate::far_end::{self, FarEnd};
use crate::support::in_namespace;
use crate::{samples, spawn, target, wait_for};

#[test]
fn a_loss_in_one_direction_is_named() {
    for (way, expected) in [
        (Way::Out, [true, false]),
        (Way::Back, [false, true]),
        (Way::Stateless, [false, false]),
    ] {
        in_namespace(move || {
            let far = FarEnd::behind("left");
            far.inside(move || reflect(way));
            let (probe, heard) = spawn();
            let at = format!("10.0.1.2:{}", far_end::STAMP);
            probe.set_targets(vec![target("left", Kind::Stamp, &at)]);
            let statuses = wait_for(&probe, |statuses| statuses[0].lost >= 5);
            let status = &statuses[0];
            assert!(status.delay_out.is_some() && status.delay_back.is_some());
            match way {
                Way::Stateless => assert_eq!((status.lost_out, status.lost_back), (None, None)),
                Way::Out => assert_eq!(
                    (status.lost_out, status.lost_back),
                    (Some(status.total_lost), Some(0))
                ),
                Way::Back => assert_eq!(
                    (status.lost_out, status.lost_back),
                    (Some(0), Some(status.total_lost))
                ),
            }
            drop(probe);
            let samples = samples(&heard);
            let told = [Direction::Out, Direction::Back].map(|direction| {
                let mut outcomes = samples.iter().map(|sample| sample.outcome);
                outcomes.any(|outcome| outcome == Outcome::Lost(direction))
            });
            assert_eq!(told, expected);
        });
    }
}

#[derive(Clone, Copy)]
enum Way {
    /// Requests are lost.
    Out,
    /// Answers are lost.
    Back,
    /// Answers are lost, and the reflector repeats the sender's numbers.
    Stateless,
}

/// Loses each fifth packet.
fn reflect(way: Way) {
    let socket = UdpSocket::bind(("10.0.1.2", far_end::STAMP)).unwrap();
    thread::spawn(move || {
        let (mut count, mut packets) = (0_u32, 0);
        let mut request = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut request) {
            assert!(length >= 44, "RFC 8762 §4.2.1");
            packets += 1;
            let loses = packets % 5 == 0;
            if loses && matches!(way, Way::Out) {
                continue;
            }
            let sequence: [u8; 4] = match way {
                Way::Stateless => *request.first_chunk().unwrap(),
                Way::Out | Way::Back => count.to_be_bytes(),
            };
            count += 1;
            if loses {
                continue;
            }
            thread::sleep(Duration::from_millis(1));
            // A clock that is an hour wrong: both timestamps are the sender's.
            let mut reply = [0; 44];
            reply[..4].copy_from_slice(&sequence);
            reply[4..16].copy_from_slice(&request[4..16]);
            reply[16..24].copy_from_slice(&request[4..12]);
            reply[24..38].copy_from_slice(&request[..14]);
            socket.send_to(&reply, from).unwrap();
        }
    });
}
