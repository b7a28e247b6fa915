//! A router with a LAN and two links in the test's own namespace; a host behind the
//! LAN, and servers behind both links, in namespaces of theirs.

use std::cell::RefCell;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use bgp_core::PathId;
use bgp_core::config::Conntrack;
use bgp_core::rib::FibRoute;
use bgpd::fastpath::{self, Voice};
use bgpd::nat::{self, Flushed, Plan, Treatment};
use bgpd::netlink::nftables::Masquerade;
use bgpd::netlink::{Batch, Socket as NetlinkSocket, conntrack};
use ipnet::IpNet;
use nix::sched::{CloneFlags, setns};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::mpsc;

use super::support::{LEFT, RIGHT, hop, hop6, ip, kernel, link};

const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Stand {
    host: Namespace,
    _far: Namespace,
    fastpath: fastpath::Handle,
    _events: mpsc::UnboundedReceiver<fastpath::Event>,
    nat: nat::Handle,
    told: RefCell<Receiver<nat::Event>>,
}

impl Stand {
    pub(crate) fn new(name: &str) -> Self {
        let host = Namespace::new(&format!("nat-{}-{name}-h", std::process::id()));
        let far = Namespace::new(&format!("nat-{}-{name}-f", std::process::id()));
        links(&host, &far);
        far.serve();
        let (events_in, events) = mpsc::unbounded_channel();
        let fastpath = fastpath::spawn(&kernel(), events_in).unwrap();
        for (path, name) in [(LEFT, "left"), (RIGHT, "right")] {
            fastpath.set_link(path, Some(link(name)));
            fastpath.path_up(path, Voice::Session);
        }
        let route = FibRoute {
            best: hop(LEFT),
            backup: Some(hop(RIGHT)),
        };
        let group = fastpath.group(route).unwrap();
        ip(&format!(
            "route add 198.51.100.0/24 nhid {} proto bgp",
            group.0
        ));
        let route6 = FibRoute {
            best: hop6(LEFT),
            backup: Some(hop6(RIGHT)),
        };
        let group6 = fastpath.group(route6).unwrap();
        ip(&format!(
            "-6 route add fd00:198::/64 nhid {} proto bgp",
            group6.0
        ));
        let (tell, told) = channel();
        let nat = nat::spawn(kernel().protocol, fastpath.clone(), move |event| {
            let _ = tell.send(event);
        })
        .unwrap();
        Self {
            host,
            _far: far,
            fastpath,
            _events: events,
            nat,
            told: RefCell::new(told),
        }
    }

    /// On the right, private sources.
    pub(crate) fn masquerade(&self, conntrack: Conntrack) {
        self.configure(&["10.0.0.0/8", "fc00::/7"], conntrack);
    }

    pub(crate) fn configure(&self, from: &[&str], conntrack: Conntrack) {
        let from: Vec<_> = from.iter().map(|net| net.parse().unwrap()).collect();
        let mut plan = Plan::default();
        if !from.is_empty() {
            plan.masquerades.push(Masquerade {
                interface: "right".to_owned(),
                from: from.clone(),
            });
        }
        let treatment = Treatment {
            masquerades: from,
            conntrack,
        };
        plan.paths.insert(RIGHT, treatment);
        self.nat.configure(plan);
        self.looked();
    }

    /// The thread has done what it was told and knows who carries what: it has no
    /// answer of its own, but its second look begins after its first one.
    pub(crate) fn looked(&self) {
        self.nat.look();
        std::thread::sleep(Duration::from_millis(300));
        if let Ok(nat::Event::Refused(why)) = self.told.borrow().try_recv() {
            panic!("{why}");
        }
    }

    pub(crate) fn down(&self, path: PathId) {
        let why = "a test".to_owned();
        self.fastpath.path_down(path, Voice::Operator, why);
        self.nat.look();
    }

    pub(crate) fn up(&self, path: PathId) {
        self.fastpath.path_up(path, Voice::Operator);
        self.nat.look();
    }

    /// What the next flush has done.
    pub(crate) fn flushed(&self) -> (Flushed, Duration) {
        let told = self.told.borrow();
        match told.recv_timeout(PATIENCE).expect("a flush") {
            nat::Event::Flushed { flushed, took, .. } => (flushed, took),
            nat::Event::Refused(why) | nat::Event::Restored(why) => panic!("{why}"),
        }
    }

