//! Sessions: each one's settings, key and task. A task that fails takes its own
//! peer down and is started again after a wait that doubles.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bgp_core::PathId;
use bgp_core::config::{AuthKey, Peer};
use bgp_core::peer::{DownReason, State, StopReason};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle};

use super::journal::Weight;
use super::links::VifState;
use super::{Daemon, GOODBYE, keys};
use crate::fastpath::Voice;
use crate::panics::Panic;
use crate::router;
use crate::session::{self, Command};
use crate::transport::Connection;

const FIRST_RESTART: Duration = Duration::from_secs(1);
const LONGEST_RESTART: Duration = Duration::from_secs(64);

pub(super) struct Session {
    pub(super) path: PathId,
    pub(super) peer: Arc<Peer>,
    pub(super) key: Option<AuthKey>,
    pub(super) slot: Slot,
    /// Tells news of this task from those of an earlier one.
    generation: u64,
    /// Tasks that failed one after the other.
    failures: u32,
    /// Tasks that have panicked since the start.
    pub(super) panics: u64,
    /// Times that earlier tasks' sessions went down.
    pub(super) earlier_flaps: u64,
}

pub(super) enum Slot {
    Waiting { reason: String, wait: Wait },
    Running(Running),
}

/// What a session that is not running waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Its VIF's interface.
    Interface,
    /// A configuration or key file that can be used.
    Reload,
    Until(Instant),
}

pub(super) struct Running {
    commands: mpsc::Sender<Command>,
    pub(super) status: watch::Receiver<session::Status>,
    task: AbortHandle,
    supervisor: JoinHandle<()>,
    seen_state: State,
    seen_error: Option<String>,
    seen_flaps: u64,
}

/// What a session's supervisor tells the daemon.
pub(super) struct News {
    name: Arc<str>,
    generation: u64,
    kind: NewsKind,
}

enum NewsKind {
    Changed,
    /// The task has ended, with the panic if it was one.
    Ended(Option<Panic>),
}

impl Session {
    /// A connection from the peer; closed when those before it still wait, for they
    /// must not keep the session from hearing that its link is gone.
    pub(super) fn accepted(&self, connection: Connection) {
        if let Slot::Running(running) = &self.slot
            && running.commands.capacity() > running.commands.max_capacity() / 2
        {
            self.tell(Command::Accepted(connection));
        }
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(self.slot, Slot::Running(_))
    }

    pub(super) fn tell(&self, command: Command) {
        if let Slot::Running(running) = &self.slot
            && running.commands.try_send(command).is_err()
        {
            tracing::warn!(
                subject = &*self.peer.name,
                "the session's task doesn't take commands"
            );
        }
    }

    /// Whether a connection from there is this peer's.
    pub(super) fn is_from(&self, remote: &SocketAddr) -> bool {
        self.peer.remote == remote.ip() && self.on_same_link(remote)
    }

    /// Link-local addresses mean something on one link only.
    fn on_same_link(&self, remote: &SocketAddr) -> bool {
        let (SocketAddr::V6(v6), Some(interface)) = (remote, &self.peer.interface) else {
            return true;
        };
        if !v6.ip().is_unicast_link_local() {
            return true;
        }
        nix::net::if_::if_nametoindex(interface.as_str())
            .is_ok_and(|ifindex| ifindex == v6.scope_id())
    }

    /// Whether the session was up for so long that what ends it now is not what
    /// ended it before. To come up alone is not enough: what a peer sends first may
    /// be what its task fails on.
    fn has_lasted(&self) -> bool {
        self.established()
            && matches!(&self.slot, Slot::Running(running) if running.status.borrow().since.elapsed() >= LONGEST_RESTART)
    }

    fn established(&self) -> bool {
        matches!(&self.slot, Slot::Running(running) if running.status.borrow().state == State::Established)
    }
}

impl Daemon {
    /// Makes a peer known, with its key from its file; `start_waiting_sessions`
    /// does the rest.
    pub(super) async fn add_session(&mut self, peer: &Peer) {
        let (key, reason, wait) = match keys::key_of(peer) {
            Ok(key) => (key, "not started yet".to_owned(), Wait::Interface),
            Err(error) => {
                self.journal
                    .error(&peer.name, format!("session not started: {error}"));
                (None, error.to_string(), Wait::Reload)
            }
        };
        self.add_session_with_key(Arc::new(peer.clone()), key, Slot::Waiting { reason, wait })
            .await;
    }

