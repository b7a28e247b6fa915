//! ROUTE-REFRESH (RFC 2918, 7313).

use bytes::{BufMut, BytesMut};
use nom::Parser;
use nom::combinator::all_consuming;
use nom::number::complete::{be_u8, be_u16};

use super::frame::put_header;
use super::iana::{afi, error, message_type, route_refresh, route_refresh_error, safi};
use super::{EncodeError, Notification, Parsed, prefixes};
use crate::Family;

const BODY: usize = 4;

/// ROUTE-REFRESH (RFC 2918), with RFC 7313's subtypes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteRefresh {
    /// `None`: a family that this speaker doesn't carry.
    pub family: Option<Family>,
    pub subtype: u8,
}

pub(super) fn decode(body: &[u8]) -> Result<RouteRefresh, Notification> {
    match fields(body) {
        Ok((_, (afi, subtype, safi))) => Ok(RouteRefresh {
            family: prefixes::family(afi, safi),
            subtype,
        }),
        Err(_) => Err(bad_length(body)),
    }
}

pub(super) fn encode(message: RouteRefresh, out: &mut BytesMut) -> Result<(), EncodeError> {
    let family = message.family.ok_or(EncodeError::UnknownFamily)?;
    put_header(message_type::ROUTE_REFRESH, BODY, out);
    out.put_u16(afi::of(family));
    out.put_u8(message.subtype);
    out.put_u8(safi::UNICAST);
    Ok(())
}

fn fields(body: &[u8]) -> Parsed<'_, (u16, u8, u8)> {
    all_consuming((be_u16, be_u8, be_u8)).parse(body)
}

/// RFC 7313 §5: a beginning or end of refresh of the wrong length has an error
/// of its own, whose data is the whole message.
fn bad_length(body: &[u8]) -> Notification {
    match body.get(2) {
        Some(&(route_refresh::BEGIN | route_refresh::END)) => {
            let mut message = BytesMut::new();
            put_header(message_type::ROUTE_REFRESH, body.len(), &mut message);
            message.extend_from_slice(body);
            Notification {
                code: error::ROUTE_REFRESH,
                subcode: route_refresh_error::INVALID_MESSAGE_LENGTH,
                data: message.to_vec(),
            }
        }
        _ => Notification::bad_length(body.len()),
    }
}
