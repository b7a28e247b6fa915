//! Round trips as measured, beside the kernel's own timestamps of the same packets
//! on the wire (a packet socket's, as tcpdump shows them).

use std::collections::HashMap;
use std::os::fd::AsRawFd;
use std::time::Duration;

use bgp_core::path::{Kind, Outcome};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt};

use crate::far_end::{self, FarEnd};
use crate::support::in_namespace;
use crate::{samples, spawn, target, wait_for};

/// On an idle machine the difference is below 20 µs (`examples/probebench`); here it
/// need only be far less than a thread's delays.
const GENEROUS: Duration = Duration::from_millis(2);

#[test]
fn round_trips_are_those_on_the_wire() {
    in_namespace(|| {
        let far = FarEnd::behind("left");
        far.serve();
        let wire = Wire::tap("left");
        let (probe, heard) = spawn();
        probe.set_targets(vec![target("left", Kind::Icmp, "10.0.1.2:0")]);
        wait_for(&probe, |statuses| statuses[0].sent >= 40);
        drop(probe);
        let measured: Vec<Duration> = samples(&heard)
            .iter()
            .map(|sample| match sample.outcome {
                Outcome::Answered(round_trip) => round_trip.time,
                Outcome::Lost(_) => panic!("{sample:?}"),
            })
            .collect();
        let seen = wire.round_trips();
        let mut differences: Vec<Duration> = measured
            .iter()
            .zip(&seen)
            .map(|(ours, wire)| ours.abs_diff(*wire))
            .collect();
        assert!(differences.len() >= 40, "{}", differences.len());
        differences.sort_unstable();
        let median = differences[differences.len() / 2];
        println!(
            "median difference {median:?}, worst {:?}",
            differences.last()
        );
        assert!(median < GENEROUS, "{differences:?}");
        let _ = far_end::ECHO;
    });
}

/// Everything that passes an interface, each way.
struct Wire(socket2::Socket);

impl Wire {
    fn tap(interface: &str) -> Self {
        let protocol = i32::from((libc::ETH_P_ALL as u16).to_be());
        let socket = socket2::Socket::new(
            socket2::Domain::PACKET,
            socket2::Type::DGRAM,
            Some(socket2::Protocol::from(protocol)),
        );
        let socket = socket.unwrap();
        setsockopt(
            &socket,
            nix::sys::socket::sockopt::ReceiveTimestampns,
            &true,
        )
        .unwrap();
        socket.set_recv_buffer_size(1 << 22).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket.bind_device(Some(interface.as_bytes())).unwrap();
        Self(socket)
    }

    /// Of ICMP echoes, in the order of their answers.
    fn round_trips(&self) -> Vec<Duration> {
        let mut requests = HashMap::new();
        let mut round_trips = Vec::new();
        let mut packet = [0; 2048];
        loop {
            let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec);
            let mut parts = [std::io::IoSliceMut::new(&mut packet)];
            let received = recvmsg::<SockaddrStorage>(
                self.0.as_raw_fd(),
                &mut parts,
                Some(&mut control),
                MsgFlags::MSG_DONTWAIT,
            );
            let Ok(received) = received else {
                return round_trips;
            };
            let at = received.cmsgs().unwrap().find_map(|message| match message {
                ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
                _ => None,
            });
            let (length, at) = (received.bytes, at.unwrap());
            let icmp = &packet[..length];
            if length < 28 || icmp[0] != 0x45 || icmp[9] != 1 {
                continue;
            }
            let sequence = [icmp[26], icmp[27]];
            match icmp[20] {
                8 => drop(requests.insert(sequence, at)),
                0 => round_trips.extend(requests.get(&sequence).map(|left| at - *left)),
                _ => {}
            }
        }
    }
}
