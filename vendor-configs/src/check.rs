//! From a plan to a [`Router`]: every rule across fields, every mistake at once.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use bgp_core::config::VifKind;
use bgp_core::{Asn, Family, RouterId, aws};
use ipnet::IpNet;

use crate::plan::{Backup, RouterLink, RouterPlan, Session, SessionKey, kind_word};

/// A plan that can be written for a router.
#[derive(Clone, Debug)]
pub struct Router(RouterPlan);

/// Why something can't be written, in words for its operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Mistake(String);

/// All that is wrong, one a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes(pub Vec<Mistake>);

impl Mistake {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            mistake.fmt(f)?;
        }
        Ok(())
    }
}

impl Mistakes {
    /// `value`, if nothing was wrong.
    pub(crate) fn unless<T>(found: Vec<Mistake>, value: T) -> Result<T, Self> {
        if found.is_empty() {
            Ok(value)
        } else {
            Err(Self(found))
        }
    }
}

impl Router {
    pub fn new(plan: RouterPlan) -> Result<Self, Mistakes> {
        let mut found = Found::default();
        found.router(&plan);
        plan.links.iter().for_each(|link| found.link(link));
        found.between_links(&plan.links);
        if let Some(backup) = &plan.backup {
            found.backup(backup, &plan.links);
        }
        Mistakes::unless(found.0, Self(plan))
    }

    pub const fn plan(&self) -> &RouterPlan {
        &self.0
    }

    pub fn links(&self) -> &[RouterLink] {
        &self.0.links
    }

    /// What was given, or our first IPv4 address.
    pub fn id(&self) -> RouterId {
        id(&self.0).expect("invariant: a router has an identifier")
    }

    /// The router's AS.
    pub fn asn(&self) -> Asn {
        self.0
            .links
            .first()
            .expect("invariant: a router has a link")
            .local_asn
    }
}

/// Whether two routers, the one that carries the traffic and the one that takes
/// over, fit together.
pub fn check_pair(primary: &Router, backup: &Router) -> Result<(), Mistakes> {
    let mut found = Found::default();
    for one in primary.links() {
        for other in backup.links() {
            if one.name == other.name {
                found.add(format!("VIF {} is on both routers", one.name));
            }
            if one.kind != other.kind {
                continue;
            }
            let levels = (
                one.preference.map(|level| level.local_pref()),
                other.preference.map(|level| level.local_pref()),
            );
            match levels {
                (Some(high), Some(low)) if high > low => {}
                (Some(_), Some(_)) => found.add(format!(
                    "VIF {} of the primary router is not preferred to VIF {} of the backup: give it a higher preference",
                    one.name, other.name
                )),
                _ => found.add(format!(
                    "VIFs {} and {} are a primary and a backup: both need a preference",
                    one.name, other.name
                )),
            }
            if one.advertise != other.advertise {
                found.add(format!(
                    "VIFs {} and {} announce different networks: what only the primary announces is cut off when it fails",
                    one.name, other.name
                ));
            }
        }
    }
    Mistakes::unless(found.0, ())
}

#[derive(Default)]
struct Found(Vec<Mistake>);

impl Found {
    fn add(&mut self, text: String) {
        let mistake = Mistake::new(text);
        if !self.0.contains(&mistake) {
            self.0.push(mistake);
        }
    }

    fn router(&mut self, plan: &RouterPlan) {
        let Some(first) = plan.links.first() else {
            self.add("there is no virtual interface to write".into());
            return;
        };
        if id(plan).is_none() {
            self.add("there is no IPv4 session to take a router identifier from: give one".into());
        }
        for link in &plan.links {
            if link.local_asn != first.local_asn {
                self.add(format!(
                    "VIF {} has AS {} on our side and VIF {} AS {}: one router has one AS; write them for two routers",
                    first.name, first.local_asn, link.name, link.local_asn
                ));
            }
        }
    }

    fn link(&mut self, link: &RouterLink) {
        let name = &link.name;
        // RFC 7607, RFC 6793, RFC 7300.
        if matches!(link.local_asn.0, 0 | 23_456 | 65_535 | u32::MAX) {
            self.add(format!("VIF {name}: AS {} is reserved", link.local_asn));
        }
        let mtus = aws::mtus(link.kind);
        if !mtus.contains(&link.mtu) {
            self.add(format!(
                "VIF {name}: MTU {} is none that a {} VIF can have: {mtus:?}",
                link.mtu,
                kind_word(link.kind)
            ));
        }
        if link.preference.is_some() && link.kind == VifKind::Public && link.local_asn.is_private()
        {
            self.add(format!(
                "VIF {name}: a preference has no effect from private AS {} on a public VIF, AWS strips prepending: leave it out",
                link.local_asn
            ));
        }
        self.numbers(link);
        self.sessions(link);
        self.networks(link);
    }

