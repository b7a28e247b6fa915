//! A key shows itself nowhere: arguments, environment, logs at every level,
//! metrics, the control socket's answers, refusals, dxctl's output.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::Context;
use bgp_core::Family;
use lab::wait;
use lab::world::{Namespace, Process};

use super::Case;
use super::healthy::{
    Healthy, SICK_ASN, bird, config_file, sick_networks, sick_peer, their_first_network,
};
use super::sessions::kernel_routes;
use crate::Bench;
use crate::foreign::Connect;
use crate::ours::{PATIENCE, key_file};

pub(super) fn all() -> Vec<Case> {
    vec![
        Case::new(
            "the key is in nothing that bgpd shows, logging at trace",
            bgpd_shows_no_key,
        ),
        Case::new(
            "a refusal quotes no key, wherever it was written",
            refusals_show_no_key,
        ),
        Case::new(
            "the key is in nothing that dxctl and the simulated AWS print, logging at trace",
            dxctl_shows_no_key,
        ),
    ]
}

const CANARY: &str = "canary-Zq7xW2-of-both-ends";

/// As it is, and as a `Debug` or a dump of its octets would show it.
fn forms(key: &str) -> [String; 4] {
    let octets = |format: fn(&u8) -> String, between| {
        let all: Vec<_> = key.bytes().map(|octet| format(&octet)).collect();
        all.join(between)
    };
    [
        key.to_owned(),
        octets(|octet| octet.to_string(), ", "),
        octets(|octet| format!("{octet:02x}"), ""),
        octets(|octet| format!("{octet:02x}"), " "),
    ]
}

pub(super) fn expect_absent(place: &str, text: &str, key: &str) -> anyhow::Result<()> {
    anyhow::ensure!(
        !text.is_empty(),
        "expected: something to search in {place}\nseen: nothing"
    );
    let lower = text.to_lowercase();
    let at = forms(key)
        .iter()
        .find_map(|form| lower.find(&form.to_lowercase()));
    wait::ensure(
        at.is_none(),
        format!("no key in {place}"),
        format!("it is there, at byte {at:?}"),
    )?;
    Ok(())
}

/// A session that fails for its key, comes up, and meets refused reloads.
fn bgpd_shows_no_key(bench: &Bench) -> anyhow::Result<()> {
    let key = key_file(bench, "sick-key", CANARY)?;
    let peer = sick_peer(SICK_ASN, Some(&key), Connect::They);
    let healthy = Healthy::start(bench, "metrics = \"127.0.0.1:9179\"", &peer)?;
    let wrong = bird(
        bench,
        &healthy.sick,
        SICK_ASN,
        Some("another-key"),
        Connect::They,
    )?;
    wait::until("the mismatch is noticed", PATIENCE, || {
        let error = healthy.ours.peer("sick")?.last_error.unwrap_or_default();
        if error.contains("wrong MD5 signature") {
            Ok(())
        } else {
            Err(error)
        }
    })?;
    search(&healthy, bench)?;
    drop(wrong);
    let right = bird(bench, &healthy.sick, SICK_ASN, Some(CANARY), Connect::They)?;
    wait::until(
        "the session is Established with its routes",
        PATIENCE,
        || {
            healthy.ours.established("sick")?;
            let kernel = kernel_routes(&healthy.pair.ours, Family::Ipv4)?;
            let all = sick_networks()
                .iter()
                .all(|network| kernel.contains(network));
            if all {
                Ok(())
            } else {
                Err(format!("{kernel:?}"))
            }
        },
    )?;
    search(&healthy, bench)?;

    key_file(bench, "sick-key", &format!("{CANARY} "))?;
    let refused = healthy.ours.control.reload().err();
    let refused = refused
        .context("a key that ends in a space is refused")?
        .to_string();
    expect_absent("the refusal of a key", &refused, CANARY)?;
    key_file(bench, "sick-key", "a-key-of-later")?;
    let changes = healthy.ours.control.reload()?.changes;
    expect_absent("the answer to a reload", &changes.join("\n"), CANARY)?;
    drop(right);
    wait::pause(Duration::from_millis(300))?;
    search(&healthy, bench)
}

