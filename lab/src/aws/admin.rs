//! The simulator's own door beside the API, for tests: `/lab/…` is no path that
//! an AWS client asks for. Nothing here is signed.
//!
//! ```text
//! POST   /lab/faults    a fault a line, as --fault takes them
//! DELETE /lab/faults    forgets the faults on order and the calls so far
//! GET    /lab/calls     what was called, and what came of it
//! ```

use axum::body::Body;
use axum::http::{Method, Response};
use serde_json::{Value, json};

use super::fault::{Fault, Faults};

/// `path` without its leading `/lab/`.
pub fn answer(faults: &Faults, method: &Method, path: &str, body: &[u8]) -> Response<Body> {
    let (status, body) = match (method.as_str(), path) {
        ("POST", "faults") => match parse(body) {
            Ok(ordered) => {
                ordered.into_iter().for_each(|fault| faults.order(fault));
                (200, json!({}))
            }
            Err(wrong) => (400, json!({ "message": wrong })),
        },
        ("DELETE", "faults") => {
            faults.clear();
            (200, json!({}))
        }
        ("GET", "calls") => (200, json!({ "calls": faults.calls() })),
        _ => (404, json!({ "message": "no such place in the lab" })),
    };
    json_response(status, &body)
}

fn parse(body: &[u8]) -> Result<Vec<Fault>, String> {
    let text = str::from_utf8(body).map_err(|_| "not text".to_owned())?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(str::parse).collect()
}

fn json_response(status: u16, body: &Value) -> Response<Body> {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .expect("invariant: all header values are plain ASCII")
}
