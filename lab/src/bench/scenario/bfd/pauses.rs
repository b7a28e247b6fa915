//! What the machine itself withholds: on each CPU a thread of the highest priority
//! of all sleeps for a millisecond at a time, and is woken late where the kernel
//! (which need not preempt itself) or the hypervisor has better things to do.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::{Pid, gettid};

use crate::world;

pub(super) struct Pauses {
    ended: Arc<AtomicBool>,
    threads: Vec<(usize, JoinHandle<Duration>)>,
    apart: usize,
}

impl Pauses {
    /// `apart` is the CPU that is told apart from the others.
    pub(super) fn watch(apart: usize) -> anyhow::Result<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        let mut threads = vec![];
        for cpu in cpus()? {
            let ended = Arc::clone(&ended);
            threads.push((cpu, thread::spawn(move || watch(cpu, &ended))));
        }
        Ok(Self {
            ended,
            threads,
            apart,
        })
    }

    /// The longest on that CPU, and on any other.
    pub(super) fn end(mut self) -> (Duration, Duration) {
        self.ended.store(true, Relaxed);
        let (mut there, mut elsewhere) = (Duration::ZERO, Duration::ZERO);
        for (cpu, thread) in self.threads.drain(..) {
            let longest = if cpu == self.apart {
                &mut there
            } else {
                &mut elsewhere
            };
            *longest = thread.join().unwrap_or_default().max(*longest);
        }
        (there, elsewhere)
    }
}

impl Drop for Pauses {
    fn drop(&mut self) {
        self.ended.store(true, Relaxed);
    }
}

/// Those that this process may use, ascending.
pub(super) fn cpus() -> anyhow::Result<Vec<usize>> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).context("the CPUs of this process")?;
    let all = 0..CpuSet::count();
    Ok(all.filter(|cpu| allowed.is_set(*cpu) == Ok(true)).collect())
}

fn watch(cpu: usize, ended: &AtomicBool) -> Duration {
    let mut only = CpuSet::new();
    let kept = only
        .set(cpu)
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &only));
    if let Err(error) = kept {
        tracing::warn!("the pauses of CPU {cpu} are not seen: {error}");
        return Duration::ZERO;
    }
    let mut command = Command::new("chrt");
    command.args(["--fifo", "--pid", FIRST, &gettid().to_string()]);
    if let Err(error) = world::run(&mut command, None) {
        tracing::warn!("pauses are seen at normal priority: {error}");
    }
    let mut longest = Duration::ZERO;
    while !ended.load(Relaxed) {
        let before = Instant::now();
        thread::sleep(NAP);
        longest = longest.max(before.elapsed().saturating_sub(NAP));
    }
    longest
}

const NAP: Duration = Duration::from_millis(1);
const FIRST: &str = "99";
