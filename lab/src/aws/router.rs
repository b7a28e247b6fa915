//! The seam between the simulated API and the router on AWS's side: what VIFs
//! there should be, and what became of their BGP sessions.

use std::collections::BTreeMap;

use bgp_core::config::{AuthKey, VifKind};
use bgp_core::{Asn, Family, VlanId};
use ipnet::IpNet;

/// A router in AWS's role. Both calls may block: they run on a thread of their
/// own.
pub trait AwsRouter: Send {
    /// Makes the router carry exactly these VIFs. Called again with the same
    /// when it failed.
    fn apply(&mut self, vifs: &[VifIntent]) -> anyhow::Result<()>;

    /// How each BGP peer's session stands, by peer id; one that is absent is
    /// down.
    fn status(&mut self) -> anyhow::Result<BTreeMap<String, Session>>;
}

/// One VIF as the router should carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VifIntent {
    pub id: String,
    pub kind: VifKind,
    /// The router's port that the connection ends at.
    pub trunk: String,
    pub vlan: VlanId,
    pub mtu: u32,
    /// Amazon's side.
    pub asn: Asn,
    pub peers: Vec<PeerIntent>,
    /// What AWS announces over this VIF, both families.
    pub advertise: Vec<IpNet>,
}

/// One BGP peer of a VIF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerIntent {
    pub id: String,
    pub family: Family,
    /// Amazon's address with its mask.
    pub amazon: IpNet,
    pub customer: IpNet,
    pub asn: Asn,
    pub key: AuthKey,
    /// Prefixes accepted before the session goes to idle.
    pub prefix_limit: u32,
    /// `Disabled` during a failover test: the session is held down.
    pub admin: Admin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admin {
    Enabled,
    Disabled,
}

/// How a BGP peer's session stands.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Session {
    pub established: bool,
    /// The customer's prefixes that were accepted, and AWS's that were
    /// announced.
    pub routes: Vec<Route>,
}

/// A route of `ListVirtualInterfaceRoutes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub direction: RouteDirection,
    pub prefix: IpNet,
    pub as_path: Vec<Segment>,
    pub communities: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    Sequence(Vec<u32>),
    Set(Vec<u32>),
}

impl Segment {
    pub fn asns(&self) -> &[u32] {
        let (Self::Sequence(asns) | Self::Set(asns)) = self;
        asns
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouteDirection {
    Accepted,
    Advertised,
}

/// No router at all: every session stays down.
pub struct NoRouter;

impl AwsRouter for NoRouter {
    fn apply(&mut self, _: &[VifIntent]) -> anyhow::Result<()> {
        Ok(())
    }

    fn status(&mut self) -> anyhow::Result<BTreeMap<String, Session>> {
        Ok(BTreeMap::new())
    }
}
