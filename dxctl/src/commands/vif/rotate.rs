//! `dxctl vif rotate-key`: AWS changes no key, so its end of the session is
//! replaced, and bgpd's key file follows.
//!
//! The new key lies beside the old one before anything is cut, and a record says
//! what AWS's end was like. With both a killed run is gone on with: what AWS has
//! tells how far it came.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use bgp_core::Family;
use bgp_core::config::AuthKey;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::find_vif;
use super::delete::confirm;
use super::key;
use crate::apply::{CameUp, KeyLock, OurEnd, Overtaken, replace, session};
use crate::aws::{DirectConnect, PeerKey, VirtualInterface};
use crate::cli::{Global, VifRotateKeyArgs};
use crate::key_file::{self, Other, Written};
use crate::output::note;
use crate::plan::Replacement;
use crate::site::OWNER_TAG;
use crate::{Refused, Verdict};

pub(super) async fn run(args: VifRotateKeyArgs, global: &Global) -> anyhow::Result<Verdict> {
    let _lock = KeyLock::take(&args.out_dir, args.lock_timeout)
        .context("--out-dir says where bgpd's configuration is")?;
    let aws = global.aws().await?;
    let vif = find_vif(&aws, &args.vif).await?;
    let families = args.family.map_or(FAMILIES.to_vec(), |one| vec![one]);
    let begun = families
        .iter()
        .map(|family| record_path(&args, &vif, *family));
    let begun = begun.into_iter().find(|path| path.exists());
    let begun = match begun {
        Some(path) => Record::unfinished(&path)?.map(|record| (path, record)),
        None => None,
    };
    let (path, record) = match begun {
        Some(begun) => {
            note("going on with the rotation that was begun, with its key");
            begun
        }
        None => match begin(&args, global, &aws, &vif).await? {
            Begun::Rotation(path, record) => (path, record),
            Begun::Already(session) => return has_it_already(&session, global),
        },
    };
    let new = key_file::read(&record.next())?;
    let far_end = record.replacement.far_end;
    let far_end = far_end.ok_or_else(|| no_record(&path))?;
    let ours = OurEnd::find(&args.out_dir, far_end, &global.socket)?;
    let mark = ours.mark().await;
    let asked = Instant::now();
    let mut written = Written::Unchanged;
    let hand_over = async || {
        written = ours.take(&new).await?;
        Ok(())
    };
    let replaced = replace(
        &record.replacement,
        &aws,
        Some(new.clone()),
        args.timeout,
        hand_over,
    );
    if let Err(error) = replaced.await {
        if error.is::<Overtaken>() {
            // There is nothing left to go on with.
            finish(&path, &record)?;
        }
        return Err(error);
    }
    // One that was up before bgpd had the key is the old one.
    let since = (written != Written::Unchanged).then_some(asked);
    let up = ours.established(since, args.timeout).await?;
    finish(&path, &record)?;
    tell_consequences(&record, &aws, &vif).await?;
    let outage = match up {
        CameUp::Yes => ours.outage(mark).await,
        CameUp::No | CameUp::Unknown => None,
    };
    let established = match up {
        CameUp::Yes => Some(true),
        CameUp::No => Some(false),
        CameUp::Unknown => None,
    };
    let answer = json!({ "vif": record.replacement.vif, "session": ours.session,
        "family": record.replacement.family, "key_file": ours.key_file,
        "established": established, "outage_seconds": outage });
    global.reader().show(&answer, |_| {
        let state = match (up, outage) {
            (CameUp::Yes, Some(seconds)) => format!("up again, down for {seconds:.1} s"),
            (CameUp::Yes, None) => "up; how long it was down is not known".to_owned(),
            (CameUp::No, _) => "not up: see dxctl status".to_owned(),
            (CameUp::Unknown, _) => "whether it is up is not known".to_owned(),
        };
        format!("{} has a new key: {state}\n", ours.session)
    })?;
    Ok(match up {
        CameUp::Yes | CameUp::Unknown => Verdict::Fine,
        CameUp::No => Verdict::Differs,
    })
}

/// What AWS's end was like, and where the key goes; no key is in it.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    replacement: Replacement,
    key_file: PathBuf,
}

const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];

fn record_path(args: &VifRotateKeyArgs, vif: &VirtualInterface, family: Family) -> PathBuf {
    args.out_dir
        .join(format!("{}-{family}.rotation.json", vif.id))
}

enum Begun {
    Rotation(PathBuf, Record),
    /// The session has this key at both ends.
    Already(String),
}

