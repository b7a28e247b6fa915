//! Direct Connect as this program sees it: the [`DirectConnect`] trait and its
//! own value types, whose `Debug` shows no key.
//!
//! Only the modules here name `aws_sdk_*`. Nothing of the SDK's leaves them:
//! `Debug` of the SDK's types prints `auth_key` in clear, and so would an error
//! that holds a response.

mod any;
mod client;
mod convert;
mod error;
mod failover_test;
mod gateways;
mod once;
mod secret;
mod types;

use std::fmt;

use ipnet::IpNet;
use zeroize::Zeroizing;

pub(crate) use any::is_read_only;
pub(crate) use client::{Access, Client};
pub(crate) use error::{AwsError, Outcome};
pub(crate) use once::{PAUSES, Refusal, once};
pub(crate) use secret::SecretAt;
pub(crate) use types::{
    Association, BgpPeer, Carrier, DxGateway, Features, Gateway, Kind, NewGateway, NewPeer, NewVif,
    PeerAddresses, PeerKey, Tag, VifUpdate, VirtualInterface, kind_name,
};

/// Which virtual interfaces to describe.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Filter<'a> {
    All,
    Id(&'a str),
    /// On this connection or LAG.
    Carrier(&'a str),
}

/// As in "could not …".
impl fmt::Display for Filter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("list the virtual interfaces"),
            Self::Id(id) => write!(f, "describe virtual interface {id}"),
            Self::Carrier(id) => write!(f, "list the virtual interfaces on {id}"),
        }
    }
}

/// The calls that this program makes. Lists are complete: every page is read.
pub(crate) trait DirectConnect {
    /// The Region that is asked.
    fn region(&self) -> &str;

    async fn virtual_interfaces(
        &self,
        filter: Filter<'_>,
    ) -> Result<Vec<VirtualInterface>, AwsError>;

    /// A connection (`dxcon-…`) or LAG (`dxlag-…`).
    async fn carrier(&self, id: &str) -> Result<Option<Carrier>, AwsError>;

    async fn connections(&self) -> Result<Vec<Carrier>, AwsError>;

    async fn lags(&self) -> Result<Vec<Carrier>, AwsError>;

    async fn gateways(&self) -> Result<Vec<DxGateway>, AwsError>;

    /// Of one Direct Connect gateway.
    async fn associations(&self, gateway: &str) -> Result<Vec<Association>, AwsError>;

    /// Asks once, as [`Self::create`] does. Names need not be unique at AWS: done
    /// twice, there are two.
    async fn create_gateway(&self, gateway: &NewGateway) -> Result<DxGateway, AwsError>;

    /// The state that it is in afterwards.
    async fn delete_gateway(&self, id: &str) -> Result<String, AwsError>;

    /// Asks once. `target` is a `vgw-…` or `tgw-…`.
    async fn associate(
        &self,
        gateway: &str,
        target: &str,
        allowed: &[IpNet],
    ) -> Result<Association, AwsError>;

    async fn update_association(
        &self,
        id: &str,
        add: &[IpNet],
        remove: &[IpNet],
    ) -> Result<Association, AwsError>;

    async fn disassociate(&self, id: &str) -> Result<Association, AwsError>;

    /// Asks once. There is no client token: after [`Outcome::Unknown`], look at
    /// what is there before asking again.
    async fn create(&self, vif: &NewVif) -> Result<VirtualInterface, AwsError>;

    /// Adds the session of the other family to a virtual interface.
    async fn create_peer(&self, vif: &str, peer: &NewPeer) -> Result<VirtualInterface, AwsError>;

    /// By its identifier, `dxpeer-…`.
    async fn delete_peer(&self, vif: &str, peer: &str) -> Result<VirtualInterface, AwsError>;

    async fn update(&self, id: &str, update: &VifUpdate) -> Result<VirtualInterface, AwsError>;

    /// Adds tags to the resource, or changes their values.
    async fn tag(&self, arn: &str, tags: &[Tag]) -> Result<(), AwsError>;

    async fn untag(&self, arn: &str, keys: &[String]) -> Result<(), AwsError>;

    /// AWS's sample text for a router type. It holds keys in clear.
    async fn router_configuration(
        &self,
        id: &str,
        router_type: &str,
    ) -> Result<Zeroizing<String>, AwsError>;

    /// Asks once. The key is in the secret of this ARN.
    async fn associate_macsec_key(&self, carrier: &str, secret: &str) -> Result<(), AwsError>;

    async fn disassociate_macsec_key(&self, carrier: &str, secret: &str) -> Result<(), AwsError>;

    /// A secret that Secrets Manager or Systems Manager keeps.
    async fn secret(&self, at: &SecretAt) -> Result<Zeroizing<String>, AwsError>;

    /// The state that the interface is in afterwards, usually `deleting`.
    async fn delete(&self, id: &str) -> Result<String, AwsError>;
}

/// Values for the tests of other modules.
#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use bgp_core::config::VifKind;
    use bgp_core::{Asn, Family, VlanId};

    use super::*;

    /// An available dedicated connection.
    pub(crate) fn carrier() -> Carrier {
        Carrier {
            id: "dxcon-1".into(),
            name: "trunk".into(),
            owner: Some("111122223333".into()),
            state: "available".into(),
            jumbo_frames: Some(true),
            hosted_vlan: None,
            macsec: Vec::new(),
            tags: Vec::new(),
        }
    }

    /// A private virtual interface `dxvif-NAME` with one IPv4 session.
    pub(crate) fn vif(name: &str, vlan: u16, state: &str) -> VirtualInterface {
        VirtualInterface {
            id: format!("dxvif-{name}"),
            name: name.into(),
            carrier: "dxcon-1".into(),
            kind: Kind::Known(VifKind::Private),
            state: state.into(),
            vlan: VlanId::new(vlan),
            mtu: Some(1500),
            asn: Some(Asn(65010)),
            amazon_asn: Some(Asn(64512)),
            gateway: Some(Gateway::Virtual("vgw-1".into())),
            region: Some("eu-central-1".into()),
            location: Some("EqDC2".into()),
            owner: Some("111122223333".into()),
            route_filter_prefixes: Vec::new(),
            peers: vec![BgpPeer {
                id: Some("dxpeer-1".into()),
                family: Family::Ipv4,
                asn: Some(Asn(65010)),
                amazon_address: Some("169.254.101.1/30".parse().unwrap()),
                customer_address: Some("169.254.101.2/30".parse().unwrap()),
                state: Some("available".into()),
                status: Some("up".into()),
                key: PeerKey::from_aws(Some("canary-key-123")),
            }],
            features: Features::default(),
            tags: Vec::new(),
        }
    }
}
