//! What must hold after any history (queue invariants I1 to I12), checked on the model by an
//! independent reading of its answers.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use proptest::prelude::*;

use crate::history::{Call, Op, Player, Reply, job_id, ops, settings};
use crate::id::JobId;
use crate::job::{Lane, Outcome};
use crate::memory::Model;
use crate::store::{Claimed, Enqueued, Settled, Verdict};
use crate::view::{Cursor, Event, Stage};

/// What was promised so far.
#[derive(Debug, Default)]
struct Ledger {
    accepted: HashSet<JobId>,
    results: HashMap<JobId, Bytes>,
    tokens: HashSet<String>,
    revived: HashMap<JobId, usize>,
}

impl Ledger {
    fn note(&mut self, call: &Call, reply: &Reply) {
        match (call, reply) {
            (Call::Enqueue(jobs), Reply::Enqueued(Enqueued::Accepted { .. })) => {
                self.accepted.extend(jobs.iter().map(|job| job.id.clone()));
            }
            (Call::Claim(claim), Reply::Claimed(Claimed::Leases(leases))) => {
                assert!(leases.len() <= claim.free, "more than the free permits");
                let suspects = leases.iter().filter(|lease| lease.lost > 0).count();
                assert!(suspects <= 1, "two suspects at once");
                for lease in leases {
                    assert!(self.tokens.insert(lease.token.as_str().to_owned()), "token again");
                    assert!(!self.results.contains_key(&lease.id), "a job with a result runs");
                }
            }
            (Call::Complete(done, _), Reply::Settled(settled)) => {
                for (done, settled) in done.iter().zip(settled) {
                    let Outcome::Finished { result, brief, .. } = &done.outcome else { continue };
                    let before = self.results.get(&done.held.id);
                    match settled {
                        Settled::Ok => {
                            assert!(before.is_none(), "two results");
                            let result = brief.as_ref().unwrap_or(result);
                            self.results.insert(done.held.id.clone(), result.clone());
                        }
                        Settled::Dup => assert_eq!(before, Some(brief.as_ref().unwrap_or(result))),
                        Settled::Stale => {}
                    }
                }
            }
            (Call::Revive(id), Reply::Revived(true)) => {
                *self.revived.entry(id.clone()).or_default() += 1;
            }
            // It may be handed in again, and end again.
            (Call::Forget(id), Reply::Revived(true)) => {
                self.accepted.remove(id);
                self.results.remove(id);
                *self.revived.entry(id.clone()).or_default() += 1;
            }
            _ => {}
        }
    }

    /// Every promise, read from what the queue shows.
    fn check(&self, model: &mut Model, now: u64) {
        for id in &self.accepted {
            let view = model.job(id, now);
            let view = view.unwrap_or_else(|| panic!("{id} was accepted and is lost"));
            let result = match view.stage {
                Stage::Finished(result) => Some(result),
                _ => None,
            };
            let known = self.results.get(id);
            // Whole, or brief: that is its beginning.
            let same = result.as_ref().zip(known).is_some_and(|(r, known)| r.starts_with(known));
            assert!(same || (result.is_none() && known.is_none()), "{id}: {result:?} {known:?}");
        }
        let mut ends: HashMap<JobId, usize> = HashMap::new();
        for entry in model.events(&Cursor::start(), usize::MAX) {
            for event in entry.events {
                if let Event::Finished(id) | Event::Dead(id) | Event::Cancelled(id) = event {
                    *ends.entry(id).or_default() += 1;
                }
            }
        }
        for (id, ends) in ends {
            let lives = 1 + self.revived.get(&id).copied().unwrap_or_default();
            assert!(ends <= lives, "{id} ended {ends} times in {lives} lives");
        }
    }
}

fn play(ops: &[Op]) -> (Model, Player, Ledger) {
    let mut model = Model::new(settings());
    let (mut player, mut ledger) = (Player::new(), Ledger::default());
    for op in ops {
        for (call, arrives) in player.calls(op) {
            let reply = call.on_model(&mut model, player.now);
            ledger.note(&call, &reply);
            if arrives {
                player.learn(&call, &reply);
            }
            let audit = Call::Audit.on_model(&mut model, player.now);
            let sound = matches!(&audit, Reply::Audit(audit) if audit.repairs == 0);
            assert!(sound, "{audit:?} after {call:?}");
        }
    }
    (model, player, ledger)
}

