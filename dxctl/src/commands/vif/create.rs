//! `dxctl vif create`

use std::time::Duration;

use bgp_core::config::VifKind;
use bgp_core::{Family, VlanId};

use super::super::vlan::find_carrier;
use super::super::{addresses_in_use, asns_in_use};
use super::key::{self, Key};
use super::{present, wait};
use crate::aws::{
    AwsError, Carrier, DirectConnect, Filter, Gateway, NewPeer, NewVif, Outcome, PeerAddresses,
    VirtualInterface,
};
use crate::cli::{Addresses, Auto, Global, Goal, VifCreateArgs};
use crate::output::note;
use crate::pick::{self, AsnRange, Picked};
use crate::rules::{self, Surroundings};
use crate::{Refused, Verdict};

pub(super) async fn run(args: VifCreateArgs, global: &Global) -> anyhow::Result<Verdict> {
    let aws = global.aws().await?;
    let wanted = plan(&aws, &args).await?;
    let key = key::prepare(&args.key)?;
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
    let created = settle(create_once(&aws, &new, PAUSES).await, &key)?;
    note(format_args!("created {}: {}", created.id, created.state));
    let shown = match args.wait {
        Some(limit) => wait::until(&aws, &created.id, Goal::Provisioned, limit).await?,
        None => created,
    };
    present(&shown, global)
}

/// A key file stays if AWS may have the key.
pub(super) fn settle(
    created: Result<VirtualInterface, AwsError>,
    key: &Key,
) -> Result<VirtualInterface, AwsError> {
    match &created {
        Ok(_) => key.keep(),
        Err(error) if error.outcome == Outcome::Unknown => key.keep(),
        Err(_) => key.discard(),
    }
    created
}

/// What to ask for, with everything picked and checked; no key yet.
async fn plan(aws: &impl DirectConnect, args: &VifCreateArgs) -> anyhow::Result<NewVif> {
    let carrier = find_carrier(aws, &args.connection).await?;
    let everything = aws.virtual_interfaces(Filter::All).await?;
    let vifs: Vec<VirtualInterface> = everything
        .iter()
        .filter(|vif| vif.carrier == carrier.id)
        .cloned()
        .collect();
    let asn = match args.asn {
        Auto::Value(asn) => asn,
        Auto::Auto => {
            let used = asns_in_use(aws, &everything).await?;
            chosen("AS", pick::asn(AsnRange::TwoOctets, &used, None)?)
        }
    };
    let new = NewVif {
        carrier: carrier.id.clone(),
        name: args.name.clone(),
        kind: args.kind,
        vlan: vlan(args.vlan, &carrier, &vifs)?,
        mtu: args.mtu,
        peer: NewPeer {
            asn,
            family: args.family,
            addresses: addresses(args.addresses, args.kind, args.family, &everything)?,
            key: None,
        },
        gateway: args.gateway.as_deref().map(Gateway::from_id),
        route_filter_prefixes: args.route_filter_prefix.clone(),
        tags: args.tags.clone(),
    };
    let gateways = match new.gateway {
        Some(Gateway::DirectConnect(_)) => aws.gateways().await?,
        _ => Vec::new(),
    };
    let found = rules::check(
        &new,
        Surroundings {
            carrier: &carrier,
            vifs: &vifs,
            gateways: &gateways,
        },
    );
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
        mistakes => Err(Refused::new(format!(
            "{what}:\n  {}",
            mistakes.join("\n  ")
        ))),
    }
}

fn vlan(
    wanted: Auto<VlanId>,
    carrier: &Carrier,
    vifs: &[VirtualInterface],
) -> Result<VlanId, Refused> {
    const FIRST: VlanId = VlanId::new(1).expect("invariant: 1 is a VLAN");
    match wanted {
        Auto::Value(vlan) => Ok(vlan),
        Auto::Auto => Ok(chosen("VLAN", pick::vlan(carrier, vifs, FIRST)?)),
    }
}

pub(super) fn addresses(
    wanted: Addresses,
    kind: VifKind,
    family: Family,
    everything: &[VirtualInterface],
) -> Result<Option<PeerAddresses>, Refused> {
    match wanted {
        Addresses::Pair(pair) => Ok(Some(pair)),
        Addresses::Aws => Ok(None),
        // AWS assigns IPv6, and what is public the operator owns.
        Addresses::Auto if family == Family::Ipv6 || kind == VifKind::Public => Ok(None),
        Addresses::Auto => {
            let pool = pick::link_local_pool();
            let picked = pick::address_pair(pool, 30, &addresses_in_use(everything))?;
            Ok(Some(chosen("addresses", picked)))
        }
    }
}

fn chosen<T: std::fmt::Display>(what: &str, picked: Picked<T>) -> T {
    note(format_args!("{what} {}: {}", picked.value, picked.reason));
    picked.value
}

/// How long to wait before looking whether a call without an answer was done.
const PAUSES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(8),
];

