//! Prometheus over HTTP. All but the swaps' durations is read from a snapshot
//! at each scrape, so no counter is kept twice.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bgp_core::api::{Health, PeerStatus, Status};
use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry, TextEncoder,
};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::bfd_metrics::bfd;
use super::limited::Limited;
use super::probe_metrics::probes;
use super::{Request, ask};
use crate::fib;

/// What can't be read from a snapshot.
#[derive(Clone)]
pub struct Measures {
    swaps: Histogram,
    moves: IntCounter,
    transitions: IntCounterVec,
}

impl Default for Measures {
    fn default() -> Self {
        Self::new()
    }
}

impl Measures {
    pub fn new() -> Self {
        let buckets = vec![
            0.000_02, 0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.1, 1.0,
        ];
        let options = HistogramOpts::new(
            "bgpd_swap_duration_seconds",
            "Time from an event to the kernel's answer when traffic is moved to another path",
        )
        .buckets(buckets);
        let moves = IntCounter::new("bgpd_swaps_total", "Times that traffic was moved");
        let transitions = Opts::new(
            "bgpd_path_health_transitions_total",
            "Times that a path's health has changed",
        );
        let transitions = IntCounterVec::new(transitions, &["path", "from", "to"]);
        Self {
            swaps: Histogram::with_opts(options).expect("invariant: name and buckets are valid"),
            moves: moves.expect("invariant: the name is valid"),
            transitions: transitions.expect("invariant: the names are valid"),
        }
    }

    pub fn observe_swap(&self, took: Duration) {
        self.swaps.observe(took.as_secs_f64());
        self.moves.inc();
    }

    pub fn observe_transition(&self, path: &str, from: Health, to: Health) {
        let labels = [path, health_name(from), health_name(to)];
        self.transitions.with_label_values(&labels).inc();
    }
}

/// Serves `/metrics` until dropped.
pub struct MetricsServer {
    task: AbortHandle,
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl MetricsServer {
    pub async fn start(address: SocketAddr, daemon: mpsc::Sender<Request>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("can't serve metrics on {address} (`metrics`)"))?;
        let app = Router::new()
            .route("/metrics", get(scrape))
            .layer(middleware::from_fn(super::isolated))
            .with_state(daemon);
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(Limited::new(listener), app).await {
                tracing::error!("metrics fail: {error}");
            }
        });
        Ok(Self {
            task: task.abort_handle(),
        })
    }
}

async fn scrape(State(daemon): State<mpsc::Sender<Request>>) -> Response {
    let Some(snapshot) = ask(&daemon, Request::Snapshot).await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let (measures, fib) = (snapshot.measures.clone(), snapshot.fib.clone());
    match render(&snapshot.complete().await, &measures, fib.as_ref()) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn render(
    status: &Status,
    measures: &Measures,
    fib: Option<&fib::Handle>,
) -> prometheus::Result<String> {
    let registry = Registry::new();
    registry.register(Box::new(measures.swaps.clone()))?;
    registry.register(Box::new(measures.moves.clone()))?;
    registry.register(Box::new(measures.transitions.clone()))?;
    registry.register(Box::new(
        prometheus::process_collector::ProcessCollector::for_self(),
    ))?;
    process(status, &registry)?;
    peers(status, &registry)?;
    paths(status, &registry)?;
    health(status, &registry)?;
    bfd(&status.peers, &registry)?;
    kernel(status, &registry)?;
    if let Some(fib) = fib {
        repairs(fib, &registry)?;
        registry.register(Box::new(fib.latency()))?;
    }
    TextEncoder::new().encode_to_string(&registry.gather())
}

pub const fn health_name(state: Health) -> &'static str {
    match state {
        Health::Up => "up",
        Health::Suspect => "suspect",
        Health::Degraded => "degraded",
        Health::Down => "down",
        Health::Recovering => "recovering",
        Health::Held => "held",
    }
}

