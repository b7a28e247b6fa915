//! The control socket: mode 0660, and only one daemon's.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use axum::Router;
use tokio::net::{UnixListener, UnixSocket, UnixStream};
use tokio::task::JoinHandle;

use super::limited::Limited;

/// Bound, not served yet: the first thing a daemon does, so that a second one
/// stops before it touches anything.
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

/// Answers until it is stopped.
pub struct Server {
    task: JoinHandle<()>,
    path: PathBuf,
}

/// Whether a daemon answers at this socket.
pub async fn is_answered(path: &Path) -> bool {
    UnixStream::connect(path).await.is_ok()
}

impl Socket {
    /// Replaces a socket that a daemon has left behind; refuses a live one.
    pub async fn bind(path: &Path) -> anyhow::Result<Self> {
        if is_answered(path).await {
            bail!(
                "another bgpd is running: it answers at {}; stop it, or set another `control`",
                path.display()
            );
        }
        remove_stale(path)?;
        let folder = path.parent().context("`control` is no path of a file")?;
        fs::create_dir_all(folder)
            .with_context(|| format!("can't make {} for the control socket", folder.display()))?;
        let listener = bind_restricted(path)
            .with_context(|| format!("can't make the control socket {}", path.display()))?;
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
    }

    pub(super) fn serve(self, app: Router) -> Server {
        let Self { listener, path } = self;
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(Limited::new(listener), app).await {
                tracing::error!("the control socket fails: {error}");
            }
        });
        Server { task, path }
    }
}

impl Server {
    pub async fn stop(self) {
        self.task.abort();
        // The abort is the outcome that was asked for.
        let _ = self.task.await;
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!("{} stays: {error}", self.path.display());
        }
    }
}

/// Listens once the mode is right: until then the kernel refuses everybody, so
/// at no time can others connect, and the process's umask stays.
fn bind_restricted(path: &Path) -> io::Result<UnixListener> {
    bound(path)?.listen(BACKLOG)
}

fn bound(path: &Path) -> io::Result<UnixSocket> {
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
    Ok(socket)
}

/// Only ever removes a socket.
fn remove_stale(path: &Path) -> anyhow::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => fs::remove_file(path)
            .with_context(|| format!("can't replace the stale socket {}", path.display())),
        Ok(_) => bail!(
            "{} exists and is no socket; set another `control`",
            path.display()
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("can't look at {}", path.display())),
    }
}

/// Connections that wait to be accepted.
const BACKLOG: u32 = 128;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn nobody_can_connect_before_the_mode_is_right() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        let socket = bound(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
        let refused = UnixStream::connect(&path).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let _listener = socket.listen(BACKLOG).unwrap();
        assert!(is_answered(&path).await);
    }
}
