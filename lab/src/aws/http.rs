//! The API over HTTP/1.1: AWS JSON 1.1.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use serde_json::{Value, json};

use super::error::{ApiError, ErrorKind};
use super::service::Service;
use super::sigv4;

/// Every path leads to the same handler: which operation it is, a header says.
pub fn router(service: Arc<Service>) -> Router {
    Router::new().fallback(handle).with_state(service)
}

async fn handle(
    State(service): State<Arc<Service>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let request_id = service.request_id();
    let target = headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| target.strip_prefix("OvertureService."));
    let answer = answer(&service, &method, &uri, &headers, &body, operation);
    // Neither bodies nor headers: they hold keys and signatures.
    match &answer {
        Ok(_) => tracing::info!(operation, request_id, "answered"),
        Err(error) => tracing::info!(operation, request_id, %error, "refused"),
    }
    respond(&request_id, answer)
}

fn answer(
    service: &Service,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
    operation: Option<&str>,
) -> Result<Value, ApiError> {
    let region = service.region();
    let caller = sigv4::account(method, uri, headers, body, region, wall_clock())?;
    let Some(operation) = operation.filter(|_| method == Method::POST) else {
        let text = "No operation: POST with X-Amz-Target: OvertureService.<operation>.";
        return Err(ApiError::new(ErrorKind::UnknownOperation, text));
    };
    let input = if body.is_empty() {
        json!({})
    } else {
        // The parser's own message may quote the body, which may hold a key.
        serde_json::from_slice(body)
            .map_err(|_| ApiError::serialization("The request body is not JSON."))?
    };
    service.call(caller, operation, input)
}

fn respond(request_id: &str, answer: Result<Value, ApiError>) -> Response<Body> {
    let (status, body) = match answer {
        Ok(value) => (200, value),
        Err(error) => (error.kind.status(), error.body()),
    };
    Response::builder()
        .status(status)
        .header("x-amzn-requestid", request_id)
        .header("content-type", "application/x-amz-json-1.1")
        .body(Body::from(body.to_string()))
        .expect("invariant: all header values are plain ASCII")
}

fn wall_clock() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
