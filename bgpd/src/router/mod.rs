//! The only owner of the RIB: one thread, no locks. Sessions hand it batches of
//! UPDATEs; it hands routes to the FIB and packed announcements to sessions.

use std::sync::Arc;

use bgp_core::api::{self, RoutesQuery};
use bgp_core::peer::{DownReason, Negotiated};
use bgp_core::wire::{PathAttributes, Prefixes, Update};
use bgp_core::{Family, PathId, config};
use ipnet::IpNet;
use tokio::sync::{mpsc, oneshot};

/// What the router is told. The channel is bounded: a session that sends
/// faster than the RIB takes waits, and its peer with it (TCP).
pub enum Command {
    /// A peer exists from now on, or its settings have changed (policy is
    /// applied again to what it sent and was sent).
    Configure { path: PathId, peer: Arc<config::Peer> },
    /// The peer is gone from the configuration.
    Remove { path: PathId },
    /// Routes may flow to and from the peer. `outbound` is bounded; the session
    /// sends `Writable` after it has taken from a full one.
    Established { path: PathId, negotiated: Negotiated, local: std::net::IpAddr, outbound: mpsc::Sender<Outbound> },
    /// The session has ended. Its routes stay, marked stale, while a backup is
    /// configured (or graceful restart runs); else they go.
    Down { path: PathId, reason: DownReason },
    /// In order, from the peer.
    Updates { path: PathId, updates: Vec<Update> },
    /// The peer asks for our routes again.
    Refresh { path: PathId, family: Family },
    Writable { path: PathId },
    /// The FIB has taken a batch and can take another.
    FibReady,
    Routes { query: RoutesQuery, answer: oneshot::Sender<api::Routes> },
    /// The longest match for an address, or exactly a prefix.
    Route { prefix: IpNet, answer: oneshot::Sender<Option<api::Route>> },
    Counts { answer: oneshot::Sender<Vec<(PathId, api::PrefixCounts)>> },
}

/// What a session has to send.
#[derive(Clone, Debug)]
pub enum Outbound {
    Announce(Arc<PathAttributes>, Prefixes),
    Withdraw(Prefixes),
    EndOfRib(Family),
}
