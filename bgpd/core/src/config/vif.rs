//! `[[vif]]`: one table yields the VLAN interface and a session per family.

use std::sync::Arc;

use ipnet::IpNet;

use super::peer::{self, Common, RawPeer};
use super::probe::RawProbe;
use super::table::{At, Keys, Table};
use super::{Bfd, Peer, Preference, Probe, Ttl, Vif, VifKind, adverse, policies, value};
use crate::{Asn, Family, VlanId, aws};

pub(super) const KEYS: Keys = Keys {
    known: &[
        "name",
        "kind",
        "parent",
        "vlan",
        "interface",
        "mtu",
        "local",
        "peer",
        "peer_asn",
        "local_asn",
        "auth_key_file",
        "ipv6",
        "advertise",
        "accept",
        "preference",
        "prefix_limit",
        "advertise_limit",
        "backup",
        "hold_time",
        "send_hold_time",
        "connect_retry",
        "passive",
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
            "ttl_security",
            "GTSM (RFC 5082) drops what was not sent with TTL 255, and AWS sends its BGP packets with TTL 1: the session could never come up; remove it, MD5 protects this session",
        ),
        (
            "multihop",
            "AWS's end is one hop away and sends TTL 1; remove it",
        ),
        (
            "auth_key",
            "keys don't belong into this file; put it into a file of its own (chmod 600) and name that in `auth_key_file`",
        ),
        ("address", "a [[vif]] calls its far end `peer`"),
        ("asn", "a [[vif]] calls the far end's ASN `peer_asn`"),
        ("port", "AWS listens on 179 only"),
        (
            "export",
            "a [[vif]] announces exactly what `advertise` lists",
        ),
        ("communities", "use `preference`"),
    ],
};

const IPV6_KEYS: Keys = Keys {
    known: &["local", "peer", "auth_key_file", "backup"],
    refused: &[
        (
            "auth_key",
            "keys don't belong into this file; put it into a file of its own (chmod 600) and name that in `auth_key_file`",
        ),
        (
            "ttl_security",
            "AWS sends its BGP packets with hop limit 1: the session could never come up; remove it",
        ),
    ],
};

/// More than this AWS takes on no VIF (Quotas, 2026-08).
const MOST_ADVERTISED: u32 = 1000;
const DEFAULT_MTU: u32 = 1500;

/// A VIF as read, with what the checks across tables need.
pub(super) struct RawVif {
    pub(super) title: String,
    pub(super) parent: Option<String>,
    pub(super) vlan: Option<At<VlanId>>,
    pub(super) interface: Option<At<String>>,
    pub(super) sessions: Vec<RawPeer>,
    /// Without its sessions.
    pub(super) vif: Option<Vif>,
}

pub(super) fn read(table: &Table<'_>, name: Arc<str>, own_asn: Option<Asn>) -> RawVif {
    let kind = table
        .required("kind", table.parsed("kind", kind), "\"private\"")
        .map(|at| at.value);
    let parent = table
        .required(
            "parent",
            table.parsed("parent", value::interface),
            "\"eth1\"",
        )
        .map(|at| at.value);
    let vlan = table.required("vlan", table.number("vlan", value::vlan), "101");
    let interface = interface(table, parent.as_deref(), vlan);
    let mtu = mtu(table, kind);
    let sessions = sessions(table, &name, kind, interface.as_ref(), own_asn);
    let vif = || {
        Some(Vif {
            name: name.clone(),
            kind: kind?,
            parent: parent.clone()?,
            vlan: vlan?.value,
            interface: interface.as_ref()?.value.clone(),
            mtu: mtu?,
            sessions: Vec::new(),
        })
    };
    RawVif {
        title: table.title.clone(),
        vif: vif(),
        parent,
        vlan,
        interface,
        sessions,
    }
}

fn kind(text: &str) -> Result<VifKind, String> {
    match text {
        "private" => Ok(VifKind::Private),
        "transit" => Ok(VifKind::Transit),
        "public" => Ok(VifKind::Public),
        _ => Err(format!(
            "{text:?} is no kind of VIF; use \"private\", \"transit\" or \"public\""
        )),
    }
}

