//! What an operator asks of a path by hand: `drain`, `undrain`, `drill`.
//!
//! A drain is make before break. First the far end is told to send by another way,
//! and the path's own routes become the last resort; `drain_delay` later our traffic
//! leaves it too, by the same door as every swap. The session stays up. Drains are
//! kept in a file beside the control socket, so that they outlive this process (not
//! the machine). A drill closes sessions for a time that this task ends by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, io};

use bgp_core::api::{self, Concerned};
use bgp_core::config::{Config, Peer};
use bgp_core::peer::{State, StopReason};
use bgp_core::policy::{Adverse, Stance};
use bgp_core::{Family, PathId};

use super::links::name_of;
use super::sessions::Slot;
use super::{Daemon, GOODBYE};
use crate::fastpath::{PathState, Standing, Voice};
use crate::router::Pilot;
use crate::session::Command;

/// What the control socket asks for.
#[derive(Clone, Debug)]
pub enum Order {
    Drain(api::Drain),
    Undrain(api::Named),
    Drill(api::Drill),
    StopDrill(api::Named),
}

/// The longest drill, in seconds.
const LONGEST_DRILL: u64 = 3600;
/// By whom paths are drained.
const WHO: &str = "the operator";

/// Drains and drills under way.
pub(super) struct Operator {
    file: PathBuf,
    drains: BTreeMap<Arc<str>, Drain>,
    drills: BTreeMap<Arc<str>, Drill>,
}

struct Drain {
    phase: Phase,
}

enum Phase {
    /// The far end has been told, and has until then; packets that had come in by
    /// the path by then, if they can be counted.
    Told {
        swap_at: Instant,
        inbound: Option<u64>,
    },
    Swapped,
}

/// Under the name that it was asked for.
struct Drill {
    sessions: Vec<Arc<str>>,
    until: Instant,
}

impl Operator {
    /// With the drains of an earlier run.
    pub(super) fn remembering(control: &Path) -> Self {
        let file = control.with_extension("drained");
        let names: BTreeSet<Arc<str>> = match read(&file) {
            Ok(names) => names,
            Err(error) => {
                tracing::error!(
                    "no path is drained, for {} can't be read: {error}",
                    file.display()
                );
                BTreeSet::new()
            }
        };
        // The far end was told before the restart.
        let swapped = |name| {
            let phase = Phase::Swapped;
            (name, Drain { phase })
        };
        Self {
            file,
            drains: names.into_iter().map(swapped).collect(),
            drills: BTreeMap::new(),
        }
    }

    /// When something is to be done.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let swaps = self.drains.values().filter_map(|drain| match drain.phase {
            Phase::Told { swap_at, .. } => Some(swap_at),
            Phase::Swapped => None,
        });
        swaps
            .chain(self.drills.values().map(|drill| drill.until))
            .min()
    }

    /// By whom or what a path is kept empty, for people.
    pub(super) fn who(&self, name: &str) -> Option<String> {
        if self.drains.contains_key(name) {
            return Some(WHO.to_owned());
        }
        let left = self.drilled_for(name)?;
        Some(format!("a drill, for another {} s", left.as_secs()))
    }

    /// How long a session is still kept closed.
    pub(super) fn drilled_for(&self, name: &str) -> Option<Duration> {
        let is_in = |drill: &&Drill| drill.sessions.iter().any(|session| **session == *name);
        let drill = self.drills.values().find(is_in)?;
        Some(drill.until.saturating_duration_since(Instant::now()))
    }

    /// How long our traffic still stays on a path that is being drained.
    pub(super) fn leaves_in(&self, name: &str) -> Option<Duration> {
        match self.drains.get(name)?.phase {
            Phase::Told { swap_at, .. } => Some(swap_at.saturating_duration_since(Instant::now())),
            Phase::Swapped => None,
        }
    }

    fn remember(&self) -> io::Result<()> {
        let names: Vec<&str> = self.drains.keys().map(|name| &**name).collect();
        if names.is_empty() {
            return match fs::remove_file(&self.file) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                other => other,
            };
        }
        let new = self.file.with_extension("drained.new");
        fs::write(&new, serde_json::to_vec(&names)?)?;
        fs::rename(&new, &self.file)
    }
}

fn read(file: &Path) -> io::Result<BTreeSet<Arc<str>>> {
    let text = match fs::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        other => other?,
    };
    let names: Vec<String> = serde_json::from_slice(&text)?;
    Ok(names.into_iter().map(Arc::from).collect())
}

