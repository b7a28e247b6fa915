//! A policy made fast for tables: attributes are looked at once, and a prefix
//! costs one hash probe per distinct filter length, however many filters a
//! rule has.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use ipnet::IpNet;
use smallvec::SmallVec;

use super::{Policy, PrefixMatch, Verdict};
use crate::Family;
use crate::wire::Community;

/// A [`Policy`], ready for many routes.
#[derive(Debug)]
pub struct Compiled {
    policy: Policy,
    prefixes: Vec<PrefixSet>,
}

/// Names a rule within its policy, by its number from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleIndex(u16);

impl RuleIndex {
    pub const fn number(self) -> u16 {
        self.0
    }
}

/// The rules that one set of attributes can match, in order.
#[derive(Clone, Debug, Default)]
pub struct Candidates(SmallVec<[RuleIndex; 6]>);

impl Compiled {
    pub fn new(policy: &Policy) -> Self {
        let prefixes = policy
            .rules
            .iter()
            .map(|rule| PrefixSet::new(&rule.prefixes))
            .collect();
        Self {
            policy: policy.clone(),
            prefixes,
        }
    }

    /// The rules that routes with these communities can match: asked once per
    /// set of attributes.
    pub fn candidates(&self, communities: &[Community]) -> Candidates {
        let mut candidates = SmallVec::new();
        for (rule, index) in self.policy.rules.iter().zip(0..) {
            if rule.matches_communities(communities) {
                candidates.push(RuleIndex(index));
                if rule.prefixes.is_empty() {
                    break;
                }
            }
        }
        Candidates(candidates)
    }

    /// The rule that decides on a prefix; `None`: refuse it.
    pub fn first_match(&self, candidates: &Candidates, prefix: &IpNet) -> Option<RuleIndex> {
        candidates
            .0
            .iter()
            .copied()
            .find(|rule| self.prefixes[usize::from(rule.0)].matches(prefix))
    }

    pub fn verdict(&self, rule: RuleIndex) -> &Verdict {
        &self.policy.rules[usize::from(rule.0)].verdict
    }

    pub const fn policy(&self) -> &Policy {
        &self.policy
    }
}

/// The prefixes of one rule.
#[derive(Debug)]
enum PrefixSet {
    All,
    /// So few that looking at each is fastest.
    Few(Vec<PrefixMatch>),
    Many {
        ipv4: ByLength,
        ipv6: ByLength,
    },
}

/// Filters by their network's length, shortest first, then by network.
type ByLength = Vec<(u8, HashMap<u128, SmallVec<[(u8, u8); 1]>, RandomState>)>;

/// Above this many filters, hashing wins.
const FEW: usize = 8;

impl PrefixSet {
    fn new(filters: &[PrefixMatch]) -> Self {
        let everything = |family: Family| {
            filters.iter().any(|filter| {
                Family::of(filter.net.addr()) == family
                    && filter.net.prefix_len() == 0
                    && filter.min_len == 0
                    && filter.max_len == filter.net.max_prefix_len()
            })
        };
        match filters {
            [] => Self::All,
            _ if Family::ALL.into_iter().all(everything) => Self::All,
            _ if filters.len() <= FEW => Self::Few(filters.to_vec()),
            _ => Self::Many {
                ipv4: by_length(filters, Family::Ipv4),
                ipv6: by_length(filters, Family::Ipv6),
            },
        }
    }

    fn matches(&self, prefix: &IpNet) -> bool {
        let (ipv4, ipv6) = match self {
            Self::All => return true,
            Self::Few(filters) => return filters.iter().any(|filter| filter.matches(prefix)),
            Self::Many { ipv4, ipv6 } => (ipv4, ipv6),
        };
        let lengths = match prefix {
            IpNet::V4(_) => ipv4,
            IpNet::V6(_) => ipv6,
        };
        let (bits, len) = (left_aligned(prefix), prefix.prefix_len());
        lengths
            .iter()
            .take_while(|(net_len, _)| *net_len <= len)
            .any(|(net_len, networks)| {
                networks.get(&masked(bits, *net_len)).is_some_and(|ranges| {
                    ranges.iter().any(|&(min, max)| (min..=max).contains(&len))
                })
            })
    }
}

