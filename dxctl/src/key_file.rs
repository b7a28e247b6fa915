//! MD5 keys on disk: made, read, written. The only module that handles a key's
//! text, besides the call to AWS and `router-config --reveal`.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bgp_core::config::AuthKey;
use zeroize::Zeroizing;

/// What writing a key file came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Created,
    Replaced,
    /// It held this key already.
    Unchanged,
}

/// What to do about a file that holds another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Other {
    Keep,
    Replace,
}

/// Never quotes a key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyFileError {
    #[error("key file {0}: {1}")]
    Io(PathBuf, std::io::Error),
    #[error("key file {0}: others may read it (mode {1:04o}): chmod 600 {0}")]
    Readable(PathBuf, u32),
    #[error("key file {0}: {1}")]
    Key(PathBuf, bgp_core::config::AuthKeyError),
    #[error(
        "key file {0}: it holds another key than this virtual interface has. Give --force to replace it, or another --out-dir"
    )]
    Differs(PathBuf),
    #[error(
        "key file {0}: it is there already; a generated key never replaces one. Choose another --key-out, or use it with --auth-key-file"
    )]
    Exists(PathBuf),
    #[error("the system's random numbers can't be read: {0}")]
    Random(getrandom::Error),
}

impl KeyFileError {
    /// Whether what was asked for makes sense, and is not done.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Differs(_) | Self::Exists(_) => true,
            Self::Readable(..) | Self::Key(..) | Self::Io(..) | Self::Random(_) => false,
        }
    }
}

/// A key that every router takes: letters and digits only (`?` and quotes are
/// trouble in router consoles), a letter first, 24 long (older Cisco IOS takes
/// 25 at most): 142 bits.
pub(crate) fn generate() -> Result<AuthKey, KeyFileError> {
    let mut text = Zeroizing::new(String::with_capacity(GENERATED_LENGTH));
    while text.len() < GENERATED_LENGTH {
        let mut bytes = Zeroizing::new([0u8; 64]);
        getrandom::fill(bytes.as_mut_slice()).map_err(KeyFileError::Random)?;
        for byte in bytes.iter() {
            // Below 248 = 4 × 62 each character is equally likely.
            let character = ALPHABET[usize::from(byte % 62)];
            let fits = !text.is_empty() || character.is_ascii_alphabetic();
            if *byte < 248 && fits && text.len() < GENERATED_LENGTH {
                text.push(char::from(character));
            }
        }
    }
    Ok(AuthKey::from_file_content(text).expect("invariant: 24 letters and digits are a key"))
}

/// By which rules [`generate`] makes one that is kept in this file.
pub(crate) fn rules(path: &Path) -> String {
    format!(
        "made here by the system's random generator: {GENERATED_LENGTH} letters and digits, a letter first \
         (AWS takes 6 to 80 printable characters; older routers 25, and neither ? nor quotes); kept in {}, mode 0600",
        path.display()
    )
}

/// What happens where no key is given.
pub(crate) const MADE_BY_AWS: &str = "AWS makes it, and shows it to who may see it";

const GENERATED_LENGTH: usize = 24;
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Reads a key from a file that nobody else can read.
pub(crate) fn read(path: &Path) -> Result<AuthKey, KeyFileError> {
    let failed = |error| KeyFileError::Io(path.to_owned(), error);
    let file = fs::File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Readable(path.to_owned(), mode));
    }
    let mut content = Zeroizing::new(String::new());
    file.take(4096)
        .read_to_string(&mut content)
        .map_err(failed)?;
    AuthKey::from_file_content(content).map_err(|error| KeyFileError::Key(path.to_owned(), error))
}

/// Whether the file holds this key, another, or isn't there.
pub(crate) fn compare(path: &Path, key: &AuthKey) -> Result<Option<Written>, KeyFileError> {
    match read(path) {
        Ok(there) if there == *key => Ok(Some(Written::Unchanged)),
        Err(KeyFileError::Io(_, error)) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error @ KeyFileError::Io(..)) => Err(error),
        _ => Ok(Some(Written::Replaced)),
    }
}

