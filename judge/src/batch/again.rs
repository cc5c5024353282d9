//! A test whose time is in doubt is run once more, with all slots to itself.

use std::num::NonZeroUsize;
use std::sync::atomic::Ordering;
use std::time::Instant;

use sandbox::Cancel;

use super::run::Batch;
use crate::doubt::Doubt;
use crate::model::{Again, OtherRun, TestReport, Verdict};
use crate::quiet::Alone;

/// Tests of one submission that ask for a quiet moment; each may hold others up.
const MOST: usize = 3;

impl<'a> Batch<'a> {
    /// Runs a test again, of which `first` came, if there is a quiet moment for it. The caller has
    /// given back the slots of the first run: who kept some would wait for itself. No test after
    /// this one gets a slot before what is returned beside the report is dropped.
    pub(super) fn again(
        &self,
        index: usize,
        queued: Instant,
        cancel: &Cancel,
        first: TestReport,
        doubt: Doubt,
    ) -> (TestReport, Option<Alone<'a>>) {
        let because = doubt.to_string();
        match self.moment(cancel) {
            None => (settled(first, None, because), None),
            Some(alone) => {
                // Both programs of a conversation, as the first time: its time is made of both.
                let second = self.test(index, queued, cancel).report;
                (settled(first, Some(second), because), Some(alone))
            }
        }
    }

    fn moment(&self, cancel: &Cancel) -> Option<Alone<'a>> {
        let one_more = |count| (count < MOST).then_some(count + 1);
        self.again.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        let needed = NonZeroUsize::new(self.boxes()).unwrap_or(NonZeroUsize::MIN);
        self.judge.quiet.moment(&self.judge.slots, needed, cancel)
    }
}

