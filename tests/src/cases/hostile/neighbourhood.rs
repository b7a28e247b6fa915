//! bgpd between neighbors that behave and speakers that don't: what the former
//! must not notice is measured while the latter do their worst.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use bgp_core::Family;
use bgp_core::wire::{Message, Prefixes};
use ipnet::Ipv4Net;
use lab::wait;

use crate::Bench;
use crate::cases::sessions::{KEY, their_networks};
use crate::foreign::{Bird, Connect, Neighbor};
use crate::ours::{Ours, PATIENCE, key_file};
use crate::pair::{OUR_ASN, Pair, THEIR_ASN, WIRE, our_address, their_address};
use crate::rogue::{Rogue, Wish, asn};

pub(super) struct Neighbourhood {
    pub(super) ours: Ours,
    _bird: Bird,
    /// Announces a new prefix now and then, which `sink` waits for.
    source: Rogue,
    sink: Rogue,
    announced: u8,
    pub(super) pair: Arc<Pair>,
}

/// Feeds a table where a case needs one.
pub(super) const FEEDER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 12);
const SOURCE: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 10);
const SINK: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 11);
/// Who is no peer.
pub(super) const STRANGER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 99);

/// The address of a speaker that misbehaves.
pub(super) fn hostile(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 9, 0, 100 + number)
}

/// How bgpd is configured for a case.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Setup<'t> {
    /// More of `[bgpd]`.
    pub(super) daemon: &'t str,
    pub(super) hostile_peers: u8,
    /// More of each hostile `[[peer]]`.
    pub(super) hostile: &'t str,
    /// More tables.
    pub(super) rest: &'t str,
}

impl Neighbourhood {
    pub(super) fn start(bench: &Bench, setup: Setup<'_>) -> anyhow::Result<Self> {
        let pair = Arc::new(Pair::create(bench)?);
        let hostile: Vec<_> = (0..setup.hostile_peers).map(hostile).collect();
        let others = [SOURCE, SINK, FEEDER, STRANGER];
        let lines: String = others
            .iter()
            .chain(&hostile)
            .map(|address| format!("address add {address}/24 dev {WIRE}\n"))
            .collect();
        pair.theirs.ip(&lines)?;
        let key = key_file(bench, "key", KEY)?;
        let mut config = format!(
            "[[peer]]\nname = \"them\"\naddress = \"{}\"\nlocal = \"{}/24\"\nasn = {THEIR_ASN}\nauth_key_file = \"{}\"\n\
             connect_retry = \"1s\"\nhold_time = \"6s\"\naccept = [\"any\"]\nexport = [\"any\"]\n",
            their_address(Family::Ipv4),
            our_address(Family::Ipv4),
            key.display()
        );
        config += &peer(SOURCE, "");
        config += &peer(SINK, "export = [\"198.18.0.0/15 le 32\"]\n");
        config += &peer(FEEDER, "");
        for address in &hostile {
            config += &peer(*address, setup.hostile);
        }
        config += setup.rest;
        let ours = Ours::start_logging(bench, &pair.ours, "info", setup.daemon, &config)?;
        let bird = Bird::start(
            &pair.theirs,
            &bench.directory,
            Neighbor {
                local: their_address(Family::Ipv4),
                remote: our_address(Family::Ipv4),
                local_asn: THEIR_ASN,
                remote_asn: OUR_ASN,
                key: Some(KEY.to_owned()),
                connect: Connect::We,
                hold_time: 6,
                restart_time: None,
                networks: their_networks(Family::Ipv4),
            },
        )?;
        let connect = |address| Rogue::establish(&pair.theirs, address, Wish::default());
        let neighbourhood = Self {
            source: connect(SOURCE)?,
            sink: connect(SINK)?,
            ours,
            _bird: bird,
            announced: 0,
            pair,
        };
        wait::until("the healthy session has its routes", PATIENCE, || {
            let peer = neighbourhood.ours.established("them")?;
            let wanted = their_networks(Family::Ipv4).len() as u64;
            if peer.prefixes.accepted == wanted {
                Ok(())
            } else {
                Err(format!("{:?}", peer.prefixes))
            }
        })?;
        Ok(neighbourhood)
    }

    /// A session from a hostile address, or from the feeder's.
    pub(super) fn session(&self, address: Ipv4Addr) -> anyhow::Result<Rogue> {
        Rogue::establish(&self.pair.theirs, address, Wish::default())
    }

    pub(super) fn connect(&self, address: Ipv4Addr) -> anyhow::Result<Rogue> {
        Rogue::connect(&self.pair.theirs, address, Wish::default())
    }

    /// A table that the feeder has sent, and bgpd has taken and told everybody.
    pub(super) fn feed(&self, networks: &[Ipv4Net]) -> anyhow::Result<Rogue> {
        use std::io::Write;
        let mut feeder = self.session(FEEDER)?;
        feeder
            .stream
            .set_write_timeout(Some(Duration::from_secs(120)))?;
        feeder.stream.write_all(&feeder.announcing(networks)?)?;
        let name = FEEDER.to_string();
        wait::until("bgpd has the table", Duration::from_secs(120), || {
            let received = self.ours.peer(&name)?.prefixes.received;
            let told = self.ours.peer("them")?.prefixes.advertised;
            if received.min(told) >= networks.len() as u64 {
                Ok(())
            } else {
                Err(format!("{received} prefixes, {told} told"))
            }
        })?;
        Ok(feeder)
    }