    fn numbers(&mut self, link: &RouterLink) {
        let (name, timers, limits) = (&link.name, link.timers, link.limits);
        // RFC 4271 §4.2: 0 would do without keepalives; AWS refuses it.
        if timers.hold < 3 || timers.keepalive == 0 || timers.keepalive >= timers.hold {
            self.add(format!(
                "VIF {name}: timers {} {}: the hold time is at least 3 s and more than the keepalive, which is at least 1 s",
                timers.keepalive, timers.hold
            ));
        }
        if let Some(bfd) = link.bfd
            && (!(300..=999).contains(&bfd.interval) || !(3..=50).contains(&bfd.multiplier))
        {
            self.add(format!(
                "VIF {name}: BFD {} ms × {}: AWS takes 300 ms × 3 and slower; every platform takes up to 999 ms × 50",
                bfd.interval, bfd.multiplier
            ));
        }
        if !(1..=1000).contains(&limits.advertise) {
            self.add(format!(
                "VIF {name}: AWS's limit is 100 to 1,000 prefixes, not {}",
                limits.advertise
            ));
        }
        if !(1..=1_000_000).contains(&limits.receive) {
            self.add(format!(
                "VIF {name}: a limit of {} prefixes from AWS is outside 1–1,000,000",
                limits.receive
            ));
        }
    }

    fn sessions(&mut self, link: &RouterLink) {
        let name = &link.name;
        if link.sessions.is_empty() {
            self.add(format!("VIF {name} has no BGP peer"));
        }
        for family in Family::ALL {
            if link.of(family).count() > 1 {
                self.add(format!("VIF {name} has more than one {family} BGP peer"));
            }
        }
        for session in &link.sessions {
            self.session(link, session);
        }
    }

    fn session(&mut self, link: &RouterLink, session: &Session) {
        let (name, local, peer) = (&link.name, session.local, session.peer);
        if local.addr() == peer || !local.contains(&peer) {
            self.add(format!(
                "VIF {name}: peer {peer} is not the other end of {local}"
            ));
        }
        for address in [local.addr(), peer] {
            if !is_host(local, address) {
                self.add(format!(
                    "VIF {name}: {address} is no address that an end of {local} can have"
                ));
            }
        }
        if session.peer_asn == link.local_asn {
            self.add(format!(
                "VIF {name}: both ends have AS {}: Direct Connect is eBGP",
                link.local_asn
            ));
        }
        if link.kind == VifKind::Public && session.peer_asn != aws::PUBLIC_ASN {
            self.add(format!(
                "VIF {name}: AWS's end of a public VIF is AS {}, not {}",
                aws::PUBLIC_ASN,
                session.peer_asn
            ));
        }
        if matches!(session.peer_asn.0, 0 | 23_456 | 65_535 | u32::MAX) {
            self.add(format!("VIF {name}: AS {} is reserved", session.peer_asn));
        }
        if session.key == SessionKey::Unknown {
            self.add(format!(
                "VIF {name}: the MD5 key of {peer} is not known, and AWS requires one: give it, or choose to leave it out"
            ));
        }
    }

    fn networks(&mut self, link: &RouterLink) {
        let name = &link.name;
        let mut seen = BTreeSet::new();
        for net in &link.advertise {
            if net.trunc() != *net {
                self.add(format!(
                    "VIF {name}: {net} has host bits set; did you mean {}?",
                    net.trunc()
                ));
            }
            if !seen.insert(net) {
                self.add(format!("VIF {name}: {net} is announced twice"));
            }
            if link.of(Family::of(net.addr())).next().is_none() {
                self.add(format!(
                    "VIF {name}: {net} can't be announced: the VIF has no BGP peer of its family"
                ));
            }
            if link.kind == VifKind::Public
                && (aws::is_private_space(*net) || net.prefix_len() == 0)
            {
                self.add(format!(
                    "VIF {name}: AWS takes no {net} on a public VIF: announce public prefixes of yours"
                ));
            }
        }
        for family in Family::ALL {
            let count = link.announced(family).count();
            if count > link.limits.advertise as usize {
                self.add(format!(
                    "VIF {name}: {count} {family} prefixes to announce; AWS drops the session after {}: aggregate them, or have the limit raised and give it",
                    link.limits.advertise
                ));
            }
        }
    }

