//! The operations of the store: arguments of scripts and commands, and what their replies mean.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::broadcast::error::RecvError;

use super::{CHUNK, Error, POLL, RedisStore, audit, enqueue, wire};
use crate::id::{BatchId, Incarnation, JobId, Label, Tenant};
use crate::job::{Completion, Held, Job, Step};
use crate::memory::RETRY_AFTER;
use crate::settings::{Account, Limit, Settings};
use crate::store::{
    self, Beat, Cancelled, Claim, Claimed, Enqueued, Full, Reached, Registered, Settled, Store,
    Target, Verdict, check_payloads, check_results,
};
use crate::view::{
    Audit, BatchView, Counted, Cursor, Dead, Entry, JobView, Listed, Snapshot, Worker,
};

/// Jobs that one step of a list asks for.
const EXISTS: usize = 1000;

#[async_trait]
impl Store for RedisStore {
    fn settings(&self) -> &Settings {
        &self.settings
    }

    async fn enqueue(&self, jobs: &[Job]) -> Result<Enqueued, store::Error> {
        check_payloads(&self.settings, jobs)?;
        match enqueue::run(self, jobs).await {
            // Refused before the first write: nothing of the chunk is in.
            Err(Error::Command { source, .. }) if source.code() == Some("OOM") => {
                let (limit, retry_after) = (Reached::Memory, RETRY_AFTER);
                Ok(Enqueued::Full(Full { limit, depth: 0, retry_after }))
            }
            answer => Ok(answer?),
        }
    }

