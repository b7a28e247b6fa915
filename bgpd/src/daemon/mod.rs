//! Starts, reloads and stops everything else: one task that owns which sessions,
//! VIFs and listeners there are.
//!
//! In: signals, connections from the listeners, what sessions, router and fast
//! path tell, requests from [`crate::control`]. Out: commands to sessions,
//! router and fast path.
//!
//! - `keys`, `check`: key files, and what `bgpd check` says;
//! - `bfd`: who is watched by it;
//! - `sessions`: starts, stops and supervises them;
//! - `links`: VIFs' interfaces, and which link each path uses;
//! - `reload`: what a new configuration changes (pure), `apply`: changing it;
//! - `status`: what the control socket shows.

mod apply;
mod bfd;
pub mod check;
mod claim;
mod clean;
mod health;
mod ids;
mod journal;
mod keys;
mod links;
mod listeners;
mod moved_flows;
mod notify;
pub mod operator;
mod probing;
mod reload;
mod sessions;
mod status;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use bgp_core::PathId;
use bgp_core::api::EventKind;
use bgp_core::config::{Config, OnShutdown};
use bgp_core::peer::StopReason;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use crate::control::{self, Request};
use crate::fastpath::Standing;
use crate::log_limit::LogLimit;
use crate::transport::Connection;
use crate::{fastpath, fib, nat, probe, router, session};

use claim::Claim;
use ids::Ids;
use journal::{Journal, Weight};
use links::{Links, VifState};
use listeners::Listening;
use operator::Operator;
use probing::Ear;
use sessions::{News, Session};

pub use clean::{Clean, clean};
pub use status::Snapshot;

/// How often VIFs and links that are missing are looked for.
const TICK: Duration = Duration::from_secs(2);
/// How long sessions have to say goodbye.
const GOODBYE: Duration = Duration::from_secs(3);
/// How long the removal of the kernel's routes may take: a million take some 3 s
/// on an idle machine. Service managers wait for 90 s.
const REMOVAL: Duration = Duration::from_secs(60);
/// RFC 4724 §4.1: a peer that isn't there by then doesn't delay the others'
/// routes any longer.
const SELECTION_DEFERRAL: Duration = Duration::from_secs(30);
/// How long a peer that sent too many prefixes has to wait.
const PREFIX_LIMIT_RETRY: Duration = Duration::from_secs(60);

/// How often connections from addresses that no peer has are worth a line.
const STRANGERS: Duration = Duration::from_secs(60);

/// What to do about prefixes that `advertise_limit` keeps from a peer.
const HELD_BACK: &str = "are not announced, because there are more than `advertise_limit`; summarize them, or raise the limit on both sides";

/// Runs until SIGTERM or SIGINT. `config` is what `file` says.
pub async fn run(file: &Path, config: Config) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("can't wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("can't wait for SIGINT")?;
    let mut hangup = signal(SignalKind::hangup()).context("can't wait for SIGHUP")?;
    let socket = control::Socket::bind(&config.daemon.control).await?;
    let (mut daemon, mut inputs) = Daemon::start(file, config).await?;
    let server = control::serve(socket, daemon.requests.clone(), daemon.parts.router.clone());
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    notify::notify("READY=1");
    let signal = loop {
        let due = daemon.operator.next_timeout();
        let due = due.unwrap_or_else(|| Instant::now() + TICK).into();
        tokio::select! {
            // What moves traffic comes first.
            biased;
            Some(event) = inputs.fastpath.recv() => daemon.on_fastpath(event),
            Some(concluded) = inputs.health.recv() => daemon.on_concluded(concluded),
            Some(news) = inputs.news.recv() => daemon.on_news(news).await,
            Some(event) = inputs.router.recv() => daemon.on_router(event),
            Some(event) = inputs.bfd.recv() => daemon.on_bfd(event),
            Some(event) = inputs.nat.recv() => daemon.on_nat(event),
            Some(path) = inputs.back.recv() => daemon.on_path_back(path),
            _ = terminate.recv() => break "SIGTERM",
            _ = interrupt.recv() => break "SIGINT",
            _ = hangup.recv() => daemon.on_hangup().await,
            Some(connection) = inputs.accepted.recv() => daemon.on_accepted(connection),
            Some(request) = inputs.requests.recv() => daemon.on_request(request).await,
            () = tokio::time::sleep_until(due) => daemon.on_due().await,
            _ = tick.tick() => daemon.on_tick().await,
        }
    };
    notify::notify("STOPPING=1");
    daemon.stop(signal).await;
    server.stop().await;
    Ok(())
}

