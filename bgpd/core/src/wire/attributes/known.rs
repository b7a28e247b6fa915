//! The attributes that this speaker knows: one row each.

use super::super::iana::{attribute, flag};
use super::super::malformed::Treatment;

/// What is fixed about an attribute, whatever its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// Optional and Transitive as its specification sets them.
    pub(super) flags: u8,
    /// What other values of those two flags cost.
    pub(super) on_flags: Treatment,
    pub(super) sender: Sender,
}

/// Who may send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    Any,
    /// From an external peer it is discarded.
    Internal,
    /// From a four-octet speaker it is discarded (RFC 6793 §4.1).
    TwoOctet,
}

pub(super) const fn known(code: u8) -> Option<Known> {
    const WELL_KNOWN: u8 = flag::TRANSITIVE;
    const OPTIONAL: u8 = flag::OPTIONAL;
    const CARRIED: u8 = flag::OPTIONAL | flag::TRANSITIVE;
    use Sender::{Any, Internal, TwoOctet};
    // RFC 7606 §3 (c), where the attribute's own specification asks for nothing
    // else.
    use Treatment::{AttributeDiscard, TreatAsWithdraw};
    let (flags, on_flags, sender) = match code {
        attribute::ORIGIN => (WELL_KNOWN, TreatAsWithdraw, Any),
        attribute::AS_PATH => (WELL_KNOWN, TreatAsWithdraw, Any),
        attribute::NEXT_HOP => (WELL_KNOWN, TreatAsWithdraw, Any),
        attribute::MULTI_EXIT_DISC => (OPTIONAL, TreatAsWithdraw, Any),
        // RFC 7606 §7.5.
        attribute::LOCAL_PREF => (WELL_KNOWN, TreatAsWithdraw, Internal),
        attribute::ATOMIC_AGGREGATE => (WELL_KNOWN, TreatAsWithdraw, Any),
        attribute::AGGREGATOR => (CARRIED, TreatAsWithdraw, Any),
        attribute::COMMUNITIES => (CARRIED, TreatAsWithdraw, Any),
        // RFC 7606 §7.9, §7.10.
        attribute::ORIGINATOR_ID => (OPTIONAL, TreatAsWithdraw, Internal),
        attribute::CLUSTER_LIST => (OPTIONAL, TreatAsWithdraw, Internal),
        attribute::MP_REACH_NLRI => (OPTIONAL, TreatAsWithdraw, Any),
        attribute::MP_UNREACH_NLRI => (OPTIONAL, TreatAsWithdraw, Any),
        attribute::EXTENDED_COMMUNITIES => (CARRIED, TreatAsWithdraw, Any),
        // RFC 6793 §6: discarded whatever is wrong.
        attribute::AS4_PATH => (CARRIED, AttributeDiscard, TwoOctet),
        attribute::AS4_AGGREGATOR => (CARRIED, AttributeDiscard, TwoOctet),
        attribute::IPV6_EXTENDED_COMMUNITIES => (CARRIED, TreatAsWithdraw, Any),
        // RFC 7311 §3.
        attribute::AIGP => (OPTIONAL, AttributeDiscard, Any),
        // RFC 9552 §8.2.2.
        attribute::LINK_STATE => (OPTIONAL, AttributeDiscard, Any),
        attribute::LARGE_COMMUNITIES => (CARRIED, TreatAsWithdraw, Any),
        attribute::ONLY_TO_CUSTOMER => (CARRIED, TreatAsWithdraw, Any),
        // RFC 8669 §6, and §8: not from outside one's own domain.
        attribute::PREFIX_SID => (CARRIED, AttributeDiscard, Internal),
        _ => return None,
    };
    Some(Known {
        flags,
        on_flags,
        sender,
    })
}
