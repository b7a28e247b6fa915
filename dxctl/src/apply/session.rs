//! The BGP sessions of a virtual interface: made and deleted once each, and waited
//! for.

use std::time::Duration;

use bgp_core::Family;

use crate::aws::{
    AwsError, DirectConnect, Filter, NewPeer, PAUSES, Refusal, VirtualInterface, once,
};
use crate::wait::{Judgement, while_cut};

/// A deleted interface that AWS lists no more is deleted.
pub(crate) async fn vif(aws: &impl DirectConnect, id: &str) -> Result<VirtualInterface, AwsError> {
    let found = aws.virtual_interfaces(Filter::Id(id)).await?;
    let there = found.into_iter().find(|vif| vif.id == id);
    Ok(there.unwrap_or_else(|| VirtualInterface::unlisted(id)))
}

pub(crate) async fn create(
    aws: &impl DirectConnect,
    id: &str,
    peer: &NewPeer,
    refusal: Refusal,
) -> Result<(), AwsError> {
    let look = async || Ok(vif(aws, id).await?.peer(peer.family).map(|_| ()));
    let ask = async || aws.create_peer(id, peer).await.map(|_| ());
    once(ask, look, PAUSES, refusal).await
}

pub(crate) async fn delete(aws: &impl DirectConnect, id: &str, peer: &str) -> Result<(), AwsError> {
    let gone = async || {
        let there = vif(aws, id).await?;
        let mut live = there.peers.iter().filter(|one| !one.is_gone());
        Ok((!live.any(|one| one.id.as_deref() == Some(peer))).then_some(()))
    };
    let ask = async || aws.delete_peer(id, peer).await.map(|_| ());
    once(ask, gone, PAUSES, Refusal::MayBeOurs).await
}

/// Until another one of the family can be made.
pub(crate) async fn gone(
    aws: &impl DirectConnect,
    id: &str,
    family: Family,
    limit: Duration,
) -> anyhow::Result<()> {
    let look = async || {
        let there = vif(aws, id).await?;
        let old = there
            .peers
            .iter()
            .find(|peer| peer.family == family && peer.state.as_deref() != Some("deleted"));
        let judged = match old {
            None => Judgement::Met(()),
            Some(_) => Judgement::NotYet,
        };
        Ok((format!("its {family} session is being deleted"), judged))
    };
    while_cut(id, "without it", limit, look).await
}

/// Until AWS's end of the session is there.
pub(crate) async fn available(
    aws: &impl DirectConnect,
    id: &str,
    family: Family,
    limit: Duration,
) -> anyhow::Result<()> {
    let look = async || {
        let there = vif(aws, id).await?;
        let state = there.peer(family).and_then(|peer| peer.state.clone());
        let state = state.unwrap_or_else(|| "not there".to_owned());
        let judged = match state.as_str() {
            "available" => Judgement::Met(()),
            _ => Judgement::NotYet,
        };
        Ok((format!("its {family} session is {state}"), judged))
    };
    while_cut(id, "with it", limit, look).await
}
