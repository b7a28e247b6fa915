//! Daemons with real sessions, kernels' routes and signals, in network
//! namespaces. Needs root: `sudo -E cargo test -p bgpd --test daemon`.

#![allow(clippy::unwrap_used, reason = "a test")]

mod monitoring;
mod operator;
#[expect(dead_code, reason = "the tests with VLANs use the rest")]
mod world;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use bgp_core::api::{EventKind, Events, Health, KernelStatus, PathStatus, Route, Routes};
use nix::sys::signal::Signal;

use world::{Daemon, World, wait};

/// The router under test has two neighbors, each behind a link of its own.
struct Three {
    world: World,
    edge: Daemon,
    east: Daemon,
    west: Daemon,
}

const EDGE: &str = r#"
router_id = "10.9.0.1"
asn = 65010
shutdown_message = "back at noon"

[bgpd.kernel]
on_shutdown = "keep"

[[peer]]
name = "east"
address = "10.9.1.2"
asn = 64512
local = "10.9.1.1/30"
auth_key_file = "EAST"
connect_retry = "200ms"
accept = ["any"]
advertise = ["10.20.0.0/16"]

[[peer]]
name = "west"
address = "10.9.2.2"
asn = 64513
local = "10.9.2.1/30"
auth_key_file = "WEST"
connect_retry = "200ms"
accept = ["any"]
advertise = ["10.20.0.0/16"]
"#;

fn neighbor(number: u8, asn: u32, key: &str, advertise: &str) -> String {
    format!(
        r#"
router_id = "10.9.{number}.2"
asn = {asn}

[[peer]]
name = "edge"
address = "10.9.{number}.1"
asn = 65010
local = "10.9.{number}.2/30"
auth_key_file = "{key}"
connect_retry = "200ms"
accept = ["any"]
advertise = [{advertise}]
"#
    )
}

impl Three {
    fn path(&self, name: &str) -> PathStatus {
        let paths = self.edge.status().paths;
        paths.into_iter().find(|path| path.name == name).unwrap()
    }

    /// Waits until so many prefixes leave by `east` and by `west`.
    fn carries(&self, wanted: [u64; 2]) {
        let found = || {
            let carries = ["east", "west"].map(|name| self.path(name).carries);
            (carries == wanted).then_some(())
        };
        wait(found, || {
            format!("{:#?}\n{}", self.edge.status(), self.edge.log())
        });
    }

    fn up() -> Self {
        let three = Self::started(EDGE);
        three.edge.wait_until_up("east");
        three.edge.wait_until_up("west");
        three
    }

