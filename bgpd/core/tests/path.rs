//! Series of evidence and what has to be concluded: each `path/NAME.series`, line by
//! line; and the statistics, by simulation with fixed seeds.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test reads files, and begins at some time"
)]

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bgp_core::PathId;
use bgp_core::path::{
    Bfd, Carrier, Direction, Evidence, Health, Kind, Outcome, PathHealth, RoundTrip, Sample,
    Session, Settings, Silence, Target, Trust,
};

#[test]
fn every_recorded_series_leads_to_what_it_says() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/path");
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "series")
        })
        .collect();
    files.sort();
    assert!(files.len() >= 15, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let lines: Vec<_> = text.lines().enumerate().collect();
        let name = file.file_name().unwrap().to_str().unwrap();
        Play::new(name).all(&lines);
    }
}

/// One path, its time, and what has come of it.
struct Play<'f> {
    file: &'f str,
    path: PathHealth,
    now: Instant,
    begin: Instant,
    trust: Trust,
    /// Times that it was no longer trusted in full, or was again.
    trust_changes: usize,
    transitions: usize,
    reason: String,
}

impl<'f> Play<'f> {
    fn new(file: &'f str) -> Self {
        let now = Instant::now();
        Self {
            file,
            path: PathHealth::new(Settings::default(), now),
            now,
            begin: now,
            trust: Trust::Full,
            trust_changes: 0,
            transitions: 0,
            reason: String::new(),
        }
    }

    fn all(&mut self, lines: &[(usize, &str)]) {
        let mut rest = lines;
        while let Some(((number, line), after)) = rest.split_first() {
            rest = after;
            if let Some(times) = line.strip_prefix("repeat ") {
                let end = rest.iter().position(|(_, line)| *line == "end").unwrap();
                for _ in 0..times.parse::<usize>().unwrap() {
                    self.all(&rest[..end]);
                }
                rest = &rest[end + 1..];
            } else {
                self.line(line, number + 1);
            }
        }
    }

    fn line(&mut self, line: &str, number: usize) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let place = format!("{}:{number}", self.file);
        let evidence = match (word, rest) {
            ("" | "#", _) => return,
            ("wait", time) => return self.wait(duration(time)),
            ("probes", rest) => return self.probes(rest),
            ("expect", rest) => return self.expect(rest, &place),
            ("trust", changes) => {
                return assert_eq!(self.trust_changes.to_string(), changes, "{place}");
            }
            ("transitions", count) => {
                return assert_eq!(self.transitions.to_string(), count, "{place}");
            }
            ("failures", count) => {
                let status = self.path.status(self.now);
                return assert_eq!(status.failures.to_string(), count, "{place}: {status:?}");
            }
            ("carrier", "up") => Evidence::Carrier(Carrier::Up),
            ("carrier", "down") => Evidence::Carrier(Carrier::Down),
            ("session", "established") => Evidence::Session(Session::Established),
            ("session", rest) => Evidence::Session(Session::Down(why(rest))),
            ("routes", "in") => Evidence::EndOfRib,
            ("prefixes", count) => Evidence::Prefixes(count.parse().unwrap()),
            ("bfd", "up") => Evidence::Bfd(Bfd::Up),
            ("bfd", "over") => Evidence::Bfd(Bfd::NotDown),
            ("bfd", "silent") => Evidence::Bfd(Bfd::Silent),
            ("bfd", "unheard") => Evidence::Bfd(Bfd::FarEndHearsNothing),
            ("bfd", rest) => Evidence::Bfd(Bfd::Down(why(rest))),
            ("silence", "suspected") => Evidence::Silence(Silence::Suspected),
            ("silence", "confirmed") => Evidence::Silence(Silence::Confirmed),
            ("silence", "heard") => Evidence::Silence(Silence::Heard),
            ("drained", "no") => Evidence::Drained(None),
            ("drained", why) => Evidence::Drained(Some(why.to_owned())),
            _ => panic!("{place}: {line:?}"),
        };
        self.hear(evidence);
    }

    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.path.next_timeout().filter(|at| *at <= until) {
            assert!(at > self.now, "{}: a timer that does not go on", self.file);
            self.now = at;
            self.path.handle_timeout(at);
            self.look();
        }
        self.now = until;
    }

    /// `20ms from 2 1.5 - 1.6 >*3`: target 2 of them, each 20 ms.
    fn probes(&mut self, rest: &str) {
        let mut words = rest.split(' ').peekable();
        let interval = duration(words.next().unwrap());
        let mut target = 1;
        if words.next_if_eq(&"from").is_some() {
            target = words.next().unwrap().parse().unwrap();
        }
        for word in words {
            let (outcome, times) = word.split_once('*').unwrap_or((word, "1"));
            for _ in 0..times.parse::<usize>().unwrap() {
                self.wait(interval);
                let sample = sample(target, self.now, interval, outcome_of(outcome));
                self.hear(Evidence::Probe(sample));
            }
        }
    }

    fn hear(&mut self, evidence: Evidence) {
        self.path.hear(evidence, self.now);
        self.look();
    }

    fn look(&mut self) {
        while let Some(transition) = self.path.poll_transition() {
            let changed = (transition.trust == Trust::Full) != (self.trust == Trust::Full);
            self.trust_changes += usize::from(changed);
            self.trust = transition.trust;
            self.transitions += 1;
            assert!(!transition.reason.is_empty());
            self.reason = transition.reason;
        }
    }

    fn expect(&self, rest: &str, place: &str) {
        let (state, why) = rest.split_once(' ').unwrap_or((rest, ""));
        let status = self.path.status(self.now);
        let at = self.now - self.begin;
        let found = format!("{:?}", status.state).to_lowercase();
        assert_eq!(found, state, "{place}, after {at:?}: {status:?}");
        let reason = status.reason.unwrap_or_default();
        assert!(reason.contains(why), "{place}: {reason}");
    }
}

