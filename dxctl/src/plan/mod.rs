//! What has to change at AWS so that it is as the site file says. Pure: from what
//! is [wanted](Wanted) and what is [observed](Observed) to a [`Plan`].
//!
//! `resolve` finds what each name of the file stands for at AWS, `gateways`, `vifs`
//! and `sessions` compare, `step` says what a change is and what it will cut, `show`
//! tells people. A virtual interface is known by its connection and VLAN.

mod carriers;
mod gateways;
mod new_vif;
mod replacement;
mod resolve;
mod sessions;
mod show;
mod step;
mod vifs;

use std::collections::BTreeMap;

use bgp_core::Family;
use bgp_core::config::AuthKey;

use crate::aws::{Association, Carrier, DxGateway, VirtualInterface};
use crate::pick::{Choice, Taken};
use crate::site::{OWNER_TAG, Site};

pub(crate) use replacement::Replacement;
pub(crate) use show::{choices, listing, to_json};
pub(crate) use step::{Call, Cut, Step};

/// The site file, and the keys that it names and that are here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) site: &'a Site,
    pub(crate) keys: &'a Keys,
}

/// By virtual interface and family. Sessions whose key AWS makes have none.
pub(crate) type Keys = BTreeMap<(String, Family), AuthKey>;

/// What AWS has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observed {
    pub(crate) region: String,
    pub(crate) carriers: Vec<Carrier>,
    pub(crate) vifs: Vec<VirtualInterface>,
    pub(crate) gateways: Vec<DxGateway>,
    /// Of the gateways that the site file is about.
    pub(crate) associations: Vec<Association>,
    /// Addresses of this host.
    pub(crate) host: Vec<Taken>,
    /// Sessions that a killed run was about to replace.
    pub(crate) begun: Vec<Replacement>,
}

/// Steps in the order in which they can be done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    pub(crate) notes: Vec<String>,
    /// What the file left to us.
    pub(crate) choices: Vec<Choice>,
    /// Virtual interfaces of the file, by their names there, that exist already
    /// and stay.
    pub(crate) vif_ids: BTreeMap<String, String>,
    pub(crate) gateway_ids: BTreeMap<String, String>,
}

impl Plan {
    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// What will be cut without having been consented to.
    pub(crate) fn unconsented<'a>(&'a self, allowed: &[String]) -> Vec<&'a Cut> {
        let cuts = self.steps.iter().filter_map(|step| step.cut.as_ref());
        cuts.filter(|cut| !allowed.contains(&cut.consent()))
            .collect()
    }
}

/// What to do, or every reason why it can't be.
pub(crate) fn plan(wanted: Wanted<'_>, observed: &Observed) -> Result<Plan, Impossible> {
    let mut problems = Vec::new();
    let resolved = resolve::resolve(wanted.site, observed, &mut problems);
    let mut phases = Phases::default();
    let mut plan = Plan::default();
    carriers::compare(wanted.site, observed, &resolved, &mut phases);
    gateways::compare(
        wanted.site,
        observed,
        &resolved,
        &mut phases,
        &mut plan,
        &mut problems,
    );
    vifs::compare(
        wanted,
        observed,
        &resolved,
        &mut phases,
        &mut plan,
        &mut problems,
    );
    if problems.is_empty() {
        plan.steps = phases.in_order();
        return Ok(plan);
    }
    Err(Impossible(problems))
}

/// What takes away everything that the site file names.
pub(crate) fn destroy(site: &Site, observed: &Observed) -> Result<Plan, Impossible> {
    let mut problems = Vec::new();
    let resolved = resolve::resolve(site, observed, &mut problems);
    let mut phases = Phases::default();
    vifs::destroy(&resolved, &mut phases);
    gateways::destroy(observed, &resolved, &mut phases);
    if problems.is_empty() {
        return Ok(Plan {
            steps: phases.in_order(),
            ..Plan::default()
        });
    }
    Err(Impossible(problems))
}

/// The site file asks for what AWS doesn't have or won't do. Exit 2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the site can't be made so; nothing was changed:\n  {}", .0.join("\n  "))]
pub(crate) struct Impossible(Vec<String>);

/// Steps by what has to be done before what.
#[derive(Debug, Default)]
struct Phases {
    make_keys: Vec<Step>,
    make_gateways: Vec<Step>,
    associate: Vec<Step>,
    delete_vifs: Vec<Step>,
    create_vifs: Vec<Step>,
    sessions: Vec<Step>,
    update: Vec<Step>,
    tags: Vec<Step>,
    disassociate: Vec<Step>,
    delete_gateways: Vec<Step>,
    delete_keys: Vec<Step>,
}

impl Phases {
    fn in_order(self) -> Vec<Step> {
        [
            self.make_keys,
            self.make_gateways,
            self.associate,
            self.delete_vifs,
            self.create_vifs,
            self.sessions,
            self.update,
            self.tags,
            self.disassociate,
            self.delete_gateways,
            self.delete_keys,
        ]
        .concat()
    }
}

/// Whether an earlier apply of this site made it.
fn is_owned(tags: &[crate::aws::Tag], site: &Site) -> bool {
    tags.iter()
        .any(|tag| tag.key == OWNER_TAG && tag.value == site.name)
}

#[cfg(test)]
mod tests;
