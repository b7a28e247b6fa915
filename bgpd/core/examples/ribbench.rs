//! Time and memory of the RIB alone, without sessions: a synthetic full table
//! from two feeders, read by one or more receivers.
//!
//! `cargo run --release -p bgp-core --example ribbench -- [PREFIXES] [FEEDERS] [RECEIVERS]`

#![allow(
    clippy::disallowed_methods,
    reason = "a benchmark has a clock and reads its own memory"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bgp_core::config::{Peer, Ttl};
use bgp_core::policy::Policy;
use bgp_core::rib::{FibUse, OnDown, Outbound, Rib, Session, Settings};
use bgp_core::wire::{
    Announcement, AsPath, Codec, Community, NextHop, Origin, PathAttributes, Prefixes, Update,
};
use bgp_core::{Asn, Family, PathId, RouterId};
use ipnet::Ipv4Net;
use smallvec::smallvec;

/// UPDATEs handed over at once, as a session would.
const BATCH: usize = 64;

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .map(|text| text.parse::<u32>().expect("a number"));
    let prefixes = arguments.next().unwrap_or(1_000_000);
    let feeders = arguments.next().unwrap_or(2);
    let receivers = arguments.next().unwrap_or(1);
    let table = table(prefixes as usize);
    let streams: Vec<Vec<Update>> = (0..feeders).map(|feeder| updates(&table, feeder)).collect();
    let before = resident();

    let mut rib = Rib::new(Settings {
        asn: Asn(65000),
        router_id: RouterId(Ipv4Addr::new(192, 0, 2, 1)),
        fib: FibUse::Kernel,
    });
    for peer in 0..feeders + receivers {
        rib.configure(PathId(peer), Arc::new(peer_config(peer)));
        rib.established(PathId(peer), session(peer));
    }

    let began = Instant::now();
    let (mut taking, mut telling, mut fib) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let (mut told, mut messages, mut changes) = (0, 0, 0);
    let longest = streams.iter().map(Vec::len).max().unwrap_or(0);
    for at in (0..longest).step_by(BATCH) {
        let start = Instant::now();
        for (feeder, stream) in (0..).zip(&streams) {
            for update in stream.iter().skip(at).take(BATCH) {
                rib.update(PathId(feeder), update).expect("no limit");
            }
        }
        taking += start.elapsed();
        let start = Instant::now();
        changes += rib.drain_fib(usize::MAX).len();
        fib += start.elapsed();
        let start = Instant::now();
        for (listeners, outbound) in tell(&mut rib, usize::MAX) {
            messages += 1;
            told += listeners
                * match outbound {
                    Outbound::Announce(_, prefixes) | Outbound::Withdraw(prefixes) => {
                        prefixes.len()
                    }
                    Outbound::EndOfRib(_) => 0,
                };
        }
        telling += start.elapsed();
    }
    println!(
        "load      {:>7.3} s: taking {taking:.3?}, telling {telling:.3?} ({told} in {messages}), FIB {fib:.3?} ({changes})",
        began.elapsed().as_secs_f64()
    );
    println!(
        "memory    {:>7.1} MB for {} attribute sets",
        (resident() - before) as f64 / 1e6,
        rib.attribute_sets()
    );

    let start = Instant::now();
    rib.established(PathId(feeders), session(feeders));
    let mut again = 0;
    while rib.has_outbound() {
        again += tell(&mut rib, 4096).len();
    }
    println!(
        "full dump {:>7.3} s in {again} announcements",
        start.elapsed().as_secs_f64()
    );

    let start = Instant::now();
    for feeder in 0..feeders {
        rib.down(PathId(feeder), OnDown::Withdraw);
    }
    let mut longest = Duration::ZERO;
    while rib.has_walks() {
        let start = Instant::now();
        rib.walk(8192);
        longest = longest.max(start.elapsed());
    }
    rib.drain_fib(usize::MAX);
    tell(&mut rib, usize::MAX);
    rib.reap(usize::MAX);
    println!(
        "down      {:>7.3} s, at most {longest:.3?} at a time, {} attribute sets left",
        start.elapsed().as_secs_f64(),
        rib.attribute_sets()
    );
}

