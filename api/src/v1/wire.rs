//! The native API's JSON: what a client sends, and what it is answered.

use std::time::Duration;

use axum::http::{HeaderMap, Uri};
use judge::language::Table;
use judge::model::{
    Blob, Checker, Extras, LimitsSpec, Refusal, Report, SourceFile, StopRule, Submission, Test,
    TestReport,
};
use queue::transition::Why;
use queue::{IdempotencyKey, JobId, Lane};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::callback::Wire;
use crate::intake::{Known, Order, State};
use crate::problem::{Document, Kind, Problem};

/// A program, and the tests to run it on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SubmissionRequest)]
pub(crate) struct Request {
    /// Id or alias of a language, see `/v1/languages`.
    language: String,
    /// The program, when it is one file; in the place of `files`.
    source: Option<Blob>,
    /// The program's files.
    #[serde(default)]
    files: Vec<SourceFile>,
    /// The file (or class) that starts; default: the first file.
    entry: Option<String>,
    /// Arguments for the program.
    #[serde(default)]
    args: Vec<String>,
    /// The problem to submit to, by the hash that `/v1/problems` has answered; in the place of
    /// `tests` and `checker`. Of the limits, those that are given here count.
    problem: Option<String>,
    /// The tests, in the order in which they are reported. One without an answer is a plain run;
    /// one without a name is named by its number, from 1.
    #[serde(default)]
    tests: Vec<Test>,
    /// Limits of each test; what is absent has its default.
    #[serde(default)]
    limits: LimitsSpec,
    /// How output becomes a verdict; default: line by line.
    checker: Option<Checker>,
    /// Whether to go on after a test that is not accepted; default: yes.
    #[serde(default)]
    stop: StopRule,
    /// How soon: `high` when somebody waits for it, `low` when nobody does.
    #[serde(default)]
    lane: LaneName,
    /// Given back with every answer about it; at most 16 of 128 characters.
    #[serde(default)]
    tags: Vec<String>,
    /// Told when it is over, by a POST of what `GET /v1/submissions/{id}` answers: an address that
    /// begins with https:// or http:// and is public. At least once; a delivery that is not
    /// answered with 2xx is repeated for some hours. Headers as of Standard Webhooks: `webhook-id`
    /// (the same in each attempt), `webhook-timestamp` and, if there is a secret,
    /// `webhook-signature`.
    callback: Option<String>,
    /// The client's own name for this submission: sent again, it is not judged again. The header
    /// `Idempotency-Key` names a whole request.
    idempotency_key: Option<String>,
}

/// How soon.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Lane)]
pub(crate) enum LaneName {
    /// Somebody waits for it.
    High,
    /// The default.
    #[default]
    Normal,
    /// Nobody waits for it.
    Low,
}

/// What is known of a submission.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = SubmissionView)]
pub(crate) struct View {
    /// Its id.
    id: String,
    /// Where it is.
    status: Status,
    /// How soon it is judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    lane: Option<LaneName>,
    /// How often a worker has taken it up.
    attempts: u32,
    /// As they were handed in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    /// Before there is a report: the tests that are over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tests: Vec<Partial>,
    /// With `finished`: everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<Report>,
    /// With `refused`: what is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<Refusal>,
    /// With `failed`: why evalX gave up.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

/// Where a submission is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// Waits for a worker.
    Queued,
    /// A worker has it.
    Running,
    /// evalX failed; it will be tried again.
    Retrying,
    /// There is a report.
    Finished,
    /// It cannot be judged as written.
    Refused,
    /// evalX failed too often.
    Failed,
    /// Called off.
    Cancelled,
}

/// A test that is over.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Partial {
    /// Its position in `tests`, from 0.
    pub(crate) index: u32,
    /// What is known of it; streams are cut shorter than in the report.
    #[serde(flatten)]
    pub(crate) report: TestReport,
}

/// One line of a batch's answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BatchLine)]
pub(crate) struct Line<'a> {
    /// Position in the batch, from 0.
    pub(crate) index: u32,
    /// What is known of it: first that it is queued, later how it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) submission: Option<View>,
    /// Why it was not taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<Document<'a>>,
}

/// What is kept with a job: for whoever reads it, never for a worker.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Note {
    #[serde(default)]
    tags: Vec<String>,
}

