//! `[[vif]]`.

use std::path::Path;

use bgp_core::Family;
use bgp_core::config::table::{Keys, Table};
use bgp_core::config::{VifKind, value};
use bgp_core::{Asn, aws};
use ipnet::IpNet;

use super::key::{self, KeySource};
use super::{Entry, LeadsTo, Session, Vif, auto, router, tags};
use crate::aws::{Features, PeerAddresses};
use crate::cli::{Addresses, Auto, Preference};
use crate::rules::{self, Findings};

const KEYS: Keys = Keys {
    known: &[
        "name",
        "kind",
        "connection",
        "vlan",
        "gateway",
        "mtu",
        "site_link",
        "rate_limit",
        "prefix_pool",
        "route_filter_prefixes",
        "tags",
        "asn",
        "addresses",
        "key",
        "ipv4",
        "ipv6",
        "advertise",
        "preference",
        "router",
        "parent",
    ],
    refused: &[
        (
            "auth_key",
            "a key never stands in a site file; write `key = \"file:PATH\"`",
        ),
        ("lag", "name the LAG in `connection`"),
    ],
};

const POOL_KEYS: Keys = Keys {
    known: &["ipv4", "ipv6"],
    refused: &[],
};

const IPV6_KEYS: Keys = Keys {
    known: &["key"],
    refused: &[("addresses", "IPv6 addresses are always AWS's to assign")],
};

pub(super) fn read<'t>(top: &Table<'t>, folder: &Path) -> Vec<Entry<'t, Vif>> {
    let tables = top.tables("vif", &KEYS).into_iter();
    tables.map(|table| one(table, folder)).collect()
}

fn one<'t>(table: Table<'t>, folder: &Path) -> Entry<'t, Vif> {
    let name = table.parsed("name", vif_name);
    let name = table.required("name", name, "\"prod\"");
    let kind = table.parsed("kind", kind);
    let kind = table.required("kind", kind, "\"private\"");
    let carrier = table.parsed("connection", |text| Ok(text.to_owned()));
    let carrier = table.required("connection", carrier, "\"frankfurt-a\"");
    let vlan = auto(&table, "vlan", value::vlan);
    let kind = kind.map(|at| at.value);
    let parts = Parts {
        table: &table,
        kind,
        folder,
    };
    let mtu = parts.mtu();
    let asn = parts.asn();
    let leads_to = parts.leads_to();
    let sessions = parts.sessions();
    let features = parts.features();
    let route_filter_prefixes = parts.route_filter(&sessions);
    let tags = tags(&table);
    let advertise = table.list("advertise", value::advertised_prefix);
    let preference = table.parsed("preference", preference);
    if preference.is_some() && kind == Some(VifKind::Public) {
        table.mistake(
            table.place("preference"),
            "AWS knows no `preference` on a public virtual interface",
        );
    }
    let router = table.parsed("router", |text| Ok(text.to_owned()));
    let parent = table.parsed("parent", router::interface);
    let read = (|| {
        Some(Vif {
            name: name.as_ref()?.value.clone(),
            kind: kind?,
            carrier: carrier?.value,
            vlan: vlan.map_or(Auto::Auto, |at| at.value),
            leads_to,
            mtu,
            features,
            route_filter_prefixes,
            tags,
            asn,
            sessions,
            advertise: advertise.into_iter().map(|at| at.value).collect(),
            preference: preference.map(|at| at.value),
            router: router.map(|at| at.value),
            parent: parent.map(|at| at.value),
        })
    })();
    Entry { table, name, read }
}

struct Parts<'a, 't> {
    table: &'a Table<'t>,
    kind: Option<VifKind>,
    folder: &'a Path,
}

impl Parts<'_, '_> {
    /// AWS's rules, told where the key stands.
    fn checked(&self, key: &str, check: impl FnOnce(&mut Findings)) {
        let mut found = Findings::default();
        check(&mut found);
        for mistake in found.mistakes {
            self.table.mistake(self.table.place(key), mistake);
        }
    }

    fn mtu(&self) -> Option<u32> {
        let mtu = self.table.integer("mtu", 0..=u32::MAX)?.value;
        if let Some(kind) = self.kind {
            self.checked("mtu", |found| rules::check_mtu(kind, mtu, found));
        }
        Some(mtu)
    }

