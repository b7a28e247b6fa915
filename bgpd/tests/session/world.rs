//! Namespaces, and an end: a listener, a session, and a router that only takes
//! notes.

use std::net::{IpAddr, SocketAddr};
use std::process::Command as Program;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bgp_core::config::{self, AuthKey, Ttl};
use bgp_core::peer::{Negotiated, State};
use bgp_core::policy::Policy;
use bgp_core::wire::{self, Update};
use bgp_core::{Asn, Family, PathId, RouterId, rib};
use bgpd::router::{self, Outbound};
use bgpd::session::{self, Command, Handle, Settings};
use bgpd::transport::Listener;
use bytes::BytesMut;
use tokio::sync::mpsc;

/// A network namespace with a name, gone when dropped.
pub(crate) struct Namespace(pub(crate) String);

impl Namespace {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        assert!(
            nix::unistd::geteuid().is_root(),
            "this test needs root, for network namespaces"
        );
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bgpdsess{}-{count}", std::process::id());
        run(&["ip", "netns", "add", &name]);
        run(&["ip", "-n", &name, "link", "set", "lo", "up"]);
        Self(name)
    }

    /// From here on, this thread (and what it starts) is in the namespace.
    pub(crate) fn enter(&self) {
        let file = std::fs::File::open(format!("/run/netns/{}", self.0)).unwrap();
        nix::sched::setns(file, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
    }

    pub(crate) fn address(&self, interface: &str, address: &str) {
        let mut command = vec![
            "ip", "-n", &self.0, "address", "add", address, "dev", interface,
        ];
        if address.contains(':') {
            command.push("nodad");
        }
        run(&command);
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        run(&["ip", "netns", "delete", &self.0]);
    }
}

/// Two namespaces joined by a wire, with `10.7.0.1` and `.2`, `fd07::1` and `::2`.
pub(crate) fn joined() -> [Namespace; 2] {
    let ends = [Namespace::new(), Namespace::new()];
    let [near, far] = &ends;
    run(&[
        "ip", "link", "add", "wire", "netns", &near.0, "type", "veth", "peer", "name", "wire",
        "netns", &far.0,
    ]);
    for (number, end) in ends.iter().enumerate() {
        end.address("wire", &format!("10.7.0.{}/24", number + 1));
        end.address("wire", &format!("fd07::{}/64", number + 1));
        run(&["ip", "-n", &end.0, "link", "set", "wire", "up"]);
    }
    ends
}

pub(crate) fn run(command: &[&str]) {
    let status = Program::new(command[0])
        .args(&command[1..])
        .status()
        .unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

/// Runs on this thread alone, so that its namespace holds.
pub(crate) fn on_this_thread<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, future)
}

pub(crate) fn key(text: &str) -> AuthKey {
    AuthKey::from_file_content(text.to_owned().into()).unwrap()
}

/// How one end is set up.
pub(crate) struct Setup {
    pub(crate) peer: config::Peer,
    pub(crate) key: Option<AuthKey>,
    pub(crate) router_id: RouterId,
    /// The listener has the key too.
    pub(crate) listener_key: Option<AuthKey>,
}

impl Setup {
    pub(crate) fn new(local: &str, remote: &str, asn: u32, remote_asn: u32) -> Self {
        let local: IpAddr = local.parse().unwrap();
        let remote: IpAddr = remote.parse().unwrap();
        let peer = config::Peer {
            name: format!("to-{remote}").into(),
            vif: None,
            local: Some(local.into()),
            interface: None,
            remote,
            port: PORT,
            remote_asn: Asn(remote_asn),
            local_asn: Asn(asn),
            auth_key_file: None,
            passive: false,
            hold_time: Duration::from_secs(9),
            send_hold_time: None,
            connect_retry: Duration::from_secs(1),
            ttl: Ttl::Direct,
            families: vec![Family::of(remote)],
            import: Policy::default(),
            export: Policy::default(),
            advertise: Vec::new(),
            prefix_limit: None,
            advertise_limit: None,
            backup: None,
            refuse_zero_hold_time: true,
            graceful_restart: None,
            bfd: None,
            on_degraded: Default::default(),
            on_drain: Default::default(),
            probe: None,
            health: Default::default(),
        };
        let router_id = RouterId([192, 0, 2, (asn % 250) as u8].into());
        Self {
            peer,
            key: None,
            router_id,
            listener_key: None,
        }
    }

