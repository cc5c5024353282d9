//! The store on a real redis-server: what the random histories do not do. Servers
//! that will not do, memory that ends, wake-ups, failovers, damage and its repair. What happens when
//! processes die is tried in `src/redis/trial`.
#![expect(clippy::unwrap_used, reason = "what is unexpected fails the test")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use queue::redis::{Danger, Error as RedisError, Loss};
use queue::view::{Cursor, Event, Stage};
use queue::{
    Consumer, Enqueued, Error, Held, IdempotencyKey, Job, Lane, Lease, Outcome, Place, Reached,
    RedisStore, Settings, Settled, Store, Target, Tenant, Verdict,
};

mod server;

use server::TestServer;

async fn connect(server: &TestServer) -> Arc<RedisStore> {
    Arc::new(RedisStore::connect(&server.url(), "q", Settings::default()).await.unwrap())
}

async fn join(store: &Arc<RedisStore>, place: &str) -> Consumer {
    let store: Arc<dyn Store> = Arc::clone(store) as _;
    Consumer::join(store, &Place::new(place).unwrap(), &Lane::JUDGED).await.unwrap().0
}

fn job(payload: impl Into<Bytes>) -> Job {
    Job::new(Tenant::anonymous(), payload)
}

fn finished(result: impl Into<Bytes>) -> Outcome {
    Outcome::finished(result)
}

async fn one(consumer: &Consumer) -> Lease {
    let mut leases = consumer.claim(1).await.unwrap();
    assert_eq!(leases.len(), 1);
    leases.remove(0)
}

async fn command<T: redis::FromRedisValue>(server: &TestServer, words: &[&str]) -> T {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd(words[0]).arg(&words[1..]).query_async(&mut connection).await.unwrap()
}

/// Asks again and again until there is an answer; fails after half a minute.
async fn until<T, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> T {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < end, "not within half a minute");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_job_from_end_to_end() {
    let server = TestServer::strict();
    let (api, store) = (connect(&server).await, connect(&server).await);
    assert_eq!(api.server().unwrap().loss, Loss::Nothing);
    let consumer = join(&store, "node").await;
    let large = Bytes::from(vec![7; 1 << 20]);
    let key = IdempotencyKey::new("again").unwrap();
    let large_job = job(large.clone()).keyed(&key, 0).webhook("whom to tell");
    for added in [1, 0] {
        let answer = api.enqueue(std::slice::from_ref(&large_job)).await.unwrap();
        let duplicates = if added == 1 { vec![] } else { vec![large_job.id.clone()] };
        assert_eq!(answer, Enqueued::Accepted { added, duplicates });
    }
    let lease = one(&consumer).await;
    assert_eq!(lease.payload, large);
    let held = Held::from(&lease);
    let result = Bytes::from(vec![1; 64 << 10]);
    let refused = consumer.complete(held.clone(), finished(vec![1; (64 << 10) + 1])).await;
    assert!(matches!(refused, Err(Error::ResultTooLarge { .. })));
    let answer = consumer.complete(held.clone(), finished(result.clone())).await.unwrap();
    assert_eq!(answer, Settled::Ok);
    let answer = consumer.complete(held, finished(result.clone())).await.unwrap();
    assert_eq!(answer, Settled::Dup);
    let view = api.job(&lease.id).await.unwrap().unwrap();
    assert_eq!(view.stage, Stage::Finished(result));
    // The payload is gone, the webhook is there.
    let left: Vec<String> = command(&server, &["KEYS", "*p:*"]).await;
    assert!(left.is_empty(), "{left:?}");
    let internal: Arc<dyn Store> = Arc::clone(&api) as _;
    let place = Place::new("api").unwrap();
    let (deliverer, _) = Consumer::join(internal, &place, &[Lane::Internal]).await.unwrap();
    let hook = one(&deliverer).await;
    assert_eq!(hook.payload, "whom to tell");
    assert_eq!(hook.about, Some(queue::Subject::Job(lease.id)));
}

