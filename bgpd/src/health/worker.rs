//! The thread: hears, concludes, tells.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use bgp_core::PathId;
use bgp_core::path::{PathHealth, Target, Transition, Trust};
use bgp_core::policy::Stance;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use tokio::sync::mpsc;

use super::{Command, Concluded, Prober, Watched};
use crate::fastpath::{self, Voice};
use crate::netlink::{Mailbox, Taken};
use crate::realtime;
use crate::router::{Pilot, Steering};

pub(super) struct Worker {
    inbox: Mailbox<Command>,
    fastpath: Option<fastpath::Handle>,
    steering: Steering,
    concluded: mpsc::UnboundedSender<Concluded>,
    prober: Option<Prober>,
    paths: HashMap<PathId, Path>,
}

struct Path {
    health: PathHealth,
    /// What it was last concluded to be good for; `None`: nothing yet.
    trust: Option<Trust>,
    targets: Vec<Target>,
    /// See [`Watched::silent`].
    silent: Option<Vec<PathId>>,
    /// What the far end was told last.
    stance: Stance,
    /// What the prober was told last.
    interval: Option<Duration>,
}

impl Worker {
    pub(super) fn new(
        inbox: Mailbox<Command>,
        fastpath: Option<fastpath::Handle>,
        steering: Steering,
        concluded: mpsc::UnboundedSender<Concluded>,
    ) -> Self {
        Self {
            inbox,
            fastpath,
            steering,
            concluded,
            prober: None,
            paths: HashMap::new(),
        }
    }

    pub(super) fn run(mut self) {
        realtime::enter("health");
        loop {
            self.wait();
            self.inbox.acknowledge();
            loop {
                match self.inbox.take() {
                    Taken::Item(Command::End) | Taken::Closed => return,
                    Taken::Item(command) => self.obey(command),
                    Taken::Empty => break,
                }
            }
            self.handle_timeouts();
        }
    }

    fn wait(&self) {
        let next = self
            .paths
            .values()
            .filter_map(|path| path.health.next_timeout());
        let timeout = next.min().map(|at| {
            // ppoll(2) rounds down to nothing what is left of a microsecond.
            let left = at.saturating_duration_since(Instant::now());
            TimeSpec::from(left + Duration::from_micros(1))
        });
        let mut waiting = [PollFd::new(self.inbox.as_fd(), PollFlags::POLLIN)];
        // Interrupted or not: what is there is looked at.
        let _ = ppoll(&mut waiting, timeout, None);
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Watch(paths) => self.watch(paths),
            Command::Hear(id, evidence, at) => {
                if let Some(path) = self.paths.get_mut(&id) {
                    path.health.hear(evidence, at);
                    self.act(id);
                }
            }
            Command::Samples(samples) => {
                let now = Instant::now();
                for sample in samples {
                    if let Some(path) = self.paths.get_mut(&sample.path) {
                        let evidence = bgp_core::path::Evidence::Probe(sample);
                        path.health.hear(evidence, now);
                        self.act(sample.path);
                    }
                }
            }
            Command::Prober(prober) => {
                self.prober = Some(prober);
                for path in self.paths.values_mut() {
                    path.interval = None;
                }
            }
            Command::End => {}
            Command::Statuses(answer) => {
                let now = Instant::now();
                let statuses = self.paths.iter();
                let statuses = statuses.map(|(id, path)| (*id, path.health.status(now)));
                let _ = answer.send(statuses.collect());
            }
        }
    }

    fn watch(&mut self, wanted: Vec<Watched>) {
        let now = Instant::now();
        self.paths
            .retain(|id, _| wanted.iter().any(|watched| watched.path == *id));
        for Watched {
            path: id,
            settings,
            targets,
            silent,
        } in wanted
        {
            let path = self.paths.entry(id).or_insert_with(|| Path {
                health: PathHealth::new(settings.clone(), now),
                trust: None,
                targets: targets.clone(),
                silent: None,
                stance: Stance::Normal,
                interval: None,
            });
            path.silent = silent;
            path.health.configure(settings, now);
            if path.targets != targets {
                path.health.keep_targets(&targets, now);
                path.targets = targets;
            }
            self.act(id);
        }
        self.steer();
    }

    fn handle_timeouts(&mut self) {
        let now = Instant::now();
        let due: Vec<PathId> = self
            .paths
            .iter_mut()
            .filter_map(|(id, path)| {
                path.health.next_timeout().filter(|at| *at <= now)?;
                path.health.handle_timeout(now);
                Some(*id)
            })
            .collect();
        for id in due {
            self.act(id);
        }
    }

    /// Tells what a path's machine has concluded.
    fn act(&mut self, id: PathId) {
        let Some(path) = self.paths.get_mut(&id) else {
            return;
        };
        let mut transitions = Vec::new();
        while let Some(transition) = path.health.poll_transition() {
            if let Some(fastpath) = &self.fastpath {
                speak(fastpath, id, &transition);
            }
            path.trust = Some(transition.trust);
            transitions.push(transition);
        }
        let interval = path.health.probe_interval();
        if interval != path.interval
            && let Some(prober) = &self.prober
        {
            path.interval = interval;
            prober(id, interval);
        }
        if transitions.is_empty() {
            return;
        }
        // Our traffic first, then the far end's.
        self.steer();
        let stance = self
            .paths
            .get(&id)
            .map_or(Stance::Normal, |path| path.stance);
        for transition in transitions {
            // The daemon may be gone already.
            let _ = self.concluded.send(Concluded {
                path: id,
                transition,
                stance,
            });
        }
    }

    /// Tells the far ends what is new to them: where they are told by silence, that
    /// depends on the other paths too.
    fn steer(&mut self) {
        let ids: Vec<PathId> = self.paths.keys().copied().collect();
        for id in ids {
            let stance = self.stance(id);
            if let Some(path) = self.paths.get_mut(&id).filter(|path| path.stance != stance) {
                path.stance = stance;
                self.steering.set(id, Pilot::Health, stance);
            }
        }
    }

    fn stance(&self, id: PathId) -> Stance {
        let Some((path, trust)) = self
            .paths
            .get(&id)
            .and_then(|path| Some((path, path.trust?)))
        else {
            return Stance::Normal;
        };
        let trust_of = |way: &PathId| self.paths.get(way)?.trust;
        let is_better = |way: &PathId| trust_of(way).is_some_and(|other| other < trust);
        match (trust, &path.silent) {
            (Trust::Full, _) => Stance::Normal,
            (_, Some(ways)) if !ways.iter().any(is_better) => Stance::Normal,
            (Trust::Degraded | Trust::Held | Trust::None, _) => Stance::Adverse,
        }
    }
}

fn speak(fastpath: &fastpath::Handle, path: PathId, transition: &Transition) {
    let reason = || transition.reason.clone();
    match transition.trust {
        Trust::Full => fastpath.path_up(path, Voice::Health),
        Trust::Degraded => fastpath.degraded(path, reason()),
        Trust::Held => fastpath.held(path, reason()),
        Trust::None => fastpath.path_down(path, Voice::Health, reason()),
    }
}
