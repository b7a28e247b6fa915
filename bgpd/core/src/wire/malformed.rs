//! What RFC 7606 makes of an UPDATE that is wrong but not fatally so.

use std::fmt;

use super::iana::attribute_name;

/// One thing wrong with an UPDATE, already dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    pub treatment: Treatment,
    /// The path attribute's type code, where one attribute is at fault.
    pub attribute: Option<u8>,
    pub reason: &'static str,
}

/// RFC 7606 §2, without session reset: that is an error of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Treatment {
    /// Prefixes that mean nothing here were left out: of a family that was
    /// not negotiated, or martian (RFC 4271 §6.3).
    Ignore,
    /// The attribute was left out.
    AttributeDiscard,
    /// What the UPDATE announced is in its withdrawn prefixes.
    TreatAsWithdraw,
}

impl fmt::Display for Treatment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ignore => "ignored",
            Self::AttributeDiscard => "attribute discarded",
            Self::TreatAsWithdraw => "treated as withdrawal",
        })
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.attribute.map(|code| (code, attribute_name(code))) {
            Some((_, Some(name))) => write!(f, "{name}: ")?,
            Some((code, None)) => write!(f, "attribute {code}: ")?,
            None => {}
        }
        write!(f, "{} ({})", self.reason, self.treatment)
    }
}
