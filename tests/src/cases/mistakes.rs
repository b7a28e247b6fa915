//! What goes wrong says what, where and what to do; the rest keeps running.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use bgp_core::Family;
use lab::wait;

use super::Case;
use super::sessions::{KEY, neighbor, our_networks, our_peer, their_networks, we_have};
use crate::Bench;
use crate::foreign::{self, Connect, Daemon, Neighbor, Speaker};
use crate::ours::{Ours, PATIENCE, key_file};
use crate::pair::Pair;

pub(super) fn all() -> Vec<Case> {
    let mut cases = vec![];
    for connect in [Connect::They, Connect::We] {
        let who = match connect {
            Connect::They => "they connect",
            Connect::We => "we connect",
        };
        let mut add = |what: &str, ours: Option<&'static str>, theirs: Option<&'static str>| {
            cases.push(Case::new(format!("{what} is named, {who}"), move |bench| {
                let bad = Neighbor {
                    key: theirs.map(str::to_owned),
                    ..neighbor(Family::Ipv4, connect)
                };
                one_bad_session(bench, bad, ours, &["MD5"])
            }));
        };
        add("a wrong key", Some("another-key"), Some(KEY));
        add("a key missing at our end", None, Some(KEY));
        add("a key missing at their end", Some(KEY), None);
    }
    cases.push(Case::new("a wrong ASN is named", |bench| {
        let bad = Neighbor {
            local_asn: 65099,
            ..neighbor(Family::Ipv4, Connect::We)
        };
        one_bad_session(bench, bad, Some(KEY), &["65099", "65002"])
    }));
    cases.push(Case::new(
        "an empty, a short and a spaced key file stop their session alone",
        bad_key_files,
    ));
    cases.push(Case::new(
        "a key file that others can read stops its session alone",
        readable_key_file,
    ));
    cases.push(Case::new(
        "a key file that is missing stops its session alone",
        missing_key_file,
    ));
    cases.push(Case::new(
        "a parent interface that doesn't exist stops its VIF alone",
        missing_parent,
    ));
    for mistake in MISTAKES {
        cases.push(Case::new(
            format!("{}: refused at check, start and reload", mistake.what),
            |bench| refused(bench, mistake),
        ));
    }
    cases
}

/// A configuration that must not be taken.
struct Mistake {
    what: &'static str,
    text: &'static str,
    /// What the complaint has to contain.
    named: &'static [&'static str],
}

const MISTAKES: &[Mistake] = &[
    Mistake {
        what: "an unknown key",
        text: "[[peer]]\nname = \"x\"\naddress = \"10.9.0.9\"\nasn = 65003\nhold_tiem = \"9s\"\n",
        named: &["hold_tiem"],
    },
    Mistake {
        what: "a prefix with host bits",
        text: "[[peer]]\nname = \"x\"\naddress = \"10.9.0.9\"\nasn = 65003\nadvertise = [\"10.20.1.0/16\"]\n",
        named: &["10.20.1.0/16", "10.20.0.0/16"],
    },
    Mistake {
        what: "a VLAN used twice on one parent",
        text: "[[vif]]\nname = \"a\"\nkind = \"private\"\nparent = \"wire\"\nvlan = 101\nlocal = \"169.254.10.2/30\"\n\
               peer = \"169.254.10.1\"\npeer_asn = 64512\nauth_key_file = \"/k\"\nadvertise = [\"10.20.0.0/16\"]\n\
               [[vif]]\nname = \"b\"\nkind = \"private\"\nparent = \"wire\"\nvlan = 101\nlocal = \"169.254.11.2/30\"\n\
               peer = \"169.254.11.1\"\npeer_asn = 64512\nauth_key_file = \"/k\"\nadvertise = [\"10.20.0.0/16\"]\n",
        named: &["101", "wire"],
    },
    Mistake {
        what: "GTSM on an AWS peer",
        text: "[[vif]]\nname = \"a\"\nkind = \"private\"\nparent = \"wire\"\nvlan = 101\nlocal = \"169.254.10.2/30\"\n\
               peer = \"169.254.10.1\"\npeer_asn = 64512\nauth_key_file = \"/k\"\nadvertise = [\"10.20.0.0/16\"]\n\
               ttl_security = true\n",
        named: &["ttl_security"],
    },
    Mistake {
        what: "a hold time of 0 on an AWS peer",
        text: "[[vif]]\nname = \"a\"\nkind = \"private\"\nparent = \"wire\"\nvlan = 101\nlocal = \"169.254.10.2/30\"\n\
               peer = \"169.254.10.1\"\npeer_asn = 64512\nauth_key_file = \"/k\"\nadvertise = [\"10.20.0.0/16\"]\n\
               hold_time = \"0s\"\n",
        named: &["hold_time"],
    },
];

