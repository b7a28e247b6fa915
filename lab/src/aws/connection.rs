//! Connections: the physical ports, and the locations they are at.

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ApiError;
use super::page::Page;
use super::seed::{LOCATIONS, PORT_SPEEDS, SeedConnection};
use super::simulator::{Account, Simulator, Time};
use super::tag::{Tag, unique};

pub struct Connection {
    pub id: String,
    pub owner: String,
    pub name: String,
    pub location: String,
    pub bandwidth: String,
    pub provider: Option<String>,
    /// The router's port that it ends at; `None`: plugged in nowhere.
    pub trunk: Option<String>,
    /// A partner's hosted connection has one VLAN, and one VIF.
    pub vlan: Option<u16>,
    pub phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
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
}

impl Phase {
    const fn state(self) -> &'static str {
        match self {
            Self::Requested { .. } => "requested",
            Self::Pending { .. } => "pending",
            Self::Available => "available",
            Self::Deleting { .. } => "deleting",
            Self::Deleted { .. } => "deleted",
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateConnection {
    location: String,
    bandwidth: String,
    connection_name: String,
    lag_id: Option<String>,
    provider_name: Option<String>,
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
    connection_id: String,
}

impl Connection {
    pub fn seeded(seed: &SeedConnection, owner: &Account) -> Self {
        Self {
            id: seed.id.clone(),
            owner: owner.to_owned(),
            name: seed.name.clone(),
            location: seed.location.clone(),
            bandwidth: seed.bandwidth.clone(),
            provider: None,
            trunk: seed.trunk.clone(),
            vlan: seed.vlan,
            phase: Phase::Available,
        }
    }

    /// Prefixes of one family that all its private and transit VIFs together
    /// may be allotted (quotas page, 2026-08).
    pub fn prefix_pool(&self) -> u32 {
        match self.bandwidth.as_str() {
            "400Gbps" => 50_000,
            "100Gbps" => 30_000,
            _ => 5_000,
        }
    }

    /// The device that AWS names in its answers.
    pub fn device(&self) -> String {
        format!("{}-lab", self.location)
    }

    fn lives(&self) -> bool {
        !matches!(self.phase, Phase::Deleting { .. } | Phase::Deleted { .. })
    }
}

impl Simulator {
    pub(super) fn create_connection(
        &mut self,
        caller: &Account,
        request: CreateConnection,
    ) -> Result<Value, ApiError> {
        if request.lag_id.is_some() {
            return Err(ApiError::not_simulated("A connection in a LAG"));
        }
        if request.request_mac_sec == Some(true) {
            return Err(ApiError::not_simulated("MACsec"));
        }
        if !LOCATIONS
            .iter()
            .any(|location| location.code == request.location)
        {
            let text = format!("Location {} does not exist.", request.location);
            return Err(ApiError::client(text));
        }
        if !PORT_SPEEDS.contains(&request.bandwidth.as_str()) {
            let valid = PORT_SPEEDS.join(", ");
            let text = format!("Bandwidth {} is not valid: use {valid}.", request.bandwidth);
            return Err(ApiError::client(text));
        }
        if request.connection_name.is_empty() {
            return Err(ApiError::client("The connection name must not be empty."));
        }
        let here =
            |c: &&Connection| c.location == request.location && c.owner == caller && c.lives();
        // Quotas page: 10 connections per location.
        if self.connections.iter().filter(here).count() >= 10 {
            return Err(ApiError::client(format!(
                "Location {} has 10 connections already: the quota.",
                request.location
            )));
        }
        let tags = unique(request.tags)?;
        let connection = Connection {
            id: self.ids.short("dxcon"),
            owner: caller.to_owned(),
            name: request.connection_name,
            location: request.location,
            bandwidth: request.bandwidth,
            provider: request.provider_name,
            trunk: None,
            vlan: None,
            phase: Phase::Requested {
                until: self.now + self.delays.connection,
            },
        };
        self.put_tags(self.arn(caller, "dxcon", &connection.id), tags)?;
        self.connections.push(connection);
        let created = self.connections.last().expect("invariant: pushed just now");
        Ok(self.connection_json(created))
    }

    pub(super) fn describe_connections(
        &self,
        caller: &Account,
        request: &DescribeConnections,
    ) -> Result<Value, ApiError> {
        if let Some(id) = &request.connection_id {
            self.connection(caller, id)?;
        }
        let wanted = |c: &&Connection| {
            c.owner == caller && request.connection_id.as_ref().is_none_or(|id| *id == c.id)
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
        if request.encryption_mode.is_some() {
            return Err(ApiError::not_simulated("MACsec"));
        }
        let at = self.connection_index(caller, &request.connection_id)?;
        if let Some(name) = request.connection_name {
            self.connections[at].name = name;
        }
        Ok(self.connection_json(&self.connections[at]))
    }

    pub(super) fn delete_connection(
        &mut self,
        caller: &Account,
        request: &ConnectionId,
    ) -> Result<Value, ApiError> {
        let at = self.connection_index(caller, &request.connection_id)?;
        let id = &request.connection_id;
        if self
            .vifs
            .iter()
            .any(|vif| vif.connection == *id && vif.lives())
        {
            return Err(ApiError::client(format!(
                "Connection {id} has virtual interfaces. Delete them first."
            )));
        }
        if self.connections[at].lives() {
            let until = self.now + self.delays.deleting;
            self.connections[at].phase = Phase::Deleting { until };
        }
        Ok(self.connection_json(&self.connections[at]))
    }

    pub(super) fn describe_locations(&self) -> Value {
        let locations = LOCATIONS.iter().map(|location| {
            json!({
                "locationCode": location.code,
                "locationName": location.name,
                "region": self.seed.region,
                "availablePortSpeeds": PORT_SPEEDS,
                "availableProviders": [],
                "availableMacSecPortSpeeds": [],
            })
        });
        json!({ "locations": locations.collect::<Vec<_>>() })
    }

    /// A connection that the caller owns and that isn't forgotten yet.
    pub(super) fn connection(&self, caller: &Account, id: &str) -> Result<&Connection, ApiError> {
        self.connection_index(caller, id)
            .map(|at| &self.connections[at])
    }

    fn connection_index(&self, caller: &Account, id: &str) -> Result<usize, ApiError> {
        self.connections
            .iter()
            .position(|c| c.id == id && c.owner == caller)
            .ok_or_else(|| ApiError::client(format!("Could not find Connection with ID {id}")))
    }

    pub(super) fn advance_connections(&mut self) {
        let (now, delays) = (self.now, &self.delays);
        for connection in &mut self.connections {
            loop {
                connection.phase = match connection.phase {
                    Phase::Requested { until } if now >= until => Phase::Pending {
                        until: until + delays.connection,
                    },
                    Phase::Pending { until } if now >= until => Phase::Available,
                    Phase::Deleting { until } if now >= until => Phase::Deleted {
                        until: until + delays.listed,
                    },
                    _ => break,
                };
            }
        }
        self.connections
            .retain(|c| !matches!(c.phase, Phase::Deleted { until } if now >= until));
    }

    fn connection_json(&self, connection: &Connection) -> Value {
        let pool = connection.prefix_pool();
        let (taken_v4, taken_v6) = self.prefixes_allotted(&connection.id);
        json!({
            "ownerAccount": connection.owner,
            "connectionId": connection.id,
            "connectionName": connection.name,
            "connectionState": connection.phase.state(),
            "region": self.seed.region,
            "location": connection.location,
            "bandwidth": connection.bandwidth,
            "vlan": connection.vlan,
            "providerName": connection.provider,
            "partnerName": connection.vlan.map(|_| "lab-partner"),
            "awsDevice": connection.device(),
            "awsDeviceV2": connection.device(),
            "awsLogicalDeviceId": connection.device(),
            "jumboFrameCapable": true,
            "hasLogicalRedundancy": "no",
            "macSecCapable": false,
            "portEncryptionStatus": "Encryption Down",
            "prefixPoolSizeIpv4": pool,
            "prefixPoolSizeIpv6": pool,
            "prefixPoolUnallocatedCountIpv4": pool.saturating_sub(taken_v4),
            "prefixPoolUnallocatedCountIpv6": pool.saturating_sub(taken_v6),
            "tags": self.tags_of(&self.arn(&connection.owner, "dxcon", &connection.id)),
        })
    }
}
