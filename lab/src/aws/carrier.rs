//! What virtual interfaces are on: a connection of any kind, or a LAG.

use bgp_core::config::VifKind;

use super::connection::{Connection, Phase, Role};
use super::error::ApiError;
use super::lag::Lag;
use super::rate_limit::megabits;
use super::simulator::{Account, Simulator};
use super::vif::Vif;

#[derive(Clone, Copy)]
pub enum Carrier<'a> {
    Connection(&'a Connection),
    Lag(&'a Lag),
}

impl<'a> Carrier<'a> {
    pub fn id(self) -> &'a str {
        match self {
            Self::Connection(connection) => &connection.id,
            Self::Lag(lag) => &lag.id,
        }
    }

    pub fn owner(self) -> &'a str {
        match self {
            Self::Connection(connection) => &connection.owner,
            Self::Lag(lag) => &lag.owner,
        }
    }

    pub fn region(self) -> &'a str {
        match self {
            Self::Connection(connection) => &connection.region,
            Self::Lag(lag) => &lag.region,
        }
    }

    pub fn location(self) -> &'a str {
        match self {
            Self::Connection(connection) => &connection.location,
            Self::Lag(lag) => &lag.location,
        }
    }

    /// The device that AWS names in its answers.
    pub fn device(self) -> String {
        match self {
            Self::Connection(connection) => connection.device(),
            Self::Lag(lag) => lag.device(),
        }
    }

    /// Of one port, in Mbit/s.
    pub fn bandwidth(self) -> u32 {
        let text = match self {
            Self::Connection(connection) => &connection.bandwidth,
            Self::Lag(lag) => &lag.bandwidth,
        };
        megabits(text).unwrap_or_default()
    }

    /// A hosted connection has one VLAN, and one VIF.
    pub fn vlan(self) -> Option<u16> {
        match self {
            Self::Connection(connection) => connection.vlan(),
            Self::Lag(_) => None,
        }
    }

    /// Prefixes of one family that all its private and transit VIFs together
    /// may be allotted (quotas page, 2026-08).
    pub fn prefix_pool(self) -> u32 {
        match self.bandwidth() {
            400_000.. => 50_000,
            100_000.. => 30_000,
            _ => 5_000,
        }
    }

    const fn phase(self) -> Phase {
        match self {
            Self::Connection(connection) => connection.phase,
            Self::Lag(lag) => lag.phase,
        }
    }
}

impl Simulator {
    /// Whoever owns it.
    pub(super) fn carrier(&self, id: &str) -> Option<Carrier<'_>> {
        let connection = self.connections.iter().find(|c| c.id == id);
        let lag = || self.lags.iter().find(|lag| lag.id == id).map(Carrier::Lag);
        connection.map(Carrier::Connection).or_else(lag)
    }

    /// One that the caller has in this Region and may have VIFs on.
    pub(super) fn own_carrier(&self, caller: &Account, id: &str) -> Result<Carrier<'_>, ApiError> {
        let own = |c: &Carrier<'_>| c.owner() == caller && c.region() == self.region;
        let interconnect =
            |c: &Carrier<'_>| matches!(c, Carrier::Connection(c) if c.role == Role::Interconnect);
        self.carrier(id)
            .filter(own)
            .filter(|c| !interconnect(c))
            .ok_or_else(|| ApiError::client(format!("Could not find Connection with ID {id}")))
    }

    /// The AWS-side router's port that a carrier ends at: its own, that of the
    /// interconnect or LAG that it is on, or of the LAG's first member.
    pub(super) fn trunk(&self, id: &str) -> Option<String> {
        match self.carrier(id)? {
            Carrier::Lag(lag) => self
                .members(&lag.id)
                .find_map(|member| member.trunk.clone()),
            Carrier::Connection(connection) => {
                let parent = || self.trunk(connection.parent()?);
                connection.trunk.clone().or_else(parent)
            }
        }
    }

    /// VIFs that have a VLAN of this carrier: those being deleted still do.
    pub(super) fn vifs_on<'a>(&'a self, carrier: &'a str) -> impl Iterator<Item = &'a Vif> {
        let here = move |vif: &&Vif| vif.connection == carrier && !vif.is_gone();
        self.vifs.iter().filter(here)
    }

    /// The carrier is the caller's, available, has the VLAN free and room for
    /// one more VIF (quotas page).
    pub(super) fn check_room(
        &self,
        caller: &Account,
        id: &str,
        kind: VifKind,
        vlan: u16,
    ) -> Result<(), ApiError> {
        let carrier = self.own_carrier(caller, id)?;
        if carrier.phase() != Phase::Available {
            return Err(ApiError::client(format!(
                "Connection {id} is not available."
            )));
        }
        if let Carrier::Connection(member) = carrier
            && let Some(lag) = &member.lag
        {
            let text = format!("Connection {id} is in {lag}: use that.");
            return Err(ApiError::client(text));
        }
        if let Some(own) = carrier.vlan().filter(|own| *own != vlan) {
            let text = format!("Hosted connection {id} has VLAN {own}, not {vlan}.");
            return Err(ApiError::client(text));
        }
        self.check_vlan(id, vlan)?;
        let transit = |vif: &&Vif| vif.kind == VifKind::Transit;
        let count = self.vifs_on(id).count();
        let transits = self.vifs_on(id).filter(transit).count();
        let full = match (carrier.vlan(), kind) {
            (Some(_), _) => count >= 1,
            (None, VifKind::Transit) => transits >= 4 || count >= 51,
            (None, _) => count - transits >= 50 || count >= 51,
        };
        if full {
            let text = format!("Connection {id} has no room for another virtual interface.");
            return Err(ApiError::limit(text));
        }
        Ok(())
    }

    /// Neither a VIF nor a hosted connection on the carrier has the VLAN.
    pub(super) fn check_vlan(&self, id: &str, vlan: u16) -> Result<(), ApiError> {
        let vif = self.vifs_on(id).any(|vif| vif.vlan.id() == vlan);
        let hosted = self.hosted_on(id).any(|c| c.vlan() == Some(vlan));
        if vif || hosted {
            let text = format!("VLAN {vlan} is already in use on connection {id}.");
            return Err(ApiError::client(text));
        }
        Ok(())
    }
}
