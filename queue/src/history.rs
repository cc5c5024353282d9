//! For tests: random histories of a queue. Small numbers of everything, so that they collide.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use crate::id::{BatchId, IdempotencyKey, Incarnation, JobId, Label, Tenant};
use crate::job::{Batch, Completion, Held, Job, Lane, Lease, Listing, Outcome, Step};
use crate::memory::Model;
use crate::settings::{Account, Limit, Settings};
use crate::store::{Beat, Cancelled, Claim, Claimed, Enqueued, Registered, Settled, Target};
use crate::transition::Millis;
use crate::view::{Audit, BatchView, Counted, Dead, JobView, Listed, Snapshot};

/// What somebody wants to happen next; numbers are reduced to what there is.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Enqueue {
        first: u8,
        count: u8,
        tenant: u8,
        lane: u8,
        extra: u8,
    },
    Register {
        worker: u8,
        place: u8,
    },
    /// `lost`: the reply does not arrive.
    Claim {
        worker: u8,
        free: u8,
        internal: bool,
        lost: bool,
    },
    Progress {
        worker: u8,
        lease: u8,
        index: u8,
    },
    /// `forget`: the reply does not arrive, and the lease is reported on again later.
    Complete {
        worker: u8,
        leases: Vec<u8>,
        how: u8,
        jitter: u16,
        forget: bool,
    },
    Heartbeat {
        worker: u8,
    },
    Reap {
        gone: Option<u8>,
    },
    Cancel {
        job: u8,
        batch: bool,
    },
    Release {
        worker: u8,
    },
    Revive {
        job: u8,
    },
    Forget {
        job: u8,
    },
    Account {
        tenant: u8,
        weight: u8,
        running: u8,
        depth: u8,
    },
    Wait {
        ms: u16,
    },
    Look {
        job: u8,
    },
}

pub(crate) fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => (0..30_u8, 1..6_u8, any::<u8>(), any::<u8>(), any::<u8>()).prop_map(
            |(first, count, tenant, lane, extra)| Op::Enqueue { first, count, tenant, lane, extra }
        ),
        2 => (0..4_u8, 0..6_u8).prop_map(|(worker, place)| Op::Register { worker, place }),
        6 => (0..4_u8, 0..6_u8, any::<bool>(), 0..5_u8).prop_map(
            |(worker, free, internal, lost)| Op::Claim { worker, free, internal, lost: lost == 0 }
        ),
        2 => (0..4_u8, any::<u8>(), 0..3_u8)
            .prop_map(|(worker, lease, index)| Op::Progress { worker, lease, index }),
        6 => (0..4_u8, prop::collection::vec(any::<u8>(), 1..4), any::<u8>(), 0..=1000_u16, 0..4_u8)
            .prop_map(|(worker, leases, how, jitter, forget)| Op::Complete {
                worker, leases, how, jitter, forget: forget == 0
            }),
        4 => (0..4_u8).prop_map(|worker| Op::Heartbeat { worker }),
        1 => prop::option::of(0..4_u8).prop_map(|gone| Op::Reap { gone }),
        1 => (0..30_u8, any::<bool>()).prop_map(|(job, batch)| Op::Cancel { job, batch }),
        1 => (0..4_u8).prop_map(|worker| Op::Release { worker }),
        1 => (0..30_u8).prop_map(|job| Op::Revive { job }),
        1 => (0..30_u8).prop_map(|job| Op::Forget { job }),
        1 => (any::<u8>(), 1..4_u8, 0..4_u8, 0..9_u8).prop_map(
            |(tenant, weight, running, depth)| Op::Account { tenant, weight, running, depth }
        ),
        4 => prop_oneof![1..800_u16, 800..8000_u16].prop_map(|ms| Op::Wait { ms }),
        2 => (0..30_u8).prop_map(|job| Op::Look { job }),
    ];
    prop::collection::vec(op, 1..80)
}

/// Tight numbers, so that limits are met.
pub(crate) fn settings() -> Settings {
    let long = Duration::from_secs(30 * 24 * 3600);
    Settings {
        depth: 24,
        tenant_depth: Some(12),
        tenant_running: Some(6),
        // Longer than any history: Redis forgets by its own clock, which tests do not set.
        result_ttl: long,
        remembered: long,
        dead_ttl: long,
        brief_limit: 100,
        large_results: 1000,
        ..Settings::default()
    }
}

/// One operation of a store, ready to be made.
#[derive(Debug, Clone)]
pub(crate) enum Call {
    Enqueue(Vec<Job>),
    Register(Incarnation, bool),
    Claim(Claim),
    Progress(Vec<Step>),
    Complete(Vec<Completion>, u32),
    Heartbeat(Incarnation, Vec<Held>),
    Reap(Option<Incarnation>),
    Cancel(Target),
    Release(Incarnation),
    Revive(JobId),
    Forget(JobId),
    Listed(Tenant),
    Counted(Tenant),
    Account(Tenant, Account),
    Job(JobId),
    Batch(BatchId),
    Dead,
    Snapshot,
    Tallies,
    Audit,
}