    /// Watches for so long what the neighbors and an operator notice.
    pub(super) fn observe(&mut self, how_long: Duration) -> anyhow::Result<Observed> {
        let mut observed = Observed::default();
        let begin = Instant::now();
        while begin.elapsed() < how_long {
            observed.convergence.push(self.convergence()?);
            let asked = Instant::now();
            self.ours.status()?;
            observed.status.push(asked.elapsed());
            let usage = self.usage()?;
            observed.memory = observed.memory.max(usage.memory);
            observed.files = observed.files.max(usage.files);
            wait::pause(Duration::from_millis(50))?;
        }
        observed.convergence.sort();
        observed.status.sort();
        self.healthy()?;
        Ok(observed)
    }

    /// From a neighbor's UPDATE to another's.
    fn convergence(&mut self) -> anyhow::Result<Duration> {
        use std::io::Write;
        self.announced = self.announced.wrapping_add(1);
        let network = Ipv4Net::new_assert(Ipv4Addr::new(198, 18, self.announced, 0), 24);
        let octets = self.source.announcing(&[network])?;
        let said = Instant::now();
        self.source.stream.write_all(&octets)?;
        let is_it =
            |prefixes: &Prefixes| matches!(prefixes, Prefixes::V4(nets) if nets.contains(&network));
        let heard = self.sink.expect(|message| {
            matches!(message, Message::Update(update) if update.announced.iter().any(|one| is_it(&one.prefixes)))
        });
        heard.context("a neighbor's route did not reach another in time")?;
        Ok(said.elapsed())
    }

    /// Nobody who behaves has lost a session.
    pub(super) fn healthy(&self) -> anyhow::Result<()> {
        for name in ["them".to_owned(), SOURCE.to_string(), SINK.to_string()] {
            let peer = self.ours.established(&name).map_err(anyhow::Error::msg)?;
            wait::ensure(
                peer.flaps == 0,
                format!("{name}'s session never goes down"),
                format!("{:?}", peer.last_error),
            )?;
        }
        Ok(())
    }

    pub(super) fn usage(&self) -> anyhow::Result<Usage> {
        let proc = PathBuf::from(format!("/proc/{}", self.ours.process.id()));
        let status = fs::read_to_string(proc.join("status")).context("has bgpd ended?")?;
        let resident = status.lines().find_map(|line| {
            let kilobytes = line.strip_prefix("VmRSS:")?.split_whitespace().next()?;
            kilobytes.parse::<u64>().ok()
        });
        let stat = fs::read_to_string(proc.join("stat"))?;
        let ticks = || {
            let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
            let mut next = || fields.next()?.parse::<u64>().ok();
            Some(next()? + next()?)
        };
        Ok(Usage {
            memory: resident.context("VmRSS")? / 1024,
            files: fs::read_dir(proc.join("fd"))?.count(),
            cpu: Duration::from_millis(ticks().context("utime and stime")? * 10),
        })
    }

    /// Lines of bgpd's log.
    pub(super) fn log_lines(&self) -> usize {
        self.ours.process.output().lines().count()
    }
}

/// Of bgpd at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    /// Resident, MB.
    pub(super) memory: u64,
    /// Open file descriptors.
    pub(super) files: usize,
    pub(super) cpu: Duration,
}

/// Ascending; the most that was seen.
#[derive(Default)]
pub(super) struct Observed {
    pub(super) convergence: Vec<Duration>,
    pub(super) status: Vec<Duration>,
    pub(super) memory: u64,
    pub(super) files: usize,
}

impl Observed {
    /// All share one router, but nobody waits long for it: neither a neighbor for
    /// another's routes, nor an operator for an answer.
    pub(super) fn ensure_calm(&self) -> anyhow::Result<()> {
        let worst = |times: &[Duration]| times.last().copied().unwrap_or(Duration::MAX);
        let median = |times: &[Duration]| times.get(times.len() / 2).copied().unwrap_or_default();
        let (convergence, status) = (&self.convergence, &self.status);
        println!(
            "  convergence {:?}, at worst {:?}; status {:?}, at worst {:?}; {} MB, {} files",
            median(convergence),
            worst(convergence),
            median(status),
            worst(status),
            self.memory,
            self.files
        );
        wait::ensure(
            worst(convergence) < LIMIT,
            format!("a neighbor's routes reach others within {LIMIT:?}"),
            format!("{:?}", worst(convergence)),
        )?;
        wait::ensure(
            worst(status) < LIMIT,
            format!("the status is answered within {LIMIT:?}"),
            format!("{:?}", worst(status)),
        )?;
        Ok(())
    }
}

/// What is not optimized takes ten times as long.
const LIMIT: Duration = if cfg!(debug_assertions) {
    Duration::from_secs(5)
} else {
    Duration::from_secs(1)
};

fn peer(address: Ipv4Addr, more: &str) -> String {
    let export = if more.contains("export") {
        ""
    } else {
        "export = [\"any\"]\n"
    };
    format!(
        "[[peer]]\nname = \"{address}\"\naddress = \"{address}\"\nlocal = \"{}/24\"\nasn = {}\n\
         passive = true\naccept = [\"any\"]\n{export}{more}",
        our_address(Family::Ipv4),
        asn(address).0
    )
}
