//! What the simulated AWS holds before the first call: the account, what other
//! services than Direct Connect made (gateways, VPCs), and the connections that
//! are already plugged in. Read from TOML, all of it optional:
//!
//! ```toml
//! regions = ["eu-central-1", "eu-west-1"]  # the first is the default of what follows
//! public_prefixes = ["52.94.0.0/22"]      # announced on public VIFs
//!
//! [[connection]]
//! id = "dxcon-fglab001"
//! name = "lab"
//! location = "EqFA5"
//! bandwidth = "1Gbps"
//! trunk = "dx0"                            # the AWS router's port for it
//! owner = "123456789012"                   # every table may have owner and region
//!
//! [[virtual_gateway]]
//! id = "vgw-0123456789abcdef0"
//! asn = 64512
//! cidrs = ["172.31.0.0/16"]                # of the VPC behind it
//!
//! [[transit_gateway]]
//! id = "tgw-0123456789abcdef0"
//! asn = 64532
//! ```

use ipnet::IpNet;
use serde::Deserialize;

use super::simulator::{OWNER, PARTNER};

/// The world at the start.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Seed {
    /// Of the API; the first is where things are that don't say.
    pub regions: Vec<String>,
    /// Prefixes that AWS announces on public VIFs.
    pub public_prefixes: Vec<IpNet>,
    #[serde(rename = "connection")]
    pub connections: Vec<SeedConnection>,
    #[serde(rename = "virtual_gateway")]
    pub virtual_gateways: Vec<VirtualGateway>,
    #[serde(rename = "transit_gateway")]
    pub transit_gateways: Vec<TransitGateway>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedConnection {
    pub id: String,
    pub name: String,
    pub location: String,
    pub bandwidth: String,
    /// The port of the AWS-side router that this connection ends at.
    pub trunk: Option<String>,
    /// Set: a partner's hosted connection, which has this VLAN alone.
    pub vlan: Option<u16>,
    pub owner: Option<String>,
    pub region: Option<String>,
}

/// A virtual private gateway and the VPC behind it (EC2's, not Direct
/// Connect's: no call here makes one).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VirtualGateway {
    pub id: String,
    pub asn: u32,
    pub cidrs: Vec<IpNet>,
    pub owner: Option<String>,
    pub region: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransitGateway {
    pub id: String,
    pub asn: u32,
    pub owner: Option<String>,
    pub region: Option<String>,
}

impl Default for Seed {
    fn default() -> Self {
        Self {
            regions: vec!["eu-central-1".into(), "eu-west-1".into()],
            public_prefixes: vec![
                net("52.94.0.0/22"),
                net("3.64.0.0/12"),
                net("2a05:d000::/25"),
            ],
            connections: vec![SeedConnection {
                id: "dxcon-fglab001".into(),
                name: "lab".into(),
                location: "EqFA5".into(),
                bandwidth: "1Gbps".into(),
                trunk: None,
                vlan: None,
                owner: None,
                region: None,
            }],
            virtual_gateways: vec![
                VirtualGateway {
                    id: "vgw-0123456789abcdef0".into(),
                    asn: 64512,
                    cidrs: vec![net("172.31.0.0/16"), net("fd00:172:31::/56")],
                    owner: None,
                    region: None,
                },
                VirtualGateway {
                    id: "vgw-0fedcba9876543210".into(),
                    asn: 64512,
                    cidrs: vec![net("10.99.0.0/16")],
                    owner: Some(PARTNER.into()),
                    region: None,
                },
            ],
            transit_gateways: vec![TransitGateway {
                id: "tgw-0123456789abcdef0".into(),
                asn: 64532,
                owner: None,
                region: None,
            }],
        }
    }
}

fn net(text: &str) -> IpNet {
    text.parse().expect("invariant: a literal prefix")
}

/// What other services made is somebody's, and in a Region.
pub trait Owned {
    fn owner(&self) -> &str;
    /// `None`: the first.
    fn region(&self) -> Option<&str>;
}

impl Owned for VirtualGateway {
    fn owner(&self) -> &str {
        self.owner.as_deref().unwrap_or(OWNER)
    }

    fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }
}

impl Owned for TransitGateway {
    fn owner(&self) -> &str {
        self.owner.as_deref().unwrap_or(OWNER)
    }

    fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_seed_file_says_only_what_differs() {
        let text = "[[connection]]\nid = \"dxcon-a\"\nname = \"a\"\nlocation = \"EqFA5\"\n\
                    bandwidth = \"10Gbps\"\ntrunk = \"dx0\"\n";
        let seed: Seed = toml::from_str(text).unwrap();
        assert_eq!(seed.connections.len(), 1);
        assert_eq!(seed.regions, ["eu-central-1", "eu-west-1"]);
        assert_eq!(seed.virtual_gateways, Seed::default().virtual_gateways);
        assert!(toml::from_str::<Seed>("regoin = \"x\"").is_err());
    }
}
