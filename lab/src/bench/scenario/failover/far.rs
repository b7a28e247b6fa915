//! The far end of both links: two BGP sessions that announce the same table and
//! come back by themselves, and BIRD for nothing but its BFD.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use bgp_core::wire::{self, Message, Notification};
use bgp_core::{Asn, Family, RouterId};
use bytes::{Bytes, BytesMut};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollTimeout};

use super::Bfd;
use super::arena::{Arena, Link};
use crate::bench::lane::{Neighbor, Takes};
use crate::bench::session::{self, Session};
use crate::bench::table::Table;
use crate::foreign;
use crate::world::Process;

pub struct Far {
    commands: Option<Sender<Command>>,
    thread: Option<JoinHandle<()>>,
    state: Arc<Mutex<[State; 2]>>,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct State {
    pub up: bool,
    /// All that the far end had to say is in the kernel's hands.
    pub sent_all: bool,
    pub updates: u64,
    pub last_update: Option<Instant>,
}

/// What the far end does to a session of its own accord.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Says that it is going (RFC 4486's Administrative Shutdown), and stays away.
    Notify,
    /// Its TCP connection is reset, and it stays away.
    Reset,
    /// Takes back every prefix.
    Withdraw,
    /// Announces every prefix again.
    Announce,
    /// Forgets the connection without a word, for what it says would be lost, and
    /// dials anew.
    Abandon,
}

struct Command(Link, Act);

/// What each end of a link announces.
struct Feed {
    announcements: Bytes,
    withdrawals: Bytes,
}

impl Far {
    /// Dials the edge over both links until it is let in.
    pub fn start(arena: &Arena, table: &Table, seed: u64) -> anyhow::Result<Self> {
        let mut feeds = vec![];
        for link in Link::BOTH {
            feeds.push(Feed {
                announcements: table.announcements(&neighbor(link), seed)?,
                withdrawals: table.withdrawals(),
            });
        }
        let state = Arc::new(Mutex::new([State::default(); 2]));
        let told = Arc::clone(&state);
        let (commands, inbox) = channel();
        // A thread is born in its parent's namespace, and stays there.
        let thread = arena.far.enter(|| {
            thread::spawn(move || {
                let served = Sessions::new(feeds, told).and_then(|mut all| all.serve(&inbox));
                if let Err(error) = served {
                    tracing::error!("the far end's sessions: {error:#}");
                }
            })
        })?;
        Ok(Self {
            commands: Some(commands),
            thread: Some(thread),
            state,
        })
    }

    /// Nobody dials: the sessions are another's.
    pub fn of_another() -> Self {
        let up = State {
            up: true,
            sent_all: true,
            ..State::default()
        };
        Self {
            commands: None,
            thread: None,
            state: Arc::new(Mutex::new([up; 2])),
        }
    }

    pub fn act(&self, link: Link, act: Act) {
        if let Some(commands) = &self.commands {
            let _ended = commands.send(Command(link, act));
        }
    }

