//! `dxctl vif create`

use bgp_core::config::VifKind;
use bgp_core::{Family, VlanId};

use super::super::vlan::find_carrier;
use super::super::{addresses_in_use, asns_in_use};
use super::key::{self, Key};
use super::{present, wait};
use crate::aws::{
    AwsError, Carrier, DirectConnect, Features, Filter, Gateway, NewPeer, NewVif, Outcome, PAUSES,
    PeerAddresses, Refusal, VirtualInterface, once,
};
use crate::cli::{Addresses, Auto, Global, Goal, VifCreateArgs};
use crate::output::note;
use crate::pick::{self, AsnRange, Detail, Picked};
use crate::rules::{self, Surroundings};
use crate::{Refused, Verdict};

pub(super) async fn run(args: VifCreateArgs, global: &Global) -> anyhow::Result<Verdict> {
    let aws = global.aws().await?;
    let wanted = plan(&aws, &args, Attached::Now).await?;
    key::explain(&args.key, args.explain.detail());
    let key = key::prepare(&args.key, &aws).await?;
    let new = NewVif {
        peer: NewPeer {
            key: key.key.clone(),
            ..wanted.peer
        },
        ..wanted
    };
    note(format_args!(
        "creating the {} virtual interface {} on {}, VLAN {} …",
        crate::aws::kind_name(new.kind),
        new.name,
        new.carrier,
        new.vlan
    ));
    let created = settle(create_once(&aws, &new).await, &key)?;
    note(format_args!("created {}: {}", created.id, created.state));
    let shown = match args.wait {
        Some(limit) => wait::until(&aws, &created.id, Goal::Provisioned, limit).await?,
        None => created,
    };
    present(&shown, global)
}

/// A key file stays if AWS may have the key.
pub(super) fn settle<T>(created: Result<T, AwsError>, key: &Key) -> Result<T, AwsError> {
    match &created {
        Ok(_) => key.keep(),
        Err(error) if error.outcome == Outcome::Unknown => key.keep(),
        Err(_) => key.discard(),
    }
    created
}

/// When the interface gets its gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attached {
    Now,
    /// By the account that it is allocated to.
    OnConfirmation,
}

/// What to ask for, with everything picked and checked; no key yet.
pub(super) async fn plan(
    aws: &impl DirectConnect,
    args: &VifCreateArgs,
    attached: Attached,
) -> anyhow::Result<NewVif> {
    let carrier = find_carrier(aws, &args.connection).await?;
    let everything = aws.virtual_interfaces(Filter::All).await?;
    let vifs: Vec<VirtualInterface> = everything
        .iter()
        .filter(|vif| vif.carrier == carrier.id)
        .cloned()
        .collect();
    let detail = args.explain.detail();
    let asn = match args.asn {
        Auto::Value(asn) => asn,
        Auto::Auto => {
            let used = asns_in_use(aws, &everything).await?;
            chosen("AS", pick::asn(AsnRange::TwoOctets, &used, None)?, detail)
        }
    };
    let new = NewVif {
        carrier: carrier.id.clone(),
        name: args.name.clone(),
        kind: args.kind,
        vlan: vlan(args.vlan, &carrier, &vifs, detail)?,
        mtu: args.mtu,
        peer: NewPeer {
            asn,
            family: args.family,
            addresses: addresses(args.addresses, args.kind, args.family, &everything, detail)?,
            key: None,
        },
        gateway: args.gateway.as_deref().map(Gateway::from_id),
        route_filter_prefixes: args.route_filter_prefix.clone(),
        features: Features::default(),
        tags: args.tags.clone(),
    };
    let gateways = match new.gateway {
        Some(Gateway::DirectConnect(_)) => aws.gateways().await?,
        _ => Vec::new(),
    };
    let around = Surroundings {
        carrier: &carrier,
        vifs: &vifs,
        gateways: &gateways,
    };
    let found = match attached {
        Attached::Now => rules::check(&new, around),
        Attached::OnConfirmation => rules::check_allocation(&new, around),
    };
    refuse_mistakes("this virtual interface can't be created", found)?;
    Ok(new)
}

/// Tells the doubts; refuses with every mistake at once.
pub(super) fn refuse_mistakes(what: &str, found: rules::Findings) -> Result<(), Refused> {
    found
        .doubts
        .iter()
        .for_each(|doubt| note(format_args!("note: {doubt}")));
    match found.mistakes.as_slice() {
        [] => Ok(()),
        mistakes => Err(Refused::usage(format!(
            "{what}:\n  {}",
            mistakes.join("\n  ")
        ))),
    }
}

fn vlan(
    wanted: Auto<VlanId>,
    carrier: &Carrier,
    vifs: &[VirtualInterface],
    detail: Detail,
) -> Result<VlanId, Refused> {
    const FIRST: VlanId = VlanId::new(1).expect("invariant: 1 is a VLAN");
    match wanted {
        Auto::Value(vlan) => Ok(vlan),
        Auto::Auto => Ok(chosen("VLAN", pick::vlan(carrier, vifs, FIRST)?, detail)),
    }
}

pub(super) fn addresses(
    wanted: Addresses,
    kind: VifKind,
    family: Family,
    everything: &[VirtualInterface],
    detail: Detail,
) -> Result<Option<PeerAddresses>, Refused> {
    match wanted {
        Addresses::Pair(pair) => Ok(Some(pair)),
        Addresses::Aws => Ok(None),
        // AWS assigns IPv6, and what is public the operator owns.
        Addresses::Auto if family == Family::Ipv6 || kind == VifKind::Public => Ok(None),
        Addresses::Auto => {
            let pool = pick::link_local_pool();
            let picked = pick::address_pair(pool, 30, &addresses_in_use(everything))?;
            Ok(Some(chosen("addresses", picked, detail)))
        }
    }
}

fn chosen<T: std::fmt::Display>(what: &'static str, picked: Picked<T>, detail: Detail) -> T {
    note(picked.choice(what).text(detail));
    picked.value
}

/// Creates it once: the VLAN on the connection tells whether a call without a
/// clear answer was done.
async fn create_once(aws: &impl DirectConnect, new: &NewVif) -> Result<VirtualInterface, AwsError> {
    once(
        async || aws.create(new).await,
        async || made(aws, new).await,
        PAUSES,
        Refusal::Final,
    )
    .await
}

/// The interface that was asked for, if it is there.
pub(super) async fn made(
    aws: &impl DirectConnect,
    new: &NewVif,
) -> Result<Option<VirtualInterface>, AwsError> {
    let vifs = aws
        .virtual_interfaces(Filter::Carrier(&new.carrier))
        .await?;
    let same = |vif: &VirtualInterface| {
        vif.vlan == Some(new.vlan) && vif.name == new.name && !vif.is_gone()
    };
    Ok(vifs.into_iter().find(same))
}
