//! Real-time priority and locked memory for the calling thread, where they are
//! permitted. Without them everything works, only later under load.

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};

/// Asks for both, and logs what was refused to which thread.
pub(crate) fn enter(thread: &str) {
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
