//! Site files against the simulated AWS: what apply makes, goes on with, refuses
//! and takes away.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use common::{Answer, Api, CANARY, Daemon, Run, bgpd_status, text, vif};
use lab::aws::router::NoRouter;
use lab::aws::seed::Seed;
use lab::aws::server::{Server, Settings};
use lab::aws::sigv4::CREDENTIALS;
use serde_json::{Value, json};

/// A simulated AWS whose states come at once, and a directory with a site file.
struct World {
    aws: Server,
    directory: tempfile::TempDir,
}

const SITE: &str = r#"
[site]
name = "fra"
region = "eu-central-1"

[[connection]]
name = "lab"

[[gateway]]
name = "hub"
asn = 64600
tags = { team = "net" }

[[gateway.association]]
gateway = "vgw-0123456789abcdef0"
allowed_prefixes = ["172.31.0.0/16"]

[[gateway]]
name = "transit"

[[gateway.association]]
gateway = "tgw-0123456789abcdef0"
allowed_prefixes = ["10.0.0.0/8", "2001:db8::/32"]

[[vif]]
name = "prod"
kind = "private"
connection = "lab"
vlan = 101
gateway = "hub"
ipv6 = true
tags = { team = "net" }
key = "generate:keys/prod"
advertise = ["10.20.0.0/16"]
router = "edge"

[[vif]]
name = "hub"
kind = "transit"
connection = "lab"
gateway = "transit"
mtu = 8500
advertise = ["10.20.0.0/16"]
preference = "high"
router = "core"

[[vif]]
name = "pub"
kind = "public"
connection = "lab"
vlan = 103
addresses = ["203.0.113.1/30", "203.0.113.2/30"]
route_filter_prefixes = ["203.0.113.0/24"]

[[router]]
name = "edge"
platform = "bgpd"
parent = "eth1"
directory = "DIRECTORY/etc"

[[router]]
name = "core"
platform = "cisco_ios_xe"
"#;

