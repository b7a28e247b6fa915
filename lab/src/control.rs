//! A client of bgpd's control socket: plain HTTP over a Unix socket.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bgp_core::api::{ApiError, PeerStatus, Reloaded, Route, Routes, Status};
use serde::de::DeserializeOwned;

/// Where one bgpd listens.
#[derive(Clone, Debug)]
pub struct Control(PathBuf);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("bgpd does not answer on {}: {source}", socket.display())]
    Unreachable { socket: PathBuf, source: io::Error },
    #[error("bgpd answers `{status}`: {text}")]
    Refused { status: String, text: String },
    #[error("bgpd's answer is not understood ({source}): {text}")]
    Unexpected {
        source: serde_json::Error,
        text: String,
    },
}

impl Control {
    pub fn at(socket: impl Into<PathBuf>) -> Self {
        Self(socket.into())
    }

    pub fn socket(&self) -> &Path {
        &self.0
    }

    pub fn status(&self) -> Result<Status, Error> {
        self.json("GET", "/v1/status")
    }

    pub fn peer(&self, name: &str) -> Result<PeerStatus, String> {
        let status = self.status().map_err(|error| error.to_string())?;
        let mut peers = status.peers.into_iter();
        peers
            .find(|peer| peer.name == name)
            .ok_or(format!("bgpd has no peer {name}"))
    }

    /// `Ok` when the session is up, else what it is instead.
    pub fn established(&self, name: &str) -> Result<PeerStatus, String> {
        let peer = self.peer(name)?;
        if peer.state == "Established" {
            return Ok(peer);
        }
        Err(format!(
            "{} ({})",
            peer.state,
            peer.last_error.as_deref().unwrap_or("no error yet")
        ))
    }

    /// `query` as `peer=prod&family=ipv4`.
    pub fn routes(&self, query: &str) -> Result<Vec<Route>, Error> {
        self.json("GET", &format!("/v1/routes?{query}"))
            .map(|routes: Routes| routes.routes)
    }

    pub fn reload(&self) -> Result<Reloaded, Error> {
        self.json("POST", "/v1/reload")
    }

    /// Any answer's body, as it is.
    pub fn text(&self, method: &str, path: &str) -> Result<String, Error> {
        self.answer(self.exchange(method, path, ""))
    }

    /// The body of an answer that is not an error.
    fn answer(&self, answer: io::Result<String>) -> Result<String, Error> {
        let answer = answer.map_err(|source| Error::Unreachable {
            socket: self.0.clone(),
            source,
        })?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.lines().next().unwrap_or("").to_owned();
        if status.contains(" 200 ") {
            return Ok(body.to_owned());
        }
        let text =
            serde_json::from_str(body).map_or(body.to_owned(), |error: ApiError| error.error);
        Err(Error::Refused { status, text })
    }

    fn json<T: DeserializeOwned>(&self, method: &str, path: &str) -> Result<T, Error> {
        let text = self.text(method, path)?;
        serde_json::from_str(&text).map_err(|source| Error::Unexpected { source, text })
    }

    /// What the daemon is to do, with what it needs to know as JSON.
    pub fn post(&self, path: &str, body: &str) -> Result<String, Error> {
        self.answer(self.exchange("POST", path, body))
    }

    /// HTTP/1.0: the answer ends where the connection does, in one piece.
    fn exchange(&self, method: &str, path: &str, body: &str) -> io::Result<String> {
        let mut stream = UnixStream::connect(&self.0)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: bgpd\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}
