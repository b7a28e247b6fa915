//! `dxctl vif allocate` and `dxctl vif confirm`: an interface for another account.

use bgp_core::config::{AuthKey, VifKind};
use serde_json::{Value, json};

use super::super::api::Call;
use super::super::find_vif;
use super::super::hosted::{prefixes, tags, without_nulls};
use super::super::view::known_kind;
use super::create::{Attached, made, plan, settle};
use super::{key, present};
use crate::apply::session;
use crate::aws::{Gateway, NewVif, PAUSES, Refusal, kind_name, once};
use crate::cli::{Global, VifAllocateArgs, VifConfirmArgs};
use crate::output::note;
use crate::{Refused, Verdict};

pub(super) async fn allocate(args: VifAllocateArgs, global: &Global) -> anyhow::Result<Verdict> {
    if args.vif.gateway.is_some() {
        return Err(Refused::new(
            "--gateway: the account that confirms the interface says where it leads (dxctl vif confirm --gateway)",
        )
        .into());
    }
    if args.vif.wait.is_some() {
        return Err(Refused::new(
            "--wait: nothing is provisioned before the other account confirms",
        )
        .into());
    }
    let aws = global.aws().await?;
    let mut new = plan(&aws, &args.vif, Attached::OnConfirmation).await?;
    key::explain(&args.vif.key, args.vif.explain.detail());
    let key = key::prepare(&args.vif.key, &aws).await?;
    new.peer.key.clone_from(&key.key);
    let call = Call {
        operation: allocation(new.kind),
        input: request(&new, &args.to_account),
    };
    call.check()?;
    note(format_args!(
        "allocating the {} virtual interface {} on {}, VLAN {}, to {} …",
        kind_name(new.kind),
        new.name,
        new.carrier,
        new.vlan,
        args.to_account
    ));
    let look = async || made(&aws, &new).await;
    let ask = async || {
        aws.any(call.operation, &call.input).await?;
        look().await
    };
    let there = once(
        ask,
        async || Ok(look().await?.map(Some)),
        PAUSES,
        Refusal::Final,
    )
    .await;
    let Some(there) = settle(there, &key)? else {
        return Err(Refused::new(format!(
            "AWS has made {}, and doesn't list it yet: look with dxctl vif list",
            new.name
        ))
        .into());
    };
    note(format_args!(
        "{} is {}: account {} confirms it with dxctl vif confirm {}",
        there.id, there.state, args.to_account, there.id
    ));
    present(&there, global)
}

pub(super) async fn confirm(args: VifConfirmArgs, global: &Global) -> anyhow::Result<Verdict> {
    let aws = global.aws().await?;
    let vif = find_vif(&aws, &args.vif).await?;
    let kind = known_kind(&vif)?;
    if vif.state != "confirming" {
        return Err(Refused::new(format!(
            "{} ({}) is {}: there is nothing to confirm",
            vif.id, vif.name, vif.state
        ))
        .into());
    }
    let gateway = args.gateway.as_deref().map(Gateway::from_id);
    let (own, direct) = match (kind, gateway) {
        (VifKind::Public, None) => (None, None),
        (VifKind::Private, Some(Gateway::Virtual(id))) => (Some(id), None),
        (VifKind::Private | VifKind::Transit, Some(Gateway::DirectConnect(id))) => (None, Some(id)),
        (VifKind::Public, Some(_)) => {
            return Err(Refused::new(
                "a public interface leads to no gateway: leave --gateway away",
            )
            .into());
        }
        (VifKind::Private, None) => {
            return Err(Refused::new(
                "say where it leads: --gateway vgw-… or a Direct Connect gateway's UUID",
            )
            .into());
        }
        (VifKind::Transit, _) => {
            return Err(Refused::new(
                "a transit interface leads to a Direct Connect gateway: --gateway UUID",
            )
            .into());
        }
    };
    let call = Call {
        operation: confirmation(kind),
        input: without_nulls(
            json!({ "virtualInterfaceId": vif.id, "virtualGatewayId": own, "directConnectGatewayId": direct }),
        ),
    };
    call.check()?;
    let look = async || {
        let now = session::vif(&aws, &vif.id).await?;
        Ok((now.state != "confirming").then_some(()))
    };
    let ask = async || aws.any(call.operation, &call.input).await.map(|_| ());
    once(ask, look, PAUSES, Refusal::Final).await?;
    let now = session::vif(&aws, &vif.id).await?;
    note(format_args!("confirmed {}: {}", now.id, now.state));
    present(&now, global)
}

fn allocation(kind: VifKind) -> &'static str {
    match kind {
        VifKind::Private => "AllocatePrivateVirtualInterface",
        VifKind::Public => "AllocatePublicVirtualInterface",
        VifKind::Transit => "AllocateTransitVirtualInterface",
    }
}

fn confirmation(kind: VifKind) -> &'static str {
    match kind {
        VifKind::Private => "ConfirmPrivateVirtualInterface",
        VifKind::Public => "ConfirmPublicVirtualInterface",
        VifKind::Transit => "ConfirmTransitVirtualInterface",
    }
}

/// Holds the key.
fn request(new: &NewVif, account: &str) -> Value {
    let member = match new.kind {
        VifKind::Private => "newPrivateVirtualInterfaceAllocation",
        VifKind::Public => "newPublicVirtualInterfaceAllocation",
        VifKind::Transit => "newTransitVirtualInterfaceAllocation",
    };
    let peer = &new.peer;
    let allocation = without_nulls(json!({
        "virtualInterfaceName": new.name,
        "vlan": new.vlan.id(),
        // `asnLong` alone: with `asn` beside it the API refuses.
        "asnLong": peer.asn.0,
        "mtu": new.mtu,
        "authKey": peer.key.as_ref().map(AuthKey::expose),
        "addressFamily": peer.family.to_string(),
        "amazonAddress": peer.addresses.map(|pair| pair.amazon),
        "customerAddress": peer.addresses.map(|pair| pair.customer),
        "routeFilterPrefixes": prefixes(&new.route_filter_prefixes),
        "tags": tags(&new.tags),
    }));
    json!({ "connectionId": new.carrier, "ownerAccount": account, member: allocation })
}
