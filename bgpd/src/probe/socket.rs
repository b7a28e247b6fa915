//! Datagrams in batches, each out of the interface it names, with the kernel's
//! timestamps both ways (Linux's Documentation/networking/timestamping.rst).
//!
//! A packet's interface goes with it (IP_PKTINFO, RFC 3542 §6.1), which routes it as
//! SO_BINDTODEVICE would; so one socket serves all interfaces. Only a VRF is the
//! socket's own: a datagram socket outside hears nothing that arrives inside.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use bgp_core::Family;
use nix::sys::socket::{TimestampingFlag, setsockopt, sockopt};
use smallvec::SmallVec;
use socket2::{Domain, Protocol, SockFilter, Type};

/// A packet to be sent.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub(super) to: SocketAddr,
    /// 0: as the routes say.
    pub(super) ifindex: u32,
    /// Our own address, where it matters.
    pub(super) from: Option<IpAddr>,
    pub(super) packet: Packet,
}

/// The octets after the header that the kernel writes.
pub(super) type Packet = SmallVec<[u8; 64]>;

/// A packet received.
#[derive(Debug)]
pub(super) struct Arrival<'b> {
    pub(super) from: SocketAddr,
    pub(super) ifindex: u32,
    /// When the kernel received it.
    pub(super) at: Option<Duration>,
    /// TTL or hop limit, where asked for.
    pub(super) ttl: Option<u8>,
    /// Our address that it was sent to, if to one alone.
    pub(super) to: Option<IpAddr>,
    pub(super) octets: &'b [u8],
}

/// What the error queue tells of packets sent.
#[derive(Debug)]
pub(super) enum Notice<'b> {
    /// The packet of this number has left.
    Left { number: u32, at: Duration },
    /// An ICMP message about one of them: whom that was for, and its payload.
    Refused {
        by: Refusal,
        to: SocketAddr,
        at: Option<Duration>,
        payload: &'b [u8],
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// By the host itself: it is there.
    PortUnreachable,
    Other,
}

pub(super) struct Socket {
    inner: socket2::Socket,
    family: Family,
    /// The kernel's number for the next packet's departure.
    next_number: u32,
    room: Room,
}

impl Socket {
    /// `vrf`: the VRF device to be in, if any.
    pub(super) fn open(
        family: Family,
        kind: Type,
        protocol: Option<Protocol>,
        vrf: Option<&str>,
    ) -> io::Result<Self> {
        let domain = match family {
            Family::Ipv4 => Domain::IPV4,
            Family::Ipv6 => Domain::IPV6,
        };
        let inner = socket2::Socket::new(domain, kind, protocol)?;
        inner.set_nonblocking(true)?;
        inner.bind_device(vrf.map(str::as_bytes))?;
        match family {
            Family::Ipv4 => {
                setsockopt(&inner, sockopt::Ipv4PacketInfo, &true)?;
                setsockopt(&inner, sockopt::Ipv4RecvErr, &true)?;
            }
            Family::Ipv6 => {
                // A raw socket has one family anyway, and refuses the option.
                if kind == Type::DGRAM {
                    inner.set_only_v6(true)?;
                }
                setsockopt(&inner, sockopt::Ipv6RecvPacketInfo, &true)?;
                setsockopt(&inner, sockopt::Ipv6RecvErr, &true)?;
            }
        }
        setsockopt(&inner, sockopt::Timestamping, &stamps())?;
        Ok(Self {
            inner,
            family,
            next_number: 0,
            room: Room::new(),
        })
    }

    pub(super) fn bind(&self, address: SocketAddr) -> io::Result<()> {
        self.inner.bind(&address.into())
    }

    pub(super) fn filter(&self, program: &[SockFilter]) -> io::Result<()> {
        self.inner.attach_filter(program)
    }

    pub(super) fn report_ttl(&self) -> io::Result<()> {
        match self.family {
            Family::Ipv4 => setsockopt(&self.inner, sockopt::Ipv4RecvTtl, &true)?,
            Family::Ipv6 => setsockopt(&self.inner, sockopt::Ipv6RecvHopLimit, &true)?,
        }
        Ok(())
    }

    /// The kernel fills in the checksum at this offset (RFC 3542 §3.1).
    pub(super) fn checksum_at(&self, offset: libc::c_int) -> io::Result<()> {
        // SAFETY: the option's value is an integer, which outlives the call.
        #[expect(unsafe_code, reason = "no crate in use has IPV6_CHECKSUM")]
        let result = unsafe {
            libc::setsockopt(
                self.inner.as_raw_fd(),
                libc::IPPROTO_IPV6,
                libc::IPV6_CHECKSUM,
                (&raw const offset).cast(),
                size_of_val(&offset) as libc::socklen_t,
            )
        };
        nix::errno::Errno::result(result)?;
        Ok(())
    }

