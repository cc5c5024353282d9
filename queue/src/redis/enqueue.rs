//! Adding jobs: large payloads first and outside of the script, then chunks, each in one piece.

use std::collections::BTreeMap;

use super::{Error, ORPHAN_SECONDS, RedisStore, wire};
use crate::id::JobId;
use crate::job::{Batch, Job};
use crate::memory::RETRY_AFTER;
use crate::settings::millis;
use crate::store::{Enqueued, Full, Reached};

/// Payloads above this are not carried by the script: it costs 85 µs to add one of 20 KB inside.
const INLINE: usize = 4096;
/// The most that one script adds: it holds up everybody while it runs.
const CHUNK_JOBS: usize = 100;
const CHUNK_BYTES: usize = 1 << 20;

pub(super) async fn run(store: &RedisStore, jobs: &[Job]) -> Result<Enqueued, Error> {
    let (mut added, mut duplicates) = (0, Vec::new());
    for (n, chunk) in chunks(jobs).into_iter().enumerate() {
        // Limits are for the whole call, and looked at once.
        let whole = if n == 0 { jobs } else { &[] };
        match one(store, whole, chunk).await? {
            Enqueued::Accepted { added: more, duplicates: others } => {
                added += more;
                duplicates.extend(others);
            }
            full @ Enqueued::Full(_) => return Ok(full),
        }
    }
    Ok(Enqueued::Accepted { added, duplicates })
}

fn chunks(jobs: &[Job]) -> Vec<&[Job]> {
    let (mut chunks, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (at, job) in jobs.iter().enumerate() {
        let size = job.payload.len() + 256;
        if at > start && (at - start == CHUNK_JOBS || bytes + size > CHUNK_BYTES) {
            chunks.push(&jobs[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += size;
    }
    if start < jobs.len() {
        chunks.push(&jobs[start..]);
    }
    chunks
}

async fn one(store: &RedisStore, whole: &[Job], chunk: &[Job]) -> Result<Enqueued, Error> {
    // A payload that was written long before its job is gone again: once more.
    for _ in 0..3 {
        put_payloads(store, chunk).await?;
        let reply: redis::Value = store.call("enqueue", &invocation(store, whole, chunk)).await?;
        if let Some(answer) = answer(reply)? {
            return Ok(answer);
        }
    }
    Err(wire::odd("enqueue"))
}

async fn put_payloads(store: &RedisStore, chunk: &[Job]) -> Result<(), Error> {
    let mut pipe = redis::pipe();
    for Job { id, payload, .. } in chunk.iter().filter(|job| job.payload.len() > INLINE) {
        // Never over the payload of a job that is there already.
        let key = store.key(&format!("p:{id}"));
        pipe.cmd("SET").arg(key).arg(payload.as_ref()).arg("EX").arg(ORPHAN_SECONDS).arg("NX");
    }
    if pipe.is_empty() {
        return Ok(());
    }
    // The error of a whole pipeline would not tell its code.
    let replies: Vec<redis::Value> = store.pipe("payload", pipe.ignore_errors()).await?;
    let refused = replies.into_iter().find_map(|reply| match reply {
        redis::Value::ServerError(error) => Some(error),
        _ => None,
    });
    refused.map_or(Ok(()), |error| Err(Error::command("payload", error.into())))
}

fn invocation<'a>(
    store: &'a RedisStore,
    whole: &[Job],
    chunk: &[Job],
) -> redis::ScriptInvocation<'a> {
    let mut invocation = store.scripts.enqueue.key(&store.prefix);
    let mut tenants: BTreeMap<&str, u64> = BTreeMap::new();
    for job in whole {
        *tenants.entry(job.tenant.as_str()).or_default() += 1;
    }
    invocation.arg(whole.len()).arg(tenants.len());
    for (tenant, jobs) in tenants {
        invocation.arg(tenant).arg(jobs);
    }
    invocation.arg(chunk.len());
    for job in chunk {
        let Job { id, payload, tenant, lane, cost, deadline, batch, webhook, note, listing, keyed } =
            job;
        let apart = payload.len() > INLINE;
        let inline: &[u8] = if apart { &[] } else { payload };
        let deadline = deadline.map_or(0, |deadline| millis(deadline).max(1));
        invocation.arg(id.as_str()).arg(tenant.as_str()).arg(lane.index());
        invocation.arg(millis(*cost).max(1)).arg(deadline).arg(u8::from(*keyed));
        invocation.arg(u8::from(apart)).arg(inline).arg(given(webhook.as_deref()));
        match batch {
            Some(Batch { id, total, webhook }) => {
                invocation.arg(id.as_str()).arg(*total).arg(given(webhook.as_deref()));
            }
            None => {
                invocation.arg("").arg("").arg("");
            }
        }
        invocation.arg(given(note.as_deref()));
        let listing = listing.as_ref().map(|l| (l.group.as_str(), l.label.as_str()));
        let (group, label) = listing.unwrap_or_default();
        invocation.arg(group).arg(label);
    }
    invocation
}

/// Empty when there is nothing; else a mark and the bytes, which may be none.
fn given(bytes: Option<&[u8]>) -> Vec<u8> {
    bytes.map(|bytes| [b"+", bytes].concat()).unwrap_or_default()
}

/// `None`: a large payload is not there.
fn answer(reply: redis::Value) -> Result<Option<Enqueued>, Error> {
    let odd = || wire::odd("enqueue");
    let redis::Value::Array(parts) = reply else { return Err(odd()) };
    let Ok([code, number, rest]) = <[redis::Value; 3]>::try_from(parts) else { return Err(odd()) };
    let code: u8 = redis::from_redis_value(code).map_err(|_| odd())?;
    let number: u64 = redis::from_redis_value(number).map_err(|_| odd())?;
    match code {
        0 => {
            let tenant: String = redis::from_redis_value(rest).map_err(|_| odd())?;
            let limit = match tenant.as_str() {
                "" => Reached::Queue,
                name => Reached::Tenant(crate::id::Tenant::new(name).map_err(|_| odd())?),
            };
            Ok(Some(Enqueued::Full(Full { limit, depth: number, retry_after: RETRY_AFTER })))
        }
        3 => {
            let (limit, retry_after) = (Reached::Webhooks, RETRY_AFTER);
            Ok(Some(Enqueued::Full(Full { limit, depth: number, retry_after })))
        }
        1 => {
            let ids: Vec<String> = redis::from_redis_value(rest).map_err(|_| odd())?;
            let duplicates = ids.iter().map(|id| JobId::internal(id)).collect();
            let added = usize::try_from(number).map_err(|_| odd())?;
            Ok(Some(Enqueued::Accepted { added, duplicates }))
        }
        _ => Ok(None),
    }
}
