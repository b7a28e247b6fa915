//! The daemons that others wrote, each started, asked and changed in its own
//! way.

mod bird;
mod frr;
mod gobgp;
mod listener_key;
mod openbgpd;

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use anyhow::Context;
use bgp_core::Family;
use ipnet::IpNet;
use lab::world::Namespace;

pub(crate) use bird::Bird;
pub(crate) use listener_key::set_md5_key;

/// Which daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Daemon {
    Bird,
    Frr,
    GoBgp,
    OpenBgpd,
}

impl Daemon {
    pub(crate) const ALL: [Self; 4] = [Self::Bird, Self::Frr, Self::GoBgp, Self::OpenBgpd];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bird => "bird",
            Self::Frr => "frr",
            Self::GoBgp => "gobgp",
            Self::OpenBgpd => "openbgpd",
        }
    }
}

/// Its one session, as it should be.
#[derive(Clone, Debug)]
pub(crate) struct Neighbor {
    pub(crate) local: IpAddr,
    pub(crate) remote: IpAddr,
    pub(crate) local_asn: u32,
    pub(crate) remote_asn: u32,
    pub(crate) key: Option<String>,
    pub(crate) connect: Connect,
    /// Seconds.
    pub(crate) hold_time: u16,
    /// Seconds; what it receives is in its kernel then. BIRD and FRR.
    pub(crate) restart_time: Option<u16>,
    pub(crate) networks: Vec<IpNet>,
}

/// Who opens the TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connect {
    /// The foreign daemon.
    They,
    /// bgpd.
    We,
}

impl Neighbor {
    fn family(&self) -> Family {
        Family::of(self.local)
    }
}

/// What a speaker knows of one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) next_hop: IpAddr,
    pub(crate) as_path: Vec<u32>,
}

pub(crate) type Table = BTreeMap<IpNet, Seen>;

/// A running foreign speaker. Dropping it ends it.
pub(crate) trait Speaker {
    /// What it has received from its neighbor.
    fn received(&self) -> anyhow::Result<Table>;

    /// Makes it announce exactly these networks.
    fn announce(&mut self, networks: &[IpNet]) -> anyhow::Result<()>;
}

/// A speaker that can restart while its kernel forwards.
pub(crate) trait Restarting: Speaker {
    /// SIGKILL to all of it.
    fn kill(&mut self);

    /// Starts again and announces these networks, with what is left in the
    /// kernel.
    fn restart(&mut self, namespace: &Namespace, networks: &[IpNet]) -> anyhow::Result<()>;

    /// What its neighbor's OPEN says of the neighbor's last restart.
    fn flags(&self) -> anyhow::Result<RestartFlags>;
}

/// RFC 4724 §3, of the one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RestartFlags {
    /// R.
    pub(crate) restarted: bool,
    /// F.
    pub(crate) forwarding_kept: bool,
}

/// BIRD or FRR, whose neighbor has a `restart_time`.
pub(crate) fn start_restarting(
    daemon: Daemon,
    namespace: &Namespace,
    directory: &Path,
    neighbor: Neighbor,
) -> anyhow::Result<Box<dyn Restarting>> {
    let directory = directory.join(daemon.name());
    fs::create_dir_all(&directory).context("the daemon's directory")?;
    Ok(match daemon {
        Daemon::Bird => Box::new(Bird::start(namespace, &directory, neighbor)?),
        Daemon::Frr => Box::new(frr::Frr::start(namespace, &directory, neighbor)?),
        Daemon::GoBgp | Daemon::OpenBgpd => {
            anyhow::bail!("{} keeps no routes in the kernel", daemon.name())
        }
    })
}

pub(crate) fn start(
    daemon: Daemon,
    namespace: &Namespace,
    directory: &Path,
    neighbor: Neighbor,
) -> anyhow::Result<Box<dyn Speaker>> {
    let directory = directory.join(daemon.name());
    fs::create_dir_all(&directory).context("the daemon's directory")?;
    Ok(match daemon {
        Daemon::Bird => Box::new(Bird::start(namespace, &directory, neighbor)?),
        Daemon::Frr => Box::new(frr::Frr::start(namespace, &directory, neighbor)?),
        Daemon::GoBgp => Box::new(gobgp::GoBgp::start(namespace, &directory, neighbor)?),
        Daemon::OpenBgpd => Box::new(openbgpd::OpenBgpd::start(namespace, &directory, neighbor)?),
    })
}

/// Where a namespace is, for what outlives the borrow of it.
#[derive(Clone)]
struct Place(String);

impl Place {
    fn of(namespace: &Namespace) -> Self {
        Self(namespace.name().to_owned())
    }

    /// Runs a program inside to its end; what it printed.
    fn exec(&self, words: &[&str]) -> anyhow::Result<String> {
        let mut command = std::process::Command::new("ip");
        command.args(["netns", "exec", &self.0]).args(words);
        Ok(lab::world::run(&mut command, None)?)
    }
}

/// Numbers of an AS_PATH that is written with spaces.
fn as_path(text: &str) -> anyhow::Result<Vec<u32>> {
    text.split_whitespace()
        .map(|number| {
            number
                .parse()
                .with_context(|| format!("`{number}` in AS_PATH `{text}`"))
        })
        .collect()
}
