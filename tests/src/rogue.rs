//! A BGP speaker that does what a case tells it, good or bad: as little of the
//! protocol as it takes to be believed, on a socket that is the case's own.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bgp_core::wire::{
    self, AsPath, Capabilities, Codec, Message, Notification, Open, Origin, PathAttributes,
    Prefixes, encode_announcement, encode_withdrawal,
};
use bgp_core::{Asn, Family, RouterId};
use bytes::BytesMut;
use ipnet::Ipv4Net;
use lab::wait;
use lab::world::Namespace;
use socket2::{Domain, Protocol, Socket, Type};

use crate::foreign::set_md5_key;
use crate::pair::our_address;

pub(crate) struct Rogue {
    pub(crate) stream: TcpStream,
    pub(crate) address: Ipv4Addr,
    received: BytesMut,
}

/// What is not as usual about a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wish<'k> {
    /// Octets that the kernel may hold for a reader that doesn't.
    pub(crate) receive_buffer: Option<usize>,
    pub(crate) key: Option<&'k str>,
}

/// Each speaker is an AS of its own.
pub(crate) fn asn(address: Ipv4Addr) -> Asn {
    Asn(64_700 + u32::from(address.octets()[3]))
}

/// `n` networks of one size, none in another.
pub(crate) fn networks(from: u32, count: u32) -> Vec<Ipv4Net> {
    let network = |number: u32| Ipv4Net::new_assert(((20 << 24) + (number << 8)).into(), 24);
    (from..from.saturating_add(count)).map(network).collect()
}

pub(crate) fn codec() -> Codec {
    Codec {
        four_octet_as: true,
        extended_messages: false,
        families: [Family::Ipv4].into_iter().collect(),
        internal: false,
    }
}

impl Rogue {
    /// A TCP connection to bgpd, and nothing more.
    pub(crate) fn connect(
        namespace: &Namespace,
        address: Ipv4Addr,
        wish: Wish<'_>,
    ) -> anyhow::Result<Self> {
        let stream = namespace.enter(|| dial(address, wish))??;
        Ok(Self {
            stream,
            address,
            received: BytesMut::new(),
        })
    }

    /// Tries until the session is Established.
    pub(crate) fn establish(
        namespace: &Namespace,
        address: Ipv4Addr,
        wish: Wish<'_>,
    ) -> anyhow::Result<Self> {
        wait::until(
            &format!("a session from {address}"),
            Duration::from_secs(30),
            || {
                let rogue = Self::connect(namespace, address, wish);
                rogue
                    .and_then(|mut rogue| rogue.open().map(|()| rogue))
                    .map_err(|error| format!("{error:#}"))
            },
        )
    }

    /// OPEN and KEEPALIVE, both ways.
    pub(crate) fn open(&mut self) -> anyhow::Result<()> {
        self.say(&self.own_open())?;
        self.expect(|message| matches!(message, Message::Open(_)))?;
        self.say(&Message::Keepalive)?;
        self.expect(|message| *message == Message::Keepalive)
    }

    pub(crate) fn own_open(&self) -> Message {
        Message::Open(Open {
            asn: asn(self.address),
            hold_time: HOLD_TIME,
            router_id: RouterId(self.address),
            capabilities: Capabilities {
                families: vec![Family::Ipv4],
                four_octet_as: true,
                route_refresh: true,
                ..Capabilities::default()
            },
        })
    }

    pub(crate) fn say(&mut self, message: &Message) -> anyhow::Result<()> {
        Ok(self.stream.write_all(&encoded(message)?)?)
    }

    /// UPDATEs for all of them, with one set of attributes for every 500.
    pub(crate) fn announcing(&self, networks: &[Ipv4Net]) -> anyhow::Result<BytesMut> {
        let mut out = BytesMut::new();
        for (number, group) in (1..).zip(networks.chunks(500)) {
            let path = AsPath::sequence([asn(self.address), Asn(number)]);
            let attributes = PathAttributes::new(Origin::Igp, path, IpAddr::V4(self.address));
            let prefixes = Prefixes::V4(group.to_vec());
            encode_announcement(&attributes, &prefixes, &codec(), &mut out)?;
        }
        Ok(out)
    }

