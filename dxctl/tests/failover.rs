//! `failover test` and `failover drill`: that what was started is stopped,
//! whatever happens, and that the report says what was. The traffic goes to the
//! loopback address; `tests/` has the same with real routers.
#![allow(clippy::unwrap_used)]

mod common;

use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Answer, Api, Daemon, Run, account, bgpd_status, dxctl_command, text, vif};
use serde_json::{Value, json};

/// Changes bgpd's status.
type Edit = fn(&mut Value);

/// AWS and bgpd with one session between them, which a test takes down.
struct Link {
    api: Api,
    daemon: Daemon,
    is_down: Arc<AtomicBool>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stopping {
    Works,
    /// Only at the third call.
    WorksLate,
    Fails,
}

const UNCLEAR: Answer = Answer::Error(500, "DirectConnectServerException", "try later");

impl Link {
    fn new(stopping: Stopping, edit: Edit) -> Self {
        let is_down = Arc::new(AtomicBool::new(false));
        let seen = is_down.clone();
        let vifs = account(vec![vif("dxvif-1", "prod", 101, "available")]);
        let api = Api::start(move |operation, input, before| match operation {
            "StartBgpFailoverTest" => {
                seen.store(true, Ordering::SeqCst);
                Answer::Json(json!({ "virtualInterfaceTest": { "status": "in_progress" } }))
            }
            "StopBgpFailoverTest" if stopping == Stopping::Fails => UNCLEAR,
            "StopBgpFailoverTest" if stopping == Stopping::WorksLate && before < 2 => UNCLEAR,
            "StopBgpFailoverTest" => {
                seen.store(false, Ordering::SeqCst);
                Answer::Json(json!({ "virtualInterfaceTest": { "status": "cancelled" } }))
            }
            _ => vifs(operation, input, before),
        });
        let state = is_down.clone();
        let daemon = Daemon::scripted(move |(method, path, body)| match (method, path) {
            ("POST", "/v1/drill") => {
                assert_eq!(body["name"], "prod");
                state.store(true, Ordering::SeqCst);
                (200, json!({ "names": ["prod"] }))
            }
            ("POST", "/v1/drill/stop") => {
                let was_down = state.swap(false, Ordering::SeqCst);
                let error = json!({ "error": "there is no drill of prod" });
                if was_down {
                    (200, json!({ "names": ["prod"] }))
                } else {
                    (422, error)
                }
            }
            (_, "/v1/status") => (200, status(state.load(Ordering::SeqCst), edit)),
            (_, path) if path.starts_with("/v1/events") => (200, events(path)),
            (_, path) if path.starts_with("/v1/routes") => routes(path),
            _ => (404, json!({ "error": "no such thing" })),
        });
        Self {
            api,
            daemon,
            is_down,
        }
    }

