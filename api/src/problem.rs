//! What is answered when something cannot be done: problem documents (RFC 9457). Each kind has a
//! type that never changes; each module's errors turn into them here or in the module.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// The kinds of problems. The name in the type is a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    BadRequest,
    Unauthorized,
    Forbidden,
    Host,
    NotFound,
    Method,
    Timeout,
    TooLarge,
    MediaType,
    Invalid,
    RateLimited,
    Internal,
    QueueFull,
    Busy,
    NoSpace,
    Unavailable,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 16] = [
        Self::BadRequest,
        Self::Unauthorized,
        Self::Forbidden,
        Self::Host,
        Self::NotFound,
        Self::Method,
        Self::Timeout,
        Self::TooLarge,
        Self::MediaType,
        Self::Invalid,
        Self::RateLimited,
        Self::Internal,
        Self::QueueFull,
        Self::Busy,
        Self::NoSpace,
        Self::Unavailable,
    ];

    /// The last part of the type, the status, and what it is in a few words.
    fn facts(self) -> (&'static str, StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::BadRequest => ("bad-request", S::BAD_REQUEST, "the request cannot be read"),
            Self::Unauthorized => ("unauthorized", S::UNAUTHORIZED, "no valid token"),
            Self::Forbidden => ("forbidden", S::FORBIDDEN, "the token does not have this right"),
            Self::Host => ("host", S::MISDIRECTED_REQUEST, "not a name of this server"),
            Self::NotFound => ("not-found", S::NOT_FOUND, "there is no such thing"),
            Self::Method => ("method", S::METHOD_NOT_ALLOWED, "not a method of this path"),
            Self::Timeout => ("timeout", S::REQUEST_TIMEOUT, "the request came too slowly"),
            Self::TooLarge => ("too-large", S::PAYLOAD_TOO_LARGE, "more than is taken"),
            Self::MediaType => {
                ("media-type", S::UNSUPPORTED_MEDIA_TYPE, "not a media type that is taken")
            }
            Self::Invalid => ("invalid", S::UNPROCESSABLE_ENTITY, "something in it is wrong"),
            Self::RateLimited => ("rate-limited", S::TOO_MANY_REQUESTS, "too many at once"),
            Self::Internal => ("internal", S::INTERNAL_SERVER_ERROR, "evalX failed"),
            Self::QueueFull => ("queue-full", S::SERVICE_UNAVAILABLE, "the queue is full"),
            Self::NoSpace => ("no-space", S::INSUFFICIENT_STORAGE, "the server's disk is full"),
            Self::Busy => ("busy", S::SERVICE_UNAVAILABLE, "too much is being sent"),
            Self::Unavailable => {
                ("unavailable", S::SERVICE_UNAVAILABLE, "the queue cannot be reached")
            }
        }
    }

    pub(crate) fn status(self) -> StatusCode {
        self.facts().1
    }

    /// As in the metric's label.
    pub(crate) fn name(self) -> &'static str {
        self.facts().0
    }
}

/// A problem, on its way to the client.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    kind: Kind,
    detail: String,
    faults: Vec<Fault>,
    retry_after: Option<Duration>,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Fault {
    /// Path of the field, as `tests[3].input`.
    pub(crate) field: String,
    /// What is wrong with it, and what would be right.
    pub(crate) detail: String,
}

/// A problem document (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Document<'a> {
    /// Which kind of problem; never changes.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in words.
    title: &'a str,
    /// The status, again.
    status: u16,
    /// What is wrong here, and what would be right.
    detail: &'a str,
    /// Fields that are wrong.
    #[serde(skip_serializing_if = "<[Fault]>::is_empty")]
    #[schema(value_type = Vec<Fault>)]
    errors: &'a [Fault],
    /// Seconds after which another try may succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), faults: Vec::new(), retry_after: None }
    }

    #[must_use]
    pub(crate) fn fault(mut self, field: impl Into<String>, detail: impl Into<String>) -> Self {
        self.faults.push(Fault { field: field.into(), detail: detail.into() });
        self
    }

    #[must_use]
    pub(crate) fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// The same of the submission at that position of a batch.
    #[must_use]
    pub(crate) fn within(mut self, index: u32) -> Self {
        self.detail = format!("[{index}].{}", self.detail);
        for fault in &mut self.faults {
            fault.field = format!("[{index}].{}", fault.field);
        }
        self
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// For an API that has words of its own.
    pub(crate) fn into_parts(self) -> (Kind, String, Vec<Fault>, Option<Duration>) {
        let Self { kind, detail, faults, retry_after } = self;
        (kind, detail, faults, retry_after)
    }

    pub(crate) fn document(&self) -> Document<'_> {
        let Self { kind, detail, faults, retry_after } = self;
        let (name, status, title) = kind.facts();
        Document {
            kind: format!("urn:evalx:problem:{name}"),
            title,
            status: status.as_u16(),
            detail,
            errors: faults,
            retry_after: retry_after.map(seconds),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (_, status, _) = self.kind.facts();
        let json = serde_json::to_vec(&self.document()).expect("text and numbers become JSON");
        let mut response = (status, json).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds(after).into());
        }
        if self.kind == Kind::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self.kind);
        response
    }
}

/// Whole seconds, at least one: what the header can say.
pub(crate) fn seconds(after: Duration) -> u64 {
    after.as_secs() + u64::from(after.subsec_nanos() > 0).max(u64::from(after.is_zero()))
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut causes: Vec<_> = causes.map(ToString::to_string).collect();
    // A transparent error says what its source says.
    causes.dedup();
    causes.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Kind; 16] = [
        Kind::BadRequest,
        Kind::Unauthorized,
        Kind::Forbidden,
        Kind::Host,
        Kind::NotFound,
        Kind::Method,
        Kind::Timeout,
        Kind::TooLarge,
        Kind::MediaType,
        Kind::Invalid,
        Kind::RateLimited,
        Kind::Internal,
        Kind::QueueFull,
        Kind::Busy,
        Kind::NoSpace,
        Kind::Unavailable,
    ];

    #[test]
    fn the_types_are_as_they_ever_were() {
        let lines = ALL.map(|kind| {
            let (name, status, _) = kind.facts();
            format!("{} {name}", status.as_u16())
        });
        let expected = "400 bad-request, 401 unauthorized, 403 forbidden, 421 host, 404 not-found, \
                        405 method, 408 timeout, 413 too-large, 415 media-type, 422 invalid, \
                        429 rate-limited, 500 internal, 503 queue-full, 503 busy, \
                        507 no-space, 503 unavailable";
        assert_eq!(lines.join(", "), expected);
    }

    #[test]
    fn what_can_be_tried_again_says_when() {
        let of = |ms| seconds(Duration::from_millis(ms));
        assert_eq!((of(0), of(1), of(1000), of(1001)), (1, 1, 1, 2));
    }
}
