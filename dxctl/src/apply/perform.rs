//! One step: its call, and after an unclear answer the look whether it was done.

use ipnet::IpNet;

use super::{Apply, OurEnd, keys, replace, session};
use crate::Refused;
use crate::aws::{
    Association, AwsError, DirectConnect, DxGateway, Filter, Gateway, NewGateway, NewPeer, NewVif,
    PAUSES, Refusal, VifUpdate, VirtualInterface, once,
};
use crate::output::note;
use crate::plan::{Call, Replacement, Step};
use crate::site::{KeySource, Platform};

impl<A: DirectConnect> Apply<'_, A> {
    /// The identifier of what was made.
    pub(super) async fn perform(&mut self, step: &Step) -> anyhow::Result<Option<String>> {
        let refusal = match self.journal.is_unfinished(&step.label()) {
            true => Refusal::MayBeOurs,
            false => Refusal::Final,
        };
        match &step.call {
            Call::CreateGateway(new) => {
                let id = self.create_gateway(new, refusal).await?;
                self.made.gateways.insert(new.name.clone(), id.clone());
                self.gateway_available(&id).await?;
                Ok(Some(id))
            }
            Call::DeleteGateway { id } => {
                self.delete_gateway(id).await?;
                Ok(None)
            }
            Call::Associate {
                gateway,
                target,
                allowed,
            } => {
                let gateway = self.gateway_id(gateway)?;
                let made = self.associate(&gateway, target, allowed, refusal).await?;
                Ok(Some(made.id))
            }
            Call::ChangeAssociation {
                id,
                gateway_id,
                before,
                add,
                remove,
            } => {
                let change = Change {
                    id,
                    gateway_id,
                    before,
                    add,
                    remove,
                };
                self.change_association(&change).await?;
                Ok(None)
            }
            Call::Disassociate { id, gateway_id } => {
                self.disassociate(id, gateway_id).await?;
                Ok(None)
            }
            Call::CreateVif { new, key, gateway } => {
                let id = self
                    .create_vif(new, key, gateway.as_deref(), refusal)
                    .await?;
                self.made.vifs.insert(step.name.clone(), id.clone());
                Ok(Some(id))
            }
            Call::DeleteVif { id } => {
                self.delete_vif(id).await?;
                self.vif_deleted(id).await?;
                Ok(None)
            }
            Call::AwaitDeleted { id } => {
                self.vif_deleted(id).await?;
                Ok(None)
            }
            Call::CreatePeer { vif, peer, key } => {
                self.create_peer(vif, peer, key, refusal).await?;
                Ok(None)
            }
            Call::DeletePeer { vif_id, id, family } => {
                session::delete(self.aws, vif_id, id).await?;
                session::gone(self.aws, vif_id, *family, self.limit).await?;
                Ok(None)
            }
            Call::ReplaceSession {
                vif,
                replacement,
                key,
            } => {
                self.replace_session(vif, replacement, key).await?;
                Ok(None)
            }
            Call::UpdateVif { id, update, before } => {
                self.update_vif(id, update, before).await?;
                Ok(None)
            }
            Call::AssociateKey { carrier, secret } => {
                self.associate_key(carrier, secret).await?;
                Ok(None)
            }
            Call::DisassociateKey { carrier, secret } => {
                self.disassociate_key(carrier, secret).await?;
                Ok(None)
            }
            Call::Tag { arn, tags } => {
                self.aws.tag(arn, tags).await?;
                Ok(None)
            }
            Call::Untag { arn, keys } => {
                self.aws.untag(arn, keys).await?;
                Ok(None)
            }
        }
    }

    fn gateway_id(&self, name: &str) -> Result<String, Refused> {
        let id = self.made.gateways.get(name).cloned();
        id.ok_or_else(|| Refused::new(format!("gateway {name:?} was not made")))
    }

    /// Names need not be unique at AWS: one that appeared since the plan was made
    /// is another's.
    async fn create_gateway(&self, new: &NewGateway, refusal: Refusal) -> anyhow::Result<String> {
        if let Some(there) = self.gateway_named(new).await? {
            return Err(meanwhile(&format!("gateway {:?} ({})", new.name, there.id)).into());
        }
        let made = once(
            async || self.aws.create_gateway(new).await,
            async || self.gateway_named(new).await,
            PAUSES,
            refusal,
        );
        Ok(made.await?.id)
    }

    async fn gateway_named(&self, new: &NewGateway) -> Result<Option<DxGateway>, AwsError> {
        let all = self.aws.gateways().await?;
        let mut live = all.into_iter().filter(|gateway| !gateway.is_gone());
        Ok(live.find(|gateway| gateway.name == new.name))
    }

    async fn delete_gateway(&self, id: &str) -> anyhow::Result<()> {
        let gone = async || {
            let all = self.aws.gateways().await?;
            let live = all
                .iter()
                .any(|gateway| gateway.id == id && !gateway.is_gone());
            Ok((!live).then_some(()))
        };
        let ask = async || self.aws.delete_gateway(id).await.map(|_| ());
        once(ask, gone, PAUSES, Refusal::MayBeOurs).await?;
        Ok(())
    }

    async fn associate(
        &self,
        gateway: &str,
        target: &str,
        allowed: &[IpNet],
        refusal: Refusal,
    ) -> anyhow::Result<Association> {
        let look = async || {
            let all = self.aws.associations(gateway).await?;
            let live = all.into_iter().filter(|one| !one.is_gone());
            Ok(live.into_iter().find(|one| one.target == target))
        };
        let ask = async || self.aws.associate(gateway, target, allowed).await;
        Ok(once(ask, look, PAUSES, refusal).await?)
    }

    async fn association(&self, gateway: &str, id: &str) -> Result<Option<Association>, AwsError> {
        let all = self.aws.associations(gateway).await?;
        Ok(all.into_iter().find(|one| one.id == id && !one.is_gone()))
    }

    async fn change_association(&self, change: &Change<'_>) -> anyhow::Result<()> {
        let Some(now) = self.association(change.gateway_id, change.id).await? else {
            return Err(meanwhile(&format!("the association {}", change.id)).into());
        };
        if change.is_made(&now.allowed) {
            return Ok(());
        }
        if !same(&now.allowed, change.before) {
            return Err(meanwhile(&format!("the association {}", change.id)).into());
        }
        let ask = async || {
            let changed = self
                .aws
                .update_association(change.id, change.add, change.remove)
                .await;
            changed.map(|_| ())
        };
        let look = async || {
            let now = self.association(change.gateway_id, change.id).await?;
            Ok(now.filter(|now| change.is_made(&now.allowed)).map(|_| ()))
        };
        once(ask, look, PAUSES, Refusal::MayBeOurs).await?;
        Ok(())
    }

    async fn disassociate(&self, id: &str, gateway: &str) -> anyhow::Result<()> {
        let gone = async || {
            let there = self.association(gateway, id).await?;
            Ok(there.is_none().then_some(()))
        };
        let ask = async || self.aws.disassociate(id).await.map(|_| ());
        once(ask, gone, PAUSES, Refusal::MayBeOurs).await?;
        self.association_gone(gateway, id).await
    }

    async fn create_vif(
        &self,
        new: &NewVif,
        source: &KeySource,
        gateway: Option<&str>,
        refusal: Refusal,
    ) -> anyhow::Result<String> {
        let mut new = new.clone();
        if let Some(name) = gateway {
            new.gateway = Some(Gateway::DirectConnect(self.gateway_id(name)?));
        }
        new.peer.key = keys::key(source, self.aws).await?;
        let look = async || {
            let filter = Filter::Carrier(&new.carrier);
            let all = self.aws.virtual_interfaces(filter).await?;
            let same = |vif: &VirtualInterface| {
                let live = !vif.is_gone() && vif.state != "deleting";
                vif.vlan == Some(new.vlan) && vif.name == new.name && live
            };
            Ok(all.into_iter().find(same))
        };
        let made = once(async || self.aws.create(&new).await, look, PAUSES, refusal).await?;
        Ok(made.id)
    }

    async fn delete_vif(&self, id: &str) -> anyhow::Result<()> {
        let gone = async || {
            let there = self.vif(id).await?;
            Ok((there.is_gone() || there.state == "deleting").then_some(()))
        };
        let ask = async || self.aws.delete(id).await.map(|_| ());
        once(ask, gone, PAUSES, Refusal::MayBeOurs).await?;
        Ok(())
    }

    async fn create_peer(
        &self,
        vif: &str,
        peer: &NewPeer,
        source: &KeySource,
        refusal: Refusal,
    ) -> anyhow::Result<()> {
        let id = self.made.vifs.get(vif).cloned();
        let id = id.ok_or_else(|| Refused::new(format!("vif {vif:?} was not made")))?;
        let mut peer = peer.clone();
        peer.key = keys::key(source, self.aws).await?;
        session::create(self.aws, &id, &peer, refusal).await?;
        Ok(())
    }

    async fn replace_session(
        &mut self,
        vif: &str,
        replacement: &Replacement,
        source: &KeySource,
    ) -> anyhow::Result<()> {
        let key = keys::key(source, self.aws).await?;
        let ours = self.our_end(vif, replacement);
        let lock = ours
            .as_ref()
            .map(|ours| ours.lock(self.limit))
            .transpose()?;
        if let Some(ours) = &ours {
            let mark = ours.mark().await;
            self.made.restarted.push((ours.clone(), mark));
        }
        let hand_over = async || {
            if let (Some(ours), Some(key)) = (&ours, &key) {
                ours.take(key).await?;
            }
            Ok(())
        };
        replace(replacement, self.aws, key.clone(), self.limit, hand_over).await?;
        drop(lock);
        Ok(())
    }

    /// bgpd's, where it runs here and has the session already.
    fn our_end(&self, vif: &str, replacement: &Replacement) -> Option<OurEnd> {
        let site = self.wanted.site;
        let vif = site.vifs.iter().find(|one| one.name == vif)?;
        let mut routers = site.routers.iter();
        let router = routers.find(|one| vif.router.as_ref() == Some(&one.name))?;
        let Platform::Bgpd {
            directory, control, ..
        } = &router.platform
        else {
            return None;
        };
        let socket = control.as_ref().unwrap_or(&self.socket);
        match OurEnd::find(directory, replacement.far_end?, socket) {
            Ok(ours) => Some(ours),
            Err(error) => {
                note(format_args!(
                    "note: bgpd gets the key of {} last: {error:#}",
                    vif.name
                ));
                None
            }
        }
    }

    async fn update_vif(
        &self,
        id: &str,
        update: &VifUpdate,
        before: &VifUpdate,
    ) -> anyhow::Result<()> {
        let now = self.vif(id).await?;
        if is_made(update, &now) {
            return Ok(());
        }
        let as_planned = VifUpdate {
            name: Some(now.name.clone()),
            mtu: now.mtu,
            features: now.features.clone(),
        };
        if as_planned != *before {
            return Err(meanwhile(&format!("virtual interface {id}")).into());
        }
        let look = async || {
            let now = self.vif(id).await?;
            Ok(is_made(update, &now).then_some(()))
        };
        let ask = async || self.aws.update(id, update).await.map(|_| ());
        once(ask, look, PAUSES, Refusal::MayBeOurs).await?;
        Ok(())
    }

    pub(super) async fn vif(&self, id: &str) -> Result<VirtualInterface, AwsError> {
        session::vif(self.aws, id).await
    }
}

