//! The router platforms, by netutils' names.

use std::fmt;
use std::str::FromStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    CiscoIosXe,
    JuniperJunos,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown platform {0:?}; known: {known}", known = Platform::ALL.map(Platform::name).join(", "))]
pub struct UnknownPlatform(String);

impl Platform {
    pub const ALL: [Self; 2] = [Self::CiscoIosXe, Self::JuniperJunos];

    pub const fn name(self) -> &'static str {
        match self {
            Self::CiscoIosXe => "cisco_ios_xe",
            Self::JuniperJunos => "juniper_junos",
        }
    }

    /// For people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::CiscoIosXe => "Cisco IOS-XE",
            Self::JuniperJunos => "Juniper Junos (MX)",
        }
    }

    pub(crate) const fn default_parent(self) -> &'static str {
        match self {
            Self::CiscoIosXe => "TenGigabitEthernet0/0/0",
            Self::JuniperJunos => "xe-0/0/0",
        }
    }

    pub(crate) const fn template(self) -> &'static str {
        match self {
            Self::CiscoIosXe => include_str!("cisco_ios_xe/template.txt"),
            Self::JuniperJunos => include_str!("juniper_junos/template.txt"),
        }
    }

    /// Characters that a key can't have on this platform, for want of a way to
    /// write them.
    pub(crate) const fn refused_in_keys(self) -> &'static str {
        match self {
            // `?` asks for help and a space ends the word.
            Self::CiscoIosXe => "? ",
            // Inside double quotes.
            Self::JuniperJunos => "\"\\",
        }
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
        Self::ALL
            .into_iter()
            .find(|platform| platform.name() == text)
            .ok_or_else(|| UnknownPlatform(text.to_owned()))
    }
}
