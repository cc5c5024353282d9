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
    /// The ending by which the language's runtime says so.
    pub(crate) says_out_of_memory: bool,
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
    holds: fn(&Facts<'_>) -> bool,
    verdict: Verdict,
}

/// The first that holds decides.
const RULES: [Rule; 15] = [
    // A withdrawn run says nothing.
    Rule { holds: |f| f.termination == Termination::Cancelled, verdict: Verdict::Skipped },
    // Out of memory.
    Rule { holds: |f| f.termination == Termination::MemoryLimit, verdict: Verdict::MemoryLimit },
    // Too much output.
    Rule { holds: |f| f.termination == Termination::OutputLimit, verdict: Verdict::OutputLimit },
    // Out of CPU time.
    Rule { holds: |f| f.termination == Termination::CpuLimit, verdict: Verdict::TimeLimit },
    // The clock ran out while it was busy: on a machine that gave it too little of a CPU.
    Rule {
        holds: |f| f.termination == Termination::WallLimit && busy(f),
        verdict: Verdict::TimeLimit,
    },
    // The clock ran out while it was idle.
    Rule { holds: |f| f.termination == Termination::WallLimit, verdict: Verdict::IdlenessLimit },
    // Ended by itself, but after its CPU time: engines look at it every few milliseconds.
    Rule { holds: |f| f.usage.cpu > f.limits.cpu, verdict: Verdict::TimeLimit },
    // Ended by itself, but after the clock ran out.
    Rule { holds: |f| f.usage.wall > f.limits.wall, verdict: Verdict::IdlenessLimit },
    // The runtime says that it has no memory left and ends by itself.
    Rule { holds: |f| f.says_out_of_memory, verdict: Verdict::MemoryLimit },
    // A forbidden system call.
    Rule { holds: |f| f.termination == Termination::ForbiddenCall, verdict: Verdict::RuntimeError },
    // A signal.
    Rule {
        holds: |f| matches!(f.termination, Termination::Signalled(_)),
        verdict: Verdict::RuntimeError,
    },
    // An exit code other than 0.
    Rule { holds: |f| f.termination != Termination::Exited(0), verdict: Verdict::RuntimeError },
    // A checker that fails says nothing of the program.
    Rule { holds: |f| f.opinion == Opinion::Fails, verdict: Verdict::InternalError },
    // The checker rejects.
    Rule { holds: |f| f.opinion == Opinion::Rejects, verdict: Verdict::WrongAnswer },
    // Nothing is wrong.
    Rule { holds: |_| true, verdict: Verdict::Accepted },
];

/// Whether a program computed for at least half of the time that it could have. One that waits
/// for something that never comes uses next to nothing; one that computes is near its limit even
/// where several share a CPU.
fn busy(facts: &Facts<'_>) -> bool {
    facts.usage.cpu * 2 >= facts.limits.cpu.min(facts.limits.wall)
}

/// The verdict on one run.
pub(crate) fn verdict(facts: &Facts<'_>) -> Verdict {
    RULES[decide(facts)].verdict
}

fn decide(facts: &Facts<'_>) -> usize {
    RULES.iter().position(|r| (r.holds)(facts)).expect("the last rule always holds")
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

    /// CPU and clock time against 1000 ms and 3000 ms, and whether the runtime says that it has
    /// no memory left.
    struct Row(&'static str, Termination, (u64, u64, bool), Opinion, Verdict);

    /// One row a rule, in the order of the rules; each has as much against it that a later rule
    /// would see as it can.
    #[rustfmt::skip]
    const ROWS: [Row; 15] = [
        Row("withdrawn", Termination::Cancelled, (2000, 4000, true), Opinion::Rejects, Verdict::Skipped),
        Row("out of memory", Termination::MemoryLimit, (2000, 4000, true), Opinion::Rejects, Verdict::MemoryLimit),
        Row("too much output", Termination::OutputLimit, (2000, 4000, true), Opinion::Rejects, Verdict::OutputLimit),
        Row("out of CPU time", Termination::CpuLimit, (999, 4000, true), Opinion::Rejects, Verdict::TimeLimit),
        Row("busy until the clock ran out", Termination::WallLimit, (500, 3001, true), Opinion::Rejects, Verdict::TimeLimit),
        Row("idle until the clock ran out", Termination::WallLimit, (499, 3001, true), Opinion::Rejects, Verdict::IdlenessLimit),
        Row("ended after its CPU time", Termination::Signalled(9), (1001, 4000, true), Opinion::Rejects, Verdict::TimeLimit),
        Row("ended after the clock ran out", Termination::ForbiddenCall, (1000, 3001, true), Opinion::Rejects, Verdict::IdlenessLimit),
        Row("the runtime has no memory", Termination::Exited(3), (1000, 3000, true), Opinion::Rejects, Verdict::MemoryLimit),
        Row("a forbidden call", Termination::ForbiddenCall, (1000, 3000, false), Opinion::Rejects, Verdict::RuntimeError),
        Row("a signal", Termination::Signalled(11), (1, 1, false), Opinion::Fails, Verdict::RuntimeError),
        Row("an exit code", Termination::Exited(42), (1, 1, false), Opinion::Accepts, Verdict::RuntimeError),
        Row("the checker fails", Termination::Exited(0), (1, 1, false), Opinion::Fails, Verdict::InternalError),
        Row("the checker rejects", Termination::Exited(0), (1000, 3000, false), Opinion::Rejects, Verdict::WrongAnswer),
        Row("nothing is wrong", Termination::Exited(0), (1000, 3000, false), Opinion::Accepts, Verdict::Accepted),
    ];

    fn with<T>(row: &Row, opinion: Opinion, look: impl FnOnce(&Facts<'_>) -> T) -> T {
        let Row(_, termination, (cpu, wall, says_out_of_memory), ..) = *row;
        let ms = Duration::from_millis;
        let usage = Usage { cpu: ms(cpu), wall: ms(wall), ..Usage::default() };
        let limits = Limits { cpu: ms(1000), wall: ms(3000), ..Limits::default() };
        let (usage, limits) = (&usage, &limits);
        look(&Facts { termination, usage, limits, says_out_of_memory, opinion })
    }

    #[test]
    fn every_row_is_decided_by_its_own_rule() {
        for (i, row) in ROWS.iter().enumerate() {
            with(row, row.3, |facts| {
                assert_eq!(decide(facts), i, "{}", row.0);
                assert_eq!(verdict(facts), row.4, "{}", row.0);
            });
        }
    }

    #[test]
    fn a_plain_run_is_accepted() {
        with(&ROWS[14], Opinion::None, |facts| assert_eq!(verdict(facts), Verdict::Accepted));
    }

    #[test]
    fn the_opinion_never_turns_a_failed_run_into_another_verdict() {
        for row in &ROWS[..12] {
            for opinion in [Opinion::None, Opinion::Accepts, Opinion::Rejects, Opinion::Fails] {
                with(row, opinion, |f| assert_eq!(verdict(f), row.4, "{} {opinion:?}", row.0));
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
