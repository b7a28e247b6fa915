//! TCP for BGP: listen, connect, MD5 (RFC 2385) on both the listening and the
//! connecting socket, TTL and GTSM; framing of bytes into messages.

/// One TCP connection with a peer, ready to carry messages.
pub struct Connection {
    pub stream: tokio::net::TcpStream,
    pub local: std::net::SocketAddr,
    pub remote: std::net::SocketAddr,
}
