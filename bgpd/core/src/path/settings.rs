//! What counts as bad, and how long a path that was bad is not trusted.

use std::time::Duration;

/// The thresholds for one path.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How long a path that has failed must be well before it carries traffic
    /// again; doubles with each further failure.
    pub hold: Duration,
    pub hold_max: Duration,
    /// Share of packets lost that is a brown-out. A tenth of it is taken for usual.
    pub loss: f64,
    /// A lasting rise of the round trip's time that is a brown-out.
    pub latency: Duration,
    /// A peer that announces less than this share of what it usually does has
    /// lost its own way.
    pub prefixes: f64,
    /// What a path in doubt is probed at.
    pub quick: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hold: Duration::from_secs(5),
            hold_max: Duration::from_secs(300),
            loss: 0.1,
            latency: Duration::from_millis(20),
            prefixes: 0.1,
            quick: Duration::from_millis(10),
        }
    }
}
