//! `lab`: the command line of the simulated world.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A small world on one machine: simulated AWS, routers, hosts, faults.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Aws(lab::aws::Args),
    Bench(lab::bench::Args),
    Demo(lab::demo::Args),
    Enter(lab::demo::EnterArgs),
}

fn main() -> anyhow::Result<ExitCode> {
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(tracing::Level::INFO.into())
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match Cli::parse().command {
        Command::Aws(args) => lab::aws::run(args).map(|()| ExitCode::SUCCESS),
        Command::Bench(args) => lab::bench::run(args),
        Command::Demo(args) => lab::demo::run(args),
        Command::Enter(args) => lab::demo::enter(args),
    }
}
