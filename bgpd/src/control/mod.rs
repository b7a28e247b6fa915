//! HTTP and JSON over a Unix socket (what is said there: `bgp_core::api`), and
//! metrics over TCP. Handlers ask the daemon's task for a snapshot, and the
//! router for routes; they own nothing.

mod bfd_metrics;
mod limited;
mod metrics;
mod probe_metrics;
mod socket;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{self, Path, Query, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bgp_core::api::{ApiError, Concerned, Events, EventsQuery, Reloaded, Routes, RoutesQuery};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use ipnet::IpNet;
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::daemon::Snapshot;
use crate::daemon::operator::Order;
use crate::{panics, router};

pub use metrics::{Measures, MetricsServer, health_name};
pub use socket::{Server, Socket, is_answered};

/// What only the daemon's task can answer.
pub enum Request {
    Snapshot(oneshot::Sender<Snapshot>),
    Events(EventsQuery, oneshot::Sender<Events>),
    Order(Order, oneshot::Sender<Result<Concerned, String>>),
    Reload(oneshot::Sender<Result<Reloaded, String>>),
}

/// Serves until [`Server::stop`].
pub fn serve(
    socket: Socket,
    daemon: mpsc::Sender<Request>,
    router: mpsc::Sender<router::Command>,
) -> Server {
    let read_only = Router::new()
        .route("/v1/status", get(status))
        .route("/v1/routes", get(routes))
        .route("/v1/routes/{*prefix}", get(route))
        .route("/v1/events", get(events));
    let mutating = Router::new()
        .route("/v1/reload", post(reload))
        .route("/v1/drain", post(order(Order::Drain)))
        .route("/v1/undrain", post(order(Order::Undrain)))
        .route("/v1/drill", post(order(Order::Drill)))
        .route("/v1/drill/stop", post(order(Order::StopDrill)));
    let app = read_only
        .merge(mutating)
        .fallback(unknown)
        .layer(middleware::from_fn(isolated))
        .with_state(Askable {
            daemon,
            router,
            lists: Arc::new(Semaphore::new(LISTS)),
        });
    socket.serve(app)
}

/// Who can be asked.
#[derive(Clone)]
struct Askable {
    daemon: mpsc::Sender<Request>,
    router: mpsc::Sender<router::Command>,
    /// A list of routes may take many megabytes until its reader has it.
    lists: Arc<Semaphore>,
}

/// Lists of routes that may be made or on their way at a time.
const LISTS: usize = 2;
/// How long one waits for its turn.
const TURN: Duration = Duration::from_secs(5);

/// An answer that is no success.
struct Failure(StatusCode, String);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, Json(ApiError { error: self.1 })).into_response()
    }
}

impl Askable {
    async fn daemon<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, Failure> {
        ask(&self.daemon, request)
            .await
            .ok_or_else(|| stopping("bgpd"))
    }

    /// Waits until few enough lists are under way.
    async fn turn(&self) -> Result<OwnedSemaphorePermit, Failure> {
        let turn = tokio::time::timeout(TURN, self.lists.clone().acquire_owned()).await;
        turn.ok().and_then(Result::ok).ok_or_else(|| {
            Failure(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("{LISTS} others are reading lists of routes; try again"),
            )
        })
    }

    async fn router<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> router::Command,
    ) -> Result<T, Failure> {
        ask(&self.router, command)
            .await
            .ok_or_else(|| stopping("the router"))
    }
}

/// A handler's panic costs its request alone.
async fn isolated(request: extract::Request, next: Next) -> Response {
    let answered = panics::isolated_task(next.run(request)).await;
    answered.unwrap_or_else(|panic| {
        tracing::error!("a request has no answer: {panic}; please report it");
        Failure(StatusCode::INTERNAL_SERVER_ERROR, panic.to_string()).into_response()
    })
}

/// Sends a question and waits for its answer; `None`: nobody is there.
pub(crate) async fn ask<Q, T>(
    whom: &mpsc::Sender<Q>,
    question: impl FnOnce(oneshot::Sender<T>) -> Q,
) -> Option<T> {
    let (answer, received) = oneshot::channel();
    whom.send(question(answer)).await.ok()?;
    received.await.ok()
}

