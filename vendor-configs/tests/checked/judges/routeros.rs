//! RouterOS commands against its console's tree, and the values that the tree
//! leaves untyped.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::net::IpAddr;
use std::sync::LazyLock;

use flate2::read::GzDecoder;
use ipnet::IpNet;
use serde_json::Value;

use super::slots::{is_asn, is_community, is_host, is_word, number};
use super::{Complaint, schema_folder};

static TREE: LazyLock<Value> = LazyLock::new(|| {
    let path = schema_folder("routeros").join("inspect-7.24-subset.json.gz");
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
});

pub(crate) fn judge(text: &str) -> Vec<Complaint> {
    let mut judge = Judge::default();
    for (line, content) in lines(text) {
        if let Err(what) = judge.line(&content, line) {
            judge
                .complaints
                .push(Complaint::at(line, format!("`{content}`: {what}")));
        }
    }
    judge.names();
    judge.complaints
}

/// Lines without comments, joined where a backslash says so.
fn lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (index, line) in text.lines().enumerate() {
        let content = line.trim();
        let (content, goes_on) = match content.strip_suffix('\\') {
            Some(content) => (content, true),
            None => (content, false),
        };
        match lines.last_mut() {
            Some((_, last)) if open => last.push_str(content),
            _ if content.is_empty() || content.starts_with('#') => {}
            _ => lines.push((index + 1, content.to_owned())),
        }
        open = goes_on;
    }
    lines
}

