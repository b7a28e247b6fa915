//! The wire module against bytes made elsewhere: other speakers' messages,
//! recorded tables, hostile inputs with the outcome that the RFCs ask for.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "tests read recorded data")]

mod as4;
mod attributes;
mod captures;
mod exabgp;
mod frames;
mod hostile;
mod notifications;
mod opens;
mod packing;
mod properties;
mod real_table;
mod rfc7606;
mod support;
