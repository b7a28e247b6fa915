//! What has happened, for `GET /v1/events`: the last [`KEPT`] events, each also
//! in the log.

use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

use bgp_core::api::{Events, EventsQuery, LoggedEvent};

const KEPT: usize = 1000;

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
            text,
        };
        self.events.push_back(event);
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
}
