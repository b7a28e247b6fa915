//! Whether the backup can take the traffic: looked at before anything is taken
//! down. Pure.

use std::collections::BTreeMap;

use bgp_core::Family;
use bgp_core::api::{PathStatus, PeerStatus, Status};
use ipnet::IpNet;
use serde::Serialize;

use super::super::daemon::{is_fit, loss_percent, path, peer, spelled};

/// What is taken down, and what bgpd has in its place.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    /// The VIF, as bgpd names it.
    pub(super) name: String,
    pub(super) sessions: Vec<String>,
    /// Interfaces of its sessions.
    pub(super) interfaces: Vec<String>,
    pub(super) backups: Vec<Backup>,
}

/// A path outside of the VIF that traffic may move to.
#[derive(Clone, Debug)]
pub(super) struct Backup {
    pub(super) path: String,
    pub(super) interface: Option<String>,
    /// Sessions of the VIF that name it as `backup`: it takes all their traffic.
    pub(super) of: Vec<String>,
}

impl Subject {
    pub(super) fn of(status: &Status, name: &str, sessions: Vec<String>) -> Self {
        let own = |name: &String| sessions.contains(name);
        let interface = |name: &String| path(status, name)?.interface.clone();
        let backup = |path: &PathStatus| {
            let names_it = |session: &&String| {
                let peer = peer(status, session);
                peer.is_some_and(|peer| peer.backup.as_ref() == Some(&path.name))
            };
            let of: Vec<String> = sessions.iter().filter(names_it).cloned().collect();
            // A static path takes traffic only where it is named.
            let may = !own(&path.name) && (!of.is_empty() || peer(status, &path.name).is_some());
            may.then(|| Backup {
                path: path.name.clone(),
                interface: path.interface.clone(),
                of,
            })
        };
        let mut interfaces: Vec<String> = sessions.iter().filter_map(interface).collect();
        interfaces.dedup();
        Self {
            name: name.to_owned(),
            interfaces,
            backups: status.paths.iter().filter_map(backup).collect(),
            sessions,
        }
    }

    /// Without the sessions that are down before anything is taken down: that they are
    /// down then says nothing, and nobody makes them come back.
    pub(super) fn running(mut self, status: &Status) -> Self {
        let is_up = |peer: &PeerStatus| peer.state == "Established";
        self.sessions
            .retain(|name| peer(status, name).is_some_and(is_up));
        self
    }

    /// Prefixes whose traffic the VIF carries.
    pub(super) fn carries(&self, status: &Status) -> u64 {
        let paths = self.sessions.iter().filter_map(|name| path(status, name));
        paths.map(|path| path.carries).sum()
    }
}

/// What was looked at, and what was seen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Finding {
    pub(super) what: &'static str,
    pub(super) verdict: Fitness,
    pub(super) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Fitness {
    Fit,
    /// May go wrong; the test says.
    Doubtful,
    /// Traffic would be lost; not without `--force`.
    Unfit,
}

/// All that is known beforehand.
pub(super) struct Facts<'a> {
    pub(super) status: &'a Status,
    /// What each session has, as far as it was asked for.
    pub(super) prefixes: BTreeMap<String, Prefixes>,
    pub(super) links: BTreeMap<String, Link>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Prefixes {
    pub(super) list: Vec<IpNet>,
    /// There are more than were asked for.
    pub(super) truncated: bool,
}

/// Bits per second.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Link {
    pub(super) speed: Option<u64>,
    /// The busier direction, now.
    pub(super) load: f64,
}

pub(super) fn findings(subject: &Subject, facts: &Facts<'_>) -> Vec<Finding> {
    vec![
        sessions(subject, facts.status),
        traffic(subject, facts.status),
        health(subject, facts.status),
        coverage(subject, facts),
        capacity(subject, facts),
    ]
}

fn sessions(subject: &Subject, status: &Status) -> Finding {
    let states: Vec<(&String, &str)> = subject
        .sessions
        .iter()
        .filter_map(|name| Some((name, peer(status, name)?.state.as_str())))
        .collect();
    let down: Vec<String> = states
        .iter()
        .filter(|(_, state)| *state != "Established")
        .map(|(name, state)| format!("{name} is {state}"))
        .collect();
    let (verdict, text) = if down.len() == states.len() {
        let text = format!("nothing to take down: {}", or_none(&down));
        (Fitness::Unfit, text)
    } else if down.is_empty() {
        (Fitness::Fit, format!("{} Established", states.len()))
    } else {
        (Fitness::Doubtful, down.join(", "))
    };
    Finding {
        what: "sessions",
        verdict,
        text,
    }
}

fn traffic(subject: &Subject, status: &Status) -> Finding {
    let carries = subject.carries(status);
    let (verdict, text) = if carries == 0 {
        let text = format!("{} carries none now: nothing has to move", subject.name);
        (Fitness::Doubtful, text)
    } else {
        let text = format!("{} carries that of {carries} prefixes", subject.name);
        (Fitness::Fit, text)
    };
    Finding {
        what: "traffic",
        verdict,
        text,
    }
}

fn health(subject: &Subject, status: &Status) -> Finding {
    let paths: Vec<&PathStatus> = subject
        .backups
        .iter()
        .filter_map(|backup| path(status, &backup.path))
        .collect();
    let words: Vec<String> = paths.iter().map(|path| standing(path)).collect();
    let some_fit = paths.iter().any(|path| is_fit(path));
    let all_fit = paths.iter().all(|path| is_fit(path) && !is_lossy(path));
    let verdict = match (some_fit, all_fit) {
        (false, _) => Fitness::Unfit,
        (true, false) => Fitness::Doubtful,
        (true, true) => Fitness::Fit,
    };
    let text = if paths.is_empty() {
        "there is none: name a `backup` in bgpd's configuration, or add a second session".to_owned()
    } else {
        words.join("; ")
    };
    Finding {
        what: "backup's health",
        verdict,
        text,
    }
}

