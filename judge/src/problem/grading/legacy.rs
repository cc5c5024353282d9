//! Version `legacy`: the default grader, group by group from the inside out.

use super::{Fault, Grade, Grades, Scorer};
use crate::model::{TestReport, Verdict};

/// A group of tests and groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// `sample`, `secret`, `secret/…`; empty for the root.
    pub name: String,
    /// How its result is made.
    pub grader: Grader,
    /// What is in it, in order.
    pub nodes: Vec<Node>,
}

/// A test or group in a group.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// Position of a test in the problem.
    Test(usize),
    /// A group.
    Group(Group),
}

/// What `testdata.yaml` says of grading.
#[derive(Debug, Clone, PartialEq)]
pub struct Grader {
    /// `on_reject: break`: what follows a failure does not count.
    pub stop: bool,
    /// How verdicts become one.
    pub verdicts: Verdicts,
    /// How scores become one.
    pub scores: Scores,
    /// Only the last sub-result counts; for the root.
    pub ignore_sample: bool,
    /// One accepted sub-result is enough.
    pub accept_if_any_accepted: bool,
    /// Score of an accepted test.
    pub accept_score: f64,
    /// Score of any other test.
    pub reject_score: f64,
    /// Lowest and highest score of the group.
    pub range: (f64, f64),
}

impl Default for Grader {
    fn default() -> Self {
        Self {
            stop: true,
            verdicts: Verdicts::WorstError,
            scores: Scores::Sum,
            ignore_sample: false,
            accept_if_any_accepted: false,
            accept_score: 1.0,
            reject_score: 0.0,
            range: (f64::NEG_INFINITY, f64::INFINITY),
        }
    }
}

/// How verdicts become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdicts {
    /// The worst, by [`SEVERITY`].
    WorstError,
    /// The first that is not accepted.
    FirstError,
    /// Accepted.
    AlwaysAccept,
}

/// How scores become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scores {
    /// Their sum.
    Sum,
    /// Their mean.
    Average,
    /// The least.
    Min,
    /// The greatest.
    Max,
}

/// From the worst: "JE, IF, RTE, MLE, TLE, OLE, WA" of the format.
const SEVERITY: [Verdict; 7] = [
    Verdict::InternalError,
    Verdict::RuntimeError,
    Verdict::MemoryLimit,
    Verdict::TimeLimit,
    Verdict::IdlenessLimit,
    Verdict::OutputLimit,
    Verdict::WrongAnswer,
];

impl Group {
    pub(super) fn first_failure_settles(&self) -> bool {
        let grader = &self.grader;
        grader.stop
            && grader.verdicts != Verdicts::AlwaysAccept
            && !grader.accept_if_any_accepted
            && self.nodes.iter().all(|node| match node {
                Node::Test(_) => true,
                Node::Group(group) => group.first_failure_settles(),
            })
    }
}

pub(super) fn grade(root: &Group, tests: &[TestReport], scorer: Scorer) -> Result<Grades, Fault> {
    let mut groups = Vec::new();
    let total = group(root, tests, scorer, &mut groups)?;
    groups.pop();
    Ok(Grades { total, groups })
}

/// Grades a group, and pushes its grade after those of the groups in it.
fn group(
    group_: &Group,
    tests: &[TestReport],
    scorer: Scorer,
    done: &mut Vec<Grade>,
) -> Result<Grade, Fault> {
    let grader = &group_.grader;
    let mut results = Vec::new();
    for node in &group_.nodes {
        let grade = match node {
            Node::Test(index) => match test(grader, &tests[*index], scorer)? {
                Some(grade) => grade,
                None => break,
            },
            Node::Group(inner) => group(inner, tests, scorer, done)?,
        };
        let rejected = grade.verdict != Verdict::Accepted;
        results.push((grade.verdict, grade.score));
        if rejected && grader.stop {
            break;
        }
    }
    let (verdict, score) = combine(grader, &results);
    let grade = Grade { name: group_.name.clone(), verdict, score };
    done.push(grade.clone());
    Ok(grade)
}

/// The grade of a test; `None` when it was not run, because what came before had settled it.
fn test(grader: &Grader, test: &TestReport, scorer: Scorer) -> Result<Option<Grade>, Fault> {
    let score = match (test.verdict, scorer) {
        (Verdict::Skipped, _) => return Ok(None),
        (Verdict::Accepted, Scorer::Package) => grader.accept_score,
        (Verdict::Accepted, Scorer::Validator) => test.score.unwrap_or(grader.accept_score),
        (Verdict::Accepted, Scorer::ValidatorAlways) => {
            test.score.ok_or_else(|| Fault::NoScore { test: test.name.clone() })?
        }
        _ => grader.reject_score,
    };
    Ok(Some(Grade { name: test.name.clone(), verdict: test.verdict, score }))
}