pub(super) fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn process(status: &Status, registry: &Registry) -> prometheus::Result<()> {
    let info = register(
        registry,
        IntGaugeVec::new(
            Opts::new("bgpd_info", "Always 1"),
            &["version", "router_id", "asn"],
        )?,
    )?;
    info.with_label_values(&[
        &status.version,
        &status.router_id.to_string(),
        &status.asn.to_string(),
    ])
    .set(1);
    register(
        registry,
        Gauge::new("bgpd_uptime_seconds", "Time since start")?,
    )?
    .set(status.uptime);
    register(
        registry,
        IntGauge::new(
            "bgpd_problems",
            "Things that are wrong, as the status lists them",
        )?,
    )?
    .set(status.problems.len() as i64);
    let vif = register(
        registry,
        IntGaugeVec::new(
            Opts::new("bgpd_vif_ready", "The VIF's interface is as configured"),
            &["vif"],
        )?,
    )?;
    for one in &status.vifs {
        vif.with_label_values(&[&one.name])
            .set(i64::from(one.error.is_none()));
    }
    Ok(())
}

fn peers(status: &Status, registry: &Registry) -> prometheus::Result<()> {
    let gauge = |name, help| {
        register(
            registry,
            IntGaugeVec::new(Opts::new(name, help), &["peer"])?,
        )
    };
    let counter = |name, help| {
        register(
            registry,
            IntCounterVec::new(Opts::new(name, help), &["peer"])?,
        )
    };
    let up = gauge("bgpd_session_up", "The session is Established")?;
    let state_seconds = register(
        registry,
        GaugeVec::new(
            Opts::new("bgpd_session_state_seconds", "Time in the present state"),
            &["peer", "state"],
        )?,
    )?;
    let flaps = counter(
        "bgpd_session_flaps_total",
        "Times that the session went down",
    )?;
    let panics = counter(
        "bgpd_session_panics_total",
        "Times that the session's task has failed, which is a bug",
    )?;
    let received = counter(
        "bgpd_updates_received_total",
        "UPDATE messages from the peer",
    )?;
    let sent = counter("bgpd_updates_sent_total", "UPDATE messages to the peer")?;
    let malformed = counter(
        "bgpd_updates_malformed_total",
        "UPDATE messages with errors (RFC 7606)",
    )?;
    let prefixes = register(
        registry,
        IntGaugeVec::new(
            Opts::new("bgpd_prefixes", "Prefixes by what became of them"),
            &["peer", "kind"],
        )?,
    )?;
    for peer in &status.peers {
        let name = peer.name.as_str();
        up.with_label_values(&[name])
            .set(i64::from(peer.state == "Established"));
        state_seconds
            .with_label_values(&[name, &peer.state])
            .set(peer.since);
        flaps.with_label_values(&[name]).inc_by(peer.flaps);
        panics.with_label_values(&[name]).inc_by(peer.panics);
        received
            .with_label_values(&[name])
            .inc_by(peer.messages.updates_received);
        sent.with_label_values(&[name])
            .inc_by(peer.messages.updates_sent);
        malformed
            .with_label_values(&[name])
            .inc_by(peer.messages.updates_malformed);
        for (kind, count) in kinds(peer) {
            prefixes
                .with_label_values(&[name, kind])
                .set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
    Ok(())
}

fn kinds(peer: &PeerStatus) -> [(&'static str, u64); 6] {
    let counts = &peer.prefixes;
    [
        ("received", counts.received),
        ("accepted", counts.accepted),
        ("best", counts.best),
        ("advertised", counts.advertised),
        ("held_back", counts.held_back),
        ("stale", counts.stale),
    ]
}

fn health(status: &Status, registry: &Registry) -> prometheus::Result<()> {
    let gauge = |name: &str, help: &str, labels: &[&str]| -> prometheus::Result<GaugeVec> {
        register(registry, GaugeVec::new(Opts::new(name, help), labels)?)
    };
    let state = gauge(
        "bgpd_path_health",
        "1 for the state that the path is in, 0 for the others",
        &["path", "state"],
    )?;
    let failures = gauge(
        "bgpd_path_failures",
        "Failures of the path that its hold time remembers",
        &["path"],
    )?;
    let returns = gauge(
        "bgpd_path_returns_in_seconds",
        "Until the path may carry traffic again, if all stays well",
        &["path"],
    )?;
    let drained = gauge(
        "bgpd_path_drained",
        "Somebody has asked that the path carry no traffic",
        &["path"],
    )?;
    for path in &status.paths {
        let name = path.name.as_str();
        drained
            .with_label_values(&[name])
            .set(f64::from(u8::from(path.drained.is_some())));
        for one in HEALTH {
            let is_in = f64::from(u8::from(path.health.state == one));
            state
                .with_label_values(&[name, health_name(one)])
                .set(is_in);
        }
        let health = &path.health;
        failures
            .with_label_values(&[name])
            .set(health.failures.into());
        if let Some(left) = health.returns_in {
            returns.with_label_values(&[name]).set(left);
        }
    }
    Ok(())
}

const HEALTH: [Health; 6] = [
    Health::Up,
    Health::Suspect,
    Health::Degraded,
    Health::Down,
    Health::Recovering,
    Health::Held,
];

fn paths(status: &Status, registry: &Registry) -> prometheus::Result<()> {
    let up = register(
        registry,
        IntGaugeVec::new(
            Opts::new("bgpd_path_up", "Traffic can leave by this path"),
            &["path"],
        )?,
    )?;
    let carries = register(
        registry,
        IntGaugeVec::new(
            Opts::new(
                "bgpd_path_prefixes",
                "Prefixes whose traffic leaves by this path now",
            ),
            &["path"],
        )?,
    )?;
    for path in &status.paths {
        let name = path.name.as_str();
        up.with_label_values(&[name]).set(i64::from(path.up));
        carries
            .with_label_values(&[name])
            .set(i64::try_from(path.carries).unwrap_or(i64::MAX));
    }
    probes(&status.paths, registry)?;
    Ok(())
}

fn kernel(status: &Status, registry: &Registry) -> prometheus::Result<()> {
    let gauge = |name: &str, help: &str, value: u64| -> prometheus::Result<()> {
        register(registry, IntGauge::new(name, help)?)?
            .set(i64::try_from(value).unwrap_or(i64::MAX));
        Ok(())
    };
    let kernel = &status.kernel;
    gauge(
        "bgpd_kernel_routes",
        "Routes of ours in the kernel",
        kernel.routes,
    )?;
    gauge(
        "bgpd_kernel_nexthops",
        "Nexthop objects of ours in the kernel",
        kernel.nexthops,
    )?;
    gauge(
        "bgpd_kernel_nexthop_groups",
        "Nexthop groups of ours in the kernel",
        kernel.groups,
    )?;
    gauge(
        "bgpd_kernel_fast_swap",
        "net.ipv4.nexthop_compat_mode is 0",
        u64::from(kernel.fast_swap),
    )?;
    register(
        registry,
        IntCounter::new(
            "bgpd_kernel_errors_total",
            "Requests that the kernel refused",
        )?,
    )?
    .inc_by(kernel.errors);
    Ok(())
}

fn repairs(fib: &fib::Handle, registry: &Registry) -> prometheus::Result<()> {
    let counter = |name, help, value| -> prometheus::Result<()> {
        register(registry, IntCounter::new(name, help)?)?.inc_by(value);
        Ok(())
    };
    counter(
        "bgpd_kernel_repairs_total",
        "Routes that were otherwise in the kernel than they should be, and were put right",
        fib.differences(),
    )?;
    counter(
        "bgpd_kernel_overruns_total",
        "Times that the kernel told of more changes than could be heard (ENOBUFS); all routes were compared",
        fib.overruns(),
    )
}
