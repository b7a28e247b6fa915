//! Which session of AWS's is which of bgpd's. Pure.

use std::net::IpAddr;

use bgp_core::api::{PeerStatus, Status, VifStatus};
use bgp_core::{Family, VlanId};

use crate::aws::{BgpPeer, VirtualInterface};

/// One session as both sides see it; at least one side is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair<'a> {
    pub(super) family: Family,
    pub(super) aws: Option<AwsEnd<'a>>,
    pub(super) local: Option<LocalEnd<'a>>,
    /// Both sides were asked: an absent side means that it has no such session.
    pub(super) both_asked: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct AwsEnd<'a> {
    pub(super) vif: &'a VirtualInterface,
    pub(super) peer: Option<&'a BgpPeer>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct LocalEnd<'a> {
    pub(super) peer: &'a PeerStatus,
    pub(super) vif: Option<&'a VifStatus>,
}

impl Pair<'_> {
    pub(super) fn name(&self) -> String {
        match (self.local, self.aws) {
            (Some(local), _) => local.peer.name.clone(),
            // As bgpd would name it.
            (None, Some(aws)) if self.family == Family::Ipv6 => format!("{}-v6", aws.vif.name),
            (None, Some(aws)) => aws.vif.name.clone(),
            (None, None) => String::new(),
        }
    }

    pub(super) fn vlan(&self) -> Option<VlanId> {
        let local = self.local.and_then(|local| local.vif).map(|vif| vif.vlan);
        self.aws.and_then(|aws| aws.vif.vlan).or(local)
    }

    pub(super) fn is_named(&self, name: &str) -> bool {
        self.local
            .is_some_and(|local| local.peer.name == name || local.peer.vif.as_deref() == Some(name))
    }
}

/// AWS's sessions in AWS's order, each with bgpd's; then what only bgpd has.
pub(super) fn pairs<'a>(
    vifs: Option<&'a [VirtualInterface]>,
    local: Option<&'a Status>,
) -> Vec<Pair<'a>> {
    let both_asked = vifs.is_some() && local.is_some();
    let aws: Vec<AwsEnd<'a>> = vifs.unwrap_or_default().iter().flat_map(ends).collect();
    let ours: Vec<LocalEnd<'a>> = local.map(local_ends).unwrap_or_default();
    let mut partner: Vec<Option<usize>> = vec![None; aws.len()];
    // Certain matches first: addresses can repeat between connections, and so can VLANs.
    for least in [Match::Both, Match::Addresses, Match::Vlan] {
        for (at, end) in aws.iter().enumerate() {
            if partner.get(at).is_some_and(Option::is_some) {
                continue;
            }
            let free = |other: &usize| !partner.contains(&Some(*other));
            let fits = |other: &usize| {
                ours.get(*other)
                    .is_some_and(|ours| alike(end, ours) == Some(least))
            };
            let found = (0..ours.len()).filter(free).find(fits);
            if let Some(place) = partner.get_mut(at) {
                *place = found;
            }
        }
    }
    let mut all: Vec<Pair<'a>> = aws
        .iter()
        .zip(&partner)
        .map(|(end, other)| Pair {
            family: end.family(),
            aws: Some(*end),
            local: other.and_then(|other| ours.get(other).copied()),
            both_asked,
        })
        .collect();
    let alone = ours
        .iter()
        .enumerate()
        .filter(|(at, _)| !partner.contains(&Some(*at)));
    all.extend(alone.map(|(_, end)| Pair {
        family: Family::of(end.peer.remote),
        aws: None,
        local: Some(*end),
        both_asked,
    }));
    all
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Match {
    Both,
    Addresses,
    Vlan,
}

fn alike(aws: &AwsEnd<'_>, ours: &LocalEnd<'_>) -> Option<Match> {
    if aws.family() != Family::of(ours.peer.remote) {
        return None;
    }
    let addresses = aws.addresses().is_some_and(|(amazon, customer)| {
        amazon == ours.peer.remote && ours.peer.local.is_none_or(|local| local == customer)
    });
    let vlan = aws.vif.vlan.is_some() && aws.vif.vlan == ours.vif.map(|vif| vif.vlan);
    match (addresses, vlan) {
        (true, true) => Some(Match::Both),
        (true, false) => Some(Match::Addresses),
        (false, true) => Some(Match::Vlan),
        (false, false) => None,
    }
}

impl AwsEnd<'_> {
    fn family(&self) -> Family {
        self.peer.map_or(Family::Ipv4, |peer| peer.family)
    }

    fn addresses(&self) -> Option<(IpAddr, IpAddr)> {
        let peer = self.peer?;
        Some((peer.amazon_address?.addr(), peer.customer_address?.addr()))
    }
}

fn ends(vif: &VirtualInterface) -> Vec<AwsEnd<'_>> {
    let live: Vec<AwsEnd<'_>> = vif
        .peers
        .iter()
        .filter(|peer| !peer.is_gone())
        .map(|peer| AwsEnd {
            vif,
            peer: Some(peer),
        })
        .collect();
    if live.is_empty() {
        vec![AwsEnd { vif, peer: None }]
    } else {
        live
    }
}

fn local_ends(status: &Status) -> Vec<LocalEnd<'_>> {
    let vif_of = |peer: &PeerStatus| {
        status
            .vifs
            .iter()
            .find(|vif| peer.vif.as_ref() == Some(&vif.name))
    };
    status
        .peers
        .iter()
        .map(|peer| LocalEnd {
            peer,
            vif: vif_of(peer),
        })
        .collect()
}