    fn spawn(&self, arguments: &[&str]) -> Child {
        let socket = self.daemon.socket();
        let variables = [
            ("BGPD_SOCKET", text(&socket)),
            ("AWS_ENDPOINT_URL_DIRECT_CONNECT", &self.api.url),
        ];
        let mut command = dxctl_command(arguments, &variables);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Run {
        Run::from(self.spawn(arguments).wait_with_output().unwrap())
    }

    fn is_stopped(&self) -> bool {
        !self.is_down.load(Ordering::SeqCst)
    }

    fn until_down(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.is_stopped() {
            assert!(Instant::now() < deadline, "nothing was started");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn status(is_down: bool, edit: Edit) -> Value {
    let mut status = bgpd_status();
    status["peers"][0]["backup"] = json!("internet");
    for path in status["paths"].as_array_mut().unwrap() {
        path["interface"] = json!("lo");
        path["health"] = json!({ "state": "up", "since": 1.0, "failures": 0 });
    }
    if is_down {
        status["peers"][0]["state"] = json!("Idle");
        status["paths"][0]["carries"] = json!(0);
        status["paths"][1]["carries"] = json!(2);
    }
    edit(&mut status);
    status
}

fn events(path: &str) -> Value {
    let event = json!({
        "sequence": 8, "at": 1_795_000_000.5, "subject": "prod", "kind": "session",
        "text": "down: <Administrative Shutdown>", "evidence": [],
    });
    let events = if path.ends_with("after=7") {
        vec![event]
    } else {
        vec![json!({ "sequence": 7, "at": 1.0, "subject": "prod", "text": "earlier" })]
    };
    json!({ "events": events })
}

fn routes(path: &str) -> (u16, Value) {
    let route = json!({ "prefix": "127.0.0.0/8", "paths": [{
        "peer": "prod", "best": true, "stale": false, "why_not_best": null,
        "next_hop": "169.254.10.1", "as_path": "64512", "origin": "igp", "med": null,
        "local_pref": 300, "communities": [], "large_communities": [], "extended_communities": [],
    }] });
    if path.starts_with("/v1/routes/") {
        return (200, route);
    }
    (200, json!({ "routes": [route], "truncated": false }))
}

const QUICK: &[&str] = &["--duration", "1s", "--yes", "--recovery", "20s"];

fn test<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["failover", "test", "prod"], QUICK, more].concat()
}

#[test]
fn a_test_passes_is_stopped_and_reported_in_three_ways() {
    let link = Link::new(Stopping::Works, |_| ());
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("report.html");
    let run = link.run(&test(&["--html", text(&page)]));
    assert_eq!(run.code, 0, "{run:?}");
    assert!(link.is_stopped());
    let started = link.api.calls("StartBgpFailoverTest");
    assert_eq!(started.len(), 1);
    assert_eq!(started[0]["virtualInterfaceId"], "dxvif-1");
    assert_eq!(started[0]["testDurationInMinutes"], 2);
    assert!(
        run.out.starts_with("failover test of prod: PASSED\n"),
        "{run:?}"
    );
    assert!(run.out.contains("internet carries 2 prefixes"), "{run:?}");
    assert!(
        run.err.contains("ok     prefixes: all 1 have another path"),
        "{run:?}"
    );

    let html = std::fs::read_to_string(&page).unwrap();
    assert!(
        html.starts_with("<!DOCTYPE html>") && html.contains("<svg"),
        "{html}"
    );
    // Nothing is loaded, nothing runs, and nothing from outside is markup.
    for forbidden in [
        "<script",
        "http://",
        "https://",
        "src=",
        "href=",
        "url(",
        "<Administrative",
    ] {
        assert!(!html.contains(forbidden), "{forbidden} in the page");
    }
    assert!(html.contains("&lt;Administrative Shutdown&gt;"));
}

#[test]
fn the_report_as_json_has_the_figures() {
    let link = Link::new(Stopping::Works, |_| ());
    let report = link.run(&test(&["--json", "--rate", "200"])).json();
    assert_eq!(
        (&report["passed"], &report["kind"]),
        (&json!(true), &json!("failover test"))
    );
    let parts: Vec<&str> = report["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["name"].as_str().unwrap())
        .collect();
    assert_eq!(parts, ["before", "on the backup", "return"]);
    let away = &report["parts"][1]["targets"][0];
    assert_eq!(away["target"], "127.0.0.1");
    assert!(
        away["sent"].as_u64().unwrap() > 50 && away["lost"] == 0,
        "{away}"
    );
    assert_eq!(report["events"][0]["sequence"], 8);
    assert!(report["marks"]["down"].as_f64() >= report["marks"]["started"].as_f64());
}

#[test]
fn signals_in_the_middle_stop_the_test() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let link = Link::new(Stopping::Works, |_| ());
        let arguments = ["failover", "test", "prod", "--duration", "5m", "--yes"];
        let child = link.spawn(&arguments);
        link.until_down();
        std::thread::sleep(Duration::from_millis(300));
        let pid = child.id().to_string();
        let sent = std::process::Command::new("kill")
            .args([signal, &pid])
            .status();
        assert!(sent.unwrap().success());
        let run = Run::from(child.wait_with_output().unwrap());
        assert!(link.is_stopped(), "{signal}: {run:?}");
        assert_eq!(run.code, 1, "{signal}: {run:?}");
        assert!(run.out.contains("FAILED  interrupted"), "{signal}: {run:?}");
    }
}

#[test]
fn a_bgpd_that_goes_away_in_the_middle_stops_the_test() {
    // The sessions never seem to come back: the measuring goes on, then it ends.
    let link = Link::new(Stopping::Works, |_| ());
    let arguments = [
        "failover",
        "test",
        "prod",
        "--duration",
        "2s",
        "--yes",
        "--recovery",
        "2s",
    ];
    let child = link.spawn(&arguments);
    link.until_down();
    std::fs::remove_file(link.daemon.socket()).unwrap();
    let run = Run::from(child.wait_with_output().unwrap());
    assert!(link.is_stopped() && run.code == 1, "{run:?}");
    assert!(
        run.out.contains("not everything was back after 2 s"),
        "{run:?}"
    );
}

#[test]
fn stopping_is_tried_again_and_its_failure_says_what_to_do() {
    let link = Link::new(Stopping::WorksLate, |_| ());
    let run = link.run(&test(&[]));
    assert!(link.is_stopped() && run.code == 0, "{run:?}");

    let link = Link::new(Stopping::Fails, |_| ());
    let arguments = [
        "failover",
        "test",
        "prod",
        "--duration",
        "1s",
        "--yes",
        "--recovery",
        "1s",
    ];
    let run = link.run(&arguments);
    assert!(run.code == 1 && !link.is_stopped(), "{run:?}");
    let command = "aws directconnect stop-bgp-failover-test --virtual-interface-id dxvif-1";
    assert!(
        run.out.contains("IT IS STILL RUNNING") && run.out.contains(command),
        "{run:?}"
    );
    assert!(run.err.contains("IT COULD NOT BE STOPPED"), "{run:?}");
}

#[test]
fn a_drill_needs_no_aws() {
    let link = Link::new(Stopping::Works, |_| ());
    let arguments = [&["failover", "drill", "prod"], QUICK].concat();
    let run = link.run(&arguments);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.out.starts_with("failover drill of prod: PASSED\n"),
        "{run:?}"
    );
    assert!(link.is_stopped());
    assert_eq!(link.api.calls("StartBgpFailoverTest").len(), 0);
    assert_eq!(link.api.calls("DescribeVirtualInterfaces").len(), 0);
}

#[test]
fn a_session_that_was_down_before_is_neither_waited_for_nor_taken_for_the_fault() {
    let link = Link::new(Stopping::Works, |status| {
        let mut other = status["peers"][0].clone();
        (other["name"], other["state"]) = (json!("prod-v6"), json!("Idle"));
        status["peers"].as_array_mut().unwrap().push(other);
        status["vifs"][0]["sessions"] = json!(["prod", "prod-v6"]);
    });
    let arguments = [&["failover", "drill", "prod"], QUICK].concat();
    let run = link.run(&arguments);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.err.contains("prod-v6 is Idle"), "{run:?}");
}

