//! A submission as a job: what a server puts on the queue and a worker takes off it, and what the
//! worker answers. JSON with a version, so that servers and workers may be updated one by one.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{Blob, Report, Submission, TestReport};

/// The newest version. It grows when an older reader would misread what it gets; what an older one
/// can read is written as it knows it.
const VERSION: u32 = 2;
/// Without a problem.
const PLAIN: u32 = 1;

/// Bytes of one stream that a step keeps: steps are for watching, many times a second.
const STEP_STREAM: usize = 4 << 10;

/// How far streams and messages are cut, one after the other, until an answer fits.
const CUTS: [usize; 8] = [512 << 10, 128 << 10, 48 << 10, 16 << 10, 4 << 10, 1 << 10, 256, 0];

/// The payload of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// What to judge.
    pub submission: Submission,
    /// The problem that has its tests, by its hash; the submission has none of its own then.
    pub problem: Option<String>,
}

/// The result of a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It was judged.
    Judged(Box<Judged>),
    /// It cannot be judged as written; trying again does not help.
    Refused(Refusal),
}

/// A report that was judged.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The report.
    pub report: Report,
    /// The report was too large: its tests were left out, the steps of the job hold them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tests_in_steps: bool,
    /// When it was done by the worker's clock, in milliseconds since 1970: to be shown, never to
    /// be reckoned with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<u64>,
}

/// Why a submission cannot be judged as written.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Path of the field at fault, when it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong, and what would be right.
    pub reason: String,
}

