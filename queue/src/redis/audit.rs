//! The audit: reads everything in pieces while the queue goes on, and has a script look again, in
//! one piece with the repair, at whatever does not agree.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, RedisResult, pipe};

use super::{Error, RedisStore};
use crate::job::Lane;
use crate::settings::millis;
use crate::store;
use crate::view::Audit;

/// Keys that one step reads.
const STEP: usize = 500;
/// Ids that one repair looks at.
const MENDS: usize = 100;
/// How long an auditor that is not heard of keeps others from auditing. A step takes milliseconds.
const TURN: Duration = Duration::from_secs(5);
/// Counters that only grow: while none does, nothing happens.
const GROWING: [&str; 10] = ["in", "cl", "f", "x", "c", "re", "ba", "ex", "fo", "au"];

/// A job as it was read.
#[derive(Debug)]
struct Seen {
    id: String,
    state: String,
    token: String,
    lane: String,
    tenant: String,
    lost: u32,
    cost: u64,
    expires: bool,
}

/// What is counted on the way.
#[derive(Debug, Default)]
struct Count {
    counters: BTreeMap<String, u64>,
    tenants: HashMap<String, (u64, u64)>,
}

/// Audits when it is due and nobody else does. One is enough, and a fleet that starts all at once
/// after the server would otherwise read everything as many times as it has members, which keeps
/// the server from its work for longer than many of them wait.
pub(super) async fn run_if_due(store: &RedisStore) -> Result<Option<Audit>, store::Error> {
    let mut due = pipe();
    due.cmd("HEXISTS").arg(store.key("m")).arg("audit");
    let (due,): (bool,) = store.pipe("audit", &due).await?;
    if !due {
        return Ok(None);
    }
    let mut turn = pipe();
    let turn = turn.cmd("SET").arg(store.key("at")).arg("1").arg("NX");
    let (ours,): (bool,) = store.pipe("audit", turn.arg("PX").arg(millis(TURN))).await?;
    if ours { run(store).await.map(Some) } else { Ok(None) }
}

pub(super) async fn run(store: &RedisStore) -> Result<Audit, store::Error> {
    let live = store.live().await?;
    let mut connection = live.connection();
    let audit = audit(store, &mut connection).await;
    Ok(audit.map_err(|source| Error::command("audit", source))?)
}

async fn audit(store: &RedisStore, connection: &mut MultiplexedConnection) -> RedisResult<Audit> {
    let prefix = store.prefix.as_str();
    let before: Vec<Option<String>> =
        redis::cmd("HMGET").arg(format!("{prefix}c")).arg(&GROWING).query_async(connection).await?;
    let (mut cursor, mut jobs, mut repairs) = (0_u64, 0, 0);
    let mut count = Count::default();
    let mut lists: HashMap<String, HashSet<String>> = HashMap::new();
    // SCAN may show a key twice.
    let mut known = HashSet::new();
    loop {
        let mut step = pipe();
        step.cmd("SCAN").arg(cursor).arg("MATCH").arg(format!("{prefix}j:*"));
        step.arg("COUNT").arg(STEP);
        step.cmd("PEXPIRE").arg(format!("{prefix}at")).arg(millis(TURN)).ignore();
        let ((next, keys),): ((u64, Vec<String>),) = step.query_async(connection).await?;
        let strip = |key: &String| key.strip_prefix(prefix)?.strip_prefix("j:").map(str::to_owned);
        let mut ids: Vec<String> = keys.iter().filter_map(strip).collect();
        ids.retain(|id| known.insert(id.clone()));
        let seen = read(prefix, &ids, connection).await?;
        jobs += seen.len() as u64;
        let odd = misplaced(prefix, &seen, &mut lists, connection).await?;
        seen.iter().for_each(|job| count.add(job));
        for ids in odd.chunks(MENDS) {
            let mut invocation = store.scripts.mend.key(prefix);
            for id in ids {
                invocation.arg(id.as_str());
            }
            let mended: u64 = invocation.invoke_async(connection).await?;
            repairs += mended;
        }
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    let mut counted = false;
    if repairs == 0 {
        let (wrong, compared) = recount(store, &before, &count, connection).await?;
        repairs += wrong;
        counted = compared;
    }
    let mut end = pipe();
    end.cmd("HDEL").arg(format!("{prefix}m")).arg("audit").ignore();
    end.cmd("DEL").arg(format!("{prefix}at")).ignore();
    let () = end.query_async(connection).await?;
    Ok(Audit { jobs, repairs, counted })
}

async fn read(
    prefix: &str,
    ids: &[String],
    connection: &mut MultiplexedConnection,
) -> RedisResult<Vec<Seen>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut pipe = pipe();
    for id in ids {
        let key = format!("{prefix}j:{id}");
        pipe.cmd("HMGET").arg(&key).arg(&["s", "o", "l", "t", "lo", "c"]);
        pipe.cmd("PTTL").arg(&key);
    }
    let replies: Vec<redis::Value> = pipe.query_async(connection).await?;
    let mut seen = Vec::with_capacity(ids.len());
    for (id, reply) in ids.iter().zip(replies.chunks(2)) {
        let [fields, ttl] = reply else { continue };
        let fields = Vec::<Option<String>>::from_redis_value(fields.clone())?;
        let ttl = i64::from_redis_value(ttl.clone())?;
        let mut fields = fields.into_iter().map(Option::unwrap_or_default);
        let mut field = || fields.next().unwrap_or_default();
        // -2: it expired between the two.
        if ttl != -2 {
            seen.push(Seen {
                id: id.clone(),
                state: field(),
                token: field(),
                lane: field(),
                tenant: field(),
                lost: field().parse().unwrap_or(0),
                cost: field().parse().unwrap_or(0),
                expires: ttl >= 0,
            });
        }
    }
    Ok(seen)
}

