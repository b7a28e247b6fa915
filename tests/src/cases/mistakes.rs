//! Slips of an operator, on either side: each is told with what, where and what
//! to do; nothing is half done, and what is healthy goes on.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use bgp_core::Family;
use lab::wait;

use super::Case;
use super::healthy::{Healthy, SICK_ASN, SICK_WIRE, bird, config_file, sick_networks, sick_peer};
use crate::Bench;
use crate::foreign::Connect;
use crate::ours::{PATIENCE, key_file};

pub(super) fn all() -> Vec<Case> {
    let mut cases = vec![];
    for connect in [Connect::They, Connect::We] {
        let who = match connect {
            Connect::They => "they connect",
            Connect::We => "we connect",
        };
        for fault in FAULTS {
            let name = format!("{} is named, {who}", fault.name);
            cases.push(Case::new(name, move |bench| live(bench, &fault, connect)));
        }
    }
    for slip in SLIPS {
        let name = format!(
            "{} in the configuration is refused with its place",
            slip.name
        );
        cases.push(Case::new(name, move |bench| in_configuration(bench, &slip)));
    }
    for late in LATE {
        let name = format!("a reload with {} changes nothing", late.name);
        cases.push(Case::new(name, move |bench| refused_late(bench, &late)));
    }
    cases.push(Case::new(
        "a second bgpd on the machine stops before it touches anything",
        second_daemon,
    ));
    for spoiled in SPOILED {
        let name = format!("a key file that {} is refused", spoiled.name);
        cases.push(Case::new(name, move |bench| with_key_file(bench, &spoiled)));
    }
    cases.push(Case::new(
        "a parent interface that isn't there is named and waited for",
        missing_parent,
    ));
    cases
}

/// Both ends' settings don't fit.
#[derive(Clone, Copy)]
struct Fault {
    name: &'static str,
    our_key: Option<&'static str>,
    their_key: Option<&'static str>,
    their_asn: u32,
    /// What an operator has to read, by who connects.
    they_connect: &'static [&'static str],
    we_connect: &'static [&'static str],
}

const FAULTS: [Fault; 4] = [
    Fault {
        name: "a wrong key",
        our_key: Some("the-key-that-we-have"),
        their_key: Some("the-key-that-they-have"),
        their_asn: SICK_ASN,
        they_connect: &["wrong MD5 signature", "10.9.1.2", "auth_key_file"],
        we_connect: &["no answer from 10.9.1.2", "another one than auth_key_file"],
    },
    Fault {
        name: "a key that we lack",
        our_key: None,
        their_key: Some("the-key-that-they-have"),
        their_asn: SICK_ASN,
        they_connect: &["MD5 signature", "10.9.1.2", "auth_key_file"],
        we_connect: &["no answer from 10.9.1.2", "auth_key_file is not set"],
    },
    Fault {
        name: "a key that they lack",
        our_key: Some("the-key-that-we-have"),
        their_key: None,
        their_asn: SICK_ASN,
        they_connect: &["without an MD5 signature", "10.9.1.2"],
        we_connect: &["10.9.1.2", "MD5"],
    },
    Fault {
        name: "a wrong ASN",
        our_key: Some("the-key-that-we-have"),
        their_key: Some("the-key-that-we-have"),
        their_asn: SICK_ASN + 1,
        they_connect: &["Bad Peer AS", "AS 65004", "compare peer_asn"],
        we_connect: &["Bad Peer AS", "AS 65004", "compare peer_asn"],
    },
];

fn live(bench: &Bench, fault: &Fault, connect: Connect) -> anyhow::Result<()> {
    let our_key = fault
        .our_key
        .map(|key| key_file(bench, "sick-key", key))
        .transpose()?;
    let healthy = Healthy::start(bench, "", &sick_peer(SICK_ASN, our_key.as_deref(), connect))?;
    let before = healthy.picture()?;
    let _bird = bird(
        bench,
        &healthy.sick,
        fault.their_asn,
        fault.their_key,
        connect,
    )?;
    let words = match connect {
        Connect::They => fault.they_connect,
        Connect::We => fault.we_connect,
    };
    told(bench, &healthy, words)?;
    wait::while_holding("the session stays down", Duration::from_secs(3), || {
        let peer = healthy.ours.peer("sick")?;
        if peer.state == "Established" {
            Err("it is up".to_owned())
        } else {
            Ok(())
        }
    })?;
    healthy.unchanged_since(&before)?;

    // What the message asks for is what helps.
    let their_key = fault
        .their_key
        .map(|key| key_file(bench, "right-key", key))
        .transpose()?;
    let mended = sick_peer(fault.their_asn, their_key.as_deref(), connect);
    healthy.ours.reload(&format!("{}{mended}", healthy.peer))?;
    wait::until("the mended session is up", PATIENCE, || {
        healthy.ours.established("sick")
    })?;
    healthy_with_sick_routes(&healthy)?;
    healthy
        .ours
        .established("them")
        .map_err(anyhow::Error::msg)?;
    Ok(())
}

