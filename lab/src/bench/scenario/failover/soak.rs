//! Cut and mended a thousand times, for random times, with bgpd killed now and
//! then: after each round its kernel has to be what its RIB says, with nothing
//! left over, and its memory may not grow.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bgp_core::Family;
use ipnet::IpNet;
use serde_json::Value;

use super::arena::{Arena, Link, Way};
use super::edge::{self, Setup};
use super::far::{self, Act, Far};
use super::{Bfd, Hold, Needs};
use crate::bench::figures::{Figures, Quantity};
use crate::bench::speaker::Programs;
use crate::bench::table::{Random, Table};
use crate::bench::usage;
use crate::control::Control;
use crate::wait;
use crate::world::Process;

pub struct Soak<'a> {
    programs: &'a Programs,
    directory: tempfile::TempDir,
    prefixes: BTreeSet<IpNet>,
    random: Random,
    killed: u32,
    bgpd: Process,
    _bfd: Process,
    far: Far,
    arena: Arena,
}

/// What a round does to the link that it chooses, or to both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    Carrier(Link),
    Both,
    Silence(Link),
    Notify(Link),
    Reset(Link),
    Withdraw(Link),
}

/// Whether bgpd is killed in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Kept,
    /// So long after the cut, which is while it moves traffic or soon after.
    Killed(Duration),
}

/// Until everything is right again after a round.
const SETTLED: Quantity = Quantity::seconds("settled after, worst");
const MEMORY_FIRST: Quantity = Quantity::megabytes("memory, first");
const MEMORY_LAST: Quantity = Quantity::megabytes("memory, last");
const ROUNDS: Quantity = Quantity::count("rounds");
const KILLED: Quantity = Quantity::count("killed");

/// `role` names the namespaces; an error names the round and what was wrong.
pub fn run(programs: &Programs, role: &str, rounds: u16, seed: u64) -> anyhow::Result<Figures> {
    let mut soak = Soak::begin(programs, role, seed)?;
    // Memory is compared within one life.
    let last_kill = rounds / 3;
    let mut worst = Duration::ZERO;
    let mut memory = None;
    for round in 0..rounds {
        let life = soak.life(round < last_kill);
        let cut = soak.cut();
        let settled = soak.round(cut, life);
        let settled = settled.with_context(|| {
            let log = soak.bgpd.output();
            let lines: Vec<_> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(30)..].join("\n");
            format!(
                "round {round} of seed {seed}: {cut:?}, bgpd {life:?}; it printed last:\n{last}"
            )
        })?;
        tracing::debug!("round {round}: {cut:?}, {life:?}: settled after {settled:?}");
        worst = worst.max(settled);
        // It has seen everything once by then.
        if round == last_kill + (rounds - last_kill) / 5 {
            memory = Some(soak.memory()?);
        }
    }
    let last = soak.memory()?;
    let first = memory.unwrap_or(last);
    if last > first + first / 5 + SLACK {
        bail!("bgpd's memory grew from {first} to {last} octets");
    }
    Ok(Figures(vec![
        (ROUNDS, f64::from(rounds)),
        (KILLED, f64::from(soak.killed)),
        (SETTLED, worst.as_secs_f64()),
        (MEMORY_FIRST, first as f64 / 1e6),
        (MEMORY_LAST, last as f64 / 1e6),
    ]))
}

impl<'a> Soak<'a> {
    fn begin(programs: &'a Programs, role: &str, seed: u64) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let table = Table::new(Family::Ipv4, PREFIXES, seed)?;
        let arena = Arena::create(role)?;
        let at_far = directory.path().join("far");
        std::fs::create_dir(&at_far)?;
        let bfd = far::start_bfd(&programs.bird, &arena, &at_far, BFD)?;
        let bgpd = edge::start_bgpd(&programs.bgpd, &arena, setup(directory.path()))?;
        let far = Far::start(&arena, &table, seed)?;
        let soak = Self {
            programs,
            directory,
            prefixes: table.prefixes.into_iter().collect(),
            random: Random::new(seed),
            killed: 0,
            bgpd,
            _bfd: bfd,
            far,
            arena,
        };
        wait::until("all is well before the first round", PATIENCE, || {
            soak.is_well()
        })?;
        Ok(soak)
    }

    fn life(&mut self, may_end: bool) -> Life {
        if may_end && self.random.below(3) == 0 {
            return Life::Killed(Duration::from_micros(self.random.below(20_000)));
        }
        Life::Kept
    }

    fn cut(&mut self) -> Cut {
        let link = match self.random.below(3) {
            0 => Link::B,
            _ => Link::A,
        };
        match self.random.below(10) {
            0 => Cut::Both,
            1 => Cut::Silence(link),
            2 => Cut::Notify(link),
            3 => Cut::Reset(link),
            4 => Cut::Withdraw(link),
            _ => Cut::Carrier(link),
        }
    }

