//! `monitor`, `events`, `check`, `drain`: what bgpd says, as people, scripts and
//! monitoring systems get it.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Asked, Daemon, Run, bgpd_routes, bgpd_status, dxctl_command, run_dxctl, text};
use serde_json::{Value, json};
use tempfile::TempDir;

/// All is well, with health and evidence.
fn status() -> Value {
    let mut status = bgpd_status();
    for path in status["paths"].as_array_mut().unwrap() {
        path["health"] = json!({ "state": "up", "since": 1.0, "failures": 0 });
    }
    status["paths"][0]["probes"] = json!([{
        "target": "169.254.10.1", "sent": 100, "lost": 1, "rtt_last": 412, "rtt_min": 400,
        "rtt_avg": 420, "rtt_max": 1500, "jitter": 12,
    }]);
    status
}

fn event(sequence: u64, kind: &str, subject: &str, text: &str) -> Value {
    json!({
        "sequence": sequence, "at": 1_795_000_000.5 + sequence as f64, "subject": subject,
        "kind": kind, "text": text, "evidence": [{ "what": "loss", "value": "18 %" }],
    })
}

fn events(after: &str) -> Value {
    let after: u64 = after.parse().unwrap_or(0);
    let all = [
        event(1, "session", "prod", "Established"),
        event(2, "health", "internet", "up -> degraded: loss"),
        event(3, "swap", "prod", "1 group moved to internet"),
    ];
    let newer = all
        .into_iter()
        .filter(|one| one["sequence"].as_u64().unwrap() > after);
    json!({ "events": newer.collect::<Vec<_>>() })
}

fn daemon() -> Daemon {
    Daemon::scripted(|(_, path, _)| answered(path, status()))
}

fn answered(path: &str, status: Value) -> (u16, Value) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    match path {
        "/v1/status" => (200, status),
        "/v1/events" => (200, events(query.trim_start_matches("after="))),
        "/v1/routes" => (200, bgpd_routes()),
        _ => (404, json!({ "error": "no such thing" })),
    }
}

fn with(daemon: &Daemon, arguments: &[&str]) -> Run {
    run_dxctl(arguments, &[("BGPD_SOCKET", text(&daemon.socket()))])
}

#[test]
fn check_speaks_as_a_plugin_does() {
    let daemon = daemon();
    let run = with(&daemon, &["check", "prod", "-w", "5", "-c", "20"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(
        run.out,
        "DX OK - prod up, rtt 412 µs | 'prod prefixes'=2;;;0; 'prod rtt'=0.42ms;5;20;0; \
         'prod jitter'=0.012ms;;;0; 'prod loss'=1%;;;0;100\n"
    );
    assert_eq!(with(&daemon, &["check", "-w", "loss=0.5"]).code, 1);
    assert_eq!(with(&daemon, &["check", "-c", "prefixes=3:"]).code, 2);
    let json = with(&daemon, &["check", "--json"]).json();
    assert_eq!(json["state"], "OK");
}

#[test]
fn check_is_unknown_where_nothing_is_known() {
    let gone = run_dxctl(&["check"], &[]);
    assert_eq!(gone.code, 3, "{gone:?}");
    assert!(
        gone.out.starts_with("DX UNKNOWN - bgpd is not running"),
        "{gone:?}"
    );
    let daemon = daemon();
    let stranger = with(&daemon, &["check", "nobody"]);
    assert_eq!(stranger.code, 3);
    assert!(
        stranger.out.contains("it has: internet, prod"),
        "{stranger:?}"
    );
    for wrong in [&["check", "-w", "20:10"][..], &["check", "--nonsense"]] {
        run_dxctl(wrong, &[]).fails(3, "error: ");
    }
}

#[test]
fn events_are_chosen_by_kind_path_and_number() {
    let daemon = daemon();
    let all = with(&daemon, &["events"]);
    assert_eq!(all.out.lines().count(), 6, "{all:?}");
    let run = with(&daemon, &["events", "--kind", "health,swap", "--json"]);
    let numbers: Vec<u64> = run
        .out
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["sequence"]
                .as_u64()
                .unwrap()
        })
        .collect();
    assert_eq!(numbers, [2, 3]);
    let run = with(&daemon, &["events", "--path", "prod", "--since", "1"]);
    assert!(
        run.out.contains("1 group moved") && !run.out.contains("Established"),
        "{run:?}"
    );
    with(&daemon, &["events", "--path", "nobody"]).fails(1, "it has: internet, prod");
    run_dxctl(&["events", "--kind", "weather"], &[]).fails(2, "write carrier, session");
}

#[test]
fn a_drain_waits_for_the_traffic_and_tells_where_it_went() {
    let drained = Arc::new(AtomicBool::new(false));
    let daemon = Daemon::scripted(move |(method, path, body): Asked<'_>| {
        if (method, path) == ("POST", "/v1/drain") {
            assert_eq!(body, json!({ "name": "prod", "force": false }));
            drained.store(true, Ordering::Relaxed);
            return (200, json!({ "names": ["prod"] }));
        }
        let mut status = status();
        if drained.load(Ordering::Relaxed) {
            status["paths"][0]["drained"] = json!("dxctl drain");
            status["paths"][0]["carries"] = json!(0);
            status["paths"][1]["carries"] = json!(2);
        }
        answered(path, status)
    });
    let run = with(&daemon, &["drain", "prod"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.starts_with("prod: drained, after "), "{run:?}");
    let table = run.out.split_once('\n').unwrap().1;
    assert_eq!(
        table,
        "PATH      CARRIED  CARRIES\nprod      2        0\ninternet  0        2\n"
    );
}

