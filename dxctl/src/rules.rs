//! What AWS will take: the rules that its API checks late, badly or not at
//! all. Pure; every mistake is found at once.

use std::net::IpAddr;

use bgp_core::config::VifKind;
use bgp_core::{Asn, Family, aws};
use ipnet::IpNet;

use crate::aws::{Carrier, DxGateway, Gateway, NewPeer, NewVif, PeerAddresses, VirtualInterface};
use crate::pick;

/// What AWS has, as far as it matters for a new virtual interface.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings<'a> {
    pub(crate) carrier: &'a Carrier,
    /// On the carrier.
    pub(crate) vifs: &'a [VirtualInterface],
    pub(crate) gateways: &'a [DxGateway],
}

/// Mistakes forbid the creation; doubts are told and go through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    pub(crate) mistakes: Vec<String>,
    pub(crate) doubts: Vec<String>,
}

impl Findings {
    fn mistake(&mut self, text: impl Into<String>) {
        self.mistakes.push(text.into());
    }

    fn doubt(&mut self, text: impl Into<String>) {
        self.doubts.push(text.into());
    }
}

/// Looks at a virtual interface before it is asked for.
pub(crate) fn check(vif: &NewVif, around: Surroundings<'_>) -> Findings {
    let mut found = check_allocation(vif, around);
    check_gateway(vif, &mut found);
    found
}

/// The same of one that another account will lead to its gateway.
pub(crate) fn check_allocation(vif: &NewVif, around: Surroundings<'_>) -> Findings {
    let mut found = Findings::default();
    check_carrier(around.carrier, &mut found);
    check_name(&vif.name, around.vifs, &mut found);
    check_vlan(vif, around, &mut found);
    check_new_mtu(vif, around.carrier, &mut found);
    check_asn(vif, around.gateways, &mut found);
    check_addresses(vif.kind, &vif.peer, around.vifs, &mut found);
    check_route_filter(vif, &mut found);
    check_tags(vif, &mut found);
    found
}

fn check_carrier(carrier: &Carrier, found: &mut Findings) {
    match carrier.state.as_str() {
        "available" => {}
        "down" => found.doubt(format!(
            "{} is down: BGP comes up only once it is up",
            carrier.id
        )),
        "ordering" | "requested" | "pending" => found.mistake(format!(
            "{} is still {}: wait until it is available, or the interface will be stuck",
            carrier.id, carrier.state
        )),
        "deleting" | "deleted" | "rejected" => {
            found.mistake(format!("{} is {}", carrier.id, carrier.state));
        }
        other => found.doubt(format!("{} is in the state `{other}`", carrier.id)),
    }
}

fn check_name(name: &str, vifs: &[VirtualInterface], found: &mut Findings) {
    if let Some(other) = vifs.iter().find(|vif| vif.name == name && !vif.is_gone()) {
        found.doubt(format!(
            "{} is named {name} too: later commands have to name the identifier",
            other.id
        ));
    }
    check_vif_name(name, found);
}

pub(crate) fn check_vif_name(name: &str, found: &mut Findings) {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 100 || !name.chars().all(fits) {
        found.mistake(format!(
            "name `{name}`: AWS takes 1 to 100 of a–z, 0–9 and -"
        ));
    }
}

fn check_vlan(vif: &NewVif, around: Surroundings<'_>, found: &mut Findings) {
    if let Some(holder) = pick::vlan_holder(around.vifs, vif.vlan) {
        found.mistake(format!(
            "VLAN {} on {} belongs to {holder}: choose another, or --vlan auto",
            vif.vlan, vif.carrier
        ));
    }
    if let Some(given) = around
        .carrier
        .hosted_vlan
        .filter(|given| *given != vif.vlan)
    {
        found.mistake(format!(
            "{} is a hosted connection: its only VLAN is {given}",
            vif.carrier
        ));
    }
}

