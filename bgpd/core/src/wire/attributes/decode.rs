//! Path attributes from the wire, and what their errors cost (RFC 7606).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nom::Parser;

use nom::bytes::complete::take;
use nom::combinator::{all_consuming, rest};
use nom::multi::length_data;
use nom::number::complete::{be_u8, be_u16, be_u32};

use super::super::as_path::{self, Width};
use super::super::iana::{attribute, attribute_name, error, flag, update_error};
use super::super::malformed::{Malformed, Treatment};
use super::super::{AsPath, Codec, Community, ExtendedCommunity, LargeCommunity, Parsed};
use super::super::{Notification, Prefixes, prefixes};
use super::known::{Known, Sender, known};
use super::{Aggregator, NextHop, Origin, PathAttributes, UnknownAttribute};
use crate::{Asn, Family, RouterId};

/// An UPDATE's attributes as far as they made sense.
#[derive(Debug, Default)]
pub(in super::super) struct Received {
    origin: Option<Origin>,
    as_path: Option<AsPath>,
    /// For the prefixes in the UPDATE's body.
    pub(in super::super) next_hop: Option<Ipv4Addr>,
    med: Option<u32>,
    local_pref: Option<u32>,
    atomic_aggregate: bool,
    aggregator: Option<Aggregator>,
    communities: Vec<Community>,
    extended_communities: Vec<ExtendedCommunity>,
    large_communities: Vec<LargeCommunity>,
    originator_id: Option<RouterId>,
    cluster_list: Vec<RouterId>,
    unknown: Vec<UnknownAttribute>,
    as4_path: Option<AsPath>,
    as4_aggregator: Option<Aggregator>,
    pub(in super::super) reach: Option<Reach>,
    pub(in super::super) unreach: Option<Unreach>,
    /// There were attributes beside MP_UNREACH_NLRI.
    pub(in super::super) others: bool,
    /// MP_REACH_NLRI was of a family that was not negotiated.
    pub(in super::super) reach_ignored: bool,
    pub(in super::super) malformed: Vec<Malformed>,
    seen: Seen,
}

/// MP_REACH_NLRI (RFC 4760 §3).
#[derive(Debug)]
pub(in super::super) enum Reach {
    /// The next hop, or why no packet can be sent to it.
    Carried(Result<NextHop, &'static str>, Prefixes),
    /// A family that was not negotiated.
    Ignored,
}

/// MP_UNREACH_NLRI (RFC 4760 §4).
#[derive(Debug)]
pub(in super::super) enum Unreach {
    Carried(Prefixes),
    Ignored,
}

/// What one attribute's error costs.
enum Fault {
    Treat(Treatment, &'static str),
    Reset(Notification),
}

impl Received {
    /// Takes the attributes that `input` is made of; an error costs the session.
    pub(in super::super) fn decode(
        &mut self,
        input: &[u8],
        codec: &Codec,
    ) -> Result<(), Notification> {
        let mut left = input;
        while !left.is_empty() {
            let Ok((after, (flags, code, value))) = attribute(left) else {
                self.others = true;
                // RFC 7606 §3 (j): prefixes that can't be found can't be withdrawn.
                // Less than an attribute's header has none (§4, second case).
                if let Ok((_, (_, code, _))) = header(left)
                    && is_multiprotocol(code)
                {
                    return Err(malformed_list());
                }
                // RFC 7606 §4: the total length tells where the prefixes begin.
                let reason = "an attribute overruns their total length";
                self.note(Treatment::TreatAsWithdraw, None, reason);
                break;
            };
            self.take(flags, code, value, codec)?;
            left = after;
        }
        self.merge_four_octet();
        Ok(())
    }

    pub(in super::super) fn note(
        &mut self,
        treatment: Treatment,
        attribute: Option<u8>,
        reason: &'static str,
    ) {
        self.malformed.push(Malformed {
            treatment,
            attribute,
            reason,
        });
    }