/// Bytes that are no task or answer.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// A newer evalX has written it.
    #[error("it has version {found}, this evalx knows {VERSION}: update it")]
    Newer {
        /// Its version.
        found: u32,
    },
    /// It is something else.
    #[error("not as evalx writes it")]
    Unreadable(#[source] serde_json::Error),
    /// It cannot be written.
    #[error("cannot be written as JSON")]
    Unwritable(#[source] serde_json::Error),
}

#[derive(Deserialize)]
struct Head {
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TaskWire<S> {
    version: u32,
    submission: S,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AnswerBody<J, R> {
    Judged(J),
    Refused(R),
}

#[derive(Serialize, Deserialize)]
struct AnswerWire<J, R> {
    version: u32,
    #[serde(flatten)]
    body: AnswerBody<J, R>,
}

impl Task {
    /// As bytes. Files of this machine are read.
    ///
    /// # Errors
    /// When a number in it is none (NaN).
    pub fn encode(&self) -> Result<Vec<u8>, TaskError> {
        let Self { submission, problem } = self;
        let version = if problem.is_some() { VERSION } else { PLAIN };
        let wire = TaskWire { version, submission, problem: problem.clone() };
        serde_json::to_vec(&wire).map_err(TaskError::Unwritable)
    }

    /// From bytes.
    ///
    /// # Errors
    /// When it is something else, or of a newer version.
    pub fn decode(bytes: &[u8]) -> Result<Self, TaskError> {
        check_version(bytes)?;
        let TaskWire { version: _, submission, problem } =
            serde_json::from_slice(bytes).map_err(TaskError::Unreadable)?;
        Ok(Self { submission, problem })
    }
}

impl Answer {
    /// An answer with this report.
    #[must_use]
    pub fn judged(report: Report) -> Self {
        Self::Judged(Box::new(Judged { report, tests_in_steps: false, ended_ms: None }))
    }

    /// The same with the time of its end.
    #[must_use]
    pub fn ended(mut self, at: SystemTime) -> Self {
        if let Self::Judged(judged) = &mut self {
            let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
            judged.ended_ms = u64::try_from(since.as_millis()).ok();
        }
        self
    }

    /// As at most `limit` bytes. Streams and messages are cut as far as that needs, and say so; if
    /// they are not enough the tests are left out.
    ///
    /// # Errors
    /// When a number in it is none (NaN).
    pub fn encode(&self, limit: usize) -> Result<Vec<u8>, TaskError> {
        let whole = self.write()?;
        if whole.len() <= limit {
            return Ok(whole);
        }
        let Self::Judged(judged) = self else {
            return Ok(whole);
        };
        let mut judged = judged.clone();
        for cut in CUTS {
            shorten(&mut judged.report, cut);
            let bytes = Self::Judged(judged.clone()).write()?;
            if bytes.len() <= limit {
                return Ok(bytes);
            }
        }
        judged.report.tests.clear();
        judged.tests_in_steps = true;
        Self::Judged(judged).write()
    }

    /// From bytes.
    ///
    /// # Errors
    /// When it is something else, or of a newer version.
    pub fn decode(bytes: &[u8]) -> Result<Self, TaskError> {
        check_version(bytes)?;
        let AnswerWire { version: _, body } =
            serde_json::from_slice(bytes).map_err(TaskError::Unreadable)?;
        Ok(match body {
            AnswerBody::Judged(judged) => Self::Judged(judged),
            AnswerBody::Refused(refusal) => Self::Refused(refusal),
        })
    }

    fn write(&self) -> Result<Vec<u8>, TaskError> {
        let body = match self {
            Self::Judged(judged) => AnswerBody::Judged(judged),
            Self::Refused(refusal) => AnswerBody::Refused(refusal),
        };
        let wire = AnswerWire { version: PLAIN, body };
        serde_json::to_vec(&wire).map_err(TaskError::Unwritable)
    }
}

/// One test as a step of its job, its streams cut.
///
/// # Errors
/// When a number in it is none (NaN).
pub fn encode_step(report: &TestReport) -> Result<Vec<u8>, TaskError> {
    let mut report = report.clone();
    shorten_test(&mut report, STEP_STREAM);
    serde_json::to_vec(&report).map_err(TaskError::Unwritable)
}

/// The version comes first: a newer task may have fields that this one would call an error.
fn check_version(bytes: &[u8]) -> Result<(), TaskError> {
    let Head { version } = serde_json::from_slice(bytes).map_err(TaskError::Unreadable)?;
    if version > VERSION {
        return Err(TaskError::Newer { found: version });
    }
    Ok(())
}

fn shorten(report: &mut Report, most: usize) {
    if let Some(compile) = &mut report.compile {
        shorten_blob(&mut compile.output, &mut compile.output_truncated, most);
    }
    if let Some(error) = &mut report.error {
        shorten_text(error, most.max(256));
    }
    for test in &mut report.tests {
        shorten_test(test, most);
    }
}

fn shorten_test(test: &mut TestReport, most: usize) {
    shorten_blob(&mut test.stdout, &mut test.stdout_truncated, most);
    shorten_blob(&mut test.stderr, &mut test.stderr_truncated, most);
    for text in [&mut test.message, &mut test.team_message].into_iter().flatten() {
        shorten_text(text, most);
    }
}

fn shorten_blob(blob: &mut Blob, truncated: &mut bool, most: usize) {
    let Ok(bytes) = blob.read() else { return };
    if bytes.len() <= most {
        return;
    }
    let mut end = most;
    // Text stays text: not in the middle of a character.
    if let Ok(text) = std::str::from_utf8(&bytes) {
        end = text.floor_char_boundary(most);
    }
    *blob = Blob::from(&bytes[..end]);
    *truncated = true;
}

fn shorten_text(text: &mut String, most: usize) {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{StageTimes, TestTimes, Verdict};

    fn submission() -> Submission {
        let json = r#"{"language":"c","files":[{"name":"a.c","contents":"x"}],"tests":[]}"#;
        serde_json::from_str(json).unwrap()
    }

    fn test(stdout: &str) -> TestReport {
        TestReport {
            name: "1".to_owned(),
            verdict: Verdict::Accepted,
            score: None,
            cpu_ms: 1.0,
            wall_ms: 1.0,
            memory_bytes: 1,
            exit_code: Some(0),
            signal: None,
            status: None,
            message: Some("m".repeat(5000)),
            team_message: None,
            stdout: Blob::from(stdout),
            stdout_truncated: false,
            stderr: Blob::from(""),
            stderr_truncated: false,
            times: TestTimes::default(),
            pressure: None,
            again: None,
        }
    }

    fn answer(tests: Vec<TestReport>) -> Answer {
        Answer::judged(Report {
            verdict: Verdict::Accepted,
            score: Some(1.0),
            first_failure: None,
            language: "c".to_owned(),
            limits: None,
            toolchain: "gcc".to_owned(),
            engine: "native".to_owned(),
            compile: None,
            tests,
            error: None,
            times: StageTimes::default(),
        })
    }

    #[test]
    fn a_task_comes_back_as_it_was() {
        let task = Task { submission: submission(), problem: None };
        let bytes = task.encode().unwrap();
        assert!(bytes.starts_with(br#"{"version":1,"#), "older workers know it");
        assert_eq!(Task::decode(&bytes).unwrap(), task);
        let task = Task { problem: Some("sha256:x".to_owned()), ..task };
        let bytes = task.encode().unwrap();
        assert!(bytes.starts_with(br#"{"version":2,"#), "older workers leave it to others");
        assert_eq!(Task::decode(&bytes).unwrap(), task);
    }

    #[test]
    fn a_newer_task_says_so_whatever_else_it_holds() {
        let error = Task::decode(br#"{"version":3,"tissue":[]}"#).unwrap_err();
        assert_eq!(error.to_string(), "it has version 3, this evalx knows 2: update it");
        for odd in ["", "x", "{}", r#"{"version":1}"#, r#"{"version":1,"submission":{},"x":1}"#] {
            let error = Task::decode(odd.as_bytes()).unwrap_err();
            assert!(matches!(error, TaskError::Unreadable(_)), "{odd}");
        }
    }

    #[test]
    fn an_answer_that_fits_is_whole() {
        let answer = answer(vec![test("3\n")]);
        assert_eq!(Answer::decode(&answer.encode(64 << 10).unwrap()).unwrap(), answer);
        let reason = "no such language".to_owned();
        let refused = Answer::Refused(Refusal { field: Some("language".to_owned()), reason });
        assert_eq!(Answer::decode(&refused.encode(64 << 10).unwrap()).unwrap(), refused);
    }

    #[test]
    fn an_answer_that_is_too_large_loses_output_first_and_its_tests_last() {
        let limit = 64 << 10;
        let few = answer(vec![test(&"ä".repeat(9000)); 20]).encode(limit).unwrap();
        assert!(few.len() <= limit);
        let Answer::Judged(few) = Answer::decode(&few).unwrap() else { panic!("judged") };
        assert_eq!(few.report.tests.len(), 20);
        assert!(few.report.tests[0].stdout_truncated && !few.tests_in_steps);
        let many = answer(vec![test("3\n"); 2000]).encode(limit).unwrap();
        assert!(many.len() <= limit);
        let Answer::Judged(many) = Answer::decode(&many).unwrap() else { panic!("judged") };
        assert!(many.report.tests.is_empty() && many.tests_in_steps);
    }

    #[test]
    fn a_step_keeps_the_beginning_of_its_streams() {
        let step = encode_step(&test(&"x".repeat(1 << 20))).unwrap();
        assert!(step.len() < 16 << 10, "{}", step.len());
        let step: TestReport = serde_json::from_slice(&step).unwrap();
        assert!(step.stdout_truncated);
    }
}
