//! Sockets: one that asks and waits for the answers, and one that listens.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use libc::{NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR};
use netlink_sys::protocols::{NETLINK_NETFILTER, NETLINK_ROUTE};
use nix::sys::socket::{MsgFlags, recv, send, setsockopt, sockopt};

use super::message::{Attributes, Batch, Message, Messages, u32_at};

/// Sends requests and waits for the kernel's answers.
pub struct Socket {
    inner: netlink_sys::Socket,
    port: u32,
    buffer: Vec<u8>,
}

/// The kernel's no to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which request of the batch.
    pub index: usize,
    pub errno: i32,
    /// The kernel's own explanation, where it gives one.
    pub text: Option<String>,
}

impl Socket {
    /// For links, routes and nexthops.
    pub fn new() -> io::Result<Self> {
        Self::of(NETLINK_ROUTE)
    }

    /// For nftables and connection tracking.
    pub fn netfilter() -> io::Result<Self> {
        Self::of(NETLINK_NETFILTER)
    }

    fn of(protocol: isize) -> io::Result<Self> {
        let mut inner = netlink_sys::Socket::new(protocol)?;
        let port = inner.bind_auto()?.port_number();
        inner.set_cap_ack(true)?;
        inner.set_ext_ack(true)?;
        // The kernel filters dumps; without it (before Linux 4.20) we do.
        let _ = inner.set_netlink_get_strict_chk(true);
        buffers(&inner, REQUEST_BUFFER)?;
        socket2::SockRef::from(&inner).set_read_timeout(Some(ANSWER_WAIT))?;
        Ok(Self {
            inner,
            port,
            buffer: vec![0; DATAGRAM],
        })
    }

    /// Names our own requests in notifications.
    pub const fn port(&self) -> u32 {
        self.port
    }

    /// Sends the batch in one piece and waits until the kernel has done all of
    /// it; `refused` hears of each request that failed. The batch is empty
    /// afterwards. `Err`: how much was done is not known.
    pub fn execute(
        &mut self,
        batch: &mut Batch,
        mut refused: impl FnMut(Refusal),
    ) -> io::Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let last = batch.len() - 1;
        let done = self.exchange(batch, last, &mut refused);
        batch.clear();
        done
    }

    /// Sends a transaction of nfnetlink's: between its first and last message all is
    /// done or nothing. The last but one must ask for an acknowledgement: the end of
    /// a transaction has none before Linux 6.10.
    pub fn transact(&mut self, batch: &mut Batch) -> Result<(), Refusal> {
        let mut first = None;
        let last = batch.len().saturating_sub(2);
        let done = self.exchange(batch, last, &mut |refusal| {
            first.get_or_insert(refusal);
        });
        batch.clear();
        match (first, done) {
            (Some(refusal), _) => Err(refusal),
            (None, Err(error)) => Err(Refusal {
                index: 0,
                errno: error.raw_os_error().unwrap_or(libc::EIO),
                text: None,
            }),
            (None, Ok(())) => Ok(()),
        }
    }

    fn exchange(
        &mut self,
        batch: &mut Batch,
        last: usize,
        refused: &mut impl FnMut(Refusal),
    ) -> io::Result<()> {
        send(self.inner.as_raw_fd(), batch.seal(), MsgFlags::empty())?;
        loop {
            let length = self.receive()?;
            for message in Messages(&self.buffer[..length]) {
                let Some(index) = batch.index_of(message.sequence) else {
                    continue;
                };
                if i32::from(message.kind) != NLMSG_ERROR {
                    continue;
                }
                if let Some(refusal) = refusal(index, &message) {
                    refused(refusal);
                }
                // The last request is always answered, well or ill, and after
                // all others.
                if index == last {
                    return Ok(());
                }
            }
        }
    }

    /// Sends a batch that holds one request, and makes an error of a refusal.
    pub fn execute_one(&mut self, batch: &mut Batch) -> Result<(), Refusal> {
        let mut refusal = None;
        match self.execute(batch, |found| refusal = Some(found)) {
            Err(error) => Err(Refusal {
                index: 0,
                errno: error.raw_os_error().unwrap_or(libc::EIO),
                text: None,
            }),
            Ok(()) => refusal.map_or(Ok(()), Err),
        }
    }

    /// Sends a batch that holds one request without NLM_F_DUMP, which the
    /// kernel answers with one message.
    pub fn ask<T>(
        &mut self,
        batch: &mut Batch,
        read: impl Fn(Message<'_>) -> Option<T>,
    ) -> io::Result<Option<T>> {
        let answer = self.answer(batch, read);
        batch.clear();
        answer
    }

    fn answer<T>(
        &mut self,
        batch: &Batch,
        read: impl Fn(Message<'_>) -> Option<T>,
    ) -> io::Result<Option<T>> {
        send(self.inner.as_raw_fd(), batch.bytes(), MsgFlags::empty())?;
        loop {
            let length = self.receive()?;
            // What an earlier request waited for in vain may come only now.
            let mut messages = Messages(&self.buffer[..length]);
            let answer = messages.find(|message| batch.index_of(message.sequence).is_some());
            match answer.map(|message| (refusal(0, &message), message)) {
                Some((Some(refused), _)) => return Err(refused.into()),
                Some((None, message)) => return Ok(read(message)),
                None => {}
            }
        }
    }

    /// Sends a batch that holds one dump request, and shows each message of the
    /// answer. `Ok(false)`: the kernel's objects changed meanwhile, and what
    /// was seen may be torn.
    pub fn dump(
        &mut self,
        batch: &mut Batch,
        mut visit: impl FnMut(Message<'_>),
    ) -> io::Result<bool> {
        let sent = send(self.inner.as_raw_fd(), batch.bytes(), MsgFlags::empty());
        let mut whole = true;
        let end = 'reading: loop {
            if let Err(error) = sent {
                break Err(error.into());
            }
            let length = match self.receive() {
                Ok(length) => length,
                Err(error) => break Err(error),
            };
            for message in Messages(&self.buffer[..length]) {
                if batch.index_of(message.sequence).is_none() {
                    continue;
                }
                whole &= i32::from(message.flags) & NLM_F_DUMP_INTR == 0;
                match i32::from(message.kind) {
                    NLMSG_DONE | NLMSG_ERROR => {
                        break 'reading refusal(0, &message)
                            .map_or(Ok(whole), |refused| Err(refused.into()));
                    }
                    _ => visit(message),
                }
            }
        };
        batch.clear();
        end
    }

    fn receive(&mut self) -> io::Result<usize> {
        loop {
            match recv(self.inner.as_raw_fd(), &mut self.buffer, MsgFlags::empty()) {
                Err(nix::Error::EINTR) => {}
                Err(nix::Error::EAGAIN) => {
                    return Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        "the kernel did not answer a netlink request",
                    ));
                }
                Err(nix::Error::ENOBUFS) => {
                    drain(&self.inner, &mut self.buffer);
                    return Err(nix::Error::ENOBUFS.into());
                }
                other => return other.map_err(Into::into),
            }
        }
    }
}

