//! Where MD5 keys come from, how one is changed, and interfaces for another account.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};

use common::{
    Answer, Api, CANARY, Daemon, Run, account, bgpd_status, dxctl_command, run_dxctl, text,
};
use lab::aws::router::NoRouter;
use lab::aws::seed::Seed;
use lab::aws::server::{Server, Settings};
use lab::aws::sigv4::CREDENTIALS;
use lab::aws::simulator::{Caller, OWNER};
use serde_json::{Value, json};

const CREATE: &[&str] = &[
    "vif",
    "create",
    "--kind",
    "private",
    "--connection",
    "dxcon-1",
    "--name",
    "new",
    "--gateway",
    "vgw-1",
];

/// Direct Connect, Secrets Manager and Systems Manager at one address.
fn with_secrets() -> Api {
    let rest = account(vec![]);
    Api::start(move |operation, input, before| match operation {
        "GetSecretValue" if input["SecretId"] == "bgp/prod" => {
            Answer::Json(json!({ "SecretString": format!("{{\"md5\":\"{CANARY}\"}}") }))
        }
        "GetSecretValue" => Answer::Error(400, "ResourceNotFoundException", "no such secret"),
        "GetParameter" => Answer::Json(json!({ "Parameter": { "Value": CANARY } })),
        _ => rest(operation, input, before),
    })
}

fn create(api: &Api, key: &[&str]) -> Run {
    let variables = [
        ("AWS_ENDPOINT_URL", api.url.as_str()),
        ("SESSION_KEY", CANARY),
        ("RUST_LOG", "trace"),
    ];
    run_dxctl(&[CREATE, key].concat(), &variables)
}

#[test]
fn a_key_comes_from_secrets_manager_ssm_or_the_environment_and_is_never_shown() {
    let sources = [
        "secretsmanager:bgp/prod#md5",
        "secretsmanager:bgp/prod#none",
        "secretsmanager:other",
        "ssm:/bgp/prod",
        "env:SESSION_KEY",
    ];
    for source in sources {
        let api = with_secrets();
        let run = create(&api, &["--auth-key-from", source]);
        assert!(
            !run.out.contains(CANARY) && !run.err.contains(CANARY),
            "{run:?}"
        );
        let made = api.calls("CreatePrivateVirtualInterface");
        if source.ends_with("none") || source.ends_with("other") {
            assert!(
                run.code != 0 && run.err.contains(source) && made.is_empty(),
                "{run:?}"
            );
            continue;
        }
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(
            made[0]["newPrivateVirtualInterface"]["authKey"], CANARY,
            "{source}"
        );
        if source.starts_with("ssm") {
            assert_eq!(
                api.calls("GetParameter")[0],
                json!({ "Name": "/bgp/prod", "WithDecryption": true })
            );
            assert_eq!(api.signed_for("GetParameter"), ["ssm"]);
        }
        if source.starts_with("secretsmanager") {
            assert_eq!(api.signed_for("GetSecretValue"), ["secretsmanager"]);
        }
        assert_eq!(
            api.signed_for("CreatePrivateVirtualInterface"),
            ["directconnect"]
        );
    }
}

#[test]
fn a_key_in_the_place_of_its_source_is_refused_and_not_repeated() {
    let api = with_secrets();
    let run = create(&api, &["--auth-key-from", CANARY]);
    assert!(run.code != 0 && !run.err.contains(CANARY), "{run:?}");
    assert!(api.calls("CreatePrivateVirtualInterface").is_empty());
}

#[test]
fn a_key_comes_from_standard_input() {
    let api = with_secrets();
    let words = [CREATE, &["--auth-key-stdin"]].concat();
    let mut command = dxctl_command(
        &words,
        &[("AWS_ENDPOINT_URL", &api.url), ("RUST_LOG", "trace")],
    );
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(format!("{CANARY}\n").as_bytes()).unwrap();
    drop(input);
    let run = Run::from(child.wait_with_output().unwrap());
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        !run.out.contains(CANARY) && !run.err.contains(CANARY),
        "{run:?}"
    );
    let made = api.calls("CreatePrivateVirtualInterface");
    assert_eq!(made[0]["newPrivateVirtualInterface"]["authKey"], CANARY);
}

