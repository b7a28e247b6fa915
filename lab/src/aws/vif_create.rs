//! How virtual interfaces come to be: `Create…` on one's own connection,
//! `Allocate…` for another account, and that account's `Confirm…`.

use bgp_core::config::VifKind;
use serde::Deserialize;
use serde_json::{Value, json};

use super::bgp_peer::NewPeer;
use super::error::ApiError;
use super::interconnect::check_account;
use super::rules;
use super::simulator::{Account, Simulator, Tags};
use super::tag::{Tag, unique};
use super::vif::{Attachment, Phase, PoolRequest, PrefixPool, SiteLink, Vif};

/// `Create{Private,Public,Transit}VirtualInterface` and `Allocate…`. No
/// `Debug`: it holds the key.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateVif {
    connection_id: String,
    /// Allocations only.
    owner_account: Option<String>,
    #[serde(
        alias = "newPrivateVirtualInterface",
        alias = "newPublicVirtualInterface",
        alias = "newTransitVirtualInterface",
        alias = "newPrivateVirtualInterfaceAllocation",
        alias = "newPublicVirtualInterfaceAllocation",
        alias = "newTransitVirtualInterfaceAllocation"
    )]
    new: NewVif,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewVif {
    // The model requires neither for a transit VIF.
    virtual_interface_name: Option<String>,
    vlan: Option<i64>,
    mtu: Option<i64>,
    virtual_gateway_id: Option<String>,
    direct_connect_gateway_id: Option<String>,
    route_filter_prefixes: Option<Vec<Cidr>>,
    rate_limit: Option<String>,
    enable_site_link: Option<bool>,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(flatten)]
    pool: PoolRequest,
    #[serde(flatten)]
    peer: NewPeer,
}

#[derive(Deserialize)]
pub struct Cidr {
    pub cidr: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfirmVif {
    virtual_interface_id: String,
    virtual_gateway_id: Option<String>,
    direct_connect_gateway_id: Option<String>,
}

impl Simulator {
    /// Answers with the VIF itself.
    pub(super) fn create_vif(
        &mut self,
        caller: &Account,
        kind: VifKind,
        request: CreateVif,
    ) -> Result<Value, ApiError> {
        let new = &request.new;
        let attachment = self.attachment(
            caller,
            kind,
            new.virtual_gateway_id.as_deref(),
            new.direct_connect_gateway_id.as_deref(),
        )?;
        let phase = self.first_phase(kind);
        self.add_vif(caller, caller, kind, request, Some(attachment), phase)
    }

    /// For another account, which has to confirm.
    pub(super) fn allocate_vif(
        &mut self,
        caller: &Account,
        kind: VifKind,
        request: CreateVif,
    ) -> Result<Value, ApiError> {
        let owner = request.owner_account.clone().unwrap_or_default();
        check_account(&owner)?;
        self.add_vif(caller, &owner, kind, request, None, Phase::Confirming)
    }

    pub(super) fn confirm_vif(
        &mut self,
        caller: &Account,
        kind: VifKind,
        request: &ConfirmVif,
    ) -> Result<Value, ApiError> {
        let id = &request.virtual_interface_id;
        let at = self.vif_index(caller, id)?;
        let vif = &self.vifs[at];
        if vif.owner != caller {
            let text = format!(
                "Virtual Interface {id} is for account {} to confirm.",
                vif.owner
            );
            return Err(ApiError::client(text));
        }
        if vif.kind != kind {
            return Err(ApiError::client(format!(
                "Virtual Interface {id} is of another type."
            )));
        }
        if vif.phase != Phase::Confirming {
            let state = self.vif_state(vif);
            let text = format!("Virtual Interface {id} is not confirming: its state is {state}.");
            return Err(ApiError::client(text));
        }
        let attachment = self.attachment(
            caller,
            kind,
            request.virtual_gateway_id.as_deref(),
            request.direct_connect_gateway_id.as_deref(),
        )?;
        let phase = self.first_phase(kind);
        let vif = &mut self.vifs[at];
        vif.attachment = Some(attachment);
        vif.phase = phase;
        Ok(json!({ "virtualInterfaceState": self.vif_state(&self.vifs[at]) }))
    }

    fn first_phase(&self, kind: VifKind) -> Phase {
        match kind {
            VifKind::Public => Phase::Verifying {
                until: self.now + self.delays.verifying,
            },
            VifKind::Private | VifKind::Transit => Phase::Pending {
                until: self.now + self.delays.pending,
            },
        }
    }

