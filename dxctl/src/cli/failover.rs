//! The command line of what moves traffic: `drain`, `undrain`, `failover`.

use std::time::Duration;

use clap::Args;

use super::value;

#[derive(Debug, Args)]
pub(crate) struct DrainArgs {
    /// VIF (all its sessions), session or path
    pub(crate) name: String,
    /// Also when no other path can take the traffic
    #[arg(long)]
    pub(crate) force: bool,
    /// Wait at most so long for the traffic to have moved
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = value::seconds)]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct UndrainArgs {
    /// VIF (all its sessions), session or path
    pub(crate) name: String,
    /// Wait at most so long for the traffic to be back
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = value::seconds)]
    pub(crate) timeout: Duration,
}

pub(super) const DRAIN_EXAMPLES: &str = "\
Examples:
  dxctl drain prod
  dxctl drain prod --timeout 120 && echo ready for maintenance
  dxctl drain prod --json | jq .moved

The session stays up; traffic in both directions is asked to go another way (GRACEFUL_SHUTDOWN,
AWS's preference, then the swap), and no packet is lost. Until dxctl undrain. Exit status 1: refused,
or traffic is still there after the timeout.";

pub(super) const UNDRAIN_EXAMPLES: &str = "\
Examples:
  dxctl undrain prod

Exit status 1: refused, or the traffic is not back after the timeout.";
