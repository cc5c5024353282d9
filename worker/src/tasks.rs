//! The tasks of a worker. Each runs until a newer worker has its place, or is dropped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, sleep_until};

use crate::crew::{Crew, Superseded};

/// Partial results of this long travel together: often enough to be watched, and each call is a
/// sync of the queue's disk, about a millisecond of CPU time.
const COALESCE: Duration = Duration::from_millis(200);
/// Before the next attempt when the queue does not answer; the way to it has pauses of its own.
const PAUSE: Duration = Duration::from_millis(100);
/// Heartbeats after which a worker says again what it is: the queue may have taken it for dead.
const ANNOUNCED: u32 = 10;
/// How long a full worker lets emptier ones go first.
const COURTESY: Duration = Duration::from_millis(2);

/// Claims as many jobs as there are free slots, again and again.
///
/// When it is dropped in the middle of a claim, jobs may be leased that nobody knows of; they are
/// not in the heartbeat, so the queue takes them back.
pub(crate) async fn claim(crew: &Arc<Crew>, jobs: &mut JoinSet<()>) -> Superseded {
    let mut changes = crew.changes.subscribe();
    let mut settles = crew.settles.subscribe();
    loop {
        while jobs.try_join_next().is_some() {}
        changes.mark_unchanged();
        settles.mark_unchanged();
        let (free, pause) = crew.free(Instant::now());
        if free == 0 {
            changed(&mut changes, pause).await;
            continue;
        }
        match crew.ask("claim", crew.consumer.claim(free)).await {
            Err(superseded) => return superseded,
            Ok(None) => sleep(PAUSE).await,
            Ok(Some(leases)) => {
                let more = leases.len() == free;
                for lease in leases {
                    crew.start(lease, jobs);
                }
                if more {
                    continue;
                }
                tokio::select! {
                    () = crew.consumer.wait_for_work() => courtesy(crew).await,
                    () = changed(&mut settles, None) => {}
                }
            }
        }
    }
}

async fn changed(changes: &mut watch::Receiver<u64>, until: Option<Instant>) {
    let elapsed = async {
        match until {
            Some(until) => sleep_until(until.into()).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        // The sender lives in the crew, which the caller holds.
        _ = changes.changed() => {}
        () = elapsed => {}
    }
}

/// Who has more free slots asks earlier, and the load is even without anybody steering it.
async fn courtesy(crew: &Crew) {
    let (free, _) = crew.free(Instant::now());
    let all = u32::try_from(crew.effective()).unwrap_or(u32::MAX);
    let taken = all.saturating_sub(u32::try_from(free).unwrap_or(u32::MAX));
    if taken > 0 && free > 0 {
        sleep(COURTESY * taken / all.max(1)).await;
    }
}

/// Tells the queue each second, and when it asks, what really runs.
pub(crate) async fn heartbeat(crew: Arc<Crew>) -> Superseded {
    let mut ticks = interval(crew.consumer.store().settings().heartbeat());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut announced, mut age) = (Bytes::new(), 0);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = crew.consumer.wait_for_nudge() => {}
        }
        age += 1;
        let held = crew.held();
        match crew.ask("heartbeat", crew.consumer.heartbeat(&held)).await {
            Err(superseded) => return superseded,
            Ok(None) => {}
            Ok(Some(verdicts)) => {
                crew.metrics.beat();
                crew.obey(&held, &verdicts);
                let about = crew.about();
                if about != announced || age > ANNOUNCED {
                    match crew.ask("announce", crew.consumer.announce(&about)).await {
                        Err(superseded) => return superseded,
                        Ok(None) => {}
                        Ok(Some(())) => (announced, age) = (about, 0),
                    }
                }
            }
        }
    }
}

/// Delivers results as they come, and partial ones from time to time. What the queue did not answer
/// is kept and delivered with the same token until it does.
pub(crate) async fn report(crew: Arc<Crew>) -> Superseded {
    let mut ticks = interval(COALESCE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let running = tokio::select! {
            _ = ticks.tick() => true,
            () = crew.ended.notified() => false,
        };
        match crew.deliver(running).await {
            Err(superseded) => return superseded,
            Ok(true) => {}
            Ok(false) => {
                sleep(PAUSE.mul_f64(0.5 + fastrand::f64())).await;
                crew.ended.notify_one();
            }
        }
    }
}
