//! What the handlers share.

use std::sync::Arc;
use std::time::Duration;

use judge::language::Table;
use problems::Shelf;
use queue::{Store, Tenant};

use crate::access::Access;
use crate::budget::{self, Budget};
use crate::callback::{self, Secret};
use crate::hub::Hub;
use crate::judge0::{self, Judge0};
use crate::library::Library;
use crate::metrics::Metrics;

/// How the service behaves.
#[derive(Debug, Clone)]
pub struct Config {
    /// The largest body of one request that is not a stream. Default 16 MiB: twice the largest
    /// payload of a job, since JSON may write a byte as two.
    pub body_limit: usize,
    /// All bodies of requests that are in memory at the same time, and as much again for answers
    /// above 256 KiB. Default 256 MiB. Bodies above 256 KiB may have three quarters of it.
    pub body_budget: usize,
    /// The largest stream of submissions. Default 1 GiB.
    pub stream_limit: usize,
    /// Submissions of one batch. Default 10 000.
    pub batch_limit: usize,
    /// The longest time an answer is held back until there is a result. Default 60 s, what proxies
    /// grant.
    pub longest_wait: Duration,
    /// The most source of one program. Default 1 MiB, as the judge's.
    pub source_limit: u64,
    /// The largest problem that is handed in. Default 256 MiB.
    pub problem_limit: usize,
    /// Pages of other origins that may call (CORS); `*` is every page. Default none.
    pub origins: Vec<String>,
    /// How clients are told that a submission is over.
    pub callbacks: callback::Config,
    /// How the Judge0-compatible routes behave.
    pub judge0: Judge0,
}

impl Config {
    /// The largest body that a budget has room for.
    #[must_use]
    pub fn largest_body(&self) -> usize {
        budget::largest(self.body_budget)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            body_limit: 16 << 20,
            body_budget: 256 << 20,
            stream_limit: 1 << 30,
            batch_limit: 10_000,
            longest_wait: Duration::from_secs(60),
            source_limit: 1 << 20,
            problem_limit: 256 << 20,
            origins: Vec::new(),
            callbacks: callback::Config::default(),
            judge0: Judge0::default(),
        }
    }
}

/// A language as far as it is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Its id in the table.
    pub id: String,
    /// Why this machine cannot judge it; `None` when it can.
    pub unavailable: Option<String>,
}

/// The service, shared by all requests.
#[derive(Debug, Clone)]
pub struct App(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    store: Arc<dyn Store>,
    hub: Arc<Hub>,
    table: Arc<Table>,
    installed: Option<Vec<Installed>>,
    problems: Option<Library>,
    access: Access,
    config: Config,
    budget: Budget,
    answers: Budget,
    metrics: Metrics,
    shelf: judge0::Shelf,
}

impl App {
    /// A service over a queue. `installed` says what can be judged when this process judges, too;
    /// `None` when others do.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        table: Arc<Table>,
        installed: Option<Vec<Installed>>,
        access: Access,
        config: Config,
    ) -> Self {
        let (hub, metrics) = (Arc::new(Hub::default()), Metrics::new());
        let (problems, shelf) = (None, judge0::Shelf::default());
        let (budget, answers) = (Budget::new(config.body_budget), Budget::new(config.body_budget));
        let parts = Parts {
            store,
            hub,
            table,
            installed,
            problems,
            access,
            config,
            budget,
            answers,
            metrics,
            shelf,
        };
        Self(Arc::new(parts))
    }

    /// With a place for problems. For a service that nobody uses yet.
    ///
    /// # Panics
    /// When somebody does.
    #[must_use]
    pub fn with_problems(mut self, shelf: Option<Shelf>) -> Self {
        let parts = Arc::get_mut(&mut self.0).expect("nobody else has it yet");
        parts.problems = shelf.map(Library::new);
        self
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.0.store
    }

    /// The queue, for whoever outlives a request.
    pub(crate) fn queue(&self) -> Arc<dyn Store> {
        Arc::clone(&self.0.store)
    }

    /// What signs callbacks of a tenant.
    pub(crate) fn secret(&self, tenant: &Tenant) -> Option<Secret> {
        let own = self.access().keyring().and_then(|ring| ring.secret(tenant));
        own.or_else(|| self.config().callbacks.secret.clone())
    }

    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.0.hub
    }

    pub(crate) fn table(&self) -> &Table {
        &self.0.table
    }

    pub(crate) fn installed(&self) -> Option<&[Installed]> {
        self.0.installed.as_deref()
    }

    pub(crate) fn problems(&self) -> Option<&Library> {
        self.0.problems.as_ref()
    }

    pub(crate) fn access(&self) -> &Access {
        &self.0.access
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.0.budget
    }

    /// The memory that large answers may take together.
    pub(crate) fn answers(&self) -> &Budget {
        &self.0.answers
    }

    pub(crate) fn shelf(&self) -> &judge0::Shelf {
        &self.0.shelf
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }
}
