//! The command line, as clap reads it.

mod around;
mod examples;
mod failover;
mod hosted;
mod pick;
mod router_config;
mod site;
mod value;
mod vif;
mod watching;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use bgp_core::{Family, RouterId};
use clap::{Args, Parser, Subcommand};
use ipnet::IpNet;

use crate::aws::Access;

pub(crate) use around::{
    CompletionsArgs, CostArgs, ExportCommand, IamPolicyArgs, ManArgs, TerraformArgs, VerbSet,
};
pub(crate) use failover::{DrainArgs, FailoverArgs, FailoverCommand, UndrainArgs};
pub(crate) use hosted::{
    ApiArgs, ConnectionCommand, EncryptionMode, HostArgs, LagCommand, LagCreateArgs, MacsecCommand,
    ProposalCommand, ResiliencyCommand, TagCommand,
};
pub(crate) use pick::{
    AddressCommand, AddressPickArgs, AsnBits, AsnCommand, AsnPickArgs, Explain, VlanCommand,
    VlanPickArgs,
};
pub(crate) use router_config::{BackupArgs, OfVifArgs, RouterConfigArgs};
pub(crate) use site::{ApplyArgs, Consent, DestroyArgs, ImportArgs, PlanArgs, Run, ValidateArgs};
pub(crate) use value::{Addresses, Auto, PerVif, Preference, account};
pub(crate) use vif::{
    GivenKey, Goal, KeySource, VifAddPeerArgs, VifAllocateArgs, VifCommand, VifConfirmArgs,
    VifCreateArgs, VifDeleteArgs, VifListArgs, VifRotateKeyArgs, VifShowArgs, VifWaitArgs,
};
pub(crate) use watching::{CheckArgs, EventsArgs, MonitorArgs};

/// Create, watch and explain AWS Direct Connect virtual interfaces.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100, after_help = examples::EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// Answer in JSON, on standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Profile of the shared AWS configuration
    #[arg(long, global = true, help_heading = "AWS", value_name = "NAME")]
    profile: Option<String>,
    /// AWS Region
    #[arg(long, global = true, help_heading = "AWS", value_name = "REGION")]
    region: Option<String>,
    /// Where the Direct Connect API is, if not at AWS [env: AWS_ENDPOINT_URL_DIRECT_CONNECT]
    #[arg(long, global = true, help_heading = "AWS", value_name = "URL")]
    endpoint_url: Option<String>,
    /// bgpd's control socket
    #[arg(
        long,
        global = true,
        help_heading = "bgpd",
        value_name = "PATH",
        env = "BGPD_SOCKET",
        hide_env_values = true,
        default_value = "/run/bgpd/bgpd.sock"
    )]
    pub(crate) socket: PathBuf,
}

