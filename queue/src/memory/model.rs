//! The whole queue as one value: what the store in memory keeps, and what Redis is compared with.
//! Every operation is given the time; nothing here waits.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use bytes::Bytes;

use crate::id::{BatchId, Incarnation, JobId, Label, Tenant, Token};
use crate::job::{Job, Lane, Subject};
use crate::settings::{Account, Limit, Settings, millis};
use crate::transition::{Answer, Effect, Event, Life, Millis, State, transition};
use crate::view;

/// Dead letters that are listed.
pub(crate) const DEAD_LETTERS: usize = 10_000;

#[derive(Debug)]
pub(crate) struct Model {
    pub(super) settings: Settings,
    pub(super) jobs: HashMap<JobId, Record>,
    /// Records that are dropped later, by when.
    pub(super) expiry: BTreeSet<(Millis, JobId)>,
    /// What waits, by lane and tenant. Cancelled jobs stay in as ids that are skipped.
    pub(super) lists: HashMap<(Lane, Tenant), VecDeque<JobId>>,
    pub(super) suspects: [VecDeque<JobId>; 4],
    pub(super) rings: [Ring; 4],
    pub(super) strides: Strides,
    pub(super) tenants: HashMap<Tenant, TenantRecord>,
    pub(super) workers: BTreeMap<Incarnation, Worker>,
    pub(super) places: HashMap<String, Incarnation>,
    pub(super) delayed: BTreeSet<(Millis, JobId)>,
    pub(super) dead: BTreeSet<(Millis, JobId)>,
    pub(super) batches: HashMap<BatchId, BatchRecord>,
    pub(super) batch_expiry: BTreeSet<(Millis, BatchId)>,
    pub(super) log: VecDeque<(u64, Vec<view::Event>)>,
    pub(super) logged: u64,
    /// How often something became claimable.
    pub(crate) queued: u64,
    /// What the running operation has made visible.
    pub(super) pending: Vec<view::Event>,
    pub(super) counts: Counts,
    pub(super) totals: view::Totals,
    /// What results above [`Settings::brief_limit`] take together.
    pub(super) large_results: u64,
    pub(super) lists_of: HashMap<Tenant, List>,
    /// Jobs with a result, by step and label.
    pub(super) tallies: BTreeMap<u64, BTreeMap<Label, u64>>,
    /// When somebody last showed that time goes on, and until when nobody is taken for dead.
    pub(super) clock: Option<Millis>,
    pub(super) grace: Millis,
}

/// What is listed of one tenant.
#[derive(Debug, Default)]
pub(super) struct List {
    /// The newest last.
    pub(super) ids: BTreeMap<u64, JobId>,
    pub(super) places: HashMap<JobId, u64>,
    pub(super) last: u64,
    pub(super) labels: BTreeMap<Label, u64>,
    /// With the time of the last one.
    pub(super) groups: BTreeMap<Label, (u64, Millis)>,
    /// When the last one was added.
    pub(super) added: Millis,
}

#[derive(Debug)]
pub(super) struct Record {
    pub(super) life: Life,
    pub(super) tenant: Tenant,
    pub(super) lane: Lane,
    pub(super) cost: Millis,
    pub(super) payload: Bytes,
    pub(super) enqueued: Millis,
    pub(super) deadline: Option<Millis>,
    pub(super) batch: Option<BatchId>,
    pub(super) webhook: Option<Bytes>,
    pub(super) note: Option<Bytes>,
    pub(super) keyed: bool,
    pub(super) about: Option<Subject>,
    pub(super) result: Bytes,
    pub(super) steps: BTreeMap<u32, Bytes>,
    pub(super) expires: Option<Millis>,
}

/// The tenants of a lane that have work, by virtual time: cost served over weight.
#[derive(Debug, Default)]
pub(super) struct Ring {
    pub(super) order: BTreeSet<(i64, Tenant)>,
    pub(super) times: HashMap<Tenant, i64>,
    /// Virtual times of tenants that are not in the ring.
    pub(super) saved: HashMap<Tenant, i64>,
    /// Tenants that have work but as many running jobs as they may.
    pub(super) parked: BTreeSet<Tenant>,
    pub(super) clock: i64,
    /// The time of who ran out of work last, in the claim that goes on.
    pub(super) left: Option<i64>,
}

/// Lanes by stride: whoever has the smallest value is served and steps on.
#[derive(Debug, Default)]
pub(super) struct Strides {
    pub(super) lanes: [i64; 4],
    pub(super) clock: i64,
}

#[derive(Debug, Default)]
pub(super) struct TenantRecord {
    pub(super) account: Account,
    pub(super) waiting: u64,
    pub(super) running: u64,
}

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) until: Millis,
    pub(super) held: BTreeMap<JobId, Hold>,
    pub(super) suspect: Option<JobId>,
    pub(super) about: Bytes,
}

