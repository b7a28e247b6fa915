//! The simulated AWS Direct Connect: its API over HTTP and, behind each virtual
//! interface, a router in AWS's role.
//!
//! A request's way: `http` → `sigv4` (who calls) → `simulator`
//! (shape checked by `model`, then `operation` → the module named after what it
//! works on) → the answer, checked by `model` again. The router's way: the
//! simulator's intents → `service` → `router` (the seam) → `bgpd_router`, and
//! the sessions' states back.

pub mod association;
pub mod bgp_peer;
pub mod connection;
pub mod error;
pub mod failover_test;
pub mod gateway;
pub mod http;
pub mod id;
pub mod model;
pub mod operation;
pub mod page;
pub mod router;
pub mod router_configuration;
pub mod rules;
pub mod seed;
pub mod service;
pub mod sigv4;
pub mod simulator;
pub mod tag;
pub mod vif;
pub mod vif_create;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;

use router::{AwsRouter, NoRouter};
use seed::Seed;
use service::{Clock, Service};
use simulator::{Delays, Simulator};

/// Run the simulated AWS Direct Connect API.
///
/// It speaks AWS JSON 1.1 over plain HTTP, in Region
/// eu-central-1 unless --state says otherwise, and checks signatures against
/// these credentials, which open nothing else:
///
///   AWS_ACCESS_KEY_ID=AKIALABLABLABLABLAB1
///   AWS_SECRET_ACCESS_KEY=lab/of/no/worth/lab/of/no/worth/lab/0001
///
/// (…LAB2 and …0002 are those of a second account, for hosted interfaces.)
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
    /// Makes ids repeatable.
    #[arg(long, default_value_t = std::process::id().into())]
    seed: u64,
}

fn time_scale(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(scale @ 0.001..=100_000.0) => Ok(scale),
        _ => Err("not a number from 0.001 to 100000".into()),
    }
}

pub fn run(args: Args) -> anyhow::Result<()> {
    let seed = match &args.state {
        None => Seed::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("reading {}", path.display()))?;
            toml::from_str(&text).with_context(|| format!("in {}", path.display()))?
        }
    };
    let router: Box<dyn AwsRouter> = Box::new(NoRouter);
    serve(args, seed, router)
}

fn serve(args: Args, seed: Seed, mut router: Box<dyn AwsRouter>) -> anyhow::Result<()> {
    let clock = Clock::start(args.time_scale);
    let simulator = Simulator::new(seed, Delays::default(), clock.now(), args.seed);
    let service = Arc::new(Service::new(simulator, clock, args.seed));
    let driven = Arc::clone(&service);
    std::thread::Builder::new()
        .name("aws-router".into())
        .spawn(move || driven.drive(router.as_mut()))
        .context("starting the router's thread")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(args.listen)
            .await
            .with_context(|| format!("listening on {}", args.listen))?;
        println!("http://{}", listener.local_addr()?);
        axum::serve(listener, http::router(service)).await?;
        Ok(())
    })
}
