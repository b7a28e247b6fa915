//! The interfaces of VIFs, and which link each path leaves by. What is missing
//! is looked for again at every tick.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use bgp_core::api::EventKind;
use bgp_core::config::{Config, Peer, Probe, StaticPath, Ttl, Vif};
use bgp_core::{Family, PathId};
use ipnet::IpNet;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;

use super::Daemon;
use super::journal::Weight;
use crate::fastpath::{self, PathLink, Voice};
use crate::interface::{self, Made};
use crate::probe::Target;
use crate::session::Command;

/// Whether a VIF's interface is as configured.
#[derive(Clone, Debug)]
pub(super) enum VifState {
    Made(Made),
    /// With what to do.
    Failed(String),
}

/// The link of each path, as the fast path knows it.
#[derive(Default)]
pub(super) struct Links {
    of: HashMap<PathId, PathLink>,
    /// How the interfaces of links are called, for when they are gone.
    names: HashMap<u32, String>,
    /// The backups of paths without a link.
    backup_of: HashMap<PathId, Backup>,
    /// What the prober was told last.
    probed: Vec<Target>,
}

/// The other path and its gateway.
type Backup = (PathId, IpAddr);

impl Links {
    /// The interface that a path's packets leave by.
    pub(super) fn ifindex(&self, path: PathId) -> Option<u32> {
        self.of.get(&path).map(|link| link.ifindex)
    }

    fn interface_name(&self, ifindex: u32) -> String {
        let known = || self.names.get(&ifindex).cloned();
        let name = name_of(ifindex).or_else(known);
        name.unwrap_or_else(|| format!("interface {ifindex}"))
    }

    pub(super) fn forget(&mut self, path: PathId) {
        self.of.remove(&path);
        self.backup_of.remove(&path);
    }

    /// The link of a path whose interface is gone: it still says which one is
    /// missing, and that the path can't be up.
    fn lost(&self, path: PathId, backup: Option<Backup>) -> Option<PathLink> {
        let known = self.of.get(&path).filter(|link| !exists(link.ifindex))?;
        Some(PathLink {
            backup,
            ..known.clone()
        })
    }
}

impl Daemon {
    /// Makes the interfaces that are missing; one that can't be made keeps only
    /// its own sessions waiting.
    pub(super) async fn ensure_vifs(&mut self) {
        let config = self.config.clone();
        for vif in &config.vifs {
            let ready = match self.vifs.get(&vif.name) {
                Some(VifState::Made(made)) => is_there(vif, made) && !lacks_address(vif),
                Some(VifState::Failed(_)) | None => false,
            };
            if !ready {
                self.ensure_vif(vif).await;
            }
        }
    }

    pub(super) async fn ensure_vif(&mut self, vif: &Vif) {
        let before = self.vifs.get(&vif.name).cloned();
        let state = match interface::ensure_vif(vif).await {
            Ok(made) => VifState::Made(made),
            Err(error) => VifState::Failed(error.to_string()),
        };
        match (&before, &state) {
            (Some(VifState::Failed(old)), VifState::Failed(new)) if old == new => {}
            (_, VifState::Failed(error)) => {
                self.journal
                    .error(&vif.name, format!("interface not ready: {error}"));
                self.tell_sessions_of(vif, || Command::LinkDown("the VLAN interface is gone"));
            }
            (_, VifState::Made(made)) => {
                let how = if made.created { "made" } else { "taken over" };
                self.journal.info(
                    &vif.name,
                    format!(
                        "interface {:?} {how}, VLAN {} on {:?}",
                        vif.interface, vif.vlan, vif.parent
                    ),
                );
                self.tell_sessions_of(vif, || Command::LinkUp);
            }
        }
        self.vifs.insert(vif.name.clone(), state);
    }

    fn tell_sessions_of(&self, vif: &Vif, command: impl Fn() -> Command) {
        for session in &vif.sessions {
            self.tell(&session.name, command());
        }
    }

    /// Tells the fast path of links that are new, moved or gone.
    pub(super) async fn refresh_links(&mut self) {
        let Some(fastpath) = self.parts.fastpath.clone() else {
            return;
        };
        let config = self.config.clone();
        for path in &config.paths {
            // A session may name it as its backup.
            self.ids.assign(&path.name);
        }
        for peer in config.all_peers() {
            let id = self.ids.assign(&peer.name);
            let backup = self.backup_of(&config, peer);
            let link = self.link_of_peer(peer, backup).await;
            match link.or_else(|| self.links.lost(id, backup)) {
                Some(link) => drop(self.set_link(&fastpath, id, link)),
                None => self.unset_link(&fastpath, id, backup),
            }
        }
        for path in &config.paths {
            let id = self.ids.assign(&path.name);
            let link = link_of_path(path).await;
            match link.or_else(|| self.links.lost(id, None)) {
                // Taken to be well.
                Some(link) => {
                    if self.set_link(&fastpath, id, link) == Change::Changed {
                        fastpath.path_up(id, Voice::Session);
                    }
                }
                // Without a link there is no carrier that it could miss.
                None => {
                    let why = format!("there is no interface {:?}", path.interface);
                    fastpath.path_down(id, Voice::Session, why);
                    self.unset_link(&fastpath, id, None);
                }
            }
        }
    }

