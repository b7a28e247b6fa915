//! What no table can see alone: names, references, what is there twice.

use std::collections::BTreeMap;

use bgp_core::config::{VifKind, value};
use ipnet::IpNet;

use super::gateway::is_transit;
use super::vif::fixed_amazon_asn;
use super::{Carrier, Entry, Gateway, LeadsTo, Platform, Router, Vif};
use crate::cli::{Addresses, Auto};

pub(super) struct Parts<'a, 't> {
    pub(super) carriers: &'a [Entry<'t, Carrier>],
    pub(super) gateways: &'a [Entry<'t, Gateway>],
    pub(super) vifs: &'a [Entry<'t, Vif>],
    pub(super) routers: &'a [Entry<'t, Router>],
}

pub(super) fn check(parts: &Parts<'_, '_>) {
    names(parts.carriers);
    names(parts.gateways);
    names(parts.vifs);
    names(parts.routers);
    vlans(parts.vifs);
    addresses(parts.vifs);
    for vif in parts.vifs {
        carrier_of(vif, parts.carriers);
        gateway_of(vif, parts.gateways);
        router_of(vif, parts.routers);
    }
    for router in parts.routers {
        used(router, parts.vifs);
    }
}

fn names<T>(entries: &[Entry<'_, T>]) {
    let mut seen: BTreeMap<&str, &Entry<'_, T>> = BTreeMap::new();
    for entry in entries {
        let Some(name) = &entry.name else { continue };
        match seen.get(name.value.as_str()) {
            Some(first) => {
                let line = entry.table.mistakes().line(first.table.place("name"));
                let text = format!("the name {:?} is taken already (line {line})", name.value);
                entry.table.mistake(name.offset, text);
            }
            None => {
                seen.insert(&name.value, entry);
            }
        }
    }
}

fn vlans(vifs: &[Entry<'_, Vif>]) {
    let mut seen: BTreeMap<_, &Entry<'_, Vif>> = BTreeMap::new();
    for entry in vifs {
        let Some(vif) = &entry.read else { continue };
        let Auto::Value(vlan) = vif.vlan else {
            continue;
        };
        match seen.get(&(&vif.carrier, vlan)) {
            Some(first) => {
                let line = entry.table.mistakes().line(first.table.place("vlan"));
                let text = format!(
                    "VLAN {vlan} on {:?} belongs to {} already (line {line})",
                    vif.carrier, first.table.title
                );
                entry.table.mistake(entry.table.place("vlan"), text);
            }
            None => {
                seen.insert((&vif.carrier, vlan), entry);
            }
        }
    }
}

fn addresses(vifs: &[Entry<'_, Vif>]) {
    let mut seen: Vec<(IpNet, &Entry<'_, Vif>)> = Vec::new();
    for entry in vifs {
        let Some(vif) = &entry.read else { continue };
        for session in &vif.sessions {
            let Addresses::Pair(pair) = session.addresses else {
                continue;
            };
            let net = pair.customer.trunc();
            let overlap = seen
                .iter()
                .find(|(other, _)| other.contains(&net) || net.contains(other));
            if let Some((other, first)) = overlap {
                let line = entry.table.mistakes().line(first.table.place("addresses"));
                let text = format!(
                    "`addresses` {net} overlap with {other} of {} (line {line})",
                    first.table.title
                );
                entry.table.mistake(entry.table.place("addresses"), text);
            }
            seen.push((net, entry));
        }
    }
}

fn carrier_of(entry: &Entry<'_, Vif>, carriers: &[Entry<'_, Carrier>]) {
    let Some(at) = entry.table.text("connection") else {
        return;
    };
    if find(carriers, at.value).is_none() {
        let text = unknown(at.value, "[[connection]] or [[lag]]", carriers);
        entry.table.mistake(at.offset, text);
    }
}

fn gateway_of(entry: &Entry<'_, Vif>, gateways: &[Entry<'_, Gateway>]) {
    let Some(vif) = &entry.read else { return };
    let place = entry.table.place("gateway");
    let mut amazon = fixed_amazon_asn(vif.kind);
    if let Some(LeadsTo::Gateway(name)) = &vif.leads_to {
        let Some(found) = find(gateways, name) else {
            let text = unknown(name, "[[gateway]]", gateways);
            entry.table.mistake(place, text);
            return;
        };
        let Some(gateway) = &found.read else { return };
        amazon = gateway.asn;
        let transit = vif.kind == VifKind::Transit;
        let other = gateway
            .associations
            .iter()
            .find(|association| is_transit(&association.target) != transit);
        if let Some(other) = other {
            let text = format!(
                "{name:?} is associated with {}, which a {} virtual interface doesn't reach",
                other.target,
                crate::aws::kind_name(vif.kind)
            );
            entry.table.mistake(place, text);
        }
    }
    if vif.asn.is_some() && vif.asn == amazon {
        entry.table.mistake(
            entry.table.place("asn"),
            "`asn` is AWS's own end: both ends must differ",
        );
    }
}

fn router_of(entry: &Entry<'_, Vif>, routers: &[Entry<'_, Router>]) {
    let Some(at) = entry.table.text("router") else {
        return;
    };
    let Some(found) = find(routers, at.value) else {
        let text = unknown(at.value, "[[router]]", routers);
        entry.table.mistake(at.offset, text);
        return;
    };
    let Some(router) = &found.read else { return };
    if !matches!(router.platform, Platform::Bgpd { .. }) {
        return;
    }
    for (table, key) in [(&entry.table, "parent"), (&found.table, "parent")] {
        table.parsed(key, value::interface);
    }
    if router.parent.is_none() && !entry.table.has("parent") {
        let text = format!(
            "no interface carries it: give `parent` here, or to router {:?}",
            router.name
        );
        entry.table.mistake(at.offset, text);
    }
}

fn used(entry: &Entry<'_, Router>, vifs: &[Entry<'_, Vif>]) {
    let Some(name) = &entry.name else { return };
    let uses = |vif: &Entry<'_, Vif>| {
        vif.table
            .text("router")
            .is_some_and(|at| at.value == name.value)
    };
    if !vifs.iter().any(uses) {
        let text = format!("no [[vif]] has `router = {:?}`", name.value);
        entry.table.mistake(name.offset, text);
    }
}

fn find<'a, 't, T>(entries: &'a [Entry<'t, T>], name: &str) -> Option<&'a Entry<'t, T>> {
    let is = |entry: &&Entry<'_, T>| entry.name.as_ref().is_some_and(|at| at.value == name);
    entries.iter().find(is)
}

fn unknown<T>(name: &str, list: &str, entries: &[Entry<'_, T>]) -> String {
    let names: Vec<&str> = entries
        .iter()
        .filter_map(|entry| Some(entry.name.as_ref()?.value.as_str()))
        .collect();
    match names.as_slice() {
        [] => format!("no {list} is named {name:?}: there is none in this file"),
        names => format!(
            "no {list} is named {name:?}; there are: {}",
            names.join(", ")
        ),
    }
}
