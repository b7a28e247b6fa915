//! Virtual interfaces: those to make, to change, to make anew, and to take away.

use ipnet::IpNet;

use super::gateways::{Tagged, list, partition, tag_steps};
use super::new_vif::{Picker, replaces};
use super::resolve::Resolved;
use super::sessions::{Sessions, new_session};
use super::step::{Action, Call, Cut, Field, Step};
use super::{Observed, Phases, Plan, Wanted, is_owned};
use crate::aws::{Features, Gateway, VifUpdate, VirtualInterface};
use crate::cli::Auto;
use crate::site::{LeadsTo, Site, Vif};

pub(super) fn compare(
    wanted: Wanted<'_>,
    observed: &Observed,
    found: &Resolved<'_>,
    phases: &mut Phases,
    plan: &mut Plan,
    problems: &mut Vec<String>,
) {
    let mut picker = Picker::new(wanted.site, observed, found);
    for vif in &wanted.site.vifs {
        let name = vif.name.as_str();
        let outcome = match (found.vifs.get(name), found.moved.get(name)) {
            (Some(there), _) => existing(wanted, vif, there, observed, found, &mut picker, plan),
            (None, Some(old)) => anew(vif, old, &vlan_change(vif, old), &mut picker, plan),
            (None, None) => {
                await_vlan(vif, observed, found, phases);
                made(vif, &mut picker, plan)
            }
        };
        match outcome {
            Ok(steps) => steps.into_iter().for_each(|step| phases.put(step)),
            Err(all) => problems.extend(all),
        }
    }
    plan.choices.extend(picker.asn_choice());
    removed(wanted.site, observed, found, phases, plan);
}

impl Phases {
    fn put(&mut self, step: Step) {
        let phase = match step.call {
            Call::DeleteVif { .. } | Call::AwaitDeleted { .. } => &mut self.delete_vifs,
            Call::CreateVif { .. } => &mut self.create_vifs,
            Call::CreatePeer { .. } | Call::DeletePeer { .. } | Call::ReplaceSession { .. } => {
                &mut self.sessions
            }
            Call::Tag { .. } | Call::Untag { .. } => &mut self.tags,
            _ => &mut self.update,
        };
        phase.push(step);
    }
}

type Steps = Result<Vec<Step>, Vec<String>>;

/// The interface with its first session, then the other one.
fn made(vif: &Vif, picker: &mut Picker<'_>, plan: &mut Plan) -> Steps {
    let mut steps = vec![picker.create(vif, plan)?];
    let asn = picker.asn(vif).map_err(|problem| vec![problem])?;
    for session in vif.sessions.iter().skip(1) {
        steps.push(new_session(vif, session, asn, None));
    }
    Ok(steps)
}

/// One that AWS is still deleting holds its VLAN and addresses.
fn await_vlan(vif: &Vif, observed: &Observed, found: &Resolved<'_>, phases: &mut Phases) {
    let Some(carrier) = found.carriers.get(vif.carrier.as_str()) else {
        return;
    };
    let going = observed.vifs.iter();
    let going = going.filter(|there| there.state == "deleting" && replaces(vif, carrier, there));
    for there in going {
        phases.put(Step {
            action: Action::Wait,
            kind: "vif",
            name: vif.name.clone(),
            id: Some(there.id.clone()),
            fields: vec![Field::new("until", "deleted")],
            cut: None,
            call: Call::AwaitDeleted {
                id: there.id.clone(),
            },
        });
    }
}

fn vlan_change(vif: &Vif, old: &VirtualInterface) -> Vec<Field> {
    let from = old
        .vlan
        .map_or_else(|| "?".to_owned(), |vlan| vlan.to_string());
    match vif.vlan {
        Auto::Value(vlan) => vec![Field::change("vlan", from, vlan)],
        Auto::Auto => Vec::new(),
    }
}

/// AWS can't change it: deleted, then made again.
fn anew(
    vif: &Vif,
    old: &VirtualInterface,
    why: &[Field],
    picker: &mut Picker<'_>,
    plan: &mut Plan,
) -> Steps {
    let what = "AWS can't change that: the interface is deleted and made anew, without traffic for some minutes";
    let mut steps = vec![delete(
        &vif.name,
        old,
        Cut::new(&vif.name, what),
        why.to_vec(),
    )];
    steps.extend(made(vif, picker, plan)?);
    Ok(steps)
}

