//! One submission: handing in, looking at, listing, deleting.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use judge::model::Submission;
use queue::view::Listed;
use queue::{Job, JobId, Lane};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::Flavor;
use super::archive::Bounds;
use super::door::{Authorized, Reader, Submitter};
use super::params::Params;
use super::refusal::Refusal;
use super::request::{self, Terms, Valid};
use super::statistics::unread;
use super::status::{Manner, Outcome, Status};
use super::view::{Fields, Kept, NotText, Shown};
use super::{document, languages, order, shelf};
use crate::access::Caller;
use crate::app::App;
use crate::body;
use crate::budget::Full;
use crate::callback::Wire;
use crate::intake::{self, Known};
use crate::problem::{Kind, Problem};

/// What is said of a text that is none.
const ONE_NOT_TEXT: &str = "some attributes for this submission cannot be converted to UTF-8, \
    use base64_encoded=true query parameter";
/// The same of several submissions.
pub(super) const SOME_NOT_TEXT: &str = "some attributes for one or more submissions cannot be \
    converted to UTF-8, use base64_encoded=true query parameter";
/// Submissions on a page unless asked otherwise, and at most: each is read.
const PER_PAGE: (i64, i64) = (20, 1000);

/// Hand in a submission as Judge0 takes it
///
/// Without `wait` a token is answered, with it what became of it.
#[utoipa::path(
    post, path = "/submissions", tag = "judge0",
    request_body(content(
        (document::Request = "application/json"),
        (document::Request = "application/x-www-form-urlencoded"),
    )),
    params(
        ("base64_encoded" = Option<bool>, Query, description = "texts are in base64"),
        ("wait" = Option<bool>, Query, description = "hold the answer back until it is over"),
        ("fields" = Option<String>, Query, description = "names with commas between them; `*` is all"),
    ),
    responses(
        (status = 201, description = "it is queued, or over", body = document::Submission),
        (status = 401, description = "no valid token"),
        (status = 403, description = "not for this caller"),
        (status = 422, description = "what is wrong, by field", body = BTreeMap<String, Vec<String>>),
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
    let params = Params::read(&app, &parts.uri, &parts.headers, body).await?;
    let settings = &app.config().judge0;
    if settings.maintenance_mode {
        return Err(maintenance(&app));
    }
    let wait = params.says("wait");
    if wait && !settings.enable_wait_result {
        return Err(Refusal::bad_request("wait not allowed"));
    }
    let fields = fields(&params)?;
    let base64 = params.says("base64_encoded");
    let lane = if wait { Lane::High } else { Lane::Normal };
    let job = take(&app, flavor, &caller, params.map(), base64, lane)?;
    app.access().charge(&caller, 1).map_err(Problem::from)?;
    app.enqueue(std::slice::from_ref(&job)).await.map_err(Problem::from)?;
    // Nothing of the body is needed any more, and it may be a long wait.
    drop(params);
    let id = job.id;
    app.metrics().received("judge0", 1);
    if !wait {
        return Ok((StatusCode::CREATED, axum::Json(json!({"token": id.as_str()}))).into_response());
    }
    let longest = Duration::try_from_secs_f64(settings.wait_seconds).unwrap_or_default();
    let end = Instant::now() + longest;
    let known = app.known_by(&id, &caller, end).await.map_err(Problem::from)?;
    let kept = Kept::decode(known.note.as_deref().unwrap_or_default());
    let kept = kept.ok_or_else(Refusal::not_found)?;
    let answer = match shown(&app, &id, &kept, &known).fields(&fields, base64) {
        Ok(fields) => Value::Object(fields),
        Err(NotText) => json!({"error": ONE_NOT_TEXT, "token": id.as_str()}),
    };
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

/// Look at a submission as Judge0 shows it
#[utoipa::path(
    get, path = "/submissions/{token}", tag = "judge0",
    params(
        ("token" = String, Path, description = "its token"),
        ("base64_encoded" = Option<bool>, Query, description = "texts are in base64"),
        ("fields" = Option<String>, Query, description = "names with commas between them; `*` is all"),
    ),
    responses(
        (status = 200, description = "the fields that were asked for", body = document::Submission),
        (status = 401, description = "no valid token"),
        (status = "default", description = "it cannot be done", body = document::Error),
    ),
)]
pub(super) async fn show(
    State(app): State<App>,
    Reader(caller): Reader,
    uri: Uri,
    Path(token): Path<String>,
) -> Result<Response, Refusal> {
    let params = Params::of_query(&uri);
    let fields = fields(&params)?;
    let (id, kept, known) = look(&app, &token, &caller).await?.ok_or_else(Refusal::not_found)?;
    let shown = shown(&app, &id, &kept, &known).fields(&fields, params.says("base64_encoded"));
    let shown = shown.map_err(|NotText| Refusal::bad_request(ONE_NOT_TEXT))?;
    Ok(axum::Json(shown).into_response())
}

