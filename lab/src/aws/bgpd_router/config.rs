//! bgpd's configuration in AWS's role: one `[[peer]]` a BGP peer.

use std::net::IpAddr;
use std::path::Path;

use bgp_core::config::VifKind;
use bgp_core::{Family, aws};
use serde::Serialize;

use super::vlan;
use crate::aws::router::{Admin, PeerIntent, VifIntent};

#[derive(Serialize)]
struct Config<'a> {
    bgpd: Daemon<'a>,
    peer: Vec<Peer>,
    path: Vec<Backup>,
}

/// Another way to the customer, as a site-to-site VPN is: it carries what a
/// private or transit session's routes do while that session is down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Backup {
    name: &'static str,
    interface: String,
    gateway: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway6: Option<IpAddr>,
}

impl std::str::FromStr for Backup {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |_| format!("`{text}` is not INTERFACE,GATEWAY or INTERFACE,GATEWAY,GATEWAY6");
        let mut words = text.splitn(3, ',');
        let interface = words.next().unwrap_or_default().to_owned();
        let gateway = words.next().unwrap_or_default().parse().map_err(wrong)?;
        let gateway6 = words.next().map(str::parse).transpose().map_err(wrong)?;
        Ok(Self {
            name: BACKUP,
            interface,
            gateway,
            gateway6,
        })
    }
}

#[derive(Serialize)]
struct Daemon<'a> {
    router_id: &'static str,
    asn: u32,
    control: &'a Path,
}

#[derive(Serialize)]
struct Peer {
    name: String,
    address: String,
    asn: u32,
    local: String,
    local_asn: u32,
    interface: String,
    auth_key_file: String,
    accept: [&'static str; 1],
    advertise: Vec<String>,
    prefix_limit: u32,
    prepend: u8,
    communities: Vec<&'static str>,
    graceful_restart: &'static str,
    bfd: bool,
    hold: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<&'static str>,
}

/// The text of the configuration for these VIFs. It names key files, never a
/// key.
pub(super) fn text(
    vifs: &[VifIntent],
    backup: Option<&Backup>,
    control: &Path,
    keys: &Path,
) -> anyhow::Result<String> {
    let enabled = |vif: &VifIntent| {
        let peers = vif.peers.iter().filter(|peer| peer.admin == Admin::Enabled);
        peers
            .map(|peer| Peer {
                backup: backup
                    .filter(|_| vif.kind != VifKind::Public)
                    .map(|backup| backup.name),
                ..self::peer(vif, peer, keys)
            })
            .collect::<Vec<_>>()
    };
    let config = Config {
        // 100.64.0.0/10 is what AWS numbers its own routers from.
        bgpd: Daemon {
            router_id: "100.64.72.24",
            asn: aws::PUBLIC_ASN.0,
            control,
        },
        peer: vifs.iter().flat_map(enabled).collect(),
        path: backup.into_iter().cloned().collect(),
    };
    Ok(toml::to_string(&config)?)
}

const BACKUP: &str = "internet";

fn peer(vif: &VifIntent, peer: &PeerIntent, keys: &Path) -> Peer {
    let ours = |net: &&ipnet::IpNet| Family::of(net.addr()) == peer.family;
    let is_public = vif.kind == VifKind::Public;
    Peer {
        name: peer.id.clone(),
        address: peer.customer.addr().to_string(),
        asn: peer.asn.0,
        local: peer.amazon.to_string(),
        local_asn: vif.asn.0,
        interface: vlan::interface(vif),
        auth_key_file: keys.join(&peer.id).display().to_string(),
        accept: ["any"],
        advertise: vif
            .advertise
            .iter()
            .filter(ours)
            .map(ToString::to_string)
            .collect(),
        prefix_limit: peer.prefix_limit,
        // User Guide, "Routing policies": AS_PATHs of AWS's public prefixes have
        // at least 3 ASNs, NO_EXPORT is on all, 7224:8100 on the same Region's.
        prepend: if is_public { 2 } else { 0 },
        communities: if is_public {
            vec!["no-export", "7224:8100"]
        } else {
            vec![]
        },
        // User Guide: AWS's restart time.
        graceful_restart: "120s",
        // User Guide: on each virtual interface, once the customer's end speaks it;
        // 300 ms × 3, which is what bgpd means by it.
        bfd: true,
        // AWS takes to a link as soon as its session is up.
        hold: "0s",
        backup: None,
    }
}
