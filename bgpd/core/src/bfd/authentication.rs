//! Authentication of control packets (RFC 5880 §6.7): a simple password, keyed
//! MD5 or SHA-1, and their meticulous forms, whose sequence number rises with
//! every packet.

use std::fmt;

use sha1::{Digest, Sha1};
use zeroize::Zeroizing;

use super::packet::{Encoded, LONGEST, MANDATORY, Packet};

/// RFC 5880 §4.1, Auth Type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    SimplePassword,
    KeyedMd5,
    MeticulousKeyedMd5,
    KeyedSha1,
    MeticulousKeyedSha1,
}

/// What both ends have to have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentication {
    pub method: Method,
    pub key_id: u8,
    pub key: Key,
}

/// A shared secret; shows itself to nobody, wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Zeroizing<Vec<u8>>);

/// Why a text is no key. Never quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("the BFD key is empty")]
    Empty,
    #[error("the BFD key has {length} octets; {method} takes at most {most}")]
    Long {
        length: usize,
        most: usize,
        method: Method,
    },
}

/// Why a packet is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AuthenticationError {
    #[error("it is not authenticated, and ours are")]
    Missing,
    #[error("it is authenticated, and ours are not")]
    Unexpected,
    #[error("another authentication type than ours")]
    Type,
    #[error("another key id than ours")]
    KeyId,
    #[error("a wrong length of its authentication section")]
    Length,
    #[error("another key than ours")]
    Digest,
    #[error("a sequence number that is not next (a replay?)")]
    Sequence,
}

/// bfd.XmitAuthSeq and bfd.RcvAuthSeq.
#[derive(Clone, Debug)]
pub(super) struct Sequences {
    transmit: u32,
    /// `None`: bfd.AuthSeqKnown is 0.
    received: Option<u32>,
}

impl Method {
    /// As the configuration writes it.
    pub const ALL: [(&'static str, Self); 5] = [
        ("simple-password", Self::SimplePassword),
        ("keyed-md5", Self::KeyedMd5),
        ("meticulous-keyed-md5", Self::MeticulousKeyedMd5),
        ("keyed-sha1", Self::KeyedSha1),
        ("meticulous-keyed-sha1", Self::MeticulousKeyedSha1),
    ];

    const fn auth_type(self) -> u8 {
        match self {
            Self::SimplePassword => 1,
            Self::KeyedMd5 => 2,
            Self::MeticulousKeyedMd5 => 3,
            Self::KeyedSha1 => 4,
            Self::MeticulousKeyedSha1 => 5,
        }
    }

    const fn longest_key(self) -> usize {
        match self {
            Self::SimplePassword | Self::KeyedMd5 | Self::MeticulousKeyedMd5 => 16,
            Self::KeyedSha1 | Self::MeticulousKeyedSha1 => 20,
        }
    }

    const fn is_meticulous(self) -> bool {
        match self {
            Self::MeticulousKeyedMd5 | Self::MeticulousKeyedSha1 => true,
            Self::SimplePassword | Self::KeyedMd5 | Self::KeyedSha1 => false,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::SimplePassword => "simple password",
            Self::KeyedMd5 => "keyed MD5",
            Self::MeticulousKeyedMd5 => "meticulous keyed MD5",
            Self::KeyedSha1 => "keyed SHA1",
            Self::MeticulousKeyedSha1 => "meticulous keyed SHA1",
        })
    }
}

