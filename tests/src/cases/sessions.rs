//! Sessions with every foreign daemon, in both families, with MD5, whoever
//! connects: routes are the same on both sides, and withdrawn ones are gone.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context;
use bgp_core::Family;
use ipnet::IpNet;
use lab::wait;
use lab::world::Namespace;

use super::Case;
use crate::Bench;
use crate::foreign::{self, Connect, Daemon, Neighbor, Seen, Speaker, Table};
use crate::ours::{Ours, PATIENCE, key_file};
use crate::pair::{OUR_ASN, Pair, THEIR_ASN, our_address, their_address};

pub(super) fn all() -> Vec<Case> {
    let mut cases = vec![
        launchers(Daemon::Bird, Daemon::Frr),
        launchers(Daemon::GoBgp, Daemon::OpenBgpd),
    ];
    for daemon in Daemon::ALL {
        for family in Family::ALL {
            for connect in [Connect::They, Connect::We] {
                let who = match connect {
                    Connect::They => "they connect",
                    Connect::We => "we connect",
                };
                let name = format!(
                    "session with {} over {family} with MD5, {who}",
                    daemon.name()
                );
                cases.push(Case::new(name, move |bench| {
                    session(bench, daemon, family, connect)
                }));
            }
        }
    }
    cases
}

pub(super) const KEY: &str = "a-key-of-both-ends";

