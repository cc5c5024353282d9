//! One operator process from its start to its end: reach the API server, lead, look after clusters,
//! let go.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kube::{Client, Config};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::args::RunArgs;
use crate::context::Context;
use crate::lease::{Elector, Held, Lost, Settings};
use crate::metrics::Metrics;
use crate::serve::{Board, serve};
use crate::{client, greet, reconcile, watch};

/// How long looks that are under way may take at the end; each of their calls has a deadline.
const FAREWELL: Duration = Duration::from_secs(20);

/// Why the operator ends.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The process lacks threads or signals.
    #[error("cannot start the operator")]
    Runtime(#[source] io::Error),
    /// Nothing says where the API server is.
    #[error("cannot find the API server; set KUBECONFIG, or run in a pod")]
    Infer(#[source] Box<kube::config::InferConfigError>),
    /// What says it is wrong.
    #[error("cannot make a client of the API server")]
    Client(#[source] Box<kube::Error>),
    /// The port is taken, or not ours.
    #[error("cannot listen at {addr}; name another address with --metrics-addr")]
    Listen {
        /// Where.
        addr: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The lease is not ours any more: another process leads, or will.
    #[error("the lease is lost")]
    Lost(#[source] Lost),
    /// A task that never ends has ended.
    #[error("{what} ended")]
    Ended {
        /// Which.
        what: &'static str,
    },
}

/// Runs until told to stop by SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start, or does not lead any more.
pub fn run(args: RunArgs) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    runtime.block_on(Box::pin(live(args)))
}

async fn live(args: RunArgs) -> Result<(), Error> {
    let mut stop = std::pin::pin!(told_to_stop().map_err(Error::Runtime)?);
    let config = Config::infer().await.map_err(|error| Error::Infer(Box::new(error)))?;
    let settings = lease_settings(&args, &config);
    let (metrics, held) = (Metrics::default(), Arc::new(Held::default()));
    let failed = |error| Error::Client(Box::new(error));
    let fenced = client::fenced(&config, metrics.clone(), Arc::clone(&held)).map_err(failed)?;
    let bare = client::bare(&config, metrics.clone()).map_err(failed)?;
    let context = Arc::new(Context::new(fenced, metrics, &settings.identity));
    let mut tasks = JoinSet::new();
    listen(&args, &context, &bare, &mut tasks).await?;
    let mut elector = Elector::new(bare, settings, held);
    tokio::select! {
        () = elector.acquire() => {}
        () = &mut stop => return Ok(()),
        _ = tasks.join_next() => return Err(Error::Ended { what: "the port for probes" }),
    }
    context.metrics.lead(true);
    let led = lead(&args, &context, &mut elector, tasks, stop).await;
    if led.is_ok() {
        // Order: whoever leads next must not meet a write of ours.
        elector.release().await;
    }
    led
}

/// Looks after clusters while the lease is ours.
async fn lead(
    args: &RunArgs,
    context: &Arc<Context>,
    elector: &mut Elector,
    mut tasks: JoinSet<()>,
    mut stop: std::pin::Pin<&mut impl Future<Output = ()>>,
) -> Result<(), Error> {
    let mut missing = watch::start(context, &args.watch_namespaces, &mut tasks);
    let mut workers = JoinSet::new();
    let beginning = async {
        // Before everything was seen once, what is there would be taken for missing.
        if let Ok(seen) = missing.wait_for(|awaited| awaited.lists == 0).await {
            say_begun(&seen.refused);
        }
    };
    let mut beginning = std::pin::pin!(beginning);
    let mut begun = false;
    loop {
        tokio::select! {
            () = &mut beginning, if !begun => {
                begun = true;
                for _ in 0..args.concurrency {
                    let context = Arc::clone(context);
                    workers.spawn(async move { reconcile::work(&context).await });
                }
                for _ in 0..greet::GREETERS {
                    let context = Arc::clone(context);
                    workers.spawn(async move { greet::work(&context).await });
                }
            }
            lost = elector.keep() => return Err(Error::Lost(lost)),
            () = &mut stop => break,
            Some(ended) = tasks.join_next() => return Err(gone(ended, "a watch")),
            Some(ended) = workers.join_next() => return Err(gone(ended, "a worker")),
        }
    }
    info!("told to stop");
    context.work.close();
    context.greetings.close();
    let all = async { while workers.join_next().await.is_some() {} };
    tokio::select! {
        lost = elector.keep() => Err(Error::Lost(lost)),
        ended = timeout(FAREWELL, all) => {
            if ended.is_err() {
                warn!("looks that are under way do not end; the lease runs out by itself");
                return Err(Error::Ended { what: "the time for looks under way" });
            }
            Ok(())
        }
    }
}

fn say_begun(refused: &BTreeSet<String>) {
    if refused.is_empty() {
        info!("everything has been seen once");
        return;
    }
    let namespaces = refused.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    warn!(
        namespaces,
        "everything else has been seen once; these namespaces lack rights, or are gone, and are \
         looked after as soon as there are some"
    );
}

/// A task that should never end.
fn gone(ended: Result<(), tokio::task::JoinError>, what: &'static str) -> Error {
    match ended {
        Ok(()) => Error::Ended { what },
        // A task that panicked leaves a process that looks alive and is not.
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Error::Ended { what },
    }
}

async fn listen(
    args: &RunArgs,
    context: &Arc<Context>,
    client: &Client,
    tasks: &mut JoinSet<()>,
) -> Result<(), Error> {
    let addr = args.metrics_addr;
    let failed = |source| Error::Listen { addr, source };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    let board = Arc::new(Board { context: Arc::clone(context), reached: AtomicBool::new(false) });
    info!(%addr, version = env!("CARGO_PKG_VERSION"), "listening: /healthz, /readyz, /metrics");
    let (shown, client) = (Arc::clone(&board), client.clone());
    tasks.spawn(async move {
        if let Err(error) = serve(listener, shown).await {
            warn!(%error, "the port for probes is gone");
        }
    });
    tasks.spawn(async move {
        while client.apiserver_version().await.is_err() {
            sleep(Duration::from_secs(1)).await;
        }
        board.reached.store(true, Ordering::Relaxed);
        std::future::pending().await
    });
    Ok(())
}

fn lease_settings(args: &RunArgs, config: &Config) -> Settings {
    let random = format!("{:08x}", fastrand::u32(..));
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let identity = args.identity.clone().unwrap_or_else(|| format!("{}_{random}", host.trim()));
    Settings {
        // In a pod this is the pod's own.
        namespace: args.lease_namespace.clone().unwrap_or_else(|| config.default_namespace.clone()),
        name: args.lease_name.clone(),
        identity,
        duration: args.lease_duration,
        deadline: args.renew_deadline,
        retry: args.retry_period,
    }
}

fn told_to_stop() -> io::Result<impl Future<Output = ()>> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    })
}
