//! One worker process from its start to its end: reach the queue, work, leave.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use queue::{Consumer, Lane, Place, RedisStore, Settings, Store};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::crew::{Crew, Superseded};
use crate::image;
use crate::judging::Judging;
use crate::life::{Running, Stops};
use crate::log::masked;
use crate::metrics::Metrics;
use crate::probes::{Board, router};
use crate::reach::{self, Address, reach};
use crate::slots::Policy;
use crate::watch::{Files, follow};

/// Threads that judge, at most; more jobs than that wait for one.
const THREADS: usize = 4096;
/// How long threads that are still busy may hold up the end of the process.
const SHUTDOWN: Duration = Duration::from_millis(200);

/// How a worker is set.
#[derive(Debug, Clone)]
pub struct Config {
    /// The queue.
    pub address: Address,
    /// Where this worker runs: no two living ones at the same.
    pub place: Place,
    /// Where the probes listen.
    pub listen: SocketAddr,
    /// How many slots; the file's value is filled in by the worker.
    pub policy: Policy,
    /// The slots file.
    pub slots_file: Option<PathBuf>,
    /// The sizing file.
    pub sizing_file: Option<PathBuf>,
    /// After the first signal, how long what runs may go on.
    pub grace: Duration,
    /// The queue's numbers.
    pub settings: Settings,
    /// Why this engine judges, for `/readyz`.
    pub why: String,
}

/// Why a worker cannot work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The process lacks threads or descriptors.
    #[error("cannot start the worker")]
    Runtime(#[source] io::Error),
    /// The port is taken, or not ours.
    #[error("cannot listen at {addr}; name another address with --listen")]
    Listen {
        /// Where.
        addr: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no queue.
    #[error(transparent)]
    Reach(reach::Error),
    /// The queue was reached, but does not take this worker.
    #[error("cannot use the queue at {url}")]
    Queue {
        /// Without its password.
        url: String,
        /// Why.
        #[source]
        source: queue::Error,
    },
    /// Another worker has this place.
    #[error("a newer worker has the place {place:?}; give each worker a place of its own")]
    Superseded {
        /// Which.
        place: String,
    },
}

/// Works until the process is told to stop by SIGTERM or SIGINT; returns then, with nothing running
/// and nothing held.
///
/// # Errors
/// When there is no queue to work for.
pub fn run(config: Config, judging: Arc<dyn Judging>) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(THREADS)
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    let engine = Arc::clone(&judging);
    let ended = runtime.block_on(async {
        let mut tasks = JoinSet::new();
        let mut stops = signals(&mut tasks).map_err(Error::Runtime)?;
        Box::pin(live(config, judging, tasks, &mut stops)).await
    });
    // Boxes that did not end die with the process.
    runtime.shutdown_timeout(SHUTDOWN);
    // Order: the last who holds the engine drops it, and so here what it made is gone.
    drop(engine);
    ended
}

/// Listens for the first and the second signal. Further ones have nothing to add.
fn signals(tasks: &mut JoinSet<Superseded>) -> io::Result<Stops> {
    let (tell, stops) = mpsc::channel(2);
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tasks.spawn(async move {
        loop {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
            // Full: it was told twice already.
            let _full = tell.try_send(());
        }
    });
    Ok(stops)
}

async fn live(
    config: Config,
    judging: Arc<dyn Judging>,
    mut tasks: JoinSet<Superseded>,
    stops: &mut Stops,
) -> Result<(), Error> {
    let metrics = Arc::new(Metrics::new());
    let board = Arc::new(Board {
        metrics: Arc::clone(&metrics),
        engine: judging.engine(),
        why: config.why.clone(),
        queue: config.address.queue.clone(),
        crew: OnceLock::new(),
        waiting: Mutex::new("connecting to the queue".to_owned()),
    });
    serve(&config, &board, &mut tasks).await?;
    let store = tokio::select! {
        store = reach(&config.address, &config.settings, |why| board.wait_for(why)) => {
            Arc::new(store.map_err(Error::Reach)?)
        }
        _ = stops.recv() => return Ok(()),
    };
    let (slots, sizing) = (config.slots_file.clone(), config.sizing_file.clone());
    let mut files = Files::new(slots, sizing, config.policy);
    let crew = join(&config, store, judging, metrics, &mut files).await?;
    // Set once: there is one crew a process.
    drop(board.crew.set(Arc::clone(&crew)));
    tasks.spawn(follow(Arc::clone(&crew), files));
    let lived = async {
        let draining = Running::begin(&crew, tasks).work(stops).await?;
        draining.finish(config.grace, stops).await?.leave().await;
        Ok(())
    };
    Box::pin(lived)
        .await
        .map_err(|Superseded| Error::Superseded { place: config.place.to_string() })
}

async fn serve(
    config: &Config,
    board: &Arc<Board>,
    tasks: &mut JoinSet<Superseded>,
) -> Result<(), Error> {
    let failed = |source| Error::Listen { addr: config.listen, source };
    let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    let router = router(Arc::clone(board));
    tasks.spawn(async move {
        // It ends only when the listener is beyond repair; then the probes find out.
        if let Err(error) = axum::serve(listener, router).await {
            warn!(%error, "the probes' port is gone");
        }
        std::future::pending().await
    });
    info!(%addr, engine = board.engine, self_check = board.why.as_str(), "listening: /healthz, /readyz, /metrics");
    image::tell(Path::new(image::FILE));
    Ok(())
}

async fn join(
    config: &Config,
    store: Arc<RedisStore>,
    judging: Arc<dyn Judging>,
    metrics: Arc<Metrics>,
    files: &mut Files,
) -> Result<Arc<Crew>, Error> {
    let shared: Arc<dyn Store> = Arc::clone(&store) as _;
    let joining = Consumer::join(shared, &config.place, &Lane::JUDGED).await;
    let failed = |source| Error::Queue { url: masked(&config.address.url), source };
    let (consumer, registered) = joining.map_err(failed)?;
    let read = files.read();
    for _ in 0..read.faults() {
        metrics.slots_file_error();
    }
    let sizing = read.sizing;
    let recovered = registered.recovered;
    info!(who = %consumer.who(), recovered, slots = sizing.effective, "joined the queue: {sizing}");
    let crew = Arc::new(Crew::new(consumer, Some(store), judging, metrics, sizing));
    crew.resize(sizing, read.order);
    Ok(crew)
}
