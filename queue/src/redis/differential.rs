//! The same histories on the model and on a real server, with one clock for both: every answer and
//! every event has to be the same, and no audit may find anything.

use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tokio::runtime::Runtime;

use super::RedisStore;
use super::address::Address;
use super::test_server::TestServer;
use crate::history::{Call, Op, Player, Reply, groups, ops, settings};
use crate::memory::Model;
use crate::store::{self, Store};
use crate::view::{Cursor, Event};

/// In the place of `TIME`.
const CLOCK: &str =
    "local function nowms() return tonumber(redis.call('GET', KEYS[1]..'now')) end\n";

#[test]
fn redis_answers_as_the_model_does() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(150);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let stage = Stage::new();
    TestRunner::new(config).run(&ops(), |ops| stage.play(&ops)).unwrap();
}

/// The ids of the first time still stand in the lists of the lane and the tenant they had then.
#[test]
fn a_job_that_is_handed_in_again_has_the_lane_and_the_tenant_of_now() {
    let enqueue = |tenant, lane| Op::Enqueue { first: 1, count: 2, tenant, lane, extra: 1 };
    let claim = |free| Op::Claim { worker: 0, free, internal: false, lost: false };
    let again = |tenant, lane| {
        let gone = [1, 2].map(|job| [Op::Cancel { job, batch: false }, Op::Forget { job }]);
        let mut ops = vec![Op::Register { worker: 0, place: 0 }, enqueue(0, 0)];
        ops.extend(gone.into_iter().flatten());
        ops.extend([enqueue(tenant, lane), claim(1), claim(5), Op::Look { job: 1 }]);
        ops
    };
    let stage = Stage::new();
    for (tenant, lane) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)] {
        stage.play(&again(tenant, lane)).unwrap();
    }
    // The same of one whose worker was lost.
    let mut ops = vec![Op::Register { worker: 0, place: 0 }, enqueue(0, 0), claim(1)];
    let lost = [Op::Register { worker: 0, place: 0 }, Op::Cancel { job: 1, batch: false }];
    ops.extend(lost);
    ops.extend([Op::Forget { job: 1 }, enqueue(0, 1), claim(5)]);
    ops.extend([Op::Register { worker: 0, place: 0 }, claim(5), Op::Look { job: 1 }]);
    stage.play(&ops).unwrap();
}

struct Stage {
    server: TestServer,
    runtime: Runtime,
    store: RedisStore,
}

impl Stage {
    fn new() -> Self {
        let server = TestServer::start(&[]);
        let address = Address::parse(&server.url(), None).unwrap();
        let store = RedisStore::new(address, "t", settings(), CLOCK).unwrap();
        Self { server, runtime: Runtime::new().unwrap(), store }
    }

    fn play(&self, ops: &[Op]) -> Result<(), TestCaseError> {
        self.runtime.block_on(same(&self.store, &self.server.url(), ops))
    }
}

async fn same(store: &RedisStore, url: &str, ops: &[Op]) -> Result<(), TestCaseError> {
    let client = redis::Client::open(url).unwrap();
    let mut control = client.get_multiplexed_async_connection().await.unwrap();
    let () = redis::cmd("FLUSHALL").query_async(&mut control).await.unwrap();
    let mut model = Model::new(settings());
    let mut player = Player::new();
    for op in ops {
        let calls = player.calls(op);
        let mut set = redis::cmd("SET");
        let () = set.arg("jq:{t}:now").arg(player.now).query_async(&mut control).await.unwrap();
        for (call, arrives) in calls {
            let wanted = call.on_model(&mut model, player.now);
            let got = on_redis(&call, store).await;
            let got = got.map_err(|error| TestCaseError::fail(chain(&error)))?;
            if got != wanted {
                let text = format!("{call:?}\n model {wanted:?}\n redis {got:?}");
                return Err(TestCaseError::fail(text));
            }
            if arrives {
                player.learn(&call, &wanted);
            }
        }
    }
    let wanted = Call::Audit.on_model(&mut model, player.now);
    let got = on_redis(&Call::Audit, store).await.unwrap();
    proptest::prop_assert_eq!(got, wanted);
    let events = model.events(&Cursor::start(), usize::MAX);
    let wanted: Vec<Vec<Event>> = events.into_iter().map(|entry| entry.events).collect();
    let events = store.events(&Cursor::start(), 100_000).await.unwrap();
    let got: Vec<Vec<Event>> = events.into_iter().map(|entry| entry.events).collect();
    proptest::prop_assert_eq!(got, wanted);
    Ok(())
}

async fn on_redis(call: &Call, store: &RedisStore) -> Result<Reply, store::Error> {
    Ok(match call {
        Call::Enqueue(jobs) => Reply::Enqueued(store.enqueue(jobs).await?),
        Call::Register(who, again) => match store.register(who, *again).await {
            Ok(registered) => Reply::Registered(Some(registered)),
            Err(store::Error::Superseded { .. }) => Reply::Registered(None),
            Err(error) => return Err(error),
        },
        Call::Claim(claim) => Reply::Claimed(store.claim(claim).await?),
        Call::Progress(steps) => Reply::Settled(store.progress(steps).await?),
        Call::Complete(done, jitter) => Reply::Settled(store.complete_with(done, *jitter).await?),
        Call::Heartbeat(who, held) => Reply::Beat(store.heartbeat(who, held).await?),
        Call::Reap(gone) => Reply::Count(store.reap(gone.as_ref()).await?),
        Call::Cancel(target) => Reply::Cancelled(store.cancel(target).await?),
        Call::Release(who) => Reply::Count(store.release(who).await?),
        Call::Revive(id) => Reply::Revived(store.revive(id).await?),
        Call::Forget(id) => Reply::Revived(store.forget(id).await?),
        Call::Listed(tenant) => Reply::Listed(store.listed(tenant, 1, 5).await?),
        Call::Counted(tenant) => Reply::Counted(store.counted(tenant, &groups()).await?),
        Call::Account(tenant, account) => {
            store.set_account(tenant, *account).await?;
            Reply::Nothing
        }
        Call::Job(id) => Reply::Job(store.job(id).await?),
        Call::Batch(id) => Reply::Batch(store.batch(id).await?),
        Call::Dead => Reply::Dead(store.dead_letters(100).await?),
        Call::Snapshot => Reply::Snapshot(store.snapshot().await?),
        Call::Tallies => Reply::Tallies(store.tallies().await?),
        Call::Audit => Reply::Audit(store.audit().await?),
    })
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
