//! `dxctl events`: what happened, each with what it was concluded from.

use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use bgp_core::api::{EventKind, EventsQuery, LoggedEvent, Status};
use tokio::signal::unix::{SignalKind, signal};

use super::daemon::{members, spelled};
use crate::cli::{EventsArgs, Global};
use crate::control::{Control, ControlError};
use crate::output::{Reader, json_line, note, print, timestamp};
use crate::{Refused, Verdict};

/// How often to look for what is new.
const EVERY: Duration = Duration::from_millis(250);

pub(super) async fn run(args: EventsArgs, global: &Global) -> anyhow::Result<Verdict> {
    let control = Control::at(&global.socket);
    let wanted = Wanted::of(&args, &control).await?;
    let first = since(&control, args.since).await?;
    let mut seen = show(first, args.since, &wanted, global.reader())?;
    if args.follow {
        follow(&control, &mut seen, &wanted, global.reader()).await?;
    }
    Ok(Verdict::Fine)
}

/// Until Ctrl-C or SIGTERM. A bgpd that restarts counts from 1 again.
async fn follow(
    control: &Control,
    seen: &mut Option<u64>,
    wanted: &Wanted,
    reader: Reader,
) -> anyhow::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut ticks = tokio::time::interval(EVERY);
    let mut gone = false;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            interrupted = tokio::signal::ctrl_c() => return Ok(interrupted?),
            _ = terminated.recv() => return Ok(()),
        }
        match since(control, *seen).await {
            Ok(events) => {
                if std::mem::take(&mut gone) {
                    note("note: bgpd answers again");
                }
                *seen = show(events, *seen, wanted, reader)?;
            }
            Err(error) => {
                if !std::mem::replace(&mut gone, true) {
                    note(format_args!("note: {error}; waiting for it"));
                }
            }
        }
    }
}

/// What came after `seen`; everything, when bgpd has begun anew.
pub(super) async fn since(
    control: &Control,
    seen: Option<u64>,
) -> Result<Vec<LoggedEvent>, ControlError> {
    let newer = control.events(&EventsQuery { after: seen }).await?.events;
    if !newer.is_empty() || seen.is_none_or(|seen| seen == 0) {
        return Ok(newer);
    }
    let all = control.events(&EventsQuery { after: None }).await?.events;
    let latest = all.last().map_or(0, |event| event.sequence);
    let began_anew = seen.is_some_and(|seen| latest < seen);
    Ok(if began_anew { all } else { newer })
}

/// Prints those wanted; the last sequence number, whether wanted or not.
fn show(
    events: Vec<LoggedEvent>,
    seen: Option<u64>,
    wanted: &Wanted,
    reader: Reader,
) -> Result<Option<u64>, crate::output::Unwritable> {
    let latest = events.last().map(|event| event.sequence).or(seen);
    for event in events.iter().filter(|event| wanted.takes(event)) {
        match reader {
            Reader::Machine => print(&json_line(event))?,
            Reader::Person => print(&lines(event))?,
        }
    }
    Ok(latest)
}

struct Wanted {
    /// `None`: all.
    subjects: Option<BTreeSet<String>>,
    kinds: Vec<EventKind>,
}

impl Wanted {
    async fn of(args: &EventsArgs, control: &Control) -> anyhow::Result<Self> {
        let mut subjects = None;
        if !args.path.is_empty() {
            let status = control.status().await?;
            let mut all = BTreeSet::new();
            for name in &args.path {
                all.extend(subjects_of(&status, name)?);
            }
            subjects = Some(all);
        }
        Ok(Self {
            subjects,
            kinds: args.kind.clone(),
        })
    }

    fn takes(&self, event: &LoggedEvent) -> bool {
        let subject = self
            .subjects
            .as_ref()
            .is_none_or(|subjects| subjects.contains(&event.subject));
        subject && (self.kinds.is_empty() || self.kinds.contains(&event.kind))
    }
}

/// The name itself and, of a VIF, its sessions' and its interface's.
fn subjects_of(status: &Status, name: &str) -> Result<Vec<String>, Refused> {
    let mut subjects = members(status, name)?;
    if let Some(vif) = status.vifs.iter().find(|vif| vif.name == name) {
        subjects.extend([vif.name.clone(), vif.interface.clone()]);
    }
    Ok(subjects)
}

/// A line, and one more for each piece of evidence.
pub(super) fn lines(event: &LoggedEvent) -> String {
    let at = Duration::try_from_secs_f64(event.at).unwrap_or_default();
    let mut text = format!(
        "{} {:>5} {:<8} {}: {}\n",
        timestamp(UNIX_EPOCH + at),
        event.sequence,
        spelled(&event.kind),
        event.subject,
        event.text
    );
    let width = event.evidence.iter().map(|item| item.what.chars().count());
    let width = width.max().unwrap_or(0);
    for item in &event.evidence {
        text.push_str(&format!("{:40}{:<width$}  {}\n", "", item.what, item.value));
    }
    text
}

#[cfg(test)]
mod tests {
    use bgp_core::api::EvidenceItem;

    use super::*;

    #[test]
    fn an_event_shows_its_evidence_below() {
        let event = LoggedEvent {
            sequence: 7,
            at: 1_795_000_000.25,
            subject: "prod".into(),
            kind: EventKind::Health,
            text: "up -> degraded: loss".into(),
            evidence: vec![
                EvidenceItem {
                    what: "loss".into(),
                    value: "18 %".into(),
                },
                EvidenceItem {
                    what: "direction".into(),
                    value: "out".into(),
                },
            ],
        };
        insta::assert_snapshot!(lines(&event), @"
        2026-11-18T11:06:40.250Z     7 health   prod: up -> degraded: loss
                                                loss       18 %
                                                direction  out
        ");
    }
}