const TAGS: usize = 16;
const TAG: usize = 128;

impl Request {
    /// What is to be judged. `header` is the key that came with the request, `index` the position
    /// in it.
    pub(crate) async fn order(
        self,
        app: &App,
        header: Option<&IdempotencyKey>,
        index: u32,
    ) -> Result<Order, Problem> {
        let Self {
            language,
            source,
            files,
            entry,
            args,
            problem,
            mut tests,
            limits,
            checker,
            stop,
            lane,
            tags,
            callback,
            idempotency_key,
        } = self;
        let sole_file = source.is_some().then_some("source");
        let files = sources(app.table(), &language, source, files)?;
        for (n, test) in tests.iter_mut().enumerate().filter(|(_, t)| t.name.is_empty()) {
            test.name = (n + 1).to_string();
        }
        let problem = match &problem {
            None => None,
            Some(_) if !tests.is_empty() => {
                return Err(invalid("tests", "give either a problem or tests"));
            }
            Some(_) if checker.is_some() => {
                return Err(invalid("checker", "give either a problem or a checker"));
            }
            Some(name) => Some(app.problem_of(name, "problem").await?),
        };
        let checker = checker.unwrap_or_default();
        if tags.len() > TAGS || tags.iter().any(|tag| tag.chars().count() > TAG) {
            let detail = format!("at most {TAGS} tags of {TAG} characters are kept");
            return Err(invalid("tags", detail));
        }
        let note = (!tags.is_empty())
            .then(|| serde_json::to_vec(&Note { tags }).expect("text becomes JSON"));
        let callback = callback.map(|url| app.callback(&url, Wire::Native, "callback"));
        let own = idempotency_key.map(IdempotencyKey::new).transpose();
        let own = own.map_err(|error| invalid("idempotency_key", error.to_string()))?;
        // A key of its own names the submission wherever it stands in a batch.
        let key = own.map(|key| (key, 0)).or_else(|| header.map(|key| (key.clone(), index)));
        let extras = Extras::default();
        let submission =
            Submission { language, files, entry, args, tests, limits, checker, stop, extras };
        let callback = callback.transpose()?;
        Ok(Order { submission, sole_file, problem, lane: lane.into(), key, note, callback })
    }
}

/// The files of a program that is one file, or several.
fn sources(
    table: &Table,
    language: &str,
    source: Option<Blob>,
    files: Vec<SourceFile>,
) -> Result<Vec<SourceFile>, Problem> {
    let Some(contents) = source else { return Ok(files) };
    if !files.is_empty() {
        return Err(invalid("source", "give either source or files"));
    }
    let known = table.get(language).map_err(|error| invalid("language", error.to_string()))?;
    Ok(vec![SourceFile { name: known.source.clone(), contents }])
}

/// One field that is wrong.
pub(crate) fn invalid(field: &str, detail: impl Into<String>) -> Problem {
    let detail = detail.into();
    Problem::new(Kind::Invalid, format!("{field}: {detail}")).fault(field, detail)
}

impl View {
    /// One that was just put on the queue.
    pub(crate) fn queued(id: &JobId, lane: Lane) -> Self {
        Self {
            id: id.to_string(),
            status: Status::Queued,
            lane: LaneName::of(lane),
            attempts: 0,
            tags: Vec::new(),
            tests: Vec::new(),
            report: None,
            refusal: None,
            error: None,
        }
    }

    pub(crate) fn of(id: &JobId, known: Known) -> Self {
        let Known { lane, attempts, state, note, size: _, ended_ms: _ } = known;
        let note = note.and_then(|note| serde_json::from_slice::<Note>(&note).ok());
        let partial = |tests: Vec<(u32, TestReport)>| {
            tests.into_iter().map(|(index, report)| Partial { index, report }).collect()
        };
        let tags = note.unwrap_or_default().tags;
        let mut view = Self { attempts, tags, ..Self::queued(id, lane) };
        match state {
            State::Queued => {}
            State::Running { tests } => {
                (view.status, view.tests) = (Status::Running, partial(tests));
            }
            State::Retrying { tests } => {
                (view.status, view.tests) = (Status::Retrying, partial(tests));
            }
            State::Judged(report) => {
                (view.status, view.report) = (Status::Finished, Some(*report));
            }
            State::Refused(refusal) => {
                (view.status, view.refusal) = (Status::Refused, Some(refusal));
            }
            State::Failed(why) => {
                view.status = Status::Failed;
                view.error = Some(match why {
                    Why::Crashes => "its workers crashed",
                    Why::Attempts => "evalX failed in every attempt",
                    Why::Buried => "no worker could read it",
                });
            }
            State::Cancelled => view.status = Status::Cancelled,
        }
        view
    }

