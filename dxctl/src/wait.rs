//! Looking again and again until something is so.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::Refused;
use crate::aws::{AwsError, Outcome};
use crate::output::note;

/// What a look came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Judgement<T> {
    Met(T),
    NotYet,
    /// And never will be; why.
    Never(String),
}

/// Looks ever less often until `what` is as it should be (`goal`, for people),
/// can't be any more, or the time is over. A look says what it sees, too.
pub(crate) async fn until<T>(
    what: &str,
    goal: &str,
    limit: Duration,
    look: impl AsyncFnMut() -> Result<(String, Judgement<T>), AwsError>,
) -> anyhow::Result<T> {
    paced(what, goal, limit, LAST_PAUSE, look).await
}

/// As [`until`], while traffic waits for it too: the pauses stay short.
pub(crate) async fn while_cut<T>(
    what: &str,
    goal: &str,
    limit: Duration,
    look: impl AsyncFnMut() -> Result<(String, Judgement<T>), AwsError>,
) -> anyhow::Result<T> {
    paced(what, goal, limit, FIRST_PAUSE * 2, look).await
}

async fn paced<T>(
    what: &str,
    goal: &str,
    limit: Duration,
    longest: Duration,
    mut look: impl AsyncFnMut() -> Result<(String, Judgement<T>), AwsError>,
) -> anyhow::Result<T> {
    let start = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut progress = Progress::new();
    loop {
        match look().await {
            Ok((_, Judgement::Met(met))) => {
                progress.end();
                return Ok(met);
            }
            Ok((_, Judgement::Never(why))) => {
                progress.end();
                return Err(Refused::new(why).into());
            }
            Ok((seen, Judgement::NotYet)) => progress.say(what, &seen, start.elapsed()),
            // One lost answer is no reason to stop looking.
            Err(error) if error.outcome == Outcome::Refused => return Err(error.into()),
            Err(error) if start.elapsed() >= limit => return Err(error.into()),
            Err(error) => progress.say(what, error.cause(), start.elapsed()),
        }
        let left = limit.saturating_sub(start.elapsed());
        if left.is_zero() {
            progress.end();
            return Err(Refused::new(format!(
                "{what}: not {goal} after {} s: look again later",
                limit.as_secs()
            ))
            .into());
        }
        tokio::time::sleep(pause.min(left)).await;
        pause = (pause * 2).min(longest);
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// On a terminal one line that updates; otherwise a line for each change.
struct Progress {
    terminal: bool,
    last: String,
}

impl Progress {
    fn new() -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
            last: String::new(),
        }
    }

    fn say(&mut self, id: &str, what: &str, waited: Duration) {
        if self.terminal {
            let mut err = std::io::stderr().lock();
            let _ = write!(err, "\r\x1b[K{id}: {what} ({} s)", waited.as_secs());
            let _ = err.flush();
        } else if self.last != what {
            note(format_args!("{id}: {what} ({} s)", waited.as_secs()));
        }
        what.clone_into(&mut self.last);
    }

    fn end(&mut self) {
        if self.terminal && !self.last.is_empty() {
            note("");
        }
    }
}
