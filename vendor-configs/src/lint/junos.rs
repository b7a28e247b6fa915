//! Junos, in braces or as `set` lines.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bgp_core::wire::Community;
use ipnet::IpNet;

use super::policy::{Condition, Policy, Range, Term, Verdict};
use super::seen::{At, Filter, Interface, Key, Limit, Neighbor, Seen, Words};
use crate::junos::{self, Statement, SyntaxError};

pub(super) const WORDS: Words = Words {
    vlan: |vlan| format!("set interfaces PORT unit {vlan} vlan-id {vlan}"),
    address: |net| match net {
        IpNet::V4(net) => format!("set interfaces PORT unit UNIT family inet address {net}"),
        IpNet::V6(net) => format!("set interfaces PORT unit UNIT family inet6 address {net}"),
    },
    mtu: |mtu, ipv6| {
        let family = if ipv6 { "inet6" } else { "inet" };
        format!("set interfaces PORT unit UNIT family {family} mtu {mtu}")
    },
    neighbor: |peer, asn| format!("set protocols bgp group GROUP neighbor {peer} peer-as {asn}"),
    key: |peer| format!("set protocols bgp group GROUP neighbor {peer} authentication-key KEY"),
    bfd: |_| {
        "set protocols bgp group GROUP bfd-liveness-detection minimum-interval 300 multiplier 3"
            .to_owned()
    },
    inbound: |peer| {
        format!(
            "set protocols bgp group GROUP neighbor {peer} import NAME, a policy that accepts what AWS may send and rejects the rest"
        )
    },
    outbound: |peer| {
        format!(
            "set protocols bgp group GROUP neighbor {peer} export NAME, a policy that accepts exactly what you announce and rejects the rest"
        )
    },
    limit: |peer, limit| {
        let family = if peer.is_ipv6() { "inet6" } else { "inet" };
        format!(
            "set protocols bgp group GROUP neighbor {peer} family {family} unicast prefix-limit maximum {limit} teardown 90 idle-timeout 5"
        )
    },
    originate: |net| format!("set routing-options static route {net} discard"),
    timers: |peer, _, hold| {
        format!("set protocols bgp group GROUP neighbor {peer} hold-time {hold}")
    },
    untagged: "set interfaces PORT vlan-tagging",
    interface_bfd: None,
    usual_mtu: Some(1500),
};

pub(super) fn read(text: &str) -> Result<Seen, SyntaxError> {
    let statements = junos::parse(text)?;
    let lines: Vec<Line<'_>> = statements.iter().map(Line::of).collect();
    Ok(Seen {
        interfaces: interfaces(&lines),
        neighbors: neighbors(&lines),
    })
}

/// A statement, its words as a pattern can match them.
struct Line<'a> {
    line: usize,
    words: Vec<&'a str>,
}

impl<'a> Line<'a> {
    fn of(statement: &'a Statement) -> Self {
        Self {
            line: statement.line,
            words: statement.words.iter().map(String::as_str).collect(),
        }
    }
}

