//! A worker's life: running → draining → leaving. Each phase eats the one before, so nothing can
//! claim again after it has begun to drain.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};
use tracing::{info, warn};

use crate::crew::{Crew, Stage, Superseded};
use crate::tasks;

/// How long boxes may take to die, results to be delivered, and the release to be answered.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Claims and judges.
#[derive(Debug)]
pub(crate) struct Running {
    crew: Arc<Crew>,
    /// Heartbeat, reports, sizing, probes: all that goes on until the end.
    tasks: JoinSet<Superseded>,
    jobs: JoinSet<()>,
}

/// Claims no more, finishes what it has.
#[derive(Debug)]
pub(crate) struct Draining(Running);

/// Has nothing any more, or no time for it.
#[derive(Debug)]
pub(crate) struct Leaving {
    running: Running,
    /// Told twice: the jobs are released first and then stopped.
    at_once: bool,
}

/// Tells to stop: the first time to drain, the second time to leave at once.
pub(crate) type Stops = mpsc::Receiver<()>;

impl Running {
    /// Begins. `tasks` are those that the worker has besides.
    pub(crate) fn begin(crew: &Arc<Crew>, mut tasks: JoinSet<Superseded>) -> Self {
        tasks.spawn(tasks::heartbeat(Arc::clone(crew)));
        tasks.spawn(tasks::report(Arc::clone(crew)));
        Self { crew: Arc::clone(crew), tasks, jobs: JoinSet::new() }
    }

    /// Works until it is told to stop.
    pub(crate) async fn work(mut self, stops: &mut Stops) -> Result<Draining, Superseded> {
        let superseded = {
            let Self { crew, tasks, jobs } = &mut self;
            tokio::select! {
                // Also when nobody is left who could tell.
                _ = stops.recv() => None,
                superseded = tasks::claim(crew, jobs) => Some(superseded),
                superseded = gone(tasks) => Some(superseded),
            }
        };
        match superseded {
            Some(superseded) => Err(self.abandon(superseded).await),
            None => Ok(self.drain()),
        }
    }

    fn drain(self) -> Draining {
        self.crew.enter(Stage::Draining);
        let held = self.crew.held().len();
        info!(held, "draining: nothing is claimed any more");
        Draining(self)
    }

    /// What this worker holds is another's: nothing is told or released.
    async fn abandon(mut self, superseded: Superseded) -> Superseded {
        self.crew.stop_all();
        self.stopped().await;
        superseded
    }

    /// Until all boxes are dead; soon after they were told to.
    async fn stopped(&mut self) {
        let all = async { while self.jobs.join_next().await.is_some() {} };
        if timeout(LAST_WORDS, all).await.is_err() {
            warn!(left = self.jobs.len(), "boxes do not end; they die with this process");
        }
    }
}

impl Draining {
    /// Waits until everything has ended and was told, at most `grace`, or until told again.
    pub(crate) async fn finish(
        mut self,
        grace: Duration,
        stops: &mut Stops,
    ) -> Result<Leaving, Superseded> {
        let end = Instant::now() + grace;
        let mut changes = self.0.crew.changes.subscribe();
        loop {
            changes.mark_unchanged();
            if self.0.crew.is_idle() {
                return Ok(self.leave(false));
            }
            let ended = tokio::select! {
                _ = changes.changed() => continue,
                () = sleep_until(end.into()) => Ok(false),
                Some(()) = stops.recv() => Ok(true),
                superseded = gone(&mut self.0.tasks) => Err(superseded),
            };
            match ended {
                Ok(at_once) => return Ok(self.leave(at_once)),
                Err(superseded) => return Err(self.0.abandon(superseded).await),
            }
        }
    }

    fn leave(self, at_once: bool) -> Leaving {
        self.0.crew.enter(Stage::Leaving);
        Leaving { running: self.0, at_once }
    }
}

impl Leaving {
    /// Hands back what is left and ends. When the queue does not answer, the jobs return by
    /// themselves when the lease is over.
    pub(crate) async fn leave(self) {
        let Self { mut running, at_once } = self;
        let crew = Arc::clone(&running.crew);
        if at_once {
            // Order: others may start these jobs while our boxes die, which takes milliseconds.
            release(&crew).await;
            crew.stop_all();
            running.stopped().await;
            return;
        }
        crew.stop_all();
        running.stopped().await;
        let delivered = timeout(LAST_WORDS, crew.deliver(false)).await;
        if !matches!(delivered, Ok(Ok(true))) {
            warn!("results could not be delivered; other workers will judge these jobs again");
        }
        release(&crew).await;
    }
}

async fn release(crew: &Crew) {
    match timeout(LAST_WORDS, crew.ask("release", crew.consumer.release())).await {
        Ok(Ok(Some(jobs))) => info!(jobs, "left the queue; what was held is handed back"),
        _ => warn!("left without a word: the queue does not answer"),
    }
}

/// Until a task ends, which it does only when all is over.
async fn gone(tasks: &mut JoinSet<Superseded>) -> Superseded {
    match tasks.join_next().await {
        Some(Ok(superseded)) => superseded,
        // A task that panicked leaves a worker that looks alive and is not.
        Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
        None => std::future::pending().await,
    }
}
