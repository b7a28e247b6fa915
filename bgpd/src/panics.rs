//! What a panic costs. Every panic is a bug of ours, and what it may take with it
//! is decided by what it may have left half done:
//!
//! - *A session's task* owns its state machine, sockets and buffers, and shares
//!   only queues. It is isolated: the panic ends that session, its supervisor says
//!   what and where, and starts it again after a wait that doubles.
//! - *Answers about the RIB* and *requests on the control socket* only read. They
//!   are isolated: whoever asked hears of it, nobody else.
//! - *Everything else ends the process*: router, fib, fast path, listeners, the
//!   daemon's own task. A panic in the middle of an UPDATE leaves the RIB between
//!   two states (counts, marks for peers and for the kernel, users of attributes
//!   are changed one after the other), and nothing short of a second RIB could
//!   prove that it is whole; a daemon that went on would forward by what was true
//!   once. The kernel keeps its routes, the service manager starts bgpd again
//!   within a second, and that run adopts them: traffic doesn't notice.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// What was said, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panic {
    pub words: String,
    /// `FILE:LINE:COLUMN`, where the hook is installed.
    pub location: Option<String>,
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panic: {}", self.words)?;
        match &self.location {
            Some(location) => write!(f, " (at {location})"),
            None => Ok(()),
        }
    }
}

thread_local! {
    /// How many isolations this thread is inside of.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on a panic that is not isolated ends the process.
pub fn install() {
    let said_before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        said_before(panic);
        if DEPTH.get() == 0 {
            std::process::abort();
        }
        LOCATION.set(location(panic));
    }));
}

fn location(panic: &PanicHookInfo<'_>) -> Option<String> {
    panic.location().map(ToString::to_string)
}

/// Runs what shares nothing that a panic could leave half done.
pub fn isolated<T>(work: impl FnOnce() -> T) -> Result<T, Panic> {
    DEPTH.set(DEPTH.get() + 1);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    DEPTH.set(DEPTH.get() - 1);
    outcome.map_err(|panic| Panic {
        words: words(panic.as_ref()).to_owned(),
        location: LOCATION.take(),
    })
}

/// The same for a task.
pub async fn isolated_task<T>(task: impl Future<Output = T>) -> Result<T, Panic> {
    let mut task = pin!(task);
    std::future::poll_fn(|context| match isolated(|| task.as_mut().poll(context)) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let literal = panic.downcast_ref::<&str>().copied();
    literal
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without words")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_with_its_words() {
        let told = isolated(|| panic!("index {} is out of range", 7));
        let told: Result<(), Panic> = told;
        assert_eq!(
            told.map_err(|panic| panic.words),
            Err("index 7 is out of range".to_owned())
        );
        assert_eq!(isolated(|| 5), Ok(5));
    }

    #[tokio::test]
    async fn a_task_is_isolated_at_every_step() {
        let task = async {
            tokio::task::yield_now().await;
            panic!("later");
        };
        let told: Result<(), Panic> = isolated_task(task).await;
        assert_eq!(told.map_err(|panic| panic.words), Err("later".to_owned()));
        assert_eq!(DEPTH.get(), 0);
    }
}
