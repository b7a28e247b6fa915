//! The states, and how one leads to another.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::hold::Hold;
use super::verdict::{Doubt, Firmness, Heard, Verdict};
use super::{Bfd, Carrier, Evidence, EvidenceItem, Health, Session, Settings, Target, item};
use crate::api::HealthStatus;

/// One path's health.
#[derive(Debug)]
pub struct PathHealth {
    settings: Settings,
    state: Health,
    since: Instant,
    reason: String,
    /// Why it was last not up.
    cause: String,
    heard: Heard,
    /// Drained: what happens to it meanwhile is no failure.
    is_drained: bool,
    hold: Hold,
    /// It has worked, well or not: nothing that never did has failed.
    has_worked: bool,
    /// The worst since it was last up.
    trust: Trust,
    recovery: Option<Recovery>,
    /// Since when something has been amiss that is not announced yet.
    amiss_since: Option<Instant>,
    quick: Quick,
    transitions: VecDeque<Transition>,
}

/// A conclusion.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    pub from: Health,
    pub to: Health,
    /// What the path may be used for from now on.
    pub trust: Trust,
    pub reason: String,
    pub evidence: Vec<EvidenceItem>,
    pub at: Instant,
    /// That the hold time remembers.
    pub failures: u32,
    /// When it may carry traffic again, if all stays well.
    pub returns_at: Option<Instant>,
}

/// What a path may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trust {
    Full,
    /// If nothing better is there.
    Degraded,
    /// Only if nothing else is there.
    Held,
    /// For nothing.
    None,
}

/// On the way back.
#[derive(Clone, Copy, Debug)]
struct Recovery {
    since: Instant,
    /// Since when nothing at all was amiss, or when something last was.
    clean_since: Instant,
    /// What was last heard.
    clean: Clean,
}

/// Quick probing, of which there is only so much: it must not be what fills the
/// link, or what the far end takes for an attack.
#[derive(Debug)]
struct Quick {
    left: Duration,
    at: Instant,
    is_on: bool,
}

impl PathHealth {
    /// Nothing is known of it: down, and nothing has failed.
    pub fn new(settings: Settings, now: Instant) -> Self {
        Self {
            settings,
            state: Health::Down,
            since: now,
            reason: "not up yet".into(),
            cause: String::new(),
            heard: Heard::default(),
            is_drained: false,
            hold: Hold::default(),
            has_worked: false,
            trust: Trust::Full,
            recovery: None,
            amiss_since: None,
            quick: Quick {
                left: QUICK_AT_MOST,
                at: now,
                is_on: false,
            },
            transitions: VecDeque::new(),
        }
    }

    /// New thresholds; what was concluded with the old ones stays.
    pub fn configure(&mut self, settings: Settings, now: Instant) {
        self.settings = settings;
        self.judge(now);
    }

    /// Only these are probed from now on.
    pub fn keep_targets(&mut self, targets: &[Target], now: Instant) {
        self.heard.targets.keep(targets);
        if targets.is_empty() {
            // Nobody is left to hear that it is over.
            self.heard.silence = None;
        }
        self.judge(now);
    }

    /// `now`: when it was noticed.
    pub fn hear(&mut self, evidence: Evidence, now: Instant) {
        let heard = &mut self.heard;
        match evidence {
            Evidence::Carrier(carrier) => {
                // Whoever listened to the link may not do so any more, once it is back.
                if carrier == Carrier::Down {
                    heard.silence = None;
                }
                heard.carrier = Some(carrier);
            }
            // BFD is heard by two ways, of which one is slow: an older word that comes
            // later would be another failure, or undo a newer one.
            Evidence::Bfd(_) if heard.bfd_at.is_some_and(|at| at > now) => return,
            Evidence::Bfd(bfd) => {
                heard.bfd_at = Some(now);
                let is_down = matches!(heard.bfd, Some(Bfd::Down(_)));
                match bfd {
                    Bfd::NotDown if is_down => heard.bfd = Some(Bfd::Silent),
                    Bfd::NotDown => {}
                    // Its own session goes down with it and says more.
                    Bfd::FarEndHearsNothing if is_down => {}
                    Bfd::Silent | Bfd::Up | Bfd::Down(_) | Bfd::FarEndHearsNothing => {
                        heard.bfd = Some(bfd);
                    }
                }
            }
            Evidence::Session(session) => {
                if session != Session::Established {
                    heard.routes_are_in = false;
                }
                heard.session = Some(session);
            }
            Evidence::EndOfRib => {
                heard.session = Some(Session::Established);
                heard.routes_are_in = true;
                heard.prefixes.begin();
            }
            Evidence::Prefixes(count) if heard.routes_are_in => {
                heard.prefixes.note(count, &self.settings, now);
            }
            Evidence::Prefixes(_) => {}
            Evidence::Probe(sample) => heard.targets.note(&sample, &self.settings),
            Evidence::Silence(silence) => heard.silence = Some(silence),
            Evidence::Drained(by) => self.is_drained = by.is_some(),
        }
        self.judge(now);
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.judge(now);
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        // While something is amiss only other evidence leads on, no time.
        let recovery = self.recovery.filter(|one| one.clean == Clean::Yes);
        let returns = recovery.map(|recovery| match self.state {
            Health::Held => self.returns_at(&recovery),
            _ => self.clean_at(&recovery).max(recovery.since),
        });
        let announced = self.amiss_since.map(|since| since + AMISS);
        let quick_ends = self.quick.is_on.then(|| self.quick.at + self.quick.left);
        let forgets = self.hold.forgets_at(&self.settings);
        let forgets = forgets.filter(|_| self.state == Health::Up);
        let all = [returns, announced, quick_ends, forgets];
        all.into_iter().flatten().min()
    }

