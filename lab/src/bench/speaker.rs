//! The BGP speakers that are measured: how each is configured and started.

use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::session::{HOLD_TIME, Neighbor};
use crate::world::{self, Namespace, Process};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    Bgpd,
    Bird,
}

/// The speaker's address and AS; every one of the driver's speakers is its
/// external peer, from which it takes and to which it gives everything.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 254);
const ASN: u32 = 65000;

/// Where the programs are.
pub struct Programs {
    pub bgpd: PathBuf,
    pub bird: PathBuf,
}

impl Speaker {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bgpd => "bgpd",
            Self::Bird => "BIRD",
        }
    }

    pub const fn socket(self) -> SocketAddr {
        SocketAddr::V4(std::net::SocketAddrV4::new(ADDRESS, 179))
    }

    /// Starts it in its namespace; its files go into `directory`.
    pub fn start(
        self,
        programs: &Programs,
        namespace: &Namespace,
        neighbors: &[Neighbor],
        directory: &Path,
    ) -> world::Result<Process> {
        let (config, log) = (directory.join("config"), directory.join("log"));
        let text = match self {
            Self::Bgpd => bgpd_config(neighbors, directory),
            Self::Bird => bird_config(neighbors),
        };
        fs::write(&config, text).map_err(|source| world::Error::Io {
            what: format!("can't write {}", config.display()),
            source,
        })?;
        let mut command = match self {
            Self::Bgpd => namespace.command(&programs.bgpd),
            Self::Bird => namespace.command(&programs.bird),
        };
        match self {
            Self::Bgpd => command.arg("run").arg(&config).args(["--log", "warn"]),
            Self::Bird => command
                .arg("-f")
                .arg("-c")
                .arg(&config)
                .arg("-s")
                .arg(directory.join("bird.ctl")),
        };
        namespace.spawn(self.name(), &mut command, &log)
    }
}

fn bgpd_config(neighbors: &[Neighbor], directory: &Path) -> String {
    let control = directory.join("bgpd.sock");
    let mut text = format!(
        "[bgpd]\nrouter_id = \"{ADDRESS}\"\nasn = {ASN}\nlisten = [\"{ADDRESS}:179\"]\n\
         control = \"{}\"\n\n[bgpd.kernel]\ninstall = false\n",
        control.display()
    );
    for Neighbor { address, asn } in neighbors {
        let _ = write!(
            text,
            "\n[[peer]]\nname = \"as{asn}\"\naddress = \"{address}\"\nasn = {asn}\n\
             local = \"{ADDRESS}/24\"\npassive = true\nhold_time = \"{HOLD_TIME}s\"\n\
             accept = [\"any\"]\nexport = [\"any\"]\n"
        );
    }
    text
}

fn bird_config(neighbors: &[Neighbor]) -> String {
    let mut text = format!("router id {ADDRESS};\nprotocol device {{}}\n");
    for Neighbor { address, asn } in neighbors {
        let _ = write!(
            text,
            "protocol bgp as{asn} {{\n  local {ADDRESS} as {ASN};\n  neighbor {address} as {asn};\n  \
             passive yes;\n  hold time {HOLD_TIME};\n  ipv4 {{ import all; export all; }};\n}}\n"
        );
    }
    text
}
