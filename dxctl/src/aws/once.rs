//! Doing a thing once, though the API has no client token.

use std::time::Duration;

use super::{AwsError, Outcome};
use crate::output::note;

/// How long to wait before each look and each further try.
pub(crate) const PAUSES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(8),
];

/// What AWS's refusal of a first call means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Final,
    /// It may be there already by an earlier call of ours: a look tells.
    MayBeOurs,
}

/// Has `ask` done once: after a call whose outcome is unknown, `look` tells
/// whether it was, and so it does when such a call's repetition is refused.
pub(crate) async fn once<T>(
    mut ask: impl AsyncFnMut() -> Result<T, AwsError>,
    mut look: impl AsyncFnMut() -> Result<Option<T>, AwsError>,
    pauses: [Duration; 3],
    refusal: Refusal,
) -> Result<T, AwsError> {
    let mut pauses = pauses.into_iter();
    let mut unclear = refusal == Refusal::MayBeOurs;
    loop {
        let error = match ask().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        if error.outcome == Outcome::Refused && unclear {
            return look().await?.ok_or(error);
        }
        if matches!(error.outcome, Outcome::Refused | Outcome::NotDone) {
            return Err(error);
        }
        let Some(pause) = pauses.next() else {
            return Err(error);
        };
        if error.outcome == Outcome::Throttled {
            note(format_args!(
                "AWS limits the rate of calls: trying again in {} s",
                pause.as_secs()
            ));
            tokio::time::sleep(pause).await;
            continue;
        }
        unclear = true;
        note(format_args!(
            "no clear answer ({}): looking whether it was done …",
            error.cause()
        ));
        tokio::time::sleep(pause).await;
        if let Some(done) = look().await? {
            note("it was");
            return Ok(done);
        }
        note("it was not: trying again");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::{Cell, RefCell};

    use super::*;

    /// Calls that end as the script says, and whether one of them was done.
    fn run(script: Vec<Result<(), Outcome>>, done: bool) -> (Result<&'static str, Outcome>, usize) {
        let script = RefCell::new(script);
        let calls = Cell::new(0);
        let ask = async || {
            calls.set(calls.get() + 1);
            match script.borrow_mut().remove(0) {
                Ok(()) => Ok("asked"),
                Err(outcome) => Err(AwsError::with_outcome(outcome)),
            }
        };
        let look = async || Ok(done.then_some("found"));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let ended = runtime.block_on(once(ask, look, [Duration::ZERO; 3], Refusal::Final));
        (ended.map_err(|error| error.outcome), calls.get())
    }

    #[test]
    fn a_refusal_is_final() {
        let refused = run(vec![Err(Outcome::Refused)], true);
        assert_eq!(refused, (Err(Outcome::Refused), 1));
    }

    #[test]
    fn a_lost_answer_is_looked_up_and_not_asked_again() {
        assert_eq!(run(vec![Err(Outcome::Unknown)], true), (Ok("found"), 1));
    }

    #[test]
    fn what_was_not_done_is_asked_again() {
        let script = vec![Err(Outcome::Unknown), Err(Outcome::Throttled), Ok(())];
        assert_eq!(run(script, false), (Ok("asked"), 3));
    }

    #[test]
    fn a_refusal_after_a_lost_answer_is_looked_at() {
        let script = vec![Err(Outcome::Unknown), Err(Outcome::Refused)];
        assert_eq!(run(script, false), (Err(Outcome::Refused), 2));
    }

    #[test]
    fn asking_again_ends() {
        let script = vec![Err(Outcome::Unknown); 5];
        assert_eq!(run(script, false), (Err(Outcome::Unknown), 4));
    }
}
