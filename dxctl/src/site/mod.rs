//! The site file: what the operator wants of Direct Connect, in one TOML text.
//!
//! [`load`] reads it into a [`Site`] that is valid by construction, or finds every
//! mistake at once, with line and column. A key (of MD5) never stands in it: only
//! where to take one from. `schema/site.schema.json` says the same to editors;
//! a test holds the two together.

mod carrier;
mod check;
mod gateway;
mod key;
mod router;
mod vif;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bgp_core::config::mistake::{Mistake, Mistakes};
use bgp_core::config::table::{At, Keys, TOP_LEVEL, Table, parse};
use bgp_core::config::{VifKind, value};
use bgp_core::{Asn, Family, RouterId, VlanId};
use ipnet::{IpNet, Ipv4Net};
use toml::de::DeTable;

use crate::aws::{Features, Tag};
use crate::cli::{self, Addresses, Auto, Preference};
use crate::{pick, rules};

pub(crate) use key::{KeySource, parse as parse_key_source};

/// The JSON Schema of the site file.
pub(crate) const SCHEMA: &str = include_str!("../../schema/site.schema.json");

/// Everything that a site file says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Site {
    /// Marks what `apply` makes, by the tag [`OWNER_TAG`].
    pub(crate) name: String,
    pub(crate) region: Option<String>,
    /// The AWS account that this is about; any other is refused.
    pub(crate) account: Option<String>,
    /// Our AS number on virtual interfaces that name none.
    pub(crate) asn: Auto<Asn>,
    /// Where `addresses = "auto"` picks from, and how long a pair's mask is.
    pub(crate) pool: Ipv4Net,
    pub(crate) pool_length: u8,
    pub(crate) carriers: Vec<Carrier>,
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) vifs: Vec<Vif>,
    pub(crate) routers: Vec<Router>,
}

/// On virtual interfaces and Direct Connect gateways that `apply` made: the
/// site's name. What has it and is no longer in the file is deleted; what lacks
/// it never is.
pub(crate) const OWNER_TAG: &str = "dxctl:site";

/// `[[connection]]` or `[[lag]]`: exists already; dxctl orders no ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Carrier {
    pub(crate) name: String,
    pub(crate) what: CarrierKind,
    /// `None`: the one that has this name at AWS.
    pub(crate) id: Option<String>,
    /// The ARNs of its MACsec keys' secrets; `None`: as they are.
    pub(crate) macsec: Option<Vec<String>>,
    pub(crate) tags: Option<Vec<Tag>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CarrierKind {
    Connection,
    Lag,
}

/// `[[gateway]]`: a Direct Connect gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gateway {
    pub(crate) name: String,
    /// `None`: the one that has this name at AWS, or else a new one.
    pub(crate) id: Option<String>,
    /// AWS's side; `None`: 64512 for a new one, and as it is for one that exists.
    pub(crate) asn: Option<Asn>,
    pub(crate) tags: Option<Vec<Tag>>,
    pub(crate) associations: Vec<Association>,
}

/// `[[gateway.association]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Association {
    /// `vgw-…` or `tgw-…`.
    pub(crate) target: String,
    /// `None`: AWS's default for a new one, and as they are for one that exists.
    pub(crate) allowed: Option<Vec<IpNet>>,
}

/// `[[vif]]`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Vif {
    pub(crate) name: String,
    pub(crate) kind: VifKind,
    /// The name of a [`Carrier`].
    pub(crate) carrier: String,
    pub(crate) vlan: Auto<VlanId>,
    pub(crate) leads_to: Option<LeadsTo>,
    pub(crate) mtu: Option<u32>,
    pub(crate) features: Features,
    pub(crate) route_filter_prefixes: Vec<IpNet>,
    pub(crate) tags: Option<Vec<Tag>>,
    /// `None`: the site's.
    pub(crate) asn: Option<Asn>,
    /// One a family, IPv4 first; at least one.
    pub(crate) sessions: Vec<Session>,
    pub(crate) advertise: Vec<IpNet>,
    pub(crate) preference: Option<Preference>,
    /// The name of a [`Router`].
    pub(crate) router: Option<String>,
    /// The router's interface that carries it; `None`: the router's `parent`.
    pub(crate) parent: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LeadsTo {
    /// A virtual private gateway, `vgw-…`.
    Virtual(String),
    /// A Direct Connect gateway, by its name in the file.
    Gateway(String),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Session {
    pub(crate) family: Family,
    pub(crate) addresses: Addresses,
    pub(crate) key: KeySource,
}

/// `[[router]]`: what terminates virtual interfaces on our side.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Router {
    pub(crate) name: String,
    pub(crate) platform: Platform,
    pub(crate) parent: Option<String>,
    pub(crate) router_id: Option<RouterId>,
    pub(crate) backup: Option<Backup>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Platform {
    /// This product's daemon; its configuration and keys go into the directory.
    Bgpd {
        directory: PathBuf,
        control: Option<PathBuf>,
        metrics: Option<std::net::SocketAddr>,
    },
    /// Another maker's; its text, without keys, goes into the file.
    Vendor {
        platform: vendor_configs::Platform,
        file: PathBuf,
    },
}

/// The way out while the virtual interfaces are down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Backup {
    pub(crate) interface: String,
    pub(crate) gateways: Vec<std::net::IpAddr>,
}

/// Mistakes in a site file, each with its place. Exit 2: nothing was changed.
#[derive(Debug, thiserror::Error)]
#[error("{} in {}; nothing was changed:\n{}", count(.mistakes.len()), .file.display(), list(.file, .mistakes))]
pub(crate) struct SiteMistakes {
    pub(crate) file: PathBuf,
    pub(crate) mistakes: Vec<Mistake>,
}

