//! What an example submission should get, and whether it did. Pure.

use std::time::Duration;

use super::glob;
use super::grading::Grades;
use crate::model::{Report, TestReport, Verdict};

/// What an example submission should get.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// A verdict of the whole submission: the folders of legacy, and annotations.
    Overall {
        /// One of these.
        verdicts: Vec<Verdict>,
        /// Not the best score there is: `partially_accepted`.
        below_best: bool,
    },
    /// Conditions on the verdicts of tests: 2025-09. All must hold.
    Tests(Vec<Rule>),
}

/// One condition of 2025-09 on the verdicts of tests.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Which tests: a pattern of test and group names; absent for all.
    pub tests: Option<String>,
    /// What every test must get.
    pub permitted: Vec<Class>,
    /// What at least one test must get.
    pub required: Vec<Class>,
    /// Lowest and highest score, of the group if `tests` names one.
    pub score: Option<(f64, f64)>,
    /// Text that the checker must say of at least one test.
    pub message: Option<String>,
    /// Which bound of the time limit it gives.
    pub bound: Option<Bound>,
}

/// The verdicts that formats know: several of ours each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// `AC`.
    Accepted,
    /// `WA`.
    Wrong,
    /// `TLE`.
    TimeLimit,
    /// `RTE`.
    RuntimeError,
}

/// How a submission bounds the time limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The limit must leave it time.
    Lower,
    /// The limit must be too short for it.
    Upper,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Accepted, Self::Wrong, Self::TimeLimit, Self::RuntimeError];

    /// Our verdicts of this class. The format has no verdict for too much memory or output:
    /// memory fails the program at run time; too much output may end it, or be wrong.
    #[must_use]
    pub const fn verdicts(self) -> &'static [Verdict] {
        match self {
            Self::Accepted => &[Verdict::Accepted],
            Self::Wrong => &[Verdict::WrongAnswer, Verdict::OutputLimit],
            Self::TimeLimit => &[Verdict::TimeLimit, Verdict::IdlenessLimit],
            Self::RuntimeError => {
                &[Verdict::RuntimeError, Verdict::MemoryLimit, Verdict::OutputLimit]
            }
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Accepted => "AC",
            Self::Wrong => "WA",
            Self::TimeLimit => "TLE",
            Self::RuntimeError => "RTE",
        }
    }
}

/// What there is to compare with: a report that was graded, and the best score there is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Got<'a> {
    pub(super) report: &'a Report,
    pub(super) grades: Option<&'a Grades>,
    pub(super) best: Option<f64>,
}

impl Expected {
    /// The verdict of all verdicts that are expected of a folder or annotation.
    pub(super) fn overall(classes: &[Class]) -> Self {
        let verdicts = classes.iter().flat_map(|c| c.verdicts()).copied().collect();
        Self::Overall { verdicts, below_best: false }
    }

    /// Whether it bounds the time limit from this side.
    #[must_use]
    pub fn bounds(&self, side: Bound) -> bool {
        match self {
            Self::Overall { verdicts, below_best: false } => {
                let class = match side {
                    Bound::Lower => Class::Accepted,
                    Bound::Upper => Class::TimeLimit,
                };
                verdicts == class.verdicts()
            }
            Self::Overall { .. } => false,
            Self::Tests(rules) => rules.iter().any(|r| r.bound == Some(side)),
        }
    }

    /// Whether some of it is said of some tests only.
    pub(super) fn is_scoped(&self) -> bool {
        matches!(self, Self::Tests(rules) if rules.iter().any(|r| r.tests.is_some()))
    }

    /// The longest CPU time of the tests that bound the time limit from this side; `None` when
    /// none does.
    pub(super) fn slowest(&self, side: Bound, tests: &[TestReport]) -> Option<Duration> {
        let of = |pattern: Option<&str>| {
            let matching = tests.iter().filter(|t| in_scope(pattern, t));
            matching.map(|t| t.cpu_ms).max_by(f64::total_cmp)
        };
        let slowest = match self {
            Self::Overall { .. } if self.bounds(side) => of(None),
            Self::Overall { .. } => None,
            Self::Tests(rules) => rules
                .iter()
                .filter(|r| r.bound == Some(side))
                .filter_map(|r| of(r.tests.as_deref()))
                .max_by(f64::total_cmp),
        };
        slowest.map(|ms| Duration::from_secs_f64(ms.max(0.0) / 1000.0))
    }

