//! The envelope: message headers and attributes, both ways
//! (Documentation/userspace-api/netlink/intro.rst).

use libc::{NLM_F_ACK, NLM_F_REQUEST};

/// Requests for one send. Each has its sequence number, by which the kernel's
/// refusals name it; only the last asks for an acknowledgement (a refusal comes
/// unasked).
#[derive(Debug)]
pub struct Batch {
    bytes: Vec<u8>,
    /// The first request's sequence number.
    base: u32,
    count: u32,
    /// Where the request being written begins.
    start: usize,
}

impl Batch {
    pub fn new() -> Self {
        Self {
            bytes: Vec::with_capacity(64 * 1024),
            base: 1,
            count: 0,
            start: 0,
        }
    }

    /// Begins a request; `header` is the fixed part after the netlink header.
    pub fn begin(&mut self, kind: u16, flags: i32, header: &[u8]) -> Request<'_> {
        self.start = self.bytes.len();
        let sequence = self.base.wrapping_add(self.count);
        self.count += 1;
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes
            .extend_from_slice(&((flags | NLM_F_REQUEST) as u16).to_ne_bytes());
        self.bytes.extend_from_slice(&sequence.to_ne_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(header);
        Request { batch: self }
    }

    pub fn len(&self) -> usize {
        self.count as usize
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Forgets the requests; sequence numbers go on.
    pub fn clear(&mut self) {
        self.base = self.base.wrapping_add(self.count);
        self.count = 0;
        self.bytes.clear();
        self.start = 0;
    }

    /// The bytes to send, the last request asking for an acknowledgement.
    pub(super) fn seal(&mut self) -> &[u8] {
        if let Some(flags) = self.bytes.get_mut(self.start + 6..self.start + 8) {
            let asked = u16::from_ne_bytes([flags[0], flags[1]]) | NLM_F_ACK as u16;
            flags.copy_from_slice(&asked.to_ne_bytes());
        }
        &self.bytes
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Which request a sequence number names.
    pub(super) fn index_of(&self, sequence: u32) -> Option<usize> {
        let index = sequence.wrapping_sub(self.base);
        (index < self.count).then_some(index as usize)
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

/// One request being written; complete when dropped.
pub struct Request<'a> {
    batch: &'a mut Batch,
}

impl Request<'_> {
    pub fn attribute(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let bytes = &mut self.batch.bytes;
        let length = ATTRIBUTE_HEADER + value.len();
        bytes.extend_from_slice(&(length as u16).to_ne_bytes());
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        self
    }

    pub fn u32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.attribute(kind, &value.to_ne_bytes())
    }
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        let start = self.batch.start;
        let length = (self.batch.bytes.len() - start) as u32;
        self.batch.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }
}

/// One message from the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub kind: u16,
    pub flags: u16,
    pub sequence: u32,
    /// The socket whose request caused it; 0: the kernel by itself.
    pub port: u32,
    pub payload: &'a [u8],
}

/// The messages of one datagram; ends early at a truncated one.
#[derive(Clone, Debug)]
pub struct Messages<'a>(pub &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let header = self.0.get(..HEADER)?;
        let length = u32_at(header, 0)? as usize;
        let message = Message {
            kind: u16_at(header, 4)?,
            flags: u16_at(header, 6)?,
            sequence: u32_at(header, 8)?,
            port: u32_at(header, 12)?,
            payload: self.0.get(HEADER..length)?,
        };
        self.0 = self
            .0
            .get(length.next_multiple_of(ALIGNMENT)..)
            .unwrap_or_default();
        Some(message)
    }
}

/// Attributes as (kind without flags, value); ends early at a truncated one.
#[derive(Clone, Debug)]
pub struct Attributes<'a>(pub &'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::from(u16_at(self.0, 0)?);
        let kind = u16_at(self.0, 2)? & TYPE_MASK;
        let value = self.0.get(ATTRIBUTE_HEADER..length)?;
        self.0 = self
            .0
            .get(length.next_multiple_of(ALIGNMENT)..)
            .unwrap_or_default();
        Some((kind, value))
    }
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..at + 2)?
        .try_into()
        .ok()
        .map(u16::from_ne_bytes)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..at + 4)?
        .try_into()
        .ok()
        .map(u32::from_ne_bytes)
}

/// An address attribute's value, by its length.
pub(super) fn address(value: &[u8]) -> Option<std::net::IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(value) {
        return Some(octets.into());
    }
    <[u8; 16]>::try_from(value).ok().map(Into::into)
}

pub(super) fn octets(address: &std::net::IpAddr) -> ([u8; 16], usize) {
    let mut octets = [0; 16];
    match address {
        std::net::IpAddr::V4(v4) => {
            octets[..4].copy_from_slice(&v4.octets());
            (octets, 4)
        }
        std::net::IpAddr::V6(v6) => (v6.octets(), 16),
    }
}

pub(super) const fn family(address: &std::net::IpAddr) -> u8 {
    match address {
        std::net::IpAddr::V4(_) => libc::AF_INET as u8,
        std::net::IpAddr::V6(_) => libc::AF_INET6 as u8,
    }
}

const HEADER: usize = 16;
const ATTRIBUTE_HEADER: usize = 4;
const ALIGNMENT: usize = 4;
/// Without NLA_F_NESTED and NLA_F_NET_BYTEORDER.
const TYPE_MASK: u16 = 0x3fff;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_framed_padded_and_numbered_and_the_last_asks_for_an_ack() {
        let mut batch = Batch::new();
        batch.begin(1, 0, &[]);
        batch.begin(1, 0, &[]);
        batch.clear();
        batch.begin(24, 0x400, &[2, 0, 0, 0]).attribute(1, &[9]);
        batch.begin(25, 0, &[0; 4]).u32(30, 7);
        let sent: Vec<_> = Messages(batch.seal())
            .map(|m| (m.kind, m.flags, m.sequence, m.payload.len()))
            .collect();
        assert_eq!(sent, [(24, 0x401, 3, 12), (25, 0x005, 4, 12)]);
        assert_eq!(
            (
                batch.index_of(3),
                batch.index_of(4),
                batch.index_of(5),
                batch.index_of(2)
            ),
            (Some(0), Some(1), None, None)
        );
    }

    #[test]
    fn truncated_input_ends_the_iteration() {
        let mut batch = Batch::new();
        batch.begin(24, 0, &[0; 4]).u32(1, 2).u32(3, 4);
        let bytes = batch.seal();
        for end in 0..bytes.len() {
            assert_eq!(Messages(&bytes[..end]).count(), 0);
        }
        let payload = &bytes[20..];
        assert_eq!(
            Attributes(payload)
                .map(|(kind, _)| kind)
                .collect::<Vec<_>>(),
            [1, 3]
        );
        for end in 0..payload.len() {
            assert_eq!(Attributes(&payload[..end]).count(), end / 8);
        }
        assert_eq!(
            Attributes(&[0, 0, 1, 0]).count(),
            0,
            "a length below the header's own"
        );
    }
}
