//! `--explain`: what every choice was made from, in text and in JSON, the same each time.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Api, CANARY, Run, account, run_dxctl, text, vif};
use serde_json::{Value, json};

const SITE: &str = r#"
[site]
name = "fra"
[[connection]]
name = "trunk"
[[vif]]
name = "new"
kind = "private"
connection = "trunk"
gateway = "vgw-1"
key = "generate:keys/new"
[[vif]]
name = "next"
kind = "private"
connection = "trunk"
gateway = "vgw-1"
"#;

/// VLAN 1 and 169.254.1.4/30 are taken, and 65000 is AWS's side of a gateway.
fn api() -> Api {
    let mut there = vif("dxvif-1", "prod", 1, "available");
    there["asnLong"] = json!(64513);
    {
        let peer = &mut there["bgpPeers"][0];
        peer["amazonAddress"] = json!("169.254.1.5/30");
        peer["customerAddress"] = json!("169.254.1.6/30");
    }
    Api::start(account(vec![there]))
}

fn excluded(choice: &Value) -> Vec<(&str, &str, bool)> {
    let all = choice["excluded"].as_array().unwrap().iter();
    let one = |one: &'_ Value| -> Option<(&'static str, &'static str, bool)> {
        let text = |key: &str| Some(&*one[key].as_str()?.to_owned().leak());
        Some((text("what")?, text("by")?, one["passed"].as_bool()?))
    };
    all.map(|value| one(value).unwrap()).collect()
}

#[test]
fn pick_verbs_tell_what_was_not_free_and_by_whom() {
    let api = api();
    let asn = api.dxctl(&["asn", "pick", "--explain", "--json"]).json();
    assert_eq!(asn["asn"], 64514);
    let told = excluded(&asn);
    let default = ("64512", "the default of every Direct Connect gateway", true);
    assert_eq!(told[0], default);
    assert_eq!(told[1], ("64513", "our side of dxvif-1 (prod)", true));
    assert_eq!(told.last(), Some(&("65535", "reserved (RFC 7300)", false)));

    let vlan = [
        "vlan",
        "pick",
        "--connection",
        "dxcon-1",
        "--explain",
        "--json",
    ];
    let vlan = api.dxctl(&vlan).json();
    assert_eq!(
        (&vlan["vlan"], excluded(&vlan)),
        (&json!(2), vec![("1", "dxvif-1 (prod)", true)])
    );

    let addresses = api
        .dxctl(&["address", "pick", "--explain", "--json"])
        .json();
    let told = excluded(&addresses);
    let is_told = |wanted: (&str, &str, bool)| assert!(told.contains(&wanted), "{told:?}");
    is_told(("169.254.1.4/30", "used by dxvif-1 (prod)", true));
    is_told(("169.254.169.123/32", "used by AWS inside every VPC", false));
    is_told(("169.254.0.0/24", "reserved (RFC 3927)", true));
    let own = ["address", "pick", "--pool", "127.0.0.0/24", "--offline"];
    run_dxctl(&own, &[]).fails(1, "127.0.0.0/8 is used by this host's lo");
    assert_eq!(
        api.dxctl(&["asn", "pick", "--json"]).json().get("excluded"),
        None
    );
}

fn plan(api: &Api, more: &[&str]) -> Run {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("site.toml");
    std::fs::write(&file, SITE).unwrap();
    let run = api.dxctl(&[&["plan", text(&file)], more].concat());
    assert_eq!(run.code, 1, "{run:?}");
    let here = text(directory.path());
    Run {
        code: 1,
        out: run.out.replace(here, "HERE"),
        err: run.err.replace(here, "HERE"),
    }
}

#[test]
fn a_plan_tells_each_choice_and_tells_it_the_same_each_time() {
    let api = api();
    let first = plan(&api, &["--explain"]);
    assert_eq!(first.err, plan(&api, &["--explain"]).err);
    for line in [
        "note: vif \"new\": VLAN 2: the lowest free one from 1 on dxcon-1; in use below it: 1\n    1  passed over: dxvif-1 (prod)",
        "\"next\": VLAN 3",
        "    2  passed over: vif \"new\" of the site",
        "    169.254.1.4/30      passed over: used by dxvif-1 (prod)",
        "    169.254.1.8/30      passed over: picked for new",
        "note: AS ",
        "    64512  not free: the default of every Direct Connect gateway",
        "vif \"new\", ipv4: MD5 key (not shown): made here by the system's random generator: 24 letters",
        "kept in HERE/keys/new, mode 0600",
        "vif \"next\", ipv4: MD5 key (not shown): AWS makes it",
    ] {
        assert!(first.err.contains(line), "{line}: {}", first.err);
    }
    assert!(!first.err.contains(CANARY));
    let short = plan(&api, &[]);
    assert!(
        !short.err.contains("passed over") && !short.err.contains("MD5 key"),
        "{short:?}"
    );

    let json: Value = serde_json::from_str(&plan(&api, &["--explain", "--json"]).out).unwrap();
    let choices = json["choices"].as_array().unwrap();
    let vlan = choices.iter().find(|one| one["what"] == "VLAN").unwrap();
    assert_eq!(
        (&vlan["of"], &vlan["value"]),
        (&json!("vif \"new\""), &json!("2"))
    );
    assert_eq!(excluded(vlan).len(), 1);
    let keys = choices.iter().filter(|one| one["what"] == "MD5 key");
    assert_eq!(keys.count(), 2);
}

#[test]
fn a_full_pool_says_who_has_it() {
    let full = [
        "address",
        "pick",
        "--pool",
        "169.254.169.252/30",
        "--offline",
    ];
    run_dxctl(&full, &[]).fails(1, "169.254.169.252/30 is used by AWS inside every VPC");
}