fn combine(grader: &Grader, mut results: &[(Verdict, f64)]) -> (Verdict, f64) {
    let has = |wanted| results.iter().any(|(verdict, _)| *verdict == wanted);
    if has(Verdict::InternalError) {
        return (Verdict::InternalError, 0.0);
    }
    if grader.ignore_sample {
        results = &results[results.len().saturating_sub(1)..];
    }
    if results.is_empty() {
        return (Verdict::Accepted, 0.0);
    }
    let has = |wanted| results.iter().any(|(verdict, _)| *verdict == wanted);
    let verdict = if grader.accept_if_any_accepted && has(Verdict::Accepted) {
        Verdict::Accepted
    } else {
        let failure = match grader.verdicts {
            Verdicts::WorstError => SEVERITY.into_iter().find(|v| has(*v)),
            Verdicts::FirstError => {
                results.iter().map(|(v, _)| *v).find(|v| *v != Verdict::Accepted)
            }
            Verdicts::AlwaysAccept => None,
        };
        failure.unwrap_or(Verdict::Accepted)
    };
    let scores = results.iter().map(|(_, score)| *score);
    let score = match grader.scores {
        Scores::Sum => scores.sum(),
        #[allow(clippy::cast_precision_loss, reason = "a group has far fewer than 2^52 results")]
        Scores::Average => scores.sum::<f64>() / results.len() as f64,
        Scores::Min => scores.fold(f64::INFINITY, f64::min),
        Scores::Max => scores.fold(f64::NEG_INFINITY, f64::max),
    };
    (verdict, score)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::results;
    use super::*;

    fn tree(name: &str, grader: Grader, nodes: Vec<Node>) -> Group {
        Group { name: name.to_owned(), grader, nodes }
    }

    fn leaf(name: &str, grader: Grader, tests: std::ops::Range<usize>) -> Node {
        Node::Group(tree(name, grader, tests.map(Node::Test).collect()))
    }

    fn run(root: &Group, tests: &str) -> (Verdict, f64) {
        let grades = grade(root, &results(tests), Scorer::Package).unwrap();
        (grades.total.verdict, grades.total.score)
    }

    use Verdict::{
        Accepted as A, InternalError as I, MemoryLimit as M, RuntimeError as R, TimeLimit as T,
        WrongAnswer as W,
    };

    /// Each row was compared with problemtools' default grader, called with the sub-results that
    /// are left by `on_reject`.
    #[test]
    fn a_group_has_the_result_of_the_default_grader() {
        let on = |f: fn(&mut Grader)| {
            let mut grader = Grader { stop: false, ..Grader::default() };
            f(&mut grader);
            grader
        };
        for (grader, tests, expected) in [
            (Grader::default(), "A A A", (A, 3.0)),
            (Grader::default(), "A W R", (W, 1.0)),
            (Grader::default(), "A T - -", (T, 1.0)),
            (Grader::default(), "", (A, 0.0)),
            (on(|_| {}), "W T R A", (R, 1.0)),
            (on(|_| {}), "W T M", (M, 0.0)),
            (on(|_| {}), "W I A", (I, 0.0)),
            (on(|g| g.verdicts = Verdicts::FirstError), "A W R A", (W, 2.0)),
            (on(|g| g.verdicts = Verdicts::AlwaysAccept), "W A R", (A, 1.0)),
            (on(|g| g.accept_if_any_accepted = true), "W A R", (A, 1.0)),
            (on(|g| g.accept_if_any_accepted = true), "W T", (T, 0.0)),
            (on(|g| g.scores = Scores::Average), "A W A A", (W, 0.75)),
            (on(|g| g.scores = Scores::Min), "A W", (W, 0.0)),
            (on(|g| g.scores = Scores::Max), "W A", (W, 1.0)),
            (on(|g| g.accept_score = 7.5), "A A W", (W, 15.0)),
            (on(|g| g.reject_score = -1.0), "A W W", (W, -1.0)),
        ] {
            let count = tests.split_whitespace().count();
            let root = tree("", grader.clone(), (0..count).map(Node::Test).collect());
            assert_eq!(run(&root, tests), expected, "{tests:?} {grader:?}");
        }
    }

    /// The usual shape of an olympiad problem: subtasks that pass or fail as a whole.
    fn subtasks() -> Group {
        let subtask =
            |score| Grader { scores: Scores::Min, accept_score: score, ..Grader::default() };
        let secret = Grader { stop: false, verdicts: Verdicts::AlwaysAccept, ..Grader::default() };
        let groups =
            vec![leaf("secret/1", subtask(30.0), 1..3), leaf("secret/2", subtask(70.0), 3..5)];
        let root = Grader { stop: false, ignore_sample: true, ..Grader::default() };
        let sample = leaf("sample", Grader::default(), 0..1);
        tree("", root, vec![sample, Node::Group(tree("secret", secret, groups))])
    }

    #[test]
    fn subtasks_give_their_points_or_none() {
        for (tests, expected) in [
            ("A A A A A", (A, 100.0)),
            ("A A A A W", (A, 30.0)),
            ("A T A A A", (A, 70.0)),
            ("W A A A A", (A, 100.0)),
            ("A W A R A", (A, 0.0)),
        ] {
            assert_eq!(run(&subtasks(), tests), expected, "{tests:?}");
        }
        let grades = grade(&subtasks(), &results("A A A A W"), Scorer::Package).unwrap();
        let groups: Vec<_> =
            grades.groups.iter().map(|g| (g.name.as_str(), g.verdict, g.score)).collect();
        let expected =
            [("sample", A, 1.0), ("secret/1", A, 30.0), ("secret/2", W, 0.0), ("secret", A, 30.0)];
        assert_eq!(groups, expected);
    }

    #[test]
    fn the_first_failure_settles_what_breaks_everywhere() {
        let plain = tree("", Grader::default(), vec![leaf("secret", Grader::default(), 0..2)]);
        assert!(plain.first_failure_settles());
        assert!(!subtasks().first_failure_settles());
    }

    #[test]
    fn a_validator_that_must_score_and_does_not_is_a_fault() {
        let root = tree("", Grader::default(), (0..2).map(Node::Test).collect());
        let graded = |tests, scorer| grade(&root, &results(tests), scorer).map(|g| g.total.score);
        assert_eq!(graded("A4 A2.5", Scorer::ValidatorAlways), Ok(6.5));
        assert_eq!(graded("A4 A2.5", Scorer::Package), Ok(2.0));
        let fault = Fault::NoScore { test: "t1".to_owned() };
        assert_eq!(graded("A4 A", Scorer::ValidatorAlways), Err(fault));
    }
}