    pub fn poll_transition(&mut self) -> Option<Transition> {
        self.transitions.pop_front()
    }

    /// What the path should be probed at now; `None`: as configured.
    pub fn probe_interval(&self) -> Option<Duration> {
        self.quick.is_on.then_some(self.settings.quick)
    }

    pub const fn state(&self) -> Health {
        self.state
    }

    pub fn status(&self, now: Instant) -> HealthStatus {
        let recovery = self.recovery.as_ref();
        HealthStatus {
            state: self.state,
            since: now.saturating_duration_since(self.since).as_secs_f64(),
            reason: (!self.reason.is_empty()).then(|| self.reason.clone()),
            failures: self.hold.failures(),
            returns_in: recovery.map(|recovery| {
                let at = self.returns_at(recovery);
                at.saturating_duration_since(now).as_secs_f64()
            }),
        }
    }

    fn judge(&mut self, now: Instant) {
        if self.state == Health::Up {
            self.hold.forget(&self.settings, now);
        }
        let verdict = self.heard.verdict();
        self.quick.decide(self.wants_quick(&verdict), now);
        match verdict {
            Verdict::Down(reason, firmness) => self.fail(Health::Down, reason, firmness, now),
            Verdict::Degraded(reason) => {
                self.fail(Health::Degraded, reason, Firmness::Concluded, now);
            }
            Verdict::Suspect(reason, doubt) => self.suspect(reason, doubt, now),
            Verdict::Well => self.be_well(now),
        }
    }

    fn wants_quick(&self, verdict: &Verdict) -> bool {
        match verdict {
            Verdict::Down(_, Firmness::Hard) => false,
            Verdict::Down(..) | Verdict::Degraded(_) | Verdict::Suspect(..) | Verdict::Well => {
                self.heard.targets.are_open()
            }
        }
    }

    fn fail(&mut self, to: Health, reason: String, firmness: Firmness, now: Instant) {
        self.amiss_since = None;
        let trust = match (to, firmness) {
            (Health::Degraded, _) => Trust::Degraded,
            // Those whose evidence it is say so themselves, for as long as it is so.
            (_, Firmness::Hard) => Trust::Held,
            (_, Firmness::Concluded) => Trust::None,
        };
        // It works, if badly: a restart in the middle of a brown-out knows of no
        // better time, and the traffic is on it.
        let begins_badly = to == Health::Degraded && !self.has_worked;
        self.has_worked |= begins_badly;
        let is_trusted = matches!(self.state, Health::Up | Health::Suspect) || begins_badly;
        let falls_back = to == Health::Down && self.recovery.is_some();
        if (is_trusted || falls_back) && self.has_worked && !self.is_drained {
            self.hold.failed(&self.settings, now);
        }
        self.recovery = None;
        // What is down and gets worse for another reason is no news, but for
        // who has to be told.
        let counts = self.has_worked || firmness == Firmness::Concluded;
        let worse = trust > self.trust && counts;
        if self.state == to && !worse {
            self.reason = reason;
            return;
        }
        // Its brown-out is over once it is down.
        self.trust = if counts { trust } else { Trust::Full };
        self.cause.clone_from(&reason);
        self.go(to, reason, now);
    }

