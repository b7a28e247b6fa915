//! What the RIB shows of itself.

use std::cmp::Ordering;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::Rib;
use super::decision::{Candidate, decide};
use super::family::FamilyRib;
use super::import::Refusal;
use super::peers::Context;
use super::table::{Net, Path, PeerIndex};
use crate::Family;
use crate::api::{Route, RoutePath, Routes, RoutesQuery};
use crate::policy::Verdict;
use crate::wire::{Origin, PathAttributes};

/// Routes that are shown unless asked otherwise.
const DEFAULT_LIMIT: usize = 1000;
/// More than this in one answer is refused: it would be all in memory at once.
const MAX_LIMIT: usize = 100_000;

/// A question about many routes, answered a part at a time, so that a large
/// table doesn't keep the RIB from its work.
#[derive(Debug)]
pub struct Scan {
    query: RoutesQuery,
    limit: usize,
    family: Option<Family>,
    at: u32,
    routes: Routes,
}

impl Scan {
    pub fn new(query: RoutesQuery) -> Self {
        let within = query.within.map(|within| Family::of(within.addr()));
        let family = match (query.family, within) {
            (Some(asked), Some(within)) if asked != within => None,
            (asked, within) => asked.or(within).or(Some(Family::Ipv4)),
        };
        let limit = query.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
        Self {
            query,
            limit,
            family,
            at: 0,
            routes: Routes::default(),
        }
    }

    /// The answer, by prefix.
    pub fn into_routes(mut self) -> Routes {
        self.routes
            .routes
            .sort_by(|a, b| compare(&a.prefix, &b.prefix));
        self.routes
    }

    fn next_family(&self, family: Family) -> Option<Family> {
        let is_open = self.query.family.is_none() && self.query.within.is_none();
        (is_open && family == Family::Ipv4).then_some(Family::Ipv6)
    }
}

fn compare(a: &IpNet, b: &IpNet) -> Ordering {
    (a.addr(), a.prefix_len()).cmp(&(b.addr(), b.prefix_len()))
}

/// Whose routes a question is about.
#[derive(Clone, Copy)]
enum Whose {
    Everyone,
    From(PeerIndex),
    AnnouncedTo(PeerIndex),
    Nobody,
}

impl Rib {
    /// Goes on with a question over `budget` prefixes; whether it is done.
    pub fn scan(&self, scan: &mut Scan, budget: usize) -> bool {
        let whose = self.whose(&scan.query);
        let mut left = budget;
        while let Some(family) = scan.family {
            let is_done = match family {
                Family::Ipv4 => scan_family(&self.ipv4, &self.context, whose, scan, &mut left),
                Family::Ipv6 => scan_family(&self.ipv6, &self.context, whose, scan, &mut left),
            };
            if !is_done {
                return false;
            }
            (scan.family, scan.at) = (scan.next_family(family), 0);
            if scan.routes.truncated {
                scan.family = None;
            }
        }
        true
    }

    fn whose(&self, query: &RoutesQuery) -> Whose {
        let peers = &self.context.peers;
        match (&query.advertised, &query.peer) {
            (Some(name), _) => peers.named(name).map_or(Whose::Nobody, Whose::AnnouncedTo),
            (None, Some(name)) => peers.named(name).map_or(Whose::Nobody, Whose::From),
            (None, None) => Whose::Everyone,
        }
    }

    /// Exactly this prefix; for a single address, the longest match.
    pub fn lookup(&self, prefix: IpNet) -> Option<Route> {
        match prefix {
            IpNet::V4(net) => lookup(
                &self.ipv4,
                &self.context,
                net,
                net.prefix_len() == 32,
                |len| Ipv4Net::new_assert(net.addr(), len).trunc(),
            ),
            IpNet::V6(net) => lookup(
                &self.ipv6,
                &self.context,
                net,
                net.prefix_len() == 128,
                |len| Ipv6Net::new_assert(net.addr(), len).trunc(),
            ),
        }
    }
}

fn lookup<N: Net>(
    rib: &FamilyRib<N>,
    context: &Context,
    net: N,
    is_address: bool,
    shortened: impl Fn(u8) -> N,
) -> Option<Route> {
    let len = net.into().prefix_len();
    let shortest = if is_address { 0 } else { len };
    let at = (shortest..=len).rev().find_map(|len| {
        let at = rib.table.find(shortened(len))?;
        // A longest match is one that packets follow.
        let is_found = if is_address {
            rib.table.best(at).is_some()
        } else {
            !rib.table.paths(at).is_empty()
        };
        is_found.then_some(at)
    })?;
    Some(route(rib, context, at, Whose::Everyone))
}