fn check_new_mtu(vif: &NewVif, carrier: &Carrier, found: &mut Findings) {
    let Some(mtu) = vif.mtu else { return };
    let before = found.mistakes.len();
    check_mtu(vif.kind, mtu, found);
    if found.mistakes.len() > before {
        return;
    }
    if mtu > 1500 && carrier.jumbo_frames == Some(false) {
        found.mistake(format!(
            "MTU {mtu}: {} can't carry jumbo frames",
            carrier.id
        ));
    } else if mtu == 9001 {
        found.doubt("MTU 9001: AWS's documents disagree on whether it is 9001 or 8500; trust what `dxctl vif show` says");
    }
}

/// Which sizes a kind of virtual interface has.
pub(crate) fn check_mtu(kind: VifKind, mtu: u32, found: &mut Findings) {
    let fitting = aws::mtus(kind);
    if !fitting.contains(&mtu) {
        let list: Vec<String> = fitting.iter().map(u32::to_string).collect();
        found.mistake(format!(
            "MTU {mtu}: a {} virtual interface has {}",
            crate::aws::kind_name(kind),
            list.join(" or ")
        ));
    }
}

/// Of the form `eu-central-1` or `us-gov-west-1`.
pub(crate) fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [words @ .., number] = parts.as_slice() else {
        return false;
    };
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    words.len() >= 2 && words.iter().all(is_word) && is_number
}

/// What else in a VPC is called a gateway.
fn is_of_another_kind(id: &str) -> bool {
    let prefixes = ["igw-", "eigw-", "tgw-", "nat-", "cgw-", "vpc-"];
    prefixes.iter().any(|prefix| id.starts_with(prefix))
}

fn check_gateway(vif: &NewVif, found: &mut Findings) {
    match (vif.kind, &vif.gateway) {
        (VifKind::Private, None) => found.mistake(
            "a private virtual interface leads to a gateway: give --gateway, a vgw-… or a Direct Connect gateway's identifier",
        ),
        (VifKind::Transit, None | Some(Gateway::Virtual(_))) => found.mistake(
            "a transit virtual interface leads to a Direct Connect gateway: give its identifier with --gateway",
        ),
        (_, Some(Gateway::DirectConnect(id))) if is_of_another_kind(id) => found.mistake(format!(
            "{id} is neither a virtual private gateway (vgw-…) nor a Direct Connect gateway's identifier (dxctl api DescribeDirectConnectGateways lists those)"
        )),
        (VifKind::Public, Some(_)) => {
            found.mistake("a public virtual interface has no gateway: leave --gateway out");
        }
        _ => {}
    }
}

fn check_asn(vif: &NewVif, gateways: &[DxGateway], found: &mut Findings) {
    let asn = vif.peer.asn;
    if matches!(asn.0, 0 | 23_456 | 65_535 | u32::MAX) {
        found.mistake(format!(
            "AS number {asn} is reserved: AWS takes 1–4294967294"
        ));
    } else if matches!(asn.0, 64_496..=64_511 | 65_536..=65_551) {
        found.doubt(format!("AS number {asn} is for documentation (RFC 5398)"));
    }
    if Some(asn) == amazon_asn(vif, gateways) {
        found.mistake(format!(
            "AS number {asn} is AWS's own end: both ends must differ"
        ));
    }
    if asn.0 == 64_512 && matches!(vif.gateway, Some(Gateway::Virtual(_))) {
        found.doubt(
            "AS number 64512 is what a virtual private gateway has unless another was chosen for it: if this one does, the session never comes up",
        );
    }
    if vif.kind == VifKind::Public && asn.is_private() {
        found.doubt(format!(
            "AS number {asn} is private: on a public interface AWS replaces it by 7224, and prepending has no effect"
        ));
    }
}

/// What AWS's end will be, as far as that is known before.
fn amazon_asn(vif: &NewVif, gateways: &[DxGateway]) -> Option<Asn> {
    match (vif.kind, &vif.gateway) {
        (VifKind::Public, _) => Some(aws::PUBLIC_ASN),
        (_, Some(Gateway::DirectConnect(id))) => gateways
            .iter()
            .find(|gateway| gateway.id == *id)
            .and_then(|gateway| gateway.amazon_asn),
        _ => None,
    }
}

