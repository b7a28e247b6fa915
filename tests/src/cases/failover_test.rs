//! `dxctl failover test` in the small world, against the simulated AWS: the VIF's
//! sessions go down by the API, traffic goes over the internet and comes back.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use lab::control::Control;
use lab::wait::{self, ensure};
use lab::world::{
    AWS_GATEWAY, AWS_GATEWAY6, AWS_INTERNET, EDGE_GATEWAY, ONPREM, Process, VPC, VPC_HOST, VPC6,
    World,
};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::Case;
use crate::Bench;
use crate::ours::PATIENCE;

pub(super) fn all() -> Vec<Case> {
    vec![Case::with_vlan(
        "dxctl failover test measures what AWS's test costs, and always ends it",
        failover_test,
    )]
}

const CONNECTION: &str = "dxcon-fglab001";
const GATEWAY: &str = "vgw-0123456789abcdef0";
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
    let mut command = stage.command(&arguments);
    let log = bench.directory.join("interrupted.log");
    let mut running = stage.world.edge.spawn("dxctl", &mut command, &log)?;
    wait::until("the session goes down", PATIENCE, || {
        match stage.control.established(VIF) {
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
    world: World,
    control: Control,
    dxctl: PathBuf,
    _aws: Process,
    _bgpd: Process,
}

impl Stage {
    /// A VIF that is up, with the internet as its backup.
    fn open(bench: &Bench) -> anyhow::Result<Self> {
        let world = World::create()?;
        let directory = bench.directory.join("aws");
        fs::create_dir_all(&directory)?;
        let state = directory.join("state.toml");
        fs::write(&state, seed())?;
        let mut command = world.aws.command(bench.program("lab"));
        let backup = format!("inet0,{AWS_GATEWAY},{AWS_GATEWAY6}");
        command
            .args(["aws", "--listen", &format!("{AWS_INTERNET}:8080")])
            .args([
                "--time-scale",
                "20",
                "--router",
                "bgpd",
                "--backup",
                &backup,
            ])
            .args([PathBuf::from("--state"), state])
            .args([PathBuf::from("--bgpd"), bench.program("bgpd")])
            .args([PathBuf::from("--directory"), directory]);
        let log = bench.directory.join("aws.log");
        let mut aws = world.aws.spawn("the simulated AWS", &mut command, &log)?;
        wait::until("AWS's API listens", PATIENCE, || match aws.ended() {
            Some(status) => Err(format!("it has ended: {status}")),
            None if aws.output().contains(":8080") => Ok(()),
            None => Err("it is starting".to_owned()),
        })?;

        let edge = bench.directory.join("edge");
        let control = Control::at(edge.join("bgpd.sock"));
        let dxctl = bench.program("dxctl");
        let run = |arguments: &[&str]| dxctl_in(&world, &dxctl, &control, arguments);
        run(&[
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
        run(&[
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
            &edge.display().to_string(),
            "--control",
            &control.socket().display().to_string(),
        ])?;
        // Each failure doubles the hold time, and here they come one after another.
        let config = edge.join("bgpd.toml");
        let text = fs::read_to_string(&config).context("what dxctl wrote")?;
        fs::write(
            &config,
            text.replacen("[[vif]]", "[[vif]]\nhold = \"1s\"", 1),
        )?;
        let mut command = world.edge.command(bench.program("bgpd"));
        command.arg("run").arg(config);
        let log = bench.directory.join("bgpd.log");
        let bgpd = world.edge.spawn("bgpd", &mut command, &log)?;
        let stage = Self {
            world,
            control,
            dxctl,
            _aws: aws,
            _bgpd: bgpd,
        };
        wait::until("the VIF carries the VPC's traffic", PATIENCE, || {
            stage.is_carrying()
        })?;
        Ok(stage)
    }

    fn is_carrying(&self) -> Result<(), String> {
        self.control.established(VIF)?;
        let status = self.control.status().map_err(|error| error.to_string())?;
        let path = status.paths.iter().find(|path| path.name == VIF);
        match path {
            Some(path) if path.carries > 0 => Ok(()),
            other => Err(format!("{other:?}")),
        }
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
            self.is_carrying()
        })?;
        Ok(())
    }

    fn dxctl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        dxctl_in(&self.world, &self.dxctl, &self.control, arguments)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        command(&self.world, &self.dxctl, &self.control, arguments)
    }
}

fn command(world: &World, dxctl: &PathBuf, control: &Control, arguments: &[&str]) -> Command {
    let mut command = world.edge.command(dxctl);
    command.args(arguments).envs([
        ("AWS_ACCESS_KEY_ID", "AKIALABLABLABLABLAB1".to_owned()),
        (
            "AWS_SECRET_ACCESS_KEY",
            "lab/of/no/worth/lab/of/no/worth/lab/0001".to_owned(),
        ),
        ("AWS_REGION", "eu-central-1".to_owned()),
        (
            "AWS_ENDPOINT_URL_DIRECT_CONNECT",
            format!("http://{AWS_INTERNET}:8080"),
        ),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("BGPD_SOCKET", control.socket().display().to_string()),
    ]);
    command
}

fn dxctl_in(
    world: &World,
    dxctl: &PathBuf,
    control: &Control,
    arguments: &[&str],
) -> anyhow::Result<String> {
    let output = command(world, dxctl, control, arguments).output()?;
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr);
    ensure(
        output.status.success(),
        format!("dxctl {} ends well", arguments.join(" ")),
        format!("{out}{err}"),
    )?;
    Ok(out)
}

fn seed() -> String {
    format!(
        "[[connection]]\nid = \"{CONNECTION}\"\nname = \"lab\"\nlocation = \"EqFA5\"\n\
         bandwidth = \"1Gbps\"\ntrunk = \"dx0\"\n\n\
         [[virtual_gateway]]\nid = \"{GATEWAY}\"\nasn = 64512\ncidrs = [\"{VPC}\", \"{VPC6}\"]\n"
    )
}
