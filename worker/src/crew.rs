//! What the tasks of a worker share: the consumer, the roster of jobs, the slots.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use judge::model::{Answer, Report, WorkerFacts};
use prometheus::proto::MetricFamily;
use queue::{Consumer, Error, Held, Label, Lease, Outcome, RedisStore, Settled, Token, Verdict};
use sandbox::Cancel;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tracing::{debug, error, info, info_span, warn};

use crate::judging::{Judged, Judging, Limits, Phase, Watch, Work, chain};
use crate::metrics::{Metrics, outcome_name};
use crate::roster::Roster;
use crate::setback::Setback;
use crate::slots::{Order, Sizing};

/// Results that one call delivers: a script that writes more would hold up everybody.
const BATCH: usize = 32;

/// Shared by all tasks of one worker.
#[derive(Debug)]
pub(crate) struct Crew {
    pub(crate) consumer: Consumer,
    /// The queue's server, where there is one.
    pub(crate) redis: Option<Arc<RedisStore>>,
    pub(crate) judging: Arc<dyn Judging>,
    pub(crate) metrics: Arc<Metrics>,
    /// A blocking lock: never held across an await, and each operation is short.
    state: Mutex<State>,
    /// Counts what may concern who claims or waits for the end: slots, ends, answers.
    pub(crate) changes: watch::Sender<u64>,
    /// Counts answers to completions: a tenant at its cap, or the next suspect, may be claimable.
    pub(crate) settles: watch::Sender<u64>,
    /// A job has ended: there is something to deliver.
    pub(crate) ended: Notify,
}

#[derive(Debug)]
struct State {
    roster: Roster,
    sizing: Sizing,
    generation: Option<u64>,
    setback: Setback,
    stage: Stage,
    /// Why the queue does not answer, when it does not.
    trouble: Option<String>,
}

/// How far a worker's life is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Claims.
    Running,
    /// Claims no more, finishes what it has.
    Draining,
    /// Stops what it has.
    Leaving,
}

/// What `/readyz` tells.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) sizing: Sizing,
    pub(crate) generation: Option<u64>,
    pub(crate) busy: usize,
    pub(crate) judging: usize,
    pub(crate) undelivered: usize,
    pub(crate) stage: Stage,
    pub(crate) trouble: Option<String>,
    /// Failures in a row while it pauses.
    pub(crate) setback: Option<u32>,
}

/// A newer worker has this place: nothing that this one holds is its own.
#[derive(Debug)]
pub(crate) struct Superseded;

impl Crew {
    pub(crate) fn new(
        consumer: Consumer,
        redis: Option<Arc<RedisStore>>,
        judging: Arc<dyn Judging>,
        metrics: Arc<Metrics>,
        sizing: Sizing,
    ) -> Self {
        let state = State {
            roster: Roster::default(),
            sizing,
            generation: None,
            setback: Setback::default(),
            stage: Stage::Running,
            trouble: None,
        };
        let (changes, settles) = (watch::Sender::new(0), watch::Sender::new(0));
        let (state, ended) = (Mutex::new(state), Notify::new());
        Self { consumer, redis, judging, metrics, state, changes, settles, ended }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is complete before anything in it could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and tells whoever waits for a change.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let answer = change(&mut self.state());
        self.changes.send_modify(|count| *count += 1);
        answer
    }

    /// How many jobs may be claimed now, and until when none may if that is for a while.
    pub(crate) fn free(&self, now: Instant) -> (usize, Option<Instant>) {
        let state = self.state();
        if state.stage != Stage::Running {
            return (0, None);
        }
        if let Some(until) = state.setback.until().filter(|until| *until > now) {
            return (0, Some(until));
        }
        // A job with many tests takes several boxes; one just claimed has none yet.
        let taken = state.roster.judging().max(self.judging.busy());
        // While nothing can be delivered, results count: they are bounded by the slots.
        let kept = if state.trouble.is_some() { state.roster.undelivered() } else { 0 };
        (state.sizing.effective.saturating_sub(taken + kept), None)
    }

    /// How many slots there are.
    pub(crate) fn effective(&self) -> usize {
        self.state().sizing.effective
    }

    /// What this worker says of itself on the queue: it takes nothing when it does not run.
    pub(crate) fn about(&self) -> Bytes {
        let state = self.state();
        let slots = if state.stage == Stage::Running { state.sizing.effective } else { 0 };
        let engine = self.judging.engine().to_owned();
        let version = env!("CARGO_PKG_VERSION").to_owned();
        WorkerFacts { slots, engine, version }.encode().into()
    }

    /// Sets the slots. More are there at once; fewer take nothing away from what runs.
    pub(crate) fn resize(&self, sizing: Sizing, order: Option<Order>) {
        let before = self.change(|state| {
            state.generation = order.and_then(|order| order.generation);
            std::mem::replace(&mut state.sizing, sizing)
        });
        if let Some(slots) = std::num::NonZeroUsize::new(sizing.effective) {
            self.judging.resize(slots);
        }
        if before != sizing {
            info!(desired = sizing.desired, effective = sizing.effective, "slots: {sizing}");
        }
    }

