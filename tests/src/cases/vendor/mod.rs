//! The texts of `vendor-configs`, run by the software that they are for: with
//! bgpd in AWS's place, or with BIRD where AWS tags its routes or speaks BFD.

mod aws;
mod bfd;
mod drain;
mod linux;
mod theirs;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context;
use bgp_core::config::{AuthKey, Preference, VifKind};
use bgp_core::{Asn, VlanId};
use ipnet::IpNet;
use lab::wait;
use vendor_configs::{
    KeyText, Part, Platform, Router, RouterLink, RouterPlan, Session, SessionKey, Templates,
    Wanted, render,
};

use super::Case;
use super::sessions::{KEY, networks};
use crate::Bench;
use crate::foreign::Daemon;
use crate::ours::PATIENCE;
use crate::pair::{OUR_ASN, Pair, WIRE};
use aws::Sent;
use theirs::Theirs;

pub(super) fn all() -> Vec<Case> {
    let each = |what: &str, daemons: &[Daemon], run: fn(&Bench, Daemon) -> anyhow::Result<()>| {
        let cases = daemons.iter().map(|&daemon| {
            let name = format!("vendor text for {}: {what}", daemon.name());
            Case::new(name, move |bench| run(bench, daemon))
        });
        cases.collect::<Vec<_>>()
    };
    let with_bfd = [Daemon::Bird, Daemon::Frr];
    let mut cases = each(
        "both sessions are up, exactly the intended prefixes pass",
        &Daemon::ALL,
        private_vif,
    );
    cases.extend(each(
        "of a public VIF only what AWS tags and nobody else owns is taken",
        &Daemon::ALL,
        public_vif,
    ));
    cases.extend(each(
        "BFD is up, and ends the session when AWS falls silent",
        &with_bfd,
        bfd::silence,
    ));
    cases.extend(each(
        "AWS is asked to drain the link, and back",
        &Daemon::ALL,
        drain::and_back,
    ));
    cases.push(Case::with_vlan(
        "vendor text for linux: its commands make the link, and take it out",
        linux::commands,
    ));
    cases
}

/// What the text names the VLAN's interface.
const INTERFACE: &str = "eth1.101";

/// Both families.
fn private() -> anyhow::Result<RouterLink> {
    let sessions = vec![
        session("169.254.10.2/30", "169.254.10.1", OUR_ASN)?,
        session("2001:db8:0:1::6/125", "2001:db8:0:1::5", OUR_ASN)?,
    ];
    let mut link = link("prod", VifKind::Private, 65010, sessions)?;
    link.advertise = networks(&["10.20.0.0/16", "10.21.4.0/22", "fd00:20::/48"]);
    link.preference = Some(Preference::High);
    Ok(link)
}

/// Both families, as far as the continent.
fn public() -> anyhow::Result<RouterLink> {
    let sessions = vec![
        session("198.51.100.2/30", "198.51.100.1", 7224)?,
        session("2001:db8:0:2::6/125", "2001:db8:0:2::5", 7224)?,
    ];
    let mut link = link("edge", VifKind::Public, 64496, sessions)?;
    link.advertise = networks(&["192.0.2.0/24", "2001:db8:ffff::/48"]);
    Ok(link)
}

fn session(local: &str, peer: &str, peer_asn: u32) -> anyhow::Result<Session> {
    Ok(Session {
        local: local.parse()?,
        peer: peer.parse()?,
        peer_asn: Asn(peer_asn),
        key: SessionKey::Md5(AuthKey::from_file_content(KEY.to_owned().into())?),
    })
}

fn link(
    name: &str,
    kind: VifKind,
    local_asn: u32,
    sessions: Vec<Session>,
) -> anyhow::Result<RouterLink> {
    let vlan = VlanId::new(101).context("a VLAN")?;
    let mut link = RouterLink::new(name.parse()?, kind, vlan, Asn(local_asn), sessions);
    link.parent = Some("eth1".parse()?);
    Ok(link)
}

fn text(platform: &str, link: &RouterLink, part: Part) -> anyhow::Result<String> {
    let router = Router::new(RouterPlan {
        hostname: None,
        router_id: None,
        links: vec![link.clone()],
        backup: None,
    })?;
    let platform: Platform = platform.parse()?;
    let wanted = Wanted {
        part,
        form: None,
        keys: KeyText::Reveal,
    };
    Ok(render(&router, platform, &Templates::built_in(), wanted)?)
}

/// AWS's end with its addresses, and the VLAN's interface as the text for Linux
/// makes it.
fn wired(bench: &Bench, link: &RouterLink) -> anyhow::Result<Pair> {
    let pair = Pair::create(bench)?;
    pair.theirs.ip(&format!(
        "address flush dev {WIRE} scope global\nlink set dev {WIRE} down\n\
         link set dev {WIRE} name {INTERFACE}\nlink set dev {INTERFACE} up"
    ))?;
    for session in &link.sessions {
        let nodad = if session.peer.is_ipv6() { "nodad" } else { "" };
        let (local, length) = (session.local, session.local.prefix_len());
        pair.theirs
            .ip(&format!("address add {local} dev {INTERFACE} {nodad}"))?;
        pair.ours.ip(&format!(
            "address add {}/{length} dev {WIRE} {nodad}",
            session.peer
        ))?;
    }
    Ok(pair)
}

