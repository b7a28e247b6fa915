//! What has happened, for `GET /v1/events`: the last [`KEPT`] events, each also
//! in the log. A peer that comes and goes in a loop fills neither: of its sessions at
//! most [`AT_ONCE`] events are told in [`WINDOW`], the rest is counted.

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bgp_core::api::{EventKind, Events, EventsQuery, EvidenceItem, LoggedEvent};
use hashbrown::HashMap;

const KEPT: usize = 1000;
const AT_ONCE: u32 = 20;
const WINDOW: Duration = Duration::from_secs(10);

/// How loud an event is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    Info,
    Warning,
    Error,
}

#[derive(Default)]
pub(super) struct Journal {
    events: VecDeque<LoggedEvent>,
    sequence: u64,
    recent: HashMap<String, Recent>,
}

/// What one peer has caused in the present [`WINDOW`].
struct Recent {
    since: Instant,
    told: u32,
    untold: u64,
}

impl Journal {
    pub(super) fn info(&mut self, subject: &str, text: impl Into<String>) {
        self.add(Weight::Info, subject, text.into());
    }

    pub(super) fn warn(&mut self, subject: &str, text: impl Into<String>) {
        self.add(Weight::Warning, subject, text.into());
    }

    pub(super) fn error(&mut self, subject: &str, text: impl Into<String>) {
        self.add(Weight::Error, subject, text.into());
    }

    /// What an operator has asked for.
    pub(super) fn drain(&mut self, subject: &str, text: impl Into<String>) {
        let kind = EventKind::Drain;
        self.tell(Weight::Info, kind, subject, text.into(), Vec::new());
    }

    /// What a peer can cause as often as it likes.
    pub(super) fn session(&mut self, weight: Weight, peer: &str, text: String) {
        self.tell_of_peer(weight, EventKind::Session, peer, text);
    }

    /// The same of another kind.
    pub(super) fn tell_of_peer(
        &mut self,
        weight: Weight,
        kind: EventKind,
        peer: &str,
        text: String,
    ) {
        match self.admit(peer, Instant::now()) {
            None => {}
            Some(0) => self.tell(weight, kind, peer, text, Vec::new()),
            Some(untold) => self.tell(
                weight,
                kind,
                peer,
                format!("{text} ({untold} events before this one were too many to tell)"),
                Vec::new(),
            ),
        }
    }

    pub(super) fn after(&self, query: &EventsQuery) -> Events {
        let after = query.after.unwrap_or(0);
        Events {
            events: self
                .events
                .iter()
                .filter(|event| event.sequence > after)
                .cloned()
                .collect(),
        }
    }

    fn add(&mut self, weight: Weight, subject: &str, text: String) {
        self.tell(weight, EventKind::Other, subject, text, Vec::new());
    }

    /// Of what kind it is, and what it was concluded from.
    pub(super) fn tell(
        &mut self,
        weight: Weight,
        kind: EventKind,
        subject: &str,
        text: String,
        evidence: Vec<EvidenceItem>,
    ) {
        match weight {
            Weight::Info => tracing::info!(target: "bgpd", subject, "{text}"),
            Weight::Warning => tracing::warn!(target: "bgpd", subject, "{text}"),
            Weight::Error => tracing::error!(target: "bgpd", subject, "{text}"),
        }
        if self.events.len() == KEPT {
            self.events.pop_front();
        }
        self.sequence += 1;
        let event = LoggedEvent {
            sequence: self.sequence,
            at: wall_clock(),
            subject: subject.to_owned(),
            kind,
            text,
            evidence,
        };
        self.events.push_back(event);
    }

    /// How many events of the peer's were held back since the last one, if one may
    /// be told now.
    fn admit(&mut self, peer: &str, now: Instant) -> Option<u64> {
        let recent = self
            .recent
            .entry_ref(peer)
            .or_insert_with(|| Recent::new(now));
        if now.saturating_duration_since(recent.since) >= WINDOW {
            *recent = Recent {
                untold: recent.untold,
                ..Recent::new(now)
            };
        }
        if recent.told == AT_ONCE {
            recent.untold += 1;
            return None;
        }
        recent.told += 1;
        Some(std::mem::take(&mut recent.untold))
    }
}

impl Recent {
    const fn new(since: Instant) -> Self {
        Self {
            since,
            told: 0,
            untold: 0,
        }
    }
}

/// Seconds since the Unix epoch, for people.
#[expect(clippy::disallowed_methods, reason = "nothing is decided by it")]
fn wall_clock() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_events_go_and_the_sequence_stays() {
        let mut journal = Journal::default();
        for number in 0..=KEPT {
            journal.info("prod", number.to_string());
        }
        let all = journal.after(&EventsQuery::default()).events;
        assert_eq!(
            (all.len(), all.first().map(|event| event.sequence)),
            (KEPT, Some(2))
        );
        let last = journal.after(&EventsQuery { after: Some(1000) }).events;
        assert_eq!(last.first().map(|event| event.text.as_str()), Some("1000"));
    }

    #[test]
    fn a_peer_that_is_too_loud_is_counted_and_hushes_no_other() {
        let mut journal = Journal::default();
        let begin = Instant::now();
        let told = (0..100).filter(|_| journal.admit("prod", begin).is_some());
        assert_eq!(told.count(), 20);
        assert_eq!(journal.admit("other", begin), Some(0));
        assert_eq!(journal.admit("prod", begin + WINDOW), Some(80));
    }
}
