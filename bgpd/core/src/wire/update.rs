//! UPDATE (RFC 4271 §4.3): both families in one shape, packed into as few
//! messages as hold them.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use nom::Parser;
use nom::combinator::rest;
use nom::multi::length_data;
use nom::number::complete::be_u16;
use smallvec::SmallVec;

use super::attributes::{self, Reach, Received, Unreach};
use super::frame::{HEADER, put_header};
use super::iana::{attribute, error, message_type, update_error};
use super::malformed::{Malformed, Treatment};
use super::prefixes::{self, Nlri};
use super::{Codec, EncodeError, NextHop, Notification, Parsed, PathAttributes, Prefixes};
use crate::Family;

/// The lengths of the withdrawn prefixes and of the attributes.
const LENGTHS: usize = 4;

/// UPDATE (RFC 4271 §4.3), both families in one shape. At most one withdrawn
/// set a family. What is both withdrawn and announced is announced: apply
/// withdrawals first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    pub withdrawn: SmallVec<[Prefixes; 1]>,
    /// At most one a family and next hop.
    pub announced: SmallVec<[Announcement; 1]>,
    /// RFC 4724 §2: the initial routes of this family are complete.
    pub end_of_rib: Option<Family>,
}

/// Prefixes that share one set of attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    pub attributes: Arc<PathAttributes>,
    pub prefixes: Prefixes,
}

/// Announced prefixes with their next hop, `None` where it is missing or wrong.
type Reachable = SmallVec<[(Option<NextHop>, Prefixes); 2]>;

pub(super) fn decode(body: &[u8], codec: &Codec) -> Result<(Update, Vec<Malformed>), Notification> {
    let (_, (withdrawn, path_attributes, nlri)) =
        sections(body).map_err(|_| malformed(update_error::MALFORMED_ATTRIBUTE_LIST))?;
    let withdrawn = body_prefixes(withdrawn)?;
    let nlri = body_prefixes(nlri)?;
    let mut received = Received::default();
    received.decode(path_attributes, codec)?;

    let mut update = Update {
        end_of_rib: end_of_rib(body, &received, codec),
        ..Update::default()
    };
    let reachable = sort_prefixes(withdrawn, nlri, &mut update, &mut received, codec);
    if !received.treat_as_withdraw() && !reachable.is_empty() {
        note_missing(&reachable, &mut received);
    }
    if received.treat_as_withdraw() {
        // RFC 7606 §5.2: with attributes but no prefixes found, some may have
        // been missed.
        if reachable.is_empty() && received.others && !received.reach_ignored {
            return Err(malformed(update_error::MALFORMED_ATTRIBUTE_LIST));
        }
        for (_, prefixes) in reachable {
            update.withdraw(prefixes);
        }
    } else {
        announce(reachable, &mut update, &mut received);
    }
    Ok((update, received.malformed))
}

/// Appends the UPDATEs that announce these prefixes; says how many. An error
/// leaves `out` as it was. Attributes that only internal peers may see are left
/// out for the others, and a confederation's segments too.
pub fn encode_announcement(
    attributes: &PathAttributes,
    prefixes: &Prefixes,
    codec: &Codec,
    out: &mut BytesMut,
) -> Result<usize, EncodeError> {
    let next_hop = &attributes.next_hop;
    let mut shared = BytesMut::new();
    attributes::put_attributes(attributes, prefixes.family(), codec, &mut shared);
    let fixed = LENGTHS.saturating_add(shared.len());
    match (prefixes, next_hop.address) {
        (Prefixes::V4(prefixes), IpAddr::V4(_)) => pack(prefixes, fixed, codec, |run, octets| {
            put_header(message_type::UPDATE, fixed.saturating_add(octets), out);
            out.put_u16(0);
            put_length(shared.len(), out);
            out.put_slice(&shared);
            run.iter().for_each(|prefix| prefix.put(out));
        }),
        (Prefixes::V6(prefixes), IpAddr::V6(address)) => {
            let most = fixed.saturating_add(attributes::reach_len(next_hop, usize::MAX));
            pack(prefixes, most, codec, |run, octets| {
                let reach = attributes::reach_len(next_hop, octets);
                let length = shared.len().saturating_add(reach).saturating_add(octets);
                put_header(message_type::UPDATE, length.saturating_add(LENGTHS), out);
                out.put_u16(0);
                put_length(length, out);
                attributes::put_reach(address, next_hop.link_local, octets, out);
                run.iter().for_each(|prefix| prefix.put(out));
                out.put_slice(&shared);
            })
        }
        (_, next_hop) => Err(EncodeError::NextHop {
            next_hop,
            family: prefixes.family(),
        }),
    }
}