#[tokio::test]
async fn who_waits_is_woken_and_who_runs_a_cancelled_job_is_nudged() {
    let server = TestServer::start(&[]);
    let (api, store) = (connect(&server).await, connect(&server).await);
    let consumer = join(&store, "node").await;
    assert!(consumer.claim(1).await.unwrap().is_empty());
    let (woken, _) = tokio::join!(consumer.wait_for_work(), async {
        api.enqueue(&[job("x")]).await.unwrap();
    });
    assert_eq!(woken, ());
    let lease = one(&consumer).await;
    let start = Instant::now();
    tokio::join!(consumer.wait_for_nudge(), async {
        let cancelled = api.cancel(&Target::Job(lease.id.clone())).await.unwrap();
        assert_eq!(cancelled.cancelled, 1);
    });
    assert!(start.elapsed() < Duration::from_millis(100), "{:?}", start.elapsed());
    let held = Held::from(&lease);
    let verdicts = consumer.heartbeat(std::slice::from_ref(&held)).await.unwrap();
    assert_eq!(verdicts, [Verdict::Cancelled]);
    assert_eq!(consumer.complete(held, finished("late")).await.unwrap(), Settled::Stale);
}

#[tokio::test]
async fn who_follows_the_log_hears_of_what_others_do_at_once() {
    let server = TestServer::start(&[]);
    let (api, store) = (connect(&server).await, connect(&server).await);
    let consumer = join(&store, "node").await;
    let noted = job("x").note("for whoever asks");
    api.enqueue(std::slice::from_ref(&noted)).await.unwrap();
    assert_eq!(api.job(&noted.id).await.unwrap().unwrap().note.unwrap(), "for whoever asks");
    assert!(api.events(&Cursor::start(), 10).await.unwrap().is_empty());
    // The first wait asks for the hints; from then on they come.
    api.wait_for_events(&Cursor::start()).await;
    let lease = one(&consumer).await;
    let mut after = Cursor::start();
    for _ in 0..2 {
        let entries = api.events(&after, 10).await.unwrap();
        after = entries.last().map_or(after, |entry| entry.cursor.clone());
    }
    let start = Instant::now();
    tokio::join!(api.wait_for_events(&after), async {
        consumer.complete(Held::from(&lease), finished("r")).await.unwrap();
    });
    assert!(start.elapsed() < Duration::from_millis(100), "{:?}", start.elapsed());
    let entries = api.events(&after, 10).await.unwrap();
    assert_eq!(entries[0].events, [Event::Finished(lease.id)]);
}

#[tokio::test]
async fn audit_mends_what_is_broken_by_hand() {
    let server = TestServer::start(&[]);
    let store = connect(&server).await;
    let consumer = join(&store, "node").await;
    let jobs: Vec<Job> =
        (0..6).map(|n| job(format!("{n}")).named(format!("j{n}")).unwrap()).collect();
    store.enqueue(&jobs).await.unwrap();
    let leases = consumer.claim(2).await.unwrap();
    let retried = consumer.complete(Held::from(&leases[0]), Outcome::Retry).await.unwrap();
    assert_eq!(retried, Settled::Ok);
    let sound = store.audit().await.unwrap();
    assert_eq!((sound.jobs, sound.repairs, sound.counted), (6, 0, true));
    let holdings = format!("jq:{{q}}:w:{}", consumer.who());
    let _: u64 = command(&server, &["DEL", &holdings]).await;
    let _: u64 = command(&server, &["ZREM", "jq:{q}:d", "j0"]).await;
    let _: u64 = command(&server, &["LREM", "jq:{q}:t:1:anonymous", "1", "j4"]).await;
    let _: u64 = command(&server, &["ZREM", "jq:{q}:r:1", "anonymous"]).await;
    assert_eq!(store.audit().await.unwrap().repairs, 4);
    let _: i64 = command(&server, &["HINCRBY", "jq:{q}:c", "q1", "5"]).await;
    let _: i64 = command(&server, &["HINCRBY", "jq:{q}:n:anonymous", "f", "2"]).await;
    let counted = store.audit().await.unwrap();
    assert_eq!((counted.repairs, counted.counted), (2, true));
    assert_eq!(store.audit().await.unwrap().repairs, 0);
    assert_eq!(store.snapshot().await.unwrap().totals.repairs, 6);
    // All of them can be claimed, the delayed one at once because its time was lost.
    assert_eq!(consumer.claim(9).await.unwrap().len(), 6);
}

