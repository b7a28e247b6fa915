//! Traffic that measures the way it takes: numbered UDP packets at a fixed
//! rate, sent back by the far host. What counts is what a receiver saw, by the
//! kernel's own receive times; a packet's TTL tells how many routers it passed.

use std::collections::BTreeMap;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::cmsg_space;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;

use super::{Error, Namespace, Result};

/// Packets on their way, until stopped.
pub struct Flow {
    interval: Duration,
    sending: Arc<AtomicBool>,
    receiving: Arc<AtomicBool>,
    sender: JoinHandle<Vec<u64>>,
    far: JoinHandle<Vec<Arrival>>,
    near: JoinHandle<Vec<Arrival>>,
}

/// What both ends saw of one flow.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub interval: Duration,
    pub sent: u64,
    /// The longest that the sender itself paused beyond the interval: how steady
    /// this machine's clock and scheduler were meanwhile.
    pub pause: Duration,
    /// Seen by the far host.
    pub forth: Direction,
    /// Seen by the near host, of what the far host sent back.
    pub back: Direction,
    pub round_trips: RoundTrips,
}

/// What one receiver saw.
#[derive(Clone, Debug, Default)]
pub struct Direction {
    pub received: u64,
    pub lost: u64,
    pub reordered: u64,
    pub duplicated: u64,
    /// The largest gap between two packets beyond the sender's own last step.
    pub outage: Duration,
    /// Packets by the TTL that they arrived with.
    pub by_ttl: BTreeMap<u8, u64>,
    /// TTL of the last packet.
    pub last_ttl: Option<u8>,
}

/// From sending to receiving what the far host sent back.
#[derive(Clone, Copy, Debug, Default)]
pub struct RoundTrips {
    pub count: usize,
    pub min: Duration,
    pub avg: Duration,
    pub p99: Duration,
    pub max: Duration,
}

impl Flow {
    /// Starts a packet every `interval` from a host to `to` on another one.
    pub fn start(
        from: &Namespace,
        to: (&Namespace, SocketAddr),
        interval: Duration,
    ) -> Result<Self> {
        let (far_namespace, address) = to;
        let any = SocketAddr::new(
            if address.is_ipv4() {
                [0; 4].into()
            } else {
                [0; 16].into()
            },
            0,
        );
        let open = |namespace: &Namespace, local| {
            let failed = |source| Error::Io {
                what: format!("no UDP socket in {}", namespace.name()),
                source,
            };
            namespace.enter(|| receiver(local))?.map_err(failed)
        };
        let far = open(far_namespace, address)?;
        let near = open(from, any)?;
        let near_too = near
            .connect(address)
            .and_then(|()| near.try_clone())
            .map_err(|source| Error::Io {
                what: format!("can't send to {address}"),
                source,
            })?;
        let sending = Arc::new(AtomicBool::new(true));
        let receiving = Arc::new(AtomicBool::new(true));
        let [far_receiving, near_receiving] = [Arc::clone(&receiving), Arc::clone(&receiving)];
        let still_sending = Arc::clone(&sending);
        Ok(Self {
            interval,
            sending,
            receiving,
            far: thread::spawn(move || receive(&far, &far_receiving, Answer::SendBack)),
            near: thread::spawn(move || receive(&near, &near_receiving, Answer::None)),
            sender: thread::spawn(move || send(&near_too, &still_sending, interval)),
        })
    }

    /// Stops sending, waits for what is on its way, and evaluates.
    pub fn stop(self) -> Outcome {
        self.sending.store(false, Ordering::Relaxed);
        let sent = joined(self.sender);
        thread::sleep(Duration::from_millis(300));
        self.receiving.store(false, Ordering::Relaxed);
        let far = joined(self.far);
        let near = joined(self.near);
        let pause = sent
            .windows(2)
            .map(|pair| pair[1].saturating_sub(pair[0]))
            .max()
            .unwrap_or(0);
        Outcome {
            interval: self.interval,
            sent: sent.len() as u64,
            pause: Duration::from_nanos(pause).saturating_sub(self.interval),
            forth: Direction::of(&far, &sent, sent.len() as u64),
            // What never reached the far host can't be missed on the way back.
            back: Direction::of(&near, &sent, far.len() as u64),
            round_trips: RoundTrips::of(&sent, &near),
        }
    }
}