fn healthy_with_sick_routes(healthy: &Healthy) -> anyhow::Result<()> {
    wait::until(
        "the mended session's routes are in the kernel",
        PATIENCE,
        || {
            let kernel = super::sessions::kernel_routes(&healthy.pair.ours, Family::Ipv4)?;
            if sick_networks()
                .iter()
                .all(|network| kernel.contains(network))
            {
                Ok(())
            } else {
                Err(format!("{kernel:?}"))
            }
        },
    )
}

/// All words in one message: in the session's status, and in the log as it is
/// without `--log debug`.
fn told(bench: &Bench, healthy: &Healthy, words: &[&str]) -> anyhow::Result<()> {
    wait::until(&format!("the status says {words:?}"), PATIENCE, || {
        let said = healthy.ours.peer("sick")?.last_error.unwrap_or_default();
        if has_all(&said, words) {
            Ok(())
        } else {
            Err(said)
        }
    })?;
    wait::until(
        &format!("a line of the log says {words:?}"),
        PATIENCE,
        || {
            let log = fs::read_to_string(bench.directory.join("bgpd.log")).unwrap_or_default();
            if log.lines().any(|line| {
                [" ERROR ", " WARN ", " INFO "]
                    .iter()
                    .any(|level| line.contains(level))
                    && has_all(line, words)
            }) {
                Ok(())
            } else {
                Err("none does".to_owned())
            }
        },
    )
}

fn has_all(text: &str, words: &[&str]) -> bool {
    words.iter().all(|word| text.contains(word))
}

/// A mistake in the file itself. `¦` marks the place that has to be named.
#[derive(Clone, Copy)]
struct Slip {
    name: &'static str,
    text: &'static str,
    words: &'static [&'static str],
}

const SLIPS: [Slip; 6] = [
    Slip {
        name: "an unknown key",
        text: "[[path]]\nname = \"net\"\ninterface = \"wire\"\n¦gatewy = \"10.9.0.2\"\n",
        words: &["path \"net\"", "unknown key `gatewy`", "`gateway`"],
    },
    Slip {
        name: "a prefix with host bits",
        text: "[[peer]]\nname = \"isp\"\naddress = \"10.9.0.3\"\nasn = 65009\nadvertise = [¦\"10.20.0.1/16\"]\n",
        words: &[
            "peer \"isp\"",
            "10.20.0.1/16 has host bits set",
            "10.20.0.0/16",
        ],
    },
    Slip {
        name: "GTSM on an AWS peer",
        text: "[[vif]]\nname = \"prod\"\nkind = \"private\"\nparent = \"wire\"\nvlan = 101\nlocal = \"169.254.10.2/30\"\n\
               peer = \"169.254.10.1\"\npeer_asn = 64512\n¦ttl_security = true\n",
        words: &["vif \"prod\"", "`ttl_security`", "TTL 1", "remove it"],
    },
    Slip {
        name: "a hold time of 0",
        text: "[[vif]]\nname = \"prod\"\nkind = \"private\"\nparent = \"wire\"\nvlan = 101\nlocal = \"169.254.10.2/30\"\n\
               peer = \"169.254.10.1\"\npeer_asn = 64512\nhold_time = ¦\"0s\"\n",
        words: &["vif \"prod\"", "`hold_time` 0", "refused by AWS", "\"90s\""],
    },
    Slip {
        name: "a duplicate VLAN",
        text: "[[vif]]\nname = \"prod\"\nkind = \"private\"\nparent = \"wire\"\nvlan = 101\nlocal = \"169.254.10.2/30\"\n\
               peer = \"169.254.10.1\"\npeer_asn = 64512\n\
               [[vif]]\nname = \"spare\"\nkind = \"private\"\nparent = \"wire\"\nvlan = ¦101\nlocal = \"169.254.10.6/30\"\n\
               peer = \"169.254.10.5\"\npeer_asn = 64512\n",
        words: &[
            "vif \"spare\"",
            "VLAN 101 on wire belongs to vif \"prod\" already",
            "a VLAN carries one VIF",
        ],
    },
    Slip {
        name: "a key in the file itself",
        text: "[[peer]]\nname = \"isp\"\naddress = \"10.9.0.3\"\nasn = 65009\n¦auth_key = \"a-key-in-the-open\"\n",
        words: &["peer \"isp\"", "`auth_key`", "chmod 600", "auth_key_file"],
    },
];

