//! One bgpd for each routing protocol number in a network namespace: two would
//! take each other's routes for their own and delete them. The claim is the name
//! of an abstract Unix socket, which the kernel keeps once per network namespace
//! and gives free whenever its owner ends, however that is.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use anyhow::{Context, bail};
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::Uid;
use socket2::{Domain, SockAddr, Socket, Type};

/// Held for as long as the kernel's routes are managed.
pub(super) struct Claim {
    _socket: UnixListener,
}

impl Claim {
    /// Refused while another bgpd has it.
    pub(super) fn take(protocol: u8) -> anyhow::Result<Option<Self>> {
        let name = format!("bgpd/protocol/{protocol}");
        let address = SocketAddr::from_abstract_name(&name).context("an abstract socket's name")?;
        match UnixListener::bind_addr(&address) {
            Ok(socket) => Ok(Some(Self { _socket: socket })),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                refuse_unless_stranger(&name, protocol)
            }
            Err(error) => Err(error).context("can't claim the routing protocol number"),
        }
    }
}

/// Anybody may bind the name: of a user that could not manage routes anyway it
/// says nothing, and must not keep bgpd from starting.
fn refuse_unless_stranger(name: &str, protocol: u8) -> anyhow::Result<Option<Claim>> {
    let holder = knock(name).and_then(|socket| Ok(getsockopt(&socket, sockopt::PeerCredentials)?));
    let who = match holder {
        Ok(holder) if holder.uid() != 0 && holder.uid() != Uid::effective().as_raw() => {
            tracing::warn!(
                "a process of user {} (pid {}) has bgpd's claim on routing protocol {protocol}: going on without it",
                holder.uid(),
                holder.pid()
            );
            return Ok(None);
        }
        Ok(holder) => format!("pid {}", holder.pid()),
        Err(_) => "another process".to_owned(),
    };
    bail!(
        "another bgpd ({who}) manages the routes of protocol {protocol} in this network namespace; stop it, or give this one another `protocol` (of [bgpd.kernel])"
    )
}

/// Nobody ever opens: once as many have knocked as the socket keeps, waiting for
/// room would be for good.
fn knock(name: &str) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    socket.connect(&SockAddr::unix(format!("\0{name}"))?)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_protocol_is_claimed_once_and_free_again() {
        // No real daemon has this one.
        let protocol = 251;
        let claim = Claim::take(protocol).unwrap();
        let refused = Claim::take(protocol).err().unwrap().to_string();
        let own = format!("pid {}", std::process::id());
        assert!(refused.contains(&own), "{refused}");
        assert!(Claim::take(protocol - 1).is_ok());
        // However many were refused, the next one is not kept waiting.
        assert!((0..5000).all(|_| Claim::take(protocol).is_err()));
        drop(claim);
        assert!(Claim::take(protocol).is_ok());
    }
}
