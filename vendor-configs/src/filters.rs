//! What AWS may send: refused ranges first, then what passes. What no line
//! names is refused.

use bgp_core::config::VifKind;
use ipnet::IpNet;
use serde::Serialize;

/// One line of a prefix filter: `net` and what is inside it up to length `le`.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Filter {
    pub(crate) permit: bool,
    pub(crate) net: IpNet,
    pub(crate) le: u8,
}

/// The inbound filter of one family.
pub(crate) fn inbound(kind: VifKind, own: &[IpNet], ipv6: bool) -> Vec<Filter> {
    let longest = if ipv6 { 128 } else { 32 };
    let line = |permit| {
        move |net| Filter {
            permit,
            net,
            le: longest,
        }
    };
    let own = own
        .iter()
        .copied()
        .filter(|net| net.addr().is_ipv4() != ipv6);
    let (refused, passed): (&[&str], &[&str]) = match (kind, ipv6) {
        (VifKind::Private | VifKind::Transit, false) => (
            &[],
            &[
                "10.0.0.0/8",
                "172.16.0.0/12",
                "192.168.0.0/16",
                "100.64.0.0/10",
            ],
        ),
        (VifKind::Private | VifKind::Transit, true) => (&[], &["fc00::/7", "2000::/3"]),
        (VifKind::Public, false) => (BOGONS_IPV4, &["0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/3"]),
        (VifKind::Public, true) => (BOGONS_IPV6, &["2000::/3"]),
    };
    own.map(line(false))
        .chain(nets(refused).map(line(false)))
        .chain(nets(passed).map(line(true)))
        .collect()
}

fn nets(texts: &'static [&'static str]) -> impl Iterator<Item = IpNet> {
    texts.iter().map(|text| {
        text.parse()
            .expect("invariant: the tables below hold prefixes")
    })
}

/// IANA's special-purpose registry (RFC 6890), what no public route may be in.
const BOGONS_IPV4: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
];
const BOGONS_IPV6: &[&str] = &["2001:db8::/32", "2002::/16", "3fff::/20"];
