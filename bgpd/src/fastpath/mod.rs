//! The only owner of nexthops and groups in the kernel. When a path dies, every
//! group that uses it is replaced once, from messages encoded beforehand,
//! whatever the number of routes.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bgp_core::PathId;

/// How a path reaches its link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathLink {
    /// The interface that packets leave by (the VLAN's, for a VIF).
    pub ifindex: u32,
    /// The interface whose carrier counts (the VLAN's parent, for a VIF).
    pub carrier_ifindex: u32,
    /// Used when the path dies and the route has no second best of its own.
    pub backup: Option<(PathId, IpAddr)>,
}

/// What the fast path has seen or done.
#[derive(Clone, Debug)]
pub enum Event {
    Carrier { ifindex: u32, up: bool, at: Instant },
    Swapped { path: PathId, up: bool, reason: String, groups: usize, took: Duration },
}
