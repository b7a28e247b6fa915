//! What Direct Connect has, in this program's words. States and other
//! enumerations stay text: AWS returns values that no model lists.

use std::fmt;

use bgp_core::config::{AuthKey, AuthKeyError, VifKind};
use bgp_core::{Asn, Family, VlanId};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A virtual interface as AWS describes it.
#[derive(Clone, Debug)]
pub(crate) struct VirtualInterface {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The connection or LAG that carries it.
    pub(crate) carrier: String,
    pub(crate) kind: Kind,
    pub(crate) state: String,
    pub(crate) vlan: Option<VlanId>,
    pub(crate) mtu: Option<u32>,
    pub(crate) asn: Option<Asn>,
    pub(crate) amazon_asn: Option<Asn>,
    pub(crate) gateway: Option<Gateway>,
    pub(crate) region: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) owner: Option<String>,
    pub(crate) route_filter_prefixes: Vec<IpNet>,
    pub(crate) peers: Vec<BgpPeer>,
    pub(crate) features: Features,
    pub(crate) tags: Vec<Tag>,
}

/// What may be set on a virtual interface and changed later; `None` where
/// nothing is said of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Features {
    pub(crate) site_link: Option<bool>,
    pub(crate) rate_limit: Option<String>,
    /// Prefixes taken from the connection's pool.
    pub(crate) prefix_pool_ipv4: Option<u32>,
    pub(crate) prefix_pool_ipv6: Option<u32>,
}

impl VirtualInterface {
    /// AWS lists a deleted one no more after 15 minutes.
    pub(crate) fn unlisted(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: String::new(),
            carrier: String::new(),
            kind: Kind::Other("unknown".to_owned()),
            state: "deleted".to_owned(),
            vlan: None,
            mtu: None,
            asn: None,
            amazon_asn: None,
            gateway: None,
            region: None,
            location: None,
            owner: None,
            route_filter_prefixes: Vec::new(),
            peers: Vec::new(),
            features: Features::default(),
            tags: Vec::new(),
        }
    }

    /// Deleted ones stay listed for 15 minutes; their VLAN is free again.
    pub(crate) fn is_gone(&self) -> bool {
        self.state == "deleted" || self.state == "rejected"
    }

    pub(crate) fn peer(&self, family: Family) -> Option<&BgpPeer> {
        self.live_peers().find(|peer| peer.family == family)
    }

    pub(crate) fn live_peers(&self) -> impl Iterator<Item = &BgpPeer> {
        self.peers.iter().filter(|peer| !peer.is_gone())
    }
}

/// One BGP session of a virtual interface, as AWS describes it.
#[derive(Clone, Debug)]
pub(crate) struct BgpPeer {
    pub(crate) id: Option<String>,
    pub(crate) family: Family,
    pub(crate) asn: Option<Asn>,
    pub(crate) amazon_address: Option<IpNet>,
    pub(crate) customer_address: Option<IpNet>,
    pub(crate) state: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) key: PeerKey,
}

impl BgpPeer {
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.state.as_deref(), Some("deleting" | "deleted"))
    }
}

/// The MD5 key of a session, or why there is none to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PeerKey {
    /// AWS returned none: the caller may not be allowed to see it.
    Hidden,
    Known(AuthKey),
    Unusable(AuthKeyError),
}

impl PeerKey {
    pub(crate) fn from_aws(text: Option<&str>) -> Self {
        match text {
            None | Some("") => Self::Hidden,
            Some(text) => match AuthKey::from_file_content(Zeroizing::new(text.to_owned())) {
                Ok(key) => Self::Known(key),
                Err(error) => Self::Unusable(error),
            },
        }
    }

    /// What may be shown of it.
    pub(crate) fn redacted(&self) -> &'static str {
        match self {
            Self::Hidden => "not shown by AWS",
            Self::Known(_) => "set (not shown)",
            Self::Unusable(_) => "set, unusable",
        }
    }
}

/// The type of a virtual interface; open, as everything that AWS names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Known(VifKind),
    Other(String),
}

impl Kind {
    pub(crate) fn from_aws(text: &str) -> Self {
        match text {
            "private" => Self::Known(VifKind::Private),
            "transit" => Self::Known(VifKind::Transit),
            "public" => Self::Known(VifKind::Public),
            other => Self::Other(other.to_owned()),
        }
    }

    pub(crate) fn known(&self) -> Option<VifKind> {
        match self {
            Self::Known(kind) => Some(*kind),
            Self::Other(_) => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Known(kind) => kind_name(*kind),
            Self::Other(text) => text,
        })
    }
}

