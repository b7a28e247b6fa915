//! `--link`: a router's virtual interfaces by hand, in TOML.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context;
use bgp_core::config::{Preference, VifKind};
use bgp_core::{Asn, RouterId, VlanId};
use ipnet::IpNet;
use serde::{Deserialize, Deserializer};
use vendor_configs::{
    Backup, Bfd, Description, HostName, InterfaceName, Name, RouterLink, RouterPlan, Scope,
    Session, SessionKey, Timers, VifId, VrfName,
};

use crate::{Refused, key_file};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRouter {
    #[serde(default, deserialize_with = "word")]
    hostname: Option<HostName>,
    router_id: Option<RouterId>,
    link: Vec<RawLink>,
    backup: Option<RawBackup>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLink {
    #[serde(deserialize_with = "parsed")]
    name: Name,
    #[serde(default, deserialize_with = "word")]
    vif_id: Option<VifId>,
    kind: RawKind,
    #[serde(default, deserialize_with = "word")]
    parent: Option<InterfaceName>,
    vlan: VlanId,
    mtu: Option<u32>,
    #[serde(default, deserialize_with = "word")]
    vrf: Option<VrfName>,
    #[serde(default, deserialize_with = "word")]
    description: Option<Description>,
    asn: Asn,
    #[serde(default)]
    advertise: Vec<IpNet>,
    preference: Option<RawPreference>,
    scope: Option<RawScope>,
    bfd: Option<RawBfd>,
    timers: Option<RawTimers>,
    receive_limit: Option<u32>,
    advertise_limit: Option<u32>,
    session: Vec<RawSession>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSession {
    local: IpNet,
    peer: IpAddr,
    peer_asn: Asn,
    /// Relative to the file.
    auth_key_file: Option<PathBuf>,
    #[serde(default)]
    allow_no_key: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBackup {
    #[serde(default, deserialize_with = "word")]
    vrf: Option<VrfName>,
    #[serde(default)]
    gateways: Vec<IpAddr>,
    #[serde(default, deserialize_with = "word")]
    interface: Option<InterfaceName>,
    #[serde(default)]
    to: Vec<IpNet>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawKind {
    Private,
    Transit,
    Public,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawPreference {
    Low,
    Medium,
    High,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawScope {
    Region,
    Continent,
    Global,
}

/// `bfd = false`, or `bfd = { interval = 300, multiplier = 3 }`.
#[derive(Deserialize)]
#[serde(untagged)]
enum RawBfd {
    Switch(bool),
    Values { interval: u16, multiplier: u8 },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTimers {
    keepalive: u16,
    hold: u16,
}

/// The router that the file describes, with the keys from its key files.
pub(super) fn read(file: &Path) -> anyhow::Result<RouterPlan> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let raw: RawRouter = toml::from_str(&text)
        .map_err(|error| Refused::new(format!("{}: {error}", file.display())))?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let links = raw.link.into_iter().map(|link| link.read(folder));
    Ok(RouterPlan {
        hostname: raw.hostname,
        router_id: raw.router_id,
        links: links.collect::<Result<_, _>>()?,
        backup: raw.backup.map(|backup| Backup {
            vrf: backup.vrf,
            gateways: backup.gateways,
            interface: backup.interface,
            to: backup.to,
        }),
    })
}

impl RawLink {
    fn read(self, folder: &Path) -> anyhow::Result<RouterLink> {
        let sessions = self.session.into_iter().map(|session| session.read(folder));
        let kind = match self.kind {
            RawKind::Private => VifKind::Private,
            RawKind::Transit => VifKind::Transit,
            RawKind::Public => VifKind::Public,
        };
        let sessions = sessions.collect::<Result<_, _>>()?;
        let mut link = RouterLink::new(self.name, kind, self.vlan, self.asn, sessions);
        link.vif_id = self.vif_id;
        link.parent = self.parent;
        link.mtu = self.mtu.unwrap_or(link.mtu);
        link.vrf = self.vrf;
        link.description = self.description;
        link.advertise = self.advertise;
        link.preference = self.preference.map(|preference| match preference {
            RawPreference::Low => Preference::Low,
            RawPreference::Medium => Preference::Medium,
            RawPreference::High => Preference::High,
        });
        link.scope = self.scope.map_or(link.scope, |scope| match scope {
            RawScope::Region => Scope::Region,
            RawScope::Continent => Scope::Continent,
            RawScope::Global => Scope::Global,
        });
        link.bfd = match self.bfd {
            None | Some(RawBfd::Switch(true)) => link.bfd,
            Some(RawBfd::Switch(false)) => None,
            Some(RawBfd::Values {
                interval,
                multiplier,
            }) => Some(Bfd {
                interval,
                multiplier,
            }),
        };
        if let Some(RawTimers { keepalive, hold }) = self.timers {
            link.timers = Timers { keepalive, hold };
        }
        link.limits.receive = self.receive_limit.unwrap_or(link.limits.receive);
        link.limits.advertise = self.advertise_limit.unwrap_or(link.limits.advertise);
        Ok(link)
    }
}

impl RawSession {
    fn read(self, folder: &Path) -> anyhow::Result<Session> {
        let key = match (self.auth_key_file, self.allow_no_key) {
            (Some(file), _) => SessionKey::Md5(key_file::read(&folder.join(file))?),
            (None, true) => SessionKey::LeftOut,
            (None, false) => SessionKey::Unknown,
        };
        Ok(Session {
            local: self.local,
            peer: self.peer,
            peer_asn: self.peer_asn,
            key,
        })
    }
}

fn parsed<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: std::fmt::Display>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

fn word<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: std::fmt::Display>,
{
    parsed(deserializer).map(Some)
}
