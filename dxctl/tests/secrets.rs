//! No key in any output: the account's answers are full of one.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{
    Answer, Api, CANARY, Daemon, account, bgpd_routes, bgpd_status, run_dxctl, text, vif,
};

/// Everything that reads a virtual interface, at the noisiest log level.
#[test]
fn no_verb_shows_a_key_at_any_log_level() {
    let api = Api::start(account(vec![vif("dxvif-1", "prod", 101, "available")]));
    let daemon = Daemon::start(bgpd_status(), bgpd_routes());
    let directory = tempfile::tempdir().unwrap();
    let verbs: &[&[&str]] = &[
        &["vif", "list"],
        &["vif", "show", "prod"],
        &["vif", "wait", "prod", "--for", "up"],
        &["vif", "delete", "prod", "--yes"],
        &[
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
        ],
        &["vif", "add-peer", "prod"],
        &["asn", "pick"],
        &["vlan", "pick", "--connection", "dxcon-1"],
        &["address", "pick"],
        &["router-config", "prod", "--platform", "cisco_ios_xe"],
        &["router-config", "prod", "--platform", "juniper_junos"],
        &[
            "bgpd-config",
            "prod",
            "--parent",
            "eth1",
            "--yes",
            "--out-dir",
            text(directory.path()),
        ],
        &["status"],
        &["monitor", "--count", "1"],
        &["routes"],
    ];
    let socket = daemon.socket();
    for verb in verbs {
        for json in [&[][..], &["--json"]] {
            let arguments = [*verb, json].concat();
            let run = run_dxctl(
                &arguments,
                &[
                    ("AWS_ENDPOINT_URL_DIRECT_CONNECT", api.url.as_str()),
                    ("BGPD_SOCKET", text(&socket)),
                    ("RUST_LOG", "trace"),
                ],
            );
            let silent = !run.out.contains(CANARY) && !run.err.contains(CANARY);
            assert!(silent, "{arguments:?} shows the key");
        }
    }
    assert_eq!(
        fs::read_to_string(directory.path().join("keys/prod"))
            .unwrap()
            .trim_end(),
        CANARY
    );
    assert!(
        !fs::read_to_string(directory.path().join("bgpd.toml"))
            .unwrap()
            .contains(CANARY)
    );
}

/// An SDK error holds the response in its Debug.
#[test]
fn an_answer_that_can_not_be_read_shows_no_key() {
    let api = Api::start(|_, _, _| {
        Answer::Broken(format!(
            "{{\"virtualInterfaces\":[{{\"authKey\":\"{CANARY}\", oops"
        ))
    });
    for log in ["error", "trace"] {
        let run = run_dxctl(
            &["vif", "list"],
            &[
                ("AWS_ENDPOINT_URL_DIRECT_CONNECT", api.url.as_str()),
                ("RUST_LOG", log),
            ],
        );
        assert_eq!(run.code, 2, "{run:?}");
        assert!(!run.err.contains(CANARY), "{run:?}");
    }
}

#[test]
fn the_key_is_in_the_routers_text_only_when_asked() {
    let api = Api::start(account(vec![vif("dxvif-1", "prod", 101, "available")]));
    let asked = ["router-config", "prod", "--platform", "cisco_ios_xe"];
    let hidden = api.dxctl(&asked);
    assert!(
        hidden.code == 0 && hidden.out.contains("<auth-key>"),
        "{hidden:?}"
    );
    assert!(hidden.err.contains("--reveal"), "{hidden:?}");
    let shown = api.dxctl(&[&asked[..], &["--reveal"]].concat());
    assert!(shown.out.contains(CANARY) && !shown.err.contains(CANARY));
}