/// Allowed prefixes that change.
struct Change<'a> {
    id: &'a str,
    gateway_id: &'a str,
    before: &'a [IpNet],
    add: &'a [IpNet],
    remove: &'a [IpNet],
}

impl Change<'_> {
    fn is_made(&self, allowed: &[IpNet]) -> bool {
        self.add.iter().all(|net| allowed.contains(net))
            && !self.remove.iter().any(|net| allowed.contains(net))
    }
}

fn same(one: &[IpNet], other: &[IpNet]) -> bool {
    one.len() == other.len() && one.iter().all(|net| other.contains(net))
}

fn is_made(update: &VifUpdate, now: &VirtualInterface) -> bool {
    fn is<T: PartialEq>(wanted: Option<&T>, has: Option<&T>) -> bool {
        wanted.is_none() || wanted == has
    }
    let (want, has) = (&update.features, &now.features);
    is(update.name.as_ref(), Some(&now.name))
        && is(update.mtu.as_ref(), now.mtu.as_ref())
        && is(want.site_link.as_ref(), has.site_link.as_ref())
        && is(want.rate_limit.as_ref(), has.rate_limit.as_ref())
        && is(
            want.prefix_pool_ipv4.as_ref(),
            has.prefix_pool_ipv4.as_ref(),
        )
        && is(
            want.prefix_pool_ipv6.as_ref(),
            has.prefix_pool_ipv6.as_ref(),
        )
}

/// Somebody else is at work.
fn meanwhile(what: &str) -> Refused {
    Refused::new(format!(
        "{what} was changed by another program since the plan was made: stopped here; look at it, then run dxctl plan again"
    ))
}
