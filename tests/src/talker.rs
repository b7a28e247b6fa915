//! A BGP peer by hand: octets out, messages in.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::Context;
use bgp_core::wire::{self, Codec, Message, Notification};
use bytes::BytesMut;
use hostile_inputs::{End, Session, Stage};
use socket2::{Domain, Socket, Type};

pub(crate) struct Talker {
    stream: TcpStream,
    inbound: BytesMut,
    /// What the other end has said last, once it has.
    heard: Vec<u8>,
    notification: Option<Notification>,
    closed: bool,
}

impl Talker {
    /// Connects; the thread is in the right namespace.
    pub(crate) fn connect(from: Ipv4Addr, to: Ipv4Addr) -> io::Result<Self> {
        let at = |address, port| SocketAddr::new(IpAddr::V4(address), port);
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&at(from, 0).into())?;
        socket.connect_timeout(&at(to, PORT).into(), PATIENCE)?;
        socket.set_tcp_nodelay(true)?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream: socket.into(),
            inbound: BytesMut::new(),
            heard: vec![],
            notification: None,
            closed: false,
        })
    }

    /// Connects and brings the session to this stage. Where one before it ended a
    /// moment ago, the other end may not have read that yet: it calls this one a
    /// collision, and the next one is right.
    pub(crate) fn at(
        from: Ipv4Addr,
        to: Ipv4Addr,
        session: Session,
        stage: Stage,
    ) -> anyhow::Result<Self> {
        let end = Instant::now() + PATIENCE;
        loop {
            let mut talker =
                Self::connect(from, to).with_context(|| format!("connecting from {from}"))?;
            match talker.advance(session, stage) {
                Err(_) if talker.end() == COLLISION && Instant::now() < end => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(error) => return Err(error),
                Ok(()) => return Ok(talker),
            }
        }
    }

    fn advance(&mut self, session: Session, stage: Stage) -> anyhow::Result<()> {
        self.expect(OPEN)?;
        if stage > Stage::OpenExpected {
            self.send(&session.open(HOLD_TIME))?;
            self.expect(KEEPALIVE)?;
        }
        if stage > Stage::KeepaliveExpected {
            self.send(&keepalive())?;
        }
        Ok(())
    }

    pub(crate) fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.stream.write_all(octets)
    }

    /// Waits for a message of this type.
    pub(crate) fn expect(&mut self, message_type: u8) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        while !self.heard.contains(&message_type) {
            anyhow::ensure!(
                !self.closed && Instant::now() < end,
                "no message of type {message_type}; heard {:?}, {:?}",
                self.heard,
                self.notification
            );
            self.listen(Duration::from_millis(200))?;
        }
        Ok(())
    }

    /// Whether a message of this type has been heard.
    pub(crate) fn has_heard(&self, message_type: u8) -> bool {
        self.heard.contains(&message_type)
    }

    /// Takes what comes within `patience`; returns at the first octet.
    pub(crate) fn listen(&mut self, patience: Duration) -> anyhow::Result<()> {
        if self.closed {
            return Ok(());
        }
        self.stream.set_read_timeout(Some(patience))?;
        let mut octets = [0; 65_536];
        match self.stream.read(&mut octets) {
            Ok(0) => self.closed = true,
            Ok(count) => self.inbound.extend_from_slice(&octets[..count]),
            Err(error) if is_timeout(&error) => return Ok(()),
            // A reset: the other end had closed with octets of ours unread.
            Err(_) => self.closed = true,
        }
        self.take_messages()
    }

    fn take_messages(&mut self) -> anyhow::Result<()> {
        // The other end's are never too long, and framed without fault.
        let codec = Codec {
            extended_messages: true,
            ..Codec::initial()
        };
        while let Some(frame) = wire::frame(&mut self.inbound, &codec)
            .map_err(|fault| anyhow::anyhow!("bgpd has sent a malformed message: {fault}"))?
        {
            self.heard.push(frame.message_type);
            if frame.message_type == NOTIFICATION
                && let Ok(decoded) = wire::decode(&frame, &codec)
                && let Message::Notification(notification) = decoded.message
            {
                self.notification = Some(notification);
            }
        }
        Ok(())
    }

    /// How the session ended, once it has.
    pub(crate) fn end(&self) -> End {
        match (&self.notification, self.closed) {
            (Some(notification), _) => End::Notification(notification.code, notification.subcode),
            (None, true) => End::Closed,
            (None, false) => End::Alive,
        }
    }

    /// Listens until the session has ended or `done` says so.
    pub(crate) fn listen_until(
        &mut self,
        patience: Duration,
        mut done: impl FnMut(&Self) -> bool,
    ) -> anyhow::Result<()> {
        let end = Instant::now() + patience;
        while !self.closed && !done(self) && Instant::now() < end {
            self.listen(Duration::from_millis(2))?;
        }
        Ok(())
    }
}

pub(crate) fn keepalive() -> Vec<u8> {
    hostile_inputs::message(KEEPALIVE, &[])
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

pub(crate) const OPEN: u8 = 1;
const NOTIFICATION: u8 = 3;
/// Cease, Connection Collision Resolution (RFC 4486).
const COLLISION: End = End::Notification(6, 7);
pub(crate) const KEEPALIVE: u8 = 4;
const HOLD_TIME: u16 = 90;
const PORT: u16 = 179;
const PATIENCE: Duration = Duration::from_secs(20);