/// A socket that hears what changes in the kernel.
pub struct Notifications {
    inner: netlink_sys::Socket,
    buffer: Vec<u8>,
}

impl Notifications {
    pub fn subscribe(groups: &[u32]) -> io::Result<Self> {
        let mut inner = netlink_sys::Socket::new(NETLINK_ROUTE)?;
        inner.bind_auto()?;
        for &group in groups {
            inner.add_membership(group)?;
        }
        inner.set_non_blocking(true)?;
        buffers(&inner, EVENT_BUFFER)?;
        Ok(Self {
            inner,
            buffer: vec![0; DATAGRAM],
        })
    }

    /// Shows one datagram's messages. `Ok(false)`: nothing is there now.
    /// `Err` with ENOBUFS: some were lost, and what was queued is thrown away, so
    /// look at everything again.
    pub fn receive(&mut self, mut visit: impl FnMut(Message<'_>)) -> io::Result<bool> {
        match recv(self.inner.as_raw_fd(), &mut self.buffer, MsgFlags::empty()) {
            Ok(length) => {
                Messages(&self.buffer[..length]).for_each(&mut visit);
                Ok(true)
            }
            Err(nix::Error::EAGAIN | nix::Error::EINTR) => Ok(false),
            Err(error) => {
                drain(&self.inner, &mut self.buffer);
                Err(error.into())
            }
        }
    }
}

impl AsFd for Notifications {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = nix::Error::from_raw(self.errno).desc();
        match &self.text {
            Some(text) => write!(f, "{name} (the kernel says: {text})"),
            None => f.write_str(name),
        }
    }
}

impl From<Refusal> for io::Error {
    /// Keeps the errno where the kernel gave no text, the text otherwise.
    fn from(refusal: Refusal) -> Self {
        let error = Self::from_raw_os_error(refusal.errno);
        if refusal.text.is_none() {
            error
        } else {
            Self::new(error.kind(), refusal.to_string())
        }
    }
}

/// NLMSG_ERROR and NLMSG_DONE both begin with a negative errno; 0 is an ACK.
fn refusal(index: usize, message: &Message<'_>) -> Option<Refusal> {
    let errno = (u32_at(message.payload, 0)? as i32).wrapping_neg();
    if !matches!(i32::from(message.kind), NLMSG_ERROR | NLMSG_DONE) || errno == 0 {
        return None;
    }
    // With NETLINK_CAP_ACK: the errno, the request's header, then attributes.
    let attributes = message.payload.get(20..).unwrap_or_default();
    let text = Attributes(attributes).find(|(kind, _)| *kind == NLMSGERR_ATTR_MSG);
    let text = text.map(|(_, value)| {
        String::from_utf8_lossy(value)
            .trim_end_matches('\0')
            .to_owned()
    });
    Some(Refusal { index, errno, text })
}

