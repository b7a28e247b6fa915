//! Counts prefixes in UPDATEs with as little work as it takes, so that the
//! driver of twenty receivers is never what is waited for. It takes messages
//! apart on its own: what is measured here may not measure itself.

use std::collections::HashSet;

/// Message types (RFC 4271 §4.1).
pub const OPEN: u8 = 1;
pub const UPDATE: u8 = 2;
pub const NOTIFICATION: u8 = 3;
pub const KEEPALIVE: u8 = 4;

/// One message of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw<'a> {
    pub kind: u8,
    pub body: &'a [u8],
    /// What comes behind it.
    pub rest: &'a [u8],
}

/// The first message, if all of it is there. `Err`: the stream is not BGP.
pub fn message(bytes: &[u8]) -> Result<Option<Raw<'_>>, String> {
    let Some(header) = bytes.first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([header[16], header[17]]));
    if length < HEADER || header[..16] != [0xff; 16] {
        return Err("the header of a message is wrong".to_owned());
    }
    let whole = bytes.split_at_checked(length);
    Ok(whole.map(|(message, rest)| Raw {
        kind: header[18],
        body: &message[HEADER..],
        rest,
    }))
}

/// The prefixes that are there now, of one address family.
#[derive(Default)]
pub struct Present {
    /// A bit for each IPv4 prefix of at most 24 bits: a 1 and then its bits,
    /// as in a heap.
    short: Vec<u64>,
    others: HashSet<[u8; 17], foldhash::fast::RandomState>,
    count: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Announced,
    Withdrawn,
}

impl Present {
    pub fn count(&self) -> usize {
        self.count
    }

    /// Takes in the body of one UPDATE; `None` if it is malformed.
    pub fn update(&mut self, body: &[u8]) -> Option<()> {
        let (withdrawn, rest) = counted(body)?;
        let (attributes, announced) = counted(rest)?;
        self.prefixes(withdrawn, IPV4, Change::Withdrawn)?;
        self.attributes(attributes)?;
        self.prefixes(announced, IPV4, Change::Announced)
    }

    /// Looks for MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760 §3, §4).
    fn attributes(&mut self, mut bytes: &[u8]) -> Option<()> {
        while let Some((&[flags, kind], rest)) = bytes.split_first_chunk() {
            let (value, rest) = if flags & EXTENDED_LENGTH == 0 {
                let (&length, rest) = rest.split_first()?;
                rest.split_at_checked(length.into())?
            } else {
                counted(rest)?
            };
            match kind {
                MP_REACH_NLRI => {
                    let (&next_hop, rest) = value.get(3..)?.split_first()?;
                    // Behind the next hop comes a reserved octet.
                    let nlri = rest.get(usize::from(next_hop) + 1..)?;
                    self.prefixes(nlri, value[1], Change::Announced)?;
                }
                MP_UNREACH_NLRI => {
                    self.prefixes(value.get(3..)?, value[1], Change::Withdrawn)?;
                }
                _ => {}
            }
            bytes = rest;
        }
        Some(())
    }

    fn prefixes(&mut self, mut bytes: &[u8], family: u8, change: Change) -> Option<()> {
        while let Some((&length, rest)) = bytes.split_first() {
            let (address, rest) = rest.split_at_checked(usize::from(length).div_ceil(8))?;
            if family == IPV4 && length <= 24 {
                self.set_short(length, address, change);
            } else {
                self.set_other(length, address, change)?;
            }
            bytes = rest;
        }
        Some(())
    }

    fn set_short(&mut self, length: u8, address: &[u8], change: Change) {
        if self.short.is_empty() {
            self.short = vec![0; (1 << 25) / 64];
        }
        let mut octets = [0; 4];
        octets[..address.len()].copy_from_slice(address);
        let bits = u64::from(u32::from_be_bytes(octets)) >> (32 - length);
        let number = (1 << length) | bits as usize;
        let (word, bit) = (&mut self.short[number / 64], 1 << (number % 64));
        let was = *word & bit != 0;
        match change {
            Change::Announced => *word |= bit,
            Change::Withdrawn => *word &= !bit,
        }
        self.note(was, change);
    }

    fn set_other(&mut self, length: u8, address: &[u8], change: Change) -> Option<()> {
        let mut key = [0; 17];
        key[0] = length;
        key.get_mut(1..=address.len())?.copy_from_slice(address);
        let was = match change {
            Change::Announced => !self.others.insert(key),
            Change::Withdrawn => self.others.remove(&key),
        };
        self.note(was, change);
        Some(())
    }

    fn note(&mut self, was: bool, change: Change) {
        match (was, change) {
            (false, Change::Announced) => self.count += 1,
            (true, Change::Withdrawn) => self.count -= 1,
            _ => {}
        }
    }
}

/// What a two-octet length is in front of, and the rest.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

const HEADER: usize = 19;
const EXTENDED_LENGTH: u8 = 0x10;
const MP_REACH_NLRI: u8 = 14;
const MP_UNREACH_NLRI: u8 = 15;
/// The low octet of the address family's number.
const IPV4: u8 = 1;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use bgp_core::wire::{AsPath, Origin, PathAttributes, encode_announcement, encode_withdrawal};
    use bgp_core::{Asn, Family};
    use bytes::BytesMut;

    use super::*;
    use crate::bench::{lane, session, table};

    fn feed(present: &mut Present, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(message) = message(rest).unwrap() {
            assert_eq!(message.kind, UPDATE);
            present.update(message.body).unwrap();
            rest = message.rest;
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn prefixes_of_both_families_are_counted_once_each() {
        for (family, all, gone) in [
            (
                Family::Ipv4,
                "0.0.0.0/0 10.0.0.0/8 10.0.0.0/16 10.0.0.0/24 10.0.0.0/25 10.0.0.1/32",
                "10.0.0.0/16 10.0.0.1/32 11.0.0.0/8",
            ),
            (
                Family::Ipv6,
                "::/0 2001:db8::/32 2001:db8::/48 2001:db8::1/128",
                "2001:db8::/32",
            ),
        ] {
            let nets = |text: &str| -> Vec<ipnet::IpNet> {
                text.split(' ').map(|net| net.parse().unwrap()).collect()
            };
            let codec = session::codec(family);
            let path = AsPath::sequence([Asn(1)]);
            let attributes = PathAttributes::new(Origin::Igp, path, lane::local(family));
            let prefixes = |text: &str| table::of_family(family, &nets(text));
            let (mut announced, mut withdrawn) = (BytesMut::new(), BytesMut::new());
            encode_announcement(&attributes, &prefixes(all), &codec, &mut announced).unwrap();
            encode_withdrawal(&prefixes(gone), &codec, &mut withdrawn);
            let mut present = Present::default();
            feed(&mut present, &announced);
            feed(&mut present, &announced);
            assert_eq!(present.count(), nets(all).len());
            feed(&mut present, &withdrawn);
            let left = nets(all)
                .iter()
                .filter(|net| !nets(gone).contains(net))
                .count();
            assert_eq!(present.count(), left);
        }
    }

    #[test]
    fn what_is_cut_short_is_malformed_or_not_there_yet() {
        assert_eq!(message(&[0xff; 18]), Ok(None));
        assert!(message(&[0; 30]).is_err());
        let mut present = Present::default();
        assert!(present.update(&[0, 0, 0, 9]).is_none());
        assert!(present.update(&[0, 0, 0, 0, 24, 10, 0]).is_none());
        assert!(present.update(&[0, 0, 0, 3, 0x80, 14, 0]).is_none());
    }
}