    /// The attributes of the prefixes with this next hop, or `None` if one that
    /// every route has is missing.
    pub(in super::super) fn attributes(&mut self, next_hop: NextHop) -> Option<PathAttributes> {
        Some(PathAttributes {
            origin: self.origin?,
            as_path: self.as_path.take()?,
            next_hop,
            med: self.med,
            local_pref: self.local_pref,
            atomic_aggregate: self.atomic_aggregate,
            aggregator: self.aggregator,
            communities: std::mem::take(&mut self.communities),
            extended_communities: std::mem::take(&mut self.extended_communities),
            large_communities: std::mem::take(&mut self.large_communities),
            originator_id: self.originator_id,
            cluster_list: std::mem::take(&mut self.cluster_list),
            unknown: std::mem::take(&mut self.unknown),
        })
    }

    /// The attribute, by its code, that every route has and this one doesn't.
    pub(in super::super) fn missing(&self) -> Option<u8> {
        if self.origin.is_none() {
            Some(attribute::ORIGIN)
        } else if self.as_path.is_none() {
            Some(attribute::AS_PATH)
        } else {
            None
        }
    }

    pub(in super::super) fn treat_as_withdraw(&self) -> bool {
        self.malformed
            .iter()
            .any(|malformed| malformed.treatment == Treatment::TreatAsWithdraw)
    }

    fn take(
        &mut self,
        flags: u8,
        code: u8,
        value: &[u8],
        codec: &Codec,
    ) -> Result<(), Notification> {
        let multiprotocol = is_multiprotocol(code);
        self.others |= code != attribute::MP_UNREACH_NLRI;
        if !self.seen.insert(code) {
            // RFC 7606 §3 (g).
            if multiprotocol {
                return Err(malformed_list());
            }
            self.note(
                Treatment::AttributeDiscard,
                Some(code),
                "sent twice: the first counts",
            );
            return Ok(());
        }
        let taken = match known(code) {
            Some(row) => match row.check(flags, codec) {
                // Even so, its prefixes are needed: to withdraw them.
                Err(fault) if multiprotocol => self.take_known(code, value, codec).and(Err(fault)),
                Err(fault) => Err(fault),
                Ok(()) => self.take_known(code, value, codec),
            },
            None => self.take_unknown(flags, code, value),
        };
        match taken {
            Ok(()) => Ok(()),
            Err(Fault::Reset(notification)) => Err(notification),
            Err(Fault::Treat(treatment, reason)) => {
                self.note(treatment, Some(code), reason);
                Ok(())
            }
        }
    }

    fn take_known(&mut self, code: u8, value: &[u8], codec: &Codec) -> Result<(), Fault> {
        match code {
            attribute::ORIGIN => self.origin = Some(origin(value)?),
            attribute::AS_PATH => self.as_path = Some(as_path(value, codec)?),
            attribute::NEXT_HOP => self.next_hop = Some(next_hop(value)?),
            attribute::MULTI_EXIT_DISC => self.med = Some(number(value)?),
            attribute::LOCAL_PREF => self.local_pref = Some(number(value)?),
            attribute::ATOMIC_AGGREGATE if value.is_empty() => self.atomic_aggregate = true,
            attribute::ATOMIC_AGGREGATE => return Err(discard("its length is not 0")),
            attribute::AGGREGATOR => {
                self.aggregator = Some(aggregator(value, Width::of(codec.four_octet_as))?);
            }
            attribute::AS4_AGGREGATOR => {
                self.as4_aggregator = Some(aggregator(value, Width::Four)?);
            }
            attribute::AS4_PATH => {
                let mut path = as_path::decode(value, Width::Four).map_err(discard)?;
                // RFC 6793 §6: a confederation's segments are dropped, the rest
                // counts.
                path.drop_confederation();
                self.as4_path = Some(path);
            }
            attribute::COMMUNITIES => {
                self.communities = list(value, |octets| Community(u32::from_be_bytes(octets)))?;
            }
            attribute::EXTENDED_COMMUNITIES => {
                self.extended_communities = list(value, ExtendedCommunity)?;
            }
            attribute::LARGE_COMMUNITIES => self.large_communities = list(value, large_community)?,
            attribute::ORIGINATOR_ID => {
                self.originator_id = Some(RouterId(Ipv4Addr::from(number(value)?)));
            }
            attribute::CLUSTER_LIST => {
                self.cluster_list = list(value, |octets: [u8; 4]| RouterId(octets.into()))?;
            }
            attribute::MP_REACH_NLRI => {
                let reach = self.reach.insert(reach(value, codec)?);
                if let Reach::Carried(Err(reason), _) = reach {
                    return Err(withdraw(reason));
                }
            }
            attribute::MP_UNREACH_NLRI => self.unreach = Some(unreach(value, codec)?),
            attribute::IPV6_EXTENDED_COMMUNITIES => {
                list(value, |octets: [u8; 20]| octets)?;
                self.carry(code, 0, value);
            }
            attribute::ONLY_TO_CUSTOMER => {
                if number(value)? == 0 {
                    return Err(withdraw("AS 0"));
                }
                self.carry(code, 0, value);
            }
            attribute::PREFIX_SID => self.carry(code, 0, value),
            // Not transitive, and not used here: AIGP, BGP-LS.
            _ => {}
        }
        Ok(())
    }

