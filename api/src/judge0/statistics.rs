//! `GET /statistics`: counts of what came to this process by the routes of Judge0.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::door::Reader;
use super::params::Params;
use super::refusal::Refusal;
use super::shelf::Counts;
use super::status::Status;
use super::submissions::shown;
use super::view::{Kept, date, utc};
use super::{Flavor, languages};
use crate::app::App;
use crate::problem::Problem;

/// How long an answer is good.
const CACHED: Duration = Duration::from_secs(600);
/// The newest submissions whose statuses are counted: each is read.
const COUNTED: usize = 1000;
const DAY: u64 = 86_400_000;

/// `GET /statistics`
pub(super) async fn show(
    State(app): State<App>,
    Reader(_): Reader,
    uri: Uri,
) -> Result<Response, Refusal> {
    let again = Params::of_query(&uri).says("invalidate_cache");
    let cached = app.shelf().statistics();
    if let Some((_, value)) = cached.filter(|(at, _)| !again && at.elapsed() < CACHED) {
        return Ok(axum::Json(value).into_response());
    }
    let mut statuses: BTreeMap<Status, u64> = BTreeMap::new();
    for id in app.shelf().newest(COUNTED) {
        let known = app.known_of_any(&id).await.map_err(Problem::from)?;
        let kept = known.as_ref().and_then(|known| known.note.as_deref());
        if let (Some(known), Some(kept)) = (&known, kept.and_then(Kept::decode)) {
            *statuses.entry(shown(&app, &id, &kept, known).outcome.status).or_default() += 1;
        }
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    let value = statistics(&app, now, &app.shelf().counts(), &statuses);
    app.shelf().set_statistics(Instant::now(), value.clone());
    Ok(axum::Json(value).into_response())
}

fn statistics(app: &App, now: u64, counts: &Counts, statuses: &BTreeMap<Status, u64>) -> Value {
    let Counts { total, languages, days } = counts;
    let today = now / DAY;
    let of = |day: u64| days.get(&day).copied().unwrap_or(0);
    let mut last_30_days = Map::new();
    for day in (1..=30).map(|ago| today.saturating_sub(ago)) {
        let (year, month, day_of_month) = date(day);
        last_30_days.insert(format!("{year:04}-{month:02}-{day_of_month:02}"), json!(of(day)));
    }
    let named = |(id, extra): (u32, bool)| {
        let flavor = if extra { Flavor::Extra } else { Flavor::Ce };
        languages::find(flavor, id).map(|known| known.name(app.offer()))
    };
    let mut languages: Vec<_> = languages.iter().collect();
    languages.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let languages = languages.into_iter().map(
        |(key, count)| json!({"language": {"id": key.0, "name": named(*key)}, "count": count}),
    );
    let mut statuses: Vec<_> = statuses.iter().collect();
    statuses.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let statuses = statuses.into_iter().map(|(status, count)| {
        json!({"status": {"id": status.0, "name": status.description()}, "count": count})
    });
    let cached_until = now + u64::try_from(CACHED.as_millis()).unwrap_or(0);
    json!({
        "created_at": utc(now),
        "cached_until": utc(cached_until),
        "submissions": {"total": total, "today": of(today), "last_30_days": last_30_days},
        "languages": languages.collect::<Vec<_>>(),
        "statuses": statuses.collect::<Vec<_>>(),
        // There is none.
        "database": {"size_pretty": "0 bytes", "size_in_bytes": 0},
    })
}