    /// Not announced before it has lasted: most suspicions are over at once.
    fn suspect(&mut self, reason: String, doubt: Doubt, now: Instant) {
        match self.state {
            Health::Up => {
                let since = *self.amiss_since.get_or_insert(now);
                if now.saturating_duration_since(since) >= AMISS {
                    self.amiss_since = None;
                    self.go(Health::Suspect, reason, now);
                }
            }
            Health::Suspect => {}
            Health::Degraded | Health::Down | Health::Recovering | Health::Held => {
                let clean = match doubt {
                    Doubt::OfPath => Clean::No,
                    // It may last for ever, and the path was in use like that.
                    Doubt::OfTarget => Clean::Yes,
                };
                self.recover(clean, now);
            }
        }
    }

    fn be_well(&mut self, now: Instant) {
        self.amiss_since = None;
        match self.state {
            Health::Up => {}
            Health::Suspect => self.rise(now),
            Health::Down if !self.has_worked => self.rise(now),
            Health::Degraded | Health::Down | Health::Recovering | Health::Held => {
                self.recover(Clean::Yes, now);
            }
        }
    }

    fn recover(&mut self, clean: Clean, now: Instant) {
        let recovery = self.recovery.get_or_insert(Recovery {
            since: now,
            clean_since: now,
            clean,
        });
        recovery.clean = clean;
        if clean == Clean::No {
            recovery.clean_since = now;
        }
        let recovery = *recovery;
        if self.trust == Trust::None {
            self.trust = Trust::Held;
        }
        let is_clean = clean == Clean::Yes && self.clean_at(&recovery) <= now;
        if is_clean && self.returns_at(&recovery) <= now {
            return self.rise(now);
        }
        let to = if is_clean {
            Health::Held
        } else {
            Health::Recovering
        };
        if self.state != to {
            let reason = format!("well again after: {}", self.cause);
            self.go(to, reason, now);
        }
    }

    fn rise(&mut self, now: Instant) {
        let reason = match (self.state, self.has_worked) {
            (Health::Suspect, _) => "all is well".to_owned(),
            (_, false) => "up for the first time".to_owned(),
            (_, true) => format!("well for {:.1?}", self.hold.time(&self.settings)),
        };
        self.recovery = None;
        self.has_worked = true;
        self.trust = Trust::Full;
        self.hold.well_since(now);
        self.go(Health::Up, reason, now);
    }

    /// When all was clean for long enough to believe it.
    fn clean_at(&self, recovery: &Recovery) -> Instant {
        let hold = self.hold.time(&self.settings);
        recovery.clean_since + hold.min(self.settings.hold)
    }

    fn returns_at(&self, recovery: &Recovery) -> Instant {
        let held = recovery.since + self.hold.time(&self.settings);
        held.max(self.clean_at(recovery))
    }

    fn go(&mut self, to: Health, reason: String, now: Instant) {
        let from = std::mem::replace(&mut self.state, to);
        self.since = now;
        self.reason = reason;
        let mut evidence = self.heard.evidence();
        let failures = self.hold.failures();
        let returns_at = self.recovery.map(|recovery| self.returns_at(&recovery));
        if let Some(at) = returns_at {
            let wait = at.saturating_duration_since(now);
            let text = format!("{wait:.1?} (failures: {failures})");
            evidence.push(item("hold time left", text));
        }
        self.transitions.push_back(Transition {
            from,
            to,
            trust: self.trust,
            reason: self.reason.clone(),
            evidence,
            at: now,
            failures,
            returns_at,
        });
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clean {
    Yes,
    No,
}

impl Quick {
    /// Refills slowly while it is not used.
    fn decide(&mut self, is_wanted: bool, now: Instant) {
        let passed = now.saturating_duration_since(self.at);
        self.at = now;
        self.left = match self.is_on {
            true => self.left.saturating_sub(passed),
            false => (self.left + passed / QUICK_SHARE).min(QUICK_AT_MOST),
        };
        let enough = if self.is_on {
            Duration::ZERO
        } else {
            QUICK_AT_LEAST
        };
        self.is_on = is_wanted && self.left > enough;
    }
}

/// How long a suspicion lasts before it is worth a word.
const AMISS: Duration = Duration::from_millis(100);
const QUICK_AT_MOST: Duration = Duration::from_secs(10);
/// Enough for a conclusion.
const QUICK_AT_LEAST: Duration = Duration::from_secs(2);
/// Of all time, over long.
const QUICK_SHARE: u32 = 10;
