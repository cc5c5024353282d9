//! Problems: handing one in, what is known of it, taking it away.

use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use judge::problem::TestSet;
use problems::Hash;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::{Curator, Reader};
use crate::app::App;
use crate::body::{self, Pieces};
use crate::library::Card;
use crate::problem::{Document, Kind, Problem};

/// A problem that is kept.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProblemView)]
pub(crate) struct View {
    /// What a submission names it by: `sha256:` and the SHA-256 of what was handed in.
    problem: String,
    #[serde(flatten)]
    card: Card,
}

/// The hash in a path. What can be none is simply not there.
pub(crate) struct Name(Hash);

impl FromRequestParts<App> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let text = Path::<String>::from_request_parts(parts, app).await;
        // The rest of the ways to fail are slips of ours.
        let Path(text) = text.unwrap_or_else(|_| Path(String::new()));
        let hash = Hash::parse(&text);
        hash.map(Self).map_err(|error| Problem::new(Kind::NotFound, error.to_string()))
    }
}

/// Hand in a problem
///
/// The zip of an ICPC/Kattis package, or a set of tests as JSON. It is looked through as it will be
/// where it is judged; what cannot be judged is not kept. The same bytes again are the same problem.
/// Whoever knows the hash may submit to it.
#[utoipa::path(
    post, path = "/v1/problems", tag = "problems",
    request_body(content(
        (Vec<u8> = "application/zip"),
        (TestSet = "application/json"),
    )),
    responses(
        (status = 200, description = "it was there already", body = View),
        (status = 201, description = "it is kept", body = View),
        (status = "default", description = "it was not taken", body = Document,
         content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create(
    State(app): State<App>,
    Curator(caller): Curator,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    body::expect(&parts.headers, &["application/zip", "application/json"])?;
    let pieces = Pieces::new(body, app.config().problem_limit);
    let (hash, card, new) = Box::pin(app.take_problem(pieces)).await?;
    tracing::info!(problem = %hash, tenant = %caller.tenant, new, "a problem was handed in");
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    let place = HeaderValue::try_from(format!("/v1/problems/{hash}"));
    let place = place.expect("hashes are visible ASCII");
    let view = View { problem: hash.to_string(), card: (*card).clone() };
    Ok((status, [(header::LOCATION, place)], axum::Json(view)).into_response())
}

/// Look at a problem
#[utoipa::path(
    get, path = "/v1/problems/{problem}", tag = "problems",
    params(("problem" = String, Path, description = "`sha256:` and 64 hexadecimal digits")),
    responses(
        (status = 200, description = "what is known of it", body = View),
        (status = "default", description = "there is no such thing", body = Document,
         content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn show(
    State(app): State<App>,
    Reader(_): Reader,
    Name(hash): Name,
) -> Result<axum::Json<View>, Problem> {
    let card = app.known_problem(&hash).await?;
    Ok(axum::Json(View { problem: hash.to_string(), card: (*card).clone() }))
}

/// Take a problem away
///
/// Submissions to it that no worker has taken up cannot be judged any more.
#[utoipa::path(
    delete, path = "/v1/problems/{problem}", tag = "problems",
    params(("problem" = String, Path, description = "`sha256:` and 64 hexadecimal digits")),
    responses(
        (status = 204, description = "it is gone"),
        (status = "default", description = "there is no such thing", body = Document,
         content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn delete(
    State(app): State<App>,
    Curator(caller): Curator,
    Name(hash): Name,
) -> Result<StatusCode, Problem> {
    app.drop_problem(&hash).await?;
    tracing::info!(problem = %hash, tenant = %caller.tenant, "a problem was taken away");
    Ok(StatusCode::NO_CONTENT)
}
