//! One file per verb. A command asks, decides with the pure modules, prints.

mod address;
mod api;
mod asn;
mod bgpd_config;
mod check;
mod cost;
mod daemon;
mod drain;
mod events;
mod export;
mod failover;
mod hosted;
mod iam_policy;
mod manual;
mod monitor;
mod per_vif;
mod router_config;
mod routes;
mod site;
mod status;
mod view;
mod vif;
mod vlan;

use bgp_core::{Asn, VlanId};

pub(crate) use check::Threshold;
pub(crate) use vif::provisioned;

use crate::aws::{Client, DirectConnect, Filter, VirtualInterface};
use crate::cli::{AddressCommand, AsnCommand, Cli, Command, Global, VlanCommand};
use crate::control::ControlError;
use crate::output::{Reader, note};
use crate::pick::{AsnUse, Taken};
use crate::{Refused, Verdict, host};

pub(crate) async fn run(cli: Cli) -> anyhow::Result<Verdict> {
    let global = &cli.global;
    match cli.command {
        Command::Validate(args) => site::validate(&args, global),
        Command::Plan(args) => site::plan(args, global).await,
        Command::Apply(args) => site::apply(args, global).await,
        Command::Destroy(args) => site::destroy(args, global).await,
        Command::Import(args) => site::import(args, global).await,
        Command::Asn(AsnCommand::Pick(args)) => asn::pick(args, global).await,
        Command::Vlan(VlanCommand::Pick(args)) => vlan::pick(args, global).await,
        Command::Address(AddressCommand::Pick(args)) => address::pick(args, global).await,
        Command::Vif(command) => vif::run(*command, global).await,
        Command::RouterConfig(args) => router_config::run(*args, global).await,
        Command::BgpdConfig(args) => bgpd_config::run(args, global).await,
        Command::Status(args) => status::run(args, global).await,
        Command::Monitor(args) => monitor::run(args, global).await,
        Command::Events(args) => events::run(args, global).await,
        Command::Check(args) => check::run(args, global).await,
        Command::Drain(args) => drain::drain(args, global).await,
        Command::Undrain(args) => drain::undrain(args, global).await,
        Command::Failover(command) => failover::run(command, global).await,
        Command::Routes(args) => routes::run(args, global).await,
        Command::Connection(command) => hosted::connection(command, global).await,
        Command::Lag(command) => hosted::lag(command, global).await,
        Command::Macsec(command) => hosted::macsec(command, global).await,
        Command::Proposal(command) => hosted::proposal(command, global).await,
        Command::Resiliency(command) => hosted::resiliency(command, global).await,
        Command::Tag(command) => hosted::tag(command, global).await,
        Command::Api(args) => api::run(args, global).await,
        Command::IamPolicy(args) => iam_policy::run(&args),
        Command::Cost(args) => cost::run(args, global).await,
        Command::Export(command) => export::run(command, global).await,
        Command::Completions(args) => manual::completions(&args),
        Command::Man(args) => manual::pages(&args),
    }
}

impl Global {
    fn reader(&self) -> Reader {
        if self.json {
            Reader::Machine
        } else {
            Reader::Person
        }
    }

    async fn aws(&self) -> Result<Client, Refused> {
        Client::connect(&self.access()).await
    }
}

/// A refusal by bgpd (no such peer, no such prefix) is the operator's matter.
fn answered<T>(answer: Result<T, ControlError>) -> anyhow::Result<T> {
    answer.map_err(|error| match error {
        ControlError::Refused(text) => Refused::new(format!("bgpd: {text}")).into(),
        other => other.into(),
    })
}

/// The virtual interface with this identifier or name. Deleted ones don't
/// count unless asked for by identifier.
async fn find_vif(aws: &impl DirectConnect, wanted: &str) -> anyhow::Result<VirtualInterface> {
    if wanted.starts_with("dxvif-") {
        let found = aws.virtual_interfaces(Filter::Id(wanted)).await?;
        return found
            .into_iter()
            .find(|vif| vif.id == wanted)
            .ok_or_else(|| not_found(wanted).into());
    }
    let mut found = aws.virtual_interfaces(Filter::All).await?;
    found.retain(|vif| vif.name == wanted && !vif.is_gone());
    if found.len() > 1 {
        let ids: Vec<&str> = found.iter().map(|vif| vif.id.as_str()).collect();
        return Err(Refused::new(format!(
            "{} virtual interfaces are named {wanted}: give one's identifier ({})",
            ids.len(),
            ids.join(", ")
        ))
        .into());
    }
    found.pop().ok_or_else(|| not_found(wanted).into())
}

fn not_found(wanted: &str) -> Refused {
    Refused::new(format!(
        "no virtual interface {wanted} in this account and Region: see dxctl vif list, and check --region and --profile"
    ))
}

/// AS numbers in use on the account: both ends of virtual interfaces, and
/// Direct Connect gateways.
async fn asns_in_use(
    aws: &impl DirectConnect,
    vifs: &[VirtualInterface],
) -> anyhow::Result<AsnUse> {
    let mut used = AsnUse::default();
    for vif in vifs.iter().filter(|vif| !vif.is_gone()) {
        let name = format!("{} ({})", vif.id, vif.name);
        let ours = vif
            .asn
            .into_iter()
            .chain(vif.peers.iter().filter_map(|peer| peer.asn));
        ours.for_each(|asn| used.add(asn, format!("our side of {name}")));
        vif.amazon_asn
            .into_iter()
            .for_each(|asn| used.add(asn, format!("AWS's side of {name}")));
    }
    for gateway in aws.gateways().await? {
        if let Some(asn) = gateway.amazon_asn.filter(|_| gateway.state != "deleted") {
            used.add(
                asn,
                format!("Direct Connect gateway {} ({})", gateway.id, gateway.name),
            );
        }
    }
    Ok(used)
}

/// Addresses in use by virtual interfaces and by this host.
fn addresses_in_use(vifs: &[VirtualInterface]) -> Vec<Taken> {
    let of_vif = |vif: &VirtualInterface| {
        let name = format!("used by {} ({})", vif.id, vif.name);
        let ends = vif
            .peers
            .iter()
            .flat_map(|peer| [peer.amazon_address, peer.customer_address]);
        ends.flatten()
            .filter_map(|net| Taken::new(net, name.clone()))
            .collect::<Vec<_>>()
    };
    let mut taken: Vec<Taken> = vifs
        .iter()
        .filter(|vif| !vif.is_gone())
        .flat_map(of_vif)
        .collect();
    match host::addresses() {
        Ok(ours) => taken.extend(ours.into_iter().filter_map(|used| {
            Taken::new(used.net, format!("used by this host's {}", used.interface))
        })),
        Err(error) => note(format_args!(
            "note: this host's addresses can't be read ({error}); only AWS's were looked at"
        )),
    }
    taken
}

/// Absent things as people see them.
fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn asn_text(asn: Option<Asn>) -> String {
    or_dash(asn)
}

fn vlan_text(vlan: Option<VlanId>) -> String {
    or_dash(vlan)
}
