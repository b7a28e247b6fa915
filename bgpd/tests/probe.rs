//! Probes against a real far end, in namespaces of their own. Needs root.

#![allow(clippy::unwrap_used)]

#[path = "probe/far_end.rs"]
mod far_end;
#[path = "probe/silence.rs"]
mod silence;
#[path = "probe/stamp.rs"]
mod stamp;
#[path = "fib/support.rs"]
mod support;
#[path = "probe/wire.rs"]
mod wire;

use std::sync::mpsc;
use std::time::{Duration, Instant};

use bgp_core::PathId;
use bgp_core::api::ProbeStatus;
use bgp_core::path::{self, Kind, Outcome, Sample, Silence};
use bgpd::probe::{self, Handle, Listener, Target};
use far_end::FarEnd;
use support::{LEFT, RIGHT, in_namespace, ip};

#[test]
fn echoes_of_both_families_are_answered_and_a_silent_target_loses_all() {
    in_namespace(|| {
        let _far = FarEnd::behind("left");
        let (probe, heard) = spawn();
        let start = Instant::now();
        probe.set_targets(vec![
            target("left", Kind::Icmp, "10.0.1.2:0"),
            target("left", Kind::Icmp, "[fd00:1::2]:0"),
            target("left", Kind::Icmp, "10.0.1.9:0"),
            target("gone", Kind::Icmp, "10.0.1.2:0"),
        ]);
        let statuses = wait_for(&probe, |statuses| {
            let answered = |status: &ProbeStatus| status.sent - status.lost >= 20;
            statuses[..2].iter().all(answered) && statuses[2..].iter().all(|one| one.lost >= 10)
        });
        for status in &statuses[..2] {
            assert_eq!(status.lost, 0, "{status:?}");
            assert!(status.rtt_min.unwrap() > 0, "{status:?}");
            assert!(status.rtt_min <= status.rtt_avg && status.rtt_avg <= status.rtt_max);
            assert!(status.rtt_p50 <= status.rtt_p90 && status.rtt_p90 <= status.rtt_p99);
            assert_eq!(status.rtt_counts.iter().sum::<u64>(), status.sent);
            assert!(status.jitter.is_some() && status.total_sent >= status.sent);
        }
        for status in &statuses[2..] {
            assert!(status.sent > 0 && status.lost == status.sent, "{status:?}");
            assert_eq!((status.rtt_last, status.total_lost), (None, status.lost));
        }
        drop(probe);
        let samples: Vec<Sample> = samples(&heard);
        assert!(samples.len() >= 40);
        for sample in samples {
            assert!(
                matches!(sample.outcome, Outcome::Answered(_)),
                "who never answered is no evidence: {sample:?}"
            );
            assert_eq!((sample.path, sample.interval), (LEFT, INTERVAL));
            assert!(sample.sent_at > start && sample.sent_at < Instant::now());
        }
    });
}

#[test]
fn an_echo_leaves_by_its_paths_interface_whatever_the_routes_say() {
    in_namespace(|| {
        let _far = FarEnd::behind("left");
        ip("link add other type veth peer name other-far");
        ip("link set other-far up");
        ip("link set other up");
        ip("route add 10.0.1.2/32 dev other");
        let (probe, _heard) = spawn();
        probe.set_targets(vec![
            target("left", Kind::Icmp, "10.0.1.2:0"),
            target("other", Kind::Icmp, "10.0.1.2:0"),
            target("left", Kind::Tcp, "10.0.1.2:9"),
            target("other", Kind::Tcp, "10.0.1.2:9"),
        ]);
        let statuses = wait_for(&probe, |statuses| statuses.iter().all(|one| one.sent >= 10));
        for (status, lost) in statuses.iter().zip([false, true, false, true]) {
            let expected = if lost { status.sent } else { 0 };
            assert_eq!(status.lost, expected, "{statuses:?}");
        }
    });
}

#[test]
fn targets_that_stay_keep_their_history_and_a_path_shows_all_of_its_targets() {
    in_namespace(|| {
        let _far = FarEnd::behind("left");
        let (probe, _heard) = spawn();
        let (dead, alive) = (
            target("left", Kind::Icmp, "10.0.1.9:0"),
            target("left", Kind::Icmp, "10.0.1.2:0"),
        );
        probe.set_targets(vec![dead, alive.clone()]);
        let before = wait_for(&probe, |statuses| statuses.iter().all(|one| one.sent >= 10));
        assert_eq!((before[0].lost, before[1].lost), (before[0].sent, 0));
        probe.set_targets(vec![alive]);
        let measured = probe.measured();
        assert_eq!(measured.len(), 1);
        assert!(measured[0].status.sent >= before[1].sent);
        assert!(measured.iter().all(|one| one.path != RIGHT));
    });
}

