//! dxctl killed (SIGKILL) at every call that it makes of the API, with every fault
//! that the API can have there, and run again: what AWS then holds is what a run
//! that nobody disturbed leaves there. No duplicate, no orphan.

pub(super) mod world;

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, ensure};
use lab::wait;
use serde_json::Value;

use super::Case;
use crate::Bench;
use world::{End, World, write};

pub(super) fn all() -> Vec<Case> {
    vec![
        Case::new(
            "dxctl apply, killed at every call of the API with every fault, ends as if undisturbed",
            |bench| survives(bench, &MAKE, Calls::All),
        ),
        Case::new(
            "dxctl apply of a changed site, killed at every change with every fault, likewise",
            |bench| survives(bench, &CHANGE, Calls::Changes),
        ),
        Case::new(
            "dxctl apply of changed keys, killed at every change with every fault, likewise",
            |bench| survives(bench, &KEYS, Calls::Changes),
        ),
        Case::new(
            "dxctl vif rotate-key, killed at every change with every fault, likewise",
            |bench| survives(bench, &ROTATE, Calls::Changes),
        ),
        Case::new(
            "dxctl destroy, killed at every change with every fault, likewise",
            |bench| survives(bench, &DESTROY, Calls::Changes),
        ),
    ]
}

/// What is run.
struct Flight {
    /// Undisturbed.
    first: Option<&'static str>,
    /// Written after it: files and what is in them; `DIRECTORY` is where they are.
    then: &'static [(&'static str, &'static str)],
    disturbed: &'static str,
}

/// Which calls are disturbed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Calls {
    All,
    /// Those that change something; unless the run is thorough.
    Changes,
}

const MAKE: Flight = Flight {
    first: None,
    then: &[],
    disturbed: "apply site.toml --yes --verify 0 --settle 2 --timeout 60",
};

const CHANGE: Flight = Flight {
    first: Some(MAKE.disturbed),
    then: &[],
    disturbed: "apply changed.toml --yes --verify 0 --settle 2 --timeout 60 --allow cut:given,cut:made,cut:hub,cut:pub",
};

/// A session that is the only one of its interface, and one beside another.
const KEYS: Flight = Flight {
    first: Some(MAKE.disturbed),
    then: &[
        ("keys/given", "given-key-0202"),
        ("keys/made-v6", "made-key-0202"),
    ],
    disturbed: "apply site.toml --yes --verify 0 --settle 2 --timeout 60 --allow cut:given,cut:made",
};

/// Where bgpd's key file is the site's too.
const ROTATE: Flight = Flight {
    first: Some(MAKE.disturbed),
    then: &[("bgpd.toml", BGPD), ("next-key", "given-key-0303")],
    disturbed: "vif rotate-key given --out-dir . --auth-key-file next-key --yes --timeout 60",
};

const BGPD: &str = r#"
[bgpd]
router_id = "10.9.0.1"
asn = 65010

[[vif]]
name = "given"
kind = "private"
parent = "eth1"
vlan = 101
local = "169.254.10.2/30"
peer = "169.254.10.1"
peer_asn = 64600
advertise = ["10.20.0.0/16"]
auth_key_file = "DIRECTORY/keys/given"
"#;

const DESTROY: Flight = Flight {
    first: Some(MAKE.disturbed),
    then: &[],
    disturbed: "destroy site.toml --yes --settle 2 --timeout 60 --allow cut:given,cut:made,cut:hub,cut:pub",
};

