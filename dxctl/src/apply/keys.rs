//! The MD5 keys that a site file names.

use bgp_core::config::AuthKey;
use zeroize::Zeroizing;

use crate::Refused;
use crate::key_file::{self, KeyFileError};
use crate::plan::Keys;
use crate::site::{KeySource, Site};

/// Those that are here already, for comparing with AWS's.
pub(crate) fn known_keys(site: &Site) -> anyhow::Result<Keys> {
    let mut keys = Keys::new();
    for vif in &site.vifs {
        for session in &vif.sessions {
            if let KeySource::Generate(path) = &session.key
                && !path.exists()
            {
                continue;
            }
            if let Some(key) = key(&session.key)? {
                keys.insert((vif.name.clone(), session.family), key);
            }
        }
    }
    Ok(keys)
}

/// `None` where AWS makes it. One that is made here is on disk before anybody
/// else has it.
pub(crate) fn key(source: &KeySource) -> anyhow::Result<Option<AuthKey>> {
    match source {
        KeySource::Aws => Ok(None),
        KeySource::File(path) => Ok(Some(key_file::read(path)?)),
        KeySource::Generate(path) => match key_file::read(path) {
            Err(KeyFileError::Io(_, error)) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = key_file::generate()?;
                key_file::write_new(path, &key)?;
                Ok(Some(key))
            }
            read => Ok(Some(read?)),
        },
        KeySource::Env(name) => {
            let Ok(text) = std::env::var(name).map(Zeroizing::new) else {
                return Err(Refused::new(format!(
                    "the environment variable {name} is not set: it holds an MD5 key that the site file names"
                ))
                .into());
            };
            let key = AuthKey::from_file_content(text);
            let key = key.map_err(|error| {
                Refused::new(format!("the MD5 key in the variable {name}: {error}"))
            })?;
            Ok(Some(key))
        }
    }
}