    fn take_unknown(&mut self, flags: u8, code: u8, value: &[u8]) -> Result<(), Fault> {
        if code == 0 {
            return Err(discard("a reserved type code"));
        }
        if flags & flag::OPTIONAL == 0 {
            // RFC 7606 §3 (c): every attribute with a name but those that are read
            // here is optional by its specification.
            if attribute_name(code).is_some() {
                return Err(withdraw("its flags are not those of its type"));
            }
            // RFC 4271 §6.3, which RFC 7606 leaves as it is.
            return Err(Fault::Reset(Notification {
                code: error::UPDATE,
                subcode: update_error::UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE,
                data: data_of(flags, code, value),
            }));
        }
        // RFC 4271 §9: unknown ones that aren't transitive go no further.
        if flags & flag::TRANSITIVE != 0 {
            self.carry(code, flags & flag::PARTIAL, value);
        }
        Ok(())
    }

    fn carry(&mut self, type_code: u8, partial: u8, value: &[u8]) {
        let flags = flag::OPTIONAL | flag::TRANSITIVE | partial;
        let place = self
            .unknown
            .partition_point(|other| other.type_code < type_code);
        self.unknown.insert(
            place,
            UnknownAttribute {
                type_code,
                flags,
                value: value.to_vec(),
            },
        );
    }

