//! What waits for a time: the end of a peer's initial routes, of its stale
//! ones, of the daemon's start, and of the next time that a peer may have all
//! routes again.

use std::time::{Duration, Instant};

use bgp_core::peer::{DownReason, RemoteRestart, StopReason};
use bgp_core::{Family, config};

/// A peer that sends no End-of-RIB has sent what matters by then.
pub(super) const INITIAL_ROUTES: Duration = Duration::from_secs(3);
/// Stale routes outlive their session's return by this much at most, or by the
/// peer's restart time; so long is waited for an End-of-RIB that is promised.
pub(super) const STALE: Duration = Duration::from_secs(30);
/// Peers that aren't up by then don't delay the sweep of an earlier run's
/// routes, but of those that a configured backup carries.
pub(super) const START: Duration = Duration::from_secs(60);

/// Between two walks over the table for one peer.
pub(super) const REFRESH: Duration = Duration::from_secs(1);

/// Where a peer's session is between Established and its initial routes.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Families whose End-of-RIB has not come; empty once it doesn't matter.
    awaited: Vec<Family>,
    initial_routes_at: Option<Instant>,
    pub(super) sweep_at: Option<Instant>,
    /// The initial routes are in, but not yet with the FIB.
    pub(super) is_loaded: bool,
    /// They were in once, in whatever session.
    pub(super) has_loaded: bool,
}

impl Progress {
    pub(super) fn established(
        &mut self,
        families: &[Family],
        restart: Option<&RemoteRestart>,
        now: Instant,
    ) {
        self.awaited = families.to_vec();
        // RFC 4724 §4: who has the capability ends its initial routes so.
        let patience = restart.map_or(INITIAL_ROUTES, |_| STALE);
        self.initial_routes_at = Some(now + patience);
        let stale = restart.map_or(STALE, |restart| STALE.max(restart.time));
        self.sweep_at = Some(now + stale);
        self.is_loaded = false;
    }

    pub(super) fn down(&mut self, sweep_at: Option<Instant>) {
        *self = Self {
            sweep_at,
            has_loaded: self.has_loaded,
            ..Self::default()
        };
    }

    pub(super) fn end_of_rib(&mut self, family: Family, now: Instant) {
        self.awaited.retain(|awaited| *awaited != family);
        if self.awaited.is_empty() && self.initial_routes_at.is_some() {
            self.initial_routes_at = Some(now);
        }
    }

    /// Whether the initial routes are in, once.
    pub(super) fn take_initial_routes(&mut self, now: Instant) -> bool {
        let is_in = self.initial_routes_at.is_some_and(|at| at <= now);
        if is_in {
            self.awaited.clear();
            self.initial_routes_at = None;
            (self.is_loaded, self.has_loaded) = (true, true);
        }
        is_in
    }

    /// Whether stale routes have to go, once.
    pub(super) fn take_sweep(&mut self, now: Instant) -> bool {
        let is_due = self.sweep_at.is_some_and(|at| at <= now);
        if is_due {
            self.sweep_at = None;
        }
        is_due
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.initial_routes_at
            .into_iter()
            .chain(self.sweep_at)
            .min()
    }
}

/// A peer's requests for all routes of a family (RFC 2918). Each costs a walk over
/// the table, so any number within a second counts as one; the last is always
/// answered.
#[derive(Debug, Default)]
pub(super) struct Refresh {
    is_asked: bool,
    not_before: Option<Instant>,
}

impl Refresh {
    pub(super) fn ask(&mut self) {
        self.is_asked = true;
    }

    /// Whether the peer is to be told everything now, once.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let is_due = self.is_asked && self.not_before.is_none_or(|at| at <= now);
        if is_due {
            *self = Self {
                is_asked: false,
                not_before: now.checked_add(REFRESH),
            };
        }
        is_due
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.not_before.filter(|_| self.is_asked)
    }
}

/// What becomes of the routes of a session that has ended, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Withdraw,
    /// While nothing fresher is there: the backup carries them.
    Keep,
    KeepFor(Duration),
}

impl Fate {
    pub(super) fn of(
        peer: &config::Peer,
        restart: Option<&RemoteRestart>,
        reason: &DownReason,
    ) -> Self {
        if let DownReason::Stopped(
            StopReason::PeerDeconfigured | StopReason::MaximumPrefixes { .. },
        ) = reason
        {
            return Self::Withdraw;
        }
        if peer.backup.is_some() {
            return Self::Keep;
        }
        match restart.filter(|restart| survives(restart, reason)) {
            Some(restart) if !restart.time.is_zero() => Self::KeepFor(restart.time),
            Some(_) | None => Self::Withdraw,
        }
    }
}

/// Whether the peer goes on forwarding, and keeps our routes as we keep its.
fn survives(restart: &RemoteRestart, reason: &DownReason) -> bool {
    match reason {
        // RFC 4724 §4.2.
        DownReason::ConnectionClosed(_) => true,
        // RFC 8538 §4.
        DownReason::NotificationReceived(notification)
        | DownReason::NotificationSent(notification) => {
            restart.notification && !notification.is_hard_reset()
        }
        DownReason::Stopped(
            StopReason::AdministrativeReset(_) | StopReason::ConfigurationChange,
        ) => restart.notification,
        // The peer sees no more than the end of TCP.
        DownReason::Stopped(StopReason::Restart(_) | StopReason::InternalError(_)) => true,
        DownReason::Stopped(
            StopReason::AdministrativeShutdown(_)
            | StopReason::PeerDeconfigured
            | StopReason::MaximumPrefixes { .. },
        )
        // Packets could not pass either.
        | DownReason::LinkDown(_)
        | DownReason::BfdDown(_)
        // There was no session.
        | DownReason::ConnectFailed(_)
        | DownReason::ConnectTimedOut => false,
    }
}
