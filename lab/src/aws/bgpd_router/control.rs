//! bgpd's control socket, asked without an async runtime.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use bgp_core::api::ApiError;
use serde::de::DeserializeOwned;

/// `GET`, or `POST` without a body.
pub(super) fn ask<T: DeserializeOwned>(
    socket: &Path,
    method: &str,
    path: &str,
) -> anyhow::Result<T> {
    let what = || format!("{method} {path} at {}", socket.display());
    let answer = exchange(socket, method, path).with_context(what)?;
    let (head, body) = answer.split_once("\r\n\r\n").with_context(what)?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status.starts_with('2') {
        return serde_json::from_str(body).with_context(what);
    }
    match serde_json::from_str::<ApiError>(body) {
        Ok(refusal) => bail!("{}: {}", what(), refusal.error),
        Err(_) => bail!("{}: status {status}", what()),
    }
}

/// HTTP/1.0: the answer ends with the connection and is never chunked.
fn exchange(socket: &Path, method: &str, path: &str) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: bgpd\r\nContent-Length: 0\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

const PATIENCE: Duration = Duration::from_secs(10);
