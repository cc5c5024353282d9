//! The queue of clusters to look at: each is in it once, and looked at by one at a time. What failed
//! comes back later and later; an event does not bring it back sooner, a changed spec does.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::world::Key;

/// The first wait after a failure; it doubles.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(120);

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct Work {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    due: HashMap<Key, Instant>,
    running: HashSet<Key>,
    /// Failures in a row, and until when nothing is tried.
    failures: HashMap<Key, (u32, Instant)>,
    closed: bool,
}

/// How a look ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Well; to be looked at again after a while, if so said.
    Well(Option<Duration>),
    /// It failed.
    Failed,
}

impl Work {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is complete before anything in it could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a cluster looked at within `after`, but not while it waits for a failure to pass.
    pub(crate) fn add(&self, key: &Key, after: Duration) {
        self.put(key, after, false);
    }

    /// Has a cluster looked at now, whatever failed before: its spec is another one.
    pub(crate) fn add_at_once(&self, key: &Key) {
        self.put(key, Duration::ZERO, true);
    }

    fn put(&self, key: &Key, after: Duration, anew: bool) {
        let mut state = self.state();
        if anew {
            state.failures.remove(key);
        }
        let not_before = state.failures.get(key).map(|(_, until)| *until);
        let at = (Instant::now() + after).max(not_before.unwrap_or_else(Instant::now));
        state.due.entry(key.clone()).and_modify(|due| *due = at.min(*due)).or_insert(at);
        drop(state);
        self.changed.notify_one();
    }

    /// The next cluster to be looked at, when it is time; `None` when the queue is closed. Cancel
    /// safe: what was not returned is still in it.
    pub(crate) async fn next(&self) -> Option<Key> {
        loop {
            let changed = self.changed.notified();
            let wait = {
                let mut state = self.state();
                if state.closed {
                    // The others have to hear it, too.
                    self.changed.notify_one();
                    return None;
                }
                match state.earliest() {
                    Some((key, at)) if at <= Instant::now() => {
                        state.due.remove(&key);
                        state.running.insert(key.clone());
                        drop(state);
                        // More may be due.
                        self.changed.notify_one();
                        return Some(key);
                    }
                    earliest => earliest.map(|(_, at)| at),
                }
            };
            match wait {
                Some(at) => tokio::select! {
                    () = changed => {}
                    () = sleep_until(at) => {}
                },
                None => changed.await,
            }
        }
    }

    /// A look has ended. Returns the wait after a failure.
    pub(crate) fn done(&self, key: &Key, ended: Ended) -> Option<Duration> {
        let mut state = self.state();
        state.running.remove(key);
        let wait = match ended {
            Ended::Well(again) => {
                state.failures.remove(key);
                if let Some(again) = again {
                    let at = Instant::now() + again;
                    state
                        .due
                        .entry(key.clone())
                        .and_modify(|due| *due = at.min(*due))
                        .or_insert(at);
                }
                None
            }
            Ended::Failed => {
                let count = state.failures.get(key).map_or(0, |(count, _)| *count);
                let wait = backoff(count);
                let until = Instant::now() + wait;
                state.failures.insert(key.clone(), (count.saturating_add(1), until));
                state.due.insert(key.clone(), until);
                Some(wait)
            }
        };
        drop(state);
        self.changed.notify_one();
        wait
    }

    /// Forgets a cluster that is no more.
    pub(crate) fn forget(&self, key: &Key) {
        let mut state = self.state();
        state.failures.remove(key);
    }

    /// How many wait to be looked at now.
    #[must_use]
    pub(crate) fn depth(&self) -> usize {
        let now = Instant::now();
        self.state().due.values().filter(|at| **at <= now).count()
    }

    /// Nobody gets anything any more.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_one();
    }
}

impl State {
    fn earliest(&self) -> Option<(Key, Instant)> {
        let free = self.due.iter().filter(|(key, _)| !self.running.contains(*key));
        free.min_by_key(|(_, at)| **at).map(|(key, at)| (key.clone(), *at))
    }
}

/// Twice as long each time, and not all at once: a quarter more or less.
fn backoff(failures: u32) -> Duration {
    let doubled = FIRST.saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX));
    doubled.min(LONGEST).mul_f64(0.75 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::new("ns", name)
    }

    #[tokio::test(start_paused = true)]
    async fn each_is_there_once_and_looked_at_by_one() {
        let work = Work::default();
        work.add(&key("a"), Duration::ZERO);
        work.add(&key("a"), Duration::ZERO);
        assert_eq!(work.next().await, Some(key("a")));
        work.add(&key("a"), Duration::ZERO);
        work.add(&key("b"), Duration::from_secs(1));
        assert_eq!(work.next().await, Some(key("b")), "a is being looked at");
        work.done(&key("a"), Ended::Well(None));
        assert_eq!(work.next().await, Some(key("a")));
    }

    #[tokio::test(start_paused = true)]
    async fn events_that_come_close_together_are_one_look() {
        let work = Work::default();
        let began = Instant::now();
        work.add(&key("a"), Duration::from_millis(100));
        work.add(&key("a"), Duration::from_millis(300));
        work.next().await;
        assert_eq!(began.elapsed(), Duration::from_millis(100), "the first counts");
        assert_eq!(work.depth(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_waits_longer_and_longer_whatever_happens() {
        let work = Work::default();
        let mut before = Duration::ZERO;
        work.add(&key("a"), Duration::ZERO);
        for _ in 0..6 {
            let began = Instant::now();
            work.next().await;
            let waited = began.elapsed();
            assert!(waited >= before.mul_f64(0.99), "{waited:?} after {before:?}");
            before = work.done(&key("a"), Ended::Failed).unwrap();
            work.add(&key("a"), Duration::ZERO);
        }
        assert!(before > Duration::from_secs(10));
        work.add_at_once(&key("a"));
        let began = Instant::now();
        work.next().await;
        assert_eq!(began.elapsed(), Duration::ZERO, "a changed spec is tried at once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_is_a_new_beginning() {
        let work = Work::default();
        for _ in 0..5 {
            work.done(&key("a"), Ended::Failed);
        }
        work.next().await;
        work.done(&key("a"), Ended::Well(None));
        let wait = work.done(&key("a"), Ended::Failed).unwrap();
        assert!(wait < Duration::from_secs(1));
    }

    #[test]
    fn the_longest_wait_is_bounded() {
        assert!(backoff(u32::MAX) <= LONGEST.mul_f64(1.25));
        assert!(backoff(0) >= FIRST.mul_f64(0.75));
    }

    #[tokio::test(start_paused = true)]
    async fn when_it_is_closed_all_hear_it() {
        let work = std::sync::Arc::new(Work::default());
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..3 {
            let work = std::sync::Arc::clone(&work);
            waiting.spawn(async move { work.next().await });
        }
        tokio::task::yield_now().await;
        work.close();
        while let Some(ended) = waiting.join_next().await {
            assert_eq!(ended.unwrap(), None);
        }
    }
}
