//! BGP without IO: what the bytes mean, what a session does next, which route
//! is best, which may pass, and what the configuration says.
//!
//! Nothing here opens a socket, reads a clock or a file, or starts a thread;
//! `Cargo.toml` has no dependency that could, and `clippy.toml` bans the
//! standard library's ways. Time is an argument.
//!
//! Words, defined once:
//! - a *peer* is a configured neighbor;
//! - a *connection* is one TCP attempt, made or accepted;
//! - a *session* is a peer's running state machine;
//! - a *path* is a way out of this router that can be up or down: a peer's far
//!   end, or a static gateway. A [`PathId`] names either.

pub mod api;
pub mod aws;
pub mod bfd;
pub mod config;
pub mod path;
pub mod peer;
pub mod policy;
pub mod rib;
pub mod wire;

mod random;
mod types;

pub use types::{Asn, Family, PathId, RouterId, VlanId};
