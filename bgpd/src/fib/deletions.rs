//! Hears when another program deletes routes of ours. The kernel's own filter
//! (classic BPF) lets nothing else through, so a million routes of our own cost
//! next to nothing here.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use libc::{BPF_ABS, BPF_B, BPF_H, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, RTM_DELROUTE};
use socket2::SockFilter;

use crate::netlink::Notifications;
use crate::netlink::route::Seen;

pub(super) struct Deletions {
    notifications: Notifications,
}

impl Deletions {
    /// `own` is the port of the socket whose deletions are our own.
    pub(super) fn listen(own: u32, protocol: u8) -> io::Result<Self> {
        let notifications =
            Notifications::subscribe(&[libc::RTNLGRP_IPV4_ROUTE, libc::RTNLGRP_IPV6_ROUTE])?;
        socket2::SockRef::from(&notifications).attach_filter(&filter(own, protocol))?;
        Ok(Self { notifications })
    }

    /// What was deleted since, and whether some notifications were lost.
    pub(super) fn take(&mut self) -> (Vec<Seen>, bool) {
        let mut deleted = Vec::new();
        loop {
            match self
                .notifications
                .receive(|message| deleted.extend(Seen::read(&message)))
            {
                Ok(true) => {}
                Ok(false) => return (deleted, false),
                Err(_) => return (deleted, true),
            }
        }
    }
}

impl AsFd for Deletions {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.notifications.as_fd()
    }
}

/// Lets through RTM_DELROUTE of our protocol that another program asked for.
/// The kernel's own deletions (port 0) come with a link, of which the fast path
/// knows.
fn filter(own: u32, protocol: u8) -> [SockFilter; 9] {
    // The filter loads in network byte order what netlink has in the host's.
    let kind = u32::from(u16::from_be_bytes(RTM_DELROUTE.to_ne_bytes()));
    let own = u32::from_be_bytes(own.to_ne_bytes());
    let load = |size: u32, at: u32| instruction(BPF_LD | size | BPF_ABS, 0, 0, at);
    let jump_if =
        |value: u32, yes: u8, no: u8| instruction(BPF_JMP | BPF_JEQ | BPF_K, yes, no, value);
    let end = |octets: u32| instruction(BPF_RET | BPF_K, 0, 0, octets);
    [
        load(BPF_H, 4),
        jump_if(kind, 0, 6),
        load(BPF_W, 12),
        jump_if(own, 4, 0),
        jump_if(0, 3, 0),
        load(BPF_B, RTM_PROTOCOL),
        jump_if(u32::from(protocol), 0, 1),
        end(u32::MAX),
        end(0),
    ]
}

fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> SockFilter {
    SockFilter::new(code as u16, jt, jf, k)
}

/// The offset of `rtm_protocol` behind the netlink header.
const RTM_PROTOCOL: u32 = 16 + 5;
