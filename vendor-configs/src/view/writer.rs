//! From a checked router to the view.

use bgp_core::Family;
use bgp_core::config::{Preference, VifKind};
use bgp_core::wire::Community;
use ipnet::IpNet;

use crate::check::{Mistake, Mistakes, Router};
use crate::filters::{self, Filter};
use crate::plan::{Backup, RouterLink, Session, SessionKey, kind_word};
use crate::platform::Platform;
use crate::render::KeyText;
use crate::words::VrfName;

use super::{
    BackupView, BfdView, FamilyView, FilterView, InstanceView, LinkFacts, LinkView, NetView,
    RouterView, SessionView,
};

/// The router for `platform`, or what it can't write.
pub(crate) fn view(
    router: &Router,
    platform: Platform,
    keys: KeyText,
) -> Result<RouterView, Mistakes> {
    let writer = Writer {
        router,
        platform,
        keys,
    };
    let mut mistakes = platform.check(router);
    let mut links = Vec::new();
    for link in router.links() {
        match writer.link(link) {
            Ok(link) => links.push(link),
            Err(found) => mistakes.extend(found),
        }
    }
    let sessions = || links.iter().flat_map(|link| &link.sessions);
    let plan = router.plan();
    let instances = writer.instances(&links);
    let families = || instances.iter().flat_map(|instance| &instance.families);
    let view = RouterView {
        platform: platform.name(),
        title: platform.title(),
        hostname: plan.hostname.as_ref().map(ToString::to_string),
        asn: router.asn().0,
        router_id: router.id().to_string(),
        router_id_given: plan.router_id.is_some(),
        graceful_shutdown: Community::GRACEFUL_SHUTDOWN.to_string(),
        bfd: router.links().iter().any(|link| link.bfd.is_some()),
        ipv4: sessions().any(|session| !session.ipv6),
        ipv6: sessions().any(|session| session.ipv6),
        multipath: families().any(|family| family.multipath > 1),
        multipath_relax: families().any(|family| family.multipath_relax),
        instances,
        links,
    };
    Mistakes::unless(mistakes, view)
}

struct Writer<'a> {
    router: &'a Router,
    platform: Platform,
    keys: KeyText,
}

