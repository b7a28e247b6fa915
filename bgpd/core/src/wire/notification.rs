//! NOTIFICATION (RFC 4271 §4.5) and Cease's texts (RFC 9003).

use std::fmt;

use bytes::{BufMut, BytesMut};
use nom::Parser;
use nom::combinator::rest;
use nom::multi::length_data;
use nom::number::complete::{be_u8, be_u16, be_u32};

use super::frame::{HEADER, put_header};
use super::iana::{self, afi, cease, error, message_type, open_error, safi};
use super::{Codec, Parsed};
use crate::{Asn, Family};

/// NOTIFICATION (RFC 4271 §4.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    pub code: u8,
    pub subcode: u8,
    pub data: Vec<u8>,
}

impl Notification {
    pub const fn new(code: u8, subcode: u8) -> Self {
        Self {
            code,
            subcode,
            data: Vec::new(),
        }
    }

    pub const fn cease(subcode: u8) -> Self {
        Self::new(error::CEASE, subcode)
    }

    /// Cease with a text for the other side's operator (RFC 9003 §2): `subcode`
    /// is Administrative Shutdown or Reset. A text of more than 255 octets loses
    /// its end.
    pub fn shutdown(subcode: u8, text: &str) -> Self {
        let end = text.floor_char_boundary(usize::from(u8::MAX));
        let text = text.get(..end).unwrap_or_default();
        let mut data = Vec::with_capacity(text.len().saturating_add(1));
        if !text.is_empty() {
            data.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
            data.extend_from_slice(text.as_bytes());
        }
        Self {
            data,
            ..Self::cease(subcode)
        }
    }

    /// Cease/1 with the family and its limit (RFC 4486 §4).
    pub fn maximum_prefixes(family: Family, limit: u32) -> Self {
        let mut data = afi::of(family).to_be_bytes().to_vec();
        data.push(safi::UNICAST);
        data.extend_from_slice(&limit.to_be_bytes());
        Self {
            data,
            ..Self::cease(cease::MAXIMUM_PREFIXES)
        }
    }

    /// The same, so that the peer keeps no route (RFC 8538 §3).
    pub fn into_hard_reset(self) -> Self {
        let mut data = vec![self.code, self.subcode];
        data.extend_from_slice(&self.data);
        Self {
            data,
            ..Self::cease(cease::HARD_RESET)
        }
    }

    /// Whether it ends a session that RFC 8538 would let survive otherwise.
    pub fn is_hard_reset(&self) -> bool {
        (self.code, self.subcode) == (error::CEASE, cease::HARD_RESET)
    }

    /// The text of an Administrative Shutdown or Reset (RFC 9003), with
    /// whatever could steer a terminal replaced. `None` without one, or with one
    /// whose length is wrong.
    pub fn shutdown_text(&self) -> Option<String> {
        let with_text = matches!(
            (self.code, self.subcode),
            (
                error::CEASE,
                cease::ADMINISTRATIVE_SHUTDOWN | cease::ADMINISTRATIVE_RESET
            )
        );
        if !with_text {
            return None;
        }
        let text: Parsed<'_, &[u8]> = length_data(be_u8).parse(&self.data);
        let (_, text) = text.ok().filter(|(_, text)| !text.is_empty())?;
        Some(
            String::from_utf8_lossy(text)
                .chars()
                .map(printable)
                .collect(),
        )
    }

    /// The family and limit of a Maximum Number of Prefixes Reached, where sent.
    pub fn prefix_limit(&self) -> Option<(Option<Family>, u32)> {
        if (self.code, self.subcode) != (error::CEASE, cease::MAXIMUM_PREFIXES) {
            return None;
        }
        let fields: Parsed<'_, (u16, u8, u32)> = (be_u16, be_u8, be_u32).parse(&self.data);
        let (_, (afi, safi, limit)) = fields.ok()?;
        Some((super::prefixes::family(afi, safi), limit))
    }

    /// The AS number that a Bad Peer AS refuses, where sent: this daemon and BIRD
    /// put it in the data, which RFC 4271 §6.2 leaves open.
    pub fn refused_asn(&self) -> Option<Asn> {
        if (self.code, self.subcode) != (error::OPEN, open_error::BAD_PEER_AS) {
            return None;
        }
        Some(Asn(u32::from_be_bytes(
            self.data.as_slice().try_into().ok()?,
        )))
    }

    /// What a Hard Reset wraps (RFC 8538 §3).
    fn wrapped(&self) -> Option<Self> {
        if !self.is_hard_reset() {
            return None;
        }
        // One level: a hard reset within a hard reset is nobody's, and data from
        // the network must not choose how deep this goes.
        decode(&self.data)
            .ok()
            .filter(|inner| inner.subcode != cease::HARD_RESET)
    }
}

impl std::error::Error for Notification {}

/// `Cease/Administrative Shutdown (6/2): "going away"`
impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(iana::error_name(self.code).unwrap_or("Unknown Error"))?;
        if let Some(name) = iana::subcode_name(self.code, self.subcode) {
            write!(f, "/{name}")?;
        }
        write!(f, " ({}/{})", self.code, self.subcode)?;
        if let Some(text) = self.shutdown_text() {
            write!(f, ": \"{text}\"")?;
        }
        if let Some(asn) = self.refused_asn() {
            write!(f, ": AS {asn} is not the configured one")?;
        }
        match self.prefix_limit() {
            Some((Some(family), limit)) => write!(f, ": {limit} {family} prefixes")?,
            Some((None, limit)) => write!(f, ": {limit} prefixes")?,
            None => {}
        }
        match self.wrapped() {
            Some(inner) => write!(f, ": {inner}"),
            None => Ok(()),
        }
    }
}

pub(super) fn decode(body: &[u8]) -> Result<Notification, Notification> {
    let fields: Parsed<'_, (u8, u8, &[u8])> = (be_u8, be_u8, rest).parse(body);
    match fields {
        Ok((_, (code, subcode, data))) => Ok(Notification {
            code,
            subcode,
            data: data.to_vec(),
        }),
        Err(_) => Err(Notification::bad_length(body.len())),
    }
}

/// Data beyond the limit is left out: the message must go whatever it carries.
pub(super) fn encode(notification: &Notification, codec: &Codec, out: &mut BytesMut) {
    let room = codec.max_message().saturating_sub(HEADER).saturating_sub(2);
    let data = notification.data.get(..room).unwrap_or(&notification.data);
    put_header(
        message_type::NOTIFICATION,
        data.len().saturating_add(2),
        out,
    );
    out.put_u8(notification.code);
    out.put_u8(notification.subcode);
    out.put_slice(data);
}

fn printable(letter: char) -> char {
    // Controls move the cursor; the bidirectional ones reorder what is read.
    let steers = letter.is_control()
        || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if steers {
        char::REPLACEMENT_CHARACTER
    } else {
        letter
    }
}
