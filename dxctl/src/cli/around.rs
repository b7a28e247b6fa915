//! The command line of what surrounds the work: policies, completion, manual
//! pages.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::Shell;

#[derive(Debug, Args)]
pub(crate) struct IamPolicyArgs {
    /// What it should allow [default: everything]
    #[arg(value_name = "SET")]
    pub(crate) sets: Vec<VerbSet>,
}

/// Verbs that a person or a job needs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum VerbSet {
    /// status, vif list/show/wait, plan, import, asn/vlan/address pick, router-config without keys
    Read,
    /// apply, vif create/add-peer, tag set/remove
    Apply,
    /// destroy, vif delete
    Destroy,
    /// failover test
    FailoverTest,
    /// connection, lag, macsec, proposal, resiliency, and VIFs for and from other accounts
    Hosted,
    /// keys that a site file takes from Secrets Manager or SSM
    Keys,
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