impl Global {
    pub(crate) fn access(&self) -> Access {
        Access {
            profile: self.profile.clone(),
            region: self.region.clone(),
            endpoint_url: self.endpoint_url.clone(),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say every mistake in a site file
    #[command(after_help = site::VALIDATE_EXAMPLES)]
    Validate(ValidateArgs),
    /// Show what a site file would change at AWS
    #[command(after_help = site::PLAN_EXAMPLES)]
    Plan(PlanArgs),
    /// Make AWS, and our routers' configurations, as a site file says
    #[command(after_help = site::APPLY_EXAMPLES)]
    Apply(ApplyArgs),
    /// Delete what a site file names
    #[command(after_help = site::DESTROY_EXAMPLES)]
    Destroy(DestroyArgs),
    /// Write a site file from what AWS has
    #[command(after_help = site::IMPORT_EXAMPLES)]
    Import(ImportArgs),
    /// Private AS numbers
    #[command(subcommand)]
    Asn(AsnCommand),
    /// VLANs of a connection
    #[command(subcommand)]
    Vlan(VlanCommand),
    /// Addresses of BGP sessions
    #[command(subcommand)]
    Address(AddressCommand),
    /// Virtual interfaces at AWS
    #[command(subcommand)]
    Vif(Box<VifCommand>),
    /// Write a virtual interface for another maker's router
    #[command(after_help = examples::ROUTER_CONFIG_EXAMPLES)]
    RouterConfig(Box<RouterConfigArgs>),
    /// Write bgpd's configuration and key files for virtual interfaces
    #[command(after_help = examples::BGPD_CONFIG_EXAMPLES)]
    BgpdConfig(BgpdConfigArgs),
    /// Both sides, AWS's and bgpd's, and what is wrong
    #[command(after_help = examples::STATUS_EXAMPLES)]
    Status(StatusArgs),
    /// Watch sessions, round-trip times, loss, and which path carries traffic
    #[command(after_help = watching::MONITOR_EXAMPLES)]
    Monitor(MonitorArgs),
    /// What happened: health, BFD, sessions, swaps, each with its evidence
    #[command(after_help = watching::EVENTS_EXAMPLES)]
    Events(EventsArgs),
    /// Paths and sessions as a monitoring plugin (Nagios, Icinga, Sensu)
    #[command(after_help = watching::CHECK_EXAMPLES)]
    Check(CheckArgs),
    /// Move the traffic of a VIF, session or path away, losing none
    #[command(after_help = failover::DRAIN_EXAMPLES)]
    Drain(DrainArgs),
    /// Let it carry traffic again
    #[command(after_help = failover::UNDRAIN_EXAMPLES)]
    Undrain(UndrainArgs),
    /// Prove that the backup takes over: take a VIF down and measure
    #[command(subcommand)]
    Failover(FailoverCommand),
    /// bgpd's routes, and why one is best
    #[command(after_help = examples::ROUTES_EXAMPLES, args_conflicts_with_subcommands = true)]
    Routes(RoutesArgs),
    /// Connections: list, confirm and host them, their letters of authorization
    #[command(subcommand)]
    Connection(ConnectionCommand),
    /// Link aggregation groups
    #[command(subcommand)]
    Lag(LagCommand),
    /// MACsec keys of connections and LAGs
    #[command(subcommand)]
    Macsec(MacsecCommand),
    /// Proposals between accounts: a gateway to a Direct Connect gateway
    #[command(subcommand)]
    Proposal(ProposalCommand),
    /// Resiliency groups of connections
    #[command(subcommand)]
    Resiliency(ResiliencyCommand),
    /// Tags of any Direct Connect resource
    #[command(subcommand)]
    Tag(TagCommand),
    /// Call any operation of Direct Connect's API by its name
    #[command(after_help = hosted::API_EXAMPLES)]
    Api(ApiArgs),
    /// The least privileges that sets of verbs need at AWS, as a policy
    #[command(after_help = around::IAM_POLICY_EXAMPLES)]
    IamPolicy(IamPolicyArgs),
    /// What the ports and the transfer cost a month, and the same over the internet
    #[command(after_help = around::COST_EXAMPLES)]
    Cost(CostArgs),
    /// What AWS has, for other tools
    #[command(subcommand)]
    Export(ExportCommand),
    /// Completion for a shell
    #[command(after_help = around::COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),
    /// Write manual pages
    #[command(after_help = around::MAN_EXAMPLES)]
    Man(ManArgs),
}

#[derive(Debug, Args)]
pub(crate) struct BgpdConfigArgs {
    /// Identifiers (dxvif-…) or names; all go into one file
    #[arg(required = true, value_name = "VIF")]
    pub(crate) vifs: Vec<String>,
    /// Interface that carries the VLAN; VIF=INTERFACE for one of several
    #[arg(long, required = true, value_name = "[VIF=]INTERFACE")]
    pub(crate) parent: Vec<PerVif<String>>,
    /// Network to announce; VIF=PREFIX for one of several [public: the route filter prefixes]
    #[arg(long, value_name = "[VIF=]PREFIX", value_delimiter = ',')]
    pub(crate) advertise: Vec<PerVif<IpNet>>,
    /// How AWS should prefer this link for traffic to us: low, medium, high
    #[arg(long, value_name = "[VIF=]PREFERENCE", value_parser = value::per_vif_preference)]
    pub(crate) preference: Vec<PerVif<Preference>>,
    /// Interface of the path that takes over while the VIF is down
    #[arg(
        long,
        help_heading = "Backup path",
        value_name = "INTERFACE",
        requires = "backup_gateway"
    )]
    pub(crate) backup_interface: Option<String>,
    /// Gateway of that path; once per family
    #[arg(
        long,
        help_heading = "Backup path",
        value_name = "ADDRESS",
        requires = "backup_interface"
    )]
    pub(crate) backup_gateway: Vec<IpAddr>,
    /// Name of that path
    #[arg(
        long,
        help_heading = "Backup path",
        value_name = "NAME",
        default_value = "internet"
    )]
    pub(crate) backup_name: String,
    /// How often to measure that path; 0 for never
    #[arg(
        long,
        help_heading = "Backup path",
        value_name = "MILLISECONDS",
        default_value = "200"
    )]
    pub(crate) backup_probe: u32,
    /// BGP Identifier [default: our address on the first VIF]
    #[arg(long, value_name = "ADDRESS", value_parser = value::router_id)]
    pub(crate) router_id: Option<RouterId>,
    /// Where to serve Prometheus metrics
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) metrics: Option<SocketAddr>,
    /// Where bgpd makes its control socket [default: bgpd's own]
    #[arg(long, value_name = "PATH")]
    pub(crate) control: Option<PathBuf>,
    /// Where to write bgpd.toml and keys/
    #[arg(long, value_name = "DIR", default_value = "/etc/bgpd")]
    pub(crate) out_dir: PathBuf,
    /// Replace a configuration that differs, without asking
    #[arg(long)]
    pub(crate) yes: bool,
    /// Replace a key file that holds another key
    #[arg(long)]
    pub(crate) force: bool,
    /// Show what would change, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Only these (identifier or name)
    #[arg(value_name = "VIF")]
    pub(crate) vifs: Vec<String>,
    /// Don't ask bgpd
    #[arg(long, conflicts_with = "local_only")]
    pub(crate) aws_only: bool,
    /// Don't ask AWS
    #[arg(long)]
    pub(crate) local_only: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RoutesArgs {
    #[command(subcommand)]
    pub(crate) command: Option<RoutesCommand>,
    /// Only routes from this peer
    #[arg(long, value_name = "NAME")]
    pub(crate) peer: Option<String>,
    /// What was announced to this peer
    #[arg(long, value_name = "NAME", conflicts_with = "peer")]
    pub(crate) advertised: Option<String>,
    /// Only this address family
    #[arg(long, value_parser = value::family)]
    pub(crate) family: Option<Family>,
    /// This prefix and everything inside it
    #[arg(long, value_name = "PREFIX")]
    pub(crate) within: Option<IpNet>,
    /// At most so many prefixes
    #[arg(long, value_name = "N", default_value = "1000")]
    pub(crate) limit: usize,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RoutesCommand {
    /// Every path to a prefix, and the step of the decision that each one lost at
    Explain {
        /// A prefix, or an address: its longest match
        #[arg(value_name = "PREFIX", value_parser = value::prefix_or_address)]
        destination: String,
    },
}

/// Prints what clap has to say, help or mistake, and ends.
pub(crate) fn end(error: &clap::Error) -> ! {
    let is_plugin = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    if is_plugin.as_deref() == Some("check") && error.use_stderr() {
        // There 2 is CRITICAL, and wrong usage is UNKNOWN.
        let _unheard = error.print();
        std::process::exit(3);
    }
    error.exit()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_has_examples() {
        fn check(command: &clap::Command) {
            if command.has_subcommands() && command.get_name() != "routes" {
                command.get_subcommands().for_each(check);
            } else {
                let examples = command.get_after_help().map(ToString::to_string);
                let name = command.get_name();
                assert!(
                    examples.is_some_and(|text| text.contains("dxctl ")),
                    "{name} has no examples"
                );
            }
        }
        check(&Cli::command());
    }
}
