//! Gathers what the preflight judges, and finds what can be measured to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use bgp_core::Family;
use bgp_core::api::{RoutesQuery, Status};
use ipnet::IpNet;

use super::super::daemon::{path, peer};
use super::links::{self, Octets};
use super::preflight::{Link, Prefixes, Subject};
use super::traffic::{self, Means, Target};
use crate::cli::FailoverArgs;
use crate::control::{Control, ControlError};
use crate::output::note;
use crate::{Refused, host};

/// More routes are not compared one by one.
const COMPARED: usize = 100_000;

/// What each session has, of the VIF and of its backups.
pub(super) async fn prefixes(
    control: &Control,
    status: &Status,
    subject: &Subject,
) -> Result<BTreeMap<String, Prefixes>, ControlError> {
    let backups = subject.backups.iter().map(|backup| &backup.path);
    let mut all = BTreeMap::new();
    for name in subject.sessions.iter().chain(backups) {
        if peer(status, name).is_none() {
            continue;
        }
        let query = RoutesQuery {
            peer: Some(name.clone()),
            limit: Some(COMPARED),
            ..RoutesQuery::default()
        };
        let routes = control.routes(&query).await?;
        let prefixes = Prefixes {
            list: routes.routes.iter().map(|route| route.prefix).collect(),
            truncated: routes.truncated,
        };
        all.insert(name.clone(), prefixes);
    }
    Ok(all)
}

/// Speed and load, measured over a second.
pub(super) async fn links(subject: &Subject) -> BTreeMap<String, Link> {
    const WHILE: Duration = Duration::from_secs(1);
    let before = links::octets();
    tokio::time::sleep(WHILE).await;
    let now = links::octets();
    let backups = subject
        .backups
        .iter()
        .filter_map(|one| one.interface.as_ref());
    let wanted: BTreeSet<&String> = subject.interfaces.iter().chain(backups).collect();
    let load = |name: &String| {
        let of = |all: &BTreeMap<String, Octets>| all.get(name).copied().unwrap_or_default();
        let (old, new) = (of(&before), of(&now));
        let received = new.received.saturating_sub(old.received);
        let sent = new.sent.saturating_sub(old.sent);
        received.max(sent) as f64 * 8.0 / WHILE.as_secs_f64()
    };
    let link = |name: &String| Link {
        speed: links::speed(name),
        load: load(name),
    };
    wanted
        .into_iter()
        .map(|name| (name.clone(), link(name)))
        .collect()
}

/// Those that were asked for, or one in each family that answers now.
pub(super) async fn targets(
    args: &FailoverArgs,
    means: Means,
    control: &Control,
    status: &Status,
    subject: &Subject,
    prefixes: &BTreeMap<String, Prefixes>,
) -> anyhow::Result<Vec<Target>> {
    let sources = sources(args, control, subject).await?;
    let target = |address: IpAddr| Target {
        address,
        source: source_for(address, &sources),
    };
    let candidates = if args.target.is_empty() {
        candidates(status, subject, prefixes)
    } else {
        args.target.clone()
    };
    let candidates: Vec<Target> = candidates.into_iter().map(target).collect();
    let answering = traffic::answering(&candidates, means).await?;
    let silent: Vec<String> = args
        .target
        .iter()
        .filter(|target| !answering.contains(target))
        .map(IpAddr::to_string)
        .collect();
    if !silent.is_empty() {
        return Err(Refused::new(format!(
            "{} does not answer now, so nothing could be measured: choose another --target, or --udp PORT",
            silent.join(", ")
        ))
        .into());
    }
    let mut chosen: Vec<Target> = Vec::new();
    for one in candidates {
        let family = Family::of(one.address);
        let is_first = !chosen
            .iter()
            .any(|other| Family::of(other.address) == family);
        let wanted = !args.target.is_empty() || is_first;
        if wanted && answering.contains(&one.address) {
            check_way(control, status, subject, one.address).await?;
            chosen.push(one);
        }
    }
    if chosen.is_empty() {
        return Err(Refused::new(
            "nothing behind the VIF is known to answer: give --target ADDRESS, of a host there that answers ping (or --udp PORT)",
        )
        .into());
    }
    Ok(chosen)
}

/// What bgpd's probes ask already, and the first address of each prefix.
fn candidates(
    status: &Status,
    subject: &Subject,
    prefixes: &BTreeMap<String, Prefixes>,
) -> Vec<IpAddr> {
    const PREFIXES: usize = 16;
    let paths = subject
        .sessions
        .iter()
        .filter_map(|name| path(status, name));
    let nets = subject
        .sessions
        .iter()
        .filter_map(|name| prefixes.get(name));
    let nets: Vec<&IpNet> = nets.flat_map(|prefixes| &prefixes.list).collect();
    let behind = |address: &IpAddr| nets.iter().any(|net| net.contains(address));
    let probed = paths.flat_map(|path| path.probes.iter().map(|probe| probe.target));
    let first = nets
        .iter()
        .take(PREFIXES)
        .filter_map(|net| net.hosts().next());
    let mut all: Vec<IpAddr> = probed.filter(behind).collect();
    for address in first {
        if !all.contains(&address) {
            all.push(address);
        }
    }
    all
}

/// What goes another way already says nothing about the VIF.
async fn check_way(
    control: &Control,
    status: &Status,
    subject: &Subject,
    target: IpAddr,
) -> anyhow::Result<()> {
    if subject.carries(status) == 0 {
        return Ok(());
    }
    let route = match control.route(&target.to_string()).await {
        Ok(route) => route,
        Err(ControlError::Refused(_)) => {
            return Err(Refused::new(format!(
                "bgpd has no route to {target}: choose a --target behind {}",
                subject.name
            ))
            .into());
        }
        Err(error) => return Err(error.into()),
    };
    match route.paths.iter().find(|path| path.best) {
        Some(best) if !subject.sessions.contains(&best.peer) => Err(Refused::new(format!(
            "traffic to {target} goes by {} now: choose a --target behind {}",
            best.peer, subject.name
        ))
        .into()),
        _ => Ok(()),
    }
}

/// Addresses of this host that AWS is told of: answers to them come back by
/// whatever way is right. Those of the link itself are known to nobody else.
async fn sources(
    args: &FailoverArgs,
    control: &Control,
    subject: &Subject,
) -> anyhow::Result<Vec<IpAddr>> {
    if !args.source.is_empty() {
        return Ok(args.source.clone());
    }
    let mut announced: Vec<IpNet> = Vec::new();
    for name in &subject.sessions {
        let query = RoutesQuery {
            advertised: Some(name.clone()),
            ..RoutesQuery::default()
        };
        let routes = control.routes(&query).await?.routes;
        announced.extend(routes.iter().map(|route| route.prefix));
    }
    let own = match host::addresses() {
        Ok(own) => own,
        Err(error) => {
            note(format_args!(
                "note: this host's addresses can't be read: {error}"
            ));
            Vec::new()
        }
    };
    let addresses = own.into_iter().map(|used| used.net.addr());
    Ok(addresses
        .filter(|address| announced.iter().any(|net| net.contains(address)))
        .collect())
}

fn source_for(target: IpAddr, sources: &[IpAddr]) -> Option<IpAddr> {
    let family = Family::of(target);
    sources
        .iter()
        .copied()
        .find(|source| Family::of(*source) == family)
}