fn in_configuration(bench: &Bench, slip: &Slip) -> anyhow::Result<()> {
    let healthy = Healthy::start(bench, "", "")?;
    let before = healthy.picture()?;
    let file = config_file(bench);
    let good = fs::read_to_string(&file).context("the configuration")?;
    let marked = format!("{good}{}", slip.text);
    let bad = marked.replace(MARK, "");
    let place = format!("{}:{}: ", file.display(), place(&marked)?);

    fs::write(&file, &bad).context("the configuration")?;
    let said = bgpd(bench, "check", &file, 1)?;
    let named = |text: &str| {
        text.lines()
            .any(|line| line.contains(&place) && has_all(line, slip.words))
    };
    wait::ensure(
        named(&said),
        format!("bgpd check says {place}… {:?}", slip.words),
        &said,
    )?;
    let run = bgpd(bench, "run", &file, 1)?;
    wait::ensure(run == said, format!("bgpd run says the same: {said}"), run)?;

    let refused = healthy
        .ours
        .control
        .reload()
        .err()
        .context("a reload of the bad file has to fail")?
        .to_string();
    wait::ensure(
        named(&refused),
        format!("the reload is refused with {place}… {:?}", slip.words),
        refused,
    )?;
    healthy.unchanged_since(&before)?;

    fs::write(&file, good).context("the configuration")?;
    let changes = healthy.ours.control.reload()?.changes;
    wait::ensure(
        changes.is_empty(),
        "the good file changes nothing",
        format!("{changes:?}"),
    )?;
    healthy.unchanged_since(&before)
}

/// A file without a mistake that a running bgpd can't follow.
#[derive(Clone, Copy)]
struct Late {
    name: &'static str,
    /// A line of `[bgpd]`, and what it is instead.
    line: &'static str,
    instead: &'static str,
    words: &'static [&'static str],
}

const LATE: [Late; 4] = [
    Late {
        name: "an address to listen at that isn't ours",
        line: "asn = 65001\n",
        instead: "asn = 65001\nlisten = [\"0.0.0.0:179\", \"203.0.113.77:179\"]\n",
        words: &["203.0.113.77:179"],
    },
    Late {
        name: "an address for metrics that isn't ours",
        line: "asn = 65001\n",
        instead: "asn = 65001\nmetrics = \"203.0.113.77:9179\"\n",
        words: &["203.0.113.77:9179", "`metrics`"],
    },
    Late {
        name: "another ASN of ours",
        line: "asn = 65001\n",
        instead: "asn = 65009\n",
        words: &["asn", "restart"],
    },
    Late {
        name: "another routing table",
        line: "asn = 65001\n",
        instead: "asn = 65001\nkernel = { table = 100 }\n",
        words: &["kernel", "restart"],
    },
];

/// The healthy session is not even in the new file, and goes on.
fn refused_late(bench: &Bench, late: &Late) -> anyhow::Result<()> {
    let healthy = Healthy::start(bench, "", "")?;
    let before = healthy.picture()?;
    let file = config_file(bench);
    let good = fs::read_to_string(&file).context("the configuration")?;
    let other = sick_peer(SICK_ASN, None, Connect::We);
    let new = good
        .replace(&healthy.peer, &other)
        .replacen(late.line, late.instead, 1);
    fs::write(&file, &new).context("the configuration")?;
    let refused = healthy.ours.control.reload().err();
    let refused = refused.context("the reload has to be refused")?.to_string();
    wait::ensure(
        has_all(&refused, late.words),
        format!("the refusal says {:?}", late.words),
        refused,
    )?;
    healthy.unchanged_since(&before)?;
    let peers = healthy.ours.status()?.peers.len();
    wait::ensure(
        peers == 1,
        "no session is added",
        format!("{peers} sessions"),
    )?;
    fs::write(&file, good).context("the configuration")?;
    let changes = healthy.ours.control.reload()?.changes;
    wait::ensure(
        changes.is_empty(),
        "the good file changes nothing",
        format!("{changes:?}"),
    )?;
    healthy.unchanged_since(&before)
}