    fn set_link(&mut self, fastpath: &fastpath::Handle, id: PathId, link: PathLink) -> Change {
        self.links.backup_of.remove(&id);
        if self.links.of.get(&id) == Some(&link) {
            return Change::None;
        }
        for ifindex in [link.ifindex, link.carrier_ifindex] {
            let name = name_of(ifindex).map(|name| (ifindex, name));
            self.links.names.extend(name);
        }
        fastpath.set_link(id, Some(link.clone()));
        self.links.of.insert(id, link);
        Change::Changed
    }

    fn unset_link(&mut self, fastpath: &fastpath::Handle, id: PathId, backup: Option<Backup>) {
        if self.links.of.remove(&id).is_some() {
            fastpath.set_link(id, None);
        } else if self.links.backup_of.get(&id) == backup.as_ref() {
            return;
        }
        fastpath.set_backup(id, backup);
        match backup {
            Some(backup) => drop(self.links.backup_of.insert(id, backup)),
            None => drop(self.links.backup_of.remove(&id)),
        }
    }

    fn backup_of(&self, config: &Config, peer: &Peer) -> Option<Backup> {
        let (name, gateway) = backup_of(config, peer)?;
        Some((self.ids.of(name)?, gateway))
    }

    async fn link_of_peer(&self, peer: &Peer, backup: Option<Backup>) -> Option<PathLink> {
        if let Some(vif) = &peer.vif {
            let VifState::Made(made) = self.vifs.get(vif)? else {
                return None;
            };
            return Some(PathLink {
                ifindex: made.ifindex,
                carrier_ifindex: made.parent_ifindex,
                backup,
            });
        }
        let ifindex = match &peer.interface {
            Some(interface) => interface::lookup(interface).await.ok()?,
            None => self.link_toward(peer).await?,
        };
        Some(PathLink {
            ifindex,
            carrier_ifindex: ifindex,
            backup,
        })
    }

    /// The interface whose subnet the peer is in; else what the kernel would
    /// send by, and once known that stays while the interface exists: with the
    /// link down the kernel would name another one.
    async fn link_toward(&self, peer: &Peer) -> Option<u32> {
        if matches!(peer.ttl, Ttl::Multihop(_)) {
            return None;
        }
        if let Some(ifindex) = on_subnet(peer) {
            return Some(ifindex);
        }
        let known = self
            .ids
            .of(&peer.name)
            .and_then(|id| self.links.of.get(&id));
        match known
            .map(|link| link.ifindex)
            .filter(|ifindex| exists(*ifindex))
        {
            Some(ifindex) => Some(ifindex),
            None => interface::toward(peer.remote).await.ok().flatten(),
        }
    }

    /// Carrier is known here after the fast path has swapped. Other interfaces
    /// than those that paths use are nobody's business.
    pub(super) fn on_carrier(&mut self, ifindex: u32, up: bool) {
        for session in self.sessions.values() {
            let link = self.links.of.get(&session.path);
            if link.is_some_and(|link| ifindex == link.carrier_ifindex || ifindex == link.ifindex) {
                session.tell(match up {
                    true => Command::LinkUp,
                    false => Command::LinkDown("no carrier"),
                });
            }
        }
        // A VLAN interface follows its parent, which is told.
        if !self
            .links
            .of
            .values()
            .any(|link| link.carrier_ifindex == ifindex)
        {
            return;
        }
        let name = self.links.interface_name(ifindex);
        let (weight, text) = match up {
            true => (Weight::Info, "carrier is back"),
            false if !exists(ifindex) => (Weight::Warning, GONE),
            false => (Weight::Warning, NO_CARRIER),
        };
        let text = text.to_owned();
        self.journal
            .tell(weight, EventKind::Carrier, &name, text, Vec::new());
    }

    /// The far end answers after a silence, as after a cut that took no carrier:
    /// a session that is down is worth a dial.
    pub(super) fn on_path_back(&self, path: PathId) {
        for session in self.sessions.values().filter(|one| one.path == path) {
            session.tell(Command::LinkUp);
        }
    }