fn delete(name: &str, old: &VirtualInterface, cut: Cut, fields: Vec<Field>) -> Step {
    Step {
        action: Action::Delete,
        kind: "vif",
        name: name.to_owned(),
        id: Some(old.id.clone()),
        fields,
        cut: Some(cut),
        call: Call::DeleteVif { id: old.id.clone() },
    }
}

fn existing(
    wanted: Wanted<'_>,
    vif: &Vif,
    there: &VirtualInterface,
    observed: &Observed,
    found: &Resolved<'_>,
    picker: &mut Picker<'_>,
    plan: &mut Plan,
) -> Steps {
    if there.kind.known() != Some(vif.kind) {
        return Err(vec![format!(
            "vif {:?}: VLAN {} on {} belongs to {} ({}), a {} virtual interface: choose another VLAN",
            vif.name,
            there
                .vlan
                .map_or_else(|| "?".to_owned(), |vlan| vlan.to_string()),
            there.carrier,
            there.id,
            there.name,
            there.kind
        )]);
    }
    let why = unchangeable(wanted.site, vif, there, found);
    if !why.is_empty() {
        return anew(vif, there, &why, picker, plan);
    }
    plan.vif_ids.insert(vif.name.clone(), there.id.clone());
    let asn = match there.asn {
        Some(asn) => asn,
        None => picker.asn(vif).map_err(|problem| vec![problem])?,
    };
    let sessions = Sessions::compare(wanted, vif, there, &observed.begun, &mut plan.notes);
    let mut steps = sessions.steps(vif, there, asn)?;
    steps.extend(update(vif, there, observed));
    let resource = Tagged {
        kind: "vif",
        name: &vif.name,
        id: &there.id,
        arn: arn(there, observed),
    };
    steps.extend(tag_steps(&resource, vif.tags.as_deref(), &there.tags));
    Ok(steps)
}

/// What AWS fixes at creation, where it is another in the file.
fn unchangeable(
    site: &Site,
    vif: &Vif,
    there: &VirtualInterface,
    found: &Resolved<'_>,
) -> Vec<Field> {
    let mut fields = Vec::new();
    let asn = vif.asn.or(match site.asn {
        Auto::Value(asn) => Some(asn),
        Auto::Auto => None,
    });
    if let (Some(wanted), Some(has)) = (asn, there.asn)
        && wanted != has
    {
        fields.push(Field::change("asn", has, wanted));
    }
    let has = there.gateway.as_ref().map_or("none", Gateway::id);
    match &vif.leads_to {
        Some(LeadsTo::Virtual(id)) if id != has => {
            fields.push(Field::change("gateway", has, id));
        }
        Some(LeadsTo::Gateway(name)) => {
            let id = found
                .gateways
                .get(name.as_str())
                .map(|gateway| gateway.id.as_str());
            if id != Some(has) {
                fields.push(Field::change("gateway", has, id.unwrap_or(name)));
            }
        }
        _ => {}
    }
    let mut prefixes: Vec<IpNet> = there.route_filter_prefixes.clone();
    prefixes.sort_unstable();
    if prefixes != vif.route_filter_prefixes {
        let (from, to) = (list(&prefixes), list(&vif.route_filter_prefixes));
        fields.push(Field::change("route_filter_prefixes", from, to));
    }
    fields
}

/// What AWS changes in place.
fn update(vif: &Vif, there: &VirtualInterface, observed: &Observed) -> Option<Step> {
    let has = &there.features;
    let want = &vif.features;
    let features = Features {
        site_link: changed(want.site_link, has.site_link.or(Some(false))),
        rate_limit: changed(want.rate_limit.clone(), has.rate_limit.clone()),
        prefix_pool_ipv4: changed(want.prefix_pool_ipv4, has.prefix_pool_ipv4),
        prefix_pool_ipv6: changed(want.prefix_pool_ipv6, has.prefix_pool_ipv6),
    };
    let update = VifUpdate {
        name: changed(Some(vif.name.clone()), Some(there.name.clone())),
        mtu: changed(vif.mtu, there.mtu),
        features,
    };
    if update == VifUpdate::default() {
        return None;
    }
    Some(Step {
        action: Action::Change,
        kind: "vif",
        name: vif.name.clone(),
        id: Some(there.id.clone()),
        fields: update_fields(&update, there),
        cut: flap(vif, there, &update, observed),
        call: Call::UpdateVif {
            id: there.id.clone(),
            update,
            before: VifUpdate {
                name: Some(there.name.clone()),
                mtu: there.mtu,
                features: there.features.clone(),
            },
        },
    })
}