fn interface(
    table: &Table<'_>,
    parent: Option<&str>,
    vlan: Option<At<VlanId>>,
) -> Option<At<String>> {
    if table.has("interface") {
        return table.parsed("interface", value::interface);
    }
    let name = format!("{}.{}", parent?, vlan?.value);
    match value::interface(&name) {
        Ok(value) => Some(At {
            value,
            offset: table.offset,
        }),
        Err(message) => {
            table.mistake(table.place("parent"), format_args!("the VLAN interface can't be named after its parent: {message}; set a shorter one with `interface`"));
            None
        }
    }
}

fn mtu(table: &Table<'_>, kind: Option<VifKind>) -> Option<u32> {
    if !table.has("mtu") {
        return Some(DEFAULT_MTU);
    }
    let mtu = table.integer("mtu", 0..=u32::MAX)?;
    let allowed = aws::mtus(kind?);
    if !allowed.contains(&mtu.value) {
        let allowed: Vec<_> = allowed.iter().map(ToString::to_string).collect();
        table.mistake(
            mtu.offset,
            format_args!(
                "`mtu` {} is not one that this kind of VIF has: {}",
                mtu.value,
                allowed.join(", ")
            ),
        );
        return None;
    }
    Some(mtu.value)
}

/// What both sessions of a VIF share.
struct Shared<'v> {
    name: &'v Arc<str>,
    kind: Option<VifKind>,
    interface: Option<&'v str>,
    common: Common,
    accept: Option<Vec<value::Filter>>,
    preference: Option<Preference>,
    advertise_limit: Option<u32>,
    hold_time: std::time::Duration,
    send_hold_time: Option<std::time::Duration>,
    peer_asn: Option<Asn>,
    local_asn: Option<Asn>,
    told: adverse::Told,
}

fn sessions(
    table: &Table<'_>,
    name: &Arc<str>,
    kind: Option<VifKind>,
    interface: Option<&At<String>>,
    own_asn: Option<Asn>,
) -> Vec<RawPeer> {
    let common = Common::read(table, Some(Bfd::AWS));
    let hold_time = hold_time(table);
    let preference = preference(table, kind);
    let local_asn = table
        .number("local_asn", value::asn)
        .map(|at| at.value)
        .or(own_asn);
    let shared = Shared {
        name,
        kind,
        interface: interface.map(|at| at.value.as_str()),
        accept: table.has("accept").then(|| {
            table
                .list("accept", value::filter)
                .into_iter()
                .map(|at| at.value)
                .collect()
        }),
        preference,
        advertise_limit: advertise_limit(table, kind, &common.advertise),
        hold_time,
        send_hold_time: common.send_hold_time(table, hold_time),
        peer_asn: peer_asn(table, kind),
        local_asn,
        told: adverse::of_vif(table, kind, preference, local_asn),
        common,
    };
    check_asns(table, &shared);
    check_probe(table, shared.common.probe.as_ref());
    let ipv6 = table.table("ipv6", &IPV6_KEYS);
    if table.has("local") || table.has("peer") || !table.has("ipv6") {
        let has_ipv6 = ipv6.is_some();
        check_families(table, &shared.common.advertise, has_ipv6);
        let first = session(table, &shared, Family::Ipv4, table);
        let second = ipv6.map(|ipv6| session(table, &shared, Family::Ipv6, &ipv6));
        std::iter::once(first).chain(second).collect()
    } else {
        ipv6.map(|ipv6| session(table, &shared, Family::Ipv6, &ipv6))
            .into_iter()
            .collect()
    }
}

