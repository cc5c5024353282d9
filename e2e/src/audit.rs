//! What the API server was asked, by whom, and how it answered: its audit log.
//!
//! The server writes a line before it answers (`--audit-log-mode=blocking`), so whoever has an
//! answer finds the line. Requests of Kubernetes' own controllers are not recorded.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

/// What is recorded: requests of ServiceAccounts other than those of Kubernetes itself.
pub const POLICY: &str = r#"{
  "apiVersion": "audit.k8s.io/v1", "kind": "Policy",
  "omitStages": ["RequestReceived", "ResponseStarted"],
  "rules": [
    {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
    {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
    {"level": "None"}
  ]
}"#;

/// The log.
#[derive(Clone, Debug)]
pub struct Audit {
    path: PathBuf,
}

/// A place in the log.
#[derive(Clone, Copy, Debug)]
pub struct Mark(u64);

/// One request.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Who asked: `system:serviceaccount:NAMESPACE:NAME`.
    pub user: String,
    /// What was asked: `get`, `patch`, …
    pub verb: String,
    /// Of what: `pods`, `judgeclusters/status`.
    pub resource: String,
    /// `NAMESPACE/NAME`, either of which may be empty.
    pub object: String,
    /// The answer's status.
    pub code: u64,
    /// Whoever asked lacks the right. A namespace that is being deleted refuses with 403, too.
    pub forbidden: bool,
}

impl Entry {
    /// Whether it was meant to change something. The lease that says who leads does not count:
    /// it is renewed for as long as there is a leader.
    #[must_use]
    pub fn is_write(&self) -> bool {
        let changes = ["create", "update", "patch", "delete", "deletecollection"];
        changes.contains(&self.verb.as_str()) && self.resource != "leases"
    }
}

impl Audit {
    /// The log at that path.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// The beginning.
    #[must_use]
    pub fn start() -> Mark {
        Mark(0)
    }

    /// The end, as it is now.
    pub fn mark(&self) -> Result<Mark> {
        Ok(Mark(std::fs::metadata(&self.path).context("there is no audit log")?.len()))
    }

    /// What was asked since then.
    pub fn since(&self, mark: Mark) -> Result<Vec<Entry>> {
        let mut file = File::open(&self.path).context("there is no audit log")?;
        file.seek(SeekFrom::Start(mark.0)).context("the audit log is shorter")?;
        let mut text = String::new();
        file.read_to_string(&mut text).context("the audit log is not text")?;
        // The last line may be half written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(entry).collect()
    }

    /// What was asked between two places.
    pub fn between(&self, from: Mark, to: Mark) -> Result<Vec<Entry>> {
        let mut entries = self.since(from)?;
        let later = self.since(to)?.len();
        entries.truncate(entries.len().saturating_sub(later));
        Ok(entries)
    }

    /// What `user` wrote since then.
    pub fn writes(&self, mark: Mark, user: &str) -> Result<Vec<Entry>> {
        let mut entries = self.since(mark)?;
        entries.retain(|entry| entry.user == user && entry.is_write());
        Ok(entries)
    }
}

/// How often each verb met each resource, for messages.
#[must_use]
pub fn summary(entries: &[Entry]) -> String {
    let mut counts = BTreeMap::<String, usize>::new();
    for entry in entries {
        let key = format!("{} {} {}", entry.verb, entry.resource, entry.code);
        *counts.entry(key).or_default() += 1;
    }
    let lines: Vec<String> = counts.iter().map(|(key, n)| format!("{n} × {key}")).collect();
    lines.join(", ")
}

fn entry(line: &str) -> Result<Entry> {
    let event: Value = serde_json::from_str(line).context("a line of the audit log is not JSON")?;
    let text = |path: &str| event.pointer(path).and_then(Value::as_str).unwrap_or("").to_owned();
    let mut resource = text("/objectRef/resource");
    let subresource = text("/objectRef/subresource");
    if !subresource.is_empty() {
        resource = format!("{resource}/{subresource}");
    }
    Ok(Entry {
        user: text("/user/username"),
        verb: text("/verb"),
        resource,
        object: format!("{}/{}", text("/objectRef/namespace"), text("/objectRef/name")),
        code: event.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or(0),
        forbidden: event["annotations"]["authorization.k8s.io/decision"] == "forbid",
    })
}
