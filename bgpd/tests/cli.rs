//! The command line: exit statuses and what is said where.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const CONFIG: &str = r#"
[bgpd]
router_id = "192.0.2.1"
asn = 65010

[[vif]]
name = "prod"
kind = "private"
parent = "nosuchport0"
vlan = 101
local = "169.254.10.2/30"
peer = "169.254.10.1"
peer_asn = 64512
auth_key_file = "KEY"
advertise = ["10.20.0.0/16"]
"#;

fn bgpd(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bgpd"))
        .args(arguments)
        .output()
        .unwrap()
}

/// A folder with a configuration and the key file that it names.
fn folder(key: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("key");
    fs::write(&key_file, key).unwrap();
    fs::set_permissions(&key_file, fs::Permissions::from_mode(mode)).unwrap();
    let config = folder.path().join("bgpd.toml");
    fs::write(&config, CONFIG.replace("KEY", key_file.to_str().unwrap())).unwrap();
    (folder, config)
}

fn check(config: &Path) -> (i32, String) {
    let output = bgpd(&["check", config.to_str().unwrap()]);
    assert!(output.stdout.is_empty());
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn check_is_content_and_warns_of_a_parent_that_does_not_exist() {
    let (_folder, config) = folder("S3cr3tKey\n", 0o600);
    let (code, said) = check(&config);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("warning: vif \"prod\": there is no interface \"nosuchport0\""),
        "{said}"
    );
}

#[test]
fn check_names_every_mistake_with_file_line_and_column() {
    let (_folder, config) = folder("S3cr3tKey\n", 0o600);
    let text = fs::read_to_string(&config).unwrap();
    fs::write(
        &config,
        text.replace("vlan = 101", "vlan = 0")
            .replace("10.20.0.0/16", "10.20.1.0/16"),
    )
    .unwrap();
    let (code, said) = check(&config);
    assert_eq!(code, 1, "{said}");
    let lines: Vec<_> = said.lines().collect();
    let at = |place: &str| format!("{}:{place}: vif \"prod\": ", config.display());
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].starts_with(&at("10:8")), "{said}");
    assert!(
        lines[1].starts_with(&at("15:14")) && lines[1].contains("did you mean 10.20.0.0/16"),
        "{said}"
    );
}

#[test]
fn check_refuses_a_key_file_that_others_can_read_without_showing_it() {
    let (_folder, config) = folder("S3cr3tKey\n", 0o644);
    let (code, said) = check(&config);
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("vif \"prod\"") && said.contains("chmod 600 /"),
        "{said}"
    );
    assert!(!said.contains("S3cr3t"), "{said}");
}

#[test]
fn a_file_that_is_not_there_is_broken_not_refused() {
    let (code, said) = check(Path::new("/nonexistent/bgpd.toml"));
    assert_eq!(code, 2);
    assert!(
        said.starts_with("/nonexistent/bgpd.toml: can't be read: "),
        "{said}"
    );
}

#[test]
fn run_refuses_a_configuration_with_a_mistake_as_check_does() {
    let (_folder, config) = folder("S3cr3tKey\n", 0o600);
    fs::write(
        &config,
        "[bgpd]\nasn = 65010\nrouter_id = \"192.0.2.1\"\ncolor = 1\n",
    )
    .unwrap();
    let output = bgpd(&["run", config.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains(":4:1: bgpd: unknown key `color`"));
}

#[test]
fn help_shows_examples() {
    let output = bgpd(&["--help"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("bgpd check /etc/bgpd/bgpd.toml"));
}