/// List submissions
///
/// Those of the tenant that came by these routes and are kept, the newest first.
#[utoipa::path(
    get, path = "/submissions", tag = "judge0",
    params(
        ("page" = Option<i64>, Query, description = "from 1"),
        ("per_page" = Option<i64>, Query, description = "20 unless asked otherwise, at most 1000"),
        ("base64_encoded" = Option<bool>, Query, description = "texts are in base64"),
        ("fields" = Option<String>, Query, description = "names with commas between them; `*` is all"),
    ),
    responses(
        (status = 200, description = "a page", body = document::Page),
        (status = 401, description = "no valid token"),
        (status = 403, description = "not for this caller"),
        (status = "default", description = "it cannot be done", body = document::Error),
    ),
)]
pub(super) async fn list(
    State(app): State<App>,
    Authorized(caller): Authorized,
    uri: Uri,
) -> Result<Response, Refusal> {
    let params = Params::of_query(&uri);
    let fields = fields(&params)?;
    let page = params.number("page").unwrap_or(1);
    let per_page = params.number("per_page").unwrap_or(PER_PAGE.0);
    if page <= 0 {
        return Err(Refusal::bad_request(format!("invalid page: {page}")));
    }
    if per_page < 0 {
        return Err(Refusal::bad_request(format!("invalid per_page: {per_page}")));
    }
    let per_page = per_page.min(PER_PAGE.1);
    let skip = usize::try_from((page - 1).saturating_mul(per_page)).unwrap_or(usize::MAX);
    let take = usize::try_from(per_page).unwrap_or(usize::MAX);
    let listed = app.store().listed(&caller.tenant, skip, take).await.map_err(unread)?;
    let Listed { ids, total } = listed;
    let base64 = params.says("base64_encoded");
    let mut submissions = Vec::with_capacity(ids.len());
    let (mut share, mut size) = (app.answers().share(), 0);
    for id in ids {
        // One that the queue has forgotten is not there any more.
        if let Some((id, kept, known)) = look(&app, id.as_str(), &caller).await? {
            size += known.size;
            share.grow(size).map_err(|Full| Problem::from(body::Error::Busy))?;
            let shown = shown(&app, &id, &kept, &known).fields(&fields, base64);
            let shown = shown.map_err(|NotText| Refusal::bad_request(SOME_NOT_TEXT))?;
            submissions.push(shown);
        }
    }
    let pages = i64::try_from(total.div_ceil(take.max(1) as u64)).unwrap_or(i64::MAX);
    let meta = json!({
        "current_page": page,
        "next_page": (page < pages).then(|| page + 1),
        "prev_page": (page > 1).then(|| page - 1),
        "total_pages": pages,
        "total_count": total,
    });
    Ok(axum::Json(json!({"submissions": submissions, "meta": meta})).into_response())
}

/// Forget a submission that is over
#[utoipa::path(
    delete, path = "/submissions/{token}", tag = "judge0",
    params(
        ("token" = String, Path, description = "its token"),
        ("fields" = Option<String>, Query, description = "names with commas between them; `*` is all"),
    ),
    responses(
        (status = 200, description = "what it was, in base64", body = document::Submission),
        (status = 401, description = "no valid token"),
        (status = 403, description = "not for this caller"),
        (status = "default", description = "it cannot be done", body = document::Error),
    ),
)]
pub(super) async fn remove(
    State(app): State<App>,
    Authorized(caller): Authorized,
    uri: Uri,
    Path(token): Path<String>,
) -> Result<Response, Refusal> {
    let settings = &app.config().judge0;
    if settings.maintenance_mode {
        return Err(maintenance(&app));
    }
    let fields = fields(&Params::of_query(&uri))?;
    if !settings.enable_submission_delete {
        return Err(Refusal::bad_request("delete not allowed"));
    }
    let (id, kept, known) = look(&app, &token, &caller).await?.ok_or_else(Refusal::not_found)?;
    let shown = shown(&app, &id, &kept, &known);
    let status = shown.outcome.status;
    if status <= Status::PROCESSING {
        let (number, name) = (status.0, status.description());
        return Err(Refusal::bad_request(format!(
            "submission cannot be deleted because its status is {number} ({name})"
        )));
    }
    // In base64 whatever was asked for: it is the last time that it can be had.
    let answer = shown.fields(&fields, true);
    let answer = answer.map_err(|NotText| Refusal::bad_request(ONE_NOT_TEXT))?;
    app.store().forget(&id).await.map_err(unread)?;
    Ok(axum::Json(answer).into_response())
}

