//! BFD's sockets on links that go and come back. Needs root and iproute2; touches
//! nothing outside its own namespaces.

#![allow(clippy::unwrap_used)]

#[path = "fib/support.rs"]
mod support;

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use bgp_core::PathId;
use bgp_core::bfd::{Damping, Settings};
use bgp_core::config::BgpWaits;
use bgpd::bfd::{self, Event, Handle, Hops, Peer};
use nix::sched::{CloneFlags, setns};
use tokio::sync::mpsc;

use support::{in_namespace, ip};

const PATIENCE: Duration = Duration::from_secs(30);

/// One end, in the namespace that this thread is in.
fn end(peers: &[(Option<u8>, u8)]) -> (Handle, mpsc::UnboundedReceiver<Event>) {
    let address = |last| IpAddr::from(Ipv4Addr::new(10, 0, 1, last));
    let (events_in, events) = mpsc::unbounded_channel();
    let handle = bfd::spawn(None, events_in).unwrap();
    for (path, (local, remote)) in (0..).zip(peers) {
        drop(handle.watch(Peer {
            path: PathId(path),
            name: format!("peer {path}").into(),
            remote: address(*remote),
            local: local.map(address),
            interface: Some("left".to_owned()),
            hops: Hops::Single,
            settings: Settings {
                // The second one notices late that its link is another.
                transmit_interval: Duration::from_millis(100 + 1900 * u64::from(path)),
                receive_interval: Duration::from_millis(100),
                multiplier: 3,
                authentication: None,
            },
            damping: Damping {
                first: Duration::ZERO,
                longest: Duration::ZERO,
            },
            wait: BgpWaits::No,
        }));
    }
    (handle, events)
}

fn link(far: &str) {
    ip(&format!(
        "link add left type veth peer name left netns {far}"
    ));
    ip("addr add 10.0.1.1/24 dev left");
    ip("link set left up");
    for last in [2, 3] {
        ip(&format!("-n {far} addr add 10.0.1.{last}/24 dev left"));
    }
    ip(&format!("-n {far} link set left up"));
}

fn until(ends: &Handle, state: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let states = ends.states();
        if states.iter().all(|(_, status)| status.state == state) {
            return;
        }
        assert!(Instant::now() < deadline, "not {state}: {states:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn sessions_that_share_a_socket_come_back_on_an_interface_that_is_made_anew() {
    in_namespace(|| {
        let far = format!("bfd-{}", std::process::id());
        ip(&format!("netns add {far}"));
        link(&far);
        let (near, _events) = end(&[(None, 2), (None, 3)]);
        let place = File::open(format!("/run/netns/{far}")).unwrap();
        let theirs = std::thread::spawn(move || {
            setns(place, CloneFlags::CLONE_NEWNET).unwrap();
            end(&[(Some(2), 1), (Some(3), 1)])
        });
        let _theirs = theirs.join().unwrap();
        until(&near, "Up");
        ip("link del left");
        link(&far);
        std::thread::sleep(Duration::from_secs(3));
        let outcome = std::panic::catch_unwind(|| until(&near, "Up"));
        ip(&format!("netns del {far}"));
        outcome.unwrap();
    });
}
