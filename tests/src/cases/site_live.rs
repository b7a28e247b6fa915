//! A site file against a live AWS: applied from nothing until its sessions are up
//! or the reason is told, changed, its keys changed with one restart of each
//! session, and destroyed. Traffic flows meanwhile.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use lab::wait::{self, ensure};
use lab::world::{
    EDGE_GATEWAY, EDGE_GATEWAY6, Flow, ONPREM, ONPREM6, Outcome, Process, VPC_HOST, VPC_HOST6,
};
use serde_json::Value;

use super::Case;
use super::interrupted::world::write;
use crate::Bench;
use crate::cloud::{Cloud, GATEWAY};
use crate::ours::PATIENCE;

pub(super) fn all() -> Vec<Case> {
    vec![
        Case::with_vlan(
            "dxctl apply makes a site whose sessions come up or says why not, changes it, and takes it away",
            site,
        ),
        Case::with_vlan(
            "a new key costs each session one restart, by apply and by rotate-key, and traffic next to nothing",
            keys,
        ),
    ]
}

/// An interface with both sessions and one with a single session.
const BOTH: &str = "prod";
const SIX: &str = "prod-v6";
const SOLO: &str = "solo";

fn site(bench: &Bench) -> anyhow::Result<()> {
    let stage = Stage::open(bench)?;
    let made = stage.apply(&[])?;
    ensure(
        made["problems"] == Value::Array(vec![]),
        "no problems",
        made.to_string(),
    )?;
    stage.all_up()?;
    // Once more: nothing to do.
    let again = stage.apply(&[])?;
    ensure(
        again["changes"] == 0,
        "nothing is left to do",
        again.to_string(),
    )?;

    // More prefixes, a larger MTU: its interface follows.
    stage.write_site(&[
        ("mtu = 1500", "mtu = 8500"),
        (
            "advertise = [\"10.20.0.0/16\"]",
            "advertise = [\"10.20.0.0/16\", \"10.21.0.0/16\"]",
        ),
    ])?;
    stage.apply(&["--allow", "cut:prod"])?;
    let link = stage.cloud.world.edge.show("link show dev eth1.101")?;
    ensure(link.contains("mtu 8500"), "the interface has the MTU", link)?;
    let routes = stage.cloud.dxctl(&["routes", "--advertised", SOLO])?;
    ensure(
        routes.contains("10.21.0.0/16"),
        "the new prefix is announced",
        routes,
    )?;

    stage.says_why_not()?;

    let words = [
        "destroy",
        stage.site.as_str(),
        "--yes",
        "--allow",
        "cut:prod,cut:solo",
    ];
    stage.cloud.dxctl(&words)?;
    let left = stage.cloud.dxctl(&["vif", "list", "--json"])?;
    let left: Value = serde_json::from_str(&left)?;
    ensure(
        left == Value::Array(vec![]),
        "AWS has none of it",
        left.to_string(),
    )?;
    wait::until("the sessions end", PATIENCE, || {
        match stage.cloud.control.established(BOTH) {
            Ok(_) => Err("it is Established".to_owned()),
            Err(_) => Ok(()),
        }
    })
}

fn keys(bench: &Bench) -> anyhow::Result<()> {
    let stage = Stage::open(bench)?;
    stage.apply(&[])?;
    stage.all_up()?;

    // By the site file, each alone, so that the other is there meanwhile.
    for (name, family, allow) in [(BOTH, "ipv4", "cut:prod"), (SOLO, "ipv4", "cut:solo")] {
        stage.rotated(name, family, || {
            stage.key(name, "second")?;
            let said = stage.apply(&["--allow", allow])?;
            Ok(said["restarts"][0].clone())
        })?;
    }
    for (name, family) in [(BOTH, "ipv4"), (SIX, "ipv6"), (SOLO, "ipv4")] {
        let vif = name.trim_end_matches("-v6");
        stage.rotated(name, family, || {
            let directory = stage.cloud.edge.display().to_string();
            let words = [
                "vif",
                "rotate-key",
                vif,
                "--family",
                family,
                "--out-dir",
                &directory,
                "--yes",
                "--json",
            ];
            Ok(serde_json::from_str(&stage.cloud.dxctl(&words)?)?)
        })?;
    }
    let sessions = stage.cloud.dxctl(&["vif", "show", SOLO, "--json"])?;
    let sessions: Value = serde_json::from_str(&sessions)?;
    let count = sessions["peers"].as_array().map(Vec::len);
    ensure(
        count == Some(1),
        "what stood in is gone",
        sessions.to_string(),
    )?;
    Ok(())
}

