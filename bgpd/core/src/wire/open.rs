//! OPEN (RFC 4271 §4.2) with capabilities (RFC 5492), and many of them
//! (RFC 9072).

use std::net::Ipv4Addr;

use bytes::{BufMut, BytesMut};
use nom::Parser;
use nom::combinator::all_consuming;
use nom::multi::{length_data, many0};
use nom::number::complete::{be_u8, be_u16, be_u32};

use super::frame::{HEADER, put_header};
use super::iana::{afi, capability, error, message_type, open_error, parameter, safi};
use super::{Codec, EncodeError, Notification, Parsed, prefixes};
use crate::{Asn, Family, RouterId};

const VERSION: u8 = 4;
/// Version, AS, hold time, identifier, length of the parameters.
const FIXED: usize = 10;
/// The flags and the time of a graceful restart capability (RFC 4724 §3,
/// RFC 8538 §2).
const RESTARTING: u16 = 0x8000;
const NOTIFICATION: u16 = 0x4000;
const RESTART_TIME: u16 = 0x0fff;
const FORWARDING_KEPT: u8 = 0x80;

/// OPEN (RFC 4271 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The sender's AS: from the four-octet capability where sent, else `My
    /// Autonomous System`.
    pub asn: Asn,
    /// Seconds: 0, or at least 3.
    pub hold_time: u16,
    pub router_id: RouterId,
    pub capabilities: Capabilities,
}

/// What an OPEN offers (RFC 5492).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// RFC 4760. Families other than IPv4 and IPv6 unicast are in `unknown`.
    pub families: Vec<Family>,
    /// RFC 6793: the number itself is [`Open::asn`].
    pub four_octet_as: bool,
    /// RFC 2918.
    pub route_refresh: bool,
    /// RFC 7313.
    pub enhanced_route_refresh: bool,
    /// RFC 8654.
    pub extended_messages: bool,
    /// RFC 4724.
    pub graceful_restart: Option<GracefulRestart>,
    /// Every other capability as (code, value), in the order received.
    pub unknown: Vec<(u8, Vec<u8>)>,
}

/// The graceful restart capability (RFC 4724 §3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GracefulRestart {
    /// The sender has restarted and waits for End-of-RIB.
    pub restarting: bool,
    /// The sender restarts gracefully after a NOTIFICATION too, but for a hard
    /// reset (RFC 8538).
    pub notification: bool,
    /// Seconds, 12 bits.
    pub restart_time: u16,
    /// Families, with whether forwarding state was kept.
    pub families: Vec<(Family, bool)>,
}

pub(super) fn decode(body: &[u8]) -> Result<Open, Notification> {
    let unspecific = |_| open_error(open_error::UNSPECIFIC);
    let (body, version) = be_u8(body).map_err(|_: nom::Err<()>| Notification::bad_length(0))?;
    if version != VERSION {
        let data = u16::from(VERSION).to_be_bytes().to_vec();
        return Err(Notification {
            data,
            ..open_error(open_error::UNSUPPORTED_VERSION_NUMBER)
        });
    }
    let (body, (my_as, hold_time, router_id)) = fixed(body).map_err(unspecific)?;
    let (_, parameters) = parameters(body).map_err(unspecific)?;

    let mut capabilities = Capabilities::default();
    let mut four_octet_as = None;
    for (kind, value) in parameters {
        if kind != parameter::CAPABILITIES {
            return Err(open_error(open_error::UNSUPPORTED_OPTIONAL_PARAMETER));
        }
        let (_, listed) = capability_list(value).map_err(unspecific)?;
        for (code, value) in listed {
            capabilities.take(code, value, &mut four_octet_as)?;
        }
    }
    let asn = four_octet_as.unwrap_or_else(|| Asn(u32::from(my_as)));
    // RFC 7607 §2.
    if asn == Asn(0) {
        return Err(open_error(open_error::BAD_PEER_AS));
    }
    // RFC 4271 §4.2: zero, or at least three seconds.
    if matches!(hold_time, 1 | 2) {
        return Err(open_error(open_error::UNACCEPTABLE_HOLD_TIME));
    }
    // RFC 6286 §2.2.
    if router_id == 0 {
        return Err(open_error(open_error::BAD_BGP_IDENTIFIER));
    }
    Ok(Open {
        asn,
        hold_time,
        router_id: RouterId(Ipv4Addr::from(router_id)),
        capabilities,
    })
}