    /// RFC 6793 §4.2.3.
    fn merge_four_octet(&mut self) {
        let (as4_path, as4_aggregator) = (self.as4_path.take(), self.as4_aggregator.take());
        if let (Some(aggregator), Some(as4_aggregator)) = (&mut self.aggregator, as4_aggregator) {
            if aggregator.asn != Asn::TRANS {
                // The last to aggregate knew only two octets: what older
                // attributes say is of another route.
                return;
            }
            *aggregator = as4_aggregator;
        }
        if let Some(as4_path) = as4_path {
            self.as_path = self
                .as_path
                .take()
                .map(|as_path| as_path::merge(as_path, as4_path));
        }
    }
}

impl Known {
    fn check(self, flags: u8, codec: &Codec) -> Result<(), Fault> {
        // RFC 7606 §3 (c) names these two; Partial and the low bits don't count.
        if flags & (flag::OPTIONAL | flag::TRANSITIVE) != self.flags {
            return Err(Fault::Treat(
                self.on_flags,
                "its flags are not those of its type",
            ));
        }
        match self.sender {
            Sender::Internal if !codec.internal => Err(discard("not from an external peer")),
            Sender::TwoOctet if codec.four_octet_as => {
                Err(discard("not from a speaker of four-octet AS numbers"))
            }
            Sender::Any | Sender::Internal | Sender::TwoOctet => Ok(()),
        }
    }
}

/// Which type codes have been met.
#[derive(Debug, Default)]
struct Seen([u64; 4]);

impl Seen {
    /// Whether it is new.
    fn insert(&mut self, code: u8) -> bool {
        let bit = 1u64.wrapping_shl(u32::from(code));
        let Some(word) = self.0.get_mut(usize::from(code >> 6)) else {
            return false;
        };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

const fn discard(reason: &'static str) -> Fault {
    Fault::Treat(Treatment::AttributeDiscard, reason)
}

const fn withdraw(reason: &'static str) -> Fault {
    Fault::Treat(Treatment::TreatAsWithdraw, reason)
}

const fn is_multiprotocol(code: u8) -> bool {
    matches!(code, attribute::MP_REACH_NLRI | attribute::MP_UNREACH_NLRI)
}

const fn malformed_list() -> Notification {
    Notification::new(error::UPDATE, update_error::MALFORMED_ATTRIBUTE_LIST)
}

/// Flags, type code, value.
fn attribute(input: &[u8]) -> Parsed<'_, (u8, u8, &[u8])> {
    let (input, (flags, code, length)) = header(input)?;
    let (input, value) = take(length)(input)?;
    Ok((input, (flags, code, value)))
}

/// Flags, type code, octets of the value.
fn header(input: &[u8]) -> Parsed<'_, (u8, u8, u16)> {
    let (input, (flags, code)) = (be_u8, be_u8).parse(input)?;
    let (input, length) = if flags & flag::EXTENDED_LENGTH == 0 {
        be_u8.map(u16::from).parse(input)?
    } else {
        be_u16(input)?
    };
    Ok((input, (flags, code, length)))
}

/// The attribute as a NOTIFICATION's data (RFC 4271 §6.3).
fn data_of(flags: u8, code: u8, value: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes();
    let header: &[u8] = if flags & flag::EXTENDED_LENGTH == 0 {
        &[flags, code, low]
    } else {
        &[flags, code, high, low]
    };
    [header, value].concat()
}

/// RFC 7606 §7.1.
fn origin(value: &[u8]) -> Result<Origin, Fault> {
    match value {
        [code] => Origin::from_code(*code).ok_or(withdraw("neither IGP, EGP nor incomplete")),
        _ => Err(withdraw("its length is not 1")),
    }
}

/// RFC 7606 §7.2.
fn as_path(value: &[u8], codec: &Codec) -> Result<AsPath, Fault> {
    let path = as_path::decode(value, Width::of(codec.four_octet_as)).map_err(withdraw)?;
    if codec.internal {
        return Ok(path);
    }
    if path.has_confederation() {
        // RFC 5065 §5.
        return Err(withdraw("a confederation's segment from an external peer"));
    }
    if path.segments.is_empty() {
        // RFC 4271 §5.1.2: an external peer has put its own AS in.
        return Err(withdraw("empty from an external peer"));
    }
    Ok(path)
}

/// RFC 7606 §7.3, RFC 4271 §6.3.
fn next_hop(value: &[u8]) -> Result<Ipv4Addr, Fault> {
    usable_v4(Ipv4Addr::from(number(value)?)).map_err(withdraw)
}

fn number(value: &[u8]) -> Result<u32, Fault> {
    let parsed: Parsed<'_, u32> = all_consuming(be_u32).parse(value);
    parsed
        .map(|(_, number)| number)
        .map_err(|_| withdraw("its length is not 4"))
}

/// RFC 7606 §7.7, RFC 6793 §6.
fn aggregator(value: &[u8], width: Width) -> Result<Aggregator, Fault> {
    let parsed: Parsed<'_, (u32, u32)> = match width {
        Width::Two => all_consuming((be_u16.map(u32::from), be_u32)).parse(value),
        Width::Four => all_consuming((be_u32, be_u32)).parse(value),
    };
    let (_, (asn, router_id)) =
        parsed.map_err(|_| discard("its length does not fit the session's AS numbers"))?;
    if asn == 0 {
        // RFC 7607 §2.
        return Err(discard("AS 0"));
    }
    Ok(Aggregator {
        asn: Asn(asn),
        router_id: RouterId(Ipv4Addr::from(router_id)),
    })
}

/// RFC 7606 §7.8, §7.10, §7.14, §7.15, RFC 8092 §6: whole items, at least one.
fn list<const N: usize, T>(value: &[u8], item: impl Fn([u8; N]) -> T) -> Result<Vec<T>, Fault> {
    match value.as_chunks::<N>() {
        ([], _) => Err(withdraw("it holds no item")),
        (items, []) => Ok(items.iter().map(|octets| item(*octets)).collect()),
        _ => Err(withdraw("its length is not that of whole items")),
    }
}

fn large_community(octets: [u8; 12]) -> LargeCommunity {
    let [a, b, c, d, e, g, h, i, j, k, l, m] = octets;
    LargeCommunity {
        global: u32::from_be_bytes([a, b, c, d]),
        local1: u32::from_be_bytes([e, g, h, i]),
        local2: u32::from_be_bytes([j, k, l, m]),
    }
}

/// RFC 7606 §7.11: where the next hop's length is wrong, the prefixes can't be
/// found.
fn reach(value: &[u8], codec: &Codec) -> Result<Reach, Fault> {
    let lost = |_: nom::Err<()>| Fault::Reset(malformed_list());
    let (after, (afi, safi)) = afi_safi(value).map_err(lost)?;
    let Some(family) = prefixes::family(afi, safi).filter(|family| codec.carries(*family)) else {
        return Ok(Reach::Ignored);
    };
    let (_, (next_hop, _, prefixes)) = (length_data(be_u8), be_u8, rest)
        .parse(after)
        .map_err(lost)?;
    let next_hop = match family {
        Family::Ipv4 => reach_v4(next_hop),
        Family::Ipv6 => reach_v6(next_hop),
    };
    let (_, next_hop) = next_hop.map_err(lost)?;
    Ok(Reach::Carried(
        next_hop,
        multiprotocol_prefixes(family, prefixes)?,
    ))
}

fn unreach(value: &[u8], codec: &Codec) -> Result<Unreach, Fault> {
    let (prefixes, (afi, safi)) = afi_safi(value).map_err(|_| Fault::Reset(malformed_list()))?;
    match prefixes::family(afi, safi).filter(|family| codec.carries(*family)) {
        Some(family) => Ok(Unreach::Carried(multiprotocol_prefixes(family, prefixes)?)),
        None => Ok(Unreach::Ignored),
    }
}

/// RFC 4760 §7, RFC 7606 §5.3.
fn multiprotocol_prefixes(family: Family, input: &[u8]) -> Result<Prefixes, Fault> {
    prefixes::decode(family, input).ok_or(Fault::Reset(Notification::new(
        error::UPDATE,
        update_error::OPTIONAL_ATTRIBUTE_ERROR,
    )))
}

fn afi_safi(input: &[u8]) -> Parsed<'_, (u16, u8)> {
    (be_u16, be_u8).parse(input)
}

