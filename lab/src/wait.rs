//! Waiting for something to become true, and saying what it was instead.

use std::thread;
use std::time::{Duration, Instant};

use crate::interrupt;

/// What was waited for did not happen, or something that must not happen did.
#[derive(Debug, thiserror::Error)]
#[error("expected: {expected}\nseen:     {seen}")]
pub struct Unmet {
    pub expected: String,
    pub seen: String,
}

impl Unmet {
    pub fn new(expected: impl Into<String>, seen: impl Into<String>) -> Self {
        Self {
            expected: expected.into(),
            seen: seen.into(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// Asks `check` until it answers `Ok`; its `Err` says what is seen instead.
pub fn until<T>(
    expected: &str,
    patience: Duration,
    mut check: impl FnMut() -> Result<T, String>,
) -> anyhow::Result<T> {
    let started = Instant::now();
    loop {
        let seen = match check() {
            Ok(value) => return Ok(value),
            Err(seen) => seen,
        };
        if started.elapsed() > patience {
            let expected = format!("{expected} within {} s", patience.as_secs_f32());
            return Err(Unmet::new(expected, seen).into());
        }
        pause(Duration::from_millis(20))?;
    }
}

/// Watches that `check` stays `Ok` for `how_long`.
pub fn while_holding(
    expected: &str,
    how_long: Duration,
    mut check: impl FnMut() -> Result<(), String>,
) -> anyhow::Result<()> {
    let started = Instant::now();
    while started.elapsed() < how_long {
        check().map_err(|seen| {
            Unmet::new(
                expected,
                format!("after {} ms: {seen}", started.elapsed().as_millis()),
            )
        })?;
        pause(Duration::from_millis(50))?;
    }
    Ok(())
}

/// Sleeps, unless a signal asks to end.
pub fn pause(how_long: Duration) -> Result<(), Interrupted> {
    let until = Instant::now() + how_long;
    loop {
        if interrupt::pending() {
            return Err(Interrupted);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(Duration::from_millis(100)));
    }
}

/// Turns a condition into what [`until`] and the steps work with.
pub fn ensure(
    condition: bool,
    expected: impl Into<String>,
    seen: impl Into<String>,
) -> Result<(), Unmet> {
    if condition {
        Ok(())
    } else {
        Err(Unmet::new(expected, seen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_happens_is_reported_with_what_was_seen() {
        let error = until::<()>("rain", Duration::from_millis(30), || Err("sunshine".into()));
        let text = error.expect_err("it never rains").to_string();
        assert!(text.contains("expected: rain within 0.03 s"), "{text}");
        assert!(text.contains("seen:     sunshine"), "{text}");
    }
}
