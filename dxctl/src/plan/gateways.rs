//! Direct Connect gateways and their associations.

use ipnet::IpNet;

use super::resolve::Resolved;
use super::step::{Action, Call, Cut, Field, Step};
use super::{Observed, Phases, Plan, is_owned};
use crate::aws::{self, DxGateway, Gateway, NewGateway, Tag};
use crate::site::{self, OWNER_TAG, Site};

pub(super) fn compare(
    site: &Site,
    observed: &Observed,
    found: &Resolved<'_>,
    phases: &mut Phases,
    plan: &mut Plan,
    problems: &mut Vec<String>,
) {
    for wanted in &site.gateways {
        let there = found.gateways.get(wanted.name.as_str()).copied();
        match there {
            None => phases.make_gateways.push(create(wanted, site)),
            Some(there) => {
                plan.gateway_ids
                    .insert(wanted.name.clone(), there.id.clone());
                let resource = Tagged {
                    kind: "gateway",
                    name: &wanted.name,
                    id: &there.id,
                    arn: arn(there, observed),
                };
                phases
                    .tags
                    .extend(tag_steps(&resource, wanted.tags.as_deref(), &there.tags));
            }
        }
        associations(wanted, there, site, observed, phases, plan, problems);
    }
    removed(site, observed, found, phases);
}

fn create(wanted: &site::Gateway, site: &Site) -> Step {
    let mut tags = wanted.tags.clone().unwrap_or_default();
    let mut fields = Vec::new();
    if let Some(asn) = wanted.asn {
        fields.push(Field::new("asn", asn));
    }
    fields.extend(tag_fields(&tags));
    tags.push(Tag {
        key: OWNER_TAG.to_owned(),
        value: site.name.clone(),
    });
    Step {
        action: Action::Create,
        kind: "gateway",
        name: wanted.name.clone(),
        id: None,
        fields,
        cut: None,
        call: Call::CreateGateway(NewGateway {
            name: wanted.name.clone(),
            amazon_asn: wanted.asn,
            tags,
        }),
    }
}

fn associations(
    wanted: &site::Gateway,
    there: Option<&DxGateway>,
    site: &Site,
    observed: &Observed,
    phases: &mut Phases,
    plan: &mut Plan,
    problems: &mut Vec<String>,
) {
    let of_this = |association: &&aws::Association| {
        there.is_some_and(|gateway| association.gateway == gateway.id)
    };
    let existing: Vec<_> = observed.associations.iter().filter(of_this).collect();
    for own in &wanted.associations {
        let now = existing.iter().find(|one| one.target == own.target);
        match now {
            Some(now) if now.is_gone() => problems.push(format!(
                "the association of {:?} with {} is {}: try again when it is gone",
                wanted.name, own.target, now.state
            )),
            Some(now) => phases.associate.extend(change(wanted, own, now, observed)),
            None => phases.associate.push(associate(wanted, own)),
        }
    }
    for extra in existing {
        let listed = wanted
            .associations
            .iter()
            .any(|own| own.target == extra.target);
        let Some(gateway) = there.filter(|_| !listed && !extra.is_gone()) else {
            continue;
        };
        if is_owned(&gateway.tags, site) {
            phases
                .disassociate
                .push(disassociate(&wanted.name, extra, observed));
        } else {
            plan.notes.push(format!(
                "gateway {:?} is also associated with {}, which the file doesn't name: left as it is",
                wanted.name, extra.target
            ));
        }
    }
}

fn associate(wanted: &site::Gateway, own: &site::Association) -> Step {
    let allowed = own.allowed.clone().unwrap_or_default();
    Step {
        action: Action::Create,
        kind: "association",
        name: format!("{}/{}", wanted.name, own.target),
        id: None,
        fields: vec![match allowed.is_empty() {
            false => Field::new("allowed_prefixes", list(&allowed)),
            true if own.target.starts_with("tgw-") => {
                Field::new("allowed_prefixes", "none: AWS will announce nothing")
            }
            true => Field::new("allowed_prefixes", "all of the VPC"),
        }],
        cut: None,
        call: Call::Associate {
            gateway: wanted.name.clone(),
            target: own.target.clone(),
            allowed,
        },
    }
}

/// The allowed prefixes, where the file names them.
fn change(
    wanted: &site::Gateway,
    own: &site::Association,
    now: &aws::Association,
    observed: &Observed,
) -> Option<Step> {
    let allowed = own.allowed.as_ref()?;
    let add: Vec<IpNet> = minus(allowed, &now.allowed);
    let remove: Vec<IpNet> = minus(&now.allowed, allowed);
    if add.is_empty() && remove.is_empty() {
        return None;
    }
    let lost: Vec<IpNet> = remove
        .iter()
        .filter(|gone| !allowed.iter().any(|left| left.contains(*gone)))
        .copied()
        .collect();
    let users = users(&now.gateway, observed);
    let cut = (!lost.is_empty() && !users.is_empty()).then(|| {
        Cut::new(
            &wanted.name,
            format!(
                "AWS withdraws {} behind {} from {}",
                list(&lost),
                own.target,
                users.join(", ")
            ),
        )
    });
    Some(Step {
        action: Action::Change,
        kind: "association",
        name: format!("{}/{}", wanted.name, own.target),
        id: Some(now.id.clone()),
        fields: vec![Field::change(
            "allowed_prefixes",
            list(&now.allowed),
            list(allowed),
        )],
        cut,
        call: Call::ChangeAssociation {
            id: now.id.clone(),
            gateway_id: now.gateway.clone(),
            before: now.allowed.clone(),
            add,
            remove,
        },
    })
}

