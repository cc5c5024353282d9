//! What is answered when something cannot be done, in Judge0's words.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::problem::{Fault, Kind, Problem, seconds};

/// What is wrong with the fields of a submission, as `{"field": ["text"]}`.
pub(super) type Faults = BTreeMap<String, Vec<String>>;

/// Something cannot be done.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    /// Absent: the answer has no body.
    body: Option<Value>,
    kind: Kind,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// `{"error": "text"}` with that status.
    pub(super) fn error(kind: Kind, status: StatusCode, text: impl Into<String>) -> Self {
        let body = Some(json!({"error": text.into()}));
        Self { status, body, kind, retry_after: None }
    }

    /// The request as a whole cannot be taken.
    pub(super) fn bad_request(text: impl Into<String>) -> Self {
        Self::error(Kind::BadRequest, StatusCode::BAD_REQUEST, text)
    }

    /// Fields are wrong.
    pub(super) fn faults(faults: &Faults) -> Self {
        let (status, body) = (StatusCode::UNPROCESSABLE_ENTITY, Some(json!(faults)));
        Self { status, body, kind: Kind::Invalid, retry_after: None }
    }

    /// The protected call is not for this caller.
    pub(super) fn forbidden() -> Self {
        let (status, kind) = (StatusCode::FORBIDDEN, Kind::Forbidden);
        Self { status, body: None, kind, retry_after: None }
    }

    /// There is no such thing.
    pub(super) fn not_found() -> Self {
        let body = Some(json!({"status": 404, "error": "Not Found"}));
        Self { status: StatusCode::NOT_FOUND, body, kind: Kind::NotFound, retry_after: None }
    }

    /// As one of a batch says it.
    pub(super) fn into_faults(self) -> Value {
        match (self.kind, self.body) {
            (Kind::Invalid, Some(faults)) => faults,
            (_, body) => {
                let text = body.as_ref().and_then(|body| body["error"].as_str());
                json!({"base": [text.unwrap_or("cannot be taken")]})
            }
        }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let (kind, detail, faults, retry_after) = problem.into_parts();
        let status = kind.status();
        match kind {
            Kind::Unauthorized => Self { status, body: None, kind, retry_after },
            Kind::NotFound => Self::not_found(),
            Kind::QueueFull | Kind::Busy => {
                Self { retry_after, ..Self::error(kind, status, "queue is full") }
            }
            Kind::Invalid if !faults.is_empty() => Self::faults(&of_fields(faults)),
            _ => Self { retry_after, ..Self::error(kind, status, detail) },
        }
    }
}

/// Fields of the judge's submission by the names of Judge0's.
fn of_fields(faults: Vec<Fault>) -> Faults {
    let mut named = Faults::new();
    for Fault { field, detail } in faults {
        let name = match field.as_str() {
            f if f.starts_with("extras.files") => "additional_files",
            f if f.starts_with("extras.compiler_options") => "compiler_options",
            f if f.starts_with("files") => "source_code",
            f if f.starts_with("args") || f.contains(".args") => "command_line_arguments",
            "callback_url" => "callback_url",
            f if f.starts_with("language") => "language_id",
            _ => "base",
        };
        named.entry(name.to_owned()).or_default().push(detail);
    }
    named
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { status, body, kind, retry_after } = self;
        let mut response = match body {
            Some(body) => (status, axum::Json(body)).into_response(),
            None => status.into_response(),
        };
        let headers = response.headers_mut();
        if let Some(after) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds(after).into());
        }
        if kind == Kind::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(kind);
        response
    }
}
