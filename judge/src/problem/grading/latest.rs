//! Version 2025-09, scoring problems: "Result aggregation" of the format.

use serde::Deserialize;

use super::{Fault, Grade, Grades, Scorer, first_failure};
use crate::model::{TestReport, Verdict};

/// How a scoring problem is scored.
#[derive(Debug, Clone, PartialEq)]
pub struct Scoring {
    /// Positions of the tests of `sample`, which give no score.
    pub sample: Vec<usize>,
    /// The whole of the secret data; has tests only if there are no groups.
    pub secret: Group,
    /// Its groups.
    pub groups: Vec<Group>,
}

/// A group of tests.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// `secret` or `secret/…`.
    pub name: String,
    /// The most it gives; `None` is unbounded.
    pub max: Option<f64>,
    /// How its score is made.
    pub aggregation: Aggregation,
    /// Groups, or `sample`, of which every test must be accepted for this one to count.
    pub requires: Vec<String>,
    /// Positions of its tests.
    pub tests: Vec<usize>,
}

/// How scores become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aggregation {
    /// All or nothing.
    PassFail,
    /// Their sum.
    Sum,
    /// The least.
    Min,
}

pub(super) fn grade(
    scoring: &Scoring,
    tests: &[TestReport],
    scorer: Scorer,
) -> Result<Grades, Fault> {
    let Scoring { sample, secret, groups } = scoring;
    let verdict = |of: &[usize]| first_failure(of.iter().map(|i| &tests[*i]));
    let mut graded =
        vec![Grade { name: "sample".to_owned(), verdict: verdict(sample), score: 0.0 }];
    for group in groups {
        let grade = group_grade(group, verdict(&group.tests), tests, scorer, &graded)?;
        graded.push(grade);
    }
    let mut total = if groups.is_empty() {
        group_grade(secret, verdict(&secret.tests), tests, scorer, &graded)?
    } else {
        let failure = graded[1..].iter().map(|g| g.verdict).find(|v| *v != Verdict::Accepted);
        let verdict = failure.unwrap_or(Verdict::Accepted);
        let scores = graded[1..].iter().map(|g| g.score);
        let score = match secret.aggregation {
            _ if !satisfied(secret, &graded) => 0.0,
            Aggregation::PassFail => full(secret, verdict),
            Aggregation::Sum => scores.sum(),
            Aggregation::Min => scores.fold(f64::INFINITY, f64::min),
        };
        within(&secret.name, score, secret.max)?;
        Grade { name: secret.name.clone(), verdict, score }
    };
    graded.push(total.clone());
    total.name.clear();
    total.verdict = first_failure(tests.iter());
    Ok(Grades { total, groups: graded })
}

fn group_grade(
    group: &Group,
    verdict: Verdict,
    tests: &[TestReport],
    scorer: Scorer,
    before: &[Grade],
) -> Result<Grade, Fault> {
    let Group { name, max, aggregation, tests: own, .. } = group;
    let grade = |verdict, score| Grade { name: name.clone(), verdict, score };
    if !satisfied(group, before) {
        // "All test cases in the group are treated as having received a verdict that is not
        // accepted."
        return Ok(grade(Verdict::Skipped, 0.0));
    }
    let score = match aggregation {
        Aggregation::PassFail => return Ok(grade(verdict, full(group, verdict))),
        Aggregation::Min => *max,
        #[allow(clippy::cast_precision_loss, reason = "a group has far fewer than 2^52 tests")]
        Aggregation::Sum => max.map(|max| max / own.len() as f64),
    };
    let each = own.iter().map(|i| test_score(&tests[*i], score, scorer));
    let each = each.collect::<Result<Vec<_>, _>>()?;
    let score = match aggregation {
        Aggregation::Min => each.into_iter().fold(f64::INFINITY, f64::min),
        Aggregation::Sum | Aggregation::PassFail => each.into_iter().sum(),
    };
    within(name, score, *max)?;
    Ok(grade(verdict, score))
}

fn satisfied(group: &Group, before: &[Grade]) -> bool {
    group
        .requires
        .iter()
        .all(|name| before.iter().any(|g| g.name == *name && g.verdict == Verdict::Accepted))
}

fn full(group: &Group, verdict: Verdict) -> f64 {
    if verdict == Verdict::Accepted { group.max.unwrap_or(0.0) } else { 0.0 }
}

fn test_score(test: &TestReport, max: Option<f64>, scorer: Scorer) -> Result<f64, Fault> {
    if test.verdict != Verdict::Accepted {
        return Ok(0.0);
    }
    let given = if scorer == Scorer::Package { None } else { test.score };
    match given.or(max) {
        Some(score) => within(&test.name, score, max),
        None => Err(Fault::NoScore { test: test.name.clone() }),
    }
}

