//! Virtual interfaces as they are: their states over time, how the API shows
//! them, and what the router should make of them. How they come to be is in
//! `vif_create`, their BGP peers in `bgp_peer`.

use std::net::IpAddr;

use bgp_core::config::VifKind;
use bgp_core::{Asn, Family, VlanId, aws};
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::{Value, json};

use super::bgp_peer::BgpPeer;
use super::error::ApiError;
use super::page::Page;
use super::rate_limit::bandwidth;
use super::router::{Admin, VifIntent};
use super::rules;
use super::simulator::{Account, Simulator, Time};
use super::vif_create::site_link;

pub struct Vif {
    pub id: String,
    /// Who confirms and uses it; another account than the connection's owner
    /// where it was allocated.
    pub owner: String,
    pub region: String,
    /// Or LAG.
    pub connection: String,
    pub name: String,
    pub kind: VifKind,
    pub vlan: VlanId,
    pub mtu: u32,
    /// `None` until a hosted VIF is confirmed.
    pub attachment: Option<Attachment>,
    pub route_filter_prefixes: Vec<IpNet>,
    /// Prefixes per family that AWS accepts: private and transit only.
    pub prefix_pool: PrefixPool,
    /// Mbit/s.
    pub rate_limit: Option<u32>,
    pub site_link: SiteLink,
    pub peers: Vec<BgpPeer>,
    pub phase: Phase,
}

/// What a private or transit VIF leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attachment {
    VirtualGateway(String),
    DirectConnectGateway(String),
    /// A public VIF leads to AWS's public prefixes.
    Public,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SiteLink {
    Enabled,
    Disabled,
}

