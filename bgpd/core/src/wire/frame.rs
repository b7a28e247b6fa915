//! The message header (RFC 4271 §4.1) and its errors (§6.1).

use bytes::{Buf, BufMut, Bytes, BytesMut};
use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::{be_u8, be_u16};

use super::iana::{error, header_error, message_type};
use super::{Codec, Notification, Parsed};

pub(super) const HEADER: usize = 19;
const MARKER: usize = 16;

/// One whole message without its header, whose length fits its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub message_type: u8,
    pub body: Bytes,
}

/// Cuts one message off the front of `buffer`; `None` until all of it is there.
/// A bad header is reported as soon as it is complete, without waiting for the
/// rest, and leaves `buffer` as it is.
pub fn frame(buffer: &mut BytesMut, codec: &Codec) -> Result<Option<Frame>, Notification> {
    let Ok((_, (marker, length, message_type))) = header(buffer) else {
        return Ok(None);
    };
    if marker.iter().any(|octet| *octet != 0xff) {
        return Err(Notification::header(
            header_error::CONNECTION_NOT_SYNCHRONIZED,
            vec![],
        ));
    }
    check_length(length, message_type, codec)?;
    if buffer.len() < usize::from(length) {
        return Ok(None);
    }
    let mut body = buffer.split_to(usize::from(length)).freeze();
    body.advance(HEADER);
    Ok(Some(Frame { message_type, body }))
}

/// Writes the header of a message whose body has `body` octets. The caller has
/// seen that both fit the session's limit.
pub(super) fn put_header(message_type: u8, body: usize, out: &mut BytesMut) {
    out.put_bytes(0xff, MARKER);
    out.put_u16(u16::try_from(body.saturating_add(HEADER)).unwrap_or(u16::MAX));
    out.put_u8(message_type);
}

fn header(input: &[u8]) -> Parsed<'_, (&[u8], u16, u8)> {
    (take(MARKER), be_u16, be_u8).parse(input)
}

fn check_length(length: u16, message_type: u8, codec: &Codec) -> Result<(), Notification> {
    let bad_length = || {
        Notification::header(
            header_error::BAD_MESSAGE_LENGTH,
            length.to_be_bytes().to_vec(),
        )
    };
    if usize::from(length) < HEADER || usize::from(length) > codec.max_message() {
        return Err(bad_length());
    }
    let fits = match message_type {
        // RFC 8654 §4: OPEN and KEEPALIVE stay within the old limit.
        message_type::OPEN => (29..=4096).contains(&length),
        message_type::UPDATE => length >= 23,
        message_type::NOTIFICATION => length >= 21,
        message_type::KEEPALIVE => length == 19,
        message_type::ROUTE_REFRESH => length >= 23,
        unknown => {
            return Err(Notification::header(
                header_error::BAD_MESSAGE_TYPE,
                vec![unknown],
            ));
        }
    };
    if fits { Ok(()) } else { Err(bad_length()) }
}

impl Notification {
    pub(super) const fn header(subcode: u8, data: Vec<u8>) -> Self {
        Self {
            code: error::MESSAGE_HEADER,
            subcode,
            data,
        }
    }

    /// RFC 4271 §6.1, for a length that only the body shows to be wrong.
    pub(super) fn bad_length(body: usize) -> Self {
        let length = u16::try_from(body.saturating_add(HEADER)).unwrap_or(u16::MAX);
        Self::header(
            header_error::BAD_MESSAGE_LENGTH,
            length.to_be_bytes().to_vec(),
        )
    }
}
