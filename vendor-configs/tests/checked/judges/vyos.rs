//! VyOS `set` lines against its interface definitions: paths, values by their
//! constraints, and names by the path that completes them.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::LazyLock;

use flate2::read::GzDecoder;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use regex::Regex;

use super::slots::{is_asn, is_community, is_host, number};
use super::xml::{self, Element};
use super::{Complaint, schema_folder};
use crate::patterns;

static SCHEMA: LazyLock<Vec<Element>> = LazyLock::new(|| {
    let folder = schema_folder("vyos");
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    files
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".xml.gz"))
        .map(|path| {
            let mut text = String::new();
            let file = std::fs::File::open(path).unwrap();
            GzDecoder::new(file).read_to_string(&mut text).unwrap();
            xml::parse(&text)
        })
        .collect()
});

pub(crate) fn judge(text: &str) -> Vec<Complaint> {
    let mut judge = Judge::default();
    for (index, line) in text.lines().enumerate() {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if let Err(what) = judge.line(content, index + 1) {
            judge
                .complaints
                .push(Complaint::at(index + 1, format!("`{content}`: {what}")));
        }
    }
    judge.names();
    judge.complaints
}

#[derive(Default)]
struct Judge {
    complaints: Vec<Complaint>,
    paths: BTreeSet<String>,
    /// Line, path of the names, name.
    used: Vec<(usize, String, String)>,
    /// Line, path of the names, name: those that something has to use.
    defined: Vec<(usize, String, String)>,
}

impl Judge {
    fn line(&mut self, content: &str, line: usize) -> Result<(), String> {
        let words = words(content)?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ["set", rest @ ..] = words.as_slice() else {
            return Err("not a `set` line".to_owned());
        };
        if !self.paths.insert(rest.join(" ")) {
            return Err("it stands twice".to_owned());
        }
        match rest {
            // The definition of VRFs is not among those kept; what they hold is.
            ["vrf", "name", name, "table", table] => {
                self.note("vrf name", name, line);
                let fits = number(table).is_some_and(|table| (100..=65535).contains(&table));
                fits.then_some(())
                    .ok_or_else(|| "a table is 100–65535".to_owned())
            }
            ["vrf", "name", _, "protocols", ..] => self.top(&rest[3..], &rest[..3], line),
            _ => self.top(rest, &[], line),
        }
    }

    fn top(&mut self, words: &[&str], above: &[&str], line: usize) -> Result<(), String> {
        let (first, rest) = words.split_first().ok_or("nothing follows")?;
        // Several definitions have the same top: the one that gets furthest answers.
        let mut errors = Vec::new();
        for definition in SCHEMA.iter() {
            for node in definition
                .children
                .iter()
                .filter(|node| node.attribute("name") == Some(first))
            {
                let mut path: Vec<String> = above.iter().map(|word| (*word).to_owned()).collect();
                path.push((*first).to_owned());
                match self.walk(node, rest, path, line) {
                    Ok(()) => return Ok(()),
                    Err(error) => errors.push(error),
                }
            }
        }
        errors.sort_by_key(|(depth, _)| *depth);
        Err(errors
            .pop()
            .map_or_else(|| format!("`{first}` is unknown"), |(_, error)| error))
    }

    /// The error comes with how deep it lies.
    fn walk(
        &mut self,
        node: &Element,
        words: &[&str],
        mut path: Vec<String>,
        line: usize,
    ) -> Result<(), (usize, String)> {
        let mut rest = words;
        if node.name == "tagNode" || (node.name == "leafNode" && !valueless(node)) {
            let (value, after) = rest
                .split_first()
                .ok_or_else(|| (path.len(), format!("`{}` lacks its value", path.join(" "))))?;
            check(node, value, &path).map_err(|error| (path.len(), error))?;
            if node.name == "tagNode" {
                self.note(&path.join(" "), value, line);
            } else {
                self.single(node, &path, line)?;
            }
            self.refer(node, value, line);
            path.push((*value).to_owned());
            rest = after;
        }
        let Some((first, rest)) = rest.split_first() else {
            let whole = node.name != "node" || node.child("children").is_none();
            return whole
                .then_some(())
                .ok_or_else(|| (path.len(), "nothing follows".to_owned()));
        };
        let children = node
            .child("children")
            .map_or(&[][..], |element| &element.children);
        let child = children
            .iter()
            .find(|child| child.attribute("name") == Some(first))
            .ok_or_else(|| {
                (
                    path.len(),
                    format!("`{first}` is unknown below `{}`", path.join(" ")),
                )
            })?;
        path.push((*first).to_owned());
        self.walk(child, rest, path, line)
    }

