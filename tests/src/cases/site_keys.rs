//! The keys of a site file are in key files and nowhere else: not in what dxctl says
//! at its noisiest, its journal, what it writes, its arguments, or a core file.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};

use super::Case;
use super::interrupted::world::{End, World, write};
use super::secrets::expect_absent;
use crate::Bench;

pub(super) fn all() -> Vec<Case> {
    vec![Case::new(
        "the keys of a site file are in nothing that dxctl says or writes, killed or not",
        site_shows_no_key,
    )]
}

const GIVEN: &str = "canary-Zq7xW2-of-a-file";
const IN_ENVIRONMENT: &str = "canary-Rw4kP9-of-a-variable";
const ROTATED: &str = "canary-Tn8sL3-that-is-new";
const IN_A_REQUEST: &str = "canary-Yb5dJ6-of-a-request";
/// A MACsec connectivity association key.
const CAK: &str = "ca9a12ca9a12ca9a12ca9a12ca9a12ca9a12ca9a12ca9a12ca9a12ca9a12ca9a";

fn site_shows_no_key(bench: &Bench) -> anyhow::Result<()> {
    let directory = bench.directory.join("site");
    fs::create_dir_all(directory.join("keys")).context("a directory")?;
    let mut world = World::new(&bench.program("dxctl"), directory.clone())?;
    world.set("RUST_LOG", "trace");
    world.set("SITE_KEY", IN_ENVIRONMENT);
    world.set("NEW_KEY", ROTATED);
    world.set("BGPD_SOCKET", "/nonexistent/bgpd.sock");
    write(&directory.join("site.toml"), SITE)?;
    write(&directory.join("keys/given"), GIVEN)?;
    write(&directory.join("keys/request.json"), &request("1"))?;
    // Refused before it is sent, and the message says what is wrong with it.
    write(&directory.join("keys/mistaken.json"), &request("\"one\""))?;
    write(&directory.join("keys/macsec.json"), &macsec())?;

    let mut said = vec![];
    let mut run = |words: &str, faults: &[&str]| -> anyhow::Result<bool> {
        let faults: Vec<String> = faults.iter().map(|fault| (*fault).to_owned()).collect();
        let end = world.run(words, &faults)?;
        let (fine, text) = match end {
            End::Killed => (false, fs::read_to_string(directory.join("said"))?),
            End::Exited { code, said } => (code == Some(0), said),
        };
        said.push((format!("dxctl {words}"), text));
        Ok(fine)
    };
    ensure!(run("validate site.toml", &[])?, "the site file is valid");
    run("plan site.toml", &[])?;
    run("plan site.toml --json", &[])?;
    let apply = "apply site.toml --yes --verify 0 --settle 1";
    // Once each: no answer at all, an answer that is lost, and a refusal.
    run(apply, &["hold-after:CreatePrivateVirtualInterface"])?;
    run(
        apply,
        &["lost:CreatePublicVirtualInterface", "hold:CreateBGPPeer"],
    )?;
    ensure!(
        run(apply, &["throttle:CreateBGPPeer"])?,
        "the site is applied"
    );
    let files = "bgpd-config made --parent eth1 --advertise 10.20.0.0/16 --out-dir . --yes";
    ensure!(run(files, &[])?, "bgpd's files are written");
    let rotate =
        "vif rotate-key made --family ipv4 --out-dir . --auth-key-from env:NEW_KEY --yes --json";
    run(rotate, &["hold-after:DeleteBGPPeer"])?;
    ensure!(run(rotate, &["lost:CreateBGPPeer"])?, "the key is rotated");
    for words in [
        "api DescribeVirtualInterfaces",
        "api CreatePrivateVirtualInterface --cli-input-json keys/mistaken.json",
        "api CreatePrivateVirtualInterface --cli-input-json keys/request.json",
        "api AssociateMacSecKey --cli-input-json keys/macsec.json",
        "vif allocate --to-account 999988887777 --kind private --connection dxcon-fglab001 --name branch --vlan 111 --auth-key-from env:NEW_KEY --json",
        "vif confirm branch --gateway vgw-0123456789abcdef0",
        "vif list",
        "connection list --json",
        "lag list --json",
        "macsec mode dxcon-fglab001 must-encrypt --yes",
        "router-config given --from-aws CiscoSystemsInc-2900SeriesRouters-IOS124",
        "cost",
        "iam-policy",
        "status --aws-only --json",
        "plan site.toml --json",
        "import",
        "import --json",
        "import --out imported.toml",
        "export terraform",
        "vif list --json",
        "vif show given --json",
        "router-config given --platform cisco_ios_xe --advertise 10.20.0.0/16",
        "failover test given --yes",
        "drain given",
        "events",
        "events --json",
        "destroy site.toml --yes --allow cut:given,cut:made,cut:hub,cut:pub",
    ] {
        // Without a bgpd some of them say what is missing.
        run(words, &[])?;
    }
    let noisy = said
        .iter()
        .any(|(_, text)| text.contains(" TRACE ") || text.contains(" DEBUG "));
    for operation in ["DescribeRouterConfiguration", "AssociateMacSecKey"] {
        let called = said.iter().any(|(_, text)| text.contains(operation));
        ensure!(called, "expected: a call of {operation}\nseen: none");
    }
    ensure!(
        noisy,
        "expected: dxctl at its noisiest\nseen: no line at debug"
    );

    write(&directory.join("keys/given"), GIVEN)?;
    let ended = world.abort(
        "apply site.toml --yes --verify 0 --settle 1",
        "CreatePrivateVirtualInterface",
    )?;
    expect_absent("/proc/PID/cmdline", &ended.arguments, GIVEN)?;
    ensure!(
        !ended.dumped_core,
        "expected: no core file of dxctl\nseen: one was written"
    );

    let mut keys: Vec<String> = [GIVEN, IN_ENVIRONMENT, ROTATED, IN_A_REQUEST, CAK]
        .map(str::to_owned)
        .to_vec();
    let made = fs::read_to_string(directory.join("keys/made")).context("the key that was made")?;
    keys.push(made.trim_end().to_owned());
    for (place, text) in said.iter().filter(|(_, text)| !text.is_empty()) {
        for key in &keys {
            expect_absent(place, text, key)?;
        }
    }
    let searched = search(&directory, &keys)?;
    ensure!(searched >= 3, "expected: files to search\nseen: {searched}");
    Ok(())
}

