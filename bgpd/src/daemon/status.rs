//! What the control socket and the metrics show: a snapshot that the daemon's
//! task takes at once, completed elsewhere with what router, fib and fast path
//! have to be asked for.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bgp_core::api::{
    BfdStatus, Health, HealthStatus, KernelStatus, PathStatus, PeerStatus, PrefixCounts, Status,
    Swap, VifStatus,
};
use bgp_core::config::{Config, Vif};
use bgp_core::{Family, PathId};
use tokio::sync::{mpsc, oneshot};

use super::links::{VifState, name_of};
use super::sessions::{Session, Slot};
use super::{Daemon, HELD_BACK};
use crate::{bfd, control, fastpath, fib, health, probe, router};

/// The paths, how many prefixes each carries, and their health.
type Forwarding = (
    Vec<fastpath::PathState>,
    HashMap<PathId, u64>,
    HashMap<PathId, HealthStatus>,
);

/// How long the router may take to count its prefixes.
const PATIENCE: Duration = Duration::from_secs(5);

pub struct Snapshot {
    /// Without paths, kernel, prefix counts and problems.
    status: Status,
    config: Arc<Config>,
    /// Each path's name and id, with whether its session is up, if it has one.
    paths: Vec<(Arc<str>, PathId, Option<bool>)>,
    /// What keeps paths empty.
    drained: HashMap<String, Drained>,
    router: mpsc::Sender<router::Command>,
    fastpath: Option<fastpath::Handle>,
    pub(crate) fib: Option<fib::Handle>,
    probe: probe::Handle,
    bfd: bfd::Handle,
    health: health::Handle,
    pub(crate) measures: control::Measures,
}

/// Why a path is to be empty, and when it will be.
struct Drained {
    by: String,
    leaves_in: Option<Duration>,
}

impl Daemon {
    pub(super) fn snapshot(&self) -> Snapshot {
        let config = self.config.clone();
        let status = Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            router_id: config.daemon.router_id,
            asn: config.daemon.asn,
            uptime: self.started.elapsed().as_secs_f64(),
            config: self.file.display().to_string(),
            vifs: config
                .vifs
                .iter()
                .map(|vif| vif_status(vif, self.vifs.get(&vif.name)))
                .collect(),
            peers: config
                .all_peers()
                .filter_map(|peer| self.sessions.get(&peer.name))
                .map(peer_status)
                .collect(),
            paths: Vec::new(),
            kernel: KernelStatus::default(),
            problems: Vec::new(),
        };
        Snapshot {
            status,
            drained: self.drained(&config),
            paths: self.named_paths(&config),
            config,
            router: self.parts.router.clone(),
            fastpath: self.parts.fastpath.clone(),
            fib: self.parts.fib.clone(),
            probe: self.parts.probe.clone(),
            bfd: self.parts.bfd.clone(),
            health: self.parts.health.clone(),
            measures: self.measures.clone(),
        }
    }

    fn drained(&self, config: &Config) -> HashMap<String, Drained> {
        let peers = config.all_peers().map(|peer| &peer.name);
        let names = peers.chain(config.paths.iter().map(|path| &path.name));
        let drained = |name: &Arc<str>| {
            let drained = Drained {
                by: self.operator.who(name)?,
                leaves_in: self.operator.leaves_in(name),
            };
            Some((name.to_string(), drained))
        };
        names.filter_map(drained).collect()
    }

    fn named_paths(&self, config: &Config) -> Vec<(Arc<str>, PathId, Option<bool>)> {
        let sessions = config
            .all_peers()
            .map(|peer| (&peer.name, Some(self.is_established(&peer.name))));
        let paths = config.paths.iter().map(|path| (&path.name, None));
        sessions
            .chain(paths)
            .filter_map(|(name, up)| Some((name.clone(), self.ids.of(name)?, up)))
            .collect()
    }
}

impl Snapshot {
    /// Asks the other parts; what one of them doesn't answer stays empty.
    pub(crate) async fn complete(mut self) -> Status {
        let counts = self.counts().await;
        let mut bfd = self.bfd_states().await;
        for peer in &mut self.status.peers {
            let id = self
                .paths
                .iter()
                .find(|(name, ..)| **name == *peer.name)
                .map(|(_, id, _)| *id);
            peer.bfd = id.and_then(|id| bfd.remove(&id));
            peer.prefixes = id
                .and_then(|id| counts.get(&id).copied())
                .unwrap_or_default();
        }
        let (states, carried, health) = self.forwarding().await;
        let measured = self.measured().await;
        let paths = self.paths.iter();
        self.status.paths = paths
            .map(|(name, id, session_up)| {
                let state = states.iter().find(|state| state.path == *id);
                let carries = carried.get(id).copied().unwrap_or(0);
                let probes = measured.iter().filter(|one| one.path == *id);
                let status = self.path_status(name, *session_up, state, carries, probes);
                PathStatus {
                    health: health.get(id).cloned().unwrap_or(status.health),
                    ..status
                }
            })
            .collect();
        self.status.kernel = self
            .fib
            .as_ref()
            .map(fib::Handle::status)
            .unwrap_or_default();
        self.status.problems = self.problems();
        self.status
    }

