//! A key shows itself nowhere: arguments, environment, logs at every level,
//! metrics, the control socket's answers, dxctl's output.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use bgp_core::Family;
use lab::wait;
use lab::world::Namespace;

use super::Case;
use super::sessions::{KEY, neighbor, our_networks, our_peer};
use crate::Bench;
use crate::foreign::{self, Connect, Daemon, Neighbor};
use crate::ours::{Ours, PATIENCE, key_file};
use crate::pair::Pair;

pub(super) fn all() -> Vec<Case> {
    vec![
        Case::new(
            "the key is in nothing that bgpd shows, logging at trace",
            bgpd_shows_no_key,
        ),
        Case::new(
            "the key is in nothing that dxctl and the simulated AWS print, logging at trace",
            dxctl_shows_no_key,
        ),
    ]
}

const CANARY: &str = "canary-Zq7xW2";

fn expect_absent(place: &str, text: &str) -> anyhow::Result<()> {
    anyhow::ensure!(
        !text.is_empty(),
        "expected: something to search in {place}\nseen: nothing"
    );
    let at = text.find(CANARY).or_else(|| text.find("Zq7xW2"));
    wait::ensure(
        at.is_none(),
        format!("no key in {place}"),
        format!("it is there, at byte {at:?}"),
    )?;
    Ok(())
}

fn bgpd_shows_no_key(bench: &Bench) -> anyhow::Result<()> {
    let pair = Pair::create(bench)?;
    let key = key_file(bench, "key", CANARY)?;
    let family = Family::Ipv4;
    let config = our_peer(family, Connect::We, Some(&key), &our_networks(family));
    let ours = Ours::start_with(bench, &pair.ours, "metrics = \"127.0.0.1:9179\"", &config)?;
    let bad = Neighbor {
        key: Some(KEY.to_owned()),
        ..neighbor(family, Connect::We)
    };
    let theirs = foreign::start(Daemon::Bird, &pair.theirs, &bench.directory, bad)?;
    wait::until("the mismatch is noticed", PATIENCE, || {
        let error = ours.peer("them")?.last_error.unwrap_or_default();
        if error.contains("MD5") {
            Ok(())
        } else {
            Err(error)
        }
    })?;
    search(&ours, &pair.ours, bench)?;
    drop(theirs);
    let good = Neighbor {
        key: Some(CANARY.to_owned()),
        ..neighbor(family, Connect::We)
    };
    let _theirs = foreign::start(Daemon::Bird, &pair.theirs, &bench.directory, good)?;
    wait::until("the session is Established", PATIENCE, || {
        ours.established("them")
    })?;
    // A key that is refused is quoted nowhere either.
    key_file(bench, "key", &format!("{CANARY} "))?;
    let _refused = ours.control.reload();
    std::thread::sleep(Duration::from_millis(300));
    search(&ours, &pair.ours, bench)
}

fn search(ours: &Ours, namespace: &Namespace, bench: &Bench) -> anyhow::Result<()> {
    for file in ["cmdline", "environ"] {
        let path = format!("/proc/{}/{file}", ours.process.id());
        let bytes = fs::read(&path).with_context(|| path.clone())?;
        expect_absent(&path, &String::from_utf8_lossy(&bytes))?;
    }
    expect_absent("the log", &ours.process.output())?;
    for path in ["/v1/status", "/v1/routes", "/v1/events"] {
        expect_absent(path, &ours.control.text("GET", path)?)?;
    }
    let metrics = namespace.enter(|| -> std::io::Result<String> {
        let mut stream = TcpStream::connect("127.0.0.1:9179")?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: bgpd\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    })??;
    expect_absent("the metrics", &metrics)?;
    let config = bench.directory.join("ours/bgpd.toml");
    let check = std::process::Command::new(bench.program("bgpd"))
        .arg("check")
        .arg(&config)
        .output()
        .context("bgpd check")?;
    let said = format!(
        "checked {}{}",
        String::from_utf8_lossy(&check.stdout),
        String::from_utf8_lossy(&check.stderr)
    );
    expect_absent("bgpd check", &said)
}

fn dxctl_shows_no_key(bench: &Bench) -> anyhow::Result<()> {
    let namespace = Namespace::create(&format!("{}-api", bench.number))?;
    let url = "http://127.0.0.1:4566";
    let mut command = namespace.command(bench.program("lab"));
    command.env("RUST_LOG", "trace").args([
        "aws",
        "--listen",
        "127.0.0.1:4566",
        "--time-scale",
        "100",
    ]);
    let aws = namespace.spawn("lab aws", &mut command, &bench.directory.join("aws.log"))?;
    wait::until("the API listens", PATIENCE, || {
        if aws.output().contains(url) {
            Ok(())
        } else {
            Err(aws.output())
        }
    })?;
    let key = key_file(bench, "key", CANARY)?.display().to_string();
    let out = bench.directory.join("etc").display().to_string();
    let runs: [&[&str]; 8] = [
        &[
            "vif",
            "create",
            "--kind",
            "private",
            "--connection",
            "dxcon-fglab001",
            "--name",
            "prod",
            "--gateway",
            "vgw-0123456789abcdef0",
            "--auth-key-file",
            &key,
            "--wait",
            "60",
        ],
        &["vif", "add-peer", "prod", "--auth-key-file", &key],
        &["vif", "list", "--json"],
        &["vif", "show", "prod"],
        &["vif", "show", "prod", "--json"],
        &[
            "router-config",
            "prod",
            "--platform",
            "cisco_ios_xe",
            "--advertise",
            "10.20.0.0/16",
        ],
        &[
            "bgpd-config",
            "prod",
            "--parent",
            "eth1",
            "--advertise",
            "10.20.0.0/16",
            "--out-dir",
            &out,
            "--yes",
        ],
        &["vif", "delete", "prod", "--yes"],
    ];
    for words in runs {
        let said = dxctl(bench, &namespace, url, words)?;
        expect_absent(&format!("dxctl {}", words.join(" ")), &said)?;
    }
    let written = fs::read_to_string(Path::new(&out).join("keys/prod"))
        .context("the key file that dxctl writes")?;
    wait::ensure(
        written.trim_end() == CANARY,
        "dxctl writes the key to the key file",
        "it is another",
    )?;
    let config = fs::read_to_string(Path::new(&out).join("bgpd.toml")).context("bgpd.toml")?;
    expect_absent("bgpd.toml", &config)?;
    expect_absent("the simulated AWS's log", &aws.output())
}

fn dxctl(
    bench: &Bench,
    namespace: &Namespace,
    url: &str,
    words: &[&str],
) -> anyhow::Result<String> {
    let output = namespace
        .command(bench.program("dxctl"))
        .args(words)
        .env("RUST_LOG", "trace")
        .env("AWS_ENDPOINT_URL_DIRECT_CONNECT", url)
        .env("AWS_ACCESS_KEY_ID", "AKIALABLABLABLABLAB1")
        .env(
            "AWS_SECRET_ACCESS_KEY",
            "lab/of/no/worth/lab/of/no/worth/lab/0001",
        )
        .env("AWS_REGION", "eu-central-1")
        .output()
        .context("dxctl")?;
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    wait::ensure(
        output.status.success(),
        format!("dxctl {} succeeds", words.join(" ")),
        said.clone(),
    )?;
    Ok(said)
}
