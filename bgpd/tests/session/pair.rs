//! Two of our sessions with each other.

use std::sync::Arc;
use std::time::Duration;

use bgp_core::config::Ttl;
use bgp_core::peer::{State, StopReason};
use bgp_core::rib::Outbound;
use bgp_core::wire::{AsPath, Origin, PathAttributes, Prefixes};
use bgp_core::{Asn, Family};
use bgpd::session::Command;
use bgpd::transport::Listener;
use ipnet::Ipv4Net;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::world::{End, LIMIT, Namespace, Setup, established, key, on_this_thread, said, until};

const V4: [&str; 2] = ["10.7.0.1", "10.7.0.2"];
const V6: [&str; 2] = ["fd07::1", "fd07::2"];

fn setups([near, far]: [&str; 2]) -> [Setup; 2] {
    [
        Setup::new(near, far, 65010, 64512),
        Setup::new(far, near, 64512, 65010),
    ]
}

/// Runs both ends in a namespace of their own, on its loopback.
fn pair<T>(setups: [Setup; 2], test: impl AsyncFnOnce([End; 2]) -> T) -> T {
    let namespace = Namespace::new();
    for address in ["10.7.0.1/24", "10.7.0.2/24", "fd07::1/64", "fd07::2/64"] {
        namespace.address("lo", address);
    }
    namespace.enter();
    on_this_thread(async { test(setups.map(End::start)).await })
}

fn comes_up(setups: [Setup; 2]) {
    pair(setups, async |[mut near, mut far]| {
        let up = until(&mut [&mut near, &mut far], LIMIT, established).await;
        assert!(up, "{:?}, {:?}", near.last_error(), far.last_error());
    });
}

/// Neither end may come up; each says why, in words that hold all of these.
fn stays_down(setups: [Setup; 2], words: [&[&str]; 2]) {
    pair(setups, async |[mut near, mut far]| {
        let told = until(&mut [&mut near, &mut far], LIMIT, |ends| {
            assert!(ends.iter().all(|end| end.state() < State::OpenConfirm));
            ends.iter().zip(words).all(|(end, words)| {
                let error = end.last_error();
                words.iter().all(|word| error.contains(word))
            })
        })
        .await;
        assert!(told, "{:?}, {:?}", near.last_error(), far.last_error());
    });
}

#[test]
fn both_ends_dialing_with_the_same_key_come_up() {
    for addresses in [V4, V6] {
        comes_up(setups(addresses).map(|setup| setup.key("dx-lab-key-7")));
    }
}

#[test]
fn a_session_comes_up_whichever_end_dials() {
    for addresses in [V4, V6] {
        let [near, far] = setups(addresses).map(|setup| setup.key("dx-lab-key-7"));
        comes_up([near.passive(), far]);
        let [near, far] = setups(addresses).map(|setup| setup.key("dx-lab-key-7"));
        comes_up([near, far.passive()]);
    }
}

#[test]
fn a_session_without_md5_comes_up() {
    comes_up(setups(V4));
}

#[test]
fn different_keys_stay_down_and_are_named_at_both_ends() {
    for addresses in [V4, V6] {
        let [near, far] = setups(addresses);
        let named: &[&str] = &["wrong MD5 signature", "keys differ", "auth_key_file"];
        stays_down(
            [near.key("dx-lab-key-7"), far.key("dx-lab-key-8")],
            [named, named],
        );
    }
}

#[test]
fn different_keys_are_named_where_the_dial_arrives_and_suspected_where_it_began() {
    let [near, far] = setups(V4);
    stays_down(
        [near.key("dx-lab-key-7"), far.key("dx-lab-key-8").passive()],
        [
            &["no answer from 10.7.0.2:179 to", "auth_key_file"],
            &["wrong MD5 signature"],
        ],
    );
}

#[test]
fn a_key_at_one_end_alone_stays_down_and_is_named_at_both() {
    for addresses in [V4, V6] {
        let [near, far] = setups(addresses);
        stays_down(
            [near.key("dx-lab-key-7"), far],
            [
                &["the peer sends no MD5 signature"],
                &["the peer expects MD5 and we have no key"],
            ],
        );
    }
}