    /// Where it is.
    pub(crate) fn status(&self) -> Status {
        self.status
    }

    /// The tests that are over, to be told one by one.
    pub(crate) fn take_tests(&mut self) -> Vec<Partial> {
        std::mem::take(&mut self.tests)
    }
}

impl Status {
    /// Whether nothing will change any more.
    pub(crate) fn is_over(self) -> bool {
        !matches!(self, Self::Queued | Self::Running | Self::Retrying)
    }
}

impl LaneName {
    fn of(lane: Lane) -> Option<Self> {
        match lane {
            Lane::High => Some(Self::High),
            Lane::Normal => Some(Self::Normal),
            Lane::Low => Some(Self::Low),
            Lane::Internal => None,
        }
    }
}

impl From<LaneName> for Lane {
    fn from(name: LaneName) -> Self {
        match name {
            LaneName::High => Self::High,
            LaneName::Normal => Self::Normal,
            LaneName::Low => Self::Low,
        }
    }
}

/// How long an answer is to be held back: `?wait=SECONDS`, or the header `Prefer: wait=SECONDS`
/// (RFC 7240).
pub(crate) fn wait(uri: &Uri, headers: &HeaderMap) -> Result<Option<Duration>, Problem> {
    let mut asked = None;
    for (name, value) in pairs(uri.query().unwrap_or("")) {
        if name != "wait" {
            let name = crate::body::cut(name);
            return Err(invalid(&name, "no such parameter; there is wait"));
        }
        asked = Some(value);
    }
    if let Some(text) = asked {
        return seconds(text).map(Some).ok_or_else(|| invalid("wait", "a number of seconds"));
    }
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let preferred = values.flat_map(|v| v.split([',', ';'])).find_map(|preference| {
        let (name, value) = preference.split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"'))
    });
    // A preference that is not understood is to be ignored.
    Ok(preferred.and_then(seconds))
}

fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.parse().ok()?;
    // NaN and what is below zero are none; what is endless is cut by the longest wait.
    Duration::try_from_secs_f64(if seconds > 1e6 { 1e6 } else { seconds }).ok()
}

fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// The client's name for a request.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().map_err(|_| invalid("Idempotency-Key", "visible ASCII only"))?;
    // The draft of the header has a quoted string, most clients send bare words.
    let key = IdempotencyKey::new(text.trim_matches('"'));
    key.map(Some).map_err(|error| invalid("Idempotency-Key", error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(uri: &str, prefer: &str) -> Result<Option<f64>, String> {
        let headers = [(axum::http::HeaderName::from_static("prefer"), prefer.parse().unwrap())];
        let wait = wait(&uri.parse().unwrap(), &headers.into_iter().collect());
        let detail = |problem: Problem| serde_json::to_value(problem.document()).unwrap();
        wait.map(|w| w.map(|w| w.as_secs_f64())).map_err(|p| detail(p)["detail"].to_string())
    }

    #[test]
    fn how_long_to_wait() {
        assert_eq!(asked("/?wait=2.5", ""), Ok(Some(2.5)));
        assert_eq!(asked("/?wait=inf", ""), Ok(Some(1e6)));
        assert_eq!(asked("/", "respond-async, wait=10"), Ok(Some(10.0)));
        assert_eq!(asked("/", "handling=lenient; Wait=\"3\""), Ok(Some(3.0)));
        assert_eq!(asked("/", "wait=soon"), Ok(None));
        assert_eq!(asked("/?", ""), Ok(None));
        assert!(asked("/?wait=soon", "").unwrap_err().contains("a number of seconds"));
        assert!(asked("/?wait=-1", "").is_err() && asked("/?wait=nan", "").is_err());
        assert!(asked("/?wiat=1", "").unwrap_err().contains("no such parameter"));
    }
}
