//! The jobs that this worker holds, and what is still to be told of them. Pure: no I/O, no clock.
//!
//! A job is judging → ended → settled; or judging → withdrawn → gone when its box is dead. Only
//! what is judging or ended is listed in the heartbeat; all but the ended take a slot.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use bytes::Bytes;
use queue::{Completion, Held, Lease, Outcome, Step, Token, Verdict};
use sandbox::Cancel;

/// Jobs by token.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    jobs: HashMap<Token, Entry>,
}

#[derive(Debug)]
struct Entry {
    held: Held,
    cancel: Cancel,
    stage: Stage,
    /// Not told yet, in order.
    steps: Vec<(u32, Bytes)>,
    /// Visible already, by earlier attempts or by us: never to be told again.
    told: HashSet<u32>,
    claimed: Instant,
}

#[derive(Debug)]
enum Stage {
    Judging,
    Withdrawn,
    Ended(Outcome),
}

impl Roster {
    /// Takes a job on.
    pub(crate) fn add(&mut self, lease: &Lease, cancel: Cancel, claimed: Instant) {
        let told = lease.steps.iter().map(|(index, _)| *index).collect();
        let (held, stage) = (Held::from(lease), Stage::Judging);
        let entry = Entry { held, cancel, stage, steps: Vec::new(), told, claimed };
        self.jobs.insert(lease.token.clone(), entry);
    }

    /// How many take a slot.
    pub(crate) fn judging(&self) -> usize {
        self.jobs.len() - self.undelivered()
    }

    /// How many have ended and wait to be told of.
    pub(crate) fn undelivered(&self) -> usize {
        self.jobs.values().filter(|entry| matches!(entry.stage, Stage::Ended(_))).count()
    }

    /// What the heartbeat lists.
    pub(crate) fn held(&self) -> Vec<Held> {
        let listed = self.jobs.values().filter(|e| !matches!(e.stage, Stage::Withdrawn));
        listed.map(|entry| entry.held.clone()).collect()
    }

    /// A partial result.
    pub(crate) fn step(&mut self, token: &Token, index: u32, report: Bytes) {
        if let Some(entry) = self.jobs.get_mut(token)
            && matches!(entry.stage, Stage::Judging)
            && entry.told.insert(index)
        {
            entry.steps.push((index, report));
        }
    }

    /// Its box is dead. What was withdrawn is gone with that.
    pub(crate) fn end(&mut self, token: &Token, outcome: Outcome) {
        let Some(entry) = self.jobs.get_mut(token) else { return };
        match entry.stage {
            Stage::Judging => entry.stage = Stage::Ended(outcome),
            Stage::Withdrawn => drop(self.jobs.remove(token)),
            Stage::Ended(_) => {}
        }
    }

    /// The queue's word on a job that was listed. Returns whether a running one was stopped. What has
    /// ended is told of all the same: the answer may have been lost after the queue took it.
    pub(crate) fn verdict(&mut self, token: &Token, verdict: Verdict) -> bool {
        let Some(entry) = self.jobs.get_mut(token) else { return false };
        let stop = matches!((&entry.stage, verdict), (Stage::Judging, v) if v != Verdict::Keep);
        if stop {
            entry.stage = Stage::Withdrawn;
            entry.steps.clear();
            entry.cancel.cancel();
        }
        stop
    }

    /// Stops all that runs. The queue is told by a release, or is not ours any more.
    pub(crate) fn stop_all(&mut self) {
        let judging = self.jobs.values().filter(|e| matches!(e.stage, Stage::Judging));
        let tokens: Vec<_> = judging.map(|entry| entry.held.token.clone()).collect();
        for token in tokens {
            self.verdict(&token, Verdict::Revoked);
        }
    }

    /// Partial results to be told, of all jobs or of those that have ended.
    pub(crate) fn steps(&self, ended: bool) -> Vec<Step> {
        let chosen = |e: &&Entry| !ended || matches!(e.stage, Stage::Ended(_));
        let steps = self.jobs.values().filter(chosen).flat_map(|entry| {
            let step = |(index, report): &(u32, Bytes)| {
                let held = entry.held.clone();
                Step { held, index: *index, report: report.clone() }
            };
            entry.steps.iter().map(step)
        });
        steps.collect()
    }

