//! Path attributes to the wire.

use std::net::{IpAddr, Ipv6Addr};

use bytes::{BufMut, BytesMut};

use super::super::as_path::{self, Width};
use super::super::iana::{afi, attribute, flag, safi};
use super::super::{AsPath, Codec};
use super::{Aggregator, NextHop, PathAttributes};
use crate::{Asn, Family};

const WELL_KNOWN: u8 = flag::TRANSITIVE;
const OPTIONAL: u8 = flag::OPTIONAL;
const CARRIED: u8 = flag::OPTIONAL | flag::TRANSITIVE;

/// Every attribute but MP_REACH_NLRI, by ascending type code (RFC 4271 §5).
/// NEXT_HOP only for IPv4, whose prefixes stand in the body. The caller checks
/// that the whole fits a message, and so any length its field.
pub(in super::super) fn put_attributes(
    attributes: &PathAttributes,
    family: Family,
    codec: &Codec,
    out: &mut BytesMut,
) {
    let path = sendable_path(&attributes.as_path, codec);
    put(
        WELL_KNOWN,
        attribute::ORIGIN,
        &[attributes.origin.code()],
        out,
    );
    put_path(
        &path,
        attribute::AS_PATH,
        WELL_KNOWN,
        Width::of(codec.four_octet_as),
        out,
    );
    if let (Family::Ipv4, IpAddr::V4(address)) = (family, attributes.next_hop.address) {
        put(WELL_KNOWN, attribute::NEXT_HOP, &address.octets(), out);
    }
    if let Some(med) = attributes.med {
        put(
            OPTIONAL,
            attribute::MULTI_EXIT_DISC,
            &med.to_be_bytes(),
            out,
        );
    }
    // RFC 4271 §5.1.5: to internal peers only.
    if let Some(local_pref) = attributes.local_pref.filter(|_| codec.internal) {
        put(
            WELL_KNOWN,
            attribute::LOCAL_PREF,
            &local_pref.to_be_bytes(),
            out,
        );
    }
    if attributes.atomic_aggregate {
        put(WELL_KNOWN, attribute::ATOMIC_AGGREGATE, &[], out);
    }
    if let Some(aggregator) = attributes.aggregator {
        put_aggregator(
            aggregator,
            Width::of(codec.four_octet_as),
            attribute::AGGREGATOR,
            out,
        );
    }
    put_list(
        CARRIED,
        attribute::COMMUNITIES,
        &attributes.communities,
        |community| community.0.to_be_bytes(),
        out,
    );
    if codec.internal {
        put_reflection(attributes, out);
    }
    put_list(
        CARRIED,
        attribute::EXTENDED_COMMUNITIES,
        &attributes.extended_communities,
        |community| community.0,
        out,
    );
    if !codec.four_octet_as {
        put_four_octet(&path, attributes.aggregator, out);
    }
    let large = attributes
        .unknown
        .partition_point(|it| it.type_code < attribute::LARGE_COMMUNITIES);
    let (before, after) = attributes
        .unknown
        .split_at_checked(large)
        .unwrap_or_default();
    before
        .iter()
        .for_each(|it| put(it.flags | flag::PARTIAL, it.type_code, &it.value, out));
    put_list(
        CARRIED,
        attribute::LARGE_COMMUNITIES,
        &attributes.large_communities,
        |community| {
            let parts = [community.global, community.local1, community.local2];
            let mut octets = [0; 12];
            for (octet, part) in octets
                .iter_mut()
                .zip(parts.into_iter().flat_map(u32::to_be_bytes))
            {
                *octet = part;
            }
            octets
        },
        out,
    );
    after
        .iter()
        .for_each(|it| put(it.flags | flag::PARTIAL, it.type_code, &it.value, out));
}

/// Octets of an MP_REACH_NLRI without its prefixes, of which there are `nlri`
/// octets.
pub(in super::super) fn reach_len(next_hop: &NextHop, nlri: usize) -> usize {
    let value = reach_value_len(next_hop.link_local);
    header_len(value.saturating_add(nlri)).saturating_add(value)
}

/// The MP_REACH_NLRI whose prefixes follow.
pub(in super::super) fn put_reach(
    address: Ipv6Addr,
    link_local: Option<Ipv6Addr>,
    nlri: usize,
    out: &mut BytesMut,
) {
    let value = reach_value_len(link_local).saturating_add(nlri);
    put_header(OPTIONAL, attribute::MP_REACH_NLRI, value, out);
    out.put_u16(afi::IPV6);
    out.put_u8(safi::UNICAST);
    out.put_u8(if link_local.is_some() { 32 } else { 16 });
    out.put_slice(&address.octets());
    if let Some(link_local) = link_local {
        out.put_slice(&link_local.octets());
    }
    out.put_u8(0);
}

