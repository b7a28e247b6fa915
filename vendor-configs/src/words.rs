//! Text that a person gives, typed: what is here fits into its place on every
//! platform, except for [`Description`]s and keys, which a platform quotes or
//! refuses (see `quoting`).

use std::fmt;
use std::str::FromStr;

use crate::Mistake;

macro_rules! word {
    ($(#[$doc:meta])* $word:ident, $length:literal, $other:literal, $called:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $word(String);

        impl $word {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $word {
            type Err = Mistake;

            fn from_str(text: &str) -> Result<Self, Mistake> {
                let fits = |b: u8| b.is_ascii_alphanumeric() || $other.as_bytes().contains(&b);
                if (1..=$length).contains(&text.len())
                    && text.starts_with(|c: char| c.is_ascii_alphanumeric())
                    && text.bytes().all(fits)
                {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(Mistake::new(format!(
                        "{text:?} is no {}: 1–{} letters, digits{}, a letter or digit first",
                        $called,
                        $length,
                        among($other)
                    )))
                }
            }
        }

        impl fmt::Display for $word {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

word!(
    /// The VIF's name. AWS allows `a-z 0-9 -`; capitals are harmless. Names of
    /// policies are made from it.
    Name, 100, "-", "name"
);
word!(
    /// The VIF's identifier, `dxvif-…`.
    VifId, 100, "-", "VIF identifier"
);
word!(
    /// The router's own name.
    HostName, 63, "-._", "host name"
);
word!(
    /// A routing instance. 15 is what Linux takes, and so everything built on it.
    VrfName, 15, "-_", "VRF name"
);
word!(
    /// An interface as the platform writes it.
    InterfaceName, 60, "/-.:_", "interface name"
);

/// Free text for people: printable ASCII, 1–80 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description(String);

impl Description {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Description {
    type Err = Mistake;

    fn from_str(text: &str) -> Result<Self, Mistake> {
        let printable = text.bytes().all(|b| (0x20..0x7f).contains(&b));
        if (1..=80).contains(&text.len()) && printable && text.trim() == text {
            Ok(Self(text.to_owned()))
        } else {
            Err(Mistake::new(format!(
                "the description {text:?} is not 1–80 printable ASCII characters without space at its ends"
            )))
        }
    }
}

fn among(other: &str) -> String {
    let listed: Vec<String> = other.chars().map(|c| format!(" {c}")).collect();
    format!(" and{}", listed.concat())
}
