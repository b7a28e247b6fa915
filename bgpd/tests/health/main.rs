//! Each voice moves traffic and takes it back; a failure holds a path; nothing moves
//! to what is not better. As root, in network namespaces; the fast path and health
//! run as the daemon runs them.

#![allow(clippy::unwrap_used)]

#[path = "../fib/support.rs"]
mod support;

use std::time::{Duration, Instant};

use bgp_core::path::{
    Direction, Evidence, Health, Kind, Outcome, RoundTrip, Sample, Settings, Silence, Target,
    Transition,
};
use bgp_core::policy::Stance;
use bgpd::fastpath::{Standing, Voice, Watched};
use bgpd::{health, router};
use support::*;
use tokio::sync::mpsc;

fn loaded() -> Daemon {
    two_links();
    let daemon = Daemon::start_with_paths_up();
    for path in [LEFT, RIGHT] {
        daemon.fastpath.watch(path, Watched::ByHealth);
    }
    daemon.apply(many(100, route(hop(LEFT), Some(hop(RIGHT)))));
    daemon.apply(vec![change(
        "2001:db8::/32",
        route(hop6(LEFT), Some(hop6(RIGHT))),
    )]);
    assert_eq!(leaves_by("20.0.0.1"), "left");
    daemon
}

fn standing(daemon: &Daemon, path: bgp_core::PathId) -> Standing {
    let states = daemon.fastpath.paths();
    states.iter().find(|one| one.path == path).unwrap().standing
}

fn reason(daemon: &Daemon, path: bgp_core::PathId) -> String {
    let states = daemon.fastpath.paths();
    let state = states.iter().find(|one| one.path == path).unwrap();
    state.reason.clone().unwrap_or_default()
}

/// Both families.
fn all_leave_by(link: &str) {
    eventually(&format!("both families leave by {link}"), || {
        leaves_by("20.0.0.1") == link && leaves_by("2001:db8::1") == link
    });
}

#[test]
fn each_voice_moves_the_traffic_of_both_families_and_takes_it_back() {
    in_namespace(|| {
        let mut daemon = loaded();
        for voice in [Voice::Bfd, Voice::Health, Voice::Operator, Voice::Session] {
            let why = format!("{voice:?} says so");
            daemon.fastpath.path_down(LEFT, voice, why.clone());
            let swap = daemon.swapped(LEFT, false);
            assert_eq!(swap.groups, 2, "{voice:?}");
            assert!(swap.reason.contains(&why), "{}", swap.reason);
            all_leave_by("right");
            daemon.fastpath.path_up(LEFT, voice);
            // What failed is held until health agrees.
            daemon.fastpath.path_up(LEFT, Voice::Health);
            daemon.swapped(LEFT, true);
            all_leave_by("left");
        }
    });
}

#[test]
fn what_one_voice_says_no_other_can_unsay() {
    in_namespace(|| {
        let mut daemon = loaded();
        daemon.fastpath.path_down(LEFT, Voice::Bfd, "silent".into());
        daemon.swapped(LEFT, false);
        for voice in [Voice::Session, Voice::Health, Voice::Operator] {
            daemon.fastpath.path_up(LEFT, voice);
        }
        assert_eq!(standing(&daemon, LEFT), Standing::Down);
        all_leave_by("right");
        daemon.fastpath.path_up(LEFT, Voice::Bfd);
        daemon.swapped(LEFT, true);
        all_leave_by("left");
    });
}

#[test]
fn a_failed_path_is_held_until_health_lifts_it() {
    in_namespace(|| {
        let mut daemon = loaded();
        ip("link set left-far down");
        daemon.swapped(LEFT, false);
        all_leave_by("right");
        ip("link set left-far up");
        eventually("it is held", || standing(&daemon, LEFT) == Standing::Held);
        assert!(reason(&daemon, LEFT).contains("not yet trusted"));
        assert_eq!(leaves_by("20.0.0.1"), "right");
        daemon.fastpath.path_up(LEFT, Voice::Health);
        daemon.swapped(LEFT, true);
        all_leave_by("left");
        // One that nobody watches is up with its carrier.
        daemon.fastpath.watch(LEFT, Watched::ByNobody);
        ip("link set left-far down");
        daemon.swapped(LEFT, false);
        ip("link set left-far up");
        daemon.swapped(LEFT, true);
    });
}

