//! MD5 keys from where they are said to be.

use bgp_core::config::AuthKey;
use zeroize::Zeroizing;

use crate::Refused;
use crate::aws::DirectConnect;
use crate::key_file::{self, KeyFileError};
use crate::plan::Keys;
use crate::site::{KeySource, Site};

/// Those that are here already, for comparing with AWS's.
pub(crate) async fn known_keys(site: &Site, aws: &impl DirectConnect) -> anyhow::Result<Keys> {
    let mut keys = Keys::new();
    for vif in &site.vifs {
        for session in &vif.sessions {
            if let KeySource::Generate(path) = &session.key
                && !path.exists()
            {
                continue;
            }
            if let Some(key) = key(&session.key, aws).await? {
                keys.insert((vif.name.clone(), session.family), key);
            }
        }
    }
    Ok(keys)
}

/// `None` where AWS makes it. One that is made here is on disk before anybody
/// else has it.
pub(crate) async fn key(
    source: &KeySource,
    aws: &impl DirectConnect,
) -> anyhow::Result<Option<AuthKey>> {
    let (text, place) = match source {
        KeySource::Aws => return Ok(None),
        KeySource::File(path) => return Ok(Some(key_file::read(path)?)),
        KeySource::Generate(path) => return Ok(Some(generated(path)?)),
        KeySource::Env(name) => {
            let Ok(text) = std::env::var(name).map(Zeroizing::new) else {
                return Err(Refused::new(format!(
                    "the environment variable {name} is not set: an MD5 key is to be taken from it"
                ))
                .into());
            };
            (text, format!("the variable {name}"))
        }
        KeySource::Kept(at) => (at.key_in(aws.secret(at).await?)?, at.to_string()),
    };
    let key = AuthKey::from_file_content(text);
    let key = key.map_err(|error| Refused::new(format!("the MD5 key in {place}: {error}")))?;
    Ok(Some(key))
}

fn generated(path: &std::path::Path) -> Result<AuthKey, KeyFileError> {
    match key_file::read(path) {
        Err(KeyFileError::Io(_, error)) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = key_file::generate()?;
            key_file::write_new(path, &key)?;
            Ok(key)
        }
        read => read,
    }
}
