//! What came of it: checks, figures, events; as text and as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use bgp_core::api::LoggedEvent;
use serde::Serialize;

use super::super::events;
use super::course::{Course, Marks, Plan};
use super::measured::{self, Outage, Stretch};
use super::preflight::{Finding, Fitness};
use crate::output::{Listing, microseconds, timestamp};

#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// `failover test`, `failover drill`.
    pub(super) kind: &'static str,
    pub(super) vif: String,
    pub(super) began: String,
    pub(super) passed: bool,
    pub(super) checks: Vec<Check>,
    pub(super) preflight: Vec<Finding>,
    /// By part of the course, in order.
    pub(super) parts: Vec<Part>,
    pub(super) outages: Vec<Outage>,
    pub(super) marks: Marks,
    pub(super) events: Vec<LoggedEvent>,
    pub(super) troubles: Vec<String>,
    /// It could not be stopped: what to do.
    pub(super) still_running: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Check {
    pub(super) what: &'static str,
    pub(super) passed: bool,
    pub(super) text: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) targets: Vec<Stretch>,
}

/// What still passes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) outage: Duration,
    pub(super) return_outage: Duration,
}

impl Report {
    pub(super) fn of(
        kind: &'static str,
        plan: &Plan,
        preflight: Vec<Finding>,
        course: &Course,
        limits: Limits,
    ) -> Self {
        let parts = parts(course);
        let checks = checks(plan, course, &parts, limits);
        Self {
            kind,
            vif: plan.subject.name.clone(),
            began: timestamp(course.began),
            passed: checks.iter().all(|check| check.passed) && course.troubles.is_empty(),
            checks,
            preflight,
            parts,
            outages: course
                .probes
                .iter()
                .flat_map(|(target, probes)| measured::outages(*target, some(probes)))
                .collect(),
            marks: course.marks.clone(),
            events: course.events.clone(),
            troubles: course.troubles.clone(),
            still_running: course.still_running.clone(),
        }
    }
}

fn some<T>(list: &Option<Vec<T>>) -> &[T] {
    list.as_deref().unwrap_or_default()
}

pub(super) const BEFORE: &str = "before";
pub(super) const AWAY: &str = "on the backup";
pub(super) const RETURN: &str = "return";

fn parts(course: &Course) -> Vec<Part> {
    let marks = &course.marks;
    let started = marks.started.unwrap_or(marks.end);
    let stopping = marks.stopping.unwrap_or(marks.end);
    let bounds = [
        (BEFORE, 0.0, started),
        (AWAY, started, stopping),
        (RETURN, stopping, marks.end),
    ];
    let part = |(name, from, to)| Part {
        name,
        from,
        to,
        targets: course
            .probes
            .iter()
            .map(|(target, probes)| measured::stretch(*target, some(probes), from, to))
            .collect(),
    };
    bounds.into_iter().map(part).collect()
}

fn checks(plan: &Plan, course: &Course, parts: &[Part], limits: Limits) -> Vec<Check> {
    let marks = &course.marks;
    let after = |mark: Option<f64>, since: Option<f64>| {
        Some(format!("{:.1} s later", mark? - since.unwrap_or_default()))
    };
    let mark = |what, mark: Option<f64>, since| Check {
        what,
        passed: mark.is_some(),
        text: after(mark, since).unwrap_or_else(|| "it did not happen".to_owned()),
    };
    vec![
        mark("sessions went down", marks.down, marks.started),
        moved(plan, course),
        outage(
            "outage on the way to the backup",
            AWAY,
            parts,
            limits.outage,
        ),
        mark("stopped", marks.stopped, marks.stopping),
        mark("sessions and traffic came back", marks.back, marks.stopping),
        outage(
            "outage on the way back",
            RETURN,
            parts,
            limits.return_outage,
        ),
    ]
}