impl World {
    fn new() -> Self {
        let settings = Settings {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: Seed::default(),
            time_scale: 100_000.0,
            random: 1,
            faults: vec![],
        };
        let world = Self {
            aws: Server::start(settings, Box::new(NoRouter)).unwrap(),
            directory: tempfile::tempdir().unwrap(),
        };
        let here = text(world.directory.path()).to_owned();
        world.write("site.toml", &SITE.replace("DIRECTORY", &here));
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    fn change(&self, from: &str, to: &str) {
        let old = fs::read_to_string(self.path("site.toml")).unwrap();
        assert!(old.contains(from), "{from}");
        self.write("site.toml", &old.replace(from, to));
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dxctl"));
        command
            .args(words.split_whitespace())
            .current_dir(self.directory.path())
            .env_clear()
            .env("AWS_ENDPOINT_URL_DIRECT_CONNECT", self.aws.url())
            .env("AWS_ACCESS_KEY_ID", CREDENTIALS[0].access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", CREDENTIALS[0].secret_access_key)
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("BGPD_SOCKET", "/nonexistent/bgpd.sock")
            .env("RUST_LOG", "trace")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, words: &str) -> Run {
        Run::from(self.command(words).output().unwrap())
    }

    fn spawn(&self, words: &str) -> Child {
        let mut command = self.command(words);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// How often each operation that changes something was asked for.
    fn changes(&self) -> Vec<String> {
        let calls = self.aws.faults().calls();
        let names = calls.into_iter().map(|call| call.operation);
        names.filter(|name| !name.starts_with("Describe")).collect()
    }
}

fn fine(run: &Run) {
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn what_is_applied_needs_no_change_and_what_is_imported_neither() {
    let world = World::new();
    assert_eq!(world.run("plan site.toml").code, 1);
    let applied = world.run("apply site.toml --yes");
    fine(&applied);
    let after = world.run("plan site.toml");
    fine(&after);
    assert!(after.out.contains("no changes"), "{after:?}");
    let before = world.changes().len();
    fine(&world.run("apply site.toml --yes"));
    assert_eq!(world.changes().len(), before, "{:?}", world.changes());

    fine(&world.run("import --name other --out imported.toml"));
    let imported = world.run("plan imported.toml");
    fine(&imported);
    assert!(imported.out.contains("no changes"), "{imported:?}");
}

#[test]
fn our_side_is_written_too_and_no_key_is_seen() {
    let world = World::new();
    let run = world.run("apply site.toml --yes --json");
    let routers = &run.json()["routers"];
    assert_eq!(routers[0]["files"]["written"], true, "{routers}");
    let config = fs::read_to_string(world.path("etc/bgpd.toml")).unwrap();
    assert!(bgp_core::config::parse(&config).is_ok(), "{config}");
    assert!(
        config.contains("vlan = 101") && config.contains("ipv6 ="),
        "{config}"
    );
    let text = fs::read_to_string(world.path("core.conf")).unwrap();
    assert!(
        text.contains("8500") && text.contains("<auth-key>"),
        "{text}"
    );
    for key in ["keys/prod", "etc/keys/prod", "etc/keys/prod-v6"] {
        let mode = fs::metadata(world.path(key)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
    let key = fs::read_to_string(world.path("keys/prod")).unwrap();
    assert_eq!(
        key,
        fs::read_to_string(world.path("etc/keys/prod")).unwrap()
    );
    for said in [&run.out, &run.err, &config, &text] {
        assert!(!said.contains(key.trim()), "{said}");
    }
}

#[test]
fn what_cuts_traffic_needs_its_own_consent() {
    let world = World::new();
    fine(&world.run("apply site.toml --yes"));
    let before = world.changes().len();
    world.change("vlan = 101", "vlan = 104");
    let plan = world.run("plan site.toml");
    assert!(plan.out.contains("needs --allow cut:prod"), "{plan:?}");
    world
        .run("apply site.toml --yes")
        .fails(1, "--allow cut:prod");
    world
        .run("apply site.toml --yes --allow cut:pub")
        .fails(1, "--allow cut:prod");
    assert_eq!(world.changes().len(), before);
    fine(&world.run("apply site.toml --yes --allow cut:prod"));
    fine(&world.run("plan site.toml"));
}

#[test]
fn without_yes_and_without_a_terminal_nothing_is_changed() {
    let world = World::new();
    world.run("apply site.toml").fails(1, "give --yes");
    assert_eq!(world.changes(), Vec::<String>::new());
}

#[test]
fn destroy_leaves_nothing_and_can_be_repeated() {
    let world = World::new();
    fine(&world.run("apply site.toml --yes"));
    let allow = "--allow cut:prod,cut:hub,cut:pub,cut:transit";
    world
        .run("destroy site.toml --yes")
        .fails(1, "--allow cut:hub");
    fine(&world.run(&format!("destroy site.toml --yes {allow}")));
    let gone = world.run(&format!("destroy site.toml --yes {allow}"));
    assert!(gone.out.contains("nothing of it is there"), "{gone:?}");
    assert_eq!(world.run("vif list --json").json(), json!([]));
}

#[test]
fn of_two_at_once_one_waits_or_stops() {
    let world = World::new();
    let (mut stopped, mut waited) = (0, 0);
    let options = ["", "", "--lock-timeout 120"];
    let children = options.map(|option| world.spawn(&format!("apply site.toml --yes {option}")));
    for child in children {
        let run = Run::from(child.wait_with_output().unwrap());
        match run.code {
            0 => waited += 1,
            _ => {
                run.fails(1, "another dxctl is at work");
                stopped += 1;
            }
        }
    }
    assert!(waited >= 1 && waited + stopped == 3);
    let creates = world.changes();
    let gateways = creates
        .iter()
        .filter(|name| *name == "CreateDirectConnectGateway");
    assert_eq!(gateways.count(), 2, "{creates:?}");
    fine(&world.run("plan site.toml"));
}

#[test]
fn throttling_is_waited_through() {
    let world = World::new();
    for fault in [
        "throttle:CreateDirectConnectGateway",
        "throttle:CreatePrivateVirtualInterface",
        "throttle:DescribeVirtualInterfaces:2",
    ] {
        world.aws.faults().order(fault.parse().unwrap());
    }
    let run = world.run("apply site.toml --yes");
    fine(&run);
    assert!(run.err.contains("limits the rate"), "{run:?}");
    fine(&world.run("plan site.toml"));
}

/// A gateway that a killed run may have asked for is waited for, not made twice.
#[test]
fn what_a_killed_run_left_unfinished_is_looked_for_first() {
    let world = World::new();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let intent = json!({ "intent": { "step": "create gateway hub", "at": now, "gateway": "hub" } });
    world.write(".site.toml.journal", &format!("{intent}\n{{\"don"));
    let run = world.run("apply site.toml --yes --settle 2");
    fine(&run);
    assert!(run.err.contains("waiting whether it appears"), "{run:?}");
    assert_eq!(
        fs::read_to_string(world.path(".site.toml.journal")).unwrap(),
        ""
    );
}

/// A site whose only interface is there already, and what bgpd says of it.
fn bring_up(status: Value) -> Run {
    let there = vif("dxvif-1", "prod", 101, "available");
    let api = Api::start(move |operation, _, _| match operation {
        "DescribeVirtualInterfaces" => Answer::Json(json!({ "virtualInterfaces": [there] })),
        "DescribeConnections" => Answer::Json(json!({ "connections": [{
            "connectionId": "dxcon-1", "connectionName": "trunk", "connectionState": "available",
        }] })),
        "DescribeDirectConnectGateways" => Answer::Json(json!({ "directConnectGateways": [] })),
        _ => Answer::Error(400, "DirectConnectClientException", "not in this test"),
    });
    let bgpd = Daemon::start(status, json!({}));
    let dir = tempfile::tempdir().unwrap();
    let site = format!(
        "[site]\nname = \"fra\"\n[[connection]]\nname = \"trunk\"\n[[vif]]\nname = \"prod\"\n\
         kind = \"private\"\nconnection = \"trunk\"\nvlan = 101\ngateway = \"vgw-1\"\n\
         advertise = [\"10.0.0.0/16\"]\nrouter = \"edge\"\n[[router]]\nname = \"edge\"\n\
         platform = \"bgpd\"\nparent = \"eth1\"\ndirectory = {:?}\ncontrol = {:?}\n",
        dir.path().join("etc"),
        bgpd.socket()
    );
    let file = dir.path().join("site.toml");
    fs::write(&file, site).unwrap();
    let run = api.dxctl(&["apply", text(&file), "--yes", "--verify", "2"]);
    let said = format!("{}{}", run.out, run.err);
    assert!(!said.contains(CANARY), "{said}");
    run
}

#[test]
fn sessions_are_brought_up_or_it_is_said_why_not() {
    let up = bring_up(bgpd_status());
    fine(&up);
    assert!(
        up.err.contains("bgpd has read its configuration again"),
        "{up:?}"
    );
    let mut status = bgpd_status();
    status["peers"][0]["state"] = json!("Active");
    status["vifs"][0]["carrier"] = json!(false);
    let down = bring_up(status);
    assert_eq!(down.code, 1, "{down:?}");
    assert!(down.out.contains("eth1 has no carrier"), "{down:?}");
}

/// An AWS whose interface changes between the plan and the step.
#[test]
fn another_program_at_work_stops_the_run() {
    let api = Api::start(|operation, input, _| match operation {
        "DescribeVirtualInterfaces" => {
            let mut there = vif("dxvif-1", "prod", 101, "available");
            if input["virtualInterfaceId"].is_string() {
                there["mtu"] = json!(8500);
            }
            Answer::Json(json!({ "virtualInterfaces": [there] }))
        }
        "DescribeConnections" => Answer::Json(json!({ "connections": [{
            "connectionId": "dxcon-1", "connectionName": "trunk", "connectionState": "available",
        }] })),
        "DescribeDirectConnectGateways" => Answer::Json(json!({ "directConnectGateways": [] })),
        _ => Answer::Error(400, "DirectConnectClientException", "not in this test"),
    });
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("site.toml");
    let site = "[site]\nname = \"fra\"\n[[connection]]\nname = \"trunk\"\n[[vif]]\nname = \"prod\"\n\
                kind = \"private\"\nconnection = \"trunk\"\nvlan = 101\ngateway = \"vgw-1\"\nsite_link = true\n";
    fs::write(&file, site).unwrap();
    let run = api.dxctl(&["apply", text(&file), "--yes"]);
    run.fails(1, "changed by another program");
    assert_eq!(
        api.calls("UpdateVirtualInterfaceAttributes"),
        Vec::<Value>::new()
    );
    assert!(!run.err.contains(CANARY), "{run:?}");
}
