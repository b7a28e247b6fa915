//! Communities: standard (RFC 1997), extended (RFC 4360), large (RFC 8092).

use std::fmt;
use std::str::FromStr;

/// RFC 1997, written `high:low`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Community(pub u32);

/// RFC 4360, as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtendedCommunity(pub [u8; 8]);

impl ExtendedCommunity {
    /// Whether it may cross from one AS into another (RFC 4360 §2).
    pub const fn is_transitive(self) -> bool {
        let [kind, ..] = self.0;
        kind & 0x40 == 0
    }
}

/// RFC 8092, written `global:local1:local2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LargeCommunity {
    pub global: u32,
    pub local1: u32,
    pub local2: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a community: write {expected}")]
pub struct ParseCommunityError {
    text: String,
    expected: &'static str,
}

impl Community {
    /// RFC 8326.
    pub const GRACEFUL_SHUTDOWN: Self = Self(0xffff_0000);
    /// RFC 7999.
    pub const BLACKHOLE: Self = Self(0xffff_029a);
    /// RFC 1997: not beyond this AS.
    pub const NO_EXPORT: Self = Self(0xffff_ff01);
    /// RFC 1997: to no other peer.
    pub const NO_ADVERTISE: Self = Self(0xffff_ff02);
    /// RFC 1997: not beyond this member AS of a confederation.
    pub const NO_EXPORT_SUBCONFED: Self = Self(0xffff_ff03);

    pub const fn new(high: u16, low: u16) -> Self {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Self(u32::from_be_bytes([a, b, c, d]))
    }

    pub const fn high(self) -> u16 {
        let [high, low, ..] = self.0.to_be_bytes();
        u16::from_be_bytes([high, low])
    }

    pub const fn low(self) -> u16 {
        let [.., high, low] = self.0.to_be_bytes();
        u16::from_be_bytes([high, low])
    }
}

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.high(), self.low())
    }
}

impl FromStr for Community {
    type Err = ParseCommunityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once(':');
        let parts = parts.and_then(|(high, low)| Some((number(high)?, number(low)?)));
        parts
            .map(|(high, low)| Self::new(high, low))
            .ok_or_else(|| ParseCommunityError {
                text: text.to_owned(),
                expected: "two numbers up to 65535, as `7224:7300`",
            })
    }
}

impl fmt::Display for LargeCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.global, self.local1, self.local2)
    }
}

impl FromStr for LargeCommunity {
    type Err = ParseCommunityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split(':').map(number);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Some(global)), Some(Some(local1)), Some(Some(local2)), None) => Ok(Self {
                global,
                local1,
                local2,
            }),
            _ => Err(ParseCommunityError {
                text: text.to_owned(),
                expected: "three numbers up to 4294967295, as `64512:1:2`",
            }),
        }
    }
}

/// `rt:64512:100` and `ro:…` for route targets and origins, else the octets.
impl fmt::Display for ExtendedCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [kind, subkind, a, b, c, d, e, g] = self.0;
        let name = match subkind {
            0x02 => "rt",
            0x03 => "ro",
            _ => return write!(f, "0x{:016x}", u64::from_be_bytes(self.0)),
        };
        match kind {
            // RFC 4360 §3.1: two-octet AS, four-octet number.
            0x00 => {
                let (asn, number) = (u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, g]));
                write!(f, "{name}:{asn}:{number}")
            }
            // RFC 4360 §3.2: IPv4 address, two-octet number.
            0x01 => write!(f, "{name}:{a}.{b}.{c}.{d}:{}", u16::from_be_bytes([e, g])),
            // RFC 5668: four-octet AS, two-octet number.
            0x02 => {
                let (asn, number) = (u32::from_be_bytes([a, b, c, d]), u16::from_be_bytes([e, g]));
                write!(f, "{name}:{asn}:{number}")
            }
            _ => write!(f, "0x{:016x}", u64::from_be_bytes(self.0)),
        }
    }
}

/// Digits only: `FromStr` for integers also takes a sign.
fn number<T: FromStr>(text: &str) -> Option<T> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}
