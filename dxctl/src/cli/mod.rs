//! The command line, as clap reads it.

mod around;
mod examples;
mod failover;
mod hosted;
mod router_config;
mod site;
mod value;
mod watching;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bgp_core::config::VifKind;
use bgp_core::{Asn, Family, RouterId, VlanId};
use clap::{Args, Parser, Subcommand, ValueEnum};
use ipnet::{IpNet, Ipv4Net};

use crate::aws::{Access, Tag};
use crate::pick::Detail;

pub(crate) use around::{
    CompletionsArgs, CostArgs, ExportCommand, IamPolicyArgs, ManArgs, TerraformArgs, VerbSet,
};
pub(crate) use failover::{DrainArgs, FailoverArgs, FailoverCommand, UndrainArgs};
pub(crate) use hosted::{
    ApiArgs, ConnectionCommand, EncryptionMode, HostArgs, LagCommand, LagCreateArgs, MacsecCommand,
    ProposalCommand, ResiliencyCommand, TagCommand,
};
pub(crate) use router_config::{BackupArgs, OfVifArgs, RouterConfigArgs};
pub(crate) use site::{ApplyArgs, Consent, DestroyArgs, ImportArgs, PlanArgs, Run, ValidateArgs};
pub(crate) use value::{Addresses, Auto, PerVif, Preference};
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

/// On every verb that chooses something for the operator.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Explain {
    /// For each choice, tell all that was looked at and why it could not be chosen
    #[arg(long)]
    explain: bool,
}

