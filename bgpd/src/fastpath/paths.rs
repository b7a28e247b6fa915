//! The paths: what is known of each, and whether it may carry traffic.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bgp_core::rib::{FibRoute, Hop};
use bgp_core::{Family, PathId};

use super::carrier::Links;
use super::{PathLink, Swap};

/// Every path that was named so far.
#[derive(Default)]
pub(super) struct Paths(pub(super) BTreeMap<PathId, Path>);

#[derive(Default)]
pub(super) struct Path {
    pub(super) link: Option<PathLink>,
    /// Outlives the link, for it is then that it is needed.
    pub(super) backup: Option<(PathId, IpAddr)>,
    pub(super) far_end: FarEnd,
    /// What was last concluded, and told to the daemon.
    pub(super) up: bool,
    pub(super) last_swap: Option<Swap>,
}

/// The far end's health, as the session (or the daemon) tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum FarEnd {
    /// Nobody has said anything since start.
    #[default]
    Unknown,
    Well,
    Down(String),
}

impl Path {
    /// Without a known link there is no carrier to miss.
    pub(super) fn has_carrier(&self, links: &Links) -> bool {
        self.link
            .as_ref()
            .is_none_or(|link| links.is_up(link.ifindex) && links.is_up(link.carrier_ifindex))
    }

    pub(super) fn should_be_up(&self, links: &Links) -> bool {
        self.far_end == FarEnd::Well && self.has_carrier(links)
    }

    /// Why it is not up; `None` if it is.
    pub(super) fn reason(&self, links: &Links) -> Option<String> {
        match (&self.link, &self.far_end) {
            (Some(link), _) if !links.is_up(link.carrier_ifindex) => Some(format!(
                "no carrier on {}",
                links.name(link.carrier_ifindex)
            )),
            (Some(link), _) if !links.is_up(link.ifindex) => {
                Some(format!("{} is down", links.name(link.ifindex)))
            }
            (_, FarEnd::Down(reason)) => Some(reason.clone()),
            (_, FarEnd::Unknown) => Some("not up yet".into()),
            (_, FarEnd::Well) => None,
        }
    }
}

impl Paths {
    pub(super) fn is_up(&self, path: PathId) -> bool {
        self.0.get(&path).is_some_and(|path| path.up)
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
