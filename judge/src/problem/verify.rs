//! Runs the example submissions of a package and compares what they get with what they should.
//!
//! First those that the time limit must leave time, then the limit, then the rest; so each is
//! judged under the limit that the package as a whole has.

use std::time::Duration;

use sandbox::{BoxedError, Cancel};

use super::expected::{Bound, Got};
use super::time_limit::{Error, TimeLimit};
use super::{Example, Problem, Version};
use crate::model::{LimitsSpec, Report, StopRule, Submission, Verdict};
use crate::{Judge, Observer};

/// CPU time of a test while the limit is still to be derived: beyond what any accepted submission
/// of a sane package takes, and short enough to wait for one that never ends.
const GENEROUS: Duration = Duration::from_secs(60);

/// Who judges the examples: the judge of this crate, or a script of a test.
trait Judging {
    fn judge(&self, example: &Example, submission: &Submission) -> Result<Report, BoxedError>;
}

struct Watched<'a> {
    judge: &'a Judge,
    observer: &'a dyn Observer,
    cancel: &'a Cancel,
}

impl Judging for Watched<'_> {
    fn judge(&self, _: &Example, submission: &Submission) -> Result<Report, BoxedError> {
        let report = self.judge.execute_batch(submission, self.observer, self.cancel)?;
        // Half a report would be compared as if it were whole.
        if self.cancel.is_cancelled() {
            Err("the verification was withdrawn".into())
        } else {
            Ok(report)
        }
    }
}

/// What came of a package.
#[derive(Debug)]
pub struct Verification {
    /// The limit the examples were judged under, and where it is from.
    pub time_limit: Result<TimeLimit, Error>,
    /// One a submission, in the order in which they were run.
    pub rows: Vec<Row>,
    /// What is odd, yet no difference.
    pub warnings: Vec<String>,
}

/// One example submission.
#[derive(Debug)]
pub struct Row {
    /// The submission, with what it should get.
    pub example: Example,
    /// What it got, graded; absent when it could not be judged.
    pub got: Option<Report>,
    /// How the two compare.
    pub status: Status,
}

/// How an example did.
#[derive(Debug)]
pub enum Status {
    /// As expected.
    Ok,
    /// Not as expected, and why.
    Differs(String),
    /// It could not be judged.
    Unjudged(BoxedError),
}

impl Verification {
    /// Whether every example did as expected.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.time_limit.is_ok() && self.rows.iter().all(|r| matches!(r.status, Status::Ok))
    }
}

/// Verifies a package. `observer` watches the tests, `done` sees each row as soon as it is known.
/// Once `cancel` is set, what is left is [`Status::Unjudged`].
pub fn verify(
    problem: &Problem,
    judge: &Judge,
    observer: &dyn Observer,
    cancel: &Cancel,
    done: &mut dyn FnMut(&Row),
) -> Verification {
    run(problem, &Watched { judge, observer, cancel }, done)
}

fn run(problem: &Problem, judging: &dyn Judging, done: &mut dyn FnMut(&Row)) -> Verification {
    let mut run = Run { problem, judging, done, rows: Vec::new(), warnings: Vec::new() };
    let (first, rest): (Vec<_>, Vec<_>) =
        problem.examples.iter().partition(|e| e.expected.bounds(Bound::Lower));
    let time_limit = run.lower(&first);
    if let Ok(TimeLimit { limit, .. }) = &time_limit {
        // Those that must be too slow come last: they take the longest.
        let (slow, others): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|e| e.expected.bounds(Bound::Upper));
        for example in others {
            let row = run.judge(example, *limit);
            run.push(row);
        }
        for example in slow {
            run.upper(example, *limit);
        }
    }
    let Run { rows, warnings, .. } = run;
    Verification { time_limit, rows, warnings }
}

struct Run<'a> {
    problem: &'a Problem,
    judging: &'a dyn Judging,
    done: &'a mut dyn FnMut(&Row),
    rows: Vec<Row>,
    warnings: Vec<String>,
}

