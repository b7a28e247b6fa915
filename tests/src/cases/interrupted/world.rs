//! One simulated AWS, one directory, one command of dxctl run in them: to its end,
//! or to a call at which it is killed.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use lab::aws::fault::Call;
use lab::aws::router::NoRouter;
use lab::aws::seed::Seed;
use lab::aws::server::{Server, Settings};
use lab::aws::sigv4::CREDENTIALS;
use lab::aws::simulator::{Caller, OWNER};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

pub(in crate::cases) struct World {
    aws: Server,
    directory: PathBuf,
    dxctl: PathBuf,
    environment: Vec<(String, String)>,
}

/// What was left of a run that was ended by SIGABRT.
pub(in crate::cases) struct Aborted {
    /// As `/proc` had them.
    pub(in crate::cases) arguments: String,
    pub(in crate::cases) dumped_core: bool,
}

/// How a run of dxctl ended.
#[derive(Debug)]
pub(in crate::cases) enum End {
    Killed,
    Exited { code: Option<i32>, said: String },
}

impl World {
    /// `directory` has to be there.
    pub(in crate::cases) fn new(dxctl: &Path, directory: PathBuf) -> anyhow::Result<Self> {
        let settings = Settings {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: Seed::default(),
            // States come at once.
            time_scale: 100_000.0,
            random: 7,
            faults: vec![],
        };
        Ok(Self {
            aws: Server::start(settings, Box::new(NoRouter))?,
            directory,
            dxctl: dxctl.to_owned(),
            environment: vec![],
        })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.aws.faults().calls()
    }

    /// Runs it with these faults on order and no other; killed at a call that is
    /// held.
    pub(in crate::cases) fn run(&self, words: &str, faults: &[String]) -> anyhow::Result<End> {
        self.aws.faults().clear();
        for fault in faults {
            let fault = fault.parse().map_err(anyhow::Error::msg)?;
            self.aws.faults().order(fault);
        }
        let log = self.directory.join("said");
        let mut child = self.spawn(words, &log)?;
        let outcome = self.attend(&mut child);
        if outcome.is_err() {
            let _ = child.kill();
            let _ = child.wait();
        }
        match outcome? {
            None => Ok(End::Killed),
            Some(code) => {
                let said = fs::read_to_string(&log).context("what dxctl said")?;
                Ok(End::Exited { code, said })
            }
        }
    }

    /// A variable for the runs to come.
    pub(in crate::cases) fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Aborted in the middle of a call, with core files allowed.
    pub(in crate::cases) fn abort(&self, words: &str, operation: &str) -> anyhow::Result<Aborted> {
        self.aws.faults().clear();
        let fault = format!("hold:{operation}");
        let fault = fault.parse().map_err(anyhow::Error::msg)?;
        self.aws.faults().order(fault);
        let (soft, hard) = getrlimit(Resource::RLIMIT_CORE).context("the limit of core files")?;
        setrlimit(Resource::RLIMIT_CORE, hard, hard).context("core files")?;
        let child = self.spawn(words, &self.directory.join("said"));
        setrlimit(Resource::RLIMIT_CORE, soft, hard).context("core files")?;
        let mut child = child?;
        let pid = Pid::from_raw(i32::try_from(child.id()).context("a process id")?);
        let held = self.aws.faults().wait_until_held(PATIENCE);
        let arguments = fs::read_to_string(format!("/proc/{pid}/cmdline"));
        kill(pid, Signal::SIGABRT).context("SIGABRT")?;
        let status = child.wait().context("dxctl's end")?;
        ensure!(
            held.is_some(),
            "expected: a call of {operation}\nseen: none"
        );
        ensure!(
            status.signal() == Some(Signal::SIGABRT as i32),
            "it ended by itself: {status}"
        );
        Ok(Aborted {
            arguments: arguments.context("its arguments")?.replace('\0', " "),
            dumped_core: status.core_dumped(),
        })
    }

    fn spawn(&self, words: &str, log: &Path) -> anyhow::Result<Child> {
        let file = File::create(log).context("a log")?;
        let credentials = &CREDENTIALS[0];
        Command::new(&self.dxctl)
            .args(words.split_whitespace())
            .current_dir(&self.directory)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("HOME", &self.directory)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL_DIRECT_CONNECT", self.aws.url())
            .env("AWS_ACCESS_KEY_ID", credentials.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key)
            .env("AWS_REGION", REGION)
            .stdin(Stdio::null())
            .stdout(file.try_clone().context("a log")?)
            .stderr(file)
            .spawn()
            .context("dxctl")
    }