#[derive(Default)]
struct Judge {
    complaints: Vec<Complaint>,
    /// The menu that a line of its own has entered.
    menu: Vec<String>,
    seen: BTreeSet<String>,
    defined: Vec<(usize, &'static str, String)>,
    used: Vec<(usize, &'static str, String)>,
}

impl Judge {
    fn line(&mut self, content: &str, line: usize) -> Result<(), String> {
        let words = words(content)?;
        let mut rest = words.as_slice();
        // This menu is not among those kept.
        if let [first, add, rest @ ..] = rest
            && first == "/ip/vrf"
            && add == "add"
        {
            return self.vrf(rest, line);
        }
        let mut menu = self.menu.clone();
        if let Some(first) = rest.first().filter(|word| word.starts_with('/')) {
            menu = first
                .split('/')
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect();
            rest = &rest[1..];
        }
        while let Some(word) = rest.first().filter(|word| is_menu(&menu, word)) {
            menu.push(word.clone());
            rest = &rest[1..];
        }
        let node = node(&menu).ok_or_else(|| format!("/{} is no menu", menu.join("/")))?;
        let Some((command, arguments)) = rest.split_first() else {
            self.menu = menu;
            return Ok(());
        };
        let command_node = &node[command.as_str()];
        if command_node["_type"] != "cmd" {
            return Err(format!("`{command}` is no command of /{}", menu.join("/")));
        }
        if command == "add"
            && !self
                .seen
                .insert(format!("{} {}", menu.join("/"), arguments.join(" ")))
        {
            return Err("it stands twice".to_owned());
        }
        self.arguments(&menu.join("/"), command_node, arguments, line)
    }

    fn vrf(&mut self, arguments: &[String], line: usize) -> Result<(), String> {
        for argument in arguments {
            match argument.split_once('=') {
                Some(("name", name)) if is_word(name) => self.note("ip/vrf", "name", name, line),
                Some(("interfaces", interfaces)) => {
                    let names = interfaces.split(',').map(str::to_owned);
                    self.used
                        .extend(names.map(|name| (line, "interface", name)));
                }
                _ => return Err(format!("`{argument}` is no property of /ip/vrf")),
            }
        }
        Ok(())
    }

    fn arguments(
        &mut self,
        menu: &str,
        command: &Value,
        arguments: &[String],
        line: usize,
    ) -> Result<(), String> {
        let mut given: BTreeMap<&str, &str> = BTreeMap::new();
        for argument in arguments {
            let Some((name, value)) = argument.split_once('=') else {
                // What `set` changes: `[find name=ether1]` or a name.
                if argument.starts_with('[') && argument.ends_with(']')
                    || command.get("numbers").is_some()
                {
                    continue;
                }
                if argument == "blackhole" {
                    given.insert("blackhole", "yes");
                    continue;
                }
                return Err(format!("`{argument}` has no `=`"));
            };
            if command[name]["_type"] != "arg" {
                return Err(format!("`{name}` is no property of /{menu}"));
            }
            let described = command[name]["desc"].as_str().unwrap_or("");
            if value.is_empty() || !fits(menu, name, described, value) {
                return Err(format!("`{value}` is no {name}"));
            }
            if given.insert(name, value).is_some() {
                return Err(format!("`{name}` stands twice"));
            }
        }
        if command["copy-from"].is_object() {
            for needed in needed(menu) {
                if !given.contains_key(needed) {
                    return Err(format!("`{needed}` is missing"));
                }
            }
            if let Some(name) = given.get("name") {
                let unique = self.seen.insert(format!("{menu} name {name}"));
                unique
                    .then_some(())
                    .ok_or_else(|| format!("/{menu} has a {name} already"))?;
            }
        }
        for (name, value) in &given {
            self.note(menu, name, value, line);
        }
        Ok(())
    }

    fn note(&mut self, menu: &str, name: &str, value: &str, line: usize) {
        let defines = match (menu, name) {
            ("interface/vlan", "name") => Some("interface"),
            ("routing/bgp/instance", "name") => Some("instance"),
            ("routing/bgp/template", "name") => Some("template"),
            ("routing/filter/rule", "chain") => Some("chain"),
            ("ip/firewall/address-list" | "ipv6/firewall/address-list", "list") => {
                Some("address list")
            }
            ("routing/filter/community-list", "list") => Some("community list"),
            ("ip/vrf", "name") => Some("vrf"),
            _ => None,
        };
        self.defined
            .extend(defines.map(|kind| (line, kind, value.to_owned())));
        let uses = match (menu, name) {
            ("ip/address" | "ipv6/address" | "ipv6/nd", "interface")
            | ("routing/bfd/configuration", "interfaces") => Some("interface"),
            ("routing/bgp/connection", "instance") => Some("instance"),
            ("routing/bgp/connection", "templates") => Some("template"),
            (_, "input.filter" | "output.filter-chain") => Some("chain"),
            (_, "output.network") => Some("address list"),
            ("routing/bgp/connection" | "routing/bgp/instance", "vrf") if value != "main" => {
                Some("vrf")
            }
            _ => None,
        };
        self.used
            .extend(uses.map(|kind| (line, kind, value.to_owned())));
        if name == "rule" {
            let words = rule_words(value);
            for pair in words.windows(2).filter(|pair| pair[0] == "jump") {
                self.used.push((line, "chain", pair[1].clone()));
            }
            for three in words.windows(3).filter(|three| {
                three[0].starts_with("bgp-communities") && three[1].ends_with("-list")
            }) {
                self.used.push((line, "community list", three[2].clone()));
            }
        }
    }

    fn names(&mut self) {
        for (line, kind, name) in &self.used {
            let found = self
                .defined
                .iter()
                .any(|(_, own, defined)| own == kind && defined == name);
            if !found {
                self.complaints.push(Complaint::at(
                    *line,
                    format!("{kind} {name} is not defined"),
                ));
            }
        }
        for (line, kind, name) in &self.defined {
            let used = self
                .used
                .iter()
                .any(|(_, own, used)| own == kind && used == name);
            if !used && *kind != "vrf" {
                self.complaints
                    .push(Complaint::at(*line, format!("{kind} {name} is never used")));
            }
        }
    }
}

fn node(menu: &[String]) -> Option<&'static Value> {
    menu.iter().try_fold(&*TREE, |node, part| {
        let next = node.get(part)?;
        matches!(next["_type"].as_str(), Some("path" | "dir")).then_some(next)
    })
}

fn is_menu(menu: &[String], word: &str) -> bool {
    let mut deeper = menu.to_vec();
    deeper.push(word.to_owned());
    node(&deeper).is_some()
}

/// What an entry is nothing without.
fn needed(menu: &str) -> &'static [&'static str] {
    match menu {
        "interface/vlan" => &["name", "vlan-id", "interface"],
        "ip/address" | "ipv6/address" => &["address", "interface"],
        "ip/route" | "ipv6/route" => &["dst-address"],
        "routing/bgp/connection" => &["name", "remote.address", "remote.as", "local.role"],
        "routing/filter/rule" => &["chain", "rule"],
        "ip/firewall/address-list" | "ipv6/firewall/address-list" => &["list", "address"],
        _ => &[],
    }
}

