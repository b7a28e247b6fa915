//! The simulator's own door beside the API, for tests: `/lab/…` is no path that
//! an AWS client asks for. Nothing here is signed.
//!
//! ```text
//! POST   /lab/faults    a fault a line, as --fault takes them
//! DELETE /lab/faults    forgets the faults on order and the calls so far
//! GET    /lab/calls     what was called, and what came of it
//! POST   /lab/policy    an IAM policy: what it doesn't allow is denied
//! DELETE /lab/policy    everything is allowed again
//! ```

use axum::body::Body;
use axum::http::{Method, Response};
use serde_json::{Value, json};

use super::fault::Fault;
use super::policy::Policy;
use super::service::Service;

/// `path` without its leading `/lab/`.
pub fn answer(service: &Service, method: &Method, path: &str, body: &[u8]) -> Response<Body> {
    let faults = service.faults();
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
        ("POST", "policy") => match Policy::parse(body) {
            Ok(policy) => {
                service.permit(Some(policy));
                (200, json!({}))
            }
            Err(wrong) => (400, json!({ "message": wrong })),
        },
        ("DELETE", "policy") => {
            service.permit(None);
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
