//! Texts with one mistake in them, made from those that are right: every kind
//! of mistake at places chosen by a fixed seed.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::LazyLock;

use ipnet::IpNet;
use regex::{Captures, Regex};

use crate::patterns;

/// One change to a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Edit {
    /// This line (from 0) reads so instead.
    Replace(usize, String),
    /// These lines are missing.
    Remove(Vec<usize>),
    /// Before this line stands another.
    Insert(usize, String),
}

pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// Every place of a text where it can be made.
    pub(crate) edits: fn(&[&str]) -> Vec<Edit>,
}

pub(crate) const KINDS: [Kind; 18] = [
    Kind {
        name: "keyword misspelt",
        edits: misspelt,
    },
    Kind {
        name: "address that is none",
        edits: bad_address,
    },
    Kind {
        name: "host bits set",
        edits: host_bits,
    },
    Kind {
        name: "address of the other family",
        edits: other_family,
    },
    Kind {
        name: "mask or length that is none",
        edits: bad_mask,
    },
    Kind {
        name: "VLAN 5000",
        edits: bad_vlan,
    },
    Kind {
        name: "AS number 2^32",
        edits: bad_asn,
    },
    Kind {
        name: "community 70000:1",
        edits: bad_community,
    },
    Kind {
        name: "number out of range",
        edits: bad_number,
    },
    Kind {
        name: "name that nobody defines",
        edits: undefined,
    },
    Kind {
        name: "definition missing",
        edits: definition_missing,
    },
    Kind {
        name: "block not closed",
        edits: not_closed,
    },
    Kind {
        name: "block without its head",
        edits: headless,
    },
    Kind {
        name: "block closed too often",
        edits: closed_twice,
    },
    Kind {
        name: "word missing",
        edits: word_missing,
    },
    Kind {
        name: "word too many",
        edits: word_too_many,
    },
    Kind {
        name: "line of nonsense",
        edits: nonsense,
    },
    Kind {
        name: "quotation mark without its pair",
        edits: unquoted,
    },
];

impl Edit {
    pub(crate) fn apply(&self, lines: &[&str]) -> String {
        let mut text = String::new();
        for (index, line) in lines.iter().enumerate() {
            match self {
                Self::Insert(at, new) if *at == index => text.push_str(&format!("{new}\n{line}\n")),
                Self::Replace(at, new) if *at == index => text.push_str(&format!("{new}\n")),
                Self::Remove(gone) if gone.contains(&index) => {}
                _ => text.push_str(&format!("{line}\n")),
            }
        }
        text
    }
}

/// At most `count` of them, by chance that is the same every time.
pub(crate) fn sample<T>(mut all: Vec<T>, count: usize) -> Vec<T> {
    let mut state: u64 = 0x5851_f42d_4c95_7f2d;
    for index in (1..all.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        all.swap(index, usize::try_from(state >> 33).unwrap() % (index + 1));
    }
    all.truncate(count);
    all
}

/// Lines that say something, and are no free text.
fn statements<'a>(lines: &'a [&'a str]) -> impl Iterator<Item = (usize, &'a str)> {
    let mut inside = false;
    let lines = lines.iter().enumerate().filter(move |(_, line)| {
        let content = line.trim_start();
        let comment = inside || content.starts_with(['!', '#', '*']) || content.starts_with("//");
        inside |= content.starts_with("/*");
        let comment = comment || inside;
        inside &= !content.contains("*/");
        !comment && !content.is_empty()
    });
    lines
        .map(|(index, line)| (index, *line))
        .filter(|(_, line)| !FREE_TEXT.iter().any(|word| line.contains(word)))
}

const FREE_TEXT: [&str; 7] = [
    "description",
    "comment",
    "alias",
    "remark",
    "hostname",
    "host-name",
    "descr ",
];

fn regex(text: &str) -> &'static Regex {
    patterns::pattern(text).unwrap()
}

