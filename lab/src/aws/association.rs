//! Associations of Direct Connect gateways with virtual private or transit
//! gateways, and what AWS announces because of them.

use bgp_core::config::VifKind;
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ApiError;
use super::page::Page;
use super::rules;
use super::simulator::{Account, Simulator, Time};
use super::vif::Attachment;
use super::vif_create::Cidr;

pub struct Association {
    pub id: String,
    pub gateway: String,
    /// A `vgw-…` or a `tgw-…`.
    pub associated: String,
    pub allowed: Vec<IpNet>,
    pub phase: AssociationPhase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssociationPhase {
    Associating { until: Time },
    Associated,
    Updating { until: Time },
    Disassociating { until: Time },
}

/// What kind of gateway is associated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    VirtualPrivate,
    Transit,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateAssociation {
    direct_connect_gateway_id: String,
    gateway_id: Option<String>,
    virtual_gateway_id: Option<String>,
    #[serde(rename = "addAllowedPrefixesToDirectConnectGateway")]
    add: Option<Vec<Cidr>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateAssociation {
    association_id: Option<String>,
    #[serde(default, rename = "addAllowedPrefixesToDirectConnectGateway")]
    add: Vec<Cidr>,
    #[serde(default, rename = "removeAllowedPrefixesToDirectConnectGateway")]
    remove: Vec<Cidr>,
}

/// Which association or associations: by id, or by either end.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssociationQuery {
    association_id: Option<String>,
    associated_gateway_id: Option<String>,
    direct_connect_gateway_id: Option<String>,
    virtual_gateway_id: Option<String>,
    #[serde(flatten)]
    page: Page,
}

impl Simulator {
    pub(super) fn create_association(
        &mut self,
        caller: &Account,
        request: CreateAssociation,
    ) -> Result<Value, ApiError> {
        let gateway = request.direct_connect_gateway_id;
        let at = self.gateway_index(caller, &gateway)?;
        let associated = request.gateway_id.or(request.virtual_gateway_id);
        let associated = associated.ok_or_else(|| ApiError::client("gatewayId is required."))?;
        let kind = Kind::of(&associated);
        let given = request.add.map(|prefixes| parse(&prefixes)).transpose()?;
        let allowed = match kind {
            // Without a list, a virtual private gateway's VPC is allowed whole.
            Kind::VirtualPrivate => {
                let cidrs = self.virtual_gateway(&associated)?.cidrs.clone();
                given.unwrap_or(cidrs)
            }
            // To a transit gateway an empty list announces nothing, without an error.
            Kind::Transit => {
                self.check_transit_gateway(&associated, self.gateways[at].asn.0)?;
                given.unwrap_or_default()
            }
        };
        self.check_association_room(&gateway, &associated, kind)?;
        let phase = AssociationPhase::Associating {
            until: self.now + self.delays.associating,
        };
        let id = self.ids.uuid();
        self.associations.push(Association {
            id,
            gateway,
            associated,
            allowed,
            phase,
        });
        let created = self
            .associations
            .last()
            .expect("invariant: pushed just now");
        Ok(json!({ "directConnectGatewayAssociation": self.association_json(created) }))
    }

    pub(super) fn describe_associations(
        &self,
        caller: &Account,
        request: &AssociationQuery,
    ) -> Result<Value, ApiError> {
        let wanted = |association: &&Association| {
            request.matches(association) && self.gateway_index(caller, &association.gateway).is_ok()
        };
        let associations = self.associations.iter().filter(wanted);
        let associations = associations.map(|a| self.association_json(a)).collect();
        request
            .page
            .of("directConnectGatewayAssociations", associations)
    }

    pub(super) fn update_association(
        &mut self,
        caller: &Account,
        request: &UpdateAssociation,
    ) -> Result<Value, ApiError> {
        let id = request.association_id.as_deref().unwrap_or_default();
        let (add, remove) = (parse(&request.add)?, parse(&request.remove)?);
        let at = self.association_index(caller, |association| association.id == id)?;
        let until = self.now + self.delays.associating;
        let association = &mut self.associations[at];
        association
            .allowed
            .retain(|prefix| !remove.contains(prefix));
        for prefix in add {
            if !association.allowed.contains(&prefix) {
                association.allowed.push(prefix);
            }
        }
        association.phase = AssociationPhase::Updating { until };
        let association = self.association_json(&self.associations[at]);
        Ok(json!({ "directConnectGatewayAssociation": association }))
    }

    pub(super) fn delete_association(
        &mut self,
        caller: &Account,
        request: &AssociationQuery,
    ) -> Result<Value, ApiError> {
        if request.association_id.is_none() && request.virtual_gateway_id.is_none() {
            return Err(ApiError::client("associationId is required."));
        }
        let at = self.association_index(caller, |association| request.matches(association))?;
        let until = self.now + self.delays.associating;
        self.associations[at].phase = AssociationPhase::Disassociating { until };
        let association = self.association_json(&self.associations[at]);
        Ok(json!({ "directConnectGatewayAssociation": association }))
    }

    /// What AWS announces over a VIF that leads there.
    pub(super) fn announced(&self, kind: VifKind, attachment: &Attachment) -> Vec<IpNet> {
        let mut prefixes = match attachment {
            Attachment::Public => self.seed.public_prefixes.clone(),
            Attachment::VirtualGateway(id) => self
                .virtual_gateway(id)
                .map_or_else(|_| vec![], |gateway| gateway.cidrs.clone()),
            Attachment::DirectConnectGateway(id) => {
                let here = self
                    .associations
                    .iter()
                    .filter(|a| a.gateway == *id && a.forwards());
                match kind {
                    VifKind::Transit => here.flat_map(|a| a.allowed.clone()).collect(),
                    _ => here.flat_map(|a| self.allowed_cidrs(a)).collect(),
                }
            }
        };
        prefixes.sort_unstable();
        prefixes.dedup();
        prefixes
    }