/// The good session, over IPv6 with GoBGP, that has to outlive every mistake.
struct Good {
    pair: Pair,
    _theirs: Box<dyn Speaker>,
    config: String,
}

impl Good {
    fn create(bench: &Bench) -> anyhow::Result<Self> {
        let pair = Pair::create(bench)?;
        let key = key_file(bench, "good-key", KEY)?;
        let family = Family::Ipv6;
        let theirs = foreign::start(
            Daemon::GoBgp,
            &pair.theirs,
            &bench.directory,
            neighbor(family, Connect::We),
        )?;
        let config = our_peer(family, Connect::We, Some(&key), &our_networks(family))
            .replace("\"them\"", "\"good\"");
        Ok(Self {
            pair,
            _theirs: theirs,
            config,
        })
    }

    fn is_up(&self, ours: &Ours) -> Result<(), String> {
        ours.established("good")?;
        let routes = ours
            .control
            .routes("peer=good")
            .map_err(|error| error.to_string())?;
        let wanted = their_networks(Family::Ipv6).len();
        if routes.len() == wanted {
            Ok(())
        } else {
            Err(format!("{} of {wanted} routes", routes.len()))
        }
    }

    /// Up with its routes, and never down.
    fn expect(&self, ours: &Ours) -> anyhow::Result<()> {
        wait::until(
            "the other session is Established with its routes",
            PATIENCE,
            || self.is_up(ours),
        )?;
        let peer = ours.peer("good").map_err(anyhow::Error::msg)?;
        wait::ensure(
            peer.flaps == 0,
            "the other session never went down",
            format!("{} flaps", peer.flaps),
        )?;
        Ok(())
    }
}

fn contains_all(text: &str, words: &[&str]) -> bool {
    let text = text.to_lowercase();
    words.iter().all(|word| text.contains(&word.to_lowercase()))
}

/// One session can't come up, and says why; the other is not touched.
fn one_bad_session(
    bench: &Bench,
    bad: Neighbor,
    our_key: Option<&str>,
    named: &[&str],
) -> anyhow::Result<()> {
    let good = Good::create(bench)?;
    let connect = bad.connect;
    let key = our_key.map(|key| key_file(bench, "key", key)).transpose()?;
    let peer = our_peer(
        Family::Ipv4,
        connect,
        key.as_deref(),
        &our_networks(Family::Ipv4),
    );
    let _theirs = foreign::start(Daemon::Bird, &good.pair.theirs, &bench.directory, bad)?;
    let ours = Ours::start(bench, &good.pair.ours, &format!("{}{peer}", good.config))?;
    expect_named(&ours, named)?;
    wait::while_holding(
        "the session stays down",
        Duration::from_secs(3),
        || match ours.peer("them")?.state.as_str() {
            "Established" => Err("it is Established".to_owned()),
            _ => Ok(()),
        },
    )?;
    wait::ensure(
        we_have(&ours, &good.pair.ours, Family::Ipv4, &[]).is_ok(),
        "no route came over it",
        "some did",
    )?;
    good.expect(&ours)
}

/// Waits until the session's last error says so, and so do the problems.
fn expect_named(ours: &Ours, named: &[&str]) -> anyhow::Result<()> {
    wait::until(
        &format!("the session's error names {}", named.join(" and ")),
        PATIENCE,
        || {
            let error = ours
                .peer("them")?
                .last_error
                .unwrap_or("no error yet".into());
            if contains_all(&error, named) {
                Ok(())
            } else {
                Err(error)
            }
        },
    )
}

fn with_key_file(
    bench: &Bench,
    make: impl Fn() -> anyhow::Result<std::path::PathBuf>,
    named: &[&str],
) -> anyhow::Result<()> {
    let good = Good::create(bench)?;
    let key = make()?;
    let peer = our_peer(
        Family::Ipv4,
        Connect::We,
        Some(&key),
        &our_networks(Family::Ipv4),
    );
    let ours = Ours::start(bench, &good.pair.ours, &format!("{}{peer}", good.config))?;
    let path = key.display().to_string();
    let words: Vec<&str> = named.iter().copied().chain([path.as_str()]).collect();
    expect_named(&ours, &words)?;
    good.expect(&ours)
}

