//! Two speakers in memory, with time that the test turns forward.

#![allow(clippy::unwrap_used)]

mod bfd;
mod dialing;
mod opening;
mod restart;
mod session;
mod world;
