//! A Session-Reflector (RFC 8762 §4.3) that keeps state: it counts the packets of
//! each session, so that a sender can tell the two directions apart.
//!
//! It answers whom it is allowed to, never with more octets or packets than it was
//! sent, so many a second; and no packet from a port below 1024, behind which
//! another reflector or an echo server would answer the answer.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use bgp_core::Family;
use ipnet::IpNet;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::Type;

use super::packet::{LENGTH, Timestamp, reflect};
use crate::probe::clock::Now;
use crate::probe::socket::{Arrival, Packet, Parcel, Socket};

/// Whom to answer, and where.
#[derive(Clone, Debug)]
pub struct Options {
    pub listen: Vec<SocketAddr>,
    /// Empty: everyone.
    pub allow: Vec<IpNet>,
    /// Packets a second of one session.
    pub rate: u32,
}

/// The sockets, and what is remembered of each session.
pub struct Reflector {
    sockets: Vec<Socket>,
    allow: Vec<IpNet>,
    sessions: Sessions,
}

impl Reflector {
    /// # Errors
    /// A socket can't be opened or bound, with its address.
    pub fn open(options: &Options) -> io::Result<Self> {
        let sockets = options.listen.iter().map(|address| {
            listen(*address).map_err(|error| {
                let hint = match error.kind() {
                    io::ErrorKind::PermissionDenied => {
                        "; ports below 1024 need CAP_NET_BIND_SERVICE"
                    }
                    _ => "",
                };
                io::Error::new(
                    error.kind(),
                    format!("can't listen on {address}: {error}{hint}"),
                )
            })
        });
        Ok(Self {
            sockets: sockets.collect::<io::Result<_>>()?,
            allow: options.allow.clone(),
            sessions: Sessions::new(options.rate),
        })
    }

    /// Answers until something fails.
    pub fn run(mut self) -> io::Result<()> {
        loop {
            let sockets = self.sockets.iter();
            let mut waiting: Vec<_> = sockets
                .map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN))
                .collect();
            match poll(&mut waiting, PollTimeout::NONE) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
            for socket in &mut self.sockets {
                answer(socket, &self.allow, &mut self.sessions)?;
            }
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<Socket> {
    let family = Family::of(address.ip());
    let socket = Socket::open(family, Type::DGRAM, None, None)?;
    socket.report_ttl()?;
    socket.bind(address)?;
    Ok(socket)
}

fn answer(socket: &mut Socket, allow: &[IpNet], sessions: &mut Sessions) -> io::Result<()> {
    // Departures, and complaints about answers: nobody's business.
    socket.notices(|_| {})?;
    let mut parcels = Vec::new();
    socket.receive(|arrival| {
        let now = Now::read();
        if !is_welcome(&arrival, allow) {
            return;
        }
        let Some(sequence) = sessions.count(&arrival, now.instant) else {
            return;
        };
        let received = Timestamp::at(arrival.at.unwrap_or(now.wall));
        let ttl = arrival.ttl.unwrap_or(0);
        let sent = Timestamp::at(Now::read().wall);
        if let Some(reply) = reflect(arrival.octets, sequence, received, ttl, sent) {
            parcels.push(Parcel {
                to: arrival.from,
                // By the routes: where it came from is not always the way back.
                ifindex: 0,
                from: arrival.to,
                packet: Packet::from_vec(reply),
            });
        }
    })?;
    socket.send(&parcels, |index, outcome| {
        if let Err(error) = outcome {
            tracing::debug!("answer to {}: {error}", parcels[index].to);
        }
    });
    Ok(())
}

fn is_welcome(arrival: &Arrival<'_>, allow: &[IpNet]) -> bool {
    let from = arrival.from.ip();
    let is_one_host = match from {
        IpAddr::V4(v4) => !v4.is_multicast() && !v4.is_broadcast() && !v4.is_unspecified(),
        IpAddr::V6(v6) => !v6.is_multicast() && !v6.is_unspecified(),
    };
    // Sent to a group, it would be answered by many.
    let to_us_alone = arrival.to.is_some_and(|to| !to.is_multicast());
    let is_allowed = allow.is_empty() || allow.iter().any(|net| net.contains(&from));
    is_one_host
        && to_us_alone
        && is_allowed
        && arrival.from.port() >= FIRST_ORDINARY_PORT
        && arrival.octets.len() >= LENGTH
}

struct Sessions {
    /// By the sender's address and session identifier (RFC 8972 §3).
    known: HashMap<(SocketAddr, u16), Session>,
    rate: f64,
}

struct Session {
    next: u32,
    /// Packets that may come at once, at `last`.
    allowance: f64,
    last: Instant,
}

impl Sessions {
    fn new(rate: u32) -> Self {
        Self {
            known: HashMap::new(),
            rate: f64::from(rate),
        }
    }

