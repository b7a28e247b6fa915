//! The command line of what surrounds the work: policies, completion, manual
//! pages.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::cost::{Port, PortKind};

#[derive(Debug, Args)]
pub(crate) struct IamPolicyArgs {
    /// What it should allow [default: all but api]
    #[arg(value_name = "SET")]
    pub(crate) sets: Vec<VerbSet>,
}

/// Verbs that a person or a job needs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum VerbSet {
    /// What only looks: plan, import, export, status, cost, vif list/show/wait, asn/vlan/address pick
    Read,
    /// apply, vif create/add-peer/rotate-key, tag set/remove; with read
    Apply,
    /// destroy, vif delete, and an apply that takes away; with read
    Destroy,
    /// failover test; with read
    FailoverTest,
    /// connection, lag, macsec, proposal, resiliency, vif allocate/confirm; with read
    Hosted,
    /// keys that a site file takes from Secrets Manager or SSM
    Keys,
    /// Operations that only `api OPERATION` reaches
    Api,
}

pub(super) const IAM_POLICY_EXAMPLES: &str = "\
Examples:
  dxctl iam-policy read > policy.json
  dxctl iam-policy read apply keys
  aws iam create-policy --policy-name dxctl --policy-document \"$(dxctl iam-policy read apply)\"

Resource is \"*\" where the operation takes no other; narrow `keys` to your secrets' ARNs.";

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// bash, zsh, fish, elvish, powershell
    pub(crate) shell: Shell,
}

pub(super) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  dxctl completions bash > /etc/bash_completion.d/dxctl
  dxctl completions zsh > ~/.zfunc/_dxctl
  dxctl completions fish > ~/.config/fish/completions/dxctl.fish";

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Where to write a page for each verb
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
}

pub(super) const MAN_EXAMPLES: &str = "\
Examples:
  dxctl man /usr/local/share/man/man1
  man dxctl-plan";

#[derive(Debug, Subcommand)]
pub(crate) enum ExportCommand {
    /// Terraform configuration for what AWS has, with blocks that import it
    #[command(after_help = TERRAFORM_EXAMPLES)]
    Terraform(TerraformArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TerraformArgs {
    /// Only this connection or LAG and what is on it
    #[arg(long, value_name = "ID")]
    pub(crate) connection: Option<String>,
    /// Write directconnect.tf into this directory [default: standard output]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

const TERRAFORM_EXAMPLES: &str = "\
Examples:
  dxctl export terraform --out terraform/
  dxctl export terraform --connection dxcon-fg31dyv6 > frankfurt.tf
  TF_VAR_private_prod_bgp_auth_key=… terraform plan

Keys are variables without a default: their values are never written. What the provider can't
import (further BGP peers, LAG members, MACsec keys) stands there as a comment. Terraform 1.5.";

#[derive(Debug, Args)]
pub(crate) struct CostArgs {
    /// Only the connections and LAGs of this site file [default: all that AWS has]
    #[arg(conflicts_with = "ports")]
    pub(crate) file: Option<PathBuf>,
    /// A port to count instead of asking AWS; may be repeated
    #[arg(long = "port", value_name = "dedicated|hosted:BANDWIDTH[:COUNT]", value_parser = port, requires = "in_region")]
    pub(crate) ports: Vec<Port>,
    /// Region that the traffic leaves [default: the one that is asked]
    #[arg(long, value_name = "REGION")]
    pub(crate) in_region: Option<String>,
    /// GB a month that AWS sends
    #[arg(long, value_name = "GB", default_value = "0", value_parser = volume)]
    pub(crate) transfer_gb: f64,
    /// Measure what this interface receives now, instead
    #[arg(long, value_name = "INTERFACE", conflicts_with = "transfer_gb")]
    pub(crate) measured: Option<String>,
    /// For so long
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = super::value::seconds, requires = "measured")]
    pub(crate) measure_for: Duration,
    /// Another price table
    #[arg(long, value_name = "FILE")]
    pub(crate) prices: Option<PathBuf>,
}

fn port(text: &str) -> Result<Port, String> {
    let mut parts = text.split(':');
    let kind = match parts.next() {
        Some("dedicated") => PortKind::Dedicated,
        Some("hosted") => PortKind::Hosted,
        _ => return Err("write dedicated:10Gbps, hosted:500Mbps or dedicated:10Gbps:2".into()),
    };
    let bandwidth = parts
        .next()
        .ok_or("the bandwidth is missing: dedicated:10Gbps")?;
    let count = match parts.next() {
        None => 1,
        Some(count) => count
            .parse()
            .map_err(|_| format!("{count:?} is no number of ports"))?,
    };
    Ok(Port {
        what: text.to_owned(),
        kind,
        bandwidth: bandwidth.to_owned(),
        count,
    })
}

fn volume(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(gb) if gb.is_finite() && gb >= 0.0 => Ok(gb),
        _ => Err("a number of GB, 0 or more".to_owned()),
    }
}

pub(super) const COST_EXAMPLES: &str = "\
Examples:
  dxctl cost site.toml --transfer-gb 50000
  dxctl cost --measured eth1.101 --measure-for 60
  dxctl cost --port dedicated:10Gbps:2 --in-region eu-central-1 --transfer-gb 50000
  dxctl cost --prices ours.toml

Port hours and transfer out, the same transfer over the internet, and from which volume on Direct
Connect is cheaper. The price table is dxctl/prices.toml, with its source and date.";
