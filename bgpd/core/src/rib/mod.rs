//! What is known, and which is best.

use ipnet::IpNet;
use std::net::IpAddr;

use crate::PathId;

/// A way out for one prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hop {
    pub path: PathId,
    /// The gateway's address, on the path's link.
    pub gateway: IpAddr,
}

/// What the kernel should hold for one prefix: the best hop, and the one to
/// swap to when the best one's path dies. `None`: no route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FibChange {
    pub prefix: IpNet,
    pub route: Option<FibRoute>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FibRoute {
    pub best: Hop,
    pub backup: Option<Hop>,
}
