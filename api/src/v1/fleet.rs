//! The state of queue and workers.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::State;
use queue::Lane;
use queue::view::{LaneSnapshot, Snapshot, Totals};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Reader;
use crate::app::App;
use crate::intake::Error;
use crate::problem::{Document, Problem};

/// Queue and workers, at one moment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Fleet {
    /// Workers that are alive.
    workers: u64,
    /// Submissions that run.
    running: u64,
    /// Submissions that wait for another attempt.
    delayed: u64,
    /// Submissions that evalX gave up, as far as they are kept.
    dead: u64,
    /// What waits, by lane.
    lanes: BTreeMap<&'static str, LaneRow>,
    /// Counted since the queue was made: `enqueued`, `finished`, `expired`, …
    totals: BTreeMap<&'static str, u64>,
}

/// What waits in a lane.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LaneRow {
    /// How many.
    depth: u64,
    /// What they will cost together, by estimates.
    backlog_ms: u64,
    /// How long the oldest has waited; absent when none waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_ms: Option<u64>,
}

/// Look at queue and workers
#[utoipa::path(
    get, path = "/v1/fleet", tag = "fleet",
    responses(
        (status = 200, description = "queue and workers", body = Fleet),
        (status = "default", description = "not for you, or not now", body = Document,
         content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn show(
    State(app): State<App>,
    Reader(_): Reader,
) -> Result<axum::Json<Fleet>, Problem> {
    let snapshot = app.store().snapshot().await.map_err(Error::Queue)?;
    Ok(axum::Json(fleet(snapshot)))
}

fn fleet(snapshot: Snapshot) -> Fleet {
    let Snapshot { lanes, running, delayed, dead, workers, totals: t } = snapshot;
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let row = |LaneSnapshot { depth, backlog, oldest }| LaneRow {
        depth,
        backlog_ms: ms(backlog),
        oldest_ms: oldest.map(ms),
    };
    let names = Lane::ALL.into_iter().map(Lane::as_str);
    let lanes = names.zip(lanes.into_iter().map(row)).collect();
    Fleet { workers, running, delayed, dead, lanes, totals: counted(t) }
}

fn counted(totals: Totals) -> BTreeMap<&'static str, u64> {
    let Totals {
        enqueued,
        claimed,
        finished,
        dead,
        cancelled,
        retried,
        returned,
        expired,
        forgotten,
        stale,
        repairs,
    } = totals;
    BTreeMap::from([
        ("enqueued", enqueued),
        ("claimed", claimed),
        ("finished", finished),
        ("dead", dead),
        ("cancelled", cancelled),
        ("retried", retried),
        ("returned", returned),
        ("expired", expired),
        ("forgotten", forgotten),
        ("stale", stale),
        ("repairs", repairs),
    ])
}
