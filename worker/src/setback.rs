//! A worker whose own boxes fail again and again claims more slowly, so that it does not use up
//! the attempts of every job in the queue. Pure.

use std::time::{Duration, Instant};

/// Failures in a row that may be chance: a box that was given up, a full disk for a moment.
const CHANCE: u32 = 2;
/// Between claims, doubling from the first to the second.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];

/// Failures of ours, in a row.
#[derive(Debug, Default)]
pub(crate) struct Setback {
    failures: u32,
    until: Option<Instant>,
}

impl Setback {
    /// We failed at a job.
    pub(crate) fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if let Some(beyond) = self.failures.checked_sub(CHANCE + 1) {
            let pause = PAUSES[0].saturating_mul(1 << beyond.min(10)).min(PAUSES[1]);
            self.until = Some(now + pause);
        }
    }

    /// We did not.
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Until when nothing is claimed.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// How many in a row.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_forgiven_and_then_pauses_double_up_to_half_a_minute() {
        let (mut setback, now) = (Setback::default(), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..9 {
            setback.failed(now);
            pauses.push(setback.until().map_or(0, |until| (until - now).as_secs()));
        }
        assert_eq!(pauses, [0, 0, 1, 2, 4, 8, 16, 30, 30]);
        setback.succeeded();
        assert_eq!((setback.until(), setback.failures()), (None, 0));
    }
}
