//! SDK types to ours. What can't be read becomes absent; a call never fails
//! for it.

use std::str::FromStr;

use aws_sdk_directconnect::types as sdk;
use bgp_core::{Asn, Family, VlanId};
use ipnet::IpNet;

use super::types::{
    Association, BgpPeer, Carrier, DxGateway, Gateway, PeerKey, Tag, VirtualInterface,
};

/// The SDK gives the same fields three types: flat in the outputs of the
/// create calls for private and public interfaces, and [`sdk::VirtualInterface`].
macro_rules! virtual_interface {
    ($vif:expr) => {{
        let vif = $vif;
        let asn = $crate::aws::convert::asn(vif.asn_long(), vif.asn());
        let mut peers: Vec<_> = vif
            .bgp_peers()
            .iter()
            .filter_map($crate::aws::convert::peer)
            .collect();
        if peers.is_empty() {
            // Right after creation the list can be empty while the flat fields are there.
            peers.extend($crate::aws::convert::flat_peer(
                vif.address_family(),
                asn,
                vif.amazon_address(),
                vif.customer_address(),
                vif.auth_key(),
            ));
        }
        $crate::aws::types::VirtualInterface {
            id: $crate::aws::convert::text(vif.virtual_interface_id()),
            name: $crate::aws::convert::text(vif.virtual_interface_name()),
            carrier: $crate::aws::convert::text(vif.connection_id()),
            kind: $crate::aws::types::Kind::from_aws(
                vif.virtual_interface_type().unwrap_or("unknown"),
            ),
            state: vif
                .virtual_interface_state()
                .map_or("unknown", |s| s.as_str())
                .to_owned(),
            vlan: $crate::aws::convert::vlan(vif.vlan()),
            mtu: vif.mtu().and_then(|mtu| u32::try_from(mtu).ok()),
            asn,
            amazon_asn: vif
                .amazon_side_asn()
                .and_then($crate::aws::convert::long_asn),
            gateway: $crate::aws::convert::gateway(
                vif.virtual_gateway_id(),
                vif.direct_connect_gateway_id(),
            ),
            region: vif.region().map(str::to_owned),
            location: vif.location().map(str::to_owned),
            owner: vif.owner_account().map(str::to_owned),
            route_filter_prefixes: vif
                .route_filter_prefixes()
                .iter()
                .filter_map(|prefix| $crate::aws::convert::address(prefix.cidr()))
                .collect(),
            peers,
            features: $crate::aws::types::Features {
                site_link: vif.site_link_enabled(),
                rate_limit: vif
                    .rate_limit()
                    .filter(|limit| !limit.is_empty())
                    .map(str::to_owned),
                prefix_pool_ipv4: $crate::aws::convert::count(
                    vif.prefix_pool_allocated_count_ipv4(),
                ),
                prefix_pool_ipv6: $crate::aws::convert::count(
                    vif.prefix_pool_allocated_count_ipv6(),
                ),
            },
            tags: vif.tags().iter().map($crate::aws::convert::tag).collect(),
        }
    }};
}
pub(super) use virtual_interface;

pub(super) fn described(vif: &sdk::VirtualInterface) -> VirtualInterface {
    virtual_interface!(vif)
}

pub(super) fn connection(connection: &sdk::Connection) -> Carrier {
    Carrier {
        id: text(connection.connection_id()),
        name: text(connection.connection_name()),
        owner: connection.owner_account().map(str::to_owned),
        state: connection
            .connection_state()
            .map_or("unknown", |s| s.as_str())
            .to_owned(),
        jumbo_frames: connection.jumbo_frame_capable(),
        hosted_vlan: vlan(connection.vlan()),
        macsec: macsec(connection.mac_sec_keys()),
        tags: connection.tags().iter().map(tag).collect(),
    }
}

/// Those that are there, or coming.
fn macsec(keys: &[sdk::MacSecKey]) -> Vec<String> {
    let stays =
        |key: &&sdk::MacSecKey| !matches!(key.state(), Some("disassociating" | "disassociated"));
    let secrets = keys.iter().filter(stays).filter_map(|key| key.secret_arn());
    secrets.map(str::to_owned).collect()
}

pub(super) fn lag(lag: &sdk::Lag) -> Carrier {
    Carrier {
        id: text(lag.lag_id()),
        name: text(lag.lag_name()),
        owner: lag.owner_account().map(str::to_owned),
        state: lag.lag_state().map_or("unknown", |s| s.as_str()).to_owned(),
        jumbo_frames: lag.jumbo_frame_capable(),
        hosted_vlan: None,
        macsec: macsec(lag.mac_sec_keys()),
        tags: lag.tags().iter().map(tag).collect(),
    }
}

pub(super) fn dx_gateway(gateway: &sdk::DirectConnectGateway) -> DxGateway {
    DxGateway {
        id: text(gateway.direct_connect_gateway_id()),
        name: text(gateway.direct_connect_gateway_name()),
        amazon_asn: gateway.amazon_side_asn().and_then(long_asn),
        state: gateway
            .direct_connect_gateway_state()
            .map_or("unknown", |s| s.as_str())
            .to_owned(),
        owner: gateway.owner_account().map(str::to_owned),
        tags: gateway.tags().iter().map(tag).collect(),
    }
}

