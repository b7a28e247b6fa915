//! What the router has not taken yet, in order, and the session's place in the
//! line of all that wait for it.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;

use bgp_core::Family;
use tokio::sync::mpsc;
use tokio::sync::mpsc::OwnedPermit;
use tokio::sync::mpsc::error::SendError;

use crate::router::Command;

pub(super) struct ToRouter {
    waiting: VecDeque<Command>,
    router: mpsc::Sender<Command>,
    /// Kept while the session does other things: the router takes from whoever
    /// has waited longest, and who asks anew waits from the beginning. A session
    /// with much to announce would else never get a word in beside one that floods.
    place: Option<Place>,
}

type Place = Pin<Box<dyn Future<Output = Result<OwnedPermit<Command>, SendError<()>>> + Send>>;

/// The router has ended.
#[derive(Debug)]
pub(super) struct RouterGone;

impl ToRouter {
    pub(super) fn new(router: mpsc::Sender<Command>) -> Self {
        Self {
            waiting: VecDeque::new(),
            router,
            place: None,
        }
    }

    pub(super) fn push(&mut self, command: Command) {
        self.waiting.push_back(command);
    }

    /// Whether the router is not so far behind that nothing more should be read.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < WAITING
    }

    /// Whether the router will hear that the peer wants this family again.
    pub(super) fn has_refresh(&self, wanted: Family) -> bool {
        self.waiting
            .iter()
            .any(|command| matches!(command, Command::Refresh { family, .. } if *family == wanted))
    }

    /// Hands over the oldest; waits while there is none. Nothing is lost, nor the
    /// place in the line, when the wait is given up.
    pub(super) async fn hand_over(&mut self) -> Result<(), RouterGone> {
        if self.waiting.is_empty() {
            return std::future::pending().await;
        }
        let place = self
            .place
            .get_or_insert_with(|| Box::pin(self.router.clone().reserve_owned()));
        let permit = place.as_mut().await;
        self.place = None;
        let permit = permit.map_err(|_| RouterGone)?;
        if let Some(command) = self.waiting.pop_front() {
            permit.send(command);
        }
        Ok(())
    }

    /// Hands over everything.
    pub(super) async fn finish(mut self) {
        while !self.waiting.is_empty() && self.hand_over().await.is_ok() {}
    }
}

/// Stop reading while this many commands wait for the router.
const WAITING: usize = 2;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use bgp_core::PathId;

    use super::*;

    fn from(path: u32) -> Command {
        Command::Writable { path: PathId(path) }
    }

    fn path(command: Command) -> u32 {
        match command {
            Command::Writable { path } => path.0,
            _ => panic!("another command"),
        }
    }

    /// Gives every wait up at once, as a session does that always has something
    /// else to do.
    async fn ask_once(session: &mut ToRouter) {
        let now = Duration::ZERO;
        let _ = tokio::time::timeout(now, session.hand_over()).await;
    }

    #[tokio::test]
    async fn a_wait_that_is_given_up_keeps_its_place_in_the_line() {
        let (router, mut inbox) = mpsc::channel(1);
        let mut sessions = [ToRouter::new(router.clone()), ToRouter::new(router.clone())];
        router.send(from(0)).await.unwrap();
        for (session, path) in sessions.iter_mut().zip(1..) {
            session.push(from(path));
        }
        for _ in 0..3 {
            // The second asks last, and first has to wait for the first.
            let [first, second] = &mut sessions;
            ask_once(first).await;
            ask_once(second).await;
        }
        let mut order = Vec::new();
        for _ in 0..3 {
            order.push(path(inbox.recv().await.unwrap()));
            let [first, second] = &mut sessions;
            ask_once(second).await;
            ask_once(first).await;
        }
        assert_eq!(order, [0, 1, 2]);
    }

    #[tokio::test]
    async fn what_waits_is_handed_over_in_order() {
        let (router, mut inbox) = mpsc::channel(8);
        let mut session = ToRouter::new(router);
        (1..=5).for_each(|path| session.push(from(path)));
        assert!(!session.has_room());
        session.finish().await;
        let mut order = Vec::new();
        while let Some(command) = inbox.recv().await {
            order.push(path(command));
        }
        assert_eq!(order, [1, 2, 3, 4, 5]);
    }
}
