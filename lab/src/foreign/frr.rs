//! FRR: bgpd, and zebra where routes have to reach the kernel.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::write_private;
use crate::wait;
use crate::world::{Namespace, Process, run};

pub struct Frr {
    pub bgpd: Process,
    pub zebra: Option<Process>,
}

impl Frr {
    /// SIGKILL to both, as when the machine's memory is gone.
    pub fn kill(&mut self) {
        self.bgpd.kill();
        if let Some(zebra) = &mut self.zebra {
            zebra.kill();
        }
    }
}

/// Whether zebra runs too; without it bgpd takes every next hop for reachable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zebra<'a> {
    With { options: &'a [&'a str] },
    Without,
}

/// `vtysh --vty_socket DIRECTORY` reaches both.
pub fn start(
    namespace: &Namespace,
    directory: &Path,
    text: &str,
    zebra: Zebra<'_>,
) -> anyhow::Result<Frr> {
    let config = write_private(directory.join("frr.conf"), text)?;
    belongs_to_frr(directory)?;
    let zebra = match zebra {
        Zebra::Without => None,
        Zebra::With { options } => Some(start_zebra(namespace, directory, options)?),
    };
    Ok(Frr {
        bgpd: daemon(namespace, directory, "bgpd", &config, &[])?,
        zebra,
    })
}

/// For the daemons that are started after it.
pub fn start_zebra(
    namespace: &Namespace,
    directory: &Path,
    options: &[&str],
) -> anyhow::Result<Process> {
    let config = write_private(directory.join("zebra.conf"), "")?;
    belongs_to_frr(directory)?;
    // What an earlier run has left would look like a zebra that listens.
    let _none = std::fs::remove_file(directory.join(ZEBRA_SOCKET));
    let zebra = daemon(namespace, directory, "zebra", &config, options)?;
    wait::until("zebra listens", PATIENCE, || {
        match directory.join(ZEBRA_SOCKET).exists() {
            true => Ok(()),
            false => Err(zebra.output()),
        }
    })?;
    Ok(zebra)
}

/// BFD for the peers that bgpd names to it. Start it after the others.
pub fn start_bfdd(namespace: &Namespace, directory: &Path, text: &str) -> anyhow::Result<Process> {
    let config = write_private(directory.join("bfdd.conf"), text)?;
    belongs_to_frr(&config)?;
    let socket = directory.join("bfdd.sock");
    let options = ["--bfdctl".to_owned(), socket.display().to_string()];
    let options = options.each_ref().map(String::as_str);
    Ok(daemon(namespace, directory, "bfdd", &config, &options)?)
}

/// The daemons run as frr.
fn belongs_to_frr(path: &Path) -> crate::world::Result<()> {
    run(
        Command::new("chown").args(["-R", "frr:frr"]).arg(path),
        None,
    )
    .map(drop)
}

fn daemon(
    namespace: &Namespace,
    directory: &Path,
    name: &str,
    config: &Path,
    options: &[&str],
) -> crate::world::Result<Process> {
    let mut command = namespace.command(format!("/usr/lib/frr/{name}"));
    command
        .arg("-f")
        .arg(config)
        .arg("-i")
        .arg(directory.join(format!("{name}.pid")))
        .arg("-z")
        .arg(directory.join(ZEBRA_SOCKET))
        .arg("--vty_socket")
        .arg(directory)
        .args(["-P", "0", "--log", "stdout"])
        .args(options);
    namespace.spawn(name, &mut command, &directory.join(format!("{name}.log")))
}

const ZEBRA_SOCKET: &str = "zserv.api";
const PATIENCE: Duration = Duration::from_secs(20);
