//! Values that a command takes, with what can be said of each on its own, and
//! the names that a text defines and uses.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::Complaint;

/// A typed place in a shape.
#[derive(Clone, Debug)]
pub(crate) enum Slot {
    /// `{1-255}`: a decimal number.
    Number(RangeInclusive<u64>),
    /// `{vlan}`
    Vlan,
    /// `{asn}`: 1–4294967295 without the reserved ones, plain or as `1.10`.
    Asn,
    /// `{community}`: `ASN:NUMBER`, each 16 bits, or a well-known name.
    Community,
    /// `{communities}`: `(ASN:NUMBER,ASN:NUMBER)`.
    Communities,
    /// `{communitylist}`: several with spaces, in quotation marks.
    CommunityList,
    /// `{communityregex}`: one or several, perhaps with anchors, dots and bars.
    CommunityRegex,
    Ipv4,
    Ipv6,
    Ip,
    /// `{net4}`, `{net6}`: a prefix without host bits.
    Net4,
    Net6,
    /// `{host4}`, `{host6}`: an address of an interface, with its length.
    Host4,
    Host6,
    /// `{mask}`: of the interface address before it.
    HostMask,
    /// `{netmask}`: of the network address before it.
    NetMask,
    /// `{le}`: no shorter than the prefix before it.
    Length,
    /// `{word}`: one, of plain characters.
    Word,
    /// `{key}`: one word of visible characters.
    Key,
    /// `{text}`: one word, which quotation marks may have joined.
    Text,
    /// `{rest}`: all that follows.
    Rest,
    /// `{ifname}`: letters, then numbers with / . : between.
    Interface,
    /// `{subif}`: the same, with a unit whose number is a VLAN's or larger.
    Subinterface,
    /// `{or}`: the shell's `||`.
    Or,
    /// `{sysctl}`: a setting of the kernel's IP, and its value.
    Sysctl,
    /// `{def KIND}` and `{use KIND}`.
    Define(String),
    Use(String),
}

impl Slot {
    pub(crate) fn named(name: &str) -> Self {
        if let Some(kind) = name.strip_prefix("def ") {
            return Self::Define(kind.to_owned());
        }
        if let Some(kind) = name.strip_prefix("use ") {
            return Self::Use(kind.to_owned());
        }
        if let Some((low, high)) = name.split_once('-') {
            let number = |text: &str| {
                text.parse::<u64>()
                    .unwrap_or_else(|_| panic!("grammar: {{{name}}}"))
            };
            return Self::Number(number(low)..=number(high));
        }
        match name {
            "vlan" => Self::Vlan,
            "asn" => Self::Asn,
            "community" => Self::Community,
            "communitylist" => Self::CommunityList,
            "communityregex" => Self::CommunityRegex,
            "communities" => Self::Communities,
            "ip4" => Self::Ipv4,
            "ip6" => Self::Ipv6,
            "ip" => Self::Ip,
            "net4" => Self::Net4,
            "net6" => Self::Net6,
            "host4" => Self::Host4,
            "host6" => Self::Host6,
            "mask" => Self::HostMask,
            "netmask" => Self::NetMask,
            "le" => Self::Length,
            "word" => Self::Word,
            "key" => Self::Key,
            "text" => Self::Text,
            "rest" => Self::Rest,
            "ifname" => Self::Interface,
            "subif" => Self::Subinterface,
            "or" => Self::Or,
            "sysctl" => Self::Sysctl,
            _ => panic!("grammar: no slot {{{name}}}"),
        }
    }

