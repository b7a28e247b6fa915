//! All probes of one kind and family, through one socket (for each VRF one): from a
//! token to a packet and back.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use bgp_core::Family;
use bgp_core::path::Kind;
use socket2::{Domain, Protocol, Type};

use super::clock::Now;
use super::interface::Vrf;
use super::mark::{Mark, TOKEN, Token};
use super::socket::{Arrival, Notice, Packet, Parcel, Refusal, Socket};
use super::stamp::{self, Reply};
use super::{icmp, tcp};

/// What a channel is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Purpose {
    pub(super) kind: Kind,
    pub(super) family: Family,
    pub(super) vrf: Option<Vrf>,
}

pub(super) struct Channel {
    purpose: Purpose,
    mark: Mark,
    socket: Socket,
    /// TCP ports that nobody else uses while these are bound.
    ports: Vec<(u16, socket2::Socket)>,
    /// To be sent.
    parcels: Vec<Parcel>,
    tokens: Vec<Token>,
    /// Sent, until the kernel says when.
    departing: VecDeque<(u32, Token)>,
}

/// A probe to be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    pub(super) token: Token,
    pub(super) to: SocketAddr,
    pub(super) ifindex: u32,
    /// Our own address, where the packet's checksum needs it.
    pub(super) from: Option<IpAddr>,
}

/// What became of probes.
#[derive(Debug)]
pub(super) enum Heard {
    Left {
        token: Token,
        at: Duration,
    },
    Answer {
        of: Of,
        from: SocketAddr,
        /// `None`: not known.
        ifindex: Option<u32>,
        at: Option<Duration>,
    },
    /// By the host itself, for nobody reflects there.
    Refused(Token),
}

/// Which probe an answer belongs to.
#[derive(Debug)]
pub(super) enum Of {
    Token(Token),
    /// The target, and the lower half of the probe's number.
    Half {
        slot: u16,
        sequence: u16,
    },
    /// The newest to that address.
    Newest,
    Reflected(Reply),
}

impl Channel {
    pub(super) fn open(purpose: Purpose, mark: Mark) -> io::Result<Self> {
        let family = purpose.family;
        let (kind, protocol) = match (purpose.kind, family) {
            (Kind::Icmp, Family::Ipv4) => (Type::RAW, Some(Protocol::ICMPV4)),
            (Kind::Icmp, Family::Ipv6) => (Type::RAW, Some(Protocol::ICMPV6)),
            (Kind::Tcp, _) => (Type::RAW, Some(Protocol::TCP)),
            (Kind::Udp | Kind::Stamp, _) => (Type::DGRAM, None),
        };
        let vrf = purpose.vrf.as_ref().map(|vrf| &*vrf.name);
        let socket = Socket::open(family, kind, protocol, vrf)?;
        let mut ports = Vec::new();
        match purpose.kind {
            Kind::Icmp => socket.filter(&icmp::filter(family, mark))?,
            Kind::Tcp => {
                socket.filter(&tcp::filter(family))?;
                if family == Family::Ipv6 {
                    socket.checksum_at(tcp::CHECKSUM as libc::c_int)?;
                }
                ports = reserve_ports(family, vrf)?;
            }
            Kind::Udp | Kind::Stamp => socket.bind(SocketAddr::new(unspecified(family), 0))?,
        }
        Ok(Self {
            purpose,
            mark,
            socket,
            ports,
            parcels: Vec::new(),
            tokens: Vec::new(),
            departing: VecDeque::new(),
        })
    }

    /// To be sent with the next [`Channel::flush`].
    pub(super) fn queue(&mut self, probe: Probe) {
        let mut to = probe.to;
        let packet = match self.purpose.kind {
            Kind::Icmp => icmp::request(self.purpose.family, self.mark, probe.token),
            Kind::Udp => {
                let mut octets = [0; UDP_LENGTH];
                self.mark.write(probe.token, &mut octets);
                Packet::from_slice(&octets)
            }
            Kind::Tcp => {
                let ends = tcp::Ends {
                    from: probe.from.unwrap_or(unspecified(self.purpose.family)),
                    from_port: self.port(probe.token),
                    to: to.ip(),
                    to_port: to.port(),
                };
                // A raw socket's address has no port.
                to.set_port(0);
                tcp::request(self.mark, probe.token, ends)
            }
            Kind::Stamp => Packet::from_slice(&stamp::request(probe.token, Now::read().wall)),
        };
        self.parcels.push(Parcel {
            to,
            ifindex: probe.ifindex,
            from: probe.from,
            packet,
        });
        self.tokens.push(probe.token);
    }

