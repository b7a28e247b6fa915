//! ICMP and ICMPv6 echoes (RFC 792, RFC 4443 §4).

use bgp_core::Family;
use socket2::SockFilter;

use super::checksum::checksum;
use super::filter;
use super::mark::{Mark, Token};
use super::socket::Packet;

/// An echo request. For ICMPv6 the kernel computes the checksum (RFC 3542 §3.1).
pub(super) fn request(family: Family, mark: Mark, token: Token) -> Packet {
    let mut octets = [0; LENGTH];
    octets[0] = match family {
        Family::Ipv4 => ECHO,
        Family::Ipv6 => ECHO_REQUEST_V6,
    };
    octets[4..6].copy_from_slice(&mark.identifier().to_be_bytes());
    octets[6..8].copy_from_slice(&(token.sequence as u16).to_be_bytes());
    mark.write(token, &mut octets[HEADER..]);
    if family == Family::Ipv4 {
        let sum = checksum([&octets[..]]);
        octets[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    Packet::from_slice(&octets)
}

/// The echo that is answered. A raw ICMP socket gives the IPv4 header too, an
/// ICMPv6 one doesn't.
pub(super) fn answer(family: Family, mark: Mark, packet: &[u8]) -> Option<Token> {
    let message = match family {
        Family::Ipv4 => packet.get(usize::from(packet.first()? & 0x0f) * 4..)?,
        Family::Ipv6 => packet,
    };
    let (header, data) = message.split_first_chunk::<HEADER>()?;
    let ours = header[0] == reply(family)
        && header[1] == 0
        && header[4..6] == mark.identifier().to_be_bytes();
    mark.read(data).filter(|_| ours)
}

pub(super) fn filter(family: Family, mark: Mark) -> Vec<SockFilter> {
    filter::icmp(family, reply(family), mark.identifier())
}

fn reply(family: Family) -> u8 {
    match family {
        Family::Ipv4 => ECHO_REPLY,
        Family::Ipv6 => ECHO_REPLY_V6,
    }
}

const HEADER: usize = 8;
/// A header and 56 octets, as ping(8) sends.
const LENGTH: usize = 64;
const ECHO_REPLY: u8 = 0;
const ECHO: u8 = 8;
const ECHO_REQUEST_V6: u8 = 128;
const ECHO_REPLY_V6: u8 = 129;

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: Token = Token {
        slot: 3,
        sequence: 0x1_0007,
    };

    #[test]
    fn an_echo_has_a_checksum_that_sums_up_to_nothing() {
        let mark = Mark::new();
        let packet = request(Family::Ipv4, mark, TOKEN);
        assert_eq!(checksum([&packet[..]]), 0);
        assert_eq!((packet[0], &packet[6..8]), (8, &[0, 7][..]));
    }

    #[test]
    fn only_answers_to_our_own_echoes_count() {
        let mark = Mark::new();
        let mut v4 = vec![0x45; 20];
        v4.extend(request(Family::Ipv4, mark, TOKEN));
        assert_eq!(answer(Family::Ipv4, mark, &v4), None, "our own echo");
        v4[20] = ECHO_REPLY;
        assert_eq!(answer(Family::Ipv4, mark, &v4), Some(TOKEN));
        assert_eq!(answer(Family::Ipv4, Mark::new(), &v4), None);
        for end in 0..44 {
            assert_eq!(answer(Family::Ipv4, mark, &v4[..end]), None);
        }
        let mut v6 = request(Family::Ipv6, mark, TOKEN).to_vec();
        assert_eq!(answer(Family::Ipv6, mark, &v6), None, "our own echo");
        v6[0] = ECHO_REPLY_V6;
        assert_eq!(answer(Family::Ipv6, mark, &v6), Some(TOKEN));
    }
}
