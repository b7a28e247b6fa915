//! Asks bgpd over its control socket: HTTP and JSON as `bgp_core::api` says.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bgp_core::api::{
    ApiError, Concerned, Drain, Drill, Events, EventsQuery, Named, Route, Routes, RoutesQuery,
    Status,
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

/// Why bgpd can't be asked, and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlError {
    #[error(
        "bgpd is not running, or its control socket is not {0}: start it (bgpd run FILE), or give --socket"
    )]
    Absent(PathBuf),
    #[error("{0} may not be opened by this user: use sudo, or join the group that owns it")]
    Forbidden(PathBuf),
    #[error("nothing answers on {0}: bgpd has ended without removing it; start it again")]
    Stale(PathBuf),
    #[error("bgpd on {0} did not answer within {t} s: see its log", t = PATIENCE.as_secs())]
    Silent(PathBuf),
    #[error("bgpd on {0}: {1}")]
    Broken(PathBuf, String),
    /// bgpd said no, in its own words.
    #[error("bgpd: {0}")]
    Refused(String),
}

/// bgpd, by its control socket. Each question is a connection of its own.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    socket: PathBuf,
}

const PATIENCE: Duration = Duration::from_secs(10);
/// A million routes with their attributes fit.
const LARGEST_ANSWER: usize = 1 << 30;

impl Control {
    pub(crate) fn at(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
        }
    }

    pub(crate) async fn status(&self) -> Result<Status, ControlError> {
        self.ask("/v1/status").await
    }

    pub(crate) async fn routes(&self, query: &RoutesQuery) -> Result<Routes, ControlError> {
        self.ask(&routes_path(query)).await
    }

    /// Of a prefix, or of an address's longest match.
    pub(crate) async fn route(&self, destination: &str) -> Result<Route, ControlError> {
        self.ask(&format!("/v1/routes/{}", escaped(destination)))
            .await
    }

    /// Those after this sequence number, as far as bgpd still has them.
    pub(crate) async fn events(&self, query: &EventsQuery) -> Result<Events, ControlError> {
        match query.after {
            Some(after) => self.ask(&format!("/v1/events?after={after}")).await,
            None => self.ask("/v1/events").await,
        }
    }

    /// Moves the traffic of a VIF, a session or a path away, in both directions.
    pub(crate) async fn drain(&self, drain: &Drain) -> Result<Concerned, ControlError> {
        self.tell("/v1/drain", drain).await
    }

    pub(crate) async fn undrain(&self, name: &str) -> Result<Concerned, ControlError> {
        self.tell("/v1/undrain", &named(name)).await
    }

    /// Takes the sessions of a VIF or a session down, for so many seconds at most.
    pub(crate) async fn drill(&self, name: &str, seconds: u64) -> Result<Concerned, ControlError> {
        let drill = Drill {
            name: name.to_owned(),
            seconds,
        };
        self.tell("/v1/drill", &drill).await
    }

    pub(crate) async fn stop_drill(&self, name: &str) -> Result<Concerned, ControlError> {
        self.tell("/v1/drill/stop", &named(name)).await
    }

    /// Has bgpd read its configuration again. A bad one changes nothing.
    pub(crate) async fn reload(&self) -> Result<(), ControlError> {
        let _: serde_json::Value = self.tell("/v1/reload", &serde_json::json!({})).await?;
        Ok(())
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, ControlError> {
        self.request(Method::GET, path, Bytes::new()).await
    }

    async fn tell<T: DeserializeOwned>(
        &self,
        path: &str,
        what: &impl Serialize,
    ) -> Result<T, ControlError> {
        let body = serde_json::to_vec(what)
            .expect("invariant: our own types have string keys and no failing Serialize");
        self.request(Method::POST, path, body.into()).await
    }

    async fn request<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<T, ControlError> {
        tracing::debug!(socket = %self.socket.display(), %method, path, "asking bgpd");
        let asked = tokio::time::timeout(PATIENCE, self.exchange(method, path, body)).await;
        let (status, body) = asked.map_err(|_| ControlError::Silent(self.socket.clone()))??;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| {
                self.broken(format_args!(
                    "its answer can't be read: {error}; is it another version?"
                ))
            });
        }
        match serde_json::from_slice::<ApiError>(&body) {
            Ok(refusal) => Err(ControlError::Refused(refusal.error)),
            Err(_) => Err(self.broken(format_args!("it answered {status} to {path}"))),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), ControlError> {
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(|e| self.unconnected(&e))?;
        let broken =
            |error: hyper::Error| self.broken(format_args!("the connection broke: {error}"));
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        // Ends when `sender` is dropped; errors show in the answer.
        let driving = tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "bgpd")
            .header("content-type", "application/json")
            .body(Full::new(body));
        let request = request.map_err(|error| self.broken(format_args!("{path}: {error}")))?;
        let answer = sender.send_request(request).await.map_err(broken)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LARGEST_ANSWER)
            .collect()
            .await;
        drop(sender);
        driving.abort();
        let body =
            body.map_err(|error| self.broken(format_args!("its answer broke off: {error}")))?;
        Ok((status, body.to_bytes()))
    }

    fn unconnected(&self, error: &std::io::Error) -> ControlError {
        let socket = self.socket.clone();
        match error.kind() {
            ErrorKind::NotFound => ControlError::Absent(socket),
            ErrorKind::PermissionDenied => ControlError::Forbidden(socket),
            ErrorKind::ConnectionRefused => ControlError::Stale(socket),
            _ => ControlError::Broken(socket, error.to_string()),
        }
    }

    fn broken(&self, what: std::fmt::Arguments<'_>) -> ControlError {
        ControlError::Broken(self.socket.clone(), what.to_string())
    }
}

fn named(name: &str) -> Named {
    Named {
        name: name.to_owned(),
    }
}

fn routes_path(query: &RoutesQuery) -> String {
    let parameters = [
        ("peer", query.peer.clone()),
        ("advertised", query.advertised.clone()),
        ("family", query.family.map(|family| family.to_string())),
        ("within", query.within.map(|prefix| prefix.to_string())),
        ("limit", query.limit.map(|limit| limit.to_string())),
    ];
    let given: Vec<String> = parameters
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", escaped(&value?))))
        .collect();
    if given.is_empty() {
        "/v1/routes".to_owned()
    } else {
        format!("/v1/routes?{}", given.join("&"))
    }
}

/// Percent-encodes all but RFC 3986's unreserved characters.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn queries_are_escaped() {
        let query = RoutesQuery {
            peer: Some("a&b c".into()),
            within: Some("2001:db8::/32".parse().unwrap()),
            limit: Some(5),
            ..RoutesQuery::default()
        };
        let expected = "/v1/routes?peer=a%26b%20c&within=2001%3Adb8%3A%3A%2F32&limit=5";
        assert_eq!(routes_path(&query), expected);
        assert_eq!(routes_path(&RoutesQuery::default()), "/v1/routes");
    }

    #[tokio::test]
    async fn a_missing_socket_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let error = Control::at(&dir.path().join("no.sock"))
            .status()
            .await
            .unwrap_err();
        assert!(matches!(error, ControlError::Absent(_)));
        assert!(error.to_string().contains("--socket"));
    }

    #[tokio::test]
    async fn a_stale_socket_is_told_from_a_missing_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("old.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let error = Control::at(&path).status().await.unwrap_err();
        assert!(matches!(error, ControlError::Stale(_)), "{error}");
    }
}
