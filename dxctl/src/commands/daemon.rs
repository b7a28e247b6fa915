//! What several verbs read out of bgpd's status. Pure.

use bgp_core::api::{Health, PathStatus, PeerStatus, ProbeStatus, Status};
use serde::Serialize;

use crate::Refused;

/// Sessions and paths, each once, in bgpd's order.
pub(super) fn names(status: &Status) -> Vec<String> {
    let peers = status.peers.iter().map(|peer| &peer.name);
    let mut names: Vec<String> = peers.cloned().collect();
    for path in &status.paths {
        if !names.contains(&path.name) {
            names.push(path.name.clone());
        }
    }
    names
}

/// The sessions of a VIF, or the one session or path of that name.
pub(super) fn members(status: &Status, name: &str) -> Result<Vec<String>, Refused> {
    if let Some(vif) = status.vifs.iter().find(|vif| vif.name == name) {
        return Ok(vif.sessions.clone());
    }
    let known = names(status);
    if known.iter().any(|one| one == name) {
        return Ok(vec![name.to_owned()]);
    }
    let vifs = status.vifs.iter().map(|vif| vif.name.as_str());
    let mut all: Vec<&str> = vifs.chain(known.iter().map(String::as_str)).collect();
    all.sort_unstable();
    all.dedup();
    Err(Refused::new(format!(
        "bgpd has no VIF, session or path {name}; it has: {}",
        all.join(", ")
    )))
}

pub(super) fn path<'a>(status: &'a Status, name: &str) -> Option<&'a PathStatus> {
    status.paths.iter().find(|path| path.name == name)
}

pub(super) fn peer<'a>(status: &'a Status, name: &str) -> Option<&'a PeerStatus> {
    status.peers.iter().find(|peer| peer.name == name)
}

/// Traffic may be moved onto it without making anything worse.
pub(super) fn is_fit(path: &PathStatus) -> bool {
    path.up && path.drained.is_none() && path.health.state == Health::Up
}

/// Paths with traffic on them.
pub(super) fn carrying(status: &Status) -> Vec<&str> {
    let carrying = status.paths.iter().filter(|path| path.carries > 0);
    carrying.map(|path| path.name.as_str()).collect()
}

/// Probes lost, of those sent, in per cent.
pub(super) fn loss_percent(probe: &ProbeStatus) -> Option<f64> {
    (probe.sent > 0).then(|| 100.0 * probe.lost as f64 / probe.sent as f64)
}

/// A value of an enumeration as the API writes it.
pub(super) fn spelled(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(_) => "?".to_owned(),
    }
}
