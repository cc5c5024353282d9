//! Many submissions in one request.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt as _};
use queue::{Job, Lane};
use serde_json::{Value, json};

use super::door::{Reader, Submitter};
use super::params::Params;
use super::refusal::Refusal;
use super::submissions::{self, SOME_NOT_TEXT, look, shown};
use super::view::NotText;
use super::{Flavor, document};
use crate::app::App;
use crate::body;
use crate::budget::Full;
use crate::problem::Problem;

/// Submissions that are read at the same time.
const AT_ONCE: usize = 32;

/// Hand in many submissions as Judge0 takes them
#[utoipa::path(
    post, path = "/submissions/batch", tag = "judge0",
    request_body = document::Batch,
    params(
        ("base64_encoded" = Option<bool>, Query, description = "texts are in base64"),
    ),
    responses(
        (status = 201, description = "one entry each", body = Vec<document::Created>),
        (status = 401, description = "no valid token"),
        (status = 403, description = "not for this caller"),
        (status = 422, description = "none was taken; one entry each", body = Vec<document::Created>),
        (status = "default", description = "it cannot be done", body = document::Error),
    ),
)]
pub(super) async fn create(
    State(app): State<App>,
    flavor: Flavor,
    Submitter(caller): Submitter,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    check_allowed(&app)?;
    let params = Params::read(&app, &parts.uri, &parts.headers, body).await?;
    let items = match params.get("submissions") {
        None | Some(Value::Null) => &[][..],
        Some(Value::Array(items)) => items,
        Some(_) => return Err(Refusal::bad_request("submissions must be an array")),
    };
    check_size(&app, items.len())?;
    let base64 = params.says("base64_encoded");
    let mut answers = Vec::with_capacity(items.len());
    let mut taken: Vec<Job> = Vec::new();
    for item in items {
        let one = match item {
            Value::Object(item) => {
                submissions::take(&app, flavor, &caller, item, base64, Lane::Normal)
            }
            _ => Err(Refusal::bad_request("a submission must be an object")),
        };
        match one {
            Ok(one) => {
                answers.push(json!({"token": one.id.as_str()}));
                taken.push(one);
            }
            Err(refusal) => answers.push(refusal.into_faults()),
        }
    }
    if taken.is_empty() {
        let answer = (StatusCode::UNPROCESSABLE_ENTITY, axum::Json(answers));
        return Ok(answer.into_response());
    }
    app.access().charge(&caller, taken.len()).map_err(Problem::from)?;
    app.enqueue(&taken).await.map_err(Problem::from)?;
    app.metrics().received("judge0", taken.len());
    Ok((StatusCode::CREATED, axum::Json(answers)).into_response())
}

/// Look at many submissions as Judge0 shows them
#[utoipa::path(
    get, path = "/submissions/batch", tag = "judge0",
    params(
        ("tokens" = String, Query, description = "with commas between them; a header of that name does, too"),
        ("base64_encoded" = Option<bool>, Query, description = "texts are in base64"),
        ("fields" = Option<String>, Query, description = "names with commas between them; `*` is all"),
    ),
    responses(
        (status = 200, description = "one entry each", body = document::Shown),
        (status = 401, description = "no valid token"),
        (status = "default", description = "it cannot be done", body = document::Error),
    ),
)]
pub(super) async fn show(
    State(app): State<App>,
    Reader(caller): Reader,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    check_allowed(&app)?;
    let params = Params::of_query(&uri);
    let fields = submissions::fields(&params)?;
    let header = headers.get("tokens").and_then(|value| value.to_str().ok());
    let tokens = header.or_else(|| params.text("tokens")).unwrap_or("").trim();
    let tokens: Vec<&str> = match tokens.trim_end_matches(',') {
        "" => Vec::new(),
        tokens => tokens.split(',').collect(),
    };
    check_size(&app, tokens.len())?;
    let base64 = params.says("base64_encoded");
    // Side by side, which is few round trips over one connection; some at a time, since results
    // may be large.
    let looks: Vec<_> = tokens.iter().map(|token| look(&app, token, &caller)).collect();
    let mut looks = stream::iter(looks).buffered(AT_ONCE);
    let (mut share, mut size) = (app.answers().share(), 0);
    let mut looked = Vec::with_capacity(tokens.len());
    while let Some(one) = looks.next().await {
        let one = one?;
        size += one.as_ref().map_or(0, |(_, _, known)| known.size);
        share.grow(size).map_err(|Full| Problem::from(body::Error::Busy))?;
        looked.push(one);
    }
    let one = |looked| match looked {
        None => Ok(Value::Null),
        Some((id, kept, known)) => {
            shown(&app, &id, &kept, &known).fields(&fields, base64).map(Value::Object)
        }
    };
    let answers: Result<Vec<Value>, NotText> = looked.into_iter().map(one).collect();
    let answers = answers.map_err(|NotText| Refusal::bad_request(SOME_NOT_TEXT))?;
    Ok(axum::Json(json!({"submissions": answers})).into_response())
}

fn check_allowed(app: &App) -> Result<(), Refusal> {
    if app.config().judge0.enable_batched_submissions {
        return Ok(());
    }
    Err(Refusal::bad_request("batched submissions are not allowed"))
}

fn check_size(app: &App, size: usize) -> Result<(), Refusal> {
    let most = app.config().judge0.max_submission_batch_size;
    if size as u64 > most {
        return Err(Refusal::bad_request(format!(
            "number of submissions in a batch should be less than or equal to {most}"
        )));
    }
    if size == 0 {
        return Err(Refusal::bad_request("there should be at least one submission in a batch"));
    }
    Ok(())
}
