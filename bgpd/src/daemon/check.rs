//! `bgpd check FILE`: what the configuration says, its key files, and whether
//! the interfaces that it needs are here.

use std::fmt;
use std::io;
use std::path::Path;

use bgp_core::config::{self, Config, Mistake, VifKind};

use super::keys;

/// Why a configuration can't be used.
#[derive(Debug)]
pub enum Refusal {
    /// The file itself can't be read.
    Unreadable(io::Error),
    Mistakes(Vec<Mistake>),
}

/// Reads and parses the file.
pub fn load(file: &Path) -> Result<Config, Refusal> {
    let text = std::fs::read_to_string(file).map_err(Refusal::Unreadable)?;
    config::parse(&text).map_err(Refusal::Mistakes)
}

/// Each line as `FILE:LINE:COLUMN: message`, or `FILE: message`.
pub struct Report<'r> {
    pub file: &'r Path,
    pub refusal: &'r Refusal,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        match self.refusal {
            Refusal::Unreadable(error) => write!(f, "{file}: can't be read: {error}"),
            Refusal::Mistakes(mistakes) => {
                let lines: Vec<_> = mistakes
                    .iter()
                    .map(|mistake| format!("{file}:{mistake}"))
                    .collect();
                f.write_str(&lines.join("\n"))
            }
        }
    }
}

/// What would keep sessions down though the file has no mistake: unusable key
/// files.
pub fn key_file_errors(config: &Config) -> Vec<String> {
    config
        .all_peers()
        .flat_map(|peer| [keys::key_of(peer).err(), keys::bfd_of(peer).err()])
        .flatten()
        .map(|error| error.to_string())
        .collect()
}

/// What may be right, but seldom is.
pub fn warnings(config: &Config) -> Vec<String> {
    let missing = |interface: &str| !Path::new("/sys/class/net").join(interface).exists();
    let mut warnings = Vec::new();
    for vif in &config.vifs {
        if missing(&vif.parent) {
            warnings.push(format!(
                "vif {:?}: there is no interface {:?} (`parent`) on this machine; bgpd waits until there is",
                vif.name, vif.parent
            ));
        }
        for session in vif
            .sessions
            .iter()
            .filter(|session| session.auth_key_file.is_none())
        {
            warnings.push(format!(
                "vif {:?}: session {:?} has no `auth_key_file`; AWS always uses MD5, so against AWS it can't come up",
                vif.name, session.name
            ));
        }
        if vif.kind != VifKind::Transit && vif.mtu == 8500 {
            warnings.push(format!("vif {:?}: `mtu` 8500 is usual on transit VIFs; see that AWS shows the same for this one", vif.name));
        }
        if vif
            .sessions
            .iter()
            .all(|session| session.advertise.is_empty())
        {
            warnings.push(format!(
                "vif {:?}: `advertise` is empty, so AWS learns no way back to us",
                vif.name
            ));
        }
    }
    for path in config.paths.iter().filter(|path| missing(&path.interface)) {
        warnings.push(format!(
            "path {:?}: there is no interface {:?} on this machine; the path is down until there is",
            path.name, path.interface
        ));
    }
    for peer in &config.peers {
        let silent = peer.import.rules.is_empty() && peer.export.rules.is_empty();
        if silent {
            warnings.push(format!(
                "peer {:?}: without `accept`, `export` and `advertise` no route passes either way (RFC 8212)",
                peer.name
            ));
        }
    }
    warnings
}