    async fn counts(&self) -> HashMap<PathId, PrefixCounts> {
        let (answer, counts) = oneshot::channel();
        let ask = async {
            self.router
                .send(router::Command::Counts { answer })
                .await
                .ok()?;
            counts.await.ok()
        };
        let counts = tokio::time::timeout(PATIENCE, ask).await.ok().flatten();
        counts.unwrap_or_default().into_iter().collect()
    }

    async fn measured(&self) -> Vec<probe::Measured> {
        let probe = self.probe.clone();
        let asked = tokio::task::spawn_blocking(move || probe.measured());
        let measured = tokio::time::timeout(PATIENCE, asked).await;
        measured.ok().and_then(Result::ok).unwrap_or_default()
    }

    async fn bfd_states(&self) -> HashMap<PathId, BfdStatus> {
        let bfd = self.bfd.clone();
        let asked = tokio::task::spawn_blocking(move || bfd.states());
        let states = tokio::time::timeout(PATIENCE, asked).await.ok();
        let states = states.and_then(Result::ok).unwrap_or_default();
        states.into_iter().collect()
    }

    async fn forwarding(&self) -> Forwarding {
        let (Some(fastpath), Some(fib)) = (self.fastpath.clone(), self.fib.clone()) else {
            return Default::default();
        };
        let health = self.health.clone();
        let ask = move || (fastpath.paths(), fib.carried(), health.statuses());
        let asked = tokio::task::spawn_blocking(ask);
        tokio::time::timeout(PATIENCE, asked)
            .await
            .ok()
            .and_then(Result::ok)
            .unwrap_or_default()
    }

    fn path_status<'m>(
        &self,
        name: &str,
        session_up: Option<bool>,
        state: Option<&fastpath::PathState>,
        carries: u64,
        measured: impl Iterator<Item = &'m probe::Measured> + Clone,
    ) -> PathStatus {
        let peer = self.config.all_peers().find(|peer| &*peer.name == name);
        let path = self.config.paths.iter().find(|path| &*path.name == name);
        let interface = peer
            .and_then(|peer| peer.interface.clone())
            .or_else(|| path.map(|path| path.interface.clone()));
        let gateway = peer
            .map(|peer| peer.remote)
            .or_else(|| path?.gateways.first().copied());
        // Without a fast path, a session's own state has to do.
        let up = state.map_or(session_up.unwrap_or(false), |state| state.up);
        let drained = self.drained.get(name);
        let unknown = || (!up).then(|| "no interface or session yet".to_owned());
        PathStatus {
            name: name.to_owned(),
            interface: interface
                .or_else(|| state?.link.as_ref().and_then(|link| name_of(link.ifindex))),
            gateway,
            up,
            reason: state.map_or_else(unknown, |state| state.reason.clone().filter(|_| !up)),
            carries,
            health: HealthStatus {
                state: if up { Health::Up } else { Health::Down },
                ..HealthStatus::default()
            },
            drained: drained.map(|drained| drained.by.clone()),
            leaves_in: drained.and_then(|drained| Some(drained.leaves_in?.as_secs_f64())),
            probes: measured.clone().map(|one| one.status.clone()).collect(),
            silences: measured.map(|one| one.silences).next().unwrap_or_default(),
            last_swap: state.and_then(|state| state.last_swap.as_ref()).map(swap),
        }
    }

    /// Most severe first: what carries no traffic, then what is slow or odd.
    fn problems(&self) -> Vec<String> {
        let status = &self.status;
        let vifs = status.vifs.iter().filter_map(|vif| {
            let error = vif.error.as_ref()?;
            Some(format!("vif {}: {error}", vif.name))
        });
        let carrier = status
            .vifs
            .iter()
            .filter(|vif| vif.error.is_none() && !vif.carrier)
            .map(|vif| {
                format!(
                    "vif {}: {} has no carrier; see the cable, the optics and the far end's port",
                    vif.name, vif.parent
                )
            });
        let sessions = status
            .peers
            .iter()
            .filter(|peer| peer.state != "Established")
            .map(|peer| {
                let why = peer
                    .last_error
                    .as_deref()
                    .unwrap_or("no attempt has failed yet; waiting for the peer");
                format!(
                    "session {} is not up ({} for {:.0} s): {why}",
                    peer.name, peer.state, peer.since
                )
            });
        let paths = self.config.paths.iter().filter_map(|path| {
            let path = status
                .paths
                .iter()
                .find(|one| one.name == *path.name && !one.up)?;
            Some(format!(
                "path {} is down: {}",
                path.name,
                path.reason.as_deref().unwrap_or("unknown")
            ))
        });
        let held_back = status
            .peers
            .iter()
            .filter(|peer| peer.prefixes.held_back > 0)
            .map(|peer| {
                format!(
                    "session {}: {} prefixes {HELD_BACK}",
                    peer.name, peer.prefixes.held_back
                )
            });
        let without_bfd = status.peers.iter().filter_map(|peer| {
            let problem = peer.bfd.as_ref()?.problem.as_ref()?;
            Some(format!("session {}: no BFD: {problem}", peer.name))
        });
        vifs.chain(carrier)
            .chain(sessions)
            .chain(paths)
            .chain(held_back)
            .chain(without_bfd)
            .chain(self.kernel_problems())
            .collect()
    }

    fn kernel_problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let kernel = &self.status.kernel;
        if self.fib.is_none() {
            return problems;
        }
        if kernel.errors > 0 {
            problems.push(format!(
                "the kernel has refused {} requests; the log says which",
                kernel.errors
            ));
        }
        if !kernel.fast_swap {
            problems.push(
                "net.ipv4.nexthop_compat_mode is not 0, so moving a million routes takes a second instead of a tenth of a millisecond; run `sysctl -w net.ipv4.nexthop_compat_mode=0` and put it into /etc/sysctl.d/"
                    .to_owned(),
            );
        }
        problems
    }
}

