//! What a user of dxctl waits for: verbs that ask nobody, and a plan for 500
//! virtual interfaces, before and after they are made, against the simulated AWS.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};

use super::{Case, Entrant, Rounds};
use crate::aws::router::NoRouter;
use crate::aws::seed::{Seed, SeedConnection};
use crate::aws::server::{Server, Settings};
use crate::aws::sigv4::CREDENTIALS;
use crate::bench::figures::{Figures, Quantity};

const OFFLINE: [(Quantity, &[&str]); 4] = [
    (Quantity::milliseconds("--version"), &["--version"]),
    (
        Quantity::milliseconds("validate"),
        &["validate", "site.toml"],
    ),
    (
        Quantity::milliseconds("completions"),
        &["completions", "bash"],
    ),
    (Quantity::milliseconds("iam-policy"), &["iam-policy"]),
];
const PLAN_NEW: Quantity = Quantity::milliseconds("plan, all new");
const APPLY: Quantity = Quantity::milliseconds("apply");
const PLAN_SAME: Quantity = Quantity::milliseconds("plan, all there");

/// Of verbs that take milliseconds, so many are run for their median.
const REPEATS: usize = 21;
const VIFS: usize = 500;
const CONNECTIONS: usize = 10;
/// AWS takes 30 virtual interfaces a Direct Connect gateway.
const VIFS_PER_GATEWAY: usize = 25;

pub(super) fn cases() -> anyhow::Result<Vec<Case>> {
    let program = std::env::current_exe()?.with_file_name("dxctl");
    let round = move || World::new(&program)?.round();
    let case = Case {
        goal: Some("offline verbs 20 ms, plan 2 s"),
        ..Case::new(
            format!("dxctl, a site of {VIFS} virtual interfaces"),
            vec![Entrant {
                name: "dxctl",
                rounds: Rounds::All,
                round: Box::new(round),
            }],
        )
    };
    Ok(vec![case])
}

struct World<'a> {
    program: &'a Path,
    aws: Server,
    directory: tempfile::TempDir,
}

impl<'a> World<'a> {
    fn new(program: &'a PathBuf) -> anyhow::Result<Self> {
        let connection = |number| SeedConnection {
            id: format!("dxcon-bench{number:03}"),
            name: format!("c{number}"),
            location: "EqFA5".into(),
            bandwidth: "10Gbps".into(),
            trunk: None,
            vlan: None,
            owner: None,
            region: None,
        };
        let settings = Settings {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: Seed {
                connections: (0..CONNECTIONS).map(connection).collect(),
                ..Seed::default()
            },
            // States come at once.
            time_scale: 100_000.0,
            random: 1,
            faults: vec![],
        };
        let directory = tempfile::tempdir()?;
        std::fs::write(directory.path().join("site.toml"), site())?;
        Ok(Self {
            program,
            aws: Server::start(settings, Box::new(NoRouter))?,
            directory,
        })
    }

    fn round(&self) -> anyhow::Result<Figures> {
        let mut figures = Vec::new();
        for (quantity, words) in OFFLINE {
            let mut times = Vec::new();
            for _ in 0..REPEATS {
                times.push(self.milliseconds(words, 0)?);
            }
            times.sort_by(f64::total_cmp);
            figures.push((quantity, times[REPEATS / 2]));
        }
        figures.push((PLAN_NEW, self.milliseconds(&["plan", "site.toml"], 1)?));
        let apply = ["apply", "site.toml", "--yes", "--verify", "0"];
        figures.push((APPLY, self.milliseconds(&apply, 0)?));
        figures.push((PLAN_SAME, self.milliseconds(&["plan", "site.toml"], 0)?));
        Ok(Figures(figures))
    }

    /// Until it has ended, with the status that it should end with.
    fn milliseconds(&self, words: &[&str], expected: i32) -> anyhow::Result<f64> {
        let mut command = Command::new(self.program);
        command
            .args(words)
            .current_dir(self.directory.path())
            .env("AWS_ENDPOINT_URL_DIRECT_CONNECT", self.aws.url())
            .env("AWS_ACCESS_KEY_ID", CREDENTIALS[0].access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", CREDENTIALS[0].secret_access_key)
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let begun = Instant::now();
        let status = command
            .status()
            .with_context(|| format!("{}: build it in release first", self.program.display()))?;
        let time = begun.elapsed();
        ensure!(
            status.code() == Some(expected),
            "dxctl {} ended with {status}, not {expected}",
            words.join(" ")
        );
        Ok(time.as_secs_f64() * 1000.0)
    }
}

fn site() -> String {
    let mut text = "[site]\nname = \"bench\"\n".to_owned();
    for number in 0..CONNECTIONS {
        text.push_str(&format!("[[connection]]\nname = \"c{number}\"\n"));
    }
    for number in 0..VIFS.div_ceil(VIFS_PER_GATEWAY) {
        text.push_str(&format!("[[gateway]]\nname = \"g{number}\"\n"));
    }
    for number in 0..VIFS {
        let (connection, gateway) = (number % CONNECTIONS, number / VIFS_PER_GATEWAY);
        text.push_str(&format!(
            "[[vif]]\nname = \"v{number}\"\nkind = \"private\"\nconnection = \"c{connection}\"\n\
             gateway = \"g{gateway}\"\n"
        ));
    }
    text
}
