//! Dials a peer.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use bgp_core::config::{AuthKey, Ttl};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;

use super::{Connection, Signing, set_common, set_peer_ttl, socket_options};

/// Whom to dial, and how.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    pub remote: SocketAddr,
    pub local: Option<IpAddr>,
    /// Out of this interface only.
    pub interface: Option<String>,
    pub key: Option<AuthKey>,
    pub ttl: Ttl,
    /// How long TCP may try.
    pub timeout: Duration,
}

/// Why there is no connection, by whose matter it is.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Ours: the system refuses what a safe session needs. Nothing was sent.
    #[error("cannot {what}, so no connection is tried: {source}")]
    Setup {
        what: &'static str,
        source: io::Error,
    },
    /// The operator's: there is no such interface.
    #[error("interface {interface} cannot be used: {source}")]
    Interface {
        interface: String,
        source: io::Error,
    },
    /// The operator's: the address is not ours.
    #[error("cannot connect from {local}: {source}; is the address on an interface?")]
    Source { local: IpAddr, source: io::Error },
    /// The peer answered with a reset.
    #[error(
        "{remote} refused the connection: no BGP speaker listens there, or it does not know us"
    )]
    Refused { remote: SocketAddr },
    /// Nothing came back.
    #[error("no answer from {remote} to {syns} SYNs")]
    NoAnswer { remote: SocketAddr, syns: u32 },
    /// A router or the kernel says that the way is closed.
    #[error("{remote} cannot be reached: {source}")]
    Unreachable {
        remote: SocketAddr,
        source: io::Error,
    },
}

/// Connects, with key, TTL, source and interface set before the first SYN.
pub async fn connect(options: &ConnectOptions) -> Result<Connection, ConnectError> {
    let socket = prepare(options)?;
    let remote = scoped(options)?;
    match socket.connect(&remote.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(error) => return Err(failed(options, error)),
    }
    let setup = |source| ConnectError::Setup {
        what: "hand the socket to the runtime",
        source,
    };
    let stream = TcpStream::from_std(socket.into()).map_err(setup)?;
    match tokio::time::timeout(options.timeout, stream.writable()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(failed(options, error)),
        Err(_) => return Err(no_answer(options, &stream)),
    }
    match stream.take_error() {
        Ok(None) => {}
        Ok(Some(error)) if error.kind() == io::ErrorKind::TimedOut => {
            return Err(no_answer(options, &stream));
        }
        Ok(Some(error)) | Err(error) => return Err(failed(options, error)),
    }
    let local = stream
        .local_addr()
        .map_err(|error| failed(options, error))?;
    let signing = match options.key {
        Some(_) => Signing::Required,
        None => Signing::None,
    };
    Ok(Connection {
        stream,
        local,
        remote: options.remote,
        signing,
    })
}

fn prepare(options: &ConnectOptions) -> Result<Socket, ConnectError> {
    let setup = |what| move |source| ConnectError::Setup { what, source };
    let remote = options.remote.ip();
    let socket = Socket::new(
        Domain::for_address(options.remote),
        Type::STREAM,
        Some(Protocol::TCP),
    )
    .map_err(setup("make a TCP socket"))?;
    socket
        .set_nonblocking(true)
        .map_err(setup("make a TCP socket"))?;
    socket_options::set_md5_key(&socket, remote, options.key.as_ref())
        .map_err(setup("set the MD5 key"))?;
    set_common(&socket, remote).map_err(setup("set the class of service"))?;
    set_peer_ttl(&socket, remote, options.ttl).map_err(setup("set the TTL"))?;
    if let Some(interface) = &options.interface {
        socket
            .bind_device(Some(interface.as_bytes()))
            .map_err(|source| ConnectError::Interface {
                interface: interface.clone(),
                source,
            })?;
    }
    if let Some(local) = options.local {
        // RFC 4291 §2.1: a link-local source needs its interface too.
        let address = with_scope(SocketAddr::new(local, 0), options)?;
        socket
            .bind(&address.into())
            .map_err(|source| ConnectError::Source { local, source })?;
    }
    Ok(socket)
}

fn scoped(options: &ConnectOptions) -> Result<SocketAddr, ConnectError> {
    with_scope(options.remote, options)
}

fn with_scope(address: SocketAddr, options: &ConnectOptions) -> Result<SocketAddr, ConnectError> {
    match (address, &options.interface) {
        (SocketAddr::V6(v6), Some(interface))
            if v6.ip().is_unicast_link_local() && v6.scope_id() == 0 =>
        {
            let index = nix::net::if_::if_nametoindex(interface.as_str()).map_err(|error| {
                ConnectError::Interface {
                    interface: interface.clone(),
                    source: error.into(),
                }
            })?;
            Ok(SocketAddrV6::new(*v6.ip(), v6.port(), v6.flowinfo(), index).into())
        }
        _ => Ok(address),
    }
}

fn failed(options: &ConnectOptions, source: io::Error) -> ConnectError {
    let remote = options.remote;
    match source.kind() {
        io::ErrorKind::ConnectionRefused => ConnectError::Refused { remote },
        _ => ConnectError::Unreachable { remote, source },
    }
}

fn no_answer(options: &ConnectOptions, stream: &TcpStream) -> ConnectError {
    let syns = u32::from(socket_options::retransmits(stream).unwrap_or(0)) + 1;
    ConnectError::NoAnswer {
        remote: options.remote,
        syns,
    }
}