struct Stage {
    cloud: Cloud,
    site: String,
    _bgpd: Process,
}

impl Stage {
    /// AWS has nothing; a bgpd without a VIF runs on the edge.
    fn open(bench: &Bench) -> anyhow::Result<Self> {
        let cloud = Cloud::open(bench)?;
        let socket = cloud.control.socket().display().to_string();
        let config =
            format!("[bgpd]\nrouter_id = \"{ROUTER_ID}\"\nasn = 65010\ncontrol = \"{socket}\"\n");
        fs::write(cloud.edge.join("bgpd.toml"), config)?;
        let bgpd = cloud.start_bgpd(bench)?;
        wait::until("bgpd answers", PATIENCE, || {
            let status = cloud.control.status();
            status.map(drop).map_err(|error| error.to_string())
        })?;
        let site = bench.directory.join("site.toml").display().to_string();
        let stage = Self {
            cloud,
            site,
            _bgpd: bgpd,
        };
        for name in [BOTH, SIX, SOLO] {
            stage.key(name, "first")?;
        }
        stage.write_site(&[])?;
        Ok(stage)
    }

    /// The key files are the site's, and bgpd's are others.
    fn key(&self, name: &str, which: &str) -> anyhow::Result<()> {
        let path = self.cloud.edge.join(format!("{name}.key"));
        write(&path, &format!("{which}-key-of-{name}"))
    }

    fn write_site(&self, changes: &[(&str, &str)]) -> anyhow::Result<()> {
        let mut text = SITE.to_owned();
        let edge = self.cloud.edge.display().to_string();
        let gateways = format!("\"{EDGE_GATEWAY}\", \"{EDGE_GATEWAY6}\"");
        for (word, value) in [
            ("EDGE", edge.as_str()),
            ("GATEWAYS", &gateways),
            ("VGW", GATEWAY),
            ("ROUTER_ID", ROUTER_ID),
            ("ONPREM6", ONPREM6),
            ("ONPREM", ONPREM),
        ] {
            text = text.replace(word, value);
        }
        for (from, to) in changes {
            ensure(text.contains(from), format!("the site has {from}"), &text)?;
            text = text.replace(from, to);
        }
        fs::write(&self.site, text).context("the site file")
    }

    /// With what it said on the way in the error.
    fn apply(&self, more: &[&str]) -> anyhow::Result<Value> {
        let words = [&["apply", &self.site, "--yes", "--json"], more].concat();
        Ok(serde_json::from_str(&self.cloud.dxctl(&words)?)?)
    }

    fn all_up(&self) -> anyhow::Result<()> {
        for name in [BOTH, SIX, SOLO] {
            self.cloud
                .control
                .established(name)
                .map_err(anyhow::Error::msg)
                .with_context(|| format!("apply was content, but {name} is not up"))?;
        }
        wait::until("the VIF carries the VPC's traffic", PATIENCE, || {
            self.cloud.is_carrying(BOTH)
        })
    }

    /// With a fibre that is cut, and with a parent that isn't there.
    fn says_why_not(&self) -> anyhow::Result<()> {
        self.cloud.world.cut()?;
        self.write_site(&[("preference = \"high\"", "preference = \"medium\"")])?;
        let said = self.fails(&["--verify", "3", "--allow", "cut:prod"])?;
        ensure(said.contains("carrier"), "it names the carrier", said)?;
        self.cloud.world.mend()?;
        self.write_site(&[("parent = \"eth1\"", "parent = \"eth7\"")])?;
        let said = self.fails(&["--verify", "3"])?;
        ensure(said.contains("eth7"), "it names the interface", said)?;
        Ok(())
    }