/// What a store answers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reply {
    Enqueued(Enqueued),
    Registered(Option<Registered>),
    Claimed(Claimed),
    Settled(Vec<Settled>),
    Beat(Beat),
    Count(u64),
    Cancelled(Cancelled),
    Revived(bool),
    Listed(Listed),
    Counted(Counted),
    Nothing,
    Job(Option<JobView>),
    Batch(Option<BatchView>),
    Dead(Vec<Dead>),
    Snapshot(Snapshot),
    Tallies(BTreeMap<Label, u64>),
    Audit(Audit),
}

impl Call {
    pub(crate) fn on_model(&self, model: &mut Model, now: Millis) -> Reply {
        match self {
            Self::Enqueue(jobs) => Reply::Enqueued(model.enqueue(jobs, now)),
            Self::Register(who, again) => Reply::Registered(model.register(who, *again, now)),
            Self::Claim(claim) => Reply::Claimed(model.claim(claim, now)),
            Self::Progress(steps) => Reply::Settled(model.progress(steps, now)),
            Self::Complete(done, jitter) => Reply::Settled(model.complete(done, *jitter, now)),
            Self::Heartbeat(who, held) => Reply::Beat(model.heartbeat(who, held, now)),
            Self::Reap(gone) => Reply::Count(model.reap(gone.as_ref(), now)),
            Self::Cancel(target) => Reply::Cancelled(model.cancel(target, now).0),
            Self::Release(who) => Reply::Count(model.release(who, now)),
            Self::Revive(id) => Reply::Revived(model.revive(id, now)),
            Self::Forget(id) => Reply::Revived(model.forget(id, now)),
            Self::Listed(tenant) => Reply::Listed(model.listed(tenant, 1, 5, now)),
            Self::Counted(tenant) => Reply::Counted(model.counted(tenant, &groups(), now)),
            Self::Account(tenant, account) => {
                model.set_account(tenant, *account);
                Reply::Nothing
            }
            Self::Job(id) => Reply::Job(model.job(id, now)),
            Self::Batch(id) => Reply::Batch(model.batch(id, now)),
            Self::Dead => Reply::Dead(model.dead_letters(100, now)),
            Self::Snapshot => Reply::Snapshot(model.snapshot(now)),
            Self::Tallies => Reply::Tallies(model.tallies(now)),
            Self::Audit => Reply::Audit(model.audit(now)),
        }
    }
}

/// Plays the workers and clients: turns what somebody wants into calls, by what was answered.
#[derive(Debug)]
pub(crate) struct Player {
    pub(crate) now: Millis,
    workers: Vec<Incarnation>,
    claims: u64,
    born: u64,
    leases: BTreeMap<Incarnation, Vec<Lease>>,
}

impl Player {
    pub(crate) fn new() -> Self {
        let mut player = Self {
            now: 1_000_000,
            workers: Vec::new(),
            claims: 0,
            born: 0,
            leases: BTreeMap::new(),
        };
        for place in 0..4 {
            let who = player.begin(place);
            player.workers.push(who);
        }
        player
    }

    /// Incarnations with fixed names: a failing history prints and runs the same again.
    fn begin(&mut self, place: u8) -> Incarnation {
        self.born += 1;
        Incarnation::parse(&format!("node-{place}/w{}", self.born)).unwrap()
    }

    pub(crate) fn worker(&self, n: u8) -> &Incarnation {
        &self.workers[usize::from(n) % self.workers.len()]
    }

    fn lease(&self, worker: u8, n: u8) -> Option<&Lease> {
        let leases = self.leases.get(self.worker(worker))?;
        leases.get(usize::from(n) % leases.len().max(1))
    }

