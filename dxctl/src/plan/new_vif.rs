//! A virtual interface that isn't there yet: what the file leaves open is picked.

use std::collections::{BTreeMap, BTreeSet};

use bgp_core::config::VifKind;
use bgp_core::{Asn, Family, VlanId};

use super::gateways::tag_fields;
use super::resolve::{Resolved, amazon_asn};
use super::step::{Action, Call, Field, Step};
use super::{Observed, Plan, is_owned};
use crate::aws::{
    self, Carrier, Features, Gateway, NewPeer, NewVif, PeerAddresses, Tag, VirtualInterface,
};
use crate::cli::{Addresses, Auto};
use crate::pick::{self, AsnRange, AsnUse, Choice, Picked, Taken};
use crate::rules::{self, Surroundings};
use crate::site::{LeadsTo, OWNER_TAG, Session, Site, Vif};

/// Addresses in use, by whom.
struct Holder {
    /// Of the virtual interface, if it is one.
    id: Option<String>,
    taken: Taken,
}

/// Picks that don't meet one another.
pub(super) struct Picker<'a> {
    site: &'a Site,
    observed: &'a Observed,
    found: &'a Resolved<'a>,
    asn: Option<Picked<Asn>>,
    taken: Vec<Holder>,
    going: BTreeSet<&'a str>,
    /// With those that are going to be made, by carrier.
    on: BTreeMap<&'a str, Vec<VirtualInterface>>,
}

impl<'a> Picker<'a> {
    pub(super) fn new(site: &'a Site, observed: &'a Observed, found: &'a Resolved<'a>) -> Self {
        let host = observed.host.iter().cloned();
        let mut taken: Vec<Holder> = host.map(|taken| Holder { id: None, taken }).collect();
        let there = observed.vifs.iter().filter(|vif| !vif.is_gone());
        for vif in there {
            let name = format!("used by {} ({})", vif.id, vif.name);
            let ends = vif.peers.iter().filter_map(|peer| peer.customer_address);
            taken.extend(ends.filter_map(|net| {
                Some(Holder {
                    id: Some(vif.id.clone()),
                    taken: Taken::new(net, name.clone())?,
                })
            }));
        }
        for (name, net) in written_addresses(site) {
            let written = Taken::new(net, format!("written for {name}"));
            taken.extend(written.map(|taken| Holder { id: None, taken }));
        }
        let mut picker = Self {
            site,
            observed,
            found,
            asn: None,
            taken,
            going: going(site, observed, found),
            on: BTreeMap::new(),
        };
        for carrier in found.carriers.values() {
            picker.on.insert(&carrier.id, picker.on_carrier(carrier));
        }
        picker
    }

    /// Those that stay there, and the VLANs that the file names.
    fn on_carrier(&self, carrier: &Carrier) -> Vec<VirtualInterface> {
        let there = self.observed.vifs.iter();
        let there =
            there.filter(|vif| vif.carrier == carrier.id && !self.going.contains(vif.id.as_str()));
        let mut all: Vec<VirtualInterface> = there.cloned().collect();
        for vif in &self.site.vifs {
            let here = self.found.carriers.get(vif.carrier.as_str());
            let Auto::Value(vlan) = vif.vlan else {
                continue;
            };
            let is_new = !self.found.vifs.contains_key(vif.name.as_str());
            if is_new && here.is_some_and(|here| here.id == carrier.id) {
                all.push(planned(&vif.name, carrier, vlan));
            }
        }
        all
    }

    /// Ours: the site's, or picked once for all of it.
    pub(super) fn asn(&mut self, vif: &Vif) -> Result<Asn, String> {
        if let Some(asn) = vif.asn {
            return Ok(asn);
        }
        if let Auto::Value(asn) = self.site.asn {
            return Ok(asn);
        }
        if self.asn.is_none() {
            self.asn = self.asn_in_use();
        }
        if self.asn.is_none() {
            let used = asns_in_use(self.site, self.observed);
            let picked = pick::asn(AsnRange::TwoOctets, &used, Some(&self.site.name));
            self.asn = Some(picked.map_err(|refused| refused.to_string())?);
        }
        let picked = self.asn.as_ref().map(|picked| picked.value);
        Ok(picked.expect("invariant: set just above"))
    }

