//! What doesn't fit between two ends or with the machine: each is told with what,
//! where and what to do, and what is healthy goes on.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use bgp_core::Family;
use lab::wait;

use super::Case;
use super::configuration::{bgpd, has_all};
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
        they_connect: &["Bad Peer AS", "AS 65004", "compare `asn` (of a [[peer]])"],
        we_connect: &["Bad Peer AS", "AS 65004", "compare `asn` (of a [[peer]])"],
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
