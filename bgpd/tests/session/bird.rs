//! One of our sessions with BIRD 2 at the other end of a wire, MD5 on both.

use std::collections::BTreeSet;
use std::process::{Child, Command as Program, Stdio};
use std::time::Duration;

use bgp_core::Family;
use bgp_core::peer::State;
use bgp_core::rib::Outbound;
use bgp_core::wire::Prefixes;
use ipnet::IpNet;

use crate::pair::attributes;
use crate::world::{
    End, LIMIT, Namespace, Setup, established, joined, on_this_thread, said, until,
};

const KEY: &str = "dx-lab-key-7";

/// BIRD in a namespace, gone when dropped.
struct Bird {
    process: Child,
    directory: tempfile::TempDir,
}

/// Which end dials.
#[derive(Clone, Copy, Debug)]
enum Dials {
    Both,
    Bird,
    We,
}

impl Bird {
    fn start(namespace: &Namespace, dials: Dials, key: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let passive = match dials {
            Dials::Both | Dials::Bird => "",
            Dials::We => "passive on;",
        };
        let session = |name: &str, local: &str, neighbor: &str, family: &str| {
            format!(
                "protocol bgp {name} {{
                    local {local} as 64512; neighbor {neighbor} as 65010;
                    password \"{key}\"; hold time 9; {passive}
                    connect delay time 1; connect retry time 1; error wait time 1, 1;
                    {family} {{ import all; export where source = RTS_STATIC; }};
                }}\n"
            )
        };
        let config = format!(
            "router id 192.0.2.2;
            protocol device {{}}
            protocol static {{ ipv4; route 20.1.0.0/16 blackhole; route 20.2.3.0/24 blackhole; }}
            protocol static {{ ipv6; route 2001:db8:1::/48 blackhole; }}
            {}{}",
            session("v4", "10.7.0.2", "10.7.0.1", "ipv4"),
            session("v6", "fd07::2", "fd07::1", "ipv6"),
        );
        let file = directory.path().join("bird.conf");
        std::fs::write(&file, config).unwrap();
        let process = Program::new("ip")
            .args(["netns", "exec", &namespace.0, "bird", "-f", "-c"])
            .arg(&file)
            .arg("-s")
            .arg(directory.path().join("bird.ctl"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { process, directory }
    }

    fn ask(&self, question: &str) -> String {
        let socket = self.directory.path().join("bird.ctl");
        let answer = Program::new("birdc")
            .arg("-s")
            .arg(socket)
            .arg(question)
            .output()
            .unwrap();
        String::from_utf8(answer.stdout).unwrap()
    }
}

impl Drop for Bird {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn setup(family: Family, dials: Dials, key: &str) -> Setup {
    let (near, far) = match family {
        Family::Ipv4 => ("10.7.0.1", "10.7.0.2"),
        Family::Ipv6 => ("fd07::1", "fd07::2"),
    };
    let setup = Setup::new(near, far, 65010, 64512).key(key);
    match dials {
        Dials::Bird => setup.passive(),
        Dials::Both | Dials::We => setup,
    }
}

fn with_bird<T>(
    family: Family,
    dials: Dials,
    key: &str,
    test: impl AsyncFnOnce(End, &Bird) -> T,
) -> T {
    let [near, far] = joined();
    let bird = Bird::start(&far, dials, KEY);
    near.enter();
    on_this_thread(async { test(End::start(setup(family, dials, key)), &bird).await })
}

fn routes_cross(family: Family, dials: Dials) {
    with_bird(family, dials, KEY, async |mut end, bird| {
        let up = until(&mut [&mut end], LIMIT, established).await;
        assert!(up, "{family} {dials:?}: {:?}", end.last_error());
        let (theirs, ours): (&[&str], &str) = match family {
            Family::Ipv4 => (&["20.1.0.0/16", "20.2.3.0/24"], "10.99.0.0/16"),
            Family::Ipv6 => (&["2001:db8:1::/48"], "2001:db8:99::/48"),
        };
        let expected: BTreeSet<IpNet> = theirs
            .iter()
            .map(|prefix| prefix.parse().unwrap())
            .collect();
        let ends = &mut [&mut end];
        let came = until(ends, LIMIT, |ends| {
            let announced = ends[0].updates.iter().flat_map(|update| &update.announced);
            let prefixes: BTreeSet<_> = announced
                .flat_map(|announcement| announcement.prefixes.iter())
                .collect();
            prefixes == expected
                && ends[0]
                    .updates
                    .iter()
                    .any(|update| update.end_of_rib == Some(family))
        });
        assert!(came.await, "{:?}", end.updates);

        let prefixes = || match ours.parse().unwrap() {
            IpNet::V4(prefix) => Prefixes::V4(vec![prefix]),
            IpNet::V6(prefix) => Prefixes::V6(vec![prefix]),
        };
        let gateway = match family {
            Family::Ipv4 => "10.7.0.1",
            Family::Ipv6 => "fd07::1",
        };
        let outbound = end.outbound.clone().unwrap();
        outbound
            .send(said(
                &Outbound::Announce(attributes(gateway), prefixes()),
                &end,
            ))
            .await
            .unwrap();
        let shown = until(&mut [&mut end], LIMIT, |_| {
            bird.ask("show route all").contains(ours)
        })
        .await;
        assert!(shown, "{}", bird.ask("show route all"));
        let withdraw = said(&Outbound::Withdraw(prefixes()), &end);
        outbound.send(withdraw).await.unwrap();
        let gone = until(&mut [&mut end], LIMIT, |_| {
            !bird.ask("show route all").contains(ours)
        })
        .await;
        assert!(gone, "{}", bird.ask("show route all"));
    });
}

#[test]
fn routes_cross_with_bird_over_ipv4_whichever_end_dials() {
    for dials in [Dials::Both, Dials::Bird, Dials::We] {
        routes_cross(Family::Ipv4, dials);
    }
}

#[test]
fn routes_cross_with_bird_over_ipv6_whichever_end_dials() {
    for dials in [Dials::Both, Dials::Bird, Dials::We] {
        routes_cross(Family::Ipv6, dials);
    }
}

#[test]
fn a_key_other_than_birds_is_named() {
    for (dials, words) in [
        (Dials::Both, "the MD5 keys differ"),
        (Dials::Bird, "the MD5 keys differ"),
        (Dials::We, "another one than auth_key_file"),
    ] {
        with_bird(Family::Ipv4, dials, "dx-lab-key-8", async |mut end, _| {
            let ends = &mut [&mut end];
            let named = until(ends, LIMIT, |ends| {
                assert!(ends[0].state() < State::OpenSent);
                ends[0].last_error().contains(words)
            });
            assert!(named.await, "{dials:?}: {:?}", end.last_error());
        });
    }
}

#[test]
fn birds_shutdown_message_is_told() {
    with_bird(Family::Ipv4, Dials::Both, KEY, async |mut end, bird| {
        assert!(until(&mut [&mut end], LIMIT, established).await);
        bird.ask("disable v4 \"moving house\"");
        let ends = &mut [&mut end];
        let told = until(ends, LIMIT, |ends| {
            ends[0].last_error().contains("moving house")
        });
        assert!(told.await, "{:?}", end.last_error());
        bird.ask("enable v4");
        assert!(
            until(
                &mut [&mut end],
                LIMIT + Duration::from_secs(10),
                established
            )
            .await
        );
    });
}
