//! Connections and LAGs: their tags and MACsec keys. dxctl orders and deletes none.

use super::gateways::{Tagged, partition, tag_steps};
use super::resolve::Resolved;
use super::step::{Action, Call, Cut, Field, Step};
use super::{Observed, Phases};
use crate::aws::Carrier;
use crate::site::{self, CarrierKind, Site};

pub(super) fn compare(site: &Site, observed: &Observed, found: &Resolved<'_>, phases: &mut Phases) {
    for wanted in &site.carriers {
        let Some(there) = found.carriers.get(wanted.name.as_str()) else {
            continue;
        };
        let resource = Tagged {
            kind: kind(wanted),
            name: &wanted.name,
            id: &there.id,
            arn: arn(there, observed),
        };
        phases
            .tags
            .extend(tag_steps(&resource, wanted.tags.as_deref(), &there.tags));
        keys(wanted, there, phases);
    }
}

/// New ones come before old ones go: the link has one to use throughout.
fn keys(wanted: &site::Carrier, there: &Carrier, phases: &mut Phases) {
    let Some(listed) = &wanted.macsec else { return };
    for secret in listed.iter().filter(|one| !there.macsec.contains(one)) {
        phases.make_keys.push(Step {
            action: Action::Change,
            kind: kind(wanted),
            name: wanted.name.clone(),
            id: Some(there.id.clone()),
            fields: vec![Field::new("macsec", secret)],
            cut: None,
            call: Call::AssociateKey {
                carrier: there.id.clone(),
                secret: secret.clone(),
            },
        });
    }
    for secret in there.macsec.iter().filter(|one| !listed.contains(one)) {
        let what = "without the key that encrypts the link its traffic stops, or goes in clear";
        phases.delete_keys.push(Step {
            action: Action::Change,
            kind: kind(wanted),
            name: wanted.name.clone(),
            id: Some(there.id.clone()),
            fields: vec![Field {
                name: "macsec",
                from: Some(secret.clone()),
                to: None,
            }],
            cut: Some(Cut::new(&wanted.name, what)),
            call: Call::DisassociateKey {
                carrier: there.id.clone(),
                secret: secret.clone(),
            },
        });
    }
}

const fn kind(wanted: &site::Carrier) -> &'static str {
    match wanted.what {
        CarrierKind::Connection => "connection",
        CarrierKind::Lag => "lag",
    }
}

fn arn(carrier: &Carrier, observed: &Observed) -> Option<String> {
    let owner = carrier.owner.as_ref()?;
    let region = &observed.region;
    let (partition, id) = (partition(region), &carrier.id);
    let kind = id.split('-').next()?;
    Some(format!(
        "arn:{partition}:directconnect:{region}:{owner}:{kind}/{id}"
    ))
}
