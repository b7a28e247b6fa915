//! `[[peer]]`, and what it shares with the sessions of a `[[vif]]`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::adverse;
use super::policies;
use super::probe::RawProbe;
use super::table::{At, Keys, Table};
use super::{Bfd, bfd};
use super::{Peer, Ttl, health, value};
use crate::path::Settings;
use crate::policy::Changes;
use crate::{Asn, Family};

const KEYS: Keys = Keys {
    known: &[
        "name",
        "address",
        "port",
        "asn",
        "local",
        "local_asn",
        "interface",
        "auth_key_file",
        "passive",
        "hold_time",
        "send_hold_time",
        "connect_retry",
        "multihop",
        "ttl_security",
        "families",
        "accept",
        "export",
        "advertise",
        "prefix_limit",
        "advertise_limit",
        "backup",
        "local_preference",
        "med",
        "prepend",
        "communities",
        "graceful_restart",
        "bfd",
        "on_degraded",
        "adverse",
        "probe",
        "hold",
        "hold_max",
        "health",
    ],
    refused: &[
        (
            "auth_key",
            "keys don't belong into this file; put it into a file of its own (chmod 600) and name that in `auth_key_file`",
        ),
        (
            "preference",
            "it is for a [[vif]]; use `local_preference`, `med`, `prepend` or `communities`",
        ),
    ],
};

pub(super) const HOLD_TIME: Duration = Duration::from_secs(90);
const CONNECT_RETRY: Duration = Duration::from_secs(5);
const SEND_HOLD_TIME: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(65_535);
/// RFC 4724 §3: 12 bits.
const RESTART_TIME: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(4095);

/// One session as read: the finished peer, unless something is wrong, and what
/// the checks across tables need.
pub(super) struct RawPeer {
    pub(super) title: String,
    pub(super) name: Arc<str>,
    pub(super) vif: Option<Arc<str>>,
    pub(super) family: Option<Family>,
    pub(super) local: Option<At<IpNet>>,
    pub(super) remote: Option<At<IpAddr>>,
    pub(super) interface: Option<String>,
    pub(super) on_link: bool,
    pub(super) backup: Option<At<String>>,
    pub(super) peer: Option<Peer>,
}

/// Settings that `[[peer]]` and `[[vif]]` have in common.
pub(super) struct Common {
    pub(super) auth_key_file: Option<PathBuf>,
    pub(super) passive: bool,
    pub(super) connect_retry: Duration,
    pub(super) send_hold_time: Option<At<Duration>>,
    pub(super) prefix_limit: Option<u32>,
    pub(super) advertise: Vec<At<IpNet>>,
    pub(super) backup: Option<At<String>>,
    pub(super) graceful_restart: Option<Duration>,
    pub(super) bfd: Option<Bfd>,
    pub(super) probe: Option<RawProbe>,
    pub(super) health: Settings,
}

impl Common {
    pub(super) fn read(table: &Table<'_>, bfd: Option<Bfd>) -> Self {
        Self {
            bfd: bfd::read(table, bfd),
            auth_key_file: table
                .parsed("auth_key_file", value::absolute_path)
                .map(|at| at.value),
            passive: table.flag("passive").is_some_and(|at| at.value),
            connect_retry: table
                .duration(
                    "connect_retry",
                    Duration::from_millis(100)..=Duration::from_secs(3600),
                )
                .map_or(CONNECT_RETRY, |at| at.value),
            send_hold_time: table.duration("send_hold_time", SEND_HOLD_TIME),
            prefix_limit: table
                .integer("prefix_limit", 1..=u32::MAX)
                .map(|at| at.value),
            advertise: advertised(table),
            backup: table.parsed("backup", |text| Ok(text.to_owned())),
            graceful_restart: table
                .duration("graceful_restart", RESTART_TIME)
                .map(|at| at.value),
            probe: RawProbe::read(table),
            health: health::read(table),
        }
    }

    /// RFC 9687 §4: a peer that still keeps its own end alive is given longer than
    /// one that says nothing.
    pub(super) fn send_hold_time(
        &self,
        table: &Table<'_>,
        hold_time: Duration,
    ) -> Option<Duration> {
        let at = self.send_hold_time?;
        if at.value <= hold_time {
            table.mistake(
                at.offset,
                format_args!(
                    "`send_hold_time` {:?} must be longer than `hold_time` {hold_time:?} (RFC 9687 §4)",
                    at.value
                ),
            );
        }
        Some(at.value)
    }

    pub(super) fn networks(&self) -> Vec<IpNet> {
        self.advertise.iter().map(|at| at.value).collect()
    }
}

