//! The command line of what watches: `monitor`, `events`, `check`.

use std::time::Duration;

use bgp_core::api::EventKind;
use clap::Args;

use super::value;
use crate::commands::Threshold;

#[derive(Debug, Args)]
pub(crate) struct MonitorArgs {
    /// Seconds between samples
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = value::interval)]
    pub(crate) interval: Duration,
    /// Stop after so many samples
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
    /// One sample, as a page (or, with --json, as JSON)
    #[arg(long, conflicts_with = "count")]
    pub(crate) once: bool,
}

pub(super) const MONITOR_EXAMPLES: &str = "\
Examples:
  dxctl monitor
  dxctl monitor --once --json | jq '.paths[] | {name, health}'
  dxctl monitor --interval 0.2 --count 50 > samples.txt

On a terminal: keys q quit, Tab the next part, arrows choose, p pause, d drain, ? help. Into a pipe:
a line each sample. NO_COLOR is respected. Exit status 1: a session is not Established.";

#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    /// Go on with what happens from now on, until Ctrl-C
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Only those after this sequence number
    #[arg(long, value_name = "SEQUENCE")]
    pub(crate) since: Option<u64>,
    /// Only of this path, session or VIF; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) path: Vec<String>,
    /// Only of this kind: carrier, session, bfd, health, swap, drain, configuration, other; may be repeated
    #[arg(long, value_name = "KIND", value_parser = value::event_kind, value_delimiter = ',')]
    pub(crate) kind: Vec<EventKind>,
}

pub(super) const EVENTS_EXAMPLES: &str = "\
Examples:
  dxctl events
  dxctl events --follow --path prod
  dxctl events --kind health,swap --json | jq -r '.evidence[] | .what + \" \" + .value'

bgpd keeps the last 1000. With --json: an event a line.";

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Paths, sessions or VIFs [default: all]
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// WARNING when a figure is outside of this range; may be repeated
    #[arg(long, short, value_name = "[FIGURE=]RANGE")]
    pub(crate) warning: Vec<Threshold>,
    /// CRITICAL when a figure is outside of this range; may be repeated
    #[arg(long, short, value_name = "[FIGURE=]RANGE")]
    pub(crate) critical: Vec<Threshold>,
}

pub(super) const CHECK_EXAMPLES: &str = "\
Examples:
  dxctl check
  dxctl check prod -w 5 -c 20
  dxctl check prod internet -w rtt=5 -w loss=1 -c loss=20 -c prefixes=1:

For Nagios, Icinga, Sensu and what else runs Monitoring Plugins: one line with performance data.
FIGURE: rtt (ms, which is meant when none is named), jitter (ms), loss (%), prefixes (accepted from
the session). RANGE as the plugins' guidelines have it: 10 is 0 to 10, 10: at least 10, ~:10 at
most 10, 10:20, @10:20 inside instead of outside.

Exit status: 0 OK, 1 WARNING (degraded, held, drained, a threshold), 2 CRITICAL (a path or session
is down, a threshold), 3 UNKNOWN (bgpd can't be asked, wrong usage).";
