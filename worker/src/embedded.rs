//! A worker beside a server in one process, over a store that is there already.

use std::sync::{Arc, Weak};
use std::time::Duration;

use prometheus::Registry;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use queue::{Consumer, Lane, Place, Store};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::info;

use crate::crew::{Crew, Superseded};
use crate::judging::Judging;
use crate::life::Running;
use crate::metrics::Metrics;
use crate::node;
use crate::run::Error;
use crate::slots::{self, Policy};
use crate::watch::{Files, follow};

/// How such a worker is set.
#[derive(Debug)]
pub struct Embedded {
    /// Where it runs: no two living ones at the same.
    pub place: Place,
    /// How many slots.
    pub policy: Policy,
    /// After the first word to stop, how long what runs may go on.
    pub grace: Duration,
    /// Where its metrics are told: that of the server. What is in the queue the server tells.
    pub registry: Registry,
}

/// A worker's metrics as they are when they are asked for; none when it is gone.
struct Own(Weak<Crew>);

impl Collector for Own {
    /// Those of a registry of its own, which has looked through them.
    fn desc(&self) -> Vec<&Desc> {
        Vec::new()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.0.upgrade().map(|crew| crew.own_metrics()).unwrap_or_default()
    }
}

/// Works until told to stop, or until nobody is left who could; a second word ends it at once. It
/// has no probes of its own and does not listen for signals.
///
/// # Errors
/// When the store gives no answer at the start, or a newer worker has its place.
///
/// # Panics
/// When another worker tells its metrics in the same registry.
pub async fn embedded(
    store: Arc<dyn Store>,
    config: Embedded,
    judging: Arc<dyn Judging>,
    mut stops: mpsc::Receiver<()>,
) -> Result<(), Error> {
    let Embedded { place, policy, grace, registry } = config;
    let url = || "this process".to_owned();
    let joining = Consumer::join(store, &place, &Lane::JUDGED).await;
    let (consumer, _) = joining.map_err(|source| Error::Queue { url: url(), source })?;
    let sizing = slots::slots(node::read(), policy);
    info!(who = %consumer.who(), slots = sizing.effective, "joined the queue: {sizing}");
    let metrics = Arc::new(Metrics::new());
    let crew = Arc::new(Crew::new(consumer, None, judging, metrics, sizing));
    crew.resize(sizing, None);
    let told = registry.register(Box::new(Own(Arc::downgrade(&crew))));
    told.expect("one worker a registry");
    let mut tasks = JoinSet::new();
    tasks.spawn(follow(Arc::clone(&crew), Files::new(None, None, policy)));
    let lived = async {
        let draining = Running::begin(&crew, tasks).work(&mut stops).await?;
        draining.finish(grace, &mut stops).await?.leave().await;
        Ok(())
    };
    let lived = Box::pin(lived).await;
    lived.map_err(|Superseded| Error::Superseded { place: place.to_string() })
}