/// What the daemon's task listens to.
struct Inputs {
    accepted: mpsc::Receiver<Connection>,
    news: mpsc::UnboundedReceiver<News>,
    fastpath: mpsc::UnboundedReceiver<fastpath::Event>,
    health: mpsc::UnboundedReceiver<crate::health::Concluded>,
    bfd: mpsc::UnboundedReceiver<crate::bfd::Event>,
    nat: mpsc::UnboundedReceiver<nat::Event>,
    router: mpsc::UnboundedReceiver<router::Event>,
    /// Paths whose far end answers probes again.
    back: mpsc::UnboundedReceiver<PathId>,
    requests: mpsc::Receiver<Request>,
}

/// The threads and tasks that there is one of.
struct Parts {
    router: mpsc::Sender<router::Command>,
    steering: router::Steering,
    /// `None`: routes are not installed.
    fastpath: Option<fastpath::Handle>,
    fib: Option<fib::Handle>,
    bfd: crate::bfd::Handle,
    _claim: Option<Claim>,
    probe: probe::Handle,
    health: crate::health::Handle,
    /// `None` without a fast path.
    nat: Option<nat::Handle>,
    /// See [`restarting_until`].
    restarting_until: Option<Instant>,
}

struct Daemon {
    file: PathBuf,
    config: Arc<Config>,
    started: Instant,
    ids: Ids,
    journal: Journal,
    parts: Parts,
    listeners: Vec<Listening>,
    metrics: Option<control::MetricsServer>,
    sessions: BTreeMap<Arc<str>, Session>,
    vifs: BTreeMap<Arc<str>, VifState>,
    links: Links,
    operator: Operator,
    measures: control::Measures,
    accepted: mpsc::Sender<Connection>,
    news: mpsc::UnboundedSender<News>,
    requests: mpsc::Sender<Request>,
    strangers_log: LogLimit,
}

impl Daemon {
    async fn start(file: &Path, config: Config) -> anyhow::Result<(Self, Inputs)> {
        let (accepted, accepted_inbox) = mpsc::channel(64);
        let (news, news_inbox) = mpsc::unbounded_channel();
        let (requests, requests_inbox) = mpsc::channel(64);
        let (fastpath_events, fastpath_inbox) = mpsc::unbounded_channel();
        let (router_events, router_inbox) = mpsc::unbounded_channel();
        let (back, back_inbox) = mpsc::unbounded_channel();
        let (bfd_events, bfd_inbox) = mpsc::unbounded_channel();
        let (concluded, health_inbox) = mpsc::unbounded_channel();
        let (nat_events, nat_inbox) = mpsc::unbounded_channel();
        let parts = Parts::start(
            &config,
            fastpath_events,
            router_events,
            bfd_events,
            concluded,
            nat_events,
            back,
        )?;
        let operator = Operator::remembering(&config.daemon.control);
        let mut daemon = Self {
            file: file.to_owned(),
            config: Arc::new(config),
            started: Instant::now(),
            ids: Ids::default(),
            journal: Journal::default(),
            parts,
            listeners: Vec::new(),
            metrics: None,
            sessions: BTreeMap::new(),
            vifs: BTreeMap::new(),
            links: Links::default(),
            operator,
            measures: control::Measures::new(),
            accepted,
            news,
            requests,
            strangers_log: LogLimit::once_in(STRANGERS),
        };
        daemon.begin().await?;
        let inputs = Inputs {
            accepted: accepted_inbox,
            news: news_inbox,
            fastpath: fastpath_inbox,
            health: health_inbox,
            nat: nat_inbox,
            bfd: bfd_inbox,
            router: router_inbox,
            back: back_inbox,
            requests: requests_inbox,
        };
        Ok((daemon, inputs))
    }

    /// Brings up what the configuration asks for.
    async fn begin(&mut self) -> anyhow::Result<()> {
        let config = self.config.clone();
        self.listeners = listeners::bind(&config.daemon.listen, &self.accepted)?;
        if let Some(address) = config.daemon.metrics {
            self.metrics =
                Some(control::MetricsServer::start(address, self.requests.clone()).await?);
        }
        self.resume_drains();
        self.watch_paths();
        self.ensure_vifs().await;
        for peer in config.all_peers() {
            self.add_session(peer).await;
        }
        self.refresh_links().await;
        self.set_nat();
        self.set_probes();
        self.start_waiting_sessions().await;
        self.journal.info(
            "bgpd",
            format!(
                "started with {}: {} sessions",
                self.file.display(),
                self.sessions.len()
            ),
        );
        Ok(())
    }

