//! The simulated AWS of the flight: API and router, in AWS's namespace.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use super::{PATIENCE, Stage};
use crate::wait;
use crate::world::{AWS_GATEWAY, AWS_GATEWAY6, AWS_INTERNET, Process, VPC, VPC6, World};

pub(super) struct Cloud {
    process: Process,
}

pub(super) const CONNECTION: &str = "dxcon-fglab001";
pub(super) const GATEWAY: &str = "vgw-0123456789abcdef0";

/// Accepted by the simulated AWS, and worth nothing anywhere else.
pub(super) const CREDENTIALS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "AKIALABLABLABLABLAB1"),
    (
        "AWS_SECRET_ACCESS_KEY",
        "lab/of/no/worth/lab/of/no/worth/lab/0001",
    ),
    ("AWS_REGION", "eu-central-1"),
];

impl Cloud {
    pub(super) fn start(world: &World, stage: &Stage) -> anyhow::Result<Self> {
        let directory = stage.directory.join("aws");
        fs::create_dir_all(&directory).context("making AWS's directory")?;
        let state = directory.join("state.toml");
        fs::write(&state, seed()).context("writing AWS's state")?;
        let mut command = world.aws.command(stage.program("lab")?);
        command
            .args(["aws", "--listen", &Self::address()])
            // AWS takes 20 s to provision; the flight has no time for that.
            .args(["--time-scale", "20"])
            .args([PathBuf::from("--state"), state])
            .args([PathBuf::from("--bgpd"), stage.program("bgpd")?])
            .args([PathBuf::from("--directory"), directory])
            .args(["--router", "bgpd"])
            .args(["--backup", &format!("inet0,{AWS_GATEWAY},{AWS_GATEWAY6}")]);
        let process = world
            .aws
            .spawn("the simulated AWS", &mut command, &stage.log("aws"))?;
        let mut cloud = Self { process };
        cloud.wait_until_listening()?;
        Ok(cloud)
    }

    /// Where the API is, as seen from the internet.
    pub(super) fn url() -> String {
        format!("http://{}", Self::address())
    }

    pub(super) fn stop(&mut self) {
        self.process.stop(Duration::from_secs(5));
    }

    fn address() -> String {
        format!("{AWS_INTERNET}:8080")
    }

    fn wait_until_listening(&mut self) -> anyhow::Result<()> {
        let url = Self::url();
        wait::until(
            &format!("AWS's API listens at {url}"),
            PATIENCE,
            || match self.process.ended() {
                Some(status) => Err(format!("it has ended: {status}")),
                None if self.process.output().contains(&url) => Ok(()),
                None => Err("it is starting".to_owned()),
            },
        )
    }
}

fn seed() -> String {
    format!(
        "[[connection]]\nid = \"{CONNECTION}\"\nname = \"lab\"\nlocation = \"EqFA5\"\n\
         bandwidth = \"1Gbps\"\ntrunk = \"dx0\"\n\n\
         [[virtual_gateway]]\nid = \"{GATEWAY}\"\nasn = 64512\ncidrs = [\"{VPC}\", \"{VPC6}\"]\n"
    )
}
