//! `dxctl router-config`: from AWS, from files, and against what exists.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use common::{Answer, Api, CANARY, account, run_dxctl, text, vif};
use serde_json::{Value, json};

const LINK: &str = r#"
hostname = "edge1"

[[link]]
name = "prod"
kind = "private"
parent = "TenGigabitEthernet0/0/0"
vlan = 101
asn = 65010
advertise = ["10.20.0.0/16"]
preference = "high"

[[link.session]]
local = "169.254.10.2/30"
peer = "169.254.10.1"
peer_asn = 64512
auth_key_file = "prod.key"
"#;

/// The file with its key beside it.
fn link_file(directory: &Path, name: &str, content: &str) -> String {
    let key = directory.join("prod.key");
    fs::write(&key, format!("{CANARY}\n")).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let file = directory.join(name);
    fs::write(&file, content).unwrap();
    text(&file).to_owned()
}

fn second_vif() -> Value {
    let mut second = vif("dxvif-2", "second", 102, "available");
    second["bgpPeers"][0]["amazonAddress"] = json!("169.254.11.1/30");
    second["bgpPeers"][0]["customerAddress"] = json!("169.254.11.2/30");
    second
}

fn two() -> Api {
    Api::start(account(vec![
        vif("dxvif-1", "prod", 101, "available"),
        second_vif(),
    ]))
}

#[test]
fn every_platform_is_listed() {
    let run = run_dxctl(&["router-config", "--list-platforms", "--json"], &[]);
    let platforms: Value = serde_json::from_str(&run.out).unwrap();
    for name in ["cisco_ios_xe", "juniper_srx", "arista_eos"] {
        let all = platforms.as_array().unwrap();
        assert!(all.iter().any(|one| one["platform"] == name), "{run:?}");
    }
}

#[test]
fn several_vifs_go_onto_one_router_with_options_for_each() {
    let run = two().dxctl(&[
        "router-config",
        "prod",
        "second",
        "--platform",
        "cisco_ios_xe",
        "--advertise",
        "10.20.0.0/16",
        "--preference",
        "prod=high",
        "--preference",
        "second=low",
        "--vrf",
        "second=DEV",
        "--backup-gateway",
        "203.0.113.1",
    ]);
    assert_eq!(run.code, 0, "{run:?}");
    for line in [
        "interface TenGigabitEthernet0/0/0.101",
        "interface TenGigabitEthernet0/0/0.102",
        " vrf forwarding DEV",
        " set community 7224:7300",
        " set community 7224:7100",
        "ip route 0.0.0.0 0.0.0.0 203.0.113.1 250",
    ] {
        assert!(run.out.lines().any(|is| is == line), "{line}: {run:?}");
    }
}

#[test]
fn a_pair_is_two_texts_whose_preferences_fit() {
    let api = two();
    let asked = [
        "router-config",
        "prod",
        "second",
        "--pair",
        "--platform",
        "arista_eos",
        "--preference",
        "prod=high",
        "--json",
    ];
    let unfit = api.dxctl(&asked);
    unfit.fails(1, "both need a preference");
    let run = api.dxctl(&[&asked[..], &["--preference", "second=low"]].concat());
    let answer: Value = serde_json::from_str(&run.out).unwrap();
    let routers = answer["routers"].as_array().unwrap();
    assert_eq!(routers.len(), 2);
    assert!(routers[0]["text"].as_str().unwrap().contains("7224:7300"));
    assert!(routers[1]["text"].as_str().unwrap().contains("7224:7100"));
    api.dxctl(&asked[..2]).fails(2, "--platform");
}

#[test]
fn a_key_that_aws_hides_is_refused_given_or_left_out_by_choice() {
    let mut hidden = vif("dxvif-1", "prod", 101, "available");
    hidden["bgpPeers"][0]["authKey"] = Value::Null;
    hidden["authKey"] = Value::Null;
    let api = Api::start(account(vec![hidden]));
    let asked = ["router-config", "prod", "--platform", "cisco_nxos"];
    api.dxctl(&asked).fails(1, "--auth-key-file");
    let run = api.dxctl(&[&asked[..], &["--allow-no-key"]].concat());
    assert!(
        run.code == 0 && run.out.contains("!!! NO MD5 KEY"),
        "{run:?}"
    );
    let directory = tempfile::tempdir().unwrap();
    link_file(directory.path(), "unused.toml", "");
    let key = directory.path().join("prod.key");
    let given = ["--auth-key-file", text(&key), "--reveal"];
    let run = api.dxctl(&[&asked[..], &given].concat());
    assert!(run.out.contains(&format!("password 0 {CANARY}")), "{run:?}");
}

#[test]
fn a_link_file_needs_no_aws_and_every_part_stands_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = link_file(directory.path(), "edge1.toml", LINK);
    let asked = ["router-config", "--link", &file, "--platform"];
    let run = run_dxctl(&[&asked[..], &["cisco_ios_xe"]].concat(), &[]);
    assert!(run.code == 0 && run.out.contains("router edge1"), "{run:?}");
    assert!(!run.out.contains(CANARY), "{run:?}");
    let set = run_dxctl(&[&asked[..], &["juniper_junos", "--set"]].concat(), &[]);
    assert!(
        set.out
            .contains("set interfaces TenGigabitEthernet0/0/0 unit 101 vlan-id 101\n"),
        "{set:?}"
    );
    let out = run_dxctl(&[&asked[..], &["cisco_ios_xe", "--rollback"]].concat(), &[]);
    assert!(out.out.starts_with("configure terminal\n"), "{out:?}");
    run_dxctl(&[&asked[..], &["cisco_ios_xe", "--set"]].concat(), &[]).fails(1, "no form \"set\"");
}

