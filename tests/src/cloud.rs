//! The small world with the simulated AWS in it, whose router is a real bgpd; and
//! dxctl and our bgpd on the edge.

use std::fs;
use std::io::{self, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Output};

use anyhow::Context;
use lab::aws::sigv4::CREDENTIALS;
use lab::control::Control;
use lab::wait::{self, ensure};
use lab::world::{AWS_GATEWAY, AWS_GATEWAY6, AWS_INTERNET, Process, VPC, VPC6, World};

use crate::Bench;
use crate::ours::PATIENCE;

pub(crate) struct Cloud {
    pub(crate) world: World,
    /// Where our bgpd's files are.
    pub(crate) edge: PathBuf,
    /// Our bgpd.
    pub(crate) control: Control,
    dxctl: PathBuf,
    bgpd: PathBuf,
    _aws: Process,
}

pub(crate) const CONNECTION: &str = "dxcon-fglab001";
pub(crate) const GATEWAY: &str = "vgw-0123456789abcdef0";

impl Cloud {
    /// AWS answers; nothing is made there yet.
    pub(crate) fn open(bench: &Bench) -> anyhow::Result<Self> {
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
        fs::create_dir_all(&edge)?;
        Ok(Self {
            world,
            control: Control::at(edge.join("bgpd.sock")),
            edge,
            dxctl: bench.program("dxctl"),
            bgpd: bench.program("bgpd"),
            _aws: aws,
        })
    }

    /// With the configuration that is in `edge`.
    pub(crate) fn start_bgpd(&self, bench: &Bench) -> anyhow::Result<Process> {
        let mut command = self.world.edge.command(&self.bgpd);
        command.arg("run").arg(self.edge.join("bgpd.toml"));
        let log = bench.directory.join("bgpd.log");
        Ok(self.world.edge.spawn("bgpd", &mut command, &log)?)
    }

    /// What dxctl says on standard output; it has to end well.
    pub(crate) fn dxctl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.output(arguments)?;
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let err = String::from_utf8_lossy(&output.stderr);
        ensure(
            output.status.success(),
            format!("dxctl {} ends well", arguments.join(" ")),
            format!("{out}{err}"),
        )?;
        Ok(out)
    }

    pub(crate) fn output(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        Ok(self.command(arguments).output()?)
    }

    /// dxctl on the edge.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let credentials = &CREDENTIALS[0];
        let mut command = self.world.edge.command(&self.dxctl);
        command
            .args(arguments)
            .env("AWS_ACCESS_KEY_ID", credentials.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key)
            .env("AWS_REGION", "eu-central-1")
            .env(
                "AWS_ENDPOINT_URL_DIRECT_CONNECT",
                format!("http://{AWS_INTERNET}:8080"),
            )
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("BGPD_SOCKET", self.control.socket());
        command
    }

    /// Whoever asks is allowed what these sets of verbs need, and nothing else.
    pub(crate) fn permit(&self, sets: &[&str]) -> anyhow::Result<()> {
        let policy = self.dxctl(&[&["iam-policy"], sets].concat())?;
        let length = policy.len();
        let request = format!(
            "POST /lab/policy HTTP/1.1\r\nhost: lab\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{policy}"
        );
        let asked = self.world.edge.enter(|| -> io::Result<String> {
            let mut stream = TcpStream::connect((AWS_INTERNET, 8080))?;
            stream.write_all(request.as_bytes())?;
            io::read_to_string(stream)
        })?;
        let answer = asked.context("the simulated AWS's policy")?;
        ensure(
            answer.starts_with("HTTP/1.1 2"),
            "AWS takes the policy",
            answer,
        )?;
        Ok(())
    }

    /// Whether traffic to AWS takes this path.
    pub(crate) fn is_carrying(&self, path: &str) -> Result<(), String> {
        self.control.established(path)?;
        let status = self.control.status().map_err(|error| error.to_string())?;
        match status.paths.iter().find(|one| one.name == path) {
            Some(path) if path.carries > 0 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    }
}

fn seed() -> String {
    format!(
        "[[connection]]\nid = \"{CONNECTION}\"\nname = \"lab\"\nlocation = \"EqFA5\"\n\
         bandwidth = \"1Gbps\"\ntrunk = \"dx0\"\n\n\
         [[virtual_gateway]]\nid = \"{GATEWAY}\"\nasn = 64512\ncidrs = [\"{VPC}\", \"{VPC6}\"]\n"
    )
}