/// Tells every group what it has to hear: each word with the number of its listeners.
fn tell(rib: &mut Rib, budget: usize) -> Vec<(usize, Outbound)> {
    rib.mark_changed();
    let groups: Vec<_> = rib.groups_to_tell().collect();
    let mut told = Vec::new();
    for group in groups {
        let members: Vec<PathId> = rib.members(group).collect();
        for (audience, outbound) in rib.drain_group(group, budget) {
            let listeners = members.iter().filter(|path| audience.includes(**path));
            told.push((listeners.count(), outbound));
        }
    }
    told
}

fn peer_config(peer: u32) -> Peer {
    Peer {
        name: format!("peer-{peer}").into(),
        vif: None,
        local: None,
        interface: None,
        remote: address(peer),
        port: 179,
        remote_asn: Asn(65101 + peer),
        local_asn: Asn(65000),
        auth_key_file: None,
        passive: true,
        hold_time: Duration::from_secs(90),
        send_hold_time: None,
        connect_retry: Duration::from_secs(5),
        ttl: Ttl::Direct,
        families: vec![Family::Ipv4],
        import: Policy::accept_all(),
        export: Policy::accept_all(),
        advertise: Vec::new(),
        prefix_limit: None,
        advertise_limit: None,
        backup: None,
        refuse_zero_hold_time: false,
        graceful_restart: None,
        bfd: None,
        on_degraded: Default::default(),
        on_drain: Default::default(),
        probe: None,
        health: Default::default(),
    }
}

fn session(peer: u32) -> Session {
    let IpAddr::V4(remote) = address(peer) else {
        unreachable!("addresses here are IPv4")
    };
    Session {
        local: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        router_id: RouterId(remote),
        codec: Codec {
            four_octet_as: true,
            extended_messages: false,
            families: smallvec![Family::Ipv4],
            internal: false,
        },
    }
}

fn address(peer: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0xc000_0264 + peer))
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// Disjoint prefixes upward from 1.0.0.0, most of them a /24.
fn table(count: usize) -> Vec<Ipv4Net> {
    let mut random = Random(7);
    let mut table = Vec::with_capacity(count);
    let mut next: u32 = 1 << 24;
    while table.len() < count && next < 223 << 24 {
        let len: u8 = match random.below(100) {
            0..=61 => 24,
            62..=71 => 23,
            _ => 22,
        };
        let size = 1u32 << (32 - len);
        let start = (next + size - 1) & !(size - 1);
        table.push(Ipv4Net::new(start.into(), len).expect("at most 24"));
        next = start + size;
    }
    table
}

/// One UPDATE a set of attributes; how many prefixes share one varies as in a
/// real table.
fn updates(table: &[Ipv4Net], feeder: u32) -> Vec<Update> {
    let mut random = Random((u64::from(feeder) + 7).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut updates = Vec::new();
    let mut left = table;
    while !left.is_empty() {
        let size = match random.below(10) {
            0..=3 => 1,
            4..=5 => 2,
            6..=7 => 4 + random.below(4),
            8 => 10 + random.below(20),
            _ => 20 + random.below(60),
        };
        let (prefixes, rest) = left.split_at(left.len().min(size as usize));
        left = rest;
        let announcement = Announcement {
            attributes: Arc::new(attributes(&mut random, feeder)),
            prefixes: Prefixes::V4(prefixes.to_vec()),
        };
        updates.push(Update {
            announced: smallvec![announcement],
            ..Update::default()
        });
    }
    updates
}

fn attributes(random: &mut Random, feeder: u32) -> PathAttributes {
    let origin = if random.below(10) == 0 {
        Origin::Incomplete
    } else {
        Origin::Igp
    };
    let hops = 1 + random.below(6);
    let path: Vec<Asn> = std::iter::once(Asn(65101 + feeder))
        .chain((0..hops).map(|_| Asn(1000 + random.below(60_000) as u32)))
        .collect();
    let med = (random.below(4) == 0).then(|| random.below(200) as u32);
    let communities = (0..random.below(6))
        .map(|_| Community(random.next() as u32 & 0x7fff_ffff))
        .collect();
    PathAttributes {
        origin,
        as_path: AsPath::sequence(path),
        next_hop: NextHop {
            address: address(feeder),
            link_local: None,
        },
        med,
        local_pref: None,
        atomic_aggregate: false,
        aggregator: None,
        communities,
        extended_communities: Vec::new(),
        large_communities: Vec::new(),
        originator_id: None,
        cluster_list: Vec::new(),
        unknown: Vec::new(),
    }
}

/// Octets of memory in use.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok())
        .unwrap_or(0)
        * 4096
}
