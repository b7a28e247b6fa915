//! Samples as lines, as JSON and as a page: what goes into a pipe.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bgp_core::api::{BfdStatus, PathStatus, PeerStatus, ProbeStatus, Status, Swap};
use serde::Serialize;

use super::super::daemon::{carrying, loss_percent, spelled};
use super::super::or_dash;
use crate::control::ControlError;
use crate::output::{Listing, ago, microseconds, timestamp};

/// As JSON.
#[derive(Serialize)]
pub(super) struct Sample<'a> {
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
    bfd: Option<&'a BfdStatus>,
}

impl<'a> Sample<'a> {
    pub(super) fn of(answer: &'a Result<Status, ControlError>, now: SystemTime) -> Self {
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
            bfd: peer.bfd.as_ref(),
        }
    }
}

/// One sample in one line.
pub(super) fn line(answer: &Result<Status, ControlError>, now: SystemTime) -> String {
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
        format!("health={}", spelled(&path.health.state)),
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
pub(super) fn page(answer: &Result<Status, ControlError>, now: SystemTime) -> String {
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
        "{}   AS {}   up {}   traffic: {traffic}\n\n",
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
        "HEALTH",
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
            spelled(&path.health.state),
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

pub(super) fn swap_words(swap: &Swap) -> String {
    let groups = if swap.groups == 1 { "group" } else { "groups" };
    format!(
        "{} ago, {} {groups} in {}: {}",
        ago(swap.age),
        swap.groups,
        microseconds(swap.took),
        swap.reason
    )
}
