//! `dxctl check`: bgpd's paths and sessions as a monitoring plugin, by the
//! Monitoring Plugins' development guidelines: one line, performance data behind
//! `|`, exit status 0 to 3.

mod threshold;

use std::collections::BTreeSet;

use bgp_core::api::{Health, PathStatus, PeerStatus, Status};
use serde::Serialize;

pub(crate) use threshold::Threshold;
use threshold::{Figure, Range};

use super::daemon::{self, loss_percent, members, spelled};
use crate::Verdict;
use crate::cli::{CheckArgs, Global};
use crate::control::Control;
use crate::output::microseconds;

pub(super) async fn run(args: CheckArgs, global: &Global) -> anyhow::Result<Verdict> {
    let answer = match Control::at(&global.socket).status().await {
        Ok(status) => judged(&status, &args),
        Err(error) => Answer::unknown(error.to_string()),
    };
    global.reader().show(&answer, Answer::line)?;
    Ok(answer.state.verdict())
}

/// How bad it is, from good to unknown; of several the worst counts, and
/// CRITICAL is worse than UNKNOWN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum State {
    Ok,
    Warning,
    Unknown,
    Critical,
}

impl State {
    fn verdict(self) -> Verdict {
        match self {
            Self::Ok => Verdict::Fine,
            Self::Warning => Verdict::Differs,
            Self::Critical => Verdict::Critical,
            Self::Unknown => Verdict::Unknown,
        }
    }
}

#[derive(Debug, Serialize)]
struct Answer {
    state: State,
    text: String,
    data: Vec<Datum>,
}

impl Answer {
    fn unknown(text: String) -> Self {
        Self {
            state: State::Unknown,
            text,
            data: Vec::new(),
        }
    }

    fn line(&self) -> String {
        // What is behind a `|` is performance data, whatever it says.
        let text = self.text.replace('|', "/").replace(['\n', '\r'], " ");
        let data: Vec<String> = self.data.iter().map(Datum::text).collect();
        let bar = if data.is_empty() { "" } else { " | " };
        format!(
            "DX {} - {text}{bar}{}\n",
            spelled(&self.state),
            data.join(" ")
        )
    }
}

/// One figure of one path or session.
#[derive(Debug, Serialize)]
struct Datum {
    label: String,
    value: f64,
    unit: &'static str,
    warning: Option<String>,
    critical: Option<String>,
    max: Option<f64>,
}

impl Datum {
    /// `'label'=value[UOM];[warn];[crit];[min];[max]`. A quote in a label is
    /// doubled, and it can't hold an equals sign.
    fn text(&self) -> String {
        let label = self.label.replace('=', "_").replace('\'', "''");
        let or_none = |text: &Option<String>| text.clone().unwrap_or_default();
        let max = self.max.map(|max| max.to_string()).unwrap_or_default();
        let value = (self.value * 1000.0).round() / 1000.0;
        format!(
            "'{label}'={value}{};{};{};0;{max}",
            self.unit,
            or_none(&self.warning),
            or_none(&self.critical),
        )
    }
}

fn judged(status: &Status, args: &CheckArgs) -> Answer {
    let names = match wanted(status, &args.names) {
        Ok(names) => names,
        Err(refused) => return Answer::unknown(refused.to_string()),
    };
    let mut check = Check {
        args,
        found: Vec::new(),
        data: Vec::new(),
    };
    for name in &names {
        check.one(status, name);
    }
    if args.names.is_empty() {
        check.whole(status);
    }
    check.answer()
}

/// Sessions and paths, each once, in bgpd's order.
fn wanted(status: &Status, names: &[String]) -> Result<Vec<String>, crate::Refused> {
    let mut asked = BTreeSet::new();
    for name in names {
        asked.extend(members(status, name)?);
    }
    let all = daemon::names(status);
    Ok(all
        .into_iter()
        .filter(|name| names.is_empty() || asked.contains(name))
        .collect())
}

struct Check<'a> {
    args: &'a CheckArgs,
    found: Vec<(State, String)>,
    data: Vec<Datum>,
}

