//! VIFs with their VLAN interfaces, from a missing parent to `bgpd clean`.
//! Needs root and 802.1Q; where this kernel has none, each test runs itself
//! again under `lab/with-vlan` (user-mode-linux).

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../daemon/world.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod world;

use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use world::{Daemon, World, wait};

const AWS: &str = r#"
router_id = "169.254.10.1"
asn = 64512

[[peer]]
name = "customer"
address = "169.254.10.2"
asn = 65010
local = "169.254.10.1/30"
auth_key_file = "KEY"
connect_retry = "300ms"
accept = ["any"]
advertise = ["10.100.0.0/16"]

[[peer]]
name = "customer-v6"
address = "2001:db8:10::2"
asn = 65010
local = "2001:db8:10::1/125"
auth_key_file = "KEY"
connect_retry = "300ms"
accept = ["any"]
advertise = ["2001:db8:100::/48"]
"#;

const EDGE: &str = r#"
router_id = "192.0.2.1"
asn = 65010

[[vif]]
name = "prod"
kind = "private"
parent = "aws"
vlan = 101
local = "169.254.10.2/30"
peer = "169.254.10.1"
peer_asn = 64512
auth_key_file = "KEY"
connect_retry = "300ms"
advertise = ["10.20.0.0/16", "2001:db8:20::/48"]
preference = "high"
backup = "internet"
ipv6 = { local = "2001:db8:10::2/125", peer = "2001:db8:10::1", backup = "none" }

[[path]]
name = "internet"
interface = "net"
gateway = "10.8.0.2"
"#;

/// Whether the test goes on here; if not, it has been run where VLANs exist.
fn has_vlans(test: &str) -> bool {
    let mut world = World::new();
    world.namespace("try");
    world.ip("try", "link add try type veth peer name far");
    let made = world.try_ip("try", "link add link try name try.2 type vlan id 2");
    drop(world);
    if made {
        return true;
    }
    let with_vlan = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lab/with-vlan");
    let this = std::env::current_exe().unwrap();
    let elsewhere = Command::new(with_vlan)
        .arg(this)
        .args(["--exact", test, "--nocapture"])
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&elsewhere.stdout) + String::from_utf8_lossy(&elsewhere.stderr);
    assert!(elsewhere.status.success(), "under with-vlan: {said}");
    assert!(said.contains("1 passed"), "under with-vlan: {said}");
    false
}

/// The edge alone; `trunk` brings its link with AWS.
fn edge(world: &mut World) -> (String, Daemon) {
    for namespace in ["edge", "aws", "net"] {
        world.namespace(namespace);
    }
    world.join(("edge", "10.8.0.1/30"), ("net", "10.8.0.2/30"));
    let config = EDGE.replace("KEY", &world.key("key", "S3cr3tKey\n"));
    let edge = world.daemon("edge", &config);
    (config, edge)
}

fn trunk(world: &World) -> Daemon {
    world.join(("edge", "192.0.2.1/30"), ("aws", "192.0.2.2/30"));
    world.ip(
        "aws",
        "link add link edge name edge.101 type vlan id 101 loose_binding on",
    );
    world.ip("aws", "addr add 169.254.10.1/30 dev edge.101");
    world.ip("aws", "-6 addr add 2001:db8:10::1/125 dev edge.101 nodad");
    world.ip("aws", "link set edge.101 up");
    world.exec("aws", "sysctl -qw net.ipv6.conf.all.keep_addr_on_down=1");
    let key = world.folder.path().join("key");
    world.daemon("aws", &AWS.replace("KEY", key.to_str().unwrap()))
}

fn wait_for_path(edge: &Daemon, path: &str, carries: u64) {
    let found = || {
        let status = edge.status();
        let path = status.paths.into_iter().find(|one| one.name == path)?;
        (path.carries == carries).then_some(())
    };
    wait(found, || format!("{:#?}\n{}", edge.status(), edge.log()));
}