/// A simulated AWS whose states come at once, and a directory of bgpd's.
struct World {
    aws: Server,
    directory: tempfile::TempDir,
    daemon: Daemon,
}

impl World {
    fn new() -> Self {
        let settings = Settings {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: Seed::default(),
            time_scale: 100_000.0,
            random: 1,
            faults: vec![],
        };
        let daemon = Daemon::scripted(|(_, path, _)| match path {
            "/v1/status" => {
                let mut status = bgpd_status();
                status["peers"][0]["since"] = json!(0.0);
                (200, status)
            }
            "/v1/reload" => (200, json!({})),
            "/v1/events" => (
                200,
                json!({ "events": [{ "sequence": 4, "at": 1.0, "subject": "prod", "text": "x" }] }),
            ),
            _ => (
                200,
                json!({ "events": [
                { "sequence": 5, "at": 10.0, "subject": "prod", "kind": "session", "text": "session is down: closed" },
                { "sequence": 6, "at": 12.5, "subject": "prod", "kind": "session", "text": "session is Established" },
            ] }),
            ),
        });
        Self {
            aws: Server::start(settings, Box::new(NoRouter)).unwrap(),
            directory: tempfile::tempdir().unwrap(),
            daemon,
        }
    }

    fn command(&self, who: usize, words: &[&str]) -> Command {
        let socket = self.daemon.socket();
        dxctl_command(
            words,
            &[
                ("AWS_ENDPOINT_URL_DIRECT_CONNECT", &self.aws.url()),
                ("AWS_ACCESS_KEY_ID", CREDENTIALS[who].access_key_id),
                ("AWS_SECRET_ACCESS_KEY", CREDENTIALS[who].secret_access_key),
                ("BGPD_SOCKET", text(&socket)),
                ("SESSION_KEY", CANARY),
                ("RUST_LOG", "trace"),
            ],
        )
    }

    fn run(&self, who: usize, words: &str) -> Run {
        let words: Vec<&str> = words.split_whitespace().collect();
        let run = Run::from(self.command(who, &words).output().unwrap());
        assert!(
            !run.out.contains(CANARY) && !run.err.contains(CANARY),
            "{run:?}"
        );
        run
    }

    fn calls(&self, operation: &str) -> usize {
        let calls = self.aws.faults().calls();
        calls
            .into_iter()
            .filter(|call| call.operation == operation)
            .count()
    }

    /// An interface with one session, and bgpd's files for it.
    fn with_session(&self) -> String {
        let made = self
            .run(
                0,
                "vif create --kind private --connection dxcon-fglab001 --name prod --vlan 101 \
             --gateway vgw-0123456789abcdef0 --wait --json",
            )
            .json();
        let directory = text(self.directory.path()).to_owned();
        let run = self.run(0, &format!("bgpd-config prod --parent eth1 --advertise 10.20.0.0/16 --out-dir {directory} --yes"));
        assert_eq!(run.code, 0, "{run:?}");
        made["id"].as_str().unwrap().to_owned()
    }

    fn rotate(&self) -> Run {
        let directory = text(self.directory.path());
        self.run(0, &format!("vif rotate-key prod --out-dir {directory} --auth-key-from env:SESSION_KEY --yes --json"))
    }

