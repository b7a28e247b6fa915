//! `--check` and `--diff`: a configuration that exists, against the link.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::json;
use vendor_configs::{Platform, RouterPlan, Severity, Weight, lint};

use crate::cli::Global;
use crate::output::note;
use crate::{Refused, Verdict};

/// Says what is wrong; exit 1 unless nothing is.
pub(super) fn check(
    plans: &[RouterPlan],
    platform: Platform,
    file: &Path,
    global: &Global,
) -> anyhow::Result<Verdict> {
    let text = read(file)?;
    let mut findings = Vec::new();
    for link in plans.iter().flat_map(|plan| &plan.links) {
        let found = lint(link, platform, &text)
            .map_err(|error| Refused::new(format!("{}: {error}", file.display())))?;
        findings.extend(
            found
                .into_iter()
                .map(|finding| (link.name.to_string(), finding)),
        );
    }
    let answer: Vec<_> = findings
        .iter()
        .map(|(vif, finding)| json!({ "vif": vif, "finding": finding }))
        .collect();
    global.reader().show(&answer, |_| {
        let lines = findings
            .iter()
            .map(|(vif, finding)| format!("{vif}: {finding}\n"));
        lines.collect()
    })?;
    if findings.is_empty() {
        note("nothing is wrong with it");
    }
    let wrong = findings
        .iter()
        .any(|(_, finding)| finding.severity != Severity::Note);
    Ok(if wrong {
        Verdict::Differs
    } else {
        Verdict::Fine
    })
}

/// Tells what parts them; exit 1 if any of it matters.
pub(super) fn diff(
    wanted: &str,
    platform: Platform,
    file: &Path,
    global: &Global,
) -> anyhow::Result<Verdict> {
    let existing = read(file)?;
    let found = vendor_configs::diff(platform, wanted, &existing)
        .map_err(|error| Refused::new(format!("{}: {error}", file.display())))?;
    global.reader().show(&found, |found| {
        let lines = found.iter().map(|one| format!("{one}\n"));
        lines.collect()
    })?;
    if found.is_empty() {
        note("nothing differs");
    }
    let matters = found.iter().any(|one| one.weight == Weight::Matters);
    Ok(if matters {
        Verdict::Differs
    } else {
        Verdict::Fine
    })
}

fn read(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| file.display().to_string())
}
