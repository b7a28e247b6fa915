//! VIFs over a real 802.1Q trunk, with BIRD in AWS's place.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use bgp_core::Family;
use lab::wait;

use super::Case;
use super::sessions::{KEY, networks, they_have_of, we_have_of};
use crate::Bench;
use crate::foreign::{Bird, Connect, Neighbor, Seen, Speaker};
use crate::ours::{Ours, PATIENCE, key_file};
use crate::pair::{OUR_ASN, Pair, WIRE};

pub(super) fn all() -> Vec<Case> {
    vec![
        Case::with_vlan(
            "a VIF's session with bird over its VLAN with MD5",
            session_over_vlan,
        ),
        Case::with_vlan(
            "a hold time of 0 from the AWS side is refused and named",
            zero_hold_time,
        ),
        Case::with_vlan(
            "a VLAN that something else made is refused, and the rest keeps running",
            foreign_vlan,
        ),
    ]
}

pub(super) const AWS: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 10, 1));
pub(super) const OURS: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 10, 2));
const AWS_ASN: u32 = 64512;

pub(super) fn vif(key: &Path, vlan: u16) -> String {
    format!(
        "[[vif]]\nname = \"them\"\nkind = \"private\"\nparent = \"{WIRE}\"\nvlan = {vlan}\nmtu = 1500\n\
         local = \"{OURS}/30\"\npeer = \"{AWS}\"\npeer_asn = {AWS_ASN}\nauth_key_file = \"{}\"\n\
         advertise = [\"10.20.0.0/16\"]\nconnect_retry = \"1s\"\n",
        key.display()
    )
}

/// BIRD in AWS's place.
pub(super) fn aws(hold_time: u16) -> Neighbor {
    Neighbor {
        local: AWS,
        remote: OURS,
        local_asn: AWS_ASN,
        remote_asn: OUR_ASN,
        key: Some(KEY.to_owned()),
        connect: Connect::They,
        hold_time,
        restart_time: None,
        networks: networks(&["172.31.0.0/16", "10.128.0.0/9"]),
    }
}

/// Two routers on a trunk, and BIRD on its VLAN.
pub(super) fn trunk(bench: &Bench, vlan: u16, neighbor: Neighbor) -> anyhow::Result<(Pair, Bird)> {
    let pair = Pair::create(bench)?;
    pair.theirs.ip(&format!(
        "link add link {WIRE} name {WIRE}.{vlan} type vlan id {vlan}\nlink set dev {WIRE}.{vlan} up\n\
         address add {AWS}/30 dev {WIRE}.{vlan}"
    ))?;
    let bird = Bird::start(&pair.theirs, &bench.directory, neighbor)?;
    Ok((pair, bird))
}

fn session_over_vlan(bench: &Bench) -> anyhow::Result<()> {
    let (pair, mut bird) = trunk(bench, 101, aws(9))?;
    let key = key_file(bench, "key", KEY)?;
    let ours = Ours::start(bench, &pair.ours, &vif(&key, 101))?;
    let peer = wait::until("the session is Established", PATIENCE, || {
        ours.established("them")
    })?;
    wait::ensure(peer.md5, "the session uses MD5", "it doesn't")?;
    let link = pair
        .ours
        .show(&format!("-details link show dev {WIRE}.101"))?;
    wait::ensure(
        link.contains("802.1Q id 101"),
        "the session's interface is a VLAN",
        link,
    )?;

    let mut received = aws(9).networks;
    let (us, them) = (seen(OURS, OUR_ASN), seen(AWS, AWS_ASN));
    wait::until("they have what we announce", PATIENCE, || {
        they_have_of(&bird, &us, &networks(&["10.20.0.0/16"]))
    })?;
    wait::until("we have what they announce", PATIENCE, || {
        we_have_of(&ours, &pair.ours, Family::Ipv4, &them, &received)
    })?;
    received.remove(0);
    bird.announce(&received)?;
    wait::until("a withdrawn route is gone", PATIENCE, || {
        we_have_of(&ours, &pair.ours, Family::Ipv4, &them, &received)
    })
}

fn zero_hold_time(bench: &Bench) -> anyhow::Result<()> {
    let (pair, _bird) = trunk(bench, 101, aws(0))?;
    let key = key_file(bench, "key", KEY)?;
    let ours = Ours::start(bench, &pair.ours, &vif(&key, 101))?;
    wait::until(
        "the session's error names the hold time of 0",
        PATIENCE,
        || {
            let peer = ours.peer("them")?;
            let error = peer.last_error.unwrap_or_default();
            if error.to_lowercase().contains("hold time") && error.contains("at least 3 s") {
                Ok(())
            } else {
                Err(error)
            }
        },
    )?;
    wait::while_holding(
        "the session stays down",
        Duration::from_secs(2),
        || match ours.established("them") {
            Ok(_) => Err("it is Established".to_owned()),
            Err(_) => Ok(()),
        },
    )
}

fn foreign_vlan(bench: &Bench) -> anyhow::Result<()> {
    let (pair, _bird) = trunk(bench, 102, aws(9))?;
    pair.ours.ip(&format!(
        "link add link {WIRE} name other type vlan id 101\nlink set dev other up"
    ))?;
    let key = key_file(bench, "key", KEY)?;
    let good = vif(&key, 102);
    let bad = vif(&key, 101)
        .replace("\"them\"", "\"bad\"")
        .replace("169.254.10.", "169.254.11.");
    let ours = Ours::start(bench, &pair.ours, &format!("{good}{bad}"))?;
    wait::until(
        "the VIF's error names the VLAN and its owner",
        PATIENCE,
        || {
            let status = ours.status().map_err(|error| error.to_string())?;
            let vif = status
                .vifs
                .iter()
                .find(|vif| vif.name == "bad")
                .ok_or("no such VIF")?;
            let error = vif.error.clone().unwrap_or("no error".into());
            if error.contains("101") && error.contains("other") {
                Ok(())
            } else {
                Err(error)
            }
        },
    )?;
    wait::until("the other VIF's session is Established", PATIENCE, || {
        ours.established("them")
    })?;
    let link = pair.ours.show("-details link show dev other")?;
    wait::ensure(
        link.contains("802.1Q id 101"),
        "the other's interface is as it was",
        link,
    )?;
    Ok(())
}

fn seen(next_hop: IpAddr, asn: u32) -> Seen {
    Seen {
        next_hop,
        as_path: vec![asn],
    }
}
