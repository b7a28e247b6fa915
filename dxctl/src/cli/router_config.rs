//! The options of `dxctl router-config`.

use std::net::IpAddr;
use std::path::PathBuf;

use bgp_core::RouterId;
use clap::Args;
use ipnet::IpNet;
use vendor_configs::{
    Bfd, Description, HostName, InterfaceName, Part, Platform, Scope, Timers, VrfName,
};

use super::value::{self, PerVif, Preference};

#[derive(Debug, Args)]
pub(crate) struct RouterConfigArgs {
    /// Identifiers (dxvif-…) or names; all go onto one router, but with --pair
    #[arg(value_name = "VIF", required_unless_present_any = ["list_platforms", "export_templates", "link"])]
    pub(crate) vifs: Vec<String>,
    /// A router's virtual interfaces from a TOML file instead of AWS; may be repeated
    #[arg(long, value_name = "FILE", conflicts_with_all = ["vifs", "from_aws"])]
    pub(crate) link: Vec<PathBuf>,
    /// What to write it for
    #[arg(
        long,
        value_name = "PLATFORM",
        required_unless_present_any = ["list_platforms", "from_aws"]
    )]
    pub(crate) platform: Option<Platform>,
    /// List the platforms and stop
    #[arg(long)]
    pub(crate) list_platforms: bool,
    /// Two virtual interfaces, or two --link: a primary router and its backup
    #[arg(long)]
    pub(crate) pair: bool,
    #[command(flatten)]
    pub(crate) text: TextArgs,
    #[command(flatten)]
    pub(crate) of_vif: OfVifArgs,
    #[command(flatten)]
    pub(crate) backup: BackupArgs,
    /// Compare with a configuration that exists
    #[arg(long, help_heading = "Instead of the text", value_name = "FILE", conflicts_with_all = ["check", "from_aws", "pair"])]
    pub(crate) diff: Option<PathBuf>,
    /// Say what is wrong in a configuration that exists (IOS, Junos)
    #[arg(long, help_heading = "Instead of the text", value_name = "FILE", conflicts_with_all = ["from_aws", "pair"])]
    pub(crate) check: Option<PathBuf>,
    /// AWS's own sample for a router type (CiscoSystemsInc-2900SeriesRouters-IOS124 …), without its key
    #[arg(long, help_heading = "Instead of the text", value_name = "TYPE")]
    pub(crate) from_aws: Option<String>,
    /// Write the platform's templates into a directory, to change them
    #[arg(long, help_heading = "Templates", value_name = "DIR", conflicts_with_all = ["vifs", "link"])]
    pub(crate) export_templates: Option<PathBuf>,
    /// Templates that replace ours, as DIR/PLATFORM/PART.j2
    #[arg(long, help_heading = "Templates", value_name = "DIR")]
    pub(crate) template_dir: Option<PathBuf>,
}

/// Which text, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "The text")]
pub(crate) struct TextArgs {
    /// As `set` lines (Junos; VyOS and PAN-OS know no other form)
    #[arg(long, conflicts_with = "form")]
    pub(crate) set: bool,
    /// In another of the platform's forms; --list-platforms shows them
    #[arg(long, value_name = "FORM")]
    pub(crate) form: Option<String>,
    /// Only the commands that show whether it works
    #[arg(long, group = "part")]
    verify: bool,
    /// Only how to drain it before maintenance
    #[arg(long, group = "part")]
    drain: bool,
    /// Only how to take it out again
    #[arg(long, group = "part")]
    rollback: bool,
    /// Write the MD5 key in clear
    #[arg(long)]
    pub(crate) reveal: bool,
}

impl TextArgs {
    pub(crate) fn part(&self) -> Part {
        match self {
            Self { verify: true, .. } => Part::Verify,
            Self { drain: true, .. } => Part::Drain,
            Self { rollback: true, .. } => Part::Rollback,
            _ => Part::Whole,
        }
    }

    pub(crate) fn form(&self) -> Option<&str> {
        if self.set {
            Some("set")
        } else {
            self.form.as_deref()
        }
    }
}