fn why(text: &str) -> String {
    text.strip_prefix("down ").unwrap().to_owned()
}

fn duration(text: &str) -> Duration {
    match text.strip_suffix("ms") {
        Some(number) => Duration::from_millis(number.parse().unwrap()),
        None => Duration::from_secs(text.strip_suffix('s').unwrap().parse().unwrap()),
    }
}

fn outcome_of(word: &str) -> Outcome {
    match word {
        "-" => Outcome::Lost(Direction::Unknown),
        ">" => Outcome::Lost(Direction::Out),
        "<" => Outcome::Lost(Direction::Back),
        time => answered(time.parse().unwrap()),
    }
}

fn answered(milliseconds: f64) -> Outcome {
    Outcome::Answered(RoundTrip {
        time: Duration::from_secs_f64(milliseconds / 1000.0),
        delay: None,
    })
}

fn sample(target: u8, sent_at: Instant, interval: Duration, outcome: Outcome) -> Sample {
    let target = Target {
        kind: Kind::Icmp,
        address: IpAddr::from([10, 0, 0, target]),
        port: 0,
    };
    Sample {
        path: PathId(1),
        target,
        sent_at,
        interval,
        outcome,
    }
}

/// Half of what is sent is lost for 100 ms.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bursts {
    None,
    EveryTwoSeconds,
}

impl Bursts {
    fn is_on(self, time: Duration) -> bool {
        self == Self::EveryTwoSeconds && time.as_millis() % 2000 >= 1900
    }
}

const BURST_LOSS: f64 = 0.5;

/// A link of given loss, probed as the machine asks; each outcome is known when it
/// is given up on.
struct Link {
    path: PathHealth,
    now: Instant,
    random: u64,
    loss: f64,
    extra: f64,
    bursts: Bursts,
    targets: u8,
    /// How long it was probed fast.
    fast: Duration,
}

const USUAL: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_millis(150);

impl Link {
    fn new(seed: u64) -> Self {
        let now = Instant::now();
        let mut path = PathHealth::new(Settings::default(), now);
        for evidence in [Evidence::Carrier(Carrier::Up), Evidence::EndOfRib] {
            path.hear(evidence, now);
        }
        let mut link = Self {
            path,
            now,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            loss: 0.0,
            extra: 0.0,
            bursts: Bursts::None,
            targets: 1,
            fast: Duration::ZERO,
        };
        link.run(Duration::from_secs(5));
        link.path.poll_transition();
        link
    }