    /// Goes on to the next stage.
    pub(crate) fn enter(&self, stage: Stage) {
        self.change(|state| state.stage = stage);
    }

    /// Stops all that runs.
    pub(crate) fn stop_all(&self) {
        self.change(|state| state.roster.stop_all());
    }

    /// Whether nothing is held any more.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.state();
        state.roster.judging() == 0 && state.roster.undelivered() == 0
    }

    /// How it stands.
    pub(crate) fn standing(&self) -> Standing {
        let state = self.state();
        let (judging, undelivered) = (state.roster.judging(), state.roster.undelivered());
        let now = Instant::now();
        Standing {
            sizing: state.sizing,
            generation: state.generation,
            busy: self.judging.busy(),
            judging,
            undelivered,
            stage: state.stage,
            trouble: state.trouble.clone(),
            setback: state.setback.until().filter(|u| *u > now).map(|_| state.setback.failures()),
        }
    }

    /// Asks the queue and takes note of whether it answers. What went wrong is said once, not at each
    /// attempt.
    pub(crate) async fn ask<T>(
        &self,
        operation: &'static str,
        asking: impl Future<Output = Result<T, Error>>,
    ) -> Result<Option<T>, Superseded> {
        let began = Instant::now();
        let answer = asking.await;
        // The caller's own fault is an answer.
        let reached = !matches!(answer, Err(Error::Redis(_)));
        self.metrics.asked(operation, began.elapsed(), reached);
        match answer {
            Ok(answer) => {
                if self.state().trouble.is_some() {
                    self.change(|state| state.trouble = None);
                    info!("the queue answers again");
                }
                Ok(Some(answer))
            }
            Err(Error::Superseded { .. }) => Err(Superseded),
            Err(error) => {
                let reason = chain(&error);
                if self.state().trouble.is_none() {
                    warn!(operation, %reason, "the queue does not answer; judging goes on");
                }
                self.change(|state| state.trouble = Some(reason));
                Ok(None)
            }
        }
    }

    /// Starts a job that was claimed, on a thread of its own.
    pub(crate) fn start(self: &Arc<Self>, lease: Lease, jobs: &mut JoinSet<()>) {
        let span = info_span!("job", id = %lease.id, attempt = lease.attempt);
        let cancel = match Cancel::new() {
            Ok(cancel) => cancel,
            Err(error) => {
                // Not on the roster, so not in the heartbeat: the queue gives it to another worker.
                span.in_scope(|| error!(%error, "no descriptor for a job; others will get it"));
                self.change(|state| state.setback.failed(Instant::now()));
                return;
            }
        };
        self.metrics.claimed(lease.lane, lease.waited);
        self.state().roster.add(&lease, cancel.clone(), Instant::now());
        let mut desk =
            Desk { crew: Arc::clone(self), token: lease.token.clone(), outcome: Outcome::Retry };
        jobs.spawn_blocking(move || {
            span.in_scope(|| desk.outcome = desk.crew.judge(&lease, &cancel));
        });
    }

    fn judge(&self, lease: &Lease, cancel: &Cancel) -> Outcome {
        let began = Instant::now();
        let settings = self.consumer.store().settings();
        let limits = Limits { whole: settings.result_limit, brief: settings.brief_limit };
        let work = Work { payload: &lease.payload, attempt: lease.attempt, limits };
        let judged =
            self.judging.judge(work, &Reporter { crew: self, token: &lease.token }, cancel);
        let took = began.elapsed();
        let outcome = self.outcome(lease, judged, took);
        let (waited, took) = (ms(lease.waited), ms(took));
        info!(outcome = outcome_name(&outcome), lane = %lease.lane, waited, took, "ended");
        outcome
    }

    fn outcome(&self, lease: &Lease, judged: Judged, took: Duration) -> Outcome {
        let took = Some(took);
        match judged {
            Judged::Done { result, brief, report } => {
                self.state().setback.succeeded();
                let label = report.as_deref().and_then(label);
                if let Some(report) = report {
                    self.metrics.judged(&report);
                    info!(verdict = %report.verdict, language = report.language, "judged");
                }
                Outcome::Finished { result, brief, took, label }
            }
            Judged::Failed { phase, reason, last } => {
                self.metrics.failed(phase);
                let is_last = lease.attempt >= lease.attempts;
                warn!(phase = phase.as_str(), %reason, is_last, "the judge failed");
                // A missing toolchain or problem says nothing of the others.
                if !matches!(phase, Phase::Toolchain | Phase::Problem) {
                    self.change(|state| state.setback.failed(Instant::now()));
                }
                if is_last && !last.is_empty() {
                    let label = match Answer::decode(&last) {
                        Ok(Answer::Judged(judged)) => label(&judged.report),
                        _ => None,
                    };
                    return Outcome::Finished { result: last, brief: None, took, label };
                }
                Outcome::Retry
            }
            Judged::Newer { reason } => {
                warn!(%reason, "the payload is newer than this worker; others may know it");
                Outcome::Retry
            }
            Judged::Unreadable { reason } => {
                error!(%reason, "the payload cannot be read; the job is a dead letter now");
                Outcome::Buried
            }
            Judged::Withdrawn => Outcome::HandedBack,
        }
    }

    /// What really runs.
    pub(crate) fn held(&self) -> Vec<Held> {
        self.state().roster.held()
    }

    /// What the queue says of it.
    pub(crate) fn obey(&self, held: &[Held], verdicts: &[Verdict]) {
        for (held, verdict) in held.iter().zip(verdicts) {
            let reason = match verdict {
                Verdict::Keep => continue,
                Verdict::Revoked => "revoked",
                Verdict::Cancelled => "cancelled",
            };
            let stopped = self.state().roster.verdict(&held.token, *verdict);
            if stopped {
                self.metrics.withdrawn(reason);
                info!(id = %held.id, reason, "stopped a job");
            }
        }
    }

    /// Tells the queue what has ended, and partial results: of what has ended always, of what runs
    /// when `running` says so. Returns false when the queue did not answer.
    pub(crate) async fn deliver(&self, running: bool) -> Result<bool, Superseded> {
        let mut steps = self.state().roster.steps(!running);
        loop {
            let ends = self.state().roster.ends(BATCH);
            // Order: after the end its steps would be stale.
            if !steps.is_empty() {
                let asked = self.ask("progress", self.consumer.progress(&steps)).await?;
                let Some(answers) = asked else { return Ok(false) };
                let mut state = self.state();
                state.roster.told(&steps);
                for (step, answer) in steps.iter().zip(answers) {
                    if answer == Settled::Stale {
                        state.roster.verdict(&step.held.token, Verdict::Revoked);
                    }
                }
            }
            if ends.is_empty() {
                return Ok(true);
            }
            match self.consumer_complete(&ends).await? {
                None => return Ok(false),
                Some(answers) => self.settle(&ends, &answers),
            }
            steps = self.state().roster.steps(true);
        }
    }

    async fn consumer_complete(
        &self,
        ends: &[queue::Completion],
    ) -> Result<Option<Vec<Settled>>, Superseded> {
        let completing = async {
            match self.consumer.complete_all(ends).await {
                Err(Error::ResultTooLarge { id, size, limit }) => {
                    // Ours are cut to fit: never seen with a queue of equal settings.
                    error!(%id, size, limit, "the result is too large; the job is a dead letter");
                    for end in ends.iter().filter(|end| end.held.id == id) {
                        self.state().roster.bury(&end.held.token);
                    }
                    Ok(Vec::new())
                }
                answer => answer,
            }
        };
        self.ask("complete", completing).await
    }

    fn settle(&self, ends: &[queue::Completion], answers: &[Settled]) {
        for (end, answer) in ends.iter().zip(answers) {
            self.metrics.settled(&end.outcome, *answer);
            debug!(id = %end.held.id, outcome = outcome_name(&end.outcome), ?answer, "settled");
            if *answer == Settled::Stale {
                warn!(id = %end.held.id, "the result came too late; another worker's counts");
            }
            let claimed = self.change(|state| state.roster.settled(&end.held.token));
            if let (Some(claimed), Outcome::Finished { .. }) = (claimed, &end.outcome) {
                self.metrics.turned_around(claimed.elapsed());
            }
        }
        self.settles.send_modify(|count| *count += 1);
    }

    /// What this worker measures, without what every process tells of the queue.
    pub(crate) fn own_metrics(&self) -> Vec<MetricFamily> {
        self.measure();
        self.metrics.own()
    }

    /// Gauges that are read rather than told.
    pub(crate) fn measure(&self) {
        let standing = self.standing();
        self.metrics.sized(standing.sizing, standing.busy.max(standing.judging));
        self.metrics.jobs(standing.judging, standing.undelivered);
        if let Some(server) = self.redis.as_ref().and_then(|redis| redis.server()) {
            self.metrics.server(&server);
        }
    }
}

/// Ends a job when its thread is done with it, even by a panic: then it is retried.
struct Desk {
    crew: Arc<Crew>,
    token: Token,
    outcome: Outcome,
}

impl Drop for Desk {
    fn drop(&mut self) {
        let outcome = std::mem::replace(&mut self.outcome, Outcome::Retry);
        self.crew.change(|state| state.roster.end(&self.token, outcome));
        self.crew.ended.notify_one();
    }
}

/// Takes partial results from the judge's threads.
struct Reporter<'c> {
    crew: &'c Crew,
    token: &'c Token,
}

impl Watch for Reporter<'_> {
    fn step(&self, index: u32, report: Bytes) {
        self.crew.state().roster.step(self.token, index, report);
    }

    fn freed(&self) {
        self.crew.changes.send_modify(|count| *count += 1);
    }
}

/// What a report is counted under; a language of a very long name is not counted.
fn label(report: &Report) -> Option<Label> {
    Label::new(report.tally().encode()).ok()
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
