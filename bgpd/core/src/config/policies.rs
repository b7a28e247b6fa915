//! From the configuration's lists to [`Policy`] rules.

use ipnet::IpNet;

use super::value::Filter;
use super::{Preference, VifKind};
use crate::Family;
use crate::aws;
use crate::aws::Range;
use crate::policy::{Changes, Policy, PrefixMatch, Rule, Verdict};

/// What a VIF takes from AWS. Without `accept`, what its kind can send; never
/// the default route, nor what we announce to it.
pub(super) fn vif_import(
    kind: VifKind,
    accept: Option<&[Filter]>,
    advertise: &[IpNet],
    preference: Option<Preference>,
) -> Policy {
    let changes = Changes {
        local_pref: preference.map(Preference::local_pref),
        ..Changes::default()
    };
    let mut rules = Vec::new();
    match accept {
        Some(filters) => rules.extend(accepting(filters, changes)),
        None => {
            rules.extend(refusing(
                aws::DEFAULT_ROUTES.iter().map(exactly),
                "default route",
            ));
            rules.extend(refusing(
                advertise.iter().map(exactly),
                "we announce it ourselves",
            ));
            if kind == VifKind::Public {
                rules.extend(refusing(aws::BOGONS.iter().map(matched), "bogon"));
            }
            let ranges = aws::default_accept(kind).iter().map(matched).collect();
            rules.push(Rule {
                verdict: Verdict::Accept(changes),
                ..Rule::accept(ranges)
            });
        }
    }
    Policy { rules }
}

/// What a VIF announces to AWS: exactly `advertise`.
pub(super) fn vif_export(advertise: &[IpNet], preference: Option<Preference>) -> Policy {
    let communities = preference.map(Preference::community);
    let changes = Changes {
        add_communities: communities.into_iter().collect(),
        ..Changes::default()
    };
    Policy {
        rules: advertising(advertise, changes).into_iter().collect(),
    }
}

/// RFC 8212: without `accept` nothing is taken.
pub(super) fn peer_import(accept: &[Filter], changes: Changes) -> Policy {
    Policy {
        rules: accepting(accept, changes).into_iter().collect(),
    }
}

/// RFC 8212: without `export` and `advertise` nothing is announced.
pub(super) fn peer_export(export: &[Filter], advertise: &[IpNet], changes: Changes) -> Policy {
    let mut rules: Vec<Rule> = advertising(advertise, changes.clone())
        .into_iter()
        .collect();
    rules.extend(accepting(export, changes));
    Policy { rules }
}

/// No rule at all for an empty list: one without prefixes would match all.
fn accepting(filters: &[Filter], changes: Changes) -> Option<Rule> {
    if filters.is_empty() {
        return None;
    }
    let matches = filters.iter().map(|filter| match filter {
        Filter::Any => None,
        Filter::Match(prefix) => Some(*prefix),
    });
    let prefixes = matches.collect::<Option<Vec<_>>>().unwrap_or_default();
    Some(Rule {
        verdict: Verdict::Accept(changes),
        ..Rule::accept(prefixes)
    })
}

fn advertising(networks: &[IpNet], changes: Changes) -> Option<Rule> {
    let prefixes: Vec<_> = networks.iter().map(exactly).collect();
    (!prefixes.is_empty()).then(|| Rule {
        verdict: Verdict::Accept(changes),
        ..Rule::accept(prefixes)
    })
}

fn refusing(prefixes: impl Iterator<Item = PrefixMatch>, why: &'static str) -> Option<Rule> {
    let prefixes: Vec<_> = prefixes.collect();
    (!prefixes.is_empty()).then(|| Rule::refuse(prefixes, why))
}

fn exactly(net: &IpNet) -> PrefixMatch {
    PrefixMatch::exact(*net)
}

fn matched(range: &Range) -> PrefixMatch {
    PrefixMatch {
        min_len: range.min_len,
        ..PrefixMatch::or_longer(range.net)
    }
}

/// Only what is of this family: a session carries one.
pub(super) fn of_family(networks: &[IpNet], family: Family) -> Vec<IpNet> {
    networks
        .iter()
        .copied()
        .filter(|net| Family::of(net.addr()) == family)
        .collect()
}
