//! How both ends of a session write their messages.

use smallvec::SmallVec;

use crate::Family;

/// How both ends of one session write their messages, as negotiated by their
/// OPENs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codec {
    /// Four-octet AS numbers in AS_PATH and AGGREGATOR (RFC 6793).
    pub four_octet_as: bool,
    /// Messages of up to 65,535 octets (RFC 8654), else 4,096.
    pub extended_messages: bool,
    /// The families both ends offered.
    pub families: SmallVec<[Family; 2]>,
    /// Whether the peer is in our own AS: LOCAL_PREF and route reflection's
    /// attributes mean something only then.
    pub internal: bool,
}

impl Codec {
    /// Before the OPENs have said anything: no family, nothing extended.
    pub fn initial() -> Self {
        Self {
            four_octet_as: false,
            extended_messages: false,
            families: SmallVec::new(),
            internal: false,
        }
    }

    /// Octets of the longest message that either end may send.
    pub const fn max_message(&self) -> usize {
        if self.extended_messages { 65_535 } else { 4096 }
    }

    pub fn carries(&self, family: Family) -> bool {
        self.families.contains(&family)
    }
}
