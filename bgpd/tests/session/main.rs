//! Sessions over real TCP with the kernel's MD5, in network namespaces of their
//! own: two of ours with each other, and one of ours with BIRD.
//!
//! Needs root (CAP_NET_ADMIN), iproute2 and, for BIRD, Debian's package bird2.
#![allow(clippy::unwrap_used)]

mod bird;
mod pair;
mod world;