#[test]
fn a_path_that_never_worked_is_not_held() {
    in_namespace(|| {
        two_links();
        let mut daemon = Daemon::start();
        daemon.fastpath.watch(LEFT, Watched::ByHealth);
        let why = "not started yet";
        daemon.fastpath.path_down(LEFT, Voice::Session, why.into());
        daemon.fastpath.path_up(LEFT, Voice::Session);
        daemon.swapped(LEFT, true);
        assert_eq!(standing(&daemon, LEFT), Standing::Good);
    });
}

#[test]
fn a_held_or_drained_path_carries_traffic_when_nothing_else_can() {
    in_namespace(|| {
        let mut daemon = loaded();
        daemon.fastpath.held(LEFT, "failed a moment ago".into());
        daemon.swapped(LEFT, false);
        all_leave_by("right");
        ip("link set right-far down");
        daemon.swapped(RIGHT, false);
        all_leave_by("left");
        // Held, too, once it is back: what is used stays.
        ip("link set right-far up");
        eventually("held", || standing(&daemon, RIGHT) == Standing::Held);
        assert_eq!(leaves_by("20.0.0.1"), "left");
        daemon.fastpath.path_up(RIGHT, Voice::Health);
        daemon.swapped(RIGHT, true);
        all_leave_by("right");
        daemon.fastpath.path_up(LEFT, Voice::Health);
        daemon.swapped(LEFT, true);
        let why = "maintenance";
        daemon.fastpath.path_down(LEFT, Voice::Operator, why.into());
        daemon.swapped(LEFT, false);
        all_leave_by("right");
        daemon
            .fastpath
            .path_down(RIGHT, Voice::Session, "gone".into());
        daemon.swapped(RIGHT, false);
        all_leave_by("left");
    });
}

#[test]
fn of_two_degraded_paths_the_one_in_use_stays_and_says_so() {
    in_namespace(|| {
        let mut daemon = loaded();
        daemon.fastpath.degraded(RIGHT, "4 % lost".into());
        assert_eq!(daemon.swapped(RIGHT, true).groups, 0);
        daemon.fastpath.degraded(LEFT, "20 % lost".into());
        let swap = daemon.swapped(LEFT, true);
        assert_eq!((swap.groups, swap.stranded), (0, 2));
        assert!(
            swap.reason.contains("no other way out is better"),
            "{}",
            swap.reason
        );
        assert_eq!(leaves_by("20.0.0.1"), "left");
        daemon.fastpath.path_up(RIGHT, Voice::Health);
        daemon.swapped(RIGHT, true);
        all_leave_by("right");
        // Not back to what is equally bad, though it is preferred.
        daemon.fastpath.degraded(RIGHT, "4 % lost".into());
        assert_eq!(daemon.swapped(RIGHT, true).groups, 0);
        assert_eq!(leaves_by("20.0.0.1"), "right");
        daemon.fastpath.path_up(LEFT, Voice::Health);
        daemon.swapped(LEFT, true);
        all_leave_by("left");
    });
}

#[test]
fn two_paths_that_back_each_other_up_take_over_from_each_other() {
    in_namespace(|| {
        let mut daemon = loaded();
        daemon.apply(vec![change(
            "30.0.0.0/24",
            route(hop(RIGHT), Some(hop(LEFT))),
        )]);
        let (ours, theirs) = (("20.0.0.1", "left"), ("30.0.0.1", "right"));
        for (link, path, other) in [("left", LEFT, "right"), ("right", RIGHT, "left")] {
            ip(&format!("link set {link}-far down"));
            daemon.swapped(path, false);
            for (address, _) in [ours, theirs] {
                assert_eq!(leaves_by(address), other, "{link} is cut");
            }
            ip(&format!("link set {link}-far up"));
            eventually("held", || standing(&daemon, path) == Standing::Held);
            daemon.fastpath.path_up(path, Voice::Health);
            daemon.swapped(path, true);
            for (address, own) in [ours, theirs] {
                assert_eq!(leaves_by(address), own, "{link} is mended");
            }
        }
        assert_eq!(daemon.fib.status().errors, 0);
    });
}