    /// Every path is probed as configured. For a VIF's session that is its far end
    /// where nothing is said, so that round trips over Direct Connect are always
    /// known.
    pub(super) fn set_probes(&mut self) {
        let config = self.config.clone();
        let mut targets = Vec::new();
        for (name, interface, probe) in probed(&config) {
            let path = self.ids.assign(name);
            // A session without an interface of its own leaves by its link's.
            let link = || name_of(self.links.of.get(&path)?.ifindex);
            let interface = interface.cloned().or_else(link);
            targets.extend(probe.targets.iter().map(|at| Target {
                path,
                interface: interface.clone(),
                at: *at,
                interval: probe.interval,
            }));
        }
        if targets != self.links.probed {
            self.parts.probe.set_targets(targets.clone());
            self.links.probed = targets;
        }
    }
}

/// Every path that is probed, the interface it names, and how.
fn probed(config: &Config) -> impl Iterator<Item = (&Arc<str>, Option<&String>, &Probe)> {
    let sessions = config
        .all_peers()
        .filter_map(|peer| Some((&peer.name, peer.interface.as_ref(), peer.probe.as_ref()?)));
    let paths = config
        .paths
        .iter()
        .filter_map(|path| Some((&path.name, Some(&path.interface), path.probe.as_ref()?)));
    sessions.chain(paths)
}

const GONE: &str = "the interface is gone: deleted, renamed or moved to another network namespace; it is taken up again once it is back";
const NO_CARRIER: &str = "no carrier: see the cable, the optics and the far end's port";

/// Whether a path has another link than before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    None,
    Changed,
}

async fn link_of_path(path: &StaticPath) -> Option<PathLink> {
    let ifindex = interface::lookup(&path.interface).await.ok()?;
    Some(PathLink {
        ifindex,
        carrier_ifindex: ifindex,
        backup: None,
    })
}

/// The backup's name and its gateway for the session's family.
fn backup_of<'c>(config: &'c Config, peer: &Peer) -> Option<(&'c Arc<str>, IpAddr)> {
    let name = peer.backup.as_deref()?;
    if let Some(other) = config.all_peers().find(|other| &*other.name == name) {
        return Some((&other.name, other.remote));
    }
    let path = config.paths.iter().find(|path| &*path.name == name)?;
    let family = Family::of(peer.remote);
    let gateway = path
        .gateways
        .iter()
        .find(|gateway| Family::of(**gateway) == family)?;
    Some((&path.name, *gateway))
}

/// The interface that has the peer's `local` address, or any in its subnet.
fn on_subnet(peer: &Peer) -> Option<u32> {
    let local = peer.local.map(|local| local.addr());
    let found = nix::ifaddrs::getifaddrs().ok()?.find(|entry| {
        let Some(net) = entry.address.zip(entry.netmask).and_then(subnet) else {
            return false;
        };
        net.contains(&peer.remote) && local.is_none_or(|local| net.addr() == local)
    })?;
    nix::net::if_::if_nametoindex(found.interface_name.as_str()).ok()
}

fn subnet((address, netmask): (SockaddrStorage, SockaddrStorage)) -> Option<IpNet> {
    IpNet::with_netmask(ip(&address)?, ip(&netmask)?).ok()
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
}

/// Whether an address of the VIF's is missing from its interface. The kernel
/// removes IPv6 addresses from an interface that is set down, and leaves it to
/// others to add them when it is up again. One that is down is the operator's.
fn lacks_address(vif: &Vif) -> bool {
    let Ok(all) = nix::ifaddrs::getifaddrs() else {
        return false;
    };
    let (mut is_up, mut present) = (false, Vec::new());
    for entry in all.filter(|entry| entry.interface_name == vif.interface) {
        is_up |= entry.flags.contains(InterfaceFlags::IFF_UP);
        present.extend(entry.address.as_ref().and_then(ip));
    }
    let mut wanted = vif.sessions.iter().filter_map(|session| session.local);
    is_up && wanted.any(|wanted| !present.contains(&wanted.addr()))
}

fn is_there(vif: &Vif, made: &Made) -> bool {
    nix::net::if_::if_nametoindex(vif.interface.as_str())
        .is_ok_and(|ifindex| ifindex == made.ifindex)
}

fn exists(ifindex: u32) -> bool {
    name_of(ifindex).is_some()
}

/// `None`: there is no such interface, for which nix has an empty name and no
/// error.
pub(super) fn name_of(ifindex: u32) -> Option<String> {
    let name = nix::net::if_::if_indextoname(ifindex).ok()?;
    name.into_string().ok().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_is_not_there_has_no_name() {
        assert_eq!(name_of(1).as_deref(), Some("lo"));
        assert_eq!(name_of(u32::MAX), None);
        assert!(!exists(u32::MAX));
        let links = Links::default();
        assert_eq!(links.interface_name(7_000_000), "interface 7000000");
    }
}
