//! The command line of what moves traffic: `drain`, `undrain`, `failover`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

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

#[derive(Debug, Subcommand)]
pub(crate) enum FailoverCommand {
    /// AWS takes the VIF's sessions down; measure what that costs
    #[command(after_help = TEST_EXAMPLES)]
    Test(FailoverArgs),
    /// bgpd takes them down itself: no API needed
    #[command(after_help = DRILL_EXAMPLES)]
    Drill(FailoverArgs),
}

#[derive(Debug, Args)]
pub(crate) struct FailoverArgs {
    /// The VIF: identifier (dxvif-…) or name
    pub(crate) vif: String,
    /// How long the sessions are kept down
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = value::duration)]
    pub(crate) duration: Duration,
    /// Don't ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Go on although the backup may not be fit
    #[arg(long)]
    pub(crate) force: bool,
    /// Measure to this address, behind the VIF; may be repeated [default: one that answers]
    #[arg(long, help_heading = "Measuring", value_name = "ADDRESS")]
    pub(crate) target: Vec<IpAddr>,
    /// Measure from this address of ours, once a family [default: one that is announced to AWS]
    #[arg(long, help_heading = "Measuring", value_name = "ADDRESS")]
    pub(crate) source: Vec<IpAddr>,
    /// Send UDP to this port, which must echo, instead of ICMP
    #[arg(long, help_heading = "Measuring", value_name = "PORT")]
    pub(crate) udp: Option<u16>,
    /// Probes a second, to each target
    #[arg(long, help_heading = "Measuring", value_name = "N", default_value = "100", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rate: u32,
    /// Wait at most so long for the sessions and the traffic to be back
    #[arg(long, help_heading = "Measuring", value_name = "DURATION", default_value = "300s", value_parser = value::duration)]
    pub(crate) recovery: Duration,
    /// Fails when traffic was gone for longer, on the way to the backup
    #[arg(long, help_heading = "Verdict", value_name = "DURATION", default_value = "1s", value_parser = value::duration)]
    pub(crate) max_outage: Duration,
    /// Fails when traffic was gone for longer, on the way back
    #[arg(long, help_heading = "Verdict", value_name = "DURATION", default_value = "50ms", value_parser = value::duration)]
    pub(crate) max_return_outage: Duration,
    /// Write the report with its plots here, one page that loads nothing
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

const TEST_EXAMPLES: &str = "\
Examples:
  dxctl failover test prod --duration 60s --html report.html
  dxctl failover test dxvif-fg3f2a1b --target 172.31.0.10 --yes --json

First it looks whether the backup is healthy, has the same prefixes and enough capacity. The test is
always stopped at the end, on Ctrl-C and on SIGTERM; should dxctl be killed, AWS ends it one or
two minutes after --duration. Exit status 0: passed, 1: refused or failed, 2: broken.";

const DRILL_EXAMPLES: &str = "\
Examples:
  dxctl failover drill prod --duration 30s
  dxctl failover drill prod --max-outage 50ms --html report.html --yes

bgpd ends the drill by itself 10 s after --duration, whatever becomes of dxctl. Exit status 0: passed,
1: refused or failed, 2: broken.";