impl Check<'_> {
    fn one(&mut self, status: &Status, name: &str) {
        if let Some(peer) = status.peers.iter().find(|peer| peer.name == name) {
            self.session(peer);
        }
        if let Some(path) = status.paths.iter().find(|path| path.name == name) {
            self.path(path);
        }
    }

    fn session(&mut self, peer: &PeerStatus) {
        if peer.state != "Established" {
            let why = peer.last_error.as_deref().unwrap_or("no error yet");
            self.found.push((
                State::Critical,
                format!("session {} is {} ({why})", peer.name, peer.state),
            ));
        }
        self.figure(&peer.name, Figure::Prefixes, peer.prefixes.accepted as f64);
    }

    fn path(&mut self, path: &PathStatus) {
        let (state, text) = standing(path);
        self.found.push((state, format!("{} {text}", path.name)));
        let Some(probe) = path.best_probe() else {
            return;
        };
        let milliseconds = |us: Option<u64>| us.map(|us| us as f64 / 1000.0);
        let figures = [
            (Figure::Rtt, milliseconds(probe.rtt_avg.or(probe.rtt_last))),
            (Figure::Jitter, milliseconds(probe.jitter)),
            (Figure::Loss, loss_percent(probe)),
        ];
        for (figure, value) in figures {
            if let Some(value) = value {
                self.figure(&path.name, figure, value);
            }
        }
    }

    fn figure(&mut self, name: &str, figure: Figure, value: f64) {
        let range = |thresholds: &[Threshold]| -> Option<Range> {
            let of = thresholds.iter().rev().find(|one| one.figure == figure);
            of.map(|one| one.range.clone())
        };
        let [warning, critical] = [&self.args.warning, &self.args.critical].map(|all| range(all));
        let alerting = [(State::Critical, &critical), (State::Warning, &warning)]
            .into_iter()
            .find_map(|(state, range)| {
                let range = range.as_ref().filter(|range| range.alerts(value))?;
                Some((state, range))
            });
        if let Some((state, range)) = alerting {
            let unit = figure.unit();
            self.found.push((
                state,
                format!(
                    "{name}: {} {value:.3}{unit} (threshold {range})",
                    figure.name()
                ),
            ));
        }
        self.data.push(Datum {
            label: format!("{name} {}", figure.name()),
            value,
            unit: figure.unit(),
            warning: warning.map(|range| range.to_string()),
            critical: critical.map(|range| range.to_string()),
            max: (figure == Figure::Loss).then_some(100.0),
        });
    }

    fn whole(&mut self, status: &Status) {
        for problem in &status.problems {
            self.found.push((State::Warning, problem.clone()));
        }
        if self.found.is_empty() {
            self.found
                .push((State::Unknown, "bgpd has no session and no path".to_owned()));
        }
    }

    /// What is worst comes first; what is well is told only when all is well.
    fn answer(mut self) -> Answer {
        let state = self.found.iter().map(|(state, _)| *state).max();
        let state = state.unwrap_or(State::Ok);
        self.found
            .sort_by_key(|(state, _)| std::cmp::Reverse(*state));
        let texts: Vec<String> = self
            .found
            .into_iter()
            .filter(|(one, _)| state == State::Ok || *one != State::Ok)
            .map(|(_, text)| text)
            .collect();
        Answer {
            state,
            text: texts.join("; "),
            data: self.data,
        }
    }
}

/// What a path's health means for who watches it.
fn standing(path: &PathStatus) -> (State, String) {
    let reason = path.health.reason.as_ref().or(path.reason.as_ref());
    let because = reason.map_or(String::new(), |reason| format!(" ({reason})"));
    if let Some(who) = &path.drained {
        return (State::Warning, format!("drained by {who}"));
    }
    let health = spelled(&path.health.state);
    match path.health.state {
        Health::Up if path.up => {
            let rtt = path.best_probe().and_then(|probe| probe.rtt_last);
            let rtt = rtt.map_or(String::new(), |us| format!(", rtt {}", microseconds(us)));
            (State::Ok, format!("up{rtt}"))
        }
        Health::Suspect | Health::Degraded | Health::Recovering | Health::Held => {
            (State::Warning, format!("{health}{because}"))
        }
        Health::Up | Health::Down => (State::Critical, format!("down{because}")),
    }
}

#[cfg(test)]
mod tests;
