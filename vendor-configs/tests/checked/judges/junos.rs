//! Junos text against Juniper's published schema, and what the schema leaves
//! open: addresses, AS numbers, communities, VLANs, MTUs, names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use ipnet::IpNet;
use vendor_configs::junos::{self, Statement};

use super::slots::{Facts, is_asn, is_community, is_host, is_interface, number};
use super::yang::{Place, Schema};
use super::{Complaint, schema_folder};

static MX: LazyLock<Schema> = LazyLock::new(|| Schema::read(&schema_folder("junos-mx")));
static SRX: LazyLock<Schema> = LazyLock::new(|| Schema::read(&schema_folder("junos-srx")));

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    Mx,
    Srx,
}

pub(crate) fn judge(device: Device, text: &str) -> Vec<Complaint> {
    let statements = match junos::parse(text) {
        Ok(statements) => statements,
        Err(error) => return vec![Complaint::at(error.line, error.what)],
    };
    let schema: &Schema = match device {
        Device::Mx => &MX,
        Device::Srx => &SRX,
    };
    let mut judge = Judge {
        schema,
        facts: Facts::default(),
        leaves: BTreeMap::new(),
        complaints: Vec::new(),
    };
    for statement in &statements {
        judge.statement(statement);
    }
    judge.whole(&statements);
    judge.complaints.extend(judge.facts.complaints());
    judge.complaints
}

struct Judge<'a> {
    schema: &'a Schema,
    facts: Facts,
    /// Path of a leaf → its value.
    leaves: BTreeMap<String, String>,
    complaints: Vec<Complaint>,
}

impl<'a> Judge<'a> {
    fn statement(&mut self, statement: &Statement) {
        let words: Vec<&str> = statement.words.iter().map(String::as_str).collect();
        if let Err(what) = self.top(&words, statement.line) {
            self.complaints.push(Complaint::at(
                statement.line,
                format!("`{statement}`: {what}"),
            ));
        }
    }

    fn top(&mut self, words: &[&str], line: usize) -> Result<(), String> {
        let (path, rest): (String, &[&str]) = match words {
            // Its module is not among those that are kept; what an instance holds is.
            ["routing-instances", name, rest @ ..] => (format!("routing-instances {name} "), rest),
            _ => (String::new(), words),
        };
        if let (false, Some(known)) = (path.is_empty(), instance_leaf(rest)) {
            self.note_instance(rest, line);
            return known;
        }
        let (first, rest) = rest.split_first().ok_or("nothing follows")?;
        let place = self
            .schema
            .top(first)
            .ok_or_else(|| format!("`{first}` is no hierarchy of the schema"))?;
        self.walk(place, rest, format!("{path}{first}"), line)
    }

    fn note_instance(&mut self, rest: &[&str], line: usize) {
        if let ["interface", name] = rest {
            self.facts.used(line, "logical interface", name);
        }
    }

    /// `words` inside a container or an entry of a list.
    fn walk(
        &mut self,
        place: Place<'a>,
        words: &[&str],
        path: String,
        line: usize,
    ) -> Result<(), String> {
        let Some((first, rest)) = words.split_first() else {
            return Ok(());
        };
        let Some(child) = self.schema.child(place, first) else {
            return self.unnamed(place, words, path, line);
        };
        let path = format!("{path} {first}");
        match child.keyword() {
            "container" => self.walk(child, rest, path, line),
            "list" => {
                let (path, rest) = self.keys(child, rest, path, line)?;
                self.walk(child, rest, path, line)
            }
            _ if self.schema.type_of(child).is_empty() => {
                self.walk(place, rest, parent(&path, first), line)
            }
            keyword => {
                let (value, rest) = rest
                    .split_first()
                    .ok_or_else(|| format!("`{first}` lacks its value"))?;
                self.value(child, value, &path, line)?;
                let single = keyword == "leaf";
                self.leaf(
                    &if single {
                        path.clone()
                    } else {
                        format!("{path} {value}")
                    },
                    value,
                    line,
                )?;
                self.walk(place, rest, parent(&path, first), line)
            }
        }
    }

    /// A word that stands for a leaf's value without the leaf's name before it.
    fn unnamed(
        &mut self,
        place: Place<'a>,
        words: &[&str],
        path: String,
        line: usize,
    ) -> Result<(), String> {
        let value = words[0];
        if place.name() == "interfaces"
            && let Some(list) = self.schema.child(place, "interface")
        {
            let (path, rest) = self.keys(list, words, path, line)?;
            return self.walk(list, rest, path, line);
        }
        let names = UNNAMED
            .iter()
            .filter(|(container, _)| *container == place.name());
        for (_, name) in names {
            let Some(leaf) = self.schema.child(place, name) else {
                continue;
            };
            self.value(leaf, value, &path, line)?;
            self.leaf(&format!("{path} {name}"), value, line)?;
            return self.walk(place, &words[1..], path, line);
        }
        Err(format!("`{value}` is unknown below `{path}`"))
    }