    /// A leaf has one value unless it says otherwise.
    fn single(
        &mut self,
        node: &Element,
        path: &[String],
        _line: usize,
    ) -> Result<(), (usize, String)> {
        let multi = node
            .child("properties")
            .is_some_and(|p| p.child("multi").is_some());
        let path_text = format!("= {}", path.join(" "));
        if multi || self.paths.insert(path_text) {
            return Ok(());
        }
        Err((path.len(), "it has a value already".to_owned()))
    }

    fn note(&mut self, path: &str, name: &str, line: usize) {
        self.defined.push((line, path.to_owned(), name.to_owned()));
    }

    /// What completes the value says where its name is defined.
    fn refer(&mut self, node: &Element, value: &str, line: usize) {
        let Some(help) = node
            .child("properties")
            .and_then(|p| p.child("completionHelp"))
        else {
            return;
        };
        for path in help.all("path") {
            let path = path.text.trim();
            let kept = [
                "policy ",
                "protocols bgp peer-group",
                "protocols bfd profile",
                "vrf name",
            ];
            if kept.iter().any(|kept| path.starts_with(kept)) && help.children.len() == 1 {
                self.used.push((line, path.to_owned(), value.to_owned()));
            }
        }
    }

    fn names(&mut self) {
        for (line, path, name) in &self.used {
            let found = self
                .defined
                .iter()
                .any(|(_, place, own)| place == path && own == name);
            if !found {
                let what = format!("{path} {name} is not defined");
                self.complaints.push(Complaint::at(*line, what));
            }
        }
        let mut told = BTreeSet::new();
        for (line, path, name) in &self.defined {
            let named = path.starts_with("policy ") && path.split(' ').count() == 2
                || path == "protocols bfd profile"
                || path == "protocols bgp peer-group";
            let used = self
                .used
                .iter()
                .any(|(_, place, own)| place == path && own == name);
            if named && !used && told.insert((path, name)) {
                let what = format!("{path} {name} is defined and never used");
                self.complaints.push(Complaint::at(*line, what));
            }
        }
        self.peers();
        self.rules();
    }

    /// A neighbor has an AS and a family, or it never comes up.
    fn peers(&mut self) {
        let mut told = BTreeSet::new();
        for (line, path, name) in &self.defined {
            if !path.ends_with("protocols bgp neighbor") || !told.insert((path, name)) {
                continue;
            }
            for lacking in ["remote-as", "address-family", "peer-group"] {
                let has = |word: &str| {
                    self.paths
                        .iter()
                        .any(|own| own.starts_with(&format!("{path} {name} {word}")))
                };
                if !has(lacking) && !has("peer-group") && lacking != "peer-group" {
                    let what = format!("neighbor {name} has no {lacking}");
                    self.complaints.push(Complaint::at(*line, what));
                }
            }
            let system = format!("{} system-as", path.trim_end_matches(" neighbor"));
            if !self.paths.iter().any(|own| own.starts_with(&system)) {
                self.complaints.push(Complaint::at(*line, "no `system-as`"));
            }
        }
    }