/// The score, unless it is more than there is to get; sums may be off by their rounding.
fn within(name: &str, score: f64, max: Option<f64>) -> Result<f64, Fault> {
    match max {
        Some(max) if score > max * (1.0 + 1e-9) => {
            Err(Fault::TooMuch { name: name.to_owned(), score, max })
        }
        _ => Ok(score),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::results;
    use super::*;

    fn group(
        name: &str,
        max: Option<f64>,
        aggregation: Aggregation,
        requires: &[&str],
        tests: std::ops::Range<usize>,
    ) -> Group {
        let requires = requires.iter().map(|r| (*r).to_owned()).collect();
        Group { name: name.to_owned(), max, aggregation, requires, tests: tests.collect() }
    }

    fn run(scoring: &Scoring, tests: &str, scorer: Scorer) -> Result<(Verdict, f64), Fault> {
        grade(scoring, &results(tests), scorer).map(|g| (g.total.verdict, g.total.score))
    }

    use Aggregation::{Min, PassFail, Sum};
    use Verdict::{Accepted as A, InternalError as I, WrongAnswer as W};

    /// One sample and tests 1..4 directly in `secret`.
    fn flat(max: Option<f64>, aggregation: Aggregation) -> Scoring {
        let secret = group("secret", max, aggregation, &["sample"], 1..4);
        Scoring { sample: vec![0], secret, groups: Vec::new() }
    }

    #[test]
    fn tests_without_groups_share_the_score_of_secret() {
        let (package, validator) = (Scorer::Package, Scorer::Validator);
        for (scoring, tests, scorer, expected) in [
            (flat(Some(90.0), Sum), "A A A A", package, Ok((A, 90.0))),
            (flat(Some(90.0), Sum), "A A W A", package, Ok((W, 60.0))),
            (flat(Some(90.0), Sum), "W A A A", package, Ok((W, 0.0))),
            (flat(Some(90.0), PassFail), "A A A A", package, Ok((A, 90.0))),
            (flat(Some(90.0), PassFail), "A A W A", package, Ok((W, 0.0))),
            (flat(Some(90.0), Min), "A A A A", package, Ok((A, 90.0))),
            (flat(Some(90.0), Sum), "A A A12 A0", validator, Ok((A, 42.0))),
            (flat(Some(90.0), Min), "A A50 A A40", validator, Ok((A, 40.0))),
            (flat(None, Sum), "A9 A1 A2 A3000", validator, Ok((A, 3002.0 + 1.0))),
            (flat(Some(90.0), Sum), "A I A A", package, Ok((I, 60.0))),
            (
                flat(None, Sum),
                "A A1 A A2",
                validator,
                Err(Fault::NoScore { test: "t2".to_owned() }),
            ),
            (
                flat(Some(90.0), Sum),
                "A A31 A A",
                validator,
                Err(Fault::TooMuch { name: "t1".to_owned(), score: 31.0, max: 30.0 }),
            ),
        ] {
            assert_eq!(run(&scoring, tests, scorer), expected, "{tests:?} {scoring:?}");
        }
    }

    /// Sample 0; group 1 (tests 1, 2) passes or fails for 20; group 2 (tests 3, 4) sums to 30 once
    /// group 1 passes; group 3 (test 5) gives up to 50.
    fn grouped(aggregation: Aggregation) -> Scoring {
        Scoring {
            sample: vec![0],
            secret: group("secret", Some(100.0), aggregation, &[], 0..0),
            groups: vec![
                group("secret/1", Some(20.0), PassFail, &["sample"], 1..3),
                group("secret/2", Some(30.0), Sum, &["secret/1"], 3..5),
                group("secret/3", Some(50.0), Min, &[], 5..6),
            ],
        }
    }

    #[test]
    fn groups_count_once_what_they_require_passes() {
        for (aggregation, tests, expected) in [
            (Sum, "A A A A A A", (A, 100.0)),
            (Sum, "A A A A W A", (W, 85.0)),
            (Sum, "A A W A A A", (W, 50.0)),
            (Sum, "W A A A A A", (W, 50.0)),
            (Min, "A A A A A A", (A, 20.0)),
            (Min, "A A A W A A", (W, 15.0)),
        ] {
            let found = run(&grouped(aggregation), tests, Scorer::Package);
            assert_eq!(found, Ok(expected), "{tests:?}");
        }
    }

    #[test]
    fn groups_that_sum_to_more_than_secret_gives_are_a_fault() {
        let mut scoring = grouped(Sum);
        scoring.secret.max = Some(99.0);
        let fault = Fault::TooMuch { name: "secret".to_owned(), score: 100.0, max: 99.0 };
        assert_eq!(run(&scoring, "A A A A A A", Scorer::Package), Err(fault));
    }
}
