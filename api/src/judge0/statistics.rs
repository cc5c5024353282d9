//! `GET /statistics`: counts of what came from the tenant by the routes of Judge0.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use queue::Label;
use queue::view::Counted;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::door::Reader;
use super::params::Params;
use super::refusal::Refusal;
use super::status::Status;
use super::submissions::{look, shown};
use super::view::{date, utc};
use super::{document, languages, shelf};
use crate::app::App;
use crate::intake::Error;
use crate::problem::Problem;

/// How long an answer is good.
const CACHED: Duration = Duration::from_secs(600);
/// The newest submissions whose statuses are counted: each is read.
const COUNTED: usize = 1000;
const DAY: u64 = 86_400_000;

/// Count submissions
#[utoipa::path(
    get, path = "/statistics", tag = "judge0",
    params(
        ("invalidate_cache" = Option<bool>, Query, description = "count anew"),
    ),
    responses(
        (status = 200, description = "counts, good for ten minutes", body = document::Statistics),
        (status = 401, description = "no valid token"),
        (status = "default", description = "it cannot be done", body = document::Error),
    ),
)]
pub(super) async fn show(
    State(app): State<App>,
    Reader(caller): Reader,
    uri: Uri,
) -> Result<Response, Refusal> {
    let again = Params::of_query(&uri).says("invalidate_cache");
    let cached = app.shelf().statistics(&caller.tenant);
    if let Some((_, value)) = cached.filter(|(at, _)| !again && at.elapsed() < CACHED) {
        return Ok(axum::Json(value).into_response());
    }
    let mut statuses: BTreeMap<Status, u64> = BTreeMap::new();
    let queue = app.store();
    let listed = queue.listed(&caller.tenant, 0, COUNTED).await.map_err(unread)?;
    for id in listed.ids {
        if let Some((id, kept, known)) = look(&app, id.as_str(), &caller).await? {
            *statuses.entry(shown(&app, &id, &kept, &known).outcome.status).or_default() += 1;
        }
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    let today = now / DAY;
    let days: Vec<Label> = (0..=30).map(|ago| shelf::day(today.saturating_sub(ago))).collect();
    let counted = queue.counted(&caller.tenant, &days).await.map_err(unread)?;
    let value = statistics(&app, now, &counted, &statuses);
    app.shelf().set_statistics(&caller.tenant, Instant::now(), value.clone());
    Ok(axum::Json(value).into_response())
}

pub(super) fn unread(error: queue::Error) -> Refusal {
    Problem::from(Error::Queue(error)).into()
}

/// `counted` is of today and the thirty days before it.
fn statistics(app: &App, now: u64, counted: &Counted, statuses: &BTreeMap<Status, u64>) -> Value {
    let today = now / DAY;
    let of = |ago: usize| counted.groups.get(ago).copied().unwrap_or(0);
    let mut last_30_days = Map::new();
    for (ago, day) in (1..=30).map(|ago| (ago, today.saturating_sub(ago as u64))) {
        let (year, month, day_of_month) = date(day);
        last_30_days.insert(format!("{year:04}-{month:02}-{day_of_month:02}"), json!(of(ago)));
    }
    let named = |id, flavor| languages::find(flavor, id).map(|known| known.name(app.offer()));
    let mut languages = shelf::languages(counted);
    let total: u64 = languages.iter().map(|(_, count)| count).sum();
    languages.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let languages = languages.into_iter().map(|((id, flavor), count)| {
        json!({"language": {"id": id, "name": named(id, flavor)}, "count": count})
    });
    let mut statuses: Vec<_> = statuses.iter().collect();
    statuses.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let statuses = statuses.into_iter().map(|(status, count)| {
        json!({"status": {"id": status.0, "name": status.description()}, "count": count})
    });
    let cached_until = now + u64::try_from(CACHED.as_millis()).unwrap_or(0);
    json!({
        "created_at": utc(now),
        "cached_until": utc(cached_until),
        "submissions": {"total": total, "today": of(0), "last_30_days": last_30_days},
        "languages": languages.collect::<Vec<_>>(),
        "statuses": statuses.collect::<Vec<_>>(),
        // There is none.
        "database": {"size_pretty": "0 bytes", "size_in_bytes": 0},
    })
}