    /// The time until it is no longer up, if that is within `time`.
    fn run(&mut self, time: Duration) -> Option<Duration> {
        let begin = self.now;
        // Sent, and not told of yet.
        let mut under_way = std::collections::VecDeque::new();
        while self.now - begin < time {
            let interval = self.path.probe_interval().unwrap_or(USUAL);
            let loss = match self.bursts.is_on(self.now - begin) {
                true => BURST_LOSS,
                false => self.loss,
            };
            for target in 1..=self.targets {
                let outcome = match self.next() < loss {
                    true => Outcome::Lost(Direction::Unknown),
                    false => answered(2.0 + self.extra + self.next()),
                };
                under_way.push_back(sample(target, self.now, interval, outcome));
            }
            self.now += interval;
            if interval < USUAL {
                self.fast += interval;
            }
            while let Some(sample) = under_way.front().copied() {
                let lag = match sample.outcome {
                    Outcome::Lost(_) => PATIENCE,
                    Outcome::Answered(trip) => trip.time,
                };
                if sample.sent_at + lag > self.now {
                    break;
                }
                under_way.pop_front();
                self.path.hear(Evidence::Probe(sample), self.now);
                if !matches!(self.path.state(), Health::Up | Health::Suspect) {
                    return Some(self.now - begin);
                }
            }
        }
        None
    }

    /// xorshift64*, in [0, 1).
    fn next(&mut self) -> f64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Mean and 99th percentile.
fn times(prepare: impl Fn(&mut Link)) -> (Duration, Duration) {
    let mut times: Vec<Duration> = (1..=1000)
        .map(|seed| {
            let mut link = Link::new(seed);
            prepare(&mut link);
            link.run(Duration::from_secs(60)).expect("it is noticed")
        })
        .collect();
    times.sort();
    (times.iter().sum::<Duration>() / 1000, times[989])
}

#[test]
fn a_loss_of_a_fifth_is_found_within_a_second_on_average() {
    let (mean, p99) = times(|link| link.loss = 0.2);
    println!("20 % loss: mean {mean:?}, p99 {p99:?}");
    assert!(mean < Duration::from_secs(1), "{mean:?}");
    assert!(p99 < Duration::from_secs(2), "{p99:?}");
}

#[test]
fn thirty_milliseconds_more_are_found_within_a_second() {
    let (mean, p99) = times(|link| link.extra = 30.0);
    println!("+30 ms: mean {mean:?}, p99 {p99:?}");
    assert!(p99 < Duration::from_secs(1), "{mean:?} {p99:?}");
}

#[test]
fn half_a_percent_of_loss_for_an_hour_moves_nothing() {
    for seed in 1..=20 {
        let mut link = Link::new(seed);
        link.loss = 0.005;
        let moved = link.run(Duration::from_secs(3600));
        assert_eq!(moved, None, "seed {seed}");
    }
}

#[test]
fn bursts_every_two_seconds_for_an_hour_move_nothing() {
    for (targets, loss) in [(1, 0.005), (2, 0.01)] {
        let moved: Vec<_> = (1..=20)
            .filter_map(|seed| {
                let mut link = Link::new(seed);
                link.targets = targets;
                link.bursts = Bursts::EveryTwoSeconds;
                link.loss = loss;
                link.run(Duration::from_secs(3600))
            })
            .collect();
        assert!(moved.is_empty(), "{targets} targets: {moved:?}");
    }
}

#[test]
fn a_path_in_doubt_is_not_probed_fast_for_ever() {
    let mut link = Link::new(7);
    link.loss = 0.02;
    assert_eq!(link.run(Duration::from_secs(600)), None);
    let fast = link.fast;
    // A tenth of the time, and what is in store at the beginning.
    assert!(fast < Duration::from_secs(80), "{fast:?}");
    assert!(fast > Duration::from_secs(5), "{fast:?}");
}

#[test]
fn an_older_word_of_bfd_that_comes_late_is_passed_over() {
    let mut play = Play::new("");
    play.all(&[(1, "session established"), (2, "routes in"), (3, "bfd up")]);
    let (early, later) = (play.now, play.now + Duration::from_millis(5));
    play.now = later;
    play.hear(Evidence::Bfd(Bfd::Down("detection time expired".into())));
    let down = (play.transitions, play.path.status(later).state);
    for word in [Bfd::Up, Bfd::Down("told once more".into())] {
        play.path.hear(Evidence::Bfd(word), early);
        play.look();
        assert_eq!((play.transitions, play.path.status(later).state), down);
    }
    assert_eq!(down.1, Health::Down);
}
