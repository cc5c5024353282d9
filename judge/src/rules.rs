//! The rules: from how a run ended, what it used and what the checker says, to a verdict.
//!
//! The order is the rule: a run that exceeded a limit is never a wrong answer, whatever it wrote,
//! and the kill that a limit causes is never a runtime error.

use sandbox::{Limits, Termination, Usage};

use crate::model::{StopRule, Verdict};

/// All that a verdict depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) termination: Termination,
    pub(crate) usage: &'a Usage,
    pub(crate) limits: &'a Limits,
    pub(crate) opinion: Opinion,
}

/// What the checker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opinion {
    /// There is none: a plain run, or it was not asked yet.
    None,
    Accepts,
    Rejects,
    /// It did not do its job.
    Fails,
}

struct Rule {
    says: &'static str,
    holds: fn(&Facts<'_>) -> bool,
    verdict: Verdict,
}

/// The first that holds decides.
const RULES: [Rule; 14] = [
    Rule {
        says: "a withdrawn run says nothing",
        holds: |f| f.termination == Termination::Cancelled,
        verdict: Verdict::Skipped,
    },
    Rule {
        says: "out of memory",
        holds: |f| f.termination == Termination::MemoryLimit,
        verdict: Verdict::MemoryLimit,
    },
    Rule {
        says: "too much output",
        holds: |f| f.termination == Termination::OutputLimit,
        verdict: Verdict::OutputLimit,
    },
    Rule {
        says: "out of CPU time",
        holds: |f| f.termination == Termination::CpuLimit,
        verdict: Verdict::TimeLimit,
    },
    Rule {
        says: "out of CPU time, seen only when the clock ran out",
        holds: |f| f.termination == Termination::WallLimit && f.usage.cpu >= f.limits.cpu,
        verdict: Verdict::TimeLimit,
    },
    Rule {
        says: "the clock ran out while it was idle",
        holds: |f| f.termination == Termination::WallLimit,
        verdict: Verdict::IdlenessLimit,
    },
    // Engines look at the time every few milliseconds, so a run may end by itself beyond a limit.
    Rule {
        says: "ended by itself, but after its CPU time",
        holds: |f| f.usage.cpu > f.limits.cpu,
        verdict: Verdict::TimeLimit,
    },
    Rule {
        says: "ended by itself, but after the clock ran out",
        holds: |f| f.usage.wall > f.limits.wall,
        verdict: Verdict::IdlenessLimit,
    },
    Rule {
        says: "a forbidden system call",
        holds: |f| f.termination == Termination::ForbiddenCall,
        verdict: Verdict::RuntimeError,
    },
    Rule {
        says: "a signal",
        holds: |f| matches!(f.termination, Termination::Signalled(_)),
        verdict: Verdict::RuntimeError,
    },
    Rule {
        says: "an exit code other than 0",
        holds: |f| f.termination != Termination::Exited(0),
        verdict: Verdict::RuntimeError,
    },
    Rule {
        says: "a checker that fails says nothing of the program",
        holds: |f| f.opinion == Opinion::Fails,
        verdict: Verdict::InternalError,
    },
    Rule {
        says: "the checker rejects",
        holds: |f| f.opinion == Opinion::Rejects,
        verdict: Verdict::WrongAnswer,
    },
    Rule { says: "nothing is wrong", holds: |_| true, verdict: Verdict::Accepted },
];

/// The verdict on one run.
pub(crate) fn verdict(facts: &Facts<'_>) -> Verdict {
    decide(facts).verdict
}

fn decide(facts: &Facts<'_>) -> &'static Rule {
    RULES.iter().find(|r| (r.holds)(facts)).expect("the last rule always holds")
}

/// Everything after the first failure is as if it had never run.
pub(crate) fn decisive(verdicts: &[Verdict], stop: StopRule) -> usize {
    let first = verdicts.iter().position(|v| *v != Verdict::Accepted);
    match (stop, first) {
        (StopRule::FirstFailure, Some(first)) => first + 1,
        _ => verdicts.len(),
    }
}

/// The verdict on the submission: that of the first test that is not accepted, but a judge that
/// failed on any test has not judged the submission.
pub(crate) fn overall(verdicts: &[Verdict]) -> Verdict {
    if verdicts.contains(&Verdict::InternalError) {
        return Verdict::InternalError;
    }
    verdicts.iter().copied().find(|v| *v != Verdict::Accepted).unwrap_or(Verdict::Accepted)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    struct Row(&'static str, Termination, (u64, u64), Opinion, Verdict);

    const GRANTED: (u64, u64) = (1000, 3000);

    /// One row a rule, in the order of the rules; each has everything against it that a later
    /// rule would see.
    const ROWS: [Row; 14] = [
        Row("a withdrawn run says nothing", Termination::Cancelled, (2000, 4000), Opinion::Rejects, Verdict::Skipped),
        Row("out of memory", Termination::MemoryLimit, (2000, 4000), Opinion::Rejects, Verdict::MemoryLimit),
        Row("too much output", Termination::OutputLimit, (2000, 4000), Opinion::Rejects, Verdict::OutputLimit),
        Row("out of CPU time", Termination::CpuLimit, (999, 4000), Opinion::Rejects, Verdict::TimeLimit),
        Row("out of CPU time, seen only when the clock ran out", Termination::WallLimit, (1000, 3001), Opinion::Rejects, Verdict::TimeLimit),
        Row("the clock ran out while it was idle", Termination::WallLimit, (999, 3001), Opinion::Rejects, Verdict::IdlenessLimit),
        Row("ended by itself, but after its CPU time", Termination::Signalled(9), (1001, 4000), Opinion::Rejects, Verdict::TimeLimit),
        Row("ended by itself, but after the clock ran out", Termination::ForbiddenCall, (1000, 3001), Opinion::Rejects, Verdict::IdlenessLimit),
        Row("a forbidden system call", Termination::ForbiddenCall, (1000, 3000), Opinion::Rejects, Verdict::RuntimeError),
        Row("a signal", Termination::Signalled(11), (1, 1), Opinion::Fails, Verdict::RuntimeError),
        Row("an exit code other than 0", Termination::Exited(42), (1, 1), Opinion::Accepts, Verdict::RuntimeError),
        Row("a checker that fails says nothing of the program", Termination::Exited(0), (1, 1), Opinion::Fails, Verdict::InternalError),
        Row("the checker rejects", Termination::Exited(0), (1000, 3000), Opinion::Rejects, Verdict::WrongAnswer),
        Row("nothing is wrong", Termination::Exited(0), (1000, 3000), Opinion::Accepts, Verdict::Accepted),
    ];

    fn facts(row: &Row) -> (Usage, Limits) {
        let ms = Duration::from_millis;
        let usage = Usage { cpu: ms(row.2.0), wall: ms(row.2.1), ..Usage::default() };
        let limits = Limits { cpu: ms(GRANTED.0), wall: ms(GRANTED.1), ..Limits::default() };
        (usage, limits)
    }

    #[test]
    fn every_row_is_decided_by_its_own_rule() {
        for (row, rule) in ROWS.iter().zip(&RULES) {
            let (usage, limits) = facts(row);
            let facts =
                Facts { termination: row.1, usage: &usage, limits: &limits, opinion: row.3 };
            assert_eq!(decide(&facts).says, row.0);
            assert_eq!(rule.says, row.0);
            assert_eq!(verdict(&facts), row.4, "{}", row.0);
        }
    }

    #[test]
    fn a_plain_run_is_accepted() {
        let (usage, limits) = facts(&ROWS[13]);
        let facts = Facts {
            termination: Termination::Exited(0),
            usage: &usage,
            limits: &limits,
            opinion: Opinion::None,
        };
        assert_eq!(verdict(&facts), Verdict::Accepted);
    }

    #[test]
    fn the_opinion_never_turns_a_failed_run_into_another_verdict() {
        for row in &ROWS[..11] {
            for opinion in [Opinion::None, Opinion::Accepts, Opinion::Rejects, Opinion::Fails] {
                let (usage, limits) = facts(row);
                let facts = Facts { termination: row.1, usage: &usage, limits: &limits, opinion };
                assert_eq!(verdict(&facts), row.4, "{} {opinion:?}", row.0);
            }
        }
    }

    #[test]
    fn the_first_failure_in_order_is_the_verdict() {
        use Verdict::{Accepted as A, InternalError as I, TimeLimit as T, WrongAnswer as W};
        assert_eq!(overall(&[]), A);
        assert_eq!(overall(&[A, A]), A);
        assert_eq!(overall(&[A, T, W]), T);
        assert_eq!(overall(&[A, W, I, T]), I, "a judge that failed has not judged");
        assert_eq!(decisive(&[A, W, I], StopRule::FirstFailure), 2);
        assert_eq!(decisive(&[A, W, I], StopRule::RunAll), 3);
        assert_eq!(decisive(&[A, A], StopRule::FirstFailure), 2);
    }
}
