//! Traffic of our own, that goes where the routing table sends it: numbered
//! probes at a fixed rate to addresses behind the VIF. A thread for each target,
//! so that nothing else of this program delays it.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::poll::{PollFd, PollFlags, ppoll};
use serde::Serialize;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    Icmp,
    /// To this port, which echoes.
    Udp(u16),
}

impl Means {
    fn port(self) -> u16 {
        match self {
            Self::Icmp => 0,
            Self::Udp(port) => port,
        }
    }
}

/// Where to, and with which of our addresses; `None`: as the route says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) address: IpAddr,
    pub(super) source: Option<IpAddr>,
}

/// One that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Probe {
    /// Seconds since the beginning.
    pub(super) sent: f64,
    /// Seconds until its answer; `None`: it never came.
    pub(super) rtt: Option<f64>,
}

/// Probes on their way, until finished.
pub(super) struct Traffic {
    stopping: Arc<AtomicBool>,
    threads: Vec<(IpAddr, JoinHandle<Vec<Probe>>)>,
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(1);

impl Traffic {
    /// `origin` is what times count from.
    pub(super) fn start(
        targets: &[Target],
        means: Means,
        interval: Duration,
        origin: Instant,
    ) -> anyhow::Result<Self> {
        let stopping = Arc::new(AtomicBool::new(false));
        let mut sockets = Vec::new();
        for target in targets {
            let socket = open(*target, means).with_context(|| {
                format!("no socket for probes to {}: are you root?", target.address)
            })?;
            sockets.push((target.address, socket));
        }
        let start = |(target, socket): (IpAddr, Socket)| {
            let mut lane = Lane {
                echo: Echo::new(target, means),
                to: SocketAddr::new(target, means.port()).into(),
                socket,
                interval,
                origin,
                probes: Vec::new(),
            };
            let stopping = Arc::clone(&stopping);
            let thread = std::thread::spawn(move || {
                lane.run(&stopping);
                lane.probes
            });
            (target, thread)
        };
        Ok(Self {
            threads: sockets.into_iter().map(start).collect(),
            stopping,
        })
    }

    /// It ends only when told to: else something is broken.
    pub(super) fn has_failed(&self) -> bool {
        self.threads.iter().any(|(_, thread)| thread.is_finished())
    }

