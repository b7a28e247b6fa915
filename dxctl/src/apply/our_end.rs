//! bgpd's end of a session: it takes a new key, comes up, and says for how long it
//! was down.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use bgp_core::api::{EventKind, EventsQuery, LoggedEvent};
use bgp_core::config::AuthKey;

use super::lock::KeyLock;
use crate::Refused;
use crate::control::{Control, ControlError};
use crate::key_file::{self, Other, Written};
use crate::output::note;

#[derive(Clone, Debug)]
pub(crate) struct OurEnd {
    /// bgpd's name of it.
    pub(crate) session: String,
    pub(crate) key_file: PathBuf,
    directory: PathBuf,
    control: Control,
}

/// The last of bgpd's events at some time; `None` where it doesn't say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(Option<u64>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CameUp {
    Yes,
    No,
    /// No bgpd is here to be asked.
    Unknown,
}

impl OurEnd {
    /// The session with this far end in bgpd's configuration.
    pub(crate) fn find(directory: &Path, far_end: IpAddr, socket: &Path) -> anyhow::Result<Self> {
        let path = directory.join("bgpd.toml");
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let config = bgp_core::config::parse(&text).map_err(|_| {
            Refused::new(format!(
                "{}: bgpd would not take it: bgpd check says why",
                path.display()
            ))
        })?;
        let mut peers = config.all_peers();
        let peer = peers.find(|peer| peer.remote == far_end).ok_or_else(|| {
            Refused::new(format!("{} has no session with {far_end}", path.display()))
        })?;
        let key_file = peer.auth_key_file.clone().ok_or_else(|| {
            Refused::new(format!(
                "{}: session {:?} has no key file",
                path.display(),
                peer.name
            ))
        })?;
        Ok(Self {
            session: peer.name.to_string(),
            key_file,
            directory: directory.to_owned(),
            control: Control::at(socket),
        })
    }

    /// Nobody else changes a key of this bgpd's meanwhile.
    pub(super) fn lock(&self, patience: Duration) -> anyhow::Result<KeyLock> {
        KeyLock::take(&self.directory, patience)
    }

    /// Into the key file, and bgpd reads it.
    pub(crate) async fn take(&self, key: &AuthKey) -> anyhow::Result<Written> {
        let written = key_file::write(&self.key_file, key, Other::Replace)?;
        match self.control.reload().await {
            Ok(()) => {}
            Err(ControlError::Absent(_) | ControlError::Stale(_)) => {
                note("note: bgpd is not running here: it takes the new key when it starts")
            }
            Err(error) => {
                return Err(error).context(
                    "the key file has the new key, but bgpd has not read it: run this again",
                );
            }
        }
        Ok(written)
    }

    /// Whether it comes up in time, later than `since`.
    pub(crate) async fn established(
        &self,
        since: Option<Instant>,
        patience: Duration,
    ) -> anyhow::Result<CameUp> {
        let until = Instant::now() + patience;
        loop {
            let status = match self.control.status().await {
                Ok(status) => status,
                Err(ControlError::Absent(_) | ControlError::Stale(_)) => {
                    return Ok(CameUp::Unknown);
                }
                Err(error) => return Err(error.into()),
            };
            let peer = status.peers.iter().find(|peer| peer.name == self.session);
            let is_new = |seconds: f64| {
                since.is_none_or(|since| seconds <= since.elapsed().as_secs_f64() + 0.1)
            };
            if peer.is_some_and(|peer| peer.state == "Established" && is_new(peer.since)) {
                return Ok(CameUp::Yes);
            }
            if Instant::now() >= until {
                let why = peer.and_then(|peer| peer.last_error.clone());
                note(format_args!(
                    "{} is not up: {}",
                    self.session,
                    why.unwrap_or_else(|| "bgpd says no reason".to_owned())
                ));
                return Ok(CameUp::No);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    pub(crate) async fn mark(&self) -> Mark {
        let events = self.control.events(&EventsQuery::default()).await;
        let last =
            |events: bgp_core::api::Events| events.events.last().map_or(0, |event| event.sequence);
        Mark(events.ok().map(last))
    }

    /// Seconds from when the session went down until it was up again, as bgpd has
    /// it.
    pub(crate) async fn outage(&self, since: Mark) -> Option<f64> {
        let query = EventsQuery {
            after: Some(since.0?),
        };
        let events = self.control.events(&query).await.ok()?.events;
        down_for(&events, &self.session)
    }
}

const LOOK_AGAIN: Duration = Duration::from_millis(200);

fn down_for(events: &[LoggedEvent], session: &str) -> Option<f64> {
    let own = |event: &&LoggedEvent| event.kind == EventKind::Session && event.subject == session;
    let own: Vec<&LoggedEvent> = events.iter().filter(own).collect();
    let down = own
        .iter()
        .find(|event| event.text.starts_with("session is down"))?;
    let up = own
        .iter()
        .rfind(|event| event.text.starts_with("session is Established"))?;
    (up.at >= down.at).then_some(up.at - down.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: f64, subject: &str, text: &str) -> LoggedEvent {
        LoggedEvent {
            sequence: 1,
            at,
            subject: subject.to_owned(),
            kind: EventKind::Session,
            text: text.to_owned(),
            evidence: Vec::new(),
        }
    }

    #[test]
    fn the_outage_is_from_the_first_down_to_the_last_up_of_the_session() {
        let events = [
            event(10.0, "prod", "session is down: closed"),
            event(11.0, "other", "session is Established"),
            event(14.5, "prod", "session is Established with AS 64512"),
        ];
        assert_eq!(down_for(&events, "prod"), Some(4.5));
        assert_eq!(down_for(&events[..2], "prod"), None);
    }
}
