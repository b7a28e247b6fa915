//! Which routes pass, and how they change. No rule matches: the route is
//! refused (RFC 8212).

use ipnet::IpNet;

use crate::wire::Community;

/// Rules in order; the first that matches decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    pub rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Any of these; empty: every prefix.
    pub prefixes: Vec<PrefixMatch>,
    /// Any of these; empty: with or without communities.
    pub communities: Vec<Community>,
    pub verdict: Verdict,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accept(Changes),
    /// With the words that `routes` and `why` show.
    Refuse(&'static str),
}

/// Prefixes inside `net` whose length is in the range. Written
/// `10.0.0.0/8` (exactly), `10.0.0.0/8 le 24`, `10.0.0.0/8 ge 16 le 24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PrefixMatch {
    pub net: IpNet,
    pub min_len: u8,
    pub max_len: u8,
}

/// What a rule does to a route that it accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub local_pref: Option<u32>,
    pub med: Option<u32>,
    pub add_communities: Vec<Community>,
    /// Our ASN this many times more.
    pub prepend: u8,
}