    /// Says goodbye to every peer, and leaves or removes the routes. The fib
    /// ends first: with `keep`, what the router withdraws from here on must not
    /// reach the kernel. Where a session has a backup, its traffic moves there:
    /// nobody watches the link from now on.
    async fn stop(&mut self, signal: &str) {
        self.journal.info("bgpd", format!("stopping: {signal}"));
        if let Some(fib) = self.parts.fib.take() {
            let routes = self.config.daemon.kernel.on_shutdown;
            let wait = match routes {
                OnShutdown::Keep => GOODBYE,
                OnShutdown::Remove => REMOVAL,
            };
            let done = tokio::task::spawn_blocking(move || fib.shutdown(routes));
            if tokio::time::timeout(wait, done).await.is_err() {
                tracing::warn!("the kernel's routes are not all done after {wait:?}");
            }
        }
        let words = self.config.daemon.shutdown_message.clone();
        let reason = match self.config.daemon.kernel.on_shutdown {
            OnShutdown::Keep => StopReason::Restart(words),
            OnShutdown::Remove => StopReason::AdministrativeShutdown(words),
        };
        let names: Vec<_> = self
            .sessions
            .keys()
            .map(|name| (name.clone(), reason.clone()))
            .collect();
        self.stop_sessions(names).await;
        // Not before: BIRD takes AdminDown for a failure, against RFC 5882 §3.2, and
        // would not wait for our restart.
        let bfd = self.parts.bfd.clone();
        let disabled = tokio::task::spawn_blocking(move || bfd.disable());
        let _ = tokio::time::timeout(GOODBYE, disabled).await;
        self.parts.health.end();
        if let Some(fastpath) = self.parts.fastpath.take() {
            // It answers once it has done what the sessions told it.
            let told = tokio::task::spawn_blocking(move || fastpath.paths());
            let _ = tokio::time::timeout(GOODBYE, told).await;
        }
        let kernel = &self.config.daemon.kernel;
        if self.parts.nat.take().is_some()
            && kernel.on_shutdown == OnShutdown::Remove
            && let Err(error) = nat::remove(kernel.protocol)
        {
            let table = nat::table(kernel.protocol);
            tracing::warn!("the nftables table {table} stays: {error}");
        }
    }

    fn on_fastpath(&mut self, event: fastpath::Event) {
        match event {
            fastpath::Event::Carrier { ifindex, up, .. } => self.on_carrier(ifindex, up),
            fastpath::Event::Swapped {
                path,
                standing,
                reason,
                groups,
                stranded,
                took,
                ..
            } => {
                let name = self.ids.name(path);
                let mut text = match standing {
                    Standing::Good => "path is up".to_owned(),
                    Standing::Degraded => format!("path is degraded: {reason}"),
                    Standing::Held => format!("path is held: {reason}"),
                    Standing::Drained => format!("path is {reason}"),
                    Standing::Down => format!("path is down: {reason}"),
                };
                if groups > 0 {
                    self.measures.observe_swap(took);
                    text.push_str(&format!("; {groups} groups moved in {took:?}"));
                    self.look_for_moved_flows();
                }
                let weight = match (standing, stranded) {
                    (Standing::Good | Standing::Held | Standing::Drained, 0) => Weight::Info,
                    (Standing::Degraded | Standing::Down, 0) => Weight::Warning,
                    _ => Weight::Error,
                };
                let kind = match groups {
                    0 => EventKind::Other,
                    _ => EventKind::Swap,
                };
                self.journal.tell(weight, kind, &name, text, Vec::new());
            }
        }
    }

    fn on_router(&mut self, event: router::Event) {
        match event {
            router::Event::PrefixLimit {
                path,
                family,
                limit,
            } => {
                let name = self.ids.name(path);
                let retry_after = PREFIX_LIMIT_RETRY;
                self.journal.error(
                    &name,
                    format!("more than {limit} {family} prefixes (`prefix_limit`): session closed, next attempt in {retry_after:?}"),
                );
                self.tell(
                    &name,
                    session::Command::Stop(StopReason::MaximumPrefixes {
                        family,
                        limit,
                        retry_after,
                    }),
                );
            }
            router::Event::InitialRoutes { path } => {
                self.journal
                    .info(&self.ids.name(path), "the peer's routes are in");
            }
            router::Event::HeldBack {
                path,
                family,
                prefixes,
            } => {
                let name = self.ids.name(path);
                if prefixes == 0 {
                    self.journal
                        .info(&name, format!("every {family} prefix is announced again"));
                } else {
                    self.journal
                        .error(&name, format!("{prefixes} {family} prefixes {HELD_BACK}"));
                }
            }
        }
    }

    fn on_accepted(&mut self, connection: Connection) {
        let remote = connection.remote;
        let session = self
            .sessions
            .values()
            .find(|session| session.is_from(&remote));
        match session {
            Some(session) => session.accepted(connection),
            None => {
                if let Some(suppressed) = self.strangers_log.pass(Instant::now()) {
                    tracing::info!(
                        suppressed,
                        "connection from {remote} refused: no peer has this address"
                    );
                }
            }
        }
    }

