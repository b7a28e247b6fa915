//! What a peer is told of a path that is bad or drained, and what that costs others.

#![allow(clippy::unwrap_used)]

mod rib_world;

use std::sync::Arc;

use bgp_core::config::Peer;
use bgp_core::policy::{Adverse, Changes, Discouraged, Policy, PrefixMatch, Rule, Stance, Verdict};
use bgp_core::rib::{Outbound, Rib};
use bgp_core::wire::{Community, PathAttributes};
use bgp_core::{Asn, Family, PathId};
use ipnet::IpNet;
use rib_world::{
    Kernel, OUR_ASN, Receiver, announcing, attributes, drain, net, peer, rib, session, walk,
};

const VIF: PathId = PathId(1);
const OTHER: PathId = PathId(2);
const INSIDE: PathId = PathId(3);
const HIGH: Community = Community::new(7224, 7300);
const LOW: Community = Community::new(7224, 7100);

/// A peer that is told of 10.20.0.0/16 with a high preference, and a way to say the
/// opposite.
fn vif() -> Peer {
    let advertised = net("10.20.0.0/16");
    let lowest = Discouraged {
        instead_of: vec![HIGH],
        changes: Changes {
            add_communities: vec![LOW],
            prepend: 2,
            ..Changes::default()
        },
    };
    let mut on_drain = lowest.clone();
    let communities = &mut on_drain.changes.add_communities;
    communities.push(Community::GRACEFUL_SHUTDOWN);
    Peer {
        advertise: vec![advertised],
        export: Policy {
            rules: vec![Rule {
                verdict: Verdict::Accept(Changes {
                    add_communities: vec![HIGH],
                    ..Changes::default()
                }),
                ..Rule::accept(vec![PrefixMatch::exact(advertised)])
            }],
        },
        on_degraded: Adverse::Change(lowest),
        on_drain,
        ..peer("vif", "198.51.100.1", 64512)
    }
}

fn world() -> (Rib, [Peer; 3]) {
    let peers = [
        vif(),
        peer("other", "203.0.113.1", 64513),
        peer("inside", "192.0.2.9", OUR_ASN.0),
    ];
    let mut rib = rib();
    for (path, peer) in [VIF, OTHER, INSIDE].into_iter().zip(&peers) {
        rib.configure(path, Arc::new(peer.clone()));
        rib.established(path, session(peer, path.0));
    }
    (rib, peers)
}

fn announce(rib: &mut Rib, path: PathId, from: &Peer, as_path: &[u32], nets: &[IpNet]) {
    rib.update(path, &announcing(attributes(from.remote, as_path), nets))
        .unwrap();
}

fn said(attributes: &PathAttributes) -> (&[Community], usize) {
    (
        &attributes.communities,
        attributes.as_path.len_for_decision(),
    )
}

#[test]
fn a_peer_hears_how_its_path_is_and_nobody_else_hears_anything() {
    let (mut rib, _) = world();
    let mut receivers = [Receiver::default(), Receiver::default()];
    receivers[0].drain(&mut rib, VIF);
    receivers[1].drain(&mut rib, OTHER);
    let [far, _] = &mut receivers;
    let advertised = net("10.20.0.0/16");
    assert_eq!(said(&far.routes[&advertised]), (&[HIGH][..], 1));

    rib.set_stance(VIF, Stance::Adverse);
    assert!(drain(&mut rib, OTHER, 10).is_empty());
    far.drain(&mut rib, VIF);
    assert_eq!(said(&far.routes[&advertised]), (&[LOW][..], 3));

    rib.set_stance(VIF, Stance::Drained);
    assert!(drain(&mut rib, OTHER, 10).is_empty());
    far.drain(&mut rib, VIF);
    let drained = [LOW, Community::GRACEFUL_SHUTDOWN];
    assert_eq!(said(&far.routes[&advertised]), (&drained[..], 3));

    rib.set_stance(VIF, Stance::Withdrawn);
    far.drain(&mut rib, VIF);
    assert!(far.routes.is_empty());

    rib.set_stance(VIF, Stance::Normal);
    assert!(drain(&mut rib, OTHER, 10).is_empty());
    far.drain(&mut rib, VIF);
    assert_eq!(said(&far.routes[&advertised]), (&[HIGH][..], 1));
}

#[test]
fn what_a_peer_has_heard_is_told_otherwise_before_the_rest_of_a_large_table_is_looked_at() {
    let (mut rib, peers) = world();
    let nets: Vec<IpNet> = (0..5000u32)
        .map(|n| IpNet::new((0x0b00_0000 + (n << 8)).to_be_bytes().into(), 24).unwrap())
        .collect();
    announce(&mut rib, OTHER, &peers[1], &[64513], &nets);
    Receiver::default().drain(&mut rib, VIF);

    rib.set_stance(VIF, Stance::Adverse);
    let told = drain(&mut rib, VIF, 1);
    assert!(
        matches!(&told[..], [Outbound::Announce(..)]),
        "{told:?} is not what it has heard"
    );
    assert!(!rib.is_to_tell(VIF, Family::Ipv4));
}

#[test]
fn a_drained_peers_routes_lose_to_any_other_and_come_back() {
    let (mut rib, peers) = world();
    let nets = [net("10.1.0.0/16"), net("10.2.0.0/16")];
    announce(&mut rib, VIF, &peers[0], &[64512], &nets);
    announce(
        &mut rib,
        OTHER,
        &peers[1],
        &[64513, 64514, 64515],
        &nets[..1],
    );
    let (mut kernel, mut inside) = (Kernel::default(), Receiver::default());
    let best = |kernel: &Kernel| nets.map(|net| kernel.routes[&net].best.path);
    kernel.drain(&mut rib);
    inside.drain(&mut rib, INSIDE);
    assert_eq!(best(&kernel), [VIF, VIF]);

    rib.set_stance(VIF, Stance::Drained);
    walk(&mut rib);
    kernel.drain(&mut rib);
    inside.drain(&mut rib, INSIDE);
    assert_eq!(best(&kernel), [OTHER, VIF]);
    let told = nets.map(|net| inside.routes[&net].local_pref);
    assert_eq!(told, [Some(100), Some(0)]);
    // Fresh ones too.
    let fresh = net("10.3.0.0/16");
    announce(&mut rib, VIF, &peers[0], &[64512], &[fresh]);
    inside.drain(&mut rib, INSIDE);
    assert_eq!(inside.routes[&fresh].local_pref, Some(0));

    rib.set_stance(VIF, Stance::Normal);
    walk(&mut rib);
    kernel.drain(&mut rib);
    inside.drain(&mut rib, INSIDE);
    assert_eq!(best(&kernel), [VIF, VIF]);
    let told = nets.map(|net| inside.routes[&net].local_pref);
    assert_eq!(told, [Some(100), Some(100)]);
}

#[test]
fn a_session_that_begins_while_its_path_is_drained_is_told_so_from_the_start() {
    let mut rib = rib();
    let peer = vif();
    rib.configure(VIF, Arc::new(peer.clone()));
    rib.set_stance(VIF, Stance::Drained);
    rib.established(VIF, session(&peer, 7));
    let mut far = Receiver::default();
    far.drain(&mut rib, VIF);
    let drained = [LOW, Community::GRACEFUL_SHUTDOWN];
    let told = &far.routes[&net("10.20.0.0/16")];
    assert_eq!(said(told), (&drained[..], 3));
    assert_eq!(told.as_path.first(), Some(Asn(OUR_ASN.0)));
}
