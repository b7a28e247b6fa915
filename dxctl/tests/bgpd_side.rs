//! bgpd's configuration, and what bgpd says over its control socket.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use common::{Api, CANARY, Daemon, Run, account, bgpd_routes, bgpd_status, run_dxctl, text, vif};
use serde_json::{Value, json};

fn dual_stack() -> Value {
    let mut vif = vif("dxvif-1", "prod", 101, "available");
    let second = json!({
        "bgpPeerId": "dxpeer-2", "asn": 0, "asnLong": 4_200_000_001u32,
        "authKey": format!("{CANARY}6"), "addressFamily": "ipv6",
        "amazonAddress": "2001:db8::1/125", "customerAddress": "2001:db8::2/125",
        "bgpPeerState": "available", "bgpStatus": "up",
    });
    vif["bgpPeers"].as_array_mut().unwrap().push(second);
    vif
}

fn public() -> Value {
    let mut vif = vif("dxvif-2", "pub", 102, "available");
    vif["virtualInterfaceType"] = json!("public");
    vif["amazonSideAsn"] = json!(7224);
    vif["asnLong"] = json!(64500);
    vif["routeFilterPrefixes"] = json!([{ "cidr": "203.0.113.0/24" }]);
    vif["bgpPeers"][0]["amazonAddress"] = json!("198.51.100.1/30");
    vif["bgpPeers"][0]["customerAddress"] = json!("198.51.100.2/30");
    vif
}

const BOTH: &[&str] = &[
    "bgpd-config",
    "prod",
    "pub",
    "--parent",
    "eth1",
    "--advertise",
    "prod=10.20.0.0/16",
    "--preference",
    "prod=high",
    "--backup-interface",
    "eth0",
    "--backup-gateway",
    "203.0.113.1",
    "--metrics",
    "127.0.0.1:9179",
    "--control",
    "/run/bgpd/bgpd.sock",
];