/// Appends the UPDATEs that withdraw these prefixes; says how many.
pub fn encode_withdrawal(prefixes: &Prefixes, codec: &Codec, out: &mut BytesMut) -> usize {
    let packed = match prefixes {
        Prefixes::V4(prefixes) => pack(prefixes, LENGTHS, codec, |run, octets| {
            put_header(message_type::UPDATE, octets.saturating_add(LENGTHS), out);
            put_length(octets, out);
            run.iter().for_each(|prefix| prefix.put(out));
            out.put_u16(0);
        }),
        Prefixes::V6(prefixes) => {
            let most = LENGTHS.saturating_add(attributes::unreach_len(usize::MAX));
            pack(prefixes, most, codec, |run, octets| {
                put_unreach(Family::Ipv6, octets, out);
                run.iter().for_each(|prefix| prefix.put(out));
            })
        }
    };
    // Any one prefix fits the shortest limit.
    packed.unwrap_or(0)
}

/// Appends the UPDATE that ends a family's initial routes (RFC 4724 §2).
pub fn encode_end_of_rib(family: Family, out: &mut BytesMut) {
    match family {
        Family::Ipv4 => {
            put_header(message_type::UPDATE, LENGTHS, out);
            out.put_bytes(0, LENGTHS);
        }
        Family::Ipv6 => put_unreach(family, 0, out),
    }
}

pub(super) fn encode(
    update: &Update,
    codec: &Codec,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    let before = out.len();
    for prefixes in &update.withdrawn {
        encode_withdrawal(prefixes, codec, out);
    }
    for Announcement {
        attributes,
        prefixes,
    } in &update.announced
    {
        if let Err(error) = encode_announcement(attributes, prefixes, codec, out) {
            out.truncate(before);
            return Err(error);
        }
    }
    if let Some(family) = update.end_of_rib {
        encode_end_of_rib(family, out);
    }
    Ok(())
}

impl Update {
    fn withdraw(&mut self, prefixes: Prefixes) {
        let family = prefixes.family();
        match self
            .withdrawn
            .iter_mut()
            .find(|withdrawn| withdrawn.family() == family)
        {
            _ if prefixes.is_empty() => {}
            Some(withdrawn) => withdrawn.append(prefixes),
            None => self.withdrawn.push(prefixes),
        }
    }
}

const fn malformed(subcode: u8) -> Notification {
    Notification::new(error::UPDATE, subcode)
}

/// Withdrawn prefixes, attributes, announced prefixes.
fn sections(body: &[u8]) -> Parsed<'_, (&[u8], &[u8], &[u8])> {
    (length_data(be_u16), length_data(be_u16), rest).parse(body)
}

/// RFC 7606 §3 (i), (j) and §5.3.
fn body_prefixes(input: &[u8]) -> Result<Prefixes, Notification> {
    prefixes::decode(Family::Ipv4, input).ok_or(malformed(update_error::INVALID_NETWORK_FIELD))
}

fn end_of_rib(body: &[u8], received: &Received, codec: &Codec) -> Option<Family> {
    let family = match &received.unreach {
        None if body.len() == LENGTHS => Family::Ipv4,
        Some(Unreach::Carried(prefixes)) if prefixes.is_empty() && !received.others => {
            // The body's prefixes, if it has any, say that this is not one.
            let only_attributes = matches!(sections(body), Ok((_, ([], _, []))));
            only_attributes.then(|| prefixes.family())?
        }
        _ => return None,
    };
    Some(family).filter(|family| codec.carries(*family))
}