pub(super) fn encode(open: &Open, out: &mut BytesMut) -> Result<(), EncodeError> {
    let mut capabilities = BytesMut::new();
    put_capabilities(open, &mut capabilities)?;
    // Parameter type and its length, one octet or two (RFC 9072 §2).
    let short = capabilities.len().saturating_add(2);
    let long = capabilities.len().saturating_add(3);
    let parameters = match capabilities.len() {
        0 => 0,
        1..=253 => short,
        _ => long.saturating_add(3),
    };
    let body = FIXED.saturating_add(parameters);
    check_length(body)?;

    put_header(message_type::OPEN, body, out);
    out.put_u8(VERSION);
    out.put_u16(open.asn.two_octets());
    out.put_u16(open.hold_time);
    out.put_slice(&open.router_id.0.octets());
    match capabilities.len() {
        0 => out.put_u8(0),
        1..=253 => {
            out.put_u8(length_octet(short));
            out.put_u8(parameter::CAPABILITIES);
            out.put_u8(length_octet(capabilities.len()));
        }
        _ => {
            out.put_slice(&[u8::MAX, parameter::EXTENDED_LENGTH]);
            out.put_u16(length_octets(long));
            out.put_u8(parameter::CAPABILITIES);
            out.put_u16(length_octets(capabilities.len()));
        }
    }
    out.put_slice(&capabilities);
    Ok(())
}

impl Capabilities {
    /// A known code with a value that it can't have costs the session where the
    /// value matters (family, ASN); others count as unknown, so as not offered.
    fn take(
        &mut self,
        code: u8,
        value: &[u8],
        four_octet_as: &mut Option<Asn>,
    ) -> Result<(), Notification> {
        match (code, value) {
            (capability::MULTIPROTOCOL, _) => {
                let (_, (afi, _, safi)) =
                    multiprotocol(value).map_err(|_| open_error(open_error::UNSPECIFIC))?;
                match prefixes::family(afi, safi) {
                    Some(family) if self.families.contains(&family) => {}
                    Some(family) => self.families.push(family),
                    None => self.unknown.push((code, value.to_vec())),
                }
            }
            (capability::FOUR_OCTET_AS, _) => {
                let (_, asn) = asn(value).map_err(|_| open_error(open_error::UNSPECIFIC))?;
                self.four_octet_as = true;
                *four_octet_as = Some(Asn(asn));
            }
            (capability::ROUTE_REFRESH, []) => self.route_refresh = true,
            (capability::ENHANCED_ROUTE_REFRESH, []) => self.enhanced_route_refresh = true,
            (capability::EXTENDED_MESSAGE, []) => self.extended_messages = true,
            (capability::GRACEFUL_RESTART, _) => match graceful_restart(value) {
                Ok((_, restart)) => self.graceful_restart = Some(restart),
                Err(_) => self.unknown.push((code, value.to_vec())),
            },
            _ => self.unknown.push((code, value.to_vec())),
        }
        Ok(())
    }
}

fn open_error(subcode: u8) -> Notification {
    Notification::new(error::OPEN, subcode)
}

fn fixed(input: &[u8]) -> Parsed<'_, (u16, u16, u32)> {
    (be_u16, be_u16, be_u32).parse(input)
}

/// (type, value) of each.
type Parameters<'a> = Vec<(u8, &'a [u8])>;

fn parameters(input: &[u8]) -> Parsed<'_, Parameters<'_>> {
    let (rest, length) = be_u8(input)?;
    // RFC 9072 §2: a first type of 255 makes lengths two octets, whatever the
    // one-octet length says, unless it says that there are none.
    if let (1.., Some((&parameter::EXTENDED_LENGTH, rest))) = (length, rest.split_first()) {
        let (rest, list) = length_data(be_u16).parse(rest)?;
        nothing_after(rest)?;
        return all_consuming(many0((be_u8, length_data(be_u16)))).parse(list);
    }
    let (rest, list) = length_data(be_u8).parse(input)?;
    nothing_after(rest)?;
    all_consuming(many0((be_u8, length_data(be_u8)))).parse(list)
}