/// The first match on each line, changed.
fn replaced(
    lines: &[&str],
    pattern: &str,
    change: impl Fn(&Captures) -> Option<String>,
) -> Vec<Edit> {
    let pattern = regex(pattern);
    let mut edits = Vec::new();
    for (index, line) in statements(lines) {
        for captures in pattern.captures_iter(line) {
            let whole = captures.get(0).unwrap();
            if let Some(new) = change(&captures) {
                let text = format!("{}{new}{}", &line[..whole.start()], &line[whole.end()..]);
                edits.push(Edit::Replace(index, text));
            }
        }
    }
    edits
}

fn misspelt(lines: &[&str]) -> Vec<Edit> {
    let mut edits = Vec::new();
    let word = regex(r"[A-Za-z][a-z][a-z-]+");
    for (index, line) in statements(lines) {
        let plain = line.find(['"', '\'']).map_or(line, |at| &line[..at]);
        let words: Vec<_> = word
            .find_iter(plain)
            .filter(|found| {
                let around =
                    |at: Option<char>| at.is_none_or(|c| c.is_whitespace() || "=;{}/".contains(c));
                let before = plain[..found.start()].chars().next_back();
                let after = plain[found.end()..].chars().next();
                let text = found.as_str().to_lowercase();
                around(before) && around(after) && !OURS.iter().any(|own| text.contains(own))
            })
            .collect();
        for found in words.iter().take(3) {
            let (head, tail) = found.as_str().split_at(found.len() - 1);
            let wrong = format!("{head}q{tail}");
            let text = format!("{}{wrong}{}", &line[..found.start()], &line[found.end()..]);
            edits.push(Edit::Replace(index, text));
        }
    }
    edits
}

/// Parts of names that the operator chose.
const OURS: [&str; 9] = [
    "dx", "prod", "edge", "hub", "aws", "dev", "example", "bogon", "ethernet",
];

const IPV4: &str = r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b";
const IPV6: &str = r"\b[0-9a-f]{1,4}(?::[0-9a-f]{0,4}){2,7}";

fn bad_address(lines: &[&str]) -> Vec<Edit> {
    let mut edits = replaced(lines, IPV4, |found| {
        let (_, rest) = found[0].split_once('.')?;
        (!found[0].starts_with("255.")).then(|| format!("300.{rest}"))
    });
    edits.extend(replaced(lines, IPV6, |found| {
        found[0]
            .parse::<IpAddr>()
            .ok()
            .map(|_| found[0].replacen(':', ":g", 1))
    }));
    edits
}

fn host_bits(lines: &[&str]) -> Vec<Edit> {
    let one_more = |net: IpNet| match net.addr() {
        IpAddr::V4(ip) => IpAddr::V4((u32::from(ip) + 1).into()),
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) + 1).into()),
    };
    let shift = |found: &Captures| {
        let net: IpNet = found[0].parse().ok()?;
        let aligned = net.trunc() == net && net.prefix_len() + 1 < net.max_prefix_len();
        aligned.then(|| format!("{}/{}", one_more(net), net.prefix_len()))
    };
    let mut edits = replaced(lines, &format!(r"{IPV4}/\d+"), shift);
    edits.extend(replaced(lines, &format!(r"{IPV6}/\d+"), shift));
    edits.extend(replaced(
        lines,
        r"(\d+\.\d+\.\d+\.)0 ((?:mask )?255\.)",
        |found| Some(format!("{}1 {}", &found[1], &found[2])),
    ));
    edits
}

fn other_family(lines: &[&str]) -> Vec<Edit> {
    let swap = |found: &Captures| {
        let net: IpNet = found[0].parse().ok()?;
        Some(
            if net.addr().is_ipv4() {
                "2001:db8:7::/48"
            } else {
                "10.77.0.0/16"
            }
            .to_owned(),
        )
    };
    let mut edits = replaced(lines, &format!(r"{IPV4}/\d+"), swap);
    edits.extend(replaced(lines, &format!(r"{IPV6}/\d+"), swap));
    edits
}

fn bad_mask(lines: &[&str]) -> Vec<Edit> {
    let mut edits = replaced(lines, r"\b255\.\d+\.\d+\.\d+", |_| {
        Some("255.0.255.0".to_owned())
    });
    edits.extend(replaced(lines, &format!(r"({IPV4})/\d+"), |found| {
        Some(format!("{}/33", &found[1]))
    }));
    edits.extend(replaced(lines, &format!(r"({IPV6})/\d+"), |found| {
        Some(format!("{}/129", &found[1]))
    }));
    edits
}

