//! From Adj-RIB-In to the decision: which received routes may take part, and
//! with what attributes. Attributes are judged once for all prefixes that share
//! them.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use smallvec::SmallVec;

use super::attributes::{AttributeTable, AttributesId};
use super::peers::{Context, Peer};
use super::table::{Path, PeerIndex};
use crate::policy::{Candidates, RuleIndex, Verdict};

/// Why a received route takes no part in the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// RFC 4271 §9.1.2: our own AS is in AS_PATH.
    AsPathLoop,
    /// RFC 4456 §8: it began here.
    OriginatorIdLoop,
    NextHopNotUnicast,
    /// RFC 4271 §5.1.3 (a).
    NextHopIsOurs,
    /// RFC 4271 §5.1.3: a directly connected external peer names a next hop on
    /// the shared link.
    NextHopNotOnLink,
    /// RFC 8212.
    NoRuleMatches,
    /// By the import policy's rule of this number.
    Rule(u16),
}

impl Refusal {
    const FIRST_RULE: u16 = 16;
    const LAST_RULE: u16 = (1 << 15) - 1 - Self::FIRST_RULE;

    /// 15 bits, not 0.
    pub(super) const fn code(self) -> u16 {
        match self {
            Self::AsPathLoop => 1,
            Self::OriginatorIdLoop => 2,
            Self::NextHopNotUnicast => 3,
            Self::NextHopIsOurs => 4,
            Self::NextHopNotOnLink => 5,
            Self::NoRuleMatches => 6,
            Self::Rule(rule) => {
                Self::FIRST_RULE
                    + if rule > Self::LAST_RULE {
                        Self::LAST_RULE
                    } else {
                        rule
                    }
            }
        }
    }

    pub(super) const fn from_code(code: u16) -> Option<Self> {
        match code {
            1 => Some(Self::AsPathLoop),
            2 => Some(Self::OriginatorIdLoop),
            3 => Some(Self::NextHopNotUnicast),
            4 => Some(Self::NextHopIsOurs),
            5 => Some(Self::NextHopNotOnLink),
            6 => Some(Self::NoRuleMatches),
            Self::FIRST_RULE.. => Some(Self::Rule(code - Self::FIRST_RULE)),
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AsPathLoop => "our own AS is in its AS_PATH",
            Self::OriginatorIdLoop => "its ORIGINATOR_ID is this router",
            Self::NextHopNotUnicast => "its next hop is not a unicast address",
            Self::NextHopIsOurs => "its next hop is this router's own address",
            Self::NextHopNotOnLink => {
                "its next hop is neither the peer's address nor in the subnet of `local`"
            }
            Self::NoRuleMatches => crate::policy::NO_RULE_MATCHES,
            Self::Rule(_) => "the import policy refuses it",
        })
    }
}

/// What becomes of the prefixes that share one set of received attributes.
/// Holds users of attributes: ends with [`Judgement::release`].
#[derive(Debug)]
pub(super) struct Judgement {
    peer: PeerIndex,
    received: AttributesId,
    outcome: Result<Candidates, Refusal>,
    /// What rules have made of the attributes so far.
    made: SmallVec<[(RuleIndex, AttributesId); 2]>,
}

impl Judgement {
    /// Takes over one user of `received`.
    pub(super) fn new(context: &Context, index: PeerIndex, received: AttributesId) -> Self {
        let peer = context.peers.get(index);
        let outcome = match refusal(context, peer, received) {
            Some(refusal) => Err(refusal),
            None => Ok(peer
                .import
                .candidates(&context.attributes.communities(received))),
        };
        Self {
            peer: index,
            received,
            outcome,
            made: SmallVec::new(),
        }
    }

    /// The path for a prefix, with one user of its attributes.
    pub(super) fn path(&mut self, context: &mut Context, prefix: &IpNet) -> Path {
        let peer = context.peers.get(self.peer);
        let attributes = &mut context.attributes;
        let (id, refusal) = match &self.outcome {
            Err(refusal) => (self.received, Some(*refusal)),
            Ok(candidates) => match peer.import.first_match(candidates, prefix) {
                None => (self.received, Some(Refusal::NoRuleMatches)),
                Some(rule) => match peer.import.verdict(rule) {
                    Verdict::Refuse(_) => (self.received, Some(Refusal::Rule(rule.number()))),
                    Verdict::Accept(changes)
                        if changes.is_none() && !peer.stance.is_last_resort() =>
                    {
                        (self.received, None)
                    }
                    Verdict::Accept(_) => (self.made_by(rule, peer, attributes), None),
                },
            },
        };
        attributes.retain(id);
        Path::new(self.peer, id, refusal)
    }

    fn made_by(
        &mut self,
        rule: RuleIndex,
        peer: &Peer,
        attributes: &mut AttributeTable,
    ) -> AttributesId {
        if let Some((_, id)) = self.made.iter().find(|(made_by, _)| *made_by == rule) {
            return *id;
        }
        let mut changed = attributes.unpack(self.received);
        if let Verdict::Accept(changes) = peer.import.verdict(rule) {
            changes.apply(&mut changed, peer.config.local_asn);
        }
        if peer.stance.is_last_resort() {
            changed.local_pref = Some(0);
        }
        let id = attributes.intern_changed(&changed, self.received);
        self.made.push((rule, id));
        id
    }

    pub(super) fn release(self, context: &mut Context) {
        for (_, id) in self.made {
            context.release(id);
        }
        context.release(self.received);
    }
}

/// What is wrong with these attributes from this peer, whatever the prefix.
fn refusal(context: &Context, peer: &Peer, received: AttributesId) -> Option<Refusal> {
    let attributes = &context.attributes;
    if attributes.as_path_has(received, &context.own_asns) {
        return Some(Refusal::AsPathLoop);
    }
    if attributes.originator_id(received) == Some(context.settings.router_id) {
        return Some(Refusal::OriginatorIdLoop);
    }
    let next_hop = attributes.next_hop(received);
    if !is_unicast(next_hop.address) {
        return Some(Refusal::NextHopNotUnicast);
    }
    if peer.is_own(next_hop.address) {
        return Some(Refusal::NextHopIsOurs);
    }
    if peer.is_single_hop() && !peer.reaches(next_hop) {
        return Some(Refusal::NextHopNotOnLink);
    }
    None
}

const fn is_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            !address.is_unspecified() && !address.is_multicast() && !address.is_broadcast()
        }
        IpAddr::V6(address) => !address.is_unspecified() && !address.is_multicast(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_survives_its_code() {
        use Refusal::*;
        for refusal in [
            AsPathLoop,
            OriginatorIdLoop,
            NextHopNotUnicast,
            NextHopIsOurs,
            NextHopNotOnLink,
            NoRuleMatches,
            Rule(0),
            Rule(1000),
        ] {
            assert_eq!(Refusal::from_code(refusal.code()), Some(refusal));
        }
        assert_eq!(Refusal::from_code(0), None);
        assert!(Rule(u16::MAX).code() < 1 << 15);
    }
}
