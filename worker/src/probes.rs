//! The worker's own port: `/healthz`, `/readyz`, `/metrics`. Nothing here changes anything.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use tokio::time::timeout;

use crate::crew::{Crew, Stage, Standing};
use crate::metrics::Metrics;

/// How long a scrape waits for the queue's numbers; without an answer the ones before stay.
const SNAPSHOT: Duration = Duration::from_secs(1);

/// What runs here: the operator asks, and shows it.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the probes look at.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) metrics: Arc<Metrics>,
    /// Which engine judges.
    pub(crate) engine: &'static str,
    /// Why this one: what its self-check said.
    pub(crate) why: String,
    /// The queue's name.
    pub(crate) queue: String,
    /// Set once the queue has been reached.
    pub(crate) crew: OnceLock<Arc<Crew>>,
    /// Why it has not.
    pub(crate) waiting: Mutex<String>,
}

/// `/readyz`.
#[derive(Debug, Serialize)]
struct Ready<'a> {
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    phase: &'static str,
    version: &'a str,
    engine: &'a str,
    self_check: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    slots: Option<ReadySlots>,
    queue: ReadyQueue<'a>,
    jobs: ReadyJobs,
}

#[derive(Debug, Serialize)]
struct ReadySlots {
    desired: usize,
    effective: usize,
    busy: usize,
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
}

#[derive(Debug, Serialize)]
struct ReadyQueue<'a> {
    name: &'a str,
    reachable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    power_cut: Option<String>,
}

#[derive(Debug, Default, Serialize)]
struct ReadyJobs {
    judging: usize,
    undelivered: usize,
}

/// The routes.
pub(crate) fn router(board: Arc<Board>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(board)
}

async fn readyz(State(board): State<Arc<Board>>) -> Response {
    let ready = board.ready();
    let status = if ready.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let json = serde_json::to_string(&ready).expect("names and numbers are JSON");
    (status, [(header::CONTENT_TYPE, "application/json")], json + "\n").into_response()
}

async fn metrics(State(board): State<Arc<Board>>) -> Response {
    let _turn = board.metrics.turn().await;
    if let Some(crew) = board.crew.get() {
        if let Ok(Ok(snapshot)) = timeout(SNAPSHOT, crew.consumer.store().snapshot()).await {
            board.metrics.snapshot(&snapshot);
        }
        crew.measure();
    }
    let kind = [(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)];
    (kind, board.metrics.text()).into_response()
}

impl Board {
    /// Sets why the queue has not been reached.
    pub(crate) fn wait_for(&self, reason: &str) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        reason.clone_into(&mut waiting);
    }

    fn ready(&self) -> Ready<'_> {
        let (engine, self_check) = (self.engine, self.why.as_str());
        let Some(crew) = self.crew.get() else {
            let reason = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let queue = ReadyQueue { name: &self.queue, reachable: false, power_cut: None };
            let (reason, jobs) = (Some(reason), ReadyJobs::default());
            let phase = "starting";
            return Ready {
                ready: false,
                reason,
                phase,
                version: VERSION,
                engine,
                self_check,
                slots: None,
                queue,
                jobs,
            };
        };
        let standing = crew.standing();
        let reason = standing.reason();
        let Standing { sizing, generation, busy, judging, undelivered, stage, trouble, .. } =
            standing;
        let power_cut = crew.redis.as_ref().and_then(|redis| redis.server());
        let power_cut = power_cut.map(|server| server.loss.as_str().to_owned());
        Ready {
            ready: reason.is_none(),
            reason,
            phase: stage.as_str(),
            version: VERSION,
            engine,
            self_check,
            slots: Some(ReadySlots {
                desired: sizing.desired,
                effective: sizing.effective,
                busy: busy.max(judging),
                source: sizing.source.as_str(),
                generation,
            }),
            queue: ReadyQueue { name: &self.queue, reachable: trouble.is_none(), power_cut },
            jobs: ReadyJobs { judging, undelivered },
        }
    }
}

impl Standing {
    /// Why the worker is not ready. Zero slots that were asked for are no fault.
    fn reason(&self) -> Option<String> {
        if self.stage != Stage::Running {
            return Some(format!("{}: it was told to stop", self.stage.as_str()));
        }
        if let Some(trouble) = &self.trouble {
            return Some(format!("the queue does not answer: {trouble}"));
        }
        let setback = self.setback?;
        Some(format!("the judge failed {setback} times in a row; claiming pauses"))
    }
}

impl Stage {
    fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Leaving => "leaving",
        }
    }
}