    pub fn state(&self, link: Link) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)[index(link)]
    }

    pub fn both_are_up(&self) -> Result<(), String> {
        for link in Link::BOTH {
            let State { up, sent_all, .. } = self.state(link);
            if !up || !sent_all {
                let what = if up { "is sending" } else { "is down" };
                return Err(format!("the session over {} {what}", link.name()));
            }
        }
        Ok(())
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        drop(self.commands.take());
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// BFD at the far end of both links, as the edge has it.
pub fn start_bfd(
    program: &Path,
    arena: &Arena,
    directory: &Path,
    bfd: Bfd,
) -> anyhow::Result<Process> {
    Ok(foreign::bird::start(
        program,
        &arena.far,
        directory,
        &bird_bfd(bfd),
        &[],
    )?)
}

/// The beginning of BIRD's configuration.
pub fn bird_bfd(bfd: Bfd) -> String {
    let interval = bfd.interval.as_millis();
    let mut text = format!(
        "router id 10.98.255.2;\nprotocol device {{}}\nprotocol bfd {{\n  interface \"*\" {{ interval {interval} ms; \
         multiplier {}; }};\n",
        bfd.multiplier
    );
    for link in Link::BOTH {
        let _ = writeln!(
            text,
            "  neighbor {} dev \"{}\" local {};",
            link.at_edge(),
            link.name(),
            link.at_far()
        );
    }
    text.push_str("}\n");
    text
}

/// What tells which way a probe was lost (RFC 8762).
pub fn start_reflector(program: &Path, arena: &Arena, directory: &Path) -> anyhow::Result<Process> {
    let mut command = arena.far.command(program);
    command.args(["stamp-reflector", "--allow", "10.98.0.0/16"]);
    let log = directory.join("reflector.log");
    Ok(arena.far.spawn("the STAMP reflector", &mut command, &log)?)
}

/// The far end's session over a link, as the edge sees it.
pub fn neighbor(link: Link) -> Neighbor {
    Neighbor {
        address: link.at_far().into(),
        asn: Asn(4_200_000_000 + u32::from(link.number())),
        router_id: RouterId(link.at_far()),
        takes: Takes::Nothing,
    }
}

const fn index(link: Link) -> usize {
    match link {
        Link::A => 0,
        Link::B => 1,
    }
}

struct Sessions {
    all: [One; 2],
    epoll: Epoll,
    chunk: Vec<u8>,
    state: Arc<Mutex<[State; 2]>>,
}

struct One {
    link: Link,
    session: Session,
    feed: Feed,
    was_up: bool,
    /// Does not dial.
    away: bool,
    dialled: Instant,
}

impl Sessions {
    fn new(feeds: Vec<Feed>, state: Arc<Mutex<[State; 2]>>) -> anyhow::Result<Self> {
        let mut feeds = feeds.into_iter();
        let mut one = |link| {
            anyhow::Ok(One {
                link,
                session: fresh(link),
                feed: feeds.next().context("a feed for each link")?,
                was_up: false,
                away: false,
                dialled: Instant::now(),
            })
        };
        Ok(Self {
            all: [one(Link::A)?, one(Link::B)?],
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            chunk: vec![0; 256 << 10],
            state,
        })
    }

    fn serve(&mut self, inbox: &Receiver<Command>) -> anyhow::Result<()> {
        loop {
            match inbox.try_recv() {
                Ok(Command(link, act)) => {
                    let epoll = &self.epoll;
                    self.all[index(link)].act(act, epoll)?;
                }
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return Ok(()),
                Err(std::sync::mpsc::TryRecvError::Empty) => {}
            }
            self.turn()?;
        }
    }

    fn turn(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        for one in &mut self.all {
            one.look_at_clock(now, &self.epoll)?;
        }
        let mut events = [EpollEvent::empty(); 8];
        let ready = match self.epoll.wait(&mut events, EpollTimeout::from(1_u8)) {
            Ok(ready) => ready,
            Err(nix::Error::EINTR) => 0,
            Err(error) => return Err(error).context("epoll"),
        };
        for event in &events[..ready] {
            let number = usize::try_from(event.data()).context("an epoll event's number")?;
            let one = &mut self.all[number];
            let served = one
                .session
                .serve(event.events(), &mut self.chunk, &self.epoll);
            one.or_again(served);
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for (one, told) in self.all.iter().zip(state.iter_mut()) {
            let session = &one.session;
            *told = State {
                up: session.is_up(),
                sent_all: session.has_sent_all(),
                updates: session.updates,
                last_update: (session.updates > 0).then_some(session.last_update),
            };
        }
        Ok(())
    }
}

impl One {
    /// Dials where it is time, and announces everything to whoever lets it in.
    fn look_at_clock(&mut self, now: Instant, epoll: &Epoll) -> anyhow::Result<()> {
        let waited = now.saturating_duration_since(self.dialled);
        if self.session.is_on_the_way() && waited > DIAL_AGAIN {
            self.session = fresh(self.link);
        }
        if !self.away && self.session.is_to_dial(now) && waited > DIAL_AGAIN / 4 {
            self.dialled = now;
            let edge = SocketAddr::from((self.link.at_edge(), 179));
            if let Err(error) = self.session.dial(edge, epoll) {
                tracing::debug!("dialling over {}: {error:#}", self.link.name());
                self.session = fresh(self.link);
            }
        }
        let is_up = self.session.is_up();
        if is_up && !self.was_up {
            let announcements = self.feed.announcements.clone();
            let fed = self.session.feed(announcements, epoll);
            let fed = fed.and_then(|()| self.session.feed(end_of_rib(), epoll));
            self.or_again(fed);
        }
        self.was_up = is_up;
        let looked = self.session.look_at_clock(now, epoll);
        self.or_again(looked);
        Ok(())
    }

    fn act(&mut self, act: Act, epoll: &Epoll) -> anyhow::Result<()> {
        self.away = matches!(act, Act::Notify | Act::Reset);
        let done = match act {
            Act::Withdraw => self.session.feed(self.feed.withdrawals.clone(), epoll),
            Act::Announce => self.session.feed(self.feed.announcements.clone(), epoll),
            Act::Notify => {
                let fed = self.session.feed(administrative_shutdown()?, epoll);
                self.session = fresh(self.link);
                fed
            }
            Act::Reset => {
                let reset = self.session.reset_on_close();
                self.session = fresh(self.link);
                reset
            }
            Act::Abandon => {
                self.session = fresh(self.link);
                Ok(())
            }
        };
        self.or_again(done);
        Ok(())
    }

    /// A session that has failed is begun anew.
    fn or_again(&mut self, done: anyhow::Result<()>) {
        if let Err(error) = done {
            tracing::debug!("the session over {}: {error:#}", self.link.name());
            self.session = fresh(self.link);
            self.dialled = Instant::now();
        }
        self.was_up &= self.session.is_up();
    }
}

fn fresh(link: Link) -> Session {
    Session::new(neighbor(link), HOLD_TIME, index(link) as u64)
}

/// RFC 4724 §2: an UPDATE with nothing in it.
fn end_of_rib() -> Bytes {
    let mut out = BytesMut::new();
    wire::encode_end_of_rib(Family::Ipv4, &mut out);
    out.freeze()
}

/// RFC 4486 §3.
fn administrative_shutdown() -> anyhow::Result<Bytes> {
    let message = Message::Notification(Notification::cease(ADMINISTRATIVE_SHUTDOWN));
    let mut out = BytesMut::new();
    wire::encode(&message, &session::codec(Family::Ipv4), &mut out)?;
    Ok(out.freeze())
}

const ADMINISTRATIVE_SHUTDOWN: u8 = 2;
pub const HOLD_TIME: Duration = Duration::from_secs(90);
const DIAL_AGAIN: Duration = Duration::from_millis(1000);
