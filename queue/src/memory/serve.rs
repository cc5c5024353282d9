//! The model's operations of everybody else: enqueue, cancel, revive, views, audit.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use bytes::Bytes;

use crate::id::{BatchId, Incarnation, JobId, Label, Tenant};
use crate::job::{Job, Lane};
use crate::memory::model::{Counts, Model, Worker};
use crate::settings::{Account, millis};
use crate::store::{
    Cancelled, Enqueued, Full, Reached, TALLY_LABELS, TALLY_STEP, TALLY_STEPS, Target,
};
use crate::transition::{Answer, Event, Millis, State};
use crate::view::{
    self, Audit, BatchView, Cursor, Dead, Entry, JobView, LaneSnapshot, Snapshot, Stage,
};

/// What is advised to whoever met a full queue.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Tenants of a lane whose oldest job a snapshot looks at.
const LOOKS: usize = 256;

impl Model {
    pub(crate) fn enqueue(&mut self, jobs: &[Job], now: Millis) -> Enqueued {
        self.purge(now);
        if let Some(full) = self.check_limits(jobs) {
            return Enqueued::Full(full);
        }
        let mut duplicates = Vec::new();
        for job in jobs {
            if !self.add(job.clone(), None, now) {
                duplicates.push(job.id.clone());
            }
        }
        Enqueued::Accepted { added: jobs.len() - duplicates.len(), duplicates }
    }

    fn check_limits(&self, jobs: &[Job]) -> Option<Full> {
        let mut new: HashSet<&JobId> = HashSet::new();
        let mut wanted: BTreeMap<&Tenant, u64> = BTreeMap::new();
        let mut tells = false;
        for job in jobs {
            if !self.jobs.contains_key(&job.id) && new.insert(&job.id) {
                *wanted.entry(&job.tenant).or_default() += 1;
                tells |= job.webhook.is_some();
            }
        }
        let full = |limit, depth| Some(Full { limit, depth, retry_after: RETRY_AFTER });
        let depth = self.waiting();
        if !new.is_empty() && depth + new.len() as u64 > self.settings.depth {
            return full(Reached::Queue, depth);
        }
        for (tenant, wanted) in wanted {
            let record = self.tenants.get(tenant);
            let waiting = record.map_or(0, |r| r.waiting);
            let account = record.map(|r| r.account).unwrap_or_default();
            let limit = Self::limit(account.depth, self.settings.tenant_depth);
            if limit.is_some_and(|limit| waiting + wanted > limit) {
                return full(Reached::Tenant(tenant.clone()), waiting);
            }
        }
        let errands = self.errands();
        if tells && errands >= self.settings.depth {
            return full(Reached::Webhooks, errands);
        }
        None
    }

    /// Also tells who has to be nudged.
    pub(crate) fn cancel(&mut self, target: &Target, now: Millis) -> (Cancelled, Vec<String>) {
        self.purge(now);
        let ids = match target {
            Target::Job(id) => vec![id.clone()],
            Target::Batch(id) => self.batches.get(id).map(|b| b.jobs.clone()).unwrap_or_default(),
        };
        let mut answer = Cancelled { cancelled: 0, ended: 0 };
        let mut nudged = Vec::new();
        for id in ids {
            let holder = self.jobs.get(&id).and_then(|record| match &record.life.state {
                State::Leased(token) => Some(crate::id::Incarnation::of(token)),
                _ => None,
            });
            if self.apply(&id, Event::Cancel, now) == Answer::Applied {
                answer.cancelled += 1;
                nudged.extend(holder.map(|who| who.as_str().to_owned()));
            } else {
                answer.ended += 1;
            }
        }
        self.publish();
        (answer, nudged)
    }

    pub(crate) fn revive(&mut self, id: &JobId, now: Millis) -> bool {
        self.purge(now);
        let revived = self.apply(id, Event::Revive, now) == Answer::Applied;
        self.publish();
        revived
    }

    pub(crate) fn set_account(&mut self, tenant: &Tenant, account: Account) {
        self.tenants.entry(tenant.clone()).or_default().account = account;
    }

    pub(crate) fn job(&mut self, id: &JobId, now: Millis) -> Option<JobView> {
        self.purge(now);
        let record = self.jobs.get(id)?;
        let stage = match &record.life.state {
            State::Queued => Stage::Queued,
            State::Leased(_) => Stage::Running,
            State::Delayed(_) => Stage::Delayed,
            State::Final(_) => Stage::Finished(record.result.clone()),
            State::Dead(why) => Stage::Dead(*why),
            State::Cancelled => Stage::Cancelled,
        };
        Some(JobView {
            tenant: record.tenant.clone(),
            lane: record.lane,
            stage,
            attempts: record.life.attempts,
            lost: record.life.lost,
            steps: record.steps.iter().map(|(index, report)| (*index, report.clone())).collect(),
            note: record.note.clone(),
        })
    }

    pub(crate) fn batch(&mut self, id: &BatchId, now: Millis) -> Option<BatchView> {
        self.purge(now);
        let batch = self.batches.get(id)?;
        Some(BatchView { total: batch.total, finished: batch.finished, failed: batch.failed })
    }

    pub(crate) fn events(&self, after: &Cursor, most: usize) -> Vec<Entry> {
        let after = after.number();
        let start = self.log.partition_point(|(number, _)| *number <= after);
        let entries = self.log.range(start..).take(most);
        entries
            .map(|(number, events)| Entry {
                cursor: Cursor(number.to_string()),
                events: events.clone(),
            })
            .collect()
    }