fn by_length(filters: &[PrefixMatch], family: Family) -> ByLength {
    let mut lengths = ByLength::new();
    for filter in filters
        .iter()
        .filter(|filter| Family::of(filter.net.addr()) == family)
    {
        let len = filter.net.prefix_len();
        let at = match lengths.binary_search_by_key(&len, |(len, _)| *len) {
            Ok(at) => at,
            Err(at) => {
                lengths.insert(at, (len, HashMap::default()));
                at
            }
        };
        let key = masked(left_aligned(&filter.net), len);
        lengths[at]
            .1
            .entry(key)
            .or_default()
            .push((filter.min_len, filter.max_len));
    }
    lengths
}

/// The address with its first bit on top, whatever the family.
fn left_aligned(prefix: &IpNet) -> u128 {
    match prefix {
        IpNet::V4(net) => u128::from(net.addr().to_bits()) << 96,
        IpNet::V6(net) => net.addr().to_bits(),
    }
}

const fn masked(bits: u128, len: u8) -> u128 {
    if len == 0 {
        0
    } else {
        bits & (u128::MAX << (128 - len))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::super::{Changes, Rule};
    use super::*;

    fn net() -> impl Strategy<Value = IpNet> {
        prop_oneof![
            (0u32..64, 0u8..=32).prop_map(|(bits, len)| {
                IpNet::new(IpAddr::V4(Ipv4Addr::from(bits << 24 | bits << 4)), len)
                    .unwrap()
                    .trunc()
            }),
            (0u128..16, 0u8..=128).prop_map(|(bits, len)| {
                IpNet::new(IpAddr::V6(Ipv6Addr::from(bits << 120 | bits)), len)
                    .unwrap()
                    .trunc()
            }),
        ]
    }

    fn filter() -> impl Strategy<Value = PrefixMatch> {
        (net(), 0u8..=128, 0u8..=128).prop_map(|(net, a, b)| {
            let (len, max) = (net.prefix_len(), net.max_prefix_len());
            let (a, b) = (a.clamp(len, max), b.clamp(len, max));
            PrefixMatch {
                net,
                min_len: a.min(b),
                max_len: a.max(b),
            }
        })
    }

    fn rule() -> impl Strategy<Value = Rule> {
        let prefixes = prop_oneof![
            proptest::collection::vec(filter(), 0..4),
            proptest::collection::vec(filter(), 9..40),
        ];
        (
            prefixes,
            proptest::collection::vec((0u32..3).prop_map(Community), 0..2),
            any::<bool>(),
            0u32..9,
        )
            .prop_map(|(prefixes, communities, accept, local_pref)| Rule {
                prefixes,
                communities,
                verdict: if accept {
                    Verdict::Accept(Changes {
                        local_pref: Some(local_pref),
                        ..Changes::default()
                    })
                } else {
                    Verdict::Refuse("test")
                },
            })
    }

    proptest! {
        #[test]
        fn the_compiled_policy_decides_as_the_plain_one(
            rules in proptest::collection::vec(rule(), 0..5),
            prefixes in proptest::collection::vec(net(), 1..20),
            communities in proptest::collection::vec((0u32..3).prop_map(Community), 0..3),
        ) {
            let policy = Policy { rules };
            let compiled = Compiled::new(&policy);
            let candidates = compiled.candidates(&communities);
            for prefix in &prefixes {
                let expected = policy.verdict(prefix, &communities);
                match compiled.first_match(&candidates, prefix) {
                    Some(rule) => prop_assert_eq!(compiled.verdict(rule), expected),
                    None => prop_assert_eq!(expected, &Verdict::Refuse(super::super::NO_RULE_MATCHES)),
                }
            }
        }
    }
}
