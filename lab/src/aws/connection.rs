//! Connections: dedicated ports, interconnects and what partners host on them
//! have one list of states and one list here. The calls about interconnects are
//! in `interconnect`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::carrier::Carrier;
use super::error::ApiError;
use super::location::{PAY_AS_YOU_GO, billing_mode};
use super::mac_sec::Security;
use super::page::Page;
use super::seed::SeedConnection;
use super::simulator::{Account, Delays, OWNER, Simulator, Time, timestamp};
use super::tag::{Tag, unique};

pub struct Connection {
    pub id: String,
    pub owner: String,
    pub region: String,
    pub name: String,
    pub location: String,
    pub bandwidth: String,
    pub provider: Option<String>,
    /// The router's port that it ends at; `None`: plugged in nowhere.
    pub trunk: Option<String>,
    pub role: Role,
    /// The LAG that it is a member of.
    pub lag: Option<String>,
    pub billing: &'static str,
    pub security: Security,
    /// When its LOA-CFA was asked for last.
    pub loa_issued: Option<Time>,
    pub phase: Phase,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    Dedicated,
    /// A partner's port, for hosted connections.
    Interconnect,
    /// One VLAN of a partner's interconnect or LAG, for a customer.
    Hosted {
        vlan: u16,
        /// Unknown for those that were there at the start.
        parent: Option<String>,
    },
}

/// Of connections, interconnects and LAGs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Hosted: waits for its owner's Confirm call.
    Ordering,
    Requested {
        until: Time,
    },
    Pending {
        until: Time,
    },
    Available,
    Deleting {
        until: Time,
    },
    /// Listed until then.
    Deleted {
        until: Time,
    },
    /// Hosted, and its owner didn't want it.
    Rejected {
        until: Time,
    },
}

