//! The command line of what surrounds the work: policies, completion, manual
//! pages.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
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