    /// The calls that `op` becomes, each with whether its reply arrives.
    pub(crate) fn calls(&mut self, op: &Op) -> Vec<(Call, bool)> {
        let one = |call| vec![(call, true)];
        match op {
            Op::Enqueue { first, count, tenant, lane, extra } => {
                let jobs = (*first..first + count).map(|n| job(n, *tenant, *lane, *extra));
                one(Call::Enqueue(jobs.collect()))
            }
            Op::Register { worker, place } if *place < 4 => {
                // A new process where another one was, perhaps while that one still lives.
                let who = self.begin(*place);
                let at = usize::from(*worker) % self.workers.len();
                self.workers[at] = who.clone();
                one(Call::Register(who, false))
            }
            Op::Register { worker, .. } => one(Call::Register(self.worker(*worker).clone(), true)),
            Op::Claim { worker, free, internal, lost } => {
                self.claims += 1;
                let lanes = if *internal { Lane::ALL.to_vec() } else { Lane::JUDGED.to_vec() };
                let (who, number) = (self.worker(*worker).clone(), self.claims);
                let claim = Claim { who, number, free: usize::from(*free), lanes };
                vec![(Call::Claim(claim), !lost)]
            }
            Op::Progress { worker, lease, index } => match self.lease(*worker, *lease) {
                Some(lease) => {
                    let (index, report) = (u32::from(*index), Bytes::from_static(b"ok \x00\xff"));
                    one(Call::Progress(vec![Step { held: lease.into(), index, report }]))
                }
                None => Vec::new(),
            },
            Op::Complete { worker, leases, how, jitter, forget } => {
                let leases = leases.iter().filter_map(|n| self.lease(*worker, *n));
                let done: Vec<_> = leases.map(|lease| completion(lease, *how)).collect();
                vec![(Call::Complete(done, u32::from(*jitter)), !forget)]
            }
            Op::Heartbeat { worker } => {
                let who = self.worker(*worker).clone();
                let held = self.leases.get(&who).into_iter().flatten().map(Held::from).collect();
                one(Call::Heartbeat(who, held))
            }
            Op::Reap { gone } => one(Call::Reap(gone.map(|n| self.worker(n).clone()))),
            Op::Cancel { job, batch: false } => one(Call::Cancel(Target::Job(job_id(*job)))),
            Op::Cancel { job, batch: true } => one(Call::Cancel(Target::Batch(batch_id(*job)))),
            Op::Release { worker } => one(Call::Release(self.worker(*worker).clone())),
            Op::Revive { job } => one(Call::Revive(job_id(*job))),
            Op::Forget { job } => one(Call::Forget(job_id(*job))),
            Op::Account { tenant, weight, running, depth } => {
                let limit = |n: u8| if n == 0 { Limit::Default } else { Limit::At(u64::from(n)) };
                let (running, depth) = (limit(*running), limit(*depth));
                let account = Account { weight: u32::from(*weight), depth, running };
                one(Call::Account(tenant_name(*tenant), account))
            }
            Op::Wait { ms } => {
                self.now += Millis::from(*ms);
                Vec::new()
            }
            Op::Look { job } => vec![
                (Call::Job(job_id(*job)), true),
                (Call::Batch(batch_id(*job)), true),
                (Call::Dead, true),
                (Call::Snapshot, true),
                (Call::Tallies, true),
                (Call::Listed(tenant_name(*job)), true),
                (Call::Counted(tenant_name(*job)), true),
            ],
        }
    }

    /// Takes in what was answered.
    pub(crate) fn learn(&mut self, call: &Call, reply: &Reply) {
        match (call, reply) {
            (Call::Claim(claim), Reply::Claimed(Claimed::Leases(leases))) => {
                self.leases.entry(claim.who.clone()).or_default().extend(leases.iter().cloned());
            }
            (Call::Complete(done, _), _) => {
                for Completion { held, .. } in done {
                    for leases in self.leases.values_mut() {
                        leases.retain(|lease| lease.token != held.token);
                    }
                }
            }
            // Revoked leases are kept on purpose: a worker that does not listen.
            _ => {}
        }
    }
}

pub(crate) fn job_id(n: u8) -> JobId {
    JobId::new(format!("job-{:02}", n % 30)).unwrap()
}

fn batch_id(n: u8) -> BatchId {
    BatchId::new(format!("batch-{}", n % 3)).unwrap()
}

fn tenant_name(n: u8) -> Tenant {
    Tenant::new(format!("t:{}", n % 3)).unwrap()
}

fn job(n: u8, tenant: u8, lane: u8, extra: u8) -> Job {
    let size = if extra.is_multiple_of(5) { 5000 } else { usize::from(n) };
    let mut job = Job::new(tenant_name(tenant), vec![n; size])
        .lane(Lane::JUDGED[usize::from(lane) % 3])
        .cost(Duration::from_millis(u64::from(n) * 37));
    if extra & 1 == 1 {
        job = job.keyed(&IdempotencyKey::new("key").unwrap(), 0);
    }
    if extra & 2 == 2 {
        job = job.webhook("tell").note("to whoever asks");
    }
    if extra & 64 == 64 {
        let label = Label::new(format!("l{}", n % 4)).unwrap();
        job = job.listed(Listing { group: groups()[usize::from(n) % 2].clone(), label });
    }
    if extra & 4 == 4 {
        job = job.deadline(Duration::from_secs(3));
    }
    if extra & 24 == 24 {
        let webhook = (extra & 32 == 32).then(|| Bytes::from_static(b"tell all"));
        job = job.batch(Batch { id: batch_id(extra >> 5), total: 3, webhook });
    }
    Job { id: job_id(n), ..job }
}

pub(crate) fn groups() -> [Label; 2] {
    ["g1", "g2"].map(|group| Label::new(group).unwrap())
}

fn completion(lease: &Lease, how: u8) -> Completion {
    let outcome = match how % 8 {
        0 | 1 => Outcome::Retry,
        2 => Outcome::HandedBack,
        3 => Outcome::Buried,
        _ => {
            let took = (how & 64 == 64).then(|| Duration::from_millis(u64::from(how)));
            let label = (how & 32 == 32).then(|| Label::new(format!("l{}", how % 16)).unwrap());
            let result = Bytes::from(lease.token.as_str().to_owned());
            // In half of them the whole is large; of all together there is room for a few.
            let brief = (how & 16 == 16).then(|| result.clone());
            let result = brief.as_ref().map_or(result, |brief| brief.repeat(9).into());
            Outcome::Finished { result, brief, took, label }
        }
    };
    Completion { held: lease.into(), outcome }
}