fn bad_vlan(lines: &[&str]) -> Vec<Edit> {
    let pattern = r#"(?i)\b((?:dot1q|vlan|vlan-id|vlanid|vif|tag|id)(?:[ =]["']?))(\d+)\b"#;
    replaced(lines, pattern, |found| {
        let vlan: u32 = found[2].parse().ok()?;
        (1..=4094)
            .contains(&vlan)
            .then(|| format!("{}5000", &found[1]))
    })
}

fn bad_asn(lines: &[&str]) -> Vec<Edit> {
    let pattern = r#"(?i)\b((?:remote-as|remote\.as|peer-as|router bgp|autonomous-system|system-as|local-as|local as|as|AS|set as)(?: ?= ?| )["']?)(\d{4,})\b"#;
    replaced(lines, pattern, |found| {
        Some(format!("{}4294967296", &found[1]))
    })
}

fn bad_community(lines: &[&str]) -> Vec<Edit> {
    let mut edits = Vec::new();
    // A distinguisher's or target's number may be larger.
    let kept: Vec<&str> = lines
        .iter()
        .map(|line| {
            if ["rd ", "distinguisher", "target"]
                .iter()
                .any(|word| line.contains(word))
            {
                ""
            } else {
                line
            }
        })
        .collect();
    let around = r#"(^|[ \[\("'=,{])(\d{1,5}):(\d{1,5})\b"#;
    edits.extend(replaced(&kept, around, |found| {
        Some(format!("{}70000:1", &found[1]))
    }));
    edits.extend(replaced(&kept, r"\((\d{1,5}), ?(\d{1,5})\)", |_| {
        Some("(70000, 1)".to_owned())
    }));
    edits
}

fn bad_number(lines: &[&str]) -> Vec<Edit> {
    let words = "timers|hold-time|hold time|holdtime|keepalive|keepalive-interval|multiplier|detect-multiplier|min_rx|min-rx|min-tx|interval|\
        min-receive|local-preference|local-pref|localpref|set-local-pref|bgp_local_pref|bgp-local-pref|maximum-prefix|max-prefix|max-prefixes|\
        maximum|maximum-routes|seq|rule|mtu|limit|permit|le|idle-timeout|restart|teardown|preference|distance|set-local-preference|\
        input\\.limit-process-routes-ipv4|minimum-interval|holdtime-timer|transmit-interval|receive-interval|maximum-prefix-threshold|tag";
    let pattern = format!(r#"(?i)\b((?:{words})(?: ?= ?| )["']?)(\d+)(?:ms|s)?\b(["']?)"#);
    replaced(lines, &pattern, |found| {
        Some(format!("{}99999999999{}", &found[1], &found[3]))
    })
}

fn names<'a>(line: &'a str) -> Vec<regex::Match<'a>> {
    static NAME: LazyLock<&Regex> = LazyLock::new(|| regex(r"(?i)\bdx[-_][a-z0-9][a-z0-9_-]*"));
    NAME.find_iter(line).collect()
}

fn undefined(lines: &[&str]) -> Vec<Edit> {
    let mut edits = Vec::new();
    for (index, line) in statements(lines) {
        for name in names(line) {
            let text = format!("{}x{}", &line[..name.end()], &line[name.end()..]);
            edits.push(Edit::Replace(index, text));
        }
    }
    edits
}

/// All lines that define a name, and what stands below them.
fn definition_missing(lines: &[&str]) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, line) in statements(lines) {
        let Some(name) = names(line).first().map(|name| name.end()) else {
            continue;
        };
        let (head, after) = line.split_at(name);
        let used_later = lines[index + 1..].iter().any(|other| {
            !other.starts_with(head) && names(other).iter().any(|one| head.ends_with(one.as_str()))
        });
        if !seen.insert(head.to_owned()) || !used_later || after.trim_start().starts_with("in;") {
            continue;
        }
        let mut gone = Vec::new();
        for (at, other) in lines.iter().enumerate() {
            let own = other.strip_prefix(head).is_some_and(|rest| {
                rest.chars()
                    .next()
                    .is_none_or(|c| !c.is_alphanumeric() && c != '-' && c != '_')
            });
            if own {
                gone.push(at);
                gone.extend(below(lines, at));
            }
        }
        edits.push(Edit::Remove(gone));
    }
    edits
}

