//! The whole text: its tables in order, and the checks across them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use toml::de::DeTable;

use super::mistake::Mistakes;
use super::path::{self, RawPath};
use super::peer::{self, RawPeer};
use super::table::{At, Keys, TOP_LEVEL, Table};
use super::vif::{self, RawVif};
use super::{Config, Daemon, Peer, Vif, backup, daemon, value};
use crate::VlanId;

const TOP_KEYS: Keys = Keys {
    known: &["bgpd", "vif", "peer", "path"],
    refused: &[],
};
/// Everything as read; `None` only where a mistake was noted.
pub(super) struct Whole<'t> {
    daemon: Option<Daemon>,
    pub(super) vifs: Vec<RawVif>,
    pub(super) peers: Vec<RawPeer>,
    pub(super) paths: Vec<RawPath>,
    mistakes: &'t Mistakes<'t>,
}

impl<'t> Whole<'t> {
    pub(super) fn read(root: &'t DeTable<'t>, mistakes: &'t Mistakes<'t>) -> Self {
        let top = Table::open(TOP_LEVEL.to_owned(), 0, root, &TOP_KEYS, mistakes);
        let daemon_table = top.table("bgpd", &daemon::KEYS);
        if daemon_table.is_none() && !top.has("bgpd") {
            mistakes.add(
                0,
                "the table [bgpd] is missing; it needs `router_id` and `asn`",
            );
        }
        let asn = daemon_table
            .as_ref()
            .and_then(|table| table.required("asn", table.number("asn", value::asn), "65010"));
        let asn = asn.map(|at| at.value);
        let daemon = daemon_table.and_then(|table| daemon::read(&table, asn));
        let mut names = Names {
            first_places: BTreeMap::new(),
        };
        let vifs = each(
            &top,
            "vif",
            &vif::KEYS,
            |table, name| vif::read(table, name, asn),
            &mut names,
        );
        let peers = each(
            &top,
            "peer",
            peer::keys(),
            |table, name| peer::read(table, name, asn),
            &mut names,
        );
        let paths = each(&top, "path", &path::KEYS, path::read, &mut names);
        Self {
            daemon,
            vifs,
            peers,
            paths,
            mistakes,
        }
    }

    /// Checks what no table can see alone.
    pub(super) fn check(&self) {
        self.check_vlans();
        self.check_interfaces();
        self.check_addresses();
        backup::check(self, self.mistakes);
    }

    /// `None` if anything is missing, for which there is a mistake.
    pub(super) fn finish(self) -> Option<Config> {
        let backups = backup::resolve(&self);
        let take = |raw: RawPeer| -> Option<Peer> {
            let backup = backups.get(&raw.name).cloned();
            Some(Peer {
                backup,
                ..raw.peer?
            })
        };
        let vifs = self.vifs.into_iter().map(|raw| -> Option<Vif> {
            let sessions = raw.sessions.into_iter().map(take).collect::<Option<_>>()?;
            Some(Vif {
                sessions,
                ..raw.vif?
            })
        });
        let vifs = vifs.collect::<Option<_>>()?;
        let peers = self.peers.into_iter().map(take).collect::<Option<_>>()?;
        let paths = self
            .paths
            .into_iter()
            .map(|raw| raw.path)
            .collect::<Option<_>>()?;
        Some(Config {
            daemon: self.daemon?,
            vifs,
            peers,
            paths,
        })
    }

    pub(super) fn sessions(&self) -> impl Iterator<Item = &RawPeer> {
        self.vifs
            .iter()
            .flat_map(|vif| &vif.sessions)
            .chain(&self.peers)
    }

    fn check_vlans(&self) {
        let mut seen: BTreeMap<(&str, VlanId), (&str, usize)> = BTreeMap::new();
        for vif in &self.vifs {
            let (Some(parent), Some(vlan)) = (&vif.parent, vif.vlan) else {
                continue;
            };
            let key = (parent.as_str(), vlan.value);
            if let Some((other, offset)) = seen.get(&key) {
                let line = self.mistakes.line(*offset);
                self.mistakes.add(
                    vlan.offset,
                    format!("{}: VLAN {} on {parent} belongs to {other} already (line {line}); a VLAN carries one VIF", vif.title, vlan.value),
                );
            } else {
                seen.insert(key, (&vif.title, vlan.offset));
            }
        }
    }

