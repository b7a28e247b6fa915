//! Hostile input by rule and from two corpora, each row sent to a speaker in
//! memory and judged by what the RFCs permit (package `hostile-inputs`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Instant;

use bgp_core::config;
use bgp_core::peer::{Action, ConnectionId, Event, Peer, PeerSettings};
use bgp_core::wire::{self, Codec, Message, PathAttributes, Update, iana::attribute};
use bytes::BytesMut;
use hostile_inputs::{End, MED_BEFORE, Observed, Route, Row, Session, Stage};
use ipnet::IpNet;

#[test]
fn recorded_hostile_inputs_cost_what_the_rfcs_ask() {
    check(&hostile_inputs::recorded().unwrap(), 163);
}

#[test]
fn hostile_inputs_of_every_rule_cost_what_the_rfcs_ask() {
    check(&hostile_inputs::by_rule(), 10_000);
}

fn check(rows: &[Row], at_least: usize) {
    assert!(rows.len() >= at_least, "only {} rows", rows.len());
    let mut wrong = String::new();
    let mut count = 0;
    for row in rows {
        let observed = Speaker::observe(row);
        if let Err(reason) = row.judge(&observed) {
            count += 1;
            if count <= 60 {
                writeln!(wrong, "{reason}").unwrap();
            }
        }
    }
    assert!(count == 0, "{count} of {} rows:\n{wrong}", rows.len());
}

/// The speaker under test, and what its peer sees of it.
struct Speaker {
    peer: Peer,
    id: ConnectionId,
    codec: Codec,
    inbound: BytesMut,
    now: Instant,
    end: End,
    table: BTreeMap<IpNet, BTreeSet<u8>>,
    before: BTreeSet<IpNet>,
}

impl Speaker {
    fn observe(row: &Row) -> Observed {
        let mut speaker = Self::connected(row.session);
        // The stage is reached without fault.
        if row.stage > Stage::OpenExpected {
            speaker.take(&row.session.open(90));
        }
        if row.stage > Stage::KeepaliveExpected {
            speaker.take(&wire_keepalive());
        }
        if let Some(before) = row.before() {
            speaker.take(&before);
        }
        assert_eq!(speaker.end, End::Alive, "before {}", row.name);
        speaker.take(&row.bytes);
        if row.stage < Stage::Established && speaker.end == End::Alive {
            // What was accepted must lead to a session.
            speaker.take(&wire_keepalive());
        }
        let route = match row.prefix {
            Some(prefix) if speaker.before.contains(&prefix) => Route::Untouched,
            Some(prefix) => match speaker.table.get(&prefix) {
                Some(codes) => Route::Announced(Some(codes.iter().copied().collect())),
                None => Route::Withdrawn,
            },
            None => Route::Untouched,
        };
        Observed {
            end: speaker.end,
            route,
        }
    }

    fn connected(session: Session) -> Self {
        let text = format!(
            "[bgpd]\nrouter_id = \"169.254.255.2\"\nasn = {}\n\
             [[peer]]\nname = \"peer\"\naddress = \"169.254.255.1\"\nlocal = \"169.254.255.2/30\"\nasn = {}\n\
             passive = true\nfamilies = [\"ipv4\", \"ipv6\"]\naccept = [\"any\"]\n",
            hostile_inputs::SPEAKER_AS,
            session.peer_asn(),
        );
        let config = config::parse(&text).unwrap();
        let settings = PeerSettings::new(&config.peers[0], config.daemon.router_id, None);
        let now = Instant::now();
        let mut peer = Peer::new(settings, 1);
        peer.handle(Event::Start, now);
        let id = peer.new_connection();
        peer.handle(Event::Accepted(id), now);
        let mut speaker = Self {
            peer,
            id,
            codec: Codec::initial(),
            inbound: BytesMut::new(),
            now,
            end: End::Alive,
            table: BTreeMap::new(),
            before: BTreeSet::new(),
        };
        speaker.carry_out();
        speaker
    }

    fn take(&mut self, bytes: &[u8]) {
        self.inbound.extend_from_slice(bytes);
        while self.end == End::Alive {
            let message = match wire::frame(&mut self.inbound, &self.codec) {
                Ok(None) => break,
                Ok(Some(frame)) => wire::decode(&frame, &self.codec),
                Err(notification) => Err(notification),
            };
            let event = match message {
                Ok(decoded) => Event::Received(self.id, decoded.message),
                Err(notification) => Event::Malformed(self.id, notification),
            };
            self.peer.handle(event, self.now);
            self.carry_out();
        }
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.peer.poll_action() {
            match action {
                Action::UseCodec(_, codec) => self.codec = codec,
                Action::Deliver(update) => self.deliver(update),
                Action::Send(_, Message::Notification(notification)) => {
                    self.end = End::Notification(notification.code, notification.subcode);
                }
                Action::Close(_) if self.end == End::Alive => self.end = End::Closed,
                _ => {}
            }
        }
    }

    fn deliver(&mut self, update: Update) {
        for prefix in update.withdrawn.iter().flat_map(|prefixes| prefixes.iter()) {
            self.table.remove(&prefix);
            self.before.remove(&prefix);
        }
        for announcement in &update.announced {
            let codes = codes(&announcement.attributes);
            for prefix in announcement.prefixes.iter() {
                if announcement.attributes.med == Some(MED_BEFORE) {
                    self.before.insert(prefix);
                } else {
                    self.before.remove(&prefix);
                }
                self.table.insert(prefix, codes.clone());
            }
        }
    }
}

fn wire_keepalive() -> Vec<u8> {
    hostile_inputs::message(4, &[])
}

/// The types of a route's attributes.
fn codes(attributes: &PathAttributes) -> BTreeSet<u8> {
    let known = [
        (attributes.med.is_some(), attribute::MULTI_EXIT_DISC),
        (attributes.local_pref.is_some(), attribute::LOCAL_PREF),
        (attributes.atomic_aggregate, attribute::ATOMIC_AGGREGATE),
        (attributes.aggregator.is_some(), attribute::AGGREGATOR),
        (!attributes.communities.is_empty(), attribute::COMMUNITIES),
        (attributes.originator_id.is_some(), attribute::ORIGINATOR_ID),
        (!attributes.cluster_list.is_empty(), attribute::CLUSTER_LIST),
    ];
    let known = known.into_iter().filter(|(has, _)| *has);
    let unknown = attributes.unknown.iter().map(|unknown| unknown.type_code);
    known.map(|(_, code)| code).chain(unknown).collect()
}
