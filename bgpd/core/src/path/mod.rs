//! Whether a path is good enough to carry traffic.
//!
//! [`PathHealth`] is one path's state machine: it hears [`Evidence`], has timers,
//! and concludes [`Transition`]s, each with its reason and what it was concluded
//! from. A pure function of its inputs and time.
//!
//! Hard evidence (carrier, BFD, the session, confirmed silence) moves a path at
//! once. Soft evidence (loss, latency) needs its statistic: `loss`, `latency`, for
//! all targets together `targets`. Coming back needs more than failing did: `hold`.

mod evidence;
mod hold;
mod latency;
mod loss;
mod machine;
mod prefixes;
mod settings;
mod targets;
mod verdict;

pub use crate::api::{EvidenceItem, Health};
pub use evidence::{
    Bfd, Carrier, Direction, Evidence, Kind, OneWay, Outcome, RoundTrip, Sample, Session, Silence,
    Target,
};
pub use machine::{PathHealth, Transition, Trust};
pub use settings::Settings;

fn item(what: impl Into<String>, value: impl Into<String>) -> EvidenceItem {
    EvidenceItem {
        what: what.into(),
        value: value.into(),
    }
}
