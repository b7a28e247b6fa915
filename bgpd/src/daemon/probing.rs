//! What the prober finds out, passed on: to health, and to sessions that a path's
//! return is worth a dial.

use bgp_core::PathId;
use bgp_core::path::{Evidence, Sample, Silence};
use tokio::sync::mpsc;

use crate::fastpath::{self, Voice};
use crate::{health, probe};

pub(super) struct Ear {
    pub(super) health: health::Handle,
    pub(super) fastpath: Option<fastpath::Handle>,
    pub(super) back: mpsc::UnboundedSender<PathId>,
}

impl probe::Listener for Ear {
    fn samples(&mut self, samples: &[Sample]) {
        self.health.tell_samples(samples);
    }

    fn silence(&mut self, path: PathId, silence: Silence, seen: probe::Seen) {
        // Hard evidence moves traffic at once; health, which hears of it next, says
        // when the path may be used again.
        if let (Silence::Confirmed, Some(fastpath)) = (silence, &self.fastpath) {
            let reason = format!(
                "nothing received for {} ms, and {} echoes unanswered",
                seen.pause.as_millis(),
                seen.echoes
            );
            fastpath.path_down(path, Voice::Health, reason);
        }
        self.health.tell(path, Evidence::Silence(silence));
    }

    fn back(&mut self, path: PathId) {
        // Nobody may want to know.
        let _ = self.back.send(path);
    }
}
