//! Third step of a batch: the tests side by side, first failure exact.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use sandbox::Cancel;

use super::observe::{Event, Observer};
use super::report::{failed, skipped};
use super::run::Batch;
use crate::model::{StopRule, TestReport, Verdict};

/// Runs the tests of a batch; one report each, in their order.
///
/// Tests get their slots in order. When test *i* fails and that stops the batch, those after it
/// are withdrawn and no new ones start; those before it all have started and go on, and each may
/// become the first failure in turn. So what is reported first is the lowest, whoever was faster.
pub(super) fn run_all(
    batch: &Batch<'_>,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Vec<TestReport> {
    let tests = &batch.plan.submission.tests;
    let board = match Board::new(batch.plan.submission.stop, cancel) {
        Ok(board) => board,
        Err(error) => return tests.iter().map(|t| failed(&t.name, no_flag(&error))).collect(),
    };
    thread::scope(|scope| {
        for (index, test) in tests.iter().enumerate() {
            let queued = Instant::now();
            let (held, flag) = match board.turn(batch, index) {
                Ok(Some(turn)) => turn,
                Ok(None) => break,
                Err(error) => {
                    board.fail(index, failed(&test.name, no_flag(&error)));
                    continue;
                }
            };
            observer.on(Event::Started { index });
            let board = &board;
            let run = move || {
                let report = batch.test(index, queued, &flag);
                // Before the slot is free: no test after a failure gets it.
                board.decide(index, report.verdict);
                drop(held);
                observer.on(Event::Finished { index, report: &report });
                board.keep(index, report);
            };
            let name = format!("test-{index}");
            if let Err(error) = thread::Builder::new().name(name).spawn_scoped(scope, run) {
                board.fail(index, failed(&test.name, format!("no thread to run it: {error}")));
            }
        }
    });
    let mut reports = board.into_reports();
    let report =
        |(index, name): (usize, &str)| reports.remove(&index).unwrap_or_else(|| skipped(name));
    tests.iter().map(|t| t.name.as_str()).enumerate().map(report).collect()
}

fn no_flag(error: &io::Error) -> String {
    format!("no flag to withdraw it by: {error}")
}

/// What runs, what is done, and where the first failure is so far.
struct Board {
    stop: StopRule,
    /// Set by the caller, or once no more tests are to start.
    closed: Cancel,
    cancel: Cancel,
    state: Mutex<State>,
}

struct State {
    first_failure: usize,
    running: BTreeMap<usize, Cancel>,
    reports: BTreeMap<usize, TestReport>,
}

impl Board {
    fn new(stop: StopRule, cancel: &Cancel) -> io::Result<Self> {
        let (running, reports) = (BTreeMap::new(), BTreeMap::new());
        let state = Mutex::new(State { first_failure: usize::MAX, running, reports });
        Ok(Self { stop, closed: cancel.child()?, cancel: cancel.clone(), state })
    }

    /// Waits for the slots of the next test; `None` when it is not to start any more.
    fn turn<'a>(
        &self,
        batch: &Batch<'a>,
        index: usize,
    ) -> io::Result<Option<(crate::slots::Held<'a>, Cancel)>> {
        let wanted = NonZeroUsize::new(batch.boxes()).unwrap_or(NonZeroUsize::MIN);
        let Some(held) = batch.judge.slots.acquire(wanted, &self.closed)? else {
            return Ok(None);
        };
        let flag = match self.stop {
            StopRule::RunAll => self.cancel.clone(),
            StopRule::FirstFailure => self.cancel.child()?,
        };
        let mut state = self.state();
        if state.first_failure < index {
            return Ok(None);
        }
        state.running.insert(index, flag.clone());
        Ok(Some((held, flag)))
    }

    /// Takes note of a verdict, which may end the tests behind it.
    fn decide(&self, index: usize, verdict: Verdict) {
        let mut state = self.state();
        state.running.remove(&index);
        let stops = self.stop == StopRule::FirstFailure && verdict != Verdict::Accepted;
        if stops && index < state.first_failure {
            state.first_failure = index;
            state.running.range(index..).for_each(|(_, flag)| flag.cancel());
            self.closed.cancel();
        }
    }

    fn keep(&self, index: usize, report: TestReport) {
        self.state().reports.insert(index, report);
    }

    fn fail(&self, index: usize, report: TestReport) {
        self.decide(index, report.verdict);
        self.keep(index, report);
    }

    fn into_reports(self) -> BTreeMap<usize, TestReport> {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).reports
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
