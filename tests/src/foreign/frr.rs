//! FRR: zebra and bgpd, changed and asked by `vtysh`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use bgp_core::Family;
use ipnet::IpNet;
use lab::foreign::frr::{self, Zebra};
use lab::wait;
use lab::world::Namespace;
use serde_json::Value;

use super::{Connect, Neighbor, Place, RestartFlags, Restarting, Seen, Speaker, Table, as_path};
use crate::ours::PATIENCE;

pub(crate) struct Frr {
    daemons: frr::Frr,
    place: Place,
    directory: PathBuf,
    neighbor: Neighbor,
}

impl Frr {
    pub(crate) fn start(
        namespace: &Namespace,
        directory: &Path,
        neighbor: Neighbor,
    ) -> anyhow::Result<Self> {
        let frr = Self {
            daemons: launch(namespace, directory, &neighbor, &[])?,
            place: Place::of(namespace),
            directory: directory.to_owned(),
            neighbor,
        };
        frr.wait_until_it_answers()?;
        Ok(frr)
    }

    fn wait_until_it_answers(&self) -> anyhow::Result<()> {
        wait::until("frr answers", PATIENCE, || {
            self.ask(&["show bgp summary"])
                .map_err(|error| error.to_string())
        })?;
        Ok(())
    }

    fn ask(&self, commands: &[&str]) -> anyhow::Result<String> {
        let mut words = vec![
            "vtysh",
            "--vty_socket",
            self.directory.to_str().context("a path in UTF-8")?,
            "-d",
            "bgpd",
        ];
        for command in commands {
            words.extend(["-c", command]);
        }
        self.place.exec(&words)
    }
}

impl Speaker for Frr {
    fn received(&self) -> anyhow::Result<Table> {
        let family = self.neighbor.family();
        let text = self.ask(&[&format!(
            "show bgp {family} unicast neighbors {} routes json",
            self.neighbor.remote
        )])?;
        let answer: Value =
            serde_json::from_str(&text).with_context(|| format!("from vtysh: {text}"))?;
        let mut table = Table::new();
        for (prefix, paths) in answer["routes"].as_object().into_iter().flatten() {
            let path = &paths[0];
            let hops = path["nexthops"].as_array().into_iter().flatten();
            let global = hops
                .filter_map(|hop| hop["ip"].as_str())
                .find(|ip| !ip.starts_with("fe80"));
            let seen = Seen {
                next_hop: global.context("a next hop")?.parse()?,
                as_path: as_path(path["path"].as_str().unwrap_or(""))?,
            };
            table.insert(prefix.parse()?, seen);
        }
        Ok(table)
    }

    fn announce(&mut self, networks: &[IpNet]) -> anyhow::Result<()> {
        let before = std::mem::replace(&mut self.neighbor.networks, networks.to_vec());
        let gone = before
            .iter()
            .filter(|network| !networks.contains(network))
            .map(|network| format!("no network {network}"));
        let new = networks
            .iter()
            .filter(|network| !before.contains(network))
            .map(|network| format!("network {network}"));
        let router = format!("router bgp {}", self.neighbor.local_asn);
        let family = format!("address-family {} unicast", self.neighbor.family());
        let changes: Vec<String> = gone.chain(new).collect();
        let mut commands = vec!["configure terminal", &router, &family];
        commands.extend(changes.iter().map(String::as_str));
        self.ask(&commands).map(drop)
    }
}

impl Restarting for Frr {
    fn kill(&mut self) {
        self.daemons.kill();
    }

    fn restart(&mut self, namespace: &Namespace, networks: &[IpNet]) -> anyhow::Result<()> {
        networks.clone_into(&mut self.neighbor.networks);
        let kept = ["-K", "60"];
        self.daemons = launch(namespace, &self.directory, &self.neighbor, &kept)?;
        self.wait_until_it_answers()
    }

    fn flags(&self) -> anyhow::Result<RestartFlags> {
        let remote = self.neighbor.remote.to_string();
        let text = self.ask(&[&format!("show bgp neighbors {remote} json")])?;
        let answer: Value =
            serde_json::from_str(&text).with_context(|| format!("from vtysh: {text}"))?;
        let info = &answer[&remote]["gracefulRestartInfo"];
        let family = match self.neighbor.family() {
            Family::Ipv4 => "ipv4Unicast",
            Family::Ipv6 => "ipv6Unicast",
        };
        Ok(RestartFlags {
            restarted: info["rBit"] == true,
            forwarding_kept: info[family]["fBit"] == true,
        })
    }
}

/// zebra, with these options, and bgpd.
fn launch(
    namespace: &Namespace,
    directory: &Path,
    neighbor: &Neighbor,
    options: &[&str],
) -> anyhow::Result<frr::Frr> {
    let zebra = Zebra::With { options };
    frr::start(namespace, directory, &config(neighbor), zebra)
}

fn config(neighbor: &Neighbor) -> String {
    let Neighbor {
        remote,
        local_asn,
        remote_asn,
        ..
    } = neighbor;
    let family = neighbor.family();
    let networks: String = neighbor
        .networks
        .iter()
        .map(|network| format!("  network {network}\n"))
        .collect();
    let password = neighbor.key.as_ref().map_or(String::new(), |key| {
        format!(" neighbor {remote} password {key}\n")
    });
    let passive = match neighbor.connect {
        Connect::They => String::new(),
        Connect::We => format!(" neighbor {remote} passive\n"),
    };
    let graceful = neighbor.restart_time.map_or(String::new(), |time| {
        format!(
            " bgp graceful-restart\n bgp graceful-restart preserve-fw-state\n \
             bgp graceful-restart restart-time {time}\n bgp graceful-restart select-defer-time {time}\n"
        )
    });
    format!(
        "hostname theirs\nrouter bgp {local_asn}\n bgp router-id 10.9.0.2\n no bgp ebgp-requires-policy\n{graceful} \
         no bgp network import-check\n no bgp default ipv4-unicast\n timers bgp 3 9\n \
         neighbor {remote} remote-as {remote_asn}\n neighbor {remote} timers connect 1\n\
         {password}{passive} address-family {family} unicast\n{networks}  neighbor {remote} activate\n exit-address-family\n"
    )
}
