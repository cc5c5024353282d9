//! Third step of a batch: the tests side by side, first failure exact.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};
use std::time::Instant;

use sandbox::Cancel;

use super::observe::{Event, Observer};
use super::report::{failed, skipped};
use super::run::{Batch, Tested};
use crate::model::{StopRule, TestReport, Verdict};
use crate::slots::Held;

/// Runs the tests of a batch; one report each, in their order. They run on lanes: the caller's
/// thread and, as long as there are slots and tests for them, more. A lane that has ended a test
/// takes the next one itself, so with one slot nobody is woken in between.
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
    let lanes =
        Lanes { batch, observer, board: &board, next: Mutex::new(0), count: AtomicUsize::new(1) };
    thread::scope(|scope| lanes.work(scope));
    let mut reports = board.into_reports();
    let report =
        |(index, name): (usize, &str)| reports.remove(&index).unwrap_or_else(|| skipped(name));
    tests.iter().map(|t| t.name.as_str()).enumerate().map(report).collect()
}

fn no_flag(error: &io::Error) -> String {
    format!("no flag to withdraw it by: {error}")
}

/// The threads of a batch.
struct Lanes<'a, 'b> {
    batch: &'a Batch<'b>,
    observer: &'a dyn Observer,
    board: &'a Board,
    /// The test that starts next. Locked while its slots are waited for: tests start in order.
    next: Mutex<usize>,
    count: AtomicUsize,
}

impl<'a> Lanes<'a, '_> {
    /// One lane: test after test until none is to start.
    fn work<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>)
    where
        'a: 'scope,
    {
        while let Some(Turn { index, held, queued, flag }) = self.turn() {
            self.widen(scope, index);
            let Tested { report, doubt } = self.batch.test(index, queued, &flag);
            let (report, held, alone) = match doubt {
                None => (report, Some(held), None),
                Some(doubt) => {
                    drop(held);
                    let (report, alone) = self.batch.again(index, queued, &flag, report, doubt);
                    (report, None, alone)
                }
            };
            // Before the slot is free: no test after a failure gets it.
            self.board.decide(index, report.verdict);
            drop((held, alone));
            self.observer.on(Event::Finished { index, report: &report });
            self.board.keep(index, report);
        }
    }

    /// Waits for the slots of the next test; `None` when none is to start any more.
    fn turn(&self) -> Option<Turn<'a>> {
        let tests = &self.batch.plan.submission.tests;
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(test) = tests.get(*next) {
            let (index, queued) = (*next, Instant::now());
            *next += 1;
            match self.board.turn(self.batch, index) {
                Ok(Some((held, flag))) => {
                    self.observer.on(Event::Started { index });
                    return Some(Turn { index, held, queued, flag });
                }
                Ok(None) => *next = tests.len(),
                Err(error) => self.board.fail(index, failed(&test.name, no_flag(&error))),
            }
        }
        None
    }

    /// Starts one more lane when there is something left for it. Without a thread for it the batch
    /// goes on with the lanes that it has.
    fn widen<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, index: usize)
    where
        'a: 'scope,
    {
        let left = self.batch.plan.submission.tests.len() - index - 1;
        let most = self.batch.judge.slots.total();
        let one_more = |count| (left > 0 && count < most).then_some(count + 1);
        let (order, count) = (Ordering::Relaxed, &self.count);
        if let Ok(count) = count.fetch_update(order, order, one_more) {
            let lane = thread::Builder::new().name(format!("lane-{count}"));
            if lane.spawn_scoped(scope, || self.work(scope)).is_err() {
                self.count.fetch_sub(1, order);
            }
        }
    }
}

/// A test that has its slots.
struct Turn<'a> {
    index: usize,
    held: Held<'a>,
    queued: Instant,
    flag: Cancel,
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
    fn turn<'a>(&self, batch: &Batch<'a>, index: usize) -> io::Result<Option<(Held<'a>, Cancel)>> {
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