/// After an overrun (ENOBUFS) the kernel drops whatever else is for the socket,
/// without a word, until all that is queued has been read.
fn drain(socket: &netlink_sys::Socket, buffer: &mut [u8]) {
    while matches!(
        recv(socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT),
        Ok(_) | Err(nix::Error::ENOBUFS | nix::Error::EINTR)
    ) {}
}

/// Room for a batch's refusals, or for a burst of notifications; beyond
/// `net.core.rmem_max` where we may.
fn buffers(socket: &netlink_sys::Socket, size: usize) -> io::Result<()> {
    if setsockopt(socket, sockopt::RcvBufForce, &size).is_err() {
        setsockopt(socket, sockopt::RcvBuf, &size)?;
    }
    Ok(())
}

/// The largest datagram that the kernel builds for a dump is 32 KiB.
const DATAGRAM: usize = 64 * 1024;
/// 512 refusals with their texts.
const REQUEST_BUFFER: usize = 2 << 20;
const EVENT_BUFFER: usize = 4 << 20;
/// The kernel may hold its lock for a second while it flushes a million routes.
const ANSWER_WAIT: Duration = Duration::from_secs(20);
const NLMSGERR_ATTR_MSG: u16 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_carries_the_kernels_own_words() {
        let mut payload = (-libc::ENODEV).to_ne_bytes().to_vec();
        payload.extend_from_slice(&[0; 16]);
        payload.extend_from_slice(&[10, 0, NLMSGERR_ATTR_MSG as u8, 0]);
        payload.extend_from_slice(b"gone!\0\0\0");
        let message = Message {
            kind: NLMSG_ERROR as u16,
            flags: 0x300,
            sequence: 1,
            port: 0,
            payload: &payload,
        };
        let refused = refusal(0, &message).expect("a refusal");
        assert_eq!(
            refused.to_string(),
            "No such device (the kernel says: gone!)"
        );
        let ack = Message {
            payload: &[0; 20],
            ..message
        };
        assert_eq!(refusal(0, &ack), None);
    }

    #[test]
    fn an_answer_that_came_too_late_is_not_taken_for_the_next_one() {
        let mut socket = Socket::new().expect("a netlink socket");
        let mut batch = Batch::new();
        let ask = |socket: &mut Socket, batch: &mut Batch| {
            super::super::route::look_up(batch, [127, 0, 0, 1].into());
            socket.ask(batch, |message| super::super::route::WayOut::read(&message))
        };
        let expected = ask(&mut socket, &mut batch).expect("an answer");
        assert!(expected.is_some());

        batch.begin(libc::RTM_NEWROUTE, 0, &[0; 12]);
        let fd = socket.inner.as_raw_fd();
        send(fd, batch.seal(), MsgFlags::empty()).expect("it is sent");
        batch.clear();
        assert_eq!(ask(&mut socket, &mut batch).expect("its answer"), expected);
    }

    #[test]
    fn lost_answers_are_an_error_and_the_next_request_has_its_own() {
        let mut socket = Socket::new().expect("a netlink socket");
        setsockopt(&socket.inner, sockopt::RcvBuf, &1).expect("the smallest buffer");
        let mut batch = Batch::new();
        for _ in 0..512 {
            batch.begin(libc::RTM_NEWROUTE, 0, &[0; 12]);
        }
        let mut refused = 0;
        let lost = socket.execute(&mut batch, |_| refused += 1);
        let errno = lost.expect_err("answers were lost").raw_os_error();
        assert_eq!(errno, Some(libc::ENOBUFS));

        batch.begin(libc::RTM_NEWROUTE, 0, &[0; 12]);
        let refusal = socket.execute_one(&mut batch).expect_err("nonsense");
        assert_eq!(refusal.errno, libc::EOPNOTSUPP);
    }

    #[test]
    fn the_kernel_answers_a_dump_of_links_and_refuses_nonsense_by_number() {
        let mut socket = Socket::new().expect("a netlink socket");
        let mut batch = Batch::new();
        super::super::link::dump(&mut batch);
        let mut names = Vec::new();
        let whole = socket.dump(&mut batch, |message| {
            names.extend(super::super::link::Link::read(&message).map(|link| link.name));
        });
        assert!(
            whole.is_ok() && names.iter().any(|name| name == "lo"),
            "{names:?}"
        );

        batch.begin(libc::RTM_NEWROUTE, 0, &[0; 12]);
        batch.begin(libc::RTM_NEWROUTE, 0, &[0; 12]);
        let mut refused = Vec::new();
        socket
            .execute(&mut batch, |refusal| refused.push(refusal.index))
            .expect("an answer");
        assert_eq!(refused, [0, 1]);
    }
}
