//! The intent journal: what is about to be asked of AWS, on disk before it is.
//!
//! One line of JSON each: `intent` before a call, `done` after it. Locked while a
//! run lasts, so that two at once don't meet; emptied when all is done. It holds
//! names and identifiers, never a key.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::fcntl::Flock;
use serde::{Deserialize, Serialize};

use super::lock::lock;
use crate::plan::{Call, Replacement, Step};

pub(crate) struct Journal {
    path: PathBuf,
    file: Flock<File>,
    unfinished: Vec<Intent>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    #[error("the journal {0}: {1}; --journal FILE puts it elsewhere")]
    Io(PathBuf, std::io::Error),
    #[error(
        "another dxctl is at work on this site{1}: let it end, or wait for it with --lock-timeout SECONDS ({0} is locked)"
    )]
    Busy(PathBuf, String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Run { pid: u32, at: u64 },
    Intent(Intent),
    Done { step: String },
}

/// A call that was about to go out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Intent {
    step: String,
    /// Seconds since the Unix epoch.
    at: u64,
    /// The Direct Connect gateway that it makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gateway: Option<String>,
    /// The session that it replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replacement: Option<Replacement>,
}

impl Intent {
    pub(crate) fn age(&self) -> Duration {
        Duration::from_secs(now().saturating_sub(self.at))
    }

    pub(crate) fn gateway(&self) -> Option<&str> {
        self.gateway.as_deref()
    }
}

impl Journal {
    /// Locks it, waiting at most so long for another run.
    pub(crate) fn open(path: &Path, patience: Duration) -> Result<Self, JournalError> {
        let failed = |error| JournalError::Io(path.to_owned(), error);
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        let mut file = locked(file, path, patience)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(failed)?;
        let unfinished = unfinished(&String::from_utf8_lossy(&text));
        let mut journal = Self {
            path: path.to_owned(),
            file,
            unfinished,
        };
        if !text.is_empty() && !text.ends_with(b"\n") {
            // A run that was killed while writing left half a line.
            journal.write(b"\n")?;
        }
        journal.line(&Line::Run {
            pid: std::process::id(),
            at: now(),
        })?;
        Ok(journal)
    }

    /// [`begun`](Self::begun) of a journal that is only looked into.
    pub(crate) fn begun_in(path: &Path) -> Vec<Replacement> {
        let text = std::fs::read(path).unwrap_or_default();
        let intents = unfinished(&String::from_utf8_lossy(&text)).into_iter();
        intents.filter_map(|intent| intent.replacement).collect()
    }

    /// What the last run may or may not have done.
    pub(crate) fn unfinished(&self) -> &[Intent] {
        &self.unfinished
    }

    /// The sessions that it may have been replacing.
    pub(crate) fn begun(&self) -> Vec<Replacement> {
        let intents = self.unfinished.iter();
        intents
            .filter_map(|intent| intent.replacement.clone())
            .collect()
    }

    pub(crate) fn is_unfinished(&self, step: &str) -> bool {
        self.unfinished.iter().any(|intent| intent.step == step)
    }

    /// On disk when this returns.
    pub(super) fn intent(&mut self, label: &str, step: &Step) -> Result<(), JournalError> {
        let gateway = match &step.call {
            Call::CreateGateway(new) => Some(new.name.clone()),
            _ => None,
        };
        let replacement = match &step.call {
            Call::ReplaceSession { replacement, .. } => Some(replacement.clone()),
            _ => None,
        };
        self.line(&Line::Intent(Intent {
            step: label.to_owned(),
            at: now(),
            gateway,
            replacement,
        }))
    }

    pub(super) fn done(&mut self, label: &str) -> Result<(), JournalError> {
        self.line(&Line::Done {
            step: label.to_owned(),
        })
    }

    /// All is done: nothing to remember.
    pub(crate) fn finish(mut self) -> Result<(), JournalError> {
        let emptied = self
            .file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .and_then(|_| self.file.sync_all());
        emptied.map_err(|error| JournalError::Io(self.path.clone(), error))
    }

    fn line(&mut self, line: &Line) -> Result<(), JournalError> {
        self.write(crate::output::json_line(line).as_bytes())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), JournalError> {
        let written = self.file.write_all(bytes);
        written
            .and_then(|()| self.file.sync_data())
            .map_err(|error| JournalError::Io(self.path.clone(), error))
    }
}

fn locked(file: File, path: &Path, patience: Duration) -> Result<Flock<File>, JournalError> {
    lock(file, patience).map_err(|(mut file, error)| match error {
        Errno::EWOULDBLOCK => JournalError::Busy(path.to_owned(), holder(&mut file)),
        error => JournalError::Io(path.to_owned(), error.into()),
    })
}

/// Who has it, for people.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    if file.read_to_string(&mut text).is_err() {
        return String::new();
    }
    let last = lines(&text).filter_map(|line| match line {
        Line::Run { pid, .. } => Some(pid),
        Line::Intent(_) | Line::Done { .. } => None,
    });
    last.last()
        .map(|pid| format!(" (process {pid})"))
        .unwrap_or_default()
}

/// Half a line, as a killed run leaves it, is none.
fn lines(text: &str) -> impl Iterator<Item = Line> {
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
}

fn unfinished(text: &str) -> Vec<Intent> {
    let mut open: Vec<Intent> = Vec::new();
    for line in lines(text) {
        match line {
            Line::Run { .. } => {}
            Line::Intent(intent) => {
                open.retain(|other| other.step != intent.step);
                open.push(intent);
            }
            Line::Done { step } => open.retain(|intent| intent.step != step),
        }
    }
    open
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn open(path: &Path) -> Result<Journal, JournalError> {
        Journal::open(path, Duration::ZERO)
    }

    #[test]
    fn what_was_not_done_is_there_after_a_kill_even_with_half_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let text = concat!(
            "{\"run\":{\"pid\":1,\"at\":1}}\n",
            "{\"intent\":{\"step\":\"create vif a\",\"at\":1}}\n",
            "{\"done\":{\"step\":\"create vif a\"}}\n",
            "{\"intent\":{\"step\":\"create gateway hub\",\"at\":1,\"gateway\":\"hub\"}}\n",
            "{\"done\":{\"st",
        );
        std::fs::write(&path, text).unwrap();
        let journal = open(&path).unwrap();
        assert!(journal.is_unfinished("create gateway hub"));
        assert_eq!(journal.unfinished().len(), 1);
        assert_eq!(journal.unfinished()[0].gateway(), Some("hub"));
        drop(journal);
        let again = open(&path).unwrap();
        assert_eq!(again.unfinished().len(), 1);
        again.finish().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
    }

    #[test]
    fn a_second_run_is_told_who_is_at_work() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let first = open(&path).unwrap();
        let Err(error) = open(&path) else {
            panic!("two at once")
        };
        let text = error.to_string();
        assert!(text.contains(&std::process::id().to_string()), "{text}");
        drop(first);
        assert!(open(&path).is_ok());
    }
}
