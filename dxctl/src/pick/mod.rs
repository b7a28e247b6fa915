//! Pure choices, each with its reason: given what is in use, what is free.

mod address;
mod asn;
mod explain;
mod vlan;

pub(crate) use address::{Taken, address_pair, link_local_pool};
pub(crate) use asn::{AsnRange, AsnUse, asn};
pub(crate) use explain::{Choice, Detail, Excluded};
pub(crate) use vlan::{vlan, vlan_holder};

/// What was chosen, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picked<T> {
    pub(crate) value: T,
    pub(crate) reason: String,
    /// All of its range that was not free, in order.
    pub(crate) excluded: Vec<Excluded>,
}