impl Run<'_> {
    /// Judges those that the limit must leave time, and finds the limit.
    fn lower(&mut self, examples: &[&Example]) -> Result<TimeLimit, Error> {
        let rule = &self.problem.time;
        let first = rule.given.map_or(GENEROUS, |(limit, _)| limit);
        let mut slowest: Option<(String, Duration)> = None;
        let mut again = Vec::new();
        for example in examples {
            let row = self.judge(example, first);
            // One that is stopped by the clock does not say how long it takes.
            let tests = row.got.as_ref().filter(|r| r.verdict != Verdict::TimeLimit);
            let took = tests.and_then(|r| example.expected.slowest(&r.tests));
            if let Some(took) = took
                && slowest.as_ref().is_none_or(|(_, most)| took > *most)
            {
                slowest = Some((example.path.display().to_string(), took));
            }
            // Other tests than those that bound the limit may take longer than it.
            if rule.given.is_none() && example.expected.is_scoped() {
                again.push(*example);
            } else {
                self.push(row);
            }
        }
        let slowest = slowest.as_ref().map(|(name, took)| (name.as_str(), *took));
        let found = rule.limit(slowest)?;
        if let Some(slowest) = slowest {
            self.warnings.extend(rule.too_short(found.limit, slowest));
        }
        for example in again {
            let row = self.judge(example, found.limit);
            self.push(row);
        }
        Ok(found)
    }

    /// Judges one that must be too slow. Too slow with the margin is too slow without.
    fn upper(&mut self, example: &Example, limit: Duration) {
        let longer = self.problem.time.with_margin(limit);
        let with_margin = self.judge(example, longer);
        let settled = !matches!(with_margin.status, Status::Differs(_));
        if settled && !example.expected.is_scoped() {
            self.push(with_margin);
            return;
        }
        let mut row = self.judge(example, limit);
        if !settled && matches!(row.status, Status::Ok) {
            let (name, seconds) = (example.path.display(), longer.as_secs_f64());
            let margin = self.problem.time.margin;
            let text = format!(
                "{name} is too slow for the time limit, but not for {margin} times it ({seconds} s)"
            );
            // "It is an error if no such multiple exists": 2025-09. Legacy asks for a margin only.
            match self.problem.version {
                Version::Legacy => self.warnings.push(text),
                Version::V2025_09 => row.status = Status::Differs(text),
            }
        }
        self.push(row);
    }

    fn judge(&self, example: &Example, limit: Duration) -> Row {
        let (got, status) = match self.report(example, limit) {
            Ok(report) => {
                let status = self.compare(example, &report);
                (Some(self.problem.grade(&report)), status)
            }
            Err(error) => (None, Status::Unjudged(error)),
        };
        Row { example: example.clone(), got, status }
    }

    fn report(&self, example: &Example, limit: Duration) -> Result<Report, BoxedError> {
        let Example { files, entry, language, .. } = example;
        let language = language.as_deref().ok_or(
            "its files do not say its language; name it in submissions.yaml or by their endings",
        )?;
        let mut submission = self.problem.submission(language, files.clone(), entry.clone())?;
        let ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        submission.limits = LimitsSpec { cpu_ms: Some(ms), ..submission.limits };
        if !example.expected.rules.is_empty() {
            // What is said of all tests wants all of them run.
            submission.stop = StopRule::RunAll;
        }
        self.judging.judge(example, &submission)
    }

    fn compare(&self, example: &Example, report: &Report) -> Status {
        let graded = self.problem.grade(report);
        if graded.verdict == Verdict::InternalError {
            let why = graded.error.unwrap_or_else(|| "no reason is known".to_owned());
            return Status::Differs(format!("the judge failed: {why}"));
        }
        let grades = self.problem.grades(report).and_then(Result::ok);
        let best = self.problem.best_score();
        let got = Got { report, graded: &graded, grades: grades.as_ref(), best };
        example.expected.differs(got).map_or(Status::Ok, Status::Differs)
    }

    fn push(&mut self, row: Row) {
        (self.done)(&row);
        self.rows.push(row);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::super::grading::fixture::results;
    use super::super::package::fixture::folder;
    use super::*;
    use crate::model::StageTimes;

    /// What a submission does on each test: a verdict and the CPU time it needs, such as
    /// `"A100 W20"`; what needs more than the limit is too slow. `CE` does not compile.
    struct Script {
        does: Vec<(&'static str, &'static str)>,
        runs: RefCell<Vec<(String, u64)>>,
    }

    impl Judging for Script {
        fn judge(&self, example: &Example, submission: &Submission) -> Result<Report, BoxedError> {
            let path = example.path.display().to_string();
            let limit = submission.limits.cpu_ms.unwrap();
            let (_, does) = self.does.iter().find(|(p, _)| *p == path).ok_or("no compiler")?;
            self.runs.borrow_mut().push((path, limit));
            let mut tests = if *does == "CE" { Vec::new() } else { results(does) };
            for (test, of) in tests.iter_mut().zip(&submission.tests) {
                test.name = of.name.clone();
                test.cpu_ms = test.score.take().unwrap_or(0.0);
                if test.cpu_ms > limit as f64 {
                    test.verdict = Verdict::TimeLimit;
                }
            }
            let failed = tests.iter().position(|t| t.verdict != Verdict::Accepted);
            if let (Some(failed), StopRule::FirstFailure) = (failed, submission.stop) {
                tests[failed + 1..].iter_mut().for_each(|t| t.verdict = Verdict::Skipped);
            }
            let verdict = match failed {
                _ if *does == "CE" => Verdict::CompileError,
                Some(failed) => tests[failed].verdict,
                None => Verdict::Accepted,
            };
            Ok(Report {
                verdict,
                score: None,
                first_failure: failed,
                language: submission.language.clone(),
                limits: None,
                toolchain: String::new(),
                engine: String::new(),
                compile: None,
                tests,
                error: None,
                times: StageTimes::default(),
            })
        }
    }

    /// Verifies a package of two tests, one a sample. Gives the result in words, and the runs.
    fn verified(
        files: &[(&str, &str)],
        does: &[(&'static str, &'static str)],
    ) -> (Vec<String>, Vec<(String, u64)>) {
        let tests = [
            ("data/sample/1.in", ""),
            ("data/sample/1.ans", ""),
            ("data/secret/1.in", ""),
            ("data/secret/1.ans", ""),
        ];
        let dir = folder(&[files, &tests[..]].concat());
        for (path, _) in does {
            let path = dir.path().join("submissions").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            if !path.exists() {
                std::fs::write(path, "").unwrap();
            }
        }
        let problem = Problem::open(dir.path()).unwrap();
        let script = Script { does: does.to_vec(), runs: RefCell::default() };
        let mut seen = 0;
        let found = super::run(&problem, &script, &mut |_| seen += 1);
        assert_eq!(seen, found.rows.len());
        let mut words = vec![match &found.time_limit {
            Ok(limit) => limit.to_string(),
            Err(error) => error.to_string(),
        }];
        words.extend(found.rows.iter().map(|row| {
            let status = match &row.status {
                Status::Ok => "ok".to_owned(),
                Status::Differs(why) => why.clone(),
                Status::Unjudged(error) => format!("unjudged: {error}"),
            };
            format!("{}: {status}", row.example.path.display())
        }));
        let fine = words[1..].iter().all(|w| w.ends_with(": ok")) && found.time_limit.is_ok();
        assert_eq!(found.ok(), fine);
        words.extend(found.warnings);
        (words, script.runs.into_inner())
    }

    const LATEST: (&str, &str) =
        ("problem.yaml", "problem_format_version: 2025-09\nname: x\nuuid: u\n");

    #[test]
    fn a_limit_is_derived_before_the_others_are_judged_under_it() {
        let (words, runs) = verified(
            &[("problem.yaml", "limits: {time_multiplier: 4, time_safety_margin: 3}")],
            &[
                ("accepted/a.py", "A100 A300"),
                ("accepted/b.py", "A100 A450"),
                ("run_time_error/c.py", "A100 R10"),
                ("time_limit_exceeded/d.py", "A100 A9000"),
                ("wrong_answer/e.py", "A100 R10"),
                ("wrong_answer/f.py", "A100 W3000"),
            ],
        );
        assert_eq!(
            words,
            [
                "2 s (0.450 s of accepted/b.py times 4, rounded up to 1 s)",
                "accepted/a.py: ok",
                "accepted/b.py: ok",
                "run_time_error/c.py: ok",
                "wrong_answer/e.py: got RE, expected WA or OLE",
                "wrong_answer/f.py: got TLE, expected WA or OLE",
                "time_limit_exceeded/d.py: ok",
            ]
        );
        let limits: Vec<u64> = runs.iter().map(|(_, limit)| *limit).collect();
        assert_eq!(limits, [60_000, 60_000, 2000, 2000, 2000, 6000]);
    }

    #[test]
    fn a_given_limit_holds_and_one_that_is_too_short_is_told() {
        let (words, runs) = verified(
            &[("problem.yaml", ""), (".timelimit", "1.5\n")],
            &[("accepted/a.py", "A100 A700"), ("accepted/b.py", "A100 A1600")],
        );
        assert_eq!(
            words,
            [
                "1.5 s (given by .timelimit)",
                "accepted/a.py: ok",
                "accepted/b.py: got TLE, expected AC",
                "the time limit of 1.5 s is less than 5 times what accepted/a.py takes (0.700 s)",
            ]
        );
        assert_eq!(runs.iter().map(|(_, limit)| *limit).collect::<Vec<_>>(), [1500, 1500]);
    }

    #[test]
    fn too_slow_without_the_margin_is_a_warning_in_legacy_and_a_difference_since() {
        let does = [("accepted/a.py", "A100 A100"), ("time_limit_exceeded/b.py", "A100 A1100")];
        let text =
            "time_limit_exceeded/b.py is too slow for the time limit, but not for 2 times it (2 s)";
        let (words, runs) = verified(&[("problem.yaml", "")], &does);
        assert_eq!(words[1..], ["accepted/a.py: ok", "time_limit_exceeded/b.py: ok", text]);
        assert_eq!(runs.iter().map(|(_, limit)| *limit).collect::<Vec<_>>(), [60_000, 2000, 1000]);
        let (words, _) = verified(&[LATEST], &does);
        assert!(words[2].starts_with("time_limit_exceeded/b.py: time_limit_exceeded/b.py is too"));
    }

    #[test]
    fn without_an_accepted_submission_only_what_needs_no_limit_is_judged() {
        let does = [("accepted/a.py", "A100 A99000"), ("wrong_answer/b.py", "W1 W1")];
        let (words, runs) = verified(&[("problem.yaml", "")], &does);
        assert!(words[0].starts_with("no accepted submission ran to its end"), "{words:?}");
        assert_eq!(words[1..], ["accepted/a.py: got TLE, expected AC"]);
        assert_eq!(runs.len(), 1);
    }

    #[test]
    fn the_latest_format_looks_at_every_test() {
        let rules = "'*/mixed.py':\n  sample: {permitted: [AC]}\n  secret/1: {required: [TLE]}\n";
        let (words, _) = verified(
            &[LATEST, ("submissions/submissions.yaml", rules)],
            &[
                ("accepted/a.py", "A100 A800"),
                ("wrong_answer/b.py", "W10 R10"),
                ("other/mixed.py", "A100 A5000"),
                ("rejected/c.py", "A1 A1"),
                ("rejected/d.py", "CE"),
            ],
        );
        assert_eq!(
            words,
            [
                "2 s (0.800 s of accepted/a.py times 2, rounded up to 1 s)",
                "accepted/a.py: ok",
                "wrong_answer/b.py: got RE on secret/1, permitted AC or WA",
                "other/mixed.py: ok",
                "rejected/c.py: no test got RTE or TLE or WA",
                "rejected/d.py: got CE, expected it to compile",
            ]
        );
    }

    #[test]
    fn what_cannot_be_judged_says_why() {
        let (words, _) = verified(
            &[
                ("problem.yaml", "limits: {code: 1}"),
                (".timelimit", "1"),
                ("submissions/accepted/none.py", ""),
                ("submissions/accepted/mixed/a.py", ""),
                ("submissions/accepted/mixed/b.rb", ""),
                ("submissions/accepted/large.py", &"x".repeat(1025)),
            ],
            &[("accepted/large.py", "A1 A1")],
        );
        assert_eq!(
            words[1..],
            [
                "accepted/large.py: unjudged: the source files have 1 KiB together; the problem \
                 takes at most 1 KiB",
                "accepted/mixed: unjudged: its files do not say its language; name it in \
                 submissions.yaml or by their endings",
                "accepted/none.py: unjudged: no compiler",
            ]
        );
    }
}
