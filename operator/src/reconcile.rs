//! One look at one cluster: dereference → validate → build → apply → annotate → report.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;
use tracing::{Instrument as _, info, info_span, warn};

use crate::annotate::{AT_ONCE, annotate};
use crate::api::{self, chain};
use crate::apply::{AGAIN, Applied, Refused, Sent, apply};
use crate::ask::ask;
use crate::build::{Kind, api_name, build, daemon_set_name, redis_name};
use crate::context::Context;
use crate::deletion::{self, Drained};
use crate::dereference::dereference;
use crate::greet;
use crate::progress::Mark;
use crate::report::report;
use crate::setback::{Broken, Setback};
use crate::status::{Findings, Redis, Rollout, Service};
use crate::survey::{Survey, survey};
use crate::validate::{Complaint, Fleet, validate};
use crate::work::Ended;
use crate::world::{Key, Refusal, Seen, Sight};

/// So long a worker may take to become ready before it is asked what it lacks.
const ASK_FIRST: Duration = Duration::from_secs(5);
/// Between two questions to workers of one cluster.
const ASK_AGAIN: Duration = Duration::from_secs(15);
/// Workers that are asked at a time: they all have the same queue.
const ASKED: usize = 2;
/// So long Redis and the HTTP service may take to start: a volume is made, an image pulled.
const STARTS: Duration = Duration::from_secs(30);
/// So long nothing is tried in a namespace that is being deleted. There is no way back for it, so its
/// clusters go, too, and the watch tells.
const LEAVING: Duration = Duration::from_secs(60);
/// So long the API server may fail at an object before it is told: what passes within seconds is
/// nobody's to mend.
const LASTS: Duration = Duration::from_secs(5);
/// In any case a cluster is looked at so often. It costs no call, but mends what a lost event left.
const ANYWAY: Duration = Duration::from_secs(300);

/// What a spec came to.
#[derive(Debug, Default)]
struct Made {
    fleet: Option<Fleet>,
    invalid: Option<String>,
    complaints: Vec<Complaint>,
    /// Why the workers are not made as the spec says.
    held: Option<Complaint>,
    /// When what was refused is tried again.
    again: Option<Duration>,
    /// The first at which the API server fails.
    broken: Option<Broken>,
}

impl Made {
    fn sent(&mut self, sent: Sent) {
        let Sent { refused, held, broken } = sent;
        let first = refused.iter().map(Refused::rest).min();
        self.again = self.again.into_iter().chain(first).min();
        self.complaints.extend(refused.into_iter().map(|refused| refused.complaint));
        (self.held, self.broken) = (held, broken);
    }

    fn set_back(&mut self, seen: &Seen, setback: Option<Setback>) {
        match setback {
            Some(Setback::Refused(complaint)) => {
                let (namespace, judgecluster) = (&*seen.key.namespace, &*seen.key.name);
                let Complaint { reason, message } = &complaint;
                warn!(namespace, judgecluster, reason, "{message}");
                self.again = self.again.or(Some(AGAIN));
                self.complaints.push(complaint);
            }
            Some(Setback::Broken(broken)) => {
                self.broken.get_or_insert(broken);
            }
            None => {}
        }
    }
}

/// Looks at clusters until the queue is closed.
pub(crate) async fn work(context: &Context) {
    while let Some(key) = context.work.next().await {
        let span = info_span!("reconcile", namespace = &*key.namespace, judgecluster = &*key.name);
        let began = Instant::now();
        let looked = look(context, &key).instrument(span).await;
        let ended = match &looked {
            Ok(again) => Ended::Well(*again),
            Err(_) => Ended::Failed,
        };
        context.metrics.reconciled(looked.is_ok(), began.elapsed());
        let wait = context.work.done(&key, ended);
        if let Err(error) = &looked {
            let (namespace, judgecluster) = (&*key.namespace, &*key.name);
            let wait_ms = wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
            warn!(
                namespace,
                judgecluster,
                error = chain(error),
                wait_ms,
                "failed; tried again later"
            );
        }
    }
}