impl Daemon {
    pub(super) async fn on_order(&mut self, order: Order) -> Result<Concerned, String> {
        match order {
            Order::Drain(drain) => self.drain(&drain).await,
            Order::Undrain(named) => self.undrain(&named.name),
            Order::Drill(drill) => self.drill(&drill),
            Order::StopDrill(named) => self.stop_drill(&named.name),
        }
    }

    /// Drains that an earlier run was asked for hold before any session is up.
    pub(super) fn resume_drains(&mut self) {
        let config = self.config.clone();
        let known = |name: &str| is_path(&config, name);
        let drains = &mut self.operator.drains;
        drains.retain(|name, _| known(name));
        let names: Vec<Arc<str>> = drains.keys().cloned().collect();
        for name in names {
            self.journal
                .drain(&name, "still drained, as before the restart");
            self.tell_far_end(&name);
            self.swap_away(&name);
        }
    }

    async fn drain(&mut self, drain: &api::Drain) -> Result<Concerned, String> {
        let names = paths_of(&self.config, &drain.name)?;
        if !drain.force {
            self.check_elsewhere(&names).await?;
        }
        let delay = self.config.daemon.drain_delay;
        for name in &names {
            if self.operator.drains.contains_key(name) {
                continue;
            }
            self.begin_drain(name);
            self.journal.drain(
                name,
                format!("drain: the far end is told to send by another way; our traffic leaves in {delay:?}"),
            );
        }
        self.remember_drains();
        self.on_due().await;
        Ok(concerned(&names))
    }

    fn begin_drain(&mut self, name: &Arc<str>) {
        let phase = Phase::Told {
            swap_at: Instant::now() + self.config.daemon.drain_delay,
            inbound: self.packets_in(name),
        };
        let drain = Drain { phase };
        self.operator.drains.insert(name.clone(), drain);
        self.tell_far_end(name);
    }

    /// A session that a reload adds to a VIF whose sessions are all drained.
    pub(super) fn drain_added(&mut self, old: &Config) {
        let config = self.config.clone();
        for vif in &config.vifs {
            let is_known = |name: &str| old.all_peers().any(|peer| &*peer.name == name);
            let names = vif.sessions.iter().map(|session| &session.name);
            let (known, added): (Vec<_>, Vec<_>) = names.partition(|name| is_known(name));
            let is_drained = |name: &&Arc<str>| self.operator.drains.contains_key(*name);
            if known.is_empty() || !known.iter().all(is_drained) {
                continue;
            }
            for name in added {
                self.begin_drain(name);
                self.journal
                    .drain(name, format!("drained as the rest of {}", vif.name));
            }
        }
        self.remember_drains();
    }

    fn undrain(&mut self, name: &str) -> Result<Concerned, String> {
        let mut names = paths_of(&self.config, name)?;
        names.retain(|name| self.operator.drains.contains_key(name));
        if names.is_empty() {
            return Err(format!("{name} is not drained"));
        }
        for name in &names {
            self.lift_drain(name);
            self.journal
                .drain(name, "undrained: traffic may use it again, both ways");
        }
        self.remember_drains();
        Ok(concerned(&names))
    }

    fn lift_drain(&mut self, name: &Arc<str>) {
        self.operator.drains.remove(name);
        let path = self.ids.assign(name);
        let steering = &self.parts.steering;
        steering.set(path, Pilot::Operator, Stance::Normal);
        if let Some(fastpath) = &self.parts.fastpath {
            fastpath.path_up(path, Voice::Operator);
        }
    }

    /// The path is gone from the configuration, and nothing is to be said of it.
    pub(super) fn forget_orders(&mut self, name: &Arc<str>) {
        for drill in self.operator.drills.values_mut() {
            drill.sessions.retain(|session| session != name);
        }
        if self.operator.drains.contains_key(name) {
            self.lift_drain(name);
            self.remember_drains();
        }
    }

    /// Does what was put off until now.
    pub(super) async fn on_due(&mut self) {
        let now = Instant::now();
        let drains = self.operator.drains.iter();
        let due = drains.filter_map(|(name, drain)| match drain.phase {
            Phase::Told { swap_at, inbound } if swap_at <= now => Some((name.clone(), inbound)),
            Phase::Told { .. } | Phase::Swapped => None,
        });
        for (name, inbound) in due.collect::<Vec<_>>() {
            let came = self.packets_in(&name).zip(inbound);
            let came = came.map_or_else(String::new, |(now, before)| {
                let came = now.saturating_sub(before);
                format!("; {came} packets came in by it since the far end was told")
            });
            self.swap_away(&name);
            self.journal
                .drain(&name, format!("drained: our traffic has left it{came}"));
            self.withdraw_drained().await;
        }
        let drills = self.operator.drills.iter();
        let over = drills
            .filter(|(_, drill)| drill.until <= now)
            .map(|(name, _)| name.clone());
        for name in over.collect::<Vec<_>>() {
            self.end_drill(&name, "its time is over");
        }
    }

