//! How long it takes from the sending of an UPDATE until the kernel tells that
//! the route has changed.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use bgpd::netlink::{Notifications, route};
use ipnet::IpNet;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};

use crate::world::Namespace;

pub struct Monitor {
    shared: Arc<Shared>,
    thread: JoinHandle<Vec<Duration>>,
}

struct Shared {
    started: Instant,
    /// When each prefix's change was sent, in nanoseconds from `started`; 0
    /// where the kernel has followed.
    sent: Vec<AtomicU64>,
    ended: AtomicBool,
    /// Whether the kernel has had to drop notifications.
    overrun: AtomicBool,
}

impl Monitor {
    pub fn start(namespace: &Namespace, prefixes: &[IpNet]) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            started: Instant::now(),
            sent: prefixes.iter().map(|_| AtomicU64::new(0)).collect(),
            ended: AtomicBool::new(false),
            overrun: AtomicBool::new(false),
        });
        let notifications = namespace
            .enter(|| Notifications::subscribe(&[libc::RTNLGRP_IPV4_ROUTE]))?
            .context("listening to the kernel's routes")?;
        // Seconds of them, in case this thread isn't let run.
        setsockopt(&notifications, sockopt::RcvBufForce, &BUFFER)?;
        let numbers = prefixes.iter().copied().zip(0..).collect();
        let watched = Arc::clone(&shared);
        let thread = thread::spawn(move || watched.listen(notifications, &numbers));
        Ok(Self { shared, thread })
    }

    /// The change of this prefix is on its way.
    pub fn sent(&self, number: usize) {
        let now = self.shared.started.elapsed().as_nanos();
        self.shared.sent[number].store(u64::try_from(now).unwrap_or(u64::MAX), Relaxed);
    }

    /// How many changes the kernel has not told of.
    pub fn outstanding(&self) -> usize {
        let sent = self.shared.sent.iter();
        sent.filter(|sent| sent.load(Relaxed) != 0).count()
    }

    /// Whether some changes can't have been seen, for there were too many.
    pub fn overrun(&self) -> bool {
        self.shared.overrun.load(Relaxed)
    }

    /// What every change took, ascending.
    pub fn end(self) -> anyhow::Result<Vec<Duration>> {
        self.shared.ended.store(true, Relaxed);
        let latencies = self.thread.join();
        let mut latencies = latencies.map_err(|_| anyhow::anyhow!("the monitor panicked"))?;
        latencies.sort_unstable();
        Ok(latencies)
    }
}

impl Shared {
    fn listen(
        &self,
        mut notifications: Notifications,
        numbers: &HashMap<IpNet, usize, foldhash::fast::RandomState>,
    ) -> Vec<Duration> {
        let mut latencies = vec![];
        while !self.ended.load(Relaxed) {
            let received = notifications.receive(|message| {
                let Some(seen) = route::Seen::read(&message) else {
                    return;
                };
                if let Some(number) = numbers.get(&seen.prefix) {
                    latencies.extend(self.answered(*number));
                }
            });
            match received {
                Ok(true) => {}
                Ok(false) => {
                    let mut ready = [PollFd::new(notifications.as_fd(), PollFlags::POLLIN)];
                    let _again = poll(&mut ready, PollTimeout::from(100_u8));
                }
                Err(error) => {
                    tracing::warn!("the kernel's notifications: {error}");
                    self.overrun.store(true, Relaxed);
                }
            }
        }
        latencies
    }

    fn answered(&self, number: usize) -> Option<Duration> {
        let sent = Duration::from_nanos(self.sent[number].swap(0, Relaxed));
        (!sent.is_zero()).then(|| self.started.elapsed().saturating_sub(sent))
    }
}

const BUFFER: usize = 256 << 20;
