//! The shell around `bgp-core`: each module runs one part of the core against
//! the real world. `main.rs` only parses the command line.
//!
//! A route's way: `transport` (bytes) → `session` (messages) → `router` (the
//! RIB's only owner) → `fib` (routes in the kernel), and `router` → `session`.
//! `fastpath` owns the kernel's nexthops and groups and swaps them when a path
//! dies; `interface` makes the VLANs; `daemon` starts, reloads and stops all.

pub mod bfd;
pub mod control;
pub mod daemon;
pub mod fastpath;
pub mod fib;
pub mod health;
pub mod interface;
mod log_limit;
pub mod nat;
pub mod netlink;
pub mod panics;
pub mod probe;
mod realtime;
pub mod router;
pub mod session;
pub mod transport;