/// The VIF carries nothing, others do.
fn moved(plan: &Plan, course: &Course) -> Check {
    let what = "traffic moved to the backup";
    let from = course.marks.down.unwrap_or(f64::INFINITY);
    let to = course.marks.stopping.unwrap_or(course.marks.end);
    let mut while_down = course
        .samples
        .iter()
        .filter(|sample| (from..to).contains(&sample.at) && !sample.carries.is_empty());
    if plan.carried == 0 {
        let text = "the VIF carried none before".to_owned();
        let passed = true;
        return Check { what, passed, text };
    }
    let Some(moved) = while_down.rfind(|sample| sample.carried(&plan.subject) == 0) else {
        return Check {
            what,
            passed: false,
            text: "the VIF's paths went on carrying traffic".to_owned(),
        };
    };
    let taken: BTreeMap<&String, &u64> = moved.carries.iter().filter(|(_, n)| **n > 0).collect();
    let words: Vec<String> = taken
        .iter()
        .map(|(path, prefixes)| format!("{path} carries {prefixes} prefixes"))
        .collect();
    Check {
        what,
        passed: !taken.is_empty(),
        text: if words.is_empty() {
            "no path carries it".to_owned()
        } else {
            words.join(", ")
        },
    }
}

fn outage(what: &'static str, part: &str, parts: &[Part], limit: Duration) -> Check {
    let targets = || {
        let of_part = parts.iter().filter(move |one| one.name == part);
        of_part.flat_map(|part| &part.targets)
    };
    let sent: u64 = targets().map(|stretch| stretch.sent).sum();
    let lost: u64 = targets().map(|stretch| stretch.lost).sum();
    let longest = targets().map(|one| one.longest_outage).fold(0.0, f64::max);
    let pause = targets().map(|one| one.longest_pause).fold(0.0, f64::max);
    let pause = if pause > limit.as_secs_f64() {
        format!("; dxctl itself paused for {}: a busy machine?", time(pause))
    } else {
        String::new()
    };
    Check {
        what,
        passed: sent > 0 && longest <= limit.as_secs_f64(),
        text: format!(
            "{}, {lost} of {sent} probes lost (limit {}){pause}",
            time(longest),
            time(limit.as_secs_f64())
        ),
    }
}

/// Seconds as people read them.
pub(super) fn time(seconds: f64) -> String {
    match (seconds * 1e6).round() {
        us if us >= 1.0 => microseconds(us as u64),
        _ => "0".to_owned(),
    }
}

/// For people, after the preflight that they have read already.
pub(super) fn text(report: &Report) -> String {
    let verdict = if report.passed { "PASSED" } else { "FAILED" };
    let mut text = format!("{} of {}: {verdict}\n\n", report.kind, report.vif);
    for check in &report.checks {
        let mark = if check.passed { "ok    " } else { "FAILED" };
        text.push_str(&format!("{mark}  {}: {}\n", check.what, check.text));
    }
    for trouble in &report.troubles {
        text.push_str(&format!("FAILED  {trouble}\n"));
    }
    let mut table = Listing::new(&[
        "PART", "FOR", "TARGET", "SENT", "LOST", "OUTAGE", "RTT MIN", "P50", "P99", "MAX",
    ]);
    for part in &report.parts {
        for one in &part.targets {
            let rtt = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), time);
            table.row(vec![
                part.name.to_owned(),
                format!("{:.1} s", part.to - part.from),
                one.target.to_string(),
                one.sent.to_string(),
                one.lost.to_string(),
                time(one.longest_outage),
                rtt(one.rtt_min),
                rtt(one.rtt_p50),
                rtt(one.rtt_p99),
                rtt(one.rtt_max),
            ]);
        }
    }
    text.push_str(&format!("\n{}", table.text()));
    if !report.events.is_empty() {
        text.push_str("\nWhat bgpd saw:\n");
        report
            .events
            .iter()
            .for_each(|event| text.push_str(&events::lines(event)));
    }
    if let Some(what_to_do) = &report.still_running {
        text.push_str(&format!("\nIT IS STILL RUNNING. {what_to_do}\n"));
    }
    text
}

/// What the preflight saw, a line each.
pub(super) fn preflight_text(findings: &[Finding]) -> String {
    let line = |finding: &Finding| {
        let mark = match finding.verdict {
            Fitness::Fit => "ok   ",
            Fitness::Doubtful => "doubt",
            Fitness::Unfit => "UNFIT",
        };
        format!("{mark}  {}: {}\n", finding.what, finding.text)
    };
    findings.iter().map(line).collect()
}
