//! One connection's bytes: what has come and is not yet a message, and what is
//! yet to be sent.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::task::Context;
use std::time::{Duration, Instant};

use bgp_core::peer::ConnectionId;
use bgp_core::wire::{self, Codec, Decoded, Message, Notification};
use bytes::{Buf, BytesMut};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::outgoing::Outgoing;
use crate::transport::Connection;

pub(super) struct Link {
    pub(super) id: ConnectionId,
    pub(super) local: IpAddr,
    pub(super) codec: Codec,
    stream: TcpStream,
    inbound: BytesMut,
    pub(super) outbound: Outgoing,
    /// Since when bytes have waited without one of them leaving.
    stalled_since: Option<Instant>,
    /// The socket takes nothing any more; reading will say why.
    broken: bool,
}

/// What reading has come to.
pub(super) enum Read {
    Bytes(usize),
    /// Nothing more for now.
    Empty,
    /// The connection's end, in words.
    Closed(String),
}

impl Link {
    pub(super) fn new(id: ConnectionId, connection: Connection) -> Self {
        Self {
            id,
            local: connection.local.ip(),
            codec: Codec::initial(),
            stream: connection.stream,
            inbound: BytesMut::new(),
            outbound: Outgoing::default(),
            stalled_since: None,
            broken: false,
        }
    }

    /// Reads once.
    pub(super) fn read(&mut self) -> Read {
        self.inbound.reserve(READ_SIZE);
        match self.stream.try_read_buf(&mut self.inbound) {
            Ok(0) => Read::Closed("the peer closed the connection".to_owned()),
            Ok(octets) => Read::Bytes(octets),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if self.inbound.is_empty() {
                    // Most of the time most peers say nothing.
                    self.inbound = BytesMut::new();
                }
                Read::Empty
            }
            Err(error) => Read::Closed(error.to_string()),
        }
    }

    /// The next whole message; the error is what to send before closing.
    pub(super) fn next_message(&mut self) -> Result<Option<Decoded>, Notification> {
        match wire::frame(&mut self.inbound, &self.codec)? {
            Some(frame) => wire::decode(&frame, &self.codec).map(Some),
            None => Ok(None),
        }
    }

    /// Whether bytes of the peer's wait to be read.
    pub(super) fn has_unread(&self) -> bool {
        let mut octet = [MaybeUninit::uninit()];
        SockRef::from(&self.stream)
            .peek(&mut octet)
            .is_ok_and(|octets| octets > 0)
    }

    pub(super) fn send(&mut self, message: &Message) {
        let mut octets = BytesMut::new();
        match wire::encode(message, &self.codec, &mut octets) {
            Ok(()) => self.outbound.push(octets.freeze()),
            Err(error) => tracing::error!(%error, "a message of our own cannot be encoded"),
        }
    }

    /// Writes what the socket takes now.
    pub(super) fn write(&mut self, now: Instant) {
        while !self.outbound.is_empty() && !self.broken {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = self.outbound.chunks_vectored(&mut slices);
            match self.stream.try_write_vectored(&slices[..filled]) {
                Ok(octets) => {
                    self.outbound.advance(octets);
                    self.stalled_since = None;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.stalled_since.get_or_insert(now);
                    return;
                }
                // What the peer said before may still be unread: its
                // NOTIFICATION tells more than this error.
                Err(_) => self.broken = true,
            }
        }
        if self.broken {
            self.outbound.clear();
            self.stalled_since = None;
        }
    }

    /// RFC 9687: when a peer that takes nothing is given up.
    pub(super) fn send_hold_at(&self, send_hold_time: Duration) -> Option<Instant> {
        self.stalled_since?.checked_add(send_hold_time)
    }

    pub(super) fn poll_readable(&self, context: &mut Context<'_>) -> bool {
        self.stream.poll_read_ready(context).is_ready()
    }

    pub(super) fn poll_writable(&self, context: &mut Context<'_>) -> bool {
        !self.outbound.is_empty() && self.stream.poll_write_ready(context).is_ready()
    }

    /// Sends what is left and closes so that the peer gets to read it: closing
    /// with unread bytes would reset the connection, and the NOTIFICATION with it.
    pub(super) async fn finish(mut self) {
        if self.outbound.is_empty() || self.broken {
            return;
        }
        let goodbye = async {
            self.stream.write_all_buf(&mut self.outbound).await?;
            self.stream.shutdown().await?;
            let mut rest = [0; 4096];
            while self.stream.read(&mut rest).await? > 0 {}
            io::Result::Ok(())
        };
        // Whatever comes of it, the connection is over.
        if tokio::time::timeout(FAREWELL, goodbye).await.is_err() {
            // What the peer has not taken by now is dropped, and the peer told by a
            // reset: else the kernel would keep it for as long as a peer that reads
            // nothing answers its window probes.
            let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        }
    }
}

const READ_SIZE: usize = 64 * 1024;
/// Written at once.
const SLICES: usize = 32;
const FAREWELL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    use crate::transport::{ConnectOptions, Listener, connect};
    use bgp_core::config::Ttl;

    #[tokio::test]
    async fn a_peer_that_reads_nothing_is_given_up_after_the_send_hold_time() {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let options = ConnectOptions {
            remote: listener.local_addr(),
            local: None,
            interface: None,
            key: None,
            ttl: Ttl::Direct,
            timeout: Duration::from_secs(5),
        };
        let (connection, accepted) = tokio::join!(connect(&options), listener.accept());
        let mut link = Link::new(ConnectionId(0), connection.unwrap());
        let (begin, accepted) = (Instant::now(), accepted.unwrap());
        let send_hold_time = Duration::from_secs(480);

        link.outbound.push(vec![0; 64 << 20].into());
        tokio::time::timeout(Duration::from_secs(5), async {
            while link.stalled_since.is_none() {
                link.stream.writable().await.unwrap();
                link.write(begin);
            }
        })
        .await
        .unwrap();
        let at = begin.checked_add(send_hold_time);
        assert_eq!(link.send_hold_at(send_hold_time), at);

        // One octet that leaves is progress.
        let mut taken = vec![0; 1 << 20];
        let later = begin + Duration::from_secs(100);
        let progress = async {
            while link.send_hold_at(send_hold_time) == at {
                accepted.stream.readable().await.unwrap();
                let _ = accepted.stream.try_read(&mut taken);
                tokio::task::yield_now().await;
                link.write(later);
            }
        };
        tokio::time::timeout(Duration::from_secs(5), progress)
            .await
            .unwrap();
        assert_ne!(link.send_hold_at(send_hold_time), at);
    }
}
