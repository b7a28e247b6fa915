//! The router platforms, by netutils' names: one [`Entry`] each, in a folder of
//! its own beside its templates and their goldens.

use std::fmt;
use std::str::FromStr;

use bgp_core::VlanId;

use crate::check::{Mistake, Router};
use crate::plan::RouterLink;
use crate::quoting::Quoting;
use crate::words::Name;

/// In alphabetical order of their names.
static ENTRIES: &[&Entry] = &[
    &crate::arista_eos::ENTRY,
    &crate::bird::ENTRY,
    &crate::cisco_ios::ENTRY,
    &crate::cisco_ios_xe::ENTRY,
    &crate::cisco_ios_xr::ENTRY,
    &crate::cisco_nxos::ENTRY,
    &crate::fortinet_fortios::ENTRY,
    &crate::frr::ENTRY,
    &crate::gobgp::ENTRY,
    &crate::juniper_junos::ENTRY,
    &crate::juniper_srx::ENTRY,
    &crate::linux::ENTRY,
    &crate::mikrotik_routeros::ENTRY,
    &crate::openbgpd::ENTRY,
    &crate::paloalto_panos::ENTRY,
    &crate::vyos::ENTRY,
];

/// A platform that links can be written for.
#[derive(Clone, Copy)]
pub struct Platform(&'static Entry);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown platform {0:?}; known: {known}", known = Platform::all().map(Platform::name).collect::<Vec<_>>().join(", "))]
pub struct UnknownPlatform(String);

/// All that differs between platforms, but for the templates' text.
pub(crate) struct Entry {
    /// netutils' name, and the folder's.
    pub(crate) name: &'static str,
    /// For people.
    pub(crate) title: &'static str,
    /// The usual first port that can carry a Direct Connect.
    pub(crate) default_parent: &'static str,
    /// The VLAN's interface, from its parent's name.
    pub(crate) interface: fn(&str, VlanId) -> String,
    /// What begins a line of comment.
    pub(crate) comment: &'static str,
    /// Where a template writes `description` and `key`: as bare words to the end
    /// of the line or statement, or between quotes.
    pub(crate) description: Quoting,
    pub(crate) key: Quoting,
    /// Characters that the stem of a policy's name can have; templates add up to
    /// 15 to it.
    pub(crate) longest_policy: usize,
    /// File name and text: see `templates!`.
    pub(crate) templates: &'static [(&'static str, &'static str)],
    /// What a form of the configuration may be asked for by.
    pub(crate) forms: &'static [Form],
    /// What this platform can't do.
    pub(crate) check: fn(&Router) -> Vec<Mistake>,
}

/// A form of a platform's configuration.
pub(crate) struct Form {
    pub(crate) name: &'static str,
    pub(crate) made: Made,
}

pub(crate) enum Made {
    /// The usual form is one of this name already.
    Usual,
    /// By this template.
    Template(&'static str),
    /// From the text of `config.j2`; the error is for the template's author.
    From(fn(&str) -> Result<String, String>),
}

/// `("config.j2", its text)` and the other parts, of the files beside the caller;
/// and one that these include, or of a further form.
macro_rules! templates {
    ($($other:literal)?) => {
        &[
            ("config.j2", include_str!("config.j2")),
            ("assumes.j2", include_str!("assumes.j2")),
            ("verify.j2", include_str!("verify.j2")),
            ("drain.j2", include_str!("drain.j2")),
            ("rollback.j2", include_str!("rollback.j2")),
            $(($other, include_str!($other)))?
        ]
    };
}
pub(crate) use templates;

impl Platform {
    pub fn all() -> impl Iterator<Item = Self> {
        ENTRIES.iter().map(|entry| Self(entry))
    }

    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// For people.
    pub const fn title(self) -> &'static str {
        self.0.title
    }

    /// Names of the other forms that its configuration can have.
    pub fn forms(self) -> impl Iterator<Item = &'static str> {
        let forms = self.0.forms.iter();
        let others = forms.filter(|form| !matches!(form.made, Made::Usual));
        others.map(|form| form.name)
    }

    /// The port that carries the link.
    pub fn parent(self, link: &RouterLink) -> &str {
        link.parent
            .as_ref()
            .map_or(self.0.default_parent, |parent| parent.as_str())
    }

    /// The VLAN's interface on that port.
    pub fn interface(self, parent: &str, vlan: VlanId) -> String {
        (self.0.interface)(parent, vlan)
    }

    /// What the names of the link's policies begin with.
    pub fn policy(self, name: &Name) -> String {
        let stem = format!("DX-{}", name.as_str().to_ascii_uppercase());
        if stem.len() <= self.0.longest_policy {
            return stem;
        }
        // FNV-1a: names that begin alike stay apart, from run to run the same.
        let hash = stem.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        let kept = &stem[..self.0.longest_policy - 9];
        format!("{kept}-{hash:08X}")
    }

    pub(crate) const fn comment(self) -> &'static str {
        self.0.comment
    }

    pub(crate) fn description(self, text: &str) -> Result<String, char> {
        self.0.description.write(text)
    }

    pub(crate) fn key(self, text: &str) -> Result<String, char> {
        self.0.key.write(text)
    }

    pub(crate) fn form(self, name: &str) -> Option<&'static Form> {
        self.0.forms.iter().find(|form| form.name == name)
    }

    pub(crate) fn templates(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.0.templates.iter().copied()
    }

    pub(crate) fn check(self, router: &Router) -> Vec<Mistake> {
        (self.0.check)(router)
    }
}

/// `NAME.VLAN`, as most write it.
pub(crate) fn dotted(parent: &str, vlan: VlanId) -> String {
    format!("{parent}.{vlan}")
}

/// For a platform that can do all.
pub(crate) const fn nothing_missing(_: &Router) -> Vec<Mistake> {
    Vec::new()
}

impl PartialEq for Platform {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Platform {}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Platform {
    type Err = UnknownPlatform;

    fn from_str(text: &str) -> Result<Self, UnknownPlatform> {
        Self::all()
            .find(|platform| platform.name() == text)
            .ok_or_else(|| UnknownPlatform(text.to_owned()))
    }
}