/// Of a router without peers.
fn steering() -> router::Steering {
    let (_, inbox) = router::channel();
    let settings = router::Settings {
        asn: bgp_core::Asn(65010),
        router_id: bgp_core::RouterId([192, 0, 2, 1].into()),
        selects_by: None,
    };
    router::spawn(settings, None, None, mpsc::unbounded_channel().0, inbox).unwrap()
}

/// The daemon's health, of two paths that are held for 300 ms.
struct Watcher {
    health: health::Handle,
    concluded: mpsc::UnboundedReceiver<health::Concluded>,
    /// When the last probe left: they are spaced as a prober's are, since losses of
    /// one moment are one accident.
    probed: Instant,
}

impl Watcher {
    fn over(daemon: &Daemon) -> Self {
        let (sender, concluded) = mpsc::unbounded_channel();
        let fastpath = Some(daemon.fastpath.clone());
        let health = health::spawn(fastpath, steering(), sender).unwrap();
        health.watch(vec![watched(LEFT, None), watched(RIGHT, None)]);
        // It hears of what voices say from here on.
        for path in [LEFT, RIGHT] {
            health.tell(path, Evidence::EndOfRib);
        }
        Self {
            health,
            concluded,
            probed: Instant::now() - Duration::from_mins(1),
        }
    }

    fn becomes(&mut self, path: bgp_core::PathId, state: Health) -> Transition {
        self.concluded(path, state).transition
    }

    fn concluded(&mut self, path: bgp_core::PathId, state: Health) -> health::Concluded {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            match self.concluded.try_recv() {
                Ok(told) if told.path == path && told.transition.to == state => {
                    return told;
                }
                Ok(_) => {}
                Err(_) => {
                    assert!(Instant::now() < deadline, "{path:?} never is {state:?}");
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
    }

    /// So many probes, one each 50 ms, told in a batch; every `lost`th is.
    fn probes(&mut self, count: usize, lost: usize) {
        let interval = Duration::from_millis(50);
        let mut sent = || {
            self.probed += interval;
            self.probed
        };
        let samples: Vec<Sample> = (1..=count)
            .map(|number| Sample {
                path: LEFT,
                target: target(),
                sent_at: sent(),
                interval,
                outcome: match number % lost {
                    0 => Outcome::Lost(Direction::Unknown),
                    _ => Outcome::Answered(RoundTrip {
                        time: Duration::from_millis(2),
                        delay: None,
                    }),
                },
            })
            .collect();
        self.health.tell_samples(&samples);
    }
}

fn watched(path: bgp_core::PathId, silent: Option<Vec<bgp_core::PathId>>) -> health::Watched {
    health::Watched {
        path,
        settings: Settings {
            hold: Duration::from_millis(300),
            ..Settings::default()
        },
        targets: vec![target()],
        silent,
    }
}

const fn target() -> Target {
    Target {
        kind: Kind::Icmp,
        address: std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 1, 2)),
        port: 0,
    }
}

#[test]
fn a_cut_moves_traffic_and_a_mended_link_has_to_wait_longer_each_time() {
    in_namespace(|| {
        let mut daemon = loaded();
        let mut watcher = Watcher::over(&daemon);
        watcher.becomes(LEFT, Health::Up);
        for failures in 1..=2 {
            ip("link set left-far down");
            daemon.swapped(LEFT, false);
            let down = watcher.becomes(LEFT, Health::Down);
            assert_eq!(down.reason, "no carrier");
            assert_eq!(down.failures, failures);
            let carrier = down.evidence.iter().find(|item| item.what == "carrier");
            assert_eq!(carrier.unwrap().value, "down");
            all_leave_by("right");
            ip("link set left-far up");
            let recovering = watcher.becomes(LEFT, Health::Recovering);
            assert_eq!(leaves_by("20.0.0.1"), "right");
            let up = watcher.becomes(LEFT, Health::Up);
            let waited = up.at - recovering.at;
            assert!(waited >= Duration::from_millis(300 * u64::from(failures)));
            daemon.swapped(LEFT, true);
            all_leave_by("left");
        }
        let status = watcher.health.statuses()[&LEFT].clone();
        assert_eq!((status.state, status.failures), (Health::Up, 2));
    });
}