fn disassociate(name: &str, now: &aws::Association, observed: &Observed) -> Step {
    let users = users(&now.gateway, observed);
    let cut = (!users.is_empty()).then(|| {
        Cut::new(
            name,
            format!(
                "{} lose all that is behind {}",
                users.join(", "),
                now.target
            ),
        )
    });
    Step {
        action: Action::Delete,
        kind: "association",
        name: format!("{name}/{}", now.target),
        id: Some(now.id.clone()),
        fields: Vec::new(),
        cut,
        call: Call::Disassociate {
            id: now.id.clone(),
            gateway_id: now.gateway.clone(),
        },
    }
}

fn delete(gateway: &DxGateway) -> Step {
    Step {
        action: Action::Delete,
        kind: "gateway",
        name: gateway.name.clone(),
        id: Some(gateway.id.clone()),
        fields: Vec::new(),
        cut: Some(Cut::new(
            &gateway.name,
            "what leads to it and what it is associated with are parted",
        )),
        call: Call::DeleteGateway {
            id: gateway.id.clone(),
        },
    }
}

/// What an earlier apply of this site made and the file names no more.
fn removed(site: &Site, observed: &Observed, found: &Resolved<'_>, phases: &mut Phases) {
    let named = |gateway: &DxGateway| found.gateways.values().any(|there| there.id == gateway.id);
    for gateway in &observed.gateways {
        if is_owned(&gateway.tags, site) && !gateway.is_gone() && !named(gateway) {
            take_away(&gateway.name, gateway, observed, phases);
        }
    }
}

/// All that the file names, with every association it has.
pub(super) fn destroy(observed: &Observed, found: &Resolved<'_>, phases: &mut Phases) {
    for (name, gateway) in &found.gateways {
        take_away(name, gateway, observed, phases);
    }
}

fn take_away(name: &str, gateway: &DxGateway, observed: &Observed, phases: &mut Phases) {
    let own = observed.associations.iter();
    let own = own.filter(|one| one.gateway == gateway.id && !one.is_gone());
    phases
        .disassociate
        .extend(own.map(|one| disassociate(name, one, observed)));
    phases.delete_gateways.push(delete(gateway));
}

/// Virtual interfaces that lead there.
fn users(gateway: &str, observed: &Observed) -> Vec<String> {
    let leads = |vif: &&aws::VirtualInterface| {
        let there = matches!(&vif.gateway, Some(Gateway::DirectConnect(id)) if id == gateway);
        there && !vif.is_gone() && vif.state != "deleting"
    };
    let users = observed.vifs.iter().filter(leads);
    users
        .map(|vif| format!("{} ({})", vif.name, vif.id))
        .collect()
}

fn minus(all: &[IpNet], without: &[IpNet]) -> Vec<IpNet> {
    let left = all.iter().filter(|prefix| !without.contains(prefix));
    left.copied().collect()
}

pub(super) fn list(prefixes: &[IpNet]) -> String {
    match prefixes {
        [] => "none".to_owned(),
        some => {
            let texts: Vec<String> = some.iter().map(IpNet::to_string).collect();
            texts.join(", ")
        }
    }
}

/// A resource whose tags are compared.
pub(super) struct Tagged<'a> {
    pub(super) kind: &'static str,
    pub(super) name: &'a str,
    pub(super) id: &'a str,
    /// `None` where AWS doesn't say who owns it.
    pub(super) arn: Option<String>,
}

/// Where the file lists tags they are all there are, but for ours and AWS's own.
pub(super) fn tag_steps(resource: &Tagged<'_>, wanted: Option<&[Tag]>, has: &[Tag]) -> Vec<Step> {
    let (Some(wanted), Some(arn)) = (wanted, &resource.arn) else {
        return Vec::new();
    };
    let foreign = |tag: &&Tag| !tag.key.starts_with("aws:") && tag.key != OWNER_TAG;
    let new: Vec<Tag> = wanted
        .iter()
        .filter(|tag| !has.contains(tag))
        .cloned()
        .collect();
    let gone = has.iter().filter(foreign);
    let gone: Vec<String> = gone
        .filter(|tag| !wanted.iter().any(|own| own.key == tag.key))
        .map(|tag| tag.key.clone())
        .collect();
    let step = |fields, call| Step {
        action: Action::Change,
        kind: resource.kind,
        name: resource.name.to_owned(),
        id: Some(resource.id.to_owned()),
        fields,
        cut: None,
        call,
    };
    let mut steps = Vec::new();
    if !new.is_empty() {
        let call = Call::Tag {
            arn: arn.clone(),
            tags: new.clone(),
        };
        steps.push(step(tag_fields(&new), call));
    }
    if !gone.is_empty() {
        let fields = gone.iter().map(|key| Field {
            name: "tag",
            from: Some(key.clone()),
            to: None,
        });
        let call = Call::Untag {
            arn: arn.clone(),
            keys: gone.clone(),
        };
        steps.push(step(fields.collect(), call));
    }
    steps
}

pub(super) fn tag_fields(tags: &[Tag]) -> Vec<Field> {
    let fields = tags.iter();
    fields
        .map(|tag| Field::new("tag", format!("{}={}", tag.key, tag.value)))
        .collect()
}

/// A Direct Connect gateway is in no Region.
fn arn(gateway: &DxGateway, observed: &Observed) -> Option<String> {
    let owner = gateway.owner.as_ref()?;
    let partition = partition(&observed.region);
    Some(format!(
        "arn:{partition}:directconnect::{owner}:dx-gateway/{}",
        gateway.id
    ))
}

pub(super) fn partition(region: &str) -> &'static str {
    match region {
        cn if cn.starts_with("cn-") => "aws-cn",
        gov if gov.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}
