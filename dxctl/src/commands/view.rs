//! A virtual interface as it is shown: never with its key.

use bgp_core::{Asn, Family, VlanId};
use ipnet::IpNet;
use serde::Serialize;

use super::{asn_text, or_dash, vlan_text};
use crate::aws::{BgpPeer, Kind, VirtualInterface};
use crate::output::{Listing, pairs};

#[derive(Debug, Serialize)]
pub(super) struct VifView<'a> {
    id: &'a str,
    name: &'a str,
    connection: &'a str,
    kind: String,
    state: &'a str,
    vlan: Option<VlanId>,
    mtu: Option<u32>,
    customer_asn: Option<Asn>,
    amazon_asn: Option<Asn>,
    gateway: Option<&'a str>,
    region: Option<&'a str>,
    location: Option<&'a str>,
    owner: Option<&'a str>,
    route_filter_prefixes: &'a [IpNet],
    peers: Vec<PeerView<'a>>,
    tags: Vec<TagView<'a>>,
}

#[derive(Debug, Serialize)]
struct PeerView<'a> {
    id: Option<&'a str>,
    family: Family,
    asn: Option<Asn>,
    amazon_address: Option<IpNet>,
    customer_address: Option<IpNet>,
    state: Option<&'a str>,
    status: Option<&'a str>,
    auth_key: &'static str,
}

#[derive(Debug, Serialize)]
struct TagView<'a> {
    key: &'a str,
    value: &'a str,
}

impl<'a> VifView<'a> {
    pub(super) fn of(vif: &'a VirtualInterface) -> Self {
        Self {
            id: &vif.id,
            name: &vif.name,
            connection: &vif.carrier,
            kind: vif.kind.to_string(),
            state: &vif.state,
            vlan: vif.vlan,
            mtu: vif.mtu,
            customer_asn: vif.asn,
            amazon_asn: vif.amazon_asn,
            gateway: vif.gateway.as_ref().map(|gateway| gateway.id()),
            region: vif.region.as_deref(),
            location: vif.location.as_deref(),
            owner: vif.owner.as_deref(),
            route_filter_prefixes: &vif.route_filter_prefixes,
            peers: vif.peers.iter().map(PeerView::of).collect(),
            tags: vif
                .tags
                .iter()
                .map(|tag| TagView {
                    key: &tag.key,
                    value: &tag.value,
                })
                .collect(),
        }
    }
}

impl<'a> PeerView<'a> {
    fn of(peer: &'a BgpPeer) -> Self {
        Self {
            id: peer.id.as_deref(),
            family: peer.family,
            asn: peer.asn,
            amazon_address: peer.amazon_address,
            customer_address: peer.customer_address,
            state: peer.state.as_deref(),
            status: peer.status.as_deref(),
            auth_key: peer.key.redacted(),
        }
    }
}

/// Everything about one, for people.
pub(super) fn page(vif: &VirtualInterface) -> String {
    let list = |prefixes: &[IpNet]| {
        let texts: Vec<String> = prefixes.iter().map(IpNet::to_string).collect();
        Some(texts.join(", ")).filter(|text| !text.is_empty())
    };
    let tags: Vec<String> = vif
        .tags
        .iter()
        .map(|tag| format!("{}={}", tag.key, tag.value))
        .collect();
    let mut text = pairs(vec![
        ("Identifier", Some(vif.id.clone())),
        ("Name", Some(vif.name.clone())),
        ("Kind", Some(vif.kind.to_string())),
        ("State", Some(state_with_meaning(&vif.state))),
        ("Connection", Some(vif.carrier.clone())),
        ("VLAN", vif.vlan.map(|vlan| vlan.to_string())),
        ("MTU", vif.mtu.map(|mtu| mtu.to_string())),
        ("Our ASN", vif.asn.map(|asn| asn.to_string())),
        ("AWS's ASN", vif.amazon_asn.map(|asn| asn.to_string())),
        (
            "Gateway",
            vif.gateway.as_ref().map(|gateway| gateway.id().to_owned()),
        ),
        ("Region", vif.region.clone()),
        ("Location", vif.location.clone()),
        ("Owner", vif.owner.clone()),
        ("Route filter", list(&vif.route_filter_prefixes)),
        (
            "Tags",
            Some(tags.join(", ")).filter(|tags| !tags.is_empty()),
        ),
    ]);
    for peer in &vif.peers {
        text.push('\n');
        text.push_str(&pairs(vec![
            ("BGP peer", Some(or_dash(peer.id.as_ref()))),
            ("Family", Some(peer.family.to_string())),
            (
                "AWS's address",
                peer.amazon_address.map(|net| net.to_string()),
            ),
            (
                "Our address",
                peer.customer_address.map(|net| net.to_string()),
            ),
            ("State", peer.state.clone()),
            ("BGP", peer.status.clone()),
            ("MD5 key", Some(peer.key.redacted().to_owned())),
        ]));
    }
    text
}

fn state_with_meaning(state: &str) -> String {
    let meaning = match state {
        "down" => "provisioned; BGP is not up",
        "pending" => "AWS is provisioning it",
        "confirming" => "its owner has to confirm it",
        "verifying" => "AWS is checking that the prefixes are yours, up to 72 hours",
        "testing" => "a failover test is running",
        "deleted" => "listed for 15 minutes more",
        _ => return state.to_owned(),
    };
    format!("{state} ({meaning})")
}

/// One line each, for people.
pub(super) fn listing(vifs: &[VirtualInterface]) -> String {
    let mut table = Listing::new(&[
        "ID",
        "NAME",
        "KIND",
        "STATE",
        "BGP",
        "CONNECTION",
        "VLAN",
        "ASN",
        "AWS-ASN",
        "ADDRESS",
    ]);
    for vif in vifs {
        let of_peers = |part: fn(&BgpPeer) -> Option<String>| {
            let parts: Vec<String> = vif.peers.iter().filter_map(part).collect();
            if parts.is_empty() {
                "-".to_owned()
            } else {
                parts.join(",")
            }
        };
        table.row(vec![
            vif.id.clone(),
            vif.name.clone(),
            vif.kind.to_string(),
            vif.state.clone(),
            of_peers(|peer| peer.status.clone()),
            vif.carrier.clone(),
            vlan_text(vif.vlan),
            asn_text(vif.asn),
            asn_text(vif.amazon_asn),
            of_peers(|peer| peer.customer_address.map(|net| net.to_string())),
        ]);
    }
    table.text()
}

/// The kind, where this program can work with it.
pub(super) fn known_kind(
    vif: &VirtualInterface,
) -> Result<bgp_core::config::VifKind, crate::Refused> {
    match &vif.kind {
        Kind::Known(kind) => Ok(*kind),
        Kind::Other(text) => Err(crate::Refused::new(format!(
            "{} ({}) is of the kind `{text}`, which this version doesn't know",
            vif.id, vif.name
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::tests::vif;

    #[test]
    fn no_view_shows_the_key() {
        let vif = vif("prod", 101, "down");
        let shown = [
            crate::output::json(&VifView::of(&vif)),
            page(&vif),
            listing(std::slice::from_ref(&vif)),
            format!("{vif:?}"),
        ];
        for text in shown {
            assert!(!text.contains("canary"), "{text}");
        }
        assert!(page(&vif).contains("set (not shown)"));
    }

    #[test]
    fn a_page_explains_the_state() {
        assert!(page(&vif("prod", 101, "down")).contains("down (provisioned; BGP is not up)"));
        assert!(page(&vif("prod", 101, "approving")).contains("approving\n"));
    }
}
