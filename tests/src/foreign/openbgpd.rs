//! OpenBGPD: changed and asked by `bgpctl`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use bgp_core::Family;
use ipnet::IpNet;
use lab::foreign::openbgpd;
use lab::wait;
use lab::world::{Namespace, Process};
use serde_json::Value;

use super::{Connect, Neighbor, Place, Seen, Speaker, Table, as_path, listener_key};
use crate::ours::PATIENCE;

pub(crate) struct OpenBgpd {
    _process: Process,
    place: Place,
    directory: PathBuf,
    neighbor: Neighbor,
}

impl OpenBgpd {
    pub(crate) fn start(
        namespace: &Namespace,
        directory: &Path,
        neighbor: Neighbor,
    ) -> anyhow::Result<Self> {
        let text = config(&neighbor, directory);
        let openbgpd = Self {
            _process: openbgpd::start(namespace, directory, &text)?,
            place: Place::of(namespace),
            directory: directory.to_owned(),
            neighbor,
        };
        wait::until("openbgpd answers", PATIENCE, || {
            openbgpd.ask(&["show"]).map_err(|error| error.to_string())
        })?;
        if let (Connect::We, Some(key)) = (openbgpd.neighbor.connect, &openbgpd.neighbor.key) {
            listener_key::set(namespace, openbgpd.neighbor.remote, key)?;
        }
        Ok(openbgpd)
    }

    fn ask(&self, words: &[&str]) -> anyhow::Result<String> {
        let socket = openbgpd::socket(&self.directory);
        let mut line = vec!["bgpctl", "-s", socket.to_str().context("a path in UTF-8")?];
        line.extend(words);
        self.place.exec(&line)
    }
}

impl Speaker for OpenBgpd {
    fn received(&self) -> anyhow::Result<Table> {
        let text = self.ask(&[
            "-j",
            "show",
            "rib",
            "neighbor",
            &self.neighbor.remote.to_string(),
        ])?;
        let answer: Value =
            serde_json::from_str(&text).with_context(|| format!("from bgpctl: {text}"))?;
        let mut table = Table::new();
        for route in answer["rib"].as_array().into_iter().flatten() {
            let word = |name: &str| {
                route[name]
                    .as_str()
                    .with_context(|| format!("no {name} in {route}"))
            };
            let seen = Seen {
                next_hop: word("exit_nexthop")?.parse()?,
                as_path: as_path(word("aspath")?)?,
            };
            table.insert(word("prefix")?.parse()?, seen);
        }
        Ok(table)
    }

    fn announce(&mut self, networks: &[IpNet]) -> anyhow::Result<()> {
        let before = std::mem::replace(&mut self.neighbor.networks, networks.to_vec());
        for network in before.iter().filter(|network| !networks.contains(network)) {
            self.ask(&["network", "delete", &network.to_string()])?;
        }
        for network in networks.iter().filter(|network| !before.contains(network)) {
            self.ask(&["network", "add", &network.to_string()])?;
        }
        Ok(())
    }
}

fn config(neighbor: &Neighbor, directory: &Path) -> String {
    let Neighbor {
        local,
        remote,
        local_asn,
        remote_asn,
        ..
    } = neighbor;
    let family = match neighbor.family() {
        Family::Ipv4 => "IPv4",
        Family::Ipv6 => "IPv6",
    };
    let networks: String = neighbor
        .networks
        .iter()
        .map(|network| format!("network {network}\n"))
        .collect();
    let password = neighbor.key.as_ref().map_or(String::new(), |key| {
        format!(" tcp md5sig password \"{key}\"\n")
    });
    let passive = match neighbor.connect {
        Connect::They => "",
        Connect::We => " passive\n",
    };
    let socket = openbgpd::socket(directory);
    format!(
        "AS {local_asn}\nrouter-id 10.9.0.2\nsocket \"{}\"\nfib-update no\nholdtime 9\nconnect-retry 1\n\
         listen on {local}\n{networks}neighbor {remote} {{\n remote-as {remote_asn}\n local-address {local}\n\
         {password}{passive} announce {family} unicast\n}}\nallow from any\nallow to any\n",
        socket.display()
    )
}