    /// Until the table was made again that another program has removed. Meanwhile it
    /// is asked to look all the time, as the daemon does at each tick.
    pub(crate) fn restored(&self) {
        let told = self.told.borrow();
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.nat.look();
            match told.recv_timeout(Duration::from_millis(200)) {
                Ok(nat::Event::Restored(_)) => return,
                Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// How often a plan is refused that is looked at this many times.
    pub(crate) fn refusals(&self, plan: Plan, looks: usize) -> usize {
        self.nat.configure(plan);
        for _ in 0..looks {
            self.nat.look();
            std::thread::sleep(Duration::from_millis(100));
        }
        let told = self.told.borrow();
        let refused = |event: &nat::Event| matches!(event, nat::Event::Refused(_));
        told.try_iter().filter(refused).count()
    }

    /// What connection tracking knows, without what changes by itself.
    pub(crate) fn flows(&self, to: &str) -> Vec<String> {
        let to: IpNet = to.parse().unwrap();
        let flows = conntrack();
        let to = flows.iter().filter(|flow| to.contains(&flow.destination));
        let mut flows: Vec<String> = to.map(|flow| format!("{flow:?}")).collect();
        flows.sort();
        flows
    }

    /// One packet of each of so many flows.
    pub(crate) fn blast(&self, flows: usize) {
        self.host.inside(move || {
            for chunk in 0..flows.div_ceil(200) {
                let socket = UdpSocket::bind("10.9.0.2:0").unwrap();
                let port = 1000 + u16::try_from(chunk).unwrap();
                for host in (10..=254).take(200.min(flows - chunk * 200)) {
                    let to = IpAddr::from([198, 51, 100, host]);
                    let _ = socket.send_to(b"x", (to, port));
                }
            }
        });
    }

    pub(crate) fn is_masqueraded_now(&self, path: PathId) -> bool {
        let flow = Flow::udp(self, "10.9.0.2:5009", "198.51.100.7:7");
        flow.echoed() == format!("10.0.{}.1", path.0)
    }
}

/// The router's ends here, the others in their namespaces.
fn links(host: &Namespace, far: &Namespace) {
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
    std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").unwrap();
    std::fs::write("/proc/sys/net/ipv4/conf/all/rp_filter", "0").unwrap();
    std::fs::write("/proc/sys/net/ipv4/conf/default/rp_filter", "0").unwrap();
    ip(&format!(
        "link add lan type veth peer name eth0 netns {}",
        host.0
    ));
    ip("addr add 10.9.0.1/24 dev lan");
    ip("addr add fd00:99::1/64 dev lan nodad");
    ip("link set lan up");
    host.ip("addr add 10.9.0.2/24 dev eth0");
    host.ip("addr add fd00:99::2/64 dev eth0 nodad");
    host.ip("link set eth0 up");
    host.ip("route add default via 10.9.0.1");
    host.ip("route add default via fd00:99::1");
    far.ip("link set lo up");
    for (index, name) in [(1, "left"), (2, "right")] {
        ip(&format!(
            "link add {name} type veth peer name {name} netns {}",
            far.0
        ));
        ip(&format!("addr add 10.0.{index}.1/24 dev {name}"));
        ip(&format!("addr add fd00:{index}::1/64 dev {name} nodad"));
        ip(&format!("link set {name} up"));
        far.ip(&format!("addr add 10.0.{index}.2/24 dev {name}"));
        far.ip(&format!("addr add fd00:{index}::2/64 dev {name} nodad"));
        far.ip(&format!("link set {name} up"));
        far.ip(&format!("route add 10.0.{index}.50/32 via 10.0.{index}.1"));
    }
    // The far side of the left link knows our addresses, that of the right doesn't.
    far.ip("route add 10.9.0.0/24 via 10.0.1.1");
    far.ip("route add fd00:99::/64 via fd00:1::1");
    far.ip("route add 192.0.2.33/32 via 10.0.1.1");
    far.ip("addr add fd00:198::7/128 dev lo nodad");
    far.ip("addr add 198.51.100.7/32 dev lo");
    far.ip("addr add 203.0.113.7/32 dev lo");
    ip("route add 203.0.113.0/24 via 10.0.2.2");
}

pub(crate) struct Namespace(String);

impl Namespace {
    fn new(name: &str) -> Self {
        ip(&format!("netns add {name}"));
        Self(name.to_owned())
    }

    fn ip(&self, arguments: &str) {
        ip(&format!("-n {} {arguments}", self.0));
    }

    /// Runs on a thread in there.
    fn inside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let file = File::open(format!("/run/netns/{}", self.0)).unwrap();
        let thread = std::thread::spawn(move || {
            setns(file, CloneFlags::CLONE_NEWNET).unwrap();
            work()
        });
        thread.join().unwrap()
    }

    /// Answers on port 7 with the address that asks.
    fn serve(&self) {
        let (udp, tcp) = self.inside(|| {
            let udp = ["198.51.100.7:7", "203.0.113.7:7", "[fd00:198::7]:7"];
            let udp = udp.map(|at| UdpSocket::bind(at).unwrap());
            (udp, TcpListener::bind("198.51.100.7:7").unwrap())
        });
        for socket in udp {
            std::thread::spawn(move || {
                let mut octets = [0; 64];
                while let Ok((_, from)) = socket.recv_from(&mut octets) {
                    let _ = socket.send_to(from.ip().to_string().as_bytes(), from);
                }
            });
        }
        std::thread::spawn(move || {
            for mut connection in tcp.incoming().flatten() {
                std::thread::spawn(move || {
                    let from = connection.peer_addr().unwrap().ip().to_string();
                    let mut octets = [0; 64];
                    while connection.read(&mut octets).is_ok_and(|length| length > 0) {
                        let _ = connection.write_all(from.as_bytes());
                    }
                });
            }
        });
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

/// A host's socket that is asked again and again.
pub(crate) enum Flow {
    Udp(UdpSocket),
    Tcp(RefCell<TcpStream>),
}

impl Flow {
    pub(crate) fn udp(stand: &Stand, from: &str, to: &str) -> Self {
        let (from, to) = (from.to_owned(), to.to_owned());
        let socket = stand.host.inside(move || {
            let socket = UdpSocket::bind(from).unwrap();
            socket.connect(to).unwrap();
            let wait = Some(Duration::from_millis(50));
            socket.set_read_timeout(wait).unwrap();
            socket
        });
        Self::Udp(socket)
    }

    pub(crate) fn tcp(stand: &Stand, from: &str, to: &str) -> Self {
        let from: SocketAddr = from.parse().unwrap();
        let to: SocketAddr = to.parse().unwrap();
        let stream = stand.host.inside(move || {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
            socket.bind(&from.into()).unwrap();
            socket.connect_timeout(&to.into(), PATIENCE).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            TcpStream::from(socket)
        });
        Self::Tcp(RefCell::new(stream))
    }

    /// Whether a connection that was moved is at an end, and its owner told so.
    pub(crate) fn is_reset(&self) -> bool {
        let Self::Tcp(stream) = self else {
            return false;
        };
        let mut stream = stream.borrow_mut();
        let asked = stream.write_all(b"?");
        let answered = asked.and_then(|()| stream.read(&mut [0; 64]));
        answered.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
    }

    /// The address that the far end sees, once an answer comes that was asked for
    /// by now.
    pub(crate) fn echoed(&self) -> String {
        let mut octets = [0; 64];
        let length = match self {
            Self::Tcp(stream) => {
                let mut stream = stream.borrow_mut();
                stream.write_all(b"?").unwrap();
                stream.read(&mut octets).unwrap()
            }
            Self::Udp(socket) => {
                let deadline = Instant::now() + PATIENCE;
                // What was on its way before the move is no answer.
                std::thread::sleep(Duration::from_millis(500));
                socket.set_nonblocking(true).unwrap();
                while socket.recv(&mut octets).is_ok() {}
                socket.set_nonblocking(false).unwrap();
                loop {
                    assert!(Instant::now() < deadline, "no echo: {:#?}", conntrack());
                    let _ = socket.send(b"?");
                    if let Ok(length) = socket.recv(&mut octets) {
                        break length;
                    }
                }
            }
        };
        String::from_utf8_lossy(&octets[..length]).into_owned()
    }
}

/// What the kernel's connection tracking knows in this namespace.
fn conntrack() -> Vec<conntrack::Flow> {
    let mut batch = Batch::new();
    conntrack::dump(&mut batch);
    let mut flows = Vec::new();
    let mut socket = NetlinkSocket::netfilter().unwrap();
    socket
        .dump(&mut batch, |message| {
            flows.extend(conntrack::Flow::read(&message));
        })
        .unwrap();
    flows
}

/// Runs `nft`, which must succeed.
pub(crate) fn nft(commands: &str) -> String {
    let mut child = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("nftables");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(commands.as_bytes()).unwrap();
    stdin.write_all(b"\n").unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "nft {commands}");
    String::from_utf8(output.stdout).unwrap()
}