fn count(mistakes: usize) -> String {
    match mistakes {
        1 => "1 mistake".to_owned(),
        more => format!("{more} mistakes"),
    }
}

fn list(file: &Path, mistakes: &[Mistake]) -> String {
    let lines = mistakes
        .iter()
        .map(|mistake| format!("  {}:{mistake}", file.display()));
    lines.collect::<Vec<_>>().join("\n")
}

/// Reads the file; paths in it are relative to its directory.
pub(crate) fn load(file: &Path) -> anyhow::Result<Site> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::NotFound => "; dxctl import --out FILE writes one from what AWS has",
            _ => "",
        };
        anyhow::anyhow!("the site file {}: {error}{hint}", file.display())
    })?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let site = read(&text, folder);
    site.map_err(|mistakes| {
        let file = file.to_owned();
        SiteMistakes { file, mistakes }.into()
    })
}

pub(crate) fn read(text: &str, folder: &Path) -> Result<Site, Vec<Mistake>> {
    parse(text, |root, mistakes| site(root, mistakes, folder))
}

const TOP_KEYS: Keys = Keys {
    known: &["site", "connection", "lag", "gateway", "vif", "router"],
    refused: &[],
};

const SITE_KEYS: Keys = Keys {
    known: &["name", "region", "account", "asn", "pool", "pool_length"],
    refused: &[],
};

fn site<'t>(root: &'t DeTable<'t>, mistakes: &'t Mistakes<'t>, folder: &Path) -> Option<Site> {
    let top = Table::open(TOP_LEVEL.to_owned(), 0, root, &TOP_KEYS, mistakes);
    let own = top.table("site", &SITE_KEYS);
    if own.is_none() && !top.has("site") {
        mistakes.add(0, "the table [site] is missing; it needs `name`");
    }
    let carriers = carrier::read(&top);
    let gateways = gateway::read(&top);
    let routers = router::read(&top, folder);
    let vifs = vif::read(&top, folder);
    check::check(&check::Parts {
        carriers: &carriers,
        gateways: &gateways,
        vifs: &vifs,
        routers: &routers,
    });
    let own = own?;
    let name = own.parsed("name", |text| value::name(text).map(str::to_owned));
    let name = own.required("name", name, "\"frankfurt\"");
    let region = own.parsed("region", region);
    let account = own.parsed("account", cli::account);
    let asn = auto(&own, "asn", value::asn);
    let pool = own.parsed("pool", pool);
    let pool_length = own.integer("pool_length", 30..=31);
    Some(Site {
        name: name?.value,
        region: region.map(|at| at.value),
        account: account.map(|at| at.value),
        asn: asn.map_or(Auto::Auto, |at| at.value),
        pool: pool.map_or_else(pick::link_local_pool, |at| at.value),
        pool_length: pool_length
            .and_then(|at| u8::try_from(at.value).ok())
            .unwrap_or(30),
        carriers: all(carriers)?,
        gateways: all(gateways)?,
        vifs: all(vifs)?,
        routers: all(routers)?,
    })
}

/// An entry of a `[[…]]` list: its table, for checks across entries, and what
/// was read; `None` where a mistake was noted.
struct Entry<'t, T> {
    table: Table<'t>,
    name: Option<At<String>>,
    read: Option<T>,
}

fn all<T>(entries: Vec<Entry<'_, T>>) -> Option<Vec<T>> {
    entries.into_iter().map(|entry| entry.read).collect()
}

/// A number that `parse` takes, or `"auto"`.
fn auto<T>(
    table: &Table<'_>,
    key: &str,
    parse: impl Fn(u32) -> Result<T, String>,
) -> Option<At<Auto<T>>> {
    if table.is_text(key) {
        return table.parsed(key, |text| match text {
            "auto" => Ok(Auto::Auto),
            _ => Err("write a number without quotes, or \"auto\"".to_owned()),
        });
    }
    table.number(key, |number| parse(number).map(Auto::Value))
}

/// `tags = { team = "net" }`
fn tags(table: &Table<'_>) -> Option<Vec<Tag>> {
    let map = table.map("tags")?;
    if map.keys().count() > 50 {
        map.mistake(map.offset, "AWS takes 50 tags");
    }
    let mut tags = Vec::new();
    for key in map.keys() {
        if key.value == OWNER_TAG {
            map.mistake(key.offset, "dxctl sets this one itself; leave it out");
        } else if key.value.is_empty() || key.value.chars().count() > 128 {
            map.mistake(key.offset, "a tag's key has 1 to 128 characters");
        }
        let value = map.parsed(key.value, |value| match value.chars().count() {
            0..=256 => Ok(value.to_owned()),
            _ => Err("a tag's value has at most 256 characters".to_owned()),
        });
        if let Some(value) = value {
            tags.push(Tag {
                key: key.value.to_owned(),
                value: value.value,
            });
        }
    }
    tags.sort_by(|a, b| a.key.cmp(&b.key));
    Some(tags)
}

fn region(text: &str) -> Result<String, String> {
    match rules::is_region(text) {
        true => Ok(text.to_owned()),
        false => Err(format!("{text:?} is not of the form \"eu-central-1\"")),
    }
}

fn pool(text: &str) -> Result<Ipv4Net, String> {
    match value::prefix(text)? {
        IpNet::V4(net) if net.prefix_len() <= 30 => Ok(net),
        IpNet::V4(net) => Err(format!("{net} has no room for a pair of addresses")),
        IpNet::V6(_) => Err("IPv6 addresses are always AWS's to assign".to_owned()),
    }
}
