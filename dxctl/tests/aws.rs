//! The program against an AWS that says what the test tells it to.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use common::{Answer, Api, CANARY, account, run_dxctl, text, vif};
use serde_json::json;

const CREATE: &[&str] = &[
    "vif",
    "create",
    "--kind",
    "private",
    "--connection",
    "dxcon-1",
    "--name",
    "prod",
    "--vlan",
    "101",
    "--asn",
    "4200000001",
    "--gateway",
    "vgw-1",
    "--addresses",
    "169.254.20.1/30,169.254.20.2/30",
];

#[test]
fn every_page_is_read() {
    let api = Api::start(
        |operation, input, _| match (operation, input["nextToken"].as_str()) {
            ("DescribeVirtualInterfaces", None) => Answer::Json(json!({
                "virtualInterfaces": [vif("dxvif-1", "one", 1, "available")], "nextToken": "more",
            })),
            ("DescribeVirtualInterfaces", Some("more")) => Answer::Json(json!({
                "virtualInterfaces": [vif("dxvif-2", "two", 2, "down")], "nextToken": "",
            })),
            _ => Answer::Error(400, "DirectConnectClientException", "not in this test"),
        },
    );
    let listed = api.dxctl(&["vif", "list", "--json"]).json();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(listed[1]["id"], "dxvif-2");
}

#[test]
fn a_create_sends_asn_long_alone_and_the_key_from_its_file() {
    let api = Api::start(account(vec![]));
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key");
    fs::write(&key, format!("{CANARY}\n")).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let run = api.dxctl(&[CREATE, &["--mtu", "9001", "--auth-key-file", text(&key)]].concat());
    assert_eq!(run.code, 0, "{run:?}");
    let sent = &api.calls("CreatePrivateVirtualInterface")[0];
    assert_eq!(
        *sent,
        json!({
            "connectionId": "dxcon-1",
            "newPrivateVirtualInterface": {
                "virtualInterfaceName": "prod", "vlan": 101, "asnLong": 4_200_000_001u32,
                "mtu": 9001, "authKey": CANARY, "addressFamily": "ipv4",
                "amazonAddress": "169.254.20.1/30", "customerAddress": "169.254.20.2/30",
                "virtualGatewayId": "vgw-1",
            },
        })
    );
}

#[test]
fn a_lost_answer_is_looked_up_and_the_call_not_repeated() {
    let api = Api::start(|operation, input, before| match operation {
        "CreatePrivateVirtualInterface" => {
            Answer::Error(500, "DirectConnectServerException", "lost")
        }
        // Made all the same: it is there after the call.
        "DescribeVirtualInterfaces" if before > 0 => Answer::Json(json!({
            "virtualInterfaces": [vif("dxvif-made", "prod", 101, "pending")],
        })),
        other => account(vec![])(other, input, before),
    });
    let run = api.dxctl(&[CREATE, &["--json"]].concat());
    assert_eq!(run.json()["id"], "dxvif-made");
    assert_eq!(api.calls("CreatePrivateVirtualInterface").len(), 1);
}

#[test]
fn a_refusal_shows_the_message_and_removes_the_generated_key() {
    let api = Api::start(|operation, input, before| match operation {
        "CreatePrivateVirtualInterface" => Answer::Error(
            400,
            "DirectConnectClientException",
            "the gateway is not yours",
        ),
        other => account(vec![])(other, input, before),
    });
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key");
    let with_key = ["--generate-auth-key", "--key-out", text(&key)];
    let run = api.dxctl(&[CREATE, &with_key].concat());
    run.fails(1, "the gateway is not yours (DirectConnectClientException)");
    assert_eq!(api.calls("CreatePrivateVirtualInterface").len(), 1);
    assert!(!key.exists());
}

#[test]
fn a_generated_key_is_on_disk_and_at_aws_and_nowhere_else() {
    let api = Api::start(account(vec![]));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    let run = api.dxctl(&[CREATE, &["--generate-auth-key", "--key-out", text(&path)]].concat());
    assert_eq!(run.code, 0, "{run:?}");
    let key = fs::read_to_string(&path).unwrap().trim_end().to_owned();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let sent = &api.calls("CreatePrivateVirtualInterface")[0];
    assert_eq!(sent["newPrivateVirtualInterface"]["authKey"], key);
    assert!(!run.out.contains(&key) && !run.err.contains(&key));
    let again = api.dxctl(&[CREATE, &["--generate-auth-key", "--key-out", text(&path)]].concat());
    again.fails(1, "never replaces one");
}

#[test]
fn a_vlan_in_use_and_every_other_mistake_are_told_before_anything_is_asked() {
    let api = Api::start(account(vec![vif("dxvif-1", "one", 101, "down")]));
    let run = api.dxctl(&[CREATE, &["--mtu", "9000"]].concat());
    run.fails(2, "VLAN 101 on dxcon-1 belongs to dxvif-1 (one)");
    assert!(run.err.contains("MTU 9000"), "{run:?}");
    assert!(api.calls("CreatePrivateVirtualInterface").is_empty());
}

#[test]
fn a_world_readable_key_file_is_refused() {
    let api = Api::start(account(vec![]));
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key");
    fs::write(&key, CANARY).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let run = api.dxctl(&[CREATE, &["--auth-key-file", text(&key)]].concat());
    run.fails(2, "chmod 600");
    assert!(api.calls("CreatePrivateVirtualInterface").is_empty());
}