/// Withdrawn ones into the update; answers the announced ones.
fn sort_prefixes(
    withdrawn: Prefixes,
    nlri: Prefixes,
    update: &mut Update,
    received: &mut Received,
    codec: &Codec,
) -> Reachable {
    let mut reachable = Reachable::new();
    if codec.carries(Family::Ipv4) {
        update.withdraw(withdrawn);
        if !nlri.is_empty() {
            let next_hop = received
                .next_hop
                .map(|address| NextHop::from(IpAddr::V4(address)));
            reachable.push((next_hop, nlri));
        }
    } else if !(withdrawn.is_empty() && nlri.is_empty()) {
        received.note(
            Treatment::Ignore,
            None,
            "IPv4 prefixes, which were not negotiated",
        );
    }
    let not_negotiated = "of a family that was not negotiated";
    match received.unreach.take() {
        Some(Unreach::Carried(prefixes)) => update.withdraw(prefixes),
        Some(Unreach::Ignored) => {
            received.note(
                Treatment::Ignore,
                Some(attribute::MP_UNREACH_NLRI),
                not_negotiated,
            );
        }
        None => {}
    }
    match received.reach.take() {
        Some(Reach::Carried(next_hop, prefixes)) if !prefixes.is_empty() => {
            reachable.push((next_hop.ok(), prefixes));
        }
        Some(Reach::Ignored) => {
            received.reach_ignored = true;
            received.note(
                Treatment::Ignore,
                Some(attribute::MP_REACH_NLRI),
                not_negotiated,
            );
        }
        Some(Reach::Carried(..)) | None => {}
    }
    reachable
}

/// RFC 7606 §3 (d).
fn note_missing(reachable: &Reachable, received: &mut Received) {
    let next_hop_missing = reachable.iter().any(|(next_hop, _)| next_hop.is_none());
    let missing = received
        .missing()
        .or(next_hop_missing.then_some(attribute::NEXT_HOP));
    if let Some(code) = missing {
        received.note(
            Treatment::TreatAsWithdraw,
            Some(code),
            "every route has one, this has not",
        );
    }
}

fn announce(reachable: Reachable, update: &mut Update, received: &mut Received) {
    for (next_hop, mut prefixes) in reachable {
        if prefixes.drop_martians() {
            received.note(Treatment::Ignore, None, "prefixes that no host can be in");
        }
        let Some(next_hop) = next_hop.filter(|_| !prefixes.is_empty()) else {
            continue;
        };
        let attributes = match update.announced.first() {
            Some(first) => Some(PathAttributes {
                next_hop,
                ..(*first.attributes).clone()
            }),
            None => received.attributes(next_hop),
        };
        if let Some(attributes) = attributes {
            update.announced.push(Announcement {
                attributes: Arc::new(attributes),
                prefixes,
            });
        }
    }
}

/// Calls `message` with run after run of prefixes, each as long as the limit
/// lets it be, and the run's octets. `fixed`: octets of the body without them.
fn pack<P: Nlri>(
    prefixes: &[P],
    fixed: usize,
    codec: &Codec,
    mut message: impl FnMut(&[P], usize),
) -> Result<usize, EncodeError> {
    let limit = codec.max_message();
    let longest = prefixes.iter().map(Nlri::size).max().unwrap_or(0);
    let length = fixed.saturating_add(HEADER).saturating_add(longest);
    if length > limit {
        return Err(EncodeError::TooLong { length, limit });
    }
    let room = limit.saturating_sub(HEADER).saturating_sub(fixed);
    let (mut left, mut messages) = (prefixes, 0_usize);
    while !left.is_empty() {
        let (count, octets) = first_run(left, room);
        let Some((run, after)) = left.split_at_checked(count) else {
            break;
        };
        message(run, octets);
        messages = messages.saturating_add(1);
        left = after;
    }
    Ok(messages)
}

/// How many prefixes fit, and their octets.
fn first_run<P: Nlri>(prefixes: &[P], room: usize) -> (usize, usize) {
    let (mut count, mut octets) = (0_usize, 0_usize);
    for prefix in prefixes {
        let with = octets.saturating_add(prefix.size());
        if with > room {
            break;
        }
        (count, octets) = (count.saturating_add(1), with);
    }
    (count, octets)
}

/// All of an UPDATE but the prefixes to withdraw, which follow.
fn put_unreach(family: Family, octets: usize, out: &mut BytesMut) {
    let length = attributes::unreach_len(octets).saturating_add(octets);
    put_header(message_type::UPDATE, length.saturating_add(LENGTHS), out);
    out.put_u16(0);
    put_length(length, out);
    attributes::put_unreach(family, octets, out);
}

/// A length that the message's limit bounds.
fn put_length(length: usize, out: &mut BytesMut) {
    out.put_u16(u16::try_from(length).unwrap_or(u16::MAX));
}