/// Everywhere that a running bgpd shows something.
fn search(healthy: &Healthy, bench: &Bench) -> anyhow::Result<()> {
    let ours = &healthy.ours;
    for file in ["cmdline", "environ"] {
        let path = format!("/proc/{}/{file}", ours.process.id());
        let bytes = fs::read(&path).with_context(|| path.clone())?;
        expect_absent(&path, &String::from_utf8_lossy(&bytes), CANARY)?;
    }
    let route = format!("/v1/routes/{}", their_first_network());
    for path in ["/v1/status", "/v1/routes", "/v1/events", &route] {
        expect_absent(path, &ours.control.text("GET", path)?, CANARY)?;
    }
    for path in ["/v1/routes/nonsense", "/v1/keys"] {
        let refused = ours.control.text("GET", path).err();
        let refused = refused.with_context(|| format!("GET {path} is refused"))?;
        expect_absent(path, &refused.to_string(), CANARY)?;
    }
    let metrics = healthy.pair.ours.enter(|| -> std::io::Result<String> {
        let mut stream = TcpStream::connect("127.0.0.1:9179")?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: bgpd\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    })??;
    expect_absent("the metrics", &metrics, CANARY)?;
    let log = ours.process.output();
    wait::ensure(
        log.contains(" DEBUG "),
        "the log is noisy",
        "no line of it is at debug",
    )?;
    expect_absent("the log", &log, CANARY)?;
    let check = bgpd(bench, "check", &config_file(bench))?;
    expect_absent(
        "bgpd check",
        &format!("{}: {}", check.status, said(&check)),
        CANARY,
    )
}

/// Keys in the file itself, where they don't belong, and in what is no TOML.
fn refusals_show_no_key(bench: &Bench) -> anyhow::Result<()> {
    let peer = "[bgpd]\nrouter_id = \"10.9.0.1\"\nasn = 65001\n[[peer]]\nname = \"isp\"\naddress = \"10.9.0.3\"\nasn = 65009\n";
    for (what, line) in [
        ("in `auth_key`", format!("auth_key = \"{CANARY}\"")),
        (
            "in `auth_key_file`",
            format!("auth_key_file = \"{CANARY}\""),
        ),
        ("under an unknown key", format!("password = \"{CANARY}\"")),
        ("without its quotes", format!("auth_key = {CANARY}")),
        ("in half its quotes", format!("auth_key = \"{CANARY}")),
        ("as the wrong type", format!("passive = \"{CANARY}\"")),
    ] {
        let file = bench.directory.join("keys.toml");
        fs::write(&file, format!("{peer}{line}\n")).context("the configuration")?;
        for verb in ["check", "run", "clean"] {
            let output = bgpd(bench, verb, &file)?;
            let said = said(&output);
            wait::ensure(
                output.status.code() == Some(1) && said.contains("keys.toml:8:"),
                format!("a key {what} is refused by bgpd {verb}, with its line"),
                format!("{}: {said}", output.status),
            )?;
            expect_absent(
                &format!("bgpd {verb} of a file with a key {what}"),
                &said,
                CANARY,
            )?;
        }
    }
    Ok(())
}

