//! UDP for control packets (RFC 5881 §4, §5; RFC 5883 §5): one socket to receive
//! for each place that packets come to, one to send for each session, whose source
//! port is its own.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use bgp_core::Family;
use bgp_core::bfd::{self, LONGEST};
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};
use socket2::{Domain, Protocol, Type};

use super::Hops;

/// Where packets come to: sessions with the same share a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) hops: Hops,
    /// Unspecified: any of ours.
    pub(super) local: IpAddr,
    pub(super) interface: Option<String>,
}

pub(super) struct Receiver {
    pub(super) place: Place,
    pub(super) incoming: Incoming,
    bound: Bound,
}

pub(super) struct Incoming {
    socket: socket2::Socket,
    payload: [u8; ROOM],
    control: [u8; CONTROL],
}

/// A packet, and what the kernel says of it.
pub(super) struct Arrival<'b> {
    pub(super) from: IpAddr,
    pub(super) ttl: Option<u8>,
    /// Not before the socket was last empty, and not after now.
    pub(super) at: Instant,
    pub(super) payload: &'b [u8],
}

/// One moment by the clock of timers and by that of the kernel's receive stamps.
#[derive(Clone, Copy)]
pub(super) struct Now {
    pub(super) instant: Instant,
    wall: Duration,
    /// When the sockets were last found empty: nothing came before.
    pub(super) emptied: Instant,
}

pub(super) struct Sender {
    socket: socket2::Socket,
    to: socket2::SockAddr,
    bound: Bound,
}

/// The interface that a socket is bound to, if any, and its index then.
struct Bound(Option<(String, u32)>);

impl Bound {
    fn to(interface: Option<&str>) -> io::Result<Self> {
        Ok(Self(match interface {
            Some(name) => Some((name.to_owned(), if_nametoindex(name)?)),
            None => None,
        }))
    }

    /// Another interface has the name by now: the socket hears and sends nothing.
    fn is_renewed(&self) -> bool {
        self.0.as_ref().is_some_and(|(name, ifindex)| {
            if_nametoindex(name.as_str()).is_ok_and(|now| now != *ifindex)
        })
    }
}

impl Receiver {
    /// `others`: those that are open, which may have the port for more or less than
    /// this one. Nobody else may.
    pub(super) fn open(place: Place, others: &[Self]) -> io::Result<Self> {
        let bound = Bound::to(place.interface.as_deref())?;
        let socket = socket(place.local, place.interface.as_deref())?;
        match Family::of(place.local) {
            Family::Ipv4 => setsockopt(&socket, sockopt::Ipv4RecvTtl, &true)?,
            Family::Ipv6 => setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true)?,
        }
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        let port = match place.hops {
            Hops::Single => bfd::PORT,
            Hops::Multi => bfd::MULTIHOP_PORT,
        };
        let address = address(place.local, port, place.interface.as_deref())?.into();
        match socket.bind(&address) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && !others.is_empty() => {
                share(&socket, others, true)?;
                let bound = socket.bind(&address);
                share(&socket, others, false)?;
                bound?;
            }
            outcome => outcome?,
        }
        Ok(Self {
            place,
            incoming: Incoming {
                socket,
                payload: [0; ROOM],
                control: [0; CONTROL],
            },
            bound,
        })
    }

    /// Whether it hears nothing any more, whoever else still sends.
    pub(super) fn is_deaf(&self) -> bool {
        self.bound.is_renewed()
    }
}

impl Incoming {
    /// The next packet; `None`: the socket is empty.
    pub(super) fn receive(&mut self, now: &Now) -> Option<Arrival<'_>> {
        let mut parts = [IoSliceMut::new(&mut self.payload)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let fd = self.socket.as_raw_fd();
        let control = Some(&mut self.control[..]);
        let received = recvmsg::<SockaddrStorage>(fd, &mut parts, control, flags).ok()?;
        let (mut ttl, mut stamp) = (None, None);
        for message in received.cmsgs().into_iter().flatten() {
            match message {
                ControlMessageOwned::Ipv4Ttl(value) | ControlMessageOwned::Ipv6HopLimit(value) => {
                    ttl = u8::try_from(value).ok();
                }
                ControlMessageOwned::ScmTimestampns(at) => stamp = Some(Duration::from(at)),
                _ => {}
            }
        }
        let from = received.address.as_ref().map(ip);
        let length = received.bytes.min(ROOM);
        Some(Arrival {
            from: from.flatten().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            ttl,
            at: now.when(stamp),
            payload: &self.payload[..length],
        })
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.incoming.socket.as_fd()
    }
}