    /// From 10 ms to 3 s, as often some tens of milliseconds as some seconds.
    fn length(&mut self) -> Duration {
        let longest = LENGTHS[usize::try_from(self.random.below(5)).unwrap_or(0)];
        Duration::from_millis(longest / 3 + self.random.below(longest - longest / 3))
    }

    /// How long it took until all was well.
    fn round(&mut self, cut: Cut, life: Life) -> anyhow::Result<Duration> {
        self.make(cut)?;
        if let Life::Killed(after) = life {
            wait::pause(after)?;
            self.bgpd.kill();
            self.killed += 1;
        }
        let length = self.length();
        wait::pause(length)?;
        if matches!(life, Life::Killed(_)) {
            for link in Link::BOTH {
                self.far.act(link, Act::Abandon);
            }
            let setup = setup(self.directory.path());
            self.bgpd = edge::start_bgpd(&self.programs.bgpd, &self.arena, setup)?;
        }
        self.mend(cut)?;
        let mended = Instant::now();
        wait::until("all is well", PATIENCE, || self.is_well())?;
        Ok(mended.elapsed())
    }

    fn make(&self, cut: Cut) -> anyhow::Result<()> {
        match cut {
            Cut::Carrier(link) => self.arena.cut(link)?,
            Cut::Both => {
                self.arena.cut(Link::A)?;
                self.arena.cut(Link::B)?;
            }
            Cut::Silence(link) => self.arena.lose(link, 1000, Way::Both)?,
            Cut::Notify(link) => self.far.act(link, Act::Notify),
            Cut::Reset(link) => self.far.act(link, Act::Reset),
            Cut::Withdraw(link) => self.far.act(link, Act::Withdraw),
        }
        Ok(())
    }

    fn mend(&self, cut: Cut) -> anyhow::Result<()> {
        match cut {
            Cut::Carrier(link) => {
                self.far.act(link, Act::Abandon);
                self.arena.mend(link)?;
            }
            Cut::Both => {
                for link in Link::BOTH {
                    self.far.act(link, Act::Abandon);
                    self.arena.mend(link)?;
                }
            }
            Cut::Silence(link) => self.arena.lose_nothing(link)?,
            Cut::Withdraw(link) => self.far.act(link, Act::Announce),
            Cut::Notify(link) | Cut::Reset(link) => self.far.act(link, Act::Abandon),
        }
        Ok(())
    }

    fn memory(&self) -> anyhow::Result<u64> {
        Ok(usage::of(self.bgpd.id())?.memory)
    }

    /// Both sessions up with all their routes, traffic by the preferred link, and
    /// the kernel as the RIB says; else what is not.
    fn is_well(&self) -> Result<(), String> {
        self.far.both_are_up()?;
        let control = Control::at(edge::control(self.directory.path()));
        let status = control.status().map_err(|error| error.to_string())?;
        for peer in &status.peers {
            let accepted = peer.prefixes.accepted;
            if accepted != self.prefixes.len() as u64 || peer.prefixes.stale > 0 {
                return Err(format!(
                    "{}: {}, {:?}",
                    peer.name, peer.state, peer.prefixes
                ));
            }
        }
        if let Some(path) = status.paths.iter().find(|path| !path.up) {
            return Err(format!("path {} is down: {:?}", path.name, path.reason));
        }
        let kernel = Kernel::read(&self.arena).map_err(|error| format!("{error:#}"))?;
        kernel.has_nothing_left_over()?;
        let counted = (status.kernel.groups, status.kernel.nexthops);
        if counted != (kernel.groups.len() as u64, kernel.singles.len() as u64) {
            return Err(format!(
                "bgpd counts {counted:?} groups and nexthops: {kernel:?}"
            ));
        }
        let best = best_gateways(&control)?;
        if best.keys().ne(self.prefixes.iter()) {
            return Err(format!("{} best routes in the RIB", best.len()));
        }
        kernel.routes_like(&best)?;
        self.forwards_like(&best)
    }

    /// What the kernel says of a sample of addresses, where it would send them.
    fn forwards_like(&self, best: &BTreeMap<IpNet, String>) -> Result<(), String> {
        let sample: Vec<_> = best.iter().step_by((best.len() / SAMPLE).max(1)).collect();
        let lines: String = sample
            .iter()
            .map(|(prefix, _)| format!("route get {}\n", prefix.network()))
            .collect();
        let mut command = std::process::Command::new("ip");
        command.args(["-n", self.arena.edge.name(), "-oneline", "-batch", "-"]);
        let said = crate::world::run(&mut command, Some(&lines));
        let said = said.map_err(|error| error.to_string())?;
        let answers = said.lines().filter(|line| line.contains(" via "));
        if answers.clone().count() != sample.len() {
            return Err(format!("not every address has a gateway: {said}"));
        }
        for ((prefix, gateway), line) in sample.iter().zip(answers) {
            if !line.contains(&format!(" via {gateway} ")) {
                return Err(format!("{prefix} should go by {gateway}: {line}"));
            }
        }
        Ok(())
    }
}