    /// The next message.
    pub(crate) fn receive(&mut self) -> anyhow::Result<Message> {
        let mut chunk = [0; 1 << 14];
        loop {
            let frame = wire::frame(&mut self.received, &codec());
            if let Some(frame) = frame.map_err(|wrong| anyhow::anyhow!("{wrong:?}"))? {
                let decoded = wire::decode(&frame, &codec());
                return Ok(decoded
                    .map_err(|wrong| anyhow::anyhow!("{wrong:?}"))?
                    .message);
            }
            match self.stream.read(&mut chunk)? {
                0 => bail!("the connection was closed"),
                length => self.received.extend_from_slice(&chunk[..length]),
            }
        }
    }

    /// Passes over others until such a message comes; an error if it doesn't.
    pub(crate) fn expect(&mut self, wanted: impl Fn(&Message) -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let message = self.receive()?;
            if wanted(&message) {
                return Ok(());
            }
            if let Message::Notification(notification) = message {
                bail!("{notification}");
            }
            anyhow::ensure!(Instant::now() < deadline, "others came, for {PATIENCE:?}");
        }
    }

    /// The NOTIFICATION that ends the session, and when it came.
    pub(crate) fn last_words(&mut self) -> anyhow::Result<(Notification, Instant)> {
        loop {
            if let Message::Notification(notification) = self.receive()? {
                return Ok((notification, Instant::now()));
            }
        }
    }

    /// Writes the same octets again and again, as fast as they are taken, and reads
    /// what comes; how many octets were taken.
    pub(crate) fn flood(&self, octets: &[u8], goes_on: &AtomicBool) -> io::Result<u64> {
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| self.discard(goes_on));
            let written = self.pour(octets, goes_on);
            goes_on.store(false, Ordering::Relaxed);
            reader.join().unwrap_or(Ok(()))?;
            written
        })
    }

    fn pour(&self, octets: &[u8], goes_on: &AtomicBool) -> io::Result<u64> {
        let (mut taken, mut rest) = (0, octets);
        self.stream.set_write_timeout(Some(STEP))?;
        while goes_on.load(Ordering::Relaxed) {
            match (&self.stream).write(rest) {
                Ok(length) => {
                    taken += length as u64;
                    rest = rest
                        .get(length..)
                        .filter(|rest| !rest.is_empty())
                        .unwrap_or(octets);
                }
                Err(error) if is_timeout(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    /// Reads and forgets.
    pub(crate) fn discard(&self, goes_on: &AtomicBool) -> io::Result<()> {
        let mut chunk = vec![0; 1 << 18];
        self.stream.set_read_timeout(Some(STEP))?;
        while goes_on.load(Ordering::Relaxed) {
            match (&self.stream).read(&mut chunk) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if is_timeout(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The same connection, to read from in another thread.
    pub(crate) fn another_hand(&self) -> io::Result<Self> {
        Ok(Self {
            stream: self.stream.try_clone()?,
            address: self.address,
            received: self.received.clone(),
        })
    }

    /// Ends with a reset.
    pub(crate) fn reset(self) -> io::Result<()> {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))?;
        drop(self);
        Ok(())
    }
}

pub(crate) fn encoded(message: &Message) -> anyhow::Result<BytesMut> {
    let mut out = BytesMut::new();
    wire::encode(message, &codec(), &mut out)?;
    Ok(out)
}

pub(crate) fn withdrawing(networks: &[Ipv4Net]) -> BytesMut {
    let mut out = BytesMut::new();
    encode_withdrawal(&Prefixes::V4(networks.to_vec()), &codec(), &mut out);
    out
}

fn dial(address: Ipv4Addr, wish: Wish<'_>) -> anyhow::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    if let Some(octets) = wish.receive_buffer {
        socket.set_recv_buffer_size(octets)?;
    }
    let ours = our_address(Family::Ipv4);
    if let Some(key) = wish.key {
        set_md5_key(&socket, ours, key).context("TCP-MD5")?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((address, 0)).into())?;
    socket.connect_timeout(
        &SocketAddr::from((ours, 179)).into(),
        Duration::from_secs(2),
    )?;
    socket.set_tcp_nodelay(true)?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

/// bgpd's is shorter where a case needs it.
const HOLD_TIME: u16 = 90;
const PATIENCE: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(50);