    fn between_links(&mut self, links: &[RouterLink]) {
        for (index, one) in links.iter().enumerate() {
            for other in &links[..index] {
                self.two_links(other, one);
            }
        }
    }

    fn two_links(&mut self, one: &RouterLink, other: &RouterLink) {
        if one.name.as_str().eq_ignore_ascii_case(other.name.as_str()) {
            self.add(format!(
                "two VIFs are named {}: their policies would be one",
                one.name
            ));
        }
        if one.vlan == other.vlan && one.parent == other.parent {
            self.add(format!(
                "VIFs {} and {} both have VLAN {} on one port: give each its own port",
                one.name, other.name, one.vlan
            ));
        }
        for ours in &one.sessions {
            for theirs in &other.sessions {
                let (ours, theirs) = (ours.local.trunc(), theirs.local.trunc());
                if one.vrf == other.vrf && (ours.contains(&theirs) || theirs.contains(&ours)) {
                    self.add(format!(
                        "VIFs {} and {} have addresses in one network: {ours}, {theirs}",
                        one.name, other.name
                    ));
                }
            }
        }
    }

    fn backup(&mut self, backup: &Backup, links: &[RouterLink]) {
        if !links.iter().any(|link| link.vrf == backup.vrf) {
            self.add("the backup is in a VRF that no virtual interface is in".into());
        }
        if backup.gateways.is_empty() && backup.interface.is_none() {
            self.add("the backup has neither a gateway nor an interface".into());
        }
        for family in Family::ALL {
            let gateways = backup.gateways.iter();
            if gateways.filter(|ip| Family::of(**ip) == family).count() > 1 {
                self.add(format!("the backup has more than one {family} gateway"));
            }
        }
        for net in &backup.to {
            if net.trunc() != *net {
                self.add(format!(
                    "the backup's {net} has host bits set; did you mean {}?",
                    net.trunc()
                ));
            }
            let mut inside = links.iter().filter(|link| link.vrf == backup.vrf);
            if !inside.any(|link| link.of(Family::of(net.addr())).next().is_some()) {
                self.add(format!(
                    "the backup leads to {net}: no virtual interface has a session of that family"
                ));
            }
            if !backup.gateways.is_empty() && backup.gateway(Family::of(net.addr())).is_none() {
                self.add(format!("the backup has no gateway of the family of {net}"));
            }
            if links.iter().any(|link| link.advertise.contains(net)) {
                self.add(format!(
                    "{net} is announced to AWS as ours and reached over the backup: it can't be both"
                ));
            }
        }
    }
}

impl RouterLink {
    pub fn of(&self, family: Family) -> impl Iterator<Item = &Session> {
        self.sessions
            .iter()
            .filter(move |session| Family::of(session.peer) == family)
    }

    pub fn announced(&self, family: Family) -> impl Iterator<Item = IpNet> {
        let nets = self.advertise.iter().copied();
        nets.filter(move |net| Family::of(net.addr()) == family)
    }
}

impl Backup {
    pub(crate) fn gateway(&self, family: Family) -> Option<IpAddr> {
        let mut gateways = self.gateways.iter().copied();
        gateways.find(|gateway| Family::of(*gateway) == family)
    }
}

fn id(plan: &RouterPlan) -> Option<RouterId> {
    let mut sessions = plan.links.iter().flat_map(|link| &link.sessions);
    plan.router_id.or_else(|| {
        sessions.find_map(|session| match session.local {
            IpNet::V4(net) => Some(RouterId(net.addr())),
            IpNet::V6(_) => None,
        })
    })
}

/// Whether an end of the link `net` can have this address.
fn is_host(net: IpNet, address: IpAddr) -> bool {
    let inner = match (net, address) {
        // RFC 3021: a /31 has neither a network nor a broadcast address.
        (IpNet::V4(net), IpAddr::V4(address)) => {
            address != aws::METADATA_ADDRESS
                && (net.prefix_len() == 31
                    || net.prefix_len() < 31
                        && address != net.network()
                        && address != net.broadcast())
        }
        // RFC 4291 §2.6.1: the lowest is the routers' anycast; RFC 6164 lifts that for a /127.
        (IpNet::V6(net), IpAddr::V6(address)) => {
            net.prefix_len() == 127 || net.prefix_len() < 127 && address != net.network()
        }
        _ => false,
    };
    inner && !address.is_unspecified() && !address.is_multicast() && !address.is_loopback()
}
