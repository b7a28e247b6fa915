//! One neighbor's end of its session.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bgp_core::Family;
use bgp_core::wire::{self, Capabilities, Codec, Message, Open};
use bytes::{Buf, Bytes, BytesMut};
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::count::{self, Present};
use super::lane::Neighbor;

pub struct Session {
    pub neighbor: Neighbor,
    /// What it has been told, if anybody wants to know.
    pub present: Option<Present>,
    /// When the number of prefixes last changed.
    pub last_change: Instant,
    pub last_update: Instant,
    pub updates: u64,
    /// The longest time in which the speaker said nothing.
    pub longest_silence: Duration,
    number: u64,
    hold_time: Duration,
    phase: Phase,
    /// The beginning of a message whose end has not come.
    rest: Vec<u8>,
    to_send: VecDeque<Bytes>,
    heard: Instant,
    spoke: Instant,
}

enum Phase {
    Idle { dial_at: Instant },
    Connecting(TcpStream),
    OpenSent(TcpStream),
    OpenConfirm(TcpStream),
    Established(TcpStream),
}

impl Session {
    /// `number` comes back with its events.
    pub fn new(neighbor: Neighbor, hold_time: Duration, number: u64) -> Self {
        let now = Instant::now();
        Self {
            neighbor,
            present: None,
            last_change: now,
            last_update: now,
            updates: 0,
            longest_silence: Duration::ZERO,
            number,
            hold_time,
            phase: Phase::Idle { dial_at: now },
            rest: vec![],
            to_send: VecDeque::new(),
            heard: now,
            spoke: now,
        }
    }