fn vif_status(vif: &Vif, state: Option<&VifState>) -> VifStatus {
    let error = match state {
        Some(VifState::Made(_)) => None,
        Some(VifState::Failed(error)) => Some(error.clone()),
        None => Some("not made yet".to_owned()),
    };
    VifStatus {
        name: vif.name.to_string(),
        interface: vif.interface.clone(),
        parent: vif.parent.clone(),
        vlan: vif.vlan,
        mtu: vif.mtu,
        addresses: vif
            .sessions
            .iter()
            .filter_map(|session| session.local)
            .collect(),
        carrier: has_carrier(&vif.parent),
        sessions: vif
            .sessions
            .iter()
            .map(|session| session.name.to_string())
            .collect(),
        error,
    }
}

fn peer_status(session: &Session) -> PeerStatus {
    let peer = &session.peer;
    let mut status = PeerStatus {
        name: peer.name.to_string(),
        vif: peer.vif.as_ref().map(ToString::to_string),
        local: peer.local.map(|local| local.addr()),
        remote: peer.remote,
        local_asn: peer.local_asn,
        remote_asn: peer.remote_asn,
        interface: peer.interface.clone(),
        backup: peer.backup.as_ref().map(ToString::to_string),
        state: "Idle".to_owned(),
        since: 0.0,
        md5: peer.auth_key_file.is_some(),
        hold_time: None,
        families: peer.families.clone(),
        last_error: None,
        flaps: session.earlier_flaps,
        panics: session.panics,
        prefixes: PrefixCounts::default(),
        messages: Default::default(),
        bfd: None,
    };
    match &session.slot {
        Slot::Waiting { reason, .. } => status.last_error = Some(reason.clone()),
        Slot::Running(running) => {
            let now = running.status.borrow();
            status.state = format!("{:?}", now.state);
            status.since = Instant::now()
                .saturating_duration_since(now.since)
                .as_secs_f64();
            status.local = now.local.or(status.local);
            status.last_error.clone_from(&now.last_error);
            status.flaps += now.flaps;
            status.messages = now.messages;
            if let Some(negotiated) = &now.negotiated {
                status.hold_time = Some(negotiated.hold_time.as_secs());
                status.families = negotiated
                    .codec
                    .families
                    .iter()
                    .copied()
                    .collect::<Vec<Family>>();
            }
        }
    }
    status
}

fn swap(swap: &fastpath::Swap) -> Swap {
    Swap {
        age: swap.at.elapsed().as_secs_f64(),
        reason: swap.reason.clone(),
        groups: swap.groups as u64,
        took: u64::try_from(swap.took.as_micros()).unwrap_or(u64::MAX),
    }
}

fn has_carrier(interface: &str) -> bool {
    // Reading fails with EINVAL while the interface is down.
    let carrier =
        std::fs::read_to_string(Path::new("/sys/class/net").join(interface).join("carrier"));
    carrier.is_ok_and(|text| text.trim() == "1")
}