#[derive(Debug, Clone)]
pub(super) struct Hold {
    pub(super) token: Token,
    pub(super) since: Millis,
    pub(super) deadline: Option<Millis>,
}

#[derive(Debug)]
pub(super) struct BatchRecord {
    pub(super) total: u32,
    pub(super) finished: u32,
    pub(super) failed: u32,
    pub(super) tenant: Tenant,
    pub(super) webhook: Option<Bytes>,
    pub(super) jobs: Vec<JobId>,
}

/// Counters that must equal what can be counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) queued: [u64; 4],
    pub(super) backlog: [Millis; 4],
    pub(super) running: u64,
    pub(super) delayed: u64,
    /// Those of the internal lane among them.
    pub(super) errands_delayed: u64,
}

impl Model {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            jobs: HashMap::new(),
            expiry: BTreeSet::new(),
            lists: HashMap::new(),
            suspects: Default::default(),
            rings: Default::default(),
            strides: Strides::default(),
            tenants: HashMap::new(),
            workers: BTreeMap::new(),
            places: HashMap::new(),
            delayed: BTreeSet::new(),
            dead: BTreeSet::new(),
            batches: HashMap::new(),
            batch_expiry: BTreeSet::new(),
            log: VecDeque::new(),
            logged: 0,
            queued: 0,
            pending: Vec::new(),
            counts: Counts::default(),
            totals: view::Totals::default(),
            large_results: 0,
            lists_of: HashMap::new(),
            tallies: BTreeMap::new(),
            clock: None,
            grace: 0,
        }
    }

    /// When the next delayed job is due.
    pub(crate) fn next_due(&self) -> Option<Millis> {
        self.delayed.first().map(|(due, _)| *due)
    }

    /// Lets one event happen to one job, and does what follows from it.
    pub(super) fn apply(&mut self, id: &JobId, event: Event, now: Millis) -> Answer {
        let Some(record) = self.jobs.get_mut(id) else { return Answer::Refused };
        let rules = self.settings.rules(record.lane);
        let before = record.life.clone();
        let turn = transition(&rules, before.clone(), event, now);
        record.life = turn.next.clone();
        if turn.answer != Answer::Applied {
            return turn.answer;
        }
        self.count(id, &before.state, &turn.next.state);
        for effect in turn.effects {
            self.perform(id, &before, effect, now);
        }
        if matches!(before.state, State::Leased(_))
            && matches!(turn.next.state, State::Queued | State::Delayed(_))
        {
            self.pending.push(view::Event::Returned(id.clone()));
        }
        Answer::Applied
    }

    fn perform(&mut self, id: &JobId, before: &Life, effect: Effect, now: Millis) {
        let record = self.jobs.get(id).expect("apply has just found it");
        let (lane, tenant, life) = (record.lane, record.tenant.clone(), record.life.clone());
        match effect {
            Effect::QueueFront => self.queue(id, lane, &tenant, life.is_suspect(), true),
            Effect::QueueBack => self.queue(id, lane, &tenant, life.is_suspect(), false),
            Effect::Hold => {
                let State::Leased(token) = life.state.clone() else { return };
                let deadline = record.deadline.map(|after| now + after);
                if let Some(worker) = self.workers.get_mut(&Incarnation::of(&token)) {
                    worker.held.insert(id.clone(), Hold { token, since: now, deadline });
                    if life.is_suspect() {
                        worker.suspect = Some(id.clone());
                    }
                }
            }
            Effect::Unhold => {
                let State::Leased(token) = &before.state else { return };
                if let Some(worker) = self.workers.get_mut(&Incarnation::of(token)) {
                    worker.held.remove(id);
                    worker.suspect.take_if(|suspect| suspect == id);
                }
            }
            Effect::Wake => {
                if let State::Delayed(due) = before.state {
                    self.delayed.remove(&(due, id.clone()));
                }
            }
            Effect::Delay(due) => {
                self.delayed.insert((due, id.clone()));
            }
            Effect::Bury => {
                let oldest = now.saturating_sub(millis(self.settings.dead_ttl));
                self.dead.retain(|(at, _)| *at > oldest);
                self.dead.insert((now, id.clone()));
                while self.dead.len() > DEAD_LETTERS {
                    self.dead.pop_first();
                }
            }
            Effect::Exhume => self.exhume(id),
            Effect::End => self.end(id, now),
        }
    }

    /// Puts a job where claims find it.
    pub(super) fn queue(
        &mut self,
        id: &JobId,
        lane: Lane,
        tenant: &Tenant,
        suspect: bool,
        front: bool,
    ) {
        let list = if suspect {
            &mut self.suspects[lane.index()]
        } else {
            self.lists.entry((lane, tenant.clone())).or_default()
        };
        if front {
            list.push_front(id.clone());
        } else {
            list.push_back(id.clone());
        }
        if !suspect {
            self.rings[lane.index()].join(tenant);
        }
        self.queued += 1;
    }

    /// Keeps the counters equal to what they count.
    fn count(&mut self, id: &JobId, before: &State, after: &State) {
        let record = &self.jobs[id];
        let (lane, cost, tenant) = (record.lane.index(), record.cost, record.tenant.clone());
        self.enter_or_leave(before, lane, cost, &tenant, false);
        self.enter_or_leave(after, lane, cost, &tenant, true);
        let totals = &mut self.totals;
        match (before, after) {
            (_, State::Leased(_)) => totals.claimed += 1,
            (_, State::Final(_)) => totals.finished += 1,
            (_, State::Dead(_)) => totals.dead += 1,
            (_, State::Cancelled) => totals.cancelled += 1,
            (_, State::Delayed(_)) => totals.retried += 1,
            (_, State::Queued) => {}
        }
        if matches!(before, State::Leased(_)) && !matches!(after, State::Leased(_)) {
            self.unpark(&tenant);
        }
    }

    pub(super) fn enter_or_leave(
        &mut self,
        state: &State,
        lane: usize,
        cost: Millis,
        tenant: &Tenant,
        enter: bool,
    ) {
        let step = |counter: &mut u64, by: u64| {
            *counter = if enter { *counter + by } else { *counter - by };
        };
        let account = self.tenants.entry(tenant.clone()).or_default();
        // Errands are ours: they take nothing of what tenants may have waiting or running.
        let theirs = u64::from(lane != Lane::Internal.index());
        match state {
            State::Queued => {
                step(&mut self.counts.queued[lane], 1);
                step(&mut self.counts.backlog[lane], cost);
                step(&mut account.waiting, theirs);
            }
            State::Delayed(_) => {
                step(&mut self.counts.delayed, 1);
                step(&mut self.counts.errands_delayed, 1 - theirs);
                step(&mut account.waiting, theirs);
            }
            State::Leased(_) => {
                step(&mut self.counts.running, 1);
                step(&mut account.running, theirs);
            }
            State::Final(_) | State::Dead(_) | State::Cancelled => {}
        }
    }

    /// Lets a tenant back into the rings: it runs one job less.
    fn unpark(&mut self, tenant: &Tenant) {
        for ring in &mut self.rings {
            if ring.parked.remove(tenant) {
                ring.join(tenant);
                self.queued += 1;
            }
        }
    }

    fn end(&mut self, id: &JobId, now: Millis) {
        let settings = &self.settings;
        let record = self.jobs.get_mut(id).expect("apply has just found it");
        let (event, finished, ttl) = match record.life.state {
            State::Dead(_) => (view::Event::Dead(id.clone()), false, settings.dead_ttl),
            State::Cancelled => (view::Event::Cancelled(id.clone()), false, settings.result_ttl),
            _ => (view::Event::Finished(id.clone()), true, settings.result_ttl),
        };
        let long = record.keyed || record.webhook.is_some();
        let ttl = if long { ttl.max(settings.remembered) } else { ttl };
        if !matches!(record.life.state, State::Dead(_)) {
            record.payload = Bytes::new();
        }
        let expires = now + millis(ttl);
        record.expires = Some(expires);
        let (batch, webhook) = (record.batch.clone(), record.webhook.clone());
        let tenant = record.tenant.clone();
        self.expiry.insert((expires, id.clone()));
        self.pending.push(event);
        if let Some(webhook) = webhook {
            self.errand(&format!("{id}.hook"), tenant, webhook, Subject::Job(id.clone()), now);
        }
        if let Some(batch) = batch {
            self.count_in_batch(&batch, finished, now);
        }
    }

    fn count_in_batch(&mut self, id: &BatchId, finished: bool, now: Millis) {
        let Some(batch) = self.batches.get_mut(id) else { return };
        if finished {
            batch.finished += 1;
        } else {
            batch.failed += 1;
        }
        if batch.finished + batch.failed != batch.total {
            return;
        }
        let (tenant, webhook) = (batch.tenant.clone(), batch.webhook.clone());
        self.batch_expiry.insert((now + millis(self.settings.remembered), id.clone()));
        self.pending.push(view::Event::BatchDone(id.clone()));
        if let Some(webhook) = webhook {
            self.errand(&format!("{id}.done"), tenant, webhook, Subject::Batch(id.clone()), now);
        }
    }

    /// Adds a job of the internal lane. Limits do not apply: it belongs to what was accepted.
    fn errand(&mut self, id: &str, tenant: Tenant, payload: Bytes, about: Subject, now: Millis) {
        let job = Job { lane: Lane::Internal, ..Job::new(tenant, payload) };
        self.add(Job { id: JobId::internal(id), ..job }, Some(about), now);
    }

    /// Adds a job unless its id is known.
    pub(super) fn add(&mut self, job: Job, about: Option<Subject>, now: Millis) -> bool {
        let Job { id, payload, tenant, lane, cost, deadline, batch, webhook, note, listing, keyed } =
            job;
        if self.jobs.contains_key(&id) {
            return false;
        }
        let record = Record {
            life: Life::new(),
            tenant: tenant.clone(),
            lane,
            cost: millis(cost).max(1),
            payload,
            enqueued: now,
            deadline: deadline.map(|d| millis(d).max(1)),
            batch: batch.as_ref().map(|batch| batch.id.clone()),
            webhook,
            note,
            keyed,
            about,
            result: Bytes::new(),
            steps: BTreeMap::new(),
            expires: None,
        };
        self.enter_or_leave(&State::Queued, lane.index(), record.cost, &tenant, true);
        self.totals.enqueued += 1;
        self.jobs.insert(id.clone(), record);
        if let Some(listing) = listing {
            self.list(&id, &tenant, listing, now);
        }
        self.queue(&id, lane, &tenant, false, false);
        if let Some(batch) = batch {
            let record = self.batches.entry(batch.id).or_insert_with(|| BatchRecord {
                total: batch.total,
                finished: 0,
                failed: 0,
                tenant,
                webhook: batch.webhook,
                jobs: Vec::new(),
            });
            record.jobs.push(id);
        }
        true
    }

    fn exhume(&mut self, id: &JobId) {
        let record = self.jobs.get_mut(id).expect("apply has just found it");
        // It has been counted and told of once; its new life is its own.
        record.batch = None;
        record.steps.clear();
        if let Some(at) = record.expires.take() {
            self.expiry.remove(&(at, id.clone()));
        }
        self.dead.retain(|(_, dead)| dead != id);
    }

    /// What a result counts for among the large ones.
    pub(super) fn large(&self, result: &Bytes) -> u64 {
        if result.len() > self.settings.brief_limit { result.len() as u64 } else { 0 }
    }

    /// Drops a record.
    pub(super) fn remove(&mut self, id: &JobId) {
        let Some(record) = self.jobs.remove(id) else { return };
        self.large_results -= self.large(&record.result);
    }

    /// Forgets records whose time is over.
    pub(super) fn purge(&mut self, now: Millis) {
        while let Some((at, _)) = self.expiry.first()
            && *at <= now
        {
            if let Some((_, id)) = self.expiry.pop_first() {
                self.remove(&id);
            }
        }
        while let Some((at, _)) = self.batch_expiry.first()
            && *at <= now
        {
            if let Some((_, id)) = self.batch_expiry.pop_first() {
                self.batches.remove(&id);
            }
        }
    }

    /// Writes down what the operation made visible.
    pub(super) fn publish(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        self.logged += 1;
        let events = std::mem::take(&mut self.pending);
        self.log.push_back((self.logged, events));
        while self.log.len() as u64 > self.settings.events {
            self.log.pop_front();
        }
    }

    /// Jobs that wait, without errands.
    pub(super) fn waiting(&self) -> u64 {
        let Counts { queued, delayed, errands_delayed, .. } = &self.counts;
        let queued: u64 = Lane::JUDGED.iter().map(|lane| queued[lane.index()]).sum();
        queued + delayed - errands_delayed
    }

    /// Errands that wait.
    pub(super) fn errands(&self) -> u64 {
        self.counts.queued[Lane::Internal.index()] + self.counts.errands_delayed
    }

    pub(super) fn limit(limit: Limit, default: Option<u64>) -> Option<u64> {
        match limit {
            Limit::Default => default,
            Limit::At(n) => Some(n),
        }
    }
}

impl Ring {
    /// Lets a tenant in with its own time, or the lane's if it was away long.
    pub(super) fn join(&mut self, tenant: &Tenant) {
        if self.times.contains_key(tenant) || self.parked.contains(tenant) {
            return;
        }
        let time = self.saved.remove(tenant).unwrap_or(0).max(self.clock);
        self.times.insert(tenant.clone(), time);
        self.order.insert((time, tenant.clone()));
    }

    pub(super) fn leave(&mut self, tenant: &Tenant) {
        if let Some(time) = self.times.remove(tenant) {
            self.order.remove(&(time, tenant.clone()));
            self.saved.insert(tenant.clone(), time);
        }
    }

    /// Charges a tenant, in the ring or out of it.
    pub(super) fn charge(&mut self, tenant: &Tenant, by: i64) {
        if let Some(time) = self.times.get_mut(tenant) {
            self.order.remove(&(*time, tenant.clone()));
            *time += by;
            self.order.insert((*time, tenant.clone()));
        } else {
            let time = self.saved.get(tenant).copied().unwrap_or(0).max(self.clock);
            self.saved.insert(tenant.clone(), time + by);
        }
    }
}
