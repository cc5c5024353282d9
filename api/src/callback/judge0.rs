//! The body of Judge0's callback: its default fields, always in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use judge::model::{Blob, Report, TestReport, Verdict};
use queue::JobId;
use serde_json::{Value, json};

use crate::intake::{Known, State};

/// What Judge0 says of a submission: of the first test that failed, or of the first.
pub(super) fn body(id: &JobId, known: Known) -> Value {
    let token = id.as_str();
    match known.state {
        State::Judged(report) => judged(token, &report),
        State::Refused(refusal) => internal(token, &refusal.reason),
        State::Failed(why) => internal(token, why.as_str()),
        State::Cancelled => internal(token, "cancelled"),
        State::Queued | State::Running { .. } | State::Retrying { .. } => {
            internal(token, "not over")
        }
    }
}

fn judged(token: &str, report: &Report) -> Value {
    let test = report.tests.get(report.first_failure.unwrap_or(0));
    let (status, description) = status(report.verdict, test);
    let text = |blob: &Blob| blob.read().ok().and_then(|bytes| encoded(&bytes));
    let message = report.error.as_deref().or_else(|| test.and_then(|t| t.message.as_deref()));
    json!({
        "token": token,
        "time": test.map(|t| format!("{:.3}", t.cpu_ms / 1000.0)),
        "memory": test.map(|t| t.memory_bytes / 1024),
        "stdout": test.and_then(|t| text(&t.stdout)),
        "stderr": test.and_then(|t| text(&t.stderr)),
        "compile_output": report.compile.as_ref().and_then(|c| text(&c.output)),
        "message": message.and_then(|m| encoded(m.as_bytes())),
        "status": { "id": status, "description": description },
    })
}

fn internal(token: &str, message: &str) -> Value {
    json!({
        "token": token, "time": null, "memory": null, "stdout": null, "stderr": null,
        "compile_output": null, "message": encoded(message.as_bytes()),
        "status": { "id": 13, "description": "Internal Error" },
    })
}

/// Judge0's number and words of a verdict. It has none for memory and output: both are its runtime
/// errors.
fn status(verdict: Verdict, test: Option<&TestReport>) -> (u8, &'static str) {
    match verdict {
        Verdict::Accepted => (3, "Accepted"),
        Verdict::WrongAnswer => (4, "Wrong Answer"),
        Verdict::TimeLimit | Verdict::IdlenessLimit => (5, "Time Limit Exceeded"),
        Verdict::CompileError => (6, "Compilation Error"),
        Verdict::OutputLimit => (8, "Runtime Error (SIGXFSZ)"),
        Verdict::InternalError | Verdict::Skipped => (13, "Internal Error"),
        Verdict::RuntimeError | Verdict::MemoryLimit => match test.and_then(|test| test.signal) {
            Some(11) => (7, "Runtime Error (SIGSEGV)"),
            Some(25) => (8, "Runtime Error (SIGXFSZ)"),
            Some(8) => (9, "Runtime Error (SIGFPE)"),
            Some(6) => (10, "Runtime Error (SIGABRT)"),
            Some(_) => (12, "Runtime Error (Other)"),
            None => (11, "Runtime Error (NZEC)"),
        },
    }
}

/// Base64 as Ruby writes it: lines of 60 characters; nothing for nothing.
fn encoded(bytes: &[u8]) -> Option<String> {
    let text = STANDARD.encode(bytes);
    let mut lines = String::with_capacity(text.len() + text.len() / 60 + 1);
    for line in text.as_bytes().chunks(60) {
        lines.push_str(std::str::from_utf8(line).expect("base64 is ASCII"));
        lines.push('\n');
    }
    (!bytes.is_empty()).then_some(lines)
}

#[cfg(test)]
mod tests {
    use queue::Lane;

    use super::*;

    fn of(state: State) -> Value {
        let known = Known { lane: Lane::Normal, attempts: 1, state, note: None };
        body(&JobId::new("t1").unwrap(), known)
    }

    fn report(verdict: &str, first: Option<usize>, signal: Option<i32>) -> State {
        let test = |verdict: &str, stdout: &str| {
            json!({
                "name": "1", "verdict": verdict, "score": null, "cpu_ms": 12.4, "wall_ms": 20.0,
                "memory_bytes": 2_097_152, "exit_code": null, "signal": signal, "status": null,
                "message": null, "team_message": null, "stdout": stdout, "stderr": "",
                "stdout_truncated": false, "stderr_truncated": false,
                "times": {"set_up_ms": 0.0, "run_ms": 0.0, "check_ms": 0.0},
            })
        };
        let report = json!({
            "verdict": verdict, "score": 0.0, "first_failure": first, "language": "c",
            "toolchain": "", "engine": "", "compile": null,
            "tests": [test("AC", "first"), test(verdict, &"x".repeat(60))], "error": null,
            "times": {"compile_ms": 0.0, "set_up_ms": 0.0, "run_ms": 0.0, "check_ms": 0.0,
                      "total_ms": 0.0},
        });
        State::Judged(Box::new(serde_json::from_value(report).unwrap()))
    }

    #[test]
    fn a_verdict_is_told_as_judge0_tells_it() {
        let wrong = of(report("WA", Some(1), None));
        let lines = format!("{}\n{}\n", "eHh4".repeat(15), "eHh4".repeat(5));
        let expected = json!({
            "token": "t1", "time": "0.012", "memory": 2048, "stdout": lines, "stderr": null,
            "compile_output": null, "message": null,
            "status": {"id": 4, "description": "Wrong Answer"},
        });
        assert_eq!(wrong, expected);
        assert_eq!(of(report("AC", None, None))["stdout"], "Zmlyc3Q=\n");
        assert_eq!(of(report("RE", Some(1), Some(11)))["status"]["id"], 7);
        assert_eq!(of(report("MLE", Some(1), Some(9)))["status"]["id"], 12);
        let cancelled = of(State::Cancelled);
        assert_eq!(
            (&cancelled["status"]["id"], &cancelled["message"]),
            (&json!(13), &json!("Y2FuY2VsbGVk\n"))
        );
    }
}