    pub(crate) fn key(mut self, text: &str) -> Self {
        self.key = Some(key(text));
        self.listener_key = self.key.clone();
        self.peer.auth_key_file = Some("/nowhere".into());
        self
    }

    pub(crate) fn passive(mut self) -> Self {
        self.peer.passive = true;
        self
    }
}

/// One end at work.
pub(crate) struct End {
    pub(crate) session: Handle,
    pub(crate) router: mpsc::Receiver<router::Command>,
    pub(crate) updates: Vec<Update>,
    pub(crate) outbound: Option<mpsc::Sender<Outbound>>,
    pub(crate) negotiated: Option<Negotiated>,
    pub(crate) writable: usize,
    pub(crate) downs: usize,
}

impl End {
    /// Listens, and starts the session.
    pub(crate) fn start(setup: Setup) -> Self {
        let local = setup.peer.local.unwrap().addr();
        let remote = setup.peer.remote;
        let listener = Listener::bind(SocketAddr::new(local, PORT)).unwrap();
        listener
            .set_key(remote, setup.listener_key.as_ref())
            .unwrap();
        let (router_commands, router) = mpsc::channel(8);
        let settings = Settings {
            restarting_until: None,
            bfd: None,
            path: PathId(1),
            peer: Arc::new(setup.peer),
            router_id: setup.router_id,
            key: setup.key,
        };
        let session = session::spawn(settings, router_commands, None);
        let commands = session.commands.downgrade();
        tokio::spawn(async move {
            while let Ok(connection) = listener.accept().await {
                let Some(commands) = commands.upgrade() else {
                    break;
                };
                if connection.remote.ip() == remote {
                    let _ = commands.send(Command::Accepted(connection)).await;
                }
            }
        });
        Self {
            session,
            router,
            updates: Vec::new(),
            outbound: None,
            negotiated: None,
            writable: 0,
            downs: 0,
        }
    }

    pub(crate) fn state(&self) -> State {
        self.session.status.borrow().state
    }

    pub(crate) fn last_error(&self) -> String {
        self.session
            .status
            .borrow()
            .last_error
            .clone()
            .unwrap_or_default()
    }

    pub(crate) fn prefixes(&self) -> usize {
        let announced = self.updates.iter().flat_map(|update| &update.announced);
        announced
            .map(|announcement| announcement.prefixes.len())
            .sum()
    }

    /// Takes what the session has told the router.
    pub(crate) fn take_notes(&mut self) {
        while let Ok(command) = self.router.try_recv() {
            match command {
                router::Command::Established {
                    outbound,
                    negotiated,
                    ..
                } => {
                    self.outbound = Some(outbound);
                    self.negotiated = Some(negotiated);
                }
                router::Command::Updates { updates, .. } => self.updates.extend(updates),
                router::Command::Writable { .. } => self.writable += 1,
                router::Command::Down { .. } => {
                    self.downs += 1;
                    self.outbound = None;
                }
                _ => {}
            }
        }
    }
}

/// Waits until `done` says so; the ends' routers keep taking notes meanwhile.
pub(crate) async fn until(
    ends: &mut [&mut End],
    limit: Duration,
    mut done: impl FnMut(&[&mut End]) -> bool,
) -> bool {
    let end = Instant::now() + limit;
    loop {
        for end in ends.iter_mut() {
            end.take_notes();
        }
        if done(ends) {
            return true;
        }
        if Instant::now() > end {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn established(ends: &[&mut End]) -> bool {
    ends.iter()
        .all(|end| end.state() == State::Established && end.outbound.is_some())
}

pub(crate) const PORT: u16 = 179;
pub(crate) const LIMIT: Duration = Duration::from_secs(15);

/// What the RIB says, as the router would have the session send it.
pub(crate) fn said(outbound: &rib::Outbound, end: &End) -> Outbound {
    let mut octets = BytesMut::new();
    let codec = &end.negotiated.as_ref().unwrap().codec;
    let updates = match outbound {
        rib::Outbound::Announce(attributes, prefixes) => {
            wire::encode_announcement(attributes, prefixes, codec, &mut octets).unwrap()
        }
        rib::Outbound::Withdraw(prefixes) => wire::encode_withdrawal(prefixes, codec, &mut octets),
        rib::Outbound::EndOfRib(family) => {
            wire::encode_end_of_rib(*family, &mut octets);
            1
        }
    };
    Outbound {
        octets: std::iter::once(octets.freeze()).collect(),
        updates: updates as u64,
    }
}
