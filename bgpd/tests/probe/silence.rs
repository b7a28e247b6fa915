//! A busy link falls silent: echoes tell whether that means anything.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};

use bgp_core::path::{Kind, Silence};
use bgpd::probe::{Handle, Target};

use crate::far_end::{self, FarEnd};
use crate::support::{LEFT, in_namespace};
use crate::{INTERVAL, News, PATIENCE, spawn, target, wait_for};

#[test]
fn silence_that_no_echo_breaks_is_confirmed_and_life_is_heard_again() {
    in_namespace(|| {
        let mut link = Link::with_traffic();
        link.until(Silence::Confirmed, |link, cut| {
            link.traffic.answer(!cut);
            link.far.answer_echoes(!cut);
        });
        assert!(link.probe.measured()[0].silences.confirmed > 0);
        link.far.answer_echoes(true);
        link.traffic.answer(true);
        assert!(link.is_told(Silence::Heard, PATIENCE));
    });
}

#[test]
fn return_traffic_that_stops_by_itself_is_a_suspicion_that_echoes_refute() {
    in_namespace(|| {
        let mut link = Link::with_traffic();
        link.until(Silence::Suspected, |link, cut| link.traffic.answer(!cut));
        assert!(link.is_told(Silence::Heard, PATIENCE));
        thread::sleep(Duration::from_secs(2));
        let silences = link.probe.measured()[0].silences;
        assert_eq!(silences.confirmed, 0, "{silences:?}");
        assert!(silences.suspected < 20, "it backs off: {silences:?}");
    });
}

struct Link {
    far: FarEnd,
    traffic: Traffic,
    probe: Handle,
    heard: Receiver<News>,
}

impl Link {
    /// Its far end is known to answer, and so seldom that answers break no silence.
    fn with_traffic() -> Self {
        let far = FarEnd::behind("left");
        let traffic = Traffic::through(&far);
        let (probe, heard) = spawn();
        let slow = Target {
            interval: PATIENCE,
            ..target("left", Kind::Icmp, "10.0.1.2:0")
        };
        probe.set_targets(vec![slow]);
        probe.hasten(LEFT, Some(INTERVAL));
        wait_for(&probe, |statuses| statuses[0].sent >= 40);
        probe.hasten(LEFT, None);
        Self {
            far,
            traffic,
            probe,
            heard,
        }
    }

    /// Cuts until that is told. A machine that is busy otherwise makes pauses of its
    /// own, after which one silence may be none that stands out.
    fn until(&mut self, expected: Silence, cut: impl Fn(&Self, bool)) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            cut(self, true);
            if self.is_told(expected, Duration::from_secs(2)) {
                return;
            }
            assert!(Instant::now() < deadline, "never {expected:?}");
            cut(self, false);
            thread::sleep(Duration::from_secs(2));
        }
    }

    fn is_told(&self, expected: Silence, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.heard.recv_timeout(left) {
                Ok(News::Silence(LEFT, silence)) if silence == expected => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }
}

/// Some 2,000 packets a second each way.
struct Traffic {
    answered: Arc<AtomicBool>,
    stopped: Arc<AtomicBool>,
}

impl Traffic {
    fn through(far: &FarEnd) -> Self {
        let (answered, stopped) = (
            Arc::new(AtomicBool::new(true)),
            Arc::new(AtomicBool::new(false)),
        );
        let answers = answered.clone();
        far.inside(move || {
            let echo = UdpSocket::bind(("10.0.1.2", far_end::ECHO)).unwrap();
            thread::spawn(move || {
                let mut packet = [0; 100];
                while let Ok((length, from)) = echo.recv_from(&mut packet) {
                    if answers.load(Ordering::Relaxed) {
                        let _ = echo.send_to(&packet[..length], from);
                    }
                }
            });
        });
        let socket = UdpSocket::bind("10.0.1.1:0").unwrap();
        let ends = Arc::clone(&stopped);
        thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                let _ = socket.send_to(&[0; 64], ("10.0.1.2", far_end::ECHO));
                thread::sleep(Duration::from_micros(500));
            }
        });
        Self { answered, stopped }
    }

    fn answer(&self, answer: bool) {
        self.answered.store(answer, Ordering::Relaxed);
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}
