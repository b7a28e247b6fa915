//! Who judges the texts, a platform each: its own software where it runs here,
//! its published schema where there is one, and command shapes of our own for
//! the rest.

mod foreign;
mod gobgp;
mod grammar;
mod junos;
mod own;
mod routeros;
mod slots;
mod vyos;
mod xml;
mod yang;

use std::fmt;
use std::path::{Path, PathBuf};

/// Something that the platform would not take, or that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) line: Option<usize>,
    pub(crate) what: String,
}

impl Complaint {
    pub(crate) fn at(line: usize, what: impl Into<String>) -> Self {
        Self {
            line: Some(line),
            what: what.into(),
        }
    }

    pub(crate) fn whole(what: impl Into<String>) -> Self {
        Self {
            line: None,
            what: what.into(),
        }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// What is against a configuration text for the platform of this name; nothing:
/// it is accepted. What one of its judges refuses the later ones aren't asked.
pub(crate) fn judge(platform: &str, text: &str) -> Vec<Complaint> {
    let mut each = judges(platform).iter().map(|judge| judge(text));
    each.find(|complaints| !complaints.is_empty())
        .unwrap_or_default()
}

pub(crate) type Judge = fn(&str) -> Vec<Complaint>;

/// Ours before foreign ones: a process takes a thousand times as long.
pub(crate) fn judges(platform: &str) -> &'static [Judge] {
    match platform {
        "cisco_ios_xe" | "cisco_ios" => &[own::cisco_ios, foreign::frr_on_ios],
        "cisco_ios_xr" => &[own::cisco_ios_xr],
        "cisco_nxos" => &[own::cisco_nxos],
        "arista_eos" => &[own::arista_eos],
        "juniper_junos" => &[|text| junos::judge(junos::Device::Mx, text)],
        "juniper_srx" => &[|text| junos::judge(junos::Device::Srx, text)],
        "frr" => &[own::frr, foreign::vtysh, foreign::frr_bgpd],
        "bird" => &[foreign::bird],
        "openbgpd" => &[foreign::openbgpd],
        "gobgp" => &[gobgp::judge, foreign::gobgp],
        "vyos" => &[vyos::judge],
        "mikrotik_routeros" => &[routeros::judge],
        "fortinet_fortios" => &[own::fortios],
        "paloalto_panos" => &[own::panos],
        "linux" => &[own::linux],
        _ => panic!("{platform} has no judge"),
    }
}

fn schema_folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/schemas")
        .join(name)
}
