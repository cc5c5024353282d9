//! Between the scripts' replies and our types.

use std::time::Duration;

use bytes::Bytes;
use redis::Value;

use super::Error;
use crate::id::{BatchId, Incarnation, JobId, Tenant, Token};
use crate::job::{Lane, Lease, Subject};
use crate::settings::Settings;
use crate::store::{Error as StoreError, Settled};
use crate::transition::Why;
use crate::view::{Event, JobView, LaneSnapshot, Snapshot, Stage, Totals, Worker};

/// One job of a claim's reply.
pub(super) struct Claimed {
    pub(super) lease: Lease,
    /// Its payload lies in a key of its own.
    pub(super) elsewhere: bool,
    /// An attempt before has reported steps.
    pub(super) has_steps: bool,
}

/// The reply of claim.lua: jobs, and whether another claim may find some; `None`: the incarnation
/// is unknown.
pub(super) fn claimed(
    reply: Value,
    settings: &Settings,
) -> Result<Option<(Vec<Claimed>, bool)>, StoreError> {
    let items = match reply {
        Value::Array(items) => items,
        Value::Int(_) => return Ok(None),
        _ => return Err(odd("claim").into()),
    };
    let mut items = items.into_iter();
    let mut head = || items.next().map(bulk).ok_or_else(|| odd("claim"));
    let (now, more) = (number(&head()?), number(&head()?) == 1);
    let jobs = items.map(|item| claimed_one(item, now, settings)).collect::<Result<_, _>>()?;
    Ok(Some((jobs, more)))
}

fn claimed_one(item: Value, now: u64, settings: &Settings) -> Result<Claimed, StoreError> {
    let Value::Array(fields) = item else { return Err(odd("claim").into()) };
    let fields: Vec<Vec<u8>> = fields.into_iter().map(bulk).collect();
    let Ok(
        [id, token, attempt, lost, payload, big, tenant, lane, enqueued, deadline, steps, about],
    ) = <[Vec<u8>; 12]>::try_from(fields)
    else {
        return Err(odd("claim").into());
    };
    let lane = lane_of(&lane)?;
    let deadline = (!deadline.is_empty()).then(|| Duration::from_millis(number(&deadline)));
    let lease = Lease {
        id: JobId::internal(&string(id)),
        token: Token::read(string(token)),
        attempt: small(&attempt),
        attempts: settings.rules(lane).attempts,
        lost: small(&lost),
        payload: payload.into(),
        tenant: Tenant::new(string(tenant)).map_err(StoreError::Name)?,
        lane,
        waited: Duration::from_millis(now.saturating_sub(number(&enqueued))),
        deadline,
        steps: Vec::new(),
        about: subject(&about)?,
    };
    Ok(Claimed { lease, elsewhere: !big.is_empty(), has_steps: !steps.is_empty() })
}

fn subject(about: &[u8]) -> Result<Option<Subject>, StoreError> {
    let name = |rest: &[u8]| String::from_utf8_lossy(rest).into_owned();
    match about.split_first() {
        None => Ok(None),
        Some((b'j', rest)) => Ok(Some(Subject::Job(JobId::internal(&name(rest))))),
        Some((_, rest)) => {
            Ok(Some(Subject::Batch(BatchId::new(name(rest)).map_err(StoreError::Name)?)))
        }
    }
}

pub(super) fn settled(codes: Vec<u8>) -> Vec<Settled> {
    let settled = |code| match code {
        1 => Settled::Ok,
        2 => Settled::Dup,
        _ => Settled::Stale,
    };
    codes.into_iter().map(settled).collect()
}

/// Fields `s l t a lo r w nt` of a job and its steps.
pub(super) fn job_view(
    fields: Vec<Option<Vec<u8>>>,
    steps: Vec<(u32, Vec<u8>)>,
) -> Result<Option<JobView>, StoreError> {
    let Ok([Some(state), Some(lane), Some(tenant), attempts, lost, result, why, note]) =
        <[Option<Vec<u8>>; 8]>::try_from(fields)
    else {
        return Ok(None);
    };
    let stage = match state.as_slice() {
        b"q" => Stage::Queued,
        b"l" => Stage::Running,
        b"d" => Stage::Delayed,
        b"f" => Stage::Finished(result.unwrap_or_default().into()),
        b"c" => Stage::Cancelled,
        _ => {
            let why = why.map(string).and_then(|why| Why::parse(&why));
            Stage::Dead(why.ok_or_else(|| odd("job"))?)
        }
    };
    let mut steps: Vec<(u32, Bytes)> =
        steps.into_iter().map(|(index, report)| (index, report.into())).collect();
    steps.sort_by_key(|(index, _)| *index);
    Ok(Some(JobView {
        tenant: Tenant::new(string(tenant)).map_err(StoreError::Name)?,
        lane: lane_of(&lane)?,
        stage,
        attempts: attempts.map_or(0, |n| small(&n)),
        lost: lost.map_or(0, |n| small(&n)),
        steps,
        note: note.map(Bytes::from),
    }))
}