/// Notes more networks of one family than may be announced.
pub(super) fn check_advertise_limit(table: &Table<'_>, advertise: &[At<IpNet>], limit: u32) {
    for family in Family::ALL {
        let mut of_family = advertise
            .iter()
            .filter(|at| Family::of(at.value.addr()) == family);
        if let Some(first_over) = of_family.nth(limit as usize) {
            let count = of_family.count() + limit as usize + 1;
            table.mistake(
                first_over.offset,
                format_args!("`advertise` has {count} {family} networks, {limit} may be announced (`advertise_limit`); the peer would close the session: summarize them"),
            );
        }
    }
}

/// A hold time of whole seconds: 0, or 3 to 65535 (RFC 4271 §4.2).
pub(super) fn hold_time(table: &Table<'_>) -> Option<At<Duration>> {
    let at = table.parsed_duration("hold_time")?;
    let seconds = at.value.as_secs();
    if at.value.subsec_nanos() != 0 || matches!(seconds, 1 | 2) || seconds > u64::from(u16::MAX) {
        table.mistake(at.offset, "`hold_time` must be whole seconds, at least 3 and at most 65535 (RFC 4271 §4.2); \"90s\" is usual");
        return None;
    }
    Some(at)
}

pub(super) fn read(table: &Table<'_>, name: Arc<str>, own_asn: Option<Asn>) -> RawPeer {
    let common = Common::read(table, None);
    let remote = table.required(
        "address",
        table.parsed("address", value::address),
        "\"192.0.2.1\"",
    );
    let local = table.parsed("local", value::address_or_interface_address);
    let interface = table
        .parsed("interface", value::interface)
        .map(|at| at.value);
    let asn = table
        .required("asn", table.number("asn", value::asn), "64512")
        .map(|at| at.value);
    let local_asn = table
        .number("local_asn", value::asn)
        .map(|at| at.value)
        .or(own_asn);
    let ttl = ttl(table, asn.is_some() && asn == local_asn);
    check_addresses(table, local, remote, interface.as_deref(), ttl);
    bfd::check_multihop(table, ttl, common.bfd.as_ref());
    RawPeer {
        title: table.title.clone(),
        name: name.clone(),
        vif: None,
        family: remote.map(|at| Family::of(at.value)),
        local,
        remote,
        interface: interface.clone(),
        on_link: !matches!(ttl, Ttl::Multihop(_)),
        backup: common.backup.clone(),
        peer: finish(
            table,
            name,
            common,
            Ends {
                local: local.map(|at| at.value),
                interface,
                remote,
                asn,
                local_asn,
                ttl,
            },
        ),
    }
}

/// Who talks with whom.
struct Ends {
    local: Option<IpNet>,
    interface: Option<String>,
    remote: Option<At<IpAddr>>,
    asn: Option<Asn>,
    local_asn: Option<Asn>,
    ttl: Ttl,
}

fn finish(table: &Table<'_>, name: Arc<str>, common: Common, ends: Ends) -> Option<Peer> {
    let port = table.integer("port", 1..=65535).map_or(179, |at| at.value);
    let hold_time = hold_time(table).map_or(HOLD_TIME, |at| at.value);
    let send_hold_time = common.send_hold_time(table, hold_time);
    let advertise_limit = table
        .integer("advertise_limit", 1..=u32::MAX)
        .map(|at| at.value);
    if let Some(limit) = advertise_limit {
        check_advertise_limit(table, &common.advertise, limit);
    }
    let families = families(table, ends.remote.map(|at| at.value));
    check_families(table, &common.advertise, families.as_deref());
    let networks = common.networks();
    let (import, export) = policies(table, &networks);
    let told = adverse::of_peer(table);
    let remote = ends.remote?.value;
    Some(Peer {
        name,
        vif: None,
        local: ends.local,
        interface: ends.interface,
        remote,
        port: u16::try_from(port).ok()?,
        remote_asn: ends.asn?,
        local_asn: ends.local_asn?,
        auth_key_file: common.auth_key_file,
        passive: common.passive,
        hold_time,
        send_hold_time,
        connect_retry: common.connect_retry,
        ttl: ends.ttl,
        families: families?,
        import,
        export,
        advertise: networks,
        prefix_limit: common.prefix_limit,
        advertise_limit,
        backup: None,
        refuse_zero_hold_time: false,
        graceful_restart: common.graceful_restart,
        bfd: common.bfd,
        on_degraded: told.on_degraded,
        on_drain: told.on_drain,
        probe: common.probe.map(|probe| probe.of_session(remote)),
        health: common.health,
    })
}

