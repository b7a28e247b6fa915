//! Which routes pass, and how they change. No rule matches: the route is
//! refused (RFC 8212).
//!
//! [`Policy`] is what the configuration says. [`Compiled`] is the same, made
//! fast: [`Compiled::candidates`] looks at the attributes once, then
//! [`Compiled::first_match`] looks at each prefix that shares them, and
//! [`Changes::apply`] makes the new attributes once per rule, not per prefix.

mod compiled;
mod prefix_match;
mod stance;

use crate::Asn;
use crate::wire::{Community, PathAttributes};

pub use compiled::{Candidates, Compiled, RuleIndex};
pub use prefix_match::{PrefixMatch, PrefixMatchError};
pub use stance::{Adverse, Discouraged, Stance};

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

/// What a rule does to a route that it accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub local_pref: Option<u32>,
    pub med: Option<u32>,
    pub add_communities: Vec<Community>,
    /// Our ASN this many times more.
    pub prepend: u8,
}

/// Why a route is refused that no rule matches.
pub const NO_RULE_MATCHES: &str = "no rule of the policy matches";

impl Policy {
    /// Accepts every prefix as it is.
    pub fn accept_all() -> Self {
        Self {
            rules: vec![Rule::accept(Vec::new())],
        }
    }

    /// What becomes of one route: the slow and obvious way, for a single
    /// question. Tables are evaluated with [`Compiled`].
    pub fn verdict(&self, prefix: &ipnet::IpNet, communities: &[Community]) -> &Verdict {
        const NO_MATCH: &Verdict = &Verdict::Refuse(NO_RULE_MATCHES);
        self.rules
            .iter()
            .find(|rule| rule.matches_prefix(prefix) && rule.matches_communities(communities))
            .map_or(NO_MATCH, |rule| &rule.verdict)
    }
}

impl Rule {
    /// Accepts these prefixes (none given: all) as they are.
    pub fn accept(prefixes: Vec<PrefixMatch>) -> Self {
        Self {
            prefixes,
            communities: Vec::new(),
            verdict: Verdict::Accept(Changes::default()),
        }
    }

    /// Refuses these prefixes (none given: all).
    pub fn refuse(prefixes: Vec<PrefixMatch>, reason: &'static str) -> Self {
        Self {
            prefixes,
            communities: Vec::new(),
            verdict: Verdict::Refuse(reason),
        }
    }

    fn matches_prefix(&self, prefix: &ipnet::IpNet) -> bool {
        self.prefixes.is_empty() || self.prefixes.iter().any(|filter| filter.matches(prefix))
    }

    fn matches_communities(&self, communities: &[Community]) -> bool {
        self.communities.is_empty()
            || self
                .communities
                .iter()
                .any(|wanted| communities.contains(wanted))
    }
}

impl Changes {
    /// Whether attributes stay as they are.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Changes `attributes`; `asn` is ours toward the peer.
    pub fn apply(&self, attributes: &mut PathAttributes, asn: Asn) {
        if self.local_pref.is_some() {
            attributes.local_pref = self.local_pref;
        }
        if self.med.is_some() {
            attributes.med = self.med;
        }
        for community in &self.add_communities {
            if !attributes.communities.contains(community) {
                attributes.communities.push(*community);
            }
        }
        attributes.as_path.prepend(asn, usize::from(self.prepend));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::wire::{AsPath, NextHop, Origin};

    fn attributes(path: &[u32]) -> PathAttributes {
        PathAttributes {
            origin: Origin::Igp,
            as_path: AsPath::sequence(path.iter().copied().map(Asn)),
            next_hop: NextHop {
                address: "192.0.2.1".parse().unwrap(),
                link_local: None,
            },
            med: None,
            local_pref: None,
            atomic_aggregate: false,
            aggregator: None,
            communities: vec![Community(1)],
            extended_communities: Vec::new(),
            large_communities: Vec::new(),
            originator_id: None,
            cluster_list: Vec::new(),
            unknown: Vec::new(),
        }
    }

    #[test]
    fn without_a_matching_rule_a_route_is_refused() {
        let prefix = "10.0.0.0/8".parse().unwrap();
        assert_eq!(
            *Policy::default().verdict(&prefix, &[]),
            Verdict::Refuse(NO_RULE_MATCHES)
        );
        assert_eq!(
            *Policy::accept_all().verdict(&prefix, &[]),
            Verdict::Accept(Changes::default())
        );
    }

    #[test]
    fn changes_set_and_add_and_prepend_once_each() {
        let changes = Changes {
            local_pref: Some(200),
            med: Some(5),
            add_communities: vec![Community(1), Community(2)],
            prepend: 2,
        };
        let mut changed = attributes(&[64512]);
        changes.apply(&mut changed, Asn(65010));
        let mut expected = attributes(&[65010, 65010, 64512]);
        expected.local_pref = Some(200);
        expected.med = Some(5);
        expected.communities = vec![Community(1), Community(2)];
        assert_eq!(changed, expected);
    }
}
