//! Waiting for AWS: `down` is a success, and a state that nobody knows is only
//! waited through.

use super::Apply;
use crate::aws::{AwsError, DirectConnect, Filter, VirtualInterface};
use crate::output::note;
use crate::wait::{Judgement, until};

impl<A: DirectConnect> Apply<'_, A> {
    pub(super) async fn gateway_available(&self, id: &str) -> anyhow::Result<()> {
        let look = async || {
            let all = self.aws.gateways().await?;
            let there = all.into_iter().find(|gateway| gateway.id == id);
            let state = there.map_or_else(|| "not listed yet".to_owned(), |there| there.state);
            let judged = match state.as_str() {
                "available" => Judgement::Met(()),
                "deleting" | "deleted" => Judgement::Never(format!("gateway {id} is {state}")),
                _ => Judgement::NotYet,
            };
            Ok((state, judged))
        };
        until(&format!("gateway {id}"), "available", self.limit, look).await
    }

    /// Those of the site that are there, looked at together.
    pub(super) async fn vifs_provisioned(&self) -> anyhow::Result<()> {
        if self.made.vifs.is_empty() {
            return Ok(());
        }
        let look = async || {
            let all = self.aws.virtual_interfaces(Filter::All).await?;
            let ours = |vif: &&VirtualInterface| self.made.vifs.values().any(|id| *id == vif.id);
            let mut waiting = 0;
            for vif in all.iter().filter(ours) {
                match crate::commands::provisioned(vif) {
                    Judgement::Met(()) if has_addresses(vif) => {}
                    Judgement::Met(()) => waiting += 1,
                    // AWS asks the prefixes' owner; that takes up to 72 hours.
                    Judgement::NotYet if vif.state == "verifying" => {}
                    Judgement::NotYet => waiting += 1,
                    Judgement::Never(why) => return Ok((why.clone(), Judgement::Never(why))),
                }
            }
            let judged = if waiting == 0 {
                Judgement::Met(
                    all.into_iter()
                        .filter(|vif| vif.state == "verifying")
                        .collect(),
                )
            } else {
                Judgement::NotYet
            };
            Ok((format!("{waiting} are being provisioned"), judged))
        };
        let verifying: Vec<VirtualInterface> =
            until("virtual interfaces", "provisioned", self.limit, look).await?;
        for vif in verifying {
            note(format_args!(
                "note: AWS checks that the prefixes of {} ({}) are yours; that takes up to 72 hours",
                vif.name, vif.id
            ));
        }
        Ok(())
    }

    pub(super) async fn vif_deleted(&self, id: &str) -> anyhow::Result<()> {
        let look = async || {
            let state = self.vif(id).await?.state;
            let judged = match state.as_str() {
                "deleted" | "rejected" => Judgement::Met(()),
                _ => Judgement::NotYet,
            };
            Ok((state, judged))
        };
        until(id, "deleted", self.limit, look).await
    }

    pub(super) async fn association_gone(&self, gateway: &str, id: &str) -> anyhow::Result<()> {
        let look = async || {
            let all = self.aws.associations(gateway).await?;
            let there = all.into_iter().find(|one| one.id == id);
            let state = there.map_or_else(|| "disassociated".to_owned(), |there| there.state);
            let judged = match state.as_str() {
                "disassociated" => Judgement::Met(()),
                _ => Judgement::NotYet,
            };
            Ok((state, judged))
        };
        until(&format!("association {id}"), "gone", self.limit, look).await
    }

    /// Those of the site's gateways.
    pub(super) async fn associations_settled(&self) -> anyhow::Result<()> {
        for (name, id) in &self.made.gateways {
            let wanted = self.wanted.site.gateways.iter();
            let any = wanted.filter(|gateway| gateway.name == *name);
            if any
                .into_iter()
                .all(|gateway| gateway.associations.is_empty())
            {
                continue;
            }
            let look = async || self.associations_judged(id).await;
            until(
                &format!("associations of {name}"),
                "associated",
                self.limit,
                look,
            )
            .await?;
        }
        Ok(())
    }

    async fn associations_judged(&self, id: &str) -> Result<(String, Judgement<()>), AwsError> {
        let all = self.aws.associations(id).await?;
        let moving = all
            .iter()
            .find(|one| one.state != "associated" && !one.is_gone());
        Ok(match moving {
            None => ("associated".to_owned(), Judgement::Met(())),
            Some(one) => (one.state.clone(), Judgement::NotYet),
        })
    }
}

/// AWS's choice of a session's addresses comes after the session.
fn has_addresses(vif: &VirtualInterface) -> bool {
    let mut live = vif.peers.iter().filter(|peer| !peer.is_gone());
    live.all(|peer| peer.amazon_address.is_some() && peer.customer_address.is_some())
}
