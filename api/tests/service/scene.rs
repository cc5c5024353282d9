//! A service, a worker that says what the program says, and a client.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use api::{Access, App, Config, router};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use judge::language::Table;
use judge::model::{
    Answer, Refusal, Report, StageTimes, Task, TestReport, TestTimes, Verdict, encode_step,
};
use queue::{Consumer, Held, Label, Lane, MemoryStore, Outcome, Place, Settings, Step, Store};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tower::ServiceExt as _;

/// All that a test needs; ends with it.
pub(crate) struct Scene {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) router: Router,
    pub(crate) tasks: JoinSet<()>,
}

/// An answer.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answered {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub(crate) fn lines(&self) -> Vec<Value> {
        self.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Status and the last part of the problem's type.
    #[track_caller]
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.text);
        let kind = self.json()["type"].as_str().unwrap().to_owned();
        let name = kind.strip_prefix("urn:evalx:problem:").unwrap();
        (self.status.as_u16(), name.to_owned())
    }

    #[track_caller]
    pub(crate) fn detail(&self) -> String {
        self.json()["detail"].as_str().unwrap().to_owned()
    }
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::with(Settings::default(), Access::open(true), Config::default())
    }

    pub(crate) fn with(settings: Settings, access: Access, config: Config) -> Self {
        let store = Arc::new(MemoryStore::new(settings));
        let table = Arc::new(Table::builtin());
        let app = App::new(Arc::clone(&store) as _, table, None, access, config);
        let mut tasks = JoinSet::new();
        tasks.spawn(app.clone().work());
        tasks.spawn(app.clone().deliver(std::future::pending()));
        Self { store, router: router(app), tasks }
    }

    /// Starts a worker.
    pub(crate) fn worker(mut self) -> Self {
        self.tasks.spawn(work(Arc::clone(&self.store) as _));
        self
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answered {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.into()).unwrap();
        Answered { status: parts.status, headers: parts.headers, text }
    }

    pub(crate) async fn get(&self, uri: &str) -> Answered {
        self.send(request(Method::GET, uri, &[], Body::empty())).await
    }

    pub(crate) async fn delete(&self, uri: &str) -> Answered {
        self.send(request(Method::DELETE, uri, &[], Body::empty())).await
    }

    pub(crate) async fn post(&self, uri: &str, body: &Value) -> Answered {
        self.post_with(uri, &[], body.to_string()).await
    }

    pub(crate) async fn post_with(
        &self,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answered {
        self.send(request(Method::POST, uri, headers, body.into())).await
    }

    /// Waits until a job is held by a worker.
    pub(crate) async fn until_running(&self, id: &str) {
        let wait = async {
            while self.get(&format!("/v1/submissions/{id}")).await.json()["status"] != "running" {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), wait).await.unwrap();
    }
}

pub(crate) fn request(
    method: Method,
    uri: &str,
    headers: &[(&str, &str)],
    body: Body,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(uri);
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/json");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).unwrap()
}

/// A submission of Python whose tests end as `verdicts` say.
pub(crate) fn submission(verdicts: &str) -> Value {
    let test = |verdict| json!({"input": "", "answer": verdict});
    let tests: Vec<Value> = verdicts.split(' ').filter(|v| !v.is_empty()).map(test).collect();
    json!({"language": "python3", "source": "print(3)", "tests": tests})
}

/// Claims and answers: a test ends as its answer says and its output is its input; `refuse` and `hold` as sources do that.
async fn work(store: Arc<dyn Store>) {
    let place = Place::new("stub").unwrap();
    let (consumer, _) = Consumer::join(store, &place, &Lane::JUDGED).await.unwrap();
    loop {
        let leases = consumer.claim(4).await.unwrap();
        if leases.is_empty() {
            consumer.wait_for_work().await;
        }
        for lease in leases {
            let held = Held::from(&lease);
            let Task { submission, problem: _ } = Task::decode(&lease.payload).unwrap();
            let source = submission.files[0].contents.read().unwrap();
            if *source == *b"hold" {
                continue;
            }
            let tests: Vec<TestReport> = submission
                .tests
                .iter()
                .map(|t| {
                    let answer = t.answer.as_ref().map(|answer| answer.read().unwrap());
                    let answer = answer.as_deref().unwrap_or(b"AC");
                    let verdict = json!(std::str::from_utf8(answer).unwrap());
                    let report = test(&t.name, serde_json::from_value(verdict).unwrap());
                    TestReport { stdout: t.input.clone(), ..report }
                })
                .collect();
            for (index, report) in (0..).zip(&tests) {
                let report = encode_step(report).unwrap().into();
                consumer.progress(&[Step { held: held.clone(), index, report }]).await.unwrap();
            }
            let mut label = None;
            let answer = if *source == *b"refuse" {
                Answer::Refused(Refusal { field: None, reason: "no".to_owned() })
            } else {
                let report = report(&submission.language, tests);
                label = Label::new(report.tally().encode()).ok();
                Answer::judged(report).ended(SystemTime::now())
            };
            let result = answer.encode(64 << 10).unwrap().into();
            let outcome = Outcome::Finished { result, brief: None, took: None, label };
            consumer.complete(held, outcome).await.unwrap();
        }
    }
}

fn report(language: &str, tests: Vec<TestReport>) -> Report {
    let first = tests.iter().position(|test| test.verdict != Verdict::Accepted);
    Report {
        verdict: first.map_or(Verdict::Accepted, |first| tests[first].verdict),
        score: Some(1.0),
        first_failure: first,
        language: language.to_owned(),
        limits: None,
        toolchain: "stub".to_owned(),
        engine: "stub".to_owned(),
        compile: None,
        tests,
        error: None,
        times: StageTimes::default(),
    }
}

fn test(name: &str, verdict: Verdict) -> TestReport {
    TestReport {
        name: name.to_owned(),
        verdict,
        score: None,
        cpu_ms: 1.0,
        wall_ms: 1.0,
        memory_bytes: 1 << 20,
        exit_code: Some(0),
        signal: None,
        status: None,
        message: None,
        team_message: None,
        stdout: "".into(),
        stdout_truncated: false,
        stderr: "".into(),
        stderr_truncated: false,
        times: TestTimes::default(),
        pressure: None,
        again: None,
    }
}
