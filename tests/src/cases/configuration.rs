//! Configurations that bgpd can't take, at check, start and reload: each is
//! refused with what, where and what to do, and nothing is half done.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use lab::wait;

use super::Case;
use super::healthy::{Healthy, SICK_ASN, config_file, sick_peer};
use crate::Bench;
use crate::foreign::Connect;

pub(super) fn all() -> Vec<Case> {
    let mut cases = vec![];
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
    cases
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
pub(super) fn bgpd(bench: &Bench, verb: &str, file: &Path, status: i32) -> anyhow::Result<String> {
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
            &["another bgpd (pid ", "protocol 186"],
        ),
        (
            daemon.replace("bgpd.sock", "second.sock") + "\n[bgpd.kernel]\nprotocol = 187\n",
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

/// All in one text.
pub(super) fn has_all(text: &str, words: &[&str]) -> bool {
    words.iter().all(|word| text.contains(word))
}