/// Jobs that are not in the place of their state, as far as one can tell while others work.
async fn misplaced(
    prefix: &str,
    seen: &[Seen],
    lists: &mut HashMap<String, HashSet<String>>,
    connection: &mut MultiplexedConnection,
) -> RedisResult<Vec<String>> {
    let mut odd = Vec::new();
    let mut asked = Vec::new();
    let mut pipe = pipe();
    for job in seen {
        let Seen { id, state, token, lane, tenant, lost, cost: _, expires } = job;
        match state.as_str() {
            "q" => {
                let list = match lost {
                    0 => format!("{prefix}t:{lane}:{tenant}"),
                    _ => format!("{prefix}s:{lane}"),
                };
                // The list is read after the job: what is queued is in it, or has left since.
                if !lists.contains_key(&list) {
                    lists.insert(list.clone(), members(&list, connection).await?);
                }
                if !lists[&list].contains(id) {
                    odd.push(id.clone());
                } else if *lost == 0 {
                    pipe.cmd("ZSCORE").arg(format!("{prefix}r:{lane}")).arg(tenant);
                    asked.push(id.clone());
                }
            }
            "l" => {
                let who = token.rsplit_once('#').map_or("", |(who, _)| who);
                pipe.cmd("HGET").arg(format!("{prefix}w:{who}")).arg(id);
                pipe.cmd("ZSCORE").arg(format!("{prefix}wl")).arg(who);
                asked.extend([id.clone(), id.clone()]);
            }
            "d" => {
                pipe.cmd("ZSCORE").arg(format!("{prefix}d")).arg(id);
                asked.push(id.clone());
            }
            "f" | "x" | "c" if *expires => {}
            _ => odd.push(id.clone()),
        }
    }
    if !asked.is_empty() {
        let there: Vec<redis::Value> = pipe.query_async(connection).await?;
        let missing = asked.into_iter().zip(there).filter(|(_, v)| matches!(v, redis::Value::Nil));
        odd.extend(missing.map(|(id, _)| id));
        odd.dedup();
    }
    Ok(odd)
}

async fn members(
    list: &str,
    connection: &mut MultiplexedConnection,
) -> RedisResult<HashSet<String>> {
    let (mut members, mut start) = (HashSet::new(), 0);
    loop {
        let end = start + STEP - 1;
        let part: Vec<String> =
            redis::cmd("LRANGE").arg(list).arg(start).arg(end).query_async(connection).await?;
        let last = part.len() < STEP;
        members.extend(part);
        if last {
            return Ok(members);
        }
        start += STEP;
    }
}

async fn recount(
    store: &RedisStore,
    before: &[Option<String>],
    count: &Count,
    connection: &mut MultiplexedConnection,
) -> RedisResult<(u64, bool)> {
    let mut invocation = store.scripts.recount.key(store.prefix.as_str());
    invocation.arg(GROWING.len());
    for (name, value) in GROWING.iter().zip(before) {
        invocation.arg(*name).arg(value.as_deref().unwrap_or("0"));
    }
    let fields: Vec<String> = ["q", "k"]
        .iter()
        .flat_map(|kind| (0..4).map(move |lane| format!("{kind}{lane}")))
        .chain(["l", "d", "d3"].map(str::to_owned))
        .collect();
    invocation.arg(fields.len());
    for name in fields {
        let value = count.counters.get(&name).copied().unwrap_or(0);
        invocation.arg(name).arg(value);
    }
    invocation.arg(count.tenants.len());
    for (tenant, (waiting, running)) in &count.tenants {
        invocation.arg(tenant).arg(*waiting).arg(*running);
    }
    let (wrong, compared): (u64, u8) = invocation.invoke_async(connection).await?;
    Ok((wrong, compared == 1))
}

impl Count {
    fn add(&mut self, job: &Seen) {
        let mut counter = |name: String, by: u64| *self.counters.entry(name).or_default() += by;
        let tenant = self.tenants.entry(job.tenant.clone()).or_default();
        // Errands are nobody's: no tenant's limits apply to them.
        let theirs = u64::from(job.lane != Lane::Internal.index().to_string());
        match job.state.as_str() {
            "q" => {
                counter(format!("q{}", job.lane), 1);
                counter(format!("k{}", job.lane), job.cost);
                tenant.0 += theirs;
            }
            "d" => {
                counter("d".to_owned(), 1);
                counter("d3".to_owned(), 1 - theirs);
                tenant.0 += theirs;
            }
            "l" => {
                counter("l".to_owned(), 1);
                tenant.1 += theirs;
            }
            _ => {}
        }
    }
}
