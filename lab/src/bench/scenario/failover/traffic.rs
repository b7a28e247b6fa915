//! The traffic whose loss is counted: numbered packets at random over the whole
//! table, and what of them came to the far end, by which link, by the kernel's
//! own receive times.

use std::io::IoSliceMut;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use ipnet::IpNet;
use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Socket, Type};

use super::arena::{Arena, Link, SOURCE};
use super::realtime;
use crate::bench::table::Random;

/// Packets on their way, until stopped.
pub struct Flow {
    shared: Arc<Shared>,
    sender: JoinHandle<Vec<u64>>,
    receivers: [JoinHandle<Vec<Arrival>>; 2],
}

#[derive(Default)]
struct Shared {
    quiet: AtomicBool,
    ended: AtomicBool,
    sent: AtomicU64,
    /// Of each link.
    received: [AtomicU64; 2],
}

/// Of a flow; times in nanoseconds since the epoch.
pub struct Outcome {
    pub interval: Duration,
    /// When each packet was sent, by its number.
    pub sent: Vec<u64>,
    /// By each link, as they came.
    pub arrivals: [Vec<Arrival>; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub number: u64,
    pub at: u64,
}

/// Packets so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub sent: u64,
    pub by: [u64; 2],
}

impl Flow {
    /// To an address in each of the prefixes, at random.
    pub fn start(
        arena: &Arena,
        prefixes: &Arc<[IpNet]>,
        interval: Duration,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared::default());
        let [a, b] = Link::BOTH.map(|link| receiver(arena, link));
        let receive = |socket: UdpSocket, link: usize| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || receive(&socket, &shared, link))
        };
        let receivers = [receive(a?, 0), receive(b?, 1)];
        let socket = arena.source.enter(|| UdpSocket::bind((SOURCE, 0)))?;
        let socket = socket.context("the source's socket")?;
        let (sending, prefixes) = (Arc::clone(&shared), Arc::clone(prefixes));
        let sender = thread::spawn(move || {
            realtime::run_ahead_of_others();
            send(&socket, &sending, &prefixes, interval, Random::new(seed))
        });
        Ok(Self {
            shared,
            sender,
            receivers,
        })
    }

    pub fn count(&self) -> Count {
        Count {
            sent: self.shared.sent.load(Relaxed),
            by: [0, 1].map(|link| self.shared.received[link].load(Relaxed)),
        }
    }

    /// Stops sending, waits for what is on its way, and tells.
    pub fn stop(self, interval: Duration) -> Outcome {
        self.shared.quiet.store(true, Relaxed);
        let sent = joined(self.sender);
        thread::sleep(STRAGGLERS);
        self.shared.ended.store(true, Relaxed);
        Outcome {
            interval,
            sent,
            arrivals: self.receivers.map(joined),
        }
    }
}

/// Packets from the far end to the source, by one link, which nobody counts.
pub struct Returning {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Returning {
    pub fn start(arena: &Arena, link: Link, interval: Duration) -> anyhow::Result<Self> {
        let open = || -> std::io::Result<UdpSocket> {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
            socket.bind_device(Some(link.name().as_bytes()))?;
            socket.bind(&SocketAddr::from((link.at_far(), 0)).into())?;
            Ok(socket.into())
        };
        let socket = arena.far.enter(open)?.context("the far end's socket")?;
        let ended = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&ended);
        let thread = thread::spawn(move || {
            realtime::run_ahead_of_others();
            let mut due = Instant::now();
            while !ends.load(Relaxed) {
                let _lost = socket.send_to(&[0; 8], (SOURCE, DISCARD));
                due = next(due, interval);
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        });
        Ok(Self {
            ended,
            thread: Some(thread),
        })
    }
}

impl Drop for Returning {
    fn drop(&mut self) {
        self.ended.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// Lets traffic to the source end where it is, without a word.
pub struct Sink(#[expect(dead_code, reason = "open is all it has to be")] UdpSocket);

impl Sink {
    pub fn open(arena: &Arena) -> anyhow::Result<Self> {
        let socket = arena.source.enter(|| UdpSocket::bind((SOURCE, DISCARD)))?;
        Ok(Self(socket.context("the source's sink")?))
    }
}

fn joined<T>(thread: JoinHandle<T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn receiver(arena: &Arena, link: Link) -> anyhow::Result<UdpSocket> {
    let open = || -> anyhow::Result<UdpSocket> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind_device(Some(link.name().as_bytes()))?;
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, DISCARD)).into())?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        setsockopt(&socket, sockopt::RcvBufForce, &BUFFER)?;
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        Ok(socket.into())
    };
    arena.far.enter(open)?
}

fn send(
    socket: &UdpSocket,
    shared: &Shared,
    prefixes: &[IpNet],
    interval: Duration,
    mut random: Random,
) -> Vec<u64> {
    let mut times = Vec::with_capacity(1 << 18);
    let mut due = Instant::now();
    while !shared.quiet.load(Relaxed) {
        let number = times.len() as u64;
        let chosen = usize::try_from(random.below(prefixes.len() as u64)).unwrap_or(0);
        let target = SocketAddr::new(inside(&prefixes[chosen]), DISCARD);
        times.push(now());
        // No route is a lost packet, and is counted as such.
        let _lost = socket.send_to(&number.to_be_bytes(), target);
        shared.sent.store(number + 1, Relaxed);
        due = next(due, interval);
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    times
}

/// What a late wake-up missed is sent at once, up to a few packets; more at once
/// would measure queues.
fn next(due: Instant, interval: Duration) -> Instant {
    let now = Instant::now();
    (due + interval).max(now.checked_sub(interval * 5).unwrap_or(now))
}

/// The first host of a network.
fn inside(prefix: &IpNet) -> std::net::IpAddr {
    match prefix {
        IpNet::V4(v4) if v4.prefix_len() < 31 => {
            Ipv4Addr::from_bits(v4.network().to_bits() + 1).into()
        }
        other => other.network(),
    }
}

fn receive(socket: &UdpSocket, shared: &Shared, link: usize) -> Vec<Arrival> {
    let mut arrivals = Vec::with_capacity(1 << 18);
    let mut control = cmsg_space!(TimeSpec);
    while !shared.ended.load(Relaxed) {
        let mut bytes = [0; 8];
        let mut parts = [IoSliceMut::new(&mut bytes)];
        // The timeout.
        let Ok(message) = recvmsg::<()>(
            socket.as_raw_fd(),
            &mut parts,
            Some(&mut control),
            MsgFlags::empty(),
        ) else {
            continue;
        };
        let stamps = message.cmsgs().into_iter().flatten();
        let mut stamps = stamps.filter_map(|item| match item {
            ControlMessageOwned::ScmTimestampns(time) => {
                u64::try_from(Duration::from(time).as_nanos()).ok()
            }
            _ => None,
        });
        let at = stamps.next().unwrap_or_else(now);
        arrivals.push(Arrival {
            number: u64::from_be_bytes(bytes),
            at,
        });
        shared.received[link].store(arrivals.len() as u64, Relaxed);
    }
    arrivals
}

/// Nanoseconds since the epoch, as the kernel stamps.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

const DISCARD: u16 = 9;
const BUFFER: usize = 32 << 20;
const STRAGGLERS: Duration = Duration::from_millis(300);