#[test]
fn a_missing_key_is_named_where_the_dial_arrives() {
    let [near, far] = setups(V4);
    stays_down(
        [near, far.key("dx-lab-key-7").passive()],
        [
            &["no answer", "expects an MD5 signature"],
            &["the peer sends no MD5 signature"],
        ],
    );
    let [near, far] = setups(V4);
    stays_down(
        [near.key("dx-lab-key-7"), far.passive()],
        [
            &["no answer", "auth_key_file"],
            &["the peer expects MD5 and we have no key"],
        ],
    );
}

#[test]
fn a_connection_that_slipped_past_the_listener_unsigned_is_closed() {
    let [near, mut far] = setups(V4);
    far = far.key("dx-lab-key-7").passive();
    far.listener_key = None;
    stays_down(
        [near, far],
        [
            &["the connection closed"],
            &["began before the listener had the MD5 key"],
        ],
    );
}

#[test]
fn connections_that_waited_before_the_key_was_set_are_closed() {
    let namespace = Namespace::new();
    namespace.enter();
    on_this_thread(async {
        let listener = Listener::bind("127.0.0.1:179".parse().unwrap()).unwrap();
        let mut early = TcpStream::connect("127.0.0.1:179").await.unwrap();
        listener
            .set_key("127.0.0.1".parse().unwrap(), Some(&key("dx-lab-key-7")))
            .unwrap();
        assert!(matches!(early.read(&mut [0]).await, Ok(0) | Err(_)));
        let none = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
        assert!(none.is_err());
    });
}

#[test]
fn a_session_whose_key_could_not_be_read_stays_down_and_says_so() {
    let [mut near, far] = setups(V4);
    near.peer.auth_key_file = Some("/etc/bgpd/keys/prod".into());
    stays_down(
        [near, far],
        [
            &["auth_key_file is set but its key could not be read"],
            &["the connection closed"],
        ],
    );
}

#[test]
fn gtsm_at_both_ends_comes_up() {
    for addresses in [V4, V6] {
        comes_up(setups(addresses).map(gtsm));
    }
}

#[test]
fn gtsm_takes_nothing_from_a_peer_that_sends_with_ttl_1() {
    for addresses in [V4, V6] {
        let [near, far] = setups(addresses);
        pair([gtsm(near), far], async |[mut near, mut far]| {
            let ends = &mut [&mut near, &mut far];
            let up = until(ends, Duration::from_secs(4), |ends| {
                ends[0].state() == State::Established
            });
            assert!(!up.await);
        });
    }
}

fn gtsm(mut setup: Setup) -> Setup {
    setup.peer.ttl = Ttl::Security;
    setup
}

#[test]
fn a_wrong_as_number_is_named_at_both_ends() {
    let [near, mut far] = setups(V4);
    far.peer.local_asn = Asn(64513);
    stays_down(
        [near, far],
        [
            &["Bad Peer AS (2/2)", "compare `asn` (of a [[peer]])"],
            &["Bad Peer AS (2/2)", "compare `asn` (of a [[peer]])"],
        ],
    );
}

#[test]
fn a_stop_is_told_to_the_peer_with_its_text_and_a_start_brings_the_session_back() {
    pair(setups(V4), async |[mut near, mut far]| {
        assert!(until(&mut [&mut near, &mut far], LIMIT, established).await);
        let stop = Command::Stop(StopReason::AdministrativeShutdown("maintenance".to_owned()));
        near.session.commands.send(stop).await.ok().unwrap();
        let told = until(&mut [&mut near, &mut far], LIMIT, |ends| {
            ends[1].last_error().contains("\"maintenance\"")
        })
        .await;
        assert!(told, "{:?}", far.last_error());
        assert_eq!(near.state(), State::Idle);
        near.session
            .commands
            .send(Command::Start)
            .await
            .ok()
            .unwrap();
        assert!(until(&mut [&mut near, &mut far], LIMIT, established).await);
    });
}