    /// Sends all of them. `each` gets a parcel's index and the number of its
    /// departure, or why it was not sent.
    pub(super) fn send(
        &mut self,
        parcels: &[Parcel],
        mut each: impl FnMut(usize, io::Result<u32>),
    ) {
        let mut first = 0;
        let mut retried = None;
        while first < parcels.len() {
            let batch = &parcels[first..parcels.len().min(first + BATCH)];
            match self.room.send(&self.inner, batch) {
                Ok(count) => {
                    for index in first..first + count {
                        each(index, Ok(self.next_number));
                        self.next_number = self.next_number.wrapping_add(1);
                    }
                    first += count;
                }
                Err(error) => {
                    self.restart_numbers();
                    // An ICMP error about an earlier packet is told once, in the
                    // place of this one's sending (ip(7), IP_RECVERR).
                    if retried == Some(first) {
                        each(first, Err(error));
                        first += 1;
                    } else {
                        retried = Some(first);
                    }
                }
            }
        }
    }

    /// Whether a packet that failed was counted depends on where it failed.
    fn restart_numbers(&mut self) {
        let none = TimestampingFlag::empty();
        // Both have succeeded before; at worst a departure is not known.
        let _ = setsockopt(&self.inner, sockopt::Timestamping, &none);
        let _ = setsockopt(&self.inner, sockopt::Timestamping, &stamps());
        self.next_number = 0;
    }

