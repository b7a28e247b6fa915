//! The configuration's text: what a person would write, in that order.

use std::fmt::{Display, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use bgp_core::config::VifKind;
use bgp_core::{Asn, Family, RouterId, VlanId};
use ipnet::IpNet;

use super::KeyFile;
use crate::aws::kind_name;
use crate::cli::Preference;

/// What the configuration says, and the keys and notes that go with it.
pub(super) struct Site {
    pub(super) router_id: RouterId,
    pub(super) asn: Asn,
    pub(super) control: Option<PathBuf>,
    pub(super) metrics: Option<SocketAddr>,
    pub(super) vifs: Vec<VifTable>,
    pub(super) backup: Option<BackupPath>,
    pub(super) keys: Vec<KeyFile>,
    pub(super) notes: Vec<String>,
}

/// One `[[vif]]`.
pub(super) struct VifTable {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) kind: VifKind,
    pub(super) parent: String,
    pub(super) vlan: VlanId,
    pub(super) mtu: u32,
    pub(super) asn: Asn,
    pub(super) peer_asn: Asn,
    pub(super) ipv4: Option<Ends>,
    pub(super) ipv6: Option<Ends>,
    pub(super) advertise: Vec<IpNet>,
    pub(super) preference: Option<Preference>,
}

/// A session's addresses and key file.
pub(super) struct Ends {
    pub(super) local: IpNet,
    pub(super) peer: IpAddr,
    pub(super) key_file: Option<PathBuf>,
}

/// The `[[path]]` that backs the VIFs up.
pub(super) struct BackupPath {
    pub(super) name: String,
    pub(super) interface: String,
    pub(super) gateways: Vec<IpAddr>,
    /// Milliseconds.
    pub(super) probe_interval: Option<u32>,
}

impl BackupPath {
    fn carries(&self, family: Family) -> bool {
        self.gateways
            .iter()
            .any(|gateway| Family::of(*gateway) == family)
    }
}

pub(super) fn write(site: &Site) -> String {
    let mut text = Text(String::new());
    text.line("# Written by dxctl bgpd-config from the virtual interfaces as AWS describes them.");
    text.line("");
    text.line("[bgpd]");
    text.quoted("router_id", site.router_id);
    text.plain("asn", site.asn);
    if let Some(control) = &site.control {
        text.path("control", control);
    }
    if let Some(metrics) = site.metrics {
        text.quoted("metrics", metrics);
    }
    site.vifs.iter().for_each(|vif| text.vif(vif, site));
    if let Some(backup) = &site.backup {
        text.backup(backup);
    }
    text.0
}

struct Text(String);

impl Text {
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn plain(&mut self, key: &str, value: impl Display) {
        writeln!(self.0, "{key} = {value}").expect("invariant: a String takes every write");
    }

    fn quoted(&mut self, key: &str, value: impl Display) {
        self.plain(key, quoted(&value.to_string()));
    }

    fn path(&mut self, key: &str, path: &Path) {
        self.plain(key, quoted(&path.display().to_string()));
    }

    fn vif(&mut self, vif: &VifTable, site: &Site) {
        self.line("");
        self.line(&format!("# {}", vif.id));
        self.line("[[vif]]");
        self.quoted("name", &vif.name);
        self.quoted("kind", kind_name(vif.kind));
        self.quoted("parent", &vif.parent);
        self.plain("vlan", vif.vlan);
        self.plain("mtu", vif.mtu);
        if let Some(ends) = &vif.ipv4 {
            self.quoted("local", ends.local);
            self.quoted("peer", ends.peer);
        }
        self.plain("peer_asn", vif.peer_asn);
        if vif.asn != site.asn {
            self.plain("local_asn", vif.asn);
        }
        if let Some(file) = vif.ipv4.as_ref().and_then(|ends| ends.key_file.as_ref()) {
            self.path("auth_key_file", file);
        }
        if let Some(ends) = &vif.ipv6 {
            self.plain("ipv6", ipv6(ends, vif, site.backup.as_ref()));
        }
        if !vif.advertise.is_empty() {
            let prefixes: Vec<String> = vif
                .advertise
                .iter()
                .map(|prefix| quoted(&prefix.to_string()))
                .collect();
            self.plain("advertise", format_args!("[{}]", prefixes.join(", ")));
        }
        if let Some(preference) = vif.preference {
            self.quoted("preference", preference);
        }
        if let Some(backup) = &site.backup {
            let serves = vif.ipv4.is_none() || backup.carries(Family::Ipv4);
            self.quoted("backup", if serves { &backup.name } else { NO_BACKUP });
        }
    }

    fn backup(&mut self, backup: &BackupPath) {
        self.line("");
        self.line("[[path]]");
        self.quoted("name", &backup.name);
        self.quoted("interface", &backup.interface);
        for gateway in &backup.gateways {
            let key = if gateway.is_ipv4() {
                "gateway"
            } else {
                "gateway6"
            };
            self.quoted(key, gateway);
        }
        if let Some(interval) = backup.probe_interval {
            let targets: Vec<String> = backup
                .gateways
                .iter()
                .map(|gateway| quoted(&gateway.to_string()))
                .collect();
            self.plain(
                "probe",
                format_args!(
                    "{{ icmp = [{}], interval = \"{interval}ms\" }}",
                    targets.join(", ")
                ),
            );
        }
    }
}

/// What bgpd takes for "no backup for this session".
const NO_BACKUP: &str = "none";

/// The inline table of the IPv6 session. What stands in the VIF's own table
/// holds for it too, so what differs is said.
fn ipv6(ends: &Ends, vif: &VifTable, backup: Option<&BackupPath>) -> String {
    let mut parts = vec![
        format!("local = {}", quoted(&ends.local.to_string())),
        format!("peer = {}", quoted(&ends.peer.to_string())),
    ];
    if let Some(file) = &ends.key_file {
        parts.push(format!(
            "auth_key_file = {}",
            quoted(&file.display().to_string())
        ));
    }
    if let Some(backup) = backup {
        let inherits = vif.ipv4.is_none() || backup.carries(Family::Ipv4);
        match (backup.carries(Family::Ipv6), inherits) {
            (false, _) => parts.push(format!("backup = {}", quoted(NO_BACKUP))),
            (true, false) => parts.push(format!("backup = {}", quoted(&backup.name))),
            (true, true) => {}
        }
    }
    format!("{{ {} }}", parts.join(", "))
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
