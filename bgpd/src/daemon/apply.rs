//! Carries out a reload: all of it can be done, or nothing is.

use std::collections::HashMap;
use std::sync::Arc;

use bgp_core::api::Reloaded;
use bgp_core::config::{AuthKey, Config, Peer};
use bgp_core::peer::StopReason;

use super::check::{self, Report};
use super::reload::{self, KeyChange, LinkChange, Step};
use super::sessions::{Slot, Wait};
use super::{Daemon, keys, listeners, notify};
use crate::fastpath::Voice;
use crate::{control, interface, router};

type Keys = HashMap<Arc<str>, Option<AuthKey>>;

impl Daemon {
    /// Reads the file again. `Err`: nothing was changed, and why.
    pub(super) async fn reload(&mut self) -> Result<Reloaded, String> {
        notify::notify("RELOADING=1");
        let outcome = self.try_reload().await;
        match &outcome {
            Ok(reloaded) if reloaded.changes.is_empty() => {
                self.journal.info("bgpd", "reload: nothing has changed")
            }
            Ok(reloaded) => self
                .journal
                .info("bgpd", format!("reload: {}", reloaded.changes.join("; "))),
            Err(why) => self.journal.error(
                "bgpd",
                format!("reload refused, nothing was changed: {why}"),
            ),
        }
        notify::notify("READY=1");
        outcome
    }

    async fn try_reload(&mut self) -> Result<Reloaded, String> {
        let new = check::load(&self.file).map_err(|refusal| {
            Report {
                file: &self.file,
                refusal: &refusal,
            }
            .to_string()
        })?;
        if let Some(why) = reload::needs_restart(&self.config, &new) {
            return Err(why);
        }
        let keys = read_keys(&new)?;
        self.rebind(&new).await?;
        let old = self.config.clone();
        let mut changes = Vec::new();
        let steps = self.steps(&old, &new, &keys);
        self.end_what_goes(&old, &new, &steps, &mut changes).await;
        self.config = Arc::new(new);
        self.bring_up_what_comes(&old, steps, keys, &mut changes)
            .await;
        Ok(Reloaded { changes })
    }

    /// Binds listeners that differ; the old ones go only once the new are there.
    async fn rebind(&mut self, new: &Config) -> Result<(), String> {
        let words = |error: anyhow::Error| format!("{error:#}");
        let metrics = new.daemon.metrics;
        let new_metrics = match metrics.filter(|_| metrics != self.config.daemon.metrics) {
            Some(address) => Some(
                control::MetricsServer::start(address, self.requests.clone())
                    .await
                    .map_err(words)?,
            ),
            None => None,
        };
        let known = |address| {
            self.listeners
                .iter()
                .any(|listening| listening.address == address)
        };
        let added: Vec<_> = new
            .daemon
            .listen
            .iter()
            .copied()
            .filter(|address| !known(*address))
            .collect();
        let mut added = listeners::bind(&added, &self.accepted).map_err(words)?;
        let before = self.listeners.len();
        self.listeners.append(&mut added);
        if let Err(why) = self.set_all_keys() {
            self.listeners.truncate(before);
            return Err(why);
        }
        self.listeners
            .retain(|listening| new.daemon.listen.contains(&listening.address));
        if metrics != self.config.daemon.metrics {
            self.metrics = new_metrics;
        }
        Ok(())
    }

    /// What each session of the new configuration needs; `None`: it is new.
    fn steps(&self, old: &Config, new: &Config, keys: &Keys) -> Vec<(Arc<str>, Option<Step>)> {
        let step = |peer: &Peer| {
            let before = reload::peer(old, &peer.name)?;
            let session = self.sessions.get(&peer.name)?;
            // A session that waits for a usable key file has it now.
            let same_key =
                keys.get(&peer.name) == Some(&session.key) && !waits_for_reload(&session.slot);
            let key = if same_key {
                KeyChange::Same
            } else {
                KeyChange::Changed
            };
            Some(reload::step(before, peer, key, moved(old, new, peer)))
        };
        new.all_peers()
            .map(|peer| (peer.name.clone(), step(peer)))
            .collect()
    }

    async fn end_what_goes(
        &mut self,
        old: &Config,
        new: &Config,
        steps: &[(Arc<str>, Option<Step>)],
        changes: &mut Vec<String>,
    ) {
        let gone = reload::gone(old, new);
        let gone_sessions = gone
            .iter()
            .map(|name| (name.clone(), StopReason::PeerDeconfigured));
        let restarted = steps
            .iter()
            .filter(|(_, step)| matches!(step, Some(Step::Restart(_))));
        let restarted = restarted.map(|(name, _)| (name.clone(), StopReason::ConfigurationChange));
        self.stop_sessions(gone_sessions.chain(restarted).collect())
            .await;
        for name in &gone {
            self.forget(name).await;
            changes.push(format!("{name}: removed"));
        }
        for vif in &old.vifs {
            let next = reload::vif(new, &vif.name);
            if next.is_some_and(|next| reload::link_change(vif, next) == LinkChange::Same) {
                continue;
            }
            self.vifs.remove(&vif.name);
            match interface::remove_vif(&vif.interface).await {
                Ok(true) => changes.push(format!(
                    "{}: interface {:?} removed",
                    vif.name, vif.interface
                )),
                Ok(false) => {}
                Err(error) => self.journal.warn(
                    &vif.name,
                    format!("interface {:?} stays: {error}", vif.interface),
                ),
            }
        }
    }

