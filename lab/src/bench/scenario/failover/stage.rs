//! All of it set up, once for every fault that it serves: the arena, the far end
//! and one speaker at the edge with the whole table in its kernel.

use std::collections::HashMap;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use bgp_core::Family;
use ipnet::IpNet;

use super::arena::{Arena, Link};
use super::capture::Capture;
use super::edge::{self, Setup};
use super::far::{self, Far};
use super::router::Router;
use super::traffic::{Count, Flow, Sink};
use super::{Bfd, Needs};
use crate::bench::speaker::{Programs, Speaker};
use crate::bench::table::Table;
use crate::bench::usage::{self, Usage};
use crate::control::Control;
use crate::wait;
use crate::world::Process;

#[derive(Default)]
pub struct Stages(HashMap<&'static str, Stage>);

/// What a stage is set for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub size: usize,
    pub bfd: Bfd,
    pub needs: Needs,
    pub far: FarEnd,
}

/// Who is at the far end of both links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FarEnd {
    /// Sessions of ours, which do what a fault asks.
    Driven,
    /// A router that moves its own traffic.
    Bird,
}

pub struct Stage {
    pub key: Key,
    pub speaker: Speaker,
    pub processes: Vec<Process>,
    pub far: Far,
    /// With [`FarEnd::Bird`].
    pub router: Option<Router>,
    /// tcpdump watches each fault.
    pub captures: bool,
    pub arena: Arena,
    pub prefixes: Arc<[IpNet]>,
    pub directory: tempfile::TempDir,
    programs: Programs,
    flows: u64,
    _bfd: Option<Process>,
    _reflector: Process,
    _sink: Sink,
}

