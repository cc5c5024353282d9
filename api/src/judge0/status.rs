//! From how a submission ended to a status of Judge0 and what goes with it. Pure.

use judge::model::{CompileReport, Report, TestReport, Verdict};
use queue::transition::Why;

use crate::intake::State;

/// `[{id, description}]`, by id from 1.
pub(super) const STATUSES: [&str; 14] = [
    "In Queue",
    "Processing",
    "Accepted",
    "Wrong Answer",
    "Time Limit Exceeded",
    "Compilation Error",
    "Runtime Error (SIGSEGV)",
    "Runtime Error (SIGXFSZ)",
    "Runtime Error (SIGFPE)",
    "Runtime Error (SIGABRT)",
    "Runtime Error (NZEC)",
    "Runtime Error (Other)",
    "Internal Error",
    "Exec Format Error",
];

/// A status, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Status(pub(super) u8);

impl Status {
    pub(super) const QUEUE: Self = Self(1);
    pub(super) const PROCESSING: Self = Self(2);
    const ACCEPTED: Self = Self(3);
    const WRONG_ANSWER: Self = Self(4);
    const TIME_LIMIT: Self = Self(5);
    const COMPILATION: Self = Self(6);
    const NZEC: Self = Self(11);
    const INTERNAL: Self = Self(13);
    const EXEC_FORMAT: Self = Self(14);

    pub(super) fn description(self) -> &'static str {
        STATUSES[usize::from(self.0) - 1]
    }

    /// Of a program that a signal ended.
    fn of_signal(signal: i32) -> Self {
        match signal {
            11 => Self(7),
            25 => Self(8),
            8 => Self(9),
            6 => Self(10),
            _ => Self(12),
        }
    }
}

/// How Judge0 would have gone about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// Whether it compiles the language. If not, what evalX finds wrong before the run is said by
    /// the interpreter, at the run.
    pub(super) compiled: bool,
    /// Whether signals have statuses of their own.
    pub(super) signals: bool,
}

/// What is known of a submission, in Judge0's terms. Absent is null.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outcome {
    pub(super) status: Status,
    pub(super) stdout: Option<Vec<u8>>,
    pub(super) stderr: Option<Vec<u8>>,
    pub(super) compile_output: Option<Vec<u8>>,
    pub(super) message: Option<String>,
    pub(super) exit_code: Option<i32>,
    pub(super) exit_signal: Option<i32>,
    /// Seconds.
    pub(super) time: Option<f64>,
    /// Seconds.
    pub(super) wall_time: Option<f64>,
    /// KiB.
    pub(super) memory: Option<u64>,
}

impl Outcome {
    fn bare(status: Status) -> Self {
        Self {
            status,
            stdout: None,
            stderr: None,
            compile_output: None,
            message: None,
            exit_code: None,
            exit_signal: None,
            time: None,
            wall_time: None,
            memory: None,
        }
    }

    fn internal(message: impl Into<String>) -> Self {
        let message = message.into();
        // What isolate says of a program that the kernel does not take.
        let endings = ["Exec format error", "No such file or directory", "Permission denied"];
        let exec = message.starts_with("execve(") && endings.iter().any(|e| message.ends_with(e));
        let status = if exec { Status::EXEC_FORMAT } else { Status::INTERNAL };
        Self { message: Some(message), ..Self::bare(status) }
    }

    /// Of a submission in that state.
    pub(super) fn of(state: &State, manner: Manner) -> Self {
        match state {
            State::Queued => Self::bare(Status::QUEUE),
            State::Running { .. } | State::Retrying { .. } => Self::bare(Status::PROCESSING),
            State::Judged(report) => Self::judged(report, manner),
            State::Refused(refusal) => Self::internal(refusal.reason.clone()),
            State::Failed(why) => Self::internal(match why {
                Why::Crashes => "its workers crashed",
                Why::Attempts => "evalX failed in every attempt",
                Why::Buried => "no worker could read it",
            }),
            State::Cancelled => Self::internal("it was called off"),
        }
    }

