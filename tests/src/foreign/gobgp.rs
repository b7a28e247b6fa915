//! GoBGP: changed and asked by `gobgp`.

use std::path::Path;

use anyhow::Context;
use bgp_core::Family;
use ipnet::IpNet;
use lab::foreign::write_private;
use lab::wait;
use lab::world::{Namespace, Process};
use serde_json::Value;

use super::{Connect, Neighbor, Place, Seen, Speaker, Table};
use crate::ours::PATIENCE;

pub(crate) struct GoBgp {
    _process: Process,
    place: Place,
    neighbor: Neighbor,
    announced: Vec<IpNet>,
}

impl GoBgp {
    pub(crate) fn start(
        namespace: &Namespace,
        directory: &Path,
        neighbor: Neighbor,
    ) -> anyhow::Result<Self> {
        let config = write_private(directory.join("gobgp.toml"), &config(&neighbor))?;
        let mut command = namespace.command("gobgpd");
        command
            .arg("-f")
            .arg(config)
            .args(["--api-hosts", "127.0.0.1:50051", "--pprof-disable"]);
        let process = namespace.spawn("gobgpd", &mut command, &directory.join("gobgpd.log"))?;
        let networks = neighbor.networks.clone();
        let mut gobgp = Self {
            _process: process,
            place: Place::of(namespace),
            neighbor,
            announced: vec![],
        };
        wait::until("gobgpd answers", PATIENCE, || {
            gobgp.ask(&["global"]).map_err(|error| error.to_string())
        })?;
        gobgp.announce(&networks)?;
        Ok(gobgp)
    }

    fn ask(&self, words: &[&str]) -> anyhow::Result<String> {
        let mut line = vec!["gobgp"];
        line.extend(words);
        self.place.exec(&line)
    }

    fn change(&self, verb: &str, network: &IpNet) -> anyhow::Result<()> {
        let family = self.neighbor.family().to_string();
        self.ask(&["-a", &family, "global", "rib", verb, &network.to_string()])
            .map(drop)
    }
}

impl Speaker for GoBgp {
    fn received(&self) -> anyhow::Result<Table> {
        let family = self.neighbor.family().to_string();
        let text = self.ask(&[
            "-j",
            "-a",
            &family,
            "neighbor",
            &self.neighbor.remote.to_string(),
            "adj-in",
        ])?;
        let answer: Value =
            serde_json::from_str(&text).with_context(|| format!("from gobgp: {text}"))?;
        let mut table = Table::new();
        for (prefix, paths) in answer.as_object().into_iter().flatten() {
            let attributes = paths[0]["attrs"].as_array().into_iter().flatten();
            let mut next_hop = None;
            let mut as_path = vec![];
            for attribute in attributes {
                if let Some(text) = attribute["nexthop"].as_str() {
                    next_hop = Some(text.parse()?);
                }
                for segment in attribute["as_paths"].as_array().into_iter().flatten() {
                    let numbers = segment["asns"].as_array().into_iter().flatten();
                    as_path.extend(
                        numbers
                            .filter_map(Value::as_u64)
                            .filter_map(|number| u32::try_from(number).ok()),
                    );
                }
            }
            table.insert(
                prefix.parse()?,
                Seen {
                    next_hop: next_hop.context("a next hop")?,
                    as_path,
                },
            );
        }
        Ok(table)
    }

    fn announce(&mut self, networks: &[IpNet]) -> anyhow::Result<()> {
        for network in self
            .announced
            .iter()
            .filter(|network| !networks.contains(network))
        {
            self.change("del", network)?;
        }
        for network in networks
            .iter()
            .filter(|network| !self.announced.contains(network))
        {
            self.change("add", network)?;
        }
        networks.clone_into(&mut self.announced);
        Ok(())
    }
}

fn config(neighbor: &Neighbor) -> String {
    let Neighbor {
        local,
        remote,
        local_asn,
        remote_asn,
        ..
    } = neighbor;
    let family = match neighbor.family() {
        Family::Ipv4 => "ipv4-unicast",
        Family::Ipv6 => "ipv6-unicast",
    };
    let password = neighbor
        .key
        .as_ref()
        .map_or(String::new(), |key| format!("auth-password = \"{key}\"\n"));
    let passive = neighbor.connect == Connect::We;
    format!(
        "[global.config]\nas = {local_asn}\nrouter-id = \"10.9.0.2\"\nlocal-address-list = [\"{local}\"]\n\
         [[neighbors]]\n[neighbors.config]\nneighbor-address = \"{remote}\"\npeer-as = {remote_asn}\n{password}\
         [neighbors.transport.config]\nlocal-address = \"{local}\"\npassive-mode = {passive}\n\
         [neighbors.timers.config]\nhold-time = 9\nconnect-retry = 1\nidle-hold-time-after-reset = 1\n\
         [[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = \"{family}\"\n"
    )
}