    /// A far end, or a firewall, may remember the last SYN for a while.
    fn port(&self, token: Token) -> u16 {
        let turn = usize::from(token.slot).wrapping_add(token.sequence as usize);
        let ports = self.ports.get(turn % self.ports.len().max(1));
        ports.map_or(0, |(port, _)| *port)
    }

    /// Sends what is queued; `failed` is told of what could not be. Whether there
    /// was anything.
    pub(super) fn flush(&mut self, mut failed: impl FnMut(Token, &io::Error)) -> bool {
        if self.parcels.is_empty() {
            return false;
        }
        let (departing, tokens) = (&mut self.departing, &self.tokens);
        self.socket.send(&self.parcels, |index, outcome| {
            let token = tokens[index];
            match outcome {
                Ok(number) => departing.push_back((number, token)),
                Err(error) => failed(token, &error),
            }
        });
        self.parcels.clear();
        self.tokens.clear();
        // Departures that are never told.
        let excess = departing.len().saturating_sub(MOST_DEPARTING);
        departing.drain(..excess);
        true
    }

    /// Everything that was heard meanwhile, departures first.
    pub(super) fn receive(&mut self, mut each: impl FnMut(Heard)) -> io::Result<()> {
        let Self {
            socket,
            departing,
            mark,
            purpose,
            ports,
            ..
        } = self;
        socket.notices(|notice| {
            let heard = match notice {
                Notice::Left { number, at } => left(departing, number, at),
                Notice::Refused {
                    by,
                    to,
                    at,
                    payload,
                } => refused(purpose.kind, *mark, by, to, at, payload),
            };
            heard.into_iter().for_each(&mut each);
        })?;
        socket.receive(|arrival| {
            let heard = match purpose.kind {
                Kind::Icmp => icmp::answer(purpose.family, *mark, arrival.octets).map(Of::Token),
                Kind::Udp => Some(mark.read(arrival.octets).map_or(Of::Newest, Of::Token)),
                Kind::Stamp => Reply::read(arrival.octets).map(Of::Reflected),
                Kind::Tcp => tcp::answer(purpose.family, *mark, arrival.octets)
                    .filter(|answer| ports.iter().any(|(port, _)| *port == answer.to_port))
                    .map(|answer| Of::Half {
                        slot: answer.slot,
                        sequence: answer.sequence,
                    }),
            };
            if let Some(of) = heard {
                each(answer(of, &arrival));
            }
        })
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn answer(of: Of, arrival: &Arrival<'_>) -> Heard {
    Heard::Answer {
        of,
        from: arrival.from,
        ifindex: Some(arrival.ifindex),
        at: arrival.at,
    }
}

fn left(departing: &mut VecDeque<(u32, Token)>, number: u32, at: Duration) -> Option<Heard> {
    let index = departing.iter().position(|(one, _)| *one == number)?;
    let (_, token) = departing.remove(index)?;
    Some(Heard::Left { token, at })
}

/// A host where nobody listens on the port is there all the same.
fn refused(
    kind: Kind,
    mark: Mark,
    by: Refusal,
    to: SocketAddr,
    at: Option<Duration>,
    payload: &[u8],
) -> Option<Heard> {
    match (kind, by) {
        (Kind::Udp, Refusal::PortUnreachable) => Some(Heard::Answer {
            // RFC 792 has only 8 octets of the packet come back, though most send more.
            of: mark.read(payload).map_or(Of::Newest, Of::Token),
            from: to,
            ifindex: None,
            at,
        }),
        // No reflector, at present: that says nothing about the path.
        (Kind::Stamp, Refusal::PortUnreachable) => stamp::token(payload).map(Heard::Refused),
        _ => None,
    }
}

fn reserve_ports(family: Family, vrf: Option<&str>) -> io::Result<Vec<(u16, socket2::Socket)>> {
    let one = |_| {
        let address = SocketAddr::new(unspecified(family), 0);
        let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if family == Family::Ipv6 {
            socket.set_only_v6(true)?;
        }
        // Each VRF has ports of its own.
        socket.bind_device(vrf.map(str::as_bytes))?;
        socket.bind(&address.into())?;
        let port = socket.local_addr()?.as_socket().map(|own| own.port());
        Ok((port.unwrap_or(0), socket))
    };
    (0..PORTS).map(one).collect()
}

fn unspecified(family: Family) -> IpAddr {
    match family {
        Family::Ipv4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::Ipv6 => Ipv6Addr::UNSPECIFIED.into(),
    }
}

const UDP_LENGTH: usize = 2 * TOKEN;
const PORTS: usize = 16;
/// More than are sent between two looks at the error queue.
const MOST_DEPARTING: usize = 4096;
