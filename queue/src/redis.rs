//! The store on Redis, for fleets: Lua scripts over lists, sorted sets and hashes under one hash
//! tag, so that one queue is one slot.
//!
//! Needs Redis 7.0 or Valkey. What is answered is as safe as the server's settings make it, see
//! [`Server::loss`]: with `appendonly yes` and `appendfsync always` a power cut loses nothing, and that
//! with `maxmemory-policy noeviction` is how a queue's server should be set.
//!
//! | key (after `jq:{NAME}:`) | type | content |
//! |---|---|---|
//! | `j:ID` | hash | a job: `s` state `q l d f x c`, `o` token, `a` attempts, `lo` lost, `t` tenant, `l` lane, `c` cost, `e` enqueued, `p` payload or `g` when it lies apart, `r` result, … |
//! | `p:ID` | string | a payload above 4 KiB, written and read outside of scripts |
//! | `x:ID` | hash | partial results |
//! | `t:LANE:TENANT`, `s:LANE` | list | waiting ids; suspects |
//! | `r:LANE` | sorted set | tenants with work by virtual time; `pk` those at their cap |
//! | `vt`, `lv` | hash | virtual times of tenants outside the ring and of lanes; strides |
//! | `n:TENANT` | hash | `w mq mf` what it may, `q f` how many wait and run |
//! | `w:INCARNATION` | hash | what it holds: id → since, deadline, token; `su` its suspect |
//! | `wl`, `pl` | sorted set, hash | incarnation → until when it is alive; place → incarnation |
//! | `d`, `dl` | sorted set | delayed ids by due time; dead letters by time |
//! | `b:BATCH`, `bj:BATCH` | hash, list | a batch's numbers; its ids |
//! | `c`, `m` | hash | counters; layout, run id of the server, clock |
//! | `o:ID:TOKEN` | string | a result above 64 KiB, written outside of scripts; its job's `ra` is the token |
//! | `ol`, `os` | sorted set, string | those by when they expire; what they take together |
//! | `i:TENANT`, `is` | sorted set, string | listed ids in the order in which they were added; the last number |
//! | `ic:TENANT`, `ig:TENANT:GROUP` | hash, string | how many were listed, by label and by group |
//! | `y:STEP` | hash | jobs that ended with a result in five minutes, by label |
//! | `at` | string | somebody audits; it expires |
//! | `ev` | stream | the event log |
//! | `wake`, `news` | channel | hints: to workers, and that the event log has grown |

use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, Pipeline, RedisError, ScriptInvocation};

use crate::id::Label;
use crate::job::{Completion, Held, Outcome};
use crate::settings::{Settings, millis};
use crate::store::{self, Cancelled, Settled};

mod address;
mod audit;
#[cfg(test)]
mod differential;
mod enqueue;
mod link;
mod operations;
mod scripts;
mod server;
#[cfg(test)]
#[path = "../tests/server/mod.rs"]
mod test_server;
#[cfg(test)]
mod trial;
mod wire;

use address::Address;
use link::{Link, Live};
use scripts::{SERVER_CLOCK, Scripts};
pub use server::{Danger, Loss, Server};

/// The layout of keys that this version writes. It grows when an older version would misread it.
///
/// 2: webhooks are in no count of a tenant, and a result may lie apart.
const LAYOUT: u32 = 2;
/// Jobs that one script ends, reports on or cancels.
const CHUNK: usize = 100;
/// How long a large payload or result waits for the script that makes it stay.
const ORPHAN_SECONDS: u64 = 600;
/// How long a worker that waits for a hint waits at most; half of it at least.
const POLL: Duration = Duration::from_millis(500);