    /// The packet's number in its session, from 0; `None`: too many packets, or
    /// sessions.
    fn count(&mut self, arrival: &Arrival<'_>, now: Instant) -> Option<u32> {
        let session: [u8; 2] = *arrival.octets.get(14..)?.first_chunk()?;
        let key = (arrival.from, u16::from_be_bytes(session));
        if !self.known.contains_key(&key) && self.known.len() >= MOST_SESSIONS {
            let is_over = |last| now.saturating_duration_since(last) > FORGET_AFTER;
            self.known.retain(|_, session| !is_over(session.last));
            if self.known.len() >= MOST_SESSIONS {
                return None;
            }
        }
        let rate = self.rate;
        let session = self.known.entry(key).or_insert(Session {
            next: 0,
            allowance: rate,
            last: now,
        });
        let elapsed = now.saturating_duration_since(session.last);
        // RFC 8762 §4.3: a session without packets for long is over.
        if elapsed > FORGET_AFTER {
            session.next = 0;
        }
        session.last = now;
        session.allowance = (session.allowance + elapsed.as_secs_f64() * rate).min(rate);
        if session.allowance < 1.0 {
            return None;
        }
        session.allowance -= 1.0;
        let sequence = session.next;
        session.next = session.next.wrapping_add(1);
        Some(sequence)
    }
}

const FIRST_ORDINARY_PORT: u16 = 1024;
const MOST_SESSIONS: usize = 10_000;
/// RFC 5357 §3.5's REFWAIT, of the protocol that STAMP follows.
const FORGET_AFTER: Duration = Duration::from_secs(900);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn arrival<'o>(from: &str, octets: &'o [u8]) -> Arrival<'o> {
        Arrival {
            from: from.parse().unwrap(),
            ifindex: 1,
            at: None,
            ttl: None,
            to: Some("192.0.2.1".parse().unwrap()),
            octets,
        }
    }

    #[test]
    fn only_single_hosts_that_are_allowed_and_ask_enough_are_answered() {
        let octets = [0; LENGTH];
        let allow = ["192.0.2.0/24".parse().unwrap()];
        let welcome = |from, octets| is_welcome(&arrival(from, octets), &allow);
        assert!(welcome("192.0.2.7:40000", &octets));
        assert!(!welcome("198.51.100.7:40000", &octets), "not allowed");
        assert!(is_welcome(&arrival("198.51.100.7:40000", &octets), &[]));
        for from in ["192.0.2.7:0", "192.0.2.7:7", "192.0.2.7:862"] {
            assert!(!welcome(from, &octets), "{from}");
        }
        for from in ["255.255.255.255:40000", "224.0.0.1:40000", "0.0.0.0:40000"] {
            assert!(!is_welcome(&arrival(from, &octets), &[]), "{from}");
        }
        assert!(!welcome("192.0.2.7:40000", &octets[1..]), "too short");
        let to_a_group = Arrival {
            to: None,
            ..arrival("192.0.2.7:40000", &octets)
        };
        assert!(!is_welcome(&to_a_group, &allow));
    }

    #[test]
    fn each_session_is_counted_and_limited_on_its_own() {
        let mut sessions = Sessions::new(3);
        let (one, mut other) = ([0; LENGTH], [0; LENGTH]);
        other[15] = 1;
        let now = Instant::now();
        let mut count =
            |octets: &[u8], now| sessions.count(&arrival("192.0.2.7:40000", octets), now);
        let first: Vec<_> = (0..5).map(|_| count(&one, now)).collect();
        assert_eq!(first, [Some(0), Some(1), Some(2), None, None]);
        assert_eq!(count(&other, now), Some(0));
        assert_eq!(count(&one, now + Duration::from_secs(1)), Some(3));
        let later = now + FORGET_AFTER * 2;
        assert_eq!(count(&one, later), Some(0), "a new session");
    }

    #[test]
    fn sessions_that_are_over_make_room() {
        let mut sessions = Sessions::new(10);
        let octets = [0; LENGTH];
        let now = Instant::now();
        for host in 0..MOST_SESSIONS {
            let from = format!("10.0.{}.{}:40000", host / 256, host % 256);
            assert_eq!(sessions.count(&arrival(&from, &octets), now), Some(0));
        }
        let from = "192.0.2.7:40000";
        assert_eq!(sessions.count(&arrival(from, &octets), now), None);
        let later = now + FORGET_AFTER * 2;
        assert_eq!(sessions.count(&arrival(from, &octets), later), Some(0));
    }
}