    /// All of a site's interfaces have one number.
    fn asn_in_use(&self) -> Option<Picked<Asn>> {
        let mut there = self.found.vifs.values();
        there.find_map(|there| {
            Some(Picked {
                value: there.asn?,
                reason: format!("as {} ({}) of this site has it", there.id, there.name),
                excluded: Vec::new(),
            })
        })
    }

    /// The AS number, if it was picked.
    pub(super) fn asn_choice(&self) -> Option<Choice> {
        Some(self.asn.as_ref()?.choice("AS"))
    }

    pub(super) fn create(&mut self, vif: &Vif, plan: &mut Plan) -> Result<Step, Vec<String>> {
        let Some(carrier) = self.found.carriers.get(vif.carrier.as_str()).copied() else {
            // Told where the carrier was looked for.
            return Err(Vec::new());
        };
        let told = |problem: String| vec![format!("vif {:?}: {problem}", vif.name)];
        let Some(session) = vif.sessions.first() else {
            return Err(told("it has no session".to_owned()));
        };
        let vlan = self.vlan(vif, carrier, plan).map_err(told)?;
        let asn = self.asn(vif).map_err(told)?;
        let peer = NewPeer {
            asn,
            family: session.family,
            addresses: self.addresses(vif, session, plan).map_err(told)?,
            key: None,
        };
        let (gateway, made_gateway) = self.gateway(vif);
        let mut tags = vif.tags.clone().unwrap_or_default();
        let written = tag_fields(&tags);
        tags.push(Tag {
            key: OWNER_TAG.to_owned(),
            value: self.site.name.clone(),
        });
        let new = NewVif {
            carrier: carrier.id.clone(),
            name: vif.name.clone(),
            kind: vif.kind,
            vlan,
            mtu: vif.mtu,
            peer,
            gateway,
            route_filter_prefixes: vif.route_filter_prefixes.clone(),
            features: vif.features.clone(),
            tags,
        };
        self.check(&new, vif, carrier, plan)?;
        let mut fields = fields(&new, vif);
        fields.extend(written);
        Ok(Step {
            action: Action::Create,
            kind: "vif",
            name: vif.name.clone(),
            id: None,
            fields,
            cut: None,
            call: Call::CreateVif {
                new,
                key: session.key.clone(),
                gateway: made_gateway,
            },
        })
    }

    fn vlan(&mut self, vif: &Vif, carrier: &'a Carrier, plan: &mut Plan) -> Result<VlanId, String> {
        if let Auto::Value(vlan) = vif.vlan {
            return Ok(vlan);
        }
        const FIRST: VlanId = VlanId::new(1).expect("invariant: 1 is a VLAN");
        let here = self.on.entry(&carrier.id).or_default();
        let picked = pick::vlan(carrier, here, FIRST).map_err(|refused| refused.to_string())?;
        here.push(planned(&vif.name, carrier, picked.value));
        plan.choices.push(of(vif, picked.choice("VLAN")));
        Ok(picked.value)
    }

    fn addresses(
        &mut self,
        vif: &Vif,
        session: &Session,
        plan: &mut Plan,
    ) -> Result<Option<PeerAddresses>, String> {
        match session.addresses {
            Addresses::Pair(pair) => Ok(Some(pair)),
            Addresses::Aws => Ok(None),
            Addresses::Auto if session.family == Family::Ipv6 || vif.kind == VifKind::Public => {
                Ok(None)
            }
            Addresses::Auto => {
                let taken = self.taken_for(vif);
                let picked = pick::address_pair(self.site.pool, self.site.pool_length, &taken)
                    .map_err(|refused| refused.to_string())?;
                let own = Taken::new(picked.value.customer, format!("picked for {}", vif.name));
                self.taken
                    .extend(own.map(|taken| Holder { id: None, taken }));
                plan.choices.push(of(vif, picked.choice("addresses")));
                Ok(Some(picked.value))
            }
        }
    }

