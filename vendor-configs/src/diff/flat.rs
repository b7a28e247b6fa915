//! Texts as entries, by the way that a platform nests them.

use crate::Platform;
use crate::indented::{self, Node};
use crate::junos::{self, SyntaxError};

/// One statement with the blocks around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) line: usize,
    pub(super) place: Vec<String>,
    pub(super) words: Vec<String>,
    /// What counts its entries' order: entries of one list say the same.
    pub(super) list: Option<String>,
}

pub(super) fn entries(platform: Platform, text: &str) -> Result<Vec<Entry>, SyntaxError> {
    Ok(match platform.name() {
        "juniper_junos" | "juniper_srx" => junos(text)?,
        "vyos" | "paloalto_panos" => set_lines(text),
        "mikrotik_routeros" => routeros(text),
        "fortinet_fortios" => fortios(text),
        "gobgp" | "linux" => sections(text),
        "bird" | "openbgpd" => braces(text),
        _ => indentation(text),
    })
}

fn indentation(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    walk(&indented::parse(text), &mut Vec::new(), &mut entries);
    entries
}

/// The lines that only close a block.
const CLOSING: [&str; 8] = [
    "exit",
    "exit-address-family",
    "exit-vrf",
    "end",
    "end-policy",
    "end-set",
    "endif",
    "quit",
];

fn walk(nodes: &[Node], place: &mut Vec<String>, entries: &mut Vec<Entry>) {
    for node in nodes {
        if CLOSING.contains(&node.text.as_str()) {
            continue;
        }
        let (list, words) = unnumbered(&node.text, place);
        entries.push(Entry {
            line: node.line,
            place: place.clone(),
            words,
            list,
        });
        place.push(squeezed(&node.text));
        walk(&node.children, place, entries);
        place.pop();
    }
}

/// The numbers of a list's lines only say their order; so do an XR set's commas.
fn unnumbered(text: &str, place: &[String]) -> (Option<String>, Vec<String>) {
    let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    let inside = |start: &str| place.last().is_some_and(|last| last.starts_with(start));
    if inside("prefix-set") || inside("route-policy") || inside("if ") || inside("community-set") {
        let last = words.len() - 1;
        words[last] = words[last].trim_end_matches(',').to_owned();
        return (Some(place.join(" / ")), words);
    }
    let Some(seq) = words.iter().position(|word| word == "seq") else {
        return (None, words);
    };
    words.drain(seq..(seq + 2).min(words.len()));
    let list = format!("{} / {}", place.join(" / "), words[..seq].join(" "));
    (Some(list), words)
}

fn junos(text: &str) -> Result<Vec<Entry>, SyntaxError> {
    let statements = junos::parse(text)?.into_iter();
    let entries = statements.map(|statement| {
        let term = statement.words.iter().position(|word| word == "term");
        let ordered = statement.after(&["policy-options", "policy-statement"]);
        Entry {
            line: statement.line,
            list: term
                .filter(|_| ordered.is_some())
                .map(|at| statement.words[..at].join(" ")),
            place: Vec::new(),
            words: statement.words,
        }
    });
    Ok(entries.collect())
}

fn set_lines(text: &str) -> Vec<Entry> {
    meaningful(text)
        .map(|(line, content)| Entry {
            line,
            place: Vec::new(),
            words: words(content),
            list: None,
        })
        .collect()
}

