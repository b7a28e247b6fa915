//! The options of the verbs that take a site file.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Explain, value};

#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// The site file
    #[arg(required_unless_present = "schema")]
    pub(crate) file: Option<PathBuf>,
    /// Print the JSON Schema of site files instead, for editors
    #[arg(long, conflicts_with = "file")]
    pub(crate) schema: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The site file
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) explain: Explain,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Name of the site
    #[arg(long, default_value = "site")]
    pub(crate) name: String,
    /// Only this connection or LAG and what is on it; may be repeated
    #[arg(long, value_name = "ID")]
    pub(crate) connection: Vec<String>,
    /// Where to write it [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// The site file
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) consent: Consent,
    #[command(flatten)]
    pub(crate) run: Run,
    /// Wait for the sessions to come up, at most so long; 0: don't
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = value::seconds)]
    pub(crate) verify: Duration,
    #[command(flatten)]
    pub(crate) explain: Explain,
}

#[derive(Debug, Args)]
pub(crate) struct DestroyArgs {
    /// The site file
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) consent: Consent,
    #[command(flatten)]
    pub(crate) run: Run,
}

#[derive(Debug, Args)]
pub(crate) struct Consent {
    /// Consent to a step that cuts traffic, as the plan names it; may be repeated
    #[arg(long, value_name = "cut:NAME", value_delimiter = ',', value_parser = consent)]
    pub(crate) allow: Vec<String>,
    /// Don't ask
    #[arg(long)]
    pub(crate) yes: bool,
}

/// How a run that changes things goes about it.
#[derive(Debug, Args)]
#[command(next_help_heading = "The run")]
pub(crate) struct Run {
    /// Where the run keeps what it is about to do [default: .FILE.journal beside the site file]
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
    /// Wait for another run on this site, at most so long
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = value::seconds)]
    pub(crate) lock_timeout: Duration,
    /// Wait for each state at AWS at most so long
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = value::seconds)]
    pub(crate) timeout: Duration,
    /// After a run that was killed: how long a call of it may still take effect
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = value::seconds)]
    pub(crate) settle: Duration,
}

fn consent(text: &str) -> Result<String, String> {
    match text.strip_prefix("cut:") {
        Some(name) if !name.is_empty() => Ok(text.to_owned()),
        _ => Err("write cut:NAME, as the plan does".to_owned()),
    }
}

pub(super) const VALIDATE_EXAMPLES: &str = "\
Examples:
  dxctl validate site.toml
  dxctl validate --schema > site.schema.json

Every mistake is told at once, with line and column. Exit status: 0 fine, 2 mistakes.";

pub(super) const PLAN_EXAMPLES: &str = "\
Examples:
  dxctl plan site.toml
  dxctl plan site.toml --json

Nothing is changed. Exit status: 0 nothing to change, 1 there is, 2 mistakes or no connection.";

pub(super) const IMPORT_EXAMPLES: &str = "\
Examples:
  dxctl import --name frankfurt --out site.toml
  dxctl import --connection dxcon-fg31dyv6

What it writes yields a plan without changes.";

pub(super) const APPLY_EXAMPLES: &str = "\
Examples:
  dxctl apply site.toml
  dxctl apply site.toml --yes --allow cut:prod

Killed at any point, run it again: it goes on where it was. Exit status: 0 done, 1 refused or a
session doesn't come up, 2 broken.";

pub(super) const DESTROY_EXAMPLES: &str = "\
Examples:
  dxctl destroy site.toml
  dxctl destroy site.toml --yes --allow cut:prod,cut:hub";