    /// The far end is to send by another way; a session that begins later says so
    /// from its start.
    fn tell_far_end(&mut self, name: &Arc<str>) {
        let path = self.ids.assign(name);
        let steering = &self.parts.steering;
        steering.set(path, Pilot::Operator, Stance::Drained);
    }

    fn swap_away(&mut self, name: &Arc<str>) {
        let path = self.ids.assign(name);
        if let Some(fastpath) = &self.parts.fastpath {
            fastpath.path_down(path, Voice::Operator, WHO.to_owned());
        }
        if let Some(drain) = self.operator.drains.get_mut(name) {
            drain.phase = Phase::Swapped;
        }
    }

    /// Where nothing lowers the far end's preference, only silence moves it: while
    /// there is another way for its traffic, or it would have none.
    pub(super) async fn withdraw_drained(&mut self) {
        let config = self.config.clone();
        let is_drained = |name: &Arc<str>| {
            let drain = self.operator.drains.get(name);
            drain.is_some_and(|drain| matches!(drain.phase, Phase::Swapped))
        };
        let silent = |peer: &&Peer| peer.on_degraded == Adverse::Withdraw && is_drained(&peer.name);
        let names: Vec<Arc<str>> = config
            .all_peers()
            .filter(silent)
            .map(|peer| peer.name.clone())
            .collect();
        if names.is_empty() {
            return;
        }
        let states = self.path_states().await;
        for name in names {
            let stance = match self.usable_way(
                &states,
                &self.other_ways(std::slice::from_ref(&name), &name),
            ) {
                Some(_) => Stance::Withdrawn,
                None => Stance::Drained,
            };
            let path = self.ids.assign(&name);
            self.parts.steering.set(path, Pilot::Operator, stance);
        }
    }