/// How many prefixes of each family AWS accepts (2026-08).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixPool {
    pub ipv4: u32,
    pub ipv6: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Hosted: waits for its owner's Confirm call.
    Confirming,
    /// Public: AWS looks at the prefixes.
    Verifying {
        until: Time,
    },
    Pending {
        until: Time,
    },
    /// Provisioned: `available` or `down` as BGP is, `testing` in a test.
    Live,
    Deleting {
        until: Time,
    },
    /// Listed until then.
    Deleted {
        until: Time,
    },
    /// Hosted, and its owner deleted it instead of a Confirm call.
    Rejected {
        until: Time,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeVifs {
    connection_id: Option<String>,
    virtual_interface_id: Option<String>,
    #[serde(flatten)]
    page: Page,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VifId {
    pub virtual_interface_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateVif {
    virtual_interface_id: String,
    virtual_interface_name: Option<String>,
    mtu: Option<i64>,
    enable_site_link: Option<bool>,
    rate_limit: Option<String>,
    #[serde(flatten)]
    pool: PoolRequest,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolRequest {
    prefix_pool_allocated_count_ipv4: Option<u32>,
    prefix_pool_allocated_count_ipv6: Option<u32>,
}

impl Vif {
    /// It has its VLAN no more, and is only listed.
    pub fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Deleted { .. } | Phase::Rejected { .. })
    }

    /// Not on its way out.
    pub fn lives(&self) -> bool {
        !self.is_gone() && !matches!(self.phase, Phase::Deleting { .. })
    }
}

impl Simulator {
    pub(super) fn describe_vifs(
        &self,
        caller: &Account,
        request: &DescribeVifs,
    ) -> Result<Value, ApiError> {
        if let Some(id) = &request.connection_id {
            self.own_carrier(caller, id)?;
        }
        // An unknown VIF id is no error: the list is empty.
        let wanted = |vif: &&Vif| {
            self.may_see(caller, vif)
                && request
                    .connection_id
                    .as_ref()
                    .is_none_or(|id| *id == vif.connection)
                && request
                    .virtual_interface_id
                    .as_ref()
                    .is_none_or(|id| *id == vif.id)
        };
        let vifs = self
            .vifs
            .iter()
            .filter(wanted)
            .map(|vif| self.vif_json(vif))
            .collect();
        request.page.of("virtualInterfaces", vifs)
    }

    pub(super) fn update_vif(
        &mut self,
        caller: &Account,
        request: &UpdateVif,
    ) -> Result<Value, ApiError> {
        let at = self.vif_index(caller, &request.virtual_interface_id)?;
        let vif = &self.vifs[at];
        if vif.kind == VifKind::Public && (request.mtu.is_some() || request.pool.is_given()) {
            let text = "Of a public virtual interface only name and rate limit can be changed.";
            return Err(ApiError::client(text));
        }
        let name = request
            .virtual_interface_name
            .as_deref()
            .map(rules::vif_name)
            .transpose()?;
        let mtu = request
            .mtu
            .map(|mtu| rules::mtu(vif.kind, Some(mtu)))
            .transpose()?;
        let pool = self.prefix_pool(
            &vif.connection,
            vif.prefix_pool,
            vif.prefix_pool,
            request.pool,
        )?;
        let rate_limit = self.rate_limit(
            &vif.connection,
            Some(&vif.id),
            request.rate_limit.as_deref(),
        )?;
        let site_link = match request.enable_site_link {
            None => vif.site_link,
            wanted => site_link(vif.attachment.as_ref(), wanted)?,
        };
        let vif = &mut self.vifs[at];
        vif.prefix_pool = pool;
        vif.rate_limit = rate_limit.or(vif.rate_limit);
        vif.site_link = site_link;
        if let Some(name) = name {
            vif.name = name;
        }
        if let Some(mtu) = mtu {
            vif.mtu = mtu;
        }
        Ok(self.vif_json(&self.vifs[at]))
    }

    pub(super) fn delete_vif(
        &mut self,
        caller: &Account,
        request: &VifId,
    ) -> Result<Value, ApiError> {
        let at = self.vif_index(caller, &request.virtual_interface_id)?;
        let vif = &mut self.vifs[at];
        vif.phase = match vif.phase {
            Phase::Confirming if vif.owner == caller => Phase::Rejected {
                until: self.now + self.delays.listed,
            },
            phase @ (Phase::Deleting { .. } | Phase::Deleted { .. } | Phase::Rejected { .. }) => {
                phase
            }
            _ => Phase::Deleting {
                until: self.now + self.delays.deleting,
            },
        };
        Ok(json!({ "virtualInterfaceState": self.vif_state(&self.vifs[at]) }))
    }

    /// A VIF that the caller may change: its own, or one on its connection.
    pub(super) fn vif_index(&self, caller: &Account, id: &str) -> Result<usize, ApiError> {
        let here = |vif: &Vif| vif.id == id && !vif.is_gone() && self.may_see(caller, vif);
        self.vifs.iter().position(here).ok_or_else(|| {
            ApiError::client(format!("Virtual Interface with ID {id} does not exist."))
        })
    }

    /// The prefix pool after a request, within its bounds and the connection's.
    /// `held`: what the VIF itself has of the connection's pool already.
    pub(super) fn prefix_pool(
        &self,
        connection: &str,
        current: PrefixPool,
        held: PrefixPool,
        request: PoolRequest,
    ) -> Result<PrefixPool, ApiError> {
        let pool = PrefixPool {
            ipv4: request
                .prefix_pool_allocated_count_ipv4
                .unwrap_or(current.ipv4),
            ipv6: request
                .prefix_pool_allocated_count_ipv6
                .unwrap_or(current.ipv6),
        };
        if pool.ipv4 > 1000 || pool.ipv6 > 1000 {
            return Err(ApiError::client(
                "A prefix pool allocation is at most 1000 per family.",
            ));
        }
        let size = self.carrier(connection).map_or(0, |c| c.prefix_pool());
        let (taken_v4, taken_v6) = self.prefixes_allotted(connection);
        let fits = |taken: u32, held: u32, wanted: u32| taken - held.min(taken) + wanted <= size;
        if fits(taken_v4, held.ipv4, pool.ipv4) && fits(taken_v6, held.ipv6, pool.ipv6) {
            return Ok(pool);
        }
        Err(ApiError::limit(format!(
            "The prefix pool of {connection} has not that many left."
        )))
    }

    /// A VIF's prefixes fit into another connection's pool.
    pub(super) fn check_pool_room(&self, connection: &str, vif: &Vif) -> Result<(), ApiError> {
        let none = PrefixPool { ipv4: 0, ipv6: 0 };
        let request = PoolRequest::default();
        self.prefix_pool(connection, vif.prefix_pool, none, request)
            .map(|_| ())
    }

    /// How much of a connection's prefix pool its VIFs have, IPv4 and IPv6.
    pub(super) fn prefixes_allotted(&self, connection: &str) -> (u32, u32) {
        let vifs = self.vifs.iter().filter(|vif| {
            vif.connection == connection && vif.lives() && vif.kind != VifKind::Public
        });
        vifs.fold((0, 0), |(v4, v6), vif| {
            (v4 + vif.prefix_pool.ipv4, v6 + vif.prefix_pool.ipv6)
        })
    }

    pub(super) fn advance_vifs(&mut self) {
        let (now, delays) = (self.now, &self.delays);
        for vif in &mut self.vifs {
            loop {
                vif.phase = match vif.phase {
                    Phase::Verifying { until } if now >= until => Phase::Pending {
                        until: until + delays.pending,
                    },
                    Phase::Pending { until } if now >= until => Phase::Live,
                    Phase::Deleting { until } if now >= until => Phase::Deleted {
                        until: until + delays.listed,
                    },
                    _ => break,
                };
            }
            vif.peers.iter_mut().for_each(|peer| peer.advance(now));
            vif.peers.retain(|peer| !peer.is_gone(now));
        }
        let forgotten = |phase| matches!(phase, Phase::Deleted { until } | Phase::Rejected { until } if now >= until);
        self.vifs.retain(|vif| !forgotten(vif.phase));
    }

    pub(super) fn intent(&self, vif: &Vif) -> Option<VifIntent> {
        let trunk = self.trunk(&vif.connection)?;
        let attachment = vif.attachment.as_ref()?;
        if vif.phase != Phase::Live {
            return None;
        }
        let limit = |family| match (vif.kind, family) {
            (VifKind::Public, _) => aws::default_advertise_limit(vif.kind),
            (_, Family::Ipv4) => vif.prefix_pool.ipv4,
            (_, Family::Ipv6) => vif.prefix_pool.ipv6,
        };
        let peers = vif
            .peers
            .iter()
            .filter(|peer| peer.is_provisioned())
            .map(|peer| {
                let tested = self.is_tested(&vif.id, &peer.id);
                let admin = if tested {
                    Admin::Disabled
                } else {
                    Admin::Enabled
                };
                peer.intent(limit(peer.family), admin)
            });
        Some(VifIntent {
            id: vif.id.clone(),
            kind: vif.kind,
            trunk,
            vlan: vif.vlan,
            mtu: vif.mtu,
            asn: self.amazon_side_asn(attachment)?,
            peers: peers.collect(),
            advertise: self.announced(vif.kind, attachment),
        })
    }

    pub(super) fn vif_state(&self, vif: &Vif) -> &'static str {
        match vif.phase {
            Phase::Confirming => "confirming",
            Phase::Verifying { .. } => "verifying",
            Phase::Pending { .. } => "pending",
            Phase::Live if self.is_testing(&vif.id) => "testing",
            Phase::Live if vif.peers.iter().any(|peer| self.is_up(&peer.id)) => "available",
            Phase::Live => "down",
            Phase::Deleting { .. } => "deleting",
            Phase::Deleted { .. } => "deleted",
            Phase::Rejected { .. } => "rejected",
        }
    }

    /// The VIF as every answer shows it. It holds its keys, as AWS's answers do:
    /// never log it.
    pub(super) fn vif_json(&self, vif: &Vif) -> Value {
        let first = vif.peers.first();
        let carrier = self.carrier(&vif.connection);
        let (virtual_gateway, gateway) = match &vif.attachment {
            Some(Attachment::VirtualGateway(id)) => (Some(id), None),
            Some(Attachment::DirectConnectGateway(id)) => (None, Some(id)),
            Some(Attachment::Public) | None => (None, None),
        };
        let pool = (vif.kind != VifKind::Public).then_some(vif.prefix_pool);
        let filters = vif
            .route_filter_prefixes
            .iter()
            .map(|net| json!({ "cidr": net }));
        let peers = vif.peers.iter().map(|peer| self.peer_json(vif, peer));
        json!({
            "ownerAccount": vif.owner,
            "virtualInterfaceId": vif.id,
            "location": carrier.map(|c| c.location()),
            "connectionId": vif.connection,
            "virtualInterfaceType": vif.kind,
            "virtualInterfaceName": vif.name,
            "vlan": vif.vlan,
            "asn": first.map(|peer| asn_int(peer.asn)),
            "asnLong": first.map(|peer| peer.asn),
            "amazonSideAsn": vif.attachment.as_ref().and_then(|a| self.amazon_side_asn(a)),
            "authKey": first.map(|peer| peer.key.expose()),
            "amazonAddress": first.map(|peer| peer.amazon),
            "customerAddress": first.map(|peer| peer.customer),
            "addressFamily": first.map(|peer| peer.family),
            "virtualInterfaceState": self.vif_state(vif),
            "customerRouterConfig": self.logical_connection(vif),
            "mtu": vif.mtu,
            "jumboFrameCapable": vif.kind != VifKind::Public,
            "virtualGatewayId": virtual_gateway.map_or("", String::as_str),
            "directConnectGatewayId": gateway,
            "routeFilterPrefixes": filters.collect::<Vec<_>>(),
            "bgpPeers": peers.collect::<Vec<_>>(),
            "region": vif.region,
            "awsDeviceV2": carrier.map(|c| c.device()),
            "awsLogicalDeviceId": carrier.map(|c| c.device()),
            "siteLinkEnabled": vif.site_link == SiteLink::Enabled,
            "rateLimit": vif.rate_limit.map(bandwidth),
            "prefixPoolAllocatedCountIpv4": pool.map(|pool| pool.ipv4),
            "prefixPoolAllocatedCountIpv6": pool.map(|pool| pool.ipv6),
            "tags": self.tags_of(&self.arn(&vif.owner, "dxvif", &vif.id)),
        })
    }

    pub(super) fn amazon_side_asn(&self, attachment: &Attachment) -> Option<Asn> {
        match attachment {
            Attachment::Public => Some(aws::PUBLIC_ASN),
            Attachment::VirtualGateway(id) => self
                .seed
                .virtual_gateways
                .iter()
                .find(|gateway| gateway.id == *id)
                .map(|g| Asn(g.asn)),
            Attachment::DirectConnectGateway(id) => self
                .gateways
                .iter()
                .find(|gateway| gateway.id == *id)
                .map(|g| g.asn),
        }
    }

    fn may_see(&self, caller: &Account, vif: &Vif) -> bool {
        let carrier = self.carrier(&vif.connection);
        let concerns = vif.owner == caller || carrier.is_some_and(|c| c.owner() == caller);
        concerns && vif.region == self.region
    }
}

impl PoolRequest {
    const fn is_given(self) -> bool {
        self.prefix_pool_allocated_count_ipv4.is_some()
            || self.prefix_pool_allocated_count_ipv6.is_some()
    }
}

impl Default for PrefixPool {
    fn default() -> Self {
        let limit = aws::default_advertise_limit(VifKind::Private);
        Self {
            ipv4: limit,
            ipv6: limit,
        }
    }
}

/// `asn` is 0 for what doesn't fit: values above 2147483646.
pub fn asn_int(asn: Asn) -> u32 {
    if asn.0 > 2_147_483_646 { 0 } else { asn.0 }
}

/// An address without its mask.
pub fn host(net: IpNet) -> IpAddr {
    net.addr()
}
