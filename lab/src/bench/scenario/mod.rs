//! The scenarios: each a file, each one or more cases, in which several
//! entrants take turns.

mod bfd;
mod churn;
mod dxctl;
pub mod failover;
mod ipv6;
mod kernel;
mod peers;
pub(crate) mod real;
mod receivers;
mod table;

use std::sync::Arc;
use std::time::Duration;

use bgp_core::Family;
use clap::ValueEnum;

use super::course::{Course, Feeder};
use super::figures::Figures;
use super::lane::{Neighbor, Takes};
use super::speaker::{Programs, Speaker};
use super::table::Table;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// IPv4 tables from two feeders to one receiver
    Table,
    /// A real IPv4 table of 2015 from two feeders to one receiver
    Real,
    /// 200,000 IPv6 prefixes from two feeders to one receiver
    Ipv6,
    /// 1,000,000 prefixes from two feeders to twenty receivers
    Receivers,
    /// 1,000 sessions that each send 100 prefixes, and one receiver
    Peers,
    /// 1,000,000 prefixes from one feeder into the kernel
    Kernel,
    /// Faults of a path under traffic: what is lost, how soon it moves (only if named)
    Failover,
    /// As many rounds of cut and mend, for random times (only if named)
    Soak,
    /// BFD while 1,000,000 prefixes come and go: sessions that go Down (only if named)
    Bfd,
    /// 10,000 UPDATEs a second for ten minutes, each of which changes the kernel
    Churn,
    /// dxctl's offline verbs, and its plan of 500 virtual interfaces (only if named)
    Dxctl,
}

/// What the command line asks for; `None` is a scenario's own choice.
pub struct Options {
    pub programs: Programs,
    pub speakers: Option<Vec<Speaker>>,
    pub prefixes: Option<Vec<usize>>,
    pub feeders: Option<u16>,
    pub receivers: Option<u16>,
    pub sessions: Option<u16>,
    pub seed: u64,
    pub patience: Duration,
    /// Of `churn`.
    pub duration: Duration,
    /// Of `churn`: changes a second.
    pub rate: u32,
    /// Of `soak`.
    pub rounds: u16,
    /// Of `failover`.
    pub faults: failover::Faults,
}

/// Entrants that are compared with each other.
pub struct Case {
    pub title: String,
    /// What is wanted of bgpd, in words.
    pub goal: Option<&'static str>,
    /// Of those that can't take part, why.
    pub notes: Vec<String>,
    pub entrants: Vec<Entrant>,
}

pub struct Entrant {
    pub name: &'static str,
    pub rounds: Rounds,
    pub round: Box<dyn Fn() -> anyhow::Result<Figures>>,
}

/// How many rounds an entrant gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounds {
    All,
    /// It takes so long that one has to do.
    One,
}

impl Scenario {
    /// Those that take hours are run when they are named.
    pub const fn is_for_everyone(self) -> bool {
        !matches!(self, Self::Failover | Self::Soak | Self::Bfd | Self::Dxctl)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Real => "real",
            Self::Ipv6 => "ipv6",
            Self::Receivers => "receivers",
            Self::Peers => "peers",
            Self::Kernel => "kernel",
            Self::Failover => "failover",
            Self::Soak => "soak",
            Self::Bfd => "bfd",
            Self::Churn => "churn",
            Self::Dxctl => "dxctl",
        }
    }

    pub fn cases(self, options: &Options) -> anyhow::Result<Vec<Case>> {
        match self {
            Self::Table => table::cases(options),
            Self::Real => real::cases(options),
            Self::Ipv6 => ipv6::cases(options),
            Self::Receivers => receivers::cases(options),
            Self::Peers => peers::cases(options),
            Self::Kernel => kernel::cases(options),
            Self::Failover => failover::cases(options),
            Self::Soak => Ok(vec![failover::soak_case(options)]),
            Self::Bfd => bfd::cases(options),
            Self::Churn => churn::cases(options),
            Self::Dxctl => dxctl::cases(),
        }
    }
}

impl Case {
    fn new(title: String, entrants: Vec<Entrant>) -> Self {
        Self {
            title,
            goal: None,
            notes: vec![],
            entrants,
        }
    }
}

impl Options {
    fn prefixes(&self, default: &[usize]) -> Vec<usize> {
        self.prefixes.clone().unwrap_or_else(|| default.to_vec())
    }

    /// An entrant for each speaker that is asked for.
    fn entrants<F>(&self, default: &[Speaker], rounds: Rounds, round: F) -> Vec<Entrant>
    where
        F: Fn(Speaker, &Programs) -> anyhow::Result<Figures> + 'static,
    {
        let speakers = self.speakers.clone().unwrap_or_else(|| default.to_vec());
        let round = Arc::new(round);
        let entrant = |speaker: Speaker| {
            let (round, programs) = (Arc::clone(&round), self.programs.clone());
            Entrant {
                name: speaker.name(),
                rounds: match speaker {
                    Speaker::Bgpd | Speaker::Bird => Rounds::All,
                    Speaker::Frr | Speaker::Openbgpd => rounds,
                },
                round: Box::new(move || round(speaker, &programs)),
            }
        };
        speakers.into_iter().map(entrant).collect()
    }

    /// Every feeder sends the table, every receiver gets it.
    fn course(&self, table: &Table, feeders: u16, receivers: u16) -> anyhow::Result<Course> {
        let withdrawals = table.withdrawals();
        let feeder = |number: u16| {
            let neighbor = Neighbor::new(table.family, number, Takes::Everything);
            let seed = self.seed + u64::from(number);
            Ok(Feeder {
                announcements: table.announcements(&neighbor, seed)?,
                withdrawals: withdrawals.clone(),
                neighbor,
            })
        };
        let feeders_of: anyhow::Result<_> = (1..=feeders).map(feeder).collect();
        let receiver = |number| Neighbor::new(table.family, feeders + number, Takes::Everything);
        Ok(Course {
            feeders: feeders_of?,
            receivers: (1..=receivers).map(receiver).collect(),
            prefixes: table.prefixes.len(),
            patience: self.patience,
        })
    }

    /// The case of one synthetic table.
    fn table_case(
        &self,
        table: &Table,
        ways: (u16, u16),
        speakers: &[Speaker],
        rounds: Rounds,
    ) -> anyhow::Result<Case> {
        let (feeders, receivers) = ways;
        let course = self.course(table, feeders, receivers)?;
        let family = match table.family {
            Family::Ipv4 => "IPv4",
            Family::Ipv6 => "IPv6",
        };
        let title = format!(
            "{} {family} prefixes, {feeders} feeders, {receivers} receivers",
            course.prefixes
        );
        let round = move |speaker, programs: &Programs| course.run(speaker, programs);
        Ok(Case::new(title, self.entrants(speakers, rounds, round)))
    }
}

const ALL_SPEAKERS: [Speaker; 4] = [
    Speaker::Bgpd,
    Speaker::Bird,
    Speaker::Frr,
    Speaker::Openbgpd,
];
/// The ones that don't take minutes.
const QUICK_SPEAKERS: [Speaker; 2] = [Speaker::Bgpd, Speaker::Bird];