fn fits(menu: &str, name: &str, described: &str, value: &str) -> bool {
    let net = || value.parse::<IpNet>().ok();
    let in_range = |low: u64, high: u64| number(value).is_some_and(|n| (low..=high).contains(&n));
    let six = menu.starts_with("ipv6");
    match (menu, name) {
        (_, "vlan-id") => in_range(1, 4094),
        (_, "mtu") => in_range(68, 65535),
        (_, "remote.as") => is_asn(value),
        ("routing/bgp/connection" | "routing/bgp/instance" | "routing/bgp/template", "as") => {
            is_asn(value)
        }
        ("ip/address" | "ipv6/address", "address") => {
            net().is_some_and(|net| net.addr().is_ipv6() == six && is_host(net))
        }
        ("ip/route" | "ipv6/route", "dst-address")
        | ("ip/firewall/address-list" | "ipv6/firewall/address-list", "address") => {
            net().is_some_and(|net| net.addr().is_ipv6() == six && net.trunc() == net)
        }
        (_, "remote.address" | "local.address" | "router-id" | "addresses") => {
            value.parse::<IpAddr>().is_ok()
                || net().is_some_and(|net| net.prefix_len() == net.max_prefix_len())
        }
        (_, "distance") => in_range(1, 255),
        (_, "multiplier") => in_range(2, 255),
        (_, "local.ttl" | "remote.ttl") => in_range(1, 255),
        (_, "local.port" | "remote.port") => in_range(1, 65535),
        (_, "local.role") => ROLES.contains(&value),
        (_, "hold-time") => time(value).is_some_and(|s| (3.0..=65535.0).contains(&s)),
        (_, "min-rx" | "min-tx") => time(value).is_some_and(|s| (0.01..=60.0).contains(&s)),
        (_, "input.limit-process-routes-ipv4" | "input.limit-process-routes-ipv6") => {
            in_range(1, 0xffff_ffff)
        }
        (
            _,
            "disabled"
            | "use-bfd"
            | "connect"
            | "listen"
            | "multihop"
            | "output.network-blackhole"
            | "blackhole"
            | "use-service-tag"
            | "forbid-bfd"
            | "advertise"
            | "multipath",
        ) => ["yes", "no"].contains(&value),
        (_, "tcp-md5-key") => value.len() <= 80,
        (_, "rule") => rule(value),
        (_, "communities") => value.split(',').all(is_community),
        (
            _,
            "interface" | "list" | "chain" | "instance" | "templates" | "routing-table" | "vrf",
        ) => is_word(value),
        _ => described_fits(described, value),
    }
}

/// What the tree itself says of a value.
fn described_fits(described: &str, value: &str) -> bool {
    if let Some((low, high)) = described
        .split_once("..")
        .and_then(|(l, h)| Some((number(l)?, number(h)?)))
    {
        return number(value).is_some_and(|n| (low..=high).contains(&n));
    }
    if described.contains("time interval") {
        return time(value).is_some();
    }
    if let Some((choices, _)) = described.split_once("[,") {
        return value
            .split(',')
            .all(|one| choices.split('|').any(|choice| choice == one));
    }
    if described.starts_with("A.B.C.D") {
        return value.parse::<std::net::Ipv4Addr>().is_ok();
    }
    true
}

/// Seconds of `90s`, `1m30s`, `300ms`.
fn time(text: &str) -> Option<f64> {
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let amount: f64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..]
            .find(|c: char| c.is_ascii_digit())
            .map_or(rest.len(), |at| digits + at);
        total += amount
            * match &rest[digits..unit] {
                "us" => 0.000_001,
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "d" => 86400.0,
                _ => return None,
            };
        rest = &rest[unit..];
    }
    (!text.is_empty()).then_some(total)
}