    /// Whether the word fits; what it says is noted.
    pub(crate) fn takes(&self, word: &str, line: usize, facts: &mut Facts) -> bool {
        let before = facts
            .notes
            .iter()
            .rev()
            .take_while(|note| note.line == line);
        let before = before.map(|note| &note.what).collect::<Vec<_>>();
        let what = match self {
            Self::Number(range) => fits(number(word).is_some_and(|n| range.contains(&n))),
            Self::Vlan => fits(number(word).is_some_and(|n| (1..=4094).contains(&n))),
            Self::Asn => fits(is_asn(word)),
            Self::Community => fits(is_community(word)),
            Self::Communities => fits(
                word.strip_prefix('(')
                    .and_then(|word| word.strip_suffix(')'))
                    .is_some_and(|words| words.split(',').all(is_community)),
            ),
            Self::CommunityList => fits(!word.is_empty() && word.split(' ').all(is_community)),
            Self::CommunityRegex => {
                let plain = word.trim_start_matches('^').trim_end_matches('$');
                fits(
                    !plain.is_empty()
                        && plain
                            .split([' ', '|'])
                            .all(|one| one == ".*" || is_community(one)),
                )
            }
            Self::Ipv4 => word.parse().ok().map(|ip| What::Address(IpAddr::V4(ip))),
            Self::Ipv6 => word.parse().ok().map(|ip| What::Address(IpAddr::V6(ip))),
            Self::Ip => word.parse().ok().map(What::Address),
            Self::Net4 => word
                .parse::<Ipv4Net>()
                .ok()
                .and_then(|net| network(net.into())),
            Self::Net6 => word
                .parse::<Ipv6Net>()
                .ok()
                .and_then(|net| network(net.into())),
            Self::Host4 => fits(word.parse::<Ipv4Net>().is_ok_and(|net| is_host(net.into()))),
            Self::Host6 => fits(word.parse::<Ipv6Net>().is_ok_and(|net| is_host(net.into()))),
            Self::HostMask => masked(word, &before).and_then(|net| fits(is_host(net))),
            Self::NetMask => masked(word, &before).and_then(network),
            Self::Length => before
                .iter()
                .find_map(|what| match what {
                    What::Net(net) => Some(net),
                    _ => None,
                })
                .and_then(|net| {
                    fits(number(word).is_some_and(|n| {
                        n > u64::from(net.prefix_len()) && n <= u64::from(net.max_prefix_len())
                    }))
                }),
            Self::Word => fits(is_word(word)),
            Self::Key => fits(!word.is_empty() && word.bytes().all(|b| b.is_ascii_graphic())),
            Self::Text | Self::Rest => fits(word != "\""),
            Self::Interface => fits(is_interface(word)),
            Self::Subinterface => fits(word.rsplit_once('.').is_some_and(|(parent, unit)| {
                is_interface(parent)
                    && number(unit).is_some_and(|n| (1..=4_294_967_295).contains(&n))
            })),
            Self::Or => fits(word == "||"),
            Self::Sysctl => fits(is_sysctl(word)),
            Self::Define(kind) => {
                named(word, kind).then(|| What::Defined(kind.clone(), word.to_owned()))
            }
            Self::Use(kind) => named(word, kind).then(|| What::Used(kind.clone(), word.to_owned())),
        };
        let fits = what.is_some();
        facts.notes.extend(what.map(|what| Note { line, what }));
        fits
    }
}

/// What the words of a text say, in their order.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    notes: Vec<Note>,
}

#[derive(Debug)]
struct Note {
    line: usize,
    what: What,
}

#[derive(Debug)]
enum What {
    Nothing,
    Address(IpAddr),
    Net(IpNet),
    Defined(String, String),
    Used(String, String),
}

impl Facts {
    pub(crate) fn mark(&self) -> usize {
        self.notes.len()
    }

    pub(crate) fn back_to(&mut self, mark: usize) {
        self.notes.truncate(mark);
    }

    pub(crate) fn define(&mut self, line: usize, kind: &str, name: &str) {
        let what = What::Defined(kind.to_owned(), name.to_owned());
        self.notes.push(Note { line, what });
    }

    pub(crate) fn used(&mut self, line: usize, kind: &str, name: &str) {
        let what = What::Used(kind.to_owned(), name.to_owned());
        self.notes.push(Note { line, what });
    }

    /// Names used and not defined, or the other way round. A peer has to be
    /// defined above its uses.
    pub(crate) fn complaints(&self) -> Vec<Complaint> {
        let mut defined = BTreeSet::new();
        let mut used = BTreeSet::new();
        let mut complaints = Vec::new();
        for note in &self.notes {
            match &note.what {
                What::Defined(kind, name) => {
                    defined.insert((kind, name));
                }
                What::Used(kind, name) => {
                    used.insert((kind, name));
                    if kind == "peer" && !defined.contains(&(kind, name)) {
                        complaints.push(Complaint::at(
                            note.line,
                            format!("{kind} {name} is used before it is defined"),
                        ));
                    }
                }
                _ => {}
            }
        }
        for note in &self.notes {
            match &note.what {
                What::Defined(kind, name) if !used.contains(&(kind, name)) => {
                    complaints.push(Complaint::at(
                        note.line,
                        format!("{kind} {name} is defined and never used"),
                    ));
                }
                What::Used(kind, name) if kind != "peer" && !defined.contains(&(kind, name)) => {
                    complaints.push(Complaint::at(
                        note.line,
                        format!("{kind} {name} is not defined"),
                    ));
                }
                _ => {}
            }
        }
        complaints
    }
}

