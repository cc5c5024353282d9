//! What an example submission should get, and whether it did. Pure.

use std::fmt;
use std::time::Duration;

use super::glob;
use super::grading::Grades;
use crate::model::{Report, TestReport, Verdict};

/// What an example submission should get. All that is said must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expected {
    /// Its verdict, as graded, is one of these: a folder of legacy. None says nothing.
    pub graded: Vec<Verdict>,
    /// Its verdict before grading, that of the first test that fails or of the compiler, is one
    /// of these: an annotation. None says nothing.
    pub annotated: Vec<Verdict>,
    /// Its score: an annotation.
    pub score: Option<f64>,
    /// Its score is not the best there is: `partially_accepted`.
    pub below_best: bool,
    /// Conditions on the verdicts of tests: 2025-09.
    pub rules: Vec<Rule>,
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

/// What there is to compare with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Got<'a> {
    /// As the judge gave it.
    pub(super) report: &'a Report,
    /// As graded.
    pub(super) graded: &'a Report,
    /// By group; absent when nothing was run.
    pub(super) grades: Option<&'a Grades>,
    /// The best score there is.
    pub(super) best: Option<f64>,
}

impl Expected {
    /// What a folder of legacy says.
    pub(super) fn folder(classes: &[Class]) -> Self {
        let graded = classes.iter().flat_map(|c| c.verdicts()).copied().collect();
        Self { graded, ..Self::default() }
    }

    /// Whether it bounds the time limit from this side.
    #[must_use]
    pub fn bounds(&self, side: Bound) -> bool {
        let class = match side {
            Bound::Lower => Class::Accepted,
            Bound::Upper => Class::TimeLimit,
        };
        let only = |verdicts: &[Verdict]| {
            !verdicts.is_empty() && verdicts.iter().all(|v| class.verdicts().contains(v))
        };
        self.rules.iter().any(|r| r.bound == Some(side))
            || only(&self.annotated)
            || self.annotated.is_empty() && only(&self.graded) && !self.below_best
    }

    /// Whether some of it is said of some tests only.
    pub(super) fn is_scoped(&self) -> bool {
        self.rules.iter().any(|r| r.tests.is_some())
    }

    /// The longest CPU time of the tests that must be in time; `None` when none must.
    pub(super) fn slowest(&self, tests: &[TestReport]) -> Option<Duration> {
        let of = |pattern: Option<&str>| {
            let matching = tests.iter().filter(|t| in_scope(pattern, t));
            matching.map(|t| t.cpu_ms).max_by(f64::total_cmp)
        };
        let rules = self.rules.iter().filter(|r| r.bound == Some(Bound::Lower));
        let slowest = if self.rules.is_empty() && self.bounds(Bound::Lower) {
            of(None)
        } else {
            rules.filter_map(|r| of(r.tests.as_deref())).max_by(f64::total_cmp)
        };
        slowest.map(|ms| Duration::from_secs_f64(ms.max(0.0) / 1000.0))
    }

    /// Why the report is not what was expected; `None` when it is.
    pub(super) fn differs(&self, got: Got<'_>) -> Option<String> {
        let Got { report, graded, best, .. } = got;
        let raw = report.verdict;
        if !self.annotated.is_empty() && !self.annotated.contains(&raw) {
            return Some(format!("got {raw}, expected {}", list(&self.annotated, " or ")));
        }
        if raw == Verdict::CompileError {
            let said = !self.annotated.is_empty();
            return (!said).then(|| format!("got {raw}, expected it to compile"));
        }
        let verdict = graded.verdict;
        if !self.graded.is_empty() && !self.graded.contains(&verdict) {
            return Some(format!("got {verdict}, expected {}", list(&self.graded, " or ")));
        }
        if self.below_best && graded.score.is_some() && graded.score == best {
            return Some("got the best score there is, expected less".to_owned());
        }
        if let Some(expected) = self.score {
            let near = |score: f64| (score - expected).abs() <= 1e-6 * expected.abs().max(1.0);
            match graded.score {
                Some(score) if near(score) => {}
                Some(score) => return Some(format!("got the score {score}, expected {expected}")),
                None => return Some(format!("got no score, expected {expected}")),
            }
        }
        self.rules.iter().find_map(|rule| rule.broken(got))
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

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { graded, annotated, score, below_best, rules } = self;
        let mut parts: Vec<String> = Vec::new();
        if !annotated.is_empty() {
            parts.push(list(annotated, " or "));
        }
        if !graded.is_empty() && (annotated.is_empty() || *below_best) {
            parts.push(list(graded, " or "));
        }
        parts.extend(score.map(|score| format!("score {score}")));
        if *below_best && score.is_none() {
            parts.push("not the best score".to_owned());
        }
        parts.extend(rules.iter().map(ToString::to_string));
        if parts.is_empty() { f.write_str("anything") } else { f.write_str(&parts.join("; ")) }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tests) = &self.tests {
            write!(f, "{tests}: ")?;
        }
        let mut parts = Vec::new();
        if self.permitted != Class::ALL {
            parts.push(format!("all {}", codes(&self.permitted)));
        }
        if self.required != Class::ALL && self.required != self.permitted {
            parts.push(format!("some {}", codes(&self.required)));
        }
        match self.score {
            Some((low, high)) if low == high => parts.push(format!("score {low}")),
            Some((low, high)) => parts.push(format!("score {low} to {high}")),
            None => {}
        }
        parts.extend(self.message.as_ref().map(|text| format!("the checker says {text:?}")));
        if parts.is_empty() { f.write_str("anything") } else { f.write_str(&parts.join(", ")) }
    }
}

