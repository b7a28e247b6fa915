//! What a panic costs, on the running daemon: in this process, with sessions over
//! TCP in a network namespace. The panics come from what listens to the log, in
//! the very place where the daemon writes a line: no hook of the daemon's own is
//! needed, and the panic unwinds through the code that it would unwind through.
//! Needs root.

#![allow(clippy::unwrap_used)]

use std::fmt;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use bgp_core::api::{PeerStatus, Status};
use bgp_core::wire::{
    self, AsPath, Capabilities, Codec, Message, Open, Origin, PathAttributes, Prefixes,
};
use bgp_core::{Asn, Family, RouterId};
use bgpd::{daemon, panics};
use bytes::BytesMut;
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, raise};
use socket2::{Domain, Socket, Type};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

const OURS: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
const SICK: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
const HEALTHY: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 3);

#[test]
fn a_panic_in_a_sessions_task_costs_that_session_alone() {
    panics::install();
    panic_at(|line| line.starts_with("message=malformed UPDATE") && line.contains("peer=sick"));
    let world = World::new();
    // A failed assertion is no bug of the daemon's.
    let outcome = panics::isolated(|| sick_beside_healthy(&world));
    let _ours_no_more = std::panic::take_hook();
    if let Err(panic) = outcome {
        panic!("{panic}");
    }
}

fn sick_beside_healthy(world: &World) {
    let daemon = world.start();
    let mut healthy = Speaker::establish(HEALTHY);
    healthy.announce("198.51.100.0/24");
    for (count, wait) in [(1, "1s"), (2, "2s")] {
        let mut sick = Speaker::establish(SICK);
        sick.announce("203.0.113.0/24");
        until("routes of both", || world.routes() == 2);
        sick.say(&malformed());
        assert!(sick.ends(), "the connection ends with its session");
        until("the status counts it", || {
            world.peer("sick").panics == count
        });
        let error = world.peer("sick").last_error.unwrap();
        let place = "tests/panics.rs:";
        for words in ["internal error", "a listener to the log", place, wait] {
            assert!(error.contains(words), "{words:?} in {error}");
        }
        until("its routes are gone", || world.routes() == 1);
        let other = world.peer("healthy");
        assert_eq!((other.state.as_str(), other.flaps), ("Established", 0));
    }
    let metrics = world.metrics();
    let counted = "bgpd_session_panics_total{peer=\"sick\"} 2";
    assert!(metrics.contains(counted), "{metrics}");
    let events = world.get("/v1/events");
    assert_eq!(events.matches("please report it").count(), 2, "{events}");
    raise(Signal::SIGTERM).unwrap();
    daemon.join().unwrap().unwrap();
}

/// This program again, since the panic ends it.
#[test]
fn a_panic_of_the_router_ends_the_process() {
    const NAME: &str = "a_panic_of_the_router_ends_the_process";
    const CHILD: &str = "BGPD_TEST_ROUTER_PANICS";
    if std::env::var_os(CHILD).is_some() {
        panics::install();
        panic_at(|line| line.starts_with("message=initial routes are in"));
        let world = World::new();
        let _daemon = world.start();
        let [mut healthy, mut sick] = [HEALTHY, SICK].map(Speaker::establish);
        healthy.end_of_rib();
        sick.end_of_rib();
        sleep(PATIENCE);
        return;
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who is aborted leaves that to others.
    let namespace = namespace_of(child.id());
    let output = child.wait_with_output().unwrap();
    ip(&format!("netns delete {namespace}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{said}");
    assert!(
        said.contains("thread 'router'") && said.contains("panics.rs:"),
        "{said}"
    );
}

/// From now on, who listens to the log panics at such a line.
fn panic_at(is_it: fn(&str) -> bool) {
    let listener = tracing_subscriber::registry().with(Saboteur(is_it));
    tracing::subscriber::set_global_default(listener).unwrap();
}

struct Saboteur(fn(&str) -> bool);

impl<S: Subscriber> Layer<S> for Saboteur {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        assert!(
            !self.0(&line.0),
            "a listener to the log fails at {:?}",
            line.0
        );
    }
}

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push_str(&format!("{field}={value:?} "));
    }
}

