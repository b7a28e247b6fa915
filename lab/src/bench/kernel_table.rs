//! How many of a table's routes are in a namespace's kernel, asked so that the
//! asking costs little: a sample by its lookups, and the count of all once the
//! whole sample is there.

use std::fs::File;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use anyhow::Context;
use ipnet::IpNet;

use crate::world::Namespace;

pub struct KernelTable {
    sample: Vec<Ipv4Addr>,
    /// How many of the sample are known to be as wanted.
    settled: usize,
    socket: UdpSocket,
    statistics: File,
    /// Routes that are not the table's.
    others: usize,
    prefixes: usize,
    next_count: Instant,
    counted: usize,
}

/// What the kernel is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    All,
    None,
}

impl KernelTable {
    /// Before any of these prefixes has a route.
    pub fn watch(namespace: &Namespace, prefixes: &[IpNet]) -> anyhow::Result<Self> {
        let opened = namespace.enter(|| -> anyhow::Result<_> {
            let socket = UdpSocket::bind("0.0.0.0:0")?;
            let statistics = File::open("/proc/thread-self/net/fib_triestat")?;
            Ok((socket, statistics))
        });
        let (socket, statistics) = opened?.context("the kernel's routes")?;
        let step = (prefixes.len() / SAMPLE).max(1);
        // The last one first: whoever installs in order is seen to end at once.
        let spread = prefixes.iter().rev().step_by(step);
        let v4 = spread.filter_map(|prefix| match prefix {
            IpNet::V4(prefix) => Some(prefix.network()),
            IpNet::V6(_) => None,
        });
        Ok(Self {
            sample: v4.collect(),
            settled: 0,
            socket,
            others: count(&statistics)?,
            statistics,
            prefixes: prefixes.len(),
            next_count: Instant::now(),
            counted: 0,
        })
    }

    /// `Err` says what is seen instead.
    pub fn is(&mut self, wanted: Wanted) -> Result<(), String> {
        while let Some(address) = self.sample.get(self.settled) {
            // A datagram socket's connect looks for a route and sends nothing.
            let found = self.socket.connect((*address, 9)).is_ok();
            if found != (wanted == Wanted::All) {
                let seen = if found { "still there" } else { "missing" };
                return Err(format!("the route to {address} is {seen}"));
            }
            self.settled += 1;
        }
        let now = Instant::now();
        let number = match wanted {
            Wanted::All => self.prefixes,
            Wanted::None => 0,
        };
        if now >= self.next_count {
            self.counted = count(&self.statistics)
                .map_err(|error| format!("{error:#}"))?
                .saturating_sub(self.others);
            // The walk over all routes may not become a load of its own.
            self.next_count = Instant::now() + now.elapsed() * 4 + Duration::from_millis(1);
        }
        if self.counted == number {
            self.settled = 0;
            self.next_count = now;
            return Ok(());
        }
        Err(format!("{} of {number} routes", self.counted))
    }
}

/// Routes of the main table in the namespace that the file was opened in. (A
/// namespace without rules has one trie for both of its tables, listed twice.)
fn count(statistics: &File) -> anyhow::Result<usize> {
    let mut text = vec![0; 16 << 10];
    let length = statistics.read_at(&mut text, 0)?;
    let text = String::from_utf8_lossy(&text[..length]);
    let main = text.lines().skip_while(|line| *line != "Main:");
    let mut counts = main.filter_map(|line| line.trim().strip_prefix("Prefixes:"));
    let count = counts.next().context("no main table")?;
    Ok(count.trim().parse()?)
}

const SAMPLE: usize = 1000;
