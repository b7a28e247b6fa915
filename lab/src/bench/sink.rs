//! Counts what the speaker announces: which prefixes of the table are there
//! now, and when that last changed.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::bail;
use bgp_core::wire::{Message, Prefixes, Update};
use ipnet::Ipv4Net;

use super::session::Session;
use super::table::Table;
use crate::wait;

/// What the sink has seen, readable while it works.
pub struct Seen {
    started: Instant,
    present: AtomicUsize,
    /// Microseconds from `started` to the last UPDATE.
    last: AtomicU64,
    updates: AtomicU64,
    ended: Mutex<Option<String>>,
}

impl Seen {
    /// Counts on a thread of its own until the session ends.
    pub fn watch(session: Session, table: &Table) -> Arc<Self> {
        let seen = Arc::new(Self {
            started: Instant::now(),
            present: AtomicUsize::new(0),
            last: AtomicU64::new(0),
            updates: AtomicU64::new(0),
            ended: Mutex::new(None),
        });
        let mut present = Present::new(table);
        let watched = Arc::clone(&seen);
        std::thread::spawn(move || {
            let why = watched.count(session, &mut present);
            if let Ok(mut ended) = watched.ended.lock() {
                *ended = Some(why);
            }
        });
        seen
    }

    /// Waits until exactly `wanted` prefixes are there; when the last of them
    /// came (or went).
    pub fn wait_for(&self, wanted: usize, patience: Duration) -> anyhow::Result<Instant> {
        let deadline = Instant::now() + patience;
        loop {
            let present = self.present.load(Relaxed);
            if present == wanted {
                return Ok(self.last());
            }
            let ended = self.ended.lock().ok().and_then(|ended| ended.clone());
            if let Some(why) = ended {
                bail!("the sink's session ended at {present} prefixes: {why}");
            }
            if Instant::now() > deadline {
                bail!("{present} instead of {wanted} prefixes after {patience:?}");
            }
            wait::pause(Duration::from_millis(1))?;
        }
    }

    /// Waits until nothing has come for `quiet`.
    pub fn wait_for_quiet(&self, quiet: Duration) -> anyhow::Result<()> {
        while self.last().elapsed() < quiet {
            wait::pause(quiet / 20)?;
        }
        Ok(())
    }

    pub fn updates(&self) -> u64 {
        self.updates.load(Relaxed)
    }

    fn last(&self) -> Instant {
        self.started + Duration::from_micros(self.last.load(Relaxed))
    }

    /// Why the session ended.
    fn count(&self, mut session: Session, present: &mut Present) -> String {
        loop {
            match session.receive() {
                Ok(Message::Update(update)) => {
                    present.apply(&update);
                    let now = self.started.elapsed().as_micros();
                    self.last
                        .store(u64::try_from(now).unwrap_or(u64::MAX), Relaxed);
                    self.updates.fetch_add(1, Relaxed);
                    self.present.store(present.count, Relaxed);
                }
                Ok(Message::Notification(notification)) => return format!("{notification:?}"),
                Ok(_) => {}
                Err(error) => return format!("{error:#}"),
            }
        }
    }
}

/// Which of the table's prefixes are there.
struct Present {
    index: HashMap<u64, u32, foldhash::fast::RandomState>,
    there: Vec<bool>,
    count: usize,
}

impl Present {
    fn new(table: &Table) -> Self {
        let numbered = table.prefixes.iter().zip(0..);
        Self {
            index: numbered
                .map(|(prefix, number)| (key(*prefix), number))
                .collect(),
            there: vec![false; table.prefixes.len()],
            count: 0,
        }
    }

    fn apply(&mut self, update: &Update) {
        for prefixes in &update.withdrawn {
            self.set(prefixes, false);
        }
        for announcement in &update.announced {
            self.set(&announcement.prefixes, true);
        }
    }

    fn set(&mut self, prefixes: &Prefixes, now: bool) {
        let Prefixes::V4(prefixes) = prefixes else {
            return;
        };
        for prefix in prefixes {
            let Some(number) = self.index.get(&key(*prefix)) else {
                continue;
            };
            let there = &mut self.there[*number as usize];
            match (*there, now) {
                (false, true) => self.count += 1,
                (true, false) => self.count -= 1,
                _ => {}
            }
            *there = now;
        }
    }
}

fn key(prefix: Ipv4Net) -> u64 {
    let address: Ipv4Addr = prefix.network();
    u64::from(u32::from(address)) << 8 | u64::from(prefix.prefix_len())
}
