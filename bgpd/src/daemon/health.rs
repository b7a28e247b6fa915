//! The paths' health: which paths are looked after, and what becomes of what is
//! concluded of them.

use bgp_core::api::EventKind;
use bgp_core::path::{Evidence, Health, Target, Trust};
use bgp_core::policy::{Adverse, Stance};
use tokio::sync::oneshot;

use super::Daemon;
use super::journal::Weight;
use crate::control::health_name;
use crate::health::{Concluded, Watched};
use crate::{fastpath, router};

/// `on_degraded = "withdraw"`, but the far end's traffic has nowhere to go.
const STILL_ANNOUNCED: &str = "; our routes are not withdrawn, for no other path is better";

impl Daemon {
    /// Looks after the paths of the configuration, and no others.
    pub(super) fn watch_paths(&mut self) {
        let config = self.config.clone();
        let targets = |probe: &Option<bgp_core::config::Probe>| -> Vec<Target> {
            probe
                .iter()
                .flat_map(|probe| probe.targets.clone())
                .collect()
        };
        for name in config.all_peers().map(|peer| &peer.name) {
            self.ids.assign(name);
        }
        for path in &config.paths {
            self.ids.assign(&path.name);
        }
        let peers = config.all_peers().map(|peer| {
            let silent = (peer.on_degraded == Adverse::Withdraw).then(|| {
                let ways = self.other_ways(std::slice::from_ref(&peer.name), &peer.name);
                ways.iter().filter_map(|way| self.ids.of(way)).collect()
            });
            (&peer.name, &peer.health, targets(&peer.probe), silent)
        });
        let paths = config
            .paths
            .iter()
            .map(|path| (&path.name, &path.health, targets(&path.probe), None));
        let watched = peers
            .chain(paths)
            .filter_map(|(name, settings, targets, silent)| {
                Some(Watched {
                    path: self.ids.of(name)?,
                    settings: settings.clone(),
                    targets,
                    silent,
                })
            });
        let watched: Vec<Watched> = watched.collect();
        if let Some(fastpath) = &self.parts.fastpath {
            for one in &watched {
                fastpath.watch(one.path, fastpath::Watched::ByHealth);
            }
        }
        self.parts.health.watch(watched);
    }

    pub(super) fn on_concluded(&mut self, concluded: Concluded) {
        let Concluded {
            path,
            transition,
            stance,
        } = concluded;
        let name = self.ids.name(path);
        self.measures
            .observe_transition(&name, transition.from, transition.to);
        let weight = match transition.to {
            Health::Up | Health::Suspect | Health::Recovering | Health::Held => Weight::Info,
            Health::Degraded | Health::Down => Weight::Warning,
        };
        let (from, to) = (health_name(transition.from), health_name(transition.to));
        let is_kept = transition.trust != Trust::Full && stance == Stance::Normal;
        let kept = if is_kept { STILL_ANNOUNCED } else { "" };
        let text = format!("health: {from} → {to}: {}{kept}", transition.reason);
        let evidence = transition.evidence.clone();
        self.journal
            .tell(weight, EventKind::Health, &name, text, evidence);
    }

    /// Tells health how many prefixes each peer announces.
    pub(super) fn count_prefixes(&self) {
        let (answer, counts) = oneshot::channel();
        // With the router that busy there will be another time.
        if self
            .parts
            .router
            .try_send(router::Command::Counts { answer })
            .is_err()
        {
            return;
        }
        let health = self.parts.health.clone();
        tokio::spawn(async move {
            for (path, counts) in counts.await.unwrap_or_default() {
                let fresh = counts.received.saturating_sub(counts.stale);
                health.tell(path, Evidence::Prefixes(fresh));
            }
        });
    }
}
