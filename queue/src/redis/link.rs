//! The way to the server: one multiplexed connection that is made anew when it is of no use any
//! more, and what the server pushes over it. No blocking command is ever sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, ErrorKind, PushInfo, PushKind, RedisError, ServerErrorKind, Value,
};
use tokio::sync::{Mutex, broadcast, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::Error;
use super::address::Address;

/// How long an answer may take. A server that syncs each write may be slow for seconds.
const RESPONSE: Duration = Duration::from_secs(5);
/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// Between two attempts to connect, doubling from the first to the second.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(2)];
/// Unanswered requests in a row after which the connection is taken for half open.
const SILENCES: u32 = 2;
/// Nudges that a slow listener may lag behind; then it is nudged for nothing.
const NUDGES: usize = 64;

#[derive(Debug)]
pub(super) struct Link {
    address: Address,
    state: Mutex<State>,
    signals: Arc<Signals>,
}

/// What was pushed.
#[derive(Debug)]
pub(super) struct Signals {
    channel: String,
    news_channel: String,
    /// Whether somebody here follows the event log: workers do not.
    follows: AtomicBool,
    /// Counts hints that the event log has grown.
    pub(super) news: watch::Sender<u64>,
    /// Counts hints that there is work.
    pub(super) work: watch::Sender<u64>,
    pub(super) nudges: broadcast::Sender<Arc<str>>,
}

#[derive(Debug)]
enum State {
    Up(Live),
    Down { pause: Duration, until: Instant },
}

/// A connection and whether it still is one.
#[derive(Debug, Clone)]
pub(super) struct Live {
    connection: MultiplexedConnection,
    broken: Arc<AtomicBool>,
    silences: Arc<AtomicU32>,
}

impl Link {
    /// Knows where to connect to, and does at the first use.
    pub(super) fn new(address: Address, [channel, news_channel]: [String; 2]) -> Self {
        let (work, nudges) = (watch::Sender::new(0), broadcast::Sender::new(NUDGES));
        let (news, follows) = (watch::Sender::new(0), AtomicBool::new(false));
        Self {
            address,
            state: Mutex::new(State::Down { pause: PAUSES[0], until: Instant::now() }),
            signals: Arc::new(Signals { channel, news_channel, follows, news, work, nudges }),
        }
    }

    pub(super) fn signals(&self) -> &Signals {
        &self.signals
    }

    /// The connection, made if need be; `greet` looks at a new one before anybody uses it. After a
    /// failure the next attempt waits for a while, so callers may simply try again.
    pub(super) async fn live<F, G>(&self, greet: F) -> Result<Live, Error>
    where
        F: FnOnce(MultiplexedConnection) -> G,
        G: Future<Output = Result<(), Error>>,
    {
        let until = match &*self.state.lock().await {
            State::Up(live) if !live.is_broken() => return Ok(live.clone()),
            State::Up(_) => Instant::now(),
            State::Down { until, .. } => *until,
        };
        // Outside of the lock: all who wait go on together, and the first one connects.
        sleep_until(until).await;
        let mut state = self.state.lock().await;
        let pause = match &*state {
            State::Up(live) if !live.is_broken() => return Ok(live.clone()),
            State::Up(_) => PAUSES[0],
            State::Down { pause, .. } => (*pause * 2).min(PAUSES[1]),
        };
        // Set first: this future may be dropped at any await.
        let until = Instant::now() + pause.mul_f64(0.5 + fastrand::f64() / 2.0);
        *state = State::Down { pause, until };
        let live = self.connect().await?;
        greet(live.connection.clone()).await?;
        *state = State::Up(live.clone());
        // What was pushed in between is lost: everybody looks.
        self.signals.work.send_modify(|hints| *hints += 1);
        self.signals.news.send_modify(|hints| *hints += 1);
        Ok(live)
    }

    async fn connect(&self) -> Result<Live, Error> {
        let broken = Arc::new(AtomicBool::new(false));
        let (signals, ended) = (Arc::clone(&self.signals), Arc::clone(&broken));
        let push = move |info: PushInfo| {
            match info.kind {
                PushKind::Disconnection => ended.store(true, Ordering::Relaxed),
                PushKind::Message => signals.take(&info.data),
                _ => {}
            }
            Ok::<(), redis::aio::SendError>(())
        };
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(RESPONSE))
            .set_connection_timeout(Some(CONNECT))
            .set_push_sender(push);
        let making = async {
            let client = self.address.resolve().await?;
            let mut connection =
                client.get_multiplexed_async_connection_with_config(&config).await?;
            connection.subscribe(&self.signals.channel).await?;
            if self.signals.follows.load(Ordering::SeqCst) {
                connection.subscribe(&self.signals.news_channel).await?;
            }
            Ok(connection)
        };
        let connection = match timeout(CONNECT * 2, making).await {
            Ok(made) => made.map_err(Error::connect)?,
            Err(_) => return Err(Error::Silent { after: CONNECT * 2 }),
        };
        Ok(Live { connection, broken, silences: Arc::default() })
    }
}

impl Signals {
    /// From now on every connection hears of the event log. True when that is new.
    pub(super) fn want_news(&self) -> bool {
        !self.follows.swap(true, Ordering::SeqCst)
    }

    fn take(&self, data: &[Value]) {
        match data.last() {
            Some(Value::BulkString(text)) => match text.split_first() {
                Some((b'c', who)) => {
                    let who: Arc<str> = String::from_utf8_lossy(who).into();
                    // Nobody listens: nobody has to be nudged.
                    drop(self.nudges.send(who));
                }
                Some((b'n', _)) => self.news.send_modify(|hints| *hints += 1),
                _ => self.work.send_modify(|hints| *hints += 1),
            },
            _ => self.work.send_modify(|hints| *hints += 1),
        }
    }
}

impl Live {
    pub(super) fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    /// Lets this connection, too, hear of the event log.
    pub(super) async fn subscribe_to_news(&self, signals: &Signals) -> Result<(), RedisError> {
        self.connection().subscribe(&signals.news_channel).await
    }

    fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Takes note of an answer: is the connection good for another request?
    pub(super) fn note<T>(&self, answer: &Result<T, RedisError>) {
        let silent = answer.as_ref().is_err_and(RedisError::is_timeout);
        let silences = if silent {
            self.silences.fetch_add(1, Ordering::Relaxed) + 1
        } else {
            self.silences.store(0, Ordering::Relaxed);
            0
        };
        let useless = answer.as_ref().is_err_and(is_useless);
        if useless || silences >= SILENCES {
            self.broken.store(true, Ordering::Relaxed);
        }
    }
}

/// Whether another connection, perhaps to another server, may do what this one cannot.
fn is_useless(error: &RedisError) -> bool {
    use ServerErrorKind::{BusyLoading, ClusterDown, MasterDown, ReadOnly};
    match error.kind() {
        ErrorKind::Server(BusyLoading | ClusterDown | MasterDown | ReadOnly) => true,
        _ => !error.is_timeout() && (error.is_io_error() || error.is_connection_dropped()),
    }
}