impl Now {
    #[expect(
        clippy::disallowed_methods,
        reason = "only what the kernel has dated is compared with it"
    )]
    pub(super) fn read(emptied: Instant) -> Self {
        let wall = clock_gettime(ClockId::CLOCK_REALTIME).map_or(Duration::ZERO, Duration::from);
        Self {
            instant: Instant::now(),
            wall,
            emptied,
        }
    }

    /// A stamp as a moment. Where the wall clock was set meanwhile it can't be far
    /// wrong, because of the bounds.
    fn when(&self, stamp: Option<Duration>) -> Instant {
        let age = stamp.and_then(|stamp| self.wall.checked_sub(stamp));
        let at = age.and_then(|age| self.instant.checked_sub(age));
        at.unwrap_or(self.instant).max(self.emptied)
    }
}

impl Sender {
    pub(super) fn open(place: &Place, remote: IpAddr) -> io::Result<Self> {
        let interface = place.interface.as_deref();
        let bound = Bound::to(interface)?;
        let socket = socket(place.local, interface)?;
        // RFC 5881 §5 for a single hop; over several the more the better.
        let ttl = u32::from(bfd::TTL);
        match Family::of(remote) {
            Family::Ipv4 => {
                socket.set_ttl_v4(ttl)?;
                socket.set_tos_v4(INTERNETWORK_CONTROL)?;
            }
            Family::Ipv6 => {
                socket.set_unicast_hops_v6(ttl)?;
                socket.set_tclass_v6(INTERNETWORK_CONTROL)?;
            }
        }
        bind_to_source_port(&socket, place)?;
        let port = match place.hops {
            Hops::Single => bfd::PORT,
            Hops::Multi => bfd::MULTIHOP_PORT,
        };
        Ok(Self {
            socket,
            to: address(remote, port, interface)?.into(),
            bound,
        })
    }

    /// Whether what the socket is bound to has gone, and another socket is needed.
    pub(super) fn is_gone(&self, error: &io::Error) -> bool {
        match error.raw_os_error() {
            Some(libc::ENODEV | libc::ENXIO | libc::EADDRNOTAVAIL | libc::EINVAL) => true,
            // So says IPv6 of an interface that was made anew, too.
            Some(libc::ENETUNREACH) => self.bound.is_renewed(),
            _ => false,
        }
    }

    pub(super) fn send(&self, packet: &[u8]) -> io::Result<()> {
        self.socket.send_to(packet, &self.to).map(drop)
    }
}

fn socket(local: IpAddr, interface: Option<&str>) -> io::Result<socket2::Socket> {
    let domain = match Family::of(local) {
        Family::Ipv4 => Domain::IPV4,
        Family::Ipv6 => Domain::IPV6,
    };
    let socket = socket2::Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if domain == Domain::IPV6 {
        socket.set_only_v6(true)?;
    }
    socket.bind_device(interface.map(str::as_bytes))?;
    Ok(socket)
}

/// The kernel asks for it only when a socket is bound, and gives a packet to the one
/// that is bound most closely.
fn share(socket: &socket2::Socket, others: &[Receiver], allowed: bool) -> io::Result<()> {
    for other in others {
        other.incoming.socket.set_reuse_address(allowed)?;
    }
    socket.set_reuse_address(allowed)
}

/// RFC 5881 §4: one of these, unique to the session; any of them, so that a
/// stranger has to guess.
fn bind_to_source_port(socket: &socket2::Socket, place: &Place) -> io::Result<()> {
    let ports = bfd::SOURCE_PORTS;
    let count = u64::from(ports.end() - ports.start()) + 1;
    let random = RandomState::new();
    let mut attempts = 0_u32;
    loop {
        let offset = (random.hash_one(attempts) % count) as u16;
        let port = ports.start() + offset;
        let bound = socket.bind(&address(place.local, port, place.interface.as_deref())?.into());
        attempts += 1;
        match bound {
            Err(error) if error.kind() == ErrorKind::AddrInUse && attempts < ATTEMPTS => {}
            outcome => return outcome,
        }
    }
}

/// A link-local address is of a link.
fn address(ip: IpAddr, port: u16, interface: Option<&str>) -> io::Result<SocketAddr> {
    match (ip, interface) {
        (IpAddr::V6(v6), Some(interface)) if v6.is_unicast_link_local() => {
            let scope = if_nametoindex(interface)?;
            Ok(SocketAddrV6::new(v6, port, 0, scope).into())
        }
        (ip, _) => Ok(SocketAddr::new(ip, port)),
    }
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
}

/// Any address of ours, of the family.
pub(super) const fn unspecified(family: Family) -> IpAddr {
    match family {
        Family::Ipv4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::Ipv6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

/// Longer packets are none of ours, whatever they hold.
const ROOM: usize = LONGEST + 204;
/// For a TTL and a stamp, aligned.
const CONTROL: usize = 64 + 2 * size_of::<TimeSpec>();
/// DSCP CS6 (RFC 4594 §3.2), as routing protocols have it.
const INTERNETWORK_CONTROL: u32 = 0xc0;
const ATTEMPTS: u32 = 64;
