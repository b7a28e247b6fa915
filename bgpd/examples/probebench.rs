//! Measures the prober, in namespaces of its own (root):
//!
//!   probebench overhead [PATHS]   its thread's share of a core, 10 probes a second each
//!   probebench wire               round trips beside tcpdump's of the same packets
//!   probebench silence [RATE]     from silence to its confirmation, RATE packets a second

#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "a benchmark, with the parts of tests"
)]

#[path = "../tests/probe/far_end.rs"]
mod far_end;
#[path = "../tests/fib/support.rs"]
mod support;

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bgp_core::PathId;
use bgp_core::path::{self, Kind, Outcome, Sample, Silence};
use bgpd::probe::{self, Handle, Listener, Seen, Target};
use far_end::FarEnd;
use support::{LEFT, in_namespace, ip};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_default();
    let number = arguments.next().map(|text| text.parse().unwrap());
    in_namespace(move || match what.as_str() {
        "overhead" => overhead(number.unwrap_or(200)),
        "wire" => wire(),
        "silence" => silence(number.unwrap_or(1000)),
        _ => panic!("probebench overhead|wire|silence"),
    });
}

fn overhead(paths: usize) {
    let _far = FarEnd::behind("left");
    let mut batch = String::new();
    for index in 1..paths {
        batch += &format!("link add p{index} type veth peer name q{index}\n");
        batch += &format!(
            "addr add 10.9.{}.{}/30 dev p{index}\n",
            index / 60,
            index % 60 * 4 + 1
        );
        batch += &format!("link set p{index} up\nlink set q{index} up\n");
    }
    run_batch(&batch);
    let second = own_namespace("pb-many");
    let mut far = String::new();
    for index in 1..paths {
        run(&format!("link set q{index} netns {second}"));
        far += &format!(
            "addr add 10.9.{}.{}/30 dev q{index}\n",
            index / 60,
            index % 60 * 4 + 2
        );
        far += &format!("link set q{index} up\n");
    }
    run_batch_in(&second, &far);
    stay_on_the_first_core();
    let (probe, _heard) = spawn();
    let others = (1..paths).map(|index| {
        let address = format!("10.9.{}.{}:0", index / 60, index % 60 * 4 + 2);
        target(&format!("p{index}"), &address, index as u32 + 10)
    });
    let targets = others.chain([target("left", "10.0.1.2:0", 1)]);
    probe.set_targets(targets.collect());
    thread::sleep(Duration::from_secs(3));
    let all = share(20);
    answer_elsewhere(&second);
    let own = share(20);
    let measured = probe.measured();
    let sum = |of: fn(&bgp_core::api::ProbeStatus) -> u64| -> u64 {
        measured.iter().map(|one| of(&one.status)).sum()
    };
    println!(
        "{} paths, {} probes, {} lost: {all:.2} % of a core, {own:.2} % without the far ends",
        measured.len(),
        sum(|one| one.total_sent),
        sum(|one| one.total_lost),
    );
    let _ = Command::new("ip").args(["netns", "del", &second]).status();
}

/// The prober's share of a core, in percent.
fn share(seconds: u64) -> f64 {
    let (before, begun) = (running_time(), Instant::now());
    thread::sleep(Duration::from_secs(seconds));
    let used = running_time() - before;
    100.0 * used.as_secs_f64() / begun.elapsed().as_secs_f64()
}

/// A veth's far end runs inside the sender's own call, unless another core is told
/// to take what arrives there, as it may be for a network card: then the sender's
/// time is its own.
fn answer_elsewhere(namespace: &str) {
    let steer = "for one in /sys/class/net/*/queues/rx-0/rps_cpus; do echo 2 >$one; done";
    let steered = Command::new("ip")
        .args(["netns", "exec", namespace, "sh", "-c", steer])
        .status();
    assert!(steered.unwrap().success());
}

/// The prober's thread, which is started after this, stays on this core.
fn stay_on_the_first_core() {
    let mut first = nix::sched::CpuSet::new();
    first.set(0).unwrap();
    nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &first).unwrap();
}

fn wire() {
    let _far = FarEnd::behind("left");
    let arguments = "-i left -tt -nn --immediate-mode --time-stamp-precision=nano icmp";
    let mut tcpdump = Command::new("tcpdump")
        .args(arguments.split_whitespace())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_secs(2));
    let (probe, heard) = spawn();
    probe.set_targets(vec![target("left", "10.0.1.2:0", 1)]);
    probe.hasten(LEFT, Some(Duration::from_millis(10)));
    thread::sleep(Duration::from_secs(20));
    drop(probe);
    let samples = heard.iter().filter_map(|news| match news {
        News::Samples(samples) => Some(samples),
        News::Silence(..) => None,
    });
    let ours: Vec<Duration> = samples
        .flatten()
        .filter_map(|sample| match sample.outcome {
            Outcome::Answered(round_trip) => Some(round_trip.time),
            Outcome::Lost(_) => None,
        })
        .collect();
    thread::sleep(Duration::from_secs(1));
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(tcpdump.id() as i32),
        nix::sys::signal::Signal::SIGINT,
    )
    .unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(tcpdump.stdout.as_mut().unwrap(), &mut text).unwrap();
    let theirs = round_trips(&text);
    let mut differences: Vec<Duration> = ours
        .iter()
        .zip(&theirs)
        .map(|(ours, theirs)| ours.abs_diff(*theirs))
        .collect();
    println!("{} probes, {} seen by tcpdump", ours.len(), theirs.len());
    print_spread("difference", &mut differences);
    let _ = tcpdump.wait();
}