    fn check_interfaces(&self) {
        let mut seen: BTreeMap<&str, (&str, usize)> = BTreeMap::new();
        for vif in &self.vifs {
            let Some(interface) = &vif.interface else {
                continue;
            };
            if vif.parent.as_deref() == Some(&interface.value) {
                self.mistakes.add(
                    interface.offset,
                    format!(
                        "{}: `interface` is the parent's own name; leave it out or choose another",
                        vif.title
                    ),
                );
            }
            if let Some((other, offset)) = seen.get(interface.value.as_str()) {
                let line = self.mistakes.line(*offset);
                self.mistakes.add(
                    interface.offset,
                    format!(
                        "{}: interface {:?} belongs to {other} already (line {line})",
                        vif.title, interface.value
                    ),
                );
            } else {
                seen.insert(&interface.value, (&vif.title, interface.offset));
            }
        }
    }

    /// A far end names its session when it connects, so it can have only one;
    /// and an address or subnet of ours is on one interface only.
    fn check_addresses(&self) {
        let mut remotes: BTreeMap<(IpAddr, Option<&str>), (&str, usize)> = BTreeMap::new();
        for session in self.sessions() {
            let Some(remote) = session.remote else {
                continue;
            };
            let link_local = matches!(remote.value, IpAddr::V6(v6) if v6.is_unicast_link_local());
            let link = session.interface.as_deref().filter(|_| link_local);
            if let Some((other, offset)) = remotes.get(&(remote.value, link)) {
                let line = self.mistakes.line(*offset);
                self.mistakes.add(
                    remote.offset,
                    format!("{}: {} is the far end of {other} already (line {line}); one session an address", session.title, remote.value),
                );
            } else {
                remotes.insert((remote.value, link), (&session.title, remote.offset));
            }
        }
        self.check_subnets();
    }

    fn check_subnets(&self) {
        let mut subnets: Vec<(At<IpNet>, &str)> = Vec::new();
        for vif in &self.vifs {
            for local in vif.sessions.iter().filter_map(|session| session.local) {
                let overlap = subnets.iter().find(|(other, _)| {
                    other.value.contains(&local.value.trunc())
                        || local.value.contains(&other.value.trunc())
                });
                if let Some((other, title)) = overlap {
                    let line = self.mistakes.line(other.offset);
                    self.mistakes.add(
                        local.offset,
                        format!("{}: `local` {} overlaps with {} of {title} (line {line}); each VIF has a subnet of its own", vif.title, local.value, other.value),
                    );
                }
                subnets.push((local, &vif.title));
            }
        }
    }
}

/// Reads each table of a `[[…]]` list that has a usable, unused name.
fn each<'t, T>(
    top: &Table<'t>,
    list: &str,
    keys: &Keys,
    read: impl Fn(&Table<'t>, Arc<str>) -> T,
    names: &mut Names,
) -> Vec<T> {
    let tables = top.tables(list, keys);
    let mut all = Vec::new();
    for table in &tables {
        let name = name(table, list, names);
        all.push(read(table, name));
    }
    all
}

/// The table's name; whatever else is wrong with a nameless one is found under
/// its number.
fn name(table: &Table<'_>, list: &str, names: &mut Names) -> Arc<str> {
    let name = table.parsed("name", |text| value::name(text).map(str::to_owned));
    let Some(name) = table.required("name", name, "\"prod\"") else {
        return table.title.as_str().into();
    };
    names.add(table, &name.value, name.offset);
    if list == "vif" && table.has("ipv6") {
        names.add(table, &format!("{}-v6", name.value), name.offset);
    }
    name.value.into()
}

/// Names of VIFs, peers and paths: one namespace, since a backup names any.
struct Names {
    first_places: BTreeMap<String, (String, usize)>,
}

impl Names {
    fn add(&mut self, table: &Table<'_>, name: &str, offset: usize) {
        if let Some((other, first)) = self.first_places.get(name) {
            let line = table.mistakes().line(*first);
            table.mistake(offset, format_args!("the name {name:?} is taken by {other} (line {line}); VIFs, peers and paths share one set of names (and a VIF's IPv6 session is called NAME-v6)"));
        } else {
            self.first_places
                .insert(name.to_owned(), (table.title.clone(), offset));
        }
    }
}
