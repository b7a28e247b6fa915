//! The state of the simulated AWS and how time moves it. Pure: no clock, no
//! socket; whoever calls says what time it is.
//!
//! [`Simulator::call`] is the only way in for requests; the operations are in
//! the modules named after what they work on. [`Simulator::intents`] and
//! [`Simulator::observe`] connect it to a router.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dx_model::MODEL;
use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::association::Association;
use super::connection::Connection;
use super::error::{ApiError, ErrorKind};
use super::failover_test::FailoverTest;
use super::gateway::Gateway;
use super::id::Ids;
use super::lag::Lag;
use super::operation;
use super::proposal::Proposal;
use super::resiliency::{Remembered, ResiliencyGroup};
use super::router::{RouteDirection, Session, VifIntent};
use super::seed::Seed;
use super::vif::Vif;

/// Time since the Unix epoch, in the simulated world.
pub type Time = Duration;

/// An account number, as twelve digits.
pub type Account = str;

/// A BGP peer's route.
pub type RouteKey = (String, RouteDirection, IpNet);

/// Whose request it is, and which Region it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub account: String,
    pub region: String,
}

/// How long things take, in the simulated world.
#[derive(Clone, Debug)]
pub struct Delays {
    /// A new connection: `requested`, then `pending`, each this long.
    pub connection: Duration,
    /// A new public VIF: `verifying` (up to 72 hours at AWS).
    pub verifying: Duration,
    /// A new VIF or BGP peer: `pending`.
    pub pending: Duration,
    /// Anything: `deleting`.
    pub deleting: Duration,
    /// A deleted VIF or connection stays listed.
    pub listed: Duration,
    /// A gateway association: `associating`, `updating`, `disassociating`.
    pub associating: Duration,
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            connection: Duration::from_secs(60),
            verifying: Duration::from_secs(120),
            pending: Duration::from_secs(20),
            deleting: Duration::from_secs(20),
            // User Guide: virtual interfaces deleted fewer than 15 minutes ago are returned.
            listed: Duration::from_secs(15 * 60),
            associating: Duration::from_secs(60),
        }
    }
}

/// The simulated AWS.
pub struct Simulator {
    pub(super) seed: Seed,
    pub(super) delays: Delays,
    pub(super) ids: Ids,
    pub(super) now: Time,
    /// The Region of the request at hand. Everything but Direct Connect gateways
    /// is in one, and not to be seen from another.
    pub(super) region: String,
    pub(super) connections: Vec<Connection>,
    pub(super) lags: Vec<Lag>,
    pub(super) vifs: Vec<Vif>,
    pub(super) gateways: Vec<Gateway>,
    pub(super) associations: Vec<Association>,
    pub(super) proposals: Vec<Proposal>,
    pub(super) groups: Vec<ResiliencyGroup>,
    /// Requests with a client token.
    pub(super) remembered: Vec<Remembered>,
    /// Accounts that have signed the agreement.
    pub(super) signed: BTreeSet<String>,
    pub(super) tests: Vec<FailoverTest>,
    /// By ARN.
    pub(super) tags: BTreeMap<String, Tags>,
    /// By BGP peer id, as last observed.
    pub(super) sessions: BTreeMap<String, Session>,
    /// Since when each of their routes is there.
    pub(super) installed: BTreeMap<RouteKey, Time>,
}

/// Key to value; AWS allows a key without one.
pub type Tags = BTreeMap<String, Option<String>>;

/// The account that owns what the seed doesn't give to another.
pub const OWNER: &str = "123456789012";

/// The other account: a Direct Connect Partner.
pub const PARTNER: &str = "210987654321";

impl Simulator {
    /// `random` decides the ids: the same number, the same ids.
    pub fn new(seed: Seed, delays: Delays, now: Time, random: u64) -> Self {
        let region = seed.regions.first().cloned().unwrap_or_default();
        let connections = seed
            .connections
            .iter()
            .map(|c| Connection::seeded(c, &region))
            .collect();
        Self {
            seed,
            delays,
            ids: Ids::new(random),
            now,
            region,
            connections,
            lags: vec![],
            vifs: vec![],
            gateways: vec![],
            associations: vec![],
            proposals: vec![],
            groups: vec![],
            remembered: vec![],
            signed: BTreeSet::new(),
            tests: vec![],
            tags: BTreeMap::new(),
            sessions: BTreeMap::new(),
            installed: BTreeMap::new(),
        }
    }

    /// One request of `caller` and its answer, both as the model shapes them.
    pub fn call(
        &mut self,
        caller: &Caller,
        operation: &str,
        input: Value,
        now: Time,
    ) -> Result<Value, ApiError> {
        if !MODEL.has(operation) {
            let text = format!("{operation} is not an operation of Direct Connect.");
            return Err(ApiError::new(ErrorKind::UnknownOperation, text));
        }
        MODEL.check_input(operation, &input)?;
        self.advance(now);
        self.region.clone_from(&caller.region);
        let answer = operation::dispatch(self, &caller.account, operation, input)?;
        let output = without_nulls(answer);
        MODEL.check_output(operation, &output).map_err(|wrong| {
            let text = format!("the simulator's answer doesn't fit the model: {wrong}");
            ApiError::new(ErrorKind::Server, text)
        })?;
        Ok(output)
    }

    /// Moves everything to where it is at `now`.
    pub fn advance(&mut self, now: Time) {
        self.now = self.now.max(now);
        self.advance_connections();
        self.advance_lags();
        self.advance_tests();
        self.advance_vifs();
        self.advance_gateways();
        self.advance_associations();
        self.advance_proposals();
        self.advance_groups();
    }

    /// What the router should carry now.
    pub fn intents(&self) -> Vec<VifIntent> {
        self.vifs
            .iter()
            .filter_map(|vif| self.intent(vif))
            .collect()
    }

    /// Takes over what the router says of its sessions.
    pub fn observe(&mut self, sessions: BTreeMap<String, Session>) {
        let keys = sessions.iter().flat_map(|(peer, session)| {
            let routes = session.routes.iter();
            routes.map(|route| (peer.clone(), route.direction, route.prefix))
        });
        let before = std::mem::take(&mut self.installed);
        let since = |key: &RouteKey| before.get(key).copied().unwrap_or(self.now);
        self.installed = keys.map(|key| (key.clone(), since(&key))).collect();
        self.sessions = sessions;
    }

    /// Where it can be called.
    pub fn regions(&self) -> &[String] {
        &self.seed.regions
    }

    pub(super) fn is_up(&self, peer: &str) -> bool {
        self.sessions
            .get(peer)
            .is_some_and(|session| session.established)
    }
}

/// Seconds since the epoch as the API writes a point in time.
pub fn timestamp(time: Time) -> Value {
    json!(time.as_secs_f64())
}

/// AWS leaves out what has no value.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nulls(value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}