/// Marks a place in a text.
const MARK: char = '¦';

/// Line and column of the mark.
fn place(marked: &str) -> anyhow::Result<String> {
    let (before, _) = marked.split_once(MARK).context("a marked place")?;
    let line = before.rsplit('\n').next().unwrap_or(before);
    Ok(format!(
        "{}:{}",
        before.matches('\n').count() + 1,
        line.chars().count() + 1
    ))
}

/// What bgpd says, which has to end so.
fn bgpd(bench: &Bench, verb: &str, file: &Path, status: i32) -> anyhow::Result<String> {
    let output = Command::new(bench.program("bgpd"))
        .arg(verb)
        .arg(file)
        .output()
        .context("bgpd")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    let ended = format!("{}: {said}", output.status);
    wait::ensure(
        output.status.code() == Some(status),
        format!("bgpd {verb} ends with {status}"),
        ended,
    )?;
    Ok(said)
}

/// With the same control socket, and with one of its own.
fn second_daemon(bench: &Bench) -> anyhow::Result<()> {
    let healthy = Healthy::start(bench, "", "")?;
    let before = healthy.picture()?;
    let text = fs::read_to_string(config_file(bench)).context("the configuration")?;
    let (daemon, _) = text
        .split_once("[[peer]]")
        .context("a peer in the configuration")?;
    for (daemon, words) in [
        (
            daemon.to_owned(),
            &[
                "another bgpd is running",
                "stop it, or set another `control`",
            ],
        ),
        (
            daemon.replace("bgpd.sock", "second.sock"),
            &["0.0.0.0:179", "in use"],
        ),
    ] {
        let file = bench.directory.join("second.toml");
        fs::write(&file, daemon).context("the second configuration")?;
        let mut command = healthy.pair.ours.command(bench.program("bgpd"));
        let output = command
            .arg("run")
            .arg(&file)
            .output()
            .context("a second bgpd")?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        wait::ensure(
            output.status.code() == Some(2) && has_all(&said, words),
            format!("a second bgpd ends with 2 and says {words:?}"),
            format!("{}: {said}", output.status),
        )?;
        healthy.unchanged_since(&before)?;
    }
    Ok(())
}

/// What can be wrong with a key file.
#[derive(Clone, Copy)]
struct Spoiled {
    name: &'static str,
    spoil: fn(&Path) -> std::io::Result<()>,
    words: &'static [&'static str],
}

const SPOILED: [Spoiled; 6] = [
    Spoiled {
        name: "others can read",
        spoil: |path| fs::set_permissions(path, Permissions::from_mode(0o644)),
        words: &["others can read it (mode 0644)", "chmod 600 "],
    },
    Spoiled {
        name: "isn't there",
        spoil: |path| fs::remove_file(path),
        words: &["can't be read", "No such file", "see that it exists"],
    },
    Spoiled {
        name: "another user owns",
        spoil: |path| chown(path, Some(12345), None),
        words: &["user 12345 owns it", "chown 0 "],
    },
    Spoiled {
        name: "is empty",
        spoil: |path| fs::write(path, "\n"),
        words: &["the key is empty"],
    },
    Spoiled {
        name: "has too short a key",
        spoil: |path| fs::write(path, "short\n"),
        words: &["the key has 5 characters", "6 to 80"],
    },
    Spoiled {
        name: "has a space behind the key",
        spoil: |path| fs::write(path, "the-key-of-the-sick-end \n"),
        words: &["white space", "remove it"],
    },
];

