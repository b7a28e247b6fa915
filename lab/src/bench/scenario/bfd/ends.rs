//! Both ends of every session: an interface pair and a session for each timer
//! between the edge and BIRD, the edge and FRR, and BIRD and FRR.

use std::fmt::Write;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::pauses::cpus;
use super::told::Downs;
use crate::bench::figures::Quantity;
use crate::bench::speaker::{Programs, Speaker};
use crate::bench::stage::Stage;
use crate::foreign::{self, frr};
use crate::wait;
use crate::world::{self, Namespace, Process, join};

/// Whom a session is between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    EdgeAndBird,
    EdgeAndFrr,
    /// BIRD and FRR.
    Far,
}

/// The far ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Far {
    Bird,
    Frr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    Ms10,
    Ms50,
    Ms300,
    S1,
}

/// The far ends, as long as it is not dropped.
pub(super) struct Ends {
    /// The one that the far ends keep to.
    pub(super) cpu: usize,
    bird: Process,
    bfdd: Process,
    frr_directory: PathBuf,
    _zebra: Process,
    _namespaces: [Namespace; 2],
}

/// One end's session.
struct Session {
    interface: String,
    local: Ipv4Addr,
    remote: Ipv4Addr,
    timer: Timer,
}

impl Timer {
    pub(super) const ALL: [Self; 4] = [Self::Ms10, Self::Ms50, Self::Ms300, Self::S1];

    /// Milliseconds, and after how many missed packets.
    const fn values(self) -> (u32, u8) {
        match self {
            Self::Ms10 => (10, 3),
            Self::Ms50 => (50, 3),
            Self::Ms300 => (300, 3),
            Self::S1 => (1000, 5),
        }
    }

    /// Sessions with it that went Down.
    pub(super) const fn quantity(self) -> Quantity {
        Quantity::count(match self {
            Self::Ms10 => "10 ms x 3",
            Self::Ms50 => "50 ms x 3",
            Self::Ms300 => "300 ms x 3",
            Self::S1 => "1 s x 5",
        })
    }
}

impl Link {
    const ALL: [Self; 3] = [Self::EdgeAndBird, Self::EdgeAndFrr, Self::Far];

    const fn letter(self) -> char {
        match self {
            Self::EdgeAndBird => 'b',
            Self::EdgeAndFrr => 'f',
            Self::Far => 'c',
        }
    }

    fn interface(self, timer: Timer) -> String {
        format!("{}{}", self.letter(), timer as u8)
    }

    /// The address of the first one of the two, or of the other.
    const fn address(self, timer: Timer, host: u8) -> Ipv4Addr {
        let [a, b] = NETWORK;
        let subnet = self as u8 * Timer::ALL.len() as u8 + timer as u8;
        Ipv4Addr::new(a, b, subnet, host)
    }

    fn sessions(self, end: u8) -> impl Iterator<Item = Session> {
        Timer::ALL.into_iter().map(move |timer| Session {
            interface: self.interface(timer),
            local: self.address(timer, end),
            remote: self.address(timer, 3 - end),
            timer,
        })
    }

    /// What is between this far end and a peer of its.
    pub(super) fn of_peer(peer: Ipv4Addr, at: Far) -> Option<(Self, Timer)> {
        let to_edge = match at {
            Far::Bird => Self::EdgeAndBird,
            Far::Frr => Self::EdgeAndFrr,
        };
        let all = [to_edge, Self::Far].into_iter();
        let mut all = all.flat_map(|link| Timer::ALL.map(|timer| (link, timer)));
        all.find(|(link, timer)| {
            peer == link.address(*timer, FIRST) || peer == link.address(*timer, SECOND)
        })
    }
}

impl Ends {
    pub(super) fn start(
        edge: &Namespace,
        programs: &Programs,
        directory: &Path,
    ) -> anyhow::Result<Self> {
        let [bird, frr] = [Namespace::create("bird")?, Namespace::create("frr")?];
        for link in Link::ALL {
            let (first, second) = match link {
                Link::EdgeAndBird => (edge, &bird),
                Link::EdgeAndFrr => (edge, &frr),
                Link::Far => (&bird, &frr),
            };
            connect(link, first, second)?;
        }
        let [bird_directory, frr_directory] = ["bird", "frr"].map(|name| directory.join(name));
        for made in [&bird_directory, &frr_directory] {
            fs::create_dir(made)?;
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(made, open)?;
        }
        let far = || {
            Link::EdgeAndBird
                .sessions(SECOND)
                .chain(Link::Far.sessions(FIRST))
        };
        let text = "router id 10.97.255.2;\nlog stderr { trace };\nprotocol device {}\n".to_owned()
            + &in_bird(far());
        let process = foreign::bird::start(&programs.bird, &bird, &bird_directory, &text, &[])?;
        let far = Link::EdgeAndFrr
            .sessions(SECOND)
            .chain(Link::Far.sessions(SECOND));
        let text = "log stdout debugging\ndebug bfd peer\n".to_owned() + &in_frr(far);
        let zebra = frr::start_zebra(&frr, &frr_directory, &[])?;
        Ok(Self {
            cpu: *cpus()?.last().context("no CPU")?,
            bird: process,
            bfdd: frr::start_bfdd(&frr, &frr_directory, &text)?,
            frr_directory,
            _zebra: zebra,
            _namespaces: [bird, frr],
        })
    }

