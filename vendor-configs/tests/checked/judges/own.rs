//! Command shapes of our own, for platforms that publish no grammar and whose
//! software doesn't run here.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use vendor_configs::indented::{self, Node};

use super::Complaint;
use super::grammar::{Grammar, Quotes};

macro_rules! grammar {
    ($name:ident, $file:literal, $quotes:ident) => {
        static $name: LazyLock<Grammar> = LazyLock::new(|| {
            Grammar::read(
                include_str!(concat!("grammars/", $file, ".txt")),
                Quotes::$quotes,
            )
        });
    };
}

grammar!(CISCO_IOS, "cisco_ios", Plain);
grammar!(CISCO_IOS_XR, "cisco_ios_xr", Plain);
grammar!(CISCO_NXOS, "cisco_nxos", Plain);
grammar!(ARISTA_EOS, "arista_eos", Plain);
grammar!(FRR, "frr", Plain);
grammar!(FORTIOS, "fortinet_fortios", Join);
grammar!(PANOS, "paloalto_panos", Join);
grammar!(LINUX, "linux", Join);

pub(crate) fn cisco_ios(text: &str) -> Vec<Complaint> {
    by_indentation(&CISCO_IOS, text)
}

/// A list of communities in parentheses is one word to the shapes, and other
/// parentheses are words of their own.
pub(crate) fn cisco_ios_xr(text: &str) -> Vec<Complaint> {
    static LIST: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\((?:\d|no-|internet|local)[^()]*\)").expect("a pattern"));
    let lists = LIST.replace_all(text, |found: &Captures| {
        found[0]
            .replace(' ', "")
            .replace('(', "\u{1}")
            .replace(')', "\u{2}")
    });
    let mut lines = String::new();
    for line in lists.lines() {
        let free = ["description", "password"];
        let free = free.iter().any(|word| line.trim_start().starts_with(word));
        let line = match free {
            true => line.to_owned(),
            false => line.replace('(', "group ").replace(')', " endgroup"),
        };
        lines.push_str(&line.replace('\u{1}', "(").replace('\u{2}', ")"));
        lines.push('\n');
    }
    by_indentation(&CISCO_IOS_XR, &lines)
}

pub(crate) fn cisco_nxos(text: &str) -> Vec<Complaint> {
    by_indentation(&CISCO_NXOS, text)
}

pub(crate) fn arista_eos(text: &str) -> Vec<Complaint> {
    by_indentation(&ARISTA_EOS, text)
}

/// Names that FRR's own checkers let pass undefined.
pub(crate) fn frr(text: &str) -> Vec<Complaint> {
    by_indentation(&FRR, text)
}

/// Commands, or units: a section's lines stand below it.
pub(crate) fn linux(text: &str) -> Vec<Complaint> {
    let mut lines = String::new();
    let mut inside = false;
    for line in text.lines() {
        let content = line.trim();
        if let Some(section) = content
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            inside = true;
            lines.push_str(&format!("section {section}\n"));
            continue;
        }
        // A file's name in a comment ends the section before it.
        inside &= !content.starts_with('#');
        match content.split_once('=') {
            Some((key, value)) if inside => lines.push_str(&format!(" {key} = {value}\n")),
            _ => lines.push_str(&format!("{content}\n")),
        }
    }
    by_indentation(&LINUX, &lines)
}

pub(crate) fn panos(text: &str) -> Vec<Complaint> {
    let lines: String = text
        .lines()
        .map(|line| format!("{}\n", line.trim()))
        .collect();
    let mut complaints = by_indentation(&PANOS, &lines);
    complaints.extend(companions(&lines));
    complaints
}

/// What an item of a flat text is nothing without.
fn companions(text: &str) -> Vec<Complaint> {
    static ITEMS: LazyLock<[(Regex, &[&str]); 4]> = LazyLock::new(|| {
        let item = |text: &str| Regex::new(text).expect("a pattern");
        [
            (
                item(r"^.* peer-group \S+ peer \S+ "),
                &[
                    "peer-as ",
                    "peer-address ip ",
                    "local-address ip ",
                    "enable yes",
                ],
            ),
            (
                item(r"^.* policy (?:import|export) rules \S+ "),
                &["enable yes", "used-by ", "action "],
            ),
            (item(r"^.* layer3 units \S+ "), &["tag ", "ip"]),
            (
                item(r"^.* static-route \S+ "),
                &["destination ", "nexthop "],
            ),
        ]
    });
    let mut told = BTreeSet::new();
    let mut complaints = Vec::new();
    for (index, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.starts_with("set "))
    {
        for (item, needed) in ITEMS.iter() {
            let Some(head) = item.find(line).map(|found| found.as_str()) else {
                continue;
            };
            let has = |need: &str| {
                text.lines().any(|own| {
                    own.strip_prefix(head)
                        .is_some_and(|rest| rest.starts_with(need))
                })
            };
            for need in needed.iter().filter(|need| !has(need)) {
                if told.insert((head, *need)) {
                    complaints.push(Complaint::at(index + 1, format!("`{head}` lacks `{need}`")));
                }
            }
        }
    }
    complaints
}

fn by_indentation(grammar: &Grammar, text: &str) -> Vec<Complaint> {
    let mut complaints = unprintable(text);
    complaints.extend(grammar.judge(&indented::parse(text)));
    complaints
}

/// `config`, `edit`, `set`, `next`, `end`: blocks by their words.
pub(crate) fn fortios(text: &str) -> Vec<Complaint> {
    let mut complaints = unprintable(text);
    let mut open: Vec<Node> = vec![node(0, "")];
    for (index, line) in text.lines().enumerate() {
        let content = line.trim();
        let number = index + 1;
        let first = content.split_whitespace().next().unwrap_or("#");
        let inside = open.last().map_or("", |node| node.text.as_str());
        match first {
            first if first.starts_with('#') => {}
            "edit" if !inside.starts_with("config") => {
                complaints.push(Complaint::at(number, "`edit` stands in a `config`"));
            }
            "config" | "edit" => open.push(node(number, content)),
            "next" | "end" => {
                let wanted = if first == "next" { "edit" } else { "config" };
                if content != first || !inside.starts_with(wanted) {
                    complaints.push(Complaint::at(
                        number,
                        format!("`{content}` ends no `{wanted}`"),
                    ));
                } else if let Some(done) = open.pop() {
                    open.last_mut()
                        .expect("invariant: the top stays")
                        .children
                        .push(done);
                }
            }
            _ => open
                .last_mut()
                .expect("invariant: the top stays")
                .children
                .push(node(number, content)),
        }
    }
    if open.len() > 1 {
        complaints.push(Complaint::at(
            open[1].line,
            format!("`{}` is not ended", open[1].text),
        ));
    }
    while open.len() > 1 {
        let done = open.pop().expect("invariant: more than one");
        open.last_mut()
            .expect("invariant: the top stays")
            .children
            .push(done);
    }
    complaints.extend(FORTIOS.judge(&open[0].children));
    complaints
}

fn node(line: usize, text: &str) -> Node {
    Node {
        line,
        text: text.to_owned(),
        children: Vec::new(),
    }
}

/// Consoles take control characters for editing, and few of them all of Unicode.
fn unprintable(text: &str) -> Vec<Complaint> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| line.chars().any(|c| c.is_control() || !c.is_ascii()))
        .map(|(index, _)| Complaint::at(index + 1, "a character that the console does not take"))
        .collect()
}
