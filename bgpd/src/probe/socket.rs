//! Datagrams in batches, each out of the interface it names, with the kernel's
//! timestamps both ways (Linux's Documentation/networking/timestamping.rst).
//!
//! A packet's interface goes with it (IP_PKTINFO, RFC 3542 §6.1), which routes it as
//! SO_BINDTODEVICE would; so one socket serves all interfaces. Only a VRF is the
//! socket's own: a datagram socket outside hears nothing that arrives inside.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use bgp_core::Family;
use nix::sys::socket::{TimestampingFlag, setsockopt, sockopt};
use smallvec::SmallVec;
use socket2::{Domain, Protocol, SockFilter, Type};

mod layout;

use layout::Slot;

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
        loop {
            self.room.receive(&self.inner, 0)?;
            let received = self.room.received();
            received
                .iter()
                .filter_map(Slot::arrival)
                .for_each(&mut each);
            if received.len() < BATCH {
                return Ok(());
            }
        }
    }

    /// Everything that the error queue holds.
    pub(super) fn notices(&mut self, mut each: impl FnMut(Notice<'_>)) -> io::Result<()> {
        loop {
            self.room.receive(&self.inner, libc::MSG_ERRQUEUE)?;
            let received = self.room.received();
            received.iter().filter_map(Slot::notice).for_each(&mut each);
            if received.len() < BATCH {
                return Ok(());
            }
        }
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

impl Room {
    fn new() -> Self {
        Self {
            slots: vec![Slot::EMPTY; BATCH].into(),
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

    /// Fills the slots: not all of them once there is nothing more.
    fn receive(&mut self, socket: &socket2::Socket, flags: libc::c_int) -> io::Result<()> {
        self.slots.iter_mut().for_each(Slot::clear);
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
                    slot.fill(header);
                }
                self.filled = filled;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            // An ICMP error, which the error queue tells too.
            Err(error) if is_about_a_packet(&error) => Ok(()),
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

/// Packets in one system call.
const BATCH: usize = 32;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Instant;

    use super::*;

    #[test]
    fn a_packet_to_ourselves_has_a_departure_and_an_arrival_in_that_order() {
        let open = || Socket::open(Family::Ipv4, Type::DGRAM, None, None).unwrap();
        let (mut sender, mut receiver) = (open(), open());
        receiver.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let bound = receiver.inner.local_addr().unwrap().as_socket().unwrap();
        let to = SocketAddr::from(([127, 0, 0, 1], bound.port()));
        // The kernel begins to stamp what arrives a little after it was first asked.
        let patience = Instant::now() + Duration::from_secs(20);
        let (numbers, left, arrived) = loop {
            let numbers = send_three(&mut sender, to);
            let (left, arrived) = (departures(&mut sender), arrivals(&mut receiver, to));
            if arrived.iter().all(Option::is_some) || Instant::now() > patience {
                break (numbers, left, arrived);
            }
        };
        assert_eq!((left.len(), arrived.len()), (3, 3));
        for ((number, (left_number, left)), arrived) in numbers.iter().zip(&left).zip(&arrived) {
            assert_eq!(left_number, number);
            assert!(Some(*left) <= *arrived, "{left:?} {arrived:?}");
        }
    }

    fn send_three(sender: &mut Socket, to: SocketAddr) -> Vec<u32> {
        let parcel = Parcel {
            to,
            ifindex: 0,
            from: None,
            packet: Packet::from_slice(b"hello"),
        };
        let mut numbers = Vec::new();
        sender.send(&vec![parcel; 3], |_, number| numbers.push(number.unwrap()));
        assert!(
            numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]),
            "{numbers:?}"
        );
        numbers
    }

    fn departures(sender: &mut Socket) -> Vec<(u32, Duration)> {
        let mut left = Vec::new();
        let notice = |notice: Notice<'_>| match notice {
            Notice::Left { number, at } => left.push((number, at)),
            other @ Notice::Refused { .. } => panic!("{other:?}"),
        };
        sender.notices(notice).unwrap();
        left
    }

    fn arrivals(receiver: &mut Socket, to: SocketAddr) -> Vec<Option<Duration>> {
        let mut arrived = Vec::new();
        let arrival = |arrival: Arrival<'_>| {
            assert_eq!((arrival.octets, arrival.to), (&b"hello"[..], Some(to.ip())));
            arrived.push(arrival.at);
        };
        receiver.receive(arrival).unwrap();
        arrived
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