/// Creates it once, though the API has no client token: after a call whose
/// outcome is unknown, the VLAN on the connection tells whether it was done.
async fn create_once(
    aws: &impl DirectConnect,
    new: &NewVif,
    pauses: [Duration; 3],
) -> Result<VirtualInterface, AwsError> {
    let mut pauses = pauses.into_iter();
    loop {
        let error = match aws.create(new).await {
            Ok(vif) => return Ok(vif),
            Err(error) => error,
        };
        let Some(pause) = pauses.next().filter(|_| error.outcome != Outcome::Refused) else {
            return Err(error);
        };
        match error.outcome {
            Outcome::Refused | Outcome::NotDone => return Err(error),
            Outcome::Throttled => {
                note(format_args!(
                    "AWS limits the rate of calls: trying again in {} s",
                    pause.as_secs()
                ));
                tokio::time::sleep(pause).await;
            }
            Outcome::Unknown => {
                note(format_args!(
                    "no clear answer ({}): looking whether it was created …",
                    error.cause()
                ));
                tokio::time::sleep(pause).await;
                if let Some(vif) = made(aws, new).await? {
                    note(format_args!("it was: {}", vif.id));
                    return Ok(vif);
                }
                note("it was not: trying again");
            }
        }
    }
}

/// The interface that was asked for, if it is there.
async fn made(
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::{Cell, RefCell};

    use bgp_core::Asn;

    use super::*;
    use crate::aws::DxGateway;
    use crate::aws::tests::vif;

    /// An AWS whose create calls end as the script says.
    #[derive(Default)]
    struct Scripted {
        creates: RefCell<Vec<Result<(), Outcome>>>,
        /// A call of unknown outcome was done all the same.
        done: Cell<bool>,
        calls: Cell<usize>,
    }

    impl DirectConnect for Scripted {
        async fn virtual_interfaces(
            &self,
            _: Filter<'_>,
        ) -> Result<Vec<VirtualInterface>, AwsError> {
            let other = vif("prod", 101, "deleted");
            let ours = self.done.get().then(|| vif("prod", 101, "pending"));
            Ok(std::iter::once(other).chain(ours).collect())
        }

        async fn carrier(&self, _: &str) -> Result<Option<Carrier>, AwsError> {
            Ok(None)
        }

        async fn gateways(&self) -> Result<Vec<DxGateway>, AwsError> {
            Ok(Vec::new())
        }

        async fn create(&self, _: &NewVif) -> Result<VirtualInterface, AwsError> {
            self.calls.set(self.calls.get() + 1);
            match self.creates.borrow_mut().remove(0) {
                Ok(()) => Ok(vif("prod", 101, "pending")),
                Err(outcome) => Err(AwsError::with_outcome(outcome)),
            }
        }

        async fn create_peer(&self, _: &str, _: &NewPeer) -> Result<VirtualInterface, AwsError> {
            Err(AwsError::with_outcome(Outcome::Refused))
        }

        async fn router_configuration(
            &self,
            _: &str,
            _: &str,
        ) -> Result<zeroize::Zeroizing<String>, AwsError> {
            Ok(String::new().into())
        }

        async fn delete(&self, _: &str) -> Result<String, AwsError> {
            Ok("deleting".into())
        }
    }

    fn new() -> NewVif {
        NewVif {
            carrier: "dxcon-1".into(),
            name: "prod".into(),
            kind: VifKind::Private,
            vlan: VlanId::new(101).unwrap(),
            mtu: None,
            peer: NewPeer {
                asn: Asn(65010),
                family: Family::Ipv4,
                addresses: None,
                key: None,
            },
            gateway: None,
            route_filter_prefixes: Vec::new(),
            tags: Vec::new(),
        }
    }

    fn outcome(aws: &Scripted) -> Result<String, Outcome> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let created = runtime.block_on(create_once(aws, &new(), [Duration::ZERO; 3]));
        created.map(|vif| vif.id).map_err(|error| error.outcome)
    }

    fn scripted(creates: Vec<Result<(), Outcome>>) -> Scripted {
        Scripted {
            creates: RefCell::new(creates),
            ..Scripted::default()
        }
    }

    #[test]
    fn a_refusal_is_final() {
        let aws = scripted(vec![Err(Outcome::Refused)]);
        assert_eq!(outcome(&aws), Err(Outcome::Refused));
        assert_eq!(aws.calls.get(), 1);
    }

    #[test]
    fn a_lost_answer_is_looked_up_and_not_asked_again() {
        let aws = scripted(vec![Err(Outcome::Unknown)]);
        aws.done.set(true);
        assert_eq!(outcome(&aws), Ok("dxvif-prod".into()));
        assert_eq!(aws.calls.get(), 1);
    }

    #[test]
    fn what_was_not_done_is_asked_again() {
        let aws = scripted(vec![Err(Outcome::Unknown), Err(Outcome::Throttled), Ok(())]);
        assert_eq!(outcome(&aws), Ok("dxvif-prod".into()));
        assert_eq!(aws.calls.get(), 3);
    }

    #[test]
    fn asking_again_ends() {
        let aws = scripted(vec![Err(Outcome::Unknown); 5]);
        assert_eq!(outcome(&aws), Err(Outcome::Unknown));
        assert_eq!(aws.calls.get(), 4);
    }
}
