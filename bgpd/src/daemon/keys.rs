//! Key files: read at start and at each reload, refused unless only their owner
//! can read them. No message shows what is in one.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bgp_core::bfd::{KeyError, Settings};
use bgp_core::config::{AuthKey, AuthKeyError, Peer};
use zeroize::Zeroizing;

/// Why a session has no key. Names the file and the session, never the key.
#[derive(Debug, thiserror::Error)]
#[error("key file {} of {owner}: {problem}", .path.display())]
pub(super) struct KeyFileError {
    path: PathBuf,
    /// As `vif "prod"`.
    owner: String,
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("it can't be read: {0}; see that it exists and that bgpd's user owns it")]
    Unreadable(io::Error),
    #[error("it is not a regular file; put the key alone into a file")]
    NotAFile,
    #[error("others can read it (mode {mode:04o}); run `chmod 600 {}`", .path.display())]
    Exposed { mode: u32, path: PathBuf },
    #[error("user {uid} owns it, who could change it; run `chown {expected} {}`", .path.display())]
    WrongOwner {
        uid: u32,
        expected: u32,
        path: PathBuf,
    },
    #[error("it has {0} octets; a key file has the key alone, at most 80 characters")]
    TooLong(u64),
    #[error("{0}")]
    Key(AuthKeyError),
    #[error("{0}")]
    Bfd(KeyError),
}

/// More than any key with its line feed.
const MOST_OCTETS: u64 = 512;

/// The session's key; `None` if it is configured without one.
pub(super) fn key_of(peer: &Peer) -> Result<Option<AuthKey>, KeyFileError> {
    let Some(path) = &peer.auth_key_file else {
        return Ok(None);
    };
    let key = read(path);
    key.map(Some)
        .map_err(|problem| KeyFileError::new(peer, path, problem))
}

/// How the peer's BFD runs, with its key; `None` if it is configured without.
pub(super) fn bfd_of(peer: &Peer) -> Result<Option<Settings>, KeyFileError> {
    let Some(bfd) = &peer.bfd else {
        return Ok(None);
    };
    let file = bfd.authentication.as_ref().map(|used| &used.key_file);
    let refused = |problem| {
        let path = file.cloned().unwrap_or_default();
        KeyFileError::new(peer, &path, problem)
    };
    let key = file.map(|path| content(path)).transpose();
    let key = key.map_err(refused)?;
    let settings = bfd.settings(key.as_ref().map(|key| key.as_slice()));
    settings.map(Some).map_err(Problem::Bfd).map_err(refused)
}

impl KeyFileError {
    fn new(peer: &Peer, path: &Path, problem: Problem) -> Self {
        let owner = match &peer.vif {
            Some(vif) if *vif == peer.name => format!("vif {vif:?}"),
            Some(vif) => format!("vif {vif:?} (session {:?})", peer.name),
            None => format!("peer {:?}", peer.name),
        };
        Self {
            path: path.to_owned(),
            owner,
            problem,
        }
    }
}

fn read(path: &Path) -> Result<AuthKey, Problem> {
    let content = content(path)?;
    let text = std::str::from_utf8(&content).map_err(|_| Problem::Key(AuthKeyError::Character))?;
    AuthKey::from_file_content(Zeroizing::new(text.to_owned())).map_err(Problem::Key)
}

fn content(path: &Path) -> Result<Zeroizing<Vec<u8>>, Problem> {
    // Without O_NONBLOCK the opening of a FIFO would wait for a writer.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path);
    let file = file.map_err(Problem::Unreadable)?;
    check_access(&file, path)?;
    let mut content = Zeroizing::new(Vec::with_capacity(MOST_OCTETS as usize + 1));
    file.take(MOST_OCTETS + 1)
        .read_to_end(&mut content)
        .map_err(Problem::Unreadable)?;
    Ok(content)
}

/// Looks at the opened file, not at its name, which could lead elsewhere by
/// then.
fn check_access(file: &File, path: &Path) -> Result<(), Problem> {
    let metadata = file.metadata().map_err(Problem::Unreadable)?;
    if !metadata.is_file() {
        return Err(Problem::NotAFile);
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(Problem::Exposed {
            mode,
            path: path.to_owned(),
        });
    }
    let (uid, expected) = (metadata.uid(), nix::unistd::geteuid().as_raw());
    if uid != expected && uid != 0 {
        return Err(Problem::WrongOwner {
            uid,
            expected,
            path: path.to_owned(),
        });
    }
    if metadata.len() > MOST_OCTETS {
        return Err(Problem::TooLong(metadata.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn problem(content: &[u8], mode: u32) -> Result<AuthKey, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        read(&path).map_err(|problem| problem.to_string())
    }

    #[test]
    fn a_key_that_only_its_owner_can_read_is_taken_without_its_line_feed() {
        assert_eq!(
            problem(b"S3cr3tKey\n", 0o600).unwrap().expose(),
            "S3cr3tKey"
        );
        assert_eq!(problem(b"S3cr3tKey", 0o400).unwrap().expose(), "S3cr3tKey");
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_remedy() {
        for mode in [0o644, 0o640, 0o604, 0o620, 0o601] {
            let said = problem(b"S3cr3tKey\n", mode).unwrap_err();
            assert!(said.contains("chmod 600 /"), "{said}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_never_shown() {
        for content in [
            &b""[..],
            b"\n",
            b"S3cr3tKey \n",
            b" S3cr3tKey",
            b"S3cr3tKey\n\n",
            b"S3cr3",
            b"S3cr3t\xffKey",
            &[b'S'; 81],
            &[b'S'; 4096],
        ] {
            let said = problem(content, 0o600).unwrap_err();
            assert!(!said.contains("S3cr3") && !said.contains("SSS"), "{said}");
        }
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(read(folder.path()), Err(Problem::NotAFile)));
        assert!(matches!(
            read(&folder.path().join("none")),
            Err(Problem::Unreadable(_))
        ));
        let fifo = folder.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        assert!(matches!(read(&fifo), Err(Problem::NotAFile)));
    }

    #[test]
    fn another_users_file_is_refused() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "S3cr3tKey\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::chown(&path, Some(12345), None).unwrap();
        assert!(matches!(
            read(&path),
            Err(Problem::WrongOwner { uid: 12345, .. })
        ));
    }
}