/// One look. Returns when the next one is due without an event.
///
/// # Errors
/// When the API server does not answer, is busy, or fails at an object.
async fn look(context: &Context, key: &Key) -> Result<Option<Duration>, api::Error> {
    let Some(seen) = context.world.sight().cluster(key) else {
        context.forget(key);
        return Ok(None);
    };
    let seen = &*seen;
    context.meet(seen);
    if seen.deleted.is_some() {
        return deleted(context, seen).await;
    }
    if let Some(rest) = leaving(context, seen) {
        return Ok(Some(rest));
    }
    let mut made = make(context, seen).await?;
    let mark = deletion::mark(context, seen).await?;
    if let Some(fleet) = made.fleet.as_ref().filter(|_| !seen.is_paused()) {
        match apply(context, seen, &build(fleet)).await? {
            Applied::Sent(sent) => made.sent(sent),
            Applied::Leaving => return Ok(Some(leave(context, seen))),
        }
    }
    let survey = survey(seen, made.fleet.as_ref(), &context.world.sight());
    if !seen.is_paused() {
        // If it is not one object but the API server that is ill, these are few requests more.
        let at_once = if made.broken.is_some() { 1 } else { AT_ONCE };
        made.set_back(seen, annotate(context, key, &survey.orders, at_once).await?);
    }
    // Last, as it matters least.
    made.set_back(seen, mark);
    Box::pin(conclude(context, seen, made, survey)).await
}

/// Says what was found out. What the API server fails at is told if it lasts.
///
/// # Errors
/// What it fails at, told or not: it is tried again later and later.
async fn conclude(
    context: &Context,
    seen: &Seen,
    mut made: Made,
    survey: Survey,
) -> Result<Option<Duration>, api::Error> {
    let Some(Broken { complaint, error }) = made.broken.take() else {
        context.memo(&seen.key, |memo| memo.broken = None);
        return finish(context, seen, made, survey).await;
    };
    let since = context.memo(&seen.key, |memo| *memo.broken.get_or_insert_with(Instant::now));
    // Before it is told nothing is: the status would say that the new spec is in force.
    if since.elapsed() >= LASTS {
        made.complaints.push(complaint);
        finish(context, seen, made, survey).await?;
    }
    Err(error)
}

/// One look at a cluster that is being deleted: for as long as it is there it is said.
async fn deleted(context: &Context, seen: &Seen) -> Result<Option<Duration>, api::Error> {
    let Drained { again: left, setback } = deletion::drain(context, seen).await?;
    if left.is_none() && setback.is_none() && !deletion::is_held(seen) {
        return Ok(None);
    }
    let survey = survey(seen, None, &context.world.sight());
    let mut made = Made::default();
    made.set_back(seen, setback);
    made.set_back(seen, annotate(context, &seen.key, &survey.orders, AT_ONCE).await?);
    match (Box::pin(conclude(context, seen, made, survey)).await, left) {
        // By later and later the time that the workers have would be missed.
        (Err(error), Some(left)) if error.is_fault() => {
            let (namespace, judgecluster) = (&*seen.key.namespace, &*seen.key.name);
            warn!(namespace, judgecluster, error = chain(&error), "failed while it is drained");
            Ok(Some(left))
        }
        (again, left) => Ok(again?.into_iter().chain(left).min()),
    }
}

/// The namespace takes nothing new: there is nothing to mend, and nobody to tell it to.
fn leave(context: &Context, seen: &Seen) -> Duration {
    let (namespace, judgecluster) = (&*seen.key.namespace, &*seen.key.name);
    info!(namespace, judgecluster, "the namespace is being deleted; nothing is made in it");
    context.memo(&seen.key, |memo| memo.leaving = Some((seen.uid.clone(), Instant::now())));
    LEAVING
}

