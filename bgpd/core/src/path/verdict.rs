//! What all the evidence about a path comes down to at one moment.

use std::time::Instant;

use super::prefixes::Prefixes;
use super::targets::{Finding, Targets};
use super::{Bfd, Carrier, EvidenceItem, Session, Silence, item};

/// What was last heard.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) carrier: Option<Carrier>,
    pub(super) bfd: Option<Bfd>,
    /// When it was said.
    pub(super) bfd_at: Option<Instant>,
    pub(super) session: Option<Session>,
    pub(super) routes_are_in: bool,
    pub(super) silence: Option<Silence>,
    pub(super) prefixes: Prefixes,
    pub(super) targets: Targets,
}

/// The least first.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    Well,
    /// Something that more evidence will settle.
    Suspect(String, Doubt),
    Degraded(String),
    Down(String, Firmness),
}

/// What a suspicion is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    OfPath,
    /// The path works, says BFD.
    OfTarget,
}

/// Whether a path's failure is there for everyone to see, or concluded here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Firmness {
    Hard,
    Concluded,
}

impl Heard {
    pub(super) fn verdict(&self) -> Verdict {
        use Firmness::{Concluded, Hard};
        if self.carrier == Some(Carrier::Down) {
            return Verdict::Down("no carrier".into(), Hard);
        }
        match &self.session {
            Some(Session::Down(why)) => return Verdict::Down(why.clone(), Hard),
            None => return Verdict::Down("not up yet".into(), Hard),
            Some(Session::Established) => {}
        }
        if let Some(Bfd::Down(why)) = &self.bfd {
            return Verdict::Down(why.clone(), Hard);
        }
        if !self.routes_are_in {
            return Verdict::Down("the peer's routes are not in yet".into(), Hard);
        }
        if self.silence == Some(Silence::Confirmed) {
            let why = "nothing is received, and no echo is answered";
            return Verdict::Down(why.into(), Concluded);
        }
        self.soft_verdict()
    }

    fn soft_verdict(&self) -> Verdict {
        let finding = self.targets.finding();
        let reason = || self.targets.reason(finding) + self.far_end_hears_nothing();
        match finding {
            // BFD goes down by itself when nothing arrives. One target that
            // doesn't answer while BFD stays up has a trouble of its own.
            Finding::Dead if self.bfd == Some(Bfd::Up) && self.targets.count() == 1 => {
                Verdict::Suspect(reason() + ", though BFD is up", Doubt::OfTarget)
            }
            // Without BFD it may be either. Whoever has a better way takes it; who
            // has none keeps this one, and isn't cut off by a target's reboot.
            Finding::Dead if self.targets.count() == 1 => {
                Verdict::Degraded(reason() + ", and it is the only one")
            }
            Finding::Dead => Verdict::Down(reason(), Firmness::Concluded),
            Finding::Lossy | Finding::Slow => Verdict::Degraded(reason()),
            Finding::Suspicion | Finding::Nothing if self.prefixes.are_few() => {
                Verdict::Degraded(self.prefixes.reason())
            }
            Finding::Nothing if self.bfd == Some(Bfd::FarEndHearsNothing) => {
                let why = "BFD's far end says that it hears nothing of us";
                Verdict::Suspect(why.into(), Doubt::OfPath)
            }
            Finding::Suspicion => Verdict::Suspect(reason(), Doubt::OfPath),
            Finding::Nothing if self.silence == Some(Silence::Suspected) => {
                Verdict::Suspect("nothing is received".into(), Doubt::OfPath)
            }
            Finding::Nothing => Verdict::Well,
        }
    }

    fn far_end_hears_nothing(&self) -> &'static str {
        match self.bfd {
            Some(Bfd::FarEndHearsNothing) => "; BFD's far end hears nothing of us",
            _ => "",
        }
    }

    /// What the conclusion was drawn from.
    pub(super) fn evidence(&self) -> Vec<EvidenceItem> {
        let mut items = Vec::new();
        if let Some(carrier) = self.carrier {
            items.push(item("carrier", format!("{carrier:?}").to_lowercase()));
        }
        match &self.session {
            Some(Session::Established) if self.routes_are_in => {
                items.push(item("session", "up, its routes are in"));
            }
            Some(Session::Established) => items.push(item("session", "up")),
            Some(Session::Down(why)) => items.push(item("session", format!("down: {why}"))),
            None => {}
        }
        match &self.bfd {
            Some(Bfd::Up) => items.push(item("BFD", "up")),
            Some(Bfd::Down(why)) => items.push(item("BFD", format!("down: {why}"))),
            Some(Bfd::FarEndHearsNothing) => {
                items.push(item("BFD", "the far end hears nothing of us"));
            }
            Some(Bfd::Silent | Bfd::NotDown) | None => {}
        }
        if let Some(silence) = self.silence.filter(|silence| *silence != Silence::Heard) {
            items.push(item("silence", format!("{silence:?}").to_lowercase()));
        }
        if self.prefixes.are_few() {
            items.push(item("prefixes", self.prefixes.reason()));
        }
        items.extend(self.targets.evidence());
        items
    }
}