    /// Without what goes before it is made.
    fn taken_for(&self, vif: &Vif) -> Vec<Taken> {
        let old = self.found.vifs.get(vif.name.as_str());
        let stays = |holder: &&Holder| {
            let id = holder.id.as_deref();
            !id.is_some_and(|id| self.going.contains(id) || old.is_some_and(|old| old.id == id))
        };
        let staying = self.taken.iter().filter(stays);
        staying.map(|holder| holder.taken.clone()).collect()
    }

    /// Where it leads to, and the gateway of the file that has to be made first.
    fn gateway(&self, vif: &Vif) -> (Option<Gateway>, Option<String>) {
        match &vif.leads_to {
            None => (None, None),
            Some(LeadsTo::Virtual(id)) => (Some(Gateway::Virtual(id.clone())), None),
            Some(LeadsTo::Gateway(name)) => match self.found.gateways.get(name.as_str()) {
                Some(there) => (Some(Gateway::DirectConnect(there.id.clone())), None),
                None => (
                    Some(Gateway::DirectConnect(name.clone())),
                    Some(name.clone()),
                ),
            },
        }
    }

    /// AWS's rules, with what is going to be there.
    fn check(
        &self,
        new: &NewVif,
        vif: &Vif,
        carrier: &Carrier,
        plan: &mut Plan,
    ) -> Result<(), Vec<String>> {
        let replaced = |there: &&VirtualInterface| {
            let is_itself = there.id == planned_id(&vif.name);
            let old = self.found.vifs.get(vif.name.as_str());
            let replaced = old.is_some_and(|old| old.id == there.id);
            !is_itself && !replaced && !self.going.contains(there.id.as_str())
        };
        let here = self.on.get(carrier.id.as_str()).into_iter().flatten();
        let here: Vec<VirtualInterface> = here.filter(replaced).cloned().collect();
        let found = rules::check(
            new,
            Surroundings {
                carrier,
                vifs: &here,
                gateways: &self.observed.gateways,
            },
        );
        let about = |text: &String| format!("vif {:?}: {text}", vif.name);
        plan.notes.extend(found.doubts.iter().map(about));
        let mut problems: Vec<String> = found.mistakes.iter().map(about).collect();
        if amazon_asn(vif, self.site, self.found) == Some(new.peer.asn) && problems.is_empty() {
            problems.push(about(&format!(
                "AS {} is AWS's own end: both ends must differ",
                new.peer.asn
            )));
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(problems),
        }
    }
}

fn of(vif: &Vif, choice: Choice) -> Choice {
    Choice {
        of: Some(format!("vif {:?}", vif.name)),
        ..choice
    }
}

fn fields(new: &NewVif, vif: &Vif) -> Vec<Field> {
    let mut fields = vec![
        Field::new("connection", format!("{} ({})", vif.carrier, new.carrier)),
        Field::new("kind", aws::kind_name(new.kind)),
        Field::new("vlan", new.vlan),
        Field::new("asn", new.peer.asn),
    ];
    match (&vif.leads_to, &new.gateway) {
        (Some(LeadsTo::Gateway(name)), _) => fields.push(Field::new("gateway", name)),
        (_, Some(gateway)) => fields.push(Field::new("gateway", gateway.id())),
        (_, None) => {}
    }
    fields.push(match new.peer.addresses {
        Some(pair) => Field::new("addresses", pair),
        None => Field::new("addresses", "AWS's choice"),
    });
    fields.extend(new.mtu.map(|mtu| Field::new("mtu", mtu)));
    fields.extend(feature_fields(&new.features));
    if !new.route_filter_prefixes.is_empty() {
        let list = super::gateways::list(&new.route_filter_prefixes);
        fields.push(Field::new("route_filter_prefixes", list));
    }
    fields
}

