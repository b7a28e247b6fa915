//! TCP for BGP: listen, connect, and the socket options that make a connection
//! a peer's: MD5 (RFC 2385) on the listening, the accepted and the connecting
//! socket, TTL and GTSM (RFC 5082).
//!
//! A key that can't be set is an error before the first SYN, never a connection
//! without a signature.

mod capture;
mod connect;
mod counters;
mod mismatch;
mod socket_options;
pub mod tcp_md5;

use std::collections::HashSet;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bgp_core::config::{AuthKey, Ttl};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

pub use connect::{ConnectError, ConnectOptions, connect};
pub use mismatch::{Mismatch, MismatchKind, Watch};

/// One TCP connection with a peer, ready to carry messages.
pub struct Connection {
    pub stream: TcpStream,
    pub local: SocketAddr,
    pub remote: SocketAddr,
    signing: Signing,
}

/// Whether TCP demanded a signature from a connection's first segment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signing {
    Required,
    None,
}

/// Accepts connections on one address. Which peers may connect, and with which
/// key, is set while it runs.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    /// Peers whose connections are signed. Locked while a connection is taken
    /// or a key set, so that neither falls into the other.
    keyed: Mutex<HashSet<IpAddr>>,
}

impl Listener {
    /// `[::]` takes IPv6 alone: IPv4 has a listener of its own, with its own keys.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        set_common(&socket, address.ip())?;
        // A SYN-ACK leaves before the peer's own TTL is set on its connection; with
        // 255 it passes a peer that checks by GTSM too.
        socket_options::set_ttl(&socket, address.ip(), u8::MAX)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let socket = TcpListener::from_std(socket.into())?;
        let address = socket.local_addr()?;
        Ok(Self {
            socket,
            address,
            keyed: Mutex::default(),
        })
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Whether this peer's connections can come in here.
    pub fn serves(&self, remote: IpAddr) -> bool {
        self.address.is_ipv4() == remote.is_ipv4()
    }

    /// From now on, connections from `remote` need this key, or may not have one.
    /// An error leaves things as they were: don't start the session.
    pub fn set_key(&self, remote: IpAddr, key: Option<&AuthKey>) -> io::Result<()> {
        if !self.serves(remote) {
            let words = format!(
                "{remote} cannot connect to the listener at {}",
                self.address
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, words));
        }
        let mut keyed = self.keyed.lock().unwrap_or_else(PoisonError::into_inner);
        socket_options::set_md5_key(&self.socket, remote, key)?;
        match key {
            Some(_) => {
                // What waits here came before the key, and nobody can tell from
                // whom without taking it: close it, and its peer tries again.
                while SockRef::from(&self.socket).accept().is_ok() {}
                keyed.insert(remote);
            }
            None => {
                keyed.remove(&remote);
            }
        }
        Ok(())
    }

    /// The next connection, from whatever address: the caller drops (and so
    /// closes) what it has no peer for, and the session makes the rest its own
    /// ([`Connection::adopt`]).
    pub async fn accept(&self) -> io::Result<Connection> {
        loop {
            match poll_fn(|context| self.poll_accept(context)).await {
                // The peer gave up between its SYN and our accept.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                outcome => return outcome,
            }
        }
    }

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Connection>> {
        let keyed = self.keyed.lock().unwrap_or_else(PoisonError::into_inner);
        let (stream, remote) = ready!(self.socket.poll_accept(context))?;
        let signing = if keyed.contains(&remote.ip()) {
            Signing::Required
        } else {
            Signing::None
        };
        let local = stream.local_addr()?;
        Poll::Ready(Ok(Connection {
            stream,
            local,
            remote,
            signing,
        }))
    }
}

impl Connection {
    /// Gives an accepted connection its peer's TTL, and its key anew. A
    /// connection that began before its peer had a key is refused: its first
    /// bytes may be anybody's.
    pub fn adopt(&self, ttl: Ttl, key: Option<&AuthKey>) -> io::Result<()> {
        let socket = SockRef::from(&self.stream);
        set_common(&socket, self.remote.ip())?;
        set_peer_ttl(&socket, self.remote.ip(), ttl)?;
        match (key, self.signing) {
            (Some(key), Signing::Required) => {
                socket_options::set_md5_key(&self.stream, self.remote.ip(), Some(key))
            }
            (Some(_), Signing::None) => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "it began before the listener had the MD5 key",
            )),
            (None, Signing::Required | Signing::None) => Ok(()),
        }
    }
}

/// What every BGP connection has: no delay for small messages, and the class of
/// network control (RFC 4594 §3.1: CS6).
fn set_common(socket: &Socket, remote: IpAddr) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    match remote {
        IpAddr::V4(_) => socket.set_tos_v4(CLASS_SELECTOR_6),
        IpAddr::V6(_) => socket.set_tclass_v6(CLASS_SELECTOR_6),
    }
}

fn set_peer_ttl(socket: &Socket, remote: IpAddr, ttl: Ttl) -> io::Result<()> {
    match ttl {
        Ttl::Direct => socket_options::set_ttl(socket, remote, 1),
        Ttl::Multihop(hops) => socket_options::set_ttl(socket, remote, hops),
        Ttl::Security => {
            socket_options::set_ttl(socket, remote, u8::MAX)?;
            socket_options::set_minimum_ttl(socket, remote, u8::MAX)
        }
    }
}

/// A SYN that finds it full is dropped, and comes again a second later at best:
/// after a restart all peers come at once. The kernel bounds it by
/// `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
const CLASS_SELECTOR_6: u32 = 48 << 2;