impl Phase {
    pub const fn state(self) -> &'static str {
        match self {
            Self::Ordering => "ordering",
            Self::Requested { .. } => "requested",
            Self::Pending { .. } => "pending",
            Self::Available => "available",
            Self::Deleting { .. } => "deleting",
            Self::Deleted { .. } => "deleted",
            Self::Rejected { .. } => "rejected",
        }
    }

    /// Not on its way out.
    pub const fn lives(self) -> bool {
        !matches!(
            self,
            Self::Deleting { .. } | Self::Deleted { .. } | Self::Rejected { .. }
        )
    }

    pub fn advance(&mut self, now: Time, delays: &Delays) {
        loop {
            *self = match *self {
                Self::Requested { until } if now >= until => Self::Pending {
                    until: until + delays.connection,
                },
                Self::Pending { until } if now >= until => Self::Available,
                Self::Deleting { until } if now >= until => Self::Deleted {
                    until: until + delays.listed,
                },
                _ => return,
            };
        }
    }

    pub fn is_forgotten(self, now: Time) -> bool {
        matches!(self, Self::Deleted { until } | Self::Rejected { until } if now >= until)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateConnection {
    location: String,
    bandwidth: String,
    #[serde(alias = "interconnectName")]
    connection_name: String,
    lag_id: Option<String>,
    provider_name: Option<String>,
    billing_mode: Option<String>,
    #[serde(rename = "requestMACSec")]
    request_mac_sec: Option<bool>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeConnections {
    connection_id: Option<String>,
    #[serde(flatten)]
    page: Page,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateConnection {
    connection_id: String,
    connection_name: Option<String>,
    encryption_mode: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionId {
    pub connection_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateBilling {
    connection_ids: Vec<String>,
    billing_mode: String,
}

impl Connection {
    pub fn seeded(seed: &SeedConnection, region: &str) -> Self {
        let role = match seed.vlan {
            Some(vlan) => Role::Hosted { vlan, parent: None },
            None => Role::Dedicated,
        };
        Self {
            id: seed.id.clone(),
            owner: seed.owner.clone().unwrap_or_else(|| OWNER.into()),
            region: seed.region.clone().unwrap_or_else(|| region.into()),
            name: seed.name.clone(),
            location: seed.location.clone(),
            bandwidth: seed.bandwidth.clone(),
            provider: None,
            trunk: seed.trunk.clone(),
            role,
            lag: None,
            billing: PAY_AS_YOU_GO,
            security: Security::default(),
            loa_issued: None,
            phase: Phase::Available,
        }
    }

    pub fn device(&self) -> String {
        format!("{}-lab", self.location)
    }

    pub const fn vlan(&self) -> Option<u16> {
        match self.role {
            Role::Hosted { vlan, .. } => Some(vlan),
            Role::Dedicated | Role::Interconnect => None,
        }
    }

    /// What a hosted connection is on.
    pub fn parent(&self) -> Option<&str> {
        match &self.role {
            Role::Hosted { parent, .. } => parent.as_deref(),
            Role::Dedicated | Role::Interconnect => None,
        }
    }

    pub const fn lives(&self) -> bool {
        self.phase.lives()
    }
}

impl Simulator {
    pub(super) fn create_connection(
        &mut self,
        caller: &Account,
        request: CreateConnection,
    ) -> Result<Value, ApiError> {
        let at = self.add_port(caller, Role::Dedicated, request)?;
        Ok(self.connection_json(&self.connections[at]))
    }

    /// A new dedicated port of one of two kinds; its place in the list.
    pub(super) fn add_port(
        &mut self,
        caller: &Account,
        role: Role,
        request: CreateConnection,
    ) -> Result<usize, ApiError> {
        self.check_port(&request.location, &request.bandwidth)?;
        check_name(&request.connection_name)?;
        let billing = billing_mode(request.billing_mode.as_deref())?;
        let security = Security::ordered(request.request_mac_sec, &request.bandwidth)?;
        self.check_port_quota(caller, &request.location, 1)?;
        let tags = unique(request.tags)?;
        if let Some(lag) = &request.lag_id {
            self.check_member(caller, lag, &request.location, &request.bandwidth)?;
        }
        let connection = Connection {
            id: self.ids.short("dxcon"),
            owner: caller.to_owned(),
            region: self.region.clone(),
            name: request.connection_name,
            location: request.location,
            bandwidth: request.bandwidth,
            provider: request.provider_name,
            trunk: None,
            role,
            lag: request.lag_id,
            billing,
            security,
            loa_issued: None,
            phase: Phase::Requested {
                until: self.now + self.delays.connection,
            },
        };
        self.put_tags(self.arn(caller, "dxcon", &connection.id), tags)?;
        self.connections.push(connection);
        Ok(self.connections.len() - 1)
    }

    /// Quotas page: 10 connections per location.
    pub(super) fn check_port_quota(
        &self,
        caller: &Account,
        location: &str,
        more: usize,
    ) -> Result<(), ApiError> {
        let here = |c: &&Connection| {
            c.location == location && c.owner == caller && c.lives() && c.vlan().is_none()
        };
        if self.connections.iter().filter(here).count() + more > 10 {
            let text = format!("Location {location} can have 10 connections: the quota.");
            return Err(ApiError::client(text));
        }
        Ok(())
    }

    pub(super) fn describe_connections(
        &self,
        caller: &Account,
        request: &DescribeConnections,
    ) -> Result<Value, ApiError> {
        if let Some(id) = &request.connection_id {
            self.connection_index(caller, id)?;
        }
        let wanted = |c: &&Connection| {
            self.is_here(caller, c)
                && c.role != Role::Interconnect
                && request.connection_id.as_ref().is_none_or(|id| *id == c.id)
        };
        let connections = self.connections.iter().filter(wanted);
        request.page.of(
            "connections",
            connections.map(|c| self.connection_json(c)).collect(),
        )
    }

    pub(super) fn update_connection(
        &mut self,
        caller: &Account,
        request: UpdateConnection,
    ) -> Result<Value, ApiError> {
        let at = self.connection_index(caller, &request.connection_id)?;
        if let Some(name) = &request.connection_name {
            check_name(name)?;
        }
        let connection = &mut self.connections[at];
        if let Some(mode) = &request.encryption_mode {
            connection.security.set_mode(mode)?;
        }
        if let Some(name) = request.connection_name {
            connection.name = name;
        }
        Ok(self.connection_json(&self.connections[at]))
    }

    pub(super) fn delete_connection(
        &mut self,
        caller: &Account,
        request: &ConnectionId,
    ) -> Result<Value, ApiError> {
        let id = &request.connection_id;
        let at = self.connection_index(caller, id)?;
        if self.vifs_on(id).any(|vif| vif.lives()) {
            return Err(ApiError::client(format!(
                "Connection {id} has virtual interfaces. Delete them first."
            )));
        }
        if let Some(lag) = &self.connections[at].lag {
            self.check_links_without(lag)?;
        }
        self.take_down(at);
        Ok(self.connection_json(&self.connections[at]))
    }

    /// Begins the end of a connection of any kind.
    pub(super) fn take_down(&mut self, at: usize) {
        let (deleting, listed) = (self.delays.deleting, self.delays.listed);
        let connection = &mut self.connections[at];
        connection.phase = match connection.phase {
            Phase::Ordering => Phase::Rejected {
                until: self.now + listed,
            },
            phase if phase.lives() => Phase::Deleting {
                until: self.now + deleting,
            },
            phase => phase,
        };
        connection.lag = None;
    }

    pub(super) fn update_billing(
        &mut self,
        caller: &Account,
        request: &UpdateBilling,
    ) -> Result<Value, ApiError> {
        let mode = billing_mode(Some(&request.billing_mode))?;
        let ids = request.connection_ids.iter();
        let places = ids.map(|id| self.connection_index(caller, id));
        let places: Vec<usize> = places.collect::<Result<_, _>>()?;
        for at in &places {
            self.connections[*at].billing = mode;
        }
        let connections = places
            .iter()
            .map(|at| self.connection_json(&self.connections[*at]));
        let connections: Vec<_> = connections.collect();
        Ok(json!({ "connections": connections, "billingMode": mode }))
    }

    /// A connection that the caller owns in this Region and that isn't
    /// forgotten yet; no interconnect.
    pub(super) fn connection_index(&self, caller: &Account, id: &str) -> Result<usize, ApiError> {
        let known = self.port_index(caller, id).ok();
        known
            .filter(|at| self.connections[*at].role != Role::Interconnect)
            .ok_or_else(|| ApiError::client(format!("Could not find Connection with ID {id}")))
    }

    /// Likewise, or an interconnect.
    pub(super) fn port_index(&self, caller: &Account, id: &str) -> Result<usize, ApiError> {
        self.connections
            .iter()
            .position(|c| c.id == id && self.is_here(caller, c))
            .ok_or_else(|| ApiError::client(format!("Could not find Connection with ID {id}")))
    }

    /// The caller's, in the Region of the request.
    pub(super) fn is_here(&self, caller: &Account, connection: &Connection) -> bool {
        connection.owner == caller && connection.region == self.region
    }

    pub(super) fn advance_connections(&mut self) {
        let (now, delays) = (self.now, &self.delays);
        for connection in &mut self.connections {
            connection.phase.advance(now, delays);
            connection.security.advance(now);
        }
        self.connections.retain(|c| !c.phase.is_forgotten(now));
    }

    pub(super) fn connection_json(&self, connection: &Connection) -> Value {
        let pool = Carrier::Connection(connection).prefix_pool();
        let (taken_v4, taken_v6) = self.prefixes_allotted(&connection.id);
        let security = &connection.security;
        let hosted = connection.vlan();
        json!({
            "ownerAccount": connection.owner,
            "connectionId": connection.id,
            "connectionName": connection.name,
            "connectionState": connection.phase.state(),
            "region": connection.region,
            "location": connection.location,
            "bandwidth": connection.bandwidth,
            "vlan": hosted,
            "lagId": connection.lag,
            "loaIssueTime": connection.loa_issued.map(timestamp),
            "providerName": connection.provider,
            "partnerName": hosted.map(|_| "lab-partner"),
            "awsDevice": connection.device(),
            "awsDeviceV2": connection.device(),
            "awsLogicalDeviceId": connection.device(),
            "jumboFrameCapable": true,
            "hasLogicalRedundancy": "no",
            "macSecCapable": security.is_capable(),
            "encryptionMode": security.mode(),
            "macSecKeys": security.keys_json(),
            "portEncryptionStatus": security.port_status(),
            "billingMode": hosted.is_none().then_some(connection.billing),
            "rateLimiterStatus": hosted.is_none().then(|| self.limiter_status(&connection.id)),
            "prefixPoolSizeIpv4": pool,
            "prefixPoolSizeIpv6": pool,
            "prefixPoolUnallocatedCountIpv4": pool.saturating_sub(taken_v4),
            "prefixPoolUnallocatedCountIpv6": pool.saturating_sub(taken_v6),
            "tags": self.tags_of(&self.arn(&connection.owner, "dxcon", &connection.id)),
        })
    }
}

pub fn check_name(name: &str) -> Result<(), ApiError> {
    if name.is_empty() {
        return Err(ApiError::client("The name must not be empty."));
    }
    Ok(())
}
