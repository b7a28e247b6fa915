//! BFD of sessions: who is watched and how, and what is written down of it.

use bgp_core::api::EventKind;
use bgp_core::bfd::Verdict;
use bgp_core::config::{Peer, Ttl};
use bgp_core::path::{self, Evidence};

use super::journal::Weight;
use super::keys::{self, KeyFileError};
use super::{Daemon, sessions};
use crate::bfd::{self, Event, Hops};
use crate::session;

impl Daemon {
    /// Watches the peer from now on, or goes on with what is new; `None`: without
    /// BFD. A key that can't be had leaves the session waiting for a reload.
    pub(super) fn watch_bfd(&self, peer: &Peer) -> Result<Option<session::Bfd>, KeyFileError> {
        let Some(path) = self.ids.of(&peer.name) else {
            return Ok(None);
        };
        let handle = self.parts.bfd.clone();
        let Some((config, settings)) = peer.bfd.as_ref().zip(keys::bfd_of(peer)?) else {
            handle.forget(path);
            // That it was up is no evidence any more.
            let silent = Evidence::Bfd(path::Bfd::Silent);
            self.parts.health.tell(path, silent);
            return Ok(None);
        };
        let verdict = handle.watch(bfd::Peer {
            path,
            name: peer.name.clone(),
            remote: peer.remote,
            local: peer.local.map(|local| local.addr()),
            interface: peer.interface.clone(),
            hops: match peer.ttl {
                Ttl::Multihop(_) => Hops::Multi,
                Ttl::Direct | Ttl::Security => Hops::Single,
            },
            settings,
            damping: config.damping,
            wait: config.wait,
        });
        Ok(Some(session::Bfd {
            path,
            handle,
            verdict,
        }))
    }

    /// After a reload: timers and keys change in place, without a flap.
    pub(super) fn refresh_bfd(&mut self) {
        let config = self.config.clone();
        for peer in config.all_peers() {
            let running = self
                .sessions
                .get(&peer.name)
                .is_some_and(sessions::Session::is_running);
            if !running {
                continue;
            }
            match self.watch_bfd(peer) {
                Ok(bfd) => self.tell(&peer.name, session::Command::Bfd(bfd)),
                // It could be read a moment ago.
                Err(error) => self.journal.error(&peer.name, error.to_string()),
            }
        }
    }

    pub(super) fn on_bfd(&mut self, event: Event) {
        let (path, weight, text) = match event {
            Event::Said { path, verdict, at } => {
                let evidence = Evidence::Bfd(evidence(&verdict));
                self.parts.health.tell_at(path, evidence, at);
                let (weight, text) = words(verdict);
                (path, weight, text)
            }
            Event::Damped { path, wait } => {
                let text = format!(
                    "BFD is Up again, but has flapped: not believed before it has been for {wait:?} (`damping`)"
                );
                (path, Weight::Warning, text)
            }
            Event::Unheard { path } => {
                let text = "the far end has stopped speaking BFD, and BGP gets through: the path is used without it";
                (path, Weight::Warning, text.to_owned())
            }
            Event::OneWay { path, at } => {
                let evidence = Evidence::Bfd(path::Bfd::FarEndHearsNothing);
                self.parts.health.tell_at(path, evidence, at);
                let text = "BFD: loss in one direction, what we send: the far end says that it hears nothing of us, and we hear it";
                (path, Weight::Warning, text.to_owned())
            }
            Event::OneWayOver { path, verdict, at } => {
                self.parts
                    .health
                    .tell_at(path, Evidence::Bfd(evidence(&verdict)), at);
                let text = "BFD: the far end doesn't say any more that it hears nothing of us";
                (path, Weight::Info, text.to_owned())
            }
            Event::Failed { path, reason } => {
                let text = format!(
                    "no BFD: {reason}; see that the address is ours and that nothing else uses UDP port 3784 (4784 for multihop) there, or set `bfd = false`; trying again"
                );
                (path, Weight::Warning, text)
            }
        };
        let name = self.ids.name(path);
        self.journal
            .tell_of_peer(weight, EventKind::Bfd, &name, text);
    }
}

/// In health's words.
fn evidence(verdict: &Verdict) -> path::Bfd {
    match verdict {
        Verdict::Up => path::Bfd::Up,
        Verdict::Down(reason) => path::Bfd::Down(reason.clone()),
        Verdict::AdminDown | Verdict::Unknown => path::Bfd::Silent,
    }
}

fn words(verdict: Verdict) -> (Weight, String) {
    match verdict {
        Verdict::Up => (Weight::Info, "BFD is Up".to_owned()),
        Verdict::Down(reason) => (Weight::Warning, format!("BFD is Down: {reason}")),
        Verdict::AdminDown => (
            Weight::Info,
            "one end has ended BFD without a failure: the session goes on without it".to_owned(),
        ),
        Verdict::Unknown => (Weight::Info, "BFD begins anew".to_owned()),
    }
}
