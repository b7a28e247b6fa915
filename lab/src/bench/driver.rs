//! All the neighbors of the measured speaker, on one thread: as little BGP as
//! it takes to be believed, so that a thousand of them cost little.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::Bytes;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollTimeout};

use super::lane::Neighbor;
use super::session::Session;
use crate::{interrupt, wait};

pub struct Driver {
    pub sessions: Vec<Session>,
    speaker: SocketAddr,
    epoll: Epoll,
    chunk: Vec<u8>,
    next_look: Instant,
    at_once: usize,
}

impl Driver {
    /// Call it in the namespace that has the neighbors' addresses.
    pub fn new(
        speaker: SocketAddr,
        neighbors: &[Neighbor],
        hold_time: Duration,
    ) -> anyhow::Result<Self> {
        let sessions = neighbors.iter().zip(0..);
        Ok(Self {
            sessions: sessions
                .map(|(neighbor, number)| Session::new(*neighbor, hold_time, number))
                .collect(),
            speaker,
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            chunk: vec![0; CHUNK],
            next_look: Instant::now(),
            at_once: usize::MAX,
        })
    }

    /// Dials from every neighbor, with at most so many sessions on their way at
    /// once; the time until the last is Established.
    pub fn establish(&mut self, at_once: usize, patience: Duration) -> anyhow::Result<Duration> {
        self.at_once = at_once;
        let started = Instant::now();
        let wanted = self.sessions.len();
        self.until("sessions", patience, |driver| {
            let established = driver.sessions.iter().filter(|session| session.is_up());
            reached(established.count(), wanted, "sessions")
        })?;
        Ok(started.elapsed())
    }

    /// Has one neighbor send these messages after all that it was given before.
    pub fn feed(&mut self, session: usize, messages: Bytes) -> anyhow::Result<()> {
        self.sessions[session].feed(messages, &self.epoll)
    }

    /// Serves the sessions until `check` answers `Ok`; its `Err` says what is
    /// seen instead. Every two seconds somebody may read that.
    pub fn until<T>(
        &mut self,
        what: &str,
        patience: Duration,
        mut check: impl FnMut(&mut Self) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        let started = Instant::now();
        let mut next_word = PROGRESS;
        loop {
            let seen = match check(self) {
                Ok(value) => return Ok(value),
                Err(seen) => seen,
            };
            let elapsed = started.elapsed();
            if elapsed > patience {
                let expected = format!("{what} within {} s", patience.as_secs());
                return Err(wait::Unmet::new(expected, seen).into());
            }
            if elapsed > next_word {
                tracing::info!("{what}: {seen} after {} s", elapsed.as_secs());
                next_word = elapsed + PROGRESS;
            }
            self.turn(TURN)?;
        }
    }

    /// Waits at most so long for anything to happen, and serves it.
    pub fn turn(&mut self, at_most: Duration) -> anyhow::Result<()> {
        if interrupt::pending() {
            return Err(wait::Interrupted.into());
        }
        self.look_at_clocks()?;
        let mut events = [EpollEvent::empty(); 256];
        let timeout = EpollTimeout::try_from(at_most).unwrap_or(EpollTimeout::ZERO);
        let ready = match self.epoll.wait(&mut events, timeout) {
            Ok(ready) => ready,
            Err(nix::Error::EINTR) => 0,
            Err(error) => bail!("epoll: {error}"),
        };
        for event in &events[..ready] {
            let number = usize::try_from(event.data()).context("an epoll event's number")?;
            let session = &mut self.sessions[number];
            session
                .serve(event.events(), &mut self.chunk, &self.epoll)
                .with_context(|| format!("the session from {}", session.neighbor.address))?;
        }
        Ok(())
    }

    /// Dials (again) and keeps sessions alive where it is time for that.
    fn look_at_clocks(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        if now < self.next_look {
            return Ok(());
        }
        self.next_look = now + LOOK;
        let on_the_way = self
            .sessions
            .iter()
            .filter(|session| session.is_on_the_way());
        let mut room = self.at_once.saturating_sub(on_the_way.count());
        for session in &mut self.sessions {
            if session.is_to_dial(now) && room > 0 {
                session.dial(self.speaker, &self.epoll)?;
                room -= 1;
            }
            session
                .look_at_clock(now, &self.epoll)
                .with_context(|| format!("the session from {}", session.neighbor.address))?;
        }
        Ok(())
    }
}

/// `Ok` where there are as many as wanted.
pub fn reached(seen: usize, wanted: usize, what: &str) -> Result<(), String> {
    if seen == wanted {
        Ok(())
    } else {
        Err(format!("{seen} of {wanted} {what}"))
    }
}

const CHUNK: usize = 256 << 10;
const PROGRESS: Duration = Duration::from_secs(2);
/// What `until` checks may be so late.
const TURN: Duration = Duration::from_millis(1);
const LOOK: Duration = Duration::from_millis(2);
