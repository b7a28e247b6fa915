//! `dxctl monitor`: what is going on, once per interval.

use std::io::{IsTerminal, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bgp_core::api::{PathStatus, PeerStatus, ProbeStatus, Status, Swap};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::MissedTickBehavior;

use super::daemon::{carrying, loss_percent};
use super::or_dash;
use crate::Verdict;
use crate::cli::{Global, MonitorArgs};
use crate::control::{Control, ControlError};
use crate::output::{Listing, Reader, ago, json_line, microseconds, print, timestamp};

pub(super) async fn run(args: MonitorArgs, global: &Global) -> anyhow::Result<Verdict> {
    let control = Control::at(&global.socket);
    let mut screen = Screen::open(global.reader());
    let mut ticks = tokio::time::interval(args.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    // Both ways of ending leave the terminal as it was.
    let mut terminated = signal(SignalKind::terminate())?;
    let mut taken = 0u64;
    let mut verdict = Verdict::Fine;
    let count = if args.once { Some(1) } else { args.count };
    while count.is_none_or(|count| taken < count) {
        tokio::select! {
            _ = ticks.tick() => {}
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                break;
            }
            _ = terminated.recv() => break,
        }
        let answer = control.status().await;
        // A daemon that goes away is something to see; one that never was is a mistake.
        if taken == 0
            && let Err(error) = answer
        {
            return Err(error.into());
        }
        verdict = if is_well(&answer) {
            Verdict::Fine
        } else {
            Verdict::Differs
        };
        screen.show(&answer, SystemTime::now())?;
        taken += 1;
    }
    Ok(verdict)
}

/// What the last sample said decides the exit status.
fn is_well(answer: &Result<Status, ControlError>) -> bool {
    answer
        .as_ref()
        .is_ok_and(|status| status.peers.iter().all(|peer| peer.state == "Established"))
}

/// Where samples go: refreshed in place on a terminal, a line each in a pipe.
enum Screen {
    Terminal(Alternate),
    Lines,
    Json,
}

impl Screen {
    fn open(reader: Reader) -> Self {
        match reader {
            Reader::Machine => Self::Json,
            Reader::Person if std::io::stdout().is_terminal() => Self::Terminal(Alternate::enter()),
            Reader::Person => Self::Lines,
        }
    }

    fn show(
        &mut self,
        answer: &Result<Status, ControlError>,
        now: SystemTime,
    ) -> Result<(), crate::output::Unwritable> {
        match self {
            Self::Terminal(alternate) => alternate.refresh(page(answer, now)),
            Self::Lines => print(&line(answer, now)),
            Self::Json => print(&json_line(&Sample::of(answer, now))),
        }
    }
}

/// The terminal's second screen. Left on drop, and the last page printed where
/// the user was.
struct Alternate {
    last: String,
}

impl Alternate {
    fn enter() -> Self {
        // A terminal that can't be written to shows itself at the first page.
        let _ = print("\x1b[?1049h\x1b[?25l");
        Self {
            last: String::new(),
        }
    }

    fn refresh(&mut self, page: String) -> Result<(), crate::output::Unwritable> {
        let lines: String = page.lines().map(|line| format!("{line}\x1b[K\n")).collect();
        self.last = page;
        print(&format!("\x1b[H{lines}\x1b[J"))
    }
}

impl Drop for Alternate {
    fn drop(&mut self) {
        let mut out = std::io::stdout().lock();
        // There is nobody left to tell.
        let _ = write!(out, "\x1b[?25h\x1b[?1049l{}", self.last);
        let _ = out.flush();
    }
}

#[derive(Serialize)]
struct Sample<'a> {
    at: f64,
    /// Paths with traffic on them.
    carrying: Vec<&'a str>,
    peers: Vec<PeerSample<'a>>,
    paths: &'a [PathStatus],
    problems: &'a [String],
    /// bgpd could not be asked.
    error: Option<String>,
}

#[derive(Serialize)]
struct PeerSample<'a> {
    name: &'a str,
    state: &'a str,
    since: f64,
    accepted: u64,
    advertised: u64,
    last_error: Option<&'a str>,
}

impl<'a> Sample<'a> {
    fn of(answer: &'a Result<Status, ControlError>, now: SystemTime) -> Self {
        let at = now
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO)
            .as_secs_f64();
        match answer {
            Ok(status) => Self {
                at,
                carrying: carrying(status),
                peers: status.peers.iter().map(PeerSample::of).collect(),
                paths: &status.paths,
                problems: &status.problems,
                error: None,
            },
            Err(error) => Self {
                at,
                carrying: Vec::new(),
                peers: Vec::new(),
                paths: &[],
                problems: &[],
                error: Some(error.to_string()),
            },
        }
    }
}

