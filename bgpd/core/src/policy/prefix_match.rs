//! One prefix filter: a network and a range of lengths.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;

/// Prefixes inside `net` whose length is in the range. Written
/// `10.0.0.0/8` (exactly), `10.0.0.0/8 le 24`, `10.0.0.0/8 ge 16 le 24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PrefixMatch {
    pub net: IpNet,
    pub min_len: u8,
    pub max_len: u8,
}

/// Why a text is no prefix filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixMatchError {
    #[error("`{0}` is not a prefix: write it as 10.0.0.0/8 or 2001:db8::/32")]
    NotAPrefix(String),
    #[error("{given} has host bits set: the network is {network}")]
    HostBits { given: IpNet, network: IpNet },
    #[error("`{0}`: after the prefix, write `le LENGTH`, `ge LENGTH` or `ge LENGTH le LENGTH`")]
    Syntax(String),
    #[error(
        "`{word} {length}` is outside {min} to {max}, the lengths that prefixes inside {net} can have"
    )]
    Length {
        word: &'static str,
        length: u8,
        net: IpNet,
        min: u8,
        max: u8,
    },
    #[error("`ge {ge} le {le}` matches nothing: ge must not be above le")]
    Empty { ge: u8, le: u8 },
}

impl PrefixMatch {
    /// This prefix and nothing else.
    pub fn exact(net: IpNet) -> Self {
        Self {
            net,
            min_len: net.prefix_len(),
            max_len: net.prefix_len(),
        }
    }

    /// This prefix and everything inside it.
    pub fn or_longer(net: IpNet) -> Self {
        Self {
            net,
            min_len: net.prefix_len(),
            max_len: net.max_prefix_len(),
        }
    }

    pub fn matches(&self, prefix: &IpNet) -> bool {
        (self.min_len..=self.max_len).contains(&prefix.prefix_len()) && self.net.contains(prefix)
    }
}

impl FromStr for PrefixMatch {
    type Err = PrefixMatchError;

    fn from_str(text: &str) -> Result<Self, PrefixMatchError> {
        let mut words = text.split_whitespace();
        let first = words.next().unwrap_or_default();
        let net: IpNet = first
            .parse()
            .map_err(|_| PrefixMatchError::NotAPrefix(first.to_owned()))?;
        if net != net.trunc() {
            return Err(PrefixMatchError::HostBits {
                given: net,
                network: net.trunc(),
            });
        }
        let syntax = || PrefixMatchError::Syntax(text.to_owned());
        let (mut ge, mut le) = (None, None);
        while let Some(word) = words.next() {
            let length = words
                .next()
                .and_then(|number| number.parse().ok())
                .ok_or_else(syntax)?;
            match word {
                "ge" if ge.is_none() && le.is_none() => ge = Some(in_range("ge", length, net)?),
                "le" if le.is_none() => le = Some(in_range("le", length, net)?),
                _ => return Err(syntax()),
            }
        }
        match (ge, le) {
            (None, None) => Ok(Self::exact(net)),
            (Some(ge), Some(le)) if ge > le => Err(PrefixMatchError::Empty { ge, le }),
            _ => Ok(Self {
                net,
                min_len: ge.unwrap_or(net.prefix_len()),
                max_len: le.unwrap_or(net.max_prefix_len()),
            }),
        }
    }
}

fn in_range(word: &'static str, length: u8, net: IpNet) -> Result<u8, PrefixMatchError> {
    let (min, max) = (net.prefix_len(), net.max_prefix_len());
    if (min..=max).contains(&length) {
        Ok(length)
    } else {
        Err(PrefixMatchError::Length {
            word,
            length,
            net,
            min,
            max,
        })
    }
}

impl fmt::Display for PrefixMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.net.fmt(f)?;
        let len = self.net.prefix_len();
        if (self.min_len, self.max_len) == (len, len) {
            return Ok(());
        }
        if self.min_len > len {
            write!(f, " ge {}", self.min_len)?;
        }
        if self.min_len == len || self.max_len < self.net.max_prefix_len() {
            write!(f, " le {}", self.max_len)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn filters_are_read_and_written_the_same() {
        for text in [
            "10.0.0.0/8",
            "10.0.0.0/8 le 24",
            "10.0.0.0/8 ge 16",
            "10.0.0.0/8 ge 16 le 24",
            "0.0.0.0/0 le 32",
            "10.0.0.1/32",
            "2001:db8::/32 le 48",
            "::/0",
        ] {
            assert_eq!(text.parse::<PrefixMatch>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn filters_match_lengths_inside_the_network() {
        let check = |filter: &str, prefix: &str, expected: bool| {
            let filter: PrefixMatch = filter.parse().unwrap();
            assert_eq!(
                filter.matches(&prefix.parse().unwrap()),
                expected,
                "{filter} and {prefix}"
            );
        };
        check("10.0.0.0/8", "10.0.0.0/8", true);
        check("10.0.0.0/8", "10.0.0.0/9", false);
        check("10.0.0.0/8 le 24", "10.1.2.0/24", true);
        check("10.0.0.0/8 le 24", "10.1.2.0/25", false);
        check("10.0.0.0/8 ge 16 le 24", "10.0.0.0/8", false);
        check("10.0.0.0/8 ge 16", "10.0.0.1/32", true);
        check("10.0.0.0/8 le 24", "11.0.0.0/8", false);
        check("0.0.0.0/0 le 32", "::/0", false);
        check("::/0 le 128", "2001:db8::/32", true);
    }

    #[test]
    fn mistakes_say_what_is_wrong() {
        let error = |text: &str| text.parse::<PrefixMatch>().unwrap_err().to_string();
        assert_eq!(
            error("10.1.2.3/8"),
            "10.1.2.3/8 has host bits set: the network is 10.0.0.0/8"
        );
        assert_eq!(
            error("10.0.0.0"),
            "`10.0.0.0` is not a prefix: write it as 10.0.0.0/8 or 2001:db8::/32"
        );
        assert_eq!(
            error("10.0.0.0/8 le 7"),
            "`le 7` is outside 8 to 32, the lengths that prefixes inside 10.0.0.0/8 can have"
        );
        assert_eq!(
            error("10.0.0.0/8 ge 24 le 16"),
            "`ge 24 le 16` matches nothing: ge must not be above le"
        );
        assert!(error("").starts_with("`` is not a prefix"));
        for text in [
            "10.0.0.0/8 le",
            "10.0.0.0/8 24",
            "10.0.0.0/8 le 9 ge 8",
            "10.0.0.0/8 le 9 le 9",
            "::/0 eq 4",
        ] {
            assert!(error(text).contains("write `le LENGTH`"), "{text}");
        }
    }
}