/// In per cent, of the last 100 probes.
const LOSSY: f64 = 2.0;

fn is_lossy(path: &PathStatus) -> bool {
    let loss = path.best_probe().and_then(loss_percent);
    loss.is_some_and(|percent| percent > LOSSY)
}

fn standing(path: &PathStatus) -> String {
    let mut words = vec![format!("{} is {}", path.name, spelled(&path.health.state))];
    if !path.up {
        words.push("can't carry traffic".to_owned());
    }
    words.extend(path.drained.as_ref().map(|who| format!("drained by {who}")));
    let loss = path.best_probe().and_then(loss_percent);
    words.extend(loss.map(|percent| format!("{percent:.0} % of probes lost")));
    let reason = path.reason.as_ref().or(path.health.reason.as_ref());
    words.extend(reason.filter(|_| !is_fit(path)).cloned());
    words.join(", ")
}

/// Each prefix of the VIF's has to be on another session too, or behind a backup
/// that takes all.
fn coverage(subject: &Subject, facts: &Facts<'_>) -> Finding {
    let is_session = |backup: &&Backup| peer(facts.status, &backup.path).is_some();
    let elsewhere: Vec<IpNet> = subject
        .backups
        .iter()
        .filter(is_session)
        .filter_map(|backup| facts.prefixes.get(&backup.path))
        .flat_map(|prefixes| prefixes.list.iter().copied())
        .collect();
    let elsewhere = Cover::of(&elsewhere);
    let (mut all, mut missing, mut truncated) = (0u64, Vec::new(), false);
    for session in &subject.sessions {
        let takes_all = subject.backups.iter().any(|backup| {
            backup.of.contains(session) && peer(facts.status, &backup.path).is_none()
        });
        let Some(prefixes) = facts.prefixes.get(session) else {
            continue;
        };
        truncated |= prefixes.truncated;
        all += prefixes.list.len() as u64;
        if !takes_all {
            let uncovered = prefixes.list.iter().filter(|net| !elsewhere.has(net));
            missing.extend(uncovered.copied());
        }
    }
    let (verdict, text) = if missing.is_empty() {
        let more = if truncated { " of those looked at" } else { "" };
        let verdict = if truncated {
            Fitness::Doubtful
        } else {
            Fitness::Fit
        };
        (verdict, format!("all {all}{more} have another path"))
    } else {
        let some: Vec<String> = missing.iter().take(5).map(IpNet::to_string).collect();
        let more = if missing.len() > 5 { ", …" } else { "" };
        let text = format!(
            "{} of {all} have no other path: {}{more}",
            missing.len(),
            some.join(", ")
        );
        (Fitness::Unfit, text)
    };
    Finding {
        what: "prefixes",
        verdict,
        text,
    }
}

/// Prefixes, to be asked for a longest match.
struct Cover(std::collections::BTreeSet<(Family, IpNet)>);

impl Cover {
    fn of(list: &[IpNet]) -> Self {
        let keyed = list.iter().map(|net| (Family::of(net.addr()), net.trunc()));
        Self(keyed.collect())
    }

    /// It, or one that holds it.
    fn has(&self, net: &IpNet) -> bool {
        let family = Family::of(net.addr());
        let shorter = std::iter::successors(Some(net.trunc()), IpNet::supernet);
        shorter
            .into_iter()
            .any(|net| self.0.contains(&(family, net)))
    }
}

/// A link that is to carry its own traffic and the VIF's.
fn capacity(subject: &Subject, facts: &Facts<'_>) -> Finding {
    let load_of = |name: &String| facts.links.get(name).map_or(0.0, |link| link.load);
    let ours: f64 = subject.interfaces.iter().map(load_of).sum();
    let mut worst = Fitness::Fit;
    let mut words = vec![format!("the VIF carries {}", bits(ours))];
    for backup in &subject.backups {
        let interface = backup.interface.as_deref().unwrap_or("?");
        let link = facts.links.get(interface).copied().unwrap_or_default();
        let shared = subject.interfaces.iter().any(|own| own == interface);
        let (verdict, text) = match link.speed {
            _ if shared => (Fitness::Doubtful, "the same interface".to_owned()),
            None => (Fitness::Doubtful, "its speed is not known".to_owned()),
            Some(speed) => {
                let use_then = (ours + link.load) / speed as f64;
                let verdict = match use_then {
                    full if full > 1.0 => Fitness::Unfit,
                    high if high > 0.8 => Fitness::Doubtful,
                    _ => Fitness::Fit,
                };
                let text = format!(
                    "{} of {}, then {:.0} % full",
                    bits(link.load),
                    bits(speed as f64),
                    use_then * 100.0
                );
                (verdict, text)
            }
        };
        worst = worst.max(verdict);
        words.push(format!("{} ({interface}): {text}", backup.path));
    }
    Finding {
        what: "capacity",
        verdict: worst,
        text: words.join("; "),
    }
}

/// Bits per second with a unit that fits.
pub(super) fn bits(rate: f64) -> String {
    match rate {
        r if r >= 1e9 => format!("{:.1} Gbit/s", r / 1e9),
        r if r >= 1e6 => format!("{:.1} Mbit/s", r / 1e6),
        r if r >= 1e3 => format!("{:.1} kbit/s", r / 1e3),
        r => format!("{r:.0} bit/s"),
    }
}

fn or_none(list: &[String]) -> String {
    if list.is_empty() {
        "it has no session".to_owned()
    } else {
        list.join(", ")
    }
}

#[cfg(test)]
mod tests;
