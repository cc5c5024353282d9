//! One submission: handing in, looking at, calling off.

use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use queue::JobId;

use super::wire::{self, Request, View};
use crate::access::{Reader, Submitter};
use crate::app::App;
use crate::body::Json;
use crate::problem::{Document, Problem};

/// The id in a path. What can be none is simply not there.
pub(crate) struct Id(pub(crate) JobId);

impl FromRequestParts<App> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let text = Path::<String>::from_request_parts(parts, app).await;
        // The rest of the ways to fail are slips of ours.
        let Path(text) = text.unwrap_or_else(|_| Path(String::new()));
        Ok(Self(app.job_id(&text)?))
    }
}

/// Hand in a submission
///
/// With `wait` the answer is held back until there is a result, or for so many seconds.
#[utoipa::path(
    post, path = "/v1/submissions", tag = "submissions", request_body = Request,
    params(
        ("wait" = Option<f64>, Query, description = "hold the answer back, for so many seconds at most"),
        ("Prefer" = Option<String>, Header, description = "`wait=SECONDS`, the same"),
        ("Idempotency-Key" = Option<String>, Header, description = "sent again, it is not judged again"),
    ),
    responses(
        (status = 200, description = "it is over", body = View),
        (status = 202, description = "it waits or runs", body = View),
        (status = "default", description = "it was not taken", body = Document,
         content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create(
    State(app): State<App>,
    Submitter(caller): Submitter,
    uri: Uri,
    headers: HeaderMap,
    Json(request, share): Json<Request>,
) -> Result<Response, Problem> {
    let wait = wire::wait(&uri, &headers)?;
    let key = wire::key(&headers)?;
    let order = request.order(&app, key.as_ref(), 0).await?;
    let lane = order.lane;
    let job = app.job(order, &caller)?;
    app.access().charge(&caller, 1)?;
    let known_before = app.enqueue(std::slice::from_ref(&job)).await?;
    drop(share);
    app.metrics().received("v1", 1 - known_before.len());
    let view = match wait {
        Some(wait) => View::of(&job.id, app.known_when_over(&job.id, &caller, wait).await?),
        None if known_before.is_empty() => View::queued(&job.id, lane),
        None => View::of(&job.id, app.known(&job.id, &caller).await?),
    };
    let place = HeaderValue::try_from(format!("/v1/submissions/{}", job.id));
    let place = place.expect("ids are visible ASCII");
    Ok((status(&view), [(header::LOCATION, place)], axum::Json(view)).into_response())
}

/// Look at a submission
///
/// With `wait` the answer is held back until there is a result, or for so many seconds.
#[utoipa::path(
    get, path = "/v1/submissions/{id}", tag = "submissions",
    params(
        ("id" = String, Path, description = "its id"),
        ("wait" = Option<f64>, Query, description = "hold the answer back, for so many seconds at most"),
    ),
    responses(
        (status = 200, description = "what is known of it", body = View),
        (status = "default", description = "there is no such thing", body = Document,
         content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn show(
    State(app): State<App>,
    Reader(caller): Reader,
    uri: Uri,
    headers: HeaderMap,
    Id(id): Id,
) -> Result<axum::Json<View>, Problem> {
    let wait = wire::wait(&uri, &headers)?;
    let known = match wait {
        Some(wait) => app.known_when_over(&id, &caller, wait).await?,
        None => app.known(&id, &caller).await?,
    };
    Ok(axum::Json(View::of(&id, known)))
}

/// Call a submission off
///
/// What runs is stopped. One that is over stays as it is.
#[utoipa::path(
    delete, path = "/v1/submissions/{id}", tag = "submissions",
    params(("id" = String, Path, description = "its id")),
    responses(
        (status = 200, description = "how it ended", body = View),
        (status = "default", description = "there is no such thing", body = Document,
         content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn cancel(
    State(app): State<App>,
    Submitter(caller): Submitter,
    Id(id): Id,
) -> Result<axum::Json<View>, Problem> {
    app.cancel(&id, &caller).await?;
    Ok(axum::Json(View::of(&id, app.known(&id, &caller).await?)))
}

fn status(view: &View) -> StatusCode {
    if view.status().is_over() { StatusCode::OK } else { StatusCode::ACCEPTED }
}
