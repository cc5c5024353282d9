//! The model's operations of workers: register, claim, progress, complete, heartbeat, reap, release.

use std::cmp::Reverse;

use bytes::Bytes;

use crate::id::{Incarnation, JobId, Token};
use crate::job::{Completion, Held, Lane, Lease, Outcome, Step};
use crate::memory::model::{Hold, Model, Record, Worker};
use crate::settings::millis;
use crate::store::{Beat, Claim, Claimed, Registered, Settled, Verdict};
use crate::transition::{Answer, Event, Millis, State};
use crate::view;

/// Delayed jobs that one claim wakes.
const WAKES: usize = 32;
/// Entries of lists that one claim looks at in vain.
const VAIN: usize = 512;
/// Suspects that one claim looks at.
const SUSPECTS: usize = 8;
/// Dead workers that one heartbeat takes care of.
const REAPS: usize = 2;
/// What a lane's value grows by when it is served, times its weight.
const STRIDE: i64 = 10_000;

impl Model {
    /// `None`: there is a newer one at its place.
    pub(crate) fn register(
        &mut self,
        who: &Incarnation,
        again: bool,
        now: Millis,
    ) -> Option<Registered> {
        self.purge(now);
        let before = self.places.get(who.place()).filter(|before| *before != who).cloned();
        let before = before.filter(|before| self.workers.contains_key(before));
        if again && before.is_some() {
            return None;
        }
        let recovered = before.map_or(0, |before| self.take_back(&before, now));
        self.places.insert(who.place().to_owned(), who.clone());
        let until = now + millis(self.settings.lease);
        self.workers.entry(who.clone()).and_modify(|worker| worker.until = until).or_insert_with(
            || Worker { until, held: Default::default(), suspect: None, about: Default::default() },
        );
        self.publish();
        Some(Registered { recovered })
    }

    pub(crate) fn claim(&mut self, claim: &Claim, now: Millis) -> Claimed {
        self.purge(now);
        let Some(worker) = self.workers.get(&claim.who) else { return Claimed::Unknown };
        let has_suspect = worker.suspect.is_some();
        for _ in 0..WAKES {
            let due = self.delayed.first().filter(|(due, _)| *due <= now).cloned();
            let Some((_, id)) = due else { break };
            self.apply(&id, Event::Due, now);
        }
        let free = claim.free.min(Claim::MOST);
        let mut leases = Vec::new();
        if free > 0 && !has_suspect {
            let found = claim.lanes.iter().find_map(|lane| self.pop_suspect(*lane));
            leases.extend(found.map(|id| self.lease(claim, 0, &id, now)));
        }
        let mut empty = Lane::ALL.map(|lane| !claim.lanes.contains(&lane));
        self.rings.iter_mut().for_each(|ring| ring.left = None);
        let mut looks = free + VAIN;
        while leases.len() < free && looks > 0 {
            looks -= 1;
            let lanes = claim.lanes.iter().copied().filter(|lane| !empty[lane.index()]);
            let Some(lane) = lanes.min_by_key(|lane| self.stride(*lane)) else { break };
            if self.rings[lane.index()].order.is_empty() {
                empty[lane.index()] = true;
                // Nobody is left: whoever comes next starts where the last one ended.
                let ring = &mut self.rings[lane.index()];
                ring.clock = ring.left.map_or(ring.clock, |left| left.max(ring.clock));
            } else if let Some(id) = self.pop(lane) {
                let lease = self.lease(claim, leases.len(), &id, now);
                leases.push(lease);
            }
        }
        // All looks were in vain: behind them there may be more.
        self.queued += u64::from(leases.is_empty() && looks == 0);
        let started = leases.iter().map(|lease| view::Event::Started(lease.id.clone()));
        self.pending.extend(started);
        self.publish();
        Claimed::Leases(leases)
    }

    /// A lane that was idle has no claim to what it did not use.
    fn stride(&self, lane: Lane) -> i64 {
        self.strides.lanes[lane.index()].max(self.strides.clock)
    }

    /// One look at the tenant whose turn it is.
    fn pop(&mut self, lane: Lane) -> Option<JobId> {
        let (time, tenant) = self.rings[lane.index()].order.first().cloned()?;
        if self.is_at_cap(&tenant, lane) {
            let ring = &mut self.rings[lane.index()];
            ring.leave(&tenant);
            ring.parked.insert(tenant);
            return None;
        }
        let list = self.lists.get_mut(&(lane, tenant.clone()));
        let Some(id) = list.and_then(|list| list.pop_front()) else {
            self.lists.remove(&(lane, tenant.clone()));
            let ring = &mut self.rings[lane.index()];
            ring.leave(&tenant);
            ring.left = Some(time);
            return None;
        };
        // One that was cancelled, forgotten and handed in again stands where it belongs now.
        let fits = |record: &Record| {
            let life = &record.life;
            let placed = record.lane == lane && record.tenant == tenant;
            placed && life.state == State::Queued && !life.is_suspect()
        };
        if !self.jobs.get(&id).is_some_and(fits) {
            return None;
        }
        let ring = &mut self.rings[lane.index()];
        ring.clock = ring.clock.max(time);
        Some(id)
    }

