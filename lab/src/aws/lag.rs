//! Link aggregation groups: `CreateLag`, `UpdateLag`, `DeleteLag`, and which
//! connections are in them.

use serde::Deserialize;
use serde_json::{Value, json};

use super::agreement;
use super::carrier::Carrier;
use super::connection::{Connection, Phase, Role, check_name};
use super::error::ApiError;
use super::location::billing_mode;
use super::mac_sec::Security;
use super::page::Page;
use super::rate_limit::megabits;
use super::simulator::{Account, Simulator};
use super::tag::{Tag, unique};

pub struct Lag {
    pub id: String,
    pub owner: String,
    pub region: String,
    name: String,
    pub location: String,
    /// Of each member.
    pub bandwidth: String,
    minimum_links: usize,
    provider: Option<String>,
    billing: &'static str,
    pub security: Security,
    pub phase: Phase,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateLag {
    number_of_connections: i64,
    location: String,
    connections_bandwidth: String,
    lag_name: String,
    connection_id: Option<String>,
    provider_name: Option<String>,
    billing_mode: Option<String>,
    #[serde(rename = "requestMACSec")]
    request_mac_sec: Option<bool>,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    child_connection_tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeLags {
    lag_id: Option<String>,
    #[serde(flatten)]
    page: Page,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateLag {
    lag_id: String,
    lag_name: Option<String>,
    minimum_links: Option<i64>,
    encryption_mode: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LagId {
    lag_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LagMember {
    lag_id: String,
    connection_id: String,
}

/// User Guide: four ports, of the fastest two.
fn most_members(bandwidth: &str) -> usize {
    if megabits(bandwidth).is_some_and(|speed| speed >= 100_000) {
        2
    } else {
        4
    }
}

impl Lag {
    pub fn device(&self) -> String {
        format!("{}-lab", self.location)
    }
}

impl Simulator {
    pub(super) fn create_lag(
        &mut self,
        caller: &Account,
        request: CreateLag,
    ) -> Result<Value, ApiError> {
        let (location, bandwidth) = (&request.location, &request.connections_bandwidth);
        self.check_port(location, bandwidth)?;
        check_name(&request.lag_name)?;
        let most = most_members(bandwidth);
        let wanted = usize::try_from(request.number_of_connections)
            .ok()
            .filter(|count| (1..=most).contains(count))
            .ok_or_else(|| {
                let text = format!("A LAG of {bandwidth} has 1 to {most} connections.");
                ApiError::client(text)
            })?;
        let billing = billing_mode(request.billing_mode.as_deref())?;
        let security = Security::ordered(request.request_mac_sec, bandwidth)?;
        let (tags, child_tags) = (
            unique(request.tags)?,
            unique(request.child_connection_tags)?,
        );
        let existing = match &request.connection_id {
            None => None,
            Some(id) => Some(self.free_port(caller, id, location, bandwidth)?),
        };
        let new = wanted - usize::from(existing.is_some());
        self.check_port_quota(caller, location, new)?;
        let id = self.ids.short("dxlag");
        self.put_tags(self.arn(caller, "dxlag", &id), tags)?;
        let requested = Phase::Requested {
            until: self.now + self.delays.connection,
        };
        let phase = match existing {
            Some(at) => self.connections[at].phase,
            None => requested,
        };
        for number in 1..=new {
            let connection = self.ids.short("dxcon");
            self.put_tags(self.arn(caller, "dxcon", &connection), child_tags.clone())?;
            self.connections.push(Connection {
                id: connection,
                owner: caller.to_owned(),
                region: self.region.clone(),
                name: format!("{}-{number}", request.lag_name),
                location: location.clone(),
                bandwidth: bandwidth.clone(),
                provider: request.provider_name.clone(),
                trunk: None,
                role: Role::Dedicated,
                lag: Some(id.clone()),
                billing,
                security: Security::ordered(request.request_mac_sec, bandwidth)?,
                loa_issued: None,
                phase: requested,
            });
        }
        self.lags.push(Lag {
            id: id.clone(),
            owner: caller.to_owned(),
            region: self.region.clone(),
            name: request.lag_name,
            location: request.location,
            bandwidth: request.connections_bandwidth,
            minimum_links: 0,
            provider: request.provider_name,
            billing,
            security,
            phase,
        });
        if let Some(at) = existing {
            self.join(at, &id);
        }
        let created = self.lags.last().expect("invariant: pushed just now");
        Ok(self.lag_json(created))
    }

    pub(super) fn describe_lags(
        &self,
        caller: &Account,
        request: &DescribeLags,
    ) -> Result<Value, ApiError> {
        if let Some(id) = &request.lag_id {
            self.lag_index(caller, id)?;
        }
        let wanted = |lag: &&Lag| {
            lag.owner == caller
                && lag.region == self.region
                && request.lag_id.as_ref().is_none_or(|id| *id == lag.id)
        };
        let lags = self.lags.iter().filter(wanted);
        request
            .page
            .of("lags", lags.map(|lag| self.lag_json(lag)).collect())
    }

    pub(super) fn update_lag(
        &mut self,
        caller: &Account,
        request: UpdateLag,
    ) -> Result<Value, ApiError> {
        let at = self.lag_index(caller, &request.lag_id)?;
        let members = self.members(&request.lag_id).count();
        let minimum = request.minimum_links.map(|wanted| {
            let fits = usize::try_from(wanted)
                .ok()
                .filter(|links| *links <= members);
            fits.ok_or_else(|| {
                let text = format!("minimumLinks must be 0 to {members}, the LAG's connections.");
                ApiError::client(text)
            })
        });
        let minimum = minimum.transpose()?;
        if let Some(name) = &request.lag_name {
            check_name(name)?;
        }
        let lag = &mut self.lags[at];
        if let Some(mode) = &request.encryption_mode {
            lag.security.set_mode(mode)?;
        }
        lag.minimum_links = minimum.unwrap_or(lag.minimum_links);
        if let Some(name) = request.lag_name {
            lag.name = name;
        }
        Ok(self.lag_json(&self.lags[at]))
    }

    /// Its connections stay, on their own.
    pub(super) fn delete_lag(
        &mut self,
        caller: &Account,
        request: &LagId,
    ) -> Result<Value, ApiError> {
        let id = &request.lag_id;
        let at = self.lag_index(caller, id)?;
        if self.vifs_on(id).any(|vif| vif.lives()) || self.hosted_on(id).next().is_some() {
            let text = format!("LAG {id} has virtual interfaces or hosted connections.");
            return Err(ApiError::client(text));
        }
        if self.lags[at].phase.lives() {
            let until = self.now + self.delays.deleting;
            self.lags[at].phase = Phase::Deleting { until };
        }
        for connection in &mut self.connections {
            if connection.lag.as_ref() == Some(id) {
                connection.lag = None;
            }
        }
        Ok(self.lag_json(&self.lags[at]))
    }

    pub(super) fn associate_with_lag(
        &mut self,
        caller: &Account,
        request: &LagMember,
    ) -> Result<Value, ApiError> {
        let (id, lag) = (&request.connection_id, &request.lag_id);
        let at = self.port_index(caller, id)?;
        let connection = &self.connections[at];
        self.check_member(caller, lag, &connection.location, &connection.bandwidth)?;
        if connection.phase != Phase::Available || connection.vlan().is_some() {
            let text = format!("Connection {id} is not an available dedicated connection.");
            return Err(ApiError::client(text));
        }
        match &connection.lag {
            Some(old) if old == lag => {
                return Err(ApiError::client(format!("{id} is in {lag} already.")));
            }
            Some(old) => self.check_links_without(old)?,
            None => {}
        }
        for vif in self.vifs_on(id) {
            self.check_vlan(lag, vif.vlan.id())?;
        }
        self.join(at, lag);
        Ok(self.connection_json(&self.connections[at]))
    }

    /// What is on the LAG stays on the LAG.
    pub(super) fn disassociate_from_lag(
        &mut self,
        caller: &Account,
        request: &LagMember,
    ) -> Result<Value, ApiError> {
        let (id, lag) = (&request.connection_id, &request.lag_id);
        let at = self.port_index(caller, id)?;
        if self.connections[at].lag.as_ref() != Some(lag) {
            return Err(ApiError::client(format!("{id} is not in {lag}.")));
        }
        self.check_links_without(lag)?;
        self.connections[at].lag = None;
        Ok(self.connection_json(&self.connections[at]))
    }

    /// A LAG can go below its minimum only with its last member.
    pub(super) fn check_links_without(&self, lag: &str) -> Result<(), ApiError> {
        let members = self.members(lag).count();
        let minimum = self.lags.iter().find(|l| l.id == lag);
        let minimum = minimum.map_or(0, |lag| lag.minimum_links);
        if members > 1 && members - 1 < minimum {
            let text = format!("LAG {lag} would have less than its {minimum} minimum links.");
            return Err(ApiError::client(text));
        }
        Ok(())
    }

    /// The LAG takes one more port of this kind.
    pub(super) fn check_member(
        &self,
        caller: &Account,
        lag: &str,
        location: &str,
        bandwidth: &str,
    ) -> Result<(), ApiError> {
        let found = &self.lags[self.lag_index(caller, lag)?];
        if !found.phase.lives() {
            return Err(ApiError::client(format!("LAG {lag} is being deleted.")));
        }
        if found.location != location || found.bandwidth != bandwidth {
            let (location, bandwidth) = (&found.location, &found.bandwidth);
            let text = format!("Members of LAG {lag} are at {location} and have {bandwidth}.");
            return Err(ApiError::client(text));
        }
        let most = most_members(bandwidth);
        if self.members(lag).count() >= most {
            let text = format!("LAG {lag} has {most} connections already.");
            return Err(ApiError::client(text));
        }
        Ok(())
    }

    pub(super) fn lag_index(&self, caller: &Account, id: &str) -> Result<usize, ApiError> {
        self.lags
            .iter()
            .position(|l| l.id == id && l.owner == caller && l.region == self.region)
            .ok_or_else(|| ApiError::client(format!("Could not find Lag with ID {id}")))
    }

    pub(super) fn members<'a>(&'a self, lag: &'a str) -> impl Iterator<Item = &'a Connection> {
        self.connections
            .iter()
            .filter(move |c| c.lag.as_deref() == Some(lag) && c.lives())
    }

    pub(super) fn advance_lags(&mut self) {
        let (now, delays) = (self.now, &self.delays);
        for lag in &mut self.lags {
            lag.phase.advance(now, delays);
            lag.security.advance(now);
        }
        self.lags.retain(|lag| !lag.phase.is_forgotten(now));
    }

    /// A port of the caller that a new LAG can begin with.
    fn free_port(
        &self,
        caller: &Account,
        id: &str,
        location: &str,
        bandwidth: &str,
    ) -> Result<usize, ApiError> {
        let at = self.port_index(caller, id)?;
        let port = &self.connections[at];
        let fits = port.location == location
            && port.bandwidth == bandwidth
            && port.vlan().is_none()
            && port.lag.is_none()
            && port.lives();
        if !fits {
            let text = format!(
                "Connection {id} is not a dedicated connection of {bandwidth} at {location}, or \
                 is in a LAG already."
            );
            return Err(ApiError::client(text));
        }
        Ok(at)
    }

    /// What is on the connection itself goes over to the LAG; what is on its
    /// former LAG stays there.
    fn join(&mut self, at: usize, lag: &str) {
        let id = self.connections[at].id.clone();
        self.connections[at].lag = Some(lag.to_owned());
        for vif in self.vifs.iter_mut().filter(|vif| vif.connection == id) {
            lag.clone_into(&mut vif.connection);
        }
        for hosted in &mut self.connections {
            if let Role::Hosted { parent, .. } = &mut hosted.role
                && parent.as_ref() == Some(&id)
            {
                *parent = Some(lag.to_owned());
            }
        }
    }

    fn lag_json(&self, lag: &Lag) -> Value {
        let members: Vec<&Connection> = self.members(&lag.id).collect();
        let working = members.iter().filter(|c| c.phase == Phase::Available);
        let state = match lag.phase {
            Phase::Available if working.count() < lag.minimum_links => "down",
            phase => phase.state(),
        };
        let hosts = agreement::check_partner(&lag.owner).is_ok();
        let pool = (!hosts).then(|| Carrier::Lag(lag).prefix_pool());
        let (taken_v4, taken_v6) = self.prefixes_allotted(&lag.id);
        let connections: Vec<_> = members.iter().map(|c| self.connection_json(c)).collect();
        json!({
            "lagId": lag.id,
            "lagName": lag.name,
            "lagState": state,
            "ownerAccount": lag.owner,
            "region": lag.region,
            "location": lag.location,
            "connectionsBandwidth": lag.bandwidth,
            "numberOfConnections": members.len(),
            "minimumLinks": lag.minimum_links,
            "connections": connections,
            "allowsHostedConnections": hosts,
            "providerName": lag.provider,
            "awsDevice": lag.device(),
            "awsDeviceV2": lag.device(),
            "awsLogicalDeviceId": lag.device(),
            "jumboFrameCapable": true,
            "hasLogicalRedundancy": "no",
            "macSecCapable": lag.security.is_capable(),
            "encryptionMode": lag.security.mode(),
            "macSecKeys": lag.security.keys_json(),
            "billingMode": lag.billing,
            "rateLimiterStatus": self.limiter_status(&lag.id),
            "prefixPoolSizeIpv4": pool,
            "prefixPoolSizeIpv6": pool,
            "prefixPoolUnallocatedCountIpv4": pool.map(|pool| pool.saturating_sub(taken_v4)),
            "prefixPoolUnallocatedCountIpv6": pool.map(|pool| pool.saturating_sub(taken_v6)),
            "tags": self.tags_of(&self.arn(&lag.owner, "dxlag", &lag.id)),
        })
    }
}
