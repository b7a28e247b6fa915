//! A session whose key or addresses change. AWS changes neither: its end of the
//! session is deleted and made anew, and stays without one in between.

use std::net::IpAddr;

use bgp_core::config::VifKind;
use bgp_core::{Asn, Family};
use serde::{Deserialize, Serialize};

use crate::aws::{PeerAddresses, VirtualInterface};

/// Everything that is needed to end it, whoever began: AWS forgets what a deleted
/// session was like. No key is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Replacement {
    pub(crate) vif: String,
    pub(crate) family: Family,
    pub(crate) asn: Asn,
    /// AWS's address until now: bgpd knows the session by it.
    pub(crate) far_end: Option<IpAddr>,
    /// Those to come; `None`: AWS assigns them.
    pub(crate) addresses: Option<PeerAddresses>,
    pub(crate) old_peer: String,
    /// AWS keeps the last session of an interface: whether one of the other family
    /// has to be there for the while.
    pub(crate) stand_in: bool,
}

impl Replacement {
    /// With the addresses that it has, or why it can't be.
    pub(crate) fn of(there: &VirtualInterface, family: Family) -> Result<Self, String> {
        let lacks = |what: &str| format!("{} ({}) has no {what}", there.id, there.name);
        let peer = there
            .peer(family)
            .ok_or_else(|| lacks(&format!("{family} session")))?;
        let asn = peer
            .asn
            .or(there.asn)
            .ok_or_else(|| lacks("AS number of ours"))?;
        let pair = peer.amazon_address.zip(peer.customer_address);
        let stand_in = there.live_peers().count() == 1;
        if stand_in && family == Family::Ipv6 && there.kind.known() == Some(VifKind::Public) {
            return Err(format!(
                "AWS keeps the last session of {} ({}), and none can stand in for it: a public IPv4 one needs addresses of yours; add one first (dxctl vif add-peer)",
                there.id, there.name
            ));
        }
        Ok(Self {
            vif: there.id.clone(),
            family,
            asn,
            far_end: peer.amazon_address.map(|amazon| amazon.addr()),
            // AWS assigns IPv6, and takes no other.
            addresses: pair
                .filter(|_| family == Family::Ipv4)
                .map(|(amazon, customer)| PeerAddresses { amazon, customer }),
            old_peer: peer.id.clone().ok_or_else(|| {
                lacks(&format!(
                    "identifier for its {family} session yet: look again later"
                ))
            })?,
            stand_in,
        })
    }

    /// The family of what stands in.
    pub(crate) fn other_family(&self) -> Family {
        match self.family {
            Family::Ipv4 => Family::Ipv6,
            Family::Ipv6 => Family::Ipv4,
        }
    }

    /// What it cuts, and for how long.
    pub(crate) fn cost(&self) -> String {
        let mut text = format!(
            "its {} session restarts once: no traffic over it until AWS has deleted its end and made it anew (AWS names no time: allow some minutes; a backup carries the traffic meanwhile)",
            self.family
        );
        if self.stand_in {
            text.push_str(&format!(
                "; AWS keeps the last session of an interface, so one for {} stands in meanwhile",
                self.other_family()
            ));
        }
        text
    }
}
