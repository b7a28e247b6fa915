//! Probes against a real far end, in namespaces of their own. Needs root.

#![allow(clippy::unwrap_used)]

#[path = "fib/support.rs"]
mod support;

use std::time::Duration;

use bgp_core::api::ProbeStatus;
use bgpd::probe::{self, Target};
use support::{LEFT, RIGHT, in_namespace, ip};

#[test]
fn echoes_of_both_families_are_answered_and_a_silent_target_loses_all() {
    in_namespace(|| {
        far_end();
        let statuses = run(|probe| {
            probe.set_targets(vec![
                target("left", "10.0.1.2"),
                target("left", "fd00:1::2"),
                target("left", "10.0.1.9"),
                target("gone", "10.0.1.2"),
            ]);
        });
        for status in &statuses[..2] {
            assert!(status.sent >= 20 && status.lost == 0, "{status:?}");
            assert!(
                status.rtt_min.unwrap() > 0 && status.rtt_avg.unwrap() < 50_000,
                "{status:?}"
            );
            assert!(status.rtt_min <= status.rtt_avg && status.rtt_avg <= status.rtt_max);
        }
        for status in &statuses[2..] {
            assert!(status.sent > 0 && status.lost == status.sent, "{status:?}");
            assert_eq!(status.rtt_last, None);
        }
    });
}

#[test]
fn an_echo_leaves_by_its_paths_interface_whatever_the_routes_say() {
    in_namespace(|| {
        far_end();
        ip("link add other type veth peer name other-far");
        ip("link set other-far up");
        ip("link set other up");
        ip("route add 10.0.1.2/32 dev other");
        let statuses = run(|probe| {
            probe.set_targets(vec![
                target("left", "10.0.1.2"),
                target("other", "10.0.1.2"),
            ])
        });
        assert_eq!(statuses[0].lost, 0, "{statuses:?}");
        assert_eq!(statuses[1].lost, statuses[1].sent, "{statuses:?}");
    });
}

#[test]
fn targets_that_stay_keep_their_history_and_a_path_is_judged_by_its_best_target() {
    in_namespace(|| {
        far_end();
        let runtime = runtime();
        runtime.block_on(async {
            let probe = probe::spawn(tokio::sync::mpsc::unbounded_channel().0);
            probe.set_targets(vec![target("left", "10.0.1.9"), target("left", "10.0.1.2")]);
            tokio::time::sleep(Duration::from_millis(1500)).await;
            let before = probe.status(LEFT).remove(0);
            assert_eq!(
                (before.target, before.lost),
                ("10.0.1.2".parse().unwrap(), 0)
            );
            probe.set_targets(vec![target("left", "10.0.1.2")]);
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert!(probe.status(LEFT)[0].sent >= before.sent);
            assert_eq!((probe.statuses().len(), probe.status(RIGHT)), (1, vec![]));
        });
    });
}

/// `left` leads to another namespace, which answers.
fn far_end() {
    ip("link add left type veth peer name left-far");
    ip("addr add 10.0.1.1/24 dev left");
    ip("addr add fd00:1::1/64 dev left nodad");
    ip("link set left up");
    let (tell, told) = std::sync::mpsc::channel();
    let (done, wait) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        tell.send(format!(
            "/proc/{}/task/{}/ns/net",
            std::process::id(),
            nix::unistd::gettid()
        ))
        .unwrap();
        wait.recv().unwrap();
        ip("addr add 10.0.1.2/24 dev left-far");
        ip("addr add fd00:1::2/64 dev left-far nodad");
        ip("link set left-far up");
        tell.send(String::new()).unwrap();
        // Keeps the namespace until the test's process ends.
        std::thread::park();
    });
    let namespace = told.recv().unwrap();
    ip(&format!("link set left-far netns {namespace}"));
    done.send(()).unwrap();
    told.recv().unwrap();
}

fn target(interface: &str, address: &str) -> Target {
    let interval = Duration::from_millis(50);
    Target {
        path: LEFT,
        interface: interface.into(),
        address: address.parse().unwrap(),
        interval,
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn run(start: impl FnOnce(&probe::Handle)) -> Vec<ProbeStatus> {
    runtime().block_on(async {
        let probe = probe::spawn(tokio::sync::mpsc::unbounded_channel().0);
        start(&probe);
        tokio::time::sleep(Duration::from_millis(2500)).await;
        probe
            .statuses()
            .into_iter()
            .map(|(_, status)| status)
            .collect()
    })
}
