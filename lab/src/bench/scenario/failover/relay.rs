//! A wire that takes its time: carries every frame between two interfaces, and
//! holds each for as long as it is told. (The kernels of many small machines have
//! no netem.)

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::ifaddrs::getifaddrs;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::{LinkAddr, SockaddrLike, bind, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, Socket, Type};

use super::realtime;

pub struct Relay {
    delay: Arc<Delay>,
    ended: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// How long each frame is held, either way, in microseconds.
#[derive(Default)]
pub struct Delay(AtomicU64);

/// One way through it: from one socket to the other.
struct Lane {
    from: Socket,
    held: VecDeque<(Instant, Vec<u8>)>,
}

impl Relay {
    /// Call it in the namespace that has the interfaces, and take them out of
    /// their bridge when it is there: frames are carried twice for a moment, and
    /// none is lost.
    pub fn start(left: &str, right: &str, delay: Delay) -> anyhow::Result<Self> {
        let lanes = [left, right].map(open);
        let [left, right] = lanes;
        let lanes = [Lane::from(left?), Lane::from(right?)];
        let (delay, ended) = (Arc::new(delay), Arc::new(AtomicBool::new(false)));
        let (holds, ends) = (Arc::clone(&delay), Arc::clone(&ended));
        let thread = thread::spawn(move || {
            realtime::run_ahead_of_others();
            carry(lanes, &holds, &ends);
        });
        Ok(Self {
            delay,
            ended,
            thread,
        })
    }

    pub fn hold(&self, delay: Duration) {
        let micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        self.delay.0.store(micros, Relaxed);
    }

    pub fn end(self) {
        self.ended.store(true, Relaxed);
        if self.thread.join().is_err() {
            tracing::warn!("the relay panicked");
        }
    }
}

impl From<Socket> for Lane {
    fn from(from: Socket) -> Self {
        Self {
            from,
            held: VecDeque::new(),
        }
    }
}

/// Every frame of an interface.
fn open(interface: &str) -> anyhow::Result<Socket> {
    let mut found = getifaddrs()?.filter(|one| one.interface_name == interface);
    let address = found.find_map(|one| one.address?.as_link_addr().copied());
    let address: LinkAddr = address.with_context(|| format!("no interface {interface}"))?;
    let everything = Protocol::from(i32::from(ETH_P_ALL.to_be()));
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(everything))?;
    setsockopt(&socket, sockopt::RcvBufForce, &BUFFER)?;
    // The address names no protocol: that of the socket stays.
    bind(std::os::fd::AsRawFd::as_raw_fd(&socket), &address)
        .with_context(|| format!("binding to {interface} ({} octets)", address.len()))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn carry(mut lanes: [Lane; 2], delay: &Delay, ended: &AtomicBool) {
    let mut frame = vec![0; FRAME];
    while !ended.load(Relaxed) {
        let due = lanes.iter().filter_map(|lane| Some(lane.held.front()?.0));
        let wait = due.min().map_or(LOOK, |due| {
            due.saturating_duration_since(Instant::now()).min(LOOK)
        });
        let mut ready =
            [&lanes[0], &lanes[1]].map(|lane| PollFd::new(lane.from.as_fd(), PollFlags::POLLIN));
        let _again = ppoll(&mut ready, Some(TimeSpec::from(wait)), None);
        let hold = Duration::from_micros(delay.0.load(Relaxed));
        for lane in &mut lanes {
            lane.take(&mut frame, hold);
        }
        let [left, right] = &mut lanes;
        left.pass(&right.from);
        right.pass(&left.from);
    }
}

impl Lane {
    fn take(&mut self, frame: &mut [u8], hold: Duration) {
        loop {
            match nix::sys::socket::recvfrom::<LinkAddr>(
                std::os::fd::AsRawFd::as_raw_fd(&self.from),
                frame,
            ) {
                // What we have sent ourselves comes by too.
                Ok((_, Some(from))) if from.pkttype() == PACKET_OUTGOING => {}
                Ok((length, _)) => {
                    // Later ones never overtake, whatever becomes of the delay.
                    let due = Instant::now() + hold;
                    let due = self.held.back().map_or(due, |(last, _)| due.max(*last));
                    self.held.push_back((due, frame[..length].to_vec()));
                }
                Err(_) => return,
            }
        }
    }

    fn pass(&mut self, to: &Socket) {
        let now = Instant::now();
        while let Some((due, frame)) = self.held.front() {
            if *due > now {
                return;
            }
            match to.send(frame) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // A link that is down loses it, as a wire does.
                _ => drop(self.held.pop_front()),
            }
        }
    }
}

const ETH_P_ALL: u16 = 3;
const PACKET_OUTGOING: u8 = 4;
/// A frame of a jumbo MTU.
const FRAME: usize = 10_000;
const BUFFER: usize = 16 << 20;
const LOOK: Duration = Duration::from_millis(10);
