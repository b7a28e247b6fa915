//! Peers, attributes and receivers for the RIB's tests.

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bgp_core::config::{Peer, Ttl};
use bgp_core::policy::Policy;
use bgp_core::rib::{FibChange, FibRoute, FibUse, Outbound, Rib, Session, Settings};
use bgp_core::wire::{Announcement, AsPath, Codec, Origin, PathAttributes, Prefixes, Update};
use bgp_core::{Asn, Family, PathId, RouterId};
use ipnet::IpNet;
use smallvec::smallvec;

pub(crate) const OUR_ASN: Asn = Asn(65010);

pub(crate) fn rib() -> Rib {
    Rib::new(Settings {
        asn: OUR_ASN,
        router_id: RouterId("192.0.2.1".parse().unwrap()),
        fib: FibUse::Kernel,
    })
}

/// An external peer at `remote`, on a link of a /24 or /64, that lets everything pass.
pub(crate) fn peer(name: &str, remote: &str, remote_asn: u32) -> Peer {
    let remote: IpAddr = remote.parse().unwrap();
    Peer {
        name: name.into(),
        vif: None,
        local: Some(IpNet::new(local(remote), if remote.is_ipv4() { 24 } else { 64 }).unwrap()),
        interface: None,
        remote,
        port: 179,
        remote_asn: Asn(remote_asn),
        local_asn: OUR_ASN,
        auth_key_file: None,
        passive: false,
        hold_time: Duration::from_secs(90),
        send_hold_time: None,
        connect_retry: Duration::from_secs(5),
        ttl: Ttl::Direct,
        families: vec![Family::of(remote)],
        import: Policy::accept_all(),
        export: Policy::accept_all(),
        advertise: Vec::new(),
        prefix_limit: None,
        advertise_limit: None,
        backup: None,
        refuse_zero_hold_time: false,
        graceful_restart: None,
        bfd: None,
        on_degraded: Default::default(),
        on_drain: Default::default(),
        probe: None,
        health: Default::default(),
    }
}

/// Our address on the link with `remote`: its network's 254.
pub(crate) fn local(remote: IpAddr) -> IpAddr {
    match remote {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            IpAddr::from([a, b, c, 254])
        }
        IpAddr::V6(address) => IpAddr::from((address.to_bits() >> 64 << 64 | 254).to_be_bytes()),
    }
}

pub(crate) fn session(peer: &Peer, router_id: u32) -> Session {
    Session {
        local: local(peer.remote),
        router_id: RouterId(router_id.into()),
        codec: codec(peer.remote_asn == OUR_ASN, &[Family::of(peer.remote)]),
    }
}

pub(crate) fn codec(internal: bool, families: &[Family]) -> Codec {
    Codec {
        four_octet_as: true,
        extended_messages: false,
        families: families.iter().copied().collect(),
        internal,
    }
}

pub(crate) fn attributes(next_hop: IpAddr, as_path: &[u32]) -> PathAttributes {
    PathAttributes::new(
        Origin::Igp,
        AsPath::sequence(as_path.iter().copied().map(Asn)),
        next_hop,
    )
}

pub(crate) fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

/// Prefixes of one family.
pub(crate) fn prefixes(nets: &[IpNet]) -> Prefixes {
    let v4: Vec<_> = nets
        .iter()
        .filter_map(|net| {
            if let IpNet::V4(net) = net {
                Some(*net)
            } else {
                None
            }
        })
        .collect();
    let v6: Vec<_> = nets
        .iter()
        .filter_map(|net| {
            if let IpNet::V6(net) = net {
                Some(*net)
            } else {
                None
            }
        })
        .collect();
    assert!(v4.is_empty() || v6.is_empty());
    if v6.is_empty() {
        Prefixes::V4(v4)
    } else {
        Prefixes::V6(v6)
    }
}

pub(crate) fn announcing(attributes: PathAttributes, nets: &[IpNet]) -> Update {
    let announcement = Announcement {
        attributes: Arc::new(attributes),
        prefixes: prefixes(nets),
    };
    Update {
        announced: smallvec![announcement],
        ..Update::default()
    }
}

pub(crate) fn withdrawing(nets: &[IpNet]) -> Update {
    Update {
        withdrawn: smallvec![prefixes(nets)],
        ..Update::default()
    }
}

pub(crate) fn ending(family: Family) -> Update {
    Update {
        end_of_rib: Some(family),
        ..Update::default()
    }
}

/// What a peer knows by what it was sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Receiver {
    pub(crate) routes: BTreeMap<IpNet, Arc<PathAttributes>>,
    pub(crate) ends_of_rib: usize,
    /// The most prefixes that there ever were at once.
    pub(crate) most: usize,
}

impl Receiver {
    pub(crate) fn take(&mut self, outbound: Vec<Outbound>) {
        for outbound in outbound {
            match outbound {
                Outbound::Announce(attributes, prefixes) => {
                    self.routes
                        .extend(prefixes.iter().map(|net| (net, attributes.clone())));
                }
                Outbound::Withdraw(prefixes) => {
                    for net in prefixes.iter() {
                        assert!(
                            self.routes.remove(&net).is_some(),
                            "{net} was never announced"
                        );
                    }
                }
                Outbound::EndOfRib(_) => self.ends_of_rib += 1,
            }
            self.most = self.most.max(self.routes.len());
        }
    }

    /// Takes everything that the RIB has for it, as the only one.
    pub(crate) fn drain(&mut self, rib: &mut Rib, path: PathId) {
        loop {
            let outbound = drain(rib, path, 3);
            if outbound.is_empty() && !is_owed(rib, path) {
                return;
            }
            self.take(outbound);
        }
    }
}

/// Whether the RIB may have something for a peer.
fn is_owed(rib: &Rib, path: PathId) -> bool {
    rib.groups_to_tell()
        .any(|group| rib.members(group).any(|member| member == path))
}

/// What the RIB has for a peer alone, whoever its group's other members are.
pub(crate) fn drain(rib: &mut Rib, path: PathId, budget: usize) -> Vec<Outbound> {
    walk(rib);
    rib.mark_changed();
    let mut outbound = Vec::new();
    for family in Family::ALL {
        let Some(group) = rib.group_of(path, family) else {
            continue;
        };
        rib.fall_out(group, &[path]);
        let told = rib
            .group_of(path, family)
            .map(|group| rib.drain_group(group, budget));
        for (audience, told) in told.into_iter().flatten() {
            assert!(audience.includes(path), "{told:?} is for nobody");
            outbound.push(told);
        }
    }
    outbound
}

/// Does what is to be done to whole tables.
pub(crate) fn walk(rib: &mut Rib) {
    while rib.has_walks() {
        rib.walk(2);
    }
}

/// What the kernel holds by what it was told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kernel {
    pub(crate) routes: BTreeMap<IpNet, FibRoute>,
}

impl Kernel {
    pub(crate) fn take(&mut self, changes: Vec<FibChange>) {
        for FibChange { prefix, route } in changes {
            match route {
                Some(route) => {
                    self.routes.insert(prefix, route);
                }
                None => assert!(
                    self.routes.remove(&prefix).is_some(),
                    "{prefix} was never installed"
                ),
            }
        }
    }

    pub(crate) fn drain(&mut self, rib: &mut Rib) {
        walk(rib);
        while rib.has_fib_changes() {
            self.take(rib.drain_fib(2));
        }
    }
}
