//! The one way to change a session's key or addresses, for `apply` and for
//! `vif rotate-key`. Each call is made once; a run that was killed at any of them
//! is gone on with from what AWS has then.

use std::time::Duration;

use bgp_core::Family;
use bgp_core::config::AuthKey;

use super::session;
use crate::Refused;
use crate::aws::{DirectConnect, NewPeer, PeerKey, Refusal};
use crate::output::note;
use crate::plan::Replacement;

/// Two changes of one session at once, from two hosts perhaps: there is nothing at AWS
/// to lock.
#[derive(Debug, thiserror::Error)]
#[error(
    "AWS's end of {vif}'s {family} session has another key than this run gave it: another program changed it at the same time. Run this again when that has ended"
)]
pub(crate) struct Overtaken {
    vif: String,
    family: Family,
}

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
    if is_made {
        has_key(replacement, aws, key.as_ref(), limit).await?;
    } else {
        session::gone(aws, vif, *family, limit).await?;
    }
    hand_over().await?;
    if !is_made {
        let peer = NewPeer {
            asn: replacement.asn,
            family: *family,
            addresses: replacement.addresses,
            key: key.clone(),
        };
        note("making it anew …");
        session::create(aws, vif, &peer, Refusal::MayBeOurs).await?;
    }
    session::available(aws, vif, *family, limit).await?;
    has_key(replacement, aws, key.as_ref(), limit).await?;
    end_stand_in(replacement, aws, limit).await
}

/// Where AWS doesn't show the key, it is taken for ours.
async fn has_key(
    replacement: &Replacement,
    aws: &impl DirectConnect,
    key: Option<&AuthKey>,
    limit: Duration,
) -> anyhow::Result<()> {
    let Replacement { vif, family, .. } = replacement;
    let there = session::vif(aws, vif).await?;
    match (there.peer(*family).map(|peer| &peer.key), key) {
        (Some(PeerKey::Known(has)), Some(key)) if has != key => {}
        _ => return Ok(()),
    }
    end_stand_in(replacement, aws, limit).await?;
    Err(Overtaken {
        vif: vif.clone(),
        family: *family,
    }
    .into())
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