    pub(super) async fn add_session_with_key(
        &mut self,
        peer: Arc<Peer>,
        key: Option<AuthKey>,
        slot: Slot,
    ) {
        let path = self.ids.assign(&peer.name);
        self.tell_router(router::Command::Configure {
            path,
            peer: peer.clone(),
        })
        .await;
        let earlier = self
            .sessions
            .get(&peer.name)
            .map(|session| (session.generation, session.earlier_flaps, session.panics));
        let (generation, earlier_flaps, panics) = earlier.unwrap_or_default();
        let session = Session {
            path,
            peer: peer.clone(),
            key,
            slot,
            generation,
            failures: 0,
            panics,
            earlier_flaps,
        };
        self.sessions.insert(peer.name.clone(), session);
    }

    /// Starts every session that has what it waited for.
    pub(super) async fn start_waiting_sessions(&mut self) {
        let names: Vec<_> = self.sessions.keys().cloned().collect();
        for name in names {
            self.start_session(&name);
        }
    }

    pub(super) fn start_session(&mut self, name: &Arc<str>) {
        let Some(session) = self.sessions.get(name) else {
            return;
        };
        let Slot::Waiting { wait, .. } = &session.slot else {
            return;
        };
        match wait {
            Wait::Reload => return,
            Wait::Until(then) if Instant::now() < *then => return,
            Wait::Until(_) | Wait::Interface => {}
        }
        if let Some(left) = self.operator.drilled_for(name) {
            let reason = format!("closed by a drill for another {} s", left.as_secs());
            return self.let_wait(name, reason, Wait::Interface);
        }
        let vif = session.peer.vif.as_ref().and_then(|vif| self.vifs.get(vif));
        if let Some(VifState::Failed(reason)) = vif {
            let reason = reason.clone();
            return self.let_wait(name, reason, Wait::Interface);
        }
        if let Err(reason) = self.set_listeners_key(session.peer.remote, session.key.as_ref()) {
            self.journal
                .error(name, format!("session not started: {reason}"));
            return self.let_wait(name, reason, Wait::Until(Instant::now() + LONGEST_RESTART));
        }
        self.spawn_session(name);
    }

    fn let_wait(&mut self, name: &Arc<str>, reason: String, wait: Wait) {
        if let Some(session) = self.sessions.get_mut(name) {
            session.slot = Slot::Waiting { reason, wait };
        }
    }

    fn spawn_session(&mut self, name: &Arc<str>) {
        let Some(peer) = self.sessions.get(name).map(|session| session.peer.clone()) else {
            return;
        };
        let bfd = match self.watch_bfd(&peer) {
            Ok(bfd) => bfd,
            Err(error) => {
                self.journal
                    .error(name, format!("session not started: {error}"));
                return self.let_wait(name, error.to_string(), Wait::Reload);
            }
        };
        let Some(session) = self.sessions.get_mut(name) else {
            return;
        };
        session.generation += 1;
        let settings = session::Settings {
            path: session.path,
            peer: session.peer.clone(),
            router_id: self.config.daemon.router_id,
            key: session.key.clone(),
            restarting_until: self.parts.restarting_until,
            bfd,
        };
        let handle = session::spawn(
            settings,
            self.parts.router.clone(),
            self.parts.fastpath.clone(),
        );
        let task = handle.task.abort_handle();
        let supervisor = tokio::spawn(supervise(
            name.clone(),
            session.generation,
            handle.status.clone(),
            handle.task,
            self.news.clone(),
        ));
        session.slot = Slot::Running(Running {
            commands: handle.commands,
            status: handle.status,
            task,
            supervisor,
            seen_state: State::Idle,
            seen_error: None,
            seen_flaps: 0,
        });
    }

