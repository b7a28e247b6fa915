//! The command line of what is rarely done by hand: connections, LAGs, MACsec,
//! proposals, resiliency groups, tags, and any operation by its name.

use std::path::PathBuf;

use bgp_core::VlanId;
use clap::{Args, Subcommand, ValueEnum};
use ipnet::IpNet;

use super::value;
use crate::aws::Tag;

#[derive(Debug, Args)]
pub(crate) struct ApiArgs {
    /// As AWS writes it: DescribeLocations
    #[arg(required_unless_present = "list")]
    pub(crate) operation: Option<String>,
    /// The request, as JSON; - for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) cli_input_json: Option<PathBuf>,
    /// Print a request with what is required, and stop
    #[arg(long, conflicts_with = "cli_input_json")]
    pub(crate) generate_cli_skeleton: bool,
    /// List the operations
    #[arg(long, conflicts_with = "operation")]
    pub(crate) list: bool,
    /// Show keys in the answer (only on a terminal)
    #[arg(long)]
    pub(crate) reveal: bool,
    /// Don't ask before something is deleted
    #[arg(long)]
    pub(crate) yes: bool,
}

pub(super) const API_EXAMPLES: &str = "\
Examples:
  dxctl api --list
  dxctl api DescribeLocations | jq -r '.locations[].locationCode'
  dxctl api UpdateConnection --generate-cli-skeleton > change.json
  dxctl api UpdateConnection --cli-input-json change.json

The request is checked against the service's model before AWS is asked. Keys are redacted in the
answer. What changes something is asked for once: after an unclear answer, look before you repeat it.";

