//! All routes, and what surrounds each request: the log, the metrics, other origins.

use std::time::Instant;

use axum::body::{Body, HttpBody as _};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, http};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::app::App;
use crate::problem::{Kind, Problem};
use crate::{budget, judge0, openapi, page, v1};

/// The service as one router.
pub fn router(app: App) -> Router {
    let cors = cors(&app.config().origins);
    let ours = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(openapi::serve))
        .nest("/v1", v1::routes())
        .merge(page::routes())
        .layer(middleware::from_fn_with_state(app.clone(), bounded::<Problem>));
    let judge0s = Router::new()
        .merge(judge0::routes(judge0::Flavor::Ce))
        .nest("/extra-ce", judge0::routes(judge0::Flavor::Extra))
        .layer(middleware::from_fn_with_state(app.clone(), bounded::<judge0::Refusal>));
    ours.merge(judge0s)
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .layer(cors)
        .layer(middleware::from_fn_with_state(app.clone(), observe))
        .with_state(app)
}

/// Whether the process runs.
async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether submissions can be taken.
async fn readyz(State(app): State<App>) -> Response {
    match app.store().snapshot().await {
        Ok(_) => "ready\n".into_response(),
        Err(error) => {
            let error = crate::problem::chain(&error);
            tracing::warn!(error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the queue gives no answer\n").into_response()
        }
    }
}

async fn metrics(State(app): State<App>) -> Response {
    let _turn = app.metrics().turn().await;
    let snapshot = app.store().snapshot().await;
    app.metrics().snapshot(snapshot.as_ref().ok());
    app.metrics().bodies(app.budget().used());
    let format = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, format)], app.metrics().text()).into_response()
}

async fn nowhere(uri: http::Uri) -> Problem {
    let path = crate::body::cut(uri.path());
    Problem::new(Kind::NotFound, format!("there is nothing at {path}; /openapi.json lists all"))
}

async fn wrong_method(method: Method, uri: http::Uri) -> Problem {
    let path = crate::body::cut(uri.path());
    Problem::new(Kind::Method, format!("{path} does not know the method {method}"))
}

/// Large answers have a budget together: whoever reads slowly holds one in memory. Beyond it the
/// answer is a refusal, in the words of the interface that was asked.
async fn bounded<E>(State(app): State<App>, request: Request, next: Next) -> Response
where
    E: From<Problem> + IntoResponse,
{
    let response = next.run(request).await;
    let size = response.body().size_hint().exact();
    let size = size.map_or(0, |size| usize::try_from(size).unwrap_or(usize::MAX));
    if size <= budget::SMALL {
        return response;
    }
    let mut share = app.answers().share();
    if share.grow(size).is_err() {
        return E::from(Problem::from(crate::body::Error::Busy)).into_response();
    }
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, Body::new(budget::Held::new(body, share)))
}

/// Measures and logs one request. What it carries is never logged: it may be source code.
async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let method = known_method(request.method());
    let flight = Flight::begin(&app);
    let response = next.run(request).await;
    drop(flight);
    let (status, took) = (response.status().as_u16(), begun.elapsed());
    app.metrics().answered(route, method, status, took);
    let ms = took.as_secs_f64() * 1000.0;
    if let Some(kind) = response.extensions().get::<Kind>() {
        app.metrics().rejected(kind.name());
        tracing::info!(method, route, status, ms, problem = kind.name(), "answered");
    } else if status == 200 && matches!(route, "/healthz" | "/readyz" | "/metrics") {
        // Each some seconds, all day: what is asked by machines about this one.
        tracing::debug!(method, route, status, ms, "answered");
    } else {
        tracing::info!(method, route, status, ms, "answered");
    }
    response
}

/// A request without an answer; also when the client goes away.
struct Flight<'a>(&'a App);

impl<'a> Flight<'a> {
    fn begin(app: &'a App) -> Self {
        app.metrics().begun();
        Self(app)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.metrics().ended();
    }
}

/// Clients may invent methods; labels may not grow.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn cors(origins: &[String]) -> CorsLayer {
    // Clients of other APIs send headers of their own, which mean nothing here.
    let layer = CorsLayer::new()
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::LOCATION, header::RETRY_AFTER]);
    if origins.iter().any(|origin| origin == "*") {
        return layer.allow_origin(AllowOrigin::any());
    }
    // What is no header value is no page's origin either.
    layer.allow_origin(AllowOrigin::list(origins.iter().filter_map(|o| o.parse().ok())))
}