pub(super) fn feature_fields(features: &Features) -> Vec<Field> {
    let mut fields = Vec::new();
    fields.extend(features.site_link.map(|on| Field::new("site_link", on)));
    let limit = features.rate_limit.as_ref();
    fields.extend(limit.map(|limit| Field::new("rate_limit", limit)));
    let pools = [
        ("prefix_pool.ipv4", features.prefix_pool_ipv4),
        ("prefix_pool.ipv6", features.prefix_pool_ipv6),
    ];
    for (name, count) in pools {
        fields.extend(count.map(|count| Field::new(name, count)));
    }
    fields
}

fn written_addresses(site: &Site) -> impl Iterator<Item = (&str, ipnet::IpNet)> {
    site.vifs.iter().flat_map(|vif| {
        vif.sessions
            .iter()
            .filter_map(|session| match session.addresses {
                Addresses::Pair(pair) => Some((vif.name.as_str(), pair.customer)),
                Addresses::Auto | Addresses::Aws => None,
            })
    })
}

fn asns_in_use(site: &Site, observed: &Observed) -> AsnUse {
    let mut used = AsnUse::default();
    for vif in observed.vifs.iter().filter(|vif| !vif.is_gone()) {
        let name = format!("{} ({})", vif.id, vif.name);
        // A second run finds what the first one made, and takes the same number.
        let ours = vif.asn.filter(|_| !is_owned(&vif.tags, site));
        ours.into_iter()
            .for_each(|asn| used.add(asn, format!("our side of {name}")));
        vif.amazon_asn
            .into_iter()
            .for_each(|asn| used.add(asn, format!("AWS's side of {name}")));
    }
    for gateway in observed
        .gateways
        .iter()
        .filter(|gateway| !gateway.is_gone())
    {
        if let Some(asn) = gateway.amazon_asn {
            used.add(
                asn,
                format!("Direct Connect gateway {} ({})", gateway.id, gateway.name),
            );
        }
    }
    for gateway in &site.gateways {
        if let Some(asn) = gateway.asn {
            used.add(asn, format!("gateway {:?} of the site", gateway.name));
        }
    }
    for vif in &site.vifs {
        if let Some(asn) = vif.asn {
            used.add(asn, format!("vif {:?} of the site", vif.name));
        }
    }
    used
}

/// What makes room before anything is made: its VLAN is another now, or AWS is
/// deleting it and it is waited for. A run that goes on after a kill so picks what
/// the first one would have.
fn going<'a>(site: &Site, observed: &'a Observed, found: &Resolved<'a>) -> BTreeSet<&'a str> {
    let mut going: BTreeSet<&str> = found.moved.values().map(|old| old.id.as_str()).collect();
    for there in observed.vifs.iter().filter(|vif| vif.state == "deleting") {
        let replaced = site.vifs.iter().any(|vif| {
            let carrier = found.carriers.get(vif.carrier.as_str()).copied();
            carrier.is_some_and(|carrier| replaces(vif, carrier, there))
        });
        if replaced {
            going.insert(&there.id);
        }
    }
    going
}

/// One that AWS is deleting, and that this one of the file takes the place of.
pub(super) fn replaces(vif: &Vif, carrier: &Carrier, there: &VirtualInterface) -> bool {
    let vlan = match vif.vlan {
        Auto::Value(vlan) => there.vlan == Some(vlan),
        Auto::Auto => false,
    };
    there.carrier == carrier.id && (vlan || there.name == vif.name)
}

/// Holds the VLAN of one that is going to be made.
fn planned(name: &str, carrier: &Carrier, vlan: VlanId) -> VirtualInterface {
    VirtualInterface {
        carrier: carrier.id.clone(),
        state: "planned".to_owned(),
        vlan: Some(vlan),
        ..VirtualInterface::unlisted(&planned_id(name))
    }
}

fn planned_id(name: &str) -> String {
    format!("vif {name:?} of the site")
}