fn fits(fits: bool) -> Option<What> {
    fits.then_some(What::Nothing)
}

fn network(net: IpNet) -> Option<What> {
    (net.trunc() == net).then_some(What::Net(net))
}

/// The address before, with this mask.
fn masked(mask: &str, before: &[&What]) -> Option<IpNet> {
    let mask: Ipv4Addr = mask.parse().ok()?;
    before.iter().find_map(|what| match what {
        What::Address(IpAddr::V4(ip)) => Ipv4Net::with_netmask(*ip, mask).ok().map(IpNet::V4),
        _ => None,
    })
}

/// No network's own address, nor its broadcast's.
pub(crate) fn is_host(net: IpNet) -> bool {
    let point_to_point = net.prefix_len() + 1 >= net.max_prefix_len();
    let ends =
        net.addr() == net.network() || (net.addr().is_ipv4() && net.addr() == net.broadcast());
    let usable =
        !net.addr().is_unspecified() && !net.addr().is_multicast() && !net.addr().is_loopback();
    usable && net.prefix_len() > 0 && (point_to_point || !ends)
}

pub(crate) fn number(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

pub(crate) fn is_asn(text: &str) -> bool {
    let asn = match text.split_once('.') {
        Some((high, low)) => match (number(high), number(low)) {
            (Some(high), Some(low)) if high <= 0xffff && low <= 0xffff => Some(high << 16 | low),
            _ => None,
        },
        None => number(text),
    };
    // RFC 7607, RFC 7300, RFC 4893: 0, the last ones and AS_TRANS are nobody's.
    asn.is_some_and(|asn| (1..0xffff_ffff).contains(&asn) && asn != 0xffff && asn != 23456)
}

pub(crate) fn is_community(text: &str) -> bool {
    if WELL_KNOWN.contains(&text.to_ascii_lowercase().as_str()) {
        return true;
    }
    text.split_once(':').is_some_and(|(asn, value)| {
        [asn, value]
            .iter()
            .all(|part| number(part).is_some_and(|part| part <= 0xffff))
    })
}

const WELL_KNOWN: [&str; 7] = [
    "no-export",
    "no-advertise",
    "local-as",
    "local-AS",
    "internet",
    "gshut",
    "graceful-shutdown",
];

pub(crate) fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.:/+".contains(c))
}

pub(crate) fn is_interface(text: &str) -> bool {
    let letters = text.trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == '-');
    letters.len() < text.len()
        && letters.starts_with(|c: char| c.is_ascii_digit())
        && letters.ends_with(|c: char| c.is_ascii_digit())
        && letters
            .chars()
            .all(|c| c.is_ascii_digit() || "/.:-".contains(c))
}

/// In either of sysctl's spellings: a name with dots in it needs slashes.
fn is_sysctl(word: &str) -> bool {
    let Some((name, value)) = word.split_once('=') else {
        return false;
    };
    let separator = if name.contains('/') { '/' } else { '.' };
    let parts: Vec<&str> = name.split(separator).collect();
    let known = match parts.as_slice() {
        ["net", "ipv4", "ip_forward"] => true,
        ["net", "ipv4" | "ipv6", "conf", interface, setting] => {
            let settings = [
                "send_redirects",
                "accept_redirects",
                "rp_filter",
                "accept_ra",
                "forwarding",
                "ignore_routes_with_linkdown",
            ];
            let interface = ["all", "default"].contains(interface) || is_interface(interface);
            interface && settings.contains(setting)
        }
        _ => false,
    };
    known && ["0", "1", "2"].contains(&value)
}

/// A peer is named by its address, what else has a name by a word.
fn named(word: &str, kind: &str) -> bool {
    match kind {
        "peer" => word.parse::<IpAddr>().is_ok(),
        "unit" => word.contains('.') && is_interface(word),
        "subinterface" => word.contains('.') && is_interface(word),
        _ => is_word(word) && word.len() <= 255,
    }
}
