//! Serving: a listener, bounded connections, the tasks behind the service, a graceful end.

mod patient;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use prometheus::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use self::patient::Patient;
use crate::access::Access;
use crate::app::App;
use crate::router::router;

/// How often the file of tokens is looked at.
const TOKENS: Duration = Duration::from_secs(2);
/// How often leases of dead workers are taken back, should no worker be left to do it.
const REAP: Duration = Duration::from_secs(1);
/// After a connection could not be taken (no file descriptors): time for others to end.
const PAUSE: Duration = Duration::from_millis(100);

/// What one server bears.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once; more wait in the kernel. Default 4096: each takes some 20 KB.
    pub connections: usize,
    /// How long a client may take for a request's head. Default 10 s.
    pub head: Duration,
    /// How long a client may read nothing of what it is answered. Default 30 s: a connection is
    /// held no longer for whoever stays away.
    pub unread: Duration,
    /// How long requests may go on after the end was asked for. Default 25 s, within the 30 s that
    /// Kubernetes grants.
    pub farewell: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connections: 4096, head: seconds(10), unread: seconds(30), farewell: seconds(25) }
    }
}

/// A service that listens.
#[derive(Debug)]
pub struct Server {
    app: App,
    listener: TcpListener,
    limits: Limits,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Anybody could run programs here.
    #[error(
        "without tokens anybody who reaches {address} may run programs: \
         give a file of tokens, listen on 127.0.0.1, or say that it is to be open"
    )]
    Open {
        /// Where it would listen.
        address: SocketAddr,
    },
}

impl Server {
    /// Listens at `address`; connections wait until [`Server::run`]. An open service listens to this
    /// machine only, unless `open_to_all`.
    ///
    /// # Errors
    /// When the address cannot be had, or must not.
    pub async fn bind(
        app: App,
        address: SocketAddr,
        open_to_all: bool,
        limits: Limits,
    ) -> Result<Self, Error> {
        app.access().may_listen(address, open_to_all)?;
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|source| Error::Listen { address, source })?;
        Ok(Self { app, listener, limits })
    }

    /// Where its metrics are: others of the process may add theirs.
    #[must_use]
    pub fn registry(&self) -> Registry {
        self.app.metrics().registry()
    }

    /// Where it listens; the port is known even if none was asked for.
    ///
    /// # Errors
    /// When the socket is gone.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `end` is over; then no new request is taken, and those that go on have
    /// [`Limits::farewell`].
    pub async fn run(self, end: impl Future<Output = ()>) {
        let Self { app, listener, limits } = self;
        let (closing, _) = watch::channel(false);
        let mut behind = JoinSet::new();
        behind.spawn(app.clone().work());
        let mut told = closing.subscribe();
        let until = async move { drop(told.wait_for(|closing| *closing).await) };
        let mut deliveries = JoinSet::new();
        deliveries.spawn(app.clone().deliver(until));
        let router = router(app.clone());
        let mut connections = JoinSet::new();
        tokio::pin!(end);
        loop {
            app.metrics().connections(connections.len());
            let room = connections.len() < limits.connections;
            tokio::select! {
                () = &mut end => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                Some(died) = deliveries.join_next() => {
                    tracing::error!(?died, "the task that delivers callbacks died");
                    break;
                }
                Some(died) = behind.join_next() => {
                    // They only end by a panic, and without them nobody is answered.
                    tracing::error!(?died, "a task of the service died");
                    break;
                }
                taken = listener.accept(), if room => match taken {
                    Ok((stream, _)) => {
                        let closing = closing.subscribe();
                        connections.spawn(serve(router.clone(), stream, limits, closing));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot take a connection");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
            }
        }
        drop(listener);
        closing.send_replace(true);
        let all = async { while connections.join_next().await.is_some() {} };
        let all = async { tokio::join!(all, async { drop(deliveries.join_next().await) }) };
        if timeout(limits.farewell, all).await.is_err() {
            tracing::warn!("requests were cut off at the end");
        }
    }
}

impl Access {
    /// Whether a service with this access may listen there: an open one on this machine only, unless
    /// that is meant.
    ///
    /// # Errors
    /// When it must not.
    pub fn may_listen(&self, address: SocketAddr, open_to_all: bool) -> Result<(), Error> {
        if self.is_open() && !address.ip().is_loopback() && !open_to_all {
            return Err(Error::Open { address });
        }
        Ok(())
    }
}

impl App {
    /// What goes on behind the requests, for ever: following the log, tokens, dead workers.
    pub async fn work(self) {
        tokio::join!(self.hub().follow(self.store()), look_after_tokens(&self), reap(&self));
    }
}

async fn serve(
    router: Router,
    stream: TcpStream,
    limits: Limits,
    mut closing: watch::Receiver<bool>,
) {
    // Answers are small and somebody waits for them. What fails here fails again below.
    drop(stream.set_nodelay(true));
    let service = TowerToHyperService::new(router);
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(64 << 10);
    let connection =
        builder.serve_connection(TokioIo::new(Patient::new(stream, limits.unread)), service);
    tokio::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = async { drop(closing.wait_for(|closing| *closing).await) } => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        // Mostly clients that went away.
        tracing::debug!(%error, "connection ended");
    }
}

/// Reads the file of tokens again when it changes, and tells the queue what each tenant may.
async fn look_after_tokens(app: &App) {
    let depth = app.store().settings().depth;
    // What the queue has not taken yet.
    let mut due: Vec<_> = app.access().keyring().map_or_else(Vec::new, |ring| ring.accounts(depth));
    let mut ticks = interval(TOKENS);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match app.access().refresh() {
            Ok(None) => {}
            Ok(Some(ring)) => {
                tracing::info!("the file of tokens has changed");
                due = ring.accounts(depth);
            }
            Err(error) => {
                let error = crate::problem::chain(&error);
                tracing::error!(error, "the tokens stay as they were");
            }
        }
        while let Some((tenant, account)) = due.pop() {
            if app.store().set_account(&tenant, account).await.is_err() {
                due.push((tenant, account));
                break;
            }
        }
    }
}

async fn reap(app: &App) {
    let mut ticks = interval(REAP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = app.store().reap(None).await {
            let error = crate::problem::chain(&error);
            tracing::warn!(error, "cannot look for dead workers");
        }
    }
}