#[test]
fn a_session_whose_handle_is_dropped_says_goodbye_and_its_task_ends() {
    pair(setups(V4), async |[mut near, mut far]| {
        assert!(until(&mut [&mut near, &mut far], LIMIT, established).await);
        drop(near.session.commands);
        near.session.task.await.unwrap().unwrap();
        let far_down = until(&mut [&mut far], LIMIT, |ends| {
            ends[0].last_error().contains("(6/2)")
        })
        .await;
        assert!(far_down, "{:?}", far.last_error());
    });
}

#[test]
fn a_link_that_goes_and_comes_ends_the_session_at_once_and_restores_it_at_once() {
    pair(setups(V4), async |[mut near, mut far]| {
        assert!(until(&mut [&mut near, &mut far], LIMIT, established).await);
        for end in [&near, &far] {
            end.session
                .commands
                .send(Command::LinkDown("no carrier"))
                .await
                .ok()
                .unwrap();
        }
        assert!(
            until(&mut [&mut near, &mut far], LIMIT, |ends| ends
                .iter()
                .all(|end| end.downs == 1))
            .await
        );
        assert!(near.last_error().contains("no carrier"));
        near.session
            .commands
            .send(Command::LinkUp)
            .await
            .ok()
            .unwrap();
        assert!(until(&mut [&mut near, &mut far], LIMIT, established).await);
    });
}

pub(crate) fn attributes(next_hop: &str) -> Arc<PathAttributes> {
    Arc::new(PathAttributes::new(
        Origin::Igp,
        AsPath::sequence([Asn(65010)]),
        next_hop.parse::<std::net::IpAddr>().unwrap(),
    ))
}

/// 100 /32s in one announcement.
fn hundred(number: u32) -> Prefixes {
    let prefixes =
        (0..100).map(|low| Ipv4Net::new((0x1400_0000 + number * 100 + low).into(), 32).unwrap());
    Prefixes::V4(prefixes.collect())
}

#[test]
fn a_router_that_falls_behind_slows_the_peer_down_and_loses_nothing() {
    let short = |mut setup: Setup| {
        setup.peer.hold_time = Duration::from_secs(3);
        setup.key("dx-lab-key-7")
    };
    pair(setups(V4).map(short), async |[mut near, mut far]| {
        assert!(until(&mut [&mut near, &mut far], LIMIT, established).await);
        let outbound = near.outbound.clone().unwrap();
        const HUNDREDS: u32 = 20_000;
        let announce = |number| Outbound::Announce(attributes("10.7.0.1"), hundred(number));
        let all: Vec<_> = (0..HUNDREDS)
            .map(announce)
            .chain([Outbound::EndOfRib(Family::Ipv4)])
            .map(|outbound| said(&outbound, &near))
            .collect();
        let sending = tokio::spawn(async move {
            for batch in all {
                outbound.send(batch).await.unwrap();
            }
        });
        // The far router takes nothing for more than two hold times.
        assert!(
            !until(&mut [&mut near], Duration::from_secs(7), |_| sending
                .is_finished())
            .await
        );
        assert!(far.router.len() == 8, "the channel to the router is full");
        let ends = &mut [&mut near, &mut far];
        let done = until(ends, Duration::from_secs(60), |ends| {
            let last = ends[1].updates.last();
            last.is_some_and(|update| update.end_of_rib.is_some())
        });
        assert!(done.await);
        assert_eq!((near.downs, far.downs), (0, 0));
        assert_eq!(far.prefixes(), HUNDREDS as usize * 100);
        assert!(near.writable > 0);
        let counts = near.session.status.borrow().messages;
        assert!(counts.updates_sent > 0);
    });
}

#[test]
fn the_listener_refuses_a_key_for_an_address_it_cannot_serve() {
    let namespace = Namespace::new();
    namespace.enter();
    on_this_thread(async {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let refused = listener.set_key("fd07::2".parse().unwrap(), Some(&key("dx-lab-key-7")));
        assert!(refused.is_err());
        // Taking away a key that was never there is no error.
        listener
            .set_key("127.0.0.2".parse().unwrap(), None)
            .unwrap();
    });
}
