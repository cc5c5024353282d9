//! Submissions that came by the routes of Judge0 are listed and counted by the queue, so that every
//! server tells the same of them: how these routes name that, and what was answered last to whoever
//! asks for statistics.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use queue::view::Counted;
use queue::{Label, Listing, Tenant};
use serde_json::Value;
use tokio::time::Instant;

use super::Flavor;

/// A day, in milliseconds.
const DAY: u64 = 86_400_000;
/// Tenants whose statistics are remembered; some KB each.
const REMEMBERED: usize = 256;

/// How a submission is listed: under its day, and its language.
pub(super) fn listing(flavor: Flavor, language: u32, created_ms: u64) -> Listing {
    let edition = if flavor == Flavor::Extra { "extra" } else { "ce" };
    Listing { group: day(created_ms / DAY), label: label(format!("{edition}/{language}")) }
}

/// That many days since 1970.
pub(super) fn day(days: u64) -> Label {
    label(days.to_string())
}

fn label(text: String) -> Label {
    Label::new(text).expect("numbers and a slash are visible")
}

/// Submissions by language.
pub(super) fn languages(counted: &Counted) -> Vec<((u32, Flavor), u64)> {
    let read = |(label, count): (&Label, &u64)| {
        let (edition, language) = label.as_str().split_once('/')?;
        let flavor = if edition == "extra" { Flavor::Extra } else { Flavor::Ce };
        Some(((language.parse().ok()?, flavor), *count))
    };
    counted.labels.iter().filter_map(read).collect()
}

/// What was answered last to each tenant's question for statistics, and when that was.
#[derive(Debug, Default)]
pub(crate) struct Shelf(Mutex<HashMap<Tenant, (Instant, Value)>>);

impl Shelf {
    pub(super) fn statistics(&self, tenant: &Tenant) -> Option<(Instant, Value)> {
        self.answers().get(tenant).cloned()
    }

    pub(super) fn set_statistics(&self, tenant: &Tenant, at: Instant, value: Value) {
        let mut answers = self.answers();
        if answers.len() >= REMEMBERED && !answers.contains_key(tenant) {
            answers.clear();
        }
        answers.insert(tenant.clone(), (at, value));
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<Tenant, (Instant, Value)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_read_again() {
        let listed = listing(Flavor::Extra, 10, 3 * DAY + 5);
        assert_eq!(listed.group, day(3));
        let mut counted = Counted::default();
        counted.labels.insert(listed.label, 7);
        counted.labels.insert(Label::new("other").unwrap(), 1);
        assert_eq!(languages(&counted), [((10, Flavor::Extra), 7)]);
    }
}
