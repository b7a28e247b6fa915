//! One BGP message, whatever its type.

use std::net::IpAddr;

use bytes::BytesMut;

use super::frame::{Frame, put_header};
use super::iana::{header_error, message_type};
use super::{Codec, Malformed, Notification, Open, RouteRefresh, Update};
use super::{notification, open, route_refresh, update};
use crate::Family;

/// One BGP message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Open(Open),
    Update(Update),
    Notification(Notification),
    Keepalive,
    RouteRefresh(RouteRefresh),
}

/// A message, and what was wrong with it that did not cost the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    pub message: Message,
    /// Only of UPDATEs.
    pub malformed: Vec<Malformed>,
}

/// Why a message can't be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    #[error("the message needs {length} octets and the session allows {limit}")]
    TooLong { length: usize, limit: usize },
    #[error("the next hop {next_hop} does not go with {family} prefixes")]
    NextHop { next_hop: IpAddr, family: Family },
    #[error("a route refresh names a family that this speaker does not carry")]
    UnknownFamily,
}

/// The error is what to send before closing the session.
pub fn decode(frame: &Frame, codec: &Codec) -> Result<Decoded, Notification> {
    let body = &frame.body;
    let message = match frame.message_type {
        message_type::OPEN => Message::Open(open::decode(body)?),
        // Before the OPENs have said how to read one: the state machine knows that
        // it is not its time (RFC 6608).
        message_type::UPDATE if codec.families.is_empty() => Message::Update(Update::default()),
        message_type::UPDATE => {
            let (update, malformed) = update::decode(body, codec)?;
            return Ok(Decoded {
                message: Message::Update(update),
                malformed,
            });
        }
        message_type::NOTIFICATION => Message::Notification(notification::decode(body)?),
        message_type::KEEPALIVE => Message::Keepalive,
        message_type::ROUTE_REFRESH => Message::RouteRefresh(route_refresh::decode(body)?),
        unknown => {
            return Err(Notification::header(
                header_error::BAD_MESSAGE_TYPE,
                vec![unknown],
            ));
        }
    };
    Ok(Decoded {
        message,
        malformed: Vec::new(),
    })
}

/// Appends the message to `out`; an error leaves `out` as it was. An [`Update`]
/// becomes as many messages as it takes, withdrawals first.
pub fn encode(message: &Message, codec: &Codec, out: &mut BytesMut) -> Result<(), EncodeError> {
    match message {
        Message::Open(open) => open::encode(open, out),
        Message::Update(update) => update::encode(update, codec, out),
        Message::Notification(notification) => {
            notification::encode(notification, codec, out);
            Ok(())
        }
        Message::Keepalive => {
            put_header(message_type::KEEPALIVE, 0, out);
            Ok(())
        }
        Message::RouteRefresh(refresh) => route_refresh::encode(*refresh, out),
    }
}
