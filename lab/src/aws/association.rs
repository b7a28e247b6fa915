//! Associations of Direct Connect gateways with virtual private or transit
//! gateways, and what AWS announces because of them.

use bgp_core::config::VifKind;
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ApiError;
use super::page::Page;
use super::rules;
use super::seed::{Owned, TransitGateway};
use super::simulator::{Account, Simulator, Time};
use super::vif::Attachment;
use super::vif_create::Cidr;

pub struct Association {
    pub id: String,
    pub gateway: String,
    /// A `vgw-…` or a `tgw-…`, and whose.
    pub associated: String,
    pub owner: String,
    pub region: String,
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
pub enum Kind {
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
        self.gateway_index(caller, &gateway)?;
        let associated = request.gateway_id.or(request.virtual_gateway_id);
        let associated = associated.ok_or_else(|| ApiError::client("gatewayId is required."))?;
        let given = request.add.map(|prefixes| parse(&prefixes)).transpose()?;
        let cidrs = self.associable(caller, &associated)?;
        self.associate(&gateway, &associated, caller, given.unwrap_or(cidrs))
    }

    /// The caller has this virtual private or transit gateway in this Region;
    /// what is allowed where no list is given: a virtual private gateway's VPC
    /// whole. To a transit gateway an empty list announces nothing, without an
    /// error.
    pub(super) fn associable(&self, caller: &Account, id: &str) -> Result<Vec<IpNet>, ApiError> {
        match Kind::of(id) {
            Kind::VirtualPrivate => Ok(self.own_virtual_gateway(caller, id)?.cidrs.clone()),
            Kind::Transit => {
                let here =
                    |g: &&TransitGateway| g.id == id && g.owner() == caller && self.has_here(*g);
                let known = self.seed.transit_gateways.iter().find(here);
                known.map(|_| vec![]).ok_or_else(|| {
                    ApiError::client(format!("Transit Gateway {id} does not exist."))
                })
            }
        }
    }

    pub(super) fn associate(
        &mut self,
        gateway: &str,
        associated: &str,
        owner: &Account,
        allowed: Vec<IpNet>,
    ) -> Result<Value, ApiError> {
        self.check_asns(gateway, associated)?;
        self.check_association_room(gateway, associated)?;
        let until = self.now + self.delays.associating;
        self.associations.push(Association {
            id: self.ids.uuid(),
            gateway: gateway.to_owned(),
            associated: associated.to_owned(),
            owner: owner.to_owned(),
            region: self.region.clone(),
            allowed,
            phase: AssociationPhase::Associating { until },
        });
        let created = self
            .associations
            .last()
            .expect("invariant: pushed just now");
        Ok(json!({ "directConnectGatewayAssociation": self.association_json(created) }))
    }

    /// An association that is there allows this from now on.
    pub(super) fn reassociate(
        &mut self,
        gateway: &str,
        associated: &str,
        allowed: Vec<IpNet>,
    ) -> Value {
        let until = self.now + self.delays.associating;
        let here = |a: &&mut Association| a.gateway == gateway && a.associated == associated;
        if let Some(association) = self.associations.iter_mut().find(here) {
            association.allowed = allowed;
            association.phase = AssociationPhase::Updating { until };
        }
        let here = |a: &&Association| a.gateway == gateway && a.associated == associated;
        let updated = self.associations.iter().find(here);
        json!({ "directConnectGatewayAssociation": updated.map(|a| self.association_json(a)) })
    }

    /// What an association of these two allows; `None`: there is none.
    pub(super) fn allowed_now(&self, gateway: &str, associated: &str) -> Option<Vec<IpNet>> {
        let here = |a: &&Association| a.gateway == gateway && a.associated == associated;
        self.associations
            .iter()
            .find(here)
            .map(|a| a.allowed.clone())
    }

    pub(super) fn describe_associations(
        &self,
        caller: &Account,
        request: &AssociationQuery,
    ) -> Result<Value, ApiError> {
        let wanted = |association: &&Association| {
            request.matches(association) && self.may_see_association(caller, association)
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

    /// The owner of either end.
    fn may_see_association(&self, caller: &Account, association: &Association) -> bool {
        association.owner == caller || self.gateway_index(caller, &association.gateway).is_ok()
    }

    /// A transit gateway and its Direct Connect gateway need different ASNs.
    fn check_asns(&self, gateway: &str, associated: &str) -> Result<(), ApiError> {
        let asn = self
            .gateways
            .iter()
            .find(|g| g.id == gateway)
            .map(|g| g.asn.0);
        let transit = self
            .seed
            .transit_gateways
            .iter()
            .find(|g| g.id == associated);
        match transit {
            Some(transit) if Some(transit.asn) == asn => Err(ApiError::client(format!(
                "Transit Gateway {associated} and the Direct Connect gateway have the same ASN, {}.",
                transit.asn
            ))),
            _ => Ok(()),
        }
    }

    /// Quotas page: 20 virtual private or 6 transit gateways, never both kinds.
    fn check_association_room(&self, gateway: &str, associated: &str) -> Result<(), ApiError> {
        let kind = Kind::of(associated);
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
        let kind = Kind::of(&association.associated);
        let virtual_gateway = (kind == Kind::VirtualPrivate).then_some(&association.associated);
        json!({
            "associationId": association.id,
            "associationState": state,
            "directConnectGatewayId": association.gateway,
            "directConnectGatewayOwnerAccount": owner,
            "associatedGateway": {
                "id": association.associated,
                "type": kind.name(),
                "ownerAccount": association.owner,
                "region": association.region,
            },
            "allowedPrefixesToDirectConnectGateway": cidrs(&association.allowed),
            "virtualGatewayId": virtual_gateway,
            "virtualGatewayOwnerAccount": virtual_gateway.map(|_| &association.owner),
            "virtualGatewayRegion": virtual_gateway.map(|_| &association.region),
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
    pub const fn name(self) -> &'static str {
        match self {
            Self::VirtualPrivate => "virtualPrivateGateway",
            Self::Transit => "transitGateway",
        }
    }

    pub fn of(id: &str) -> Self {
        if id.starts_with("tgw-") {
            Self::Transit
        } else {
            Self::VirtualPrivate
        }
    }
}

pub fn parse(prefixes: &[Cidr]) -> Result<Vec<IpNet>, ApiError> {
    prefixes
        .iter()
        .map(|prefix| rules::prefix(prefix.cidr.as_deref()))
        .collect()
}

/// Prefixes as the API lists them.
pub fn cidrs(prefixes: &[IpNet]) -> Value {
    prefixes
        .iter()
        .map(|cidr| json!({ "cidr": cidr }))
        .collect()
}
