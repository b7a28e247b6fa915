//! How a packet, its addresses and its control messages lie in memory for the
//! kernel: written before it is sent, read when it was received.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use super::{Arrival, Notice, Parcel, Refusal};

#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub(super) struct Slot {
    /// A `sockaddr_in` or `sockaddr_in6`.
    pub(super) name: [u8; NAME],
    pub(super) control: [u8; CONTROL],
    pub(super) octets: [u8; OCTETS],
    pub(super) name_length: usize,
    pub(super) control_length: usize,
    pub(super) length: usize,
}

impl Slot {
    pub(super) const EMPTY: Self = Self {
        name: [0; NAME],
        control: [0; CONTROL],
        octets: [0; OCTETS],
        name_length: 0,
        control_length: 0,
        length: 0,
    };

    /// For a packet to be received, of whatever length.
    pub(super) fn clear(&mut self) {
        (self.name_length, self.control_length, self.length) = (NAME, CONTROL, OCTETS);
    }

    /// What the kernel has made of it.
    pub(super) fn fill(&mut self, header: &libc::mmsghdr) {
        self.name_length = (header.msg_hdr.msg_namelen as usize).min(NAME);
        self.control_length = header.msg_hdr.msg_controllen.min(CONTROL);
        self.length = (header.msg_len as usize).min(OCTETS);
    }

    pub(super) fn write(&mut self, parcel: &Parcel) {
        self.name_length = write_name(&mut self.name, parcel);
        self.control_length = write_interface(&mut self.control, parcel);
        self.length = parcel.packet.len().min(OCTETS);
        self.octets[..self.length].copy_from_slice(&parcel.packet[..self.length]);
    }

    pub(super) fn arrival(&self) -> Option<Arrival<'_>> {
        let mut arrival = Arrival {
            from: read_name(&self.name[..self.name_length])?,
            ifindex: 0,
            at: None,
            ttl: None,
            to: None,
            octets: &self.octets[..self.length],
        };
        for (kind, value) in messages(&self.control[..self.control_length]) {
            match kind {
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPING) => arrival.at = read_stamp(value),
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    arrival.ifindex = read_u32(value, 0).unwrap_or(0);
                    // A broadcast's destination is not what an answer would be sent by.
                    let (own, to) = (octets::<4>(value, 4), octets::<4>(value, 8));
                    let to = to.filter(|to| own == Some(*to));
                    arrival.to = to.map(|to| Ipv4Addr::from(to).into());
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    arrival.ifindex = read_u32(value, 16).unwrap_or(0);
                    arrival.to = octets(value, 0).map(|octets| Ipv6Addr::from(octets).into());
                }
                (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                    arrival.ttl = read_u32(value, 0).and_then(|ttl| u8::try_from(ttl).ok());
                }
                _ => {}
            }
        }
        Some(arrival)
    }

    pub(super) fn notice(&self) -> Option<Notice<'_>> {
        let (mut at, mut error) = (None, None);
        for (kind, value) in messages(&self.control[..self.control_length]) {
            match kind {
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPING) => at = read_stamp(value),
                (libc::IPPROTO_IP, libc::IP_RECVERR) | (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) => {
                    error = Some(value)
                }
                _ => {}
            }
        }
        // `struct sock_extended_err` (linux/errqueue.h).
        let error = error?;
        let [origin, icmp_type, code] = octets(error, 4)?;
        match origin {
            libc::SO_EE_ORIGIN_TIMESTAMPING => Some(Notice::Left {
                number: read_u32(error, 12)?,
                at: at?,
            }),
            libc::SO_EE_ORIGIN_ICMP | libc::SO_EE_ORIGIN_ICMP6 => Some(Notice::Refused {
                by: refusal(origin, icmp_type, code),
                to: read_name(&self.name[..self.name_length])?,
                at,
                payload: &self.octets[..self.length],
            }),
            _ => None,
        }
    }
}

/// RFC 792: type 3, code 3; RFC 4443 §3.1: type 1, code 4.
fn refusal(origin: u8, icmp_type: u8, code: u8) -> Refusal {
    match (origin, icmp_type, code) {
        (libc::SO_EE_ORIGIN_ICMP, 3, 3) | (libc::SO_EE_ORIGIN_ICMP6, 1, 4) => {
            Refusal::PortUnreachable
        }
        _ => Refusal::Other,
    }
}

