//! `dxctl bgpd-config`: bgpd's configuration and key files for virtual
//! interfaces as AWS returned them.
//!
//! The way: VIFs → [`text::Site`] → text → checked by bgpd's own parser → shown
//! as a difference → key files, then the configuration, each whole or not at all.

mod site;
mod text;

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use bgp_core::config::AuthKey;
use serde_json::json;

use super::find_vif;
use super::vif::confirm;
use crate::aws::VirtualInterface;
use crate::cli::{BgpdConfigArgs, Global};
use crate::key_file::{self, KeyFileError, Other, Written};
use crate::output::{note, unified};
use crate::{Refused, Verdict};

pub(super) async fn run(args: BgpdConfigArgs, global: &Global) -> anyhow::Result<Verdict> {
    let aws = global.aws().await?;
    let mut vifs = Vec::new();
    for wanted in &args.vifs {
        let vif = find_vif(&aws, wanted).await?;
        if !vifs
            .iter()
            .any(|other: &VirtualInterface| other.id == vif.id)
        {
            vifs.push(vif);
        }
    }
    place(&vifs, &args)?.report(global)
}

/// Writes both, or with `--dry-run` says what would be written.
pub(super) fn place(vifs: &[VirtualInterface], args: &BgpdConfigArgs) -> anyhow::Result<Placed> {
    let out_dir = std::path::absolute(&args.out_dir)
        .with_context(|| format!("the directory {}", args.out_dir.display()))?;
    let site = site::gather(vifs, args, &out_dir.join("keys"))?;
    site.notes
        .iter()
        .for_each(|text| note(format_args!("note: {text}")));
    let text = text::write(&site);
    check(&text)?;
    put_in_place(&out_dir, &text, &site.keys, args)
}

/// bgpd would find the same mistakes; here they come before anything is written.
fn check(text: &str) -> Result<(), Refused> {
    bgp_core::config::parse(text).map(|_| ()).map_err(|mistakes| {
        let lines: Vec<&str> = text.lines().collect();
        let told: Vec<String> = mistakes
            .iter()
            .map(|mistake| {
                let line = mistake.line.checked_sub(1).and_then(|at| lines.get(at));
                format!("  {}\n    in: {}", mistake.message, line.unwrap_or(&"").trim())
            })
            .collect();
        Refused::new(format!(
            "bgpd would refuse the configuration that follows from these options; nothing was written:\n{}",
            told.join("\n")
        ))
    })
}

/// A key and the file that it belongs into.
pub(super) struct KeyFile {
    path: PathBuf,
    key: AuthKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum Change {
    Created,
    Replaced,
    Unchanged,
}

fn put_in_place(
    out_dir: &Path,
    text: &str,
    keys: &[KeyFile],
    args: &BgpdConfigArgs,
) -> anyhow::Result<Placed> {
    let config = out_dir.join("bgpd.toml");
    let old = match fs::read_to_string(&config) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| config.display().to_string()),
    };
    let change = match &old {
        None => Change::Created,
        Some(old) if old == text => Change::Unchanged,
        Some(_) => Change::Replaced,
    };
    let other = if args.force {
        Other::Replace
    } else {
        Other::Keep
    };
    // Every key is looked at before anything is written.
    for file in keys {
        if key_file::compare(&file.path, &file.key)? == Some(Written::Replaced) && !args.force {
            return Err(KeyFileError::Differs(file.path.clone()).into());
        }
    }
    if change == Change::Replaced {
        let difference = unified(old.as_deref().unwrap_or_default(), text);
        note(format_args!(
            "--- {}\n{}",
            config.display(),
            difference.trim_end()
        ));
    }
    if args.dry_run {
        if change == Change::Created {
            note(text.trim_end());
        }
        return Ok(Placed::new(&config, change, &[], Wrote::Nothing));
    }
    if change == Change::Replaced && !args.yes {
        confirm(&format!("Replace {}? [y/N] ", config.display()))?;
    }
    let mut written = Vec::new();
    if !keys.is_empty() {
        key_file::private_directory(&out_dir.join("keys"))?;
    }
    for file in keys {
        written.push((
            file.path.clone(),
            key_file::write(&file.path, &file.key, other)?,
        ));
    }
    if change != Change::Unchanged {
        fs::create_dir_all(out_dir)
            .and_then(|()| replace(&config, text))
            .with_context(|| format!("writing {}", config.display()))?;
        note(format_args!(
            "next: start bgpd with `bgpd run {}`, or send a running one SIGHUP",
            config.display()
        ));
    }
    Ok(Placed::new(&config, change, &written, Wrote::Files))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrote {
    Files,
    Nothing,
}

/// What was written, or would be.
pub(super) struct Placed {
    config: String,
    change: Change,
    keys: Vec<(String, Change)>,
    wrote: Wrote,
}

impl Placed {
    fn new(config: &Path, change: Change, keys: &[(PathBuf, Written)], wrote: Wrote) -> Self {
        let keys = keys.iter().map(|(path, written)| {
            let change = match written {
                Written::Created => Change::Created,
                Written::Replaced => Change::Replaced,
                Written::Unchanged => Change::Unchanged,
            };
            (path.display().to_string(), change)
        });
        Self {
            config: config.display().to_string(),
            change,
            keys: keys.collect(),
            wrote,
        }
    }

    /// bgpd has something to read again.
    pub(super) fn is_changed(&self) -> bool {
        let changed = |change: Change| change != Change::Unchanged;
        changed(self.change) || self.keys.iter().any(|(_, change)| changed(*change))
    }

    pub(super) fn to_json(&self) -> serde_json::Value {
        let keys = self.keys.iter();
        let keys = keys.map(|(path, change)| json!({ "path": path, "change": change }));
        json!({
            "config": self.config,
            "change": self.change,
            "written": self.wrote == Wrote::Files && self.change != Change::Unchanged,
            "keys": keys.collect::<Vec<_>>(),
        })
    }

    pub(super) fn lines(&self) -> String {
        let mut text = line(&self.config, self.change, self.is_unwritten());
        for (path, change) in &self.keys {
            text.push_str(&line(path, *change, false));
        }
        text
    }

    fn is_unwritten(&self) -> bool {
        self.wrote == Wrote::Nothing && self.change != Change::Unchanged
    }

    /// A dry run that found a difference says so by its exit status.
    fn report(&self, global: &Global) -> anyhow::Result<Verdict> {
        global.reader().show(&self.to_json(), |_| self.lines())?;
        Ok(if self.is_unwritten() {
            Verdict::Differs
        } else {
            Verdict::Fine
        })
    }
}

fn line(path: &str, change: Change, unwritten: bool) -> String {
    let word = match (change, unwritten) {
        (Change::Unchanged, _) => "unchanged",
        (Change::Created, false) => "created",
        (Change::Created, true) => "would be created",
        (Change::Replaced, false) => "replaced",
        (Change::Replaced, true) => "would be replaced",
    };
    format!("{path}: {word}\n")
}

/// The new text beside the old, then in its place.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".new.{}", std::process::id()));
    let beside = path.with_file_name(name);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(&beside)?;
    let moved = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&beside, path));
    if moved.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&beside);
    }
    moved
}
