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

use std::io;
use std::net::{IpAddr, SocketAddr};

use bgp_core::config::{AuthKey, Ttl};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

pub use connect::{ConnectError, ConnectOptions, connect};
pub use mismatch::{Mismatch, Watch};

/// One TCP connection with a peer, ready to carry messages.
pub struct Connection {
    pub stream: TcpStream,
    pub local: SocketAddr,
    pub remote: SocketAddr,
}

/// Accepts connections on one address. Which peers may connect, and with which
/// key, is set while it runs.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
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
        Ok(Self { socket, address })
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Whether this peer's connections can come in here.
    pub fn serves(&self, remote: IpAddr) -> bool {
        self.address.is_ipv4() == remote.is_ipv4()
    }

    /// From now on, connections from `remote` need this key, or none may have
    /// one. An error leaves the earlier key in place: don't start the session.
    pub fn set_key(&self, remote: IpAddr, key: Option<&AuthKey>) -> io::Result<()> {
        if !self.serves(remote) {
            let words = format!(
                "{remote} cannot connect to the listener at {}",
                self.address
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, words));
        }
        socket_options::set_md5_key(&self.socket, remote, key)
    }

    /// The next connection, from whatever address: the caller drops (and so
    /// closes) what it has no peer for, and the session makes the rest its own
    /// ([`Connection::adopt`]).
    pub async fn accept(&self) -> io::Result<Connection> {
        loop {
            match self.socket.accept().await {
                Ok((stream, remote)) => {
                    let local = stream.local_addr()?;
                    return Ok(Connection {
                        stream,
                        local,
                        remote,
                    });
                }
                // The peer gave up between its SYN and our accept.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Connection {
    /// Gives an accepted connection its peer's TTL and key. The key is already
    /// the listener's; setting it here again closes the gap in which a peer
    /// connects before the listener has it: unsigned, it gets no further.
    pub fn adopt(&self, ttl: Ttl, key: Option<&AuthKey>) -> io::Result<()> {
        let socket = SockRef::from(&self.stream);
        set_common(&socket, self.remote.ip())?;
        set_peer_ttl(&socket, self.remote.ip(), ttl)?;
        match key {
            Some(key) => socket_options::set_md5_key(&self.stream, self.remote.ip(), Some(key)),
            None => Ok(()),
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

const BACKLOG: i32 = 128;
const CLASS_SELECTOR_6: u32 = 48 << 2;