/// The next hop of each best route in the RIB.
fn best_gateways(control: &Control) -> Result<BTreeMap<IpNet, String>, String> {
    let routes = control
        .routes("limit=1000000")
        .map_err(|error| error.to_string())?;
    let best = routes.into_iter().filter_map(|route| {
        let best = route.paths.into_iter().find(|path| path.best)?;
        // Our own network is announced, not installed.
        Some((route.prefix, best.next_hop?.to_string())).filter(|_| best.peer != "local")
    });
    Ok(best.collect())
}

/// bgpd's objects at the edge, as the kernel tells them.
#[derive(Debug)]
struct Kernel {
    /// The group that each prefix's route points at.
    routes: BTreeMap<IpNet, u64>,
    /// Members, the one with the greatest weight first.
    groups: BTreeMap<u64, Vec<u64>>,
    /// Gateways.
    singles: BTreeMap<u64, String>,
}

impl Kernel {
    fn read(arena: &Arena) -> anyhow::Result<Self> {
        let objects = |words| {
            let text = arena.edge.show(words)?;
            // `ip -j` prints nothing where there is nothing.
            let text = if text.trim().is_empty() { "[]" } else { &text };
            serde_json::from_str::<Vec<Value>>(text).context("ip -j")
        };
        let number = |value: &Value, key: &str| value.get(key).and_then(Value::as_u64);
        let text = |value: &Value, key: &str| Some(value.get(key)?.as_str()?.to_owned());
        let mut kernel = Self {
            routes: BTreeMap::new(),
            groups: BTreeMap::new(),
            singles: BTreeMap::new(),
        };
        for route in objects("-j -4 route show proto bgp")? {
            let prefix = text(&route, "dst").context("dst")?;
            let prefix = prefix.parse().or_else(|_| format!("{prefix}/32").parse())?;
            let group = number(&route, "nhid").context("a route without a group")?;
            kernel.routes.insert(prefix, group);
        }
        for object in objects("-j nexthop show proto 186")? {
            let id = number(&object, "id").context("id")?;
            if let Some(members) = object.get("group").and_then(Value::as_array) {
                let mut members: Vec<_> = members
                    .iter()
                    .map(|member| (number(member, "weight").unwrap_or(1), number(member, "id")))
                    .collect();
                members.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
                let members = members.into_iter().filter_map(|(_, id)| id).collect();
                kernel.groups.insert(id, members);
            } else {
                let gateway = text(&object, "gateway").unwrap_or_default();
                kernel.singles.insert(id, gateway);
            }
        }
        Ok(kernel)
    }

    /// Each group has a route and each nexthop a group.
    fn has_nothing_left_over(&self) -> Result<(), String> {
        let used: BTreeSet<u64> = self.routes.values().copied().collect();
        let members: BTreeSet<u64> = self.groups.values().flatten().copied().collect();
        let idle = self.groups.keys().filter(|id| !used.contains(id));
        let alone = self.singles.keys().filter(|id| !members.contains(id));
        let left: Vec<_> = idle.chain(alone).collect();
        if left.is_empty() {
            return Ok(());
        }
        Err(format!(
            "left over: {left:?} of {:?}, {:?}",
            self.groups, self.singles
        ))
    }

    /// The kernel's routes are these, each by its gateway.
    fn routes_like(&self, best: &BTreeMap<IpNet, String>) -> Result<(), String> {
        if self.routes.keys().ne(best.keys()) {
            return Err(format!(
                "{} routes in the kernel, {} in the RIB",
                self.routes.len(),
                best.len()
            ));
        }
        for ((prefix, group), gateway) in self.routes.iter().zip(best.values()) {
            let active = self.groups.get(group).and_then(|members| members.first());
            let active = active.and_then(|id| self.singles.get(id));
            if active != Some(gateway) {
                return Err(format!(
                    "{prefix} goes by {active:?}, its best is {gateway}"
                ));
            }
        }
        Ok(())
    }
}

fn setup(directory: &Path) -> Setup<'_> {
    Setup {
        bfd: BFD,
        needs: NEEDS,
        directory,
    }
}

const PREFIXES: usize = 1000;
/// Of cuts, milliseconds.
const LENGTHS: [u64; 5] = [30, 100, 300, 1000, 3000];
const SAMPLE: usize = 50;
const PATIENCE: Duration = Duration::from_secs(60);
/// What an allocator may take for itself, octets.
const SLACK: u64 = 3 << 20;
/// So fast that a round is long enough for it to fail in.
const BFD: Bfd = Bfd {
    interval: Duration::from_millis(50),
    multiplier: 3,
};
const NEEDS: Needs = Needs {
    bfd: true,
    probes: false,
    hold: Hold::Short,
};