pub(super) fn networks(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

pub(super) fn our_networks(family: Family) -> Vec<IpNet> {
    match family {
        Family::Ipv4 => networks(&["192.0.2.0/25", "192.0.2.128/26", "10.65.0.0/16"]),
        Family::Ipv6 => networks(&["2001:db8:1::/48", "2001:db8:1:8000::/49", "fd00:65::/32"]),
    }
}

pub(crate) fn their_networks(family: Family) -> Vec<IpNet> {
    match family {
        Family::Ipv4 => networks(&["198.51.100.0/24", "198.51.100.64/27", "172.20.0.0/14"]),
        Family::Ipv6 => networks(&["2001:db8:2::/48", "2001:db8:2:4000::/50", "fd00:172::/31"]),
    }
}

pub(super) fn neighbor(family: Family, connect: Connect) -> Neighbor {
    Neighbor {
        local: their_address(family),
        remote: our_address(family),
        local_asn: THEIR_ASN,
        remote_asn: OUR_ASN,
        key: Some(KEY.to_owned()),
        connect,
        hold_time: 9,
        restart_time: None,
        networks: their_networks(family),
    }
}

/// Our side of the session, named `them`.
pub(super) fn our_peer(
    family: Family,
    connect: Connect,
    key_file: Option<&Path>,
    advertise: &[IpNet],
) -> String {
    let key = key_file.map_or(String::new(), |path| {
        format!("auth_key_file = \"{}\"\n", path.display())
    });
    let advertise: Vec<String> = advertise
        .iter()
        .map(|network| format!("\"{network}\""))
        .collect();
    format!(
        "[[peer]]\nname = \"them\"\naddress = \"{}\"\nlocal = \"{}/{}\"\nasn = {THEIR_ASN}\n{key}passive = {}\n\
         connect_retry = \"1s\"\nhold_time = \"9s\"\naccept = [\"any\"]\nadvertise = [{}]\n",
        their_address(family),
        our_address(family),
        if family == Family::Ipv4 { 24 } else { 64 },
        connect == Connect::They,
        advertise.join(", "),
    )
}

fn session(bench: &Bench, daemon: Daemon, family: Family, connect: Connect) -> anyhow::Result<()> {
    let pair = Pair::create(bench)?;
    let key = key_file(bench, "key", KEY)?;
    let mut announced = our_networks(family);
    let ours = Ours::start(
        bench,
        &pair.ours,
        &our_peer(family, connect, Some(&key), &announced),
    )?;
    let mut theirs = foreign::start(
        daemon,
        &pair.theirs,
        &bench.directory,
        neighbor(family, connect),
    )?;
    let peer = wait::until("the session is Established", PATIENCE, || {
        ours.established("them")
    })?;
    wait::ensure(peer.md5, "the session uses MD5", "it doesn't")?;

    let mut received = their_networks(family);
    let tables = |announced: &[IpNet], received: &[IpNet], theirs: &dyn Speaker| {
        wait::until("they have what we announce", PATIENCE, || {
            they_have(theirs, family, announced)
        })?;
        wait::until("we have what they announce", PATIENCE, || {
            we_have(&ours, &pair.ours, family, received)
        })
    };
    tables(&announced, &received, theirs.as_ref())?;

    announced.remove(1);
    ours.reload(&our_peer(family, connect, Some(&key), &announced))?;
    received.remove(0);
    theirs.announce(&received)?;
    tables(&announced, &received, theirs.as_ref()).context("after withdrawals")?;

    received.extend(their_networks(family).first());
    theirs.announce(&received)?;
    tables(&announced, &received, theirs.as_ref()).context("after a new announcement")?;
    let after = ours.established("them").map_err(anyhow::Error::msg)?;
    wait::ensure(
        after.flaps == 0,
        "the session never went down",
        format!("{} flaps", after.flaps),
    )?;

    drop(theirs);
    wait::until("their routes are gone with them", PATIENCE, || {
        we_have(&ours, &pair.ours, family, &[])
    })
}

/// Exactly these networks, from us.
pub(super) fn they_have(
    theirs: &dyn Speaker,
    family: Family,
    networks: &[IpNet],
) -> Result<(), String> {
    let us = Seen {
        next_hop: our_address(family),
        as_path: vec![OUR_ASN],
    };
    they_have_of(theirs, &us, networks)
}

/// Exactly these networks, all as `us` shows itself.
pub(super) fn they_have_of(
    theirs: &dyn Speaker,
    us: &Seen,
    networks: &[IpNet],
) -> Result<(), String> {
    let received = theirs.received().map_err(|error| format!("{error:#}"))?;
    if received == table(us, networks) {
        Ok(())
    } else {
        Err(format!("{received:?}"))
    }
}

/// Exactly these networks, from them: in our RIB and in the kernel.
pub(super) fn we_have(
    ours: &Ours,
    namespace: &Namespace,
    family: Family,
    networks: &[IpNet],
) -> Result<(), String> {
    let them = Seen {
        next_hop: their_address(family),
        as_path: vec![THEIR_ASN],
    };
    we_have_of(ours, namespace, family, &them, networks)
}

/// Exactly these networks, all as `them` shows itself.
pub(super) fn we_have_of(
    ours: &Ours,
    namespace: &Namespace,
    family: Family,
    them: &Seen,
    networks: &[IpNet],
) -> Result<(), String> {
    let routes = ours
        .control
        .routes("peer=them")
        .map_err(|error| error.to_string())?;
    let mut seen = Table::new();
    for route in routes {
        let path = route
            .paths
            .iter()
            .find(|path| path.peer == "them")
            .ok_or("a route without its path")?;
        // FRR sends back what it got; the AS_PATH loop is refused.
        if (path.why_not_best.as_ref()).is_some_and(|why| why.starts_with("refused")) {
            continue;
        }
        let as_path = path
            .as_path
            .split_whitespace()
            .filter_map(|number| number.parse().ok())
            .collect();
        let next_hop = path.next_hop.ok_or("a route without a next hop")?;
        seen.insert(route.prefix, Seen { next_hop, as_path });
    }
    if seen != table(them, networks) {
        return Err(format!("in our RIB: {seen:?}"));
    }
    let kernel = kernel_routes(namespace, family)?;
    let expected: BTreeSet<IpNet> = networks.iter().copied().collect();
    if kernel == expected {
        Ok(())
    } else {
        Err(format!("in the kernel: {kernel:?}"))
    }
}

fn table(seen: &Seen, networks: &[IpNet]) -> Table {
    networks
        .iter()
        .map(|network| (*network, seen.clone()))
        .collect()
}

pub(super) fn kernel_routes(
    namespace: &Namespace,
    family: Family,
) -> Result<BTreeSet<IpNet>, String> {
    let version = match family {
        Family::Ipv4 => "-4",
        Family::Ipv6 => "-6",
    };
    let text = namespace
        .show(&format!("{version} route show proto bgp"))
        .map_err(|error| error.to_string())?;
    // A route with several nexthops goes on in lines that begin with white space.
    let first = text
        .lines()
        .filter(|line| !line.starts_with(char::is_whitespace));
    Ok(first
        .filter_map(|line| line.split_whitespace().next()?.parse().ok())
        .collect())
}

/// The launchers themselves, without bgpd: when such a case passes and one with
/// bgpd fails, it is bgpd.
fn launchers(left: Daemon, right: Daemon) -> Case {
    let name = format!("{} and {} with each other", left.name(), right.name());
    Case::new(name, move |bench| {
        for family in Family::ALL {
            let pair = Pair::create(bench)?;
            let theirs = neighbor(family, Connect::We);
            let ours = Neighbor {
                local: theirs.remote,
                remote: theirs.local,
                local_asn: OUR_ASN,
                remote_asn: THEIR_ASN,
                key: theirs.key.clone(),
                connect: Connect::They,
                hold_time: 9,
                restart_time: None,
                networks: our_networks(family),
            };
            let directory = bench.directory.join(family.to_string());
            let mut left = foreign::start(left, &pair.ours, &directory, ours)?;
            let right = foreign::start(right, &pair.theirs, &directory, theirs)?;
            let announced = our_networks(family);
            wait::until("routes arrive", PATIENCE, || {
                they_have(right.as_ref(), family, &announced)
            })?;
            left.announce(&announced[1..])?;
            wait::until("a withdrawn one is gone", PATIENCE, || {
                they_have(right.as_ref(), family, &announced[1..])
            })?;
        }
        Ok(())
    })
}
