//! The paths: what is known of each, and whether it may carry traffic.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bgp_core::path::Carrier;
use bgp_core::rib::{FibRoute, Hop};
use bgp_core::{Family, PathId};

use super::carrier::Links;
use super::{PathLink, Said, Standing, Swap, Voice, Watched};

/// Every path that was named so far.
#[derive(Default)]
pub(super) struct Paths(pub(super) BTreeMap<PathId, Path>);

#[derive(Default)]
pub(super) struct Path {
    pub(super) link: Option<PathLink>,
    /// Outlives the link, for it is then that it is needed.
    pub(super) backup: Option<(PathId, IpAddr)>,
    session: FarEnd,
    /// Why BFD says that it is down.
    bfd: Option<String>,
    /// Why no traffic may follow what it announced.
    routes: Option<String>,
    /// What it is drained for.
    operator: Option<String>,
    health: Trust,
    pub(super) watched: Watched,
    /// Nothing that never worked has failed.
    has_been_up: bool,
    /// What was last concluded, and told to the daemon.
    pub(super) standing: Standing,
    /// The witness was told so.
    pub(super) told_carrier: Option<Carrier>,
    pub(super) last_swap: Option<Swap>,
}

/// The far end's health, as the session (or the daemon) tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum FarEnd {
    /// Nobody has said anything since start.
    #[default]
    Unknown,
    Well,
    Down(String),
}

/// What health makes of the path, beside what the others say for themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Trust {
    #[default]
    Full,
    Degraded(String),
    Held(String),
    Down(String),
}

impl Path {
    /// Takes in what a voice says. `false`: it has said so before.
    pub(super) fn hear(&mut self, said: Said) -> bool {
        let is_failure = matches!(said, Said::Down(Voice::Session | Voice::Bfd, _));
        let changed = match said {
            Said::Up(Voice::Session) => replace(&mut self.session, FarEnd::Well),
            Said::Down(Voice::Session, why) => replace(&mut self.session, FarEnd::Down(why)),
            Said::Up(Voice::Bfd) => replace(&mut self.bfd, None),
            Said::Down(Voice::Bfd, why) => replace(&mut self.bfd, Some(why)),
            Said::Up(Voice::Routes) => replace(&mut self.routes, None),
            Said::Down(Voice::Routes, why) => replace(&mut self.routes, Some(why)),
            Said::Up(Voice::Operator) => replace(&mut self.operator, None),
            Said::Down(Voice::Operator, why) => replace(&mut self.operator, Some(why)),
            Said::Up(Voice::Health) => replace(&mut self.health, Trust::Full),
            Said::Down(Voice::Health, why) => replace(&mut self.health, Trust::Down(why)),
            Said::Degraded(why) => replace(&mut self.health, Trust::Degraded(why)),
            Said::Held(why) => replace(&mut self.health, Trust::Held(why)),
        };
        if changed && is_failure {
            self.latch();
        }
        changed
    }

    /// A failure: whatever is well again next, health has to agree.
    fn latch(&mut self) {
        let is_down = matches!(self.health, Trust::Down(_));
        if self.watched == Watched::ByHealth && self.has_been_up && !is_down {
            self.health = Trust::Held("works again, not yet trusted".into());
        }
    }

    /// Concludes anew. `true`: its standing has changed.
    pub(super) fn conclude(&mut self, links: &Links) -> bool {
        if !self.has_carrier(links) {
            self.latch();
        }
        let standing = self.concluded(links);
        self.has_been_up |= standing.is_up();
        replace(&mut self.standing, standing)
    }

    fn concluded(&self, links: &Links) -> Standing {
        let far_end_is_well =
            self.session == FarEnd::Well && self.bfd.is_none() && self.routes.is_none();
        if !far_end_is_well || !self.has_carrier(links) {
            return Standing::Down;
        }
        let trusted = match self.health {
            Trust::Full => Standing::Good,
            Trust::Degraded(_) => Standing::Degraded,
            Trust::Held(_) => Standing::Held,
            Trust::Down(_) => Standing::Down,
        };
        match self.operator {
            Some(_) => trusted.min(Standing::Drained),
            None => trusted,
        }
    }

    /// Without a known link there is no carrier to miss.
    pub(super) fn has_carrier(&self, links: &Links) -> bool {
        self.link
            .as_ref()
            .is_none_or(|link| links.is_up(link.ifindex) && links.is_up(link.carrier_ifindex))
    }

    /// Right after a start no session has said a word yet.
    pub(super) fn is_unheard(&self) -> bool {
        self.session == FarEnd::Unknown
    }

    /// Why it is not [`Standing::Good`]; `None` if it is.
    pub(super) fn reason(&self, links: &Links) -> Option<String> {
        if let Some(link) = &self.link {
            if !links.exists(link.carrier_ifindex) || !links.exists(link.ifindex) {
                return Some("its interface is gone".into());
            }
            if !links.is_up(link.carrier_ifindex) {
                return Some(format!(
                    "no carrier on {}",
                    links.name(link.carrier_ifindex)
                ));
            }
            if !links.is_up(link.ifindex) {
                return Some(format!("{} is down", links.name(link.ifindex)));
            }
        }
        let bfd_or_routes = self.bfd.as_ref().or(self.routes.as_ref());
        match (&self.session, bfd_or_routes, &self.health, &self.operator) {
            (FarEnd::Down(reason), ..) => Some(reason.clone()),
            (_, Some(reason), ..) => Some(reason.clone()),
            (_, _, Trust::Down(reason), _) => Some(reason.clone()),
            (FarEnd::Unknown, ..) => Some("not up yet".into()),
            (.., Some(reason)) => Some(format!("drained by {reason}")),
            (_, _, Trust::Degraded(reason) | Trust::Held(reason), _) => Some(reason.clone()),
            (FarEnd::Well, None, Trust::Full, None) => None,
        }
    }
}

/// Whether that made a difference.
fn replace<T: PartialEq>(place: &mut T, value: T) -> bool {
    let differs = *place != value;
    *place = value;
    differs
}

impl Paths {
    pub(super) fn standing(&self, path: PathId) -> Standing {
        self.0
            .get(&path)
            .map_or(Standing::Down, |path| path.standing)
    }

    /// The ways out for a route, in order of preference: its best hop, its own
    /// second best, and the backup that its best path is configured with.
    pub(super) fn candidates(&self, route: &FibRoute) -> impl Iterator<Item = Hop> {
        let configured = self.0.get(&route.best.path).and_then(|path| path.backup);
        let configured = configured.map(|(path, gateway)| Hop { path, gateway });
        let backups = [route.backup, configured].into_iter().flatten();
        let family = Family::of(route.best.gateway);
        // An IPv6 route can't use an IPv4 gateway.
        let fits = move |hop: &Hop| family == Family::Ipv4 || Family::of(hop.gateway) == family;
        std::iter::once(route.best).chain(backups.filter(fits))
    }

    /// Whose carrier is worth asking for while in doubt.
    pub(super) fn watched(&self) -> Vec<u32> {
        let mut watched: Vec<u32> = self
            .0
            .values()
            .filter_map(|path| Some(path.link.as_ref()?.carrier_ifindex))
            .collect();
        watched.sort_unstable();
        watched.dedup();
        watched
    }

    /// The interface that a hop leaves by, if it is known.
    pub(super) fn ifindex(&self, hop: &Hop) -> Option<u32> {
        self.0
            .get(&hop.path)
            .and_then(|path| Some(path.link.as_ref()?.ifindex))
    }
}

/// Both are of a link.
pub(super) fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}