    fn usable_way<'w>(&self, states: &[PathState], ways: &'w [Arc<str>]) -> Option<&'w Arc<str>> {
        let mut ways = ways.iter();
        ways.find(|way| {
            let state = self.state_of(states, way);
            state.is_some_and(|state| state.standing > Standing::Drained)
        })
    }

    /// Why the traffic of these paths would have nowhere to go.
    async fn check_elsewhere(&self, names: &[Arc<str>]) -> Result<(), String> {
        let states = self.path_states().await;
        for name in names {
            let carries = |state: &PathState| !state.carries.is_empty();
            if !self.state_of(&states, name).is_some_and(carries) {
                continue;
            }
            let ways = self.other_ways(names, name);
            if self.usable_way(&states, &ways).is_some() {
                continue;
            }
            let why = match ways.is_empty() {
                true => {
                    "it has no `backup`, and there is no other session of its family".to_owned()
                }
                false => format!("not usable: {}", ways.join(", ")),
            };
            return Err(format!(
                "the traffic of {name} has nowhere to go ({why}); with \"force\": true it is drained nevertheless, and its traffic stays where it is until there is another way"
            ));
        }
        Ok(())
    }

    /// The session's backup, and the sessions that may have the same routes.
    pub(super) fn other_ways(&self, leaving: &[Arc<str>], name: &Arc<str>) -> Vec<Arc<str>> {
        let peers = || self.config.all_peers();
        let Some(peer) = peers().find(|peer| peer.name == *name) else {
            // Whatever leaves by a static path may leave by another.
            let paths = self.config.paths.iter().map(|path| path.name.clone());
            let all = paths.chain(peers().map(|peer| peer.name.clone()));
            return all.filter(|way| !leaving.contains(way)).collect();
        };
        let family = |peer: &Peer| Family::of(peer.remote);
        let others = peers().filter(|other| family(other) == family(peer));
        let ways = peer
            .backup
            .iter()
            .cloned()
            .chain(others.map(|other| other.name.clone()));
        ways.filter(|way| !leaving.contains(way)).collect()
    }

    fn state_of<'s>(&self, states: &'s [PathState], name: &str) -> Option<&'s PathState> {
        let path: PathId = self.ids.of(name)?;
        states.iter().find(|state| state.path == path)
    }

    async fn path_states(&self) -> Vec<PathState> {
        let Some(fastpath) = self.parts.fastpath.clone() else {
            return Vec::new();
        };
        let asked = tokio::task::spawn_blocking(move || fastpath.paths());
        let asked = tokio::time::timeout(GOODBYE, asked).await;
        asked.ok().and_then(Result::ok).unwrap_or_default()
    }

    fn remember_drains(&mut self) {
        if let Err(error) = self.operator.remember() {
            let file = self.operator.file.display();
            let text = format!("a restart would forget what is drained: {file}: {error}");
            self.journal.error("bgpd", text);
        }
    }

    /// What the path's interface has received so far.
    fn packets_in(&self, name: &str) -> Option<u64> {
        let interface = self.interface_of(name)?;
        let counter = format!("/sys/class/net/{interface}/statistics/rx_packets");
        fs::read_to_string(counter).ok()?.trim().parse().ok()
    }

    fn interface_of(&self, name: &str) -> Option<String> {
        let path = self.ids.of(name)?;
        name_of(self.links.ifindex(path)?)
    }

    fn drill(&mut self, drill: &api::Drill) -> Result<Concerned, String> {
        if drill.seconds == 0 || drill.seconds > LONGEST_DRILL {
            return Err(format!("a drill takes 1 to {LONGEST_DRILL} seconds"));
        }
        let mut sessions = paths_of(&self.config, &drill.name)?;
        sessions.retain(|name| self.is_running(name));
        if sessions.is_empty() {
            return Err(format!("{} has no running session", drill.name));
        }
        let running = self.operator.drills.values();
        let is_in_one = |name| running.clone().any(|drill| drill.sessions.contains(name));
        if let Some(name) = sessions.iter().find(|name| is_in_one(name)) {
            return Err(format!("{name} is in a drill already; stop that first"));
        }
        // RFC 9003: the far end's operator reads this.
        let words = format!("failover drill, back within {} s", drill.seconds);
        for name in &sessions {
            self.tell(
                name,
                Command::Stop(StopReason::AdministrativeShutdown(words.clone())),
            );
            self.journal.drain(name, format!("session closed: {words}"));
        }
        let names = concerned(&sessions);
        let until = Instant::now() + Duration::from_secs(drill.seconds);
        let name = drill.name.as_str().into();
        self.operator.drills.insert(name, Drill { sessions, until });
        Ok(names)
    }

    fn stop_drill(&mut self, name: &str) -> Result<Concerned, String> {
        self.end_drill(name, "stopped")
            .ok_or_else(|| format!("there is no drill of {name}"))
    }

    fn end_drill(&mut self, name: &str, why: &str) -> Option<Concerned> {
        let drill = self.operator.drills.remove(name)?;
        for session in &drill.sessions {
            self.tell(session, Command::Start);
            // A reload may have ended it meanwhile.
            self.start_session(session);
            self.journal.drain(
                session,
                format!("drill ends: {why}; the session starts again"),
            );
        }
        Some(concerned(&drill.sessions))
    }

    fn is_running(&self, name: &str) -> bool {
        let session = self.sessions.get(name);
        session.is_some_and(|session| {
            matches!(&session.slot, Slot::Running(running) if running.status.borrow().state != State::Idle)
        })
    }
}

/// The sessions of a VIF, a session or a static path.
fn paths_of(config: &Config, name: &str) -> Result<Vec<Arc<str>>, String> {
    if let Some(vif) = config.vifs.iter().find(|vif| &*vif.name == name) {
        let sessions = vif.sessions.iter().map(|session| session.name.clone());
        return Ok(sessions.collect());
    }
    if is_path(config, name) {
        return Ok(vec![name.into()]);
    }
    let vifs = config.vifs.iter().map(|vif| &*vif.name);
    let peers = config.peers.iter().map(|peer| &*peer.name);
    let paths = config.paths.iter().map(|path| &*path.name);
    let known: Vec<&str> = vifs.chain(peers).chain(paths).collect();
    Err(format!(
        "there is no VIF, peer or path {name:?}; there are: {}",
        known.join(", ")
    ))
}

fn is_path(config: &Config, name: &str) -> bool {
    let mut paths = config.paths.iter();
    paths.any(|path| &*path.name == name) || config.all_peers().any(|peer| &*peer.name == name)
}

fn concerned(names: &[Arc<str>]) -> Concerned {
    Concerned {
        names: names.iter().map(ToString::to_string).collect(),
    }
}