    /// Ends sessions with a NOTIFICATION each, all at the same time, and waits
    /// until they have; what doesn't end in time is ended.
    pub(super) async fn stop_sessions(&mut self, reasons: Vec<(Arc<str>, StopReason)>) {
        let mut ending = Vec::new();
        for (name, reason) in reasons {
            let Some(session) = self.sessions.get_mut(&name) else {
                continue;
            };
            let stopped = Slot::Waiting {
                reason: "stopped".to_owned(),
                wait: Wait::Interface,
            };
            let Slot::Running(running) = std::mem::replace(&mut session.slot, stopped) else {
                continue;
            };
            // What this task still tells is no news.
            session.generation += 1;
            if running.seen_state == State::Established {
                let text = format!("session is down: {reason}");
                self.journal.session(Weight::Warning, &name, text);
            }
            let _ = running.commands.try_send(Command::Stop(reason.clone()));
            ending.push((name, reason, running));
        }
        let deadline = tokio::time::Instant::now() + GOODBYE;
        for (name, reason, running) in ending {
            self.await_end(&name, reason, running, deadline).await;
        }
    }

    async fn await_end(
        &mut self,
        name: &Arc<str>,
        reason: StopReason,
        running: Running,
        deadline: tokio::time::Instant,
    ) {
        // A session whose sender is gone ends.
        drop(running.commands);
        let ended = tokio::time::timeout_at(deadline, running.supervisor).await;
        let Some(session) = self.sessions.get_mut(name) else {
            return;
        };
        session.earlier_flaps += running.status.borrow().flaps;
        let (path, remote) = (session.path, session.peer.remote);
        if ended.is_err() {
            running.task.abort();
            tracing::warn!(
                subject = &**name,
                "the session did not end within {GOODBYE:?}"
            );
            let reason = DownReason::Stopped(reason);
            self.tell_router(router::Command::Down { path, reason })
                .await;
        }
        self.clear_listeners_key(remote);
    }

    pub(super) fn tell(&self, name: &str, command: Command) {
        if let Some(session) = self.sessions.get(name) {
            session.tell(command);
        }
    }

    pub(super) async fn tell_router(&self, command: router::Command) {
        if self.parts.router.send(command).await.is_err() {
            tracing::error!("the router's thread has ended: this is a bug in bgpd; restart it");
        }
    }

    pub(super) async fn on_news(&mut self, news: News) {
        let current = self
            .sessions
            .get(&news.name)
            .is_some_and(|session| session.generation == news.generation);
        if !current {
            return;
        }
        match news.kind {
            NewsKind::Changed => self.on_session_changed(&news.name),
            NewsKind::Ended(panic) => self.on_session_ended(&news.name, panic).await,
        }
    }

    fn on_session_changed(&mut self, name: &Arc<str>) {
        let Some(session) = self.sessions.get_mut(name) else {
            return;
        };
        let Slot::Running(running) = &mut session.slot else {
            return;
        };
        let status = running.status.borrow().clone();
        let was_established = running.seen_state == State::Established;
        let is_established = status.state == State::Established;
        let new_error = status
            .last_error
            .clone()
            .filter(|error| running.seen_error.as_ref() != Some(error));
        let has_flapped = running.seen_flaps != status.flaps;
        running.seen_flaps = status.flaps;
        running.seen_state = status.state;
        running.seen_error.clone_from(&status.last_error);
        let why = || {
            status
                .last_error
                .clone()
                .unwrap_or_else(|| "no reason known".to_owned())
        };
        match (was_established, is_established) {
            (false, true) => {
                let with = status
                    .negotiated
                    .as_ref()
                    .map_or_else(String::new, |negotiated| {
                        format!(
                            " with AS {}, hold time {:?}",
                            negotiated.remote_asn, negotiated.hold_time
                        )
                    });
                let text = format!("session is Established{with}");
                self.journal.session(Weight::Info, name, text);
            }
            (true, false) => {
                let text = format!("session is down: {}", why());
                self.journal.session(Weight::Warning, name, text);
            }
            (false, false) => {
                if let Some(error) = new_error {
                    let text = format!("session is not up: {error}");
                    self.journal.session(Weight::Warning, name, text);
                }
            }
            // Both changes came before this was asked.
            (true, true) if has_flapped => {
                let text = format!("session was down for a moment: {}", why());
                self.journal.session(Weight::Warning, name, text);
            }
            (true, true) => {}
        }
    }