/// The addresses of a new session, among the virtual interfaces on its carrier.
pub(crate) fn check_addresses(
    kind: VifKind,
    peer: &NewPeer,
    vifs: &[VirtualInterface],
    found: &mut Findings,
) {
    let Some(pair) = peer.addresses else {
        if kind == VifKind::Public && peer.family == Family::Ipv4 {
            found.mistake(
                "a public virtual interface has addresses that you own: give --addresses AWS-END/30,YOUR-END/30",
            );
        }
        return;
    };
    if peer.family == Family::Ipv6 {
        found.mistake("IPv6 addresses are always AWS's to assign: use --addresses aws");
        return;
    }
    check_pair(kind, pair, found);
    let overlapping = vifs.iter().filter(|vif| !vif.is_gone()).find(|vif| {
        let mut nets = vif.peers.iter().filter_map(|peer| peer.customer_address);
        nets.any(|net| net.contains(&pair.customer.addr()) || net.contains(&pair.amazon.addr()))
    });
    if let Some(vif) = overlapping {
        found.mistake(format!(
            "addresses {pair} overlap with those of {} ({})",
            vif.id, vif.name
        ));
    }
}

/// The two ends of an IPv4 session.
pub(crate) fn check_pair(kind: VifKind, pair: PeerAddresses, found: &mut Findings) {
    let PeerAddresses { amazon, customer } = pair;
    let (IpNet::V4(ours), IpAddr::V4(theirs)) = (customer, amazon.addr()) else {
        found.mistake(format!(
            "addresses {pair}: an IPv4 session has IPv4 addresses"
        ));
        return;
    };
    if amazon.trunc() != customer.trunc() {
        found.mistake(format!(
            "addresses {pair}: both ends must be in one network with one mask"
        ));
    }
    if amazon.addr() == customer.addr() {
        found.mistake(format!("addresses {pair}: both ends are the same"));
    }
    if ours.prefix_len() == 32 {
        found.mistake(format!(
            "addresses {pair}: a /32 has no room for two ends; use a /30 or /31"
        ));
    } else if ours.prefix_len() < 31 {
        for address in [ours.addr(), theirs] {
            if address == ours.network() || address == ours.broadcast() {
                found.mistake(format!(
                    "{address} is the network or broadcast address of {}",
                    ours.trunc()
                ));
            }
        }
    }
    if [ours.addr(), theirs].contains(&aws::METADATA_ADDRESS) {
        found.mistake(format!(
            "{} is the metadata service's in every VPC",
            aws::METADATA_ADDRESS
        ));
    }
    let private = ours.addr().is_private() || ours.addr().is_link_local();
    if kind == VifKind::Public && private {
        found.mistake(format!(
            "addresses {pair}: a public virtual interface has public addresses"
        ));
    }
}

fn check_route_filter(vif: &NewVif, found: &mut Findings) {
    let prefixes = &vif.route_filter_prefixes;
    match vif.kind {
        VifKind::Public if prefixes.is_empty() => found.mistake(
            "a public virtual interface announces prefixes that you own: give --route-filter-prefix",
        ),
        VifKind::Public if prefixes.len() > 1000 => {
            found.mistake(format!("{} route filter prefixes: AWS takes 1,000", prefixes.len()));
        }
        VifKind::Public => {}
        _ if !prefixes.is_empty() => {
            found.mistake("route filter prefixes are for public virtual interfaces only");
        }
        _ => {}
    }
    for prefix in prefixes {
        check_route_filter_prefix(*prefix, vif.peer.family, found);
    }
}