/// Reads the session whose addresses stand in `ends`: the VIF's own table, or
/// its `ipv6`.
fn session(table: &Table<'_>, shared: &Shared<'_>, family: Family, ends: &Table<'_>) -> RawPeer {
    let (local, remote) = addresses(ends, family);
    let networks = policies::of_family(&shared.common.networks(), family);
    let name: Arc<str> = match family {
        Family::Ipv4 => shared.name.clone(),
        Family::Ipv6 => format!("{}-v6", shared.name).into(),
    };
    let own_key_file = ends
        .parsed("auth_key_file", value::absolute_path)
        .map(|at| at.value);
    let own_backup = ends.parsed("backup", |text| Ok(text.to_owned()));
    let peer = || {
        let kind = shared.kind?;
        Some(Peer {
            name: name.clone(),
            vif: Some(shared.name.clone()),
            local: Some(local?.value),
            interface: Some(shared.interface?.to_owned()),
            remote: remote?.value,
            port: 179,
            remote_asn: shared.peer_asn?,
            local_asn: shared.local_asn?,
            auth_key_file: own_key_file
                .clone()
                .or_else(|| shared.common.auth_key_file.clone()),
            passive: shared.common.passive,
            hold_time: shared.hold_time,
            send_hold_time: shared.send_hold_time,
            connect_retry: shared.common.connect_retry,
            ttl: Ttl::Direct,
            families: vec![family],
            import: policies::vif_import(
                kind,
                shared.accept.as_deref(),
                &networks,
                shared.preference,
            ),
            export: policies::vif_export(&networks, shared.preference),
            advertise: networks.clone(),
            prefix_limit: shared.common.prefix_limit,
            advertise_limit: shared.advertise_limit,
            backup: None,
            refuse_zero_hold_time: true,
            graceful_restart: shared.common.graceful_restart,
            bfd: shared.common.bfd.clone(),
            on_degraded: shared.told.on_degraded.clone(),
            on_drain: shared.told.on_drain.clone(),
            probe: Some(match &shared.common.probe {
                Some(probe) => probe.of_family(remote?.value),
                None => Probe::by_default(remote?.value),
            }),
            health: shared.common.health.clone(),
        })
    };
    RawPeer {
        title: table.title.clone(),
        name: name.clone(),
        vif: Some(shared.name.clone()),
        family: Some(family),
        local,
        remote,
        interface: shared.interface.map(str::to_owned),
        on_link: true,
        backup: own_backup.or_else(|| shared.common.backup.clone()),
        peer: peer(),
    }
}

fn addresses(
    ends: &Table<'_>,
    family: Family,
) -> (Option<At<IpNet>>, Option<At<std::net::IpAddr>>) {
    let (local_example, peer_example) = match family {
        Family::Ipv4 => ("\"169.254.10.2/30\"", "\"169.254.10.1\""),
        Family::Ipv6 => ("\"2001:db8::2/125\"", "\"2001:db8::1\""),
    };
    let local = ends.required(
        "local",
        ends.parsed("local", value::interface_address),
        local_example,
    );
    let peer = ends.required(
        "peer",
        ends.parsed("peer", value::address_or_interface_address),
        peer_example,
    );
    for (key, at) in [("local", local), ("peer", peer)] {
        if let Some(at) = at.filter(|at| Family::of(at.value.addr()) != family) {
            let place = match family {
                Family::Ipv4 => "belongs into `ipv6 = { local = …, peer = … }`",
                Family::Ipv6 => "belongs into the VIF's own `local` and `peer`",
            };
            ends.mistake(
                at.offset,
                format_args!("`{key}` {} {place}", at.value.addr()),
            );
            return (None, None);
        }
    }
    let remote = peer.map(|at| At {
        value: at.value.addr(),
        offset: at.offset,
    });
    if let (Some(local), Some(peer), Some(remote)) = (local, peer, remote) {
        check_ends(ends, local, peer, remote);
    }
    (local, remote)
}