impl Writer<'_> {
    fn link(&self, link: &RouterLink) -> Result<LinkView, Vec<Mistake>> {
        let facts = self.facts(link).map_err(|mistake| vec![mistake])?;
        let mut sessions = Vec::new();
        let mut mistakes = Vec::new();
        for session in &link.sessions {
            match self.key(session) {
                Ok(key) => sessions.push(self.session(link, session, &facts, key)),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if mistakes.is_empty() {
            Ok(LinkView { facts, sessions })
        } else {
            Err(mistakes)
        }
    }

    fn facts(&self, link: &RouterLink) -> Result<LinkFacts, Mistake> {
        let public = link.kind == VifKind::Public;
        let parent = self.platform.parent(link);
        let preference = link.preference;
        Ok(LinkFacts {
            name: link.name.to_string(),
            vif_id: link.vif_id.as_ref().map(ToString::to_string),
            kind: kind_word(link.kind),
            interface: self.platform.interface(parent, link.vlan),
            parent: parent.to_owned(),
            parent_assumed: link.parent.is_none(),
            vlan: link.vlan.id(),
            mtu: link.mtu,
            vrf: link.vrf.as_ref().map(ToString::to_string),
            description: self.description(link)?,
            policy: self.platform.policy(&link.name),
            preference: preference.map(|level| match level {
                Preference::Low => "low",
                Preference::Medium => "medium",
                Preference::High => "high",
            }),
            local_preference: preference.map(Preference::local_pref),
            scope: public.then(|| link.scope.name()),
            accept_any: accepted(link),
            drained_any: drained(link),
            communities: texts(&announced_with(link)),
            drain_communities: texts(&drained_with(link)),
            prepend: if public {
                vec![link.local_asn.0; prepended(preference)]
            } else {
                Vec::new()
            },
            bfd: link.bfd.map(|bfd| BfdView {
                interval: bfd.interval,
                multiplier: bfd.multiplier,
            }),
            keepalive: link.timers.keepalive,
            hold_time: link.timers.hold,
            receive_limit: link.limits.receive,
            advertise_limit: link.limits.advertise,
        })
    }

    fn description(&self, link: &RouterLink) -> Result<String, Mistake> {
        let text = match &link.description {
            Some(text) => text.as_str().to_owned(),
            None => {
                let mut text = format!("AWS Direct Connect {}", link.name);
                text.truncate(80);
                text
            }
        };
        self.platform.description(&text).map_err(|refused| {
            Mistake::new(format!(
                "VIF {}: {} can't have {refused:?} in a description",
                link.name, self.platform
            ))
        })
    }

    /// The refused character is not told: it is a part of the key.
    fn key(&self, session: &Session) -> Result<Option<String>, Mistake> {
        let SessionKey::Md5(key) = &session.key else {
            return Ok(None);
        };
        let written = self.platform.key(key.expose()).map_err(|_| {
            Mistake::new(format!(
                "the MD5 key of peer {} has a character that {} can't have in a key: create the BGP peer with another key",
                session.peer, self.platform
            ))
        })?;
        Ok(Some(match self.keys {
            KeyText::Reveal => written,
            KeyText::Redact => self
                .platform
                .key(KeyText::REDACTED)
                .unwrap_or_else(|_| KeyText::REDACTED.to_owned()),
        }))
    }

    fn session(
        &self,
        link: &RouterLink,
        session: &Session,
        facts: &LinkFacts,
        key: Option<String>,
    ) -> SessionView {
        let family = Family::of(session.peer);
        let own: Vec<IpNet> = self
            .router
            .links()
            .iter()
            .flat_map(|link| link.advertise.clone())
            .collect();
        let inbound = filters::inbound(link.kind, &dedup(own), family);
        SessionView {
            link: facts.clone(),
            family: family_word(family),
            ipv6: family == Family::Ipv6,
            suffix: suffix(family),
            local: session.local.addr().to_string(),
            mask: session.local.netmask().to_string(),
            prefix_len: session.local.prefix_len(),
            network: session.local.trunc().to_string(),
            peer: session.peer.to_string(),
            peer_asn: session.peer_asn.0,
            key,
            inbound: inbound.iter().map(filter_view).collect(),
            outbound: link.announced(family).map(net_view).collect(),
        }
    }

    fn instances(&self, links: &[LinkView]) -> Vec<InstanceView> {
        let mut vrfs: Vec<Option<VrfName>> = Vec::new();
        for link in self.router.links() {
            if !vrfs.contains(&link.vrf) {
                vrfs.push(link.vrf.clone());
            }
        }
        vrfs.sort_by_key(Option::is_some);
        vrfs.iter()
            .map(|vrf| self.instance(vrf.as_ref(), links))
            .collect()
    }

    fn instance(&self, vrf: Option<&VrfName>, links: &[LinkView]) -> InstanceView {
        let inside = |link: &&LinkView| link.facts.vrf.as_deref() == vrf.map(VrfName::as_str);
        let backup = self.router.plan().backup.as_ref();
        let backup = backup.filter(|backup| backup.vrf.as_ref() == vrf);
        let families = Family::ALL.into_iter().filter_map(|family| {
            let sessions = links.iter().filter(inside).flat_map(|link| &link.sessions);
            let sessions = sessions.filter(|session| session.family == family_word(family));
            let sessions: Vec<SessionView> = sessions.cloned().collect();
            (!sessions.is_empty()).then(|| self.family(vrf, family, sessions))
        });
        let families: Vec<FamilyView> = families.collect();
        let backups = backup.map(|backup| self.backups(backup));
        let backups = backups.unwrap_or_default();
        InstanceView {
            vrf: vrf.map(ToString::to_string),
            number: links.iter().find(inside).map_or(0, |link| link.facts.vlan),
            interfaces: links
                .iter()
                .filter(inside)
                .map(|link| link.facts.interface.clone())
                .collect(),
            routed: !backups.is_empty()
                || families.iter().any(|family| !family.networks.is_empty()),
            families,
            backups,
        }
    }

    fn family(
        &self,
        vrf: Option<&VrfName>,
        family: Family,
        sessions: Vec<SessionView>,
    ) -> FamilyView {
        let links = self
            .router
            .links()
            .iter()
            .filter(|link| link.vrf.as_ref() == vrf);
        let networks = dedup(links.flat_map(|link| link.announced(family)).collect());
        let best = sessions
            .iter()
            .map(|session| session.link.local_preference.unwrap_or(100))
            .max();
        let equal = sessions
            .iter()
            .filter(|session| session.link.local_preference.or(Some(100)) == best);
        let equal: Vec<u32> = equal.map(|session| session.peer_asn).collect();
        FamilyView {
            family: family_word(family),
            ipv6: family == Family::Ipv6,
            suffix: suffix(family),
            networks: networks.into_iter().map(net_view).collect(),
            multipath: equal.len(),
            multipath_relax: equal.iter().any(|asn| Some(asn) != equal.first()),
            sessions,
        }
    }

    fn backups(&self, backup: &Backup) -> Vec<BackupView> {
        let has = |family: Family| {
            self.router
                .links()
                .iter()
                .any(|link| link.vrf == backup.vrf && link.of(family).next().is_some())
        };
        let reachable = |family| backup.gateways.is_empty() || backup.gateway(family).is_some();
        let defaults = bgp_core::aws::DEFAULT_ROUTES.into_iter().filter(|net| {
            let family = Family::of(net.addr());
            has(family) && reachable(family)
        });
        let to: Vec<IpNet> = if backup.to.is_empty() {
            defaults.collect()
        } else {
            backup.to.clone()
        };
        to.into_iter()
            .map(|net| {
                let family = Family::of(net.addr());
                BackupView {
                    family: family_word(family),
                    ipv6: family == Family::Ipv6,
                    net: net_view(net),
                    gateway: backup.gateway(family).map(|gateway| gateway.to_string()),
                    interface: backup.interface.as_ref().map(ToString::to_string),
                    distance: 250,
                }
            })
            .collect()
    }
}

fn announced_with(link: &RouterLink) -> Vec<Community> {
    match link.kind {
        VifKind::Public => vec![link.scope.announced()],
        VifKind::Private | VifKind::Transit => link
            .preference
            .map(Preference::community)
            .into_iter()
            .collect(),
    }
}

/// Every route of a public VIF has NO_EXPORT, and a tag if it is near.
fn accepted(link: &RouterLink) -> Vec<Vec<String>> {
    if link.kind != VifKind::Public {
        return Vec::new();
    }
    let no_export = "no-export".to_owned();
    let tags = link.scope.received();
    if tags.is_empty() {
        return vec![vec![no_export]];
    }
    let sets = tags
        .iter()
        .map(|tag| vec![tag.to_string(), no_export.clone()]);
    sets.collect()
}

fn drained(link: &RouterLink) -> Vec<Vec<String>> {
    let mut sets = accepted(link);
    if sets.is_empty() {
        sets.push(Vec::new());
    }
    for set in &mut sets {
        set.push(Community::GRACEFUL_SHUTDOWN.to_string());
    }
    sets
}

/// AWS doesn't promise to honor RFC 8326; its own lowest preference works.
fn drained_with(link: &RouterLink) -> Vec<Community> {
    let ours = match link.kind {
        VifKind::Public => link.scope.announced(),
        VifKind::Private | VifKind::Transit => Preference::Low.community(),
    };
    vec![ours, Community::GRACEFUL_SHUTDOWN]
}

/// A public VIF has no preference communities.
const fn prepended(preference: Option<Preference>) -> usize {
    match preference {
        None | Some(Preference::High) => 0,
        Some(Preference::Medium) => 2,
        Some(Preference::Low) => 4,
    }
}

fn texts(communities: &[Community]) -> Vec<String> {
    communities.iter().map(ToString::to_string).collect()
}

fn dedup(mut nets: Vec<IpNet>) -> Vec<IpNet> {
    let mut seen = std::collections::BTreeSet::new();
    nets.retain(|net| seen.insert(*net));
    nets
}

const fn family_word(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "ipv4",
        Family::Ipv6 => "ipv6",
    }
}

const fn suffix(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "",
        Family::Ipv6 => "-V6",
    }
}

fn filter_view(filter: &Filter) -> FilterView {
    let len = filter.net.prefix_len();
    FilterView {
        permit: filter.permit,
        net: net_view(filter.net),
        min_len: filter.min_len,
        max_len: filter.max_len,
        ge: Some(filter.min_len).filter(|ge| *ge > len),
        le: Some(filter.max_len).filter(|le| *le > len),
    }
}

fn net_view(net: IpNet) -> NetView {
    NetView {
        net: net.to_string(),
        address: net.addr().to_string(),
        mask: net.netmask().to_string(),
        wildcard: net.hostmask().to_string(),
        len: net.prefix_len(),
    }
}