impl Key {
    /// Takes the content of a key file: one trailing line feed is allowed.
    pub fn from_file_content(content: &[u8], method: Method) -> Result<Self, KeyError> {
        let octets = content.strip_suffix(b"\n").unwrap_or(content);
        let octets = octets.strip_suffix(b"\r").unwrap_or(octets);
        let most = method.longest_key();
        match octets.len() {
            0 => Err(KeyError::Empty),
            length if length > most => Err(KeyError::Long {
                length,
                most,
                method,
            }),
            _ => Ok(Self(Zeroizing::new(octets.to_vec()))),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Authentication {
    /// Octets of the section (Auth Len).
    pub(super) fn length(&self) -> usize {
        match self.method {
            Method::SimplePassword => PASSWORD.saturating_add(self.key.0.len()),
            Method::KeyedMd5 | Method::MeticulousKeyedMd5 => DIGEST.saturating_add(MD5),
            Method::KeyedSha1 | Method::MeticulousKeyedSha1 => DIGEST.saturating_add(SHA1),
        }
    }

    /// Fills the section of a packet that has room for it.
    pub(super) fn sign(&self, packet: &mut Encoded, sequence: u32) {
        let length = u8::try_from(self.length()).unwrap_or(u8::MAX);
        let head = [self.method.auth_type(), length, self.key_id];
        if self.method == Method::SimplePassword {
            let octets = head.iter().chain(self.key.0.iter());
            return copy(packet.section_mut(), octets);
        }
        let reserved = [0];
        let sequence = sequence.to_be_bytes();
        let octets = head.iter().chain(&reserved).chain(&sequence);
        copy(packet.section_mut(), octets.chain(self.key.0.iter()));
        let digest = self.digest(packet.octets());
        let field = packet.section_mut().get_mut(DIGEST..).unwrap_or_default();
        copy(field, digest.iter().take(self.digest_length()));
    }

    /// RFC 5880 §6.7.2 to §6.7.4. The sequence number counts only once the digest
    /// is right: otherwise anybody could move the window.
    pub(super) fn verify(
        &self,
        packet: &Packet<'_>,
        sequences: &mut Sequences,
        window: u32,
    ) -> Result<(), AuthenticationError> {
        let section = packet.section.ok_or(AuthenticationError::Missing)?;
        if section.auth_type != self.method.auth_type() {
            return Err(AuthenticationError::Type);
        }
        let (key_id, rest) = section
            .body
            .split_first()
            .ok_or(AuthenticationError::Length)?;
        if *key_id != self.key_id {
            return Err(AuthenticationError::KeyId);
        }
        if section.body.len().saturating_add(TYPE_AND_LENGTH) != self.length() {
            return Err(AuthenticationError::Length);
        }
        if self.method == Method::SimplePassword {
            return same(rest, &self.key.0);
        }
        let [_reserved, a, b, c, d, received @ ..] = rest else {
            return Err(AuthenticationError::Length);
        };
        let expected = self.digest(packet.octets);
        same(
            received,
            expected.get(..self.digest_length()).unwrap_or_default(),
        )?;
        let sequence = u32::from_be_bytes([*a, *b, *c, *d]);
        sequences.accept(sequence, self.method, window)
    }

    /// Over the whole packet, with the key where the digest is to be; what an MD5
    /// leaves over is 0.
    fn digest(&self, packet: &[u8]) -> [u8; SHA1] {
        let mut octets = Zeroizing::new([0; LONGEST]);
        let before = packet.iter().take(MANDATORY.saturating_add(DIGEST));
        copy(&mut *octets, before);
        let field = octets.get_mut(MANDATORY.saturating_add(DIGEST)..);
        copy(field.unwrap_or_default(), self.key.0.iter());
        let covered = octets.get(..packet.len()).unwrap_or_default();
        match self.method {
            Method::KeyedMd5 | Method::MeticulousKeyedMd5 => {
                let mut digest = [0; SHA1];
                copy(&mut digest, md5::compute(covered).0.iter());
                digest
            }
            Method::SimplePassword | Method::KeyedSha1 | Method::MeticulousKeyedSha1 => {
                Sha1::digest(covered).into()
            }
        }
    }

    const fn digest_length(&self) -> usize {
        match self.method {
            Method::SimplePassword => 0,
            Method::KeyedMd5 | Method::MeticulousKeyedMd5 => MD5,
            Method::KeyedSha1 | Method::MeticulousKeyedSha1 => SHA1,
        }
    }
}

impl Sequences {
    pub(super) const fn new(transmit: u32) -> Self {
        Self {
            transmit,
            received: None,
        }
    }

    /// The number of the next packet. A plain keyed digest's rises when the
    /// packet says something new (RFC 5880 §6.7.3).
    pub(super) fn next(&mut self, method: Method, content: Content) -> u32 {
        if method.is_meticulous() || content == Content::New {
            self.transmit = self.transmit.wrapping_add(1);
        }
        self.transmit
    }

    /// bfd.AuthSeqKnown is 0 from now on.
    pub(super) fn forget_received(&mut self) {
        self.received = None;
    }

    fn accept(
        &mut self,
        sequence: u32,
        method: Method,
        window: u32,
    ) -> Result<(), AuthenticationError> {
        if let Some(last) = self.received {
            let least = u32::from(method.is_meticulous());
            let ahead = sequence.wrapping_sub(last);
            if !(least..=window).contains(&ahead) {
                return Err(AuthenticationError::Sequence);
            }
        }
        self.received = Some(sequence);
        Ok(())
    }
}

/// Whether a packet says the same as the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Same,
    New,
}

/// Takes as long wherever the difference is.
fn same(received: &[u8], expected: &[u8]) -> Result<(), AuthenticationError> {
    let mut difference = received.len() ^ expected.len();
    for (one, other) in received.iter().zip(expected) {
        difference |= usize::from(one ^ other);
    }
    if difference == 0 {
        Ok(())
    } else {
        Err(AuthenticationError::Digest)
    }
}

fn copy<'o>(to: &mut [u8], from: impl Iterator<Item = &'o u8>) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

const TYPE_AND_LENGTH: usize = 2;
/// Offset of the password in its section.
const PASSWORD: usize = 3;
/// Offset of the digest in its section.
const DIGEST: usize = 8;
const MD5: usize = 16;
const SHA1: usize = 20;