#[test]
fn several_interfaces_and_both_families_go_into_one_file() {
    let api = Api::start(account(vec![dual_stack(), public()]));
    let directory = tempfile::tempdir().unwrap();
    let run = api.dxctl(&[BOTH, &["--out-dir", text(directory.path())]].concat());
    assert_eq!(run.code, 0, "{run:?}");
    let written = fs::read_to_string(directory.path().join("bgpd.toml")).unwrap();
    let config = bgp_core::config::parse(&written).unwrap();
    assert_eq!(config.vifs.len(), 2);
    assert_eq!(config.vifs[0].sessions.len(), 2);
    insta::assert_snapshot!(
        "bgpd_toml",
        written.replace(text(directory.path()), "/etc/bgpd")
    );
    for (file, key) in [
        ("prod", CANARY.to_owned()),
        ("prod-v6", format!("{CANARY}6")),
    ] {
        let path = directory.path().join("keys").join(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{key}\n"));
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}

#[test]
fn a_second_run_changes_nothing_and_a_difference_needs_yes() {
    let api = Api::start(account(vec![vif("dxvif-1", "prod", 101, "available")]));
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("bgpd.toml");
    let write = |more: &[&str]| -> Run {
        let fixed = [
            "bgpd-config",
            "prod",
            "--parent",
            "eth1",
            "--out-dir",
            text(directory.path()),
        ];
        api.dxctl(&[&fixed[..], more].concat())
    };
    let dry = write(&["--dry-run"]);
    assert!(
        dry.code == 1 && dry.out.contains("would be created") && !config.exists(),
        "{dry:?}"
    );
    assert!(write(&[]).out.contains("created"));
    let again = write(&[]);
    assert!(
        again.code == 0 && again.out.contains("bgpd.toml: unchanged"),
        "{again:?}"
    );
    let before = fs::read_to_string(&config).unwrap();
    let differing = write(&["--advertise", "10.20.0.0/16"]);
    differing.fails(1, "+advertise = [\"10.20.0.0/16\"]");
    assert!(differing.err.contains("--yes"));
    assert_eq!(fs::read_to_string(&config).unwrap(), before);
    assert_eq!(write(&["--advertise", "10.20.0.0/16", "--yes"]).code, 0);
    assert!(
        fs::read_to_string(&config)
            .unwrap()
            .contains("10.20.0.0/16")
    );
}

#[test]
fn another_key_is_never_overwritten_and_nothing_is_half_written() {
    let api = Api::start(account(vec![vif("dxvif-1", "prod", 101, "available")]));
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("keys/prod");
    fs::create_dir(key.parent().unwrap()).unwrap();
    fs::write(&key, "sesame-sesame\n").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let fixed = [
        "bgpd-config",
        "prod",
        "--parent",
        "eth1",
        "--out-dir",
        text(directory.path()),
    ];
    let run = api.dxctl(&fixed);
    run.fails(1, "--force");
    assert!(!run.err.contains("sesame") && !directory.path().join("bgpd.toml").exists());
    assert_eq!(api.dxctl(&[&fixed[..], &["--force"]].concat()).code, 0);
    assert_eq!(fs::read_to_string(&key).unwrap(), format!("{CANARY}\n"));
}

#[test]
fn what_bgpd_would_refuse_is_told_before_anything_is_written() {
    let api = Api::start(account(vec![vif("dxvif-1", "prod", 101, "available")]));
    let directory = tempfile::tempdir().unwrap();
    let run = api.dxctl(&[
        "bgpd-config",
        "prod",
        "--parent",
        "eth1",
        "--advertise",
        "10.20.0.1/16",
        "--out-dir",
        text(directory.path()),
    ]);
    run.fails(1, "nothing was written");
    assert!(run.err.contains("10.20.0.0/16"), "{run:?}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    let run = api.dxctl(&[
        "bgpd-config",
        "prod",
        "--parent",
        "other=eth1",
        "--out-dir",
        "/x",
    ]);
    run.fails(1, "other is none of the virtual interfaces");
}

#[test]
fn an_interface_that_aws_has_not_finished_is_waited_for() {
    let mut unfinished = vif("dxvif-1", "prod", 101, "pending");
    unfinished["bgpPeers"] = json!([]);
    unfinished["customerAddress"] = json!("");
    unfinished["addressFamily"] = Value::Null;
    let api = Api::start(account(vec![unfinished]));
    let run = api.dxctl(&["bgpd-config", "prod", "--parent", "eth1", "--out-dir", "/x"]);
    run.fails(1, "dxctl vif wait dxvif-1");
}

fn with_daemon(daemon: &Daemon, url: &str, arguments: &[&str]) -> Run {
    let socket = daemon.socket();
    run_dxctl(
        arguments,
        &[
            ("BGPD_SOCKET", text(&socket)),
            ("AWS_ENDPOINT_URL_DIRECT_CONNECT", url),
        ],
    )
}

#[test]
fn status_joins_both_sides() {
    let api = Api::start(account(vec![vif("dxvif-1", "prod", 101, "available")]));
    let daemon = Daemon::start(bgpd_status(), bgpd_routes());
    let run = with_daemon(&daemon, &api.url, &["status"]);
    assert_eq!(run.code, 0, "{run:?}");
    insta::assert_snapshot!("status", run.out);
    let json = with_daemon(&daemon, &api.url, &["status", "prod", "--json"]).json();
    assert_eq!(json["sessions"][0]["aws"]["id"], "dxvif-1");
    assert_eq!(json["sessions"][0]["bgpd"]["state"], "Established");
    with_daemon(&daemon, &api.url, &["status", "nothing"]).fails(1, "nothing");
}

#[test]
fn status_says_what_is_wrong() {
    let mut down = vif("dxvif-1", "prod", 101, "down");
    down["bgpPeers"][0]["bgpStatus"] = json!("down");
    let api = Api::start(account(vec![down]));
    let mut status = bgpd_status();
    status["peers"][0]["state"] = json!("Active");
    status["peers"][0]["last_error"] = json!("the MD5 key differs from AWS's: write the key again");
    let daemon = Daemon::start(status, bgpd_routes());
    let run = with_daemon(&daemon, &api.url, &["status"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(
        run.out
            .contains("prod: bgpd is in Active: the MD5 key differs"),
        "{run:?}"
    );
}

#[test]
fn status_works_with_either_side_missing() {
    let api = Api::start(account(vec![vif("dxvif-1", "prod", 101, "available")]));
    let run = api.dxctl(&["status"]);
    assert!(
        run.code == 0 && run.err.contains("only AWS's side"),
        "{run:?}"
    );
    let daemon = Daemon::start(bgpd_status(), bgpd_routes());
    let run = with_daemon(&daemon, "http://127.0.0.1:1", &["status"]);
    assert!(
        run.code == 0 && run.err.contains("only bgpd's side"),
        "{run:?}"
    );
    let run = with_daemon(&daemon, "http://127.0.0.1:1", &["status", "--local-only"]);
    assert!(run.code == 0 && run.err.is_empty(), "{run:?}");
    let unreachable = [("AWS_ENDPOINT_URL_DIRECT_CONNECT", "http://127.0.0.1:1")];
    run_dxctl(&["status"], &unreachable).fails(2, "neither side answers");
}

#[test]
fn monitor_writes_a_line_for_each_sample() {
    let daemon = Daemon::start(bgpd_status(), bgpd_routes());
    let run = with_daemon(
        &daemon,
        "",
        &["monitor", "--count", "2", "--interval", "0.05"],
    );
    let lines: Vec<&str> = run.out.lines().collect();
    assert_eq!((run.code, lines.len()), (0, 2), "{run:?}");
    let (_, words) = lines[0].split_once(' ').unwrap();
    assert_eq!(
        words,
        "traffic=prod | prod Established | prod up health=up rtt=412µs loss=1% carries=2; internet up health=up carries=0"
    );
    let run = with_daemon(&daemon, "", &["monitor", "--count", "1", "--json"]);
    let sample: Value = serde_json::from_str(run.out.trim_end()).unwrap();
    assert_eq!(sample["carrying"], json!(["prod"]));
}

#[test]
fn routes_are_listed_and_explained() {
    let daemon = Daemon::start(bgpd_status(), bgpd_routes());
    let run = with_daemon(&daemon, "", &["routes", "--peer", "prod"]);
    assert!(run.code == 0 && run.out.contains("10.0.0.0/16"), "{run:?}");
    let run = with_daemon(&daemon, "", &["routes", "explain", "10.0.3.0/16"]);
    assert!(
        run.code == 0 && run.out.contains("lower LOCAL_PREF"),
        "{run:?}"
    );
    with_daemon(&daemon, "", &["routes", "explain", "10.9.0.0/16"]).fails(1, "no such route");
    run_dxctl(&["routes"], &[]).fails(2, "bgpd is not running");
}