fn request(vlan: &str) -> String {
    format!(
        r#"{{"connectionId":"dxcon-fglab001","newPrivateVirtualInterface":{{"virtualInterfaceName":"asked","vlan":{vlan},"asn":65010,"authKey":"{IN_A_REQUEST}","virtualGatewayId":"vgw-0123456789abcdef0"}}}}"#
    )
}

fn macsec() -> String {
    let name = CAK.replace("ca9a", "0123");
    format!(r#"{{"connectionId":"dxcon-fglab001","ckn":"{name}","cak":"{CAK}"}}"#)
}

/// Every file that was written but the key files; how many.
fn search(directory: &Path, keys: &[String]) -> anyhow::Result<usize> {
    let mut searched = 0;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            if !path.ends_with("keys") {
                searched += search(&path, keys)?;
            }
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        for key in keys.iter().filter(|_| !text.is_empty()) {
            expect_absent(&path.display().to_string(), &text, key)?;
        }
        searched += 1;
    }
    Ok(searched)
}

const SITE: &str = r#"
[site]
name = "frankfurt"
region = "eu-central-1"
asn = 65010

[[connection]]
name = "lab"

[[gateway]]
name = "hub"

[[vif]]
name = "given"
kind = "private"
connection = "lab"
vlan = 101
gateway = "hub"
key = "file:keys/given"

[[vif]]
name = "made"
kind = "private"
connection = "lab"
vlan = 102
gateway = "hub"
key = "generate:keys/made"
ipv6 = { key = "env:SITE_KEY" }

[[vif]]
name = "pub"
kind = "public"
connection = "lab"
vlan = 105
addresses = ["203.0.113.1/30", "203.0.113.2/30"]
route_filter_prefixes = ["203.0.113.0/24"]
key = "env:SITE_KEY"
"#;
