//! What comes from the peer: connections, bytes, messages; and how much of each is
//! taken.

use std::time::Instant;

use bgp_core::peer::{ConnectionId, Event};
use bgp_core::wire::Malformed;

use super::Driver;
use crate::session::link::{Link, Read};
use crate::transport::Connection;

/// How much of what had come was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Batch {
    All,
    /// There may be more.
    Full,
}

impl Driver {
    pub(super) fn accepted(&mut self, connection: Connection, now: Instant) {
        let peer = &self.settings.peer;
        if peer.auth_key_file.is_some() && self.settings.key.is_none() {
            return;
        }
        if !self.admission.admits(now) {
            if let Some(suppressed) = self.refused_log.pass(now) {
                tracing::warn!(
                    peer = %peer.name,
                    suppressed,
                    "the peer connects too often, so its connection is closed"
                );
            }
            return;
        }
        if let Err(error) = connection.adopt(peer.ttl, self.settings.key.as_ref()) {
            let words = format!(
                "cannot set TTL or MD5 key on the connection from {}, so it is closed: {error}",
                connection.remote
            );
            tracing::error!(peer = %peer.name, "{words}");
            self.report.last_error = Some(words);
            return;
        }
        let id = self.peer.new_connection();
        self.links.push(Link::new(id, connection));
        self.peer.handle(Event::Accepted(id), now);
    }

    /// What has come, but no more of it than is fair to others. While the router is
    /// behind, nothing is read and TCP holds the peer back.
    pub(super) fn read(&mut self, id: ConnectionId) -> Batch {
        let mut octets = 0;
        while octets < BATCH_OCTETS {
            let Some(link) = self.links.iter_mut().find(|link| link.id == id) else {
                break;
            };
            match link.read() {
                Read::Bytes(read) => {
                    octets += read;
                    self.take_messages(id);
                }
                Read::Empty => break,
                Read::Closed(words) => {
                    self.peer
                        .handle(Event::ConnectionClosed(id, words), Instant::now());
                    break;
                }
            }
        }
        self.carry_out();
        self.hand_batch();
        if octets < BATCH_OCTETS {
            Batch::All
        } else {
            Batch::Full
        }
    }

    /// Every whole message that has been read. Actions are carried out between
    /// messages: an OPEN changes how the next one is decoded.
    fn take_messages(&mut self, id: ConnectionId) {
        let now = Instant::now();
        while let Some(link) = self.links.iter_mut().find(|link| link.id == id) {
            match link.next_message() {
                Ok(None) => return,
                Ok(Some(decoded)) => {
                    if !decoded.malformed.is_empty() {
                        self.repaired(&decoded.malformed, now);
                    }
                    self.peer.handle(Event::Received(id, decoded.message), now);
                }
                Err(notification) => self.peer.handle(Event::Malformed(id, notification), now),
            }
            self.carry_out();
        }
    }

    fn repaired(&mut self, malformed: &[Malformed], now: Instant) {
        self.report.counts.updates_malformed += 1;
        if let (Some(suppressed), Some(first)) = (self.malformed_log.pass(now), malformed.first()) {
            tracing::warn!(
                peer = %self.settings.peer.name,
                suppressed,
                "malformed UPDATE (RFC 7606): {first}"
            );
        }
    }

    /// Before a hold timer counts: what has come meanwhile is read, so that a peer
    /// doesn't pay for our being late. Where the router is behind and nothing may be
    /// read, bytes that wait are a sign of life; elsewhere only whole messages are,
    /// or a peer could stop half-way through one for ever.
    pub(super) fn look_for_life(&mut self, now: Instant) {
        let ids: Vec<ConnectionId> = self.links.iter().map(|link| link.id).collect();
        for id in ids {
            if self.to_router.has_room() {
                self.read(id);
            } else if self
                .links
                .iter()
                .any(|link| link.id == id && link.has_unread())
            {
                self.peer.handle(Event::Alive(id), now);
            }
        }
    }
}

/// Read at most this much before the router gets it: in some milliseconds it is
/// another peer's turn.
const BATCH_OCTETS: usize = 64 * 1024;
