//! Network namespaces joined by veth pairs, daemons in them, and questions to
//! their control sockets. Everything is taken down when dropped.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bgp_core::api::{ApiError, Events, PeerStatus, Status};
use serde::de::DeserializeOwned;

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    prefix: String,
    namespaces: Vec<String>,
}

impl World {
    pub(crate) fn new() -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "this test makes network namespaces and needs root: run `sudo -E cargo test -p bgpd --test daemon`"
        );
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("bgpd-{}-{number}-", std::process::id());
        Self {
            folder: tempfile::tempdir().unwrap(),
            prefix,
            namespaces: Vec::new(),
        }
    }

    pub(crate) fn namespace(&mut self, name: &str) {
        let full = self.full(name);
        ip(&["netns", "add", &full]);
        self.namespaces.push(full);
        self.ip(name, "link set lo up");
        self.exec(name, "sysctl -qw net.ipv4.nexthop_compat_mode=0");
    }

    /// A veth pair; each end is named after the namespace at the other.
    pub(crate) fn join(&self, left: (&str, &str), right: (&str, &str)) {
        let (left_full, right_full) = (self.full(left.0), self.full(right.0));
        ip(&[
            "-n",
            &left_full,
            "link",
            "add",
            right.0,
            "type",
            "veth",
            "peer",
            "name",
            left.0,
            "netns",
            &right_full,
        ]);
        for ((here, address), there) in [(left, right.0), (right, left.0)] {
            self.ip(here, &format!("addr add {address} dev {there} nodad"));
            self.ip(here, &format!("link set {there} up"));
        }
    }

    pub(crate) fn ip(&self, namespace: &str, arguments: &str) -> String {
        let full = self.full(namespace);
        let mut all = vec!["-n", &full];
        all.extend(arguments.split_whitespace());
        ip(&all)
    }

    /// Whether `ip` did it.
    pub(crate) fn try_ip(&self, namespace: &str, arguments: &str) -> bool {
        let full = self.full(namespace);
        let mut command = Command::new("ip");
        command
            .args(["-n", &full])
            .args(arguments.split_whitespace());
        command.output().unwrap().status.success()
    }

    pub(crate) fn exec(&self, namespace: &str, command: &str) -> String {
        let full = self.full(namespace);
        let mut all = vec!["netns", "exec", &full];
        all.extend(command.split_whitespace());
        ip(&all)
    }

    /// A program in the background, until dropped.
    pub(crate) fn background(&self, namespace: &str, command: &[&str]) -> Background {
        let mut all = Command::new("ip");
        all.args(["netns", "exec", &self.full(namespace)])
            .args(command)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Background(all.spawn().unwrap())
    }

    pub(crate) fn routes(&self, namespace: &str) -> String {
        self.ip(namespace, "route show proto 186")
    }

    pub(crate) fn key(&self, name: &str, key: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, key).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Starts a daemon; `config` goes below `[bgpd]`'s `control`.
    pub(crate) fn daemon(&self, namespace: &str, config: &str) -> Daemon {
        let mut daemon = Daemon {
            namespace: self.full(namespace),
            file: self.folder.path().join(format!("{namespace}.toml")),
            control: self.folder.path().join(format!("{namespace}.sock")),
            log: self.folder.path().join(format!("{namespace}.log")),
            child: None,
        };
        daemon.write(config);
        daemon.start();
        daemon
    }

    fn full(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for namespace in &self.namespaces {
            let _ = Command::new("ip")
                .args(["netns", "del", namespace])
                .status();
        }
    }
}

pub(crate) struct Background(Child);

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) struct Daemon {
    namespace: String,
    file: PathBuf,
    pub(crate) control: PathBuf,
    log: PathBuf,
    child: Option<Child>,
}

impl Daemon {
    pub(crate) fn write(&self, config: &str) {
        let control = format!("[bgpd]\ncontrol = {:?}\n", self.control);
        fs::write(&self.file, format!("{control}{config}")).unwrap();
    }

    pub(crate) fn start(&mut self) {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .unwrap();
        let mut command = Command::new("ip");
        // `ip netns exec` becomes the daemon, so that its pid is the child's.
        command.args([
            "netns",
            "exec",
            &self.namespace,
            env!("CARGO_BIN_EXE_bgpd"),
            "run",
            "--log",
            "debug",
        ]);
        command
            .arg(&self.file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.child = Some(command.spawn().unwrap());
        wait(
            || self.try_ask::<Status>("GET", "/v1/status").ok().map(|_| ()),
            || self.log(),
        );
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = i32::try_from(self.child.as_ref().unwrap().id()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).unwrap();
    }

    /// Waits until the process has ended; its exit status.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        let status = self.child.take().unwrap().wait().unwrap();
        status.code()
    }

    pub(crate) fn status(&self) -> Status {
        self.try_ask("GET", "/v1/status").unwrap()
    }

    pub(crate) fn peer(&self, name: &str) -> PeerStatus {
        self.status()
            .peers
            .into_iter()
            .find(|peer| peer.name == name)
            .unwrap()
    }

    pub(crate) fn events(&self) -> String {
        let events: Events = self.try_ask("GET", "/v1/events").unwrap();
        events
            .events
            .iter()
            .map(|event| format!("{}: {}\n", event.subject, event.text))
            .collect()
    }

    /// The changes, or why there were none.
    pub(crate) fn reload(&self) -> Result<Vec<String>, String> {
        let reloaded: Result<bgp_core::api::Reloaded, _> = self.try_ask("POST", "/v1/reload");
        reloaded.map(|reloaded| reloaded.changes)
    }

    pub(crate) fn wait_for_peer(
        &self,
        name: &str,
        wanted: impl Fn(&PeerStatus) -> bool,
    ) -> PeerStatus {
        let found = || Some(self.peer(name)).filter(|peer| wanted(peer));
        wait(found, || format!("{:#?}\n{}", self.peer(name), self.log()))
    }

    pub(crate) fn wait_until_up(&self, name: &str) -> PeerStatus {
        self.wait_for_peer(name, |peer| peer.state == "Established")
    }

    pub(crate) fn try_ask<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
    ) -> Result<T, String> {
        self.try_order(method, path, "")
    }

    pub(crate) fn try_order<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<T, String> {
        let words = |error: std::io::Error| error.to_string();
        let mut stream = UnixStream::connect(&self.control).map_err(words)?;
        stream
            .write_all(
                format!(
                    "{method} {path} HTTP/1.0\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                )
                .as_bytes(),
            )
            .map_err(words)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(words)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
        if !head.starts_with("HTTP/1.0 200") {
            let error: ApiError = serde_json::from_str(body).map_err(|_| body.to_owned())?;
            return Err(error.error);
        }
        serde_json::from_str(body).map_err(|error| format!("{error}: {body}"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Asks until there is an answer, and says `otherwise` if there is none in time.
pub(crate) fn wait<T>(ask: impl Fn() -> Option<T>, otherwise: impl Fn() -> String) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(
            start.elapsed() < PATIENCE,
            "waited {PATIENCE:?} in vain: {}",
            otherwise()
        );
        sleep(Duration::from_millis(50));
    }
}

fn ip(arguments: &[&str]) -> String {
    let output = Command::new("ip").args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
