//! From the results of the tests to that of the problem. Pure.

use crate::model::{StopRule, TestReport, Verdict};

pub mod latest;
pub mod legacy;

/// How the results of the tests become one, as the package says.
#[derive(Debug, Clone, PartialEq)]
pub enum Grading {
    /// Legacy: the default grader with the flags of each group.
    Legacy(legacy::Group),
    /// 2025-09, pass-fail: accepted when every test is.
    PassFail,
    /// 2025-09, scoring.
    Scoring(latest::Scoring),
}

/// The result of a problem, or of one of its groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Grade {
    /// The group: `sample`, `secret`, `secret/…`; empty for the problem as a whole.
    pub name: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// Its score; says nothing in a pass-fail problem.
    pub score: f64,
}

/// The result of a problem and of its groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Grades {
    /// The whole.
    pub total: Grade,
    /// Each group that was judged, those within a group before it.
    pub groups: Vec<Grade>,
}

/// A score of the validator that the format does not allow: the judge's failure.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The validator accepts without a score where it must give one.
    #[error("the validator accepted test {test:?} without writing score.txt")]
    NoScore {
        /// Which test.
        test: String,
    },
    /// More than there is to get.
    #[error("{name:?} has the score {score}, more than its maximum {max}")]
    TooMuch {
        /// The test or group.
        name: String,
        /// What it got.
        score: f64,
        /// What there is to get.
        max: f64,
    },
}

/// Who gives the scores of tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scorer {
    /// The package, by group.
    Package,
    /// The validator may.
    Validator,
    /// The validator must.
    ValidatorAlways,
}

impl Grading {
    /// Whether the first test that is not accepted settles the result, so that no other need run.
    #[must_use]
    pub fn stop_rule(&self) -> StopRule {
        let settled = match self {
            Self::Legacy(root) => root.first_failure_settles(),
            Self::PassFail => true,
            Self::Scoring(_) => false,
        };
        if settled { StopRule::FirstFailure } else { StopRule::RunAll }
    }

    pub(super) fn grade(&self, tests: &[TestReport], scorer: Scorer) -> Result<Grades, Fault> {
        match self {
            Self::Legacy(root) => legacy::grade(root, tests, scorer),
            Self::PassFail => Ok(pass_fail(tests)),
            Self::Scoring(scoring) => latest::grade(scoring, tests, scorer),
        }
    }
}

fn pass_fail(tests: &[TestReport]) -> Grades {
    let verdict = first_failure(tests.iter());
    let score = if verdict == Verdict::Accepted { 1.0 } else { 0.0 };
    Grades { total: Grade { name: String::new(), verdict, score }, groups: Vec::new() }
}

/// The verdict of the first test that is not accepted; that of the judge's own failure wins.
fn first_failure<'a>(tests: impl Iterator<Item = &'a TestReport> + Clone) -> Verdict {
    let mut verdicts = tests.map(|t| t.verdict);
    if verdicts.clone().any(|v| v == Verdict::InternalError) {
        return Verdict::InternalError;
    }
    verdicts.find(|v| *v != Verdict::Accepted).unwrap_or(Verdict::Accepted)
}

#[cfg(test)]
pub(super) mod fixture {
    use crate::model::{Blob, TestTimes};

    use super::*;

    /// A report of each verdict, with the score of the checker, if it gave one.
    pub(in crate::problem) fn reports(of: &[(Verdict, Option<f64>)]) -> Vec<TestReport> {
        let report = |(index, (verdict, score)): (usize, &(Verdict, Option<f64>))| TestReport {
            name: format!("t{index}"),
            verdict: *verdict,
            score: *score,
            cpu_ms: 0.0,
            wall_ms: 0.0,
            memory_bytes: 0,
            exit_code: None,
            signal: None,
            status: None,
            message: None,
            team_message: None,
            stdout: Blob::from(""),
            stdout_truncated: false,
            stderr: Blob::from(""),
            stderr_truncated: false,
            times: TestTimes::default(),
            pressure: None,
            again: None,
        };
        of.iter().enumerate().map(report).collect()
    }

    /// Verdicts by letter: `A`ccepted, `W`rong, `T`ime, `R`untime error, `M`emory, `I`nternal,
    /// `-` skipped; `A5` is accepted with the score 5.
    pub(in crate::problem) fn results(text: &str) -> Vec<TestReport> {
        let word = |word: &str| {
            let (letter, score) = word.split_at(1);
            let verdict = match letter {
                "A" => Verdict::Accepted,
                "W" => Verdict::WrongAnswer,
                "T" => Verdict::TimeLimit,
                "R" => Verdict::RuntimeError,
                "M" => Verdict::MemoryLimit,
                "I" => Verdict::InternalError,
                "-" => Verdict::Skipped,
                _ => panic!("{word:?}"),
            };
            (verdict, score.parse().ok())
        };
        reports(&text.split_whitespace().map(word).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::results;
    use super::*;

    #[test]
    fn pass_fail_takes_the_first_failure_and_never_hides_the_judges_own() {
        for (tests, verdict) in [
            ("", Verdict::Accepted),
            ("A A", Verdict::Accepted),
            ("A T W", Verdict::TimeLimit),
            ("W - -", Verdict::WrongAnswer),
            ("W I", Verdict::InternalError),
        ] {
            let grades = Grading::PassFail.grade(&results(tests), Scorer::Package).unwrap();
            assert_eq!(grades.total.verdict, verdict, "{tests:?}");
        }
        assert_eq!(Grading::PassFail.stop_rule(), StopRule::FirstFailure);
    }
}