pub(super) fn association(association: &sdk::DirectConnectGatewayAssociation) -> Association {
    let target = association
        .associated_gateway()
        .and_then(|gateway| gateway.id())
        .or(association.virtual_gateway_id());
    Association {
        id: text(association.association_id()),
        gateway: text(association.direct_connect_gateway_id()),
        target: text(target),
        state: association
            .association_state()
            .map_or("unknown", |s| s.as_str())
            .to_owned(),
        allowed: association
            .allowed_prefixes_to_direct_connect_gateway()
            .iter()
            .filter_map(|prefix| address(prefix.cidr()))
            .collect(),
    }
}

pub(super) fn count(number: Option<i32>) -> Option<u32> {
    number.and_then(|number| u32::try_from(number).ok())
}

pub(super) fn peer(peer: &sdk::BgpPeer) -> Option<BgpPeer> {
    let amazon_address = address(peer.amazon_address());
    let customer_address = address(peer.customer_address());
    Some(BgpPeer {
        id: peer.bgp_peer_id().map(str::to_owned),
        family: family(peer.address_family(), customer_address)?,
        asn: asn(peer.asn_long(), peer.asn()),
        amazon_address,
        customer_address,
        state: peer.bgp_peer_state().map(|s| s.as_str().to_owned()),
        status: peer.bgp_status().map(|s| s.as_str().to_owned()),
        key: PeerKey::from_aws(peer.auth_key()),
    })
}

pub(super) fn flat_peer(
    family_given: Option<&sdk::AddressFamily>,
    asn: Option<Asn>,
    amazon: Option<&str>,
    customer: Option<&str>,
    key: Option<&str>,
) -> Option<BgpPeer> {
    let customer_address = address(customer);
    Some(BgpPeer {
        id: None,
        family: family(family_given, customer_address)?,
        asn,
        amazon_address: address(amazon),
        customer_address,
        state: None,
        status: None,
        key: PeerKey::from_aws(key),
    })
}

/// `asn` reads 0 for numbers above 2147483646; `asnLong` is always right.
pub(super) fn asn(long: Option<i64>, short: i32) -> Option<Asn> {
    long.and_then(long_asn)
        .or_else(|| u32::try_from(short).ok().filter(|n| *n != 0).map(Asn))
}

pub(super) fn long_asn(number: i64) -> Option<Asn> {
    u32::try_from(number).ok().filter(|n| *n != 0).map(Asn)
}

/// The SDK's default for an absent VLAN is 0.
pub(super) fn vlan(number: i32) -> Option<VlanId> {
    u16::try_from(number).ok().and_then(VlanId::new)
}

pub(super) fn address(text: Option<&str>) -> Option<IpNet> {
    text.filter(|text| !text.is_empty())
        .and_then(|text| IpNet::from_str(text).ok())
}

pub(super) fn gateway(virtual_id: Option<&str>, dx_id: Option<&str>) -> Option<Gateway> {
    let given = |id: &&str| !id.is_empty();
    dx_id
        .filter(given)
        .map(|id| Gateway::DirectConnect(id.to_owned()))
        .or_else(|| {
            virtual_id
                .filter(given)
                .map(|id| Gateway::Virtual(id.to_owned()))
        })
}

pub(super) fn tag(tag: &sdk::Tag) -> Tag {
    Tag {
        key: tag.key().to_owned(),
        value: text(tag.value()),
    }
}

pub(super) fn text(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

fn family(given: Option<&sdk::AddressFamily>, address: Option<IpNet>) -> Option<Family> {
    match given {
        Some(sdk::AddressFamily::IPv4) => Some(Family::Ipv4),
        Some(sdk::AddressFamily::IPv6) => Some(Family::Ipv6),
        _ => address.map(|net| Family::of(net.addr())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_long_asn_is_read_in_preference() {
        assert_eq!(asn(Some(4_200_000_001), 0), Some(Asn(4_200_000_001)));
        assert_eq!(asn(None, 65010), Some(Asn(65010)));
        assert_eq!(asn(Some(0), 0), None);
    }

    #[test]
    fn undocumented_states_are_kept_as_they_are() {
        let vif = sdk::VirtualInterface::builder()
            .virtual_interface_id("dxvif-1")
            .virtual_interface_type("private")
            .virtual_interface_state("approving".into())
            .build();
        assert_eq!(described(&vif).state, "approving");
    }

    #[test]
    fn flat_fields_stand_in_for_a_missing_list_of_peers() {
        let vif = sdk::VirtualInterface::builder()
            .customer_address("169.254.10.2/30")
            .amazon_address("169.254.10.1/30")
            .auth_key("canary-key-123")
            .build();
        let vif = described(&vif);
        assert_eq!(vif.peers.len(), 1);
        assert_eq!(
            vif.peers[0].customer_address.unwrap().to_string(),
            "169.254.10.2/30"
        );
        assert!(!format!("{vif:?}").contains("canary"));
    }
}