    fn add_vif(
        &mut self,
        caller: &Account,
        owner: &Account,
        kind: VifKind,
        request: CreateVif,
        attachment: Option<Attachment>,
        phase: Phase,
    ) -> Result<Value, ApiError> {
        let CreateVif {
            connection_id, new, ..
        } = request;
        let name = rules::vif_name(new.virtual_interface_name.as_deref().unwrap_or_default())?;
        let number = new
            .vlan
            .ok_or_else(|| ApiError::client("A VLAN is required."))?;
        let vlan = rules::vlan(number)?;
        let mtu = rules::mtu(kind, new.mtu)?;
        let route_filter_prefixes = route_filter_prefixes(kind, new.route_filter_prefixes)?;
        let tags = unique(new.tags)?;
        self.check_room(caller, &connection_id, kind, vlan.id())?;
        let rate_limit = self.rate_limit(&connection_id, None, new.rate_limit.as_deref())?;
        let site_link = site_link(attachment.as_ref(), new.enable_site_link)?;
        let none = PrefixPool { ipv4: 0, ipv6: 0 };
        let prefix_pool = match kind {
            VifKind::Public => none,
            _ => self.prefix_pool(&connection_id, PrefixPool::default(), none, new.pool)?,
        };
        let peer = self.new_peer(kind, new.peer)?;
        let id = self.ids.short("dxvif");
        self.put_new_tags(owner, &id, tags)?;
        self.vifs.push(Vif {
            id,
            owner: owner.to_owned(),
            region: self.region.clone(),
            connection: connection_id,
            name,
            kind,
            vlan,
            mtu,
            attachment,
            route_filter_prefixes,
            prefix_pool,
            rate_limit,
            site_link,
            peers: vec![peer],
            phase,
        });
        Ok(self.vif_json(self.vifs.last().expect("invariant: pushed just now")))
    }

    fn put_new_tags(&mut self, owner: &Account, id: &str, tags: Tags) -> Result<(), ApiError> {
        self.put_tags(self.arn(owner, "dxvif", id), tags)
    }

    /// What a VIF of this kind is to lead to.
    fn attachment(
        &self,
        caller: &Account,
        kind: VifKind,
        virtual_gateway: Option<&str>,
        gateway: Option<&str>,
    ) -> Result<Attachment, ApiError> {
        match (kind, virtual_gateway.filter(|id| !id.is_empty()), gateway) {
            (VifKind::Public, _, _) => Ok(Attachment::Public),
            (VifKind::Private, Some(id), None) => {
                self.own_virtual_gateway(caller, id)?;
                Ok(Attachment::VirtualGateway(id.to_owned()))
            }
            (_, None, Some(id)) => {
                self.check_gateway_room(caller, id, kind)?;
                Ok(Attachment::DirectConnectGateway(id.to_owned()))
            }
            (VifKind::Transit, _, _) => {
                let text = "A transit virtual interface needs a Direct Connect gateway.";
                Err(ApiError::client(text))
            }
            (VifKind::Private, _, _) => Err(ApiError::client(
                "A private virtual interface needs either a virtual private gateway or a Direct \
                 Connect gateway.",
            )),
        }
    }
}

/// User Guide: SiteLink goes from VIF to VIF of one Direct Connect gateway.
pub fn site_link(
    attachment: Option<&Attachment>,
    wanted: Option<bool>,
) -> Result<SiteLink, ApiError> {
    match (wanted, attachment) {
        (Some(true), Some(Attachment::DirectConnectGateway(_))) => Ok(SiteLink::Enabled),
        (Some(true), _) => Err(ApiError::client(
            "SiteLink needs a virtual interface on a Direct Connect gateway.",
        )),
        (Some(false) | None, _) => Ok(SiteLink::Disabled),
    }
}

/// Public VIFs need 1 to 1,000, others have none.
fn route_filter_prefixes(
    kind: VifKind,
    prefixes: Option<Vec<Cidr>>,
) -> Result<Vec<ipnet::IpNet>, ApiError> {
    let prefixes = prefixes.unwrap_or_default();
    if kind == VifKind::Public && !(1..=1000).contains(&prefixes.len()) {
        let text = "A public virtual interface needs 1 to 1,000 route filter prefixes.";
        return Err(ApiError::client(text));
    }
    prefixes
        .iter()
        .map(|prefix| rules::prefix(prefix.cidr.as_deref()))
        .collect()
}
