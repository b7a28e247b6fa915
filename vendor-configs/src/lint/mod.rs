//! What a configuration that somebody else wrote lacks for a VIF, or does wrong.
//!
//! `ios` and `junos` read a text into what it `Seen`s to configure; `rules`
//! compares that with the link, and `policy` tries routes on its filters.

mod ios;
mod junos;
mod policy;
mod rules;
mod seen;

use std::fmt;

use serde::Serialize;

use crate::junos::SyntaxError;
use crate::{Platform, RouterLink};

/// One thing that is wrong, or looks so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// From 1; `None`: it is about what is not there.
    pub line: Option<usize>,
    pub severity: Severity,
    pub what: String,
    pub why: String,
    pub fix: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The session or its traffic won't work, or others are hurt.
    Error,
    /// It works until the day that something else fails.
    Warning,
    Note,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LintError {
    #[error("texts of {0} can't be checked: only those of {known} can", known = CHECKED.join(", "))]
    Platform(Platform),
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
}

/// Platforms whose texts are read here.
const CHECKED: [&str; 4] = ["cisco_ios_xe", "cisco_ios", "juniper_junos", "juniper_srx"];

/// Compares `text` with what the link needs; the worst first.
pub fn lint(link: &RouterLink, platform: Platform, text: &str) -> Result<Vec<Finding>, LintError> {
    let (seen, words) = match platform.name() {
        "cisco_ios_xe" | "cisco_ios" => (ios::read(text), &ios::WORDS),
        "juniper_junos" | "juniper_srx" => (junos::read(text)?, &junos::WORDS),
        _ => return Err(LintError::Platform(platform)),
    };
    let mut findings = rules::compare(link, &seen, words);
    findings.sort_by_key(|finding| (finding.severity, finding.line));
    Ok(findings)
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        let Self {
            severity,
            what,
            why,
            fix,
            ..
        } = self;
        write!(f, "{severity}: {what}\n    why: {why}\n    fix: {fix}")
    }
}
