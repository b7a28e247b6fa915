//! What `--help` says, for every verb; `INSTA_UPDATE=always cargo test -p dxctl
//! --test help` writes it again.
#![allow(clippy::unwrap_used)]

mod common;

use common::run_dxctl;

#[test]
fn help_is_as_reviewed() {
    let verbs: &[&[&str]] = &[
        &[],
        &["validate"],
        &["plan"],
        &["apply"],
        &["destroy"],
        &["import"],
        &["asn", "pick"],
        &["vlan", "pick"],
        &["address", "pick"],
        &["vif"],
        &["vif", "create"],
        &["vif", "add-peer"],
        &["vif", "rotate-key"],
        &["vif", "allocate"],
        &["vif", "confirm"],
        &["vif", "list"],
        &["vif", "show"],
        &["vif", "wait"],
        &["vif", "delete"],
        &["router-config"],
        &["bgpd-config"],
        &["status"],
        &["monitor"],
        &["events"],
        &["check"],
        &["drain"],
        &["undrain"],
        &["failover"],
        &["failover", "test"],
        &["failover", "drill"],
        &["routes"],
        &["routes", "explain"],
        &["connection"],
        &["lag"],
        &["macsec"],
        &["proposal"],
        &["resiliency"],
        &["tag"],
        &["api"],
        &["iam-policy"],
        &["cost"],
        &["export", "terraform"],
        &["completions"],
        &["man"],
    ];
    for verb in verbs {
        let run = run_dxctl(&[*verb, &["--help"]].concat(), &[("COLUMNS", "100")]);
        assert_eq!((run.code, run.err.as_str()), (0, ""));
        let name = ["dxctl"]
            .iter()
            .chain(*verb)
            .copied()
            .collect::<Vec<_>>()
            .join("-");
        insta::assert_snapshot!(name, run.out);
    }
}

#[test]
fn wrong_usage_is_exit_2_and_talk_goes_to_standard_error() {
    for arguments in [
        &["vif", "create", "--kind", "none"][..],
        &["vif", "create", "--generate-auth-key"],
        &["address", "pick", "--length", "29"],
        &["monitor", "--interval", "0"],
        &["routes", "--within", "10.0.0.0/33"],
        &["nonsense"],
    ] {
        run_dxctl(arguments, &[]).fails(2, "error: ");
    }
}

#[test]
fn the_version_is_told() {
    let run = run_dxctl(&["--version"], &[]);
    assert_eq!(run.out, format!("dxctl {}\n", env!("CARGO_PKG_VERSION")));
}