#[test]
fn a_backup_that_is_not_fit_forbids_the_test() {
    let unfit: [(Edit, &str); 3] = [
        (
            |status| status["paths"][1]["up"] = json!(false),
            "backup's health",
        ),
        (
            |status| status["paths"][1]["health"]["state"] = json!("degraded"),
            "backup's health",
        ),
        (
            |status| status["peers"][0]["backup"] = Value::Null,
            "prefixes",
        ),
    ];
    for (edit, why) in unfit {
        let link = Link::new(Stopping::Works, edit);
        let run = link.run(&test(&[]));
        run.fails(1, "not started");
        assert!(
            run.err.contains(why) && run.err.contains("--force"),
            "{run:?}"
        );
        assert_eq!(link.api.calls("StartBgpFailoverTest").len(), 0);
    }
}

#[test]
fn nothing_is_taken_down_without_consent_a_target_or_the_vif() {
    let link = Link::new(Stopping::Works, |_| ());
    link.run(&["failover", "test", "prod"]).fails(1, "--yes");
    link.run(&test(&["--target", "192.0.2.1"]))
        .fails(1, "192.0.2.1 does not answer");
    link.run(&["failover", "test", "nobody", "--yes"])
        .fails(1, "no virtual interface nobody");
    link.run(&["failover", "drill", "nobody", "--yes"])
        .fails(1, "it has: internet, prod");
    let long = ["failover", "drill", "prod", "--yes", "--duration", "2h"];
    link.run(&long).fails(1, "bgpd takes 3590 s at most");
    let unwritable = test(&["--html", "/nonexistent/report.html"]);
    link.run(&unwritable).fails(2, "can't be written to");
    assert_eq!(link.api.calls("StartBgpFailoverTest").len(), 0);
}
