//! Source addresses on ways out that don't carry ours: masquerading on the paths that
//! ask for it, and connection tracking's memory of flows that have been moved.
//!
//! One thread of its own, which no swap waits for. Rules are in an nftables table of
//! ours and nowhere else. The kernel decides on a flow's translation when it begins
//! and keeps to it: a flow that was moved goes on with the source address of the path
//! it has left, which the new one may not carry. So, after a swap, exactly those
//! entries are deleted, and the flow's next packet begins it anew. Flows that were
//! not moved keep theirs, and so do those that the new path carries as they are: a
//! firewall goes on knowing them.

mod flush;

use std::collections::HashMap;
use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bgp_core::PathId;
use bgp_core::config::{Config, Conntrack};
use ipnet::IpNet;

use crate::fastpath;
use crate::netlink::nftables::{self, Masquerade};
use crate::netlink::{Refusal, Socket};
use flush::{Carriers, Move};

pub use flush::Flushed;

/// What the configuration asks for.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// One interface once.
    pub masquerades: Vec<Masquerade>,
    pub paths: HashMap<PathId, Treatment>,
}

/// What a path does to flows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Treatment {
    /// Flows from there get the interface's address.
    pub masquerades: Vec<IpNet>,
    pub conntrack: Conntrack,
}

impl Plan {
    /// `id` names each static path.
    pub fn of(config: &Config, mut id: impl FnMut(&std::sync::Arc<str>) -> PathId) -> Self {
        let mut plan = Self::default();
        for path in &config.paths {
            let treatment = Treatment {
                masquerades: path.masquerade.clone(),
                conntrack: path.conntrack,
            };
            if !path.masquerade.is_empty() {
                plan.masquerades.push(Masquerade {
                    interface: path.interface.clone(),
                    from: path.masquerade.clone(),
                });
            }
            plan.paths.insert(id(&path.name), treatment);
        }
        plan.masquerades.sort();
        plan.masquerades.dedup();
        plan
    }

    fn flushes(&self) -> bool {
        let mut treatments = self.paths.values();
        treatments.any(|treatment| treatment.conntrack == Conntrack::Flush)
    }
}

/// The name of our table; routes of this protocol are ours, too, and one daemon
/// alone has it in a network namespace.
pub fn table(protocol: u8) -> String {
    format!("bgpd-{protocol}")
}

/// Removes our table. Whether there was one.
pub fn remove(protocol: u8) -> io::Result<bool> {
    let mut socket = Socket::netfilter()?;
    if !is_there(protocol)? {
        return Ok(false);
    }
    nftables::replace(&mut socket, &table(protocol), &[])?;
    Ok(true)
}

/// Whether our table is there.
pub fn is_there(protocol: u8) -> io::Result<bool> {
    nftables::exists(&mut Socket::netfilter()?, &table(protocol))
}

/// The way to the thread, which ends with the last of these.
#[derive(Clone, Debug)]
pub struct Handle(mpsc::Sender<Order>);

enum Order {
    Configure(Plan),
    Look,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Rules could not be made, with what to do.
    Refused(String),
    /// Another program has removed this table, which is made again.
    Restored(String),
    Flushed {
        from: PathId,
        to: PathId,
        flushed: Flushed,
        took: Duration,
    },
}

/// Starts the thread; `tell` is called on it.
pub fn spawn(
    protocol: u8,
    fastpath: fastpath::Handle,
    tell: impl Fn(Event) + Send + 'static,
) -> io::Result<Handle> {
    let (orders, inbox) = mpsc::channel();
    let worker = Worker {
        protocol,
        fastpath,
        plan: Plan::default(),
        carriers: Carriers::default(),
        is_applied: false,
        refused: None,
        audit_at: Instant::now() + AUDIT,
        tell: Box::new(tell),
    };
    thread::Builder::new()
        .name("nat".to_owned())
        .spawn(move || worker.run(&inbox))?;
    Ok(Handle(orders))
}

