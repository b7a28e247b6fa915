//! A healthy session with BIRD, beside a link where a case goes wrong; and a
//! picture of all that must stay as it is.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use anyhow::Context;
use bgp_core::Family;
use bgp_core::api::{PeerStatus, Route};
use ipnet::IpNet;
use lab::wait;
use lab::world::{self, Namespace};

use super::sessions::{
    KEY, kernel_routes, neighbor, networks, our_networks, our_peer, their_networks,
};
use crate::Bench;
use crate::foreign::{self, Bird, Connect, Daemon, Neighbor, Speaker};
use crate::ours::{Ours, PATIENCE, key_file};
use crate::pair::{OUR_ASN, Pair};

/// bgpd with the session `them`, which is up and has its routes.
pub(super) struct Healthy {
    pub(super) ours: Ours,
    _theirs: Box<dyn Speaker>,
    pub(super) pair: Pair,
    /// At the other end of `wire2`: where it goes wrong.
    pub(super) sick: Namespace,
    /// `[[peer]]` of the healthy session.
    pub(super) peer: String,
}

pub(super) const SICK_WIRE: &str = "wire2";
pub(super) const SICK_ASN: u32 = 65003;

impl Healthy {
    /// `daemon`: more lines of `[bgpd]`; `rest`: what else is configured.
    pub(super) fn start(bench: &Bench, daemon: &str, rest: &str) -> anyhow::Result<Self> {
        let pair = Pair::create(bench)?;
        let sick = Namespace::create(&format!("{}-sick", bench.number))?;
        world::join((&pair.ours, SICK_WIRE), (&sick, SICK_WIRE))?;
        pair.ours
            .ip(&format!("address add 10.9.1.1/24 dev {SICK_WIRE}"))?;
        sick.ip(&format!("address add 10.9.1.2/24 dev {SICK_WIRE}"))?;
        let key = key_file(bench, "key", KEY)?;
        let peer = our_peer(
            Family::Ipv4,
            Connect::We,
            Some(&key),
            &our_networks(Family::Ipv4),
        );
        let ours = Ours::start_with(bench, &pair.ours, daemon, &format!("{peer}{rest}"))?;
        let neighbor = neighbor(Family::Ipv4, Connect::We);
        let theirs = foreign::start(Daemon::Bird, &pair.theirs, &bench.directory, neighbor)?;
        let healthy = Self {
            ours,
            _theirs: theirs,
            pair,
            sick,
            peer,
        };
        wait::until("the healthy session has its routes", PATIENCE, || {
            healthy.has_routes()
        })?;
        Ok(healthy)
    }

    fn has_routes(&self) -> Result<(), String> {
        self.ours.established("them")?;
        super::sessions::we_have(
            &self.ours,
            &self.pair.ours,
            Family::Ipv4,
            &their_networks(Family::Ipv4),
        )
    }

    pub(super) fn picture(&self) -> anyhow::Result<Picture> {
        let show = |words| self.pair.ours.show(words);
        Ok(Picture {
            them: self.ours.peer("them").map_err(anyhow::Error::msg)?,
            routes: self.ours.control.routes("peer=them")?,
            links: show("-j address show")?,
            kernel: [
                show("-j -4 route show")?,
                show("-j -6 route show")?,
                show("-j nexthop show")?,
                self.pair.ours.exec("ss", &["-Hltn"])?,
            ],
        })
    }

    /// Nothing of the healthy session, of the interfaces and of the kernel's
    /// tables is different from `before`.
    pub(super) fn unchanged_since(&self, before: &Picture) -> anyhow::Result<()> {
        let now = self.picture()?;
        self.session_unbroken_since(before)?;
        let same = |what: &str, before: &str, now: &str| {
            wait::ensure(before == now, format!("{what} as before: {before}"), now)
        };
        same(
            "routes",
            &format!("{:?}", before.routes),
            &format!("{:?}", now.routes),
        )?;
        same("interfaces", &before.links, &now.links)?;
        for (before, now) in before.kernel.iter().zip(&now.kernel) {
            same("the kernel's tables", before, now)?;
        }
        Ok(())
    }

    /// The healthy session is the same one, with the same routes.
    pub(super) fn session_unbroken_since(&self, before: &Picture) -> anyhow::Result<()> {
        let now = self.ours.established("them").map_err(anyhow::Error::msg)?;
        let same = now.flaps == before.them.flaps && now.since >= before.them.since;
        wait::ensure(
            same && now.prefixes == before.them.prefixes,
            format!("the healthy session goes on: {:?}", before.them),
            format!("{now:?}"),
        )?;
        let kernel = kernel_routes(&self.pair.ours, Family::Ipv4).map_err(anyhow::Error::msg)?;
        let missing = their_networks(Family::Ipv4)
            .into_iter()
            .find(|network| !kernel.contains(network));
        wait::ensure(
            missing.is_none(),
            "the kernel has the healthy session's routes",
            format!("{kernel:?}"),
        )?;
        Ok(())
    }
}

pub(super) struct Picture {
    them: PeerStatus,
    routes: Vec<Route>,
    links: String,
    /// Routes, nexthops, and who listens.
    kernel: [String; 4],
}

/// BIRD at the far end of `wire2`.
pub(super) fn bird(
    bench: &Bench,
    sick: &Namespace,
    asn: u32,
    key: Option<&str>,
    connect: Connect,
) -> anyhow::Result<Bird> {
    let directory = bench.directory.join("sick");
    fs::create_dir_all(&directory).context("the directory of the sick end")?;
    let neighbor = Neighbor {
        local: IpAddr::V4(Ipv4Addr::new(10, 9, 1, 2)),
        remote: IpAddr::V4(Ipv4Addr::new(10, 9, 1, 1)),
        local_asn: asn,
        remote_asn: OUR_ASN,
        key: key.map(str::to_owned),
        connect,
        hold_time: 9,
        restart_time: None,
        networks: sick_networks(),
    };
    Bird::start(sick, &directory, neighbor)
}

const SICK_NETWORK: &str = "203.0.113.0/24";

pub(super) fn sick_networks() -> Vec<IpNet> {
    networks(&[SICK_NETWORK])
}

/// `[[peer]]` toward [`bird`]'s address.
pub(super) fn sick_peer(asn: u32, key_file: Option<&Path>, connect: Connect) -> String {
    let key = key_file.map_or(String::new(), |path| {
        format!("auth_key_file = \"{}\"\n", path.display())
    });
    format!(
        "[[peer]]\nname = \"sick\"\naddress = \"10.9.1.2\"\nlocal = \"10.9.1.1/24\"\nasn = {asn}\n{key}passive = {}\n\
         connect_retry = \"1s\"\nhold_time = \"9s\"\naccept = [\"any\"]\n",
        connect == Connect::They,
    )
}

/// The file that [`Ours`] runs with.
pub(super) fn config_file(bench: &Bench) -> PathBuf {
    bench.directory.join("ours").join("bgpd.toml")
}

/// A network that the healthy session learns.
pub(super) fn their_first_network() -> IpNet {
    their_networks(Family::Ipv4)[0]
}