fn interfaces(lines: &[Line<'_>]) -> Vec<Interface> {
    let mut units: BTreeMap<(&str, &str), Interface> = BTreeMap::new();
    let mut tagged = Vec::new();
    let mut port_mtus = BTreeMap::new();
    for Line { line, words } in lines {
        let line = *line;
        let at = |value: &str| value.parse().ok().map(|value| At { line, value });
        let ["interfaces", port, rest @ ..] = words.as_slice() else {
            continue;
        };
        match rest {
            ["vlan-tagging" | "flexible-vlan-tagging" | "stacked-vlan-tagging"] => {
                tagged.push(*port)
            }
            ["mtu", mtu] => port_mtus.extend(at(mtu).map(|mtu| (*port, mtu))),
            ["unit", unit, rest @ ..] => {
                let interface = units.entry((port, unit)).or_insert_with(|| Interface {
                    line,
                    name: format!("{port}.{unit}"),
                    ..Interface::default()
                });
                match rest {
                    ["vlan-id", vlan] => interface.vlan = at(vlan),
                    ["family", "inet" | "inet6", "address", net, ..] => {
                        interface
                            .addresses
                            .extend(net.parse().ok().map(|value| At { line, value }));
                    }
                    ["family", family, "mtu", mtu] => {
                        interface.mtu[usize::from(*family == "inet6")] = at(mtu)
                    }
                    ["disable"] => interface.shutdown = Some(line),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    let units = units.into_iter().map(|((port, _), mut interface)| {
        interface.untagged = interface.vlan.is_some() && !tagged.contains(&port);
        // A port's MTU counts Ethernet's header and the tag.
        let from_port = port_mtus.get(port).map(|at| At {
            line: at.line,
            value: at.value.saturating_sub(18),
        });
        interface.mtu = interface.mtu.map(|own| own.or(from_port));
        interface
    });
    units.collect()
}

fn neighbors(lines: &[Line<'_>]) -> Vec<Neighbor> {
    let mut peers: Vec<(Vec<&str>, &str, IpAddr)> = Vec::new();
    for Line { words, .. } in lines {
        let Some(bgp) = words
            .windows(2)
            .position(|pair| pair == ["protocols", "bgp"])
        else {
            continue;
        };
        if let ["group", group, "neighbor", peer, ..] = &words[bgp + 2..]
            && let Ok(address) = peer.parse()
        {
            let mut place = words[..bgp + 2].to_vec();
            place.extend(["group", group]);
            if !peers
                .iter()
                .any(|(own, _, known)| *own == place && *known == address)
            {
                peers.push((place, peer, address));
            }
        }
    }
    peers
        .into_iter()
        .map(|(group, word, peer)| neighbor(lines, &group, word, peer))
        .collect()
}

fn neighbor(lines: &[Line<'_>], group: &[&str], word: &str, peer: IpAddr) -> Neighbor {
    let levels = Levels::of(lines, group, word);
    let family = if peer.is_ipv6() { "inet6" } else { "inet" };
    let line_of = |words: &[&str]| levels.find(words).map(|(line, _)| line);
    let value = |words: &[&str]| {
        let (line, rest) = levels.find(words)?;
        Some(At {
            line,
            value: rest.first()?.parse().ok()?,
        })
    };
    let (outbound, communities) = filter(lines, &levels, "export");
    let families = levels.families();
    Neighbor {
        line: levels.line,
        peer,
        local_asn: value(&["local-as"]).or_else(|| router_asn(lines, group)),
        peer_asn: value(&["peer-as"]),
        key: levels
            .find(&["authentication-key"])
            .map_or(Key::Missing, |(line, rest)| key(line, rest)),
        bfd: line_of(&["bfd-liveness-detection"]),
        hold_time: value(&["hold-time"]),
        shutdown: line_of(&["shutdown"]),
        ttl_security: line_of(&["ttl", "255"]),
        activated: families.contains(&family) || (families.is_empty() && family == "inet"),
        inbound: filter(lines, &levels, "import").0,
        outbound,
        limit: limit(&levels, family),
        default_originate: None,
        communities,
        send_community: true,
        originated: None,
    }
}

/// The statements that hold for a neighbor: its own, its group's, BGP's.
struct Levels<'a> {
    line: usize,
    levels: [Vec<(usize, &'a [&'a str])>; 3],
}

impl<'a> Levels<'a> {
    fn of(lines: &'a [Line<'a>], group: &[&str], peer: &str) -> Self {
        let bgp = &group[..group.len() - 2];
        let own: Vec<&str> = group.iter().copied().chain(["neighbor", peer]).collect();
        let below = |prefix: &[&str]| {
            let inside = lines.iter().filter(|one| one.words.starts_with(prefix));
            inside
                .map(|one| (one.line, &one.words[prefix.len()..]))
                .collect::<Vec<_>>()
        };
        let levels = [below(&own), below(group), below(bgp)];
        Self {
            line: levels[0].first().map_or(1, |(line, _)| *line),
            levels,
        }
    }

    /// The nearest statement that begins so, and its words after that.
    fn find(&self, words: &[&str]) -> Option<(usize, &'a [&'a str])> {
        let mut all = self.levels.iter().flatten();
        all.find_map(|(line, own)| own.starts_with(words).then(|| (*line, &own[words.len()..])))
    }

    /// The values of the nearest level that has such a statement.
    fn all(&self, word: &str) -> Vec<(usize, &'a str)> {
        let values = |level: &Vec<(usize, &'a [&'a str])>| {
            let own = level.iter().filter_map(|(line, words)| match words {
                [own, value, ..] if *own == word => Some((*line, *value)),
                _ => None,
            });
            own.collect::<Vec<_>>()
        };
        let mut found = self.levels.iter().map(values);
        found.find(|values| !values.is_empty()).unwrap_or_default()
    }

    fn families(&self) -> Vec<&'a str> {
        self.all("family")
            .into_iter()
            .map(|(_, family)| family)
            .collect()
    }
}

fn router_asn(lines: &[Line<'_>], group: &[&str]) -> Option<At<u32>> {
    let instance = &group[..group.len() - 4];
    let places = [instance, &[]];
    places.iter().find_map(|place| {
        lines
            .iter()
            .find_map(|one| match one.words.strip_prefix(*place)? {
                ["routing-options", "autonomous-system", asn, ..] => Some(At {
                    line: one.line,
                    value: asn.parse().ok()?,
                }),
                _ => None,
            })
    })
}

fn key(line: usize, rest: &[&str]) -> Key {
    match rest.first() {
        Some(key) if key.starts_with("$9$") => Key::Disguised(line),
        Some(key) => Key::Clear(At {
            line,
            value: (*key).to_owned(),
        }),
        None => Key::Missing,
    }
}

fn limit(levels: &Levels<'_>, family: &str) -> Limit {
    let find = |word: &str| {
        ["prefix-limit", "accepted-prefix-limit"]
            .iter()
            .find_map(|limit| {
                ["unicast", "any"]
                    .iter()
                    .find_map(|kind| levels.find(&["family", family, kind, limit, word]))
            })
    };
    let maximum = find("maximum").and_then(|(line, rest)| {
        let value = rest.first()?.parse().ok()?;
        Some(At { line, value })
    });
    let acts = ["teardown", "drop-excess", "hide-excess"]
        .iter()
        .any(|word| find(word).is_some());
    // In one line: `prefix-limit maximum 100 teardown`.
    let acts = acts || find("maximum").is_some_and(|(_, rest)| rest.contains(&"teardown"));
    match maximum {
        None => Limit::Missing,
        Some(at) if acts => Limit::Acts(at),
        Some(at) => Limit::OnlyWarns(at.line),
    }
}

/// The filter of one direction, and the communities that it sets.
fn filter(lines: &[Line<'_>], levels: &Levels<'_>, direction: &str) -> (Filter, Vec<Community>) {
    let names = levels.all(direction);
    let Some((line, _)) = names.first().copied() else {
        return (Filter::Missing, Vec::new());
    };
    // What no policy decides BGP's own rule accepts, in both directions.
    let mut policy = Policy {
        terms: Vec::new(),
        last: Verdict::Accept,
    };
    let mut communities = Vec::new();
    for (line, name) in names {
        let own = below(lines, &["policy-options", "policy-statement", name]);
        if own.is_empty() {
            let value = name.to_owned();
            return (Filter::Undefined(At { line, value }), Vec::new());
        }
        for (_, term) in terms(&own) {
            policy.terms.push(read_term(lines, &term));
            for words in &term {
                if let ["then", "community", "set" | "add" | "+" | "=", name] = words {
                    communities.extend(members(lines, name));
                }
            }
        }
    }
    let value = policy;
    (Filter::Policy(At { line, value }), communities)
}

fn below<'a>(lines: &'a [Line<'a>], prefix: &[&str]) -> Vec<&'a [&'a str]> {
    let inside = lines.iter().filter(|one| one.words.starts_with(prefix));
    inside.map(|one| &one.words[prefix.len()..]).collect()
}

/// Terms by name in their order; what stands in none comes last.
fn terms<'a>(policy: &[&'a [&'a str]]) -> Vec<(&'a str, Vec<&'a [&'a str]>)> {
    let mut terms: Vec<(&str, Vec<&[&str]>)> = Vec::new();
    let mut unnamed = Vec::new();
    for words in policy {
        match words {
            ["term", name, ..] => match terms.iter_mut().find(|(own, _)| own == name) {
                Some((_, term)) => term.push(&words[2..]),
                None => terms.push((name, vec![&words[2..]])),
            },
            words => unnamed.push(*words),
        }
    }
    if !unnamed.is_empty() {
        terms.push(("", unnamed));
    }
    terms
}

fn read_term(lines: &[Line<'_>], term: &[&[&str]]) -> Term {
    let mut ranges = Vec::new();
    let mut conditions = Vec::new();
    let mut verdict = None;
    for words in term {
        match words {
            ["from", "route-filter", net, rest @ ..] => ranges.extend(range(net, rest)),
            ["from", "prefix-list", name] => ranges.extend(prefix_list(lines, name, &["exact"])),
            ["from", "prefix-list-filter", name, kind] => {
                ranges.extend(prefix_list(lines, name, &[kind]))
            }
            ["from", "family", _] => {}
            ["from" | "to", ..] => conditions.push(Condition::Other),
            ["then", "accept"] => verdict = Some(Verdict::Accept),
            ["then", "reject"] => verdict = Some(Verdict::Reject),
            _ => {}
        }
    }
    if !ranges.is_empty() {
        conditions.push(Condition::Longest(ranges));
    }
    Term {
        conditions,
        verdict,
    }
}

fn prefix_list(lines: &[Line<'_>], name: &str, kind: &[&str]) -> Vec<Range> {
    let items = below(lines, &["policy-options", "prefix-list", name]);
    items
        .iter()
        .filter_map(|words| range(words.first()?, kind))
        .collect()
}

fn range(net: &str, kind: &[&str]) -> Option<Range> {
    let net: IpNet = net.parse().ok()?;
    let (own, most) = (net.prefix_len(), net.max_prefix_len());
    let length = |text: &str| text.trim_start_matches('/').parse::<u8>().ok();
    let (min, max) = match kind {
        ["orlonger", ..] => (own, most),
        ["longer", ..] => (own + 1, most),
        ["upto", upto, ..] => (own, length(upto)?),
        ["prefix-length-range", range, ..] => {
            let (low, high) = range.split_once('-')?;
            (length(low)?, length(high)?)
        }
        _ => (own, own),
    };
    Some(Range {
        verdict: Verdict::Accept,
        net,
        min,
        max,
    })
}

fn members(lines: &[Line<'_>], name: &str) -> Vec<Community> {
    let own = below(lines, &["policy-options", "community", name, "members"]);
    let words = own.iter().flat_map(|words| words.iter());
    words
        .filter_map(|word| {
            let (asn, value) = word.split_once(':')?;
            let (asn, value): (u16, u16) = (asn.parse().ok()?, value.parse().ok()?);
            Some(Community(u32::from(asn) << 16 | u32::from(value)))
        })
        .collect()
}
