//! The course of a test or drill: a while as it is, sessions down, and back.
//! Whatever happens in between, what was started is stopped.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bgp_core::api::{EventsQuery, LoggedEvent, Status};
use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use super::super::{daemon, events};
use super::fault::Fault;
use super::links::{self, Octets};
use super::preflight::Subject;
use super::traffic::{Means, Probe, Target, Traffic};
use crate::control::Control;
use crate::output::note;

/// What is to be done.
pub(super) struct Plan {
    pub(super) subject: Subject,
    pub(super) targets: Vec<Target>,
    pub(super) means: Means,
    pub(super) interval: Duration,
    /// Down for so long.
    pub(super) duration: Duration,
    /// Wait at most so long for everything to be back.
    pub(super) recovery: Duration,
    /// Prefixes that the VIF carried before.
    pub(super) carried: u64,
}

/// When what happened, in seconds since the beginning; `None`: it didn't.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Marks {
    /// AWS or bgpd was told.
    pub(super) started: Option<f64>,
    /// A session was seen to be down.
    pub(super) down: Option<f64>,
    /// AWS or bgpd was told to stop.
    pub(super) stopping: Option<f64>,
    /// And said that it has.
    pub(super) stopped: Option<f64>,
    /// Every session was up again, and the traffic back.
    pub(super) back: Option<f64>,
    pub(super) end: f64,
}

/// bgpd and the kernel, looked at once.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) at: f64,
    /// Empty when bgpd did not answer.
    pub(super) carries: BTreeMap<String, u64>,
    pub(super) octets: BTreeMap<String, Octets>,
    sessions_up: usize,
}

/// All that was seen.
pub(super) struct Course {
    pub(super) began: SystemTime,
    pub(super) marks: Marks,
    /// By target; `None`: the measurement failed.
    pub(super) probes: Vec<(IpAddr, Option<Vec<Probe>>)>,
    pub(super) samples: Vec<Sample>,
    pub(super) events: Vec<LoggedEvent>,
    /// Why it is not what it should be.
    pub(super) troubles: Vec<String>,
    /// It could not be stopped: what to do now.
    pub(super) still_running: Option<String>,
}

/// How long it is watched before and after.
const MARGIN: Duration = Duration::from_secs(2);
/// AWS takes its time to act.
const UNTIL_DOWN: Duration = Duration::from_secs(120);
const EVERY: Duration = Duration::from_millis(100);

pub(super) async fn run(plan: &Plan, fault: &Fault, control: &Control) -> anyhow::Result<Course> {
    let mut interrupt = Interrupt::listen()?;
    let earlier = control.events(&EventsQuery::default()).await?.events;
    let seen = earlier.last().map_or(0, |event| event.sequence);
    let origin = Instant::now();
    let began = SystemTime::now();
    let watch = Watch::start(plan.subject.clone(), control.clone(), origin);
    let traffic = Traffic::start(&plan.targets, plan.means, plan.interval, origin)?;
    let mut conduct = Conduct {
        plan,
        fault,
        watch: &watch,
        traffic: &traffic,
        origin,
        marks: Marks::default(),
        troubles: Vec::new(),
        still_running: None,
    };
    conduct.run(&mut interrupt).await;
    let Conduct {
        mut marks,
        mut troubles,
        still_running,
        ..
    } = conduct;
    marks.end = origin.elapsed().as_secs_f64();
    let probes = tokio::task::spawn_blocking(|| traffic.finish()).await?;
    if probes.iter().any(|(_, probes)| probes.is_none()) {
        troubles.push("the measuring itself failed (a bug): please report it".to_owned());
    }
    let events = events::since(control, Some(seen))
        .await
        .unwrap_or_else(|error| {
            troubles.push(format!("bgpd's events are missing: {error}"));
            Vec::new()
        });
    Ok(Course {
        began,
        marks,
        probes,
        samples: watch.finish(),
        events,
        troubles,
        still_running,
    })
}

struct Conduct<'a> {
    plan: &'a Plan,
    fault: &'a Fault,
    watch: &'a Watch,
    traffic: &'a Traffic,
    origin: Instant,
    marks: Marks,
    troubles: Vec<String>,
    still_running: Option<String>,
}