    fn fails(&self, more: &[&str]) -> anyhow::Result<String> {
        let words = [&["apply", self.site.as_str(), "--yes"], more].concat();
        let output = self.cloud.output(&words)?;
        let out = String::from_utf8_lossy(&output.stdout);
        let said = format!("{out}{}", String::from_utf8_lossy(&output.stderr));
        let differs = output.status.code() == Some(1);
        ensure(differs, "apply ends with 1", &said)?;
        Ok(said)
    }

    /// While traffic flows, `change` gives the session a new key: it restarts once
    /// and no other does.
    fn rotated(
        &self,
        session: &str,
        family: &str,
        change: impl FnOnce() -> anyhow::Result<Value>,
    ) -> anyhow::Result<()> {
        let before = self.flaps()?;
        let host: SocketAddr = match family {
            "ipv6" => (VPC_HOST6, 7000).into(),
            _ => (VPC_HOST, 7000).into(),
        };
        let world = &self.cloud.world;
        let flow = Flow::start(&world.onprem, (&world.vpc, host), Duration::from_millis(1))?;
        let said = change();
        let outcome = flow.stop();
        let said = said?;
        let after = self.flaps()?;
        for (name, flaps) in &after {
            let restarts = flaps
                - before
                    .iter()
                    .find(|(one, _)| one == name)
                    .map_or(0, |(_, n)| *n);
            let wanted = u64::from(name == session);
            ensure(
                restarts == wanted,
                format!("{name} restarts {wanted} times when {session} gets a key"),
                format!("{restarts} times: {said}"),
            )?;
        }
        let down = said["outage_seconds"].as_f64();
        let down =
            down.with_context(|| format!("expected: for how long it was down\nseen: {said}"))?;
        println!(
            "{session}: a new key: session down for {down:.2} s, traffic {}",
            told(&outcome)
        );
        // AWS's end is away for 2 s here; this kernel is slow.
        ensure(down < 30.0, "the session is back soon", said.to_string())?;
        let worst = outcome.forth.outage.max(outcome.back.outage);
        ensure(
            worst < Duration::from_secs(2).max(outcome.pause * 2),
            "traffic takes another way meanwhile",
            told(&outcome),
        )?;
        wait::until("the session is trusted again", PATIENCE, || {
            self.cloud.control.established(session).map(drop)
        })
    }

    fn flaps(&self) -> anyhow::Result<Vec<(String, u64)>> {
        let peers = self.cloud.control.status()?.peers.into_iter();
        Ok(peers
            .map(|peer| (peer.name.to_string(), peer.flaps))
            .collect())
    }
}

fn told(outcome: &Outcome) -> String {
    format!(
        "lost {} and {} of {} packets, longest gap {:?} and {:?} (the sender's own: {:?})",
        outcome.forth.lost,
        outcome.back.lost,
        outcome.sent,
        outcome.forth.outage,
        outcome.back.outage,
        outcome.pause
    )
}

const ROUTER_ID: &str = "10.20.0.1";

const SITE: &str = r#"
[site]
name = "frankfurt"
region = "eu-central-1"
asn = 65010

[[connection]]
name = "lab"

[[router]]
name = "edge"
platform = "bgpd"
parent = "eth1"
router_id = "ROUTER_ID"
directory = "EDGE"
control = "EDGE/bgpd.sock"
backup = { interface = "eth0", gateways = [GATEWAYS] }

[[vif]]
name = "prod"
kind = "private"
connection = "lab"
vlan = 101
gateway = "VGW"
mtu = 1500
addresses = ["169.254.10.1/30", "169.254.10.2/30"]
key = "file:EDGE/prod.key"
ipv6 = { key = "file:EDGE/prod-v6.key" }
advertise = ["ONPREM", "ONPREM6"]
preference = "high"
router = "edge"

[[vif]]
name = "solo"
kind = "private"
connection = "lab"
vlan = 102
gateway = "VGW"
addresses = ["169.254.10.5/30", "169.254.10.6/30"]
key = "file:EDGE/solo.key"
advertise = ["ONPREM"]
preference = "low"
router = "edge"
"#;