    pub(crate) fn dead_letters(&mut self, most: usize, now: Millis) -> Vec<Dead> {
        self.purge(now);
        let latest = self.dead.iter().rev().filter(|(_, id)| self.jobs.contains_key(id));
        let letter = |(at, id): &(Millis, JobId)| Dead {
            id: id.clone(),
            age: Duration::from_millis(now.saturating_sub(*at)),
        };
        latest.take(most).map(letter).collect()
    }

    pub(crate) fn snapshot(&mut self, now: Millis) -> Snapshot {
        self.purge(now);
        let lanes = Lane::ALL.map(|lane| LaneSnapshot {
            depth: self.counts.queued[lane.index()],
            backlog: Duration::from_millis(self.counts.backlog[lane.index()]),
            oldest: self.oldest(lane).map(|at| Duration::from_millis(now.saturating_sub(at))),
        });
        Snapshot {
            lanes,
            running: self.counts.running,
            delayed: self.counts.delayed,
            dead: self.dead.len() as u64,
            workers: self.workers.keys().filter(|who| !who.is_errands()).count() as u64,
            totals: self.totals,
        }
    }

    pub(crate) fn tallies(&mut self, now: Millis) -> BTreeMap<Label, u64> {
        self.forget_tallies(now);
        let mut sums = BTreeMap::new();
        for (label, count) in self.tallies.values().flatten() {
            *sums.entry(label.clone()).or_default() += count;
        }
        sums
    }

    /// Counts a job that ended with a result.
    pub(super) fn tally(&mut self, label: Label, now: Millis) {
        self.forget_tallies(now);
        let step = self.tallies.entry(now / millis(TALLY_STEP)).or_default();
        if step.len() < TALLY_LABELS || step.contains_key(&label) {
            *step.entry(label).or_default() += 1;
        }
    }

    fn forget_tallies(&mut self, now: Millis) {
        let newest = now / millis(TALLY_STEP);
        self.tallies.retain(|step, _| step + TALLY_STEPS > newest);
    }

    pub(crate) fn announce(&mut self, who: &Incarnation, about: &Bytes) {
        if let Some(worker) = self.workers.get_mut(who) {
            worker.about.clone_from(about);
        }
    }

    pub(crate) fn workers(&self, most: usize, now: Millis) -> Vec<view::Worker> {
        let lease = millis(self.settings.lease);
        let shown = |(who, worker): (&Incarnation, &Worker)| view::Worker {
            who: who.clone(),
            held: worker.held.len() as u64,
            silent: Duration::from_millis((now + lease).saturating_sub(worker.until)),
            about: worker.about.clone(),
        };
        let workers = self.workers.iter().filter(|(who, _)| !who.is_errands());
        workers.take(most).map(shown).collect()
    }

    fn oldest(&self, lane: Lane) -> Option<Millis> {
        let tenants = self.rings[lane.index()].order.iter().take(LOOKS);
        let lists = tenants.filter_map(|(_, tenant)| self.lists.get(&(lane, tenant.clone())));
        let heads = lists.filter_map(|list| list.front());
        let heads = heads.chain(self.suspects[lane.index()].front());
        let waiting = heads.filter_map(|id| self.jobs.get(id));
        waiting.filter(|job| job.life.state == State::Queued).map(|job| job.enqueued).min()
    }

    /// Looks for what does not agree. The model repairs nothing: it has no crash to recover from,
    /// so whatever is found is a defect of ours.
    pub(crate) fn audit(&mut self, now: Millis) -> Audit {
        self.purge(now);
        let mut wrong = 0;
        let mut counts = Counts::default();
        let mut tenants: BTreeMap<&Tenant, (u64, u64)> = BTreeMap::new();
        for (id, record) in &self.jobs {
            let lane = record.lane.index();
            let (waiting, running) = tenants.entry(&record.tenant).or_default();
            let theirs = u64::from(record.lane != Lane::Internal);
            let list = self.lists.get(&(record.lane, record.tenant.clone()));
            let right = match &record.life.state {
                State::Queued => {
                    counts.queued[lane] += 1;
                    counts.backlog[lane] += record.cost;
                    *waiting += theirs;
                    let ring = &self.rings[lane];
                    let served = ring.times.contains_key(&record.tenant)
                        || ring.parked.contains(&record.tenant);
                    if record.life.is_suspect() {
                        self.suspects[lane].contains(id)
                    } else {
                        served && list.is_some_and(|list| list.contains(id))
                    }
                }
                State::Leased(token) => {
                    counts.running += 1;
                    *running += theirs;
                    let worker = self.workers.get(&crate::id::Incarnation::of(token));
                    let hold = worker.and_then(|worker| worker.held.get(id));
                    hold.is_some_and(|hold| hold.token == *token)
                }
                State::Delayed(due) => {
                    counts.delayed += 1;
                    counts.errands_delayed += 1 - theirs;
                    *waiting += theirs;
                    self.delayed.contains(&(*due, id.clone()))
                }
                State::Final(_) | State::Dead(_) | State::Cancelled => record.expires.is_some(),
            };
            wrong += u64::from(!right);
        }
        let held: usize = self.workers.values().map(|worker| worker.held.len()).sum();
        wrong += u64::from(held as u64 != counts.running);
        wrong += u64::from(self.delayed.len() as u64 != counts.delayed);
        wrong += u64::from(counts != self.counts);
        for (tenant, record) in &self.tenants {
            let counted = tenants.get(tenant).copied().unwrap_or_default();
            wrong += u64::from(counted != (record.waiting, record.running));
        }
        self.totals.repairs += wrong;
        Audit { jobs: self.jobs.len() as u64, repairs: wrong, counted: true }
    }
}
