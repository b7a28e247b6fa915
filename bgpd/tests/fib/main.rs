//! The FIB and the fast path against a real kernel: every test asserts what
//! `ip` shows. Needs root.

#![allow(clippy::unwrap_used)]

mod interference;
mod routes;
mod support;
mod swaps;
mod waiting;
