//! The key of a session that is about to be created.

use std::path::PathBuf;

use bgp_core::config::AuthKey;

use crate::cli::KeySource;
use crate::key_file::{self, KeyFileError};
use crate::output::note;

/// A key to send, and the file that was made for it.
pub(super) struct Key {
    pub(super) key: Option<AuthKey>,
    made: Option<PathBuf>,
}

/// A generated key is on disk before AWS has it: lost in between, it could
/// never be had again in a form that this host may read.
pub(super) fn prepare(source: &KeySource) -> Result<Key, KeyFileError> {
    if let Some(path) = &source.auth_key_file {
        return Ok(Key {
            key: Some(key_file::read(path)?),
            made: None,
        });
    }
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
            key: None,
            made: None,
        }),
    }
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
