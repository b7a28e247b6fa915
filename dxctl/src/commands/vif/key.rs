//! The key of a session that is about to be created.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use bgp_core::config::AuthKey;
use zeroize::Zeroizing;

use crate::Refused;
use crate::apply;
use crate::aws::DirectConnect;
use crate::cli::{GivenKey, KeySource};
use crate::key_file;
use crate::output::note;
use crate::pick::Detail;
use crate::site;

/// A key to send, and the file that was made for it.
pub(super) struct Key {
    pub(super) key: Option<AuthKey>,
    made: Option<PathBuf>,
}

/// Where the key comes from, and by which rules one is made.
pub(super) fn explain(source: &KeySource, detail: Detail) {
    if detail == Detail::Reason {
        return;
    }
    let reason = match &source.key_out {
        Some(path) if source.generate_auth_key => key_file::rules(path),
        _ if source.given.auth_key_file.is_some() => "taken from --auth-key-file".to_owned(),
        _ if source.given.auth_key_stdin => "taken from standard input".to_owned(),
        _ if source.given.auth_key_from.is_some() => "taken from --auth-key-from".to_owned(),
        _ => key_file::MADE_BY_AWS.to_owned(),
    };
    note(format_args!("MD5 key: {reason}"));
}

/// A generated key is on disk before AWS has it: lost in between, it could
/// never be had again in a form that this host may read.
pub(super) async fn prepare(source: &KeySource, aws: &impl DirectConnect) -> anyhow::Result<Key> {
    match &source.key_out {
        Some(path) if source.generate_auth_key => {
            let key = key_file::generate()?;
            key_file::write_new(path, &key)?;
            Ok(Key {
                key: Some(key),
                made: Some(path.clone()),
            })
        }
        _ => Ok(Key {
            key: given(&source.given, aws).await?,
            made: None,
        }),
    }
}

/// `None` where the command line names none.
pub(super) async fn given(
    source: &GivenKey,
    aws: &impl DirectConnect,
) -> anyhow::Result<Option<AuthKey>> {
    if let Some(path) = &source.auth_key_file {
        return Ok(Some(key_file::read(path)?));
    }
    if source.auth_key_stdin {
        return from_stdin().map(Some);
    }
    let Some(text) = &source.auth_key_from else {
        return Ok(None);
    };
    let Ok(place @ (site::KeySource::Env(_) | site::KeySource::Kept(_))) =
        site::parse_key_source(text, Path::new(""))
    else {
        // What was given is not quoted: it may be a key.
        return Err(Refused::new(
            "--auth-key-from: write env:NAME, secretsmanager:NAME-OR-ARN#MEMBER or ssm:/PATH; never the key itself",
        )
        .into());
    };
    apply::key(&place, aws).await
}

fn from_stdin() -> anyhow::Result<AuthKey> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(Refused::new(
            "--auth-key-stdin reads a pipe: a key that is typed here would stand on the screen",
        )
        .into());
    }
    let mut text = Zeroizing::new(String::new());
    stdin.lock().take(4096).read_to_string(&mut text)?;
    let key = AuthKey::from_file_content(text);
    Ok(key.map_err(|error| Refused::new(format!("the MD5 key on standard input: {error}")))?)
}

impl Key {
    /// AWS has it: the file stays.
    pub(super) fn keep(&self) {
        if let Some(path) = &self.made {
            note(format_args!("the MD5 key is in {}", path.display()));
        }
    }

    /// AWS refused: the file that was made goes.
    pub(super) fn discard(&self) {
        if let Some(path) = &self.made
            && let Err(error) = std::fs::remove_file(path)
        {
            note(format_args!(
                "note: the unused key file {} can't be removed: {error}",
                path.display()
            ));
        }
    }
}
