//! The customer's router: the text's own daemon.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use ipnet::IpNet;
use lab::foreign::{bird, openbgpd, write_private};
use lab::wait;
use lab::world::{Namespace, Process, run};
use nix::sys::signal::Signal;
use serde_json::Value;
use vendor_configs::{Part, RouterLink};

use super::{Accepted, text};
use crate::Bench;
use crate::foreign::Daemon;
use crate::ours::PATIENCE;

pub(super) struct Theirs<'a> {
    namespace: &'a Namespace,
    link: RouterLink,
    pub(super) directory: PathBuf,
    pub(super) daemon: Daemon,
    pub(super) text: String,
    /// bgpd's first: its log is what a failure shows.
    processes: Vec<Process>,
}

impl<'a> Theirs<'a> {
    pub(super) fn start(
        bench: &Bench,
        namespace: &'a Namespace,
        daemon: Daemon,
        link: &RouterLink,
    ) -> anyhow::Result<Self> {
        let directory = bench.directory.join(daemon.name());
        std::fs::create_dir_all(&directory).context("the daemon's directory")?;
        let text = text(daemon.name(), link, Part::Whole)?;
        let processes = match daemon {
            Daemon::Bird => {
                let program = Path::new("bird");
                vec![bird::start(program, namespace, &directory, &text, &[])?]
            }
            Daemon::OpenBgpd => {
                let text = with_socket(&directory, &text);
                vec![openbgpd::start(namespace, &directory, &text)?]
            }
            Daemon::GoBgp => vec![gobgp(namespace, &directory, &text)?],
            Daemon::Frr => frr(namespace, &directory, &text)?,
        };
        Ok(Self {
            namespace,
            link: link.clone(),
            directory,
            daemon,
            text,
            processes,
        })
    }

    /// The failure with what the daemon says.
    pub(super) fn explain(&self, error: &anyhow::Error) -> anyhow::Error {
        anyhow::anyhow!("{error}\nits log:\n{}", self.processes[0].output())
    }

    /// What it has taken from AWS.
    pub(super) fn accepted(&self) -> anyhow::Result<Accepted> {
        match self.daemon {
            Daemon::Bird => by_bird(&self.birdc("show route all where source = RTS_BGP")?),
            Daemon::OpenBgpd => {
                let mut accepted = Accepted::new();
                for session in &self.link.sessions {
                    let peer = session.peer.to_string();
                    let said = self.bgpctl(&["-j", "show", "rib", "neighbor", &peer])?;
                    let said: Value = serde_json::from_str(&said)?;
                    for route in said["rib"].as_array().into_iter().flatten() {
                        let prefix = route["prefix"].as_str().context("a prefix")?;
                        let preference = route["localpref"].as_u64().context("a localpref")?;
                        accepted.insert(prefix.parse()?, preference.try_into()?);
                    }
                }
                Ok(accepted)
            }
            Daemon::GoBgp => {
                let asn = self.link.sessions[0].peer_asn;
                let from_aws = format!("\"asns\":[{asn}]");
                let mut accepted = Accepted::new();
                for family in ["ipv4", "ipv6"] {
                    let said = self.gobgp(&format!("-j global rib -a {family}"))?;
                    let paths = paths(&serde_json::from_str(&said)?);
                    for (prefix, path) in paths {
                        if path.to_string().contains(&from_aws) {
                            accepted.insert(prefix.parse()?, gobgp_preference(&path)?);
                        }
                    }
                }
                Ok(accepted)
            }
            Daemon::Frr => {
                let mut accepted = Accepted::new();
                for session in &self.link.sessions {
                    let (peer, family) = match session.peer.is_ipv6() {
                        true => (session.peer, "ipv6"),
                        false => (session.peer, "ipv4"),
                    };
                    let said = self.vtysh(&[&format!("show bgp {family} unicast json")])?;
                    let answer: Value = serde_json::from_str(&said)?;
                    for (prefix, path) in paths(&answer["routes"]) {
                        if path["peerId"] == peer.to_string() {
                            let preference = path["locPrf"].as_u64().unwrap_or(100);
                            accepted.insert(prefix.parse()?, preference.try_into()?);
                        }
                    }
                }
                Ok(accepted)
            }
        }
    }