/// The fields of one entry of the event log.
pub(super) fn events(fields: Vec<(String, Vec<u8>)>) -> Result<Vec<Event>, StoreError> {
    fields.into_iter().map(|(kind, value)| event(&kind, value)).collect()
}

fn event(kind: &str, value: Vec<u8>) -> Result<Event, StoreError> {
    let id = |value: Vec<u8>| JobId::internal(&string(value));
    Ok(match kind {
        "s" => Event::Started(id(value)),
        "r" => Event::Returned(id(value)),
        "f" => Event::Finished(id(value)),
        "x" => Event::Dead(id(value)),
        "c" => Event::Cancelled(id(value)),
        "b" => Event::BatchDone(BatchId::new(string(value)).map_err(StoreError::Name)?),
        _ => {
            let mut parts = value.splitn(3, |b| *b == b' ');
            let mut part = || parts.next().ok_or_else(|| odd("event"));
            let (name, index, report) = (part()?.to_vec(), small(part()?), part()?.to_vec());
            Event::Step { id: id(name), index, report: report.into() }
        }
    })
}

/// The reply of workers.lua, by name.
pub(super) fn workers(reply: Vec<Vec<u8>>) -> Result<Vec<Worker>, StoreError> {
    let mut parts = reply.into_iter();
    let mut workers = Vec::new();
    while let Some(who) = parts.next() {
        let mut part = || parts.next().ok_or_else(|| odd("workers"));
        let (held, silent, about) = (part()?, part()?, part()?);
        let who = String::from_utf8_lossy(&who);
        let who = Incarnation::parse(&who).map_err(StoreError::Name)?;
        let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<u64>().ok();
        let (Some(held), Some(silent)) = (number(&held), number(&silent)) else {
            return Err(odd("workers").into());
        };
        let silent = Duration::from_millis(silent);
        workers.push(Worker { who, held, silent, about: about.into() });
    }
    workers.sort_by(|a, b| a.who.cmp(&b.who));
    Ok(workers)
}

/// The reply of snapshot.lua.
pub(super) fn snapshot(reply: &[i64]) -> Result<Snapshot, StoreError> {
    let Ok(
        [
            q0,
            q1,
            q2,
            q3,
            k0,
            k1,
            k2,
            k3,
            running,
            delayed,
            enqueued,
            claimed,
            finished,
            dead_total,
            cancelled,
            retried,
            returned,
            expired,
            forgotten,
            stale,
            repairs,
            o0,
            o1,
            o2,
            o3,
            dead,
            workers,
            _now,
        ],
    ) = <[i64; 28]>::try_from(reply)
    else {
        return Err(odd("snapshot").into());
    };
    let n = |n: i64| u64::try_from(n).unwrap_or(0);
    let lane = |depth, backlog, oldest: i64| LaneSnapshot {
        depth: n(depth),
        backlog: Duration::from_millis(n(backlog)),
        oldest: u64::try_from(oldest).ok().map(Duration::from_millis),
    };
    Ok(Snapshot {
        lanes: [lane(q0, k0, o0), lane(q1, k1, o1), lane(q2, k2, o2), lane(q3, k3, o3)],
        running: n(running),
        delayed: n(delayed),
        dead: n(dead),
        workers: n(workers),
        totals: Totals {
            enqueued: n(enqueued),
            claimed: n(claimed),
            finished: n(finished),
            dead: n(dead_total),
            cancelled: n(cancelled),
            retried: n(retried),
            returned: n(returned),
            expired: n(expired),
            forgotten: n(forgotten),
            stale: n(stale),
            repairs: n(repairs),
        },
    })
}

fn lane_of(digit: &[u8]) -> Result<Lane, StoreError> {
    let lane = Lane::ALL.into_iter().find(|lane| lane.index().to_string().as_bytes() == digit);
    lane.ok_or_else(|| odd("lane").into())
}

/// What no script of ours replies.
pub(super) fn odd(what: &'static str) -> Error {
    Error::Reply { what }
}

fn bulk(value: Value) -> Vec<u8> {
    match value {
        Value::BulkString(bytes) => bytes,
        Value::SimpleString(text) => text.into_bytes(),
        Value::Int(n) => n.to_string().into_bytes(),
        _ => Vec::new(),
    }
}

fn string(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

fn number(digits: &[u8]) -> u64 {
    std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn small(digits: &[u8]) -> u32 {
    number(digits).try_into().unwrap_or(u32::MAX)
}