#[test]
fn waiting_goes_through_unknown_states_to_down() {
    let api = Api::start(|operation, input, before| match (operation, before) {
        ("DescribeVirtualInterfaces", 0) => Answer::Json(json!({ "virtualInterfaces": [] })),
        ("DescribeVirtualInterfaces", n) => {
            let state = ["pending", "approving", "down"][n.min(3) - 1];
            Answer::Json(json!({ "virtualInterfaces": [vif("dxvif-new", "prod", 101, state)] }))
        }
        _ => account(vec![])(operation, input, before),
    });
    let run = api.dxctl(&[CREATE, &["--wait", "30", "--json"]].concat());
    assert_eq!(run.json()["state"], "down");
    assert!(run.err.contains("approving"), "{run:?}");
}

#[test]
fn deleting_asks_or_needs_yes() {
    let api = Api::start(account(vec![vif("dxvif-1", "one", 1, "down")]));
    api.dxctl(&["vif", "delete", "one"]).fails(1, "give --yes");
    assert!(api.calls("DeleteVirtualInterface").is_empty());
    let run = api.dxctl(&["vif", "delete", "one", "--yes", "--json"]);
    assert_eq!(run.json()["state"], "deleting");
    assert_eq!(
        api.calls("DeleteVirtualInterface")[0]["virtualInterfaceId"],
        "dxvif-1"
    );
}

#[test]
fn pickers_look_at_what_is_in_use() {
    let api = Api::start(account(vec![
        vif("dxvif-1", "one", 1, "available"),
        vif("dxvif-2", "two", 2, "deleted"),
    ]));
    let vlan = api
        .dxctl(&["vlan", "pick", "--connection", "dxcon-1", "--json"])
        .json();
    assert_eq!(vlan["vlan"], 2);
    // 64512 is every gateway's default, 64513 the gateway's of this account.
    assert_eq!(api.dxctl(&["asn", "pick", "--json"]).json()["asn"], 64514);
    let wide = api.dxctl(&["asn", "pick", "--bits", "32"]);
    assert_eq!((wide.code, wide.out.as_str()), (0, "4200000000\n"));
    assert!(wide.err.contains("the lowest free one"), "{wide:?}");
    let address = api.dxctl(&["address", "pick", "--pool", "169.254.10.0/28"]);
    assert_eq!(address.out, "169.254.10.5/30,169.254.10.6/30\n");
    assert!(
        address
            .err
            .contains("169.254.10.0/30 is used by dxvif-1 (one)"),
        "{address:?}"
    );
    let ipv6 = api.dxctl(&["address", "pick", "--family", "ipv6"]);
    assert_eq!((ipv6.code, ipv6.out.as_str()), (0, "aws\n"));
}

#[test]
fn a_lag_carries_interfaces_as_a_connection_does() {
    let api = Api::start(|operation, input, before| match operation {
        "DescribeLags" => Answer::Json(json!({ "lags": [{
            "lagId": input["lagId"], "lagName": "pair", "lagState": "available",
        }] })),
        other => account(vec![vif("dxvif-1", "one", 1, "down")])(other, input, before),
    });
    let picked = api
        .dxctl(&["vlan", "pick", "--connection", "dxlag-1", "--json"])
        .json();
    assert_eq!(picked["vlan"], 2);
    assert_eq!(
        api.calls("DescribeVirtualInterfaces")[0]["connectionId"],
        "dxlag-1"
    );
    api.dxctl(&["vlan", "pick", "--connection", "trunk"])
        .fails(2, "dxcon-…");
}

#[test]
fn names_that_two_interfaces_share_are_told() {
    let api = Api::start(account(vec![
        vif("dxvif-1", "one", 1, "available"),
        vif("dxvif-2", "one", 2, "available"),
    ]));
    api.dxctl(&["vif", "show", "one"])
        .fails(1, "dxvif-1, dxvif-2");
    api.dxctl(&["vif", "show", "none"])
        .fails(1, "no virtual interface none");
}

#[test]
fn what_can_not_be_reached_says_what_where_and_what_to_do() {
    let refused = ("AWS_ENDPOINT_URL_DIRECT_CONNECT", "http://127.0.0.1:1");
    let run = run_dxctl(&["vif", "list"], &[refused]);
    run.fails(2, "connection refused");
    assert!(
        run.err.contains("http://127.0.0.1:1") && run.err.contains("--endpoint-url"),
        "{run:?}"
    );
    let run = run_dxctl(&["vif", "list"], &[refused, ("AWS_ACCESS_KEY_ID", "")]);
    run.fails(2, "no AWS credentials");
    assert!(run.err.contains("--profile"), "{run:?}");
    let run = run_dxctl(&["vif", "list"], &[refused, ("AWS_REGION", "")]);
    run.fails(2, "--region");
    run_dxctl(&["vif", "list", "--endpoint-url", "nonsense"], &[]).fails(2, "nonsense");
    run_dxctl(&["vif", "list", "--region", "EU Central"], &[refused]).fails(2, "is no AWS region");
    let run = run_dxctl(&["vif", "list", "--profile", "nope"], &[refused]);
    run.fails(2, "profile nope");
    assert!(run.err.contains("the profile is not there"), "{run:?}");
}

#[test]
fn throttling_and_denial_are_told_apart() {
    let denied = Api::start(|_, _, _| Answer::Error(400, "AccessDeniedException", "not you"));
    denied
        .dxctl(&["vif", "list"])
        .fails(1, "not allowed to do this");
    let busy = Api::start(|_, _, _| Answer::Error(400, "ThrottlingException", "Rate exceeded"));
    busy.dxctl(&["vif", "list"]).fails(2, "limiting the rate");
    assert!(
        busy.calls("DescribeVirtualInterfaces").len() > 1,
        "throttled calls are retried"
    );
}