    /// Toward a virtual private gateway the allowed prefixes filter the VPC's
    /// CIDRs: one passes if it is allowed or inside of what is.
    fn allowed_cidrs(&self, association: &Association) -> Vec<IpNet> {
        let Ok(gateway) = self.virtual_gateway(&association.associated) else {
            return vec![];
        };
        let allowed = |cidr: &&IpNet| association.allowed.iter().any(|wide| wide.contains(*cidr));
        gateway.cidrs.iter().filter(allowed).copied().collect()
    }

    pub(super) fn advance_associations(&mut self) {
        use AssociationPhase::{Associated, Associating, Disassociating, Updating};
        let now = self.now;
        for association in &mut self.associations {
            if let Associating { until } | Updating { until } = association.phase
                && now >= until
            {
                association.phase = Associated;
            }
        }
        let gone = |phase| matches!(phase, Disassociating { until } if now >= until);
        self.associations
            .retain(|association| !gone(association.phase));
    }

    fn association_index(
        &self,
        caller: &Account,
        wanted: impl Fn(&Association) -> bool,
    ) -> Result<usize, ApiError> {
        let here = |association: &Association| {
            wanted(association) && self.gateway_index(caller, &association.gateway).is_ok()
        };
        self.associations.iter().position(here).ok_or_else(|| {
            ApiError::client("The Direct Connect Gateway Association does not exist.")
        })
    }

    fn check_transit_gateway(&self, id: &str, asn: u32) -> Result<(), ApiError> {
        let gateway = self
            .seed
            .transit_gateways
            .iter()
            .find(|gateway| gateway.id == id);
        let gateway = gateway
            .ok_or_else(|| ApiError::client(format!("Transit Gateway {id} does not exist.")))?;
        if gateway.asn == asn {
            let text = format!(
                "Transit Gateway {id} and the Direct Connect gateway have the same ASN, {asn}."
            );
            return Err(ApiError::client(text));
        }
        Ok(())
    }

    /// Quotas page: 20 virtual private or 6 transit gateways, never both kinds.
    fn check_association_room(
        &self,
        gateway: &str,
        associated: &str,
        kind: Kind,
    ) -> Result<(), ApiError> {
        let here: Vec<_> = self
            .associations
            .iter()
            .filter(|a| a.gateway == gateway)
            .collect();
        let refuse = |why: &str| {
            Err(ApiError::client(format!(
                "Direct Connect Gateway {gateway} {why}."
            )))
        };
        if here.iter().any(|a| a.associated == associated) {
            return refuse(&format!("is already associated with {associated}"));
        }
        if here.iter().any(|a| Kind::of(&a.associated) != kind) {
            return refuse("can not have virtual private and transit gateways at once");
        }
        match kind {
            Kind::VirtualPrivate if here.len() >= 20 => refuse("has 20 associations already"),
            Kind::Transit if here.len() >= 6 => refuse("has 6 associations already"),
            _ => Ok(()),
        }
    }

    fn association_json(&self, association: &Association) -> Value {
        let state = match association.phase {
            AssociationPhase::Associating { .. } => "associating",
            AssociationPhase::Associated => "associated",
            AssociationPhase::Updating { .. } => "updating",
            AssociationPhase::Disassociating { .. } => "disassociating",
        };
        let owner = self
            .gateways
            .iter()
            .find(|g| g.id == association.gateway)
            .map(|g| &g.owner);
        let (kind, virtual_gateway) = match Kind::of(&association.associated) {
            Kind::VirtualPrivate => ("virtualPrivateGateway", Some(&association.associated)),
            Kind::Transit => ("transitGateway", None),
        };
        let allowed = association
            .allowed
            .iter()
            .map(|cidr| json!({ "cidr": cidr }));
        json!({
            "associationId": association.id,
            "associationState": state,
            "directConnectGatewayId": association.gateway,
            "directConnectGatewayOwnerAccount": owner,
            "associatedGateway": {
                "id": association.associated,
                "type": kind,
                "ownerAccount": owner,
                "region": self.seed.region,
            },
            "allowedPrefixesToDirectConnectGateway": allowed.collect::<Vec<_>>(),
            "virtualGatewayId": virtual_gateway,
            "virtualGatewayOwnerAccount": virtual_gateway.and(owner),
            "virtualGatewayRegion": virtual_gateway.map(|_| &self.seed.region),
        })
    }
}

impl Association {
    const fn forwards(&self) -> bool {
        matches!(
            self.phase,
            AssociationPhase::Associated | AssociationPhase::Updating { .. }
        )
    }
}

impl AssociationQuery {
    fn matches(&self, association: &Association) -> bool {
        let is = |wanted: &Option<String>, value: &String| {
            wanted.as_ref().is_none_or(|wanted| wanted == value)
        };
        is(&self.association_id, &association.id)
            && is(&self.associated_gateway_id, &association.associated)
            && is(&self.virtual_gateway_id, &association.associated)
            && is(&self.direct_connect_gateway_id, &association.gateway)
    }
}

impl Kind {
    fn of(id: &str) -> Self {
        if id.starts_with("tgw-") {
            Self::Transit
        } else {
            Self::VirtualPrivate
        }
    }
}

fn parse(prefixes: &[Cidr]) -> Result<Vec<IpNet>, ApiError> {
    prefixes
        .iter()
        .map(|prefix| rules::prefix(prefix.cidr.as_deref()))
        .collect()
}