    fn started(edge: &str) -> Self {
        let mut world = World::new();
        for name in ["edge", "east", "west"] {
            world.namespace(name);
        }
        world.join(("edge", "10.9.1.1/30"), ("east", "10.9.1.2/30"));
        world.join(("edge", "10.9.2.1/30"), ("west", "10.9.2.2/30"));
        let east_key = world.key("east.key", "S3cr3tEast\n");
        let west_key = world.key("west.key", "S3cr3tWest\n");
        let edge = edge.replace("EAST", &east_key).replace("WEST", &west_key);
        let east = world.daemon(
            "east",
            &neighbor(1, 64512, &east_key, r#""10.1.0.0/16", "10.2.0.0/16""#),
        );
        let west = world.daemon("west", &neighbor(2, 64513, &west_key, r#""10.3.0.0/16""#));
        let edge = world.daemon("edge", &edge);
        Self {
            world,
            edge,
            east,
            west,
        }
    }

    /// The edge's configuration with its key files.
    fn config(&self, config: &str) -> String {
        let key = |name: &str| {
            self.world
                .folder
                .path()
                .join(name)
                .to_str()
                .unwrap()
                .to_owned()
        };
        config
            .replace("EAST", &key("east.key"))
            .replace("WEST", &key("west.key"))
    }

    /// A third link of the edge's, to nobody.
    fn spare(&self) {
        let world = &self.world;
        world.ip("edge", "link add spare type veth peer name spare-far");
        world.ip("edge", "addr add 10.9.3.1/30 dev spare");
        world.ip("edge", "link set spare up");
        world.ip("edge", "link set spare-far up");
    }

    fn wait_for_routes(&self, namespace: &str, wanted: &[&str], unwanted: &[&str]) {
        let right = |routes: &str| {
            wanted.iter().all(|route| routes.contains(route))
                && !unwanted.iter().any(|route| routes.contains(route))
        };
        let routes = || Some(self.world.routes(namespace)).filter(|routes| right(routes));
        wait(routes, || {
            format!("{}\n{}", self.world.routes(namespace), self.edge.log())
        });
    }
}

/// Sessions that stay have been in their state for longer than this.
fn age(daemon: &Daemon, peer: &str) -> f64 {
    daemon.peer(peer).since
}

#[test]
fn routes_of_signed_sessions_reach_the_kernel_and_the_api() {
    let three = Three::up();
    three.wait_for_routes("edge", &["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"], &[]);
    three.wait_for_routes("east", &["10.20.0.0/16"], &["10.3.0.0/16"]);
    let routes: Routes = three.edge.try_ask("GET", "/v1/routes?peer=east").unwrap();
    assert_eq!(routes.routes.len(), 2);
    let route: Route = three.edge.try_ask("GET", "/v1/routes/10.1.0.0/16").unwrap();
    assert_eq!(route.paths[0].as_path, "64512");
    let longest: Route = three.edge.try_ask("GET", "/v1/routes/10.3.4.5").unwrap();
    assert_eq!(longest.prefix.to_string(), "10.3.0.0/16");
    assert!(
        three
            .edge
            .try_ask::<Route>("GET", "/v1/routes/192.0.2.1")
            .unwrap_err()
            .contains("no route")
    );
    assert!(
        three.edge.status().problems.is_empty(),
        "{:?}",
        three.edge.status().problems
    );
    let log = three.edge.log() + &three.edge.events();
    assert!(!log.contains("S3cr3t"));
}

#[test]
fn a_changed_policy_keeps_the_session_and_reaches_the_peer() {
    let three = Three::up();
    three.wait_for_routes("east", &["10.20.0.0/16"], &[]);
    let before = three.edge.peer("east");
    let more = EDGE.replacen(
        r#"advertise = ["10.20.0.0/16"]"#,
        r#"advertise = ["10.21.0.0/16"]"#,
        1,
    );
    let more = more.replacen(r#"accept = ["any"]"#, r#"accept = ["10.1.0.0/16"]"#, 1);
    three.edge.write(&three.config(&more));
    let changes = three.edge.reload().unwrap();
    assert_eq!(changes, ["east: policy changed, session kept"]);
    three.wait_for_routes("east", &["10.21.0.0/16"], &["10.20.0.0/16"]);
    three.wait_for_routes("edge", &["10.1.0.0/16", "10.3.0.0/16"], &["10.2.0.0/16"]);
    let after = three.edge.peer("east");
    assert!(after.since > before.since && after.flaps == 0, "{after:?}");
}

#[test]
fn a_changed_key_restarts_that_session_alone() {
    let three = Three::up();
    let (east_before, west_before) = (age(&three.edge, "east"), age(&three.edge, "west"));
    three.world.key("east.key", "An0therKey\n");
    assert_eq!(
        three.edge.reload().unwrap(),
        ["east: session restarted (key changed)"]
    );
    assert_eq!(
        three.east.reload().unwrap(),
        ["edge: session restarted (key changed)"]
    );
    three.edge.wait_for_peer("east", |peer| {
        peer.state == "Established" && peer.since < east_before + 20.0 && peer.flaps == 1
    });
    assert!(age(&three.edge, "west") > west_before);
    assert_eq!(three.west.peer("edge").flaps, 0);
}

#[test]
fn an_unchanged_file_touches_nothing() {
    let three = Three::up();
    three.edge.signal(Signal::SIGHUP);
    wait(
        || {
            three
                .edge
                .events()
                .contains("reload: nothing has changed")
                .then_some(())
        },
        || three.edge.events(),
    );
    assert_eq!(
        (three.edge.peer("east").flaps, three.edge.peer("west").flaps),
        (0, 0)
    );
}

#[test]
fn peers_come_and_go_with_a_reload() {
    let three = Three::up();
    three.wait_for_routes("edge", &["10.1.0.0/16", "10.3.0.0/16"], &[]);
    let without_west = &EDGE[..EDGE.rfind("[[peer]]").unwrap()];
    three.edge.write(&three.config(without_west));
    assert_eq!(three.edge.reload().unwrap(), ["west: removed"]);
    three.wait_for_routes("edge", &["10.1.0.0/16"], &["10.3.0.0/16"]);
    let said = three
        .west
        .wait_for_peer("edge", |peer| peer.state != "Established")
        .last_error
        .unwrap();
    assert!(
        said.contains("6/3")
            || said.to_lowercase().contains("de-configured")
            || said.to_lowercase().contains("deconfigured"),
        "{said}"
    );
    three.edge.write(&three.config(EDGE));
    assert_eq!(three.edge.reload().unwrap(), ["west: session added"]);
    three.edge.wait_until_up("west");
    three.wait_for_routes("edge", &["10.1.0.0/16", "10.3.0.0/16"], &[]);
    assert_eq!(three.edge.peer("east").flaps, 0);
}

#[test]
fn a_reload_that_can_not_be_done_changes_nothing_and_says_why() {
    let three = Three::up();
    let cases = [
        (
            EDGE.replacen("10.20.0.0/16", "10.20.1.0/16", 1),
            "did you mean 10.20.0.0/16",
        ),
        (
            EDGE.replacen("asn = 65010", "asn = 65011", 1),
            "`asn` of [bgpd] can only change with a restart",
        ),
        (
            EDGE.replacen("EAST", "/nonexistent/key", 1)
                .replace("64513", "64999"),
            "key file /nonexistent/key of peer \"east\"",
        ),
        (
            EDGE.replacen(
                "asn = 65010",
                "asn = 65010\nlisten = [\"192.0.2.99:179\"]",
                1,
            ),
            "can't listen on 192.0.2.99:179",
        ),
        ("[[vif".to_owned(), "not TOML"),
    ];
    for (config, why) in cases {
        three.edge.write(&three.config(&config));
        let said = three.edge.reload().unwrap_err();
        assert!(said.contains(why), "{said}");
    }
    assert_eq!(
        (three.edge.peer("east").flaps, three.edge.peer("west").flaps),
        (0, 0)
    );
    assert_eq!(three.edge.peer("west").state, "Established");
    three.edge.write(&three.config(EDGE));
    assert!(three.edge.reload().unwrap().is_empty());
}

#[test]
fn sigterm_says_goodbye_with_its_text_and_keeps_the_routes() {
    let mut three = Three::up();
    three.wait_for_routes("edge", &["10.1.0.0/16", "10.3.0.0/16"], &[]);
    three.edge.signal(Signal::SIGTERM);
    assert_eq!(three.edge.ended(), Some(0));
    let said = three
        .east
        .wait_for_peer("edge", |peer| peer.state != "Established")
        .last_error
        .unwrap();
    assert!(said.contains("back at noon"), "{said}");
    assert!(three.world.routes("edge").contains("10.1.0.0/16"));
    assert!(!three.edge.control.exists());
}

#[test]
fn sigterm_removes_the_routes_where_that_is_configured() {
    let mut three = Three::started(&EDGE.replace("\"keep\"", "\"remove\""));
    three.wait_for_routes("edge", &["10.1.0.0/16", "10.3.0.0/16"], &[]);
    three.edge.signal(Signal::SIGINT);
    assert_eq!(three.edge.ended(), Some(0));
    assert_eq!(three.world.routes("edge"), "");
    assert_eq!(three.world.ip("edge", "nexthop"), "");
}

#[test]
fn after_a_kill_routes_stay_are_adopted_and_stale_ones_go() {
    let mut three = Three::up();
    three.wait_for_routes("edge", &["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"], &[]);
    three.edge.signal(Signal::SIGKILL);
    three.edge.ended();
    assert!(three.world.routes("edge").contains("10.2.0.0/16"));
    let key = three.world.folder.path().join("east.key");
    three.east.write(&neighbor(
        1,
        64512,
        key.to_str().unwrap(),
        r#""10.1.0.0/16""#,
    ));
    three.east.reload().unwrap();
    three.edge.start();
    three.wait_for_routes("edge", &["10.1.0.0/16", "10.3.0.0/16"], &["10.2.0.0/16"]);
    let kernel = three.edge.status().kernel;
    assert_eq!((kernel.routes, kernel.errors), (2, 0), "{kernel:?}");
}

#[test]
fn without_sessions_nobody_waits_to_remove_what_an_earlier_run_left() {
    let mut three = Three::up();
    three.wait_for_routes("edge", &["10.1.0.0/16", "10.3.0.0/16"], &[]);
    three.edge.signal(Signal::SIGKILL);
    three.edge.ended();
    three.edge.write(&EDGE[..EDGE.find("[[peer]]").unwrap()]);
    three.edge.start();
    three.wait_for_routes("edge", &[], &["10.1.0.0/16", "10.3.0.0/16"]);
}

#[test]
fn a_wrong_key_keeps_that_session_alone_down_and_is_named() {
    let three = Three::started(&EDGE.replacen("EAST", "WEST", 1));
    three.edge.wait_until_up("west");
    let peer = three.edge.wait_for_peer("east", |peer| {
        peer.last_error
            .as_ref()
            .is_some_and(|error| error.contains("MD5") && error.contains("key"))
    });
    assert_ne!(peer.state, "Established");
    let problems = three.edge.status().problems;
    assert!(
        problems
            .iter()
            .any(|problem| problem.contains("session east is not up") && problem.contains("MD5")),
        "{problems:?}"
    );
}

#[test]
fn a_key_file_that_others_can_read_keeps_that_session_alone_down_until_it_is_mended() {
    let three = Three::started(&EDGE.replacen("EAST", "EAST.exposed", 1));
    let exposed = three.world.folder.path().join("east.key.exposed");
    let peer = three.edge.peer("east");
    assert_eq!(peer.state, "Idle");
    assert!(peer.last_error.unwrap().contains("can't be read"));
    three.edge.wait_until_up("west");
    fs::write(&exposed, "S3cr3tEast\n").unwrap();
    fs::set_permissions(&exposed, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(three.edge.reload().unwrap_err().contains("chmod 600"));
    fs::set_permissions(&exposed, fs::Permissions::from_mode(0o600)).unwrap();
    three.edge.reload().unwrap();
    three.edge.wait_until_up("east");
    assert_eq!(three.edge.peer("west").flaps, 0);
}

#[test]
fn a_vif_without_its_parent_is_told_and_the_rest_runs() {
    let vif = r#"
[[vif]]
name = "prod"
kind = "private"
parent = "nosuchport0"
vlan = 101
local = "169.254.10.2/30"
peer = "169.254.10.1"
peer_asn = 64512
advertise = ["10.20.0.0/16"]
"#;
    let three = Three::started(&format!("{EDGE}{vif}"));
    three.edge.wait_until_up("east");
    let status = three.edge.status();
    let error = status.vifs[0].error.clone().unwrap();
    assert!(error.contains("nosuchport0"), "{error}");
    assert!(
        status
            .problems
            .iter()
            .any(|problem| problem.starts_with("vif prod: ")),
        "{:?}",
        status.problems
    );
    assert_eq!(three.edge.peer("prod").state, "Idle");
}

#[test]
fn a_second_daemon_is_refused_and_a_stale_socket_replaced() {
    let mut three = Three::up();
    let mode = fs::metadata(&three.edge.control)
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o660);
    let file = three.world.folder.path().join("edge.toml");
    let second = Command::new(env!("CARGO_BIN_EXE_bgpd"))
        .arg("run")
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another bgpd is running"));
    three.edge.signal(Signal::SIGKILL);
    three.edge.ended();
    assert!(three.edge.control.exists());
    three.edge.start();
    three.edge.wait_until_up("west");
}

#[test]
fn clean_lists_first_and_then_removes_what_a_dead_daemon_left() {
    let mut three = Three::up();
    three.wait_for_routes("edge", &["10.1.0.0/16", "10.3.0.0/16"], &[]);
    let file = three.world.folder.path().join("edge.toml");
    let command = |more: &str| {
        format!(
            "{} clean {} {more}",
            env!("CARGO_BIN_EXE_bgpd"),
            file.display()
        )
    };
    three.edge.signal(Signal::SIGKILL);
    three.edge.ended();
    let listed = three.world.exec("edge", &command(""));
    assert!(
        listed.contains("3 routes with protocol 186") && listed.contains("nothing was removed"),
        "{listed}"
    );
    assert!(three.world.routes("edge").contains("10.1.0.0/16"));
    three.world.exec("edge", &command("--yes"));
    assert_eq!(
        three.world.routes("edge") + &three.world.ip("edge", "nexthop"),
        ""
    );
}

#[test]
fn metrics_have_units_and_follow_the_configuration() {
    let three = Three::up();
    let metrics = |port: u16| {
        let url = format!("curl -s -m 5 http://127.0.0.1:{port}/metrics");
        three.world.exec("edge", &url)
    };
    let with = |port: u16| {
        EDGE.replacen(
            "asn = 65010",
            &format!("asn = 65010\nmetrics = \"127.0.0.1:{port}\""),
            1,
        )
    };
    three.edge.write(&three.config(&with(9179)));
    three.edge.reload().unwrap();
    let text = metrics(9179);
    for line in [
        "bgpd_session_up{peer=\"east\"} 1",
        "bgpd_prefixes{kind=\"accepted\",peer=\"east\"} 2",
        "process_resident_memory_bytes",
    ] {
        assert!(text.contains(line), "{text}");
    }
    three.edge.write(&three.config(&with(9180)));
    three.edge.reload().unwrap();
    assert!(metrics(9180).contains("bgpd_uptime_seconds"));
}

#[test]
fn a_cut_link_moves_its_routes_to_the_backup_and_a_mended_one_takes_them_back() {
    let with_backup = EDGE.replacen(
        "address = \"10.9.1.2\"",
        "address = \"10.9.1.2\"\nbackup = \"west\"",
        1,
    );
    let three = Three::started(&with_backup);
    three.carries([2, 1]);
    three.world.ip("east", "link set edge down");
    three.carries([0, 3]);
    let east = three.edge.peer("east");
    assert_eq!((east.prefixes.stale, east.flaps), (2, 1), "{east:?}");
    assert!(east.last_error.unwrap().contains("no carrier"));
    three.world.ip("east", "link set edge up");
    three.carries([2, 1]);
    let swap = three
        .edge
        .status()
        .paths
        .into_iter()
        .find(|path| path.name == "east")
        .unwrap()
        .last_swap
        .unwrap();
    assert_eq!(swap.groups, 1);
}

#[test]
fn a_failure_is_told_with_its_evidence_and_a_reload_of_the_hold_time_ends_no_session() {
    let backed = EDGE.replacen(
        "address = \"10.9.1.2\"",
        "address = \"10.9.1.2\"\nbackup = \"west\"\nhold = \"1h\"\nhold_max = \"1h\"",
        1,
    );
    let backed = backed.replacen(
        "asn = 65010",
        "asn = 65010\nmetrics = \"127.0.0.1:9179\"",
        1,
    );
    let three = Three::started(&backed);
    let health = |wanted: Health| {
        let found = || {
            let path = three.path("east");
            (path.health.state == wanted).then_some(path)
        };
        wait(found, || {
            format!("{:#?}\n{}", three.edge.status(), three.edge.log())
        })
    };
    health(Health::Up);
    three.world.ip("east", "link set edge down");
    health(Health::Down);
    three.world.ip("east", "link set edge up");
    three.edge.wait_until_up("east");
    let held = health(Health::Recovering);
    assert!(!held.up && held.carries == 0, "{held:?}");
    assert_eq!(held.health.failures, 1);
    assert!(held.health.returns_in.unwrap() > 3000.0, "{held:?}");
    let events: Events = three.edge.try_ask("GET", "/v1/events").unwrap();
    let mut events = events.events.iter();
    let told =
        events.find(|event| event.kind == EventKind::Health && event.text.contains("no carrier"));
    let evidence = &told.unwrap().evidence;
    assert!(
        evidence
            .iter()
            .any(|item| (item.what.as_str(), item.value.as_str()) == ("carrier", "down")),
        "{evidence:?}"
    );
    let flaps = three.edge.peer("east").flaps;
    let shorter = backed.replace("\"1h\"", "\"100ms\"");
    three.edge.write(&three.config(&shorter));
    three.edge.reload().unwrap();
    assert!(health(Health::Up).up);
    assert_eq!(three.edge.peer("east").flaps, flaps);
    let metrics = "curl -s -m 5 http://127.0.0.1:9179/metrics";
    let metrics = three.world.exec("edge", metrics);
    for line in [
        "bgpd_path_health{path=\"east\",state=\"up\"} 1",
        "bgpd_path_failures{path=\"east\"} 1",
        "bgpd_path_health_transitions_total{from=\"up\",path=\"east\",to=\"down\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
}

#[test]
fn a_daemon_killed_in_the_middle_of_a_swap_comes_back_right() {
    let backed = EDGE.replacen(
        "address = \"10.9.1.2\"",
        "address = \"10.9.1.2\"\nbackup = \"west\"",
        1,
    );
    let mut three = Three::started(&backed);
    for microseconds in [0, 300, 3_000] {
        three.carries([2, 1]);
        let objects = |kernel: &KernelStatus| (kernel.routes, kernel.nexthops, kernel.groups);
        let before = objects(&three.edge.status().kernel);
        three.world.ip("east", "link set edge down");
        std::thread::sleep(Duration::from_micros(microseconds));
        three.edge.signal(Signal::SIGKILL);
        three.edge.ended();
        let routes = three.world.routes("edge");
        assert!(!routes.contains("linkdown"), "{routes}");
        three.world.ip("east", "link set edge up");
        three.edge.start();
        three.carries([2, 1]);
        let again = || (objects(&three.edge.status().kernel) == before).then_some(());
        wait(again, || {
            format!("{before:?}: {:#?}", three.edge.status().kernel)
        });
    }
}

#[test]
fn a_path_whose_interface_is_gone_is_down_until_it_is_back() {
    let with_path = format!(
        "{EDGE}\n[[path]]\nname = \"internet\"\ninterface = \"spare\"\ngateway = \"10.9.3.2\"\n"
    );
    let three = Three::started(EDGE);
    three.spare();
    three.edge.write(&three.config(&with_path));
    three.edge.reload().unwrap();
    let is_up = |wanted: bool| {
        let found = || {
            let paths = three.edge.status().paths;
            let path = paths.into_iter().find(|path| path.name == "internet")?;
            (path.up == wanted).then_some(path)
        };
        wait(found, || {
            format!("{:#?}\n{}", three.edge.status(), three.edge.log())
        })
    };
    is_up(true);
    three.world.ip("edge", "link del spare");
    is_up(false);
    // Longer than the daemon takes to look for missing links.
    std::thread::sleep(Duration::from_secs(3));
    let reason = is_up(false).reason.unwrap_or_default();
    assert!(reason.contains("interface is gone"), "{reason}");
    let log = three.edge.log();
    assert!(log.contains("the interface is gone"), "{log}");
    assert!(!log.contains("see the cable"), "{log}");
    three.spare();
    is_up(true);
}