    /// Of both sessions.
    pub(super) fn bfd_is_up(&self) -> Result<(), String> {
        let (said, up) = match self.daemon {
            Daemon::Bird => (self.birdc("show bfd sessions"), " Up "),
            _ => (self.vtysh(&["show bfd peers json"]), "\"status\":\"up\""),
        };
        let said = said.map_err(|error| format!("{error:#}"))?;
        (said.matches(up).count() == self.link.sessions.len())
            .then_some(())
            .ok_or(said)
    }

    /// Both sessions, and it says that BFD was the reason.
    pub(super) fn ended_by_bfd(&self) -> Result<(), String> {
        let (said, up, reason) = match self.daemon {
            Daemon::Bird => (
                self.birdc("show protocols all"),
                "Established",
                "Last error:       Error: BFD session down",
            ),
            _ => (
                self.vtysh(&["show bgp neighbors"]),
                "BGP state = Established",
                "(Cease/BFD Down)",
            ),
        };
        let said = said.map_err(|error| format!("{error:#}"))?;
        let told = said.matches(reason).count() == self.link.sessions.len();
        (told && !said.contains(up)).then_some(()).ok_or(said)
    }

    pub(super) fn birdc(&self, words: &str) -> anyhow::Result<String> {
        birdc(&self.directory, words)
    }

    pub(super) fn vtysh(&self, commands: &[&str]) -> anyhow::Result<String> {
        let mut vtysh = Command::new("vtysh");
        vtysh.arg("--vty_socket").arg(&self.directory);
        for command in commands {
            vtysh.args(["-c", command]);
        }
        Ok(run(&mut vtysh, None)?)
    }

    pub(super) fn bgpctl(&self, words: &[&str]) -> anyhow::Result<String> {
        let mut bgpctl = Command::new("bgpctl");
        bgpctl.arg("-s").arg(openbgpd::socket(&self.directory));
        Ok(run(bgpctl.args(words), None)?)
    }

    pub(super) fn gobgp(&self, words: &str) -> anyhow::Result<String> {
        let words: Vec<&str> = words.split_whitespace().collect();
        Ok(self.namespace.exec("gobgp", &words)?)
    }

    /// For `bgpctl reload`.
    pub(super) fn write_openbgpd(&self, text: &str) -> anyhow::Result<()> {
        let text = with_socket(&self.directory, text);
        write_private(openbgpd::config(&self.directory), &text)?;
        Ok(())
    }

    pub(super) fn reload_gobgp(&self, text: &str) -> anyhow::Result<()> {
        write_private(gobgp_config(&self.directory), text)?;
        self.processes[0].signal(Signal::SIGHUP);
        Ok(())
    }
}

/// Where it can be asked is not the text's to say.
fn with_socket(directory: &Path, text: &str) -> String {
    let socket = openbgpd::socket(directory);
    format!("socket \"{}\"\n{text}", socket.display())
}

fn gobgp_config(directory: &Path) -> PathBuf {
    directory.join("gobgp.toml")
}

pub(super) fn birdc(directory: &Path, words: &str) -> anyhow::Result<String> {
    let mut birdc = Command::new("birdc");
    birdc.arg("-s").arg(bird::socket(directory));
    birdc.args(words.split_whitespace());
    Ok(run(&mut birdc, None)?)
}