    pub fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Established(_))
    }

    /// Whether everything that it was given is in the kernel's hands.
    pub fn has_sent_all(&self) -> bool {
        self.to_send.is_empty()
    }

    pub fn feed(&mut self, messages: Bytes, epoll: &Epoll) -> anyhow::Result<()> {
        self.to_send.push_back(messages);
        self.write(epoll)
    }

    /// Something has happened to its socket.
    pub fn serve(
        &mut self,
        events: EpollFlags,
        chunk: &mut [u8],
        epoll: &Epoll,
    ) -> anyhow::Result<()> {
        let was_up = self.is_up();
        let served = self.served(events, chunk, epoll);
        match served {
            // The speaker may not be ready for it yet.
            Err(error) if !was_up => {
                tracing::debug!("{}: {error:#}; dialling again", self.neighbor.address);
                self.phase = Phase::Idle {
                    dial_at: Instant::now() + REDIAL,
                };
                self.rest.clear();
                self.to_send.clear();
                Ok(())
            }
            other => other,
        }
    }

    pub fn is_to_dial(&self, now: Instant) -> bool {
        matches!(self.phase, Phase::Idle { dial_at } if dial_at <= now)
    }

    /// Dialled, and not yet Established.
    pub const fn is_on_the_way(&self) -> bool {
        !matches!(self.phase, Phase::Idle { .. } | Phase::Established(_))
    }

    /// Keeps the session alive; `Err` where the speaker doesn't.
    pub fn look_at_clock(&mut self, now: Instant, epoll: &Epoll) -> anyhow::Result<()> {
        if !self.is_up() {
            return Ok(());
        }
        let silence = now.saturating_duration_since(self.heard);
        if silence > self.hold_time {
            bail!("the speaker has said nothing for {silence:?}: hold timer expired");
        }
        let since_we_spoke = now.saturating_duration_since(self.spoke);
        if since_we_spoke > self.hold_time / 3 && self.to_send.is_empty() {
            self.send(&Message::Keepalive, epoll)?;
        }
        Ok(())
    }

    pub fn dial(&mut self, speaker: SocketAddr, epoll: &Epoll) -> anyhow::Result<()> {
        let socket = Socket::new(
            Domain::for_address(speaker),
            Type::STREAM.nonblocking(),
            Some(Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        socket.set_tcp_nodelay(true)?;
        socket.bind(&SocketAddr::from((self.neighbor.address, 0)).into())?;
        match socket.connect(&speaker.into()) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => {
                return Err(error).context("dialling");
            }
            _ => {}
        }
        let stream = TcpStream::from(socket);
        epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLOUT, self.number))?;
        self.phase = Phase::Connecting(stream);
        Ok(())
    }

    /// Its end will be a TCP reset, not a farewell.
    pub fn reset_on_close(&self) -> anyhow::Result<()> {
        if let Some(stream) = self.phase.stream() {
            SockRef::from(stream).set_linger(Some(Duration::ZERO))?;
        }
        Ok(())
    }

    fn served(
        &mut self,
        events: EpollFlags,
        chunk: &mut [u8],
        epoll: &Epoll,
    ) -> anyhow::Result<()> {
        if let Phase::Connecting(stream) = &self.phase {
            if let Some(error) = stream.take_error()? {
                return Err(error.into());
            }
            self.advance();
            return self.send(&Message::Open(open(&self.neighbor, self.hold_time)), epoll);
        }
        if events.contains(EpollFlags::EPOLLOUT) {
            self.write(epoll)?;
        }
        if events.intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR) {
            self.read(chunk, epoll)?;
        }
        Ok(())
    }

    /// One chunk, so that no session starves the others.
    fn read(&mut self, chunk: &mut [u8], epoll: &Epoll) -> anyhow::Result<()> {
        let Some(mut stream) = self.phase.stream() else {
            return Ok(());
        };
        let before = self.rest.len();
        chunk[..before].copy_from_slice(&self.rest);
        let length = match stream.read(&mut chunk[before..]) {
            Ok(0) => bail!("the speaker closed the connection"),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let now = Instant::now();
        if self.is_up() {
            let silence = now.saturating_duration_since(self.heard);
            self.longest_silence = self.longest_silence.max(silence);
        }
        self.heard = now;
        let mut bytes = &chunk[..before + length];
        let count_before = self.count();
        while let Some(message) = count::message(bytes).map_err(anyhow::Error::msg)? {
            self.receive(message.kind, message.body, epoll)?;
            bytes = message.rest;
        }
        if self.count() != count_before {
            self.last_change = now;
        }
        self.rest.clear();
        self.rest.extend_from_slice(bytes);
        Ok(())
    }

    pub fn count(&self) -> usize {
        self.present.as_ref().map_or(0, Present::count)
    }

    fn receive(&mut self, kind: u8, body: &[u8], epoll: &Epoll) -> anyhow::Result<()> {
        match (kind, &self.phase) {
            (count::UPDATE, Phase::Established(_)) => {
                self.updates += 1;
                self.last_update = self.heard;
                if let Some(present) = &mut self.present {
                    present.update(body).context("a malformed UPDATE")?;
                }
                Ok(())
            }
            (count::OPEN, Phase::OpenSent(_)) => {
                self.advance();
                self.send(&Message::Keepalive, epoll)
            }
            (count::KEEPALIVE, Phase::OpenConfirm(_)) => {
                self.advance();
                Ok(())
            }
            (count::KEEPALIVE, Phase::Established(_)) => Ok(()),
            (count::NOTIFICATION, _) => bail!("the speaker sent NOTIFICATION {:?}", body.get(..2)),
            (kind, _) => bail!("an unexpected message of type {kind}"),
        }
    }

    fn send(&mut self, message: &Message, epoll: &Epoll) -> anyhow::Result<()> {
        let mut out = BytesMut::new();
        wire::encode(message, &codec(Family::Ipv4), &mut out)?;
        self.feed(out.freeze(), epoll)
    }

    /// As much as the kernel takes; it will say when it takes more.
    fn write(&mut self, epoll: &Epoll) -> anyhow::Result<()> {
        let Some(mut stream) = self.phase.stream() else {
            return Ok(());
        };
        while let Some(next) = self.to_send.front_mut() {
            match stream.write(next) {
                Ok(length) => next.advance(length),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
            self.spoke = Instant::now();
            if next.is_empty() {
                self.to_send.pop_front();
            }
        }
        let mut wanted = EpollFlags::EPOLLIN;
        wanted.set(EpollFlags::EPOLLOUT, !self.to_send.is_empty());
        epoll.modify(stream, &mut EpollEvent::new(wanted, self.number))?;
        Ok(())
    }

    /// Into the next phase, with the same connection.
    fn advance(&mut self) {
        let phase = std::mem::replace(
            &mut self.phase,
            Phase::Idle {
                dial_at: self.heard,
            },
        );
        self.phase = match phase {
            Phase::Connecting(stream) => Phase::OpenSent(stream),
            Phase::OpenSent(stream) => Phase::OpenConfirm(stream),
            Phase::OpenConfirm(stream) => Phase::Established(stream),
            last => last,
        };
    }
}

impl Phase {
    const fn stream(&self) -> Option<&TcpStream> {
        match self {
            Self::Idle { .. } | Self::Connecting(_) => None,
            Self::OpenSent(stream) | Self::OpenConfirm(stream) | Self::Established(stream) => {
                Some(stream)
            }
        }
    }
}

/// What both ends agree on.
pub fn codec(family: Family) -> Codec {
    Codec {
        four_octet_as: true,
        extended_messages: false,
        families: [family].into_iter().collect(),
        internal: false,
    }
}

fn open(neighbor: &Neighbor, hold_time: Duration) -> Open {
    Open {
        asn: neighbor.asn,
        hold_time: u16::try_from(hold_time.as_secs()).unwrap_or(u16::MAX),
        router_id: neighbor.router_id,
        capabilities: Capabilities {
            families: vec![Family::of(neighbor.address)],
            four_octet_as: true,
            route_refresh: true,
            ..Capabilities::default()
        },
    }
}

const REDIAL: Duration = Duration::from_millis(100);