fn bgpd(bench: &Bench, verb: &str, file: &Path) -> anyhow::Result<Output> {
    Command::new(bench.program("bgpd"))
        .arg(verb)
        .arg(file)
        .env("RUST_LOG", "trace")
        .output()
        .with_context(|| format!("bgpd {verb}"))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The whole way of a key that the operator gives, of one that AWS makes, and of
/// one that dxctl makes.
fn dxctl_shows_no_key(bench: &Bench) -> anyhow::Result<()> {
    let namespace = Namespace::create(&format!("{}-api", bench.number))?;
    let aws = aws(bench, &namespace)?;
    let given = key_file(bench, "given", CANARY)?.display().to_string();
    let generated = bench.directory.join("generated").display().to_string();
    let mut terminal = Terminal {
        bench,
        namespace: &namespace,
        said: vec![],
    };
    let create = "vif create --kind private --connection dxcon-fglab001 --gateway vgw-0123456789abcdef0 --wait 60";
    terminal.run(&format!("{create} --name given --auth-key-file {given}"))?;
    terminal.run(&format!("{create} --name made --json"))?;
    terminal.run(&format!(
        "{create} --name own --generate-auth-key --key-out {generated}"
    ))?;
    let mut keys = vec![];
    for name in ["given", "made", "own"] {
        keys.push(look_around(&mut terminal, name)?);
    }
    terminal.run_both("vif list")?;
    // Without a bgpd these two say what is missing.
    terminal.try_run("status")?;
    terminal.try_run("monitor --count 1")?;
    terminal.run("vif delete given --yes")?;
    let is_given = |key: &String| key == CANARY;
    wait::ensure(
        keys.first().is_some_and(is_given),
        "dxctl writes the given key to the key file",
        "it is another",
    )?;
    terminal
        .said
        .push(("the simulated AWS's log".to_owned(), aws.output()));
    for (place, text) in &terminal.said {
        for key in &keys {
            wait::ensure(key.len() >= 6, "a key in each key file", "there is none")?;
            expect_absent(place, text, key)?;
        }
    }
    Ok(())
}

/// Every verb that has the key in its hands; the key that it writes.
fn look_around(terminal: &mut Terminal<'_>, name: &str) -> anyhow::Result<String> {
    let out = terminal.bench.directory.join(format!("etc-{name}"));
    terminal.run_both(&format!("vif show {name}"))?;
    terminal.run_both(&format!("vif wait {name} --for provisioned"))?;
    for platform in ["cisco_ios_xe", "juniper_junos"] {
        terminal.run_both(&format!(
            "router-config {name} --platform {platform} --advertise 10.20.0.0/16"
        ))?;
    }
    terminal.run_both(&format!(
        "bgpd-config {name} --parent eth1 --advertise 10.20.0.0/16 --out-dir {} --yes",
        out.display()
    ))?;
    let config = fs::read_to_string(out.join("bgpd.toml")).context("bgpd.toml")?;
    terminal.said.push((format!("bgpd.toml of {name}"), config));
    let key = fs::read_to_string(out.join("keys").join(name)).context("dxctl's key file")?;
    Ok(key.trim_end().to_owned())
}

/// Runs dxctl at its noisiest, and keeps what it says.
struct Terminal<'b> {
    bench: &'b Bench,
    namespace: &'b Namespace,
    said: Vec<(String, String)>,
}

impl Terminal<'_> {
    fn run(&mut self, words: &str) -> anyhow::Result<()> {
        let output = self.try_run(words)?;
        wait::ensure(
            output.status.success(),
            format!("dxctl {words} succeeds"),
            said(&output),
        )?;
        Ok(())
    }

    /// For people, and as JSON.
    fn run_both(&mut self, words: &str) -> anyhow::Result<()> {
        self.run(words)?;
        self.run(&format!("{words} --json"))
    }

    fn try_run(&mut self, words: &str) -> anyhow::Result<Output> {
        let output = self
            .namespace
            .command(self.bench.program("dxctl"))
            .args(words.split_whitespace())
            .env("RUST_LOG", "trace")
            .env("AWS_ENDPOINT_URL_DIRECT_CONNECT", URL)
            .env("AWS_ACCESS_KEY_ID", "AKIALABLABLABLABLAB1")
            .env(
                "AWS_SECRET_ACCESS_KEY",
                "lab/of/no/worth/lab/of/no/worth/lab/0001",
            )
            .env("AWS_REGION", "eu-central-1")
            .output()
            .context("dxctl")?;
        self.said.push((format!("dxctl {words}"), said(&output)));
        Ok(output)
    }
}

const URL: &str = "http://127.0.0.1:4566";

fn aws(bench: &Bench, namespace: &Namespace) -> anyhow::Result<Process> {
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
        if aws.output().contains(URL) {
            Ok(())
        } else {
            Err(aws.output())
        }
    })?;
    Ok(aws)
}
