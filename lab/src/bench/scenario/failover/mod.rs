//! What a failing path costs: each fault is made under traffic, and what came to
//! the far end says how long packets were lost and whether they moved.
//!
//! `arena` is the place, `far` what is at the other end of both links, `edge` the
//! speakers' configurations, `traffic` and `verdict` the truth,
//! `capture` tcpdump's word for it, `router` a far end that decides by itself, `stage` all of it
//! set up, `fault` the table of faults, `round` one of each; `soak` cuts and mends
//! for an hour and looks for what is left.

pub mod arena;
pub mod capture;
pub mod edge;
pub mod far;
pub mod fault;
pub mod realtime;
pub mod relay;
pub mod round;
pub mod router;
pub mod soak;
pub mod stage;
pub mod traffic;
pub mod verdict;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::{Case, Entrant, Options, Rounds};
use crate::bench::speaker::Speaker;
pub use fault::Fault;
use stage::Stages;

/// Asynchronous mode at both ends (RFC 5880 §6.8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bfd {
    pub interval: Duration,
    pub multiplier: u8,
}

/// What of bgpd a fault is meant to be noticed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Needs {
    pub bfd: bool,
    pub probes: bool,
    pub hold: Hold,
}

/// How long bgpd mistrusts what has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hold {
    /// As by default: seconds, more with each failure.
    Default,
    /// Half a second: rounds follow each other soon.
    Short,
}

/// What is asked of this scenario alone.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// `None`: all.
    pub faults: Option<Vec<Fault>>,
    /// How many processes beside that do nothing but compute.
    pub hogs: Vec<u8>,
    /// How long nothing may move.
    pub quiet: Duration,
    /// Has tcpdump count too.
    pub capture: bool,
}

pub(super) fn cases(options: &Options) -> anyhow::Result<Vec<Case>> {
    let stages = Rc::new(RefCell::new(Stages::default()));
    let asked = options.faults.faults.clone();
    let faults = asked.unwrap_or_else(|| Fault::ALL.to_vec());
    let mut cases = vec![];
    // By size and profile, so that a stage is set once for all that it serves.
    for fault in faults {
        for size in options.prefixes(fault.sizes()) {
            for &hogs in &options.faults.hogs {
                cases.push(case(options, &stages, fault, size, hogs)?);
            }
        }
    }
    Ok(cases)
}

fn case(
    options: &Options,
    stages: &Rc<RefCell<Stages>>,
    fault: Fault,
    size: usize,
    hogs: u8,
) -> anyhow::Result<Case> {
    let speakers = options.speakers.clone();
    let speakers = speakers.unwrap_or_else(|| SPEAKERS.to_vec());
    let mut case = Case {
        title: format!("{}, {size} prefixes, {hogs} hogs", fault.title()),
        goal: Some(fault.goal()),
        notes: vec![],
        entrants: vec![],
    };
    for speaker in speakers {
        let lacks = match speaker {
            Speaker::Bgpd => edge::lacks(&options.programs.bgpd, fault.bfd(), fault.needs())?,
            other => fault.lacks(other).map(str::to_owned),
        };
        if let Some(why) = lacks {
            case.notes.push(format!("{}: – ({why})", speaker.name()));
            continue;
        }
        let (stages, programs) = (Rc::clone(stages), options.programs.clone());
        let (seed, quiet) = (options.seed, options.faults.quiet);
        let captures = options.faults.capture;
        let key = stage::Key {
            size,
            bfd: fault.bfd(),
            needs: fault.needs(),
            far: fault.far(),
        };
        case.entrants.push(Entrant {
            name: speaker.name(),
            rounds: match (speaker, fault.is_long() || size >= LARGE) {
                (Speaker::Bgpd, _) | (_, false) => Rounds::All,
                (_, true) => Rounds::One,
            },
            round: Box::new(move || {
                let mut stages = stages.borrow_mut();
                let stage = stages.set(speaker, &programs, key, seed)?;
                stage.captures = captures;
                let _hogs = stage.hogs(hogs)?;
                let figures = round::run(fault, stage, quiet);
                if figures.is_err() {
                    stages.strike(speaker);
                }
                figures
            }),
        });
    }
    Ok(case)
}

/// One entrant, which makes all the rounds in one turn.
pub(super) fn soak_case(options: &Options) -> Case {
    let (programs, rounds, seed) = (options.programs.clone(), options.rounds, options.seed);
    Case {
        title: format!("{rounds} rounds of cut and mend"),
        goal: Some("no wrong route, nothing left over, no growth: else it fails"),
        notes: vec![],
        entrants: vec![Entrant {
            name: Speaker::Bgpd.name(),
            rounds: Rounds::One,
            round: Box::new(move || soak::run(&programs, "soak", rounds, seed)),
        }],
    }
}

/// Their reinstalling a table of so many takes them too long for many rounds.
const LARGE: usize = 300_000;
/// Those that have BFD.
const SPEAKERS: [Speaker; 3] = [Speaker::Bgpd, Speaker::Bird, Speaker::Frr];