    /// These were told.
    pub(crate) fn told(&mut self, steps: &[Step]) {
        let told: HashSet<_> = steps.iter().map(|s| (&s.held.token, s.index)).collect();
        for (token, entry) in &mut self.jobs {
            entry.steps.retain(|(index, _)| !told.contains(&(token, *index)));
        }
    }

    /// Ends to be told, at most `most`.
    pub(crate) fn ends(&self, most: usize) -> Vec<Completion> {
        let ended = self.jobs.values().filter_map(|entry| match &entry.stage {
            Stage::Ended(outcome) => {
                Some(Completion { held: entry.held.clone(), outcome: outcome.clone() })
            }
            Stage::Judging | Stage::Withdrawn => None,
        });
        ended.take(most).collect()
    }

    /// Another outcome for one that has ended: the queue will never take the first.
    pub(crate) fn bury(&mut self, token: &Token) {
        if let Some(entry) = self.jobs.get_mut(token) {
            entry.stage = Stage::Ended(Outcome::Buried);
        }
    }

    /// The queue has answered. Returns when the job was claimed.
    pub(crate) fn settled(&mut self, token: &Token) -> Option<Instant> {
        self.jobs.remove(token).map(|entry| entry.claimed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use queue::{Consumer, Job, Lane, MemoryStore, Place, Settings, Store, Tenant};

    use super::*;

    fn finished() -> Outcome {
        Outcome::finished("r")
    }

    /// A roster with one job that was claimed from a queue in memory.
    async fn one() -> (Roster, Lease, Cancel) {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Settings::default()));
        store.enqueue(&[Job::new(Tenant::anonymous(), "x")]).await.unwrap();
        let place = Place::new("p").unwrap();
        let (consumer, _) = Consumer::join(store, &place, &Lane::JUDGED).await.unwrap();
        let lease = consumer.claim(1).await.unwrap().remove(0);
        let (mut roster, cancel) = (Roster::default(), Cancel::new().unwrap());
        roster.add(&lease, cancel.clone(), Instant::now());
        (roster, lease, cancel)
    }

    #[tokio::test]
    async fn a_job_takes_a_slot_until_it_ends_and_is_listed_until_it_is_settled() {
        let (mut roster, Lease { token, .. }, _) = one().await;
        assert_eq!((roster.judging(), roster.undelivered(), roster.held().len()), (1, 0, 1));
        roster.end(&token, finished());
        assert_eq!((roster.judging(), roster.undelivered(), roster.held().len()), (0, 1, 1));
        assert_eq!(roster.ends(100).len(), 1);
        assert!(!roster.verdict(&token, Verdict::Revoked), "the answer may have been lost");
        assert_eq!(roster.ends(100).len(), 1);
        assert!(roster.settled(&token).unwrap().elapsed() < Duration::from_secs(60));
        assert_eq!((roster.judging(), roster.undelivered(), roster.held().len()), (0, 0, 0));
    }

    #[tokio::test]
    async fn what_is_withdrawn_is_stopped_unlisted_and_keeps_its_slot_until_its_box_is_dead() {
        let (mut roster, Lease { token, .. }, cancel) = one().await;
        roster.step(&token, 0, "s".into());
        assert!(!roster.verdict(&token, Verdict::Keep) && !cancel.is_cancelled());
        assert!(roster.verdict(&token, Verdict::Cancelled) && cancel.is_cancelled());
        assert_eq!((roster.judging(), roster.held().len()), (1, 0));
        assert!(roster.steps(false).is_empty(), "nothing of it becomes visible");
        roster.end(&token, finished());
        assert!(roster.ends(100).is_empty() && roster.judging() == 0);
    }

    #[tokio::test]
    async fn each_step_is_told_once() {
        let (mut roster, mut lease, cancel) = one().await;
        lease.steps = vec![(1, "by an earlier attempt".into())];
        roster.add(&lease, cancel, Instant::now());
        for index in [0, 1, 0, 2] {
            roster.step(&lease.token, index, "s".into());
        }
        let steps = roster.steps(false);
        assert_eq!(steps.iter().map(|s| s.index).collect::<Vec<_>>(), [0, 2]);
        assert!(roster.steps(true).is_empty(), "it has not ended");
        roster.told(&steps[..1]);
        roster.end(&lease.token, finished());
        assert_eq!(roster.steps(true).len(), 1);
    }
}