/// One way to disturb it.
#[derive(Clone, Debug)]
enum Disturbance {
    /// A fault at a call, then killed at the next.
    Fault { at: usize, fault: &'static str },
    /// Killed at a call, before or after its effect.
    Kill { at: usize, hold: &'static str },
    /// Killed at a call; in the next run the same call has a fault.
    KillThenFault {
        at: usize,
        operation: String,
        fault: &'static str,
    },
}

const FAULTS: [&str; 8] = [
    "throttle",
    "error",
    "lost",
    "cut",
    "cut-before",
    "slow=200",
    "unknown-enum",
    "unknown-state",
];

/// In the run after a kill.
const RETRIED: [&str; 4] = ["throttle", "lost", "cut", "cut-before"];

/// Killed before the effect of a call, after it, and while it is still to come.
const HOLDS: [&str; 3] = ["hold", "hold-after", "late=400"];

/// Most of a run is waiting.
const AT_ONCE: usize = 6;

fn survives(bench: &Bench, flight: &Flight, calls: Calls) -> anyhow::Result<()> {
    let calls = if bench.thorough { Calls::All } else { calls };
    let stage = Stage {
        dxctl: bench.program("dxctl"),
        directory: bench.directory.clone(),
        flight,
        killed: AtomicUsize::new(0),
    };
    let (operations, wanted) = stage.undisturbed()?;
    let waiting: VecDeque<_> = disturbances(&operations, calls)
        .into_iter()
        .enumerate()
        .collect();
    let is_kill = |d: &&(usize, Disturbance)| !matches!(d.1, Disturbance::Fault { .. });
    let (count, kills) = (waiting.len(), waiting.iter().filter(is_kill).count());
    let waiting = Mutex::new(waiting);
    let wrong = Mutex::new(vec![]);
    let next = || {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.pop_front()
    };
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((number, disturbance)) = next() {
                    let outcome = stage.disturbed(number, &disturbance, &wanted);
                    if let Err(error) = outcome {
                        let at = disturbance.describe(&operations);
                        let mut wrong = wrong.lock().unwrap_or_else(PoisonError::into_inner);
                        wrong.push(format!("{at}: {error:#}"));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap_or_else(PoisonError::into_inner);
    let shown: Vec<_> = wrong.iter().take(20).map(String::as_str).collect();
    wait::ensure(
        wrong.is_empty(),
        format!("all of {count} disturbed runs end as if undisturbed"),
        format!("{} don't:\n{}", wrong.len(), shown.join("\n")),
    )?;
    // How often a state is looked at differs from run to run: the last look of one is
    // missing in another.
    let killed = stage.killed.load(Ordering::Relaxed);
    ensure!(
        killed > kills * 3 / 4,
        "expected: {kills} kills\nseen: {killed}"
    );
    Ok(())
}

/// Every call with every fault; those that change something killed and faulted.
fn disturbances(operations: &[String], calls: Calls) -> Vec<Disturbance> {
    let mut all = vec![];
    for (index, operation) in operations.iter().enumerate() {
        let at = index + 1;
        let is_read = is_read(operation);
        if is_read && calls == Calls::Changes {
            continue;
        }
        all.extend(HOLDS.map(|hold| Disturbance::Kill { at, hold }));
        all.extend(FAULTS.map(|fault| Disturbance::Fault { at, fault }));
        if is_read || calls == Calls::Changes {
            continue;
        }
        all.extend(RETRIED.map(|fault| Disturbance::KillThenFault {
            at,
            operation: operation.clone(),
            fault,
        }));
    }
    all
}

fn is_read(operation: &str) -> bool {
    operation.starts_with("Describe") || operation.starts_with("List")
}

impl Disturbance {
    fn describe(&self, operations: &[String]) -> String {
        let call = |at: usize| format!("call {at}, {}", operations[at - 1]);
        match self {
            Self::Fault { at, fault } => format!("{fault} at {}, killed at the next", call(*at)),
            Self::Kill { at, hold } => format!("killed at {} ({hold})", call(*at)),
            Self::KillThenFault {
                at,
                operation,
                fault,
            } => format!("killed at {}, then {fault} at {operation}", call(*at)),
        }
    }
}

struct Stage<'f> {
    dxctl: PathBuf,
    directory: PathBuf,
    flight: &'f Flight,
    killed: AtomicUsize,
}

impl Stage<'_> {
    /// The operations that it calls, and what it leaves.
    fn undisturbed(&self) -> anyhow::Result<(Vec<String>, Value)> {
        let world = self.world("undisturbed")?;
        self.to_the_end(&world, self.flight.disturbed)?;
        let calls = world.calls().into_iter().map(|call| call.operation);
        let operations: Vec<String> = calls.collect();
        let holds = world.holds()?;
        ensure!(
            operations.iter().any(|operation| !is_read(operation)),
            "expected: calls that change something\nseen: {operations:?}"
        );
        Ok((operations, holds))
    }

    fn disturbed(
        &self,
        number: usize,
        disturbance: &Disturbance,
        wanted: &Value,
    ) -> anyhow::Result<()> {
        let world = self.world(&number.to_string())?;
        let run = |faults: &[String]| world.run(self.flight.disturbed, faults);
        match disturbance {
            Disturbance::Fault { at, fault } => {
                run(&[format!("{fault}:#{at}"), format!("hold:#{}", at + 1)])?;
            }
            Disturbance::Kill { at, hold } => {
                let end = run(&[format!("{hold}:#{at}")])?;
                self.count(&end);
            }
            Disturbance::KillThenFault {
                at,
                operation,
                fault,
            } => {
                let end = run(&[format!("hold:#{at}")])?;
                self.count(&end);
                run(&[format!("{fault}:{operation}")])?;
            }
        }
        self.to_the_end(&world, self.flight.disturbed)?;
        let seen = world.holds()?;
        wait::ensure(
            seen == *wanted,
            format!("AWS holds {wanted}"),
            seen.to_string(),
        )?;
        drop(world);
        fs::remove_dir_all(self.place(&number.to_string())).context("clearing up")?;
        Ok(())
    }

    fn count(&self, end: &End) {
        if matches!(end, End::Killed) {
            self.killed.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn to_the_end(&self, world: &World, words: &str) -> anyhow::Result<()> {
        match world.run(words, &[])? {
            End::Exited { code: Some(0), .. } => Ok(()),
            end => Err(wait::Unmet::new("dxctl succeeds", format!("{end:?}")).into()),
        }
    }

    fn world(&self, name: &str) -> anyhow::Result<World> {
        let place = self.place(name);
        fs::create_dir_all(place.join("keys")).context("a directory")?;
        let mut world = World::new(&self.dxctl, place)?;
        // No bgpd runs here.
        world.set("BGPD_SOCKET", "/nonexistent/bgpd.sock");
        for (name, text) in [
            ("site.toml", SITE.to_owned()),
            ("changed.toml", changed()),
            ("keys/given", "given-key-0101".to_owned()),
        ] {
            write(&world.directory().join(name), &text)?;
        }
        if let Some(words) = self.flight.first {
            self.to_the_end(&world, words)?;
        }
        let directory = world.directory().display().to_string();
        for (name, text) in self.flight.then {
            let text = text.replace("DIRECTORY", &directory);
            write(&world.directory().join(name), &text)?;
        }
        Ok(world)
    }

    fn place(&self, name: &str) -> PathBuf {
        self.directory.join(format!("world-{name}"))
    }
}

/// Other tags, another MTU and other allowed prefixes, one interface in another
/// VLAN and one without IPv6.
fn changed() -> String {
    let changes = [
        ("tags = { team = \"net\" }", "tags = { team = \"core\" }"),
        ("mtu = 8500", "mtu = 9001"),
        ("[\"172.31.0.0/16\"]", "[\"172.16.0.0/12\", \"10.0.0.0/8\"]"),
        ("vlan = 105", "vlan = 106"),
        (
            "ipv6 = { key = \"generate:keys/made-v6\" }",
            "rate_limit = \"500Mbps\"",
        ),
    ];
    let mut site = SITE.to_owned();
    for (from, to) in changes {
        assert!(site.contains(from), "invariant: the site has {from}");
        site = site.replace(from, to);
    }
    site
}

/// A gateway with an association, and an interface of each kind: keys that are
/// given and made, both families, what can be picked picked.
const SITE: &str = r#"
[site]
name = "frankfurt"
region = "eu-central-1"
asn = 65010

[[connection]]
name = "lab"

[[gateway]]
name = "hub"
asn = 64600
tags = { team = "net" }

[[gateway.association]]
gateway = "vgw-0123456789abcdef0"
allowed_prefixes = ["172.31.0.0/16"]

[[vif]]
name = "given"
kind = "private"
connection = "lab"
vlan = 101
gateway = "hub"
mtu = 8500
addresses = ["169.254.10.1/30", "169.254.10.2/30"]
key = "file:keys/given"

[[vif]]
name = "made"
kind = "private"
connection = "lab"
vlan = "auto"
gateway = "hub"
addresses = "auto"
key = "generate:keys/made"
tags = { team = "net" }
ipv6 = { key = "generate:keys/made-v6" }

[[vif]]
name = "pub"
kind = "public"
connection = "lab"
vlan = 105
addresses = ["203.0.113.1/30", "203.0.113.2/30"]
route_filter_prefixes = ["203.0.113.0/24"]
key = "generate:keys/pub"
"#;