/// Octets of an MP_UNREACH_NLRI without its prefixes, of which there are `nlri`
/// octets.
pub(in super::super) fn unreach_len(nlri: usize) -> usize {
    header_len(nlri.saturating_add(AFI_SAFI)).saturating_add(AFI_SAFI)
}

/// The MP_UNREACH_NLRI whose prefixes follow.
pub(in super::super) fn put_unreach(family: Family, nlri: usize, out: &mut BytesMut) {
    put_header(
        OPTIONAL,
        attribute::MP_UNREACH_NLRI,
        nlri.saturating_add(AFI_SAFI),
        out,
    );
    out.put_u16(afi::of(family));
    out.put_u8(safi::UNICAST);
}

const AFI_SAFI: usize = 3;

/// AFI, SAFI, the next hop with its length, and an octet that is reserved.
const fn reach_value_len(link_local: Option<Ipv6Addr>) -> usize {
    if link_local.is_some() {
        AFI_SAFI + 1 + 32 + 1
    } else {
        AFI_SAFI + 1 + 16 + 1
    }
}

/// RFC 5065 §5: a confederation's segments stay within it.
fn sendable_path(path: &AsPath, codec: &Codec) -> AsPath {
    let mut path = path.clone();
    if !codec.internal {
        path.drop_confederation();
    }
    path
}

fn put_reflection(attributes: &PathAttributes, out: &mut BytesMut) {
    if let Some(originator) = attributes.originator_id {
        put(
            OPTIONAL,
            attribute::ORIGINATOR_ID,
            &originator.0.octets(),
            out,
        );
    }
    put_list(
        OPTIONAL,
        attribute::CLUSTER_LIST,
        &attributes.cluster_list,
        |id| id.0.octets(),
        out,
    );
}

/// RFC 6793 §4.2.2: what two octets couldn't say.
fn put_four_octet(path: &AsPath, aggregator: Option<Aggregator>, out: &mut BytesMut) {
    let too_large = |asn: Asn| asn.0 > u32::from(u16::MAX);
    if path.asns().any(too_large) {
        let mut path = path.clone();
        path.drop_confederation();
        put_path(&path, attribute::AS4_PATH, CARRIED, Width::Four, out);
    }
    if let Some(aggregator) = aggregator.filter(|aggregator| too_large(aggregator.asn)) {
        put_aggregator(aggregator, Width::Four, attribute::AS4_AGGREGATOR, out);
    }
}

fn put_path(path: &AsPath, code: u8, flags: u8, width: Width, out: &mut BytesMut) {
    put_header(flags, code, as_path::encoded_len(path, width), out);
    as_path::put(path, width, out);
}

fn put_aggregator(aggregator: Aggregator, width: Width, code: u8, out: &mut BytesMut) {
    let (length, asn) = match width {
        Width::Two => (6, None),
        Width::Four => (8, Some(aggregator.asn.0)),
    };
    put_header(CARRIED, code, length, out);
    match asn {
        Some(asn) => out.put_u32(asn),
        None => out.put_u16(aggregator.asn.two_octets()),
    }
    out.put_slice(&aggregator.router_id.0.octets());
}

/// Nothing for an empty list: an attribute without items is malformed.
fn put_list<T, const N: usize>(
    flags: u8,
    code: u8,
    items: &[T],
    octets: impl Fn(&T) -> [u8; N],
    out: &mut BytesMut,
) {
    if items.is_empty() {
        return;
    }
    put_header(flags, code, items.len().saturating_mul(N), out);
    items.iter().for_each(|item| out.put_slice(&octets(item)));
}

fn put(flags: u8, code: u8, value: &[u8], out: &mut BytesMut) {
    put_header(flags, code, value.len(), out);
    out.put_slice(value);
}

/// Octets of the header of an attribute whose value has `value`.
fn header_len(value: usize) -> usize {
    if value > usize::from(u8::MAX) { 4 } else { 3 }
}

fn put_header(flags: u8, code: u8, value: usize, out: &mut BytesMut) {
    match u8::try_from(value) {
        Ok(length) => out.put_slice(&[flags, code, length]),
        Err(_) => {
            out.put_slice(&[flags | flag::EXTENDED_LENGTH, code]);
            out.put_u16(u16::try_from(value).unwrap_or(u16::MAX));
        }
    }
}
