//! Direct Connect gateways, what is attached to them, and the virtual private
//! gateways that EC2 made.

use bgp_core::Asn;
use bgp_core::config::VifKind;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ApiError;
use super::page::Page;
use super::rules;
use super::seed::{Owned, VirtualGateway};
use super::simulator::{Account, Simulator, Time};
use super::tag::{Tag, unique};
use super::vif::{Attachment, Vif};

pub struct Gateway {
    pub id: String,
    pub owner: String,
    pub name: String,
    /// Amazon's side of every VIF attached to it.
    pub asn: Asn,
    pub phase: GatewayPhase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayPhase {
    Available,
    Deleting { until: Time },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateGateway {
    direct_connect_gateway_name: String,
    amazon_side_asn: Option<i64>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeGateways {
    direct_connect_gateway_id: Option<String>,
    #[serde(flatten)]
    page: Page,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateGateway {
    direct_connect_gateway_id: String,
    new_direct_connect_gateway_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayId {
    direct_connect_gateway_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeAttachments {
    direct_connect_gateway_id: Option<String>,
    virtual_interface_id: Option<String>,
    #[serde(flatten)]
    page: Page,
}

/// Quotas page: VIFs a Direct Connect gateway.
const MAX_ATTACHMENTS: usize = 30;

impl Simulator {
    pub(super) fn create_gateway(
        &mut self,
        caller: &Account,
        request: CreateGateway,
    ) -> Result<Value, ApiError> {
        let asn = rules::amazon_asn(request.amazon_side_asn)?;
        let name = gateway_name(request.direct_connect_gateway_name)?;
        let tags = unique(request.tags)?;
        let id = self.ids.uuid();
        self.put_tags(self.arn(caller, "dx-gateway", &id), tags)?;
        let phase = GatewayPhase::Available;
        self.gateways.push(Gateway {
            id,
            owner: caller.to_owned(),
            name,
            asn,
            phase,
        });
        let created = self.gateways.last().expect("invariant: pushed just now");
        Ok(json!({ "directConnectGateway": self.gateway_json(created) }))
    }

    pub(super) fn describe_gateways(
        &self,
        caller: &Account,
        request: &DescribeGateways,
    ) -> Result<Value, ApiError> {
        let wanted = |gateway: &&Gateway| {
            let id = request.direct_connect_gateway_id.as_ref();
            gateway.owner == caller && id.is_none_or(|id| *id == gateway.id)
        };
        let gateways = self
            .gateways
            .iter()
            .filter(wanted)
            .map(|g| self.gateway_json(g));
        request.page.of("directConnectGateways", gateways.collect())
    }

    pub(super) fn update_gateway(
        &mut self,
        caller: &Account,
        request: UpdateGateway,
    ) -> Result<Value, ApiError> {
        let at = self.gateway_index(caller, &request.direct_connect_gateway_id)?;
        self.gateways[at].name = gateway_name(request.new_direct_connect_gateway_name)?;
        Ok(json!({ "directConnectGateway": self.gateway_json(&self.gateways[at]) }))
    }

    pub(super) fn delete_gateway(
        &mut self,
        caller: &Account,
        request: &GatewayId,
    ) -> Result<Value, ApiError> {
        let id = &request.direct_connect_gateway_id;
        let at = self.gateway_index(caller, id)?;
        if self.attached(id).next().is_some() {
            let text = format!("Direct Connect Gateway {id} has virtual interfaces attached.");
            return Err(ApiError::client(text));
        }
        if self
            .associations
            .iter()
            .any(|association| association.gateway == *id)
        {
            let text = format!("Direct Connect Gateway {id} has associations.");
            return Err(ApiError::client(text));
        }
        if self.gateways[at].phase == GatewayPhase::Available {
            let until = self.now + self.delays.deleting;
            self.gateways[at].phase = GatewayPhase::Deleting { until };
        }
        Ok(json!({ "directConnectGateway": self.gateway_json(&self.gateways[at]) }))
    }

    pub(super) fn describe_attachments(
        &self,
        caller: &Account,
        request: &DescribeAttachments,
    ) -> Result<Value, ApiError> {
        let (gateway, vif) = (
            &request.direct_connect_gateway_id,
            &request.virtual_interface_id,
        );
        if gateway.is_none() && vif.is_none() {
            let text = "directConnectGatewayId or virtualInterfaceId is required.";
            return Err(ApiError::client(text));
        }
        let mut attachments = vec![];
        for wanted in self.gateways.iter().filter(|g| g.owner == caller) {
            let here = self
                .attached(&wanted.id)
                .filter(|_| gateway.as_ref().is_none_or(|id| *id == wanted.id));
            let here = here.filter(|v| vif.as_ref().is_none_or(|id| *id == v.id));
            attachments.extend(here.map(|vif| self.attachment_json(wanted, vif)));
        }
        request
            .page
            .of("directConnectGatewayAttachments", attachments)
    }

    pub(super) fn describe_virtual_gateways(&self, caller: &Account) -> Value {
        let here = |gateway: &&VirtualGateway| gateway.owner() == caller && self.has_here(*gateway);
        let gateways = self.seed.virtual_gateways.iter().filter(here);
        let gateways = gateways.map(
            |gateway| json!({ "virtualGatewayId": gateway.id, "virtualGatewayState": "available" }),
        );
        json!({ "virtualGateways": gateways.collect::<Vec<_>>() })
    }

    pub(super) fn virtual_gateway(&self, id: &str) -> Result<&VirtualGateway, ApiError> {
        self.seed
            .virtual_gateways
            .iter()
            .find(|gateway| gateway.id == id)
            .ok_or_else(|| {
                ApiError::client(format!("Virtual Private Gateway {id} does not exist."))
            })
    }

    /// What other services made is in the Region of the request.
    pub(super) fn has_here(&self, owned: &impl Owned) -> bool {
        let region = owned
            .region()
            .or(self.seed.regions.first().map(String::as_str));
        region == Some(self.region.as_str())
    }

    pub(super) fn own_virtual_gateway(
        &self,
        caller: &Account,
        id: &str,
    ) -> Result<&VirtualGateway, ApiError> {
        let gateway = self.virtual_gateway(id)?;
        if gateway.owner() != caller || !self.has_here(gateway) {
            let text = format!("Virtual Private Gateway {id} does not exist.");
            return Err(ApiError::client(text));
        }
        Ok(gateway)
    }

    pub(super) fn gateway_index(&self, caller: &Account, id: &str) -> Result<usize, ApiError> {
        self.gateways
            .iter()
            .position(|g| g.id == id && g.owner == caller)
            .ok_or_else(|| {
                ApiError::client(format!(
                    "Direct Connect Gateway with ID {id} does not exist."
                ))
            })
    }

    /// The gateway is there and takes one more VIF of this kind.
    pub(super) fn check_gateway_room(
        &self,
        caller: &Account,
        id: &str,
        kind: VifKind,
    ) -> Result<(), ApiError> {
        let at = self.gateway_index(caller, id)?;
        if self.gateways[at].phase != GatewayPhase::Available {
            let text = format!("Direct Connect Gateway {id} is being deleted.");
            return Err(ApiError::client(text));
        }
        // User Guide: a gateway serves private or transit VIFs, not both.
        if self.attached(id).any(|vif| vif.kind != kind) {
            let text =
                format!("Direct Connect Gateway {id} has virtual interfaces of another type.");
            return Err(ApiError::client(text));
        }
        if self.attached(id).count() >= MAX_ATTACHMENTS {
            let text =
                format!("Direct Connect Gateway {id} has {MAX_ATTACHMENTS} attachments already.");
            return Err(ApiError::limit(text));
        }
        Ok(())
    }

    pub(super) fn advance_gateways(&mut self) {
        let now = self.now;
        let gone = |phase| matches!(phase, GatewayPhase::Deleting { until } if now >= until);
        self.gateways.retain(|gateway| !gone(gateway.phase));
    }

    /// VIFs on a gateway, those on their way out included.
    fn attached<'a>(&'a self, gateway: &'a str) -> impl Iterator<Item = &'a Vif> {
        self.vifs.iter().filter(move |vif| {
            let here = matches!(&vif.attachment,
                Some(Attachment::DirectConnectGateway(id)) if id == gateway);
            here && !vif.is_gone()
        })
    }

    fn gateway_json(&self, gateway: &Gateway) -> Value {
        let state = match gateway.phase {
            GatewayPhase::Available => "available",
            GatewayPhase::Deleting { .. } => "deleting",
        };
        let pools = self
            .attached(&gateway.id)
            .map(|v| v.prefix_pool.ipv4 + v.prefix_pool.ipv6);
        json!({
            "directConnectGatewayId": gateway.id,
            "directConnectGatewayName": gateway.name,
            "amazonSideAsn": gateway.asn,
            "ownerAccount": gateway.owner,
            "directConnectGatewayState": state,
            "totalPrefixPoolAllocations": pools.sum::<u32>(),
            "tags": self.tags_of(&self.arn(&gateway.owner, "dx-gateway", &gateway.id)),
        })
    }

    fn attachment_json(&self, gateway: &Gateway, vif: &Vif) -> Value {
        let state = match self.vif_state(vif) {
            "deleting" => "detaching",
            "verifying" | "pending" => "attaching",
            _ => "attached",
        };
        let kind = match vif.kind {
            VifKind::Transit => "TransitVirtualInterface",
            _ => "PrivateVirtualInterface",
        };
        json!({
            "directConnectGatewayId": gateway.id,
            "virtualInterfaceId": vif.id,
            "virtualInterfaceRegion": vif.region,
            "virtualInterfaceOwnerAccount": vif.owner,
            "attachmentState": state,
            "attachmentType": kind,
        })
    }
}

fn gateway_name(name: String) -> Result<String, ApiError> {
    if name.is_empty() || name.chars().count() > 100 {
        let text = "The Direct Connect gateway name must have 1 to 100 characters.";
        return Err(ApiError::client(text));
    }
    Ok(name)
}
