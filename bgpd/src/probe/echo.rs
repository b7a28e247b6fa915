//! ICMP and ICMPv6 echoes on a raw socket (RFC 792, RFC 4443 §4).

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use nix::cmsg_space;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};
use socket2::{Domain, Protocol, Type};
use tokio::io::unix::AsyncFd;

/// Sends echoes to one address out of one interface.
pub(super) struct Socket {
    inner: AsyncFd<socket2::Socket>,
    kind: Kind,
    /// Tells our echoes from those of other programs and other targets.
    identifier: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    V4,
    V6,
}

impl Socket {
    pub(super) fn open(target: IpAddr, interface: &str) -> io::Result<Self> {
        let (kind, domain, protocol) = match target {
            IpAddr::V4(_) => (Kind::V4, Domain::IPV4, Protocol::ICMPV4),
            IpAddr::V6(_) => (Kind::V6, Domain::IPV6, Protocol::ICMPV6),
        };
        let socket = socket2::Socket::new(domain, Type::RAW, Some(protocol))?;
        socket.set_nonblocking(true)?;
        socket.bind_device(Some(interface.as_bytes()))?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        // Only this address's packets are ours.
        socket.connect(&SocketAddr::new(target, 0).into())?;
        let identifier =
            NEXT_IDENTIFIER.fetch_add(1, Ordering::Relaxed) ^ std::process::id() as u16;
        // SAFETY: the socket owns its descriptor, and nothing here closes or
        // replaces it while it is registered.
        #[expect(unsafe_code, reason = "the caller vouches for the descriptor")]
        let inner = unsafe { AsyncFd::register(socket) }?;
        Ok(Self {
            inner,
            kind,
            identifier,
        })
    }

    /// Sends one echo; when, by the clock of the kernel's timestamps.
    #[expect(
        clippy::disallowed_methods,
        reason = "the window notices where the clock was set"
    )]
    pub(super) fn send(&self, sequence: u16) -> io::Result<Duration> {
        let packet = request(self.kind, self.identifier, sequence);
        let at = clock_gettime(ClockId::CLOCK_REALTIME)?;
        self.inner.get_ref().send(&packet)?;
        Ok(at.into())
    }

    /// The next packet: an answer's sequence number and when the kernel
    /// received it, or `None` for anything else.
    pub(super) async fn receive(&self) -> io::Result<Option<(u16, Duration)>> {
        loop {
            let mut ready = self.inner.readable().await?;
            match ready.try_io(|socket| self.read(socket.get_ref())) {
                Ok(result) => return result,
                Err(_would_block) => {}
            }
        }
    }

    fn read(&self, socket: &socket2::Socket) -> io::Result<Option<(u16, Duration)>> {
        let mut packet = [0; 256];
        let mut control = cmsg_space!(TimeSpec);
        let mut parts = [IoSliceMut::new(&mut packet)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let received =
            recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
        let stamp = received.cmsgs()?.find_map(|message| match message {
            ControlMessageOwned::ScmTimestampns(stamp) => Some(Duration::from(stamp)),
            _ => None,
        });
        let length = received.bytes;
        let sequence = packet
            .get(..length)
            .and_then(|packet| answer(self.kind, self.identifier, packet));
        Ok(sequence.zip(stamp))
    }
}

fn request(kind: Kind, identifier: u16, sequence: u16) -> [u8; PACKET] {
    let mut packet = [0; PACKET];
    packet[0] = match kind {
        Kind::V4 => ICMP_ECHO,
        Kind::V6 => ICMPV6_ECHO_REQUEST,
    };
    packet[4..6].copy_from_slice(&identifier.to_be_bytes());
    packet[6..8].copy_from_slice(&sequence.to_be_bytes());
    if kind == Kind::V4 {
        let sum = checksum(&packet);
        packet[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    // For ICMPv6 the kernel computes the checksum (RFC 3542 §3.1).
    packet
}

/// The sequence number of an answer to an echo of ours. A raw ICMP socket gives
/// the IPv4 header too, an ICMPv6 one doesn't.
fn answer(kind: Kind, identifier: u16, packet: &[u8]) -> Option<u16> {
    let (message, expected) = match kind {
        Kind::V4 => (
            packet.get(usize::from(packet.first()? & 0x0f) * 4..)?,
            ICMP_ECHO_REPLY,
        ),
        Kind::V6 => (packet, ICMPV6_ECHO_REPLY),
    };
    let header: &[u8; 8] = message.first_chunk()?;
    let ours = header[0] == expected && header[1] == 0 && header[4..6] == identifier.to_be_bytes();
    ours.then(|| u16::from_be_bytes([header[6], header[7]]))
}

/// RFC 1071.
fn checksum(packet: &[u8]) -> u16 {
    let words = packet
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

static NEXT_IDENTIFIER: AtomicU16 = AtomicU16::new(0);

/// A header and 56 octets, as ping(8) sends.
const PACKET: usize = 64;
const ICMP_ECHO_REPLY: u8 = 0;
const ICMP_ECHO: u8 = 8;
const ICMPV6_ECHO_REQUEST: u8 = 128;
const ICMPV6_ECHO_REPLY: u8 = 129;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_has_a_checksum_that_sums_up_to_nothing() {
        let packet = request(Kind::V4, 0x1234, 7);
        assert_eq!(checksum(&packet), 0);
        assert_eq!((packet[0], &packet[4..8]), (8, &[0x12, 0x34, 0, 7][..]));
    }

    #[test]
    fn only_answers_to_our_own_echoes_count() {
        let mut v4 = vec![0x45; 20];
        v4.extend([0, 0, 0, 0, 0x12, 0x34, 0, 7]);
        assert_eq!(answer(Kind::V4, 0x1234, &v4), Some(7));
        assert_eq!(answer(Kind::V4, 0x1235, &v4), None);
        for end in 0..v4.len() {
            assert_eq!(answer(Kind::V4, 0x1234, &v4[..end]), None);
        }
        let v6 = [129, 0, 0, 0, 0x12, 0x34, 1, 0];
        assert_eq!(answer(Kind::V6, 0x1234, &v6), Some(256));
        assert_eq!(
            answer(Kind::V6, 0x1234, &[128, 0, 0, 0, 0x12, 0x34, 1, 0]),
            None,
            "our own echo"
        );
    }
}