/// Which of the two runs is reported: the second, whose time is the better one. But a program that
/// was accepted under pressure is accepted; the second run was for its time.
fn settled(first: TestReport, second: Option<TestReport>, because: String) -> TestReport {
    // A second run that was withdrawn or failed by us says nothing.
    let second = second.filter(|s| !matches!(s.verdict, Verdict::Skipped | Verdict::InternalError));
    let (report, other) = match second {
        None => (first, None),
        Some(second) => {
            let stands = first.verdict == Verdict::Accepted && second.verdict != Verdict::Accepted;
            let (report, other) = if stands { (first, second) } else { (second, first) };
            (report, Some(other))
        }
    };
    let other = other.map(|other| OtherRun {
        verdict: other.verdict,
        cpu_ms: other.cpu_ms,
        wall_ms: other.wall_ms,
    });
    TestReport { again: Some(Again { because, other }), ..report }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::AtomicUsize;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use sandbox::{Outcome, Pressure, Stall, Termination, Usage};

    use super::super::report::{failed, skipped};
    use super::*;
    use crate::fake::{self, Call, Fake, ended, said};
    use crate::model::{Report, StopRule, Submission};

    use Verdict::{
        Accepted as AC, IdlenessLimit as ILE, InternalError as IE, Skipped as SKIPPED,
        TimeLimit as TLE, WrongAnswer as WA,
    };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// CPU time and clock of a run, and how long it was kept waiting.
    fn with(outcome: Outcome, cpu: u64, wall: u64, stall: u64) -> Outcome {
        let stall = Some(Stall::Box(ms(stall)));
        let pressure = Pressure { stall, ..Pressure::default() };
        let usage = Usage { cpu: ms(cpu), wall: ms(wall), pressure, ..Usage::default() };
        Outcome { usage, ..outcome }
    }

    fn late(stall: u64) -> Outcome {
        with(ended(Termination::CpuLimit), 1000, 1000 + stall, stall)
    }

    /// Tests by their number, each with a second of CPU time; right is `ok`.
    fn submission(tests: usize, stop: StopRule) -> Submission {
        let test = |i: usize| format!(r#"{{"name":"t{i}","input":"{i}","answer":"ok"}}"#);
        let tests: Vec<_> = (0..tests).map(test).collect();
        let json = format!(
            r#"{{"language":"c","files":[{{"name":"main.x","contents":"source"}}],
                "tests":[{}],"limits":{{"cpu_ms":1000}}}}"#,
            tests.join(",")
        );
        Submission { stop, ..serde_json::from_str(&json).unwrap() }
    }

    /// Judges; what a run gives depends on its test and on how many there were of it before.
    fn judged(
        slots: usize,
        submission: &Submission,
        script: impl Fn(usize, usize, &Call<'_>) -> Outcome + Send + Sync + 'static,
    ) -> (Report, BTreeMap<usize, usize>) {
        let runs = Arc::new(Mutex::new(BTreeMap::new()));
        let count = Arc::clone(&runs);
        let fake = Arc::new(Fake::new(move |call| {
            if call.compile {
                return Ok(said(""));
            }
            let test = call.stdin().parse().unwrap();
            let before = {
                let mut count = count.lock().unwrap();
                let runs: &mut usize = count.entry(test).or_default();
                *runs += 1;
                *runs - 1
            };
            Ok(script(test, before, &call))
        }));
        let dir = tempfile::tempdir().unwrap();
        let judge = fake::judge(&fake, slots, dir.path());
        let report = judge.execute_batch(submission, &(), &Cancel::new().unwrap()).unwrap();
        assert_eq!(judge.slots().busy(), 0, "all came back");
        let runs = runs.lock().unwrap().clone();
        (report, runs)
    }

    #[test]
    fn a_limit_exceeded_under_pressure_is_run_again_and_says_so() {
        let (report, runs) = judged(2, &submission(1, StopRule::RunAll), |_, before, _| {
            if before == 0 { late(500) } else { with(said("ok"), 700, 701, 0) }
        });
        assert_eq!(runs, BTreeMap::from([(0, 2)]));
        let test = &report.tests[0];
        assert_eq!((report.verdict, test.verdict, test.cpu_ms), (AC, AC, 700.0));
        let again = test.again.as_ref().unwrap();
        assert_eq!(again.because, "it waited for a CPU for 33 % of the time");
        let other = again.other.unwrap();
        assert_eq!((other.verdict, other.cpu_ms, other.wall_ms), (TLE, 1000.0, 1500.0));
    }

    #[test]
    fn limits_exceeded_on_a_machine_that_has_nothing_else_to_do_cost_one_run_each() {
        let (report, runs) = judged(2, &submission(20, StopRule::RunAll), |_, _, _| late(10));
        assert_eq!(runs.values().sum::<usize>(), 20);
        assert!(report.tests.iter().all(|t| t.verdict == TLE && t.again.is_none()));
        assert!(report.tests.iter().all(|t| t.pressure.is_some()));
    }

    #[test]
    fn no_verdict_but_those_that_time_decides_is_looked_into() {
        let (report, runs) = judged(1, &submission(2, StopRule::RunAll), |test, _, _| match test {
            0 => with(said("wrong"), 990, 1990, 1000),
            _ => with(ended(Termination::Signalled(11)), 990, 1990, 1000),
        });
        assert_eq!(runs, BTreeMap::from([(0, 1), (1, 1)]));
        assert!(report.tests.iter().all(|t| t.again.is_none()));
    }

    #[test]
    fn who_runs_again_is_alone() {
        let most = Arc::new(AtomicUsize::new(0));
        let running = Arc::new(AtomicUsize::new(0));
        let (seen, now) = (Arc::clone(&most), Arc::clone(&running));
        let (report, runs) =
            judged(4, &submission(12, StopRule::RunAll), move |test, before, call| {
                let beside = now.fetch_add(1, Ordering::SeqCst);
                let outcome = if test == 0 && before == 0 {
                    late(500)
                } else {
                    if before == 1 {
                        seen.store(beside + 1, Ordering::SeqCst);
                    }
                    // Long enough for a neighbour to be seen, if there were one.
                    Cancel::wait_any_until(
                        &[call.cancel],
                        Some(Instant::now() + Duration::from_millis(20)),
                    )
                    .unwrap();
                    with(said("ok"), 20, 20, 0)
                };
                now.fetch_sub(1, Ordering::SeqCst);
                outcome
            });
        assert_eq!((report.verdict, runs[&0]), (AC, 2));
        assert_eq!(most.load(Ordering::SeqCst), 1, "nothing ran beside it");
    }

    #[test]
    fn a_submission_asks_for_no_more_than_its_share() {
        let (report, runs) = judged(2, &submission(10, StopRule::RunAll), |_, _, _| late(500));
        assert_eq!(runs.values().sum::<usize>(), 10 + MOST);
        let agains = report.tests.iter().map(|t| t.again.as_ref().unwrap());
        assert_eq!(agains.filter(|again| again.other.is_some()).count(), MOST);
        assert!(report.tests.iter().all(|t| t.verdict == TLE));
    }

    #[test]
    fn a_first_failure_that_was_none_lets_the_tests_behind_it_run() {
        let submission = submission(4, StopRule::FirstFailure);
        let (report, runs) = judged(1, &submission, |test, before, _| match (test, before) {
            (1, 0) => late(500),
            (3, _) => late(0),
            _ => with(said("ok"), 10, 10, 0),
        });
        let verdicts: Vec<_> = report.tests.iter().map(|t| t.verdict).collect();
        assert_eq!(verdicts, [AC, AC, AC, TLE]);
        assert_eq!(runs, BTreeMap::from([(0, 1), (1, 2), (2, 1), (3, 1)]));
    }

    #[test]
    fn an_idle_end_under_pressure_is_run_again() {
        let (report, _) = judged(1, &submission(1, StopRule::RunAll), |_, before, call| {
            let wall = u64::try_from(call.job.limits.wall.as_millis()).unwrap();
            if before == 0 {
                with(ended(Termination::WallLimit), 10, wall, wall - 20)
            } else {
                with(said("ok"), 10, 12, 0)
            }
        });
        assert_eq!(report.verdict, AC);
        assert_eq!(report.tests[0].again.as_ref().unwrap().other.unwrap().verdict, ILE);
    }

    #[test]
    fn the_better_account_is_reported() {
        let report = |verdict| TestReport { verdict, cpu_ms: 1.0, ..skipped("t") };
        let rows = [
            (TLE, Some(AC), AC, Some(TLE)),
            (TLE, Some(TLE), TLE, Some(TLE)),
            (TLE, Some(WA), WA, Some(TLE)),
            (AC, Some(AC), AC, Some(AC)),
            (AC, Some(TLE), AC, Some(TLE)),
            (AC, Some(WA), AC, Some(WA)),
            (TLE, Some(SKIPPED), TLE, None),
            (TLE, Some(IE), TLE, None),
            (TLE, None, TLE, None),
        ];
        for (first, second, reported, other) in rows {
            let second = second.map(|verdict| match verdict {
                IE => failed("t", "why".to_owned()),
                verdict => report(verdict),
            });
            let got = settled(report(first), second, "busy".to_owned());
            let again = got.again.unwrap();
            assert_eq!(got.verdict, reported);
            assert_eq!(again.other.map(|o| o.verdict), other);
            assert_eq!(again.because, "busy");
        }
    }
}
