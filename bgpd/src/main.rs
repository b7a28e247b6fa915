//! The command line; everything else is in the library.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use bgpd::daemon::{self, check};
use bgpd::panics;
use bgpd::probe::stamp::reflector::{self, Reflector};
use clap::{Parser, Subcommand, ValueEnum};
use ipnet::IpNet;
use tracing_subscriber::EnvFilter;

/// BGP daemon for the edge router of an AWS Direct Connect link.
#[derive(Parser)]
#[command(name = "bgpd", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Find every mistake in a configuration, without changing anything.
    Check { file: PathBuf },
    /// Run in the foreground until SIGTERM or SIGINT; SIGHUP reads the file again.
    Run {
        file: PathBuf,
        /// How much to log: error, warn, info, debug, trace, or per module as `info,bgpd::session=debug`.
        #[arg(long, env = "RUST_LOG", default_value = "info", value_name = "LEVEL")]
        log: String,
        #[arg(long, value_enum, default_value_t = LogFormat::Text)]
        log_format: LogFormat,
    },
    /// List what bgpd made on this machine (interfaces, routes, nexthops) and, with --yes, remove it.
    Clean {
        file: PathBuf,
        /// Remove what is listed.
        #[arg(long)]
        yes: bool,
    },
    /// Answer STAMP probes (RFC 8762), on a host behind the link: `probe = { stamp = […] }` of another bgpd then tells loss and delay in each direction.
    #[command(after_help = REFLECTOR)]
    StampReflector {
        /// Address and port to listen on; may be repeated.
        #[arg(long, value_name = "ADDRESS:PORT", default_values = ["0.0.0.0:862", "[::]:862"])]
        listen: Vec<SocketAddr>,
        /// Answer only senders in this network; may be repeated. Default: everyone.
        #[arg(long, value_name = "PREFIX")]
        allow: Vec<IpNet>,
        /// Packets a second that one sender may have answered.
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
        rate: u32,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

const EXAMPLES: &str = "\
Examples:
  bgpd check /etc/bgpd/bgpd.toml          every mistake, with line and column
  bgpd run /etc/bgpd/bgpd.toml            run in the foreground
  bgpd run --log debug bgpd.toml          ... and say more
  kill -HUP $(pidof bgpd)                 read the configuration again; a bad one changes nothing
  bgpd clean /etc/bgpd/bgpd.toml --yes    after the daemon has gone: take away what it left

  bgpd stamp-reflector --allow 10.0.0.0/8 on a host in the VPC: answer STAMP probes

Exit status: 0 fine, 1 refused (mistakes in the configuration), 2 broken.";

const REFLECTOR: &str = "\
It needs no file and keeps none. An answer is never longer than the question; questions from \
ports below 1024 are not answered. Let UDP port 862 in (security group, network ACL).

As a service, /etc/systemd/system/stamp-reflector.service:
  [Unit]
  Description=STAMP reflector
  After=network.target
  [Service]
  ExecStart=/usr/local/bin/bgpd stamp-reflector --allow 10.0.0.0/8
  DynamicUser=yes
  AmbientCapabilities=CAP_NET_BIND_SERVICE
  CapabilityBoundingSet=CAP_NET_BIND_SERVICE
  Restart=always
  [Install]
  WantedBy=multi-user.target";

fn main() -> ExitCode {
    // prctl(2): such a process leaves no core file, which would hold the sessions' keys.
    if let Err(error) = nix::sys::prctl::set_dumpable(false) {
        eprintln!("bgpd: warning: a core file would hold keys: {error}");
    }
    let outcome = match Cli::parse().command {
        Command::Check { file } => Ok(check_file(&file)),
        Command::Run {
            file,
            log,
            log_format,
        } => run(&file, &log, log_format),
        Command::Clean { file, yes } => clean(&file, yes),
        Command::StampReflector {
            listen,
            allow,
            rate,
        } => reflect(listen, allow, rate),
    };
    outcome.unwrap_or_else(|error| {
        say(&format!("bgpd: {error:#}"));
        ExitCode::from(2)
    })
}

fn check_file(file: &Path) -> ExitCode {
    let config = match check::load(file) {
        Ok(config) => config,
        Err(refusal) => return refused(file, &refusal),
    };
    for warning in check::warnings(&config) {
        say(&format!("{}: warning: {warning}", file.display()));
    }
    let errors = check::key_file_errors(&config);
    for error in &errors {
        say(&format!("{}: {error}", file.display()));
    }
    ExitCode::from(u8::from(!errors.is_empty()))
}

fn refused(file: &Path, refusal: &check::Refusal) -> ExitCode {
    say(&check::Report { file, refusal }.to_string());
    match refusal {
        check::Refusal::Unreadable(_) => ExitCode::from(2),
        check::Refusal::Mistakes(_) => ExitCode::from(1),
    }
}

fn run(file: &Path, log: &str, format: LogFormat) -> anyhow::Result<ExitCode> {
    let config = match check::load(file) {
        Ok(config) => config,
        Err(refusal) => return Ok(refused(file, &refusal)),
    };
    start_logging(log, format)?;
    panics::install();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("can't start threads")?;
    runtime.block_on(daemon::run(file, config))?;
    // Nothing is left that has to be waited for: sessions have ended in `run`.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

fn clean(file: &Path, yes: bool) -> anyhow::Result<ExitCode> {
    let config = match check::load(file) {
        Ok(config) => config,
        Err(refusal) => return Ok(refused(file, &refusal)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("can't start")?;
    let lines = runtime.block_on(daemon::clean(
        &config,
        if yes {
            daemon::Clean::Remove
        } else {
            daemon::Clean::List
        },
    ))?;
    let mut out = std::io::stdout().lock();
    for line in &lines {
        writeln!(out, "{line}").context("can't write")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn reflect(listen: Vec<SocketAddr>, allow: Vec<IpNet>, rate: u32) -> anyhow::Result<ExitCode> {
    let addresses: Vec<_> = listen.iter().map(ToString::to_string).collect();
    let options = reflector::Options {
        listen,
        allow,
        rate,
    };
    let reflector = Reflector::open(&options)?;
    say(&format!("reflecting on {}", addresses.join(", ")));
    reflector.run()?;
    Ok(ExitCode::SUCCESS)
}

fn start_logging(log: &str, format: LogFormat) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(log).with_context(|| format!("--log {log:?}"))?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().init(),
    }
    Ok(())
}

/// To stderr; that it is closed is no reason to stop.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