/// What AWS doesn't know of a virtual interface.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "The link (VIF=VALUE: for one of several)")]
pub(crate) struct OfVifArgs {
    /// The router's physical interface [default: the platform's usual first one]
    #[arg(long, value_name = "[VIF=]INTERFACE", conflicts_with = "link")]
    pub(crate) parent: Vec<PerVif<InterfaceName>>,
    /// Network to announce; may be repeated [public: the route filter prefixes]
    #[arg(
        long,
        value_name = "[VIF=]PREFIX",
        value_delimiter = ',',
        conflicts_with = "link"
    )]
    pub(crate) advertise: Vec<PerVif<IpNet>>,
    /// How this link is preferred to others, in both directions: low, medium, high
    #[arg(long, value_name = "[VIF=]PREFERENCE", value_parser = value::per_vif_preference, conflicts_with = "link")]
    pub(crate) preference: Vec<PerVif<Preference>>,
    /// The VRF that it is in
    #[arg(long, value_name = "[VIF=]VRF", conflicts_with = "link")]
    pub(crate) vrf: Vec<PerVif<VrfName>>,
    /// Public: which of AWS's prefixes to take, and how far ours are carried
    #[arg(long, value_name = "[VIF=]region|continent|global", value_parser = value::per_vif_scope, conflicts_with = "link")]
    pub(crate) scope: Vec<PerVif<Scope>>,
    /// Description of interface and neighbor
    #[arg(long, value_name = "[VIF=]TEXT", conflicts_with = "link")]
    pub(crate) description: Vec<PerVif<Description>>,
    /// The MD5 key, if AWS doesn't show it: a file that only its owner can read
    #[arg(long, value_name = "[VIF=]FILE", conflicts_with = "link")]
    pub(crate) auth_key_file: Vec<PerVif<PathBuf>>,
    /// Write the text even where the MD5 key is not known
    #[arg(long, conflicts_with = "link")]
    pub(crate) allow_no_key: bool,
    /// Milliseconds and multiplier [default: 300x3]
    #[arg(long, value_name = "MSxTIMES", value_parser = value::bfd, conflicts_with_all = ["link", "no_bfd"])]
    pub(crate) bfd: Option<Bfd>,
    /// Without BFD
    #[arg(long, conflicts_with = "link")]
    pub(crate) no_bfd: bool,
    /// Keepalive and hold time in seconds [default: 30,90]
    #[arg(long, value_name = "KEEPALIVE,HOLD", value_parser = value::timers, conflicts_with = "link")]
    pub(crate) timers: Option<Timers>,
    /// Prefixes to take from AWS at most [default by kind]
    #[arg(long, value_name = "[VIF=]N", conflicts_with = "link")]
    pub(crate) receive_limit: Vec<PerVif<u32>>,
    /// Prefixes that AWS takes [default: 100, public 1000]
    #[arg(long, value_name = "[VIF=]N", conflicts_with = "link")]
    pub(crate) advertise_limit: Vec<PerVif<u32>>,
    /// The router's name, for the header; twice with --pair
    #[arg(long, value_name = "NAME", conflicts_with = "link")]
    pub(crate) hostname: Vec<HostName>,
    /// BGP Identifier [default: the router's own choice, or our first address]
    #[arg(long, value_name = "ADDRESS", value_parser = value::router_id, conflicts_with_all = ["link", "pair"])]
    pub(crate) router_id: Option<RouterId>,
}

/// The way out while the links are down, by static routes.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Backup path")]
pub(crate) struct BackupArgs {
    /// Gateway of the way out while the links are down; once per family
    #[arg(long, value_name = "ADDRESS", conflicts_with = "link")]
    pub(crate) backup_gateway: Vec<IpAddr>,
    /// Interface of that way, such as a tunnel
    #[arg(long, value_name = "INTERFACE", conflicts_with = "link")]
    pub(crate) backup_interface: Option<InterfaceName>,
    /// Where it leads to; may be repeated [default: everywhere]
    #[arg(
        long,
        value_name = "PREFIX",
        value_delimiter = ',',
        conflicts_with = "link"
    )]
    pub(crate) backup_to: Vec<IpNet>,
    /// Its VRF
    #[arg(long, value_name = "VRF", conflicts_with = "link")]
    pub(crate) backup_vrf: Option<VrfName>,
}
