//! A TCP-MD5 key on another program's listening socket.
//!
//! OpenBGPD on Linux sets the key on sockets that it connects, and (7.7, seen
//! with strace) never on those that it listens on, so that signed connections to
//! it are dropped. Here the key is set for it: everything else is its own.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use anyhow::Context;
use lab::wait;
use lab::world::Namespace;

use crate::ours::PATIENCE;

/// Sets the key for connections from `remote` on every socket in the namespace
/// that listens for BGP.
pub(super) fn set(namespace: &Namespace, remote: IpAddr, key: &str) -> anyhow::Result<()> {
    wait::until("openbgpd listens", PATIENCE, || {
        let sockets = listening(namespace).map_err(|error| format!("{error:#}"))?;
        if sockets.is_empty() {
            Err("it doesn't".to_owned())
        } else {
            Ok(sockets)
        }
    })?
    .iter()
    .try_for_each(|socket| {
        set_md5_key(socket, remote, key).context("setting the key on OpenBGPD's socket")
    })
}

fn listening(namespace: &Namespace) -> anyhow::Result<Vec<OwnedFd>> {
    let text = namespace.exec("cat", &["/proc/net/tcp", "/proc/net/tcp6"])?;
    // Columns: number, local address:port in hex, remote, state (0A: LISTEN), …, inode.
    let inodes: Vec<String> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| words.len() > 9 && words[1].ends_with(":00B3") && words[3] == "0A")
        .map(|words| format!("socket:[{}]", words[9]))
        .collect();
    let mut sockets = vec![];
    for pid in namespace.pids() {
        for entry in fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let target = fs::read_link(entry.path()).unwrap_or_default();
            let is_wanted = inodes.iter().any(|inode| target == Path::new(inode));
            if let (true, Some(number)) = (
                is_wanted,
                entry
                    .file_name()
                    .to_str()
                    .and_then(|name| name.parse().ok()),
            ) {
                sockets.push(take(pid.as_raw(), number)?);
            }
        }
    }
    Ok(sockets)
}

/// A copy of another process's file descriptor.
#[expect(
    unsafe_code,
    reason = "pidfd_open and pidfd_getfd have no safe wrapper"
)]
fn take(pid: i32, number: i32) -> io::Result<OwnedFd> {
    let owned = |result: i64| {
        let number = i32::try_from(result).unwrap_or(-1);
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor for us alone.
        Ok(unsafe { OwnedFd::from_raw_fd(number) })
    };
    // SAFETY: takes two integers and returns a new descriptor or -1.
    let process = owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: takes three integers and returns a new descriptor or -1.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) })
}

#[expect(unsafe_code, reason = "TCP_MD5SIG has no safe wrapper")]
pub(crate) fn set_md5_key(socket: &impl AsFd, remote: IpAddr, key: &str) -> io::Result<()> {
    let option = tcp_md5sig(remote, key);
    // SAFETY: the pointer and the length are those of `option`, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_MD5SIG,
            option.as_ptr().cast(),
            option.len() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// `struct tcp_md5sig` of linux/tcp.h: the address in a `sockaddr_storage`,
/// flags, prefix length, key length, interface, key.
fn tcp_md5sig(remote: IpAddr, key: &str) -> [u8; 216] {
    let mut option = [0; 216];
    let family = if remote.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    option[..2].copy_from_slice(&(family as u16).to_ne_bytes());
    match remote {
        IpAddr::V4(address) => option[4..8].copy_from_slice(&address.octets()),
        IpAddr::V6(address) => option[8..24].copy_from_slice(&address.octets()),
    }
    option[130..132].copy_from_slice(&(key.len() as u16).to_ne_bytes());
    option[136..136 + key.len()].copy_from_slice(key.as_bytes());
    option
}