    fn pop_suspect(&mut self, lane: Lane) -> Option<JobId> {
        for _ in 0..SUSPECTS {
            let id = self.suspects[lane.index()].pop_front()?;
            let Some(record) = self.jobs.get(&id) else { continue };
            let placed = record.lane == lane && record.life.is_suspect();
            if !placed || record.life.state != State::Queued {
                continue;
            }
            if self.is_at_cap(&record.tenant, lane) {
                self.suspects[lane.index()].push_back(id);
                continue;
            }
            return Some(id);
        }
        None
    }

    fn is_at_cap(&self, tenant: &crate::id::Tenant, lane: Lane) -> bool {
        if lane == Lane::Internal {
            return false;
        }
        let Some(record) = self.tenants.get(tenant) else { return false };
        let cap = Self::limit(record.account.running, self.settings.tenant_running);
        cap.is_some_and(|cap| record.running >= cap)
    }

    fn lease(&mut self, claim: &Claim, index: usize, id: &JobId, now: Millis) -> Lease {
        let token = claim.token(index);
        self.apply(id, Event::Claim(token.clone()), now);
        let record = &self.jobs[id];
        let (lane, tenant) = (record.lane, record.tenant.clone());
        let weight = self.tenants.get(&tenant).map_or(1, |t| t.account.weight.max(1));
        let served = charge(record.cost, weight);
        let lease = Lease {
            id: id.clone(),
            token,
            attempt: record.life.attempts,
            attempts: self.settings.rules(lane).attempts,
            lost: record.life.lost,
            payload: record.payload.clone(),
            tenant: tenant.clone(),
            lane,
            waited: std::time::Duration::from_millis(now.saturating_sub(record.enqueued)),
            deadline: record.deadline.map(std::time::Duration::from_millis),
            steps: record.steps.iter().map(|(index, report)| (*index, report.clone())).collect(),
            about: record.about.clone(),
        };
        self.rings[lane.index()].charge(&tenant, served);
        let stride = self.stride(lane);
        self.strides.clock = stride;
        self.strides.lanes[lane.index()] = stride + STRIDE / i64::from(lane.weight());
        lease
    }

    pub(crate) fn progress(&mut self, steps: &[Step], now: Millis) -> Vec<Settled> {
        self.purge(now);
        let settle = |step: &Step| {
            let Step { held: Held { id, token }, index, report } = step;
            let Some(record) = self.jobs.get_mut(id) else { return Settled::Stale };
            if record.life.state != State::Leased(token.clone()) {
                return Settled::Stale;
            }
            if record.steps.contains_key(index) {
                return Settled::Dup;
            }
            record.steps.insert(*index, report.clone());
            let (id, index, report) = (id.clone(), *index, report.clone());
            self.pending.push(view::Event::Step { id, index, report });
            Settled::Ok
        };
        let settled = steps.iter().map(settle).collect();
        self.publish();
        settled
    }

    /// `jitter` thousandths of the longest delay are waited before a retry.
    pub(crate) fn complete(
        &mut self,
        completions: &[Completion],
        jitter: u32,
        now: Millis,
    ) -> Vec<Settled> {
        self.purge(now);
        let settled = completions.iter().map(|done| self.settle(done, jitter, now)).collect();
        self.publish();
        settled
    }

    fn settle(&mut self, completion: &Completion, jitter: u32, now: Millis) -> Settled {
        let Completion { held: Held { id, token }, outcome } = completion;
        let token = token.clone();
        let answer = match outcome {
            Outcome::Finished { result, brief, took, label } => {
                let answer = self.apply(id, Event::Finish(token), now);
                if answer == Answer::Applied {
                    let kept = self.kept(result, brief.as_ref());
                    self.write_result(id, kept, took.map(millis));
                    label.iter().for_each(|label| self.tally(label.clone(), now));
                }
                answer
            }
            Outcome::Retry => {
                let known = self.jobs.get(id).map(|record| (record.lane, record.life.attempts));
                let delay = known.map(|(lane, n)| self.settings.retry_delay(lane, n, jitter));
                self.apply(id, Event::Retry(token, delay.unwrap_or_default()), now)
            }
            Outcome::HandedBack => {
                let answer = self.apply(id, Event::HandBack(token), now);
                self.totals.returned += u64::from(answer == Answer::Applied);
                answer
            }
            Outcome::Buried => self.apply(id, Event::Bury(token), now),
        };
        match answer {
            Answer::Applied => Settled::Ok,
            Answer::Repeated => Settled::Dup,
            Answer::Refused => {
                self.totals.stale += 1;
                Settled::Stale
            }
        }
    }

    /// A large result as long as all of them together have room, else its brief form.
    fn kept(&mut self, result: &Bytes, brief: Option<&Bytes>) -> Bytes {
        let size = self.large(result);
        match brief {
            Some(brief) if size > 0 && self.large_results + size > self.settings.large_results => {
                brief.clone()
            }
            _ => {
                self.large_results += size;
                result.clone()
            }
        }
    }

