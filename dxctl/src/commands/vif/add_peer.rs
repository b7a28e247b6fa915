//! `dxctl vif add-peer`

use super::super::find_vif;
use super::super::view::known_kind;
use super::create::{addresses, refuse_mistakes, settle};
use super::{key, present};
use crate::aws::{DirectConnect, Filter, NewPeer, VirtualInterface};
use crate::cli::{Global, VifAddPeerArgs};
use crate::output::note;
use crate::rules::{self, Findings};
use crate::{Refused, Verdict};

pub(super) async fn run(args: VifAddPeerArgs, global: &Global) -> anyhow::Result<Verdict> {
    let aws = global.aws().await?;
    let vif = find_vif(&aws, &args.vif).await?;
    let kind = known_kind(&vif)?;
    if vif.peer(args.family).is_some() {
        return Err(Refused::new(format!(
            "{} ({}) has an {} session already: AWS takes one per family",
            vif.id, vif.name, args.family
        ))
        .into());
    }
    let Some(asn) = vif.asn else {
        return Err(Refused::new(format!(
            "{} ({}) has no AS number of ours",
            vif.id, vif.name
        ))
        .into());
    };
    let everything = aws.virtual_interfaces(Filter::All).await?;
    let peer = NewPeer {
        asn,
        family: args.family,
        addresses: addresses(
            args.addresses,
            kind,
            args.family,
            &everything,
            args.explain.detail(),
        )?,
        key: None,
    };
    let neighbors: Vec<VirtualInterface> = everything
        .into_iter()
        .filter(|other| other.carrier == vif.carrier)
        .collect();
    let mut found = Findings::default();
    rules::check_addresses(kind, &peer, &neighbors, &mut found);
    refuse_mistakes("this session can't be created", found)?;
    key::explain(&args.key, args.explain.detail());
    let key = key::prepare(&args.key, &aws).await?;
    let peer = NewPeer {
        key: key.key.clone(),
        ..peer
    };
    let changed = settle(aws.create_peer(&vif.id, &peer).await, &key)?;
    note(format_args!(
        "added the {} session to {}",
        args.family, vif.id
    ));
    present(&changed, global)
}
