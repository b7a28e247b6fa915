//! BGP peers of virtual interfaces: `CreateBGPPeer`, `DeleteBGPPeer`.

use bgp_core::config::{AuthKey, VifKind};
use bgp_core::{Asn, Family};
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ApiError;
use super::router::{Admin, PeerIntent};
use super::rules;
use super::simulator::{Account, Simulator, Time};
use super::vif::{Vif, asn_int};

pub struct BgpPeer {
    pub id: String,
    pub family: Family,
    pub asn: Asn,
    pub key: AuthKey,
    /// Amazon's address with its mask.
    pub amazon: IpNet,
    pub customer: IpNet,
    pub phase: PeerPhase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerPhase {
    Pending { until: Time },
    Available,
    Deleting { until: Time },
}

/// The members about BGP of every request that makes a peer. No `Debug`: it
/// holds the key.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewPeer {
    asn: Option<i64>,
    asn_long: Option<i64>,
    auth_key: Option<String>,
    address_family: Option<Family>,
    amazon_address: Option<String>,
    customer_address: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateBgpPeer {
    virtual_interface_id: Option<String>,
    #[serde(rename = "newBGPPeer")]
    new: Option<NewPeer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteBgpPeer {
    virtual_interface_id: Option<String>,
    asn: Option<i64>,
    asn_long: Option<i64>,
    customer_address: Option<String>,
    bgp_peer_id: Option<String>,
}

impl BgpPeer {
    pub fn advance(&mut self, now: Time) {
        if matches!(self.phase, PeerPhase::Pending { until } if now >= until) {
            self.phase = PeerPhase::Available;
        }
    }

    pub fn is_gone(&self, now: Time) -> bool {
        matches!(self.phase, PeerPhase::Deleting { until } if now >= until)
    }

    pub fn is_provisioned(&self) -> bool {
        self.phase == PeerPhase::Available
    }

    pub fn intent(&self, prefix_limit: u32, admin: Admin) -> PeerIntent {
        PeerIntent {
            id: self.id.clone(),
            family: self.family,
            amazon: self.amazon,
            customer: self.customer,
            asn: self.asn,
            key: self.key.clone(),
            prefix_limit,
            admin,
        }
    }
}

impl Simulator {
    pub(super) fn create_bgp_peer(
        &mut self,
        caller: &Account,
        request: CreateBgpPeer,
    ) -> Result<Value, ApiError> {
        // The model requires neither.
        let (Some(id), Some(new)) = (request.virtual_interface_id, request.new) else {
            return Err(ApiError::client(
                "virtualInterfaceId and newBGPPeer are required.",
            ));
        };
        let at = self.vif_index(caller, &id)?;
        if !self.vifs[at].lives() {
            return Err(ApiError::client(format!(
                "Virtual Interface {id} is being deleted."
            )));
        }
        let family = new.address_family.unwrap_or(Family::Ipv4);
        if self.vifs[at].peers.iter().any(|peer| peer.family == family) {
            return Err(ApiError::client(format!(
                "Virtual Interface {id} already has a BGP peer of address family {family}."
            )));
        }
        let peer = self.new_peer(self.vifs[at].kind, new)?;
        self.vifs[at].peers.push(peer);
        Ok(json!({ "virtualInterface": self.vif_json(&self.vifs[at]) }))
    }

    pub(super) fn delete_bgp_peer(
        &mut self,
        caller: &Account,
        request: &DeleteBgpPeer,
    ) -> Result<Value, ApiError> {
        let id = request.virtual_interface_id.as_deref();
        let id = id.ok_or_else(|| ApiError::client("virtualInterfaceId is required."))?;
        let at = self.vif_index(caller, id)?;
        let until = self.now + self.delays.deleting;
        let vif = &mut self.vifs[at];
        let here = vif
            .peers
            .iter()
            .position(|peer| request.names(peer))
            .ok_or_else(|| {
                ApiError::client(format!("Virtual Interface {id} has no such BGP peer."))
            })?;
        let live = |peer: &&BgpPeer| !matches!(peer.phase, PeerPhase::Deleting { .. });
        if vif.peers.iter().filter(live).count() < 2 {
            let text = "The last BGP peer of a virtual interface can not be deleted.";
            return Err(ApiError::client(text));
        }
        vif.peers[here].phase = PeerPhase::Deleting { until };
        Ok(json!({ "virtualInterface": self.vif_json(&self.vifs[at]) }))
    }

    /// A peer as a request asks for it, with what AWS adds: addresses and key.
    pub(super) fn new_peer(&mut self, kind: VifKind, new: NewPeer) -> Result<BgpPeer, ApiError> {
        let family = new.address_family.unwrap_or(Family::Ipv4);
        let asn = rules::customer_asn(new.asn, new.asn_long)?;
        let (amazon, customer) = (
            new.amazon_address.as_deref(),
            new.customer_address.as_deref(),
        );
        let (amazon, customer) = match rules::addresses(kind, family, amazon, customer)? {
            Some(pair) => pair,
            None => self.assign_addresses(family)?,
        };
        let key = new.auth_key.unwrap_or_else(|| self.ids.auth_key());
        Ok(BgpPeer {
            id: self.ids.short("dxpeer"),
            family,
            asn,
            key: rules::auth_key(key)?,
            amazon,
            customer,
            phase: PeerPhase::Pending {
                until: self.now + self.delays.pending,
            },
        })
    }

    fn assign_addresses(&self, family: Family) -> Result<(IpNet, IpNet), ApiError> {
        let peers = self.vifs.iter().flat_map(|vif| &vif.peers);
        let taken: Vec<IpNet> = peers.map(|peer| peer.amazon).collect();
        let pair = match family {
            Family::Ipv4 => rules::link_local_pair(&taken),
            Family::Ipv6 => rules::ipv6_pair(&taken),
        };
        pair.ok_or_else(|| ApiError::client("No peer addresses are left."))
    }

    pub(super) fn peer_json(&self, vif: &Vif, peer: &BgpPeer) -> Value {
        let carrier = self.carrier(&vif.connection);
        // A peer is never further than its VIF.
        let state = match (self.vif_state(vif), peer.phase) {
            ("verifying", _) => "verifying",
            ("deleted" | "rejected", _) => "deleted",
            ("deleting", _) | (_, PeerPhase::Deleting { .. }) => "deleting",
            ("confirming" | "pending", _) | (_, PeerPhase::Pending { .. }) => "pending",
            (_, PeerPhase::Available) => "available",
        };
        json!({
            "bgpPeerId": peer.id,
            "asn": asn_int(peer.asn),
            "asnLong": peer.asn,
            "authKey": peer.key.expose(),
            "addressFamily": peer.family,
            "amazonAddress": peer.amazon,
            "customerAddress": peer.customer,
            "bgpPeerState": state,
            "bgpStatus": if self.is_up(&peer.id) { "up" } else { "down" },
            "awsDeviceV2": carrier.map(|c| c.device()),
            "awsLogicalDeviceId": carrier.map(|c| c.device()),
        })
    }
}

impl DeleteBgpPeer {
    /// Whether the request means this peer: by its id, or by ASN and address.
    fn names(&self, peer: &BgpPeer) -> bool {
        if let Some(id) = &self.bgp_peer_id {
            return *id == peer.id;
        }
        let asn = self.asn_long.or(self.asn);
        let address = self.customer_address.as_ref();
        (asn.is_some() || address.is_some())
            && asn.is_none_or(|asn| asn == i64::from(peer.asn.0))
            && address.is_none_or(|address| *address == peer.customer.to_string())
    }
}