fn scan_family<N: Net>(
    rib: &FamilyRib<N>,
    context: &Context,
    whose: Whose,
    scan: &mut Scan,
    left: &mut usize,
) -> bool {
    loop {
        let at = scan.at;
        if at >= rib.table.end() || matches!(whose, Whose::Nobody) {
            return true;
        }
        if *left == 0 {
            return false;
        }
        *left -= 1;
        scan.at = at + 1;
        if !is_asked_for(rib, context, whose, &scan.query, at) {
            continue;
        }
        if scan.routes.routes.len() >= scan.limit {
            scan.routes.truncated = true;
            return true;
        }
        let route = route(rib, context, at, whose);
        if !route.paths.is_empty() {
            scan.routes.routes.push(route);
        }
    }
}

fn is_asked_for<N: Net>(
    rib: &FamilyRib<N>,
    context: &Context,
    whose: Whose,
    query: &RoutesQuery,
    at: u32,
) -> bool {
    let paths = rib.table.paths(at);
    let is_theirs = match whose {
        Whose::From(peer) => paths.iter().any(|path| path.peer == peer),
        Whose::AnnouncedTo(peer) => rib.has_announced(context, peer, at),
        Whose::Everyone => !paths.is_empty(),
        Whose::Nobody => false,
    };
    is_theirs
        && query
            .within
            .is_none_or(|within| within.contains(&rib.table.entry(at).net.into()))
}

fn route<N: Net>(rib: &FamilyRib<N>, context: &Context, at: u32, whose: Whose) -> Route {
    let prefix = rib.table.entry(at).net.into();
    let paths = rib.table.paths(at);
    if let Whose::AnnouncedTo(peer) = whose {
        let announced = rib.announced(context, peer, at).zip(paths.first());
        let paths =
            announced.map(|(attributes, best)| show(context, *best, true, None, &attributes));
        return Route {
            prefix,
            paths: paths.into_iter().collect(),
        };
    }
    let reasons = why_not_best(context, paths);
    let paths = paths
        .iter()
        .zip(reasons)
        .enumerate()
        .filter(|(_, (path, _))| !matches!(whose, Whose::From(peer) if path.peer != peer))
        .map(|(position, (path, reason))| {
            let is_best = position == 0 && path.is_accepted();
            show(
                context,
                *path,
                is_best,
                reason,
                &context.attributes.unpack(path.attributes),
            )
        })
        .collect();
    Route { prefix, paths }
}

/// For each path, the step at which it lost, or why it was refused.
fn why_not_best(context: &Context, paths: &[Path]) -> Vec<Option<String>> {
    let accepted = paths.iter().take_while(|path| path.is_accepted()).count();
    let candidates: Vec<Candidate> = paths[..accepted]
        .iter()
        .map(|path| context.candidate(*path))
        .collect();
    let mut reasons = vec![None; paths.len()];
    decide(&candidates, |at, step| reasons[at] = Some(step.to_string()));
    for (path, reason) in paths.iter().zip(&mut reasons) {
        if let Some(refusal) = path.refusal() {
            *reason = Some(format!("refused: {}", words(context, *path, refusal)));
        }
    }
    reasons
}

/// A policy's own words, where it has some.
fn words(context: &Context, path: Path, refusal: Refusal) -> String {
    if let Refusal::Rule(rule) = refusal {
        let policy = context.peers.get(path.peer).import.policy();
        if let Some(Verdict::Refuse(words)) = policy
            .rules
            .get(usize::from(rule))
            .map(|rule| &rule.verdict)
        {
            return (*words).to_owned();
        }
    }
    refusal.to_string()
}

fn show(
    context: &Context,
    path: Path,
    best: bool,
    why_not_best: Option<String>,
    attributes: &PathAttributes,
) -> RoutePath {
    let is_local = path.peer == PeerIndex::LOCAL;
    let peer = if is_local {
        "local"
    } else {
        &context.peers.get(path.peer).config.name
    };
    let next_hop =
        Some(attributes.next_hop.address).filter(|address: &IpAddr| !address.is_unspecified());
    RoutePath {
        peer: peer.to_owned(),
        best,
        stale: path.is_stale(),
        why_not_best,
        next_hop,
        as_path: attributes.as_path.to_string(),
        origin: origin(attributes.origin).to_owned(),
        med: attributes.med,
        local_pref: attributes.local_pref,
        communities: attributes
            .communities
            .iter()
            .map(ToString::to_string)
            .collect(),
        large_communities: attributes
            .large_communities
            .iter()
            .map(ToString::to_string)
            .collect(),
        extended_communities: attributes
            .extended_communities
            .iter()
            .map(ToString::to_string)
            .collect(),
    }
}

const fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Igp => "IGP",
        Origin::Egp => "EGP",
        Origin::Incomplete => "incomplete",
    }
}
