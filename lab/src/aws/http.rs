//! The API over HTTP/1.1: AWS JSON 1.1, and Smithy RPC v2 CBOR for SDKs that
//! prefer it.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use serde_json::{Value, json};

use super::error::{ApiError, ErrorKind};
use super::service::Service;
use super::{cbor, sigv4};

/// Every path leads to the same handler: which operation it is, the headers or
/// the path say.
pub fn router(service: Arc<Service>) -> Router {
    Router::new().fallback(handle).with_state(service)
}

/// How the two ends write values.
#[derive(Clone, Copy)]
enum Protocol {
    Json,
    Cbor,
}

async fn handle(
    State(service): State<Arc<Service>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let (protocol, operation) = protocol(&uri, &headers);
    let request_id = service.request_id();
    let answer = answer(
        &service, &method, &uri, &headers, &body, protocol, &operation,
    );
    // Neither bodies nor headers: they hold keys and signatures.
    match &answer {
        Ok(_) => tracing::info!(operation, request_id, "answered"),
        Err(error) => tracing::info!(operation, request_id, %error, "refused"),
    }
    respond(protocol, &operation, &request_id, answer)
}

fn answer(
    service: &Service,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
    protocol: Protocol,
    operation: &str,
) -> Result<Value, ApiError> {
    let region = service.region();
    let caller = sigv4::account(method, uri, headers, body, region, wall_clock())?;
    if method != Method::POST || operation.is_empty() {
        let text = "No operation: POST with X-Amz-Target: OvertureService.<operation>.";
        return Err(ApiError::new(ErrorKind::UnknownOperation, text));
    }
    let input = if body.is_empty() {
        json!({})
    } else {
        protocol.decode(body)?
    };
    service.call(caller, operation, input)
}

/// Which protocol a request is in and which operation it asks for; an empty
/// name where it asks for none.
fn protocol(uri: &Uri, headers: &HeaderMap) -> (Protocol, String) {
    if headers
        .get("smithy-protocol")
        .is_some_and(|value| value == "rpc-v2-cbor")
    {
        let steps: Vec<&str> = uri.path().trim_start_matches('/').split('/').collect();
        let operation = match steps.as_slice() {
            ["service", _, "operation", name] => *name,
            _ => "",
        };
        return (Protocol::Cbor, operation.to_owned());
    }
    let target = headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok());
    let name = target.and_then(|target| target.strip_prefix("OvertureService."));
    (Protocol::Json, name.unwrap_or_default().to_owned())
}

fn respond(
    protocol: Protocol,
    operation: &str,
    request_id: &str,
    answer: Result<Value, ApiError>,
) -> Response<Body> {
    let (status, body, error) = match answer {
        Ok(value) => (200, value, None),
        Err(error) => (error.kind.status(), error.body(), Some(error.kind.name())),
    };
    let mut response = Response::builder()
        .status(status)
        .header("x-amzn-requestid", request_id)
        .header("content-type", protocol.content_type());
    if let Some(name) = error {
        response = response.header("x-amzn-errortype", name);
    }
    if matches!(protocol, Protocol::Cbor) {
        response = response.header("smithy-protocol", "rpc-v2-cbor");
    }
    response
        .body(Body::from(protocol.encode(operation, &body)))
        .expect("invariant: all header values are plain ASCII")
}

impl Protocol {
    const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/x-amz-json-1.1",
            Self::Cbor => "application/cbor",
        }
    }

    /// The parsers' own messages may quote the body, which may hold a key.
    fn decode(self, body: &[u8]) -> Result<Value, ApiError> {
        match self {
            Self::Json => serde_json::from_slice(body)
                .map_err(|_| ApiError::serialization("The request body is not JSON.")),
            Self::Cbor => cbor::decode(body)
                .map_err(|why| ApiError::serialization(format!("The body is not CBOR: {why}."))),
        }
    }

    fn encode(self, operation: &str, value: &Value) -> Vec<u8> {
        match self {
            Self::Json => value.to_string().into_bytes(),
            Self::Cbor => cbor::encode(operation, value),
        }
    }
}

fn wall_clock() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