#[test]
fn every_kind_is_answered_in_both_families() {
    in_namespace(|| {
        let far = FarEnd::behind("left");
        far.serve();
        let (probe, heard) = spawn();
        let mut targets = Vec::new();
        for host in ["10.0.1.2", "[fd00:1::2]"] {
            for (kind, port) in [
                (Kind::Icmp, 0),
                (Kind::Udp, far_end::ECHO),
                // Nobody listens there, which the host says itself.
                (Kind::Udp, 9),
                (Kind::Tcp, far_end::LISTENING),
                (Kind::Tcp, 9),
                (Kind::Stamp, far_end::STAMP),
            ] {
                targets.push(target("left", kind, &format!("{host}:{port}")));
            }
        }
        probe.set_targets(targets);
        let statuses = wait_for(&probe, |statuses| {
            statuses.iter().all(|one| one.sent - one.lost >= 20)
        });
        for status in &statuses {
            assert_eq!(status.lost, 0, "{status:?}");
            assert!(status.rtt_p50.unwrap() < 100_000, "{status:?}");
        }
        let of_kind = |kind| statuses.iter().filter(|one| one.kind == kind).count();
        assert_eq!(["icmp", "udp", "tcp", "stamp"].map(of_kind), [2, 4, 4, 2]);
        // The handshakes are not left half open at the far end.
        wait_until("no half-open connection is left", || far.half_open() == 0);
        drop(probe);
        let kinds: std::collections::BTreeSet<Kind> =
            samples(&heard).iter().map(|one| one.target.kind).collect();
        assert_eq!(kinds.len(), 4);
    });
}

#[test]
fn a_path_is_probed_faster_while_that_is_asked_for() {
    in_namespace(|| {
        let _far = FarEnd::behind("left");
        let (probe, _heard) = spawn();
        let slow = Target {
            interval: Duration::from_secs(30),
            ..target("left", Kind::Icmp, "10.0.1.2:0")
        };
        probe.set_targets(vec![slow]);
        probe.hasten(LEFT, Some(Duration::from_millis(10)));
        let fast = wait_for(&probe, |statuses| statuses[0].sent >= 50);
        probe.hasten(LEFT, None);
        let before = probe.measured()[0].status.total_sent;
        std::thread::sleep(Duration::from_millis(300));
        let after = probe.measured()[0].status.total_sent;
        assert!(after <= before + 1, "{fast:?} {before} {after}");
    });
}

#[test]
fn a_far_end_that_answers_again_is_told_of() {
    in_namespace(|| {
        let far = FarEnd::behind("left");
        let (probe, heard) = spawn();
        probe.set_targets(vec![target("left", Kind::Icmp, "10.0.1.2:0")]);
        wait_for(&probe, |statuses| statuses[0].sent >= 10);
        far.answer_echoes(false);
        wait_for(&probe, |statuses| statuses[0].lost >= 5);
        far.answer_echoes(true);
        let mut lost = 0;
        loop {
            match heard.recv_timeout(PATIENCE).unwrap() {
                News::Samples(samples) => {
                    let is_lost = |one: &&Sample| matches!(one.outcome, Outcome::Lost(_));
                    lost += samples.iter().filter(is_lost).count();
                }
                News::Back(path) => break assert_eq!(path, LEFT),
                News::Silence(..) => {}
            }
        }
        assert!(lost >= 3, "{lost}");
    });
}

/// What a listener was told.
enum News {
    Samples(Vec<Sample>),
    Silence(PathId, Silence),
    Back(PathId),
}

struct Ear(mpsc::Sender<News>);

impl Listener for Ear {
    fn samples(&mut self, samples: &[Sample]) {
        let _ = self.0.send(News::Samples(samples.to_vec()));
    }

    fn silence(&mut self, path: PathId, silence: Silence, _seen: probe::Seen) {
        let _ = self.0.send(News::Silence(path, silence));
    }

    fn back(&mut self, path: PathId) {
        let _ = self.0.send(News::Back(path));
    }
}

fn spawn() -> (Handle, mpsc::Receiver<News>) {
    let (news, heard) = mpsc::channel();
    (probe::spawn(Box::new(Ear(news))).unwrap(), heard)
}

/// Everything until the prober's thread has ended.
fn samples(heard: &mpsc::Receiver<News>) -> Vec<Sample> {
    let samples = heard.iter().filter_map(|news| match news {
        News::Samples(samples) => Some(samples),
        News::Silence(..) | News::Back(_) => None,
    });
    samples.flatten().collect()
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
        interval: INTERVAL,
    }
}

fn wait_for(probe: &Handle, done: impl Fn(&[ProbeStatus]) -> bool) -> Vec<ProbeStatus> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let measured = probe.measured().into_iter();
        let statuses: Vec<_> = measured.map(|one| one.status).collect();
        if done(&statuses) {
            return statuses;
        }
        assert!(Instant::now() < deadline, "{statuses:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

const INTERVAL: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(30);