    fn asn(&self) -> Option<Asn> {
        Some(self.table.number("asn", value::asn)?.value)
    }

    fn leads_to(&self) -> Option<LeadsTo> {
        let table = self.table;
        let gateway = table.text("gateway");
        match (self.kind?, gateway) {
            (VifKind::Public, Some(at)) => {
                table.mistake(
                    at.offset,
                    "a public virtual interface has no gateway: leave `gateway` out",
                );
                None
            }
            (VifKind::Transit, Some(at)) if at.value.starts_with("vgw-") => {
                table.mistake(
                    at.offset,
                    "a transit virtual interface leads to a Direct Connect gateway: name a [[gateway]] of this file",
                );
                None
            }
            (VifKind::Private, Some(at)) if at.value.starts_with("vgw-") => {
                Some(LeadsTo::Virtual(at.value.to_owned()))
            }
            (VifKind::Private | VifKind::Transit, Some(at)) => {
                Some(LeadsTo::Gateway(at.value.to_owned()))
            }
            (VifKind::Private, None) => {
                if !table.has("gateway") {
                    table.mistake(
                        table.offset,
                        "`gateway` is missing: name a [[gateway]] of this file, or a virtual private gateway (vgw-…)",
                    );
                }
                None
            }
            (VifKind::Transit, None) => {
                if !table.has("gateway") {
                    table.mistake(
                        table.offset,
                        "`gateway` is missing: name a [[gateway]] of this file",
                    );
                }
                None
            }
            (VifKind::Public, None) => None,
        }
    }

    fn sessions(&self) -> Vec<Session> {
        let table = self.table;
        let key = self.key(table);
        let mut sessions = Vec::new();
        if table.flag("ipv4").is_none_or(|at| at.value) {
            sessions.push(Session {
                family: Family::Ipv4,
                addresses: self.addresses(),
                key: key.clone(),
            });
        } else if table.has("addresses") {
            table.mistake(
                table.place("addresses"),
                "there is no IPv4 session to give addresses to, and IPv6 ones are always AWS's to assign",
            );
        }
        if let Some(key) = self.ipv6(key) {
            sessions.push(Session {
                family: Family::Ipv6,
                addresses: Addresses::Aws,
                key,
            });
        }
        if sessions.is_empty() {
            table.mistake(
                table.place("ipv4"),
                "a virtual interface has a session: add `ipv6 = true`",
            );
        }
        sessions
    }

    /// `ipv6 = true`, or a table with what differs from the IPv4 session.
    fn ipv6(&self, key: KeySource) -> Option<KeySource> {
        let table = self.table;
        if table.is_table("ipv6") {
            let own = table.table("ipv6", &IPV6_KEYS)?;
            return Some(if own.has("key") { self.key(&own) } else { key });
        }
        table.flag("ipv6").filter(|at| at.value).map(|_| key)
    }

    fn key(&self, table: &Table<'_>) -> KeySource {
        let source = table.parsed("key", |text| key::parse(text, self.folder));
        source.map_or(KeySource::Aws, |at| at.value)
    }

    /// `"auto"`, `"aws"`, or AWS's end and ours.
    fn addresses(&self) -> Addresses {
        let table = self.table;
        let public = self.kind == Some(VifKind::Public);
        if !table.has("addresses") {
            if public {
                table.mistake(
                    table.offset,
                    "`addresses` is missing: a public virtual interface has addresses that you own; write for example `addresses = [\"203.0.113.1/30\", \"203.0.113.2/30\"]`, AWS's end first",
                );
            }
            return Addresses::Auto;
        }
        if table.is_text("addresses") {
            let word = table.parsed("addresses", |text| match text {
                "auto" | "aws" if public => {
                    Err("a public virtual interface has addresses that you own: give both ends".to_owned())
                }
                "auto" => Ok(Addresses::Auto),
                "aws" => Ok(Addresses::Aws),
                _ => Err("write \"auto\", \"aws\", or both ends: [\"169.254.10.1/30\", \"169.254.10.2/30\"], AWS's first".to_owned()),
            });
            return word.map_or(Addresses::Auto, |at| at.value);
        }
        let ends = table.list("addresses", value::interface_address);
        let [amazon, customer] = ends.as_slice() else {
            table.mistake(
                table.place("addresses"),
                "`addresses` needs two: AWS's end and ours, each with its mask",
            );
            return Addresses::Auto;
        };
        let pair = PeerAddresses {
            amazon: amazon.value,
            customer: customer.value,
        };
        if let Some(kind) = self.kind {
            self.checked("addresses", |found| rules::check_pair(kind, pair, found));
        }
        Addresses::Pair(pair)
    }