impl Explain {
    pub(crate) fn detail(self) -> Detail {
        match self.explain {
            true => Detail::Everything,
            false => Detail::Reason,
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

#[derive(Debug, Subcommand)]
pub(crate) enum AsnCommand {
    /// Pick a private AS number that nothing on this account uses
    #[command(after_help = examples::ASN_EXAMPLES)]
    Pick(AsnPickArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AsnPickArgs {
    /// Width of the number: 16 picks from 64512–65534, 32 from 4200000000–4294967294
    #[arg(long, default_value = "16")]
    pub(crate) bits: AsnBits,
    /// Derive the number from a name, so that the same site gets the same number
    #[arg(long, value_name = "NAME")]
    pub(crate) seed: Option<String>,
    /// Never pick these
    #[arg(long, value_name = "ASN", value_parser = value::asn)]
    pub(crate) avoid: Vec<Asn>,
    /// Don't ask AWS what is in use
    #[arg(long)]
    pub(crate) offline: bool,
    #[command(flatten)]
    pub(crate) explain: Explain,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum AsnBits {
    #[value(name = "16")]
    Sixteen,
    #[value(name = "32")]
    ThirtyTwo,
}

#[derive(Debug, Subcommand)]
pub(crate) enum VlanCommand {
    /// Pick the lowest VLAN that is free on a connection
    #[command(after_help = examples::VLAN_EXAMPLES)]
    Pick(VlanPickArgs),
}

#[derive(Debug, Args)]
pub(crate) struct VlanPickArgs {
    /// Connection (dxcon-…) or LAG (dxlag-…)
    #[arg(long, value_name = "ID")]
    pub(crate) connection: String,
    /// Start here
    #[arg(long, value_name = "VLAN", default_value = "1", value_parser = value::vlan)]
    pub(crate) from: VlanId,
    #[command(flatten)]
    pub(crate) explain: Explain,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AddressCommand {
    /// Pick a free pair of addresses: AWS's end, then ours
    #[command(after_help = examples::ADDRESS_EXAMPLES)]
    Pick(AddressPickArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AddressPickArgs {
    /// Out of these addresses
    #[arg(long, value_name = "PREFIX", default_value = "169.254.0.0/16")]
    pub(crate) pool: Ipv4Net,
    /// Mask of the pair
    #[arg(long, value_name = "LENGTH", default_value = "30", value_parser = clap::value_parser!(u8).range(30..=31))]
    pub(crate) length: u8,
    /// Never inside these
    #[arg(long, value_name = "PREFIX")]
    pub(crate) avoid: Vec<Ipv4Net>,
    /// ipv6 needs no picking: AWS assigns it
    #[arg(long, default_value = "ipv4", value_parser = value::family)]
    pub(crate) family: Family,
    /// Don't ask AWS what is in use
    #[arg(long)]
    pub(crate) offline: bool,
    #[command(flatten)]
    pub(crate) explain: Explain,
}

#[derive(Debug, Subcommand)]
pub(crate) enum VifCommand {
    /// Create a virtual interface
    #[command(after_help = examples::VIF_CREATE_EXAMPLES)]
    Create(VifCreateArgs),
    /// Add the session of the other address family
    #[command(after_help = examples::VIF_ADD_PEER_EXAMPLES)]
    AddPeer(VifAddPeerArgs),
    /// Change a session's MD5 key, at AWS and at bgpd, with one restart of the session
    #[command(after_help = examples::VIF_ROTATE_KEY_EXAMPLES)]
    RotateKey(VifRotateKeyArgs),
    /// Create a virtual interface for another account, on a connection of ours
    #[command(after_help = examples::VIF_ALLOCATE_EXAMPLES)]
    Allocate(VifAllocateArgs),
    /// Accept a virtual interface that another account has allocated to this one
    #[command(after_help = examples::VIF_CONFIRM_EXAMPLES)]
    Confirm(VifConfirmArgs),
    /// List virtual interfaces
    #[command(after_help = examples::VIF_LIST_EXAMPLES)]
    List(VifListArgs),
    /// Show one virtual interface
    #[command(after_help = examples::VIF_SHOW_EXAMPLES)]
    Show(VifShowArgs),
    /// Wait until a virtual interface is provisioned, or its sessions are up
    #[command(after_help = examples::VIF_WAIT_EXAMPLES)]
    Wait(VifWaitArgs),
    /// Delete a virtual interface
    #[command(after_help = examples::VIF_DELETE_EXAMPLES)]
    Delete(VifDeleteArgs),
}

#[derive(Debug, Args)]
pub(crate) struct VifCreateArgs {
    /// private (a VPC or Direct Connect gateway), transit (transit gateways), public (AWS's public prefixes)
    #[arg(long, value_parser = value::kind)]
    pub(crate) kind: VifKind,
    /// Connection (dxcon-…) or LAG (dxlag-…)
    #[arg(long, value_name = "ID")]
    pub(crate) connection: String,
    /// Name: up to 100 of a–z, 0–9 and -
    #[arg(long)]
    pub(crate) name: String,
    /// VLAN, or `auto`: the lowest free one
    #[arg(long, default_value = "auto", value_parser = value::auto_vlan)]
    pub(crate) vlan: Auto<VlanId>,
    /// Our AS number, or `auto`: a free private one
    #[arg(long, default_value = "auto", value_parser = value::auto_asn)]
    pub(crate) asn: Auto<Asn>,
    /// AMAZON/LENGTH,OURS/LENGTH; `auto`: a free pair; `aws`: AWS assigns
    #[arg(long, default_value = "auto", value_name = "auto|aws|A/LEN,B/LEN")]
    pub(crate) addresses: Addresses,
    /// Octets: 1500, 8500 (transit, private) or 9001 (private)
    #[arg(long)]
    pub(crate) mtu: Option<u32>,
    /// Virtual private gateway (vgw-…) or Direct Connect gateway (its UUID)
    #[arg(long, value_name = "ID")]
    pub(crate) gateway: Option<String>,
    #[command(flatten)]
    pub(crate) key: KeySource,
    /// Tag; may be repeated
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    pub(crate) tags: Vec<Tag>,
    /// Prefix of ours to announce to AWS (public only); may be repeated
    #[arg(long, value_name = "PREFIX", value_delimiter = ',')]
    pub(crate) route_filter_prefix: Vec<IpNet>,
    /// Address family of the session
    #[arg(long, default_value = "ipv4", value_parser = value::family)]
    pub(crate) family: Family,
    /// Wait until AWS has provisioned it, at most so long
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "300", value_parser = value::seconds)]
    pub(crate) wait: Option<Duration>,
    #[command(flatten)]
    pub(crate) explain: Explain,
}

/// Where the MD5 key comes from. Never from the command line itself, which
/// every user of the machine can read.
#[derive(Debug, Args)]
pub(crate) struct KeySource {
    #[command(flatten)]
    pub(crate) given: GivenKey,
    /// Generate a key here and keep it in --key-out [default: AWS generates one]
    #[arg(
        long,
        help_heading = "MD5 key",
        requires = "key_out",
        conflicts_with_all = ["auth_key_file", "auth_key_stdin", "auth_key_from"]
    )]
    pub(crate) generate_auth_key: bool,
    /// Where to write the generated key, mode 0600
    #[arg(
        long,
        help_heading = "MD5 key",
        value_name = "FILE",
        requires = "generate_auth_key"
    )]
    pub(crate) key_out: Option<PathBuf>,
}

/// A key that exists.
#[derive(Debug, Args)]
pub(crate) struct GivenKey {
    /// Take the MD5 key from a file that only its owner can read
    #[arg(
        long,
        help_heading = "MD5 key",
        value_name = "FILE",
        conflicts_with_all = ["auth_key_stdin", "auth_key_from"]
    )]
    pub(crate) auth_key_file: Option<PathBuf>,
    /// Take it from standard input, a pipe
    #[arg(long, help_heading = "MD5 key", conflicts_with = "auth_key_from")]
    pub(crate) auth_key_stdin: bool,
    /// Take it from env:NAME, secretsmanager:NAME-OR-ARN[#MEMBER] or ssm:/PATH
    #[arg(long, help_heading = "MD5 key", value_name = "SOURCE")]
    pub(crate) auth_key_from: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct VifRotateKeyArgs {
    /// Identifier (dxvif-…) or name
    pub(crate) vif: String,
    /// Which session, where there are two
    #[arg(long, value_parser = value::family)]
    pub(crate) family: Option<Family>,
    #[command(flatten)]
    pub(crate) key: GivenKey,
    /// Where bgpd.toml is, which names the session's key file
    #[arg(long, value_name = "DIR", default_value = "/etc/bgpd")]
    pub(crate) out_dir: PathBuf,
    /// Don't ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// How long to wait for each of AWS's states, and for the session
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = value::seconds)]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct VifAllocateArgs {
    /// Account that gets it, and confirms it
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) to_account: String,
    #[command(flatten)]
    pub(crate) vif: VifCreateArgs,
}

