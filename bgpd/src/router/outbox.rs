//! From an update group to its members' sessions: what the group has to hear is
//! encoded once, and all of them send the same octets.

use bgp_core::PathId;
use bgp_core::rib::{self, Audience};
use bgp_core::wire::{self, Codec, EncodeError};
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
    /// Prefixes that are withdrawn because they cannot be announced, and why.
    pub(super) unannounced: Option<(usize, EncodeError)>,
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
        let mut unannounced = None;
        for (audience, outbound) in told {
            let updates = put(outbound, codec, &mut octets, &mut unannounced);
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
            unannounced,
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
fn put(
    outbound: &rib::Outbound,
    codec: &Codec,
    octets: &mut BytesMut,
    unannounced: &mut Option<(usize, EncodeError)>,
) -> u64 {
    let messages = match outbound {
        rib::Outbound::Announce(attributes, prefixes) => {
            wire::encode_announcement(attributes, prefixes, codec, octets).unwrap_or_else(|error| {
                // RFC 8654 §4: what cannot be announced is withdrawn, for the
                // peers must not keep the route that was before.
                let others = unannounced.take().map_or(0, |(others, _)| others);
                *unannounced = Some((others + prefixes.len(), error));
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bgp_core::wire::{AsPath, Message, Origin, PathAttributes, Prefixes};
    use bgp_core::{Asn, Family};

    use super::*;

    #[test]
    fn what_fits_no_message_is_withdrawn_and_counted() {
        let codec = Codec {
            four_octet_as: true,
            extended_messages: false,
            families: [Family::Ipv4].into_iter().collect(),
            internal: false,
        };
        let path = |length| AsPath::sequence((0..length).map(|_| Asn(64512)));
        let announce = |length, net: &str| {
            let next_hop = std::net::IpAddr::from([192, 0, 2, 1]);
            let attributes = PathAttributes::new(Origin::Igp, path(length), next_hop);
            let nets = Prefixes::V4(vec![net.parse().expect("a prefix")]);
            let outbound = rib::Outbound::Announce(Arc::new(attributes), nets);
            (Audience::All, outbound)
        };
        let told = [
            announce(1, "10.1.0.0/16"),
            announce(1100, "10.2.0.0/16"),
            announce(1200, "10.3.0.0/16"),
        ];
        let batch = Batch::encode(&told, &codec);
        assert_eq!(batch.unannounced.as_ref().map(|(nets, _)| *nets), Some(2));
        let mut octets = BytesMut::from(&batch.octets[..]);
        let mut counts = Vec::new();
        while let Some(frame) = wire::frame(&mut octets, &codec).expect("whole messages") {
            let Message::Update(update) = wire::decode(&frame, &codec).expect("valid").message
            else {
                panic!("not an UPDATE");
            };
            counts.push((update.announced.len(), update.withdrawn.len()));
        }
        assert_eq!(counts, [(1, 0), (0, 1), (0, 1)]);
        let before = Batch::encode(&told[..1], &codec);
        assert!(before.unannounced.is_none());
    }
}
