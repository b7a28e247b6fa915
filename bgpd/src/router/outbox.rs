//! From an update group to its members' sessions: what the group has to hear is
//! encoded once, and all of them send the same octets.

use bgp_core::PathId;
use bgp_core::rib::{self, Audience};
use bgp_core::wire::{self, Codec};
use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;
use tokio::sync::mpsc;

/// Whole messages for one session, mostly the whole batch of its group.
#[derive(Clone, Debug, Default)]
pub struct Outbound {
    pub octets: SmallVec<[Bytes; 1]>,
    /// How many UPDATEs that is.
    pub updates: u64,
}

/// Messages for a group, each for all or some of its members.
pub(super) struct Batch {
    octets: Bytes,
    parts: Vec<Part>,
}

/// Messages one after the other for the same members.
struct Part {
    audience: Audience,
    /// Where it ends; it begins where the one before ends.
    end: usize,
    updates: u64,
}

impl Batch {
    pub(super) fn encode(told: &[(Audience, rib::Outbound)], codec: &Codec) -> Self {
        let mut octets = BytesMut::new();
        let mut parts: Vec<Part> = Vec::new();
        for (audience, outbound) in told {
            let updates = put(outbound, codec, &mut octets);
            let end = octets.len();
            match parts.last_mut().filter(|last| last.audience == *audience) {
                Some(last) => (last.end, last.updates) = (end, last.updates + updates),
                None => parts.push(Part {
                    audience: *audience,
                    end,
                    updates,
                }),
            }
        }
        Self {
            octets: octets.freeze(),
            parts,
        }
    }

    /// What is for this member, if anything is.
    pub(super) fn part_of(&self, path: PathId) -> Option<Outbound> {
        let mut outbound = Outbound::default();
        // Where the octets begin that are for it and have not been taken.
        let (mut from, mut start) = (None, 0);
        for part in &self.parts {
            if part.audience.includes(path) {
                outbound.updates += part.updates;
                from.get_or_insert(start);
            } else if let Some(from) = from.take() {
                outbound.octets.push(self.octets.slice(from..start));
            }
            start = part.end;
        }
        if let Some(from) = from {
            outbound.octets.push(self.octets.slice(from..start));
        }
        (!outbound.octets.is_empty()).then_some(outbound)
    }
}

/// Appends the messages for one word of the RIB's; says how many.
fn put(outbound: &rib::Outbound, codec: &Codec, octets: &mut BytesMut) -> u64 {
    let messages = match outbound {
        rib::Outbound::Announce(attributes, prefixes) => {
            wire::encode_announcement(attributes, prefixes, codec, octets).unwrap_or_else(|error| {
                // RFC 8654 §4: what cannot be announced is withdrawn, for the
                // peers must not keep the route that was before.
                tracing::warn!(
                    prefixes = prefixes.len(),
                    "cannot announce, so withdrawing: {error}"
                );
                wire::encode_withdrawal(prefixes, codec, octets)
            })
        }
        rib::Outbound::Withdraw(prefixes) => wire::encode_withdrawal(prefixes, codec, octets),
        rib::Outbound::EndOfRib(family) => {
            wire::encode_end_of_rib(*family, octets);
            1
        }
    };
    messages as u64
}

/// The way to a session. The router is the only one that sends there.
pub(super) struct Outbox(pub(super) mpsc::Sender<Outbound>);

impl Outbox {
    /// The session takes nothing any more.
    pub(super) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Whether there is room for another batch; whoever is ending needs none.
    pub(super) fn has_room(&self) -> bool {
        self.0.capacity() > 0 || self.is_closed()
    }

    /// Whether the session has taken all that there was for it.
    pub(super) fn is_idle(&self) -> bool {
        self.0.capacity() == self.0.max_capacity()
    }

    pub(super) fn send(&self, outbound: Outbound) {
        // Only a session that is ending has no room; `Down` follows.
        let _ = self.0.try_send(outbound);
    }
}