    async fn on_hangup(&mut self) {
        // Both outcomes are in the journal and the log.
        let _ = self.reload().await;
    }

    async fn on_request(&mut self, request: Request) {
        match request {
            Request::Snapshot(answer) => {
                let _ = answer.send(self.snapshot());
            }
            Request::Events(query, answer) => {
                let _ = answer.send(self.journal.after(&query));
            }
            Request::Order(order, answer) => {
                let outcome = self.on_order(order).await;
                let _ = answer.send(outcome);
            }
            Request::Reload(answer) => {
                let outcome = self.reload().await;
                let _ = answer.send(outcome);
            }
        }
    }

    async fn on_tick(&mut self) {
        self.ensure_vifs().await;
        self.refresh_links().await;
        self.set_probes();
        self.start_waiting_sessions().await;
        self.withdraw_drained().await;
        self.count_prefixes();
        self.look_for_moved_flows();
    }
}

impl Parts {
    fn start(
        config: &Config,
        fastpath_events: mpsc::UnboundedSender<fastpath::Event>,
        router_events: mpsc::UnboundedSender<router::Event>,
        bfd_events: mpsc::UnboundedSender<crate::bfd::Event>,
        concluded: mpsc::UnboundedSender<crate::health::Concluded>,
        nat_events: mpsc::UnboundedSender<nat::Event>,
        back: mpsc::UnboundedSender<PathId>,
    ) -> anyhow::Result<Self> {
        let (router, inbox) = router::channel();
        let kernel = &config.daemon.kernel;
        let mut claim = None;
        let (fastpath, fib) = if kernel.install {
            claim = Claim::take(kernel.protocol)?;
            let fastpath = fastpath::spawn(kernel, fastpath_events)
                .context("can't manage nexthops in the kernel (bgpd needs CAP_NET_ADMIN)")?;
            let fib = fib::spawn(kernel.clone(), fastpath.clone(), router.clone())
                .context("can't manage routes in the kernel (bgpd needs CAP_NET_ADMIN)")?;
            (Some(fastpath), Some(fib))
        } else {
            (None, None)
        };
        let restarting_until = restarting_until(config, fib.as_ref());
        let settings = router::Settings {
            asn: config.daemon.asn,
            router_id: config.daemon.router_id,
            selects_by: restarting_until,
        };
        let steering = router::spawn(
            settings,
            fib.clone(),
            fastpath.clone(),
            router_events,
            inbox,
        )
        .context("can't start the router's thread")?;
        let health = crate::health::spawn(fastpath.clone(), steering.clone(), concluded)
            .context("can't start health's thread")?;
        let nat = match &fastpath {
            Some(fastpath) => {
                let tell = move |event| drop(nat_events.send(event));
                let spawned = nat::spawn(kernel.protocol, fastpath.clone(), tell);
                Some(spawned.context("can't start the thread for source addresses")?)
            }
            None => None,
        };
        let ear = Ear {
            health: health.clone(),
            fastpath: fastpath.clone(),
            back,
        };
        let probe = probe::spawn(Box::new(ear)).context("can't start the prober's thread")?;
        let prober = probe.clone();
        health.set_prober(move |path, interval| prober.hasten(path, interval));
        // The router waits for peers, which a reload may bring: nobody else's
        // routes are worth waiting for.
        let has_sessions = !(config.peers.is_empty() && config.vifs.is_empty());
        if let Some(fib) = fib.as_ref().filter(|_| !has_sessions) {
            fib.converged(Vec::new());
        }
        let bfd =
            crate::bfd::spawn(fastpath.clone(), bfd_events).context("can't start BFD's thread")?;
        Ok(Self {
            bfd,
            health,
            nat,
            router,
            steering,
            fastpath,
            fib,
            _claim: claim,
            probe,
            restarting_until,
        })
    }
}

/// RFC 4724 §4.1: until when the selection of routes is put off for the peers'
/// End-of-RIB. An earlier run's routes in the kernel say that it has not booted
/// since and forwards what it did, for both families. The peers keep our routes
/// for their restart time: they must have heard of them anew well before.
fn restarting_until(config: &Config, fib: Option<&fib::Handle>) -> Option<Instant> {
    let restart_times = config.all_peers().filter_map(|peer| peer.graceful_restart);
    let shortest = restart_times.min()?;
    let has_adopted = fib.is_some_and(fib::Handle::has_adopted);
    has_adopted.then(|| Instant::now() + SELECTION_DEFERRAL.min(shortest / 2))
}