#[tokio::test]
async fn a_fleet_that_meets_a_restarted_server_audits_once() {
    let mut server = TestServer::strict();
    let store = connect(&server).await;
    let jobs: Vec<Job> = (0..2000).map(|n| job(format!("{n}"))).collect();
    store.enqueue(&jobs).await.unwrap();
    server.kill();
    server.restart();
    let one = || connect(&server);
    let fleet = tokio::join!(one(), one(), one(), one(), one(), one());
    let scans = calls(&server, "scan").await;
    assert!(scans > 0, "nobody audited");
    store.audit().await.unwrap();
    // How many answers the whole takes depends on where the keys lie, which a restart changes.
    let once = calls(&server, "scan").await - scans;
    assert!(scans < 2 * once, "{scans} answers, of which one reading takes {once}");
    // Who audits and dies leaves it to the next.
    let _: u64 = command(&server, &["HSET", "jq:{q}:m", "audit", "1"]).await;
    let _: String = command(&server, &["SET", "jq:{q}:at", "1", "PX", "100"]).await;
    let audited = || async {
        fleet.0.reap(None).await.unwrap();
        let due: u64 = command(&server, &["HEXISTS", "jq:{q}:m", "audit"]).await;
        (due == 0).then_some(())
    };
    until(audited).await;
}