fn changed<T: PartialEq>(want: Option<T>, has: Option<T>) -> Option<T> {
    want.filter(|want| has.as_ref() != Some(want))
}

fn update_fields(update: &VifUpdate, there: &VirtualInterface) -> Vec<Field> {
    fn text(value: Option<&impl ToString>) -> Option<String> {
        value.map(ToString::to_string)
    }
    let (new, old) = (&update.features, &there.features);
    let all = [
        ("name", update.name.clone(), Some(there.name.clone())),
        ("mtu", text(update.mtu.as_ref()), text(there.mtu.as_ref())),
        (
            "site_link",
            text(new.site_link.as_ref()),
            text(old.site_link.as_ref()),
        ),
        ("rate_limit", new.rate_limit.clone(), old.rate_limit.clone()),
        (
            "prefix_pool.ipv4",
            text(new.prefix_pool_ipv4.as_ref()),
            text(old.prefix_pool_ipv4.as_ref()),
        ),
        (
            "prefix_pool.ipv6",
            text(new.prefix_pool_ipv6.as_ref()),
            text(old.prefix_pool_ipv6.as_ref()),
        ),
    ];
    all.into_iter()
        .filter(|(_, to, _)| to.is_some())
        .map(|(name, to, from)| Field { name, from, to })
        .collect()
}

/// A new MTU flaps the connection (up to 30 s, says AWS); a pool smaller than
/// what is announced ends the session.
fn flap(
    vif: &Vif,
    there: &VirtualInterface,
    update: &VifUpdate,
    observed: &Observed,
) -> Option<Cut> {
    if update.mtu.is_some() {
        let on = observed.vifs.iter();
        let on = on
            .filter(|other| other.carrier == there.carrier && !other.is_gone())
            .count();
        return Some(Cut::new(
            &vif.name,
            format!(
                "a new MTU can interrupt all {on} virtual interfaces of {} for up to 30 s",
                there.carrier
            ),
        ));
    }
    let too_small = |pool: Option<u32>, is: fn(&&IpNet) -> bool| {
        let announced = vif.advertise.iter().filter(is).count();
        pool.is_some_and(|pool| usize::try_from(pool).is_ok_and(|pool| pool < announced))
    };
    let features = &update.features;
    let ends = too_small(features.prefix_pool_ipv4, |net| matches!(net, IpNet::V4(_)))
        || too_small(features.prefix_pool_ipv6, |net| matches!(net, IpNet::V6(_)));
    ends.then(|| {
        Cut::new(
            &vif.name,
            "more prefixes are announced than the pool has then: AWS ends the session",
        )
    })
}

/// What an earlier apply of this site made and the file names no more.
fn removed(
    site: &Site,
    observed: &Observed,
    found: &Resolved<'_>,
    phases: &mut Phases,
    plan: &mut Plan,
) {
    let known = |id: &str| {
        let mut named = found.vifs.values().chain(found.moved.values());
        named.any(|vif| vif.id == id)
    };
    let ours = |vif: &VirtualInterface| {
        let mut carriers = found.carriers.values();
        carriers.any(|carrier| carrier.id == vif.carrier)
    };
    for vif in &observed.vifs {
        if vif.is_gone() || vif.state == "deleting" || known(&vif.id) {
            continue;
        }
        if is_owned(&vif.tags, site) {
            let cut = Cut::new(&vif.name, "the file names it no more: its traffic stops");
            phases.put(delete(&vif.name, vif, cut, Vec::new()));
        } else if ours(vif) {
            plan.notes.push(format!(
                "{} ({}) on {} is not in the file: left as it is",
                vif.name, vif.id, vif.carrier
            ));
        }
    }
}

pub(super) fn destroy(found: &Resolved<'_>, phases: &mut Phases) {
    for (name, vif) in found.vifs.iter().chain(&found.moved) {
        let cut = Cut::new(name, "its traffic stops");
        phases.put(delete(name, vif, cut, Vec::new()));
    }
}

fn arn(vif: &VirtualInterface, observed: &Observed) -> Option<String> {
    let owner = vif.owner.as_ref()?;
    let region = vif.region.as_deref().unwrap_or(&observed.region);
    let partition = partition(region);
    Some(format!(
        "arn:{partition}:directconnect:{region}:{owner}:dxvif/{}",
        vif.id
    ))
}