/// Writes the key with mode 0600, whole or not at all.
pub(crate) fn write(path: &Path, key: &AuthKey, other: Other) -> Result<Written, KeyFileError> {
    let written = match compare(path, key)? {
        Some(Written::Unchanged) => return Ok(Written::Unchanged),
        Some(_) if other == Other::Keep => return Err(KeyFileError::Differs(path.to_owned())),
        Some(_) => Written::Replaced,
        None => Written::Created,
    };
    replace(path, key).map_err(|error| KeyFileError::Io(path.to_owned(), error))?;
    Ok(written)
}

/// Writes a generated key to a file that isn't there yet.
pub(crate) fn write_new(path: &Path, key: &AuthKey) -> Result<(), KeyFileError> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => KeyFileError::Exists(path.to_owned()),
        _ => KeyFileError::Io(path.to_owned(), error),
    };
    if let Some(directory) = path
        .parent()
        .filter(|directory| !directory.as_os_str().is_empty())
    {
        private_directory(directory)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    put(&mut file, key).map_err(failed)
}

/// A directory that only its owner can look into.
pub(crate) fn private_directory(path: &Path) -> Result<(), KeyFileError> {
    if path.is_dir() {
        return Ok(());
    }
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path);
    made.map_err(|error| KeyFileError::Io(path.to_owned(), error))
}

fn replace(path: &Path, key: &AuthKey) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".new.{}", std::process::id()));
    let beside = path.with_file_name(name);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    let moved = put(&mut file, key).and_then(|()| fs::rename(&beside, path));
    if moved.is_err() {
        // What is left would be half a key; the first error is the one to tell.
        let _ = fs::remove_file(&beside);
    }
    moved
}

fn put(file: &mut fs::File, key: &AuthKey) -> std::io::Result<()> {
    file.write_all(key.expose().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn key(text: &str) -> AuthKey {
        AuthKey::from_file_content(Zeroizing::new(text.to_owned())).unwrap()
    }

    #[test]
    fn generated_keys_differ_and_every_router_takes_them() {
        let (one, two) = (generate().unwrap(), generate().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.expose().len(), 24);
        assert!(one.expose().starts_with(|c: char| c.is_ascii_alphabetic()));
        assert!(one.expose().bytes().all(|b| b.is_ascii_alphanumeric()));
    }

    #[test]
    fn a_key_survives_the_way_to_disk_and_back_with_mode_0600() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("prod");
        assert_eq!(
            write(&path, &key("sesame-1"), Other::Keep).unwrap(),
            Written::Created
        );
        assert_eq!(
            write(&path, &key("sesame-1"), Other::Keep).unwrap(),
            Written::Unchanged
        );
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(read(&path).unwrap(), key("sesame-1"));
    }

    #[test]
    fn another_key_is_replaced_only_when_asked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("prod");
        write(&path, &key("sesame-1"), Other::Keep).unwrap();
        let error = write(&path, &key("sesame-2"), Other::Keep).unwrap_err();
        assert!(matches!(error, KeyFileError::Differs(_)));
        assert!(!error.to_string().contains("sesame"));
        assert_eq!(
            write(&path, &key("sesame-2"), Other::Replace).unwrap(),
            Written::Replaced
        );
        assert_eq!(read(&path).unwrap(), key("sesame-2"));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("prod");
        fs::write(&path, "sesame-1\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(
            error.contains("0644") && error.contains("chmod 600"),
            "{error}"
        );
    }

    #[test]
    fn a_generated_key_never_replaces_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("prod");
        fs::write(&path, "").unwrap();
        assert!(matches!(
            write_new(&path, &key("sesame-1")),
            Err(KeyFileError::Exists(_))
        ));
    }
}
