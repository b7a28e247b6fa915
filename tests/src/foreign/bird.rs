//! BIRD 2: changed by a new configuration, asked by `birdc`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use bgp_core::Family;
use ipnet::IpNet;
use lab::foreign::{bird, write_private};
use lab::wait;
use lab::world::{Namespace, Process};

use super::{Connect, Neighbor, Place, RestartFlags, Restarting, Seen, Speaker, Table, as_path};
use crate::ours::PATIENCE;

pub(crate) struct Bird {
    process: Process,
    place: Place,
    directory: PathBuf,
    neighbor: Neighbor,
}

impl Bird {
    pub(crate) fn start(
        namespace: &Namespace,
        directory: &Path,
        neighbor: Neighbor,
    ) -> anyhow::Result<Self> {
        let bird = Self {
            process: launch(namespace, directory, &neighbor, &[])?,
            place: Place::of(namespace),
            directory: directory.to_owned(),
            neighbor,
        };
        bird.wait_until_it_answers()?;
        Ok(bird)
    }

    fn wait_until_it_answers(&self) -> anyhow::Result<()> {
        wait::until("bird answers", PATIENCE, || {
            self.ask(&["show", "status"])
                .map_err(|error| error.to_string())
        })?;
        Ok(())
    }

    pub(crate) fn ask(&self, words: &[&str]) -> anyhow::Result<String> {
        let socket = bird::socket(&self.directory);
        let mut line = vec!["birdc", "-s", socket.to_str().context("a path in UTF-8")?];
        line.extend(words);
        self.place.exec(&line)
    }
}

impl Speaker for Bird {
    fn received(&self) -> anyhow::Result<Table> {
        let mut table = Table::new();
        let mut prefix: Option<IpNet> = None;
        let mut path = vec![];
        for line in self
            .ask(&["show", "route", "all", "protocol", "them"])?
            .lines()
        {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("BGP.as_path:") => path = as_path(&words.collect::<Vec<_>>().join(" "))?,
                Some("BGP.next_hop:") => {
                    let next_hop = words.next().context("a next hop")?.parse()?;
                    let prefix = prefix.context("a prefix before its attributes")?;
                    table.insert(
                        prefix,
                        Seen {
                            next_hop,
                            as_path: std::mem::take(&mut path),
                        },
                    );
                }
                Some(word) if !line.starts_with(char::is_whitespace) => prefix = word.parse().ok(),
                _ => {}
            }
        }
        Ok(table)
    }

    fn announce(&mut self, networks: &[IpNet]) -> anyhow::Result<()> {
        networks.clone_into(&mut self.neighbor.networks);
        write_private(bird::config(&self.directory), &config(&self.neighbor))?;
        let said = self.ask(&["configure"])?;
        anyhow::ensure!(said.contains("Reconfigur"), "birdc configure: {said}");
        Ok(())
    }
}

impl Restarting for Bird {
    fn kill(&mut self) {
        self.process.kill();
    }

    fn restart(&mut self, namespace: &Namespace, networks: &[IpNet]) -> anyhow::Result<()> {
        networks.clone_into(&mut self.neighbor.networks);
        self.process = launch(namespace, &self.directory, &self.neighbor, &["-R"])?;
        self.wait_until_it_answers()
    }

    fn flags(&self) -> anyhow::Result<RestartFlags> {
        let all = self.ask(&["show", "protocols", "all", "them"])?;
        let (_, of_neighbor) = all
            .split_once("Neighbor capabilities")
            .context("no neighbor's capabilities")?;
        let kept = of_neighbor
            .lines()
            .find_map(|line| line.trim().strip_prefix("AF preserved:"));
        Ok(RestartFlags {
            restarted: of_neighbor.contains("Restart recovery"),
            forwarding_kept: kept.is_some_and(|families| !families.trim().is_empty()),
        })
    }
}

fn launch(
    namespace: &Namespace,
    directory: &Path,
    neighbor: &Neighbor,
    options: &[&str],
) -> anyhow::Result<Process> {
    let (program, text) = (Path::new("bird"), config(neighbor));
    Ok(bird::start(program, namespace, directory, &text, options)?)
}

fn config(neighbor: &Neighbor) -> String {
    let Neighbor {
        local,
        remote,
        local_asn,
        remote_asn,
        hold_time,
        ..
    } = neighbor;
    let channel = match neighbor.family() {
        Family::Ipv4 => "ipv4",
        Family::Ipv6 => "ipv6",
    };
    let routes: String = neighbor
        .networks
        .iter()
        .map(|network| format!(" route {network} blackhole;\n"))
        .collect();
    let password = neighbor
        .key
        .as_ref()
        .map_or(String::new(), |key| format!(" password \"{key}\";\n"));
    let passive = match neighbor.connect {
        Connect::They => "",
        Connect::We => " passive;\n",
    };
    let (kernel, graceful) = match neighbor.restart_time {
        None => (String::new(), String::new()),
        Some(time) => (
            format!(
                "protocol kernel {{ graceful restart; {channel} {{ import none; export where source = RTS_BGP; }}; }}\n"
            ),
            format!(" graceful restart on;\n graceful restart time {time};\n"),
        ),
    };
    format!(
        "router id 10.9.0.2;\nprotocol device {{}}\n{kernel}\
         protocol static originated {{\n {channel};\n{routes}}}\n\
         protocol bgp them {{\n local {local} as {local_asn};\n neighbor {remote} as {remote_asn};\n strict bind yes;\n\
         {password}{passive}{graceful} hold time {hold_time};\n connect retry time 1;\n connect delay time 1;\n error wait time 1, 2;\n\
         {channel} {{ import all; export where source = RTS_STATIC; next hop self; }};\n}}\n"
    )
}
