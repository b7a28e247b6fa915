//! What a new configuration changes, compared with the running one: pure, so
//! that "touch only what differs" can be tested without a session.

use std::sync::Arc;

use bgp_core::config::{self, BgpWaits, Config, Peer, StaticPath, Vif};

/// What becomes of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing at all is sent or done.
    Untouched,
    /// The session stays; policy, networks, limits or backup change.
    Configure,
    /// Only a new session can have these settings.
    Restart(Vec<&'static str>),
}

/// Why a reload can't be done by a running daemon; `None`: it can.
pub(super) fn needs_restart(old: &Config, new: &Config) -> Option<String> {
    let (from, to) = (&old.daemon, &new.daemon);
    let changed: Vec<_> = [
        ("router_id", from.router_id != to.router_id),
        ("asn", from.asn != to.asn),
        ("control", from.control != to.control),
        (
            "kernel",
            config::Kernel {
                on_shutdown: from.kernel.on_shutdown,
                ..to.kernel.clone()
            } != from.kernel,
        ),
    ]
    .into_iter()
    .filter_map(|(key, differs)| differs.then_some(format!("`{key}`")))
    .collect();
    (!changed.is_empty()).then(|| {
        format!(
            "{} of [bgpd] can only change with a restart of bgpd",
            changed.join(", ")
        )
    })
}

/// What a session that is in both configurations needs.
pub(super) fn step(old: &Peer, new: &Peer, key: KeyChange, link: LinkChange) -> Step {
    let mut reasons: Vec<_> = [
        ("local", old.local != new.local),
        (
            "interface",
            old.interface != new.interface || link == LinkChange::Moved,
        ),
        ("address", old.remote != new.remote),
        ("port", old.port != new.port),
        ("peer ASN", old.remote_asn != new.remote_asn),
        ("local ASN", old.local_asn != new.local_asn),
        ("passive", old.passive != new.passive),
        ("hold_time", old.hold_time != new.hold_time),
        ("send_hold_time", old.send_hold_time != new.send_hold_time),
        ("connect_retry", old.connect_retry != new.connect_retry),
        ("ttl", old.ttl != new.ttl),
        ("families", old.families != new.families),
        (
            "graceful_restart",
            old.graceful_restart != new.graceful_restart,
        ),
        (
            "hold time 0",
            old.refuse_zero_hold_time != new.refuse_zero_hold_time,
        ),
        ("VIF", old.vif != new.vif),
        ("`strict` of bfd", waits(old) != waits(new)),
    ]
    .into_iter()
    .filter_map(|(what, differs)| differs.then_some(what))
    .collect();
    if key == KeyChange::Changed {
        reasons.push("key");
    }
    if !reasons.is_empty() {
        return Step::Restart(reasons);
    }
    if old == new {
        Step::Untouched
    } else {
        Step::Configure
    }
}

/// Whether a session may come up before BFD is a matter of its whole life.
fn waits(peer: &Peer) -> BgpWaits {
    peer.bfd.as_ref().map_or(BgpWaits::No, |bfd| bfd.wait)
}

/// Whether the key file's content is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyChange {
    Same,
    Changed,
}

/// Whether the VIF's interface is made anew under the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkChange {
    Same,
    Moved,
}

/// Whether two VIFs have the same interface under them: what differs otherwise
/// (MTU, addresses) can change on it.
pub(super) fn link_change(old: &Vif, new: &Vif) -> LinkChange {
    if (&old.parent, old.vlan, &old.interface) == (&new.parent, new.vlan, &new.interface) {
        LinkChange::Same
    } else {
        LinkChange::Moved
    }
}

/// The part of a VIF that its interface is made from.
pub(super) fn same_interface(old: &Vif, new: &Vif) -> bool {
    let addresses = |vif: &Vif| {
        vif.sessions
            .iter()
            .map(|session| session.local)
            .collect::<Vec<_>>()
    };
    link_change(old, new) == LinkChange::Same
        && old.mtu == new.mtu
        && addresses(old) == addresses(new)
}

pub(super) fn vif<'c>(config: &'c Config, name: &str) -> Option<&'c Vif> {
    config.vifs.iter().find(|vif| &*vif.name == name)
}

pub(super) fn peer<'c>(config: &'c Config, name: &str) -> Option<&'c Peer> {
    config.all_peers().find(|peer| &*peer.name == name)
}