    /// Waits for what is still on its way. `None` for a thread that panicked.
    pub(super) fn finish(self) -> Vec<(IpAddr, Option<Vec<Probe>>)> {
        self.stopping.store(true, Ordering::Relaxed);
        let ended = self.threads.into_iter();
        ended
            .map(|(target, thread)| (target, thread.join().ok()))
            .collect()
    }
}

/// Those that answer at least one of three probes.
pub(super) async fn answering(targets: &[Target], means: Means) -> anyhow::Result<Vec<IpAddr>> {
    let interval = Duration::from_millis(100);
    let traffic = Traffic::start(targets, means, interval, Instant::now())?;
    tokio::time::sleep(interval * 3).await;
    let results = tokio::task::spawn_blocking(move || traffic.finish()).await?;
    let answers =
        |probes: &Option<Vec<Probe>>| probes.iter().flatten().any(|probe| probe.rtt.is_some());
    Ok(results
        .into_iter()
        .filter(|(_, probes)| answers(probes))
        .map(|(target, _)| target)
        .collect())
}

/// The unprivileged kind of ICMP socket where the kernel lets us, else a raw one.
/// Not connected: the route is looked up for each probe, as for anybody's packets.
fn open(target: Target, means: Means) -> io::Result<Socket> {
    let domain = Domain::for_address(SocketAddr::new(target.address, 0));
    let socket = match means {
        Means::Udp(_) => Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?,
        Means::Icmp => {
            let protocol = if target.address.is_ipv4() {
                Protocol::ICMPV4
            } else {
                Protocol::ICMPV6
            };
            Socket::new(domain, Type::DGRAM, Some(protocol))
                .or_else(|_| Socket::new(domain, Type::RAW, Some(protocol)))?
        }
    };
    if let Some(source) = target.source {
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// One target's.
struct Lane {
    socket: Socket,
    to: SockAddr,
    echo: Echo,
    interval: Duration,
    origin: Instant,
    probes: Vec<Probe>,
}

impl Lane {
    fn run(&mut self, stopping: &AtomicBool) {
        let mut due = Instant::now();
        let mut last_call = None;
        loop {
            let now = Instant::now();
            if stopping.load(Ordering::Relaxed) {
                let until = *last_call.get_or_insert(now + PATIENCE);
                if now >= until || self.is_all_answered() {
                    return;
                }
                self.wait(until.min(now + Duration::from_millis(20)));
            } else if now >= due {
                self.send(now);
                // What a late wake-up missed is sent at once, up to a few.
                due = (due + self.interval).max(now.checked_sub(self.interval * 5).unwrap_or(now));
            } else {
                self.wait(due);
            }
            self.receive();
        }
    }

    fn is_all_answered(&self) -> bool {
        let outlived = self.origin.elapsed().as_secs_f64() - PATIENCE.as_secs_f64();
        let recent = self
            .probes
            .iter()
            .rev()
            .take_while(|one| one.sent > outlived);
        recent.into_iter().all(|probe| probe.rtt.is_some())
    }

    fn send(&mut self, now: Instant) {
        let number = self.probes.len() as u64;
        self.probes.push(Probe {
            sent: (now - self.origin).as_secs_f64(),
            rtt: None,
        });
        // No route: lost, and counted so.
        let _lost = self.socket.send_to(&self.echo.request(number), &self.to);
    }

    fn receive(&mut self) {
        let mut bytes = [0; 1500];
        loop {
            let length = match self.socket.read(&mut bytes) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // An error about an earlier probe is told once.
                Err(_) => continue,
            };
            let number = bytes
                .get(..length)
                .and_then(|bytes| self.echo.answer(bytes));
            let at = self.origin.elapsed().as_secs_f64();
            let probe = number
                .and_then(|number| usize::try_from(number).ok())
                .and_then(|number| self.probes.get_mut(number));
            if let Some(probe) = probe.filter(|probe| probe.rtt.is_none()) {
                let rtt = at - probe.sent;
                probe.rtt = (rtt <= PATIENCE.as_secs_f64()).then_some(rtt);
            }
        }
    }

    fn wait(&self, until: Instant) {
        let left = until.saturating_duration_since(Instant::now());
        let mut sockets = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        // Interrupted or not: the caller looks at the clock again.
        let _ready = ppoll(&mut sockets, Some(left.into()), None);
    }
}

/// How requests are written and answers recognized: by a random mark, and their
/// number behind it.
struct Echo {
    means: Means,
    is_ipv4: bool,
    mark: [u8; 8],
}

const ICMP_HEADER: usize = 8;

impl Echo {
    fn new(target: IpAddr, means: Means) -> Self {
        let mut mark = [0; 8];
        // Without randomness another program's echo might be taken for ours; that is all.
        let _weak = getrandom::fill(&mut mark);
        Self {
            means,
            is_ipv4: target.is_ipv4(),
            mark,
        }
    }

    fn request(&self, number: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ICMP_HEADER + 16);
        if self.means == Means::Icmp {
            // RFC 792, RFC 4443 §4.1: type, code, checksum, identifier, sequence number.
            let kind = if self.is_ipv4 { 8 } else { 128 };
            bytes.extend([kind, 0, 0, 0]);
            bytes.extend(self.mark.get(..2).unwrap_or(&[0, 0]));
            bytes.extend((number as u16).to_be_bytes());
        }
        bytes.extend(self.mark);
        bytes.extend(number.to_be_bytes());
        if self.means == Means::Icmp && self.is_ipv4 {
            // For ICMPv6 the kernel does it.
            let checksum = checksum(&bytes).to_be_bytes();
            if let Some(field) = bytes.get_mut(2..4) {
                field.copy_from_slice(&checksum);
            }
        }
        bytes
    }

    /// The number of the request that this answers.
    fn answer(&self, bytes: &[u8]) -> Option<u64> {
        let payload = match self.means {
            Means::Udp(_) => bytes,
            Means::Icmp => {
                let message = self.message(bytes)?;
                let expected = if self.is_ipv4 { 0 } else { 129 };
                (*message.first()? == expected).then_some(message.get(ICMP_HEADER..)?)?
            }
        };
        let number = payload.strip_prefix(self.mark.as_slice())?;
        Some(u64::from_be_bytes(number.try_into().ok()?))
    }

    /// A raw IPv4 socket has the IP header before it.
    fn message<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let first = *bytes.first()?;
        if self.is_ipv4 && first >> 4 == 4 {
            return bytes.get(usize::from(first & 0xf) * 4..);
        }
        Some(bytes)
    }
}

/// RFC 1071
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| match pair {
        [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
        [high] => u32::from(*high) << 8,
        _ => 0,
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn loopback() -> Target {
        Target {
            address: "127.0.0.1".parse().unwrap(),
            source: None,
        }
    }

    #[test]
    fn the_checksum_is_that_of_rfc_1071() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(checksum(&bytes), !0xddf2);
    }

    #[test]
    fn an_answer_is_recognized_with_and_without_the_ip_header() {
        let echo = Echo::new("10.0.0.1".parse().unwrap(), Means::Icmp);
        let mut answer = echo.request(7);
        assert_eq!(echo.answer(&answer), None, "our own request");
        answer[0] = 0;
        assert_eq!(echo.answer(&answer), Some(7));
        let header = [&[0x45][..], &[0; 19], &answer].concat();
        assert_eq!(echo.answer(&header), Some(7));
        for length in 0..answer.len() {
            assert_eq!(echo.answer(&answer[..length]), None);
        }
    }

    #[test]
    fn the_loopback_address_answers_every_probe() {
        let origin = Instant::now();
        let target = loopback();
        let traffic =
            Traffic::start(&[target], Means::Icmp, Duration::from_millis(2), origin).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        assert!(!traffic.has_failed());
        let (_, probes) = traffic.finish().pop().unwrap();
        let probes = probes.unwrap();
        assert!(probes.len() > 10, "{}", probes.len());
        assert!(probes.iter().all(|probe| probe.rtt.is_some()), "{probes:?}");
    }

    #[test]
    fn a_closed_port_answers_nothing_and_breaks_nothing() {
        let target = loopback();
        let interval = Duration::from_millis(5);
        let traffic = Traffic::start(&[target], Means::Udp(9), interval, Instant::now()).unwrap();
        std::thread::sleep(Duration::from_millis(60));
        let (_, probes) = traffic.finish().pop().unwrap();
        let probes = probes.unwrap();
        assert!(probes.len() > 2 && probes.iter().all(|probe| probe.rtt.is_none()));
    }
}
