//! The API over HTTP/1.1: AWS JSON 1.1, and beside it the lab's own door.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use super::error::{ApiError, ErrorKind};
use super::fault::Failure;
use super::service::Service;
use super::{admin, sigv4};

/// Serves until the listener fails.
pub async fn serve(listener: TcpListener, service: Arc<Service>) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(connection(stream, Arc::clone(&service)));
    }
}

/// Ends when the client closes, or when a fault cuts it.
async fn connection(stream: TcpStream, service: Arc<Service>) {
    let handler = service_fn(|request| handle(&service, request));
    let outcome = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), handler)
        .await;
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection ended");
    }
}

/// hyper closes the connection without a word where a handler fails.
#[derive(Debug, thiserror::Error)]
#[error("cut, as ordered")]
struct Cut;

/// Every path leads to the same handler: which operation it is, a header says.
async fn handle(service: &Arc<Service>, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
    let (head, body) = request.into_parts();
    let body = to_bytes(Body::new(body), MAX_BODY).await.map_err(|_| Cut)?;
    if let Some(path) = head.uri.path().strip_prefix("/lab/") {
        return Ok(admin::answer(service, &head.method, path, &body));
    }
    let request_id = service.request_id();
    let target = head.headers.get("x-amz-target");
    let operation = target
        .and_then(|target| target.to_str().ok())
        .and_then(|target| target.strip_prefix("OvertureService."));
    let answer = answer(service, &head, &body, operation).await;
    // Neither bodies nor headers: they hold keys and signatures.
    let answer = match answer {
        Ok(answer) => {
            tracing::info!(operation, request_id, "answered");
            Ok(answer)
        }
        Err(Failure::Refused(error)) => {
            tracing::info!(operation, request_id, %error, "refused");
            Err(error)
        }
        Err(Failure::Cut) => {
            tracing::info!(operation, request_id, "cut");
            return Err(Cut);
        }
    };
    Ok(respond(&request_id, answer))
}

async fn answer(
    service: &Arc<Service>,
    head: &axum::http::request::Parts,
    body: &[u8],
    operation: Option<&str>,
) -> Result<Value, Failure> {
    let caller = sigv4::caller(
        &head.method,
        &head.uri,
        &head.headers,
        body,
        service.regions(),
        wall_clock(),
    )
    .map_err(Failure::Refused)?;
    let Some(operation) = operation.filter(|_| head.method == Method::POST) else {
        let text = "No operation: POST with X-Amz-Target: OvertureService.<operation>.";
        let error = ApiError::new(ErrorKind::UnknownOperation, text);
        return Err(Failure::Refused(error));
    };
    let input = if body.is_empty() {
        json!({})
    } else {
        // The parser's own message may quote the body, which may hold a key.
        serde_json::from_slice(body).map_err(|_| {
            Failure::Refused(ApiError::serialization("The request body is not JSON."))
        })?
    };
    service.call(caller, operation, input).await
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

/// The largest request has some 1,000 prefixes.
const MAX_BODY: usize = 1 << 20;
