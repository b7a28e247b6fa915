//! Any operation by its name, and the verbs that are one each.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Answer, Api, CANARY};
use serde_json::json;

#[test]
fn a_verb_asks_for_its_operation_and_shows_the_answer() {
    let api = Api::start(|_, _, _| Answer::Json(json!({ "connectionState": "ordering" })));
    let run = api.dxctl(&[
        "connection",
        "host",
        "--on",
        "dxcon-1",
        "--account",
        "444455556666",
        "--name",
        "branch",
        "--vlan",
        "200",
        "--bandwidth",
        "500Mbps",
    ]);
    assert_eq!(run.json()["connectionState"], "ordering");
    let asked = json!({ "connectionId": "dxcon-1", "ownerAccount": "444455556666", "connectionName": "branch",
        "vlan": 200, "bandwidth": "500Mbps" });
    assert_eq!(api.calls("AllocateHostedConnection"), [asked]);
}

#[test]
fn a_request_comes_from_a_file_and_keys_never_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("vif.json");
    let request = json!({ "connectionId": "dxcon-1",
        "newPrivateVirtualInterface": { "virtualInterfaceName": "a", "vlan": 7, "authKey": CANARY } });
    std::fs::write(&file, request.to_string()).unwrap();
    let api = Api::start(|_, _, _| {
        Answer::Json(
            json!({ "vlan": 7, "authKey": CANARY, "customerRouterConfig": format!("<k>{CANARY}</k>"),
            "bgpPeers": [{ "authKey": CANARY }] }),
        )
    });
    let file = file.to_str().unwrap();
    let run = api.dxctl(&[
        "api",
        "CreatePrivateVirtualInterface",
        "--cli-input-json",
        file,
    ]);
    assert_eq!(run.json()["vlan"], 7);
    assert!(
        !run.out.contains(CANARY) && !run.err.contains(CANARY),
        "{run:?}"
    );
    assert_eq!(api.calls("CreatePrivateVirtualInterface"), [request]);
    api.dxctl(&[
        "api",
        "CreatePrivateVirtualInterface",
        "--cli-input-json",
        file,
        "--reveal",
    ])
    .fails(1, "on a terminal only");
}

#[test]
fn what_does_not_fit_the_model_is_never_sent() {
    let api = Api::start(|_, _, _| Answer::Json(json!({})));
    api.dxctl(&["api", "UpdateConnection"])
        .fails(2, "'connectionId'");
    api.dxctl(&["api", "UpdateConection"])
        .fails(2, "UpdateConnection is meant?");
    api.dxctl(&["connection", "delete", "dxcon-1"])
        .fails(1, "give --yes");
    api.dxctl(&["api", "DeleteLag", "--cli-input-json", "/nonexistent"])
        .fails(2, "/nonexistent: ");
    assert!(api.calls("UpdateConnection").is_empty() && api.calls("DeleteConnection").is_empty());
}

#[test]
fn pages_are_read_to_the_end() {
    let api = Api::start(|_, input, _| match input["nextToken"].as_str() {
        None => Answer::Json(json!({ "lags": [{ "lagId": "dxlag-1" }], "nextToken": "more" })),
        Some(_) => Answer::Json(json!({ "lags": [{ "lagId": "dxlag-2" }] })),
    });
    let answer = api.dxctl(&["lag", "list"]).json();
    assert_eq!(
        answer,
        json!({ "lags": [{ "lagId": "dxlag-1" }, { "lagId": "dxlag-2" }] })
    );
}

#[test]
fn a_change_is_asked_for_once_and_a_question_again() {
    let api = Api::start(|_, _, before| match before {
        0 => Answer::Error(500, "DirectConnectServerException", "try later"),
        _ => Answer::Json(json!({ "lags": [] })),
    });
    api.dxctl(&["connection", "confirm", "dxcon-1"])
        .fails(2, "could not call ConfirmConnection");
    assert_eq!(api.calls("ConfirmConnection").len(), 1);
    assert_eq!(api.dxctl(&["lag", "list"]).code, 0);
    assert_eq!(api.calls("DescribeLags").len(), 2);
}

#[test]
fn a_letter_of_authorization_is_saved_and_one_that_is_not_there_yet_is_explained() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("loa.pdf");
    let api = Api::start(|_, _, before| match before {
        0 => Answer::Json(
            json!({ "loaContent": "JVBERi0xLjQ=", "loaContentType": "application/pdf" }),
        ),
        _ => Answer::Json(json!({})),
    });
    let out = file.to_str().unwrap();
    assert_eq!(
        api.dxctl(&["connection", "loa", "dxcon-1", "--out", out])
            .code,
        0
    );
    assert_eq!(std::fs::read(&file).unwrap(), b"%PDF-1.4");
    api.dxctl(&["connection", "loa", "dxcon-1", "--out", out])
        .fails(1, "up to 72 hours");
}

#[test]
fn completions_and_manual_pages_name_every_verb() {
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().to_str().unwrap();
    assert_eq!(common::run_dxctl(&["man", pages], &[]).code, 0);
    let script = common::run_dxctl(&["completions", "bash"], &[]).out;
    for verb in ["plan", "apply", "monitor", "vif", "connection-loa"] {
        let page = directory.path().join(format!("dxctl-{verb}.1"));
        assert!(page.exists(), "{verb}");
        let word = verb.split('-').next_back().unwrap();
        assert!(script.contains(word), "{verb}");
    }
}
