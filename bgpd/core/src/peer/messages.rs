//! What each message does in each state, up to a session: OPENs, and which of
//! two connections stays.

use std::time::Instant;

use super::connection::{Direction, Phase};
use super::machine::{Farewell, Peer};
use super::{Action, ConnectionId, DownReason, Negotiated};
use crate::wire::iana::{error, fsm_error, message_type, route_refresh};
use crate::wire::{Message, Notification, Open, RouteRefresh};

impl Peer {
    /// One row per state and message (RFC 4271 §8.2.2, RFC 6608).
    pub(super) fn received(&mut self, id: ConnectionId, message: Message, now: Instant) {
        let Some(connection) = self.connection(id) else {
            return;
        };
        match (&connection.phase, message) {
            // TCP isn't up, so nothing can have arrived.
            (
                Phase::Connecting,
                Message::Open(_)
                | Message::Update(_)
                | Message::Notification(_)
                | Message::Keepalive
                | Message::RouteRefresh(_),
            ) => {}

            (Phase::OpenSent, Message::Open(open)) => self.open_received(id, &open, now),
            (Phase::OpenSent, Message::Update(_)) => self.unexpected(
                id,
                fsm_error::UNEXPECTED_IN_OPEN_SENT,
                message_type::UPDATE,
                now,
            ),
            (Phase::OpenSent, Message::Keepalive) => self.unexpected(
                id,
                fsm_error::UNEXPECTED_IN_OPEN_SENT,
                message_type::KEEPALIVE,
                now,
            ),
            (Phase::OpenSent, Message::RouteRefresh(_)) => self.unexpected(
                id,
                fsm_error::UNEXPECTED_IN_OPEN_SENT,
                message_type::ROUTE_REFRESH,
                now,
            ),

            (Phase::OpenConfirm(_), Message::Keepalive) => self.established(id, now),
            (Phase::OpenConfirm(_), Message::Open(_)) => self.unexpected(
                id,
                fsm_error::UNEXPECTED_IN_OPEN_CONFIRM,
                message_type::OPEN,
                now,
            ),
            (Phase::OpenConfirm(_), Message::Update(_)) => self.unexpected(
                id,
                fsm_error::UNEXPECTED_IN_OPEN_CONFIRM,
                message_type::UPDATE,
                now,
            ),
            (Phase::OpenConfirm(_), Message::RouteRefresh(_)) => self.unexpected(
                id,
                fsm_error::UNEXPECTED_IN_OPEN_CONFIRM,
                message_type::ROUTE_REFRESH,
                now,
            ),

            (Phase::Established { .. }, Message::Update(update)) => {
                self.restart_hold(id, now);
                self.actions.push_back(Action::Deliver(update));
            }
            (Phase::Established { .. }, Message::Keepalive) => self.restart_hold(id, now),
            (Phase::Established { negotiated, .. }, Message::RouteRefresh(refresh)) => {
                let asked = refresh_asked(refresh, negotiated);
                self.restart_hold(id, now);
                self.actions.extend(asked);
            }
            (Phase::Established { .. }, Message::Open(_)) => self.unexpected(
                id,
                fsm_error::UNEXPECTED_IN_ESTABLISHED,
                message_type::OPEN,
                now,
            ),

            (
                Phase::OpenSent | Phase::OpenConfirm(_) | Phase::Established { .. },
                Message::Notification(notification),
            ) => self.end(
                id,
                Farewell::Silent,
                DownReason::NotificationReceived(notification),
                now,
            ),
        }
    }

    fn open_received(&mut self, id: ConnectionId, open: &Open, now: Instant) {
        let negotiated = match self.settings.negotiate(open) {
            Ok(negotiated) => negotiated,
            Err(notification) => return self.fail(id, notification, now),
        };
        let restarted = open
            .capabilities
            .graceful_restart
            .as_ref()
            .is_some_and(|restart| restart.restarting);
        if !self.survives_collision(id, &negotiated, restarted, now) {
            return;
        }
        // The dial that the timer would start could only collide.
        self.retry_at = None;
        self.actions
            .push_back(Action::UseCodec(id, negotiated.codec.clone()));
        self.actions.push_back(Action::Send(id, Message::Keepalive));
        let Some(connection) = self.connection(id) else {
            return;
        };
        if !negotiated.hold_time.is_zero() {
            connection.hold_at = now.checked_add(negotiated.hold_time);
        }
        connection.phase = Phase::OpenConfirm(negotiated);
        self.restart_keepalive(id, now);
    }

    /// RFC 4271 §6.8: two connections between the same speakers; the one that
    /// the speaker with the higher identifier made stays.
    fn survives_collision(
        &mut self,
        id: ConnectionId,
        negotiated: &Negotiated,
        restarted: bool,
        now: Instant,
    ) -> bool {
        let Some(other) = self.connections.iter().find(|other| other.id != id) else {
            return true;
        };
        let (other_id, other_direction) = (other.id, other.direction);
        match &other.phase {
            // Not yet known to be the same speaker: settled when its OPEN comes.
            Phase::Connecting | Phase::OpenSent => true,
            Phase::OpenConfirm(_) => {
                let keeps_other = self.settings.ours_wins(negotiated.remote_router_id)
                    == (other_direction == Direction::Outgoing);
                self.drop_for_collision(if keeps_other { id } else { other_id });
                !keeps_other
            }
            Phase::Established {
                negotiated: earlier,
                ..
            } => {
                // RFC 4724 §5: a peer that says it has restarted means this one;
                // the old connection ends without a NOTIFICATION.
                let replaces = restarted && earlier.restart.is_some();
                if replaces {
                    let words = "the peer has restarted and connected again".to_owned();
                    self.end(
                        other_id,
                        Farewell::Silent,
                        DownReason::ConnectionClosed(words),
                        now,
                    );
                } else {
                    self.drop_for_collision(id);
                }
                replaces
            }
        }
    }

    fn established(&mut self, id: ConnectionId, now: Instant) {
        while let Some(other) = self.find(|other| other.id != id) {
            self.drop_for_collision(other);
        }
        let Some(connection) = self.connection(id) else {
            return;
        };
        let Phase::OpenConfirm(negotiated) = &connection.phase else {
            return;
        };
        let negotiated = negotiated.clone();
        if negotiated.hold_time.is_zero() {
            connection.hold_at = None;
        }
        connection.phase = Phase::Established {
            negotiated: negotiated.clone(),
            since: now,
        };
        self.was_established = true;
        self.actions.push_back(Action::Established(id, negotiated));
        self.restart_hold(id, now);
    }

    fn unexpected(&mut self, id: ConnectionId, subcode: u8, message_type: u8, now: Instant) {
        // RFC 6608 §3: the data names the type of the message.
        self.fail(
            id,
            Notification {
                code: error::FINITE_STATE_MACHINE,
                subcode,
                data: vec![message_type],
            },
            now,
        );
    }
}

/// RFC 2918: a request for a family that both carry. RFC 7313's markers (and
/// subtypes to come) are passed over: we did not offer them.
fn refresh_asked(refresh: RouteRefresh, negotiated: &Negotiated) -> Option<Action> {
    let family = refresh
        .family
        .filter(|family| negotiated.codec.families.contains(family))?;
    (refresh.subtype == route_refresh::REQUEST).then_some(Action::Refresh(family))
}
