//! IOS and IOS-XE, as `show running-config` prints them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use bgp_core::wire::Community;
use ipnet::{IpNet, Ipv4Net};

use super::policy::{Condition, Policy, Range, Term, Verdict};
use super::seen::{At, Filter, Interface, Key, Limit, Neighbor, Seen, Words};
use crate::indented::{self, Node};

pub(super) const WORDS: Words = Words {
    vlan: |vlan| format!("encapsulation dot1Q {vlan}"),
    address: |net| match net {
        IpNet::V4(net) => format!("ip address {} {}", net.addr(), net.netmask()),
        IpNet::V6(net) => format!("ipv6 address {net}"),
    },
    mtu: |mtu, ipv6| format!("{} mtu {mtu}", if ipv6 { "ipv6" } else { "ip" }),
    neighbor: |peer, asn| format!("neighbor {peer} remote-as {asn}"),
    key: |peer| format!("neighbor {peer} password 0 KEY"),
    bfd: |peer| format!("neighbor {peer} fall-over bfd"),
    inbound: |peer| {
        format!(
            "neighbor {peer} route-map NAME in, which permits what AWS may send and nothing else"
        )
    },
    outbound: |peer| {
        format!("neighbor {peer} route-map NAME out, which permits exactly what you announce")
    },
    limit: |peer, limit| format!("neighbor {peer} maximum-prefix {limit} 90 restart 5"),
    originate: |net| match net {
        IpNet::V4(net) => format!(
            "network {} mask {}, and a route to it (Null0)",
            net.addr(),
            net.netmask()
        ),
        IpNet::V6(net) => format!("network {net}, and a route to it (Null0)"),
    },
    timers: |peer, keepalive, hold| format!("neighbor {peer} timers {keepalive} {hold}"),
    untagged: "encapsulation dot1Q",
    interface_bfd: Some("bfd interval 300 min_rx 300 multiplier 3"),
    usual_mtu: Some(1500),
};

pub(super) fn read(text: &str) -> Seen {
    let nodes = indented::parse(text);
    let lists = prefix_lists(&nodes);
    let maps = route_maps(&nodes);
    let mut seen = Seen::default();
    for node in &nodes {
        match node.words().as_slice() {
            ["interface", name] => seen.interfaces.push(interface(name, node)),
            ["router", "bgp", asn] => {
                let bgp = Bgp::read(asn, node);
                seen.neighbors.extend(bgp.neighbors(&lists, &maps));
            }
            _ => {}
        }
    }
    seen
}

fn interface(name: &str, node: &Node) -> Interface {
    let mut interface = Interface {
        line: node.line,
        name: name.to_owned(),
        ..Interface::default()
    };
    for child in &node.children {
        let line = child.line;
        let at = |value: &str| value.parse().ok().map(|value| At { line, value });
        match child.words().as_slice() {
            ["encapsulation", dot1q, vlan, ..] if dot1q.eq_ignore_ascii_case("dot1q") => {
                interface.vlan = at(vlan)
            }
            ["ip", "address", address, mask, ..] => {
                let net = address.parse().ok().zip(mask.parse().ok());
                let net = net.and_then(|(address, mask): (Ipv4Addr, Ipv4Addr)| {
                    Ipv4Net::with_netmask(address, mask).ok()
                });
                interface.addresses.extend(net.map(|net| At {
                    line,
                    value: IpNet::V4(net),
                }));
            }
            ["ipv6", "address", net, ..] => {
                interface
                    .addresses
                    .extend(net.parse().ok().map(|value| At { line, value }));
            }
            ["mtu", mtu] => interface.mtu = interface.mtu.map(|own| own.or_else(|| at(mtu))),
            ["ip", "mtu", mtu] => interface.mtu[0] = at(mtu),
            ["ipv6", "mtu", mtu] => interface.mtu[1] = at(mtu),
            ["shutdown"] => interface.shutdown = Some(line),
            ["bfd", "interval" | "template", ..] => interface.bfd = Some(line),
            _ => {}
        }
    }
    interface
}

/// Names with the family's word before: `ip NAME`, `ipv6 NAME`.
type Lists = BTreeMap<String, Vec<Range>>;