/// Makes a job of a submission, or says what is wrong with it.
pub(super) fn take(
    app: &App,
    flavor: Flavor,
    caller: &Caller,
    params: &Map<String, Value>,
    base64: bool,
    lane: Lane,
) -> Result<Job, Refusal> {
    let settings = &app.config().judge0;
    let terms = Terms { settings, offer: app.offer(), flavor, base64 };
    let valid = request::read(params, terms).map_err(|faults| Refusal::faults(&faults))?;
    let all = app.store().settings().payload_limit as u64;
    let bounds = Bounds { each: settings.max_extract_size << 10, all };
    let submission = order::submission(&valid, bounds);
    let submission = submission.map_err(|faults| Refusal::faults(&faults))?;
    job(app, flavor, caller, valid, submission, lane)
}

fn job(
    app: &App,
    flavor: Flavor,
    caller: &Caller,
    valid: Valid<'_>,
    submission: Submission,
    lane: Lane,
) -> Result<Job, Refusal> {
    let language = valid.request.language_id;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let created_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    let kept = Kept { flavor, created_ms, request: valid.request };
    let address = kept.request.callback_url.as_deref().filter(|url| !url.is_empty());
    let callback = address.map(|url| app.callback(url, Wire::Judge0, "callback_url"));
    let callback = callback.transpose()?;
    let note = Some(kept.encode());
    let order = intake::Order {
        submission,
        sole_file: None,
        problem: None,
        lane,
        key: None,
        note,
        callback,
    };
    let job = app.job(order, caller).map_err(Problem::from)?;
    Ok(job.listed(shelf::listing(flavor, language, created_ms)))
}

/// What is known of a submission of this caller; `None` when it is none, or came by other routes.
pub(super) async fn look(
    app: &App,
    token: &str,
    caller: &Caller,
) -> Result<Option<(JobId, Kept, Known)>, Refusal> {
    let Ok(id) = JobId::new(token) else { return Ok(None) };
    let known = match app.known(&id, caller).await {
        Ok(known) => known,
        Err(intake::Error::Unknown { .. }) => return Ok(None),
        Err(error) => return Err(Problem::from(error).into()),
    };
    let kept = known.note.as_deref().and_then(Kept::decode);
    Ok(kept.map(|kept| (id, kept, known)))
}

/// What a receiver is told of a submission that is over: the default fields, in base64.
pub(crate) fn told(app: &App, id: &JobId, known: &Known) -> Value {
    let kept = known.note.as_deref().and_then(Kept::decode);
    let shown = kept.as_ref().map(|kept| shown(app, id, kept, known));
    let fields = shown.and_then(|shown| shown.fields(&Fields::usual(), true).ok());
    // Without its note nothing but its name is known.
    fields.map_or_else(|| json!({"token": id.as_str()}), Value::Object)
}

/// All that can be shown of a submission.
pub(super) fn shown<'a>(app: &App, id: &'a JobId, kept: &'a Kept, known: &Known) -> Shown<'a> {
    let number = kept.request.language_id;
    let language = languages::find(kept.flavor, number);
    let compiled = language.is_none_or(|l| l.compiled || number == languages::MULTI_FILE);
    let manner = Manner { compiled, signals: app.config().judge0.signal_statuses };
    Shown {
        token: id.as_str(),
        kept,
        outcome: Outcome::of(&known.state, manner),
        ended_ms: known.ended_ms,
        language: language.map(|language| language.name(app.offer())).unwrap_or_default(),
    }
}

pub(super) fn fields(params: &Params) -> Result<Fields, Refusal> {
    Fields::parse(params.text("fields")).map_err(|unknown| {
        Refusal::bad_request(format!("invalid fields: [{}]", unknown.join(", ")))
    })
}

fn maintenance(app: &App) -> Refusal {
    let text = app.config().judge0.maintenance_message.clone();
    Refusal::error(Kind::Unavailable, StatusCode::SERVICE_UNAVAILABLE, text)
}
