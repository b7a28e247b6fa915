//! From virtual interfaces as AWS describes them and options to a router's plan.

use bgp_core::config::VifKind;
use vendor_configs::{Backup, RouterLink, RouterPlan, Session, SessionKey};

use crate::Refused;
use crate::aws::{BgpPeer, PeerKey, VirtualInterface};
use crate::cli::{BackupArgs, OfVifArgs, Preference};
use crate::commands::per_vif::{check_named, last, matching};
use crate::commands::view::known_kind;
use crate::key_file;

/// What AWS doesn't know.
#[derive(Clone, Copy)]
pub(in crate::commands) struct Given<'a> {
    pub(in crate::commands) of_vif: &'a OfVifArgs,
    pub(in crate::commands) backup: &'a BackupArgs,
    pub(in crate::commands) routers: Routers,
    pub(in crate::commands) keys: NoKey,
}

/// How many routers the virtual interfaces are for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum Routers {
    One,
    /// One for each.
    Pair,
}

/// What to do where a key is not known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum NoKey {
    Refuse,
    LeaveOut,
}

/// All virtual interfaces on one router, or with `--pair` each on its own.
pub(in crate::commands) fn plans(
    vifs: &[VirtualInterface],
    args: &Given<'_>,
) -> anyhow::Result<Vec<RouterPlan>> {
    check_options(vifs, args)?;
    let mut links = Vec::new();
    for vif in vifs {
        links.push(link(vif, args)?);
    }
    let mut hostnames = args.of_vif.hostname.iter().cloned();
    let mut plan = |links| RouterPlan {
        hostname: hostnames.next(),
        router_id: args.of_vif.router_id,
        links,
        backup: backup(args.backup),
    };
    Ok(if args.routers == Routers::Pair {
        links.into_iter().map(|link| plan(vec![link])).collect()
    } else {
        vec![plan(links)]
    })
}

fn check_options(vifs: &[VirtualInterface], args: &Given<'_>) -> Result<(), Refused> {
    let given = args.of_vif;
    check_named(vifs, &given.parent)?;
    check_named(vifs, &given.advertise)?;
    check_named(vifs, &given.preference)?;
    check_named(vifs, &given.vrf)?;
    check_named(vifs, &given.scope)?;
    check_named(vifs, &given.description)?;
    check_named(vifs, &given.auth_key_file)?;
    check_named(vifs, &given.receive_limit)?;
    check_named(vifs, &given.advertise_limit)?;
    let routers = match args.routers {
        Routers::Pair => vifs.len(),
        Routers::One => 1,
    };
    if given.hostname.len() > routers {
        return Err(Refused::new(format!(
            "{} host names for {routers} router",
            given.hostname.len()
        )));
    }
    Ok(())
}

fn link(vif: &VirtualInterface, args: &Given<'_>) -> anyhow::Result<RouterLink> {
    let lacks = |what: &str| {
        Refused::new(format!(
            "{} ({}) has no {what} yet (state {}): try again when AWS has provisioned it (dxctl vif wait {})",
            vif.id, vif.name, vif.state, vif.id
        ))
    };
    let word = |error: vendor_configs::Mistake| Refused::new(format!("{}: {error}", vif.id));
    let kind = known_kind(vif)?;
    let given = args.of_vif;
    let mut sessions = Vec::new();
    for peer in vif.peers.iter().filter(|peer| !peer.is_gone()) {
        sessions.push(session(vif, peer, args)?.ok_or_else(|| lacks("session with addresses"))?);
    }
    if sessions.is_empty() {
        return Err(lacks("BGP peer").into());
    }
    let asn = vif
        .asn
        .or_else(|| vif.peers.iter().find_map(|peer| peer.asn));
    let mut link = RouterLink::new(
        vif.name.parse().map_err(word)?,
        kind,
        vif.vlan.ok_or_else(|| lacks("VLAN"))?,
        asn.ok_or_else(|| lacks("AS number of ours"))?,
        sessions,
    );
    link.vif_id = Some(vif.id.parse().map_err(word)?);
    link.parent = last(vif, &given.parent).cloned();
    link.mtu = vif.mtu.unwrap_or(link.mtu);
    link.vrf = last(vif, &given.vrf).cloned();
    link.description = last(vif, &given.description).cloned();
    link.advertise = matching(vif, &given.advertise).copied().collect();
    if link.advertise.is_empty() && kind == VifKind::Public {
        link.advertise.clone_from(&vif.route_filter_prefixes);
    }
    link.preference = last(vif, &given.preference).copied().map(preference);
    link.scope = last(vif, &given.scope).copied().unwrap_or_default();
    link.bfd = given.bfd.or(link.bfd).filter(|_| !given.no_bfd);
    link.timers = given.timers.unwrap_or(link.timers);
    let limits = &mut link.limits;
    limits.receive = last(vif, &given.receive_limit)
        .copied()
        .unwrap_or(limits.receive);
    limits.advertise = last(vif, &given.advertise_limit)
        .copied()
        .unwrap_or(limits.advertise);
    Ok(link)
}

/// `None` while AWS hasn't given it its addresses.
fn session(
    vif: &VirtualInterface,
    peer: &BgpPeer,
    args: &Given<'_>,
) -> anyhow::Result<Option<Session>> {
    let ends = (peer.customer_address, peer.amazon_address, vif.amazon_asn);
    let (Some(local), Some(amazon), Some(peer_asn)) = ends else {
        return Ok(None);
    };
    let given = args.of_vif;
    let key = match (last(vif, &given.auth_key_file), &peer.key) {
        (Some(file), _) => SessionKey::Md5(key_file::read(file)?),
        (None, PeerKey::Known(key)) => SessionKey::Md5(key.clone()),
        (None, _) if args.keys == NoKey::LeaveOut => SessionKey::LeftOut,
        (None, PeerKey::Hidden) => {
            return Err(Refused::new(format!(
                "AWS does not show the MD5 key of {}'s {} session: give it with --auth-key-file, or --allow-no-key to do without",
                vif.id, peer.family
            ))
            .into());
        }
        (None, PeerKey::Unusable(error)) => {
            return Err(Refused::new(format!(
                "the MD5 key of {}'s {} session can't be used: {error}. Create the session again with another key",
                vif.id, peer.family
            ))
            .into());
        }
    };
    Ok(Some(Session {
        local,
        peer: amazon.addr(),
        peer_asn,
        key,
    }))
}

fn preference(preference: Preference) -> bgp_core::config::Preference {
    match preference {
        Preference::Low => bgp_core::config::Preference::Low,
        Preference::Medium => bgp_core::config::Preference::Medium,
        Preference::High => bgp_core::config::Preference::High,
    }
}

fn backup(given: &BackupArgs) -> Option<Backup> {
    let any = !given.backup_gateway.is_empty()
        || given.backup_interface.is_some()
        || !given.backup_to.is_empty();
    any.then(|| Backup {
        vrf: given.backup_vrf.clone(),
        gateways: given.backup_gateway.clone(),
        interface: given.backup_interface.clone(),
        to: given.backup_to.clone(),
    })
}