#[test]
fn the_readmes_link_file_is_one() {
    let readme = include_str!("../../vendor-configs/README.md");
    let toml = readme.split("```toml").nth(1).unwrap();
    let toml = toml.split("```").next().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = link_file(directory.path(), "edge1.toml", toml);
    let asked = ["router-config", "--link", &file, "--platform", "cisco_ios"];
    let run = run_dxctl(&[&asked[..], &["--reveal"]].concat(), &[]);
    assert!(run.out.contains("Still to fill in: nothing"), "{run:?}");
    let route = "ip route vrf PROD 10.128.0.0 255.128.0.0 Tunnel1 203.0.113.1 250";
    assert!(run.out.contains(route), "{run:?}");
}

#[test]
fn a_link_files_mistakes_name_their_place() {
    let directory = tempfile::tempdir().unwrap();
    for (from, to, words) in [
        ("vlan = 101", "vlan = 5000", "line 8"),
        ("vlan = 101", "vlam = 101", "vlam"),
        ("auth_key_file", "# ", "is not known"),
        ("10.20.0.0/16", "10.20.1.0/16", "did you mean 10.20.0.0/16"),
        ("name = \"prod\"", "name = \"a b\"", "is no name"),
    ] {
        let file = link_file(directory.path(), "bad.toml", &LINK.replace(from, to));
        let asked = ["router-config", "--link", &file, "--platform", "frr"];
        run_dxctl(&asked, &[]).fails(1, words);
    }
}

#[test]
fn templates_can_be_taken_out_changed_and_used() {
    let directory = tempfile::tempdir().unwrap();
    let templates = directory.path().join("own");
    let export = [
        "router-config",
        "--platform",
        "arista_eos",
        "--export-templates",
        text(&templates),
    ];
    assert_eq!(run_dxctl(&export, &[]).code, 0);
    run_dxctl(&export, &[]).fails(1, "is there already");
    let verify = templates.join("arista_eos/verify.j2");
    let file = link_file(directory.path(), "edge1.toml", LINK);
    let asked = [
        "router-config",
        "--link",
        &file,
        "--platform",
        "arista_eos",
        "--verify",
        "--template-dir",
        text(&templates),
    ];
    fs::write(&verify, "show vlan {{ links[0].vlan }}\n").unwrap();
    assert_eq!(run_dxctl(&asked, &[]).out, "show vlan 101\n");
    fs::write(&verify, "\n{{ links[0].vlam }}\n").unwrap();
    run_dxctl(&asked, &[]).fails(
        1,
        "template arista_eos/verify.j2, line 2: there is no field `links[0].vlam`",
    );
}

#[test]
fn our_own_text_passes_the_check_and_a_changed_one_does_not() {
    let directory = tempfile::tempdir().unwrap();
    let file = link_file(directory.path(), "edge1.toml", LINK);
    for platform in ["cisco_ios_xe", "juniper_junos"] {
        let asked = ["router-config", "--link", &file, "--platform", platform];
        let ours = run_dxctl(&[&asked[..], &["--reveal"]].concat(), &[]);
        let running = directory.path().join("running");
        fs::write(&running, &ours.out).unwrap();
        let check = [&asked[..], &["--check", text(&running)]].concat();
        assert_eq!(run_dxctl(&check, &[]).code, 0, "{platform}");
        fs::write(&running, ours.out.replace("101", "102")).unwrap();
        let run = run_dxctl(&check, &[]);
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.out.contains("VLAN"), "{run:?}");
        assert!(!run.out.contains(CANARY), "{run:?}");
    }
}

#[test]
fn a_difference_that_matters_is_exit_1_and_a_key_that_differs_is_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    let file = link_file(directory.path(), "edge1.toml", LINK);
    let asked = ["router-config", "--link", &file, "--platform", "cisco_nxos"];
    let ours = run_dxctl(&[&asked[..], &["--reveal"]].concat(), &[]);
    let running = directory.path().join("running");
    let diff = [&asked[..], &["--diff", text(&running)]].concat();
    fs::write(&running, ours.out.replace("! ", "!! ")).unwrap();
    let run = run_dxctl(&diff, &[]);
    assert_eq!((run.code, run.out.as_str()), (0, ""), "{run:?}");
    let changed = ours
        .out
        .replace(CANARY, "another0KEY")
        .replace("timers 30 90", "timers 3 9");
    fs::write(&running, changed).unwrap();
    let run = run_dxctl(&diff, &[]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.out.contains("+ timers 30 90"), "{run:?}");
    assert!(run.out.contains("whose key differs"), "{run:?}");
    for key in [CANARY, "another0KEY"] {
        assert!(!run.out.contains(key) && !run.err.contains(key), "{run:?}");
    }
}

#[test]
fn awss_own_sample_comes_without_its_key() {
    let answers = account(vec![vif("dxvif-1", "prod", 101, "available")]);
    let api = Api::start(move |operation, input, count| match operation {
        "DescribeRouterConfiguration" => Answer::Json(json!({
            "customerRouterConfig": format!(
                "router bgp 65010\n neighbor 169.254.10.1 password {CANARY}\n"
            ),
            "virtualInterfaceId": input["virtualInterfaceId"],
        })),
        _ => answers(operation, input, count),
    });
    let run = api.dxctl(&[
        "router-config",
        "prod",
        "--from-aws",
        "CiscoSystemsInc-2900SeriesRouters-IOS124",
    ]);
    assert_eq!(
        run.out,
        "router bgp 65010\n neighbor 169.254.10.1 password <auth-key>\n"
    );
    assert!(run.err.contains("filters nothing"), "{run:?}");
}
