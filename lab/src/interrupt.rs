//! Ctrl-C and SIGTERM as a flag: whoever waits looks at it, so that what was
//! made is taken down on the ordinary way out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::{io, thread};

use tokio::signal::unix::{SignalKind, signal};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on both signals only raise the flag.
pub fn watch() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (mut interrupt, mut terminate) = runtime.block_on(async {
        Ok::<_, io::Error>((
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        ))
    })?;
    thread::spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                INTERRUPTED.store(true, Ordering::Relaxed);
            }
        });
    });
    Ok(())
}

/// Whether a signal has come since it was last asked.
pub fn take() -> bool {
    INTERRUPTED.swap(false, Ordering::Relaxed)
}

pub fn pending() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