#[test]
fn a_vif_waits_for_its_parent_flies_moves_and_is_cleaned_away() {
    if !has_vlans("a_vif_waits_for_its_parent_flies_moves_and_is_cleaned_away") {
        return;
    }
    let mut world = World::new();
    let (config, mut edge) = edge(&mut world);
    let error = edge.status().vifs[0].error.clone().unwrap();
    assert!(error.contains("no interface is named \"aws\""), "{error}");

    let aws = trunk(&world);
    edge.wait_until_up("prod");
    edge.wait_until_up("prod-v6");
    wait_for_path(&edge, "prod", 1);
    assert_eq!(edge.status().vifs[0].error, None);
    assert!(
        world
            .ip("edge", "-d link show aws.101")
            .contains("LOOSE_BINDING")
    );
    assert_eq!(aws.peer("customer").prefixes.accepted, 1);
    assert_eq!(aws.peer("customer-v6").prefixes.accepted, 1);

    world.ip("aws", "link set edge down");
    wait_for_path(&edge, "internet", 1);
    assert!(edge.peer("prod").last_error.unwrap().contains("no carrier"));
    world.ip("aws", "link set edge up");
    edge.wait_until_up("prod");
    wait_for_path(&edge, "prod", 1);
    wait_for_path(&edge, "internet", 0);

    edge.write(&config.replace("vlan = 101", "vlan = 102"));
    let changes = edge.reload().unwrap().join("; ");
    assert!(
        changes.contains("interface \"aws.101\" removed"),
        "{changes}"
    );
    let links = world.ip("edge", "-br link");
    assert!(
        links.contains("aws.102") && !links.contains("aws.101"),
        "{links}"
    );

    edge.signal(Signal::SIGTERM);
    assert_eq!(edge.ended(), Some(0));
    let file = world.folder.path().join("edge.toml");
    let clean = format!(
        "{} clean {} --yes",
        env!("CARGO_BIN_EXE_bgpd"),
        file.display()
    );
    assert!(world.exec("edge", &clean).contains("interface aws.102"));
    assert!(!world.ip("edge", "-br link").contains("aws.102"));
}

#[test]
fn an_interface_that_was_set_down_has_its_ipv6_address_again_when_it_is_up() {
    if !has_vlans("an_interface_that_was_set_down_has_its_ipv6_address_again_when_it_is_up") {
        return;
    }
    let mut world = World::new();
    let (_, edge) = edge(&mut world);
    let _aws = trunk(&world);
    edge.wait_until_up("prod-v6");
    let address = || world.ip("edge", "-6 addr show dev aws.101");
    world.ip("edge", "link set aws.101 down");
    assert!(!address().contains("2001:db8:10::2"), "{}", address());
    edge.wait_for_peer("prod-v6", |peer| peer.state != "Established");
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert!(
        !world.ip("edge", "link show aws.101").contains("state UP"),
        "it is down on purpose"
    );
    world.ip("edge", "link set aws.101 up");
    edge.wait_until_up("prod-v6");
    edge.wait_until_up("prod");
}

#[test]
fn a_vif_whose_parent_vanishes_is_carried_by_its_backup() {
    if !has_vlans("a_vif_whose_parent_vanishes_is_carried_by_its_backup") {
        return;
    }
    let mut world = World::new();
    let (_, edge) = edge(&mut world);
    let _aws = trunk(&world);
    edge.wait_until_up("prod");
    wait_for_path(&edge, "prod", 1);
    world.ip("edge", "link del aws");
    wait_for_path(&edge, "internet", 1);
    // The daemon looks for the interface, and unused nexthops go.
    std::thread::sleep(std::time::Duration::from_secs(5));
    wait_for_path(&edge, "internet", 1);
    let routes = world.routes("edge");
    assert!(routes.contains("10.100.0.0/16"), "{routes}\n{}", edge.log());
    let way = world.ip("edge", "route get 10.100.0.1");
    assert!(way.contains("via 10.8.0.2"), "{way}");
}

#[test]
fn a_vlan_that_belongs_to_something_else_is_refused_until_it_is_free() {
    if !has_vlans("a_vlan_that_belongs_to_something_else_is_refused_until_it_is_free") {
        return;
    }
    let mut world = World::new();
    for namespace in ["edge", "aws", "net"] {
        world.namespace(namespace);
    }
    world.join(("edge", "10.8.0.1/30"), ("net", "10.8.0.2/30"));
    let key = world.key("key", "S3cr3tKey\n");
    let _aws = trunk(&world);
    world.ip("edge", "link add link aws name foreign type vlan id 101");
    let edge = world.daemon("edge", &EDGE.replace("KEY", &key));
    let error = edge.status().vifs[0].error.clone().unwrap();
    assert!(
        error.contains("VLAN 101") && error.contains("\"foreign\""),
        "{error}"
    );
    world.ip("edge", "link del foreign");
    edge.wait_until_up("prod");
    assert_eq!(edge.status().vifs[0].error, None);
}
