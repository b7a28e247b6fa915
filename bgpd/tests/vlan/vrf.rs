//! Paths inside a VRF are probed inside it.

use std::time::{Duration, Instant};

use bgp_core::PathId;
use bgp_core::path::{self, Kind, Sample, Silence};
use bgpd::probe::{self, Listener, Seen, Target};

use crate::far_end::{self, FarEnd};
use crate::support::{LEFT, in_namespace, ip};

#[test]
fn a_path_in_a_vrf_or_that_is_one_is_probed_by_the_vrfs_routes() {
    in_namespace(|| {
        let far = FarEnd::behind("left");
        far.serve();
        ip("link add red type vrf table 100");
        ip("link set red up");
        ip("link set left master red");
        // The kernel has taken these away with the move.
        ip("-6 addr replace fd00:1::1/64 dev left nodad");
        let probe = probe::spawn(Box::new(Deaf)).unwrap();
        let mut targets = Vec::new();
        for interface in ["left", "red"] {
            for (kind, at) in [
                (Kind::Icmp, "10.0.1.2:0".to_owned()),
                (Kind::Icmp, "[fd00:1::2]:0".to_owned()),
                (Kind::Udp, format!("10.0.1.2:{}", far_end::ECHO)),
                (Kind::Tcp, format!("10.0.1.2:{}", far_end::LISTENING)),
                (Kind::Stamp, format!("10.0.1.2:{}", far_end::STAMP)),
                (Kind::Udp, format!("[fd00:1::2]:{}", far_end::ECHO)),
                (Kind::Tcp, format!("[fd00:1::2]:{}", far_end::LISTENING)),
                (Kind::Stamp, format!("[fd00:1::2]:{}", far_end::STAMP)),
            ] {
                targets.push(target(interface, kind, &at));
            }
        }
        probe.set_targets(targets);
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let measured = probe.measured();
            let answered = |one: &probe::Measured| one.status.sent - one.status.lost >= 10;
            if measured.len() == 16 && measured.iter().all(answered) {
                break;
            }
            assert!(Instant::now() < deadline, "{measured:#?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    });
}

struct Deaf;

impl Listener for Deaf {
    fn samples(&mut self, _samples: &[Sample]) {}

    fn silence(&mut self, _path: PathId, _silence: Silence, _seen: Seen) {}

    fn back(&mut self, _path: PathId) {}
}

fn target(interface: &str, kind: Kind, at: &str) -> Target {
    let at: std::net::SocketAddr = at.parse().unwrap();
    Target {
        path: LEFT,
        interface: Some(interface.into()),
        at: path::Target {
            kind,
            address: at.ip(),
            port: at.port(),
        },
        interval: Duration::from_millis(100),
    }
}