fn reach_v4(input: &[u8]) -> Parsed<'_, Result<NextHop, &'static str>> {
    let (rest, address) = all_consuming(be_u32).parse(input)?;
    let next_hop = usable_v4(Ipv4Addr::from(address));
    Ok((
        rest,
        next_hop.map(|address| NextHop::from(IpAddr::V4(address))),
    ))
}

/// RFC 2545 §3: one address, or a global and a link-local one.
fn reach_v6(input: &[u8]) -> Parsed<'_, Result<NextHop, &'static str>> {
    let (input, first) = address_v6(input)?;
    let single = |address| usable_v6(address).map(|address| NextHop::from(IpAddr::V6(address)));
    if input.is_empty() {
        return Ok((input, single(first)));
    }
    let (rest, second) = all_consuming(address_v6).parse(input)?;
    let link_local = Some(second).filter(Ipv6Addr::is_unicast_link_local);
    let next_hop = match link_local {
        // Some speakers without a global address send none or the link-local
        // one twice.
        Some(second) if first.is_unspecified() || first.is_unicast_link_local() => single(second),
        _ => single(first).map(|next_hop| NextHop {
            link_local,
            ..next_hop
        }),
    };
    Ok((rest, next_hop))
}

fn address_v6(input: &[u8]) -> Parsed<'_, Ipv6Addr> {
    nom::number::complete::be_u128
        .map(Ipv6Addr::from)
        .parse(input)
}

/// RFC 4271 §6.3: what can't be a host's address can't be a next hop's.
fn usable_v4(address: Ipv4Addr) -> Result<Ipv4Addr, &'static str> {
    let [first, ..] = address.octets();
    if matches!(first, 0 | 127) || address.is_multicast() || address.is_broadcast() {
        return Err("the next hop is not the address of another host");
    }
    Ok(address)
}

fn usable_v6(address: Ipv6Addr) -> Result<Ipv6Addr, &'static str> {
    if address.to_ipv4_mapped().is_some() {
        return Err("the next hop is an IPv4 address: the peer has no IPv6 address on this link");
    }
    if address.is_unspecified() || address.is_loopback() || address.is_multicast() {
        return Err("the next hop is not the address of another host");
    }
    Ok(address)
}