    /// A rule of a list or a map says what it does with what matches.
    fn rules(&mut self) {
        let mut told = BTreeSet::new();
        for (line, path, rule) in &self.defined {
            if !path.starts_with("policy ")
                || !path.ends_with(" rule")
                || !told.insert((path, rule))
            {
                continue;
            }
            let has = |word: &str| {
                self.paths
                    .iter()
                    .any(|own| own.starts_with(&format!("{path} {rule} {word}")))
            };
            if !has("action") {
                self.complaints
                    .push(Complaint::at(*line, format!("{path} {rule} has no action")));
            }
            let list = ["policy prefix-list", "policy community-list"];
            if list.iter().any(|list| path.starts_with(list)) && !has("prefix") && !has("regex") {
                self.complaints.push(Complaint::at(
                    *line,
                    format!("{path} {rule} matches nothing"),
                ));
            }
        }
    }
}

fn regex(pattern: &str) -> &'static Regex {
    patterns::whole(pattern).expect("a pattern of the schema")
}

fn valueless(node: &Element) -> bool {
    node.child("properties")
        .is_some_and(|p| p.child("valueless").is_some())
}

fn check(node: &Element, value: &str, path: &[String]) -> Result<(), String> {
    let refused = || format!("`{value}` is no {}", path.last().map_or("", |word| word));
    if value.is_empty() || value.chars().any(char::is_control) {
        return Err(refused());
    }
    if let Some(constraint) = node.child("properties").and_then(|p| p.child("constraint")) {
        let any = constraint
            .children
            .iter()
            .any(|one| match one.name.as_str() {
                "regex" => regex(one.text.trim()).is_match(value),
                "validator" => validator(
                    one.attribute("name").unwrap_or(""),
                    one.attribute("argument").unwrap_or(""),
                    value,
                ),
                _ => true,
            });
        if !any {
            return Err(refused());
        }
    }
    let fits = match path.last().map_or("", String::as_str) {
        "vif" => number(value).is_some_and(|n| (1..=4094).contains(&n)),
        "remote-as" => is_asn(value) || ["external", "internal", "auto"].contains(&value),
        "system-as" => is_asn(value),
        "neighbor" if path.iter().any(|word| word == "bgp") => {
            value.parse::<std::net::IpAddr>().is_ok()
        }
        "add" | "replace" if path.iter().any(|word| word == "community") => is_community(value),
        _ => true,
    };
    fits.then_some(()).ok_or_else(refused)
}

fn validator(name: &str, argument: &str, value: &str) -> bool {
    let net = |net: IpNet| net.trunc() == net;
    match name {
        "numeric" => numeric(argument, value),
        "ip-address" => value.parse::<std::net::IpAddr>().is_ok(),
        "ipv4-address" => value.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6-address" => value.parse::<std::net::Ipv6Addr>().is_ok(),
        "ip-host" => value.parse::<IpNet>().is_ok_and(is_host),
        "ipv4-prefix" => value.parse::<Ipv4Net>().is_ok_and(|own| net(own.into())),
        "ipv6-prefix" => value.parse::<Ipv6Net>().is_ok_and(|own| net(own.into())),
        "bgp-regular-community" => is_community(value),
        "as-number-list" => value.split_whitespace().all(is_asn),
        "vrf-name" => super::slots::is_word(value) && value.len() <= 15,
        _ => true,
    }
}

fn numeric(argument: &str, value: &str) -> bool {
    let Some(value) = number(value) else {
        return false;
    };
    let words: Vec<&str> = argument.split_whitespace().collect();
    let ranges: Vec<&str> = words
        .windows(2)
        .filter(|pair| pair[0] == "--range")
        .map(|pair| pair[1])
        .collect();
    ranges.is_empty()
        || ranges.iter().any(|range| {
            let bounds = range
                .split_once('-')
                .and_then(|(low, high)| Some((number(low)?, number(high)?)));
            bounds.is_some_and(|(low, high)| (low..=high).contains(&value))
        })
}

/// Words as VyOS's shell splits them.
fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('"'), '\\') => word.get_or_insert_default().extend(chars.next()),
            (Some('"'), '$' | '`')
            | (None, '$' | '`' | ';' | '|' | '&' | '<' | '>' | '(' | ')') => {
                return Err(format!("the shell takes `{c}` for itself"));
            }
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err("a quotation mark without its pair".to_owned());
    }
    words.extend(word);
    Ok(words)
}