    fn judged(report: &Report, manner: Manner) -> Self {
        match (report.verdict, &report.compile) {
            (Verdict::CompileError, Some(compile)) if manner.compiled => Self::refused(compile),
            (Verdict::CompileError, Some(compile)) => Self::unreadable(compile),
            (Verdict::InternalError, _) => Self::internal(report.error.clone().unwrap_or_default()),
            _ => {
                let ran: Vec<_> =
                    report.tests.iter().filter(|t| t.verdict != Verdict::Skipped).collect();
                let Some(last) = ran.last() else { return Self::internal("it was not run") };
                let outcome = Self::ran(&ran, last, manner);
                let said = report.compile.as_ref().filter(|_| manner.compiled);
                Self { compile_output: said.and_then(|c| given(&c.output)), ..outcome }
            }
        }
    }

    /// The compiler refused it.
    fn refused(compile: &CompileReport) -> Self {
        let output = match compile.timed_out() {
            true => Some(b"Compilation time limit exceeded.".to_vec()),
            false => given(&compile.output),
        };
        Self { compile_output: output, ..Self::bare(Status::COMPILATION) }
    }

    /// The interpreter would have refused it.
    fn unreadable(compile: &CompileReport) -> Self {
        Self {
            stderr: given(&compile.output),
            message: Some("Exited with error status 1".to_owned()),
            exit_code: Some(1),
            time: Some(compile.cpu_ms / 1e3),
            wall_time: Some(compile.cpu_ms / 1e3),
            memory: Some(compile.memory_bytes >> 10),
            ..Self::bare(Status::NZEC)
        }
    }

    /// It ran, perhaps several times; the last one decides, and times and memory are means.
    fn ran(runs: &[&TestReport], last: &TestReport, manner: Manner) -> Self {
        let (status, exit_code, exit_signal, message) = ending(last, manner);
        #[expect(clippy::cast_precision_loss, reason = "at most some thousand runs")]
        let count = runs.len() as f64;
        let time = runs.iter().map(|run| run.cpu_ms).sum::<f64>() / count / 1e3;
        let memory = runs.iter().map(|run| run.memory_bytes >> 10).sum::<u64>();
        Self {
            status,
            stdout: given(&last.stdout),
            stderr: given(&last.stderr),
            compile_output: None,
            message,
            exit_code: Some(exit_code),
            exit_signal,
            time: Some(time),
            wall_time: Some(last.wall_ms / 1e3),
            memory: Some(memory / runs.len() as u64),
        }
    }
}

/// Status, exit code, signal and message of one run.
fn ending(run: &TestReport, manner: Manner) -> (Status, i32, Option<i32>, Option<String>) {
    /// Signals by their numbers (signal(7)).
    const KILL: i32 = 9;
    const FILE_SIZE: i32 = 25;
    const FORBIDDEN_CALL: i32 = 31;
    let message = |text: &str| Some(text.to_owned());
    let signalled = |signal: i32| {
        if manner.signals {
            let text = format!("Caught fatal signal {signal}");
            return (Status::of_signal(signal), 0, Some(signal), Some(text));
        }
        // Judge0's programs run below bash, which turns the signal into an exit code.
        let code = 128 + signal;
        (Status::NZEC, code, None, Some(format!("Exited with error status {code}")))
    };
    match run.verdict {
        Verdict::Accepted => (Status::ACCEPTED, 0, None, None),
        Verdict::WrongAnswer => (Status::WRONG_ANSWER, 0, None, None),
        Verdict::TimeLimit => (Status::TIME_LIMIT, 0, None, message("Time limit exceeded")),
        Verdict::IdlenessLimit => {
            (Status::TIME_LIMIT, 0, None, message("Time limit exceeded (wall clock)"))
        }
        Verdict::InternalError | Verdict::Skipped | Verdict::CompileError => {
            (Status::INTERNAL, 0, None, run.message.clone())
        }
        Verdict::MemoryLimit | Verdict::OutputLimit | Verdict::RuntimeError => {
            match (run.exit_code, run.signal) {
                (Some(code), _) if code != 0 => {
                    (Status::NZEC, code, None, Some(format!("Exited with error status {code}")))
                }
                (_, Some(signal)) => signalled(signal),
                // A limit of evalX ended it; the kernel would have ended it by that signal.
                _ => signalled(match run.verdict {
                    Verdict::MemoryLimit => KILL,
                    Verdict::OutputLimit => FILE_SIZE,
                    _ => FORBIDDEN_CALL,
                }),
            }
        }
    }
}