fn joined<T>(thread: JoinHandle<T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

impl Direction {
    /// `sent`: when each was sent; `expected`: how many could have arrived.
    fn of(arrivals: &[Arrival], sent: &[u64], expected: u64) -> Self {
        let mut direction = Self {
            received: arrivals.len() as u64,
            ..Self::default()
        };
        let mut highest = None;
        let mut gap = 0;
        let mut before: Option<&Arrival> = None;
        let mut seen = std::collections::BTreeSet::new();
        for arrival in arrivals {
            if !seen.insert(arrival.sequence) {
                direction.duplicated += 1;
            } else if highest.is_some_and(|highest| arrival.sequence < highest) {
                direction.reordered += 1;
            }
            highest = highest.max(Some(arrival.sequence));
            if let Some(before) = before {
                let seen = arrival.at.saturating_sub(before.at);
                gap = gap.max(seen.saturating_sub(step(sent, arrival.sequence)));
            }
            before = Some(arrival);
            *direction.by_ttl.entry(arrival.ttl).or_default() += 1;
        }
        direction.lost = expected.saturating_sub(seen.len() as u64);
        direction.outage = Duration::from_nanos(gap);
        direction.last_ttl = before.map(|arrival| arrival.ttl);
        direction
    }
}

/// How long after the packet before it a packet was sent.
fn step(sent: &[u64], sequence: u64) -> u64 {
    let at = |sequence: Option<u64>| sent.get(usize::try_from(sequence?).ok()?).copied();
    match (at(sequence.checked_sub(1)), at(Some(sequence))) {
        (Some(before), Some(this)) => this.saturating_sub(before),
        _ => 0,
    }
}

impl RoundTrips {
    fn of(sent: &[u64], back: &[Arrival]) -> Self {
        let mut times: Vec<u64> = back
            .iter()
            .filter_map(|arrival| {
                let sequence = usize::try_from(arrival.sequence).ok()?;
                Some(arrival.at.saturating_sub(*sent.get(sequence)?))
            })
            .collect();
        times.sort_unstable();
        let (Some(min), Some(max)) = (times.first(), times.last()) else {
            return Self::default();
        };
        let p99 = times.get(times.len() * 99 / 100).unwrap_or(max);
        Self {
            count: times.len(),
            min: Duration::from_nanos(*min),
            avg: Duration::from_nanos(times.iter().sum::<u64>() / times.len() as u64),
            p99: Duration::from_nanos(*p99),
            max: Duration::from_nanos(*max),
        }
    }
}

struct Arrival {
    sequence: u64,
    /// Nanoseconds since the epoch, by the receiving kernel.
    at: u64,
    ttl: u8,
}

#[derive(Clone, Copy)]
enum Answer {
    SendBack,
    None,
}

/// Binds as soon as nobody else has the address. A process that another thread
/// starts holds a copy of every socket of ours between its fork and its exec, so
/// that an address is not always free at once when its only socket is closed.
fn bind(local: SocketAddr) -> io::Result<UdpSocket> {
    let started = Instant::now();
    loop {
        match UdpSocket::bind(local) {
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse
                    && started.elapsed() < BIND_PATIENCE =>
            {
                thread::sleep(Duration::from_millis(5));
            }
            bound => return bound,
        }
    }
}

/// A socket that tells receive times and TTLs.
fn receiver(local: SocketAddr) -> io::Result<UdpSocket> {
    let socket = bind(local)?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    if local.is_ipv4() {
        setsockopt(&socket, sockopt::Ipv4RecvTtl, &true)?;
    } else {
        setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true)?;
    }
    setsockopt(&socket, sockopt::RcvBufForce, &(4 << 20))?;
    socket.set_read_timeout(Some(Duration::from_millis(50)))?;
    Ok(socket)
}

/// Sends by the clock: what a late wake-up missed is sent at once, up to a few
/// packets; more at once would measure queues. The times of sending, by sequence
/// number.
fn send(socket: &UdpSocket, sending: &AtomicBool, interval: Duration) -> Vec<u64> {
    let mut times = Vec::with_capacity(1 << 16);
    let mut due = Instant::now();
    while sending.load(Ordering::Relaxed) {
        let sequence = times.len() as u64;
        times.push(now());
        // No route, or a late answer that nobody listens: a lost packet, counted as such.
        let _lost = socket.send(&sequence.to_be_bytes());
        let now = Instant::now();
        due = (due + interval).max(now.checked_sub(interval * 5).unwrap_or(now));
        thread::sleep(due.saturating_duration_since(now));
    }
    times
}