/// A routing filter's rule: braces in pairs, words that it knows, prefixes and
/// communities that are some.
fn rule(text: &str) -> bool {
    let words = rule_words(text);
    let mut open = Vec::new();
    for word in &words {
        match word.as_str() {
            "{" | "(" => open.push(word.as_str()),
            "}" if open.pop() != Some("{") => return false,
            ")" if open.pop() != Some("(") => return false,
            _ => {}
        }
    }
    let first = words.first().map_or("", String::as_str);
    let conditional = first == "if"
        && words.get(1).is_some_and(|word| word == "(")
        && words.iter().any(|word| word == "{");
    open.is_empty()
        && (conditional || (first != "if" && !first.is_empty()))
        && !words
            .windows(2)
            .any(|pair| pair[0] == "{" && pair[1] == "}")
        && words.iter().enumerate().all(|(at, word)| {
            let before = at.checked_sub(1).map_or("", |at| words[at].as_str());
            rule_word(before, word)
        })
}

fn rule_word(before: &str, word: &str) -> bool {
    if before == "jump" || before.ends_with("-list") {
        return is_word(word);
    }
    if word.contains('/') {
        return word.parse::<IpNet>().is_ok_and(|net| net.trunc() == net);
    }
    if word.contains("::") || (word.contains(':') && word.matches(':').count() > 1) {
        return word.parse::<IpAddr>().is_ok();
    }
    if word.contains(':') {
        return is_community(word);
    }
    if let Some((low, high)) = word
        .split_once('-')
        .filter(|(low, _)| number(low).is_some())
    {
        return matches!((number(low), number(high)), (Some(low), Some(high)) if low <= high && high <= 128);
    }
    if let Some(value) = number(word) {
        let lengths = ["dst-len", "in"].contains(&before);
        return value <= if lengths { 128 } else { 0xffff_ffff };
    }
    if word.contains('.') && word.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return word.parse::<IpAddr>().is_ok();
    }
    RULE_WORDS.contains(&word) || ["(", ")", "{", "}"].contains(&word)
}

fn rule_words(text: &str) -> Vec<String> {
    let spaced = text
        .replace(['(', ')', '{', '}', ';'], " \u{0} ")
        .chars()
        .collect::<String>();
    // The same places, with what stood there.
    let mut marks = text.chars().filter(|c| "(){};".contains(*c));
    spaced
        .split_whitespace()
        .filter_map(|word| match word {
            "\u{0}" => marks.next().filter(|c| *c != ';').map(String::from),
            word => Some(word.to_owned()),
        })
        .collect()
}

const RULE_WORDS: [&str; 43] = [
    "if",
    "else",
    "elseif",
    "accept",
    "reject",
    "return",
    "jump",
    "set",
    "append",
    "delete",
    "filter",
    "dst",
    "dst-len",
    "in",
    "protocol",
    "bgp-communities",
    "bgp-local-pref",
    "bgp-med",
    "bgp-as-path",
    "bgp-path-len",
    "bgp-path-prepend",
    "bgp-weight",
    "distance",
    "comment",
    "static",
    "connected",
    "bgp",
    "equal",
    "any",
    "includes",
    "subset",
    "empty",
    "equal-list",
    "any-list",
    "includes-list",
    "subset-list",
    "&&",
    "||",
    "==",
    "<=",
    ">=",
    "<",
    ">",
];

const ROLES: [&str; 9] = [
    "ebgp",
    "ebgp-customer",
    "ebgp-peer",
    "ebgp-provider",
    "ebgp-rs",
    "ebgp-rs-client",
    "ibgp",
    "ibgp-rr",
    "ibgp-rr-client",
];

/// Words, in which quotation marks and brackets may hold spaces.
fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quoted, mut depth) = (false, 0usize);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted => match chars.next() {
                Some(c) if "\"\\$?nrtabfv ".contains(c) => word.push(c),
                Some(c) if c.is_ascii_hexdigit() => word.push(c),
                _ => return Err("a backslash before what it can't stand before".to_owned()),
            },
            '"' => quoted = !quoted,
            '$' | '?' => return Err(format!("the console takes `{c}` for itself")),
            '[' if !quoted => {
                depth += 1;
                word.push(c);
            }
            ']' if !quoted => {
                depth = depth.checked_sub(1).ok_or("`]` without its pair")?;
                word.push(c);
            }
            ';' | '{' | '}' | '(' | ')' if !quoted && depth == 0 => {
                return Err(format!("`{c}` outside of quotation marks"));
            }
            c if c.is_whitespace() && !quoted && depth == 0 => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    if quoted || depth > 0 {
        return Err("a quotation mark or bracket without its pair".to_owned());
    }
    if !word.is_empty() {
        words.push(word);
    }
    Ok(words)
}