fn check_ends(ends: &Table<'_>, local: At<IpNet>, peer: At<IpNet>, remote: At<std::net::IpAddr>) {
    let host_only = |net: IpNet| net.prefix_len() == net.max_prefix_len();
    if host_only(local.value) {
        ends.mistake(local.offset, format_args!("`local` {} has no room for the far end; use the mask that AWS shows, such as /30 or /31", local.value));
    } else if local.value.addr() == remote.value {
        ends.mistake(
            remote.offset,
            format_args!(
                "`peer` {} is our own address (`local`); use the Amazon side's",
                remote.value
            ),
        );
    } else if !host_only(peer.value) && peer.value.prefix_len() != local.value.prefix_len() {
        ends.mistake(
            peer.offset,
            format_args!(
                "`peer` {} and `local` {} have different masks; both ends share one",
                peer.value, local.value
            ),
        );
    } else {
        peer::check_same_subnet(ends, "peer", local.value, remote);
    }
}

fn preference(table: &Table<'_>, kind: Option<VifKind>) -> Option<Preference> {
    let preference = table.parsed("preference", |text| match text {
        "low" => Ok(Preference::Low),
        "medium" => Ok(Preference::Medium),
        "high" => Ok(Preference::High),
        _ => Err(format!(
            "{text:?} is no preference; use \"low\", \"medium\" or \"high\""
        )),
    })?;
    if kind == Some(VifKind::Public) {
        table.mistake(preference.offset, "`preference` works on private and transit VIFs only: AWS ignores 7224:7100 to 7224:7300 on public ones; remove it");
        return None;
    }
    Some(preference.value)
}

fn advertise_limit(
    table: &Table<'_>,
    kind: Option<VifKind>,
    advertise: &[At<IpNet>],
) -> Option<u32> {
    let configured = table
        .integer("advertise_limit", 1..=MOST_ADVERTISED)
        .map(|at| at.value);
    let limit = configured.or_else(|| kind.map(aws::default_advertise_limit))?;
    peer::check_advertise_limit(table, advertise, limit);
    if kind == Some(VifKind::Public) {
        for at in advertise
            .iter()
            .filter(|at| aws::is_private_space(at.value))
        {
            table.mistake(at.offset, format_args!("`advertise` {} is private address space, which AWS refuses on a public VIF; announce public prefixes that you own", at.value));
        }
    }
    Some(limit)
}

fn hold_time(table: &Table<'_>) -> std::time::Duration {
    let Some(at) = peer::hold_time(table) else {
        return aws::HOLD_TIME;
    };
    if at.value.is_zero() {
        table.mistake(at.offset, "`hold_time` 0 is refused by AWS, and a dead session would never be noticed; use \"90s\" (AWS takes 3 s and more)");
    }
    at.value
}

fn peer_asn(table: &Table<'_>, kind: Option<VifKind>) -> Option<Asn> {
    let asn = table.number("peer_asn", value::asn).map(|at| at.value);
    if kind == Some(VifKind::Public) && !table.has("peer_asn") {
        return Some(aws::PUBLIC_ASN);
    }
    table.required("peer_asn", asn, "64512")
}

fn check_asns(table: &Table<'_>, shared: &Shared<'_>) {
    if let (Some(peer), Some(local)) = (shared.peer_asn, shared.local_asn)
        && peer == local
    {
        table.mistake(
            table.place("peer_asn"),
            format_args!(
                "`peer_asn` {peer} is our own ASN; a VIF joins two: use the Amazon side's"
            ),
        );
    }
}

fn check_families(table: &Table<'_>, advertise: &[At<IpNet>], has_ipv6: bool) {
    let ipv6 = advertise
        .iter()
        .filter(|at| !has_ipv6 && Family::of(at.value.addr()) == Family::Ipv6);
    for at in ipv6 {
        table.mistake(
            at.offset,
            format_args!(
                "`advertise` {} needs an IPv6 session; add `ipv6 = {{ local = …, peer = … }}`",
                at.value
            ),
        );
    }
}

fn check_probe(table: &Table<'_>, probe: Option<&RawProbe>) {
    let Some(probe) = probe else { return };
    let has_ipv4 = table.has("local") || table.has("peer") || !table.has("ipv6");
    let families = [(Family::Ipv4, has_ipv4), (Family::Ipv6, table.has("ipv6"))];
    let families: Vec<_> = families
        .into_iter()
        .filter(|(_, has)| *has)
        .map(|(family, _)| family)
        .collect();
    probe.check_families(table, &families);
}