fn by_bird(said: &str) -> anyhow::Result<Accepted> {
    let mut accepted = Accepted::new();
    let mut prefix: Option<IpNet> = None;
    for line in said.lines() {
        if !line.starts_with(char::is_whitespace) {
            let first = line.split_whitespace().next();
            prefix = first.and_then(|word| word.parse().ok());
        }
        if let Some(preference) = line.trim().strip_prefix("BGP.local_pref:") {
            let prefix = prefix.context("a prefix before its attributes")?;
            accepted.insert(prefix, preference.trim().parse()?);
        }
    }
    Ok(accepted)
}

/// Every path of every prefix.
fn paths(routes: &Value) -> Vec<(String, Value)> {
    let routes = routes.as_object().into_iter().flatten();
    let each = routes.flat_map(|(prefix, paths)| {
        let paths = paths.as_array().into_iter().flatten();
        paths.map(|path| (prefix.clone(), path.clone()))
    });
    each.collect()
}

/// LOCAL_PREF, or what its absence means.
fn gobgp_preference(path: &Value) -> anyhow::Result<u32> {
    let attributes = path["attrs"].as_array().into_iter().flatten();
    let mut found = attributes.filter(|attribute| attribute["type"] == 5);
    let preference = found.next().and_then(|one| one["value"].as_u64());
    Ok(preference.unwrap_or(100).try_into()?)
}

fn gobgp(namespace: &Namespace, directory: &Path, text: &str) -> anyhow::Result<Process> {
    let config = write_private(gobgp_config(directory), text)?;
    let mut command = namespace.command("gobgpd");
    command
        .arg("-f")
        .arg(config)
        .args(["--api-hosts", "127.0.0.1:50051", "--pprof-disable"]);
    let log = directory.join("gobgpd.log");
    let process = namespace.spawn("gobgpd", &mut command, &log)?;
    wait::until("gobgpd answers", PATIENCE, || {
        let answer = namespace.exec("gobgp", &["global"]);
        answer.map(drop).map_err(|error| error.to_string())
    })?;
    // What its file can't say, the text asks for in its comments.
    for line in text.lines() {
        let words = line.trim_start_matches(['#', ' ']);
        if let Some(words) = words.strip_prefix("gobgp global rib add") {
            let add = ["global", "rib", "add"];
            let words = add.into_iter().chain(words.split_whitespace());
            namespace.exec("gobgp", &words.collect::<Vec<_>>())?;
        }
    }
    Ok(process)
}

/// All of the daemons that the text speaks to, told it by vtysh as on a router.
fn frr(namespace: &Namespace, directory: &Path, text: &str) -> anyhow::Result<Vec<Process>> {
    let config = write_private(directory.join("frr.conf"), text)?;
    run(
        Command::new("chown").args(["-R", "frr:frr"]).arg(directory),
        None,
    )?;
    let mut processes = Vec::new();
    for name in ["zebra", "staticd", "bfdd", "bgpd"] {
        let mut command = namespace.command(format!("/usr/lib/frr/{name}"));
        command
            .arg("-z")
            .arg(directory.join("zserv.api"))
            .arg("--vty_socket")
            .arg(directory);
        command
            .arg("-i")
            .arg(directory.join(format!("{name}.pid")))
            .args(["-f", "/dev/null", "-P", "0", "--log", "stdout"]);
        if name == "bfdd" {
            command.arg("--bfdctl").arg(directory.join("bfdd.sock"));
        }
        let process =
            namespace.spawn(name, &mut command, &directory.join(format!("{name}.log")))?;
        wait::until(&format!("{name} listens"), PATIENCE, || {
            let listens = directory.join(format!("{name}.vty")).exists();
            listens.then_some(()).ok_or_else(|| process.output())
        })?;
        processes.push(process);
    }
    let config = config.to_str().context("a path in UTF-8")?;
    let socket = directory.to_str().context("a path in UTF-8")?;
    namespace.exec("vtysh", &["--vty_socket", socket, "-f", config])?;
    // bgpd first: its log is what a failure shows.
    processes.reverse();
    Ok(processes)
}
