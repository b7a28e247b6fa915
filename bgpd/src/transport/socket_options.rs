//! Socket options of Linux that no crate wraps.
#![expect(unsafe_code, reason = "setsockopt and getsockopt take raw pointers")]

use std::io;
use std::mem::size_of;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};

use bgp_core::config::AuthKey;
use socket2::{SockAddr, SockAddrStorage, Socket};
use zeroize::Zeroize;

/// `struct tcp_md5sig` of linux/tcp.h.
#[repr(C)]
struct TcpMd5Sig {
    address: SockAddrStorage,
    flags: u8,
    prefix_length: u8,
    key_length: u16,
    interface: libc::c_int,
    key: [u8; KEY_LENGTH_MAX],
}

/// Signs what goes to `remote` and drops what comes from it without this key's
/// signature; `None` takes the key away.
pub(super) fn set_md5_key(
    socket: &impl AsFd,
    remote: IpAddr,
    key: Option<&AuthKey>,
) -> io::Result<()> {
    let key = key.map_or(&[][..], |key| key.expose().as_bytes());
    let mut option = TcpMd5Sig {
        address: SockAddr::from(SocketAddr::new(remote, 0)).as_storage(),
        flags: 0,
        prefix_length: 0,
        key_length: 0,
        interface: 0,
        key: [0; KEY_LENGTH_MAX],
    };
    let Some(place) = option.key.get_mut(..key.len()) else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the kernel takes MD5 keys of at most 80 octets",
        ));
    };
    place.copy_from_slice(key);
    option.key_length = key.len() as u16;
    let result = set(socket, libc::IPPROTO_TCP, libc::TCP_MD5SIG, &option);
    option.key.zeroize();
    match result {
        // There was none to take away.
        Err(error) if key.is_empty() && error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        result => result,
    }
}

pub(super) fn set_ttl(socket: &Socket, remote: IpAddr, ttl: u8) -> io::Result<()> {
    match remote {
        IpAddr::V4(_) => socket.set_ttl_v4(ttl.into()),
        IpAddr::V6(_) => socket.set_unicast_hops_v6(ttl.into()),
    }
}

/// Drops what arrives with a lower TTL (RFC 5082).
pub(super) fn set_minimum_ttl(socket: &impl AsFd, remote: IpAddr, ttl: u8) -> io::Result<()> {
    let ttl = libc::c_int::from(ttl);
    match remote {
        IpAddr::V4(_) => set(socket, libc::IPPROTO_IP, libc::IP_MINTTL, &ttl),
        IpAddr::V6(_) => set(socket, libc::IPPROTO_IPV6, libc::IPV6_MINHOPCOUNT, &ttl),
    }
}

/// How often the segment in flight (the SYN, while connecting) was sent again:
/// `tcpi_retransmits` of TCP_INFO.
pub(super) fn retransmits(socket: &impl AsFd) -> io::Result<u8> {
    let mut info = [0_u8; 8];
    let mut length = info.len() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` octets to `info`, which has as many,
    // and cuts its answer to fit.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result == 0 {
        Ok(info[2])
    } else {
        Err(io::Error::last_os_error())
    }
}

fn set<T>(socket: &impl AsFd, level: libc::c_int, name: libc::c_int, value: &T) -> io::Result<()> {
    // SAFETY: `value` is readable for the length given; the kernel copies it and
    // keeps no pointer.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            std::ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

const KEY_LENGTH_MAX: usize = 80;