impl<'a> PeerSample<'a> {
    fn of(peer: &'a PeerStatus) -> Self {
        Self {
            name: &peer.name,
            state: &peer.state,
            since: peer.since,
            accepted: peer.prefixes.accepted,
            advertised: peer.prefixes.advertised,
            last_error: peer.last_error.as_deref(),
        }
    }
}

/// One sample in one line.
fn line(answer: &Result<Status, ControlError>, now: SystemTime) -> String {
    let status = match answer {
        Ok(status) => status,
        Err(error) => return format!("{} {error}\n", timestamp(now)),
    };
    let carrying = carrying(status);
    let traffic = if carrying.is_empty() {
        "-".to_owned()
    } else {
        carrying.join(",")
    };
    let peers: Vec<String> = status.peers.iter().map(peer_words).collect();
    let paths: Vec<String> = status.paths.iter().map(path_words).collect();
    format!(
        "{} traffic={traffic} | {} | {}\n",
        timestamp(now),
        peers.join("; "),
        paths.join("; ")
    )
}

fn peer_words(peer: &PeerStatus) -> String {
    match (&peer.last_error, peer.state.as_str()) {
        (Some(error), state) if state != "Established" => {
            format!("{} {state} ({error})", peer.name)
        }
        (_, state) => format!("{} {state}", peer.name),
    }
}

fn path_words(path: &PathStatus) -> String {
    let mut words = vec![
        path.name.clone(),
        if path.up { "up" } else { "down" }.to_owned(),
    ];
    if let Some(probe) = path.best_probe() {
        words.push(format!(
            "rtt={}",
            or_dash(probe.rtt_last.map(microseconds)).replace(' ', "")
        ));
        words.push(format!(
            "loss={}",
            or_dash(loss_percent(probe).map(|p| format!("{p:.0}%")))
        ));
    }
    words.push(format!("carries={}", path.carries));
    if let Some(swap) = &path.last_swap {
        words.push(format!("swap=\"{}\"", swap.reason.replace('"', "'")));
    }
    words.join(" ")
}

/// One sample as a page.
fn page(answer: &Result<Status, ControlError>, now: SystemTime) -> String {
    let status = match answer {
        Ok(status) => status,
        Err(error) => return format!("{}\n\n{error}\n", timestamp(now)),
    };
    let carrying = carrying(status);
    let traffic = if carrying.is_empty() {
        "no path".to_owned()
    } else {
        carrying.join(", ")
    };
    let mut text = format!(
        "{}   AS {}   up {}   traffic: {traffic}   (Ctrl-C ends)\n\n",
        timestamp(now),
        status.asn,
        ago(status.uptime)
    );
    text.push_str(&peers_table(&status.peers));
    text.push('\n');
    text.push_str(&paths_table(&status.paths));
    if !status.problems.is_empty() {
        text.push_str(&format!("\n{}\n", status.problems.join("\n")));
    }
    text
}

fn peers_table(peers: &[PeerStatus]) -> String {
    let mut table = Listing::new(&[
        "SESSION",
        "STATE",
        "FOR",
        "RECEIVED",
        "ANNOUNCED",
        "FLAPS",
        "LAST ERROR",
    ]);
    for peer in peers {
        table.row(vec![
            peer.name.clone(),
            peer.state.clone(),
            ago(peer.since),
            peer.prefixes.received.to_string(),
            peer.prefixes.advertised.to_string(),
            peer.flaps.to_string(),
            or_dash(
                peer.last_error
                    .as_ref()
                    .filter(|_| peer.state != "Established"),
            ),
        ]);
    }
    table.text()
}

fn paths_table(paths: &[PathStatus]) -> String {
    let mut table = Listing::new(&[
        "PATH",
        "STATE",
        "CARRIES",
        "RTT",
        "MIN",
        "AVG",
        "MAX",
        "LOSS",
        "LAST SWAP",
    ]);
    for path in paths {
        let rtt = |of: fn(&ProbeStatus) -> Option<u64>| {
            or_dash(path.best_probe().and_then(of).map(microseconds))
        };
        table.row(vec![
            path.name.clone(),
            if path.up { "up" } else { "down" }.to_owned(),
            path.carries.to_string(),
            rtt(|probe| probe.rtt_last),
            rtt(|probe| probe.rtt_min),
            rtt(|probe| probe.rtt_avg),
            rtt(|probe| probe.rtt_max),
            or_dash(
                path.best_probe()
                    .and_then(loss_percent)
                    .map(|percent| format!("{percent:.0} %")),
            ),
            or_dash(path.last_swap.as_ref().map(swap_words)),
        ]);
    }
    table.text()
}

fn swap_words(swap: &Swap) -> String {
    let groups = if swap.groups == 1 { "group" } else { "groups" };
    format!(
        "{} ago, {} {groups} in {}: {}",
        ago(swap.age),
        swap.groups,
        microseconds(swap.took),
        swap.reason
    )
}