/// A property each, in the place of its menu and of what names the item.
fn routeros(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut menu = String::new();
    let joined = text.replace("\\\r\n", "").replace("\\\n", " ");
    for (line, content) in meaningful(&joined) {
        let all = words(content);
        let commands = ["add", "set", "remove"];
        let at = all
            .iter()
            .position(|word| commands.contains(&word.as_str()));
        let path = &all[..at.unwrap_or(all.len())];
        if path.first().is_some_and(|word| word.starts_with('/')) {
            menu = path.join(" ").replace(['/', ' '], " ").trim().to_owned();
        }
        let Some(at) = at else {
            continue;
        };
        let properties = &all[at + 1..];
        let value = |name: &str| {
            let start = format!("{name}=");
            properties.iter().find_map(|word| word.strip_prefix(&start))
        };
        let ordered = value("rule").or_else(|| value("range"));
        if let (Some(rule), Some(chain)) = (ordered, value("chain").or_else(|| value("list"))) {
            let place = format!("/{menu} {chain}");
            entries.push(Entry {
                line,
                list: Some(place.clone()),
                place: vec![place],
                words: words(rule),
            });
            continue;
        }
        let named: Vec<&str> = ["name", "list", "address", "dst-address"]
            .iter()
            .filter_map(|name| value(name))
            .take(2)
            .collect();
        let place = format!("/{menu} {} {}", all[at], named.join(" "));
        for property in properties {
            entries.push(Entry {
                line,
                place: vec![place.clone()],
                words: property.splitn(2, '=').map(str::to_owned).collect(),
                list: None,
            });
        }
    }
    entries
}

fn fortios(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut place: Vec<String> = Vec::new();
    for (line, content) in meaningful(text) {
        let all = words(content);
        match all.first().map(String::as_str) {
            Some("config" | "edit") => {
                let list = (all[0] == "edit").then(|| place.join(" / "));
                entries.push(Entry {
                    line,
                    place: place.clone(),
                    words: all.clone(),
                    list: list.filter(|list| list.ends_with("config rule")),
                });
                place.push(all.join(" "));
            }
            Some("next" | "end") => drop(place.pop()),
            _ => entries.push(Entry {
                line,
                place: place.clone(),
                words: all,
                list: None,
            }),
        }
    }
    entries
}

/// `[section]` and `key = value`. A table that stands in a list is named by its
/// first values that are names.
fn sections(text: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut place: Vec<String> = Vec::new();
    let mut item = String::new();
    for (line, content) in meaningful(text) {
        if content.starts_with('[') {
            let name = content.trim_matches(['[', ']']);
            if content.starts_with("[[") && !name.contains('.') {
                item.clear();
            }
            place = vec![item.clone(), name.to_owned()];
            place.retain(|part| !part.is_empty());
            continue;
        }
        let Some((key, value)) = content.split_once('=').filter(|_| !place.is_empty()) else {
            entries.push(Entry {
                line,
                place: place.clone(),
                words: words(content),
                list: None,
            });
            continue;
        };
        let (key, value) = (key.trim(), squeezed(&value.replace('"', "")));
        if [
            "name",
            "neighbor-address",
            "prefix-set-name",
            "neighbor-set-name",
            "Name",
        ]
        .contains(&key)
        {
            item = value.clone();
            let last = place.pop().unwrap_or_default();
            place = vec![item.clone(), last];
        }
        entries.push(Entry {
            line,
            place: place.clone(),
            words: vec![key.to_owned(), value],
            list: None,
        });
    }
    entries
}

/// Blocks between lines that end with `{` and those that begin with `}`. What
/// stands in a filter, and OpenBGPD's rules, have an order.
fn braces(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut place: Vec<String> = Vec::new();
    for (line, content) in meaningful(text) {
        let closes = content.starts_with('}');
        if closes {
            place.pop();
        }
        let content = content.trim_start_matches(['}', ';']).trim();
        let opens = content.ends_with('{');
        let content = content.trim_end_matches(['{', ';', ',']).trim();
        if content.is_empty() {
            if opens {
                place.push(String::new());
            }
            continue;
        }
        let rule = ["allow", "deny", "match"]
            .iter()
            .any(|word| content.starts_with(word));
        let filter = place
            .first()
            .is_some_and(|top| top.starts_with("filter") || top.starts_with("function"));
        entries.push(Entry {
            line,
            place: place.clone(),
            words: words(content),
            list: (rule || filter).then(|| place.join(" / ")),
        });
        if opens {
            place.push(squeezed(content));
        }
    }
    entries
}

/// Lines that are neither empty nor comments.
fn meaningful(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate();
    lines
        .map(|(index, line)| (index + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with(['#', '!']))
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Words; quotation marks join and go away.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('"'), '\\') => word.get_or_insert_default().extend(chars.next()),
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}