    /// What the edge's own configuration has to say of its sessions.
    pub(super) fn edge(&self, speaker: Speaker) -> anyhow::Result<String> {
        Ok(match speaker {
            Speaker::Bgpd => in_bgpd(at_edge()),
            Speaker::Bird => in_bird(at_edge()),
            // It is bfdd that has them.
            Speaker::Frr => String::new(),
            Speaker::Openbgpd => bail!("OpenBGPD has no BFD"),
        })
    }

    /// As if they were other machines: the far ends wait for nobody, and keep to a
    /// CPU that an edge which can may spare them its long system calls on.
    pub(super) fn hurry(&self) -> anyhow::Result<()> {
        for process in [&self.bird, &self.bfdd] {
            let (cpu, id) = (self.cpu.to_string(), process.id().to_string());
            let mut command = Command::new("taskset");
            command.args(["--all-tasks", "--pid", "--cpu-list", &cpu, &id]);
            world::run(&mut command, None)?;
            let mut command = Command::new("chrt");
            command.args(["--all-tasks", "--fifo", "--pid", PRIORITY, &id]);
            world::run(&mut command, None)?;
        }
        Ok(())
    }

    pub(super) fn are_up(&self) -> Result<(), String> {
        let log = self.bird.output();
        let up = |session: &Session| {
            let sign = format!("Session to {} changed state from ", session.remote);
            let mut said = log.lines().rev();
            said.find(|line| line.contains(&sign))
                .is_some_and(|line| line.ends_with("to Up"))
        };
        let mut sessions = Link::EdgeAndBird
            .sessions(SECOND)
            .chain(Link::Far.sessions(FIRST));
        if let Some(missing) = sessions.find(|session| !up(session)) {
            return Err(format!("BIRD's to {} is down", missing.remote));
        }
        let socket = self.frr_directory.display().to_string();
        let mut command = Command::new("vtysh");
        command.args([
            "--vty_socket",
            &socket,
            "-d",
            "bfdd",
            "-c",
            "show bfd peers",
        ]);
        let said = world::run(&mut command, None).map_err(|error| error.to_string())?;
        let up = said.matches("Status: up").count();
        wait::ensure(
            up == 2 * Timer::ALL.len(),
            "8 sessions of FRR's",
            format!("{up}"),
        )
        .map_err(|unmet| unmet.seen)
    }

    /// Since they began.
    pub(super) fn downs(&self) -> Downs {
        Downs::read(&self.bird.output(), &self.bfdd.output())
    }
}

/// FRR's BFD is a daemon of its own.
pub(super) fn start_at_edge(speaker: Speaker, stage: &Stage) -> anyhow::Result<Option<Process>> {
    if speaker != Speaker::Frr {
        return Ok(None);
    }
    let text = in_frr(at_edge());
    frr::start_bfdd(&stage.lane.speaker, stage.directory(), &text).map(Some)
}

fn connect(link: Link, first: &Namespace, second: &Namespace) -> world::Result<()> {
    for timer in Timer::ALL {
        let name = link.interface(timer);
        join((first, &name), (second, &name))?;
        for (end, host) in [(first, FIRST), (second, SECOND)] {
            let address = link.address(timer, host);
            end.ip(&format!("address add {address}/24 dev {name}"))?;
        }
    }
    Ok(())
}

fn at_edge() -> impl Iterator<Item = Session> {
    Link::EdgeAndBird
        .sessions(FIRST)
        .chain(Link::EdgeAndFrr.sessions(FIRST))
}

fn in_bgpd(sessions: impl Iterator<Item = Session>) -> String {
    let mut text = String::new();
    for Session {
        interface,
        local,
        remote,
        timer,
    } in sessions
    {
        let (interval, multiplier) = timer.values();
        let _ = write!(
            text,
            "\n[[peer]]\nname = \"{interface}\"\naddress = \"{remote}\"\nlocal = \"{local}/24\"\n\
             interface = \"{interface}\"\nasn = 65001\npassive = true\n\
             bfd = {{ interval = \"{interval}ms\", multiplier = {multiplier}, damping = \"0s\" }}\n"
        );
    }
    text
}

fn in_bird(sessions: impl Iterator<Item = Session>) -> String {
    let mut text = "protocol bfd {\n  debug { events, states };\n".to_owned();
    for Session {
        interface,
        local,
        remote,
        timer,
    } in sessions
    {
        let (interval, multiplier) = timer.values();
        let _ = write!(
            text,
            "  interface \"{interface}\" {{ interval {interval} ms; multiplier {multiplier}; }};\n  \
             neighbor {remote} dev \"{interface}\" local {local};\n"
        );
    }
    text + "}\n"
}

fn in_frr(sessions: impl Iterator<Item = Session>) -> String {
    let mut text = "bfd\n".to_owned();
    for Session {
        interface,
        local,
        remote,
        timer,
    } in sessions
    {
        let (interval, multiplier) = timer.values();
        let _ = write!(
            text,
            " peer {remote} local-address {local} interface {interface}\n  detect-multiplier {multiplier}\n  \
             receive-interval {interval}\n  transmit-interval {interval}\n exit\n"
        );
    }
    text
}

const NETWORK: [u8; 2] = [10, 97];
/// The edge, and on the links between far ends BIRD.
const FIRST: u8 = 1;
const SECOND: u8 = 2;
/// As bgpd's own BFD has it.
const PRIORITY: &str = "50";