impl Handle {
    /// From now on it is to be so.
    pub fn configure(&self, plan: Plan) {
        let _ = self.0.send(Order::Configure(plan));
    }

    /// Groups may have been moved: looks for flows that went with them.
    pub fn look(&self) {
        let _ = self.0.send(Order::Look);
    }
}

struct Worker {
    protocol: u8,
    fastpath: fastpath::Handle,
    plan: Plan,
    carriers: Carriers,
    /// The kernel has the plan's rules.
    is_applied: bool,
    /// What was last told of a refusal: each is news once.
    refused: Option<String>,
    /// However often it is told to look.
    audit_at: Instant,
    tell: Box<dyn Fn(Event) + Send>,
}

impl Worker {
    fn run(mut self, inbox: &mpsc::Receiver<Order>) {
        loop {
            let wait = self.audit_at.saturating_duration_since(Instant::now());
            let first = match inbox.recv_timeout(wait) {
                Ok(order) => Some(order),
                Err(mpsc::RecvTimeoutError::Timeout) => None,
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            };
            let mut looks = false;
            for order in first.into_iter().chain(inbox.try_iter()) {
                match order {
                    Order::Configure(plan) => self.configure(plan),
                    Order::Look => looks = true,
                }
            }
            if !self.is_applied {
                self.apply();
            }
            if self.audit_at <= Instant::now() {
                self.audit_at = Instant::now() + AUDIT;
                self.audit();
            }
            if looks && self.plan.flushes() {
                self.look();
            }
        }
    }

    fn configure(&mut self, plan: Plan) {
        self.is_applied &= plan.masquerades == self.plan.masquerades;
        self.plan = plan;
    }

    /// `nft flush ruleset`, with which most firewalls begin, takes our table too.
    fn audit(&mut self) {
        let is_wanted = self.is_applied && !self.plan.masquerades.is_empty();
        if is_wanted && !is_there(self.protocol).unwrap_or(true) {
            (self.tell)(Event::Restored(table(self.protocol)));
            self.apply();
        }
    }

    /// Once at the start, for what an earlier run has left; a refusal is tried again
    /// with the next order.
    fn apply(&mut self) {
        let outcome = self.try_apply();
        self.is_applied = outcome.is_ok();
        let refused = outcome.err().map(|error| {
            format!(
                "no masquerading: the kernel refuses nftables table inet {}: {error}; see that it has nf_tables and nft_masq (modprobe nft_masq), trying again",
                table(self.protocol)
            )
        });
        if let Some(why) = refused.clone().filter(|_| refused != self.refused) {
            (self.tell)(Event::Refused(why));
        }
        self.refused = refused;
    }

    fn try_apply(&self) -> io::Result<()> {
        let table = table(self.protocol);
        let rules = &self.plan.masquerades;
        // A kernel without nftables has nothing to remove either.
        if rules.is_empty() && !is_there(self.protocol).unwrap_or(false) {
            return Ok(());
        }
        let replaced: Result<(), Refusal> =
            nftables::replace(&mut Socket::netfilter()?, &table, rules);
        Ok(replaced?)
    }

    fn look(&mut self) {
        let states = self.fastpath.paths();
        for (pair, groups) in self.carriers.moved(&states) {
            let (from, to) = pair;
            let Some(moved) = Move::new(&self.plan, pair, groups, &states) else {
                continue;
            };
            let began = Instant::now();
            match moved.flush() {
                Ok(flushed) => (self.tell)(Event::Flushed {
                    from,
                    to,
                    flushed,
                    took: began.elapsed(),
                }),
                Err(error) => (self.tell)(Event::Refused(format!(
                    "flows that were moved may go on with their old source address: connection tracking can't be read: {error}"
                ))),
            }
        }
    }
}

/// How often it is looked whether the kernel still has our table.
const AUDIT: Duration = Duration::from_secs(5);