fn stopping(who: &str) -> Failure {
    Failure(
        StatusCode::SERVICE_UNAVAILABLE,
        format!("{who} is stopping"),
    )
}

async fn status(State(askable): State<Askable>) -> Result<Response, Failure> {
    let snapshot = askable.daemon(Request::Snapshot).await?;
    Ok(Json(snapshot.complete().await).into_response())
}

async fn routes(
    State(askable): State<Askable>,
    query: Result<Query<RoutesQuery>, extract::rejection::QueryRejection>,
) -> Result<Response, Failure> {
    let Query(query) =
        query.map_err(|error| Failure(StatusCode::BAD_REQUEST, error.body_text()))?;
    let turn = askable.turn().await?;
    let routes = askable
        .router(|answer| router::Command::Routes { query, answer })
        .await?;
    let answer = written(routes).await?;
    // The turn lasts until the reader has nearly all of it.
    Ok(answer.map(|body| {
        let chunks = body.into_data_stream().map(move |chunk| {
            let _lasts = &turn;
            chunk
        });
        Body::from_stream(chunks)
    }))
}

/// Many thousand routes take longer to write than sessions may wait for a thread.
async fn written(routes: Routes) -> Result<Response, Failure> {
    let write = || panics::isolated(|| Json(routes).into_response());
    let written = tokio::task::spawn_blocking(write).await;
    let written = written.map_err(|_| stopping("bgpd"))?;
    written.map_err(|panic| Failure(StatusCode::INTERNAL_SERVER_ERROR, panic.to_string()))
}

async fn route(
    State(askable): State<Askable>,
    Path(text): Path<String>,
) -> Result<Response, Failure> {
    let prefix = text
        .parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let prefix = prefix.map_err(|_| {
        Failure(
            StatusCode::BAD_REQUEST,
            format!("{text:?} is neither a prefix nor an address"),
        )
    })?;
    let route = askable
        .router(|answer| router::Command::Route { prefix, answer })
        .await?;
    let route =
        route.ok_or_else(|| Failure(StatusCode::NOT_FOUND, format!("no route for {prefix}")))?;
    Ok(Json(route).into_response())
}

async fn events(
    State(askable): State<Askable>,
    Query(query): Query<EventsQuery>,
) -> Result<Response, Failure> {
    let events = askable
        .daemon(|answer| Request::Events(query, answer))
        .await?;
    Ok(Json(events).into_response())
}

async fn reload(State(askable): State<Askable>) -> Result<Response, Failure> {
    let reloaded = askable.daemon(Request::Reload).await?;
    let reloaded = reloaded.map_err(|why| Failure(StatusCode::UNPROCESSABLE_ENTITY, why))?;
    Ok(Json(reloaded).into_response())
}

/// Hands over what the body asks for.
fn order<T: DeserializeOwned + Send + 'static>(
    order: fn(T) -> Order,
) -> impl Fn(State<Askable>, Bytes) -> BoxFuture<'static, Result<Response, Failure>>
+ Clone
+ Send
+ Sync
+ 'static {
    move |State(askable), body| {
        Box::pin(async move {
            let asked = serde_json::from_slice(&body)
                .map_err(|error| Failure(StatusCode::BAD_REQUEST, format!("the body: {error}")))?;
            let done = askable
                .daemon(|answer| Request::Order(order(asked), answer))
                .await?;
            let done = done.map_err(|why| Failure(StatusCode::UNPROCESSABLE_ENTITY, why))?;
            Ok(Json(done).into_response())
        })
    }
}

async fn unknown() -> Failure {
    let known = "GET /v1/status, /v1/routes, /v1/routes/PREFIX, /v1/events; POST /v1/reload, /v1/drain, /v1/undrain, /v1/drill, /v1/drill/stop";
    Failure(
        StatusCode::NOT_FOUND,
        format!("no such thing; there are: {known}"),
    )
}