fn prefix_lists(nodes: &[Node]) -> Lists {
    let mut lines: BTreeMap<String, Vec<(u64, Range)>> = BTreeMap::new();
    for node in nodes {
        let words = node.words();
        let [family @ ("ip" | "ipv6"), "prefix-list", name, rest @ ..] = words.as_slice() else {
            continue;
        };
        let list = lines.entry(format!("{family} {name}")).or_default();
        let (seq, rest) = match rest {
            ["seq", seq, rest @ ..] => (seq.parse().unwrap_or(0), rest),
            rest => (u64::MAX, rest),
        };
        list.extend(range(rest).map(|range| (seq, range)));
    }
    let sorted = lines.into_iter().map(|(name, mut lines)| {
        lines.sort_by_key(|(seq, _)| *seq);
        (name, lines.into_iter().map(|(_, range)| range).collect())
    });
    sorted.collect()
}

/// `permit NET [ge LENGTH] [le LENGTH]`.
fn range(words: &[&str]) -> Option<Range> {
    let [action @ ("permit" | "deny"), net, rest @ ..] = words else {
        return None;
    };
    let net: IpNet = net.parse().ok()?;
    let value = |word: &str| {
        let mut pairs = rest.chunks(2);
        pairs.find_map(|pair| match pair {
            [own, value] if *own == word => value.parse::<u8>().ok(),
            _ => None,
        })
    };
    let (ge, le) = (value("ge"), value("le"));
    let longest = if ge.is_some() {
        net.max_prefix_len()
    } else {
        net.prefix_len()
    };
    Some(Range {
        verdict: verdict(action),
        net,
        min: ge.unwrap_or(net.prefix_len()),
        max: le.unwrap_or(longest),
    })
}

fn verdict(action: &str) -> Verdict {
    match action {
        "permit" => Verdict::Accept,
        _ => Verdict::Reject,
    }
}

/// A route-map's sequences: number, action, what stands below.
type Maps<'a> = BTreeMap<&'a str, Vec<(u64, Verdict, &'a Node)>>;

fn route_maps(nodes: &[Node]) -> Maps<'_> {
    let mut maps = Maps::new();
    for node in nodes {
        if let ["route-map", name, action, seq] = node.words().as_slice() {
            let map = maps.entry(name).or_default();
            map.push((seq.parse().unwrap_or(0), verdict(action), node));
            map.sort_by_key(|(seq, ..)| *seq);
        }
    }
    maps
}

/// A line `neighbor WHO …`, without those two words.
struct Setting<'a> {
    line: usize,
    words: Vec<&'a str>,
    /// `ipv4` or `ipv6`, where it stands in an address family.
    family: Option<&'a str>,
    negated: bool,
}

struct Bgp<'a> {
    asn: At<u32>,
    settings: BTreeMap<&'a str, Vec<Setting<'a>>>,
    /// Whether a neighbor has IPv4 unicast without asking.
    ipv4_by_itself: bool,
    hold_time: Option<At<u32>>,
    originated: Option<Vec<IpNet>>,
}

impl<'a> Bgp<'a> {
    fn read(asn: &str, node: &'a Node) -> Self {
        let mut bgp = Self {
            asn: At {
                line: node.line,
                value: number(asn).unwrap_or(0),
            },
            settings: BTreeMap::new(),
            ipv4_by_itself: true,
            hold_time: None,
            originated: Some(Vec::new()),
        };
        for child in &node.children {
            match child.words().as_slice() {
                ["address-family", family, ..] => {
                    child
                        .children
                        .iter()
                        .for_each(|line| bgp.line(line, Some(family)));
                }
                _ => bgp.line(child, None),
            }
        }
        bgp
    }