    fn write_result(&mut self, id: &JobId, result: Bytes, took: Option<Millis>) {
        let Some(record) = self.jobs.get_mut(id) else { return };
        record.result = result;
        if let Some(took) = took {
            let (lane, tenant, cost) = (record.lane, record.tenant.clone(), record.cost);
            let weight = self.tenants.get(&tenant).map_or(1, |t| t.account.weight.max(1));
            let correction = charge(took, weight) - charge(cost, weight);
            self.rings[lane.index()].charge(&tenant, correction);
        }
    }

    pub(crate) fn heartbeat(&mut self, who: &Incarnation, held: &[Held], now: Millis) -> Beat {
        self.purge(now);
        self.tick(now);
        let lease = millis(self.settings.lease);
        let beat = if let Some(worker) = self.workers.get_mut(who) {
            worker.until = now + lease;
            let mut own = worker.held.clone();
            let verdicts = held.iter().map(|held| {
                let hold = own.remove(&held.id).filter(|hold| hold.token == held.token);
                self.verdict(held, hold.as_ref(), now)
            });
            let verdicts = verdicts.collect();
            let unknown = own.into_iter().filter(|(_, hold)| hold.since + lease / 2 < now);
            for (id, token) in in_reverse(unknown) {
                self.apply(&id, Event::Forget(token), now);
                self.totals.forgotten += 1;
            }
            Beat::Known(verdicts)
        } else {
            Beat::Unknown
        };
        self.reap_expired(now);
        self.publish();
        beat
    }

    fn verdict(&mut self, held: &Held, hold: Option<&Hold>, now: Millis) -> Verdict {
        let Some(hold) = hold else {
            let state = self.jobs.get(&held.id).map(|record| &record.life.state);
            let cancelled = state == Some(&State::Cancelled);
            return if cancelled { Verdict::Cancelled } else { Verdict::Revoked };
        };
        if hold.deadline.is_none_or(|deadline| now < deadline) {
            return Verdict::Keep;
        }
        self.apply(&held.id, Event::Lose(held.token.clone()), now);
        self.totals.expired += 1;
        Verdict::Revoked
    }

    pub(crate) fn reap(&mut self, gone: Option<&Incarnation>, now: Millis) -> u64 {
        self.purge(now);
        self.tick(now);
        let hinted = gone.map_or(0, |gone| self.take_back(gone, now));
        let reaped = self.reap_expired(now);
        self.publish();
        hinted + reaped
    }

    /// Notes that time goes on. When it has not for half a lease (the server was down), or has gone
    /// back, nobody is taken for dead for half a lease: the living need it to show that they are.
    fn tick(&mut self, now: Millis) {
        let lease = millis(self.settings.lease);
        let last = self.clock.replace(now).unwrap_or(now);
        if now > last + lease / 2 || now + 1000 < last {
            self.grace = now + lease / 2;
        }
    }

    fn reap_expired(&mut self, now: Millis) -> u64 {
        if now < self.grace {
            return 0;
        }
        let expired = self.workers.iter().filter(|(_, worker)| worker.until <= now);
        let mut expired: Vec<_> = expired.map(|(who, w)| (w.until, who.clone())).collect();
        expired.sort();
        expired.truncate(REAPS);
        expired.iter().map(|(_, who)| self.take_back(who, now)).sum()
    }

    /// Takes everything from a worker that is gone.
    fn take_back(&mut self, who: &Incarnation, now: Millis) -> u64 {
        let Some(worker) = self.workers.get(who) else { return 0 };
        let held = in_reverse(worker.held.clone());
        for (id, token) in &held {
            self.apply(id, Event::Lose(token.clone()), now);
        }
        self.totals.expired += held.len() as u64;
        self.leave(who);
        held.len() as u64
    }

    pub(crate) fn release(&mut self, who: &Incarnation, now: Millis) -> u64 {
        self.purge(now);
        let Some(worker) = self.workers.get(who) else { return 0 };
        let held = in_reverse(worker.held.clone());
        for (id, token) in &held {
            self.apply(id, Event::HandBack(token.clone()), now);
        }
        self.totals.returned += held.len() as u64;
        self.leave(who);
        self.publish();
        held.len() as u64
    }

    fn leave(&mut self, who: &Incarnation) {
        self.workers.remove(who);
        if self.places.get(who.place()) == Some(who) {
            self.places.remove(who.place());
        }
    }
}

/// In thousandths of a millisecond, so that weights leave enough digits.
fn charge(cost: Millis, weight: u32) -> i64 {
    i64::try_from(cost.saturating_mul(1000) / u64::from(weight)).unwrap_or(i64::MAX)
}

/// The last claimed first: each is put before the others, so the first claimed ends up in front.
fn in_reverse(held: impl IntoIterator<Item = (JobId, Hold)>) -> Vec<(JobId, Token)> {
    let mut held: Vec<_> = held.into_iter().map(|(id, hold)| (id, hold.token)).collect();
    held.sort_by_key(|(_, token)| Reverse(token.order()));
    held
}
