//! The wire module against bytes made elsewhere: other speakers' messages,
//! recorded tables, hostile inputs with the outcome that the RFCs ask for.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "tests read recorded data")]

mod captures;
mod exabgp;
mod hostile;
mod real_table;
mod rfc7606;
mod support;