proptest! {
    #[test]
    fn any_history_keeps_the_promises(ops in ops()) {
        let (mut model, player, ledger) = play(&ops);
        ledger.check(&mut model, player.now);
    }

    /// Liveness: whatever has happened, one good worker brings every job to its end.
    #[test]
    fn after_any_history_one_good_worker_ends_everything(ops in ops()) {
        let (mut model, mut player, mut ledger) = play(&ops);
        let place = crate::id::Place::new("good").unwrap();
        let who = crate::id::Incarnation::begin(&place);
        Call::Register(who.clone(), false).on_model(&mut model, player.now);
        for number in 0..600 {
            player.now += 1000;
            Call::Heartbeat(who.clone(), Vec::new()).on_model(&mut model, player.now);
            let claim = crate::store::Claim {
                who: who.clone(), number, free: 3, lanes: Lane::ALL.to_vec(),
            };
            let claim = Call::Claim(claim);
            let reply = claim.on_model(&mut model, player.now);
            ledger.note(&claim, &reply);
            let Reply::Claimed(Claimed::Leases(leases)) = reply else { panic!("{reply:?}") };
            let outcome = Outcome::finished("r");
            let done = leases.iter().map(|lease| crate::job::Completion {
                held: lease.into(), outcome: outcome.clone(),
            });
            let done = Call::Complete(done.collect(), 0);
            let reply = done.on_model(&mut model, player.now);
            ledger.note(&done, &reply);
        }
        let view = model.snapshot(player.now);
        prop_assert_eq!(view.running + view.delayed, 0);
        prop_assert!(view.lanes.iter().all(|lane| lane.depth == 0), "{:?}", view);
        ledger.check(&mut model, player.now);
    }

    /// A cancelled job is revoked from whoever runs it, and its result never shows.
    #[test]
    fn a_cancelled_job_shows_no_result(ops in ops(), n in 0..30_u8) {
        let (mut model, mut player, _) = play(&ops);
        let id = job_id(n);
        let cancel = Call::Cancel(crate::store::Target::Job(id.clone()));
        let Reply::Cancelled(answer) = cancel.on_model(&mut model, player.now) else { panic!() };
        if answer.cancelled == 0 {
            return Ok(());
        }
        for worker in 0..4 {
            let complete = Op::Complete {
                worker, leases: (0..=255).collect(), how: 7, jitter: 0, forget: true,
            };
            for (call, _) in player.calls(&complete) {
                call.on_model(&mut model, player.now);
            }
        }
        prop_assert_eq!(model.job(&id, player.now).map(|view| view.stage), Some(Stage::Cancelled));
    }
}

#[test]
fn verdicts_tell_revoked_from_cancelled() {
    let mut model = Model::new(settings());
    let player = Player::new();
    let who = player.worker(0).clone();
    model.register(&who, false, 1);
    let tenant = crate::id::Tenant::anonymous();
    let jobs: Vec<_> =
        (0..3).map(|n| crate::Job::new(tenant.clone(), vec![n]).lane(Lane::High)).collect();
    model.enqueue(&jobs, 1);
    let lanes = vec![Lane::High];
    let claim = crate::store::Claim { who: who.clone(), number: 1, free: 3, lanes };
    let Claimed::Leases(leases) = model.claim(&claim, 1) else { panic!() };
    model.cancel(&crate::store::Target::Job(leases[1].id.clone()), 2);
    let held: Vec<crate::Held> = leases.iter().map(Into::into).collect();
    let beat = model.heartbeat(&who, &held, 3);
    let wanted = vec![Verdict::Keep, Verdict::Cancelled, Verdict::Keep];
    assert_eq!(beat, crate::Beat::Known(wanted));
    model.reap(Some(&who), 4);
    assert_eq!(model.heartbeat(&who, &held, 5), crate::Beat::Unknown);
}