/// How long to leave a cluster alone, if its namespace is being deleted. Another one of this name is
/// in a namespace that was made anew.
fn leaving(context: &Context, seen: &Seen) -> Option<Duration> {
    let at = context.memo(&seen.key, |memo| {
        memo.leaving.take_if(|(uid, at)| *uid != seen.uid || at.elapsed() >= LEAVING);
        memo.leaving.as_ref().map(|(_, at)| *at)
    });
    at.map(|at| LEAVING.saturating_sub(at.elapsed()))
}

/// Dereference and validate.
async fn make(context: &Context, seen: &Seen) -> Result<Made, api::Error> {
    let spec = match &seen.spec {
        Ok(spec) => spec,
        Err(problem) => return Ok(Made { invalid: Some(problem.clone()), ..Made::default() }),
    };
    let references = dereference(context, &seen.key, spec).await?;
    Ok(match validate(&seen.identity(), spec, &references) {
        Ok((fleet, complaints)) => Made { fleet: Some(fleet), complaints, ..Made::default() },
        Err(invalid) => Made { invalid: Some(invalid.to_string()), ..Made::default() },
    })
}

async fn finish(
    context: &Context,
    seen: &Seen,
    made: Made,
    survey: Survey,
) -> Result<Option<Duration>, api::Error> {
    let Made { fleet, invalid, complaints, held, again, broken: _ } = made;
    let key = &seen.key;
    let queue_trouble = queue_trouble(context, key, &survey).await;
    // What has just been written is seen again: the annotations, and the status of before.
    let Some(after) = after(context, key, fleet.as_ref()) else { return Ok(None) };
    if (&after.seen.uid, after.seen.generation) != (&seen.uid, seen.generation) {
        // What was found out is of another spec than the status would say.
        return Ok(Some(Duration::ZERO));
    }
    let After { seen, survey, rollout, refusal, redis, service, .. } = &after;
    let (redis_late, redis_turn) =
        late(context, key, Kind::StatefulSet, redis.as_ref().is_some_and(|redis| !redis.ready));
    let (service_late, service_turn) = late(
        context,
        key,
        Kind::Deployment,
        service.is_some_and(|service| service.ready == 0 && service.wanted > 0),
    );
    if survey.ready > 0 {
        context.greetings.add(key, greet::SOON);
    }
    let (stalled, turn) = stalled(context, seen, *rollout, survey.not_ready);
    let findings = Findings {
        seen,
        invalid,
        complaints,
        held,
        survey,
        rollout: *rollout,
        refusal: refusal.clone(),
        nodes_forbidden: after.nodes_forbidden,
        service_monitors: after.service_monitors,
        stalled,
        queue_trouble,
        redis: redis.clone().map(|redis| Redis { late: redis_late, ..redis }),
        service: service.map(|service| Service { late: service_late, ..service }),
        manner: context.memo(key, |memo| memo.acquaintance.manner()),
    };
    let more = report(context, &findings).await?;
    let asks = (!survey.unwell.is_empty()).then_some(ASK_FIRST);
    let turns = [more, again, turn, asks, redis_turn, service_turn, Some(ANYWAY)];
    Ok(turns.into_iter().flatten().min())
}

/// What is there once everything has been written.
struct After {
    seen: Arc<Seen>,
    survey: Survey,
    rollout: Option<Rollout>,
    refusal: Option<Refusal>,
    redis: Option<Redis>,
    service: Option<Service>,
    nodes_forbidden: bool,
    service_monitors: bool,
}

/// Looks; `None` when the cluster has gone meanwhile.
fn after(context: &Context, key: &Key, fleet: Option<&Fleet>) -> Option<After> {
    let mut sight = context.world.sight();
    let seen = sight.cluster(key)?;
    let live = sight.live(key, Kind::DaemonSet, &daemon_set_name(&key.name));
    let rollout = live.map(|live| Rollout::of(&live.value));
    let survey = survey(&seen, fleet, &sight);
    if rollout.is_some_and(|rollout| rollout.is_observed() && survey.pods >= rollout.desired) {
        sight.drop_refusal(key);
    }
    Some(After {
        rollout,
        survey,
        refusal: sight.refusal(key).cloned(),
        redis: redis(&seen, &sight),
        service: service(&seen, &sight),
        nodes_forbidden: sight.nodes_forbidden,
        service_monitors: sight.service_monitors,
        seen,
    })
}

