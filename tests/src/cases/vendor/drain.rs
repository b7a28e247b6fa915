//! Before maintenance: the text says how AWS is asked to send its traffic
//! elsewhere (RFC 8326), and how it comes back.

use std::collections::BTreeMap;

use anyhow::Context;
use lab::foreign::{bird, write_private};
use vendor_configs::Part;

use super::theirs::Theirs;
use super::{Accepted, aws, exchange, least, networks, private, text, wired, with_communities};
use crate::Bench;
use crate::foreign::Daemon;

pub(super) fn and_back(bench: &Bench, daemon: Daemon) -> anyhow::Result<()> {
    let link = private()?;
    let pair = wired(bench, &link)?;
    let sent = networks(&["172.31.0.0/16", "fd00:172::/56"]);
    let aws = aws::with_bgpd(bench, &pair.ours, &link, &sent)?;
    let theirs = Theirs::start(bench, &pair.theirs, daemon, &link)?;
    aws.wait_for_sessions(&theirs)?;
    let carrying = with_communities(&link.advertise, &["7224:7300"]);
    let drained = with_communities(&link.advertise, &["7224:7100", "65535:0"]);
    let preferred = |preference| -> Accepted {
        let sent = sent.iter().map(|&net| (net, preference));
        sent.collect::<BTreeMap<_, _>>()
    };
    let orders = text(daemon.name(), &link, Part::Drain)?;
    exchange(|| aws.received(), &carrying, &theirs, &preferred(300))?;
    follow(&theirs, &orders, Way::Away)?;
    exchange(
        || aws.received(),
        &drained,
        &theirs,
        &preferred(least(daemon)),
    )?;
    follow(&theirs, &orders, Way::Back)?;
    exchange(|| aws.received(), &carrying, &theirs, &preferred(300))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Away,
    Back,
}

fn follow(theirs: &Theirs<'_>, orders: &str, way: Way) -> anyhow::Result<()> {
    match theirs.daemon {
        Daemon::Bird => by_file(theirs, orders, way),
        Daemon::Frr => by_commands(theirs, orders, way),
        Daemon::OpenBgpd => by_rules(theirs, orders, way),
        Daemon::GoBgp => by_policy(theirs, orders, way),
    }
}

/// FRR: what stands before the comment, or behind it.
fn by_commands(theirs: &Theirs<'_>, orders: &str, way: Way) -> anyhow::Result<()> {
    let mut halves = orders.split("! wait until");
    let half = halves.nth(if way == Way::Away { 0 } else { 1 });
    let lines = half.unwrap_or_default().lines();
    // The rest of the comment's line.
    let lines = lines.skip(usize::from(way == Way::Back)).map(str::trim);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    anyhow::ensure!(lines.contains(&"end"), "no commands: {orders}");
    let said = theirs.vtysh(&lines)?;
    anyhow::ensure!(!said.contains('%'), "vtysh: {said}");
    Ok(())
}

/// OpenBGPD: rules at the end of its file.
fn by_rules(theirs: &Theirs<'_>, orders: &str, way: Way) -> anyhow::Result<()> {
    let rules = orders.lines().filter(|line| line.starts_with("match "));
    let rules: Vec<&str> = rules.collect();
    anyhow::ensure!(!rules.is_empty(), "no rules: {orders}");
    let file = match way {
        Way::Away => format!("{}{}\n", theirs.text, rules.join("\n")),
        Way::Back => theirs.text.clone(),
    };
    theirs.write_openbgpd(&file)?;
    theirs.bgpctl(&["reload"]).map(drop)
}

/// GoBGP: lines of its policies, a signal, then commands.
fn by_policy(theirs: &Theirs<'_>, orders: &str, way: Way) -> anyhow::Result<()> {
    let told = |start: &str| {
        let from = orders.find(start).map(|at| &orders[at..]);
        let line = from.and_then(|rest| rest.lines().next());
        let line = line.map(|line| line.split(" where ").next().unwrap_or(line));
        line.with_context(|| format!("no {start}: {orders}"))
    };
    let lines = ["communities-list = ", "set-local-pref = "];
    let new = [told(lines[0])?, told(lines[1])?];
    let edited = theirs.text.lines().map(|line| {
        let mut changes = lines.iter().zip(new).filter(|_| way == Way::Away);
        let change = changes.find(|(start, _)| line.starts_with(**start));
        format!("{}\n", change.map_or(line, |(_, new)| new))
    });
    theirs.reload_gobgp(&edited.collect::<String>())?;
    for command in orders
        .lines()
        .filter_map(|line| line.strip_prefix("gobgp "))
    {
        theirs.gobgp(command)?;
    }
    Ok(())
}

/// BIRD: lines for its file, then commands.
fn by_file(theirs: &Theirs<'_>, orders: &str, way: Way) -> anyhow::Result<()> {
    let file = match way {
        Way::Away => edited(&theirs.text, orders),
        Way::Back => theirs.text.clone(),
    };
    write_private(bird::config(&theirs.directory), &file)?;
    let commands = orders
        .lines()
        .filter_map(|line| line.strip_prefix("birdc "));
    for command in commands.chain(["configure confirm"]) {
        let said = theirs.birdc(command)?;
        let refused = ["rror", "unknown", "ambiguous"];
        anyhow::ensure!(
            !refused.iter().any(|word| said.contains(word)),
            "birdc {command}: {said}"
        );
    }
    Ok(())
}

fn edited(text: &str, orders: &str) -> String {
    let told = |start: &str| -> String {
        let lines = orders.lines().map(str::trim);
        let lines = lines.filter(|line| line.starts_with(start));
        lines.map(|line| format!("    {line}\n")).collect()
    };
    let (add, prefer) = (told("bgp_community.add"), told("bgp_local_pref"));
    let mut parts = text.split("\nfilter ");
    let mut new = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, _) = part.split_once(' ').unwrap_or_default();
        let part = if name.ends_with("_OUT") {
            let (head, rest) = part.split_once("    bgp_community.add").unwrap_or_default();
            let (_, rest) = rest.split_once('\n').unwrap_or_default();
            format!("{head}{add}{rest}")
        } else {
            let (filter, rest) = part.split_once("\n}").unwrap_or_default();
            let (head, accept) = filter.rsplit_once("    accept").unwrap_or_default();
            format!("{head}{prefer}    accept{accept}\n}}{rest}")
        };
        new.push_str("\nfilter ");
        new.push_str(&part);
    }
    new
}