    /// `None`: it was killed; or its exit code.
    fn attend(&self, child: &mut Child) -> anyhow::Result<Option<Option<i32>>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let look = Duration::from_millis(10);
            if self.aws.faults().wait_until_held(look).is_some() {
                // SIGKILL.
                child.kill().context("killing dxctl")?;
                child.wait().context("dxctl's end")?;
                return Ok(None);
            }
            if let Some(status) = child.try_wait().context("dxctl's end")? {
                return Ok(Some(status.code()));
            }
            ensure!(Instant::now() < deadline, "dxctl runs for minutes");
        }
    }

    /// What is at AWS, by names instead of ids, and whether each key there is the
    /// one in the key file of the interface.
    pub(super) fn holds(&self) -> anyhow::Result<Value> {
        let gateways = self.list("DescribeDirectConnectGateways", "directConnectGateways")?;
        let name_of = |id: &Value| {
            let known = gateways.iter().find(|g| g["directConnectGatewayId"] == *id);
            known.map_or(Value::Null, |g| g["directConnectGatewayName"].clone())
        };
        let associations = self.list(
            "DescribeDirectConnectGatewayAssociations",
            "directConnectGatewayAssociations",
        )?;
        let vifs = self.list("DescribeVirtualInterfaces", "virtualInterfaces")?;
        let gone = |state: &Value| ["deleting", "deleted"].iter().any(|gone| state == gone);
        let live_vifs = vifs
            .iter()
            .filter(|vif| !gone(&vif["virtualInterfaceState"]));
        let live_gateways = gateways
            .iter()
            .filter(|g| !gone(&g["directConnectGatewayState"]));
        Ok(json!({
            "gateways": sorted(live_gateways.map(|g| pick(g, &["directConnectGatewayName",
                "amazonSideAsn", "directConnectGatewayState", "tags"]))),
            "associations": sorted(associations.iter().map(|a| {
                let mut seen = pick(a, &["associatedGateway", "associationState",
                    "allowedPrefixesToDirectConnectGateway"]);
                seen["gateway"] = name_of(&a["directConnectGatewayId"]);
                seen
            })),
            "virtual interfaces": sorted(live_vifs.map(|vif| {
                let mut seen = pick(vif, &["connectionId", "virtualInterfaceName", "vlan",
                    "virtualInterfaceType", "virtualInterfaceState", "mtu", "virtualGatewayId",
                    "siteLinkEnabled", "rateLimit", "routeFilterPrefixes", "tags"]);
                seen["gateway"] = name_of(&vif["directConnectGatewayId"]);
                let peers = vif["bgpPeers"].as_array().into_iter().flatten();
                seen["peers"] = sorted(peers.map(|peer| self.peer(vif, peer)));
                seen
            })),
        }))
    }

    fn peer(&self, vif: &Value, peer: &Value) -> Value {
        let mut seen = pick(
            peer,
            &[
                "addressFamily",
                "asnLong",
                "amazonAddress",
                "customerAddress",
                "bgpPeerState",
            ],
        );
        let name = vif["virtualInterfaceName"].as_str().unwrap_or_default();
        let family = match peer["addressFamily"].as_str() {
            Some("ipv6") => "-v6",
            _ => "",
        };
        let file = self.directory.join(format!("keys/{name}{family}"));
        let file = fs::read_to_string(file);
        let same = file.is_ok_and(|key| Some(key.trim_end()) == peer["authKey"].as_str());
        seen["the key in the file"] = json!(same);
        seen
    }

    fn list(&self, operation: &str, key: &str) -> anyhow::Result<Vec<Value>> {
        let caller = Caller {
            account: OWNER.into(),
            region: REGION.into(),
        };
        let answer = self.aws.ask(&caller, operation, json!({}))?;
        Ok(answer[key].as_array().cloned().unwrap_or_default())
    }
}

/// Nobody else may read it: some are keys.
pub(in crate::cases) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let written = fs::write(path, text);
    written
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o600)))
        .with_context(|| path.display().to_string())
}

fn pick(object: &Value, names: &[&str]) -> Value {
    let picked: BTreeMap<_, _> = names.iter().map(|name| (*name, &object[*name])).collect();
    json!(picked)
}

fn sorted(values: impl Iterator<Item = Value>) -> Value {
    let mut values: Vec<Value> = values.collect();
    values.sort_by_key(Value::to_string);
    values.into()
}

const REGION: &str = "eu-central-1";

/// For one run of dxctl, pauses after faults included.
const PATIENCE: Duration = Duration::from_secs(120);