/// The managed Redis, if there is to be one.
fn redis(seen: &Seen, sight: &Sight) -> Option<Redis> {
    seen.spec.as_ref().ok()?.queue.managed.as_ref()?;
    let live = sight.live(&seen.key, Kind::StatefulSet, &redis_name(&seen.key.name));
    let ready = live.is_some_and(|live| live.value["status"]["readyReplicas"].as_u64() >= Some(1));
    let trouble = sight.redis(&seen.key).and_then(|pod| pod.trouble.clone());
    Some(Redis { ready, late: false, trouble })
}

/// The HTTP service, if there is to be one.
fn service(seen: &Seen, sight: &Sight) -> Option<Service> {
    let wanted = seen.spec.as_ref().ok()?.api.as_ref()?.replicas;
    let live = sight.live(&seen.key, Kind::Deployment, &api_name(&seen.key.name));
    let ready = live.and_then(|live| live.value["status"]["readyReplicas"].as_u64()).unwrap_or(0);
    Some(Service { ready: u32::try_from(ready).unwrap_or(u32::MAX), wanted, late: false })
}

/// Whether a part has been away for longer than a start takes, and when it will have been.
fn late(context: &Context, key: &Key, part: Kind, away: bool) -> (bool, Option<Duration>) {
    if !away {
        context.memo(key, |memo| memo.down.remove(&part));
        return (false, None);
    }
    let since = context.memo(key, |memo| *memo.down.entry(part).or_insert_with(Instant::now));
    let rest = STARTS.checked_sub(since.elapsed()).filter(|rest| !rest.is_zero());
    (rest.is_none(), rest)
}

/// Whether a change has stood still for too long, and when it will have.
fn stalled(
    context: &Context,
    seen: &Seen,
    rollout: Option<Rollout>,
    not_ready: u32,
) -> (bool, Option<Duration>) {
    let (Some(rollout), Ok(spec)) = (rollout, &seen.spec) else { return (false, None) };
    let mark = Mark {
        generation: rollout.generation,
        updated: rollout.updated,
        ready: rollout.ready,
        desired: rollout.desired,
    };
    let stood = context.memo(&seen.key, |memo| memo.progress.note(mark, Instant::now()));
    if rollout.is_done(not_ready) || spec.paused {
        return (false, None);
    }
    let limit = Duration::from_secs(spec.update_strategy.stalled_after_seconds.into());
    match limit.checked_sub(stood) {
        Some(rest) if !rest.is_zero() => (false, Some(rest)),
        _ => (true, None),
    }
}

/// What workers that run and are not ready say of the queue.
async fn queue_trouble(context: &Context, key: &Key, survey: &Survey) -> Option<String> {
    if survey.unwell.is_empty() {
        context.memo(key, |memo| (memo.unwell, memo.word) = (None, None));
        return None;
    }
    let (since, known) = context
        .memo(key, |memo| (*memo.unwell.get_or_insert_with(Instant::now), memo.word.clone()));
    if since.elapsed() < ASK_FIRST {
        return None;
    }
    let word = match known {
        Some((at, word)) if at.elapsed() < ASK_AGAIN => word,
        _ => {
            let asked = survey.unwell.iter().take(ASKED).map(|(_, address)| ask(*address));
            let word = join_all(asked).await.into_iter().flatten().next();
            context.memo(key, |memo| memo.word = Some((Instant::now(), word.clone())));
            word
        }
    };
    word.and_then(|word| word.queue_trouble().map(str::to_owned))
}

#[cfg(test)]
mod tests;
