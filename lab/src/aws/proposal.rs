//! Proposals to associate a virtual private or transit gateway of one account
//! with a Direct Connect gateway of another, which accepts.

use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use serde_json::{Value, json};

use super::association::{cidrs, parse};
use super::error::ApiError;
use super::interconnect::check_account;
use super::page::Page;
use super::simulator::{Account, Simulator, Time};
use super::vif_create::Cidr;

pub struct Proposal {
    id: String,
    gateway: String,
    gateway_owner: String,
    /// A `vgw-…` or a `tgw-…`, and whose.
    associated: String,
    owner: String,
    region: String,
    requested: Vec<IpNet>,
    phase: ProposalPhase,
    /// Listed until then.
    until: Time,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ProposalPhase {
    Requested,
    Accepted,
    Deleted,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateProposal {
    direct_connect_gateway_id: String,
    direct_connect_gateway_owner_account: String,
    gateway_id: String,
    #[serde(default, rename = "addAllowedPrefixesToDirectConnectGateway")]
    add: Vec<Cidr>,
    #[serde(default, rename = "removeAllowedPrefixesToDirectConnectGateway")]
    remove: Vec<Cidr>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AcceptProposal {
    direct_connect_gateway_id: String,
    proposal_id: String,
    associated_gateway_owner_account: String,
    #[serde(rename = "overrideAllowedPrefixesToDirectConnectGateway")]
    instead: Option<Vec<Cidr>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProposalQuery {
    proposal_id: Option<String>,
    direct_connect_gateway_id: Option<String>,
    associated_gateway_id: Option<String>,
    #[serde(flatten)]
    page: Page,
}

/// User Guide: a proposal is valid for 3 days.
const VALID: Duration = Duration::from_secs(3 * 24 * 3600);

impl Simulator {
    pub(super) fn create_proposal(
        &mut self,
        caller: &Account,
        request: CreateProposal,
    ) -> Result<Value, ApiError> {
        let gateway = request.direct_connect_gateway_id;
        let gateway_owner = request.direct_connect_gateway_owner_account;
        check_account(&gateway_owner)?;
        self.gateway_index(&gateway_owner, &gateway)?;
        let associated = request.gateway_id;
        let cidrs = self.associable(caller, &associated)?;
        let (add, remove) = (parse(&request.add)?, parse(&request.remove)?);
        let mut requested = self.allowed_now(&gateway, &associated).unwrap_or_default();
        requested.retain(|prefix| !remove.contains(prefix));
        for prefix in add {
            if !requested.contains(&prefix) {
                requested.push(prefix);
            }
        }
        // As with an association: without a list, a VPC is allowed whole.
        if request.add.is_empty() && requested.is_empty() {
            requested = cidrs;
        }
        let open = |p: &Proposal| {
            p.gateway == gateway
                && p.associated == associated
                && p.phase == ProposalPhase::Requested
        };
        if self.proposals.iter().any(open) {
            let text = format!("There is a proposal for {associated} and {gateway} already.");
            return Err(ApiError::client(text));
        }
        self.proposals.push(Proposal {
            id: self.ids.uuid(),
            gateway,
            gateway_owner,
            associated,
            owner: caller.to_owned(),
            region: self.region.clone(),
            requested,
            phase: ProposalPhase::Requested,
            until: self.now + VALID,
        });
        let created = self.proposals.last().expect("invariant: pushed just now");
        Ok(self.proposal_answer(created))
    }

    /// Whoever proposed sees them, and whoever is to accept.
    pub(super) fn describe_proposals(
        &self,
        caller: &Account,
        request: &ProposalQuery,
    ) -> Result<Value, ApiError> {
        let is = |wanted: &Option<String>, value: &String| {
            wanted.as_ref().is_none_or(|wanted| wanted == value)
        };
        let wanted = |p: &&Proposal| {
            (p.owner == caller || p.gateway_owner == caller)
                && is(&request.proposal_id, &p.id)
                && is(&request.direct_connect_gateway_id, &p.gateway)
                && is(&request.associated_gateway_id, &p.associated)
        };
        let proposals = self.proposals.iter().filter(wanted);
        let proposals = proposals.map(|p| self.proposal_json(p)).collect();
        request
            .page
            .of("directConnectGatewayAssociationProposals", proposals)
    }

    pub(super) fn accept_proposal(
        &mut self,
        caller: &Account,
        request: &AcceptProposal,
    ) -> Result<Value, ApiError> {
        let id = &request.proposal_id;
        self.gateway_index(caller, &request.direct_connect_gateway_id)?;
        let at = self.proposals.iter().position(|p| {
            p.id == *id
                && p.gateway == request.direct_connect_gateway_id
                && p.owner == request.associated_gateway_owner_account
        });
        let at = at.ok_or_else(|| unknown(id))?;
        let proposal = &self.proposals[at];
        if proposal.phase != ProposalPhase::Requested {
            let state = proposal.phase.state();
            let text = format!("Proposal {id} can not be accepted: its state is {state}.");
            return Err(ApiError::client(text));
        }
        let allowed = match &request.instead {
            Some(instead) => parse(instead)?,
            None => proposal.requested.clone(),
        };
        let (gateway, associated) = (proposal.gateway.clone(), proposal.associated.clone());
        let owner = proposal.owner.clone();
        let answer = match self.allowed_now(&gateway, &associated) {
            None => self.associate(&gateway, &associated, &owner, allowed)?,
            Some(_) => self.reassociate(&gateway, &associated, allowed),
        };
        self.proposals[at].phase = ProposalPhase::Accepted;
        Ok(answer)
    }

    pub(super) fn delete_proposal(
        &mut self,
        caller: &Account,
        request: &ProposalQuery,
    ) -> Result<Value, ApiError> {
        let id = request.proposal_id.as_deref().unwrap_or_default();
        let until = self.now + self.delays.listed;
        let own =
            |p: &&mut Proposal| p.id == id && (p.owner == caller || p.gateway_owner == caller);
        let proposal = self.proposals.iter_mut().find(own);
        let proposal = proposal.ok_or_else(|| unknown(id))?;
        if proposal.phase != ProposalPhase::Requested {
            let state = proposal.phase.state();
            let text = format!("Proposal {id} can not be deleted: its state is {state}.");
            return Err(ApiError::client(text));
        }
        (proposal.phase, proposal.until) = (ProposalPhase::Deleted, until);
        let deleted = self.proposals.iter().find(|p| p.id == id);
        Ok(self.proposal_answer(deleted.expect("invariant: found just now")))
    }

    pub(super) fn advance_proposals(&mut self) {
        let now = self.now;
        self.proposals.retain(|proposal| now < proposal.until);
    }

    fn proposal_answer(&self, proposal: &Proposal) -> Value {
        json!({ "directConnectGatewayAssociationProposal": self.proposal_json(proposal) })
    }

    fn proposal_json(&self, proposal: &Proposal) -> Value {
        let existing = self.allowed_now(&proposal.gateway, &proposal.associated);
        json!({
            "proposalId": proposal.id,
            "directConnectGatewayId": proposal.gateway,
            "directConnectGatewayOwnerAccount": proposal.gateway_owner,
            "proposalState": proposal.phase.state(),
            "associatedGateway": {
                "id": proposal.associated,
                "type": super::association::Kind::of(&proposal.associated).name(),
                "ownerAccount": proposal.owner,
                "region": proposal.region,
            },
            "existingAllowedPrefixesToDirectConnectGateway": cidrs(&existing.unwrap_or_default()),
            "requestedAllowedPrefixesToDirectConnectGateway": cidrs(&proposal.requested),
        })
    }
}

impl ProposalPhase {
    const fn state(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Accepted => "accepted",
            Self::Deleted => "deleted",
        }
    }
}

fn unknown(id: &str) -> ApiError {
    ApiError::client(format!("Proposal {id} does not exist."))
}