#[derive(Debug, Args)]
pub(crate) struct VifConfirmArgs {
    /// Identifier (dxvif-…) or name
    pub(crate) vif: String,
    /// Virtual private gateway (vgw-…) or Direct Connect gateway (its UUID); a public interface has none
    #[arg(long, value_name = "ID")]
    pub(crate) gateway: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct VifAddPeerArgs {
    /// Identifier (dxvif-…) or name
    pub(crate) vif: String,
    /// Address family of the new session
    #[arg(long, default_value = "ipv6", value_parser = value::family)]
    pub(crate) family: Family,
    /// AMAZON/LENGTH,OURS/LENGTH; `auto`: a free pair; `aws`: AWS assigns (IPv6: always)
    #[arg(long, default_value = "auto", value_name = "auto|aws|A/LEN,B/LEN")]
    pub(crate) addresses: Addresses,
    #[command(flatten)]
    pub(crate) key: KeySource,
    #[command(flatten)]
    pub(crate) explain: Explain,
}

#[derive(Debug, Args)]
pub(crate) struct VifListArgs {
    /// Only those on this connection or LAG
    #[arg(long, value_name = "ID")]
    pub(crate) connection: Option<String>,
    /// Also those that are deleted (AWS lists them for 15 minutes)
    #[arg(long)]
    pub(crate) deleted: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VifShowArgs {
    /// Identifier (dxvif-…) or name
    pub(crate) vif: String,
}

#[derive(Debug, Args)]
pub(crate) struct VifWaitArgs {
    /// Identifier (dxvif-…) or name
    pub(crate) vif: String,
    /// provisioned: AWS has made it (`down` until BGP is up); up: every session is up; deleted
    #[arg(long = "for", value_name = "WHAT", default_value = "provisioned")]
    pub(crate) goal: Goal,
    /// At most so long
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = value::seconds)]
    pub(crate) timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Goal {
    Provisioned,
    Up,
    Deleted,
}

#[derive(Debug, Args)]
pub(crate) struct VifDeleteArgs {
    /// Identifier (dxvif-…) or name
    pub(crate) vif: String,
    /// Don't ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Wait until it is gone, at most so long
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "300", value_parser = value::seconds)]
    pub(crate) wait: Option<Duration>,
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