    fn line(&mut self, node: &'a Node, family: Option<&'a str>) {
        let line = node.line;
        let words = node.words();
        let (negated, words) = match words.as_slice() {
            ["no", rest @ ..] => (true, rest),
            words => (false, words),
        };
        match words {
            ["neighbor", who, rest @ ..] => self.settings.entry(who).or_default().push(Setting {
                line,
                words: rest.to_vec(),
                family,
                negated,
            }),
            ["bgp", "default", "ipv4-unicast"] if negated => self.ipv4_by_itself = false,
            ["timers", "bgp", _, hold, ..] => {
                self.hold_time = number(hold).map(|value| At { line, value })
            }
            ["redistribute", ..] => self.originated = None,
            ["network", net, rest @ ..] | ["aggregate-address", net, rest @ ..] => {
                if let Some(all) = &mut self.originated {
                    all.extend(network(net, rest));
                }
            }
            _ => {}
        }
    }

    fn neighbors(&self, lists: &Lists, maps: &Maps<'_>) -> Vec<Neighbor> {
        let peers = self
            .settings
            .keys()
            .filter_map(|who| Some((*who, who.parse().ok()?)));
        peers
            .map(|(who, peer)| self.neighbor(who, peer, lists, maps))
            .collect()
    }

    fn neighbor(&self, who: &str, peer: IpAddr, lists: &Lists, maps: &Maps<'_>) -> Neighbor {
        let family = if peer.is_ipv6() { "ipv6" } else { "ipv4" };
        let own = self.of(who, family);
        let at = |words: &[&str]| {
            let setting = own
                .iter()
                .find(|setting| !setting.negated && setting.words.starts_with(words))?;
            Some((setting.line, setting.words[words.len()..].to_vec()))
        };
        let line_of = |words: &[&str]| at(words).map(|(line, _)| line);
        let value = |words: &[&str], index: usize| {
            let (line, rest) = at(words)?;
            Some(At {
                line,
                value: number(rest.get(index)?)?,
            })
        };
        let filter = |direction: &str| filter(&own, direction, peer, lists, maps);
        let (outbound, communities) = filter("out");
        let activated = own.iter().any(|setting| {
            setting.words == ["activate"] && setting.family == Some(family) && !setting.negated
        });
        Neighbor {
            line: own.first().map_or(self.asn.line, |setting| setting.line),
            peer,
            local_asn: value(&["local-as"], 0).or(Some(self.asn)),
            peer_asn: value(&["remote-as"], 0),
            key: at(&["password"]).map_or(Key::Missing, |(line, words)| key(line, &words)),
            bfd: line_of(&["fall-over", "bfd"]),
            hold_time: value(&["timers"], 1).or(self.hold_time),
            shutdown: line_of(&["shutdown"]),
            ttl_security: line_of(&["ttl-security"]),
            activated: activated || (family == "ipv4" && self.ipv4_by_itself),
            inbound: filter("in").0,
            outbound,
            limit: at(&["maximum-prefix"])
                .map_or(Limit::Missing, |(line, words)| limit(line, &words)),
            default_originate: line_of(&["default-originate"]),
            communities,
            send_community: line_of(&["send-community"]).is_some(),
            originated: self.originated.clone(),
        }
    }

    /// The neighbor's settings, then its peer groups'; without those of the
    /// other family.
    fn of(&self, who: &str, family: &str) -> Vec<&Setting<'a>> {
        let all = self.settings.get(who).into_iter().flatten();
        let own: Vec<&Setting<'_>> = all
            .filter(|setting| setting.family.is_none_or(|own| own == family))
            .collect();
        let groups: Vec<&str> = own
            .iter()
            .filter_map(|setting| match setting.words.as_slice() {
                ["peer-group", group] if *group != who => Some(*group),
                _ => None,
            })
            .collect();
        let inherited = groups
            .into_iter()
            .filter(|group| group.parse::<IpAddr>().is_err());
        let inherited = inherited.flat_map(|group| self.settings.get(group).into_iter().flatten());
        own.into_iter()
            .chain(inherited.filter(|setting| setting.family.is_none_or(|own| own == family)))
            .collect()
    }
}

