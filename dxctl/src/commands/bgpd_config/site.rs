//! From virtual interfaces and options to what the configuration says.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use bgp_core::config::{AuthKey, VifKind};
use bgp_core::{Asn, Family, RouterId};
use ipnet::IpNet;

use super::KeyFile;
use super::text::{BackupPath, Ends, Site, VifTable};
use crate::Refused;
use crate::aws::{BgpPeer, PeerKey, VirtualInterface};
use crate::cli::BgpdConfigArgs;
use crate::commands::per_vif::{check_named, last, matching};
use crate::commands::view::known_kind;

/// Everything that the text needs, or every reason why it can't be had.
pub(super) fn gather(
    vifs: &[VirtualInterface],
    args: &BgpdConfigArgs,
    keys_dir: &Path,
) -> Result<Site, Refused> {
    let mut notes = Vec::new();
    check_named(vifs, &args.parent)?;
    check_named(vifs, &args.advertise)?;
    check_named(vifs, &args.preference)?;
    let names = names(vifs);
    let mut tables = Vec::new();
    let mut keys: Vec<KeyFile> = Vec::new();
    for (vif, name) in vifs.iter().zip(&names) {
        let table = table(vif, name, args, keys_dir, &mut keys, &mut notes)?;
        tables.push(table);
    }
    let backup = backup(args);
    let asn = tables
        .first()
        .map(|table| table.asn)
        .ok_or_else(|| Refused::new("no virtual interface"))?;
    let router_id = match args.router_id {
        Some(id) => id,
        None => own_router_id(&tables, &mut notes)?,
    };
    Ok(Site {
        router_id,
        asn,
        control: args.control.clone(),
        metrics: args.metrics,
        vifs: tables,
        backup,
        keys,
        notes,
    })
}

/// bgpd's names must differ; AWS's need not.
fn names(vifs: &[VirtualInterface]) -> Vec<String> {
    let twice = |vif: &VirtualInterface| vifs.iter().filter(|one| one.name == vif.name).count() > 1;
    vifs.iter()
        .map(|vif| {
            if twice(vif) || vif.name.is_empty() {
                vif.id.clone()
            } else {
                vif.name.clone()
            }
        })
        .collect()
}

fn table(
    vif: &VirtualInterface,
    name: &str,
    args: &BgpdConfigArgs,
    keys_dir: &Path,
    keys: &mut Vec<KeyFile>,
    notes: &mut Vec<String>,
) -> Result<VifTable, Refused> {
    let kind = known_kind(vif)?;
    let lacks = |what: &str| {
        Refused::new(format!(
            "{} ({}) has no {what} yet (state {}): wait for AWS with dxctl vif wait {}",
            vif.id, vif.name, vif.state, vif.id
        ))
    };
    if vif.is_gone() || vif.state == "deleting" {
        return Err(Refused::new(format!(
            "{} ({}) is {}",
            vif.id, vif.name, vif.state
        )));
    }
    let mut ends = |family: Family| -> Result<Option<Ends>, Refused> {
        let Some(peer) = vif.peer(family) else {
            return Ok(None);
        };
        let key_file = key(peer, vif, name, keys_dir, notes)?.map(|(path, key)| {
            keys.push(KeyFile {
                path: path.clone(),
                key,
            });
            path
        });
        Ok(Some(Ends {
            local: peer
                .customer_address
                .ok_or_else(|| lacks("address of ours"))?,
            peer: peer
                .amazon_address
                .ok_or_else(|| lacks("address of AWS's"))?
                .addr(),
            key_file,
        }))
    };
    let (ipv4, ipv6) = (ends(Family::Ipv4)?, ends(Family::Ipv6)?);
    if ipv4.is_none() && ipv6.is_none() {
        return Err(lacks("BGP peer"));
    }
    let mut advertise: Vec<IpNet> = matching(vif, &args.advertise).copied().collect();
    if advertise.is_empty() && kind == VifKind::Public {
        advertise.clone_from(&vif.route_filter_prefixes);
    }
    if advertise.is_empty() {
        notes.push(format!(
            "{name} announces nothing to AWS: give --advertise PREFIX"
        ));
    }
    Ok(VifTable {
        id: vif.id.clone(),
        name: name.to_owned(),
        kind,
        parent: parent(vif, args)?,
        vlan: vif.vlan.ok_or_else(|| lacks("VLAN"))?,
        mtu: vif.mtu.unwrap_or(1500),
        asn: local_asn(vif).ok_or_else(|| lacks("AS number of ours"))?,
        peer_asn: vif
            .amazon_asn
            .ok_or_else(|| lacks("AS number of AWS's side"))?,
        ipv4,
        ipv6,
        advertise,
        preference: last(vif, &args.preference).copied(),
    })
}

fn local_asn(vif: &VirtualInterface) -> Option<Asn> {
    vif.asn
        .or_else(|| vif.peers.iter().find_map(|peer| peer.asn))
}

fn parent(vif: &VirtualInterface, args: &BgpdConfigArgs) -> Result<String, Refused> {
    last(vif, &args.parent).cloned().ok_or_else(|| {
        Refused::new(format!(
            "--parent says no interface for {0}: add --parent {0}=INTERFACE",
            vif.name
        ))
    })
}

/// Where the key of a session goes. Without a key there is no session: AWS has
/// MD5 always on.
fn key(
    peer: &BgpPeer,
    vif: &VirtualInterface,
    name: &str,
    keys_dir: &Path,
    notes: &mut Vec<String>,
) -> Result<Option<(PathBuf, AuthKey)>, Refused> {
    match &peer.key {
        PeerKey::Known(key) => {
            let file = match peer.family {
                Family::Ipv4 => name.to_owned(),
                Family::Ipv6 => format!("{name}-v6"),
            };
            Ok(Some((keys_dir.join(file), key.clone())))
        }
        PeerKey::Unusable(error) => Err(Refused::new(format!(
            "the MD5 key of {}'s {} session can't be used: {error}. Create the session again with another key",
            vif.id, peer.family
        ))),
        PeerKey::Hidden => {
            notes.push(format!(
                "AWS did not return the MD5 key of {name}'s {} session: without one it will not come up; put it into a file and name that with auth_key_file",
                peer.family
            ));
            Ok(None)
        }
    }
}

fn backup(args: &BgpdConfigArgs) -> Option<BackupPath> {
    let interface = args.backup_interface.clone()?;
    Some(BackupPath {
        name: args.backup_name.clone(),
        interface,
        gateways: args.backup_gateway.clone(),
        probe_interval: Some(args.backup_probe).filter(|milliseconds| *milliseconds > 0),
    })
}

/// RFC 6286: any number that is unique within the AS will do.
fn own_router_id(tables: &[VifTable], notes: &mut Vec<String>) -> Result<RouterId, Refused> {
    let own = tables
        .iter()
        .find_map(|table| match table.ipv4.as_ref()?.local.addr() {
            IpAddr::V4(address) => Some(RouterId(address)),
            IpAddr::V6(_) => None,
        });
    let id = own.ok_or_else(|| {
        Refused::new("there is no IPv4 session to take a router identifier from: give --router-id")
    })?;
    notes.push(format!(
        "the router identifier is {id}, our address on the first VIF (--router-id chooses another)"
    ));
    Ok(id)
}
