//! What Direct Connect Partners have: interconnects, and the hosted connections
//! that they allocate on them to customers, who confirm.

use serde::Deserialize;
use serde_json::{Value, json};

use super::agreement::check_partner;
use super::connection::{Connection, ConnectionId, CreateConnection, Phase, Role, check_name};
use super::error::ApiError;
use super::location::PAY_AS_YOU_GO;
use super::mac_sec::Security;
use super::page::Page;
use super::rate_limit::megabits;
use super::rules;
use super::simulator::{Account, Simulator, timestamp};
use super::tag::{Tag, unique};

/// API reference: of hosted connections.
const HOSTED_SPEEDS: [&str; 11] = [
    "50Mbps", "100Mbps", "200Mbps", "300Mbps", "400Mbps", "500Mbps", "1Gbps", "2Gbps", "5Gbps",
    "10Gbps", "25Gbps",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeInterconnects {
    interconnect_id: Option<String>,
    #[serde(flatten)]
    page: Page,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InterconnectId {
    interconnect_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AllocateHosted {
    /// The interconnect or LAG.
    #[serde(alias = "interconnectId")]
    connection_id: String,
    owner_account: String,
    bandwidth: String,
    connection_name: String,
    vlan: i64,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeHosted {
    /// The interconnect or LAG.
    #[serde(alias = "interconnectId")]
    connection_id: String,
    #[serde(flatten)]
    page: Page,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssociateHosted {
    connection_id: String,
    parent_connection_id: String,
}

impl Simulator {
    pub(super) fn create_interconnect(
        &mut self,
        caller: &Account,
        request: CreateConnection,
    ) -> Result<Value, ApiError> {
        check_partner(caller)?;
        let at = self.add_port(caller, Role::Interconnect, request)?;
        Ok(self.interconnect_json(&self.connections[at]))
    }

    pub(super) fn describe_interconnects(
        &self,
        caller: &Account,
        request: &DescribeInterconnects,
    ) -> Result<Value, ApiError> {
        if let Some(id) = &request.interconnect_id {
            self.interconnect_index(caller, id)?;
        }
        let wanted = |c: &&Connection| {
            self.is_here(caller, c)
                && c.role == Role::Interconnect
                && (request.interconnect_id.as_ref()).is_none_or(|id| *id == c.id)
        };
        let interconnects = self.connections.iter().filter(wanted);
        let interconnects = interconnects.map(|c| self.interconnect_json(c)).collect();
        request.page.of("interconnects", interconnects)
    }

    pub(super) fn delete_interconnect(
        &mut self,
        caller: &Account,
        request: &InterconnectId,
    ) -> Result<Value, ApiError> {
        let id = &request.interconnect_id;
        let at = self.interconnect_index(caller, id)?;
        if self.hosted_on(id).next().is_some() {
            let text = format!("Interconnect {id} has hosted connections. Delete them first.");
            return Err(ApiError::client(text));
        }
        self.take_down(at);
        Ok(json!({ "interconnectState": self.connections[at].phase.state() }))
    }

    pub(super) fn allocate_hosted(
        &mut self,
        caller: &Account,
        request: AllocateHosted,
    ) -> Result<Value, ApiError> {
        let parent = request.connection_id;
        let (location, speed) = self.host(caller, &parent)?;
        check_account(&request.owner_account)?;
        check_name(&request.connection_name)?;
        let bandwidth = request.bandwidth;
        if !HOSTED_SPEEDS.contains(&bandwidth.as_str()) || megabits(&bandwidth) > speed {
            let valid = HOSTED_SPEEDS.join(", ");
            let text =
                format!("Bandwidth {bandwidth} is not valid here: use one of {valid} that fits.");
            return Err(ApiError::client(text));
        }
        let vlan = rules::vlan(request.vlan)?.id();
        self.check_vlan(&parent, vlan)?;
        let tags = unique(request.tags)?;
        let id = self.ids.short("dxcon");
        self.put_tags(self.arn(&request.owner_account, "dxcon", &id), tags)?;
        self.connections.push(Connection {
            id,
            owner: request.owner_account,
            region: self.region.clone(),
            name: request.connection_name,
            location,
            bandwidth,
            provider: None,
            trunk: None,
            role: Role::Hosted {
                vlan,
                parent: Some(parent),
            },
            lag: None,
            billing: PAY_AS_YOU_GO,
            security: Security::default(),
            loa_issued: None,
            phase: Phase::Ordering,
        });
        let created = self.connections.last().expect("invariant: pushed just now");
        Ok(self.connection_json(created))
    }

    pub(super) fn confirm_connection(
        &mut self,
        caller: &Account,
        request: &ConnectionId,
    ) -> Result<Value, ApiError> {
        let id = &request.connection_id;
        let at = self.connection_index(caller, id)?;
        let until = self.now + self.delays.connection;
        let connection = &mut self.connections[at];
        if connection.phase != Phase::Ordering {
            let state = connection.phase.state();
            let text = format!("Connection {id} is not ordering: its state is {state}.");
            return Err(ApiError::client(text));
        }
        connection.phase = Phase::Pending { until };
        Ok(json!({ "connectionState": connection.phase.state() }))
    }

    pub(super) fn describe_hosted(
        &self,
        caller: &Account,
        request: &DescribeHosted,
    ) -> Result<Value, ApiError> {
        self.host(caller, &request.connection_id)?;
        let hosted = self.hosted_on(&request.connection_id);
        let hosted = hosted.map(|c| self.connection_json(c)).collect();
        request.page.of("connections", hosted)
    }

    /// Moves a hosted connection to another interconnect or LAG of its partner.
    pub(super) fn associate_hosted(
        &mut self,
        caller: &Account,
        request: &AssociateHosted,
    ) -> Result<Value, ApiError> {
        let (id, target) = (&request.connection_id, &request.parent_connection_id);
        self.host(caller, target)?;
        let unknown = || ApiError::client(format!("Could not find Connection with ID {id}"));
        let at = (self.connections.iter())
            .position(|c| c.id == *id && c.vlan().is_some() && c.lives())
            .ok_or_else(unknown)?;
        let from = self.connections[at].parent().ok_or_else(unknown)?;
        self.host(caller, from).map_err(|_| unknown())?;
        if from != target {
            self.check_vlan(target, self.connections[at].vlan().unwrap_or_default())?;
        }
        if let Role::Hosted { parent, .. } = &mut self.connections[at].role {
            *parent = Some(target.clone());
        }
        Ok(self.connection_json(&self.connections[at]))
    }

    /// Hosted connections that have a VLAN of this interconnect or LAG.
    pub(super) fn hosted_on<'a>(&'a self, parent: &'a str) -> impl Iterator<Item = &'a Connection> {
        let here = move |c: &&Connection| {
            c.parent() == Some(parent)
                && !matches!(c.phase, Phase::Deleted { .. } | Phase::Rejected { .. })
        };
        self.connections.iter().filter(here)
    }

    /// An interconnect or LAG of the caller that can host: where it is, and how
    /// fast.
    fn host(&self, caller: &Account, id: &str) -> Result<(String, Option<u32>), ApiError> {
        check_partner(caller)?;
        if id.starts_with("dxlag-") {
            let lag = &self.lags[self.lag_index(caller, id)?];
            return Ok((lag.location.clone(), megabits(&lag.bandwidth)));
        }
        let port = &self.connections[self.interconnect_index(caller, id)?];
        Ok((port.location.clone(), megabits(&port.bandwidth)))
    }

    fn interconnect_index(&self, caller: &Account, id: &str) -> Result<usize, ApiError> {
        let known = self.port_index(caller, id).ok();
        known
            .filter(|at| self.connections[*at].role == Role::Interconnect)
            .ok_or_else(|| ApiError::client(format!("Could not find Interconnect with ID {id}")))
    }

    fn interconnect_json(&self, port: &Connection) -> Value {
        json!({
            "interconnectId": port.id,
            "interconnectName": port.name,
            "interconnectState": port.phase.state(),
            "region": port.region,
            "location": port.location,
            "bandwidth": port.bandwidth,
            "loaIssueTime": port.loa_issued.map(timestamp),
            "lagId": port.lag,
            "providerName": port.provider,
            "awsDevice": port.device(),
            "awsDeviceV2": port.device(),
            "awsLogicalDeviceId": port.device(),
            "jumboFrameCapable": true,
            "hasLogicalRedundancy": "no",
            "macSecCapable": port.security.is_capable(),
            "encryptionMode": port.security.mode(),
            "macSecKeys": port.security.keys_json(),
            "portEncryptionStatus": port.security.port_status(),
            "tags": self.tags_of(&self.arn(&port.owner, "dxcon", &port.id)),
        })
    }
}

pub fn check_account(id: &str) -> Result<(), ApiError> {
    if id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(ApiError::client(
        "ownerAccount must be an account ID of 12 digits.",
    ))
}
