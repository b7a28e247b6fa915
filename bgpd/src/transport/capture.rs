//! What TCP segments arrive from one peer's address, those included that the
//! kernel's MD5 check drops: a raw socket sees them first. Nothing wakes for
//! it; segments wait in the socket until somebody looks.

use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};

use socket2::{Domain, Protocol, Socket, Type};

use super::tcp_md5::Segment;

pub(super) struct Capture {
    socket: Socket,
    local: IpAddr,
    remote: IpAddr,
    _place: Place,
}

/// One of [`PLACES`]: the kernel shows each segment that arrives, of any session, to
/// every raw socket in turn.
struct Place;

static TAKEN: AtomicUsize = AtomicUsize::new(0);
const PLACES: usize = 64;

impl Capture {
    /// Needs CAP_NET_RAW, and a place. `remote`'s port is of no account.
    pub(super) fn open(remote: SocketAddr, local: Option<IpAddr>) -> io::Result<Self> {
        let place = Place::take()?;
        let socket = Socket::new(Domain::for_address(remote), Type::RAW, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_recv_buffer_size(BUFFER)?;
        if let Some(local) = local {
            socket.bind(&SocketAddr::new(local, 0).into())?;
        }
        // Connected, it takes only what comes from the peer to us.
        let mut address = remote;
        address.set_port(0);
        socket.connect(&address.into())?;
        let local = socket
            .local_addr()?
            .as_socket()
            .map_or(Ipv4Addr::UNSPECIFIED.into(), |local| local.ip());
        Ok(Self {
            socket,
            local,
            remote: remote.ip(),
            _place: place,
        })
    }

    /// Shows every segment that has arrived since the last call.
    pub(super) fn drain(&self, mut see: impl FnMut(&Segment<'_>)) {
        let mut packet = [0; 2048];
        while let Ok(length) = (&self.socket).read(&mut packet) {
            let packet = packet.get(..length).unwrap_or_default();
            if let Some(segment) = self.segment(packet) {
                see(&segment);
            }
        }
    }

    fn segment<'a>(&self, packet: &'a [u8]) -> Option<Segment<'a>> {
        match (self.remote, self.local) {
            // IPv4 raw sockets show the IP header, IPv6 ones do not.
            (IpAddr::V4(_), _) => {
                let header = usize::from(packet.first()? & 0x0f) * 4;
                let address = |at: usize| -> Option<IpAddr> {
                    let octets: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
                    Some(IpAddr::from(octets))
                };
                Segment::new(address(12)?, address(16)?, packet.get(header..)?)
            }
            (remote @ IpAddr::V6(_), local) => Segment::new(remote, local, packet),
        }
    }
}

impl Place {
    fn take() -> io::Result<Self> {
        if TAKEN.fetch_add(1, Ordering::Relaxed) < PLACES {
            return Ok(Self);
        }
        TAKEN.fetch_sub(1, Ordering::Relaxed);
        Err(io::Error::other(format!(
            "{PLACES} peers are watched already"
        )))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        TAKEN.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Enough for the SYNs of some minutes.
const BUFFER: usize = 64 * 1024;
