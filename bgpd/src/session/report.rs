//! Keeps the session's [`Status`] up to date.

use std::net::IpAddr;
use std::time::Instant;

use bgp_core::api::MessageCounts;
use bgp_core::peer::{DownReason, Negotiated, Peer};
use tokio::sync::watch;

use super::Status;

/// What [`Status`] says beside the state.
pub(super) struct Report {
    status: watch::Sender<Status>,
    pub(super) counts: MessageCounts,
    pub(super) last_down: Option<DownReason>,
    pub(super) last_error: Option<String>,
    pub(super) flaps: u64,
}

impl Report {
    pub(super) fn new(status: watch::Sender<Status>) -> Self {
        Self {
            status,
            counts: MessageCounts::default(),
            last_down: None,
            last_error: None,
            flaps: 0,
        }
    }

    /// Wakes who watches only for what an operator would want to know.
    pub(super) fn publish(
        &mut self,
        peer: &Peer,
        running: Option<(&Negotiated, Option<IpAddr>)>,
        now: Instant,
    ) {
        let state = peer.state();
        self.status.send_if_modified(|status| {
            status.messages = self.counts;
            let moved = status.state != state;
            let told = status.last_error != self.last_error || status.flaps != self.flaps;
            if moved {
                status.state = state;
                status.since = now;
            }
            if moved || told {
                status.negotiated = running.map(|(negotiated, _)| negotiated.clone());
                status.local = running.and_then(|(_, local)| local);
                status.last_error.clone_from(&self.last_error);
                status.last_down.clone_from(&self.last_down);
                status.flaps = self.flaps;
            }
            moved || told
        });
    }
}
