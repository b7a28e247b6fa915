//! What a session's users may conclude from it: BGP and whoever moves traffic
//! (RFC 5882 §3.2, §4.3), and for how long a session that flaps is not believed.

use std::time::{Duration, Instant};

use super::{Change, Diagnostic, State};

/// What BFD says of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It never was Up: the far end may not speak BFD. Costs nothing.
    Unknown,
    Up,
    /// One of the two ends has ended BFD without a failure, which says nothing of
    /// the path (RFC 5882 §3.2).
    AdminDown,
    /// With the reason, in words.
    Down(String),
}

/// For how long a session that is Up again after several failures is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damping {
    /// After the second failure; doubles with each further one. 0: no damping.
    pub first: Duration,
    /// At most, and how long without a failure it takes to be forgiven one.
    pub longest: Duration,
}

/// Turns a session's changes into verdicts.
#[derive(Debug)]
pub struct Judge {
    damping: Damping,
    verdict: Verdict,
    failures: u32,
    failed_at: Option<Instant>,
    /// The session is Up, but not believed until then.
    believe_at: Option<Instant>,
    flaps: u64,
}

impl Judge {
    pub const fn new(damping: Damping) -> Self {
        Self {
            damping,
            verdict: Verdict::Unknown,
            failures: 0,
            failed_at: None,
            believe_at: None,
            flaps: 0,
        }
    }

    pub const fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// Times that the session went from Up to Down, but for somebody's wish.
    pub const fn flaps(&self) -> u64 {
        self.flaps
    }

    pub const fn set_damping(&mut self, damping: Damping) {
        self.damping = damping;
    }

    /// How long a session that is Up is still not believed.
    pub fn damped_for(&self, now: Instant) -> Option<Duration> {
        Some(self.believe_at?.saturating_duration_since(now))
    }

    pub const fn next_timeout(&self) -> Option<Instant> {
        self.believe_at
    }

    /// `true`: the verdict is another one.
    pub fn handle_timeout(&mut self, now: Instant) -> bool {
        if self.believe_at.take_if(|at| *at <= now).is_none() {
            return false;
        }
        self.pronounce(Verdict::Up)
    }

    /// `true`: the verdict is another one.
    pub fn hear(&mut self, change: &Change, now: Instant) -> bool {
        match (change.from, change.to) {
            (_, State::Up) => self.up(now),
            (_, State::AdminDown) => self.nobody_asks(),
            (_, State::Down) if ended_by_neighbor(change) => self.nobody_asks(),
            (State::Up, State::Down | State::Init) => self.down(change, now),
            (State::AdminDown | State::Down | State::Init, State::Down | State::Init) => false,
        }
    }

    /// The far end says AdminDown while the session is Down anyway, or it doesn't
    /// speak BFD any more though BGP gets through: the failure is over.
    pub fn nobody_asks(&mut self) -> bool {
        self.believe_at = None;
        self.pronounce(Verdict::AdminDown)
    }

    fn up(&mut self, now: Instant) -> bool {
        let wait = self.wait(now);
        if wait.is_zero() {
            return self.pronounce(Verdict::Up);
        }
        self.believe_at = now.checked_add(wait);
        false
    }

    fn down(&mut self, change: &Change, now: Instant) -> bool {
        self.believe_at = None;
        self.flaps = self.flaps.saturating_add(1);
        self.failures = self.remembered(now).saturating_add(1);
        self.failed_at = Some(now);
        // A change from Up again to Down before it was believed: still the first.
        if matches!(self.verdict, Verdict::Down(_)) {
            return false;
        }
        self.pronounce(Verdict::Down(words(change)))
    }

    fn pronounce(&mut self, verdict: Verdict) -> bool {
        let differs = self.verdict != verdict;
        self.verdict = verdict;
        differs
    }

    /// Failures that are not forgiven yet.
    fn remembered(&self, now: Instant) -> u32 {
        let Some(at) = self.failed_at else { return 0 };
        let past = now.saturating_duration_since(at).as_nanos();
        let forgiven = past
            .checked_div(self.damping.longest.as_nanos())
            .unwrap_or(u128::MAX);
        let forgiven = u32::try_from(forgiven).unwrap_or(u32::MAX);
        self.failures.saturating_sub(forgiven)
    }

    fn wait(&self, now: Instant) -> Duration {
        let Some(doublings) = self.remembered(now).checked_sub(2) else {
            return Duration::ZERO;
        };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.damping
            .first
            .saturating_mul(factor)
            .min(self.damping.longest)
    }
}

/// The far end is AdminDown; or it is Down without having missed a packet, since it
/// begins anew or has dropped its session. FRR 8.4 does that when BGP comes up, and
/// says that we have signaled it Down, which we have not.
fn ended_by_neighbor(change: &Change) -> bool {
    let without_failure = [
        Diagnostic::NONE,
        Diagnostic::NEIGHBOR_SIGNALED_DOWN,
        Diagnostic::ADMINISTRATIVELY_DOWN,
    ];
    change.remote_state == State::AdminDown
        || change.from == State::Up
            && change.diagnostic == Diagnostic::NEIGHBOR_SIGNALED_DOWN
            && without_failure.contains(&change.remote_diagnostic)
}

fn words(change: &Change) -> String {
    match (change.diagnostic, change.remote_diagnostic) {
        // It hears nothing of us: what we send is lost.
        (Diagnostic::NEIGHBOR_SIGNALED_DOWN, Diagnostic::DETECTION_TIME_EXPIRED) => {
            "BFD: the far end doesn't hear us any more: what we send is lost".to_owned()
        }
        (Diagnostic::NEIGHBOR_SIGNALED_DOWN, theirs) => {
            format!("BFD: the far end is down ({theirs})")
        }
        (Diagnostic::DETECTION_TIME_EXPIRED, _) => {
            "BFD: nothing heard for the detection time".to_owned()
        }
        (ours, _) => format!("BFD: {ours}"),
    }
}