/// Why Redis gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address is none.
    #[error("not an address of a Redis server")]
    Url {
        /// What is wrong with it.
        #[source]
        source: RedisError,
    },
    /// The address of Sentinels is none.
    #[error("not an address of Sentinels: redis+sentinel://host[:port][,host…]/master[/db]")]
    SentinelUrl,
    /// The name of the queue is none.
    #[error("a queue's name is 1 to 64 of a-z, A-Z, 0-9, - and _: {name:?}")]
    QueueName {
        /// What was given.
        name: String,
    },
    /// No connection.
    #[error("cannot connect to Redis")]
    Connect(#[source] RedisError),
    /// Neither connection nor error.
    #[error("no answer from Redis within {after:?}")]
    Silent {
        /// How long was waited.
        after: Duration,
    },
    /// The server refuses who we are.
    #[error("Redis refuses the user or password")]
    Login(#[source] RedisError),
    /// The server lacks something that is needed.
    #[error("{found} is too old: Redis 7.0 or Valkey is needed")]
    TooOld {
        /// What it is.
        found: String,
    },
    /// The server is still reading its data.
    #[error("this Redis is still loading its data")]
    Loading,
    /// The server is a copy of another one.
    #[error("this Redis is a read-only replica: the address of the primary is needed")]
    Replica,
    /// A newer version has written this queue.
    #[error("the queue has layout {found}, this version knows {known}: update this program")]
    Newer {
        /// Its layout.
        found: u32,
        /// The newest that we know.
        known: u32,
    },
    /// A command or script failed.
    #[error("{what} failed")]
    Command {
        /// Which.
        what: &'static str,
        /// How.
        #[source]
        source: RedisError,
    },
    /// The data is not as we write it.
    #[error("unexpected reply to {what}")]
    Reply {
        /// To what.
        what: &'static str,
    },
}

impl Error {
    fn command(what: &'static str, source: RedisError) -> Self {
        Self::Command { what, source }
    }

    fn connect(source: RedisError) -> Self {
        let refused = source.kind() == redis::ErrorKind::AuthenticationFailed
            || matches!(source.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM"));
        if refused { Self::Login(source) } else { Self::Connect(source) }
    }
}

impl From<Error> for store::Error {
    fn from(error: Error) -> Self {
        Self::Redis(error)
    }
}

/// A queue in Redis.
#[derive(Debug)]
pub struct RedisStore {
    settings: Settings,
    prefix: String,
    scripts: Scripts,
    link: Link,
    /// The hints when somebody claimed last.
    seen: AtomicU64,
    /// The hints when the event log was read last.
    heard: AtomicU64,
    server: Mutex<Option<Server>>,
}

impl RedisStore {
    /// Connects to the queue `name` at `url`: `redis://[user:password@]host[:port][/db]`, `rediss://`
    /// with TLS, `unix:///path`, `redis+sentinel://[user:password@]host[:port][,host…]/master[/db]`.
    ///
    /// A server that was started since it was seen last gets its append-only file rewritten and
    /// the queue audited: a file torn by a power cut would let a script count as half done after
    /// the next restart. One of those who connect audits, the others go on meanwhile.
    ///
    /// # Errors
    /// When there is no usable server, or a newer version has written the queue.
    pub async fn connect(url: &str, name: &str, settings: Settings) -> Result<Self, store::Error> {
        Self::open(Address::parse(url, None)?, name, settings).await
    }

    /// As [`RedisStore::connect`] with TLS, but trusts the certificates `roots` (PEM) alone in the place
    /// of those of the system. (The system's are found where `SSL_CERT_FILE` says, if it does.)
    ///
    /// # Errors
    /// As [`RedisStore::connect`], and when `roots` are no certificates.
    pub async fn connect_trusting(
        url: &str,
        roots: Vec<u8>,
        name: &str,
        settings: Settings,
    ) -> Result<Self, store::Error> {
        Self::open(Address::parse(url, Some(roots))?, name, settings).await
    }

    async fn open(address: Address, name: &str, settings: Settings) -> Result<Self, store::Error> {
        let store = Self::new(address, name, settings, SERVER_CLOCK)?;
        store.live().await?;
        audit::run_if_due(&store).await?;
        Ok(store)
    }

    fn new(address: Address, name: &str, settings: Settings, clock: &str) -> Result<Self, Error> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if !(1..=64).contains(&name.len()) || !name.bytes().all(fits) {
            return Err(Error::QueueName { name: name.chars().take(80).collect() });
        }
        let prefix = format!("jq:{{{name}}}:");
        let scripts = Scripts::new(&settings, clock);
        let link = Link::new(address, [format!("{prefix}wake"), format!("{prefix}news")]);
        let server = Mutex::new(None);
        let (seen, heard) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(Self { settings, prefix, scripts, link, seen, heard, server })
    }

    /// What was found out about the server when the connection was made last.
    #[must_use]
    pub fn server(&self) -> Option<Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn live(&self) -> Result<Live, Error> {
        self.link.live(|connection| self.greet(connection)).await
    }

    /// Looks at a server before it is used.
    async fn greet(&self, mut connection: MultiplexedConnection) -> Result<(), Error> {
        let server = Server::ask(&mut connection).await?;
        let mut open = self.scripts.open.key(&self.prefix);
        let open = open.arg(LAYOUT).arg(&server.run_id).invoke_async(&mut connection).await;
        let (known, news): (u8, u32) = open.map_err(|source| Error::command("open", source))?;
        if known == 0 {
            return Err(Error::Newer { found: news, known: LAYOUT });
        }
        if news == 1 {
            // Noted only after the rewrite has begun: who dies in between leaves it to the next.
            if server.appends {
                rewrite(&mut connection).await?;
            }
            let mut note = redis::cmd("HSET");
            note.arg(self.key("m")).arg("run").arg(&server.run_id);
            let noted = note.query_async::<()>(&mut connection).await;
            noted.map_err(|source| Error::command("HSET", source))?;
        }
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
        Ok(())
    }

    async fn subscribe_to_news(&self) -> Result<(), Error> {
        let subscribed = self.live().await?.subscribe_to_news(self.link.signals()).await;
        subscribed.map_err(|source| Error::command("subscribe", source))
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    async fn call<T: FromRedisValue>(
        &self,
        what: &'static str,
        invocation: &ScriptInvocation<'_>,
    ) -> Result<T, Error> {
        let live = self.live().await?;
        let answer = invocation.invoke_async(&mut live.connection()).await;
        live.note(&answer);
        answer.map_err(|source| Error::command(what, source))
    }

    async fn pipe<T: FromRedisValue>(
        &self,
        what: &'static str,
        pipe: &Pipeline,
    ) -> Result<T, Error> {
        let live = self.live().await?;
        let answer = pipe.query_async(&mut live.connection()).await;
        live.note(&answer);
        answer.map_err(|source| Error::command(what, source))
    }

    /// Reads what a claim's reply does not carry: large payloads, and steps of attempts before.
    async fn complement(&self, claimed: &mut Vec<wire::Claimed>) -> Result<(), store::Error> {
        let mut pipe = redis::pipe();
        for job in claimed.iter() {
            if job.elsewhere {
                pipe.cmd("GET").arg(self.key(&format!("p:{}", job.lease.id)));
            }
            if job.has_steps {
                pipe.cmd("HGETALL").arg(self.key(&format!("x:{}", job.lease.id)));
            }
        }
        if pipe.is_empty() {
            return Ok(());
        }
        let replies: Vec<redis::Value> = self.pipe("payload", &pipe).await?;
        let mut replies = replies.into_iter();
        let mut next = || replies.next().unwrap_or(redis::Value::Nil);
        let odd = |source| Error::command("payload", source);
        let mut lost = Vec::new();
        for job in claimed.iter_mut() {
            if job.elsewhere {
                let payload = Option::<Vec<u8>>::from_redis_value(next());
                match payload.map_err(|e| odd(e.into()))? {
                    Some(payload) => job.lease.payload = payload.into(),
                    None => lost.push(Held::from(&job.lease)),
                }
            }
            if job.has_steps {
                let steps = Vec::<(u32, Vec<u8>)>::from_redis_value(next());
                let steps = steps.map_err(|e| odd(e.into()))?;
                job.lease.steps = steps.into_iter().map(|(n, report)| (n, report.into())).collect();
                job.lease.steps.sort_by_key(|(index, _)| *index);
            }
        }
        if lost.is_empty() {
            return Ok(());
        }
        // Thrown away by a server that evicts keys: nobody can ever run it.
        claimed.retain(|job| !lost.iter().any(|held| held.token == job.lease.token));
        let bury = |held| Completion { held, outcome: Outcome::Buried };
        let buried: Vec<_> = lost.into_iter().map(bury).collect();
        self.complete_with(&buried, 0).await.map(drop)
    }

    async fn complete_with(
        &self,
        completions: &[Completion],
        jitter: u32,
    ) -> Result<Vec<Settled>, store::Error> {
        let mut settled = Vec::with_capacity(completions.len());
        for chunk in completions.chunks(CHUNK) {
            self.put_results(chunk).await?;
            let mut invocation = self.scripts.complete.key(&self.prefix);
            invocation.arg(jitter).arg(chunk.len());
            for Completion { held: Held { id, token }, outcome } in chunk {
                let none: &[u8] = &[];
                let mut size = String::new();
                let (kind, took, label, result) = match outcome {
                    Outcome::Finished { result, brief, took, label } => {
                        let took = took.map(|took| millis(took).to_string());
                        let label = label.as_ref().map_or("", Label::as_str);
                        let inline = brief.as_ref().filter(|_| self.is_large(result));
                        size = inline.map_or_else(String::new, |_| result.len().to_string());
                        ("f", took.unwrap_or_default(), label, inline.unwrap_or(result).as_ref())
                    }
                    Outcome::Retry => ("r", String::new(), "", none),
                    Outcome::HandedBack => ("b", String::new(), "", none),
                    Outcome::Buried => ("x", String::new(), "", none),
                };
                invocation.arg(id.as_str()).arg(token.as_str()).arg(kind).arg(took);
                invocation.arg(label).arg(size).arg(result);
            }
            let codes = self.call("complete", &invocation).await?;
            settled.extend(wire::settled(codes));
        }
        Ok(settled)
    }

    fn is_large(&self, result: &[u8]) -> bool {
        result.len() > self.settings.brief_limit
    }

    /// Writes large results apart, each under the token of its lease: whoever has lost the lease
    /// overwrites nothing. A server that has no memory for one has its brief form.
    async fn put_results(&self, chunk: &[Completion]) -> Result<(), Error> {
        let mut pipe = redis::pipe();
        for Completion { held: Held { id, token }, outcome } in chunk {
            if let Outcome::Finished { result, .. } = outcome
                && self.is_large(result)
            {
                let key = self.key(&format!("o:{id}:{token}"));
                pipe.cmd("SET").arg(key).arg(result.as_ref()).arg("EX").arg(ORPHAN_SECONDS);
            }
        }
        if pipe.is_empty() {
            return Ok(());
        }
        let _refused: Vec<redis::Value> = self.pipe("result", pipe.ignore_errors()).await?;
        Ok(())
    }

    async fn cancel_ids(&self, ids: &[String]) -> Result<Cancelled, Error> {
        let mut sum = Cancelled { cancelled: 0, ended: 0 };
        for chunk in ids.chunks(CHUNK) {
            let mut invocation = self.scripts.cancel.key(&self.prefix);
            for id in chunk {
                invocation.arg(id.as_str());
            }
            let (cancelled, ended): (u64, u64) = self.call("cancel", &invocation).await?;
            sum.cancelled += cancelled;
            sum.ended += ended;
        }
        Ok(sum)
    }
}

/// Has the append-only file written anew.
async fn rewrite(connection: &mut MultiplexedConnection) -> Result<(), Error> {
    let answer = redis::cmd("BGREWRITEAOF").query_async::<()>(connection).await;
    match answer {
        // Refused while one runs already, which does as well; or for good, by managed servers,
        // which see to their files themselves.
        Err(error) if error.is_io_error() => Err(Error::command("BGREWRITEAOF", error)),
        _ => Ok(()),
    }
}