impl Conduct<'_> {
    async fn run(&mut self, interrupt: &mut Interrupt) {
        if self.pause(MARGIN, interrupt).await.is_err() {
            self.troubles
                .push("interrupted before anything was taken down".to_owned());
            return;
        }
        self.marks.started = Some(self.now());
        note(format_args!("taking down {} …", self.plan.subject.name));
        let started = self.fault.start(self.plan.duration).await;
        match started {
            Ok(()) => self.stay_down(interrupt).await,
            Err(error) => {
                self.troubles.push(format!("it did not start: {error:#}"));
                if !error.may_have_started() {
                    return;
                }
            }
        }
        self.stop().await;
        self.come_back(interrupt).await;
    }

    async fn stay_down(&mut self, interrupt: &mut Interrupt) {
        let waited = self
            .until(UNTIL_DOWN, interrupt, |watch, plan| {
                watch.latest_up() < plan.subject.sessions.len()
            })
            .await;
        match waited {
            Ok(true) => {
                self.marks.down = Some(self.now());
                note(format_args!(
                    "a session is down, for {:.0} s now; Ctrl-C ends it sooner",
                    self.plan.duration.as_secs_f64()
                ));
                if let Err(why) = self.pause(self.plan.duration, interrupt).await {
                    self.troubles.push(why);
                }
            }
            Ok(false) => self.troubles.push(format!(
                "no session went down within {} s",
                UNTIL_DOWN.as_secs()
            )),
            Err(why) => self.troubles.push(why),
        }
    }

    async fn stop(&mut self) {
        self.marks.stopping = Some(self.now());
        note("ending it …");
        match self.fault.stop().await {
            Ok(()) => self.marks.stopped = Some(self.now()),
            Err(error) => {
                let what_to_do = self.fault.by_hand();
                note(format_args!(
                    "error: IT COULD NOT BE STOPPED: {error:#}\n{what_to_do}"
                ));
                self.troubles
                    .push(format!("it could not be stopped: {error:#}"));
                self.still_running = Some(what_to_do);
            }
        }
    }

    async fn come_back(&mut self, interrupt: &mut Interrupt) {
        note("waiting for the sessions and the traffic to be back …");
        let is_back = |watch: &Watch, plan: &Plan| {
            let carried = plan.carried == 0 || watch.latest_carried(&plan.subject) > 0;
            watch.latest_up() == plan.subject.sessions.len() && carried
        };
        match self.until(self.plan.recovery, interrupt, is_back).await {
            Ok(true) => {
                self.marks.back = Some(self.now());
                if let Err(why) = self.pause(MARGIN, interrupt).await {
                    self.troubles.push(why);
                }
            }
            Ok(false) => self.troubles.push(format!(
                "not everything was back after {:.0} s",
                self.plan.recovery.as_secs_f64()
            )),
            Err(why) => self.troubles.push(why),
        }
    }

    async fn pause(&self, time: Duration, interrupt: &mut Interrupt) -> Result<(), String> {
        self.until(time, interrupt, |_, _| false).await.map(drop)
    }

    /// Whether `reached` became true in time. `Err`: there is no sense in going on.
    async fn until(
        &self,
        limit: Duration,
        interrupt: &mut Interrupt,
        reached: impl Fn(&Watch, &Plan) -> bool,
    ) -> Result<bool, String> {
        let end = Instant::now() + limit;
        loop {
            if self.traffic.has_failed() || self.watch.has_failed() {
                return Err("the measuring failed".to_owned());
            }
            if reached(self.watch, self.plan) {
                return Ok(true);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            if timeout(left.min(EVERY), interrupt.heard()).await.is_ok() {
                return Err("interrupted".to_owned());
            }
        }
    }

    fn now(&self) -> f64 {
        self.origin.elapsed().as_secs_f64()
    }
}

/// Ctrl-C, SIGTERM, and a terminal that is closed.
struct Interrupt {
    signals: [Signal; 3],
}

impl Interrupt {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            signals: [
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
            ],
        })
    }

    async fn heard(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// Looks at bgpd and at the interfaces, again and again.
struct Watch {
    samples: Arc<Mutex<Vec<Sample>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Watch {
    fn start(subject: Subject, control: Control, origin: Instant) -> Self {
        let samples: Arc<Mutex<Vec<Sample>>> = Arc::default();
        let sink = Arc::clone(&samples);
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(EVERY);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            loop {
                ticks.tick().await;
                let status = control.status().await.ok();
                let at = origin.elapsed().as_secs_f64();
                let sample = Sample::of(at, status.as_ref(), &subject);
                sink.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(sample);
            }
        });
        Self { samples, task }
    }

    fn has_failed(&self) -> bool {
        self.task.is_finished()
    }

    fn latest<T>(&self, of: impl Fn(&Sample) -> T) -> Option<T> {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.last().map(of)
    }

    /// Sessions of the VIF that are up. Before the first look: as if all were.
    fn latest_up(&self) -> usize {
        self.latest(|sample| sample.sessions_up)
            .unwrap_or(usize::MAX)
    }

    fn latest_carried(&self, subject: &Subject) -> u64 {
        self.latest(|sample| sample.carried(subject)).unwrap_or(0)
    }

    fn finish(self) -> Vec<Sample> {
        self.task.abort();
        std::mem::take(&mut *self.samples.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sample {
    fn of(at: f64, status: Option<&Status>, subject: &Subject) -> Self {
        let mut octets = links::octets();
        let backups = subject
            .backups
            .iter()
            .filter_map(|one| one.interface.as_ref());
        let wanted: Vec<&String> = subject.interfaces.iter().chain(backups).collect();
        octets.retain(|name, _| wanted.contains(&name));
        let paths = status
            .map(|status| status.paths.as_slice())
            .unwrap_or_default();
        let is_up = |name: &&String| {
            let peer = status.and_then(|status| daemon::peer(status, name));
            peer.is_some_and(|peer| peer.state == "Established")
        };
        Self {
            at,
            carries: paths
                .iter()
                .map(|path| (path.name.clone(), path.carries))
                .collect(),
            octets,
            sessions_up: subject.sessions.iter().filter(is_up).count(),
        }
    }

    pub(super) fn carried(&self, subject: &Subject) -> u64 {
        let of = |name: &String| self.carries.get(name).copied().unwrap_or(0);
        subject.sessions.iter().map(of).sum()
    }
}