#[test]
fn a_brown_out_moves_traffic_and_the_way_back_needs_clean_probes() {
    in_namespace(|| {
        let mut daemon = loaded();
        let mut watcher = Watcher::over(&daemon);
        watcher.becomes(LEFT, Health::Up);
        watcher.probes(200, 201);
        watcher.probes(60, 5);
        let degraded = watcher.becomes(LEFT, Health::Degraded);
        assert!(degraded.reason.contains("are lost"), "{}", degraded.reason);
        daemon.swapped(LEFT, true);
        assert_eq!(standing(&daemon, LEFT), Standing::Degraded);
        all_leave_by("right");
        watcher.probes(400, 401);
        watcher.becomes(LEFT, Health::Up);
        eventually("it is good", || standing(&daemon, LEFT) == Standing::Good);
        all_leave_by("left");
    });
}

#[test]
fn confirmed_silence_moves_traffic_and_a_suspicion_does_not() {
    in_namespace(|| {
        let daemon = loaded();
        let mut watcher = Watcher::over(&daemon);
        watcher.becomes(LEFT, Health::Up);
        let silence = |silence| watcher.health.tell(LEFT, Evidence::Silence(silence));
        silence(Silence::Suspected);
        assert_eq!(standing(&daemon, LEFT), Standing::Good);
        silence(Silence::Confirmed);
        watcher.becomes(LEFT, Health::Down);
        all_leave_by("right");
        watcher.health.tell(LEFT, Evidence::Silence(Silence::Heard));
        watcher.becomes(LEFT, Health::Up);
        all_leave_by("left");
    });
}

#[test]
fn a_session_that_ends_while_its_path_is_drained_is_no_failure() {
    in_namespace(|| {
        let daemon = loaded();
        let mut watcher = Watcher::over(&daemon);
        watcher.becomes(LEFT, Health::Up);
        let fastpath = &daemon.fastpath;
        fastpath.path_down(LEFT, Voice::Operator, "maintenance".into());
        all_leave_by("right");
        fastpath.path_up(LEFT, Voice::Operator);
        all_leave_by("left");
        assert_eq!(watcher.health.statuses()[&LEFT].failures, 0);
        fastpath.path_down(LEFT, Voice::Operator, "maintenance".into());
        fastpath.path_down(LEFT, Voice::Session, "stopped".into());
        let down = watcher.becomes(LEFT, Health::Down);
        assert_eq!(down.failures, 0);
        fastpath.path_up(LEFT, Voice::Session);
        watcher.becomes(LEFT, Health::Up);
        fastpath.path_up(LEFT, Voice::Operator);
        all_leave_by("left");
    });
}

#[test]
fn routes_are_withdrawn_from_a_bad_path_only_while_another_one_is_better() {
    in_namespace(|| {
        let daemon = loaded();
        let mut watcher = Watcher::over(&daemon);
        watcher.becomes(LEFT, Health::Up);
        watcher.becomes(RIGHT, Health::Up);
        let silent = watched(LEFT, Some(vec![RIGHT]));
        watcher.health.watch(vec![silent, watched(RIGHT, None)]);
        let fails = |path| daemon.fastpath.path_down(path, Voice::Bfd, "a test".into());
        let is_well = |path| daemon.fastpath.path_up(path, Voice::Bfd);
        fails(RIGHT);
        assert_eq!(
            watcher.concluded(RIGHT, Health::Down).stance,
            Stance::Adverse
        );
        fails(LEFT);
        assert_eq!(watcher.concluded(LEFT, Health::Down).stance, Stance::Normal);
        is_well(RIGHT);
        watcher.becomes(RIGHT, Health::Up);
        is_well(LEFT);
        let held = watcher.concluded(LEFT, Health::Recovering);
        assert_eq!(held.stance, Stance::Adverse);
        watcher.becomes(LEFT, Health::Up);
        fails(LEFT);
        assert_eq!(
            watcher.concluded(LEFT, Health::Down).stance,
            Stance::Adverse
        );
    });
}