    fn features(&self) -> Features {
        let table = self.table;
        let site_link = table.flag("site_link");
        let rate_limit = table.parsed("rate_limit", rate_limit);
        let pool = table.table("prefix_pool", &POOL_KEYS);
        let share = |family| {
            let pool = pool.as_ref()?;
            pool.integer(family, 0..=1000).map(|at| at.value)
        };
        let features = Features {
            site_link: site_link.map(|at| at.value),
            rate_limit: rate_limit.map(|at| at.value),
            prefix_pool_ipv4: share("ipv4"),
            prefix_pool_ipv6: share("ipv6"),
        };
        if self.kind == Some(VifKind::Public) {
            for key in ["site_link", "rate_limit", "prefix_pool"] {
                if table.has(key) {
                    let place = table.place(key);
                    table.mistake(
                        place,
                        format_args!("`{key}` is for private and transit virtual interfaces"),
                    );
                }
            }
        }
        features
    }

    fn route_filter(&self, sessions: &[Session]) -> Vec<IpNet> {
        const KEY: &str = "route_filter_prefixes";
        let table = self.table;
        let prefixes = table.list(KEY, value::prefix);
        match self.kind {
            Some(VifKind::Public) if !table.has(KEY) => table.mistake(
                table.offset,
                "`route_filter_prefixes` is missing: a public virtual interface announces prefixes that you own",
            ),
            Some(VifKind::Private | VifKind::Transit) if table.has(KEY) => {
                table.mistake(table.place(KEY), "route filter prefixes are for public virtual interfaces only");
            }
            _ => {}
        }
        if prefixes.len() > 1000 {
            let text = format!("{} route filter prefixes: AWS takes 1,000", prefixes.len());
            table.mistake(table.place(KEY), text);
        }
        if let Some(session) = sessions.first() {
            for prefix in &prefixes {
                let mut found = Findings::default();
                rules::check_route_filter_prefix(prefix.value, session.family, &mut found);
                for mistake in found.mistakes {
                    table.mistake(prefix.offset, mistake);
                }
            }
        }
        let mut all: Vec<_> = prefixes.into_iter().map(|at| at.value).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

fn vif_name(text: &str) -> Result<String, String> {
    let mut found = Findings::default();
    rules::check_vif_name(text, &mut found);
    match found.mistakes.pop() {
        Some(mistake) => Err(mistake),
        None => Ok(text.to_owned()),
    }
}

fn kind(text: &str) -> Result<VifKind, String> {
    let kinds = [VifKind::Private, VifKind::Transit, VifKind::Public];
    let found = kinds
        .into_iter()
        .find(|kind| crate::aws::kind_name(*kind) == text);
    found.ok_or_else(|| format!("{text:?} is no kind; write private, transit or public"))
}

fn preference(text: &str) -> Result<Preference, String> {
    match text {
        "low" => Ok(Preference::Low),
        "medium" => Ok(Preference::Medium),
        "high" => Ok(Preference::High),
        _ => Err(format!(
            "{text:?} is no preference; write low, medium or high"
        )),
    }
}

/// AWS publishes no list; the form is that of its bandwidths.
fn rate_limit(text: &str) -> Result<String, String> {
    let number = text
        .strip_suffix("Mbps")
        .or_else(|| text.strip_suffix("Gbps"));
    match number.map(str::parse::<u32>) {
        Some(Ok(1..)) => Ok(text.to_owned()),
        _ => Err(format!(
            "{text:?} is not of the form \"500Mbps\" or \"2Gbps\""
        )),
    }
}

/// What AWS's end of a public interface is.
pub(super) fn fixed_amazon_asn(kind: VifKind) -> Option<Asn> {
    (kind == VifKind::Public).then_some(aws::PUBLIC_ASN)
}