    /// Why the report is not what was expected; `None` when it is.
    pub(super) fn differs(&self, got: Got<'_>) -> Option<String> {
        match self {
            Self::Overall { verdicts, below_best } => {
                let Report { verdict, score, .. } = got.report;
                if !verdicts.contains(verdict) {
                    return Some(format!("got {verdict}, expected {}", list(verdicts, " or ")));
                }
                if *below_best && score.is_some() && *score == got.best {
                    return Some("got the best score there is, expected less".to_owned());
                }
                None
            }
            Self::Tests(rules) => {
                let verdict = got.report.verdict;
                if matches!(verdict, Verdict::CompileError | Verdict::InternalError) {
                    return Some(format!("got {verdict}, expected it to run"));
                }
                rules.iter().find_map(|rule| rule.broken(got))
            }
        }
    }
}

impl Rule {
    fn broken(&self, got: Got<'_>) -> Option<String> {
        let scope = self.tests.as_deref();
        let tests = || got.report.tests.iter().filter(|t| in_scope(scope, t));
        let at = scope.map(|s| format!(" in {s}")).unwrap_or_default();
        let is = |t: &TestReport, classes: &[Class]| {
            classes.iter().any(|c| c.verdicts().contains(&t.verdict))
        };
        let codes =
            |classes: &[Class]| list(&classes.iter().map(|c| c.code()).collect::<Vec<_>>(), " or ");
        if tests().next().is_none() {
            return Some(format!("no test or group matches {}", scope.unwrap_or("*")));
        }
        if let Some(test) = tests().find(|t| !is(t, &self.permitted)) {
            let TestReport { name, verdict, .. } = test;
            return Some(format!("got {verdict} on {name}, permitted {}", codes(&self.permitted)));
        }
        if !tests().any(|t| is(t, &self.required)) {
            return Some(format!("no test{at} got {}", codes(&self.required)));
        }
        if let Some((low, high)) = self.score {
            let score = got.grades.and_then(|grades| match scope {
                None => Some(grades.total.score),
                Some(scope) => grades.groups.iter().find(|g| g.name == scope).map(|g| g.score),
            });
            match score {
                Some(score) if (low..=high).contains(&score) => {}
                Some(score) => {
                    return Some(format!("got the score {score}{at}, expected {low} to {high}"));
                }
                None => {
                    return Some(format!("there is no score{at} to compare with {low} to {high}"));
                }
            }
        }
        match &self.message {
            Some(text)
                if !tests().any(|t| t.message.as_deref().is_some_and(|m| m.contains(text))) =>
            {
                Some(format!("the checker said {text:?} of no test{at}"))
            }
            _ => None,
        }
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Overall { verdicts, below_best } => {
                f.write_str(&list(verdicts, " or "))?;
                if *below_best { f.write_str(" with less than the best score") } else { Ok(()) }
            }
            Self::Tests(rules) => {
                for (index, rule) in rules.iter().enumerate() {
                    let and = if index == 0 { "" } else { "; " };
                    let codes = |classes: &[Class]| {
                        list(&classes.iter().map(|c| c.code()).collect::<Vec<_>>(), ",")
                    };
                    let scope = rule.tests.as_deref().map(|s| format!("{s}: "));
                    let scope = scope.unwrap_or_default();
                    write!(f, "{and}{scope}all {}", codes(&rule.permitted))?;
                    if rule.required != Class::ALL {
                        write!(f, ", some {}", codes(&rule.required))?;
                    }
                }
                if rules.is_empty() { f.write_str("anything") } else { Ok(()) }
            }
        }
    }
}

fn in_scope(pattern: Option<&str>, test: &TestReport) -> bool {
    pattern.is_none_or(|p| glob::matches(p, &test.name))
}

fn list<T: ToString>(items: &[T], separator: &str) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(separator)
}