/// Everything that is needed, before anything is cut.
async fn begin(
    args: &VifRotateKeyArgs,
    global: &Global,
    aws: &impl DirectConnect,
    vif: &VirtualInterface,
) -> anyhow::Result<Begun> {
    let family = family(args, vif)?;
    let replacement = Replacement::of(vif, family).map_err(Refused::new)?;
    let far_end = replacement.far_end;
    let far_end = far_end.ok_or_else(|| {
        Refused::new(format!(
            "{} ({}) has no address of AWS's yet",
            vif.id, vif.name
        ))
    })?;
    let ours = OurEnd::find(&args.out_dir, far_end, &global.socket)
        .context("--out-dir says where bgpd's configuration is")?;
    let key = match key::given(&args.key, aws).await? {
        Some(key) => key,
        None => key_file::generate()?,
    };
    if has_key(vif, family, &key) && key_file::read(&ours.key_file).is_ok_and(|old| old == key) {
        return Ok(Begun::Already(ours.session));
    }
    if !args.yes {
        confirm(&format!(
            "Rotate the key of {}? {} (dxctl drain moves the traffic away before). [y/N] ",
            ours.session,
            replacement.cost()
        ))?;
    }
    let record = Record {
        replacement,
        key_file: ours.key_file,
    };
    key_file::write(&record.next(), &key, Other::Replace)?;
    let path = record_path(args, vif, family);
    record.save(&path)?;
    Ok(Begun::Rotation(path, record))
}

fn family(args: &VifRotateKeyArgs, vif: &VirtualInterface) -> Result<Family, Refused> {
    let mut live = vif.live_peers().map(|peer| peer.family);
    match (args.family, live.next(), live.next()) {
        (Some(family), _, _) => Ok(family),
        (None, Some(family), None) => Ok(family),
        (None, None, _) => Err(Refused::new(format!("{} has no session", vif.id))),
        (None, Some(_), Some(_)) => Err(Refused::new(format!(
            "{} has two sessions: give --family",
            vif.id
        ))),
    }
}

fn has_key(vif: &VirtualInterface, family: Family, key: &AuthKey) -> bool {
    let peer = vif.peer(family);
    peer.is_some_and(|peer| peer.key == PeerKey::Known(key.clone()))
}

fn has_it_already(session: &str, global: &Global) -> anyhow::Result<Verdict> {
    let answer = json!({ "session": session, "changed": false });
    global.reader().show(&answer, |_| {
        format!("{session} has this key already, at both ends: nothing was changed\n")
    })?;
    Ok(Verdict::Fine)
}

/// What has to follow elsewhere.
async fn tell_consequences(
    record: &Record,
    aws: &impl DirectConnect,
    before: &VirtualInterface,
) -> anyhow::Result<()> {
    let Replacement {
        vif,
        family,
        far_end,
        ..
    } = &record.replacement;
    let there = session::vif(aws, vif).await?;
    let amazon = there.peer(*family).and_then(|peer| peer.amazon_address);
    if amazon.is_some_and(|amazon| Some(amazon.addr()) != *far_end) {
        note(
            "note: AWS gave the session other addresses: write them into bgpd's configuration with dxctl bgpd-config",
        );
    }
    if let Some(tag) = before.tags.iter().find(|tag| tag.key == OWNER_TAG) {
        note(format_args!(
            "note: it belongs to site {:?}: put the key where its file says too ({} has it), or the next apply changes it back",
            tag.value,
            record.key_file.display()
        ));
    }
    Ok(())
}

impl Record {
    /// The new key is there before the record and goes before it: a record without
    /// one is of a rotation that was done.
    fn unfinished(path: &Path) -> anyhow::Result<Option<Self>> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let record: Self =
            serde_json::from_str(&text).with_context(|| no_record(path).to_string())?;
        if record.next().exists() {
            return Ok(Some(record));
        }
        finish(path, &record)?;
        Ok(None)
    }

    /// Whole or not at all.
    fn save(&self, path: &Path) -> anyhow::Result<()> {
        let beside = path.with_extension(format!("new.{}", std::process::id()));
        let text = serde_json::to_vec_pretty(self)?;
        fs::write(&beside, text)
            .and_then(|()| fs::File::open(&beside)?.sync_all())
            .and_then(|()| fs::rename(&beside, path))
            .with_context(|| path.display().to_string())
    }

    /// Where the new key lies until the session has it.
    fn next(&self) -> PathBuf {
        let mut name = self.key_file.file_name().unwrap_or_default().to_owned();
        name.push(".next");
        self.key_file.with_file_name(name)
    }
}

fn no_record(path: &Path) -> Refused {
    Refused::new(format!("{} is no record of a rotation", path.display()))
}

fn finish(path: &Path, record: &Record) -> anyhow::Result<()> {
    for file in [&record.next(), path] {
        match fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| file.display().to_string());
            }
            _ => {}
        }
    }
    Ok(())
}