/// The lines of a block below its head, the closing one too.
fn below(lines: &[&str], head: usize) -> Vec<usize> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let own = indent(lines[head]);
    let mut gone = Vec::new();
    for (at, line) in lines.iter().enumerate().skip(head + 1) {
        if line.trim().is_empty() || indent(line) > own {
            gone.push(at);
            continue;
        }
        if indent(line) == own && CLOSING.contains(&line.trim()) && !gone.is_empty() {
            gone.push(at);
        }
        break;
    }
    gone
}

const CLOSING: [&str; 12] = [
    "}",
    "};",
    "end",
    "next",
    "end-set",
    "end-policy",
    "endif",
    "exit-address-family",
    "exit",
    "exit-vrf",
    "]",
    "}]",
];

fn not_closed(lines: &[&str]) -> Vec<Edit> {
    statements(lines)
        .filter(|(_, line)| {
            let line = line.trim();
            line != "exit" && line != "exit-vrf" && CLOSING.contains(&line)
        })
        .map(|(index, _)| Edit::Remove(vec![index]))
        .collect()
}

fn headless(lines: &[&str]) -> Vec<Edit> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    statements(lines)
        .filter(|(index, line)| {
            let next = lines[index + 1..]
                .iter()
                .find(|line| !line.trim_start().starts_with(['!', '#']));
            let opens =
                next.is_some_and(|next| !next.trim().is_empty() && indent(next) > indent(line));
            opens || line.trim_start().starts_with('[') || line.trim_end().ends_with('{')
        })
        .map(|(index, _)| Edit::Remove(vec![index]))
        .collect()
}

fn closed_twice(lines: &[&str]) -> Vec<Edit> {
    statements(lines)
        .filter(|(_, line)| {
            ["}", "};", "end", "next", "end-set", "end-policy", "endif"].contains(&line.trim())
        })
        .map(|(index, line)| Edit::Insert(index, line.to_owned()))
        .collect()
}

/// A line's words and what ends it.
fn split_end(line: &str) -> (&str, &str) {
    let body = line.trim_end().trim_end_matches([';', '{', ',']).trim_end();
    line.split_at(body.len())
}

fn word_missing(lines: &[&str]) -> Vec<Edit> {
    statements(lines)
        .filter_map(|(index, line)| {
            let (body, end) = split_end(line);
            let at = body.trim_start().rfind(' ')? + (body.len() - body.trim_start().len());
            Some(Edit::Replace(index, format!("{}{end}", &body[..at])))
        })
        .collect()
}

fn word_too_many(lines: &[&str]) -> Vec<Edit> {
    statements(lines)
        .filter(|(_, line)| !line.trim().trim_end_matches([';', ',']).ends_with('}'))
        .map(|(index, line)| {
            let (body, end) = split_end(line);
            Edit::Replace(index, format!("{body} bogus{end}"))
        })
        .collect()
}

fn nonsense(lines: &[&str]) -> Vec<Edit> {
    let indent = |line: &str| line[..line.len() - line.trim_start().len()].to_owned();
    statements(lines)
        .map(|(index, line)| {
            let end = if line.trim_end().ends_with(';') {
                ";"
            } else {
                ""
            };
            Edit::Insert(index, format!("{}bogus 1 2{end}", indent(line)))
        })
        .collect()
}

fn unquoted(lines: &[&str]) -> Vec<Edit> {
    let mut edits = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let comment = line.trim_start().starts_with(['!', '#', '*', '/']);
        for quote in ['"', '\''] {
            if !comment && line.matches(quote).count() == 2 {
                let at = line.rfind(quote).unwrap();
                edits.push(Edit::Replace(
                    index,
                    format!("{}{}", &line[..at], &line[at + 1..]),
                ));
            }
        }
    }
    edits
}