fn codes(classes: &[Class]) -> String {
    list(&classes.iter().map(|c| c.code()).collect::<Vec<_>>(), " or ")
}

fn in_scope(pattern: Option<&str>, test: &TestReport) -> bool {
    pattern.is_none_or(|p| glob::matches(p, &test.name))
}

fn list<T: ToString>(items: &[T], separator: &str) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(separator)
}

#[cfg(test)]
mod tests {
    use super::super::grading::Grade;
    use super::super::grading::fixture::results;
    use super::*;
    use crate::model::StageTimes;

    fn report(verdict: Verdict, score: Option<f64>, tests: &str) -> Report {
        Report {
            verdict,
            score,
            first_failure: None,
            language: String::new(),
            limits: None,
            toolchain: String::new(),
            engine: String::new(),
            compile: None,
            tests: results(tests),
            error: None,
            times: StageTimes::default(),
        }
    }

    use Verdict::{
        Accepted as A, CompileError as C, MemoryLimit as M, TimeLimit as T, WrongAnswer as W,
    };

    fn differs(
        expected: &Expected,
        raw: Verdict,
        graded: (Verdict, Option<f64>),
        tests: &str,
    ) -> Option<String> {
        let (report, graded) = (report(raw, None, tests), report(graded.0, graded.1, tests));
        let grade = |name: &str, score| Grade { name: name.to_owned(), verdict: A, score };
        let grades = Grades { total: grade("", 60.0), groups: vec![grade("t1", 20.0)] };
        let got =
            Got { report: &report, graded: &graded, grades: Some(&grades), best: Some(100.0) };
        expected.differs(got)
    }

    #[test]
    fn a_folder_speaks_of_the_grade_and_an_annotation_of_the_first_failure() {
        let folder = Expected::folder;
        let partial = Expected { below_best: true, ..folder(&[Class::Accepted]) };
        let tagged =
            |verdicts: &[Verdict]| Expected { annotated: verdicts.to_vec(), ..Expected::default() };
        let scored = Expected { score: Some(50.0), ..partial.clone() };
        for (expected, raw, graded, why) in [
            (folder(&[Class::Accepted]), A, (A, None), None),
            (folder(&[Class::Accepted]), W, (A, Some(100.0)), None),
            (folder(&[Class::Accepted]), W, (W, None), Some("got WA, expected AC")),
            (folder(&[Class::RuntimeError]), M, (M, None), None),
            (folder(&[Class::TimeLimit]), W, (W, None), Some("got WA, expected TLE or ILE")),
            (folder(&[Class::Accepted]), C, (C, None), Some("got CE, expected it to compile")),
            (partial.clone(), W, (A, Some(50.0)), None),
            (partial, A, (A, Some(100.0)), Some("got the best score there is, expected less")),
            (tagged(&[M]), M, (A, Some(50.0)), None),
            (tagged(&[W, T]), T, (T, None), None),
            (tagged(&[W, T]), M, (M, None), Some("got MLE, expected WA or TLE")),
            (tagged(&[C]), C, (C, None), None),
            (scored.clone(), W, (A, Some(50.0)), None),
            (scored.clone(), W, (A, Some(30.0)), Some("got the score 30, expected 50")),
            (scored, W, (A, None), Some("got no score, expected 50")),
            (Expected::default(), T, (T, None), None),
            (Expected::default(), C, (C, None), Some("got CE, expected it to compile")),
        ] {
            assert_eq!(differs(&expected, raw, graded, "A").as_deref(), why, "{expected:?}");
        }
    }

