//! Data on standard output, as tables for people or as JSON; talk on standard
//! error.

mod diff;
mod table;
mod units;

use std::fmt::Display;
use std::io::Write;

use serde::Serialize;

pub(crate) use diff::unified;
pub(crate) use table::{Listing, pairs};
pub(crate) use units::{ago, microseconds, timestamp};

/// Standard output can't be written to.
#[derive(Debug, thiserror::Error)]
#[error("standard output: {0}")]
pub(crate) struct Unwritable(pub(crate) std::io::Error);

/// Who reads the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    Person,
    Machine,
}

impl Reader {
    /// The value as JSON, or as the text that `person` makes of it.
    pub(crate) fn show<T: Serialize>(
        self,
        value: &T,
        person: impl FnOnce(&T) -> String,
    ) -> Result<(), Unwritable> {
        match self {
            Self::Machine => print(&json(value)),
            Self::Person => print(&person(value)),
        }
    }
}

/// Pretty JSON with a line feed at its end.
pub(crate) fn json<T: Serialize>(value: &T) -> String {
    let text = serde_json::to_string_pretty(value);
    text.expect("invariant: our own types have string keys and no failing Serialize") + "\n"
}

/// One line of JSON.
pub(crate) fn json_line<T: Serialize>(value: &T) -> String {
    let text = serde_json::to_string(value);
    text.expect("invariant: our own types have string keys and no failing Serialize") + "\n"
}

/// To standard output, at once.
pub(crate) fn print(text: &str) -> Result<(), Unwritable> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Unwritable)
}

/// A line on standard error. Nobody is there to be told when that fails.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