    /// The keys that AWS has, by family, as the bytes of its answer have them.
    fn sessions(&self) -> Vec<Value> {
        let shown = self.run(0, "vif show prod --json").json();
        shown["peers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|peer| peer["family"].clone())
            .collect()
    }

    fn ask(&self, operation: &str, input: Value) -> Value {
        let caller = Caller {
            account: OWNER.into(),
            region: "eu-central-1".into(),
        };
        self.aws.ask(&caller, operation, input).unwrap()
    }

    fn key_at_aws(&self) -> String {
        let all = self.ask("DescribeVirtualInterfaces", json!({}));
        let peers = all["virtualInterfaces"][0]["bgpPeers"].as_array().unwrap();
        let live =
            |peer: &&Value| peer["bgpPeerState"] == "available" && peer["addressFamily"] == "ipv4";
        let peer = peers.iter().find(live).unwrap();
        peer["authKey"].as_str().unwrap().to_owned()
    }

    fn key_in_file(&self) -> String {
        let key = fs::read_to_string(self.directory.path().join("keys/prod")).unwrap();
        key.trim_end().to_owned()
    }

    fn left_over(&self) -> usize {
        let names = |path: &std::path::Path| fs::read_dir(path).unwrap().count();
        names(self.directory.path()) + names(&self.directory.path().join("keys"))
    }
}

#[test]
fn a_rotated_key_is_at_aws_and_in_bgpds_file_and_the_outage_is_told() {
    let world = World::new();
    world.with_session();
    let before = world.left_over();
    let run = world.rotate();
    let answer = run.json();
    assert_eq!(
        (&answer["established"], &answer["outage_seconds"]),
        (&json!(true), &json!(2.5)),
        "{run:?}"
    );
    assert_eq!(world.key_in_file(), CANARY);
    // What stood in for the last session is gone again, and so are our own files.
    assert_eq!(world.sessions(), ["ipv4"]);
    assert_eq!(
        (world.calls("CreateBGPPeer"), world.calls("DeleteBGPPeer")),
        (2, 2)
    );
    assert_eq!(world.left_over(), before);
    // Once more changes nothing.
    assert_eq!(world.rotate().json()["changed"], false);
    assert_eq!(world.calls("DeleteBGPPeer"), 2);
    // AWS has the key that bgpd's file has: nothing would be replaced.
    let directory = text(world.directory.path()).to_owned();
    let same = world.run(0, &format!("bgpd-config prod --parent eth1 --advertise 10.20.0.0/16 --out-dir {directory} --yes --json"));
    assert_eq!(same.json()["keys"][0]["change"], "unchanged", "{same:?}");
}

#[test]
fn a_rotation_that_is_killed_after_any_call_is_gone_on_with() {
    let every = ["CreateBGPPeer", "DeleteBGPPeer"];
    for kill_after in 1..=4 {
        let world = World::new();
        world.with_session();
        let directory = text(world.directory.path()).to_owned();
        let words = format!(
            "vif rotate-key prod --out-dir {directory} --auth-key-from env:SESSION_KEY --yes"
        );
        let words: Vec<&str> = words.split_whitespace().collect();
        let mut command = world.command(0, &words);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while every.map(|name| world.calls(name)).iter().sum::<usize>() < kill_after
            && child.try_wait().unwrap().is_none()
            && std::time::Instant::now() < until
        {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let run = world.rotate();
        assert_eq!(run.code, 0, "{kill_after}: {run:?}");
        assert_eq!(world.key_in_file(), CANARY, "{kill_after}");
        assert_eq!(world.sessions(), ["ipv4"], "{kill_after}");
    }
}

#[test]
fn of_two_rotations_at_once_one_waits_or_stops_and_both_ends_have_one_key() {
    let world = World::new();
    world.with_session();
    let directory = text(world.directory.path()).to_owned();
    // It is in the middle of its work when the others come.
    let fault = "slow=1500:DeleteBGPPeer".parse().unwrap();
    world.aws.faults().order(fault);
    let spawn = |option: &str| {
        let words = format!("vif rotate-key prod --out-dir {directory} --yes {option}");
        let words: Vec<&str> = words.split_whitespace().collect();
        let mut command = world.command(0, &words);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let first = spawn("");
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while world.calls("DeleteBGPPeer") == 0 && std::time::Instant::now() < until {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let (second, third) = (spawn(""), spawn("--lock-timeout 60"));
    let ends = [first, second, third].map(|child| Run::from(child.wait_with_output().unwrap()));
    assert_eq!((ends[0].code, ends[2].code), (0, 0), "{ends:?}");
    ends[1].fails(1, "another dxctl is changing a key");
    assert_eq!(world.key_at_aws(), world.key_in_file());
    assert_eq!(world.sessions(), ["ipv4"]);
}

#[test]
fn a_rotation_that_another_program_overtook_says_so_and_the_next_begins_anew() {
    let world = World::new();
    let id = world.with_session();
    let before = world.key_in_file();
    let there = world.ask("DescribeVirtualInterfaces", json!({}));
    let there = there["virtualInterfaces"][0].clone();
    let directory = text(world.directory.path()).to_owned();
    let words = format!("vif rotate-key prod --out-dir {directory} --yes");
    let words: Vec<&str> = words.split_whitespace().collect();
    let fault = "hold-after:DeleteBGPPeer".parse().unwrap();
    world.aws.faults().order(fault);
    let mut child = world
        .command(0, &words)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let held = world
        .aws
        .faults()
        .wait_until_held(std::time::Duration::from_secs(60));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(held.is_some());
    let another = json!({ "virtualInterfaceId": id, "newBGPPeer": {
        "asn": 65010, "addressFamily": "ipv4", "authKey": "another-hosts-key",
        "amazonAddress": there["amazonAddress"], "customerAddress": there["customerAddress"] } });
    world.ask("CreateBGPPeer", another);
    Run::from(world.command(0, &words).output().unwrap()).fails(1, "another program changed it");
    // Not handed over to bgpd before it is known to be AWS's.
    assert_eq!(world.key_in_file(), before);
    let again = Run::from(world.command(0, &words).output().unwrap());
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(world.key_at_aws(), world.key_in_file());
}

#[test]
fn an_interface_is_allocated_to_another_account_and_confirmed_there() {
    let world = World::new();
    let account = CREDENTIALS[1].account;
    let allocated = world.run(0, &format!(
        "vif allocate --to-account {account} --kind private --connection dxcon-fglab001 --name branch --auth-key-from env:SESSION_KEY --json"
    ));
    let there = allocated.json();
    assert_eq!(there["state"], "confirming", "{allocated:?}");
    let id = there["id"].as_str().unwrap();
    world
        .run(1, &format!("vif confirm {id}"))
        .fails(1, "--gateway");
    let confirmed = world.run(
        1,
        "vif confirm branch --gateway vgw-0fedcba9876543210 --json",
    );
    assert_ne!(confirmed.json()["state"], "confirming", "{confirmed:?}");
    world
        .run(1, &format!("vif confirm {id}"))
        .fails(1, "nothing to confirm");
}

#[test]
fn a_transit_and_a_public_interface_are_confirmed_by_the_account_that_they_are_for() {
    let world = World::new();
    let account = CREDENTIALS[1].account;
    let partner = Caller {
        account: account.into(),
        region: "eu-central-1".into(),
    };
    let hub = json!({ "directConnectGatewayName": "hub", "amazonSideAsn": 64600 });
    let hub = world
        .aws
        .ask(&partner, "CreateDirectConnectGateway", hub)
        .unwrap();
    let hub = hub["directConnectGateway"]["directConnectGatewayId"]
        .as_str()
        .unwrap();
    let own = "--addresses 203.0.113.1/30,203.0.113.2/30 --route-filter-prefix 203.0.113.0/24";
    for (kind, more, gateway) in [
        ("transit", "", format!("--gateway {hub}")),
        ("public", own, String::new()),
    ] {
        let allocated = world.run(0, &format!(
            "vif allocate --to-account {account} --kind {kind} --connection dxcon-fglab001 --name {kind} {more} --auth-key-from env:SESSION_KEY --json"
        ));
        assert_eq!(allocated.json()["state"], "confirming", "{allocated:?}");
        // Who made it can't confirm it, nor is it confirmed twice.
        let early = world.run(0, &format!("vif confirm {kind} {gateway}"));
        assert_ne!(early.code, 0, "{early:?}");
        let confirmed = world.run(1, &format!("vif confirm {kind} {gateway} --json"));
        assert_ne!(confirmed.json()["state"], "confirming", "{confirmed:?}");
        let shown = world.run(1, &format!("vif show {kind} --json")).json();
        assert_eq!(shown["kind"], kind, "{shown}");
        let twice = world.run(1, &format!("vif confirm {kind} {gateway}"));
        twice.fails(1, "nothing to confirm");
    }
}
