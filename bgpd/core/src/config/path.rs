//! `[[path]]`: a static way out.

use std::net::IpAddr;
use std::sync::Arc;

use super::probe::RawProbe;
use super::table::{Keys, Table};
use super::{StaticPath, health, masquerade, value};
use crate::Family;

pub(super) const KEYS: Keys = Keys {
    known: &[
        "name",
        "interface",
        "gateway",
        "gateway6",
        "probe",
        "hold",
        "hold_max",
        "health",
        "masquerade",
        "masquerade_from",
        "conntrack",
    ],
    refused: &[],
};

/// A `[[path]]` as read.
pub(super) struct RawPath {
    pub(super) name: Arc<str>,
    pub(super) families: Vec<Family>,
    pub(super) path: Option<StaticPath>,
}

pub(super) fn read(table: &Table<'_>, name: Arc<str>) -> RawPath {
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
    let families: Vec<Family> = families
        .into_iter()
        .filter(|(key, _)| table.has(key))
        .map(|(_, family)| family)
        .collect();
    let probe = RawProbe::read(table);
    let (masquerade, conntrack) = masquerade::read(table, &families);
    RawPath {
        families,
        path: interface.map(|interface| StaticPath {
            name: name.clone(),
            interface: interface.value,
            gateways,
            probe: probe.map(|probe| probe.of_path(table)),
            health: health::read(table),
            masquerade,
            conntrack,
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