#[test]
fn a_drain_that_moves_nothing_is_told_and_fails() {
    let daemon = Daemon::scripted(|(method, path, _)| match (method, path) {
        ("POST", "/v1/drain") => (200, json!({ "names": ["prod"] })),
        _ => answered(path, status()),
    });
    let run = with(&daemon, &["drain", "prod", "--timeout", "0"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.out.contains("prod is not drained"), "{run:?}");
    let daemon = Daemon::scripted(|(method, path, _)| match method {
        "POST" => (422, json!({ "error": "the traffic has nowhere to go" })),
        _ => answered(path, status()),
    });
    with(&daemon, &["drain", "prod"]).fails(1, "--force");
    with(&daemon, &["undrain", "prod"]).fails(1, "nowhere to go");
    with(&daemon, &["drain", "nobody"]).fails(1, "it has: internet, prod");
}

#[test]
fn one_sample_is_json_or_a_page() {
    let daemon = daemon();
    let json = with(&daemon, &["monitor", "--once", "--json"]).json();
    assert_eq!(json["paths"][0]["health"]["state"], "up");
    assert_eq!(json["carrying"], json!(["prod"]));
    let page = with(&daemon, &["monitor", "--once"]);
    assert!(
        page.out.contains("SESSION") && page.out.contains("HEALTH"),
        "{page:?}"
    );
    let lines = with(&daemon, &["monitor", "--count", "2", "--interval", "0.05"]);
    assert_eq!(lines.out.lines().count(), 2);
    assert!(lines.out.contains("health=up"), "{lines:?}");
    run_dxctl(&["monitor", "--once"], &[]).fails(2, "bgpd is not running");
}

/// The monitor on a terminal of its own, as `script` makes one.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    seen: Arc<Mutex<String>>,
    pid_file: PathBuf,
    _directory: TempDir,
}

impl Terminal {
    fn open(daemon: &Daemon) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let pid_file = directory.path().join("pid");
        let words = format!(
            "stty rows 24 cols 80\nstty -g\nsh -c 'echo $$ >{}; exec {} monitor --interval 0.05'\n\
             echo ended with $?\nstty -g\n",
            pid_file.display(),
            env!("CARGO_BIN_EXE_dxctl"),
        );
        let file = directory.path().join("words");
        std::fs::write(&file, words).unwrap();
        let mut child = Command::new("script")
            .args([
                "-q",
                "-e",
                "-c",
                &format!("sh {}", file.display()),
                "/dev/null",
            ])
            .env("TERM", "xterm-256color")
            .env("BGPD_SOCKET", daemon.socket())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let seen: Arc<Mutex<String>> = Arc::default();
        let sink = seen.clone();
        let mut out = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = out.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                sink.lock().unwrap().push_str(&text);
            }
        });
        Self {
            keys: child.stdin.take().unwrap(),
            child,
            seen,
            pid_file,
            _directory: directory,
        }
    }

    fn until(&self, text: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let seen = self.seen.lock().unwrap().clone();
            if seen.contains(text) {
                return seen;
            }
            assert!(Instant::now() < deadline, "no {text:?} in {seen:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    fn signal(&self, name: &str) {
        let pid = std::fs::read_to_string(&self.pid_file).unwrap();
        let sent = Command::new("kill").args([name, pid.trim()]).status();
        assert!(sent.unwrap().success());
    }

    /// What was seen, once the monitor has ended and the terminal is as it was:
    /// first and last line are its settings.
    fn ended(mut self) -> String {
        self.until("ended with ");
        // What is on its way is read too.
        self.child.wait().unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        let seen = loop {
            let seen = self.seen.lock().unwrap().clone();
            let lines: Vec<&str> = seen.lines().map(str::trim_end).collect();
            if lines.len() > 2 && lines.first() == lines.last() {
                break seen;
            }
            assert!(Instant::now() < deadline, "the settings differ: {seen:?}");
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(seen.contains("\u{1b}[?1049l"), "{seen:?}");
        assert!(
            seen.rfind("\u{1b}[?25h") > seen.rfind("\u{1b}[?25l"),
            "{seen:?}"
        );
        seen
    }
}

#[test]
fn on_a_terminal_it_starts_shows_and_quits_clean() {
    let daemon = daemon();
    let mut terminal = Terminal::open(&daemon);
    terminal.until("PATH");
    terminal.press("?");
    terminal.until("keys");
    terminal.press("xq");
    let seen = terminal.ended();
    assert!(seen.contains("ended with 0"), "{seen:?}");
}

#[test]
fn signals_give_the_terminal_back_too() {
    let daemon = daemon();
    for name in ["-TERM", "-INT"] {
        let terminal = Terminal::open(&daemon);
        terminal.until("PATH");
        terminal.signal(name);
        terminal.ended();
    }
    // As a key, which in raw mode is no signal.
    let mut terminal = Terminal::open(&daemon);
    terminal.until("PATH");
    terminal.press("\u{3}");
    terminal.ended();
}

#[test]
fn following_events_ends_on_a_signal() {
    let daemon = daemon();
    let socket = daemon.socket();
    let mut command = dxctl_command(&["events", "--follow"], &[("BGPD_SOCKET", text(&socket))]);
    let child = command.stdout(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(700));
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    let run = Run::from(child.wait_with_output().unwrap());
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("1 group moved"), "{run:?}");
}