/// Nothing is null.
fn given(blob: &judge::model::Blob) -> Option<Vec<u8>> {
    // A report holds no files.
    let bytes = blob.read().unwrap_or_default();
    (!bytes.is_empty()).then(|| bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use judge::model::{Blob, StageTimes, TestTimes};

    /// Verdict, exit code and signal; then status, exit code and message.
    type Row = (Verdict, Option<i32>, Option<i32>, u8, i32, String);

    const PLAIN: Manner = Manner { compiled: true, signals: false };

    fn run(verdict: Verdict, exit_code: Option<i32>, signal: Option<i32>) -> TestReport {
        TestReport {
            name: "1".to_owned(),
            verdict,
            score: None,
            cpu_ms: 12.0,
            wall_ms: 20.0,
            memory_bytes: 3 << 20,
            exit_code,
            signal,
            status: None,
            message: None,
            team_message: None,
            stdout: "out\n".into(),
            stdout_truncated: false,
            stderr: "".into(),
            stderr_truncated: false,
            times: TestTimes::default(),
            pressure: None,
            again: None,
        }
    }

    fn report(verdict: Verdict, tests: Vec<TestReport>) -> State {
        State::Judged(Box::new(Report {
            verdict,
            score: None,
            first_failure: None,
            language: "c".to_owned(),
            limits: None,
            toolchain: String::new(),
            engine: String::new(),
            compile: None,
            tests,
            error: None,
            times: StageTimes::default(),
        }))
    }

    #[test]
    fn each_ending_has_its_row() {
        use Verdict as V;
        const NZEC: &str = "Exited with error status ";
        let table: [Row; 16] = [
            (V::Accepted, Some(0), None, 3, 0, String::new()),
            (V::WrongAnswer, Some(0), None, 4, 0, String::new()),
            (V::TimeLimit, None, None, 5, 0, "Time limit exceeded".into()),
            (V::TimeLimit, Some(0), None, 5, 0, "Time limit exceeded".into()),
            (V::IdlenessLimit, None, None, 5, 0, "Time limit exceeded (wall clock)".into()),
            (V::RuntimeError, Some(1), None, 11, 1, format!("{NZEC}1")),
            (V::RuntimeError, Some(255), None, 11, 255, format!("{NZEC}255")),
            (V::RuntimeError, None, Some(11), 11, 139, format!("{NZEC}139")),
            (V::RuntimeError, None, Some(25), 11, 153, format!("{NZEC}153")),
            (V::RuntimeError, None, Some(8), 11, 136, format!("{NZEC}136")),
            (V::RuntimeError, None, Some(6), 11, 134, format!("{NZEC}134")),
            (V::RuntimeError, None, Some(9), 11, 137, format!("{NZEC}137")),
            (V::RuntimeError, None, None, 11, 159, format!("{NZEC}159")),
            (V::MemoryLimit, None, None, 11, 137, format!("{NZEC}137")),
            (V::MemoryLimit, Some(3), None, 11, 3, format!("{NZEC}3")),
            (V::OutputLimit, None, None, 11, 153, format!("{NZEC}153")),
        ];
        for (verdict, code, signal, status, exit_code, message) in table {
            let state = report(verdict, vec![run(verdict, code, signal)]);
            let outcome = Outcome::of(&state, PLAIN);
            let row = format!("{verdict} {code:?} {signal:?}");
            assert_eq!(outcome.status, Status(status), "{row}");
            assert_eq!((outcome.exit_code, outcome.exit_signal), (Some(exit_code), None), "{row}");
            assert_eq!(outcome.message.unwrap_or_default(), message, "{row}");
            assert_eq!(outcome.stdout.as_deref(), Some(&b"out\n"[..]), "{row}");
            assert_eq!(outcome.stderr, None, "nothing is null");
        }
    }

    #[test]
    fn signals_have_statuses_of_their_own_where_that_is_set() {
        let manner = Manner { signals: true, ..PLAIN };
        for (signal, status) in [(11, 7), (25, 8), (8, 9), (6, 10), (9, 12), (15, 12)] {
            let run = run(Verdict::RuntimeError, None, Some(signal));
            let outcome = Outcome::of(&report(Verdict::RuntimeError, vec![run]), manner);
            assert_eq!(outcome.status, Status(status), "{signal}");
            assert_eq!((outcome.exit_code, outcome.exit_signal), (Some(0), Some(signal)));
        }
        let nzec = run(Verdict::RuntimeError, Some(7), None);
        let outcome = Outcome::of(&report(Verdict::RuntimeError, vec![nzec]), manner);
        assert_eq!((outcome.status, outcome.exit_code), (Status(11), Some(7)));
    }

    #[test]
    fn what_did_not_run_has_its_row() {
        let refusal = judge::model::Refusal { field: None, reason: "no".to_owned() };
        let tests = Vec::new();
        for (state, status, message) in [
            (State::Queued, 1, None),
            (State::Running { tests: Vec::new() }, 2, None),
            (State::Retrying { tests }, 2, None),
            (State::Refused(refusal), 13, Some("no")),
            (State::Failed(Why::Crashes), 13, Some("its workers crashed")),
            (State::Cancelled, 13, Some("it was called off")),
        ] {
            let outcome = Outcome::of(&state, PLAIN);
            assert_eq!(outcome.status, Status(status));
            assert_eq!(outcome.message.as_deref(), message);
            assert_eq!((outcome.time, outcome.memory, outcome.exit_code), (None, None, None));
        }
    }

    #[test]
    fn our_failing_is_internal_or_an_exec_format_error() {
        let failed = |error: &str| {
            let State::Judged(mut report) = report(Verdict::InternalError, Vec::new()) else {
                panic!("a report")
            };
            report.error = Some(error.to_owned());
            Outcome::of(&State::Judged(report), PLAIN).status
        };
        assert_eq!(failed("the box broke"), Status(13));
        for reason in ["Exec format error", "No such file or directory", "Permission denied"] {
            assert_eq!(failed(&format!("execve(./a.out): {reason}")), Status(14));
            assert_eq!(failed(reason), Status(13));
        }
    }

    fn compiled(status: &str, output: &str) -> State {
        let State::Judged(mut report) = report(Verdict::CompileError, Vec::new()) else {
            panic!("a report")
        };
        report.compile = Some(CompileReport {
            ok: false,
            cached: false,
            output: Blob::from(output),
            output_truncated: false,
            status: status.to_owned(),
            cpu_ms: 5.0,
            memory_bytes: 1 << 20,
        });
        State::Judged(report)
    }

    #[test]
    fn a_compile_error_has_no_run() {
        let state = compiled("exited with 1", "main.c:1: error\n");
        let outcome = Outcome::of(&state, PLAIN);
        let output = Some(b"main.c:1: error\n".to_vec());
        assert_eq!(outcome, Outcome { compile_output: output, ..Outcome::bare(Status(6)) });
        let slow = Outcome::of(&compiled("used more CPU time than granted", ""), PLAIN);
        assert_eq!(slow.compile_output.unwrap(), b"Compilation time limit exceeded.");
        assert_eq!(Outcome::of(&compiled("exited with 1", ""), PLAIN).compile_output, None);
    }

    #[test]
    fn what_judge0_does_not_compile_fails_when_it_runs() {
        let state = compiled("exited with 1", "SyntaxError\n");
        let outcome = Outcome::of(&state, Manner { compiled: false, ..PLAIN });
        assert_eq!((outcome.status, outcome.exit_code), (Status(11), Some(1)));
        assert_eq!(outcome.stderr.unwrap(), b"SyntaxError\n");
        assert_eq!((outcome.compile_output, outcome.stdout), (None, None));
    }

    #[test]
    fn several_runs_are_averaged_up_to_the_first_that_fails() {
        let runs = vec![
            run(Verdict::Accepted, Some(0), None),
            TestReport { cpu_ms: 24.0, ..run(Verdict::RuntimeError, Some(2), None) },
            run(Verdict::Skipped, None, None),
        ];
        let outcome = Outcome::of(&report(Verdict::RuntimeError, runs), PLAIN);
        assert_eq!((outcome.status, outcome.exit_code), (Status(11), Some(2)));
        assert_eq!((outcome.time, outcome.memory), (Some(0.018), Some(3072)));
    }
}