pub(super) fn path<'c>(config: &'c Config, name: &str) -> Option<&'c StaticPath> {
    config.paths.iter().find(|path| &*path.name == name)
}

/// Names of sessions and paths in `old` that `new` doesn't have. A name that
/// goes from one kind to the other is gone, and comes anew.
pub(super) fn gone(old: &Config, new: &Config) -> Vec<Arc<str>> {
    let sessions = old
        .all_peers()
        .map(|before| &before.name)
        .filter(|name| peer(new, name).is_none());
    let paths = old
        .paths
        .iter()
        .map(|before| &before.name)
        .filter(|name| path(new, name).is_none());
    sessions.chain(paths).cloned().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const BASE: &str = r#"
        [bgpd]
        router_id = "192.0.2.1"
        asn = 65010
        [[vif]]
        name = "prod"
        kind = "private"
        parent = "eth1"
        vlan = 101
        local = "169.254.10.2/30"
        peer = "169.254.10.1"
        peer_asn = 64512
        advertise = ["10.20.0.0/16"]
        [[path]]
        name = "internet"
        interface = "eth0"
        gateway = "203.0.113.1"
    "#;

    fn parse(text: &str) -> Config {
        config::parse(text).unwrap()
    }

    fn step_after(from: &str, to: &str) -> Step {
        let (old, new) = (parse(BASE), parse(&BASE.replace(from, to)));
        let link = link_change(&old.vifs[0], &new.vifs[0]);
        step(
            peer(&old, "prod").unwrap(),
            peer(&new, "prod").unwrap(),
            KeyChange::Same,
            link,
        )
    }

    #[test]
    fn the_same_file_touches_nothing() {
        assert_eq!(step_after("", ""), Step::Untouched);
        assert_eq!(needs_restart(&parse(BASE), &parse(BASE)), None);
    }

    #[test]
    fn a_changed_policy_keeps_the_session() {
        let more = "advertise = [\"10.20.0.0/16\", \"10.30.0.0/16\"]\npreference = \"high\"\nbackup = \"internet\"\nprefix_limit = 9\n";
        assert_eq!(
            step_after("advertise = [\"10.20.0.0/16\"]\n", more),
            Step::Configure
        );
        assert_eq!(
            step_after("vlan = 101", "vlan = 101\nmtu = 9001"),
            Step::Untouched
        );
    }

    #[test]
    fn what_the_open_or_the_connection_carries_restarts_the_session() {
        assert_eq!(
            step_after("peer_asn = 64512", "peer_asn = 64513"),
            Step::Restart(vec!["peer ASN"])
        );
        assert_eq!(
            step_after("peer_asn = 64512", "peer_asn = 64512\nhold_time = \"30s\""),
            Step::Restart(vec!["hold_time"])
        );
        assert_eq!(
            step_after("vlan = 101", "vlan = 102\ninterface = \"eth1.101\""),
            Step::Restart(vec!["interface"])
        );
        let old = parse(BASE);
        let prod = peer(&old, "prod").unwrap();
        assert_eq!(
            step(prod, prod, KeyChange::Changed, LinkChange::Same),
            Step::Restart(vec!["key"])
        );
    }

    #[test]
    fn what_the_daemon_was_started_with_is_refused() {
        let new = parse(&BASE.replace("asn = 65010", "asn = 65011\ncontrol = \"/run/other.sock\""));
        let why = needs_restart(&parse(BASE), &new).unwrap();
        assert!(why.contains("`asn`, `control`"), "{why}");
    }

    #[test]
    fn sessions_and_paths_that_are_gone_are_named() {
        let new = parse(&BASE[..BASE.find("[[path]]").unwrap()]);
        assert_eq!(gone(&parse(BASE), &new), vec![Arc::from("internet")]);
        assert!(gone(&new, &parse(BASE)).is_empty());
    }

    #[test]
    fn a_session_whose_name_a_path_takes_is_gone() {
        let peer = "[[peer]]\nname = \"internet\"\naddress = \"203.0.113.1\"\nasn = 64513\n";
        let path = BASE.find("[[path]]").unwrap();
        let old = parse(&format!("{}{peer}", &BASE[..path]));
        let new = parse(BASE);
        assert_eq!(gone(&old, &new), vec![Arc::from("internet")]);
        assert_eq!(gone(&new, &old), vec![Arc::from("internet")]);
    }
}