/// As the API and the configuration write it.
pub(crate) fn kind_name(kind: VifKind) -> &'static str {
    match kind {
        VifKind::Private => "private",
        VifKind::Transit => "transit",
        VifKind::Public => "public",
    }
}

/// What a private or transit virtual interface leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Gateway {
    /// A virtual private gateway, `vgw-…`.
    Virtual(String),
    /// A Direct Connect gateway.
    DirectConnect(String),
}

impl Gateway {
    /// By the form of the identifier: a Direct Connect gateway's is a UUID.
    pub(crate) fn from_id(id: &str) -> Self {
        if id.starts_with("vgw-") {
            Self::Virtual(id.to_owned())
        } else {
            Self::DirectConnect(id.to_owned())
        }
    }

    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Virtual(id) | Self::DirectConnect(id) => id,
        }
    }
}

/// A connection or a LAG: what carries virtual interfaces.
#[derive(Clone, Debug)]
pub(crate) struct Carrier {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) owner: Option<String>,
    pub(crate) state: String,
    pub(crate) jumbo_frames: Option<bool>,
    /// A hosted connection has one VLAN, given by the partner.
    pub(crate) hosted_vlan: Option<VlanId>,
    /// The ARNs of the secrets of its MACsec keys.
    pub(crate) macsec: Vec<String>,
    pub(crate) tags: Vec<Tag>,
}

#[derive(Clone, Debug)]
pub(crate) struct DxGateway {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) amazon_asn: Option<Asn>,
    pub(crate) state: String,
    pub(crate) owner: Option<String>,
    pub(crate) tags: Vec<Tag>,
}

impl DxGateway {
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.state.as_str(), "deleting" | "deleted")
    }
}

/// A Direct Connect gateway to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewGateway {
    pub(crate) name: String,
    /// `None`: AWS takes 64512.
    pub(crate) amazon_asn: Option<Asn>,
    pub(crate) tags: Vec<Tag>,
}

/// A Direct Connect gateway's tie to a virtual private or transit gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Association {
    pub(crate) id: String,
    /// The Direct Connect gateway's identifier.
    pub(crate) gateway: String,
    /// `vgw-…` or `tgw-…`.
    pub(crate) target: String,
    pub(crate) state: String,
    pub(crate) allowed: Vec<IpNet>,
}

impl Association {
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.state.as_str(), "disassociating" | "disassociated")
    }
}

/// Changes to a virtual interface; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct VifUpdate {
    pub(crate) name: Option<String>,
    pub(crate) mtu: Option<u32>,
    pub(crate) features: Features,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: String,
}

/// Both ends of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PeerAddresses {
    pub(crate) amazon: IpNet,
    pub(crate) customer: IpNet,
}

impl fmt::Display for PeerAddresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.amazon, self.customer)
    }
}

/// A virtual interface to create.
#[derive(Clone, Debug)]
pub(crate) struct NewVif {
    pub(crate) carrier: String,
    pub(crate) name: String,
    pub(crate) kind: VifKind,
    pub(crate) vlan: VlanId,
    pub(crate) mtu: Option<u32>,
    pub(crate) peer: NewPeer,
    pub(crate) gateway: Option<Gateway>,
    pub(crate) route_filter_prefixes: Vec<IpNet>,
    pub(crate) features: Features,
    pub(crate) tags: Vec<Tag>,
}

/// A session to create, with a virtual interface or on one that exists.
#[derive(Clone, Debug)]
pub(crate) struct NewPeer {
    pub(crate) asn: Asn,
    pub(crate) family: Family,
    /// `None`: AWS assigns them.
    pub(crate) addresses: Option<PeerAddresses>,
    /// `None`: AWS generates one.
    pub(crate) key: Option<AuthKey>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_a_virtual_interface_shows_no_key() {
        let key = PeerKey::from_aws(Some("canary-key-123"));
        assert!(matches!(key, PeerKey::Known(_)));
        assert!(!format!("{key:?}").contains("canary"));
    }

    #[test]
    fn a_key_with_a_trailing_space_is_unusable_and_says_why() {
        let key = PeerKey::from_aws(Some("canary-key-123 "));
        assert_eq!(key, PeerKey::Unusable(AuthKeyError::Space));
    }

    #[test]
    fn unknown_kinds_are_shown_as_they_are() {
        assert_eq!(Kind::from_aws("quantum").to_string(), "quantum");
        assert_eq!(Kind::from_aws("transit"), Kind::Known(VifKind::Transit));
    }
}