fn private_vif(bench: &Bench, daemon: Daemon) -> anyhow::Result<()> {
    let link = private()?;
    let pair = wired(bench, &link)?;
    let sent = [
        "172.31.0.0/16",
        "10.128.0.0/9",
        "fd00:172::/56",
        "2600:1f14:100::/56",
        // Our own, and of nobody's VPC.
        "10.20.0.0/16",
        "198.18.5.0/24",
        "fd00:20:0:1::/64",
        "64:ff9b::/96",
    ];
    let aws = aws::with_bgpd(bench, &pair.ours, &link, &networks(&sent))?;
    let theirs = Theirs::start(bench, &pair.theirs, daemon, &link)?;
    aws.wait_for_sessions(&theirs)?;
    let announced = with_communities(&link.advertise, &["7224:7300"]);
    let accepted = networks(&sent[..4]).into_iter().map(|net| (net, 300));
    exchange(
        || aws.received(),
        &announced,
        &theirs,
        &accepted.collect::<BTreeMap<_, _>>(),
    )
}

fn public_vif(bench: &Bench, daemon: Daemon) -> anyhow::Result<()> {
    let link = public()?;
    let pair = wired(bench, &link)?;
    const REGION: &[&str] = &["7224:8100", "65535:65281"];
    const CONTINENT: &[&str] = &["7224:8200", "65535:65281"];
    const NO_EXPORT: &[&str] = &["65535:65281"];
    const DRAINED: &[&str] = &["7224:8100", "65535:65281", "65535:0"];
    let taken: [Sent; 6] = [
        ("52.94.0.0/22", REGION),
        ("54.240.0.0/18", CONTINENT),
        ("99.77.128.0/17", DRAINED),
        ("2600:1f00::/24", REGION),
        ("2a05:d000::/25", CONTINENT),
        ("2406:da00::/24", DRAINED),
    ];
    let refused: [Sent; 14] = [
        // Of another continent, of nowhere; NO_EXPORT is on all that is AWS's.
        ("18.32.0.0/11", NO_EXPORT),
        ("3.0.0.0/15", &[]),
        ("13.32.0.0/15", &["7224:8100"]),
        ("2600:9000::/28", NO_EXPORT),
        ("2620:107:300f::/64", &["7224:8100"]),
        // Bogons, the way everywhere, our own.
        ("10.1.0.0/16", REGION),
        ("203.0.113.0/24", REGION),
        ("0.0.0.0/0", REGION),
        ("192.0.2.0/24", REGION),
        ("192.0.2.128/25", REGION),
        ("2002:a00::/24", REGION),
        ("2001:db8:1::/48", REGION),
        ("::/0", REGION),
        ("2001:db8:ffff:1::/64", REGION),
    ];
    let sent: Vec<Sent> = taken.into_iter().chain(refused).collect();
    let aws = aws::with_bird(bench, &pair.ours, &link, &sent, None)?;
    let theirs = Theirs::start(bench, &pair.theirs, daemon, &link)?;
    aws.wait_for_sessions(&theirs)?;
    let announced = with_communities(&link.advertise, &["7224:9200"]);
    let mut accepted = BTreeMap::new();
    for (net, communities) in taken {
        let drained = communities.contains(&"65535:0");
        let preference = if drained { least(daemon) } else { 100 };
        accepted.insert(net.parse()?, preference);
    }
    exchange(|| aws.received(), &announced, &theirs, &accepted)
}

/// The local preference of what is drained.
const fn least(daemon: Daemon) -> u32 {
    match daemon {
        // 0 is none to it.
        Daemon::GoBgp => 1,
        Daemon::Bird | Daemon::Frr | Daemon::OpenBgpd => 0,
    }
}

/// Prefixes with their communities.
type Received = BTreeMap<IpNet, BTreeSet<String>>;
/// Prefixes with their local preference.
type Accepted = BTreeMap<IpNet, u32>;

fn with_communities(prefixes: &[IpNet], communities: &[&str]) -> Received {
    let communities: BTreeSet<String> = communities.iter().map(|&one| one.to_owned()).collect();
    let prefixes = prefixes.iter();
    prefixes
        .map(|&prefix| (prefix, communities.clone()))
        .collect()
}

/// Waits until each side has exactly this of the other.
fn exchange(
    received: impl Fn() -> anyhow::Result<Received>,
    announced: &Received,
    theirs: &Theirs<'_>,
    accepted: &Accepted,
) -> anyhow::Result<()> {
    let aws_has = || same(received(), announced);
    let router_has = || same(theirs.accepted(), accepted);
    wait::until(
        &format!("AWS's side has exactly {announced:?}"),
        PATIENCE,
        aws_has,
    )?;
    wait::until(
        &format!("the router takes exactly {accepted:?}"),
        PATIENCE,
        router_has,
    )?;
    // What is wrong would come a moment later.
    wait::while_holding("both stay so", Duration::from_secs(1), || {
        aws_has()?;
        router_has()
    })
}

fn same<T: PartialEq + std::fmt::Debug>(
    found: anyhow::Result<T>,
    wanted: &T,
) -> Result<(), String> {
    let found = found.map_err(|error| format!("{error:#}"))?;
    (found == *wanted)
        .then_some(())
        .ok_or_else(|| format!("{found:?}"))
}