/// How often the server was given a command since it started.
async fn calls(server: &TestServer, name: &str) -> u64 {
    let stats: String = command(server, &["INFO", "commandstats"]).await;
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:calls=")));
    line.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn a_server_out_of_memory_takes_results_but_no_jobs() {
    let server = TestServer::start(&[]);
    let store = connect(&server).await;
    let consumer = join(&store, "node").await;
    store.enqueue(&[job("x")]).await.unwrap();
    let lease = one(&consumer).await;
    let _: () = command(&server, &["CONFIG", "SET", "maxmemory", "1"]).await;
    for payload in [10, 10_000] {
        let answer = store.enqueue(&[job(vec![0; payload])]).await.unwrap();
        let Enqueued::Full(full) = answer else { panic!("{answer:?}") };
        assert_eq!(full.limit, Reached::Memory);
    }
    let held = Held::from(&lease);
    assert_eq!(consumer.heartbeat(std::slice::from_ref(&held)).await.unwrap(), [Verdict::Keep]);
    assert_eq!(consumer.complete(held, finished("there")).await.unwrap(), Settled::Ok);
    let view = store.job(&lease.id).await.unwrap().unwrap();
    assert_eq!(view.stage, Stage::Finished(Bytes::from_static(b"there")));
    let _: () = command(&server, &["CONFIG", "SET", "maxmemory", "0"]).await;
    store.enqueue(&[job("y")]).await.unwrap();
    assert_eq!(store.audit().await.unwrap().repairs, 0);
}

#[tokio::test]
async fn servers_and_queues_that_will_not_do_are_told_clearly() {
    let fails = |url: String| async move {
        match RedisStore::connect(&url, "q", Settings::default()).await {
            Err(Error::Redis(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    let nobody = tempfile::tempdir().unwrap();
    let url = format!("unix://{}/s", nobody.path().display());
    assert!(matches!(fails(url).await, RedisError::Connect(_)));
    assert!(matches!(fails("http://x".to_owned()).await, RedisError::Url { .. }));
    assert!(matches!(fails("redis+sentinel://host".to_owned()).await, RedisError::SentinelUrl));

    let locked = TestServer::start(&["--requirepass", "secret"]);
    assert!(matches!(fails(locked.url()).await, RedisError::Login(_)));
    assert!(matches!(fails(format!("{}?pass=wrong", locked.url())).await, RedisError::Login(_)));
    let url = format!("{}?pass=secret&db=3", locked.url());
    RedisStore::connect(&url, "q", Settings::default()).await.unwrap();

    let server = TestServer::start(&["--maxmemory-policy", "allkeys-lru"]);
    let store = connect(&server).await;
    let found = store.server().unwrap();
    assert_eq!(found.dangers, [Danger::Evicts("allkeys-lru".to_owned())]);
    assert_eq!(found.loss, Loss::Everything);
    let _: i64 = command(&server, &["HSET", "jq:{q}:m", "v", "99"]).await;
    let newer = fails(server.url()).await;
    assert!(matches!(newer, RedisError::Newer { found: 99, known: 2 }), "{newer:?}");

    let replica = TestServer::start(&["--replicaof", "127.0.0.1 1"]);
    assert!(matches!(fails(replica.url()).await, RedisError::Replica));
}

#[tokio::test]
async fn what_an_older_version_has_counted_is_counted_again() {
    let server = TestServer::start(&[]);
    let store = connect(&server).await;
    store.enqueue(&[job("x")]).await.unwrap();
    // Layout 1 counted webhooks that wait, too.
    let _: i64 = command(&server, &["HSET", "jq:{q}:m", "v", "1"]).await;
    let _: i64 = command(&server, &["HSET", "jq:{q}:n:anonymous", "q", "7"]).await;
    let _newer = connect(&server).await;
    let counted: u64 = command(&server, &["HGET", "jq:{q}:n:anonymous", "q"]).await;
    assert_eq!(counted, 1);
}

#[tokio::test]
async fn results_and_their_steps_are_forgotten_in_time() {
    let server = TestServer::start(&[]);
    let settings = Settings { result_ttl: Duration::from_millis(50), ..Settings::default() };
    let store = Arc::new(RedisStore::connect(&server.url(), "q", settings).await.unwrap());
    let consumer = join(&store, "node").await;
    store.enqueue(&[job("x")]).await.unwrap();
    let lease = one(&consumer).await;
    let step = queue::Step { held: (&lease).into(), index: 1, report: Bytes::from_static(b"ok") };
    assert_eq!(consumer.progress(&[step]).await.unwrap(), [Settled::Ok]);
    consumer.complete(Held::from(&lease), finished("r")).await.unwrap();
    until(|| async { store.job(&lease.id).await.unwrap().is_none().then_some(()) }).await;
    let left: Vec<String> = command(&server, &["KEYS", "jq:{q}:[jxp]:*"]).await;
    assert!(left.is_empty(), "{left:?}");
    let events = store.events(&Cursor::start(), 10).await.unwrap();
    let events: Vec<Event> = events.into_iter().flat_map(|entry| entry.events).collect();
    let id = lease.id;
    let report = Bytes::from_static(b"ok");
    let step = Event::Step { id: id.clone(), index: 1, report };
    assert_eq!(events, [Event::Started(id.clone()), step, Event::Finished(id)]);
}

/// An authority and a certificate of `localhost` that it signed, as files in `folder`: authority,
/// certificate, key.
fn certificates(folder: &Path) -> [PathBuf; 3] {
    let key = || rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new([]).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = rcgen::CertifiedIssuer::self_signed(authority, key()).unwrap();
    let (host, host_key) = (["localhost".to_owned()], key());
    let host = rcgen::CertificateParams::new(host).unwrap();
    let host = host.signed_by(&host_key, &authority).unwrap();
    let pem = [authority.pem(), host.pem(), host_key.serialize_pem()];
    let paths = ["authority.pem", "host.pem", "host.key"].map(|name| folder.join(name));
    for (path, pem) in paths.iter().zip(pem) {
        std::fs::write(path, pem).unwrap();
    }
    paths
}

#[tokio::test]
async fn tls_with_a_user_and_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let [authority, host, key] = certificates(folder.path());
    let port = port().to_string();
    let server = TestServer::start(&[
        "--tls-port",
        &port,
        "--tls-cert-file",
        host.to_str().unwrap(),
        "--tls-key-file",
        key.to_str().unwrap(),
        "--tls-ca-cert-file",
        authority.to_str().unwrap(),
        "--tls-auth-clients",
        "no",
        "--bind",
        "127.0.0.1",
    ]);
    let rules = ["ACL", "SETUSER", "app", "on", ">p@ss", "~*", "&*", "+@all"];
    let _: () = command(&server, &rules).await;
    let url = format!("rediss://app:p%40ss@localhost:{port}/2");
    let unknown = RedisStore::connect(&url, "q", Settings::default()).await;
    assert!(matches!(unknown, Err(Error::Redis(RedisError::Connect(_)))), "{unknown:?}");
    let roots = std::fs::read(authority).unwrap();
    let store = RedisStore::connect_trusting(&url, roots, "q", Settings::default()).await.unwrap();
    store.enqueue(&[job("x")]).await.unwrap();
    let keyspace: String = command(&server, &["INFO", "keyspace"]).await;
    assert!(keyspace.contains("db2:"), "{keyspace}");
}

/// A port that nobody listens at, on loopback.
fn port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[tokio::test]
async fn after_a_failover_the_store_goes_on_with_the_new_primary() {
    let (first, second, watch) = (port().to_string(), port().to_string(), port());
    let local = ["--bind", "127.0.0.1"];
    let mut primary = TestServer::start(&[&["--port", &first], &local[..]].concat());
    let of = format!("127.0.0.1 {first}");
    let follows = ["--port", &second, "--replicaof", &of, "--repl-diskless-sync-delay", "0"];
    let replica = TestServer::start(&[&follows[..], &local[..]].concat());
    let _sentinel = TestServer::sentinel(watch, first.parse().unwrap());
    let url = format!("redis+sentinel://127.0.0.1:{watch}/m");
    let store = RedisStore::connect(&url, "q", Settings::default()).await.unwrap();
    let before = job("before");
    let copied = || async {
        store.enqueue(std::slice::from_ref(&before)).await.unwrap();
        let at: u64 = command(&replica, &["EXISTS", &format!("jq:{{q}}:j:{}", before.id)]).await;
        (at == 1).then_some(())
    };
    until(copied).await;
    let known = || async {
        let sentinel = redis::Client::open(format!("redis://127.0.0.1:{watch}")).unwrap();
        let mut sentinel = sentinel.get_multiplexed_async_connection().await.unwrap();
        let info: String = redis::cmd("INFO").query_async(&mut sentinel).await.unwrap();
        info.contains("slaves=1").then_some(())
    };
    until(known).await;
    primary.kill();
    let after = job("after");
    until(|| async { store.enqueue(std::slice::from_ref(&after)).await.ok() }).await;
    assert_eq!(store.job(&before.id).await.unwrap().unwrap().stage, Stage::Queued);
    let there: u64 = command(&replica, &["EXISTS", &format!("jq:{{q}}:j:{}", after.id)]).await;
    assert_eq!(there, 1);
}

#[tokio::test]
async fn tenants_that_have_left_take_no_memory() {
    let server = TestServer::start(&[]);
    let store = connect(&server).await;
    let consumer = join(&store, "node").await;
    for round in 0..3 {
        let tenant = |n: usize| Tenant::new(format!("{round}-{n}")).unwrap();
        let jobs: Vec<Job> = (0..200).map(|n| Job::new(tenant(n), "x")).collect();
        store.enqueue(&jobs).await.unwrap();
        while store.snapshot().await.unwrap().lanes[1].depth > 0 {
            let leases = consumer.claim(50).await.unwrap();
            for lease in leases {
                consumer.complete((&lease).into(), finished("r")).await.unwrap();
            }
        }
    }
    let few = || async {
        store.reap(None).await.unwrap();
        let accounts: Vec<String> = command(&server, &["KEYS", "jq:{q}:n:*"]).await;
        let times: usize = command(&server, &["HLEN", "jq:{q}:vt"]).await;
        consumer.claim(1).await.unwrap();
        // The clock of the lane is left.
        (accounts.is_empty() && times == 1).then_some(())
    };
    until(few).await;
    assert_eq!(store.audit().await.unwrap().repairs, 0);
}

#[tokio::test]
async fn a_worker_started_again_at_its_place_gets_its_jobs_back_at_once() {
    let server = TestServer::start(&[]);
    let store = connect(&server).await;
    let (first, other) = (join(&store, "node").await, join(&store, "elsewhere").await);
    store.enqueue(&[job("x")]).await.unwrap();
    let lease = one(&first).await;
    let second = join(&store, "node").await;
    let again = one(&other).await;
    assert_eq!((again.id.clone(), again.attempt, again.lost), (lease.id.clone(), 2, 1));
    // The one before is alive after all: it is told, and must not come back.
    let answer = first.heartbeat(&[Held::from(&lease)]).await;
    assert!(matches!(answer, Err(Error::Superseded { .. })), "{answer:?}");
    assert_eq!(first.complete((&lease).into(), finished("old")).await.unwrap(), Settled::Stale);
    assert_eq!(other.complete((&again).into(), finished("new")).await.unwrap(), Settled::Ok);
    assert_eq!(second.release().await.unwrap(), 0);
}

#[tokio::test]
async fn a_dead_workers_jobs_return_after_its_lease() {
    let server = TestServer::start(&[]);
    let settings = Settings { lease: Duration::from_millis(600), ..Settings::default() };
    let store = Arc::new(RedisStore::connect(&server.url(), "q", settings).await.unwrap());
    let (dies, lives) = (join(&store, "a").await, join(&store, "b").await);
    store.enqueue(&[job("x")]).await.unwrap();
    let lease = one(&dies).await;
    let start = Instant::now();
    let again = until(|| async {
        assert_eq!(lives.heartbeat(&[]).await.unwrap(), []);
        tokio::time::sleep(Duration::from_millis(100)).await;
        lives.claim(1).await.unwrap().pop()
    })
    .await;
    assert_eq!((again.id, again.lost), (lease.id, 1));
    let took = start.elapsed();
    assert!(took > Duration::from_millis(590) && took < Duration::from_millis(1200), "{took:?}");
}

#[tokio::test]
async fn workers_are_listed_with_what_they_say_until_they_are_gone() {
    let server = TestServer::start(&[]);
    let store = connect(&server).await;
    let (b, a) = (join(&store, "b").await, join(&store, "a").await);
    a.announce(&Bytes::from_static(b"2 slots")).await.unwrap();
    a.announce(&Bytes::from_static(b"3 slots")).await.unwrap();
    store.enqueue(&[job("x")]).await.unwrap();
    let _held = one(&b).await;
    let listed = async |most| {
        let workers = store.workers(most).await.unwrap().into_iter();
        workers
            .map(|worker| {
                assert!(worker.silent < Duration::from_secs(5), "{worker:?}");
                let about = String::from_utf8(worker.about.to_vec()).unwrap();
                format!("{} {} {about}", worker.who.place(), worker.held)
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(listed(9).await, ["a 0 3 slots", "b 1 "]);
    assert_eq!(listed(1).await.len(), 1);
    assert_eq!(listed(0).await, [""; 0]);
    assert_eq!(a.release().await.unwrap(), 0);
    a.announce(&Bytes::from_static(b"late")).await.unwrap();
    assert_eq!(listed(9).await, ["b 1 "]);
    // Nothing is remembered of who has left.
    let again = join(&store, "a").await;
    let shared: Arc<dyn Store> = Arc::clone(&store) as _;
    Consumer::join(shared, &Place::errands(), &[Lane::Internal]).await.unwrap();
    assert_eq!(listed(9).await, ["a 0 ", "b 1 "]);
    assert_eq!(again.release().await.unwrap(), 0);
}

fn large(result: &Bytes, brief: &'static str) -> Outcome {
    let brief = Some(Bytes::from_static(brief.as_bytes()));
    Outcome::Finished { result: result.clone(), brief, took: None, label: None }
}

async fn result(store: &Arc<RedisStore>, id: &queue::JobId) -> Bytes {
    match store.job(id).await.unwrap().unwrap().stage {
        Stage::Finished(result) => result,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn large_results_lie_apart_as_long_as_they_have_room() {
    let server = TestServer::start(&[]);
    let settings = Settings { large_results: 5 << 20, ..Settings::default() };
    let store = RedisStore::connect(&server.url(), "q", settings).await.unwrap();
    let store = Arc::new(store);
    let consumer = join(&store, "one").await;
    let whole = Bytes::from(vec![b'x'; 2 << 20]);
    let mut ids = Vec::new();
    for _ in 0..3 {
        let job = job("x");
        store.enqueue(std::slice::from_ref(&job)).await.unwrap();
        let lease = one(&consumer).await;
        let end = || consumer.complete((&lease).into(), large(&whole, "brief"));
        assert_eq!((end().await.unwrap(), end().await.unwrap()), (Settled::Ok, Settled::Dup));
        ids.push(job.id);
    }
    assert_eq!(result(&store, &ids[0]).await, whole);
    assert_eq!(result(&store, &ids[1]).await, whole);
    assert_eq!(result(&store, &ids[2]).await, "brief", "no room for a third");
    // It is kept as long as its job.
    let keys: Vec<String> = command(&server, &["KEYS", "jq:{q}:o:*"]).await;
    for key in &keys {
        let ttl: i64 = command(&server, &["TTL", key]).await;
        assert!(ttl <= 600 || ttl > 3000, "{key} {ttl}");
    }
    // What is forgotten makes room.
    assert!(store.forget(&ids[0]).await.unwrap());
    let job = job("x");
    store.enqueue(std::slice::from_ref(&job)).await.unwrap();
    let lease = one(&consumer).await;
    consumer.complete((&lease).into(), large(&whole, "brief")).await.unwrap();
    assert_eq!(result(&store, &job.id).await, whole);
    // One without a brief form is refused; the lease is still held.
    store.enqueue(std::slice::from_ref(&job)).await.unwrap();
    let refused = consumer.complete((&lease).into(), finished(whole.clone())).await;
    assert!(matches!(refused, Err(Error::ResultTooLarge { limit: 65536, .. })), "{refused:?}");
}

#[tokio::test]
async fn a_server_without_memory_keeps_the_brief_form() {
    let server = TestServer::start(&[]);
    let store = connect(&server).await;
    let consumer = join(&store, "one").await;
    let job = job("x");
    store.enqueue(std::slice::from_ref(&job)).await.unwrap();
    let lease = one(&consumer).await;
    let _: String = command(&server, &["CONFIG", "SET", "maxmemory", "1"]).await;
    let whole = Bytes::from(vec![b'x'; 2 << 20]);
    consumer.complete((&lease).into(), large(&whole, "brief")).await.unwrap();
    assert_eq!(result(&store, &job.id).await, "brief");
}
