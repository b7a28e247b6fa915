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
/// it is accepted.
pub(crate) fn judge(platform: &str, text: &str) -> Vec<Complaint> {
    match platform {
        "cisco_ios_xe" | "cisco_ios" => {
            let mut all = own::cisco_ios(text);
            all.extend(foreign::frr_on_ios(text));
            all
        }
        "cisco_ios_xr" => own::cisco_ios_xr(text),
        "cisco_nxos" => own::cisco_nxos(text),
        "arista_eos" => own::arista_eos(text),
        "juniper_junos" => junos::judge(junos::Device::Mx, text),
        "juniper_srx" => junos::judge(junos::Device::Srx, text),
        "frr" => {
            let mut all = own::frr(text);
            all.extend(foreign::frr(text));
            all
        }
        "bird" => foreign::bird(text),
        "openbgpd" => foreign::openbgpd(text),
        "gobgp" => foreign::gobgp(text),
        "vyos" => vyos::judge(text),
        "mikrotik_routeros" => routeros::judge(text),
        "fortinet_fortios" => own::fortios(text),
        "paloalto_panos" => own::panos(text),
        "linux" => own::linux(text),
        _ => panic!("{platform} has no judge"),
    }
}

fn schema_folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/schemas")
        .join(name)
}