fn bad_key_files(bench: &Bench) -> anyhow::Result<()> {
    for (key, named) in [
        ("", "empty"),
        ("short", "6 to 80"),
        ("with-a-space ", "white space"),
    ] {
        with_key_file(bench, || key_file(bench, "key", key), &[named])
            .with_context(|| format!("key file with {named}"))?;
    }
    Ok(())
}

fn readable_key_file(bench: &Bench) -> anyhow::Result<()> {
    let make = || {
        let path = key_file(bench, "key", KEY)?;
        fs::set_permissions(&path, Permissions::from_mode(0o644)).context("the key file's mode")?;
        Ok(path)
    };
    with_key_file(bench, make, &["600"])
}

fn missing_key_file(bench: &Bench) -> anyhow::Result<()> {
    with_key_file(
        bench,
        || Ok(bench.directory.join("nowhere")),
        &["No such file"],
    )
}

fn missing_parent(bench: &Bench) -> anyhow::Result<()> {
    let good = Good::create(bench)?;
    let key = key_file(bench, "key", KEY)?;
    let vif = format!(
        "[[vif]]\nname = \"them\"\nkind = \"private\"\nparent = \"eth9\"\nvlan = 101\nlocal = \"169.254.10.2/30\"\n\
         peer = \"169.254.10.1\"\npeer_asn = 64512\nauth_key_file = \"{}\"\nadvertise = [\"10.20.0.0/16\"]\n",
        key.display()
    );
    let ours = Ours::start(bench, &good.pair.ours, &format!("{}{vif}", good.config))?;
    wait::until("the VIF's error names eth9", PATIENCE, || {
        let status = ours.status().map_err(|error| error.to_string())?;
        let error = status
            .vifs
            .first()
            .and_then(|vif| vif.error.clone())
            .unwrap_or("no error".into());
        if error.contains("eth9") {
            Ok(())
        } else {
            Err(error)
        }
    })?;
    good.expect(&ours)
}

/// `bgpd check` and `bgpd run` say what and where; a running bgpd goes on.
fn refused(bench: &Bench, mistake: &Mistake) -> anyhow::Result<()> {
    let file = bench.directory.join("bad.toml");
    fs::write(
        &file,
        format!(
            "[bgpd]\nrouter_id = \"10.9.0.1\"\nasn = 65001\n{}",
            mistake.text
        ),
    )
    .context("bad.toml")?;
    for verb in ["check", "run"] {
        let output = Command::new(bench.program("bgpd"))
            .arg(verb)
            .arg(&file)
            .output()
            .context("bgpd")?;
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        let status = output.status.code();
        wait::ensure(
            status == Some(1),
            format!("bgpd {verb} ends with 1"),
            format!("{status:?}: {said}"),
        )?;
        let place = said.lines().any(|line| {
            line.contains("bad.toml:")
                && line
                    .split(':')
                    .nth(1)
                    .is_some_and(|n| n.parse::<u32>().is_ok())
        });
        wait::ensure(
            place,
            format!("bgpd {verb} says file, line and column"),
            said.clone(),
        )?;
        wait::ensure(
            contains_all(&said, mistake.named),
            format!("bgpd {verb} names {:?}", mistake.named),
            said.clone(),
        )?;
    }

    let good = Good::create(bench)?;
    let ours = Ours::start(bench, &good.pair.ours, &good.config)?;
    good.expect(&ours)?;
    let before = ours.status()?;
    let refusal = match ours.reload(&format!("{}{}", good.config, mistake.text)) {
        Ok(changes) => anyhow::bail!("expected: the reload is refused\nseen: it made {changes:?}"),
        Err(error) => format!("{error:#}"),
    };
    wait::ensure(
        contains_all(&refusal, mistake.named),
        format!("the refusal names {:?}", mistake.named),
        refusal,
    )?;
    let after = ours.status()?;
    let names = |status: &bgp_core::api::Status| -> Vec<String> {
        status
            .peers
            .iter()
            .map(|peer| peer.name.clone())
            .chain(status.vifs.iter().map(|vif| vif.name.clone()))
            .collect()
    };
    wait::ensure(
        names(&before) == names(&after),
        "nothing of the refused file is applied",
        format!("{:?}", names(&after)),
    )?;
    good.expect(&ours)
}