/// A namespace that this thread is in, and a configuration.
struct World {
    namespace: String,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let namespace = namespace_of(std::process::id());
        ip(&format!("netns add {namespace}"));
        let file = File::open(format!("/run/netns/{namespace}")).unwrap();
        let world = Self {
            namespace,
            folder: tempfile::tempdir().unwrap(),
        };
        setns(file, CloneFlags::CLONE_NEWNET).unwrap();
        ip("link set lo up");
        for address in [OURS, SICK, HEALTHY] {
            ip(&format!("address add {address}/24 dev lo"));
        }
        world
    }

    fn start(&self) -> JoinHandle<anyhow::Result<()>> {
        let file = self.folder.path().join("bgpd.toml");
        let peer = |name, address: Ipv4Addr| {
            format!(
                "[[peer]]\nname = \"{name}\"\naddress = \"{address}\"\nlocal = \"{OURS}/24\"\nasn = {}\npassive = true\naccept = [\"any\"]\n",
                asn(address).0
            )
        };
        let text = format!(
            "[bgpd]\nrouter_id = \"{OURS}\"\nasn = 65001\ncontrol = \"{}\"\nmetrics = \"{OURS}:9179\"\n\
             [bgpd.kernel]\ninstall = false\n{}{}",
            self.socket().display(),
            peer("sick", SICK),
            peer("healthy", HEALTHY)
        );
        std::fs::write(&file, &text).unwrap();
        let config = bgp_core::config::parse(&text).unwrap();
        // Its threads are in this thread's namespace, as the daemon's are.
        thread::spawn(move || run(&file, config))
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("bgpd.sock")
    }

    fn get(&self, path: &str) -> String {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        ask(&mut stream, path)
    }

    fn metrics(&self) -> String {
        ask(&mut TcpStream::connect((OURS, 9179)).unwrap(), "/metrics")
    }

    fn peer(&self, name: &str) -> PeerStatus {
        let status: Status = serde_json::from_str(&self.get("/v1/status")).unwrap();
        status
            .peers
            .into_iter()
            .find(|peer| peer.name == name)
            .unwrap()
    }

    fn routes(&self) -> usize {
        self.get("/v1/routes").matches("\"prefix\"").count()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        ip(&format!("netns delete {}", self.namespace));
    }
}

fn run(file: &Path, config: bgp_core::config::Config) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(daemon::run(file, config))
}

fn namespace_of(pid: u32) -> String {
    format!("bgpdpanic{pid}")
}

fn ip(words: &str) {
    let status = Command::new("ip").args(words.split_whitespace()).status();
    assert!(
        status.unwrap().success(),
        "ip {words} (this test needs root)"
    );
}

fn ask(stream: &mut (impl Read + Write), path: &str) -> String {
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// A neighbor of few words.
struct Speaker {
    stream: TcpStream,
    address: Ipv4Addr,
}

impl Speaker {
    fn establish(address: Ipv4Addr) -> Self {
        let mut speaker = None;
        until("a session", || {
            speaker = Self::try_establish(address);
            speaker.is_some()
        });
        speaker.unwrap()
    }

    fn try_establish(address: Ipv4Addr) -> Option<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).ok()?;
        socket.bind(&SocketAddr::from((address, 0)).into()).ok()?;
        socket.connect(&SocketAddr::from((OURS, 179)).into()).ok()?;
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let mut speaker = Self { stream, address };
        let open = Message::Open(Open {
            asn: asn(address),
            hold_time: 90,
            router_id: RouterId(address),
            capabilities: Capabilities {
                families: vec![Family::Ipv4],
                four_octet_as: true,
                ..Capabilities::default()
            },
        });
        let mut octets = BytesMut::new();
        wire::encode(&open, &codec(), &mut octets).ok()?;
        wire::encode(&Message::Keepalive, &codec(), &mut octets).ok()?;
        speaker.stream.write_all(&octets).ok()?;
        // OPEN, and the KEEPALIVE that answers ours.
        [1, 4]
            .iter()
            .all(|kind| speaker.hears(*kind))
            .then_some(speaker)
    }

    fn hears(&mut self, kind: u8) -> bool {
        let mut header = [0; 19];
        if self.stream.read_exact(&mut header).is_err() {
            return false;
        }
        let length = u16::from_be_bytes([header[16], header[17]]);
        let mut body = vec![0; usize::from(length) - header.len()];
        self.stream.read_exact(&mut body).is_ok() && header[18] == kind
    }

    fn say(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).unwrap();
    }

    fn announce(&mut self, network: &str) {
        let path = AsPath::sequence([asn(self.address)]);
        let attributes = PathAttributes::new(Origin::Igp, path, IpAddr::V4(self.address));
        let prefixes = Prefixes::V4(vec![network.parse().unwrap()]);
        let mut octets = BytesMut::new();
        wire::encode_announcement(&attributes, &prefixes, &codec(), &mut octets).unwrap();
        self.say(&octets);
    }

    fn end_of_rib(&mut self) {
        let mut octets = BytesMut::new();
        wire::encode_end_of_rib(Family::Ipv4, &mut octets);
        self.say(&octets);
    }

    /// Whether the other end closes.
    fn ends(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => true,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

/// An UPDATE whose ORIGIN is none: treated as a withdrawal (RFC 7606 §7.1), and a
/// line in the log.
fn malformed() -> Vec<u8> {
    let mut octets = vec![0xff; 16];
    octets.extend([0, 31, 2, 0, 0, 0, 4, 0x40, 1, 1, 9, 24]);
    octets.extend([192, 0, 2]);
    octets
}

fn codec() -> Codec {
    Codec {
        four_octet_as: true,
        families: [Family::Ipv4].into_iter().collect(),
        ..Codec::initial()
    }
}

fn asn(address: Ipv4Addr) -> Asn {
    Asn(65_000 + u32::from(address.octets()[3]))
}

fn until(what: &str, mut check: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !check() {
        assert!(begin.elapsed() < PATIENCE, "no {what} in {PATIENCE:?}");
        sleep(Duration::from_millis(20));
    }
}

const PATIENCE: Duration = Duration::from_secs(20);