#[derive(Debug, Subcommand)]
pub(crate) enum ConnectionCommand {
    /// List connections, or those hosted on one
    #[command(
        after_help = "Examples:\n  dxctl connection list\n  dxctl connection list --hosted-on dxcon-fg31dyv6"
    )]
    List {
        /// Those that it hosts for other accounts (connection, LAG or interconnect)
        #[arg(long, value_name = "ID")]
        hosted_on: Option<String>,
    },
    /// Accept a hosted connection that a partner has made for this account
    #[command(after_help = "Example:\n  dxctl connection confirm dxcon-fg31dyv6")]
    Confirm { id: String },
    /// Make a hosted connection for another account
    #[command(
        after_help = "Example:\n  dxctl connection host --on dxcon-fg31dyv6 --account 111122223333 --name branch --vlan 200 --bandwidth 500Mbps"
    )]
    Host(HostArgs),
    /// Save the Letter of Authorization that the cross-connect is ordered with
    #[command(after_help = "Example:\n  dxctl connection loa dxcon-fg31dyv6 --out loa.pdf")]
    Loa {
        /// Connection or LAG
        id: String,
        /// Where to write the PDF
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Your provider's name, to stand in it
        #[arg(long, value_name = "NAME")]
        provider: Option<String>,
    },
    /// Delete a connection
    #[command(after_help = "Example:\n  dxctl connection delete dxcon-fg31dyv6")]
    Delete {
        id: String,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct HostArgs {
    /// Connection, LAG or interconnect to carry it
    #[arg(long, value_name = "ID")]
    pub(crate) on: String,
    /// Account that gets it
    #[arg(long, value_name = "ACCOUNT", value_parser = value::account)]
    pub(crate) account: String,
    /// Name
    #[arg(long)]
    pub(crate) name: String,
    /// Its only VLAN
    #[arg(long, value_parser = value::vlan)]
    pub(crate) vlan: VlanId,
    /// As 50Mbps, 1Gbps
    #[arg(long)]
    pub(crate) bandwidth: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LagCommand {
    /// List LAGs
    #[command(after_help = "Example:\n  dxctl lag list")]
    List,
    /// Make a LAG, of new ports or around a connection
    #[command(
        after_help = "Examples:\n  dxctl lag create --name fra --location EqFA5 --bandwidth 10Gbps --connections 2\n  dxctl lag create --name fra --location EqFA5 --bandwidth 10Gbps --connections 2 --around dxcon-fg31dyv6"
    )]
    Create(LagCreateArgs),
    /// Move a connection into a LAG: its traffic stops meanwhile
    #[command(after_help = "Example:\n  dxctl lag add dxlag-fg31dyv6 dxcon-ffabc123")]
    Add {
        lag: String,
        connection: String,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
    /// Take a connection out of a LAG
    #[command(after_help = "Example:\n  dxctl lag remove dxlag-fg31dyv6 dxcon-ffabc123")]
    Remove {
        lag: String,
        connection: String,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
    /// Change a LAG's name, or how many of its links must be up
    #[command(after_help = "Example:\n  dxctl lag update dxlag-fg31dyv6 --minimum-links 1")]
    Update {
        lag: String,
        #[arg(long)]
        name: Option<String>,
        #[arg(long, value_name = "N")]
        minimum_links: Option<u32>,
    },
    /// Delete a LAG
    #[command(after_help = "Example:\n  dxctl lag delete dxlag-fg31dyv6")]
    Delete {
        lag: String,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct LagCreateArgs {
    /// Name
    #[arg(long)]
    pub(crate) name: String,
    /// Location's code (dxctl api DescribeLocations)
    #[arg(long)]
    pub(crate) location: String,
    /// Of each link: 1Gbps, 10Gbps, 100Gbps, 400Gbps
    #[arg(long)]
    pub(crate) bandwidth: String,
    /// How many links
    #[arg(long, value_name = "N")]
    pub(crate) connections: u32,
    /// A connection that becomes its first link
    #[arg(long, value_name = "ID")]
    pub(crate) around: Option<String>,
    /// Ports that can do MACsec
    #[arg(long)]
    pub(crate) macsec: bool,
    /// Tag; may be repeated
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    pub(crate) tags: Vec<Tag>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MacsecCommand {
    /// Give a connection or LAG a key, by its secret's ARN
    #[command(
        after_help = "Example:\n  dxctl macsec add dxcon-fg31dyv6 --secret arn:aws:secretsmanager:eu-central-1:111122223333:secret:macsec-a\n\nThe key itself stays in Secrets Manager: it never passes through dxctl."
    )]
    Add {
        id: String,
        /// Secret with the CKN and the CAK
        #[arg(long, value_name = "ARN")]
        secret: String,
    },
    /// Take a key away
    #[command(
        after_help = "Example:\n  dxctl macsec remove dxcon-fg31dyv6 --secret arn:aws:secretsmanager:eu-central-1:111122223333:secret:macsec-a"
    )]
    Remove {
        id: String,
        #[arg(long, value_name = "ARN")]
        secret: String,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
    /// Whether traffic may pass without encryption
    #[command(after_help = "Example:\n  dxctl macsec mode dxcon-fg31dyv6 must-encrypt")]
    Mode {
        id: String,
        mode: EncryptionMode,
        /// Don't ask before traffic that isn't encrypted is cut
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EncryptionMode {
    #[value(name = "no-encrypt")]
    No,
    #[value(name = "should-encrypt")]
    Should,
    #[value(name = "must-encrypt")]
    Must,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProposalCommand {
    /// List proposals, made and received
    #[command(after_help = "Example:\n  dxctl proposal list")]
    List,
    /// Propose a gateway of ours to another account's Direct Connect gateway
    #[command(
        after_help = "Example:\n  dxctl proposal create --gateway 5f294f92-bafb-4011-916d-9b0bexample --owner 111122223333 --target vgw-0a1b2c3d --allow 10.0.0.0/16"
    )]
    Create {
        /// Their Direct Connect gateway
        #[arg(long, value_name = "ID")]
        gateway: String,
        /// Its account
        #[arg(long, value_name = "ACCOUNT", value_parser = value::account)]
        owner: String,
        /// Our vgw-… or tgw-…
        #[arg(long, value_name = "ID")]
        target: String,
        /// Prefix to announce towards us; may be repeated
        #[arg(long, value_name = "PREFIX", value_delimiter = ',')]
        allow: Vec<IpNet>,
    },
    /// Accept a proposal to a Direct Connect gateway of ours
    #[command(
        after_help = "Example:\n  dxctl proposal accept 61fd2d5e-41f7-4bcc-a8d1-5a93d3b3fbf7 --gateway 5f294f92-bafb-4011-916d-9b0bexample --owner 111122223333"
    )]
    Accept {
        id: String,
        /// Our Direct Connect gateway
        #[arg(long, value_name = "ID")]
        gateway: String,
        /// Account that proposes
        #[arg(long, value_name = "ACCOUNT", value_parser = value::account)]
        owner: String,
        /// Prefixes in place of those proposed
        #[arg(long, value_name = "PREFIX", value_delimiter = ',')]
        allow: Vec<IpNet>,
    },
    /// Withdraw or refuse a proposal
    #[command(
        after_help = "Example:\n  dxctl proposal delete 61fd2d5e-41f7-4bcc-a8d1-5a93d3b3fbf7"
    )]
    Delete {
        id: String,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ResiliencyCommand {
    /// List resiliency groups
    #[command(after_help = "Example:\n  dxctl resiliency list")]
    List,
    /// What a group consists of
    #[command(after_help = "Example:\n  dxctl resiliency show dxrg-0123456789abcdef0")]
    Show { group: String },
    /// Make a group
    #[command(
        after_help = "Example:\n  dxctl resiliency create --name frankfurt --model maximum-resiliency"
    )]
    Create {
        #[arg(long)]
        name: String,
        /// maximum-resiliency, high-resiliency or basic-resiliency
        #[arg(long)]
        model: String,
    },
    /// Put connections into a group
    #[command(
        after_help = "Example:\n  dxctl resiliency add dxrg-0123456789abcdef0 dxcon-fg31dyv6 dxcon-ffabc123"
    )]
    Add {
        group: String,
        #[arg(required = true)]
        connections: Vec<String>,
    },
    /// Take connections out of a group
    #[command(
        after_help = "Example:\n  dxctl resiliency remove dxrg-0123456789abcdef0 dxcon-fg31dyv6"
    )]
    Remove {
        group: String,
        #[arg(required = true)]
        connections: Vec<String>,
    },
    /// Delete a group; its connections stay
    #[command(after_help = "Example:\n  dxctl resiliency delete dxrg-0123456789abcdef0")]
    Delete {
        group: String,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TagCommand {
    /// Show a resource's tags
    #[command(
        after_help = "Example:\n  dxctl tag list arn:aws:directconnect:eu-central-1:111122223333:dxcon/dxcon-fg31dyv6"
    )]
    List { arn: String },
    /// Set tags
    #[command(
        after_help = "Example:\n  dxctl tag set arn:aws:directconnect:eu-central-1:111122223333:dxcon/dxcon-fg31dyv6 team=net"
    )]
    Set {
        arn: String,
        #[arg(required = true, value_name = "KEY=VALUE")]
        tags: Vec<Tag>,
    },
    /// Remove tags
    #[command(
        after_help = "Example:\n  dxctl tag remove arn:aws:directconnect:eu-central-1:111122223333:dxcon/dxcon-fg31dyv6 team"
    )]
    Remove {
        arn: String,
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
    },
}
