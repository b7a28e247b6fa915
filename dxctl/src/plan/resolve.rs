//! What the names of a site file stand for at AWS.

use std::collections::{BTreeMap, BTreeSet};

use bgp_core::Asn;
use bgp_core::config::VifKind;

use super::Observed;
use crate::aws::{Carrier, DxGateway, VirtualInterface};
use crate::cli::Auto;
use crate::site::{self, CarrierKind, Site};

#[derive(Debug, Default)]
pub(super) struct Resolved<'a> {
    /// By their names in the file, as are all here.
    pub(super) carriers: BTreeMap<&'a str, &'a Carrier>,
    pub(super) gateways: BTreeMap<&'a str, &'a DxGateway>,
    pub(super) vifs: BTreeMap<&'a str, &'a VirtualInterface>,
    /// Those whose VLAN is another in the file: to be made anew.
    pub(super) moved: BTreeMap<&'a str, &'a VirtualInterface>,
}

pub(super) fn resolve<'a>(
    site: &'a Site,
    observed: &'a Observed,
    problems: &mut Vec<String>,
) -> Resolved<'a> {
    let mut found = Resolved::default();
    for wanted in &site.carriers {
        match carrier(wanted, observed) {
            Ok(carrier) => {
                check_account(site, wanted, carrier, problems);
                found.carriers.insert(&wanted.name, carrier);
            }
            Err(problem) => problems.push(problem),
        }
    }
    for wanted in &site.gateways {
        match gateway(wanted, observed) {
            Ok(Some(gateway)) => {
                found.gateways.insert(&wanted.name, gateway);
            }
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    vifs(site, observed, &mut found);
    found
}

fn carrier<'a>(wanted: &site::Carrier, observed: &'a Observed) -> Result<&'a Carrier, String> {
    let name = &wanted.name;
    let (word, prefix) = match wanted.what {
        CarrierKind::Connection => ("connection", "dxcon-"),
        CarrierKind::Lag => ("LAG", "dxlag-"),
    };
    let usable = |carrier: &&Carrier| {
        let gone = matches!(carrier.state.as_str(), "deleting" | "deleted" | "rejected");
        carrier.id.starts_with(prefix) && !gone
    };
    let is = |carrier: &&Carrier| match &wanted.id {
        Some(id) => carrier.id == *id,
        None => carrier.name == *name,
    };
    let matching: Vec<&Carrier> = observed.carriers.iter().filter(usable).filter(is).collect();
    match matching.as_slice() {
        [one] => Ok(one),
        [] => Err(format!(
            "{word} {name:?}: there is no {} in this account and Region; check --region and --profile",
            wanted.id.as_deref().unwrap_or(name)
        )),
        several => {
            let ids: Vec<&str> = several.iter().map(|carrier| carrier.id.as_str()).collect();
            Err(format!(
                "{word} {name:?}: {} have this name; give `id`, one of {}",
                several.len(),
                ids.join(", ")
            ))
        }
    }
}

fn check_account(
    site: &Site,
    wanted: &site::Carrier,
    carrier: &Carrier,
    problems: &mut Vec<String>,
) {
    if let (Some(account), Some(owner)) = (&site.account, &carrier.owner)
        && account != owner
    {
        problems.push(format!(
            "the site is about account {account}, and {:?} is in {owner}: check --profile",
            wanted.name
        ));
    }
}

fn gateway<'a>(
    wanted: &site::Gateway,
    observed: &'a Observed,
) -> Result<Option<&'a DxGateway>, String> {
    let name = &wanted.name;
    let is = |gateway: &&DxGateway| match &wanted.id {
        Some(id) => gateway.id == *id,
        None => gateway.name == *name,
    };
    let there = observed
        .gateways
        .iter()
        .filter(|gateway| !gateway.is_gone());
    let matching: Vec<&DxGateway> = there.filter(is).collect();
    match (matching.as_slice(), &wanted.id) {
        ([one], _) => {
            if let (Some(wanted), Some(has)) = (wanted.asn, one.amazon_asn)
                && wanted != has
            {
                return Err(format!(
                    "gateway {name:?} ({}): AWS's side is AS {has}, and no gateway's can be changed to {wanted}: write `asn = {has}`, or make another gateway",
                    one.id
                ));
            }
            Ok(Some(one))
        }
        ([], None) => Ok(None),
        ([], Some(id)) => Err(format!(
            "gateway {name:?}: there is no {id} in this account; without `id` a new one is made"
        )),
        (several, _) => {
            let ids: Vec<&str> = several.iter().map(|gateway| gateway.id.as_str()).collect();
            Err(format!(
                "gateway {name:?}: {} have this name; give `id`, one of {}",
                several.len(),
                ids.join(", ")
            ))
        }
    }
}

/// By connection and VLAN; by name where the VLAN is left to us. One of the same
/// name on the same connection whose VLAN nothing in the file has, is the one
/// whose VLAN was changed.
fn vifs<'a>(site: &'a Site, observed: &'a Observed, found: &mut Resolved<'a>) {
    let mut claimed: BTreeSet<&str> = BTreeSet::new();
    let on = |vif: &site::Vif, found: &Resolved<'a>| {
        let carrier = found.carriers.get(vif.carrier.as_str()).copied();
        observed.vifs.iter().filter(move |there| {
            let here = carrier.is_some_and(|carrier| there.carrier == carrier.id);
            here && !there.is_gone() && there.state != "deleting"
        })
    };
    for vif in &site.vifs {
        let Auto::Value(vlan) = vif.vlan else {
            continue;
        };
        if let Some(there) = on(vif, found).find(|there| there.vlan == Some(vlan)) {
            claimed.insert(&there.id);
            found.vifs.insert(&vif.name, there);
        }
    }
    for vif in &site.vifs {
        if found.vifs.contains_key(vif.name.as_str()) {
            continue;
        }
        let same = on(vif, found)
            .find(|there| there.name == vif.name && !claimed.contains(there.id.as_str()));
        let Some(there) = same else { continue };
        claimed.insert(&there.id);
        match vif.vlan {
            Auto::Auto => found.vifs.insert(&vif.name, there),
            Auto::Value(_) => found.moved.insert(&vif.name, there),
        };
    }
}

/// AWS's end of a virtual interface of the file, as far as it is known.
pub(super) fn amazon_asn(vif: &site::Vif, site: &Site, found: &Resolved<'_>) -> Option<Asn> {
    if vif.kind == VifKind::Public {
        return Some(bgp_core::aws::PUBLIC_ASN);
    }
    let Some(site::LeadsTo::Gateway(name)) = &vif.leads_to else {
        return None;
    };
    let there = found.gateways.get(name.as_str());
    let own = site.gateways.iter().find(|gateway| gateway.name == *name);
    there
        .and_then(|gateway| gateway.amazon_asn)
        .or_else(|| own.and_then(|gateway| gateway.asn))
        .or(Some(bgp_core::aws::GATEWAY_ASN))
}