/// The filter of one direction, and the communities that it sets.
fn filter(
    settings: &[&Setting<'_>],
    direction: &str,
    peer: IpAddr,
    lists: &Lists,
    maps: &Maps<'_>,
) -> (Filter, Vec<Community>) {
    let named = |kind: &str| {
        settings
            .iter()
            .find_map(|setting| match setting.words.as_slice() {
                [own, name, way] if *own == kind && *way == direction && !setting.negated => {
                    Some((setting.line, *name))
                }
                _ => None,
            })
    };
    let ip = if peer.is_ipv6() { "ipv6" } else { "ip" };
    let undefined = |line, name: &str| {
        let value = name.to_owned();
        (Filter::Undefined(At { line, value }), Vec::new())
    };
    let mut always = Vec::new();
    let mut place = None;
    if let Some((line, name)) = named("prefix-list") {
        let Some(list) = lists.get(&format!("{ip} {name}")) else {
            return undefined(line, name);
        };
        always.push(Condition::List(list.clone()));
        place = Some(line);
    }
    for other in ["distribute-list", "filter-list"] {
        if let Some((line, _)) = named(other) {
            always.push(Condition::Other);
            place = place.or(Some(line));
        }
    }
    let mut terms = vec![Term {
        conditions: always.clone(),
        verdict: Some(Verdict::Accept),
    }];
    let mut communities = Vec::new();
    if let Some((line, name)) = named("route-map") {
        let Some(map) = maps.get(name) else {
            return undefined(line, name);
        };
        terms.clear();
        for (_, verdict, node) in map {
            let mut conditions = always.clone();
            for child in &node.children {
                match child.words().as_slice() {
                    ["match", family, "address", "prefix-list", name] if *family == ip => {
                        let Some(list) = lists.get(&format!("{ip} {name}")) else {
                            return undefined(child.line, name);
                        };
                        conditions.push(Condition::List(list.clone()));
                    }
                    ["match", ..] => conditions.push(Condition::Other),
                    ["set", "community", words @ ..] => {
                        communities.extend(words.iter().filter_map(|word| community(word)))
                    }
                    _ => {}
                }
            }
            terms.push(Term {
                conditions,
                verdict: Some(*verdict),
            });
        }
        place = Some(line);
    }
    let filter = place.map_or(Filter::Missing, |line| {
        let last = Verdict::Reject;
        let value = Policy { terms, last };
        Filter::Policy(At { line, value })
    });
    (filter, communities)
}

fn key(line: usize, words: &[&str]) -> Key {
    let clear = |word: &str| {
        Key::Clear(At {
            line,
            value: word.to_owned(),
        })
    };
    match words {
        ["0", key] | [key] => clear(key),
        [] => Key::Missing,
        _ => Key::Disguised(line),
    }
}

fn limit(line: usize, words: &[&str]) -> Limit {
    match words.first().and_then(|word| number(word)) {
        Some(_) if words.contains(&"warning-only") => Limit::OnlyWarns(line),
        Some(value) => Limit::Acts(At { line, value }),
        None => Limit::Missing,
    }
}

fn network(net: &str, rest: &[&str]) -> Option<IpNet> {
    if let Ok(net) = net.parse() {
        return Some(net);
    }
    let address: Ipv4Addr = net.parse().ok()?;
    let mask = match rest {
        ["mask", mask, ..] | [mask, ..] if mask.parse::<Ipv4Addr>().is_ok() => mask.parse().ok()?,
        // Without a mask the address's class says it.
        _ => match address.octets()[0] {
            0..128 => Ipv4Addr::new(255, 0, 0, 0),
            128..192 => Ipv4Addr::new(255, 255, 0, 0),
            _ => Ipv4Addr::new(255, 255, 255, 0),
        },
    };
    Ipv4Net::with_netmask(address, mask).ok().map(IpNet::V4)
}

/// Plain, or an AS number as `1.10`.
fn number(text: &str) -> Option<u32> {
    match text.split_once('.') {
        Some((high, low)) => {
            let (high, low): (u16, u16) = (high.parse().ok()?, low.parse().ok()?);
            Some(u32::from(high) << 16 | u32::from(low))
        }
        None => text.parse().ok(),
    }
}

fn community(word: &str) -> Option<Community> {
    let (asn, value) = word.split_once(':')?;
    let (asn, value): (u16, u16) = (asn.parse().ok()?, value.parse().ok()?);
    Some(Community(u32::from(asn) << 16 | u32::from(value)))
}
