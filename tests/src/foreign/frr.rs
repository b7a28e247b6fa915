//! FRR: zebra and bgpd, changed and asked by `vtysh`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use ipnet::IpNet;
use lab::wait;
use lab::world::{Namespace, Process};
use serde_json::Value;

use super::{Connect, Neighbor, Place, Seen, Speaker, Table, as_path, write_private};
use crate::ours::PATIENCE;

pub(crate) struct Frr {
    _bgpd: Process,
    _zebra: Process,
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
        let place = Place::of(namespace);
        let config = write_private(directory.join("frr.conf"), &config(&neighbor))?;
        let zebra_config = write_private(directory.join("zebra.conf"), "")?;
        // Both daemons run as frr.
        place.exec(&[
            "chown",
            "-R",
            "frr:frr",
            directory.to_str().context("a path in UTF-8")?,
        ])?;
        let daemon = |name: &str, config: &Path| {
            let mut command = namespace.command(format!("/usr/lib/frr/{name}"));
            command
                .arg("-f")
                .arg(config)
                .arg("-i")
                .arg(directory.join(format!("{name}.pid")));
            command
                .arg("-z")
                .arg(directory.join("zserv.api"))
                .arg("--vty_socket")
                .arg(directory);
            command.args(["-P", "0", "--log", "stdout"]);
            namespace.spawn(name, &mut command, &directory.join(format!("{name}.log")))
        };
        let zebra = daemon("zebra", &zebra_config)?;
        wait::until("zebra listens", PATIENCE, || {
            match directory.join("zserv.api").exists() {
                true => Ok(()),
                false => Err(zebra.output()),
            }
        })?;
        let bgpd = daemon("bgpd", &config)?;
        let frr = Self {
            _bgpd: bgpd,
            _zebra: zebra,
            place,
            directory: directory.to_owned(),
            neighbor,
        };
        wait::until("frr answers", PATIENCE, || {
            frr.ask(&["show bgp summary"])
                .map_err(|error| error.to_string())
        })?;
        Ok(frr)
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
    format!(
        "hostname theirs\nrouter bgp {local_asn}\n bgp router-id 10.9.0.2\n no bgp ebgp-requires-policy\n \
         no bgp network import-check\n no bgp default ipv4-unicast\n timers bgp 3 9\n \
         neighbor {remote} remote-as {remote_asn}\n neighbor {remote} timers connect 1\n\
         {password}{passive} address-family {family} unicast\n{networks}  neighbor {remote} activate\n exit-address-family\n"
    )
}
