//! The driver's own end of a session: as little BGP as it takes to be believed.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bgp_core::wire::{self, Capabilities, Codec, Message, Open};
use bgp_core::{Asn, Family, RouterId};
use bytes::BytesMut;
use socket2::{Domain, Protocol, Socket, Type};

use crate::wait;

/// One of the driver's speakers.
#[derive(Clone, Copy, Debug)]
pub struct Neighbor {
    pub address: Ipv4Addr,
    pub asn: Asn,
}

/// An established session.
pub struct Session {
    stream: TcpStream,
    received: BytesMut,
    chunk: Vec<u8>,
}

/// Longer than any run, so that nobody needs to send KEEPALIVEs.
pub const HOLD_TIME: u16 = 3600;

/// What both ends agree on.
pub fn codec() -> Codec {
    Codec {
        four_octet_as: true,
        extended_messages: false,
        families: [Family::Ipv4].into_iter().collect(),
        internal: false,
    }
}

impl Session {
    /// Dials until the speaker answers and the session is Established.
    pub fn establish(
        neighbor: Neighbor,
        speaker: SocketAddr,
        patience: Duration,
    ) -> anyhow::Result<Self> {
        let deadline = Instant::now() + patience;
        loop {
            match Self::dial(neighbor, speaker) {
                Ok(session) => return Ok(session),
                Err(error) if Instant::now() > deadline => {
                    return Err(error.context(format!("no session from {}", neighbor.address)));
                }
                Err(_) => wait::pause(Duration::from_millis(100))?,
            }
        }
    }

    fn dial(neighbor: Neighbor, speaker: SocketAddr) -> anyhow::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::from((neighbor.address, 0)).into())?;
        socket.connect_timeout(&speaker.into(), Duration::from_secs(2))?;
        socket.set_tcp_nodelay(true)?;
        let mut session = Self {
            stream: socket.into(),
            received: BytesMut::new(),
            chunk: vec![0; 1 << 18],
        };
        session
            .stream
            .set_read_timeout(Some(Duration::from_secs(10)))?;
        session.send(&Message::Open(open(neighbor)))?;
        let opened = session.receive().context("waiting for OPEN")?;
        if !matches!(opened, Message::Open(_)) {
            bail!("{opened:?} instead of OPEN");
        }
        session.send(&Message::Keepalive)?;
        let confirmed = session.receive().context("waiting for KEEPALIVE")?;
        if confirmed != Message::Keepalive {
            bail!("{confirmed:?} instead of KEEPALIVE");
        }
        session.stream.set_read_timeout(None)?;
        Ok(session)
    }

    /// Another handle on the same connection, to write from another thread.
    pub fn writer(&self) -> io::Result<TcpStream> {
        self.stream.try_clone()
    }

    /// The next message; an error when the session ends.
    pub fn receive(&mut self) -> anyhow::Result<Message> {
        loop {
            let frame = wire::frame(&mut self.received, &codec());
            if let Some(frame) = frame.map_err(|wrong| anyhow::anyhow!("{wrong:?}"))? {
                let decoded = wire::decode(&frame, &codec());
                return Ok(decoded
                    .map_err(|wrong| anyhow::anyhow!("{wrong:?}"))?
                    .message);
            }
            match self.stream.read(&mut self.chunk)? {
                0 => bail!("the connection was closed"),
                length => self.received.extend_from_slice(&self.chunk[..length]),
            }
        }
    }

    /// Reads and forgets everything until the session ends.
    pub fn drain(mut self) {
        while matches!(self.stream.read(&mut self.chunk), Ok(1..)) {}
    }

    fn send(&mut self, message: &Message) -> anyhow::Result<()> {
        let mut out = BytesMut::new();
        wire::encode(message, &codec(), &mut out)?;
        Ok(self.stream.write_all(&out)?)
    }
}

fn open(neighbor: Neighbor) -> Open {
    Open {
        asn: neighbor.asn,
        hold_time: HOLD_TIME,
        router_id: RouterId(neighbor.address),
        capabilities: Capabilities {
            families: vec![Family::Ipv4],
            four_octet_as: true,
            route_refresh: true,
            ..Capabilities::default()
        },
    }
}
