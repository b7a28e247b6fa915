//! Whether a peer announces far less than it usually does: it may have lost its
//! own way, while its session stays up.

use std::time::{Duration, Instant};

use super::Settings;

#[derive(Debug, Default)]
pub(super) struct Prefixes {
    usual: u64,
    now: u64,
    few: Option<Few>,
}

/// Fewer than usual.
#[derive(Clone, Copy, Debug)]
struct Few {
    since: Instant,
    /// Counted a second time: the first may have been of a session that was new.
    is_certain: bool,
}

impl Prefixes {
    pub(super) fn note(&mut self, count: u64, settings: &Settings, now: Instant) {
        self.now = count;
        if count as f64 >= self.usual as f64 * settings.prefixes {
            self.few = None;
            self.usual = self.usual.max(count);
            return;
        }
        match &mut self.few {
            None => {
                self.few = Some(Few {
                    since: now,
                    is_certain: false,
                });
            }
            Some(few) if now.saturating_duration_since(few.since) >= NEW_USUAL => {
                self.usual = count;
                self.few = None;
            }
            Some(few) => few.is_certain = true,
        }
    }

    /// The session is new: the next count is its first.
    pub(super) const fn begin(&mut self) {
        self.few = None;
    }

    pub(super) fn are_few(&self) -> bool {
        self.few.is_some_and(|few| few.is_certain)
    }

    pub(super) fn reason(&self) -> String {
        format!(
            "the peer announces {} prefixes, usual are {}",
            self.now, self.usual
        )
    }
}

/// What has been so for that long is usual.
const NEW_USUAL: Duration = Duration::from_secs(3600);
