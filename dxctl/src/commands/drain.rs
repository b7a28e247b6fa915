//! `dxctl drain` and `dxctl undrain`: asks, watches the traffic move, tells where.

use std::time::{Duration, Instant};

use anyhow::Context;
use bgp_core::api::{Drain, EventsQuery, LoggedEvent, PathStatus, Status};
use serde::Serialize;

use super::daemon::{members, path, peer};
use super::{answered, events};
use crate::Verdict;
use crate::cli::{DrainArgs, Global, UndrainArgs};
use crate::control::Control;
use crate::output::{Listing, note};

pub(super) async fn drain(args: DrainArgs, global: &Global) -> anyhow::Result<Verdict> {
    let watch = Watch::begin(global, &args.name).await?;
    let drain = Drain {
        name: args.name,
        force: args.force,
    };
    if watch.is_drained() {
        note(format_args!("note: {} is drained already", drain.name));
    }
    let concerned = answered(watch.control.drain(&drain).await);
    let concerned = concerned.context("not drained (--force drains nevertheless)")?;
    watch.until(Goal::Away, concerned.names, args.timeout).await
}

pub(super) async fn undrain(args: UndrainArgs, global: &Global) -> anyhow::Result<Verdict> {
    let watch = Watch::begin(global, &args.name).await?;
    let concerned = answered(watch.control.undrain(&args.name).await)?;
    watch.until(Goal::Back, concerned.names, args.timeout).await
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Goal {
    Away,
    Back,
}

/// What was before, and who tells what is.
struct Watch<'a> {
    global: &'a Global,
    control: Control,
    before: Status,
    names: Vec<String>,
    /// The last event that happened before.
    seen: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Outcome {
    names: Vec<String>,
    /// Everything that was to happen has.
    done: bool,
    seconds: f64,
    /// Prefixes whose traffic each path carries, where that has changed.
    moved: Vec<Moved>,
    events: Vec<LoggedEvent>,
    /// What is still not as it should be.
    waiting_for: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Moved {
    path: String,
    before: u64,
    after: u64,
}

const EVERY: Duration = Duration::from_millis(200);

impl<'a> Watch<'a> {
    async fn begin(global: &'a Global, name: &str) -> anyhow::Result<Self> {
        let control = Control::at(&global.socket);
        let before = control.status().await?;
        let names = members(&before, name)?;
        let events = control.events(&EventsQuery::default()).await?.events;
        Ok(Self {
            global,
            control,
            before,
            names,
            seen: events.last().map(|event| event.sequence).or(Some(0)),
        })
    }

    /// All of it, before anything was asked.
    fn is_drained(&self) -> bool {
        let is_drained = |name: &String| {
            let path = path(&self.before, name);
            path.is_some_and(|path| path.drained.is_some() && path.leaves_in.is_none())
        };
        self.names.iter().all(is_drained)
    }

    async fn until(
        mut self,
        goal: Goal,
        concerned: Vec<String>,
        timeout: Duration,
    ) -> anyhow::Result<Verdict> {
        if !concerned.is_empty() {
            self.names = concerned;
        }
        let began = Instant::now();
        let mut events = Vec::new();
        let (now, waiting_for) = loop {
            let status = self.control.status().await?;
            // After the status: what has led to it is among them.
            let news = events::since(&self.control, self.seen).await?;
            self.seen = news.last().map(|event| event.sequence).or(self.seen);
            news.iter()
                .for_each(|event| note(events::lines(event).trim_end()));
            events.extend(news);
            let waiting_for = missing(goal, &status, &self.names);
            if waiting_for.is_empty() || began.elapsed() >= timeout {
                break (status, waiting_for);
            }
            tokio::time::sleep(EVERY).await;
        };
        let outcome = Outcome {
            names: self.names,
            done: waiting_for.is_empty(),
            seconds: began.elapsed().as_secs_f64(),
            moved: moved(&self.before, &now),
            events,
            waiting_for,
        };
        self.global
            .reader()
            .show(&outcome, |outcome| page(goal, outcome))?;
        Ok(if outcome.done {
            Verdict::Fine
        } else {
            Verdict::Differs
        })
    }
}

/// What is not as it should be yet.
fn missing(goal: Goal, status: &Status, names: &[String]) -> Vec<String> {
    let of = |name: &String| {
        let Some(path) = path(status, name) else {
            return Some(format!("{name}: bgpd has no such path any more"));
        };
        match goal {
            Goal::Away if path.drained.is_none() => Some(format!("{name} is not drained")),
            Goal::Away if path.leaves_in.is_some() => Some(format!(
                "{name} is being drained: our traffic leaves in {:.1} s",
                path.leaves_in.unwrap_or_default()
            )),
            Goal::Away if path.carries > 0 => Some(format!(
                "{name} still carries {} prefixes: no other path has them, or none is better",
                path.carries
            )),
            Goal::Back if path.drained.is_some() => Some(format!("{name} is still drained")),
            Goal::Back if !path.up => {
                let why = path.reason.as_ref().or(path.health.reason.as_ref());
                Some(format!(
                    "{name} is not up ({})",
                    why.map_or("no reason given", String::as_str)
                ))
            }
            // Where its routes are best, it is to carry them again.
            Goal::Back if path.carries == 0 => peer(status, name)
                .filter(|peer| peer.prefixes.best > 0)
                .map(|peer| {
                    let best = peer.prefixes.best;
                    format!("{name} is best for {best} prefixes and carries none of them yet")
                }),
            Goal::Away | Goal::Back => None,
        }
    };
    names.iter().filter_map(of).collect()
}

fn moved(before: &Status, now: &Status) -> Vec<Moved> {
    let changed = |path: &PathStatus| {
        let earlier = self::path(before, &path.name).map_or(0, |path| path.carries);
        (earlier != path.carries).then(|| Moved {
            path: path.name.clone(),
            before: earlier,
            after: path.carries,
        })
    };
    now.paths.iter().filter_map(changed).collect()
}

fn page(goal: Goal, outcome: &Outcome) -> String {
    let names = outcome.names.join(", ");
    let mut text = match (goal, outcome.done) {
        (Goal::Away, true) => format!("{names}: drained, after {:.1} s\n", outcome.seconds),
        (Goal::Back, true) => format!("{names}: in use again, after {:.1} s\n", outcome.seconds),
        (_, false) => format!(
            "not done after {:.1} s:\n  {}\n",
            outcome.seconds,
            outcome.waiting_for.join("\n  ")
        ),
    };
    if outcome.moved.is_empty() {
        text.push_str("No traffic has moved.\n");
        return text;
    }
    let mut table = Listing::new(&["PATH", "CARRIED", "CARRIES"]);
    for moved in &outcome.moved {
        table.row(vec![
            moved.path.clone(),
            moved.before.to_string(),
            moved.after.to_string(),
        ]);
    }
    text.push_str(&table.text());
    text
}
