//! A TCP port's answer to a SYN (RFC 9293): SYN and ACK, or RST where nobody
//! listens. No connection comes of it: the kernel, which knows of none, resets
//! what answers.

use std::net::IpAddr;

use bgp_core::Family;
use socket2::SockFilter;

use super::checksum::checksum;
use super::filter;
use super::mark::Mark;
use super::mark::Token;
use super::socket::Packet;

/// Between which addresses and ports.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) from: IpAddr,
    pub(super) from_port: u16,
    pub(super) to: IpAddr,
    pub(super) to_port: u16,
}

/// A SYN whose sequence number tells the probe. For IPv6 the kernel computes the
/// checksum.
pub(super) fn request(mark: Mark, token: Token, ends: Ends) -> Packet {
    let mut octets = [0; LENGTH];
    octets[..2].copy_from_slice(&ends.from_port.to_be_bytes());
    octets[2..4].copy_from_slice(&ends.to_port.to_be_bytes());
    octets[4..8].copy_from_slice(&mark.scramble(token).to_be_bytes());
    octets[12] = ((LENGTH / 4) << 4) as u8;
    octets[13] = SYN;
    octets[14..16].copy_from_slice(&WINDOW.to_be_bytes());
    octets[20..24].copy_from_slice(&MAXIMUM_SEGMENT_SIZE);
    if let (IpAddr::V4(from), IpAddr::V4(to)) = (ends.from, ends.to) {
        // RFC 9293 §3.1: with a pseudo-header before it.
        let rest = [0, libc::IPPROTO_TCP as u8, 0, LENGTH as u8];
        let parts = [&from.octets()[..], &to.octets(), &rest, &octets];
        let sum = checksum(parts);
        octets[CHECKSUM..CHECKSUM + 2].copy_from_slice(&sum.to_be_bytes());
    }
    Packet::from_slice(&octets)
}

/// An answer: the port that it came to, the target, and the lower half of the
/// probe's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) to_port: u16,
    pub(super) slot: u16,
    pub(super) sequence: u16,
}

/// A raw socket gives the IPv4 header too, but no IPv6 one.
pub(super) fn answer(family: Family, mark: Mark, packet: &[u8]) -> Option<Answer> {
    let segment = match family {
        Family::Ipv4 => packet.get(usize::from(packet.first()? & 0x0f) * 4..)?,
        Family::Ipv6 => packet,
    };
    let header: &[u8; 20] = segment.first_chunk()?;
    let flags = header[13];
    let answers = flags & RST != 0 || flags & (SYN | ACK) == SYN | ACK;
    // RFC 9293 §3.10.7.1: a RST to a SYN acknowledges it too.
    if !answers || flags & ACK == 0 {
        return None;
    }
    let acknowledged = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
    let (slot, sequence) = mark.unscramble(acknowledged.wrapping_sub(1));
    Some(Answer {
        to_port: u16::from_be_bytes([header[2], header[3]]),
        slot,
        sequence,
    })
}

pub(super) fn filter(family: Family) -> Vec<SockFilter> {
    filter::tcp(family)
}

/// Where the checksum is.
pub(super) const CHECKSUM: usize = 16;
/// A header and one option.
const LENGTH: usize = 24;
const WINDOW: u16 = 1024;
/// Kind 2, length 4: 1400.
const MAXIMUM_SEGMENT_SIZE: [u8; 4] = [2, 4, 0x05, 0x78];
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const TOKEN: Token = Token {
        slot: 9,
        sequence: 0x5_0007,
    };

    fn ends() -> Ends {
        Ends {
            from: "192.0.2.1".parse().unwrap(),
            from_port: 40_000,
            to: "192.0.2.2".parse().unwrap(),
            to_port: 443,
        }
    }

    #[test]
    fn the_checksum_is_over_the_pseudo_header_too() {
        let packet = request(Mark::new(), TOKEN, ends());
        let pseudo = [192, 0, 2, 1, 192, 0, 2, 2, 0, 6, 0, 24];
        assert_eq!(checksum([&pseudo[..], &packet[..]]), 0);
    }

    #[test]
    fn answers_are_syn_and_ack_or_rst_that_acknowledge_our_syn() {
        let mark = Mark::new();
        let mut packet = vec![0x45; 20];
        let mut segment = vec![0; 20];
        segment[2..4].copy_from_slice(&40_000_u16.to_be_bytes());
        let acknowledged = mark.scramble(TOKEN).wrapping_add(1);
        segment[8..12].copy_from_slice(&acknowledged.to_be_bytes());
        packet.extend(&segment);
        let expected = Answer {
            to_port: 40_000,
            slot: 9,
            sequence: 7,
        };
        for (flags, answers) in [
            (SYN | ACK, true),
            (RST | ACK, true),
            (ACK, false),
            (SYN, false),
            (RST, false),
        ] {
            packet[33] = flags;
            let read = answer(Family::Ipv4, mark, &packet);
            assert_eq!(read, answers.then_some(expected), "{flags:#x}");
            assert_eq!(answer(Family::Ipv6, mark, &packet[20..]), read);
        }
        packet[33] = SYN | ACK;
        (0..40).for_each(|end| assert_eq!(answer(Family::Ipv4, mark, &packet[..end]), None));
    }
}
