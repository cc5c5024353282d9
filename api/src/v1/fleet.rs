//! The state of queue and workers.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::State;
use judge::model::{Tally, WorkerFacts};
use queue::view::{LaneSnapshot, Snapshot, Totals, Worker};
use queue::{Label, Lane};
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
    /// The workers one by one, by name; of very many the first thousand.
    members: Vec<Member>,
    /// Reports of the last hour (or of five minutes less) by verdict, whichever server is asked.
    #[schema(value_type = BTreeMap<String, u64>)]
    verdicts: BTreeMap<&'static str, u64>,
    /// The same by language.
    #[schema(value_type = BTreeMap<String, BTreeMap<String, u64>>)]
    languages: BTreeMap<String, BTreeMap<&'static str, u64>>,
    /// Counted since the queue was made: `enqueued`, `finished`, `expired`, …
    totals: BTreeMap<&'static str, u64>,
}

/// A worker.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Worker)]
pub(crate) struct Member {
    /// Where it runs.
    id: String,
    /// Submissions that it has.
    busy: u64,
    /// How long ago it was heard.
    heard_ms: u64,
    /// Boxes that it runs at once; 0 when it takes nothing, and until it has said so.
    slots: usize,
    /// What runs the boxes.
    #[serde(skip_serializing_if = "Option::is_none")]
    engine: Option<String>,
    /// Its version of evalX.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

/// Workers that are listed.
const MEMBERS: usize = 1000;

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
    let workers = app.store().workers(MEMBERS).await.map_err(Error::Queue)?;
    let tallies = app.store().tallies().await.map_err(Error::Queue)?;
    Ok(axum::Json(fleet(snapshot, workers, &tallies)))
}

fn fleet(snapshot: Snapshot, members: Vec<Worker>, tallies: &BTreeMap<Label, u64>) -> Fleet {
    let Snapshot { lanes, running, delayed, dead, workers, totals: t } = snapshot;
    let row = |LaneSnapshot { depth, backlog, oldest }| LaneRow {
        depth,
        backlog_ms: ms(backlog),
        oldest_ms: oldest.map(ms),
    };
    let names = Lane::ALL.into_iter().map(Lane::as_str);
    let lanes = names.zip(lanes.into_iter().map(row)).collect();
    let members = members.into_iter().map(member).collect();
    let (verdicts, languages) = mix(tallies);
    let totals = counted(t);
    Fleet { workers, running, delayed, dead, lanes, members, verdicts, languages, totals }
}

type Verdicts = BTreeMap<&'static str, u64>;

/// Of all languages together, and of each.
fn mix(tallies: &BTreeMap<Label, u64>) -> (Verdicts, BTreeMap<String, Verdicts>) {
    let (mut all, mut languages) = (Verdicts::new(), BTreeMap::<_, Verdicts>::new());
    for (label, count) in tallies {
        // What a newer version counts is not known here.
        let Some(Tally { verdict, language }) = Tally::decode(label.as_str()) else { continue };
        *all.entry(verdict.code()).or_default() += count;
        *languages.entry(language).or_default().entry(verdict.code()).or_default() += count;
    }
    (all, languages)
}

fn member(worker: Worker) -> Member {
    let Worker { who, held, silent, about } = worker;
    let facts = WorkerFacts::decode(&about);
    let (slots, engine, version) = match facts {
        Some(WorkerFacts { slots, engine, version }) => (slots, Some(engine), Some(version)),
        None => (0, None, None),
    };
    let id = who.place().to_owned();
    Member { id, busy: held, heard_ms: ms(silent), slots, engine, version }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
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
