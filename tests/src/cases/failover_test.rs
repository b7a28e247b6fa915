//! `dxctl failover test` in the small world, against the simulated AWS: the VIF's
//! sessions go down by the API, traffic goes over the internet and comes back.

use std::fs;

use anyhow::Context;
use lab::wait::{self, ensure};
use lab::world::{EDGE_GATEWAY, ONPREM, Process, VPC_HOST};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::Case;
use crate::Bench;
use crate::cloud::{CONNECTION, Cloud, GATEWAY};
use crate::ours::PATIENCE;

pub(super) fn all() -> Vec<Case> {
    vec![Case::with_vlan(
        "dxctl failover test measures what AWS's test costs, and always ends it",
        failover_test,
    )]
}

const VIF: &str = "prod";

fn failover_test(bench: &Bench) -> anyhow::Result<()> {
    let stage = Stage::open(bench)?;
    let said = stage.dxctl(&["drain", VIF])?;
    ensure(
        said.contains("internet"),
        "a drain moves traffic to the internet",
        said,
    )?;
    stage.dxctl(&["undrain", VIF])?;
    let page = bench.directory.join("report.html");
    let target = VPC_HOST.to_string();
    let quick = [
        "failover",
        "test",
        VIF,
        "--target",
        &target,
        "--duration",
        "2s",
        "--yes",
    ];
    let page_text = page.display().to_string();
    // This kernel may be slow: that traffic is not lost for long is enough here.
    let limits = ["--max-outage", "5s", "--max-return-outage", "5s"];
    let report = ["--json", "--html", &page_text];
    let mut drill = quick;
    drill[1] = "drill";
    let said = stage.dxctl(&[&drill[..], &limits].concat())?;
    ensure(
        said.contains("failover drill of prod: PASSED"),
        "the drill passes",
        said,
    )?;
    // What `iam-policy` says is needed is enough, and who only reads can't.
    stage.cloud.permit(&["read"])?;
    let denied = stage.cloud.output(&quick)?;
    let out = String::from_utf8_lossy(&denied.stdout);
    let why = format!("{out}{}", String::from_utf8_lossy(&denied.stderr));
    let is_told = why.contains("not allowed") && denied.status.code() == Some(1);
    ensure(is_told, "who may only read is told so", why)?;
    stage.cloud.permit(&["read", "failover-test"])?;
    let said = stage.dxctl(&[&quick[..], &limits, &report].concat())?;
    let report: Value = serde_json::from_str(&said)?;
    ensure(report["passed"] == true, "the test passes", &said)?;
    let moved = report["checks"].to_string();
    ensure(
        moved.contains("internet carries"),
        "traffic took the internet",
        moved,
    )?;
    let away = &report["parts"][1]["targets"][0];
    let answered = away["sent"].as_u64() > away["lost"].as_u64();
    ensure(answered, "probes were answered meanwhile", away.to_string())?;
    let html = fs::read_to_string(&page).context("the page")?;
    let is_self_contained = html.contains("<svg") && !html.contains("://");
    ensure(is_self_contained, "the page loads nothing", "it does")?;
    stage.is_over()?;

    let arguments = [
        "failover",
        "test",
        VIF,
        "--target",
        &target,
        "--duration",
        "5m",
        "--yes",
    ];
    let mut command = stage.cloud.command(&arguments);
    let log = bench.directory.join("interrupted.log");
    let mut running = stage.cloud.world.edge.spawn("dxctl", &mut command, &log)?;
    wait::until("the session goes down", PATIENCE, || {
        match stage.cloud.control.established(VIF) {
            Ok(_) if running.ended().is_some() => Err(running.output()),
            Ok(_) => Err("it is Established".to_owned()),
            Err(_) => Ok(()),
        }
    })?;
    running.signal(Signal::SIGINT);
    wait::until("dxctl ends", PATIENCE, || {
        running.ended().ok_or_else(|| running.output())
    })?;
    let said = running.output();
    ensure(said.contains("FAILED  interrupted"), "it says so", said)?;
    stage.is_over()
}

struct Stage {
    cloud: Cloud,
    _bgpd: Process,
}

impl Stage {
    /// A VIF that is up, with the internet as its backup.
    fn open(bench: &Bench) -> anyhow::Result<Self> {
        let cloud = Cloud::open(bench)?;
        cloud.dxctl(&[
            "vif",
            "create",
            "--kind",
            "private",
            "--connection",
            CONNECTION,
            "--name",
            VIF,
            "--gateway",
            GATEWAY,
            "--wait",
            "60",
        ])?;
        let gateway = EDGE_GATEWAY.to_string();
        cloud.dxctl(&[
            "bgpd-config",
            VIF,
            "--parent",
            "eth1",
            "--advertise",
            ONPREM,
            "--preference",
            "high",
            "--backup-interface",
            "eth0",
            "--backup-gateway",
            &gateway,
            "--out-dir",
            &cloud.edge.display().to_string(),
            "--control",
            &cloud.control.socket().display().to_string(),
        ])?;
        // Each failure doubles the hold time, and here they come one after another.
        let config = cloud.edge.join("bgpd.toml");
        let text = fs::read_to_string(&config).context("what dxctl wrote")?;
        fs::write(
            &config,
            text.replacen("[[vif]]", "[[vif]]\nhold = \"1s\"", 1),
        )?;
        let bgpd = cloud.start_bgpd(bench)?;
        let stage = Self { cloud, _bgpd: bgpd };
        wait::until("the VIF carries the VPC's traffic", PATIENCE, || {
            stage.cloud.is_carrying(VIF)
        })?;
        Ok(stage)
    }

    /// AWS's test has ended, and all is as before.
    fn is_over(&self) -> anyhow::Result<()> {
        let shown: Value = serde_json::from_str(&self.dxctl(&["vif", "show", VIF, "--json"])?)?;
        let is_over = shown["state"] != "testing";
        ensure(
            is_over,
            "the VIF is no longer under test",
            shown.to_string(),
        )?;
        wait::until("the VIF carries the VPC's traffic again", PATIENCE, || {
            self.cloud.is_carrying(VIF)
        })?;
        Ok(())
    }

    fn dxctl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        self.cloud.dxctl(arguments)
    }
}