fn receive(socket: &UdpSocket, receiving: &AtomicBool, answer: Answer) -> Vec<Arrival> {
    let mut arrivals = Vec::with_capacity(1 << 16);
    let mut control = cmsg_space!(TimeSpec, i32);
    while receiving.load(Ordering::Relaxed) {
        let mut bytes = [0; 8];
        let mut parts = [IoSliceMut::new(&mut bytes)];
        // The timeout, or an ICMP error about an earlier answer.
        let Ok(message) = recvmsg::<SockaddrStorage>(
            socket.as_raw_fd(),
            &mut parts,
            Some(&mut control),
            MsgFlags::empty(),
        ) else {
            continue;
        };
        let mut arrival = Arrival {
            sequence: 0,
            at: now(),
            ttl: 0,
        };
        for item in message.cmsgs().into_iter().flatten() {
            match item {
                ControlMessageOwned::ScmTimestampns(time) => {
                    arrival.at = Duration::from(time).as_nanos().try_into().unwrap_or(0);
                }
                ControlMessageOwned::Ipv4Ttl(ttl) | ControlMessageOwned::Ipv6HopLimit(ttl) => {
                    arrival.ttl = u8::try_from(ttl).unwrap_or(0);
                }
                _ => {}
            }
        }
        let sender = message.address.and_then(socket_address);
        arrival.sequence = u64::from_be_bytes(bytes);
        if let (Answer::SendBack, Some(sender)) = (answer, sender) {
            let _lost = socket.send_to(&bytes, sender);
        }
        arrivals.push(arrival);
    }
    arrivals
}

fn socket_address(address: SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address
        .as_sockaddr_in()
        .map(|v4| SocketAddr::new(v4.ip().into(), v4.port()));
    v4.or_else(|| {
        address
            .as_sockaddr_in6()
            .map(|v6| SocketAddr::new(v6.ip().into(), v6.port()))
    })
}

fn now() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    since.as_nanos().try_into().unwrap_or(0)
}

/// For a child that is slow to exec.
const BIND_PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(of: &[(u64, u64, u8)]) -> Vec<Arrival> {
        of.iter()
            .map(|&(sequence, at, ttl)| Arrival {
                sequence,
                at: at * 1_000_000,
                ttl,
            })
            .collect()
    }

    fn every_millisecond(count: u64) -> Vec<u64> {
        (0..count).map(|sequence| sequence * 1_000_000).collect()
    }

    #[test]
    fn an_address_that_is_about_to_be_free_is_waited_for() {
        let held = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let address = held.local_addr().expect("its address");
        let holder = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            drop(held);
        });
        let bound = receiver(address).and_then(|socket| socket.local_addr());
        assert_eq!(bound.ok(), Some(address));
        holder.join().expect("it only sleeps");
    }

    #[test]
    fn an_outage_is_the_largest_gap_beyond_the_sending_interval() {
        let seen = arrivals(&[(0, 0, 62), (1, 1, 62), (6, 8, 61), (7, 9, 61)]);
        let direction = Direction::of(&seen, &every_millisecond(8), 8);
        assert_eq!(direction.outage, Duration::from_millis(6));
        assert_eq!(direction.lost, 4);
        assert_eq!(direction.by_ttl, BTreeMap::from([(61, 2), (62, 2)]));
        assert_eq!(direction.last_ttl, Some(61));
    }

    #[test]
    fn a_pause_of_the_sender_is_no_outage() {
        let sent = [0, 1_000_000, 9_000_000];
        let direction = Direction::of(&arrivals(&[(0, 0, 62), (1, 1, 62), (2, 9, 62)]), &sent, 3);
        assert_eq!(direction.outage, Duration::ZERO);
    }

    #[test]
    fn a_late_packet_is_reordered_and_a_second_one_duplicated() {
        let seen = arrivals(&[(0, 0, 62), (2, 1, 62), (1, 2, 62), (2, 3, 62)]);
        let direction = Direction::of(&seen, &every_millisecond(3), 3);
        assert_eq!(
            (direction.reordered, direction.duplicated, direction.lost),
            (1, 1, 0)
        );
    }
}