/// One prefix of ours, for a session of this family.
pub(crate) fn check_route_filter_prefix(prefix: IpNet, session: Family, found: &mut Findings) {
    if prefix.addr() != prefix.network() {
        found.mistake(format!(
            "prefix {prefix} has host bits set: write {}",
            prefix.trunc()
        ));
    }
    let (family, longest) = match prefix {
        IpNet::V4(_) => (Family::Ipv4, 32),
        IpNet::V6(_) => (Family::Ipv6, 64),
    };
    if family != session {
        found.mistake(format!("prefix {prefix} is not {session}"));
    } else if !(1..=longest).contains(&prefix.prefix_len()) {
        found.mistake(format!("prefix {prefix}: AWS takes /1 to /{longest}"));
    }
}

fn check_tags(vif: &NewVif, found: &mut Findings) {
    if vif.tags.len() > 50 {
        found.mistake(format!("{} tags: AWS takes 50", vif.tags.len()));
    }
    for (at, tag) in vif.tags.iter().enumerate() {
        if vif
            .tags
            .iter()
            .take(at)
            .any(|earlier| earlier.key == tag.key)
        {
            found.mistake(format!("tag `{}` is given twice", tag.key));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bgp_core::VlanId;

    use super::*;
    use crate::aws::Tag;
    use crate::aws::tests::{carrier, vif};

    fn private() -> NewVif {
        NewVif {
            carrier: "dxcon-1".into(),
            name: "prod".into(),
            kind: VifKind::Private,
            vlan: VlanId::new(101).unwrap(),
            mtu: None,
            peer: NewPeer {
                asn: Asn(65010),
                family: Family::Ipv4,
                addresses: pair("169.254.10.1/30", "169.254.10.2/30"),
                key: None,
            },
            gateway: Some(Gateway::Virtual("vgw-1".into())),
            route_filter_prefixes: Vec::new(),
            features: crate::aws::Features::default(),
            tags: Vec::new(),
        }
    }

    fn public() -> NewVif {
        NewVif {
            kind: VifKind::Public,
            gateway: None,
            route_filter_prefixes: vec!["203.0.113.0/24".parse().unwrap()],
            peer: NewPeer {
                addresses: pair("203.0.113.1/30", "203.0.113.2/30"),
                asn: Asn(64999),
                ..private().peer
            },
            ..private()
        }
    }

    fn pair(amazon: &str, customer: &str) -> Option<PeerAddresses> {
        Some(PeerAddresses {
            amazon: amazon.parse().unwrap(),
            customer: customer.parse().unwrap(),
        })
    }

    fn mistakes(new: &NewVif) -> Vec<String> {
        let vifs = [vif("a", 7, "available"), vif("gone", 101, "deleted")];
        let gateways = [DxGateway {
            id: "gw-1".into(),
            name: "hub".into(),
            amazon_asn: Some(Asn(64512)),
            state: "available".into(),
            owner: None,
            tags: Vec::new(),
        }];
        check(
            new,
            Surroundings {
                carrier: &carrier(),
                vifs: &vifs,
                gateways: &gateways,
            },
        )
        .mistakes
    }

    /// One change to a good interface, and a part of the one mistake it makes.
    fn refused(base: NewVif, change: impl FnOnce(&mut NewVif), expected: &str) {
        let mut new = base;
        change(&mut new);
        let found = mistakes(&new);
        assert!(
            found.len() == 1 && found[0].contains(expected),
            "{expected}: {found:?}"
        );
    }

    #[test]
    fn good_interfaces_have_no_mistakes() {
        assert_eq!(mistakes(&private()), Vec::<String>::new());
        assert_eq!(mistakes(&public()), Vec::<String>::new());
    }

    #[test]
    fn each_mistake_is_named() {
        refused(private(), |v| v.name = "Prod_1".into(), "a–z");
        refused(private(), |v| v.name = "x".repeat(101), "100");
        refused(private(), |v| v.vlan = VlanId::new(7).unwrap(), "dxvif-a");
        refused(private(), |v| v.mtu = Some(9000), "1500 or 8500 or 9001");
        refused(private(), |v| v.gateway = None, "--gateway");
        refused(private(), |v| v.peer.asn = Asn(0), "reserved");
        refused(private(), |v| v.peer.asn = Asn(65_535), "reserved");
        refused(
            private(),
            |v| v.peer.addresses = pair("10.0.0.1/30", "10.0.1.2/30"),
            "one network",
        );
        refused(
            private(),
            |v| v.peer.addresses = pair("10.0.0.1/30", "10.0.0.3/30"),
            "broadcast",
        );
        refused(
            private(),
            |v| v.peer.addresses = pair("10.0.0.1/29", "10.0.0.2/30"),
            "one mask",
        );
        refused(
            private(),
            |v| v.peer.addresses = pair("169.254.169.253/30", "169.254.169.254/30"),
            "metadata",
        );
        refused(
            private(),
            |v| v.peer.family = Family::Ipv6,
            "AWS's to assign",
        );
        refused(
            private(),
            |v| v.route_filter_prefixes = public().route_filter_prefixes,
            "public",
        );
        refused(
            private(),
            |v| {
                v.tags = vec![
                    Tag {
                        key: "a".into(),
                        value: "b".into()
                    };
                    2
                ]
            },
            "twice",
        );
        refused(public(), |v| v.gateway = private().gateway, "no gateway");
        refused(public(), |v| v.peer.addresses = None, "that you own");
        refused(
            public(),
            |v| v.peer.addresses = private().peer.addresses,
            "public addresses",
        );
        refused(public(), |v| v.peer.asn = Asn(7224), "AWS's own end");
        refused(
            public(),
            |v| v.route_filter_prefixes.clear(),
            "--route-filter-prefix",
        );
        refused(
            public(),
            |v| v.route_filter_prefixes = vec!["10.1.2.3/8".parse().unwrap()],
            "host bits",
        );
        refused(
            public(),
            |v| v.route_filter_prefixes = vec!["2001:db8::/32".parse().unwrap()],
            "not ipv4",
        );
    }

    #[test]
    fn a_transit_interface_needs_a_direct_connect_gateway_of_another_asn() {
        let transit = NewVif {
            kind: VifKind::Transit,
            ..private()
        };
        refused(transit.clone(), |_| (), "Direct Connect gateway");
        let hub = Some(Gateway::DirectConnect("gw-1".into()));
        refused(
            transit,
            |v| (v.gateway, v.peer.asn) = (hub, Asn(64512)),
            "AWS's own end",
        );
    }

    #[test]
    fn a_connection_that_is_not_there_yet_is_refused() {
        let new = private();
        let ordered = Carrier {
            state: "requested".into(),
            ..carrier()
        };
        let found = check(
            &new,
            Surroundings {
                carrier: &ordered,
                vifs: &[],
                gateways: &[],
            },
        );
        assert!(found.mistakes[0].contains("still requested"), "{found:?}");
        let down = Carrier {
            state: "down".into(),
            ..carrier()
        };
        let found = check(
            &new,
            Surroundings {
                carrier: &down,
                vifs: &[],
                gateways: &[],
            },
        );
        assert!(
            found.mistakes.is_empty() && found.doubts.len() == 1,
            "{found:?}"
        );
    }

    #[test]
    fn a_name_that_is_taken_is_told() {
        let vifs = [vif("prod", 7, "down")];
        let around = Surroundings {
            carrier: &carrier(),
            vifs: &vifs,
            gateways: &[],
        };
        assert!(check(&private(), around).doubts[0].contains("dxvif-prod is named prod too"));
    }

    #[test]
    fn addresses_of_another_interface_are_refused() {
        let mut other = vif("a", 7, "down");
        other.peers[0].customer_address = Some("169.254.10.2/29".parse().unwrap());
        let vifs = [other];
        let found = check(
            &private(),
            Surroundings {
                carrier: &carrier(),
                vifs: &vifs,
                gateways: &[],
            },
        );
        assert!(found.mistakes[0].contains("overlap"), "{found:?}");
    }
}