/// Lines as `1700000000.123456789 IP a > b: ICMP echo request, id 1, seq 2, length 64`.
fn round_trips(text: &str) -> Vec<Duration> {
    let (mut requests, mut all) = (HashMap::new(), Vec::new());
    for line in text.lines() {
        let (seconds, rest) = line.split_once('.').unwrap();
        let nanos: u32 = rest[..9].parse().unwrap();
        let at = Duration::new(seconds.parse().unwrap(), nanos);
        let Some((_, sequence)) = line.split_once("seq ") else {
            continue;
        };
        let sequence = sequence.split(',').next().unwrap();
        if line.contains("echo request") {
            requests.insert(sequence.to_owned(), at);
        } else if line.contains("echo reply") {
            all.extend(requests.get(sequence).map(|left| at - *left));
        }
    }
    all
}

fn silence(rate: usize) {
    let far = FarEnd::behind("left");
    let answered = Arc::new(AtomicBool::new(true));
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
    let gap = Duration::from_secs_f64(1.0 / rate as f64);
    thread::spawn(move || {
        let mut next = Instant::now();
        loop {
            let _ = socket.send_to(&[0; 64], ("10.0.1.2", far_end::ECHO));
            next += gap;
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    });
    let (probe, heard) = spawn();
    probe.set_targets(vec![target("left", "10.0.1.2:0", 1)]);
    thread::sleep(Duration::from_secs(5));
    let (before, begun) = (running_time(), Instant::now());
    thread::sleep(Duration::from_secs(10));
    let share = (running_time() - before).as_secs_f64() / begun.elapsed().as_secs_f64();
    println!(
        "busy, at {rate} packets a second: {:.2} % of a core",
        100.0 * share
    );
    let false_ones = probe.measured()[0].silences;
    println!("suspicions meanwhile: {false_ones:?}");
    let mut delays = Vec::new();
    for _ in 0..20 {
        while heard.try_recv().is_ok() {}
        let cut = Instant::now();
        answered.store(false, Ordering::Relaxed);
        far.answer_echoes(false);
        while let Ok(news) = heard.recv_timeout(Duration::from_secs(2)) {
            if let News::Silence(Silence::Confirmed, at) = news {
                delays.push(at - cut);
                break;
            }
        }
        println!(
            "{:?} {before:?} -> {:?}",
            cut.elapsed(),
            probe.measured()[0].silences
        );
        answered.store(true, Ordering::Relaxed);
        far.answer_echoes(true);
        thread::sleep(Duration::from_millis(1500));
    }
    println!("{} of 20 confirmed", delays.len());
    print_spread("cut to confirmed", &mut delays);
}

fn print_spread(what: &str, values: &mut [Duration]) {
    values.sort_unstable();
    let rank = |percent: usize| values[(values.len() * percent / 100).min(values.len() - 1)];
    println!(
        "{what}: median {:?}, p99 {:?}, worst {:?}",
        rank(50),
        rank(99),
        values.last().unwrap()
    );
}

enum News {
    Samples(Vec<Sample>),
    Silence(Silence, Instant),
}

struct Ear(mpsc::Sender<News>);

impl Listener for Ear {
    fn samples(&mut self, samples: &[Sample]) {
        let _ = self.0.send(News::Samples(samples.to_vec()));
    }

    fn silence(&mut self, _path: PathId, silence: Silence, _seen: Seen) {
        let _ = self.0.send(News::Silence(silence, Instant::now()));
    }

    fn back(&mut self, _path: PathId) {}
}

fn spawn() -> (Handle, mpsc::Receiver<News>) {
    let (news, heard) = mpsc::channel();
    (probe::spawn(Box::new(Ear(news))).unwrap(), heard)
}

fn target(interface: &str, at: &str, path: u32) -> Target {
    let at: std::net::SocketAddr = at.parse().unwrap();
    Target {
        path: PathId(path),
        interface: Some(interface.into()),
        at: path::Target {
            kind: Kind::Icmp,
            address: at.ip(),
            port: 0,
        },
        interval: Duration::from_millis(100),
    }
}

/// Of the prober's thread, as the scheduler has counted it.
fn running_time() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let mut of_probe = tasks.filter(|task| {
        let name = fs::read_to_string(task.path().join("comm"));
        name.is_ok_and(|name| name.trim() == "probe")
    });
    let task = of_probe.next().expect("the thread");
    let text = fs::read_to_string(task.path().join("schedstat")).unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

fn own_namespace(name: &str) -> String {
    let name = format!("{name}-{}", std::process::id());
    let made = Command::new("ip").args(["netns", "add", &name]).status();
    assert!(made.unwrap().success());
    name
}

fn run(arguments: &str) {
    drop(ip(arguments));
}

fn run_batch(commands: &str) {
    feed(Command::new("ip").args(["-batch", "-"]), commands);
}

fn run_batch_in(namespace: &str, commands: &str) {
    feed(
        Command::new("ip").args(["-n", namespace, "-batch", "-"]),
        commands,
    );
}

fn feed(command: &mut Command, text: &str) {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success());
}
