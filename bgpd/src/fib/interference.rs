//! Hears when another program deletes or replaces routes of ours. The kernel's
//! own filter (classic BPF) lets little else through, so a million routes of our
//! own cost next to nothing here.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use libc::{
    BPF_ABS, BPF_B, BPF_H, BPF_JEQ, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W,
    NLM_F_REPLACE, RTM_DELROUTE, RTM_NEWROUTE,
};
use socket2::SockFilter;

use crate::netlink::Notifications;
use crate::netlink::route::Seen;

pub(super) struct Interference {
    notifications: Notifications,
}

/// What others have done.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) deleted: Vec<Seen>,
    /// These stand where routes stood, of ours perhaps.
    pub(super) replaced: Vec<Seen>,
    /// Notifications were lost (ENOBUFS).
    pub(super) overrun: bool,
}

impl Interference {
    /// `own` is the port of the socket whose requests are our own.
    pub(super) fn listen(own: u32, protocol: u8) -> io::Result<Self> {
        let notifications =
            Notifications::subscribe(&[libc::RTNLGRP_IPV4_ROUTE, libc::RTNLGRP_IPV6_ROUTE])?;
        socket2::SockRef::from(&notifications).attach_filter(&filter(own, protocol))?;
        Ok(Self { notifications })
    }

    /// What was heard since; in a flood, some of it.
    pub(super) fn take(&mut self) -> Heard {
        let mut heard = Heard::default();
        for _ in 0..ROUND {
            let received = self.notifications.receive(|message| {
                let kind = match message.kind {
                    RTM_DELROUTE => &mut heard.deleted,
                    _ => &mut heard.replaced,
                };
                kind.extend(Seen::read(&message));
            });
            match received {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) => heard.overrun = true,
            }
        }
        heard
    }
}

impl AsFd for Interference {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.notifications.as_fd()
    }
}

/// Lets through what another program asked for: RTM_DELROUTE of our protocol,
/// and RTM_NEWROUTE in place of any route. The kernel's own deletions (port 0)
/// come with a link, of which the fast path knows.
fn filter(own: u32, protocol: u8) -> [SockFilter; 12] {
    // The filter loads in network byte order what netlink has in the host's.
    let half = |value: u16| u32::from(u16::from_be_bytes(value.to_ne_bytes()));
    let own = u32::from_be_bytes(own.to_ne_bytes());
    let load = |size: u32, at: u32| instruction(BPF_LD | size | BPF_ABS, 0, 0, at);
    let jump =
        |how: u32, value: u32, yes: u8, no: u8| instruction(BPF_JMP | how | BPF_K, yes, no, value);
    let end = |octets: u32| instruction(BPF_RET | BPF_K, 0, 0, octets);
    [
        load(BPF_W, NLMSG_PID),
        jump(BPF_JEQ, own, 9, 0),
        jump(BPF_JEQ, 0, 8, 0),
        load(BPF_H, NLMSG_TYPE),
        jump(BPF_JEQ, half(RTM_NEWROUTE), 3, 0),
        jump(BPF_JEQ, half(RTM_DELROUTE), 0, 5),
        load(BPF_B, RTM_PROTOCOL),
        jump(BPF_JEQ, u32::from(protocol), 2, 3),
        load(BPF_H, NLMSG_FLAGS),
        jump(BPF_JSET, half(NLM_F_REPLACE as u16), 0, 1),
        end(u32::MAX),
        end(0),
    ]
}

fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> SockFilter {
    SockFilter::new(code as u16, jt, jf, k)
}

/// Offsets in `struct nlmsghdr`, and in the `struct rtmsg` behind it.
const NLMSG_TYPE: u32 = 4;
const NLMSG_FLAGS: u32 = 6;
const NLMSG_PID: u32 = 12;
const RTM_PROTOCOL: u32 = 16 + 5;
/// Notifications taken before it is other work's turn.
const ROUND: usize = 4096;