    /// The words that name an entry of a list.
    fn keys<'w>(
        &mut self,
        list: Place<'a>,
        words: &'w [&'w str],
        mut path: String,
        line: usize,
    ) -> Result<(String, &'w [&'w str]), String> {
        let mut rest = words;
        let mut choice = "";
        for key in list.keys() {
            if key == "choice-value" && !TAKES_VALUE.contains(&choice) {
                continue;
            }
            let (word, after) = rest
                .split_first()
                .ok_or_else(|| format!("`{path}` lacks its {key}"))?;
            rest = after;
            let leaf = self.schema.child(list, key).ok_or("a key without a leaf")?;
            self.value(leaf, word, &path, line)?;
            if key == "choice-ident" {
                choice = word;
            }
            path = format!("{path} {word}");
        }
        self.note_entry(&path, line);
        Ok((path, rest))
    }

    fn value(
        &mut self,
        leaf: Place<'a>,
        value: &str,
        path: &str,
        line: usize,
    ) -> Result<(), String> {
        let of = self.schema.type_of(leaf);
        if !of.takes(value) {
            return Err(format!("`{value}` is not {}", of.words()));
        }
        if !own_type(path, leaf.name(), value) {
            return Err(format!("`{value}` is no {} there", leaf.name()));
        }
        self.note_value(path, leaf.name(), value, line);
        Ok(())
    }

    /// A leaf has one value, and says it once.
    fn leaf(&mut self, path: &str, value: &str, _line: usize) -> Result<(), String> {
        match self.leaves.insert(path.to_owned(), value.to_owned()) {
            Some(_) => Err("it stands twice".to_owned()),
            None => Ok(()),
        }
    }

    fn note_entry(&mut self, path: &str, line: usize) {
        let words: Vec<&str> = path.split(' ').collect();
        match words.as_slice() {
            ["policy-options", "policy-statement", name] => {
                self.facts.define(line, "policy-statement", name);
            }
            ["policy-options", "community", name] => self.facts.define(line, "community", name),
            ["policy-options", "prefix-list", name] => self.facts.define(line, "prefix-list", name),
            [
                "policy-options",
                "policy-statement",
                ..,
                "from",
                "prefix-list" | "prefix-list-filter",
                name,
            ]
            | [
                "policy-options",
                "policy-statement",
                ..,
                "from",
                "prefix-list-filter",
                name,
                _,
            ] => {
                self.facts.used(line, "prefix-list", name);
            }
            [
                "policy-options",
                "policy-statement",
                ..,
                "then",
                "community",
                _,
                name,
            ] => {
                self.facts.used(line, "community", name);
            }
            ["security", "zones", "security-zone", _, "interfaces", name] => {
                self.facts.used(line, "logical interface", name);
            }
            _ => {}
        }
    }

    fn note_value(&mut self, path: &str, leaf: &str, value: &str, line: usize) {
        let bgp = path.contains("protocols bgp");
        match leaf {
            "import" | "export" if bgp => self.facts.used(line, "policy-statement", value),
            "community" if path.contains("policy-statement") && path.contains(" from") => {
                self.facts.used(line, "community", value);
            }
            "policy" if path.contains("policy-statement") && path.contains(" from") => {
                self.facts.used(line, "policy-statement", value);
            }
            "export" if path.contains("forwarding-table") => {
                self.facts.used(line, "policy-statement", value);
            }
            _ => {}
        }
    }

    /// What only the whole text shows.
    fn whole(&mut self, statements: &[Statement]) {
        let all: Vec<(Vec<&str>, usize)> = statements
            .iter()
            .map(|one| (one.words.iter().map(String::as_str).collect(), one.line))
            .collect();
        let mut units = BTreeMap::new();
        let mut tagged = BTreeSet::new();
        let mut neighbors: BTreeMap<Vec<&str>, (usize, bool)> = BTreeMap::new();
        let mut groups = BTreeSet::new();
        let mut terms: BTreeMap<Vec<&str>, (usize, bool)> = BTreeMap::new();
        for (words, line) in &all {
            match words.as_slice() {
                ["interfaces", name, "unit", unit, rest @ ..] => {
                    let has = units.entry((*name, *unit)).or_insert((*line, false));
                    has.1 |= rest.first() == Some(&"vlan-id");
                }
                ["interfaces", name, "vlan-tagging" | "flexible-vlan-tagging"] => {
                    tagged.insert(*name);
                }
                [
                    "policy-options",
                    "policy-statement",
                    policy,
                    "term",
                    term,
                    rest @ ..,
                ] => {
                    let has = terms.entry(vec![policy, term]).or_insert((*line, false));
                    has.1 |= rest.first() == Some(&"then");
                }
                _ => {}
            }
            let bgp = words
                .windows(3)
                .position(|w| w[..2] == ["protocols", "bgp"] && w[2] == "group");
            if let Some(at) = bgp {
                let group = words[..(at + 4).min(words.len())].to_vec();
                match &words[(at + 4).min(words.len())..] {
                    ["neighbor", address, rest @ ..] => {
                        let mut key = group.clone();
                        key.push(address);
                        let has = neighbors.entry(key).or_insert((*line, false));
                        has.1 |= rest.first() == Some(&"peer-as");
                    }
                    ["peer-as", ..] => {
                        groups.insert(group);
                    }
                    _ => {}
                }
            }
        }
        let mut say = |line: usize, what: String| self.complaints.push(Complaint::at(line, what));
        for ((name, unit), (line, vlan)) in &units {
            if *vlan != tagged.contains(name) && *unit != "0" {
                say(
                    *line,
                    format!("{name} unit {unit}: a VLAN needs both vlan-id and vlan-tagging"),
                );
            }
        }
        for (key, (line, has)) in &neighbors {
            if !has && !groups.contains(&key[..key.len() - 1]) {
                say(
                    *line,
                    format!("neighbor {} has no peer-as", key[key.len() - 1]),
                );
            }
        }
        for (term, (line, then)) in &terms {
            if !then {
                say(*line, format!("term {} does nothing", term.join(" ")));
            }
        }
        // A logical interface may stand without being named elsewhere.
        for ((name, unit), (line, _)) in units {
            let logical = format!("{name}.{unit}");
            self.facts.define(line, "logical interface", &logical);
            self.facts.used(line, "logical interface", &logical);
        }
    }
}

