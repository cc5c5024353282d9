//! What a server answers, as far as this side reads it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use judge::model::{Refusal, Report};
use serde::{Deserialize, Serialize};

/// What is known of a submission.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct View {
    /// Its id.
    pub(crate) id: String,
    /// Where it is.
    pub(crate) status: Status,
    /// With `finished`: everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) report: Option<Report>,
    /// With `refused`: what is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refusal: Option<Refusal>,
    /// With `failed`: why evalX gave up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// What else there is, for whoever wants all of it.
    #[serde(flatten)]
    pub(crate) rest: BTreeMap<String, serde_json::Value>,
}

/// Where a submission is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// Waits for a worker.
    Queued,
    /// A worker has it.
    Running,
    /// Will be tried again.
    Retrying,
    /// There is a report.
    Finished,
    /// Cannot be judged as written.
    Refused,
    /// evalX gave it up.
    Failed,
    /// Called off.
    Cancelled,
}

/// A problem that a server keeps.
#[derive(Debug, Deserialize)]
pub(crate) struct Shelved {
    /// What submissions name it by.
    pub(crate) problem: String,
}

/// An event that says where a submission is.
#[derive(Debug, Deserialize)]
pub(crate) struct Change {
    pub(crate) status: Status,
}

/// An event that says that a test is over.
#[derive(Debug, Deserialize)]
pub(crate) struct Step {
    pub(crate) index: u32,
}

/// Queue and workers.
#[derive(Debug, Deserialize)]
pub(crate) struct Fleet {
    pub(crate) workers: u64,
    pub(crate) running: u64,
    pub(crate) delayed: u64,
    pub(crate) dead: u64,
    pub(crate) lanes: BTreeMap<String, Lane>,
    /// One by one, where the server knows them.
    pub(crate) members: Option<Vec<Member>>,
}

/// A worker.
#[derive(Debug, Deserialize)]
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) slots: Option<u64>,
    pub(crate) busy: u64,
    pub(crate) heard_ms: Option<u64>,
    pub(crate) engine: Option<String>,
    pub(crate) version: Option<String>,
}

/// What waits in a lane.
#[derive(Debug, Deserialize)]
pub(crate) struct Lane {
    pub(crate) depth: u64,
    pub(crate) backlog_ms: u64,
    pub(crate) oldest_ms: Option<u64>,
}

/// A problem document (RFC 9457).
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    kind: String,
    detail: String,
    retry_after: Option<u64>,
}

impl Problem {
    /// Whether evalX has written it.
    pub(crate) fn is_ours(&self) -> bool {
        self.kind.starts_with("urn:evalx:problem:")
    }

    fn name(&self) -> &str {
        self.kind.rsplit(':').next().unwrap_or_default()
    }

    /// Whether what was asked for is wrong, or is not there.
    pub(crate) fn is_of_the_caller(&self) -> bool {
        matches!(
            self.name(),
            "bad-request" | "invalid" | "method" | "media-type" | "not-found" | "too-large"
        )
    }

    /// Whether evalX itself failed.
    pub(crate) fn is_of_the_judge(&self) -> bool {
        matches!(self.name(), "internal" | "no-space")
    }

    /// Whether the server keeps no such thing for this caller.
    pub(crate) fn is_not_for_us(&self) -> bool {
        matches!(self.name(), "forbidden" | "not-found")
    }

    /// When another try may succeed.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.retry_after.map(Duration::from_secs)
    }

    /// Whether the same may succeed in a moment.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self.name(), "busy" | "queue-full" | "rate-limited" | "timeout" | "unavailable")
    }

    /// What to do about it, where the server's words do not say so.
    pub(crate) fn cure(&self) -> String {
        match (self.name(), self.retry_after) {
            ("unauthorized", _) => {
                "; give a token with EVALX_TOKEN or `token` in the configuration file".to_owned()
            }
            (_, Some(seconds)) => format!("; try again in {seconds} s"),
            _ => String::new(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}