    async fn register(&self, who: &Incarnation, again: bool) -> Result<Registered, store::Error> {
        let mut invocation = self.scripts.register.key(&self.prefix);
        invocation.arg(who.as_str()).arg(u8::from(again));
        let recovered: i64 = self.call("register", &invocation).await?;
        let recovered = u64::try_from(recovered);
        let recovered = recovered.map_err(|_| store::Error::Superseded { who: who.clone() })?;
        Ok(Registered { recovered })
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed, store::Error> {
        let Claim { who, number, free, lanes } = claim;
        self.seen.store(*self.link.signals().work.borrow(), Ordering::Relaxed);
        let mut invocation = self.scripts.claim.key(&self.prefix);
        invocation.arg(who.as_str()).arg(*number).arg((*free).min(Claim::MOST));
        for lane in lanes {
            invocation.arg(lane.index());
        }
        let reply = self.call("claim", &invocation).await?;
        let Some((mut claimed, more)) = wire::claimed(reply, &self.settings)? else {
            return Ok(Claimed::Unknown);
        };
        if more {
            self.link.signals().work.send_modify(|hints| *hints += 1);
        }
        self.complement(&mut claimed).await?;
        Ok(Claimed::Leases(claimed.into_iter().map(|job| job.lease).collect()))
    }

    async fn progress(&self, steps: &[Step]) -> Result<Vec<Settled>, store::Error> {
        let mut settled = Vec::with_capacity(steps.len());
        for chunk in steps.chunks(CHUNK) {
            let mut invocation = self.scripts.progress.key(&self.prefix);
            invocation.arg(chunk.len());
            for Step { held: Held { id, token }, index, report } in chunk {
                invocation.arg(id.as_str()).arg(token.as_str()).arg(*index).arg(report.as_ref());
            }
            let codes = self.call("progress", &invocation).await?;
            settled.extend(wire::settled(codes));
        }
        Ok(settled)
    }

    async fn complete(&self, completions: &[Completion]) -> Result<Vec<Settled>, store::Error> {
        check_results(&self.settings, completions)?;
        self.complete_with(completions, fastrand::u32(0..=1000)).await
    }

    async fn heartbeat(&self, who: &Incarnation, held: &[Held]) -> Result<Beat, store::Error> {
        let mut invocation = self.scripts.heartbeat.key(&self.prefix);
        invocation.arg(who.as_str()).arg(held.len());
        for Held { id, token } in held {
            invocation.arg(id.as_str()).arg(token.as_str());
        }
        let codes: Vec<u8> = self.call("heartbeat", &invocation).await?;
        let verdict = |code: &u8| match code {
            0 => Verdict::Keep,
            1 => Verdict::Revoked,
            _ => Verdict::Cancelled,
        };
        Ok(match codes.split_first() {
            Some((1, verdicts)) => Beat::Known(verdicts.iter().map(verdict).collect()),
            _ => Beat::Unknown,
        })
    }

    async fn reap(&self, gone: Option<&Incarnation>) -> Result<u64, store::Error> {
        let mut invocation = self.scripts.reap.key(&self.prefix);
        invocation.arg(gone.map_or("", Incarnation::as_str));
        let (reaped, audit): (u64, u8) = self.call("reap", &invocation).await?;
        if audit == 1 {
            audit::run_if_due(self).await?;
        }
        Ok(reaped)
    }

    async fn cancel(&self, target: &Target) -> Result<Cancelled, store::Error> {
        let ids = match target {
            Target::Job(id) => vec![id.as_str().to_owned()],
            Target::Batch(id) => {
                let mut pipe = redis::pipe();
                pipe.cmd("LRANGE").arg(self.key(&format!("bj:{id}"))).arg(0).arg(-1);
                let (ids,): (Vec<String>,) = self.pipe("batch", &pipe).await?;
                ids
            }
        };
        Ok(self.cancel_ids(&ids).await?)
    }

    async fn release(&self, who: &Incarnation) -> Result<u64, store::Error> {
        let mut invocation = self.scripts.release.key(&self.prefix);
        Ok(self.call("release", invocation.arg(who.as_str())).await?)
    }

    async fn audit(&self) -> Result<Audit, store::Error> {
        audit::run(self).await
    }

    async fn set_account(&self, tenant: &Tenant, account: Account) -> Result<(), store::Error> {
        let Account { weight, depth, running } = account;
        let key = self.key(&format!("n:{tenant}"));
        let mut pipe = redis::pipe();
        pipe.atomic().cmd("HSET").arg(&key).arg("w").arg(weight.max(1)).ignore();
        for (field, limit) in [("mq", depth), ("mf", running)] {
            match limit {
                Limit::Default => pipe.cmd("HDEL").arg(&key).arg(field).ignore(),
                Limit::At(n) => pipe.cmd("HSET").arg(&key).arg(field).arg(n).ignore(),
            };
        }
        Ok(self.pipe("account", &pipe).await?)
    }

    async fn job(&self, id: &JobId) -> Result<Option<JobView>, store::Error> {
        let mut pipe = redis::pipe();
        let fields = ["s", "l", "t", "a", "lo", "r", "w", "nt", "ra"];
        pipe.cmd("HMGET").arg(self.key(&format!("j:{id}"))).arg(&fields);
        pipe.cmd("HGETALL").arg(self.key(&format!("x:{id}")));
        let (mut fields, steps): (Vec<Option<Vec<u8>>>, _) = self.pipe("job", &pipe).await?;
        let apart = fields.pop().flatten();
        if let Some(token) = apart {
            let token = String::from_utf8_lossy(&token);
            let mut pipe = redis::pipe();
            pipe.cmd("GET").arg(self.key(&format!("o:{id}:{token}")));
            let (result,): (Option<Vec<u8>>,) = self.pipe("result", &pipe).await?;
            // Expired between the two, or thrown away by a server that evicts keys.
            let Some(result) = result else { return Ok(None) };
            fields[5] = Some(result);
        }
        wire::job_view(fields, steps)
    }

    async fn batch(&self, id: &BatchId) -> Result<Option<BatchView>, store::Error> {
        let mut pipe = redis::pipe();
        pipe.cmd("HMGET").arg(self.key(&format!("b:{id}"))).arg(&["n", "d", "f"]);
        type Numbers = (Option<u32>, Option<u32>, Option<u32>);
        let ((total, finished, failed),): (Numbers,) = self.pipe("batch", &pipe).await?;
        Ok(total.map(|total| BatchView {
            total,
            finished: finished.unwrap_or(0),
            failed: failed.unwrap_or(0),
        }))
    }

    async fn events(&self, after: &Cursor, most: usize) -> Result<Vec<Entry>, store::Error> {
        self.heard.store(*self.link.signals().news.borrow(), Ordering::Relaxed);
        let mut pipe = redis::pipe();
        let from = if after.0 == "0" { "-".to_owned() } else { format!("({after}") };
        pipe.cmd("XRANGE").arg(self.key("ev")).arg(from).arg("+").arg("COUNT").arg(most);
        type Fields = Vec<(String, Vec<u8>)>;
        let (entries,): (Vec<(String, Fields)>,) = self.pipe("events", &pipe).await?;
        let entry = |(id, fields)| Ok(Entry { cursor: Cursor(id), events: wire::events(fields)? });
        entries.into_iter().map(entry).collect()
    }

    async fn dead_letters(&self, most: usize) -> Result<Vec<Dead>, store::Error> {
        if most == 0 {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        pipe.cmd("ZRANGE").arg(self.key("dl")).arg(0).arg(most - 1).arg("REV").arg("WITHSCORES");
        let (letters,): (Vec<(String, f64)>,) = self.pipe("dead letters", &pipe).await?;
        let snapshot: Vec<i64> =
            self.call("snapshot", &self.scripts.snapshot.key(&self.prefix)).await?;
        let now = snapshot.last().copied().unwrap_or(0);
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds, far below 2^53")]
        let age = |at: f64| Duration::from_millis(u64::try_from(now - at as i64).unwrap_or(0));
        let letters = letters.into_iter();
        Ok(letters.map(|(id, at)| Dead { id: JobId::internal(&id), age: age(at) }).collect())
    }

    async fn revive(&self, id: &JobId) -> Result<bool, store::Error> {
        let mut invocation = self.scripts.revive.key(&self.prefix);
        Ok(self.call("revive", invocation.arg(id.as_str())).await?)
    }

    async fn listed(
        &self,
        tenant: &Tenant,
        skip: usize,
        most: usize,
    ) -> Result<Listed, store::Error> {
        let listed = self.key(&format!("i:{tenant}"));
        let mut pipe = redis::pipe();
        pipe.cmd("ZRANGE").arg(&listed).arg(0).arg(-1).arg("REV");
        let (mut ids,): (Vec<String>,) = self.pipe("listed", &pipe).await?;
        // In steps: a script that looked at all of them would hold up everybody.
        let mut gone = Vec::new();
        for ids in ids.chunks(EXISTS) {
            let mut pipe = redis::pipe();
            for id in ids {
                pipe.cmd("EXISTS").arg(self.key(&format!("j:{id}")));
            }
            let there: Vec<bool> = self.pipe("listed", &pipe).await?;
            gone.extend(
                ids.iter().zip(there).filter(|(_, there)| !there).map(|(id, _)| id.clone()),
            );
        }
        if !gone.is_empty() {
            let mut pipe = redis::pipe();
            pipe.cmd("ZREM").arg(&listed).arg(&gone).ignore();
            let () = self.pipe("listed", &pipe).await?;
            let gone: HashSet<String> = gone.into_iter().collect();
            ids.retain(|id| !gone.contains(id));
        }
        let total = ids.len() as u64;
        let ids = ids.iter().skip(skip).take(most).map(|id| JobId::internal(id)).collect();
        Ok(Listed { ids, total })
    }

    async fn counted(&self, tenant: &Tenant, groups: &[Label]) -> Result<Counted, store::Error> {
        let mut pipe = redis::pipe();
        pipe.cmd("HGETALL").arg(self.key(&format!("ic:{tenant}")));
        for group in groups {
            pipe.cmd("GET").arg(self.key(&format!("ig:{tenant}:{group}")));
        }
        let mut replies: Vec<redis::Value> = self.pipe("counted", &pipe).await?;
        let odd = |source: redis::ParsingError| Error::command("counted", source.into());
        let rest = replies.split_off(replies.len().min(1));
        let labels = replies.pop().unwrap_or(redis::Value::Nil);
        let labels: Vec<(String, u64)> = redis::from_redis_value(labels).map_err(odd)?;
        let read = |(label, count)| Ok((Label::new(label).map_err(store::Error::Name)?, count));
        let labels = labels.into_iter().map(read).collect::<Result<_, store::Error>>()?;
        let count = |reply| redis::from_redis_value::<Option<u64>>(reply).map_err(odd);
        let groups = rest.into_iter().map(|reply| Ok(count(reply)?.unwrap_or(0)));
        Ok(Counted { labels, groups: groups.collect::<Result<_, Error>>()? })
    }

    async fn forget(&self, id: &JobId) -> Result<bool, store::Error> {
        let mut invocation = self.scripts.forget.key(&self.prefix);
        Ok(self.call("forget", invocation.arg(id.as_str())).await?)
    }

    async fn tallies(&self) -> Result<BTreeMap<Label, u64>, store::Error> {
        let invocation = self.scripts.tallies.key(&self.prefix);
        let counts: Vec<(String, u64)> = self.call("tallies", &invocation).await?;
        let mut sums = BTreeMap::new();
        for (label, count) in counts {
            *sums.entry(Label::new(label).map_err(store::Error::Name)?).or_default() += count;
        }
        Ok(sums)
    }

    async fn snapshot(&self) -> Result<Snapshot, store::Error> {
        let invocation = self.scripts.snapshot.key(&self.prefix);
        let numbers: Vec<i64> = self.call("snapshot", &invocation).await?;
        wire::snapshot(&numbers)
    }

    async fn announce(&self, who: &Incarnation, about: &Bytes) -> Result<(), store::Error> {
        let mut invocation = self.scripts.announce.key(&self.prefix);
        invocation.arg(who.as_str()).arg(about.as_ref());
        Ok(self.call("announce", &invocation).await?)
    }

    async fn workers(&self, most: usize) -> Result<Vec<Worker>, store::Error> {
        if most == 0 {
            return Ok(Vec::new());
        }
        let mut invocation = self.scripts.workers.key(&self.prefix);
        let reply: Vec<Vec<u8>> = self.call("workers", invocation.arg(most)).await?;
        wire::workers(reply)
    }

    async fn wait_for_work(&self) {
        let seen = self.seen.load(Ordering::Relaxed);
        let mut work = self.link.signals().work.subscribe();
        let poll = POLL.mul_f64(0.5 + fastrand::f64() / 2.0);
        tokio::select! {
            // Since the last claim, not since now: nothing enqueued in between is missed.
            _ = work.wait_for(|hints| *hints != seen) => {}
            () = tokio::time::sleep(poll) => {}
        }
    }

    async fn wait_for_events(&self, _after: &Cursor) {
        let heard = self.heard.load(Ordering::Relaxed);
        let mut news = self.link.signals().news.subscribe();
        if self.link.signals().want_news() {
            // From the next connection on it comes by itself; until then and when this fails, the
            // poll does.
            drop(self.subscribe_to_news().await);
        }
        let poll = POLL.mul_f64(0.5 + fastrand::f64() / 2.0);
        tokio::select! {
            _ = news.wait_for(|hints| *hints != heard) => {}
            () = tokio::time::sleep(poll) => {}
        }
    }

    async fn wait_for_nudge(&self, who: &Incarnation) {
        let mut nudges = self.link.signals().nudges.subscribe();
        loop {
            match nudges.recv().await {
                Ok(nudged) if *nudged == *who.as_str() => return,
                Ok(_) => {}
                // Too many at once: one of them may have been ours.
                Err(RecvError::Lagged(_)) => return,
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}