    fn rule(tests: Option<&str>, permitted: &[Class], required: &[Class]) -> Rule {
        Rule {
            tests: tests.map(str::to_owned),
            permitted: permitted.to_vec(),
            required: required.to_vec(),
            score: None,
            message: None,
            bound: None,
        }
    }

    #[test]
    fn a_rule_looks_at_the_tests_it_names() {
        use Class::{Accepted, TimeLimit, Wrong};
        let all = Class::ALL;
        let scored =
            |tests, low, high| Rule { score: Some((low, high)), ..rule(tests, &all, &all) };
        let told = Rule { message: Some("no".to_owned()), ..rule(None, &all, &all) };
        for (rule, tests, why) in [
            (rule(None, &[Accepted], &all), "A A", None),
            (rule(None, &[Accepted], &all), "A T", Some("got TLE on t1, permitted AC")),
            (rule(None, &[Accepted, Wrong], &[Wrong]), "A W A", None),
            (rule(None, &[Accepted, Wrong], &[Wrong]), "A A", Some("no test got WA")),
            (rule(Some("t{1,2}"), &all, &[TimeLimit]), "A A T", None),
            (rule(Some("t{1,2}"), &all, &[TimeLimit]), "T A A", Some("no test in t{1,2} got TLE")),
            (rule(Some("u"), &all, &all), "A", Some("no test or group matches u")),
            (
                rule(None, &all, &all),
                "A -",
                Some("got SKIPPED on t1, permitted AC or WA or TLE or RTE"),
            ),
            (scored(None, 50.0, 60.0), "A", None),
            (scored(Some("t1"), 20.0, 20.0), "A A", None),
            (
                scored(Some("t1"), 30.0, 30.0),
                "A A",
                Some("got the score 20 in t1, expected 30 to 30"),
            ),
            (
                scored(Some("t0"), 0.0, 9.0),
                "A",
                Some("there is no score in t0 to compare with 0 to 9"),
            ),
            (told, "A", Some("the checker said \"no\" of no test")),
        ] {
            let expected = Expected { rules: vec![rule], ..Expected::default() };
            assert_eq!(differs(&expected, A, (A, None), tests).as_deref(), why, "{expected}");
        }
    }

    #[test]
    fn what_bounds_the_time_limit_follows_from_what_is_expected() {
        let folder = Expected::folder;
        let tagged = |v: Verdict, expected: Expected| Expected { annotated: vec![v], ..expected };
        let partial = Expected { below_best: true, ..folder(&[Class::Accepted]) };
        for (expected, lower, upper) in [
            (folder(&[Class::Accepted]), true, false),
            (folder(&[Class::TimeLimit]), false, true),
            (folder(&[Class::Wrong]), false, false),
            (partial, false, false),
            (tagged(A, Expected::default()), true, false),
            (tagged(Verdict::IdlenessLimit, Expected::default()), false, true),
            (tagged(W, folder(&[Class::Accepted])), false, false),
            (Expected::default(), false, false),
        ] {
            let found = (expected.bounds(Bound::Lower), expected.bounds(Bound::Upper));
            assert_eq!(found, (lower, upper), "{expected:?}");
        }
        let mut tests = results("A A");
        tests[1].cpu_ms = 1500.0;
        let slowest = folder(&[Class::Accepted]).slowest(&tests);
        assert_eq!(slowest, Some(Duration::from_millis(1500)));
        let first = Rule { bound: Some(Bound::Lower), ..rule(Some("t0"), &Class::ALL, &[]) };
        let scoped = Expected { rules: vec![first], ..Expected::default() };
        assert_eq!(scoped.slowest(&tests), Some(Duration::ZERO));
    }

    #[test]
    fn what_is_expected_reads_well() {
        let wrong = rule(None, &[Class::Accepted, Class::Wrong], &[Class::Wrong]);
        let sample = rule(Some("sample"), &[Class::Accepted], &Class::ALL);
        let rules = Expected { rules: vec![wrong, sample], ..Expected::default() };
        assert_eq!(rules.to_string(), "all AC or WA, some WA; sample: all AC");
        assert_eq!(Expected::folder(&[Class::Accepted]).to_string(), "AC");
        assert_eq!(Expected::default().to_string(), "anything");
    }
}
