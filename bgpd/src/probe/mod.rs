//! Measures paths: ICMP echoes, bound to the path's interface, with the
//! kernel's own receive timestamps. A task for each target.

mod echo;
mod window;

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use bgp_core::PathId;
use bgp_core::api::ProbeStatus;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use echo::Socket;
use window::{Answer, Window};

/// One address to probe.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    pub path: PathId,
    /// Out of this interface, whatever the routes say.
    pub interface: String,
    pub address: IpAddr,
    pub interval: Duration,
}

/// The way to the probing tasks, which end with the last clone.
#[derive(Clone, Debug)]
pub struct Handle {
    targets: mpsc::UnboundedSender<Vec<Target>>,
    statuses: watch::Receiver<Statuses>,
}

type Statuses = Vec<(PathId, watch::Receiver<ProbeStatus>)>;

/// Starts with nothing to probe yet. Needs a tokio runtime. `back`: is told of a
/// path whose target answers after a silence.
pub fn spawn(back: mpsc::UnboundedSender<PathId>) -> Handle {
    let (targets, inbox) = mpsc::unbounded_channel();
    let (publish, statuses) = watch::channel(Vec::new());
    tokio::spawn(direct(inbox, publish, back));
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
        let statuses = self.statuses.borrow();
        statuses
            .iter()
            .map(|(path, status)| (*path, status.borrow().clone()))
            .collect()
    }

    /// A path's measurements, of each of its targets.
    pub fn status(&self, path: PathId) -> Vec<ProbeStatus> {
        let of_path = self.statuses().into_iter().filter(|(of, _)| *of == path);
        of_path.map(|(_, status)| status).collect()
    }
}

/// Keeps one task for each target that is wanted.
async fn direct(
    mut inbox: mpsc::UnboundedReceiver<Vec<Target>>,
    publish: watch::Sender<Statuses>,
    back: mpsc::UnboundedSender<PathId>,
) {
    let mut tasks = JoinSet::new();
    let mut running: HashMap<Target, (watch::Receiver<ProbeStatus>, tokio::task::AbortHandle)> =
        HashMap::new();
    while let Some(targets) = inbox.recv().await {
        running.retain(|target, (_, task)| {
            let wanted = targets.contains(target);
            if !wanted {
                task.abort();
            }
            wanted
        });
        let mut statuses = Vec::new();
        for target in targets {
            let path = target.path;
            let (status, _) = running.entry(target).or_insert_with_key(|target| {
                let (report, status) = watch::channel(Window::default().status(target.address));
                (
                    status,
                    tasks.spawn(measure(target.clone(), report, back.clone())),
                )
            });
            statuses.push((path, status.clone()));
        }
        publish.send_replace(statuses);
        while tasks.try_join_next().is_some() {}
    }
}

/// Probes one target for ever.
async fn measure(
    target: Target,
    report: watch::Sender<ProbeStatus>,
    back: mpsc::UnboundedSender<PathId>,
) {
    let mut window = Window::default();
    let mut socket: Option<Socket> = None;
    let mut ticks = interval(target.interval.max(SHORTEST_INTERVAL));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut sequence: u16 = 0;
    loop {
        let due = window.next_due().map(Instant::from_std);
        tokio::select! {
            _ = ticks.tick() => {
                sequence = sequence.wrapping_add(1);
                send(&target, &mut socket, &mut window, sequence);
            }
            answer = receive(socket.as_ref()) => match answer {
                Ok(Some((sequence, at))) => {
                    let answer = window.answered(sequence, at, std::time::Instant::now());
                    if answer == Answer::AfterSilence {
                        // Nobody may want to know.
                        let _ = back.send(target.path);
                    }
                }
                Ok(None) => {}
                // The interface is gone; the next tick opens a new socket.
                Err(error) => {
                    tracing::debug!("probe of {} through {}: {error}", target.address, target.interface);
                    socket = None;
                }
            },
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                window.give_up(std::time::Instant::now());
            }
        }
        report.send_replace(window.status(target.address));
    }
}

fn send(target: &Target, socket: &mut Option<Socket>, window: &mut Window, sequence: u16) {
    let begun = std::time::Instant::now();
    let sent = match socket {
        Some(socket) => socket.send(sequence),
        None => Socket::open(target.address, &target.interface).and_then(|opened| {
            let sent = opened.send(sequence);
            *socket = Some(opened);
            sent
        }),
    };
    match sent {
        Ok(at) => window.sent(sequence, at, begun),
        Err(error) => {
            tracing::debug!(
                "probe of {} through {}: {error}",
                target.address,
                target.interface
            );
            *socket = None;
            window.failed();
        }
    }
}

async fn receive(socket: Option<&Socket>) -> std::io::Result<Option<(u16, Duration)>> {
    match socket {
        Some(socket) => socket.receive().await,
        None => std::future::pending().await,
    }
}

/// Faster would be an attack on the target.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);