/// At start the session waits and the others run; with a running daemon the
/// reload is refused, so that no session is lost to it.
fn with_key_file(bench: &Bench, spoiled: &Spoiled) -> anyhow::Result<()> {
    let key = key_file(bench, "sick-key", SICK_KEY)?;
    let peer = sick_peer(SICK_ASN, Some(&key), Connect::We);
    (spoiled.spoil)(&key).context("spoiling the key file")?;
    let path = key.display().to_string();
    let words: Vec<&str> = [&path, "peer \"sick\""]
        .into_iter()
        .chain(spoiled.words.iter().copied())
        .collect();
    let mut healthy = Healthy::start(bench, "", &peer)?;
    let _bird = bird(bench, &healthy.sick, SICK_ASN, Some(SICK_KEY), Connect::We)?;
    told(bench, &healthy, &words).context("at start")?;
    let said = bgpd(bench, "check", &config_file(bench), 1)?;
    wait::ensure(
        has_all(&said, &words),
        format!("bgpd check says {words:?}"),
        said,
    )?;

    let key = restore(bench, &key)?;
    healthy
        .ours
        .control
        .reload()
        .context("with the key file in order")?;
    wait::until("the session is up with its key", PATIENCE, || {
        healthy.ours.established("sick")
    })?;
    healthy_with_sick_routes(&healthy)?;
    let before = healthy.picture()?;

    (spoiled.spoil)(&key).context("spoiling the key file")?;
    healthy.peer = healthy
        .peer
        .replace("hold_time = \"9s\"", "hold_time = \"12s\"");
    let refused = healthy.ours.reload(&format!("{}{peer}", healthy.peer));
    let refused = refused
        .err()
        .context("a reload without a usable key has to fail")?;
    let refused = format!("{refused:#}");
    wait::ensure(
        has_all(&refused, &words),
        format!("the reload is refused with {words:?}"),
        refused,
    )?;
    healthy.unchanged_since(&before)?;
    let sick = healthy
        .ours
        .established("sick")
        .map_err(anyhow::Error::msg)?;
    wait::ensure(
        sick.flaps == 0,
        "the session with the spoiled file goes on",
        format!("{sick:?}"),
    )?;
    Ok(())
}

const SICK_KEY: &str = "the-key-of-the-sick-end";

/// The key file as it should be.
fn restore(bench: &Bench, path: &Path) -> anyhow::Result<std::path::PathBuf> {
    if path.exists() {
        fs::remove_file(path).context("the spoiled key file")?;
    }
    key_file(bench, "sick-key", SICK_KEY)
}

const VIF: &str = "[[vif]]\nname = \"prod\"\nkind = \"private\"\nparent = \"dx9\"\nvlan = 101\n\
    local = \"169.254.10.2/30\"\npeer = \"169.254.10.1\"\npeer_asn = 64512\nauth_key_file = \"KEY\"\n\
    connect_retry = \"1s\"\nadvertise = [\"10.65.0.0/16\"]\n";

/// From the start, taken out, and by a reload.
fn missing_parent(bench: &Bench) -> anyhow::Result<()> {
    let key = key_file(bench, "vif-key", SICK_KEY)?;
    let vif = VIF.replace("KEY", &key.display().to_string());
    let healthy = Healthy::start(bench, "", &vif)?;
    let before = healthy.picture()?;
    expect_missing_parent(&healthy)?;
    let said = bgpd(bench, "check", &config_file(bench), 0)?;
    wait::ensure(
        has_all(&said, &["warning", "vif \"prod\"", "\"dx9\""]),
        "bgpd check warns",
        said,
    )?;
    healthy.unchanged_since(&before)?;
    healthy.ours.reload(&healthy.peer)?;
    healthy.unchanged_since(&before)?;
    healthy.ours.reload(&format!("{}{vif}", healthy.peer))?;
    expect_missing_parent(&healthy)?;
    healthy.unchanged_since(&before)
}

fn expect_missing_parent(healthy: &Healthy) -> anyhow::Result<()> {
    let words = ["\"dx9\"", "wire", SICK_WIRE];
    wait::until(
        "the VIF's status names its parent and those that there are",
        PATIENCE,
        || {
            let status = healthy
                .ours
                .control
                .status()
                .map_err(|error| error.to_string())?;
            let vif = status
                .vifs
                .iter()
                .find(|vif| vif.name == "prod")
                .ok_or("no VIF")?;
            let said = vif.error.clone().unwrap_or_default();
            if has_all(&said, &words) {
                Ok(())
            } else {
                Err(said)
            }
        },
    )?;
    let problems = healthy.ours.status()?.problems;
    wait::ensure(
        problems
            .iter()
            .any(|problem| has_all(problem, &["prod", "dx9"])),
        "the problem is listed",
        format!("{problems:?}"),
    )?;
    Ok(())
}
