//! The one way to change a session's key or addresses, for `apply` and for
//! `vif rotate-key`. Each call is made once; a run that was killed at any of them
//! is gone on with from what AWS has then.

use std::time::Duration;

use bgp_core::config::AuthKey;

use super::session;
use crate::Refused;
use crate::aws::{DirectConnect, NewPeer, Refusal};
use crate::output::note;
use crate::plan::Replacement;

/// The session is down from the deletion on: our end has the new key before AWS's
/// end is there again, so that nothing waits for it then.
pub(crate) async fn replace(
    replacement: &Replacement,
    aws: &impl DirectConnect,
    key: Option<AuthKey>,
    limit: Duration,
    hand_over: impl AsyncFnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let Replacement { vif, family, .. } = replacement;
    let there = session::vif(aws, vif).await?;
    if there.is_gone() {
        return Err(Refused::new(format!("{vif} is {}", there.state)).into());
    }
    let peer = there.peer(*family);
    if peer.is_some_and(|peer| peer.id.as_deref() == Some(&replacement.old_peer)) {
        begin_stand_in(replacement, aws, limit).await?;
        note(format_args!(
            "deleting AWS's end of {vif}'s {family} session …"
        ));
        session::delete(aws, vif, &replacement.old_peer).await?;
    }
    let is_made = session::vif(aws, vif).await?.peer(*family).is_some();
    if !is_made {
        session::gone(aws, vif, *family, limit).await?;
    }
    hand_over().await?;
    if !is_made {
        let peer = NewPeer {
            asn: replacement.asn,
            family: *family,
            addresses: replacement.addresses,
            key,
        };
        note("making it anew …");
        session::create(aws, vif, &peer, Refusal::MayBeOurs).await?;
    }
    session::available(aws, vif, *family, limit).await?;
    end_stand_in(replacement, aws, limit).await
}

async fn begin_stand_in(
    replacement: &Replacement,
    aws: &impl DirectConnect,
    limit: Duration,
) -> anyhow::Result<()> {
    if !replacement.stand_in {
        return Ok(());
    }
    let family = replacement.other_family();
    let there = session::vif(aws, &replacement.vif).await?;
    if there.peer(family).is_none() {
        let peer = NewPeer {
            asn: replacement.asn,
            family,
            addresses: None,
            key: None,
        };
        session::create(aws, &replacement.vif, &peer, Refusal::MayBeOurs).await?;
    }
    session::available(aws, &replacement.vif, family, limit).await
}

async fn end_stand_in(
    replacement: &Replacement,
    aws: &impl DirectConnect,
    limit: Duration,
) -> anyhow::Result<()> {
    if !replacement.stand_in {
        return Ok(());
    }
    let family = replacement.other_family();
    let there = session::vif(aws, &replacement.vif).await?;
    if let Some(id) = there.peer(family).and_then(|peer| peer.id.clone()) {
        session::delete(aws, &replacement.vif, &id).await?;
    }
    session::gone(aws, &replacement.vif, family, limit).await
}
