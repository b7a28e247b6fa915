//! The command line of `dxctl vif`.

use std::path::PathBuf;
use std::time::Duration;

use bgp_core::config::VifKind;
use bgp_core::{Asn, Family, VlanId};
use clap::{Args, Subcommand, ValueEnum};
use ipnet::IpNet;

use super::value::{self, Addresses, Auto};
use super::{Explain, examples};
use crate::aws::Tag;

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
    /// Wait for another change of a key of this bgpd's, at most so long
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = value::seconds)]
    pub(crate) lock_timeout: Duration,
    /// How long to wait for each of AWS's states, and for the session
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = value::seconds)]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct VifAllocateArgs {
    /// Account that gets it, and confirms it
    #[arg(long, value_name = "ACCOUNT", value_parser = value::account)]
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