fn nothing_after(rest: &[u8]) -> Result<(), nom::Err<()>> {
    if rest.is_empty() {
        Ok(())
    } else {
        Err(nom::Err::Error(()))
    }
}

fn capability_list(value: &[u8]) -> Parsed<'_, Parameters<'_>> {
    all_consuming(many0((be_u8, length_data(be_u8)))).parse(value)
}

fn multiprotocol(value: &[u8]) -> Parsed<'_, (u16, u8, u8)> {
    all_consuming((be_u16, be_u8, be_u8)).parse(value)
}

fn asn(value: &[u8]) -> Parsed<'_, u32> {
    all_consuming(be_u32).parse(value)
}

fn graceful_restart(value: &[u8]) -> Parsed<'_, GracefulRestart> {
    let (rest, (flags, listed)) =
        all_consuming((be_u16, many0((be_u16, be_u8, be_u8)))).parse(value)?;
    let kept = |(afi, safi, flags): (u16, u8, u8)| {
        prefixes::family(afi, safi).map(|family| (family, flags & FORWARDING_KEPT != 0))
    };
    let restart = GracefulRestart {
        restarting: flags & RESTARTING != 0,
        notification: flags & NOTIFICATION != 0,
        restart_time: flags & RESTART_TIME,
        families: listed.into_iter().filter_map(kept).collect(),
    };
    Ok((rest, restart))
}

fn put_capabilities(open: &Open, out: &mut BytesMut) -> Result<(), EncodeError> {
    let capabilities = &open.capabilities;
    for family in &capabilities.families {
        out.put_slice(&[capability::MULTIPROTOCOL, 4]);
        out.put_u16(afi::of(*family));
        out.put_slice(&[0, safi::UNICAST]);
    }
    let without_value = [
        (capability::ROUTE_REFRESH, capabilities.route_refresh),
        (capability::EXTENDED_MESSAGE, capabilities.extended_messages),
        (
            capability::ENHANCED_ROUTE_REFRESH,
            capabilities.enhanced_route_refresh,
        ),
    ];
    for (code, _) in without_value.into_iter().filter(|(_, offered)| *offered) {
        out.put_slice(&[code, 0]);
    }
    if let Some(restart) = &capabilities.graceful_restart {
        put_graceful_restart(restart, out);
    }
    if capabilities.four_octet_as {
        out.put_slice(&[capability::FOUR_OCTET_AS, 4]);
        out.put_u32(open.asn.0);
    }
    for (code, value) in &capabilities.unknown {
        let length = u8::try_from(value.len()).map_err(|_| EncodeError::TooLong {
            length: value.len(),
            limit: usize::from(u8::MAX),
        })?;
        out.put_slice(&[*code, length]);
        out.put_slice(value);
    }
    Ok(())
}

fn put_graceful_restart(restart: &GracefulRestart, out: &mut BytesMut) {
    let restarting = if restart.restarting { RESTARTING } else { 0 };
    let notification = if restart.notification {
        NOTIFICATION
    } else {
        0
    };
    let flags = restarting | notification;
    // Both families at most once: never more than an octet counts.
    let families = restart.families.iter().take(Family::ALL.len());
    out.put_u8(capability::GRACEFUL_RESTART);
    out.put_u8(length_octet(
        families.len().saturating_mul(4).saturating_add(2),
    ));
    out.put_u16(flags | restart.restart_time.min(RESTART_TIME));
    for (family, kept) in families {
        out.put_u16(afi::of(*family));
        out.put_slice(&[safi::UNICAST, if *kept { FORWARDING_KEPT } else { 0 }]);
    }
}

/// RFC 8654 §4: OPEN keeps the old limit.
fn check_length(body: usize) -> Result<(), EncodeError> {
    let (length, limit) = (body.saturating_add(HEADER), Codec::initial().max_message());
    if length > limit {
        Err(EncodeError::TooLong { length, limit })
    } else {
        Ok(())
    }
}

fn length_octet(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

fn length_octets(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}
