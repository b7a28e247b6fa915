//! What a choice was made from, for `--explain`.

use std::fmt::{Display, Write as _};

use serde::Serialize;
use serde_json::{Value, json};

use super::Picked;

/// What could not be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Excluded {
    /// A number, or a network.
    pub(crate) what: String,
    /// Who has it, or which rule reserves it.
    pub(crate) by: String,
    /// It would have been chosen, were it free.
    pub(crate) passed: bool,
}

/// How much is told of a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    Reason,
    /// And all that was excluded.
    Everything,
}

/// A choice that was made for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// As in `vif "prod": `; nothing where there is only one.
    pub(crate) of: Option<String>,
    /// What kind of thing was chosen, as people say it.
    pub(crate) what: &'static str,
    pub(crate) value: String,
    pub(crate) reason: String,
    pub(crate) excluded: Vec<Excluded>,
}

impl<T: Display> Picked<T> {
    pub(crate) fn choice(&self, what: &'static str) -> Choice {
        Choice {
            of: None,
            what,
            value: self.value.to_string(),
            reason: self.reason.clone(),
            excluded: self.excluded.clone(),
        }
    }
}

impl Choice {
    /// Without a line feed at its end.
    pub(crate) fn text(&self, detail: Detail) -> String {
        let of = self.of.as_ref().map(|of| format!("{of}: "));
        let of = of.unwrap_or_default();
        let mut text = format!("{of}{} {}: {}", self.what, self.value, self.reason);
        if detail == Detail::Reason {
            return text;
        }
        let width = self.excluded.iter().map(|one| one.what.len()).max();
        for one in &self.excluded {
            let why = if one.passed {
                "passed over"
            } else {
                "not free"
            };
            let (what, width) = (&one.what, width.unwrap_or(0));
            write!(text, "\n    {what:width$}  {why}: {}", one.by)
                .expect("invariant: a String takes every write");
        }
        text
    }

    pub(crate) fn to_json(&self, detail: Detail) -> Value {
        let mut value = json!({
            "of": self.of,
            "what": self.what,
            "value": self.value,
            "reason": self.reason,
        });
        if detail == Detail::Everything {
            value["excluded"] = json!(self.excluded);
        }
        value
    }
}