    async fn forget(&mut self, name: &Arc<str>) {
        let id = self.ids.assign(name);
        if self.sessions.remove(name).is_some() {
            self.tell_router(router::Command::Remove { path: id }).await;
        }
        self.forget_orders(name);
        self.parts.bfd.forget(id);
        self.links.forget(id);
        if let Some(fastpath) = &self.parts.fastpath {
            let why = "removed from the configuration".to_owned();
            fastpath.path_down(id, Voice::Session, why);
            fastpath.set_link(id, None);
            fastpath.set_backup(id, None);
        }
    }

    async fn bring_up_what_comes(
        &mut self,
        old: &Config,
        steps: Vec<(Arc<str>, Option<Step>)>,
        mut keys: Keys,
        changes: &mut Vec<String>,
    ) {
        let config = self.config.clone();
        for vif in &config.vifs {
            let before = reload::vif(old, &vif.name);
            if before.is_some_and(|before| !reload::same_interface(before, vif)) {
                changes.push(format!("{}: interface changed", vif.name));
                self.ensure_vif(vif).await;
            }
        }
        self.ensure_vifs().await;
        self.drain_added(old);
        for (name, step) in steps {
            let Some(peer) = reload::peer(&config, &name) else {
                continue;
            };
            let key = keys.remove(&name).flatten();
            self.take_step(peer, key, step, changes).await;
        }
        for path in &config.paths {
            match reload::path(old, &path.name) {
                None => changes.push(format!("{}: path added", path.name)),
                Some(before) if before != path => {
                    changes.push(format!("{}: path changed", path.name))
                }
                Some(_) => {}
            }
        }
        self.watch_paths();
        self.refresh_links().await;
        self.set_nat();
        self.set_probes();
        self.refresh_bfd();
        self.start_waiting_sessions().await;
    }

    async fn take_step(
        &mut self,
        peer: &Peer,
        key: Option<AuthKey>,
        step: Option<Step>,
        changes: &mut Vec<String>,
    ) {
        let name = &peer.name;
        let fresh = || Slot::Waiting {
            reason: "not started yet".to_owned(),
            wait: Wait::Interface,
        };
        match step {
            Some(Step::Untouched) => {}
            Some(Step::Configure) => {
                changes.push(format!("{name}: policy changed, session kept"));
                let peer = Arc::new(peer.clone());
                let path = self.ids.assign(name);
                if let Some(session) = self.sessions.get_mut(name) {
                    session.peer = peer.clone();
                }
                self.tell_router(router::Command::Configure { path, peer })
                    .await;
            }
            Some(Step::Restart(reasons)) => {
                changes.push(format!(
                    "{name}: session restarted ({} changed)",
                    reasons.join(", ")
                ));
                self.add_session_with_key(Arc::new(peer.clone()), key, fresh())
                    .await;
            }
            None => {
                changes.push(format!("{name}: session added"));
                self.add_session_with_key(Arc::new(peer.clone()), key, fresh())
                    .await;
            }
        }
    }
}

fn waits_for_reload(slot: &Slot) -> bool {
    matches!(
        slot,
        Slot::Waiting {
            wait: Wait::Reload,
            ..
        }
    )
}

fn moved(old: &Config, new: &Config, peer: &Peer) -> LinkChange {
    let vif = peer.vif.as_deref();
    match (
        vif.and_then(|name| reload::vif(old, name)),
        vif.and_then(|name| reload::vif(new, name)),
    ) {
        (Some(before), Some(after)) => reload::link_change(before, after),
        _ => LinkChange::Same,
    }
}

/// All keys, or why one can't be had: with a running daemon that refuses the
/// reload, so that no session is lost to a slip.
fn read_keys(config: &Config) -> Result<Keys, String> {
    let mut keys = Keys::new();
    let mut errors = Vec::new();
    for peer in config.all_peers() {
        match keys::key_of(peer) {
            Ok(key) => {
                keys.insert(peer.name.clone(), key);
            }
            Err(error) => errors.push(error.to_string()),
        }
        if let Err(error) = keys::bfd_of(peer) {
            errors.push(error.to_string());
        }
    }
    if errors.is_empty() {
        Ok(keys)
    } else {
        Err(errors.join("\n"))
    }
}
