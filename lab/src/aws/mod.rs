//! The simulated AWS Direct Connect: its API over HTTP and, behind each virtual
//! interface, a router in AWS's role.
//!
//! A request's way: `http` → `sigv4` (who calls) → `simulator`
//! (shape checked by `dx_model`, then `operation` → the module named after what it
//! works on) → the answer, checked by `dx_model` again. The router's way: the
//! simulator's intents → `service` → `router` (the seam) → `bgpd_router`, and
//! the sessions' states back.

pub mod admin;
pub mod agreement;
pub mod association;
pub mod bgp_peer;
pub mod bgpd_router;
pub mod carrier;
pub mod connection;
pub mod error;
pub mod failover_test;
pub mod fault;
pub mod gateway;
pub mod http;
pub mod id;
pub mod interconnect;
pub mod lag;
pub mod loa;
pub mod location;
pub mod mac_sec;
pub mod operation;
pub mod page;
pub mod policy;
pub mod proposal;
pub mod rate_limit;
pub mod resiliency;
pub mod router;
pub mod router_configuration;
pub mod rules;
pub mod seed;
pub mod server;
pub mod service;
pub mod sigv4;
pub mod simulator;
pub mod tag;
pub mod vif;
pub mod vif_create;
pub mod vif_move;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;

use bgpd_router::{Backup, BgpdRouter, Place};
use fault::Fault;
use router::{AwsRouter, NoRouter};
use seed::Seed;
use server::{Server, Settings};

use crate::{interrupt, wait};

/// Run the simulated AWS Direct Connect API.
///
/// It speaks AWS JSON 1.1 over plain HTTP, in the Regions eu-central-1 and
/// eu-west-1 unless --state says otherwise, and checks signatures against these credentials, which open
/// nothing else:
///
///   AWS_ACCESS_KEY_ID=AKIALABLABLABLABLAB1
///   AWS_SECRET_ACCESS_KEY=lab/of/no/worth/lab/of/no/worth/lab/0001
///   AWS_REGION=eu-central-1
///   AWS_ENDPOINT_URL_DIRECT_CONNECT=http://127.0.0.1:4566
///
/// (…LAB2 and …0002 are those of a second account, a Direct Connect Partner, for
/// everything hosted.)
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Where to listen; port 0 takes a free one. The first line on standard
    /// output says which: `http://ADDRESS:PORT`.
    #[arg(long, default_value = "127.0.0.1:4566")]
    listen: SocketAddr,
    /// What AWS holds at the start (TOML); by default one available
    /// connection, dxcon-fglab001, one virtual private gateway and one transit
    /// gateway.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Simulated seconds a second. At 1, a virtual interface is pending for 20
    /// s and a deleted one is listed for 15 minutes.
    #[arg(long, default_value_t = 1.0, value_parser = time_scale)]
    time_scale: f64,
    /// Has the next calls of an operation go wrong (`*`: of any; `#7`: the
    /// seventh call). Without an effect: throttle, error, cut-before (the
    /// connection closes), hold (no answer comes). With their effect: lost (a
    /// server error), cut, hold-after, slow[=MILLISECONDS],
    /// late=MILLISECONDS (no answer, and the effect comes later),
    /// unknown-enum and unknown-state (the answer has values that no client
    /// knows).
    /// `POST /lab/faults` orders more while it runs, a line each, DELETE
    /// forgets them, `GET /lab/calls` tells what was called, and `POST
    /// /lab/policy` with an IAM policy denies what that doesn't allow.
    #[arg(long = "fault", value_name = "KIND:OPERATION[:COUNT]")]
    faults: Vec<Fault>,
    /// Makes ids repeatable.
    #[arg(long, default_value_t = std::process::id().into())]
    seed: u64,
    /// What plays AWS's router: it makes a VLAN interface and a BGP session for
    /// each virtual interface on a connection that has a `trunk` in --state.
    #[arg(long, value_enum, default_value_t = RouterKind::None)]
    router: RouterKind,
    /// The network namespace that the router is in; default: this one.
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// The program that plays the router.
    #[arg(long, value_name = "FILE", default_value = "bgpd")]
    bgpd: PathBuf,
    /// Where the router's configuration, keys and log go.
    #[arg(long, value_name = "DIRECTORY", default_value = "/run/lab-aws")]
    directory: PathBuf,
    /// The router's other way to customers, as a site-to-site VPN is.
    #[arg(long, value_name = "INTERFACE,GATEWAY[,GATEWAY6]")]
    backup: Option<Backup>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RouterKind {
    /// No router: every session stays down.
    None,
    Bgpd,
}

/// Serves until SIGINT or SIGTERM.
pub fn run(args: Args) -> anyhow::Result<()> {
    let seed = match &args.state {
        None => Seed::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("reading {}", path.display()))?;
            toml::from_str(&text).with_context(|| format!("in {}", path.display()))?
        }
    };
    let router: Box<dyn AwsRouter> = match args.router {
        RouterKind::None => Box::new(NoRouter),
        RouterKind::Bgpd => {
            let place = args.namespace.map_or(Place::Here, Place::Namespace);
            let router = BgpdRouter::new(place, &args.bgpd, &args.directory)?;
            Box::new(router.with_backup(args.backup))
        }
    };
    let settings = Settings {
        listen: args.listen,
        seed,
        time_scale: args.time_scale,
        random: args.seed,
        faults: args.faults,
    };
    interrupt::watch()?;
    let server = Server::start(settings, router)?;
    println!("{}", server.url());
    while wait::pause(Duration::from_secs(1)).is_ok() {}
    Ok(())
}

fn time_scale(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(scale @ 0.001..=100_000.0) => Ok(scale),
        _ => Err("not a number from 0.001 to 100000".into()),
    }
}