/// Leaves that an instance has by itself.
fn instance_leaf(rest: &[&str]) -> Option<Result<(), String>> {
    let good = match rest {
        ["instance-type", kind] => ["virtual-router", "vrf"].contains(kind),
        ["interface", name] => is_logical(name),
        ["description", _] | ["vrf-table-label"] => true,
        ["route-distinguisher", value] => value.split_once(':').is_some_and(|(a, b)| {
            (is_asn(a) || a.parse::<std::net::Ipv4Addr>().is_ok()) && number(b).is_some()
        }),
        ["vrf-target", value] => value.strip_prefix("target:").is_some_and(is_community),
        ["protocols" | "routing-options", ..] => return None,
        _ => false,
    };
    Some(
        good.then_some(())
            .ok_or_else(|| "no statement of a routing instance".to_owned()),
    )
}

fn is_logical(name: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(parent, unit)| is_interface(parent) && number(unit).is_some())
}

/// What Juniper's types leave open.
fn own_type(path: &str, leaf: &str, value: &str) -> bool {
    let net = || value.parse::<IpNet>().ok();
    let last = path.rsplit(' ').next().unwrap_or("");
    let route = |net: IpNet| net.trunc() == net;
    match leaf {
        "vlan-id" => number(value).is_some_and(|n| (1..=4094).contains(&n)),
        "mtu" => number(value).is_some_and(|n| (256..=9500).contains(&n)),
        "peer-as" | "autonomous-system" | "as-number" => is_asn(value),
        "members" if path.contains("policy-options community") => is_community(value),
        "name" if path.ends_with("family inet address") => {
            net().is_some_and(|net| net.addr().is_ipv4() && is_host(net))
        }
        "name" if path.ends_with("family inet6 address") => {
            net().is_some_and(|net| net.addr().is_ipv6() && is_host(net))
        }
        "address" if last == "route-filter" => net().is_some_and(route),
        "name" if last == "prefix-list-item" => net().is_some_and(route),
        "name" if last == "route" => {
            let six = path.contains("inet6.0");
            net().is_some_and(|net| route(net) && net.addr().is_ipv6() == six)
        }
        "name" if last == "neighbor" => value.parse::<std::net::IpAddr>().is_ok(),
        "name" if path == "interfaces" => is_interface(value),
        "name" if last == "unit" => number(value).is_some_and(|n| n <= 1_073_741_823),
        "choice-value" if last == "upto" => {
            value.strip_prefix('/').and_then(number).is_some_and(|n| n <= 128)
        }
        "choice-value" if last == "prefix-length-range" => {
            value.split_once('-').is_some_and(|(low, high)| {
                let length = |text: &str| text.strip_prefix('/').and_then(number);
                matches!((length(low), length(high)), (Some(low), Some(high)) if low <= high && high <= 128)
            })
        }
        "local-address" | "router-id" | "next-hop" => value.parse::<std::net::IpAddr>().is_ok(),
        _ => true,
    }
}

fn parent(path: &str, last: &str) -> String {
    path.strip_suffix(last)
        .unwrap_or(path)
        .trim_end()
        .to_owned()
}

/// Leaves whose name is left out in text (container, leaf); the schema doesn't say.
const UNNAMED: [(&str, &str); 8] = [
    ("teardown", "limit-threshold"),
    ("idle-timeout", "timeout"),
    ("drop-excess", "limit-threshold"),
    ("local-preference", "local-preference"),
    ("metric", "metric"),
    ("preference", "metric-value"),
    ("preference", "preference"),
    ("autonomous-system", "as-number"),
];

/// Choices that a value follows.
const TAKES_VALUE: [&str; 4] = ["upto", "through", "prefix-length-range", "address-mask"];