    /// Everything that has arrived.
    pub(super) fn receive(&mut self, mut each: impl FnMut(Arrival<'_>)) -> io::Result<()> {
        while self.room.receive(&self.inner, 0)? {
            for received in self.room.received() {
                if let Some(arrival) = received.arrival() {
                    each(arrival);
                }
            }
        }
        Ok(())
    }

    /// Everything that the error queue holds.
    pub(super) fn notices(&mut self, mut each: impl FnMut(Notice<'_>)) -> io::Result<()> {
        while self.room.receive(&self.inner, libc::MSG_ERRQUEUE)? {
            for received in self.room.received() {
                if let Some(notice) = received.notice() {
                    each(notice);
                }
            }
        }
        Ok(())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

fn stamps() -> TimestampingFlag {
    TimestampingFlag::SOF_TIMESTAMPING_SOFTWARE
        | TimestampingFlag::SOF_TIMESTAMPING_RX_SOFTWARE
        | TimestampingFlag::SOF_TIMESTAMPING_TX_SOFTWARE
        | TimestampingFlag::SOF_TIMESTAMPING_OPT_ID
        | TimestampingFlag::SOF_TIMESTAMPING_OPT_TSONLY
}

/// What `sendmmsg` and `recvmmsg` read from and write to.
struct Room {
    slots: Box<[Slot]>,
    filled: usize,
}

#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Slot {
    /// A `sockaddr_in` or `sockaddr_in6`.
    name: [u8; NAME],
    control: [u8; CONTROL],
    octets: [u8; OCTETS],
    name_length: usize,
    control_length: usize,
    length: usize,
}

impl Room {
    fn new() -> Self {
        let empty = Slot {
            name: [0; NAME],
            control: [0; CONTROL],
            octets: [0; OCTETS],
            name_length: 0,
            control_length: 0,
            length: 0,
        };
        Self {
            slots: vec![empty; BATCH].into(),
            filled: 0,
        }
    }

    /// How many were sent: at least one.
    fn send(&mut self, socket: &socket2::Socket, parcels: &[Parcel]) -> io::Result<usize> {
        for (slot, parcel) in self.slots.iter_mut().zip(parcels) {
            slot.write(parcel);
        }
        let count = parcels.len().min(self.slots.len());
        let (sent, _) = self.call(count, |headers, count| {
            // SAFETY: `headers` points at `count` headers, whose pointers `call`
            // has set to slots that outlive the call.
            #[expect(unsafe_code, reason = "nix sends one control message with all packets")]
            unsafe {
                libc::sendmmsg(socket.as_raw_fd(), headers, count, libc::MSG_DONTWAIT)
            }
        })?;
        Ok(sent)
    }

    /// Fills the slots. `false`: there was nothing.
    fn receive(&mut self, socket: &socket2::Socket, flags: libc::c_int) -> io::Result<bool> {
        for slot in &mut self.slots {
            (slot.name_length, slot.control_length, slot.length) = (NAME, CONTROL, OCTETS);
        }
        self.filled = 0;
        let count = self.slots.len();
        let outcome = self.call(count, |headers, count| {
            // SAFETY: as for sending; the lengths are those of the slots' arrays.
            // No timeout is given.
            #[expect(unsafe_code, reason = "nix copies the timestamps' messages")]
            unsafe {
                libc::recvmmsg(
                    socket.as_raw_fd(),
                    headers,
                    count,
                    libc::MSG_DONTWAIT | flags,
                    std::ptr::null_mut(),
                )
            }
        });
        match outcome {
            Ok((filled, headers)) => {
                for (slot, header) in self.slots.iter_mut().zip(&headers[..filled]) {
                    slot.name_length = (header.msg_hdr.msg_namelen as usize).min(NAME);
                    slot.control_length = header.msg_hdr.msg_controllen.min(CONTROL);
                    slot.length = (header.msg_len as usize).min(OCTETS);
                }
                self.filled = filled;
                Ok(filled > 0)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            // An ICMP error, which the error queue tells too.
            Err(error) if is_about_a_packet(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn received(&self) -> &[Slot] {
        &self.slots[..self.filled]
    }

    fn call(
        &mut self,
        count: usize,
        syscall: impl FnOnce(*mut libc::mmsghdr, libc::c_uint) -> libc::c_int,
    ) -> io::Result<(usize, [libc::mmsghdr; BATCH])> {
        // SAFETY: all-zero bytes are a valid `mmsghdr`: null pointers, no lengths.
        #[expect(unsafe_code, reason = "its fields differ between systems")]
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
        let mut parts = [libc::iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: 0,
        }; BATCH];
        for ((slot, part), header) in self.slots.iter_mut().zip(&mut parts).zip(&mut headers) {
            part.iov_base = slot.octets.as_mut_ptr().cast();
            part.iov_len = slot.length;
            let header = &mut header.msg_hdr;
            header.msg_name = slot.name.as_mut_ptr().cast();
            header.msg_namelen = slot.name_length as libc::socklen_t;
            header.msg_iov = part;
            header.msg_iovlen = 1;
            header.msg_control = slot.control.as_mut_ptr().cast();
            header.msg_controllen = slot.control_length;
        }
        let count = count.min(BATCH);
        let done = syscall(headers.as_mut_ptr(), count as libc::c_uint);
        let done = nix::errno::Errno::result(done)?;
        Ok((usize::try_from(done).unwrap_or(0).min(count), headers))
    }
}

fn is_about_a_packet(error: &io::Error) -> bool {
    let about = [
        libc::ECONNREFUSED,
        libc::EHOSTUNREACH,
        libc::ENETUNREACH,
        libc::EHOSTDOWN,
        libc::ENOPROTOOPT,
        libc::EPROTO,
        libc::EACCES,
        libc::EMSGSIZE,
        libc::EOPNOTSUPP,
    ];
    error
        .raw_os_error()
        .is_some_and(|number| about.contains(&number))
}

impl Slot {
    fn write(&mut self, parcel: &Parcel) {
        self.name_length = write_name(&mut self.name, parcel);
        self.control_length = write_interface(&mut self.control, parcel);
        self.length = parcel.packet.len().min(OCTETS);
        self.octets[..self.length].copy_from_slice(&parcel.packet[..self.length]);
    }

    fn arrival(&self) -> Option<Arrival<'_>> {
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

    fn notice(&self) -> Option<Notice<'_>> {
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
/// Packets in one system call.
const BATCH: usize = 32;
const NAME: usize = size_of::<libc::sockaddr_in6>().next_multiple_of(8);
const CONTROL: usize = 256;
/// Longer packets are cut: no answer is.
const OCTETS: usize = 1536;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

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

    #[test]
    fn a_packet_to_ourselves_has_a_departure_and_an_arrival_in_that_order() {
        let open = || Socket::open(Family::Ipv4, Type::DGRAM, None, None).unwrap();
        let (mut sender, mut receiver) = (open(), open());
        receiver.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let bound = receiver.inner.local_addr().unwrap().as_socket().unwrap();
        let to = SocketAddr::from(([127, 0, 0, 1], bound.port()));
        let parcel = Parcel {
            to,
            ifindex: 0,
            from: None,
            packet: Packet::from_slice(b"hello"),
        };
        let mut numbers = Vec::new();
        sender.send(&vec![parcel; 3], |_, number| numbers.push(number.unwrap()));
        assert_eq!(numbers, [0, 1, 2]);
        let mut left = Vec::new();
        let notice = |notice: Notice<'_>| match notice {
            Notice::Left { number, at } => left.push((number, at)),
            other @ Notice::Refused { .. } => panic!("{other:?}"),
        };
        sender.notices(notice).unwrap();
        let mut arrived = Vec::new();
        receiver
            .receive(|arrival| {
                assert_eq!((arrival.octets, arrival.to), (&b"hello"[..], Some(to.ip())));
                arrived.push(arrival.at.unwrap());
            })
            .unwrap();
        assert_eq!((left.len(), arrived.len()), (3, 3));
        for ((_, left), arrived) in left.iter().zip(&arrived) {
            assert!(left <= arrived, "{left:?} {arrived:?}");
        }
    }

    #[test]
    fn numbers_start_anew_after_a_packet_that_could_not_be_sent() {
        let mut sender = Socket::open(Family::Ipv4, Type::DGRAM, None, None).unwrap();
        let parcel = |ifindex| Parcel {
            to: "127.0.0.1:9".parse().unwrap(),
            ifindex,
            from: None,
            packet: Packet::from_slice(b"x"),
        };
        let parcels = [parcel(0), parcel(u32::MAX >> 1), parcel(0)];
        let mut outcomes = Vec::new();
        sender.send(&parcels, |index, number| {
            outcomes.push((index, number.ok()))
        });
        assert_eq!(outcomes, [(0, Some(0)), (1, None), (2, Some(0))]);
    }
}