/// Processes that compute for nothing; they end when dropped.
pub struct Hogs(#[expect(dead_code, reason = "alive is all they have to be")] Vec<Process>);

impl Stages {
    /// The speaker's stage for this; a stage for something else is struck first.
    pub fn set(
        &mut self,
        speaker: Speaker,
        programs: &Programs,
        key: Key,
        seed: u64,
    ) -> anyhow::Result<&mut Stage> {
        let name = speaker.name();
        if self.0.get(name).is_none_or(|stage| stage.key != key) {
            self.0.remove(name);
            let stage = Stage::set(speaker, programs, key, seed)?;
            self.0.insert(name, stage);
        }
        self.0.get_mut(name).context("invariant: it is set")
    }

    pub fn strike(&mut self, speaker: Speaker) {
        self.0.remove(speaker.name());
    }
}

impl Stage {
    fn set(speaker: Speaker, programs: &Programs, key: Key, seed: u64) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        // FRR reads it as another user.
        let open = || std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(directory.path(), open())?;
        let [at_edge, at_far] = ["edge", "far"].map(|end| directory.path().join(end));
        for end in [&at_edge, &at_far] {
            std::fs::create_dir(end)?;
            std::fs::set_permissions(end, open())?;
        }
        let table = Table::new(Family::Ipv4, key.size, seed)?;
        let arena = Arena::create(&speaker.name().to_lowercase())?;
        let sink = Sink::open(&arena)?;
        let reflector = far::start_reflector(&programs.bgpd, &arena, &at_far)?;
        let setup = Setup {
            bfd: key.bfd,
            needs: key.needs,
            directory: &at_edge,
        };
        let processes = edge::start(speaker, programs, &arena, setup)?;
        let (far, bfd, router) = match key.far {
            FarEnd::Driven => {
                let bfd = far::start_bfd(&programs.bird, &arena, &at_far, key.bfd)?;
                (Far::start(&arena, &table, seed)?, Some(bfd), None)
            }
            FarEnd::Bird => {
                let (bird, prefixes) = (&programs.bird, &table.prefixes);
                let router = Router::start(bird, &arena, &at_far, key.bfd, prefixes)?;
                (Far::of_another(), None, Some(router))
            }
        };
        let mut stage = Self {
            key,
            speaker,
            processes,
            far,
            router,
            captures: false,
            arena,
            prefixes: table.prefixes.into(),
            directory,
            programs: programs.clone(),
            flows: 0,
            _bfd: bfd,
            _reflector: reflector,
            _sink: sink,
        };
        let settled = stage.settle(Link::A, SETUP);
        settled.with_context(|| stage.last_words())?;
        Ok(stage)
    }

    pub fn hogs(&self, count: u8) -> anyhow::Result<Hogs> {
        let log = self.directory.path().join("hogs.log");
        let hog = |_| {
            let mut command = Command::new("sh");
            command.args(["-c", "while :; do :; done"]);
            Process::spawn("hog", &mut command, &log)
        };
        Ok(Hogs((0..count).map(hog).collect::<Result<_, _>>()?))
    }

    /// Traffic over the whole table.
    pub fn flow(&mut self) -> anyhow::Result<Flow> {
        self.flow_every(INTERVAL)
    }

    pub fn flow_every(&mut self, interval: Duration) -> anyhow::Result<Flow> {
        self.flows += 1;
        Flow::start(&self.arena, &self.prefixes, interval, self.flows)
    }

    /// Of the flow that is to come, where it is wanted.
    pub fn capture(&self) -> anyhow::Result<Option<Capture>> {
        let capture = || Capture::start(&self.arena, self.directory.path());
        self.captures.then(capture).transpose()
    }

    /// Waits until both sessions are up and all traffic takes a link.
    pub fn settle(&mut self, link: Link, patience: Duration) -> anyhow::Result<()> {
        let name = self.speaker.name();
        wait::until(&format!("{name}'s sessions"), patience, || {
            self.far.both_are_up()
        })?;
        let flow = self.flow()?;
        let settled = wait::until(
            &format!("all of {name}'s traffic by {}", link.name()),
            patience,
            || {
                let before = flow.count();
                wait::pause(Duration::from_millis(500)).map_err(|error| error.to_string())?;
                let sent = since(before, flow.count());
                if sent.takes(link, 0.9999) {
                    Ok(())
                } else {
                    Err(format!("{sent:?}"))
                }
            },
        );
        flow.stop(INTERVAL);
        settled
    }

    /// Whether traffic came to take a link within the time.
    pub fn moves_to(&self, flow: &Flow, link: Link, limit: Duration) -> anyhow::Result<bool> {
        let started = Instant::now();
        let mut steady = 0;
        while started.elapsed() < limit {
            let before = flow.count();
            wait::pause(LOOK)?;
            let takes = since(before, flow.count()).takes(link, 0.98);
            steady = if takes { steady + 1 } else { 0 };
            if steady == 3 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub fn usage(&self) -> anyhow::Result<Usage> {
        self.processes
            .iter()
            .map(|process| usage::of(process.id()))
            .sum()
    }

    /// bgpd's.
    pub fn control(&self) -> Control {
        Control::at(edge::control(&self.directory.path().join("edge")))
    }

    /// SIGKILL to all of the speaker.
    pub fn kill(&mut self) {
        for process in &mut self.processes {
            process.kill();
        }
        self.processes.clear();
    }

    pub fn restart_bgpd(&mut self) -> anyhow::Result<()> {
        let setup = Setup {
            bfd: self.key.bfd,
            needs: self.key.needs,
            directory: &self.directory.path().join("edge"),
        };
        let bgpd = edge::start_bgpd(&self.programs.bgpd, &self.arena, setup)?;
        self.processes.push(bgpd);
        Ok(())
    }

    pub fn last_words(&self) -> String {
        let all = self.processes.iter().map(|process| {
            let output = process.output();
            let lines: Vec<_> = output.lines().collect();
            lines[lines.len().saturating_sub(8)..].join("\n")
        });
        format!("it printed last: {}", all.collect::<Vec<_>>().join("\n"))
    }
}

fn since(before: Count, now: Count) -> Count {
    Count {
        sent: now.sent - before.sent,
        by: [0, 1].map(|link| now.by[link] - before.by[link]),
    }
}

impl Count {
    /// At least this share of what was sent came by the link, and nothing by the other.
    fn takes(self, link: Link, share: f64) -> bool {
        let [a, b] = self.by;
        let (by, other) = match link {
            Link::A => (a, b),
            Link::B => (b, a),
        };
        // Some are on their way when one of the counters is read.
        other == 0 && self.sent > 0 && by as f64 + ON_THE_WAY >= self.sent as f64 * share
    }
}

/// 10,000 packets a second.
pub const INTERVAL: Duration = Duration::from_micros(100);
/// Until the slowest has a table of the largest size in its kernel.
const SETUP: Duration = Duration::from_secs(180);
const LOOK: Duration = Duration::from_millis(100);
const ON_THE_WAY: f64 = 3.0;
