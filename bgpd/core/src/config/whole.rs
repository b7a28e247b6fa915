//! The whole text: `[bgpd]`, `[[path]]`, and the checks across tables.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistake::Mistakes;
use super::peer::{self, RawPeer};
use super::table::{At, Keys, TOP_LEVEL, Table};
use super::vif::{self, RawVif};
use super::{Config, Daemon, Kernel, OnShutdown, Peer, Probe, StaticPath, Vif, backup, value};
use crate::{Asn, Family, VlanId};

const TOP_KEYS: Keys = Keys {
    known: &["bgpd", "vif", "peer", "path"],
    refused: &[],
};
const DAEMON_KEYS: Keys = Keys {
    known: &[
        "router_id",
        "asn",
        "listen",
        "control",
        "metrics",
        "shutdown_message",
        "kernel",
    ],
    refused: &[],
};
const KERNEL_KEYS: Keys = Keys {
    known: &["install", "table", "metric", "protocol", "on_shutdown"],
    refused: &[],
};
const PATH_KEYS: Keys = Keys {
    known: &["name", "interface", "gateway", "gateway6", "probe"],
    refused: &[],
};
const PROBE_KEYS: Keys = Keys {
    known: &["icmp", "interval"],
    refused: &[],
};

const CONTROL: &str = "/run/bgpd/bgpd.sock";
const SHUTDOWN_MESSAGE: &str = "bgpd is shutting down";
/// RT_TABLE_MAIN, and RTPROT_BGP of `/etc/iproute2/rt_protos`.
const MAIN_TABLE: u32 = 254;
const LOCAL_TABLE: u32 = 255;
const PROTOCOL: u8 = 186;
const METRIC: u32 = 20;

