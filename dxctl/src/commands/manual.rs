//! `dxctl completions`, `dxctl man`: made from the command line as clap has it.

use std::fs;

use clap::CommandFactory;

use crate::Verdict;
use crate::cli::{Cli, CompletionsArgs, ManArgs};
use crate::output::{note, print};

pub(super) fn completions(args: &CompletionsArgs) -> anyhow::Result<Verdict> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "dxctl", &mut text);
    print(&String::from_utf8(text)?)?;
    Ok(Verdict::Fine)
}

/// `dxctl.1`, and `dxctl-VERB.1` for each verb.
pub(super) fn pages(args: &ManArgs) -> anyhow::Result<Verdict> {
    let directory = &args.directory;
    fs::create_dir_all(directory)
        .and_then(|()| {
            clap_mangen::generate_to(Cli::command().disable_help_subcommand(true), directory)
        })
        .map_err(|error| anyhow::anyhow!("{}: {error}", directory.display()))?;
    note(format_args!("the pages are in {}", directory.display()));
    Ok(Verdict::Fine)
}
