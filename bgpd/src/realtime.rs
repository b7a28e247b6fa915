//! Real-time priority, locked memory and CPUs without long system calls for the
//! calling thread, where they are permitted. Without them everything works, only
//! later under load.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use nix::unistd::Pid;

/// Asks for all of them, and logs what was refused to which thread.
pub(crate) fn enter(thread: &str) {
    keep_to(thread, Half::Prompt);
    if let Err(error) = schedule_first_in_first_out() {
        tracing::info!(
            "the {thread} thread runs at normal priority ({error}); CAP_SYS_NICE or LimitRTPRIO=50 allows more"
        );
    }
    if let Err(error) = lock_memory() {
        tracing::info!(
            "memory is not locked ({error}); CAP_SYS_RESOURCE or LimitMEMLOCK=infinity allows it"
        );
    }
}

/// For a thread whose system calls take long. Where the kernel doesn't preempt itself
/// no other thread runs on that CPU meanwhile, whatever its priority: while 1,000,000
/// routes arrive the kernel doubles its trie again and again, the last times for
/// 0.1 to 0.2 s each.
pub(crate) fn stand_aside(thread: &str) {
    keep_to(thread, Half::Long);
}

/// Of the CPUs that the process may use; where there is but one, threads share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    /// The first ones, which most interrupts go to anyway.
    Long,
    Prompt,
}

fn keep_to(thread: &str, half: Half) {
    let this = Pid::from_raw(0);
    let kept = sched_getaffinity(this)
        .and_then(|allowed| half.of(&allowed))
        .and_then(|cpus| sched_setaffinity(this, &cpus));
    if let Err(error) = kept {
        tracing::info!("the {thread} thread runs on any CPU ({error})");
    }
}

impl Half {
    fn of(self, allowed: &CpuSet) -> nix::Result<CpuSet> {
        let mut cpus = Vec::new();
        for cpu in 0..CpuSet::count() {
            if allowed.is_set(cpu)? {
                cpus.push(cpu);
            }
        }
        let (long, prompt) = cpus.split_at(cpus.len() / 2);
        let mut half = CpuSet::new();
        for cpu in match self {
            Self::Long if !long.is_empty() => long,
            Self::Long | Self::Prompt => prompt,
        } {
            half.set(*cpu)?;
        }
        Ok(half)
    }
}

fn schedule_first_in_first_out() -> nix::Result<()> {
    let parameters = libc::sched_param {
        sched_priority: PRIORITY,
    };
    // SAFETY: `parameters` outlives the call; thread 0 is the calling one.
    #[expect(unsafe_code, reason = "no crate in use wraps sched_setscheduler")]
    let result = unsafe {
        libc::sched_setscheduler(
            0,
            libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK,
            &raw const parameters,
        )
    };
    nix::errno::Errno::result(result).map(drop)
}

/// Pages stay in memory once touched. Only without a limit: under one,
/// MCL_FUTURE would make allocations fail that swapping would have served.
fn lock_memory() -> nix::Result<()> {
    if getrlimit(Resource::RLIMIT_MEMLOCK)?.0 != RLIM_INFINITY {
        setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY)?;
    }
    #[expect(
        unsafe_code,
        reason = "nix has no MCL_ONFAULT, without which everything mapped would be touched"
    )]
    let result =
        // SAFETY: the call takes no pointer and changes no memory's content.
        unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT) };
    nix::errno::Errno::result(result).map(drop)
}

/// Above the kernel's threaded interrupts' default would starve the network
/// card that it waits for; this is the default itself.
const PRIORITY: i32 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    fn halves(allowed: &[usize]) -> nix::Result<[Vec<usize>; 2]> {
        let mut set = CpuSet::new();
        for cpu in allowed {
            set.set(*cpu)?;
        }
        let of = |half: Half| {
            let half = half.of(&set)?;
            let all = 0..CpuSet::count();
            Ok(all.filter(|cpu| half.is_set(*cpu) == Ok(true)).collect())
        };
        Ok([of(Half::Long)?, of(Half::Prompt)?])
    }

    #[test]
    fn threads_in_a_hurry_have_cpus_without_long_calls() {
        assert_eq!(halves(&[0, 1]), Ok([vec![0], vec![1]]));
        assert_eq!(halves(&[1, 4, 6]), Ok([vec![1], vec![4, 6]]));
        assert_eq!(halves(&[0, 1, 2, 3]), Ok([vec![0, 1], vec![2, 3]]));
    }

    #[test]
    fn the_only_cpu_is_shared() {
        assert_eq!(halves(&[3]), Ok([vec![3], vec![3]]));
    }
}