fn policies(
    table: &Table<'_>,
    networks: &[IpNet],
) -> (crate::policy::Policy, crate::policy::Policy) {
    let accept: Vec<_> = table
        .list("accept", value::filter)
        .into_iter()
        .map(|at| at.value)
        .collect();
    let export: Vec<_> = table
        .list("export", value::filter)
        .into_iter()
        .map(|at| at.value)
        .collect();
    let number = |key| table.integer(key, 0..=u32::MAX).map(|at| at.value);
    let on_import = Changes {
        local_pref: number("local_preference"),
        ..Changes::default()
    };
    let prepend = table.integer("prepend", 0..=16).map_or(0, |at| at.value);
    let on_export = Changes {
        local_pref: None,
        med: number("med"),
        add_communities: table
            .list("communities", value::community)
            .into_iter()
            .map(|at| at.value)
            .collect(),
        prepend: u8::try_from(prepend).unwrap_or(u8::MAX),
    };
    (
        policies::peer_import(&accept, on_import),
        policies::peer_export(&export, networks, on_export),
    )
}

fn ttl(table: &Table<'_>, internal: bool) -> Ttl {
    let multihop = table.integer("multihop", 1..=255);
    let security = table.flag("ttl_security").filter(|at| at.value);
    match (multihop, security) {
        (Some(hops), Some(_)) => {
            table.mistake(hops.offset, "`multihop` and `ttl_security` exclude each other: GTSM (RFC 5082) takes only what was sent from one hop away; remove one");
            Ttl::Security
        }
        (None, Some(_)) => Ttl::Security,
        (Some(hops), None) => Ttl::Multihop(u8::try_from(hops.value).unwrap_or(u8::MAX)),
        // An internal peer may be anywhere inside the AS.
        (None, None) if internal => Ttl::Multihop(64),
        (None, None) => Ttl::Direct,
    }
}

fn check_addresses(
    table: &Table<'_>,
    local: Option<At<IpNet>>,
    remote: Option<At<IpAddr>>,
    interface: Option<&str>,
    ttl: Ttl,
) {
    let Some(remote) = remote else { return };
    if let IpAddr::V6(v6) = remote.value
        && v6.is_unicast_link_local()
        && interface.is_none()
    {
        table.mistake(
            remote.offset,
            format_args!("`address` {v6} is link-local, so `interface` has to say on which link"),
        );
    }
    let Some(local) = local else { return };
    let is_host_only = local.value.prefix_len() == local.value.max_prefix_len();
    if Family::of(local.value.addr()) != Family::of(remote.value) {
        table.mistake(
            local.offset,
            format_args!(
                "`local` {} and `address` {} are of different families",
                local.value.addr(),
                remote.value
            ),
        );
    } else if local.value.addr() == remote.value {
        table.mistake(
            remote.offset,
            format_args!("`address` {} is our own (`local`)", remote.value),
        );
    } else if ttl == Ttl::Direct && !is_host_only {
        check_same_subnet(table, "address", local.value, remote);
    }
}

/// Notes a far end that is not a host of our subnet.
pub(super) fn check_same_subnet(table: &Table<'_>, key: &str, local: IpNet, remote: At<IpAddr>) {
    if !local.contains(&remote.value) {
        let subnet = local.trunc();
        table.mistake(
            remote.offset,
            format_args!(
                "`{key}` {} is not in `local`'s subnet {subnet}; both ends share one",
                remote.value
            ),
        );
    } else if let Err(message) = value::host_of_its_subnet(local, remote.value) {
        table.mistake(remote.offset, format_args!("`{key}`: {message}"));
    }
}

fn families(table: &Table<'_>, remote: Option<IpAddr>) -> Option<Vec<Family>> {
    if !table.has("families") {
        return remote.map(|remote| vec![Family::of(remote)]);
    }
    let mut families: Vec<_> = table
        .list("families", value::family)
        .into_iter()
        .map(|at| at.value)
        .collect();
    families.sort();
    families.dedup();
    if families.is_empty() {
        table.mistake(
            table.place("families"),
            "`families` is empty; write [\"ipv4\"], [\"ipv6\"] or both",
        );
        return None;
    }
    Some(families)
}

fn check_families(table: &Table<'_>, advertise: &[At<IpNet>], families: Option<&[Family]>) {
    let Some(families) = families else { return };
    for at in advertise {
        let family = Family::of(at.value.addr());
        if !families.contains(&family) {
            table.mistake(at.offset, format_args!("`advertise` {} is {family}, which this session doesn't carry; add it to `families` or remove it", at.value));
        }
    }
}

/// `advertise`, each network once.
fn advertised(table: &Table<'_>) -> Vec<At<IpNet>> {
    let all = table.list("advertise", value::advertised_prefix);
    let mut first_places: BTreeMap<IpNet, usize> = BTreeMap::new();
    for at in &all {
        if let Some(first) = first_places.get(&at.value) {
            let line = table.mistakes().line(*first);
            table.mistake(
                at.offset,
                format_args!(
                    "`advertise` has {} twice, first on line {line}; remove one",
                    at.value
                ),
            );
        } else {
            first_places.insert(at.value, at.offset);
        }
    }
    all
}

pub(super) fn keys() -> &'static Keys {
    &KEYS
}