fn write_name(name: &mut [u8; NAME], parcel: &Parcel) -> usize {
    name.fill(0);
    let family = match parcel.to {
        SocketAddr::V4(_) => libc::AF_INET,
        SocketAddr::V6(_) => libc::AF_INET6,
    };
    name[..2].copy_from_slice(&(family as u16).to_ne_bytes());
    name[2..4].copy_from_slice(&parcel.to.port().to_be_bytes());
    match parcel.to {
        SocketAddr::V4(v4) => {
            name[4..8].copy_from_slice(&v4.ip().octets());
            size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(v6) => {
            name[8..24].copy_from_slice(&v6.ip().octets());
            let scope = match v6.ip().is_unicast_link_local() {
                true => parcel.ifindex,
                false => 0,
            };
            name[24..28].copy_from_slice(&scope.to_ne_bytes());
            size_of::<libc::sockaddr_in6>()
        }
    }
}

/// `None`: neither IPv4 nor IPv6.
fn read_name(name: &[u8]) -> Option<SocketAddr> {
    let family = u16::from_ne_bytes(octets(name, 0)?);
    let port = u16::from_be_bytes(octets(name, 2)?);
    match libc::c_int::from(family) {
        libc::AF_INET => Some((Ipv4Addr::from(octets::<4>(name, 4)?), port).into()),
        libc::AF_INET6 => {
            let address = Ipv6Addr::from(octets::<16>(name, 8)?);
            let scope = read_u32(name, 24)?;
            Some(SocketAddrV6::new(address, port, 0, scope).into())
        }
        _ => None,
    }
}

/// `struct in_pktinfo` or `struct in6_pktinfo`.
fn write_interface(control: &mut [u8; CONTROL], parcel: &Parcel) -> usize {
    if parcel.ifindex == 0 && parcel.from.is_none() {
        return 0;
    }
    let (level, kind, length, offset) = match parcel.to {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_PKTINFO, 12, 0),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, 20, 16),
    };
    let whole = HEADER + align(length);
    control[..whole].fill(0);
    control[..WORD].copy_from_slice(&(HEADER + length).to_ne_bytes());
    control[WORD..WORD + 4].copy_from_slice(&level.to_ne_bytes());
    control[WORD + 4..HEADER].copy_from_slice(&kind.to_ne_bytes());
    let value = HEADER + offset;
    control[value..value + 4].copy_from_slice(&parcel.ifindex.to_ne_bytes());
    match (parcel.to, parcel.from) {
        (SocketAddr::V4(_), Some(IpAddr::V4(from))) => {
            control[HEADER + 4..HEADER + 8].copy_from_slice(&from.octets());
        }
        (SocketAddr::V6(_), Some(IpAddr::V6(from))) => {
            control[HEADER..HEADER + 16].copy_from_slice(&from.octets());
        }
        // The kernel chooses.
        _ => {}
    }
    whole
}

/// The control messages' levels and types, and what they hold (cmsg(3)).
fn messages(mut control: &[u8]) -> impl Iterator<Item = ((libc::c_int, libc::c_int), &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from_ne_bytes(octets(control, 0)?);
        let level = libc::c_int::from_ne_bytes(octets(control, WORD)?);
        let kind = libc::c_int::from_ne_bytes(octets(control, WORD + 4)?);
        let value = control.get(HEADER..length)?;
        control = control.get(align(length)..).unwrap_or_default();
        Some(((level, kind), value))
    })
}

/// `struct scm_timestamping`: the first of three is the software's.
fn read_stamp(value: &[u8]) -> Option<Duration> {
    let seconds = i64::from_ne_bytes(octets(value, 0)?);
    let nanoseconds = i64::from_ne_bytes(octets(value, 8)?);
    let (seconds, nanoseconds) = (
        u64::try_from(seconds).ok()?,
        u32::try_from(nanoseconds).ok()?,
    );
    (nanoseconds < 1_000_000_000 && seconds > 0).then(|| Duration::new(seconds, nanoseconds))
}

fn read_u32(value: &[u8], offset: usize) -> Option<u32> {
    octets(value, offset).map(u32::from_ne_bytes)
}

fn octets<const N: usize>(value: &[u8], offset: usize) -> Option<[u8; N]> {
    value.get(offset..)?.first_chunk().copied()
}

const fn align(length: usize) -> usize {
    length.next_multiple_of(WORD)
}

const WORD: usize = size_of::<usize>();
/// Of a control message: its length, level and type.
const HEADER: usize = WORD + 8;
const NAME: usize = size_of::<libc::sockaddr_in6>().next_multiple_of(8);
const CONTROL: usize = 256;
/// Longer packets are cut: no answer is.
const OCTETS: usize = 1536;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::Packet;
    use super::*;

    #[test]
    fn names_and_control_messages_are_read_as_they_were_written() {
        for to in ["192.0.2.1:7", "[2001:db8::1]:7", "[fe80::1%5]:7"] {
            let to: SocketAddr = to.parse().unwrap();
            let parcel = Parcel {
                to,
                ifindex: 5,
                from: None,
                packet: Packet::new(),
            };
            let (mut name, mut control) = ([0; NAME], [0; CONTROL]);
            let length = write_name(&mut name, &parcel);
            assert_eq!(read_name(&name[..length]), Some(to));
            let length = write_interface(&mut control, &parcel);
            let read: Vec<_> = messages(&control[..length]).collect();
            assert_eq!(read.len(), 1);
            let offset = if to.is_ipv4() { 0 } else { 16 };
            assert_eq!(read_u32(read[0].1, offset), Some(5));
            for end in 0..length {
                assert!(messages(&control[..end]).count() <= 1);
            }
        }
    }
}