    /// A session's task ends only when it is stopped; anything else is our bug,
    /// and costs this peer alone.
    async fn on_session_ended(&mut self, name: &Arc<str>, panic: Option<Panic>) {
        let Some(session) = self.sessions.get_mut(name) else {
            return;
        };
        session.panics += u64::from(panic.is_some());
        let what = panic.map_or_else(
            || "its task ended by itself".to_owned(),
            |panic| panic.to_string(),
        );
        if session.has_lasted() {
            session.failures = 0;
        }
        let wait = restart_wait(session.failures);
        session.failures = session.failures.saturating_add(1);
        if let Slot::Running(running) = &session.slot {
            session.earlier_flaps += running.status.borrow().flaps;
        }
        let reason =
            format!("internal error, please report it: {what}; session starts again in {wait:?}");
        session.slot = Slot::Waiting {
            reason: reason.clone(),
            wait: Wait::Until(Instant::now() + wait),
        };
        let path = session.path;
        self.journal.error(name, reason.clone());
        if let Some(fastpath) = &self.parts.fastpath {
            fastpath.path_down(path, Voice::Session, reason);
        }
        let stopped = DownReason::Stopped(StopReason::InternalError(what));
        self.tell_router(router::Command::Down {
            path,
            reason: stopped,
        })
        .await;
    }

    /// Fails closed: without its key on every listener a session doesn't start.
    fn set_listeners_key(&self, remote: IpAddr, key: Option<&AuthKey>) -> Result<(), String> {
        let Some(key) = key else { return Ok(()) };
        for listening in self
            .listeners
            .iter()
            .filter(|listening| listening.listener.serves(remote))
        {
            let set = listening.listener.set_key(remote, Some(key));
            set.map_err(|error| {
                format!("can't set the MD5 key of {remote} on the listener at {}: {error}; see that the kernel has TCP-MD5 (CONFIG_TCP_MD5SIG)", listening.address)
            })?;
        }
        Ok(())
    }

    fn clear_listeners_key(&self, remote: IpAddr) {
        for listening in self
            .listeners
            .iter()
            .filter(|listening| listening.listener.serves(remote))
        {
            // It may have had none.
            let _ = listening.listener.set_key(remote, None);
        }
    }

    /// The keys of all sessions on listeners that are new.
    pub(super) fn set_all_keys(&self) -> Result<(), String> {
        self.sessions
            .values()
            .filter(|session| matches!(session.slot, Slot::Running(_)))
            .try_for_each(|session| {
                self.set_listeners_key(session.peer.remote, session.key.as_ref())
            })
    }

    pub(super) fn is_established(&self, name: &str) -> bool {
        self.sessions.get(name).is_some_and(Session::established)
    }
}

async fn supervise(
    name: Arc<str>,
    generation: u64,
    mut status: watch::Receiver<session::Status>,
    task: JoinHandle<Result<(), Panic>>,
    news: mpsc::UnboundedSender<News>,
) {
    let tell = |kind| {
        news.send(News {
            name: name.clone(),
            generation,
            kind,
        })
    };
    while status.changed().await.is_ok() {
        // The daemon outlives its supervisors but for the last moment.
        let _ = tell(NewsKind::Changed);
        status.mark_unchanged();
    }
    let panic = task.await.ok().and_then(Result::err);
    let _ = tell(NewsKind::Ended(panic));
}

fn restart_wait(failures: u32) -> Duration {
    FIRST_RESTART
        .saturating_mul(1 << failures.min(6))
        .min(LONGEST_RESTART)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::panics;

    fn status() -> session::Status {
        session::Status {
            state: State::Idle,
            since: Instant::now(),
            negotiated: None,
            local: None,
            last_down: None,
            last_error: None,
            flaps: 0,
            messages: bgp_core::api::MessageCounts::default(),
        }
    }

    #[tokio::test]
    async fn a_panic_in_a_session_is_told_with_its_words() {
        let (sender, receiver) = watch::channel(status());
        let task = tokio::spawn(panics::isolated_task(async move {
            let _sender = sender;
            panic!("index {} is out of range", 7);
        }));
        let (news, mut inbox) = mpsc::unbounded_channel();
        supervise("prod".into(), 3, receiver, task, news).await;
        let told = inbox.recv().await.unwrap();
        let NewsKind::Ended(Some(panic)) = told.kind else {
            panic!("not told")
        };
        assert_eq!(
            (told.generation, panic.to_string().as_str()),
            (3, "panic: index 7 is out of range")
        );
    }

    #[test]
    fn a_session_that_fails_again_waits_longer_up_to_a_limit() {
        let waits: Vec<_> = (0..9)
            .map(|failures| restart_wait(failures).as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
    }
}
