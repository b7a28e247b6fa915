//! BGP failover tests, and the routes that a VIF carries.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ApiError;
use super::page::Page;
use super::router::{RouteDirection, Segment};
use super::simulator::{Account, Simulator, Time, timestamp};
use super::vif::{Phase, VifId};

/// A test that runs or ran.
pub struct FailoverTest {
    id: String,
    vif: String,
    peers: BTreeSet<String>,
    owner: String,
    started: Time,
    minutes: u32,
    end: End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Ahead,
    Completed(Time),
    Cancelled(Time),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartTest {
    virtual_interface_id: String,
    bgp_peers: Option<BTreeSet<String>>,
    test_duration_in_minutes: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListTests {
    test_id: Option<String>,
    virtual_interface_id: Option<String>,
    bgp_peers: Option<BTreeSet<String>>,
    status: Option<String>,
    #[serde(flatten)]
    page: Page,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListRoutes {
    virtual_interface_id: Option<String>,
    #[serde(default)]
    filters: RouteFilters,
    #[serde(flatten)]
    page: Page,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RouteFilters {
    address_family: Option<bgp_core::Family>,
    route_direction: Option<String>,
    cidrs: Option<Vec<String>>,
    as_path: Option<Vec<u32>>,
    communities: Option<Vec<String>>,
}

/// API reference: minutes, by default and at most.
const DEFAULT_MINUTES: u32 = 180;
const MAX_MINUTES: u32 = 4320;
/// User Guide: the history is kept for 365 days.
const HISTORY: Duration = Duration::from_secs(365 * 24 * 3600);

impl Simulator {
    pub(super) fn start_test(
        &mut self,
        caller: &Account,
        request: StartTest,
    ) -> Result<Value, ApiError> {
        let id = &request.virtual_interface_id;
        let at = self.vif_index(caller, id)?;
        let vif = &self.vifs[at];
        if vif.owner != caller {
            let text = format!("Only the owner of Virtual Interface {id} can test it.");
            return Err(ApiError::client(text));
        }
        if vif.phase != Phase::Live || self.is_testing(id) {
            let state = self.vif_state(vif);
            let text = format!("Virtual Interface {id} can not be tested while it is {state}.");
            return Err(ApiError::client(text));
        }
        let known: BTreeSet<String> = vif.peers.iter().map(|peer| peer.id.clone()).collect();
        let peers = request.bgp_peers.unwrap_or_else(|| known.clone());
        if let Some(unknown) = peers.difference(&known).next() {
            let text = format!("Virtual Interface {id} has no BGP peer {unknown}.");
            return Err(ApiError::client(text));
        }
        let minutes = request.test_duration_in_minutes.unwrap_or(DEFAULT_MINUTES);
        if !(1..=MAX_MINUTES).contains(&minutes) {
            let text = format!("The test duration must be 1 to {MAX_MINUTES} minutes.");
            return Err(ApiError::client(text));
        }
        let test = FailoverTest {
            id: self.ids.uuid(),
            vif: id.clone(),
            peers,
            owner: caller.to_owned(),
            started: self.now,
            minutes,
            end: End::Ahead,
        };
        let answer = json!({ "virtualInterfaceTest": test.json() });
        self.tests.push(test);
        Ok(answer)
    }

    pub(super) fn stop_test(
        &mut self,
        caller: &Account,
        request: &VifId,
    ) -> Result<Value, ApiError> {
        let id = &request.virtual_interface_id;
        self.vif_index(caller, id)?;
        let now = self.now;
        let running = |test: &&mut FailoverTest| test.vif == *id && test.end == End::Ahead;
        let test = self.tests.iter_mut().find(running).ok_or_else(|| {
            ApiError::client(format!("Virtual Interface {id} is not being tested."))
        })?;
        test.end = End::Cancelled(now);
        Ok(json!({ "virtualInterfaceTest": test.json() }))
    }

    pub(super) fn list_tests(
        &self,
        caller: &Account,
        request: &ListTests,
    ) -> Result<Value, ApiError> {
        let wanted = |test: &&FailoverTest| {
            test.owner == caller
                && request.test_id.as_ref().is_none_or(|id| *id == test.id)
                && request
                    .virtual_interface_id
                    .as_ref()
                    .is_none_or(|id| *id == test.vif)
                && request
                    .status
                    .as_ref()
                    .is_none_or(|status| status == test.status())
                && request
                    .bgp_peers
                    .as_ref()
                    .is_none_or(|peers| peers.is_subset(&test.peers))
        };
        let tests = self
            .tests
            .iter()
            .filter(wanted)
            .map(FailoverTest::json)
            .collect();
        request.page.of("virtualInterfaceTestHistory", tests)
    }

    /// The VIF is under test, which its state says whichever peers are tested.
    pub(super) fn is_testing(&self, vif: &str) -> bool {
        self.tests
            .iter()
            .any(|test| test.vif == vif && test.end == End::Ahead)
    }

    pub(super) fn is_tested(&self, vif: &str, peer: &str) -> bool {
        let held_down = |test: &FailoverTest| {
            test.vif == vif && test.end == End::Ahead && test.peers.contains(peer)
        };
        self.tests.iter().any(held_down)
    }

    pub(super) fn advance_tests(&mut self) {
        let now = self.now;
        for test in &mut self.tests {
            let end = test.started + Duration::from_secs(u64::from(test.minutes) * 60);
            if test.end == End::Ahead && now >= end {
                test.end = End::Completed(end);
            }
        }
        self.tests.retain(|test| now < test.started + HISTORY);
    }

    /// What the router behind the VIF accepted and announces.
    pub(super) fn list_routes(
        &self,
        caller: &Account,
        request: &ListRoutes,
    ) -> Result<Value, ApiError> {
        let id = request.virtual_interface_id.as_deref().unwrap_or_default();
        let vif = &self.vifs[self.vif_index(caller, id)?];
        let device = self.carrier(&vif.connection).map(|c| c.device());
        let mut routes = vec![];
        for peer in &vif.peers {
            let own = self.sessions.get(&peer.id).into_iter();
            let own = own.flat_map(|session| &session.routes);
            routes.extend(own.filter(|r| request.filters.pass(r)).map(|route| {
                let key = (peer.id.clone(), route.direction, route.prefix);
                json!({
                    "cidr": route.prefix,
                    "addressFamily": bgp_core::Family::of(route.prefix.addr()),
                    "routeDirection": route.direction.name(),
                    "routeInstalledAt": self.installed.get(&key).copied().map(timestamp),
                    "asPath": route.as_path.iter().map(segment).collect::<Vec<_>>(),
                    "communities": route.communities,
                    "awsLogicalDeviceId": device,
                })
            }));
        }
        let mut answer = request.page.of("routes", routes)?;
        answer["virtualInterfaceId"] = json!(vif.id);
        Ok(answer)
    }
}

impl FailoverTest {
    const fn status(&self) -> &'static str {
        match self.end {
            End::Ahead => "in_progress",
            End::Completed(_) => "completed",
            End::Cancelled(_) => "cancelled",
        }
    }

    fn json(&self) -> Value {
        let ended = match self.end {
            End::Ahead => None,
            End::Completed(at) | End::Cancelled(at) => Some(timestamp(at)),
        };
        json!({
            "testId": self.id,
            "virtualInterfaceId": self.vif,
            "bgpPeers": self.peers,
            "status": self.status(),
            "ownerAccount": self.owner,
            "testDurationInMinutes": self.minutes,
            "startTime": timestamp(self.started),
            "endTime": ended,
        })
    }
}

impl RouteFilters {
    fn pass(&self, route: &super::router::Route) -> bool {
        let family = bgp_core::Family::of(route.prefix.addr());
        self.address_family.is_none_or(|wanted| wanted == family)
            && self
                .route_direction
                .as_ref()
                .is_none_or(|d| d == route.direction.name())
            && self
                .cidrs
                .as_ref()
                .is_none_or(|cidrs| cidrs.contains(&route.prefix.to_string()))
            && self
                .as_path
                .as_ref()
                .is_none_or(|path| route.as_path.iter().flat_map(Segment::asns).eq(path))
            && (self.communities.as_ref())
                .is_none_or(|wanted| wanted.iter().all(|c| route.communities.contains(c)))
    }
}

fn segment(segment: &Segment) -> Value {
    let kind = match segment {
        Segment::Sequence(_) => "seq",
        Segment::Set(_) => "set",
    };
    json!({ "pathType": kind, "path": segment.asns() })
}

impl RouteDirection {
    const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Advertised => "advertised",
        }
    }
}
