//! What a link is, whatever router terminates it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use bgp_core::config::{AuthKey, VifKind};
use bgp_core::wire::Community;
use bgp_core::{Asn, VlanId, aws};
use ipnet::IpNet;

/// One virtual interface as the customer's router sees it.
#[derive(Clone, Debug)]
pub struct RouterLink {
    /// The VIF's name: letters, digits and hyphens, at most 100. Names of
    /// policies are made from it.
    pub name: String,
    /// The VIF's id (`dxvif-…`), where there is one.
    pub vif_id: Option<String>,
    pub kind: VifKind,
    /// The physical interface as the platform names it; `None`: the platform's
    /// usual first one, and the text says that it has to be checked.
    pub parent: Option<String>,
    pub vlan: VlanId,
    /// Octets of IP packet: 1500, 8500 or 9001.
    pub mtu: u32,
    pub local_asn: Asn,
    /// At most one a family.
    pub sessions: Vec<Session>,
    /// Exactly what is announced to AWS.
    pub advertise: Vec<IpNet>,
    /// Which of several links AWS should prefer (private and transit only).
    pub preference: Option<Preference>,
}

/// One BGP peer of the VIF.
#[derive(Clone, Debug)]
pub struct Session {
    /// Our address with the link's mask.
    pub local: IpNet,
    pub peer: IpAddr,
    pub peer_asn: Asn,
    /// AWS always has one; `None` only where it is not known here.
    pub auth_key: Option<AuthKey>,
}

/// How much this link is preferred to the others of the same site, in both
/// directions: by community to AWS, by local preference from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preference {
    Low,
    Medium,
    High,
}

/// Why a [`RouterLink`] can't be written, in words for its operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Mistake(String);

impl Preference {
    pub const fn community(self) -> Community {
        match self {
            Self::Low => aws::PREFERENCE_LOW,
            Self::Medium => aws::PREFERENCE_MEDIUM,
            Self::High => aws::PREFERENCE_HIGH,
        }
    }

    /// 100 is what a route without LOCAL_PREF counts as on every platform.
    pub const fn local_preference(self) -> u32 {
        match self {
            Self::Low => 50,
            Self::Medium => 200,
            Self::High => 300,
        }
    }
}

impl FromStr for Preference {
    type Err = Mistake;

    fn from_str(text: &str) -> Result<Self, Mistake> {
        match text {
            "low" => Ok(Self::Low),
            "medium" => Ok(Self::Medium),
            "high" => Ok(Self::High),
            _ => Err(Mistake(format!(
                "preference {text:?} is none of low, medium, high"
            ))),
        }
    }
}

impl fmt::Display for Preference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        })
    }
}

impl RouterLink {
    /// Everything that would make the text wrong, or let a field of it break
    /// out of its place.
    pub fn check(&self) -> Result<(), Mistake> {
        self.check_names()?;
        self.check_sessions()?;
        self.check_networks()?;
        if !aws::mtus(self.kind).contains(&self.mtu) {
            return Err(Mistake(format!(
                "MTU {} is none that a {} VIF can have: {:?}",
                self.mtu,
                kind_word(self.kind),
                aws::mtus(self.kind)
            )));
        }
        if self.preference.is_some() && self.kind == VifKind::Public {
            return Err(Mistake(
                "preference communities mean nothing on a public VIF: leave preference out".into(),
            ));
        }
        Ok(())
    }

    fn check_names(&self) -> Result<(), Mistake> {
        // AWS allows `a-z 0-9 -`; capitals are harmless on every platform.
        let plain = |text: &str| {
            !text.is_empty()
                && text.len() <= 100
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if !plain(&self.name) {
            return Err(Mistake(format!(
                "the name {:?} is not 1–100 letters, digits and hyphens",
                self.name
            )));
        }
        if let Some(id) = self.vif_id.as_ref().filter(|id| !plain(id)) {
            return Err(Mistake(format!("{id:?} is no VIF id")));
        }
        let interface = |text: &str| {
            !text.is_empty()
                && text.len() <= 60
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"/-.:".contains(&b))
        };
        if let Some(parent) = self.parent.as_ref().filter(|parent| !interface(parent)) {
            return Err(Mistake(format!(
                "{parent:?} is no interface name: letters, digits and / - . : only"
            )));
        }
        Ok(())
    }

    fn check_sessions(&self) -> Result<(), Mistake> {
        if self.sessions.is_empty() {
            return Err(Mistake(format!("VIF {} has no BGP peer", self.name)));
        }
        for session in &self.sessions {
            let (local, peer) = (session.local, session.peer);
            if local.addr() == peer || !local.contains(&peer) {
                return Err(Mistake(format!(
                    "peer {peer} is not the other end of {local}"
                )));
            }
            if session.peer_asn == self.local_asn {
                return Err(Mistake(format!(
                    "both ends have ASN {}: Direct Connect is eBGP",
                    self.local_asn
                )));
            }
        }
        let ipv4 = self
            .sessions
            .iter()
            .filter(|session| session.local.addr().is_ipv4())
            .count();
        if ipv4 > 1 || self.sessions.len() - ipv4 > 1 {
            return Err(Mistake(format!(
                "VIF {} has more than one BGP peer of a family",
                self.name
            )));
        }
        Ok(())
    }

    fn check_networks(&self) -> Result<(), Mistake> {
        for net in &self.advertise {
            if net.trunc() != *net {
                return Err(Mistake(format!(
                    "{net} has host bits set; did you mean {}?",
                    net.trunc()
                )));
            }
            if !self
                .sessions
                .iter()
                .any(|session| session.local.addr().is_ipv4() == net.addr().is_ipv4())
            {
                return Err(Mistake(format!(
                    "{net} can't be announced: the VIF has no BGP peer of its family"
                )));
            }
        }
        Ok(())
    }
}

pub(crate) const fn kind_word(kind: VifKind) -> &'static str {
    match kind {
        VifKind::Private => "private",
        VifKind::Transit => "transit",
        VifKind::Public => "public",
    }
}
