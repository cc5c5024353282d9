//! What a run has to look like, and every way in which it does not.

use std::fmt::Debug;
use std::time::Duration;

use sandbox::{Captured, Outcome, Refused, Termination};

/// Both ends included; a missing one does not bind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Range<T> {
    pub(crate) low: Option<T>,
    pub(crate) high: Option<T>,
}

/// What may have become of a file that was to be collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Contents {
    Missing,
    NotRegular,
    TooLarge,
    Text(String),
}

/// The expected outcome; an empty field expects nothing.
#[derive(Debug, Default)]
pub(crate) struct Expect {
    pub(crate) ends: Vec<Termination>,
    pub(crate) says: Vec<(String, Vec<String>)>,
    pub(crate) never: Vec<String>,
    pub(crate) stdout: Option<String>,
    pub(crate) stderr: Option<String>,
    pub(crate) stdout_size: Option<Range<u64>>,
    pub(crate) stderr_size: Option<Range<u64>>,
    pub(crate) cpu: Option<Range<Duration>>,
    pub(crate) wall: Option<Range<Duration>>,
    pub(crate) took: Option<Range<Duration>>,
    pub(crate) memory: Option<Range<u64>>,
    pub(crate) switches: Option<Range<u64>>,
    pub(crate) files: Vec<(String, Vec<Contents>)>,
}

impl Expect {
    /// Every expectation that `outcome`, which took `took` to come, does not meet.
    pub(crate) fn unmet(&self, outcome: &Outcome, took: Duration) -> Vec<String> {
        let Self {
            ends,
            says,
            never,
            stdout,
            stderr,
            stdout_size,
            stderr_size,
            cpu,
            wall,
            took: call,
            memory,
            switches,
            files,
        } = self;
        let mut unmet = Vec::new();
        if !ends.contains(&outcome.termination) {
            unmet.push(format!("ended as {:?}, expected {ends:?}", outcome.termination));
        }
        let text = String::from_utf8_lossy(&outcome.stdout.bytes);
        unmet.extend(says.iter().filter_map(|(key, values)| unsaid(&text, key, values)));
        for start in never {
            unmet
                .extend(text.lines().find(|l| l.starts_with(start)).map(|l| format!("says {l:?}")));
        }
        unmet.extend(differs("standard output", stdout.as_deref(), &outcome.stdout));
        unmet.extend(differs("standard error", stderr.as_deref(), &outcome.stderr));
        let kept = |stream: &Captured| stream.bytes.len() as u64;
        unmet.extend(outside("kept standard output", stdout_size.as_ref(), &kept(&outcome.stdout)));
        unmet.extend(outside("kept standard error", stderr_size.as_ref(), &kept(&outcome.stderr)));
        unmet.extend(outside("CPU time", cpu.as_ref(), &outcome.usage.cpu));
        unmet.extend(outside("wall time", wall.as_ref(), &outcome.usage.wall));
        unmet.extend(outside("the call", call.as_ref(), &took));
        unmet.extend(outside("memory", memory.as_ref(), &outcome.usage.memory));
        let waits = outcome.usage.switches_voluntary;
        unmet.extend(outside("voluntary switches", switches.as_ref(), &waits));
        unmet.extend(files.iter().filter_map(|(name, allowed)| other_file(outcome, name, allowed)));
        unmet
    }
}

fn unsaid(text: &str, key: &str, values: &[String]) -> Option<String> {
    let said: Vec<_> =
        text.lines().filter_map(|l| l.split_once('=')).filter(|(k, _)| *k == key).collect();
    if said.is_empty() {
        return Some(format!("does not say {key}"));
    }
    let odd = said.iter().find(|(_, value)| !values.iter().any(|allowed| fits(value, allowed)));
    odd.map(|(_, value)| format!("says {key}={value}, expected {}", values.join("|")))
}

/// Whether `value` is `allowed`, or within it where that is a range of numbers.
fn fits(value: &str, allowed: &str) -> bool {
    let within = |(low, high): (&str, &str)| -> Option<bool> {
        let number: i64 = value.parse().ok()?;
        let end = |text: &str, open| if text.is_empty() { Some(open) } else { text.parse().ok() };
        Some((end(low, i64::MIN)?..=end(high, i64::MAX)?).contains(&number))
    };
    value == allowed || allowed.split_once("..").and_then(within) == Some(true)
}

fn differs(what: &str, expected: Option<&str>, got: &Captured) -> Option<String> {
    let expected = expected?;
    if got.bytes == expected.as_bytes() && !got.truncated {
        return None;
    }
    let cut = if got.truncated { " (cut off)" } else { "" };
    let shown = String::from_utf8_lossy(&got.bytes);
    Some(format!("{what} is {shown:?}{cut}, expected {expected:?}"))
}

fn outside<T: PartialOrd + Debug>(
    what: &str,
    range: Option<&Range<T>>,
    value: &T,
) -> Option<String> {
    let Range { low, high } = range?;
    let fits = low.as_ref().is_none_or(|l| value >= l) && high.as_ref().is_none_or(|h| value <= h);
    let end = |e: &Option<T>| e.as_ref().map_or_else(String::new, |v| format!("{v:?}"));
    (!fits).then(|| format!("{what} is {value:?}, expected {}..{}", end(low), end(high)))
}

fn other_file(outcome: &Outcome, name: &str, allowed: &[Contents]) -> Option<String> {
    let Some(file) = outcome.files.iter().find(|f| f.path.as_os_str() == name) else {
        return Some(format!("the outcome has no entry for the file {name}"));
    };
    let found = match &file.contents {
        Ok(bytes) => Contents::Text(String::from_utf8_lossy(bytes).into_owned()),
        Err(Refused::Missing) => Contents::Missing,
        Err(Refused::NotRegular) => Contents::NotRegular,
        Err(Refused::TooLarge { .. }) => Contents::TooLarge,
    };
    (!allowed.contains(&found)).then(|| format!("file {name} is {found:?}, expected {allowed:?}"))
}