/// A `[[path]]` as read.
pub(super) struct RawPath {
    pub(super) name: Arc<str>,
    pub(super) families: Vec<Family>,
    path: Option<StaticPath>,
}

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
        let daemon_table = top.table("bgpd", &DAEMON_KEYS);
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
        let daemon = daemon_table.and_then(|table| daemon(&table, asn));
        let mut names = Names {
            first_places: BTreeMap::new(),
        };
        let vifs = each(
            root,
            "vif",
            &vif::KEYS,
            mistakes,
            |table, name| vif::read(table, name, asn),
            &mut names,
        );
        let peers = each(
            root,
            "peer",
            peer::keys(),
            mistakes,
            |table, name| peer::read(table, name, asn),
            &mut names,
        );
        let paths = each(root, "path", &PATH_KEYS, mistakes, path, &mut names);
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
    root: &'t DeTable<'t>,
    list: &str,
    keys: &Keys,
    mistakes: &'t Mistakes<'t>,
    read: impl Fn(&Table<'t>, Arc<str>) -> T,
    names: &mut Names,
) -> Vec<T> {
    let Some(value) = root.get(list) else {
        return Vec::new();
    };
    let DeValue::Array(items) = value.get_ref() else {
        mistakes.add(
            value.span().start,
            format!("`{list}` is a list of tables: write [[{list}]], with two brackets"),
        );
        return Vec::new();
    };
    let mut all = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let DeValue::Table(entries) = item.get_ref() else {
            mistakes.add(
                item.span().start,
                format!("`{list}` is a list of tables: write [[{list}]], with two brackets"),
            );
            continue;
        };
        let title = match entries.get("name").map(Spanned::get_ref) {
            Some(DeValue::String(name)) => format!("{list} {name:?}"),
            _ => format!("{list} number {}", index + 1),
        };
        let table = Table::open(title, item.span().start, entries, keys, mistakes);
        let name = name(&table, list, names);
        all.push(read(&table, name));
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

fn daemon(table: &Table<'_>, asn: Option<Asn>) -> Option<Daemon> {
    let router_id = table.required(
        "router_id",
        table.parsed("router_id", value::router_id),
        "\"192.0.2.1\"",
    );
    let kernel = table
        .table("kernel", &KERNEL_KEYS)
        .map_or_else(Kernel::default, |table| kernel(&table));
    let listen = if table.has("listen") {
        table
            .list("listen", value::socket_address)
            .into_iter()
            .map(|at| at.value)
            .collect()
    } else {
        Daemon::default_listen()
    };
    Some(Daemon {
        listen,
        control: table
            .parsed("control", value::socket_path)
            .map_or_else(|| PathBuf::from(CONTROL), |at| at.value),
        metrics: table
            .parsed("metrics", value::socket_address)
            .map(|at| at.value),
        shutdown_message: table
            .parsed("shutdown_message", value::shutdown_message)
            .map_or_else(|| SHUTDOWN_MESSAGE.to_owned(), |at| at.value),
        kernel,
        router_id: router_id?.value,
        asn: asn?,
    })
}

impl Default for Kernel {
    fn default() -> Self {
        Self {
            install: true,
            table: MAIN_TABLE,
            metric: METRIC,
            protocol: PROTOCOL,
            on_shutdown: OnShutdown::Keep,
        }
    }
}

fn kernel(table: &Table<'_>) -> Kernel {
    let default = Kernel::default();
    let number = table.integer("table", 1..=u32::MAX);
    if let Some(number) = number.filter(|at| at.value == LOCAL_TABLE) {
        table.mistake(
            number.offset,
            "`table` 255 is the kernel's own (`local`); 254 is `main`",
        );
    }
    // Below 5 are the kernel's and the administrator's own (rtnetlink.h).
    let protocol = table
        .integer("protocol", 5..=255)
        .and_then(|at| u8::try_from(at.value).ok());
    let on_shutdown = table.parsed("on_shutdown", |text| match text {
        "keep" => Ok(OnShutdown::Keep),
        "remove" => Ok(OnShutdown::Remove),
        _ => Err(format!(
            "{text:?} is neither \"keep\" (forwarding goes on) nor \"remove\""
        )),
    });
    Kernel {
        install: table.flag("install").map_or(default.install, |at| at.value),
        table: number.map_or(default.table, |at| at.value),
        metric: table
            .integer("metric", 1..=u32::MAX)
            .map_or(default.metric, |at| at.value),
        protocol: protocol.unwrap_or(default.protocol),
        on_shutdown: on_shutdown.map_or(default.on_shutdown, |at| at.value),
    }
}

fn path(table: &Table<'_>, name: Arc<str>) -> RawPath {
    let interface = table.required(
        "interface",
        table.parsed("interface", value::interface),
        "\"eth0\"",
    );
    let gateways: Vec<IpAddr> = [("gateway", Family::Ipv4), ("gateway6", Family::Ipv6)]
        .into_iter()
        .filter_map(|(key, family)| gateway(table, key, family))
        .collect();
    if !table.has("gateway") && !table.has("gateway6") {
        table.mistake(table.offset, "`gateway` is missing; write for example `gateway = \"203.0.113.1\"` (or `gateway6` for IPv6)");
    }
    let families = [("gateway", Family::Ipv4), ("gateway6", Family::Ipv6)];
    RawPath {
        families: families
            .into_iter()
            .filter(|(key, _)| table.has(key))
            .map(|(_, family)| family)
            .collect(),
        path: interface.map(|interface| StaticPath {
            name: name.clone(),
            interface: interface.value,
            gateways,
            probe: table
                .table("probe", &PROBE_KEYS)
                .and_then(|table| probe(&table)),
        }),
        name,
    }
}

fn gateway(table: &Table<'_>, key: &str, family: Family) -> Option<IpAddr> {
    let at = table.parsed(key, value::address)?;
    if Family::of(at.value) != family {
        table.mistake(
            at.offset,
            format_args!(
                "`{key}` {} is not {family}; `gateway` is for IPv4, `gateway6` for IPv6",
                at.value
            ),
        );
        return None;
    }
    Some(at.value)
}

fn probe(table: &Table<'_>) -> Option<Probe> {
    let icmp: Vec<_> = table
        .list("icmp", value::address)
        .into_iter()
        .map(|at| at.value)
        .collect();
    if !table.has("icmp") || (icmp.is_empty() && table.place("icmp") == table.offset) {
        table.mistake(
            table.offset,
            "`icmp` is missing; write for example `icmp = [\"203.0.113.1\"]`",
        );
    }
    let interval = table.duration(
        "interval",
        Duration::from_millis(10)..=Duration::from_secs(60),
    );
    Some(Probe {
        icmp,
        interval: interval.map_or(Duration::from_secs(1), |at| at.value),
    })
}
