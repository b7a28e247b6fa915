//! What tells a configuration that exists from the one that is wanted.
//!
//! `flat` takes a text apart into entries, by the platform's own structure;
//! `compare` finds those that only one side has. Order counts where the platform
//! counts it, white space and comments never; the rest of the router's
//! configuration is left alone.

mod compare;
mod flat;

use std::fmt;

use serde::Serialize;

use crate::Platform;
use crate::junos::SyntaxError;

/// One place where the two part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Of the configuration that exists, from 1.
    pub line: Option<usize>,
    pub kind: DifferenceKind,
    pub weight: Weight,
    /// The blocks that it stands in.
    pub place: String,
    pub wanted: Option<String>,
    pub existing: Option<String>,
    pub why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DifferenceKind {
    /// Wanted, and not there.
    Missing,
    /// There with another value.
    Changed,
    /// About the same link, and not wanted.
    Extra,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// Packets or routes go another way.
    Matters,
    /// Only people see it.
    Cosmetic,
}

/// `existing` against `wanted`, as rendered for the platform; what matters
/// first. A key is compared if `wanted` holds it, and never shown.
pub fn diff(
    platform: Platform,
    wanted: &str,
    existing: &str,
) -> Result<Vec<Difference>, SyntaxError> {
    let wanted = flat::entries(platform, wanted)?;
    let existing = flat::entries(platform, existing)?;
    let mut found = compare::compare(&wanted, &existing);
    found.sort_by_key(|one| (one.weight, one.line));
    Ok(found)
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        let what = match (self.kind, self.weight) {
            (DifferenceKind::Missing, _) => "missing",
            (DifferenceKind::Changed, _) => "differs",
            (DifferenceKind::Extra, _) => "not wanted",
        };
        write!(f, "{what}")?;
        if self.weight == Weight::Cosmetic {
            f.write_str(" (cosmetic)")?;
        }
        if !self.place.is_empty() {
            write!(f, ", in {}", self.place)?;
        }
        if let Some(existing) = &self.existing {
            write!(f, "\n    - {existing}")?;
        }
        if let Some(wanted) = &self.wanted {
            write!(f, "\n    + {wanted}")?;
        }
        write!(f, "\n    why: {}", self.why)
    }
}
